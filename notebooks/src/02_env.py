# %% [markdown]
# # 2 · The robot and its world
#
# Before a robot can learn, somebody has to say what it feels, what it may do, what it is paid for,
# and when the game is over. That is an *environment*. This one holds a Minitaur: 6 kg, four legs,
# eight motors. You will take it apart, measure it, let it fall over, and make it trot by hand.
#
# | Part | You will be able to | Minutes |
# |---|---|---|
# | 1 A running robot | see where the course is going | 3 |
# | 2 The robot | name its parts, and number its eight motors | 6 |
# | 3 Moving a leg | place a foot with two numbers, and solve for them | 10 |
# | 4 The motor | say what torque a motor gives, and what it only claims to give | 9 |
# | 5 State and action | read the 28 numbers that a policy sees | 6 |
# | 6 Reward and ending | write a reward, read its terms, repair one that is broken | 11 |
# | 7 An imperfect world | show what noise, latency and chance do to the same actions | 7 |
# | 8 Your own gait | tune a gait, and say what it costs | 6 |
# | 9 Can you trust the physics? | judge a simulator by numbers | 2 |
#
# You need: Python, NumPy, and the physics of a lever and of a battery. No learning happens here;
# [notebook 3](03_ppo.ipynb) starts it.
#
# **How to use it.** Run the cells from top to bottom. Exercises have stars for difficulty: write
# your code where you see `...`, run the cell, then run the check below it. You may skip any of
# them, the rest still runs. [Solutions](solutions/02_env.ipynb) are one click away.

# %% [markdown]
# ## 1 · A running robot · 3 min
#
# This Minitaur has learned to run, from nothing but trying. Nobody told it what a leg is for.

# %%
import matplotlib.pyplot as plt
import numpy as np

import quadlib
from quadlib import course
from quadlib.showing import plots, widgets

plots.use_style()
runner = quadlib.Agent.shipped("first_gait")
run = quadlib.record(runner, env="MinitaurIdeal", seconds=6, label="learned")
quadlib.video(run, seconds=course.budget(ci=0.3, lecture=2.0, full=2.0), width=320)

# %% [markdown]
# Below is the same run in 3D. Drag to orbit, press space to pause, move the slider to go through
# time step by step. Orange discs are feet on the ground.

# %%
assert not run.fell and run.distance > 5
print(f"{run.distance:.1f} m in {run.duration:.0f} s")
quadlib.replay(run)

# %% [markdown]
# How can a computer find such a gait? By trying, and by being paid for what works. The rest of the
# course is about the trying. This notebook is about everything else.

# %% [markdown]
# ## 2 · The robot · 6 min
#
# An environment has two functions. `reset` puts the robot back to its start. `step` takes an action
# and simulates the next hundredth of a second. This is the interface of
# [Gymnasium](https://gymnasium.farama.org), and almost every learning program knows it.

# %%
env = quadlib.make("MinitaurIdeal")  # no noise, no delay, no chance: those come in part 7
observation, info = env.reset(seed=0)
robot = env.unwrapped.robot  # the simulated body itself, to look behind the scenes

print("observation:", observation.shape, observation.dtype)
low, high = env.action_space.low[0], env.action_space.high[0]
print(f"action:      {env.action_space.shape} from {low:g} to {high:g}")
print(f"mass:        {robot.mass:.1f} kg, body {robot.position[2]:.3f} m above the ground")

# %% [markdown]
# Whatever chooses the actions is called an *agent*, and its rule, from observation to action, is its
# *policy*. The simplest policy does the same all the time. This one stands. We record it, and draw
# every part where the simulator says it is.


# %%
def stand(observation):
    return [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5]  # part 3 says what these numbers mean


standing = quadlib.record(stand, env, seconds=0.1)
course.show(
    plots.robot_parts(standing, robot),
    alt="The Minitaur from its right: a flat body, at each end two motors on one axis, and legs that "
    "are diamonds of two upper and two lower legs, pinned at the foot. From above, motors numbered: "
    "front left 0 and 1, back left 2 and 3, front right 4 and 5, back right 6 and 7.",
)

# %% [markdown]
# **Each leg is a diamond.** Two motors sit on one axis at the hip. Each turns a short bar, the upper
# leg. Two longer bars, the lower legs, hang from the knees and are pinned together at the foot. With
# the body that makes a *five-bar linkage*: four moving bars, closed to a loop. Knees have no motors.
# The two motors together decide where the foot is.
#
# **The order of the motors** is the same everywhere in the course: legs front left, back left,
# front right, back right; in each leg first the motor called L, then R. L is the one further left. It
# turns the back half of a left leg, but the front half of a right leg: the two sides are mirrored.

# %%
from quadlib.world.robot import LEGS

motors = standing.poses[-1, np.array(robot.motors) + 1, :3]  # x, y, z of the 8 motors, m; pose 0: the body
knees = standing.poses[-1, np.array(robot.feet) + 1, :3]  # of the 8 knees
feet = standing.feet[-1]  # of the 4 feet
upper = np.linalg.norm((knees - motors)[:, [0, 2]], axis=1)
lower = np.linalg.norm((np.repeat(feet, 2, axis=0) - knees)[:, [0, 2]], axis=1)
for i, leg in enumerate(LEGS):
    print(f"{leg:12s} motors {2 * i} and {2 * i + 1}, upper legs {upper[2 * i]:.3f} m, "
          f"lower legs {lower[2 * i]:.3f} m")  # fmt: skip
UPPER, LOWER = 0.115, 0.200  # m, what we work with from here on
assert np.allclose(upper, UPPER, atol=0.002) and np.allclose(lower, LOWER, atol=0.004)

# %% [markdown]
# ### Exercise 1 ★ · Which motor is it?
#
# Return the number of a motor, 0 to 7, from the name of its leg (one of `LEGS`) and its side, `"L"` or
# `"R"`.


# %% tags=["exercise"]
def motor_number(leg, side):
    """The motor's place in the order of the robot."""
    ### BEGIN SOLUTION
    return 2 * LEGS.index(leg) + "LR".index(side)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def motor_number(leg, side):
    return LEGS.index(leg) + 4 * "LR".index(side)  # all L first


# %% tags=["check"]
course.check(
    motor_number,
    [(("front_left", "L"), 0), (("back_left", "R"), 3), (("back_right", "L"), 6)],
    hint="LEGS.index(leg) counts the legs 0 to 3; each leg before it has two motors",
)

# %% [markdown]
# ## 3 · Moving a leg · 10 min
#
# Eight motor angles are an awkward way to think about walking. What one wants to say is "swing the
# foot forward" or "make the leg longer". The **leg model** translates. Say $\theta_b$ and
# $\theta_f$ are the angles of the back and the front motor of a leg, both counted from straight up:
# the front one forward and down, the back one backward and down. Then
#
# * turning **both by the same amount** moves the two knees down or up: the leg gets longer or
#   shorter. This is *extension* $e$;
# * turning them **against each other** turns the whole diamond: the foot goes forward or backward.
#   This is *swing* $s$.
#
# $$\theta_b = m + \tfrac{\pi}{4} s, \qquad \theta_f = m - \tfrac{\pi}{4} s, \qquad
# m = \pi - \tfrac{\pi}{4}(1.5 - e), \qquad s, e \in [-1, 1]$$
#
# An action is four numbers for the swing of the legs and four for their extension. The simulator
# counts the second group the other way round: +1 is the shortest leg. So we turn the sign once,
# here, and forget about it.


# %%
def leg_action(swing, extension):
    """The action (8,) from swing and extension: one number for all legs, or four."""
    return np.concatenate([np.broadcast_to(swing, 4), -np.broadcast_to(extension, 4)])


from quadlib.world.env import leg_model

print("motor angles in degrees for swing 0.5 and extension 0:")
print(np.degrees(leg_model(leg_action(swing=0.5, extension=0))).round(1))

# %% [markdown]
# > **A name to be careful with.** The code of MinitaurBulletEnv, from which this formula comes,
# > calls the first four numbers `extension`. We thought so too, until we looked at where the foot
# > goes. The next cells check it: the first four swing, the last four extend. Names are claims. Test
# > them.
#
# A little trigonometry gives the rest. The diamond is symmetric about the line from hip to foot, and
# that line leans by the angle $\frac{\pi}{4} s$. Its length $r$ follows from the two bars:
#
# $$r = -a \cos m + \sqrt{b^2 - a^2 \sin^2 m}, \qquad a = 0.115 \text{ m}, \; b = 0.200 \text{ m}.$$


# %%
def leg_points(swing, extension):
    """Hip, front knee, foot, back knee, hip: (5, 2) in m, x forward and z up from the hip."""
    m, turn = np.pi - np.pi / 4 * (1.5 - extension), np.pi / 4 * swing
    r = -UPPER * np.cos(m) + np.sqrt(LOWER**2 - (UPPER * np.sin(m)) ** 2)
    front, back = m - turn, m + turn  # motor angles, from straight up
    return np.array([
        (0, 0),
        (UPPER * np.sin(front), UPPER * np.cos(front)),
        (r * np.sin(turn), -r * np.cos(turn)),
        (-UPPER * np.sin(back), UPPER * np.cos(back)),
        (0, 0),
    ])  # fmt: skip


# %% [markdown]
# Is it true for the simulated robot? We push it through several poses and compare the foot of the
# front left leg with the formula. The motors give way under the weight, so we put in the angles that
# were reached, not those that were asked for.

# %%
largest = 0.0
for swing, extension in [(0, -0.5), (0.3, -0.3), (-0.3, -0.3), (0.4, 0), (0, 0.3)]:
    action = leg_action(swing, extension)
    pose = quadlib.record(lambda _, action=action: action, env, seconds=0.4)
    back, front = robot.angles[:2]  # motors 0 and 1; L is the back one here
    reached = (back - front) / 2 / (np.pi / 4), 1.5 - (np.pi - (back + front) / 2) / (np.pi / 4)
    hip = pose.poses[-1, np.array(robot.motors[:2]) + 1, :3].mean(axis=0)
    simulated, formula = (pose.feet[-1, 0] - hip)[[0, 2]], leg_points(*reached)[2]
    largest = max(largest, np.linalg.norm(simulated - formula))
    print(f"swing {swing:4}, extension {extension:4}: foot at {simulated.round(3)}, "
          f"formula {formula.round(3)} m")  # fmt: skip
assert largest < 0.02

# %% [markdown]
# Close, and the rest has reasons: the body leans a little, and the pin sits 5 to 10 mm beside the
# middle of the bars. Now look at what the two numbers do.


# %%
def draw_leg(axes, points, color=plots.COLORS["blue"]):
    axes.plot(*points.T, color=color, linewidth=4, solid_capstyle="round")
    axes.plot(*points[[1, 3]].T, "o", color="white", markeredgecolor=color, markersize=7)
    axes.plot(*points[0], "o", color="0.25", markersize=14)  # the motors
    axes.plot(*points[2], "o", color=plots.COLORS["vermillion"], markersize=8)  # the foot


# %%
figure, panels = plt.subplots(1, 5, figsize=(11, 3.4), sharey=True, sharex=True)
poses = [(0, -1), (0, 0), (0, 1), (-0.7, 0), (0.7, 0)]
for axes, (swing, extension) in zip(panels, poses, strict=True):
    draw_leg(axes, leg_points(swing, extension))
    axes.set(title=f"swing {swing:g}\nextension {extension:g}", aspect="equal")
    axes.set_xlabel("forward (m)")
panels[0].set(ylabel="up from the hip (m)", ylim=(-0.34, 0.08), xlim=(-0.19, 0.19))
course.show(
    figure,
    alt="A leg as a diamond in five poses. Extension -1, 0, 1: the foot is 0.13, 0.21 and 0.30 m "
    "below the hip. Swing -0.7 and 0.7: the foot is behind and in front of the hip.",
)

# %% [markdown]
# Two numbers in, one foot position out: the leg model is polar coordinates for feet. Move the
# sliders. The grey dots are all places that the foot can reach.


# %%
def leg_explorer(swing, extension):
    grid = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-1, 1, 21))
    reachable = np.array([leg_points(s, e)[2] for s, e in np.transpose(grid).reshape(-1, 2)])
    figure, axes = plt.subplots(figsize=(5.6, 4))
    axes.plot(*reachable.T, ".", color="0.8", markersize=4)
    points = leg_points(swing, extension)
    draw_leg(axes, points)
    axes.set(xlabel="forward (m)", ylabel="up from the hip (m)", aspect="equal")
    back, front = np.degrees(leg_model(leg_action(swing, extension))[:2])
    axes.set_title(f"motors at {back:.0f}° (back) and {front:.0f}° (front)")
    return figure


figure = leg_explorer(swing=0.5, extension=0.5)
course.show(figure, alt="A leg with its foot in front, and grey dots for the reachable region: a fan "
            "between 0.13 and 0.30 m from the hip, 45 degrees to each side.")  # fmt: skip

# %%
widgets.explore(
    leg_explorer,
    alt="The leg at swing {swing:g} and extension {extension:g}.",
    swing=np.linspace(-1, 1, 9),
    extension=np.linspace(-1, 1, 9),
)

# %% [markdown]
# ### Exercise 2 ★★ · Put the foot there
#
# A planner wants the foot at $(x, z)$ metres from the hip. Which swing and extension does that
# take? This is *inverse kinematics*, and for this leg it has an exact solution.
#
# The direction of the foot gives the swing. For the extension, look at the triangle of hip, knee and
# foot: its sides are $a$, $b$ and $r$, so the law of cosines gives the angle $\varphi$ at the hip,
# and $m = \pi - \varphi$.


# %% tags=["exercise"]
def place_foot(x, z):
    """(swing, extension) for a foot at x forward and z up from the hip, in m; z is negative."""
    ### BEGIN SOLUTION
    r = np.hypot(x, z)
    swing = np.arctan2(x, -z) / (np.pi / 4)
    phi = np.arccos((UPPER**2 + r**2 - LOWER**2) / (2 * UPPER * r))
    return swing, 1.5 - phi / (np.pi / 4)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def place_foot(x, z):
    r = abs(z)  # forgets that a leaning leg is longer
    phi = np.arccos((UPPER**2 + r**2 - LOWER**2) / (2 * UPPER * r))
    return np.arctan2(x, -z) / (np.pi / 4), 1.5 - phi / (np.pi / 4)


# %% tags=["wrong-answer"]
def place_foot(x, z):
    r = np.hypot(x, z)
    phi = np.arccos((UPPER**2 + r**2 - LOWER**2) / (2 * UPPER * r))
    return np.arctan2(x, -z), 1.5 - phi / (np.pi / 4)  # radians, not a share of 45 degrees


# %% tags=["check"]
wanted = [(0.0, 0.0), (0.5, 0.5), (-0.8, -0.3), (1.0, 1.0)]
course.check(
    place_foot,
    [(tuple(leg_points(s, e)[2]), (s, e)) for s, e in wanted],
    hint="r = distance from hip to foot; swing 1 is 45°; m = π − φ and m = π − π/4 (1.5 − e)",
    tolerance=1e-4,
)

# %% [markdown]
# ### A first gait
#
# With this language a trot is one line of sines. Each foot goes round: back while its leg is long
# and stands, forward while it is short and in the air. Diagonal legs move together, the two
# diagonals half a period apart. `swing` says how far the feet go forward and back, `lift` how far up
# and down, `extension` how long the legs are on average. This trot is our test animal; part 8 makes
# it better.

# %%
TROT = np.array([0, 0.5, 0.5, 0])  # phase of the legs FL, BL, FR, BR, in periods


def gait(t, frequency=2.5, swing=0.5, lift=0.3, extension=-0.1, phases=TROT):
    """The action at time t (s) of feet that go round `frequency` times a second."""
    angle = 2 * np.pi * (frequency * t + np.asarray(phases))
    return leg_action(swing * np.cos(angle), extension + lift * np.sin(angle))


# %% [markdown]
# `play` runs any function of time and keeps what happened: the observations, the reward's terms, and
# in each step a `Step`, the record of what the simulator did.


# %%
def play(env, action_at, seconds=4.0, seed=0, **parameters):
    """(observations, steps, terms): array (n, 28), a list of Step, a list of {name: number}."""
    observation, _ = env.reset(seed=seed)
    observations, steps, terms = [], [], []
    for k in range(round(seconds * 100)):
        action = action_at(k * 0.01, **parameters)
        observation, reward, terminated, truncated, info = env.step(action)
        observations.append(observation)
        steps.append(info["step"])
        terms.append(info["reward_terms"])
        if terminated or truncated:
            break
    return np.array(observations), steps, terms


# %%
def series(steps, name):
    """One field of all steps as an array, for example `series(steps, "height")`."""
    return np.array([getattr(step, name) for step in steps])


# %%
observations, steps, terms = play(env, gait)
x, t = series(steps, "x"), series(steps, "time")
assert len(steps) == 400 and x[-1] > 1
print(f"{x[-1]:.2f} m in {t[-1]:.0f} s, by hand")

# %% [markdown]
# ## 4 · The motor · 9 min
#
# Between the angle that we command and the torque that the leg feels there is a real motor. Three
# formulas describe it, with the constants of the robot of Tan et al. (2018).
#
# 1. A **PD controller** turns the error of the angle into a *duty cycle*, the fraction of the
#    battery's voltage that is switched on:
#    $u = \operatorname{clip}\big(k_p (q^* - q) - k_d\, \dot q, \; -1, 1\big)$. Here $q^*$ is the
#    commanded angle, $q$ the angle, $\dot q$ the speed; $k_p = 1$ /rad and $k_d = 0.02$ s/rad. It
#    works like a spring with a damper.
# 2. A turning motor is also a generator. Its *back-EMF* eats voltage:
#    $I = \dfrac{u V - K_t\, \dot q}{R}$ with $V = 16$ V, $R = 0.186\ \Omega$,
#    $K_t = 0.0954$ V·s/rad.
# 3. The current makes **torque**: $\tau = K_t I$ for small currents. Above 10 A the iron begins to
#    saturate, and every further ampere gives less.

# %%
from quadlib.world.motor import RESISTANCE, SATURATION_TORQUE, SPEED_LIMIT, TORQUE_CONSTANT, DCMotor

motor = DCMotor()
current = np.linspace(0, 80, 161)  # A
torque, _ = motor.torques(current * RESISTANCE / motor.voltage, np.zeros(161))  # blocked rotor
speed = np.linspace(0, SPEED_LIMIT, 200)  # rad/s
duty_cycles = (0.25, 0.5, 0.75, 1.0)
applied = {u: motor.torques([u] * 200, speed)[0] for u in duty_cycles}
used = series(steps, "motor_speeds"), series(steps, "applied_torques")  # in our trot

# %%
figure, (left, right) = plt.subplots(1, 2, width_ratios=[1, 1.5])
left.plot(current, TORQUE_CONSTANT * current, ":", color="0.4", label="without saturation")
left.plot(current, torque, label="this motor")
left.set(xlabel="current (A)", ylabel="torque (N·m)", ylim=(0, 6), xlim=(0, 80))
left.legend(fontsize=9)
for (u, curve), style in zip(applied.items(), ["-.", ":", "--", "-"], strict=True):
    right.plot(speed, curve, style, label=f"{u:.0%}")
right.plot(*(abs(values).ravel() for values in used), ".", color="0.6", ms=2, label="our trot")
right.set(xlabel="speed (rad/s)", ylabel="applied torque (N·m)", xlim=(0, 170), ylim=(0, 4))
right.legend(title="duty cycle", fontsize=9)
course.show(
    figure,
    alt="Left: torque over current; it follows a line to 1 N·m at 10 A and then bends to 3.5 at 60 A."
    " Right: torque falls with speed, to zero where back-EMF equals the voltage; at full duty cycle "
    "it is 3.5 N·m up to 50 rad/s. Our trot stays below 15 rad/s, with torques from 0 to 3.5.",
)

# %% [markdown]
# The motor is strong when it is slow, and helpless at its top speed, where the back-EMF equals the
# supply: $V / K_t$ = 168 rad/s at full duty cycle. Our trot lives at the left edge: its motors turn
# slowly, back and forth, and sometimes give all they have.
#
# ### Exercise 3 ★★ · Stall torque
#
# How much torque does a blocked rotor give ($\dot q = 0$) at duty cycle $u$? Compute the current,
# then read the torque from the saturation table. `np.interp(x, xs, ys)` draws straight lines through
# the table. (Positive $u$ is enough.)

# %%
table_current = np.arange(7) * 10.0  # A
table_torque = np.array(SATURATION_TORQUE)  # N·m
for amperes, newton_metres in zip(table_current, table_torque, strict=True):
    print(f"{amperes:4.0f} A   {newton_metres:.2f} N·m")


# %% tags=["exercise"]
def stall_torque(u, voltage=16.0):
    """Torque in N·m of a blocked motor at duty cycle u in [0, 1]."""
    ### BEGIN SOLUTION
    return np.interp(u * voltage / RESISTANCE, table_current, table_torque)
    ### END SOLUTION


# %% tags=["wrong-answer"]
def stall_torque(u, voltage=16.0):
    return TORQUE_CONSTANT * u * voltage / RESISTANCE  # no saturation


# %% tags=["wrong-answer"]
def stall_torque(u, voltage=16.0):
    return u * np.interp(voltage / RESISTANCE, table_current, table_torque)  # scales the torque


# %% tags=["check"]
course.check(
    stall_torque,
    [
        ((u, v), DCMotor(v).torques([u], [0.0])[0][0])
        for u in (0.05, 0.3, 0.6, 1.0)
        for v in (14, 16)
    ],
    hint="the current is u · voltage / RESISTANCE; the table gives the torque at that current",
)

# %% [markdown]
# ### What is reported is not what the leg feels
#
# There is no torque sensor on this robot. The motor's driver *computes* a torque from the duty cycle
# alone: $K_t\, u V / R$, clipped at 5.7 N·m. It forgets the back-EMF and the saturation. This
# **observed** torque is what the policy sees and what the reward uses. The **applied** torque is
# what moves the leg.

# %%
seen, felt = (series(steps, name)[100:200] for name in ("torques", "applied_torques"))
figure, (left, right) = plt.subplots(1, 2, width_ratios=[1.5, 1])
left.plot(t[100:200], seen[:, 1], "--", color=plots.COLORS["vermillion"], label="observed")
left.plot(t[100:200], felt[:, 1], label="applied")
left.set(xlabel="time (s)", ylabel="torque of motor 1 (N·m)")
left.legend()
right.plot(seen.ravel(), felt.ravel(), ".", markersize=3)
right.plot([-4, 4], [-4, 4], ":", color="0.4", label="if they agreed")
right.set(xlabel="observed torque (N·m)", ylabel="applied torque (N·m)")
right.legend(fontsize=9)
course.show(
    figure,
    alt="Observed and applied torque of one motor over a second of trot: same shape, the observed "
    "one has higher peaks. Beside it one against the other: points scatter around a flat curve.",
)
print(f"largest: observed {abs(seen).max():.2f}, applied {abs(felt).max():.2f} N·m")

# %% [markdown]
# ### Overheating
#
# A motor that gives more than 2.45 N·m for a full second without a break is switched off until the
# next reset. So strong pushes must be short. Let us block three motors and command them away.

# %%
from quadlib.world.motor import OVERHEAT_TORQUE, OverheatProtection

errors = [0.2, 0.4, 0.6]  # rad, commanded angle minus angle
blocked, _ = motor.torques(motor.pulse_widths(errors, [0] * 3, [0] * 3), [0] * 3)
protection = OverheatProtection(motors=3, time_step=0.002)
history = np.array([protection.limit(blocked) for _ in range(750)])
assert history[-1, 0] > 0 and np.all(history[-1, 1:] == 0)

# %%
figure, axes = plt.subplots(figsize=(8, 3.2))
for error, torque, style in zip(errors, history.T, ["-", "--", "-."], strict=True):
    axes.plot(np.arange(750) * 0.002, torque, style, label=f"{error} rad off: {torque[0]:.2f} N·m")
axes.axhline(OVERHEAT_TORQUE, color="0.4", linewidth=1)
axes.text(1.05, OVERHEAT_TORQUE + 0.08, "limit 2.45 N·m", color="0.4")
axes.set(xlabel="time (s)", ylabel="applied torque (N·m)", ylim=(0, 4))
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
course.show(figure, alt="Torque of three blocked motors over time. Those above 2.45 N·m fall to zero "
            "after one second, the weakest one goes on.")  # fmt: skip

# %% [markdown]
# ### Legs and motors together
#
# Now the whole robot, on its eight springs. All legs are told where to go; 0.4 s later we look.
# On the left the robot, with dots where the front right leg was told to be. On the right torque over
# speed of that leg's two motors: their way there as lines, where they are now as marks. The heat is
# $I^2 R$, the price of a motor that only holds still.

# %%
from quadlib.showing.leg_explorer import draw_stance, explore_legs

figure, words = draw_stance(swing=0, extension=0, load=4)  # 4 kg on its back
course.show(figure, alt=f"The robot from its right, beside torque over speed of two motors. {words}")

# %%
explore_legs()

# %% [markdown]
# Load it with 8 kg, then go from 16 V down to 8 V. The torque hardly changes, because the weight does
# not; but the legs give way much further. The stiffness of these springs is proportional to the
# voltage: an empty battery makes a soft robot.

# %% [markdown]
# ## 5 · State and action · 6 min
#
# A policy sees 28 numbers, a hundred times a second. They are what a real Minitaur could measure:
#
# | Index | What | Unit | Bound |
# |---|---|---|---|
# | 0 … 7 | motor angles | rad | π |
# | 8 … 15 | motor speeds | rad/s | 167.7 |
# | 16 … 23 | motor torques, as observed | N·m | 5.7 |
# | 24 … 27 | orientation of the body, a quaternion x, y, z, w | – | 1 |
#
# What is *not* among them: the position, the speed of the body, the contacts of the feet, the time.
# A policy has to get along without.


# %%
def draw_motors(axes, first):
    """Eight of the observed numbers over the second second of the trot, a colour per leg."""
    for i in range(8):
        values, style = observations[100:200, first + i], "-" if i % 2 == 0 else "--"
        leg = LEGS[i // 2].replace("_", " ") if style == "-" else None
        axes.plot(t[100:200], values, style, color=f"C{i // 2}", linewidth=1.3, label=leg)


# %%
rows = {"angle (rad)": 0, "speed (rad/s)": 8, "torque (N·m)": 16}
figure, panels = plt.subplots(4, 1, figsize=(9, 6.4), sharex=True)
for axes, (name, first) in zip(panels, rows.items(), strict=False):
    draw_motors(axes, first)
    axes.set_ylabel(name)
for i, style in enumerate(["-", "--", "-.", ":"]):
    panels[3].plot(t[100:200], observations[100:200, 24 + i], style, label="xyzw"[i])
panels[3].set(xlabel="time (s)", ylabel="quaternion")
panels[0].legend(loc="center left", bbox_to_anchor=(1, 0.5), title="L solid, R dashed")
panels[3].legend(loc="center left", bbox_to_anchor=(1, 0.5))
course.show(
    figure,
    alt="The 28 observed numbers over one second of trot, in four rows. Angles, speeds and torques "
    "repeat every 0.4 s; torques are cut flat at 5.7. The quaternion stays near 0, 0, 0, 1.",
)
assert observations.shape[1] == 28 and env.observation_space.contains(observations[-1])

# %% [markdown]
# The period of 0.4 s shows. Torque comes in humps, when a leg carries the robot; the flat tops are the
# 5.7 N·m at which the motor's report ends. The
# *quaternion* says how the body is turned: (0, 0, 0, 1) is not at all, and x, y and z grow with a
# turn about that axis. It stays near (0, 0, 0, 1): the body is almost level and looks straight ahead.
#
# **The action** is eight numbers between −1 and 1; what is outside is clipped. They are *wishes*: the
# leg model turns them into motor angles $q^*$, and the PD controller pulls. Its spring is soft, so a
# leg never quite does what it is told.

# %%
commands = np.array([leg_model(action) for action in series(steps, "action")])
angles = series(steps, "motor_angles")
figure, axes = plt.subplots(figsize=(8.5, 3.2))
axes.plot(
    t[100:200], commands[100:200, 0], "--", color=plots.COLORS["vermillion"], label="commanded"
)
axes.plot(t[100:200], angles[100:200, 0], label="reached")
axes.set(xlabel="time (s)", ylabel="angle of motor 0 (rad)")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
course.show(figure, alt="Commanded and reached angle of a motor in trot. The reached one follows "
            "a little later, and is bent where the leg carries weight.")  # fmt: skip
error = commands[100:] - angles[100:]
print(f"typical distance between wish and angle: {np.degrees(np.sqrt((error**2).mean())):.0f}°")

# %% [markdown]
# `quadlib.make(..., action_model="motor")` gives a policy the eight motor angles directly, without
# the leg model.

# %% [markdown]
# ## 6 · Reward and ending · 11 min
#
# The reward is the only thing that tells the robot what we want. The slides' reward has two terms:
#
# $$R_t = \underbrace{x_t - x_{t-1}}_{\text{forward}} \;-\; \underbrace{w\, \Delta t\, |\tau \cdot
# \dot q|}_{\text{energy}}, \qquad w = 0.005, \; \Delta t = 0.002 \text{ s}$$
#
# with the observed torques $\tau$ and the motor speeds $\dot q$ at the end of the step. Summed over
# an episode the first term is simply the distance in metres.
#
# > **Two things to know.** $\Delta t$ is the *physics* step. The control step is five times longer, so
# > the energy of each step counts for one fifth. And $|\tau \cdot \dot q|$ adds up all motors before
# > it takes the absolute value: a motor that brakes pays for one that drives. Both come from
# > MinitaurBulletEnv. We keep them, so that our numbers compare with published ones.
#
# Everything a reward may use comes in a `Step`. Here is one, from the middle of the trot.

# %%
units = {"time": "s", "dx": "m", "dy": "m", "height": "m", "tilt": "rad", "vx": "m/s",
         "yaw_rate": "rad/s", "energy": "J", "power": "W"}  # fmt: skip
for name, unit in units.items():
    print(f"{name:9s} {getattr(steps[200], name):8.4f} {unit}")
print("contacts ", *(leg for leg, down in zip(LEGS, steps[200].contacts, strict=True) if down))

# %% [markdown]
# `energy` is the slides' effort, with the two peculiarities above. `power` is what the legs really
# get, $\sum |\tau \dot q|$ with the torques that are applied: many times as much. And the
# contacts? The *commands* of diagonal legs move together; the feet touch down as they can.
#
# ### Term by term
#
# Three ways to spend four seconds, judged by the same reward.

# %%
ways = {
    "trot": gait,
    "stand": lambda t: leg_action(0, -0.5),
    "wiggle": lambda t: gait(t, frequency=2, swing=0.8, lift=0, extension=-0.2),
}
paid_for = {name: play(env, way)[2] for name, way in ways.items()}

# %%
figure, panels = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True)
for axes, (name, paid) in zip(panels, paid_for.items(), strict=True):
    forward, energy = (np.cumsum([term[k] for term in paid]) for k in ("forward", "energy"))
    axes.fill_between(t, forward, alpha=0.35, label="forward")
    axes.fill_between(t, energy, alpha=0.5, hatch="///", label="energy")
    axes.plot(t, forward + energy, color="black", label="return so far")
    axes.set(title=f"{name}: {forward[-1] + energy[-1]:.2f}", xlabel="time (s)", xlim=(0, 4))
    assert (forward[-1] + energy[-1] > 0) == (name == "trot")
panels[0].set_ylabel("sum of the reward")
panels[0].legend(fontsize=9)
course.show(
    figure,
    alt="Sums of the reward's terms over four seconds. Trot: forward grows to 2.3, energy to a small "
    "negative value. Stand: nearly zero. Wiggle: it pays for energy and gets nowhere.",
)

# %% [markdown]
# Trotting pays: effort costs little beside the metres. Wiggling, which is a trot without lifting the
# feet, costs more than it earns. And standing earns nothing; it even loses a few centimetres, because
# the feet of this simulation creep a little under the weight. (Part 9 says more about what to
# believe.)
#
# ### The reward cell
#
# Now your own. A reward is an ordinary function of a step. It returns a number, or several *named*
# numbers. They are added up, and the names come back in all plots.


# %%
def my_reward(step):
    return {"forward": step.dx, "energy": -0.005 * step.energy, "sideways": -0.1 * abs(step.dy)}


mine = quadlib.make("MinitaurIdeal", reward=my_reward)
_, _, paid = play(mine, gait)
for name in paid[0]:
    print(f"{name:9s} {sum(terms[name] for terms in paid):7.3f}")

# %% [markdown]
# Change a weight or add a term, and run the cell again. (All fields: `help(quadlib.Step)`.) In
# [notebook 3](03_ppo.ipynb) the same function trains a robot.
#
# ### When it goes wrong
#
# Everybody mistypes a name or takes the logarithm of zero. Then the error should say what happened, where, and
# what to try. Here are three broken rewards.


# %%
def with_a_typo(step):
    return {"forward": step.dx, "upright": -step.titl}


def without_return(step):
    step.dx - 0.005 * step.energy


def logarithm_of_zero(step):
    return np.log(step.dx - step.dx)


# %%
for broken in (with_a_typo, without_return, logarithm_of_zero):
    try:
        with np.errstate(all="ignore"):
            play(quadlib.make("MinitaurIdeal", reward=broken), gait)
        raise AssertionError("this reward should not have passed")
    except quadlib.RewardError as error:
        print(error, end="\n\n")

# %% [markdown]
# ### Exercise 4 ★★ · Pay for posture
#
# Write a reward with three named terms: `forward`, the displacement in x; `tilt`, −0.02 times the
# tilt squared; and `height`, −0.1 times the *shortfall* of the body's height below 0.18 m. A body
# above 0.18 m pays nothing.


# %% tags=["exercise"]
def posture_reward(step):
    """{"forward": ..., "tilt": ..., "height": ...}"""
    ### BEGIN SOLUTION
    shortfall = max(0.18 - step.height, 0.0)
    return {"forward": step.dx, "tilt": -0.02 * step.tilt**2, "height": -0.1 * shortfall}
    ### END SOLUTION


# %% tags=["wrong-answer"]
def posture_reward(step):
    return {"forward": step.dx, "tilt": -0.02 * step.tilt**2, "height": -0.1 * (0.18 - step.height)}


# %% tags=["wrong-answer"]
def posture_reward(step):
    shortfall = max(0.18 - step.height, 0.0)
    return {"forward": step.dx, "tilt": 0.02 * step.tilt**2, "height": -0.1 * shortfall}


# %% tags=["check"]
from dataclasses import replace


def terms_of_posture_reward(dx, tilt, height):
    """Your terms for the middle step of the trot, with three fields changed."""
    value = posture_reward(replace(steps[200], dx=dx, tilt=tilt, height=height))
    if value is None or value is ...:
        return None
    return tuple(value.get(name, np.nan) for name in ("forward", "tilt", "height"))


course.check(
    terms_of_posture_reward,
    [((0.01, 0.0, 0.2), (0.01, 0, 0)), ((0.0, 0.5, 0.16), (0, -0.005, -0.002)),
     ((-0.01, 0.1, 0.14), (-0.01, -0.0002, -0.004))],
    hint="both penalties are ≤ 0; max(…, 0) keeps a tall robot from being paid",
)  # fmt: skip

# %% [markdown]
# ### How an episode ends
#
# After 1000 steps, ten seconds, the time is up: the episode is *truncated*. It is *terminated*
# earlier when the robot falls: its body sinks below 0.13 m, or tilts by more than 32°, where the
# cosine of the tilt is 0.85. Three ways to get there:

# %%
from itertools import count


def on_the_clock(action_at, **parameters):
    """A policy for `quadlib.record` that looks at the clock and never at the observation."""
    ticks = count()
    return lambda observation: action_at(next(ticks) * 0.01, **parameters)


# %%
left_up = np.array([1, 1, -0.5, -0.5])
falls = {
    "sinks": lambda t: leg_action(0, max(-0.5 - 0.5 * t, -1)),
    "tips over": lambda t: leg_action(0, np.clip(-0.5 + t * left_up, -1, 1)),
    "too eager": lambda t: leg_action(np.sin(4 * np.pi * t), 0.6),
}
fallen = {name: quadlib.record(on_the_clock(way), env) for name, way in falls.items()}
figure, panels = plt.subplots(1, 3, figsize=(10, 3))
for axes, (name, fall), view in zip(panels, fallen.items(), ["side", "front", "side"], strict=True):
    plots.draw_robot(axes, fall, -1, view)
    axes.axhline(0.13, color=plots.COLORS["vermillion"], linestyle="--", linewidth=1)
    axes.set(title=f"{name}, {view} view", ylim=(-0.03, 0.45))
course.show(figure, alt="The robot at the end of three episodes: on folded legs, leaning to one side, "
            "nose down.")  # fmt: skip

# %%
figure, (left, right) = plt.subplots(1, 2)
for (name, way), style in zip(falls.items(), ["-", "--", "-."], strict=True):
    _, now, _ = play(env, way)
    assert now[-1].fallen
    left.plot(series(now, "time"), series(now, "height"), style, label=name)
    right.plot(series(now, "time"), np.cos(series(now, "tilt")), style, label=name)
for axes, limit in ((left, 0.13), (right, 0.85)):
    axes.axhline(limit, color="black", linewidth=1)
left.set(xlabel="time (s)", ylabel="height of the body (m)")
right.set(xlabel="time (s)", ylabel="cosine of the tilt")
right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
course.show(
    figure,
    alt="Height and cosine of the tilt over time for three falls. One curve ends where the height "
    "crosses 0.13 m, two end where the cosine crosses 0.85.",
)

# %%
quadlib.replay(fallen)

# %% [markdown]
# Falling costs nothing by itself. There is no penalty in the reward. What it costs is the future: all
# the metres that the robot could still have been paid for.

# %% [markdown]
# ## 7 · An imperfect world · 7 min
#
# So far everything was exact. The environment of the slides, `quadlib/Minitaur-v0`, is not: its
# sensors are noisy and late, and no two episodes have the same robot.
#
# ### Noise and latency
#
# Same robot, same actions. Only the senses differ. (The motors' own controllers are faster than the
# policy and get true values.)

# %%
senses = {
    "as in the course:\nnoise, 1.5 ms late": {"velocity_noise": 0.5, "latency": 0.0015},
    "exaggerated:\n20 ms late": {"latency": 0.020},
}

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
for axes, (name, variations) in zip(panels, senses.items(), strict=True):
    sensed, then, _ = play(quadlib.make("MinitaurIdeal", variations=variations), gait)
    assert np.all(series(then, "x") == x)  # what the robot senses does not change what it does
    true = series(then, "motor_speeds")[100:140, 0]
    axes.plot(t[100:140], true, color="black", label="true")
    axes.plot(
        t[100:140], sensed[100:140, 8], "--", color=plots.COLORS["vermillion"], label="observed"
    )
    axes.set(title=name, xlabel="time (s)")
panels[0].set_ylabel("speed of motor 0 (rad/s)")
panels[0].legend()
course.show(
    figure,
    alt="True and observed speed of a motor over 0.4 s. Left: the observed one is a little rough. "
    "Right: the same curve, two control steps late.",
)

# %% [markdown]
# 1.5 ms is less than one physics step of 2 ms. How can a simulation be late by a fraction of a step?
# It blends: three quarters of the reading one step ago, one quarter of the newest.
#
# ### Exercise 5 ★★ · A fraction of a step
#
# `readings[-1]` is the newest true value, `readings[-2]` the one `dt` seconds earlier, and so on.
# Return the value `latency` seconds ago; between two readings blend them linearly.


# %% tags=["exercise"]
def delayed(readings, latency, dt):
    """The blended reading `latency` seconds ago."""
    ### BEGIN SOLUTION
    steps_back, fraction = divmod(latency / dt, 1)
    newer, older = readings[-1 - int(steps_back)], readings[-2 - int(steps_back)]
    return (1 - fraction) * newer + fraction * older
    ### END SOLUTION


# %% tags=["wrong-answer"]
def delayed(readings, latency, dt):
    return readings[-1 - round(latency / dt)]  # whole steps only


# %% tags=["wrong-answer"]
def delayed(readings, latency, dt):
    steps_back, fraction = divmod(latency / dt, 1)
    newer, older = readings[-1 - int(steps_back)], readings[-2 - int(steps_back)]
    return fraction * newer + (1 - fraction) * older  # the wrong way round


# %% tags=["check"]
from quadlib.world.sensors import LatencyBuffer


def truth(readings, latency, dt):
    buffer = LatencyBuffer(dt, longest=0.01)
    for reading in readings:
        buffer.push([reading])
    return buffer.delayed(latency)[0]


inputs = [([0.0, 1.0, 4.0, 9.0, 16.0], late, 0.002) for late in (0.0005, 0.0015, 0.003, 0.0052)]
course.check(
    delayed,
    [(given, truth(*given)) for given in inputs],
    hint="divmod(latency / dt, 1) gives the whole steps and the fraction that is left",
)

# %% [markdown]
# ### No two robots are alike
#
# A policy that knows one perfect robot by heart may fail on the next one. Therefore each episode
# draws the robot anew. This is *domain randomization* (Tan et al., 2018), and it is how policies
# survive the way from simulation to hardware.

# %%
from quadlib.world.randomization import SLIDES

print("each episode draws uniformly from:")
for name, value in SLIDES.as_dict().items():
    if isinstance(value, tuple):
        print(f"  {name:14s} {value[0]:6g} … {value[1]:g}")
print("and adds Gaussian noise with the standard deviation:")
for name, value in SLIDES.as_dict().items():
    if name.endswith("noise"):
        print(f"  {name:18s} {value:g}")

# %% [markdown]
# Masses are factors, friction is a coefficient, motor damping is in V·s/rad, the battery in volts, the
# latency in seconds; noise has the unit of what it disturbs. What do twenty such robots do with the
# same four seconds of actions?

# %%
world = quadlib.make("Minitaur")
ends = []
figure, axes = plt.subplots(figsize=(9, 3.4))
for seed in range(course.budget(ci=3, lecture=20, full=20)):
    _, now, _ = play(world, gait, seed=seed)
    axes.plot(
        series(now, "x"), series(now, "y"), color=plots.COLORS["blue"], linewidth=1, alpha=0.5
    )
    axes.plot(now[-1].x, now[-1].y, "o", color=plots.COLORS["vermillion"], markersize=5)
    ends.append((now[-1].x, now[-1].y))
axes.plot(x, series(steps, "y"), "--", color="black", label="the ideal robot")
axes.set(xlabel="forward x (m)", ylabel="to the left y (m)")
axes.legend(loc="upper left")
course.show(figure, alt="Paths seen from above of twenty randomized robots that play the same "
            "actions: they spread out like a fan and end at different distances.")  # fmt: skip

# %%
ends = np.array(ends)
print(f"forward: {ends[:, 0].min():.2f} to {ends[:, 0].max():.2f} m, ideal {x[-1]:.2f} m")
assert np.ptp(ends[:, 0]) > 0.05

# %% [markdown]
# (The picture is stretched sideways: they all go nearly straight.) Same actions, different ends. A
# fixed sequence of actions cannot correct itself: it is *open-loop*. A policy that looks at the state
# can react. That is what learning is for.

# %% [markdown]
# ## 8 · Your own gait · 6 min
#
# Which legs move together makes the gait. The same circles of the feet, with other phases:

# %%
phases = {
    "trot (diagonals together)": (0, 0.5, 0.5, 0),
    "walk (one after the other)": (0, 0.25, 0.5, 0.75),
    "pace (left, then right)": (0, 0, 0.5, 0.5),
    "bound (front, then back)": (0, 0.5, 0, 0.5),
    "pronk (all at once)": (0, 0, 0, 0),
}


def judge(**parameters):
    """Distance (m), mean power (W) and cost of transport of four seconds of a gait."""
    _, now, _ = play(env, gait, **parameters)
    power, speed = series(now, "power").mean(), now[-1].x / now[-1].time
    return now[-1].x, power, power / (robot.mass * 10 * speed) if speed > 0.02 else np.inf


# %%
print(f"{'':28s} distance   power   cost of transport")
distances = {}
for name, order in phases.items():
    distances[name], power, cost = judge(phases=np.array(order))
    print(f"{name:28s} {distances[name]:6.2f} m {power:5.0f} W   {cost:8.2f}")
assert max(distances, key=distances.get).startswith("trot")

# %% [markdown]
# The *cost of transport* is power divided by weight times speed: how many joules it takes to carry
# one newton one metre. It has no unit. Power is mechanical here, without the motors' heat: in this
# sense a walking human is at about 0.05, and at 0.2 with all the food (Collins et al., 2005).
#
# For this robot and these sines the trot wins. Next question: how fast, how wide, how high, and which
# leg when? The gait maker walks each setting for a second: the robot where it ends, its right legs on
# the way in grey, the path of its body dashed, and below, when each foot is on the ground. A second is
# short, and the start is part of it. The button walks four.

# %%
from quadlib.showing.gait_maker import GaitMaker, draw_gait

figure, words = draw_gait(gait)
course.show(figure, alt=f"The robot after a second of trot, its legs on the way, and bars that show when "
            f"each foot is on the ground: diagonal feet mostly together. {words}")  # fmt: skip

# %%
GaitMaker(gait)

# %% [markdown]
# ### Exercise 6 ★★★ · Faster than we
#
# Our trot went a good two metres in four seconds. Find a gait that goes **more than 3 m in four
# seconds**, does not fall, and ends less than half a metre off its line. Use the gait maker, or let a
# loop search. Return the parameters that you found.


# %% tags=["exercise"]
def my_gait():
    """Parameters of `gait`: {"frequency": 3, "swing": 0.4, "phases": (0, 0.5, 0.5, 0)}, say."""
    ### BEGIN SOLUTION
    return {"frequency": 4.0, "swing": 0.6, "lift": 0.2, "extension": -0.3}
    ### END SOLUTION


# %% tags=["wrong-answer"]
def my_gait():
    return {"frequency": 2.5, "swing": 0.5, "lift": 0.3}  # the one we had


# %% tags=["wrong-answer"]
def my_gait():
    return {"frequency": 1.5, "swing": 0.9, "lift": 0.6, "extension": 0.2}  # greedy, and falls


# %% tags=["check"]
def try_my_gait(metres):
    """Plays your gait for four seconds and says how it went."""
    parameters = my_gait()
    if parameters is None or parameters is ...:
        return None
    _, now, _ = play(env, gait, **parameters)
    end = now[-1]
    good = end.x > metres and abs(end.y) < 0.5 and not end.fallen
    went = f"{end.x:.2f} m forward, {end.y:.2f} m sideways"
    return "far enough" if good else went + (f", fell after {end.time:.1f} s" if end.fallen else "")


course.check(
    try_my_gait,
    [((3.0,), "far enough")],
    hint="more steps per second, and longer ones; if it falls, change one thing at a time",
)

# %% [markdown]
# How far can sines get? A short random search, and the best gait that it finds. (Exercise 6 first: the
# next cell prints an answer.)

# %%
rng = np.random.default_rng(1)
trials = []
for _ in range(course.budget(ci=2, lecture=30, full=400)):
    parameters = {"frequency": rng.uniform(2, 4.5), "swing": rng.uniform(0.4, 0.8),
                  "lift": rng.uniform(0.1, 0.4), "extension": rng.uniform(-0.4, 0.1)}  # fmt: skip
    trials.append((*judge(**parameters), parameters))
distance, power, cost, best = max(trials, key=lambda trial: trial[0])
print(f"{distance:.2f} m in 4 s at {power:.0f} W:", {k: round(v, 2) for k, v in best.items()})

# %%
sines = quadlib.record(on_the_clock(gait, **best), env, seconds=4, label="best sines")
quadlib.film_strip(sines)

# %%
quadlib.replay({"best sines": sines, "learned": run})

# %% [markdown]
# The sines needed an idea of how legs work, and a few dozen trials. The learned one needed no
# idea, and many more trials. And it *looks*: its next action depends on what happened.

# %% [markdown]
# ## 9 · Can you trust the physics? · 2 min
#
# The environment runs in two versions. `physics="reference"` does exactly what MinitaurBulletEnv
# does, so that results can be compared with published ones. The course's tests hold it to recorded
# data: to the last bit on processors like the one that recorded them, closely on others.
# `physics="fast"`, the default, is the same robot with its fixed parts welded together and fewer
# iterations of the solver. How much faster, and how different? Five ways to spend four seconds:

# %%
from time import perf_counter

cases = {
    "standing": {"swing": 0, "lift": 0, "extension": -0.5},
    "our trot": {},
    "faster": {"frequency": 4.0, "swing": 0.6, "lift": 0.2, "extension": -0.3},
    "scuffing": {"frequency": 2.0, "swing": 0.4, "lift": 0.25, "extension": -0.2},
}

# %%
ends, rate, seconds = {}, {}, course.budget(ci=1, lecture=4, full=4)
print(" " * 10, *(f"{name:>12s}" for name in (*cases, "learned")))
for physics in ("fast", "reference"):
    judged = quadlib.make("MinitaurIdeal", physics=physics)
    start = perf_counter()
    played = [play(judged, gait, seconds, **gait_case)[1] for gait_case in cases.values()]
    rate[physics] = sum(map(len, played)) / (perf_counter() - start)
    ends[physics] = [now[-1].x for now in played]
    ends[physics].append(quadlib.record(runner, judged, seconds=seconds).distance)
    print(f"{physics:10s}", *(f"{end:10.2f} m" for end in ends[physics]))
print(f"fast makes {rate['fast'] / rate['reference']:.1f} times as many steps per second")
assert np.allclose(ends["fast"][1:3], ends["reference"][1:3], rtol=0.15, atol=0.05)

# %% [markdown]
# Clean gaits end within a few percent of each other. Two do not. In `fast` the standing robot creeps
# further. And where feet scuff the ground, a tiny difference decides whether a foot sticks or slips;
# after four seconds two honest simulations disagree. So never trust a gait that works in one physics
# only. Judge a learned agent in both.
#
# And does the same seed always give the same numbers? Not nearly the same: the same bits.

# %%
again, _, _ = play(quadlib.make("Minitaur"), gait, seed=3)
world.reset(seed=17)
assert np.array_equal(play(world, gait, seed=3)[0], again)
print("two environments, one seed:", again.size, "numbers, all of them identical")

# %% [markdown]
# ## Summary on one page
#
# **Facts.** A leg is a closed linkage with two motors; swing and extension are polar coordinates of
# its foot. Motors are springs with limits: voltage, back-EMF, saturation, heat. The policy sees 28
# numbers and never its own position. The reward says what we want, no more and no less.
#
# | | In this environment |
# |---|---|
# | Observation | 28 numbers: 8 angles (rad), 8 speeds (rad/s), 8 torques (N·m), quaternion |
# | Action | 8 numbers in [−1, 1]: 4 swings, 4 extensions (with the sign turned) |
# | Reward | Δx − 0.005 · 0.002 s · abs(τ · q̇), or any function of a `Step` |
# | Ending | body below 0.13 m or tilted beyond cos 0.85; cut off after 1000 steps |
# | Time | 1 step = 0.01 s = 5 physics steps |
# | `quadlib/MinitaurIdeal-v0` | exact senses, always the same robot |
# | `quadlib/Minitaur-v0` | noise, 1–2 ms latency, a new robot each episode |
#
# **What to know.** Observed torque is not applied torque. Actions are wishes. Open-loop gaits drift;
# a policy can react. A fall costs the future, not a fine.
#
# **In code**
# ```python
# env = quadlib.make("Minitaur", reward=my_reward)
# observation, info = env.reset(seed=0)
# observation, reward, terminated, truncated, info = env.step(action)
# ```
#
# Next: [notebook 3](03_ppo.ipynb), where the robot finds its gait by itself.

# %% [markdown]
# ## References
#
# - S. Collins, A. Ruina, R. Tedrake, M. Wisse, 2005. [Efficient bipedal robots based on passive-dynamic walkers](https://doi.org/10.1126/science.1107799). The cost of transport of people and robots.
# - J. Tan, T. Zhang, E. Coumans, A. Iscen, Y. Bai, D. Hafner, S. Bohez, V. Vanhoucke, 2018. [Sim-to-real: learning agile locomotion for quadruped robots](https://arxiv.org/abs/1804.10332). The robot, its motor model, latency and randomization; cited by the slides.
# - E. Coumans, Y. Bai, 2016–2021. [PyBullet, a Python module for physics simulation for games, robotics and machine learning](https://pybullet.org). MinitaurBulletEnv and the robot's description; cited by the slides.
# - M. Towers et al., 2024. [Gymnasium: a standard interface for reinforcement learning environments](https://arxiv.org/abs/2407.17032). `reset`, `step`, terminated and truncated.
# - G. Kenneally, A. De, D. E. Koditschek, 2016. [Design principles for a family of direct-drive legged robots](https://doi.org/10.1109/LRA.2016.2528294). The Minitaur and its five-bar legs.
