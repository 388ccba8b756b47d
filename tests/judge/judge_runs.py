"""Judges the kept long runs three ways: in `fast` and `reference` physics, and in pybullet_envs.

In each, 100 episodes with the policy's mean and 100 with samples of it, in the slides' environment
(in pybullet_envs with its own randomizer). Then 100 each with the mean on a light robot, a heavy
one, and one that is pushed. The seeds of a training share the 100. What is judged already is not
judged again: kill it and call it again as you like. Without names: all runs that have a row in the
README, and those that the notebooks compare them with.
"""

import argparse
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import judge

import quadlib
from quadlib.agents import results
from quadlib.judging import records
from quadlib.judging.evaluation import Evaluation, evaluate
from quadlib.learning.agent import Agent

ENV = "Minitaur"
EPISODES = 100  # of all seeds of a training, for each judge and mode


def ours(path: Path, mode: str, episodes: int, **options: Any) -> tuple[Evaluation, dict]:
    """Episodes in quadlib's own simulation, and how they were played."""
    result = evaluate(
        Agent.load(path), episodes, ENV, judge.SEED, mode == "deterministic", **options
    )
    about = {"env": ENV, "first_seed": judge.SEED, **options}
    return result, about | {"versions": {"quadlib": quadlib.__version__}}


def foreign(path: Path, mode: str, episodes: int) -> tuple[Evaluation, dict]:
    """Episodes in pybullet_envs, and how they were played."""
    versions = judge.versions(judge.foreign.make())
    about = {"env": judge.ENVIRONMENT, "first_seed": judge.SEED, "versions": versions}
    return judge.judge(path, mode, episodes), about


JUDGES = {
    "fast": partial(ours, physics="fast"),
    "reference": partial(ours, physics="reference"),
    "pybullet_envs": foreign,
    "light": partial(ours, variations={"base_mass": 0.8, "leg_mass": 0.8}),
    "heavy": partial(ours, variations={"base_mass": 1.2, "leg_mass": 1.2}),
    "pushed": partial(ours, variations={"push": 20.0}),  # N, for 0.1 s: a third of a m/s
}
CONDITIONS = ("light", "heavy", "pushed")  # judged with the policy's mean alone
# In `fast` alone.
COMPARED = (
    "ppo_one", "ppo_600", "trpo_400", "trpo_600", "transfer_calm", "energy_none", "energy_much"
)  # fmt: skip


def judge_run(path: Path, judges: list[str], episodes: int) -> None:
    """Judge one record as far as it is not judged."""
    for name in judges:
        for mode in judge.MODES[:1] if name in CONDITIONS else judge.MODES:
            done = records.judgements(path)["judges"].get(name, {}).get(mode)
            if done is None or len(done["episodes"]["returns"]) < episodes:
                result, about = JUDGES[name](path, mode, episodes)
                records.add_judgement(path, name, mode, result, about)
                print(f"{path.parent.name} {path.stem}, {name}, {mode}: {result}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of the runs, as in quadlib/agents/runs")
    parser.add_argument("--episodes", type=int, help="of each seed, judge and mode")
    parser.add_argument("--judges", nargs="+", choices=JUDGES, default=list(JUDGES))
    options = parser.parse_args()
    kept = records.names()
    if unknown := set(options.names) - set(kept):
        parser.error(f"no records of {', '.join(unknown)}; there are {', '.join(kept)}")
    try:
        for name in options.names or [n for n in (*results.LABELS, *COMPARED) if n in kept]:
            paths = records.paths_of(name)
            judges = [j for j in options.judges if j == "fast" or name not in COMPARED]
            for path in paths:
                judge_run(path, judges, options.episodes or math.ceil(EPISODES / len(paths)))
    except judge.foreign.CannotInstallError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
