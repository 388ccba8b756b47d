"""Runs: their limits, the same again, and what is left when they are stopped, killed or refused."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import gymnasium
import numpy as np
import pytest
import torch
from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toys import (
    Diary,
    OverpaidWalk,
    SlowWalk,
    Walk,
    alive,
    calm_walk,
    ended,
    random_agent,
)

import quadlib
from quadlib.learning import store, training
from quadlib.learning.agent import Agent
from quadlib.learning.settings import settings_for
from quadlib.learning.training import DivergedError, train
from quadlib.world.rewards import RewardError

HERE = os.path.dirname(__file__)
SMALL = {"n_envs": 2, "n_steps": 32, "batch_size": 32, "hidden": (8,), "progress": False}
UPDATE = 64  # steps in an update with these settings
QUICK = {"ppo": {"n_epochs": 2}, "ppo_kl": {"n_epochs": 2}, "trpo": {"n_critic_updates": 2}}


def small(algorithm="ppo", env=Walk, **options):
    """A run of some updates in a second or two."""
    given = {"steps": 2 * UPDATE, "processes": 1, **SMALL, **QUICK[algorithm], **options}
    return train(algorithm, env=env, **given)


def without_time(curve):
    return {name: column for name, column in curve.items() if name != "seconds"}


def assert_same(one, other):
    """Two runs that agree to the last digit."""
    assert without_time(one.curve).keys() == without_time(other.curve).keys()
    for name, column in without_time(one.curve).items():
        np.testing.assert_array_equal(column, other.curve[name], err_msg=name)
    for name, array in one.agent.arrays.items():
        np.testing.assert_array_equal(array, other.agent.arrays[name], err_msg=name)


def contents(folder):
    """Every file of a folder with its bytes; not TensorBoard's, which grow, and no lock."""
    paths = (path for path in folder.iterdir() if not path.name.startswith(("events.", ".lock")))
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def run():
    return small(steps=5 * UPDATE)


# ---- limits --------------------------------------------------------------------------------------


def test_it_ends_with_the_update_that_reaches_the_steps():
    run = small(steps=2 * UPDATE + 1)
    assert run.stopped == "steps"
    assert run.curve["steps"].tolist() == [UPDATE, 2 * UPDATE, 3 * UPDATE]


def test_it_ends_by_the_clock():
    run = small(steps=None, seconds=3.0)
    assert run.stopped == "seconds"
    assert 0 < len(run.curve["steps"]) and run.curve["steps"][-1] < 1_000_000


def test_the_nearer_limit_counts():
    assert small(steps=UPDATE, seconds=1000.0).stopped == "steps"
    assert small(steps=10**9, seconds=0.0).stopped == "seconds"


def test_without_time_nothing_is_learned_but_there_is_an_agent():
    run = small(steps=10, seconds=0.0)
    assert {name: column.tolist() for name, column in run.curve.items()} == {
        "steps": [], "seconds": [], "return": [], "length": [],
    }  # fmt: skip
    assert run.agent.act(np.zeros(3)).shape == (2,)


def test_a_run_without_a_limit_is_refused():
    with pytest.raises(ValueError, match="give steps=…, seconds=… or both"):
        small(steps=None)


# ---- what it returns -----------------------------------------------------------------------------


def test_the_curve_has_a_row_per_update(run):
    for name in ("seconds", "return", "length", "reward/x", "train/value_loss", "train/approx_kl"):
        assert run.curve[name].shape == (5,), name
        assert np.isfinite(run.curve[name]).all(), name
    assert (np.diff(run.curve["seconds"]) > 0).all()
    assert run.stopped == "steps" and run.folder is None


def test_the_return_is_the_mean_of_the_last_twenty_episodes(run, monkeypatch):
    """Worked out from the episodes that the workers report."""
    episodes, play = [], training.Workers.play

    def spy(self, *arguments):
        rollout = play(self, *arguments)
        episodes.append(rollout.episodes)
        return rollout

    monkeypatch.setattr(training.Workers, "play", spy)
    again = small(steps=5 * UPDATE)
    for row in range(5):
        last = [episode for part in episodes[: row + 1] for episode in part][-20:]
        assert again.curve["return"][row] == pytest.approx(np.mean([e["return"] for e in last]))
        assert again.curve["length"][row] == pytest.approx(np.mean([e["length"] for e in last]))
        expected = np.mean([e["terms"]["x"] for e in last])
        assert again.curve["reward/x"][row] == pytest.approx(expected)
    assert len(last) == 20 < sum(map(len, episodes))


@pytest.mark.parametrize("algorithm", QUICK)
def test_it_learns_to_push_forward(algorithm):
    """With the sum of two actions in [−1, 1] as the only way to be paid."""
    faster = {} if algorithm == "trpo" else {"learning_rate": 3e-3, "n_epochs": 5}
    endless = partial(Walk, limit=np.inf)
    run = small(algorithm, endless, steps=40 * UPDATE, seed=1, **faster)
    assert run.curve["return"][-1] > run.curve["return"][0] + 1.0
    assert run.agent.act(np.array([0.0, 0.0, 0.5])).sum() > 0.5


def test_the_agent_knows_where_it_comes_from(run):
    about = run.agent.about
    assert about["algorithm"] == "ppo" and about["seed"] == 0 and about["env"] == "Walk"
    assert about["steps"] == 5 * UPDATE and about["settings"]["n_epochs"] == 2
    assert about["versions"]["torch"] == torch.__version__
    json.dumps(about)


def test_each_update_is_reported():
    seen = []
    run = small(steps=3 * UPDATE, on_update=seen.append)
    assert [r.curve["steps"][-1] for r in seen] == run.curve["steps"].tolist()
    assert {r.stopped for r in seen} == {"running"}
    np.testing.assert_array_equal(
        seen[-1].agent.arrays["actor.0.weight"], run.agent.arrays["actor.0.weight"]
    )


def test_a_bar_shows_steps_and_return(capfd):
    small(progress=True)
    shown = capfd.readouterr().err
    assert "steps" in shown and "return" in shown


def test_others_environments_can_be_trained_where_actions_are_from_minus_one_to_one():
    def pendulum():
        return gymnasium.wrappers.RescaleAction(gymnasium.make("Pendulum-v1"), -1.0, 1.0)

    run = small(env=pendulum, n_steps=200, steps=400)
    assert run.agent.act(np.zeros(3)).shape == (1,)
    assert np.isfinite(run.curve["return"][-1])


@pytest.mark.parametrize("env", ["Pendulum-v1", "CartPole-v1"])
def test_environments_with_other_actions_are_refused(env):
    with pytest.raises(ValueError, match="from -1 to 1, here it is .*RescaleAction"):
        small(env=env)


def test_one_thread_is_used_and_the_others_are_given_back():
    before, during = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        small(steps=UPDATE, on_update=lambda run: during.append(torch.get_num_threads()))
        assert (during, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_statistics_are_those_of_what_was_seen(monkeypatch):
    seen, play = [], training.Workers.play

    def spy(self, *arguments):
        rollout = play(self, *arguments)
        seen.append(rollout.observations.reshape(-1, 3))
        return rollout

    monkeypatch.setattr(training.Workers, "play", spy)
    arrays = small(steps=3 * UPDATE).agent.arrays
    np.testing.assert_allclose(arrays["observation_mean"], np.concatenate(seen).mean(axis=0))
    np.testing.assert_allclose(arrays["observation_var"], np.concatenate(seen).var(axis=0))


def test_without_normalization_nothing_is_normalized():
    run = small(normalize_observations=False, normalize_rewards=False)
    assert (run.agent.arrays["observation_mean"] == 0).all()
    assert (run.agent.arrays["observation_var"] == 1).all()
    assert run.agent.arrays["return_scale"] == 1


# ---- the same again ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", QUICK)
def test_the_same_seed_gives_the_same_curve_to_the_last_digit(algorithm):
    """Whatever was drawn before, and on any number of processes."""
    one = small(algorithm, steps=3 * UPDATE, seed=7)
    random.seed(1)
    torch.manual_seed(1)
    torch.rand(3)
    other = small(algorithm, steps=3 * UPDATE, seed=7, processes=2)
    assert_same(one, other)


def test_another_seed_gives_another_curve():
    one, other = (small(seed=seed) for seed in (1, 2))
    assert (one.curve["return"] != other.curve["return"]).all()
    assert (one.agent.arrays["actor.0.weight"] != other.agent.arrays["actor.0.weight"]).any()


def test_neighbouring_seeds_share_no_update():
    """Seed 0's second update does not draw what seed 1's first one draws."""
    seeds = []
    original = training.set_random_seed
    try:
        training.set_random_seed = lambda seed, *rest: seeds.append(seed) or original(seed)
        small(seed=0), small(seed=1)
    finally:
        training.set_random_seed = original
    assert len(set(seeds)) == len(seeds) == 4


def test_large_seeds_are_seeds_too():
    assert small(steps=UPDATE, seed=np.int64(2**32 - 1)).agent.about["seed"] == 2**32 - 1


def test_the_robot_learns_the_same_twice():
    one, other = (small(env="Minitaur", steps=UPDATE, seed=3) for _ in range(2))
    assert_same(one, other)


# ---- a run in a folder ---------------------------------------------------------------------------


@pytest.fixture
def often(monkeypatch):
    """A checkpoint after every second update."""
    monkeypatch.setattr(store, "CHECKPOINT_EVERY", 2 * UPDATE)


def test_a_folder_holds_settings_curve_checkpoints_and_agents(tmp_path, often):
    run = small(steps=5 * UPDATE, folder=tmp_path / "run")
    names = set(contents(tmp_path / "run"))
    agents = {f"agent_{steps:09d}.safetensors" for steps in (128, 256, 320)}
    assert names == {"run.json", "curve.csv", "checkpoint.safetensors", *agents}
    plan = json.loads((tmp_path / "run" / "run.json").read_text())
    assert plan["settings"]["hidden"] == [8] and plan["seed"] == 0
    assert plan["versions"]["quadlib"] == quadlib.__version__
    assert run.folder == tmp_path / "run"


def test_the_stored_agent_is_the_one_that_was_returned(tmp_path):
    run = small(folder=tmp_path / "run")
    stored = Agent.load(tmp_path / "run" / "agent_000000128.safetensors")
    assert stored.about == run.agent.about
    observations = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_array_equal(stored.act(observations), run.agent.act(observations))


def test_a_folder_changes_nothing_in_the_run(tmp_path, run):
    assert_same(small(steps=5 * UPDATE, folder=tmp_path / "run"), run)


@pytest.mark.parametrize("algorithm", QUICK)
def test_a_resumed_run_equals_one_without_a_break(tmp_path, algorithm):
    """To the last digit, where no episode is under way: environments begin anew."""
    whole = small(algorithm, calm_walk, steps=5 * UPDATE)
    for steps in (2 * UPDATE, 3 * UPDATE, 5 * UPDATE):
        parts = small(algorithm, calm_walk, steps=steps, folder=tmp_path / "run")
        assert parts.curve["steps"].tolist() == list(range(UPDATE, steps + 1, UPDATE))
    assert_same(parts, whole)


def test_a_resumed_run_counts_each_step_once(tmp_path):
    for steps in (2 * UPDATE, 4 * UPDATE):
        run = small(steps=steps, folder=tmp_path / "run")
    assert run.curve["steps"].tolist() == [UPDATE, 2 * UPDATE, 3 * UPDATE, 4 * UPDATE]
    assert (np.diff(run.curve["seconds"]) > 0).all()
    assert run.agent.about["steps"] == 4 * UPDATE


def test_tensorboard_reads_the_same_curve_and_each_step_once(tmp_path, often):
    """Also where a run that was killed had shown more than it had stored."""
    folder = tmp_path / "run"
    small(steps=2 * UPDATE, folder=folder)
    stored = contents(folder)
    small(steps=3 * UPDATE, folder=folder)
    for name, content in stored.items():
        (folder / name).write_bytes(content)  # as a kill before the next checkpoint leaves it
    run = small(steps=4 * UPDATE, folder=folder)
    board = EventAccumulator(str(folder)).Reload()
    assert set(board.Tags()["scalars"]) == {
        name for name, column in run.curve.items() if name != "steps" and np.isfinite(column).any()
    }
    for name in board.Tags()["scalars"]:
        shown = {event.step: event.value for event in board.Scalars(name)}
        assert len(shown) == len(board.Scalars(name))
        there = np.isfinite(run.curve[name])
        assert list(shown) == run.curve["steps"][there].tolist()
        np.testing.assert_allclose(list(shown.values()), run.curve[name][there], rtol=1e-6)


def test_a_finished_run_is_given_back_as_it_was(tmp_path):
    first = small(folder=tmp_path / "run")
    before = contents(tmp_path / "run")
    again = small(folder=tmp_path / "run")
    assert again.stopped == "steps"
    assert_same(again, first)
    np.testing.assert_array_equal(again.curve["seconds"], first.curve["seconds"])
    after = contents(tmp_path / "run")
    assert before.keys() == after.keys()
    assert before["curve.csv"] == after["curve.csv"]
    assert before["run.json"] == after["run.json"]


def test_a_run_can_be_resumed_in_another_process(tmp_path):
    """Also when the environment is made by an object without a name."""
    code = f"""
import sys; sys.path.insert(0, {HERE!r})
import functools, test_training as t
env = functools.partial(t.Walk, length=32)
print(t.small(env=env, steps=int(sys.argv[2]), folder=sys.argv[1]).curve["steps"].tolist())
"""
    for steps, expected in ((UPDATE, "[64]"), (2 * UPDATE, "[64, 128]")):
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "run", str(steps)],
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == expected, done.stderr


def refuses(folder, complaint=None, error=ValueError, **options):
    """The folder is refused, and left as it was."""
    before = contents(folder) if folder.is_dir() else None
    with pytest.raises(error, match=complaint):
        small(folder=folder, **options)
    if before is not None:
        assert contents(folder) == before


def test_a_reward_that_was_edited_is_another_run(tmp_path):
    def rewarding(source):
        exec(source, variables := {})
        return partial(quadlib.make, "MinitaurIdeal", reward=variables["reward"])

    once, edited = "def reward(step): return step.dx", "def reward(step): return step.dx - 0.1"
    first = small(steps=UPDATE, env=rewarding(once), folder=tmp_path / "run")
    assert_same(small(steps=UPDATE, env=rewarding(once), folder=tmp_path / "run"), first)
    refuses(tmp_path / "run", "its env_code differ", steps=UPDATE, env=rewarding(edited))


def test_the_plan_knows_a_rewards_code():
    settings = settings_for("ppo", {})
    rewards = (lambda step: step.dx, lambda step: step.dx, lambda step: 2 * step.dx)
    plans = [training._plan("ppo", settings, "Minitaur", reward, 0) for reward in rewards]
    assert plans[0] == plans[1] and plans[0]["reward"] == plans[2]["reward"]
    assert plans[0]["reward_code"] != plans[2]["reward_code"]


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    """Its plan has no code, and the environment's long name."""
    first = small(steps=UPDATE, env="Minitaur", folder=tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    plan = json.loads(path.read_text())
    assert plan["env"] == "Minitaur"
    del plan["env_code"], plan["reward_code"]
    path.write_text(json.dumps(plan | {"env": "quadlib/Minitaur-v0"}))
    for env in ("Minitaur", "quadlib/Minitaur-v0", "quadlib:quadlib/Minitaur-v0"):
        assert_same(small(steps=UPDATE, env=env, folder=tmp_path / "run"), first)


def test_what_never_began_makes_room_for_the_corrected_call(tmp_path):
    with pytest.raises(gymnasium.error.Error):
        small(env="Minotaur", folder=tmp_path / "run")
    assert small(steps=UPDATE, folder=tmp_path / "run").stopped == "steps"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["env"] == "Walk"


def test_a_folder_belongs_to_one_process_at_a_time(tmp_path):
    def again(_run):
        for seed in (0, 1):  # the same run, or another, before the first has a checkpoint
            with pytest.raises(ValueError, match="another process trains in .*: wait, stop it"):
                small(folder=tmp_path / "run", seed=seed)

    small(steps=UPDATE, folder=tmp_path / "run", on_update=again)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["seed"] == 0
    assert small(folder=tmp_path / "run").stopped == "steps"


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"seed": 1}, "seed differ"),
        ({"gamma": 0.9}, "settings differ"),
        ({"algorithm": "trpo"}, "algorithm, settings differ"),
        ({"env": calm_walk}, "env, env_code differ"),
    ],
)
def test_the_folder_of_another_run_is_refused_and_left_alone(tmp_path, options, complaint):
    small(steps=UPDATE, folder=tmp_path / "run")
    refuses(tmp_path / "run", f"holds another run: its .*{complaint}", **options)


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    refuses(tmp_path, "has other files in it")


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_a_folder_with_a_foreign_plan_is_refused_and_left_alone(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    refuses(tmp_path, "holds another run")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("old")
    refuses(tmp_path / "file" / "run", error=OSError)
    refuses(tmp_path / "file", error=OSError)
    assert (tmp_path / "file").read_text() == "old"


def test_a_refused_folder_starts_no_workers(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("three years of work")
    (tmp_path / "pids").mkdir()
    diary = Diary(tmp_path / "pids")
    refuses(tmp_path / "run", "has other files", env=diary)
    assert not diary.pids()


def test_what_a_killed_first_write_left_does_not_block_the_folder(tmp_path):
    (tmp_path / ".unfinished-abc.json").write_text("{")
    assert small(steps=UPDATE, folder=tmp_path).stopped == "steps"
    assert not list(tmp_path.glob(".unfinished*"))


# ---- crashes -------------------------------------------------------------------------------------


class PowerCut(BaseException):
    """Nothing that the program could catch and tidy up after."""


def crash_at(monkeypatch, number):
    """The process 'dies' before, or after, its n-th file is put in its place."""
    calls, replace = [], os.replace

    def dying(source, target):
        calls.append(target)
        if len(calls) == (number + 1) // 2 and number % 2:
            raise PowerCut
        replace(source, target)
        if len(calls) == number // 2 and not number % 2:
            raise PowerCut

    monkeypatch.setattr(os, "replace", dying)
    monkeypatch.setattr(os, "unlink", lambda path: None)


def stored_steps(folder):
    """Steps of the checkpoint; each file is whole."""
    for path in folder.glob("agent_*"):
        Agent.load(path)
    if not (folder / "checkpoint.safetensors").exists():
        return 0
    with safe_open(folder / "checkpoint.safetensors", framework="numpy") as file:
        assert all(np.isfinite(file.get_tensor(name)).all() for name in file.keys())
        return int(file.metadata()["steps"])


@pytest.fixture(scope="module")
def unbroken():
    return small(env=calm_walk, steps=4 * UPDATE)


@pytest.mark.parametrize("number", range(1, 15))
def test_a_crash_between_any_two_files_loses_nothing_that_counts(
    tmp_path, monkeypatch, often, unbroken, number
):
    """4 updates, checkpoints after the second and the fourth: seven files, twice at the end."""
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(store, "CHECKPOINT_EVERY", 2 * UPDATE)
        crash_at(patch, number)
        with pytest.raises(PowerCut):
            small(env=calm_walk, steps=4 * UPDATE, folder=folder)
    assert stored_steps(folder) in ({0} if number < 8 else {2 * UPDATE, 4 * UPDATE})
    resumed = small(env=calm_walk, steps=4 * UPDATE, folder=folder)
    assert_same(resumed, unbroken)


def test_a_full_disk_is_an_error_and_leaves_the_last_checkpoint(tmp_path, monkeypatch, unbroken):
    folder = tmp_path / "run"
    small(env=calm_walk, steps=2 * UPDATE, folder=folder)
    before = contents(folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left on device"):
            small(env=calm_walk, steps=4 * UPDATE, folder=folder)
    assert contents(folder) == before
    assert_same(small(env=calm_walk, steps=4 * UPDATE, folder=folder), unbroken)


KILLED = f"""
import sys; sys.path.insert(0, {HERE!r})
import test_training as t
t.store.CHECKPOINT_EVERY = 2 * t.UPDATE
tell = lambda run: print(int(run.curve["steps"][-1]), flush=True)
t.small(steps=10**9, folder=sys.argv[1], on_update=tell, env=t.Diary(sys.argv[2]))
"""


def killed_after(folder, diary, seconds):
    """Steps that a run reported before it was killed some seconds after its first report."""
    command = [sys.executable, "-c", KILLED, folder, diary]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    assert first, process.stderr.read()
    time.sleep(seconds)
    process.kill()
    out, _ = process.communicate()
    # The last line may be cut in the middle.
    lines = [line for line in (first + out).splitlines(keepends=True) if line.endswith("\n")]
    return [int(line) for line in lines]


def survives_kills(tmp_path, kills):
    folder, diary = tmp_path / "run", tmp_path / "pids"
    diary.mkdir()
    rng, stored = np.random.default_rng(), 0
    for _ in range(kills):
        reported = killed_after(folder, diary, rng.uniform(0, 1.5))
        assert reported[0] == stored + UPDATE, "a step was counted twice or left out"
        stored = stored_steps(folder)
        assert reported[-1] - stored < 2 * UPDATE, "more than a checkpoint interval was lost"
        assert stored <= reported[-1] + UPDATE
    assert ended(Diary(diary).pids())
    run = small(env=Diary(diary), steps=stored + UPDATE, folder=folder)
    assert run.curve["steps"].tolist() == list(range(UPDATE, stored + UPDATE + 1, UPDATE))


def test_a_run_survives_being_killed(tmp_path):
    survives_kills(tmp_path, 2)


@pytest.mark.slow
def test_a_run_survives_being_killed_at_twenty_random_moments(tmp_path):
    survives_kills(tmp_path, 20)


# ---- the stop button -----------------------------------------------------------------------------


def interrupt(run):
    if len(run.curve["steps"]) == 2:
        raise KeyboardInterrupt


def test_the_stop_button_keeps_what_was_learned(tmp_path):
    (tmp_path / "pids").mkdir()
    diary = Diary(tmp_path / "pids")
    run = small(env=diary, steps=10**6, on_update=interrupt, processes=2, folder=tmp_path / "run")
    assert run.stopped == "interrupted"
    assert run.curve["steps"].tolist() == [UPDATE, 2 * UPDATE]
    assert stored_steps(tmp_path / "run") == 2 * UPDATE
    assert len(diary.pids()) == 2 and not any(map(alive, diary.pids()))


def test_the_stop_button_works_in_the_middle_of_a_rollout(tmp_path):
    """A real signal while the workers play."""
    diary = Diary(tmp_path, SlowWalk)

    def press_soon(_run):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    run = small(env=diary, steps=10**6, on_update=press_soon, processes=2)
    assert run.stopped == "interrupted"
    assert run.curve["steps"].tolist() == [UPDATE]
    assert len(diary.pids()) == 2 and not any(map(alive, diary.pids()))


def test_control_c_in_a_terminal_reaches_the_workers_too_and_does_no_harm():
    """It goes to every process of the group."""
    code = f"""
import sys; sys.path.insert(0, {HERE!r})
import test_training as t
tell = lambda run: print("playing", flush=True)
run = t.small(env=t.SlowWalk, steps=10**6, on_update=tell, processes=2)
print(run.stopped, len(run.curve["steps"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "playing\n"
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate()
    assert (out, err) == ("interrupted 1\n", "")


@pytest.mark.parametrize("algorithm", QUICK)
def test_an_update_that_was_interrupted_half_way_is_not_kept(tmp_path, monkeypatch, algorithm):
    """The network is half improved then; what is stored is the update before."""
    whole = small(algorithm, calm_walk, steps=4 * UPDATE)
    collect, folder = training.collect, tmp_path / "run"

    def stopped_at(number):
        """Go on with the run, and press the button in its n-th update from there."""
        count = []

        def interrupted(model, *rest):
            collect(model, *rest)
            count.append(model)
            if len(count) == number:
                with torch.no_grad():
                    model.policy.log_std += 1.0
                    for state in model.policy.optimizer.state.values():
                        state["exp_avg"] += 1.0
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(training, "collect", interrupted)
            return small(algorithm, calm_walk, steps=4 * UPDATE, folder=folder)

    assert stopped_at(3).curve["steps"].tolist() == [UPDATE, 2 * UPDATE]
    assert stopped_at(1).curve["steps"].tolist() == [UPDATE, 2 * UPDATE]
    assert stopped_at(1).stopped == "interrupted"
    assert_same(small(algorithm, calm_walk, steps=4 * UPDATE, folder=folder), whole)


@pytest.mark.parametrize("where", ["state_of", "agent", "measured"])
def test_a_stop_between_learning_and_storing_keeps_the_update_before(tmp_path, monkeypatch, where):
    """Counters, curve and weights are of the same update, wherever it is stopped."""
    whole, folder = small(env=calm_walk, steps=4 * UPDATE), tmp_path / "run"
    place, name = {
        "state_of": (training, "state_of"),
        "agent": (Agent, "with_about"),
        "measured": (training._Trainer, "_measured"),
    }[where]
    original, updates = getattr(place, name), []

    def stopped(*arguments, **options):
        if len(updates) == 2:
            updates.clear()
            raise KeyboardInterrupt
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, stopped)
        run = small(env=calm_walk, steps=4 * UPDATE, folder=folder, on_update=updates.append)
    assert run.stopped == "interrupted" and len(run.curve["steps"]) == 2
    assert stored_steps(folder) == run.agent.about["steps"] == 2 * UPDATE
    assert_same(small(env=calm_walk, steps=4 * UPDATE, folder=folder), whole)


# ---- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("algorithm", QUICK)
def test_a_policy_that_is_no_numbers_stops_with_advice(tmp_path, algorithm):
    diary = Diary(tmp_path, OverpaidWalk)
    with pytest.raises(DivergedError, match="lower the learning rate .*0.5.* look at the reward"):
        small(
            algorithm, diary, steps=20 * UPDATE, learning_rate=0.5, normalize_rewards=False,
            processes=2,
        )  # fmt: skip
    assert len(diary.pids()) == 2 and not any(map(alive, diary.pids()))


class BlindWalk(Walk):
    """From its fifth step on a number is missing: in an observation, or the reward."""

    def __init__(self, lost):
        super().__init__()
        self.lost = lost

    def step(self, action):
        observation, reward, *rest = super().step(action)
        if self.t == 5:
            observation, reward = observation * self.lost, reward + self.lost - 1.0
        return observation, reward, *rest


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_an_environment_that_loses_a_number_is_named(lost):
    with pytest.raises(ValueError, match="environment [01] returned .* reward .* observation"):
        small(env=partial(BlindWalk, lost))


def test_a_damaged_checkpoint_is_named_and_stays(tmp_path):
    small(folder=tmp_path / "run")
    for name, part in (("checkpoint.safetensors", 100), ("curve.csv", 10)):
        path = tmp_path / "run" / name
        whole = path.read_bytes()
        path.write_bytes(whole[:part])
        with pytest.raises(ValueError, match="checkpoint.safetensors or curve.csv .* is damaged"):
            small(folder=tmp_path / "run", steps=8 * UPDATE)
        assert path.read_bytes() == whole[:part]
        path.write_bytes(whole)


def test_a_folder_that_could_not_be_begun_is_free_again(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", full)
        with pytest.raises(OSError, match="No space left") as caught:
            small(folder=tmp_path / "run")
    assert small(folder=tmp_path / "run").stopped == "steps", caught  # as Jupyter holds the error


def test_a_failing_reward_comes_out_as_itself_and_stores_nothing_wrong(tmp_path):
    def no_return(step):
        step.dx * 2

    (tmp_path / "pids").mkdir()
    diary = Diary(tmp_path / "pids", partial(quadlib.make, "MinitaurIdeal", reward=no_return))
    with pytest.raises(RewardError, match="no_return returned None at step 0"):
        small(env=diary, folder=tmp_path / "run", processes=2)
    assert set(contents(tmp_path / "run")) == {"run.json"}
    assert len(diary.pids()) == 2 and not any(map(alive, diary.pids()))


def test_an_error_keeps_the_updates_before_it(tmp_path):
    def fail(run):
        if len(run.curve["steps"]) == 2:
            raise OSError("the disk with my notes is gone")

    whole, folder = small(env=calm_walk, steps=4 * UPDATE), tmp_path / "run"
    with pytest.raises(OSError, match="my notes"):
        small(env=calm_walk, steps=4 * UPDATE, folder=folder, on_update=fail)
    assert stored_steps(folder) == 2 * UPDATE
    assert_same(small(env=calm_walk, steps=4 * UPDATE, folder=folder), whole)


def test_what_is_shown_comes_after_what_is_stored(tmp_path, monkeypatch):
    """A figure that cannot be drawn costs no checkpoint."""

    class Broken:
        def update(self, run): ...

        def close(self, run):
            raise RuntimeError("no figure")

    monkeypatch.setattr(training, "show_progress", lambda *limits: Broken())
    with pytest.raises(RuntimeError, match="no figure"):
        small(folder=tmp_path / "run", progress=True)
    assert stored_steps(tmp_path / "run") == 2 * UPDATE


def test_a_reward_that_pays_nothing_at_first_is_no_error():
    """As one that waits until the robot is a metre away."""
    run = small(env=partial(quadlib.make, "MinitaurIdeal", reward=lambda step: float(step.x > 1)))
    assert len(run.curve["steps"]) == 2 and (run.agent.arrays["return_scale"] > 0)


def test_a_students_terms_are_in_the_curve():
    """Two environments for 32 steps, cut off after 10: three episodes each."""
    run = small(
        env=partial(
            quadlib.make, "MinitaurIdeal", max_steps=10,
            reward=lambda step: {"time": 1.0, "lift": -0.5},
        ),
        steps=UPDATE,
    )  # fmt: skip
    assert run.curve["reward/time"].tolist() == [10.0]
    assert run.curve["reward/lift"].tolist() == [-5.0]
    assert run.curve["return"].tolist() == [5.0] and run.curve["length"].tolist() == [10.0]


def test_a_reward_goes_to_the_robot_by_name_or_into_ones_own_function():
    run = small(env="MinitaurIdeal", reward=lambda step: 2.0, steps=UPDATE)
    assert np.isnan(run.curve["return"][0]), "no episode has ended yet"
    with pytest.raises(ValueError, match="give the reward to the environment"):
        small(env=Walk, reward=lambda step: 2.0)


@pytest.mark.parametrize(
    "options, error, complaint",
    [
        ({"env": "Nowhere"}, gymnasium.error.Error, "Nowhere"),
        ({"gama": 0.9}, ValueError, "did you mean 'gamma'"),
        ({"gamma": 2.0}, ValueError, "gamma is from 0.0 to 1.0"),
        ({"seed": -1}, ValueError, "seed is a whole number from 0 to 4,294,967,295, not -1"),
        ({"seed": 1.5}, ValueError, "seed is a whole number"),
        ({"seed": 2**32}, ValueError, "seed is a whole number"),
        ({"steps": np.nan}, ValueError, "steps is a number from 0 on, not nan"),
        ({"steps": -1}, ValueError, "steps is a number"),
        ({"seconds": np.inf}, ValueError, "seconds is a number from 0 on, not inf"),
        ({"seconds": "90"}, ValueError, "seconds is a number from 0 on, not '90'"),
    ],
)
def test_bad_arguments_are_explained(options, error, complaint):
    with pytest.raises(error, match=complaint):
        small(**options)


def test_an_unknown_algorithm_is_refused():
    with pytest.raises(ValueError, match="one of ppo, ppo_kl, trpo"):
        train("sac", steps=10)


# ---- importing -----------------------------------------------------------------------------------


def test_quadlib_and_its_environment_are_light():
    """Neither PyTorch nor SB3 nor Matplotlib, which take seconds, or need not be installed."""
    code = (
        "import sys, quadlib; env = quadlib.make('Minitaur'); env.reset(seed=0);"
        "env.step(env.action_space.sample());"
        "print([m for m in ('torch', 'stable_baselines3', 'matplotlib', 'sb3_contrib')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_workers_are_light():
    """A worker that imported PyTorch would take seconds to start."""

    class Spy(Walk):
        def reset(self, **options):
            observation, _ = super().reset(**options)
            if "torch" in sys.modules or "matplotlib" in sys.modules:
                raise ImportError("a worker imported what it does not need")
            return observation, {}

    from quadlib.learning.vec_env import Workers

    with Workers(Spy, 1) as workers:
        workers.play(random_agent(), 2, 0)
