"""Rehearse a lecture with the clock: how long does the machine take, cell by cell and part by part?

    python notebooks/rehearse.py 02:1,2,6 03       # make rehearse LECTURE="02:1,2,6 03"

Runs the solutions top to bottom with the lecture's budget and prints, for each part that is wanted,
its minutes in the plan, the seconds in which the class waits for the machine, and its slowest cell.
Nothing is written.
"""

import argparse
import os
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import build
import outline
from nbclient import NotebookClient
from nbformat import NotebookNode


def seconds(cell: NotebookNode) -> float:
    """How long a cell of an executed notebook took."""
    times = cell.metadata.get("execution", {})
    begin, end = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    if not (begin and end):
        return 0.0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def by_part(notebook: NotebookNode) -> dict[int, list[tuple[float, str]]]:
    """Number of the part (0: before the first) -> (seconds, first line) of each code cell in it."""
    found = defaultdict(list)
    for cell, part in zip(notebook.cells, build.parts_of(notebook.cells), strict=True):
        if cell.cell_type == "code" and "setup" not in build.tags(cell):
            first = next((line for line in cell.source.splitlines() if line.strip()), "")
            found[part].append((seconds(cell), first))
    return dict(found)


def rehearse(name: str, wanted: set[int]) -> tuple[int, float]:
    """Run a notebook, print its table. Returns (minutes planned, seconds of waiting)."""
    notebook = build.generate(name, solved=True in build.forms(name))
    folder = {"metadata": {"path": str(build.HERE)}}
    NotebookClient(notebook, timeout=None, startup_timeout=600, resources=folder).execute()
    times = by_part(notebook)
    lesson = outline.read(name, build.source_cells(name)[0].source)
    print(
        f"\n{lesson.label} · {lesson.title}\n{'part':<38}{'plan':>8}{'waiting':>10}   slowest cell"
    )
    minutes = waiting = 0
    for part in lesson.parts:
        if wanted and part.number not in wanted:
            continue
        cells = times.get(part.number, [(0.0, "")])
        took, (longest, line) = sum(each for each, _ in cells), max(cells)
        print(
            f"{part.number} {part.title[:35]:<36}{part.minutes:>4} min{took:>8.1f} s"
            f"{longest:>8.1f} s  {line[:44]}"
        )
        minutes, waiting = minutes + part.minutes, waiting + took
    return minutes, waiting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lecture", nargs="*", help="notebooks, with parts if not all: 02:1,2,6 03")
    minutes = waiting = 0.0
    for each in parser.parse_args().lecture or build.names():
        start, _, parts = each.partition(":")
        found = [name for name in build.names() if name.startswith(Path(start).stem)]
        if not found:
            parser.error(f"no such notebook: {start}; there are {', '.join(build.names())}")
        for name in found:
            planned, waited = rehearse(name, {int(part) for part in parts.split(",") if part})
            minutes, waiting = minutes + planned, waiting + waited
    print(
        f"\nin all {minutes:.0f} min planned, {waiting / 60:.1f} min of them wait for the machine"
    )


if __name__ == "__main__":
    os.environ.setdefault("QUADLIB_BUDGET", "lecture")
    main()
