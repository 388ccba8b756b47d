"""Judges the kept long runs three ways: in `fast` and `reference` physics, and in pybullet_envs.

In each, 100 episodes with the policy's mean and 100 with samples of it, in the slides' environment
(in pybullet_envs with its own randomizer). What is judged already is not judged again: kill it and
call it again as you like. Without names: all runs that have a row in the README.
"""

import argparse
from functools import partial
from pathlib import Path

import judge

import quadlib
from quadlib import records
from quadlib.agent import Agent
from quadlib.agents import results
from quadlib.evaluation import Evaluation, evaluate

ENV = "Minitaur"


def ours(physics: str, path: Path, mode: str, episodes: int) -> tuple[Evaluation, dict]:
    """Episodes in quadlib's own simulation, and how they were played."""
    about = {"env": ENV, "physics": physics, "first_seed": judge.SEED}
    result = evaluate(
        Agent.load(path), episodes, ENV, judge.SEED, mode == "deterministic", physics=physics
    )
    return result, about | {"versions": {"quadlib": quadlib.__version__}}


def foreign(path: Path, mode: str, episodes: int) -> tuple[Evaluation, dict]:
    """Episodes in pybullet_envs, and how they were played."""
    versions = judge.versions(judge.foreign.make())
    about = {"env": judge.ENVIRONMENT, "first_seed": judge.SEED, "versions": versions}
    return judge.judge(path, mode, episodes), about


JUDGES = {
    "fast": partial(ours, "fast"),
    "reference": partial(ours, "reference"),
    "pybullet_envs": foreign,
}


def judge_run(path: Path, judges: list[str], episodes: int) -> None:
    """Judge one record as far as it is not judged."""
    for name in judges:
        for mode in judge.MODES:
            done = records.judgements(path)["judges"].get(name, {}).get(mode)
            if done is None or len(done["episodes"]["returns"]) < episodes:
                result, about = JUDGES[name](path, mode, episodes)
                records.add_judgement(path, name, mode, result, about)
                print(f"{path.parent.name} {path.stem}, {name}, {mode}: {result}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of the runs, as in quadlib/agents/runs")
    parser.add_argument("--episodes", type=int, default=100, help="for each judge and mode (100)")
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=list(JUDGES))
    options = parser.parse_args()
    for name in options.names or (name for name in results.LABELS if name in records.names()):
        for path in records.paths_of(name):
            judge_run(path, options.judges, options.episodes)


if __name__ == "__main__":
    main()
