"""What varies from one episode to the next: ranges, and one draw from them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches

import numpy as np

Range = float | tuple[float, float]


@dataclass(frozen=True)
class Variations:
    """Each field is one value, or a range (low, high) from which each episode draws uniformly.

    Ranges cited as [B] are those of MinitaurBulletEnv's randomizer, as [T] those of the wider one
    in the same package, after Tan et al. 2018, table 1.
    """

    base_mass: Range = 1.0  # factor                [B, T] 0.8 … 1.2
    leg_mass: Range = 1.0  # factor                 [B, T] 0.8 … 1.2
    leg_length: Range = 1.0  # factor; a change loads the robot anew, about 50 ms
    foot_friction: Range = 1.0  # coefficient       [B] 0.8 … 1.5, [T] 0.5 … 1.25
    joint_friction: Range = 0.0  # N·m, all joints  [T] 0 … 0.05
    joint_damping: Range = 0.0  # N·m·s/rad, all joints
    motor_strength: Range = 1.0  # factor           [T] 0.8 … 1.2
    motor_damping: Range = 0.0  # V·s/rad           [B] 0 … 0.01, [T] 0 … 0.05
    battery: Range = 16.0  # V                      [B] 14.8 … 16.8, [T] 14.0 … 16.8
    latency: Range = 0.0  # s, of what the policy observes  [T] 0 … 0.04
    motor_latency: Range = 0.0  # s, of what the motors' own controllers read
    angle_noise: Range = 0.0  # rad, standard deviation, as the three below
    velocity_noise: Range = 0.0  # rad/s
    torque_noise: Range = 0.0  # N·m
    orientation_noise: Range = 0.0  # quaternion component
    push: Range = 0.0  # N, horizontal, 0.1 s long every 2 s from 1 s on  [T] 120 … 240

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))

    def updated(self, changes: "Variations | Mapping[str, Range] | None") -> "Variations":
        """A copy with some fields changed. Raises ValueError on an unknown name or a bad range."""
        if changes is None or isinstance(changes, Variations):
            return changes or self
        names = [field.name for field in fields(self)]
        for name in changes:
            if name not in names:
                near = get_close_matches(name, names, 1) or names
                raise ValueError(f"there is no variation {name!r}; try {', '.join(near)}")
        return replace(self, **changes)

    def draw(self, rng: np.random.Generator) -> "Variations":
        """One episode's values: every range replaced by a number drawn from it."""
        return replace(
            self,
            **{
                field.name: float(rng.uniform(*value))
                for field in fields(self)
                if isinstance(value := getattr(self, field.name), tuple)
            },
        )

    def as_dict(self) -> dict[str, Range]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_POSITIVE = {"base_mass", "leg_mass", "leg_length", "battery"}


def _checked(name: str, value: Range) -> Range:
    try:
        low, high = (float(v) for v in value) if np.ndim(value) else (float(value),) * 2
    except (TypeError, ValueError):
        raise ValueError(f"{name} is a number or a range (low, high), not {value!r}") from None
    if not (np.isfinite([low, high]).all() and low <= high):
        raise ValueError(f"{name} needs low ≤ high, both finite, not {value!r}")
    if low < 0 or (low == 0 and name in _POSITIVE):
        raise ValueError(f"{name} must be {'positive' if name in _POSITIVE else '≥ 0'}: {value!r}")
    return (low, high) if np.ndim(value) else low


IDEAL = Variations()

# The slides' appendix: latency 1–2 ms and Gaussian noise (it gives no size: these are 0.3 % of
# each sensor's full scale), on top of MinitaurBulletEnv's randomizer.
SLIDES = Variations(
    base_mass=(0.8, 1.2),
    leg_mass=(0.8, 1.2),
    foot_friction=(0.8, 1.5),
    motor_damping=(0.0, 0.01),
    battery=(14.8, 16.8),
    latency=(0.001, 0.002),
    angle_noise=0.01,
    velocity_noise=0.5,
    torque_noise=0.017,
    orientation_noise=0.003,
)
