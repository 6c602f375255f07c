"""A metric: its function, its direction, what it looks at, and how it is optimised."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError
from tabnet_auto.metrics.labels import confusion_matrix
from tabnet_auto.metrics.objective import SQUARED, Objective

Need = Literal["labels", "probabilities", "positive", "values"]
"""What a metric looks at: predicted class, all class probabilities, the probability of the
second class (for values: the values), or predicted values."""

Domain = Literal["any", "non_negative", "positive", "non_zero"]
"""The values of a target for which a metric is defined."""

Tuning = Literal["argmax", "offsets", "cut_points"]
"""How probabilities become labels for a metric: the most probable class, class offsets (of two
classes a threshold), or ordered cut points on the expected class."""

ScoreFunction = Callable[..., float]

_OUTSIDE: dict[str, tuple[str, Callable[[NDArray[Any]], NDArray[np.bool_]]]] = {
    "non_negative": ("never negative", lambda y: y < 0),
    "positive": ("above 0 in every row", lambda y: y <= 0),
    "non_zero": ("never 0", lambda y: y == 0),
}


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    ``function(y_true, y_pred, sample_weight=None)`` in scikit-learn's order; ``y_true`` holds
    class positions (or the user's own labels where ``labels`` is True) or values. A function that
    is not ``weighted`` takes no ``sample_weight``: it counts all rows alike.

    ``objective`` is what the network minimises for it, ``domain`` the targets on which it is
    defined, ``instead`` the metric to choose for others, ``tuning`` how labels are chosen, and
    ``of_confusion`` the same score of confusion matrices ``(..., k, k)``, where it is one. One that
    scores probabilities ``row_by_row`` is defined on rows of one class, too.
    """

    name: str
    function: ScoreFunction
    greater_is_better: bool
    need: Need
    tasks: tuple[str, ...]
    labels: bool = False
    weighted: bool = True
    objective: Objective = SQUARED
    domain: Domain = "any"
    instead: str = "rmse"
    tuning: Tuning = "argmax"
    of_confusion: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
    row_by_row: bool = False

    def score(
        self,
        y: NDArray[Any],
        prediction: NDArray[np.floating],
        weight: NDArray[np.floating] | None = None,
        classes: NDArray[Any] | None = None,
    ) -> float:
        """Score predictions of the rows ``y``.

        ``prediction`` is ``(n, n_classes)`` probabilities or ``(n,)`` values; ``y`` is ``(n,)``
        class positions or values; ``classes`` are the user's labels by position. NaN where the
        metric is not defined on these rows (:attr:`needs_two_classes`).

        Raises
        ------
        InputError
            If the metric is not defined for a value of ``y``, or its function returns no number.
        """
        keyword: dict[str, Any] = {}
        if weight is not None and self.weighted:
            counts = weight > 0  # scikit-learn warns where only rows without weight have a class
            y, prediction = y[counts], prediction[counts]
            keyword["sample_weight"] = weight[counts]
        if len(y) == 0 or (self.needs_two_classes and len(np.unique(y)) < 2):
            return float("nan")
        self.check_target(y)
        truth, seen = y, self._view(prediction)
        if self.labels and classes is not None:
            truth = classes[y]
            seen = classes[seen] if self.need == "labels" else seen
        if self.need == "probabilities" and takes(self.function, "labels"):
            named = self.labels and classes is not None
            keyword["labels"] = classes if named else np.arange(prediction.shape[1])
        found: Any = self.function(truth, seen, **keyword)
        try:
            return float(found)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"metric {self.name!r} must return a number, however: {found!r:.80}. Let the "
                "function return one, greater for better predictions."
            ) from error

    def check_target(self, y: NDArray[Any]) -> None:
        """Check that the metric is defined for every value of a target.

        Raises
        ------
        InputError
            If it is not.
        """
        if self.domain == "any":
            return
        rule, outside = _OUTSIDE[self.domain]
        bad = y[outside(y)]
        if len(bad):
            raise InputError(
                f"{self.name} needs a target that is {rule}, however: {bad.min()}. "
                f"Choose {self.instead}."
            )

    @property
    def needs_two_classes(self) -> bool:
        """Whether the metric is not defined on rows of one class: it is of the order of rows."""
        return self.need in ("positive", "probabilities") and not self.row_by_row

    def _view(self, prediction: NDArray[np.floating]) -> NDArray[Any]:
        if prediction.ndim == 1:
            return prediction
        if self.need == "labels":
            return prediction.argmax(axis=1)
        if self.need == "positive":
            return prediction[:, 1]
        return prediction

    def better(self, a: float, b: float) -> bool:
        """Whether score ``a`` is better than ``b``."""
        return a > b if self.greater_is_better else a < b


def score_confusion(
    of_confusion: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    y: NDArray[Any],
    label: NDArray[Any],
    sample_weight: NDArray[np.floating] | None = None,
) -> float:
    """Score labels, ``(n,)`` positions, by their confusion matrix."""
    size = 1 + int(max(y.max(), label.max(), 1))
    return float(of_confusion(confusion_matrix(y, label, size, sample_weight)))


def takes(function: Any, keyword: str) -> bool:
    """Whether a function has a parameter of that name."""
    try:
        return keyword in inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C, say
        return False
