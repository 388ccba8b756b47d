"""Workers play what one process would have played, and none of them outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import gymnasium
import numpy as np
import pytest
from toys import Diary, Walk, alive, ended, random_agent

import quadlib
from quadlib.learning.vec_env import Player, Rollout, Workers
from quadlib.world.rewards import RewardError

HERE = os.path.dirname(__file__)


def play(make_env, agent, steps, n_envs, processes, rounds=1, seed=0):
    with Workers(make_env, n_envs, seed, processes) as workers:
        return [workers.play(agent, steps, number) for number in range(rounds)]


def assert_equal(one: Rollout, other: Rollout):
    for name in ("observations", "actions", "rewards", "episode_starts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.final_observations, other.final_observations)
    np.testing.assert_array_equal(one.final_starts, other.final_starts)
    ones, others = (sorted(r.truncated, key=lambda entry: entry[:2]) for r in (one, other))
    assert [entry[:2] for entry in ones] == [entry[:2] for entry in others]
    for (*_, ours), (*_, theirs) in zip(ones, others, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert one.episodes == other.episodes


# ---- what is played ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def walks():
    """Three rounds of 15 steps in five environments with episodes of at most 20 steps."""
    return play(Walk, random_agent(), 15, n_envs=5, processes=2, rounds=3)


def test_shapes(walks):
    first = walks[0]
    assert first.observations.shape == (15, 5, 3)
    assert first.actions.shape == (15, 5, 2)
    assert first.rewards.shape == first.episode_starts.shape == (15, 5)
    assert first.final_observations.shape == (5, 3) and first.final_starts.shape == (5,)


@pytest.mark.parametrize("processes", [0, 1, 3, 9])
def test_the_number_of_processes_changes_nothing(walks, processes):
    again = play(Walk, random_agent(), 15, n_envs=5, processes=processes, rounds=3)
    for ours, theirs in zip(again, walks, strict=True):
        assert_equal(ours, theirs)


def test_a_player_in_this_process_plays_the_same(walks):
    player = Player(Walk, [0, 1, 2, 3, 4], seed=0)
    for number, theirs in enumerate(walks):
        assert_equal(player.play(random_agent(), 15, number), theirs)


def test_the_robot_in_a_worker_does_what_it_does_here():
    """Stepped by hand with the rollout's actions; the ideal robot needs no seed."""
    make_env = partial(quadlib.make, "MinitaurIdeal", max_steps=12)
    rollouts = play(make_env, random_agent(28, 8), 20, n_envs=2, processes=2, rounds=2)
    for i in range(2):
        env, cut_off = make_env(), []
        observation, start = env.reset(seed=99)[0], True
        for number, rollout in enumerate(rollouts):
            for t in range(20):
                np.testing.assert_array_equal(rollout.observations[t, i], observation)
                assert rollout.episode_starts[t, i] == start
                action = np.clip(rollout.actions[t, i], -1, 1)
                observation, reward, ended, cut, _ = env.step(action)
                assert rollout.rewards[t, i] == reward
                start = ended or cut
                if cut and not ended:
                    cut_off.append((number, t, observation))
                if start:
                    observation, _ = env.reset()
            np.testing.assert_array_equal(rollout.final_observations[i], observation)
            assert rollout.final_starts[i] == start
        reported = [
            (number, t, final)
            for number, rollout in enumerate(rollouts)
            for t, k, final in rollout.truncated
            if k == i
        ]
        assert [entry[:2] for entry in reported] == [entry[:2] for entry in cut_off]
        assert len(reported) >= 2
        for (*_, ours), (*_, theirs) in zip(reported, cut_off, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_actions_are_samples_of_the_policy(walks):
    """The mean plus noise of deviation e⁻¹, new for each step, environment and round."""
    agent = random_agent()
    noise = [r.actions - agent.mean_action(r.observations) for r in walks]
    every = np.concatenate([n.ravel() for n in noise]) / np.exp(-1.0)
    assert abs(every.mean()) < 0.15 and every.std() == pytest.approx(1.0, rel=0.1)
    assert len(np.unique(every.round(5))) > 0.99 * len(every)
    assert np.abs(walks[0].actions).max() > 1.0, "kept before clipping"


def test_another_seed_is_another_rollout(walks):
    (other,) = play(Walk, random_agent(), 15, n_envs=5, processes=1, seed=1)
    assert (other.actions != walks[0].actions).all()
    assert (other.observations[0] != walks[0].observations[0])[:, 0].all()


def test_environments_are_not_copies_of_each_other(walks):
    assert len(np.unique(walks[0].observations[0, :, 0])) == 5


def test_a_round_goes_on_where_the_last_one_stopped(walks):
    for before, after in zip(walks, walks[1:], strict=False):
        np.testing.assert_array_equal(after.observations[0], before.final_observations)
        np.testing.assert_array_equal(after.episode_starts[0], before.final_starts)
    assert walks[0].episode_starts[0].all() and not walks[1].episode_starts[0].all()


def test_only_episodes_that_are_cut_off_are_listed_with_their_last_observation(walks):
    starts = np.concatenate([np.r_[r.episode_starts[1:], r.final_starts[None]] for r in walks])
    cut = {(15 * n + t, k): final for n, r in enumerate(walks) for t, k, final in r.truncated}
    assert 0 < len(cut) < starts.sum(), "both endings must occur"
    for t, k in np.argwhere(starts):
        assert ((t, k) in cut) == any(
            episode["length"] == 20 and (15 * n + episode["t"], episode["env"]) == (t, k)
            for n, rollout in enumerate(walks)
            for episode in rollout.episodes
        )
    for final in cut.values():
        assert final[2] == 1.0 and abs(final[0]) <= 0.5


def test_episodes_are_counted_over_the_rounds(walks):
    """Return and length of each episode, from the rewards between two starts."""
    rewards = np.concatenate([r.rewards for r in walks])
    starts = np.concatenate([r.episode_starts for r in walks] + [walks[-1].final_starts[None]])
    episodes = [
        {**episode, "t": 15 * n + episode["t"]}
        for n, rollout in enumerate(walks)
        for episode in rollout.episodes
    ]
    for k in range(5):
        borders = np.flatnonzero(starts[:, k])
        expected = [(b - a, rewards[a:b, k].sum()) for a, b in zip(borders, borders[1:])]  # noqa: B905
        found = [(e["length"], e["return"]) for e in episodes if e["env"] == k]
        assert [length for length, _ in found] == [length for length, _ in expected]
        assert [r for _, r in found] == pytest.approx([r for _, r in expected])
    assert all(e["terms"]["x"] == pytest.approx(e["return"]) for e in episodes)
    assert [e["t"] for e in episodes] == sorted(e["t"] for e in episodes)


def test_workers_tell_the_spaces():
    with Workers(Walk, 2, processes=1) as workers:
        assert workers.observation_space == Walk.observation_space
        assert workers.action_space == Walk.action_space


# ---- a student's reward --------------------------------------------------------------------------


def robot_with(reward):
    return partial(quadlib.make, "MinitaurIdeal", reward=reward)


def test_a_lambda_and_a_closure_reach_the_workers():
    weight = 3.0

    def closure(step):
        return {"time": weight * step.time}

    for reward in (lambda step: 3.0 * step.time, closure):
        (rollout,) = play(robot_with(reward), random_agent(28, 8), 2, n_envs=2, processes=2)
        np.testing.assert_allclose(rollout.rewards, [[0.03, 0.03], [0.06, 0.06]])


def test_a_function_of_a_notebook_cell_reaches_the_workers():
    """Defined in a __main__ that is no file and has no guard, with a global of its own."""
    code = f"""
import sys; sys.path.insert(0, {HERE!r})
import quadlib
from quadlib.learning.vec_env import Workers
from toys import random_agent
bonus = 7.0
def help_(step): return bonus
def my_reward(step): return {{"bonus": help_(step)}}
with Workers(lambda: quadlib.make(reward=my_reward), 2, processes=2) as workers:
    print(workers.play(random_agent(28, 8), 1, 0).rewards.tolist())
"""
    done = subprocess.run([sys.executable], input=code, capture_output=True, text=True)
    assert done.stdout.strip() == "[[7.0, 7.0]]", done.stderr


def test_what_a_reward_prints_does_not_get_between():
    def chatty(step):
        print("hello from the reward")
        os.write(1, b"hello from below Python\n")
        return 1.0

    (rollout,) = play(robot_with(chatty), random_agent(28, 8), 2, n_envs=2, processes=2)
    assert (rollout.rewards == 1.0).all()


def fails(step):
    if step.time > 0.025:
        raise KeyError("no such weight")
    return 1.0


@pytest.mark.parametrize(
    "reward, message",
    [
        (fails, "fails stopped at step 2, line .*KeyError: 'no such weight'"),
        (lambda step: np.zeros(3), r"an array of shape \(3,\) at step 0"),
        (lambda step: step.hieght, "did you mean 'height'"),
        (lambda step: float("nan"), "returned nan at step 0"),
    ],
)
def test_a_rewards_error_comes_out_of_a_worker_as_itself(tmp_path, reward, message):
    diary = Diary(tmp_path, robot_with(reward))
    with pytest.raises(RewardError, match="(?s)" + message):
        play(diary, random_agent(28, 8), 5, n_envs=2, processes=2)
    assert len(diary.pids()) == 2 and ended(diary.pids())


class Unpicklable(Exception):
    def __init__(self, thing):
        super().__init__("said clearly")
        self.thing = lambda: thing


def test_an_error_that_cannot_travel_is_told(tmp_path):
    def make_env():
        raise Unpicklable(1)

    diary = Diary(tmp_path, make_env)
    with pytest.raises(RuntimeError, match="Unpicklable: said clearly"):
        Workers(diary, 2, processes=2)
    assert len(diary.pids()) == 2 and ended(diary.pids())


def test_an_environment_that_cannot_be_made_says_why():
    with pytest.raises(gymnasium.error.Error, match="Nowhere"):
        Workers(partial(quadlib.make, "Nowhere"), 2, processes=2)


# ---- no process is left --------------------------------------------------------------------------


def test_workers_end_when_they_are_closed(tmp_path):
    diary = Diary(tmp_path)
    with Workers(diary, 3, processes=3):
        pids = diary.pids()
        assert len(pids) == 3 and all(map(alive, pids))
    assert not any(map(alive, pids))


def test_a_worker_that_dies_is_reported_and_takes_the_others_along(tmp_path):
    diary = Diary(tmp_path)
    with pytest.raises(RuntimeError, match="worker process ended by itself"):
        with Workers(diary, 2, processes=2) as workers:
            os.kill(min(diary.pids()), signal.SIGKILL)
            assert ended([min(diary.pids())])
            workers.play(random_agent(), 5, 0)
    assert not any(map(alive, diary.pids()))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_workers_that_nobody_holds_end(tmp_path):
    diary = Diary(tmp_path)
    workers = Workers(diary, 2, processes=2)
    assert all(map(alive, diary.pids()))
    del workers
    assert ended(diary.pids())


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_parent_that_is_killed(tmp_path, end):
    code = f"""
import sys; sys.path.insert(0, {HERE!r})
from toys import Diary, random_agent
from quadlib.learning.vec_env import Workers
workers = Workers(Diary({str(tmp_path)!r}), 4, processes=2)
print("playing", flush=True)
for number in range(10**6):
    workers.play(random_agent(), 500, number)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "playing\n"
    time.sleep(0.3)  # in the middle of a rollout
    pids = Diary(tmp_path).pids()
    assert len(pids) == 2 and all(map(alive, pids))
    parent.send_signal(end)
    parent.wait()
    parent.stdout.close()
    assert ended(pids)
