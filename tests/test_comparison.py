"""Comparisons of a few trainings, worked out by hand."""

import numpy as np
import pytest
from toys import curve

from quadlib.judging.comparison import (
    improvement_interval,
    interquartile_mean,
    mean_return,
    probability_of_improvement,
    seeds_interval,
    stratified_interval,
)

BUDGET = 1000  # steps


def test_the_mean_return_is_over_a_tenth_of_the_budget():
    some = curve([850, 900, 901, 950, 1000], [9, 9, 1, 2, 6])
    assert mean_return(some, 1000, BUDGET) == 3.0
    assert mean_return(some, 900, BUDGET) == 9.0, "what came later does not count"
    assert mean_return(some, 870, BUDGET) == 9.0, "the update at 900 is the one that reached 870"


def test_what_is_not_known_yet_does_not_count():
    assert mean_return(curve([10, 20], [np.nan, 2]), 100, BUDGET) == 2.0
    assert mean_return(curve([10, 20], [np.nan, np.nan]), 100, BUDGET) is None


def test_a_rollout_may_be_longer_than_a_tenth():
    assert mean_return(curve([400, 800, 1200], [1, 2, 3]), 1000, BUDGET) == 3.0
    assert mean_return(curve([400, 800, 1200], [1, 2, 3]), 500, BUDGET) == 2.0


def test_the_interval_over_seeds_by_hand():
    """Mean 2, deviation 1, three seeds: 2 ± 4.303 / √3."""
    low, high = seeds_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 2.48434, 2 + 2.48434), abs=1e-5)


def test_one_seed_says_nothing_about_others():
    assert seeds_interval([7.0]) == (-np.inf, np.inf)


def test_the_interval_over_five_seeds_covers_the_truth_as_often_as_it_says():
    """A bootstrap of five would do so in 5 of 6 cases."""
    rng = np.random.default_rng(0)
    samples = rng.normal(1.0, 3.0, (2000, 5))
    held = [low <= 1.0 <= high for low, high in map(seeds_interval, samples)]
    assert 0.935 <= np.mean(held) <= 0.965


def test_many_seeds_are_for_the_bootstrap():
    with pytest.raises(ValueError, match="stratified_interval"):
        seeds_interval(range(11))


# ---- the interquartile mean ----------------------------------------------------------------------


def test_the_interquartile_mean_by_hand():
    """Of eight, two go at each end; of five, one; of three, none."""
    assert interquartile_mean([100, 1, 2, 3, 4, 5, 6, -100]) == 3.5  # of 2, 3, 4 and 5
    assert interquartile_mean([1, 50, 3, 4, 5]) == 4.0
    assert interquartile_mean([1, 2, 6]) == 3.0


def test_a_wild_training_does_not_move_it():
    assert interquartile_mean([1, 2, 3, 4]) == interquartile_mean([1, 2, 3, 1e9]) == 2.5


def test_what_is_not_known_is_not_left_out_as_if_it_were_the_best():
    scores = np.array([[1.0, 2.0, 3.0, np.nan], [1.0, 2.0, 4.0, 9.0]])
    np.testing.assert_array_equal(interquartile_mean(scores), [np.nan, 3.0])


def test_it_goes_along_the_last_axis():
    np.testing.assert_array_equal(interquartile_mean(np.arange(10.0).reshape(2, 5)), [2.0, 7.0])


# ---- its interval --------------------------------------------------------------------------------


def test_the_interval_of_a_coin_by_hand():
    """Means of two draws from 0 and 1: 0, ½ and 1 with probabilities ¼, ½, ¼."""
    assert stratified_interval([0.0, 1.0]) == (0.0, 1.0)
    assert stratified_interval([0.0, 1.0], level=0.4) == (0.5, 0.5)


def test_tasks_are_drawn_apart():
    """Equal within tasks: nothing to draw. Thrown together they would scatter."""
    scores = np.array([[0.0, 10.0]] * 6)
    assert stratified_interval(scores, lambda values: values.mean(axis=-1)) == (5.0, 5.0)
    low, high = stratified_interval(scores.ravel(), lambda values: values.mean(axis=-1))
    assert low < 4 and high > 6


def test_each_task_has_draws_of_its_own():
    """Two draws of each of two coins: all four are 0 in 1 of 16 cases; of one coin, 1 in 4."""

    def mean(values):
        return values.mean(axis=-1)

    two_coins = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert stratified_interval(two_coins, mean, level=0.80) == (0.25, 0.75)
    assert stratified_interval(two_coins, mean, level=0.90) == (0.0, 1.0)
    assert stratified_interval([0.0, 1.0], mean, level=0.80) == (0.0, 1.0)


def test_another_statistic():
    low, high = stratified_interval([1.0, 2.0, 9.0], lambda values: values.max(axis=-1))
    assert (low, high) == (1.0, 9.0)  # all three draws are 1 in 1 of 27 cases, above 2.5 %


def test_the_interval_is_the_same_each_time():
    scores = np.random.default_rng(0).normal(size=(5, 3))
    assert stratified_interval(scores) == stratified_interval(scores)


# ---- probability of improvement ------------------------------------------------------------------


def test_the_share_of_pairs_that_are_won_by_hand():
    """4 wins over 1 and 3; 2 wins over 1 alone; 3 wins over 1 and is level with 3."""
    assert probability_of_improvement([4, 2, 3], [1, 3]) == pytest.approx((2 + 1 + 1.5) / 6)
    assert probability_of_improvement([1, 3], [4, 2, 3]) == pytest.approx(1.5 / 6)


def test_equal_trainings_are_a_draw():
    assert probability_of_improvement([5.0, 5.0], [5.0, 5.0, 5.0]) == 0.5


def test_tasks_count_alike():
    """The first task is won, the second lost: pairs are never made across tasks."""
    ours, theirs = [[10.0, 0.0], [11.0, 1.0]], [[1.0, 20.0], [2.0, 21.0]]
    assert probability_of_improvement(ours, theirs) == 0.5


def test_the_interval_of_two_coins_by_hand():
    """Two draws of {0, 2} against 1: we win 0, ½ or 1 with probabilities ¼, ½, ¼."""
    assert improvement_interval([0, 2], [1]) == (0.0, 1.0)
    assert improvement_interval([0, 2], [1], level=0.4) == (0.5, 0.5)
    assert improvement_interval([1], [0, 2], level=0.4) == (0.5, 0.5)


def test_the_interval_of_a_sure_win_is_one():
    assert improvement_interval([4, 5, 6], [1, 2, 3]) == (1.0, 1.0)


def test_the_interval_holds_the_estimate_and_knows_what_few_seeds_cannot_say():
    rng = np.random.default_rng(3)
    few = rng.normal(0.5, 1, 5), rng.normal(0, 1, 5)
    many = rng.normal(0.5, 1, 200), rng.normal(0, 1, 200)
    for ours, theirs in (few, many):
        low, high = improvement_interval(ours, theirs)
        assert low < probability_of_improvement(ours, theirs) < high
    wide, narrow = (np.diff(improvement_interval(*each)).item() for each in (few, many))
    assert wide > 4 * narrow


def test_the_probability_of_two_normal_distributions():
    """P(X > Y) for N(1, 1) and N(0, 1) is Φ(1 / √2) = 0.7602."""
    rng = np.random.default_rng(0)
    estimate = probability_of_improvement(rng.normal(1, 1, 2000), rng.normal(0, 1, 2000))
    assert estimate == pytest.approx(0.7602, abs=0.02)
