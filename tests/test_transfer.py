"""Transfer: what is carried over, what begins anew, and what does not fit."""

from functools import partial

import numpy as np
import pytest
from toys import Walk, calm_walk, random_agent

from quadlib.learning import training
from quadlib.learning.agent import Agent
from quadlib.learning.sb3 import discounted_so_far, new_model
from quadlib.learning.settings import settings_for
from quadlib.learning.transfer import PARTS, Start, critic_alone, transfer

SMALL = {
    "n_envs": 2, "n_steps": 32, "batch_size": 32, "n_epochs": 2, "processes": 0, "progress": False,
}  # fmt: skip
UPDATE = 64


@pytest.fixture(scope="module")
def parent():
    """TRPO's, with networks of 8 units and statistics of 192 steps."""
    options = {k: v for k, v in SMALL.items() if k != "n_epochs"}
    return training.train("trpo", env=Walk, steps=3 * UPDATE, hidden=(8,), seed=5, **options).agent


def moved_on(parent, steps=UPDATE, **options):
    return transfer(parent, steps=steps, **{"env": Walk, **SMALL, **options})


def same(one, other, beginnings):
    """Are all arrays that begin so the same in both agents?"""
    names = [name for name in one.arrays if name.startswith(beginnings)]
    assert names
    return all(np.array_equal(one.arrays[name], other.arrays[name]) for name in names)


def test_before_the_first_update_it_is_its_parent(parent):
    run = moved_on(parent, steps=0)
    assert run.agent.fingerprint == parent.fingerprint
    observations = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_array_equal(run.agent.act(observations), parent.act(observations))
    np.testing.assert_array_equal(run.agent.value(observations), parent.value(observations))


@pytest.mark.parametrize("left_out", PARTS)
def test_a_part_that_is_left_out_begins_anew_and_the_others_are_carried(parent, left_out):
    run = moved_on(parent, steps=0, parts=[part for part in PARTS if part != left_out])
    for part, beginnings in PARTS.items():
        assert same(run.agent, parent, beginnings) == (part != left_out), part


def test_what_begins_anew_is_what_a_training_from_scratch_begins_with(parent):
    scratch = training.train("ppo", env=Walk, steps=0, hidden=(8,), **SMALL).agent
    assert moved_on(parent, steps=0, parts=()).agent.fingerprint == scratch.fingerprint


@pytest.fixture
def played(monkeypatch):
    """(agent, rollout) of each rollout that is played."""
    calls, play = [], training.Workers.play

    def watch(self, agent, *arguments):
        rollout = play(self, agent, *arguments)
        calls.append((agent, rollout))
        return rollout

    monkeypatch.setattr(training.Workers, "play", watch)
    return calls


def test_the_first_episodes_are_the_parents(parent, played):
    """The policy that plays the first rollout is the parent's, to the last digit."""
    moved_on(parent, steps=2 * UPDATE)
    (first, _), (second, _) = played
    assert first.fingerprint == parent.fingerprint != second.fingerprint


def test_the_optimizer_is_fresh(parent):
    """Adam's first step from zero moments is the learning rate long in each weight."""
    one_step = {"n_epochs": 1, "batch_size": UPDATE, "learning_rate": 1e-4}
    after = moved_on(parent, **one_step, max_grad_norm=1e6).agent
    step = np.abs(after.arrays["actor.0.weight"] - parent.arrays["actor.0.weight"])
    assert np.median(step) == pytest.approx(1e-4, rel=0.01)


def test_statistics_that_are_carried_weigh_as_much_as_what_they_saw(parent, played):
    """192 steps of the parent's, then 64 new ones, which count from the second update on."""
    after = moved_on(parent).agent
    (_, rollout), old = played[0], parent.arrays["observation_mean"]
    expected = (192 * old + 64 * rollout.observations.mean(axis=(0, 1))) / 256
    np.testing.assert_allclose(after.arrays["observation_mean"], expected, rtol=1e-9)
    squares = 192 * parent.arrays["return_scale"] ** 2
    squares += np.square(discounted_so_far(rollout, 0.99)).sum()
    np.testing.assert_allclose(after.arrays["return_scale"], np.sqrt(squares / 256), rtol=1e-9)


def test_a_grandchilds_statistics_weigh_what_all_generations_saw(parent, played):
    """192 + 64 steps, or the child's 64 alone where the grandparent handed on none."""
    for parts, seen in ((tuple(PARTS), 256), (("policy", "log_std", "critic"), 64)):
        child = moved_on(parent, parts=parts).agent
        played.clear()
        after, old = moved_on(child).agent, child.arrays["observation_mean"]
        new = played[0][1].observations.mean(axis=(0, 1))
        expected = (seen * old + 64 * new) / (seen + 64)
        np.testing.assert_allclose(after.arrays["observation_mean"], expected, rtol=1e-9)


def test_statistics_that_are_left_out_are_those_of_the_first_rollout(parent, played):
    after = moved_on(parent, parts=("policy",)).agent
    expected = played[0][1].observations.mean(axis=(0, 1))
    np.testing.assert_allclose(after.arrays["observation_mean"], expected, rtol=1e-9)


def test_what_a_carried_policy_did_is_judged_by_what_it_saw(parent, played, monkeypatch):
    """Its log-probabilities are those of the policy that played, statistics or not."""
    collect, models = training.collect, []

    def watch(model, rollout, settings):
        collect(model, rollout, settings)
        models.append(model.rollout_buffer.log_probs.copy())

    monkeypatch.setattr(training, "collect", watch)
    for parts in (("policy", "log_std"), tuple(PARTS)):
        played.clear()
        models.clear()
        moved_on(parent, steps=UPDATE, parts=parts)
        ((agent, rollout),) = played
        log_std = agent.arrays["log_std"]
        mean = agent.mean_action(rollout.observations.reshape(-1, 3))
        z = (rollout.actions.reshape(-1, 2) - mean) / np.exp(log_std)
        expected = (-0.5 * z**2 - log_std - 0.5 * np.log(2 * np.pi)).sum(axis=1)
        np.testing.assert_allclose(models[0].ravel(), expected, atol=1e-4)


def test_a_warm_up_teaches_the_critic_alone(parent):
    runs = []
    moved_on(parent, steps=3 * UPDATE, critic_warmup=2, on_update=runs.append)
    one, two, three = (run.agent for run in runs)
    still = ("actor.", "log_std")
    assert same(one, parent, still) and same(two, parent, still)
    assert not same(three, parent, ("log_std",)) and not same(three, parent, ("actor.0.weight",))
    assert not same(one, parent, ("critic.",)) and not same(two, one, ("critic.",))
    assert runs[0].curve["train/clip_fraction"].tolist() == [0.0]


def test_a_warm_up_leaves_the_penalty_alone(parent):
    run = moved_on(parent, algorithm="ppo_kl", steps=4 * UPDATE, critic_warmup=3, beta=8.0)
    assert run.curve["train/beta"].tolist() == [8.0] * 4


def test_the_critic_learns_no_worse_alone_than_in_company(parent):
    """The frozen policy's part of the loss has no gradient that could get in."""
    alone = moved_on(parent, critic_warmup=1, max_grad_norm=1e6).agent
    company = moved_on(parent, max_grad_norm=1e6).agent
    for name in alone.arrays:
        if name.startswith("critic."):
            np.testing.assert_allclose(alone.arrays[name], company.arrays[name], atol=1e-6)


def test_the_lineage_is_kept_over_generations(parent, tmp_path):
    child = moved_on(parent, parts=("policy", "statistics"), critic_warmup=1).agent
    grandchild = moved_on(child).agent
    path = grandchild.save(tmp_path / "agent.safetensors")
    first, second = Agent.load(path).about["lineage"]
    assert first == {
        "algorithm": "trpo", "env": "Walk", "seed": 5, "steps": 3 * UPDATE,
        "agent": parent.fingerprint, "parts": ["policy", "statistics"], "critic_warmup": 1,
    }  # fmt: skip
    assert second["agent"] == child.fingerprint and second["algorithm"] == "ppo"
    assert parent.about["lineage"] is None


def test_a_resumed_transfer_equals_one_without_a_break(parent, tmp_path):
    """Also when it is broken off in the middle of the warm-up."""
    play = partial(moved_on, parent.with_about(env="calm_walk"), env=calm_walk, critic_warmup=2)
    whole = play(steps=4 * UPDATE)
    for steps in (UPDATE, 2 * UPDATE, 4 * UPDATE):
        parts = play(steps=steps, folder=tmp_path / "run")
    assert parts.agent.fingerprint == whole.agent.fingerprint
    np.testing.assert_array_equal(parts.curve["return"], whole.curve["return"])


def test_a_folder_of_another_start_is_refused(parent, tmp_path):
    moved_on(parent, folder=tmp_path / "run")
    for options in ({"critic_warmup": 1}, {"parts": ("policy",)}):
        with pytest.raises(ValueError, match="its lineage differ"):
            moved_on(parent, folder=tmp_path / "run", **options)
    with pytest.raises(ValueError, match="its lineage differ"):
        training.train(env=Walk, steps=1, hidden=(8,), folder=tmp_path / "run", **SMALL)


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"parts": ("actor",)}, "parts are some of policy, critic, log_std, statistics, not actor"),
        ({"critic_warmup": -1}, "critic_warmup is a number of updates, not -1"),
        ({"critic_warmup": 0.5}, "critic_warmup is a number of updates, not 0.5"),
        ({"hidden": (8, 8)}, r"policy has hidden=\(8,\), the new one \(8, 8\)"),
        ({"hidden": (9,), "parts": ("critic",)}, r"critic has hidden=\(8,\), the new one \(9,\)"),
        ({"env": calm_walk}, "trained in Walk, not in calm_walk"),
        ({"learning_rat": 1.0}, "did you mean 'learning_rate'"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(parent, tmp_path, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        moved_on(parent, folder=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_warm_up_is_not_for_trpo(parent):
    options = {k: v for k, v in SMALL.items() if k != "n_epochs"}
    with pytest.raises(ValueError, match='for "ppo" and "ppo_kl"'):
        transfer(parent, "trpo", env=Walk, steps=1, critic_warmup=1, **options)
    assert transfer(parent, "trpo", env=Walk, steps=UPDATE, **options).agent.about["lineage"]


def test_another_environment_by_the_same_name_is_refused(parent):
    agent = random_agent(4, 2, hidden=(8,), env="Walk")
    with pytest.raises(ValueError, match="4 observations and 2 actions, the environment has 3 and"):
        moved_on(agent)


def test_the_robots_environment_is_the_agents_own():
    agent = random_agent(28, 8, hidden=(4,), env="Minitaur", steps=100)
    run = transfer(agent, steps=32, **{**SMALL, "n_envs": 1})
    assert run.agent.about["env"] == "Minitaur"
    for name in ("quadlib/Minitaur-v0", "quadlib:quadlib/Minitaur-v0"):  # the same by other names
        assert transfer(agent, steps=0, env=name, **SMALL).agent.about["env"] == "Minitaur"
        older = agent.with_about(env=name)
        assert transfer(older, steps=0, env="Minitaur", **SMALL).stopped == "steps"
    with pytest.raises(ValueError, match="trained in Minitaur, not in MinitaurIdeal"):
        transfer(agent, steps=32, env="MinitaurIdeal", **SMALL)


def test_an_environment_of_which_only_the_name_is_left(parent):
    with pytest.raises(ValueError, match="'Walk', which is no registered environment"):
        transfer(parent, steps=1)


def test_a_critic_of_another_reward_stays_behind():
    def hop(step):
        return step.dz

    agent = random_agent(28, 8, hidden=(4,), env="MinitaurIdeal", reward="spin")
    options = {"steps": 16, "reward": hop, **SMALL, "n_envs": 1, "n_steps": 16, "batch_size": 16}
    with pytest.raises(ValueError, match='reward spin pays: leave "critic" out'):
        transfer(agent, **options)
    run = transfer(agent, parts=("policy", "log_std", "statistics"), **options)
    assert run.agent.about["reward"] == "hop"


def test_a_start_says_what_its_child_descends_from(parent):
    plan = {"algorithm": "ppo", "settings": settings_for("ppo", {"hidden": (8,)}).as_dict()}
    plan |= {"env": "Walk", "reward": None}
    (entry,) = Start(parent, tuple(PARTS), 0).lineage(plan)
    assert entry["parts"] == list(PARTS) and entry["steps"] == 3 * UPDATE


def test_nothing_is_left_frozen():
    settings = settings_for("ppo", {"hidden": (8,)})
    walk = Walk()
    model = new_model("ppo", settings, walk.observation_space, walk.action_space, 0)
    with pytest.raises(KeyboardInterrupt), critic_alone(model.policy):
        learning = {name for name, p in model.policy.named_parameters() if p.requires_grad}
        raise KeyboardInterrupt
    assert learning and all("value_net" in name for name in learning)
    assert all(parameter.requires_grad for parameter in model.policy.parameters())
