"""How far does each simplification of the physics move the result? Prints a table, writes a CSV.

    python tests/bench/physics_choices.py [AGENT] [--episodes N]

Two measures: the recorded gaits of MinitaurBulletEnv, played again (contacts make them chaotic:
after a few seconds two runs that differ in the last bit differ in centimetres), and a trained
agent's return in the slides' environment. `fast` is the row with merged links and 20 iterations.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

import quadlib
from quadlib.judging.evaluation import evaluate
from quadlib.learning.agent import Agent
from quadlib.world.env import leg_model
from quadlib.world.robot import PHYSICS, Physics, Robot

HERE = Path(__file__).parent
GAITS = np.load(HERE.parent / "minitaur_bullet_env.npz")
CHOICES = {
    "reference": PHYSICS["reference"],
    "60 iterations, merged links": Physics(True, 60, False),
    "30 iterations, merged links": Physics(True, 30, False),
    "20 iterations, merged links": Physics(True, 20, False),
    "10 iterations, merged links": Physics(True, 10, False),
}


def distance(gait: str, physics: Physics) -> float:
    """Root mean square distance in m of the body from where the recording has it, over 4 s."""
    robot = Robot(physics)
    robot.reset()
    positions = [robot.position]
    for action in GAITS[f"{gait}/actions"]:
        robot.advance(leg_model(action))
        positions.append(robot.position)
    robot.close()
    errors = np.array(positions) - GAITS[f"{gait}/positions"]
    return float(np.sqrt((errors**2).sum(axis=1).mean()))


def main() -> None:
    """Measure every choice."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shipped = Path(quadlib.__file__).parent / "agents" / "first_gait.safetensors"
    arguments.add_argument("agent", nargs="?", default=shipped)
    arguments.add_argument("--episodes", type=int, default=100)
    given = arguments.parse_args()
    agent = Agent.load(given.agent)
    rows = []
    for name, physics in CHOICES.items():
        judged = evaluate(agent, given.episodes, env="Minitaur", physics=physics)
        row = {"physics": name}
        row |= {f"{gait}_rms_m": round(distance(gait, physics), 4) for gait in ("trot", "random")}
        row |= {"return": round(judged.mean, 2), "std": round(judged.std, 2)}
        row |= {"falls": int(judged.fell.sum()), "speed_m_s": round(judged.speeds.mean(), 3)}
        row |= {"power_W": round(judged.powers.mean(), 1), "episodes": given.episodes}
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    with (HERE / "physics_choices.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
