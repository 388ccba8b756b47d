"""Figures of finalists: their curves, and what became of their order."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna

from quadlib.search.finalists import Again
from quadlib.showing.plots import STYLES


def finalist_curves(again: Again, labels: dict[str, str], marks: Sequence[int] = ()) -> Any:
    """Mean over the seeds of some finalists, in a band from the lowest to the highest.

    Args:
        again: their trainings.
        labels: finalist -> its name in the legend; who is not in it is not drawn.
        marks: steps at which a thin line is drawn: the budget of the study, for example.
    """
    import matplotlib.pyplot as plt

    figure = plt.figure()
    axes = figure.subplots()
    for (name, label), style in zip(labels.items(), itertools.cycle(STYLES), strict=False):
        returns = again.returns[again.names.index(name)]
        axes.fill_between(again.steps, returns.min(0), returns.max(0), alpha=0.2)
        axes.plot(again.steps, returns.mean(0), linestyle=style,
                  label=f"{label} ({len(again.seeds)} seeds)")  # fmt: skip
    for mark in marks:
        axes.axvline(mark, color="black", linestyle=":", linewidth=1)
    axes.set(xlabel="environment steps", ylabel="mean training return", xlim=(0, None))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper left", fontsize=9)
    return figure


def ranking(study: optuna.Study, again: Again, columns: Sequence[int]) -> Any:
    """The finalists' order in the study and with new seeds at some steps, joined by lines."""
    import matplotlib.pyplot as plt

    numbers = [name for name in again.names if name.isdecimal()]
    rows = [again.names.index(name) for name in numbers]
    scores = [np.array([study.trials[int(name)].value for name in numbers])]
    scores += [again.at(steps).mean(axis=1)[rows] for steps in columns]
    places = [np.argsort(np.argsort(-score)) + 1 for score in scores]
    figure = plt.figure(figsize=(9, 3.4))
    axes = figure.subplots()
    for k, (name, style) in enumerate(zip(numbers, itertools.cycle(STYLES), strict=False)):
        axes.plot([place[k] for place in places], "o", linestyle=style, markersize=9)
        for x, (place, score) in enumerate(zip(places, scores, strict=True)):
            axes.annotate(f"{score[k]:.1f}", (x, place[k]), xytext=(0, 8), fontsize=9,
                          textcoords="offset points", ha="center")  # fmt: skip
        axes.annotate(f"trial {name}", (0, places[0][k]), xytext=(-14, 0), va="center",
                      textcoords="offset points", ha="right")  # fmt: skip
    titles = ["in the study,\none seed"]
    titles += [f"at {steps:,} steps,\n{len(again.seeds)} new seeds" for steps in columns]
    axes.set_xticks(range(len(titles)), titles)
    axes.set(ylim=(len(numbers) + 0.6, 0.4), yticks=range(1, len(numbers) + 1), ylabel="place",
             xlim=(-0.5, len(titles) - 0.7))  # fmt: skip
    axes.grid(False)
    return figure
