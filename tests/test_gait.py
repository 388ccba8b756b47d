"""Gaits that are made up, whose numbers are known, and the robot's own."""

import numpy as np
import pytest

import quadlib
from quadlib.judging.gait import GAITS, Gait, observe
from quadlib.learning.agent import Agent


def marching(phases, frequency=2.5, duty=0.6, seconds=4.0, flicker=0.0):
    """Each foot is down for `duty` of a stride, from its share of the stride on."""
    time = np.arange(0, seconds, 0.01)
    contacts = (time[:, None] * frequency - np.array(phases)) % 1.0 < duty
    lost = np.random.default_rng(0).random(contacts.shape) < flicker
    return Gait(contacts ^ lost, distance=2.0, power=60.0, mass=6.0)


def test_numbers_by_hand():
    """2 m in 4 s; 60 W / (6 kg · 10 m/s² · 0.5 m/s)."""
    gait = marching(GAITS["trot"])
    assert gait.duration == 4.0 and gait.speed == 0.5
    assert gait.cost_of_transport == pytest.approx(2.0)
    np.testing.assert_allclose(gait.duty_factors, 0.6, atol=0.01)


def test_who_does_not_advance_has_no_cost_of_transport():
    gait = Gait(np.zeros((100, 4), bool), distance=-0.1, power=60.0, mass=6.0)
    assert gait.cost_of_transport == np.inf


def test_time_in_the_air_is_that_of_all_four_feet():
    contacts = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    assert Gait(contacts, 1.0, 1.0, 1.0).in_the_air == 0.5


@pytest.mark.parametrize("frequency", [1.0, 2.5, 8.7])
def test_strides_are_counted(frequency):
    gait = marching(GAITS["trot"], frequency)
    assert gait.stride_frequency == pytest.approx(frequency, abs=0.05)


def test_phases_are_lags_behind_the_front_left_leg():
    """A leg that touches down a quarter of a stride later has phase ¼."""
    phases = np.array([0.3, 0.55, 0.8, 0.2])
    np.testing.assert_allclose(marching(phases).phases, [0.0, 0.25, 0.5, 0.9], atol=0.01)


@pytest.mark.parametrize("name", GAITS)
def test_a_pure_gait_is_nearest_to_itself_whichever_leg_begins(name):
    for shift in (0.0, 0.37):
        nearest, away = marching(np.array(GAITS[name]) + shift).nearest()
        assert nearest == name and away < 0.01


def test_how_far_from_pure_by_hand():
    """A trot whose front right leg is a tenth of a stride late: a tenth of one leg in four."""
    nearest, away = marching([0.0, 0.5, 0.6, 0.0]).nearest()
    assert nearest == "trot" and away == pytest.approx(0.025, abs=0.005)


def test_a_foot_that_bounces_does_not_hide_the_stride():
    gait = marching(GAITS["pace"], flicker=0.1)
    assert gait.stride_frequency == pytest.approx(2.5, abs=0.05)
    assert gait.nearest()[0] == "pace"


def test_who_stands_has_no_stride():
    standing = Gait(np.ones((100, 4), bool), distance=0.0, power=0.0, mass=6.0)
    assert np.isnan(standing.stride_frequency) and np.isnan(standing.phases).all()
    name, away = standing.nearest()
    assert name == "none" and np.isnan(away)
    text = str(standing)
    assert text.startswith("0.00 m/s, no strides, on the ground") and "; no gait; 0 W" in text
    assert "nan" not in text


def test_a_leg_that_never_lands_has_no_phase():
    contacts = marching(GAITS["trot"]).contacts.copy()
    contacts[:, 2] = False
    gait = Gait(contacts, distance=1.0, power=10.0, mass=6.0)
    assert np.isnan(gait.phases).tolist() == [False, False, True, False]
    assert gait.nearest()[0] == "none" and gait.stride_frequency == pytest.approx(2.5, abs=0.05)
    assert "2.5 strides/s" in str(gait) and "no gait" in str(gait)


def test_a_gait_reads_as_a_sentence():
    text = str(marching(GAITS["trot"]))
    assert text.startswith("0.50 m/s, 2.5 strides/s of 0.20 m") and "nearest to a trot" in text


def test_the_robot_is_observed_as_the_judge_sees_it():
    """The same episode as `evaluate` plays: all of it, without skipping."""
    agent = Agent.shipped("first_gait")
    gait = observe(agent, seed=1_000_000, skip=0.0, seconds=1.5)
    judged = quadlib.evaluate(agent, 1, max_steps=150)
    assert gait.distance == pytest.approx(judged.distances[0], abs=0.01)
    assert gait.power == pytest.approx(judged.powers[0])
    assert len(gait.contacts) == 150


def test_what_is_skipped_does_not_count():
    whole = observe(lambda _: np.zeros(8), "MinitaurIdeal", skip=0.0, seconds=2.0)
    part = observe(lambda _: np.zeros(8), "MinitaurIdeal", skip=0.5, seconds=1.5)
    np.testing.assert_array_equal(part.contacts, whole.contacts[50:])


def test_hopping_is_a_pronk():
    gait = observe(Agent.shipped("hop"))
    assert gait.nearest()[0] == "pronk" and gait.in_the_air > 0.3


def test_a_fall_is_no_gait():
    with pytest.raises(ValueError, match="s are left after the first 2 s.* did it fall"):
        observe(lambda _: np.array([1, -1, 1, -1, -1, 1, -1, 1.0]), "MinitaurIdeal")
