"""A stacker: a linear model of the models' out-of-fold predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.ensemble.blend import NEVER, Floats, Stack, stack_inputs

PENALTY = 1.0
"""Ridge penalty in standardised units, and inverse strength of the logistic one."""


def fit_stack(cube: Floats, y: NDArray[Any], weight: Floats | None) -> Stack:
    """Learn a :class:`Stack` (stacked generalisation, Wolpert 1992).

    Parameters
    ----------
    cube
        ``(K, n, ...)`` out-of-fold predictions of the rows.
    y, weight
        ``(n,)`` values or class positions, and sample weights if there are any.
    """
    x = stack_inputs(cube)
    if cube.ndim == 2:
        return _ridge(x, y, weight)
    return _logistic(x, y, weight, cube.shape[2])


def _ridge(x: Floats, y: NDArray[Any], weight: Floats | None) -> Stack:
    from sklearn.linear_model import Ridge

    # In units of the target, so that the penalty means the same for every target.
    center, scale = float(np.mean(y)), float(np.std(y)) or 1.0
    model = Ridge(PENALTY).fit((x - center) / scale, (y - center) / scale, sample_weight=weight)
    constant = center + scale * float(model.intercept_) - center * float(model.coef_.sum())
    return Stack((tuple(model.coef_.tolist()),), (constant,), x.shape[1])


def _logistic(x: Floats, y: NDArray[Any], weight: Floats | None, n_classes: int) -> Stack:
    from sklearn.linear_model import LogisticRegression

    n_models = x.shape[1] if n_classes == 2 else x.shape[1] // n_classes
    known = np.unique(y)
    n_outputs = 1 if n_classes == 2 else n_classes
    coef, intercept = np.zeros((n_outputs, x.shape[1])), np.full(n_outputs, NEVER)
    if len(known) == 1:  # nothing to learn: that class it is
        if n_classes > 2:
            intercept[known] = 0.0
        elif known[0] == 1:
            intercept[0] = -NEVER
        return Stack(tuple(map(tuple, coef.tolist())), tuple(intercept.tolist()), n_models)
    model = LogisticRegression(C=PENALTY, max_iter=1000).fit(x, y, sample_weight=weight)
    if n_classes > 2 and len(known) == 2:  # scikit-learn answers with the odds of the second
        coef[known[1]], intercept[known[1]], intercept[known[0]] = (
            model.coef_[0], model.intercept_[0], 0.0,
        )  # fmt: skip
    else:
        own = known if n_classes > 2 else np.array([0])
        coef[own], intercept[own] = model.coef_, model.intercept_
    return Stack(tuple(map(tuple, coef.tolist())), tuple(intercept.tolist()), n_models)
