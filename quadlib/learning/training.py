"""train(): from an untrained policy to an agent, with a folder that survives being killed."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
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
from quadlib.functions import code_of, name_of
from quadlib.learning.agent import Agent, short_name
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
_UPDATE = threading.RLock()  # the random numbers belong to the whole process


@dataclass
class Run:
    """What a training came to.

    Attributes:
        agent: the latest one.
        curve: a row per update, as arrays by name: `steps`, `seconds`, `return` (mean over the
            last 20 finished episodes, nan before the first), `length`, the reward's terms as
            `reward/NAME` (sum per episode), and the algorithm's own diagnostics as `train/NAME`.
        folder: where it is stored, or None.
        stopped: why it ended: "steps", "seconds", "interrupted", or "failed" where an error comes
            next; "running" in what is shown before.
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
        env: an id or a function that makes an environment: "MinitaurIdeal", "Minitaur", any whose
            actions are numbers from −1 to 1.
        reward: a function of a `Step`, for our environments.
        seed: same seed, same machine, same steps: the same curve to the last digit.
        folder: for the curve (CSV and TensorBoard), checkpoints and agents. A run that is there
            already goes on, also after an error.
        progress: show the curve as it grows in a notebook, a bar in a terminal.
        on_update: called with the run so far after each update. The stop button keeps the run.
        processes: workers; by default one per core. 0: all in this process.
        start: what to begin with in place of random networks; see `quadlib.learning.transfer`.
        **changes: settings of the algorithm by name, see `quadlib.learning.settings`.

    Raises:
        ValueError: settings or actions that cannot be, or a folder that holds another run.
        RewardError: the reward function failed; the message says where.
        DivergedError: weights are no longer finite.
    """
    started = time.perf_counter()
    if steps is None and seconds is None:
        raise ValueError("give steps=…, seconds=… or both, or the training never ends")
    for name, limit in (("steps", steps), ("seconds", seconds)):
        if limit is not None and not (isinstance(limit, Real) and 0 <= limit < math.inf):
            raise ValueError(f"{name} is a number from 0 on, not {limit!r}")
    if not (isinstance(seed, Integral) and 0 <= seed < 2**32):
        raise ValueError(f"seed is a whole number from 0 to {2**32 - 1:,}, not {seed!r}")
    seed = int(seed)  # NumPy's integers are no seeds for Python
    settings = settings_for(algorithm, changes)
    plan = _plan(algorithm, settings, env, reward, seed)
    plan["lineage"] = start.lineage(plan) if start else None
    store = Store(folder, plan) if folder is not None else None
    make_env = _factory(env, reward)
    with (
        store or nullcontext(),
        one_thread(),
        Workers(make_env, settings.n_envs, seed, processes) as workers,
    ):
        with _UPDATE:
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
                    with _UPDATE:
                        trainer.update()
                    if store:
                        store.keep(trainer)
                    if shown:
                        shown.update(trainer.run(folder, "running"))
                    if on_update:
                        on_update(trainer.run(folder, "running"))
        except KeyboardInterrupt:
            stopped = "interrupted"
        except Exception:
            stopped = "failed"
            raise
        finally:
            with deaf_to_stop():
                try:
                    if store and stopped:
                        store.checkpoint(trainer)
                finally:
                    if shown:
                        shown.close(trainer.run(folder, stopped or "failed"))
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
        set_random_seed((self.seed * 1_000_003 + self.updates) % 2**32)
        rollout = self.workers.play(self.agent, settings.n_steps, self.updates)
        # A new policy's actions hardly depend on what it sees, so its first update may already
        # have the first rollout's statistics. One that was carried over depends on it.
        fresh = not (self.start and "policy" in self.start.parts)
        first = settings.normalize_observations and self.normalizer.observation_count == 0 and fresh
        if first:
            self.normalizer.see_observations(rollout.observations)
        try:
            collect(model, rollout, settings)
            model.num_timesteps += rollout.rewards.size
            with self.start.during(self.updates, model.policy) if self.start else nullcontext():
                model.train()
            # New statistics count from the next rollout on: within an update, the policy that is
            # improved is the policy that acted.
            if settings.normalize_observations and not first:
                self.normalizer.see_observations(rollout.observations)
            trained = agent_of(model.policy)
        except ValueError as error:
            raise DivergedError(self._advice()) from error
        took = time.perf_counter() - start
        steps, seconds = model.num_timesteps, self.seconds + took
        episodes = deque([*self.episodes, *rollout.episodes], WINDOW)
        row = {"steps": steps, "seconds": seconds} | self._measured(episodes)
        state = state_of(model)
        agent = trained.with_about(**self.plan, steps=steps, seconds=seconds)
        with deaf_to_stop():  # what is stored after a stop is of one update
            self.updates += 1
            self.steps, self.seconds, self.episodes = steps, seconds, episodes
            self.rows.append(row)
            self.state, self.agent = state, agent
            self._longest_update = max(self._longest_update, took)

    def run(self, folder: str | Path | None, stopped: str) -> Run:
        """The run as it stands."""
        return Run(self.agent, _columns(self.rows), Path(folder) if folder else None, stopped)

    def _measured(self, episodes: deque) -> dict[str, float]:
        """A row of the curve, without steps and seconds."""
        row = {"return": np.nan, "length": np.nan}
        if episodes:
            for name in ("return", "length"):
                row[name] = float(np.mean([episode[name] for episode in episodes]))
            for name in episodes[-1]["terms"]:
                sums = [episode["terms"].get(name, 0.0) for episode in episodes]
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
        "env": short_name(env) if isinstance(env, str) else name_of(env),
        "env_code": code_of(env),
        "reward": None if reward is None else name_of(reward),
        "reward_code": code_of(reward),
        "seed": seed,
        "versions": {
            module.__name__: str(module.__version__)
            for module in (quadlib, torch, np, gymnasium, cloudpickle)
        },
    }


def _columns(rows: list[dict[str, float]]) -> dict[str, np.ndarray]:
    always = ("steps", "seconds", "return", "length")
    names = dict.fromkeys((*always, *(name for row in rows for name in row)))
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
