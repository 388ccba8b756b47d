import re
import signal
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from quadlib.showing import live


def run_after(updates, stopped="running"):
    steps = 100.0 * np.arange(1, updates + 1)
    return SimpleNamespace(curve={"steps": steps, "return": steps / 50}, stopped=stopped)


class Screen:
    """Stands for the notebook: keeps what is displayed and what replaces it."""

    def __init__(self, monkeypatch, cost=0.0):
        import IPython.display

        self.shown, self.updates, self.drawn, self.now, self.cost = 0, [], [], 0.0, cost
        monkeypatch.setattr(IPython.display, "display", self.display)
        monkeypatch.setattr(live.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(live, "_curve", self.draw)

    def display(self, page, raw, display_id):
        self.shown += 1
        return self

    def update(self, page, raw):
        self.updates.append((self.now, page["text/html"]))

    def draw(self, run):
        self.drawn.append(self.now)
        self.now += self.cost
        return f"<img {len(self.drawn)}>"


@pytest.mark.parametrize("cost, least", [(0.0, 2.0), (0.2, 5.0)])
def test_live_curve_redraws_seldom_and_in_one_place(monkeypatch, cost, least):
    """Every two seconds, and less often where a picture is expensive: 4 % of the time. The words,
    which cost nothing, follow each second. The first picture, which loads Matplotlib, may take
    as long as it likes."""
    screen = Screen(monkeypatch, cost)
    curve = live.LiveCurve(steps=None, seconds=100.0)
    for updates in range(1, 200):
        screen.now = max(updates / 4, screen.now)
        curve.update(run_after(updates))
    assert screen.shown == 1
    gaps = np.diff(screen.drawn)
    assert 2.0 <= gaps[0] <= 2.0 + cost + 1.25
    assert least <= gaps[1:].min() and gaps[1:].max() <= least + cost + 1.25
    assert np.diff([time for time, _ in screen.updates]).max() <= 1.25 + cost
    assert f"<img {len(screen.drawn)}>" in screen.updates[-1][1]


def test_a_picture_that_cannot_be_drawn_costs_no_training(monkeypatch):
    def broken(run):
        raise RuntimeError("no <LaTeX> here")

    monkeypatch.setattr(live, "_drawn", broken)
    assert "No picture: RuntimeError: no &lt;LaTeX&gt; here" in live._curve(run_after(2))


def test_live_curve_of_a_run_without_an_update_says_so(monkeypatch):
    screen = Screen(monkeypatch)
    live.LiveCurve(steps=100, seconds=None).close(run_after(0, "interrupted"))
    assert "no update was finished" in screen.updates[-1][1] and not screen.drawn


def test_live_curve_draws_nothing_before_the_first_episode_has_ended(monkeypatch):
    run = run_after(3)
    run.curve["return"][:] = np.nan
    assert live._curve(run) == ""
    run.curve["return"][-1] = 1.0
    assert '<img alt="Learning curve' in live._curve(run)


def test_live_curve_says_how_far_it_is(monkeypatch):
    screen = Screen(monkeypatch)
    curve = live.LiveCurve(steps=1000, seconds=100.0)
    screen.now = 10.0
    curve.update(run_after(5))  # half of the steps, a tenth of the time
    assert "500 steps in 10 s, about 10 s left, mean return 10.00" in screen.updates[-1][1]
    assert 'value="0.500"' in screen.updates[-1][1]
    curve.close(run_after(6, "interrupted"))
    assert "600 steps in 10 s, stopped by hand" in screen.updates[-1][1]
    assert "progress" not in screen.updates[-1][1] and "<img 2>" in screen.updates[-1][1]


def test_training_in_a_notebook_leaves_one_still_figure():
    """A real kernel: one output in place, an image with alt text; the stop button keeps the run."""
    pytest.importorskip("torch")
    nbformat, client = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    small = "env=short, n_envs=2, n_steps=64, batch_size=64, n_epochs=1"
    cells = [
        "import quadlib\ndef short():\n    return quadlib.make(max_steps=50)\n"
        f"run = quadlib.train('ppo', steps=512, {small})",
        "def stop(run):\n    if run.curve['steps'][-1] >= 256: raise KeyboardInterrupt\n"
        f"run = quadlib.train('ppo', seconds=60, on_update=stop, {small})",
        "assert run.stopped == 'interrupted' and run.curve['steps'][-1] == 256, run.stopped",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client.NotebookClient(notebook, timeout=120).execute()
    for cell, words in zip(notebook.cells[:2], ("512 steps", "stopped by hand"), strict=True):
        (output,) = cell.outputs
        text = output["data"]["text/html"]
        assert re.search(words, output["data"]["text/plain"])
        assert re.search(words, text) and '<img alt="Learning curve' in text
        assert "progress" not in text and "nan" not in text


def test_the_stop_button_pressed_twice_keeps_the_run():
    """The second press comes while the first one is being tidied up."""
    pytest.importorskip("torch")
    nbformat, client = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cell = """import os, signal, quadlib
from quadlib.showing import live
picture = live._curve
def press_again(run):
    os.kill(os.getpid(), signal.SIGINT)
    return picture(run)
def stop(run):
    live._curve = press_again
    raise KeyboardInterrupt
run = quadlib.train("ppo", seconds=60, on_update=stop, n_envs=2, n_steps=64, batch_size=64)
print(run.stopped, run.curve["steps"][-1])"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    client.NotebookClient(notebook, timeout=120).execute()
    assert notebook.cells[0].outputs[-1].text == "interrupted 128\n"


def test_deaf_to_stop_lasts_only_as_long_as_it_should():
    before = signal.getsignal(signal.SIGINT)
    with live.deaf_to_stop():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_deaf_to_stop_in_a_thread_is_harmless():
    worked = []

    def work():
        with live.deaf_to_stop():
            worked.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert worked


def test_training_in_a_terminal_shows_a_bar(capsys):
    bar = live.progress(steps=1000, seconds=None)
    assert isinstance(bar, live.Bar)
    bar.update(run_after(5))
    bar.close(run_after(5))
    assert "500/1.00k" in capsys.readouterr().err
