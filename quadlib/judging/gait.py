"""What kind of gait is it? Foot contacts over time, and the numbers zoologists take from them.

Legs are in the order of `quadlib.world.robot.LEGS`: front left, back left, front right, back right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from quadlib.learning.agent import world_for
from quadlib.world.robot import CONTROL_STEP, GRAVITY

# Share of a stride by which each leg comes after the front left one, in the pure form of a gait
# (Hildebrand 1989, The quadrupedal gaits of vertebrates, BioScience 39 (11)).
GAITS = {
    "trot": (0.0, 0.5, 0.5, 0.0),  # diagonal legs together
    "walk": (0.0, 0.75, 0.5, 0.25),  # one after the other: back left, front left, back right …
    "pace": (0.0, 0.0, 0.5, 0.5),  # the legs of a side together
    "bound": (0.0, 0.5, 0.0, 0.5),  # front legs together, then back legs
    "pronk": (0.0, 0.0, 0.0, 0.0),  # all together
}
SLOWEST, FASTEST = 0.7, 20.0  # Hz, of a stride


@dataclass(frozen=True)
class Gait:
    """What a robot did in T control steps of 0.01 s.

    Attributes:
        contacts: (T, 4) bool, the foot is on the ground.
        distance: m, forward.
        power: W, mean of Σ |torque · speed| over the motors.
        mass: kg, of the robot.
    """

    contacts: np.ndarray
    distance: float
    power: float
    mass: float

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.contacts) * CONTROL_STEP

    @property
    def speed(self) -> float:
        """m/s, forward."""
        return self.distance / self.duration

    @property
    def cost_of_transport(self) -> float:
        """Power / (weight · speed), without unit; inf where it does not advance."""
        return cost_of_transport(self.power, self.mass, self.speed)

    @property
    def duty_factors(self) -> np.ndarray:
        """(4,) share of the time that each foot is on the ground."""
        return self.contacts.mean(axis=0)

    @property
    def in_the_air(self) -> float:
        """Share of the time without any foot on the ground."""
        return float((~self.contacts.any(axis=1)).mean())

    @property
    def stride_frequency(self) -> float:
        """Strides per second: the strongest rhythm of the four feet together; nan without one."""
        frequencies, spectrum = self._spectrum()
        return float(frequencies[_strongest(spectrum)]) if spectrum.any() else np.nan

    @property
    def phases(self) -> np.ndarray:
        """(4,) share of a stride by which each leg's contact comes after the front left one's.

        nan of a leg that is always on the ground, or never; of all where that is the front left.
        """
        _, spectrum = self._spectrum()
        if not spectrum.any():
            return np.full(4, np.nan)
        rhythm = spectrum[_strongest(spectrum)]
        angles = np.where(np.abs(rhythm) > 0, np.angle(rhythm), np.nan)
        return (angles[0] - angles) / (2 * np.pi) % 1.0

    def nearest(self) -> tuple[str, float]:
        """The pure gait that is nearest, and how far away it is: mean over legs, in strides.

        ("none", nan) without a stride of all four legs.
        """
        phases = self.phases
        if np.isnan(phases).any():
            return "none", np.nan
        away = {name: _apart(phases, np.array(pure)) for name, pure in GAITS.items()}
        name = min(away, key=away.get)
        return name, away[name]

    def __str__(self) -> str:
        (name, away), frequency = self.nearest(), self.stride_frequency
        duty = " ".join(f"{each:.0%}" for each in self.duty_factors)
        strides, nearest = "no strides", "no gait"
        if not np.isnan(frequency):
            strides = f"{frequency:.1f} strides/s of {self.speed / frequency:.2f} m"
        if name != "none":
            nearest = f"nearest to a {name} ({away:.2f} strides away)"
        return (
            f"{self.speed:.2f} m/s, {strides}, on the ground FL BL FR BR {duty}, in the "
            f"air {self.in_the_air:.0%}; {nearest}; "
            f"{self.power:.0f} W, cost of transport {self.cost_of_transport:.2f}"
        )

    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies in Hz (n,) and the contacts' components there (n, 4), strides only."""
        waves = self.contacts - self.contacts.mean(axis=0)
        waves = waves * np.hanning(len(waves))[:, None]  # the ends of the recording are no rhythm
        count = max(2**13, len(waves))  # zeros behind it: steps of 0.01 Hz
        frequencies = np.fft.rfftfreq(count, CONTROL_STEP)
        chosen = (frequencies >= SLOWEST) & (frequencies <= FASTEST)
        return frequencies[chosen], np.fft.rfft(waves, count, axis=0)[chosen]


def cost_of_transport(power: float, mass: float, speed: float) -> float:
    """W, kg and m/s -> power / (weight · speed), without unit; inf where it does not advance."""
    return power / (mass * -GRAVITY * speed) if speed > 0 else np.inf


def observe(
    agent: Any,
    env: str | Callable[[], gymnasium.Env] | None = None,
    seed: int = 0,
    skip: float = 2.0,
    seconds: float = 8.0,
    **options: Any,
) -> Gait:
    """Play one episode and look at its feet, once the robot has come up to speed.

    Args:
        agent: has `act(observation)`, or is a function from observation to action.
        env: an id or a function; by default what the agent was trained in.
        skip, seconds: simulated time before the gait counts, and of the gait.
        **options: for `quadlib.make`.

    Raises:
        ValueError: it fell so early that less than a second is left.
    """
    act, world, steps = getattr(agent, "act", agent), world_for(agent, env, **options)(), []
    try:
        observation, _ = world.reset(seed=seed)
        mass = world.unwrapped.robot.mass
        for _ in range(round((skip + seconds) / CONTROL_STEP)):
            observation, _, ended, cut, info = world.step(act(observation))
            steps.append(info["step"])
            if ended or cut:
                break
    finally:
        world.close()
    steps = steps[round(skip / CONTROL_STEP) :]
    if len(steps) * CONTROL_STEP < 1.0:
        raise ValueError(
            f"{len(steps) * CONTROL_STEP:.2f} s are left after the first {skip:g} s, and a gait "
            "needs a second: did it fall, or is seconds=… too short?"
        )
    return Gait(
        contacts=np.array([step.contacts for step in steps]),
        distance=sum(step.dx for step in steps),
        power=float(np.mean([step.power for step in steps])),
        mass=mass,
    )


def _strongest(spectrum: np.ndarray) -> int:
    return int(np.argmax(np.square(np.abs(spectrum)).sum(axis=1)))


def _apart(phases: np.ndarray, pure: np.ndarray) -> float:
    """Mean distance on the circle, whichever moment the two are counted from."""
    difference = phases - pure
    shifted = difference - difference[:, None]  # the best shift makes one of the legs agree
    return float(np.abs((shifted + 0.5) % 1.0 - 0.5).mean(axis=1).min())
