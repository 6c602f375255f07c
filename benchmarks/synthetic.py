"""Syn1 to Syn6: eleven Gaussian columns, a label, and which columns decide it.

The generator of INVASE (jsyoon0823/INVASE, ``data_generation.py``), whose tables the TabNet paper
(arXiv 1908.07442, table 1) continues: x ~ N(0, I), P(y = 1) = 1 / (1 + exp(l)) with

    l1 = x1 x2
    l2 = x3^2 + x4^2 + x5^2 + x6^2 - 4
    l3 = -10 sin(0.2 x7) + |x8| + x9 + exp(-x10) - 2.4

Syn1 to Syn3 use l1, l2, l3; Syn4, Syn5, Syn6 use (l1, l2), (l1, l3), (l2, l3) where x11 is
negative and where it is not. Both papers print sin(2 x7) and 2 |x8|; the numbers came from the
code, which has 0.2 and |x8|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

N_COLUMNS = 11
NAMES = ("syn1", "syn2", "syn3", "syn4", "syn5", "syn6")
BAYES_AUC = {
    "syn1": 0.6991, "syn2": 0.8990, "syn3": 0.9060, "syn4": 0.8214, "syn5": 0.8224, "syn6": 0.9031,
}  # fmt: skip
"""What knowing P(y = 1) reaches, from a million draws."""

_COLUMNS = {1: (0, 1), 2: (2, 3, 4, 5), 3: (6, 7, 8, 9)}
_RULES = {
    "syn1": (1, 1), "syn2": (2, 2), "syn3": (3, 3),
    "syn4": (1, 2), "syn5": (1, 3), "syn6": (2, 3),
}  # fmt: skip
"""The rule where x11 < 0, and the rule elsewhere."""


@dataclass(frozen=True)
class Synthetic:
    """``frame`` holds ``x1`` to ``x11`` and ``y``; the others say what nobody is told.

    ``probability``
        P(y = 1) of each row, shape (n,).
    ``active``
        Whether a column decides the row's label, shape (n, 11); x11 counts where it switches.
    """

    frame: pd.DataFrame
    probability: np.ndarray
    active: np.ndarray


def make_synthetic(name: str, n_rows: int, seed: int) -> Synthetic:
    """Draw rows of Syn1 to Syn6; the same name, number of rows and seed give the same rows."""
    below, above = _RULES[name]
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_rows, N_COLUMNS))
    logit = {
        1: x[:, 0] * x[:, 1],
        2: (x[:, 2:6] ** 2).sum(axis=1) - 4.0,
        3: -10.0 * np.sin(0.2 * x[:, 6]) + np.abs(x[:, 7]) + x[:, 8] + np.exp(-x[:, 9]) - 2.4,
    }
    is_below = x[:, 10] < 0
    probability = 1.0 / (1.0 + np.exp(np.where(is_below, logit[below], logit[above])))
    active = np.zeros((n_rows, N_COLUMNS), dtype=bool)
    for rows, rule in ((is_below, below), (~is_below, above)):
        active[np.ix_(rows, _COLUMNS[rule])] = True
    active[:, 10] = below != above
    frame = pd.DataFrame(x, columns=[f"x{i + 1}" for i in range(N_COLUMNS)])
    frame["y"] = (rng.random(n_rows) < probability).astype(int)
    return Synthetic(frame, probability, active)
