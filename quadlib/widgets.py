"""Sliders over plain functions that draw. Works with ipywidgets 7.7 (Colab) and 8."""

from collections.abc import Callable, Sequence
from typing import Any

from quadlib import course


def explore(draw: Callable, alt: str, **choices: Sequence) -> Any:
    """A picture with one slider per keyword of `draw`.

    Args:
        draw: called with one value per slider, returns a Matplotlib figure.
        alt: what the picture shows; `{keyword}` is filled in with the slider's value.
        choices: for each keyword of `draw` the values its slider goes through. The middle one
            comes first.

    Returns:
        An `ipywidgets.VBox`: the sliders, then the picture. As the last line of a cell it shows
        itself. The picture is HTML with alt text: no output area that flickers.
    """
    import ipywidgets

    sliders = {
        name: ipywidgets.SelectionSlider(
            options=[(f"{value:g}", value) for value in values],
            value=values[len(values) // 2],
            description=name,
            continuous_update=False,
        )
        for name, values in choices.items()
    }
    image = ipywidgets.HTML()

    def redraw(_change: Any = None) -> None:
        values = {name: slider.value for name, slider in sliders.items()}
        image.value = course.picture(draw(**values), alt.format(**values))

    redraw()
    for slider in sliders.values():
        slider.observe(redraw, names="value")
    return ipywidgets.VBox([*sliders.values(), image])
