"""How the cells of a notebook become slides. What the rules are is told in `slides.py`."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import book
import build
import check
import nbformat
from nbformat import NotebookNode

COLUMNS, LINES = 88, 14.0  # of text that fit on a slide
CODE_LINES = 15  # longer code scrolls
WORDS = 45  # a longer paragraph is shortened
LEFT_OUT = {"setup", "check", "wrong-answer", "no-slide"}
PICTURES = ("<img", "<iframe", "<video", "image/")


@dataclass
class Slide:
    """Cells that are seen together, what the speaker says, and how much room is left."""

    title: str
    level: int  # 2: the first one of a part
    cells: list[NotebookNode] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    room: float = LINES

    def is_picture(self) -> bool:
        return "picture" in build.tags(self.cells[-1]) if self.cells else False


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(kind, source) of each paragraph, heading, list, table, formula ... of a Markdown text."""
    lines = text.splitlines()
    for token in check.MARKDOWN.parse(text):
        if token.level == 0 and token.map and token.nesting >= 0:
            first, last = token.map
            yield token.type.removesuffix("_open"), "\n".join(lines[first:last]).strip()


def sentences(paragraph: str) -> list[str]:
    """Split at full stops outside of formulas and code."""
    hidden: list[str] = []

    def hide(found: re.Match) -> str:
        hidden.append(found[0])
        return f"\0{len(hidden) - 1}\0"

    masked = re.sub(r"\$[^$]+\$|`[^`]+`", hide, " ".join(paragraph.split()))
    end = r"(?:(?<=[.!?])|(?<=[.!?]\*\*)|(?<=[.!?]\*))(?<!e\.g\.)(?<!et al\.)"
    parts = re.split(end + r"\s+(?=[A-Z*\[\0“\"])", masked)
    return [re.sub(r"\0(\d+)\0", lambda found: hidden[int(found[1])], part) for part in parts]


def gist(paragraph: str, words: int = WORDS) -> str:
    """What of a paragraph stands on the slide, if it has more than so many words."""
    if len(paragraph.split()) <= words:
        return paragraph
    first, *rest = sentences(paragraph)
    if first.endswith("?") or len(first.split()) < 4:  # a question, a label: "*Facts.*"
        first = " ".join([first, *rest[:1]])
        rest = rest[1:]
    # The last one may lead over to the formula or code that follows.
    kept = [s for i, s in enumerate(rest) if "**" in s or (i == len(rest) - 1 and s.endswith(":"))]
    return " ".join([first, *kept])


def height(kind: str, text: str) -> float:
    """Lines that a block takes on a slide, roughly."""
    if kind == "math_block":
        return 3.6 if r"\\" in text or r"\sum" in text or r"\frac" in text else 2.4
    if kind == "fence":
        return 0.65 * len(text.splitlines())
    if kind == "table":
        return sum(0.33 + 0.77 * row_lines(row) for row in text.splitlines()[2:]) + 1.3
    plain = re.sub(r"\]\(.*?\)|\\[a-zA-Z]+|[$*`{}]", "", text)
    return sum(max(1, math.ceil(len(line) / COLUMNS)) for line in joined(plain)) + 0.6


def joined(text: str) -> list[str]:
    """The lines of a text as a browser breaks them: a list item is one, a paragraph too."""
    return re.split(r"\n(?=\s*(?:[-*+]|\d+\.)\s)", text) if text else []


def row_lines(row: str) -> int:
    """Browsers give long cells wide columns, so the sum counts."""
    return max(1, math.ceil(len(row) / (1.15 * COLUMNS)))


class Deck:
    """Slides as they are filled, one block after the other."""

    def __init__(self) -> None:
        self.slides: list[Slide] = []

    def new(self, title: str = "", level: int = 3) -> Slide:
        """A slide with a heading; without a title it goes on with the present one."""
        if not title:
            title = self.slides[-1].title
        self.slides.append(Slide(title, level))
        self.slides[-1].room -= 1 if len(title) < 60 else 2
        return self.slides[-1]

    def room_for(self, lines: float) -> Slide:
        """The present slide if `lines` fit, else a new one. A lead-in moves along."""
        slide = self.slides[-1]
        if lines <= slide.room or not slide.cells:
            return slide
        lead = slide.cells[-1]
        moves = (
            lead.cell_type == "markdown"
            and lead.source.endswith((":", "**"))
            and len(slide.cells) > 1
        )
        new = self.new()
        if moves:
            slide.cells.pop()
            self.put(lead.source, height("paragraph", lead.source))
        return new

    def put(self, text: str, lines: float, fragment: bool = False) -> None:
        """Markdown that takes so many lines."""
        slide = self.room_for(lines)
        cell = nbformat.v4.new_markdown_cell(text)
        if fragment:
            cell.metadata.slideshow = {"slide_type": "fragment"}
        slide.cells.append(cell)
        slide.room -= lines

    def note(self, text: str) -> None:
        self.slides[-1].notes.append(text)


def add_markdown(deck: Deck, text: str) -> None:
    for kind, block in blocks(text):
        if kind == "heading":
            marks, title = block.split(maxsplit=1)
            deck.new(re.sub(r" · \d+ min$", "", title), level=len(marks))
        elif "<details>" in block:
            add_quiz(deck, block)
        elif kind == "blockquote":
            deck.note(re.sub(r"^> ?", "", block, flags=re.M))
        elif kind == "table":
            add_table(deck, block)
        elif kind == "paragraph" and deck.slides[-1].title != "Quiz":
            exercise = deck.slides[-1].title.startswith("Exercise")
            short = block if exercise else gist(block)
            if block.startswith("**How to use it"):
                short = ""
            if short:
                deck.put(short, height(kind, short))
            if short != block:
                deck.note(block)
        elif kind in ("bullet_list", "ordered_list"):
            short = "\n".join(gist(item, WORDS // 2) for item in joined(block))
            deck.put(short, height(kind, short))
            if short != block:
                deck.note(block)
        elif kind not in ("paragraph", "html_block", "hr"):
            deck.put(block, height(kind, block))


def add_table(deck: Deck, text: str) -> None:
    """A table; a long one goes on under its head on the next slide."""
    head, rows = text.splitlines()[:2], text.splitlines()[2:]
    if deck.slides[-1].level == 1:
        deck.new("What is in it", level=2)
    while rows:
        deck.room_for(height("table", "\n".join(head + rows[:3])))
        fitting = 1
        while fitting < len(rows) and (
            height("table", "\n".join(head + rows[: fitting + 1])) <= deck.slides[-1].room
        ):
            fitting += 1
        part = "\n".join(head + rows[:fitting])
        deck.put(part, height("table", part))
        rows = rows[fitting:]


def add_quiz(deck: Deck, text: str) -> None:
    """Each question on its slide, the answer with the next key."""
    for number, item in enumerate(re.split(r"^\d+\. ", text, flags=re.M)[1:]):
        question, _, answer = item.partition("<details>")
        answer = re.sub(r"<summary>.*?</summary>|</?details>", "", answer)
        if number:
            deck.new()
        deck.put(f"**{' '.join(question.split())}**", 2)
        deck.put(" ".join(answer.split()), 3, fragment=True)


def add_code(deck: Deck, cell: NotebookNode) -> None:
    """Code and what it prints, or the picture that it makes."""
    shown = [output for output in cell.outputs if not is_caption(output)]
    pictures = [output for output in shown if any(mark in str(output) for mark in PICTURES)]
    printed = [output for output in shown if output not in pictures]
    lines = 0.0 if pictures else min(len(cell.source.splitlines()), CODE_LINES) * 0.65 + 0.8
    text = "".join(output.get("text", "") or plain(output) for output in printed)
    results = min(len(text.splitlines()), CODE_LINES) * 0.65 + 0.8 if text else 0.0
    for code, outputs, needed in ((not pictures, [], lines), (False, printed, results)):
        if code or outputs:
            slide = deck.room_for(needed)
            copy = nbformat.from_dict(cell)
            copy.outputs = outputs
            copy.metadata = {} if code else {"tags": ["output-only"]}
            slide.cells.append(copy)
            slide.room -= needed
    for output in pictures:  # under a few words, or alone
        slide = deck.slides[-1] if deck.slides[-1].room >= LINES - 5 else deck.new()
        copy = nbformat.from_dict(cell)
        copy.outputs, copy.metadata = [output], {"tags": ["output-only", "picture"]}
        slide.cells.append(copy)
        slide.room = 0.0


def plain(output: NotebookNode) -> str:
    return output.get("data", {}).get("text/plain", "")


def is_caption(output: NotebookNode) -> bool:
    return output.get("data", {}).get("text/html", "").startswith("<small>")


def deck(notebook: NotebookNode) -> Deck:
    """The slides of a notebook."""
    made = Deck()
    for cell in book.prepared(notebook).cells:
        if LEFT_OUT & set(build.tags(cell)):
            continue
        if cell.cell_type == "markdown" and re.match(r"## References", cell.source):
            break
        if cell.cell_type == "markdown":
            add_markdown(made, cell.source)
        elif cell.outputs or not re.search(r"^(assert|widgets)\b", cell.source, re.M):
            add_code(made, cell)  # but for claims without words, and sliders, which need a kernel
    join_captions(made)
    return made


def join_captions(deck: Deck) -> None:
    """A few words that would stand alone after a picture go under it."""
    kept: list[Slide] = []
    for slide in deck.slides:
        text = [cell.source for cell in slide.cells if cell.cell_type == "markdown"]
        few = len(text) == len(slide.cells) == 1 and height("paragraph", text[0]) < 2.7
        before = kept[-1] if kept else None
        if few and before and before.title == slide.title and before.is_picture():
            before.cells += slide.cells
            before.notes += slide.notes
        else:
            kept.append(slide)
    deck.slides = kept
