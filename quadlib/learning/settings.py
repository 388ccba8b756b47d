"""Hyperparameters: one dataclass per algorithm, a line of help per field."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any


def _setting(default: Any, text: str, low: float, high: float) -> Any:
    return field(default=default, metadata={"help": text, "range": (low, high)})


@dataclass(frozen=True)
class Settings:
    """What all algorithms share."""

    n_envs: int = _setting(4, "environments that are stepped side by side", 1, 256)
    n_steps: int = _setting(256, "steps in each environment between two updates", 2, 100_000)
    batch_size: int = _setting(256, "samples in one gradient step", 2, 1_000_000)
    gamma: float = _setting(0.99, "discount factor γ", 0.0, 1.0)
    gae_lambda: float = _setting(0.95, "λ of generalized advantage estimation", 0.0, 1.0)
    learning_rate: float = _setting(6e-4, "Adam's step size", 1e-8, 1.0)
    hidden: tuple[int, ...] = _setting((64, 64), "units in the hidden layers of both nets", 1, 4096)
    log_std_init: float = _setting(-1.5, "logarithm of the policy's first deviation", -10.0, 3.0)
    normalize_observations: bool = _setting(True, "feed the nets mean 0 and deviation 1", 0, 1)
    normalize_rewards: bool = _setting(True, "divide rewards by their return's size", 0, 1)

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, _checked(each, getattr(self, each.name)))

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON."""
        return {**asdict(self), "hidden": list(self.hidden)}

    @classmethod
    def help(cls) -> str:
        """Each field with its default and its meaning, a line each."""
        rows = ((f.name, f.default, f.metadata["help"]) for f in fields(cls))
        return "\n".join(f"{name:<24}{default!s:<12}{text}" for name, default, text in rows)


@dataclass(frozen=True)
class PPOSettings(Settings):
    """PPO with the clipped objective, Eq. (20) and (21)."""

    n_epochs: int = _setting(10, "passes over each rollout", 1, 1000)
    clip_range: float = _setting(0.2, "ε: the ratio is clipped to 1 ± ε", 1e-4, 10.0)
    ent_coef: float = _setting(0.0, "c₂, weight of the entropy bonus", 0.0, 10.0)
    vf_coef: float = _setting(0.5, "c₁, weight of the value loss", 0.0, 100.0)
    max_grad_norm: float = _setting(0.5, "longest gradient that Adam is given", 1e-6, 1e6)
    sb2_value_clipping: bool = _setting(False, "critic learns only where it got worse", 0, 1)


@dataclass(frozen=True)
class AdaptiveKLSettings(Settings):
    """PPO with an adaptive KL penalty, Eq. (18)."""

    n_epochs: int = _setting(10, "passes over each rollout", 1, 1000)
    d_target: float = _setting(0.02, "the KL divergence that an update should make", 1e-8, 10.0)
    beta: float = _setting(1.0, "β before the first update", 1e-8, 1e8)
    ent_coef: float = _setting(0.0, "weight of the entropy bonus", 0.0, 10.0)
    vf_coef: float = _setting(0.5, "weight of the value loss", 0.0, 100.0)
    max_grad_norm: float = _setting(0.5, "longest gradient that Adam is given", 1e-6, 1e6)


@dataclass(frozen=True)
class TRPOSettings(Settings):
    """TRPO, Eq. (12) to (17)."""

    n_steps: int = _setting(512, "steps in each environment between two updates", 2, 100_000)
    learning_rate: float = _setting(1e-3, "Adam's step size, for the critic alone", 1e-8, 1.0)
    gae_lambda: float = _setting(0.97, "λ of generalized advantage estimation", 0.0, 1.0)
    target_kl: float = _setting(0.02, "δ, radius of the trust region, per command", 1e-8, 10.0)
    cg_max_steps: int = _setting(15, "most steps of conjugate gradient", 1, 1000)
    cg_damping: float = _setting(0.1, "added to the Fisher matrix's diagonal", 0.0, 10.0)
    n_critic_updates: int = _setting(10, "passes of the critic over each rollout", 0, 1000)


ALGORITHMS: dict[str, type[Settings]] = {
    "ppo": PPOSettings,
    "ppo_kl": AdaptiveKLSettings,
    "trpo": TRPOSettings,
}

# The slides' tables, in the terms of Stable-Baselines3. Their software was Stable-Baselines 2: one
# environment, no normalization, a first deviation of 1, four minibatches per rollout. A value
# clipping range of 0 there means that the critic learns only where it has become worse. What their
# tables leave out was that software's default. What differs: here raw observations are clipped at
# ±10, as normalized ones are. Its value loss has a factor ½: what is 0.5 there would be 0.25 here.
# Its TRPO takes Fisher products of every fifth sample, accepts a divergence up to 1.5 δ, and halves
# the step where SB3's takes 0.8 of it. It counts the end of the clock as the end of all reward.
_SB2 = {
    "n_envs": 1,
    "hidden": (64, 64),
    "log_std_init": 0.0,
    "normalize_observations": False,
    "normalize_rewards": False,
}
_SB2_PPO = {**_SB2, "vf_coef": 0.5, "max_grad_norm": 0.5, "sb2_value_clipping": True}
SLIDES: dict[str, dict[str, Any]] = {
    "ppo": {
        **_SB2_PPO,
        "n_steps": 1276,
        "batch_size": 319,
        "n_epochs": 4,
        "gamma": 0.909,
        "gae_lambda": 0.988,
        "learning_rate": 3.17e-3,
        "clip_range": 0.345,
        "ent_coef": 3.59e-8,
    },
    # SB3's TRPO has no entropy bonus (theirs: 5.03e-3). SB2's critic made 3 passes. Its divergence
    # was a sum over the eight actions; sb3-contrib's is their mean, and so is its Fisher matrix.
    "trpo": {
        **_SB2,
        "n_steps": 293,
        "batch_size": 128,
        "gamma": 0.974,
        "gae_lambda": 0.988,
        "learning_rate": 3.2e-3,
        "target_kl": 0.0503 / 8,
        "cg_max_steps": 10,
        "cg_damping": 0.0135 / 8,
        "n_critic_updates": 3,
    },
    # After the transfer from TRPO. 1277 is no multiple of 4: three of 319 and one of 320.
    "transfer": {
        **_SB2_PPO,
        "n_steps": 1277,
        "batch_size": 320,
        "n_epochs": 1,
        "gamma": 0.913,
        "gae_lambda": 0.861,
        "learning_rate": 1.83e-5,
        "clip_range": 0.379,
        "ent_coef": 5e-4,
    },
}

# Of the long runs, a million steps and more: larger rollouts, smaller steps, a slower beginning.
_LONG = {
    "n_envs": 8,
    "n_steps": 512,
    "batch_size": 256,
    "gamma": 0.99,
    "hidden": (64, 64),
    "log_std_init": -1.0,
    "normalize_observations": True,
    "normalize_rewards": True,
}
_LONG_PPO = {
    **_LONG,
    "gae_lambda": 0.95,
    "learning_rate": 3e-4,
    "n_epochs": 10,
    "ent_coef": 0.0,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
}
LONG: dict[str, dict[str, Any]] = {
    "ppo": {**_LONG_PPO, "clip_range": 0.2, "sb2_value_clipping": False},
    "ppo_kl": {**_LONG_PPO, "d_target": 0.02, "beta": 1.0},
    "trpo": {
        **_LONG,
        "gae_lambda": 0.97,
        "learning_rate": 1e-3,
        "target_kl": 0.02,
        "cg_max_steps": 15,
        "cg_damping": 0.1,
        "n_critic_updates": 10,
    },
}


def settings_for(algorithm: str, changes: Mapping[str, Any] | None = None) -> Settings:
    """The settings of an algorithm, some of them changed.

    Raises:
        ValueError: an unknown algorithm or name (with the nearest one), a value out of range.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm is one of {', '.join(ALGORITHMS)}, not {algorithm!r}")
    kind = ALGORITHMS[algorithm]
    names = [each.name for each in fields(kind)]
    for name in changes or {}:
        if name not in names:
            near = get_close_matches(name, names, 1)
            advice = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
            raise ValueError(f"{algorithm} has no setting {name!r}; {advice}")
    return kind(**(changes or {}))


def _checked(each: Any, value: Any) -> Any:
    """The value in its field's type, or a ValueError with the range."""
    low, high = each.metadata["range"]
    kind = type(each.default)
    right_kind = {bool: bool, float: Real}.get(kind, Integral)
    parts = value if kind is tuple and isinstance(value, list | tuple) else [value]
    for part in parts:
        is_number = isinstance(part, right_kind) and isinstance(part, bool) == (kind is bool)
        if not is_number or not low <= part <= high:
            wanted = "True or False" if kind is bool else f"from {low} to {high}"
            wanted = f"a whole number {wanted}" if right_kind is Integral else wanted
            raise ValueError(f"{each.name} is {wanted}, not {value!r}: {each.metadata['help']}")
    return tuple(map(int, parts)) if kind is tuple else kind(value)
