"""Settings: what is refused, what it says then, and the slides' tables."""

import json
import math
from dataclasses import fields

import numpy as np
import pytest

from quadlib.learning.settings import ALGORITHMS, LONG, SLIDES, settings_for


def test_unknown_algorithms_are_refused():
    with pytest.raises(ValueError, match="one of ppo, ppo_kl, trpo, not 'sac'"):
        settings_for("sac")


@pytest.mark.parametrize(
    "algorithm, wrong, right",
    [
        ("ppo", "learnin_rate", "learning_rate"),
        ("ppo", "clip_rang", "clip_range"),
        ("trpo", "target_lk", "target_kl"),
        ("ppo_kl", "dtarget", "d_target"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(algorithm, wrong, right):
    with pytest.raises(ValueError, match=f"{algorithm} has no setting '{wrong}'.*'{right}'"):
        settings_for(algorithm, {wrong: 1})


def test_another_algorithms_setting_is_refused():
    with pytest.raises(ValueError, match="trpo has no setting 'clip_range'"):
        settings_for("trpo", {"clip_range": 0.2})


def test_a_name_like_no_other_gets_all_names():
    with pytest.raises(ValueError) as caught:
        settings_for("ppo", {"qqq": 1})
    assert all(field.name in str(caught.value) for field in fields(ALGORITHMS["ppo"]))


@pytest.mark.parametrize(
    "name, value, limits",
    [
        ("gamma", 1.01, "from 0.0 to 1.0"),
        ("gamma", -0.1, "from 0.0 to 1.0"),
        ("gamma", math.nan, "from 0.0 to 1.0"),
        ("gamma", "0.99", "from 0.0 to 1.0"),
        ("gamma", None, "from 0.0 to 1.0"),
        ("gamma", True, "from 0.0 to 1.0"),
        ("gamma", [0.99], "from 0.0 to 1.0"),
        ("learning_rate", 0, "from 1e-08 to 1.0"),
        ("n_envs", 0, "a whole number from 1 to 256"),
        ("n_steps", 512.0, "a whole number from 2 to 100000"),
        ("n_steps", [512], "a whole number from 2 to 100000"),
        ("n_steps", (), "a whole number from 2 to 100000"),
        ("hidden", (64, 0), "a whole number from 1 to 4096"),
        ("hidden", (64, 32.5), "a whole number from 1 to 4096"),
        ("hidden", "64", "a whole number from 1 to 4096"),
        ("normalize_rewards", 1, "True or False"),
        ("normalize_rewards", "yes", "True or False"),
    ],
)
def test_an_impossible_value_is_refused_with_the_range_and_the_meaning(name, value, limits):
    with pytest.raises(ValueError) as caught:
        settings_for("ppo", {name: value})
    meaning = {f.name: f.metadata["help"] for f in fields(ALGORITHMS["ppo"])}[name]
    assert str(caught.value) == f"{name} is {limits}, not {value!r}: {meaning}"


def test_possible_values_are_taken_in_their_own_type():
    settings = settings_for(
        "ppo",
        {"gamma": 1, "n_steps": np.int64(64), "learning_rate": np.float32(0.5), "hidden": [32]},
    )
    assert (settings.gamma, settings.n_steps, settings.hidden) == (1.0, 64, (32,))
    assert type(settings.gamma) is float and type(settings.n_steps) is int
    assert settings_for("ppo", {"hidden": np.int64(16)}).hidden == (16,)
    assert settings_for("ppo", {"hidden": (np.int64(8), 4)}).hidden == (8, 4)
    json.dumps(settings.as_dict())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_settings_survive_json(algorithm):
    settings = settings_for(algorithm, {"hidden": (8, 4), "gamma": 0.9})
    assert settings_for(algorithm, json.loads(json.dumps(settings.as_dict()))) == settings


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_help_has_a_line_with_meaning_and_default_for_each_field(algorithm):
    kind = ALGORITHMS[algorithm]
    lines = kind.help().splitlines()
    assert len(lines) == len(fields(kind))
    for line, field in zip(lines, fields(kind), strict=True):
        assert line.startswith(field.name) and str(field.default) in line
        assert len(field.metadata["help"]) > 8


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_defaults_lie_in_their_own_ranges(algorithm):
    assert settings_for(algorithm, settings_for(algorithm).as_dict()) == settings_for(algorithm)


@pytest.mark.parametrize(
    "algorithm, table",
    [("ppo", SLIDES["ppo"]), ("trpo", SLIDES["trpo"]), ("ppo", SLIDES["transfer"]), *LONG.items()],
)
def test_a_table_leaves_nothing_to_the_defaults(algorithm, table):
    assert table.keys() == {each.name for each in fields(ALGORITHMS[algorithm])}
    settings_for(algorithm, table)


def test_the_slides_ppo_table():
    """Four minibatches of 319 make the 1276 steps of one environment."""
    settings = settings_for("ppo", SLIDES["ppo"])
    assert (settings.n_steps, settings.n_envs, settings.n_epochs) == (1276, 1, 4)
    assert settings.batch_size * 4 == settings.n_steps
    assert (settings.gamma, settings.gae_lambda) == (0.909, 0.988)
    assert (settings.learning_rate, settings.clip_range) == (0.00317, 0.345)
    assert settings.ent_coef == 3.59e-8
    assert settings.hidden == (64, 64)
    assert settings.sb2_value_clipping and not settings.normalize_observations


def test_the_slides_trpo_table():
    settings = settings_for("trpo", SLIDES["trpo"])
    assert (settings.n_steps, settings.n_envs) == (293, 1)
    assert (settings.gamma, settings.gae_lambda) == (0.974, 0.988)
    # sums over eight actions there, means here
    assert (8 * settings.target_kl, 8 * settings.cg_damping) == pytest.approx((0.0503, 0.0135))
    assert (settings.learning_rate, settings.n_critic_updates) == (3.2e-3, 3)


def test_the_slides_transfer_table():
    settings = settings_for("ppo", SLIDES["transfer"])
    assert (settings.n_steps, settings.gamma, settings.learning_rate) == (1277, 0.913, 1.83e-5)
    assert (settings.ent_coef, settings.clip_range, settings.n_epochs) == (5e-4, 0.379, 1)
    assert settings.gae_lambda == 0.861
