"""How fast the environment is, on one core: against its reference and against bare physics.

All contenders play the same recorded trot, a stretch of it in turn, many times over: each ratio is
the median over pairs of neighbouring stretches. "Bare stepSimulation" sends the torques that `fast`
sent, so it passes through the same states (its final position is compared), and counts only the
time inside `stepSimulation`. All times are the processor's: what else runs here is not counted.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from time import thread_time

import numpy as np
from measure import quotient, replay, torques_of, x_of

import quadlib
from quadlib.world.robot import SUBSTEPS, Robot

TESTS = Path(__file__).parents[1]
sys.path.append(str(TESTS / "judge"))
import foreign  # noqa: E402

RECORDING, GAIT = TESTS / "minitaur_bullet_env.npz", "trot"
STRETCH = 20  # control steps
RESETS = 20


class Ours:
    """One of our environments on the gait."""

    def __init__(self, actions: np.ndarray, env: str = "MinitaurIdeal", **options: str) -> None:
        self.actions, self.env = actions, quadlib.make(env, **options)

    def reset(self) -> float:
        start = thread_time()
        self.env.reset(seed=0)
        return thread_time() - start

    def play(self, first: int, last: int) -> float:
        start = thread_time()
        for action in self.actions[first:last]:
            self.env.step(action)
        return thread_time() - start

    def x(self) -> float:
        return x_of(self.env.unwrapped.robot)


class Bare:
    """`stepSimulation` of the fast robot with the torques of the same gait; also the whole loop."""

    def __init__(self, actions: np.ndarray) -> None:
        self.robot = Robot("fast")
        to_angles = quadlib.make().unwrapped.to_motor_angles
        self.torques = torques_of(self.robot, [to_angles(action) for action in actions])
        self.loop: list[float] = []

    def reset(self) -> float:
        self.robot.reset()
        return 0.0

    def play(self, first: int, last: int) -> float:
        took = replay(self.robot, self.torques[first * SUBSTEPS : last * SUBSTEPS])
        self.loop.append(took.processor)
        return took.processor * took.physics / took.loop

    def x(self) -> float:
        return x_of(self.robot)


class Theirs:
    """MinitaurBulletEnv itself, in a process of its own that waits between its turns."""

    def __init__(self, recording: Path) -> None:
        self.process = foreign.start(
            "clock.py", recording, GAIT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def reset(self) -> float:
        return self._ask("reset")

    def play(self, first: int, last: int) -> float:
        return self._ask(f"{first} {last}")

    def x(self) -> float:
        return float(self.process.communicate()[0])

    def _ask(self, line: str) -> float:
        print(line, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="times the whole gait (5)")
    parser.add_argument("--recording", type=Path, default=RECORDING)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    actions = np.load(options.recording)[f"{GAIT}/actions"]
    bare = Bare(actions)
    contenders = {
        "fast": Ours(actions),
        "fast, noise, latency, randomization": Ours(actions, "Minitaur"),
        "reference": Ours(actions, physics="reference"),
        "bare stepSimulation of fast": bare,
    }
    if foreign.ready():
        contenders["MinitaurBulletEnv itself"] = Theirs(options.recording)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender.reset()
    resets = {
        name: [contender.reset() for _ in range(RESETS)] for name, contender in contenders.items()
    }
    for _ in range(options.rounds):
        for contender in contenders.values():
            contender.reset()
        for first in range(0, len(actions), STRETCH):
            for name, contender in contenders.items():
                seconds[name].append(contender.play(first, first + STRETCH))
    seconds["bare, with sending the torques"] = bare.loop
    show(seconds, resets, {name: contender.x() for name, contender in contenders.items()})


def show(
    seconds: dict[str, list[float]], resets: dict[str, list[float]], x: dict[str, float]
) -> None:
    """Print the table."""
    print(f"\nThe environment on one core: {len(next(iter(seconds.values())))} stretches of a trot")
    print(f"{'':38}{'env steps/s':>12}{'reset':>11}{'got to x':>13}")
    for name, each in seconds.items():
        reset = np.median(resets[name]) * 1e3 if name in resets else 0.0
        print(
            f"{name:38}{STRETCH / np.median(each):12,.0f}"
            + (f"{reset:8.2f} ms" if reset else " " * 11)
            + (f"{x[name]:11.4f} m" if name in x else "")
        )
    fast, reference, physics = "fast", "reference", "bare stepSimulation of fast"
    pairs = [
        ("fast / reference, goal ≥ 3", reference, fast),
        ("fast / bare stepSimulation, goal ≥ 0.85", physics, fast),
        ("fast / bare with sending the torques", "bare, with sending the torques", fast),
    ]
    if "MinitaurBulletEnv itself" in seconds:
        pairs += [
            ("reference / MinitaurBulletEnv itself", "MinitaurBulletEnv itself", reference),
            ("fast / MinitaurBulletEnv itself", "MinitaurBulletEnv itself", fast),
        ]
    print("Ratios of speed: median (quartiles). Goal for a reset of fast: < 2 ms.")
    for name, slower, faster in pairs:
        print(f"{name:44}{quotient(seconds[slower], seconds[faster])}")
    if x[physics] != x[fast]:
        print("Caution: bare physics did not pass through the same states as fast.")
    if "MinitaurBulletEnv itself" not in seconds:
        print("To compare with MinitaurBulletEnv itself: python tests/judge/foreign.py, then again")


if __name__ == "__main__":
    main()
