"""Records of trainings: what is kept, that it is read back, and that halves are noticed."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from toys import Walk, random_agent

from quadlib.judging import records
from quadlib.judging.evaluation import Evaluation, evaluate
from quadlib.learning import store
from quadlib.learning.agent import Agent
from quadlib.learning.training import train

SMALL = {"n_envs": 1, "n_steps": 16, "n_epochs": 1, "batch_size": 16, "hidden": (4,)}
EPISODES = Evaluation(
    returns=np.array([1.23456, 2.0]), lengths=np.array([1000, 7]), fell=np.array([False, True]),
    distances=np.array([1.0, 2.0]), speeds=np.array([0.1, -0.2]), powers=np.array([90.0, 110.0]),
    costs_of_transport=np.array([1.5, np.inf]),
)  # fmt: skip


def trained(folder, steps, **options):
    return train(
        "ppo", env=Walk, steps=steps, folder=folder, processes=0, progress=False,
        **{**SMALL, **options},
    )  # fmt: skip


@pytest.fixture
def kept(tmp_path):
    run = trained(tmp_path / "a_walk_3", 80, seed=3)
    return run, records.keep(tmp_path / "a_walk_3", tmp_path / "kept")


def test_a_short_run_is_kept_whole(kept, tmp_path):
    run, path = kept
    assert path == tmp_path / "kept" / "a_walk" / "3.safetensors"
    (record,) = records.runs("a_walk", tmp_path / "kept")
    assert (record.name, record.seed, record.judged) == ("a_walk", 3, {})
    assert record.checkpoints == {}
    assert record.settings["n_steps"] == 16
    assert record.agent.about == run.agent.about
    assert record.agent.fingerprint == run.agent.fingerprint
    assert record.curve.keys() == run.curve.keys()
    np.testing.assert_array_equal(record.curve["steps"], [16, 32, 48, 64, 80])
    for name, column in run.curve.items():
        np.testing.assert_allclose(record.curve[name], column, rtol=1e-3, err_msg=name)


def test_a_long_curve_is_thinned_to_rows_of_its_own(tmp_path, monkeypatch):
    run = trained(tmp_path / "long_0", 16 * 20)
    monkeypatch.setattr(records, "ROWS", 5)
    records.keep(tmp_path / "long_0", tmp_path / "kept")
    (record,) = records.runs("long", tmp_path / "kept")
    chosen = [0, 5, 10, 14, 19]  # 0, 4.75, 9.5, 14.25, 19; numpy rounds 9.5 to the even 10
    np.testing.assert_array_equal(record.curve["steps"], run.curve["steps"][chosen])
    np.testing.assert_allclose(record.curve["return"], run.curve["return"][chosen], rtol=1e-3)


def test_seeds_come_in_the_order_of_numbers(tmp_path):
    for seed in (10, 9):
        trained(tmp_path / f"walk_{seed}", 16, seed=seed)
        records.keep(tmp_path / f"walk_{seed}", tmp_path / "kept")
    assert [record.seed for record in records.runs("walk", tmp_path / "kept")] == [9, 10]
    assert records.names(tmp_path / "kept") == ["walk"]


def test_a_run_is_kept_as_it_was_at_an_earlier_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CHECKPOINT_EVERY", 48)
    run, kept = trained(tmp_path / "walk_0", 160), tmp_path / "kept"
    records.keep(tmp_path / "walk_0", kept, at=80, name="half")
    (record,) = records.runs("half", kept)
    assert record.agent.about["steps"] == record.curve["steps"][-1] == 96  # the first from 80 on
    np.testing.assert_array_equal(record.curve["steps"], run.curve["steps"][:6])
    assert record.agent.fingerprint != run.agent.fingerprint
    with pytest.raises(ValueError, match="no checkpoint with 500 steps yet"):
        records.keep(tmp_path / "walk_0", kept, at=500)


def test_what_a_run_came_to_after_so_many_steps(kept, tmp_path):
    (record,) = records.runs("a_walk", tmp_path / "kept")
    object.__setattr__(
        record, "curve", {
            "steps": np.array([50.0, 91, 95, 104, 150]),
            "return": np.array([9.0, np.nan, 2.0, 4.0, 7.0]),
        }
    )  # fmt: skip
    assert record.after(100) == 3.0  # of 91, 95 and 104, without the one where no episode had ended
    with pytest.raises(ValueError, match="a_walk 3 ends after 150 steps, not 151"):
        record.after(151)


def test_two_trainings_one_after_the_other_are_one_curve(kept, tmp_path):
    (record,) = records.runs("a_walk", tmp_path / "kept")
    first, second = (
        replace(record, curve={name: np.array(column) for name, column in curve.items()})
        for curve in (
            {"steps": [16.0, 1000], "seconds": [1.0, 60], "return": [2.0, 3], "kl": [0.1, 0.2]},
            {"steps": [20_000.0, 20_001], "seconds": [5.0, 6], "return": [0.0, 4], "std": [1.0, 1]},
        )
    )
    other = replace(first, seed=2)
    (both,) = records.continued([other, first], [second])
    assert {name: list(column) for name, column in both.curve.items()} == {
        "steps": [16, 1000, 21_001], "seconds": [1, 60, 66], "return": [2, 3, 4],
    }  # fmt: skip
    assert both.agent is second.agent and len(second.curve["steps"]) == 2
    with pytest.raises(ValueError, match="a_walk 3 went on from a record that is not here"):
        records.continued([other], [second])


def test_a_run_that_went_on_is_kept_again(kept, tmp_path):
    records.add_judgement(kept[1], "fast", "deterministic", EPISODES, {})
    trained(tmp_path / "a_walk_3", 160, seed=3)
    records.keep(tmp_path / "a_walk_3", tmp_path / "kept")
    (record,) = records.runs("a_walk", tmp_path / "kept")
    assert record.agent.about["steps"] == record.curve["steps"][-1] == 160
    assert record.judged == {}, "what was said of the older agent does not count"


def test_a_record_that_is_half_of_another_is_noticed(kept, tmp_path, monkeypatch):
    trained(tmp_path / "a_walk_3", 160, seed=3)
    monkeypatch.setattr(Agent, "save", lambda *_: None)  # killed before the agent was written
    records.keep(tmp_path / "a_walk_3", tmp_path / "kept")
    with pytest.raises(ValueError, match="keep that run again"):
        records.runs("a_walk", tmp_path / "kept")


def test_a_record_that_is_half_of_another_as_long_is_noticed(kept, tmp_path, monkeypatch):
    run, path = kept
    about = {**run.agent.about, "seconds": 2 * run.agent.about["seconds"]}
    run.agent.with_about(**about).save(path)
    with pytest.raises(ValueError, match="keep that run again"):
        records.runs("a_walk", tmp_path / "kept")


def test_the_agent_is_that_of_the_curves_last_row(tmp_path, monkeypatch):
    """A run that was killed between an agent and its curve has one agent too many."""
    trained(tmp_path / "walk_0", 32)
    random_agent(seed=0).save(tmp_path / "walk_0" / "agent_000000048.safetensors")
    records.keep(tmp_path / "walk_0", tmp_path / "kept")
    (record,) = records.runs("walk", tmp_path / "kept")
    assert record.agent.about["steps"] == 32


def test_judgements_come_back_rounded_and_complete(kept, tmp_path):
    path = kept[1]
    records.add_judgement(path, "fast", "deterministic", EPISODES, {"first_seed": 7})
    records.add_judgement(path, "fast", "stochastic", EPISODES, {})
    records.add_judgement(path, "reference", "stochastic", EPISODES, {})
    (record,) = records.runs("a_walk", tmp_path / "kept")
    assert {judge: set(modes) for judge, modes in record.judged.items()} == {
        "fast": {"deterministic", "stochastic"},
        "reference": {"stochastic"},
    }
    again = record.judged["fast"]["deterministic"]
    assert again.returns.tolist() == [1.235, 2.0]
    assert again.lengths.tolist() == [1000, 7] and again.fell.tolist() == [False, True]
    assert again.fell.dtype == bool and again.costs_of_transport.tolist() == [1.5, np.inf]
    text = json.loads(path.with_suffix(".json").read_text())
    assert text["judges"]["fast"]["deterministic"]["about"] == {"first_seed": 7}


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    (tmp_path / "walk_0").mkdir()
    with pytest.raises(ValueError, match="no checkpoint yet"):
        records.keep(tmp_path / "walk_0", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_folder_whose_name_is_not_the_runs_is_refused(tmp_path):
    trained(tmp_path / "walk_0", 16)
    for name, complaint in (("walk", "called NAME_SEED"), ("walk_1", "has the seed 0")):
        (tmp_path / "walk_0").replace(tmp_path / name)
        with pytest.raises(ValueError, match=complaint):
            records.keep(tmp_path / name, tmp_path / "kept")
        (tmp_path / name).replace(tmp_path / "walk_0")


def test_records_that_are_not_there(kept, tmp_path):
    with pytest.raises(ValueError, match="no records of 'trot' are kept; there are a_walk"):
        records.runs("trot", tmp_path / "kept")


def test_checkpoints_are_kept_where_the_run_wrote_them(tmp_path, monkeypatch):
    """Of many agents in a folder the last one is kept."""
    monkeypatch.setattr(store, "CHECKPOINT_EVERY", 32)
    trained(tmp_path / "walk_0", 96)
    assert len(list((tmp_path / "walk_0").glob("agent_*"))) == 3
    path = records.keep(tmp_path / "walk_0", tmp_path / "kept")
    assert Agent.load(path).about["steps"] == 96


def test_checkpoints_are_evaluated_once_each(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CHECKPOINT_EVERY", 32)
    asked = []

    def judge(agent, count, processes):
        assert processes == 0, "runs are kept side by side, one per core"
        asked.append(agent.about["steps"])
        return EPISODES

    monkeypatch.setattr(records, "evaluate", judge)
    trained(tmp_path / "walk_0", 64)
    records.keep_checkpoints(tmp_path / "walk_0", 2, tmp_path / "kept")
    trained(tmp_path / "walk_0", 96)
    records.keep_checkpoints(tmp_path / "walk_0", 2, tmp_path / "kept")
    assert asked == [32, 64, 96]
    random_agent(seed=0, steps=112).save(tmp_path / "walk_0" / "agent_000000112.safetensors")
    records.keep_checkpoints(tmp_path / "walk_0", 2, tmp_path / "kept")
    assert asked == [32, 64, 96], "an agent without a row was left by a killed process"
    records.keep(tmp_path / "walk_0", tmp_path / "kept")
    (record,) = records.runs("walk", tmp_path / "kept")
    assert record.checkpoints["steps"].tolist() == [32, 64, 96]
    assert record.checkpoints["mean"].tolist() == [1.617] * 3  # (1.23456 + 2) / 2
    assert record.checkpoints["falls"].tolist() == [0.5] * 3


def test_checkpoints_of_another_training_are_evaluated_anew(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(records, "evaluate", lambda agent, *_, **__: asked.append(1) or EPISODES)
    for rate in (1e-3, 1e-4):
        trained(tmp_path / "walk_0", 32, learning_rate=rate)
        place = records.keep_checkpoints(tmp_path / "walk_0", 2, tmp_path / "kept")
        shutil.rmtree(tmp_path / "walk_0")
    assert asked == [1, 1] and len(place.read_text().splitlines()) == 2


def test_a_checkpoint_is_evaluated_where_it_was_trained(tmp_path):
    train(
        "ppo", env="MinitaurIdeal", steps=16, folder=tmp_path / "robot_0", processes=0,
        progress=False, **SMALL,
    )  # fmt: skip
    records.keep(tmp_path / "robot_0", tmp_path / "kept")
    records.keep_checkpoints(tmp_path / "robot_0", 1, tmp_path / "kept")
    (record,) = records.runs("robot", tmp_path / "kept")
    expected = evaluate(record.agent, 1, "MinitaurIdeal").mean
    assert record.checkpoints["mean"] == pytest.approx(expected, rel=1e-3)
    assert record.checkpoints["std"] == 0


# ---- the records that come with the package ------------------------------------------------------

SHIPPED = [path for name in records.names() for path in records.paths_of(name)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_shipped_records_are_whole_small_and_told_apart(path):
    found = {record.seed: record for record in records.runs(path.parent.name)}
    record = found[int(path.stem)]
    assert record.agent.about["seed"] == record.seed
    assert np.all(np.diff(record.curve["steps"]) > 0)
    assert path.with_suffix(".csv").stat().st_size < 40_000
    if path.with_suffix(".json").exists():
        assert record.judged, "it was judged with another agent: make results"
        assert path.with_suffix(".json").stat().st_size < 80_000
