"""Between our agents and rollouts and the models of Stable-Baselines3."""

import warnings
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv

from quadlib.learning.agent import ACTOR, CLIP, CRITIC, EPSILON, Agent
from quadlib.learning.ppo import AdaptiveKLPPO, SB2ValueClippingPPO
from quadlib.learning.settings import Settings
from quadlib.learning.trpo import LoggedTRPO
from quadlib.learning.vec_env import Rollout

MODELS: dict[str, type[OnPolicyAlgorithm]] = {
    "ppo": PPO,
    "ppo_kl": AdaptiveKLPPO,
    "trpo": LoggedTRPO,
}
_NOT_FOR_SB3 = (
    "n_envs", "hidden", "log_std_init", "normalize_observations", "normalize_rewards",
    "sb2_value_clipping",
)  # fmt: skip
_STATISTICS = ("observation_mean", "observation_var", "return_scale")


class Normalizer(BaseFeaturesExtractor):
    """Running statistics as a part of the policy: saved, loaded and transferred with it."""

    def __init__(self, observation_space: gymnasium.Space) -> None:
        super().__init__(observation_space, gymnasium.spaces.flatdim(observation_space))
        zeros = torch.zeros(self.features_dim, dtype=torch.float64)
        self.register_buffer("observation_mean", zeros)
        self.register_buffer("observation_var", zeros + 1.0)
        self.register_buffer("observation_count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("return_scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("return_count", torch.zeros((), dtype=torch.float64))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        scale = torch.rsqrt(self.observation_var + EPSILON)
        scaled = (observations - self.observation_mean) * scale
        return scaled.clamp(-CLIP, CLIP).float()

    def see_observations(self, observations: np.ndarray) -> None:
        """Fold a rollout's observations (…, n) into mean and variance (Chan et al. 1979)."""
        batch = torch.as_tensor(observations.reshape(-1, self.features_dim))
        count = self.observation_count + len(batch)
        delta = batch.mean(0) - self.observation_mean
        self.observation_var *= self.observation_count / count
        self.observation_var += batch.var(0, unbiased=False) * len(batch) / count
        self.observation_var += delta**2 * self.observation_count * len(batch) / count**2
        self.observation_mean += delta * len(batch) / count
        self.observation_count.copy_(count)

    def see_returns(self, returns: np.ndarray) -> None:
        """Fold discounted returns so far, (T, n), into their root mean square; never quite 0."""
        count = self.return_count + returns.size
        total = self.return_scale**2 * self.return_count + float(np.square(returns).sum())
        self.return_scale.copy_((total / count).clamp(min=EPSILON).sqrt())
        self.return_count.copy_(count)


class _SpacesOnly(gymnasium.Env):
    """Tells SB3 the spaces; the stepping is done elsewhere."""

    def __init__(self, observation_space: gymnasium.Space, action_space: gymnasium.Space) -> None:
        self.observation_space, self.action_space = observation_space, action_space


def new_model(
    algorithm: str,
    settings: Settings,
    observation_space: gymnasium.Space,
    action_space: gymnasium.Space,
    seed: int,
) -> OnPolicyAlgorithm:
    """A fresh SB3 (or sb3-contrib) model that has no environment to step."""
    options = {k: v for k, v in settings.as_dict().items() if k not in _NOT_FOR_SB3}
    hidden = list(settings.hidden)
    kind = MODELS[algorithm]
    if getattr(settings, "sb2_value_clipping", False):
        kind = SB2ValueClippingPPO
    env = DummyVecEnv([lambda: _SpacesOnly(observation_space, action_space)] * settings.n_envs)
    policy = {
        "net_arch": {"pi": hidden, "vf": hidden},
        "log_std_init": settings.log_std_init,
        "features_extractor_class": Normalizer,
    }
    with warnings.catch_warnings():  # a last minibatch that is smaller does no harm
        warnings.filterwarnings("ignore", "You have specified a mini-batch size")
        return kind(
            ActorCriticPolicy, env, policy_kwargs=policy, seed=seed, device="cpu", **options
        )


def agent_of(policy: ActorCriticPolicy, about: dict[str, Any] | None = None) -> Agent:
    """An agent with a copy of a policy's weights and statistics."""
    arrays = {name: tensor.numpy().copy() for name, tensor in _tensors(policy).items()}
    return Agent(arrays, about or {})


def load_agent(
    policy: ActorCriticPolicy, agent: Agent, beginnings: tuple[str, ...] = ("",)
) -> None:
    """Put an agent's weights and statistics into a policy with networks of the same shapes.

    Args:
        beginnings: of the names of the arrays that are put in; by default all.
    """
    tensors = {k: v for k, v in _tensors(policy).items() if k.startswith(beginnings)}
    for name, tensor in tensors.items():
        array = agent.arrays.get(name)
        if array is None or array.shape != tuple(tensor.shape):
            found = "nothing" if array is None else array.shape
            raise ValueError(f"{name} needs shape {tuple(tensor.shape)}, the agent has {found}")
        tensor.copy_(torch.as_tensor(array))


def collect(model: OnPolicyAlgorithm, rollout: Rollout, settings: Settings) -> None:
    """Fill a model's rollout buffer, as its own `collect_rollouts` would have.

    Rewards are divided by the running root mean square of their discounted return; the value of an
    observation where an episode was cut off is added in that same unit.
    """
    policy, buffer = model.policy, model.rollout_buffer
    normalizer: Normalizer = policy.features_extractor
    if settings.normalize_rewards:
        normalizer.see_returns(discounted_so_far(rollout, settings.gamma))
    with torch.no_grad():
        flat = torch.as_tensor(rollout.observations).flatten(0, 1)
        actions = torch.as_tensor(rollout.actions).flatten(0, 1)
        values, log_probs, _ = policy.evaluate_actions(flat, actions)
        last_values = policy.predict_values(torch.as_tensor(rollout.final_observations))
    rewards = rollout.rewards / float(normalizer.return_scale)
    for t, env, observation in rollout.truncated:
        with torch.no_grad():
            value = policy.predict_values(torch.as_tensor(observation)[None])
        rewards[t, env] += settings.gamma * float(value)
    buffer.reset()
    buffer.observations[:] = rollout.observations
    buffer.actions[:] = rollout.actions
    buffer.rewards[:] = rewards
    buffer.episode_starts[:] = rollout.episode_starts
    buffer.values[:] = values.numpy().reshape(buffer.values.shape)
    buffer.log_probs[:] = log_probs.numpy().reshape(buffer.log_probs.shape)
    buffer.pos, buffer.full = buffer.buffer_size, True
    buffer.compute_returns_and_advantage(last_values, rollout.final_starts)


def discounted_so_far(rollout: Rollout, gamma: float) -> np.ndarray:
    """Σ γᵏ r of the rewards up to each step of an episode, (T, n).

    The sum begins anew with each rollout, also in the middle of an episode. SB3's VecNormalize
    carries it on: where rollouts are not much longer than 1 / (1 − γ), its scale is the larger one.
    """
    returns = np.empty_like(rollout.rewards)
    running = np.zeros(rollout.rewards.shape[1])
    for t, (reward, start) in enumerate(
        zip(rollout.rewards, rollout.episode_starts, strict=True)
    ):
        running = np.where(start, 0.0, running) * gamma + reward
        returns[t] = running
    return returns


def _tensors(policy: ActorCriticPolicy) -> dict[str, torch.Tensor]:
    """A policy's tensors under an agent's names."""
    tensors = {"log_std": policy.log_std.data}
    normalizer = policy.features_extractor
    tensors |= {name: getattr(normalizer, name) for name in _STATISTICS}
    for network, hidden, head in (
        (ACTOR, policy.mlp_extractor.policy_net, policy.action_net),
        (CRITIC, policy.mlp_extractor.value_net, policy.value_net),
    ):
        linear = [layer for layer in (*hidden, head) if isinstance(layer, torch.nn.Linear)]
        for k, layer in enumerate(linear):
            tensors[f"{network}.{k}.weight"] = layer.weight.data
            tensors[f"{network}.{k}.bias"] = layer.bias.data
    return tensors
