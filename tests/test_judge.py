"""The judge's own arithmetic and its errors; that it plays is for `make judge`."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "judge"))
import foreign
import judge

ROWS = [
    {
        "seed": 7 + k, "returns": 20.0 + 2 * k, "lengths": 1000 - 500 * k, "fell": k == 1,
        "distances": 22.0, "speeds": 2.2 - 2.2 * k, "powers": 100.0,
        "costs_of_transport": (0.8, np.inf)[k],
    }
    for k in (0, 1)
]  # fmt: skip


def test_a_summary_by_hand():
    summary = judge.summary(judge.as_evaluation(ROWS))
    assert summary["mean_return"] == 21.0
    assert summary["std_return"] == pytest.approx(np.sqrt(2.0))
    assert (summary["falls"], summary["mean_length"], summary["mean_speed"]) == (1, 750.0, 1.1)


def test_a_report_is_strict_json_and_names_the_file_by_its_content(tmp_path):
    agent = tmp_path / "agent.safetensors"
    agent.write_bytes(b"abc")
    results = {"deterministic": judge.as_evaluation(ROWS)}
    report = judge.report(agent, 7, results, {"gym": "0.25.2"})
    again = json.loads(json.dumps(report, allow_nan=False))
    assert again["sha256"].startswith("ba7816bf8f01cfea414140de5dae2223")  # FIPS 180-2's "abc"
    assert again["deterministic"]["episodes"]["costs_of_transport"] == [0.8, None]
    assert again["deterministic"]["episodes"]["fell"] == [False, True]
    assert again["first_seed"] == 7


def test_without_a_registry_the_error_says_so_and_nothing_counts_as_installed(
    tmp_path, monkeypatch
):
    folder = tmp_path / "judge"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(foreign.CannotInstallError, match="registry out of reach.*\n.*pybullet"):
        foreign.make(folder)
    assert not foreign.ready(folder)


def test_other_requirements_make_it_anew(tmp_path, monkeypatch):
    (tmp_path / "installed").write_text(foreign._stamp())
    assert foreign.ready(tmp_path)
    other = tmp_path / "requirements.txt"
    other.write_text("gym==0.21.0\n")
    monkeypatch.setattr(foreign, "REQUIREMENTS", other)
    assert not foreign.ready(tmp_path)


@pytest.mark.skipif(not foreign.ready(), reason="its environment is not made: make judge")
def test_a_player_that_fails_says_why(tmp_path):
    broken = tmp_path / "agent.safetensors"
    broken.write_bytes(b"no agent")
    with pytest.raises(RuntimeError, match="cannot be read as an agent"):
        judge.judge(broken, "deterministic", episodes=1)
