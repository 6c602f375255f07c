"""The rules by which probabilities become labels: how each decides, and how it is tuned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.metrics.labels import confusion_matrix

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
RuleName = Literal["argmax", "threshold", "offsets", "cut_points"]
OfConfusion = Callable[[Floats], Floats]

N_CANDIDATES = 256
"""Quantiles of what is cut that are tried as cuts, at most."""
N_OFFSETS = 64
"""The same for each class's offset, where a candidate costs a matrix of all classes."""
MAX_SWEEPS = 10
"""Rounds over the offsets or cut points, at most; most searches end after two or three."""
_GAIN = 1e-9  # of a score, from which it is no rounding
_SMALLEST = 1e-12


def decide(rule: RuleName, p: Floats, values: tuple[float, ...]) -> Positions:
    """Class positions ``(n,)`` of probabilities ``(n, k)``; without values the most probable."""
    return RULES[rule if values else "argmax"].decide(p, np.asarray(values))


# --- the most probable class ----------------------------------------------------------------------


def _argmax(p: Floats, _: Floats) -> Positions:
    return p.argmax(axis=1)


def _no_values(*_: object) -> tuple[float, ...]:
    return ()


# --- a threshold ----------------------------------------------------------------------------------


def _above(p: Floats, values: Floats) -> Positions:
    return (p[:, 1] >= values[0]).astype(np.int64)


def _between_quantiles(x: Floats, n: int) -> Floats:
    """At most ``n`` places between different values, evenly through their distribution."""
    distinct = np.unique(np.quantile(x, np.linspace(0, 1, n + 1), method="nearest"))
    middle: Floats = (distinct[1:] + distinct[:-1]) / 2
    return middle


def _running_counts(bins: Positions, n_bins: int, y: Positions, k: int, weight: Floats) -> Floats:
    """Weight of each class in the bins before each edge; ``(n_bins + 1, k)``."""
    cells = np.bincount(bins * k + y, weight, n_bins * k).reshape(n_bins, k)
    return np.concatenate([np.zeros((1, k)), np.cumsum(cells, axis=0)])


def _tune_threshold(
    of_confusion: OfConfusion, p: Floats, y: Positions, weight: Floats
) -> tuple[float, ...]:
    cuts = np.union1d(_between_quantiles(p[:, 1], N_CANDIDATES), [0.5])
    bins = np.searchsorted(cuts, p[:, 1], side="right")
    counts = _running_counts(bins, len(cuts) + 1, y, 2, weight)
    below = counts[1:-1]  # of each cut
    scores = of_confusion(np.stack([below, counts[-1] - below], axis=2))
    best = np.flatnonzero(scores >= scores.max() - _GAIN)
    return (float(cuts[best[np.abs(cuts[best] - 0.5).argmin()]]),)


# --- class offsets --------------------------------------------------------------------------------


def _logs(p: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(p, _SMALLEST))
    return logs


def _greatest(p: Floats, offsets: Floats) -> Positions:
    return (_logs(p) + offsets).argmax(axis=1)


def _tune_offsets(
    of_confusion: OfConfusion, p: Floats, y: Positions, weight: Floats
) -> tuple[float, ...]:
    """Ascend one class's offset at a time, from no offsets and from equally frequent classes."""
    k = p.shape[1]
    shares = np.maximum(np.average(p, axis=0, weights=weight), _SMALLEST)
    found = [
        _ascend_offsets(of_confusion, _logs(p), y, weight, start)
        for start in (np.zeros(k), -np.log(shares))
    ]
    _, offsets = max(found, key=lambda pair: pair[0])  # the first of equals: no offsets
    return tuple((offsets - offsets[0]).tolist())


def _ascend_offsets(
    of_confusion: OfConfusion, logs: Floats, y: Positions, weight: Floats, offsets: Floats
) -> tuple[float, Floats]:
    k = logs.shape[1]
    label = (logs + offsets).argmax(axis=1)
    score = float(of_confusion(confusion_matrix(y, label, k, weight)))
    for _ in range(MAX_SWEEPS):
        before = score
        for own in range(k):
            best, value = _best_offset(of_confusion, logs, y, weight, offsets, own)
            if best > score + _GAIN:
                score, offsets = best, np.where(np.arange(k) == own, value, offsets)
        if score <= before + _GAIN:
            break
    return score, offsets


def _best_offset(
    of_confusion: OfConfusion,
    logs: Floats,
    y: Positions,
    weight: Floats,
    offsets: Floats,
    own: int,
) -> tuple[float, float]:
    """Try offsets of one class: a row goes to it from the offset that beats the best other."""
    k = logs.shape[1]
    others = logs + offsets
    others[:, own] = -np.inf
    other = others.argmax(axis=1)
    needed = others[np.arange(len(y)), other] - logs[:, own]
    candidates = _between_quantiles(needed, N_OFFSETS)
    if len(candidates) == 0:
        return -np.inf, float(offsets[own])
    first = np.searchsorted(candidates, needed, side="right")  # the first that takes the row
    size = len(candidates) + 1
    cells = np.bincount((first * k + y) * k + other, weight, size * k * k).reshape(size, k, k)
    moved = np.cumsum(cells, axis=0)[:-1]
    matrices = cells.sum(axis=0) - moved
    matrices[:, :, own] += moved.sum(axis=2)
    scores = of_confusion(matrices)
    best = int(scores.argmax())
    return float(scores[best]), float(candidates[best])


# --- ordered cut points ---------------------------------------------------------------------------


def _expected(p: Floats) -> Floats:
    position: Floats = p @ np.arange(p.shape[1], dtype=np.float64)
    return position


def _reached(p: Floats, cuts: Floats) -> Positions:
    return np.searchsorted(cuts, _expected(p), side="right")


def _middles(k: int) -> tuple[float, ...]:
    return tuple(i + 0.5 for i in range(k - 1))


def _tune_cut_points(
    of_confusion: OfConfusion, p: Floats, y: Positions, weight: Floats
) -> tuple[float, ...]:
    """Ascend one cut at a time, from the middles and from the classes' own shares."""
    k, position = p.shape[1], _expected(p)
    middles = np.array(_middles(k))
    grid = np.union1d(_between_quantiles(position, N_CANDIDATES), middles)
    bins = np.searchsorted(grid, position, side="right")
    counts = _running_counts(bins, len(grid) + 1, y, k, weight)
    below = np.cumsum(np.bincount(y, weight, k))[:-1]  # weight of the classes below each cut
    starts = (
        np.searchsorted(grid, middles),
        np.searchsorted(counts[1:-1].sum(axis=1), below).clip(max=len(grid) - 1),
    )
    found = [_ascend_cuts(of_confusion, counts, start) for start in starts]
    _, cuts = max(found, key=lambda pair: pair[0])
    return tuple(grid[cuts].tolist())


def _ascend_cuts(
    of_confusion: OfConfusion, counts: Floats, cuts: Positions
) -> tuple[float, Positions]:
    """``counts (n_grid + 2, k)`` run along the grid; ``cuts`` are non-decreasing grid positions."""
    last = len(counts) - 3

    def score(tried: Positions) -> Floats:
        """Scores of cuts ``(n, k - 1)``."""
        edges = np.pad(tried + 1, ((0, 0), (1, 1)), constant_values=(0, len(counts) - 1))
        return of_confusion(np.diff(counts[edges], axis=1).transpose(0, 2, 1))

    best = float(score(cuts[None])[0])
    for _ in range(MAX_SWEEPS):
        before = best
        for own in range(len(cuts)):
            low = cuts[own - 1] if own else 0
            high = cuts[own + 1] if own + 1 < len(cuts) else last
            tried = np.tile(cuts, (high - low + 1, 1))
            tried[:, own] = np.arange(low, high + 1)
            scores = score(tried)
            if scores.max() > best + _GAIN:
                best, cuts = float(scores.max()), tried[scores.argmax()]
        if best <= before + _GAIN:
            break
    return best, cuts


# --- the table of rules ---------------------------------------------------------------------------


def _say_offsets(values: Sequence[float], classes: Sequence[object]) -> str:
    pairs = ", ".join(f"{c!r} {v:+.2f}" for c, v in zip(classes, values, strict=True))
    return f"the greatest log-probability plus offset: {pairs}"


def _say_cuts(values: Sequence[float], classes: Sequence[object]) -> str:
    cuts = ", ".join(f"{v:.2f}" for v in values)
    return f"expected position among {len(classes)} ordered classes, cut at {cuts}"


@dataclass(frozen=True)
class Rule:
    """How a rule decides, how it is tuned and said."""

    decide: Callable[[Floats, Floats], Positions]
    tune: Callable[[OfConfusion, Floats, Positions, Floats], tuple[float, ...]]
    describe: Callable[[Sequence[float], Sequence[object]], str]


RULES: dict[RuleName, Rule] = {
    "argmax": Rule(_argmax, _no_values, lambda *_: "the most probable class"),
    "threshold": Rule(
        _above,
        _tune_threshold,
        lambda v, c: f"{c[1]!r} from a probability of {v[0]:.3f}",
    ),
    "offsets": Rule(_greatest, _tune_offsets, _say_offsets),
    "cut_points": Rule(_reached, _tune_cut_points, _say_cuts),
}
