"""Successive halving along the member axis: configurations start side by side, poor ones leave."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tabnet_auto.train.state import TrainState

RUNGS = (1 / 15, 3 / 15, 7 / 15)
"""Shares of the plan at which half of the members leave: the ends of coslog4's first cycles, where
the learning rate has fallen to 0 and losses can be compared. Each cycle is twice as long as the
one before, so that with half of the members every rung costs the same."""


class Halving:
    """Which members go on (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification", 2016).

    Members compete within their ``race`` (their fold). At every rung the better half by the best
    validation loss so far goes on; ``seeded`` members are never dropped. With a deadline every
    rung gets an equal share of the time (``pace``). ``is_over`` ends the race before the plan does.
    """

    is_over = False

    def __init__(self, race: Sequence[int], seeded: Sequence[int]) -> None:
        self.race, self.seeded = np.asarray(race), frozenset(seeded)
        self.standing = set(range(len(race)))
        self.rung = [0] * len(race)
        self.n_passed = 0
        self.size = np.bincount(self.race)

    @staticmethod
    def pace(time_share: float) -> float:
        """Share of the plan that is due when a share of the time is gone."""
        points = (0.0, *RUNGS, 1.0)
        return float(np.interp(time_share, np.linspace(0.0, 1.0, len(points)), points))

    def survivors(self, state: TrainState, progress: float) -> set[int]:
        """Return who goes on after an epoch; at most one rung is passed an epoch."""
        if self.n_passed < len(RUNGS) and progress >= RUNGS[self.n_passed]:
            self.n_passed += 1
            kept = [m for race in np.unique(self.race) for m in self.best(int(race), state)]
            self.standing = set(kept) | (self.seeded & self.standing)
            for member in self.standing:
                self.rung[member] = self.n_passed
        return self.standing

    def best(self, race: int, state: TrainState) -> list[int]:
        """Better half of a race; those of equal loss in their order."""
        own = [m for m in sorted(self.standing) if self.race[m] == race]
        n_kept = max(1, math.ceil(self.size[race] / 2**self.n_passed))
        return sorted(own, key=lambda m: state.best_loss[m])[:n_kept]
