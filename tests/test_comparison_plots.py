"""Figures that compare: what is drawn is what was given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from quadlib.judging.evaluation import Evaluation
from quadlib.judging.gait import GAITS, Gait
from quadlib.showing import comparison_plots as figures

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def episodes(returns, fell=False, speed=1.0, power=60.0):
    n = len(returns)
    return Evaluation(
        returns=np.array(returns, float), lengths=np.full(n, 9), fell=np.full(n, fell),
        distances=np.full(n, 1.0), speeds=np.full(n, speed), powers=np.full(n, power),
        costs_of_transport=np.full(n, 1.0),
    )  # fmt: skip


def marching(duty=0.6):
    time = np.arange(0, 2, 0.01)
    contacts = (time[:, None] * 2.5 - np.array(GAITS["trot"])) % 1.0 < duty
    return Gait(contacts, distance=1.0, power=60.0, mass=6.0)


def test_spans_by_hand():
    assert figures._spans(np.array([1, 1, 0, 1, 0, 0, 1, 1], bool)) == [(0, 2), (3, 1), (6, 2)]
    assert figures._spans(np.array([0, 0], bool)) == []


def test_a_bar_is_as_long_as_its_contact():
    """Down for 0.6 of 0.4 s (the first one is cut). Diagonal legs: FL and BR agree."""
    (axes,) = figures.gait_diagram(marching()).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["FL", "FR", "BL", "BR"]
    fl, fr, bl, br = ([path.vertices for path in bars.get_paths()] for bars in axes.collections)
    assert np.ptp(fl[1][:, 0]) == pytest.approx(0.24, abs=0.011)
    np.testing.assert_allclose([each[0, 0] for each in fl], [each[0, 0] for each in br])
    np.testing.assert_allclose([each[0, 0] for each in fr], [each[0, 0] for each in bl])
    assert axes.get_title(loc="left") == "0.50 m/s, 2.5 strides/s, 0% in the air"


def test_each_gait_has_a_panel_with_its_name():
    first, second = figures.gait_diagram({"a": marching(), "b": marching(0.3)}).axes
    assert first.get_title(loc="left").startswith("a: ")
    assert second.get_title(loc="left").startswith("b: ")


def test_a_robot_that_stands_has_no_stride_to_show():
    standing = Gait(np.ones((200, 4), bool), distance=0.0, power=0.0, mass=6.0)
    (axes,) = figures.gait_diagram(standing).axes
    assert not axes.patches and len(axes.collections) == 4


def test_speed_and_power_of_episodes_their_mean_and_the_marks():
    groups = {"a": [episodes([1, 2]), episodes([3], speed=2.0, power=90.0)]}
    (axes,) = figures.speed_power(groups).axes
    points, middle, trot, gallop = axes.lines[:4]
    np.testing.assert_array_equal(points.get_xydata(), [[1, 60], [1, 60], [2, 90]])
    np.testing.assert_allclose(middle.get_xydata(), [[4 / 3, 70]])
    assert (trot.get_xdata()[0], gallop.get_xdata()[0]) == (0.50, 1.34)
    for line, cost in zip(axes.lines[4:8], (0.5, 1.0, 2.0, 4.0), strict=True):
        speed, power = line.get_xydata()[-1]
        assert power == pytest.approx(cost * 60.0 * speed)


def test_who_walks_backwards_is_in_the_picture():
    (axes,) = figures.speed_power({"a": [episodes([1], speed=-0.5)]}).axes
    assert axes.get_xlim()[0] < -0.5


def test_every_episode_is_a_point_and_falls_are_told_apart():
    groups = {"a": [episodes([1, 2, 3]), episodes([4], fell=True)], "b": [episodes([5, 7])]}
    (axes,) = figures.return_distributions(groups).axes
    drawn = {marker: [] for marker in "ox"}
    for line in axes.lines:
        if line.get_marker() in drawn:
            drawn[line.get_marker()] += line.get_ydata().tolist()
    assert drawn == {"o": [1, 2, 3, 5, 7], "x": [4]}
    means = [segment[0][1] for line in axes.collections for segment in line.get_segments()]
    assert means == [2, 4, 6]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["a\n(2 seeds)", "b\n(1 seed)"]


def test_intervals_are_drawn_where_they_are_with_the_first_on_top():
    rows = {"a": (2.0, 1.0, 4.0), "b": (5.0, 4.5, 6.0)}
    (axes,) = figures.intervals(rows, "return", reference=3.0).axes
    ends = [line.get_segments()[0][:, 0].tolist() for line in axes.collections]
    assert ends == [[1.0, 4.0], [4.5, 6.0]]
    assert axes.lines[-1].get_xdata()[0] == 3.0 and axes.get_ylim() == (1.5, -0.5)
    assert [text.get_text() for text in axes.texts] == ["2.00  [1.00, 4.00]", "5.00  [4.50, 6.00]"]


def test_dots_stand_in_the_row_of_their_change():
    with plt.rc_context({"figure.constrained_layout.use": True}):
        panels = {
            "theirs, mended": ({"discount": [1.0, 3.0], "noise": [0.5]}, 0.4),
            "ours, broken": ({"discount": [8.0, 9.0]}, 10.0),
        }
        figure = figures.dots(panels, "return", "unchanged")
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["discount", "noise"]
    points = [line for line in left.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in points] == [[1.0, 3.0], [0.5]]
    assert [set(line.get_ydata()) for line in points] == [{0}, {1}]
    means = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "|"]
    assert means == [2.0, 0.5]
    assert right.lines[-3].get_xdata()[0] == 10.0, "the line of the unchanged"
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["unchanged", "a seed", "their mean"]
    assert left.get_ylim()[0] > left.get_ylim()[1], "the first on top"


def test_dots_name_the_same_rows_once_and_a_single_seed_has_no_mean():
    panels = {title: ({"discount": [value]}, 0.4) for title, value in (("a", 1.0), ("b", 2.0))}
    figure = figures.dots(panels, "return", "unchanged")
    left, right = figure.axes
    assert [len(axes.get_yticklabels()[0].get_text()) for axes in (left, right)] == [8, 0]
    assert not [line for line in (*left.lines, *right.lines) if line.get_marker() == "|"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["unchanged", "a seed"]
