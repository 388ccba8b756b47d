"""PPO's relatives: equal to SB3's PPO where they should be, and by hand where they differ."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import set_random_seed
from toys import Walk

from quadlib.learning import sb3
from quadlib.learning.ppo import AdaptiveKLPPO, PPOWithOwnLoss, SB2ValueClippingPPO, adapted_beta
from quadlib.learning.settings import settings_for
from quadlib.learning.vec_env import Player

torch.set_num_threads(1)  # the nets are small


def trained(kind, monkeypatch, updates=2, algorithm="ppo", **changes):
    """A model of some class after updates on its own rollouts."""
    monkeypatch.setitem(sb3.MODELS, algorithm, kind)
    changes = {"n_envs": 2, "n_steps": 24, "batch_size": 16, "n_epochs": 3, **changes}
    settings = settings_for(algorithm, changes)
    spaces = Walk.observation_space, Walk.action_space
    model = sb3.new_model(algorithm, settings, *spaces, seed=0)
    model.set_logger(configure(None, []))
    player = Player(Walk, [0, 1], seed=0)
    for number in range(updates):
        set_random_seed(number)
        rollout = player.play(sb3.agent_of(model.policy), settings.n_steps, number)
        sb3.collect(model, rollout, settings)
        model.train()
    return model


def arrays_of(model):
    return sb3.agent_of(model.policy).arrays


def test_with_ppos_own_losses_it_learns_what_sb3s_ppo_learns(monkeypatch):
    changes = {"ent_coef": 0.01, "vf_coef": 0.7, "max_grad_norm": 0.3, "learning_rate": 3e-3}
    theirs = arrays_of(trained(PPO, monkeypatch, **changes))
    ours = arrays_of(trained(PPOWithOwnLoss, monkeypatch, **changes))
    start = arrays_of(trained(PPO, monkeypatch, updates=0, **changes))
    for name, array in theirs.items():
        np.testing.assert_allclose(ours[name], array, rtol=1e-4, atol=1e-6, err_msg=name)
    assert np.abs(theirs["actor.0.weight"] - start["actor.0.weight"]).max() > 0.01


@pytest.mark.parametrize("kind", [PPOWithOwnLoss, SB2ValueClippingPPO])
def test_a_last_minibatch_of_one_sample_does_no_harm(monkeypatch, kind):
    """48 samples in minibatches of 47: the deviation of a single advantage is no number."""
    model = trained(kind, monkeypatch, batch_size=47)
    assert all(np.isfinite(array).all() for array in arrays_of(model).values())


def test_logged_diagnostics_are_finite_numbers(monkeypatch):
    model = trained(AdaptiveKLPPO, monkeypatch, algorithm="ppo_kl")
    logged = model.logger.name_to_value
    for name in ("policy_loss", "value_loss", "entropy_loss", "approx_kl", "beta", "std"):
        assert np.isfinite(logged[f"train/{name}"]), name
    assert logged["train/explained_variance"] <= 1.0


@pytest.mark.parametrize(
    "d, beta",
    [
        (0.01, 2.0),
        (0.02 / 3 + 1e-9, 2.0),
        (0.02 / 3 - 1e-9, 1.0),
        (0.0, 1.0),
        (0.015 - 1e-9, 2.0),
        (0.015 + 1e-9, 4.0),
        (1.0, 4.0),
    ],
)
def test_the_rule_for_beta_by_hand(d, beta):
    """d_target = 0.01: halved up to 0.00667, doubled from 0.015, kept between."""
    assert adapted_beta(2.0, d, 0.01) == beta


def test_beta_follows_the_divergence_that_came_out(monkeypatch):
    for d_target, factor in ((1e-7, 2.0), (10.0, 0.5)):
        model = trained(
            AdaptiveKLPPO, monkeypatch, updates=2, algorithm="ppo_kl", d_target=d_target, beta=3.0
        )
        assert float(model.policy.beta) == 3.0 * factor**2
        assert model.logger.name_to_value["train/beta"] == 3.0 * factor


def test_a_heavy_penalty_keeps_the_policy_where_it_is(monkeypatch):
    moved = [
        trained(
            AdaptiveKLPPO, monkeypatch, 1, "ppo_kl", beta=beta, n_epochs=10, learning_rate=1e-2
        ).logger.name_to_value["train/approx_kl"]
        for beta in (1e-6, 1e4)
    ]
    assert 0 <= moved[1] < 0.02 * moved[0]


def gaussian_policy(model, mean, log_std):
    """Make the policy N(mean, exp(log_std)²) whatever is observed."""
    with torch.no_grad():
        model.policy.action_net.weight.zero_()
        model.policy.action_net.bias.copy_(torch.tensor(mean))
        model.policy.log_std.copy_(torch.tensor(log_std))


def test_the_divergence_of_two_gaussians_by_hand(monkeypatch):
    """Σ ln(σ₀/σ) + (σ² + (μ − μ₀)²) / 2σ₀² − ½ over the actions, from new to old."""
    import copy

    model = trained(AdaptiveKLPPO, monkeypatch, 0, "ppo_kl")
    observations = torch.zeros(5, 3)
    gaussian_policy(model, [0.0, 1.0], [0.0, 0.0])
    model.before = copy.deepcopy(model.policy)
    gaussian_policy(model, [0.5, 1.0], [0.0, np.log(2.0)])
    distribution = model.policy.get_distribution(observations)
    expected = (0.5 * 0.25) + (-np.log(2.0) + 4 / 2 - 0.5)
    found = model.divergence(distribution, observations).item()
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_penalized_loss_by_hand(monkeypatch):
    """−mean(ratio · advantage) + β · D: −(1.5 · 2 + 0.5 · −1)/2 + 3 · 0.1."""
    model = trained(AdaptiveKLPPO, monkeypatch, 0, "ppo_kl", beta=3.0)
    model.divergence = lambda *_: torch.tensor(0.1)
    ratio, advantages = torch.tensor([1.5, 0.5]), torch.tensor([2.0, -1.0])
    batch = SimpleNamespace(observations=None)
    assert float(model.policy_loss(ratio, advantages, None, batch)) == pytest.approx(-0.95)


def test_the_clipped_loss_by_hand(monkeypatch):
    """ε = 0.2. Gains are cut at 1.2 · 2, losses are not: −(2.4 − 1.5 + 0.8 · −1 + 0.5)/4."""
    model = trained(PPOWithOwnLoss, monkeypatch, 0, clip_range=0.2)
    ratio = torch.tensor([1.5, 1.5, 0.5, 0.5])
    advantages = torch.tensor([2.0, -1.0, -1.0, 1.0])
    found = float(model.policy_loss(ratio, advantages, None, None))
    assert found == pytest.approx(-(2.4 - 1.5 - 0.8 + 0.5) / 4)


def test_sb2s_value_loss_by_hand(monkeypatch):
    """Return 1. From 0 to 0.5: better, counts as before: 1. From 0 to −1: worse: 4."""
    model = trained(SB2ValueClippingPPO, monkeypatch, 0)
    batch = SimpleNamespace(returns=torch.tensor([1.0, 1.0]), old_values=torch.tensor([0.0, 0.0]))
    values = torch.tensor([[0.5], [-1.0]], requires_grad=True)
    loss = model.value_loss(values, batch)
    loss.backward()
    assert loss.item() == pytest.approx((1 + 4) / 2)
    assert values.grad.ravel().tolist() == pytest.approx([0.0, (-1.0 - 1.0) * 2 / 2])


def test_the_policy_before_the_update_is_not_saved(monkeypatch, tmp_path):
    model = trained(AdaptiveKLPPO, monkeypatch, 1, "ppo_kl")
    model.save(tmp_path / "model")
    loaded = AdaptiveKLPPO.load(tmp_path / "model")
    assert not hasattr(loaded, "before")
    assert float(loaded.policy.beta) == float(model.policy.beta) != 1.0
