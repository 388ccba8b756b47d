"""Times MinitaurBulletEnv, without its randomizer, on the actions of a recorded gait.

Runs where the old gym is (see foreign.py). Answers each line of standard input, "reset" or "FIRST
LAST" for a stretch of the gait, with processor seconds; after the last one prints x in m.
usage: clock.py RECORDING GAIT
"""

import os
import sys
from time import thread_time

import numpy as np


def main(recording: str, gait: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Bullet and the environment print
    from pybullet_envs.bullet.minitaur_gym_env import MinitaurBulletEnv

    actions, env = np.load(recording)[f"{gait}/actions"], MinitaurBulletEnv(env_randomizer=None)
    for line in sys.stdin:
        start = thread_time()
        if line.strip() == "reset":
            env.reset()
        else:
            for action in actions[slice(*map(int, line.split()))]:
                env.step(action)
        print(thread_time() - start, file=answers, flush=True)
    print(env.minitaur.GetBasePosition()[0], file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
