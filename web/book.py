"""The course as a web site: every notebook with its outputs, search, replays that play.

    make book      # writes build/book; open build/book/index.html, no server is needed

Nothing is executed and nothing is loaded from the network when it is read.
"""

import html
import importlib.util
import re
import shutil
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "notebooks"), str(ROOT / "web")]

import build  # noqa: E402
import check  # noqa: E402

OUTPUT, STAGE = ROOT / "build" / "book", ROOT / ".cache" / "book"
BADGES = re.compile(r"^\[!\[Open in Colab\].*$\n?", re.M)
TOCTREE = "```{{toctree}}\n:hidden:\n:caption: {caption}\n{names}\n```"


def prepared(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook as Sphinx should see it: without badges and set-up, pictures with their words."""
    notebook.cells = [cell for cell in notebook.cells if "setup" not in build.tags(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":  # the theme has its own buttons for Colab and Binder
            cell.source = BADGES.sub("", cell.source)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            alt = output.get("metadata", {}).get("image/png", {}).get("alt")
            if alt and "image/png" in data:  # Sphinx would drop the alt text
                source = f"data:image/png;base64,{data.pop('image/png')}"
                data["text/html"] = f'<img alt="{html.escape(alt)}" src="{source}">'
    return notebook


def contents() -> str:
    """The table of contents, hidden in the index: it becomes the sidebar."""
    lessons = [name for name in build.names() if name != build.INDEX]
    solved = [f"solutions/{name}" for name in lessons if len(build.forms(name)) > 1]
    parts = {"Notebooks": lessons, "Teaching": ["LECTURERS"], "Solutions": solved}
    return "\n\n".join(
        TOCTREE.format(caption=caption, names="\n".join(names)) for caption, names in parts.items()
    )


def stage() -> None:
    """Copy what Sphinx reads into a folder of its own."""
    shutil.rmtree(STAGE, ignore_errors=True)
    for name in build.names():
        for solved in build.forms(name):
            source = build.target(name, solved)
            notebook = prepared(nbformat.read(source, as_version=4))
            if name == build.INDEX:
                notebook.cells.append(nbformat.v4.new_markdown_cell(contents(), id="contents"))
            place = STAGE / source.relative_to(build.HERE)
            place.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, place)
    shutil.copy(build.HERE / "LECTURERS.md", STAGE)


def add_mathjax(static: Path) -> None:
    """MathJax and its fonts, from the package sphinx-mathjax-offline."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    source = Path(package.origin).parent / "static" / "mathjax"
    shutil.copytree(source / "output", static / "mathjax" / "output")
    shutil.copy(source / "tex-chtml.js", static / "mathjax")


def main() -> int:
    from sphinx.cmd.build import build_main

    stage()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    arguments = ["-b", "html", "-c", ROOT / "web" / "book", "-d", STAGE / ".doctrees", "--quiet"]
    failed = build_main([str(a) for a in [*arguments, "--fail-on-warning", STAGE, OUTPUT]])
    if failed:
        return failed
    add_mathjax(OUTPUT / "_static")
    first = f'<meta http-equiv="refresh" content="0; url={build.INDEX}.html">'
    (OUTPUT / "index.html").write_text(f"<!doctype html><title>The course</title>{first}\n")
    pages = [page for page in OUTPUT.rglob("*.html") if "_static" not in page.parts]
    complaints = [found for page in pages for found in check.broken(page)]
    print("\n".join(complaints) or f"Open {OUTPUT / 'index.html'} in a browser.")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
