import pytest

from quadlib import widgets

pytest.importorskip("ipywidgets")


def test_explore_draws_the_middle_first_and_then_each_choice():
    plt = pytest.importorskip("matplotlib.pyplot")
    seen = []

    def draw(size, shift):
        seen.append((size, shift))
        figure, axes = plt.subplots()
        axes.plot([0, size], [shift, 1])
        return figure

    box = widgets.explore(draw, "size {size}, shift {shift}", size=[1, 2, 3], shift=[0.5])
    size, _, image = box.children
    assert seen == [(2, 0.5)] and 'alt="size 2, shift 0.5"' in image.value
    before = image.value
    size.value = 3
    assert seen[-1] == (3, 0.5) and image.value != before
