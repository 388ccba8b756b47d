"""Is one algorithm better than another? Numbers that say how sure we are, from a few trainings.

A score is what one training came to, such as an agent's mean return over 100 episodes. Trainings
with different seeds differ more than episodes of one agent do, so they are what is resampled.

Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice
(https://arxiv.org/abs/2108.13264), whose tasks are here whatever was measured separately: judges,
environments, or one alone.
"""

from collections.abc import Callable, Sequence

import numpy as np

RESAMPLES = 10_000  # of the bootstrap
# 97.5 % quantiles of Student's t with 1, 2 … 9 degrees of freedom (NIST/SEMATECH e-Handbook of
# Statistical Methods, 1.3.6.7.2).
STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def mean_return(curve: dict[str, np.ndarray], at: int, budget: int) -> float | None:
    """Mean training return of a curve over the tenth of the budget that ends with the update `at`.

    Each point of the curve is a mean over 20 episodes, exploration included, so this lags behind
    the policy: 20 whole episodes of the robot are 20,000 steps. None while no episode has ended.
    """
    end = np.searchsorted(curve["steps"], at) + 1  # the update that reached the step is the last
    rows = curve["steps"][:end] > at - budget / 10
    returns = curve["return"][:end][rows]
    returns = returns[np.isfinite(returns)]
    return float(returns.mean()) if len(returns) else None


def seeds_interval(scores: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean over trainings with different seeds.

    Student's t: with so few values a bootstrap interval is too narrow. One value says nothing about
    others: (−inf, inf). Raises ValueError for more than 10.
    """
    scores = np.asarray(scores, float)
    if len(scores) > len(STUDENT_T) + 1:
        raise ValueError(f"this is for up to 10 seeds, not {len(scores)}: use stratified_interval")
    if len(scores) == 1:
        return -np.inf, np.inf
    half = STUDENT_T[len(scores) - 2] * scores.std(ddof=1) / np.sqrt(len(scores))
    return float(scores.mean() - half), float(scores.mean() + half)


def interquartile_mean(scores: np.ndarray) -> np.ndarray:
    """Mean of the middle half along the last axis: a quarter is left out at each end, rounded down.

    One wild training cannot move it as it moves the mean, and it uses more than the median does
    (Agarwal et al. 2021, section 4.3). With fewer than 4 scores it is the mean.
    """
    scores = np.sort(np.asarray(scores, float), axis=-1)  # nan comes last
    cut = scores.shape[-1] // 4
    middle = scores[..., cut : scores.shape[-1] - cut].mean(axis=-1)
    return np.where(np.isnan(scores[..., -1]), np.nan, middle)


def stratified_interval(
    scores: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray] = interquartile_mean,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of all scores, with a fixed seed.

    Within each task the trainings are drawn again by themselves (Agarwal et al. 2021, section 4.1).

    Args:
        scores: (trainings,) or (trainings, tasks).
        statistic: of scores along the last axis.
    """
    scores = _table(scores)
    drawn = np.random.default_rng(0).integers(len(scores), size=(RESAMPLES, *scores.shape))
    resampled = np.take_along_axis(scores[None], drawn, axis=1)
    return _percentiles(statistic(resampled.reshape(RESAMPLES, -1)), level)


def probability_of_improvement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """How likely is it that a training of ours scores higher than one of theirs?

    The share of pairs that we win, an equal one counting half, averaged over tasks (Agarwal et al.
    2021, section 4.3; per task Mann and Whitney's U over the number of pairs).

    Args:
        ours, theirs: (trainings,) or (trainings, tasks); their numbers of trainings may differ.
    """
    return float(_won(_table(ours), _table(theirs)).mean())


def improvement_interval(
    ours: np.ndarray, theirs: np.ndarray, level: float = 0.95
) -> tuple[float, float]:
    """Stratified bootstrap interval of `probability_of_improvement`, both sides drawn again."""
    rng, won = np.random.default_rng(0), _won(_table(ours), _table(theirs))
    of_task = []
    for pairs in won:  # how often each training is drawn, in place of the drawn ones themselves
        a, b = (rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n for n in pairs.shape)
        of_task.append(((a @ pairs) * b).sum(axis=1))
    return _percentiles(np.mean(of_task, axis=0), level)


def _table(scores: np.ndarray) -> np.ndarray:
    """(trainings, tasks)."""
    scores = np.asarray(scores, float)
    return scores[:, None] if scores.ndim == 1 else scores


def _won(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(tasks, our trainings, their trainings): 1 where ours is higher, ½ where they are equal."""
    difference = ours.T[:, :, None] - theirs.T[:, None, :]
    return 0.5 * (1 + np.sign(difference))


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    tail = 50 * (1 - level)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
