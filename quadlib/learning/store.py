"""A run's folder: settings, curve, agents, and the state from which a killed run goes on."""

import csv
import io
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from tensorboardX import SummaryWriter  # torch's own imports TensorFlow where there is one

from quadlib.files import UNFINISHED, lock, write
from quadlib.learning.agent import short_name
from quadlib.learning.sb3 import agent_of

LOCK = ".lock"  # in the folder, held while a process trains there
CHECKPOINT_EVERY = 200_000  # steps, the slides' interval


class Store:
    """run.json, curve.csv, agent_STEPS.safetensors and checkpoint.safetensors in a folder.

    TensorBoard reads the curve, too: `tensorboard --logdir FOLDER`. As a context manager it keeps
    other processes out.

    Raises ValueError on a folder that holds another run or other files, or that another process
    trains in; they stay untouched. A run without a checkpoint makes room for another.
    """

    def __init__(self, folder: str | Path, plan: dict[str, Any]) -> None:
        self.folder, self.plan = Path(folder), plan
        self.curve, self.state = self.folder / "curve.csv", self.folder / "checkpoint.safetensors"
        self.about = self.folder / "run.json"
        self._board: SummaryWriter | None = None
        if self.about.exists():
            found = _read_plan(self.about)
            # Runs of earlier versions have no code in their plan.
            expected = {k: v for k, v in plan.items() if k in found or not k.endswith("_code")}
            changed = [k for k in expected if k != "versions" and found.get(k) != plan[k]]
            if changed and (self.state.exists() or "algorithm" not in found):
                raise ValueError(
                    f"{folder} holds another run: its {', '.join(changed)} differ. "
                    "Choose another folder, or the same settings to go on."
                )
        elif self.folder.exists() and not all(
            path.name.startswith((UNFINISHED, LOCK)) for path in self.folder.iterdir()
        ):
            raise ValueError(f"{folder} has other files in it; choose a new folder for this run")

    def __enter__(self) -> "Store":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = lock(self.folder / LOCK)
        except BlockingIOError:
            raise ValueError(
                f"another process trains in {self.folder}: wait, stop it, or choose another folder"
            ) from None
        try:
            for left in self.folder.glob(UNFINISHED + "*"):  # by a process that was killed
                left.unlink()
            if not self.state.exists():
                text = json.dumps(self.plan, indent=1).encode()
                write(self.about, lambda file: file.write(text))
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._board:  # it has not written everything yet
            self._board.close()
        self._lock.close()

    def keep(self, trainer: Any) -> None:
        """The latest row, for TensorBoard; a checkpoint where the interval has passed."""
        self._show(trainer.rows[-1])
        before = trainer.rows[-2]["steps"] if len(trainer.rows) > 1 else 0
        if trainer.steps // CHECKPOINT_EVERY > before // CHECKPOINT_EVERY:
            self.checkpoint(trainer)

    def _show(self, row: dict[str, float]) -> None:
        if self._board is None:  # what a killed run had shown after its last checkpoint is void
            self._board = SummaryWriter(
                str(self.folder), purge_step=row["steps"], filename_suffix=f".{time.time_ns()}"
            )
        for name, value in row.items():
            if name != "steps" and math.isfinite(value):
                self._board.add_scalar(name, value, row["steps"])

    def checkpoint(self, trainer: Any) -> None:
        """Agent, curve, then the state to resume from: the last one written makes it count."""
        if not trainer.rows:
            return
        trainer.agent.save(self.folder / f"agent_{trainer.steps:09d}.safetensors")
        content = _csv(trainer.rows)
        write(self.curve, lambda file: file.write(content))
        header = {
            "updates": str(trainer.updates),
            "steps": str(trainer.steps),
            "seconds": repr(trainer.seconds),
            "episodes": json.dumps(list(trainer.episodes)),
        }
        tensors = save(trainer.state, header)
        write(self.state, lambda file: file.write(tensors))

    def restore(self, trainer: Any) -> None:
        """Go on from the last checkpoint, if there is one. ValueError where it is damaged."""
        if not self.state.exists():
            return
        try:
            self._restore(trainer)
        except Exception as error:
            raise ValueError(
                f"{self.state} or {self.curve.name} beside it is damaged ({error}): choose another "
                "folder. The agents in this one can still be loaded."
            ) from error

    def _restore(self, trainer: Any) -> None:
        with safe_open(self.state, framework="pt") as file:
            header = file.metadata()
            _restore_state(trainer.model, {name: file.get_tensor(name) for name in file.keys()})
        trainer.state = state_of(trainer.model)
        trainer.updates, trainer.steps = int(header["updates"]), int(header["steps"])
        trainer.seconds = float(header["seconds"])
        trainer.model.num_timesteps = trainer.steps
        trainer.episodes.extend(json.loads(header["episodes"]))
        with self.curve.open(newline="", encoding="utf-8") as file:
            rows = ({k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file))
            rows = [{**row, "steps": int(row["steps"])} for row in rows]
        trainer.rows = [row for row in rows if row["steps"] <= trainer.steps]
        if not trainer.rows or trainer.rows[-1]["steps"] != trainer.steps:
            raise ValueError(f"no row of {trainer.steps:,} steps in the curve")
        trainer.agent = agent_of(trainer.model.policy, trainer.plan).with_about(
            steps=trainer.steps, seconds=trainer.seconds
        )


def _read_plan(path: Path) -> dict[str, Any]:
    """The plan of the run in a folder; nothing of somebody else's file."""
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return {}
    return found | {"env": short_name(str(found.get("env")))}


def state_of(model: OnPolicyAlgorithm) -> dict[str, torch.Tensor]:
    """Policy, statistics and Adam's moments as named tensors."""
    tensors = {f"policy/{k}": v for k, v in model.policy.state_dict().items()}
    for number, moments in model.policy.optimizer.state_dict()["state"].items():
        tensors |= {f"adam/{number}/{k}": torch.as_tensor(v) for k, v in moments.items()}
    return {k: v.clone().contiguous() for k, v in tensors.items()}


def _restore_state(model: OnPolicyAlgorithm, tensors: dict[str, torch.Tensor]) -> None:
    policy = {k.removeprefix("policy/"): v for k, v in tensors.items() if k.startswith("policy/")}
    model.policy.load_state_dict(policy)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam/"):
            _, number, moment = name.split("/")
            state.setdefault(int(number), {})[moment] = tensor
    optimizer = model.policy.optimizer
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
