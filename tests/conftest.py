"""Hooks shared by all tests."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("nbval"):  # the environment's own tests run without it
        import strict_notebooks

        config.pluginmanager.register(strict_notebooks)
