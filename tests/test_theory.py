"""The theory notebooks: every equation computed, every slider driven, no cell too long to read."""

import re

import build
import cells
import pytest

NAMES = ["01a_policy_gradients", "01b_trust_regions"]
EQUATIONS = [str(n) for n in range(1, 22)] + [f"A.{n}" for n in range(1, 6)]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def sources(name, kind):
    return [cell for cell in build.source_cells(name) if cell.cell_type == kind]


@pytest.mark.parametrize("number", EQUATIONS)
def test_equation_is_stated_and_computed(number):
    r"""A text states it with its \tag; in the same notebook code that runs is named after it."""
    stating = [
        name
        for name in NAMES
        if any(rf"\tag{{{number}}}" in cell.source for cell in sources(name, "markdown"))
    ]
    assert stating, f"no text states equation ({number})"
    computing = [
        cell
        for name in stating
        for cell in sources(name, "code")
        if f"Eq. ({number})" in cell.source
        and not {"exercise", "wrong-answer", "check"} & set(build.tags(cell))
    ]
    assert computing, f"no cell computes Eq. ({number})"


def test_each_notebook_asserts_its_claims(name):
    assert sum(cell.source.count("assert ") for cell in sources(name, "code")) >= 25


def test_at_least_six_exercises_of_rising_difficulty(name):
    text = "\n".join(cell.source for cell in sources(name, "markdown"))
    stars = [len(s) for s in re.findall(r"### Exercise \d+ (★+)", text)]
    assert len(stars) == len(cells.run(name).exercises) >= 6
    assert stars[0] == 1 and stars[-1] == 3


def test_cells_are_short(name):
    """About 15 lines per cell; an algorithm fits on one screen of 40."""
    for cell in sources(name, "code"):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        limit = 40 if "algorithm" in build.tags(cell) else 20
        assert len(lines) <= limit, f"{len(lines)} lines:\n{cell.source}"
        assert max(map(len, lines)) <= 110, cell.source


@pytest.mark.parametrize(
    "name, sliders",
    [(NAMES[0], {"lam", "gamma", "horizon"}), (NAMES[1], {"delta", "epsilon"})],
)
def test_sliders_draw_at_every_value(name, sliders):
    """Each widget's callback over its whole range; each picture differs from the one before."""
    ipywidgets = pytest.importorskip("ipywidgets")
    boxes = [value for value in cells.run(name).shown if isinstance(value, ipywidgets.VBox)]
    driven = set()
    for box in boxes:
        image = box.image
        for slider in box.sliders.values():
            driven.add(slider.description)
            for _, value in slider.options:
                before, image_before = slider.value, image.value
                slider.value = value
                assert "data:image/png" in image.value
                assert value == before or image.value != image_before
    assert driven == sliders
