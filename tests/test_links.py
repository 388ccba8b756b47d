"""`make links`: every address of the course follows, and nothing else changes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import links
import pytest
from links import Address

ROOT = Path(__file__).parents[1]
HERE = links.current()
FORK = Address("ada-l/Legs.2", "winter/2027")


def files(root: Path) -> dict[str, bytes]:
    skip = {"__pycache__", ".cache"}
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not skip & set(path.parts)
    }


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The project without what is not committed."""
    folder = tmp_path_factory.mktemp("fork")
    names = ["README.md", "pyproject.toml", "binder", "notebooks", "web", "quadlib", ".github"]
    names += ["Makefile", "requirements.txt", "tests", ".ci"]
    for name in names:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy(source, folder / name)
    subprocess.run([sys.executable, folder / links.BUILD], check=True)
    return folder


@pytest.mark.slow
def test_a_fork_leaves_no_link_behind_and_finds_the_way_back(copy):
    before = files(copy)
    links.repoint(FORK, copy)
    forked = files(copy)
    left = [
        name
        for name, content in forked.items()
        if re.search(rf"(?<![\w-]){re.escape(HERE.repo)}(?![\w-])".encode(), content)
    ]
    assert left == [], "still name the old repository"

    urls = [
        url
        for name, content in forked.items()
        if not name.startswith("tests")
        for url in re.findall(rf"\S{{,80}}{re.escape(FORK.repo)}[^\s\"')>\\]*".encode(), content)
    ]
    assert any(b"mybinder.org" in url for url in urls)
    assert sum(b"colab.research" in url for url in urls) > len(list(copy.glob("notebooks/*.ipynb")))
    assert any(url.endswith(b".git") for url in urls), "the clone address"
    for url in urls:
        branches = rf"(?<![\w-]){re.escape(HERE.branch)}(?![\w-])".encode()
        assert not re.search(branches, url.partition(b"?urlpath")[0]), url
    notebook = (copy / "notebooks/00_index.ipynb").read_text()
    assert f"git+https://github.com/{FORK.repo}@{FORK.branch}" in notebook

    assert links.repoint(FORK, copy) == [] and files(copy) == forked, "a second time: no change"
    links.repoint(HERE, copy)
    assert files(copy) == before, "the way back: every byte as it was"


def test_only_addresses_change():
    text = "and a/b, github.com/a/b/blob/main/main.py, github.com/a/bc, /gh/a/b/main?x=main"
    after = links.repointed(text, Address("a/b", "main"), Address("c/d", "dev"))
    assert after == (
        "and a/b, github.com/c/d/blob/dev/main.py, github.com/a/bc, /gh/c/d/dev?x=main"
    )


@pytest.mark.parametrize(
    "written",
    ["ada/legs", "https://github.com/ada/legs", "https://github.com/ada/legs.git", "ada/legs/",
     "git@github.com:ada/legs.git"],
)  # fmt: skip
def test_a_repository_may_be_written_in_many_ways(written):
    assert links.parse(written, "main") == Address("ada/legs", "main")


@pytest.mark.parametrize(
    ("repo", "branch"),
    [("legs", "main"), ("ada/", "main"), ("a/b/c", "main"), ("ada/le gs", "main"), ("-a/b", "main"),
     ("ada/..", "main"), ("https://gitlab.com/ada/legs", "main"), ("ada/legs", "-x"),
     ("ada/legs", "a..b"), ("ada/legs", "a b"), ("ada/legs", "")],
)  # fmt: skip
def test_a_bad_address_is_refused_with_advice(repo, branch):
    with pytest.raises(ValueError, match="make links REPO=ada/|not the name of a branch"):
        links.parse(repo, branch)


@pytest.mark.parametrize("repo", ["", "legs"])
def test_the_command_refuses_and_changes_nothing(repo):
    before = (ROOT / links.BUILD).read_bytes()
    command = [sys.executable, ROOT / "web/links.py", repo]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "make links REPO=" in done.stderr
    assert (ROOT / links.BUILD).read_bytes() == before
