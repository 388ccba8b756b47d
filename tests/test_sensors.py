"""Latency by hand: readings that are their own time stamp."""

import numpy as np
import pytest

from quadlib.world.sensors import LatencyBuffer, noise_scale


def filled(longest=0.01, readings=8):
    """Readings [0, 0], [1, 10], … pushed every 2 ms, the newest last."""
    buffer = LatencyBuffer(time_step=0.002, longest=longest)
    buffer.fill([0.0, 0.0])
    for k in range(1, readings):
        buffer.push([float(k), 10.0 * k])
    return buffer


def test_without_latency_the_newest_reading():
    assert filled().delayed(0.0) == [7.0, 70.0]


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_whole_steps_give_a_past_reading_itself(steps):
    assert filled().delayed(steps * 0.002) == [7.0 - steps, 70.0 - 10 * steps]


@pytest.mark.parametrize("latency, steps", [(0.001, 0.5), (0.0015, 0.75), (0.0075, 3.75)])
def test_fractions_blend_the_neighbours(latency, steps):
    assert filled().delayed(latency) == pytest.approx([7 - steps, 70 - 10 * steps])


def test_after_a_fill_the_past_is_forgotten():
    buffer = filled()
    buffer.fill([1.0, 2.0])
    assert buffer.delayed(0.01) == buffer.delayed(0.005) == [1.0, 2.0]


def test_the_longest_latency_is_within_reach():
    for longest in (*np.linspace(0.0, 0.06, 61), 1 / 3, 0.0006):
        buffer = filled(longest, readings=400)
        assert buffer.delayed(longest)[0] == pytest.approx(399 - longest / 0.002)


def test_noise_goes_to_the_sensor_it_is_meant_for():
    expected = [1.0] * 8 + [2.0] * 8 + [3.0] * 8 + [4.0] * 4
    assert noise_scale(angle=1, velocity=2, torque=3, orientation=4).tolist() == expected
