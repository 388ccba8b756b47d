"""One trial: its score, its reports, and when it is stopped early."""

from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from toys import OverpaidWalk, Walk, curve

from quadlib.judging.comparison import mean_return
from quadlib.learning.training import train
from quadlib.search.studies import address, open_study
from quadlib.search.trial import MARKS, Watch, early_stop, work

BUDGET = 1000
SMALL = {"n_envs": 2, "n_steps": 32, "batch_size": 32, "hidden": [8], "n_epochs": 2}


# ---- reports and early stops ---------------------------------------------------------------------


def watched(study, returns, reached=0, steps=range(100, 1001, 100)):
    """Tells a watch of a training that came to these returns. The steps at which it ended."""
    trial = study.ask()
    watch = Watch(trial, reached, BUDGET)
    state = TrialState.COMPLETE
    try:
        for k in range(len(returns)):
            watch(SimpleNamespace(curve=curve(steps[: k + 1], returns[: k + 1])))
    except optuna.TrialPruned:
        state = TrialState.PRUNED
    study.tell(trial, returns[-1] if state == TrialState.COMPLETE else None, state=state)
    return watch.steps


@pytest.fixture
def study():
    return optuna.create_study(direction="maximize", pruner=early_stop(BUDGET))


def test_a_trial_reports_at_each_tenth(study):
    watched(study, [k / 10 for k in range(1, 11)])
    (trial,) = study.trials
    assert trial.intermediate_values == {100 * k: k / 10 for k in range(1, MARKS + 1)}


def test_a_long_rollout_reports_at_the_last_mark_it_passed(study):
    watched(study, [1.0, 2.0, 3.0], steps=[350, 700, 1050])
    assert study.trials[0].intermediate_values == {300: 1.0, 700: 2.0, 1000: 3.0}


def test_nothing_is_reported_before_an_episode_ended(study):
    watched(study, [np.nan, np.nan, 1.0], steps=[100, 200, 300])
    assert study.trials[0].intermediate_values == {300: 1.0}


def test_who_is_not_among_the_best_quarter_of_the_finished_ends_at_a_fifth(study):
    assert [watched(study, [quality] * 10) for quality in (0, 10, 20)] == [1000] * 3
    assert watched(study, [14] * 10) == 200, "a quarter of three begins between 10 and 20"
    assert watched(study, [16] * 10) == 1000
    rng = np.random.default_rng(0)
    ends = [watched(study, [quality] * 10) for quality in rng.permutation(90)]
    assert set(ends) == {200, 1000} and 5 < ends.count(1000) < 20
    assert watched(study, [1000.0] * 10) == 1000, "the best so far is never stopped"


def test_who_falls_behind_later_ends_later(study):
    for quality in range(10):
        watched(study, [quality + k for k in range(10)])
    assert watched(study, [9.0] * 10) == 400, "the best quarter is at 9.75 then"


def test_a_slow_start_is_forgiven_before_the_first_look(study):
    for quality in range(10):
        watched(study, [quality] * 10)
    assert watched(study, [-100.0] + [100.0] * 9) == 1000


def test_a_trial_that_is_trained_again_passes_its_marks_without_a_word(study):
    for _ in range(3):
        watched(study, [5.0] * 10)
    trial = study.ask()
    trial.report(4.0, 100)
    trial.report(4.0, 200)
    watch = Watch(trial, 200, BUDGET)
    for k in range(1, 3):
        watch(SimpleNamespace(curve=curve([100 * k], [1.0])))
    assert study.trials[3].intermediate_values == {100: 4.0, 200: 4.0}
    with pytest.raises(optuna.TrialPruned):  # the best value so far is what counts: 4 is not 5
        watch(SimpleNamespace(curve=curve([300], [1.0])))
    assert study.trials[3].intermediate_values[300] == 1.0


# ---- a whole trial -------------------------------------------------------------------------------


def trained(tmp_path, env=Walk, steps=640, reward=None, **changes):
    url = address(tmp_path / "s.db")
    plan = {"algorithm": "ppo", "steps": steps}
    study = open_study(url, "a", plan)
    number = study.ask().number
    work(url, "a", "ppo", steps, env, reward, number, {**SMALL, **changes})
    return study.trials[number]


def test_a_trial_is_a_training_of_that_seed_and_these_settings(tmp_path):
    before = open_study(address(tmp_path / "s.db"), "a", {"algorithm": "ppo", "steps": 640})
    before.tell(before.ask(), state=TrialState.FAIL)
    trial = trained(tmp_path)
    run = train("ppo", steps=640, env=Walk, seed=trial.number, processes=1, progress=False, **SMALL)
    assert trial.number == 1 and trial.state == TrialState.COMPLETE
    assert trial.value == mean_return(run.curve, 640, 640)
    assert trial.intermediate_values[640] == trial.value
    assert trial.user_attrs["steps"] == 640
    assert 0 < trial.user_attrs["cpu_seconds"] and 0 < trial.user_attrs["seconds"]
    assert "reason" not in trial.user_attrs


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_diverged_trial_says_why(tmp_path):
    trial = trained(tmp_path, OverpaidWalk, normalize_rewards=False)
    assert trial.state == TrialState.FAIL and trial.value is None
    assert trial.user_attrs["reason"].startswith("DivergedError: the weights are no longer finite")


def test_a_mistake_in_the_reward_is_a_reason_too(tmp_path):
    def mistaken(step):
        return step.height / 0

    trial = trained(tmp_path, "MinitaurIdeal", reward=mistaken)
    assert trial.state == TrialState.FAIL
    assert "RewardError" in trial.user_attrs["reason"]
    assert "division by zero" in trial.user_attrs["reason"]


class Endless(Walk):
    """Its episodes are longer than a trial."""

    def __init__(self):
        super().__init__(length=10_000, limit=np.inf)


def test_a_trial_without_an_episode_has_no_score(tmp_path):
    trial = trained(tmp_path, Endless)
    assert trial.state == TrialState.FAIL and "no episode ended" in trial.user_attrs["reason"]


def test_a_finished_trial_is_not_trained_again(tmp_path):
    trial = trained(tmp_path)
    work(address(tmp_path / "s.db"), "a", "ppo", 640, Walk, None, trial.number, {"gamma": "?"})
    assert trained(tmp_path).number == trial.number + 1
