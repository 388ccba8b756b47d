# %% [markdown]
# # 1a · Policy gradients you can check
#
# A robot that learns to run changes its policy a little, tries it, and changes it again. Two
# questions decide whether that works. *In which direction should the policy change?* And *how far
# can it go before the data it learned from stops being true?*
#
# This notebook answers both with mathematics, and then does what slides cannot do: it **checks
# every formula with numbers**. The slides are those of the lecture that the course grew from; you do
# not need them. Each equation keeps its number there, those of their appendix are (A.1) to (A.5), so
# the numbers do not come in order. Boxes about the slides can be skipped at first reading. A claim
# stands in a cell with an `assert`. If the cell runs, the claim holds.
#
# | Part | You will be able to | Minutes |
# |---|---|---|
# | 1 A small world | compute $J$, $V$, $Q$, $A$ and $d^\pi$ of a policy by linear algebra | 10 |
# | 2 The policy gradient theorem | say what the gradient of $J$ is, and prove it to a computer | 15 |
# | 3 Learning from samples | estimate the gradient from episodes; say why a baseline helps | 15 |
# | 4 Estimating advantages | trade bias against variance with $\lambda$ | 10 |
# | 5 Why plain policy gradients struggle | show why old data and big steps are dangerous | 15 |
# | 6 Comparing two policies | predict a new policy's return from an old policy's data | 15 |
# | 7 Guaranteed improvement | derive a trust region from a bound | 10 |
#
# You need: derivatives, a little probability, NumPy. Reinforcement learning is explained as it
# comes. [Notebook 1b](01b_trust_regions.ipynb) turns the results into TRPO and PPO.
#
# **How to use it.** Run the cells from top to bottom. Exercises have stars for difficulty; write
# your code where you see `...`, run the cell, then run the check below it. You may skip any of
# them, the rest still runs. [Solutions](solutions/01a_policy_gradients.ipynb) are one click away.

# %% [markdown]
# ## Notation
#
# | Symbol | Meaning | In code |
# |---|---|---|
# | $s, a, r$ | state, action, reward | `s, a, r` |
# | $P(s' \mid s, a)$ | the world: probability that action $a$ leads from $s$ to $s'$ | `P[s, a, s']` |
# | $\mathbb{E}_{x \sim p}[f(x)]$ | the average of $f(x)$ when $x$ is drawn from $p$ | `(p * f).sum()` |
# | $\nabla_\theta$ | the vector of all derivatives by the entries of $\theta$ | `gradient` |
# | $\gamma \in [0, 1)$ | discount: a reward one step later counts $\gamma$ times as much | `gamma` |
# | $\tau = (s_0, a_0, r_0, s_1, \dots)$ | a trajectory; $\tau \sim \pi$: made by acting with $\pi$ | |
# | $\pi(a \mid s)$ | policy: probability of action $a$ in state $s$ | `policy[s, a]` |
# | $\theta$; $\pi_\theta$ | parameters; the policy that they give | `theta` |
# | $\pi'$, $\theta'$ | a second policy (on the slides: new in (5)–(10), data-collecting in (3)–(4)) | `new`, `old` |
# | $J(\pi)$ | performance: expected discounted return | `J` |
# | $V^\pi(s)$, $Q^\pi(s, a)$ | expected return from $s$; from $s$ when the first action is $a$ | `V, Q` |
# | $A^\pi(s, a)$ | advantage $Q - V$: how much better $a$ is than the policy's average | `A` |
# | $d^\pi(s)$ | discounted state distribution: where $\pi$ spends its time | `d` |
# | $L_\pi(\pi')$ | surrogate: what $\pi$'s data says about $\pi'$ | `L` |
# | $D_{KL}(\pi' \Vert \pi)[s]$ | Kullback–Leibler divergence of the two in state $s$ | `kl` |

# %% [markdown]
# ## 1 · A small world where everything is exact · 10 min
#
# Our robot has four states. It lies, stands, walks or runs. In each it can take it `easy` or
# `push`. Pushing costs 0.3 per step and can make it faster; it can also make it fall. The reward
# is the speed minus that cost.
#
# This is a *Markov decision process*: the next state depends on the present state and action
# only. All of it fits in two arrays, `P[s, a, s']` and `R[s, a]`.

# %%
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from quadlib import course
from quadlib.showing import plots, widgets

plots.use_style()
STATES, ACTIONS = ["lying", "standing", "walking", "running"], ["easy", "push"]


class World(NamedTuple):
    P: np.ndarray  # P[s, a, s']: probability of the next state
    R: np.ndarray  # R[s, a]: reward
    start: np.ndarray  # start[s]: probability of starting there
    gamma: float


# %%
P = np.array(
    [  # to:  lying standing walking running
        [[1.0, 0.0, 0.0, 0.0], [0.4, 0.6, 0.0, 0.0]],  # lying: easy, push
        [[0.0, 1.0, 0.0, 0.0], [0.1, 0.2, 0.7, 0.0]],  # standing
        [[0.0, 0.3, 0.7, 0.0], [0.2, 0.0, 0.2, 0.6]],  # walking
        [[0.1, 0.0, 0.9, 0.0], [0.3, 0.0, 0.0, 0.7]],  # running
    ]
)
speed, effort = np.array([0.0, 0.0, 1.0, 2.0]), np.array([0.0, 0.3])
R = speed[:, None] - effort
world = World(P, R, start=np.array([1.0, 0.0, 0.0, 0.0]), gamma=0.9)
assert np.allclose(P.sum(axis=-1), 1)

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for action, axes in enumerate(panels):
    axes.imshow(P[:, action], cmap="Blues", vmin=0, vmax=1.4)
    for s, s_next in np.argwhere(P[:, action] > 0):
        axes.text(s_next, s, f"{P[s, action, s_next]:.1f}", ha="center", va="center")
    axes.set(title=f"action: {ACTIONS[action]}", xlabel="next state", xticks=range(4))
    axes.set(yticks=range(4), yticklabels=STATES, xticklabels=STATES)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(False)
panels[0].set_ylabel("state")
course.show(
    figure,
    alt="Two tables of transition probabilities. Easy: lying and standing stay, walking and "
    "running slow down. Push: one state faster with probability 0.6 to 0.7, or a fall.",
)

# %% [markdown]
# Read a row as "from here, where to?". A running robot that pushes falls with probability 0.3. One
# that takes it easy falls with probability 0.1, and mostly slows to a walk. So always pushing is
# not the best policy, and neither is always resting. There is something to learn.
#
# ### The performance of a policy
#
# A *policy* $\pi(a \mid s)$ says how likely each action is in each state. An *episode* is one try of
# the robot, from the start on; its *return* is the discounted sum of its rewards. The performance of
# the policy is the expected return:
#
# $$J(\pi) = \mathbb{E}_{\tau \sim \pi}\Big[\sum_{t=0}^\infty \gamma^t r_t\Big] \tag{1}$$
#
# > **Where the slides write loosely.** They write $J(\theta) = V_{\pi_\theta}$. $V$ depends on a
# > state, $J$ does not: $J(\pi) = \mathbb{E}_{s_0}[V^\pi(s_0)]$, with $s_0$ drawn from the start
# > distribution.
#
# In a small world no sampling is needed. Averaging over actions gives a transition matrix
# $P_\pi(s' | s) = \sum_a \pi(a|s) P(s'|s,a)$ and a reward vector $r_\pi(s) = \sum_a \pi(a|s) R(s,a)$.
# "Value now = reward now + discounted value next" is a linear system. ($PV$ is the expected next
# value, $\sum_{s'} P(s'|s,a) V(s')$.)
#
# $$V = r_\pi + \gamma P_\pi V \;\Rightarrow\; V = (I - \gamma P_\pi)^{-1} r_\pi, \qquad
# Q = R + \gamma P V, \qquad A = Q - V, \tag{A.4}$$
#
# $$d^\pi(s) = (1-\gamma)\sum_{t=0}^\infty \gamma^t P(s_t = s \mid \pi)
# \;\Rightarrow\; d^\pi = (1-\gamma)(I - \gamma P_\pi^\top)^{-1} d_0 .$$
#
# $d^\pi$ says what fraction of its (discounted) time the policy spends in each state: $d_0$ is the
# start distribution, each step multiplies it by $P_\pi^\top$, and a geometric series adds up. The
# factor $1-\gamma$ makes it sum to one.
#
# *Reading the code.* `np.einsum("sa,sat->st", policy, P)` is
# $\sum_a \pi(a|s) P(t|s,a)$: letters name the axes, and an axis that is missing on the right of the
# arrow is summed over. `...` stands for any axes in front: the same code then works for one policy
# or for thousands at once.


# %%
class Solution(NamedTuple):
    J: np.ndarray  # ()        performance
    d: np.ndarray  # (S,)      discounted state distribution
    V: np.ndarray  # (S,)      value
    Q: np.ndarray  # (S, A)    action value
    A: np.ndarray  # (S, A)    advantage


def solve(world, policy):
    """All of it for one policy (S, A), or for a stack of policies (..., S, A)."""
    P_pi = np.einsum("...sa,...sat->...st", policy, world.P)
    r_pi = (policy * world.R).sum(-1)
    M = np.eye(P_pi.shape[-1]) - world.gamma * P_pi
    V = np.linalg.solve(M, r_pi[..., None])[..., 0]
    Q = world.R + world.gamma * np.einsum("...sat,...t->...sa", world.P, V)
    d0 = np.broadcast_to(world.start, V.shape)
    d = (1 - world.gamma) * np.linalg.solve(np.swapaxes(M, -1, -2), d0[..., None])[..., 0]
    return Solution((d0 * V).sum(-1), d, V, Q, Q - V[..., None])


# %%
coin = np.full((4, 2), 0.5)  # a robot that tosses a coin
it = solve(world, coin)
print(f"J = {it.J:.3f}\n\n          V      A(easy)  A(push)  d")
for s, name in enumerate(STATES):
    print(f"{name:9s}{it.V[s]:6.2f} {it.A[s, 0]:8.2f} {it.A[s, 1]:8.2f} {it.d[s]:7.2f}")

assert np.allclose((coin * it.A).sum(axis=1), 0)  # Eq. (A.4): on average no action is better
assert np.isclose(it.d.sum(), 1)
assert np.isclose(it.J, (it.d[:, None] * coin * R).sum() / (1 - world.gamma))

# %% [markdown]
# The advantage $A$ already tells the robot what to do: push when lying, standing and walking (it
# is better than the coin's average), relax when running. The last `assert` is worth remembering:
# $J = \frac{1}{1-\gamma}\,\mathbb{E}_{s \sim d^\pi, a \sim \pi}[r]$. Returns can be written as an
# average over *states* instead of a sum over *time*. Half of this notebook uses that trick.
#
# Now the same number from samples, as a real robot would get it. The simulator steps a thousand
# episodes at once and stops after 100 steps: what follows counts less than $0.9^{100} < 0.0001$.


# %%
def simulate(world, policy, episodes, steps, rng):
    """States (steps + 1, episodes) and actions (steps, episodes) of independent episodes."""

    def draw(probabilities):  # one category per row
        return (rng.random((len(probabilities), 1)) > probabilities.cumsum(1)[:, :-1]).sum(1)

    s = [draw(np.tile(world.start, (episodes, 1)))]
    a = []
    for _ in range(steps):
        a.append(draw(policy[s[-1]]))
        s.append(draw(world.P[s[-1], a[-1]]))
    return np.array(s), np.array(a)


# %%
s, a = simulate(world, coin, episodes=5000, steps=100, rng=np.random.default_rng(0))
discounts = world.gamma ** np.arange(100)
returns = discounts @ R[s[:-1], a]  # Eq. (1), one number per episode

average, error = returns.mean(), returns.std() / np.sqrt(len(returns))
assert abs(average - it.J) < 4 * error  # four standard errors
print(f"Eq. (1)  exact {it.J:.3f}, from 5000 episodes {average:.3f} ± {error:.3f}")

# %%
figure, axes = plt.subplots(figsize=(8, 3))
axes.hist(returns, bins=60, color=plots.COLORS["sky"])
axes.axvline(it.J, color=plots.COLORS["vermillion"], label=f"J = {it.J:.2f}, the mean")
axes.set(xlabel="discounted return of one episode", ylabel="episodes")
axes.legend()
course.show(
    figure,
    alt="Histogram of 5000 returns: they spread from below 0 to about 9 around their mean 2.36.",
)

# %% [markdown]
# One policy, one world, and still the return of a single episode is anything between −1.5 and 9. Keep
# this picture in mind: **learning from samples is learning from noise.**
#
# ### Exercise 1 ★ · The return of one episode
#
# Write the sum inside Eq. (1) for one list of rewards.


# %% tags=["exercise"]
def discounted_return(rewards, gamma):
    """The sum of gamma**t * rewards[t]."""
    ### BEGIN SOLUTION
    return sum(gamma**t * r for t, r in enumerate(rewards))
    ### END SOLUTION


# %% tags=["wrong-answer"]
def discounted_return(rewards, gamma):
    return sum(gamma ** (t + 1) * r for t, r in enumerate(rewards))  # starts at t = 1


# %% tags=["check"]
course.check(
    discounted_return,
    [(([1.0, 1.0, 1.0], 0.5), 1.75), (([0.0, 0.0, 8.0], 0.5), 2.0), (([3.0], 0.9), 3.0)],
    hint="the first reward has t = 0, so it counts in full",
)

# %% [markdown]
# ## 2 · The policy gradient theorem · 15 min
#
# ### Uphill
#
# Give the policy parameters $\theta$ and walk uphill:
#
# $$\theta_{k+1} = \theta_k + \alpha \, \widehat{\nabla J}(\theta_k) \tag{2}$$
#
# The hat says that the gradient may be an estimate. (The slides put the hat on $J$ and call the
# counter $t$; the counter counts updates, not time steps.) Our parameters are one number per state
# and action, turned into probabilities by a *softmax*:
#
# $$\pi_\theta(a \mid s) = \frac{e^{\theta_{sa}}}{\sum_b e^{\theta_{sb}}}, \qquad
# \frac{\partial \log \pi_\theta(a \mid s)}{\partial \theta_{sb}} = \mathbb{1}[a = b] - \pi_\theta(b \mid s).$$
#
# The second formula is called the *score*. In words: to make $a$ more likely, raise its own number
# and lower all the others in proportion to their probability.


# %%
def softmax(theta):
    e = np.exp(theta - theta.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def score(policy):
    """score[s, a, b]: derivative of log policy[s, a] by theta[s, b]."""
    return np.eye(policy.shape[1]) - policy[:, None, :]


theta = np.random.default_rng(1).normal(size=(4, 2))
step = 1e-6 * np.eye(2)  # one parameter at a time, in state 0
numeric = (np.log(softmax(theta[0] + step)) - np.log(softmax(theta[0] - step))) / 2e-6
assert np.allclose(score(softmax(theta))[0], numeric.T, atol=1e-8)
print("score of the actions when lying:\n", score(softmax(theta))[0].round(3))

# %% [markdown]
# ### The theorem
#
# Changing $\theta$ changes what the robot does, *and therefore where it goes*. It looks as if we
# had to differentiate the state distribution too. The policy gradient theorem says: no.
#
# $$\nabla J(\theta) \propto \sum_s \mu(s) \sum_a q_\pi(s, a)\, \nabla \pi(a \mid s, \theta) \tag{A.1}$$
#
# *Why.* Differentiate $V(s) = \sum_a \pi(a|s) Q(s,a)$ by the product rule. One term has
# $\nabla \pi$. The other has $\nabla Q(s, a) = \gamma \sum_{s'} P(s'|s,a) \nabla V(s')$, which is
# the same problem one step later. Unrolling it collects the first term at every later time,
# weighted by $\gamma^t P(s_t = s)$. That sum is $d^\pi(s) / (1-\gamma)$.
#
# > **Where the slides write loosely.** "$\propto$" hides a number and $\mu$ is not defined. For the
# > discounted objective (1), $\mu = d^\pi$ and the factor is exactly $\frac{1}{1-\gamma}$
# > (Sutton et al., 2000). $q_\pi$ is $Q^\pi$.
#
# Two readings of the same sum are useful. With $\nabla \pi = \pi \nabla \log \pi$ it becomes an
# average over what the policy itself does. And since $\sum_a \nabla \pi(a|s) = 0$, any number that
# does not depend on the action may be subtracted from $Q$. Subtracting $V$ gives
#
# $$\nabla_\theta J(\theta) = \mathbb{E}_{\tau \sim \pi_\theta}\Big[\sum_{t=0}^\infty \gamma^t\,
# \nabla_\theta \log \pi_\theta(a_t \mid s_t)\, A^{\pi_\theta}(s_t, a_t)\Big]. \tag{A.5}$$


# %%
def policy_gradient(world, policy):
    """Eq. (A.1) with its factor: 1/(1-gamma) sum_s d(s) sum_a Q(s, a) grad policy(a | s)."""
    it = solve(world, policy)
    grad_policy = policy[:, :, None] * score(policy)  # [s, a, b] = d policy[s, a] / d theta[s, b]
    return np.einsum("s,sa,sab->sb", it.d, it.Q, grad_policy) / (1 - world.gamma)


def finite_differences(f, theta, h=1e-5):
    """The gradient of f without any theory: move one parameter at a time and look."""
    gradient = np.zeros_like(theta)
    for index in np.ndindex(*theta.shape):
        step = np.zeros_like(theta)
        step[index] = h
        gradient[index] = (f(theta + step) - f(theta - step)) / (2 * h)
    return gradient


# %%
policy = softmax(theta)
theorem = policy_gradient(world, policy)
truth = finite_differences(lambda th: solve(world, softmax(th)).J, theta)
assert np.allclose(theorem, truth, atol=1e-8)  # Eq. (A.1)

it = solve(world, policy)
with_advantage = np.einsum("s,sa,sa,sab->sb", it.d, policy, it.A, score(policy))
with_advantage /= 1 - world.gamma  # the sum over time of Eq. (A.5) as an average over d
assert np.allclose(with_advantage, truth, atol=1e-8)
print(f"largest difference to finite differences: {abs(theorem - truth).max():.1e}")

# %% [markdown]
# Both forms agree with brute force to about ten digits. Now let Eq. (2) run, with this exact
# gradient. For comparison we find the best of all 16 deterministic policies by trying each.

# %%
theta = np.zeros((4, 2))  # the coin
history = []
for _ in range(200):
    policy = softmax(theta)
    history.append((solve(world, policy).J, *policy[:, 1]))
    theta = theta + 1.0 * policy_gradient(world, policy)  # Eq. (2), alpha = 1
history = np.array(history)

everything = np.eye(2)[np.indices((2, 2, 2, 2)).reshape(4, -1).T]  # 16 deterministic policies
J_best = solve(world, everything).J.max()
assert np.all(np.diff(history[:, 0]) > 0) and J_best - history[-1, 0] < 0.02
print(f"from {history[0, 0]:.2f} to {history[-1, 0]:.2f}; the best possible is {J_best:.2f}")

# %%
figure, (left, right) = plt.subplots(1, 2)
left.plot(history[:, 0], label="J of the policy")
left.axhline(J_best, color="0.4", linestyle="--", label="best possible")
left.set(xlabel="update k", ylabel="performance J", xlim=(0, 60))
left.legend(loc="lower right")
for s, style in enumerate(["-", "--", "-.", ":"]):
    right.plot(history[:, 1 + s], style, label=STATES[s])
right.set(xlabel="update k", ylabel="probability of push", xlim=(0, 60), ylim=(-0.02, 1.02))
right.legend(title="state", fontsize=9, loc="center right")
course.show(
    figure,
    alt="Left: J rises from 2.4 towards the best possible 4.3 within 60 updates. Right: pushing "
    "becomes certain when lying, standing and walking, and vanishes when running.",
)

# %% [markdown]
# The curve rises at every step, and the robot finds what the advantages promised: push until you
# run, then relax. With an exact gradient there is no drama. The drama starts with samples.
#
# ### The update rule with all actions
#
# The slides' appendix turns (A.1) into an update that uses one visited state and *all* actions.
# Capitals $S_t, A_t$ are the state and the action that happened to come up at time $t$ (this $A_t$ is
# no advantage), $\doteq$ means "is defined as", and $\hat q(s, a, \mathbf w)$ is an estimate of $Q$
# with parameters $\mathbf w$ of its own. Our check uses the exact $Q$.
#
# $$\theta_{t+1} \doteq \theta_t + \alpha \sum_a \hat q(S_t, a, \mathbf w)\, \nabla \pi(a \mid S_t, \theta) \tag{A.2}$$
#
# > **Where the slides write loosely.** If $S_t$ is the state at time $t$ of an episode, the update
# > needs the weight $\gamma^t$: without it states far in the future count as much as the first.
# > Nearly every implementation drops the weight (ours for the robot too). In practice the result is a
# > useful direction, but not the gradient of (1), nor of any other function (Thomas, 2014; Nota & Thomas,
# > 2020).

# %%
policy = softmax(np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.5]]))
s, a = simulate(world, policy, episodes=5000, steps=100, rng=np.random.default_rng(2))
# sum over a of Q(s, a) grad policy(a | s), for each s
per_state = np.einsum("sa,sab->sb", solve(world, policy).Q, policy[:, :, None] * score(policy))

episodes_sum = np.zeros((2, 5000, 4, 2))  # Eq. (A.2) with and without gamma**t, added up
for t, s_t in enumerate(s[:-1]):
    update = np.eye(4)[s_t][:, :, None] * per_state  # only the visited state's row changes
    episodes_sum += np.array([world.gamma**t, 1.0])[:, None, None, None] * update
exact = policy_gradient(world, policy)
average, error = episodes_sum.mean(1), episodes_sum.std(1) / np.sqrt(5000)
assert np.all(abs(average[0] - exact) < 4.5 * error[0] + 1e-3)
cosines = np.einsum("isa,sa->i", average, exact) / np.linalg.norm(average, axis=(1, 2))
cosines /= np.linalg.norm(exact)
assert cosines[0] > 0.999 and cosines[1] < 0.99  # without the weight: another direction
for label, g in zip(["exact", "with gamma**t", "without"], [exact, *average], strict=True):
    print(f"{label:14s}", (g[:, 1] / np.linalg.norm(g[:, 1])).round(3))

# %% [markdown]
# The rows show the direction's entries for `push` in the four states, scaled to length one (those
# for `easy` are the same with the other sign). With
# $\gamma^t$ the average is the gradient. Without it `lying`, where every episode starts, gets less
# weight than it should, and the states that come later get more.
#
# ### Exercise 2 ★★ · The score of a Gaussian policy
#
# A robot's actions are not "easy" or "push" but numbers: motor angles. The usual policy draws them
# from a normal distribution with mean $\mu$ (not the $\mu(s)$ of (A.1)) and standard deviation
# $\sigma = e^{\ell}$:
#
# $$\log \pi(a) = -\tfrac12 \Big(\frac{a - \mu}{\sigma}\Big)^2 - \ell - \tfrac12 \log 2\pi .$$
#
# Return its derivatives by $\mu$ and by $\ell = \log \sigma$ (not by $\sigma$), as a tuple.


# %% tags=["exercise"]
def gaussian_score(a, mean, log_std):
    """(d log pi / d mean, d log pi / d log_std)."""
    ### BEGIN SOLUTION
    z = (a - mean) / np.exp(log_std)
    return z / np.exp(log_std), z**2 - 1
    ### END SOLUTION


# %% tags=["wrong-answer"]
def gaussian_score(a, mean, log_std):
    z = (a - mean) / np.exp(log_std)
    return z, z**2 - 1  # forgot the inner derivative 1 / sigma


# %% tags=["check"]
def log_pi(a, mean, log_std):
    return -0.5 * ((a - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)


def numeric_score(a, mean, log_std):
    gradient = finite_differences(lambda p: log_pi(a, *p), np.array([mean, log_std]))
    return tuple(gradient)


inputs = [(1.0, 0.0, 0.0), (0.5, 0.0, -1.0), (-2.0, 1.0, 0.7)]
course.check(
    gaussian_score,
    [(given, numeric_score(*given)) for given in inputs],
    hint="write z = (a - mean) / std and use the chain rule: dz/dmean = -1/std, dz/dlog_std = -z",
    tolerance=1e-5,
)

# %% [markdown]
# ## 3 · Learning from samples: REINFORCE · 15 min
#
# A robot knows neither $P$ nor $Q$. It has episodes. Replace the expectation in (A.5) by their
# average and $Q$ by what was actually earned afterwards, the *return-to-go*
# $G_t = r_t + \gamma r_{t+1} + \gamma^2 r_{t+2} + \dots$ This is REINFORCE (Williams, 1992). With a
# *baseline* $b(s)$ it reads, for one step of one episode,
#
# $$\theta_{t+1} \doteq \theta_t + \alpha\, (G_t - b(S_t))\, \frac{\nabla \pi(A_t \mid S_t, \theta_t)}{\pi(A_t \mid S_t, \theta_t)} . \tag{A.3}$$
#
# The fraction is the score $\nabla \log \pi$ in other words. (As in (A.2) the exact rule has
# $\gamma^t$ in front.) Four choices of weight give the same gradient **on average**:
#
# | Weight of $\nabla \log \pi(a_t \mid s_t)$ | Idea |
# |---|---|
# | $G_0$ | credit the whole episode to every action |
# | $\gamma^t G_t$ | an action cannot change the past |
# | $\gamma^t (G_t - V(s_t))$ | was it better than expected? |
# | $\gamma^t A(s_t, a_t)$ | the expectation of the line above: no luck in what follows |


# %%
def gradient_samples(world, policy, weights, s, a):
    """One estimate of the gradient per episode, (episodes, S, A); weights (steps, episodes)."""
    estimates = np.zeros((s.shape[1], *policy.shape))
    for t in range(len(a)):
        estimates[np.arange(s.shape[1]), s[t]] += weights[t][:, None] * score(policy)[s[t], a[t]]
    return estimates


def returns_to_go(r, gamma):
    """G[t] = r[t] + gamma * G[t + 1], along the first axis."""
    G = np.array(r, dtype=float)
    for t in reversed(range(len(G) - 1)):
        G[t] += gamma * G[t + 1]
    return G


# %%
it = solve(world, coin)
s, a = simulate(world, coin, episodes=5000, steps=100, rng=np.random.default_rng(3))
G = returns_to_go(R[s[:-1], a], world.gamma)
discount = discounts[:, None]
weights = {
    "whole return": np.broadcast_to(G[0], G.shape),
    "return-to-go": discount * G,
    "minus baseline V": discount * (G - it.V[s[:-1]]),  # Eq. (A.3)
    "exact advantage": discount * it.A[s[:-1], a],  # Eq. (A.5)
}
samples = {name: gradient_samples(world, coin, w, s, a) for name, w in weights.items()}
exact = policy_gradient(world, coin)
for name, x in samples.items():
    assert np.all(abs(x.mean(0) - exact) < 4.5 * x.std(0) / np.sqrt(len(x)) + 1e-3), name
    print(f"{name:17s} variance of one episode's estimate: {x.var(0).sum():7.1f}")

# %%
figure, axes = plt.subplots(figsize=(8, 3.4))
for row, x in enumerate(samples.values()):
    low, quarter, three, high = np.percentile(x[:, 0, 1], [5, 25, 75, 95])
    axes.plot([low, high], [row, row], color="black", linewidth=1)  # 90 % of the estimates
    axes.plot(
        [quarter, three], [row, row], "C5", linewidth=14, solid_capstyle="butt"
    )  # half of them
axes.axvline(exact[0, 1], color=plots.COLORS["vermillion"], linewidth=1, label="exact gradient")
axes.set(yticks=range(4), yticklabels=samples, ylim=(3.5, -0.5))
axes.set(xlabel="estimate from one episode: ∂J/∂θ(lying, push).  Bar: half of them; line: 90 %")
axes.legend(loc="lower left")
course.show(
    figure,
    alt="Ranges of gradient estimates from single episodes. All four contain the exact value; "
    " the spread shrinks from whole return to return-to-go to baseline to exact advantage.",
)

# %% [markdown]
# All four bars sit around the same exact value, and the loop above has checked each entry of each
# mean. What differs is the spread, and the spread decides how many episodes you need: an average over
# $n$ episodes has an $n$ times smaller variance. Dropping the past saves a factor of ten in episodes,
# the baseline $V$ another four, and an exact advantage would save much more. **A value function is
# there to reduce variance.** A learned one is called *critic*, the policy is the *actor*.
#
# Why does a baseline not shift the mean? Because
# $\mathbb{E}_a[\nabla \log \pi(a|s)\, b(s)] = b(s) \sum_a \nabla \pi(a|s) = b(s)\,\nabla 1 = 0$.

# %%
for b in (-3.0, 0.0, 100.0):
    assert np.allclose(np.einsum("sa,sab->sb", coin * b, score(coin)), 0)

print("episodes needed for an error of 10 % of the gradient's length:")
for name, x in samples.items():
    print(f"{name:17s} {x.var(0).sum() / (0.1 * np.linalg.norm(exact)) ** 2:9.0f}")
variance = {name: x.var(0).sum() for name, x in samples.items()}
assert variance["whole return"] > 8 * variance["return-to-go"]
assert variance["return-to-go"] > 3 * variance["minus baseline V"]

# %% [markdown]
# ### Exercise 3 ★★ · Returns-to-go of an interrupted episode
#
# Return the list of all $G_t$ for one episode. Each reward should be touched once: go backwards and
# use $G_t = r_t + \gamma G_{t+1}$. In addition the episode may have been cut off by the clock while
# the robot was still walking; then `last_value` estimates what would have followed. (An episode
# that ended by a fall has `last_value` 0.)


# %% tags=["exercise"]
def returns_with_bootstrap(rewards, gamma, last_value):
    """A list with G_t for every t, where G after the last reward is last_value."""
    ### BEGIN SOLUTION
    G, result = last_value, []
    for r in reversed(rewards):
        G = r + gamma * G
        result.append(G)
    return result[::-1]
    ### END SOLUTION


# %% tags=["wrong-answer"]
def returns_with_bootstrap(rewards, gamma, last_value):
    G, result = last_value, []
    for r in reversed(rewards):
        G = r + gamma * G
        result.append(G)
    return result  # still in reversed order


# %% tags=["wrong-answer"]
def returns_with_bootstrap(rewards, gamma, last_value):
    G, result = 0.0, []  # ignores what would have followed
    for r in reversed(rewards):
        G = r + gamma * G
        result.append(G)
    return result[::-1]


# %% tags=["check"]
course.check(
    returns_with_bootstrap,
    [
        (([1.0, 1.0, 1.0], 0.5, 0.0), [1.75, 1.5, 1.0]),
        (([0.0, 0.0], 0.5, 8.0), [2.0, 4.0]),
        (([1.0], 0.9, 10.0), [10.0]),
    ],
    hint="start with G = last_value, walk through reversed(rewards), and mind the order at the end",
)

# %% [markdown]
# ## 4 · Estimating advantages: GAE · 10 min
#
# The exact advantage is the best weight, and nobody has it. What one has is a *critic* $\hat V$,
# learned and therefore wrong. Two extremes:
#
# - trust the critic after one step: $\delta_t = r_t + \gamma \hat V(s_{t+1}) - \hat V(s_t)$, the
#   *temporal difference*. Little noise, but wrong where the critic is wrong (*bias*);
# - trust only rewards: $G_t - \hat V(s_t)$. No bias in the gradient, much noise (*variance*).
#
# *Generalized advantage estimation* (Schulman et al., 2016) slides between them with one number
# $\lambda$:
#
# $$\hat A_t = \sum_{l=0}^\infty (\gamma\lambda)^l \delta_{t+l}, \qquad
# \text{computed backwards as}\quad \hat A_t = \delta_t + \gamma\lambda \hat A_{t+1}.$$
#
# $\lambda = 0$ is the first extreme, $\lambda = 1$ the second.


# %%
def gae(rewards, values, gamma, lam):
    """Advantages (steps, episodes) from rewards (steps, ...) and values (steps + 1, ...)."""
    advantages = np.zeros_like(rewards)
    following = 0.0
    for t in reversed(range(len(rewards))):
        delta = rewards[t] + gamma * values[t + 1] - values[t]
        following = advantages[t] = delta + gamma * lam * following
    return advantages


visited, taken, earned = s, a, R[s[:-1], a]  # the 5000 episodes of part 3
r, v = earned, 0.5 * it.V[visited]  # a half-trained critic: half of the true value
tail = world.gamma**100 * v[-1]  # the critic's guess of what comes after the last step
assert np.allclose(gae(r, v, world.gamma, lam=1)[0], G[0] - v[0] + tail)
assert np.allclose(gae(r, v, world.gamma, lam=0), r + world.gamma * v[1:] - v[:-1])

# %% [markdown]
# Is this what the libraries compute? Stable-Baselines3 (SB3), which will train our robot, keeps
# rewards and values in a *rollout buffer*. We fill one with random numbers and random endings, and
# compare; only the last line of the next cell matters, it asks SB3 for its advantages. An ended
# episode must cut the chain: what happens after a reset is not the fault of the last action.

# %%
import gymnasium as gym
import torch
from stable_baselines3.common.buffers import RolloutBuffer

torch.set_num_threads(1)
rng = np.random.default_rng(4)
steps, n = 20, 3
rewards, values = rng.normal(size=(2, steps, n)).astype(np.float32)
ended = rng.random((steps + 1, n)) < 0.15  # ended[t]: a new episode begins at t
last_value = torch.as_tensor(rng.normal(size=n), dtype=torch.float32)

box = gym.spaces.Box(-1, 1, (1,))
buffer = RolloutBuffer(steps, box, box, gae_lambda=0.95, gamma=0.9, n_envs=n)
nothing = np.zeros((n, 1))
for t in range(steps):
    v_t = torch.as_tensor(values[t])
    buffer.add(nothing, nothing, rewards[t], ended[t], v_t, torch.zeros(n))
buffer.compute_returns_and_advantage(last_value, ended[-1])


# %%
def gae_with_endings(rewards, values, ended, gamma, lam):
    """As above; ended (steps + 1, ...) is true where a new episode begins."""
    advantages, following = np.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        alive = 1.0 - ended[t + 1]
        delta = rewards[t] + gamma * alive * values[t + 1] - values[t]
        following = advantages[t] = delta + gamma * lam * alive * following
    return advantages


ours = gae_with_endings(rewards, np.vstack([values, last_value]), ended, gamma=0.9, lam=0.95)
assert np.allclose(ours, buffer.advantages, atol=1e-5)
assert np.allclose(ours + values, buffer.returns, atol=1e-5)
print(f"largest difference to SB3: {abs(ours - buffer.advantages).max():.1e}")

# %% [markdown]
# Now the trade-off itself. (The next cell is dense; its docstring is enough to go on.) In our world the mean of $\hat A$ can be computed exactly, so its bias
# can too. We count only the part that depends on the action: an error that is the same for all
# actions of a state is just another baseline. The noise comes from the simulated episodes, for an
# average over 100 samples. A second dial is $\gamma$ itself: an estimator may look less far ahead
# than the task asks for. That also lowers the noise, and also costs bias.


# %%
def gae_errors(gamma, lams, policy=coin, samples=100):
    """RMS over the visited (s, a) of the bias (exact) and of the noise, for each lambda."""
    truth, near = solve(world, policy), solve(world._replace(gamma=gamma), policy)
    critic = 0.5 * near.V  # half-trained
    delta = R + gamma * P @ critic - critic[:, None]
    P_pi, weight = np.einsum("sa,sat->st", policy, P), truth.d[:, None] * policy
    bias, noise = [], []
    for lam in lams:
        ahead = np.linalg.solve(np.eye(4) - gamma * lam * P_pi, (policy * delta).sum(1))
        mean = delta + gamma * lam * P @ ahead  # the expected estimate for each (s, a)
        wrong = mean - (policy * mean).sum(1, keepdims=True) - truth.A
        bias.append(np.sqrt((weight * wrong**2).sum()))
        luck = gae(earned, critic[visited], gamma, lam)[:30] - mean[visited[:30], taken[:30]]
        noise.append(np.sqrt(np.average((luck**2).mean(1), weights=discounts[:30]) / samples))
    return np.array(bias), np.array(noise)


# %%
LAMBDAS = np.linspace(0, 1, 11)


def draw_gae(lam, gamma):
    figure, (left, right) = plt.subplots(1, 2)
    left.bar(np.arange(25), (gamma * lam) ** np.arange(25.0), color=plots.COLORS["sky"])
    left.set(xlabel="steps ahead l", ylabel="weight (γλ)^l of δ", ylim=(0, 1.05))
    left.set_title(f"γ = {gamma:g}, λ = {lam:g}")
    bias, noise = gae_errors(gamma, LAMBDAS)
    right.plot(LAMBDAS, bias, "o-", label="bias")
    right.plot(LAMBDAS, noise, "s--", label="noise (standard deviation)")
    right.plot(LAMBDAS, np.hypot(bias, noise), "^-.", label="both")
    right.axvline(lam, color="0.5", linewidth=1)
    right.set(xlabel="λ", ylabel="error of the advantage", ylim=(0, 0.42))
    right.legend(loc="upper center")
    return figure


GAE_ALT = (
    "Left: bars, the weight of each temporal difference. Right: as lambda grows from 0 to 1 "
    "the bias falls and the noise rises. Shown for lambda {lam} and gamma {gamma}."
)
course.show(draw_gae(0.8, 0.9), alt=GAE_ALT.format(lam=0.8, gamma=0.9))

# %% [markdown]
# The bias falls with $\lambda$, the noise rises, and both together (the root of the sum of their
# squares) are smallest in between. With the
# task's own $\gamma = 0.9$ the bias vanishes at $\lambda = 1$, however wrong the critic is. With a
# smaller $\gamma$ it never vanishes. Drag the sliders: which costs more, a small $\gamma$ or a
# small $\lambda$?
# <details><summary>Answer</summary>A small γ. Compare equal products γλ = 0.72: γ = 0.9, λ = 0.8 has
# bias 0.08 and γ = 0.8, λ = 0.9 has 0.13, with nearly the same noise.</details>

# %%
widgets.explore(draw_gae, GAE_ALT, lam=list(LAMBDAS.round(1)), gamma=[0.0, 0.3, 0.5, 0.7, 0.8, 0.9])

# %%
bias, noise = gae_errors(0.9, LAMBDAS)
assert np.all(np.diff(bias) < 0) and bias[-1] < 1e-10 and np.all(np.diff(noise) > 0)
assert 0 < np.hypot(bias, noise).argmin() < 10  # the best lambda is neither 0 nor 1
for i in (0, 5, 10):
    print(f"lambda {LAMBDAS[i]:.1f}: bias {bias[i]:.3f}, noise {noise[i]:.3f}")

# %% [markdown]
# ## 5 · Why plain policy gradients struggle · 15 min
#
# ### The step size
#
# Now the robot learns from ten sampled episodes per update, with a weight that samples alone can
# give (return-to-go, minus the average over the ten episodes as a baseline). We try three step
# sizes, several times each.


# %%
def learn(alpha, updates, seed, episodes=10, steps=30):
    """REINFORCE, Eq. (2) with sampled gradients. Returns J after each update, computed exactly."""
    rng, theta, J = np.random.default_rng(seed), np.zeros((4, 2)), []
    for _ in range(updates):
        policy = softmax(theta)
        J.append(solve(world, policy).J)
        s, a = simulate(world, policy, episodes, steps, rng)
        G = returns_to_go(R[s[:-1], a], world.gamma)
        weights = discounts[:steps, None] * (G - G.mean(axis=1, keepdims=True))
        theta = theta + alpha * gradient_samples(world, policy, weights, s, a).mean(axis=0)
    return J


seeds = course.budget(ci=4, lecture=20, full=100)
curves = {
    alpha: np.array([learn(alpha, updates=60, seed=i) for i in range(seeds)])
    for alpha in (0.02, 0.3, 30.0)
}

# %%
figure, panels = plt.subplots(1, 3, sharey=True)
for axes, (alpha, J) in zip(panels, curves.items(), strict=True):
    axes.plot(J.T, color=plots.COLORS["sky"], linewidth=0.8)
    axes.plot(J.mean(axis=0), color=plots.COLORS["blue"], label=f"mean of {seeds} runs")
    axes.axhline(J_best, color="0.4", linestyle="--", linewidth=1, label="best possible")
    axes.set(title=f"step size α = {alpha:g}", xlabel="update (10 episodes each)")
panels[0].set(ylabel="performance J")
panels[0].legend(loc="lower right", fontsize=9)
course.show(
    figure,
    alt="Learning curves for three step sizes. A small step is slow. A medium one nearly reaches the "
    "best. With a large one some runs jump to the best, some stop below it, and a few stay at 0 or less.",
)

# %%
stuck = curves[30.0][:, -1] < 1
print(f"α = 30: {stuck.sum()} of {seeds} robots lie or stand still at the end")
assert curves[0.3][:, -1].mean() > curves[0.02][:, -1].mean()
assert curves[0.3][:, -1].mean() > curves[30.0][:, -1].mean()

# %% [markdown]
# Look at the right picture. One unlucky batch told some robots that `push` is bad when lying ($J = 0$)
# or when standing ($J < 0$: they get up for nothing). The step was so large that the policy became
# certain of it. A robot that never tries to push collects no data that could prove it wrong: its
# gradient is practically zero, and hardly any robot comes back. The shelves between 3.5 and 4 are
# other policies that were frozen too early. In supervised learning a bad step is repaired by the next
# batch. **In reinforcement learning a bad policy collects the next batch.**
#
# And how large a step is depends on where you are. A mean that moves by 0.1 is nothing for a policy
# with $\sigma = 1$ and a different policy for $\sigma = 0.01$. A distance between *parameters* is
# the wrong measure; part 6 uses a distance between *policies*.
#
# ### Old data
#
# Each batch was used for one step and thrown away: the theorem averages over $\tau \sim \pi_\theta$,
# and after the step $\theta$ is another one. Could episodes of an old policy $\theta'$ be reused?
# *Importance sampling* re-weights them:
#
# $$\nabla_\theta J(\theta) = \mathbb{E}_{\tau \sim \theta'}\Big[\sum_{t=0}^\infty
# \frac{P(\tau_t \mid \theta)}{P(\tau_t \mid \theta')}\, \gamma^t\, \nabla_\theta \log \pi_\theta(a_t \mid s_t)\,
# A_\theta(s_t, a_t)\Big] \tag{3}$$
#
# $$\frac{P(\tau_t \mid \theta)}{P(\tau_t \mid \theta')} = \prod_{t'=0}^{t}
# \frac{\pi_\theta(a_{t'} \mid s_{t'})}{\pi_{\theta'}(a_{t'} \mid s_{t'})} \tag{4}$$
#
# $\tau_t$ is the trajectory up to and including $a_t$. The world's own probabilities appear above
# and below the line and cancel: the ratio can be computed without knowing $P$.
#
# > **What the slides leave out.** The old policy must try every action that the new one may take
# > ($\pi_{\theta'} > 0$ wherever $\pi_\theta > 0$). And $A_\theta$ is the advantage of the *new*
# > policy, which the old data does not show directly; here we compute it, a robot must estimate it.
#
# We check (3) without sampling: over **every** trajectory of six steps, the re-weighted sum must equal
# that of the new policy itself, Eq. (A.5), which part 2 compared with derivatives.

# %%
old, new = coin, softmax(np.array([[0, 0.8], [0, 0.8], [0, 0.3], [0.5, 0]]))
A_new = solve(world, new).A
paths = [(0, 1.0, 1.0)]  # state, probability under the old policy, ratio (4)
reweighted, on_policy, where = np.zeros((4, 2)), np.zeros((4, 2)), world.start
for t in range(6):
    longer = []
    for s_t, p, ratio in paths:
        for a_t in range(2):
            p_a, ratio_a = p * old[s_t, a_t], ratio * new[s_t, a_t] / old[s_t, a_t]  # Eq. (4)
            term = 0.9**t * score(new)[s_t, a_t] * A_new[s_t, a_t]
            reweighted[s_t] += p_a * ratio_a * term  # Eq. (3)
            longer += [(i, p_a * q, ratio_a) for i, q in enumerate(P[s_t, a_t]) if q > 0]
    on_policy += 0.9**t * np.einsum("s,sa,sa,sab->sb", where, new, A_new, score(new))
    paths, where = longer, where @ np.einsum("sa,sat->st", new, P)
assert np.allclose(reweighted, on_policy, atol=1e-12)
print(f"{len(paths)} trajectories, largest difference {abs(reweighted - on_policy).max():.0e}")

# %% [markdown]
# So (3) is true. It is also nearly useless, and this figure shows why. We follow the ratio (4)
# through long episodes of the coin-tossing robot. The new policy is not far away: it pushes with
# probability 0.69, 0.69, 0.57 and 0.38 in the four states, where the coin has 0.5.

# %%
s, a = simulate(world, old, episodes=20_000, steps=100, rng=np.random.default_rng(5))
ratios = np.cumprod(new[s[:-1], a] / old[s[:-1], a], axis=0)  # Eq. (4) for every t

squared, moment, second = np.einsum("sa,sat->st", new**2 / old, P), world.start, []
for _ in range(100):
    second.append((moment * (new**2 / old).sum(1)).sum())  # exact mean of ratio**2 after t steps
    moment = moment @ squared
useful = 1 / np.array(second)
measured = ratios.mean(1) ** 2 / (ratios**2).mean(1)
assert np.allclose(measured[:10], useful[:10], rtol=0.15)
assert abs(ratios[:10].mean(1) - 1).max() < 0.05  # the mean is 1 ...
assert np.median(ratios[-1]) < 0.05  # ... and a typical ratio is almost 0


# %%
def draw_ratio(horizon):
    figure, (left, right) = plt.subplots(1, 2)
    left.semilogy(np.arange(1, 101), ratios[:, :20], color=plots.COLORS["sky"], linewidth=0.6)
    left.semilogy(np.arange(1, 101), np.median(ratios, 1), color="black", label="median")
    left.axhline(1, color=plots.COLORS["vermillion"], linestyle="--", label="mean (exactly 1)")
    left.axvline(horizon, color="0.5", linewidth=1)
    left.set(xlabel="steps t", ylabel="importance ratio", ylim=(1e-6, 1e4))
    left.legend(loc="lower left", fontsize=9)
    share = np.sort(ratios[horizon - 1])[::-1].cumsum() / ratios[horizon - 1].sum()
    right.plot(np.linspace(0, 100, len(share)), 100 * share, color=plots.COLORS["blue"])
    right.plot([0, 100], [0, 100], "--", color="0.5", linewidth=1)
    right.set(xlabel="% of the episodes, heaviest first", ylabel="% of the total weight")
    right.set_title(f"after {horizon} steps: {100 * useful[horizon - 1]:.2g} % of the data counts")
    return figure


RATIO_ALT = (
    "Left: importance ratios of 20 episodes on a logarithmic axis fan out over many powers of ten "
    "while their median falls. Right: after {horizon} steps a few episodes carry most of the weight."
)
course.show(draw_ratio(50), alt=RATIO_ALT.format(horizon=50))

# %% [markdown]
# The mean of the ratio is exactly 1 at every horizon. Yet the typical ratio *vanishes*, and a few
# *explode* to keep the mean up: a handful of episodes decides everything. The title gives the
# *effective sample size* $1 / \mathbb{E}[\rho^2]$, with $\rho$ for the ratio (4): the share of the data
# that still counts. (If all ratios are 1, it is 1. If one episode in $n$ has ratio $n$ and the others
# 0, it is $1/n$.) It shrinks exponentially with the horizon. An episode of our four-legged robot, the
# Minitaur, has 1000 steps. Drag the horizon.

# %%
widgets.explore(draw_ratio, RATIO_ALT, horizon=[1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])

# %%
decay = np.polyfit(np.arange(50, 100), np.log(useful[50:]), 1)[0]
for horizon in (10, 100, 1000):
    share = useful[horizon - 1] if horizon <= 100 else useful[-1] * np.exp(decay * (horizon - 100))
    note = "" if horizon <= 100 else " (extrapolated)"
    print(f"after {horizon:4d} steps {share:8.1e} of the data counts{note}")
assert decay < -0.05

# %% [markdown]
# ### Exercise 4 ★★ · The ratios of an episode
#
# Libraries store log-probabilities, because products of hundreds of probabilities underflow. Return
# the ratio (4) for every $t$, from the log-probabilities of the actions taken.


# %% tags=["exercise"]
def importance_ratios(new_log_prob, old_log_prob):
    """Array with the product of new/old up to each t; inputs are arrays of log-probabilities."""
    ### BEGIN SOLUTION
    return np.exp(np.cumsum(new_log_prob - old_log_prob))
    ### END SOLUTION


# %% tags=["wrong-answer"]
def importance_ratios(new_log_prob, old_log_prob):
    return np.exp(new_log_prob - old_log_prob)  # one step only, no product


# %% tags=["check"]
p_new, p_old = np.array([0.5, 0.9, 0.2]), np.array([0.25, 0.45, 0.4])
course.check(
    importance_ratios,
    [
        ((np.log(p_new), np.log(p_old)), np.array([2.0, 4.0, 2.0])),
        ((np.full(2, -2000.0), np.full(2, -2001.0)), np.exp([1.0, 2.0])),
    ],
    hint="a product of ratios is a sum of differences of logarithms; np.cumsum gives all of them",
)

# %% [markdown]
# ## 6 · Comparing two policies · 15 min
#
# The product in (4) is what kills us. The next idea gets rid of it. Compare two policies directly:
#
# $$J(\pi') - J(\pi) = \mathbb{E}_{\tau \sim \pi'}\Big[\sum_{t=0}^\infty \gamma^t A^\pi(s_t, a_t)\Big] \tag{5}$$
#
# *Why.* $A^\pi(s_t, a_t)$ is on average $r_t + \gamma V^\pi(s_{t+1}) - V^\pi(s_t)$. In the
# discounted sum the values telescope: all cancel but $-V^\pi(s_0)$. What is left is the return of
# $\pi'$ minus that of $\pi$ (Kakade & Langford, 2002). It is exact, for *any* two policies. As
# averages over states, with $\sum_a \pi' A = \sum_a \pi \frac{\pi'}{\pi} A$ to let the old policy draw the
# actions:
#
# $$= \frac{1}{1-\gamma}\, \mathbb{E}_{s \sim d^{\pi'},\, a \sim \pi}\Big[\frac{\pi'(a \mid s)}{\pi(a \mid s)} A^\pi(s, a)\Big] \tag{6}$$
#
# $$\approx \frac{1}{1-\gamma}\, \mathbb{E}_{s \sim d^{\pi},\, a \sim \pi}\Big[\frac{\pi'(a \mid s)}{\pi(a \mid s)} A^\pi(s, a)\Big] \tag{7}$$
#
# $$= \mathbb{E}_{\tau \sim \pi}\Big[\sum_{t=0}^\infty \gamma^t\, \frac{\pi'(a_t \mid s_t)}{\pi(a_t \mid s_t)} A^\pi(s_t, a_t)\Big] \doteq L_\pi(\pi') \tag{8}$$
#
# From (6) to (7) the *states* are taken from the old policy. That is the only approximation. It
# removes the product: each step carries just its own ratio, and old data is enough.
#
# > **Mind the distributions.** In (6) states come from the *new* policy and actions from the *old*
# > one, re-weighted by the ratio: no old data contains that pair. Without the ratio it must be
# > $a \sim \pi'$. Both need $\pi > 0$ where $\pi' > 0$. Also, $L_\pi(\pi')$ here is an
# > *improvement*: $L_\pi(\pi) = 0$. In Schulman et al. (2015) $L$ includes $J(\pi)$.


# %%
def discounted_sum(world, policy, per_state, steps=400):
    """Sum over t of gamma**t E[per_state(s_t)], the way a trajectory collects it."""
    P_pi, where, total = np.einsum("sa,sat->st", policy, world.P), world.start, 0.0
    for t in range(steps):
        total += world.gamma**t * where @ per_state
        where = where @ P_pi
    return total


pi, it, its = coin, solve(world, coin), solve(world, new)  # pi: old policy, new: the other
difference = its.J - it.J
ratio = new / pi
eq5 = discounted_sum(world, new, (new * it.A).sum(1))  # Eq. (5): trajectories of the new policy
eq6 = (its.d[:, None] * pi * ratio * it.A).sum() / (1 - world.gamma)  # Eq. (6)
eq7 = (it.d[:, None] * pi * ratio * it.A).sum() / (1 - world.gamma)  # Eq. (7): old states
eq8 = discounted_sum(world, pi, (pi * ratio * it.A).sum(1))  # Eq. (8): old trajectories

assert np.isclose(eq5, difference, atol=1e-12) and np.isclose(eq6, difference, atol=1e-12)
assert np.isclose(eq7, eq8, atol=1e-12) and not np.isclose(eq7, difference, atol=0.01)
print(f"J(new) - J(old) = {difference:.6f}")
print(f"(5) {eq5:.6f}   (6) {eq6:.6f}   (7) {eq7:.6f}   (8) {eq8:.6f}")

# %% [markdown]
# (5) and (6) are exact, (7) and (8) are equal to each other and a little off. How far off? One pair
# proves little, so we make thousands: random worlds with six states and three actions, and in each
# two random policies, some close together and some far apart.


# %%
def random_pairs(count, rng, S=6, A=3, gamma=0.9):
    """`count` random worlds, each with an old and a new policy (count, S, A)."""
    P = rng.dirichlet(np.full(S, 0.3), size=(count, S, A))
    start = rng.dirichlet(np.ones(S), size=count)
    worlds = World(P, rng.normal(size=(count, S, A)), start, gamma)
    theta = rng.normal(size=(count, S, A))
    distance = 10 ** rng.uniform(-2, 0.7, size=(count, 1, 1))
    return worlds, softmax(theta), softmax(theta + distance * rng.normal(size=theta.shape))


worlds, olds, news = random_pairs(5000, np.random.default_rng(6))
before, after = solve(worlds, olds), solve(worlds, news)
gain = (news * before.A).sum(-1)  # E over a ~ new of the old policy's advantage, per state
exact = (after.d * gain).sum(-1) / (1 - worlds.gamma)  # Eq. (5) and (6)
surrogate = (before.d * gain).sum(-1) / (1 - worlds.gamma)  # Eq. (7) and (8)
assert np.allclose(exact, after.J - before.J, atol=1e-10)
print(f"Eq. (5), 5000 pairs: largest error {abs(exact - (after.J - before.J)).max():.0e}")

# %% [markdown]
# ### A distance between policies
#
# How different are two policies in a state? The usual measure is the Kullback–Leibler divergence:
#
# $$D_{KL}(\pi' \Vert \pi)[s] = \sum_a \pi'(a \mid s) \log \frac{\pi'(a \mid s)}{\pi(a \mid s)} \tag{10}$$
#
# It is zero for equal policies, positive otherwise, infinite when $\pi'$ does what $\pi$ never does,
# and not symmetric. For nearby policies it grows with the *square* of the difference.


# %%
def kl(p, q):
    """Eq. (10) in every state: sum_a p log(p / q); arrays (..., S, A) -> (..., S)."""
    tiny = 1e-300  # 0 log 0 counts as 0
    return (p * (np.log(p + tiny) - np.log(q + tiny))).sum(-1)


direction = np.array([[-1, 1], [-1, 1], [0.5, -0.5], [1, -1.0]]) / 2
alphas = np.logspace(-2, 0.6, 30)
line = softmax(alphas[:, None, None] * direction)  # policies further and further from the coin
along = solve(world, line)
L = (it.d * (line * it.A).sum(-1)).sum(-1) / (1 - world.gamma)  # Eq. (7)
distance = (it.d * kl(line, coin)).sum(-1)  # Eq. (10), averaged over the old policy's states
error = abs(along.J - it.J - L)

slopes = [np.polyfit(np.log(alphas[:12]), np.log(y[:12]), 1)[0] for y in (L, distance, error)]
assert np.allclose(slopes, [1, 2, 2], atol=0.1)
assert np.all(kl(line, coin) > 0) and np.allclose(kl(coin, coin), 0)

# %%
figure, (left, right) = plt.subplots(1, 2)
left.plot(alphas, along.J - it.J, label="true improvement J(π') − J(π)")
left.plot(alphas, L, "--", label="surrogate L(π')")
left.set(xlabel="step α away from π", ylabel="improvement")
left.legend(fontsize=9)
for y, style, label in [(L, "--", "L"), (distance, "-.", "mean KL"), (error, "-", "error of L")]:
    right.loglog(alphas, y, style, label=f"{label}")
right.set(xlabel="step α away from π", ylabel="size")
right.legend(fontsize=9)
course.show(
    figure,
    alt="Left: the surrogate and the true improvement share their tangent at zero and part ways "
    "later. Right, logarithmic: L grows with slope 1, its error and the KL divergence with slope 2.",
)

# %% [markdown]
# At $\alpha = 0$ both curves have the same slope: **the surrogate has the right gradient**. Its
# error is of second order, like the KL divergence. So a small KL should mean a small error. The
# slides make that precise:
#
# $$\big| J(\pi') - \big(J(\pi) + L_\pi(\pi')\big) \big| \le C \sqrt{\mathbb{E}_{s \sim d^\pi}\big[D_{KL}(\pi' \Vert \pi)[s]\big]} \tag{9}$$
#
# with a constant that they do not state. Let us derive it. Let
# $\bar A(s) = \mathbb{E}_{a \sim \pi'}[A^\pi(s, a)]$ and $\epsilon = \max_s |\bar A(s)|$.
#
# 1. (6) minus (7) is $\frac{1}{1-\gamma} \sum_s \big(d^{\pi'}(s) - d^\pi(s)\big) \bar A(s)$, at most
#    $\frac{\epsilon}{1-\gamma} \lVert d^{\pi'} - d^{\pi} \rVert_1$.
# 2. The distributions differ because the transitions do. Each solves
#    $d^\pi = (1-\gamma) d_0 + \gamma P_\pi^\top d^\pi$; subtracting the two gives
#    $d^{\pi'} - d^\pi = \gamma (I - \gamma P_{\pi'}^\top)^{-1} (P_{\pi'} - P_\pi)^\top d^\pi$. The inverse,
#    $\sum_t (\gamma P_{\pi'}^\top)^t$, makes a vector's 1-norm at most $\frac{1}{1-\gamma}$ times as large. Hence
#    $\lVert d^{\pi'} - d^\pi \rVert_1 \le \frac{2\gamma}{1-\gamma}\, \mathbb{E}_{s \sim d^\pi}[D_{TV}[s]]$,
#    where $D_{TV} = \frac12 \sum_a |\pi' - \pi|$ is the total variation.
# 3. Pinsker's inequality: $D_{TV} \le \sqrt{D_{KL} / 2}$. Jensen's: the mean of a root is at most the root of the
#    mean.
#
# $$C = \frac{\sqrt 2\, \gamma\, \epsilon}{(1-\gamma)^2}, \qquad \epsilon = \max_s \big|\mathbb{E}_{a \sim \pi'}[A^\pi(s, a)]\big|$$
#
# (Achiam et al., 2017, Corollary 3). Total variation is symmetric, so the KL may point either way.
# $C$ depends on $\pi'$ through $\epsilon$: it is not a constant that one could know beforehand.

# %%
gamma = worlds.gamma
epsilon = abs(gain).max(-1)
C = np.sqrt(2) * gamma * epsilon / (1 - gamma) ** 2
error = abs(after.J - (before.J + surrogate))
mean_kl = (before.d * kl(news, olds)).sum(-1)  # Eq. (10)
bound = C * np.sqrt(mean_kl)  # Eq. (9)
assert np.all(error <= bound)
assert np.all(error <= C * np.sqrt((before.d * kl(olds, news)).sum(-1)))  # the other direction

shift = abs(after.d - before.d).sum(-1)  # the steps of the derivation
tv = 0.5 * abs(news - olds).sum(-1)
assert np.all(error <= epsilon / (1 - gamma) * shift + 1e-12)
assert np.all(shift <= 2 * gamma / (1 - gamma) * (before.d * tv).sum(-1) + 1e-12)
assert np.all(tv <= np.sqrt(kl(news, olds) / 2) + 1e-12)
print(
    f"Eq. (9): {len(error)} pairs, no violation; the bound is {np.median(bound / error):.0f} "
    f"times the error (median), {np.min(bound / error):.0f} times at its tightest"
)

# %%
figure, axes = plt.subplots(figsize=(8, 3.6))
axes.loglog(mean_kl[:1000], error[:1000], ".", markersize=3, label="error of the surrogate")
axes.loglog(mean_kl[:1000], bound[:1000], "x", markersize=3, label="bound, Eq. (9)")
axes.set(xlabel="mean KL divergence between the two policies", ylabel="error and bound")
axes.set(ylim=(1e-7, 1e4))
axes.legend(loc="lower right", markerscale=2)
course.show(
    figure,
    alt="1000 of the 5000 policy pairs. Errors (dots) and bounds (crosses) both grow with the KL "
    "divergence; all bounds lie above the errors, by a factor of about a hundred or more.",
)

# %% [markdown]
# No violation in 5,000 pairs. But the bound is typically two hundred times too careful, and it gets
# worse when $\gamma$ approaches 1. With so much room the pairs alone could not tell $C$ from a somewhat
# smaller constant: $C$ rests on the derivation, whose steps the cell checks one by one. Remember this
# picture for part 7.
#
# ### Exercise 5 ★★ · The KL divergence of two Gaussian policies
#
# For continuous actions the sum in (10) is an integral. For normal distributions it has a closed
# form: with $p = N(\mu_0, \sigma_0)$ and $q = N(\mu_1, \sigma_1)$ ($\sigma$: standard deviations),
# $D_{KL}(p \Vert q) = \log \frac{\sigma_1}{\sigma_0} + \frac{\sigma_0^2 + (\mu_0 - \mu_1)^2}{2 \sigma_1^2} - \frac12$.
# Write it, then answer: how does it change when both $\sigma$ are ten times smaller?
# <details><summary>Answer</summary>The part with the means grows a hundredfold, the rest stays. The
# more certain a policy is, the more it changes when its mean moves.</details>


# %% tags=["exercise"]
def gaussian_kl(mean0, std0, mean1, std1):
    """D_KL( N(mean0, std0) || N(mean1, std1) )."""
    ### BEGIN SOLUTION
    return np.log(std1 / std0) + (std0**2 + (mean0 - mean1) ** 2) / (2 * std1**2) - 0.5
    ### END SOLUTION


# %% tags=["wrong-answer"]
def gaussian_kl(mean0, std0, mean1, std1):  # the two distributions swapped
    return np.log(std0 / std1) + (std1**2 + (mean0 - mean1) ** 2) / (2 * std0**2) - 0.5


# %% tags=["check"]
def kl_by_integration(mean0, std0, mean1, std1):
    a = mean0 + std0 * np.linspace(-12, 12, 20001)
    log_p, log_q = log_pi(a, mean0, np.log(std0)), log_pi(a, mean1, np.log(std1))
    return (np.exp(log_p) * (log_p - log_q)).sum() * (a[1] - a[0])


pairs = [(0.0, 1.0, 0.0, 1.0), (0.0, 1.0, 0.1, 1.0), (0.0, 0.1, 0.1, 0.1), (1.0, 0.5, 0.0, 2.0)]
course.check(
    gaussian_kl,
    [(pair, kl_by_integration(*pair)) for pair in pairs],
    hint="the variance under the line belongs to q, the second distribution",
)

# %% [markdown]
# ### Exercise 6 ★★★ · The surrogate from data
#
# This is what TRPO and PPO compute. You are given arrays of shape (steps, episodes): probabilities
# of the actions taken under both policies, and advantages of the old policy. Estimate (8).


# %% tags=["exercise"]
def surrogate_from_samples(new_prob, old_prob, advantages, gamma):
    """Eq. (8): average over episodes (axis 1) of the discounted sum over steps (axis 0)."""
    ### BEGIN SOLUTION
    discounts = gamma ** np.arange(len(advantages))
    return (discounts @ (new_prob / old_prob * advantages)).mean()
    ### END SOLUTION


# %% tags=["wrong-answer"]
def surrogate_from_samples(new_prob, old_prob, advantages, gamma):
    ratios = np.cumprod(new_prob / old_prob, axis=0)  # the product of Eq. (4): not needed here
    return (gamma ** np.arange(len(advantages)) @ (ratios * advantages)).mean()


# %% tags=["wrong-answer"]
def surrogate_from_samples(new_prob, old_prob, advantages, gamma):
    return (new_prob / old_prob * advantages).sum(axis=0).mean()  # no discount


# %% tags=["check"]
one = np.ones((3, 2))
s, a = simulate(world, coin, episodes=20_000, steps=100, rng=np.random.default_rng(7))
data = (new[s[:-1], a], coin[s[:-1], a], solve(world, coin).A[s[:-1], a], world.gamma)
course.check(
    surrogate_from_samples,
    [
        ((one, one, one, 0.5), 1.75),
        ((np.full((2, 1), 0.6), np.array([[0.3], [0.2]]), np.array([[1.0], [2.0]]), 0.5), 5.0),
        (data, eq7),  # the exact value: 20,000 episodes should come close
    ],
    hint="each step has its own ratio; weight step t by gamma**t, add over axis 0, average the rest",
    tolerance=0.02,
)

# %% [markdown]
# ## 7 · Guaranteed improvement · 10 min
#
# If the surrogate is wrong by at most "something times KL", then maximizing *surrogate minus that
# something* can never make the policy worse:
#
# $$\max_{\pi'} \; L_{\pi_k}(\pi') - C \max_{s} D_{KL}(\pi' \Vert \pi_k)[s] \tag{11}$$
#
# The improvement $J(\pi') - J(\pi_k)$ is at least the objective. At $\pi' = \pi_k$ the objective is 0, so
# its maximum $M_k$ is at least 0, and $J(\pi_{k+1}) - J(\pi_k) \ge M_k \ge 0$.
#
# > **Where the slides write loosely.** This $C$ is not that of (9): here the KL stands without a
# > root. A constant that works is $C = \frac{4 \gamma \epsilon}{(1-\gamma)^2}$ with
# > $\epsilon = \max_{s,a} |A^{\pi_k}(s, a)|$ (Schulman et al., 2015, Theorem 1). And a maximum has
# > no sampling distribution: "$\max_{s \sim d}$" must be the maximum over all states, including
# > those that $\pi_k$ rarely visits.

# %%
C11 = 4 * gamma * abs(before.A).max((-1, -2)) / (1 - gamma) ** 2
guaranteed = surrogate - C11 * kl(news, olds).max(-1)  # the objective of Eq. (11)
assert np.all(after.J - before.J >= guaranteed)
other_way = surrogate - C11 * kl(olds, news).max(-1)
assert np.all(after.J - before.J >= other_way)

fooled = (surrogate > 0) & (after.J < before.J)
print(f"surrogate promises an improvement, but J falls: {fooled.sum()} of {len(fooled)} pairs")
safe = guaranteed > 0
print(f"among the {safe.sum()} pairs with a positive objective (11): {(fooled & safe).sum()}")
assert fooled.any() and not np.any(fooled & safe)

# %% [markdown]
# The surrogate alone can lie. With the penalty of (11) it never does, but hardly any random pair is
# close enough to be promised something. The price shows when we really maximize (11). In a table that can be done exactly. Among all policies with divergence
# $\kappa$ from $\pi$ in a state, the best is an *exponential tilt*, $\pi'(a) \propto \pi(a)\,
# e^{\eta A(a)}$ (exercise 7). Only the largest divergence is paid for, so every state may use it
# in full: for each $\kappa$ find the tilt in every state, then pick the best $\kappa$.


# %%
def tilt(policy, A, eta):
    """policy * exp(eta * A), normalized: the best policy at its KL distance."""
    return softmax(np.log(policy + 1e-300) + eta * A)


def largest_eta(distance, limit):
    """Bisection, for arrays: the largest eta with distance(eta) <= limit."""
    low, high = np.zeros_like(limit), np.full_like(limit, 1e4)
    for _ in range(50):
        middle = (low + high) / 2
        fits = distance(middle) <= limit
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return low


# %%
def improve_11(policy, it):
    """The maximizer of Eq. (11), exact up to the grid of kappa, and its objective."""
    C = 4 * world.gamma * abs(it.A).max() / (1 - world.gamma) ** 2
    kappa = np.broadcast_to(np.logspace(-9, 0, 150)[:, None], (150, 4))
    eta = largest_eta(lambda e: kl(tilt(policy, it.A, e[..., None]), policy), kappa)
    options = tilt(policy, it.A, eta[..., None])
    L = (it.d * (options * it.A).sum(-1)).sum(-1) / (1 - world.gamma)
    objective = L - C * kl(options, policy).max(-1)
    return options[objective.argmax()], objective.max()


policy, J11 = coin, []
for _ in range(400):
    it = solve(world, policy)
    J11.append(it.J)
    policy, promised = improve_11(policy, it)
    assert solve(world, policy).J - it.J >= promised - 1e-12 and promised >= 0  # Eq. (11)
print(f"Eq. (11): 400 improvements without a failure, from {J11[0]:.3f} to {J11[-1]:.3f}")

# %% [markdown]
# Never worse, but slow: the pessimistic constant allows only tiny steps. With $\gamma = 0.99$, as for
# a robot, it would be a hundred times larger still. TRPO therefore replaces the penalty by a
# constraint with a radius $\delta$ that one may choose:
#
# $$\arg\max_{\pi'} L_{\pi_k}(\pi') \quad \text{s.t.} \quad
# \mathbb{E}_{s \sim d^{\pi_k}}\big[D_{KL}(\pi' \Vert \pi_k)[s]\big] \le \delta \tag{12}$$
#
# ("s.t.": subject to.) Inside this *trust region* the surrogate is believed. Since objective
# and constraint weight the states alike, one common $\eta$ solves it.


# %%
def improve_12(policy, it, delta):
    """The exact solution of Eq. (12): one eta for all states, found by bisection."""
    eta = largest_eta(lambda e: it.d @ kl(tilt(policy, it.A, e), policy), np.array(delta))
    return tilt(policy, it.A, eta)


curves12 = {}
for delta in (0.0001, 0.01, 0.1):
    policy, J = coin, []
    for _ in range(300):
        it = solve(world, policy)
        J.append(it.J)
        proposal = improve_12(policy, it, delta)
        assert it.d @ kl(proposal, policy) <= delta * (1 + 1e-6)  # Eq. (12), the constraint
        assert solve(world, proposal).J >= it.J - 1e-12
        policy = proposal
    curves12[delta] = J
needed = {k: np.argmax(np.array(J) > 0.99 * J_best) for k, J in {**curves12, "(11)": J11}.items()}
print("updates to 99 % of the best:", {key: int(k) for key, k in needed.items()})
assert needed[0.1] < 6 and needed["(11)"] > 200

# %%
figure, axes = plt.subplots(figsize=(8, 3.6))
axes.plot(np.arange(1, 401), J11, "k:", label="Eq. (11), guaranteed")
for (delta, J), style in zip(curves12.items(), ["-.", "--", "-"], strict=True):
    axes.plot(np.arange(1, 301), J, style, label=f"Eq. (12), δ = {delta:g}")
axes.axhline(J_best, color="0.4", linewidth=1)
axes.text(0.85, J_best - 0.13, "best possible", color="0.4", fontsize=9)
axes.set(xscale="log", xlabel="update k", ylabel="performance J")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
course.show(
    figure,
    alt="Performance over updates, logarithmic. Eq. (11) needs hundreds of updates; Eq. (12) with "
    "delta 0.1 nearly reaches the best possible policy in four, with 0.0001 in a hundred.",
)

# %% [markdown]
# A radius of 0.1 does in four updates what the guarantee does in two hundred. That is the bargain
# of TRPO: *give up the proof, keep its shape.*
#
# Why did (12) never fail here? Because a table can change each state on its own, and our advantages
# were exact: every state improved. A neural network shares its weights between states and learns
# from estimates. There (12) can fail, and [notebook 1b](01b_trust_regions.ipynb) adds a line search.
#
# ### Exercise 7 ★★★ · The best policy under a KL penalty
#
# Find the distribution $p$ over actions that maximizes
# $\sum_a p(a) A(a) - \beta\, D_{KL}(p \Vert \pi)$. Set the derivative of the Lagrangian to zero:
# $A(a) - \beta \log \frac{p(a)}{\pi(a)} - \beta + \text{const} = 0$ (the constant enforces $\sum_a p(a) = 1$), solve for $p(a)$, normalize.


# %% tags=["exercise"]
def best_under_penalty(policy, A, beta):
    """The maximizing probabilities, for one state: arrays (A,) -> (A,)."""
    ### BEGIN SOLUTION
    p = policy * np.exp((A - A.max()) / beta)
    return p / p.sum()
    ### END SOLUTION


# %% tags=["wrong-answer"]
def best_under_penalty(policy, A, beta):
    p = np.exp(A / beta)  # forgets where it started from
    return p / p.sum()


# %% tags=["wrong-answer"]
def best_under_penalty(policy, A, beta):
    p = policy * np.exp(beta * A)  # a large penalty must change little
    return p / p.sum()


# %% tags=["check"]
def by_trying(policy, A, beta):
    p = np.linspace(1e-9, 1 - 1e-9, 200_001)
    p = np.stack([p, 1 - p], axis=1)
    return p[(p @ A - beta * kl(p, policy)).argmax()]


inputs = [
    (np.array([0.8, 0.2]), np.array([-1.0, 4.0]), 2.0),
    (np.array([0.5, 0.5]), np.array([1.0, -1.0]), 10.0),
    (np.array([0.1, 0.9]), np.array([0.3, 0.1]), 0.5),
]
course.check(
    best_under_penalty,
    [(given, by_trying(*given)) for given in inputs],
    hint="log p = log policy + A / beta + something that does not depend on the action",
    tolerance=1e-4,
)

# %% [markdown]
# ## Quiz
#
# Answer first, then open.
#
# 1. Why does the policy gradient theorem not differentiate the state distribution?
#    <details><summary>Answer</summary>It does, implicitly. Unrolling ∇Q moves the effect of every
#    later action to the state where that action is taken. The sum of these effects is weighted by
#    how often the state is visited.</details>
# 2. A friend subtracts a baseline that depends on the action. What goes wrong?
#    <details><summary>Answer</summary>The term Σ<sub>a</sub> b(s, a) ∇π(a|s) is no longer zero: the
#    gradient becomes biased.</details>
# 3. You raise λ in GAE from 0.9 to 1. What happens to bias and variance?
#    <details><summary>Answer</summary>The bias from the critic vanishes, the variance grows. The
#    critic is now only a baseline.</details>
# 4. The mean of the importance ratio is 1. Why is that no comfort?
#    <details><summary>Answer</summary>The median goes to 0 and rare, huge values keep the mean up. A
#    finite sample usually misses them, and when it has one, that one decides.</details>
# 5. Which single approximation leads from (6) to (7), and when is it good?
#    <details><summary>Answer</summary>The states are drawn from the old policy instead of the new
#    one. It is good when the policies are close; its error is of second order.</details>
# 6. (11) comes with a proof and (12) without. Why does everybody use (12)?
#    <details><summary>Answer</summary>The constant in (11) is far too pessimistic, its steps are
#    tiny, and it needs a maximum over all states.</details>

# %% [markdown]
# ## Summary on one page
#
# **Facts.** The gradient of the return needs no derivative of the world. Estimates of it are noisy;
# a baseline, a critic and $\lambda < 1$ make them less so. Data of an old policy is good for
# policies nearby only.
#
# **Equations.**
#
# | | | Verified by |
# |---|---|---|
# | (1) | $J = \mathbb{E}[\sum \gamma^t r_t]$ | linear algebra against simulation |
# | (2) | $\theta \leftarrow \theta + \alpha \nabla J$ | reaches the best of 16 policies |
# | (A.1), (A.5) | $\nabla J = \frac{1}{1-\gamma} \mathbb{E}_{d^\pi, \pi}[\nabla \log \pi \; A]$ | finite differences |
# | (A.2), (A.3) | all actions; REINFORCE with baseline | the mean of 5,000 episodes |
# | (A.4) | $A = Q - V$ | its mean over actions is 0 |
# | (3), (4) | importance sampling and its ratio | every trajectory of six steps |
# | (5), (6) | $J' - J = \frac{1}{1-\gamma} \mathbb{E}_{d^{\pi'}, \pi'}[A^\pi]$ | 5,000 random pairs, $10^{-10}$ |
# | (7), (8) | the same with $d^\pi$: the surrogate $L$ | error of second order |
# | (9), (10) | error $\le C \sqrt{\overline{KL}}$, $C = \sqrt2 \gamma \epsilon / (1-\gamma)^2$ | no violation in 5,000 pairs |
# | (11), (12) | penalty with a guarantee; trust region | 400 updates without a failure |
#
# **What to know.** Noise decides how much data you need, so reduce it. The step size must be
# measured between policies (KL), not between parameters. A bad step can be final, because the bad
# policy collects the next data.
#
# **Pseudocode: REINFORCE with baseline**
# ```
# repeat
#     run episodes with π_θ
#     G_t ← r_t + γ r_{t+1} + γ² r_{t+2} + …           for every step
#     g   ← mean over episodes of Σ_t γ^t (G_t − V(s_t)) ∇ log π_θ(a_t|s_t)
#     θ   ← θ + α g;   fit V to the G_t
# ```
#
# Next: [1b, trust regions](01b_trust_regions.ipynb), where (12) becomes TRPO and PPO.

# %% [markdown]
# ## References
#
# - R. J. Williams, 1992. [Simple statistical gradient-following algorithms for connectionist reinforcement learning](https://doi.org/10.1007/BF00992696). REINFORCE.
# - R. S. Sutton, D. McAllester, S. Singh, Y. Mansour, 2000. [Policy gradient methods for reinforcement learning with function approximation](https://papers.nips.cc/paper/1713-policy-gradient-methods-for-reinforcement-learning-with-function-approximation). The theorem (A.1).
# - R. S. Sutton, A. G. Barto, 2018. [Reinforcement Learning: An Introduction](http://incompleteideas.net/book/the-book-2nd.html), chapter 13. (A.1)–(A.3) in the slides' notation.
# - S. Kakade, J. Langford, 2002. [Approximately optimal approximate reinforcement learning](https://people.eecs.berkeley.edu/~pabbeel/cs287-fa09/readings/KakadeLangford-icml2002.pdf). Eq. (5); cited by the slides.
# - S. Kakade, 2002. [A natural policy gradient](https://papers.nips.cc/paper/2073-a-natural-policy-gradient). Cited by the slides; in notebook 1b.
# - P. S. Thomas, 2014. [Bias in natural actor-critic algorithms](https://proceedings.mlr.press/v32/thomas14.html). C. Nota, P. S. Thomas, 2020. [Is the policy gradient a gradient?](https://arxiv.org/abs/1906.07073) The missing $\gamma^t$.
# - J. Schulman, P. Moritz, S. Levine, M. Jordan, P. Abbeel, 2016. [High-dimensional continuous control using generalized advantage estimation](https://arxiv.org/abs/1506.02438).
# - J. Schulman, S. Levine, P. Moritz, M. Jordan, P. Abbeel, 2015. [Trust region policy optimization](https://arxiv.org/abs/1502.05477). Eq. (11), (12); cited by the slides.
# - J. Achiam, D. Held, A. Tamar, P. Abbeel, 2017. [Constrained policy optimization](https://arxiv.org/abs/1705.10528). The constant of Eq. (9).
# - J. Schulman et al., 2017. [Proximal policy optimization algorithms](https://arxiv.org/abs/1707.06347). Cited by the slides; in notebook 1b.
