"""Slides for a projector from the same notebooks: one reveal.js deck each, offline.

    make slides    # writes build/slides; open build/slides/index.html

How a notebook becomes a deck, in `deck.py` (nothing has to be written for it):

- A heading starts a slide; what does not fit goes to the next one, under the same heading. Parts of
  a notebook lie side by side (right arrow), their slides below each other (down arrow, or space for
  all of them in order).
- A long paragraph is told, not read: its first sentence and what it prints in bold stand on the
  slide, all of it in the speaker's notes (key s). Boxes about other texts go to the notes too.
- Figures, videos and replays have a slide of their own, without the code that makes them. Other
  code is shown; what is long scrolls. Set-up and checks of exercises are left out. A question of
  the quiz shows its answer with the next key.
- Claims (`assert`) that print nothing, and sliders, are for the notebook alone.
- A cell tagged `no-slide` in `notebooks/src` is left out.
"""

import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "notebooks"), str(ROOT / "web")]

import book  # noqa: E402
import build  # noqa: E402
import check  # noqa: E402
import outline  # noqa: E402
from deck import Deck, deck  # noqa: E402

OUTPUT = ROOT / "build" / "slides"


def as_notebook(made: Deck) -> NotebookNode:
    """What nbconvert turns into a deck: cells with the types of slides that it knows."""
    cells = []
    for slide in made.slides:
        if not slide.cells and slide.level > 1:
            continue
        kind = "slide" if slide.level <= 2 else "subslide"
        heading = nbformat.v4.new_markdown_cell(f"{'#' * min(slide.level, 2)} {slide.title}")
        heading.metadata.slideshow = {"slide_type": kind}
        cells += [heading, *slide.cells]
        if slide.notes:
            cells.append(nbformat.v4.new_markdown_cell("\n\n".join(slide.notes)))
            cells[-1].metadata.slideshow = {"slide_type": "notes"}
    for number, cell in enumerate(cells):
        cell.id = str(number)
        if cell.cell_type == "markdown":
            cell.source = link_decks(cell.source)
    return nbformat.v4.new_notebook(cells=cells, metadata=build.METADATA)


def link_decks(text: str) -> str:
    """Links to notebooks lead to their decks; solutions have none."""
    text = re.sub(r"\[([^\]]*)\]\(solutions/.*?\)", r"\1", text)
    return re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.html)", text)


def write(name: str, exporter: object) -> int:
    """Write the deck of one notebook; returns how many slides it has."""
    made = deck(nbformat.read(build.target(name, solved=False), as_version=4))
    page, _ = exporter.from_notebook_node(as_notebook(made), {"metadata": {"name": name}})
    page = re.sub(r"(<iframe\b[^>]*?)\bsrcdoc=", r"\1data-page=", page)  # see the template
    (OUTPUT / f"{name}.html").write_text(page, encoding="utf-8")
    return len(made.slides)


def add_libraries() -> None:
    """reveal.js and MathJax as they come in packages from PyPI."""
    import sphinx_revealjs

    reveal = Path(sphinx_revealjs.__file__).parent / "_static" / "revealjs"
    for part in ("dist", "plugin/notes", "plugin/zoom"):
        shutil.copytree(reveal / part, OUTPUT / "reveal" / part)
    book.add_mathjax(OUTPUT)
    shutil.copy(ROOT / "web/slides/course.css", OUTPUT / "reveal/dist/theme")


def main() -> int:
    from nbconvert.exporters import SlidesExporter

    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    add_libraries()
    exporter = SlidesExporter(
        template_name="slides",
        extra_template_basedirs=[str(ROOT / "web")],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        reveal_url_prefix="reveal",
        reveal_theme="course",
        config={"TagRemovePreprocessor": {"enabled": True, "remove_input_tags": ["output-only"]}},
    )
    items = []
    for name in build.names():
        if name != build.INDEX:
            count = write(name, exporter)
            found = outline.read(name, build.source_cells(name)[0].source)
            title = f"{found.label} · {found.title}"
            items.append(f'<li><a href="{name}.html">{title}</a> ({count} slides)</li>')
    style = '<link rel="stylesheet" href="reveal/dist/theme/course.css">'
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Slides</title>{style}'
    page += f'<body class="list"><h1>Slides</h1><ul>{"".join(items)}</ul></body></html>\n'
    (OUTPUT / "index.html").write_text(page, encoding="utf-8")
    complaints = [found for page in OUTPUT.glob("*.html") for found in check.broken(page)]
    print("\n".join(complaints) or f"Open {OUTPUT / 'index.html'} in a browser.")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
