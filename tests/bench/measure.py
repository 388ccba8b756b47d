"""What the benchmarks share: bare physics to compare with, and ratios from a noisy machine."""

from collections.abc import Sequence
from operator import mul
from time import perf_counter, thread_time

import numpy as np

from quadlib.robot import DIRECTION, SUBSTEPS, Robot, pybullet


def torques_of(robot: Robot, commands: Sequence[Sequence[float]]) -> list[list[float]]:
    """What `Robot.advance` sends to the joints in an episode of commanded motor angles.

    A list of 8 torques (N·m) for each physics step.
    """
    robot.reset()
    sent = []
    for command in commands:
        for _ in range(SUBSTEPS):
            robot.advance(command, steps=1)
            sent.append(list(map(mul, DIRECTION, robot.torques)))
    return sent


def replay(robot: Robot, sent: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Send recorded torques again and do nothing else: the same physics steps, bare.

    Returns processor seconds inside `stepSimulation`, and of the loop with sending the torques.
    """
    client, body, motors, inside = robot.client, robot.body, robot.motors, 0.0
    start, processor_start = perf_counter(), thread_time()
    for torques in sent:
        pybullet.setJointMotorControlArray(
            body, motors, pybullet.TORQUE_CONTROL, forces=torques, physicsClientId=client
        )
        before = perf_counter()
        pybullet.stepSimulation(client)
        inside += perf_counter() - before
    loop = thread_time() - processor_start
    # Reading the processor's clock takes microseconds: twice in each step it would be felt.
    return loop * inside / (perf_counter() - start), loop


def x_of(robot: Robot) -> float:
    """Where the base is, m."""
    return pybullet.getBasePositionAndOrientation(robot.body, robot.client)[0][0]


def quotient(above: Sequence[float], below: Sequence[float]) -> str:
    """Median and quartiles of ratios, pair by pair: what slows both down at once cancels."""
    low, middle, high = np.percentile(np.divide(above, below), [25, 50, 75])
    return f"{middle:6.2f}  ({low:.2f} … {high:.2f})"
