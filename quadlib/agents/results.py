"""The table of results in the README, from the records that come with the package.

`make results` judges what is not judged yet (tests/judge/judge_runs.py), then runs this.
"""

import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np

from quadlib.files import write
from quadlib.judging import records
from quadlib.judging.comparison import seeds_interval
from quadlib.judging.evaluation import Evaluation

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- results: made by `make results` -->\n", "<!-- end of results -->"

# Which records have a row, and what they are called there.
LABELS = {
    "slides_ppo": "the slides' PPO",
    "slides_trpo": "the slides' TRPO",
    "slides_transfer": "the slides' TRPO → PPO",
    "ppo": "PPO",
    "ppo_cooled": "PPO, then a third of the learning rate",
    "ppo_kl": "PPO, adaptive KL penalty",
    "ppo_kl_cooled": "PPO, adaptive KL penalty, then a third of the learning rate",
    "trpo": "TRPO",
    "trpo_cooled": "TRPO, then a quarter of δ",
    "transfer": "TRPO → PPO",
}
JUDGES = {
    "fast": "`fast`",
    "reference": "`reference`",
    "pybullet_envs": "MinitaurBulletEnv",
}
HEAD = (
    "agent", "judge", "return", "95 % over seeds", "falls", "m/s", "W", "cost of transport",
    "return, sampled", "falls, sampled",
)  # fmt: skip
NOTES = """\
Return: mean ± standard deviation over the episodes of all seeds, acting with the policy's mean;
*sampled*: as in training. The interval is of the mean over trainings with different seeds
(Student's t). Speed and power are means, cost of transport (power / (weight · speed)) is a median.
Minutes are the median over seeds, of the last part where there are two.
"""


def table(names: Iterable[str] = tuple(LABELS), folder: Path | None = None) -> str:
    """Markdown: a row per training and judge, for what was judged in both modes.

    Args:
        names: of the trainings; those of which there are no records are left out.
        folder: where records are.
    """
    rows = []
    for name in (name for name in names if name in records.names(folder)):
        found = records.runs(name, folder)
        minutes = np.median([record.agent.about["seconds"] for record in found]) / 60
        seeds = f"{len(found)} seed{'s' if len(found) > 1 else ''}"
        label = f"**{LABELS[name]}**, {seeds}, {_steps(found)} M steps, {minutes:.0f} min each"
        for judge in JUDGES:
            if all(len(record.judged.get(judge, {})) == 2 for record in found):
                rows.append([label, JUDGES[judge], *_numbers(found, judge)])
                label = ""
    if not rows:
        return ""
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    # Numbers that belong together stay on one line.
    text = re.sub(r"(?<=\d) (±|…|of) (?=-?\d)", "\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)
    return f"{text}\n\n{NOTES}"


def _steps(found: list[records.Record]) -> str:
    """Mean steps in millions; those of ancestors come first, each with a +."""
    histories = [
        [*(parent["steps"] for parent in about.get("lineage") or []), about["steps"]]
        for about in (record.agent.about for record in found)
    ]
    return " + ".join(f"{steps / 1e6:.1f}" for steps in np.mean(histories, axis=0))


def _numbers(found: list[records.Record], judge: str) -> list[str]:
    results = _as_long([record.judged[judge]["deterministic"] for record in found])
    sampled = _as_long([record.judged[judge]["stochastic"] for record in found])
    low, high = seeds_interval([result.mean for result in results])
    return [
        _spread(results),
        f"{low:.1f} … {high:.1f}" if len(found) > 1 else "one seed",
        _falls(results),
        f"{_all(results, 'speeds').mean():.2f}",
        f"{_all(results, 'powers').mean():.0f}",
        f"{np.median(_all(results, 'costs_of_transport')):.2f}",
        _spread(sampled),
        _falls(sampled),
    ]


def _as_long(results: list[Evaluation]) -> list[Evaluation]:
    """As many episodes of each seed as all have, the first ones: all seeds weigh the same."""
    count = min(len(result.returns) for result in results)
    names = [field.name for field in fields(Evaluation)]
    return [Evaluation(**{name: getattr(r, name)[:count] for name in names}) for r in results]


def _all(results: list, column: str) -> np.ndarray:
    return np.concatenate([getattr(result, column) for result in results])


def _spread(results: list) -> str:
    returns = _all(results, "returns")
    digits = 1 if abs(returns.mean()) > 2 else 2  # of a small one the second matters
    return f"{returns.mean():.{digits}f} ± {returns.std(ddof=1):.{digits}f}"


def _falls(results: list) -> str:
    fell = _all(results, "fell")
    return f"{fell.sum()} of {len(fell)}"


def in_text(text: str) -> str:
    """What stands between the two comments of a text. ValueError where they are not there."""
    return text[text.index(BEGIN) + len(BEGIN) : text.index(END)]


def main() -> None:
    """Put the table into the README."""
    text = README.read_text(encoding="utf-8")
    new = text.replace(BEGIN + in_text(text) + END, BEGIN + table() + END)
    write(README, lambda file: file.write(new.encode()))


if __name__ == "__main__":
    main()
