"""Studies: exactly so many trials, whatever is killed on the way."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import distributed
import optuna
import psutil
import pytest
from optuna.trial import TrialState
from toys import OverpaidWalk, Walk, ended

from quadlib.learning.settings import settings_for
from quadlib.search import tuning
from quadlib.search.spaces import SPACES
from quadlib.search.studies import StudyError, address, alone, connect
from quadlib.search.trial import MARKS
from quadlib.search.tuning import settings_of, tune

HERE = Path(__file__).parent
STEPS = 640


def space(trial):
    """Two dimensions, a second for a trial."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "n_steps": trial.suggest_int("n_steps", 16, 64),
        "n_envs": 2, "batch_size": 32, "hidden": [8], "n_epochs": 2,
    }  # fmt: skip


def study_of(tmp_path, client, **options):
    given = {
        "trials": 4, "steps": STEPS, "env": Walk, "space": space, "progress": False,
        "storage": tmp_path / "s.db", "client": client, **options,
    }  # fmt: skip
    return tune("ppo", **given)


def states(study):
    return Counter(trial.state.name for trial in study.trials)


def test_a_study_goes_on_and_tries_something_new(tmp_path, dask_client):
    first = study_of(tmp_path, dask_client, trials=3).trials
    assert [trial.number for trial in first] == [0, 1, 2]
    second = study_of(tmp_path, dask_client, trials=5)
    assert [trial.number for trial in second.trials] == [0, 1, 2, 3, 4]
    assert [t.value for t in second.trials[:3]] == [t.value for t in first]
    assert states(second)["COMPLETE"] + states(second)["PRUNED"] == 5
    assert len({trial.params["learning_rate"] for trial in second.trials}) == 5
    assert len(second.user_attrs["sessions"]) == 2
    before = second.trials
    assert study_of(tmp_path, dask_client, trials=5).trials == before, "nothing left to do"
    assert study_of(tmp_path, dask_client, trials=2).trials == before


def test_a_seed_decides_what_is_tried_first(tmp_path, dask_client):
    def tried(name, seed):
        study = study_of(tmp_path, dask_client, trials=2, name=name, seed=seed)
        return [trial.params for trial in study.trials]

    assert tried("a", 1) == tried("b", 1) != tried("c", 2)


def test_a_trial_that_was_killed_before_it_drew_is_not_drawn_twice():
    """Killed between asking for a trial and its first suggestion."""
    study = optuna.create_study(direction="maximize")
    for number in range(2):
        trial = tuning._next(study, 9, 0, [])
        if number == 0:
            space(trial)
    begun = [each for each in study.get_trials(deepcopy=False) if each.number == 1]
    rates = []
    for _ in range(2):  # the one that was killed, and a new one
        rates.append(space(tuning._next(study, 9, 0, begun))["learning_rate"])
    assert rates[0] != rates[1]


def test_a_finished_study_needs_no_worker(tmp_path, dask_client):
    study_of(tmp_path, dask_client, trials=1)
    nobody = SimpleNamespace(cancel=lambda futures: None)
    assert len(study_of(tmp_path, nobody, trials=1).trials) == 1


def test_settings_of_a_trial_are_what_it_trained_with(tmp_path, dask_client):
    study = study_of(tmp_path, dask_client, trials=2)
    settings = settings_of(study, 1)
    assert settings == {
        "n_envs": 2, "batch_size": 32, "hidden": [8], "n_epochs": 2, **study.trials[1].params
    }  # fmt: skip
    settings_for("ppo", settings)
    with pytest.raises(ValueError, match="no trial 7"):
        settings_of(study, 7)


def test_the_full_spaces_begin_with_what_is_known(tmp_path, dask_client):
    study = study_of(tmp_path, dask_client, trials=2, space=None)
    slides, ours = (settings_of(study, number) for number in (0, 1))
    assert (slides["n_envs"], slides["n_steps"]) == (1, 1276)
    assert settings_for("ppo", {**ours, "ent_coef": 0.0}) == settings_for("ppo")


def test_failed_trials_are_counted_with_their_reason_and_the_study_goes_on(tmp_path, dask_client):
    study = study_of(
        tmp_path, dask_client, trials=3, env=OverpaidWalk,
        space=lambda trial: space(trial) | {"normalize_rewards": False},
    )  # fmt: skip
    assert states(study) == {"FAIL": 3}
    assert all("DivergedError" in trial.user_attrs["reason"] for trial in study.trials)


def test_progress_is_a_line_per_trial(tmp_path, dask_client, capsys):
    study_of(tmp_path, dask_client, trials=3, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[-1].startswith("3/3 · trial ") and "steps/s" in lines[-1]


def test_a_caller_hears_of_every_change(tmp_path, dask_client):
    seen = []
    study_of(
        tmp_path, dask_client, trials=3,
        on_change=lambda study: seen.append(sum(t.state.is_finished() for t in study.trials)),
    )  # fmt: skip
    assert seen == sorted(seen) and seen[-1] == 3


def test_the_stop_button_keeps_what_was_learned(tmp_path, dask_client):
    def stop(study):
        if study.trials[0].state.is_finished():
            raise KeyboardInterrupt

    finished = [
        t.state.is_finished() for t in study_of(tmp_path, dask_client, on_change=stop).trials
    ]
    assert 0 < sum(finished) < 4
    study = study_of(tmp_path, dask_client)
    assert [t.number for t in study.trials if t.state.is_finished()] == [0, 1, 2, 3]


# ---- refused before anything is trained ----------------------------------------------------------


def test_an_empty_cluster_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tuning, "PATIENCE", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        study = study_of(tmp_path, client, seconds=3)
    assert not study.trials
    assert capsys.readouterr().out.count("No worker has come yet") == 1


def test_a_study_by_the_clock_goes_on_later(tmp_path, dask_client):
    assert not study_of(tmp_path, dask_client, seconds=0).trials
    assert states(study_of(tmp_path, dask_client, trials=2)).total() == 2


class NoCluster:
    """Fails where it is used."""


@pytest.mark.parametrize(
    "options, message",
    [
        ({"trials": 0}, "trials is at least 1"),
        ({"steps": 5}, "steps at least 10"),
        ({"space": lambda t: {"gama": t.suggest_float("gama", 0.9, 1)}}, "did you mean 'gamma'"),
        ({"space": lambda t: {"gamma": t.suggest_float("gamma", 1, 0.9)}}, "impossible range: gam"),
        ({"storage": "mysql://me:hunter2@host/x"}, "in a file or in PostgreSQL, not in mysql$"),
    ],
)
def test_what_cannot_be_studied_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        study_of(tmp_path, NoCluster(), **options)
    assert not list(tmp_path.iterdir())


def test_an_unknown_algorithm_or_environment_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there are ones for ppo, trpo"):
        tune("a3c", storage=tmp_path / "s.db")
    with pytest.raises(Exception, match="Minitour"):
        tune("ppo", env="Minitour", storage=tmp_path / "s.db")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change, what",
    [
        ({"space": lambda t: {"gamma": t.suggest_float("gamma", 0.9, 1.0)}}, "space"),
        ({"steps": 1000}, "steps"),
        ({"env": OverpaidWalk}, "env"),
    ],
)
def test_another_study_of_this_name_is_refused(tmp_path, dask_client, change, what):
    study_of(tmp_path, dask_client, trials=1)
    with pytest.raises(StudyError, match=f"its {what} differ"):
        study_of(tmp_path, NoCluster(), **change)
    with pytest.raises(StudyError, match="its algorithm, space differ"):
        tune(
            "trpo", name="ppo", steps=STEPS, env=Walk, space=SPACES["trpo"],
            storage=tmp_path / "s.db", client=NoCluster(),
        )  # fmt: skip


def test_a_study_that_is_at_work_is_refused(tmp_path):
    with alone(address(tmp_path / "s.db"), "ppo"), pytest.raises(StudyError, match="at work"):
        study_of(tmp_path, NoCluster())


# ---- killed --------------------------------------------------------------------------------------

# A script without a `__main__` guard.
SCRIPT = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from test_tuning import Walk, space
from quadlib.search.tuning import tune
print("begun", flush=True)
tune("ppo", trials={{trials}}, steps=10 * {STEPS}, env=Walk, space=space, storage=sys.argv[1])
print("ended", flush=True)
"""


class Caller:
    """A process that tunes on its own crew, and a look at how far it came."""

    def __init__(self, tmp_path, trials):
        self.storage, self.log = tmp_path / "s.db", tmp_path / "log.txt"
        script = tmp_path / "tune.py"
        script.write_text(SCRIPT.format(trials=trials))
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, script, self.storage], stdout=log, stderr=log
            )
        self.family = set()

    def workers(self):
        try:
            children = psutil.Process(self.process.pid).children()
        except psutil.NoSuchProcess:
            children = []
        self.family |= {child.pid for child in children}
        return [child.pid for child in children]

    def progress(self):
        """A number that grows with each report of a trial."""
        if not self.storage.exists():
            return 0
        try:
            study = optuna.load_study(study_name="ppo", storage=connect(address(self.storage)))
        except (KeyError, StudyError):  # not there yet
            return 0
        return sum(len(t.intermediate_values) + t.state.is_finished() for t in study.trials)

    def wait_for_progress(self):
        """Until something was reported that had not been before, or it ended by itself."""
        before = self.progress()
        deadline = time.monotonic() + 240
        while self.process.poll() is None and self.progress() == before:
            assert time.monotonic() < deadline, f"stuck: {self.log.read_text()}"
            self.workers()
            time.sleep(0.1)
        return self.process.poll() is None

    def kill(self):
        self.workers()
        self.process.kill()
        self.process.wait()
        assert ended(self.family), "a worker outlived its caller"


@pytest.mark.slow
def test_killed_at_random_moments_a_study_comes_to_its_trials(tmp_path):
    """Two callers are killed, one of them after one of its workers; the third may finish.

    Moments are random after the next sign of life: so it gets further on a slow machine as well.
    """
    rng, trials = random.Random(), 6
    for victims in ("caller", "worker caller"):
        caller = Caller(tmp_path, trials)
        for victim in victims.split():
            if caller.wait_for_progress():
                time.sleep(rng.uniform(0, 1))
                workers = caller.workers()
                if victim == "worker" and workers:
                    os.kill(rng.choice(workers), signal.SIGKILL)
        caller.kill()
    last = Caller(tmp_path, trials)
    assert last.process.wait(400) == 0, last.log.read_text()
    assert last.log.read_text().count("begun") == 3, "a worker ran the script again"
    study = optuna.load_study(study_name="ppo", storage=connect(address(last.storage)))
    assert [trial.number for trial in study.trials] == list(range(trials))
    assert all(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in study.trials)
    assert len({tuple(trial.params.items()) for trial in study.trials}) == trials
    for trial in study.trials:
        reached = trial.user_attrs["steps"] * MARKS // (10 * STEPS)
        assert trial.last_step == min(reached, MARKS) * 10 * STEPS // MARKS, "it was cut short"
    told = [line for line in last.log.read_text().splitlines() if " · trial " in line]
    numbers = [line.split("trial ")[1].split()[0] for line in told]
    assert len(numbers) == len(set(numbers)), "a trial ended twice"


def test_control_c_ends_the_workers_too(tmp_path):
    caller = Caller(tmp_path, 50)
    caller.wait_for_progress()
    caller.workers()
    caller.process.send_signal(signal.SIGINT)
    assert caller.process.wait(60) == 0
    assert ended(caller.family)
    assert "Stopped. Tune 'ppo' again" in caller.log.read_text()
