"""What moves in a page: sliders over plain functions that draw (ipywidgets 7.7, as Colab has it,
and 8), and the curve of a training while it runs."""

import html
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from quadlib import course

if TYPE_CHECKING:
    from quadlib.training import Run

REDRAW_EVERY = 2.0  # s, at most
DRAWING_SHARE = 0.04  # of the training's time, at most


def explore(draw: Callable, alt: str, **choices: Sequence) -> Any:
    """A picture with one slider per keyword of `draw`.

    Args:
        draw: called with one value per slider, returns a Matplotlib figure.
        alt: what the picture shows; `{keyword}` is filled in with the slider's value.
        choices: for each keyword of `draw` the values its slider goes through. The middle one
            comes first.

    Returns:
        An `ipywidgets.VBox`: the sliders, then the picture. As the last line of a cell it shows
        itself. The picture is HTML with alt text: no output area that flickers.
    """
    import ipywidgets

    sliders = {
        name: ipywidgets.SelectionSlider(
            options=[(f"{value:g}", value) for value in values],
            value=values[len(values) // 2],
            description=name,
            continuous_update=False,
        )
        for name, values in choices.items()
    }
    image = ipywidgets.HTML()

    def redraw(_change: Any = None) -> None:
        values = {name: slider.value for name, slider in sliders.items()}
        image.value = course.picture(draw(**values), alt.format(**values))

    redraw()
    for slider in sliders.values():
        slider.observe(redraw, names="value")
    return ipywidgets.VBox([*sliders.values(), image])


def progress(steps: int | None, seconds: float | None, done: int = 0) -> "LiveCurve | Bar":
    """What shows a training that runs until `steps` or `seconds`: a curve in a notebook, a bar in
    a terminal. `done` steps were made before, in a run that goes on."""
    return (LiveCurve if in_notebook() else Bar)(steps, seconds, done)


def in_notebook() -> bool:
    """Does this code run in a kernel (JupyterLab, Notebook, Colab, VS Code …)?"""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


class LiveCurve:
    """The learning curve of a training, redrawn in one place while it grows.

    `update` with the run so far after each update of the policy, `close` with the whole run: a
    still figure remains. The output is HTML with an `<img>`, replaced through its display id: it
    needs no widget and leaves nothing behind that a static page could not show.
    """

    def __init__(self, steps: int | None, seconds: float | None, done: int = 0) -> None:
        from IPython.display import display

        self.clock = _Clock(steps, seconds, done)
        self._next = 0.0  # s, when the next picture is due
        self._handle = display(_page("starting …"), raw=True, display_id=True)

    def update(self, run: "Run") -> None:
        """Redraw, unless that was done a moment ago."""
        if time.perf_counter() < self._next:
            return
        start = time.perf_counter()
        bar = f'<progress value="{self.clock.share(run):.3f}" style="width: 14em"></progress>'
        note = "The stop button (■) ends the training and keeps what was learned."
        status = f"{bar} {html.escape(self.clock.status(run))}<br><small>{note}</small>"
        self._handle.update(_page(status, _curve(run)), raw=True)
        end = time.perf_counter()
        self._next = end + max(REDRAW_EVERY, (end - start) / DRAWING_SHARE)

    def close(self, run: "Run") -> None:
        """Leave the last picture."""
        if len(run.curve.get("steps", ())):
            summary = self.clock.summary(run)
            page = _page(html.escape(summary), _curve(run)) | {"text/plain": summary}
            self._handle.update(page, raw=True)
        else:
            self._handle.update(_page("no update was finished"), raw=True)


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
    import matplotlib as mpl

    from quadlib import plots

    with mpl.rc_context():
        plots.use_style()
        figure = plots.learning_curve(run)
        figure.set_size_inches(7, 2.8)
        return course.picture(figure, f"Learning curve over environment steps; {_return(run)}.")


def _page(status: str, picture: str = "") -> dict[str, str]:
    return {"text/html": f"<div>{status}</div>{picture}", "text/plain": "(training)"}
