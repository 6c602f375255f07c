"""What the networks looked at, as a user reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.attention.contributions import Contributions, Explainer
from tabnet_auto.attention.controls import Controls
from tabnet_auto.attention.effective import N_OTHERS, effective_attention
from tabnet_auto.attention.read import (
    attention_chunks,
    common_rows,
    over_seeds,
    read_weights,
)
from tabnet_auto.attention.stability import Stability, measure_stability
from tabnet_auto.attention.summary import SAMPLE_ROWS, summarize_attention
from tabnet_auto.attention.trust import Trust, trust_of
from tabnet_auto.errors import InputError
from tabnet_auto.net.tabnet import AttentionTabNet
from tabnet_auto.result.trial import held_out_task, run_controls

if TYPE_CHECKING:
    import pandas as pd

    from tabnet_auto.design import Design
    from tabnet_auto.result.fit import FitResult


class Attention:
    """What the networks looked at, in the user's columns."""

    def __init__(self, fit: FitResult) -> None:
        self._fit = fit
        self._summary = fit.attention_summary

    @property
    def features(self) -> tuple[str, ...]:
        """The D columns, in the order of the last axis everywhere below."""
        return self._summary.features

    # --- means over held-out rows ---------------------------------------------------------------

    @property
    def per_fold(self) -> pd.DataFrame:
        """Mean attention on each fold's validation rows; one row a fold, rows sum to 1."""
        import pandas as pd

        return pd.DataFrame(self._summary.per_fold, columns=list(self.features)).rename_axis("fold")

    @property
    def per_step(self) -> pd.DataFrame:
        """Mean weights of each fold and step; index (fold, step), rows sum to 1."""
        import pandas as pd

        steps = self._summary.per_step
        index = pd.MultiIndex.from_product(
            [range(steps.shape[0]), range(steps.shape[1])], names=["fold", "step"]
        )
        flat = steps.reshape(-1, steps.shape[2])
        return pd.DataFrame(flat, index=index, columns=list(self.features))

    # --- rows -----------------------------------------------------------------------------------

    def rows(self, frame: pd.DataFrame | str | Path) -> NDArray[np.float32]:
        """Weights for every row of a frame; ``(fold, step, row, column)``, seeds averaged.

        All of it lies in memory; :meth:`chunks` does not.
        """
        _, n_steps, n_columns = self._summary.per_step.shape
        n_folds, design = self._fit.members.n_folds, self._encode(frame)
        weights = np.empty((n_folds, n_steps, design.n_rows, n_columns), dtype=np.float32)
        start = 0
        for chunk in self._chunks(design):
            weights[:, :, start : start + chunk.shape[2]] = chunk
            start += chunk.shape[2]
        return weights

    def chunks(self, frame: pd.DataFrame | str | Path) -> Iterator[NDArray[np.float32]]:
        """Yield the weights of a frame's rows in order, ``(fold, step, some rows, column)``.

        One chunk is in memory at a time: reduce it, or write it into an array on disk that may
        be narrower (``numpy.memmap``, float16), before asking for the next.
        """
        return self._chunks(self._encode(frame))

    def effective(self, frame: pd.DataFrame | str | Path) -> NDArray[np.float32]:
        """How far each column could move each row's output through the weights it gets.

        The weights of :meth:`rows` say what is read; here each is scaled by what it lets through
        of the column's variation in the frame, to first order, so that columns whose values do
        nothing behind the mask have little (:mod:`tabnet_auto.attention.effective`).
        ``(fold, row, column)``, all steps together, seeds averaged; non-negative, rows sum to 1.

        Raises
        ------
        InputError
            If the frame has fewer than two rows (nothing varies), or the networks are the
            published TabNet.
        """
        fit, design = self._fit, self._encode(frame)
        if not isinstance(fit.net, AttentionTabNet):
            raise InputError(
                "Effective attention needs the default network, however: this fit has preset "
                "'paper'. Its weights are fit.attention.rows(frame)."
            )
        if design.n_rows < 2:
            raise InputError(
                "Effective attention needs at least two rows, to see how values vary, however: "
                f"the frame has {design.n_rows}."
            )
        n_members, device = fit.members.n_members, next(fit.net.parameters()).device
        rows, others = (
            common_rows(design, n_members, n, device) for n in (design.n_rows, N_OTHERS)
        )
        shares = effective_attention(fit.net, rows, others)
        return over_seeds(shares, fit.members.fold).astype(np.float32)

    def to_frame(self, frame: pd.DataFrame | str | Path) -> pd.DataFrame:
        """Weights in long form: fold, step, row (the frame's index), column, weight."""
        import pandas as pd

        weights = self.rows(frame)
        fold, step, row, column = np.indices(weights.shape, dtype=np.int32).reshape(4, -1)
        return pd.DataFrame(
            {
                "fold": fold,
                "step": step,
                "row": _index_of(frame, weights.shape[2]).take(row),
                "column": pd.Categorical.from_codes(column, pd.Index(self.features)),
                "weight": weights.reshape(-1),
            }
        )

    def contributions(
        self, frame: pd.DataFrame | str | Path, *, n_orders: int = 4
    ) -> Contributions:
        """How much each column moved each row's output, and which way.

        Sampled Shapley values against a row of missing cells; the contributions of a row and
        the baseline add up to its output. Every order costs a pass over the rows for each
        column: explain hundreds of rows, not millions.

        Parameters
        ----------
        frame
            Rows to explain.
        n_orders
            Orders in which columns come in, an even number: more orders, less sampling noise
            where columns act together. Without interactions any number gives the same.

        Raises
        ------
        InputError
            If ``n_orders`` is odd or less than 2.
        """
        fit, design = self._fit, self._encode(frame)
        explainer = Explainer(
            fit.net, fit.encoder.layout, fit.encoder.tables,
            tuple(str(label) for label in fit.schema.classes), fit.schema.target,
            fit.members.fold, n_orders,
        )  # fmt: skip
        return explainer.explain(design, _index_of(frame, design.n_rows))

    def _encode(self, frame: pd.DataFrame | str | Path) -> Design:
        return self._fit._encode(frame, "rows")  # noqa: SLF001 - a view of the fit

    def _chunks(self, design: Design) -> Iterator[NDArray[np.float32]]:
        return attention_chunks(self._fit.net, design, self._fit.members.fold)

    # --- can it be believed ---------------------------------------------------------------------

    def stability(self, frame: pd.DataFrame | str | Path | None = None) -> Stability:
        """Return how far folds and seeds agree on the same rows, and how far rows differ.

        Measured with the fit on training rows, or on the rows of ``frame`` (at most
        ``SAMPLE_ROWS`` of them, evenly spaced).
        """
        if frame is None:
            return self._summary.common
        design, fit = self._encode(frame), self._fit
        if design.n_rows == 0:
            raise InputError("Stability needs at least one row, however: the frame has none.")
        device = next(fit.net.parameters()).device
        rows = common_rows(design, fit.members.n_members, SAMPLE_ROWS, device)
        return measure_stability(read_weights(fit.net, rows), fit.members.fold)

    def trust(
        self,
        frame: pd.DataFrame | str | Path | None = None,
        *,
        decoys: int = 0,
        shuffled_target: bool = False,
        seed: int = 0,
    ) -> Trust:
        """Check the attention: deletion, insertion, permutation importance, stability, controls.

        Parameters
        ----------
        frame
            Rows with the target that the networks have not learned from. The training frame is
            recognised by its target: then every fold reads the rows that it held out. Without a
            frame: what was measured with the fit, on fewer rows.
        decoys
            Train anew, beside as many shuffled copies of columns, and report their share of the
            attention. Needs the training frame, and as long as the fit did.
        shuffled_target
            Train anew on a shuffled target, and report how even the attention is. As long again.
        seed
            Which columns are copied, and how rows are shuffled.

        Raises
        ------
        InputError
            If the frame has no target, or controls are asked for without the training frame.
        """
        asked = bool(decoys) or shuffled_target
        if frame is None:
            if asked:
                raise InputError(
                    "decoys and shuffled_target train anew and need the training frame, however: "
                    "no frame. Call fit.attention.trust(train, ...)."
                )
            return trust_of(self._summary, Controls())
        task = held_out_task(self._fit, frame)
        controls = Controls()
        if asked:
            controls = run_controls(
                self._fit, frame, decoys=decoys, shuffled_target=shuffled_target, seed=seed
            )
        return trust_of(summarize_attention(self._fit.net, task), controls)

    def permutation(self) -> pd.Series[float]:
        """Rise of the validation loss when one column is shuffled: the check on the attention."""
        import pandas as pd

        return pd.Series(self._summary.harm, index=list(self.features), name="loss_increase")

    def __repr__(self) -> str:
        mean = self.per_fold.mean().sort_values(ascending=False)
        top = ", ".join(f"{name} {share:.1%}" for name, share in mean.head(8).items())
        return (
            f"Attention over {len(self.features)} columns: {top}\n"
            f"stability between folds (Spearman) {self._summary.stability():.2f}; agreement with "
            f"permutation importance {self._summary.agreement():.2f}\n"
            f"{self.trust().verdict}"
        )


def _index_of(frame: object, n_rows: int) -> pd.Index[Any]:
    """Return the labels of a frame's rows: a pandas frame's own, else their positions."""
    import pandas as pd

    return frame.index if isinstance(frame, pd.DataFrame) else pd.RangeIndex(n_rows)
