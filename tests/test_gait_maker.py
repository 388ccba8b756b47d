"""The gait maker: what it draws is what the simulator did."""

from functools import partial
from itertools import count

import numpy as np
import pytest
from toys import check_extremes

import quadlib
from quadlib.judging.gait import Gait
from quadlib.showing.gait_maker import GAITS, GaitMaker, describe, draw_gait, play


def gait(t, frequency=2.5, swing=0.5, lift=0.3, phases=GAITS["trot"]):
    angle = 2 * np.pi * (frequency * t + np.asarray(phases))
    return np.concatenate([swing * np.cos(angle), 0.1 - lift * np.sin(angle)])


@pytest.fixture
def env():
    env = quadlib.make("MinitaurIdeal")
    yield env
    env.close()


def test_a_preset_is_the_gait_of_its_name():
    """A leg that is ahead in its phase touches the ground that much earlier."""
    time = np.arange(0, 8, 0.01)
    for name, phases in GAITS.items():
        contacts = (time[:, None] * 2.5 + np.array(phases)) % 1.0 < 0.5
        assert Gait(contacts, distance=1.0, power=1.0, mass=6.0).nearest()[0] == name
    assert GAITS["walk"] == (0, 0.25, 0.5, 0.75)


def test_play_keeps_the_steps_and_the_poses(env):
    steps, recording = play(env, gait, 1.0)
    assert len(steps) == 100 and len(recording.time) == 51
    assert recording.distance == pytest.approx(steps[-1].x, abs=1e-3)
    again, _ = play(env, gait, 1.0)
    assert steps == again


def test_the_cost_of_transport_is_that_of_an_evaluation():
    """Where there is one: not for a robot that goes nowhere."""

    class Same:
        about = {}

        def act(self, observation, deterministic=True, rng=None):
            return gait(0.01 * next(self.ticks))

    agent = Same()
    agent.ticks = count()
    env = quadlib.make("MinitaurIdeal", max_steps=100)
    judged = quadlib.evaluate(agent, 1, env=partial(quadlib.make, max_steps=100))
    steps, _ = play(env, gait, 1.0)
    cost = f"cost of transport {judged.costs_of_transport[0]:.1f}"
    assert cost in describe(steps, env.unwrapped.robot.mass)
    still, _ = play(env, lambda t: np.repeat([0.0, 0.5], 4), 0.5)
    assert "no way forward" in describe(still, 6.0)
    env.close()


def test_a_gait_that_falls_says_so(env):
    figure, words = draw_gait(lambda t: np.repeat([0.0, 1.0], 4), env=env)
    assert words.endswith("then it falls.") and figure.axes[0].get_title() == words[:-1]


def test_every_slider_of_the_gait_maker_draws_at_its_extremes():
    check_extremes(GaitMaker(gait).explorer)


def test_a_button_for_each_gait_sets_all_phases_with_one_picture(monkeypatch):
    maker, drawn = GaitMaker(gait), []
    draw = maker.explorer._draw
    monkeypatch.setattr(maker.explorer, "_draw", lambda **v: drawn.append(v) or draw(**v))
    for name in reversed(GAITS):
        maker.presets[name].click()
        assert tuple(drawn[-1][f"phase_{k}"] for k in range(4)) == GAITS[name]
    assert len(drawn) == len(GAITS)


def test_the_walk_button_shows_a_replay_of_what_the_sliders_say():
    maker = GaitMaker(gait, seconds=0.3)
    maker.explorer.move(frequency=4.0, swing=0.3)
    maker.button.click()
    assert "srcdoc=" in maker.stage.value
    env = quadlib.make("MinitaurIdeal")
    steps, expected = play(env, lambda t: gait(t, frequency=4.0, swing=0.3), 0.3)
    assert describe(steps, env.unwrapped.robot.mass) in maker.stage.value
    env.close()
    np.testing.assert_array_equal(maker.recording.poses, expected.poses)


def test_a_gait_that_fails_is_told_in_the_page():
    maker = GaitMaker(lambda t, frequency, **others: gait(t) * (1 if frequency < 4 else np.nan))
    with pytest.raises(ValueError, match="finite"):
        maker.explorer.sliders["frequency"].value = 4.25
    assert 'role="alert"' in maker.explorer.image.value
    maker.button.click()  # ipywidgets itself logs what a button's callback raises
    assert 'role="alert"' in maker.stage.value
