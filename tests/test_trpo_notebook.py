"""Notebook 4: the update made by hand is the library's, and every equation is computed."""

import build
import cells
import pytest

NAME = "04_trpo"


def sources(kind):
    return [cell for cell in build.source_cells(NAME) if cell.cell_type == kind]


def test_the_update_by_hand_is_the_librarys():
    """All parameters of policy and critic, as a share of how far the update moved them."""
    variables = cells.run(NAME).variables
    names = [name for name, _ in variables["policy"].named_parameters()]
    assert list(variables["agreement"]) == names
    assert max(variables["agreement"].values()) < 1e-4
    assert variables["fraction"] > 0, "the policy did not move"


@pytest.mark.parametrize("number", range(12, 18))
def test_equation_is_stated_and_computed(number):
    assert any(rf"\tag{{{number}}}" in cell.source for cell in sources("markdown"))
    student = {"exercise", "wrong-answer", "check"}
    assert any(
        f"Eq. ({number})" in cell.source and not student & set(build.tags(cell))
        for cell in sources("code")
    )


def test_cells_are_short():
    for cell in sources("code"):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 24, f"{len(lines)} lines:\n{cell.source}"
        assert max(map(len, lines)) <= 110, cell.source
