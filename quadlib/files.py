"""Files that are whole or not there, and files that one process holds."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TextIO

# What a file system says that knows no locks, as some that are mounted over a network.
NO_LOCKS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK)
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
        with contextlib.suppress(FileNotFoundError):  # it is in its place already
            os.unlink(file.name)
        raise
    return path


def lock(path: str | os.PathLike) -> TextIO:
    """An open file that no other process can lock before it is closed, or the process ends.

    Where the file system knows no locks, nobody is kept out.

    Raises BlockingIOError where another one has it.
    """
    import fcntl

    file = open(path, "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            file.close()
            raise
    return file
