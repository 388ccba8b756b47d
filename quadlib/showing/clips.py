"""Pictures of recordings for pages that run no code: an animated GIF, an mp4, a film strip.

PyBullet's TinyRenderer draws them on the CPU: no display and no GPU is needed.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from quadlib.files import write
from quadlib.judging.recording import Recording
from quadlib.showing.camera import FEET, Camera
from quadlib.showing.viewer import as_recordings, describe

MAX_GIF_BYTES = 600_000
_INK = (27, 36, 44)


class Clip:
    """A picture or a video; shows itself in a notebook, with its description under it."""

    def __init__(self, data: bytes, kind: str, alt: str) -> None:
        self.data, self.kind, self.alt = data, kind, alt

    def save(self, path: str | os.PathLike) -> Path:
        """Write the file; its name must end with the clip's own kind (.gif, .png or .mp4)."""
        if Path(path).suffix.lower() != f".{self.kind}":
            raise ValueError(f"this is a {self.kind}: give a name that ends with .{self.kind}")
        return write(Path(path), lambda file: file.write(self.data))

    def _ipython_display_(self) -> None:
        from html import escape

        from IPython.display import display

        data = b64encode(self.data).decode()
        if self.kind == "mp4":
            tag = (
                f'<video controls loop muted playsinline aria-label="{escape(self.alt)}" '
                f'src="data:video/mp4;base64,{data}"></video>'
            )
            display({"text/html": tag, "text/plain": repr(self)}, raw=True)
        else:
            # A GIF too goes by image/png: static pages show no other type, and browsers look at
            # the bytes.  JupyterLab drops the alternative text, hence the line underneath.
            display(
                {"image/png": data, "text/plain": repr(self)},
                raw=True,
                metadata={"image/png": {"alt": self.alt}},
            )
        caption = f"<small>{escape(self.alt)}</small>"
        display({"text/html": caption, "text/plain": self.alt}, raw=True)

    def __repr__(self) -> str:
        return f"<{self.kind}, {len(self.data) / 1000:.0f} kB>"


def video(
    what: Any,
    path: str | os.PathLike | None = None,
    seconds: float = 3.0,
    start: float | None = None,
    speed: float = 1.0,
    width: int = 360,
    **record_arguments: Any,
) -> Clip:
    """A GIF (or an mp4, if `path` ends so) of a recording, or of an agent that is recorded first.

    Args:
        what: one Recording, agent, or function observation -> action.
        path: where to write it; nowhere if None.
        seconds, start: of the episode, s; by default a part after the start, or before the fall.
        speed: 0.5 plays at half the speed.
        width: pixels, with 16:10; a GIF is made smaller until it has at most 600 kB.
        record_arguments: go to `record` (`env`, `seed`).

    Raises RuntimeError if an mp4 is asked for and no ffmpeg is found.
    """
    kind = Path(path).suffix[1:].lower() if path else "gif"
    if kind not in ("gif", "mp4"):
        raise ValueError(f"{path}: a video ends with .gif or .mp4")
    if kind == "mp4" and not shutil.which("ffmpeg"):
        raise RuntimeError(
            "an mp4 needs the program ffmpeg, which is not installed here: "
            "install it, or give a path that ends with .gif"
        )
    recording = _one(what, **record_arguments)
    seconds = min(seconds, recording.duration)
    latest = recording.duration - seconds
    start = (latest if recording.fell else min(2.0, latest)) if start is None else start
    interval = 1 / 30 if kind == "mp4" else 0.06  # GIF delays are whole hundredths of a second
    times = np.arange(start, start + seconds + 1e-6, interval * speed)
    width -= width % 2
    height = round(width * 0.625 / 2) * 2
    with Camera(recording.shapes, width, height, smooth=2) as camera:
        frames = [_frame(camera, recording, time) for time in times]
    encoded = _mp4(frames) if kind == "mp4" else _gif(frames, round(1000 * interval))
    clip = Clip(encoded, kind, describe([recording]))
    if path:
        clip.save(path)
    return clip


def film_strip(
    what: Any,
    path: str | os.PathLike | None = None,
    phases: int = 6,
    seconds: float | None = None,
    start: float | None = None,
    width: int = 320,
    **record_arguments: Any,
) -> Clip:
    """Phases of a gait in one PNG, three in a row, each with its time and the feet that stand.

    `seconds` from the first to the last phase (by default up to 0.5, so many that the legs are seen
    in different places), from `start` (by default 2 s, or before the end); `width` of one phase in
    pixels; other arguments as for `video`.
    """
    recording = _one(what, **record_arguments)
    if start is None:
        start = max(min(2.0, recording.duration - (seconds or 0.5)), 0.0)
    end = start + (seconds or _telling(recording, start, phases))
    times = np.linspace(start, min(end, recording.duration), phases)
    height, columns = round(width * 0.625), min(phases, 3)
    strip = Image.new("RGB", (columns * width, -(-phases // columns) * height), "white")
    with Camera(recording.shapes, width, height, smooth=2) as camera:
        for i, time in enumerate(times):
            frame = _frame(camera, recording, time, gait=True)
            strip.paste(frame, (i % columns * width, i // columns * height))
    file = io.BytesIO()
    strip.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        file, "PNG", optimize=True
    )
    clip = Clip(
        file.getvalue(),
        "png",
        f"{phases} phases of a gait in {times[-1] - times[0]:.2f} s. " + describe([recording]),
    )
    if path:
        clip.save(path)
    return clip


def _telling(recording: Recording, start: float, phases: int, longest: float = 0.5) -> float:
    """Seconds between first and last phase, at most `longest`, that show most of the gait.

    A fixed time between two pictures can fall in step with the legs; then all look the same.
    """
    step = np.diff(recording.time).mean()
    legs = recording.feet - recording.poses[:, :1, :3]  # seen from the body
    first, gaps = round(start / step), max(phases - 1, 1)

    def variety(spacing: int) -> float:
        return np.var(legs[first::spacing][:phases], axis=0).sum()

    return gaps * step * max(range(1, max(round(longest / gaps / step), 1) + 1), key=variety)


def _one(what: Any, **record_arguments: Any) -> Recording:
    recordings = as_recordings(what, **record_arguments)
    if len(recordings) != 1:
        raise ValueError(f"a video shows one recording, not {len(recordings)}: use replay for more")
    return recordings[0]


def _frame(camera: Camera, recording: Recording, time: float, gait: bool = False) -> Image.Image:
    i = int(np.clip(round(time / np.diff(recording.time).mean()), 0, len(recording.time) - 1))
    path = recording.poses[:, 0, :2]
    centre = path[max(i - 15, 0) : i + 16].mean(axis=0)  # over 0.6 s, so that the view is calm
    pixels = camera.draw(recording.poses[i], centre, recording.feet[i], recording.contacts[i])
    image = Image.fromarray(pixels)
    if gait:
        text = "  ".join(f if c else "__" for f, c in zip(FEET, recording.contacts[i], strict=True))
        text = f"{recording.time[i]:.2f} s    {text}"
    else:
        back = max(i - 25, 0)
        elapsed = recording.time[i] - recording.time[back]
        speed = (path[i, 0] - path[back, 0]) / elapsed if elapsed else 0.0
        text = f"{speed:.2f} m/s    {path[i, 0] - path[0, 0]:.1f} m"
    font = ImageFont.load_default(max(camera.height // 16, 10))
    ImageDraw.Draw(image).text((8, 5), text, fill=_INK, font=font)
    return image


def _gif(frames: list[Image.Image], delay: int) -> bytes:
    """Animated GIF; with fewer colours, then smaller, until it has at most MAX_GIF_BYTES."""
    for colours, scale in ((96, 1.0), (48, 1.0), (48, 0.85), (48, 0.7), (32, 0.55), (32, 0.4)):
        size = (round(frames[0].width * scale), round(frames[0].height * scale))
        small = [f if scale == 1 else f.resize(size, Image.Resampling.LANCZOS) for f in frames]
        sample = np.vstack([np.asarray(f) for f in small[:: max(len(small) // 6, 1)]])
        # an octree keeps the few pixels of the foot marks a colour of their own
        palette = Image.fromarray(sample).quantize(colours, method=Image.Quantize.FASTOCTREE)
        first, *rest = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in small]
        file = io.BytesIO()
        first.save(file, "GIF", save_all=True, append_images=rest, duration=delay, loop=0)
        if file.tell() <= MAX_GIF_BYTES:
            return file.getvalue()
    raise ValueError(
        f"{len(frames)} frames do not fit into a GIF of {MAX_GIF_BYTES // 1000} kB: "
        f"ask for fewer seconds, or for an .mp4"
    )


def _mp4(frames: list[Image.Image]) -> bytes:
    size = "x".join(map(str, frames[0].size))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "video.mp4"
        options = f"-loglevel error -f rawvideo -pix_fmt rgb24 -s {size} -r 30 -i -"
        options += " -pix_fmt yuv420p -movflags +faststart"
        done = subprocess.run(
            ["ffmpeg", *options.split(), str(file)],
            input=b"".join(f.tobytes() for f in frames),
            capture_output=True,
        )
        if done.returncode:
            raise RuntimeError(f"ffmpeg could not write the video: {done.stderr.decode()[-300:]}")
        return file.read_bytes()
