"""The DC motor: torques worked out by hand from 16 V, 0.186 Ω and 0.0954 N·m/A."""

import pytest

from quadlib.world.motor import DCMotor, OverheatProtection

TIME_STEP = 0.002


def torque_at_current(ampere):
    """Applied torque at rest, with the duty cycle that drives this current."""
    (torque,), _ = DCMotor().torques([ampere * 0.186 / 16.0], [0.0])
    return torque


def test_stalled_at_full_supply_it_saturates():
    """16 V / 0.186 Ω = 86 A, far beyond the table's end; 0.0954 · 86 = 8.2 N·m is cut at 5.7."""
    assert DCMotor().torques([1.0], [0.0]) == ([3.5], [5.7])


@pytest.mark.parametrize(
    "ampere, torque",
    [(0, 0.0), (10, 1.0), (20, 1.9), (30, 2.45), (40, 3.0), (50, 3.25), (60, 3.5)],
)
def test_torque_at_the_tabulated_currents(ampere, torque):
    assert torque_at_current(ampere) == pytest.approx(torque, abs=1e-12)


@pytest.mark.parametrize("ampere, torque", [(5, 0.5), (15, 1.45), (22.5, 2.0375), (75, 3.5)])
def test_torque_is_linear_in_between_and_flat_beyond(ampere, torque):
    assert torque_at_current(ampere) == pytest.approx(torque, abs=1e-12)


def test_observed_torque_knows_no_saturation():
    """At 50 A the driver believes in 0.0954 · 50 = 4.77 N·m; the legs feel 3.25."""
    applied, observed = DCMotor().torques([50 * 0.186 / 16.0], [0.0])
    assert applied[0] == pytest.approx(3.25)
    assert observed[0] == pytest.approx(4.77)


def test_observed_torque_ignores_the_speed():
    _, observed = DCMotor().torques([0.3, 0.3], [0.0, 40.0])
    assert observed[0] == observed[1]


def test_back_emf_leaves_nothing_at_no_load_speed():
    applied, _ = DCMotor().torques([1.0], [16.0 / 0.0954])
    assert applied[0] == pytest.approx(0.0, abs=1e-9)


def test_back_emf_brakes_an_unpowered_motor():
    """20 rad/s · 0.0954 V·s/rad / 0.186 Ω = 10.26 A backwards: 1 + 0.026 · 0.9 N·m."""
    applied, _ = DCMotor().torques([0.0], [20.0])
    assert applied[0] == pytest.approx(-(1.0 + (20 * 0.0954 / 0.186 - 10) * 0.09), abs=1e-12)


def test_viscous_damping_lowers_the_no_load_speed():
    applied, _ = DCMotor(viscous_damping=0.0046).torques([1.0], [160.0])  # 160 · 0.1 = 16 V
    assert applied[0] == pytest.approx(0.0, abs=1e-9)


def test_both_directions_are_alike():
    widths, speeds = [0.1, 0.4, 1.0, -0.2], [3.0, -20.0, 90.0, 60.0]
    forwards = DCMotor().torques(widths, speeds)
    backwards = DCMotor().torques([-w for w in widths], [-s for s in speeds])
    assert [[-t for t in torques] for torques in backwards] == list(forwards)


def test_strength_scales_what_the_legs_feel_but_not_what_is_reported():
    applied, observed = DCMotor(strength=0.5).torques([1.0], [0.0])
    assert (applied, observed) == ([1.75], [5.7])


def test_a_weaker_battery_drives_less_current():
    """9.3 V · 0.2 / 0.186 Ω = 10 A: 1 N·m."""
    applied, observed = DCMotor(voltage=9.3).torques([0.2], [0.0])
    assert applied[0] == pytest.approx(1.0)
    assert observed[0] == pytest.approx(0.954)


def test_controller_acts_on_angle_and_speed():
    """1 · (0.5 − 0.2) − 0.02 · 5 = 0.2."""
    assert DCMotor().pulse_widths([0.5], [0.2], [5.0]) == [pytest.approx(0.2)]


def test_duty_cycle_stays_within_one():
    assert DCMotor().pulse_widths([3.0, -3.0], [0.0, 0.0], [0.0, 0.0]) == [1.0, -1.0]


def heat(protection, torque, steps):
    """The torques of the first of two motors, the second of which stays cool."""
    return [protection.limit([torque, 1.0])[0] for _ in range(steps)]


@pytest.mark.parametrize("torque", [2.5, -2.5])
def test_overheating_shuts_a_motor_off_after_one_second(torque):
    protection = OverheatProtection(2, TIME_STEP)
    assert heat(protection, torque, 500) == [torque] * 500
    assert heat(protection, torque, 1) == [0.0]


def test_a_motor_that_is_shut_off_stays_off():
    protection = OverheatProtection(2, TIME_STEP)
    heat(protection, 3.0, 501)
    assert heat(protection, 0.1, 1000) == [0.0] * 1000


def test_only_the_hot_motor_is_shut_off():
    protection = OverheatProtection(2, TIME_STEP)
    heat(protection, 3.0, 501)
    assert protection.limit([3.0, 1.0]) == [0.0, 1.0]
    assert protection.enabled == [False, True]


def test_a_break_cools_a_motor_down():
    protection = OverheatProtection(2, TIME_STEP)
    torques = heat(protection, 3.0, 400) + heat(protection, 2.0, 1) + heat(protection, 3.0, 500)
    assert 0.0 not in torques


def test_the_threshold_itself_is_not_too_hot():
    assert 0.0 not in heat(OverheatProtection(2, TIME_STEP), 2.45, 2000)
