"""Small stand-ins for the robot and its agents, and a look at other processes."""

import os
import time
from pathlib import Path

import gymnasium
import numpy as np

from quadlib.learning.agent import Agent


class Walk(gymnasium.Env):
    """A point on a line that is pushed by the sum of two actions, with a random wind.

    Observation: position, velocity, share of the time. Reward: the position's change. Ends beyond
    ±`limit`, cut off after `length` steps. Without wind and `spread` of its starts nothing in it
    is random.
    """

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self, length=20, limit=0.5, wind=0.05, spread=0.1) -> None:
        self.length, self.limit, self.wind, self.spread = length, limit, wind, spread

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.v, self.t = self.spread * self.np_random.standard_normal(), 0.0, 0
        self.total = 0.0
        return self._observe(), {}

    def step(self, action):
        assert np.abs(action).max() <= 1.0
        self.v = 0.9 * self.v + 0.05 * float(np.sum(action))
        self.v += self.wind * self.np_random.standard_normal()
        self.x += self.v
        self.t += 1
        self.total += self.v
        ended, cut = abs(self.x) > self.limit, self.t >= self.length
        info = {"episode_terms": {"x": self.total}} if ended or cut else {}
        return self._observe(), self.v, ended, cut, info

    def _observe(self):
        return np.array([self.x, self.v, self.t / self.length])


def calm_walk() -> Walk:
    """Each episode lasts as long as a rollout of 32 steps; only the actions are random."""
    return Walk(length=32, limit=np.inf, wind=0.0, spread=0.0)


class SlowWalk(Walk):
    """Takes 20 ms for a step."""

    def step(self, action):
        time.sleep(0.02)
        return super().step(action)


class OverpaidWalk(Walk):
    """Its rewards are finite, but no 32-bit number can hold them."""

    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, 1e39, *rest


def random_agent(observations=3, actions=2, hidden=(5, 4), seed=0, **about) -> Agent:
    """Weights from a generator, with statistics that are not 0 and 1."""
    rng = np.random.default_rng(seed)
    arrays = {
        "log_std": np.full(actions, -1.0, np.float32),
        "observation_mean": rng.normal(0, 0.1, observations),
        "observation_var": rng.uniform(0.5, 2.0, observations),
        "return_scale": np.array(1.5),
    }
    for network, outputs in (("actor", actions), ("critic", 1)):
        sizes = [observations, *hidden, outputs]
        for k, (inputs, width) in enumerate(zip(sizes, sizes[1:], strict=False)):
            weight = rng.normal(0, 1.2 / np.sqrt(inputs), (width, inputs))
            arrays[f"{network}.{k}.weight"] = weight.astype(np.float32)
            arrays[f"{network}.{k}.bias"] = rng.normal(0, 0.1, width).astype(np.float32)
    return Agent(arrays, about)


def alive(pid: int) -> bool:
    """Is this process still there? One that only waits to be buried is not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return not status.parent.parent.exists()  # no /proc on this system: it answered above


def ended(pids, patience: float = 20.0) -> bool:
    """Did all these processes end, at the latest after some seconds?"""
    deadline = time.monotonic() + patience
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Diary:
    """Makes an environment, and writes down in a folder which process did."""

    def __init__(self, folder: Path, make_env=Walk) -> None:
        self.folder, self.make_env = Path(folder), make_env

    def __call__(self):
        (self.folder / str(os.getpid())).touch()
        return self.make_env()

    def pids(self) -> set[int]:
        """The processes, without this one."""
        return {int(entry.name) for entry in self.folder.iterdir()} - {os.getpid()}


def picture_of(explorer) -> str:
    """The pixels that a slider's widget shows, encoded; fails when it shows an error instead."""
    assert "data:image/png" in explorer.image.value, explorer.image.value[:300]
    return explorer.image.value.split("base64,")[1]


def check_extremes(explorer) -> None:
    """Move every slider of a widget to both ends and back; each picture differs from the last."""
    for slider in explorer.sliders.values():
        first = slider.index
        for index in (0, len(slider.options) - 1, first):
            moved, before = index != slider.index, picture_of(explorer)
            slider.index = index
            assert moved == (picture_of(explorer) != before), (slider.description, slider.label)


def curve(steps, returns):
    """A training curve: steps and mean returns, one per update."""
    return {"steps": np.array(steps), "return": np.array(returns, float)}
