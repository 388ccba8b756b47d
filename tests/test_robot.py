"""The robot in its world: what each variation does to it, and that no episode leaves a trace."""

import gc
import math
import subprocess
import sys

import numpy as np
import pybullet
import pytest

from quadlib.world.randomization import Variations
from quadlib.world.robot import CONTROL_STEP, DIRECTION, MOTOR_START, Physics, Robot

STAND = [MOTOR_START] * 8


@pytest.fixture(scope="module")
def fast():
    """One robot for all tests: each of them must be able to live with what the others left."""
    robot = Robot("fast")
    yield robot
    robot.close()


@pytest.fixture(scope="module")
def reference():
    robot = Robot("reference")
    yield robot
    robot.close()


@pytest.fixture(params=["fast", "reference"])
def robot(request):
    return request.getfixturevalue(request.param)


def trot(step):
    """Motor angles of a hand-made gait: diagonal legs in turn, 2 Hz."""
    phase = 2 * math.pi * 2.0 * CONTROL_STEP * step
    angles = []
    for side in (1, -1, -1, 1):
        lift, swing = 0.3 * side * math.sin(phase), 0.2 * side * math.cos(phase)
        angles += [MOTOR_START + lift - swing, MOTOR_START - lift - swing]
    return angles


def walk(robot, steps=60, variations=Variations()):  # noqa: B008 (frozen)
    """The readings of a short walk."""
    robot.reset(variations)
    readings = [robot.reading]
    for step in range(steps):
        robot.advance(trot(step))
        readings.append(robot.reading)
    return np.array(readings)


def masses(robot):
    links = range(-1, pybullet.getNumJoints(robot.body, robot.client))
    return np.array([pybullet.getDynamicsInfo(robot.body, i, robot.client)[0] for i in links])


# ---- the start ----------------------------------------------------------------------------------


def test_it_starts_standing_on_four_feet(robot):
    robot.reset()
    assert robot.contacts() == (True,) * 4
    assert robot.orientation == pytest.approx((0, 0, 0, 1), abs=0.02)


def test_it_stands_still_when_told_to(robot):
    robot.reset()
    robot.advance(STAND, 500)
    assert robot.angles == pytest.approx(STAND, abs=0.15)  # its weight bends the springy legs
    assert np.abs(robot.velocities).max() < 0.2
    assert robot.position[:2] == pytest.approx((0, 0), abs=0.05)
    assert robot.position[2] == pytest.approx(0.157, abs=0.01)


def test_welding_fixed_links_keeps_the_mass(fast, reference):
    fast.reset()
    reference.reset()
    assert (len(masses(fast)), len(masses(reference))) == (17, 27)
    assert fast.mass == pytest.approx(reference.mass, abs=1e-9)
    assert masses(fast).sum() == pytest.approx(fast.mass)


def test_a_robot_in_the_air_touches_nothing(fast):
    fast.reset()
    pybullet.resetBasePositionAndOrientation(fast.body, (0, 0, 1), (0, 0, 0, 1), fast.client)
    fast.advance(STAND)
    assert fast.contacts() == (False,) * 4


def test_physics_of_ones_own_is_simulated_as_told():
    robot = Robot(Physics(merge_fixed_links=True, solver_iterations=7, rebuild=False))
    robot.reset()
    assert len(masses(robot)) == 17
    told = pybullet.getPhysicsEngineParameters(robot.client)
    assert told["numSolverIterations"] == 7 and told["fixedTimeStep"] == 0.002
    robot.close()


def test_unknown_physics_is_refused():
    with pytest.raises(ValueError, match="'reference' or 'fast', not 'quick'"):
        Robot("quick")


def test_what_bullet_prints_stays_out():
    code = (
        "from quadlib.world.robot import Robot; from quadlib.world.randomization import Variations;"
        "r = Robot(); r.reset(); r.reset(Variations(leg_length=1.1)); r.close(); print('only this')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == "only this\n"


# ---- variations ---------------------------------------------------------------------------------


def test_base_and_leg_mass_scale_their_own_links(robot):
    robot.reset()
    plain, total = masses(robot), robot.mass
    robot.reset(Variations(base_mass=1.2))
    heavy_base = masses(robot)
    robot.reset(Variations(leg_mass=0.5))
    light_legs = masses(robot)
    base = heavy_base != plain
    assert base[0] and 0 < base.sum() < len(plain)
    np.testing.assert_allclose(heavy_base[base], 1.2 * plain[base])
    np.testing.assert_allclose(light_legs[~base], 0.5 * plain[~base])
    np.testing.assert_array_equal(light_legs[base], plain[base])
    assert robot.mass == pytest.approx(total - 0.5 * plain[~base].sum())


def test_the_base_is_the_same_body_in_both_physics(fast, reference):
    gains = []
    for robot in (fast, reference):
        robot.reset()
        before = robot.mass
        robot.reset(Variations(base_mass=2.0))
        gains.append(robot.mass - before)
    assert gains == pytest.approx([3.2, 3.2], abs=1e-9)


def test_foot_friction_is_that_of_the_lower_legs(fast):
    fast.reset(Variations(foot_friction=0.7))
    links = range(-1, pybullet.getNumJoints(fast.body, fast.client))
    frictions = {i: pybullet.getDynamicsInfo(fast.body, i, fast.client)[1] for i in links}
    assert {i for i, friction in frictions.items() if friction == 0.7} == set(fast.feet)


def test_on_ice_a_push_moves_it_further(fast):
    def pushed(friction):
        fast.reset(Variations(foot_friction=friction))
        for _ in range(10):
            fast.advance(STAND, push=(0.0, 60.0))
        fast.advance(STAND, 100)
        return fast.position[1]

    assert pushed(0.01) > 2 * pushed(1.5) > 0


@pytest.mark.parametrize("factor", [0.8, 1.1])
def test_longer_legs_stand_higher(fast, factor):
    heights = []
    for length in (1.0, factor):
        fast.reset(Variations(leg_length=length))
        fast.advance(STAND, 500)
        heights.append(fast.position[2])
        assert fast.contacts() == (True,) * 4
        assert fast.orientation == pytest.approx((0, 0, 0, 1), abs=0.03)
    assert heights[1] / heights[0] == pytest.approx(factor, abs=0.03)


@pytest.mark.parametrize("factor", [1.0, 0.8, 1.25])
def test_legs_of_any_length_stay_closed(fast, factor):
    """Left and right lower leg meet at a pin, 0.2 m (times the factor) from their middle."""
    walk(fast, 40, Variations(leg_length=factor))
    for left, right in zip(fast.feet[::2], fast.feet[1::2], strict=True):
        ends = []
        for link, y in ((right, 0.005), (left, 0.01)):
            position, orientation = pybullet.getLinkState(
                fast.body, link, computeForwardKinematics=True, physicsClientId=fast.client
            )[:2]
            pin = (0, y, 0.2 * factor)
            ends.append(pybullet.multiplyTransforms(position, orientation, pin, (0, 0, 0, 1))[0])
        assert math.dist(*ends) < 0.01 * factor


def test_legs_of_another_length_keep_the_mass(fast):
    fast.reset(Variations(leg_length=1.2))
    assert fast.mass == pytest.approx(6.0, abs=1e-9)


def first_torques(robot, **variations):
    """Applied and observed torques when all motors are told to turn by 0.1 rad."""
    robot.reset(Variations(**variations))
    robot.advance([angle + 0.1 for angle in robot.angles], 1)
    return np.array(robot.torques), np.array(robot.observed_torques)


def test_motor_strength_scales_the_torque(fast):
    normal, observed = first_torques(fast)
    strong, observed_strong = first_torques(fast, motor_strength=1.5)
    np.testing.assert_array_equal(strong, 1.5 * normal)
    np.testing.assert_array_equal(observed_strong, observed)
    assert normal.min() > 0


def test_battery_by_hand(fast):
    """Width 0.1 − 0.02 · speed; observed torque 0.0954 · width · battery / 0.186 Ω."""
    for battery in (16.0, 8.0):
        fast.reset(Variations(battery=battery))
        speeds = np.array(fast.velocities)
        _, observed = first_torques(fast, battery=battery)
        np.testing.assert_allclose(observed, 0.0954 * (0.1 - 0.02 * speeds) * battery / 0.186)


def test_motor_damping_brakes(fast):
    """−Δtorque = damping · speed / 0.186 Ω · 0.1 N·m/A below 10 A."""
    fast.reset()
    walk(fast, 5)
    quick = np.array(fast.velocities)

    def torque(damping):
        walk(fast, 5)
        fast.motor = type(fast.motor)(viscous_damping=damping)
        fast.advance(fast.angles, 1)
        return np.array(fast.torques)

    widths = -0.02 * quick
    amperes = (16 * widths - 0.0954 * quick) / 0.186
    small = np.abs(amperes) < 5
    assert small.any() and np.abs(quick[small]).max() > 0.1
    expected = -0.01 * quick / 0.186 * 0.1
    np.testing.assert_allclose((torque(0.01) - torque(0.0))[small], expected[small], atol=1e-12)


def peak_speed(robot, **variations):
    return np.abs(walk(robot, 30, Variations(**variations))[:, 8:16]).max()


@pytest.mark.parametrize("name, value", [("joint_damping", 0.2), ("joint_friction", 1.0)])
def test_damping_and_friction_slow_the_joints(fast, name, value):
    assert peak_speed(fast, **{name: value}) < 0.7 * peak_speed(fast)


def test_a_joint_with_more_friction_than_the_motor_has_torque_is_stuck(fast):
    fast.reset(Variations(joint_friction=20.0))
    start = fast.angles
    fast.advance([angle + 1.5 for angle in start], 100)
    assert fast.angles == pytest.approx(start, abs=0.05)


def test_a_stuck_motor_is_shut_off_after_one_second_until_the_reset(fast):
    """Stalled at full supply: 3.5 N·m."""
    for _ in range(2):
        fast.reset(Variations(joint_friction=100.0))
        commands = [angle + 1.5 for angle in fast.angles]
        fast.advance(commands, 500)
        assert fast.torques == pytest.approx([3.5] * 8)
        fast.advance(commands, 1)
        assert fast.torques == [0.0] * 8


def test_late_controllers_act_on_the_past(robot):
    """With 10 ms of motor latency, the duty cycle is that of the reading 5 physics steps ago."""
    robot.reset(Variations(motor_latency=0.01))
    past = []
    for step in range(50):
        past.append(robot.reading)
        robot.advance(trot(step // 5), 1)
    then = np.array(past[-6])
    widths = np.clip(trot(49 // 5) - then[:8] - 0.02 * then[8:16], -1, 1)
    observed = np.clip(0.0954 * widths * 16 / 0.186, -5.7, 5.7)
    np.testing.assert_allclose(robot.observed_torques, observed, atol=1e-12)
    # The motor itself knows no delay: its back-EMF is that of the speed just before the step.
    amperes = (16 * widths - 0.0954 * np.array(past[-1])[8:16]) / 0.186
    table = [0, 1, 1.9, 2.45, 3, 3.25, 3.5]
    expected = np.sign(amperes) * np.interp(np.abs(amperes), np.arange(0, 70, 10), table)
    np.testing.assert_allclose(robot.torques, expected, atol=1e-12)
    assert np.abs(then - np.array(past[-1])).max() > 0.1


def test_a_push_goes_where_it_is_told(fast):
    """50 N for 0.02 s on 6 kg: up to 0.17 m/s, less what the feet hold."""
    for push in ((50.0, 0.0), (0.0, 50.0), (-50.0, 0.0)):
        fast.reset()
        before = np.array(fast.base_velocity()[0][:2])
        fast.advance(STAND, 10, push=push)
        gained = np.array(fast.base_velocity()[0][:2]) - before
        along = gained @ push / 50.0
        assert 0.02 < along < 0.35
        assert abs(gained[0] * push[1] - gained[1] * push[0]) / 50 < 0.3 * along


# ---- nothing is left behind ---------------------------------------------------------------------


DISTURBANCES = {
    "another walk": {},
    "other masses": {"base_mass": 1.2, "leg_mass": 0.8},
    "other friction": {"foot_friction": 0.3, "joint_friction": 0.3, "joint_damping": 0.1},
    "another motor": {"battery": 14, "motor_damping": 0.01, "motor_strength": 0.7},
    "other legs": {"leg_length": 1.15},
    "latency": {"motor_latency": 0.013},
}


@pytest.fixture(scope="module", params=["fast", "reference"])
def worlds(request):
    """(a robot with a past, walks of robots without one)."""
    robots = [Robot(request.param) for _ in range(3)]
    varied = Variations(base_mass=0.9, foot_friction=1.3, joint_damping=0.01, battery=15)
    yield robots[0], {v: walk(r, 40, v) for v, r in zip([Variations(), varied], robots[1:])}  # noqa: B905
    for robot in robots:
        robot.close()


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_a_walk_is_the_same_to_the_last_bit_whatever_was_before(worlds, disturbance):
    robot, fresh = worlds
    for variations, expected in fresh.items():
        robot.reset(Variations(**DISTURBANCES[disturbance]))
        for step in range(20):
            robot.advance(trot(3 * step), push=(0, 80.0) if step > 15 else None)
        np.testing.assert_array_equal(walk(robot, 40, variations), expected)


def test_a_walk_is_the_same_after_a_fall_and_a_shut_off_motor(fast):
    expected = walk(fast)
    fast.reset()
    fast.advance([3.1, 0.0] * 4, 1500)
    np.testing.assert_array_equal(walk(fast), expected)


def test_two_robots_do_not_meet(fast):
    expected = walk(fast)
    other = Robot("fast")
    other.reset()
    fast.reset()
    readings = [fast.reading]
    for step in range(60):
        fast.advance(trot(step))
        other.advance(trot(5 * step))
        readings.append(fast.reading)
    other.close()
    np.testing.assert_array_equal(readings, expected)


def test_five_single_steps_are_one_control_step(robot):
    expected = walk(robot, 20)
    robot.reset()
    for step in range(20):
        for _ in range(5):
            robot.advance(trot(step), 1)
    np.testing.assert_array_equal(robot.reading, expected[-1])


def test_readings_turn_with_their_own_motor(fast):
    """The left motors are mounted mirrored: same command, same reading, opposite joint."""
    fast.reset()
    joints = [s[0] for s in pybullet.getJointStates(fast.body, fast.motors, fast.client)]
    assert np.sign(joints).tolist() == list(DIRECTION)
    assert min(fast.angles) > 0


def test_closing_twice_is_harmless():
    robot = Robot()
    robot.close()
    robot.close()


def test_a_robot_that_is_forgotten_gives_its_world_back():
    client = Robot().client
    gc.collect()
    assert not pybullet.isConnected(client)


def test_a_robot_may_be_closed_twice_and_takes_nobody_elses_world_with_it():
    closed = Robot()
    closed.close()
    other = Robot()
    closed.close()
    del closed
    gc.collect()
    assert pybullet.isConnected(other.client)


def test_a_closed_robot_moves_nobody_elses(fast):
    """PyBullet gives the number of a world that is gone to the next one."""
    gone = Robot()
    gone.reset()
    gone.close()
    other = Robot()
    other.reset()
    before = other.reading.copy()
    with pytest.raises(pybullet.error, match="Not connected"):
        gone.advance([1.0] * 8)
    with pytest.raises(RuntimeError, match="closed: make a new one"):
        gone.reset()
    other._read()
    np.testing.assert_array_equal(other.reading, before)
    other.close()


def test_a_world_that_was_not_completed_is_built_again(monkeypatch):
    """As when the stop button comes between the legs and the first standing."""

    def stop(self):
        raise KeyboardInterrupt

    robot, whole = Robot(), Robot()
    with monkeypatch.context() as patch:
        patch.setattr(Robot, "_settle", stop)
        with pytest.raises(KeyboardInterrupt):
            robot.reset()
    for each in (robot, whole):
        each.reset()
    np.testing.assert_array_equal(robot.reading, whole.reading)
    robot.close()
    whole.close()


def test_robots_are_loaded_one_at_a_time():
    """Two threads at once would leave nothing to print to."""
    code = """
from concurrent.futures import ThreadPoolExecutor
from quadlib.world.robot import Robot
def load(_):
    robot = Robot()
    robot.reset()
    robot.close()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(load, range(12)))
print("still here", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "still here\n"
