"""How a training shows itself while it runs: a curve in a notebook, a bar in a terminal."""

import html
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from quadlib import course

if TYPE_CHECKING:
    from quadlib.learning.training import Run

TELL_EVERY = 1.0  # s, at most: steps, time left, return
REDRAW_EVERY = 2.0  # s, at most: the curve
DRAWING_SHARE = 0.04  # of the training's time, at most
STOP_HINT = "The stop button (■) ends the training and keeps what was learned."


def progress(steps: int | None, seconds: float | None, done: int = 0) -> "LiveCurve | Bar":
    """What shows a training that runs until `steps` or `seconds`: a curve in a notebook, a bar in
    a terminal. `done` steps were made before, in a run that goes on."""
    return (LiveCurve if in_notebook() else Bar)(steps, seconds, done)


def in_notebook() -> bool:
    """Does this code run in a kernel (JupyterLab, Notebook, Colab, VS Code …)?"""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def deaf_to_stop() -> Iterator[None]:
    """Ignore the stop button and Control-C for a moment: pressed twice, it must not throw away
    what the first press wanted to keep."""
    if threading.current_thread() is not threading.main_thread():  # signals go to the main thread
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class LiveCurve:
    """The learning curve of a training, redrawn in one place while it grows.

    `update` with the run so far after each update of the policy, `close` with the whole run: a
    still figure remains. The output is HTML with an `<img>`, replaced through its display id: it
    needs no widget and leaves nothing behind that a static page could not show.

    Args:
        steps, seconds: the limits of the training, of which the nearer one counts.
        done: steps that were made before, in a run that goes on.
        show: puts a page, {mime type: text}, in the place of the last one; by default the output
            of the running cell.
        hint: how to stop.
    """

    def __init__(
        self,
        steps: int | None,
        seconds: float | None,
        done: int = 0,
        show: Callable[[dict[str, str]], Any] | None = None,
        hint: str = STOP_HINT,
    ) -> None:
        self.clock = _Clock(steps, seconds, done)
        self.hint = hint
        self._tell_at = self._draw_at = 0.0  # s, when the next words and picture are due
        self._picture = ""
        self._show = show or Output()
        self._show(_page("starting …"))

    def update(self, run: "Run") -> None:
        """Say how far it is and redraw, unless that was done a moment ago."""
        now = time.perf_counter()
        if now < self._tell_at:
            return
        self._tell_at = now + TELL_EVERY
        if now >= self._draw_at:
            first, self._picture = not self._picture, _curve(run)
            cost = time.perf_counter() - now
            # The first picture loads Matplotlib: it says nothing about the next.
            self._draw_at = now + cost + max(REDRAW_EVERY, 0 if first else cost / DRAWING_SHARE)
        bar = (
            f'<progress aria-label="done" value="{self.clock.share(run):.3f}" '
            'style="width: 14em"></progress>'
        )
        status = f"{bar} {html.escape(self.clock.status(run))}<br><small>{self.hint}</small>"
        self._show(_page(status, self._picture))

    def close(self, run: "Run") -> None:
        """Leave the last picture."""
        if run.curve["steps"].size:
            summary = self.clock.summary(run)
            self._show(_page(html.escape(summary), _curve(run)) | {"text/plain": summary})
        else:
            self._show(_page("no update was finished"))


class Output:
    """The output of the running cell, replaced in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, page: dict[str, str]) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(page, raw=True, display_id=True)
        else:
            self._handle.update(page, raw=True)


class Bar:
    """The same for a terminal: a bar with the steps, the time left and the return so far."""

    def __init__(self, steps: int | None, seconds: float | None, done: int = 0) -> None:
        from tqdm import tqdm

        self.clock = _Clock(steps, seconds, done)
        self._bar = tqdm(total=steps, initial=done, unit=" steps", unit_scale=True)

    def update(self, run: "Run") -> None:
        """Move the bar."""
        self._bar.set_postfix_str(_return(run), refresh=False)
        self._bar.update(run.curve["steps"][-1] - self._bar.n)
        if self._bar.total is None:
            self._bar.set_postfix_str(self.clock.status(run))

    def close(self, run: "Run") -> None:
        """End the line."""
        self._bar.close()


class _Clock:
    """How far a training is, in words."""

    def __init__(self, steps: int | None, seconds: float | None, done: int) -> None:
        self.steps, self.seconds, self.done = steps, seconds, done
        self.started = time.perf_counter()

    def share(self, run: "Run") -> float:
        """The part that is done, 0 … 1, by the limit that is nearer."""
        by_steps = by_time = 0.0
        if self.steps:
            by_steps = (run.curve["steps"][-1] - self.done) / max(self.steps - self.done, 1)
        if self.seconds:
            by_time = (time.perf_counter() - self.started) / self.seconds
        return min(max(by_steps, by_time), 1.0)

    def status(self, run: "Run") -> str:
        """Steps, time, time left, return."""
        elapsed, share = time.perf_counter() - self.started, self.share(run)
        left = f"about {elapsed * (1 - share) / share:.0f} s left" if share else "starting"
        return f"{run.curve['steps'][-1]:,.0f} steps in {elapsed:.0f} s, {left}, {_return(run)}"

    def summary(self, run: "Run") -> str:
        """What came out, for those who see no picture too."""
        ending = ", stopped by hand" if run.stopped == "interrupted" else ""
        elapsed = time.perf_counter() - self.started
        return (
            f"{run.curve['steps'][-1]:,.0f} steps in {elapsed:.0f} s{ending}. "
            f"At the end: {_return(run)}."
        )


def _return(run: "Run") -> str:
    last = run.curve["return"][-1]
    return f"mean return {last:.2f}" if last == last else "no episode has ended yet"


def _curve(run: "Run") -> str:
    """The curve as an image; nothing as long as there is nothing to draw."""
    if not np.isfinite(run.curve["return"]).any():
        return ""
    return picture_or_reason(lambda: _drawn(run))


def picture_or_reason(draw: Callable[[], str]) -> str:
    """What `draw` returns; where it fails the error: a picture is not worth a training."""
    try:
        return draw()
    except Exception as error:
        return f"<small>No picture: {html.escape(f'{type(error).__name__}: {error}'[:300])}</small>"


def _drawn(run: "Run") -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure  # pyplot would show it, were a cell to end just now

    from quadlib.showing import plots

    with mpl.rc_context():
        plots.use_style()
        figure = plots.learning_curve(run, figure=Figure(figsize=(7, 2.8)))
        return course.picture(figure, f"Learning curve over environment steps; {_return(run)}.")


def _page(status: str, picture: str = "") -> dict[str, str]:
    return {"text/html": f"<div>{status}</div>{picture}", "text/plain": "(training)"}
