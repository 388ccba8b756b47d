"""How wrong is a critic? Its values beside the returns that came out, in episodes new to it."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import numpy as np

from quadlib.learning.agent import Agent, world_for
from quadlib.learning.vec_env import Rollout, Workers

NEGLIGIBLE = 0.01  # weight of the critic's own opinion in a return that is to judge it
HELD_OUT = 5_000_000  # seed of the rollouts: no training has it


@dataclass(frozen=True)
class CriticCheck:
    """Predictions and outcomes, in units of the reward; arrays have shape (samples,).

    Attributes:
        values: what the critic expected.
        returns: discounted returns that came out.
    """

    values: np.ndarray
    returns: np.ndarray

    @property
    def rmse(self) -> float:
        """Root mean square of the error."""
        return float(np.sqrt(np.mean((self.returns - self.values) ** 2)))

    @property
    def bias(self) -> float:
        """Mean of value − return: positive for a critic that hopes for too much."""
        return float(np.mean(self.values - self.returns))

    @property
    def explained_variance(self) -> float:
        """1 − Var[return − value] / Var[return]. 1: perfect; 0: no better than a constant."""
        return float(1 - np.var(self.returns - self.values) / np.var(self.returns))

    def __str__(self) -> str:
        return (
            f"{len(self.values):,} states: returns {self.returns.mean():.3f} ± "
            f"{self.returns.std():.3f}, error {self.rmse:.3f} (root mean square), bias "
            f"{self.bias:+.3f}, explained variance {self.explained_variance:.2f}"
        )


def check_critic(
    agent: Agent,
    gamma: float,
    gae_lambda: float = 1.0,
    steps: int = 2048,
    n_envs: int = 8,
    env: str | Callable[[], gymnasium.Env] | None = None,
    seed: int = HELD_OUT,
    processes: int | None = None,
) -> CriticCheck:
    """Play an agent as in training (with its noise) and judge its critic.

    Args:
        gamma: discount of the returns, whatever the critic has learned.
        gae_lambda: 1 takes what really came; below 1 the critic's own values are mixed in, as in
            the targets that it is trained with.
        steps, n_envs: so many in each of so many environments. States so near to an end of the
            recording that more than 1 % of the critic would be in their return do not count: the
            steps must be many more than 1 / (1 − γλ).
        env: by default what the agent was trained in.
    """
    with Workers(world_for(agent, env), n_envs, seed, processes) as workers:
        rollout = workers.play(agent, steps, round_number=0)
    values = agent.value(rollout.observations)
    returns, weight = lambda_returns(agent, rollout, values, gamma, gae_lambda)
    counts = weight <= NEGLIGIBLE
    if not counts.any():
        raise ValueError(f"{steps} steps are too few for γ = {gamma} and λ = {gae_lambda}")
    return CriticCheck(values[counts], returns[counts])


def lambda_returns(
    agent: Agent, rollout: Rollout, values: np.ndarray, gamma: float, gae_lambda: float
) -> tuple[np.ndarray, np.ndarray]:
    """TD(λ) returns of a rollout, and how much of each is the critic's value at its cut end.

    R_t = r_t + γ ((1 − λ) V_{t+1} + λ R_{t+1}); where an episode is cut off, R_{t+1} is V_{t+1};
    where it ends, both are 0 (Sutton & Barto 2018, section 12.1). Both results have shape (T, n).
    """
    steps, count = values.shape
    cut = {(t, env): agent.value(observation) for t, env, observation in rollout.truncated}
    following = agent.value(rollout.final_observations)
    returns, weight = np.empty((steps, count)), np.empty((steps, count))
    for env in range(count):
        next_value, next_return, next_weight = following[env], following[env], 1.0
        over = rollout.final_starts[env]
        for t in reversed(range(steps)):
            if (t, env) in cut:
                next_value = next_return = cut[t, env]
                next_weight = 1.0
            elif over:
                next_value = next_return = next_weight = 0.0
            mixed = (1 - gae_lambda) * next_value + gae_lambda * next_return
            returns[t, env] = rollout.rewards[t, env] + gamma * mixed
            weight[t, env] = gamma * gae_lambda * next_weight
            next_value, next_return = values[t, env], returns[t, env]
            next_weight, over = weight[t, env], rollout.episode_starts[t, env]
    return returns, weight
