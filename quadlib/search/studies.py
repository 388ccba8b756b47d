"""Where a study lives: a local file or PostgreSQL while it grows, a small text file afterwards."""

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.trial import TrialState
from sqlalchemy.engine import URL, make_url

from quadlib.files import lock, write

SHIPPED = Path(__file__).parents[1] / "agents" / "studies"

optuna.logging.set_verbosity(optuna.logging.WARNING)


class StudyError(ValueError):
    """A study that cannot be opened as asked. Nothing was trained."""


def address(storage: str | Path) -> URL:
    """A file's name or a PostgreSQL URL, as SQLAlchemy's URL: it keeps the password to itself."""
    if "://" not in str(storage):
        return URL.create("sqlite", database=str(Path(storage).expanduser().resolve()))
    try:
        url = make_url(str(storage))
    except (sqlalchemy.exc.ArgumentError, ValueError):  # the latter for a port
        raise StudyError("this URL cannot be read: postgresql://USER:PASSWORD@HOST/NAME") from None
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite" or not url.database:
        raise StudyError(f"a study lives in a file or in PostgreSQL, not in {url.drivername}")
    return url


def connect(url: URL) -> optuna.storages.RDBStorage:
    """The storage behind an address.

    SQLite, not Optuna's journal, for a file: a process that is killed while it writes leaves half a
    line in a journal, which nobody can read any more; SQLite rolls back.

    Raises StudyError, without the password, on one that does not answer.
    """
    local = url.get_backend_name() == "sqlite"
    patience = {"timeout": 60} if local else {"connect_timeout": 10}  # seconds
    try:
        if local:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        return optuna.storages.RDBStorage(
            url.render_as_string(hide_password=False), {"connect_args": patience}
        )
    except ImportError:
        raise StudyError("PostgreSQL needs a driver: pip install 'psycopg[binary]'") from None
    except (sqlalchemy.exc.SQLAlchemyError, OSError, RuntimeError) as error:
        raise StudyError(_cannot(url, error)) from None


def open_study(url: URL, name: str, plan: dict[str, Any]) -> optuna.Study:
    """The study of this name, new or begun earlier. `plan` says what it studies.

    Raises StudyError where the name belongs to a study with another plan, or nothing can be
    written.
    """
    storage = connect(url)
    try:
        study = optuna.create_study(
            study_name=name, storage=storage, direction="maximize", load_if_exists=True
        )
        found = study.user_attrs.get("plan")
        if found is None and not study.get_trials(deepcopy=False):
            found = plan
        found = found or {}
        # Studies of earlier versions have no code in their plan.
        known = [key for key in plan if key in found or not key.endswith("_code")]
        changed = [key for key in known if found.get(key) != plan[key]]
        changed = [k for k in changed if not (k.endswith("_code") and k[:-5] in changed)]
        if changed:
            raise StudyError(
                f"{url} has another study of the name {name!r}: its {', '.join(changed)} "
                "differ. Choose another name or file, or ask for the same study to go on."
            )
        study.set_user_attr("plan", plan)
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise StudyError(_cannot(url, error)) from None
    except optuna.exceptions.StorageInternalError as error:
        raise StudyError(_cannot(url, error.__cause__ or error)) from None
    return study


@contextmanager
def alone(url: URL, name: str) -> Iterator[None]:
    """Only one process at a time may hand out a study's trials. However it ends, it lets go.

    Raises StudyError while another one does.
    """
    taken = StudyError(f"another process is at work on study {name!r} in {url}: wait, or stop it")
    if url.get_backend_name() == "sqlite":
        try:
            held = lock(f"{url.database}.lock")
        except BlockingIOError:
            raise taken from None
        with held:
            yield
    else:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        ask = sqlalchemy.text("SELECT pg_try_advisory_lock(:key)")
        with engine.connect() as session:
            if not session.execute(ask, {"key": zlib.crc32(name.encode())}).scalar():
                raise taken
            session.commit()
            yield


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that ended: run to their end, stopped early, or failed."""
    return [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]


@dataclass(frozen=True)
class Cost:
    """What a study has cost so far.

    Attributes:
        trials: finished ones by state, "COMPLETE", "PRUNED" and "FAIL".
        steps: environment steps that they took together.
        share: of the steps that as many whole trials would have taken.
        seconds: wall time of all calls of `tune`.
        cpu_seconds: what the trials' processes computed. On a machine with other work to do, this
            over the number of cores says better what the study takes than the wall time.
    """

    trials: dict[str, int]
    steps: int
    share: float
    seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        counts = {name: self.trials.get(name, 0) for name in ("COMPLETE", "PRUNED", "FAIL")}
        return (
            f"{sum(counts.values())} trials ({counts['COMPLETE']} to their end, "
            f"{counts['PRUNED']} stopped early, {counts['FAIL']} failed), {self.steps / 1e6:.2f} M "
            f"steps ({self.share:.0%} of whole trials') in {self.seconds / 60:.0f} min, "
            f"{self.steps / max(self.seconds, 1e-9):,.0f} steps/s, "
            f"{self.cpu_seconds / 60:.0f} CPU minutes"
        )


def cost(study: optuna.Study) -> Cost:
    """What a study's finished trials have cost."""
    ended = finished(study)

    def total(name: str) -> float:
        return sum(trial.user_attrs.get(name, 0) for trial in ended)

    whole = len(ended) * study.user_attrs["plan"]["steps"]
    seconds = sum(session["seconds"] for session in study.user_attrs.get("sessions", []))
    states = Counter(trial.state.name for trial in ended)
    return Cost(
        dict(states), total("steps"), total("steps") / max(whole, 1), seconds, total("cpu_seconds")
    )


def export(study: optuna.Study, path: str | Path) -> Path:
    """Write a study as JSON, a line per trial: small, and readable without Optuna."""
    trials = study.get_trials(deepcopy=False)
    lines = [json.dumps(_as_dict(trial)) for trial in trials]
    about, plan = study.user_attrs, study.user_attrs["plan"]
    # What a space asks for in some trials only is in their distributions alone.
    asked = {k: distribution_to_json(v) for t in trials for k, v in t.distributions.items()}
    about = json.dumps({**about, "plan": {**plan, "space": {**asked, **plan["space"]}}})
    name = json.dumps(study.study_name)
    text = f'{{"name": {name},\n"about": {about},\n"trials": [\n' + ",\n".join(lines) + "\n]}\n"
    return write(path, lambda file: file.write(text.encode()))


def load(path: str | Path, storage: Any = None) -> optuna.Study:
    """A study that `export` wrote, for Optuna's and our figures.

    Args:
        path: "ppo" and "trpo" are the shipped ones.
        storage: Optuna's, to put it into; by default it is in memory alone.
    """
    if str(path) in ("ppo", "trpo"):
        path = SHIPPED / f"{path}.json"
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    study = optuna.create_study(study_name=content["name"], direction="maximize", storage=storage)
    for key, value in content["about"].items():
        study.set_user_attr(key, value)
    space = content["about"]["plan"]["space"]
    ranges = {name: json_to_distribution(text) for name, text in space.items()}
    study.add_trials([_as_trial(each, ranges) for each in content["trials"]])
    return study


def _as_dict(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.name,
        "value": trial.value,
        "began": trial.datetime_start and trial.datetime_start.isoformat(),
        "ended": trial.datetime_complete and trial.datetime_complete.isoformat(),
        "params": trial.params,
        "curve": trial.intermediate_values,
        "about": trial.user_attrs,
    }


def _as_trial(
    entry: dict[str, Any], ranges: dict[str, BaseDistribution]
) -> optuna.trial.FrozenTrial:
    began, ended = (
        moment and datetime.fromisoformat(moment) for moment in (entry["began"], entry["ended"])
    )
    return optuna.trial.FrozenTrial(
        number=entry["number"], trial_id=entry["number"], state=TrialState[entry["state"]],
        value=entry["value"], datetime_start=began, datetime_complete=ended,
        params=entry["params"], user_attrs=entry["about"], system_attrs={},
        distributions={name: ranges[name] for name in entry["params"]},
        intermediate_values={int(k): v for k, v in entry["curve"].items()},
    )  # fmt: skip


def _cannot(url: URL, error: BaseException) -> str:
    cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    if url.password:
        cause = cause.replace(str(url.password), "***")
    return f"cannot use {url} for a study: {cause}"
