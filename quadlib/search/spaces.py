"""Search spaces: which settings a study tries, one function per algorithm.

A space is any function that takes an Optuna trial and returns settings for `train`. It may suggest
other quantities than the settings themselves where those are easier to think about.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from quadlib.learning.settings import SLIDES, settings_for

Space = Callable[[Any], dict[str, Any]]


def ppo(trial: Any) -> dict[str, Any]:
    """PPO: the slides' table, and what matters beside it."""
    return _shared(trial) | {
        "learning_rate": trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
        "n_epochs": trial.suggest_int("n_epochs", 1, 20),
        "clip_range": trial.suggest_float("clip_range", 0.05, 0.5),
        "ent_coef": trial.suggest_float("ent_coef", 1e-8, 0.03, log=True),
        "vf_coef": trial.suggest_float("vf_coef", 0.1, 2.0, log=True),
        "max_grad_norm": trial.suggest_float("max_grad_norm", 0.1, 10.0, log=True),
        "sb2_value_clipping": trial.suggest_categorical("sb2_value_clipping", [False, True]),
    }


def trpo(trial: Any) -> dict[str, Any]:
    """TRPO: the same without what its trust region replaces. Adam moves the critic alone."""
    return _shared(trial) | {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "target_kl": trial.suggest_float("target_kl", 1e-3, 0.1, log=True),
        "cg_damping": trial.suggest_float("cg_damping", 1e-3, 0.3, log=True),
        "cg_max_steps": trial.suggest_int("cg_max_steps", 5, 20),
        "n_critic_updates": trial.suggest_int("n_critic_updates", 1, 30, log=True),
    }


def _shared(trial: Any) -> dict[str, Any]:
    """What both have. `rollout` counts the steps of all environments between two updates.

    `horizon` is 1 / (1 − γ): how many steps ahead a reward still counts (1 s is 100 steps).
    """
    n_envs = trial.suggest_int("n_envs", 1, 16, log=True)
    n_steps = trial.suggest_int("rollout", 256, 8192, log=True) // n_envs
    batch_size = trial.suggest_int("batch_size", 32, 1024, log=True)
    units = trial.suggest_categorical("units", [32, 64, 128, 256])
    yes_or_no = [True, False]
    return {
        "n_envs": n_envs,
        "n_steps": n_steps,
        "batch_size": min(batch_size, n_envs * n_steps),
        "gamma": 1 - 1 / trial.suggest_float("horizon", 10.0, 1000.0, log=True),
        "gae_lambda": trial.suggest_float("gae_lambda", 0.8, 1.0),
        "hidden": [units, units],
        "log_std_init": trial.suggest_float("log_std_init", -2.5, 0.5),
        "normalize_observations": trial.suggest_categorical("normalize_observations", yes_or_no),
        "normalize_rewards": trial.suggest_categorical("normalize_rewards", yes_or_no),
    }


SPACES: dict[str, Space] = {"ppo": ppo, "trpo": trpo}


def known_points(algorithm: str) -> list[dict[str, Any]]:
    """The slides' table and our defaults as suggestions: a study begins with these two."""
    ranges = checked_ranges(algorithm, SPACES[algorithm])
    points = []
    for changes in (SLIDES[algorithm], {}):
        settings = asdict(settings_for(algorithm, changes))
        values = settings | {
            "rollout": settings["n_envs"] * settings["n_steps"],
            "horizon": 1 / (1 - settings["gamma"]),
            "units": settings["hidden"][0],
        }
        points.append({name: _nearest(values[name], each) for name, each in ranges.items()})
    return points


def checked_ranges(algorithm: str, space: Space) -> dict[str, BaseDistribution]:
    """Name -> range of what a space suggests, once all its settings are known to be possible.

    Raises:
        ValueError: an empty range, a name that is no setting of the algorithm, a range with values
            that the setting cannot have.
    """
    settings_for(algorithm)
    for end in (0, -1):
        corner = _Corner(end)
        try:
            settings = space(corner)
        except ValueError as error:
            raise ValueError(f"the search space has an impossible range: {error}") from None
        if not isinstance(settings, Mapping) or not corner.ranges:
            raise ValueError(
                "a search space takes a trial, asks it for values (trial.suggest_float(name, low, "
                "high), …) and returns a dict of settings"
            )
        settings_for(algorithm, settings)
    return corner.ranges


class _Corner:
    """Stands in for a trial: answers with the one or the other end of each range, and notes it."""

    def __init__(self, end: int) -> None:
        self.end, self.ranges = end, {}

    def suggest_float(self, name: str, low: float, high: float, **options: Any) -> float:
        return self._note(name, (low, high), FloatDistribution, low, high, **options)

    def suggest_int(self, name: str, low: int, high: int, **options: Any) -> int:
        return self._note(name, (low, high), IntDistribution, low, high, **options)

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._note(name, choices, CategoricalDistribution, choices)

    def _note(self, name: str, values: Any, kind: Any, *arguments: Any, **options: Any) -> Any:
        try:
            self.ranges[name] = kind(*arguments, **options)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        return values[self.end]


def _nearest(value: Any, each: BaseDistribution) -> Any:
    """The value, or the nearest end of its range: an entropy bonus of 0 has no logarithm."""
    if isinstance(each, CategoricalDistribution):
        return value
    return min(max(value, each.low), each.high)
