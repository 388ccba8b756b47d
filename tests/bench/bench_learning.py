"""How long learning takes: wall time from the call of `train` to a mean training return.

`--out FILE.csv` keeps each run as it ends and skips, when called again, the runs that are there:
a long table can be made in pieces. `--table FILE.csv` prints that file as Markdown.
"""

import argparse
import csv
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
from measure import others_running

import quadlib
from quadlib.learning.settings import ALGORITHMS

# Mean returns to reach, by whose they are.
MARKS = {
    2.5: "the slides' TRPO, 6 h",
    11.33: "rl-baselines-zoo's PPO2",
    15.33: "ElegantRL's ModSAC, 21,371 s",
    25.0: "",
}
GOALS = {2.5: 20, 11.33: 45, 15.33: 60, 25.0: 120}  # s, for the best algorithm, ideal environment
ENVS = ("MinitaurIdeal", "Minitaur")
COLUMNS = ("algorithm", "env", "seed", "mark", "seconds", "steps")
RUN = COLUMNS[:3]

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
    numbers = {"mark", "seconds", "steps"}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: float(v) if name in numbers else v for name, v in row.items()}
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


def table(rows: list[Row]) -> str:
    """Markdown: for each algorithm and environment the median seconds to each mark.

    Beside it the fastest and the slowest seed; "–" where less than half of the seeds got there.
    """
    lines = [
        "| environment | algorithm | seeds | " + " | ".join(f"{m:g}" for m in MARKS) + " |",
        "|---|---|---|" + "---|" * len(MARKS),
    ]
    for env, algorithm in sorted({(str(row["env"]), str(row["algorithm"])) for row in rows}):
        mine = [row for row in rows if (row["env"], row["algorithm"]) == (env, algorithm)]
        cells = [_cell([float(row["seconds"]) for row in mine if row["mark"] == m]) for m in MARKS]
        seeds = len({row["seed"] for row in mine})
        lines.append(f"| {env} | {algorithm} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(seconds: list[float]) -> str:
    """Median (fastest … slowest), whole seconds; a mark that was not reached counts as ∞."""
    middle = np.median(seconds)
    if middle == np.inf:
        return "–"
    if len(seconds) == 1:
        return f"{middle:.0f} s"
    return f"{middle:.0f} s ({min(seconds):.0f} … {max(seconds):.0f})".replace("inf", "∞")


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
        print(table(read(options.table)))
        return
    rows = read(options.out) if options.out and options.out.exists() else []
    done = {tuple(str(row[name]) for name in RUN) for row in rows}
    print("\nWall time to a mean training return. Goals for the best algorithm, ideal environment:")
    for mark, owner in MARKS.items():
        print(f"{mark:6g}  ≤ {GOALS[mark]:3} s  {owner}")
    others_running()
    for seed, env, algorithm in product(range(options.seeds), options.envs, options.algorithms):
        if (algorithm, env, str(seed)) in done:
            continue
        new = learn(algorithm, env, seed, options.cap)
        if options.out:
            append(options.out, new)
        rows += new
        times = "  ".join(f"{row['mark']:g}: {_cell([float(row['seconds'])])}" for row in new)
        print(f"{algorithm:8}{env:15}seed {seed}   {times}", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
