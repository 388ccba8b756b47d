"""Train the agents for the rewards that notebook 3 proposes:

    python quadlib/agents/train_rewards.py [NAME ...]

The rewards stand in the notebook's source alone, in its cell tagged `rewards`. Each agent keeps the
text of the reward that it was trained with. About 50 s each on two free cores.
"""

import ast
import sys
from pathlib import Path

import jupytext

from quadlib.learning.training import train

HERE = Path(__file__).parent
NOTEBOOK = HERE.parents[1] / "notebooks" / "src" / "03_ppo.py"
STEPS = {"backwards": 200_000}  # by then it runs
USUAL_STEPS = 100_000


def rewards() -> dict[str, str]:
    """Name -> source of each function in the notebook's reward cell."""
    cells = jupytext.read(NOTEBOOK, fmt="py:percent").cells
    (cell,) = (cell for cell in cells if "rewards" in cell.metadata.get("tags", []))
    functions = ast.parse(cell.source).body
    return {each.name: ast.get_source_segment(cell.source, each) for each in functions}


def main() -> None:
    """Train and write those that are asked for, or all."""
    for name, source in rewards().items():
        if name in (sys.argv[1:] or rewards()):
            variables: dict = {}
            exec(source, variables)
            steps = STEPS.get(name, USUAL_STEPS)
            run = train("ppo", steps=steps, reward=variables[name], seed=0)
            if run.stopped != "steps":
                sys.exit(f"{name} was stopped, and is not written: call again")
            run.agent.with_about(reward_source=source).save(HERE / f"{name}.safetensors")


if __name__ == "__main__":
    main()
