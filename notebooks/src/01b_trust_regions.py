# %% [markdown]
# # 1b · Trust regions: eight algorithms on one page each
#
# [Notebook 1a](01a_policy_gradients.ipynb) ended with a recipe: *maximize the surrogate, but stay
# close to the policy that collected the data* (Eq. 12). It solved the recipe exactly, in a world
# with four states. A robot has a neural network, noisy samples, and no transition table. This
# notebook is about what remains possible, from REINFORCE to PPO. Each algorithm is written from
# scratch and stands beside its equations. Where the libraries that you will use later offer the same
# piece, the two are compared.
#
# | Part | You will be able to | Minutes |
# |---|---|---|
# | 1 A cart to steer | set up a continuous task and a Gaussian policy | 10 |
# | 2 From REINFORCE to actor-critic | write the three basic algorithms, say what each adds | 15 |
# | 3 The natural gradient | measure steps by what they do to the policy; invert a matrix you never see | 20 |
# | 4 TRPO | derive the step (17), check it, search along it | 15 |
# | 5 PPO | replace the constraint by a penalty or by clipping, and say what is lost | 20 |
# | 6 Side by side | compare eight algorithms fairly | 10 |
#
# You need: [notebook 1a](01a_policy_gradients.ipynb), or at least its summary; a little PyTorch
# (what `backward()` does).
# Equations have the slides' numbers. Claims are `assert`s: if a cell runs, its claim holds.
# [Solutions](solutions/01b_trust_regions.ipynb) of the exercises are one click away.

# %% [markdown]
# ## Notation (new here; the rest is in 1a)
#
# | Symbol | Meaning | In code |
# |---|---|---|
# | $\theta_k$, $\pi_k$ | parameters, policy before update $k$: it collected the data | `old` |
# | $g$ | gradient of the surrogate at $\theta_k$ | `g` |
# | $\bar D_{KL}(\theta \Vert \theta_k)$ | KL divergence of $\pi_\theta$ from $\pi_k$, averaged over visited states | `mean_kl` |
# | $H$ | its second derivative at $\theta_k$: the Fisher information matrix | `fisher` |
# | $\delta$ | radius of the trust region | `delta` |
# | $\beta$ | price of KL divergence in (18) | `beta` |
# | $r_t(\theta)$ | probability ratio of one action, new over old (not the reward!) | `ratio` |
# | $\epsilon$ | clipping range in (20); not the $\epsilon$ in the constants of (9) and (11) | `epsilon` |
# | $\hat A_t$ | estimated advantage (GAE) | `A` |

# %% [markdown]
# ## 1 · A cart to steer · 10 min
#
# A cart stands somewhere on a rail and shall come to rest at the origin. The state is position and
# velocity, the action is an acceleration. Friction takes a tenth of the velocity per step of 0.1 s.
# The reward punishes distance, speed and effort. The simulator is a few lines of NumPy and steps
# many carts at once.

# %%
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from quadlib import course
from quadlib.showing import plots, widgets

plots.use_style()
torch.set_num_threads(1)
GAMMA, LAMBDA, STEPS, EPISODES = 0.97, 0.95, 50, 20
DT, FRICTION = 0.1, 0.1  # s, share of the velocity lost per step


def cart_step(state, action):
    """One step of n carts: states (n, 2) in m and m/s, actions (n,) in m/s²; rewards (n,)."""
    x, v = state.T
    reward = -DT * (x**2 + 0.1 * v**2 + 0.01 * action**2)
    v = (1 - FRICTION) * v + DT * action
    return np.stack([x + DT * v, v], axis=1), reward


# %% [markdown]
# The dynamics are linear and the cost is quadratic. For that one case the best possible controller
# is known in closed form (the *linear-quadratic regulator*; how it works you may skip). No algorithm
# below may use it, but it tells us where the floor is. It is the floor of the *undiscounted* cost,
# which all figures show. Learning uses $\gamma = 0.97$, a slightly different goal.

# %%
M = np.array([[1, DT * (1 - FRICTION)], [0, 1 - FRICTION]])  # state -> next state
B = np.array([[DT**2], [DT]])  # action -> next state
cost_state, cost_action, S, gains = DT * np.diag([1, 0.1]), DT * 0.01, np.zeros((2, 2)), []
for _ in range(STEPS):  # backwards in time: what does the rest cost, if steered well?
    K = np.linalg.solve(cost_action + B.T @ S @ B, B.T @ S @ M)
    S = cost_state + M.T @ S @ M - M.T @ S @ B @ K
    gains.insert(0, K[0])

state = start = np.random.default_rng(0).uniform(-1, 1, size=(20_000, 2))
cost, path = np.zeros(len(start)), [start[0]]
for K in gains:
    state, reward = cart_step(state, -state @ K)
    cost, path = cost - reward, [*path, state[0]]
assert np.allclose(cost, np.einsum("ni,ij,nj->n", start, S, start))  # formula = simulation
BEST = np.trace(S) / 3  # mean over starts drawn uniformly from [-1, 1]²
print(f"lowest possible mean cost: {BEST:.3f}")

# %% [markdown]
# ### A policy with continuous actions
#
# A small network maps the state to the mean of a normal distribution; its standard deviation is one
# more parameter. The action is drawn from it. Drawing is exploration: without noise nothing new is
# tried. (The last layer starts near zero, so that the untrained cart does nothing wild.)


# %%
class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
        nn.init.normal_(self.mean[2].weight, std=0.01)
        nn.init.zeros_(self.mean[2].bias)
        self.log_std = nn.Parameter(torch.tensor(-0.5))

    def forward(self, states):
        """The distribution of actions in states (..., 2)."""
        return Normal(self.mean(states).squeeze(-1), self.log_std.exp())


# %%
class Batch(NamedTuple):
    states: torch.Tensor  # (steps + 1, episodes, 2)
    actions: torch.Tensor  # (steps, episodes)
    rewards: torch.Tensor  # (steps, episodes)


@torch.no_grad()
def collect(policy, rng):
    """Twenty episodes of fifty steps with the present policy."""
    states, actions, rewards = [rng.uniform(-1, 1, size=(EPISODES, 2))], [], []
    for _ in range(STEPS):
        action = policy(torch.tensor(states[-1], dtype=torch.float32)).sample().numpy()
        state, reward = cart_step(states[-1], action)
        states, actions, rewards = [*states, state], [*actions, action], [*rewards, reward]
    return Batch(
        *(torch.tensor(np.array(x), dtype=torch.float32) for x in (states, actions, rewards))
    )


# %%
torch.manual_seed(0)
batch = collect(Policy(), np.random.default_rng(0))
print(f"untrained: mean cost {-batch.rewards.sum(0).mean():.2f}, best possible {BEST:.2f}")

figure, axes = plt.subplots(figsize=(8, 3))
time = DT * np.arange(STEPS + 1)
axes.plot(time, batch.states[:, :, 0], color=plots.COLORS["sky"], linewidth=0.8)
axes.plot(time, np.array(path)[:, 0], "k--", label="best possible, from one of the starts")
axes.set(xlabel="time (s)", ylabel="position (m)")
axes.legend(loc="upper left")
course.show(
    figure,
    alt="Positions of twenty carts under an untrained policy drift away from the origin in both "
    "directions. The best possible controller brings a cart to rest at 0 within a second.",
)

# %% [markdown]
# ## 2 · From REINFORCE to actor-critic · 15 min
#
# All our algorithms share one loop: collect, update, forget. It writes down two numbers per update:
# what the episodes cost, and how far the policy moved (mean KL divergence, Eq. 10 averaged over the
# visited states). The second one will explain the first. For the loop an algorithm is a class with a
# `policy` and a method `update(batch)`.


# %%
def mean_kl(new, old):
    """D_KL(new || old) of Eq. (10) for Gaussians, averaged over all states of the batch."""
    return kl_divergence(new, old).mean()


def learn(algorithm, seed=0, updates=50, **settings):
    """Costs (updates,) and KL divergences (updates,) of one run."""
    torch.manual_seed(seed)
    rng, learner, history = np.random.default_rng(seed), algorithm(**settings), []
    for _ in range(updates):
        batch = collect(learner.policy, rng)
        with torch.no_grad():
            old = learner.policy(batch.states[:-1])
        learner.update(batch)
        with torch.no_grad():
            moved = mean_kl(learner.policy(batch.states[:-1]), old)
        history.append((-batch.rewards.sum(0).mean().item(), moved.item()))
    return np.array(history).T


# %% [markdown]
# ### REINFORCE
#
# *Facts.* The simplest policy gradient: no critic, one gradient step per batch, then the data is
# thrown away. Eq. (A.3) of notebook 1a with $b = 0$:
#
# $$g = \mathbb{E}_t\big[\nabla_\theta \log \pi_\theta(a_t \mid s_t)\, G_t\big]$$
#
# $\mathbb{E}_t$ is the mean over all steps of all episodes of the batch.
#
# *What to know.* PyTorch minimizes, so the loss is $-\log\pi \cdot G$; its gradient is $-g$. Only
# the gradient means something: the value of this "loss" does not. As nearly everybody does, we drop
# the factor $\gamma^t$ in front (1a, part 2) and average over time steps. $G_t$ ends with the
# episode: what would follow after the fifty steps counts as 0. The update (2) is done by Adam, which
# adapts the step size of each parameter.


# %% tags=["algorithm"]
def discounted_sums(x, factor):
    """y[t] = x[t] + factor * y[t + 1], backwards along the first axis."""
    y, following = torch.empty_like(x), torch.zeros_like(x[0])
    for t in reversed(range(len(x))):
        y[t] = following = x[t] + factor * following
    return y


# %% tags=["algorithm"]
class Reinforce:
    def __init__(self, lr=0.02):
        self.policy = Policy()
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr)

    def advantages(self, batch):
        return discounted_sums(batch.rewards, GAMMA)  # G_t

    def ascend(self, objective):
        """One step uphill: Eq. (2)."""
        self.optimizer.zero_grad()
        (-objective).backward()
        self.optimizer.step()

    def update(self, batch):
        A = self.advantages(batch)
        log_prob = self.policy(batch.states[:-1]).log_prob(batch.actions)
        self.ascend((log_prob * A).mean())


# %% [markdown]
# ### REINFORCE with baseline
#
# *Facts.* The same, minus what was to be expected: $G_t - \hat V(s_t)$. The mean of the gradient
# stays, its variance shrinks (1a, part 3).
#
# *What to know.* $\hat V$ is a second network, fitted to the returns by least squares. It is fitted
# *after* its predictions were used: otherwise it would know this batch's luck.


# %% tags=["algorithm"]
class ReinforceWithBaseline(Reinforce):
    def __init__(self, lr=0.02, value_lr=0.02):
        super().__init__(lr)
        self.value = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1), nn.Flatten(-2))
        self.value_optimizer = torch.optim.Adam(self.value.parameters(), value_lr)

    def advantages(self, batch):
        G = super().advantages(batch)
        A = G - self.value(batch.states[:-1]).detach()  # G_t - V(s_t), Eq. (A.3)
        self.fit_value(batch.states[:-1], target=G)
        return A

    def fit_value(self, states, target, steps=20):
        for _ in range(steps):
            loss = (self.value(states) - target).pow(2).mean()
            self.value_optimizer.zero_grad()
            loss.backward()
            self.value_optimizer.step()


# %% [markdown]
# ### Actor-critic with GAE
#
# *Facts.* The critic now also replaces the far future: $\hat A_t = \sum_l (\gamma\lambda)^l
# \delta_{t+l}$ with $\delta_t = r_t + \gamma \hat V(s_{t+1}) - \hat V(s_t)$ (1a, part 4).
#
# *What to know.* Our episodes end by the clock, not because the cart arrived. The last $\delta$
# therefore contains $\hat V$ of the last state (*bootstrapping*): the cart *would* have gone on.
# Advantages are standardized per batch. Subtracting their mean is one more baseline. Dividing by
# their deviation frees $\alpha$ and $\beta$ below from the scale of the reward (Adam is free of it).


# %% tags=["algorithm"]
class ActorCritic(ReinforceWithBaseline):
    def advantages(self, batch):
        V = self.value(batch.states).detach()
        deltas = batch.rewards + GAMMA * V[1:] - V[:-1]
        A = discounted_sums(deltas, GAMMA * LAMBDA)  # GAE
        self.fit_value(batch.states[:-1], target=A + V[:-1])
        return (A - A.mean()) / A.std()


# %%
UPDATES = course.budget(ci=25, lecture=50, full=100)


def plain_ticks(axes, ticks=(0.2, 0.5, 1, 2, 5)):
    axes.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


figure, axes = plt.subplots(figsize=(8, 3.2))
for algorithm, style in [(Reinforce, ":"), (ReinforceWithBaseline, "--"), (ActorCritic, "-")]:
    cost, moved = learn(algorithm, updates=UPDATES)
    assert cost[-3:].mean() < 0.6 * cost[0]  # it learns
    axes.plot(cost, style, label=f"{algorithm.__name__}, ends at {cost[-3:].mean():.2f}")
axes.axhline(BEST, color="0.4", linewidth=1, label=f"best possible, {BEST:.2f}")
axes.set(xlabel="update (20 episodes each)", ylabel="mean cost of an episode", yscale="log")
plain_ticks(axes)
axes.legend(fontsize=9)
course.show(
    figure,
    alt="Cost over updates, logarithmic, one run each: REINFORCE, with baseline, actor-critic. All "
    "fall from about 2 to 3 towards the best possible; actor-critic ends lowest.",
)

# %% [markdown]
# One run each proves nothing about which is better; part 6 uses several seeds. It does show that
# all three learn. (The cost includes the exploration noise, and it varies with the luck of the
# twenty start positions. So a good policy hovers around the floor.)
#
# What the critic is for can be measured directly: estimate the gradient from many batches of *one*
# policy, and divide the noise of the estimates by the length of their mean.

# %%
torch.manual_seed(0)
actor, rng, samples = ActorCritic(), np.random.default_rng(0), {"G": [], "G - V": [], "GAE": []}
for _ in range(15):
    actor.update(collect(actor.policy, rng))
for _ in range(60):
    batch = collect(actor.policy, rng)
    V, G = actor.value(batch.states).detach(), discounted_sums(batch.rewards, GAMMA)
    deltas = batch.rewards + GAMMA * V[1:] - V[:-1]
    weights = G, G - V[:-1], discounted_sums(deltas, GAMMA * LAMBDA)
    for name, weight in zip(samples, weights, strict=True):
        objective = (actor.policy(batch.states[:-1]).log_prob(batch.actions) * weight).mean()
        grads = torch.autograd.grad(objective, actor.policy.parameters())
        samples[name].append(torch.cat([part.reshape(-1) for part in grads]))
noise = {n: (torch.stack(x).var(0).sum().sqrt() / torch.stack(x).mean(0).norm()).item()
         for n, x in samples.items()}  # fmt: skip
print("noise / signal of one batch:", {name: round(value, 2) for name, value in noise.items()})
assert noise["G"] > noise["G - V"] > noise["GAE"]

# %% [markdown]
# ### Exercise 1 ★ · Standardize
#
# Subtract the mean and divide by the standard deviation. If all advantages are equal the deviation
# is 0: add $10^{-8}$ to it, so that nothing is divided by zero. (Use NumPy's `std`, which divides by
# $n$. That of PyTorch divides by $n - 1$; for a thousand samples it is the same.)


# %% tags=["exercise"]
def standardize(A):
    """A NumPy array with mean 0 and standard deviation 1 (or all zeros)."""
    ### BEGIN SOLUTION
    return (A - A.mean()) / (A.std() + 1e-8)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def standardize(A):
    return A - A.mean() / (A.std() + 1e-8)  # parentheses


# %% tags=["check"]
course.check(
    standardize,
    [
        ((np.array([1.0, 3.0]),), np.array([-1.0, 1.0])),
        ((np.array([5.0, 5.0, 5.0]),), np.zeros(3)),
        ((np.array([[0.0, 0.0], [4.0, 4.0]]),), np.array([[-1.0, -1.0], [1.0, 1.0]])),
    ],
    hint="the whole difference is divided, not only the mean",
)

# %% [markdown]
# ## 3 · The natural gradient · 20 min
#
# The gradient points to the steepest ascent *per unit of parameter change*. But a parameter is just
# a name for a policy. Rename $\sigma$ as $\log\sigma$ and the "steepest" direction changes, although
# nothing has changed. The natural gradient (Kakade, 2002) measures steps by what they do to the
# policy.
#
# Near $\theta_k$ take the simplest models of the two functions in (12):
#
# $$L_{\theta_k}(\theta) \approx L_{\theta_k}(\theta_k) + g^\top (\theta - \theta_k), \qquad
# g \doteq \nabla_\theta L_{\theta_k}(\theta)\big|_{\theta_k} \tag{13}$$
#
# $$\bar D_{KL}(\theta \Vert \theta_k) \approx \tfrac12 (\theta - \theta_k)^\top H (\theta - \theta_k), \qquad
# H \doteq \nabla^2_\theta \bar D_{KL}(\theta \Vert \theta_k)\big|_{\theta_k} \tag{14}$$
#
# Why linear here and quadratic there? $L$ has a slope at $\theta_k$. The KL divergence has none: it
# is zero there and positive all around, so its first interesting term is the second. ($L_{\theta_k}
# (\theta_k) = 0$, see 1a. From samples it is the mean advantage: 0 because they are standardized.)
# This $H$ has a name, the *Fisher information matrix*.
#
# Let us see how good these models are, on a batch of an actor-critic that has learned a little. From
# samples the surrogate is a plain mean over steps: the factor $\frac{1}{1-\gamma}$ of (7) only scales
# it, and $\gamma^t$ is dropped as before.

# %%
torch.manual_seed(1)
actor = ActorCritic()
policy, rng = actor.policy, np.random.default_rng(1)
for _ in range(5):  # a policy that has learned a little
    actor.update(collect(policy, rng))
batch = collect(policy, rng)
states, A = batch.states[:-1], actor.advantages(batch)
with torch.no_grad():
    old = policy(states)
    old_log_prob = old.log_prob(batch.actions)


def surrogate():
    """Eq. (7) from samples: the mean of ratio times advantage. 0 when policy = old."""
    return ((policy(states).log_prob(batch.actions) - old_log_prob).exp() * A).mean()


# %%
def flat_grad(y, create_graph=False):
    grads = torch.autograd.grad(y, policy.parameters(), create_graph=create_graph)
    return torch.cat([part.reshape(-1) for part in grads])


def fisher_vector_product(v):
    """H v without H: the gradient of (gradient of the KL divergence) · v."""
    slope = flat_grad(mean_kl(policy(states), old), create_graph=True)
    return flat_grad(slope @ v)


g = flat_grad(surrogate())  # Eq. (13)
theta_k = nn.utils.parameters_to_vector(policy.parameters()).detach()
assert abs(surrogate().item()) < 1e-6 and mean_kl(policy(states), old) < 1e-12
print(f"{len(g)} parameters; length of g: {g.norm():.3f}")

# %% [markdown]
# `fisher_vector_product` is the trick that makes TRPO possible. $H$ has as many entries as the
# *square* of the number of parameters. A product $Hv$ costs two backward passes and no matrix:
# $v$ is constant, so the gradient of $(\nabla \bar D_{KL})^\top v$ is $Hv$. (`create_graph=True` lets
# PyTorch differentiate a gradient once more.)
#
# Is it right? For a Gaussian policy $H$ can be written down. One Gaussian has the second derivatives
# $1/\sigma^2$ for its mean and 2 for $\log\sigma$ (exercise 2). The chain rule, with the Jacobian $J$
# of the mean by the parameters (not the performance $J$), gives
# $H = \frac{1}{N}\sum_s J_s^\top J_s / \sigma^2$, plus that 2 on the diagonal for $\log\sigma$. Our
# network is small enough to build it.

# %%
params = {name: p.detach() for name, p in policy.named_parameters()}
flat_states = states.reshape(-1, 2)
jacobian = torch.func.jacrev(lambda p: torch.func.functional_call(policy, p, flat_states).mean)
J = {name: j.reshape(len(flat_states), -1) for name, j in jacobian(params).items()}
J = torch.cat([J[name] for name, _ in policy.named_parameters()], dim=1)
fisher = J.T @ J / len(J) / policy.log_std.exp().detach() ** 2
position = [name for name, _ in policy.named_parameters()].index("log_std")
place = sum(p.numel() for p in list(policy.parameters())[:position])
fisher[place, place] += 2

for _ in range(20):
    v = torch.randn(len(g))
    assert torch.allclose(fisher_vector_product(v), fisher @ v, atol=1e-4)  # Eq. (14)
print(f"explicit Fisher matrix {tuple(fisher.shape)}: products agree")
print(
    f"its eigenvalues reach from {torch.linalg.eigvalsh(fisher)[0]:.0e} "
    f"to {torch.linalg.eigvalsh(fisher)[-1]:.1f} (the smallest is 0 but for rounding)"
)


# %%
def move_to(theta):
    nn.utils.vector_to_parameters(theta, policy.parameters())


@torch.no_grad()
def along(direction, sizes):
    """Surrogate and mean KL divergence at theta_k + size * direction."""
    values = []
    for size in sizes:
        move_to(theta_k + size * direction)
        values.append((surrogate().item(), mean_kl(policy(states), old).item()))
    move_to(theta_k)
    return np.array(values).T


# %%
sizes = np.logspace(-2, 0, 25)
direction = torch.linalg.solve(fisher + 0.1 * torch.eye(len(g)), g)
direction /= direction.norm()
L, KL = along(direction, sizes)
linear = sizes * (g @ direction).item()
quadratic = 0.5 * sizes**2 * (direction @ fisher @ direction).item()
assert np.allclose(L[:8], linear[:8], rtol=0.1)  # Eq. (13)
assert np.allclose(KL[:8], quadratic[:8], rtol=0.1)  # Eq. (14)

# %%
figure, (left, right) = plt.subplots(1, 2)
left.plot(sizes, L, label="surrogate")
left.plot(sizes, linear, "--", label="linear model, Eq. (13)")
left.set(xlabel="length of the step in parameters", ylabel="L")
right.plot(sizes, KL, label="mean KL divergence")
right.plot(sizes, quadratic, "--", label="quadratic model, Eq. (14)")
right.set(xlabel="length of the step in parameters", ylabel="KL", ylim=(0, 1.2 * quadratic[-1]))
left.legend(), right.legend()
course.show(
    figure,
    alt="Left: the surrogate and its tangent agree for short steps. Right: the KL divergence and its "
    "parabola agree for short steps. Both models drift away from the truth for longer steps.",
)

# %% [markdown]
# Both models are good for short steps and wrong for long ones. TRPO will need a check for that. (The
# surrogate above its tangent is no gift: far out a few large ratios make it, as in 1a, part 5.)
#
# > **Two remarks on the slides.** The KL divergence is $D_{KL}(\pi' \Vert \pi)$ here, new policy
# > first, and in sb3-contrib. TRPO's paper puts the old one first. At $\theta_k$ both have the same
# > second derivative $H$ (checked below). And $H$ may be singular: parameters that change nothing in
# > the visited states have no KL divergence at all. One adds a little *damping*, $H + c I$.

# %%
v = torch.randn(len(g))
reverse = flat_grad(kl_divergence(old, policy(states)).mean(), create_graph=True)
assert torch.allclose(flat_grad(reverse @ v), fisher_vector_product(v), atol=1e-4)

# %% [markdown]
# ### Conjugate gradient
#
# The natural gradient is $H^{-1} g$: the solution $x$ of $H x = g$. The method of *conjugate
# gradients* solves it with products $Hv$ only. Each iteration walks to the minimum along one
# direction and never spoils what earlier ones achieved.


# %% tags=["algorithm"]
def conjugate_gradient(matrix_vector_product, b, iterations=10, tolerance=1e-10):
    """Solve H x = b, given the function v -> H v."""
    x = torch.zeros_like(b)
    residual, direction = b.clone(), b.clone()  # residual = b - H x
    for _ in range(iterations):
        Hd = matrix_vector_product(direction)
        step = residual @ residual / (direction @ Hd)
        x += step * direction
        smaller = residual - step * Hd
        if smaller @ smaller < tolerance:
            break
        direction = smaller + (smaller @ smaller) / (residual @ residual) * direction
        residual = smaller
    return x


# %%
from sb3_contrib.common.utils import conjugate_gradient_solver

DAMPING = 0.1
damped = fisher + DAMPING * torch.eye(len(g))
exact = torch.linalg.solve(damped, g)
product = lambda v: fisher_vector_product(v) + DAMPING * v  # noqa: E731
ours = conjugate_gradient(product, g)
theirs = conjugate_gradient_solver(product, g, max_iter=10)
assert torch.allclose(ours, exact, rtol=1e-2, atol=1e-3 * exact.norm())
assert torch.allclose(ours, theirs, atol=1e-4 * exact.norm())

for n in (1, 2, 4, 8):
    x = conjugate_gradient(product, g, iterations=n)
    print(f"{n} iterations: relative error {(x - exact).norm() / exact.norm():.1e}")

# %% [markdown]
# Eight iterations are enough here for 66 unknowns: most eigenvalues are tiny, look alike after
# damping, and equal eigenvalues are dealt with in one iteration. TRPO's paper takes ten for networks
# with thousands of parameters; there the result is not exact, and need not be.
#
# ### Natural policy gradient
#
# *Facts.* Steepest ascent per unit of *policy* change. *Equation:*
# $\theta_{k+1} = \theta_k + \alpha H^{-1} g$. *What to know.* The direction no longer depends on how
# the policy is parameterized. The length still has to be chosen by hand.
#
# First the claim: with new parameters $\phi$, $\theta = B\phi$ for any invertible $B$, the natural
# gradient moves the policy exactly as before. The plain gradient does not. We build the renamed
# policy, differentiate by $\phi$, and carry the step back to $\theta$. (One thing has to be renamed by
# hand: damping measures $\theta$, so $cI$ becomes $c B^\top B$. Left as it is, it spoils the invariance.)

# %%
B, actions = torch.randn(len(g), len(g), dtype=torch.double), batch.actions.reshape(-1)


def renamed(phi):
    """The distributions of the same network whose parameters are B phi."""
    parts = (B @ phi).split([p.numel() for p in params.values()])
    named = {n: x.reshape(p.shape) for (n, p), x in zip(params.items(), parts, strict=True)}
    return torch.func.functional_call(policy, named, flat_states.double())


def renamed_surrogate(phi):
    return ((renamed(phi).log_prob(actions) - old64.log_prob(actions)).exp() * A.flatten()).mean()


# %%
phi_k = torch.linalg.solve(B, theta_k.double())
old64 = renamed(phi_k)
g_phi = torch.func.grad(renamed_surrogate)(phi_k)  # Eq. (13), by phi
H_phi = torch.func.hessian(lambda phi: mean_kl(renamed(phi), old64))(phi_k)  # Eq. (14), by phi
step = B @ torch.linalg.solve(H_phi + DAMPING * B.T @ B, g_phi)  # in theta
assert torch.allclose(step.float(), exact, rtol=1e-2, atol=1e-3 * exact.norm())
similarity = torch.cosine_similarity(B @ g_phi, g.double(), dim=0)
print(f"plain gradient before and after renaming: cosine {similarity:.2f}; ", end="")
print(f"natural gradient: {torch.cosine_similarity(step, exact.double(), dim=0):.4f}")
assert similarity < 0.9

# %% [markdown]
# Now the algorithm.


# %% tags=["algorithm"]
class NaturalPolicyGradient(ActorCritic):
    def __init__(self, alpha=0.3, damping=0.1, **settings):
        super().__init__(**settings)
        self.alpha, self.damping = alpha, damping

    def natural_gradient(self, batch, A):
        """g, x = (H + damping)^-1 g, and the product v -> (H + damping) v."""
        parameters = list(self.policy.parameters())

        def flat_grad(y, **options):
            return torch.cat([d.reshape(-1) for d in torch.autograd.grad(y, parameters, **options)])

        new = self.policy(batch.states[:-1])
        self.old = Normal(new.mean.detach(), new.stddev.detach())
        self.old_log_prob = self.old.log_prob(batch.actions)
        g = flat_grad((new.log_prob(batch.actions) * A).mean())  # Eq. (13)
        new = self.policy(batch.states[:-1])
        slope = flat_grad(mean_kl(new, self.old), create_graph=True)

        def product(v):  # Eq. (14)
            return flat_grad(slope @ v, retain_graph=True) + self.damping * v

        return g, conjugate_gradient(product, g), product

    def move(self, theta, step):
        nn.utils.vector_to_parameters(theta + step, self.policy.parameters())

    def update(self, batch):
        _, x, _ = self.natural_gradient(batch, self.advantages(batch))
        theta = nn.utils.parameters_to_vector(self.policy.parameters()).detach()
        self.move(theta, self.alpha * x)


# %%
for alpha in (0.03, 0.3, 3.0):
    cost, moved = learn(NaturalPolicyGradient, updates=UPDATES, alpha=alpha)
    print(
        f"alpha {alpha:4.2f}: cost {cost[0]:.2f} -> {cost[-3:].mean():6.2f}, "
        f"KL per update from {moved.min():.5f} to {moved.max():.5f}"
    )
    assert alpha != 0.3 or cost[-3:].mean() < 0.6 * cost[0]

# %% [markdown]
# With a fixed $\alpha$ the KL divergence of a step varies a hundredfold in a single run. A value that
# is fine at the start is too small or too large later. TRPO fixes the KL divergence instead.
#
# ### Exercise 2 ★★ · The Fisher matrix of a Gaussian
#
# For one state and the two parameters $(\mu, \log\sigma)$, find $H$. Start from the KL divergence of
# exercise 5 in 1a, with the new policy as $p$ and the old one as $q$. Write $\mu = \mu_k + m$ and
# $\sigma = \sigma_k e^l$, and differentiate twice by $m$ and by $l$ at 0. Which of the two parameters
# becomes more sensitive when $\sigma$ shrinks?
# <details><summary>Answer</summary>The mean: a shift by 0.1 is little for σ = 1 and a different policy
# for σ = 0.01. To log σ the policy is as sensitive as ever.</details>


# %% tags=["exercise"]
def gaussian_fisher(std):
    """The 2 x 2 Fisher matrix of N(mean, std) in the parameters (mean, log std), as an array."""
    ### BEGIN SOLUTION
    return np.array([[1 / std**2, 0.0], [0.0, 2.0]])
    ### END SOLUTION


# %% tags=["wrong-answer"]
def gaussian_fisher(std):
    return np.array([[1 / std**2, 0.0], [0.0, 2 / std**2]])  # this is for (mean, std)


# %% tags=["check"]
def hessian_of_kl(std, h=1e-3):
    def at(shift, stretch):
        new = Normal(torch.tensor(shift).double(), torch.tensor(std * np.exp(stretch)))
        return kl_divergence(new, Normal(0.0, std)).item()

    mean = (at(h * std, 0.0) + at(-h * std, 0.0)) / (h * std) ** 2
    log_std = (at(0.0, h) + at(0.0, -h)) / h**2
    return np.diag([mean, log_std])


course.check(
    gaussian_fisher,
    [((std,), hessian_of_kl(std)) for std in (1.0, 0.5, 0.1)],
    hint="KL = -l + (exp(2 l) + (m / std)**2) / 2 - 1/2 for a shift m and l = log(new std / std)",
    tolerance=1e-3,
)

# %% [markdown]
# ## 4 · Trust region policy optimization · 15 min
#
# Put the models (13) and (14) into (12):
#
# $$\arg\max_\theta \; g^\top (\theta - \theta_k) \tag{15}$$
#
# $$\text{s.t.} \quad \tfrac12 (\theta - \theta_k)^\top H (\theta - \theta_k) \le \delta \tag{16}$$
#
# A linear function on an ellipsoid is largest on its rim, where the gradient of the objective is
# parallel to that of the constraint: $g = \nu H (\theta - \theta_k)$. So the direction is $H^{-1}g$.
# Put $\theta - \theta_k = H^{-1}g / \nu$ into (16): $g^\top H^{-1} g / (2 \nu^2) = \delta$. Hence
#
# $$\theta_{k+1} = \theta_k + \sqrt{\frac{2\delta}{g^\top H^{-1} g}} \; H^{-1} g \tag{17}$$
#
# We check that it is the maximum: no other step on the rim, out of ten thousand, promises more.

# %%
delta = 0.01
step = torch.sqrt(2 * delta / (g @ exact)) * exact  # Eq. (17), with the damped H
assert torch.isclose(0.5 * step @ damped @ step, torch.tensor(delta))  # Eq. (16): on the rim

others = torch.randn(10_000, len(g))
others[5000:] = step + 0.3 * step.norm() * others[5000:] / others[5000:].norm(dim=1, keepdim=True)
size = torch.sqrt(2 * delta / torch.einsum("ni,ij,nj->n", others, damped, others))
promised = (size[:, None] * others) @ g
assert promised.max() <= g @ step  # Eq. (15)
plain = torch.sqrt(2 * delta / (g @ damped @ g)) * g
print(
    f"promised improvement: Eq. (17) {g @ step:.4f}, plain gradient {g @ plain:.4f}, "
    f"best of 10,000 others {promised.max():.4f}"
)

# %% [markdown]
# ### The picture
#
# A policy with only two parameters can be drawn. A robot runs with speed $s$ between 0 and 3 m/s
# and pushes with probability $p_\theta(s) = \text{sigmoid}(\theta_1 + \theta_2 s)$. It starts with
# $\theta_k = (-1, 2.2)$: the faster, the more it pushes. But pushing is worth $1.1 - s$ more than
# resting, so it should do the opposite. Averages over $s$ are exact, so what you see is geometry.

# %%
speeds = np.linspace(0, 3, 31)
features = np.stack([np.ones(31), speeds])  # (2, 31): what theta_1 and theta_2 are multiplied with
THETA_K, worth = np.array([-1.0, 2.2]), 1.1 - speeds


def push_probability(theta):
    return 1 / (1 + np.exp(-np.asarray(theta) @ features))


p_k = push_probability(THETA_K)


def picture_L(theta):
    """The surrogate: A(push) = worth (1 - p_k), A(easy) = -worth p_k."""
    return ((push_probability(theta) - p_k) * worth).mean(-1)


def picture_kl(theta):
    """Mean over the speeds of D_KL(new || old), Eq. (10) for two actions."""
    p = push_probability(theta)
    return (p * np.log(p / p_k) + (1 - p) * np.log((1 - p) / (1 - p_k))).mean(-1)


# %%
g2 = (features * p_k * (1 - p_k) * worth).mean(axis=1)  # Eq. (13)
H2 = np.einsum("in,jn,n->ij", features, features, p_k * (1 - p_k)) / 31  # Eq. (14)
x2 = np.linalg.solve(H2, g2)


def trust_region_points(delta):
    """Ends of the gradient step and, one after the other, of the shortened natural steps."""
    gradient = THETA_K + np.sqrt(2 * delta / (g2 @ H2 @ g2)) * g2  # to the rim of (16)
    natural = np.sqrt(2 * delta / (g2 @ x2)) * x2  # Eq. (17)
    tried = [THETA_K + 0.8**j * natural for j in range(20)]
    fits = [picture_kl(point) <= delta and picture_L(point) >= 0 for point in tried]
    return gradient, np.array(tried[: fits.index(True) + 1])


for delta in (0.01, 0.1, 0.5):
    gradient, tried = trust_region_points(delta)
    assert picture_L(tried[-1]) > 1.3 * picture_L(gradient) and picture_kl(tried[-1]) <= delta
    print(
        f"delta {delta}: L {picture_L(gradient):.3f} by the gradient step, "
        f"{picture_L(tried[-1]):.3f} by TRPO's, after {len(tried)} tries"
    )


# %%
def draw_trust_region(delta):
    gradient, tried = trust_region_points(delta)
    grid = np.stack(np.meshgrid(np.linspace(-3, 5, 120), np.linspace(-2.5, 4.5, 120)), axis=-1)
    away = grid - THETA_K
    ellipse = 0.5 * np.einsum("xyi,ij,xyj->xy", away, H2, away)
    figure, axes = plt.subplots(figsize=(8, 4.4))
    shades = axes.contourf(*grid.T, picture_L(grid).T, levels=12, cmap="cividis")
    figure.colorbar(shades, label="surrogate L")
    axes.contour(*grid.T, picture_kl(grid).T, levels=[delta], colors="white")
    axes.contour(*grid.T, ellipse.T, levels=[delta], colors="white", linestyles="dashed")
    for end, color, label in [(gradient, "sky", "gradient"), (tried[0], "orange", "natural")]:
        axes.plot(*np.stack([THETA_K, end]).T, color=plots.COLORS[color], label=f"{label} step")
    axes.plot(*tried.T, "o", color=plots.COLORS["orange"], label="tried by the line search")
    axes.plot(*tried[-1], "*", color="white", markersize=15, label="accepted")
    axes.set(xlabel="θ₁", ylabel="θ₂", title=f"δ = {delta:g}   (solid: KL = δ, dashed: (16))")
    axes.legend(loc="lower left", facecolor="0.2", labelcolor="white", frameon=True, fontsize=9)
    return figure


# %%
TRUST_ALT = (
    "Surrogate over the two parameters. White lines: the rim KL = delta (solid) and its ellipse "
    "(dashed), long and tilted. The gradient step goes to the right and ends early. The natural step "
    "follows the long axis to where L is higher; the line search shortens it. Delta is {delta}."
)
course.show(draw_trust_region(0.2), alt=TRUST_ALT.format(delta=0.2))

# %% [markdown]
# Both steps end on the dashed ellipse (16). The gradient step runs into the long side of the region
# and gains little. The natural step follows the long axis and finds a much better policy *at the same
# distance*.
#
# The solid line is the true trust region. For small $\delta$ it coincides with the ellipse. For
# larger $\delta$ the ellipse sticks out and the full step (17) lands outside. The line search walks
# back until the true conditions hold. Drag $\delta$ from small to large.

# %%
widgets.explore(draw_trust_region, TRUST_ALT, delta=[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5])

# %% [markdown]
# ### TRPO
#
# *Facts.* Natural gradient, with a step length that follows from $\delta$, and a line search that
# checks the truth. *Equations:* (17), then the first of $1, 0.8, 0.64, \dots$ times that step with
# $L_{\theta_k}(\theta) \ge 0$ and $\bar D_{KL} \le \delta$.
#
# > **On the slides' wording.** "Adjust $\delta$ to meet the conditions": it is the *step* that is
# > shortened; $\delta$ stays.
#
# *What to know.* No learning rate for the policy: $\delta$ has a meaning that survives when the
# policy changes. Each batch gives one step only, at the cost of about ten extra backward passes. The
# KL divergence is measured in the states of the batch; elsewhere nothing is promised. (In the code
# $x^\top H x$ stands for $g^\top H^{-1} g$: the same, since $Hx = g$.)
#
# *Pseudocode.*
# ```
# repeat
#     collect episodes with π_k; estimate advantages Â
#     g ← gradient of L;  x ← conjugate gradient for H x = g
#     s ← sqrt(2δ / xᵀHx) x
#     for j = 0, 1, 2, …: accept θ_k + 0.8ʲ s if L ≥ 0 and mean KL ≤ δ; stop
#     fit V
# ```


# %% tags=["algorithm"]
class TRPO(NaturalPolicyGradient):
    def __init__(self, delta=0.02, **settings):
        super().__init__(**settings)
        self.delta = delta

    def update(self, batch):
        A = self.advantages(batch)
        _, x, product = self.natural_gradient(batch, A)
        step = torch.sqrt(2 * self.delta / (x @ product(x))) * x  # Eq. (17)
        theta = nn.utils.parameters_to_vector(self.policy.parameters()).detach()
        for j in range(10):
            self.move(theta, 0.8**j * step)
            with torch.no_grad():
                new = self.policy(batch.states[:-1])
                ratio = (new.log_prob(batch.actions) - self.old_log_prob).exp()
                self.improvement, self.kl = (ratio * A).mean().item(), mean_kl(new, self.old).item()
            if self.improvement >= 0 and self.kl <= self.delta:
                self.shortened = j
                return
        self.move(theta, 0 * step)  # nothing acceptable: stay
        self.improvement, self.kl, self.shortened = 0.0, 0.0, None


# %%
for delta in (0.02, 0.5):
    torch.manual_seed(0)
    trpo, rng, tries = TRPO(delta), np.random.default_rng(0), []
    print(f"delta = {delta}\nupdate   cost  L promised   mean KL  times shortened")
    for k in range(8):
        batch_k = collect(trpo.policy, rng)
        with torch.no_grad():
            before = trpo.policy(batch_k.states[:-1])
        trpo.update(batch_k)
        with torch.no_grad():  # measured again, from outside
            moved = mean_kl(trpo.policy(batch_k.states[:-1]), before).item()
        cost, _ = -batch_k.rewards.sum(0).mean(), tries.append(trpo.shortened)
        print(f"{k:6d} {cost:6.2f} {trpo.improvement:11.3f} {moved:9.4f} {tries[-1]!s:>4}")
        assert moved <= delta + 1e-6 and trpo.improvement >= 0
assert any(tries)  # with the large delta the line search has work to do

# %% [markdown]
# No step lowers the surrogate or leaves the trust region. With a small $\delta$ the models (13) and
# (14) are good and the full step is usually accepted. With $\delta = 0.5$ they are not, and the line
# search steps in. The *cost* may still go up now and then: the surrogate is an estimate from twenty
# episodes.
#
# ### Exercise 3 ★★ · The step of TRPO
#
# Given $g$, a matrix $H$ and $\delta$, return the step $\theta_{k+1} - \theta_k$ of (17).


# %% tags=["exercise"]
def trust_region_step(g, H, delta):
    """Eq. (17): arrays (n,), (n, n) and a number -> (n,)."""
    ### BEGIN SOLUTION
    x = np.linalg.solve(H, g)
    return np.sqrt(2 * delta / (g @ x)) * x
    ### END SOLUTION


# %% tags=["wrong-answer"]
def trust_region_step(g, H, delta):
    x = np.linalg.solve(H, g)
    return np.sqrt(2 * delta / (g @ g)) * x  # the length of g instead of g' H^-1 g


# %% tags=["wrong-answer"]
def trust_region_step(g, H, delta):
    return np.sqrt(2 * delta / (g @ H @ g)) * g  # on the rim, but in the plain direction


# %% tags=["check"]
course.check(
    trust_region_step,
    [
        ((np.array([3.0, 4.0]), np.eye(2), 0.5), np.array([0.6, 0.8])),
        ((np.array([2.0, 1.0]), np.diag([4.0, 1.0]), 1.0), np.array([0.5, 1.0])),
    ],
    hint="first solve H x = g, then scale x so that x' H x / 2 becomes delta",
)

# %% [markdown]
# ### Exercise 4 ★★ · The line search
#
# You get two functions of the fraction: `improvement(f)` and `divergence(f)`. Try $f = 1, 0.5, 0.25,
# \dots$ (ten values; TRPO above took 0.8, any factor below 1 will do). Return the first with
# improvement $\ge 0$ and divergence $\le \delta$, or 0.0 if there is none.


# %% tags=["exercise"]
def line_search(improvement, divergence, delta):
    """The accepted fraction of the step."""
    ### BEGIN SOLUTION
    for j in range(10):
        fraction = 0.5**j
        if improvement(fraction) >= 0 and divergence(fraction) <= delta:
            return fraction
    return 0.0
    ### END SOLUTION


# %% tags=["wrong-answer"]
def line_search(improvement, divergence, delta):
    for j in range(10):
        if divergence(0.5**j) <= delta:  # a short step can still be a bad one
            return 0.5**j
    return 0.0


# %% tags=["check"]
def rises_then_falls(f):
    return f * (0.3 - f)


def square(f):
    return f**2


def always_worse(f):
    return -f


course.check(
    line_search,
    [
        ((square, square, 2.0), 1.0),
        ((square, square, 0.1), 0.25),
        ((rises_then_falls, square, 0.5), 0.25),
        ((always_worse, square, 0.5), 0.0),
    ],
    hint="both conditions have to hold at the same fraction",
)

# %% [markdown]
# ## 5 · Proximal policy optimization · 20 min
#
# TRPO throws a batch away after one step, and needs second derivatives. PPO asks: can plain
# gradient steps, several per batch, do the same if something keeps them near $\theta_k$?
#
# ### With a KL penalty
#
# *Facts.* The constraint becomes a price. *Equation:*
#
# $$\arg\max_\theta \; L_{\theta_k}(\theta) - \beta_k \, \bar D_{KL}(\theta \Vert \theta_k) \tag{18}$$
#
# with this rule after each batch, where $d$ is the KL divergence that was reached: if
# $d \le d_{targ} / 1.5$, halve $\beta$; if $d \ge 1.5\, d_{targ}$, double it.
#
# *What to know.* Nobody knows a good $\beta$, but a target for $d$ is easy to name. The rule looks
# for the price at which the target is met. It corrects *after* the fact: a single update may go
# much too far. (The paper's $D_{KL}$ has the old policy first; we follow the slides.)


# %% tags=["algorithm"]
class PPOPenalty(ActorCritic):
    def __init__(self, lr=0.01, target=0.02, beta=1.0, epochs=10, **settings):
        super().__init__(lr, **settings)
        self.target, self.beta, self.epochs = target, beta, epochs

    def objective(self, new, old, batch, A):
        ratio = (new.log_prob(batch.actions) - old.log_prob(batch.actions)).exp()
        return (ratio * A).mean() - self.beta * mean_kl(new, old)  # Eq. (18)

    def update(self, batch):
        A, states = self.advantages(batch), batch.states[:-1]
        with torch.no_grad():
            old = self.policy(states)
        for _ in range(self.epochs):
            self.ascend(self.objective(self.policy(states), old, batch, A))
        with torch.no_grad():
            self.adapt(mean_kl(self.policy(states), old).item())

    def adapt(self, d):
        if d <= self.target / 1.5:
            self.beta /= 2
        elif d >= self.target * 1.5:
            self.beta *= 2


# %%
torch.manual_seed(0)
ppo, rng, reached, betas = PPOPenalty(), np.random.default_rng(0), [], []
ppo.adapt, adapt = lambda d: (reached.append(d), adapt(d)), ppo.adapt  # listen to the rule
for _ in range(UPDATES):
    betas.append(ppo.beta)
    ppo.update(collect(ppo.policy, rng))
for d, before, after in zip(reached, betas, betas[1:], strict=False):
    expected = 0.5 if d <= 0.02 / 1.5 else 2.0 if d >= 0.03 else 1.0
    assert after == before * expected  # the rule under Eq. (18)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
left.semilogy(reached, "o-", markersize=3)
left.axhspan(0.02 / 1.5, 0.03, color=plots.COLORS["green"], alpha=0.3, label="no change of β")
left.set(xlabel="update", ylabel="KL divergence reached")
left.legend()
right.semilogy(betas, "s-", markersize=3, color=plots.COLORS["vermillion"])
right.set(xlabel="update", ylabel="price β")
plain_ticks(right, np.unique(betas))
course.show(
    figure,
    alt="Left: the KL divergence reached per update hovers around the target band, with outliers. "
    "Right: beta doubles and halves in answer.",
)

# %% [markdown]
# ### Exercise 5 ★ · The rule for β
#
# Return the next $\beta$.


# %% tags=["exercise"]
def next_beta(beta, d, target):
    """The rule under Eq. (18)."""
    ### BEGIN SOLUTION
    if d <= target / 1.5:
        return beta / 2
    if d >= target * 1.5:
        return beta * 2
    return beta
    ### END SOLUTION


# %% tags=["wrong-answer"]
def next_beta(beta, d, target):
    if d <= target / 1.5:
        return beta * 2  # the wrong way round: a small step needs a lower price
    if d >= target * 1.5:
        return beta / 2
    return beta


# %% tags=["check"]
course.check(
    next_beta,
    [
        ((1.0, 0.001, 0.01), 0.5),
        ((1.0, 0.05, 0.01), 2.0),
        ((3.0, 0.011, 0.01), 3.0),
        ((1.0, 0.03, 0.02), 2.0),
    ],
    hint="the policy moved too far: make moving more expensive",
)

# %% [markdown]
# ### With a clipped objective
#
# *Facts.* No KL divergence at all. The objective stops rewarding an action once its ratio has moved
# by $\epsilon$. *Equations:*
#
# $$r_t(\theta) = \frac{\pi_\theta(a_t \mid s_t)}{\pi_{old}(a_t \mid s_t)}, \qquad
# \text{clip}(r, a, b) = \begin{cases} a & \text{if } r < a \\ b & \text{if } r > b \\ r & \text{otherwise}\end{cases} \tag{19}$$
#
# $$L^{CLIP}_{\theta_k}(\theta) = \mathbb{E}_{\tau \sim \pi_k}\Big[\sum_{t=0}^T \min\big(r_t(\theta) \hat A_t^{\pi_k},\;
# \text{clip}(r_t(\theta), 1 - \epsilon, 1 + \epsilon)\, \hat A_t^{\pi_k}\big)\Big] \tag{20}$$
#
# > **On the slides.** (20) has no $\gamma^t$, unlike (8): the usual omission again. Implementations
# > take the mean over all samples instead of the sum; that only scales the step.
#
# In words, (20) bounds the ratio on one side only: from above if the action was good, from below if it
# was bad. The last `assert` checks this reading.


# %%
def clipped_terms(ratio, A, epsilon):
    """The terms of Eq. (20)."""
    clipped = np.clip(ratio, 1 - epsilon, 1 + epsilon)  # Eq. (19)
    return np.minimum(ratio * A, clipped * A)


by_cases = [0.8 if r < 0.8 else 1.2 if r > 1.2 else r for r in np.linspace(0, 2, 101)]
assert np.allclose(np.clip(np.linspace(0, 2, 101), 0.8, 1.2), by_cases)  # Eq. (19), as written
ratios, advantages = np.random.default_rng(0).normal(size=(2, 10_000))
ratios = np.exp(ratios)
bounded = np.where(advantages > 0, np.minimum(ratios, 1.2), np.maximum(ratios, 0.8))
assert np.allclose(clipped_terms(ratios, advantages, 0.2), bounded * advantages)  # Eq. (20)


# %%
def draw_clip(epsilon):
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True)
    ratio = np.linspace(0, 2, 401)
    for axes, A in zip(panels, (1.0, -1.0), strict=True):
        objective = clipped_terms(ratio, A, epsilon)
        flat = np.gradient(objective, ratio) == 0
        axes.plot(ratio, ratio * A, "--", color="0.5", linewidth=1, label="without clipping")
        axes.plot(ratio, objective, "C0", label="Eq. (20)")
        axes.plot(ratio[flat], objective[flat], "C1", linewidth=5, label="no gradient")
        axes.plot(1, A, "ko", label="start: r = 1")
        axes.set(xlabel="ratio r", title=f"A = {A:+.0f}, ε = {epsilon:g}")
    panels[0].set(ylabel="objective")
    panels[0].legend(fontsize=9)
    return figure


# %%
CLIP_ALT = (
    "Clipped objective over the ratio, epsilon {epsilon}. Positive advantage: rises to 1 + epsilon, "
    "then flat. Negative advantage: flat below 1 - epsilon, falls without limit above."
)
course.show(draw_clip(0.2), alt=CLIP_ALT.format(epsilon=0.2))

# %% [markdown]
# Left: a good action. Its probability may grow, but beyond $1 + \epsilon$ there is nothing more to
# gain. Right: a bad action. Below $1 - \epsilon$ there is nothing more to gain. Now the important
# corner: a bad action that has become *more* likely (right, $r > 1$) is **not** clipped. Nor is a good
# one that has become less likely (left, $r < 1$). A step in the wrong direction keeps its gradient and
# can be undone. That is what the minimum is for. A step too far in the *right* direction has none:
# nothing pulls it back.

# %%
widgets.explore(draw_clip, CLIP_ALT, epsilon=[0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5])

# %% [markdown]
# *What to know.* Clipping removes the *reason* to go further, it does not forbid it. An update can
# leave the trust region by momentum, or because the samples share parameters.


# %% tags=["algorithm"]
class PPOClip(ActorCritic):
    def __init__(self, lr=0.01, epsilon=0.2, epochs=10, **settings):
        super().__init__(lr, **settings)
        self.epsilon, self.epochs = epsilon, epochs

    def clipped(self, new, old_log_prob, actions, A):
        ratio = (new.log_prob(actions) - old_log_prob).exp()  # Eq. (19)
        clipped = ratio.clamp(1 - self.epsilon, 1 + self.epsilon)
        return torch.minimum(ratio * A, clipped * A).mean()  # Eq. (20)

    def update(self, batch):
        A, states = self.advantages(batch), batch.states[:-1]
        with torch.no_grad():
            old_log_prob = self.policy(states).log_prob(batch.actions)
        for _ in range(self.epochs):
            self.ascend(self.clipped(self.policy(states), old_log_prob, batch.actions, A))


# %% [markdown]
# ### With value loss and entropy
#
# *Facts.* This is the PPO of the libraries: policy, critic and an entropy bonus in one objective,
# optimized on small random parts of the batch (*minibatches*). *Equation:*
#
# $$L_t^{CLIP+VF+S}(\theta) = \hat{\mathbb{E}}_t\big[L_t^{CLIP}(\theta) - c_1 L_t^{VF}(\theta) + c_2 S[\pi_\theta](s_t)\big] \tag{21}$$
#
# $L^{VF}_t = (\hat V(s_t) - \hat G_t)^2$ with the target $\hat G_t = \hat A_t + \hat V_{old}(s_t)$.
# (VF: value function.) $S$ is the entropy of the policy, a measure of how much it still explores.
#
# *What to know.* $c_1$ matters if actor and critic share weights, or if their gradients are clipped
# together (as in Stable-Baselines3). Here they are apart, and Adam cancels a mere factor. $c_2 > 0$
# keeps $\sigma$ from shrinking too early; with too much of it the robot never settles. We standardize
# advantages per batch, Stable-Baselines3 per minibatch.
#
# *Pseudocode.*
# ```
# repeat
#     collect episodes with π_k; estimate advantages Â and value targets Ĝ
#     for each epoch, for each random minibatch:
#         one optimizer step on  L^CLIP − c₁ L^VF + c₂ S
# ```


# %% tags=["algorithm"]
class PPO(PPOClip):
    def __init__(self, c1=0.5, c2=0.001, minibatches=4, **settings):
        super().__init__(**settings)
        self.c1, self.c2, self.minibatches = c1, c2, minibatches
        everything = [*self.policy.parameters(), *self.value.parameters()]
        self.optimizer = torch.optim.Adam(everything, lr=0.01)

    def objective(self, states, actions, old_log_prob, A, G):
        new = self.policy(states)
        L_clip = self.clipped(new, old_log_prob, actions, A)
        L_value = (self.value(states) - G).pow(2).mean()
        return L_clip - self.c1 * L_value + self.c2 * new.entropy().mean()  # Eq. (21)

    def update(self, batch):
        with torch.no_grad():
            V = self.value(batch.states)
            old_log_prob = self.policy(batch.states[:-1]).log_prob(batch.actions)
        A = discounted_sums(batch.rewards + GAMMA * V[1:] - V[:-1], GAMMA * LAMBDA)
        G, A = A + V[:-1], (A - A.mean()) / A.std()
        data = [batch.states[:-1].reshape(-1, 2), batch.actions, old_log_prob, A, G]
        data = [data[0], *(x.reshape(-1) for x in data[1:])]
        for _ in range(self.epochs):
            for part in torch.randperm(len(data[0])).chunk(self.minibatches):
                self.ascend(self.objective(*(x[part] for x in data)))


# %% [markdown]
# ### Is it the library's loss?
#
# We ask Stable-Baselines3. Its PPO collects some steps, we disturb the stored log-probabilities so
# that the ratios are not all 1, let it compute its losses for one pass, and compute ours from the
# same data. (Learning rate 0: the loss is what we want, not the step. The losses are large because
# Pendulum's returns are in the hundreds. The entropy weighs 1, so that it shows in the sum.)

# %%
from stable_baselines3 import PPO as SB3PPO

settings = dict(n_steps=256, batch_size=256, n_epochs=1, learning_rate=0.0, clip_range=0.2)
settings |= dict(normalize_advantage=False, vf_coef=0.5, ent_coef=1.0, seed=0, device="cpu")
sb3 = SB3PPO("MlpPolicy", "Pendulum-v1", **settings)
sb3.learn(256)  # collects 256 steps
disturbance = np.random.default_rng(0).normal(scale=0.3, size=(256, 1)).astype(np.float32)
sb3.rollout_buffer.log_probs += disturbance
sb3.train()
reported = sb3.logger.name_to_value
print({name: float(round(v, 5)) for name, v in reported.items() if "loss" in name})

# %%
data = next(sb3.rollout_buffer.get())
with torch.no_grad():
    value, log_prob, entropy = sb3.policy.evaluate_actions(data.observations, data.actions)
ratio = (log_prob - data.old_log_prob).exp()
L_clip = clipped_terms(ratio.numpy(), data.advantages.numpy(), 0.2).mean()  # Eq. (20)
L_value = (value.flatten() - data.returns).pow(2).mean().item()
total = L_clip - 0.5 * L_value + 1.0 * entropy.mean().item()  # Eq. (21)
print(f"ratios from {ratio.min():.2f} to {ratio.max():.2f}; our loss {-total:.5f}")
assert np.isclose(-L_clip, reported["train/policy_gradient_loss"], rtol=1e-4)
assert np.isclose(L_value, reported["train/value_loss"], rtol=1e-4)
assert np.isclose(-entropy.mean().item(), reported["train/entropy_loss"], rtol=1e-4)
assert np.isclose(-total, reported["train/loss"], rtol=1e-5)  # would notice a wrong sign of S

# %% [markdown]
# ### Exercise 6 ★★ · The clipped objective
#
# Write the mean of (20) over samples with NumPy. Mind where the minimum goes.


# %% tags=["exercise"]
def clipped_objective(ratio, A, epsilon):
    """Mean over samples of min(r A, clip(r) A)."""
    ### BEGIN SOLUTION
    return np.minimum(ratio * A, np.clip(ratio, 1 - epsilon, 1 + epsilon) * A).mean()
    ### END SOLUTION


# %% tags=["wrong-answer"]
def clipped_objective(ratio, A, epsilon):
    return (np.clip(ratio, 1 - epsilon, 1 + epsilon) * A).mean()  # no minimum


# %% tags=["wrong-answer"]
def clipped_objective(ratio, A, epsilon):
    return (np.minimum(ratio, np.clip(ratio, 1 - epsilon, 1 + epsilon)) * A).mean()


# %% tags=["check"]
course.check(
    clipped_objective,
    [
        ((np.array([1.5]), np.array([1.0]), 0.2), 1.2),
        ((np.array([1.5]), np.array([-1.0]), 0.2), -1.5),
        ((np.array([0.5]), np.array([-1.0]), 0.2), -0.8),
        ((np.array([0.5, 1.0]), np.array([2.0, 4.0]), 0.1), 2.5),
    ],
    hint="the minimum compares the two products with A, not the two ratios",
)

# %% [markdown]
# ### Exercise 7 ★★★ · Who still learns?
#
# After a few epochs many samples sit on the flat part. For arrays of ratios and advantages return
# `True` where the gradient of (20) with respect to $r$ is *not* zero. (With $A = 0$ it always is. SB3 reports the share of
# samples outside the range as `clip_fraction`; not all of these have zero gradient.)


# %% tags=["exercise"]
def still_learns(ratio, A, epsilon):
    """Boolean array: does this sample still have a gradient?"""
    ### BEGIN SOLUTION
    return np.where(A > 0, ratio < 1 + epsilon, ratio > 1 - epsilon) & (A != 0)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def still_learns(ratio, A, epsilon):
    return abs(ratio - 1) < epsilon  # what clip_fraction counts


# %% tags=["check"]
def by_differences(ratio, A, epsilon, h=1e-6):
    slope = clipped_terms(ratio + h, A, epsilon) - clipped_terms(ratio - h, A, epsilon)
    return abs(slope) > 1e-9


r = np.array([0.5, 0.95, 1.5, 0.5, 1.05, 1.5, 2.0])
signs = np.array([1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 0.0])
course.check(
    still_learns,
    [
        ((r, signs, 0.2), by_differences(r, signs, 0.2)),
        ((r, -signs, 0.6), by_differences(r, -signs, 0.6)),
    ],
    hint="thick parts of the figure above: two, one per sign of A; where A = 0 nothing learns",
)

# %% [markdown]
# ## 6 · Side by side · 10 min
#
# Eight algorithms, the same cart, the same number of episodes, several seeds each. The seeds decide
# the start weights, the start positions and all noise. A fair comparison shows bands, not lines. It
# would also tune each algorithm with the same effort; our settings are plain choices by hand. The
# next cell takes about a minute.

# %%
SEEDS = course.budget(ci=2, lecture=8, full=30)
ALGORITHMS = {
    "REINFORCE": Reinforce,
    "REINFORCE + baseline": ReinforceWithBaseline,
    "actor-critic (GAE)": ActorCritic,
    "natural gradient": NaturalPolicyGradient,
    "TRPO (17)": TRPO,
    "PPO, KL penalty (18)": PPOPenalty,
    "PPO, clipped (20)": PPOClip,
    "PPO, full (21)": PPO,
}
runs = {
    name: np.array([learn(algorithm, seed, UPDATES) for seed in range(SEEDS)])
    for name, algorithm in ALGORITHMS.items()  # runs[name]: (seeds, 2, updates)
}
for name, run in runs.items():
    assert run[:, 0, -3:].mean() < 0.7 * run[:, 0, 0].mean(), name  # every one learns


# %%
def band(runs, rng):
    """Mean over seeds, and a 95 % interval of that mean by resampling the seeds."""
    again = runs[rng.integers(len(runs), size=(2000, len(runs)))].mean(axis=1)
    return runs.mean(axis=0), *np.percentile(again, [2.5, 97.5], axis=0)


# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True)
styles = ["-", "--", "-.", ":"]
for i, (name, run) in enumerate(runs.items()):
    mean, low, high = band(run[:, 0], np.random.default_rng(0))
    color = list(plots.COLORS.values())[i % 4]
    panels[i // 4].plot(mean, styles[i % 4], color=color, label=name)
    panels[i // 4].fill_between(range(UPDATES), low, high, color=color, alpha=0.2)
for axes in panels:
    axes.axhline(BEST, color="0.4", linewidth=1)
    axes.set(xlabel="update (20 episodes each)", yscale="log")
    plain_ticks(axes)
    axes.legend(title=f"mean of {SEEDS} seeds, 95 % band", fontsize=9)
panels[0].set(ylabel="mean cost of an episode (best possible: line)")
course.show(
    figure,
    alt="Cost over updates, logarithmic, eight algorithms in two panels with confidence bands. TRPO "
    "and the PPOs on the right fall faster than the methods on the left. At the end actor-critic and "
    "natural gradient have caught up.",
)

# %%
print(f"{'':22s} cost at the end  updates to cost 0.5  median KL  largest KL")
for name, run in runs.items():
    cost, moved = run[:, 0].mean(0), run[:, 1]
    reach = np.argmax(cost < 0.5) if (cost < 0.5).any() else "-"
    print(f"{name:22s} {cost[-3:].mean():15.2f} {reach!s:>20}", end="")
    print(f" {np.median(moved):10.4f} {moved.max():11.4f}")

assert runs["TRPO (17)"][:, 1].max() <= 0.02 + 1e-6  # the constraint held in every single update
assert runs["PPO, clipped (20)"][:, 1].max() > 0.02  # clipping promises no such thing
step = {name: np.median(run[:, 1]) for name, run in runs.items()}
assert min(step["TRPO (17)"], step["PPO, KL penalty (18)"]) > 5 * step["REINFORCE"]
early = {name: run[:, 0, :20].mean() for name, run in runs.items()}
assert early["TRPO (17)"] < early["natural gradient"]
assert early["PPO, clipped (20)"] < early["REINFORCE"]

# %% [markdown]
# Read the two last columns beside the curves. The two REINFORCEs move least: one gradient step per
# batch is all that they dare. TRPO and the KL penalty move furthest with the same data, and need half
# as many updates to a cost of 0.5 as the best method on the left. On the states of its batch TRPO never
# exceeds $\delta = 0.02$. PPO has no such guarantee, as its largest KL divergence shows.
#
# Fast at first is not best at the end: there actor-critic and natural gradient are level with TRPO,
# and the two clipped PPOs lie a little above them.
#
# An honest surprise: the baseline alone gains little here; the bands of the two REINFORCEs overlap,
# although its gradient is less noisy once the critic has learned (part 2). The critic starts
# ignorant, and a thousand samples per batch, smoothed by Adam, hide the rest. Another: at its worst
# the KL penalty went almost a hundred times too far, and it still learned fast. The cart forgives
# that. A robot that falls does not.
#
# What this figure does *not* say: that the order is the same on every task. The Minitaur
# notebooks compare PPO and TRPO again, with other results at the start and at the end of training.
#
# ## Quiz
#
# 1. Why is the objective in (15) linear and the constraint in (16) quadratic?
#    <details><summary>Answer</summary>Both are the first non-vanishing terms at θ<sub>k</sub>. The
#    KL divergence has value 0 and slope 0 there.</details>
# 2. You double all parameters' units (θ → 2θ in the network's code). Which of gradient and natural
#    gradient changes the *policy* it produces?
#    <details><summary>Answer</summary>Only the gradient's. H transforms along with g, and the change
#    of the policy stays the same (up to damping).</details>
# 3. The line search of TRPO shortens the step four times. What has gone wrong, and does it matter?
#    <details><summary>Answer</summary>The models (13), (14) are poor that far out. It costs four cheap
#    forward passes, and the conditions hold afterwards. If it happens always, δ is too large.</details>
# 4. In (20), why min and not just the clipped term?
#    <details><summary>Answer</summary>Otherwise a bad action that has become more likely would have no
#    gradient: the mistake could not be undone.</details>
# 5. PPO reports a KL divergence of 0.5 after an update with ε = 0.2. Is that possible?
#    <details><summary>Answer</summary>Yes. Clipping removes the gradient of samples beyond the range
#    but does not pull them back, and states without samples are free to move.</details>
# 6. With β → 0, what does (18) become? With β → ∞?
#    <details><summary>Answer</summary>Plain maximization of the surrogate, which leaves the region
#    where it is valid; and no change of the policy at all.</details>

# %% [markdown]
# ## Summary on one page
#
# All of them: collect with $\pi_k$ → estimate advantages → move uphill, *not too far* → fit
# $\hat V$ → repeat. They differ in the advantages and in what "not too far" means.
#
# | | Facts | Equations | What to know | Pseudocode of the update |
# |---|---|---|---|---|
# | REINFORCE | no critic, noisy | (2), (A.3), $b = 0$ | one step per batch | `θ += α mean(∇log π · G)` |
# | + baseline | same mean, less noise once $\hat V$ is good | (A.3) | fit $\hat V$ after using it | `θ += α mean(∇log π · (G − V)); fit V to G` |
# | actor-critic | a little bias, much less noise | (A.5) with GAE | bootstrap at time limits | `Â = GAE(r, V); θ += α mean(∇log π · Â)` |
# | natural gradient | independent of the parameterization | (13), (14) | $Hv$ by two backward passes; damping | `x = CG(H, g); θ += α x` |
# | TRPO | KL divergence held in every update, on its batch | (15), (16), (17) | $\delta$ instead of a learning rate | `s = √(2δ / xᵀHx) x; first 0.8ʲ with L ≥ 0, KL ≤ δ: θ += 0.8ʲ s` |
# | PPO, penalty | many first-order steps per batch | (18) | $\beta$ follows a target, after the fact | `10×: θ += α ∇(L − β KL); adapt β` |
# | PPO, clipped | simplest; no guarantee on the KL | (19), (20) | the minimum lets mistakes be undone | `10×: θ += α ∇ mean(min(r Â, clip(r) Â))` |
# | PPO, full | one objective for actor and critic | (21) | minibatches; $c_1$, $c_2$ | `10×, each minibatch: θ += α ∇(L_CLIP − c₁ L_VF + c₂ S)` |
#
# **Verified here:** (13), (14) against the true functions; $Hv$ against the explicit Fisher matrix;
# conjugate gradient against a direct solve and against sb3-contrib; (15)–(17) against ten thousand
# other steps; the conditions of TRPO at every update; the rule of (18); (19)–(21) against the losses
# that Stable-Baselines3 reports.
#
# Next: [02, the robot](02_env.ipynb).

# %% [markdown]
# ## References
#
# - S. Kakade, 2002. [A natural policy gradient](https://papers.nips.cc/paper/2073-a-natural-policy-gradient). Cited by the slides.
# - S. Kakade, J. Langford, 2002. [Approximately optimal approximate reinforcement learning](https://people.eecs.berkeley.edu/~pabbeel/cs287-fa09/readings/KakadeLangford-icml2002.pdf). Cited by the slides.
# - J. Schulman, S. Levine, P. Moritz, M. Jordan, P. Abbeel, 2015. [Trust region policy optimization](https://arxiv.org/abs/1502.05477). Cited by the slides.
# - J. Schulman, P. Moritz, S. Levine, M. Jordan, P. Abbeel, 2016. [High-dimensional continuous control using generalized advantage estimation](https://arxiv.org/abs/1506.02438).
# - J. Schulman, F. Wolski, P. Dhariwal, A. Radford, O. Klimov, 2017. [Proximal policy optimization algorithms](https://arxiv.org/abs/1707.06347). Cited by the slides.
# - J. R. Shewchuk, 1994. [An introduction to the conjugate gradient method without the agonizing pain](https://www.cs.cmu.edu/~quake-papers/painless-conjugate-gradient.pdf).
# - Libraries: [Stable-Baselines3](https://stable-baselines3.readthedocs.io), [sb3-contrib](https://sb3-contrib.readthedocs.io). The slides used their predecessor, with [PPO2](https://stable-baselines.readthedocs.io/en/master/modules/ppo2.html) and [TRPO](https://stable-baselines.readthedocs.io/en/master/modules/trpo.html).
# - J. Tan et al., 2018. [Sim-to-real: learning agile locomotion for quadruped robots](https://arxiv.org/abs/1804.10332). V. Tsounis et al., 2020. [DeepGait](https://arxiv.org/abs/1909.08399). E. Coumans, Y. Bai. [PyBullet](http://pybullet.org). Cited by the slides; from notebook 02 on.
