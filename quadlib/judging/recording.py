"""One episode kept as plain data: what `replay` and `video` show.

`record` plays an episode and reads, 50 times a second, where every part of the robot is.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quadlib.files import write
from quadlib.world.model import pybullet, pybullet_data
from quadlib.world.robot import CONTROL_STEP, PIN_RIGHT

MAX_FILE_BYTES = 200_000_000  # unpacked; 10 s take 0.3 MB
MAX_WORDS_BYTES = 4_000_000  # of them what is said in words; ours have 20,000
FRAME_TIME = 0.02  # s between two frames of a recording
_ARRAYS = ("time", "poses", "feet", "contacts", "reward")
KINDS = {
    pybullet.GEOM_BOX: "box",
    pybullet.GEOM_SPHERE: "sphere",
    pybullet.GEOM_CYLINDER: "cylinder",
    pybullet.GEOM_MESH: "mesh",
}


@dataclass(frozen=True)
class Shape:
    """One visible shape of the robot, in the frame of its link (URDF link frame)."""

    link: int  # -1 is the base
    kind: str  # "box", "sphere", "cylinder" or "mesh"
    size: tuple[float, float, float]  # m: box edges; sphere (radius, 0, 0);
    # cylinder (length, radius, 0), along z; mesh: scale factors
    position: tuple[float, float, float]  # m
    quaternion: tuple[float, float, float, float]  # x, y, z, w
    rgba: tuple[float, float, float, float]
    mesh: str = ""  # an .obj file, relative to pybullet_data


@dataclass(frozen=True, eq=False)
class Recording:
    """One episode as plain data: T frames of L bodies (the base, then every link in order)."""

    time: np.ndarray  # (T,) s, evenly spaced from 0
    poses: np.ndarray  # (T, L, 7) world position in m, quaternion x, y, z, w
    feet: np.ndarray  # (T, 4, 3) m, in the order of robot.LEGS
    contacts: np.ndarray  # (T, 4) bool: the foot is on the ground
    reward: np.ndarray  # (T,) reward since the frame before
    shapes: tuple[Shape, ...]
    label: str = "Minitaur"
    env_id: str = ""
    fell: bool = False  # the episode was ended by the environment, not by the clock

    @property
    def distance(self) -> float:
        """Forward distance of the body, m."""
        return float(self.poses[-1, 0, 0] - self.poses[0, 0, 0])

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return float(self.time[-1] - self.time[0])

    def save(self, path: str | os.PathLike) -> Path:
        """Write the recording as a compressed .npz file without pickled objects."""
        words = {
            "shapes": [asdict(s) for s in self.shapes],
            "label": self.label,
            "env_id": self.env_id,
            "fell": self.fell,
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        path = Path(path)
        if path.suffix != ".npz":  # what follows the dot of "speed_1.5" is no suffix
            path = path.with_name(path.name + ".npz")
        return write(path, lambda f: np.savez_compressed(f, about=json.dumps(words), **arrays))

    @classmethod
    def load(cls, path: str | os.PathLike) -> Recording:
        """Read a file written by `save`.  Raises ValueError for a damaged or foreign file."""
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
            if size > MAX_FILE_BYTES:
                raise ValueError(f"it unpacks to {size / 1e6:.0f} MB")
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in _ARRAYS}
                if (size := file["about"].nbytes) > MAX_WORDS_BYTES:
                    raise ValueError(f"{size / 1e6:.0f} MB of it are words")
                words = json.loads(str(file["about"]))
            shapes = tuple(
                Shape(**{k: tuple(v) if isinstance(v, list) else v for k, v in shape.items()})
                for shape in words.pop("shapes")
            )
            recording = cls(**arrays, shapes=shapes, **words)
            _check(recording)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(
                f"{path} is not a recording, or it is damaged ({error}). "
                f"Record the episode again with quadlib.record()."
            ) from error
        return recording


def _check(recording: Recording) -> None:
    frames, bodies = recording.poses.shape[:2]
    expected = {
        "time": (frames,),
        "poses": (frames, bodies, 7),
        "feet": (frames, 4, 3),
        "contacts": (frames, 4),
        "reward": (frames,),
    }
    for name, shape in expected.items():
        array = getattr(recording, name)
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape} instead of {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity")
    if frames < 2 or np.any(np.diff(recording.time) <= 0):
        raise ValueError("time must increase over at least two frames")
    words = isinstance(recording.label, str) and isinstance(recording.env_id, str)
    if not (words and isinstance(recording.fell, bool)):
        raise ValueError("label, env_id or fell are of another kind")
    if not all(_is_shape(shape) for shape in recording.shapes):
        raise ValueError("a shape is not what read_shapes would have read")
    if any(not -1 <= shape.link < bodies - 1 for shape in recording.shapes):
        raise ValueError("a shape belongs to a link without poses")


def _is_shape(shape: Shape) -> bool:
    rows = {"position": 3, "size": 3, "quaternion": 4, "rgba": 4}
    return (
        shape.kind in KINDS.values()
        and type(shape.link) is int
        and isinstance(shape.mesh, str)
        and all(_are_numbers(getattr(shape, name), n) for name, n in rows.items())
    )


def _are_numbers(row: Any, count: int) -> bool:
    return (
        isinstance(row, tuple)
        and len(row) == count
        and all(type(each) in (int, float) and math.isfinite(each) for each in row)
    )


# ---- reading the simulated robot -----------------------------------------------------------------


def read_shapes(client: int, body: int) -> tuple[Shape, ...]:
    """Every visible shape of a loaded robot, base and links."""
    shapes = []
    for data in pybullet.getVisualShapeData(body, physicsClientId=client):
        _, link, kind, size, mesh, position, quaternion, rgba = data[:8]
        if kind not in KINDS:
            raise ValueError(
                f"link {link} has a visual shape of a kind that cannot be replayed; "
                f"use boxes, spheres, cylinders or .obj meshes"
            )
        file = os.path.relpath(mesh.decode(), pybullet_data.getDataPath()) if mesh else ""
        shapes.append(Shape(link, KINDS[kind], size, position, quaternion, rgba, file))
    return tuple(shapes)


def read_poses(client: int, body: int) -> np.ndarray:
    """World poses of base and links, (L, 7): position in m, quaternion x, y, z, w.

    They are poses of the URDF link frames; Bullet itself reports the base by its centre of mass.
    """
    com = pybullet.getBasePositionAndOrientation(body, physicsClientId=client)
    inertial = pybullet.getDynamicsInfo(body, -1, physicsClientId=client)[3:5]
    base = pybullet.multiplyTransforms(*com, *pybullet.invertTransform(*inertial))
    links = range(pybullet.getNumJoints(body, physicsClientId=client))
    states = pybullet.getLinkStates(
        body, list(links), computeForwardKinematics=True, physicsClientId=client
    )
    return np.array([[*base[0], *base[1]], *([*s[4], *s[5]] for s in states)])


def mesh_path(name: str) -> Path:
    """The file of a Shape's mesh.

    Raises ValueError if it is not an .obj file of pybullet_data: a recording from a stranger must
    not make others read their own disk.
    """
    root = Path(pybullet_data.getDataPath()).resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or path.suffix != ".obj" or not path.is_file():
        raise ValueError(f"the recording asks for the mesh {name!r}, which is not in pybullet_data")
    return path


def record(
    agent: Any, env: Any = None, seed: int = 0, seconds: float = 10.0, label: str | None = None
) -> Recording:
    """Play one episode and keep it.

    `agent` has `.act(observation)`, or is a function from observation to action.  `env` is an
    environment, its id, or a function that makes it; by default what the agent was trained in.
    An environment that you pass in is reset, and stays open.  The recording ends after `seconds`
    of simulated time, or earlier with the episode.
    """
    from quadlib.learning.agent import world_for  # pictures of an environment need no agent

    about, owned = getattr(agent, "about", {}), not hasattr(env, "step")
    world = world_for(agent, env)() if owned else env
    act: Callable = getattr(agent, "act", agent)
    robot = world.unwrapped.robot
    every = round(FRAME_TIME / CONTROL_STEP)
    try:
        observation, _ = world.reset(seed=seed)
        poses, contacts, rewards = [], [], []
        income, terminated, truncated = 0.0, False, False
        last = round(seconds / CONTROL_STEP)
        for step in range(last + 1):
            ended = terminated or truncated or step == last
            if step % every == 0 or ended:  # a fall between two frames is kept, as the next frame
                poses.append(read_poses(robot.client, robot.body))
                contacts.append(robot.contacts())
                rewards.append(income)
                income = 0.0
            if ended:
                break
            observation, reward, terminated, truncated, _ = world.step(act(observation))
            income += float(reward)
        shapes, lower_legs = read_shapes(robot.client, robot.body), robot.feet
    finally:
        if owned:
            world.close()
    places = np.array(poses, np.float32)
    recording = Recording(
        time=np.arange(len(poses), dtype=np.float32) * np.float32(FRAME_TIME),
        poses=places,
        feet=_feet(places, shapes, lower_legs),
        contacts=np.array(contacts),
        reward=np.array(rewards, np.float32),
        shapes=shapes,
        label=label or about.get("algorithm", "minitaur"),
        env_id=getattr(world.spec, "id", ""),
        fell=terminated,
    )
    _check(recording)
    return recording


def _feet(poses: np.ndarray, shapes: Sequence[Shape], lower_legs: Sequence[int]) -> np.ndarray:
    """Where each leg's two lower bars are pinned together, (T, 4, 3) in m."""
    right = list(lower_legs[1::2])
    centre = next(shape.position[2] for shape in shapes if shape.link == right[0])  # of the bar
    pin = np.array([*PIN_RIGHT[:2], 2 * centre])
    bars = poses[:, np.array(right) + 1]
    xyz, w = bars[..., 3:6], bars[..., 6:]
    return bars[..., :3] + pin + 2 * np.cross(xyz, np.cross(xyz, pin) + w * pin)
