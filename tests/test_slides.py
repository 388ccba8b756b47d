"""`make slides`: decks from the notebooks, one idea on a slide, nothing from the network."""

import re

import build
import check
import deck as rules
import nbformat
import pytest
import slides

v4 = nbformat.v4
LESSONS = [name for name in build.names() if name != build.INDEX]
LONG = (
    "The first sentence says it. " + "Then there is more about it, and more, and more. " * 6
) + "**This must be seen.** And an end."


def deck(*cells):
    return slides.deck(v4.new_notebook(cells=list(cells)))


def sources(made):
    return [[cell.source for cell in slide.cells] for slide in made.slides]


def test_a_heading_starts_a_slide():
    made = deck(
        v4.new_markdown_cell("# 7 · Stairs\n\nWhy?\n\n## 1 · Up · 10 min\n\nSo.\n\n### Steps\n\nA.")
    )
    assert [(s.title, s.level) for s in made.slides] == [
        ("7 · Stairs", 1),
        ("1 · Up", 2),
        ("Steps", 3),
    ]
    assert sources(made) == [["Why?"], ["So."], ["A."]]


def test_a_long_paragraph_is_told_not_read():
    made = deck(v4.new_markdown_cell(f"# T\n\n{LONG}"))
    assert sources(made) == [["The first sentence says it. **This must be seen.**"]]
    assert made.slides[0].notes == [LONG]


def test_sentences_are_not_cut_in_formulas_names_and_questions():
    text = "See $f(x). A$ of Tan et al. (2018), e.g. Section 2. Next `a. B` one."
    assert rules.sentences(text) == [
        "See $f(x). A$ of Tan et al. (2018), e.g. Section 2.",
        "Next `a. B` one.",
    ]
    question = "Why? " + "Because it is so. " * 20
    assert rules.gist(question) == "Why? Because it is so."


def test_exercises_are_complete_and_their_checks_left_out():
    stub = v4.new_code_cell("def f(): ...", metadata={"tags": ["exercise"]})
    judge = v4.new_code_cell("course.check(f, [])", metadata={"tags": ["check"]})
    made = deck(v4.new_markdown_cell(f"# T\n\n### Exercise 1 ★ · Climb\n\n{LONG}"), stub, judge)
    assert sources(made)[-1] == [LONG, "def f(): ..."]


def test_a_picture_stands_without_its_code_and_with_a_few_words():
    shown = v4.new_output("display_data", {"text/html": "<img alt='a hill' src='data:x'>"})
    drawn = v4.new_code_cell("draw()", outputs=[shown])
    made = deck(
        v4.new_markdown_cell("# T\n\n## 1 · A\n\nLook:"), drawn, v4.new_markdown_cell("High.")
    )
    (look, picture, high) = made.slides[-1].cells
    assert (look.source, high.source) == ("Look:", "High.")
    assert build.tags(picture) == ["output-only", "picture"]


def test_claims_and_sliders_are_left_out_but_what_they_print_is_shown():
    said = v4.new_output("stream", name="stdout", text="it holds\n")
    made = deck(
        v4.new_markdown_cell("# T\n\nWords."),
        v4.new_code_cell("assert 1 == 1"),
        v4.new_code_cell("assert 2 == 2\nprint('it holds')", outputs=[said]),
        v4.new_code_cell("widgets.explore(draw)"),
        v4.new_code_cell("x = 1", metadata={"tags": ["no-slide"]}),
    )
    codes = [cell for slide in made.slides for cell in slide.cells if cell.cell_type == "code"]
    assert {cell.source for cell in codes} == {"assert 2 == 2\nprint('it holds')"}
    assert str(codes).count("it holds\\n") == 1


def test_a_long_table_goes_on_under_its_head():
    rows = "\n".join(f"| {i} | something |" for i in range(30))
    made = deck(v4.new_markdown_cell(f"# T\n\n## 1 · A\n\n| n | what |\n|---|---|\n{rows}"))
    tables = [cell.source for slide in made.slides[1:] for cell in slide.cells]
    assert len(tables) > 1 and all(table.startswith("| n | what |") for table in tables)
    assert "".join(re.findall(r"^\| (\d+) ", "\n".join(tables), re.M)) == "".join(
        map(str, range(30))
    )


def test_a_question_shows_its_answer_with_the_next_key():
    quiz = "1. Why\n   so?\n   <details><summary>Answer</summary>Because\n   of it.</details>"
    made = slides.as_notebook(deck(v4.new_markdown_cell(f"# T\n\n## Quiz\n\n{quiz}")))
    question, answer = made.cells[-2:]
    assert question.source == "**Why so?**" and answer.source == "Because of it."
    assert answer.metadata.slideshow.slide_type == "fragment"


def test_links_lead_to_decks():
    text = "[1b](01b_trust_regions.ipynb), [solutions](solutions/02_env.ipynb)"
    assert slides.link_decks(text) == "[1b](01b_trust_regions.html), solutions"


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_every_picture_and_replay_of_a_notebook_is_in_its_deck(decks, name):
    notebook = nbformat.read(build.target(name, solved=False), as_version=4)
    outputs = str([cell.get("outputs", "") for cell in notebook.cells])
    page = (decks / f"{name}.html").read_text()
    assert page.count(" data-page=") == outputs.count("<iframe srcdoc=")
    pictures = outputs.count('src="data:image/png') + outputs.count("'image/png': '")
    assert page.count('src="data:image/png') == pictures
    assert check.broken(decks / f"{name}.html") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_one_idea_on_a_slide(name):
    made = slides.deck(nbformat.read(build.target(name, solved=False), as_version=4))
    texts = [
        [c.source for c in slide.cells if c.cell_type == "markdown" and "|---" not in c.source]
        for slide in made.slides
    ]
    words = [len(re.sub(r"\$[^$]+\$", "x", " ".join(text)).split()) for text in texts]
    assert max(words) < 150, texts[words.index(max(words))]
    assert sum(words) / len(words) < 50
    assert 20 < len(made.slides) < 120


@pytest.mark.slow
def test_the_libraries_lie_beside_the_decks(decks):
    for name in ("reveal/dist/reveal.js", "reveal/plugin/notes/notes.js", "mathjax/tex-chtml.js",
                 "reveal/dist/theme/course.css"):  # fmt: skip
        assert (decks / name).stat().st_size > 1000
    links = check.parsed(decks / "index.html").links
    assert links == [f"{name}.html" for name in LESSONS]
