"""Who proposes configurations: points spread evenly over the space, or Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from tabnet_auto.errors import InputError
from tabnet_auto.search.space import Settings, Space

if TYPE_CHECKING:
    import optuna


class Engine(Protocol):
    """Proposes configurations for one fold, and is told how they did.

    ``rounds`` is how often it is asked: what is proposed in a round trains side by side.
    """

    rounds: int

    def propose(self, n: int) -> list[Settings]:
        """Return n configurations."""

    def tell(self, losses: list[float], rungs: list[int]) -> None:
        """Hear the inner losses of what was proposed last, and the rungs that were reached."""


class Spread:
    """Points of an additive recurrence (Roberts' R sequence): evenly spread, shifted by a seed."""

    rounds = 1

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self.shift = np.random.default_rng(seed).random(len(space))
        self.n_given = 0

    def propose(self, n: int) -> list[Settings]:
        """Return the next n points."""
        ratio = 2.0
        for _ in range(30):  # the root of x ** (d + 1) = x + 1
            ratio = (1.0 + ratio) ** (1.0 / (len(self.space) + 1))
        number = np.arange(self.n_given, self.n_given + n)[:, None] + 1
        places = (self.shift + number * ratio ** -np.arange(1.0, len(self.space) + 1)) % 1.0
        self.n_given += n
        return [
            {name: own.at(at) for (name, own), at in zip(self.space.items(), row, strict=True)}
            for row in places
        ]

    def tell(self, losses: list[float], rungs: list[int]) -> None:
        """Learn nothing: the points are spread in advance."""


class Optuna:
    """Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), told rung by rung.

    Half of the configurations start it, the others follow what it has learned. Places are
    asked for, not values: the middle of each is the preset's default.

    Raises
    ------
    InputError
        If Optuna is not installed.
    """

    rounds = 2

    def __init__(self, space: Space, seed: int) -> None:
        try:
            import optuna
        except ImportError as error:
            raise InputError(
                "engine='optuna' needs Optuna, however: it is not installed. pip install optuna, "
                "or pass engine='halving'."
            ) from error
        self.space = space
        sampler = optuna.samplers.TPESampler(n_startup_trials=5, seed=seed)
        said = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # no line a fold
        self.study = optuna.create_study(sampler=sampler)
        optuna.logging.set_verbosity(said)
        self.asked: list[optuna.Trial] = []

    def propose(self, n: int) -> list[Settings]:
        """Ask for n trials at once."""
        self.asked = [self.study.ask() for _ in range(n)]
        return [
            {name: own.at(trial.suggest_float(name, 0.0, 1.0)) for name, own in self.space.items()}
            for trial in self.asked
        ]

    def tell(self, losses: list[float], rungs: list[int]) -> None:
        """Report every trial at its rung; those that left early are pruned."""
        import optuna

        for trial, loss, rung in zip(self.asked, losses, rungs, strict=True):
            trial.report(loss, rung)
            left = rung < max(rungs)
            state = optuna.trial.TrialState.PRUNED if left else optuna.trial.TrialState.COMPLETE
            self.study.tell(trial, None if left else loss, state=state)


ENGINES: dict[str, type[Spread | Optuna]] = {"halving": Spread, "optuna": Optuna}
