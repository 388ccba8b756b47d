# %% [markdown]
# # 5 · Tuning: what a search finds, and what it only seems to find
#
# PPO has a dozen numbers that nobody has derived from anything. The slides searched for good ones:
# 100 settings for PPO, 100 for TRPO, a day and a night of computing for each. You will do such a
# search by hand, then with a program that learns where to look and gives up on what does not pay.
# Then you read the full ones, and find out how much of what they say is luck.
#
# | Part | You will be able to | Minutes |
# |---|---|---|
# | 1 What the search is for | say what is searched, at which price | 5 |
# | 2 One experiment by hand | recognize a learning rate that is too high | 10 |
# | 3 A space to search in | choose ranges and scales; write a search space | 8 |
# | 4 A study, live | run one, stop it, go on, use what it found | 12 |
# | 5 Who goes on | say when a trial is stopped, and what that saves | 10 |
# | 6 The full studies | read distributions, importances, parallel coordinates | 15 |
# | 7 How they mislead | tell a good setting from a lucky one | 15 |
# | 8 From a laptop to a cluster | run the same study on a hundred cores | 5 |
#
# You need: [3, PPO](03_ppo.ipynb) for what the settings do; [4, TRPO](04_trpo.ipynb) helps.
# Exercises have stars for difficulty. [Solutions](solutions/05_tuning.ipynb) are one click away.

# %% [markdown]
# ## 1 · What the search is for · 5 min
#
# A *hyperparameter* is a number that training does not learn: the discount $\gamma$, the clip
# $\epsilon$, the learning rate. One run with one choice of them is a *trial*. Many trials are
# a *study*. What a trial comes to is its *score*; here a mean training return, in the slides'
# environment with noise, latency and randomization.
#
# The studies that this notebook reads come with the course. Each begins with two settings that were
# known before: those of the slides, and ours (for PPO the best of a first, smaller search; for TRPO
# a guess). What do they come to, and what does the best trial of the study?

# %%
import numpy as np

import quadlib
from quadlib import course
from quadlib.search import studies
from quadlib.showing import plots

plots.use_style()
ppo, trpo = studies.load("ppo"), studies.load("trpo")
SLIDES, OURS = 0, 1  # the first two trials of each study
BUDGET = {study.study_name: study.user_attrs["plan"]["steps"] for study in (ppo, trpo)}
for study in (ppo, trpo):
    best = study.best_trial.number
    print(f"{study.study_name}, return after {BUDGET[study.study_name]:,} steps:")
    for name, number in (("the slides'", SLIDES), ("ours", OURS), ("best", best)):
        value = study.trials[number].value
        print(f"  {name:<14}trial {number:>2}   {value:6.2f}")

# %% [markdown]
# The same algorithm, the same robot, the same number of steps. (The slides' PPO had networks with 64
# units; trial 0 of the PPO study took 32. Part 7 trains it with 64.) And the price:

# %%
for study in (ppo, trpo):
    print(f"{study.study_name}: {studies.cost(study)}\n      the slides: about 24 hours\n")

# %% [markdown]
# ("CPU minutes" counts what the trials computed. On two cores that have nothing else to do, a study
# takes little more than half of them; here the machine had other work, too.)
#
# How can 100 trials cost a part of 100 trials? Most are stopped early. That is part 5.

# %% [markdown]
# ## 2 · One experiment by hand · 10 min
#
# Before letting a program search, change one number yourself. The learning rate is 0.0006. Take one
# that is **ten times too high**. What do you expect: faster learning, none, a robot that falls?
# Write it down. Then watch.

# %%
from quadlib.learning.settings import PPOSettings

RATE = PPOSettings().learning_rate
LIMIT = course.budget(
    ci={"steps": 2_048, "n_envs": 2}, lecture={"seconds": 75}, full={"steps": 400_000}
)
usual = quadlib.train("ppo", **LIMIT, seed=0)

# %%
high = quadlib.train("ppo", **LIMIT, seed=0, learning_rate=10 * RATE)

# %%
import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
for run, label, style in ((usual, f"{RATE:g}", "-"), (high, f"{10 * RATE:g}", "--")):
    thousands = run.curve["steps"] / 1000
    left.plot(thousands, run.curve["return"], style, label=label)
    right.plot(thousands, run.curve["train/approx_kl"], style, label=label)
left.set(xlabel="environment steps (thousands)", ylabel="mean return")
right.set(xlabel="environment steps (thousands)", ylabel="approximate KL (nats)", ylim=(0, None))
left.legend(title="learning rate")
course.show(
    figure,
    alt="Two curves each for a usual and a ten times higher learning rate. Left: the mean return. "
    "Right: the approximate KL divergence per update, many times larger for the higher rate.",
)

# %%
for name, run in (("usual", usual), ("high", high)):
    kl, end = run.curve["train/approx_kl"].mean(), run.curve["return"][-1]
    print(f"{name:<7}KL divergence per update {kl:.3f}   return at the end {end:6.2f}")
assert high.curve["train/approx_kl"].mean() > 2 * usual.curve["train/approx_kl"].mean()

# %% [markdown]
# The high rate does not simply fail. At first it keeps up: each rollout moves the policy further.
# Then it stalls or falls back, because the updates leave the region where their data is valid; the
# right panel says so from the first update on.
#
# So is 0.006 too high? For rollouts of 1,024 steps with 40 gradient steps each, in a training that is
# long enough: yes. Had you stopped after a quarter of it, you might have said no. And with other
# rollouts, other epochs, another clip the answer may be another one. The numbers depend on each
# other, and one experiment says little. Hence a search.

# %% [markdown]
# ## 3 · A space to search in · 8 min
#
# A search space says which values may be tried. In this course it is a plain function. It asks
# a *trial* for values and returns settings for `quadlib.train`. The trial is an object of
# [Optuna](https://optuna.org), the library that keeps the study: `suggest_float(name, low, high)`
# answers with a value. Here is the space of the full PPO study; what PPO and TRPO share is in `_shared`.

# %%
import inspect

from quadlib.search import spaces

print(inspect.getsource(spaces.ppo))
print(inspect.getsource(spaces._shared))

# %% [markdown]
# Three choices in there are worth a thought.
#
# - **`log=True`.** Between 0.00001 and 0.01 lie three powers of ten. Drawn uniformly, nine of ten
#   values would lie above 0.001. Drawn with a uniform *logarithm*, each power of ten gets a third.
# - **`horizon` instead of `gamma`.** $\gamma$ from 0.9 to 0.999 looks like a small interval. But
#   $1/(1-\gamma)$, the number of steps that count, goes from 10 to 1000: a tenth of a second to ten
#   seconds. That is the quantity to search over. (The slides' $\gamma = 0.909$ looks 0.11 s ahead:
#   about one stride.)
# - **`rollout` instead of `n_steps`.** What an update sees is steps times environments. Two settings
#   that only mean something together are better searched as their product and one of them.
#
# ### Exercise 1 ★ · Uniform in the logarithm
#
# A computer gives you $u$, uniform between 0 and 1. Return a number between `low` and `high` whose
# logarithm is uniform. For $u = 1/2$ it is the geometric mean.


# %% tags=["exercise"]
def log_uniform(u, low, high):
    """A number (or an array) from low (u = 0) to high (u = 1), uniform in the logarithm."""
    ### BEGIN SOLUTION
    return low * (high / low) ** u
    ### END SOLUTION


# %% tags=["wrong-answer"]
def log_uniform(u, low, high):
    return low + u * (high - low)  # uniform, but not in the logarithm


# %% tags=["wrong-answer"]
def log_uniform(u, low, high):
    return np.log(low) + u * (np.log(high) - np.log(low))  # the logarithm, not the number


# %% tags=["check"]
course.check(
    log_uniform,
    [
        ((0.0, 1e-5, 1e-2), 1e-5),
        ((1.0, 1e-5, 1e-2), 1e-2),
        ((0.5, 0.1, 10.0), 1.0),
        ((np.array([0.25, 0.75]), 1.0, 16.0), np.array([2.0, 8.0])),
    ],
    hint="interpolate log(low) and log(high), then take the exponential",
)

# %% [markdown]
# A thousand draws each way. How many learning rates are below 0.0003?

# %%
u = np.random.default_rng(0).uniform(size=1000)
draws = {"uniform": 1e-5 + u * (1e-2 - 1e-5), "uniform in the logarithm": 1e-5 * 1000**u}
figure, panels = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True)
edges = np.geomspace(1e-5, 1e-2, 31)
for axes, (name, values) in zip(panels, draws.items(), strict=True):
    axes.hist(values, edges, color=plots.COLORS["sky"], edgecolor="white")
    axes.axvline(3e-4, color="black", linestyle=":")
    axes.set(xscale="log", title=name, xlabel="learning rate")
    print(f"{name}: {np.mean(values < 3e-4):.0%} below 0.0003")
panels[0].set_ylabel("draws")
course.show(figure, alt="Two histograms on a logarithmic axis. Uniform: nearly all draws lie above "
            "0.001. Uniform in the logarithm: they spread evenly.")  # fmt: skip

# %% [markdown]
# ## 4 · A study, live · 12 min
#
# Now a small study of your own: four settings, sixteen trials. `quadlib.search.tuning.tune` starts one
# worker process per core; each trial runs in one of them. The left panel shows the trials' curves.
# Grey ones were stopped.
#
# **Try the stop button (■)**, then run the cell with `tune` again: the study goes on, nothing is lost.
# It lives in a file. (Sixteen trials are all random. With `TRIALS = 40` the same study goes on, and the
# sampler takes over after twenty.)


# %%
def small_space(trial):
    """Four settings that matter. Change the ranges, or add a setting."""
    return {
        "n_envs": 2,
        "n_steps": trial.suggest_int("n_steps", 64, 1024, log=True),
        "n_epochs": trial.suggest_int("n_epochs", 2, 20),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "log_std_init": trial.suggest_float("log_std_init", -2.5, 0.0),
    }


# %%
import tempfile
from pathlib import Path

from quadlib.search.tuning import settings_of, tune

TRIALS, STEPS = course.budget(ci=(3, 2_100), lecture=(16, 25_000), full=(60, 50_000))
file = Path(tempfile.mkdtemp()) / "my_study.db"

# %%
mine = tune("ppo", trials=TRIALS, steps=STEPS, env="MinitaurIdeal", space=small_space, storage=file)

# %% [markdown]
# (A changed space is another study: give it another file or `name="..."`. Asked to go on with other
# ranges, `tune` refuses.)

# %%
done = [trial for trial in mine.trials if trial.value is not None]
for trial in sorted(done, key=lambda trial: -trial.value)[:5]:
    settings = "  ".join(f"{name} {value:.3g}" for name, value in trial.params.items())
    print(f"trial {trial.number:>2}: {trial.value:6.2f}   {settings}")
print("\n" + str(studies.cost(mine)))

# %% [markdown]
# A trial's settings can be trained with, for as long as you like:
# `quadlib.train("ppo", seconds=60, **settings_of(mine, 3))`.
#
# ### How is a trial scored?
#
# Not by its last episode, nor by the best that it ever had. One lucky episode, one lucky policy, and
# the trial would win. The score is the mean training return over the **last tenth of the steps**.
# Each point of that curve is itself a mean of 20 episodes, and all updates in that tenth count, in
# most trials twenty or more: many policies, some 20 to 30 episodes, with the exploration noise on. And
# trial $k$ trains with seed $k$, so no seed can suit all. The price: the score lags. 20 whole episodes
# are 20,000 steps, so a score at 100,000 steps speaks of the policies since about 70,000. (In your
# small study it speaks of nearly the whole training.)
#
# ### Exercise 2 ★ · The score
#
# Given a curve (steps and mean returns, an update each) and the budget in steps, return the mean of
# the returns whose step lies in the last tenth: above 90 % of the budget. Skip what is not a number
# (no episode had ended yet).


# %% tags=["exercise"]
def score(steps, returns, budget):
    """Mean return over the last tenth of the budget."""
    ### BEGIN SOLUTION
    return np.nanmean(returns[steps > 0.9 * budget])
    ### END SOLUTION


# %% tags=["wrong-answer"]
def score(steps, returns, budget):
    return np.nanmax(returns)  # luck wins


# %% tags=["wrong-answer"]
def score(steps, returns, budget):
    return np.nanmean(returns[-len(returns) // 10 :])  # a tenth of the updates: rows, not steps


# %% tags=["check"]
even, late = np.arange(10, 101, 10.0), np.array([50.0, 80.0, 92.0, 96.0, 100.0])
course.check(
    score,
    [
        ((even, even / 10, 100), 10.0),
        ((late, np.array([9.0, 9.0, 1.0, 2.0, 6.0]), 100), 3.0),
        ((late, np.array([9.0, 9.0, 1.0, np.nan, 6.0]), 100), 3.5),
        ((np.array([50.0, 80.0, 85.0, 92.0]), np.array([9.0, 9.0, 9.0, 1.0]), 100), 1.0),
    ],
    hint="choose by the step of each row: steps > 0.9 * budget; np.nanmean skips what is no number",
)

# %% [markdown]
# ## 5 · Who goes on · 10 min
#
# Two ideas make the search cheap. The first makes each trial worth more. The second saves two thirds of
# the steps, a factor of three. The rest of the difference to the slides' 24 hours is a faster
# simulation.
#
# **Learn where to look.** Until 20 trials have ended, trials are random (here all but the two that were
# given). After that the sampler (TPE, the *tree-structured Parzen estimator*) looks at the trials so
# far and fits two densities over the settings: one to the good trials, one to the others. It then
# tries what is likely under the first and unlikely under the second. *Good* is the best tenth: those
# that ran to their end, then those that lasted longest. So the first three count as good, whatever
# they came to; keep that in mind for the mountains in part 6.
#
# **Give up early.** Ten times in its life a trial reports its return. From a fifth of the steps on it
# is compared with the trials that ran to their end: is it among the best quarter, *at the same
# number of steps*? If not, it is stopped, and its core goes to the next one. The first three run to
# their end in any case.
#
# Here is the full PPO study.

# %%
from quadlib.showing import study_plots

spent = studies.cost(ppo)
course.show(
    study_plots.early_stops(ppo),
    alt=f"The curves of all trials of the PPO study. {spent.trials['PRUNED']} grey ones end early with "
    f"a cross, {spent.trials['COMPLETE']} run to their end, the best at {ppo.best_value:.1f}.",
)
print(spent)

# %% [markdown]
# The grey bundle at the first look: most trials end there, with a return of about 0. That is early: a
# return over 20 episodes speaks of the whole training so far. A late bloomer is lost. Part 7 knows
# two: with new seeds today's defaults had about 0.1 at the first look, and the settings for long
# trainings about −0.6. Both would have been stopped.
#
# ### Exercise 3 ★★ · Does it go on?
#
# `finished` holds the return of each finished trial at this number of steps; `so_far` is the best that
# this trial has reported. Return whether it is among the best `keep` (0.25: a quarter): whether it reaches
# their quantile at $1 - keep$. With fewer than three finished trials everyone goes on.


# %% tags=["exercise"]
def goes_on(finished, so_far, keep):
    """True: train on. False: stop, and give the core to another trial."""
    ### BEGIN SOLUTION
    return len(finished) < 3 or bool(so_far >= np.quantile(finished, 1 - keep))
    ### END SOLUTION


# %% tags=["wrong-answer"]
def goes_on(finished, so_far, keep):
    return len(finished) < 3 or bool(so_far >= np.quantile(finished, keep))  # only the worst stop


# %% tags=["wrong-answer"]
def goes_on(finished, so_far, keep):
    return bool(so_far >= np.quantile(finished, 1 - keep))  # the second trial has no chance


# %% tags=["check"]
some = np.array([0.1, 0.4, 2.0, 3.0, 5.0])
course.check(
    goes_on,
    [
        ((some, 2.5, 0.25), False),
        ((some, 3.0, 0.25), True),
        ((some, 2.5, 0.5), True),
        ((np.array([9.0]), 0.0, 0.25), True),
        ((np.array([1.0, 2.0]), 0.0, 0.25), True),
        ((np.array([1.0, 2.0, 3.0]), 0.0, 0.25), False),
    ],
    hint="np.quantile(finished, 1 - keep) is the line to reach; who is early has nobody to be compared with",
)

# %% [markdown]
# Replay the rule on the studies. How many steps would other rules have cost? (The sampler would have
# gone another way then. And what a trial would have done after it was stopped is unknown: hence a
# range.)


# %%
def replayed(study, keep):
    """(lowest, highest) share of whole trials' steps that a rule takes: curves end where they end."""
    budget, finished, known, unknown = BUDGET[study.study_name], [], 0, 0
    for trial in studies.finished(study):
        curve, so_far, stopped = trial.intermediate_values, -np.inf, False
        for at in sorted(curve):
            so_far = max(so_far, curve[at])
            others = [other[at] for other in finished if at in other]
            if budget / 5 <= at < budget and len(others) >= 3:
                stopped = so_far < np.quantile(others, 1 - keep)
            if stopped:
                break
        known, unknown = known + at, unknown + (0 if stopped else budget - at)
        finished += [curve] if at == budget else []
    return known / budget / len(study.trials), (known + unknown) / budget / len(study.trials)


for study in (ppo, trpo):
    for keep in (0.1, 0.25, 0.5):
        low, high = replayed(study, keep)
        print(f"{study.study_name}, keep the best {keep:.0%}: {low:.0%} to {high:.0%} of whole trials' steps")

# %% [markdown]
# ### When one trial is too good too early
#
# The TRPO study had the same rule. Its second trial was our guess. It turned out to be a good one.

# %%
spent = studies.cost(trpo)
course.show(
    study_plots.early_stops(trpo),
    alt=f"The curves of all trials of the TRPO study: {spent.trials['COMPLETE']} run to their end, one of "
    f"them far above all others; {spent.trials['PRUNED']} are stopped.",
)
print(spent)
stopped = [trial for trial in trpo.trials if trial.state.name == "PRUNED"]
late = max(stopped, key=lambda trial: trial.value)
print(f"best of those that were stopped: trial {late.number}, {late.value:.1f} after {late.user_attrs['steps']:,} steps")

# %% [markdown]
# Only the first three trials ran to their end, those that always do. From then on the best quarter of
# *three* was the line to reach: halfway between the second best and our guess. Some reached it for a
# while, none to the end. So the sampler saw a hundred trials and learned little of what happens after
# their first fifth, and the study cannot say whether anything is better than the guess. Who saves the
# most sees the least. What would you change? (Quiz question 4.)

# %% [markdown]
# ## 6 · The full studies · 15 min
#
# Each took one command, `make studies`. First the slides' figure: for each hyperparameter the values
# that were tried, coloured by what they came to. Striped: the best tenth. ▲ the slides' value, ▽ ours.

# %%
NAMED = {SLIDES: "the slides'", OURS: "ours, before"}
alt = "A histogram for each hyperparameter of {}, coloured by return. The best tenth lie at: {}."


def middle(study, name):
    """The median of a hyperparameter over the best tenth, or its most frequent value."""
    best = sorted(study_plots.with_value(study), key=lambda trial: -trial.value)[: len(study.trials) // 10]
    values = [trial.params[name] for trial in best]
    each = study.trials[0].distributions[name]
    return max(set(values), key=values.count) if hasattr(each, "choices") else np.median(values)


centres = {s.study_name: {name: middle(s, name) for name in s.trials[0].params} for s in (ppo, trpo)}
words = ", ".join(f"{n} {v:.3g}" for n, v in centres["ppo"].items())
course.show(study_plots.distributions(ppo, NAMED), alt=alt.format("PPO", words))

# %% [markdown]
# Read it in three steps.
#
# 1. *Where are the bars high?* There the sampler looked most. The random trials are spread evenly, so
#    a mountain is the sampler's opinion, not nature's.
# 2. *Where are the stripes?* That is what the best have in common.
# 3. *Is there grey below the stripes?* The same value, and a bad trial: this setting alone does not
#    decide.

# %%
words = ", ".join(f"{n} {v:.3g}" for n, v in centres["trpo"].items())
course.show(study_plots.distributions(trpo, NAMED), alt=alt.format("TRPO", words))

# %% [markdown]
# Then the history: did the search get better, or would random trials have done?

# %%
figure = plt.figure(figsize=(9.5, 3.4))
for part, study in zip(figure.subfigures(1, 2), (ppo, trpo), strict=True):
    study_plots.history(study, part, {SLIDES: "slides", OURS: "ours"})
    part.axes[0].axvline(20.5, color="black", linestyle=":", linewidth=1)
    part.axes[0].set_title(f"{study.study_name}: random, then TPE", fontsize=11)
alt = "Return of each trial in order, for PPO and TRPO, and the best so far as steps. A dotted line "
course.show(figure, alt=alt + "after trial 20 marks where the sampler begins to learn.")

# %%
for study in (ppo, trpo):
    first = BUDGET[study.study_name] // 5
    look = np.array([trial.intermediate_values[first] for trial in study.trials])
    print(f"{study.study_name}, median at the first look: 19 random trials {np.median(look[2:21]):5.2f}, "
          f"{len(look[21:])} after them {np.median(look[21:]):5.2f}")  # fmt: skip

# %% [markdown]
# Yes, a little: compared at the same number of steps, the sampler's trials begin better. (Comparing the
# *best* of 19 with the best of 79 would not be fair.) For TRPO none of them beat the guess.

# %% [markdown]
# **Importances** put a number on step 2: how different are the best tenth's values from all values
# that were tried? (PED-ANOVA.) One such bar chart looks like a fact. So we compute it 50 times, each
# time from a random half of the trials. The black lines show how far the answer moves.

# %%
HALVES = course.budget(ci=3, lecture=50, full=200)
found = study_plots.importances(ppo, HALVES)
order = sorted(found, key=lambda name: -found[name].mean())
alt = f"Importances of the PPO study with ranges. Longest bars: {', '.join(order[:4])}."
course.show(study_plots.importance_bars(found), alt=alt)

# %% [markdown]
# With a hundred trials and sixteen hyperparameters most of the lines overlap: the figure cannot say
# which setting is third. And **a short bar does not mean unimportant.** `normalize_rewards` has none.
# Most trials had it on, so the best can hardly differ from all. Look back at its histogram: without
# it nothing came to anything. The bars show where the best still differ from what the sampler tried.
#
# **Parallel coordinates** show what goes together. Each trial is a line through its values. Where the
# red lines run in a bundle the best trials agree. Where they fan out, that setting does not matter,
# or it depends on the others.

# %%
chosen = [*order[:6], "normalize_observations", "units"]
chosen = list(dict.fromkeys(chosen))
figure = study_plots.parallel_coordinates(ppo, chosen)
course.show(figure, alt=f"Lines of all PPO trials through {', '.join(chosen)}; the best tenth is highlighted.")

# %% [markdown]
# ## 7 · How they mislead · 15 min
#
# ### Few seeds
#
# Each trial trained once. A training with another seed comes to another return. Who wins among
# a hundred is good *and lucky*; when the luck is drawn again, it falls back. How far? Suppose that
# 100 settings were all equally good: 5 on average, with a standard deviation of 1 between seeds.

# %%
rng = np.random.default_rng(0)
first, second = 5 + rng.standard_normal((2, 2000, 100))
winner = first.argmax(axis=1)
rows = np.arange(len(first))
print(f"the winner's score:            {first[rows, winner].mean():.2f}")
print(f"the same setting, a new seed:  {second[rows, winner].mean():.2f}")

# %% [markdown]
# Two and a half standard deviations of pure luck. This is the *winner's curse*, and a bigger search
# makes it worse.
#
# ### Exercise 4 ★★ · The fall of the best
#
# `first` holds the scores of all settings in the study, `second` the scores of the same settings with
# new seeds. For the `k` best *of the study* return their mean score in the study and their mean with
# new seeds.


# %% tags=["exercise"]
def best_again(first, second, k):
    """(mean of the k best in the study, mean of these same settings with new seeds)."""
    ### BEGIN SOLUTION
    best = np.argsort(first)[-k:]
    return first[best].mean(), second[best].mean()
    ### END SOLUTION


# %% tags=["wrong-answer"]
def best_again(first, second, k):
    return np.sort(first)[-k:].mean(), np.sort(second)[-k:].mean()  # chosen anew: no fall at all


# %% tags=["wrong-answer"]
def best_again(first, second, k):
    best = np.argsort(first)[:k]  # the worst
    return first[best].mean(), second[best].mean()


# %% tags=["check"]
a, b = np.array([1.0, 4.0, 3.0, 2.0]), np.array([2.5, 2.0, 3.0, 4.0])
course.check(
    best_again,
    [((a, b, 1), (4.0, 2.0)), ((a, b, 2), (3.5, 2.5)), ((b, a, 2), (3.5, 2.5)), ((a, a, 3), (3.0, 3.0))],
    hint="np.argsort(first) ends with the best; use the same indices for both",
)

# %% [markdown]
# For real: the six best trials of each study, stopped ones too, trained again with three new seeds. With them
# three settings that no study chose: the slides', those meant for long trainings (`LONG` in
# `quadlib/learning/settings.py`: large rollouts, small steps), and the defaults of `quadlib.train` as they are now.

# %%
from quadlib.search.finalists import agreement, read_again

AGAIN = {"ppo": read_again("ppo"), "trpo": read_again("trpo")}
for study in (ppo, trpo):
    again, steps = AGAIN[study.study_name], BUDGET[study.study_name]
    print(f"{study.study_name} at {steps:,} steps      in the study   new seeds, mean (each)")
    for name, returns in zip(again.names, again.at(steps), strict=True):
        number = {"slides": SLIDES}.get(name, name)
        known = str(number).isdecimal()
        before = f"{study.trials[int(number)].value:.2f}" if known else "not in it"
        if known and study.trials[int(number)].state.name == "PRUNED":
            before += f" at {study.trials[int(number)].user_attrs['steps']:,}"
        each = ", ".join(f"{value:.1f}" for value in returns)
        print(f"  {name:<10}{before:>24}   {returns.mean():14.2f} ({each})")
    new = {name: again.at(steps)[again.names.index(name)] for name in again.names if name.isdecimal()}
    old = np.mean([study.trials[int(name)].value for name in new])
    spread = np.sqrt(np.mean([returns.var(ddof=1) for returns in new.values()]))
    print(f"  these trials: {old:.1f} in the study, {np.mean(list(new.values())):.1f} with new seeds; "
          f"deviation between seeds {spread:.1f}\n")  # fmt: skip

# %% [markdown]
# ### A budget too short
#
# The PPO study asks: who is best after 100,000 steps? You want to know: who is best later?
# Small rollouts and a narrow policy pay at once; large rollouts pay later. Below, the dotted line is
# where the study looked.

# %%
from quadlib.showing.finalist_plots import finalist_curves, ranking


def best_finalist(study):
    """The trial whose settings came furthest with new seeds, at the end of the long trainings."""
    again = AGAIN[study.study_name]
    ends = dict(zip(again.names, again.returns[:, :, -1].mean(axis=1), strict=True))
    return int(max(filter(str.isdecimal, ends), key=ends.get))


def once(again, labels):
    """One label for settings with two names, a trial's and the defaults': their curves are equal."""
    same = {}
    for name, text in labels.items():
        curves = again.returns[again.names.index(name)]
        same.setdefault(curves.tobytes(), {})[name] = text
    return {next(iter(group)): " = ".join(group.values()) for group in same.values()}


# %%
for study in (ppo, trpo):
    again, first, last = AGAIN[study.study_name], study.best_trial.number, best_finalist(study)
    labels = {str(last): f"trial {last}, best at the end"}
    labels |= {str(first): f"trial {first}, best of the study"} if first != last else {}
    labels |= {"defaults": "defaults now", "long": "long runs'", "slides": "slides'"}
    labels = once(again, labels)
    figure = finalist_curves(again, labels, [BUDGET[study.study_name]])
    figure.axes[0].set_title(study.study_name)
    ends = again.returns[:, :, -1].mean(axis=1)
    alt = ", ".join(f"{text}: {ends[again.names.index(name)]:.1f}" for name, text in labels.items())
    course.show(figure, alt=f"Learning curves of {study.study_name} finalists. At the end {alt}.")

# %% [markdown]
# And the order? New seeds beside the study's:

# %%
for study in (ppo, trpo):
    again = AGAIN[study.study_name]
    columns = list(dict.fromkeys([BUDGET[study.study_name], int(again.steps[-1])]))
    held = [f"{agreement(study, again, at)['kendall']:+.2f} at {at:,} steps" for at in columns]
    told = f"Kendall's τ with the study's order {', '.join(held)}"
    course.show(ranking(study, again, columns), alt=f"Places of the {study.study_name} finalists. {told}.")
    print(f"{study.study_name}: {told}")

# %% [markdown]
# What is a large $\tau$? Among six settings a quarter of all random orders have $|\tau|$ of 0.47 and
# more. And who is called "best at the end" was chosen again, by three seeds this time: that score
# flatters, too. (TRPO's stopped trials stand in the study with returns at different steps.)
#
# ### Exercise 5 ★★ · Did the order hold?
#
# Kendall's $\tau$ looks at all pairs: in how many do both lists agree who is better, and in how many
# do they disagree? It is (agreements − disagreements) / pairs. 1: the same order, 0: no relation,
# −1: reversed. (No ties here.)


# %% tags=["exercise"]
def kendall(before, after):
    """Kendall's τ of two lists of scores for the same settings."""
    ### BEGIN SOLUTION
    i, j = np.triu_indices(len(before), k=1)
    same = np.sign(before[i] - before[j]) * np.sign(after[i] - after[j])
    return same.mean()
    ### END SOLUTION


# %% tags=["wrong-answer"]
def kendall(before, after):
    i, j = np.triu_indices(len(before), k=1)
    return np.mean((before[i] > before[j]) == (after[i] > after[j]))  # agreements alone: 0 … 1


# %% tags=["wrong-answer"]
def kendall(before, after):
    return np.corrcoef(before, after)[0, 1]  # looks at distances, not at the order


# %% tags=["check"]
one, other = np.array([5.0, 4.0, 3.0, 1.0]), np.array([7.0, 2.0, 6.0, 1.0])
course.check(
    kendall,
    [((one, one), 1.0), ((one, -one), -1.0), ((one, other), 4 / 6), ((one, np.exp(one)), 1.0)],
    hint="for each pair: do the two differences have the same sign? Then +1, else −1; and the mean",
)

# %% [markdown]
# ### Interactions
#
# The two settings with the longest bars, against each other. A vertical or horizontal band of good
# trials: one setting decides. A corner: both matter, perhaps each on its own. A diagonal: what is good
# for one depends on the other. (Where the grey points crowd, the sampler chose to look.)

# %%
x, y = order[:2]
groups = {"others": ("0.7", "o", 16), "best tenth": (plots.COLORS["vermillion"], "^", 55)}
ranked = sorted(study_plots.with_value(ppo), key=lambda trial: trial.value)
cut = len(ranked) - len(ranked) // 10
figure, axes = plt.subplots(figsize=(6, 3.6))
for (label, (color, marker, size)), some in zip(groups.items(), (ranked[:cut], ranked[cut:]), strict=True):
    values = [[trial.params[name] for trial in some] for name in (x, y)]
    axes.scatter(*values, s=size, c=color, marker=marker, label=label)
for scale, name in ((axes.set_xscale, x), (axes.set_yscale, y)):
    scale("log" if getattr(ppo.trials[0].distributions[name], "log", False) else "linear")
axes.set(xlabel=x, ylabel=y)
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
course.show(figure, alt=f"All PPO trials by {x} and {y}; the best tenth as triangles.")

# %% [markdown]
# ### A sampler that makes up its mind
#
# The distributions in part 6 look at one setting at a time, and the trials were not drawn evenly.
# Trial 1, which was good, had `units = 32`. The sampler tries more of its kind: nearly all later
# trials have 32 units. So 32 looks good, even if 64 would do as well. Compare the random trials with
# those after them. How many came above 1?


# %%
def by_value(name, trials):
    """For each value of a categorical hyperparameter: how many trials, how many above 1."""
    groups = {}
    for trial in trials:
        groups.setdefault(trial.params[name], []).append(trial.value > 1)
    return ", ".join(f"{value}: {sum(some)} of {len(some)}" for value, some in sorted(groups.items()))


for name in ("units", "normalize_rewards"):
    print(f"{name}, above 1: 19 random trials  {by_value(name, ppo.trials[2:21])}")
    print(f"{name}, above 1: 79 after them     {by_value(name, ppo.trials[21:])}")

# %% [markdown]
# The random trials say nothing about the networks: none of them learned. And 64 units were not tried
# afterwards.
#
# | It looks like | It may be | What to do |
# |---|---|---|
# | trial 78 is the best | it was lucky once | new seeds for the finalists, before anyone is called best |
# | this value is best | the sampler stayed where it was first lucky | another study with another seed; change that one setting |
# | this setting decides | it decides for these values of the others | parallel coordinates; vary two at a time |
# | it wins at 100,000 steps | it wins *early* | train the finalists as long as you will train in earnest |
# | it was stopped, so it is bad | it is slow | look at curves that cross |
# | the edge of a range is best | the range is too small | widen it |

# %% [markdown]
# ### What is left of it
#
# Side by side: the slides' settings, the trial that came furthest with new seeds (three: not yet
# a proof), and the defaults.

# %%
from quadlib.learning import settings as known

for study in (ppo, trpo):
    best, complete = best_finalist(study), known.settings_for
    slides = complete(study.study_name, known.SLIDES[study.study_name]).as_dict()
    table = [slides, settings_of(study, best), complete(study.study_name).as_dict()]
    print(f"{study.study_name:<25}{'slides':>14}{'trial ' + str(best):>14}{'defaults':>14}")
    for name in table[0]:
        values = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in (t[name] for t in table)]
        print(f"  {name:<23}" + "".join(f"{value:>14}" for value in values))

# %% [markdown]
# PPO's defaults are not the winner of the study. They come out of *reading* it. The good trials agree on
# rollouts below 450 steps, 17 to 20 passes, 32 units, each at the edge of its range, and on little
# noise at the start. The finalists' curves say that such small rollouts stall. So: rollouts of 1,024
# steps, ten passes, 64 units, noise between the study's and that of long trainings, tried in a handful
# of trainings by hand, then trained with the same new seeds. TRPO's defaults are trial 1, the guess: with
# new seeds it lost a third of its score and is still ahead of all that the search tried, but no longer
# of the settings for long trainings. A search with a hundred trials and one seed each finds a region;
# it does not finish.

# %% [markdown]
# ## 8 · From a laptop to a cluster · 5 min
#
# `tune` hands the trials to [Dask](https://distributed.dask.org). By default it starts a process for
# each core of this machine. With a cluster, hand it that cluster's client, and put the study where
# all machines reach it. Nothing else changes. On a SLURM cluster:
#
# ```python
# cluster = dask_jobqueue.SLURMCluster(cores=1, memory="2GB", walltime="02:00:00")
# cluster.scale(20)
# tune("ppo", trials=1000, client=cluster.get_client(), storage="postgresql://USER:PASSWORD@HOST/DATABASE")
# ```
#
# Each trial is one process on one core: no messages between environments, nothing to wait for. So
# twenty cores are nearly twenty times as fast. With as many workers as trials nothing is learned and
# hardly anything stopped: all have begun before any has ended. Killed workers do no harm: their
# trials are trained again.
#
# `make dashboard` opens both studies in *optuna-dashboard*, where you can turn all of these figures
# around. `make studies` makes them anew.

# %% [markdown]
# ## Quiz
#
# Answer first, then open.
#
# 1. Your range for the learning rate is 0.0001 to 0.01, and the best tenth all lie above 0.008. What
#    now?
#    <details><summary>Answer</summary>The best may lie outside. Widen the range and search again. An
#    optimum at an edge is a question, not an answer.</details>
# 2. A colleague tunes for 1,000 trials and reports the winner's score. Is it closer to the truth than
#    the winner's score of 100 trials?
#    <details><summary>Answer</summary>No: more trials, more luck in the maximum. The *setting* may be
#    better. The *score* is more inflated. Train it again with new seeds.</details>
# 3. Why does the study not use the same seed for all trials?
#    <details><summary>Answer</summary>The winner would be the setting that suits this one seed. With
#    different seeds luck is spread; it does not vanish.</details>
# 4. Nearly all trials are stopped, from the fourth on. What happened, and what would help?
#    <details><summary>Answer</summary>An early trial was very good, and all are compared with it at the
#    same number of steps. Let more trials run to their end before the rule begins, keep more, or try
#    what you know already in the end.</details>
# 5. You change the reward. Do the tuned settings still hold?
#    <details><summary>Answer</summary>Perhaps. All of them, the defaults too, were found for this
#    problem. Begin with them, look at the curves, and search again if it matters.</details>

# %% [markdown]
# ## Summary on one page
#
# **Facts.** A trial is one training with one choice of settings. A study is many. Random trials
# first, then a sampler that prefers what good trials have in common; most trials are stopped at
# a fifth of their steps.
#
# **What to know.** Search over quantities that mean something (a horizon, a rollout), in the
# logarithm where powers of ten matter. Score a trial by many episodes of many policies. The best of
# many is lucky: train the finalists again, with new seeds, as long as you will in earnest. Say how
# many seeds. A setting that looks decisive may only be where the sampler stayed.
#
# **Pseudocode: a study**
# ```
# for trial = 0, 1, …, on every free core:
#     settings ← random (the first 20), then argmax of p(settings | good) / p(settings | others)
#     for mark = 1 … 10:
#         train a tenth of the steps; report the mean return since the last mark
#         from mark 2 on: stop unless among the best quarter of the finished trials at this mark
#     score ← the last report
# for the best 6: train again with 3 new seeds; only now call one the best
# ```
#
# Next: 6, transfer, in which an agent trained with TRPO goes on with PPO.

# %% [markdown]
# ## References
#
# - J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl, 2011. [Algorithms for hyper-parameter optimization](https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization). TPE.
# - S. Watanabe, 2023. [Tree-structured Parzen estimator: understanding its algorithm components](https://arxiv.org/abs/2304.11127).
# - S. Watanabe, A. Bansal, F. Hutter, 2023. [PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary subspaces](https://arxiv.org/abs/2304.10255).
# - T. Akiba, S. Sano, T. Yanase, T. Ohta, M. Koyama, 2019. [Optuna: a next-generation hyperparameter optimization framework](https://arxiv.org/abs/1907.10902).
# - D. Golovin et al., 2017. [Google Vizier: a service for black-box optimization](https://doi.org/10.1145/3097983.3098043). The median rule, a relative of ours.
# - J. Bergstra, Y. Bengio, 2012. [Random search for hyper-parameter optimization](https://jmlr.org/papers/v13/bergstra12a.html).
# - P. Henderson et al., 2018. [Deep reinforcement learning that matters](https://arxiv.org/abs/1709.06560). How much seeds matter.
# - T. Eimer, M. Lindauer, R. Raileanu, 2023. [Hyperparameters in reinforcement learning and how to tune them](https://arxiv.org/abs/2306.01324).
