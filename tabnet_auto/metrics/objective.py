"""What the network minimises: the loss, the scale it is measured on, and how rows count in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Loss = Literal["squared", "absolute", "pinball", "poisson", "gamma"]
LOG_LINK: frozenset[Loss] = frozenset({"poisson", "gamma"})
"""Losses of a positive mean: the network's output is the logarithm of the mean."""
MAX_LOG_MEAN = 30.0
"""Predicted means are at most e^30 times the mean of the training rows, and at least e^-30."""
MAX_LOG = 700.0
"""Largest logarithm of a predicted value: its exponential is a finite float64."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """How a target is learned. Classes learn by cross-entropy: a proper score of probabilities.

    ``loss``
        Of values: ``squared`` learns the mean, ``absolute`` the median, ``pinball`` the
        ``quantile``; ``poisson`` and ``gamma`` are half their deviance and learn a positive
        mean through a log link.
    ``transform``
        ``log1p`` learns ``log(1 + y)`` of a target that is never negative.
    ``relative``
        Power of ``1 / |y|`` in a row's weight: 1 makes an error a share of the value, 2 the
        square of that share.
    ``class_weight``
        Weight of each class, or ``"balanced"``: all classes weigh alike in a member's training
        rows. It changes what is learned, and never a score.
    """

    loss: Loss = "squared"
    quantile: float = 0.5
    transform: Literal["identity", "log1p"] = "identity"
    relative: Literal[0, 1, 2] = 0
    class_weight: tuple[float, ...] | Literal["balanced"] | None = None

    def learned(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return the target on the scale on which it is learned; classes stay as they are."""
        return np.log1p(y) if self.transform == "log1p" else y

    def values(
        self, outputs: Floats, center: NDArray[np.floating], scale: NDArray[np.floating]
    ) -> Floats:
        """Return outputs in the target's units.

        ``center`` and ``scale`` are mean and spread of the learned target of the training rows.
        """
        if self.loss in LOG_LINK:
            mean: Floats = np.exp(np.clip(outputs, -MAX_LOG_MEAN, MAX_LOG_MEAN)) * center
            return mean
        return self.restored(outputs * scale + center)

    def restored(self, learned: Floats) -> Floats:
        """Return what was learned on the scale of :meth:`learned` in the target's units."""
        if self.transform == "log1p":
            return np.maximum(np.expm1(np.minimum(learned, MAX_LOG)), 0.0)
        return learned


SQUARED = Objective()
"""The mean of values; of classes, probabilities."""
