"""What the explorers of the page need, packed: one gzip of JSON and one byte a weight."""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.report_data import Cohorts, ReportData, RowSample


def pack(data: ReportData, *, effort: int = 9) -> str:
    """Return the numbers of the explorers as base64 text; equal data give equal text.

    With less ``effort`` (of gzip, 1 to 9) it is made sooner, and longer.

    The bytes below are gzip: the length of the JSON text (4 bytes, little endian), the text,
    then the levels of the rows' masks ``(fold, seed, step, row, column)``, one byte each. Means are
    rounded to five decimals, below one step of the finest colour scale.
    """
    content: dict[str, Any] = {
        "columns": list(data.columns),
        "fold": _rounded(data.attention),
        "step": _rounded(data.attention_steps),
        **_seeds(data),
        "rows": None if data.rows is None else _rows(data.rows, len(data.columns)),
        "cohorts": None if data.cohorts is None else _cohorts(data.cohorts, data.rows),
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate in a user's text has no UTF-8; it becomes a question mark.
    body = text.encode("utf-8", errors="replace")
    levels = b"" if data.rows is None else data.rows.levels.astype(np.uint8).tobytes()
    plain = len(body).to_bytes(4, "little") + body + levels
    return base64.b64encode(gzip.compress(plain, effort, mtime=0)).decode()


def _seeds(data: ReportData) -> dict[str, Any]:
    if data.seed_attention.shape[1] < 2:
        return {}
    return {"foldSeeds": _rounded(data.seed_attention), "stepSeeds": _rounded(data.seed_steps)}


def _rows(rows: RowSample, n_columns: int) -> dict[str, Any]:
    return {
        "shape": list(rows.levels.shape),
        "columns": rows.columns or list(range(n_columns)),
        "peak": rows.peak,
        "sizes": _rounded(rows.sizes, 3),
        "names": rows.names,
        "heldOut": rows.held_out,
        "cells": rows.cells,
        "truth": rows.truth,
        "predicted": rows.predicted,
        "byFold": rows.by_fold,
        "error": [_plain(error) for error in rows.error],
        "groups": rows.groups,
    }


def _cohorts(cohorts: Cohorts, rows: RowSample | None) -> dict[str, Any]:
    return {
        "by": cohorts.by,
        "label": cohorts.label,
        "nRows": cohorts.n_rows,
        "mean": _rounded(cohorts.mean),
        "error": _rounded(cohorts.error),
        "total": cohorts.total,
        "members": [] if rows is None else cohorts.members,
    }


def _rounded(values: NDArray[np.floating], digits: int = 5) -> Any:
    finite = np.nan_to_num(np.asarray(values, dtype=np.float64))
    return np.round(finite, digits).tolist()


def _plain(value: float) -> float | None:
    return float(f"{value:.7g}") if math.isfinite(value) else None
