"""Search spaces: what they cover, what they hold, and which ones are refused."""

import math
from dataclasses import asdict, fields

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import FixedTrial

from quadlib.learning.settings import ALGORITHMS, SLIDES, settings_for
from quadlib.search import spaces
from quadlib.search.spaces import SPACES, checked_ranges, known_points

algorithms = pytest.mark.parametrize("algorithm", SPACES)


def tried(algorithm, count=300):
    """Settings that a random sampler comes to."""
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    return [SPACES[algorithm](study.ask()) for _ in range(count)]


@algorithms
def test_a_space_is_over_every_setting(algorithm):
    assert set(tried(algorithm, 1)[0]) == {each.name for each in fields(ALGORITHMS[algorithm])}


@algorithms
def test_whatever_is_tried_can_be_trained(algorithm):
    for settings in tried(algorithm):
        settings_for(algorithm, settings)
        rollout = settings["n_envs"] * settings["n_steps"]
        assert 240 <= rollout <= 8192, "whole steps of each environment: up to 15 less than 256"
        assert 2 <= settings["batch_size"] <= rollout


@algorithms
@pytest.mark.parametrize("number, whose", [(0, "slides"), (1, "ours")])
def test_a_study_begins_with_the_slides_settings_and_our_own(algorithm, number, whose):
    point = known_points(algorithm)[number]
    for name, each in checked_ranges(algorithm, SPACES[algorithm]).items():
        assert each._contains(each.to_internal_repr(point[name])), f"{name} {point[name]}"
    wanted = asdict(settings_for(algorithm, SLIDES[algorithm] if whose == "slides" else {}))
    for name, value in SPACES[algorithm](FixedTrial(point)).items():
        if (whose, name) == ("ours", "ent_coef"):
            assert value == 1e-8 and wanted[name] == 0, "0 has no logarithm"
        elif isinstance(value, float):
            assert value == pytest.approx(wanted[name], rel=1e-12)
        else:
            assert value == (list(wanted[name]) if name == "hidden" else wanted[name])


@algorithms
def test_ranges_do_not_depend_on_what_is_tried(algorithm):
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    trial = study.ask()
    SPACES[algorithm](trial)
    assert trial.distributions == checked_ranges(algorithm, SPACES[algorithm])


def test_a_horizon_is_a_discount():
    settings = spaces.ppo(FixedTrial(known_points("ppo")[1] | {"horizon": 50.0}))
    assert math.isclose(settings["gamma"], 0.98)


def refused(space, message, algorithm="ppo"):
    with pytest.raises(ValueError, match=message):
        checked_ranges(algorithm, space)


def test_an_unknown_name_is_refused_with_the_nearest():
    refused(
        lambda trial: {"learning_rat": trial.suggest_float("learning_rat", 0.1, 0.2)},
        "no setting 'learning_rat'; did you mean 'learning_rate'",
    )
    refused(
        lambda trial: {"clip_range": trial.suggest_float("clip_range", 0.1, 0.2)},
        "trpo has no setting 'clip_range'",
        "trpo",
    )


@pytest.mark.parametrize(
    "suggest",
    [
        lambda trial: trial.suggest_float("gamma", 0.99, 0.9),
        lambda trial: trial.suggest_float("gamma", 0.0, 0.9, log=True),
        lambda trial: trial.suggest_categorical("gamma", []),
    ],
)
def test_an_empty_range_is_refused_by_its_name(suggest):
    refused(lambda trial: {"gamma": suggest(trial)}, "impossible range: gamma: ")


def test_an_empty_range_of_whole_numbers_is_refused():
    refused(lambda trial: {"n_epochs": trial.suggest_int("n_epochs", 4, 3)}, "range: n_epochs: ")


@pytest.mark.parametrize("low, high", [(1e-4, 2.0), (-1.0, 0.1)])
def test_a_range_beyond_what_the_setting_can_be_is_refused(low, high):
    refused(
        lambda trial: {"learning_rate": trial.suggest_float("learning_rate", low, high)},
        "learning_rate is from",
    )


def test_a_space_that_asks_for_nothing_or_returns_nothing_is_refused():
    refused(lambda trial: {"gamma": 0.9}, "asks it for values")
    refused(lambda trial: trial.suggest_float("gamma", 0.9, 0.99), "asks it for values")


def test_an_unknown_algorithm_is_refused():
    refused(spaces.ppo, "algorithm is one of ppo", "pppo")
