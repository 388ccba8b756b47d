"""The course in JupyterLab, as a student uses it: a real server, a real kernel, a real browser."""

import shutil

import build
import pytest
from notebook_page import NotebookPage, until

TRAIN = "n_envs=2, n_steps=128, batch_size=64, n_epochs=1"


def picture(locator) -> str:
    """The source of the only image in there."""
    return locator.locator("img").get_attribute("src")


@pytest.fixture(scope="module")
def robot_notebook(lab):
    shutil.copy(build.target("02_env", solved=False), lab.root / "02_env.ipynb")
    return "02_env.ipynb"


def test_the_robot_notebook_runs_plays_and_reacts(open_page, lab, robot_notebook, keep):
    """Run all, no error; a replay plays, pauses and scrubs by keys; sliders change figures by
    mouse and by keys; the gait maker walks."""
    notebook = NotebookPage(open_page, lab, robot_notebook)
    notebook.run_all()
    assert notebook.errors() == []
    page = notebook.page
    check_replay(notebook.replays()[0])
    for word in ("swing", "load (kg)", "frequency (Hz)"):
        check_slider(page, word)
    maker = page.locator(".widget-vbox", has=page.get_by_text("Walk 4 s in 3D")).last
    before = len(notebook.replays())
    maker.get_by_role("button", name="Walk 4 s in 3D").press("Enter")
    assert until(lambda: len(notebook.replays()) == before + 1)
    maker.evaluate("box => box.scrollIntoView()")
    keep(page, "gait_maker")


def check_replay(frame) -> None:
    """It moves by itself; space pauses; arrows go frame by frame; Home goes back."""
    clock, play = frame.locator("#clock"), frame.locator("#play")
    frame.frame_element().evaluate("frame => frame.scrollIntoView({block: 'center'})")
    assert until(clock.inner_text)  # it begins to draw when it comes into sight
    now = lambda: float(clock.inner_text().split(" / ")[0])  # noqa: E731
    first = now()
    assert until(lambda: now() != first)
    frame.locator("#scene").focus()
    frame.locator("#scene").press("Space")
    assert "Play" in play.inner_text()
    frame.locator("#scene").press("Home")
    assert until(lambda: now() == 0)
    frame.locator("#scene").press("ArrowRight")
    assert until(lambda: now() == 0.02)
    frame.locator("#scene").press("Shift+ArrowRight")
    assert until(lambda: now() == 0.52)
    frame.locator("#scene").press("Space")
    assert until(lambda: now() > 0.6) and "Pause" in play.inner_text()
    frame.locator("#scene").press("Space")


def check_slider(page, label: str) -> None:
    """The slider with this label: a key moves it, and the picture of its widget changes."""
    row = page.locator(".widget-hslider", has=page.get_by_text(label, exact=True)).first
    box = row.locator("xpath=ancestor::div[contains(@class, 'widget-vbox')][1]")
    row.evaluate("row => row.scrollIntoView()")
    before, value = picture(box), row.locator(".widget-readout").inner_text()
    handle = row.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")
    assert until(lambda: picture(box) != before), label
    assert row.locator(".widget-readout").inner_text() != value


def test_a_training_is_drawn_in_place_and_stopped(open_page, lab, keep):
    """One output, whose picture changes; the stop button ends it and the run is kept."""
    cells = [
        "import quadlib\ndef short():\n    return quadlib.make(max_steps=50)\n"
        f"run = quadlib.train('ppo', seconds=600, env=short, {TRAIN})",
        "print(run.stopped, len(run.curve['steps']) > 0)\nrun.agent.act([0.0] * 28)",
    ]
    notebook = NotebookPage(open_page, lab, "training.ipynb", cells)
    page = notebook.page
    notebook.start()
    output = page.locator(".jp-CodeCell").first.locator(".jp-OutputArea-output")
    page.wait_for_selector("progress")
    seen = {picture(output)}
    assert until(lambda: seen.add(picture(output)) or len(seen) >= 2)
    words = output.inner_text()
    assert "s left" in words and "steps in" in words
    assert "return" in words or "episode" in words
    keep(page, "training")
    notebook.press_stop()
    page.get_by_text("stopped by hand").wait_for()
    assert output.count() == 1 and page.locator("progress").count() == 0
    # The interrupt took the second cell off the list, as it does for a student: run it now.
    notebook.run_cell(1)
    assert until(lambda: notebook.text(1) == "interrupted True"), notebook.outputs()[1]
    assert notebook.errors() == []
    keep(page, "training_stopped")


def test_a_study_is_drawn_in_place_stopped_and_goes_on(open_page, lab, keep):
    """One output, whose picture changes; after the stop button the next call ends the study."""
    cells = [
        "import quadlib\nfrom quadlib.search.tuning import tune\n"
        "def short():\n    return quadlib.make(max_steps=50)\n"
        "def space(trial):\n"
        "    rate = trial.suggest_float('learning_rate', 1e-4, 1e-2, log=True)\n"
        "    return {'learning_rate': rate, 'n_envs': 2, 'n_steps': 64, 'n_epochs': 1}\n"
        "def search():\n"
        "    return tune('ppo', trials=3, steps=4_000, env=short, space=space)\n"
        "study = search()",
        "study = search()\nprint([trial.state.is_finished() for trial in study.trials])",
    ]
    notebook = NotebookPage(open_page, lab, "study.ipynb", cells)
    page = notebook.page
    notebook.start()
    output = page.locator(".jp-CodeCell").first.locator(".jp-OutputArea-output").first
    output.locator("img").wait_for()
    seen = {picture(output)}
    assert until(lambda: seen.add(picture(output)) or len(seen) >= 2)
    assert "of 3 trials in" in output.inner_text() and page.locator("progress").count() == 1
    notebook.press_stop()
    page.get_by_text("again and it goes on").last.wait_for()
    assert until(lambda: page.locator("progress").count() == 0)
    keep(page, "study_stopped")
    notebook.run_cell(1)
    assert until(lambda: notebook.text(1) == "[True, True, True]"), notebook.outputs()[1]
    assert notebook.errors() == []
    keep(page, "study")


def test_the_reward_mixer_trains_stops_and_shows_the_gait(open_page, lab, keep):
    """While it trains, its sliders go on working."""
    cells = [
        "from quadlib.showing import plots\n"
        "from quadlib.showing.gait_maker import play\n"
        "from quadlib.showing.reward_mixer import RewardMixer\n"
        "import numpy as np, quadlib\nplots.use_style()\n"
        "walk, _ = play(quadlib.make(), lambda t: np.repeat([np.sin(9 * t), 0], 4), 1.0)\n"
        "terms = {'forward': lambda step: step.dx, 'work': lambda step: -0.01 * step.power}\n"
        "choices = {'forward': [-1, 0, 1], 'work': [0, 0.01, 0.02]}\n"
        f"mixer = RewardMixer(walk, terms, choices, {{'forward': 1}}, seconds=600, {TRAIN})\n"
        "mixer",
        "mixer.wait()\nprint(mixer.run.stopped, len(mixer.run.curve['steps']) > 0)",
    ]
    notebook = NotebookPage(open_page, lab, "mixer.ipynb", cells)
    page = notebook.page
    notebook.run_cell(0)
    check_slider(page, "work")
    page.get_by_role("button", name="Train with this").press("Enter")
    page.wait_for_selector("progress")
    assert page.get_by_role("button", name="Train with this").is_disabled()
    check_slider(page, "work")
    keep(page, "mixer_trains")
    page.get_by_role("button", name="Stop").press("Enter")
    page.get_by_text("stopped by hand").wait_for()
    assert until(lambda: len(notebook.replays()) == 1)
    notebook.run_cell(1)
    assert until(lambda: notebook.text(1) == "interrupted True"), notebook.outputs()[1]
    assert notebook.errors() == []
    keep(page, "mixer_stopped")


def test_widgets_in_the_dark_on_a_phone(open_page, lab, keep):
    """Nothing is wider than the screen; at 390 pixels JupyterLab itself takes 66 of them."""
    cells = [
        "import numpy as np, quadlib\nfrom quadlib.showing import plots\nplots.use_style()\n"
        "from quadlib.showing.gait_maker import GaitMaker\n"
        "from quadlib.showing.leg_explorer import explore_legs\n"
        "def gait(t, frequency, swing, lift, phases):\n"
        "    angle = 2 * np.pi * (frequency * t + phases)\n"
        "    return np.concatenate([swing * np.cos(angle), 0.1 - lift * np.sin(angle)])\n"
        "GaitMaker(gait)",
        "explore_legs()",
        "quadlib.replay(lambda observation: [0.0] * 8, seconds=1)",
    ]
    lab.set_theme(dark=True)
    try:
        notebook = NotebookPage(open_page, lab, "dark.ipynb", cells, width=390, height=800, scale=2)
    finally:
        lab.set_theme(dark=False)
    page = notebook.page
    assert page.evaluate("document.body.dataset.jpThemeLight") == "false"
    notebook.run_all()
    assert notebook.errors() == []
    assert until(lambda: len(notebook.replays()) == 1)
    parts = ".widget-hslider, .widget-dropdown, .widget-button, .widget-html img, iframe"
    for part in page.locator(parts).all():
        box = part.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390, part.inner_html()[:200]
    for k, cell in enumerate(page.locator(".jp-Cell-outputWrapper").all()):
        cell.evaluate("cell => cell.scrollIntoView()")
        keep(page, f"dark_phone_{k}")
