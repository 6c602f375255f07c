"""Signed contributions: how much each column moved the output of each row, and which way.

Attention says how much of a column is read, not what it does to the output: the trunk behind it
is not linear. Contributions answer the second question. A column's contribution is the mean
change of the output when its value takes the place of the missing token, over several orders in
which the columns come in: Shapley values by sampled permutations (Castro, Gomez and Tejada 2009,
Computers & Operations Research 36(5); Strumbelj and Kononenko 2014). Along each order the changes
add up to the whole way from a row of missing cells to the row as it is, so the contributions are
complete by construction, for every network that can read a missing cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabnet_auto.attention.read import Floats, blanked, over_seeds
from tabnet_auto.design import Design, Layout, MemberTables
from tabnet_auto.errors import InputError
from tabnet_auto.train.predict import chunk_rows
from tabnet_auto.train.rows import RowStore

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE = 1e-4
"""Largest difference, relative to the largest output, that single precision leaves."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each column added to each row's output, per fold, the mean over its seeds.

    ``baseline[f] + values[f, i].sum(axis=columns) == prediction[f, i]`` up to ``TOLERANCE``.

    ``values``
        ``(n_folds, n, D, K)``, signed.
    ``baseline``
        ``(n_folds, K)``: the output for a row of which everything is missing.
    ``prediction``
        ``(n_folds, n, K)``: the output for the row.
    ``outputs``
        K names of the outputs: the target in its own units; for two classes the log-odds of
        the second; for more the logit of each class less their mean.
    ``features``
        The D columns.
    ``index``
        Label of each row.
    """

    features: tuple[str, ...]
    outputs: tuple[str, ...]
    index: pd.Index[Any]
    values: NDArray[np.float32]
    baseline: Floats
    prediction: Floats

    def residual(self) -> float:
        """Largest ``|baseline + contributions - prediction|``: what completeness lacks."""
        summed = self.baseline[:, None] + self.values.sum(axis=2, dtype=float)
        return float(np.abs(summed - self.prediction).max(initial=0.0))

    def to_frame(self) -> pd.DataFrame:
        """Long form: fold, row (the frame's index), column, output, contribution."""
        import pandas as pd

        n_folds, n, n_columns, n_outputs = self.values.shape
        fold, row, column, output = np.indices((n_folds, n, n_columns, n_outputs)).reshape(4, -1)
        return pd.DataFrame(
            {
                "fold": fold,
                "row": self.index.take(row),
                "column": pd.Categorical.from_codes(column, pd.Index(self.features)),
                "output": pd.Categorical.from_codes(output, pd.Index(self.outputs)),
                "contribution": self.values.reshape(-1),
            }
        )


@dataclass(frozen=True, eq=False)
class Explainer:
    """What turns rows into contributions: the networks, and the meaning of their outputs.

    ``classes`` as text, empty for values; ``fold`` of each member; ``n_orders`` an even number:
    each order of the columns is also used backwards, which evens out what depends on it.
    """

    net: nn.Module
    layout: Layout
    tables: MemberTables
    classes: tuple[str, ...]
    target: str
    fold: tuple[int, ...]
    n_orders: int

    def __post_init__(self) -> None:
        """Refuse a number of orders that has no antithetic pairs."""
        if self.n_orders < 2 or self.n_orders % 2:
            raise InputError(
                f"n_orders must be an even number of at least 2, however: {self.n_orders!r}."
            )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the K outputs."""
        if len(self.classes) == 2:
            return (f"log-odds of {self.classes[1]}",)
        return self.classes or (self.target,)

    def explain(self, design: Design, index: pd.Index[Any]) -> Contributions:
        """Return the contributions of every row of a design; ``index`` labels them."""
        parts = list(self._chunks(design))
        n_folds, k = len(set(self.fold)), len(self.outputs)
        empty = np.empty((n_folds, 0, len(self.layout.columns), k), dtype=np.float32)
        values = np.concatenate([empty, *(part[0] for part in parts)], axis=1)
        prediction = np.concatenate(
            [np.empty((n_folds, 0, k)), *(part[1] for part in parts)], axis=1
        )
        baseline = parts[0][2] if parts else np.full((n_folds, k), np.nan)
        return Contributions(self.layout.columns, self.outputs, index, values, baseline, prediction)

    @torch.no_grad()
    def _chunks(self, design: Design) -> Iterator[tuple[NDArray[np.float32], Floats, Floats]]:
        """Contributions, predictions and baseline of the rows chunk by chunk."""
        self.net.eval()
        device = next(self.net.parameters()).device
        store, size = RowStore(design, device), chunk_rows(self.net, len(self.fold))
        for start in range(0, design.n_rows, size):
            rows = store.shared(start, min(start + size, design.n_rows)).gathered()
            n_columns = len(self.layout.columns)
            gone = torch.ones(n_columns, dtype=torch.bool, device=device)
            nothing = self._output(self.net(blanked(rows, gone, self.layout)).logits)
            everything = self._output(self.net(rows).logits)
            values = nothing.new_zeros(*nothing.shape[:2], n_columns, nothing.shape[2])
            for order in _antithetic_orders(n_columns, self.n_orders):
                gone, before = torch.ones_like(gone), nothing
                for column in order:
                    gone[column] = False
                    after = self._output(self.net(blanked(rows, gone, self.layout)).logits)
                    values[:, :, column] += after - before
                    before = after
            parts = (values / self.n_orders, everything, nothing[:, 0])
            shares = [over_seeds(part.cpu().numpy(), self.fold) for part in parts]
            yield shares[0].astype(np.float32), shares[1].astype(float), shares[2].astype(float)

    def _output(self, logits: Tensor) -> Tensor:
        """Logits ``(M, B, n_outputs)`` as what is explained; ``(M, B, K)``, double."""
        logits = logits.double()
        if not self.classes:
            scale, center = (
                torch.from_numpy(np.array(a)).to(logits.device)[:, None, None]
                for a in (self.tables.y_scale, self.tables.y_center)
            )
            return logits * scale + center
        if len(self.classes) == 2:
            return logits[..., 1:] - logits[..., :1]
        return logits - logits.mean(2, keepdim=True)


def _antithetic_orders(n_columns: int, n_orders: int) -> Iterator[list[int]]:
    random = np.random.default_rng(0)
    for _ in range(n_orders // 2):
        order = random.permutation(n_columns).tolist()
        yield order
        yield order[::-1]
