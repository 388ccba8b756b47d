"""tune(): a search for good settings, on the cores of one machine or of a cluster.

The calling process hands out the trials, one per core; Dask carries them to worker processes; each
worker trains in its own process and writes what it measures into the study's storage. A trial whose
worker or caller is killed is trained again, under its own number.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import distributed
import numpy as np
import optuna
from optuna.distributions import distribution_to_json
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import TrialState
from sqlalchemy.engine import URL

import quadlib
from quadlib.crew import crew
from quadlib.spaces import SPACES, Space, checked_ranges, known_points
from quadlib.studies import address, alone, connect, open_study

MARKS = 10  # how often a trial reports its return
RANDOM_TRIALS = 20  # before the sampler begins to learn from them
KEEP = 3  # one trial in so many goes on at a fifth of its steps, and one of those at three fifths

optuna.logging.set_verbosity(optuna.logging.WARNING)


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
    client: distributed.Client | None = None,
    progress: bool = True,
    on_change: Callable[[optuna.Study], Any] | None = None,
) -> optuna.Study:
    """Train with many settings and learn which are good. Called again, it goes on.

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
        client: of any Dask cluster; by default one process per core of this machine.
        progress: print a line per trial.
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
        "env": env if isinstance(env, str) else env.__name__,
        "reward": getattr(reward, "__name__", None),
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
        _hand_out(study, trials, space, seed, client, look_after, task, session)
    return study


def settings_of(study: optuna.Study, number: int) -> dict[str, Any]:
    """What a trial trained with: `train("ppo", steps=…, **settings_of(study, 17))`."""
    for trial in study.get_trials(deepcopy=False):
        if trial.number == number and "settings" in trial.user_attrs:
            return dict(trial.user_attrs["settings"])
    raise ValueError(f"study {study.study_name!r} has no trial {number} with settings")


def _hand_out(study, trials, space, seed, client, look_after, task, session) -> None:
    """Keep every thread of the cluster busy until the study has its trials."""
    running: dict[distributed.Future, int] = {}
    begun = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.RUNNING]
    try:
        while True:
            look_after()
            threads = sum(client.nthreads().values())
            while len(running) < threads and (trial := _next(study, trials, seed, begun)):
                settings = space(trial)
                trial.set_user_attr("settings", settings)
                future = client.submit(_work, *task, trial.number, settings, pure=False)
                running[future] = trial.number
            if not running and threads:
                return
            _wait(list(running))
            for future in [future for future in running if future.done()]:
                _finish(study, running.pop(future), future)
            session.tell(threads)
    finally:
        client.cancel(list(running))


def _next(study, trials, seed, begun) -> optuna.Trial | None:
    """A trial that was begun and not ended, else a new one, else None.

    The sampler is seeded anew for each: a study that goes on does not repeat its first draws.
    """
    numbers = [t.state != TrialState.WAITING for t in study.get_trials(deepcopy=False)]
    sampler_seed = np.random.SeedSequence([seed, sum(numbers)]).generate_state(1)[0]
    study.sampler = TPESampler(
        n_startup_trials=RANDOM_TRIALS, multivariate=True, constant_liar=True,
        seed=int(sampler_seed),
    )  # fmt: skip
    if begun:
        return optuna.Trial(study, begun.pop(0)._trial_id)
    return study.ask() if sum(numbers) < trials else None


def _wait(futures: list[distributed.Future]) -> None:
    try:
        if futures:
            distributed.wait(futures, timeout=1, return_when="FIRST_COMPLETED")
        else:
            time.sleep(1)  # no worker has come yet
    except TimeoutError:
        pass


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


@cache
def _storage(url: URL) -> optuna.storages.BaseStorage:
    return connect(url)


def _work(url, name, algorithm, steps, env, reward, number, settings) -> None:
    """One trial, in a worker process: train, report, tell the study how it ended."""
    halving = SuccessiveHalvingPruner(min_resource=max(steps // 5, 1), reduction_factor=KEEP)
    study = optuna.load_study(
        study_name=name, storage=_storage(url), sampler=RandomSampler(), pruner=halving
    )
    frozen = study.get_trials(deepcopy=False)[number]
    if frozen.state.is_finished():  # its last worker was killed after it had told
        return
    trial = optuna.Trial(study, frozen._trial_id)
    watch = _Watch(trial, steps)
    started, busy = time.perf_counter(), time.process_time()
    value, state, reason = None, TrialState.COMPLETE, None
    try:
        run = quadlib.train(
            algorithm, steps=steps, env=env, reward=reward, seed=number, progress=False,
            processes=0, on_update=watch, **settings,
        )  # fmt: skip
        value = mean_return(run.curve, steps, steps)
        if value is None:
            state, reason = TrialState.FAIL, "no episode ended: is an episode longer than a trial?"
    except optuna.TrialPruned:
        state = TrialState.PRUNED
    except Exception as error:
        state, reason = TrialState.FAIL, f"{type(error).__name__}: {error}"
    trial.set_user_attr("steps", watch.steps)
    trial.set_user_attr("seconds", round(time.perf_counter() - started, 2))
    trial.set_user_attr("cpu_seconds", round(time.process_time() - busy, 2))
    if reason:
        trial.set_user_attr("reason", reason)
    study.tell(number, value, state=state, skip_if_finished=True)


class _Watch:
    """Reports a training's return at each mark, and ends it where it is not worth going on."""

    def __init__(self, trial: optuna.Trial, budget: int) -> None:
        self.trial, self.budget = trial, budget
        self.steps = self.mark = 0

    def __call__(self, run: Any) -> None:
        self.steps = int(run.curve["steps"][-1])
        mark = min(self.steps * MARKS // self.budget, MARKS)
        if mark == self.mark:
            return
        self.mark = mark
        value = mean_return(run.curve, mark * self.budget // MARKS, self.budget)
        if value is None:
            return
        self.trial.report(value, mark * self.budget // MARKS)
        if mark < MARKS and self.trial.should_prune():
            raise optuna.TrialPruned


def mean_return(curve: dict[str, np.ndarray], at: int, budget: int) -> float | None:
    """Mean training return of a curve over the tenth of the budget that ends `at` a step.

    Each point of the curve is a mean over 20 episodes, exploration included, so this lags behind
    the policy: 20 whole episodes of the robot are 20,000 steps. None while no episode has ended.
    """
    rows = curve["steps"] > at - budget / MARKS
    returns = curve["return"][rows]
    returns = returns[np.isfinite(returns)]
    return float(returns.mean()) if len(returns) else None


class _Session:
    """What one call of `tune` says while it goes on, and its wall time in the study."""

    def __init__(self, study, trials, progress, on_change) -> None:
        self.study, self.trials, self.progress, self.on_change = study, trials, progress, on_change
        self.started = time.perf_counter()
        self.before = study.user_attrs.get("sessions", [])
        self.said = {t.number for t in self._finished()}
        self.steps_before = sum(t.user_attrs.get("steps", 0) for t in self._finished())

    def _finished(self) -> list[optuna.trial.FrozenTrial]:
        return [t for t in self.study.get_trials(deepcopy=False) if t.state.is_finished()]

    def tell(self, workers: int) -> None:
        finished = self._finished()
        new = [trial for trial in finished if trial.number not in self.said]
        self.said |= {trial.number for trial in new}
        if new:
            seconds = time.perf_counter() - self.started
            mine = {"seconds": round(seconds, 1), "workers": workers}
            self.study.set_user_attr("sessions", [*self.before, mine])
            if self.progress:
                steps = sum(t.user_attrs.get("steps", 0) for t in finished) - self.steps_before
                for trial in new:
                    print(_line(trial, finished, self.trials, steps, seconds), flush=True)
        if self.on_change:
            self.on_change(self.study)


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
