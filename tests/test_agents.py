"""The agents that come with the package, and the rewards that some of them were trained with."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import quadlib
from quadlib.learning.agent import Agent

FOLDER = Path(quadlib.__file__).parent / "agents"
NAMES = sorted(path.stem for path in FOLDER.glob("*.safetensors"))


@pytest.fixture(scope="module")
def rewards():
    pytest.importorskip("jupytext")
    pytest.importorskip("torch")
    return runpy.run_path(str(FOLDER / "train_rewards.py"))["rewards"]()


@pytest.mark.parametrize("name", NAMES)
def test_shipped_agents_act(name):
    agent = Agent.shipped(name)
    action = agent.act(np.zeros(28))
    assert action.shape == (8,) and np.all(np.abs(action) <= 1)
    assert (FOLDER / f"{name}.safetensors").stat().st_size < 100_000


def test_an_agent_that_is_not_shipped_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="no agent 'galop'.*" + ", ".join(NAMES)):
        Agent.shipped("galop")


@pytest.mark.parametrize("script", ["train", "train_rewards"])
def test_a_training_that_is_stopped_is_not_shipped(monkeypatch, tmp_path, script):
    module = pytest.importorskip(f"quadlib.agents.{script}")
    stopped = SimpleNamespace(stopped="interrupted", agent=Agent.shipped("hop"))
    monkeypatch.setattr(module, "train", lambda *arguments, **options: stopped)
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", [script])
    with pytest.raises(SystemExit, match="was stopped.*call again"):
        module.main()
    assert not list(tmp_path.iterdir())


def test_notebook_rewards_are_those_of_the_shipped_agents(rewards):
    """Who edits a proposed reward must train its agent again."""
    for name, source in rewards.items():
        about = Agent.shipped(name).about
        assert about["reward"] == name
        assert about["reward_source"] == source, f"run: quadlib/agents/train_rewards.py {name}"
