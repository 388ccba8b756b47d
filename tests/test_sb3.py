"""Our rollouts and agents in SB3's models: the same buffer, the same actions, the same settings."""

from functools import partial

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv
from toys import Walk, random_agent

from quadlib.learning.sb3 import (
    MODELS,
    Normalizer,
    agent_of,
    collect,
    discounted_so_far,
    load_agent,
    new_model,
)
from quadlib.learning.settings import settings_for
from quadlib.learning.vec_env import Player, Rollout

CALM = partial(Walk, length=9, limit=0.3, wind=0.0, spread=0.0)  # nothing random but the actions

torch.set_num_threads(1)  # the nets are small


def model_for(algorithm="ppo", seed=0, **changes):
    """(model, settings) for the walk."""
    settings = settings_for(algorithm, {"n_envs": 3, "n_steps": 16, "batch_size": 16, **changes})
    spaces = Walk.observation_space, Walk.action_space
    return new_model(algorithm, settings, *spaces, seed), settings


def tiny_rollout(rewards, starts, truncated=(), final_start=True):
    """One environment with given rewards; observations are all zero."""
    steps = len(rewards)
    return Rollout(
        observations=np.zeros((steps, 1, 3)),
        actions=np.zeros((steps, 1, 2), np.float32),
        rewards=np.array(rewards, float)[:, None],
        episode_starts=np.array(starts, bool)[:, None],
        final_observations=np.zeros((1, 3)),
        final_starts=np.array([final_start]),
        truncated=[(t, 0, np.zeros(3)) for t in truncated],
        episodes=[],
    )


def set_values(model, value):
    """Let the critic say the same everywhere."""
    with torch.no_grad():
        model.policy.value_net.weight.zero_()
        model.policy.value_net.bias.fill_(value)


# ---- rollouts ------------------------------------------------------------------------------------


class Nothing(BaseCallback):
    def _on_step(self):
        return True


def buffers(algorithm, **changes):
    """(ours, SB3's own, the rollout) after the same actions in the same environments."""
    model, settings = model_for(algorithm, normalize_rewards=False, hidden=(5, 4), **changes)
    load_agent(model.policy, random_agent())
    model.policy.features_extractor.return_scale.fill_(1.0)
    player = Player(CALM, [0, 1, 2], seed=0)
    rollout = player.play(agent_of(model.policy), settings.n_steps, 0)
    collect(model, rollout, settings)

    other, _ = model_for(algorithm, normalize_rewards=False, hidden=(5, 4), **changes)
    other.policy.load_state_dict(model.policy.state_dict())
    other.set_env(DummyVecEnv([CALM] * 3))
    other._setup_learn(1, callback=None)
    given = iter(rollout.actions)

    def forward(observations, deterministic=False):
        actions = torch.as_tensor(next(given))
        values, log_probs, _ = other.policy.evaluate_actions(observations, actions)
        return actions, values, log_probs

    other.policy.forward = forward
    callback = Nothing()
    callback.init_callback(other)
    other.collect_rollouts(other.env, callback, other.rollout_buffer, settings.n_steps)
    return model.rollout_buffer, other.rollout_buffer, rollout


@pytest.mark.parametrize("algorithm", MODELS)
def test_the_buffer_is_what_sb3_would_have_collected(algorithm):
    ours, theirs, rollout = buffers(algorithm)
    assert rollout.truncated, "no episode was cut off"
    assert rollout.episode_starts[1:].sum() > len(rollout.truncated), "no episode ended"
    for name in ("observations", "actions", "episode_starts"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    for name in ("rewards", "values", "log_probs", "advantages", "returns"):
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), rtol=1e-5, atol=1e-6, err_msg=name
        )
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    assert ours.full and ours.pos == theirs.pos


def test_returns_so_far_by_hand():
    """γ = ½: 1; ½·1 + 2; a new episode: 3; ½·3 − 4."""
    rollout = tiny_rollout([1, 2, 3, -4], [True, False, True, False])
    assert discounted_so_far(rollout, 0.5).ravel().tolist() == [1.0, 2.5, 3.0, -2.5]


def test_rewards_are_divided_by_the_size_of_their_return():
    """Returns so far 1 and 2.5: root mean square √((1 + 6.25)/2) = 1.904."""
    model, settings = model_for(n_envs=1, n_steps=2, gamma=0.5)
    collect(model, tiny_rollout([1, 2], [True, False]), settings)
    size = np.sqrt(7.25 / 2)
    assert float(model.policy.features_extractor.return_scale) == pytest.approx(size)
    np.testing.assert_allclose(model.rollout_buffer.rewards.ravel(), [1 / size, 2 / size], 1e-6)


def test_rewards_of_nothing_stay_nothing():
    model, settings = model_for(n_envs=1, n_steps=2, gamma=0.5)
    collect(model, tiny_rollout([0, 0], [True, False]), settings)
    assert (model.rollout_buffer.rewards == 0).all()
    collect(model, tiny_rollout([1, 2], [True, False]), settings)
    assert float(model.policy.features_extractor.return_scale) == pytest.approx(np.sqrt(7.25 / 4))


def test_the_size_of_returns_runs_over_all_rollouts():
    """Returns 1, 2.5, then 4, 2: √((1 + 6.25 + 16 + 4)/4)."""
    model, settings = model_for(n_envs=1, n_steps=2, gamma=0.5)
    collect(model, tiny_rollout([1, 2], [True, False]), settings)
    collect(model, tiny_rollout([4, 0], [True, False]), settings)
    expected = np.sqrt(27.25 / 4)
    assert float(model.policy.features_extractor.return_scale) == pytest.approx(expected)


def test_a_cut_off_episode_goes_on_in_the_critics_unit():
    """Reward 1 / 0.5 plus γ · 3: the critic speaks in scaled rewards, so nothing is divided."""
    model, settings = model_for(n_envs=1, n_steps=2, gamma=0.5, normalize_rewards=True)
    set_values(model, 3.0)
    rollout = tiny_rollout([0.5, 0.5], [True, True], truncated=[0])
    collect(model, rollout, settings)
    np.testing.assert_allclose(model.rollout_buffer.rewards.ravel(), [1 + 1.5, 1.0], rtol=1e-6)
    np.testing.assert_allclose(rollout.rewards.ravel(), [0.5, 0.5])


def test_an_episode_that_ended_is_worth_nothing_more():
    """Advantages by hand: λ = γ = ½, value 3 everywhere; the second step ends the episode."""
    model, settings = model_for(
        n_envs=1, n_steps=2, gamma=0.5, gae_lambda=0.5, normalize_rewards=False
    )
    set_values(model, 3.0)
    collect(model, tiny_rollout([1, 2], [True, False], final_start=True), settings)
    last = 2 - 3
    np.testing.assert_allclose(
        model.rollout_buffer.advantages.ravel(), [1 + 0.5 * 3 - 3 + 0.25 * last, last], rtol=1e-6
    )


def test_a_rollout_that_stops_in_an_episode_asks_the_critic():
    model, settings = model_for(
        n_envs=1, n_steps=2, gamma=0.5, gae_lambda=0.5, normalize_rewards=False
    )
    set_values(model, 3.0)
    collect(model, tiny_rollout([1, 2], [True, False], final_start=False), settings)
    assert model.rollout_buffer.advantages[-1, 0] == pytest.approx(2 + 0.5 * 3 - 3)


# ---- observation statistics ----------------------------------------------------------------------


def test_statistics_equal_numpys_over_all_batches():
    normalizer = Normalizer(Walk.observation_space)
    rng = np.random.default_rng(0)
    batches = [rng.normal(k, 1 + k, (7, k + 1, 3)) + 100 for k in range(4)]
    for batch in batches:
        normalizer.see_observations(batch)
    every = np.concatenate([batch.reshape(-1, 3) for batch in batches])
    np.testing.assert_allclose(normalizer.observation_mean, every.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(normalizer.observation_var, every.var(axis=0), rtol=1e-9)
    assert float(normalizer.observation_count) == len(every)


def test_without_observations_nothing_is_changed():
    observations = torch.tensor([[1.0, -2.0, 30.0]])
    normalized = Normalizer(Walk.observation_space)(observations)
    np.testing.assert_allclose(normalized, [[1.0, -2.0, 10.0]], rtol=1e-6)


def test_the_statistics_are_no_parameters_but_are_saved():
    model, _ = model_for()
    state = model.policy.state_dict()
    assert "features_extractor.observation_mean" in state
    assert not any("observation" in name for name, _ in model.policy.named_parameters())


# ---- agents and models ---------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", MODELS)
@pytest.mark.parametrize("hidden", [(5, 4), (8,), ()])
def test_agent_to_sb3_and_back_is_equal_to_the_last_bit(algorithm, hidden):
    agent = random_agent(hidden=hidden)
    model, _ = model_for(algorithm, hidden=hidden)
    load_agent(model.policy, agent)
    back = agent_of(model.policy)
    assert back.arrays.keys() == agent.arrays.keys()
    for name, array in agent.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array, err_msg=name)
        assert back.arrays[name].dtype == array.dtype


@pytest.mark.parametrize("algorithm", MODELS)
def test_the_agent_acts_as_sb3_predicts(algorithm):
    model, _ = model_for(algorithm)
    agent = random_agent(hidden=(64, 64))
    load_agent(model.policy, agent)
    observations = np.random.default_rng(0).normal(0, 3, (200, 3))
    theirs, _ = model.policy.predict(observations, deterministic=True)
    np.testing.assert_allclose(agent.act(observations), theirs, atol=1e-6)
    assert np.abs(theirs).max() == 1.0 and np.abs(theirs).min() < 0.5, "some clipped, some not"


def test_the_agents_value_is_sb3s_times_the_returns_size():
    model, _ = model_for()
    agent = random_agent(hidden=(64, 64))
    load_agent(model.policy, agent)
    observations = np.random.default_rng(0).normal(0, 3, (50, 3))
    with torch.no_grad():
        theirs = model.policy.predict_values(torch.as_tensor(observations)).numpy().ravel()
    np.testing.assert_allclose(agent.value(observations), 1.5 * theirs, atol=1e-5)


def test_agent_of_is_a_copy():
    model, _ = model_for()
    agent = agent_of(model.policy)
    before = agent.act(np.ones(3))
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(agent.act(np.ones(3)), before)


def test_an_agent_with_other_networks_is_refused_by_name():
    model, _ = model_for(hidden=(7,))
    with pytest.raises(ValueError, match=r"actor.0.weight needs shape \(7, 3\).* \(5, 3\)"):
        load_agent(model.policy, random_agent())
    model, _ = model_for(hidden=(5, 4, 3))
    with pytest.raises(ValueError, match="actor.2.*needs shape|actor.3.*nothing"):
        load_agent(model.policy, random_agent())


# ---- settings ------------------------------------------------------------------------------------

CHANGED = {
    "n_envs": 3, "n_steps": 24, "batch_size": 8, "gamma": 0.91, "gae_lambda": 0.83,
    "learning_rate": 0.0123,
}  # fmt: skip
PPO_LIKE = {"n_epochs": 3, "ent_coef": 0.011, "vf_coef": 0.7, "max_grad_norm": 0.9}
OWN = {
    "ppo": {**PPO_LIKE, "clip_range": 0.33},
    "ppo_kl": {**PPO_LIKE, "d_target": 0.017},
    "trpo": {"target_kl": 0.017, "cg_max_steps": 7, "cg_damping": 0.03, "n_critic_updates": 4},
}


@pytest.mark.parametrize("algorithm", MODELS)
def test_the_model_receives_each_value(algorithm):
    model, _ = model_for(algorithm, **CHANGED, **OWN[algorithm], hidden=(6, 5), log_std_init=-2.5)
    for name, value in (CHANGED | OWN[algorithm]).items():
        held = getattr(model, name)
        assert (held(1.0) if name == "clip_range" else held) == value, name
    assert model.policy.optimizer.param_groups[0]["lr"] == 0.0123
    assert model.rollout_buffer.gamma == 0.91 and model.rollout_buffer.gae_lambda == 0.83
    sizes = [layer.out_features for layer in model.policy.mlp_extractor.policy_net[::2]]
    assert sizes == [6, 5]
    np.testing.assert_array_equal(model.policy.log_std.detach(), [-2.5, -2.5])


def test_the_penaltys_first_weight_reaches_the_model():
    assert float(model_for("ppo_kl", beta=2.5)[0].policy.beta) == 2.5


def test_settings_cover_every_field():
    """The two tests above forget none."""
    elsewhere = {
        "hidden", "log_std_init", "normalize_observations", "normalize_rewards", "beta",
        "sb2_value_clipping",
    }  # fmt: skip
    for algorithm in MODELS:
        names = set(settings_for(algorithm).as_dict())
        assert names <= CHANGED.keys() | OWN[algorithm].keys() | elsewhere, algorithm


def test_sb2s_value_clipping_is_chosen_by_its_setting():
    from quadlib.learning.ppo import SB2ValueClippingPPO

    assert type(model_for(sb2_value_clipping=True)[0]) is SB2ValueClippingPPO
    assert type(model_for()[0]) is MODELS["ppo"]


@pytest.mark.parametrize("algorithm", MODELS)
def test_weights_come_from_the_seed_alone(algorithm):
    set_random_seed(1)
    one = agent_of(model_for(algorithm, seed=4)[0].policy)
    set_random_seed(2)
    same = agent_of(model_for(algorithm, seed=4)[0].policy)
    other = agent_of(model_for(algorithm, seed=5)[0].policy)
    np.testing.assert_array_equal(one.arrays["actor.0.weight"], same.arrays["actor.0.weight"])
    assert (one.arrays["actor.0.weight"] != other.arrays["actor.0.weight"]).any()


@pytest.mark.filterwarnings("error")
def test_a_minibatch_that_does_not_fit_is_no_reason_to_warn():
    model_for(n_steps=17, batch_size=16)
