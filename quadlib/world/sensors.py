"""What the sensors say, late and with noise. Plain numbers and arrays, no simulator."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from quadlib.world.motor import OBSERVED_TORQUE_LIMIT, SPEED_LIMIT

# The 28 numbers of an observation, by sensor.
ANGLES, VELOCITIES = slice(0, 8), slice(8, 16)
TORQUES, ORIENTATION = slice(16, 24), slice(24, 28)

BOUND = np.repeat([np.pi, SPEED_LIMIT, OBSERVED_TORQUE_LIMIT, 1.0], [8, 8, 8, 4])
BOUND_MARGIN = 0.01  # MinitaurBulletEnv's OBSERVATION_EPS


class LatencyBuffer:
    """True readings of the last physics steps; ``delayed`` looks back in time.

    Args:
        time_step: seconds between two readings.
        longest: the longest latency in seconds that will be asked for.

    Attributes:
        length: how many readings it keeps.
    """

    def __init__(self, time_step: float, longest: float) -> None:
        self.time_step = time_step
        self.length = math.ceil(longest / time_step) + 1
        self._readings: deque = deque(maxlen=self.length)

    def push(self, reading: Sequence[float]) -> None:
        """Append the newest reading."""
        self._readings.append(reading)

    def fill(self, reading: Sequence[float]) -> None:
        """Forget the past: as if the robot had stood still with this reading."""
        self._readings.clear()
        self._readings.extend([reading] * self.length)

    def delayed(self, latency: float) -> Sequence[float]:
        """The reading ``latency`` seconds ago; between two of them their linear blend."""
        steps, fraction = divmod(latency / self.time_step, 1.0)
        newer = self._readings[-1 - int(steps)]
        if fraction == 0.0:
            return newer
        older = self._readings[-2 - int(steps)]
        return [(1.0 - fraction) * a + fraction * b for a, b in zip(newer, older, strict=True)]


def noise_scale(angle: float, velocity: float, torque: float, orientation: float) -> np.ndarray:
    """Standard deviations (28,) from one per sensor: rad, rad/s, N·m and quaternion component."""
    return np.repeat([angle, velocity, torque, orientation], [8, 8, 8, 4])
