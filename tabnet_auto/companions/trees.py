"""Trees as arrays: scikit-learn's boosted trees and forests without scikit-learn, and no pickle.

A fitted ensemble becomes one table of nodes. Prediction walks all trees of a chunk of rows at
once, in a compiled kernel where there is one; leaves point to themselves. Sums and comparisons
are those of scikit-learn, so predictions are, too.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.lesson import Arrays, Floats, align
from tabnet_auto.net.native import library

CHUNK = 200_000
"""Rows times trees that are walked at once: what fits into the cache."""
LINKS = ("identity", "exp", "sigmoid", "softmax")
"""From a raw sum to a prediction."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """The nodes of all trees, one after another.

    ``feature``, ``threshold``, ``left``, ``right``, ``missing_left`` are ``(n_nodes,)``: a row
    goes left where its value is at most the threshold. ``levels`` is ``(n_nodes,)``: -1 for a
    split by threshold, else a row of ``goes_left (n_splits, 256)``: whether a category's number
    goes left. ``root (n_trees,)`` are the trees' first nodes, ``depth`` the longest way
    down.
    """

    feature: NDArray[np.int32]
    threshold: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    levels: NDArray[np.int32]
    goes_left: NDArray[np.bool_]
    root: NDArray[np.int32]
    depth: NDArray[np.int32]

    def leaves(self, x: NDArray[np.floating]) -> NDArray[np.int32]:
        """Return the leaf of every row in every tree; ``(n, n_trees)``."""
        return self._walked(x) if library.is_usable() else self._stepped(x)

    def _walked(self, x: NDArray[np.floating]) -> NDArray[np.int32]:
        """Row by row, by the compiled kernel."""
        rows = np.ascontiguousarray(x, dtype=np.float64)
        leaf = np.empty((len(x), len(self.root)), dtype=np.int32)
        tables = (
            self.feature, self.threshold, self.left, self.right, self.missing_left, self.levels,
            self.goes_left, self.root,
        )  # fmt: skip
        own = [np.ascontiguousarray(table) for table in tables]
        library.call("walk_trees", rows, *own, leaf, *rows.shape, len(self.root))
        return leaf

    def _stepped(self, x: NDArray[np.floating]) -> NDArray[np.int32]:
        """All rows in all trees one step down at a time."""
        at = np.repeat(self.root[None], len(x), axis=0)
        row = np.arange(len(x))[:, None]
        for _ in range(self.depth.item()):
            value = x[row, self.feature[at]]
            # A missing value compares as False: it goes where the node sends it.
            left = (value <= self.threshold[at]) | (np.isnan(value) & self.missing_left[at])
            if len(self.goes_left):
                split = self.levels[at]
                number = np.nan_to_num(value, nan=0.0).clip(0, 255).astype(np.int64)
                by_level = self.goes_left[split, number]
                by_level = np.where(np.isnan(value), self.missing_left[at], by_level)
                left = np.where(split >= 0, by_level, left)
            at = np.where(left, self.left[at], self.right[at])
        return at


@dataclass(frozen=True, eq=False)
class Boosted:
    """Histogram gradient boosting: a raw sum of leaves, and a link.

    ``value (n_nodes,)``; ``output (n_trees,)`` says which of the sums a tree adds to,
    ``baseline (n_outputs,)`` where the sums begin; ``columns (d,)`` are the matrix's columns in
    the order that the trees know, and ``number (n_category, n_codes)`` is what scikit-learn
    calls the codes of the first of them, NaN for a code that it has not seen.
    """

    nodes: Nodes
    value: Floats
    output: NDArray[np.int32]
    baseline: Floats
    link: NDArray[np.int32]
    columns: NDArray[np.int64]
    number: Floats
    classes: NDArray[np.int64]
    n_classes: NDArray[np.int64]

    kind: ClassVar[str] = "boosted trees"

    @property
    def rounds(self) -> int:
        """Boosting rounds."""
        return len(self.output) // max(1, len(self.baseline))

    @property
    def leaves(self) -> int:
        """Leaves of the tree that has the most."""
        is_leaf = self.nodes.left == np.arange(len(self.nodes.left))
        return int(np.add.reduceat(is_leaf, self.nodes.root).max())

    def predict(self, x: Floats) -> Floats:
        """Class probabilities ``(n, n_classes)``, or values ``(n,)``."""
        known = self._read(x)
        raw = np.repeat(self.baseline[None], len(x), axis=0)
        size = max(1, CHUNK // max(1, len(self.output)))
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            added = self.value[self.nodes.leaves(known[part])]
            for k in range(raw.shape[1]):
                # Tree after tree: the same order of additions, the same last digit.
                trees = np.column_stack([raw[part, k], added[:, self.output == k]])
                raw[part, k] = np.cumsum(trees, axis=1)[:, -1]
        return self._finish(raw)

    def _read(self, x: Floats) -> Floats:
        """Bring columns into the trees' order, and codes into scikit-learn's numbers."""
        known = x[:, self.columns]
        for i, table in enumerate(self.number):
            codes = np.nan_to_num(known[:, i], nan=0.0).clip(0, len(table) - 1).astype(np.int64)
            known[:, i] = np.where(np.isnan(known[:, i]), np.nan, table[codes])
        return known

    def _finish(self, raw: Floats) -> Floats:
        link = LINKS[self.link.item()]
        if link == "identity":
            return raw[:, 0]
        if link == "exp":
            return np.exp(raw[:, 0])
        if link == "sigmoid":
            second = 1.0 / (1.0 + np.exp(-raw[:, 0]))
            p = np.column_stack([1.0 - second, second])
        else:
            odds = np.exp(raw - raw.max(axis=1, keepdims=True))
            p = odds / odds.sum(axis=1, keepdims=True)
        return align(p, self.classes, self.n_classes.item())

    def to_arrays(self) -> Arrays:
        """Return named arrays from which it is rebuilt."""
        return _arrays(self)


@dataclass(frozen=True, eq=False)
class Forest:
    """The mean of trees: ``value (n_nodes, n_classes)``, or ``(n_nodes, 1)`` for values."""

    nodes: Nodes
    value: Floats
    classes: NDArray[np.int64]
    n_classes: NDArray[np.int64]

    kind: ClassVar[str] = "forest"

    @property
    def rounds(self) -> int:
        """0: trees of a forest are not boosted."""
        return 0

    def predict(self, x: Floats) -> Floats:
        """Class probabilities ``(n, n_classes)``, or values ``(n,)``."""
        # scikit-learn's trees compare single-precision values.
        known = x.astype(np.float32)
        mean = np.zeros((len(x), self.value.shape[1]))
        n_trees = len(self.nodes.root)
        size = max(1, CHUNK // n_trees)
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            leaves = self.nodes.leaves(known[part])
            for tree in range(n_trees):
                mean[part] += self.value[leaves[:, tree]]
        mean /= n_trees
        n_classes = self.n_classes.item()
        return align(mean, self.classes, n_classes) if n_classes else mean[:, 0]

    def to_arrays(self) -> Arrays:
        """Return named arrays from which it is rebuilt."""
        return _arrays(self)


def _arrays(trees: Boosted | Forest) -> Arrays:
    own = {f.name: np.asarray(getattr(trees, f.name)) for f in fields(trees) if f.name != "nodes"}
    nodes = {f"nodes.{name}": np.asarray(array) for name, array in vars(trees.nodes).items()}
    return own | nodes


def boosted_from_arrays(arrays: Arrays) -> Boosted:
    """Read back what :meth:`Boosted.to_arrays` returned."""
    return Boosted(nodes=_nodes(arrays), **_without_nodes(arrays))


def forest_from_arrays(arrays: Arrays) -> Forest:
    """Read back what :meth:`Forest.to_arrays` returned."""
    return Forest(nodes=_nodes(arrays), **_without_nodes(arrays))


def _nodes(arrays: Arrays) -> Nodes:
    prefix = "nodes."
    return Nodes(**{n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)})


def _without_nodes(arrays: Arrays) -> dict[str, Any]:
    return {name: array for name, array in arrays.items() if not name.startswith("nodes.")}
