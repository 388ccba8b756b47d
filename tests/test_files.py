"""Files are whole or not there, whatever goes wrong while they are written."""

import subprocess
import sys

import pytest

from quadlib.files import write


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


def test_a_folder_that_cannot_be_is_an_error_of_the_system(tmp_path):
    file = write(tmp_path / "file", lambda file: file.write(b"old"))
    with pytest.raises(OSError):
        write(file / "below", lambda file: file.write(b"new"))
    assert file.read_bytes() == b"old"
