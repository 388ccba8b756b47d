"""An interactive 3D replay of recordings, as one self-contained HTML page.

Orbit, pause, scrub, follow; without a kernel, without a network.  The page is `static/viewer.html`
with `static/viewer.js`; three.js draws it (see `static/README.md`).
"""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from quadlib.files import write
from quadlib.judging.recording import Recording, mesh_path, record

MAX_PAGE_BYTES = 1_500_000
MAX_ROBOTS = 5  # marks and colours in viewer.js
_STATIC = Path(__file__).parent / "static"
_UNIT = 1e-4  # m for positions, and of a quaternion's components


class Replay:
    """A page that plays recordings.  Shows itself in a notebook; `save` writes it as HTML."""

    def __init__(self, page: str, alt: str, height: int) -> None:
        self.page, self.alt, self.height = page, alt, height

    def save(self, path: str | os.PathLike) -> Path:
        """Write the page; any browser plays it from disk."""
        return write(Path(path), lambda file: file.write(self.page.encode()))

    def _repr_html_(self) -> str:
        # An untrusted notebook or a static site strips the frame: the words under it then show.
        return (
            f'<div style="position:relative;height:{self.height}px">'
            f"<p>{html.escape(self.alt)}<br>The interactive 3D replay appears here when you "
            f"run this cell, or choose “Trust Notebook” in Jupyter.</p>"
            f'<iframe srcdoc="{html.escape(self.page)}" title="{html.escape(self.alt)}" '
            f'sandbox="allow-scripts" style="position:absolute;inset:0;width:100%;height:100%;'
            f'border:0;border-radius:8px"></iframe></div>'
        )

    def __repr__(self) -> str:
        return f"<Replay: {self.alt} ({len(self.page) / 1e6:.2f} MB)>"


def replay(what: Any, height: int = 480, **record_arguments: Any) -> Replay:
    """Show recordings, or agents that are recorded first, in one interactive 3D scene.

    `what` is a Recording, an agent (or a function observation -> action), a list of these, or a
    dict label -> one of these.  Several share the scene side by side, 0.9 m apart.
    `height` is in pixels; other arguments go to `record` (`env`, `seed`, `seconds`).
    Raises ValueError when the page would be larger than 1.5 MB.
    """
    recordings = as_recordings(what, **record_arguments)
    if not 1 <= len(recordings) <= MAX_ROBOTS:
        raise ValueError(f"one to {MAX_ROBOTS} recordings fit into a scene, not {len(recordings)}")
    meshes = {s.mesh: read_mesh(s.mesh) for r in recordings for s in r.shapes if s.kind == "mesh"}
    data = {"robots": [_robot_data(r) for r in recordings], "meshes": meshes}
    alt = describe(recordings)
    parts = {
        "title": html.escape(", ".join(r.label for r in recordings)),
        "alt": html.escape(
            f"3D replay. {alt} Space plays and pauses, arrows step and change the "
            f"speed, question mark lists all keys."
        ),
        "three": _packed((_STATIC / "three.min.js").read_bytes()),
        "data": _packed(json.dumps(data, separators=(",", ":")).encode()),
        "viewer": (_STATIC / "viewer.js").read_text(encoding="utf-8"),
    }
    page = (_STATIC / "viewer.html").read_text(encoding="utf-8")
    # In one go: a label may have such braces, too.
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)
    if len(page) > MAX_PAGE_BYTES:
        raise ValueError(
            f"the page would have {len(page) / 1e6:.1f} MB, more than "
            f"{MAX_PAGE_BYTES / 1e6} MB: show fewer robots or fewer seconds"
        )
    return Replay(page, alt, height)


def as_recordings(what: Any, **record_arguments: Any) -> list[Recording]:
    """Recordings from whatever `replay` and `video` accept; agents are recorded."""
    from dataclasses import replace

    if isinstance(what, dict):
        found = {label: as_recordings(one, **record_arguments)[0] for label, one in what.items()}
        return [replace(recording, label=str(label)) for label, recording in found.items()]
    if isinstance(what, Sequence) and not isinstance(what, str):
        return [as_recordings(one, **record_arguments)[0] for one in what]
    if isinstance(what, Recording):
        return [what]
    if hasattr(what, "act") or callable(what):
        return [record(what, **record_arguments)]
    raise TypeError(
        f"cannot show a {type(what).__name__}: give a recording, an agent, a function "
        f"observation -> action, or a list or dict of these"
    )


def describe(recordings: Sequence[Recording]) -> str:
    """What is seen, in words and units: the alternative text."""
    return " ".join(
        f"{r.label}: {round(r.distance, 2) + 0.0:.2f} m forward in {r.duration:.1f} s "
        f"({r.distance / r.duration:.2f} m/s), return {r.reward.sum():.2f}"
        + (", then it falls." if r.fell else ".")
        for r in recordings
    )


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _differences(frames: np.ndarray) -> list:
    """Integers in steps of _UNIT, each row less the row before: small numbers compress well."""
    steps = np.round(frames.reshape(len(frames), -1) / _UNIT).astype(int)
    return np.diff(steps, axis=0, prepend=0 * steps[:1]).tolist()


def _robot_data(recording: Recording) -> dict:
    """What viewer.js plays: `poses` and `feet` as differences, contacts as bits of one number."""
    poses = recording.poses.astype(float)
    quaternions = poses[..., 3:]
    flip = np.sign(np.sum(quaternions[1:] * quaternions[:-1], axis=-1, keepdims=True))
    quaternions[1:] *= np.cumprod(np.where(flip == 0, 1, flip), axis=0)  # q and -q turn alike
    return {
        "label": recording.label,
        "dt": float(np.diff(recording.time).mean()),
        "fell": recording.fell,
        "poses": _differences(poses),
        "feet": _differences(recording.feet),
        "contacts": (recording.contacts @ (1 << np.arange(4))).tolist(),
        "reward": np.round(recording.reward.astype(float), 5).tolist(),
        "shapes": [
            {
                "link": s.link,
                "kind": s.kind,
                "size": s.size,
                "position": s.position,
                "quaternion": s.quaternion,
                "rgba": s.rgba,
                "mesh": s.mesh,
            }
            for s in recording.shapes
        ],
    }


@cache
def read_mesh(name: str) -> dict:
    """Triangles of an .obj file of pybullet_data, with its texture as a small JPEG data URI.

    `vertices` holds 9 numbers (m) and `uvs` 6 per triangle.
    """
    from PIL import Image

    path = mesh_path(name)
    rows: dict[str, list] = {"v": [], "vt": [], "f": []}
    for line in path.read_text().splitlines():
        key, *words = line.split() or [""]
        rows.get(key, []).append(words)
    corners = [
        [[int(n or 0) for n in word.split("/")] for word in (face[0], face[i], face[i + 1])]
        for face in rows["f"]
        for i in range(1, len(face) - 1)
    ]
    index = np.array(corners)[..., :2].reshape(-1, 2) - 1
    vertices, uvs = np.array(rows["v"], float), np.array(rows["vt"], float)[:, :2]
    texture = ""
    for line in path.with_suffix(".mtl").read_text().splitlines():
        if line.startswith("map_Kd"):
            image, file = Image.open(path.parent / line.split()[1]), io.BytesIO()
            image.convert("RGB").resize((192, 192)).save(file, "JPEG", quality=80)
            texture = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    return {
        "vertices": vertices[index[:, 0]].round(6).ravel().tolist(),
        "uvs": uvs[index[:, 1]].round(4).ravel().tolist(),
        "texture": texture,
    }
