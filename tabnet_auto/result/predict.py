"""What every model of a fit says of new rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tabnet_auto.design import Design
from tabnet_auto.ensemble.blend import Floats, by_seed
from tabnet_auto.errors import InputError
from tabnet_auto.result.reduce import present_models
from tabnet_auto.train.predict import predict_members

if TYPE_CHECKING:
    from tabnet_auto.result.fit import FitResult


def predict_models(fit: FitResult, design: Design) -> Floats:
    """Predict by every model, the mean of its members; ``(K, n, ...)``.

    What has no weight in the blend costs no time where it can be left out, and may be missing:
    it is zeros.

    Raises
    ------
    InputError
        If a model has weight in the blend, and is missing.
    """
    _check_present(fit)
    tables, n_seeds = fit.encoder.tables, fit.n_seeds
    shape = (len(fit.schema.classes),) if fit.schema.classes else ()
    predicted = np.zeros((n_seeds + len(fit.companions), design.n_rows, *shape))
    held = list(range(n_seeds) if fit.networks is None else fit.networks)
    start = 0
    for chunk in predict_members(
        fit.net, design, tables, is_class=bool(shape), objective=fit.objective
    ):
        stop = start + chunk.shape[1]
        predicted[held, start:stop] = by_seed(chunk, len(held))
        start = stop
    for number, one in enumerate(fit.companions, n_seeds):
        if fit.blend.weights[number]:
            predicted[number] = one.predict(design, fit.encoder.layout, tables, fit.objective)
    return predicted


def _check_present(fit: FitResult) -> None:
    present = present_models(fit)
    missing = [i for i, weight in enumerate(fit.blend.weights) if weight and not present[i]]
    if missing:
        name = fit.leaderboard()["model"].iloc[1 + missing[0]]  # the blend has the first line
        raise InputError(
            f"A blend needs its models, however: {name!r} has weight "
            f"{fit.blend.weights[missing[0]]:.3g} and is not there: slim(), save() or refit_full() "
            "left it out when it had none. Blend models of the fit that trained it."
        )
