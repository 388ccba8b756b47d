"""An agent: what it takes to act, in one file that cannot run code when it is loaded.

Plain NumPy, so that worker processes and a deployed robot need no PyTorch. The file is safetensors:
arrays, and a JSON text in its header.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

import quadlib
from quadlib.files import write

FORMAT = "quadlib agent 1"
CLIP = 10.0  # standard deviations, on normalized observations
EPSILON = 1e-8  # as in SB3's VecNormalize
MAX_FILE_BYTES = 200_000_000  # our agents have 0.1 MB
MAX_ABOUT = 1_000_000  # characters; ours have 2,000

ACTOR, CRITIC = "actor", "critic"


@dataclass(frozen=True)
class Agent:
    """Weights, observation statistics and where they come from.

    Args:
        arrays: by name, float32: `actor.K.weight` (outputs, inputs) and `actor.K.bias` of layer K,
            the same for `critic`; `log_std` (actions,); float64: `observation_mean` and
            `observation_var` (observations,), `return_scale` (): the critic's unit.
        about: JSON data: algorithm, settings, env, steps, seed, lineage, measured returns …
    """

    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrays", _checked({**self.arrays}))
        std = np.sqrt(self.arrays["observation_var"] + EPSILON)
        object.__setattr__(self, "_scale", 1.0 / std)
        object.__setattr__(self, "_std", np.exp(self.arrays["log_std"]))

    def normalize(self, observation: np.ndarray) -> np.ndarray:
        """What the networks see: float32, mean 0 and deviation 1, clipped at ±10."""
        scaled = (observation - self.arrays["observation_mean"]) * self._scale
        return scaled.clip(-CLIP, CLIP).astype(np.float32)

    def act(
        self,
        observation: np.ndarray,
        deterministic: bool = True,
        rng: np.random.Generator | None = None,
    ) -> np.ndarray:
        """The action for one observation (28,) or many (n, 28), within [−1, 1].

        Args:
            deterministic: the mean of the policy; else a sample.
            rng: for samples. Without one they differ from call to call.
        """
        observation = np.asarray(observation)
        if observation.shape[-1:] != self.arrays["observation_mean"].shape:
            size = len(self.arrays["observation_mean"])
            raise ValueError(f"an observation has {size} numbers, not shape {observation.shape}")
        action = self.mean_action(observation)
        if not deterministic:
            noise = (rng or np.random.default_rng()).standard_normal(action.shape, np.float32)
            action = action + self._std * noise
        return action.clip(-1.0, 1.0)

    def mean_action(self, observation: np.ndarray) -> np.ndarray:
        """The mean of the policy's Gaussian, not clipped."""
        return _forward(self.arrays, ACTOR, self.normalize(observation))

    def value(self, observation: np.ndarray) -> np.ndarray:
        """The critic's value in the reward's own unit, () or (n,)."""
        values = _forward(self.arrays, CRITIC, self.normalize(np.asarray(observation)))[..., 0]
        return values * self.arrays["return_scale"]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of names, types, shapes and numbers of the arrays: which agent is this?"""
        digest = hashlib.sha256()
        for name, array in sorted(self.arrays.items()):
            digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def with_about(self, **changes: Any) -> "Agent":
        """The same agent with some entries of `about` changed."""
        return replace(self, about={**self.about, **changes})

    def save(self, path: str | os.PathLike) -> Path:
        """Write one .safetensors file, whole or not at all."""
        header = {"format": FORMAT, "about": json.dumps(self.about)}
        arrays = {name: array.copy(order="C") for name, array in self.arrays.items()}
        content = save(arrays, header)
        return write(path, lambda file: file.write(content))

    @classmethod
    def shipped(cls, name: str) -> "Agent":
        """One of the agents that come with the package, such as "first_gait"."""
        folder = Path(__file__).parents[1] / "agents"
        names = sorted(path.stem for path in folder.glob("*.safetensors"))
        if name not in names:
            raise ValueError(f"no agent {name!r} comes with quadlib; there are {', '.join(names)}")
        return cls.load(folder / f"{name}.safetensors")

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Agent":
        """Read an agent. The file may come from a stranger: nothing in it is ever executed.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged or no agent.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no agent at {path}")
        try:
            if (size := Path(path).stat().st_size) > MAX_FILE_BYTES:
                raise ValueError(f"it has {size} bytes, more than {MAX_FILE_BYTES}")
            with safe_open(path, framework="numpy") as file:
                header = file.metadata() or {}
                if header.get("format") != FORMAT:
                    raise ValueError(f"its format is {header.get('format')!r}, not {FORMAT!r}")
                arrays = {name: file.get_tensor(name) for name in file.keys()}
            if len(header["about"]) > MAX_ABOUT:
                raise ValueError(f"it says more than {MAX_ABOUT:,} characters about itself")
            about = json.loads(header["about"])
            _check_about(about)
            return cls(arrays, about)
        except Exception as error:  # whatever a stranger made of it
            raise ValueError(f"{path} cannot be read as an agent: {error}") from error


def home_of(agent: Any) -> str:
    """The id of the environment that an agent was trained in, "MinitaurIdeal" if it does not say.

    Raises ValueError where that environment was made by a function, of which only the name is left,
    or is none that is registered here: a stranger's file does not say what is imported.
    """
    env = short_name(str(getattr(agent, "about", {}).get("env", "MinitaurIdeal")))
    if _registered(env):
        return env
    raise ValueError(
        f"the agent was trained in {env!r}, which is no registered environment (a function made "
        "it?): give env= that function, or an id such as 'MinitaurIdeal'"
    )


def world_for(
    agent: Any, env: str | Callable[[], gymnasium.Env] | None = None, **options: Any
) -> Callable[[], gymnasium.Env]:
    """A function that makes the environment in which an agent is to play.

    Args:
        env: an id (also "module:id"), or already such a function; by default what the agent was
            trained in.
        **options: for `quadlib.make`.
    """
    if callable(env):
        if options:
            names = ", ".join(options)
            raise ValueError(f"give {names} to the environment that your function makes")
        return env
    if not (env is None or isinstance(env, str)):
        raise TypeError(
            f"env= is an id such as 'MinitaurIdeal' or a function that makes an environment, not "
            f"{env!r}: give lambda: …"
        )
    if env is not None and ":" not in env and not _registered(env):
        raise ValueError(
            f"the environment {env!r} is not registered: give env= an id such as 'MinitaurIdeal', "
            "or a function that makes one"
        )
    return partial(quadlib.make, env or home_of(agent), **options)


def short_name(env: str) -> str:
    """The short name of an environment of ours, such as "Minitaur"; of others the id as it is."""
    short = env.removeprefix("quadlib:").removeprefix("quadlib/").removesuffix("-v0")
    return short if f"quadlib/{short}-v0" in gymnasium.registry else env


def _registered(env: str) -> bool:
    return env in gymnasium.registry or f"quadlib/{env}-v0" in gymnasium.registry


def layers(arrays: Mapping[str, np.ndarray], network: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) of each layer of the "actor" or the "critic", from input to output."""
    count = sum(name.startswith(f"{network}.") and name.endswith(".bias") for name in arrays)
    return [
        (arrays[f"{network}.{k}.weight"], arrays[f"{network}.{k}.bias"]) for k in range(count)
    ]


def _forward(arrays: Mapping[str, np.ndarray], network: str, x: np.ndarray) -> np.ndarray:
    """Each row by itself: its last digit must not depend on how many others there are."""
    x = x[..., None, :]
    *hidden, (weight, bias) = layers(arrays, network)
    for hidden_weight, hidden_bias in hidden:
        x = np.tanh(x @ hidden_weight.T + hidden_bias)
    return (x @ weight.T + bias)[..., 0, :]


def _check_about(about: Any) -> None:
    """ValueError where it is not of the kind that a training writes."""
    if not isinstance(about, dict):
        raise ValueError("what it says about itself is not a JSON object")
    lineage = about.get("lineage") or []
    if not isinstance(about.get("env", ""), str):
        raise ValueError("its env is not a text")
    if not isinstance(about.get("steps", 0), int | float):
        raise ValueError("its steps are not a number")
    if not (isinstance(lineage, list) and all(_is_ancestor(entry) for entry in lineage)):
        raise ValueError("its lineage is not a list of ancestors with their parts and steps")


def _is_ancestor(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    parts, steps = entry.get("parts"), entry.get("steps", 0)
    return isinstance(parts, list) and (steps is None or isinstance(steps, int | float))


def _checked(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Shapes that fit together and finite numbers, or a ValueError that says what is wrong."""
    needed = {"log_std", "observation_mean", "observation_var", "return_scale"}
    if missing := needed - arrays.keys():
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    observations = arrays["observation_mean"].shape
    if len(observations) != 1 or arrays["observation_var"].shape != observations:
        raise ValueError("the observation statistics differ in shape")
    if (arrays["observation_var"] < 0).any():
        raise ValueError("observation_var has negative numbers")
    if arrays["return_scale"].shape != ():
        raise ValueError("return_scale is not one number")
    if arrays["log_std"].ndim != 1:
        raise ValueError("log_std is not one row of numbers")
    for network, outputs in ((ACTOR, len(arrays["log_std"])), (CRITIC, 1)):
        width = observations[0]
        for k, (weight, bias) in enumerate(layers(arrays, network)):
            if weight.shape != (bias.size, width) or bias.ndim != 1:
                shapes = f"{weight.shape} and {bias.shape}"
                raise ValueError(f"{network}.{k} has shapes {shapes} after {width} inputs")
            width = bias.size
        if width != outputs or not layers(arrays, network):
            raise ValueError(f"the {network} has {width} outputs, not {outputs}")
    for name, array in arrays.items():
        if array.dtype not in (np.float32, np.float64) or not np.isfinite(array).all():
            raise ValueError(f"{name} is not made of finite floating-point numbers")
    return arrays
