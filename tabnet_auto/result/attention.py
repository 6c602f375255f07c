"""What the networks looked at, as a user reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.attention import row_attention

if TYPE_CHECKING:
    import pandas as pd

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

    def rows(self, frame: pd.DataFrame | str | Path) -> NDArray[np.float32]:
        """Weights for every row of a frame; ``(fold, step, row, column)``."""
        design = self._fit._encode(frame, "rows")  # noqa: SLF001 - a view of the fit
        if design.n_rows == 0:
            _, n_steps, n_columns = self._summary.per_step.shape
            n_folds = self._fit.members.n_folds
            return np.empty((n_folds, n_steps, 0, n_columns), dtype=np.float32)
        return row_attention(self._fit.net, design, self._fit.members.fold)

    def stability(self) -> float:
        """Mean Spearman correlation between the folds' attention."""
        return self._summary.stability()

    def permutation(self) -> pd.Series[float]:
        """Rise of the validation loss when one column is shuffled: the check on the attention."""
        import pandas as pd

        return pd.Series(self._summary.harm, index=list(self.features), name="loss_increase")

    def __repr__(self) -> str:
        mean = self.per_fold.mean().sort_values(ascending=False)
        top = ", ".join(f"{name} {share:.1%}" for name, share in mean.head(8).items())
        return (
            f"Attention over {len(self.features)} columns: {top}\n"
            f"stability between folds (Spearman) {self.stability():.2f}; agreement with "
            f"permutation importance {self._summary.agreement():.2f}"
        )
