"""From a table of errors to ranks, win rates, error ratios and Elo; numbers only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TIE = 1e-6
"""Relative difference of errors below which two systems are level."""
PERFECT = 1e-3
"""Added to both errors of a ratio: 0.0001 against 0.0002 is no factor of two worth having."""
PRIOR_DRAWS = 0.5
"""Draws added between each two systems: without them, one that always wins has infinite Elo."""
BOOTSTRAPS = 500


@dataclass(frozen=True)
class Standing:
    """One system among the others; Elo averages 1000, its interval is 95 % over sets."""

    system: str
    mean_rank: float
    win_rate: float
    ratio: float
    elo: float
    elo_low: float
    elo_high: float


def ranks_of(errors: np.ndarray) -> np.ndarray:
    """Rank systems on each set, 1 is best, level systems share the mean of their ranks.

    ``errors`` and the result have shape (sets, systems).
    """
    better = wins_of(errors)
    return 1.0 + better.sum(axis=1)


def wins_of(errors: np.ndarray) -> np.ndarray:
    """Compare pairs: 1 where system i beats j on a set, a half where they are level.

    Shape (sets, systems i, systems j), zero on the diagonal.
    """
    own, other = errors[:, :, None], errors[:, None, :]
    level = np.abs(own - other) <= TIE * np.maximum(np.abs(own), np.abs(other))
    wins = np.where(level, 0.5, (own < other).astype(float))
    wins[:, np.arange(errors.shape[1]), np.arange(errors.shape[1])] = 0.0
    return wins


def ratios_of(errors: np.ndarray) -> np.ndarray:
    """Geometric mean over sets of each system's error over the set's best, shape (systems,)."""
    shifted = errors + PERFECT
    return np.exp(np.log(shifted / shifted.min(axis=1, keepdims=True)).mean(axis=0))


def elo_of(wins: np.ndarray, n_iterations: int = 500) -> np.ndarray:
    """Bradley-Terry strengths of a matrix of wins, on Elo's scale with mean 1000.

    ``wins[i, j]`` counts how often i beat j. Maximum likelihood by Hunter's (2004) MM updates.
    """
    n = len(wins)
    games = wins + PRIOR_DRAWS * (1.0 - np.eye(n))
    played = games + games.T
    strength = np.ones(n)
    for _ in range(n_iterations):
        shares = played / (strength[:, None] + strength[None, :])
        strength = games.sum(axis=1) / shares.sum(axis=1)
        strength /= np.exp(np.log(strength).mean())
    return 1000.0 + 400.0 * np.log10(strength)


def elo_interval(wins: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Resample sets with replacement; the 2.5 and 97.5 % points of each system's Elo."""
    rng = np.random.default_rng(seed)
    n_sets = len(wins)
    drawn = [
        elo_of(wins[rng.integers(0, n_sets, n_sets)].sum(axis=0), n_iterations=100)
        for _ in range(BOOTSTRAPS)
    ]
    low, high = np.percentile(np.stack(drawn), [2.5, 97.5], axis=0)
    return low, high


def stand(systems: tuple[str, ...], errors: np.ndarray) -> list[Standing]:
    """Tally a full table of errors (sets, systems); the best mean rank first."""
    wins = wins_of(errors)
    low, high = elo_interval(wins)
    columns = (
        ranks_of(errors).mean(axis=0),
        wins.sum(axis=(0, 2)) / (len(errors) * max(1, len(systems) - 1)),
        ratios_of(errors), elo_of(wins.sum(axis=0)), low, high,
    )  # fmt: skip
    rows = [
        Standing(name, *(float(column[i]) for column in columns)) for i, name in enumerate(systems)
    ]
    return sorted(rows, key=lambda row: row.mean_rank)
