"""TRPO: sb3-contrib's update against one by dense linear algebra, and what we log of it."""

import numpy as np
import pytest
import torch
from sb3_contrib import TRPO
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import set_random_seed
from toys import Walk, random_agent

from quadlib.learning import sb3
from quadlib.learning.settings import settings_for
from quadlib.learning.trpo import LoggedTRPO
from quadlib.learning.vec_env import Player

torch.set_num_threads(1)  # the nets are small
COMMANDS = 2  # of the walk


def model_with_rollout(**changes):
    """A model of the walk that has just collected, and is about to train."""
    changes = {"n_envs": 2, "n_steps": 64, "hidden": (5, 4), **changes}
    settings = settings_for("trpo", changes)
    model = sb3.new_model("trpo", settings, Walk.observation_space, Walk.action_space, seed=0)
    sb3.load_agent(model.policy, random_agent())
    model.set_logger(configure(None, []))
    rollout = Player(Walk, [0, 1], seed=0).play(sb3.agent_of(model.policy), settings.n_steps, 0)
    sb3.collect(model, rollout, settings)
    set_random_seed(0)
    return model


def trained(**changes):
    """(model after its own update, its actor's parameters before)."""
    model = model_with_rollout(**changes)
    before = flat(model.policy)
    model.train()
    return model, before


def actor(policy):
    """Its parameters by name."""
    return {name: p for name, p in policy.named_parameters() if "value" not in name}


def flat(policy):
    """All numbers of the actor, as float64."""
    return torch.cat([p.detach().reshape(-1) for p in actor(policy).values()]).double()


# ---- the whole update, worked out in another way -------------------------------------------------


class Dense:
    """Eq. (13) to (17) for a small policy: float64, the Fisher matrix written out, a direct solve.

    The policy is written anew from an agent's arrays, without the library. Divergences are means
    over samples and sums over commands, as in Eq. (10).
    """

    def __init__(self, model) -> None:
        data = next(model.rollout_buffer.get())
        normalize = model.policy.features_extractor
        self.observations = normalize(data.observations).double()
        self.actions, self.old_log_prob = data.actions.double(), data.old_log_prob.double()
        advantages = data.advantages.double()
        self.advantages = (advantages - advantages.mean()) / advantages.std()
        self.shapes = [p.shape for p in actor(model.policy).values()]
        self.theta = flat(model.policy)
        self.old = [x.detach() for x in self.gaussian(self.theta)]

    def gaussian(self, theta):
        """(means, log standard deviations) of the actions."""
        sizes = [shape.numel() for shape in self.shapes]
        log_std, *layers = (
            part.view(shape) for part, shape in zip(theta.split(sizes), self.shapes, strict=True)
        )
        h = self.observations
        for k in range(0, len(layers), 2):
            h = h @ layers[k].T + layers[k + 1]
            h = torch.tanh(h) if k < len(layers) - 2 else h
        return h, log_std

    def surrogate(self, theta):
        """Eq. (7) from samples."""
        mean, log_std = self.gaussian(theta)
        z = (self.actions - mean) / log_std.exp()
        log_prob = (-0.5 * z**2 - log_std - 0.5 * np.log(2 * np.pi)).sum(1)
        return ((log_prob - self.old_log_prob).exp() * self.advantages).mean()

    def divergence(self, theta):
        """Eq. (10), new policy first."""
        (mean, log_std), (old_mean, old_log_std) = self.gaussian(theta), self.old
        variance, old_variance = (2 * log_std).exp(), (2 * old_log_std).exp()
        kl = old_log_std - log_std - 0.5 + (variance + (mean - old_mean) ** 2) / (2 * old_variance)
        return kl.sum(1).mean()

    def update(self, delta, damping):
        """(parameters, points that the line search tried)."""
        g = torch.func.grad(self.surrogate)(self.theta)
        H = torch.func.hessian(self.divergence)(self.theta) + damping * torch.eye(len(g))
        x = torch.linalg.solve(H, g)
        step = torch.sqrt(2 * delta / (g @ x)) * x
        for j in range(10):
            theta = self.theta + 0.8**j * step
            better = self.surrogate(theta) > self.surrogate(self.theta)
            if better and self.divergence(theta) < delta:
                return theta, j + 1
        return self.theta, 10


@pytest.mark.parametrize("delta", [1e-4, 0.02, 3.0])
def test_the_update_is_that_of_dense_linear_algebra(delta):
    """The library's divergence is a mean over the commands: its δ and damping are ours / 2."""
    settings = {"target_kl": delta / COMMANDS, "cg_damping": 0.02 / COMMANDS, "cg_max_steps": 200}
    model = model_with_rollout(**settings)
    dense = Dense(model)
    expected, tried = dense.update(delta, damping=0.02)
    before = flat(model.policy)
    model.train()
    moved = (expected - before).norm()
    assert (flat(model.policy) - expected).norm() < 1e-3 * moved
    assert moved > 1e-3
    assert model.logger.name_to_value["train/line_search_steps"] == tried
    if delta == 3.0:
        assert tried > 1, "the line search had nothing to do"


def test_the_librarys_divergence_is_a_mean_over_the_commands():
    model, _ = trained()
    before = model_with_rollout()
    dense = Dense(before)
    logged = model.logger.name_to_value["train/kl_divergence_loss"]
    assert logged == pytest.approx(dense.divergence(flat(model.policy)).item() / COMMANDS, rel=1e-3)


# ---- what we log ---------------------------------------------------------------------------------


def test_it_learns_what_the_librarys_own_class_learns_to_the_last_bit(monkeypatch):
    ours, before = trained()
    monkeypatch.setitem(sb3.MODELS, "trpo", TRPO)
    theirs, _ = trained()
    assert type(ours) is LoggedTRPO and type(theirs) is TRPO
    for name, tensor in theirs.policy.state_dict().items():
        assert torch.equal(ours.policy.state_dict()[name], tensor), name
    assert not torch.equal(flat(ours.policy), before)
    logged = ours.logger.name_to_value
    extra = logged.keys() - theirs.logger.name_to_value.keys()
    assert extra == {"train/line_search_steps", "train/step_size"}
    assert all(logged[name] == value for name, value in theirs.logger.name_to_value.items())


@pytest.mark.parametrize("delta, several", [(1e-4, False), (3.0, True)])
def test_line_search_steps_are_those_that_were_tried(monkeypatch, delta, several):
    """The policy is asked for its distribution twice before the search, then once per point."""
    model = model_with_rollout(target_kl=delta, cg_damping=0.01)
    asked = []
    original = model.policy.get_distribution
    monkeypatch.setattr(
        model.policy, "get_distribution", lambda *a: asked.append(1) or original(*a)
    )
    model.train()
    logged = model.logger.name_to_value
    assert logged["train/line_search_steps"] == len(asked) - 2
    assert (len(asked) - 2 > 1) == several
    assert logged["train/is_line_search_success"] == 1.0


def test_a_step_size_of_four_times_the_radius_is_doubled():
    """Eq. (17): the factor is √(2δ / gᵀH⁻¹g)."""
    small, large = (
        trained(target_kl=delta)[0].logger.name_to_value["train/step_size"]
        for delta in (1e-5, 4e-5)
    )
    assert large == pytest.approx(2 * small, rel=1e-3) and small > 0


def test_where_no_point_is_accepted_the_policy_stays():
    model = model_with_rollout()
    model.rollout_buffer.advantages[:] = 1.0  # all standardized to 0: nothing can be better
    before = flat(model.policy)
    model.train()
    logged = model.logger.name_to_value
    assert logged["train/is_line_search_success"] == 0.0
    assert logged["train/line_search_steps"] == model.line_search_max_iter
    assert logged["train/step_size"] == 0.0
    assert torch.equal(flat(model.policy), before)


def test_a_saved_model_carries_nothing_of_an_update(tmp_path):
    model, _ = trained()
    assert not hasattr(model, "_last_product")
    model.save(tmp_path / "model")
    loaded = LoggedTRPO.load(tmp_path / "model")
    assert torch.equal(flat(loaded.policy), flat(model.policy))
