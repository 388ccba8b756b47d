"""Point every badge, link and clone address of the course at another repository.

    make links REPO=owner/name [BRANCH=main]

For whoever forks the course. The present address stands in `notebooks/build.py`; wherever a text
names that repository on GitHub, Colab, Binder or nbviewer, this puts the new one, and then writes
the notebooks again (their outputs stay).
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BUILD = "notebooks/build.py"
TEXTS = ("*.md", "*.toml", "binder/*", "notebooks/*.md", "notebooks/src/*.py", "web/*")
# What stands before owner/name: on GitHub (web, ssh, raw files), Colab and nbviewer, Binder.
SITES = r"(?:github\.com[/:]|githubusercontent\.com/|/github/|/gh/)"


class Address(NamedTuple):
    """A repository on GitHub and one of its branches."""

    repo: str  # owner/name
    branch: str


def parse(repo: str, branch: str) -> Address:
    """The address, checked. `repo` may be copied from the browser.

    Raises:
        ValueError: GitHub would not accept such a name; the message says what one looks like.
    """
    repo = re.sub(r"^(https://|git@)?github\.com[/:]", "", repo.strip()).rstrip("/")
    repo = repo.removesuffix(".git")
    owner = "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}"  # GitHub's own rule
    if not re.fullmatch(rf"{owner}/(?!\.{{1,2}}$)[\w.-]{{1,100}}", repo, re.ASCII):
        raise ValueError(
            f"REPO={repo!r} is not a repository on GitHub. It is an owner, a slash and a name:\n"
            "    make links REPO=ada/learned-locomotion"
        )
    if not re.fullmatch(r"(?![-/.])(?!.*(\.\.|//))[\w./-]*[\w-]", branch, re.ASCII):
        raise ValueError(f"BRANCH={branch!r} is not the name of a branch; often it is main")
    return Address(repo, branch)


def current(root: Path = ROOT) -> Address:
    """The address that the course has now."""
    text = (root / BUILD).read_text()
    repo, branch = (
        re.search(rf'^{name} = "(.*)"$', text, re.M)[1] for name in ("REPOSITORY", "BRANCH")
    )
    return Address(repo, branch)


def repointed(text: str, old: Address, new: Address) -> str:
    """The text with every address of `old` replaced by that of `new`."""
    address = re.compile(rf"({SITES}){re.escape(old.repo)}(\.git\b)?(?![\w-]|\.\w)([^\s\"'<>)\]]*)")
    branch = re.compile(
        rf"(^/(?:blob/|tree/|raw/)?|^@|\bbranch=){re.escape(old.branch)}(?![\w-]|\.\w)"
    )

    def replace(found: re.Match) -> str:
        site, git, rest = found.groups(default="")
        return site + new.repo + git + branch.sub(rf"\g<1>{new.branch}", rest)

    return address.sub(replace, text)


def repoint(new: Address, root: Path = ROOT) -> list[Path]:
    """Change the files under `root`; returns those that changed, the notebooks not counted."""
    old, changed = current(root), []
    for path in sorted({path for pattern in TEXTS for path in root.glob(pattern)}):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            if (after := repointed(text, old, new)) != text:
                times = path.stat()  # kept: new addresses are no cause to install anew
                path.write_text(after, encoding="utf-8")
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
                changed.append(path)
    build = (root / BUILD).read_text(encoding="utf-8")
    after = re.sub(r'^REPOSITORY = ".*"$', f'REPOSITORY = "{new.repo}"', build, flags=re.M)
    after = re.sub(r'^BRANCH = ".*"$', f'BRANCH = "{new.branch}"', after, flags=re.M)
    if after != build:
        (root / BUILD).write_text(after, encoding="utf-8")
        changed.append(root / BUILD)
    subprocess.run([sys.executable, root / BUILD], check=True, stdout=subprocess.DEVNULL)
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repo")
    parser.add_argument("branch", nargs="?", default="main")
    options = parser.parse_args()
    if not options.repo:
        parser.exit(2, "Which repository? make links REPO=owner/name [BRANCH=main]\n")
    try:
        new = parse(options.repo, options.branch)
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    for path in repoint(new):
        print(path.relative_to(ROOT))
    print(f"Every link points at https://github.com/{new.repo}, branch {new.branch}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
