"""How long the 3D replay takes for a frame, in a browser.

A page can draw 30 frames a second when a frame takes at most 33 ms. Two measurements: the page's
own script, which moves the robots and tells WebGL what to draw, with WebGL's drawing left out; and
the page as it is. Without a GPU the processor draws, and the second is no measure of a laptop.
"""

import sys
import tempfile
from pathlib import Path

import measure
import numpy as np

import quadlib

sys.path.append(str(Path(__file__).parents[1] / "browser"))
import conftest

SECONDS = 6.0  # of each measurement
WATCH = """
const request = window.requestAnimationFrame.bind(window);
window.frames_ = [];
window.calls_ = 0;
window.requestAnimationFrame = (draw) => request((now) => {
  const start = performance.now(), calls = calls_;
  draw(now);
  frames_.push([now, performance.now() - start, calls_ - calls]);
});
"""
LEAVE_OUT = """
for (const name of ["clear", "drawArrays", "drawElements"])
  WebGL2RenderingContext.prototype[name] = () => { calls_ += name !== "clear"; };
"""
ASK = "[document.querySelector('#scene').getContext('webgl2')]\
.map(gl => [gl, gl.getExtension('WEBGL_debug_renderer_info')])\
.map(([gl, info]) => info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : 'unknown')[0]"


def watch(browser, page: Path, drawing: bool) -> tuple[str, np.ndarray]:
    """(what draws, frames): rows of time (ms), the script's share (ms), what it told
    WebGL to draw (counted when nothing is drawn)."""
    tab = browser.new_page(viewport={"width": 1000, "height": 480})
    tab.add_init_script(WATCH + (not drawing) * LEAVE_OUT)
    tab.goto(page.as_uri())
    tab.wait_for_function("window.frames_.length > 10")  # what is compiled once is compiled
    tab.evaluate("frames_.length = 0")
    tab.wait_for_timeout(1000 * SECONDS)
    drawn, renderer = np.array(tab.evaluate("frames_")), tab.evaluate(ASK)
    tab.close()
    return renderer, drawn


def main() -> None:
    program = conftest.find_browser()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        print("replay: not measured, it needs Chromium and `pip install playwright`")
        return
    measure.others_running()
    runner = quadlib.record(quadlib.Agent.shipped("first_gait"), seconds=6, label="robot")
    with sync_playwright() as api, tempfile.TemporaryDirectory() as folder:
        browser = api.chromium.launch(
            executable_path=program, args=conftest.FLAGS, chromium_sandbox=False
        )
        for count in (1, 3):
            replay = quadlib.replay([runner] * count)
            page = replay.save(Path(folder) / f"{count}.html")
            _, scripted = watch(browser, page, drawing=False)
            renderer, drawn = watch(browser, page, drawing=True)
            if count == 1:
                print(f"replay, drawn by {renderer}")
            middle, high = np.percentile(scripted[:, 1], [50, 95])
            rates = (1000 / np.diff(times[:, 0]).mean() for times in (scripted, drawn))
            print(
                f"  {count} robot{'s' * (count > 1)}: {len(replay.page) / 1e6:.2f} MB, script "
                f"{middle:.1f} ms a frame (95 % below {high:.1f}) for "
                f"{np.median(scripted[:, 2]):.0f} parts; frames/s: "
                "{:.0f} without drawing, {:.0f} with it".format(*rates)
            )
        browser.close()


if __name__ == "__main__":
    main()
