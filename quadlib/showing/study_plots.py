"""Figures of a study: what was tried, what came of it, and what was stopped."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from quadlib.showing.plots import COLORS

BEST = 0.1  # share of the trials that count as the best
CLASSES = (  # label, colour, hatch: no meaning by colour alone
    ("best tenth", COLORS["vermillion"], "///"),
    ("better half", COLORS["sky"], ""),
    ("worse half", "#D9D9D9", ""),
)


def with_value(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that came to a return. Of one that was stopped early it is the last that it had."""
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if trial.state.is_finished() and trial.value is not None]


def distributions(study: optuna.Study, marked: Mapping[int, str] | None = None) -> Any:
    """For each hyperparameter the values that were tried, coloured by what they came to.

    Args:
        study: at least two trials with a return.
        marked: at most two trials whose values are marked on the axis -> what to call them.
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    trials = with_value(study)
    rank = np.argsort(np.argsort([-trial.value for trial in trials])) / len(trials)
    members = [rank < BEST, (rank >= BEST) & (rank < 0.5), rank >= 0.5]
    ranges = trials[0].distributions
    rows = -(-len(ranges) // 4)
    figure, panels = plt.subplots(rows, 4, figsize=(9, 1.75 * rows), squeeze=False)
    for axes, (name, each) in zip(panels.flat, ranges.items(), strict=False):
        values = np.array([_place(trial.params[name], each) for trial in trials])
        edges, log = _edges(each)
        stack = [values[member] for member in reversed(members)]
        labels, colors, hatches = zip(*reversed(CLASSES), strict=True)
        axes.hist(stack, edges, stacked=True, color=colors, hatch=hatches, label=labels,
                  edgecolor="white", linewidth=0.5)  # fmt: skip
        for number, sign in zip(marked or {}, "^v", strict=False):
            at = _place(study.trials[number].params[name], each)
            axes.plot(at, 0, sign, color="black", markersize=7, clip_on=False, label=marked[number],
                      markerfacecolor="black" if sign == "^" else "white")  # fmt: skip
        axes.set_title(name, fontsize=10)
        axes.set_yticks([])
        axes.grid(False)
        axes.tick_params(labelsize=8)
        if log:
            axes.set_xscale("log")
            decades = np.log10(each.high / each.low)
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if decades < 2.5 else (1.0,)))
            axes.xaxis.set_minor_formatter("")
            if decades < 2.5:
                axes.xaxis.set_major_formatter("{x:g}")
        if isinstance(each, CategoricalDistribution):
            axes.set_xticks(range(len(each.choices)), map(str, each.choices))
    for axes in list(panels.flat)[len(ranges) :]:
        axes.axis("off")
    handles, names = panels.flat[0].get_legend_handles_labels()
    order = [label for label, _, _ in CLASSES] + list((marked or {}).values())
    figure.legend([handles[names.index(each)] for each in order], order,
                  loc="outside lower center", ncols=5)  # fmt: skip
    return figure


def history(study: optuna.Study, figure: Any = None, notes: dict[int, str] | None = None) -> Any:
    """Each trial's return in the order of the trials, and the best so far.

    Args:
        study: with any number of trials.
        figure: an empty one to draw in; by default a new one of pyplot's.
        notes: trial -> what is written beside it.
    """
    import matplotlib.pyplot as plt

    figure = figure or plt.figure()
    axes, trials = figure.subplots(), study.get_trials(deepcopy=False)
    kinds = (
        (TrialState.COMPLETE, "to its end", "o", COLORS["blue"]),
        (TrialState.PRUNED, "stopped early", "x", "0.55"),
    )
    for state, label, marker, color in kinds:
        some = [trial for trial in trials if trial.state == state]
        axes.plot([t.number for t in some], [t.value for t in some], marker, color=color,
                  label=label, linestyle="none")  # fmt: skip
    failed = [trial.number for trial in trials if trial.state == TrialState.FAIL]
    if failed:
        axes.plot(failed, [0] * len(failed), "P", color=COLORS["vermillion"], label="failed")
    whole = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if whole:
        best = np.maximum.accumulate([trial.value for trial in [*whole, whole[-1]]])
        axes.step([*(t.number for t in whole), len(trials) - 1], best, where="post",
                  color=COLORS["vermillion"], label="best so far")  # fmt: skip
    for number, text in (notes or {}).items():
        trial = trials[number]
        axes.annotate(text, (number, trial.value), xytext=(6, 6), textcoords="offset points",
                      fontsize=9)  # fmt: skip
    axes.set(xlabel="trial", ylabel="mean training return")
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure


def early_stops(study: optuna.Study, figure: Any = None) -> Any:
    """The curves of all trials: who went on, who was stopped and where."""
    import matplotlib.pyplot as plt

    figure = figure or plt.figure()
    axes, trials = figure.subplots(), study.get_trials(deepcopy=False)
    whole = [t for t in trials if t.state == TrialState.COMPLETE]
    best = max(whole, key=lambda t: t.value, default=None)
    looks = {
        TrialState.PRUNED: {"color": "0.7", "linewidth": 1},
        TrialState.COMPLETE: {"color": COLORS["blue"], "linewidth": 1.3, "alpha": 0.8},
        TrialState.RUNNING: {"color": COLORS["orange"], "linewidth": 1.3, "linestyle": "--"},
    }
    labels = {"PRUNED": "stopped early (×)", "COMPLETE": "to its end", "RUNNING": "running"}
    for trial in trials:
        if trial.intermediate_values and trial.state in looks:
            steps, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
            label = labels.pop(trial.state.name, None)
            axes.plot(steps, values, **looks[trial.state], label=label)
            if trial.state == TrialState.PRUNED:
                axes.plot(steps[-1], values[-1], "x", color="0.4", markersize=5)
    if best is not None:
        steps, values = zip(*sorted(best.intermediate_values.items()), strict=True)
        axes.plot(steps, values, color=COLORS["vermillion"], linewidth=3, label="best")
    budget = study.user_attrs["plan"]["steps"]
    axes.axvline(budget / 5, color="black", linestyle=":", linewidth=1, label="first look")
    axes.set(xlabel="environment steps", ylabel="mean training return", xlim=(0, budget))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper left", fontsize=9)
    return figure


def importances(study: optuna.Study, resamples: int = 50, seed: int = 0) -> dict[str, np.ndarray]:
    """Hyperparameter -> its importance in each of several halves of the trials, (resamples,).

    PED-ANOVA (Watanabe et al. 2023): how far the best tenth's values are from all that were tried.
    Trials that were stopped early count with their last return: leaving them out would leave out
    most of what is bad. The spread over random halves says what 100 trials can know.
    """
    trials, rng = with_value(study), np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in trials[0].params}
    for _ in range(resamples):
        half = rng.choice(len(trials), max(len(trials) // 2, 2), replace=False)
        part = optuna.create_study(direction=study.direction)
        part.add_trials([_as_complete(trials[k]) for k in half])
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(BEST, 2 / len(half)))
        for name, value in get_param_importances(part, evaluator=evaluator).items():
            found[name].append(value)
    return {name: np.array(values) for name, values in found.items()}


def importance_bars(found: dict[str, np.ndarray]) -> Any:
    """Mean importances with the range from the 5th to the 95th percentile over the halves."""
    import matplotlib.pyplot as plt

    names = sorted(found, key=lambda name: found[name].mean())
    means = np.array([found[name].mean() for name in names])
    low, high = np.array([np.percentile(found[name], [5, 95]) for name in names]).T
    figure = plt.figure(figsize=(9, 0.28 * len(names) + 0.8))
    axes = figure.subplots()
    axes.barh(names, means, color=COLORS["sky"])
    axes.hlines(names, low, high, color="black", linewidth=1.5)
    axes.set(
        xlabel="importance (share; line: 5 % to 95 % over halves of the trials)", xlim=(0, None)
    )
    axes.grid(axis="y", visible=False)
    return figure


def parallel_coordinates(study: optuna.Study, names: Sequence[str]) -> Any:
    """One line per trial through its hyperparameters; the best tenth on top of the others."""
    import matplotlib.pyplot as plt

    trials = sorted(with_value(study), key=lambda trial: trial.value)
    first_best = len(trials) - max(round(BEST * len(trials)), 1)
    ranges = {name: trials[0].distributions[name] for name in names}
    figure = plt.figure(figsize=(9, 3.8))
    axes = figure.subplots()
    labels = {True: f"best tenth ({len(trials) - first_best})", False: "all others"}
    for k, trial in enumerate(trials):
        best = k >= first_best
        heights = [_height(trial.params[name], each) for name, each in ranges.items()]
        axes.plot(heights, color=COLORS["vermillion"] if best else "0.75",
                  linewidth=1.8 if best else 0.7, marker="o" if best else None, markersize=4,
                  label=labels.pop(best, None))  # fmt: skip
    for k, each in enumerate(ranges.values()):
        low, high = (each.choices[0], each.choices[-1]) if hasattr(each, "choices") else (
            each.low, each.high)  # fmt: skip
        axes.annotate(_short(low), (k, -0.03), ha="center", va="top", fontsize=9,
                      annotation_clip=False)  # fmt: skip
        axes.annotate(_short(high), (k, 1.03), ha="center", va="bottom", fontsize=9,
                      annotation_clip=False)  # fmt: skip
    axes.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names], fontsize=10)
    axes.tick_params(axis="x", pad=18, length=0)
    axes.set(ylim=(-0.02, 1.02), yticks=[], xlim=(-0.3, len(names) - 0.7))
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=2)
    return figure


def _place(value: Any, each: Any) -> float:
    """Where a value stands on its axis: categories are 0, 1, 2 …"""
    return each.choices.index(value) if isinstance(each, CategoricalDistribution) else value


def _edges(each: Any) -> tuple[np.ndarray, bool]:
    """(edges of a histogram's bins, is the axis logarithmic)."""
    if isinstance(each, CategoricalDistribution):
        return np.arange(len(each.choices) + 1) - 0.5, False
    if each.log:
        return np.geomspace(each.low, each.high, 11), True
    return np.linspace(each.low, each.high, 11), False


def _height(value: Any, each: Any) -> float:
    """A value's place in its range, 0 … 1."""
    if isinstance(each, CategoricalDistribution):
        return each.choices.index(value) / max(len(each.choices) - 1, 1)
    low, high, value = np.log([each.low, each.high, value]) if each.log else (
        each.low, each.high, value)  # fmt: skip
    return float((value - low) / (high - low))


def _short(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, int | float) and value not in (True, False)
        else str(value)
    )


def _as_complete(trial: FrozenTrial) -> FrozenTrial:
    return optuna.trial.create_trial(
        params=trial.params, distributions=trial.distributions, value=trial.value
    )
