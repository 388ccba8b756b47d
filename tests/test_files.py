"""Files are whole or not there, whatever goes wrong while they are written; locks are held."""

import errno
import os
import subprocess
import sys

import pytest

from quadlib.files import lock, write


def test_a_file_is_written_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "file.bin"
    assert write(str(path), lambda file: file.write(b"content")) == path
    assert path.read_bytes() == b"content"
    assert list(path.parent.iterdir()) == [path]


def test_others_may_read_it(tmp_path):
    path = write(tmp_path / "file", lambda file: file.write(b"x"))
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_new_version_replaces_the_old(tmp_path):
    path = write(tmp_path / "file", lambda file: file.write(b"a longer first version"))
    write(path, lambda file: file.write(b"second"))
    assert path.read_bytes() == b"second"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_half_way_leaves_the_old_version_alone(tmp_path, error):
    path = write(tmp_path / "file", lambda file: file.write(b"old"))

    def half(file):
        file.write(b"ne")
        raise error

    with pytest.raises(type(error)):
        write(path, half)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path], "something half written was left"


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes there")
@pytest.mark.parametrize("size", [5_000, 50_000])
def test_a_disk_that_is_really_full_leaves_the_old_version_alone(tmp_path, size):
    """The limit on a file's size acts as the end of a disk does; small files meet it last."""
    path = write(tmp_path / "file", lambda file: file.write(b"old"))
    code = (
        "import resource, signal, sys; from quadlib.files import write;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        f"write(sys.argv[1], lambda file: file.write(bytes({size})))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert "OSError" in done.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path], "something half written was left"


def test_a_stop_just_after_the_last_step_is_a_stop(tmp_path, monkeypatch):
    replace = os.replace

    def stopped(source, target):
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "file", lambda file: file.write(b"new"))
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_lock_is_held_until_it_is_closed_or_its_process_ends(tmp_path):
    code = "import sys; from quadlib.files import lock; held = lock(sys.argv[1])"
    command = [sys.executable, "-c", code, tmp_path / "lock"]
    with lock(tmp_path / "lock"):
        with pytest.raises(BlockingIOError):
            lock(tmp_path / "lock")
        done = subprocess.run(command, capture_output=True, text=True)
        assert "BlockingIOError" in done.stderr
    subprocess.run(command, check=True)
    lock(tmp_path / "lock").close()


def test_a_folder_that_cannot_be_is_an_error_of_the_system(tmp_path):
    file = write(tmp_path / "file", lambda file: file.write(b"old"))
    with pytest.raises(OSError):
        write(file / "below", lambda file: file.write(b"new"))
    assert file.read_bytes() == b"old"


def test_where_there_are_no_locks_nobody_is_kept_out(tmp_path, monkeypatch):
    """As on a drive that is mounted over a network. Other errors come out."""
    import fcntl

    def refuse(number):
        def flock(*_):
            raise OSError(number, "flock")

        monkeypatch.setattr(fcntl, "flock", flock)

    refuse(errno.EOPNOTSUPP)
    lock(tmp_path / "lock").close()
    refuse(errno.EIO)
    with pytest.raises(OSError, match="flock"):
        lock(tmp_path / "lock")
