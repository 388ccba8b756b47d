"""Generate the notebooks from `notebooks/src/*.py`, the only place where they are written.

    python notebooks/build.py                      # all of them, outputs of unchanged cells kept
    python notebooks/build.py 02 --execute         # run it first (budget: QUADLIB_BUDGET)
    python notebooks/build.py 03 --execute --parts 1 9   # these alone; other outputs stay
    python notebooks/build.py --check              # 1 when a notebook is not what src says

Each `src/NAME.py` becomes `NAME.ipynb` (exercises as stubs) and, if it has exercises,
`solutions/NAME.ipynb`. In `src/00_index.py` a line `{{course}}` becomes the map of the course.

How to write one (py:percent; see `src/01a_policy_gradients.py`):
- The first cell is markdown and starts with `# Title`. It has a table of the parts, with columns
  Part, You will be able to, Minutes, and a paragraph `You need: ...`, from which the index is made
  (see `outline.py`). The tool puts the badges under the title and the set-up cell (SETUP below)
  after that cell. `quadlib` can be imported from there on.
- It ends with `## Summary on one page` and the references.
- Prose, then at most about 15 lines of code, then something to look at. Ordinary Python only: no
  `%magic`, no `!command` (a failing one looks like success).
- A figure: `course.show(figure, alt="what it shows")`. Sliders: `widgets.explore(draw, alt, ...)`,
  with the still figure in a cell before. Widget outputs are not stored, still figures are.
- A number that depends on the budget: `course.budget(ci=..., lecture=..., full=...)`.
- An exercise is three kinds of cells, in this order:
    # %% tags=["exercise"]         a function; its body between the markers
                                   `### BEGIN SOLUTION` and `### END SOLUTION` becomes `...`
    # %% tags=["wrong-answer"]     one plausible mistake: the same function, wrong. At least one
                                   such cell; they are in neither notebook, only tests read them
    # %% tags=["check"]            ends with `course.check(function, cases, hint=...)`
  Cells outside never use a student's function, so that they survive an unfinished exercise.
  `tests/test_notebooks.py` proves that each check accepts the solution and rejects the stub and
  the wrong answers.
- `# %% tags=["nbval-skip"]` and the other tags of nbval pass through.
"""

import argparse
import copy
import hashlib
import os
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

import jupytext
import nbformat
import outline
from nbformat import NotebookNode

from quadlib.files import write

HERE = Path(__file__).parent
INDEX = "00_index"
# Of the badges and of the set-up cell. Written by `make links REPO=owner/name BRANCH=main`.
REPOSITORY = "OWNER/REPO"
BRANCH = "main"
COLAB = f"https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/notebooks"
BADGES = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    f"({COLAB}/{{name}}.ipynb) "
    "[![Launch Binder](https://mybinder.org/badge_logo.svg)]"
    f"(https://mybinder.org/v2/gh/{REPOSITORY}/{BRANCH}?urlpath=lab/tree/notebooks/{{name}}.ipynb)"
)
SETUP = f"""\
# Set-up: installs the course where it is missing (on Colab); elsewhere it does nothing.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("quadlib") is None:
    source = os.environ.get("QUADLIB_SOURCE", "git+https://github.com/{REPOSITORY}@{BRANCH}")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
    importlib.invalidate_caches()"""
PART = re.compile(r"^## (\d+) · ", re.M)
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION", re.M | re.S)
STUB = r"\1...  # your code here"
MARKER = re.compile(r"^ *### (BEGIN|END) SOLUTION\n?", re.M)
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget-view+json"


def names() -> list[str]:
    return sorted(path.stem for path in (HERE / "src").glob("*.py"))


def target(name: str, solved: bool) -> Path:
    return HERE / ("solutions" if solved else "") / f"{name}.ipynb"


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def parts_of(cells: Iterable[NotebookNode]) -> list[int]:
    """The number of the part that each cell stands in; 0 before the first."""
    part, found = 0, []
    for cell in cells:
        if cell.cell_type == "markdown":
            numbers = PART.findall(cell.source)
            part = int(numbers[-1]) if numbers else part
        found.append(part)
    return found


def source_cells(name: str) -> list[NotebookNode]:
    """The cells as they are written, solutions and wrong answers included."""
    return jupytext.read(HERE / "src" / f"{name}.py", fmt="py:percent").cells


def forms(name: str) -> tuple[bool, ...]:
    """Whether solved, of each notebook that a source becomes."""
    return (False, True) if any("exercise" in tags(c) for c in source_cells(name)) else (False,)


def course_map() -> str:
    """Every notebook but the index, as Markdown."""
    lessons = [outline.read(name, source_cells(name)[0].source) for name in names()]
    return outline.as_markdown([one for one in lessons if one.name != INDEX], COLAB)


def generate(name: str, solved: bool) -> NotebookNode:
    """The notebook that `src/NAME.py` says, without outputs."""
    title, *rest = source_cells(name)
    heading, _, text = title.source.partition("\n")
    if title.cell_type != "markdown" or not heading.startswith("# "):
        raise ValueError(f"src/{name}.py: the first cell must be markdown and start with '# Title'")
    for cell in (title, *rest):
        if cell.cell_type == "markdown" and "{{course}}" in cell.source:
            cell.source = cell.source.replace("{{course}}", course_map())
    badges = BADGES.format(name="solutions/" * solved + name)
    title.source = f"{heading}{' · solutions' * solved}\n\n{badges}\n{text}"
    setup = nbformat.v4.new_code_cell(SETUP, metadata={"tags": ["setup"]})
    cells = [title, setup, *(cell for cell in rest if "wrong-answer" not in tags(cell))]
    seen: dict[str, int] = {}
    for cell in cells:
        # An id that follows the source, not the place, keeps diffs small and outputs in step.
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        cell.metadata = {"tags": tags(cell)} if tags(cell) else {}
        if solved and cell.cell_type == "markdown":  # seen from the folder of the solutions
            cell.source = cell.source.replace("](solutions/", "](")
        if "exercise" in tags(cell):
            stub = SOLUTION.sub(STUB, cell.source)
            if stub == cell.source:
                raise ValueError(f"src/{name}.py: no SOLUTION markers in\n{cell.source}")
            cell.source = MARKER.sub("", cell.source).rstrip() if solved else stub
    return nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(METADATA))


def execute(notebook: NotebookNode, parts: Collection[int] = ()) -> None:
    """Run cells in a fresh kernel and keep what is worth keeping of their outputs.

    Args:
        notebook: which one.
        parts: run these alone; by default all.

    Raises ValueError where there is no such part, or an output shows a path of this machine.
    """
    from nbclient import NotebookClient

    wanted = copy.copy(notebook)  # of the same cells
    if parts:
        numbers = parts_of(notebook.cells)
        if unknown := set(parts) - set(numbers):
            raise ValueError(f"no part {min(unknown)}; the last one is {max(numbers)}")
        wanted.cells = [c for c, part in zip(notebook.cells, numbers, strict=True) if part in parts]
    NotebookClient(
        wanted,
        timeout=None,
        startup_timeout=600,  # a busy machine starts a kernel slowly
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(HERE)}},
    ).execute()
    notebook.metadata = copy.deepcopy(METADATA)
    paths = [str(HERE.parent), str(Path.home()) + os.sep, sys.prefix]
    for cell in wanted.cells:
        if "setup" in tags(cell):
            cell.execution_count = None  # `make links` changes its text and must lose nothing
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if WIDGET not in out.get("data", {})]
            if any(path in str(cell.outputs) for path in paths):
                raise ValueError(f"an output shows a path of this machine:\n{cell.source}")


def keep_outputs(notebook: NotebookNode, path: Path) -> None:
    """Carry the outputs of cells that did not change over from the file at `path`."""
    if path.exists():
        old = {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}
        for cell in notebook.cells:
            if cell.cell_type == "code" and cell.id in old and old[cell.id].source == cell.source:
                cell.outputs = old[cell.id].outputs
                cell.execution_count = old[cell.id].execution_count


def number(notebook: NotebookNode) -> None:
    """Count the cells that were run by their place: some may have been run in another kernel."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for place, cell in enumerate(code, 1):
        cell.execution_count = place if cell.execution_count else None
        for output in cell.outputs:
            if output.output_type == "execute_result":  # shows the number once more
                output.execution_count = cell.execution_count


def differences(name: str) -> list[Path]:
    """The generated files of this name whose cells are not what `src` says."""

    def written(notebook: NotebookNode) -> list:
        return [(c.cell_type, c.id, c.source, tags(c)) for c in notebook.cells]

    return [
        target(name, solved)
        for solved in forms(name)
        if not target(name, solved).exists()
        or written(nbformat.read(target(name, solved), as_version=4))
        != written(generate(name, solved))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="which ones, beginnings do (default: all)")
    parser.add_argument("--execute", action="store_true", help="run them and store the outputs")
    parser.add_argument("--parts", nargs="+", type=int, default=(), help="run these alone")
    parser.add_argument("--check", action="store_true", help="write nothing, report differences")
    options = parser.parse_args()
    chosen = names()
    if options.names:
        wanted = tuple(Path(name).stem for name in options.names)
        chosen = [name for name in chosen if name.startswith(wanted)]
    if not chosen:
        parser.error(f"no such notebook: {options.names}; there are {', '.join(names())}")
    if options.parts and not options.execute:
        parser.error("--parts is for --execute")
    if options.check:
        stale = [path for name in chosen for path in differences(name)]
        for path in stale:
            print(f"{path.relative_to(HERE)} is not what src says: run notebooks/build.py")
        return bool(stale)
    executed = chosen if options.execute else []
    # The index lists them all: it is always brought up to date.
    for name in [*chosen, *({INDEX} & set(names()) - set(chosen))]:
        for solved in forms(name):
            notebook, path = generate(name, solved), target(name, solved)
            if name not in executed or options.parts:
                keep_outputs(notebook, path)
            if name in executed:
                execute(notebook, options.parts)
            number(notebook)
            path.parent.mkdir(exist_ok=True)
            text = nbformat.writes(notebook).rstrip("\n") + "\n"
            write(path, lambda file, text=text: file.write(text.encode()))  # whole, or as it was
            print(path.relative_to(HERE))
    return 0


if __name__ == "__main__":
    sys.exit(main())
