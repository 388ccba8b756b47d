"""The Minitaur in a Bullet world of its own: load, reset, push torque, step, read.

The robot is pybullet_data's ``quadruped/minitaur.urdf``: a body of 3.2 kg and four legs, each a
closed five-bar linkage with two motors at the hip and two free knees, pinned together at the foot.
"""

import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from quadlib.world.model import load_minitaur, load_plane, pybullet
from quadlib.world.motor import DCMotor, OverheatProtection
from quadlib.world.randomization import IDEAL, Variations
from quadlib.world.sensors import ANGLES, VELOCITIES, LatencyBuffer

LEGS = ("front_left", "back_left", "front_right", "back_right")
MOTORS = tuple(f"motor_{leg}{side}_joint" for leg in LEGS for side in "LR")
KNEES = tuple(f"knee_{leg}{side}_link" for leg in LEGS for side in "LR")
DIRECTION = (-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0)  # the left motors are mounted mirrored
MOTOR_START, KNEE_START = math.pi / 2, -2.1834  # rad
START_HEIGHT = 0.2  # m
PIN_RIGHT, PIN_LEFT = (0.0, 0.005, 0.2), (0.0, 0.01, 0.2)  # m, where the lower legs are joined
GRAVITY = -10.0  # m/s²
TIME_STEP = 0.002  # s, one physics step
SUBSTEPS = 5  # physics steps in one control step
CONTROL_STEP = TIME_STEP * SUBSTEPS
SETTLING_STEPS = 100


@dataclass(frozen=True)
class Physics:
    """How the same robot is simulated.

    How far each choice moves the result, from tests/bench/physics_choices.py (60 episodes in the
    slides' environment of the shipped PPO agent, one seed): reference 31.6 ± 2.6, merged links
    with 60 iterations 31.4 ± 2.7, with 30 31.9 ± 1.7, with 20 32.0 ± 1.7. Four seconds of the
    recorded trot end up to 0.2 cm, 1.4 cm and 5 cm (root mean square) from the recording.

    Args:
        merge_fixed_links: weld links that cannot move against each other into one body. It takes
            12 permanent contacts between the body and its own motors out of the simulation.
        solver_iterations: of the constraint solver, per physics step.
        rebuild: build the world anew at each reset, as MinitaurBulletEnv does, instead of going
            back to a saved state.
    """

    merge_fixed_links: bool
    solver_iterations: int
    rebuild: bool


PHYSICS = {"reference": Physics(False, 60, True), "fast": Physics(True, 30, False)}


class Robot:
    """One Minitaur on a plane.

    Attributes, true values without noise or delay:
        angles, velocities: of the 8 motors, rad and rad/s, each in its motor's own direction.
        torques, observed_torques: of the 8 motors during the last physics step, N·m.
        position: of the base, (x, y, z) in m.
        orientation: of the base, quaternion (x, y, z, w).
        reading: the 28 numbers of an observation as they are now.
        history: the readings of the last physics steps, a LatencyBuffer.
        client, body, plane: PyBullet's numbers of this world, this robot and its ground.
        feet: link numbers of the 8 lower legs, left and right of each leg.
    """

    def __init__(self, physics: str | Physics = "fast") -> None:
        self.physics = physics if isinstance(physics, Physics) else PHYSICS.get(physics)
        if self.physics is None:
            raise ValueError(f"physics is {' or '.join(map(repr, PHYSICS))}, not {physics!r}")
        self.client = pybullet.connect(pybullet.DIRECT)
        # A world takes some 20 MB outside Python: it goes when the robot goes.
        self._disconnect = weakref.finalize(self, pybullet.disconnect, self.client)
        self._disconnect.atexit = False
        self._leg_length = self._settled = None

    def close(self) -> None:
        """Give the world's memory back."""
        self._disconnect()
        self.client = -1  # PyBullet gives its number to the next world

    def reset(self, variations: Variations = IDEAL) -> None:
        """Put the robot back to its start, standing, with the fixed values of one episode."""
        if self.client < 0:
            raise RuntimeError("this robot's world is closed: make a new one")
        if self.physics.rebuild or self._leg_length != variations.leg_length:
            self._leg_length = None  # the stop button may come before the new world is complete
            self._build(variations.leg_length)
            if not self.physics.rebuild:
                self._prepare(IDEAL)
                self._settle()
                self._settled = pybullet.saveState(self.client), self._widths, self.torques
            self._leg_length = variations.leg_length
        self._prepare(variations)
        if self.physics.rebuild:
            self._settle()
        else:
            state, self._widths, self.torques = self._settled
            pybullet.restoreState(state, physicsClientId=self.client)
        self._read()
        self.history.fill(self.reading)

    def advance(
        self,
        commands: Sequence[float],
        steps: int = SUBSTEPS,
        push: tuple[float, float] | None = None,
    ) -> None:
        """Hold 8 commanded motor angles (rad) for some physics steps, with a push (N) or not."""
        client, body, motor = self.client, self.body, self.motor
        first_kept = 0 if self._motor_latency else steps - self.history.length
        for step in range(steps):
            angles, velocities = self.angles, self.velocities
            if self._motor_latency:
                late = self.history.delayed(self._motor_latency)
                angles, velocities = late[ANGLES], late[VELOCITIES]
            self._widths = motor.pulse_widths(commands, angles, velocities)
            torques = motor.applied_torques(self._widths, self.velocities)
            self.torques = self._overheat.limit(torques)
            forces = list(map(mul, DIRECTION, self.torques))
            pybullet.setJointMotorControlArray(
                body, self.motors, pybullet.TORQUE_CONTROL, forces=forces, physicsClientId=client
            )
            if push:  # Bullet forgets a force after each physics step
                self._read_base()
                force = (*push, 0.0)
                pybullet.applyExternalForce(
                    body, -1, force, self.position, pybullet.WORLD_FRAME, client
                )
            pybullet.stepSimulation(client)
            self._read_motors()
            if step >= first_kept:
                self._read_base()
                self.history.push(self.reading)

    @property
    def mass(self) -> float:
        """Of the whole robot in this episode, kg."""
        return sum(
            pybullet.getDynamicsInfo(self.body, link, self.client)[0] for link, *_ in self._links
        )

    def base_velocity(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Linear (m/s) and angular (rad/s) velocity of the base in the world's frame."""
        return pybullet.getBaseVelocity(self.body, self.client)

    def contacts(self) -> tuple[bool, bool, bool, bool]:
        """Which feet touch the ground, in the order of LEGS."""
        points = pybullet.getContactPoints(self.body, self.plane, physicsClientId=self.client)
        touching = {point[3] for point in points}
        pairs = zip(self.feet[::2], self.feet[1::2], strict=True)
        return tuple(left in touching or right in touching for left, right in pairs)

    def _read(self) -> None:
        self._read_motors()
        self._read_base()

    def _read_motors(self) -> None:
        angles, velocities, *_ = zip(
            *pybullet.getJointStates(self.body, self.motors, self.client), strict=True
        )
        self.angles = list(map(mul, DIRECTION, angles))
        self.velocities = list(map(mul, DIRECTION, velocities))

    def _read_base(self) -> None:
        self.position, self.orientation = pybullet.getBasePositionAndOrientation(
            self.body, self.client
        )
        self.observed_torques = self.motor.observed_torques(self._widths)
        self.reading = [
            *self.angles, *self.velocities, *self.observed_torques, *self.orientation
        ]  # fmt: skip

    def _settle(self) -> None:
        self._widths = [0.0] * len(MOTORS)
        self._read()
        self.history.fill(self.reading)
        self.advance([MOTOR_START] * len(MOTORS), SETTLING_STEPS)

    def _build(self, leg_length: float) -> None:
        client = self.client
        pybullet.resetSimulation(physicsClientId=client)
        pybullet.setPhysicsEngineParameter(
            numSolverIterations=self.physics.solver_iterations, physicsClientId=client
        )
        if not self.physics.rebuild:  # else what follows a restored state depends on the past
            pybullet.setPhysicsEngineParameter(
                deterministicOverlappingPairs=1, physicsClientId=client
            )
        pybullet.setTimeStep(TIME_STEP, client)
        self.plane = load_plane(client)
        pybullet.setGravity(0, 0, GRAVITY, client)
        start = (0.0, 0.0, START_HEIGHT * leg_length)
        self.body = load_minitaur(client, start, leg_length, self.physics.merge_fixed_links)
        infos = [
            pybullet.getJointInfo(self.body, i, client)
            for i in range(pybullet.getNumJoints(self.body, client))
        ]
        joints = {info[1].decode(): info[0] for info in infos}
        self.motors = [joints[name] for name in MOTORS]
        self.feet = [joints[name] for name in KNEES]
        chassis = {-1} | {info[0] for info in infos if info[12].startswith(b"chassis")}
        self._links = []
        for i in range(-1, len(infos)):
            mass, _, inertia = pybullet.getDynamicsInfo(self.body, i, client)[:3]
            self._links.append((i, i in chassis, mass, inertia))
        self._varied = False
        self._fold_legs(leg_length)

    def _fold_legs(self, leg_length: float) -> None:
        for i, (motor, knee) in enumerate(zip(self.motors, self.feet, strict=True)):
            for joint, angle in ((motor, MOTOR_START), (knee, KNEE_START)):
                pybullet.resetJointState(self.body, joint, DIRECTION[i] * angle, 0, self.client)
        pins = [(x, y, z * leg_length) for x, y, z in (PIN_RIGHT, PIN_LEFT)]
        for left, right in zip(self.feet[::2], self.feet[1::2], strict=True):
            pybullet.createConstraint(
                self.body, right, self.body, left, pybullet.JOINT_POINT2POINT, (0, 0, 0), *pins,
                physicsClientId=self.client,
            )  # fmt: skip
        self._set_joint_friction(0.0)

    def _set_joint_friction(self, torque: float) -> None:
        """A velocity controller at rest with a small maximal force is Bullet's dry friction."""
        for joint in (*self.motors, *self.feet):
            pybullet.setJointMotorControl2(
                self.body, joint, pybullet.VELOCITY_CONTROL, targetVelocity=0, force=torque,
                physicsClientId=self.client,
            )  # fmt: skip

    def _prepare(self, variations: Variations) -> None:
        self.motor = DCMotor(
            variations.battery, variations.motor_damping, variations.motor_strength
        )
        self._overheat = OverheatProtection(len(MOTORS), TIME_STEP)
        self._motor_latency = variations.motor_latency
        longest = max(variations.latency, variations.motor_latency)
        self.history = LatencyBuffer(TIME_STEP, longest)
        if variations == IDEAL and not self._varied:
            return
        # Everything is set absolutely: what an earlier episode had is overwritten.
        self._varied = True
        body, client = self.body, self.client
        for link, is_chassis, mass, inertia in self._links:
            factor = variations.base_mass if is_chassis else variations.leg_mass
            pybullet.changeDynamics(
                body, link, mass=mass * factor, physicsClientId=client,
                localInertiaDiagonal=[value * factor for value in inertia],
            )  # fmt: skip
        for foot in self.feet:
            pybullet.changeDynamics(
                body, foot, lateralFriction=variations.foot_friction, physicsClientId=client
            )
        for joint in (*self.motors, *self.feet):
            pybullet.changeDynamics(
                body, joint, jointDamping=variations.joint_damping, physicsClientId=client
            )
        self._set_joint_friction(variations.joint_friction)
