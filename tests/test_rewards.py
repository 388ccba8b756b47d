"""What a student may return, and the help that comes when it is something else."""

import dataclasses
import functools
import inspect
import math
import pickle
import re

import numpy as np
import pytest

from quadlib.world import rewards
from quadlib.world.rewards import RewardError, Step, evaluate_reward, slides_reward


def make_step(**changes):
    """A step in which everything is 0.5 but what is named."""
    values = dict.fromkeys(rewards.FIELDS, 0.5) | changes
    return Step(**values)


def message_of(reward, index=7, **changes):
    with pytest.raises(RewardError) as caught:
        evaluate_reward(reward, make_step(**changes), index)
    return str(caught.value)


# ---- what may be returned ---------------------------------------------------------------------


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.float64(2), np.int64(2)])
def test_a_number_is_a_reward(value):
    total, terms = evaluate_reward(lambda step: value, make_step(), 0)
    assert (total, terms) == (2.0, {"reward": 2.0})
    assert type(total) is type(terms["reward"]) is float


def test_named_terms_are_added_and_kept_by_name():
    def reward(step):
        return {"forward": 3 * step.dx, "energy": np.float32(-0.25), "bonus": True}

    total, terms = evaluate_reward(reward, make_step(dx=0.5), 0)
    assert total == 2.25
    assert terms == {"forward": 1.5, "energy": -0.25, "bonus": 1.0}


def test_the_slides_reward_by_hand():
    """0.02 m forward less 0.005 · 0.6 J."""
    total, terms = evaluate_reward(slides_reward, make_step(dx=0.02, energy=0.6), 0)
    assert terms == {"forward": 0.02, "energy": pytest.approx(-0.003)}
    assert total == pytest.approx(0.017)


def test_a_callable_object_and_a_partial_are_functions_too():
    class Weighted:
        def __call__(self, step):
            return 2 * step.dx

    step = make_step(dx=1.0)
    assert evaluate_reward(Weighted(), step, 0)[0] == 2.0
    assert evaluate_reward(functools.partial(lambda w, step: w * step.dx, 3), step, 0)[0] == 3.0


# ---- what goes wrong: each message names the function, the step, the value, and what to try -----


def returns(value):
    def my_reward(step):
        return value

    return my_reward


@pytest.mark.parametrize(
    "value, shown, advice",
    [
        (math.nan, "nan", "division by zero"),
        (np.float64("inf"), "inf", "overflow"),
        (-math.inf, "-inf", "overflow"),
        (None, "None", "is its `return` missing"),
        (np.zeros(8), "an array of shape (8,)", ".sum()"),
        (np.array(1.0), "an array of shape ()", ".sum()"),
        ("fast", "'fast'", 'such as {"forward": step.dx}'),
        ([1.0, 2.0], "[1.0, 2.0]", 'such as {"forward": step.dx}'),
        (1j, "1j", "return a number"),
        ({}, "an empty dict", "return a number"),
        ({"a": 1.0, "b": math.nan}, "nan for 'b'", "division by zero"),
        ({"a": None}, "None for 'a'", "return"),
        ({"legs": np.zeros(4)}, "an array of shape (4,) for 'legs'", ".sum()"),
        ({"a": 1e308, "b": 1e308}, "inf for 'the sum'", "overflow"),
        (10**400, "1000000", "overflow"),
    ],
)  # fmt: skip
def test_a_bad_value_is_explained(value, shown, advice):
    text = message_of(returns(value))
    assert text.startswith("my_reward returned ")
    assert "at step 7: " in text
    assert shown in text and advice in text


def test_a_missing_return_is_explained():
    def no_return(step):
        step.dx * 2

    assert message_of(no_return).startswith("no_return returned None at step 7: is its `return`")


def test_a_number_that_is_none_comes_with_the_robots_state():
    assert "height 0.125 m" in message_of(returns(math.nan), height=0.125)


def test_an_exception_is_named_with_its_line():
    def divides(step):
        return 1 / (step.dx - step.dx)

    text = message_of(divides)
    assert text.startswith("divides stopped at step 7, line ")
    assert "return 1 / (step.dx - step.dx)" in text
    assert "\nZeroDivisionError: " in text


def test_a_partial_and_an_object_are_named_with_their_line():
    def divides(step, by):
        return step.dx / by

    class Divides:
        def __call__(self, step):
            return divides(step, 0)

    text = message_of(functools.partial(divides, by=0))
    assert text.startswith("divides stopped at step 7, line ") and ": return step.dx / by" in text
    text = message_of(Divides())
    assert text.startswith("Divides stopped at step 7, line ") and ": return step.dx / by" in text


def test_true_is_a_number_numpys_too():
    assert evaluate_reward(lambda step: {"on": np.bool_(step.dx > 0)}, make_step(), 0)[0] == 1.0


def test_the_line_is_the_students_own_not_the_one_of_a_library():
    def takes_a_root(step):
        return math.sqrt(-1.0) + len(inspect.getsource(step))

    assert ": return math.sqrt(-1.0)" in message_of(takes_a_root)


@pytest.mark.parametrize(
    "typo, meant", [("hieght", "height"), ("torque", "torques"), ("contact", "contacts")]
)
def test_a_typo_in_a_field_is_met_with_the_nearest(typo, meant):
    text = message_of(lambda step: getattr(step, typo))
    assert f"no {typo!r}" in text and f"did you mean {meant!r}" in text
    assert text.startswith("the reward (a lambda) stopped at step 7")


def test_a_field_like_no_other_gets_all_fields():
    text = message_of(lambda step: step.qqqq)
    assert all(field in text for field in rewards.FIELDS)


def test_a_step_cannot_be_written_to():
    def cheats(step):
        step.dx = 100.0
        return step.dx

    assert "cheats stopped at step 7" in message_of(cheats)


def test_a_function_of_something_else_is_explained():
    assert "stopped at step 7" in message_of(lambda: 1.0)


def test_the_error_survives_a_journey_between_processes():
    error = RewardError("my_reward returned None")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is RewardError and str(copy) == str(error)


def test_a_step_survives_a_journey_between_processes():
    step = make_step(dx=0.25)
    assert pickle.loads(pickle.dumps(step)) == step


# ---- the fields ------------------------------------------------------------------------------


def test_every_field_says_its_unit():
    source = inspect.getsource(Step)
    unit = r"\b(m|s|rad|m/s|rad/s|N·m|J|W|bool)\b|in \[−1, 1\]|zeros in the first step|ends with"
    for field in dataclasses.fields(Step):
        comment = re.search(rf"^    {field.name}: .*?# (.+)$", source, re.MULTILINE)
        assert comment, f"{field.name} has no comment"
        assert re.search(unit, comment.group(1)), f"{field.name}: no unit in {comment.group(1)!r}"
