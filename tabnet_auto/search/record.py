"""What a search tried, what it found, and which settings each member got."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tabnet_auto.config import MemberSettings
from tabnet_auto.search.space import Settings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trial:
    """One configuration in one fold.

    ``number`` 0 is the preset's own; ``rung`` of halving that was reached; ``loss`` the best inner
    validation loss, by which was chosen; ``score`` the metric there; ``rank`` from 1 among what
    is not worse than the preset's own, 0 for what was not chosen.
    """

    fold: int
    number: int
    settings: Settings
    rung: int
    loss: float
    score: float
    rank: int = 0


@dataclass(frozen=True)
class SearchRecord:
    """All trials of a run, fold by fold; ``metric`` names their scores.

    Inner scores are of training rows of the fold that were held out of the trial. They chose, so
    they flatter; what the choice is worth says the out-of-fold score of the run, whose rows
    neither trained nor chose anything for their own fold.
    """

    trials: tuple[Trial, ...]
    metric: str
    seconds: float

    @property
    def n_folds(self) -> int:
        """Number of folds, each with a search of its own."""
        return len({trial.fold for trial in self.trials})

    def ranked(self, fold: int) -> list[Trial]:
        """Return what a fold chose, best first; the preset's own is the last."""
        own = [trial for trial in self.trials if trial.fold == fold and trial.rank]
        return sorted(own, key=lambda trial: trial.rank)

    def inner_score(self) -> float:
        """Mean, over folds in which it is defined, of the inner score of each fold's best."""
        return _mean([self.ranked(fold)[0].score for fold in range(self.n_folds)])

    def default_score(self) -> float:
        """Mean, over the same folds, of the inner score of the preset's own configuration."""
        return _mean([trial.score for trial in self.trials if trial.number == 0])

    def outcome(self, oof_score: float) -> str:
        """Say what chose, and what the choice is honestly worth."""
        stays = sum(len(self.ranked(fold)) == 1 for fold in range(self.n_folds))
        return (
            f"inner {self.metric} {_said(self.default_score())} of the preset's own settings, "
            f"{_said(self.inner_score())} of the chosen, which flatters what it chose; out of "
            f"fold, on rows without a part in it, {_said(oof_score)}. The preset's own stay in "
            f"{stays} of {self.n_folds} folds"
        )

    def member_settings(self, fold: Sequence[int]) -> MemberSettings:
        """Settings of members, fold by fold and seed by seed: a fold's seeds take its best in turn.

        ``fold (M,)`` says which fold each member is of.
        """
        chosen = []
        for member, own in enumerate(fold):
            ranked = self.ranked(own)
            seed = list(fold[:member]).count(own)
            chosen.append(ranked[seed % len(ranked)].settings)
        return settings_of(chosen)

    def for_all_rows(self, n_seeds: int) -> MemberSettings:
        """Settings of one member a seed that learns from all rows: the median over the folds."""
        names = list(self.trials[0].settings)
        ranked = [self.ranked(fold) for fold in range(self.n_folds)]
        medians = [
            {n: float(np.median([own[seed % len(own)].settings[n] for own in ranked]))
             for n in names}
            for seed in range(n_seeds)
        ]  # fmt: skip
        return settings_of(medians)

    def to_frame(self) -> pd.DataFrame:
        """One row a trial: fold and configuration from 0, settings, rung, loss, score, rank."""
        import pandas as pd

        rows = [
            {"fold": t.fold, "configuration": t.number, **t.settings, "rung": t.rung,
             "inner loss": t.loss, f"inner {self.metric}": t.score, "rank": t.rank}
            for t in self.trials
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def to_json(self) -> dict[str, Any]:
        """Return plain data from which :func:`search_from_json` rebuilds."""
        return asdict(self)


def _mean(scores: Sequence[float]) -> float:
    known = [score for score in scores if not math.isnan(score)]
    return float(np.mean(known)) if known else math.nan


def _said(score: float) -> str:
    return "(not defined)" if math.isnan(score) else f"{score:.4f}"


def search_from_json(data: dict[str, Any]) -> SearchRecord:
    """Read back what :meth:`SearchRecord.to_json` returned."""
    trials = tuple(Trial(**trial) for trial in data["trials"])
    return SearchRecord(trials, data["metric"], data["seconds"])


def settings_of(settings: Sequence[Settings]) -> MemberSettings:
    """Bring configurations, one a member, into columns."""
    names = settings[0]
    return MemberSettings(**{name: tuple(own[name] for own in settings) for name in names})
