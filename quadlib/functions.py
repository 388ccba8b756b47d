"""What is a function called, and what does it do?"""

import dis
import hashlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType, SimpleNamespace
from typing import Any

# Where installed code stands: it counts by its name alone.
INSTALLED = tuple(
    f"{folder}{os.sep}"
    for folder in (*map(sysconfig.get_path, ("stdlib", "purelib")), Path(__file__).parent)
)
_PLAIN = (type(None), type(...), bool, int, float, complex, str, bytes, range, PurePath)


def name_of(function: Callable) -> str:
    """Its name, or its class's where it has none."""
    return getattr(function, "__name__", type(function).__name__)


def code_of(function: Any) -> str | None:
    """SHA-256 of what a function does, the same in every process; None of what is no function.

    It changes with the code and with the numbers, texts and own functions that the code uses, not
    with comments, or with where the function stands. Another minor version of Python compiles
    otherwise.
    """
    if not callable(function):
        return None
    return hashlib.sha256(repr(_read(function, {})).encode()).hexdigest()


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Where an error came through, without what is installed: a student's own lines."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith(INSTALLED)]


def _read(value: Any, seen: dict[int, Any]) -> Any:
    """A value as nested texts, without addresses. What was read before is not read again."""
    if isinstance(value, _PLAIN):
        return repr(value)
    if hasattr(value, "tolist") and not isinstance(value, type):  # NumPy's and PyTorch's
        return repr(value.tolist())
    if isinstance(value, (set, frozenset)):
        return sorted(repr(_read(each, seen)) for each in value)
    if isinstance(value, (list, tuple, dict)):
        parts = value.items() if isinstance(value, dict) else value
        return [_read(each, seen) for each in parts]
    name = getattr(value, "__qualname__", type(value).__qualname__)
    if id(value) in seen:
        return name
    seen[id(value)] = value
    return [name, *(_read(part, seen) for part in _parts(value))]


def _parts(value: Any) -> tuple:
    """What makes it what it is."""
    match value:
        case CodeType():
            return value.co_code, value.co_names, value.co_consts
        case partial():
            return value.func, value.args, value.keywords
        case MethodType():
            return value.__func__, value.__self__
        case FunctionType():
            closure = [cell.cell_contents for cell in value.__closure__ or ()]
            own = value.__defaults__, value.__kwdefaults__, closure
            if value.__code__.co_filename.startswith(INSTALLED):
                return own
            used = {k: value.__globals__.get(k) for k in sorted(_globals(value.__code__))}
            return *own, used, value.__code__
        case type():
            kinds = (each for each in value.__mro__ if each is not object)
            return tuple(part for each in kinds for part in _members(each))
    kind = type(value)
    if callable(value) or is_dataclass(value) or not _installed(kind):
        slots = _slots(value)
        return kind, getattr(value, "__dict__", {}), *([slots] if slots else [])
    return ()


def _members(kind: type) -> Iterator:
    """Methods, and the numbers and texts that stand in a class."""
    given = getattr(kind, "__dataclass_fields__", {})  # each object has its own
    for name, member in sorted(vars(kind).items()):
        if isinstance(member, property):
            yield from (each for each in (member.fget, member.fset) if each)
        elif isinstance(member, (staticmethod, classmethod)):
            yield member.__func__
        elif isinstance(member, FunctionType):
            yield member
        elif not (name.startswith("__") or name in given or _installed(kind)):
            yield name, member


def _slots(value: Any) -> dict[str, Any]:
    names = (vars(each).get("__slots__", ()) for each in type(value).__mro__)
    names = [n for some in names for n in ([some] if isinstance(some, str) else some)]
    names = [n for n in names if not n.startswith("__") and hasattr(value, n)]
    return {name: getattr(value, name) for name in names}


def _installed(kind: type) -> bool:
    """Is it Python's, a library's or the course's own, and no student's class?"""
    if kind is SimpleNamespace or kind.__module__ == "__main__":
        return False
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is None or file.startswith(INSTALLED)


def _globals(code: CodeType) -> set[str]:
    """The global names that some code and the functions within it read."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return names.union(*map(_globals, inner))
