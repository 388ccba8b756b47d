"""What every notebook of the course shares: budgets, exercise checks, figures with alt text."""

import base64
import copy
import html
import inspect
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from quadlib.functions import own_frames

BUDGETS = ("ci", "lecture", "full")


def budget(*, ci: Any, lecture: Any, full: Any) -> Any:
    """The value that belongs to the current budget.

    The environment variable `QUADLIB_BUDGET` names it: `ci` (seconds), `lecture` (minutes, the
    default) or `full` (overnight).

    >>> steps = budget(ci=2_000, lecture=200_000, full=4_000_000)

    Raises:
        ValueError: `QUADLIB_BUDGET` is none of the three.
    """
    name = os.environ.get("QUADLIB_BUDGET") or "lecture"
    if name not in BUDGETS:
        raise ValueError(f"QUADLIB_BUDGET is {name!r}; set it to one of {', '.join(BUDGETS)}")
    return {"ci": ci, "lecture": lecture, "full": full}[name]


@dataclass(frozen=True)
class Verdict:
    """What a check says about an answer. As the last line of a cell it shows its message.

    Attributes:
        status: "right", "wrong" or "not yet done".
        message: what a student reads.
    """

    status: str
    message: str

    def __repr__(self) -> str:
        return self.message


def check(
    answer: Callable, cases: Iterable[tuple[tuple, Any]], hint: str = "", tolerance: float = 1e-6
) -> Verdict:
    """Try a student's function on known cases. Never raises, so that later cells still run.

    Args:
        answer: the student's function. `None` or `...` as its result means "not yet done".
        cases: pairs of (arguments, expected result). Results are numbers, arrays, tensors,
            strings, or tuples of them.
        hint: shown with a wrong answer: where to look, not what to write.
        tolerance: relative and absolute, for numbers.
    """
    name = getattr(answer, "__name__", "your answer")
    cases = list(cases)
    for arguments, expected in cases:
        given = copy.deepcopy(arguments)  # an answer that changes its inputs fools nobody
        try:
            result = answer(*given)
        except Exception as error:
            lines = [f"✗ {name} stops with {type(error).__name__}: {error}"]
            lines += [f"  at    {frame.line}" for frame in own_frames(error)[-1:]]
            return Verdict("wrong", _explain(lines, answer, arguments, hint))
        if result is None or result is Ellipsis:
            text = (
                f"○ {name}: not yet done (it returns nothing). Replace its `...`, end with "
                "`return`, then run its cell and this one."
            )
            return Verdict("not yet done", text)
        complaint = _difference(result, expected, tolerance)
        if complaint:
            lines = [f"✗ {name}: {complaint}"]
            ending = [f"  yours    {_show(result)}", f"  expected {_show(expected)}"]
            return Verdict("wrong", _explain(lines, answer, arguments, hint, ending))
    return Verdict("right", f"✓ {name}: right for all {len(cases)} inputs.")


def _explain(
    lines: list[str], answer: Callable, arguments: tuple, hint: str, ending: Iterable[str] = ()
) -> str:
    try:
        names = list(inspect.signature(answer).bind(*arguments).arguments)
    except (TypeError, ValueError):
        names = []
    if len(names) != len(arguments):
        names = [f"argument {i + 1}" for i in range(len(arguments))]
    inputs = [f"  with  {n} = {_show(a)}" for n, a in zip(names, arguments, strict=True)]
    return "\n".join([*lines, *inputs, *ending, *([f"  Hint: {hint}"] if hint else [])])


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach() if hasattr(value, "detach") else value)


def _difference(result: Any, expected: Any, tolerance: float) -> str:
    """In what way `result` is not `expected`; empty when they agree."""
    if isinstance(expected, tuple):
        if not isinstance(result, tuple) or len(result) != len(expected):
            return f"{len(expected)} results are expected, as a tuple"
        parts = (_difference(r, e, tolerance) for r, e in zip(result, expected, strict=True))
        return next((part for part in parts if part), "")
    if isinstance(expected, str):
        same = isinstance(result, str) and result == expected
        return "" if same else "another word is expected"
    try:  # no text that looks like a number, no complex number without its half
        ours, theirs = (_array(x).astype(float, casting="same_kind") for x in (expected, result))
    except Exception:  # whatever a student's result makes of it
        return f"numbers are expected, this is {type(result).__name__}"
    if ours.shape != theirs.shape:
        return f"the shape is {theirs.shape}, expected is {ours.shape}"
    if np.allclose(theirs, ours, rtol=tolerance, atol=tolerance, equal_nan=True):
        return ""
    return "there is a value that is not a number" if np.isnan(theirs).any() else "not right yet"


def _show(value: Any) -> str:
    if callable(value):
        return getattr(value, "__name__", repr(value))
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_show, value)) + ")"
    try:
        array = _array(value)
    except Exception:  # a ragged list, tensors with gradients
        return repr(value)
    if array.dtype.kind not in "biuf":
        return repr(value)
    if array.ndim == 0:
        return f"{array.item():.6g}" if array.dtype.kind == "f" else str(array.item())
    if array.size > 50:
        first = ", ".join(f"{x:.4g}" for x in array.ravel()[:4])
        return f"[{first}, ...], an array of shape {array.shape}"
    return np.array2string(array, precision=5, separator=", ", prefix=" " * 11)


def picture(figure: Any, alt: str, quick: bool = False) -> str:
    """A Matplotlib figure as one HTML `<img>` with its pixels inside and a text for those who
    cannot see it. Plain HTML, because JupyterLab drops the alt text of `image/png` outputs.
    `quick` takes half the time and twice the bytes, for figures that follow a slider."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    buffer = io.BytesIO()
    if quick:  # a finished canvas as it is: trimming the margins would draw it a second time
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        image.save(buffer, format="png", compress_level=1)
    else:
        figure.savefig(buffer, format="png", bbox_inches="tight")
        image = Image.open(buffer).convert("RGB").quantize(256)  # looks the same in a third
        buffer = io.BytesIO()
        image.save(buffer, format="png", optimize=True)
    plt.close(figure)
    pixels = base64.b64encode(buffer.getvalue()).decode()
    style = "max-width: 100%; background: white"
    return f'<img alt="{html.escape(alt)}" style="{style}" src="data:image/png;base64,{pixels}">'


def show(figure: Any, alt: str) -> None:
    """Display a Matplotlib figure with alt text, and close it.

    Args:
        figure: a `matplotlib.figure.Figure`.
        alt: what the figure shows, in a sentence or two, with its message.
    """
    from IPython.display import display

    display({"text/html": picture(figure, alt), "text/plain": alt}, raw=True)
