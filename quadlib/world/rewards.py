"""What happened in one step, what it is worth, and help when a student's reward goes wrong."""

import linecache
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from quadlib.functions import own_frames


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """All that happened in one control step of 0.01 s: true values, neither late nor noisy.

    World frame: x forward at the start, y to the left, z up. Rates and angles at the step's end.
    """

    time: float  # s since the reset, at the end of the step
    dx: float  # m, displacement of the body during the step: forward
    dy: float  # m, to the left
    dz: float  # m, up
    x: float  # m, position of the body
    y: float  # m
    height: float  # m, of the body above the ground; about 0.2 when it stands
    vx: float  # m/s, velocity of the body
    vy: float  # m/s
    vz: float  # m/s
    roll: float  # rad, about the body's long axis
    pitch: float  # rad, positive with the nose down
    yaw: float  # rad, positive to the left
    tilt: float  # rad, between the body's own up and the vertical
    roll_rate: float  # rad/s, about the world's x
    pitch_rate: float  # rad/s, about y
    yaw_rate: float  # rad/s, about z
    motor_angles: np.ndarray  # rad, (8,)
    motor_speeds: np.ndarray  # rad/s, (8,)
    torques: np.ndarray  # N·m, (8,), as the motors' drivers report them
    applied_torques: np.ndarray  # N·m, (8,), as the legs feel them
    energy: float  # J, |torques · motor_speeds| · 0.002 s: the slides' actuator effort
    power: float  # W, Σ |applied torque · speed|
    action: np.ndarray  # (8,) in [−1, 1]
    previous_action: np.ndarray  # (8,), zeros in the first step
    contacts: np.ndarray  # (4,) bool: front left, back left, front right, back right
    fallen: bool  # the episode ends with this step

    def __eq__(self, other: object) -> bool:
        """Equal to the last bit, arrays included."""
        return isinstance(other, Step) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in FIELDS
        )

    __hash__ = None

    def __getattr__(self, name: str):
        raise AttributeError(f"a step has no {name!r}; {_suggestion(name)}")


FIELDS = tuple(field.name for field in fields(Step))

Terms = dict[str, float]
Reward = Callable[[Step], Real | Mapping[str, Real]]

ENERGY_WEIGHT = 0.005  # the slides' w, MinitaurBulletEnv's energy_weight


def slides_reward(step: Step) -> Terms:
    """R = Δx − w·Δt·|τ·q̇|: forward displacement less actuator effort."""
    return {"forward": step.dx, "energy": -ENERGY_WEIGHT * step.energy}


class RewardError(ValueError):
    """A reward function failed or returned something that is no reward."""


def evaluate_reward(reward: Reward, step: Step, index: int) -> tuple[float, Terms]:
    """The sum of a reward's terms and the terms by name.

    Args:
        reward: the student's function.
        index: number of the step in its episode, from 0, for messages.

    Raises:
        RewardError: names the function, the step, the value and what to try.
    """
    try:
        value = reward(step)
    except Exception as error:
        raise RewardError(_failure(reward, error, index)) from error
    terms = value if isinstance(value, Mapping) else {"reward": value}
    total = 0.0
    for name, term in terms.items():
        if isinstance(term, Real | np.bool_) and _finite(term):
            total += float(term)
            continue
        raise RewardError(_bad_value(reward, name if terms is value else None, term, step, index))
    if not terms:
        raise RewardError(f"{_name(reward)} returned an empty dict at step {index}: {_EXAMPLE}")
    if not math.isfinite(total):
        raise RewardError(_bad_value(reward, "the sum", total, step, index))
    return total, {str(name): float(term) for name, term in terms.items()}


def _finite(term: Any) -> bool:
    try:
        return math.isfinite(term)
    except OverflowError:  # a whole number that no float can hold
        return False


_EXAMPLE = 'return a number or named numbers, such as {"forward": step.dx}'


def _name(reward: Reward) -> str:
    while isinstance(reward, partial):
        reward = reward.func
    name = getattr(reward, "__name__", type(reward).__name__)
    return "the reward (a lambda)" if name == "<lambda>" else name


def _suggestion(name: str) -> str:
    near = get_close_matches(name, FIELDS, 1)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(FIELDS)}"


def _failure(reward: Reward, error: Exception, index: int) -> str:
    place = ""
    for frame in own_frames(error)[-1:]:
        line = linecache.getline(frame.filename, frame.lineno).strip() or frame.line
        place = f", line {frame.lineno}" + (f": {line}" if line else "")
    kind = type(error).__name__
    return f"{_name(reward)} stopped at step {index}{place}\n{kind}: {error}"


def _bad_value(reward: Reward, term_name: str | None, term: object, step: Step, index: int) -> str:
    what = f"{term!r} for {term_name!r}" if term_name is not None else f"{term!r}"
    if term is None:
        advice = f"is its `return` missing? {_EXAMPLE}"
    elif isinstance(term, np.ndarray):
        what = f"an array of shape {term.shape}" + (f" for {term_name!r}" if term_name else "")
        advice = "make it one number, for example with .sum() or .mean()"
    elif isinstance(term, Real):
        advice = (
            "look for a division by zero, a logarithm or root of a negative number, or an "
            f"overflow. There: vx {step.vx:.3g} m/s, height {step.height:.3g} m, "
            f"power {step.power:.3g} W, tilt {step.tilt:.3g} rad"
        )
    else:
        advice = _EXAMPLE
    return f"{_name(reward)} returned {what} at step {index}: {advice}"
