"""The long runs, by one command that can be killed and called again: `make runs`.

Each run is trained on one core, in a folder of its own under `.cache/runs`, and goes on where it
was when the command is called again. What the notebooks read of it (settings, curve, the last
agent) is kept in `quadlib/agents/runs`.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quadlib.judging import records
from quadlib.learning.agent import Agent
from quadlib.learning.pool import available_cores
from quadlib.learning.settings import LONG, SLIDES, settings_for
from quadlib.learning.training import train
from quadlib.learning.transfer import PARTS, transfer
from quadlib.world.rewards import Reward, Step, Terms

WORK = Path(".cache/runs")


@dataclass(frozen=True)
class Plan:
    """One training, with several seeds.

    Attributes:
        settings: by name, all of them: the defaults may change.
        reward: where it is not the slides'.
        start: the kept training whose agent this one begins with, of the same seed where there is
            one, else of seed 0.
        parts: that it carries over.
        warmup: so many updates in which only the critic learns.
        checkpoints: evaluate the agents along the way, as the slides did.
        along: name -> steps: of the first checkpoint after so many a record is kept, too.
    """

    algorithm: str
    steps: int
    seeds: int
    settings: dict[str, Any] = field(default_factory=dict)
    reward: Reward | None = None
    start: str | None = None
    parts: tuple[str, ...] = tuple(PARTS)
    warmup: int = 0
    checkpoints: bool = False
    along: dict[str, int] = field(default_factory=dict)


# What may have kept the slides' PPO from learning: a value of theirs, and the long runs' instead.
SUSPECTS = {
    "observations": ("normalize_observations",),
    "rewards": ("normalize_rewards",),
    "clipping": ("sb2_value_clipping",),
    "gamma": ("gamma",),
    "rate": ("learning_rate",),
    "robots": ("n_envs", "n_steps"),
    "noise": ("log_std_init",),
}
# What may have kept the slides' transfer from calming the policy down.
DOUBTS = {
    "gamma": ("gamma",),
    "lambda": ("gae_lambda",),
    "rate": ("learning_rate",),
    "robots": ("n_envs", "n_steps"),
    "epochs": ("n_epochs",),
    "gamma_rate": ("gamma", "learning_rate"),
    "all": ("gamma", "gae_lambda", "learning_rate", "n_envs", "n_steps", "n_epochs"),
}
ENERGY_WEIGHTS = {"none": 0.0, "much": 0.05}  # the slides' is 0.005
NETWORKS = {"128": (128, 128), "256": (256, 256), "three": (64, 64, 64)}


def weighing(weight: float) -> Reward:
    """The slides' reward with another weight of the effort."""

    def reward(step: Step) -> Terms:
        return {"forward": step.dx, "energy": -weight * step.energy}

    reward.__name__ = f"energy_weight_{weight}"
    return reward


def exchanged(
    table: dict[str, Any], other: dict[str, Any], names: tuple[str, ...]
) -> dict[str, Any]:
    """A table of settings, but some of another."""
    return table | {name: other[name] for name in names}


# The slides' rollouts, from one robot: PPO learns faster with them, and becomes wilder.
ONE = exchanged({}, SLIDES["ppo"], SUSPECTS["robots"])
# The second million: the noise has shrunk, so the same step changes the policy more than at first.
# For each algorithm what changes.
COOLER = {
    "ppo": {"learning_rate": 1e-4},
    "ppo_kl": {"learning_rate": 1e-4},
    "trpo": {"target_kl": 0.005},
}
# The first recipe to calm TRPO's agents down, which failed: small steps, and little noise at once.
CALM = {"learning_rate": 1e-4, "log_std_init": -2.3}
BUT_NOISE = ("policy", "critic", "statistics")

PLANS = {
    "ppo": Plan("ppo", 1_000_000, 5, LONG["ppo"], along={"ppo_600": 600_000}),
    "ppo_one": Plan("ppo", 1_000_000, 3, LONG["ppo"] | ONE),
    "ppo_kl": Plan("ppo_kl", 1_000_000, 5, LONG["ppo_kl"]),
    "trpo": Plan(
        "trpo", 1_000_000, 5, LONG["trpo"], along={"trpo_400": 400_000, "trpo_600": 600_000}
    ),
    # A million in all, as "ppo" and "trpo" have.
    "transfer": Plan("ppo", 600_000, 3, LONG["ppo"], start="trpo_400", warmup=3),
    "transfer_calm": Plan(
        "ppo", 400_000, 3, LONG["ppo"] | ONE | CALM, start="trpo_600", parts=BUT_NOISE, warmup=3
    ),
    "slides_ppo": Plan("ppo", 4_000_000, 1, SLIDES["ppo"], checkpoints=True),
    "slides_trpo": Plan("trpo", 4_000_000, 1, SLIDES["trpo"], checkpoints=True),
    "slides_transfer": Plan(
        "ppo", 4_000_000, 1, SLIDES["transfer"], start="slides_trpo", checkpoints=True
    ),
}
for name, changes in COOLER.items():
    PLANS[f"{name}_cooled"] = Plan(name, 1_000_000, 5, LONG[name] | changes, start=name)
for name, names in SUSPECTS.items():
    mended = exchanged(SLIDES["ppo"], LONG["ppo"], names)
    broken = exchanged(LONG["ppo"], SLIDES["ppo"], names)
    PLANS[f"slides_but_{name}"] = Plan("ppo", 300_000, 1, mended)
    PLANS[f"ppo_but_{name}"] = Plan("ppo", 300_000, 1, broken)
    if name != "gamma":  # the only one that helped alone
        mended = exchanged(SLIDES["ppo"], LONG["ppo"], ("gamma", *names))
        PLANS[f"slides_but_gamma_{name}"] = Plan("ppo", 300_000, 1, mended)
for name, names in DOUBTS.items():
    mended = exchanged(SLIDES["transfer"], LONG["ppo"], names)
    PLANS[f"transfer_but_{name}"] = Plan("ppo", 300_000, 1, mended, start="slides_trpo")
for name, weight in ENERGY_WEIGHTS.items():
    PLANS[f"energy_{name}"] = Plan("ppo", 600_000, 1, LONG["ppo"], reward=weighing(weight))
for name, hidden in NETWORKS.items():
    PLANS[f"net_{name}"] = Plan("ppo", 600_000, 1, LONG["ppo"] | {"hidden": hidden})


def rounds(names: list[str]) -> list[list[str]]:
    """Those that begin with nothing; when they are done, those that begin with their agents."""
    anew = [name for name in names if not PLANS[name].start]
    after = [name for name in names if PLANS[name].start]
    return [part for part in (anew, after) if part]


def jobs(names: list[str]) -> Iterator[tuple[str, int]]:
    """(name, seed): the first seed of each, then the second …"""
    for seed in range(max(PLANS[name].seeds for name in names)):
        yield from ((name, seed) for name in names if seed < PLANS[name].seeds)


def is_kept(name: str, seed: int) -> bool:
    """Does the package hold this training, as its plan says?"""
    plan = PLANS[name]
    paths = [records.path_of(each, seed) for each in (name, *plan.along)]
    if not all(path.exists() for path in paths):
        return False
    about = Agent.load(paths[0]).about
    return (
        about["settings"] == settings_for(plan.algorithm, plan.settings).as_dict()
        and about["steps"] >= plan.steps
        and about.get("reward") == (plan.reward and plan.reward.__name__)
    )


def run(name: str, seed: int) -> None:
    """Train one, or what is missing of it, and keep its record."""
    plan, folder = PLANS[name], WORK / f"{name}_{seed}"
    if not folder.exists() and is_kept(name, seed):
        return  # a fresh clone: nothing is missing
    options = {
        "steps": plan.steps, "env": "Minitaur", "seed": seed, "folder": folder,
        "progress": False, "processes": 0, "reward": plan.reward, **plan.settings,
    }  # fmt: skip
    if plan.start:
        agents = {record.seed: record.agent for record in records.runs(plan.start)}
        start = agents.get(seed, agents[0])
        trained = transfer(start, plan.algorithm, plan.parts, plan.warmup, **options)
    else:
        trained = train(plan.algorithm, **options)
    if trained.stopped != "steps":
        sys.exit(f"{name} {seed} was stopped, and is not kept: call again, and it goes on")
    records.keep(folder)
    for earlier, steps in plan.along.items():
        records.keep(folder, at=steps, name=earlier)
    if plan.checkpoints:
        records.keep_checkpoints(folder)


def main() -> None:
    """Train what is asked for, one run per core."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"all by default: {', '.join(PLANS)}")
    parser.add_argument("--seed", type=int, help="only this one, in this process")
    parser.add_argument("--cores", type=int, default=available_cores())
    options = parser.parse_args()
    names = options.names or list(PLANS)
    if unknown := set(names) - set(PLANS):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(PLANS)}")
    if options.seed is not None:
        for name in names:
            run(name, options.seed)
        return

    def train_alone(job: tuple[str, int]) -> bool:
        name, seed = job
        done = subprocess.run([sys.executable, "-W", "ignore", __file__, name, f"--seed={seed}"])
        kept = done.returncode == 0
        print(f"{name} {seed}: " + ("kept" if kept else "failed"), flush=True)
        return kept

    with ThreadPoolExecutor(options.cores) as pool:
        for part in rounds(names):
            if not all(list(pool.map(train_alone, jobs(part)))):
                sys.exit("not all were kept: call again, and what is missing goes on")


if __name__ == "__main__":
    main()
