"""The worker processes of this machine, for Dask: they need no `__main__` guard, one that is killed
is replaced, and none outlives the process that started them.

Dask's own `LocalCluster` gives the scheduler. Its worker processes would run the caller's script
once more, and one that is killed while it starts is never replaced.
"""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import distributed

from quadlib.learning.pool import available_cores, start_python

PAUSE = 2.0  # seconds between two starts of the same worker, should it end at once


@contextlib.contextmanager
def crew(
    client: distributed.Client | None = None,
) -> Iterator[tuple[distributed.Client, Callable[[], None]]]:
    """(client, a function to call now and then): the given client, or one of this machine.

    The workers are one process with one thread per core. The function replaces those that ended;
    the given client's cluster looks after its own.
    """
    if client is not None:
        yield client, lambda: None
        return
    with (
        distributed.LocalCluster(
            n_workers=0, processes=False, protocol="tcp", silence_logs=logging.CRITICAL,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        ) as cluster,
        distributed.Client(cluster) as client,
        _Processes(cluster.scheduler_address, available_cores()) as processes,
    ):  # fmt: skip
        yield client, processes.replace_ended


def wait_for_some(futures: list[distributed.Future], seconds: float = 1.0) -> list:
    """Those that are done, as soon as there is one, or none after some seconds."""
    try:
        if futures:
            distributed.wait(futures, timeout=seconds, return_when="FIRST_COMPLETED")
        else:
            time.sleep(seconds)  # no worker has come yet
    except TimeoutError:
        pass
    return [future for future in futures if future.done()]


class _Processes:
    """Worker processes that are kept at a number. A context manager."""

    def __init__(self, address: str, count: int) -> None:
        self.address = address
        self._processes: list[subprocess.Popen | None] = [None] * count
        self._started = [-PAUSE] * count

    def replace_ended(self) -> None:
        for k, process in enumerate(self._processes):
            ended = process is None or process.poll() is not None
            if ended and time.monotonic() > self._started[k] + PAUSE:
                self._processes[k], self._started[k] = _start(self.address), time.monotonic()

    def __enter__(self) -> "_Processes":
        self.replace_ended()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process is not None:
                process.kill()
                process.wait()
                process.stdin.close()


def _start(address: str) -> subprocess.Popen:
    code = f"from quadlib.search.crew import serve; serve({address!r})"
    return start_python(code, start_new_session=True)  # Control-C is the caller's business


def serve(address: str) -> None:
    """What a worker process does, until its standard input ends."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(_work(address))


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


async def _work(address: str) -> None:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    async with distributed.Worker(
        address, nthreads=1, memory_limit=0, dashboard=False, death_timeout=60
    ) as worker:
        await worker.finished()
