"""The best trials of a study once more, with new seeds: does their order hold?

A study tries each settings with one seed. The first of a hundred is good, lucky, or both.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import optuna
import scipy.stats

from quadlib.files import write
from quadlib.functions import code_of, name_of
from quadlib.judging.comparison import mean_return
from quadlib.learning.settings import Settings, settings_for
from quadlib.search.crew import crew, wait_for_some
from quadlib.search.studies import SHIPPED
from quadlib.search.trial import MARKS
from quadlib.search.tuning import settings_of

SEEDS = (1001, 1002, 1003)  # no trial trained with these
COUNT = 6  # finalists of a study


@dataclass(frozen=True)
class Again:
    """Trainings of finalists.

    Attributes:
        names: the finalists; those from the study are called by their trial's number.
        seeds: those of every finalist.
        steps: (m,), the marks.
        returns: (finalists, seeds, m), mean training return at each mark, measured as in the study.
    """

    names: list[str]
    seeds: list[int]
    steps: np.ndarray
    returns: np.ndarray

    def at(self, steps: int) -> np.ndarray:
        """(finalists, seeds) at one of the marks."""
        return self.returns[:, :, list(self.steps).index(steps)]


def finalists(study: optuna.Study, count: int = COUNT) -> list[int]:
    """Numbers of the best trials, the best first.

    Stopped ones by what they had come to by then: where a good trial came early, few run to their
    end.
    """
    scored = [t for t in study.get_trials(deepcopy=False) if t.value is not None]
    return [t.number for t in sorted(scored, key=lambda t: -t.value)[:count]]


def train_again(
    study: optuna.Study,
    table: str | Path,
    *,
    count: int = COUNT,
    steps: int | None = None,
    others: Mapping[str, Mapping[str, Any]] | None = None,
    seeds: Sequence[int] = SEEDS,
    env: str | Callable | None = None,
    reward: Callable | None = None,
    folder: str | Path = ".cache/finalists",
    client: distributed.Client | None = None,
    progress: bool = True,
) -> Again:
    """Train the best settings of a study again. Called again, it goes on where it was.

    Args:
        study: `tune`'s.
        table: the CSV file that grows by each finished training.
        count: how many of the best trials.
        steps: of each training; by default as many as a trial's.
        others: settings by name that are trained as well, to compare. The same settings under two
            names are trained once.
        seeds: the new ones.
        env, reward: the study's. Functions have to be given again.
        folder: checkpoints, in a subfolder for each training.
        client: of any Dask cluster that sees `folder`; by default this machine's cores.
        progress: print a line per training.

    Raises ValueError where no trial came to anything, or the reward is not the study's.
    """
    plan = study.user_attrs["plan"]
    steps, env = steps or plan["steps"], env or plan["env"]
    if not finalists(study):
        raise ValueError(f"no trial of {study.study_name!r} has come to anything yet")
    if (reward and name_of(reward)) != plan["reward"]:
        raise ValueError(f"the study has the reward {plan['reward']}: give the same")
    if code_of(reward) != plan.get("reward_code", code_of(reward)):
        raise ValueError(f"the reward {plan['reward']} is not what it was in the study")
    candidates = {str(k): settings_of(study, k) for k in finalists(study, count)}
    candidates |= {name: dict(settings) for name, settings in (others or {}).items()}
    known_as: dict[Settings, list[str]] = {}
    for name, settings in candidates.items():
        known_as.setdefault(settings_for(plan["algorithm"], settings), []).append(name)
    codes = {name: _code(plan, each) for name, each in candidates.items()}
    rows = _read(table) if Path(table).exists() else []
    # Those of another study, or of settings that have changed, count no more.
    rows = [row for row in rows if row[0] in codes and row[4] in ("", codes[row[0]])]
    last = max(_marks(steps, plan["steps"]), default=0)
    done = {(row[0], row[1]) for row in rows if row[2] >= last}
    rows = [(*row[:4], codes[row[0]]) for row in rows if (row[0], row[1]) in done]
    jobs = [
        (names, seed) for seed in seeds for names in known_as.values()
        if any((name, seed) not in done for name in names)
    ]  # fmt: skip
    with crew(client) as (client, look_after):
        pending = {
            client.submit(
                _train, plan["algorithm"], candidates[names[0]], env, reward, seed, steps,
                plan["steps"], str(Path(folder, study.study_name, f"{names[0]}_{seed}").resolve()),
                pure=False,
            ): (names, seed)
            for names, seed in jobs
        }  # fmt: skip
        try:
            while pending:
                look_after()
                for future in wait_for_some(list(pending)):
                    names, seed = pending.pop(future)
                    new = [name for name in names if (name, seed) not in done]
                    points = future.result()
                    rows += [(name, seed, *point, codes[name]) for name in new for point in points]
                    _write(table, rows)
                    if progress:
                        print(f"{names[0]}, seed {seed}: return {rows[-1][3]:.2f}", flush=True)
        finally:
            client.cancel(list(pending))
    _write(table, rows)
    return read_again(table)


def read_again(table: str | Path) -> Again:
    """What `train_again` wrote. "ppo" and "trpo" are the shipped ones.

    Raises FileNotFoundError.
    """
    rows = _read(SHIPPED / f"{table}_finalists.csv" if str(table) in ("ppo", "trpo") else table)
    names = list(dict.fromkeys(row[0] for row in rows))
    seeds = sorted({row[1] for row in rows})
    steps = sorted({row[2] for row in rows})
    returns = np.full((len(names), len(seeds), len(steps)), np.nan)
    for name, seed, at, value, _ in rows:
        returns[names.index(name), seeds.index(seed), steps.index(at)] = value
    return Again(names, seeds, np.array(steps), returns)


def agreement(study: optuna.Study, again: Again, steps: int) -> dict[str, float]:
    """How far the study's order of the finalists held, with new seeds and at so many steps.

    `spearman` and `kendall` are rank correlations: 1 for the same order, 0 for none, −1 for the
    reverse.
    """
    trials = study.get_trials(deepcopy=False)
    numbers = [int(name) for name in again.names if name.isdecimal()]
    rows = [again.names.index(str(number)) for number in numbers]
    before = [trials[number].value for number in numbers]
    after = np.nan_to_num(again.at(steps).mean(axis=1)[rows], nan=-np.inf)  # diverged: the last
    return {
        "spearman": float(scipy.stats.spearmanr(before, after).statistic),
        "kendall": float(scipy.stats.kendalltau(before, after).statistic),
    }


def _train(
    algorithm, settings, env, reward, seed, steps, budget, folder
) -> list[tuple[int, float]]:
    """[(steps, return)] at the marks."""
    from quadlib.learning.training import DivergedError, train

    marks = _marks(steps, budget)
    try:
        run = train(
            algorithm, steps=steps, env=env, reward=reward, seed=seed, folder=folder,
            progress=False, processes=0, **settings,
        )  # fmt: skip
    except DivergedError:
        return [(mark, np.nan) for mark in marks]
    values = [mean_return(run.curve, mark, budget) for mark in marks]
    return [
        (mark, np.nan if value is None else value)
        for mark, value in zip(marks, values, strict=True)
    ]


def _marks(steps: int, budget: int) -> list[int]:
    """Of the study's budget, and on in the same distances."""
    return [budget * k // MARKS for k in range(1, steps * MARKS // budget + 1)]


def _code(plan: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Tells these settings in this study from others of the same name."""
    names = ("algorithm", "steps", "env", "env_code", "reward", "reward_code")
    what = {name: plan.get(name) for name in names}
    what["settings"] = settings_for(plan["algorithm"], settings).as_dict()
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]


def _read(table: str | Path) -> list[tuple[str, int, int, float, str]]:
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        (r["finalist"], int(r["seed"]), int(r["steps"]), float(r["return"]), r.get("code") or "")
        for r in rows
    ]


def _write(table: str | Path, rows: list[tuple[str, int, int, float, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["finalist", "seed", "steps", "return", "code"])
    writer.writerows((name, seed, at, f"{value:.4g}", code) for name, seed, at, value, code in rows)
    write(table, lambda file: file.write(text.getvalue().encode()))
