"""One trial of a study, as a worker process trains it."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import PercentilePruner
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sqlalchemy.engine import URL

import quadlib
from quadlib.judging.comparison import mean_return
from quadlib.search.studies import connect

MARKS = 10  # how often a trial reports its return
KEEP = 25.0  # percent


def early_stop(budget: int) -> PercentilePruner:
    """From a fifth of the budget on, a trial keeps up with the best quarter at each mark, or ends.

    It is compared with the trials that ran to their end, the first three of which nobody stops:
    the better those are, the more is asked of the next.
    """
    return PercentilePruner(KEEP, n_startup_trials=3, n_warmup_steps=budget // 5)


@cache
def _storage(url: URL) -> optuna.storages.BaseStorage:
    return connect(url)


def work(
    url: URL,
    name: str,
    algorithm: str,
    steps: int,
    env: str | Callable,
    reward: Callable | None,
    number: int,
    settings: dict[str, Any],
) -> None:
    """Train trial `number` of study `name`, report, tell the study how it ended and why.

    The trial's attributes are then `steps` and `seconds` (wall time), `cpu_seconds` of this
    process, and the `reason` where it failed.
    """
    study = optuna.load_study(
        study_name=name, storage=_storage(url), sampler=RandomSampler(), pruner=early_stop(steps)
    )
    frozen = study.get_trials(deepcopy=False)[number]
    watch = Watch(optuna.Trial(study, frozen._trial_id), frozen.last_step or 0, steps)
    options = {"steps": steps, "env": env, "reward": reward, "seed": number, **settings}
    try:
        if not frozen.state.is_finished():  # else its last worker was killed after it had told
            _train_and_tell(study, number, algorithm, options, watch)
    except UpdateFinishedTrialError:
        pass  # a worker that was given up for lost has told after all


def _train_and_tell(study, number, algorithm, options, watch) -> None:
    started, busy = time.perf_counter(), time.process_time()
    value, state, reason = None, TrialState.COMPLETE, None
    try:
        run = quadlib.train(algorithm, progress=False, processes=0, on_update=watch, **options)
        value = mean_return(run.curve, watch.budget, watch.budget)
        if value is None:
            state, reason = TrialState.FAIL, "no episode ended: is an episode longer than a trial?"
    except optuna.TrialPruned:
        state = TrialState.PRUNED
    except (UpdateFinishedTrialError, StorageInternalError):
        raise
    except Exception as error:
        state, reason = TrialState.FAIL, f"{type(error).__name__}: {error}"
    watch.trial.set_user_attr("steps", watch.steps)
    watch.trial.set_user_attr("seconds", round(time.perf_counter() - started, 2))
    watch.trial.set_user_attr("cpu_seconds", round(time.process_time() - busy, 2))
    if reason:
        watch.trial.set_user_attr("reason", reason)
    study.tell(number, value, state=state, skip_if_finished=True)


class Watch:
    """Reports a training's return at each mark, and ends it where it is not worth going on.

    A trial that is trained again passes the marks that it had reached before without a word.
    """

    def __init__(self, trial: optuna.Trial, reached: int, budget: int) -> None:
        self.trial, self.reached, self.budget = trial, reached, budget
        self.steps = self.mark = 0

    def __call__(self, run: Any) -> None:
        self.steps = int(run.curve["steps"][-1])
        mark = min(self.steps * MARKS // self.budget, MARKS)
        if mark == self.mark:
            return
        self.mark, at = mark, mark * self.budget // MARKS
        value = mean_return(run.curve, at, self.budget)
        if value is None or at <= self.reached:
            return
        self.trial.report(value, at)
        if mark < MARKS and self.trial.should_prune():
            raise optuna.TrialPruned
