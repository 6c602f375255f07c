"""scikit-learn estimators as companions; those whose insides are plain are kept as arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.lesson import Arrays, Fitted, Floats, Lesson, align
from tabnet_auto.companions.linear import Linear
from tabnet_auto.companions.trees import LINKS, Boosted, Forest, Nodes


@dataclass(frozen=True, eq=False)
class Estimator:
    """Any fitted estimator. It predicts, and cannot be saved without pickle."""

    model: Any
    classes: NDArray[np.int64]
    n_classes: int

    kind: ClassVar[str] = ""

    @property
    def rounds(self) -> int:
        """0: how long it trains is its own affair."""
        return 0

    def predict(self, x: Floats) -> Floats:
        """Class probabilities ``(n, n_classes)``, or values ``(n,)``."""
        if self.n_classes:
            p = np.asarray(self.model.predict_proba(x), dtype=np.float64)
            return align(p, self.classes, self.n_classes)
        return np.asarray(self.model.predict(x), dtype=np.float64).reshape(len(x))

    def to_arrays(self) -> Arrays:
        """Raise: there is no way."""
        raise TypeError(f"{type(self.model).__name__} has no form without pickle")


def fit_estimator(estimator: Any, lesson: Lesson) -> Fitted:
    """Fit a clone of an estimator on one fold, as it is set up, without early stopping.

    Sample weights are passed where ``fit`` takes them.
    """
    from sklearn.base import clone

    model = _with_threads(_with_seed(clone(estimator), lesson.seed), lesson.n_threads)
    train, (classes, target) = lesson.train, lesson.numbered()
    weight = {}
    if train.weight is not None and takes_weight(estimator):
        weight["sample_weight"] = train.weight
    with warnings.catch_warnings():
        # An optimiser that has not converged is the user's to tune, and its score tells.
        warnings.simplefilter("ignore")
        model.fit(train.matrix.x, target, **weight)
    return as_arrays(model, classes, lesson.n_classes)


def takes_weight(estimator: Any) -> bool:
    """Whether ``fit`` takes ``sample_weight``."""
    from sklearn.utils.validation import has_fit_parameter

    return bool(has_fit_parameter(estimator, "sample_weight"))


def _with_seed(model: Any, seed: int) -> Any:
    """Give a model that has a seed and was given none the fold's."""
    own = model.get_params(deep=False)
    if "random_state" in own and own["random_state"] is None:
        model.set_params(random_state=seed % (2**31))
    return model


def _with_threads(model: Any, n_threads: int) -> Any:
    """Let a model whose number of threads is left open use those of the fold."""
    own = model.get_params(deep=False)
    if "n_jobs" in own and own["n_jobs"] is None:
        model.set_params(n_jobs=n_threads)
    return model


# ---------------------------------------------------------------------------------------------
# from a fitted estimator to arrays
# ---------------------------------------------------------------------------------------------


def as_arrays(model: Any, classes: NDArray[np.int64], n_classes: int) -> Fitted:
    """Return a fitted estimator as arrays where its type is known, as it is where not.

    ``classes`` are the positions, among all ``n_classes``, of the classes it was given.
    """
    is_known = type(model).__module__.startswith("sklearn.")
    export = EXPORTS.get(type(model).__name__) if is_known else None
    found = None if export is None else export(model, classes, n_classes)
    return Estimator(model, classes, n_classes) if found is None else found


def _linear(model: Any, classes: NDArray[np.int64], n_classes: int) -> Fitted | None:
    if n_classes and getattr(model, "solver", "") == "liblinear" and len(classes) > 2:
        return None  # one against the rest: not a softmax
    if n_classes and getattr(model, "multi_class", "") == "ovr" and len(classes) > 2:
        return None
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64), (len(coef),))
    return Linear(coef, intercept.copy(), classes, np.array(n_classes))


def _forest(model: Any, classes: NDArray[np.int64], n_classes: int) -> Fitted:
    trees = [tree.tree_ for tree in getattr(model, "estimators_", [model])]
    starts = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])
    nodes = [_plain_tree(tree, int(start)) for tree, start in zip(trees, starts, strict=False)]
    value = np.concatenate([tree.value[:, 0, :] for tree in trees])
    depth = max(int(tree.max_depth) for tree in trees)
    return Forest(
        _join(nodes, starts[:-1], depth, np.zeros((0, 256), dtype=bool)),
        np.ascontiguousarray(value), classes, np.array(n_classes),
    )  # fmt: skip


def _plain_tree(tree: Any, start: int) -> dict[str, NDArray[Any]]:
    """Node columns of a scikit-learn tree whose first node has the number ``start``."""
    leaf = tree.children_left < 0
    own = np.arange(tree.node_count)
    flags = tree.__getstate__()["nodes"]
    missing = flags["missing_go_to_left"] if "missing_go_to_left" in flags.dtype.names else leaf
    return {
        "feature": np.where(leaf, 0, tree.feature),
        "threshold": np.where(leaf, np.inf, tree.threshold),
        "left": np.where(leaf, own, tree.children_left) + start,
        "right": np.where(leaf, own, tree.children_right) + start,
        "missing_left": missing.astype(bool),
        "levels": np.full(tree.node_count, -1),
    }


_HIST_LINKS = {
    "squared_error": "identity", "absolute_error": "identity", "quantile": "identity",
    "poisson": "exp", "gamma": "exp", "log_loss": "",
}  # fmt: skip


def _hist(model: Any, classes: NDArray[np.int64], n_classes: int) -> Fitted | None:
    link = _HIST_LINKS.get(model.loss)
    if link is None:
        return None
    return boosted_arrays(model, classes, n_classes, len(model._predictors))  # noqa: SLF001


def boosted_arrays(
    model: Any, classes: NDArray[np.int64], n_classes: int, n_rounds: int
) -> Boosted:
    """Return the first rounds of a HistGradientBoosting model as arrays.

    scikit-learn has no public way to its nodes; the names read here are those of 1.3 to 1.9.
    """
    rounds = model._predictors[:n_rounds]  # noqa: SLF001
    trees = [tree for one in rounds for tree in one]
    starts = np.concatenate([[0], np.cumsum([len(tree.nodes) for tree in trees])])
    n_splits = np.concatenate([[0], np.cumsum([len(t.raw_left_cat_bitsets) for t in trees])])
    nodes = [
        _hist_tree(tree.nodes, int(start), int(splits))
        for tree, start, splits in zip(trees, starts, n_splits, strict=False)
    ]
    bits = np.concatenate([tree.raw_left_cat_bitsets for tree in trees]).astype("<u4")
    goes_left = np.unpackbits(bits.view(np.uint8).reshape(-1, 32), axis=1, bitorder="little")
    depth = max(int(tree.nodes["depth"].max()) for tree in trees)
    columns, number = _hist_columns(model)
    baseline = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()  # noqa: SLF001
    link = _HIST_LINKS[model.loss] or ("sigmoid" if len(baseline) == 1 else "softmax")
    return Boosted(
        nodes=_join(nodes, starts[:-1], depth, goes_left.astype(bool)),
        value=np.concatenate([tree.nodes["value"] for tree in trees]),
        output=np.tile(np.arange(len(baseline), dtype=np.int32), len(rounds)),
        baseline=baseline, link=np.array(LINKS.index(link), dtype=np.int32), columns=columns,
        number=number, classes=classes, n_classes=np.array(n_classes),
    )  # fmt: skip


def _hist_tree(nodes: NDArray[Any], start: int, n_splits: int) -> dict[str, NDArray[Any]]:
    leaf = nodes["is_leaf"].astype(bool)
    by_level = nodes["is_categorical"].astype(bool) & ~leaf
    own = np.arange(len(nodes))
    return {
        "feature": np.where(leaf, 0, nodes["feature_idx"]),
        "threshold": np.where(leaf, np.inf, nodes["num_threshold"]),
        "left": np.where(leaf, own, nodes["left"]) + start,
        "right": np.where(leaf, own, nodes["right"]) + start,
        "missing_left": nodes["missing_go_to_left"].astype(bool),
        "levels": np.where(by_level, nodes["bitset_idx"].astype(np.int64) + n_splits, -1),
    }


def _hist_columns(model: Any) -> tuple[NDArray[np.int64], Floats]:
    """Return the matrix's columns as the trees know them, and the numbers of the codes."""
    categorical = model.is_categorical_
    if categorical is None or not categorical.any():
        return np.arange(model.n_features_in_), np.zeros((0, 0))
    # scikit-learn puts categories first and numbers each column's by their order.
    columns = np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)])
    levels = model._preprocessor.named_transformers_["encoder"].categories_  # noqa: SLF001
    number = np.full((len(levels), 1 + int(max(max(own, default=0) for own in levels))), np.nan)
    for i, own in enumerate(levels):
        codes = own[~np.isnan(own)].astype(np.int64)
        number[i, codes] = np.arange(len(codes))
    # A code beyond the table was never seen: one more column stands for all of them.
    return columns, np.column_stack([number, np.full(len(levels), np.nan)])


def _join(
    trees: list[dict[str, NDArray[Any]]],
    root: NDArray[np.integer],
    depth: int,
    goes_left: NDArray[np.bool_],
) -> Nodes:
    def column(name: str, dtype: Any) -> NDArray[Any]:
        return np.concatenate([tree[name] for tree in trees]).astype(dtype)

    return Nodes(
        feature=column("feature", np.int32),
        threshold=column("threshold", np.float64),
        left=column("left", np.int32),
        right=column("right", np.int32),
        missing_left=column("missing_left", np.bool_),
        levels=column("levels", np.int32),
        goes_left=goes_left,
        root=root.astype(np.int32),
        depth=np.array(depth, dtype=np.int32),
    )


Export = Callable[[Any, NDArray[np.int64], int], "Fitted | None"]
_LINEAR = (
    "LogisticRegression", "LogisticRegressionCV", "LinearRegression", "Ridge", "RidgeCV", "Lasso",
    "LassoCV", "ElasticNet", "ElasticNetCV", "HuberRegressor", "BayesianRidge", "LinearSVR",
)  # fmt: skip
_FORESTS = (
    "ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier",
    "RandomForestRegressor", "DecisionTreeClassifier", "DecisionTreeRegressor",
    "ExtraTreeClassifier", "ExtraTreeRegressor",
)  # fmt: skip
EXPORTS: dict[str, Export] = {
    "HistGradientBoostingClassifier": _hist,
    "HistGradientBoostingRegressor": _hist,
    **dict.fromkeys(_LINEAR, _linear),
    **dict.fromkeys(_FORESTS, _forest),
}
"""scikit-learn's estimators that are kept, and saved, as arrays."""
