"""The virtual environment of the old gym, in which pybullet_envs' MinitaurBulletEnv still runs."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FOLDER = ROOT / ".cache" / "judge"
REQUIREMENTS = HERE / "requirements.txt"


class CannotInstallError(RuntimeError):
    """The virtual environment could not be made; the message says why."""


def ready(folder: Path = FOLDER) -> bool:
    """Is it there, made from these requirements with this Python?"""
    stamp = folder / "installed"
    return stamp.is_file() and stamp.read_text() == _stamp()


def make(folder: Path = FOLDER) -> Path:
    """Its Python; on the first call it is installed, which takes a minute.

    Raises:
        CannotInstallError: pip failed, for instance because the package registry is out of reach.
    """
    if not ready(folder):
        print(f"Installing MinitaurBulletEnv and the old gym into {folder} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _run("make a virtual environment", sys.executable, "-m", "venv", folder)
        pip = [python(folder), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        _run("install what MinitaurBulletEnv needs", *pip, "--requirement", REQUIREMENTS)
        (folder / "installed").write_text(_stamp())
    return python(folder)


def python(folder: Path = FOLDER) -> Path:
    """Where its Python is."""
    return folder / "bin" / "python"


def start(script: str, *arguments: object, folder: Path = FOLDER, **options) -> subprocess.Popen:
    """Run one of this folder's scripts in it, with its standard output as a pipe of text."""
    # One thread: the networks are small, and there is one process per core.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [python(folder), HERE / script, *arguments]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, env=environment, text=True, **options
    )


def sha256(path: Path) -> str:
    """A file's checksum."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(what: str, *command: object) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise CannotInstallError(
            f"could not {what}; is the package registry out of reach? It said:\n{said}"
        )


def _stamp() -> str:
    return f"Python {sys.version.split()[0]}\n{sha256(REQUIREMENTS)}\n"


if __name__ == "__main__":
    print(make())
