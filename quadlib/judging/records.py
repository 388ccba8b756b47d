"""What is kept of the long trainings: small files that come with the package.

A record is `agents/runs/NAME/SEED.safetensors` (the last agent, with its settings), `SEED.csv` (a
thinned curve) and, once it was judged, `SEED.json` (all episodes of each judge); where its
checkpoints were evaluated, `SEED.checkpoints.csv`.
"""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quadlib.files import write
from quadlib.judging.comparison import mean_return
from quadlib.judging.evaluation import Evaluation, evaluate
from quadlib.learning.agent import Agent

FOLDER = Path(__file__).parents[1] / "agents" / "runs"
ROWS = 200  # of a kept curve: more than a figure has room for
DIGITS = 4  # significant ones, in curves and judgements
SAME = 1e-3  # seconds that are equal to so much are the same training's


@dataclass(frozen=True)
class Record:
    """One training, as it was kept.

    Attributes:
        name, seed: which one.
        curve: as `Run.curve`, with at most 200 of its rows; first and last are among them.
        agent: the last one. `agent.about` has algorithm, settings, env, steps, seconds, versions.
        judged: judge -> mode ("deterministic", "stochastic") -> Evaluation.
        checkpoints: of the agents along the way `steps`, `mean` and `std` of the return over
            episodes, `falls` (a share); or empty.
    """

    name: str
    seed: int
    curve: dict[str, np.ndarray]
    agent: Agent
    judged: dict[str, dict[str, Evaluation]]
    checkpoints: dict[str, np.ndarray]

    @property
    def settings(self) -> dict[str, Any]:
        """Of its algorithm, by name."""
        return self.agent.about["settings"]

    def after(self, steps: int) -> float:
        """Mean training return over the tenth of so many steps that ends with them.

        Raises ValueError where the training was shorter.
        """
        at = self.curve["steps"]
        if at[-1] < steps:
            raise ValueError(
                f"{self.name} {self.seed} ends after {at[-1]:,.0f} steps, not {steps:,}"
            )
        value = mean_return(self.curve, steps, steps)
        return math.nan if value is None else value


def names(folder: Path | None = None) -> list[str]:
    """The trainings of which records are kept."""
    return sorted({path.parent.name for path in (folder or FOLDER).glob("*/*.safetensors")})


def runs(name: str, folder: Path | None = None) -> list[Record]:
    """The records of one training, by seed.

    Raises ValueError where there are none, or where a record's files do not belong together.
    """
    paths = paths_of(name, folder)
    if not paths:
        kept = ", ".join(names(folder)) or "none"
        raise ValueError(f"no records of {name!r} are kept; there are {kept}")
    return [_read(path) for path in paths]


def continued(first: Sequence[Record], second: Sequence[Record]) -> list[Record]:
    """The records of a training that went on from another one, each with the curve of both.

    Raises ValueError where the first one lacks a seed of the second.
    """
    before = {record.seed: record for record in first}
    for record in second:
        if record.seed not in before:
            raise ValueError(f"{record.name} {record.seed} went on from a record that is not here")
    return [_joined(before[record.seed], record) for record in second]


def _joined(first: Record, second: Record) -> Record:
    """The second of two trainings with the curve of the first, which it went on from.

    Its steps and seconds are counted on. Columns that both have are kept, and of the second's curve
    not the first 20,000 steps: until then only episodes that end with a fall have ended.
    """
    begun = second.curve["steps"] > 20_000
    curve = {}
    for name in (name for name in second.curve if name in first.curve):
        before, after = first.curve[name], second.curve[name][begun]
        on = before[-1] if name in ("steps", "seconds") else 0.0
        curve[name] = np.append(before, after + on)
    return replace(second, curve=curve)


def path_of(name: str, seed: int, folder: Path | None = None) -> Path:
    """Where the agent of one training is kept, or would be."""
    return (folder or FOLDER) / name / f"{seed}.safetensors"


def paths_of(name: str, folder: Path | None = None) -> list[Path]:
    """The agents' files of one training, by seed."""
    found = ((folder or FOLDER) / name).glob("*.safetensors")
    return sorted((path for path in found if path.stem.isdecimal()), key=lambda p: int(p.stem))


def keep(
    run: str | Path, folder: Path | None = None, at: int | None = None, name: str | None = None
) -> Path:
    """Keep what matters of a run's folder called NAME_SEED, as `train(folder=...)` writes it.

    Called again, it replaces what it kept before. Returns the agent's file, which is written last:
    until then the older record stands or the two files disagree, and `runs` says so.

    Args:
        run: the folder.
        folder: where records are.
        at: keep the run as it was at its first checkpoint with so many steps; by default the last.
        name: of the record, where it is not the folder's.

    Raises ValueError where the folder has another name or holds no such checkpoint.
    """
    run, place = Path(run), _place(Path(run), folder, name)
    if not (run / "curve.csv").exists():
        raise ValueError(f"{run} holds no checkpoint yet")
    rows = _rows(run / "curve.csv")
    steps = [int(row["steps"]) for row in rows]
    files = [run / f"agent_{step:09d}.safetensors" for step in steps if step >= (at or steps[-1])]
    path = next((file for file in files if file.exists()), None)
    if path is None:
        raise ValueError(f"{run} holds no checkpoint with {at or steps[-1]:,} steps yet")
    agent = Agent.load(path)
    if agent.about["seed"] != int(place.stem):
        raise ValueError(f"the run in {run} has the seed {agent.about['seed']}")
    rows = [row for row in rows if row["steps"] <= agent.about["steps"]]
    chosen = np.unique(np.linspace(0, len(rows) - 1, ROWS).round().astype(int))
    content = _csv([rows[i] for i in chosen])
    write(place.with_suffix(".csv"), lambda file: file.write(content))
    return agent.save(place)


def keep_checkpoints(run: str | Path, episodes: int = 20, folder: Path | None = None) -> Path:
    """Evaluate the agents in a run's folder, every 200,000 steps one, and keep what came out.

    With the policy's mean, where they were trained. Those that were evaluated before are not
    evaluated again; a training is known by its seconds. About 20 s each on one core. Returns the
    file's path.
    """
    run, place = Path(run), _place(Path(run), folder).with_suffix(".checkpoints.csv")
    before = {row["steps"]: row for row in _rows(place)} if place.exists() else {}
    rows = []
    for row in _rows(run / "curve.csv"):
        steps, seconds = int(row["steps"]), row["seconds"]
        path = run / f"agent_{steps:09d}.safetensors"
        if not path.exists():
            continue
        known = before.get(steps, {})
        if not math.isclose(known.get("seconds", math.nan), seconds, rel_tol=SAME):
            result = evaluate(Agent.load(path), episodes, processes=0)
            known = {"steps": steps, "seconds": seconds, "mean": result.mean, "std": result.std}
            known["falls"] = result.fell.mean()
        rows.append(known)
        content = _csv(rows)
        write(place, lambda file, content=content: file.write(content))
    return place


def judgements(path: Path) -> dict[str, Any]:
    """The JSON of a record's judgements so far; of another agent's, nothing counts."""
    judged = path.with_suffix(".json")
    agent = Agent.load(path).fingerprint
    if judged.exists():
        content = json.loads(judged.read_text(encoding="utf-8"))
        if content["agent"] == agent:
            return content
    return {"agent": agent, "judges": {}}


def add_judgement(
    path: Path, judge: str, mode: str, result: Evaluation, about: Mapping[str, Any]
) -> None:
    """Write one judge's episodes beside a record's agent.

    Args:
        path: the agent's file.
        about: first seed, versions, whatever tells how it was judged.
    """
    content = judgements(path)
    columns = result.as_columns(DIGITS)
    content["judges"].setdefault(judge, {})[mode] = {"about": dict(about), "episodes": columns}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    write(path.with_suffix(".json"), lambda file: file.write(text))


def _place(run: Path, folder: Path | None, name: str | None = None) -> Path:
    """Where the agent of a run's folder is kept."""
    found = re.fullmatch(r"(\w+)_(\d+)", run.name)
    if not found:
        raise ValueError(f"a run's folder is called NAME_SEED, not {run.name}")
    return path_of(name or found[1], int(found[2]), folder)


def _read(path: Path) -> Record:
    rows, agent = _rows(path.with_suffix(".csv")), Agent.load(path)
    steps, seconds = rows[-1]["steps"], rows[-1]["seconds"]
    same = math.isclose(agent.about["seconds"], seconds, rel_tol=SAME)
    if agent.about["steps"] != steps or not same:
        raise ValueError(f"the curve beside {path} is another run's: keep that run again")
    checkpoints = path.with_suffix(".checkpoints.csv")
    judged = {
        judge: {mode: Evaluation.from_columns(each["episodes"]) for mode, each in modes.items()}
        for judge, modes in judgements(path)["judges"].items()
    }
    return Record(
        path.parent.name, int(path.stem), _columns(rows), agent, judged,
        _columns(_rows(checkpoints)) if checkpoints.exists() else {},
    )  # fmt: skip


def _rows(path: Path) -> list[dict[str, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: float(value) if value else math.nan for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def _columns(rows: list[dict[str, float]]) -> dict[str, np.ndarray]:
    return {name: np.array([row[name] for row in rows]) for name in rows[-1]}


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _short(name, value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _short(name: str, value: float) -> str:
    if name == "steps":
        return f"{value:.0f}"
    return "" if math.isnan(value) else f"{value:.{DIGITS}g}"
