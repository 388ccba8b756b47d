"""The page of a running study."""

import re
import time

import optuna
import pytest
from test_study_plots import made

from quadlib.showing import live_study
from quadlib.showing.live_study import LiveStudy


@pytest.fixture
def pages():
    return []


def test_it_says_how_far_it_is_and_leaves_the_last_picture(pages):
    study, live = made(8), LiveStudy(8, pages.append)
    assert "starting" in pages[0]["text/html"]
    live.update(study)
    assert 'value="0.875"' in pages[-1]["text/html"] and "<img alt=" in pages[-1]["text/html"]
    live.close(study)
    words = pages[-1]["text/plain"]
    assert re.match(r"7 of 8 trials in \d+ s, 2 of them stopped early, 1 failed\. Best: ", words)
    assert words.endswith(f"{study.best_value:.2f}, trial {study.best_trial.number}.")
    assert "<progress" not in pages[-1]["text/html"] and "<img" in pages[-1]["text/html"]


def test_it_draws_only_what_is_new_and_not_all_the_time(pages, monkeypatch):
    drawn = []
    monkeypatch.setattr(live_study, "_picture", lambda study: drawn.append(1) or "")
    study, live = made(8), LiveStudy(8, pages.append)
    for _ in range(3):
        live.update(study)
    assert len(drawn) == 1
    study._storage.set_trial_intermediate_value(7, 100, 1.0)
    live.update(study)
    assert len(drawn) == 1, "it was drawn a moment ago"
    later = time.perf_counter() + 60
    monkeypatch.setattr(time, "perf_counter", lambda: later)
    live.update(study)
    assert len(drawn) == 2


def test_a_study_without_trials_has_no_picture(pages):
    study = optuna.create_study(direction="maximize")
    live = LiveStudy(5, pages.append)
    live.update(study)
    live.close(study)
    assert pages[-1]["text/plain"].startswith("0 of 5 trials") and "<img" not in str(pages)
