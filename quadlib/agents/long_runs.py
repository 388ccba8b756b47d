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

from quadlib import records
from quadlib.settings import SLIDES
from quadlib.training import train
from quadlib.vec_env import available_cores

WORK = Path(".cache/runs")


@dataclass(frozen=True)
class Plan:
    """One training, with several seeds. `settings` are those that are not the defaults."""

    algorithm: str
    steps: int
    seeds: int
    settings: dict[str, Any] = field(default_factory=dict)


PLANS = {
    "ppo": Plan("ppo", 2_000_000, 5),
    "trpo": Plan("trpo", 2_000_000, 5),
    "ppo_kl": Plan("ppo_kl", 2_000_000, 5),
    "slides_ppo": Plan("ppo", 4_000_000, 1, SLIDES["ppo"]),
    "slides_trpo": Plan("trpo", 4_000_000, 1, SLIDES["trpo"]),
}


def jobs(names: list[str]) -> Iterator[tuple[str, int]]:
    """(name, seed): the first seed of each, then the second …"""
    for seed in range(max(PLANS[name].seeds for name in names)):
        yield from ((name, seed) for name in names if seed < PLANS[name].seeds)


def run(name: str, seed: int) -> None:
    """Train one, or what is missing of it, and keep its record."""
    plan, folder = PLANS[name], WORK / f"{name}_{seed}"
    train(
        plan.algorithm, steps=plan.steps, env="Minitaur", seed=seed, folder=folder,
        progress=False, processes=0, **plan.settings,
    )  # fmt: skip
    records.keep(folder)


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

    def train_alone(job: tuple[str, int]) -> str:
        name, seed = job
        done = subprocess.run([sys.executable, "-W", "ignore", __file__, name, f"--seed={seed}"])
        return f"{name} {seed}: " + ("kept" if done.returncode == 0 else "failed")

    with ThreadPoolExecutor(options.cores) as pool:
        for line in pool.map(train_alone, jobs(names)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
