"""Train the agents that the notebooks show: `python quadlib/agents/train.py`.

Killed, it goes on where it was. The runs' folders stay out of the repository; the finished agents,
with what they measured in the slides' environment, are committed beside this file.
"""

import sys
from pathlib import Path

from quadlib.judging.evaluation import evaluate
from quadlib.learning.settings import LONG
from quadlib.learning.training import train
from quadlib.showing.clips import video

HERE = Path(__file__).parent
WORK = Path(".cache/runs")


def main() -> None:
    """The first gait: PPO in the slides' environment, about 10 minutes on two cores."""
    run = train(
        "ppo", steps=1_000_000, env="Minitaur", seed=1, folder=WORK / "first_gait", **LONG["ppo"]
    )
    if run.stopped != "steps":
        sys.exit("it was stopped, and the agent is not written: call again, and it goes on")
    judged = {
        physics: evaluate(run.agent, 100, physics=physics) for physics in ("fast", "reference")
    }
    measured = {
        physics: {
            "mean": e.mean,
            "std": e.std,
            "episodes": len(e.returns),
            "falls": int(e.fell.sum()),
        }
        for physics, e in judged.items()
    }
    agent = run.agent.with_about(measured=measured)
    agent.save(HERE / "first_gait.safetensors")
    video(agent, HERE / "first_gait.gif", seed=0)
    for physics, evaluation in judged.items():
        print(f"{physics}: {evaluation}")


if __name__ == "__main__":
    main()
