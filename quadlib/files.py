"""Files that are whole or not there."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".unfinished-"  # begins the name of a file that a killed process leaves behind


def write(path: str | os.PathLike, write_to: Callable[[BinaryIO], object]) -> Path:
    """Call `write_to` with a new binary file, then put it in the place of `path` in one go.

    Raises OSError (full disk, read-only folder); what stood at `path` is then untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=UNFINISHED, suffix=path.suffix, delete=False
    )
    try:
        with file:
            write_to(file)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except BaseException:  # a full disk may be noticed as late as in closing the file
        os.unlink(file.name)
        raise
    return path
