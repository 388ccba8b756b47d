"""Many environments on all cores: workers that play whole rollouts by themselves.

A worker process steps a few environments with a NumPy copy of the policy and sends back a whole
rollout: one message each way where a step-by-step vector environment needs two per step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from quadlib.learning.agent import Agent
from quadlib.learning.pool import shared

MakeEnv = Callable[[], gymnasium.Env]


@dataclass
class Rollout:
    """What `n` environments did in `T` steps; time first, then environment.

    `episode_starts[t]`: is `observations[t]` the first of an episode. `final_observations` are
    those after the last step. `truncated` lists (t, env, observation) where an episode was cut
    off: its return goes on there and needs a value. `episodes` are dicts with return, length,
    env, t and the summed reward terms.
    """

    observations: np.ndarray  # (T, n, observations)
    actions: np.ndarray  # (T, n, actions), samples of the Gaussian before clipping
    rewards: np.ndarray  # (T, n)
    episode_starts: np.ndarray  # (T, n) bool
    final_observations: np.ndarray  # (n, observations)
    final_starts: np.ndarray  # (n,) bool
    truncated: list[tuple[int, int, np.ndarray]]
    episodes: list[dict[str, Any]]


class Player:
    """Steps some environments with one policy. Runs in a worker, or right here.

    Args:
        make_env: makes one environment.
        numbers: which of all environments these are. An environment's randomness depends on the
            seed and its own number alone, not on how many workers there are.
        seed: of the whole run.
    """

    def __init__(self, make_env: MakeEnv, numbers: list[int], seed: int) -> None:
        self.numbers, self.seed = numbers, seed
        self.envs = [make_env() for _ in numbers]
        _check_actions(self.envs[0].action_space)
        self._observations = None

    def spaces(self) -> tuple[gymnasium.Space, gymnasium.Space]:
        """(observation space, action space)."""
        return self.envs[0].observation_space, self.envs[0].action_space

    def _restart(self, round_number: int) -> None:
        self._observations = np.array(
            [
                env.reset(seed=int(self._rng(round_number, k).integers(2**31)))[0]
                for env, k in zip(self.envs, self.numbers, strict=True)
            ]
        )
        self._starts = np.ones(len(self.envs), bool)
        self._returns, self._lengths = np.zeros(len(self.envs)), np.zeros(len(self.envs), int)

    def play(self, agent: Agent, steps: int, round_number: int) -> Rollout:
        """Play `steps` steps in each environment, going on where the last round stopped.

        Raises ValueError where an environment returns nan or infinity.
        """
        if self._observations is None:
            self._restart(round_number)
        count, size = len(self.envs), len(agent.arrays["log_std"])
        noise = np.stack(
            [
                self._rng(round_number, k, 1).standard_normal((steps, size), np.float32)
                for k in self.numbers
            ],
            axis=1,
        )
        noise *= np.exp(agent.arrays["log_std"])
        observations = np.empty((steps, *self._observations.shape))
        actions, rewards = np.empty_like(noise), np.empty((steps, count))
        starts = np.empty((steps, count), bool)
        truncated, episodes = [], []
        for t in range(steps):
            observations[t], starts[t] = self._observations, self._starts
            actions[t] = agent.mean_action(self._observations) + noise[t]
            clipped = actions[t].clip(-1.0, 1.0)
            for i, env in enumerate(self.envs):
                observation, reward, ended, cut, info = env.step(clipped[i])
                if not (np.isfinite(observation).all() and np.isfinite(reward)):
                    raise ValueError(
                        f"environment {self.numbers[i]} returned something that is no finite "
                        f"number: reward {reward}, observation {observation}"
                    )
                rewards[t, i] = reward
                self._returns[i] += reward
                self._lengths[i] += 1
                self._starts[i] = ended or cut
                if self._starts[i]:
                    number = self.numbers[i]
                    if not ended:
                        truncated.append((t, number, np.array(observation)))
                    episodes.append(self._finish(i, t, info))
                    observation, _ = env.reset()
                self._observations[i] = observation
        return Rollout(
            observations, actions, rewards, starts,
            self._observations.copy(), self._starts.copy(), truncated, episodes,
        )  # fmt: skip

    def close(self) -> None:
        """Close the environments."""
        for env in self.envs:
            env.close()

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *key])

    def _finish(self, i: int, t: int, info: dict) -> dict[str, Any]:
        episode = {
            "return": self._returns[i], "length": int(self._lengths[i]),
            "env": self.numbers[i], "t": t, "terms": info.get("episode_terms", {}),
        }  # fmt: skip
        self._returns[i], self._lengths[i] = 0.0, 0
        return episode


class Workers:
    """A `Player` in each of several processes, for `n_envs` environments together.

    Use it as a context manager, or call `close`.

    Args:
        processes: by default one per core; 0 steps all environments in this very process, which
            suits many trainings side by side.
    """

    def __init__(
        self, make_env: MakeEnv, n_envs: int, seed: int = 0, processes: int | None = None
    ) -> None:
        kind, parts = shared(range(n_envs), processes)
        self._pool = kind(Player, [(make_env, part, seed) for part in parts])
        self._all = [()] * len(parts)
        self.observation_space, self.action_space = self._pool.ask("spaces", self._all)[0]

    def play(self, agent: Agent, steps: int, round_number: int) -> Rollout:
        """One rollout of all environments, in their order. A reward's error comes as itself."""
        parts = self._pool.ask("play", [(agent, steps, round_number) for _ in self._all])
        joined = [
            np.concatenate([getattr(part, name) for part in parts], axis=axis)
            for name, axis in (
                ("observations", 1), ("actions", 1), ("rewards", 1), ("episode_starts", 1),
                ("final_observations", 0), ("final_starts", 0),
            )
        ]  # fmt: skip
        truncated = [entry for part in parts for entry in part.truncated]
        episodes = sorted(
            (episode for part in parts for episode in part.episodes),
            key=lambda episode: (episode["t"], episode["env"]),
        )
        return Rollout(*joined, truncated, episodes)

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_actions(space: gymnasium.Space) -> None:
    box = isinstance(space, gymnasium.spaces.Box) and len(space.shape) == 1
    if not (box and (space.low == -1.0).all() and (space.high == 1.0).all()):
        raise ValueError(
            f"an action has to be a row of numbers from -1 to 1, here it is {space}. Where it only "
            "has other limits, give env= a function that returns "
            "gymnasium.wrappers.RescaleAction(environment, -1.0, 1.0)"
        )
