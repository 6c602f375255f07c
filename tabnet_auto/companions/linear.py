"""Linear models as arrays: coefficients, intercept, and nothing that could run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.lesson import Arrays, Floats, align


@dataclass(frozen=True, eq=False)
class Linear:
    """``x @ coef.T + intercept``: values, the odds of the second class, or of every class.

    ``coef (n_outputs, d)``, ``intercept (n_outputs,)``; ``classes`` are the positions of the
    classes that were learned, ``n_classes`` how many there are in all, 0 for values.
    """

    coef: Floats
    intercept: Floats
    classes: NDArray[np.int64]
    n_classes: NDArray[np.int64]

    kind: ClassVar[str] = "linear"

    @property
    def rounds(self) -> int:
        """0: nothing is boosted."""
        return 0

    def predict(self, x: Floats) -> Floats:
        """Class probabilities ``(n, n_classes)``, or values ``(n,)``."""
        raw = x @ self.coef.T + self.intercept
        if not self.n_classes.item():
            values: Floats = raw[:, 0]
            return values
        if raw.shape[1] == 1:
            raw = np.column_stack([np.zeros(len(raw)), raw])
        odds = np.exp(raw - raw.max(axis=1, keepdims=True))
        return align(odds / odds.sum(axis=1, keepdims=True), self.classes, self.n_classes.item())

    def to_arrays(self) -> Arrays:
        """Return named arrays from which it is rebuilt."""
        return {name: np.asarray(array) for name, array in vars(self).items()}


def linear_from_arrays(arrays: Arrays) -> Linear:
    """Read back what :meth:`Linear.to_arrays` returned."""
    return Linear(**arrays)
