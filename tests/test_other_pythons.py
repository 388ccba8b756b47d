"""The environment installs and passes its own tests on every supported Python this machine has.

Without torch, which the environment does not need, and from a wheel, not from this folder.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDS = ("pybullet", "numpy", "gymnasium", "pillow")  # the last one for pictures of it
SUBJECTS = ("env", "model", "motor", "randomization", "rewards", "robot", "sensors")
SUPPORTED = [(3, 11), (3, 12), (3, 13)]


def other_pythons() -> dict[str, str]:
    """Version -> path, for each supported minor version but this one.

    A pyenv shim on the PATH may refuse to run, so the versions behind it are tried too.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found = {}
    for major, minor in SUPPORTED:
        name = f"{major}.{minor}"
        if sys.version_info[:2] == (major, minor):
            continue
        for path in [f"python{name}", *sorted(pyenv.glob(f"{name}*/bin/python"))]:
            ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
            try:
                done = subprocess.run([path, "-c", ask], capture_output=True, text=True)
            except OSError:
                continue
            if done.stdout.startswith(name + " "):
                found[name] = done.stdout.split(maxsplit=1)[1].strip()
                break
    return found


PYTHONS = other_pythons()


@pytest.mark.slow
@pytest.mark.skipif(not PYTHONS, reason="this machine has no other supported Python")
@pytest.mark.parametrize("version", PYTHONS)
def test_environment_on_another_python(uv, tmp_path, version, capsys):
    tests = [path for name in SUBJECTS for path in sorted(ROOT.glob(f"tests/test_{name}*.py"))]
    assert tests, "the environment has no tests"
    source = tmp_path / "source"  # built from a copy: no build folder in the working tree
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "quadlib", source / "quadlib")
    requirements = (ROOT / "requirements.txt").read_text().splitlines()
    (tmp_path / "needs.txt").write_text(
        "\n".join([line for line in requirements if line.startswith(NEEDS)] + ["pytest"])
    )

    venv = tmp_path / "venv"
    python = venv / "bin" / "python"
    install = ["pip", "install", "--quiet", "--python", python]
    for step in (
        ["venv", "--quiet", "--python", PYTHONS[version], venv],
        [*install, "--only-binary", ":all:", "--constraint", ROOT / "constraints.txt",
         "--requirement", tmp_path / "needs.txt"],
        [*install, "--no-deps", source],
    ):  # fmt: skip
        done = uv(*step)
        assert done.returncode == 0, done.stderr

    run = [python, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml", "-p", "no:cacheprovider"]
    done = subprocess.run([*run, *tests], cwd=tmp_path, capture_output=True, text=True)
    with capsys.disabled():
        print(f"\nPython {version}: {done.stdout.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (venv / "lib" / f"python{version}" / "site-packages" / "torch").exists()
