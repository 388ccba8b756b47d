"""Figures that set agents and algorithms side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from quadlib.showing.plots import COLORS

if TYPE_CHECKING:
    from quadlib.judging.evaluation import Evaluation
    from quadlib.judging.gait import Gait

MARKERS = "os^Dv<>P"  # no meaning by colour alone
# Tan et al. 2018, Sim-to-real: learning agile locomotion for quadruped robots: the same robot.
TAN = {"trot, Tan et al.: 0.50 m/s": 0.50, "gallop, Tan et al.: 1.34 m/s": 1.34}
WEIGHT = 60.0  # N, of the robot as it comes
ROWS = ((0, "FL"), (2, "FR"), (1, "BL"), (3, "BR"))  # front legs above back legs


def gait_diagram(gaits: "Gait | Mapping[str, Gait]", seconds: float = 1.0) -> Any:
    """When is which foot on the ground? A panel per gait, from its last `seconds`.

    Over each panel stand speed, stride frequency and the share of time in the air; the grey band is
    one stride.
    """
    import matplotlib.pyplot as plt

    from quadlib.world.robot import CONTROL_STEP

    named = gaits if isinstance(gaits, Mapping) else {"": gaits}
    figure, panels = plt.subplots(
        len(named), figsize=(9, 0.5 + 1.6 * len(named)), sharex=True, squeeze=False
    )
    for axes, (label, gait) in zip(panels[:, 0], named.items(), strict=True):
        contacts = gait.contacts[-round(seconds / CONTROL_STEP) :]
        for row, (leg, _) in enumerate(ROWS):
            spans = [(a * CONTROL_STEP, n * CONTROL_STEP) for a, n in _spans(contacts[:, leg])]
            color = COLORS["blue" if leg % 2 == 0 else "vermillion"]
            axes.broken_barh(spans, (row - 0.35, 0.7), facecolors=color)
        if np.isfinite(gait.stride_frequency):
            axes.axvspan(0, 1 / gait.stride_frequency, color="0.9", zorder=0)
        axes.set(
            yticks=range(4), yticklabels=[name for _, name in ROWS], ylim=(3.6, -0.6),
            xlim=(0, len(contacts) * CONTROL_STEP),
        )  # fmt: skip
        axes.grid(axis="y", visible=False)
        axes.set_title(
            f"{label + ': ' if label else ''}{gait.speed:.2f} m/s, {gait.stride_frequency:.1f} "
            f"strides/s, {gait.in_the_air:.0%} in the air",
            loc="left", fontsize=11,
        )  # fmt: skip
    panels[-1, 0].set_xlabel("time (s); bars: the foot is on the ground; grey: one stride")
    return figure


def speed_power(groups: "Mapping[str, Sequence[Evaluation]]") -> Any:
    """Each episode's speed and power, Tan et al.'s speeds, and lines of equal cost of transport.

    Args:
        groups: label -> evaluations, one per seed.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4.4))
    for (label, group), marker, color in zip(
        groups.items(), MARKERS * len(groups), [*COLORS.values()] * len(groups), strict=False
    ):
        speeds, powers = (_joined(group, name) for name in ("speeds", "powers"))
        axes.plot(speeds, powers, marker, color=color, alpha=0.35, markersize=5, mew=0)
        middle = speeds.mean(), powers.mean()
        axes.plot(*middle, marker, color=color, markersize=11, mec="black", label=label)
    (left, right), top = axes.get_xlim(), axes.get_ylim()[1]
    left, right = min(left, 0.0), max(right, 1.5)
    for name, speed in TAN.items():
        axes.axvline(speed, color="0.4", linewidth=1, linestyle="--")
        axes.annotate(name, (speed, top), (-3, -4), textcoords="offset points", rotation=90,
                      ha="right", va="top", fontsize=9)  # fmt: skip
    for cost in (0.5, 1.0, 2.0, 4.0):
        end = min(right, top / (cost * WEIGHT))
        axes.plot([0, end], [0, cost * WEIGHT * end], ":", color="0.5", linewidth=1)
        up = end < right  # it leaves at the top
        axes.annotate(f"{cost:g}", (end, cost * WEIGHT * end), (0, 2) if up else (4, 0), fontsize=9,
                      textcoords="offset points", ha="center" if up else "left",
                      va="bottom" if up else "center", color="0.4")  # fmt: skip
    label = "equal cost of transport:\nthe number at its end"
    axes.plot([], [], ":", color="0.5", linewidth=1, label=label)
    axes.set(xlabel="speed (m/s)", ylabel="power (W)", xlim=(left, right), ylim=(0, top))
    axes.legend(loc="center left", bbox_to_anchor=(1.04, 0.5))
    return figure


def return_distributions(groups: "Mapping[str, Sequence[Evaluation]]") -> Any:
    """Each episode as a point, a column per seed, its mean as a line; falls are crosses.

    Args:
        groups: label -> evaluations, one per seed.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4))
    middles, place = [], 0.0
    for group, color in zip(groups.values(), [*COLORS.values()] * len(groups), strict=False):
        first = place
        for result in group:
            across = place + np.linspace(-0.3, 0.3, len(result.returns))
            for chosen, marker in ((~result.fell, "o"), (result.fell, "x")):
                axes.plot(across[chosen], result.returns[chosen], marker, color=color, alpha=0.5,
                          markersize=4)  # fmt: skip
            axes.hlines(result.mean, place - 0.4, place + 0.4, color="black")
            place += 1.0
        middles.append((first + place - 1.0) / 2)
        place += 1.0
    counts = [f"{len(group)} seed{'s' if len(group) > 1 else ''}" for group in groups.values()]
    axes.set(ylabel="return of an episode", xticks=middles)
    axes.set_xticklabels([f"{label}\n({n})" for label, n in zip(groups, counts, strict=True)])
    axes.grid(axis="x", visible=False)
    axes.plot([], [], "o", color="0.4", markersize=4, label="episode")
    axes.plot([], [], "x", color="0.4", markersize=4, label="episode with a fall")
    axes.plot([], [], "-", color="black", label="mean of a seed's episodes")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def intervals(
    rows: Mapping[str, tuple[float, float, float]], label: str, reference: float | None = None
) -> Any:
    """A point and its interval in each row.

    Args:
        rows: label -> (estimate, low, high).
        label: what is estimated, with its unit.
        reference: a value to compare with, such as ½ for a probability of improvement.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.45 * len(rows)))
    for row, (estimate, low, high) in enumerate(rows.values()):
        axes.hlines(row, low, high, color=COLORS["blue"], linewidth=4, alpha=0.4)
        axes.plot(estimate, row, "o", color=COLORS["blue"])
        axes.annotate(f"{estimate:.2f}  [{low:.2f}, {high:.2f}]", (1.02, row),
                      xycoords=("axes fraction", "data"), va="center")  # fmt: skip
    if reference is not None:
        axes.axvline(reference, color="0.4", linewidth=1, linestyle="--")
    axes.set(xlabel=label, yticks=range(len(rows)), ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticklabels(list(rows))
    axes.grid(axis="y", visible=False)
    return figure


def dots(
    panels: "Mapping[str, tuple[Mapping[str, Sequence[float]], float]]", label: str, reference: str
) -> Any:
    """What becomes of one number when one thing is changed: a row per change, a dot per seed.

    Args:
        panels: title -> (change -> the number with each seed, the number without any change).
            Rows that are those of the panel to the left are named there only.
        label: what the number is, with its unit.
        reference: what the line at the unchanged number is called.
    """
    import matplotlib.pyplot as plt

    rows = max(len(changes) for changes, _ in panels.values())
    several = any(len(values) > 1 for changes, _ in panels.values() for values in changes.values())
    figure, axes = plt.subplots(
        1, len(panels), figsize=(9, 1.4 + 0.36 * rows), sharex=True, squeeze=False
    )
    named = None
    for panel, (title, (changes, unchanged)) in zip(axes[0], panels.items(), strict=True):
        for row, values in enumerate(changes.values()):
            panel.plot(values, [row] * len(values), "o", color=COLORS["blue"], alpha=0.6)
            if several:
                panel.plot(np.mean(values), row, "|", color="black", markersize=16, mew=2)
        panel.axvline(unchanged, color="0.4", linewidth=1, linestyle="--", label=reference)
        panel.set(title=title, yticks=range(len(changes)), ylim=(len(changes) - 0.5, -0.5))
        panel.set_yticklabels([] if named == list(changes) else changes)
        named = list(changes)
    axes[0, -1].plot([], [], "o", color=COLORS["blue"], label="a seed")
    if several:
        axes[0, -1].plot([], [], "|", color="black", markersize=12, mew=2, label="their mean")
    axes[0, len(panels) // 2].set_xlabel(label)
    figure.legend(*axes[0, -1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _joined(group: "Sequence[Evaluation]", column: str) -> np.ndarray:
    return np.concatenate([getattr(result, column) for result in group])


def _spans(on: np.ndarray) -> list[tuple[int, int]]:
    """(first, length) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(int), [0]])))
    return [(int(a), int(b - a)) for a, b in edges.reshape(-1, 2)]
