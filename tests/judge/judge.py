"""Judges an agent in pybullet_envs' own MinitaurBulletEnv, with its own randomizer.

What quadlib says about an agent should not rest on quadlib's simulation alone. This makes a
virtual environment of its own, once, and writes AGENT.judged.json beside each agent: versions, the
agent's hash, and per mode (deterministic, stochastic) all episodes and their summary.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import foreign
import numpy as np
from tqdm import tqdm

from quadlib.files import write
from quadlib.judging.evaluation import Evaluation
from quadlib.learning.pool import available_cores

ENVIRONMENT = "pybullet_envs MinitaurBulletEnv with its MinitaurEnvRandomizer"
MODES = ("deterministic", "stochastic")
SEED = 1_000_000  # of the first episode
DIGITS = 6


def judge(agent: Path, mode: str, episodes: int, seed: int = SEED) -> Evaluation:
    """Play episodes with the seeds seed, seed + 1 … on all cores.

    Raises RuntimeError, with what the player printed last, when one ends early.
    """
    seeds = range(seed, seed + episodes)
    processes = min(available_cores(), episodes)
    with ThreadPoolExecutor(processes) as threads, tqdm(total=episodes, desc=mode) as bar:
        shares = [seeds[k::processes] for k in range(processes)]
        parts = threads.map(lambda share: _play(agent, mode, share, bar), shares)
        rows = sorted((row for part in parts for row in part), key=lambda row: row["seed"])
    return as_evaluation(rows)


def as_evaluation(rows: list[dict]) -> Evaluation:
    """Episodes, a dict each, as columns."""
    names = [field.name for field in fields(Evaluation)]
    return Evaluation(**{name: np.array([row[name] for row in rows]) for name in names})


def summary(result: Evaluation) -> dict[str, float | list[float]]:
    """What a table of results shows of some episodes."""
    return {
        "mean_return": result.mean,
        "std_return": result.std,
        "interval_95": list(result.interval),
        "falls": int(result.fell.sum()),
        "mean_length": float(result.lengths.mean()),
        "mean_distance": float(result.distances.mean()),
        "mean_speed": float(result.speeds.mean()),
        "mean_power": float(result.powers.mean()),
        "median_cost_of_transport": float(np.median(result.costs_of_transport)),
    }


def report(agent: Path, seed: int, results: dict[str, Evaluation], versions: dict) -> dict:
    """All that is known about one agent, ready for JSON: rounded, and null for infinity."""
    return {
        "agent": agent.name,
        "sha256": foreign.sha256(agent),
        "environment": ENVIRONMENT,
        "first_seed": seed,
        "versions": versions,
        **{
            mode: {
                "summary": _rounded(summary(result)),
                "episodes": result.as_columns(DIGITS),
            }
            for mode, result in results.items()
        },
    }


def _rounded(values: dict) -> dict:
    text = json.dumps({name: np.asarray(value).tolist() for name, value in values.items()})
    return json.loads(
        text,
        parse_float=lambda number: float(f"{float(number):.{DIGITS}g}"),
        parse_constant=lambda name: None,
    )


def _play(agent: Path, mode: str, seeds: range, bar: tqdm) -> list[dict]:
    rows = []
    with tempfile.TemporaryFile("w+") as printed:
        player = foreign.start("play.py", agent, mode, *seeds, stderr=printed)
        try:
            for line in player.stdout:
                rows.append(json.loads(line))
                bar.update()
        finally:
            player.kill()
            player.wait()
        if len(rows) < len(seeds):
            printed.seek(0)
            raise RuntimeError(f"the player ended early:\n{printed.read()[-2000:]}")
    return rows


def versions(python: Path) -> dict[str, str]:
    """Of what the judge's environment has installed."""
    script = (
        "import importlib.metadata as m, json; "
        "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
    )
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    installed = {"python": sys.version.split()[0], **json.loads(done.stdout)}
    wanted = ("python", "pybullet", "pybullet-arm64", "gym", "numpy")
    return {name: installed[name] for name in wanted if name in installed} | {
        "quadlib": importlib.metadata.version("quadlib")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("agents", nargs="+", type=Path, help="agent files (.safetensors)")
    parser.add_argument("--episodes", type=int, default=100, help="in each mode (100)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the first episode ({SEED})")
    parser.add_argument("--mode", choices=MODES, nargs="+", default=MODES, help="both by default")
    options = parser.parse_args()
    missing = [str(agent) for agent in options.agents if not agent.is_file()]
    if missing or options.episodes < 1:
        parser.error(f"there is no {', '.join(missing)}" if missing else "--episodes is 1 or more")
    try:
        used = versions(foreign.make())
    except foreign.CannotInstallError as error:
        sys.exit(str(error))
    for agent in options.agents:
        results = {
            mode: judge(agent, mode, options.episodes, options.seed) for mode in options.mode
        }
        text = json.dumps(report(agent, options.seed, results, used)).encode()
        path = write(agent.with_suffix(".judged.json"), lambda file, text=text: file.write(text))
        for mode, result in results.items():
            print(f"{agent.name}, {mode}: {result}")
        print(f"written to {path}")


if __name__ == "__main__":
    main()
