"""The full studies of notebook 5, by one command that can be killed and called again:

    make studies (STUDIES="ppo trpo")

A study grows in `.cache/studies.db`. When it is finished, it is kept as `studies/NAME.json` beside
this file, and the best six trials, the slides' settings, those of the long runs and the defaults
are trained again with three new seeds each: `studies/NAME_finalists.csv`.
"""

import argparse

from quadlib.learning.settings import LONG, SLIDES
from quadlib.search.finalists import agreement, train_again
from quadlib.search.studies import SHIPPED, cost, export
from quadlib.search.tuning import tune

# name: (trials, steps of each, steps of a finalist)
PLANS = {"ppo": (100, 100_000, 200_000), "trpo": (100, 200_000, 200_000)}


def main() -> None:
    """Make what is missing of the studies that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"all by default: {', '.join(PLANS)}")
    parser.add_argument("--storage", default=".cache/studies.db", help="a file or PostgreSQL URL")
    parser.add_argument("--no-finalists", action="store_true", help="the study alone")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PLANS):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(PLANS)}")
    for name in options.names or PLANS:
        trials, steps, long = PLANS[name]
        study = tune(name, trials=trials, steps=steps, storage=options.storage)
        if sum(trial.state.is_finished() for trial in study.trials) < trials:
            return  # stopped by hand
        export(study, SHIPPED / f"{name}.json")
        print(f"{name}: {cost(study)}; the slides needed about 24 hours")
        if options.no_finalists:
            continue
        again = train_again(
            study, SHIPPED / f"{name}_finalists.csv", steps=long,
            others={"slides": SLIDES[name], "long": LONG[name], "defaults": {}},
        )  # fmt: skip
        for at in dict.fromkeys((steps, long)):
            held = agreement(study, again, at)
            print(f"{name}: order held at {at:,} steps: {held}")
            for finalist, returns in zip(again.names, again.at(at), strict=True):
                print(f"  {finalist:>8}: {returns.mean():.2f}", [f"{each:.2f}" for each in returns])


if __name__ == "__main__":
    main()
