"""A small model on made-up rows, fitted once for all tests of the dashboard."""

import functools

import numpy as np
import pandas as pd

from tabnet_auto import auto_fit
from tabnet_auto.config import NetConfig, Preset, TrainConfig


def passengers(n=120, seed=0):
    """Two columns that matter, one with missing cells, one that does not; and a target."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(1, 80, n).astype(float),
            "sex": rng.choice(["female", "male"], n),
            "parents & children": rng.integers(0, 4, n),
            "berth": rng.choice(list("abcdefghijklm"), n),
        }
    )
    chance = 0.15 + 0.7 * (frame["sex"] == "female")
    frame.loc[::11, "age"] = np.nan
    frame["survived"] = np.where(rng.random(n) < chance, "yes", "no")
    frame["fare"] = 20 + 30 * (frame["sex"] == "female") + rng.normal(size=n)
    return frame


def preset(n_seeds=2):
    """Seconds of training are enough to have something to look at."""
    return Preset(net=NetConfig(), train=TrainConfig(max_epochs=3), n_seeds=n_seeds)


def six_columns():
    """The same passengers with six columns to learn from: the shortest picture shows five."""
    frame, rng = passengers(), np.random.default_rng(1)
    deck, port = rng.integers(1, 9, len(frame)), rng.choice(["east", "north", "west"], len(frame))
    return frame.assign(deck=deck, port=port)


def fit_to(frame, target):
    left_out = {"survived": "fare", "fare": "survived"}[target]
    return auto_fit(
        frame.drop(columns=left_out), target, folds=2, preset=preset(), verbose=False, seed=3
    )


@functools.cache
def fitted(target="survived"):
    return fit_to(passengers(), target)
