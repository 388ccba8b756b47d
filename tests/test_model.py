"""The welded robot is the robot: its links' inertias by the parallel-axis theorem, by hand."""

import pybullet
import pytest

from quadlib.world.randomization import Variations
from quadlib.world.robot import MOTORS, Robot


@pytest.fixture(scope="module")
def fast():
    robot = Robot("fast")
    robot.reset()
    yield robot
    robot.close()


def inertia(robot, link):
    return pybullet.getDynamicsInfo(robot.body, link, robot.client)[2]


def test_inertia_of_a_motor_with_its_upper_leg(fast):
    """0.25 kg (200.75, 200.75, 358.83) and, 6 cm along y and 1.5 cm along −z, 0.05 kg, turned from
    z to y: (50.83, 0.83, 50.83) kg·mm². Together a reduced mass of 0.25 · 0.05 / 0.3 kg. The motor
    front left R has no shape in the robot's description and so nearly no inertia of its own."""
    reduced = 0.25 * 0.05 / 0.3
    expected = (
        200.75e-6 + 50.83e-6 + reduced * (0.06**2 + 0.015**2),
        200.75e-6 + 0.83e-6 + reduced * 0.015**2,
        358.83e-6 + 50.83e-6 + reduced * 0.06**2,
    )
    for name, motor in zip(MOTORS, fast.motors, strict=True):
        if name != "motor_front_leftR_joint":
            assert inertia(fast, motor) == pytest.approx(expected, rel=1e-3)


def test_inertia_of_the_body_with_its_two_rails(fast):
    """3 kg and twice 0.1 kg at 10 cm to the side, tilted by 5°."""
    expected = (
        0.024097 + 2 * (0.0000707 + 0.1 * 0.1**2),
        0.028852 + 2 * 0.000989,
        0.050357 + 2 * (0.001031 + 0.1 * 0.1**2),
    )
    assert inertia(fast, -1) == pytest.approx(expected, rel=1e-3)


def test_inertia_grows_with_the_mass(fast):
    fast.reset()
    links = (-1, fast.motors[0], fast.feet[0])
    plain = [inertia(fast, link) for link in links]
    fast.reset(Variations(base_mass=1.2, leg_mass=0.5))
    for link, factor, before in zip(links, (1.2, 0.5, 0.5), plain, strict=True):
        assert inertia(fast, link) == pytest.approx([factor * value for value in before])
    fast.reset()
    assert [inertia(fast, link) for link in links] == plain


def test_a_world_holds_one_robot_and_the_ground(fast):
    fast.reset(Variations(leg_length=1.1))
    assert pybullet.getNumBodies(fast.client) == 2
