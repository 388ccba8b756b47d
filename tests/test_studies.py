"""Where studies live: what is opened, what is refused, and what a kept study still knows."""

import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, distribution_to_json
from optuna.trial import TrialState

from quadlib.search.studies import StudyError, address, alone, cost, export, load, open_study

RANGES = {"gamma": FloatDistribution(0.9, 1.0), "units": CategoricalDistribution([32, 64])}
SPACE = {name: distribution_to_json(each) for name, each in RANGES.items()}
PLAN = {"algorithm": "ppo", "steps": 1000, "space": SPACE}
SECRET = "hunter2"


def fresh(path, plan=PLAN, name="a"):
    return open_study(address(path), name, plan)


def test_a_study_is_found_again(tmp_path):
    fresh(tmp_path / "s.db").ask()
    assert len(fresh(tmp_path / "s.db").trials) == 1
    assert len(fresh(tmp_path / "s.db", name="b").trials) == 0


def test_folders_are_made(tmp_path):
    fresh(tmp_path / "new" / "folder" / "s.db")
    assert (tmp_path / "new" / "folder" / "s.db").exists()


@pytest.mark.parametrize("change", [{"algorithm": "trpo"}, {"space": {}}, {"steps": 2000}])
def test_another_study_of_the_same_name_is_refused(tmp_path, change):
    fresh(tmp_path / "s.db").ask()
    with pytest.raises(StudyError, match=f"its {next(iter(change))} differ"):
        fresh(tmp_path / "s.db", {**PLAN, **change})
    assert fresh(tmp_path / "s.db").user_attrs["plan"] == PLAN


def test_a_space_that_was_edited_is_another_study(tmp_path):
    """Unless the study is of a version that did not write down what the space does."""
    fresh(tmp_path / "old.db").ask()
    fresh(tmp_path / "old.db", {**PLAN, "space_code": "1"})
    fresh(tmp_path / "s.db", {**PLAN, "space_code": "1"}).ask()
    fresh(tmp_path / "s.db", {**PLAN, "space_code": "1"})
    with pytest.raises(StudyError, match="its space_code differ"):
        fresh(tmp_path / "s.db", {**PLAN, "space_code": "2"})


def test_a_setting_that_is_asked_for_in_some_trials_only_comes_back(tmp_path):
    study = fresh(tmp_path / "s.db")
    for number in range(2):
        trial = study.ask()
        trial.suggest_float("gamma", 0.9, 1.0)
        if number:
            trial.suggest_int("more", 1, 5)
        trial.set_user_attr("settings", {})
        study.tell(trial, float(number))
    found = load(export(study, tmp_path / "study.json"))
    assert [set(trial.params) for trial in found.trials] == [{"gamma"}, {"gamma", "more"}]


def test_somebody_elses_study_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    theirs = optuna.create_study(study_name="a", storage=url, direction="maximize")
    theirs.ask()
    with pytest.raises(StudyError, match="another study of the name 'a'"):
        fresh(tmp_path / "s.db")
    optuna.create_study(study_name="b", storage=url, direction="minimize").ask()
    with pytest.raises(StudyError, match="another study of the name 'b'"):
        fresh(tmp_path / "s.db", name="b")


def test_a_study_that_was_killed_before_its_first_trial_goes_on(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    optuna.create_study(study_name="a", storage=url, direction="maximize")
    assert fresh(tmp_path / "s.db").user_attrs["plan"] == PLAN


def test_a_file_that_is_no_study_is_refused_and_left_alone(tmp_path):
    (tmp_path / "s.db").write_text("my diary, " * 100)
    with pytest.raises(StudyError, match="not a database"):
        fresh(tmp_path / "s.db")
    assert (tmp_path / "s.db").read_text() == "my diary, " * 100


@contextmanager
def without_rights():
    """Root may write anywhere: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        fresh(Path(folder) / "s.db")  # imports what it needs while it can be read
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder():
    """Any user can enter it: pytest's own belong to the one who runs the tests."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_read_only_folder_is_refused(public_folder):
    public_folder.chmod(0o555)
    for path in (public_folder / "s.db", public_folder / "new" / "s.db"):
        with without_rights(), pytest.raises(StudyError, match="cannot use .*s.db for a study"):
            fresh(path)
    assert not list(public_folder.iterdir())


def test_a_read_only_study_is_refused(public_folder):
    fresh(public_folder / "s.db").ask()
    (public_folder / "s.db").chmod(0o444)
    public_folder.chmod(0o555)
    with without_rights(), pytest.raises(StudyError, match="readonly"):
        fresh(public_folder / "s.db")


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot use"):
        fresh(tmp_path / "file" / "s.db")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/studies",  # nobody listens there
        f"postgresql+psycopg2://me:{SECRET}@127.0.0.1:1/studies",
        f"postgresql://me:{SECRET}@nowhere.invalid/studies",
        f"postgresql://me:{SECRET}@127.0.0.1:port/studies",
        f"postgres://me:{SECRET}@127.0.0.1/studies",
        f"mysql://me:{SECRET}@127.0.0.1/studies",
    ],
)
def test_a_database_out_of_reach_is_refused_and_the_password_not_shown(url):
    with pytest.raises(StudyError) as caught:
        fresh(url)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_password_is_not_printed():
    url = address(f"postgresql://me:{SECRET}@host/studies")
    assert url.password == SECRET and SECRET not in f"{url} {url!r}"


# ---- one at a time -------------------------------------------------------------------------------


def test_two_processes_do_not_hand_out_the_same_study(tmp_path):
    url = address(tmp_path / "s.db")
    with alone(url, "a"):
        with pytest.raises(StudyError, match="another process is at work"), alone(url, "a"):
            pass
    with alone(url, "a"):
        pass


def test_a_killed_process_lets_go(tmp_path):
    code = (
        "import sys, time; from quadlib.search.studies import address, alone\n"
        f"with alone(address({str(tmp_path / 's.db')!r}), 'a'): print('in', flush=True); input()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1)
    holder.stdout.readline()
    url = address(tmp_path / "s.db")
    with pytest.raises(StudyError), alone(url, "a"):
        pass
    holder.kill()
    holder.communicate()
    with alone(url, "a"):
        pass


# ---- what is kept --------------------------------------------------------------------------------


def some_study():
    """A trial of each kind."""
    study = optuna.create_study(study_name="a", direction="maximize")
    study.set_user_attr("plan", PLAN)
    study.set_user_attr("sessions", [{"seconds": 60.0, "workers": 2}, {"seconds": 30.0}])
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING):
        trial = study.ask(RANGES)
        trial.set_user_attr("settings", {"gamma": 0.95})
        if state == TrialState.RUNNING:
            continue
        trial.report(0.1, 100)
        if state == TrialState.FAIL:
            trial.set_user_attr("reason", "DivergedError: …")
        trial.set_user_attr("steps", 600)
        trial.set_user_attr("cpu_seconds", 10.0)
        study.tell(trial, 1.5 if state == TrialState.COMPLETE else None, state=state)
    return study


def test_a_kept_study_is_the_same_study(tmp_path):
    study = some_study()
    again = load(export(study, tmp_path / "a.json"))
    assert (again.study_name, again.user_attrs) == (study.study_name, study.user_attrs)
    for one, other in zip(study.trials, again.trials, strict=True):
        for what in (
            "number", "state", "value", "params", "distributions", "user_attrs",
            "intermediate_values", "datetime_start", "datetime_complete",
        ):  # fmt: skip
            assert getattr(one, what) == getattr(other, what), what
    assert again.best_trial.number == 0


def test_cost_counts_what_is_finished():
    spent = cost(some_study())
    assert spent.trials == {"COMPLETE": 1, "PRUNED": 1, "FAIL": 1}
    assert (spent.steps, spent.share, spent.seconds) == (1800, 0.6, 90.0)
    assert spent.cpu_seconds == 30.0
    assert "3 trials (1 to their end, 1 stopped early, 1 failed)" in str(spent)
    assert "20 steps/s" in str(spent)
