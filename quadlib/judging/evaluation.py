"""How good is an agent? Episodes, and numbers that say how sure we are."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import gymnasium
import numpy as np

from quadlib.judging.comparison import stratified_interval
from quadlib.judging.gait import cost_of_transport
from quadlib.learning.agent import Agent, world_for
from quadlib.learning.pool import shared


@dataclass(frozen=True)
class Evaluation:
    """What an agent did in n episodes; arrays have shape (n,).

    Attributes:
        returns: sum of rewards.
        lengths: steps.
        fell: ended before the time was up.
        distances: m, of the body along x.
        speeds: m/s, distance over time.
        powers: W, mean of Σ |torque · speed| over the motors.
        costs_of_transport: power / (weight · speed), without unit; inf where it did not advance.
    """

    returns: np.ndarray
    lengths: np.ndarray
    fell: np.ndarray
    distances: np.ndarray
    speeds: np.ndarray
    powers: np.ndarray
    costs_of_transport: np.ndarray

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the return over episodes."""
        return float(self.returns.std(ddof=1)) if len(self.returns) > 1 else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean return."""
        return stratified_interval(self.returns, partial(np.mean, axis=-1))

    def as_columns(self, digits: int = 6) -> dict[str, list]:
        """The arrays as lists for JSON: rounded to significant digits, None for infinity."""
        return {
            each.name: [_rounded(value, digits) for value in getattr(self, each.name).tolist()]
            for each in fields(self)
        }

    @classmethod
    def from_columns(cls, columns: Mapping[str, list]) -> "Evaluation":
        """What `as_columns` gave."""
        return cls(
            **{
                name: np.array([np.inf if value is None else value for value in values])
                for name, values in columns.items()
            }
        )

    def __str__(self) -> str:
        low, high = self.interval
        cost = np.median(self.costs_of_transport)
        return (
            f"return {self.mean:.2f} ± {self.std:.2f} over {len(self.returns)} episodes "
            f"(mean within {low:.2f} … {high:.2f}, 95 %), {self.fell.sum():.0f} falls; "
            f"{self.distances.mean():.1f} m at {self.speeds.mean():.2f} m/s, "
            f"{self.powers.mean():.0f} W, cost of transport {cost:.2f}"
        )


def evaluate(
    agent: Agent,
    episodes: int = 20,
    env: str | Callable[[], gymnasium.Env] | None = None,
    seed: int = 1_000_000,
    deterministic: bool = True,
    processes: int | None = None,
    **options: Any,
) -> Evaluation:
    """Play episodes on all cores.

    Args:
        agent: anything with `act(observation, deterministic, rng)`.
        env: an id, or a function that makes an environment; by default what it was trained in.
        seed: episode k starts with seed + k, whatever the number of cores.
        deterministic: act with the policy's mean.
        processes: workers; by default one per core. 0: all in this process.
        **options: for `quadlib.make`, such as `physics="reference"`.
    """
    if episodes < 1:
        raise ValueError(f"episodes is 1 or more, not {episodes}")
    kind, seeds = shared(range(seed, seed + episodes), processes)
    make_env = world_for(agent, env, **options)
    with closing(kind(_Judge, [(make_env, agent, deterministic)] * len(seeds))) as pool:
        parts = pool.ask("play", [(part,) for part in seeds])
    rows = [row for part in parts for row in part]
    return Evaluation(*(np.array(column) for column in zip(*rows, strict=True)))


def _rounded(value: float | int | bool, digits: int) -> float | int | bool | None:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


class _Judge:
    """Plays episodes in a worker process."""

    def __init__(
        self, make_env: Callable[[], gymnasium.Env], agent: Agent, deterministic: bool
    ) -> None:
        self.env, self.agent, self.deterministic = make_env(), agent, deterministic

    def play(self, seeds: list[int]) -> list[tuple[float, ...]]:
        return [self._episode(seed) for seed in seeds]

    def close(self) -> None:
        self.env.close()

    def _episode(self, seed: int) -> tuple[float, ...]:
        rng = np.random.default_rng(seed)
        observation, _ = self.env.reset(seed=seed)
        total, length, power, ended, cut = 0.0, 0, 0.0, False, False
        while not (ended or cut):
            action = self.agent.act(observation, self.deterministic, rng)
            observation, reward, ended, cut, info = self.env.step(action)
            total, length = total + reward, length + 1
            power += info["step"].power
        step = info["step"]
        speed, power = step.x / step.time, power / length
        cost = cost_of_transport(power, self.env.unwrapped.robot.mass, speed)
        return total, length, ended, step.x, speed, power, cost
