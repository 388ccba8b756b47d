"""The explorer of legs and motors: what it draws is what the simulator did."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from toys import check_extremes

import quadlib
from quadlib.showing.gait_maker import play
from quadlib.showing.leg_explorer import LEG, _diamond, draw_stance, explore_legs


@pytest.fixture
def env():
    env = quadlib.make("MinitaurIdeal")
    yield env
    env.close()


def test_a_load_makes_the_legs_sag_and_the_motors_work(env):
    """Height and torque of the standing robot, read from the words under the picture."""
    words = [draw_stance(extension=0, load=load, env=env)[1] for load in (0, 6)]
    heights = [float(w.split(" m high")[0].split()[-1]) for w in words]
    torques = [float(w.split(" N·m")[0].split()[-1]) for w in words]
    assert heights[1] < heights[0] - 0.01 and torques[1] > 1.5 * torques[0] > 0


def test_a_load_is_in_kilograms(env):
    masses = []
    for load in (0.0, 2.0):
        draw_stance(load=load, env=env)
        masses.append(env.unwrapped.robot.mass)
    assert masses[1] - masses[0] == pytest.approx(2.0, rel=0.02)


def test_the_wish_is_drawn_where_the_simulated_leg_goes(env):
    """Without weight to carry and given time, the leg reaches the outline."""
    env.unwrapped.variations = env.unwrapped.variations.updated({"base_mass": 0.2})
    for swing, extension in ((0.0, 0.0), (0.3, 0.2), (-0.3, -0.2)):
        action = np.repeat([swing, -extension], 4)
        steps, recording = play(env, lambda _, action=action: action, 0.4)
        wish = _diamond(
            swing, extension, recording.poses[-1], env.unwrapped.robot.motors, steps[-1].pitch
        )
        foot = recording.feet[-1, LEG][[0, 2]]
        assert np.linalg.norm(wish[2] - foot) < 0.03
        knees = recording.poses[-1, np.array(env.unwrapped.robot.feet[4:6]) + 1][:, [0, 2]]
        assert np.abs(wish[[1, 3]] - knees).max() < 0.03


def test_motors_stay_inside_of_what_the_battery_allows(env):
    figure, _ = draw_stance(swing=0.6, extension=1, voltage=8, env=env)
    axes = figure.axes[1]
    low, high = (line for line in axes.lines if line.get_color() == "0.3")
    for line in axes.lines:
        if line.get_linestyle() in ("-", "--") and line.get_color() != "0.3":
            speed, torque = line.get_data()
            (upper, lower) = (np.interp(speed, *edge.get_data()) for edge in (low, high))
            assert np.all(torque <= upper + 0.05) and np.all(torque >= lower - 0.05)


def test_every_slider_of_the_leg_explorer_draws_at_its_extremes():
    check_extremes(explore_legs())
    assert not plt.get_fignums()
