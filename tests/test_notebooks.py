"""Every notebook: generated from its source, and its exercises judged rightly."""

import html
import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode

import build
import cells
import nbformat
import outline
import pytest
import toys

from quadlib.showing import clips, gait_maker, reward_mixer, viewer, widgets

NAMES = build.names()
LESSONS = [name for name in NAMES if name != build.INDEX]
FILES = [(name, solved) for name in NAMES for solved in build.forms(name)]


@pytest.mark.parametrize("name", NAMES)
def test_notebook_is_what_its_source_says(name):
    assert build.differences(name) == [], f"run: python notebooks/build.py {name}"


def test_no_notebook_without_source():
    generated = {path.stem for path in build.HERE.glob("*.ipynb")}
    generated |= {path.stem for path in (build.HERE / "solutions").glob("*.ipynb")}
    assert generated <= set(NAMES)


@pytest.mark.parametrize("name", LESSONS)
def test_objectives_times_and_summary(name):
    """The table at the top is what the notebook then does, with the same minutes."""
    texts = [c.source for c in build.source_cells(name) if c.cell_type == "markdown"]
    found = outline.read(name, texts[0])
    assert found.label and found.title and found.needs
    headings = re.findall(r"^## (\d+) · .+ · (\d+) min$", "\n".join(texts), re.M)
    assert headings == [(str(part.number), str(part.minutes)) for part in found.parts]
    assert len(headings) >= 3 and all(part.able_to for part in found.parts)
    assert 20 <= found.minutes <= 90, "a lecture is 90 minutes"
    assert any("## Summary" in text for text in texts) and "## References" in texts[-1]
    assert all(other in NAMES for other in found.before)


@pytest.mark.parametrize("name", NAMES)
def test_exercise_checks(name):
    """Each check accepts the solution, is gentle with the stub, and rejects a wrong answer."""
    for exercise in cells.run(name).exercises:
        where = exercise.source.partition("\n")[0]
        assert exercise.solution and exercise.solution.status == "right", where
        assert exercise.stub.status == "not yet done", where
        assert exercise.wrong, f"{where} has no wrong answer to reject"
        for verdict in exercise.wrong:
            assert verdict.status == "wrong", where
            assert " = " in verdict.message, f"{where}: the message shows no inputs"


@pytest.mark.parametrize("name", NAMES)
def test_widgets(name):
    """A notebook that runs shows the first value of each slider only, and presses no button."""
    for value in cells.run(name).shown:
        explorer = getattr(value, "explorer", value)
        if isinstance(explorer, widgets.Explorer):
            toys.check_extremes(explorer)
        if isinstance(value, gait_maker.GaitMaker):
            value.button.click()
            assert "srcdoc=" in value.stage.value
        if isinstance(value, reward_mixer.RewardMixer):
            value.train.click()
            assert value.wait(300)
            assert "srcdoc=" in value.scene.value, value.curve.value


@pytest.mark.parametrize("name", NAMES)
def test_exercises_stay_together(name):
    """exercise, wrong answers, check: in this order, with nothing but prose between them."""
    kinds = [
        next((k for k in ("exercise", "wrong-answer", "check") if k in build.tags(cell)), "other")
        for cell in build.source_cells(name)
        if cell.cell_type == "code"
    ]
    text = " ".join(kinds)
    text = re.sub(r"exercise( wrong-answer)+ check", "", text)
    assert set(text.split()) <= {"other"}


@pytest.mark.parametrize(("name", "solved"), FILES)
def test_stored_outputs_are_clean(name, solved):
    """What a reader of the static page sees: no errors, no warnings, nothing without a kernel."""
    notebook = nbformat.read(build.target(name, solved), as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error", cell.source
            assert output.get("execution_count") in (None, cell.execution_count), cell.source
            assert output.get("name") != "stderr", cell.source
            assert build.WIDGET not in output.get("data", {}), cell.source
            words = output.get("metadata", {}).get("image/png", {}).get("alt")
            if "image/png" in output.get("data", {}) and not words:
                pytest.fail(f"a figure without alt text; use course.show:\n{cell.source}")
            text = re.sub(r"[\w+/=]{200,}", "", str(output))  # without pixels
            for sign in (
                "Warning",
                "site-packages",
                "/home/",
                "/Users/",
                "/root/",
                "/tmp/",
                "C:\\",
            ):
                assert sign not in text, f"{sign} in an output of\n{cell.source}"


def sizes(output):
    """(kind, bytes) of each picture and replay of an output, as it was before it was encoded."""
    for kind, content in output.get("data", {}).items():
        if kind.startswith("image/"):
            yield "picture", len(content) if kind == "image/svg+xml" else len(b64decode(content))
        if kind == "text/html":
            for picture in re.findall(r"""src=["']data:image/[^,]*;base64,([\w+/=]+)""", content):
                yield "picture", len(b64decode(picture))
            for page in re.findall(r'srcdoc="([^"]*)"', content):
                yield "replay", len(html.unescape(page).encode())


@pytest.mark.parametrize(("name", "solved"), FILES)
def test_stored_pictures_and_replays_are_small(name, solved):
    """Pages of repositories show no large files, and readers have slow connections."""
    limits = {"picture": clips.MAX_GIF_BYTES, "replay": viewer.MAX_PAGE_BYTES}
    assert limits == {"picture": 600_000, "replay": 1_500_000}
    notebook = nbformat.read(build.target(name, solved), as_version=4)
    found = [
        (kind, size, cell.source)
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for kind, size in sizes(output)
    ]
    assert found, "no picture at all"
    assert [one for one in found if one[1] > limits[one[0]]] == []


def test_what_is_too_large_is_found():
    page = "<i>&</i>" * 300_000
    output = {
        "text/html": f'<iframe srcdoc="{html.escape(page)}"></iframe>',
        "image/png": b64encode(bytes(700_000)).decode(),
    }
    assert sorted(sizes({"data": output})) == [("picture", 700_000), ("replay", 2_400_000)]


def test_setup_cell_does_nothing_where_quadlib_is():
    assert len(build.SETUP.splitlines()) <= 10
    script = "import sys; sys.modules['subprocess'] = None\n" + build.SETUP.replace(
        ", subprocess", ""
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=cells.ROOT)


def test_setup_cell_installs_from_where_it_is_told(tmp_path):
    """Where quadlib is missing the cell calls pip once, with QUADLIB_SOURCE or the repository."""
    script = (
        "import importlib.util, subprocess\n"
        "importlib.util.find_spec = lambda name: None\n"
        "subprocess.run = lambda command, check: print(command[-1], check)\n" + build.SETUP
    )
    for source in (str(tmp_path), None):
        environment = {k: v for k, v in os.environ.items() if k != "QUADLIB_SOURCE"}
        environment |= {"QUADLIB_SOURCE": source} if source else {}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True
        )
        expected = source or f"git+https://github.com/{build.REPOSITORY}@{build.BRANCH}"
        assert done.stdout.split() == [expected, "True"], done.stderr
