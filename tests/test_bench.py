"""The benchmarks' arithmetic, and that bare physics passes through an episode's states."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "bench"))
import bench_learning
import measure

from quadlib.world.robot import MOTOR_START, Robot

BENCH = Path(measure.__file__).parent


def test_replayed_torques_pass_through_the_same_states():
    robot = Robot()
    commands = [[MOTOR_START + 0.3 * np.sin(0.5 * k)] * 8 for k in range(30)]
    sent = measure.torques_of(robot, commands)
    after = measure.x_of(robot)
    robot.reset()
    robot.advance(commands[0])
    before = measure.x_of(robot)
    robot.reset()
    measure.replay(robot, sent)
    assert measure.x_of(robot) == after != before
    robot.reset()
    for command in commands:
        robot.advance(command)
    assert measure.x_of(robot) == after
    robot.close()


def test_a_quotient_is_the_median_over_pairs():
    assert measure.quotient([1, 4, 9], [1, 2, 3]).split()[0] == "2.00"


def rows(seconds: list[float], seed: int) -> list[bench_learning.Row]:
    run = {
        "algorithm": "ppo",
        "env": "MinitaurIdeal",
        "seed": seed,
        "cap": 120.0,
        "bare": 4000.0 + seed,
    }
    marks = zip(bench_learning.MARKS, seconds, strict=True)
    return [{**run, "mark": mark, "seconds": s, "steps": 10_000 * s} for mark, s in marks]


def test_the_table_has_medians_over_seeds_and_survives_the_file(tmp_path):
    file = tmp_path / "learning.csv"
    for seed, last in enumerate((np.inf, 90.0, np.inf)):
        bench_learning.append(file, rows([10.0 + seed, 40.0, 50.0 + seed**2, last], seed))
    speed, seconds, steps = bench_learning.tables(bench_learning.read(file)).split("\n\n")
    assert "4,001 steps/s" in speed
    assert cells_of(seconds.splitlines()[-1]) == [
        "`MinitaurIdeal`", "`ppo`", "3", "120 s",
        "11 s (10 … 12)", "40 s (40 … 40)", "51 s (50 … 54)", "–",
    ]  # fmt: skip
    assert cells_of(steps.splitlines()[-1])[4:6] == ["110 k (100 … 120)", "400 k (400 … 400)"]


def test_the_readme_has_the_table_of_the_kept_runs():
    kept = bench_learning.read(BENCH / "learning.csv")
    assert len(kept) == 2 * 3 * 5 * 4  # environments, algorithms, seeds, marks
    readme = (BENCH.parents[1] / "README.md").read_text(encoding="utf-8")
    assert bench_learning.tables(kept) in readme
    speeds = [row["bare"] for row in kept]
    assert f"from {min(speeds):,.0f} to {max(speeds):,.0f} steps/s" in readme


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_seed_that_missed_a_mark_is_shown(tmp_path):
    many = [row for seed, t in enumerate((5.0, 7.0, np.inf)) for row in rows([t] * 4, seed)]
    assert "7 s (5 … ∞)" in bench_learning.table(many)


def train_like(returns):
    """A `train` whose mean return is known in advance, 4096 steps an update."""

    def train(*_, on_update, **__):
        for k in range(1, len(returns) + 1):
            steps, curve = 4096 * np.arange(1, k + 1), np.array(returns[:k])
            try:
                on_update(SimpleNamespace(curve={"steps": steps, "return": curve}))
            except KeyboardInterrupt:
                return SimpleNamespace(stopped="interrupted")
        return SimpleNamespace(stopped="seconds")

    return train


def test_a_mark_counts_when_it_is_first_reached_and_the_last_one_ends_the_run(monkeypatch):
    returns = [np.nan, 3.0, 1.0, 12.0, 9.0, 27.0, 10.0]
    monkeypatch.setattr(bench_learning.quadlib, "train", train_like(returns))
    found = bench_learning.learn("ppo", "MinitaurIdeal", 0, cap=1.0)
    assert [row["mark"] for row in found] == [2.5, 11.33, 15.33, 25.0]
    assert [row["steps"] // 4096 for row in found] == [2, 4, 6, 6]
    monkeypatch.setattr(bench_learning.quadlib, "train", train_like(returns[:4]))
    found = bench_learning.learn("ppo", "MinitaurIdeal", 0, cap=1.0)
    assert [row["seconds"] < np.inf for row in found] == [True, True, False, False]


def test_a_run_that_the_user_stops_is_no_result(monkeypatch):
    stopped = SimpleNamespace(stopped="interrupted")
    monkeypatch.setattr(bench_learning.quadlib, "train", lambda *_, **__: stopped)
    with pytest.raises(KeyboardInterrupt):
        bench_learning.learn("ppo", "MinitaurIdeal", 0, cap=1.0)
