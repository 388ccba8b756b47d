"""What the benchmarks share: bare physics to compare with, and ratios from a noisy machine."""

import os
from collections.abc import Sequence
from operator import mul
from time import perf_counter, thread_time
from typing import NamedTuple

import numpy as np

import quadlib
from quadlib.learning.agent import Agent
from quadlib.learning.pool import Pool, available_cores
from quadlib.world.robot import DIRECTION, SUBSTEPS, Robot, pybullet

BARE_STEPS = 500  # env steps of each process, for one rate


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


class Replay(NamedTuple):
    """Seconds that some physics steps took.

    Attributes:
        physics: inside `stepSimulation`.
        loop: of the whole loop, which sends the torques too.
        processor: the same loop on the processor's clock, which stands still for other programs.
            Reading that one takes microseconds: twice in each step it would be felt.
    """

    physics: float
    loop: float
    processor: float


def replay(robot: Robot, sent: Sequence[Sequence[float]]) -> Replay:
    """Send recorded torques again and do nothing else: the same physics steps, bare."""
    client, body, motors, physics = robot.client, robot.body, robot.motors, 0.0
    start, processor_start = perf_counter(), thread_time()
    for torques in sent:
        pybullet.setJointMotorControlArray(
            body, motors, pybullet.TORQUE_CONTROL, forces=torques, physicsClientId=client
        )
        before = perf_counter()
        pybullet.stepSimulation(client)
        physics += perf_counter() - before
    return Replay(physics, perf_counter() - start, thread_time() - processor_start)


class Replayer:
    """In one process: what an agent sends to the joints while it explores, and then only that."""

    def __init__(self, number: int) -> None:
        self.env, self.rng = quadlib.make(), np.random.default_rng(number)

    def physics_rate(self, agent: Agent) -> float:
        """Env steps per second (5 physics steps each) of `stepSimulation` alone."""
        robot = self.env.unwrapped.robot
        episodes = [torques_of(robot, commands) for commands in self._explore(agent)]
        seconds, steps = 0.0, 0
        for sent in episodes:
            robot.reset()
            seconds += replay(robot, sent).physics
            steps += len(sent)
        return steps / SUBSTEPS / seconds

    def _explore(self, agent: Agent) -> list[list[list[float]]]:
        """The motor angles that it commands, by episode."""
        episodes, ended = [], True
        for _ in range(BARE_STEPS):
            if ended:
                observation, _ = self.env.reset()
                episodes.append([])
            action = agent.act(observation, deterministic=False, rng=self.rng)
            episodes[-1].append(self.env.unwrapped.to_motor_angles(action))
            observation, _, fell, cut, _ = self.env.step(action)
            ended = fell or cut
        return episodes


class BarePhysics:
    """`stepSimulation` of the fast robot and nothing else, in a process per core.

    A context manager.
    """

    def __init__(self) -> None:
        self._count = available_cores()
        self._pool = Pool(Replayer, [(k,) for k in range(self._count)])

    def rate(self, agent: Agent) -> float:
        """Env steps per second of all cores together, through the states of an agent."""
        return sum(self._pool.ask("physics_rate", [(agent,)] * self._count))

    def __enter__(self) -> "BarePhysics":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()


def others_running() -> None:
    """Say so when wall time will measure other programs too."""
    load, cores = os.getloadavg()[0], available_cores()
    if load > cores / 2:
        print(f"Caution: other programs are running (load {load:.1f} on {cores} cores).")


def x_of(robot: Robot) -> float:
    """Where the base is, m."""
    return pybullet.getBasePositionAndOrientation(robot.body, robot.client)[0][0]


def quotient(above: Sequence[float], below: Sequence[float]) -> str:
    """Median and quartiles of ratios, pair by pair: what slows both down at once cancels."""
    low, middle, high = np.percentile(np.divide(above, below), [25, 50, 75])
    return f"{middle:6.2f}  ({low:.2f} … {high:.2f})"
