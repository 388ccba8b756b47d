"""What the index says of a notebook is what the notebook says."""

import outline

FIRST_CELL = """\
# 7 · Stairs

Why is that hard?

| Part | You will be able to | Minutes |
|---|---|---|
| 1 Up | climb | 10 |
| 2 Down again | say why $x$ is hard | 25 |

You need: [notebook 3](03_ppo.ipynb), or its summary;
some patience. Exercises have stars. [Solutions](solutions/07_stairs.ipynb) are there.
"""


def test_everything_is_found():
    found = outline.read("07_stairs", FIRST_CELL)
    assert (found.label, found.title) == ("7", "Stairs")
    assert found.needs == "[notebook 3](03_ppo.ipynb), or its summary; some patience."
    assert found.before == ["03_ppo"]
    assert found.minutes == 35
    assert found.parts[1] == outline.Part(2, "Down again", "say why $x$ is hard", 25)


def test_the_map_names_only_what_is_there():
    stairs = outline.read("07_stairs", FIRST_CELL)
    alone = outline.as_markdown([stairs], "https://colab")
    assert (
        "| 7 | [Stairs](07_stairs.ipynb) | 35 | – | [open](https://colab/07_stairs.ipynb) |"
        in alone
    )
    ppo = outline.read("03_ppo", "# 3 · PPO")
    both = outline.as_markdown([ppo, stairs], "https://colab")
    assert "| 35 | 3 |" in both and "- climb (Up, 10 min)" in both


def test_a_notebook_that_says_nothing_is_listed_all_the_same():
    draft = outline.read("08_draft", "# A draft\n\nWords.")
    assert (draft.label, draft.title, draft.needs, draft.minutes) == ("", "A draft", "", 0)
    assert "[A draft](08_draft.ipynb)" in outline.as_markdown([draft], "https://colab")
