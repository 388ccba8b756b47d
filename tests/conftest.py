"""Hooks and fixtures shared by all tests."""

import os
import re
import shutil
import subprocess
import sys

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("nbval"):  # the environment's own tests run without it
        import strict_notebooks

        config.pluginmanager.register(strict_notebooks)


@pytest.fixture
def uv():
    """Run uv; without a package registry the test is skipped, in CI (CI=true) it fails."""
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    program = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    if program is None:
        give_up("uv is not installed: pip install -e '.[dev]'")

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [program, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        unreachable = "Failed to fetch|error sending request|network connectivity|dns error"
        if done.returncode and re.search(unreachable, done.stderr):
            give_up(f"the package registry is out of reach: {done.stderr[-300:]}")
        return done

    return run


@pytest.fixture(scope="session")
def decks(tmp_path_factory):
    """The folder with the slides of all notebooks, made once for all tests that look at them."""
    import slides  # not installed where the environment's own tests run

    folder = tmp_path_factory.mktemp("slides") / "slides"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slides, "OUTPUT", folder)
        assert slides.main() == 0
    return folder


@pytest.fixture(scope="session")
def dask_client():
    """One crew of workers for all tests that need one."""
    from quadlib.search.crew import crew

    with crew() as (client, look_after):
        yield client
