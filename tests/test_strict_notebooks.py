"""A notebook in which something goes wrong must turn `make test` red, whatever nbval thinks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).parents[1]
FAILS = "raise RuntimeError('boom')"
BROKEN = {
    "raises": FAILS,
    "does_not_compile": "def f(:",
    "too_slow": "import time\ntime.sleep(60)",
    "catches_the_interrupt": (
        "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('stopped')"
    ),
    "failing_command": "!exit 3",
    "failing_command_in_the_middle": "!exit 3\n!true\nprint('goes on')",
    "failing_captured_command": "output = !exit 3",
    "failing_install": "%pip install --quiet --no-index no-such-package-anywhere",
    "raises_nothing": ("1 + 1", ["raises-exception"]),
    "thread": (
        f"import threading\ndef f():\n    {FAILS}\n"
        "t = threading.Thread(target=f)\nt.start(); t.join()"
    ),
    "thread_after_the_last_cell": (
        f"import threading, time\ndef f():\n    time.sleep(1)\n    {FAILS}\n"
        "threading.Thread(target=f).start()"
    ),
    "kernel_dies": "import os\nos._exit(1)",
}
GOOD = [
    ("import threading\nt = threading.Thread(target=print)\nt.start(); t.join()", []),
    ("!true\nword = 'hello'\n!echo {word}", []),
    (FAILS, ["raises-exception"]),
    ("import os\nassert os.environ['QUADLIB_BUDGET'] == 'ci'", []),
    ("assert not any(name in globals() for name in ('traceback', '_watch'))", []),
]


def write(path: Path, cells: list[tuple[str, list[str]]]) -> None:
    v4 = nbformat.v4
    code = [v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in cells]
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# A lesson"), *code]), path)


def make_check(folder: Path, *, cell_timeout: int) -> tuple[int, str, dict[str, int]]:
    """Run `make check` on a copy of the project whose only notebooks are those in `folder`.

    Returns the exit code, what was printed, and the number of failures of each notebook.
    """
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("conftest.py", "strict_notebooks.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests")
    inherited = ("MAKE", "MFLAGS", "PYTEST", "QUADLIB")
    done = subprocess.run(
        ["make", "-f", ROOT / "Makefile", "check", f"VENV={sys.prefix}",
         f"CELL_TIMEOUT={cell_timeout}", "PYTEST_ARGS=--junitxml=report.xml"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith(inherited)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    failures: dict[str, int] = {}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        notebook = case.get("classname").split(".")[1]
        bad = any(case.find(tag) is not None for tag in ("failure", "error"))
        failures[notebook] = failures.get(notebook, 0) + bad
    return done.returncode, done.stdout, failures


@pytest.fixture(scope="module")
def broken_run(tmp_path_factory) -> tuple[int, str, dict[str, int]]:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "notebooks").mkdir()
    for name, cell in BROKEN.items():
        cell = (cell, []) if isinstance(cell, str) else cell
        write(folder / "notebooks" / f"{name}.ipynb", [("x = 1", []), cell])
    return make_check(folder, cell_timeout=8)


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_broken_notebook_is_red(broken_run, name):
    exit_code, printed, failures = broken_run
    assert exit_code != 0
    assert failures.get(name, 0) > 0, printed


@pytest.mark.slow
def test_good_notebook_is_green_and_its_time_is_printed(tmp_path):
    (tmp_path / "notebooks").mkdir()
    write(tmp_path / "notebooks" / "good.ipynb", GOOD)
    exit_code, printed, failures = make_check(tmp_path, cell_timeout=60)
    assert exit_code == 0, printed
    assert failures == {"good": 0}
    assert " s  notebooks/good.ipynb" in printed
