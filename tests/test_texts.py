"""Texts do not rot: links lead somewhere, words are spelled right, pictures say what they show."""

import re
from html.parser import HTMLParser
from pathlib import Path

import check
import nbformat
import pytest

spellchecker = pytest.importorskip("spellchecker")

ROOT = Path(__file__).parents[1]
WORDS = Path(__file__).parent / "words.txt"
TEXTS = check.texts()
# A solution has the words of its notebook.
PROSE = [path for path in TEXTS if "solutions" not in path.parts]
NOTEBOOKS = [path for path in TEXTS if path.suffix == ".ipynb"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_texts_are_found():
    some = {"README.md", "notebooks/00_index.ipynb", "notebooks/solutions/03_ppo.ipynb"}
    assert some <= {name(path) for path in TEXTS}


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_links(path):
    assert check.broken(path) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gone](gone.md)", "no such file"),
        ("![a robot](gone.png)", "no such file"),
        ("[up](#Here)", "no such heading"),
        ("[there](other.md#nowhere)", "no such heading"),
        ("[paper](https://arxiv.org/pdf/1707)", "arXiv"),
        ("[paper](https://doi.org/1126/x)", "DOI"),
        ("[site](https://localhost:8888/x)", "no such server"),
        ("[site](htps://example.org)", "no such kind"),
        ("[site][nowhere]", "without its address"),
        ("<a href='gone.md'>gone</a>", "no such file"),
    ],
)
def test_a_dead_link_is_found(tmp_path, text, complaint):
    (tmp_path / "other.md").write_text("# Another page\n")
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{text}\n")
    assert [c for c in check.broken(page) if complaint in c], check.broken(page)


def test_good_links_and_formulas_pass(tmp_path):
    (tmp_path / "other.md").write_text("# Another `page`, really\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n[a](other.md) [b](#a-page) [c](other.md#another-page-really) $S[\\pi](s)$ "
        "[d](https://arxiv.org/abs/1707.06347) [e][f]\n\n[f]: https://example.org/x_(y)\n"
    )
    assert check.broken(page) == []


def test_a_page_that_loads_something_from_the_network_is_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<script src='https://example.org/x.js'></script><a href='#top'>up</a>")
    assert [c.split(": ")[-1] for c in check.broken(page)] == [
        "no such heading",
        "loaded from the network",
    ]


def prose(text: str) -> str:
    """A Markdown text without code, formulas and addresses."""
    inline = (token for token in check.MARKDOWN.parse(text) if token.type == "inline")
    return " ".join(c.content for token in inline for c in token.children if c.type == "text")


def unknown_words(text: str, speller: "spellchecker.SpellChecker") -> set[str]:
    """Words that neither the dictionary nor tests/words.txt has; capital letters are names."""
    text = re.sub(r"\S*(://|_|\d|@)\S*", " ", prose(text)).replace("’", "'")
    words = re.findall(r"(?<![\w'-])[a-z]{3,}(?:'[a-z]+)?(?![\w'])", text)
    return speller.unknown(words)


@pytest.fixture(scope="module")
def speller():
    known = spellchecker.SpellChecker(distance=1)
    known.word_frequency.load_words(WORDS.read_text().split())
    return known


@pytest.mark.parametrize("path", PROSE, ids=name)
def test_spelling(path, speller):
    unknown = sorted(unknown_words(check.read(path), speller))
    assert unknown == [], f"correct them, or add what is right to {name(WORDS)}"


def test_a_misspelled_word_is_found(speller):
    text = "The *recieved* reward of the `quadlub` robott at $x$, http://exampel.org, softmax."
    assert unknown_words(text, speller) == {"recieved", "robott"}


class Pictures(HTMLParser):
    """The pictures, videos and frames of an HTML output, and what they are called."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        names = {"img": "alt", "iframe": "title", "video": "aria-label", "canvas": "aria-label"}
        if tag in names:
            self.found.append((tag, dict(attributes).get(names[tag]) or ""))


def pictures(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found += Pictures(check.MARKDOWN.render(cell.source)).found
        for output in cell.get("outputs", []):
            for kind, data in output.get("data", {}).items():
                if kind.startswith("image/"):
                    found.append((kind, output.metadata.get(kind, {}).get("alt", "")))
                if kind == "text/html":
                    found += Pictures(data).found
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_every_figure_and_replay_says_what_it_shows(path):
    found = pictures(nbformat.read(path, as_version=4))
    assert len(found) > 2, "nothing but the badges"
    for kind, words in found:
        badge = words in ("Open in Colab", "Launch Binder")
        assert badge or len(words.split()) >= 5, f"{kind} needs a sentence, not {words!r}"


def test_a_picture_without_words_is_found():
    html = "<img src='x.png'><iframe title=''></iframe><img alt='A robot.'>"
    assert Pictures(html).found == [("img", ""), ("iframe", ""), ("img", "A robot.")]
