"""The reward mixer: what is drawn is what would be paid, and its buttons train, stop, replay."""

import re
import threading
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest
from toys import check_extremes, picture_of

import quadlib
from quadlib.showing.gait_maker import play
from quadlib.showing.reward_mixer import Mix, RewardMixer, draw_terms
from quadlib.world.rewards import evaluate_reward

TERMS = {
    "forward (m)": lambda step: step.dx,
    "work (J)": lambda step: -0.01 * step.power,
    "up and down (m)": lambda step: abs(step.dz),
}
CHOICES = {
    "forward (m)": [-1, 0, 1], "work (J)": [0, 0.001, 0.02], "up and down (m)": [0, 1, 2]
}  # fmt: skip
SMALL = {"steps": 512, "n_envs": 2, "n_steps": 64, "batch_size": 64, "n_epochs": 1, "processes": 0}


@pytest.fixture(scope="module")
def episode():
    env = quadlib.make("MinitaurIdeal")
    steps, _ = play(env, lambda t: np.repeat([np.sin(12 * t), 0.3], 4), 0.5)
    env.close()
    return steps


@pytest.fixture
def mixer(episode):
    pytest.importorskip("torch")
    return RewardMixer(episode, TERMS, CHOICES, {"forward (m)": 1}, replay_seconds=0.2, **SMALL)


def test_a_mix_is_a_reward_that_travels(episode):
    mix = Mix(TERMS, {"forward (m)": 2, "work (J)": 0, "up and down (m)": 1})
    there = cloudpickle.loads(cloudpickle.dumps(mix))
    for reward in (mix, there):
        total, terms = evaluate_reward(reward, episode[3], 3)
        assert terms["forward (m)"] == 2 * episode[3].dx and terms["work (J)"] == 0
        assert total == pytest.approx(2 * episode[3].dx + abs(episode[3].dz))


def steady(episode, count):
    """Steps in which the robot moves 0.1 m forward and 0.2 m up, at 1 W."""
    return [replace(episode[0], dx=0.1, dz=0.2, power=1.0) for _ in range(count)]


def test_terms_are_stacked_above_and_below_zero(episode):
    mix = Mix(TERMS, {"forward (m)": 1, "work (J)": 5, "up and down (m)": 1})
    figure, words = draw_terms(steady(episode, 30), mix)
    stairs = [patch.get_data() for patch in figure.axes[0].patches]
    tops = [float(np.max(each.values)) for each in stairs[:-1]]
    assert tops == pytest.approx([1.0, -0.5, 3.0])  # ten steps in each 0.1 s
    np.testing.assert_allclose(stairs[-1].values, 2.5)
    np.testing.assert_allclose(stairs[-1].edges, [0, 0.1, 0.2, 0.3])
    sums = "forward (m) +3.00, work (J) -1.50, up and down (m) +6.00; +7.50."
    assert words == f"Sums over the episode: {sums}"


def test_nothing_is_lost_in_a_last_bin_that_is_shorter(episode):
    """And a reward that is a plain number has one term."""
    figure, words = draw_terms(steady(episode, 25), lambda step: step.dx)
    together = figure.axes[0].patches[-1].get_data()
    np.testing.assert_allclose(together.values, [1, 1, 0.5])
    assert "reward +2.50; +2.50." in words


def test_each_slider_changes_what_the_episode_is_paid(mixer, episode):
    check_extremes(mixer.explorer)
    mixer.explorer.move(**{"forward (m)": 1, "work (J)": 0.02, "up and down (m)": 0})
    paid = sum(step.dx - 0.0002 * step.power for step in episode)
    assert f"{paid:+.2f}." in re.search('alt="([^"]*)"', mixer.explorer.image.value)[1]


def test_all_weights_at_zero_are_drawn_too(mixer):
    mixer.explorer.move(**dict.fromkeys(TERMS, 0))
    assert picture_of(mixer.explorer) and "nothing; +0.00" in mixer.explorer.image.value


def test_the_button_trains_with_the_weights_and_shows_the_gait(mixer):
    mixer.explorer.move(**{"forward (m)": -1, "work (J)": 0.001})
    assert mixer.stop.disabled and not mixer.train.disabled
    mixer.train.click()
    assert mixer.train.disabled
    assert mixer.wait(120)
    assert mixer.run.stopped == "steps" and mixer.run.agent.about["reward"] == "mix"
    rewards = {name for name in mixer.run.curve if name.startswith("reward/")}
    assert rewards <= {f"reward/{name}" for name in TERMS}
    assert "512 steps" in mixer.curve.value
    assert "srcdoc=" in mixer.scene.value and "your reward" in mixer.scene.value
    assert mixer.stop.disabled and not mixer.train.disabled


def test_a_training_may_be_limited_by_time(mixer):
    del mixer.limits["steps"]
    mixer.limits["seconds"] = 3.0
    mixer.train.click()
    assert mixer.wait(120)
    assert mixer.run.stopped == "seconds" and mixer.run.curve["steps"][-1] > 0


def test_the_stop_button_keeps_what_was_learned(mixer):
    mixer.limits |= {"steps": 10_000_000}
    mixer.train.click()
    mixer.stop.click()
    assert mixer.wait(120)
    assert mixer.run.stopped == "interrupted" and mixer.run.curve["steps"][-1] > 0
    assert "stopped by hand" in mixer.curve.value and "srcdoc=" in mixer.scene.value


def test_a_second_click_does_not_start_a_second_training(mixer):
    mixer.limits |= {"steps": 10_000_000}
    mixer.train.click()
    first = mixer._thread
    mixer._start(mixer.train)  # as from a page that did not hear of the first click yet
    assert mixer._thread is first
    mixer.stop.click()
    assert mixer.wait(120)


def test_what_fails_in_a_training_is_told_in_the_page(mixer, monkeypatch):
    """And outside of it: the thread's exception goes to the hook of all threads."""
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda failure: seen.append(failure.exc_type))
    mixer.terms["forward (m)"] = lambda step: step.dxx
    mixer.train.click()
    assert mixer.wait(120)
    assert 'role="alert"' in mixer.curve.value and "did you mean" in mixer.curve.value
    assert seen == [quadlib.RewardError] and mixer.run is None
    assert not mixer.train.disabled  # one may try again
