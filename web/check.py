"""Links that lead nowhere, in the repository's texts and in the pages that are made from them.

python web/check.py            # README, notebooks, guides
python web/check.py build/book # built pages: every link, and nothing loaded from the network
"""

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = Path(__file__).parents[1]
TEXTS = ("*.md", "notebooks/*.md", "notebooks/**/*.ipynb", "quadlib/**/*.md", ".github/**/*.md")
# Formulas first: $S[\pi](s)$ is no link.
MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
LOADED = {("img", "src"), ("script", "src"), ("iframe", "src"), ("video", "src"), ("source", "src")}
LOADED_LINKS = {"stylesheet", "icon", "preload", "modulepreload"}


class Page(HTMLParser):
    """What an HTML page links to, what it loads, and the anchors that it offers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and LOADED_LINKS & set(found.get("rel", "").split()):
            self.loaded.append(found["href"])
        self.loaded += [found[name] for name in found if (tag, name) in LOADED]


def read(path: Path) -> str:
    """The Markdown of a text; of a notebook, that of its text cells."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@cache
def parsed(path: Path) -> Page:
    """A text as the page that it becomes, with the anchors that GitHub and Jupyter make."""
    if path.suffix == ".html":
        return Page(path.read_text(encoding="utf-8"))
    tokens = MARKDOWN.parse(read(path))
    page = Page(MARKDOWN.render(read(path)))
    for opening, inline in zip(tokens, tokens[1:], strict=False):
        if opening.type == "heading_open":
            title = re.sub(r"[`*]|\]\(.*?\)|\[", "", inline.content)
            github = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
            page.anchors |= {github, title.replace(" ", "-")}
    for inline in (token for token in tokens if token.type == "inline"):
        for text in (child.content for child in inline.children if child.type == "text"):
            page.links += [f"[{name}] (not defined)" for name in re.findall(r"\]\[(.+?)\]", text)]
    return page


def external(address: str) -> str:
    """What is wrong with the form of an address on the web; empty if nothing."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https", "mailto"):
        return "no such kind of address"
    if parts.scheme != "mailto" and not re.fullmatch(r"([\w-]+\.)+[a-z]{2,}", parts.netloc):
        return "no such server"
    if re.search(r"\s|%20$|[.,;]$", address):
        return "a space or a full stop belongs to the text"
    if parts.netloc == "arxiv.org" and not re.fullmatch(r"/abs/\d{4}\.\d{4,5}", parts.path):
        return "arXiv's addresses are https://arxiv.org/abs/1707.06347"
    if parts.netloc == "doi.org" and not re.match(r"/10\.\d{4,}/\S+", parts.path):
        return "a DOI starts with 10. and four digits"
    return ""


def broken(path: Path) -> list[str]:
    """Complaints about the links of one text or page."""
    complaints = []
    page = parsed(path)
    for link in page.links + page.loaded:
        address, _, anchor = link.partition("#")
        target = (path.parent / unquote(urlsplit(address).path)) if address else path
        if link.endswith("(not defined)"):
            complaint = "a reference without its address"
        elif re.match(r"\w+:", link):
            complaint = "" if link.startswith("data:") else external(link)
        elif not target.exists():
            complaint = "no such file"
        elif anchor and target.suffix in (".html", ".md", ".ipynb"):
            found = unquote(anchor) in parsed(target.resolve()).anchors
            complaint = "" if found else "no such heading"
        else:
            complaint = ""
        if complaint:
            complaints.append(f"{path}: {link[:100]}: {complaint}")
    if path.suffix == ".html":
        outside = [link for link in page.loaded if re.match(r"(https?:)?//", link)]
        complaints += [f"{path}: {link}: loaded from the network" for link in outside]
    return complaints


def texts(root: Path = ROOT) -> list[Path]:
    """Everything that a reader of the repository reads."""
    found = {path for pattern in TEXTS for path in root.glob(pattern)}
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    paths = sorted(folder.rglob("*.html")) if folder else texts()
    complaints = [complaint for path in paths for complaint in broken(path)]
    print("\n".join(complaints) or f"{len(paths)} pages: every link leads somewhere.")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
