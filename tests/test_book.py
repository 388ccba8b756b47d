"""`make book`: a site of all notebooks that needs neither a kernel nor a network."""

import re

import book
import build
import check
import nbformat
import pytest


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The whole site, built once."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book, "STAGE", folder / "stage")
        patch.setattr(book, "OUTPUT", folder / "book")
        assert book.main() == 0
    return folder / "book"


@pytest.mark.slow
def test_every_notebook_has_its_page_and_all_its_outputs(site):
    for name in build.names():
        for solved in build.forms(name):
            notebook = nbformat.read(build.target(name, solved), as_version=4)
            outputs = str([cell.get("outputs", "") for cell in notebook.cells])
            page = site / build.target(name, solved).relative_to(build.HERE).with_suffix(".html")
            html = page.read_text()
            assert html.count("<iframe srcdoc=") == outputs.count("<iframe srcdoc="), "replays"
            pictures = outputs.count('src="data:image/png') + outputs.count("'image/png': '")
            assert html.count('src="data:image/png') == pictures
            for picture in re.findall(r"<img [^>]{,2000}", html):
                assert re.search(r'alt="[^"]+', picture), picture[:80]


@pytest.mark.slow
def test_it_works_from_disk(site):
    assert (site / "_static/mathjax/tex-chtml.js").exists()
    assert 'src="_static/mathjax/tex-chtml.js"' in (site / "03_ppo.html").read_text()
    assert len(list((site / "_static/mathjax").rglob("*.woff"))) > 10
    assert "conjug" in (site / "searchindex.js").read_text(), "the search knows its words"
    assert build.INDEX in (site / "index.html").read_text()


@pytest.mark.slow
def test_a_page_that_goes_missing_is_noticed(site):
    (site / "03_ppo.html").rename(site / "gone.html")
    found = check.broken(site / "02_env.html")
    (site / "gone.html").rename(site / "03_ppo.html")
    assert any("03_ppo.html: no such file" in complaint for complaint in found)


def test_badges_and_set_up_stay_out_and_pictures_keep_their_words():
    notebook = book.prepared(build.generate("02_env", solved=False))
    text = str(notebook)
    assert "colab-badge" not in text and build.SETUP not in [c.source for c in notebook.cells]
    cell = nbformat.v4.new_code_cell("x")
    data = {"image/png": "AAAA", "text/plain": "x"}
    alt = {"image/png": {"alt": 'a "robot"'}}
    cell.outputs = [nbformat.v4.new_output("display_data", data=data, metadata=alt)]
    shown = book.prepared(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs[0].data
    assert (
        shown["text/html"] == ('<img alt="a &quot;robot&quot;" src="data:image/png;base64,AAAA">')
        and "image/png" not in shown
    )
