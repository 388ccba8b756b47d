"""Legs and their motors: a function that moves the legs and draws robot and torques, and sliders
over it."""

from typing import Any

import gymnasium
import numpy as np
from matplotlib.figure import Figure

import quadlib
from quadlib.showing import plots, widgets
from quadlib.showing.gait_maker import play
from quadlib.world.env import leg_model
from quadlib.world.motor import RESISTANCE, SUPPLY_VOLTAGE, TORQUE_CONSTANT, DCMotor
from quadlib.world.rewards import Step

LEG = 2  # the leg that is looked at: front right, which a view from the right shows
SECONDS = 0.4  # how long the legs may take
BODY_MASS = 3.2  # kg, without legs and motors
UPPER, LOWER = 0.115, 0.200  # m, length of the bars of a leg


def draw_stance(
    swing: float = 0.0,
    extension: float = 0.3,
    load: float = 0.0,
    voltage: float = SUPPLY_VOLTAGE,
    env: gymnasium.Env | None = None,
) -> tuple[Figure, str]:
    """What the robot does in 0.4 s when all legs are told where to go, and what the two motors of
    its front right leg give.

    Args:
        swing, extension: of all legs, −1 … 1.
        load: on the body, kg.
        voltage: of the battery, V.
        env: an environment without noise to use again.

    Returns:
        The figure, and what it shows in words.
    """
    world = (env or quadlib.make("MinitaurIdeal")).unwrapped
    world.variations = world.variations.updated(
        {"base_mass": 1 + load / BODY_MASS, "battery": voltage}
    )
    action = np.repeat([swing, -extension], 4)
    steps, recording = play(world, lambda _: action, SECONDS)
    figure = Figure(figsize=(9, 3.8), layout="none")
    left, right = (figure.add_axes((x, 0.13, w, 0.78)) for x, w in ((0.07, 0.43), (0.58, 0.4)))
    ending = "it is down" if steps[-1].fallen else "it stands"
    ending = f"after {steps[-1].time:.1f} s {ending}, {steps[-1].height:.2f} m high"
    plots.draw_robot(left, recording, -1)
    wish = _diamond(swing, extension, recording.poses[-1], world.robot.motors, steps[-1].pitch)
    left.plot(*wish.T, ":", color=plots.COLORS["orange"], lw=2.5, label="where the leg should be")
    left.legend(loc="upper left", fontsize=9)
    left.set_title(ending, y=1.02)
    left.set(xlim=(-0.45, 0.5), ylim=(-0.05, 0.48), xticks=[-0.4, 0, 0.4], yticks=[0, 0.2, 0.4])
    words = _draw_motors(right, steps, voltage, leg_model(action)[2 * LEG : 2 * LEG + 2])
    return figure, f"{ending[0].upper()}{ending[1:]}. {words}"


def _diamond(
    swing: float, extension: float, poses: np.ndarray, motors: list[int], pitch: float
) -> np.ndarray:
    """Hip, front knee, foot, back knee, hip, (5, 2) in m in the world's x and z: as commanded."""
    middle, turn = np.pi - np.pi / 4 * (1.5 - extension), np.pi / 4 * swing
    length = -UPPER * np.cos(middle) + np.sqrt(LOWER**2 - (UPPER * np.sin(middle)) ** 2)
    angles = np.array([0, middle - turn, np.pi - turn, -middle - turn, 0]) + pitch  # from above
    radii = np.array([0, UPPER, length, UPPER, 0])
    hip = poses[np.array(motors[2 * LEG : 2 * LEG + 2]) + 1, :3].mean(axis=0)
    return hip[[0, 2]] + radii[:, None] * np.transpose([np.sin(angles), np.cos(angles)])


def _draw_motors(axes: Any, steps: list[Step], voltage: float, wanted: list[float]) -> str:
    """Torque over speed: what the battery allows, and the way of the two motors of a leg."""
    speed = np.linspace(-90, 90, 121)
    motor = DCMotor(voltage)
    low, high = (motor.applied_torques([width] * len(speed), speed) for width in (-1, 1))
    axes.fill_between(speed, low, high, color=plots.COLORS["sky"], alpha=0.25, lw=0)
    axes.plot(speed, high, color="0.3", lw=1)
    axes.plot(speed, low, color="0.3", lw=1)
    axes.text(-86, -4.7, "shaded: what the battery allows", color="0.3", fontsize=9)
    words = []
    looks = (("front", "blue", "-", "o"), ("back", "vermillion", "--", "^"))
    for i, (name, color, line, mark) in enumerate(looks):  # in a right leg L turns the front half
        number = 2 * LEG + i
        speeds = [step.motor_speeds[number] for step in steps]
        torques = [step.applied_torques[number] for step in steps]
        missing = np.degrees(wanted[i] - steps[-1].motor_angles[number])
        heat = RESISTANCE * _current(steps[-1], number, voltage) ** 2
        missing, torque = round(missing) + 0, round(torques[-1], 1) + 0  # no "-0"
        words.append(f"{name} motor: {missing}° short, {torque} N·m, {heat:.0f} W of heat")
        axes.plot(speeds, torques, line, color=plots.COLORS[color], lw=1.2)
        axes.plot(speeds[-1], torques[-1], mark, ms=10, label=words[-1],
                  color=plots.COLORS[color], markeredgecolor="white")  # fmt: skip
    axes.set_title("the two motors of the front right leg", y=1.02)
    axes.set(xlabel="speed (rad/s)", ylabel="torque (N·m)", xlim=(-90, 90), ylim=(-5, 6.2))
    axes.set(xticks=[-80, 0, 80], yticks=[-3, 0, 3])
    axes.legend(loc="upper left", fontsize=9)
    return "; ".join(words) + "."


def _current(step: Step, motor: int, voltage: float) -> float:
    """Through a motor, A: what the back-EMF leaves of the voltage, over the resistance."""
    commands = leg_model(step.action)
    width = DCMotor().pulse_widths(commands, step.motor_angles, step.motor_speeds)[motor]
    return (width * voltage - TORQUE_CONSTANT * step.motor_speeds[motor]) / RESISTANCE


def explore_legs() -> widgets.Explorer:
    """Sliders over `draw_stance`."""
    env = quadlib.make("MinitaurIdeal")  # its own: a slider may move while a cell runs
    return widgets.explore(
        lambda **values: draw_stance(**values, env=env),
        alt="The robot from its right beside the torque and speed of two motors; all legs at swing "
        "{swing:g} and extension {extension:g}, {load:g} kg on its back, {voltage:g} V.",
        labels={"load": "load (kg)", "voltage": "battery (V)"},
        start={"swing": 0, "extension": 0.3, "load": 0, "voltage": SUPPLY_VOLTAGE},
        swing=np.linspace(-0.6, 0.6, 9),
        extension=np.linspace(-0.6, 1, 9).round(1),
        load=[0, 1, 2, 3, 4, 6, 8],
        voltage=[8, 10, 12, 14, 16],
    )
