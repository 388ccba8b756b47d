"""Functions are known by what they do."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from toys import Walk

import quadlib
from quadlib.functions import code_of, name_of
from quadlib.showing.reward_mixer import Mix
from quadlib.world.randomization import Variations


def made_by(source, name="reward", **variables):
    """A function as a notebook's cell makes it."""
    exec(source, variables)
    return variables[name]


def test_a_name_is_the_functions_or_its_classs():
    assert name_of(len) == "len" and name_of(Walk) == "Walk"
    assert name_of(partial(len)) == "partial"


def test_what_is_no_function_has_no_code():
    assert code_of("Minitaur") is None and code_of(None) is None


FIRST = "def reward(step): return step.dx - 0.005 * step.energy"


@pytest.mark.parametrize(
    "edited",
    [
        "def reward(step): return step.dx - 0.05 * step.energy",
        "def reward(step): return step.dx + 0.005 * step.energy",
        "def reward(step): return step.dy - 0.005 * step.energy",
        "def reward(step, weight=2): return step.dx - 0.005 * step.energy",
    ],
)
def test_an_edit_is_another_code(edited):
    assert code_of(made_by(edited)) != code_of(made_by(FIRST))


def test_comments_place_and_what_else_is_there_do_not_count():
    moved = "energy = 3\n\n# mine\ndef reward(step):\n    return step.dx - 0.005 * step.energy  # !"
    assert code_of(made_by(moved)) == code_of(made_by(FIRST))
    again = made_by(FIRST)
    before = code_of(again)
    for _ in range(100):  # Python rewrites code that runs often
        again(quadlib.Step(*range(len(quadlib.Step.__dataclass_fields__))))
    assert code_of(again) == before


@pytest.mark.parametrize(
    "source",
    [
        "reward = lambda step: used * step.dx",
        "def reward(step): return sum(used * d for d in (step.dx, step.dy))",
        "def reward(step, weight=used): return weight * step.dx",
        "def outer(w):\n    def reward(step): return w * step.dx\n    return reward\n"
        "reward = outer(used)",
        "def weigh(x): return used * x\ndef reward(step): return weigh(step.dx)",
        "from functools import partial\nreward = partial(lambda step, w: w * step.dx, w=used)",
        "class Reward:\n    def __init__(self): self.w = used\n"
        "    def __call__(self, step): return self.w * step.dx\nreward = Reward()",
    ],
)
def test_what_the_code_uses_belongs_to_it(source):
    one, same, other = (code_of(made_by(source, used=value)) for value in (1.0, 1.0, 2.0))
    assert one == same != other


def test_a_class_is_known_by_its_methods():
    source = "class reward:\n    def __call__(self, step): return {} * step.dx"
    one, other = (made_by(source.format(number)) for number in (1, 2))
    assert code_of(one) != code_of(other) and code_of(one()) != code_of(other())


CALLED = "    def __call__(self, step): return self.w()"
CLASSES = {
    "attribute": "class Reward:\n    w = lambda self: self.n\n    n = WEIGHT\n" + CALLED,
    "base": "class A:\n    def w(self): return WEIGHT\nclass Reward(A):\n" + CALLED,
    "static": "class Reward:\n    @staticmethod\n    def w(): return WEIGHT\n" + CALLED,
    "class": "class Reward:\n    @classmethod\n    def w(cls): return WEIGHT\n" + CALLED,
    "property": "class Reward:\n    @property\n    def w(self): return lambda: WEIGHT\n" + CALLED,
    "slots": "class Reward:\n    __slots__ = 'n'\n    w = lambda self: self.n\n"
    "    def __init__(self): self.n = WEIGHT\n" + CALLED,
    "namespace": "class W:\n    n = WEIGHT\nReward = lambda: lambda step: W.n",
    "simple": "from types import SimpleNamespace as N\nW = N(n=WEIGHT)\n"
    "Reward = lambda: lambda step: W.n",
}


@pytest.mark.parametrize("kind", CLASSES)
def test_an_edit_of_a_class_is_another_code(kind):
    """Code of a notebook: there __name__ is "__main__"."""
    codes = []
    for weight in (1, 2, 1):
        variables = {"__name__": "__main__"}
        exec(CLASSES[kind].replace("WEIGHT", str(weight)), variables)
        codes.append(code_of(variables["Reward"]()))
    assert codes[0] == codes[2] != codes[1]


def test_the_courses_own_functions_are_known_by_what_they_are_given():
    worlds = [partial(quadlib.make, "Minitaur", variations=Variations(n)) for n in (1.0, 0.9, 0.9)]
    none, some, same = map(code_of, worlds)
    assert none != some == same
    terms = {"forward": lambda step: step.dx}
    light, heavy, again = (code_of(Mix(terms, {"forward": w})) for w in (1.0, 2.0, 1.0))
    assert light == again != heavy


def test_whatever_a_function_uses_can_be_read():
    variables = {"table": np.eye(2), "out": sys.stdout, "kind": np.ndarray, "f": abs}
    source = "def reward(step): return reward, table, out, kind, f, {1, 'a', 'b'}, step"
    assert code_of(made_by(source, **variables)) != code_of(made_by(FIRST))
    assert code_of(partial(Walk, length=3)) != code_of(partial(Walk, length=4))


def test_it_is_the_same_in_every_process():
    """Sets have another order there, and objects other addresses."""
    code = (
        "import functools, sys; from quadlib.functions import code_of\n"
        "words, out = {'to', 'and', 'fro'}, sys.stdout\n"
        "def reward(step):\n    return step.name in {'one', 'two', 'three'} or words or out\n"
        "print(code_of(functools.partial(reward, weights={'a': 1})))"
    )
    command = [sys.executable, "-c", code]
    assert len({subprocess.check_output(command) for _ in range(3)}) == 1
