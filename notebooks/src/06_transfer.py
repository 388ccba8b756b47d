# %% [markdown]
# # 6 · Best of both worlds? From TRPO to PPO
#
# TRPO was wild and fast, PPO was tame and stood still. So take what the first one learned, put it
# into the second one, and train on: PPO's small updates should calm the policy down. That was the
# last experiment of the slides. The return rose a little, the spread stayed. In this notebook you repeat it, take it apart, and
# find out what can be carried from one algorithm to another, and what that is worth.
#
# | Part | You will be able to | Minutes |
# |---|---|---|
# | 1 A wish | say what the slides tried, what came out, and what that leaves open | 5 |
# | 2 What is in an agent? | name its parts, and follow them into another algorithm | 8 |
# | 3 A critic has a horizon | measure how wrong a critic is, and when that does harm | 13 |
# | 4 Transfer, live | predict what each part is worth, and be wrong | 10 |
# | 5 Their experiment, again | say what held the slides' PPO back | 15 |
# | 6 A recipe | carry an agent over so that it keeps its return and calms down | 8 |
# | 7 How sure are we? | compare algorithms of which you have a few runs each | 14 |
# | 8 What the robots do | read a gait diagram; set speed against power | 8 |
# | 9 What we know now | say what is known, what is open, and where each question leads | 9 |
#
# You need: [3, PPO](03_ppo.ipynb) and [4, TRPO](04_trpo.ipynb). Exercises have stars for
# difficulty. [Solutions](solutions/06_transfer.ipynb) are one click away.

# %% [markdown]
# ## 1 · A wish · 5 min
#
# The slides report three agents, in an environment like our `Minitaur`:
#
# | agent | return | hours |
# |---|---|---|
# | PPO, 4 M steps | 0.5 ± 0.05 | 5 |
# | TRPO, 4 M steps | 2.5 ± 1.5 | 6 |
# | TRPO, then PPO, about 7 M steps | 3 ± 1.5 | 11 |
#
# "PPO was not able to stabilize the optimal policy." Look at the numbers after the ±. That is the
# deviation over episodes: with TRPO one never knows what the next episode brings. PPO's was small,
# and so they hoped to get the one's return with the other's calm.
#
# Three numbers from three runs leave much open. Was it bad luck? The settings? Something that was
# not carried over? Or can PPO not do it at all? Our own TRPO agent comes with the course:

# %%
import numpy as np

import quadlib
from quadlib import course
from quadlib.judging import records
from quadlib.showing import plots

plots.use_style()
teacher = records.runs("trpo")[0].agent
episodes = course.budget(ci=2, lecture=10, full=100)
before = quadlib.evaluate(teacher, episodes)
print(f"{teacher.about['algorithm']}, {teacher.about['steps']:,} steps in {teacher.about['env']}")
print(before)
assert before.mean > 2.5

# %%
run = quadlib.record(teacher, seconds=course.budget(ci=1, lecture=6, full=6), label="TRPO")
quadlib.replay(run)

# %% [markdown]
# ## 2 · What is in an agent? · 8 min
#
# Both algorithms are *actor-critic* methods: a policy that acts, and a critic that says how much is
# still to come. Whether TRPO or PPO made them does not show in the networks. What is there to carry?

# %%
from quadlib.learning.transfer import PARTS

MEANING = {
    "policy": "28 observations → the means of 8 commands",
    "critic": "28 observations → the return that is still to come, and its unit",
    "log_std": "how much each command scatters around its mean",
    "statistics": "mean and variance of each observation, to normalize it",
}
for part, beginnings in PARTS.items():
    size = sum(a.size for name, a in teacher.arrays.items() if name.startswith(beginnings))
    print(f"{part:<12}{size:>6,} numbers   {MEANING[part]}")

# %% [markdown]
# The critic's *unit* is one number: in training rewards are divided by the size of returns, and the critic
# learns returns in that unit. Multiplied with it, its values are in the reward's own unit again.
#
# What is *not* there: the optimizer's memory. Adam keeps running means of the gradients. In TRPO it
# only ever moved the critic, so PPO starts with a fresh one.
#
# The library's code path for it is short: put the parts into a new model, then train as always.

# %%
import inspect

from quadlib.learning.transfer import Start, transfer

print(inspect.getsource(Start.put_into))

# %% [markdown]
# The statistics are easily forgotten. In plain Stable-Baselines3 they are kept in `VecNormalize`, a
# wrapper of the environment: copying the networks leaves them behind. The last lines set how much they
# weigh against new observations: as much as the steps in which they were gathered.
#
# Nothing is lost on the way. Before its first update the new PPO agent *is* the TRPO agent:

# %%
copy = transfer(teacher, "ppo", steps=0, progress=False).agent
assert copy.fingerprint == teacher.fingerprint
print(copy.about["lineage"])

# %% [markdown]
# ## 3 · A critic has a horizon · 13 min
#
# A critic predicts discounted returns, and so it is a critic for one discount factor:
#
# $$V_\gamma(s_t) = \mathbb{E} \Big[ \sum_{k \ge 0} \gamma^k r_{t+k} \,\Big|\, s_t \Big]$$
#
# The slides' TRPO had $\gamma = 0.974$, the PPO that took over had $\gamma = 0.913$. It looks as if
# that could not go well. How bad is it?
#
# ### Exercise 1 ★ · What is a steady income worth?
#
# A robot earns the same reward $r$ in each step, for ever. What is $V_\gamma$? Write it for any
# $0 \le \gamma < 1$.


# %% tags=["exercise"]
def steady(r, gamma):
    """The discounted return of earning r in each step, for ever."""
    ### BEGIN SOLUTION
    return r / (1 - gamma)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def steady(r, gamma):
    return r * gamma / (1 - gamma)  # forgets that the first reward is not discounted


# %% tags=["wrong-answer"]
def steady(r, gamma):
    return r * (1 - gamma)


# %% tags=["check"]
cases = ((1.0, 0.5), (0.03, 0.974), (0.03, 0.913), (2.0, 0.0))
course.check(
    steady,
    [((r, g), sum(r * g**k for k in range(5000))) for r, g in cases],
    hint="r + γ r + γ² r + …: take out γ of all but the first, and the same sum appears again",
)

# %% [markdown]
# So a critic that is asked to serve another $\gamma$ is off by a factor. In steps of income:
# $1/(1-0.99) = 100$ for our TRPO, 38 and 11 for the slides' two. Our critic should be 2.6 and 9 times
# too high. Measure it. `check_critic` plays the agent with its noise, in episodes that no training has seen,
# and sets the critic's values beside the returns that came out, both in metres, as the reward is nearly the
# distance. (States so near to the end of the recording that their return is not known are left out: more of
# them for a large γ.) The *bias* is the mean of value − return. The *explained variance* is
# $1 - \mathrm{Var}[\text{return} - \text{value}] \,/\, \mathrm{Var}[\text{return}]$: 1 is perfect, below 0 is
# worse than a constant.

# %%
from quadlib.learning.critic import check_critic

own = teacher.about["settings"]["gamma"]
small = course.budget(ci={"steps": 560, "n_envs": 2}, lecture={"steps": 1024}, full={"steps": 2048})
checks = {gamma: check_critic(teacher, gamma, **small) for gamma in (own, 0.974, 0.913)}
for gamma, check in checks.items():
    correlation = np.corrcoef(check.values, check.returns)[0, 1]
    print(f"γ = {gamma}: {check}, correlation {correlation:.2f}")

# %%
import matplotlib.pyplot as plt

figure, panels = plt.subplots(1, 3, figsize=(9, 3.4), sharey=True)
for axes, (gamma, check) in zip(panels, checks.items(), strict=True):
    shown = np.random.default_rng(0).permutation(len(check.values))[:600]
    axes.plot(check.values[shown], check.returns[shown], ".", alpha=0.4, markersize=4)
    low, high = min(check.values.min(), 0), check.values.max()
    axes.plot([low, high], [low, high], "k--", linewidth=1)
    axes.set(title=f"γ = {gamma}", xlabel="the critic's value (m)")
panels[0].set_ylabel("the return that came (m)")
alt = "; ".join(f"γ {g}: bias {c.bias:+.2f}" for g, c in checks.items())
course.show(figure, alt=f"Values against returns for three discount factors, with the diagonal. {alt}.")
assert abs(checks[own].bias) < checks[0.974].bias < checks[0.913].bias

# %% [markdown]
# With its own $\gamma$ (left) the cloud lies around the dashed line. With the slides' two the critic
# hopes for several times what comes. But look at *how* it is wrong: the cloud is shifted as a whole, and
# flatter. The order is still there: where the critic hopes for more, more comes. (The correlation
# is even higher than for its own γ: over a longer time more happens that no state foretells, such as the
# few falls far below the line.) Does a shift matter? The critic learns from its error and will mend it. But
# PPO's *policy* never sees values by themselves. Its update uses advantages:
#
# $$\hat A_t = \sum_{k \ge 0} (\gamma\lambda)^k \delta_{t+k}, \qquad
# \delta_t = r_t + \gamma V(s_{t+1}) - V(s_t)$$
#
# ### Exercise 2 ★★ · A critic that is too hopeful everywhere
#
# Add the same constant $c$ to all values. By how much does each advantage change, in an episode
# without an end?


# %% tags=["exercise"]
def shift(c, gamma, lam):
    """Change of every advantage when c is added to all values."""
    ### BEGIN SOLUTION
    return -c * (1 - gamma) / (1 - gamma * lam)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def shift(c, gamma, lam):
    return -c * (1 - gamma)  # of one δ, not of their sum


# %% tags=["wrong-answer"]
def shift(c, gamma, lam):
    return -c  # true for λ = 1 only


# %% tags=["check"]
def gae(rewards, values, gamma, lam):
    """Advantages of all but the last state, as in notebook 1a."""
    A, running = np.zeros(len(rewards)), 0.0
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * values[t + 1] - values[t]
        A[t] = running = delta + gamma * lam * running
    return A


def tried(c, gamma, lam):
    r, V = np.random.default_rng(0).normal(size=(2, 3000))
    return (gae(r[:-1], V + c, gamma, lam) - gae(r[:-1], V, gamma, lam))[0]


triples = [(1.0, 0.9, 0.0), (1.0, 0.9, 1.0), (0.6, 0.974, 0.988), (0.9, 0.913, 0.861)]
course.check(
    shift,
    [(triple, tried(*triple)) for triple in triples],
    hint="first the change of one δ; then sum it with the weights (γλ)^k",
)

# %% [markdown]
# Each $\delta$ changes by $\gamma c - c = -c\,(1-\gamma)$, and the weights sum to $1/(1-\gamma\lambda)$: the
# same for every sample, but for the last few before a rollout is cut. And PPO normalizes advantages over
# each minibatch: mean 0, deviation 1. A constant is gone before the policy sees it. So "the critic was
# learned for another γ" sounds convincing, but most of the error that you measured above is such a
# constant: compare the bias with the root mean square.
#
# Two things remain. The differences between states are too large as well: the explained variance ignores
# the constant and sees that, it is far below zero for $\gamma = 0.913$. And before a *fall* the constant
# is not gone. After a fall the value is 0, no $\gamma c$ comes back, the last step loses all of $c$: a fall
# looks worse than it is. Whether that harms a *training* no formula says.
#
# (And $\gamma = 0.913$ has a problem of its own: it looks 11 steps ahead, 0.11 s, about one stride.
# That is no problem of the transfer.)

# %% [markdown]
# ## 4 · Transfer, live · 10 min
#
# Now let PPO train on. Four times, each time with something else left behind. **Before you run the
# cell, write down the order: who keeps the return, who loses it, who gets it back?**
#
# - *all*: policy, critic, the policy's standard deviation (`log_std`), statistics;
# - *no statistics*: in the first rollout the agent sees raw numbers; in each later one they are normalized
#   with the mean and variance of the rollouts before it;
# - *no critic*: a new one has to learn from nothing;
# - *no critic, warm-up*: the same, but in the first updates the critic learns alone and the policy
#   stands still.

# %%
from quadlib.learning.settings import LONG

ALL = tuple(PARTS)
VARIANTS = {
    "all": {},
    "no statistics": {"parts": tuple(p for p in ALL if p != "statistics")},
    "no critic": {"parts": tuple(p for p in ALL if p != "critic")},
    "no critic, warm-up": {"parts": tuple(p for p in ALL if p != "critic"), "critic_warmup": 3},
}
limit = course.budget(
    ci={"steps": 1_024, "n_envs": 1}, lecture={"steps": 8 * 4_096}, full={"steps": 100 * 4_096}
)
settings = LONG["ppo"] | limit
moved = {
    name: transfer(teacher, "ppo", **settings, **options, seed=1, progress=False)
    for name, options in VARIANTS.items()
}

# %%
marks = {f"TRPO agent, acting with its mean: {before.mean:.1f}": before.mean}
alt = "; ".join(f"{name} ends at {run.curve['return'][-1]:.1f}" for name, run in moved.items())
course.show(plots.learning_curve(moved, marks), alt=f"Mean training return after the transfer. {alt}.")
for name, run in moved.items():
    ev = run.curve["train/explained_variance"]
    print(f"{name:<20} explained variance, first and last update: {ev[0]:6.2f} {ev[-1]:6.2f}")

# %% [markdown]
# The first point is low for all: it counts the episodes that have ended by then, which are those with a
# fall. The curves are means of the last 20 episodes, with noise; the grey line is without. With noise TRPO's
# agents have about 25 (part 6), so a curve a little below that has lost next to nothing. What did you expect?
#
# - Without its *statistics* the agent is lost at once: it sees other numbers than those that it has
#   learned with. It has not forgotten how to run, but it looks through the wrong glasses. After eight
#   updates it has begun to find its feet again.
# - Without its *critic* it loses little, though the new one explains nothing: its explained variance is
#   still below 0 in the last of the eight updates. The policy is good already, its updates are small, and an
#   advantage is mostly made of the next $1/(1-\gamma\lambda) = 17$ rewards, which really came.
# - A *warm-up* costs three rollouts in which the policy stands still. Nothing here shows that it helps. It
#   insures against first updates with a wrong critic; in a long training three rollouts cost next to nothing.
#
# One seed each: what differs by a point or two may be luck.

# %% [markdown]
# ## 5 · Their experiment, again · 15 min
#
# The slides' protocol, with their settings: TRPO for 4 million steps, then its networks into PPO, and
# 4 million more (they had about 3). Every 200,000 steps the agent is judged in 20 episodes. The bars are the deviation
# over episodes, the number after the slides' ±.

# %%
theirs = {"TRPO": records.runs("slides_trpo")[0], "then PPO": records.runs("slides_transfer")[0]}
figure, axes = plt.subplots()
begin, alt = 0, []
for (label, record), marker, style in zip(theirs.items(), "o^", ("-", "--"), strict=True):
    each = record.checkpoints
    axes.errorbar((begin + each["steps"]) / 1e6, each["mean"], each["std"], marker=marker,
                  linestyle=style, capsize=3, linewidth=1, label=label)  # fmt: skip
    begin += each["steps"][-1]
    alt.append(f"{label} ends at {each['mean'][-1]:.1f} ± {each['std'][-1]:.1f}")
    print(f"{alt[-1]}; the deviation over episodes is {each['std'].mean():.1f} on average")
axes.set(xlabel="environment steps (millions)", ylabel="return of 20 episodes")
axes.legend()
course.show(figure, alt=f"The slides' transfer, done again: {'; '.join(alt)}.")

# %% [markdown]
# The same pattern, but lower (they report 2.5 ± 1.5, then 3 ± 1.5): PPO takes over, and nothing changes.
# The bars do not shrink. All of these robots throw themselves forward and fall. It is one run, and not
# their policy, but it fits what they wrote: PPO "was not able to stabilize" it.
#
# What held it back? There are five suspects: the discount, for which the critic was not made (0.99, our
# value, is not its own either); $\lambda$; a learning rate of 0.0000183; a single robot; a single pass
# over each rollout. Each was mended alone, with our value, and PPO went on from the same TRPO agent. Then
# the two that look worst were mended together, then all five. The last row is a control: our PPO *from
# scratch*, which sees raw observations as the slides' agents do. (One seed each.)

# %%
from quadlib.showing import comparison_plots

DOUBTS = {
    "γ 0.913 → 0.99": "gamma",
    "λ 0.861 → 0.95": "lambda",
    "learning rate → 0.0003": "rate",
    "one robot → eight": "robots",
    "one pass → ten": "epochs",
    "γ and learning rate": "gamma_rate",
    "all five": "all",
}
names = {label: f"transfer_but_{name}" for label, name in DOUBTS.items()}
names["our PPO, from scratch"] = "ppo_but_observations"
changed = {label: [r.after(300_000) for r in records.runs(name)] for label, name in names.items()}
title = "the slides' transfer, with some of our settings"
panels = {title: (changed, records.runs("slides_transfer")[0].after(300_000))}
alt = "; ".join(f"{label}: {np.mean(values):.1f}" for label, values in changed.items())
figure = comparison_plots.dots(panels, "mean return after 300,000 steps of PPO", "nothing changed")
figure.axes[0].set_xlim(0, None)
course.show(figure, alt=f"A row per setting, a dot per seed. {alt}.")

# %% [markdown]
# None of them, not even all five. From scratch and on the same raw numbers, our PPO is much further after
# the same 300,000 steps. (Its rewards are normalized, its critic is not clipped, and its first noise is
# another: in notebook 3 none of these alone made the slides' PPO walk, but here nobody tried them.)
#
# So is it the policy that was handed over? Not so fast. A setting can show what it does only if the policy
# moves. How far did its weights go? Take them all as one vector: how long is the change, as a share of the
# length that the vector had?

# %%
start = theirs["TRPO"].agent


def distance(agent):
    """Distance of the policy's weights from the slides' TRPO's, over their length."""
    pairs = [(agent.arrays[n], a) for n, a in start.arrays.items() if n.startswith("actor.")]
    square = sum(((a - b) ** 2).sum() for a, b in pairs)
    return np.sqrt(square / sum((b**2).sum() for _, b in pairs))


print(f"{'the slides, 4 M steps':<24}{distance(theirs['then PPO'].agent):6.1%}")
for label, name in list(names.items())[:-1]:
    print(f"{label:<24}{distance(records.runs(name)[0].agent):6.1%}")

# %% [markdown]
# With their learning rate and a single pass PPO leaves the policy as it is. There γ, $\lambda$ or more
# robots *could* not show anything, so these rows clear nobody. With all five it moved 8.7 %, about as far as
# the first recipe of part 6 moves a policy, and still falls. So the small
# rate and the single pass are why the policy stood still in their 4 million steps. But to make it move is
# not enough.
#
# And the critic, the suspect with the best story? Here is its error in episodes that it has not seen: for
# its own discount, for the one that it was handed over to, and after PPO has had 4 million steps to mend it.

# %%
cases = {
    "TRPO's, γ 0.974": ("TRPO", 0.974),
    "TRPO's, γ 0.913": ("TRPO", 0.913),
    "PPO's,  γ 0.913": ("then PPO", 0.913),
}
for label, (whose, gamma) in cases.items():
    print(f"{label}: {check_critic(theirs[whose].agent, gamma, **small)}")

# %% [markdown]
# TRPO's critic is a fair one for its own γ. For the other it hopes for too much, and its explained variance
# is below zero. PPO has mended that: most of the bias is gone, and it explains nearly half. With the
# better critic the policy got no better. But it hardly moved, so this does not clear the critic either.
#
# So look into what was handed over, the policy itself. Its units are $\tanh$: beyond ±0.99 they are flat,
# and pass on at most a fiftieth of a gradient. And a command beyond ±1 is cut to ±1: where the mean
# lies so far outside that the noise does not reach back into the range, the robot always gets the same ±1,
# and no advantage can tell which way to move the mean.

# %%
from quadlib.learning.agent import ACTOR, layers


def how_stuck(agent, steps):
    """Shares of the first layer's units beyond ±0.99 and of mean commands beyond ±1, while it plays."""
    env, (weight, bias) = quadlib.make("Minitaur"), layers(agent.arrays, ACTOR)[0]
    flat, cut, over = [], [], True
    for step in range(steps):
        if over:
            observation, _ = env.reset(seed=step)
        units = np.tanh(weight @ agent.normalize(observation) + bias)
        flat.append(np.mean(abs(units) > 0.99))
        cut.append(np.mean(abs(agent.mean_action(observation)) > 1))
        observation, _, fell, out_of_time, _ = env.step(agent.act(observation))
        over = fell or out_of_time
    env.close()
    return np.mean(flat), np.mean(cut)


# %%
agents = {
    "slides' TRPO": start, "then PPO": theirs["then PPO"].agent,
    "then PPO, all five": records.runs("transfer_but_all")[0].agent,
    "our PPO, raw numbers": records.runs("ppo_but_observations")[0].agent, "our TRPO": teacher,
}  # fmt: skip
steps = course.budget(ci=20, lecture=500, full=500)
stuck = {label: how_stuck(agent, steps) for label, agent in agents.items()}
figure, panels = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True)
titles = ("flat units of the first layer", "mean commands beyond the range")
for axes, title, shares in zip(panels, titles, zip(*stuck.values(), strict=True), strict=True):
    axes.barh(list(stuck), shares, height=0.5)
    axes.set(title=title, xlim=(0, 1), xticks=(0, 0.5, 1))
    axes.xaxis.set_major_formatter("{x:.0%}")
panels[0].invert_yaxis()
told = "; ".join(f"{label}: {flat:.0%} and {cut:.0%}" for label, (flat, cut) in stuck.items())
course.show(figure, alt=f"Shares of flat units and of commands that are cut. {told}.")

# %% [markdown]
# At any moment five of six units in the first layer of the slides' TRPO are flat, and four of five of its
# mean commands are cut. PPO did not change that, not even with all five mended. Our PPO that learned from
# the same raw numbers has half of its units flat, but commands within the range, and it walks. Our TRPO, with
# normalized observations, has a third of its commands cut, but live units (3 % are flat), and it runs. So
# neither half of the units flat nor a third of the commands cut keeps a policy from learning; four fifths of
# both may.
#
# So two things held the slides' transfer back, as far as this one run shows: a learning rate with which
# the policy does not move (the critic did), and a policy that is hard to move. Whether flat units are *the* reason only a new training
# could tell, from a policy in which they are mended. Normalizing now is no way out: to a policy that has
# learned with raw numbers, other numbers are wrong glasses, as in part 4. (Our networks cut raw numbers at
# ±10. The slides' software did not: theirs may have been worse.)

# %% [markdown]
# ## 6 · A recipe · 8 min
#
# What would calm a policy down? Here are two attempts, with three seeds each. In both all parts are carried
# over unless the text says otherwise, in the first three updates only the critic learns, and $\gamma$ is
# 0.99 throughout:
#
# - *Late and gently*, our first idea. TRPO for 600,000 steps; then PPO with many small updates (1,276 steps
#   of one robot each), each with a third of the learning rate, and little noise: TRPO's `log_std` is not
#   carried over, the new one begins at $-2.3$, a standard deviation of 0.1, where TRPO's agents have 0.26.
# - *Early, with large rollouts*, after we had seen in notebook 3 that small rollouts make PPO quick and
#   wild. Large ones make it calm, and slow at first, where TRPO is quick. So TRPO begins, 400,000 steps,
#   and PPO with eight robots and a learning rate of 0.0003 has the longer part, 600,000.
#
# Both come to a million steps. So do the controls: TRPO that goes on, and PPO from scratch. (PPO, with
# clip or penalty, and TRPO have five seeds. The recipes have three, so from here on we compare the first
# three of each.)

# %%
from quadlib.showing import comparison_plots


def runs(name):
    """The first three seeds of a training."""
    return records.runs(name)[:3]


# %%
RECIPE = {
    "TRPO, 0.6 M": "trpo_600", "then PPO, gently": "transfer_calm",
    "TRPO, 0.4 M": "trpo_400", "then PPO, early": "transfer",
    "TRPO, 1 M": "trpo", "PPO, 1 M": "ppo",
}  # fmt: skip
MODES = {"mean action": "deterministic", "as in training": "stochastic"}
fair = {
    mode: {label: [r.judged["fast"][key] for r in runs(name)] for label, name in RECIPE.items()}
    for mode, key in MODES.items()
}
alt = "; ".join(
    f"{n}: {np.mean([e.mean for e in g]):.1f} ± {np.mean([e.std for e in g]):.1f}"
    for n, g in fair["mean action"].items()
)
narrow = {label.replace(", ", "\n"): group for label, group in fair["mean action"].items()}
figure = comparison_plots.return_distributions(narrow)
course.show(figure, alt=f"Returns of all episodes, acting with the mean. {alt}.")

# %%
for mode, groups in fair.items():
    print(mode)
    for label, group in groups.items():
        fell = np.mean([each.fell.mean() for each in group])
        mean, std = (np.mean([getattr(each, name) for each in group]) for name in ("mean", "std"))
        print(f"  {label:<18}{mean:6.1f} ± {std:4.1f} over a seed's episodes, {fell:4.0%} fall")

# %% [markdown]
# *Gently* failed, with all its small steps. The return rises from 27 to 30, but in 8 of 102 episodes
# the robot falls, nearly as often as before (9), and in one more it stands still. A single return near 0 among
# a seed's 34 episodes makes a large ±. Less noise may have helped in one thing: *as in training*, that is
# with the noise, it has 28, where TRPO that goes on has 25 (both began at 21).
#
# *Early, with large rollouts* is what the slides wished for. PPO lifts TRPO's agents from 24 to 32, no robot
# falls in 102 episodes, and the ± over episodes goes from 5.4 to 1.6, less than a third. That is less than
# half of what TRPO has if it goes on alone (30.7 ± 3.7, 3 falls). With the noise of training 6 of 102 fall,
# where TRPO has 20. So PPO *can* stabilize a policy of TRPO's.
#
# And the other control? PPO from scratch comes to 31.2 ± 1.3, without a fall, and with the noise it has 6
# falls, too. It has both worlds by itself.
# A head start from TRPO may be worth a little more, but three seeds cannot tell: part 7. (The second recipe
# was thought of after the first had failed, on the same seeds. Other seeds would be the fair test.)
#
# The ± is over the episodes of one seed, then the mean of the seeds. Part 7's table takes all episodes
# together, which adds what differs between seeds: 2.1 in place of 1.6.

# %% [markdown]
# ## 7 · How sure are we? · 14 min
#
# One run each says little: another seed, another result. Here are the long runs of this course, in
# the slides' environment. The bands go from the worst seed to the best.

# %%
NAMES = {"PPO": "ppo", "PPO, KL penalty": "ppo_kl", "TRPO": "trpo", "TRPO → PPO": "transfer"}
long_runs = {label: runs(name) for label, name in NAMES.items()}
courses = long_runs | {"TRPO → PPO": records.continued(records.runs("trpo_400"), long_runs["TRPO → PPO"])}
ends = "; ".join(
    f"{n} ends at {np.mean([r.curve['return'][-1] for r in g]):.1f}" for n, g in courses.items()
)
course.show(
    plots.learning_curve(courses),
    alt=f"Training return over environment steps, bands over seeds. {ends}.",
)

# %% [markdown]
# TRPO is ahead at first, PPO catches up. The one after the other is TRPO until 400,000 steps. It loses a
# little when PPO takes over, and from about 0.6 million steps on it is level with the best, or a point or two
# ahead: the quick start of the first, the steady climb of the second.
#
# And over wall time, on one core each. (Two trainings ran at a time, beside other work: do not trust minutes.)

# %%
minutes = {n: np.mean([run.curve["seconds"][-1] for run in g]) / 60 for n, g in courses.items()}
told = "; ".join(f"{n} took {each:.0f}" for n, each in minutes.items())
course.show(plots.learning_curve(courses, over="seconds"), alt=f"The same curves over minutes. {told} minutes.")

# %% [markdown]
# Each of these agents was then judged in 34 episodes, about 100 for three seeds together. A point is an episode:

# %%
judged = {n: [r.judged["fast"]["deterministic"] for r in group] for n, group in long_runs.items()}
alt = "; ".join(f"{n}: seeds' means {', '.join(f'{e.mean:.1f}' for e in g)}" for n, g in judged.items())
course.show(comparison_plots.return_distributions(judged), alt=f"Returns of all episodes. {alt}.")

# %% [markdown]
# The agents in two more worlds: our simulation with the original's physics, and the original itself,
# MinitaurBulletEnv, of which we wrote no line. In the table the first is called `reference`;
# `fast` is the world of the training. Here with all the seeds that each has. (For the transfers the minutes
# are those of the second training alone.)

# %%
from IPython.display import Markdown

from quadlib.agents import results

Markdown(results.table(["slides_transfer", *NAMES.values()]))

# %% [markdown]
# Which algorithm is better? Not the one with the best run, and not the one with the best mean, if a
# single seed makes it. Agarwal et al. (2021) propose two numbers for a few runs on many tasks. We have one task: see what they
# can say, and what not.
#
# ### Exercise 3 ★ · The interquartile mean
#
# Sort the scores, leave out a quarter at each end (rounded down), and take the mean of the rest.


# %% tags=["exercise"]
def iqm(scores):
    """Mean of the middle half."""
    ### BEGIN SOLUTION
    scores = np.sort(scores)
    cut = len(scores) // 4
    return scores[cut : len(scores) - cut].mean()
    ### END SOLUTION


# %% tags=["wrong-answer"]
def iqm(scores):
    cut = len(scores) // 4
    return np.asarray(scores)[cut : len(scores) - cut].mean()  # not sorted


# %% tags=["wrong-answer"]
def iqm(scores):
    return np.median(scores)


# %% tags=["check"]
course.check(
    iqm,
    [
        ((np.array([31.0, 2.0, 33.0, 35.0, 34.0]),), 98.0 / 3),
        ((np.array([1.0, 2.0, 6.0]),), 3.0),
        ((np.array([100.0, 1, 2, 3, 4, 5, 6, -100]),), 3.5),
    ],
    hint="np.sort first; len(scores) // 4 go at each end",
)

# %% [markdown]
# ### Exercise 4 ★★ · The probability of improvement
#
# How likely is it that a run of ours beats a run of theirs? Compare all pairs: a win counts 1, a draw
# ½. The mean over pairs is the answer. (Mann and Whitney knew it as $U$ over the number of pairs.)


# %% tags=["exercise"]
def improvement(ours, theirs):
    """Share of pairs in which ours is higher; draws count half."""
    ### BEGIN SOLUTION
    wins = [(a > b) + 0.5 * (a == b) for a in ours for b in theirs]
    return np.mean(wins)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def improvement(ours, theirs):
    return np.mean([a > b for a in ours for b in theirs])  # a draw counts nothing


# %% tags=["wrong-answer"]
def improvement(ours, theirs):
    return np.mean(np.mean(ours) > np.asarray(theirs))


# %% tags=["check"]
course.check(
    improvement,
    [
        ((np.array([4.0, 2, 3]), np.array([1.0, 3])), 0.75),
        ((np.array([5.0, 5]), np.array([5.0, 5, 5])), 0.5),
        ((np.array([1.0, 3]), np.array([4.0, 2, 3])), 0.25),
    ],
    hint="two loops, one over ours, one over theirs",
)

# %% [markdown]
# Both with their intervals, from the bootstrap over seeds: draw the seeds again, with replacement, many
# times, and take the range of the middle 95 % of the results. Beside it, for the mean, stands the interval by
# *Student's t*: $\bar x \pm t \, s / \sqrt n$, where $s$ is the standard deviation over the $n$ seeds. For
# three seeds $t$ is 4.3; for very many it would be 1.96. (It takes the scores to be normally distributed.)

# %%
from quadlib.judging import comparison

scores = {name: np.array([e.mean for e in group]) for name, group in judged.items()}
for name, each in scores.items():
    low, high = comparison.seeds_interval(each)
    print(f"{name:<17} mean {each.mean():.1f}, 95 % by Student's t: {low:.1f} … {high:.1f}")
rows = {
    name: (float(comparison.interquartile_mean(s)), *comparison.stratified_interval(s))
    for name, s in scores.items()
}
alt = "; ".join(f"{n} {m:.1f} [{low:.1f}, {high:.1f}]" for n, (m, low, high) in rows.items())
course.show(
    comparison_plots.intervals(rows, "interquartile mean of the return, 95 % over seeds"),
    alt=f"Interquartile means with intervals. {alt}.",
)

# %%
PAIRS = (("PPO", "TRPO"), ("PPO", "PPO, KL penalty"), ("TRPO → PPO", "TRPO"), ("TRPO → PPO", "PPO"))
pairs = {}
for one, other in PAIRS:
    p = comparison.probability_of_improvement(scores[one], scores[other])
    interval = comparison.improvement_interval(scores[one], scores[other])
    pairs[f"{one} > {other}"] = (p, *interval)
alt = "; ".join(f"{n} {p:.2f} [{low:.2f}, {high:.2f}]" for n, (p, low, high) in pairs.items())
course.show(
    comparison_plots.intervals(pairs, "probability of improvement, 95 %", reference=0.5),
    alt=f"Probabilities that a run of one algorithm beats a run of another. {alt}.",
)

# %% [markdown]
# Look at the second figure. An interval with ½ inside says: not known. One without says: a hint, no more.
# So of the four pairs only one is a hint: PPO over PPO with the penalty. **With three seeds be careful.**
# A quarter of three, rounded down, is none: the interquartile mean is the mean. And the bootstrap
# knows only what it has seen. If all nine pairs are won, every new draw wins them, and the interval is
# [1, 1]. Yet with two equal algorithms one or the other wins all nine in one of ten comparisons: six ranks
# can be dealt to two groups of three in 20 ways, and 2 of them separate the groups. Student's t, which knows
# how little three numbers say, gives the wider intervals printed above.

# %% [markdown]
# ## 8 · What the robots do · 8 min
#
# A return is a number. Here are the robots of the first seed, side by side. (One episode
# each: no race is decided by it.)

# %%
seconds = course.budget(ci=1, lecture=6, full=6)
quadlib.replay({label: group[0].agent for label, group in long_runs.items()}, seconds=seconds)

# %% [markdown]
# And this is what their feet do. A bar: the foot is on the ground.

# %%
from quadlib.judging import gait

seconds = course.budget(ci=1.5, lecture=8, full=8)
gaits = {n: gait.observe(g[0].agent, seconds=seconds) for n, g in long_runs.items()}
alt = "; ".join(f"{name}: {each}" for name, each in gaits.items())
course.show(comparison_plots.gait_diagram(gaits), alt=f"Contacts of the four feet over a second. {alt}.")
for name, each in gaits.items():
    print(f"{name}: {each}\n")

# %% [markdown]
# (F and B are front and back, L and R left and right.) The names are those of animals' gaits: in a *walk*
# the four legs follow one another, a quarter of a stride apart. In a *trot* the diagonal legs go together, in
# a *pace* the two legs of a side, in a *bound* the two front legs and then the two back legs, in a *pronk* all
# four (Hildebrand, 1989). The number says how far the robot is from the pure form, in strides, as a mean over
# the legs. Do not trust the name alone: a pure walk and a pure trot are only 0.125 apart, and legs with
# random phases are on average 0.09 from the nearest form. So 0.12 is hardly a walk, and 0.07 to 0.09 are
# rough trots.
#
# Is that fast? Tan et al. (2018) had the same robot trot (0.5 m/s) and gallop (1.3 m/s), in simulation
# and then in reality. Each point below is an episode; the dotted lines are equal cost of transport,
# power / (weight · speed).

# %%
alt = "; ".join(
    f"{n}: {np.mean([e.speeds.mean() for e in g]):.2f} m/s, {np.mean([e.powers.mean() for e in g]):.0f} W"
    for n, g in judged.items()
)
course.show(comparison_plots.speed_power(judged), alt=f"Speed against power of all episodes. {alt}.")

# %% [markdown]
# Ours are two and a half times as fast as that gallop, in simulation only. PPO's robots are the thriftiest.
# TRPO's draw a fifth more power at about the same speed, the transferred ones almost a third more (one of the
# three seeds most of all: the group on top). At 400,000 steps, where PPO took them over, they had 184 W and
# 2.7 m/s (not in the figure): 68 J per metre then, 71 now. What TRPO began, PPO made faster, not thriftier.
#
# ### And when the world is unkind?
#
# Without training again: a robot that is a fifth lighter, one that is a fifth heavier, and one that
# is pushed with 20 N for a tenth of a second every two seconds, each time in another horizontal direction.

# %%
CONDITIONS = {"20 % lighter": "light", "20 % heavier": "heavy", "pushed, 20 N": "pushed"}


def seeds(name, judge):
    """Mean return of each seed's agent, acting with the mean."""
    return [record.judged[judge]["deterministic"].mean for record in runs(name)]


panels = {
    label: ({c: seeds(name, judge) for c, judge in CONDITIONS.items()}, np.mean(seeds(name, "fast")))
    for label, name in NAMES.items()
}
alt = "; ".join(
    f"{label}: " + ", ".join(f"{c} {np.mean(v):.1f}" for c, v in rows.items())
    for label, (rows, _) in panels.items()
)
figure = comparison_plots.dots(panels, "mean return", "as trained")
course.show(figure, alt=f"A row per condition, a dot per seed. {alt}.")

# %%
print(f"{'share of falls':<18}{'as trained':>14}" + "".join(f"{c:>14}" for c in CONDITIONS))
for label, group in long_runs.items():
    fell = [
        np.mean([record.judged[judge]["deterministic"].fell.mean() for record in group])
        for judge in ("fast", *CONDITIONS.values())
    ]
    print(f"{label:<18}" + "".join(f"{share:>14.0%}" for share in fell))

# %% [markdown]
# A lighter robot runs faster, a heavier one slower, and few fall: a fifth more or less is the edge of what
# the trainings have drawn. Pushes they never saw: about one robot in ten falls, whoever trained it. In all
# three the transferred robots have the highest return, by 0.2 to 0.9: three seeds cannot tell.

# %% [markdown]
# ## 9 · What we know now · 9 min
#
# The slides made six claims. Here is what became of them.
#
# | The slides say | What we saw | Where |
# |---|---|---|
# | TRPO explores better than PPO | nobody measured exploring. With the same rollouts it learns faster at first; after a million steps their mean returns cannot be told apart | part 7 |
# | PPO takes the reward too literally | with their settings TRPO does, too: both leap and fall. With ours both learn to run | first figure below; falls in part 6; notebook 3, part 9 |
# | Without clipping the variance is higher | TRPO's robots vary more than PPO's. But PPO with a penalty has no clip either, and is as calm as PPO with it | episodes in part 7 |
# | Longer training would bring stability | with their settings no: after 200,000 steps their TRPO was where it was after 4 million. With ours partly: from 0.4 to 1 million steps TRPO's falls go from 19 to 3 of 102 episodes with the mean action, but only from 22 to 20 with the noise of training; a second million with a quarter of δ takes those from 54 to 35 of 300 (five seeds, three worlds) | parts 5 and 6; notebook 4 |
# | More layers and hidden units may be necessary | no sign of it: after 600,000 steps wider nets are behind 64-64, a third layer changes nothing (three seeds of 64-64, one of each other) | second figure below |
# | Tuning matters most | yes: settings (normalization and robots among them) make a factor of thirty and more, algorithms, with our settings, two or three points of thirty | first figure below; how much of tuning is luck: notebook 5 |

# %%
REPORTED = {"PPO": 0.5, "TRPO": 2.5}
returns = {
    f"{algorithm}, {whose}": seeds(prefix + algorithm.lower(), "fast")
    for whose, prefix in (("slides' settings", "slides_"), ("ours", ""))
    for algorithm in REPORTED
}
figure = comparison_plots.dots(
    {"algorithm or settings?": (returns, REPORTED["TRPO"])}, "mean return", "reported for TRPO"
)
alt = "; ".join(f"{label}: {np.mean(values):.1f}" for label, values in returns.items())
course.show(figure, alt=f"A row per algorithm and table of settings, a dot per seed. {alt}.")

# %%
SIZES = {"64-64": "ppo", "128-128": "net_128", "256-256": "net_256", "64-64-64": "net_three"}
sizes = {label: [r.after(600_000) for r in runs(name)] for label, name in SIZES.items()}
alt = "; ".join(f"{label}: {np.mean(values):.1f}" for label, values in sizes.items())
panels = {"PPO, hidden layers": (sizes, np.mean(sizes["64-64"]))}
figure = comparison_plots.dots(panels, "mean return after 600,000 steps", "64-64")
figure.axes[0].set_xlim(0, None)
course.show(figure, alt=f"A row per size, a dot per seed. {alt}.")

# %% [markdown]
# ### Open questions, and where each leads
#
# The slides end with three. They are good ones.
#
# | Question | Why it is open | A first step from here |
# |---|---|---|
# | Several agents that learn together | one body, one policy: legs could each have their own | give each leg a policy that sees its own motors and the body; compare with one policy for all |
# | A reference trajectory | a reward alone leaves the gait to chance | pay for staying near the sine trot of notebook 2, less and less; watch the gait diagram |
# | A real robot | simulation is not the world: noise, delay, another mass | widen the ranges of `Variations` until the return drops; judge with the lighter, heavier and pushed robots of part 8 |
#
# Two more, from what you saw:
#
# - Is a critic worth carrying in a long training? In eight updates it made little difference. (Part 4.)
# - Three seeds leave wide intervals. How many would it take to tell two good algorithms apart?

# %% [markdown]
# ## Quiz
#
# Answer first, then open.
#
# 1. A critic's values are all too high by 2. What does PPO's policy notice?
#    <details><summary>Answer</summary>Next to nothing: advantages change by the same constant, and are
#    normalized. But before a fall, and where a rollout is cut, the constant does not cancel. (The critic
#    does notice: it learns from its error.)</details>
# 2. An agent that ran falls at once in its new trainer. What do you suspect first?
#    <details><summary>Answer</summary>The statistics of the observations: they were not carried over.</details>
# 3. A critic has an error of 1.69 (root mean square) and a bias of 1.68. Is it useless?
#    <details><summary>Answer</summary>No. Nearly all of the error is a constant. Look at the explained
#    variance, which ignores it.</details>
# 4. With three seeds each, all of A's runs are better than all of B's. How sure are you?
#    <details><summary>Answer</summary>Not very. Between two equal algorithms one or the other wins all
#    pairs in one of ten comparisons.</details>
# 5. You mend a setting in a transfer, and nothing changes. Was it harmless?
#    <details><summary>Answer</summary>Look first whether the policy moved at all. If not, no setting could
#    have shown what it does.</details>

# %% [markdown]
# ## Summary on one page
#
# **Best of both worlds?** TRPO for the first 400,000 steps, PPO with large rollouts for the rest: 31.9 ± 1.6
# over a seed's episodes, no falls; TRPO alone 30.7 ± 3.7. But PPO alone has 31.2 ± 1.3. The slides' wish can
# be had. What it took was good settings; a second algorithm adds little, if anything.
#
# **Facts.** An agent is a policy, a critic, a deviation and statistics. All four can be carried from
# TRPO to PPO, because both are actor-critic methods with the same networks. A critic belongs to a
# discount factor; an error that is the same everywhere does no harm to normalized advantages, except before
# a fall.
#
# **Equations.**
#
# | | Seen here |
# |---|---|
# | $V_\gamma$ of a steady income is $r / (1 - \gamma)$ | exercise 1 |
# | adding $c$ to $V$ moves every $\hat A$ by $-c (1-\gamma)/(1-\gamma\lambda)$ | exercise 2 |
# | interquartile mean, probability of improvement | exercises 3 and 4 |
#
# **What to know.** Carry the statistics. A warm-up of the critic costs little; we have not seen it help. A setting that
# changes nothing is not innocent: look first whether the policy moved. Judge several seeds, look at
# intervals, look at the robot.
#
# **Recipe**
# ```
# new model with networks of the same size, fresh optimizer
# copy policy, critic, log-std, observation statistics with their count
# repeat n times: play a rollout, fit the critic alone
# train on as always; judge in fresh episodes, several seeds
# ```

# %% [markdown]
# ## References
#
# - J. Schulman, P. Moritz, S. Levine, M. Jordan, P. Abbeel, 2016. [High-dimensional continuous control using generalized advantage estimation](https://arxiv.org/abs/1506.02438).
# - R. Agarwal, M. Schwarzer, P. S. Castro, A. Courville, M. Bellemare, 2021. [Deep reinforcement learning at the edge of the statistical precipice](https://arxiv.org/abs/2108.13264).
# - J. Tan et al., 2018. [Sim-to-real: learning agile locomotion for quadruped robots](https://arxiv.org/abs/1804.10332). Cited by the slides.
# - M. Hildebrand, 1989. [The quadrupedal gaits of vertebrates](https://doi.org/10.2307/1311182). BioScience 39 (11).
