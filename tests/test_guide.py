"""The lecturer's guide speaks of the notebooks that are there, and of each of their exercises."""

import re

import build
import check
import outline
import pytest

GUIDE = check.read(build.HERE / "LECTURERS.md")
LESSONS = [name for name in build.names() if name != build.INDEX]


def section(name: str) -> str:
    found = outline.read(name, build.source_cells(name)[0].source)
    heading = f"## {found.label} · {found.title}\n"
    assert heading in GUIDE, f"LECTURERS.md has no section {heading!r}"
    return GUIDE.partition(heading)[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", LESSONS)
def test_every_exercise_has_its_wrong_answers(name):
    text = section(name)
    exercises, wrong = [], {}
    for cell in build.source_cells(name):
        exercises += re.findall(r"^### (Exercise \d+)", cell.source, re.M)
        if "wrong-answer" in build.tags(cell):
            wrong[exercises[-1]] = wrong.get(exercises[-1], 0) + 1
    rows = dict(re.findall(r"^\| (Exercise \d+), [^|]+ \| (.+) \|$", text, re.M))
    assert list(rows) == exercises
    for exercise, told in rows.items():
        assert told.count("; or ") + 1 == wrong[exercise], f"{exercise}: one for each wrong answer"


def test_no_file_of_the_package_is_longer_than_the_readme_says():
    most = re.search(
        r"no Python file in it has more than (\d+) lines", check.read(check.ROOT / "README.md")
    )
    files = (check.ROOT / "quadlib").rglob("*.py")
    assert [path for path in files if check.read(path).count("\n") > int(most[1])] == []


def test_the_exercises_are_counted():
    cells = [cell.source for name in LESSONS for cell in build.source_cells(name)]
    stars = re.findall(r"^### Exercise \d+ (★+)", "\n".join(cells), re.M)
    assert f"The {len(stars)} exercises" in " ".join(check.read(check.ROOT / "README.md").split())
    assert f"and {len(stars)} exercises" in GUIDE
    hard = sum(len(each) > 1 for each in stars)
    assert f"with two or three stars and presents it; there are {hard} |" in GUIDE


@pytest.mark.parametrize("name", LESSONS)
def test_every_notebook_has_its_point_and_questions_with_answers(name):
    text = section(name)
    assert "**The point of it**" in text and "**If time is short**" in " ".join(text.split())
    questions = re.findall(r"^- \*(.+?)\* (.+)", text, re.M)
    assert len(questions) >= 4
    assert all(len(answer.split()) >= 3 for _, answer in questions)


def test_the_single_lecture_takes_ninety_minutes():
    robot = outline.read("02_env", build.source_cells("02_env")[0].source)
    ppo = outline.read("03_ppo", build.source_cells("03_ppo")[0].source)
    first = sum(part.minutes for part in robot.parts if part.number in (1, 2, 6))
    then = sum(part.minutes for part in ppo.parts if part.number <= 8)
    row = f"2, parts 1, 2 and 6 ({first} min); 3, parts 1 to 8 ({then} min); the quiz of 3 (10 min)"
    assert row in GUIDE and first + then + 10 == 90


@pytest.mark.parametrize("name", LESSONS)
def test_the_readme_lists_every_notebook_with_its_minutes(name):
    minutes = outline.read(name, build.source_cells(name)[0].source).minutes
    readme = check.read(check.ROOT / "README.md")
    row = re.search(rf"^\| \[.+\]\(notebooks/{name}\.ipynb\) \| .+ \| (\d+) \|$", readme, re.M)
    assert row and int(row[1]) == minutes, (
        f"a row | [...](notebooks/{name}.ipynb) | ... | {minutes} |"
    )
