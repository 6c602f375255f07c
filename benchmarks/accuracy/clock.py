"""The wall-time budget of a cell, shared out over its folds."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

RESERVE = 0.05
"""Share of the budget that training leaves to prediction."""


@dataclass(frozen=True)
class Clock:
    """``budget`` seconds from ``start``; ``threads`` is what everyone may use."""

    budget: float
    start: float
    threads: int = 2

    def left(self) -> float:
        """Seconds that training may still take."""
        return self.budget * (1.0 - RESERVE) - (monotonic() - self.start)

    def deadline(self, n_folds_left: int) -> float:
        """When this fold has to end: an equal share of what is left, so unused time moves on."""
        return monotonic() + max(0.0, self.left()) / n_folds_left
