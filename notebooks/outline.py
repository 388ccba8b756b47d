"""What a notebook says about itself in its first cell, and the map of the course made from it."""

import re
from dataclasses import dataclass

PART = re.compile(r"^\| *(\d+) +(.+?) *\| *(.+?) *\| *(\d+) *\|$", re.M)
NEEDS = re.compile(r"^You need: (.+?\.)(?=\s+[A-Z\[]|\s*\Z)", re.M | re.S)  # one sentence
LINK = re.compile(r"\]\(([\w-]+)\.ipynb\)")


@dataclass(frozen=True)
class Part:
    """A row of the table at the top of a notebook."""

    number: int
    title: str
    able_to: str  # continues "You will be able to ..."
    minutes: int


@dataclass(frozen=True)
class Outline:
    """A notebook at a glance. `parts` and `needs` are empty where it does not tell them."""

    name: str  # of its file, without the ending
    label: str  # "1a"
    title: str
    needs: str  # what comes after "You need:", one sentence
    parts: tuple[Part, ...]

    @property
    def minutes(self) -> int:
        return sum(part.minutes for part in self.parts)

    @property
    def before(self) -> list[str]:
        """Names of the notebooks that it builds on, those linked in "You need"."""
        return list(dict.fromkeys(LINK.findall(self.needs)))


def read(name: str, first_cell: str) -> Outline:
    """The outline that stands in the first cell of `src/NAME.py`."""
    heading = first_cell.partition("\n")[0].removeprefix("# ")
    label, dot, title = heading.partition(" · ")
    needs = NEEDS.search(first_cell)
    return Outline(
        name=name,
        label=label if dot else "",
        title=title if dot else heading,
        needs=" ".join(needs[1].split()) if needs else "",
        parts=tuple(
            Part(int(number), title, able_to, int(minutes))
            for number, title, able_to, minutes in PART.findall(first_cell)
        ),
    )


def as_markdown(lessons: list[Outline], colab: str) -> str:
    """A table of all notebooks, then the parts of each. `colab` is the address of their folder."""
    labels = {lesson.name: lesson.label for lesson in lessons}
    rows = ["| No. | Notebook | Minutes | Builds on | In Colab |", "|---|---|---|---|---|"]
    sections = []
    for one in lessons:
        link, colab_link = f"[{one.title}]({one.name}.ipynb)", f"[open]({colab}/{one.name}.ipynb)"
        before = ", ".join(labels[name] for name in one.before if name in labels) or "–"
        rows.append(f"| {one.label} | {link} | {one.minutes} | {before} | {colab_link} |")
        parts = [f"- {part.able_to} ({part.title}, {part.minutes} min)" for part in one.parts]
        needs = [f"You need: {one.needs}", ""] if one.needs else []
        goals = ["You will be able to", "", *parts] if parts else []
        sections.append("\n".join([f"### {one.label} · {link}", "", *needs, *goals]))
    return "\n\n".join(["\n".join(rows), *sections])
