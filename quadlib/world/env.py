"""The slides' environment: robot, sensors, reward and randomization as one Gymnasium env."""

import math
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import gymnasium
import numpy as np

from quadlib.world.model import pybullet
from quadlib.world.randomization import IDEAL, SLIDES, Range, Variations
from quadlib.world.rewards import Reward, Step, evaluate_reward, slides_reward
from quadlib.world.robot import CONTROL_STEP, TIME_STEP, Physics, Robot
from quadlib.world.sensors import BOUND, BOUND_MARGIN, noise_scale

FALL_HEIGHT = 0.13  # m, for legs of the usual length
FALL_UPRIGHTNESS = 0.85  # cosine of the tilt
EPISODE_STEPS = 1000
PUSH_START, PUSH_EVERY, PUSH_LENGTH = 100, 200, 10  # control steps

VARIATIONS = {"ideal": IDEAL, "slides": SLIDES}


def leg_model(action: np.ndarray) -> list[float]:
    """8 motor angles (rad) from 4 swings and 4 shortenings in [−1, 1], leg by leg as in LEGS.

    What moves the foot how was measured: MinitaurBulletEnv's code, with the same formula, calls the
    first four "extension" and the last four "forward_backward".
    """
    action = np.asarray(action, float).tolist()  # Python's numbers: faster one by one
    angles = []
    for leg, (swing, shortening) in enumerate(zip(action[:4], action[4:], strict=True)):
        middle = math.pi - math.pi / 4 * (shortening + 1.5)
        spread = math.pi / 4 * swing if leg < 2 else -(math.pi / 4 * swing)
        angles += [middle + spread, middle - spread]
    return angles


def motor_model(action: np.ndarray) -> list[float]:
    """8 motor angles (rad): −1 … 1 is 0 … π, and 0 is how the robot stands at the start."""
    return [math.pi / 2 * (float(a) + 1.0) for a in action]


ACTION_MODELS = {"leg": leg_model, "motor": motor_model}


class MinitaurEnv(gymnasium.Env, gymnasium.utils.EzPickle):
    """A Minitaur that is paid for moving forward and pays for its motors' effort.

    ## Action
    `Box(-1, 1, (8,), float32)`; what is outside is clipped. With `action_model="leg"`:

    | index | meaning |
    | --- | --- |
    | 0 … 3 | swing of the legs front left, back left, front right, back right; 1 is 45° forward |
    | 4 … 7 | their extension, in the same order, counted backwards; 1 is the shortest leg |

    With `action_model="motor"` the eight motor angles, −1 … 1 for 0 … π rad.

    ## Observation
    `Box(28,)`, float64, in the order of the motors front left L, R · back left · front right ·
    back right. Delayed and noisy where the variations say so. Cut at the bounds and a hundredth
    more. (MinitaurBulletEnv has the same bounds and does not cut: a motor may turn beyond π.)

    | index | meaning | unit | bound |
    | --- | --- | --- | --- |
    | 0 … 7 | motor angles | rad | π |
    | 8 … 15 | motor speeds | rad/s | 167.7 |
    | 16 … 23 | motor torques, as observed | N·m | 5.7 |
    | 24 … 27 | orientation of the body | quaternion x, y, z, w | 1 |

    ## Reward
    `reward(step) -> number or {name: number}`; the terms are added. By default the slides':
    Δx − 0.005 · 0.002 s · |τ · q̇| in each control step of 0.01 s.

    ## Ending
    Terminated when the body is lower than 0.13 m (times the leg length's factor) or its up points
    away from the vertical with a cosine below 0.85; truncated after `max_steps`.

    ## Start
    Standing on the ground, after 0.2 s of settling.

    ## Info
    In each step `step` (a `quadlib.Step`: all that happened), `reward_terms` and `position`
    (3,) in m; at the end `episode_terms`, the terms' sums; at the reset `variations`, this
    episode's values by name.

    Args:
        physics: "fast", or "reference": MinitaurBulletEnv's to the last bit, three times slower,
            with its quirk that the first reward counts from x = 0.
        preset: "ideal" (no noise, delay or randomization) or "slides" (all three).
        variations: values and ranges by name (see Variations) that replace the preset's.
        reward: the reward function.
        action_model: "leg" or "motor".
        max_steps: length of an episode. (With `gymnasium.make` give `max_episode_steps` as well;
            `quadlib.make` does.)
        render_mode: None or "rgb_array".
        width, height: of the picture in pixels.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": round(1 / CONTROL_STEP)}

    def __init__(
        self,
        physics: str | Physics = "fast",
        preset: str = "ideal",
        variations: Variations | Mapping[str, Range] | None = None,
        reward: Reward | None = None,
        action_model: str = "leg",
        max_steps: int = EPISODE_STEPS,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 360,
    ) -> None:
        # A copy, or what comes out of a pickle, is made anew with a world of its own.
        gymnasium.utils.EzPickle.__init__(
            self, physics, preset, variations, reward, action_model, max_steps, render_mode,
            width, height,
        )  # fmt: skip
        if reward is not None and not callable(reward):
            raise TypeError(f"reward is a function of a step, not {reward!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f'render_mode is None or "rgb_array", not {render_mode!r}')
        whole = isinstance(max_steps, Integral) and not isinstance(max_steps, bool)
        if not (whole and max_steps > 0):
            raise ValueError(f"max_steps is a positive whole number, not {max_steps!r}")
        self.physics = physics
        self.variations = _choose(VARIATIONS, preset, "preset").updated(variations)
        self.reward = reward or slides_reward
        self.to_motor_angles = _choose(ACTION_MODELS, action_model, "action_model")
        self.max_steps = max_steps
        self.render_mode = render_mode
        self.width, self.height = width, height
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (8,), np.float32)
        self._bound = BOUND + BOUND_MARGIN
        self.observation_space = gymnasium.spaces.Box(-self._bound, self._bound, dtype=np.float64)
        self.robot = Robot(physics)
        self._steps: int | None = None

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        super().reset(seed=seed)
        self.episode = self.variations.draw(self.np_random)
        self.robot.reset(self.episode)
        self._noise = noise_scale(
            self.episode.angle_noise, self.episode.velocity_noise,
            self.episode.torque_noise, self.episode.orientation_noise,
        )  # fmt: skip
        self._noisy = bool(self._noise.any())
        self._steps, self._push, self._terms = 0, None, {}
        self._action = np.zeros(8)
        self._position = self.robot.position
        if self.robot.physics.rebuild:  # MinitaurBulletEnv's first reward counts from the origin
            self._position = (0.0, 0.0, 0.0)
        return self._observe(), {"variations": self.episode.as_dict()}

    def step(self, action: np.ndarray):
        if self._steps is None:
            raise RuntimeError("call reset() before step()")
        action = self._checked(action)
        if self.episode.push:
            self._push = self._next_push()
        self.robot.advance(self.to_motor_angles(action), push=self._push)
        step = self._happened(action)
        reward, terms = evaluate_reward(self.reward, step, self._steps)
        for name, term in terms.items():
            self._terms[name] = self._terms.get(name, 0.0) + term
        self._steps += 1
        self._action, self._position = action, self.robot.position
        truncated = self._steps >= self.max_steps
        info = {
            "step": step, "reward_terms": terms, "position": np.array(self.robot.position)
        }  # fmt: skip
        if step.fallen or truncated:
            info["episode_terms"] = self._terms
        return self._observe(), reward, step.fallen, truncated, info

    def render(self) -> np.ndarray | None:
        """A picture (height, width, 3) uint8 from a camera that follows the robot."""
        if self.render_mode is None:
            gymnasium.logger.warn('render() needs gymnasium.make(..., render_mode="rgb_array")')
            return None
        from quadlib.showing.camera import render_frame

        return render_frame(self.robot.client, self.robot.body, self.width, self.height)

    def close(self) -> None:
        self.robot.close()

    def _checked(self, action: np.ndarray) -> np.ndarray:
        action = np.asarray(action, dtype=np.float64)
        if action.shape != (8,):
            raise ValueError(f"an action has shape (8,), not {action.shape}")
        if not math.isfinite(action.sum()):
            raise ValueError(f"an action is made of finite numbers, not {action}")
        action = np.minimum(np.maximum(action, -1.0), 1.0)
        action.flags.writeable = False  # a reward that changed it would change the next step's too
        return action

    def _observe(self) -> np.ndarray:
        observation = np.array(self.robot.history.delayed(self.episode.latency))
        if self._noisy:
            observation += self._noise * self.np_random.standard_normal(len(observation))
        return np.minimum(np.maximum(observation, -self._bound), self._bound)

    def _next_push(self) -> tuple[float, float] | None:
        phase = (self._steps - PUSH_START) % PUSH_EVERY
        if self._steps < PUSH_START or phase >= PUSH_LENGTH:
            return None
        if phase > 0:
            return self._push
        direction = self.np_random.uniform(0.0, 2.0 * math.pi)
        return self.episode.push * math.cos(direction), self.episode.push * math.sin(direction)

    def _happened(self, action: np.ndarray) -> Step:
        robot = self.robot
        x, y, z = robot.position
        before_x, before_y, before_z = self._position
        (vx, vy, vz), (roll_rate, pitch_rate, yaw_rate) = robot.base_velocity()
        roll, pitch, yaw = pybullet.getEulerFromQuaternion(robot.orientation)
        upright = pybullet.getMatrixFromQuaternion(robot.orientation)[8]
        effort = power = 0.0
        for observed, applied, speed in zip(
            robot.observed_torques, robot.torques, robot.velocities, strict=True
        ):
            effort += observed * speed
            power += abs(applied * speed)
        return Step(
            time=(self._steps + 1) * CONTROL_STEP,
            dx=x - before_x, dy=y - before_y, dz=z - before_z,
            x=x, y=y, height=z,
            vx=vx, vy=vy, vz=vz,
            roll=roll, pitch=pitch, yaw=yaw,
            tilt=math.acos(min(max(upright, -1.0), 1.0)),
            roll_rate=roll_rate, pitch_rate=pitch_rate, yaw_rate=yaw_rate,
            motor_angles=np.array(robot.angles),
            motor_speeds=np.array(robot.velocities),
            torques=np.array(robot.observed_torques),
            applied_torques=np.array(robot.torques),
            energy=abs(effort) * TIME_STEP,
            power=power,
            action=action,
            previous_action=self._action,
            contacts=np.array(robot.contacts()),
            fallen=z < FALL_HEIGHT * self.episode.leg_length or upright < FALL_UPRIGHTNESS,
        )  # fmt: skip


def _choose(choices: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in choices:
        raise ValueError(f"{what} is {' or '.join(map(repr, choices))}, not {name!r}")
    return choices[name]
