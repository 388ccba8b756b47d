"""Two relatives of SB3's PPO: with an adaptive KL penalty, and with SB2's value clipping."""

import copy
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.distributions import kl_divergence
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from stable_baselines3.common.utils import explained_variance


class PPOWithOwnLoss(PPO):
    """PPO whose two losses are methods; everything around them as in SB3's `PPO.train`."""

    def train(self) -> None:
        """Improve policy and critic on the rollout buffer."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        self.before = copy.deepcopy(self.policy)
        logs: dict[str, list[float]] = {}
        for _ in range(self.n_epochs):
            for batch in self.rollout_buffer.get(self.batch_size):
                losses = self.losses(batch)
                weights = {"policy": 1.0, "value": self.vf_coef, "entropy": self.ent_coef}
                loss = sum(weight * losses[name] for name, weight in weights.items())
                self.policy.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
                for name, value in losses.items():
                    logs.setdefault(f"train/{name}_loss", []).append(value.item())
            self._n_updates += 1
        for name, values in logs.items():
            self.logger.record(name, np.mean(values))
        buffer = self.rollout_buffer
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        self.logger.record("train/explained_variance", explained)
        self.logger.record("train/std", self.policy.log_std.exp().mean().item())

    def losses(self, batch: RolloutBufferSamples) -> dict[str, torch.Tensor]:
        """The three losses of a minibatch, to be minimized, by the names policy, value, entropy."""
        advantages = batch.advantages
        if len(advantages) > 1:  # the last minibatch may be a single sample
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        distribution = self.policy.get_distribution(batch.observations)
        ratio = torch.exp(distribution.log_prob(batch.actions) - batch.old_log_prob)
        return {
            "policy": self.policy_loss(ratio, advantages, distribution, batch),
            "value": self.value_loss(self.policy.predict_values(batch.observations), batch),
            "entropy": -distribution.entropy().mean(),
        }

    def policy_loss(
        self, ratio: torch.Tensor, advantages: torch.Tensor, distribution: Any, batch: Any
    ) -> torch.Tensor:
        """Minus the clipped objective, Eq. (20)."""
        epsilon = self.clip_range(self._current_progress_remaining)
        clipped = ratio.clamp(1.0 - epsilon, 1.0 + epsilon)
        return -torch.min(ratio * advantages, clipped * advantages).mean()

    def value_loss(self, values: torch.Tensor, batch: RolloutBufferSamples) -> torch.Tensor:
        """Mean squared error to the returns."""
        return (batch.returns - values.flatten()).square().mean()

    def divergence(self, distribution: Any, observations: torch.Tensor) -> torch.Tensor:
        """Mean over states of D_KL(θ ‖ θ_k) to the policy before the update, Eq. (10)."""
        with torch.no_grad():
            before = self.before.get_distribution(observations)
        return kl_divergence(distribution, before).sum(dim=1).mean()

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "before"]


class AdaptiveKLPPO(PPOWithOwnLoss):
    """PPO with the objective L − β·D_KL and the slides' rule for β, Eq. (18).

    Args:
        d_target: the KL divergence that an update should make.
        beta: the penalty's weight before the first update. The current one is kept in the policy,
            so that it is saved and restored with it.
    """

    def __init__(self, *args: Any, d_target: float = 0.01, beta: float = 1.0, **kwargs: Any):
        self.d_target, self.first_beta = d_target, beta
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        super()._setup_model()
        self.policy.register_buffer("beta", torch.tensor(self.first_beta, dtype=torch.float64))

    def policy_loss(
        self, ratio: torch.Tensor, advantages: torch.Tensor, distribution: Any, batch: Any
    ) -> torch.Tensor:
        """Minus L_θk(θ) − β_k D_KL(θ ‖ θ_k), Eq. (18)."""
        penalty = self.divergence(distribution, batch.observations)
        return -(ratio * advantages).mean() + float(self.policy.beta) * penalty

    def train(self) -> None:
        """As PPO's, then β follows the divergence that came out."""
        super().train()
        with torch.no_grad():
            observations = torch.as_tensor(self.rollout_buffer.observations)
            distribution = self.policy.get_distribution(observations)
            d = float(self.divergence(distribution, observations))
        self.logger.record("train/approx_kl", d)
        self.logger.record("train/beta", float(self.policy.beta))
        self.policy.beta.fill_(adapted_beta(float(self.policy.beta), d, self.d_target))


def adapted_beta(beta: float, d: float, d_target: float) -> float:
    """The slides' rule: half of β where d ≤ d_target / 1.5, twice β where d ≥ 1.5 d_target."""
    if d <= d_target / 1.5:
        return beta / 2.0
    if d >= d_target * 1.5:
        return beta * 2.0
    return beta


class SB2ValueClippingPPO(PPOWithOwnLoss):
    """PPO as Stable-Baselines 2 computes it with `cliprange_vf=0`, which SB3 refuses.

    There the clipped prediction is the old value itself, and the loss takes the larger of the two
    errors: the critic learns only where it has become worse than it was. (SB2 halves the loss.)
    """

    def value_loss(self, values: torch.Tensor, batch: RolloutBufferSamples) -> torch.Tensor:
        """Mean of max((R − V)², (R − V_old)²)."""
        error = (batch.returns - values.flatten()).square()
        old_error = (batch.returns - batch.old_values).square()
        return torch.max(error, old_error).mean()
