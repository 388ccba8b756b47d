"""A critic beside what really came: returns worked out by hand, and a toy whose value is known."""

import gymnasium
import numpy as np
import pytest
from toys import Walk, random_agent

from quadlib.learning.critic import CriticCheck, check_critic, lambda_returns
from quadlib.learning.vec_env import Rollout


class Opinions:
    """A critic for which an observation of one number is worth that number."""

    @staticmethod
    def value(observations):
        return np.asarray(observations, float)[..., 0]


def rollout(rewards, values, starts, final=0.0, final_start=False, truncated=()):
    """One environment; an observation is its own value."""
    return Rollout(
        observations=np.array(values, float)[:, None, None],
        actions=np.zeros((len(values), 1, 1)),
        rewards=np.array(rewards, float)[:, None],
        episode_starts=np.array(starts, bool)[:, None],
        final_observations=np.array([[final]]),
        final_starts=np.array([final_start]),
        truncated=[(t, 0, np.array([value])) for t, value in truncated],
        episodes=[],
    )


def returns_of(played, gamma, gae_lambda):
    values = Opinions.value(played.observations)
    returns, weight = lambda_returns(Opinions, played, values, gamma, gae_lambda)
    return returns[:, 0].tolist(), weight[:, 0].tolist()


def test_an_episode_that_ends_by_hand():
    """Rewards 1, 2, 4 with γ = ½: 1 + 1 + 1, 2 + 2, 4. The critic has no say."""
    played = rollout([1, 2, 4], [9, 9, 9], [1, 0, 0], final=9, final_start=True)
    assert returns_of(played, 0.5, 1.0) == ([3.0, 4.0, 4.0], [0.0, 0.0, 0.0])


def test_where_the_recording_stops_the_critic_is_asked():
    """The last state is worth 8: 4 + 4, 2 + 4, 1 + 3, with weights ½, ¼, ⅛ of the critic."""
    played = rollout([1, 2, 4], [9, 9, 9], [1, 0, 0], final=8)
    assert returns_of(played, 0.5, 1.0) == ([4.0, 6.0, 8.0], [0.125, 0.25, 0.5])


def test_a_cut_episode_goes_on_in_the_critics_mind_and_the_next_one_ends():
    """First two steps: cut off at a state worth 6. Last one: ends, worth its reward."""
    played = rollout(
        [1, 2, 4], [9, 9, 9], [1, 0, 1], final=7, final_start=True, truncated=[(1, 6.0)]
    )
    assert returns_of(played, 0.5, 1.0) == ([3.5, 5.0, 4.0], [0.25, 0.5, 0.0])


def test_a_fall_in_the_middle_forgets_what_comes_after():
    played = rollout([1, 2, 4], [9, 9, 9], [1, 0, 1], final=8)
    assert returns_of(played, 0.5, 1.0) == ([2.0, 2.0, 8.0], [0.0, 0.0, 0.5])


def test_lambda_mixes_in_the_critic_by_hand():
    """λ = ½, γ = 1, values 10, 20, 30, end: R₂ = 4, R₁ = 2 + ½·30 + ½·4, R₀ = 1 + ½·20 + ½·19."""
    played = rollout([1, 2, 4], [10, 20, 30], [1, 0, 0], final_start=True)
    assert returns_of(played, 1.0, 0.5)[0] == [20.5, 19.0, 4.0]


def test_the_numbers_of_a_check_by_hand():
    check = CriticCheck(values=np.array([1.0, 2.0, 4.0]), returns=np.array([0.0, 2.0, 4.0]))
    assert check.rmse == pytest.approx(np.sqrt(1 / 3))
    assert check.bias == pytest.approx(1 / 3)
    assert check.explained_variance == pytest.approx(1 - (2 / 9) / (8 / 3))
    assert str(check).startswith("3 states: returns 2.000 ± 1.633, error 0.577")


class Clock(gymnasium.Env):
    """Pays 1 a step for 100 steps: its value is (1 − γ^(100 − t)) / (1 − γ), whoever acts."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float64)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return np.zeros(3), {}

    def step(self, action):
        self.t += 1
        return np.full(3, self.t / 100), 1.0, self.t == 100, False, {}


def test_returns_of_a_world_that_is_known():
    """Two whole episodes in each of two environments; of the third one the first 7 states."""
    check = check_critic(random_agent(), 0.9, steps=250, n_envs=2, env=Clock, processes=0)
    kept = 200 + 50 - 43  # 0.9^43 is above 1 %, 0.9^44 below
    assert check.returns.shape == check.values.shape == (2 * kept,)
    worth = (1 - 0.9 ** (100 - np.tile(np.arange(100), 2))) / 0.1
    np.testing.assert_allclose(check.returns[:400], np.repeat(worth, 2))


def test_the_critic_that_is_checked_is_the_agents():
    agent = random_agent()
    check = check_critic(agent, 0.5, steps=30, n_envs=1, env=Walk, processes=0)
    again = check_critic(agent, 0.5, steps=30, n_envs=1, env=Walk, processes=0)
    np.testing.assert_array_equal(check.values, again.values)
    other = check_critic(random_agent(seed=1), 0.5, steps=30, n_envs=1, env=Walk, processes=0)
    assert check.values[0] != other.values[0]


def test_too_few_steps_are_refused():
    with pytest.raises(ValueError, match="100 steps are too few for γ = 0.99"):
        check_critic(random_agent(), 0.99, steps=100, n_envs=1, env=walk_without_end, processes=0)


def walk_without_end():
    return Walk(length=10**6, limit=np.inf)
