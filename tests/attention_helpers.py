"""A small table in which one column, a kind and an interaction matter, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tabnet_auto import Preset
from tabnet_auto.config import NetConfig, PaperConfig, TrainConfig

NET = NetConfig(n_steps=2, n_hidden=32, n_layers=1, n_bins=4, n_context=8, dropout=0.0)
TRAIN = TrainConfig(max_epochs=12, batch_size=64)
DEFAULT = Preset(net=NET, train=TRAIN, n_seeds=2)
PAPER = Preset(net=PaperConfig(n_d=4, n_a=4, virtual_batch_size=64), train=TRAIN, n_seeds=1)
TASKS = ("binary", "multiclass", "regression")


def make_frame(task="binary", n=600):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"noise{i}": rng.normal(size=n) for i in range(4)})
    frame["signal"] = rng.normal(size=n)
    frame["kind"] = rng.choice(["a", "b", "c"], n)
    score = 2 * frame["signal"] + (frame["kind"] == "a") + 0.3 * rng.normal(size=n)
    if task == "regression":
        frame["y"] = 50.0 + 10.0 * score
    elif task == "binary":
        frame["y"] = np.where(score > 0.3, "yes", "no")
    else:
        frame["y"] = pd.cut(score, [-np.inf, -1, 1, np.inf], labels=["low", "mid", "high"])
        frame["y"] = frame["y"].astype(str)
    frame.loc[3, "y"] = None if task != "regression" else np.nan
    return frame
