"""Sliders: every value draws, and nothing that fails is swallowed."""

import matplotlib.pyplot as plt
import pytest
from toys import picture_of

from quadlib.showing import widgets


def plot(size, shift):
    figure, axes = plt.subplots()
    axes.plot([0, size], [shift, 1])
    return figure


def test_explore_draws_the_middle_first_and_then_each_choice():
    open_before = plt.get_fignums()
    box = widgets.explore(plot, "size {size}, shift {shift}", size=[1, 2, 3], shift=[0.5])
    assert box.values == {"size": 2, "shift": 0.5}
    assert 'alt="size 2, shift 0.5"' in box.image.value
    before = picture_of(box)
    box.sliders["size"].value = 3
    assert 'alt="size 3, shift 0.5"' in box.image.value and picture_of(box) != before
    assert plt.get_fignums() == open_before


def test_labels_start_values_and_words():
    box = widgets.explore(
        lambda size: (plot(size, 0), f"Twice is {2 * size}."), "size {size}.",
        labels={"size": "size (m)"}, start={"size": 2.9}, size=[1, 2, 3, 4, 5],
    )  # fmt: skip
    assert box.sliders["size"].description == "size (m)" and box.values == {"size": 3}
    assert 'alt="size 3. Twice is 6."' in box.image.value


def test_several_sliders_move_with_one_picture():
    drawn = []
    box = widgets.explore(
        lambda **values: drawn.append(values) or plot(**values), "",
        size=[1, 2, 3], shift=[0, 0.5, 1],
    )  # fmt: skip
    box.move(size=3, shift=0.1)
    assert drawn[1:] == [{"size": 3, "shift": 0}]
    box.sliders["shift"].value = 1
    assert drawn[2:] == [{"size": 3, "shift": 1}]


def test_what_fails_in_a_slider_is_seen_and_raised():
    """Outside of a cell nobody sees a traceback."""
    box = widgets.explore(lambda size: plot(1 / size, 0), "size {size}", size=[0, 1, 2])
    with pytest.raises(ZeroDivisionError):
        box.sliders["size"].value = 0
    assert 'role="alert"' in box.image.value and "ZeroDivisionError" in box.image.value
    box.sliders["size"].value = 2
    assert "<img" in box.image.value


def test_an_error_is_shown_as_text():
    assert "&lt;script&gt;" in widgets.sorry(ValueError("<script>"))
