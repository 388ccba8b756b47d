"""Widgets and replays in JupyterLab with the keyboard alone: reached, seen, and used."""

from notebook_page import NotebookPage, until

CELLS = [
    "import numpy as np, quadlib\nfrom matplotlib.figure import Figure\n"
    "from quadlib.showing import widgets\nfrom quadlib.showing.gait_maker import GaitMaker, play\n"
    "from quadlib.showing.leg_explorer import explore_legs\n"
    "from quadlib.showing.reward_mixer import RewardMixer\n"
    "def gait(t, frequency, swing, lift, phases):\n"
    "    angle = 2 * np.pi * (frequency * t + phases)\n"
    "    return np.concatenate([swing * np.cos(angle), 0.1 - lift * np.sin(angle)])\n"
    "def draw(height):\n"
    "    figure = Figure(figsize=(4, 1))\n    figure.subplots().plot([0, height])\n"
    "    return figure\n",
    "widgets.explore(draw, 'A line to {height}.', height=list(range(12)))",
    "explore_legs()",
    "GaitMaker(gait)",
    "walk, _ = play(quadlib.make(), lambda t: [0.0] * 8, 0.5)\n"
    "terms = {'forward': lambda step: step.dx, 'work': lambda step: -0.01 * step.power}\n"
    "choices = {'forward': [-1, 0, 1], 'work': [0, 0.01, 0.02]}\n"
    "mixer = RewardMixer(walk, terms, choices, replay_seconds=0.2, seconds=600, n_envs=1,\n"
    "                    n_steps=64, batch_size=64, n_epochs=1)\nmixer",
    "quadlib.replay(lambda observation: [0.0] * 8, seconds=2)",
]
GAITS = ["trot", "walk", "pace", "bound", "pronk"]
SLIDERS = ["frequency (Hz)", "swing", "lift"]
PHASES = [f"phase {leg}" for leg in ("front left", "back left", "front right", "back right")]
STOPS = {  # number of a cell: what Tab goes through in its output
    1: ["height"],
    2: ["swing", "extension", "load (kg)", "battery (V)"],
    3: [*GAITS, "Walk 4 s in 3D", *SLIDERS, *PHASES],
    4: ["forward", "work", "Train with this"],  # the stop button is off
}
IN_FRAME = ["scene", "seek", "play", "rate", "follow", "trail", "view", "theme", "keys"]
FOCUSED = """() => {
  const e = document.activeElement, style = getComputedStyle(e);
  const row = e.closest('.widget-hslider'), output = e.closest('.jp-OutputArea');
  const name = row ? row.querySelector('.widget-label') : e;
  const cells = [...document.querySelectorAll('.jp-Cell')];
  return { name: e.id || name.innerText.trim(), tag: e.tagName,
           outside: e.matches('.jp-Cell, .jp-Notebook'),  // of widgets, fields and frames
           cell: output ? cells.indexOf(output.closest('.jp-Cell')) : -1,
           ring: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth) };
}"""
VALUE = "document.activeElement.closest('.widget-hslider').querySelector('.widget-readout')"
SHOWN = "document.activeElement.closest('.widget-vbox').querySelector('img').src"


class Keyboard:
    """Hands that have no mouse."""

    def __init__(self, notebook: NotebookPage) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.press = notebook.page.keyboard.press

    def focused(self) -> dict:
        """What has the focus: nothing at all for a moment, on the way into a frame's process."""
        until(lambda: self.page.evaluate("document.activeElement !== document.body"), 10)
        return self.page.evaluate(FOCUSED)

    def tab(self, to: str) -> dict:
        """Press Tab until a thing of this name, or kind, has the focus."""
        seen = []
        for _ in range(60):
            self.press("Tab")
            found = self.focused()
            if to in (found["name"], found["tag"]):
                return found
            seen.append(f"{found['tag']} {found['name'][:30]}")
        raise AssertionError(f"Tab does not come to {to!r}, but to {seen}")

    def select(self, cell: int) -> None:
        """Leave the widgets of a cell, go to another one with arrow keys."""
        number = "jupyterapp.shell.currentWidget.content.activeCellIndex"
        for _ in range(60):
            if self.focused()["outside"]:
                break
            self.press("Shift+Tab")
        for _ in range(30):
            away = cell - self.page.evaluate(number)
            if away == 0:  # JupyterLab shows the outputs of cells far away when it comes to them
                self.page.locator(".jp-Cell.jp-mod-active .jp-OutputArea-output").first.wait_for()
                return
            self.press("ArrowDown" if away > 0 else "ArrowUp")
        raise AssertionError(f"arrow keys do not come to cell {cell}")

    def value(self) -> str:
        """What the slider that has the focus says."""
        return self.page.evaluate(f"{VALUE}.innerText")

    def change(self, key: str, picture: bool = False) -> None:
        """A key changes the slider that has the focus, and its picture."""
        before, shown = self.value(), self.page.evaluate(SHOWN) if picture else None
        self.press(key)
        assert until(lambda: self.value() != before), key
        assert not picture or until(lambda: self.page.evaluate(SHOWN) != shown), key


def test_every_widget_with_the_keyboard_alone(open_page, lab, keep):
    """Tab comes to each slider and button, a ring shows where it is, keys change the value and the
    picture, Enter and Space press buttons; in a replay its keys work, and Tab leaves it again."""
    notebook = NotebookPage(open_page, lab, "keyboard.ipynb", CELLS)
    notebook.run_all()
    assert notebook.errors() == []
    keys = Keyboard(notebook)
    keys.select(1)
    stops = []
    while not stops or stops[-1]["tag"] != "IFRAME":
        keys.press("Tab")
        found = keys.focused()
        if found["cell"] > 0:
            stops.append(found)
            assert len(stops) < 60, stops
        if found["name"] == "extension":
            keep(keys.page, "keyboard_slider")
    for cell, names in STOPS.items():
        assert [stop["name"] for stop in stops if stop["cell"] == cell] == names
    assert [stop for stop in stops[:-1] if stop["ring"] < 2] == []
    check_replay(keys, keep)
    check_sliders(keys)
    check_buttons(keys, keep)
    assert notebook.errors() == []


def check_sliders(keys: Keyboard) -> None:
    """One goes through all keys, the others move."""
    keys.select(1)
    keys.tab("height")
    assert keys.value() == "6"
    moves = {"ArrowRight": "7", "ArrowUp": "8", "ArrowLeft": "7", "ArrowDown": "6", "Home": "0"}
    moves |= {"PageUp": "5", "End": "11", "PageDown": "6"}
    for key, value in moves.items():
        keys.press(key)
        assert until(lambda value=value: keys.value() == value), (key, keys.value())
    for cell, names in ((2, STOPS[2]), (3, SLIDERS + PHASES), (4, STOPS[4][:2])):
        keys.select(cell)
        for name in names:
            keys.tab(name)
            keys.change("ArrowLeft" if name == "battery (V)" else "ArrowRight", name == names[0])


def check_buttons(keys: Keyboard, keep) -> None:
    """A preset sets the sliders, Walk walks; a training begins, ends, and could begin again."""
    keys.select(3)
    keys.tab("pronk")
    keys.press("Space")
    phases = keys.page.locator(".widget-hslider", has_text="phase").locator(".widget-readout")
    assert until(lambda: set(phases.all_inner_texts()) == {"0"})
    keys.tab("Walk 4 s in 3D")
    count = len(keys.notebook.replays())
    keys.press("Enter")
    assert until(lambda: len(keys.notebook.replays()) == count + 1)
    keep(keys.page, "keyboard_button")
    keys.select(4)
    keys.tab("Train with this")
    keys.press("Space")
    keys.page.wait_for_selector("progress")
    keys.tab("Stop")
    keys.press("Enter")
    keys.page.get_by_text("stopped by hand").wait_for()
    assert until(lambda: len(keys.notebook.replays()) == count + 2)
    keys.select(4)
    keys.tab("Train with this")


def check_replay(keys: Keyboard, keep) -> None:
    """The one that has the focus: its keys, its controls, and the way out."""
    frame = keys.page.evaluate_handle("document.activeElement").as_element().content_frame()
    clock, pixels = frame.locator("#clock"), frame.locator("#scene").screenshot
    assert until(clock.inner_text)
    seconds = lambda: float(clock.inner_text().split(" / ")[0])  # noqa: E731
    where = lambda: frame.evaluate(FOCUSED)  # noqa: E731
    assert where()["name"] == "scene"
    keep(keys.page, "keyboard_replay")
    keys.press("Space")
    assert until(lambda: "Play" in frame.locator("#play").inner_text())
    for key, time in (("Home", 0), ("ArrowRight", 0.02), ("Shift+ArrowRight", 0.52)):
        keys.press(key)
        assert until(lambda time=time: seconds() == time), key
    before = pixels()
    keys.press("a")  # round the robot
    assert until(lambda: pixels() != before)
    found = [where()]
    for _ in IN_FRAME[1:]:
        keys.press("Tab")
        found.append(where())
        use_control(keys, frame, found[-1]["name"], seconds)
    assert [one["name"] for one in found] == IN_FRAME
    assert [one for one in found if one["ring"] < 2] == []
    keys.press("Tab")
    assert until(lambda: keys.focused()["tag"] != "IFRAME")


def use_control(keys: Keyboard, frame, name: str, seconds) -> None:
    """What the keys do that belong to the control that has the focus."""
    if name == "seek":
        keys.press("PageUp")
        assert until(lambda: seconds() > 0.6)
    if name == "play":
        for word in ("Pause", "Play"):
            keys.press("Enter")
            assert word in frame.locator("#play").inner_text()
    if name == "rate":
        keys.press("ArrowUp")
        assert until(lambda: frame.locator("#rate").input_value() == "0.5")
    if name == "follow":
        keys.press("Space")
        assert not frame.locator("#follow").is_checked()
