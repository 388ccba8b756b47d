"""What Colab has preinstalled must stay as it is: a moved package makes it ask for a restart."""

import re
import shutil
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
COLAB = TESTS / "colab-2026-08-19.txt"


def versions(path: Path) -> dict[str, str]:
    pins = re.findall(r"^([\w.-]+)==([\w.!+]+)", path.read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def moved_on_colab(uv, requirements: Path, work: Path) -> dict[str, tuple[str, str]]:
    """What installing `requirements` on Colab changes: name -> (version before, version after).

    As pip does with what is installed already, uv prefers the versions that stand in its output
    file, and moves one only where a new package asks for it. Wheels only: Colab's Python must not
    compile anything.
    """
    before, after = versions(COLAB), shutil.copy(COLAB, work / "after.txt")
    done = uv(
        "pip", "compile", requirements, "--output-file", after, "--python-version", "3.13",
        "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:", "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pairs = {name: (before.get(name), version) for name, version in versions(after).items()}
    assert "pybullet-arm64" in pairs and "pybullet" not in pairs
    return {name: pair for name, pair in pairs.items() if pair[0] not in (None, pair[1])}


def test_nothing_preinstalled_on_colab_moves(uv, tmp_path):
    assert moved_on_colab(uv, TESTS.parent / "requirements.txt", tmp_path) == {}


@pytest.mark.parametrize("newer", ["ipywidgets>=8", "numpy>2.1.3"])
def test_a_requirement_that_moves_a_package_is_noticed(uv, tmp_path, newer):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text((TESTS.parent / "requirements.txt").read_text() + newer + "\n")
    assert re.match(r"\w+", newer)[0] in moved_on_colab(uv, requirements, tmp_path)
