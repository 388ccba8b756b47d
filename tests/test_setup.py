"""The files that say how to install the course agree with each other."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUPPORTED = ("3.11", "3.12", "3.13")


def torch_pin(path: str) -> str:
    return re.search(r"^torch==([\d.]+)", (ROOT / path).read_text(), re.MULTILINE)[1]


def test_binder_has_the_tested_torch_for_the_cpu_on_a_supported_python():
    assert torch_pin("binder/requirements.txt") == torch_pin("constraints.txt")
    assert "+cpu" in (ROOT / "binder/requirements.txt").read_text()
    assert (ROOT / "binder/runtime.txt").read_text().strip() in {f"python-{v}" for v in SUPPORTED}


def test_binder_has_nothing_but_what_repo2docker_reads():
    """Its files have fixed names; a script that is not executable stops the build."""
    for path in (ROOT / "binder").iterdir():
        assert path.name in {"requirements.txt", "runtime.txt", "apt.txt", "postBuild", "start"}
        script = path.name in {"postBuild", "start"}
        assert not script or (os.access(path, os.X_OK) and path.read_text().startswith("#!"))


def test_binder_lands_on_the_index():
    address = re.search(r"^\[binder\]: (\S+)", (ROOT / "README.md").read_text(), re.MULTILINE)[1]
    landing = address.partition("?urlpath=lab/tree/")[2]
    assert landing == "notebooks/00_index.ipynb" and (ROOT / landing).exists()


def test_what_binder_installs_can_be_had(uv, tmp_path):
    """Unpinned but for PyTorch, as on Binder; its CPU build may stand for PyPI's."""
    wanted = (ROOT / "binder/requirements.txt").read_text()
    wanted = re.sub(r"^--extra-index-url.*|\+cpu", "", wanted, flags=re.MULTILINE)
    assert re.search(r"^-e \.$", wanted, re.MULTILINE), "the course itself"
    wanted = re.sub(r"^-e \.$", (ROOT / "requirements.txt").read_text(), wanted, flags=re.MULTILINE)
    (tmp_path / "wanted.txt").write_text(wanted)
    python = (ROOT / "binder/runtime.txt").read_text().strip().removeprefix("python-")
    done = uv("pip", "compile", tmp_path / "wanted.txt", "--python-version", python,
              "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:",
              "--quiet", "--output-file", tmp_path / "resolved.txt")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"torch=={torch_pin('constraints.txt')}" in (tmp_path / "resolved.txt").read_text()


def test_ci_runs_on_each_supported_python():
    workflow = (ROOT / ".github/workflows/test.yml").read_text()
    assert tuple(re.findall(r'"(3\.\d+)"', workflow)) == SUPPORTED
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"


@pytest.mark.parametrize("python", SUPPORTED)
@pytest.mark.parametrize("platform", ["x86_64-manylinux_2_28", "aarch64-apple-darwin"])
def test_every_requirement_has_a_wheel(uv, tmp_path, monkeypatch, python, platform):
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", "14.0")  # the oldest macOS with PyBullet wheels
    done = uv(
        "pip", "compile", ROOT / "requirements.txt", "--constraint", ROOT / "constraints.txt",
        "--python-version", python, "--python-platform", platform, "--only-binary", ":all:",
        "--quiet", "--output-file", tmp_path / "resolved.txt",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pins = re.findall(r"^(\S+)==", (tmp_path / "resolved.txt").read_text(), re.MULTILINE)
    fork = python >= "3.12" or "darwin" in platform
    assert {"pybullet", "pybullet-arm64"} & set(pins) == {"pybullet-arm64" if fork else "pybullet"}


def test_an_unsupported_python_is_refused_with_advice(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci" / "venv", tmp_path / "venv"],
        env={"PYTHON": str(old), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "No Python 3.11, 3.12 or 3.13" in done.stderr and "PYTHON=" in done.stderr
    assert not (tmp_path / "venv").exists()
