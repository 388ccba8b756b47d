"""The long runs, by one command that can be killed and called again: `make runs`.

Each run is trained in a folder of its own under `.cache/runs`, one run per core, and goes on where
it was when the command is called again. What the notebooks read of it (curve, settings, the last
agent) is kept in `quadlib/agents/runs`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from quadlib.settings import SLIDES
from quadlib.training import train

WORK = Path(".cache/runs")

# name: (algorithm, steps, settings that are not the defaults)
PLANS = {
    "slides_ppo": ("ppo", 4_000_000, SLIDES["ppo"]),
    "slides_trpo": ("trpo", 4_000_000, SLIDES["trpo"]),
}


def run(name: str, seed: int) -> None:
    """Train one, or what is missing of it."""
    algorithm, steps, settings = PLANS[name]
    train(
        algorithm, steps=steps, env="Minitaur", seed=seed, folder=WORK / f"{name}_{seed}",
        progress=False, processes=1, **settings,
    )  # fmt: skip


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
