"""How long a slider takes until its new picture is there, for every slider of the course.

Processor time and wall time in ms of one move, over the ends of all sliders of a widget: the way to
the browser comes on top. Nothing has to be trained, so it should stay below 200 ms.
"""

import contextlib
import io
import sys
from pathlib import Path
from time import perf_counter, process_time

import measure
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "notebooks")]
import build  # noqa: E402
import cells  # noqa: E402

from quadlib.showing.widgets import Explorer  # noqa: E402


def moves(explorer: Explorer) -> np.ndarray:
    """(processor time, wall time) in ms of each move to an end of a slider and back."""
    times = []
    for slider in explorer.sliders.values():
        first = slider.index
        for index in (0, len(slider.options) - 1, first):
            if index != slider.index:
                processor, wall = process_time(), perf_counter()
                slider.index = index
                times.append((process_time() - processor, perf_counter() - wall))
    return 1000 * np.array(times)


def main() -> None:
    measure.others_running()
    for name in build.names():
        with contextlib.redirect_stdout(io.StringIO()):  # what the cells show
            shown = [getattr(value, "explorer", value) for value in cells.run(name).shown]
        for explorer in filter(lambda value: isinstance(value, Explorer), shown):
            moves(explorer)  # the first pictures load fonts
            times = moves(explorer)
            (processor, wall), worst = np.median(times, axis=0), times.max(axis=0)
            print(
                f"{name}: {', '.join(explorer.sliders)}: {processor:.0f} ms of processor "
                f"(worst {worst[0]:.0f}), {wall:.0f} ms of wall time (worst {worst[1]:.0f})"
            )


if __name__ == "__main__":
    main()
