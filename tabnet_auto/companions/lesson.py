"""What a companion is given in one fold, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.matrix import Matrix
from tabnet_auto.metrics.objective import LOG_LINK, SQUARED, Loss, Objective

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to learn from or to validate on: ``y`` and ``weight`` are ``(n,)``.

    As the objective says: ``y`` is on the scale on which it is learned, and weights of classes and
    small values are in ``weight``.
    """

    matrix: Matrix
    y: NDArray[Any]
    weight: Floats | None

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.matrix.take(rows), self.y[rows], weight)


@dataclass(frozen=True, eq=False)
class Lesson:
    """One fold for one companion.

    ``n_classes`` is 0 for values, of which ``objective`` says the loss; they are measured from a
    ``center`` in a ``unit``. Boosters stop where the loss on ``valid`` is best, as the networks do,
    and at the latest after ``seconds``; with ``n_rounds`` they train exactly so many rounds,
    without validation rows, by the settings of the fold's member that they are to be ``like``.
    ``n_threads`` is how many threads they may use.
    """

    train: Rows
    valid: Rows | None
    n_classes: int
    seed: int
    n_threads: int
    seconds: float | None = None
    n_rounds: int | None = None
    like: Fitted | None = None
    objective: Objective = SQUARED
    center: float = 0.0
    unit: float = 1.0

    @property
    def n_outputs(self) -> int:
        """Trees that a boosting round grows: one, or one a class where there are several."""
        return self.n_classes if self.n_classes > 2 else 1

    def numbered(self) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the positions of the classes that a fold has, and its target by them; or values.

        Libraries ask for classes without gaps, whichever of them the fold lacks.
        """
        if not self.n_classes:
            return np.zeros(0, dtype=np.int64), self.train.y
        classes, target = np.unique(self.train.y, return_inverse=True)
        return classes, target

    def standardized(self) -> Lesson:
        """Return the lesson with values measured by the mean and the spread of the training rows'.

        Every loss is the same then; what libraries do with them is not. They keep targets in
        single precision (LightGBM, XGBoost), and where logarithms are learned, begin far from
        them (CatBoost) or ask for a least weight of a leaf (XGBoost). Logarithms know no center.
        """
        if self.n_classes:
            return self
        y, weight = self.train.y, self.train.weight
        center = float(np.average(y, weights=weight))
        unit = float(np.sqrt(np.average(np.square(y - center), weights=weight)))
        if self.objective.loss in LOG_LINK:
            center, unit = 0.0, center
        return self._measured(center, unit or 1.0)

    def _measured(self, center: float, unit: float) -> Lesson:
        def measured(rows: Rows) -> Rows:
            return replace(rows, y=(rows.y - center) / unit)

        valid = None if self.valid is None else measured(self.valid)
        train = measured(self.train)
        return replace(self, train=train, valid=valid, center=center, unit=unit)

    def sample(self, share: float) -> Lesson:
        """Return the lesson with a random share of its training rows."""
        n = len(self.train.y)
        size = max(1, int(share * n))
        rows = np.random.default_rng(self.seed).choice(n, size=size, replace=False)
        return replace(self, train=self.train.take(np.sort(rows)))


class Fitted(Protocol):
    """What was learned in one fold."""

    kind: ClassVar[str]
    """Its name in saved models; empty where it cannot be saved without pickle."""

    @property
    def rounds(self) -> int:
        """Boosting rounds; 0 for what does not boost."""

    def predict(self, x: Floats) -> Floats:
        """Class probabilities ``(n, n_classes)``, or values ``(n,)``."""

    def to_arrays(self) -> Arrays:
        """Return named arrays from which it is rebuilt."""


Train = Callable[[Lesson], Fitted]


@dataclass(frozen=True, eq=False)
class Constant:
    """What there is to learn from rows of one target: the target.

    ``target (1,)`` is a class's position among ``n_classes``, or with 0 of them a value.
    """

    target: NDArray[Any]
    n_classes: NDArray[np.int64]

    kind: ClassVar[str] = "constant"

    @property
    def rounds(self) -> int:
        """0: nothing is boosted."""
        return 0

    def predict(self, x: Floats) -> Floats:
        """Return the class with certainty ``(n, n_classes)``, or the value ``(n,)``."""
        if not self.n_classes.item():
            return np.full(len(x), self.target.item(), dtype=np.float64)
        return align(np.ones((len(x), 1)), self.target, self.n_classes.item())

    def to_arrays(self) -> Arrays:
        """Return named arrays from which it is rebuilt."""
        return dict(vars(self))


def constant_from_arrays(arrays: Arrays) -> Constant:
    """Read back what :meth:`Constant.to_arrays` returned."""
    return Constant(**arrays)


def teach(train: Train, lesson: Lesson) -> Fitted:
    """Train on a lesson, unless its training rows have one target: many libraries refuse them."""
    first = lesson.train.y[:1]
    if (lesson.train.y == first).all():
        return Constant(first, np.array(lesson.n_classes))
    return train(lesson)


def align(p: Floats, positions: NDArray[np.integer], n_classes: int) -> Floats:
    """Put probabilities of the classes that a fold has into the columns of all classes."""
    aligned = np.zeros((len(p), n_classes))
    aligned[:, positions] = p
    return aligned


def class_probabilities(p: Floats) -> Floats:
    """Both columns for two classes where a library answers with the second alone."""
    return np.column_stack([1.0 - p, p]) if p.ndim == 1 else p


def loss(predicted: Floats, valid: Rows, objective: Objective) -> float:
    """Log-loss of ``(n, n_classes)``, or the objective's loss: what early stopping looks at."""
    if predicted.ndim == 2:
        own = predicted[np.arange(len(valid.y)), valid.y]
        losses = -np.log(own.clip(1e-15))
    else:
        losses = _VALUE_LOSSES[objective.loss](predicted, valid.y, objective.quantile)
    return float(np.average(losses, weights=valid.weight))


def _pinball(p: Floats, y: Floats, quantile: float) -> Floats:
    return np.maximum(quantile * (y - p), (quantile - 1.0) * (y - p))


_VALUE_LOSSES: dict[Loss, Callable[[Floats, Floats, float], Floats]] = {
    "squared": lambda p, y, _: np.square(p - y),
    "absolute": lambda p, y, _: np.abs(p - y),
    "pinball": _pinball,
    "poisson": lambda p, y, _: p - y * np.log(p),
    "gamma": lambda p, y, _: y / p + np.log(p),
}
"""Losses of predictions in the target's units; up to a factor and a part without predictions."""
