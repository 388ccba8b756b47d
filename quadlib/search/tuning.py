"""tune(): a search for good settings, on the cores of one machine or of a cluster.

The calling process hands out the trials, one per core; Dask carries them to worker processes; each
worker trains in its own process and writes what it measures into the study's storage. A trial whose
worker or caller is killed is trained again, under its own number.
"""

import time
from collections.abc import Callable
from typing import Any

import distributed
import numpy as np
import optuna
from optuna.distributions import distribution_to_json
from optuna.samplers import TPESampler
from optuna.trial import TrialState

import quadlib
from quadlib.functions import code_of, name_of
from quadlib.search.crew import crew, wait_for_some
from quadlib.search.spaces import SPACES, Space, checked_ranges, known_points
from quadlib.search.studies import address, alone, finished, open_study
from quadlib.search.trial import MARKS, work
from quadlib.showing.live import deaf_to_stop, in_notebook
from quadlib.showing.live_study import LiveStudy

PATIENCE = 60.0  # s, without a worker before one is told
RANDOM_TRIALS = 20  # before the sampler begins to learn from them


def tune(
    algorithm: str = "ppo",
    *,
    trials: int = 100,
    steps: int = 100_000,
    env: str | Callable = "Minitaur",
    reward: Callable | None = None,
    space: Space | None = None,
    storage: str = "studies.db",
    name: str | None = None,
    seed: int = 0,
    seconds: float | None = None,
    client: distributed.Client | None = None,
    progress: bool = True,
    on_change: Callable[[optuna.Study], Any] | None = None,
) -> optuna.Study:
    """Train with many settings and learn which are good. Stopped or killed, call it again.

    A trial's score is the mean training return over the last tenth of its steps, each point of
    which is the mean of 20 episodes: one lucky episode or one lucky policy does not make a winner.

    Args:
        algorithm: what `train` calls it.
        trials: how many in all, those of earlier calls counted in.
        steps: environment steps of a trial that is not stopped early.
        env, reward: as `train` takes them.
        space: a function of a trial that returns settings; by default `SPACES[algorithm]`.
        storage: a file, or "postgresql://USER:PASSWORD@HOST/NAME".
        name: the study's name there; by default the algorithm's.
        seed: of the sampler. Trial k trains with seed k.
        seconds: wall time of this call. What is not finished by then goes on in the next one.
        client: of any Dask cluster; by default one process per core of this machine.
        progress: show the trials as they grow in a notebook, print a line for each in a terminal.
        on_change: called with the study when a trial ends, and every second or so.

    Raises:
        ValueError: what cannot be studied; nothing was trained then. `StudyError`, one of its
            kinds: the storage cannot be used, or holds another study of this name.
    """
    own_space = space is None
    space = space or SPACES.get(algorithm)
    if space is None:
        raise ValueError(f"give a space for {algorithm!r}; there are ones for {', '.join(SPACES)}")
    if trials < 1 or steps < MARKS:
        raise ValueError(f"trials is at least 1, steps at least {MARKS}")
    ranges = checked_ranges(algorithm, space)
    if isinstance(env, str):
        quadlib.make(env, **({} if reward is None else {"reward": reward})).close()
    plan = {
        "algorithm": algorithm, "steps": steps, "seed": seed,
        "env": env if isinstance(env, str) else name_of(env),
        "env_code": code_of(env),
        "reward": reward and name_of(reward), "reward_code": code_of(reward),
        "space_code": code_of(space),
        "space": {key: distribution_to_json(value) for key, value in ranges.items()},
    }  # fmt: skip
    url, name = address(storage), name or algorithm
    study = open_study(url, name, plan)
    with alone(url, name), crew(client) as (client, look_after):
        known = known_points(algorithm) if own_space else []
        if len(study.get_trials(deepcopy=False)) < len(known):
            for point in known:
                study.enqueue_trial(point, skip_if_exists=True)
        task = (url, name, algorithm, steps, env, reward)
        session = _Session(study, trials, progress, on_change)
        try:
            _hand_out(study, trials, space, seed, client, look_after, task, session, seconds)
        except KeyboardInterrupt:  # the stop button
            print(f"Stopped. Tune {name!r} again and it goes on.")
        finally:
            session.close()
    return study


def settings_of(study: optuna.Study, number: int) -> dict[str, Any]:
    """What a trial trained with: `train("ppo", steps=…, **settings_of(study, 17))`."""
    for trial in study.get_trials(deepcopy=False):
        if trial.number == number and "settings" in trial.user_attrs:
            return dict(trial.user_attrs["settings"])
    raise ValueError(f"study {study.study_name!r} has no trial {number} with settings")


def _hand_out(study, trials, space, seed, client, look_after, task, session, seconds) -> None:
    """Keep every thread of the cluster busy until the study has its trials or time is up."""
    running: dict[distributed.Future, int] = {}
    begun = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.RUNNING]
    if not begun and _handed_out(study) >= trials:
        return  # whether or not a worker ever comes
    try:
        while seconds is None or session.elapsed() < seconds:
            look_after()
            threads = sum(client.nthreads().values())
            while len(running) < threads and (trial := _next(study, trials, seed, begun)):
                # A trial that was begun has its settings. It may just be ending, on a worker that
                # was given up for lost: nothing may be written then.
                settings = trial.user_attrs.get("settings")
                if settings is None:
                    settings = space(trial)
                    trial.set_user_attr("settings", settings)
                future = client.submit(work, *task, trial.number, settings, pure=False)
                running[future] = trial.number
            if not running and threads:
                return
            session.wait_for(threads)
            for future in wait_for_some(list(running)):
                _finish(study, running.pop(future), future)
            session.tell(threads)
    finally:
        client.cancel(list(running))


def _next(study, trials, seed, begun) -> optuna.Trial | None:
    """A trial that was begun and not ended, else a new one, else None.

    The sampler is seeded anew for each: a study that goes on does not repeat its first draws.
    """
    number = begun[0].number if begun else _handed_out(study)
    sampler_seed = np.random.SeedSequence([seed, number]).generate_state(1)[0]
    study.sampler = TPESampler(
        n_startup_trials=RANDOM_TRIALS, multivariate=True, constant_liar=True,
        seed=int(sampler_seed),
    )  # fmt: skip
    if begun:
        return optuna.Trial(study, begun.pop(0)._trial_id)
    return study.ask() if number < trials else None


def _handed_out(study: optuna.Study) -> int:
    return sum(t.state != TrialState.WAITING for t in study.get_trials(deepcopy=False))


def _finish(study: optuna.Study, number: int, future: distributed.Future) -> None:
    """Nothing to do: the worker has told the study. Unless it could not."""
    error = future.exception()
    if isinstance(error, distributed.KilledWorker):
        trial = study.get_trials(deepcopy=False)[number]
        reason = "its worker processes were killed again and again; out of memory?"
        study._storage.set_trial_user_attr(trial._trial_id, "reason", reason)
        study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
    elif error is not None:
        raise error


class _Session:
    """What one call of `tune` says while it goes on, and its wall time in the study."""

    def __init__(self, study, trials, progress, on_change) -> None:
        self.study, self.trials, self.progress, self.on_change = study, trials, progress, on_change
        self.page = LiveStudy(trials) if progress and in_notebook() else None
        self.started, self.warned = time.perf_counter(), False
        self.before = study.user_attrs.get("sessions", [])
        self.said = {t.number for t in finished(study)}
        self.steps_before = sum(t.user_attrs.get("steps", 0) for t in finished(study))

    def wait_for(self, workers: int) -> None:
        if not workers and not self.warned and self.elapsed() > PATIENCE:
            self.warned = True
            print("No worker has come yet. Is the cluster's queue full? Waiting …", flush=True)

    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    def tell(self, workers: int) -> None:
        ended = finished(self.study)
        new = [trial for trial in ended if trial.number not in self.said]
        self.said |= {trial.number for trial in new}
        if new:
            mine = {"seconds": round(self.elapsed(), 1), "workers": workers}
            self.study.set_user_attr("sessions", [*self.before, mine])
        if self.page:
            self.page.update(self.study)
        elif self.progress:
            steps = sum(t.user_attrs.get("steps", 0) for t in ended) - self.steps_before
            for trial in new:
                print(_line(trial, ended, self.trials, steps, self.elapsed()), flush=True)
        if self.on_change:
            self.on_change(self.study)

    def close(self) -> None:
        if self.page:
            with deaf_to_stop():
                self.page.close(self.study)


def _line(trial, finished, trials, steps, seconds) -> str:
    how = {"COMPLETE": "done", "PRUNED": "stopped early", "FAIL": "failed"}[trial.state.name]
    what = trial.user_attrs.get("reason") or f"return {trial.value:.2f}"
    values = [t.value for t in finished if t.state == TrialState.COMPLETE]
    best = f"best {max(values):.2f} · " if values else ""
    return (
        f"{len(finished)}/{trials} · trial {trial.number} {how} at "
        f"{trial.user_attrs.get('steps', 0):,} steps: {what} · {best}{steps / 1e6:.2f} M steps in "
        f"{seconds / 60:.1f} min, {steps / seconds:,.0f} steps/s"
    )
