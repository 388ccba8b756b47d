"""The Minitaur's direct-drive DC motors: from commanded angles to torques.

Plain numbers, no simulator. Lists instead of arrays: this runs five times per control step on eight
motors, and a NumPy call on eight numbers costs more than the arithmetic. A curve is a longer list.

Constants: the motor model of pybullet_envs' Minitaur (Tan et al. 2018, https://arxiv.org/abs/1804.10332).
"""

from collections.abc import Sequence
from dataclasses import dataclass

SUPPLY_VOLTAGE = 16.0  # V
RESISTANCE = 0.186  # Ω
TORQUE_CONSTANT = 0.0954  # N·m/A, equal to the back-EMF constant in V·s/rad
VOLTAGE_LIMIT = 50.0  # V
OBSERVED_TORQUE_LIMIT = 5.7  # N·m
SPEED_LIMIT = SUPPLY_VOLTAGE / TORQUE_CONSTANT  # rad/s, where back-EMF eats the supply

# The iron saturates: above 10 A a further ampere gives less torque.
CURRENT_STEP = 10.0  # A between two entries of the table
SATURATION_TORQUE = (0.0, 1.0, 1.9, 2.45, 3.0, 3.25, 3.5)  # N·m at 0, 10 … 60 A and flat beyond
_SLOPE = tuple(
    (after - before) / CURRENT_STEP
    for before, after in zip(SATURATION_TORQUE, SATURATION_TORQUE[1:], strict=False)
) + (0.0,)

OVERHEAT_TORQUE = 2.45  # N·m
OVERHEAT_TIME = 1.0  # s without a break above OVERHEAT_TORQUE until a motor is shut off


@dataclass(frozen=True)
class DCMotor:
    """A motor behind a proportional-derivative controller that sets its pulse width.

    Args:
        voltage: supply in V.
        viscous_damping: in V·s/rad, adds to the back-EMF.
        strength: factor on the applied torque.
        kp, kd: gains of the controller, in 1/rad and s/rad.
    """

    voltage: float = SUPPLY_VOLTAGE
    viscous_damping: float = 0.0
    strength: float = 1.0
    kp: float = 1.0
    kd: float = 0.02

    def pulse_widths(
        self, commands: Sequence[float], angles: Sequence[float], velocities: Sequence[float]
    ) -> list[float]:
        """Duty cycles in [−1, 1] for commanded and measured angles (rad) and speeds (rad/s)."""
        kp, kd = self.kp, self.kd
        widths = []
        for command, angle, velocity in zip(commands, angles, velocities, strict=True):
            width = kp * (command - angle) - kd * velocity
            widths.append(1.0 if width > 1.0 else -1.0 if width < -1.0 else width)
        return widths

    def torques(
        self, widths: Sequence[float], velocities: Sequence[float]
    ) -> tuple[list[float], list[float]]:
        """(applied, observed) torques in N·m at some duty cycles and rotor speeds in rad/s."""
        return self.applied_torques(widths, velocities), self.observed_torques(widths)

    def applied_torques(
        self, widths: Sequence[float], velocities: Sequence[float]
    ) -> list[float]:
        """What the legs feel, N·m, at some duty cycles and rotor speeds in rad/s."""
        voltage, back_emf = self.voltage, TORQUE_CONSTANT + self.viscous_damping
        torques = []
        for width, velocity in zip(widths, velocities, strict=True):
            net = width * voltage - back_emf * velocity
            # Written out: min() and max() would take longer than all the rest.
            net = VOLTAGE_LIMIT if net > VOLTAGE_LIMIT else net
            net = -VOLTAGE_LIMIT if net < -VOLTAGE_LIMIT else net
            current = net / RESISTANCE
            size = current if current >= 0.0 else -current
            k = int(size // CURRENT_STEP) if size < 60.0 else 6
            torque = _SLOPE[k] * (size - k * CURRENT_STEP) + SATURATION_TORQUE[k]
            torques.append(self.strength * (torque if current >= 0.0 else -torque))
        return torques

    def observed_torques(self, widths: Sequence[float]) -> list[float]:
        """What the drivers report, N·m: they know the duty cycles, not the back-EMF."""
        torques = (TORQUE_CONSTANT * (width * self.voltage / RESISTANCE) for width in widths)
        limit = OBSERVED_TORQUE_LIMIT
        return [min(max(torque, -limit), limit) for torque in torques]


class OverheatProtection:
    """Shuts a motor off, until the next reset, that was above OVERHEAT_TORQUE for too long."""

    def __init__(self, motors: int, time_step: float) -> None:
        self._limit = OVERHEAT_TIME / time_step
        self._hot_steps = [0] * motors
        self.enabled = [True] * motors

    def limit(self, torques: list[float]) -> list[float]:
        """The torques of this physics step, zero for motors that are shut off."""
        hot = self._hot_steps
        for i, torque in enumerate(torques):
            hot[i] = hot[i] + 1 if abs(torque) > OVERHEAT_TORQUE else 0
            if hot[i] > self._limit:
                self.enabled[i] = False
        if all(self.enabled):
            return torques
        return [t if on else 0.0 for t, on in zip(torques, self.enabled, strict=True)]
