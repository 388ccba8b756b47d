"""The Minitaur's description, loaded into Bullet: quietly, with legs of any length."""

import contextlib
import ctypes
import os
import sys
import tempfile
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

_ONE_AT_A_TIME = threading.Lock()  # a second thread would take the first one's nowhere for stdout


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Bullet prints, from C and past Python, out of the notebook."""
    with _ONE_AT_A_TIME:
        yield from _redirected()


def _redirected() -> Iterator[None]:
    libc = ctypes.CDLL(None)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    libc.fflush(None)
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        libc.fflush(None)
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)


with _quiet():
    import pybullet
    import pybullet_data

DATA = Path(pybullet_data.getDataPath())


def load_plane(client: int) -> int:
    """The ground. Returns PyBullet's number of it."""
    with _quiet():
        return pybullet.loadURDF(str(DATA / "plane.urdf"), physicsClientId=client)


def load_minitaur(
    client: int, position: tuple[float, float, float], leg_length: float = 1.0, merge: bool = False
) -> int:
    """The robot at a position in m. Returns PyBullet's number of it.

    Args:
        leg_length: factor on upper and lower legs.
        merge: weld links that cannot move against each other into one.
    """
    flags = pybullet.URDF_USE_SELF_COLLISION
    with _quiet(), _scaled_legs(DATA / "quadruped" / "minitaur.urdf", leg_length) as urdf:

        def load(more_flags: int) -> int:
            return pybullet.loadURDF(
                str(urdf), position, flags=flags | more_flags, physicsClientId=client
            )

        if not merge:
            return load(0)
        parts = load(0)
        body = load(pybullet.URDF_MERGE_FIXED_LINKS)
    inertias = merged_inertias(client, parts, body)
    pybullet.removeBody(parts, client)
    for link, inertia in inertias.items():
        pybullet.changeDynamics(
            body, link, localInertiaDiagonal=inertia.tolist(), physicsClientId=client
        )
    return body


def merged_inertias(client: int, parts: int, merged: int) -> dict[int, np.ndarray]:
    """The inertia (3,) in kg·m² of each link of a merged body, by the parallel-axis theorem.

    Bullet's own merging takes that of a box around all shapes instead, which makes a motor with
    its upper leg 1.6 times too sluggish.

    Products of inertia are left out: Bullet's links have none.

    Args:
        parts: the same robot at the same place, not merged, all joints at zero as in `merged`.
        merged: the body whose links consist of several of `parts`'.
    """
    names = {_name(client, merged, link): link for link in _links(client, merged)}
    total = {link: np.zeros((3, 3)) for link in names.values()}
    for part in _links(client, parts):
        whole = names[_name(client, parts, _carrier(client, parts, part))]
        centre, rotation = _frame(client, merged, whole)
        position, orientation = _frame(client, parts, part)
        offset = rotation.T @ (position - centre)
        turn = rotation.T @ orientation
        mass, _, diagonal = pybullet.getDynamicsInfo(parts, part, client)[:3]
        total[whole] += turn @ np.diag(diagonal) @ turn.T
        total[whole] += mass * (offset @ offset * np.eye(3) - np.outer(offset, offset))
    return {link: inertia.diagonal() for link, inertia in total.items()}


def _links(client: int, body: int) -> range:
    return range(-1, pybullet.getNumJoints(body, client))


def _name(client: int, body: int, link: int) -> str:
    return "" if link < 0 else pybullet.getJointInfo(body, link, client)[12].decode()


def _carrier(client: int, body: int, link: int) -> int:
    """The link that this one is welded to, by however many fixed joints."""
    while link >= 0:
        info = pybullet.getJointInfo(body, link, client)
        if info[2] != pybullet.JOINT_FIXED:
            break
        link = info[16]
    return link


def _frame(client: int, body: int, link: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre of mass and principal axes (columns) in the world's frame."""
    if link < 0:
        position, orientation = pybullet.getBasePositionAndOrientation(body, client)
    else:
        position, orientation = pybullet.getLinkState(
            body, link, computeForwardKinematics=1, physicsClientId=client
        )[:2]
    matrix = pybullet.getMatrixFromQuaternion(orientation)
    return np.array(position), np.reshape(matrix, (3, 3))


@contextlib.contextmanager
def _scaled_legs(urdf: Path, factor: float) -> Iterator[Path]:
    """A description of the robot with upper and lower legs longer or shorter by a factor."""
    if factor == 1.0:
        yield urdf
        return
    text = urdf.read_text(encoding="utf-8").replace('<?xml version="0.0" ?>', "")
    robot = ElementTree.fromstring(text)
    for link in robot.iter("link"):
        if "_leg_" in link.get("name"):
            for box in link.iter("box"):
                _scale(box, "size", (1, 1, factor))
            for origin in link.iter("origin"):
                _scale(origin, "xyz", (1, 1, factor))
        for mesh in link.iter("mesh"):
            mesh.set("filename", str(urdf.parent / mesh.get("filename")))
    for joint in robot.iter("joint"):
        child = joint.find("child").get("link")
        if child.startswith("upper_leg"):  # its middle, seen from the motor
            _scale(joint.find("origin"), "xyz", (1, factor, 1))
        elif child.startswith("lower_leg"):  # the knee, at the lower end of the upper leg
            _scale(joint.find("origin"), "xyz", (1, 1, factor))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "minitaur.urdf"
        file.write_text(ElementTree.tostring(robot, encoding="unicode"), encoding="utf-8")
        yield file


def _scale(element: ElementTree.Element, name: str, factors: Sequence[float]) -> None:
    values = (float(v) * f for v, f in zip(element.get(name).split(), factors, strict=True))
    element.set(name, " ".join(map(str, values)))
