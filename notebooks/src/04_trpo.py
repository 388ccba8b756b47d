# %% [markdown]
# # 4 · TRPO: one careful step at a time
#
# PPO takes away the reason to go too far. *Trust region policy optimization* forbids it. It asks
# how far a step is, measured by what the robot does differently, and takes the best step that is
# not farther than $\delta$. You will train with it, and then take one single update apart:
# gradient, curvature, step, line search, each computed by you on data of the robot, until every
# number of the network agrees with what the library makes of the same data.
#
# | Part | You will be able to | Minutes |
# |---|---|---|
# | 1 How far is far? | measure a change of a policy by what it does | 6 |
# | 2 TRPO on one page | say what equations (12) to (17) are for | 8 |
# | 3 From the equations to the code | find each of them in the library; carry δ from one library to another | 8 |
# | 4 Train | train by the clock, see a curve without a learning rate for the policy | 4 |
# | 5 One update in slow motion | follow a step from the gradient to the accepted point | 25 |
# | 6 What is a promise worth? | tell fitted luck from improvement | 6 |
# | 7 Is it healthy? | read KL divergence, step size, line search, explained variance, deviation | 6 |
# | 8 How good is it? | judge the agent, watch it | 4 |
# | 9 What the long runs show | say what a million steps bring, and whether δ was kept | 8 |
#
# You need: [1b, trust regions](01b_trust_regions.ipynb), parts 3 and 4, where the same algorithm
# steers a cart, and [3, PPO](03_ppo.ipynb). Exercises have stars for difficulty.
# [Solutions](solutions/04_trpo.ipynb) are one click away.

# %% [markdown]
# ## 1 · How far is far? · 6 min
#
# Here is the runner of notebook 3 twice, each time with a different change. To the numbers of its
# network we add random numbers, and both times the *length* of the change is 1 (the root of the sum
# of its squares). The first change is spread over all 6,536 weights and biases. The second is put into
# only eight of them: the biases of the last layer, one for each command.

# %%
import numpy as np

import quadlib
from quadlib import course
from quadlib.showing import plots

plots.use_style()
PHASES = course.budget(ci=2, lecture=6, full=6)  # pictures in a film strip
runner = quadlib.Agent.shipped("first_gait")
WEIGHTS = [name for name in runner.arrays if name.startswith("actor")]


def changed(names, length=1.0):
    """The runner with a random change of that length in some of its arrays."""
    rng = np.random.default_rng(1)
    change = {name: rng.standard_normal(runner.arrays[name].shape) for name in names}
    total = np.sqrt(sum((part**2).sum() for part in change.values()))
    arrays = {n: runner.arrays[n] + (length / total * change[n]).astype("float32") for n in names}
    return quadlib.Agent({**runner.arrays, **arrays}, runner.about)


pair = {"spread": changed(WEIGHTS), "last biases": changed(["actor.2.bias"])}
runs = [quadlib.record(agent, seconds=4, label=name) for name, agent in pair.items()]
quadlib.film_strip(runs[1], phases=PHASES)

# %%
quadlib.replay(runs)

# %%
for recorded in runs:
    print(f"{recorded.label:<12} {recorded.distance:5.1f} m in {recorded.time[-1]:.0f} s")
assert runs[0].distance > 2 * runs[1].distance

# %% [markdown]
# The same length, two very different robots. So a step must not be measured in parameters. What
# counts is what the policy *does*. Its action in a state is drawn from a Gaussian for each of the
# eight commands; the KL divergence, equation (10) in notebook 1a, says how different two policies are
# in a state. Its unit is the *nat*, as its logarithm is the natural one. Where only the
# means differ it is simple: half the squared shift, in units of the standard deviation, summed over
# the commands, $\tfrac12 \sum_{i=1}^{8} \big((\mu'_i - \mu_i) / \sigma_i\big)^2$. We average over
# the states that the robot visits.


# %%
def visited_states(agent, count=300):
    """Observations of the first steps of an episode, (count, 28)."""
    world, observations = quadlib.make("MinitaurIdeal"), []
    observation, _ = world.reset(seed=0)
    for _ in range(count):
        observations.append(observation)
        observation, *_ = world.step(agent.act(observation))
    world.close()
    return np.array(observations)


states, divergence = visited_states(runner), {}
for name, agent in pair.items():
    shift = agent.mean_action(states) - runner.mean_action(states)
    z = shift / np.exp(runner.arrays["log_std"])
    divergence[name] = 0.5 * (z**2).sum(axis=1).mean()  # Eq. (10)
    print(f"{name:<12} KL divergence {divergence[name]:6.2f} nats")
assert divergence["last biases"] > 5 * divergence["spread"]

# %% [markdown]
# That is a ruler which knows the difference. TRPO allows each update a fixed distance on this
# ruler.

# %% [markdown]
# ## 2 · TRPO on one page · 8 min
#
# **The problem.** Improve the surrogate $L$, stay within $\delta$ of the policy $\pi_k$ that made the
# data. $L$ estimates from the data of $\pi_k$ how much better another policy $\pi'$ is (notebook 1a);
# $d^{\pi_k}$ are the states that $\pi_k$ visits, $\hat A_t$ is the advantage (GAE). From samples $L$ and
# the divergence are plain means over the steps of a rollout:
#
# $$\arg\max_{\pi'} L_{\pi_k}(\pi') \quad \text{s.t.} \quad
# \mathbb{E}_{s \sim d^{\pi_k}}\big[D_{KL}(\pi' \Vert \pi_k)[s]\big] \le \delta \tag{12}$$
#
# $$L_{\theta_k}(\theta) = \text{mean of } \frac{\pi_\theta(a_t \mid s_t)}{\pi_k(a_t \mid s_t)} \hat A_t,
# \qquad \bar D_{KL}(\theta \Vert \theta_k) = \text{mean of } D_{KL}(\pi_\theta \Vert \pi_k)[s_t]$$
#
# **Two simple models of it.** Near $\theta_k$ the surrogate is nearly a slope, and the divergence
# is nearly a bowl.
#
# $$L_{\theta_k}(\theta) \approx L_{\theta_k}(\theta_k) + g^\top (\theta - \theta_k), \qquad
# g \doteq \nabla_\theta L_{\theta_k}(\theta)\big|_{\theta_k} \tag{13}$$
#
# $$\bar D_{KL}(\theta \Vert \theta_k) \approx \tfrac12 (\theta - \theta_k)^\top H (\theta - \theta_k), \qquad
# H \doteq \nabla^2_\theta \bar D_{KL}(\theta \Vert \theta_k)\big|_{\theta_k} \tag{14}$$
#
# **The problem for the models, and its solution.** Up the slope, to the rim of the bowl:
#
# $$\arg\max_\theta \; g^\top (\theta - \theta_k) \tag{15}$$
#
# $$\text{s.t.} \quad \tfrac12 (\theta - \theta_k)^\top H (\theta - \theta_k) \le \delta \tag{16}$$
#
# $$\theta_{k+1} = \theta_k + \sqrt{\frac{2\delta}{g^\top H^{-1} g}} \; H^{-1} g \tag{17}$$
#
# **Two practical matters.** $H$ has a row and a column for every parameter, so nobody writes it
# down: *conjugate gradients* find $x \approx H^{-1} g$ from products $Hv$ alone. And the models are
# only models: a *line search* looks at the true $L$ and $\bar D_{KL}$ at the end of the step, and
# shortens it until $L$ has risen and $\bar D_{KL} \le \delta$.
#
# Compare with a plain gradient step $\theta_k + \alpha g$. There you choose $\alpha$, and the
# distance is what it happens to be. Here you choose the distance, and $\alpha$ follows: it is the
# root in (17). From here on we call this root the *step size* $\alpha$.

# %% [markdown]
# ### Exercise 1 ★ · A larger trust region
#
# Somebody makes $\delta$ `factor` times as large and changes nothing else. Predict, from the equations,
# by what factor these three grow: the length of the step (17), the improvement that (13) promises for it,
# and the divergence that (14) predicts for it. We will compare with the truth in part 5.


# %% tags=["exercise"]
def with_larger_delta(factor):
    """(growth of the length, growth of the promised improvement, growth of the divergence)."""
    ### BEGIN SOLUTION
    return np.sqrt(factor), np.sqrt(factor), factor
    ### END SOLUTION


# %% tags=["wrong-answer"]
def with_larger_delta(factor):
    return factor, factor, factor**2  # as if the step were proportional to δ


# %% tags=["wrong-answer"]
def with_larger_delta(factor):
    return np.sqrt(factor), factor, factor  # the improvement is linear in the step, not in δ


# %% tags=["check"]
H_small, g_small = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, -2.0])


def length_promise_divergence(delta):
    x = np.linalg.solve(H_small, g_small)
    step = np.sqrt(2 * delta / (g_small @ x)) * x  # Eq. (17)
    return np.array([np.linalg.norm(step), g_small @ step, 0.5 * step @ H_small @ step])


course.check(
    with_larger_delta,
    [
        ((f,), tuple(length_promise_divergence(0.02 * f) / length_promise_divergence(0.02)))
        for f in (10.0, 4.0, 0.25)
    ],
    hint="δ stands under the root of (17); put that step into (13) and into (14)",
)

# %% [markdown]
# ## 3 · From the equations to the code · 8 min
#
# `quadlib.train("trpo", ...)` hands the learning to
# [sb3-contrib](https://sb3-contrib.readthedocs.io/en/master/modules/trpo.html). Its method
# `TRPO.train`, taken from the installed library:

# %%
import inspect

from sb3_contrib import TRPO

EQUATIONS = {
    "policy_objective = (": "Eq. (12), L at θ_k",
    "kl_div = kl_divergence(": "Eq. (12), the divergence",
    "actor_params, policy_obj": "Eq. (13), g",
    "hessian_vector_product_fn": "Eq. (14), v → Hv",
    "search_direction = ": "x ≈ H⁻¹g",
    "line_search_max_step_size = 2": "Eq. (17), 2δ",
    "line_search_max_step_size /": "Eq. (17), / xᵀHx",
    "line_search_max_step_size = np": "Eq. (17), √",
    "if (kl_div < self": "line search: both conditions",
    "line_search_backtrack_coeff *=": "line search: shorter",
    "value_loss = ": "the critic, by least squares",
    "param.grad = None": "its step leaves the policy alone",
}
lines = [line.strip() for line in inspect.getsource(TRPO.train).splitlines()]
for start, meaning in EQUATIONS.items():
    print(f"{meaning:<33}{next(line for line in lines if line.startswith(start))[:95]}")

# %% [markdown]
# (`search_direction` is our $x$, and $x^\top H x$ stands for $g^\top H^{-1} g$: the same where
# $Hx = g$.) The product with $H$ is two lines:

# %%
print("\n".join(inspect.getsource(TRPO.hessian_vector_product).splitlines()[-2:]))

# %% [markdown]
# The gradient of (gradient of the divergence) · v. Notebook 1b, part 3, has the reason. Something
# is added there: `cg_damping * vector`. The library works with $H + cI$, where $c$ is the *damping*.
# In many directions $H$ alone is nearly 0: without $c$ the step would go very far there, and
# conjugate gradients would take many more iterations.
#
# The numbers are settings. Ours:

# %%
from quadlib.learning.settings import LONG, SLIDES, TRPOSettings

print(TRPOSettings.help())

# %% [markdown]
# `learning_rate` and `batch_size` are for the critic alone. The policy has no learning rate, and its one
# step uses the whole rollout. "Per command", in the line of `target_kl`, needs a word:
#
# > **A trap for those who compare libraries.** $\delta$ is a distance, so one has to know the
# > ruler. Two eight-dimensional Gaussians have *one* KL divergence: the sum over the commands. SB3
# > returns eight numbers for them, and TRPO takes the mean of all. Its numbers are 8 times smaller.

# %%
import torch
from stable_baselines3.common.distributions import DiagGaussianDistribution, kl_divergence

old, new = (
    DiagGaussianDistribution(8).proba_distribution(torch.full((1, 8), mean), torch.zeros(8))
    for mean in (0.0, 0.1)
)
by_hand = 8 * 0.5 * 0.1**2  # Eq. (10): eight shifts by a tenth of the deviation
of_the_library = kl_divergence(new, old).mean().item()
print(f"Eq. (10): {by_hand:.4f} nats, sb3-contrib: {of_the_library:.4f}")
assert np.isclose(by_hand, 8 * of_the_library)

# %% [markdown]
# So with `target_kl` = 0.02 an update may move the policy by 0.16 nats. From here on divergences are
# *per command*, as the library has them, so that all numbers can be compared. Those of part 1, and the
# `approx_kl` of PPO in notebook 3, are whole sums: divide them by 8 first. The constraint is still the
# same, as both sides of (12) were divided by 8. What becomes of $H$ and $c$? Exercise 2.
#
# ### Exercise 2 ★★ · The same trust region in another library
#
# The slides' software, Stable-Baselines 2, sums over the commands. Translate its $\delta$ and its
# damping $c$ into `target_kl` and `cg_damping` of sb3-contrib, for any number of commands, so that the
# step (17), with $H + cI$ for $H$, stays exactly the same. (What happens to $H$ when all divergences
# are divided by 8? What must then happen to $c$?)


# %% tags=["exercise"]
def to_sb3_contrib(delta, damping, commands):
    """(target_kl, cg_damping) for δ and c of a library that sums over the commands."""
    ### BEGIN SOLUTION
    return delta / commands, damping / commands
    ### END SOLUTION


# %% tags=["wrong-answer"]
def to_sb3_contrib(delta, damping, commands):
    return delta / commands, damping  # then c weighs eight times as much beside the smaller H


# %% tags=["wrong-answer"]
def to_sb3_contrib(delta, damping, commands):
    return delta * commands, damping * commands  # the wrong way round


# %% tags=["check"]
def damped_step(H, delta, damping):
    x = np.linalg.solve(H + damping * np.eye(2), g_small)
    return np.sqrt(2 * delta / (g_small @ x)) * x


one, other = damped_step(H_small, 0.1, 0.3), damped_step(H_small / 8, 0.1 / 8, 0.3 / 8)
assert np.allclose(one, other)  # the solution is one
slides = SLIDES["trpo"]["target_kl"], SLIDES["trpo"]["cg_damping"]
course.check(
    to_sb3_contrib,
    [((0.0503, 0.0135, 8), slides), ((0.01, 0.1, 2), (0.005, 0.05))],
    hint="divide (12) and (14) by the number of commands and see what stays the same in (17)",
)

# %% [markdown]
# ## 4 · Train · 4 min
#
# As in notebook 3, with another word. **Guess first**: in the same time, will the curve be above or
# below that of PPO? (The stop button works here, too.)

# %%
limit = course.budget(
    ci={"steps": 3_072, "n_envs": 2}, lecture={"seconds": 90}, full={"seconds": 900}
)
run = quadlib.train("trpo", **limit, env="MinitaurIdeal", seed=0)

# %%
MARKS = {"slides, PPO, 4 M steps, 5 hours: 0.5": 0.5, "slides, TRPO, 4 M steps, 6 hours: 2.5": 2.5}
alt = f"Mean training return over {run.curve['steps'][-1]:,.0f} environment steps,"
course.show(plots.learning_curve(run, MARKS), alt=f"{alt} at the end {run.curve['return'][-1]:.2f}.")
steps, seconds = run.curve["steps"][-1], run.curve["seconds"][-1]
print(f"{len(run.curve['steps'])} updates, {steps:,.0f} steps in {seconds:.0f} s")
if steps > 100_000:
    assert run.curve["return"][-1] > 1  # it walks

# %% [markdown]
# And your guess? In the stored runs, on the same machine and in the same ninety seconds, PPO ends at
# about 17 (notebook 3), TRPO at about 14. But one training each is no ranking; for that one needs
# several seeds.
#
# Look at the number of updates. TRPO makes *one* step of the policy per rollout of 2,048 steps; the PPO
# of notebook 3 makes forty per rollout of 1,024. And there is no learning rate that could be too timid
# at the start or too bold later, when the policy has become delicate: $\delta$ means the same throughout.

# %% [markdown]
# ## 5 · One update in slow motion · 25 min
#
# Take the runner and let it play one rollout, as large as in a long training. What would TRPO change
# in it? (A policy that was trained with PPO will do: an update does not ask who trained it.) We also
# keep some more rollouts of the same policy, for part 6.

# %%
from quadlib.learning.sb3 import agent_of, collect, load_agent, new_model
from quadlib.learning.vec_env import Workers

torch.set_num_threads(1)  # the nets are small
rollout = {"n_steps": course.budget(ci=128, lecture=512, full=512)}
settings = TRPOSettings(**LONG["trpo"] | rollout)
FRESH = course.budget(ci=1, lecture=3, full=8)  # rollouts that the update will not see
with Workers(lambda: quadlib.make("Minitaur"), settings.n_envs, seed=0) as workers:
    rollouts = [workers.play(runner, settings.n_steps, k) for k in range(1 + FRESH)]
    spaces = workers.observation_space, workers.action_space


def model_after(rollout):
    """sb3-contrib's TRPO with the runner's networks, about to learn from a rollout."""
    model = new_model("trpo", settings, *spaces, seed=0)
    load_agent(model.policy, runner)
    collect(model, rollout, settings)  # values, advantages (GAE), returns
    return model


# %%
from typing import Any, NamedTuple

from torch.distributions import Normal
from torch.nn.utils import parameters_to_vector, vector_to_parameters


class Sample(NamedTuple):
    """What an update knows of a rollout, N steps in all."""

    data: Any  # observations (N, 28), actions (N, 8), old_log_prob (N,)
    A: torch.Tensor  # (N,) advantages, standardized
    old: Normal  # the policy that played, π_k: N × 8 Gaussians


def sample_of(rollout):
    model = model_after(rollout)
    data = next(model.rollout_buffer.get())
    with torch.no_grad():
        old = model.policy.get_distribution(data.observations).distribution
    return Sample(data, (data.advantages - data.advantages.mean()) / data.advantages.std(), old)


# %%
model = model_after(rollouts[0])
policy, sample = model.policy, sample_of(rollouts[0])
actor = [p for name, p in policy.named_parameters() if "value" not in name]
theta_k = parameters_to_vector(actor).detach().clone()
print(f"{len(sample.A):,} samples, {len(theta_k):,} parameters of the policy")

# %% [markdown]
# ### The two functions of (12)


# %%
def gaussians(data):
    """π_θ in the states of a sample: N × 8 Gaussians."""
    return policy.get_distribution(data.observations).distribution


def surrogate(sample):
    """L of Eq. (12): the mean of ratio times advantage."""
    log_prob = gaussians(sample.data).log_prob(sample.data.actions).sum(dim=1)
    return ((log_prob - sample.data.old_log_prob).exp() * sample.A).mean()


def mean_kl(sample):
    """The divergence of Eq. (12) from π_k, per command."""
    return torch.distributions.kl_divergence(gaussians(sample.data), sample.old).mean()


@torch.no_grad()
def at(theta, *samples):
    """(L, divergence) of the policy with parameters theta, for each sample."""
    vector_to_parameters(theta, actor)
    values = [(surrogate(each).item(), mean_kl(each).item()) for each in samples]
    vector_to_parameters(theta_k, actor)
    return values[0] if len(values) == 1 else values


# %%
L_k, kl_k = at(theta_k, sample)
print(f"at θ_k: L = {L_k:.1e}, divergence = {kl_k:.1e}")
assert abs(L_k) < 1e-4 and abs(kl_k) < 1e-6

# %% [markdown]
# Both are zero at the start: the ratio is 1 and the advantages have mean 0; and a policy is at
# distance 0 from itself.
#
# ### The gradient, Eq. (13)


# %%
def flat(parts):
    """Arrays of all shapes as one vector."""
    return torch.cat([part.reshape(-1) for part in parts])


g = flat(torch.autograd.grad(surrogate(sample), actor))  # Eq. (13)
torch.manual_seed(1)
for v in (g, torch.randn(len(g)), torch.randn(len(g))):
    v, h = v / v.norm(), 0.01
    slope = (at(theta_k + h * v, sample)[0] - at(theta_k - h * v, sample)[0]) / (2 * h)
    print(f"slope of L along v: {slope:8.4f}     gᵀv: {g @ v:8.4f}")
    assert np.isclose(slope, g @ v, rtol=0.05, atol=2e-3)

# %% [markdown]
# We walk a hundredth along a direction, forward and back, and measure how $L$ changes. It is what
# the gradient says. Along $g$ itself $L$ rises fastest, along random directions hardly at all: in
# 6,544 dimensions nearly every direction is nearly level.
#
# ### Curvature without the matrix, Eq. (14)
#
# The divergence has no slope at $\theta_k$, only curvature. $H$ would have 43 million numbers. Its
# product with a vector costs about as much as two gradients.

# %%
slope_of_kl = flat(torch.autograd.grad(mean_kl(sample), actor, create_graph=True))


def fisher_product(v):
    """Eq. (14): H v, as the gradient of (gradient of the divergence) · v."""
    return flat(torch.autograd.grad(slope_of_kl @ v, actor, retain_graph=True))


assert slope_of_kl.abs().max() < 1e-5  # no slope
for v in (g, torch.randn(len(g)), torch.randn(len(g))):
    v, h = v / v.norm(), 0.2
    around = at(theta_k + h * v, sample)[1] + at(theta_k - h * v, sample)[1]
    measured, predicted = around / h**2, (v @ fisher_product(v)).item()  # ½h²·vᵀHv on each side
    print(f"curvature along v: {measured:.4f}     vᵀHv: {predicted:.4f}")
    assert np.isclose(measured, predicted, rtol=0.05)

# %% [markdown]
# A second check, by writing a piece of $H$ down. Command 0 is a Gaussian whose mean is linear in
# the last layer's 64 weights and one bias: $\mu_0 = w^\top h(s) + b$, where $h(s)$ are the outputs
# of the layer before. For such a Gaussian (exercise 2 of 1b) that piece is a dense 65 × 65 matrix,
# $\frac18 \cdot \frac1N \sum_s \binom{h}{1}\binom{h}{1}^\top / \sigma_0^2$. (The 8 is our ruler.)
# Row by row it must come out of `fisher_product`.

# %%
with torch.no_grad():
    features = policy.mlp_extractor.forward_actor(policy.extract_features(sample.data.observations))
    h1 = torch.cat([features, torch.ones(len(features), 1)], dim=1)  # (N, 65)
    dense = h1.T @ h1 / len(h1) / policy.log_std[0].exp() ** 2 / 8

ends = np.cumsum([p.numel() for p in actor])
weights, biases = ends[-3], ends[-2]  # where action_net's weight and bias begin
place = torch.tensor([*range(weights, weights + 64), biases])  # those of command 0
rows = torch.stack([fisher_product((torch.arange(len(g)) == i).float())[place] for i in place])
print(f"largest entry {dense.abs().max():.3f}, largest difference {(rows - dense).abs().max():.1e}")
assert torch.allclose(rows, dense, atol=1e-4 * dense.abs().max())

# %% [markdown]
# Now the riddle of part 1 can be solved. How *stiff* is each part of the network? That is: how much
# divergence does a random change of length 1 make there?

# %%
import matplotlib.pyplot as plt

LABELS = ["log σ", "weights 1", "biases 1", "weights 2", "biases 2", "weights 3", "biases 3"]
stiffness, begin = {}, 0
for label, end in zip(LABELS, ends, strict=True):
    v = torch.zeros(len(g))
    v[begin:end] = torch.randn(end - begin)
    stiffness[label] = (0.5 * v @ fisher_product(v) / (v @ v)).item()  # ½ vᵀHv for |v| = 1
    begin = end
figure, axes = plt.subplots(figsize=(9, 2.8))
axes.plot(list(stiffness.values()), list(stiffness), "o", markersize=9)
for label, value in stiffness.items():
    axes.annotate(f"   {value:.2g}", (value, label), va="center")
axes.set(xlabel="divergence per command of a random change of length 1 (nats)", xscale="log")
axes.margins(0.1)
axes.invert_yaxis()
alt = ", ".join(f"{label} {value:.2g}" for label, value in stiffness.items())
course.show(figure, alt=f"How much divergence a change of length 1 makes, by layer, Eq. (14): {alt}.")
assert stiffness["biases 3"] > 5 * stiffness["weights 1"]

# %% [markdown]
# (For such long steps these are the model's words, not the truth.) The last layer is stiff: its
# biases shift a command in *every* state, and its weights come close to that. Layers 1 and 2 act
# only through it, and through units that saturate. They are 40 to 150 times softer. The change
# that was spread had only 520 of its 6,536 numbers in the last layer: that is the answer to the
# riddle. A gradient knows nothing of stiffness. $H$ does (the
# *Fisher information matrix* of notebook 1b): $H^{-1} g$ goes carefully where the
# policy is stiff, and far where it is not.
#
# ### Exercise 3 ★★ · A product without the matrix
#
# Take a linear policy, $\mu = \Phi\theta$: the rows of $\Phi$ are the features of $N$ states, there
# are $n$ parameters and one command with deviation $\sigma$. Then
# $H = \Phi^\top \Phi / (N \sigma^2)$. Write $Hv$ with two products of $\Phi$, so that no
# $n \times n$ matrix ever exists. (The check cannot see whether you did. With the robot's 6,544
# parameters you would notice it: such a matrix has 43 million numbers.)


# %% tags=["exercise"]
def linear_fisher_product(Phi, sigma, v):
    """Arrays (N, n), a number, (n,) → H v, (n,)."""
    ### BEGIN SOLUTION
    return Phi.T @ (Phi @ v) / (len(Phi) * sigma**2)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def linear_fisher_product(Phi, sigma, v):
    return Phi.T @ (Phi @ v) / sigma**2  # a sum over the states, not their mean


# %% tags=["wrong-answer"]
def linear_fisher_product(Phi, sigma, v):
    return Phi.T @ (Phi @ v) / (len(Phi) * sigma)  # a deviation instead of a variance


# %% tags=["check"]
rng = np.random.default_rng(0)
Phi_1, Phi_2 = np.array([[1.0, 2.0], [3.0, 4.0]]), rng.standard_normal((50, 7))
v_2 = rng.standard_normal(7)
course.check(
    linear_fisher_product,
    [
        ((Phi_1, 0.5, np.array([1.0, 0.0])), Phi_1.T @ Phi_1 @ [1.0, 0.0] / 2 / 0.25),
        ((Phi_2, 2.0, v_2), np.einsum("si,sj,j->i", Phi_2, Phi_2, v_2) / 50 / 4),
    ],
    hint="first how far v moves the mean of each state, then back to the parameters with Φᵀ",
)

# %% [markdown]
# ### Conjugate gradients
#
# We look for $x$ with $(H + cI)\,x = g$ and may only ask for products. Each iteration makes one.
# This is the algorithm of 1b, and it keeps a diary.


# %% tags=["algorithm"]
def conjugate_gradients(product, b, iterations):
    """Every x on the way to the solution of H x = b, and how long b − H x was after each."""
    x = 1e-4 * torch.randn_like(b)  # where the library starts; 0 would do, too
    residual = b - product(x)
    direction, path, left = residual, [], []
    for _ in range(iterations):
        Hd = product(direction)
        alpha = residual @ residual / (direction @ Hd)
        x = x + alpha * direction
        smaller = residual - alpha * Hd
        beta = (smaller @ smaller) / (residual @ residual)
        direction, residual = smaller + beta * direction, smaller
        path.append(x)
        left.append(residual.norm().item())
    return path, left


# %%
from sb3_contrib.common.utils import conjugate_gradient_solver
from stable_baselines3.common.utils import set_random_seed


def damped_product(v, damping=settings.cg_damping):
    return fisher_product(v) + damping * v


set_random_seed(0)
path, left = conjugate_gradients(damped_product, g, 100)
x = path[settings.cg_max_steps - 1]  # here the library stops
set_random_seed(0)
theirs = conjugate_gradient_solver(damped_product, g, max_iter=settings.cg_max_steps)
assert torch.allclose(x, theirs, rtol=1e-4, atol=1e-4 * x.abs().max())
assert left[-1] < 0.05 * g.norm()  # the last one is nearly exact
for n in (1, 5, settings.cg_max_steps, 50, 100):
    error = (path[n - 1] - path[-1]).norm() / path[-1].norm()
    print(f"{n:3d} iterations: residual {left[n - 1] / g.norm():6.1%} of |g|, x is off by {error:4.0%}")

# %% [markdown]
# How good is an unfinished $x$? The fair question is: if we go in its direction as far as $\delta$
# allows, how much improvement does (13) promise? That step is (17):


# %%
def full_step(x, delta=settings.target_kl, damping=settings.cg_damping):
    """Eq. (17): along x to the rim of the region, for (H + cI)."""
    return torch.sqrt(2 * delta / (x @ damped_product(x, damping))) * x


promises = [(g @ full_step(each)).item() for each in path]  # Eq. (15)
assert torch.cosine_similarity(path[0], g, dim=0) > 0.98  # the first one is the plain gradient
reached = promises[settings.cg_max_steps - 1]
assert promises[0] < reached <= 1.001 * promises[-1]

# %%
figure, (residuals, promised) = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True)
residuals.plot(range(1, 101), np.array(left) / g.norm().item())
residuals.set(yscale="log", ylabel="residual / length of g", xlabel="iterations")
promised.plot(range(1, 101), promises)
promised.plot(1, promises[0], "o", color="black")
promised.annotate("plain gradient", (1, promises[0]), (20, promises[0]), va="center",
                  arrowprops={"arrowstyle": "-"})  # fmt: skip
promised.set(ylabel="promised improvement, gᵀ step", xlabel="iterations", ylim=(0, None))
for axes in (residuals, promised):
    axes.axvline(settings.cg_max_steps, color="black", linestyle=":")
residuals.annotate(" the library stops", (settings.cg_max_steps, 1.5 * min(left)), fontsize=10)
course.show(
    figure,
    alt="Conjugate gradients over 100 iterations. Left: the residual falls slowly, with bumps, to "
    f"{left[-1] / g.norm():.1%} of the gradient. Right: the improvement that is promised inside of the "
    f"trust region rises from {promises[0]:.3f} for the plain gradient to {reached:.3f} where the "
    f"library stops and {promises[-1]:.3f} after 100.",
)

# %%
print(f"promise of the plain gradient {promises[0]:.3f}, where the library stops {reached:.3f}, ", end="")
print(f"after 100 iterations {promises[-1]:.3f}")

# %% [markdown]
# Three things are worth a look. The residual does not fall steadily, and where the library stops $x$
# is still off by half. But the promise on the right rises with *every* iteration, and has seven
# eighths of its height by then. Each iteration costs as much as two gradients, so one stops early.
# And the black dot is the plain gradient, taken just as far: *at the same distance* the natural
# direction promises more than four times as much.
#
# ### The step, Eq. (17)

# %%
step = full_step(x)
alpha = (step.norm() / x.norm()).item()
own = 0.5 * (step @ fisher_product(step)).item()  # Eq. (14)
extra = 0.5 * settings.cg_damping * (step @ step).item()
print(f"step size α = {alpha:.3f}, length of the step {step.norm():.3f}")
print(f"promised improvement, Eq. (13): {g @ step:.4f}")
print(f"predicted divergence, Eq. (14): {own:.4f}, and {extra:.4f} for the damping: {own + extra:.4f}")
assert np.isclose(own + extra, settings.target_kl, rtol=1e-3)  # Eq. (16): on the rim

# %% [markdown]
# ### Exercise 4 ★★ · What the damping takes
#
# (17) takes the step to the rim of a bowl that is steeper than the true one: $H + cI$ instead of
# $H$. So the divergence that really is to be expected is less than $\delta$. You know $x$, the
# product $Hx$ *without* damping, $c$ and $\delta$. What does (14) predict for the full step?


# %% tags=["exercise"]
def expected_divergence(x, Hx, damping, delta):
    """½ sᵀHs for the step s of Eq. (17) with H + cI."""
    ### BEGIN SOLUTION
    return delta * (x @ Hx) / (x @ Hx + damping * (x @ x))
    ### END SOLUTION


# %% tags=["wrong-answer"]
def expected_divergence(x, Hx, damping, delta):
    return delta / (1 + damping)  # c is to be compared with the curvature along x, not with 1


# %% tags=["wrong-answer"]
def expected_divergence(x, Hx, damping, delta):
    return delta * (x @ Hx) / (x @ (Hx + damping))  # c times x, not c


# %% tags=["check"]
x_robot, Hx_robot = x.double().numpy(), fisher_product(x).double().numpy()
course.check(
    expected_divergence,
    [
        ((np.array([1.0, 0.0]), np.array([3.0, 0.0]), 1.0, 0.02), 0.015),
        ((x_robot, Hx_robot, 0.0, 0.02), 0.02),
        ((x_robot, Hx_robot, settings.cg_damping, settings.target_kl), own),
    ],
    hint="the step is a multiple of x; the multiple follows from xᵀ(H + cI)x = xᵀHx + c xᵀx",
    tolerance=1e-3,
)

# %% [markdown]
# ### The line search
#
# Up to here all was model. Now the truth: go to the end of the step and look. If $L$ has not risen, or
# the divergence is not below $\delta$, try 0.8 of the step, then 0.64, and so on, ten points at most. If
# none will do, stay. The *fraction* says how much of the full step is left.


# %%
def line_search(step, delta=settings.target_kl, tries=10, shrink=0.8):
    """Rows (fraction, L, divergence) of the points that are tried; the last one is accepted."""
    rows = []
    for j in range(tries):
        L, kl = at(theta_k + shrink**j * step, sample)
        rows.append((shrink**j, L, kl))
        if kl < delta and L > L_k:
            return rows
    return [*rows, (0.0, L_k, 0.0)]  # nothing acceptable: stay


print("fraction   promised     true L   predicted     true divergence")
for fraction, L, kl in line_search(step):
    print(f"{fraction:8.2f} {fraction * (g @ step):10.4f} {L:10.4f} {fraction**2 * own:11.4f} {kl:12.4f}")
assert 0 < kl <= settings.target_kl and L > 0

# %% [markdown]
# The first try is accepted. The divergence is what (14) predicted, to within a few percent, and the
# surrogate is not far from its promise.
#
# The same as a picture. How do $L$ and the divergence change along the search direction, before and
# beyond the point where we stopped?


# %%
def step_for(delta, damping):
    """Conjugate gradients and Eq. (17) once more, with other numbers."""
    set_random_seed(0)
    path, _ = conjugate_gradients(
        lambda v: damped_product(v, damping), g, iterations=settings.cg_max_steps
    )
    return full_step(path[-1], delta, damping)


# %%
def draw_update(delta, damping):
    """Both functions of (12) along the search direction, their models, and the line search."""
    step, f = step_for(delta, damping), np.linspace(0, 1.5, 31)
    tried = np.array(line_search(step, delta))
    L, kl = np.array([at(theta_k + each * step, sample) for each in f]).T
    models = f * (g @ step).item(), 0.5 * f**2 * (step @ fisher_product(step)).item()
    inside = f[kl <= delta].max()
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6))
    for axes, truth, model, k in zip(panels, (L, kl), models, (1, 2), strict=True):
        axes.axvspan(0, inside, color=plots.COLORS["sky"], alpha=0.2, label="trust region")
        axes.plot(f, truth, label="truth")
        axes.plot(f, model, "--", label="model, (13) and (14)")
        axes.plot(tried[:-1, 0], tried[:-1, k], "X", color="black", markersize=8)
        axes.plot(tried[-1, 0], tried[-1, k], "*", color="black", markersize=15, label="accepted")
        low, high = min(0, *truth), max(truth)
        room = 0.2 * (high - low)
        axes.set(xlabel="fraction of the full step", ylim=(low - room * (low < 0), high + room))
    panels[0].set(ylabel="surrogate L", title=f"δ = {delta:g}, damping {damping:g}")
    panels[1].set(ylabel="divergence per command (nats)")
    panels[1].axhline(delta, color="black", linestyle=":", label="δ")
    panels[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


# %%
UPDATE_ALT = (
    "Surrogate (left) and divergence (right) along the search direction, truth and models, for "
    "delta {delta} and damping {damping}. The trust region is shaded; crosses mark refused points, a "
    "star the accepted one."
)
usual = {"delta": settings.target_kl, "damping": settings.cg_damping}
course.show(draw_update(**usual), alt=UPDATE_ALT.format(**usual))

# %% [markdown]
# Inside of the trust region both models are good, and the star stands near its end, not on it: the
# rest is the damping. The line search has nothing to do. Is that an exception? Part 7 will count,
# over a whole training. So what is it for? Take a huge region, and no damping:

# %%
huge = {"delta": 2.0, "damping": 0.0}
course.show(draw_update(**huge), alt=UPDATE_ALT.format(**huge))

# %% [markdown]
# Now the models are wrong. The full step lands outside. (There $L$ is 0, but that does not mean "as
# good as before": nearly all ratios have become 0, and their mean with them.) The search walks back
# to the first point with $\bar D_{KL} \le \delta$ and $L > 0$. On its way it refuses two points inside
# the region, because $L$ is negative there. Note that it takes the *first* acceptable point, not the
# best one: the top of the hill in the left panel is nearer to the start, and the search never gets there.
# A line search protects. It does not optimize. The trust region has to be chosen well.
#
# Play with both. (Remember your prediction of exercise 1: what grows with $\sqrt\delta$, what with
# $\delta$? And up to where?)

# %%
from quadlib.showing import widgets

widgets.explore(
    draw_update,
    UPDATE_ALT,
    delta=[0.002, 0.01, 0.02, 0.2, 2.0],
    damping=[0.0, 0.01, 0.1, 1.0, 10.0],
)

# %% [markdown]
# ### The whole update, against the library
#
# What is left is the critic: several passes over the rollout in minibatches, least squares, Adam.
# Then *everything* that TRPO does in an update has been done by hand. Now let the library make the
# same update of the same networks with the same rollout, and compare all numbers.

# %%
fraction = line_search(step)[-1][0]
vector_to_parameters(theta_k + fraction * step, actor)  # our new policy
set_random_seed(0)
next(model.rollout_buffer.get())  # the library shuffles the samples once for the policy
for _ in range(settings.n_critic_updates):
    for batch in model.rollout_buffer.get(settings.batch_size):
        error = policy.predict_values(batch.observations).flatten() - batch.returns
        policy.optimizer.zero_grad()
        error.pow(2).mean().backward()
        policy.optimizer.step()
ours = {name: p.detach().clone() for name, p in policy.named_parameters()}

# %%
from stable_baselines3.common.logger import configure

library = model_after(rollouts[0])
library.set_logger(configure(None, []))
before = {name: p.detach().clone() for name, p in library.policy.named_parameters()}
set_random_seed(0)
library.train()
agreement = {}
for name, theirs in library.policy.named_parameters():
    moved, apart = (theirs - before[name]).norm(), (theirs - ours[name]).norm()
    agreement[name] = (apart / moved).item()
    print(f"{name:<35} moved by {moved:7.4f}, ours is {apart:.1e} away")
assert max(agreement.values()) < 1e-3
vector_to_parameters(theta_k, actor)  # back to where we were

# %% [markdown]
# The differences are rounding: 32-bit numbers have seven digits, and the samples were added up in
# another order. You have just written TRPO.
#
# ### Exercise 5 ★★★ · To the rim
#
# The line search stops at the first of $1, 0.8, 0.64, \dots$ that fits. A shortened step may have come
# back too far, a damped one mostly ends before the rim. Find the fraction $f$ where the divergence is exactly
# $\delta$. You get a function `divergence(f)` that rises from 0. If it has not reached $\delta$ at
# $f = 4$, return 4.0. (Halve an interval again and again; forty times is plenty.) It will be tried on three:


# %%
def bowl(f):
    return 0.5 * f**2


def steeper(f):
    return 0.1 * (np.exp(f) - 1)


def of_the_robot(f):
    return at(theta_k + f * step, sample)[1]


# %% tags=["exercise"]
def to_the_rim(divergence, delta):
    """The fraction, at most 4, at which the divergence is δ."""
    ### BEGIN SOLUTION
    low, high = 0.0, 4.0
    if divergence(high) <= delta:
        return high
    for _ in range(40):
        middle = (low + high) / 2
        if divergence(middle) <= delta:
            low = middle
        else:
            high = middle
    return low
    ### END SOLUTION


# %% tags=["wrong-answer"]
def to_the_rim(divergence, delta):
    return min(4.0, np.sqrt(delta / divergence(1.0)))  # right for a bowl, and it is no bowl


# %% tags=["wrong-answer"]
def to_the_rim(divergence, delta):
    return next((f for f in 4 * 0.8 ** np.arange(30) if divergence(f) <= delta), 0.0)


# %% tags=["check"]
from scipy.optimize import brentq

rim = brentq(lambda f: of_the_robot(f) - settings.target_kl, 0.01, 4)
course.check(
    to_the_rim,
    [
        ((bowl, 0.02), 0.2),
        ((bowl, 100.0), 4.0),
        ((steeper, 0.2), np.log(3)),
        ((of_the_robot, settings.target_kl), rim),
    ],
    hint="keep two fractions, one inside and one outside, and ask for the one between them",
    tolerance=1e-4,
)

# %% [markdown]
# ## 6 · What is a promise worth? · 6 min
#
# $L$ rose well above zero. Has the robot become better by that much? $L$ was measured on the very
# samples from which the direction was computed. There are more parameters (6,544) than samples
# (4,096), so a direction can be fitted to their *luck*. There is an honest test: measure $L$ on
# rollouts of the same policy that the update has not seen. And a harder one: let the robot run, with
# its noise, as in a rollout.

# %%
fresh = [sample_of(rollout) for rollout in rollouts[1:]]
fractions = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8])
seen, *unseen = np.array([at(theta_k + f * step, sample, *fresh) for f in fractions]).transpose(1, 2, 0)
unseen = np.array(unseen)  # (rollouts, L and divergence, fractions)
for f in (0.5, 1, 2):
    k = fractions.tolist().index(f)
    print(f"{f:4.1f} steps: L promised {f * (g @ step):.3f}, on the samples of the update {seen[0, k]:.3f}, "
          f"on fresh ones {unseen[:, 0, k].mean():+.3f}; divergence {seen[1, k]:.4f}, "
          f"on fresh ones {unseen[:, 1, k].mean():.4f}")  # fmt: skip
one = fractions.tolist().index(1)
assert unseen[:, 0, one].mean() < 0.6 * seen[0, one]  # much of it was luck
assert np.allclose(unseen[:, 1, one], seen[1, one], rtol=0.3)  # the divergence is what it seems

# %%
WALKS = course.budget(ci=[0, 8], lecture=[0, 1, 2, 3, 4, 6, 8], full=[0, 0.5, 1, 2, 3, 4, 5, 6, 8])
episodes = course.budget(ci=1, lecture=6, full=30)


def agent_at(fraction):
    """The robot that far along the step."""
    vector_to_parameters(theta_k + fraction * step, actor)
    agent = agent_of(policy, runner.about)
    vector_to_parameters(theta_k, actor)
    return agent


walked = [quadlib.evaluate(agent_at(f), episodes, env="Minitaur", deterministic=False) for f in WALKS]
for f, result in zip(WALKS, walked, strict=True):
    print(f"{f} steps: return {result.mean:5.1f}, {result.fell.sum():.0f} of {episodes} fall")
assert walked[-1].mean < 0.5 * walked[0].mean

# %%
figure, (promise, truth) = plt.subplots(1, 2, figsize=(9, 3.6), sharex=True)
promise.plot(fractions, fractions * (g @ step).item(), "--", color="black", label="promised (13)")
promise.plot(fractions, seen[0], label="samples of the update")
promise.plot(fractions, unseen[:, 0].mean(0), "-.", label="fresh samples, mean and range")
promise.fill_between(fractions, unseen[:, 0].min(0), unseen[:, 0].max(0), alpha=0.25,
                     color=plots.COLORS["vermillion"])  # fmt: skip
top = 1.6 * max(seen[0].max(), unseen[:, 0].max())
promise.set(ylabel="surrogate L", ylim=(min(-0.1, unseen[:, 0].min()), top))
for f, result in zip(WALKS, walked, strict=True):
    spots = f + np.linspace(-0.1, 0.1, episodes)
    truth.plot(spots, result.returns, "o", color=plots.COLORS["blue"], alpha=0.5)
truth.plot(WALKS, [result.mean for result in walked], color="black", label="mean return")
truth.set(ylabel="return of the robot", ylim=(min(0, *(r.returns.min() for r in walked)), None))
for axes in (promise, truth):
    axes.axvspan(0, rim, color=plots.COLORS["sky"], alpha=0.3)
    axes.set(xlabel="fraction of the full step (shaded: the trust region)")
figure.legend(loc="outside lower center", ncols=4, fontsize=9)
alt = "; ".join(f"{f} steps: return {r.mean:.1f}" for f, r in zip(WALKS, walked, strict=True))
course.show(
    figure,
    alt="Left: along the step the surrogate rises on the samples of the update, hardly on fresh ones. "
    f"Right: what the robot gets. {alt}.",
)

# %% [markdown]
# This is the picture to remember.
#
# - At the full step the update's own samples say 0.265, fresh ones 0.003. Three rollouts cannot tell
#   that from zero. Nearly all of it was fitted luck.
# - Farther out the left panel is no guide at all. Where the update's own samples promise most, robots
#   begin to fall. One fresh rollout says up, another down: a few huge ratios decide their mean.
# - The right panel is ragged, too: a handful of episodes at each point. But its end is clear.
# - The divergence, unlike the improvement, is nearly the same on fresh samples (the last numbers
#   printed above: a seventh less). So it can be relied upon, and can serve as the *constraint*.
#
# Then how can TRPO learn at all? First, this runner is already good and has little left to gain. A
# beginner has more. Second, the luck is different in every rollout and averages out over many
# updates; the small true part adds up. That works only if no single step can do much harm. This is
# what $\delta$ is for.
#
# (Ilyas et al., 2020, measured this for PPO and TRPO on several tasks: gradients from common
# numbers of samples are mostly noise, and the surrogate says little about the return away from
# $\theta_k$.)

# %% [markdown]
# ## 7 · Is it healthy? · 6 min
#
# Back to your training of part 4. These are its diagnostics, one point per update. (The library
# logs four of them; step size and line search come from `quadlib/learning/trpo.py`, which only looks on.)

# %%
PANELS = {
    "train/kl_divergence_loss": "divergence per\ncommand (nats)",
    "train/line_search_steps": "points tried by\nthe line search",
    "train/step_size": "step size α\n(no unit)",
    "train/policy_objective": "surrogate L of the\naccepted step",
    "train/explained_variance": "explained variance\n(1 is perfect)",
    "train/std": "deviation σ of a\ncommand, mean",
}

# %%
figure, panels = plt.subplots(2, 3, figsize=(9, 4.8), sharex=True)
for axes, (name, label) in zip(panels.flat, PANELS.items(), strict=True):
    axes.plot(run.curve["steps"] / 1000, run.curve[name])
    axes.set(ylabel=label)
radius = run.agent.about["settings"]["target_kl"]
panels[0, 0].axhline(radius, color="black", linestyle=":")
panels[0, 0].annotate("δ", (0.05, radius), xycoords=("axes fraction", "data"), va="bottom")
for axes, name in zip(panels.flat[:4], PANELS, strict=False):
    axes.set_ylim(0, 1.2 * max(run.curve[name]))
panels[0, 0].set_ylim(0, 1.2 * radius)
panels[1, 0].set_ylim(0, 3 * np.median(run.curve["train/policy_objective"]))
figure.supxlabel("environment steps (thousands)", fontsize=11)
course.show(
    figure,
    alt="Six diagnostics over training: divergence (always below delta), line search, step size, surrogate, "
    "explained variance of the critic, deviation of the commands.",
)

# %%
for name, label in PANELS.items():
    first, last = run.curve[name][[0, -1]]
    print(f"{' '.join(label.split()):<40}{first:>9.4f} → {last:.4f}")
kl, tried = run.curve["train/kl_divergence_loss"], run.curve["train/line_search_steps"]
print(f"divergence / δ from {min(kl) / radius:.2f} to {max(kl) / radius:.2f}; ", end="")
print(f"the full step was accepted in {np.mean(tried == 1):.0%} of the updates")
assert np.all((0 < kl) & (kl <= radius))  # the constraint of (12), held in every update

# %% [markdown]
# | Curve | What it says | Healthy | Ill: what to try |
# |---|---|---|---|
# | divergence | how far one update moved the policy | below δ, above half of it | far below: the damping takes it, or the line search shortens the step; 0: it found no point |
# | points tried | how wrong the models (13), (14) are at the end of the step; always 1 in the stored run, so part 5 was no exception | 1 or 2 | many: δ is too large, or the rollout too small |
# | step size α | the factor before $x$ in (17): a learning rate that nobody chose | changes slowly | jumps down, or to 0: the line search shortens the step, or finds no point at all |
# | surrogate | what the update believes it has gained (the axis is cut: peaks above it are a few huge ratios, as in part 6) | above 0 | large, and the return does not move: fitted luck, play longer rollouts |
# | explained variance | how well the critic predicts returns | rising towards 1 (below 0 at first: the critic knows nothing yet) | still below 0 after some twenty updates: look at `n_critic_updates`, reward scale, `gamma` |
# | deviation σ | how much the policy tries out; it is the entropy in another unit | falling slowly | falls at once: δ is too large; rises: noise pays |
#
# The step size deserves a second look. Nobody chose it. In the stored run it falls from 0.17 to 0.10,
# most of it in the first 50,000 steps. A fixed learning rate would be horizontal from the
# start, and somebody would have had to find it. ($\alpha$ is $2\delta$ divided by the promise of (13): put
# (17) into (13). So it falls where an update promises more.)
#
# Now two illnesses on purpose, for two updates: a hundred times the damping, and ten times the
# trust region. What will the six numbers do?

# %%
two = course.budget(ci={"steps": 2_048, "n_envs": 2}, lecture={"steps": 4_096}, full={"steps": 4_096})
ill = {
    "healthy": run,
    "damping × 100": quadlib.train(
        "trpo", **two, seed=0, cg_damping=100 * settings.cg_damping, progress=False
    ),
    "δ × 10": quadlib.train("trpo", **two, seed=0, target_kl=10 * radius, progress=False),
}
print(" " * 40 + "".join(f"{name:>15}" for name in ill))
for name, label in PANELS.items():
    row = "".join(f"{each.curve[name][:2][-1]:>15.4f}" for each in ill.values())
    print(f"{' '.join(label.split()):<40}{row}")
second = {name: each.curve["train/kl_divergence_loss"][:2][-1] for name, each in ill.items()}
assert second["damping × 100"] < 0.5 * second["healthy"] < 0.2 * second["δ × 10"]

# %% [markdown]
# The damping ate the trust region: one pays for $\delta$ and gets a fraction of it. (The table shows
# the second update of each. The $\alpha$ in the middle is large only because $x = (H + cI)^{-1} g$ has
# become so short. Compare $\alpha$ only between runs with the same damping.) With the larger $\delta$
# exercise 1 predicts ten times the divergence, and $\sqrt{10} \approx 3.2$ times the promise and
# $\alpha$. In the stored table it is 8.6, 4.1 and 2.5 times: the policies already differ after one
# update, and at this distance the models are no longer exact. Does the robot
# learn faster, then? At the start it may, as there is nothing to break yet. Try it with
# `quadlib.train("trpo", seconds=90, target_kl=0.2)`, and look at the curve *and* at the length of
# the episodes, `run.curve["length"]`.

# %% [markdown]
# ## 8 · How good is it? · 4 min
#
# Judged as in notebook 3: fresh episodes, in the environment of the slides with its noise, latency
# and changing robots, once with the mean action and once as the policy acts in training.

# %%
episodes = course.budget(ci=2, lecture=10, full=100)
judgement = {
    "yours": quadlib.evaluate(run.agent, episodes, env="Minitaur"),
    "with its noise": quadlib.evaluate(run.agent, episodes, env="Minitaur", deterministic=False),
}
for name, result in judgement.items():
    print(f"{name}: {result}\n")

# %% [markdown]
# The noise helped to learn. Now compare the two lines, the intervals and the falls: does it still help,
# or does it only disturb? (If the intervals overlap, ten episodes are too few to be sure.) Judge the
# mean action, but know that the curve of part 4 was made with the noise.

# %%
noise = np.random.default_rng(0)
mine = quadlib.record(run.agent, seconds=6, label="yours")
noisy = quadlib.record(
    lambda observation: run.agent.act(observation, deterministic=False, rng=noise),
    seconds=6,
    label="yours with its noise",
)
quadlib.film_strip(max(mine, noisy, key=lambda each: each.distance), phases=PHASES)

# %%
quadlib.replay([mine, noisy])

# %% [markdown]
# ## 9 · What the long runs show · 8 min
#
# A million steps in the slides' environment, five seeds of TRPO and of PPO (`make runs` makes them,
# ten minutes each on one fast core). Then each went on from its five robots, for a second million: TRPO with
# a quarter of δ, PPO with a third of its learning rate. Beside them the slides' TRPO: one robot, nothing
# normalized, four million steps. Their settings are `quadlib.learning.settings.SLIDES["trpo"]`; their δ
# stands there divided by 8.
#
# **Before you run the cell**: the second million is as long as the first. Will the return rise as much again?

# %%
from quadlib.judging import records

first, second = records.runs("trpo"), records.runs("trpo_cooled")
both = records.continued(first, second)
long_runs = {"TRPO": both, "PPO": records.continued(records.runs("ppo"), records.runs("ppo_cooled"))}
theirs = records.runs("slides_trpo")
ends = "; ".join(
    f"{n} ends at {np.mean([r.curve['return'][-1] for r in g]):.1f}" for n, g in long_runs.items()
)
course.show(
    plots.learning_curve(long_runs | {"the slides' TRPO": theirs}, {"slides, TRPO: 2.5": 2.5}),
    alt=f"Training return over steps, bands from the lowest to the highest seed. {ends}; the slides' "
    f"TRPO at {theirs[0].curve['return'][-1]:.1f}.",
)

# %% [markdown]
# It does not: the first million takes TRPO to 25 and PPO to 28, the second to 29 and 30. TRPO is ahead for half
# a million steps, then PPO passes it. Why take smaller steps after a million? The robot runs already, and what is
# left to gain is small. But a rollout has as much luck in it as ever, and a step to the rim of a large region
# follows that luck far (part 6). Of several small steps the luck cancels in part, and what the rollouts agree
# on adds up.
#
# Each last agent was judged in a hundred episodes (of all seeds together) in three worlds: our simulation as
# you use it (`fast`), the same with the physics of the original environment (`reference`), and the original
# itself, MinitaurBulletEnv, of which we wrote no line. The interval is over *seeds*: where would the mean lie
# if all of this was done again? With five seeds that is known to a few points.

# %%
from IPython.display import Markdown

from quadlib.agents import results

Markdown(results.table(["slides_trpo", "trpo", "trpo_cooled", "ppo", "ppo_cooled"]))

# %% [markdown]
# With the mean action all of ours run at more than 3 m/s in all three worlds, also in the one that we did not
# write. PPO is a little ahead, in MinitaurBulletEnv with 31.5 against 29.0 after one million steps and with 32.6
# against 31.6 after two. But the intervals overlap: five seeds are hardly enough to tell. After one million they
# differ more in what follows the ±, and in the falls. Now and then a robot of TRPO's loses its feet, and with the
# noise of training it does so in one of five or six episodes. PPO's are calmer.
#
# The second million takes TRPO to where PPO was after one. In `fast` and `reference` each of the five robots
# is better than it was, in MinitaurBulletEnv four of them are, and one is as before. Above all they fall less: with
# the mean action 6 times in the 300 episodes of the three worlds, where it was 20 times. PPO, which fell 3 times,
# now falls twice. Was it the small δ, or only the time? That cannot be seen here. The control would be a
# second million with the old δ.
#
# A wild TRPO and a calm PPO: so it was in the slides, with smaller numbers. Their TRPO, trained again, throws
# itself forward and falls, in every single episode: a return of about 1 ± 1, where they report 2.5 ± 1.5. Their
# PPO came to 0.5 ± 0.05: less, and tame. So their last wish was to have both: TRPO's return and PPO's calm.

# %% [markdown]
# Was the constraint kept? Each dot below is an update of a long run (of the 245 of each million a record keeps
# 200); the dotted line is δ. To its right, how well the critic foresaw the returns of a rollout that it had not
# been fitted to.

# %%
import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
for record in both:
    millions = record.curve["steps"] / 1e6
    left.plot(millions, record.curve["train/kl_divergence_loss"], ".", markersize=3)
    right.plot(millions, record.curve["train/explained_variance"], linewidth=1)
largest = {  # δ -> the largest divergence, in the first and the second million
    group[0].settings["target_kl"]: max(r.curve["train/kl_divergence_loss"].max() for r in group)
    for group in (first, second)
}
delta, smaller = largest
left.step([0, 1, 2], [delta, delta, smaller], color="black", linestyle=":")
left.set(xlabel="steps (millions)", ylabel="divergence per command (nats)", ylim=(0, 1.2 * delta))
right.set(xlabel="steps (millions)", ylabel="explained variance", ylim=(-0.2, 1.05))
told = "; ".join(f"at most {most:.4f}, with delta {delta:g}" for delta, most in largest.items())
course.show(figure, alt=f"Left: the divergence of updates, in the first and the second million: {told}. "
            "Right: the explained variance of each seed.")  # fmt: skip
assert all(most <= delta for delta, most in largest.items())

# %% [markdown]
# Kept, by every update that is shown, and used to a half at first, to more than three quarters at the end. The
# damping takes the rest, as in exercise 4: as σ shrinks, $H$ grows, and the same $c$ takes less.

# %% [markdown]
# ## Quiz
#
# Answer first, then open.
#
# 1. A colleague makes the standard deviation of the policy ten times smaller and keeps the
#    networks. What happens to $H$, and to the length of TRPO's step?
#    <details><summary>Answer</summary>For the parameters of the mean $H$ grows a hundredfold: the same shift is now
#    a very different policy. $g$ grows tenfold, so $H^{-1} g$ and the step in them become about ten times
#    shorter (with damping: nearly). A plain gradient step with a fixed learning rate would have become ten
#    times *longer*.</details>
# 2. A paper uses δ = 0.01 for a robot with 8 motors. What is that in sb3-contrib?
#    <details><summary>Answer</summary>If the paper sums over the commands, as (10) says, then `target_kl` is
#    0.00125, and its damping is divided by 8 as well.</details>
# 3. The divergence of every update is a third of δ, and the line search always accepts its first
#    point. What is going on?
#    <details><summary>Answer</summary>The damping takes the rest: it, not δ, decides how far you go. Take less
#    damping, or a larger δ.</details>
# 4. The surrogate rises by 0.3 in each update, and the return stands still. Is that a
#    contradiction?
#    <details><summary>Answer</summary>No. It is measured on the samples that were fitted. Look at fresh ones.</details>
# 5. Why is the line search not replaced by "the best point along the direction"?
#    <details><summary>Answer</summary>It would be the best on the samples of the update: more that is fitted
#    to their luck (part 6), and more points to compute. The search only asks whether a point can be
#    trusted: the divergence is at most δ, and L has risen.</details>

# %% [markdown]
# ## Summary on one page
#
# **Facts.** One step of the policy per rollout. Its length is fixed by what it does to the policy,
# not by a learning rate. Second-order, without the matrix: about two gradients per iteration of
# conjugate gradients.
#
# **Equations.**
#
# | | | Seen here |
# |---|---|---|
# | (12) | improve $L$ subject to $\bar D_{KL} \le \delta$ | held in every update of part 7 |
# | (13) | slope: $g$ | against finite differences |
# | (14) | bowl: $H$, through products $Hv$ | against finite differences and a dense piece; exercise 3 |
# | (15), (16) | the problem for the models | the promise of each $x$; exercise 4 |
# | (17) | $\theta_k + \sqrt{2\delta / g^\top H^{-1} g}\; H^{-1} g$ | equal to the library's; exercises 1 and 5 |
#
# **What to know.** Ask whose ruler δ is measured with. Damping takes a part of it. The line search
# protects, it does not optimize. The surrogate on its own samples flatters; the divergence does
# not. Judge with fresh episodes.
#
# **Pseudocode: TRPO**
# ```
# repeat
#     play n_steps steps in each of n_envs environments with π_k
#     A_t ← GAE;  G_t ← A_t + V(s_t);  then A_t ← mean 0 and deviation 1
#     g   ← gradient of the mean of π_θ(a_t|s_t)/π_k(a_t|s_t) A_t at θ_k            (13)
#     x   ← conjugate gradients for (H + cI) x = g, with v → H v                    (14)
#     s   ← sqrt(2δ / xᵀ(H + cI)x) x                                                (17)
#     for j = 0, 1, …, 9:
#         accept θ_k + 0.8ʲ s if L has risen and the divergence is below δ; stop    (12)
#     if none was accepted: stay at θ_k
#     fit V to G_t: n_critic_updates passes of Adam
# ```
#
# Next: who finds all these settings? [Tuning](05_tuning.ipynb), by machines and by thought.

# %% [markdown]
# ## References
#
# - J. Schulman, S. Levine, P. Moritz, M. Jordan, P. Abbeel, 2015. [Trust region policy optimization](https://arxiv.org/abs/1502.05477). Eq. (12) to (17); cited by the slides.
# - S. Kakade, 2002. [A natural policy gradient](https://papers.nips.cc/paper_files/paper/2001/hash/4b86abe48d358ecf194c56c69108433e-Abstract.html). $H^{-1} g$; cited by the slides.
# - J. Schulman, P. Moritz, S. Levine, M. Jordan, P. Abbeel, 2016. [High-dimensional continuous control using generalized advantage estimation](https://arxiv.org/abs/1506.02438). GAE; trained with TRPO.
# - M. Hestenes, E. Stiefel, 1952. [Methods of conjugate gradients for solving linear systems](https://doi.org/10.6028/jres.049.044).
# - B. Pearlmutter, 1994. [Fast exact multiplication by the Hessian](https://doi.org/10.1162/neco.1994.6.1.147). Products $Hv$ without $H$.
# - A. Ilyas et al., 2020. [A closer look at deep policy gradients](https://arxiv.org/abs/1811.02553). How noisy the gradient is, and what the surrogate is worth.
# - A. Raffin et al., 2021. [Stable-Baselines3: reliable reinforcement learning implementations](https://jmlr.org/papers/v22/20-1364.html); its contributed algorithms, TRPO among them, are in [sb3-contrib](https://sb3-contrib.readthedocs.io/).
