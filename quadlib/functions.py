"""What is a function called, and what does it do?"""

import dis
import hashlib
import os
import sysconfig
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType
from typing import Any

# Where installed code stands: it counts by its name alone.
_INSTALLED = tuple(
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
            if value.__code__.co_filename.startswith(_INSTALLED):
                return own
            used = {k: value.__globals__.get(k) for k in sorted(_globals(value.__code__))}
            return *own, used, value.__code__
        case type():
            members = (member for _, member in sorted(vars(value).items()))
            return tuple(member for member in members if isinstance(member, FunctionType))
    if callable(value) or is_dataclass(value):
        return type(value), getattr(value, "__dict__", {})
    return ()


def _globals(code: CodeType) -> set[str]:
    """The global names that some code and the functions within it read."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return names.union(*map(_globals, inner))
