"""Objects in worker processes.

Workers are plain subprocesses that talk over their standard input and output. They need no
`__main__` guard, hold functions defined in a notebook cell (cloudpickle), and end with the parent,
however it ends.
"""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle
import numpy as np

WORKER = "from quadlib.learning.pool import serve; serve()"


class Pool:
    """The same kind of object in each of several processes. A context manager.

    Args:
        make: called in process k with `arguments[k]`.
    """

    def __init__(self, make: Callable[..., Any], arguments: list[tuple]) -> None:
        self._processes: list[subprocess.Popen] = []
        try:
            for _ in arguments:
                self._processes.append(start_python(WORKER, stdout=subprocess.PIPE))
            for process, each in zip(self._processes, arguments, strict=True):
                _send(process, (make, each))
            self._receive_all()
        except BaseException:
            self.close()
            raise

    def ask(self, method: str, arguments: list[tuple]) -> list[Any]:
        """Call a method in all processes at once. An error comes as itself, after the last."""
        for process, each in zip(self._processes, arguments, strict=True):
            _send(process, (method, each))
        return self._receive_all()

    def close(self) -> None:
        """End the processes. Nothing of theirs is worth waiting for."""
        for process in self._processes:
            process.kill()
            process.wait()
            with contextlib.suppress(BrokenPipeError):  # it never read what is still in the pipe
                process.stdin.close()
            process.stdout.close()

    __del__ = close

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive_all(self) -> list[Any]:
        answers = []
        for process in self._processes:
            try:
                answers.append(pickle.load(process.stdout))
            except (EOFError, pickle.UnpicklingError):  # before its answer, or within
                raise RuntimeError(
                    f"a worker process ended by itself (exit code {process.wait()}); "
                    "is the machine out of memory?"
                ) from None
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers


class Here:
    """What a `Pool` of one process does, in this very process."""

    def __init__(self, make: Callable[..., Any], arguments: list[tuple]) -> None:
        self._object = make(*arguments[0])

    def ask(self, method: str, arguments: list[tuple]) -> list[Any]:
        """Call a method."""
        return [getattr(self._object, method)(*arguments[0])]

    def close(self) -> None:
        """Give back what the object holds."""
        self._object.close()


def shared(
    numbers: Sequence[int], processes: int | None
) -> tuple[type[Pool] | type[Here], list[list[int]]]:
    """What runs in so many processes, by default one per core, and each one's share of numbers."""
    if processes is not None and processes < 0:
        raise ValueError(f"processes is a number from 0 on, or None: one per core; not {processes}")
    kind = Here if processes == 0 else Pool
    count = 1 if processes == 0 else min(processes or available_cores(), len(numbers))
    return kind, [part.tolist() for part in np.array_split(numbers, count)]


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_python(code: str, **options: Any) -> subprocess.Popen:
    """Run some code in a new process that finds the modules that are found here.

    Its standard input is a pipe, which ends with this process. `options` are Popen's.
    """
    # One thread each: the BLAS threads of several workers would only get in each other's way.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    # -P: the current folder is searched only where it is in our own path.
    command = [sys.executable, "-P", "-c", code]
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, **options)


def _send(process: subprocess.Popen, message: Any) -> None:
    try:
        process.stdin.write(pickle.dumps(cloudpickle.dumps(message)))
        process.stdin.flush()
    except BrokenPipeError:
        pass  # the answer that cannot be read says so


def serve() -> None:
    """What a worker process does: make one object, then answer method calls until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the stop button is the parent's business
    requests, answers = queue.SimpleQueue(), os.fdopen(os.dup(1), "wb")
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    os.dup2(2, 1)  # prints, Bullet's among them, must not get between the answers
    made = None
    while True:
        message = requests.get()
        try:
            what, arguments = pickle.loads(message)  # may name a module that cannot be found here
            if made is None:
                made, answer = what(*arguments), None
            else:
                answer = getattr(made, what)(*arguments)
            answer = pickle.dumps(answer)
        except Exception as error:
            answer = pickle.dumps(_portable(error))
        answers.write(answer)
        answers.flush()


def _listen(requests: queue.SimpleQueue) -> None:
    """In a thread of its own: the end of a killed parent is heard in the middle of a long call."""
    try:
        while True:
            requests.put(pickle.load(sys.stdin.buffer))
    finally:
        os._exit(0)


def _portable(error: Exception) -> Exception:
    """The error itself if it survives the journey, else one that says the same."""
    error.__cause__ = error.__context__ = None
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
