"""The notebook generator, on a small course of its own."""

import build
import nbformat
import pytest

SOURCE = '''\
# %% [markdown]
# # A title
#
# Some words.

# %%
import sys
print("ran in", len(sys.argv) * 0)

# %% tags=["exercise"]
def double(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% tags=["wrong-answer"]
def double(x):
    return x

# %% tags=["check"]
from quadlib import course
course.check(double, [((2,), 4)])
'''


@pytest.fixture
def small_course(tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "00_small.py").write_text(SOURCE)
    monkeypatch.setattr(build, "HERE", tmp_path)
    return tmp_path


def main(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["build.py", *arguments])
    return build.main()


def test_stub_and_solution(small_course):
    stub, solved = (
        next(c.source for c in build.generate("00_small", s).cells if "exercise" in build.tags(c))
        for s in (False, True)
    )
    assert stub == 'def double(x):\n    """Twice x."""\n    ...  # your code here'
    assert solved == 'def double(x):\n    """Twice x."""\n    return 2 * x'


def test_title_badges_setup_and_no_wrong_answers(small_course):
    first, second, *rest = build.generate("00_small", solved=False).cells
    assert first.source.startswith("# A title\n\n[![Open in Colab]")
    assert first.source.endswith("Some words.")
    assert second.source == build.SETUP
    assert not any("return x" in cell.source for cell in rest)


def test_execute_keeps_outputs_until_the_cell_changes(small_course, monkeypatch):
    assert main(monkeypatch, "--execute") == 0
    path = small_course / "00_small.ipynb"

    def outputs():
        return [str(c.get("outputs", "")) for c in nbformat.read(path, as_version=4).cells]

    assert "ran in 0" in outputs()[2] and "not yet done" in outputs()[-1]
    solved = nbformat.read(small_course / "solutions" / "00_small.ipynb", as_version=4)
    assert "right for all 1" in str(solved.cells[-1].outputs)
    before = path.read_text()
    assert main(monkeypatch) == 0
    assert path.read_text() == before
    source = small_course / "src" / "00_small.py"
    source.write_text(SOURCE.replace("ran in", "went in"))
    assert main(monkeypatch, "--check") == 1
    assert main(monkeypatch) == 0
    assert "ran in" not in outputs()[2] and "not yet done" in outputs()[-1]
    assert main(monkeypatch, "--check") == 0


PARTS = """\
# %% [markdown]
# # A title

# %% [markdown]
# ## 1 · First · 5 min

# %%
import random
print("first", random.random())

# %% [markdown]
# ## 2 · Second · 5 min

# %%
print("second", random.random())

# %% [markdown]
# ## 3 · Third · 5 min

# %%
print("third", random.random())
"""


def test_parts_are_run_alone(small_course, monkeypatch, capsys):
    (small_course / "src" / "00_small.py").write_text(PARTS)

    def cells():
        notebook = nbformat.read(small_course / "00_small.ipynb", as_version=4)
        return [c for c in notebook.cells if c.cell_type == "code"]

    def outputs():
        return [c.outputs[0].text for c in cells() if c.outputs]

    main(monkeypatch, "--execute")
    before = outputs()
    main(monkeypatch, "--execute", "--parts", "1", "3")
    assert [text.split()[0] for text in outputs()] == ["first", "second", "third"]
    assert [a == b for a, b in zip(before, outputs(), strict=True)] == [False, True, False]
    assert [cell.execution_count for cell in cells()] == [None, 2, 3, 4]
    with pytest.raises(ValueError, match="no part 7; the last one is 3"):
        main(monkeypatch, "--execute", "--parts", "7")
    with pytest.raises(Exception, match="random"):
        main(monkeypatch, "--execute", "--parts", "2")
    with pytest.raises(SystemExit):
        main(monkeypatch, "--parts", "2")
    assert "for --execute" in capsys.readouterr().err


def test_a_failing_cell_stops_the_build(small_course, monkeypatch):
    (small_course / "src" / "00_small.py").write_text(SOURCE + "\n# %%\n1 / 0\n")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        main(monkeypatch, "--execute")
    assert not (small_course / "00_small.ipynb").exists()


def test_a_path_of_this_machine_is_refused(small_course, monkeypatch):
    (small_course / "src" / "00_small.py").write_text(SOURCE + "\n# %%\nprint(sys.prefix)\n")
    with pytest.raises(ValueError, match="path of this machine"):
        main(monkeypatch, "--execute")


def test_unknown_name_and_missing_title(small_course, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        main(monkeypatch, "99_nothing")
    assert "there are 00_small" in capsys.readouterr().err
    (small_course / "src" / "00_small.py").write_text("# %%\nx = 1\n")
    with pytest.raises(ValueError, match="Title"):
        build.generate("00_small", solved=False)
