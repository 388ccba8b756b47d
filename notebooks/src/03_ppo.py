# %% [markdown]
# # 3 · PPO: from a fallen robot to a running one in 90 seconds
#
# You will watch a robot learn to walk, on two processor cores, while you drink a coffee. Nobody
# shows it a gait. It tries, it is paid for the metres it makes, and *proximal policy optimization*
# turns the attempts into a better policy. Then you change what it is paid for, and are surprised.
#
# | Part | You will be able to | Minutes |
# |---|---|---|
# | 1 The first minute | show a robot before and after learning | 3 |
# | 2 Why clip? | say what goes wrong without it | 5 |
# | 3 PPO on one page | compute equations (19) to (21) | 10 |
# | 4 From the equations to the code | find each of them in the library; follow one update | 7 |
# | 5 Train | train an agent by the clock, stop it, keep it | 5 |
# | 6 Is it healthy? | read KL divergence, clip fraction, explained variance, entropy | 8 |
# | 7 How good is it? | give a mean with an interval, a speed, a cost of transport | 7 |
# | 8 Change the reward | predict what a reward makes a robot do, and be wrong | 15 |
# | 9 What the long runs show | compare trainings by their seeds; find out why one stood still | 10 |
#
# You need: [1b, trust regions](01b_trust_regions.ipynb) for where PPO comes from (or the will to
# take equation (20) on trust), and [2, the environment](02_env.ipynb) for the robot. Exercises have
# stars for difficulty. [Solutions](solutions/03_ppo.ipynb) are one click away.

# %% [markdown]
# ## 1 · The first minute · 3 min
#
# First, a robot that has learned nothing. Its eight commands wander at random.

# %%
import numpy as np

import quadlib
from quadlib import course
from quadlib.showing import plots

plots.use_style()
PHASES = course.budget(ci=2, lecture=6, full=6)  # pictures in a film strip
GIF = course.budget(ci=0.2, lecture=2.0, full=2.0)  # s, length of a video
wander, rng = np.zeros(8), np.random.default_rng(0)


def untrained(observation):
    wander[:] = 0.95 * wander + 0.15 * rng.standard_normal(8)
    return wander


fall = quadlib.record(untrained, label="untrained")
assert fall.fell
quadlib.film_strip(fall, phases=PHASES)

# %% [markdown]
# The labels FL, BL, FR, BR say which feet (front left, back left …) stand on the ground. It falls,
# and the episode ends. Now one that has learned with the same algorithm that you will use. It comes
# with the course.

# %%
runner = quadlib.Agent.shipped("first_gait")
running = quadlib.record(runner, seconds=6, label="shipped agent")
assert not running.fell and running.distance > 6  # m in 6 s
quadlib.video(running, seconds=GIF)

# %%
print(f"trained for {runner.about['steps']:,} steps in {runner.about['seconds'] / 60:.0f} minutes")
quadlib.replay(running)

# %% [markdown]
# Drag to orbit, press space to pause. Look at the feet: is that a trot, a gallop, or neither?
# Nobody told it. The agent is small: a network with two layers of 64 units maps the 28 numbers that
# the robot senses to 8 commands, 100 times a second. More exactly, to the *means* of eight Gaussians.
# Their standard deviations are learned as well: eight numbers (`log_std`), the same in every state. In
# training each action is drawn from these Gaussians: that is how the robot tries things out. The *mean
# action* is the one without this noise. (In the list below *actor* is the network of the policy.)

# %%
for name, array in runner.arrays.items():
    if name.startswith("actor"):
        print(f"{name:<16}{str(array.shape):<12}{array.size:>6,} numbers")

# %% [markdown]
# ## 2 · Why clip? · 5 min
#
# A policy gradient needs data of the *present* policy. Here data is dear. A *rollout* of a thousand
# steps takes two processor cores about 0.3 seconds. One gradient step takes about a millisecond. So we
# want many gradient steps from each rollout.
#
# After the first step the data is old: another policy made it. The ratio
# $r_t = \pi_\theta(a_t|s_t) / \pi_{old}(a_t|s_t)$ (not the reward!) corrects for that, see (3) to (8) in
# notebook 1a. It corrects the actions, but not which states are visited. Near 1 that hardly matters. Far
# from 1 the correction is worth little: a few samples get huge weights, and the optimizer
# follows them out of the region where the data says anything. The next rollout is then made by a
# bad policy. A robot that has fallen teaches little about running.
#
# There are two ways to stay near:
#
# - **TRPO** forbids going far: a constraint on the KL divergence, second derivatives, a line search.
# - **PPO** takes away the reason: once the ratio has left 1 by more than $\epsilon$ (0.2, say: the action
#   is 20 % more or less likely) in the direction that pays, going further pays nothing.
#
# That is a single line of code, and any optimizer can work with it. (Schulman et al., 2017.)

# %% [markdown]
# ## 3 · PPO on one page · 10 min
#
# **The ratio and the clip.**
#
# $$r_t(\theta) = \frac{\pi_{\theta}(a_t \mid s_t)}{\pi_{old}(a_t \mid s_t)}, \qquad
# \text{clip}(r, a, b) = \begin{cases} a & \text{if } r < a \\ b & \text{if } r > b \\ r &
# \text{otherwise} \end{cases} \tag{19}$$
#
# **The objective of the policy.** $\hat A_t$ says how much better the action was than the policy's
# average there. It comes from rewards and a *critic*, a second network that learns the value $V(s)$ of a
# state, by generalized advantage estimation, GAE (Schulman et al., 2016; notebook 1a, part 4). $\pi_k$, with
# parameters $\theta_k$, is the policy that played the rollout, the $\pi_{old}$ of (19); $\tau$ is an episode.
#
# $$L^{CLIP}_{\theta_k}(\theta) = \mathbb{E}_{\tau \sim \pi_k} \Big[ \sum_{t=0}^{T} \min\big(
# r_t(\theta) \hat A_t^{\pi_k},\; \text{clip}(r_t(\theta), 1-\epsilon, 1+\epsilon) \hat A_t^{\pi_k}
# \big) \Big] \tag{20}$$
#
# **The objective of policy and critic.** $L^{CLIP}_t$ is a term of (20). $L^{VF}_t = (V(s_t) - G_t)^2$ is
# the squared error of the critic. Its target $G_t = \hat A_t + V_{old}(s_t)$ is an estimate of the return
# (`returns` in the code). $S$ is the entropy of the policy: how much it still tries out. $c_1$ and $c_2$ are
# weights, $\hat{\mathbb{E}}_t$ is the mean over the samples.
#
# $$L^{CLIP+VF+S}_t(\theta) = \hat{\mathbb{E}}_t \big[ L^{CLIP}_t(\theta) - c_1 L^{VF}_t(\theta) +
# c_2 S[\pi_\theta](s_t) \big] \tag{21}$$
#
# In NumPy that is:


# %%
def ratios(log_prob, old_log_prob):
    """Eq. (19), left: probability now over probability then, through logarithms."""
    return np.exp(log_prob - old_log_prob)


def clipped_objective(ratio, A, epsilon=0.2):
    """Eq. (20), a term per sample. `np.clip` is the clip of Eq. (19)."""
    return np.minimum(ratio * A, np.clip(ratio, 1 - epsilon, 1 + epsilon) * A)


def ppo_objective(ratio, A, values, returns, entropy, c1=0.5, c2=0.0):
    """Eq. (21): the mean over samples, to be maximized."""
    L_vf = (values - returns) ** 2
    return (clipped_objective(ratio, A) - c1 * L_vf + c2 * entropy).mean()


# %% [markdown]
# What does one sample contribute, as its ratio leaves 1?

# %%
import matplotlib.pyplot as plt

figure, panels = plt.subplots(1, 2, figsize=(9, 3.6))
r = np.linspace(0.4, 1.6, 601)
for axes, A in zip(panels, (1.0, -1.0), strict=True):
    term = clipped_objective(r, A)
    flat = np.abs(np.gradient(term, r)) < 1e-9
    axes.axvspan(0.8, 1.2, color=plots.COLORS["sky"], alpha=0.2, label="1 − ε … 1 + ε")
    axes.plot(r, r * A, ":", color="0.4", label="without the clip")
    axes.plot(r, np.where(flat, np.nan, term), label="pulls")
    axes.plot(r, np.where(flat, term, np.nan), "--", linewidth=3, label="flat: no pull")
    axes.plot(1, A, "o", color="black")
    axes.set(title=f"A = {A:+.0f}: {'good' if A > 0 else 'bad'} action", xlabel="ratio r (no unit)")
panels[0].set_ylabel("contribution to Eq. (20)")
panels[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
course.show(
    figure,
    alt="Two panels over the ratio. Good action: the contribution rises up to 1.2, then it is flat. "
    "Bad action: it is flat below 0.8 and falls from there on, also beyond 1.2.",
)

# %% [markdown]
# Every update starts at the black dot: $r = 1$, the policies are equal. Ascent then pulls good
# actions to the right and bad ones to the left, until they reach the dashed part. There the
# gradient is zero.
#
# What is the minimum for? It keeps the way back open. A good action that has become *less* likely
# ($r < 0.8$, left panel) still pulls back; so does a bad one that has become *more* likely ($r > 1.2$,
# right panel). The clip alone would make both flat.

# %%
assert np.all(clipped_objective(r, 1.0) <= r) and np.all(clipped_objective(r, -1.0) <= -r)
assert clipped_objective(1.5, 1.0) == 1.2  # a good action: no reason to go beyond 1 + ε
assert clipped_objective(0.5, -1.0) == -0.8  # a bad action: no reason to go below 1 − ε
assert clipped_objective(0.5, 1.0) == 0.5 and clipped_objective(1.5, -1.0) == -1.5  # the way back

# %% [markdown]
# ### Exercise 1 ★ · Which way does it pull?
#
# Gradient ascent on (20) changes the probability of each sampled action. For arrays of ratios and
# advantages return +1 where the probability is pulled up, −1 where it is pulled down, 0 where the
# sample is silent.


# %% tags=["exercise"]
def pull(ratio, A, epsilon):
    """+1, −1 or 0 for each sample: the sign of the derivative of Eq. (20) by the ratio."""
    ### BEGIN SOLUTION
    silent = ((A > 0) & (ratio > 1 + epsilon)) | ((A < 0) & (ratio < 1 - epsilon))
    return np.where(silent, 0, np.sign(A))
    ### END SOLUTION


# %% tags=["wrong-answer"]
def pull(ratio, A, epsilon):
    inside = np.abs(ratio - 1) <= epsilon  # forgets the way back
    return np.where(inside, np.sign(A), 0)


# %% tags=["wrong-answer"]
def pull(ratio, A, epsilon):
    silent = ((A > 0) & (ratio > 1 + epsilon)) | ((A < 0) & (ratio < 1 - epsilon))
    return np.where(silent, 0, np.sign(ratio - 1))  # the ratio's side is not the direction


# %% tags=["check"]
def slope(ratio, A, epsilon, h=1e-6):
    up, down = (clipped_objective(ratio + s * h, A, epsilon) for s in (1, -1))
    return np.sign(np.round((up - down) / (2 * h), 3))


six = np.array([0.7, 0.7, 1.0, 1.0, 1.3, 1.3]), np.array([2.0, -2.0, 2.0, -2.0, 2.0, -2.0])
course.check(
    pull,
    [((*six, 0.2), slope(*six, 0.2)), ((*six, 0.5), slope(*six, 0.5))],
    hint="silent are only good actions above 1 + ε and bad ones below 1 − ε; see the figure",
)

# %% [markdown]
# ## 4 · From the equations to the code · 7 min
#
# `quadlib.train("ppo", ...)` hands the learning to
# [Stable-Baselines3](https://stable-baselines3.readthedocs.io/en/master/modules/ppo.html). The
# equations stand in its method `PPO.train`. Here are the lines, taken from the installed library:

# %%
import inspect

from stable_baselines3 import PPO

EQUATIONS = {
    "ratio = ": "Eq. (19)",
    "policy_loss_1 = ": "Eq. (20), r A",
    "policy_loss_2 = ": "Eq. (20), clip(r) A",
    "policy_loss = ": "Eq. (20), min, and mean for E",
    "value_loss = ": "Eq. (21), L^VF",
    "entropy_loss = -th.mean(entropy": "Eq. (21), −S",
    "loss = policy_loss": "Eq. (21), times −1",
}
lines = [line.strip() for line in inspect.getsource(PPO.train).splitlines()]
for start, meaning in EQUATIONS.items():
    print(f"{meaning:<31}{next(line for line in lines if line.startswith(start))}")

# %% [markdown]
# Two things to notice. Libraries *minimize*, so the sign of everything is turned. And the sum over
# time in (20) has become a mean over shuffled samples.
#
# The numbers in the equations are settings. Ours:

# %%
from quadlib.learning.settings import PPOSettings

print(PPOSettings.help())

# %% [markdown]
# ### One update in slow motion
#
# With the defaults above a rollout is 4 × 256 = 1,024 steps, and an update makes 10 × 4 = 40 gradient
# steps. The robot that you saw was trained for longer, with larger rollouts and smaller steps: 8 × 512 =
# 4,096 steps, 10 × 16 = 160 gradient steps, half the learning rate. Let us make a single update of it: play
# one rollout, hand it to the library and look at every ratio before and after.

# %%
from quadlib.learning.sb3 import collect, load_agent, new_model
from quadlib.learning.vec_env import Workers

settings = PPOSettings(**runner.about["settings"])
with Workers(lambda: quadlib.make("Minitaur"), settings.n_envs, seed=0) as workers:
    rollout = workers.play(runner, settings.n_steps, round_number=0)
    spaces = workers.observation_space, workers.action_space


def ready(settings):
    """A model of the library that is the runner and has the rollout."""
    model = new_model("ppo", settings, *spaces, seed=0)
    load_agent(model.policy, runner)
    collect(model, rollout, settings)  # values, advantages (GAE), returns
    return model


model = ready(settings)
data = next(model.rollout_buffer.get())
A = data.advantages.numpy()
A = (A - A.mean()) / A.std()  # mean 0, deviation 1: as in the library, there for each minibatch
print(f"{len(A):,} samples from {rollout.rewards.shape[1]} robots")


# %%
def judged():
    """Ratios, Eq. (20) and Eq. (21) of the model's policy on the rollout."""
    values, log_prob, entropy = model.policy.evaluate_actions(data.observations, data.actions)
    ratio = ratios(log_prob.detach().numpy(), data.old_log_prob.numpy())
    values, entropy = values.detach().numpy().ravel(), entropy.detach().numpy()
    total = ppo_objective(ratio, A, values, data.returns.numpy(), entropy, settings.vf_coef)
    return ratio, clipped_objective(ratio, A).mean(), total


# %% [markdown]
# Before the update (20) is 0: all ratios are 1, and the advantages have mean 0. (21) is a little below:
# it contains the critic's error, with a minus. Both should rise.

# %%
from stable_baselines3.common.logger import configure

from quadlib.learning.training import one_thread


def update(model):
    """10 epochs of 16 minibatches: 160 gradient steps."""
    model.set_logger(configure(None, []))
    with one_thread():
        model.train()


before, L20_before, L21_before = judged()
update(model)
after, L20_after, L21_after = judged()
assert np.allclose(before, 1, atol=1e-4) and abs(L20_before) < 1e-4
assert L20_after > L20_before and L21_after > L21_before
print(f"Eq. (20): {L20_before:.4f} → {L20_after:.4f}   Eq. (21): {L21_before:.4f} → {L21_after:.4f}")

# %%
figure, axes = plt.subplots(figsize=(9, 3.4))
edges = np.linspace(0.3, 1.7, 71)
axes.axvspan(0.8, 1.2, color=plots.COLORS["sky"], alpha=0.2, label="1 − ε … 1 + ε")
for good, color, hatch in ((True, "blue", ""), (False, "vermillion", "///")):
    label = f"{'good' if good else 'bad'} actions (A {'>' if good else '<'} 0)"
    axes.hist(after[(A > 0) == good], edges, histtype="step", linewidth=2, hatch=hatch,
              color=plots.COLORS[color], label=label)  # fmt: skip
axes.axvline(1, color="black", linestyle=":", label="before the update")
axes.set(xlabel="ratio r after the update (no unit)", ylabel="samples")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
course.show(
    figure,
    alt="Histogram of the ratios after one update. Most lie between 0.8 and 1.2; good actions lean "
    "to the right of 1, bad ones to the left; some are outside.",
)

# %%
outside = np.abs(after - 1) > settings.clip_range
moved = after[A > 0].mean() - after[A < 0].mean()
print(f"outside of 1 ± {settings.clip_range}: {outside.mean():.0%} of the samples")
print(f"good actions are {moved:.1%} further up than bad ones")
assert moved > 0 and 0 < outside.mean() < 0.5

# %% [markdown]
# *On average* good actions became more likely and bad ones less. Not each of them: the two groups
# overlap. All samples share one network, and a push from one carries others along. That is also why many
# ratios are outside, 43 % in the stored run (a few beyond the figure's edge): the clip is no wall. So many
# are no exception, see part 6. Ten passes over the same data go far. This robot's actions scatter little,
# so a small shift changes a probability a lot. And a ratio is a product over eight commands.
#
# And without the clip? The same rollout, again 160 steps, but $\epsilon = 10$, which practically never
# clips. Guess first: what
# becomes of the ratios, and of the robot?

# %%
from dataclasses import replace

from quadlib.learning.sb3 import agent_of

free = ready(replace(settings, clip_range=10.0))
update(free)
log_prob = free.policy.evaluate_actions(data.observations, data.actions)[1].detach().numpy()
unclipped = ratios(log_prob, data.old_log_prob.numpy())
few = course.budget(ci=1, lecture=4, full=20)
for name, ratio, updated in (("with the clip", after, model), ("without", unclipped, free)):
    gone = np.mean(np.abs(ratio - 1) > 0.2)
    policy = agent_of(updated.policy, runner.about)
    episodes = quadlib.evaluate(policy, few, env="Minitaur")
    print(f"{name:<14}{gone:4.0%} outside of 1 ± 0.2, promise {np.mean(ratio * A):.2f}, "
          f"return {episodes.mean:5.1f}, {episodes.fell.sum():.0f} of {few} fall")  # fmt: skip
assert np.mean(np.abs(unclipped - 1) > 0.2) > 1.5 * outside.mean()

# %% [markdown]
# Without the clip the policy has left the place where the data was taken. The *promise*, the mean of
# $r_t \hat A_t$ over this rollout, is several times larger, and the robot is no better for it: the
# promise was fitted to these samples. (With the clip the promise is larger than Eq. (20) above, which
# takes the minimum.) It still runs, as one update does not undo the 245 before it. But the next rollout
# begins from there.
#
# ### Exercise 2 ★★ · What the library reports
#
# The library logs two numbers that you can compute from the ratios alone. (It takes them just before
# each gradient step. The clip fraction is averaged over all steps of an update, the divergence over those
# of its last epoch. So both differ a little from what you get when the update is over.) The
# *clip fraction* is the share of samples with $|r - 1| > \epsilon$. The *approximate KL divergence*
# is the mean of $(r - 1) - \log r$. It is zero for equal policies and never negative. Its
# expectation over actions of $\pi_{old}$ is exactly $D_{KL}(\pi_{old} \Vert \pi_\theta)$
# ([why](http://joschu.net/blog/kl-approx.html)).


# %% tags=["exercise"]
def diagnostics(ratio, epsilon):
    """(approximate KL divergence, clip fraction) of an array of ratios."""
    ### BEGIN SOLUTION
    approx_kl = np.mean((ratio - 1) - np.log(ratio))
    clip_fraction = np.mean(np.abs(ratio - 1) > epsilon)
    return approx_kl, clip_fraction
    ### END SOLUTION


# %% tags=["wrong-answer"]
def diagnostics(ratio, epsilon):
    return np.mean(ratio - 1), np.mean(np.abs(ratio - 1) > epsilon)  # about 0, whatever happens


# %% tags=["wrong-answer"]
def diagnostics(ratio, epsilon):
    return np.mean((ratio - 1) - np.log(ratio)), np.mean(ratio > 1 + epsilon)  # one side only


# %% tags=["check"]
course.check(
    diagnostics,
    [
        ((np.ones(4), 0.2), (0.0, 0.0)),
        ((np.array([0.5, 1.0, 1.0, 2.0]), 0.2), (0.125, 0.5)),
        ((after[:1000], 0.2), ((after - 1 - np.log(after))[:1000].mean(), outside[:1000].mean())),
    ],
    hint="both are means over all samples; the clip fraction counts both sides",
    tolerance=1e-4,
)

# %% [markdown]
# ## 5 · Train · 5 min
#
# Now yours, from nothing. You give a limit in seconds (or in `steps`), and the curve grows while
# the robots play. They live in worker processes, one per core.
#
# **Try the stop button (■)** when you have seen enough: the training ends and `run` holds what was
# learned. (Then run the cell again.)

# %%
limit = course.budget(
    ci={"steps": 3_072, "n_envs": 2}, lecture={"seconds": 90}, full={"seconds": 900}
)
run = quadlib.train("ppo", **limit, env="MinitaurIdeal", seed=0)

# %% [markdown]
# The return is the distance in metres, less a little for the effort, over an episode of at most
# 10 s. So a return of 3 means: about 0.3 m/s. For comparison, the grey lines: the results of the
# slides that this course grew from, after hours of training each. They come from a harder world, with
# noise and delays. Part 7 puts your robot into it.

# %%
SLIDES = {"slides, PPO, 4 M steps, 5 hours: 0.5": 0.5, "slides, TRPO, 4 M steps, 6 hours: 2.5": 2.5}
alt = f"Mean training return over {run.curve['steps'][-1]:,.0f} environment steps: from "
alt += f"{run.curve['return'][np.isfinite(run.curve['return'])][0]:.2f} to {run.curve['return'][-1]:.2f}."
course.show(plots.learning_curve(run, SLIDES), alt=alt)
steps, seconds = run.curve["steps"][-1], run.curve["seconds"][-1]
print(f"{steps:,.0f} steps in {seconds:.0f} s: {steps / seconds:,.0f} steps per second")
if steps > 100_000:
    assert run.curve["return"][-1] > 1  # it walks

# %% [markdown]
# What do you see? It begins below zero: moving costs, and the robot does not know how. Then it finds
# that pushing itself forward pays, and from there on it gets faster, a little with each update. The
# curve lags behind the robot: each point is the mean of the last 20 episodes, some 20,000 steps.
#
# `run` is a plain object: `run.curve` holds arrays by name, `run.agent` the agent.
# `run.agent.save("mine.safetensors")` keeps it, `quadlib.Agent.load("mine.safetensors")` brings it
# back. With `folder="my_run"` the training writes checkpoints and goes on where it was when you call
# it again.

# %% [markdown]
# ## 6 · Is it healthy? · 8 min
#
# The return says *how well* it goes. Four more curves say *why*. The library logs them at every
# update.

# %%
PANELS = {
    "train/approx_kl": "approximate KL\n(nats)",
    "train/clip_fraction": "clip fraction\n(share of samples)",
    "train/explained_variance": "explained variance\n(1 is perfect)",
    "train/entropy_loss": "entropy\n(nats)",
}
SIGN = {"train/entropy_loss": -1}  # the library logs −S

# %%
figure, panels = plt.subplots(2, 2, figsize=(9, 5), sharex=True)
for axes, (name, label) in zip(panels.flat, PANELS.items(), strict=True):
    axes.plot(run.curve["steps"] / 1000, SIGN.get(name, 1) * run.curve[name])
    axes.set(ylabel=label)
for above, below in panels.T:
    above.set_ylim(0, None)
    below.set_xlabel("environment steps (thousands)")
course.show(
    figure,
    alt="Four diagnostics over training: approximate KL divergence, clip fraction, explained "
    "variance of the critic, entropy of the policy.",
)

# %%
for name, label in PANELS.items():
    first, *_, last = SIGN.get(name, 1) * run.curve[name]
    print(f"{' '.join(label.split()):<34}{first:>9.3f} → {last:.3f}")
assert np.all(run.curve["train/approx_kl"] >= 0)
assert np.all((run.curve["train/clip_fraction"] >= 0) & (run.curve["train/clip_fraction"] < 1))

# %% [markdown]
# | Curve | What it says | Healthy | Ill: what to try |
# |---|---|---|---|
# | approximate KL | how far one update moved the policy | 0.005 – 0.1 | above 0.2: lower `learning_rate` or `n_epochs`; near 0: raise them |
# | clip fraction | how many ratios are outside of 1 ± ε (those on the way back still pull) | 0.05 – 0.5 | above 0.6: the updates are too large; 0: the clip does nothing |
# | explained variance | how well the critic predicts returns | rising towards 1 | below 0: worse than a constant; look at reward scale, `gamma`, critic |
# | entropy | how much the policy tries out | falling slowly | falls at once: it stops exploring, raise `ent_coef`; rises: noise pays, or nothing does |
#
# The ranges are rules of thumb for problems like this one. The defaults are at their bold end: they
# are made for ninety seconds. A long training takes smaller steps, see `quadlib.learning.settings.LONG`.
#
# (Entropy of a continuous policy can be negative: a narrow Gaussian has a density above 1. A *nat* is the
# unit of entropy and KL divergence if the logarithm is the natural one; a bit is 0.69 nats.)
#
# Look at the trend, not at single points. One peak of the KL divergence is no illness. Nor is one dip of
# the explained variance.
#
# Now make it ill on purpose: a learning rate more than ten times too large, for two updates.

# %%
two = course.budget(ci={"steps": 2_048, "n_envs": 2}, lecture={"steps": 2_048}, full={"steps": 2_048})
ill = quadlib.train("ppo", **two, seed=0, learning_rate=1e-2, progress=False)
for name, label in PANELS.items():
    good, bad = (SIGN.get(name, 1) * each.curve[name][1] for each in (run, ill))
    print(f"{' '.join(label.split()):<34}healthy {good:>8.3f}   ill {bad:>8.3f}")
assert ill.curve["train/approx_kl"][1] > 3 * run.curve["train/approx_kl"][1]
assert ill.curve["train/clip_fraction"][1] > run.curve["train/clip_fraction"][1]

# %% [markdown]
# The second update, with the same seed: the KL divergence is many times larger, and most ratios are
# outside of 1 ± ε. The clip did *not* hold the policy back. Beyond it there was no reward for going
# further, that is all. (The explained variance says nothing yet, after two updates.)

# %% [markdown]
# ### Exercise 3 ★ · Explained variance
#
# It compares the critic's predictions $V$ with its targets $G = \hat A + V$, the estimated returns:
# $1 - \mathrm{Var}[G - V] \,/\, \mathrm{Var}[G]$. Compute it. What does a critic get that always
# predicts the mean? (The check knows.) A warning: some $1/(1-\gamma\lambda) = 17$ rewards count in $G$,
# and what comes later is guessed by the critic itself. So the number flatters it.


# %% tags=["exercise"]
def explained_variance(V, G):
    """1: perfect. 0: no better than a constant. Below 0: worse than that."""
    ### BEGIN SOLUTION
    return 1 - np.var(G - V) / np.var(G)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def explained_variance(V, G):
    return np.var(V) / np.var(G)  # a critic that is always wrong can vary as much


# %% tags=["wrong-answer"]
def explained_variance(V, G):
    return 1 - np.mean(np.abs(G - V)) / np.mean(np.abs(G))


# %% tags=["check"]
from stable_baselines3.common.utils import explained_variance as by_the_library

G = data.returns.numpy()
course.check(
    explained_variance,
    [
        ((G[:500], G[:500]), 1.0),
        ((np.full(4, 2.5), np.array([1.0, 2.0, 3.0, 4.0])), 0.0),
        ((data.old_values.numpy()[:500], G[:500]), by_the_library(data.old_values.numpy()[:500], G[:500])),
        ((-G[:500], G[:500]), -3.0),
    ],
    hint="the variance of the error over the variance of the returns",
    tolerance=1e-3,
)

# %% [markdown]
# ## 7 · How good is it? · 7 min
#
# The curve shows the *training* return: the mean of the last 20 episodes, played by older policies
# that add noise to try things out. To judge the agent we play fresh episodes with the mean action.
#
# One trap. In the ideal environment nothing is random: the same start, the same robot, a
# deterministic policy. A hundred episodes are one episode, seen a hundred times.

# %%
same = quadlib.evaluate(run.agent, episodes=2, env="MinitaurIdeal")
print(same)
assert same.returns[0] == same.returns[1]  # no spread, and no information about luck

# %% [markdown]
# So we judge in `Minitaur`, the environment of the slides: sensors are noisy and late, and every
# episode draws another robot (mass ±20 %, battery, friction of the feet). Your agent has never seen
# any of that. The shipped one was trained in it.

# %%
episodes = course.budget(ci=2, lecture=10, full=100)
judgement = {
    "yours": quadlib.evaluate(run.agent, episodes, env="Minitaur"),
    "with its noise": quadlib.evaluate(run.agent, episodes, env="Minitaur", deterministic=False),
    "shipped": quadlib.evaluate(runner, episodes, env="Minitaur"),
}
for name, result in judgement.items():
    print(f"{name}: {result}\n")
assert judgement["shipped"].mean > 10

# %% [markdown]
# - **±** is the standard deviation of the return from episode to episode.
# - **The interval** (95 %) is for the mean over episodes, from the bootstrap: draw the episodes
#   again with replacement, 10,000 times, and see how much the mean moves. Few episodes, wide
#   interval. It says nothing about another *training* with another seed; for that one needs several
#   trainings.
# - **Power** is the mean of $\sum |\tau \dot q|$ over the eight motors: mechanical power, without their
#   heat. Braking counts like driving.
# - **With its noise** is your agent as it acts in training: a sample of the policy, not its mean.
#   Compare the first two. Early in training the noise does part of the walking, and the mean action
#   alone hardly moves. Later it is the other way round: the noise only disturbs.
# - **Cost of transport** is power / (weight · speed): energy to carry one newton for one metre. It
#   has no unit, so one can compare a robot with a horse. Lower is better. A walking person is at
#   about 0.05 in mechanical work and 0.2 in food (Collins et al., 2005). The printed number is the
#   median over episodes, the line in the figure the mean.

# %%
figure, panels = plt.subplots(1, 3, figsize=(9, 3.4))
for place, result in enumerate(judgement.values()):
    triple = result.returns, result.speeds, result.costs_of_transport
    for axes, values in zip(panels, triple, strict=True):
        values = values[np.isfinite(values)]  # who stays in place has no cost of transport
        axes.plot(place + np.linspace(-0.15, 0.15, len(values)), values, "o^s"[place], alpha=0.6)
        if len(values):
            axes.hlines(values.mean(), place - 0.3, place + 0.3, color="black")
for axes, label in zip(panels, ("return", "speed (m/s)", "cost of transport (no unit)"), strict=True):
    axes.set(ylabel=label, xticks=range(3), xlim=(-0.5, 2.5))
    axes.set_xticklabels([name.replace(" ", "\n", 1) for name in judgement], fontsize=9)
alt = "; ".join(f"{n}: return {e.mean:.1f}, {e.speeds.mean():.2f} m/s" for n, e in judgement.items())
course.show(figure, alt=f"Each episode as a point, their mean as a line. {alt}.")

# %% [markdown]
# Numbers can lie, so look. Yours first, without or with its noise, whichever got further:

# %%
def with_noise(agent):
    """The policy as it acts in training: samples instead of the mean."""
    noise = np.random.default_rng(0)
    return lambda observation: agent.act(observation, deterministic=False, rng=noise)


mine = quadlib.record(run.agent, seconds=6, label="yours")
noisy = quadlib.record(with_noise(run.agent), seconds=6, label="yours with its noise")
quadlib.film_strip(max(mine, noisy, key=lambda each: each.distance), phases=PHASES)

# %%
quadlib.replay([mine, noisy, running])

# %% [markdown]
# In one scene, side by side. Ninety seconds against ten minutes of training: the same algorithm, more
# data, and settings for the long run. (Each plays in the world of its training: yours in the ideal one,
# the shipped one in `Minitaur`. It is faster all the same.)

# %% [markdown]
# ## 8 · Change the reward · 15 min
#
# A robot does not do what you mean. It does what you pay for. The reward is an ordinary function of
# a `step`, which knows all that happened in the last hundredth of a second. Return a number, or
# named terms that are added. Units are m, s, rad, W and J. `dx`, `dy`, `dz` are the metres moved in this
# step: forward, to the left, up (as seen at the start). `pitch` is positive with the nose down, `yaw_rate`
# to the left. `energy` is the slides' effort, `power` is that of part 7.

# %%
print(", ".join(quadlib.world.rewards.FIELDS))

# %% [markdown]
# Here are five rewards. Each sounds reasonable for what its first line wants. **Before you go on,
# write down for each what the robot will do.**


# %% tags=["rewards"]
def hop(step):
    """Jump! Paid for every centimetre up or down; going away costs."""
    return {"up and down": abs(step.dz), "drift": -abs(step.dx) - abs(step.dy)}


def backwards(step):
    """The slides' reward with one sign turned."""
    return {"backward": -step.dx, "energy": -0.005 * step.energy}


def spin(step):
    """Turn to the left, as fast as you can."""
    return {"turn": 0.01 * step.yaw_rate}


def miser(step):
    """Forward, but think of the battery: a hundred watts cost 2 m each second."""
    return {"forward": step.dx, "battery": -0.0002 * step.power}


def lean(step):
    """Runners lean forward. So pay for metres, and for leaning."""
    return {"forward": step.dx, "lean": 0.2 * step.pitch}


# %% [markdown]
# Try a reward on recorded steps before you train with it. It takes a second, and shows typing
# errors and terms that drown the others. What would the shipped runner be paid for its first two
# seconds?


# %%
def play(act, count):
    """The first steps of an episode, as a list. `act` maps an observation to an action."""
    world, steps = quadlib.make("MinitaurIdeal"), []
    observation, _ = world.reset(seed=0)
    for _ in range(count):
        observation, _, ended, _, info = world.step(act(observation))
        steps.append(info["step"])
        if ended:
            break
    world.close()
    return steps


# %%
walk = play(runner.act, 200)
REWARDS = {"hop": hop, "backwards": backwards, "spin": spin, "miser": miser, "lean": lean}
for name, reward in REWARDS.items():
    terms = [reward(step) for step in walk]
    print(f"{name:<11}", {term: round(sum(t[term] for t in terms), 2) for term in terms[0]})

# %% [markdown]
# ### What they really do
#
# For each reward an agent was trained as you do it here, for 100,000 steps (`backwards` for
# 200,000). All five in one scene; the menu chooses whom the camera follows. (Film strips and replays
# always show the return of the slides' reward, so that one can compare them.)

# %%
five = {
    name: quadlib.record(quadlib.Agent.shipped(name), seconds=4, label=name) for name in REWARDS
}
quadlib.replay(list(five.values()))

# %%
seen = {}
for name in REWARDS:
    steps = play(quadlib.Agent.shipped(name).act, 400)
    last, turns = steps[-1], sum(step.yaw_rate for step in steps) * 0.01 / (2 * np.pi)
    power = np.mean([step.power for step in steps])
    air = np.mean([not step.contacts.any() for step in steps])
    seen[name] = last, turns, power, air
    print(
        f"{name:<10}{last.x:6.2f} m in {last.time:.1f} s {turns:6.2f} turns {power:5.0f} W "
        f"{air:5.0%} in the air   {'falls' if last.fallen else 'stays on its feet'}"
    )

# %% [markdown]
# | Reward | What one sees |
# |---|---|
# | `hop` | It springs off all four legs at once; half of the time no foot touches the ground. It drifts a little all the same. |
# | `backwards` | It runs backwards, faster than most people walk. Flipping one sign was enough: for this robot, backward is as good as forward. |
# | `spin` | It turns like a wound-up toy, about a full turn in four seconds, and meanwhile drifts 0.6 m to the right of where it began. |
# | `miser` | It shuffles: tiny steps, always a foot on the ground, a fraction of the runner's power. The runner would lose by this reward: 5.0 for its metres, −7.1 for its power (the row `miser` above). This one found a way of going that is cheap enough. |
# | `lean` | It bows within a second, by 0.25 rad, and stays like that. This pays 5 each second, as much as running at 5 m/s. So why walk? After three seconds it tips over, and the pay ends. It has not learned yet to bow and stay on its feet. |
#
# The lesson is not that rewards are hopeless. It is that you should *look*: at the robot, and at
# what it was paid for. All five got better at exactly that. The slides say of their PPO that "it took too
# literally the reward function". That is not the algorithm's fault.

# %%
last, turns, power, air = seen["hop"]
assert air > 0.3  # in the air
assert seen["backwards"][0].x < -3 and seen["backwards"][3] < 0.1
assert seen["spin"][1] > 0.7 and seen["spin"][2] > 2 * seen["miser"][2]
assert 0.3 < seen["miser"][0].x < 3 and seen["miser"][2] < 20 and seen["miser"][3] < 0.05
assert seen["lean"][0].fallen and abs(seen["lean"][0].x) < 0.3

# %% [markdown]
# ### Mix one
#
# Below you mix a reward with sliders, one for the weight of each term (they need a running kernel). The
# figure shows what the shipped runner would be paid in its first two seconds: above zero what pays, below
# what costs. `spin`, `miser` and `lean` can be mixed exactly: find their weights. `hop` and `backwards` only
# nearly: which term is missing in each? Then find a reward of your own.

# %%
TERMS = {
    "forward (m)": lambda step: step.dx,
    "up and down (m)": lambda step: abs(step.dz),
    "drift (m)": lambda step: -abs(step.dy),
    "turn (rad)": lambda step: 0.01 * step.yaw_rate,
    "lean (rad·s)": lambda step: 0.01 * step.pitch,
    "work (J)": lambda step: -0.01 * step.power,
}
WEIGHTS = {
    "forward (m)": [-1, -0.5, 0, 0.5, 1, 2],
    "up and down (m)": [0, 0.2, 0.5, 1],
    "drift (m)": [0, 0.1, 0.5, 1, 2],
    "turn (rad)": [-1, -0.5, 0, 0.5, 1],
    "lean (rad·s)": [-20, -5, 0, 5, 20],
    "work (J)": [0, 0.001, 0.002, 0.005, 0.01, 0.02],
}

# %%
from quadlib.showing.reward_mixer import Mix, RewardMixer, draw_terms

first = {"forward (m)": 1, "up and down (m)": 0.5, "work (J)": 0.002}
figure, words = draw_terms(walk, Mix(TERMS, dict.fromkeys(TERMS, 0) | first))
course.show(figure, alt=f"Terms of a reward, stacked over two seconds of running. {words}")

# %% [markdown]
# **Train with this** starts a training in the background, for a minute. Its curve grows below;
# **Stop** ends it and keeps what was learned. Then the new gait appears, with the mean action and
# with the noise of the training. (`mixer.run` holds it.)

# %%
limit = course.budget(
    ci={"steps": 2_048, "n_envs": 2}, lecture={"seconds": 60}, full={"seconds": 600}
)
mixer = RewardMixer(walk, TERMS, WEIGHTS, first, **limit)
mixer

# %% [markdown]
# ### Your turn
#
# Take one of the five, or write your own. Training runs by the clock. The film strip then shows the
# robot as it acts in training, the replay also with the mean action. Change `my_reward`, run its cell
# and the three code cells after it, and compare with what you predicted. If the mean action fails although
# the curve is high: the curve was earned *with* the noise (part 7). Train longer.


# %%
def my_reward(step):
    """Change this one: pay for what you want, and see what you get."""
    return hop(step)


limit = course.budget(
    ci={"steps": 3_072, "n_envs": 2}, lecture={"seconds": 60}, full={"seconds": 600}
)
changed = quadlib.train("ppo", **limit, reward=my_reward, seed=0)

# %%
names = [name.removeprefix("reward/") for name in changed.curve if name.startswith("reward/")]
alt = f"Sums per episode of the terms {', '.join(names)}, and their sum, while it learns."
course.show(plots.reward_terms(changed), alt=alt)

# %% [markdown]
# What is the robot paid for? The broken lines are the terms, the black line is their sum, the return.
# The robot will do what the dominating term pays for. A term that stays flat near zero could be left
# out, or is too small to be noticed. The return need not rise all the time: the steps are large (part 6).

# %%
new_gait = quadlib.record(changed.agent, seconds=4, label="your reward")
new_noisy = quadlib.record(with_noise(changed.agent), seconds=4, label="with its noise")
quadlib.film_strip(new_noisy, phases=PHASES)

# %%
quadlib.replay([new_gait, new_noisy])

# %% [markdown]
# (As above, the return shown in the replay is that of the slides' reward, not of yours.)
#
# ### Exercise 4 ★★ · The crab
#
# Write a reward for walking sideways, to the robot's left. Per step: the displacement to the left,
# less twice the absolute displacement forward or back, less the slides' effort ($0.005$ times the
# step's `energy`), and less 1 if the robot has fallen. Return a number. It is checked on recorded
# steps, so no training is needed; but train with it afterwards!


# %% tags=["exercise"]
def crab(step):
    """What a step to the left is worth."""
    ### BEGIN SOLUTION
    return step.dy - 2 * abs(step.dx) - 0.005 * step.energy - 1.0 * step.fallen
    ### END SOLUTION


# %% tags=["wrong-answer"]
def crab(step):
    return step.dy - 2 * step.dx - 0.005 * step.energy - 1.0 * step.fallen  # pays for going back


# %% tags=["wrong-answer"]
def crab(step):
    return -step.dy - 2 * abs(step.dx) - 0.005 * step.energy - 1.0 * step.fallen  # y is to the left


# %% tags=["check"]
def by_hand(step):
    dx, dy = step.dx, step.dy
    return sum((dy, -2 * max(dx, -dx), -0.005 * step.energy, -1.0 if step.fallen else 0.0))


wander[:] = 0
falling = play(untrained, 1000)
assert falling[-1].fallen
examples = [*walk[::40], *play(quadlib.Agent.shipped("spin").act, 80)[::20], falling[-1]]
course.check(
    crab,
    [((step,), by_hand(step)) for step in examples],
    hint="step.dy is positive to the left; abs() for drift in both directions; step.fallen is 0 or 1",
    tolerance=1e-9,
)

# %% [markdown]
# ## 9 · What the long runs show · 10 min
#
# Ninety seconds are a beginning. These are trainings of a million steps in the slides' environment,
# with noise, latency and a changing robot, five seeds each (`make runs` makes them, ten minutes each
# on one fast core). Then each went on for a second million, with a third of the learning rate. Beside PPO
# with the clip stands PPO with the adaptive penalty of equation (18), and the slides' PPO: their settings,
# four million steps.
#
# **Before you run the cell**: will the second million bring as much as the first?

# %%
from quadlib.judging import records

NAMES = {"PPO": "ppo", "PPO, KL penalty": "ppo_kl"}
long_runs = {
    label: records.continued(records.runs(name), records.runs(f"{name}_cooled"))
    for label, name in NAMES.items()
}
theirs = records.runs("slides_ppo")
ends = "; ".join(
    f"{n} ends at {np.mean([r.curve['return'][-1] for r in g]):.1f}" for n, g in long_runs.items()
)
course.show(
    plots.learning_curve(long_runs | {"the slides' PPO": theirs}, {"slides, PPO: 0.5": 0.5}),
    alt=f"Training return over steps, bands from the lowest to the highest seed. {ends}; the slides' "
    f"PPO at {theirs[0].curve['return'][-1]:.1f}.",
)

# %% [markdown]
# It does not: PPO comes to 28, then to 30; the penalty to 24, then to 29.
#
# Each last agent was judged in a hundred episodes (of all seeds together) in three worlds: our
# simulation as you use it (`fast`), the same with the physics of the original environment
# (`reference`), and the original itself, MinitaurBulletEnv, of which we wrote no line. The interval is
# over *seeds*: where would the mean lie if all of this was done again?

# %%
from IPython.display import Markdown

from quadlib.agents import results

Markdown(results.table(["slides_ppo", "ppo", "ppo_cooled", "ppo_kl", "ppo_kl_cooled"]))

# %% [markdown]
# With its mean action PPO runs at more than 3 m/s in all three worlds, and hardly ever falls: 3 times in their
# 300 episodes after one million steps, 2 times after two. In MinitaurBulletEnv its return is 31.5 after the first
# million, and the interval over seeds ends at 30.2 and 32.8. The second adds one point there, and three and a half
# with the noise of training. With the penalty instead of the clip it is behind by three to five points at first,
# by about two at the end. (With these settings: nobody searched for better ones.)
#
# And the slides' PPO, trained again from their table? It comes to 0.38 ± 0.04 in the original world, where they
# report 0.5 ± 0.05. So that was no accident, and no error. It throws itself forward once, and falls within half a
# second. After 300,000 steps an episode lasted more than a second; the millions after that made it shorter, not
# better.
#
# ### Why did the slides' PPO stand still?
#
# In seven things their table differs from ours that one might suspect. So each was changed
# alone, both ways: *their* settings with one of ours (does it begin to learn?), and *our* settings
# with one of theirs (does it stop?). In the middle panel their settings have our γ, and one more of
# ours. One seed each, 300,000 steps.
#
# **Before you run the cell**: which of the seven was it?

# %%
from quadlib.showing import comparison_plots

SUSPECTS = {
    "normalized observations": "observations",
    "normalized rewards": "rewards",
    "critic clipped at 0": "clipping",
    "discount γ": "gamma",
    "learning rate": "rate",
    "one robot or eight": "robots",
    "first deviation": "noise",
}


def returns_after(name, steps=300_000):
    """What each seed of a training had come to after so many steps."""
    return [record.after(steps) for record in records.runs(name)]


# %%
mended = {label: returns_after(f"slides_but_{name}") for label, name in SUSPECTS.items()}
pairs = {
    label: returns_after("slides_but_gamma" if name == "gamma" else f"slides_but_gamma_{name}")
    for label, name in SUSPECTS.items()
}
broken = {label: returns_after(f"ppo_but_{name}") for label, name in SUSPECTS.items()}
theirs_alone, ours_alone = np.mean(returns_after("slides_ppo")), np.mean(returns_after("ppo"))
panels = {
    "theirs, one of ours": (mended, theirs_alone),
    "theirs, γ and one of ours": (pairs, theirs_alone),
    "ours, one of theirs": (broken, ours_alone),
}
alt = "; ".join(f"{t}: " + ", ".join(f"{n} {np.mean(v):.1f}" for n, v in c.items()) for t, (c, _) in panels.items())
figure = comparison_plots.dots(panels, "mean return after 300,000 steps", "nothing changed")
course.show(figure, alt=f"A row per suspect, a dot per seed. {alt}.")

# %% [markdown]
# It was none of them! Left: whatever single setting is mended, the robot still falls on its nose; the
# discount helps a little. Right: none of theirs stops ours. Four of them halve what it has learned by
# then, and their γ alone does no harm. A *pair* did it (middle): with our γ and normalized observations
# their PPO walks. Theirs looks $1/(1-0.909) = 11$ steps ahead, a tenth of a second, which is a leap. And
# it sees numbers of very different size: motors turn at tens of radians per second, where angles are
# about one.
#
# Remember it when you look for an error by changing one thing at a time. (With one seed each, only
# large differences mean something. Five more settings differ, but not by much, and were not tried.)
#
# One of their settings is even better than ours: with 1,276 steps of one robot to an update, where we
# have 8 × 512 = 4,096, the return after 300,000 steps is nearly twice as high. Should we have taken it? Here is
# what became of both after a million steps, five seeds of ours and three with one robot, judged like the
# agents above:

# %%
for label, name in {"eight robots": "ppo", "one robot": "ppo_one"}.items():
    group = [record.judged["fast"]["deterministic"] for record in records.runs(name)]
    returns, fell = (np.concatenate([getattr(each, part) for each in group]) for part in ("returns", "fell"))
    print(f"{label:<13} return {returns.mean():.1f} ± {returns.std():.1f}, {fell.sum()} falls in {len(fell)} episodes")

# %% [markdown]
# No. It learns faster, but two of the three seeds end up wild (one is as calm as with eight robots). A
# likely reason: more updates, each from fewer steps of a single robot, so each knows less. What is best at
# 300,000 steps need not be best at a million. You will meet that again in notebook 6.
#
# ### Is the gait real?
#
# A return is a number. Here is what the feet of three PPO robots do, each with another seed. A bar:
# the foot is on the ground.

# %%
from quadlib.judging import gait

seconds = course.budget(ci=1.5, lecture=8, full=8)
gaits = {f"seed {each.seed}": gait.observe(each.agent, seconds=seconds) for each in long_runs["PPO"][:3]}
alt = "; ".join(f"{label}: {each}" for label, each in gaits.items())
course.show(comparison_plots.gait_diagram(gaits), alt=f"Contacts of the four feet over a second. {alt}.")

# %% [markdown]
# And what does it cost? Each point is an episode of a judgement above. The dashed lines are the trot and
# the gallop that the same robot learned at Tan et al. (2018), the dotted ones equal costs of transport.

# %%
episodes = {n: [r.judged["fast"]["deterministic"] for r in group] for n, group in long_runs.items()}
alt = "; ".join(
    f"{label}: {np.mean([e.speeds.mean() for e in g]):.2f} m/s, {np.mean([e.powers.mean() for e in g]):.0f} W"
    for label, g in episodes.items()
)
course.show(comparison_plots.speed_power(episodes), alt=f"Speed against power of all episodes. {alt}.")

# %% [markdown]
# Three seeds found the same way of going by themselves: diagonal legs together, or nearly so, seven
# to eight strides a second. It is a trot, at more than twice the speed of Tan et al.'s gallop. Is that
# real? It holds in two kinds of physics, and in an environment that is not ours. But all of them are
# Bullet's, and on the ground nobody has tried.
#
# The slides' reward takes 0.005 of the effort off. What if the effort was free, or ten times as dear? The
# same PPO after 600,000 steps, all judged with the slides' reward. **Before you run the cell**: which
# robot is the fastest, which one the thriftiest?

# %%
EFFORTS = {"effort free": "energy_none", "the slides' 0.005": "ppo_600", "ten times, 0.05": "energy_much"}
dear = {
    label: [record.judged["fast"]["deterministic"] for record in records.runs(name)]
    for label, name in EFFORTS.items()
}
alt = "; ".join(
    f"{label}: {np.mean([e.speeds.mean() for e in g]):.2f} m/s, {np.mean([e.powers.mean() for e in g]):.0f} W"
    for label, g in dear.items()
)
course.show(comparison_plots.speed_power(dear), alt=f"Speed against power of all episodes. {alt}.")
for label, name in EFFORTS.items():
    print(f"{label}: {gait.observe(records.runs(name)[0].agent, seconds=seconds)}\n")

# %% [markdown]
# Ten times as dear, the robot goes at little more than half the speed, with a third of the power: a cost of
# transport of 0.6 instead of 0.9, and not one of 34 episodes ends with a fall. And free? It is not faster but
# slower, and falls more. A small price on effort may also keep a policy from thrashing about, so that there
# is something to learn from. (One seed each of free and dear: the first may be bad luck, the second is
# far outside of what seeds do.)

# %% [markdown]
# ## Quiz
#
# Answer first, then open.
#
# 1. Right after a rollout, before the first gradient step: what are the ratios, and what does the
#    clip do?
#    <details><summary>Answer</summary>All are 1, the clip does nothing. The first step is a plain
#    policy gradient step. Clipping matters from the second on.</details>
# 2. The clip fraction is 0 in every update. Is that good?
#    <details><summary>Answer</summary>It means that the policy hardly moves. You pay for rollouts
#    and do not use them: more epochs, or a larger learning rate.</details>
# 3. Someone reports "return 31.2 ± 0.0 over 100 episodes". What happened?
#    <details><summary>Answer</summary>A deterministic policy in an environment without randomness:
#    one episode, counted a hundred times.</details>
# 4. Besides the metres you pay −0.02 for each control step (0.01 s), so that the robot hurries. What is the
#    best that it can do?
#    <details><summary>Answer</summary>That is −2 each second. If it cannot run faster than 2 m/s: fall at
#    once, because the costs end with the episode. After a short training it may just stand there: who
#    hardly ever fell while trying things out does not know that falling pays.</details>
# 5. Entropy rises during training. What does the policy gradient say?
#    <details><summary>Answer</summary>That noise does not hurt, or even helps: no action is clearly
#    better than another yet.</details>

# %% [markdown]
# ## Summary on one page
#
# **Facts.** Rollouts are dear, gradient steps are cheap. PPO takes many steps per rollout and
# removes the reason to leave the region where the data is valid. It is first-order: no constraint,
# no second derivatives, any optimizer.
#
# **Equations.**
#
# | | | Seen here |
# |---|---|---|
# | (19) | $r_t = \pi_\theta / \pi_{old}$; clip to $[1-\epsilon, 1+\epsilon]$ | histogram of one update |
# | (20) | $\min(r_t \hat A_t, \text{clip}(r_t) \hat A_t)$, mean over samples | the two panels; exercise 1 |
# | (21) | $L^{CLIP} - c_1 L^{VF} + c_2 S$ | the lines of the library; rises in an update |
#
# **What to know.** The clip is no wall: watch the KL divergence. Normalize observations and rewards.
# Judge with fresh episodes, randomness, an interval. Look at the robot. It does what you pay for.
#
# **Pseudocode: PPO with clipped objective**
# ```
# repeat
#     play n_steps steps in each of n_envs environments with π_old = π_θ
#     A_t ← Σ_k (γλ)^k (R_{t+k} + γ V(s_{t+k+1}) − V(s_{t+k}))          GAE; R: reward
#           up to the end of the episode or rollout; V = 0 after a fall, not after the end of the time
#     G_t ← A_t + V(s_t)
#     n_epochs times, for each shuffled minibatch:
#         A_t ← mean 0 and deviation 1 within the minibatch
#         r_t ← exp(log π_θ(a_t|s_t) − log π_old(a_t|s_t))                      (19)
#         L   ← mean of min(r_t A_t, clip(r_t, 1−ε, 1+ε) A_t)                     (20)
#               − c₁ mean of (V(s_t) − G_t)² + c₂ mean of S[π_θ](s_t)             (21)
#         θ   ← θ + Adam's step along ∇L
# ```
#
# Next: [TRPO](04_trpo.ipynb), the same robot with a constraint instead of a clip.

# %% [markdown]
# ## References
#
# - J. Schulman, F. Wolski, P. Dhariwal, A. Radford, O. Klimov, 2017. [Proximal policy optimization algorithms](https://arxiv.org/abs/1707.06347). Eq. (19)–(21); cited by the slides.
# - J. Schulman, P. Moritz, S. Levine, M. Jordan, P. Abbeel, 2016. [High-dimensional continuous control using generalized advantage estimation](https://arxiv.org/abs/1506.02438) (first version 2015). GAE.
# - J. Tan et al., 2018. [Sim-to-real: learning agile locomotion for quadruped robots](https://arxiv.org/abs/1804.10332). The Minitaur; cited by the slides.
# - J. Schulman, 2020. [Approximating KL divergence](http://joschu.net/blog/kl-approx.html). The estimator in exercise 2.
# - A. Raffin et al., 2021. [Stable-Baselines3: reliable reinforcement learning implementations](https://jmlr.org/papers/v22/20-1364.html).
# - L. Engstrom et al., 2020. [Implementation matters in deep policy gradients](https://arxiv.org/abs/2005.12729). What else is in a PPO: normalization, initial values, clipping of gradients.
# - S. Collins, A. Ruina, R. Tedrake, M. Wisse, 2005. [Efficient bipedal robots based on passive-dynamic walkers](https://doi.org/10.1126/science.1107799). Cost of transport of walkers.
