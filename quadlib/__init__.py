"""The thin floor under the notebooks: a Minitaur that learns to run.

`import quadlib` registers the environments and stays light: what a name needs (PyTorch for
training, Matplotlib for figures) is imported when the name is first used.
"""

from importlib import import_module

import gymnasium

__version__ = "0.1.0"

_HOME = {
    "Agent": "learning.agent",
    "MinitaurEnv": "world.env",
    "RewardError": "world.rewards",
    "Run": "learning.training",
    "Step": "world.rewards",
    "Variations": "world.randomization",
    "evaluate": "judging.evaluation",
    "film_strip": "showing.clips",
    "record": "judging.recording",
    "replay": "showing.viewer",
    "train": "learning.training",
    "video": "showing.clips",
}
__all__ = [*_HOME, "make"]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"quadlib has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"quadlib.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def make(env: str = "MinitaurIdeal", **options) -> gymnasium.Env:
    """`gymnasium.make` that also takes the short names "Minitaur" and "MinitaurIdeal"."""
    ours = f"quadlib/{env}-v0"
    name = ours if ours in gymnasium.registry else env
    if name.startswith("quadlib/"):  # Gymnasium's limit and the environment's own are one
        limit = options.get("max_steps", options.get("max_episode_steps", -1))
        if limit != -1:  # Gymnasium's word for none
            options = {"max_steps": limit, "max_episode_steps": limit, **options}
    return gymnasium.make(name, **options)


for _name, _preset in (("Minitaur", "slides"), ("MinitaurIdeal", "ideal")):
    if f"quadlib/{_name}-v0" not in gymnasium.registry:  # a reload is no second registration
        gymnasium.register(
            id=f"quadlib/{_name}-v0",
            entry_point="quadlib.world.env:MinitaurEnv",
            max_episode_steps=1000,
            kwargs={"preset": _preset},
        )
