"""Finalists: who they are, their trainings with new seeds, and whether the order held."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from toys import Diary, OverpaidWalk, Walk

from quadlib.judging.comparison import mean_return
from quadlib.learning.training import train
from quadlib.search.finalists import Again, agreement, finalists, read_again, train_again

STEPS = 640
SMALL = {"n_envs": 2, "n_steps": 32, "batch_size": 32, "hidden": [8], "n_epochs": 2}


def study_with(values, env="Walk", settings=SMALL):
    """A study whose trials came to these values; None: it was stopped early."""
    study = optuna.create_study(study_name="a", direction="maximize")
    plan = {"algorithm": "ppo", "steps": STEPS, "env": env, "reward": None}
    study.set_user_attr("plan", plan)
    for number, value in enumerate(values):
        trial = study.ask()
        trial.set_user_attr("settings", {**settings, "gamma": 0.9 + number / 100})
        trial.report(9.0, 64)
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        study.tell(trial, value, state=state)
    return study


def test_finalists_are_the_best_stopped_ones_too():
    assert finalists(study_with([1.0, 10.0, 3.0, 2.0]), 2) == [1, 2]
    stopped_at_nine = study_with([1.0, None, 3.0, 10.0])
    assert finalists(stopped_at_nine) == [3, 1, 2, 0]


def test_a_trial_that_failed_is_no_finalist():
    study = study_with([1.0, 2.0])
    study.tell(study.ask(), state=TrialState.FAIL)
    assert finalists(study) == [1, 0]


def again_of(tmp_path, client, study, env=Walk, **options):
    given = {"count": 2, "seeds": (7, 8), "folder": tmp_path / "runs", "progress": False, **options}
    return train_again(study, tmp_path / "again.csv", env=env, client=client, **given)


def test_strangers_in_the_table_do_not_count(tmp_path):
    """Rows of another study or of other settings; those of earlier versions have no code."""
    study, table, asked = study_with([1.0, 3.0]), tmp_path / "again.csv", []
    rows = f"1,7,{STEPS},111,deadbeef\n5,7,{STEPS},55,deadbeef\n0,7,{STEPS},9,\n"
    table.write_text("finalist,seed,steps,return,code\n" + rows)

    class Enough(Exception):
        pass

    def submit(function, algorithm, settings, *_, **__):
        asked.append(settings["gamma"])
        raise Enough

    client = SimpleNamespace(cancel=lambda futures: None, submit=submit)
    with pytest.raises(Enough):
        again_of(tmp_path, client, study, seeds=(7,))
    assert asked == [0.91], "trial 1 alone: trial 0 is there"
    again_of(tmp_path, client, study_with([1.0]), seeds=(7,))
    assert read_again(table).names == ["0"]


def test_finalists_train_with_new_seeds_and_are_measured_as_in_the_study(tmp_path, dask_client):
    study = study_with([1.0, 3.0, 2.0])
    again = again_of(tmp_path, dask_client, study, steps=2 * STEPS, others={"defaults": SMALL})
    assert set(again.names) == {"1", "2", "defaults"} and again.seeds == [7, 8]
    assert again.steps.tolist() == list(range(64, 2 * STEPS + 1, 64))
    assert again.returns.shape == (3, 2, 20) and np.isfinite(again.at(2 * STEPS)).all()
    run = train("ppo", steps=2 * STEPS, env=Walk, seed=8, processes=1, progress=False,
                **{**SMALL, "gamma": 0.91})  # fmt: skip
    found = again.returns[again.names.index("1"), 1]
    for mark, value in zip(again.steps, found, strict=True):
        last = mark // 64  # updates of 64 steps, marks of 64 steps: the one that ends there
        assert value == pytest.approx(run.curve["return"][last - 1], rel=2e-3)
    assert found[9] == pytest.approx(mean_return(run.curve, STEPS, STEPS), rel=2e-3)


def test_what_is_there_is_not_trained_again(tmp_path, dask_client):
    study, pids = study_with([1.0, 3.0]), tmp_path / "pids"
    pids.mkdir()
    first = again_of(tmp_path, dask_client, study, seeds=(7,))
    second = again_of(tmp_path, dask_client, study, env=Diary(pids), seeds=(7,))
    assert not list(pids.iterdir())
    np.testing.assert_array_equal(first.returns, second.returns)
    third = again_of(tmp_path, dask_client, study, seeds=(7, 8))
    np.testing.assert_array_equal(first.returns[:, 0], third.returns[:, 0])


def test_the_same_settings_under_two_names_are_trained_once(tmp_path, dask_client):
    study, pids = study_with([1.0, 3.0]), tmp_path / "pids"
    pids.mkdir()
    others = {"best": {**SMALL, "gamma": 0.91}}  # what trial 1 has
    options = {"count": 1, "seeds": (7,), "others": others}
    again = again_of(tmp_path, dask_client, study, **options)
    assert again.names == ["1", "best"] and len(list((tmp_path / "runs" / "a").iterdir())) == 1
    np.testing.assert_array_equal(again.returns[0], again.returns[1])
    again_of(tmp_path, dask_client, study, env=Diary(pids), **options)
    assert not list(pids.iterdir())


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_trainings_that_diverge_have_no_return(tmp_path, dask_client):
    study = study_with([1.0, 3.0], settings={**SMALL, "normalize_rewards": False})
    again = again_of(tmp_path, dask_client, study, env=OverpaidWalk)
    assert np.isnan(again.at(STEPS)).all()
    assert np.isnan(agreement(study, again, STEPS)["kendall"]), "all alike: there is no order"


def ranked(returns):
    """Agreement of trials that came to 3, 2, 1 with what they came to again."""
    names, values = [*"210", "defaults"], np.array([*returns, 100.0], float)
    again = Again(names, [7], np.array([STEPS]), values[:, None, None])
    return agreement(study_with([1.0, 2.0, 3.0]), again, STEPS)


def test_agreement_is_one_for_the_same_order_and_minus_one_for_the_reverse():
    assert ranked([30, 20, 10]) == pytest.approx({"spearman": 1.0, "kendall": 1.0})
    assert ranked([10, 20, 30]) == pytest.approx({"spearman": -1.0, "kendall": -1.0})
    assert ranked([20, 30, 10]) == pytest.approx({"spearman": 0.5, "kendall": 1 / 3})
    assert ranked([np.nan, 20, 10]) == pytest.approx({"spearman": -0.5, "kendall": -1 / 3})


def test_agreement_is_about_the_mean_of_the_seeds():
    returns = np.array([[5.0, 1.0], [2.0, 2.0]])[:, :, None]
    again = Again(["1", "0"], [7, 8], np.array([STEPS]), returns)
    assert agreement(study_with([1.0, 2.0]), again, STEPS)["kendall"] == pytest.approx(1.0)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no trial of 'a' has come to anything"):
        again_of(tmp_path, None, study_with([]))
    with pytest.raises(ValueError, match="the study has the reward None"):
        again_of(tmp_path, None, study_with([1.0]), reward=lambda step: 0.0)


def test_a_rewards_name_is_what_the_study_calls_it(tmp_path, dask_client):
    """Also of a partial, which has none of its own."""
    study = study_with([1.0])
    study.set_user_attr("plan", study.user_attrs["plan"] | {"reward": "partial"})
    (tmp_path / "again.csv").write_text(
        f"finalist,seed,steps,return\n0,7,{STEPS},1\n0,8,{STEPS},2\n"
    )
    again = again_of(tmp_path, dask_client, study, reward=partial(lambda step, w: w, w=1.0))
    assert again.at(STEPS).tolist() == [[1.0, 2.0]]


def test_a_table_that_is_not_there_is_missed(tmp_path):
    with pytest.raises(FileNotFoundError, match="typo.csv"):
        read_again(tmp_path / "typo.csv")


def test_a_table_is_read_as_it_was_written(tmp_path):
    (tmp_path / "t.csv").write_text("finalist,seed,steps,return\n3,7,64,1.5\n3,7,128,2\n")
    again = read_again(tmp_path / "t.csv")
    assert (again.names, again.seeds, again.steps.tolist()) == (["3"], [7], [64, 128])
    assert again.at(128) == [[2.0]]
