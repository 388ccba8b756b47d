"""Every figure of the course in one style."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from quadlib.learning.training import Run

# Okabe & Ito's colours, which colour-blind readers can tell apart (https://jfly.uni-koeln.de/color)
COLORS = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
}


def use_style() -> None:
    """Set Matplotlib's defaults for the course: white, a light grid, safe colours, 100 dpi."""
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.prop_cycle": mpl.cycler(color=list(COLORS.values())),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlesize": 12,
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "figure.figsize": (9, 3.6),
            "font.size": 11,
            "grid.color": "#E4E4E4",
            "legend.frameon": False,
            "lines.linewidth": 2,
            "savefig.dpi": 100,
            "savefig.facecolor": "white",
        }
    )


STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))  # no meaning by colour alone


def learning_curve(
    runs: "Run | Mapping[str, Run | Sequence[Run]]",
    marks: Mapping[str, float] | None = None,
    figure: Any = None,
    over: str = "steps",
) -> Any:
    """Mean training return over environment steps or wall time.

    Args:
        runs: one run; or label -> run; or label -> runs with different seeds, drawn as their mean
            in a band from the lowest to the highest, with the number of seeds in the legend.
        marks: label -> return, drawn as horizontal lines.
        figure: an empty one to draw in; by default a new one of pyplot's.
        over: "steps" or "seconds", drawn as minutes.
    """
    import matplotlib.pyplot as plt

    groups = runs if isinstance(runs, Mapping) else {"": runs}
    figure = figure or plt.figure()
    axes = figure.subplots()
    for (label, group), style in zip(groups.items(), STYLES * len(groups), strict=False):
        group = list(group) if isinstance(group, Sequence) else [group]
        group = [run for run in group if len(run.curve[over])]
        if not group:  # stopped before the first update
            axes.plot([], linestyle=style, label=label)
            continue
        places = [run.curve[over] / (60 if over == "seconds" else 1) for run in group]
        last, longest = min(place[-1] for place in places), max(places, key=len)
        along = longest[longest <= last]
        returns = [
            np.interp(along, place, run.curve["return"])
            for place, run in zip(places, group, strict=True)
        ]
        if len(group) > 1:
            label = f"{label} ({len(group)} seeds)"
            axes.fill_between(along, np.min(returns, 0), np.max(returns, 0), alpha=0.25)
        axes.plot(along, np.mean(returns, 0), linestyle=style, label=label)
    for label, value in (marks or {}).items():
        axes.axhline(value, color="0.5", linewidth=1)
        axes.annotate(label, (1, value), xycoords=("axes fraction", "data"), color="0.3",
                      ha="right", va="bottom", fontsize=9)  # fmt: skip
    xlabel = {"steps": "environment steps", "seconds": "wall time (minutes)"}[over]
    axes.set(xlabel=xlabel, ylabel="mean return", xlim=(0, None))
    axes.xaxis.set_major_formatter("{x:,.0f}" if over == "steps" else "{x:g}")
    if any(groups):
        axes.legend(loc="best")
    return figure


def reward_terms(run: "Run") -> Any:
    """What a robot was paid for while it learned: each term's sum per episode, over the steps."""
    import matplotlib.pyplot as plt

    terms = {k.removeprefix("reward/"): v for k, v in run.curve.items() if k.startswith("reward/")}
    steps, figure = run.curve["steps"], plt.figure()
    axes = figure.subplots()
    axes.axhline(0, color="0.5", linewidth=1)
    for (name, sums), style in zip(terms.items(), STYLES[1:] * len(terms), strict=False):
        axes.plot(steps, sums, linestyle=style, label=name)
    axes.plot(steps, run.curve["return"], color="black", label="together: the return")
    axes.set(xlabel="environment steps", ylabel="sum per episode", xlim=(0, None))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


VIEWS = {"side": (0, 2), "top": (0, 1), "front": (1, 2)}  # axes of the world across and up


def draw_robot(axes: Any, recording: Any, frame: int = 0, view: str = "side") -> None:
    """Every shape of a recorded robot, seen along an axis of the world; axes in m.

    Args:
        axes: of Matplotlib.
        recording: a `quadlib.Recording`.
        frame: which of its frames.
        view: "side" (from the right, forward is to the right), "top" or "front" (from ahead).
    """
    from matplotlib.collections import PolyCollection

    across, up = VIEWS[view]
    depth = ({0, 1, 2} - {across, up}).pop()
    toward = -1.0 if view == "side" else 1.0  # the nearest faces are drawn last
    faces, colors = [], []
    for shape in recording.shapes:
        pose = recording.poses[frame, shape.link + 1].astype(float)
        placed = _turn(_faces(shape), pose[3:]) + pose[:3]
        faces += list(placed)
        gray = "#B9BEC4" if shape.mesh else "#5B6570" if shape.link == -1 else "#2F3B47"
        colors += [gray] * len(placed)
    order = np.argsort([toward * face[:, depth].mean() for face in faces])
    axes.add_collection(
        PolyCollection(
            [faces[i][:, [across, up]] for i in order],
            facecolors=[colors[i] for i in order],
            edgecolors=[colors[i] for i in order],
            linewidths=0.5,
        )
    )
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.set(xlabel=f"{'xyz'[across]} (m)", ylabel=f"{'xyz'[up]} (m)")


def robot_parts(recording: Any, robot: Any) -> Any:
    """A labelled drawing of the robot in the last frame of a recording: its parts, its 8 motors.

    Args:
        recording: of the robot standing near the origin, looking along x.
        robot: the `quadlib.world.robot.Robot` that was recorded, for the numbers of its links.
    """
    import matplotlib.pyplot as plt

    from quadlib.world.robot import LEGS

    motors = recording.poses[-1, np.array(robot.motors) + 1, :3]
    knees = recording.poses[-1, np.array(robot.feet) + 1, :3]
    foot = recording.feet[-1, 3]
    parts = {
        "body": (recording.poses[-1, 0, :3], (0.0, 0.26)),
        "two motors, one\nbehind the other": (motors[7], (-0.3, 0.28)),
        "knee, no motor": (knees[7], (-0.66, 0.21)),
        "lower leg": ((knees[7] + foot) / 2, (-0.66, 0.09)),
        "foot: two lower\nlegs, pinned": (foot, (-0.66, -0.02)),
        "upper leg": ((motors[5] + knees[4]) / 2, (0.42, 0.09)),
    }
    figure, (side, top) = plt.subplots(2, 1, figsize=(9, 6.2), sharex=True)
    draw_robot(side, recording, -1, "side")
    draw_robot(top, recording, -1, "top")
    line = {"arrowprops": {"arrowstyle": "-"}, "va": "center"}
    for name, (point, place) in parts.items():
        side.annotate(name, point[[0, 2]], place, **line)
    side.annotate(
        "forward", (0.66, 0.28), (0.42, 0.28), arrowprops={"arrowstyle": "->"}, va="center"
    )
    for i, (x, y, _) in enumerate(motors):
        name, outward = f"{i}   {LEGS[i // 2].replace('_', ' ')} {'LR'[i % 2]}", np.sign(x)
        place = (x + 0.17 * outward, y)
        top.annotate(name, (x, y), place, ha="left" if x > 0 else "right", **line)
    side.set(title="from its right", xlabel="", ylim=(-0.06, 0.34), xlim=(-0.68, 0.68))
    top.set(title="from above: its motors 0 to 7", ylim=(-0.19, 0.19))
    return figure


def _faces(shape: Any) -> np.ndarray:
    """A shape's faces in its link's frame, (faces, corners, 3) in m."""
    from quadlib.showing.viewer import read_mesh

    if shape.kind == "mesh":
        corners = np.array(read_mesh(shape.mesh)["vertices"]).reshape(-1, 3, 3)
        return corners * shape.size
    if shape.kind != "box":
        raise ValueError(f"boxes and meshes can be drawn, not a {shape.kind}")
    square = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]]) / 2
    sides = [sign * np.roll(square, shift, axis=1) for shift in range(3) for sign in (1, -1)]
    return _turn(np.array(sides) * shape.size, np.array(shape.quaternion)) + shape.position


def _turn(points: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    """Points (..., 3) turned by a quaternion x, y, z, w."""
    xyz, w = quaternion[:3], quaternion[3]
    return points + 2 * np.cross(xyz, np.cross(xyz, points) + w * points)
