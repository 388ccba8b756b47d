"""Run a notebook's source cell by cell, in this process, with every exercise tried in all forms."""

import ast
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

import build

ROOT = Path(__file__).parent.parent


@dataclass
class Exercise:
    """What its check said about each form of the answer: Verdicts of `quadlib.course.check`."""

    source: str
    stub: object = None
    wrong: list = field(default_factory=list)
    solution: object = None


@dataclass
class Notebook:
    """A notebook that ran with the `ci` budget."""

    variables: dict
    exercises: list[Exercise]
    shown: list  # what the last lines of its cells show: widgets, for example


def execute(source: str, variables: dict):
    """Run a cell; return the value of its last line, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), variables)
    if last is not None:
        return eval(compile(ast.Expression(last.value), "<cell>", "eval"), variables)


@cache
def run(name: str) -> Notebook:
    """The whole of `src/NAME.py`. Cached: several tests look at one run."""
    import matplotlib

    matplotlib.use("Agg")
    variables = {"__name__": "__main__"}
    exercises, wrong, shown = [], [], []
    with mock.patch.dict(os.environ, QUADLIB_BUDGET="ci"):
        for cell in build.source_cells(name):
            tags = build.tags(cell)
            if cell.cell_type != "code":
                continue
            if "exercise" in tags:
                exercises.append(Exercise(cell.source))
                wrong = []
            elif "wrong-answer" in tags:
                wrong.append(cell.source)
            elif "check" in tags:
                exercise = exercises[-1]
                forms = [build.SOLUTION.sub(build.STUB, exercise.source), *wrong, exercise.source]
                verdicts = []
                for form in forms:
                    execute(form, variables)
                    verdicts.append(execute(cell.source, variables))
                exercise.stub, *exercise.wrong, exercise.solution = verdicts
            else:
                shown.append(execute(cell.source, variables))
    return Notebook(variables, exercises, shown)
