"""Whether attention can be believed: every check as a figure, and what they say in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabnet_auto.attention.controls import Controls
from tabnet_auto.attention.curves import Curves
from tabnet_auto.attention.read import Floats
from tabnet_auto.attention.stability import Stability
from tabnet_auto.attention.summary import AttentionSummary

BEATS_CHANCE = 1.25
"""Damage of deleting in the order of attention, over that of a random order, from which it tells
something."""
AGREES = 0.5
"""Rank correlation with permutation importance from which the two agree."""
STABLE = 0.7
"""Rank correlation between folds from which they agree."""
EVEN = 0.9
"""Evenness under a shuffled target from which attention is near uniform."""


@dataclass(frozen=True)
class Check:
    """One check: its ``name``, whether it ``holds`` (None: not measured), its figures in words."""

    name: str
    holds: bool | None
    words: str


@dataclass(frozen=True, eq=False)
class Trust:
    """The checks of a fit's attention, as plain data; print it for the verdict.

    ``features``
        The D columns.
    ``attention``, ``harm``
        ``(D,)`` mean attention over folds, and permutation importance (NaN: not measured).
    ``agreement``
        Their Spearman correlation.
    ``stability``
        Agreement of folds and seeds on common rows.
    ``curves``
        Deletion and insertion; None where time was up.
    ``controls``
        Decoys and shuffled target, where asked for.
    ``checks``
        What each of them says.
    ``verdict``
        All of it in one line.
    """

    features: tuple[str, ...]
    attention: Floats
    harm: Floats
    agreement: float
    stability: Stability
    curves: Curves | None
    controls: Controls

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check that was made, deletion first."""
        return tuple(_checks(self))

    @property
    def verdict(self) -> str:
        """Say in one line whether to trust the attention, with the figures."""
        made = [check for check in self.checks if check.holds is not None]
        if not made:
            return "Attention was not checked: no time was left, or there is nothing to compare."
        failed = [check.name for check in made if not check.holds]
        if not failed:
            head = "Attention holds in every check"
        elif len(failed) < len(made):
            head = f"Attention holds in {len(made) - len(failed)} of {len(made)} checks, not in "
            head += " and ".join(failed)
        else:
            head = "Attention holds in no check: do not rely on it"
        return f"{head}: {'; '.join(check.words for check in made)}."

    def __repr__(self) -> str:
        return f"Trust: {self.verdict}"


def trust_of(summary: AttentionSummary, controls: Controls) -> Trust:
    """Gather what a summary and the controls say."""
    return Trust(
        features=summary.features,
        attention=summary.per_fold.mean(axis=0),
        harm=summary.harm,
        agreement=summary.agreement(),
        stability=summary.common,
        curves=summary.curves,
        controls=controls,
    )


def _checks(trust: Trust) -> Iterator[Check]:
    if trust.curves is not None:
        yield _deletion(trust.curves)
    known = not np.isnan(trust.agreement)
    yield Check(
        "agreement with permutation importance",
        trust.agreement >= AGREES if known else None,
        f"rank correlation with permutation importance {trust.agreement:.2f}",
    )
    rank, rows = trust.stability.fold_rank, trust.stability.fold_rows
    chance = trust.stability.chance_rows
    yield Check(
        "stability between folds",
        None if np.isnan(rank) else rank >= STABLE,
        f"rank correlation between folds {rank:.2f}, cosine on the same row {rows:.2f} "
        f"(on different rows {chance:.2f})",
    )
    controls, n = trust.controls, len(trust.features)
    if controls.decoy_mass is not None:
        share = float(controls.decoy_mass.mean())
        even = len(controls.decoys) / (n + len(controls.decoys))
        words = f"{len(controls.decoys)} decoys get {share:.1%} of the attention"
        yield Check("decoys", share < even / 2, f"{words} (uniform: {even:.1%})")
    if controls.null_evenness is not None:
        even = float(controls.null_evenness.mean())
        words = f"with a shuffled target attention is {even:.0%} even"
        yield Check("the shuffled target", even >= EVEN, words)


def _deletion(curves: Curves) -> Check:
    """Compare the damage of deleting columns in the order of attention with that of chance."""
    own, other, chance = (
        float(curves.damage(order).mean())
        for order in ("attention", "permutation importance", "random")
    )
    if chance <= 0.0:
        words = f"taking columns away at random does not raise the loss ({chance:+.3f})"
        return Check("deletion", None, words)
    return Check(
        "deletion",
        own >= BEATS_CHANCE * chance,
        f"taking columns away by attention raises the loss {own / chance:.2f} times as much as "
        f"at random (by permutation importance {other / chance:.2f})",
    )
