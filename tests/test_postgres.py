"""A study in PostgreSQL, worked on by separate processes: the server is this test's own."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import distributed
import pytest
from test_tuning import STEPS, space
from toys import Walk

from quadlib.search.studies import StudyError, address, alone, export, load, open_study
from quadlib.search.tuning import tune

SECRET = "hunter2"
TRIALS = 4


def server_program(name):
    """Debian keeps the server's programs out of the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"no {name}: install PostgreSQL's server (apt-get install postgresql)")
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ordinary_user():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="module")
def database():
    """The URL of an empty database, password and all."""
    initdb, pg_ctl = server_program("initdb"), server_program("pg_ctl")
    user, port = ordinary_user(), free_port()
    folder = Path(tempfile.mkdtemp())
    (folder / "password").write_text(SECRET)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)

    def run(*command):
        done = subprocess.run(
            [*map(str, command)], user=user, cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    data = folder / "data"
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    run(initdb, "-D", data, "-U", "me", "-A", "scram-sha-256", "--pwfile", folder / "password")
    run(pg_ctl, "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    yield f"postgresql://me:{SECRET}@127.0.0.1:{port}/postgres"
    run(pg_ctl, "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder)


@contextmanager
def two_workers(folder):
    """(client, {worker's address: its process}) of a cluster that is not quadlib's."""
    with (
        distributed.LocalCluster(
            n_workers=0, processes=False, protocol="tcp", dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        processes = {}
        for name in ("one", "two"):
            log = (folder / f"{name}.log").open("w")
            command = [
                sys.executable, "-m", "distributed.cli.dask_worker", cluster.scheduler_address,
                "--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            ]  # fmt: skip
            paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
            environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
            processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        client.wait_for_workers(2, 120)
        workers = client.scheduler_info(n_workers=-1)["workers"]
        try:
            yield client, {a: processes[about["name"]] for a, about in workers.items()}
        finally:
            for process in processes.values():
                process.kill()
                process.wait()


@pytest.mark.slow
def test_a_worker_is_killed_in_the_middle_of_a_trial(database, tmp_path):
    killed = []

    def kill_one(study):
        busy = [address for address, keys in client.processing().items() if keys]
        begun = [t for t in study.trials if not t.state.is_finished() and t.intermediate_values]
        if not killed and begun and len(busy) == 2:
            killed.append([trial.number for trial in begun])
            processes[busy[0]].kill()

    with two_workers(tmp_path) as (client, processes):
        study = tune(
            "ppo", trials=TRIALS, steps=20 * STEPS, env=Walk, space=space, progress=False,
            storage=database, client=client, on_change=kill_one,
        )  # fmt: skip
    assert killed, "no trial was long enough"
    assert [trial.number for trial in study.trials] == list(range(TRIALS))
    counts = Counter(trial.state.name for trial in study.trials)
    assert counts["COMPLETE"] + counts["PRUNED"] == TRIALS, counts
    again = load(export(study, tmp_path / "kept.json"))
    assert [t.value for t in again.trials] == [t.value for t in study.trials]
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert "dask" in logs or "distributed" in logs
    assert SECRET not in logs + (tmp_path / "kept.json").read_text()


def test_one_process_at_a_time_hands_out_a_study(database):
    url = address(database)
    with alone(url, "a"):
        with pytest.raises(StudyError, match="another process is at work") as caught:
            with alone(url, "a"):
                pass
        assert SECRET not in str(caught.value)
        with alone(url, "b"):
            pass
    with alone(url, "a"):
        pass


def test_a_wrong_password_is_refused_and_not_shown(database):
    wrong = database.replace(SECRET, "hunter3")
    with pytest.raises(StudyError, match="password authentication failed") as caught:
        open_study(address(wrong), "a", {})
    assert "hunter3" not in str(caught.value)


def test_another_study_of_this_name_is_refused(database):
    open_study(address(database), "mine", {"algorithm": "ppo"}).ask()
    with pytest.raises(StudyError, match="its algorithm differ"):
        open_study(address(database), "mine", {"algorithm": "trpo"})
