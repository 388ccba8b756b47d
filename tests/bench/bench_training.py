"""How fast PPO trains with the shipped settings, all overheads and updates included.

Three contenders take turns on all cores, an update at a time: `train`; SB3's PPO with the same
settings on its own SubprocVecEnv and VecNormalize with the reference physics; and, without any
learning, `stepSimulation` of the fast robot in a process per core. The latter sends again what the
agent in training has just sent in some episodes, so it passes through the states of this training,
and counts only the time inside `stepSimulation`. Ratios are medians over turns, in wall time.
"""

import argparse
import sys
from inspect import signature
from time import perf_counter

import numpy as np
import torch
from measure import BarePhysics, others_running, quotient
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv, VecNormalize

import quadlib
from quadlib.learning.pool import available_cores
from quadlib.learning.settings import settings_for
from quadlib.learning.training import Run, train


def sb3_model() -> PPO:
    """SB3 as it comes, on the reference physics, with the shipped settings of our PPO."""
    settings = settings_for("ppo")
    envs = make_vec_env(
        quadlib.make, settings.n_envs, seed=0, vec_env_cls=SubprocVecEnv,
        env_kwargs={"env": "MinitaurIdeal", "physics": "reference"},
    )  # fmt: skip
    envs = VecNormalize(
        envs, norm_obs=settings.normalize_observations, norm_reward=settings.normalize_rewards
    )
    known = signature(PPO).parameters
    return PPO(
        "MlpPolicy", envs, seed=0, device="cpu",
        policy_kwargs={"net_arch": list(settings.hidden), "log_std_init": settings.log_std_init},
        **{name: value for name, value in settings.as_dict().items() if name in known},
    )  # fmt: skip


class Turns:
    """Called by `train` after each update: gives the others their turn, and keeps the times."""

    def __init__(self, bare: BarePhysics, model: PPO, turns: int, seconds: float) -> None:
        self.bare, self.model, self.turns, self.seconds = bare, model, turns, seconds
        self.threads = torch.get_num_threads()  # as SB3 finds it; train takes one alone
        self.rates: dict[str, list[float]] = {"train": [], "sb3": [], "bare": []}
        self.called = self.resumed = perf_counter()

    def __call__(self, run: Run) -> None:
        took = perf_counter() - self.resumed
        steps = settings_for("ppo").n_envs * settings_for("ppo").n_steps
        if len(run.curve["steps"]) == 1:
            print(f"The first update came {took:.1f} s after the call of train.")
            self._learn(steps)  # SB3's first reset
        else:
            self.rates["train"].append(steps / took)
            self.rates["sb3"].append(steps / self._learn(steps))
            self.rates["bare"].append(self.bare.rate(run.agent))
        enough = perf_counter() - self.called > self.seconds
        if len(self.rates["train"]) == self.turns or (enough and self.rates["train"]):
            raise KeyboardInterrupt  # as the stop button ends a run
        self.resumed = perf_counter()

    def _learn(self, steps: int) -> float:
        start, ours = perf_counter(), torch.get_num_threads()
        torch.set_num_threads(self.threads)
        self.model.learn(steps, reset_num_timesteps=False)
        torch.set_num_threads(ours)
        return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15, help="of each contender (15)")
    parser.add_argument("--seconds", type=float, default=240, help="no new turn after this (240)")
    options = parser.parse_args()
    print(f"\nTraining throughput of PPO, shipped settings, {available_cores()} cores")
    others_running()
    model = sb3_model()
    try:
        with BarePhysics() as bare:
            turns = Turns(bare, model, options.turns, options.seconds)
            train("ppo", steps=10**9, env="MinitaurIdeal", progress=False, on_update=turns)
    finally:
        model.get_env().close()
    rates = turns.rates
    if not rates["train"]:
        sys.exit("Stopped before the first turn was over.")
    print(f"{'':50}{'env steps/s':>12}   ({len(rates['train'])} turns)")
    for name, key in (
        ("train", "train"),
        ("SB3, SubprocVecEnv, VecNormalize, reference", "sb3"),
        ("bare stepSimulation of fast, one process a core", "bare"),
    ):
        print(f"{name:50}{np.median(rates[key]):12,.0f}")
    print("Ratios: median (quartiles)")
    for name, key in (
        ("train / bare stepSimulation, goal ≥ 0.75", "bare"),
        ("train / SB3 on the reference, goal ≥ 3", "sb3"),
    ):
        print(f"{name:50}{quotient(rates['train'], rates[key])}")


if __name__ == "__main__":
    main()
