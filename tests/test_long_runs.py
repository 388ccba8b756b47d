"""The plans of the long runs, and what one command makes of them."""

import re
import shutil
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from quadlib.agents import long_runs
from quadlib.agents.long_runs import PLANS, SUSPECTS, Plan
from quadlib.judging import records
from quadlib.learning import store
from quadlib.learning.settings import LONG, SLIDES, settings_for

SMALL = {"n_envs": 1, "n_steps": 32, "batch_size": 32, "n_epochs": 1, "hidden": (4,)}


def plan_of(record: str) -> Plan:
    """Its own, or that of the training along which it is kept."""
    along = {name: plan for plan in PLANS.values() for name in plan.along}
    return PLANS.get(record) or along[record]


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_can_be_trained(name):
    plan = PLANS[name]
    assert re.fullmatch(r"\w+", name), "a folder is called NAME_SEED"
    changes = plan.settings
    assert settings_for(plan.algorithm, changes).as_dict().keys() == changes.keys(), "all given"
    if plan.start:
        parent = plan_of(plan.start)
        assert parent.seeds in (1, *range(plan.seeds, 99)), "one for all, or one for each"
        assert tuple(parent.settings["hidden"]) == tuple(plan.settings["hidden"])


def test_suspects_are_all_in_which_the_two_tables_differ_but_a_few():
    slides, ours = SLIDES["ppo"], LONG["ppo"]
    differ = {name for name in slides | ours if slides.get(name) != ours.get(name)}
    suspects = {name for names in SUSPECTS.values() for name in names}
    assert suspects < differ
    assert differ - suspects == {"batch_size", "clip_range", "ent_coef", "gae_lambda", "n_epochs"}
    mended, broken = PLANS["slides_but_gamma"].settings, PLANS["ppo_but_gamma"].settings
    assert (mended["gamma"], broken["gamma"]) == (LONG["ppo"]["gamma"], SLIDES["ppo"]["gamma"])
    assert mended | {"gamma": 0.909} == SLIDES["ppo"]


@pytest.mark.parametrize("name", records.names())
def test_what_is_kept_is_what_its_plan_says(name):
    plan, kept = plan_of(name), records.runs(name)
    assert [record.seed for record in kept] == list(range(plan.seeds))
    for record in kept:
        about = record.agent.about
        assert record.settings == settings_for(plan.algorithm, plan.settings).as_dict()
        assert about["steps"] >= plan.along.get(name, plan.steps)
        if plan.start:
            starts = {start.seed: start.agent.fingerprint for start in records.runs(plan.start)}
            *_, parent = about["lineage"]
            assert parent["agent"] == starts.get(record.seed, starts[0])
            assert (tuple(parent["parts"]), parent["critic_warmup"]) == (plan.parts, plan.warmup)


def test_weights_of_the_effort_make_other_rewards():
    rewards = [PLANS[name].reward for name in ("energy_none", "energy_much")]
    assert len({each.__name__ for each in rewards}) == 2


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.setattr(long_runs, "WORK", tmp_path / "work")
    monkeypatch.setattr(records, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(store, "CHECKPOINT_EVERY", 32)
    plans = {
        "first": Plan("ppo", 128, 1, SMALL, along={"first_half": 64}),
        "second": Plan("ppo", 64, 1, SMALL, start="first_half", warmup=1),
    }
    monkeypatch.setattr(long_runs, "PLANS", plans)


def test_runs_are_kept_and_followed(tiny):
    for name in ("first", "second"):
        long_runs.run(name, 0)
    assert records.names() == ["first", "first_half", "second"]
    (half,), (second,) = records.runs("first_half"), records.runs("second")
    assert (half.agent.about["steps"], second.agent.about["steps"]) == (64, 64)
    (parent,) = second.agent.about["lineage"]
    assert (parent["steps"], parent["agent"]) == (64, half.agent.fingerprint)


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_run_that_is_stopped_is_not_kept_and_goes_on(tiny, monkeypatch, name):
    def stop(run):
        raise KeyboardInterrupt

    if name == "second":
        long_runs.run("first", 0)
    with monkeypatch.context() as patch:
        for each in ("train", "transfer"):
            patch.setattr(long_runs, each, partial(getattr(long_runs, each), on_update=stop))
        with pytest.raises(SystemExit, match=f"{name} 0 was stopped.*call again"):
            long_runs.run(name, 0)
    assert name not in records.names()
    long_runs.run(name, 0)
    (record,) = records.runs(name)
    assert record.agent.about["steps"] == long_runs.PLANS[name].steps


def test_what_a_run_begins_with_has_to_be_there(tiny):
    with pytest.raises(ValueError, match="no records of 'first_half'"):
        long_runs.run("second", 0)


def test_runs_wait_for_those_that_they_begin_with():
    first, second = long_runs.rounds(list(PLANS))
    assert sorted(first + second) == sorted(PLANS)
    assert {"slides_trpo", "trpo"} <= set(first) and {"slides_transfer", "transfer"} <= set(second)
    assert long_runs.rounds(["transfer"]) == [["transfer"]]


def test_what_the_package_holds_is_not_trained_again(tiny, monkeypatch, tmp_path):
    long_runs.run("first", 0)
    shutil.rmtree(tmp_path / "work")
    with monkeypatch.context() as patch:
        patch.setattr(long_runs, "train", lambda *_, **__: pytest.fail("it is kept"))
        long_runs.run("first", 0)
    longer = Plan("ppo", 192, 1, SMALL, along={"first_half": 64})
    monkeypatch.setitem(long_runs.PLANS, "first", longer)
    long_runs.run("first", 0)
    (record,) = records.runs("first")
    assert record.agent.about["steps"] == 192


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_is_kept(name):
    for seed in range(PLANS[name].seeds):
        assert long_runs.is_kept(name, seed) or not records.paths_of(name), "or is not yet"


def test_what_failed_is_not_built_upon(tiny, monkeypatch, capsys):
    """A failure ends the command, before the runs that begin with that one's agent."""
    started = []

    def fail(command):
        started.append(command[-2:])
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(long_runs.subprocess, "run", fail)
    monkeypatch.setattr(sys, "argv", ["long_runs.py"])
    with pytest.raises(SystemExit, match="not all were kept"):
        long_runs.main()
    assert started == [["first", "--seed=0"]] and "first 0: failed" in capsys.readouterr().out
