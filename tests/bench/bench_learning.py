"""How long learning takes: wall time from the call of `train` to a mean training return.

`--out FILE.csv` keeps each run as it ends and skips, when called again, the runs that are there:
a long table can be made in pieces. `--table FILE.csv` prints that file as Markdown: seconds, which
are this machine's, and environment steps, which are the same on any. How fast the machine was goes
with each run: what bare `stepSimulation` did on all cores just before, as in bench_training.
"""

import argparse
import csv
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
from measure import BarePhysics, others_running

import quadlib
from quadlib.learning.agent import Agent
from quadlib.learning.settings import ALGORITHMS

# Mean returns to reach, by whose they are.
MARKS = {
    2.5: "the slides' TRPO, 6 h",
    11.33: "rl-baselines-zoo's PPO2",
    15.33: "ElegantRL's ModSAC, 21,371 s",
    25.0: "",
}
GOALS = {2.5: 20, 11.33: 45, 15.33: 60, 25.0: 120}  # s, for the best algorithm, ideal environment
COLUMNS = ("algorithm", "env", "seed", "cap", "bare", "mark", "seconds", "steps")
RUN = COLUMNS[:3]
NUMBERS = set(COLUMNS[3:])
# Bare physics passes through its states.
GAIT = Path(quadlib.__file__).parent / "agents" / "first_gait.safetensors"

Row = dict[str, str | float]


def learn(algorithm: str, env: str, seed: int, cap: float) -> list[Row]:
    """Train until the last mark or `cap` seconds. A row per mark; inf where it was not reached."""
    missed = {"seconds": np.inf, "steps": np.inf}
    rows = [{"algorithm": algorithm, "env": env, "seed": seed, "mark": m, **missed} for m in MARKS]
    called = perf_counter()

    def look(run: quadlib.Run) -> None:
        now, reached = perf_counter() - called, run.curve["return"][-1]
        for row in rows:
            if reached >= row["mark"] and row["seconds"] == np.inf:
                row.update(seconds=round(now, 1), steps=int(run.curve["steps"][-1]))
        if rows[-1]["seconds"] < np.inf:
            raise KeyboardInterrupt  # as the stop button ends a run

    run = quadlib.train(algorithm, seconds=cap, env=env, seed=seed, progress=False, on_update=look)
    if run.stopped == "interrupted" and rows[-1]["seconds"] == np.inf:
        raise KeyboardInterrupt  # by whoever sits here: half a run is no result
    return rows


def read(path: Path) -> list[Row]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: float(v) if name in NUMBERS else v for name, v in row.items()}
            for row in csv.DictReader(file)
        ]


def append(path: Path, rows: list[Row]) -> None:
    """Add rows to a CSV file; a new one begins with its header."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerows(rows)


def tables(rows: list[Row]) -> str:
    """Markdown: how fast the machine was, the seconds to each mark, and the steps to it."""
    speed = np.median([float(row["bare"]) for row in rows])
    parts = [f"Bare `stepSimulation`, all cores: {speed:,.0f} steps/s (median over the runs)."]
    for what, unit, size in (("seconds", "s", 1), ("steps", "k", 1000)):
        parts.append(table(rows, what, unit, size))
    return "\n\n".join(parts)


def table(rows: list[Row], what: str = "seconds", unit: str = "s", size: float = 1) -> str:
    """Markdown: for each algorithm and environment the median to each mark.

    Beside it the best and the worst seed; "–" where less than half of the seeds got there before
    the end.
    """
    lines = [
        "| environment | algorithm | seeds | end | " + " | ".join(f"{m:g}" for m in MARKS) + " |",
        "| --- " * (4 + len(MARKS)) + "|",
    ]
    for env, algorithm in sorted({(str(row["env"]), str(row["algorithm"])) for row in rows}):
        mine = [row for row in rows if (row["env"], row["algorithm"]) == (env, algorithm)]
        cells = [
            _cell([float(row[what]) / size for row in mine if row["mark"] == m], unit)
            for m in MARKS
        ]
        seeds, ends = len({row["seed"] for row in mine}), {f"{row['cap']:g} s" for row in mine}
        cells = [f"`{env}`", f"`{algorithm}`", str(seeds), ", ".join(sorted(ends)), *cells]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: list[float], unit: str) -> str:
    """Median (least … most), whole numbers; a mark that was not reached counts as ∞."""
    middle = np.median(values)
    if middle == np.inf:
        return "–"
    if len(values) == 1:
        return f"{middle:.0f} {unit}"
    return f"{middle:.0f} {unit} ({min(values):.0f} … {max(values):.0f})".replace("inf", "∞")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="0 … SEEDS - 1 (1)")
    parser.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS), choices=ALGORITHMS)
    parser.add_argument("--envs", nargs="+", default=["MinitaurIdeal"], help="ids (MinitaurIdeal)")
    parser.add_argument("--cap", type=float, default=120, help="seconds of one run (120)")
    parser.add_argument("--out", type=Path, help="CSV file to add to")
    parser.add_argument("--table", type=Path, help="only print this CSV file as a table")
    options = parser.parse_args()
    if options.table:
        print(tables(read(options.table)))
        return
    rows = read(options.out) if options.out and options.out.exists() else []
    done = {tuple(str(row[name]) for name in RUN) for row in rows}
    print("\nWall time to a mean training return. Goals for the best algorithm, ideal environment:")
    for mark, owner in MARKS.items():
        print(f"{mark:6g}  ≤ {GOALS[mark]:3} s  {owner}")
    others_running()
    gait = Agent.load(GAIT)
    for seed, env, algorithm in product(range(options.seeds), options.envs, options.algorithms):
        if (algorithm, env, str(seed)) in done:
            continue
        with BarePhysics() as bare:
            about = {"cap": options.cap, "bare": round(bare.rate(gait))}
        new = [row | about for row in learn(algorithm, env, seed, options.cap)]
        if options.out:
            append(options.out, new)
        rows += new
        times = "  ".join(f"{row['mark']:g}: {_cell([float(row['seconds'])], 's')}" for row in new)
        print(f"{algorithm:8}{env:15}seed {seed}   {times}", flush=True)
    print(tables(rows))


if __name__ == "__main__":
    main()
