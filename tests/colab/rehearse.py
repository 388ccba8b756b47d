"""Runs the notebooks as Colab would: its versions, an empty folder, their own set-up cell.

    python tests/colab/rehearse.py            # all notebooks, one after the other
    python tests/colab/rehearse.py 02 03      # some, beginnings do

Colab's list of preinstalled packages (tests/colab-*.txt) says which of them the course uses and in
which version; those are installed first. Each notebook is then copied into an empty folder, where
its set-up cell installs the course from a copy of this repository (QUADLIB_SOURCE), and runs with
the shortest budget under nbval. At the end nothing that was preinstalled may have moved.

What cannot be had here differs, and is printed:
- Colab's Python. Where Python 3.13 or PyTorch's own index is out of reach, the notebooks run on
  the Python that runs this script, with its PyTorch; those that need no PyTorch run on 3.13 too.
- Its front end. Whether Colab shows a widget is not tested here, only that its ipywidgets,
  ipython and ipykernel run it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
sys.path.append(str(TESTS))
from test_colab import COLAB, versions  # noqa: E402
from test_other_pythons import other_pythons  # noqa: E402

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
FRONT = ("ipykernel", "ipython", "ipywidgets", "jupyter-client", "nbformat", "traitlets")
WITHOUT_TORCH = ("02_env",)  # notebooks that need none
WIDGETS = ("widgets", "gait_maker", "leg_explorer", "live", "reward_mixer")  # what tests are about
LEARNING = ("torch", "stable-baselines3", "sb3-contrib")
CELL_TIMEOUT = 600  # s


@dataclass(frozen=True)
class Stage:
    """One environment to run notebooks in.

    Attributes:
        python: path of the interpreter.
        torch: version of PyTorch, None for none.
        index: where PyTorch comes from, None for the usual place.
        names: of the notebooks that can run.
    """

    python: str
    torch: str | None
    index: str | None
    names: list[str]


def uv(*arguments: object) -> str:
    """Run uv and return what it prints; exit with its message where it fails."""
    program = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    if program is None:
        sys.exit("uv is not installed: pip install -e '.[dev]'")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def reachable(index: str) -> bool:
    try:
        urllib.request.urlopen(f"{index}/torch/", timeout=5)
    except (urllib.error.URLError, OSError):
        return False
    return True


def stages(names: list[str], pins: dict[str, str]) -> list[Stage]:
    """The environments that come nearest to Colab on this machine."""
    pythons = {**other_pythons(), "{}.{}".format(*sys.version_info): sys.executable}
    theirs = pythons.get("3.13")
    if theirs and reachable(CPU_INDEX):
        return [Stage(theirs, pins["torch"], CPU_INDEX, names)]
    found = [Stage(sys.executable, version("torch").partition("+")[0], None, names)]
    some = [name for name in names if name in WITHOUT_TORCH]
    if theirs and theirs != sys.executable and some:
        found.append(Stage(theirs, None, None, some))
    return found


def preinstalled(stage: Stage, pins: dict[str, str], work: Path) -> dict[str, str]:
    """Name -> version of what the course uses of Colab's packages, in this stage."""
    needs, resolved = work / "needs.txt", Path(shutil.copy(COLAB, work / "resolved.txt"))
    needs.write_text((ROOT / "requirements.txt").read_text() + "\n".join(FRONT))
    override = work / "override.txt"
    override.write_text(f"torch=={stage.torch}\n" if stage.torch else "")
    uv("pip", "compile", needs, "--output-file", resolved, "--python", stage.python,
       "--override", override, "--only-binary", ":all:", "--quiet")  # fmt: skip
    wanted = {name: v for name, v in versions(resolved).items() if name in pins}
    heavy = {name for name in wanted if name == "triton" or name.startswith(("nvidia", "cuda"))}
    unwanted = heavy | (set(LEARNING) if stage.torch is None else set())
    return {name: v for name, v in wanted.items() if name not in unwanted}


def prepare(stage: Stage, pins: dict[str, str], work: Path) -> Path:
    """An environment with Colab's packages in it; returns its Python."""
    python = work / "venv" / "bin" / "python"
    uv("venv", "--seed", "--quiet", "--python", stage.python, work / "venv")
    install = ["pip", "install", "--quiet", "--only-binary", ":all:", "--python", python]
    base = preinstalled(stage, pins, work)
    if stage.torch:
        index = ["--index-url", stage.index] if stage.index else []
        # pip, not uv: it is what a notebook uses, and sees the same places
        pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", *index]
        subprocess.run([*pip, f"torch=={stage.torch}"], check=True)
        base.pop("torch", None)
    uv(*install, "--no-deps", *(f"{name}=={v}" for name, v in base.items()))
    keep = work / "keep.txt"
    keep.write_text("\n".join(f"{name}=={v}" for name, v in base.items()))
    uv(*install, "--constraint", keep, "nbval", "pytest", *FRONT)
    if stage.torch is None:  # its set-up cell would fetch PyTorch: install the rest beforehand
        lines = (ROOT / "requirements.txt").read_text().splitlines()
        rest = work / "rest.txt"
        rest.write_text("\n".join(line for line in lines if not line.startswith(LEARNING)))
        uv(*install, "--constraint", keep, "--requirement", rest)
        uv("pip", "install", "--quiet", "--no-deps", "--python", python, source(work))
    return python


def source(work: Path) -> Path:
    """A copy of what pip builds the course from, so that no build folder is left here."""
    copy = work / "source"
    if not copy.exists():
        copy.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
            shutil.copy(ROOT / name, copy)
        shutil.copytree(ROOT / "quadlib", copy / "quadlib")
    return copy


def frozen(python: Path) -> dict[str, str]:
    """Name -> version of all that is installed."""
    lines = re.findall(r"^([\w.-]+)==(\S+)", uv("pip", "freeze", "--python", python), re.M)
    return {re.sub(r"[-_.]+", "-", name).lower(): v for name, v in lines}


def run(name: str, python: Path, work: Path) -> tuple[bool, float]:
    """(passed, seconds) of a notebook, alone in an empty folder."""
    folder = work / name
    folder.mkdir()
    notebook = shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder)
    return pytest(
        python, work, folder, "-p", "strict_notebooks", "--rootdir", folder,
        "-o", "xfail_strict=true", "--nbval-lax", "--nbval-current-env",
        f"--nbval-cell-timeout={CELL_TIMEOUT}", notebook,
    )  # fmt: skip


def run_widgets(_name: str, python: Path, work: Path) -> tuple[bool, float]:
    """The same for the tests that move each slider and press each button."""
    tests = [TESTS / f"test_{subject}.py" for subject in WIDGETS]
    return pytest(python, work, work, "-c", ROOT / "pyproject.toml", *tests)


def pytest(python: Path, work: Path, folder: Path, *arguments: object) -> tuple[bool, float]:
    """(passed, seconds) of some tests, started in a folder."""
    environment = {**os.environ, "QUADLIB_BUDGET": "ci", "QUADLIB_SOURCE": str(source(work))}
    environment["PYTHONPATH"] = str(TESTS)  # for strict_notebooks
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:])
    return done.returncode == 0, time.perf_counter() - start


def report(python: Path, stage: Stage, pins: dict[str, str], before: dict[str, str]) -> bool:
    """Print what differs from Colab, and what the set-up moved. Did it leave all in place?"""
    after = frozen(python)
    other = {name: (pins[name], v) for name, v in after.items() if pins.get(name, v) != v}
    other = {name: pair for name, pair in other.items() if pair[1].partition("+")[0] != pair[0]}
    for name, (theirs, ours) in sorted(other.items()):
        print(f"  differs from Colab: {name} {ours}, there {theirs}")
    moved = {name: (v, after.get(name)) for name, v in before.items() if after.get(name) != v}
    for name, (was, now) in moved.items():
        print(f"  MOVED by the set-up cell: {name} {was} -> {now}")
    print(f"  the set-up added {len(set(after) - set(before))} packages")
    return not moved


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="which ones, beginnings do (default: all)")
    wanted = tuple(parser.parse_args().names) or ("",)
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    names = [name for name in names if name.startswith(wanted)]
    pins, good = versions(COLAB), True
    for stage in stages(names, pins):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            work = Path(folder)
            python = prepare(stage, pins, work)
            said = subprocess.run([python, "--version"], capture_output=True, text=True).stdout
            print(f"{said.strip()}, torch {stage.torch or 'not installed'}", flush=True)
            before = frozen(python)
            for name in [*stage.names, "widgets"]:
                passed, seconds = (run_widgets if name == "widgets" else run)(name, python, work)
                print(f"  {'passed' if passed else 'FAILED'} {seconds:6.0f} s  {name}", flush=True)
                good &= passed
            good &= report(python, stage, pins, before)
    return not good


if __name__ == "__main__":
    sys.exit(main())
