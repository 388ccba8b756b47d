"""train(): from an untrained policy to an agent, with a folder that survives being killed."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import gymnasium
import numpy as np
import torch
from stable_baselines3.common.logger import configure
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import set_random_seed

import quadlib
from quadlib.learning.agent import Agent
from quadlib.learning.sb3 import agent_of, collect, new_model
from quadlib.learning.settings import Settings, settings_for
from quadlib.learning.store import Store, state_of
from quadlib.learning.vec_env import Workers
from quadlib.showing.live import deaf_to_stop
from quadlib.showing.live import progress as show_progress
from quadlib.world.rewards import Reward

if TYPE_CHECKING:
    from quadlib.learning.transfer import Start

WINDOW = 20  # episodes in the mean training return


@dataclass
class Run:
    """What a training came to.

    Attributes:
        agent: the latest one.
        curve: a row per update, as arrays by name: `steps`, `seconds`, `return` (mean over the
            last 20 finished episodes, nan before the first), `length`, the reward's terms as
            `reward/NAME` (sum per episode), and the algorithm's own diagnostics as `train/NAME`.
        folder: where it is stored, or None.
        stopped: why it ended: "steps", "seconds" or "interrupted".
    """

    agent: Agent
    curve: dict[str, np.ndarray]
    folder: Path | None
    stopped: str


class DivergedError(RuntimeError):
    """The policy stopped being numbers."""


def train(
    algorithm: str = "ppo",
    *,
    steps: int | None = None,
    seconds: float | None = None,
    env: str | Callable[[], gymnasium.Env] = "MinitaurIdeal",
    reward: Reward | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: bool = True,
    on_update: Callable[[Run], Any] | None = None,
    processes: int | None = None,
    start: "Start | None" = None,
    **changes: Any,
) -> Run:
    """Train an agent on all cores until `steps` or `seconds` are reached, whichever comes first.

    Args:
        algorithm: "ppo", "ppo_kl" (adaptive KL penalty) or "trpo".
        steps, seconds: environment steps in all, and wall time of this call.
        env: an id ("MinitaurIdeal", "Minitaur", any of Gymnasium's) or a function that makes one.
        reward: a function of a `Step`, for our environments.
        seed: same seed, same machine, same steps: the same curve to the last digit.
        folder: for the curve (CSV and TensorBoard), checkpoints and agents. A run that is there
            already goes on.
        progress: show the curve as it grows in a notebook, a bar in a terminal.
        on_update: called with the run so far after each update. The stop button keeps the run.
        processes: workers; by default one per core. 0: all in this process.
        start: what to begin with in place of random networks; see `quadlib.learning.transfer`.
        **changes: settings of the algorithm by name, see `quadlib.learning.settings`.

    Raises:
        ValueError: settings that cannot be, or a folder that holds another run.
        RewardError: the reward function failed; the message says where.
        DivergedError: weights are no longer finite.
    """
    started = time.perf_counter()
    if steps is None and seconds is None:
        raise ValueError("give steps=…, seconds=… or both, or the training never ends")
    settings = settings_for(algorithm, changes)
    plan = _plan(algorithm, settings, env, reward, seed)
    plan["lineage"] = start.lineage(plan) if start else None
    store = Store(folder, plan) if folder is not None else None
    with one_thread(), Workers(_factory(env, reward), settings.n_envs, seed, processes) as workers:
        model = new_model(
            algorithm, settings, workers.observation_space, workers.action_space, seed
        )
        if start:
            start.put_into(model)
        trainer = _Trainer(model, workers, settings, seed, plan, start)
        if store:
            store.restore(trainer)
        stopped = None
        shown = show_progress(steps, seconds, trainer.steps) if progress else None
        try:
            while stopped is None:
                if steps is not None and trainer.steps >= steps:
                    stopped = "steps"
                elif seconds is not None and trainer.would_pass(started + seconds):
                    stopped = "seconds"
                else:
                    trainer.update()
                    if store:
                        store.keep(trainer)
                    if shown:
                        shown.update(trainer.run(folder, "running"))
                    if on_update:
                        on_update(trainer.run(folder, "running"))
        except KeyboardInterrupt:
            stopped = "interrupted"
        finally:
            with deaf_to_stop():
                if shown:
                    shown.close(trainer.run(folder, stopped or "failed"))
                if store:
                    store.close()
                if store and stopped:
                    store.checkpoint(trainer)
    return trainer.run(folder, stopped)


class _Trainer:
    """One model, its workers and its curve."""

    def __init__(
        self, model: OnPolicyAlgorithm, workers: Workers, settings: Settings, seed: int, plan: dict,
        start: "Start | None" = None,
    ) -> None:  # fmt: skip
        self.model, self.workers, self.settings = model, workers, settings
        self.seed, self.plan, self.start = seed, plan, start
        self.normalizer = model.policy.features_extractor
        self.updates = self.steps = 0
        self.seconds = 0.0
        self.rows: list[dict[str, float]] = []
        self.episodes: deque = deque(maxlen=WINDOW)
        self.agent = agent_of(model.policy, plan)
        self.state = state_of(model)
        self._longest_update = 0.0
        model.set_logger(configure(None, []))

    def would_pass(self, deadline: float) -> bool:
        """Would another update end after this moment?"""
        return time.perf_counter() + self._longest_update > deadline

    def update(self) -> None:
        """One rollout and what the algorithm learns from it."""
        start = time.perf_counter()
        model, settings = self.model, self.settings
        # All randomness of an update comes from the seed and its number: a resumed run needs no
        # stored generators.
        set_random_seed(self.seed * 1_000_003 + self.updates)
        rollout = self.workers.play(self.agent, settings.n_steps, self.updates)
        first = settings.normalize_observations and self.normalizer.observation_count == 0
        if first:
            self.normalizer.see_observations(rollout.observations)
        collect(model, rollout, settings)
        model.num_timesteps += rollout.rewards.size
        try:
            with self.start.during(self.updates, model.policy) if self.start else nullcontext():
                model.train()
            # New statistics count from the next rollout on: within an update, the policy that is
            # improved is the policy that acted.
            if settings.normalize_observations and not first:
                self.normalizer.see_observations(rollout.observations)
            trained = agent_of(model.policy)
        except ValueError as error:
            raise DivergedError(self._advice()) from error
        self.updates += 1
        self.steps = model.num_timesteps
        self.episodes.extend(rollout.episodes)
        took = time.perf_counter() - start
        self._longest_update = max(self._longest_update, took)
        self.seconds += took
        self.rows.append(self._row())
        self.state = state_of(model)  # what is stored when the next update is interrupted
        self.agent = trained.with_about(**self.plan, steps=self.steps, seconds=self.seconds)

    def run(self, folder: str | Path | None, stopped: str) -> Run:
        """The run as it stands."""
        return Run(self.agent, _columns(self.rows), Path(folder) if folder else None, stopped)

    def _row(self) -> dict[str, float]:
        row = {"steps": self.steps, "seconds": self.seconds, "return": np.nan, "length": np.nan}
        if self.episodes:
            for name in ("return", "length"):
                row[name] = float(np.mean([episode[name] for episode in self.episodes]))
            for name in self.episodes[-1]["terms"]:
                sums = [episode["terms"].get(name, 0.0) for episode in self.episodes]
                row[f"reward/{name}"] = float(np.mean(sums))
        logged = self.model.logger.name_to_value
        row |= {k: float(v) for k, v in logged.items() if k.startswith("train/")}
        row.pop("train/n_updates", None)  # SB3's own count begins anew in a run that goes on
        logged.clear()
        return row

    def _advice(self) -> str:
        return (
            f"the weights are no longer finite after {self.steps} steps: lower the learning rate "
            f"(it is {self.settings.learning_rate}), and look at the reward: are some of its "
            "values huge?"
        )


@contextmanager
def one_thread() -> Iterator[None]:
    """The nets are small: more threads would only take the workers' cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _factory(env: Any, reward: Reward | None) -> Callable[[], gymnasium.Env]:
    if callable(env):
        if reward is not None:
            raise ValueError("give the reward to the environment that your function makes")
        return env
    options = {} if reward is None else {"reward": reward}
    # No lambda: a worker would import this module, and PyTorch with it, to understand it.
    return partial(quadlib.make, env, **options)


def _plan(algorithm: str, settings: Settings, env: Any, reward: Any, seed: int) -> dict[str, Any]:
    return {
        "algorithm": algorithm,
        "settings": settings.as_dict(),
        "env": env if isinstance(env, str) else _name(env),
        "reward": None if reward is None else _name(reward),
        "seed": seed,
        "versions": {
            module.__name__: str(module.__version__)
            for module in (quadlib, torch, np, gymnasium, cloudpickle)
        },
    }


def _name(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _columns(rows: list[dict[str, float]]) -> dict[str, np.ndarray]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
