"""How a study shows itself in a notebook while it runs."""

import html
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import optuna
from optuna.trial import TrialState

from quadlib import course
from quadlib.showing.live import Output, picture_or_reason

REDRAW_EVERY = 3.0  # s, at most
HINT = "The stop button (■) ends the study and keeps it; tune again and it goes on."


class LiveStudy:
    """Trials and their curves, redrawn in one place while they grow.

    Args:
        trials: how many there will be.
        show: puts a page, {mime type: text}, in the place of the last one; by default the output
            of the running cell.
    """

    def __init__(self, trials: int, show: Callable[[dict[str, str]], Any] | None = None) -> None:
        self.trials, self.started = trials, time.perf_counter()
        self._draw_at, self._drawn, self._picture = 0.0, 0, ""
        self._show = show or Output()
        self._show(_page("starting the workers …"))

    def update(self, study: optuna.Study) -> None:
        """Say how far it is; redraw where something was reported since, but not all the time."""
        trials, now = study.get_trials(deepcopy=False), time.perf_counter()
        reported = sum(len(trial.intermediate_values) for trial in trials)
        if reported > self._drawn and now > self._draw_at:
            self._picture, self._drawn = _picture(study), reported
            self._draw_at = time.perf_counter() + REDRAW_EVERY
        done = sum(trial.state.is_finished() for trial in trials)
        bar = f'<progress aria-label="done" value="{done / self.trials:.3f}" style="width: 14em">'
        status = f"{bar}</progress> {html.escape(self._words(trials))}<br><small>{HINT}</small>"
        self._show(_page(status, self._picture))

    def close(self, study: optuna.Study) -> None:
        """Leave the last picture."""
        trials = study.get_trials(deepcopy=False)
        words = self._words(trials)
        picture = _picture(study) if any(trial.intermediate_values for trial in trials) else ""
        self._show(_page(html.escape(words), picture) | {"text/plain": words})

    def _words(self, trials: list[optuna.trial.FrozenTrial]) -> str:
        states = Counter(trial.state for trial in trials)
        done = sum(count for state, count in states.items() if state.is_finished())
        words = f"{done} of {self.trials} trials in {time.perf_counter() - self.started:.0f} s"
        if states[TrialState.PRUNED]:
            words += f", {states[TrialState.PRUNED]} of them stopped early"
        if states[TrialState.FAIL]:
            words += f", {states[TrialState.FAIL]} failed"
        whole = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if whole:
            best = max(whole, key=lambda trial: trial.value)
            words += f". Best: {best.value:.2f}, trial {best.number}"
        return words + "."


def _picture(study: optuna.Study) -> str:
    """Curves and history side by side, as an image."""
    return picture_or_reason(lambda: _drawn(study))


def _drawn(study: optuna.Study) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure  # pyplot would show it, were a cell to end just now

    from quadlib.showing import plots, study_plots

    with mpl.rc_context():
        plots.use_style()
        figure = Figure(figsize=(9.5, 3.2))
        left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
        study_plots.early_stops(study, left)
        study_plots.history(study, right)
        return course.picture(figure, "Left: the curves of all trials. Right: their returns.")


def _page(status: str, picture: str = "") -> dict[str, str]:
    return {"text/html": f"<div>{status}</div>{picture}", "text/plain": "(study)"}
