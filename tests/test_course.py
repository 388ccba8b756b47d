import numpy as np
import pytest

from quadlib import course


@pytest.mark.parametrize("name, expected", [("ci", 1), ("lecture", 2), ("full", 3), ("", 2)])
def test_budget(monkeypatch, name, expected):
    monkeypatch.setenv("QUADLIB_BUDGET", name)
    assert course.budget(ci=1, lecture=2, full=3) == expected


def test_budget_defaults_to_lecture_and_refuses_unknown_names(monkeypatch):
    monkeypatch.delenv("QUADLIB_BUDGET", raising=False)
    assert course.budget(ci=1, lecture=2, full=3) == 2
    monkeypatch.setenv("QUADLIB_BUDGET", "quick")
    with pytest.raises(ValueError, match="'quick'.*ci, lecture, full"):
        course.budget(ci=1, lecture=2, full=3)


def total(rewards, gamma):
    return sum(gamma**t * r for t, r in enumerate(rewards))


CASES = [(([1.0, 1.0, 1.0], 0.5), 1.75), (([], 0.9), 0.0)]


def test_right_answer():
    verdict = course.check(total, CASES)
    assert verdict.status == "right"
    assert "total" in repr(verdict) and "2 inputs" in repr(verdict)


def test_wrong_answer_shows_inputs_result_and_hint():
    verdict = course.check(lambda rewards, gamma: sum(rewards), CASES, hint="weights?")
    assert verdict.status == "wrong"
    for part in (
        "rewards = [1., 1., 1.]",
        "gamma = 0.5",
        "yours    3\n",
        "expected 1.75",
        "weights?",
    ):
        assert part in verdict.message


@pytest.mark.parametrize("nothing", [None, ...])
def test_unfinished_answer(nothing):
    assert course.check(lambda rewards, gamma: nothing, CASES).status == "not yet done"


def test_answer_that_raises_names_error_line_and_inputs():
    def total(rewards, gamma):
        return rewards[3]

    verdict = course.check(total, CASES)
    assert verdict.status == "wrong"
    for part in ("IndexError", "return rewards[3]", "gamma = 0.5"):
        assert part in verdict.message


@pytest.mark.parametrize(
    "result, expected, complaint",
    [
        (np.ones(2), np.ones(3), "shape is (2,), expected is (3,)"),
        (np.array([1, np.nan]), np.ones(2), "not a number"),
        ("up", 1.0, "numbers are expected, this is str"),
        ("up", "down", "another word"),
        (1.0, (1.0, 2.0), "2 results are expected"),
        ((1.0, 3.0), (1.0, 2.0), "not right"),
        (True, False, "not right"),
        (1.0 + 1e-5, 1.0, "not right"),
        ([[1.0], [1.0, 2.0]], np.ones(2), "numbers are expected, this is list"),
        (np.ones(2), "up", "another word"),
        (1 + 2j, 1.0, "numbers are expected, this is complex"),
        ("1.0", 1.0, "numbers are expected, this is str"),
    ],
)
def test_complaints(result, expected, complaint):
    verdict = course.check(lambda: result, [((), expected)])
    assert verdict.status == "wrong" and complaint in verdict.message


@pytest.mark.parametrize(
    "value, shown",
    [
        (np.array([True, False]), "[ True, False]"),
        (True, "True"),
        (0.25, "0.25"),
        (np.zeros((10, 6)), "[0, 0, 0, 0, ...], an array of shape (10, 6)"),
        ("left", "'left'"),
        ((1, total), "(1, total)"),
    ],
)
def test_values_are_shown_short(value, shown):
    verdict = course.check(lambda x: "no", [((value,), "yes")])
    assert f"  with  x = {shown}" in verdict.message


def test_tensors_and_tolerance():
    torch = pytest.importorskip("torch")
    parameter = torch.ones(2, requires_grad=True)
    assert course.check(lambda x: 2 * x, [((parameter,), np.full(2, 2.0))]).status == "right"
    assert course.check(lambda: 1.001, [((), 1.0)], tolerance=0.01).status == "right"
    verdict = course.check(lambda: [parameter.sum(), parameter.sum()], [((), np.full(2, 2.0))])
    assert verdict.status == "wrong" and "this is list" in verdict.message


def test_an_error_within_a_library_is_shown_with_the_students_line():
    def mean(x):
        return np.concatenate(x)  # here

    message = course.check(mean, [((1.0,), 1.0)]).message
    assert "  at    return np.concatenate(x)  # here" in message
    assert "  at " not in course.check(len, [((1.0,), 1.0)]).message, "no line of a student's"


def test_an_answer_that_changes_its_input_is_judged_on_fresh_ones():
    def double(values):
        values *= 2
        return values

    cases = [((np.ones(2),), np.full(2, 2.0))]
    assert course.check(double, cases).status == "right"
    assert course.check(double, cases).status == "right"


def test_picture_has_alt_text_and_closes_the_figure():
    plt = pytest.importorskip("matplotlib.pyplot")
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    html = course.picture(figure, alt='a "line" that rises')
    assert 'alt="a &quot;line&quot; that rises"' in html
    assert "data:image/png;base64,iVBOR" in html
    assert not plt.fignum_exists(figure.number)
