"""Gaits by hand: a function that walks one for a second and draws it, and sliders over it."""

from collections.abc import Callable
from itertools import count
from typing import Any

import gymnasium
import ipywidgets
import numpy as np
from matplotlib.figure import Figure

import quadlib
from quadlib.judging.gait import GAITS as LAGS
from quadlib.judging.gait import cost_of_transport
from quadlib.judging.recording import Recording
from quadlib.showing import plots, widgets
from quadlib.world.rewards import Step
from quadlib.world.robot import CONTROL_STEP, LEGS

SECONDS = 1.0  # what a gait is judged by while a slider moves
SLOWEST = 0.02  # m/s; below it a robot stands, whatever it does
# Phases of the legs in the order of LEGS, in periods: what is ahead by 0.25 comes 0.75 later.
GAITS = {name: tuple(-lag % 1 for lag in lags) for name, lags in LAGS.items()}


class Diary(gymnasium.Wrapper):
    """Keeps each `Step` of the present episode."""

    def reset(self, **options: Any) -> Any:
        self.steps: list[Step] = []
        return self.env.reset(**options)

    def step(self, action: np.ndarray) -> Any:
        result = self.env.step(action)
        self.steps.append(result[-1]["step"])
        return result


def play(
    env: gymnasium.Env, action_at: Callable, seconds: float, label: str = "by hand"
) -> tuple[list[Step], Recording]:
    """The first seconds of an episode, with actions that are a function of the time in s."""
    diary, ticks = Diary(env), count()
    recording = quadlib.record(
        lambda observation: action_at(next(ticks) * CONTROL_STEP),
        diary, seconds=seconds, label=label,
    )  # fmt: skip
    return diary.steps, recording


def describe(steps: list[Step], mass: float) -> str:
    """How far, how fast and at what cost."""
    end, power = steps[-1], np.mean([step.power for step in steps])
    speed = end.x / end.time
    cost = cost_of_transport(power, mass, speed)
    return (
        f"{end.x + 0.0:.2f} m in {end.time:.1f} s, {power:.0f} W, "
        + (f"cost of transport {cost:.1f}" if speed > SLOWEST else "no way forward")
        + (", then it falls" if end.fallen else "")
    )


def draw_gait(
    action_at: Callable, seconds: float = SECONDS, env: gymnasium.Env | None = None
) -> tuple[Figure, str]:
    """What a gait comes to: the robot at the end of its walk, its legs on the way, its footfalls.

    Args:
        action_at: time in s -> action (8,).
        seconds: of the walk.
        env: an environment to use again.

    Returns:
        The figure, and what it shows in words.
    """
    world = (env or quadlib.make("MinitaurIdeal")).unwrapped
    steps, recording = play(world, action_at, seconds)
    words = describe(steps, world.robot.mass)
    figure = Figure(figsize=(9, 4.1), layout="none")
    above, below = (figure.add_axes((0.12, y, 0.86, h)) for y, h in ((0.44, 0.48), (0.13, 0.2)))
    plots.draw_robot(above, recording, -1)
    for frame in np.linspace(0, len(recording.time) - 1, 5).astype(int)[:-1]:
        above.plot(*_right_legs(recording, world.robot, frame), color="0.6", lw=1.2)
    path = recording.poses[:, 0]
    above.plot(path[:, 0], path[:, 2], "--", color=plots.COLORS["blue"], lw=1.5)
    above.set_title(words, y=1.02)
    above.set(xlim=(-0.5, 1.3), ylim=(-0.03, 0.43), xlabel="x (m)", ylabel="z (m)")
    above.set(xticks=[0, 0.5, 1], yticks=[0, 0.2, 0.4])
    time = [step.time for step in steps]
    for leg in range(4):
        down = [step.contacts[leg] for step in steps]
        below.fill_between(time, 3.1 - leg, 3.9 - leg, where=down, step="pre", color="C0")
    below.set(yticks=[3.5, 2.5, 1.5, 0.5], ylim=(0, 4), xlim=(0, seconds), xlabel="time (s)")
    below.set_xticks(np.linspace(0, seconds, 6))
    below.set_yticklabels([name.replace("_", " ") for name in LEGS], fontsize=9)
    return figure, f"{words[0].upper()}{words[1:]}."


def _right_legs(recording: Recording, robot: Any, frame: int) -> np.ndarray:
    """x and z of hips, knees and feet of the two right legs, (2, points) in m, nan between legs."""
    points = []
    for leg in (2, 3):
        hips, knees = (
            recording.poses[frame, np.array(links[2 * leg : 2 * leg + 2]) + 1, :3]
            for links in (robot.motors, robot.feet)
        )
        foot = recording.feet[frame, leg]
        points += [hips[0], knees[0], foot, knees[1], hips[1], np.full(3, np.nan)]
    return np.transpose(points)[[0, 2]]


class GaitMaker(widgets.Panel):
    """Sliders over a gait, buttons for well-known ones, and one that walks it in 3D.

    Args:
        gait: (t, frequency, swing, lift, phases) -> action (8,); phases of the legs in periods,
            in the order of `quadlib.world.robot.LEGS`.
        seconds: of the walk in 3D.

    Attributes:
        explorer, button, stage: what it is made of; `stage` holds the replay.
        presets: name of a gait -> the button that sets its phases.
        recording: the last walk in 3D.
    """

    def __init__(self, gait: Callable, seconds: float = 4.0) -> None:
        self.gait, self.seconds, self.recording = gait, seconds, None
        self._env = quadlib.make("MinitaurIdeal")  # its own: a slider may move while a cell runs
        legs = [f"phase {leg.replace('_', ' ')}" for leg in LEGS]
        self.explorer = widgets.explore(
            lambda **values: draw_gait(self._action_at(values), env=self._env),
            alt="The robot after a gait of {frequency:g} Hz, swing {swing:g}, lift {lift:g}, with "
            "legs at phases {phase_0:g}, {phase_1:g}, {phase_2:g}, {phase_3:g}.",
            labels={"frequency": "frequency (Hz)"} | {f"phase_{k}": legs[k] for k in range(4)},
            start={"frequency": 2.5, "swing": 0.5, "lift": 0.3}
            | {f"phase_{k}": phase for k, phase in enumerate(GAITS["trot"])},
            frequency=np.arange(1, 4.6, 0.25),
            swing=np.arange(0, 0.91, 0.1),
            lift=np.arange(0, 0.61, 0.05),
            **{f"phase_{k}": np.arange(0, 1, 0.125) for k in range(4)},
        )
        # Buttons, no menu: in a menu JupyterLab takes the arrow keys for itself.
        self.presets = {
            name: ipywidgets.Button(description=name, layout={"width": "auto"}) for name in GAITS
        }
        self.button = ipywidgets.Button(
            description=f"Walk {seconds:g} s in 3D", icon="play", button_style="primary"
        )
        self.stage = ipywidgets.HTML(layout={"width": "100%"})
        for button in self.presets.values():
            button.on_click(self._choose)
        self.button.on_click(self.walk)
        like = ipywidgets.Label("phases of a")
        row = ipywidgets.HBox([like, *self.presets.values(), self.button], layout=widgets.ROW)
        super().__init__([row, self.explorer, self.stage])

    def walk(self, _button: Any = None) -> None:
        """Walk the gait that the sliders say, and show the replay."""
        with widgets.show_errors(self.stage):
            steps, recording = play(self._env, self._action_at(self.explorer.values), self.seconds)
            self.recording = recording
            words = describe(steps, self._env.unwrapped.robot.mass)
            self.stage.value = f"<p>{words}</p>{quadlib.replay(recording)._repr_html_()}"

    def _choose(self, button: ipywidgets.Button) -> None:
        phases = GAITS[button.description]
        self.explorer.move(**{f"phase_{k}": phase for k, phase in enumerate(phases)})

    def _action_at(self, values: dict[str, float]) -> Callable:
        others = {name: v for name, v in values.items() if not name.startswith("phase")}
        phases = np.array([values[f"phase_{k}"] for k in range(4)])
        return lambda t: self.gait(t, phases=phases, **others)
