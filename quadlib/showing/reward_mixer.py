"""Mix a reward from terms with sliders, see what an episode would be paid, train with it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

import quadlib
from quadlib.showing import live, plots, widgets
from quadlib.world.rewards import Reward, Step, Terms, evaluate_reward
from quadlib.world.robot import CONTROL_STEP

Term = Callable[[Step], float]
BIN = 0.1  # s, what a figure adds up; a single step of 0.01 s shows each tremble
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "+++", "ooo")  # no meaning by colour alone


class Mix:
    """A reward: each term times its weight. Works in worker processes too."""

    __name__ = "mix"

    def __init__(self, terms: Mapping[str, Term], weights: Mapping[str, float]) -> None:
        self.terms, self.weights = dict(terms), dict(weights)

    def __call__(self, step: Step) -> Terms:
        return {name: self.weights[name] * term(step) for name, term in self.terms.items()}


def draw_terms(episode: Sequence[Step], reward: Reward) -> tuple[Figure, str]:
    """What an episode would be paid: a reward's terms, above zero what pays, below what costs.

    Args:
        episode: its steps.
        reward: any reward function; a number counts as one term.

    Returns:
        The figure, and what it shows in words.
    """
    paid = [evaluate_reward(reward, step, index)[1] for index, step in enumerate(episode)]
    names = dict.fromkeys(name for terms in paid for name in terms)  # some come at the end only
    values = {name: np.array([terms.get(name, 0.0) for terms in paid]) for name in names}
    figure = Figure(figsize=(9, 3.4), layout="none")
    axes = figure.add_axes((0.09, 0.16, 0.62, 0.72))
    width = round(BIN / CONTROL_STEP)
    starts = np.arange(0, len(episode), width)
    binned = {name: np.add.reduceat(term, starts) for name, term in values.items()}
    edges = np.append(starts, len(episode)) * CONTROL_STEP
    above = below = total = np.zeros(len(starts))
    words = []
    looks = zip(list(plots.COLORS.values())[:6] * 9, HATCHES * 9, strict=False)
    for (name, term), (color, hatch) in zip(binned.items(), looks, strict=False):
        label = f"{name} {values[name].sum():+.2f}"
        up, down = above + np.maximum(term, 0), below + np.minimum(term, 0)
        for base, top in ((above, up), (below, down)):
            if np.any(top != base):
                axes.stairs(top, edges, baseline=base, fill=True, facecolor=color, hatch=hatch,
                            edgecolor="white", linewidth=0,
                            label=None if label in words else label)  # fmt: skip
                words.append(label)
        above, below, total = up, down, total + term
    axes.stairs(total, edges, baseline=None, color="black", label=f"together {total.sum():+.2f}")
    axes.set_title("what this episode would be paid", y=1.02)
    axes.set(xlabel="time (s)", ylabel="reward in each 0.1 s", xlim=(0, edges[-1]))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    sums = ", ".join(dict.fromkeys(words)) or "nothing"
    return figure, f"Sums over the episode: {sums}; {total.sum():+.2f}."


class RewardMixer(widgets.Panel):
    """Weights as sliders, the terms of a recorded episode, a button that trains with this reward.

    The training runs in a thread of its own, so that the sliders and the stop button go on
    working; what it learned is in `run`.

    Args:
        episode: the steps of a recorded one.
        terms: name -> function of a step, the value for a weight of 1.
        choices: name -> the weights that its slider goes through.
        start: name -> the weight that comes first; by default 0, or what is nearest to it.
        replay_seconds: how long the replay is.
        limits: for `quadlib.train`: `seconds=…` or `steps=…`, and settings.

    Attributes:
        explorer: the sliders and the figure.
        train, stop: the buttons.
        curve, scene: `ipywidgets.HTML` for the learning curve and for the replay.
        run: the `quadlib.Run` of the last training, or None.
    """

    def __init__(
        self,
        episode: Sequence[Step],
        terms: Mapping[str, Term],
        choices: Mapping[str, Sequence[float]],
        start: Mapping[str, float] | None = None,
        replay_seconds: float = 4.0,
        **limits: Any,
    ) -> None:
        self.terms, self.limits, self.replay_seconds = dict(terms), limits, replay_seconds
        self.run, self._thread, self._stop = None, None, threading.Event()
        self.explorer = widgets.explore(
            lambda **weights: draw_terms(episode, Mix(self.terms, weights)),
            alt="The reward of a recorded episode by its terms, over time.",
            start=dict.fromkeys(terms, 0.0) | dict(start or {}),
            **{name: choices[name] for name in terms},
        )
        self.train = ipywidgets.Button(
            description="Train with this", icon="play", button_style="primary"
        )
        self.stop = ipywidgets.Button(description="Stop", icon="stop", disabled=True)
        self.train.on_click(self._start)
        self.stop.on_click(lambda _button: self._stop.set())
        self.curve, self.scene = (ipywidgets.HTML(layout={"width": "100%"}) for _ in range(2))
        row = ipywidgets.HBox([self.train, self.stop], layout=widgets.ROW)
        super().__init__([self.explorer, row, self.curve, self.scene])

    @property
    def reward(self) -> Mix:
        """The reward that the sliders say."""
        return Mix(self.terms, self.explorer.values)

    def wait(self, patience: float | None = None) -> bool:
        """Until the training is over, at most `patience` seconds. Is it?"""
        if self._thread:
            self._thread.join(patience)
        return not (self._thread and self._thread.is_alive())

    def _start(self, _button: Any) -> None:
        if not self.wait(0):
            return
        self._stop.clear()
        self.train.disabled, self.stop.disabled = True, False
        self._thread = threading.Thread(target=self._work, args=(self.reward,), daemon=True)
        self._thread.start()

    def _work(self, reward: Mix) -> None:
        try:
            with widgets.show_errors(self.curve):
                self.scene.value = ""
                self.run = self._learn(reward)
            with widgets.show_errors(self.scene):
                self.scene.value = self._replay(self.run.agent)._repr_html_()
        finally:
            self.train.disabled, self.stop.disabled = False, True

    def _learn(self, reward: Mix) -> "quadlib.Run":
        def show(page: dict[str, str]) -> None:
            self.curve.value = page["text/html"]

        hint = "Stop ends the training after this update and keeps what was learned."
        limits = {name: self.limits.get(name) for name in ("steps", "seconds")}
        curve = live.LiveCurve(**limits, show=show, hint=hint)

        def look(run: "quadlib.Run") -> None:
            curve.update(run)
            if self._stop.is_set():
                raise KeyboardInterrupt  # what `train` takes for the stop button

        run = quadlib.train(**self.limits, reward=reward, progress=False, on_update=look)
        curve.close(run)
        return run

    def _replay(self, agent: "quadlib.Agent") -> Any:
        """Its gait with the mean action, and as it acts in training."""
        rng = np.random.default_rng(0)

        def noisy(observation: np.ndarray) -> np.ndarray:
            return agent.act(observation, deterministic=False, rng=rng)

        both = {"your reward": agent.act, "with its noise": noisy}
        return quadlib.replay(both, seconds=self.replay_seconds)
