"""Figures of studies and finalists show what is in them; none is made up or left out."""

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest
from optuna.distributions import distribution_to_json
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from quadlib.search.finalists import Again
from quadlib.search.spaces import SPACES, checked_ranges
from quadlib.showing import finalist_plots, study_plots
from quadlib.showing.study_plots import importances, with_value

BUDGET = 1000


def made(count=40, score=lambda params: np.log(params["rollout"])):
    """A random study over the whole space: a third stopped at a fifth, one failed, one running."""
    space = SPACES["ppo"]
    study = optuna.create_study(direction="maximize", sampler=RandomSampler(seed=0))
    ranges = {k: distribution_to_json(v) for k, v in checked_ranges("ppo", space).items()}
    study.set_user_attr("plan", {"steps": BUDGET, "space": ranges})
    for number in range(count):
        trial = study.ask()
        space(trial)
        end = 200 if number % 3 == 2 else BUDGET
        if number < count - 1:
            for at in range(100, end + 1, 100):
                trial.report(score(trial.params) * at / BUDGET, at)
            if number == count - 2:
                study.tell(trial, state=TrialState.FAIL)
            elif end == BUDGET:
                study.tell(trial, score(trial.params))
            else:
                study.tell(trial, state=TrialState.PRUNED)
    return study


@pytest.fixture(scope="module")
def study():
    return made()


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def labels(axes):
    return axes.get_legend_handles_labels()[1]


def test_early_stops_count_and_failures_do_not(study):
    assert len(with_value(study)) == 38
    assert {trial.state for trial in with_value(study)} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_distributions_have_a_panel_for_each_hyperparameter_with_all_trials(study):
    figure = study_plots.distributions(study, {0: "the slides", 1: "the defaults"})
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == list(
        SPACES["ppo"](study.ask()) and study.trials[0].params
    )
    for axes in panels:
        assert sum(patch.get_height() for patch in axes.patches) == 38, axes.get_title()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["best tenth", "better half", "worse half", "the slides", "the defaults"]


def test_the_best_tenth_lies_where_the_best_trials_are(study):
    figure = study_plots.distributions(study)
    (axes,) = (axes for axes in figure.axes if axes.get_title() == "rollout")
    best = sorted(with_value(study), key=lambda trial: trial.value)[-4:]
    hatched = [patch for patch in axes.patches if patch.get_hatch() == "///"]
    assert sum(patch.get_height() for patch in hatched) == 4
    for trial in best:
        assert any(
            patch.get_height()
            and patch.get_x() <= trial.params["rollout"] <= patch.get_x() + patch.get_width()
            for patch in hatched
        )


def test_history_shows_each_kind_of_trial(study):
    (axes,) = study_plots.history(study, notes={0: "the slides"}).axes
    lines = {line.get_label(): line for line in axes.lines}
    counts = {label: len(line.get_xdata()) for label, line in lines.items()}
    assert counts == {"to its end": 26, "stopped early": 12, "failed": 1, "best so far": 26 + 1}
    numbers, best = lines["best so far"].get_data()
    assert np.all(np.diff(best) >= 0) and best[-1] == study.best_value
    assert numbers[-1] == len(study.trials) - 1, "the best goes on to the last trial"
    assert [text.get_text() for text in axes.texts] == ["the slides"]


def test_curves_end_where_the_trials_did(study):
    (axes,) = study_plots.early_stops(study).axes
    assert labels(axes) == ["to its end", "stopped early (×)", "best", "first look"]
    ends = [line.get_xdata()[-1] for line in axes.lines if len(line.get_xdata()) > 1]
    assert ends.count(BUDGET) == 26 + 1, "and the best once more"
    assert ends.count(200) == 12 + 1, "and the first look"


def test_what_decides_is_important():
    found = importances(made(120), resamples=10)
    means = {name: values.mean() for name, values in found.items()}
    assert max(means, key=means.get) == "rollout"
    assert all(values.shape == (10,) for values in found.values())
    np.testing.assert_allclose(sum(found.values()), 1.0)
    (axes,) = study_plots.importance_bars(found).axes
    assert axes.get_yticklabels()[-1].get_text() == "rollout"


def test_parallel_coordinates_have_a_line_for_each_trial(study):
    names = ["rollout", "units", "normalize_rewards", "n_epochs"]
    (axes,) = study_plots.parallel_coordinates(study, names).axes
    assert len(axes.lines) == 38 and set(labels(axes)) == {"best tenth (4)", "all others"}
    heights = np.array([line.get_ydata() for line in axes.lines])
    assert heights.min() >= 0 and heights.max() <= 1 and heights.shape == (38, 4)
    best = heights[-1]
    assert best[0] == max(heights[:, 0]), "the best trial is drawn last: it has the largest rollout"
    assert {"256", "8192", "32", "True", "1", "20"} <= {text.get_text() for text in axes.texts}


def again(study):
    """Three trials and another one, two seeds, returns of 10 (first), 30 and 20."""
    steps = np.array([500, 1000])
    ends = np.array([10.0, 30.0, 20.0, 5.0])
    returns = np.array([[end * steps / 1000 + seed for seed in (-1, 1)] for end in ends])
    return Again(["0", "1", "3", "defaults"], [7, 8], steps, returns)


def test_finalists_are_a_mean_in_a_band(study):
    figure = finalist_plots.finalist_curves(again(study), {"1": "best", "defaults": "ours"}, [500])
    (axes,) = figure.axes
    assert labels(axes) == ["best (2 seeds)", "ours (2 seeds)"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [15, 30])
    low, high = (
        extreme(axes.collections[0].get_paths()[0].vertices[:, 1]) for extreme in (min, max)
    )
    assert (low, high) == (14, 31)


def test_a_ranking_joins_the_places(study):
    (axes,) = finalist_plots.ranking(study, again(study), [500, 1000]).axes
    values = [study.trials[number].value for number in (0, 1, 3)]
    before = [sorted(values, reverse=True).index(value) + 1 for value in values]
    for line, first, place in zip(axes.lines, before, (3, 1, 2), strict=True):
        assert list(line.get_ydata()) == [first, place, place]
    assert axes.get_xticklabels()[1].get_text() == "at 500 steps,\n2 new seeds"
