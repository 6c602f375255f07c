"""Folds: the rules by which rows are split, and who learns from whom."""

from tabnet_auto.folds.make import make_folds
from tabnet_auto.folds.members import (
    Folds,
    Rows,
    check_fold_weights,
    group_numbers,
    ignored_notes,
    split_notes,
)
from tabnet_auto.folds.plan import FoldPlan

__all__ = [
    "FoldPlan",
    "Folds",
    "Rows",
    "check_fold_weights",
    "group_numbers",
    "ignored_notes",
    "make_folds",
    "split_notes",
]
