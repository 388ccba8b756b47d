"""A camera for poses of the robot, in a Bullet world of its own.

PyBullet's TinyRenderer draws on the CPU: no display and no GPU is needed.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from quadlib.judging.recording import Shape, mesh_path, read_poses, read_shapes
from quadlib.world.model import pybullet

FEET = ("FL", "BL", "FR", "BR")
_FIELD_OF_VIEW = 38.0  # degrees, vertical
_LIGHT = dict(
    shadow=1,
    lightDirection=(-1, -1.5, 4),
    lightDistance=10,
    lightAmbientCoeff=0.6,
    lightDiffuseCoeff=0.4,
    lightSpecularCoeff=0.05,
)


class Camera:
    """Draws given poses of a robot; a Bullet world without physics of its own.

    The robot is always drawn at the world's origin, where TinyRenderer's only light has its sharp
    shadow, and the ground (squares of 1 m) is moved instead.

    Args:
        shapes: the robot's visible shapes, as `recording.read_shapes` gives them.
        width, height: of the pictures, pixels.
        yaw, pitch: of the view, degrees; yaw 0 looks along y, at the robot's right side.
        distance: from the robot, m.
        smooth: edges are drawn at this many times the size, and the time is its square.
    """

    def __init__(
        self,
        shapes: Sequence[Shape],
        width: int = 480,
        height: int = 360,
        yaw: float = 25.0,
        pitch: float = -27.0,
        distance: float = 1.15,
        smooth: int = 1,
    ) -> None:
        self.width, self.height, self.smooth = width, height, smooth
        self._client = pybullet.connect(pybullet.DIRECT)
        self._disconnect = weakref.finalize(self, pybullet.disconnect, self._client)
        self._disconnect.atexit = False
        self._shapes = [
            (shape, self._body(**_geometry(shape), rgbaColor=shape.rgba)) for shape in shapes
        ]
        self._ground = self._make_ground()
        disc = dict(shapeType=pybullet.GEOM_CYLINDER, radius=0.028, length=0.004)
        self._marks = [self._body(**disc, rgbaColor=(1.0, 0.72, 0.05, 1)) for _ in FEET]
        self._view = pybullet.computeViewMatrixFromYawPitchRoll(
            (0, 0, 0.13), distance, yaw, pitch, 0, 2
        )
        self._projection = pybullet.computeProjectionMatrixFOV(
            _FIELD_OF_VIEW, width / height, 0.05, 20
        )

    def draw(
        self,
        poses: np.ndarray,
        centre: Sequence[float] | None = None,
        feet: np.ndarray | None = None,
        contacts: Sequence[bool] | None = None,
    ) -> np.ndarray:
        """One picture, (height, width, 3) uint8.

        `poses` (L, 7) as `recording.read_poses` gives them.  The view is centred on the base, or on
        `centre` (x, y in m).  With `feet` (4, 3) and `contacts` (4,) a disc marks each foot that
        stands.
        """
        origin = np.array([*(poses[0, :2] if centre is None else centre[:2]), 0.0])
        for shape, body in self._shapes:
            pose = poses[shape.link + 1]
            self._place(
                body,
                *pybullet.multiplyTransforms(
                    pose[:3] - origin, pose[3:], shape.position, shape.quaternion
                ),
            )
        self._place(self._ground, -np.mod(origin, 2.0))
        for foot, mark in enumerate(self._marks):
            stands = feet is not None and contacts is not None and contacts[foot]
            self._place(mark, [*(feet[foot] - origin)[:2], 0.0] if stands else [0, 0, -1])
        width, height = self.width * self.smooth, self.height * self.smooth
        pixels = pybullet.getCameraImage(
            width,
            height,
            self._view,
            self._projection,
            **_LIGHT,
            renderer=pybullet.ER_TINY_RENDERER,
            flags=pybullet.ER_NO_SEGMENTATION_MASK,
            physicsClientId=self._client,
        )[2]
        image = np.asarray(pixels, np.uint8).reshape(height, width, 4)[..., :3]
        blocks = image.reshape(self.height, self.smooth, self.width, self.smooth, 3)
        return blocks.mean(axis=(1, 3)).round().astype(np.uint8)

    def close(self) -> None:
        """Leave the Bullet world."""
        self._disconnect()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _body(self, rgbaColor: Sequence[float], **geometry: Any) -> int:
        visual = pybullet.createVisualShape(
            rgbaColor=rgbaColor, physicsClientId=self._client, **geometry
        )
        return pybullet.createMultiBody(0, -1, visual, physicsClientId=self._client)

    def _place(self, body: int, position: Sequence, quaternion: Sequence = (0, 0, 0, 1)) -> None:
        pybullet.resetBasePositionAndOrientation(
            body, position, quaternion, physicsClientId=self._client
        )

    def _make_ground(self) -> int:
        plane = str(mesh_path("plane100.obj"))  # 200 m wide, its texture spans 2 m
        ground = self._body(shapeType=pybullet.GEOM_MESH, fileName=plane, rgbaColor=(1, 1, 1, 1))
        tile = Image.new("RGB", (256, 256), (222, 229, 235))
        draw = ImageDraw.Draw(tile)
        for corner in (0, 128):
            draw.rectangle((corner, corner, corner + 127, corner + 127), fill=(205, 214, 222))
        for line in (0, 127, 254):
            draw.rectangle((line, 0, line + 1, 255), fill=(140, 153, 166))
            draw.rectangle((0, line, 255, line + 1), fill=(140, 153, 166))
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "ground.png")
            tile.save(file)
            texture = pybullet.loadTexture(file, physicsClientId=self._client)
        pybullet.changeVisualShape(
            ground, -1, textureUniqueId=texture, physicsClientId=self._client
        )
        return ground


def _geometry(shape: Shape) -> dict[str, Any]:
    x, y, z = shape.size
    if shape.kind == "box":
        return dict(shapeType=pybullet.GEOM_BOX, halfExtents=(x / 2, y / 2, z / 2))
    if shape.kind == "sphere":
        return dict(shapeType=pybullet.GEOM_SPHERE, radius=x)
    if shape.kind == "cylinder":
        return dict(shapeType=pybullet.GEOM_CYLINDER, length=x, radius=y)
    return dict(
        shapeType=pybullet.GEOM_MESH, fileName=str(mesh_path(shape.mesh)), meshScale=shape.size
    )


@lru_cache(maxsize=2)
def _live_camera(shapes: tuple[Shape, ...], width: int, height: int) -> Camera:
    return Camera(shapes, width, height)


def render_frame(client: int, body: int, width: int = 480, height: int = 360) -> np.ndarray:
    """A picture of a simulated robot as it is now, (height, width, 3) uint8, camera following.

    `client` and `body` are PyBullet's numbers of its world and of the robot.
    """
    return _live_camera(read_shapes(client, body), width, height).draw(read_poses(client, body))
