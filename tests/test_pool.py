"""Objects in worker processes: what they are asked, and what becomes of errors."""

import os
import sys

import pytest

from quadlib.learning.pool import Pool, available_cores


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
