"""The answer: predictions, scores, attention, pages, files. Every verb is a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.attention.summary import AttentionSummary
from tabnet_auto.auditing.record import Audit
from tabnet_auto.companions.train import Companion
from tabnet_auto.config import Preset
from tabnet_auto.decisions import Decision, row_parts
from tabnet_auto.design import Design
from tabnet_auto.encode.encoder import Encoder
from tabnet_auto.ensemble.blend import AnyBlend, HeldOut
from tabnet_auto.errors import InputError
from tabnet_auto.evidence.record import Evidence
from tabnet_auto.folds import Folds
from tabnet_auto.frames import read_frame
from tabnet_auto.kaggle.submission import Values, build_submission
from tabnet_auto.metrics import Metric, Objective
from tabnet_auto.reporting import (
    leaderboard_rows,
    out_of_fold_sample,
    report_data,
    shown_search,
    with_evidence,
    without_rows,
)
from tabnet_auto.result.attention import Attention
from tabnet_auto.result.predict import predict_models
from tabnet_auto.result.words import choice_words, in_words, lines_of_python
from tabnet_auto.schema import Schema
from tabnet_auto.search.record import SearchRecord
from tabnet_auto.table import Table
from tabnet_auto.target import decode_labels
from tabnet_auto.trace import Trace
from tabnet_auto.view.page import render_fragment, render_page
from tabnet_auto.view.tables import format_cell

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from tabnet_auto.view.live.dashboard import Dashboard
    from tabnet_auto.view.place import Mode
    from tabnet_auto.view.report_data import ReportData


@dataclass(frozen=True, eq=False)
class FitResult:
    """What :func:`auto_fit` learned; printing it shows the scores.

    Attributes
    ----------
    schema : Schema
        Role of every column, the task, and the reasons; print it.
    folds : Folds
        Training and validation rows of every member, counted among the rows with a target.
    companions : tuple of Companion
        What joined the networks' folds and blend.
    full : Folds or None
        Members of a model that was refitted on all rows; None where the folds' members predict.
    metric : Metric
        What scores are measured in.
    oof : numpy.ndarray
        Out-of-fold predictions in the order of the training frame's rows: probabilities
        ``(n, n_classes)`` or values ``(n,)``; NaN for rows without a target and for rows that
        no fold held out. Blend weights are cross-fitted: none was chosen on the row it is for.
    oof_score : float
        The blend's score on the out-of-fold predictions; labels are those of a rule that was
        tuned on other rows.
    decision : Decision
        How ``predict`` turns probabilities into labels.
    objective : Objective
        What the networks minimised.
    trace : Trace
        What happened, as plain records.
    search : SearchRecord or None
        What a search tried and chose, fold by fold; ``fit.search.to_frame()``.
    networks : tuple of int or None
        Numbers of the seeds whose networks :meth:`slim` kept; None where all are there.
    """

    schema: Schema
    folds: Folds
    metric: Metric
    preset: Preset
    encoder: Encoder
    net: nn.Module
    blend: AnyBlend
    oof: NDArray[np.float64]
    oof_score: float
    target: NDArray[Any]
    has_target: NDArray[np.bool_]
    member_scores: NDArray[np.float64]
    fold_scores: NDArray[np.float64]
    attention_summary: AttentionSummary
    trace: Trace
    about: Mapping[str, str]
    decision: Decision
    objective: Objective
    companions: tuple[Companion, ...] = ()
    full: Folds | None = None
    held_out: HeldOut | None = None
    table: Table | None = None
    evidence: Evidence = field(default_factory=Evidence)
    search: SearchRecord | None = None
    networks: tuple[int, ...] | None = None

    # --- predictions ----------------------------------------------------------------------------

    @property
    def task(self) -> str:
        """``"binary"``, ``"multiclass"`` or ``"regression"``."""
        return self.schema.task

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels as the user wrote them, in the order of the probability columns."""
        self._need_classes("classes_")
        return decode_labels(np.arange(len(self.schema.classes)), self.schema)

    def predict(self, frame: pd.DataFrame | str | Path) -> NDArray[Any]:
        """Predict labels as the user wrote them, or values; shape ``(n,)``.

        Raises
        ------
        SchemaMismatchError
            If the frame lacks a column that was learned from.
        """
        predicted = self._predict(frame)
        if self.task == "regression":
            return predicted
        return decode_labels(self.decision.labels(predicted), self.schema)

    def predict_proba(self, frame: pd.DataFrame | str | Path) -> NDArray[np.float64]:
        """Predict class probabilities ``(n, n_classes)`` in the order of ``classes_``."""
        self._need_classes("predict_proba")
        return self._predict(frame)

    def _predict(self, frame: pd.DataFrame | str | Path) -> NDArray[np.float64]:
        return self.blend.apply(predict_models(self, self._encode(frame, "test")))

    @property
    def n_seeds(self) -> int:
        """Networks a fold that were trained."""
        return self.folds.n_seeds

    @property
    def members(self) -> Folds:
        """Who the network's members are: those of the folds or refitted, of the seeds kept."""
        return (self.full or self.folds).only_seeds(self.networks)

    def _encode(self, frame: pd.DataFrame | str | Path, what: str) -> Design:
        """Encode new rows, also none: a frame with columns and without rows is an answer too."""
        return self.encoder.encode(read_frame(frame, what=what, min_rows=0))

    def _need_classes(self, what: str) -> None:
        if self.task == "regression":
            raise InputError(f"{what} needs a classification target, however: regression.")

    def submission(
        self,
        test: pd.DataFrame | str | Path,
        sample: pd.DataFrame | str | Path | None = None,
        path: str | Path | None = None,
        *,
        id_column: str | None = None,
        values: Values = "auto",
    ) -> pd.DataFrame:
        """Predict ``test`` in the form of a sample submission, checked; write it if ``path``.

        ``id_column`` names the ids where there is no sample; ``values`` is ``"labels"`` or
        ``"probabilities"`` where the sample's zeros do not tell which: that is a warning, and
        labels are submitted.

        Raises
        ------
        InputError
            If ids are missing, repeated or do not match, or the sample asks for something that
            the model does not predict.
        """
        made = build_submission(
            read_frame(_index_as_column(test), what="test"),
            target=self.schema.target,
            predict=self.predict,
            predict_proba=None if self.task == "regression" else self.predict_proba,
            classes=[] if self.task == "regression" else self.classes_.tolist(),
            sample=None if sample is None else read_frame(sample, what="sample"),
            id_column=id_column,
            values=values,
        )
        if path is not None:
            made.to_csv(path, index=False)
        return made

    # --- what was learned -----------------------------------------------------------------------

    def leaderboard(self) -> pd.DataFrame:
        """One row a model: mean and fold scores, seconds, blend weight."""
        import pandas as pd

        records = []
        for row in self._leaderboard():
            folds = {f"fold_{i + 1}": score for i, score in enumerate(row["folds"])}
            records.append(
                {"model": row["name"], self.metric.name: row["mean"], **folds,
                 "seconds": row["seconds"], "weight": row["weight"]}
            )  # fmt: skip
        return pd.DataFrame(records)

    @property
    def audit(self) -> Audit | None:
        """What was found in the data before training; None with ``audit="off"``."""
        return Audit.from_trace(self.trace)

    @property
    def attention(self) -> Attention:
        """What the networks looked at."""
        return Attention(self)

    def dashboard(
        self, frame: pd.DataFrame | str | Path | None = None, *, mode: Mode = "auto"
    ) -> Dashboard:
        """Ask the model with controls: what it reads, row by row, and what if a cell changes.

        Parameters
        ----------
        frame
            Rows to look at, with the target or without. A model keeps none of its own: without
            a frame there are the attention per fold and the out-of-fold threshold.
        mode
            ``"live"`` are widgets, ``"page"`` is the report (batch runs; with a frame it quotes
            training rows as :meth:`report` does), ``"text"`` a summary; ``"auto"`` takes what
            fits where the code runs, or what the environment variable ``TABNET_AUTO_DISPLAY`` says.

        Raises
        ------
        InputError
            If the frame cannot be read or has no row, or the mode is none of these.
        """
        from tabnet_auto.result.dashboard import open_dashboard

        return open_dashboard(self, frame, mode)

    def report(self, path: str | Path, *, rows: bool = True) -> Path:
        """Write one self-contained HTML page: scores, curves, attention, rows, schema.

        The page quotes some hundred rows of the training frame, so that a reader can see what
        the networks looked at in each; ``rows=False`` leaves them out.
        """
        written = Path(path)
        data = self._report_data() if rows else without_rows(self._report_data())
        written.write_text(render_page(data), encoding="utf-8")
        return written

    def _leaderboard(self) -> list[dict[str, Any]]:
        seconds = self.trace.of("done")[-1]["seconds"]
        return leaderboard_rows(
            self.folds, self.blend, self.member_scores, self.fold_scores, seconds,
            self.companions,
        )  # fmt: skip

    def _report_data(self) -> ReportData:
        summary = {
            "Out-of-fold score": format_cell(self.oof_score, "score"),
            "Metric": self.metric.name,
            "Task": self.task,
            "Target": self.schema.target,
            "Rows": f"{len(self.target):,}",
            "Columns": f"{len(self.schema.used)} of {len(self.schema.columns)}",
            "Folds": self.folds.rule,
            **choice_words(self, self._leaderboard()),
            **self.about,
        }
        oof = decided = self.oof[self.has_target]
        if self.task == "multiclass":  # the confusion matrix is of labels
            decided = self.decision.cross_fitted(oof, row_parts(self.folds, len(oof)))
        predictions = out_of_fold_sample(
            self.schema, self.target, oof, decided, self.decision.threshold
        )
        data = report_data(
            self.schema, self.metric, self.trace, self.attention_summary, self._leaderboard(),
            predictions, summary, self._reproduce(),
        )  # fmt: skip
        if self.search is not None:
            data = replace(data, search=shown_search(self.search, self.oof_score))
        decide = self.decision.labels
        return with_evidence(data, self.schema, self.trace, self.evidence, decide)

    def _reproduce(self) -> str:
        return lines_of_python(self.schema.target, self.about)

    def __repr__(self) -> str:
        return in_words(self, self._leaderboard())

    def _repr_html_(self) -> str:
        return render_fragment(self._report_data())

    # --- other models from this one ------------------------------------------------------------

    def refit_full(
        self, train: pd.DataFrame | str | Path | None = None, *, device: str = "auto"
    ) -> FitResult:
        """Train anew on all rows, for as many epochs and rounds as the folds found best.

        Nothing is held out, so nothing is scored: out-of-fold predictions, scores and attention
        remain those of the folds. New rows are predicted by the new members. One network a seed
        takes the place of one a fold and seed: predicting is faster, and each has seen all rows.
        Pseudo-labels, if there were any, are not learned from again.

        Parameters
        ----------
        train
            The training table again, as :func:`auto_fit` was given it. Needed after loading or
            unpickling, which keep no training rows. Where a time limit had made the fit learn
            from a sample of the rows, the same sample is learned from.
        device
            ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.

        Raises
        ------
        InputError
            If the training table is needed and not given, or is another one.
        """
        from tabnet_auto.result.refit import refit_full

        return refit_full(self, train, device)

    def without(self, companions: Sequence[str]) -> FitResult:
        """Return the model without some companions, their blend weight shared by the others.

        Out-of-fold predictions and scores are computed anew, with the shared weights.

        Raises
        ------
        InputError
            If there is no companion of such a name, or the model was loaded, unpickled or
            made slim.
        """
        from tabnet_auto.result.reduce import without

        return without(self, companions)

    def slim(self) -> FitResult:
        """Return the model without networks and companions that have no weight in the blend.

        Predictions are the same, ``slim().save(directory)`` takes less room. The attention is
        that of the networks that stay (all do where the blend has none of them); scores, curves
        and the leaderboard still tell of every model.
        """
        from tabnet_auto.result.reduce import slim

        return slim(self)

    # --- files ----------------------------------------------------------------------------------

    def save(self, directory: str | Path, *, rows: bool = True) -> Path:
        """Save into a directory of JSON and safetensors; :func:`load` reads it anywhere.

        The directory holds the training targets and out-of-fold predictions too, so that a
        loaded model can still write its report, and some hundred rows of the training frame
        as they were given. ``rows=False`` leaves these rows out, where they are private; the
        encoder's tables still hold the levels and quantiles that it learned. Companions that
        have no weight in the blend are left out, their line on the leaderboard stays; networks
        without weight stay, too, unless :meth:`slim` took them out before.

        Raises
        ------
        ArtifactError
            If a companion has no form without pickle; ``fit.without([name])`` leaves it out.
        """
        from tabnet_auto.result.saving import save

        return save(self, directory, rows=rows)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the training rows out of pickles."""
        return {**vars(self), "table": None}


def _index_as_column(test: Any) -> Any:
    """Return a frame whose named index (``index_col="id"``) is a column again: it holds the ids."""
    index = getattr(test, "index", None)
    name = getattr(index, "name", None)
    return test if name is None or name in test.columns else test.reset_index()
