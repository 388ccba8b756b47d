# %% [markdown]
# # Policy gradients and learned locomotion
#
# A simulated robot with four legs learns to run, on two processor cores, in minutes. Nobody shows it
# a gait.
# This page is the map: what there is, how long it takes, where to begin.

# %%
import quadlib

runner = quadlib.Agent.shipped("first_gait")
run = quadlib.record(runner, env="MinitaurIdeal", seconds=6, label="learned")
quadlib.video(run)

# %% [markdown]
# ## The course
#
# Minutes are for running the cells in class and talking about them; exercises come on top.
#
# {{course}}
#
# ## Where to begin
#
# - **You have an hour and want to see it run.** Notebook 3, parts 1 to 8. Take equation (20)
#   on trust.
# - **You like to know what you are steering.** Notebook 2, then 3.
# - **You want to know why it works.** Notebooks 1a and 1b, then 3.
# - **You teach.** [For lecturers](LECTURERS.md): plans for one to seven sessions, what to run before
#   class, what students ask, and what they get wrong.
#
# You can open any notebook without having run another one.
#
# ## How a notebook works
#
# - Run the cells from top to bottom: Shift and Enter. The first code cell installs the course where
#   it is missing, as in Colab; elsewhere it does nothing.
# - A cell with an `assert` states a claim. If it runs, the claim holds.
# - Exercises have one to three stars. Write your code where you see `...`, run the cell, then the
#   check below it. It tells you with which inputs an answer is wrong. You may skip any exercise; the
#   rest still runs. Solutions are in the folder `solutions`.
# - Long work shows a curve and can be stopped with ■. What was learned until then is kept.
# - Trainings have three sizes. `QUADLIB_BUDGET=ci` takes seconds and learns nothing, `lecture` (the
#   default) takes a minute or two, `full` about ten times as long, up to an hour for a notebook. Set
#   it before Jupyter starts, or in a notebook's first cell:
#   `import os; os.environ["QUADLIB_BUDGET"] = "full"`.
#
# ## Is this computer ready?
#
# Run the next two cells. The replay needs a browser with WebGL, which all of today's have: drag to
# orbit, press space to pause and ? for all keys. Then a training of ten seconds: in notebook 3 the
# robot trains for 90 seconds. It walks after some 50,000 steps, and runs after some 150,000.

# %%
quadlib.replay(run)

# %%
from quadlib import course

ten = course.budget(ci={"steps": 1_024, "n_envs": 2}, lecture={"seconds": 10}, full={"seconds": 10})
trial = quadlib.train("ppo", **ten, seed=0, progress=False)
rate = trial.curve["steps"][-1] / trial.curve["seconds"][-1]
print(f"{rate:,.0f} steps per second, so {90 * rate:,.0f} in 90 seconds")
print("ready" if 90 * rate > 100_000 else "slow: give the trainings more time than the notebooks do")
