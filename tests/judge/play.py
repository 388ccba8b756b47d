"""Plays an agent in pybullet_envs' own MinitaurBulletEnv with its own randomizer.

Runs where the old gym is (see foreign.py) and prints a line of JSON per episode.
usage: play.py AGENT deterministic|stochastic SEED ...
"""

import json
import os
import random
import sys

import numpy as np

from quadlib.learning.agent import Agent

EPISODE_STEPS = 1000
GRAVITY = 10.0  # m/s²


def play(env, agent: Agent, deterministic: bool, seed: int) -> dict[str, float]:
    """One episode, in the units and as `quadlib.judging.evaluation` defines them."""
    # The randomizer draws from both global generators.
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    rng = np.random.default_rng(seed)
    observation = env.reset()
    robot, client = env.minitaur, env._pybullet_client
    links = range(-1, client.getNumJoints(robot.quadruped))
    mass = sum(client.getDynamicsInfo(robot.quadruped, link)[0] for link in links)
    total, energy, length, ended = 0.0, 0.0, 0, False
    while length < EPISODE_STEPS and not ended:
        action = agent.act(observation, deterministic, rng)
        # In float64: MinitaurBulletEnv keeps the motor angles in the type of the action.
        observation, reward, ended, _ = env.step(action.astype(np.float64))
        total, length = total + reward, length + 1
        torques = np.where(robot._motor_enabled_list, robot._applied_motor_torque, 0.0)
        energy += np.abs(torques * robot.GetMotorVelocities()).sum()  # the signs of both agree
    distance, power = robot.GetBasePosition()[0], energy / length
    speed = distance / (length * env._time_step * env._action_repeat)
    return {
        "seed": seed,
        "returns": total,
        "lengths": length,
        "fell": bool(ended),
        "distances": distance,
        "speeds": speed,
        "powers": power,
        "costs_of_transport": power / (mass * GRAVITY * speed) if speed > 0 else float("inf"),
    }


def main(path: str, mode: str, *seeds: str) -> None:
    # Bullet and the environment print; what they print must not get between the results.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from pybullet_envs.bullet.minitaur_gym_env import MinitaurBulletEnv

    agent, env = Agent.load(path), MinitaurBulletEnv()
    for seed in map(int, seeds):
        print(json.dumps(play(env, agent, mode == "deterministic", seed)), file=results, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
