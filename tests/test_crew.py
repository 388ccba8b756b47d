"""Worker processes: one thread each, replaced when killed, gone with who started them."""

import os
import signal
import subprocess
import sys
import time

import distributed
from toys import ended

from quadlib.learning.pool import available_cores
from quadlib.search.crew import crew, wait_for_some

SCRIPT = """
import os
from quadlib.search.crew import crew
print("started", flush=True)
with crew() as (client, look_after):
    client.wait_for_workers({count})
    print(*client.run(os.getpid).values(), flush=True)
    client.submit(__import__("time").sleep, 600)
    input()
"""


def test_a_worker_per_core_each_with_one_thread_and_a_killed_one_is_replaced():
    with crew() as (client, look_after):
        client.wait_for_workers(available_cores(), 120)
        assert set(client.nthreads().values()) == {1}
        assert set(client.run(os.getenv, "OMP_NUM_THREADS").values()) == {"1"}
        pids = set(client.run(os.getpid).values())
        assert len(pids) == available_cores() and os.getpid() not in pids
        victim = pids.pop()
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 120
        while len(found := set(client.run(os.getpid, on_error="ignore").values())) <= len(pids):
            assert time.monotonic() < deadline, "nobody came in its place"
            look_after()
            time.sleep(0.1)
        assert pids < found
        pids = found
    assert ended(pids)


def test_without_a_main_guard_the_script_runs_once_and_its_workers_end_with_it():
    script = SCRIPT.format(count=available_cores())
    process = subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, text=True)
    try:
        assert process.stdout.readline() == "started\n"
        pids = list(map(int, process.stdout.readline().split()))
        assert len(pids) == available_cores()
    finally:
        process.kill()
        process.communicate()
    assert ended(pids), "busy as one was"


def test_a_client_of_ones_own_is_used_as_it_is():
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as mine,
    ):
        with crew(mine) as (client, look_after):
            look_after()
            assert client is mine
        assert mine.submit(abs, -1).result() == 1, "still open"
        done = mine.submit(abs, -2)
        done.result()
        assert wait_for_some([done, mine.submit(time.sleep, 5)]) == [done]
    assert wait_for_some([], seconds=0) == []
