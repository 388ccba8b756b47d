"""The table of results: from records alone, and the README has it."""

import runpy
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from toys import random_agent

from quadlib.agents import results
from quadlib.judging import records
from quadlib.judging.evaluation import Evaluation, evaluate
from quadlib.learning.agent import Agent

sys.path.append(str(Path(__file__).parent / "judge"))
import judge_runs


def episodes(returns, falls=0):
    n = len(returns)
    return Evaluation(
        returns=np.array(returns, float), lengths=np.full(n, 1000), fell=np.arange(n) < falls,
        distances=np.full(n, 3.0), speeds=np.full(n, 0.3), powers=np.full(n, 60.0),
        costs_of_transport=np.append(np.full(n - 1, 2.5), np.inf),
    )  # fmt: skip


def kept(folder, name, seed, env="MinitaurIdeal"):
    agent = random_agent(28, 8, seed=seed, env=env, settings={}, seconds=600.0, steps=2_000_000)
    path = agent.with_about(seed=seed).save(folder / name / f"{seed}.safetensors")
    path.with_suffix(".csv").write_text("steps,seconds,return\n2000000,600,1\n")
    return path


def test_a_row_by_hand(tmp_path):
    """Seeds with means 2, 3 and 7: 4 ± 4.303 · √7 / √3; all episodes together: 4 ± √(48/8)."""
    for seed, returns in enumerate(([1, 2, 3], [2, 3, 4], [6, 7, 8])):
        path = kept(tmp_path, "ppo", seed)
        records.add_judgement(path, "fast", "deterministic", episodes(returns, falls=seed), {})
        records.add_judgement(path, "fast", "stochastic", episodes([1, 1, 1]), {})
    *_, row = results.table(folder=tmp_path).split("\n\n")[0].splitlines()
    assert row.count("\N{NO-BREAK SPACE}") == 10, "numbers that belong together stay together"
    assert row.replace("\N{NO-BREAK SPACE}", " ") == (
        "| **PPO**, 3 seeds, 2.0 M steps, 10 min each | `fast` | 4.0 ± 2.4 | -2.6 … 10.6 | 3 of 9 "
        "| 0.30 | 60 | 2.50 | 1.00 ± 0.00 | 0 of 9 |"
    )


def test_a_seed_with_more_episodes_weighs_no_more(tmp_path):
    for seed, returns in enumerate(([1, 3, 99, 99], [2, 4])):
        path = kept(tmp_path, "ppo", seed)
        for mode in ("deterministic", "stochastic"):
            records.add_judgement(path, "fast", mode, episodes(returns), {})
    text = results.table(folder=tmp_path).replace("\N{NO-BREAK SPACE}", " ")
    # Means 2 and 3: 2.5 ± 12.706 · √½ / √2.
    assert "2.5 ± 1.3 | -3.9 … 8.9 | 0 of 4" in text


def test_steps_of_ancestors_are_told(tmp_path):
    for seed, before in enumerate((500_000, 700_000)):
        path = kept(tmp_path, "transfer", seed)
        Agent.load(path).with_about(lineage=[{"parts": [], "steps": before}]).save(path)
        for mode in ("deterministic", "stochastic"):
            records.add_judgement(path, "fast", mode, episodes([1, 2]), {})
    assert "2 seeds, 0.6 + 2.0 M steps" in results.table(folder=tmp_path)


def test_a_row_needs_both_modes_of_every_seed(tmp_path):
    for seed in (0, 1):
        path = kept(tmp_path, "trpo", seed)
        records.add_judgement(path, "fast", "deterministic", episodes([1, 2]), {})
    assert results.table(folder=tmp_path) == ""
    for seed in (0, 1):
        assert results.table(folder=tmp_path) == ""
        path = tmp_path / "trpo" / f"{seed}.safetensors"
        records.add_judgement(path, "fast", "stochastic", episodes([1, 2]), {})
    assert "**TRPO**, 2 seeds" in results.table(folder=tmp_path)


def test_a_table_of_some_trainings(tmp_path):
    for name in ("ppo", "trpo"):
        path = kept(tmp_path, name, 0)
        for mode in ("deterministic", "stochastic"):
            records.add_judgement(path, "fast", mode, episodes([1, 2]), {})
    some = results.table(["trpo", "ppo_kl"], tmp_path)
    assert "**TRPO**" in some and "**PPO**" not in some


def test_an_ablation_has_no_row(tmp_path):
    path = kept(tmp_path, "ppo_without_something", 0)
    for mode in ("deterministic", "stochastic"):
        records.add_judgement(path, "fast", mode, episodes([1, 2]), {})
    assert results.table(folder=tmp_path) == ""


def test_the_readme_has_the_table_of_the_records():
    shown = results.in_text(results.README.read_text(encoding="utf-8"))
    assert shown == results.table(), "run: make results"


def test_writing_the_table_changes_nothing_else(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{results.BEGIN}old\n{results.END}\nafter", encoding="utf-8")
    monkeypatch.setattr(results, "README", readme)
    monkeypatch.setattr(results, "table", lambda: "| new |\n")
    for _ in range(2):
        results.main()
        expected = f"before\n{results.BEGIN}| new |\n{results.END}\nafter"
        assert readme.read_text(encoding="utf-8") == expected


@pytest.fixture
def asked(monkeypatch):
    """Who was asked to judge what, in place of the simulations."""
    calls = []

    def judge(name):
        def play(path, mode, count):
            calls.append((name, path.stem, mode, count))
            return episodes(range(count)), {"first_seed": 1}

        return play

    monkeypatch.setattr(judge_runs, "JUDGES", {name: judge(name) for name in ("fast", "other")})
    return calls


def test_what_is_judged_is_not_judged_again(tmp_path, asked):
    path = kept(tmp_path, "ppo", 0)
    judge_runs.judge_run(path, ["fast"], 2)
    assert asked == [("fast", "0", "deterministic", 2), ("fast", "0", "stochastic", 2)]
    judge_runs.judge_run(path, ["fast", "other"], 2)
    assert [name for name, *_ in asked[2:]] == ["other", "other"]
    judge_runs.judge_run(path, ["fast"], 3)
    assert [count for *_, count in asked[4:]] == [3, 3], "more episodes than there are"
    (record,) = records.runs("ppo", tmp_path)
    assert len(record.judged["fast"]["stochastic"].returns) == 3


def test_a_judge_that_is_killed_loses_one_mode_at_most(tmp_path, asked, monkeypatch):
    path, play = kept(tmp_path, "ppo", 0), judge_runs.JUDGES["fast"]

    def stop(path, mode, count):
        if mode == "stochastic":
            raise KeyboardInterrupt
        return play(path, mode, count)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(judge_runs.JUDGES, "fast", stop)
        judge_runs.judge_run(path, ["fast"], 2)
    judge_runs.judge_run(path, ["fast"], 2)
    assert [mode for _, _, mode, _ in asked] == ["deterministic", "stochastic"]


def test_the_seeds_of_a_training_share_its_episodes(tmp_path, asked, monkeypatch):
    for name, seeds in (("ppo", 3), ("slides_ppo", 1), ("trpo_400", 2), ("net_128", 1)):
        for seed in range(seeds):
            kept(tmp_path, name, seed)
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["judge_runs.py", "--judges", "fast", "other"])
    judge_runs.main()
    counts = {}
    for judge, _, mode, count in asked:
        counts.setdefault((judge, mode), []).append(count)
    assert counts["fast", "stochastic"] == [100, 34, 34, 34, 50, 50]
    assert counts["other", "deterministic"] == [100, 34, 34, 34], "the half is judged in one world"


def test_our_judges_play_in_the_slides_environment_in_their_physics(tmp_path, monkeypatch):
    path = kept(tmp_path, "ppo", 0)
    monkeypatch.setattr(judge_runs, "evaluate", lambda *a, **k: (a, k))
    for name in ("fast", "reference"):
        (given, options), about = judge_runs.JUDGES[name](path, "stochastic", 4)
        assert given[1:] == (4, "Minitaur", 1_000_000, False) and options == {"physics": name}
        assert about["physics"] == name and about["first_seed"] == 1_000_000


def test_a_condition_is_judged_with_the_policys_mean_alone(tmp_path, asked, monkeypatch):
    monkeypatch.setitem(judge_runs.JUDGES, "heavy", judge_runs.JUDGES["fast"])
    judge_runs.judge_run(kept(tmp_path, "ppo", 0), ["heavy"], 2)
    assert [mode for _, _, mode, _ in asked] == ["deterministic"]


def test_a_light_and_a_heavy_robot_are_what_they_are_called(monkeypatch):
    """The cost of transport knows the mass: 6 kg, less or more a fifth."""
    monkeypatch.setattr(judge_runs, "evaluate", partial(evaluate, max_steps=60, processes=1))
    path = Path(results.__file__).with_name("first_gait.safetensors")
    for name, mass in (("light", 4.8), ("heavy", 7.2)):
        result, about = judge_runs.JUDGES[name](path, "deterministic", 1)
        found = result.powers / (result.costs_of_transport * 10.0 * result.speeds)
        assert found == pytest.approx(mass, rel=0.01), about


def test_results_run_as_a_command_without_the_judge(monkeypatch):
    """What `make results` calls second: it finds its README."""
    module = runpy.run_path(str(Path(results.__file__)))
    assert (module["README"].parent / "quadlib").is_dir()
