"""A leg with its motors, and the gait maker: what they draw is what the simulator did."""

from functools import partial
from itertools import count

import matplotlib.pyplot as plt
import numpy as np
import pytest
from toys import check_extremes

import quadlib
from quadlib import explorers
from quadlib.explorers import GAITS, GaitMaker, draw_gait, draw_leg, leg_and_motor, play


def gait(t, frequency=2.5, swing=0.5, lift=0.3, phases=GAITS["trot"]):
    angle = 2 * np.pi * (frequency * t + np.asarray(phases))
    return np.concatenate([swing * np.cos(angle), 0.1 - lift * np.sin(angle)])


@pytest.fixture
def env():
    env = quadlib.make("MinitaurIdeal")
    yield env
    env.close()


def test_play_keeps_the_steps_and_the_poses(env):
    steps, recording = play(env, gait, 1.0)
    assert len(steps) == 100 and len(recording.time) == 51
    assert recording.distance == pytest.approx(steps[-1].x, abs=1e-3)
    again, _ = play(env, gait, 1.0)
    assert steps == again


def test_a_load_makes_the_legs_sag_and_the_motors_work(env):
    """Height and torque of the standing robot, read from the words under the picture."""
    words = [draw_leg(extension=0, load=load, env=env)[1] for load in (0, 6)]
    heights = [float(w.split(" m high")[0].split()[-1]) for w in words]
    torques = [float(w.split(" N·m")[0].split()[-1]) for w in words]
    assert heights[1] < heights[0] - 0.01 and torques[1] > 1.5 * torques[0] > 0


def test_a_load_is_in_kilograms(env):
    masses = []
    for load in (0.0, 2.0):
        draw_leg(load=load, env=env)
        masses.append(env.unwrapped.robot.mass)
    assert masses[1] - masses[0] == pytest.approx(2.0, rel=0.02)


def test_the_wish_is_drawn_where_the_simulated_leg_goes(env):
    """Without weight to carry and given time, the leg reaches the outline."""
    env.unwrapped.variations = env.unwrapped.variations.updated({"base_mass": 0.2})
    for swing, extension in ((0.0, 0.0), (0.3, 0.2), (-0.3, -0.2)):
        action = np.repeat([swing, -extension], 4)
        steps, recording = play(env, lambda _, action=action: action, 0.4)
        wish = explorers._diamond(
            swing, extension, recording.poses[-1], env.unwrapped.robot.motors, steps[-1].pitch
        )
        foot = recording.feet[-1, explorers.LEG][[0, 2]]
        assert np.linalg.norm(wish[2] - foot) < 0.03
        knees = recording.poses[-1, np.array(env.unwrapped.robot.feet[4:6]) + 1][:, [0, 2]]
        assert np.abs(wish[[1, 3]] - knees).max() < 0.03


def test_motors_stay_inside_of_what_the_battery_allows(env):
    figure, _ = draw_leg(swing=0.6, extension=1, voltage=8, env=env)
    axes = figure.axes[1]
    low, high = (line for line in axes.lines if line.get_color() == "0.3")
    for line in axes.lines:
        if line.get_linestyle() in ("-", "--") and line.get_color() != "0.3":
            speed, torque = line.get_data()
            (upper, lower) = (np.interp(speed, *edge.get_data()) for edge in (low, high))
            assert np.all(torque <= upper + 0.05) and np.all(torque >= lower - 0.05)


def test_every_slider_of_the_leg_explorer_draws_at_its_extremes():
    check_extremes(leg_and_motor())
    assert not plt.get_fignums()


def test_the_cost_of_transport_is_that_of_an_evaluation():
    """Power over weight times speed, inf for a robot that goes nowhere."""

    class Same:
        about = {}

        def act(self, observation, deterministic=True, rng=None):
            return gait(0.01 * next(self.ticks))

    agent = Same()
    agent.ticks = count()
    env = quadlib.make("MinitaurIdeal", max_steps=100)
    judged = quadlib.evaluate(agent, 1, env=partial(quadlib.make, max_steps=100))
    steps, _ = play(env, gait, 1.0)
    cost = explorers.cost_of_transport(steps, env.unwrapped.robot.mass)
    assert cost == pytest.approx(judged.costs_of_transport[0], rel=1e-6)
    still, _ = play(env, lambda t: np.repeat([0.0, 0.5], 4), 0.5)
    assert explorers.cost_of_transport(still, 6.0) == np.inf
    assert "no way forward" in explorers.describe(still, 6.0)
    env.close()


def test_a_gait_that_falls_says_so(env):
    figure, words = draw_gait(lambda t: np.repeat([0.0, 1.0], 4), env=env)
    assert words.endswith("then it falls.") and figure.axes[0].get_title() == words[:-1]


def test_every_slider_of_the_gait_maker_draws_at_its_extremes():
    check_extremes(GaitMaker(gait).explorer)


def test_the_menu_of_gaits_sets_all_phases_with_one_picture(monkeypatch):
    maker, drawn = GaitMaker(gait), []
    draw = maker.explorer._draw
    monkeypatch.setattr(maker.explorer, "_draw", lambda **v: drawn.append(v) or draw(**v))
    for name in reversed(GAITS):
        maker.menu.value = name
        assert tuple(drawn[-1][f"phase_{k}"] for k in range(4)) == GAITS[name]
    assert len(drawn) == len(GAITS)


def test_the_walk_button_shows_a_replay_of_what_the_sliders_say():
    maker = GaitMaker(gait, seconds=0.3)
    maker.explorer.move(frequency=4.0, swing=0.3)
    maker.button.click()
    assert "srcdoc=" in maker.stage.value
    env = quadlib.make("MinitaurIdeal")
    _, expected = play(env, lambda t: gait(t, frequency=4.0, swing=0.3), 0.3)
    env.close()
    np.testing.assert_array_equal(maker.recording.poses, expected.poses)


def test_a_gait_that_fails_is_told_in_the_page():
    maker = GaitMaker(lambda t, frequency, **others: gait(t) * (1 if frequency < 4 else np.nan))
    with pytest.raises(ValueError, match="finite"):
        maker.explorer.sliders["frequency"].value = 4.25
    assert 'role="alert"' in maker.explorer.image.value
    maker.button.click()  # ipywidgets itself logs what a button's callback raises
    assert 'role="alert"' in maker.stage.value
