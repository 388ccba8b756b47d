"""Objects in worker processes: what they are asked, and what becomes of errors."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from toys import alive, ended

from quadlib.learning.pool import Pool, _send, available_cores

HERE = str(Path(__file__).parent)


def test_there_is_a_core():
    assert 1 <= available_cores() <= os.cpu_count()


class Counter:
    def __init__(self, start):
        self.value = start

    def add(self, number):
        self.value += number
        return self.value


def test_a_pool_keeps_an_object_in_each_process():
    with Pool(Counter, [(10,), (20,)]) as pool:
        assert pool.ask("add", [(1,), (2,)]) == [11, 22]
        assert pool.ask("add", [(1,), (2,)]) == [12, 24]


def test_a_pool_answers_again_after_an_error():
    with Pool(Counter, [(10,), (20,)]) as pool:
        with pytest.raises(TypeError):
            pool.ask("add", [("text",), (2,)])
        assert pool.ask("add", [(1,), (2,)]) == [11, 24]


def test_a_module_that_a_worker_cannot_find_is_named(tmp_path, monkeypatch):
    """As after os.chdir: what was imported from here is not found from there."""
    (tmp_path / "only_here.py").write_text("def make(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    monkeypatch.setattr(sys, "path", sys.path[1:])
    with pytest.raises(ModuleNotFoundError, match="only_here"):
        Pool(only_here.make, [()])


class Stubborn:
    def pid(self):
        return os.getpid()

    def work(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.01)

    def die_while_answering(self):
        threading.Timer(0.3, os._exit, (9,)).start()
        return bytes(5_000_000)  # more than a pipe holds

    def unspeakable(self):
        return threading.Lock()


def test_a_worker_does_not_finish_its_call_when_its_parent_is_killed():
    code = f"""
import sys; sys.path.insert(0, {HERE!r})
from test_pool import Pool, Stubborn
pool = Pool(Stubborn, [()])
print(pool.ask("pid", [()])[0], flush=True)
pool.ask("work", [(300,)])
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    time.sleep(0.3)  # in the middle of the call
    assert alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert ended([pid])


def test_a_worker_that_dies_while_it_answers_is_reported():
    with Pool(Stubborn, [()]) as pool:
        _send(pool._processes[0], ("die_while_answering", ()))
        pool._processes[0].wait()  # while nobody reads
        with pytest.raises(RuntimeError, match="ended by itself"):
            pool._receive_all()


def test_an_answer_that_cannot_travel_is_an_error_and_the_worker_goes_on():
    with Pool(Stubborn, [()]) as pool:
        with pytest.raises(TypeError, match="lock"):
            pool.ask("unspeakable", [()])
        assert pool.ask("pid", [()]) == [pool._processes[0].pid]


def test_files_beside_the_notebook_are_not_taken_for_libraries(tmp_path, monkeypatch):
    """Unless Python itself would: a current folder that is not searched here is not there."""
    (tmp_path / "cloudpickle.py").write_text("raise ImportError('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", HERE)])
    with Pool(dict, [()]) as pool:
        assert pool.ask("copy", [()]) == [{}]
