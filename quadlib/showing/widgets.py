"""Sliders over plain functions that draw (ipywidgets 7.7, as Colab has it, and 8)."""

import html
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets

from quadlib import course

ROW = ipywidgets.Layout(display="flex", flex_flow="row wrap", align_items="center")

# Where the keyboard is: ipywidgets' own sliders do not tell. A blue ring within a white
# one is seen on light and on dark pages. What a slider says can be typed over, without any effect.
_FOCUS = """<style>
.quadlib-panel :is(.noUi-handle, .ui-slider-handle, button):focus-visible {
  outline: 3px solid #0072b2 !important; outline-offset: 1px;
  box-shadow: 0 0 0 6px #fff !important; z-index: 9; }
.quadlib-panel .widget-readout { -webkit-user-modify: read-only !important; }
</style>"""


class Panel(ipywidgets.VBox):
    """A box of widgets in which one sees what has the keyboard's focus."""

    def __init__(self, children: Sequence[ipywidgets.Widget], **more: Any) -> None:
        style = ipywidgets.HTML(_FOCUS, layout={"display": "none"})
        super().__init__([*children, style], **more)
        self.add_class("quadlib-panel")


class Explorer(Panel):
    """A picture with one slider per keyword of a function that draws. `explore` makes one.

    Attributes:
        sliders: keyword -> its `ipywidgets.SelectionSlider`.
        image: the `ipywidgets.HTML` with the picture, or with what went wrong.
    """

    def __init__(
        self,
        draw: Callable,
        alt: str,
        choices: Mapping[str, Sequence],
        labels: Mapping[str, str],
        start: Mapping[str, Any],
    ) -> None:
        self._draw, self._alt = draw, alt
        self.sliders = {
            name: ipywidgets.SelectionSlider(
                options=[(f"{value:g}", value) for value in values],
                index=nearest(values, start[name]) if name in start else len(values) // 2,
                description=labels.get(name, name),
                continuous_update=False,  # one picture per move, none on the way
                style={"description_width": "9em"},
                layout={"width": "26em", "max_width": "100%"},
            )
            for name, values in choices.items()
        }
        self.image = ipywidgets.HTML(layout={"width": "100%"})
        self.redraw()
        for slider in self.sliders.values():
            slider.observe(self.redraw, names="value")
        super().__init__([*self.sliders.values(), self.image], layout=ROW)

    @property
    def values(self) -> dict[str, Any]:
        """Keyword -> what its slider says."""
        return {name: slider.value for name, slider in self.sliders.items()}

    def move(self, **values: Any) -> None:
        """Put sliders on values, or as near as they go, and draw once."""
        for slider in self.sliders.values():
            slider.unobserve(self.redraw, names="value")
        try:
            for name, value in values.items():
                slider = self.sliders[name]
                slider.index = nearest([choice for _, choice in slider.options], value)
        finally:
            for slider in self.sliders.values():
                slider.observe(self.redraw, names="value")
        self.redraw()

    def redraw(self, _change: Any = None) -> None:
        """Draw what the sliders say."""
        values = self.values
        with show_errors(self.image):
            drawn = self._draw(**values)
            figure, words = drawn if isinstance(drawn, tuple) else (drawn, "")
            alt = f"{self._alt.format(**values)} {words}".strip()
            self.image.value = course.picture(figure, alt, quick=True)


def explore(
    draw: Callable,
    alt: str,
    *,
    labels: Mapping[str, str] | None = None,
    start: Mapping[str, Any] | None = None,
    **choices: Sequence,
) -> Explorer:
    """A picture with one slider per keyword of `draw`.

    Args:
        draw: called with one value per slider, returns a Matplotlib figure, or a pair: a figure,
            and what it shows in words.
        alt: what the picture shows; `{keyword}` is filled in with the slider's value.
        labels: keyword -> what stands beside its slider, with the unit; by default the keyword.
        start: keyword -> the value that comes first; by default the middle one.
        choices: for each keyword of `draw` the values its slider goes through.

    Returns:
        The sliders, then the picture. As the last line of a cell it shows itself. The picture is
        HTML with alt text: no output area that flickers. Errors of `draw` stand in its place.
    """
    return Explorer(draw, alt, choices, labels or {}, start or {})


def nearest(values: Sequence, wanted: Any) -> int:
    """The index of the value that is nearest to the wanted one."""
    return min(range(len(values)), key=lambda i: abs(values[i] - wanted))


@contextmanager
def show_errors(place: ipywidgets.HTML) -> Any:
    """What fails in here is told in the page, and raised: outside of a cell nobody sees a
    traceback."""
    try:
        yield
    except Exception as error:
        place.value = sorry(error)
        raise


def sorry(error: Exception) -> str:
    """An error as HTML."""
    text = html.escape(f"{type(error).__name__}: {error}")
    return f'<pre role="alert" style="white-space: pre-wrap">✗ {text}</pre>'
