"""Drawings of the robot: every shape where the recording says it is. Curves: what a run says."""

from dataclasses import replace
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import quadlib
from quadlib.judging.recording import Recording, Shape
from quadlib.showing import plots

matplotlib.use("Agg")


def one_shape(
    kind="box", size=(0.4, 0.2, 0.1), position=(0.0, 0.0, 0.0), pose=(0, 0, 0, 0, 0, 0, 1)
):
    """A recording of one shape that belongs to the base."""
    shape = Shape(-1, kind, size, position, (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0, 1.0))
    return Recording(
        time=np.array([0.0, 0.02]),
        poses=np.array([[pose], [pose]], float),
        feet=np.zeros((2, 4, 3)),
        contacts=np.zeros((2, 4), bool),
        reward=np.zeros(2),
        shapes=(shape,),
    )


def drawn(recording, view):
    """Lowest and highest coordinates that are drawn, ((across, up), (across, up))."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    plots.draw_robot(axes, recording, 0, view)
    corners = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    plt.close(figure)
    return corners.min(axis=0), corners.max(axis=0)


@pytest.mark.parametrize(
    "view, size", [("side", (0.4, 0.1)), ("top", (0.4, 0.2)), ("front", (0.2, 0.1))]
)
def test_a_box_is_as_large_as_it_is(view, size):
    low, high = drawn(one_shape(), view)
    assert np.allclose(high, np.array(size) / 2) and np.allclose(low, -np.array(size) / 2)


def test_a_quarter_turn_about_the_vertical_changes_length_and_width():
    turned = one_shape(pose=(1, 2, 3, 0, 0, np.sqrt(0.5), np.sqrt(0.5)), position=(0.5, 0, 0))
    low, high = drawn(turned, "top")
    assert np.allclose(low, (1 - 0.1, 2.5 - 0.2)) and np.allclose(high, (1 + 0.1, 2.5 + 0.2))


def test_a_shape_that_cannot_be_drawn():
    with pytest.raises(ValueError, match="not a sphere"):
        drawn(one_shape(kind="sphere"), "side")


def test_robot_parts_names_every_motor():
    env = quadlib.make("MinitaurIdeal")
    standing = quadlib.record(lambda _: [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5], env, seconds=0.1)
    figure = plots.robot_parts(standing, env.unwrapped.robot)
    side, top = figure.axes
    motors = {text.get_text()[0]: text.xy for text in top.texts}
    assert set(motors) == set("01234567")
    assert motors["0"][0] > 0.1 and motors["0"][1] > 0.1, "motor 0 is front left, outside"
    assert motors["7"][0] < -0.1 and motors["7"][1] < -0.1, "motor 7 is back right, outside"
    assert [text.get_text() for text in side.texts if "knee" in text.get_text()]
    low, high = drawn(replace(standing, poses=standing.poses[-1:]), "side")
    assert abs(low[1]) < 0.02, "the feet are on the ground"
    assert 0.15 < high[1] < 0.25


def run_of(returns):
    steps = 100.0 * np.arange(1, len(returns) + 1)
    terms = {"reward/forward": np.array(returns) + 1, "reward/energy": np.full(len(returns), -1.0)}
    return SimpleNamespace(curve={"steps": steps, "return": np.array(returns, float), **terms})


def test_learning_curve_of_seeds_is_their_mean_in_a_band():
    """The mean, up to where the shortest run ends; the legend counts the seeds."""
    figure = plots.learning_curve({"ppo": [run_of([0, 2, 4]), run_of([2, 4])]}, {"zoo": 11.3})
    (axes,) = figure.axes
    assert np.array_equal(axes.lines[0].get_ydata(), [1, 3])
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0 and band[:, 1].max() == 4
    assert axes.get_legend().get_texts()[0].get_text() == "ppo (2 seeds)"
    assert axes.lines[1].get_ydata() == [11.3, 11.3] and axes.texts[0].get_text() == "zoo"
    plt.close(figure)


def test_learning_curve_over_wall_time_is_in_minutes():
    """Runs of 2 and 3 minutes: the mean up to where the faster one ends."""
    slow, fast = run_of([0, 2, 4]), run_of([2, 4])
    slow.curve["seconds"], fast.curve["seconds"] = np.array([60.0, 120, 180]), np.array([60.0, 90])
    (axes,) = plots.learning_curve({"ppo": [slow, fast]}, over="seconds").axes
    assert axes.get_xlabel() == "wall time (minutes)"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [1])
    plt.close(axes.figure)


@pytest.mark.filterwarnings("error")
def test_a_run_that_was_stopped_before_its_first_update_is_an_empty_curve():
    (axes,) = plots.learning_curve(run_of([])).axes
    assert axes.get_xlabel() == "environment steps" and not len(axes.lines[0].get_xdata())
    runs = {"none": run_of([]), "some": [run_of([]), run_of([2, 4])]}
    (beside,) = plots.learning_curve(runs).axes
    assert [line.get_ydata().tolist() for line in beside.lines] == [[], [2, 4]]
    assert [text.get_text() for text in beside.get_legend().get_texts()] == ["none", "some"]
    plt.close("all")


def test_reward_terms_shows_each_term_and_their_sum():
    figure = plots.reward_terms(run_of([0.0, 2.0]))
    drawn = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines[1:]}
    expected = {"forward": [1, 3], "energy": [-1, -1], "together: the return": [0, 2]}
    assert drawn == expected
    plt.close(figure)
