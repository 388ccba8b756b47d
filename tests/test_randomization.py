"""Ranges, draws, and what cannot be a variation."""

from dataclasses import fields, replace

import numpy as np
import pytest

from quadlib.world.randomization import IDEAL, SLIDES, Variations


def test_a_draw_leaves_numbers_within_their_ranges():
    variations = Variations(base_mass=(0.8, 1.2), battery=(14.0, 16.8), leg_mass=1.1)
    rng = np.random.default_rng(0)
    drawn = [variations.draw(rng) for _ in range(300)]
    masses, volts = [d.base_mass for d in drawn], [d.battery for d in drawn]
    assert 0.8 <= min(masses) < 0.81 and 1.19 < max(masses) <= 1.2
    assert 14.0 <= min(volts) < 14.1 and 16.7 < max(volts) <= 16.8
    assert {d.leg_mass for d in drawn} == {1.1}
    assert abs(np.corrcoef(masses, volts)[0, 1]) < 0.2, "two fields share a draw"


def test_a_draw_depends_on_the_generator_alone():
    assert SLIDES.draw(np.random.default_rng(7)) == SLIDES.draw(np.random.default_rng(7))
    assert SLIDES.draw(np.random.default_rng(7)) != SLIDES.draw(np.random.default_rng(8))


def test_fixed_values_draw_nothing():
    rng = np.random.default_rng(3)
    assert IDEAL.draw(rng) == IDEAL
    assert rng.random() == np.random.default_rng(3).random()


def test_a_range_of_one_value_is_that_value():
    assert Variations(push=(5, 5)).draw(np.random.default_rng(0)).push == 5.0


def test_ideal_changes_nothing():
    factors = {"base_mass", "leg_mass", "leg_length", "motor_strength", "foot_friction"}
    for name, value in IDEAL.as_dict().items():
        assert value == (1.0 if name in factors else 16.0 if name == "battery" else 0.0), name


def test_the_slides_environment_has_their_latency_and_the_known_randomizer():
    assert SLIDES.latency == (0.001, 0.002)
    assert SLIDES.base_mass == SLIDES.leg_mass == (0.8, 1.2)
    assert SLIDES.battery == (14.8, 16.8)
    assert SLIDES.motor_damping == (0.0, 0.01)
    assert SLIDES.foot_friction == (0.8, 1.5)
    noises = [SLIDES.angle_noise, SLIDES.velocity_noise, SLIDES.torque_noise]
    assert min([*noises, SLIDES.orientation_noise]) > 0


def test_updated_replaces_only_what_is_named():
    assert SLIDES.updated({"latency": 0.0}) == replace(SLIDES, latency=0.0)
    assert SLIDES.updated(None) == SLIDES
    assert SLIDES.updated(IDEAL) == IDEAL


def test_lists_and_whole_numbers_are_taken():
    assert Variations(push=[120, 240]).push == (120.0, 240.0)
    assert isinstance(Variations(leg_length=1).leg_length, float)
    assert Variations(base_mass=np.array([0.9, 1.1])).base_mass == (0.9, 1.1)


@pytest.mark.parametrize(
    "wrong, right",
    [("base_mas", "base_mass"), ("friction_foot", "foot_friction"), ("latencies", "latency")],
)
def test_an_unknown_name_is_refused_with_the_nearest(wrong, right):
    with pytest.raises(ValueError, match=rf"no variation '{wrong}'.*\b{right}\b"):
        IDEAL.updated({wrong: 1.0})


def test_a_name_like_no_other_gets_all_names():
    with pytest.raises(ValueError) as caught:
        IDEAL.updated({"zzz": 1.0})
    assert all(field.name in str(caught.value) for field in fields(Variations))


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"push": -1.0}, "push must be ≥ 0"),
        ({"latency": (-0.1, 0.1)}, "latency must be ≥ 0"),
        ({"base_mass": 0.0}, "base_mass must be positive"),
        ({"leg_length": (0.0, 1.0)}, "leg_length must be positive"),
        ({"battery": (17.0, 14.0)}, "battery needs low ≤ high"),
        ({"joint_damping": float("nan")}, "joint_damping needs"),
        ({"joint_friction": (0.0, float("inf"))}, "joint_friction needs"),
        ({"leg_mass": "heavy"}, "leg_mass is a number or a range.*'heavy'"),
        ({"leg_mass": None}, "leg_mass is a number or a range"),
        ({"leg_mass": (0.8, 1.0, 1.2)}, "leg_mass is a number or a range"),
    ],
)
def test_what_cannot_be_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        IDEAL.updated(changes)
