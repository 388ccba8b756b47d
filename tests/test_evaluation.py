"""Episodes and what is made of them, with a scripted robot whose numbers are known."""

import json
from functools import partial
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from toys import Diary, alive, random_agent

from quadlib.judging.comparison import stratified_interval
from quadlib.judging.evaluation import Evaluation, evaluate
from quadlib.learning.agent import Agent


class Scripted(gymnasium.Env):
    """Episode with seed s: s + 1 steps of 0.5 s; falls at the end where s is even.

    The robot of 2 kg goes 0.3 m per step with 12 W, backwards where s is 3. A step pays the action.
    """

    observation_space = gymnasium.spaces.Box(-10, 10, (3,), np.float64)
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    robot = SimpleNamespace(mass=2.0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.number, self.t = seed, 0
        return np.full(3, float(seed)), {}

    def step(self, action):
        self.t += 1
        over, even = self.t > self.number, self.number % 2 == 0
        direction = -1 if self.number == 3 else 1
        happened = SimpleNamespace(x=direction * 0.3 * self.t, time=0.5 * self.t, power=12.0)
        reward = float(action[0])
        return np.zeros(3), reward, over and even, over and not even, {"step": happened}


class Steady:
    """Acts with a tenth of the first observation's size, then with 0.5."""

    def act(self, observation, deterministic=True, rng=None):
        return np.full(2, observation[0] / 10 or 0.5)


@pytest.fixture(scope="module")
def judged():
    return evaluate(Steady(), episodes=4, env=Scripted, seed=0, processes=2)


def test_returns_lengths_and_falls_by_hand(judged):
    """Episode 0: 0.5. Episode 1: 0.1 + 0.5. Episode 2: 0.2 + 2 · 0.5. Episode 3: 0.3 + 3 · 0.5."""
    np.testing.assert_allclose(judged.returns, [0.5, 0.6, 1.2, 1.8])
    np.testing.assert_array_equal(judged.lengths, [1, 2, 3, 4])
    np.testing.assert_array_equal(judged.fell, [True, False, True, False])
    assert judged.lengths.dtype.kind == "i" and judged.fell.dtype == bool


def test_distance_speed_and_power_by_hand(judged):
    np.testing.assert_allclose(judged.distances, [0.3, 0.6, 0.9, -1.2])
    np.testing.assert_allclose(judged.speeds, [0.6, 0.6, 0.6, -0.6])
    np.testing.assert_allclose(judged.powers, 12.0)


def test_cost_of_transport_by_hand(judged):
    """12 W / (2 kg · 10 m/s² · 0.6 m/s); without end for a robot that does not get on."""
    np.testing.assert_allclose(judged.costs_of_transport, [1.0, 1.0, 1.0, np.inf])


def test_mean_deviation_and_interval(judged):
    assert judged.mean == pytest.approx(1.025)
    assert judged.std == pytest.approx(np.std([0.5, 0.6, 1.2, 1.8], ddof=1))
    low, high = judged.interval
    assert 0.5 <= low < judged.mean < high <= 1.8


def test_it_reads_as_a_sentence(judged):
    text = str(judged)
    assert text.startswith("return 1.02 ± 0.60 over 4 episodes")
    assert "2 falls" in text and "0.30 m/s" in text and "12 W" in text
    assert "cost of transport 1.00" in text


def test_one_episode_has_no_deviation():
    one = evaluate(Steady(), episodes=1, env=Scripted, seed=3)
    assert one.std == 0.0 and one.interval == (one.mean, one.mean) == (1.8, 1.8)


@pytest.mark.parametrize("processes", [1, 3])
def test_the_number_of_processes_changes_nothing(judged, processes):
    again = evaluate(Steady(), episodes=4, env=Scripted, seed=0, processes=processes)
    for name in Evaluation.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(judged, name))


def test_sampled_actions_depend_on_the_episodes_seed_alone():
    agent = random_agent()
    play = partial(evaluate, agent, 4, Scripted, deterministic=False)
    one, other = play(seed=0, processes=1), play(seed=0, processes=2)
    np.testing.assert_array_equal(one.returns, other.returns)
    np.testing.assert_array_equal(one.returns[1:], play(seed=1).returns[:3])
    assert (one.returns != evaluate(agent, 4, Scripted, seed=0).returns).all()


def test_no_process_is_left(tmp_path):
    diary = Diary(tmp_path, Scripted)
    evaluate(Steady(), 2, diary, seed=0, processes=2)
    assert len(diary.pids()) == 2 and not any(map(alive, diary.pids()))


def test_without_processes_it_happens_here(tmp_path):
    diary = Diary(tmp_path, Scripted)
    here = evaluate(Steady(), 4, diary, seed=0, processes=0)
    assert list(tmp_path.iterdir()) and not diary.pids()
    np.testing.assert_array_equal(here.returns, evaluate(Steady(), 4, Scripted, seed=0).returns)


def test_an_evaluation_needs_an_episode():
    with pytest.raises(ValueError, match="episodes is 1 or more, not 0"):
        evaluate(Steady(), 0, Scripted)


def test_an_environment_itself_is_not_taken():
    with pytest.raises(TypeError, match="give lambda"):
        evaluate(Steady(), 1, Scripted())


def test_processes_are_counted_from_zero():
    with pytest.raises(ValueError, match="processes is a number from 0 on"):
        evaluate(Steady(), 1, Scripted, processes=-1)


def test_options_need_an_environment_that_takes_them():
    with pytest.raises(ValueError, match="physics"):
        evaluate(Steady(), 1, Scripted, physics="reference")


def test_the_robot_is_judged_where_it_was_trained_unless_told_otherwise():
    """The slides' environment draws another robot each time, the ideal one never does."""
    agent = random_agent(28, 8, env="Minitaur")
    home = evaluate(agent, 3, max_steps=8, processes=1)
    assert len(np.unique(home.returns)) == 3
    away = evaluate(agent, 3, "MinitaurIdeal", max_steps=8, processes=1)
    assert len(np.unique(away.returns)) == 1
    assert set(away.lengths) == {8}
    reference = evaluate(agent, 1, "MinitaurIdeal", max_steps=8, physics="reference")
    assert reference.returns[0] != away.returns[0]


def test_the_robots_numbers_fit_each_other():
    """6 kg, and speed is distance over 1 s."""
    judged = evaluate(Agent.shipped("first_gait"), 1, "MinitaurIdeal", max_steps=100)
    assert judged.speeds == pytest.approx(judged.distances / 1.0) and judged.speeds > 0
    expected = judged.powers / (6.0 * 10.0 * judged.speeds)
    assert judged.costs_of_transport == pytest.approx(expected)


def test_columns_for_json_and_back(judged):
    columns = json.loads(json.dumps(judged.as_columns(2), allow_nan=False))
    assert columns["returns"] == [0.5, 0.6, 1.2, 1.8] and columns["lengths"] == [1, 2, 3, 4]
    assert columns["costs_of_transport"] == [1.0, 1.0, 1.0, None]
    again = Evaluation.from_columns(columns)
    for name in Evaluation.__dataclass_fields__:
        np.testing.assert_allclose(getattr(again, name), getattr(judged, name), rtol=1e-6)
    assert again.fell.dtype == bool


# ---- confidence ----------------------------------------------------------------------------------


def mean_interval(returns, level=0.95):
    """As an evaluation has it."""
    return stratified_interval(returns, partial(np.mean, axis=-1), level)


def test_the_interval_is_that_of_the_mean(judged):
    assert judged.interval == mean_interval(judged.returns)


def test_the_interval_of_many_is_that_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    low, high = mean_interval(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.05 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.05 * half)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """100 samples of 30: about 90 % of their intervals hold the mean they were drawn around."""
    rng = np.random.default_rng(0)
    intervals = [mean_interval(rng.normal(1.0, 3.0, 30), 0.9) for _ in range(100)]
    assert 0.8 <= np.mean([low <= 1.0 <= high for low, high in intervals]) <= 0.97
