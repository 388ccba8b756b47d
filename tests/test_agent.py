"""Agents: what they do, that they survive a file, and that no file can do harm."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save
from toys import Walk, random_agent

import quadlib
from quadlib.learning.agent import FORMAT, Agent, home_of, world_for


def flat_agent(weight, bias, **changes):
    """One observation, one action, no hidden layer; statistics 0 and 1."""
    arrays = {
        "actor.0.weight": np.array([[weight]], np.float32),
        "actor.0.bias": np.array([bias], np.float32),
        "critic.0.weight": np.array([[3.0]], np.float32),
        "critic.0.bias": np.array([1.0], np.float32),
        "log_std": np.zeros(1, np.float32),
        "observation_mean": np.zeros(1),
        "observation_var": np.ones(1),
        "return_scale": np.array(1.0),
    }
    return Agent({**arrays, **changes})


# ---- acting --------------------------------------------------------------------------------------


def test_the_action_by_hand():
    """0.5 · 0.6 + 0.1."""
    assert flat_agent(0.5, 0.1).act([0.6]) == pytest.approx([0.4], abs=1e-6)


def test_hidden_layers_are_tanh_by_hand():
    agent = Agent(
        {
            **flat_agent(0, 0).arrays,
            "actor.0.weight": np.array([[1.0], [-2.0]], np.float32),
            "actor.0.bias": np.array([0.0, 0.5], np.float32),
            "actor.1.weight": np.array([[0.5, 0.25]], np.float32),
            "actor.1.bias": np.array([0.1], np.float32),
        }
    )
    expected = 0.5 * np.tanh(0.3) + 0.25 * np.tanh(-2 * 0.3 + 0.5) + 0.1
    assert agent.act([0.3]) == pytest.approx([expected], abs=1e-6)


def test_observations_are_normalized_by_the_statistics():
    """(5 − 2) / √9 = 1."""
    statistics = {"observation_mean": np.array([2.0]), "observation_var": np.array([9.0])}
    agent = flat_agent(0.5, 0.0, **statistics)
    assert agent.normalize(np.array([5.0])) == pytest.approx([1.0])
    assert agent.normalize(np.array([5.0])).dtype == np.float32
    assert agent.act([5.0]) == pytest.approx([0.5])


def test_normalized_observations_are_clipped_at_ten_deviations():
    assert flat_agent(0.01, 0.0).mean_action(np.array([1e9])) == pytest.approx([0.1])


def test_actions_stay_within_one():
    agent = flat_agent(10.0, 0.0)
    assert agent.act([5.0]) == [1.0] and agent.act([-5.0]) == [-1.0]
    assert agent.mean_action(np.array([5.0])) == pytest.approx([50.0])


def test_the_value_comes_in_the_rewards_unit():
    """(3 · 2 + 1) · 4."""
    agent = flat_agent(0, 0, return_scale=np.array(4.0))
    assert agent.value([2.0]) == pytest.approx(28.0)
    assert agent.value([[2.0], [0.0]]) == pytest.approx([28.0, 4.0])


def test_many_observations_give_many_actions():
    agent = random_agent()
    observations = np.random.default_rng(0).normal(size=(7, 3))
    actions = agent.act(observations)
    assert actions.shape == (7, 2)
    for observation, action in zip(observations, actions, strict=True):
        np.testing.assert_array_equal(agent.act(observation), action)


@pytest.mark.parametrize("hidden", [(64, 64), (5, 4), ()])
def test_an_action_does_not_depend_on_how_many_others_are_asked_for(hidden):
    """To the last bit: else the number of processes would show in a training."""
    agent = random_agent(28, 8, hidden)
    observations = np.random.default_rng(0).normal(size=(12, 28))
    for function in (agent.act, agent.value):
        together = function(observations)
        for size in (1, 3, 4):
            parts = [function(observations[k : k + size]) for k in range(0, 12, size)]
            np.testing.assert_array_equal(np.concatenate(parts), together)


def test_samples_have_the_policys_deviation():
    agent = flat_agent(0.0, 0.2, log_std=np.log([0.1]).astype(np.float32))
    samples = agent.act(np.zeros((4000, 1)), deterministic=False, rng=np.random.default_rng(0))
    assert samples.mean() == pytest.approx(0.2, abs=0.01)
    assert samples.std() == pytest.approx(0.1, rel=0.05)


def test_samples_come_from_the_given_generator():
    agent, observation = random_agent(), np.zeros(3)
    first, again = (agent.act(observation, False, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (agent.act(observation, False) != agent.act(observation, False)).any()


@pytest.mark.parametrize("observation", [np.zeros(4), np.zeros((2, 2)), 0.0])
def test_an_observation_of_another_size_is_refused(observation):
    with pytest.raises(ValueError, match="an observation has 3 numbers, not shape"):
        random_agent().act(observation)


def test_acting_needs_no_torch():
    code = (
        "import sys, numpy; sys.path.insert(0, sys.argv[1]); from toys import Walk, random_agent;"
        "random_agent().act(numpy.zeros(3)); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)], capture_output=True, text=True
    )
    assert done.stdout.strip() == "False", done.stderr


# ---- files ---------------------------------------------------------------------------------------


def test_a_saved_agent_comes_back_to_the_last_bit(tmp_path):
    lineage = [{"parts": ["policy"], "steps": 5}]
    agent = random_agent(algorithm="ppo", lineage=lineage, score={"mean": 1.25})
    loaded = Agent.load(agent.save(tmp_path / "agent.safetensors"))
    assert loaded.about == agent.about
    assert loaded.arrays.keys() == agent.arrays.keys()
    for name, array in agent.arrays.items():
        assert (loaded.arrays[name].dtype, loaded.arrays[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(loaded.arrays[name], array)


def test_transposed_arrays_are_saved_as_they_look(tmp_path):
    agent = random_agent()
    arrays = {name: array.copy(order="F") for name, array in agent.arrays.items()}
    assert not arrays["actor.0.weight"].flags.c_contiguous
    loaded = Agent.load(Agent(arrays).save(tmp_path / "agent.safetensors"))
    np.testing.assert_array_equal(loaded.arrays["actor.0.weight"], agent.arrays["actor.0.weight"])


def test_a_robots_agent_is_a_small_file(tmp_path):
    path = random_agent(28, 8, (64, 64)).save(tmp_path / "agent.safetensors")
    assert path.stat().st_size < 300_000


def test_with_about_changes_only_what_is_named():
    agent = random_agent(a=1, b=2)
    changed = agent.with_about(b=3)
    assert changed.about == {"a": 1, "b": 3} and agent.about == {"a": 1, "b": 2}
    np.testing.assert_array_equal(changed.act(np.ones(3)), agent.act(np.ones(3)))


def test_an_agent_that_is_not_there_is_missed_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="nobody.safetensors"):
        Agent.load(tmp_path / "nobody.safetensors")


# ---- files from strangers ------------------------------------------------------------------------


def crafted(path, header=None, about="{}", **changes):
    """A file with some arrays changed (None: left out), as a stranger may send it."""
    arrays = {**random_agent().arrays, **changes}
    arrays = {name: np.ascontiguousarray(a) if np.ndim(a) else a for name, a in arrays.items()
              if a is not None}  # fmt: skip
    path.write_bytes(save(arrays, {"format": FORMAT, "about": about} if header is None else header))
    return path


def refusal(path):
    with pytest.raises(ValueError, match="cannot be read as an agent") as caught:
        Agent.load(path)
    return str(caught.value)


def test_a_crafted_file_without_changes_is_read(tmp_path):
    """So that the refusals below have their reason in what is changed."""
    agent = Agent.load(crafted(tmp_path / "agent"))
    np.testing.assert_array_equal(agent.act(np.ones(3)), random_agent().act(np.ones(3)))


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_pickle_is_refused_without_being_run(tmp_path):
    harm, path = tmp_path / "harm", tmp_path / "agent.safetensors"
    path.write_bytes(pickle.dumps(Bomb(harm)))
    refusal(path)
    assert not harm.exists()
    pickle.loads(path.read_bytes()).close()
    assert harm.exists(), "the pickle was harmless: this test proves nothing"


def test_a_pickle_inside_is_data_and_not_run(tmp_path):
    harm = tmp_path / "harm"
    text = pickle.dumps(Bomb(harm), protocol=0).decode("latin1")
    assert "not a JSON object" in refusal(crafted(tmp_path / "agent", about=json.dumps(text)))
    assert not harm.exists()


@pytest.mark.parametrize("part", [0, 1, 7, 8, 100, 0.5, -1])
def test_a_truncated_file_is_refused(tmp_path, part):
    path = crafted(tmp_path / "agent")
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content)) if isinstance(part, float) else part])
    refusal(path)


def test_damage_anywhere_in_the_header_is_refused_or_harmless(tmp_path):
    """Each byte of the header in turn is overwritten: a reason or an agent, nothing else."""
    path = crafted(tmp_path / "agent")
    content, refused = bytearray(path.read_bytes()), 0
    size = int.from_bytes(content[:8], "little")
    for position in range(0, 8 + size, 3):
        kept, content[position] = content[position], 0x37
        path.write_bytes(content)
        try:
            Agent.load(path)
        except ValueError:
            refused += 1
        content[position] = kept
    assert refused > 100


def test_a_file_that_promises_more_than_it_holds_is_refused(tmp_path):
    """10 TB of weights in 100 bytes."""
    tensor = {"dtype": "F32", "shape": [2_500_000_000_000], "data_offsets": [0, 10**13]}
    header = json.dumps({"actor.0.weight": tensor, "__metadata__": {"format": FORMAT}}).encode()
    path = tmp_path / "agent"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    refusal(path)


@pytest.mark.parametrize("dtype, size", [("BF16", 2), ("F8_E4M3", 1), ("F16", 2), ("XYZ", 4)])
def test_numbers_of_another_kind_are_refused(tmp_path, dtype, size):
    tensor = {"dtype": dtype, "shape": [2], "data_offsets": [0, 2 * size]}
    metadata = {"format": FORMAT, "about": "{}"}
    header = json.dumps({"log_std": tensor, "__metadata__": metadata}).encode()
    path = tmp_path / "agent"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(2 * size))
    refusal(path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    """A hole of 100 GB takes no room on the disk, but it would in memory."""
    tensor = {"dtype": "F32", "shape": [25_000_000_000], "data_offsets": [0, 10**11]}
    header = json.dumps({"actor.0.weight": tensor, "__metadata__": {"format": FORMAT}}).encode()
    path = tmp_path / "agent"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + 10**11)
    assert "100" in refusal(path)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"header": {}}, "its format is None"),
        ({"header": {"format": "somebody's model"}}, 'its format is "somebody\'s model"'),
        ({"header": {"format": FORMAT}}, "about"),
        ({"about": "{nonsense"}, "Expecting property name"),
        ({"about": "[1, 2]"}, "not a JSON object"),
        ({"about": "[" * 100_000}, "recursion"),
        ({"about": '{"notes": "' + "x" * 1_000_000 + '"}'}, "more than 1,000,000 characters"),
        ({"about": '{"env": 5}'}, "its env is not a text"),
        ({"about": '{"steps": "many"}'}, "its steps are not a number"),
        ({"about": '{"lineage": "abc"}'}, "its lineage is not a list of ancestors"),
        ({"about": '{"lineage": [{"steps": 1}]}'}, "its lineage is not a list of ancestors"),
        ({"about": '{"lineage": [{"parts": [], "steps": "1"}]}'}, "its lineage is not a list"),
        ({"log_std": None}, "it lacks log_std"),
        ({"actor.0.weight": None}, "actor.0.weight"),
        ({"actor.0.bias": None}, "actor"),
        (
            {"critic.2.weight": np.zeros((1, 3), np.float32)},
            "critic.2 has shapes (1, 3) and (1,) after 4 inputs",
        ),
        (
            {"actor.0.weight": np.zeros((5, 4), np.float32)},
            "actor.0 has shapes (5, 4) and (5,) after 3 inputs",
        ),
        ({"actor.0.bias": np.zeros((5, 1), np.float32)}, "(5, 3) and (5, 1)"),
        ({"actor.0.bias": np.array(0.0, np.float32)}, "actor.0"),
        ({"log_std": np.zeros(3, np.float32)}, "the actor has 2 outputs, not 3"),
        ({"log_std": np.zeros((2, 1), np.float32)}, "log_std"),
        ({"observation_var": np.ones(2)}, "statistics differ in shape"),
        ({"observation_mean": np.zeros((3, 1)), "observation_var": np.ones((3, 1))}, "shape"),
        ({"observation_var": np.array([1.0, -1.0, 1.0])}, "observation_var"),
        ({"return_scale": np.ones(1)}, "return_scale is not one number"),
        ({"critic.1.bias": np.array([0, np.nan, 0, 0], np.float32)}, "critic.1.bias"),
        ({"log_std": np.array([np.inf, 0], np.float32)}, "log_std"),
        ({"actor.0.weight": np.zeros((5, 3), np.int64)}, "actor.0.weight"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(tmp_path, changes, reason):
    assert reason in refusal(crafted(tmp_path / "agent", **changes))


def test_a_folder_is_no_agent(tmp_path):
    with pytest.raises((ValueError, FileNotFoundError)):
        Agent.load(tmp_path)


def test_an_unknown_shipped_agent_is_refused():
    with pytest.raises(ValueError, match="no agent 'nobody' comes with quadlib"):
        Agent.shipped("nobody")


def test_the_fingerprint_is_of_the_numbers_alone():
    agent = random_agent()
    assert agent.fingerprint == agent.with_about(note="mine").fingerprint
    assert len(agent.fingerprint) == 64
    moved = {**agent.arrays, "log_std": np.nextafter(agent.arrays["log_std"], np.float32(1))}
    assert Agent(moved).fingerprint != agent.fingerprint


def test_the_fingerprint_survives_a_file(tmp_path):
    agent = random_agent()
    assert Agent.load(agent.save(tmp_path / "a.safetensors")).fingerprint == agent.fingerprint


# ---- where it plays ------------------------------------------------------------------------------


def test_an_agent_is_at_home_where_it_was_trained():
    assert home_of(random_agent(env="Minitaur")) == "Minitaur"
    assert home_of(random_agent(env="CartPole-v1")) == "CartPole-v1"
    assert home_of(random_agent()) == home_of(lambda observation: 0) == "MinitaurIdeal"


def test_our_environments_have_one_name():
    for name in ("quadlib/Minitaur-v0", "quadlib:quadlib/Minitaur-v0"):
        assert home_of(random_agent(env=name)) == "Minitaur"


def test_a_file_cannot_say_what_is_imported(tmp_path, monkeypatch):
    """Gymnasium imports the module of a "module:id"."""
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    path = random_agent(env="evil:Minitaur").save(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="trained in 'evil:Minitaur', which is no registered"):
        quadlib.record(Agent.load(path))
    with pytest.raises(SystemExit, match="imported"):
        world_for(random_agent(), "evil:Minitaur")()  # this was typed


def test_a_world_is_home_or_what_is_asked_for():
    agent = random_agent(env="Pendulum-v1")
    assert world_for(agent)().spec.id == "Pendulum-v1"
    assert world_for(agent, "CartPole-v1", max_episode_steps=7)().spec.max_episode_steps == 7
    assert world_for(agent, Walk) is Walk


@pytest.mark.parametrize("play", [quadlib.evaluate, quadlib.record])
def test_without_a_home_that_can_be_made_the_error_says_what_to_give(play):
    """Of a function that made an environment, the agent's file knows only the name."""
    with pytest.raises(ValueError, match="trained in 'my_world', which is no registered.*env="):
        play(random_agent(env="my_world"))
    with pytest.raises(ValueError, match="'Nowhere' is not registered: give env="):
        play(random_agent(), env="Nowhere")
