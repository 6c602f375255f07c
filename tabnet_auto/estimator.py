"""scikit-learn estimators: :func:`auto_fit` behind ``fit(X, y)`` and ``predict(X)``.

Constructors store, ``fit`` learns, and what was learned is one record, ``result_``. There are no
pseudo-labels: ``fit(X, y)`` is given no rows without a label. ``auto_fit`` learns from those of
its ``test=``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite, check_consistent_length, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from tabnet_auto.automl import auto_fit
from tabnet_auto.cells import cell_text
from tabnet_auto.errors import InputError
from tabnet_auto.frames import free_names, read_frame
from tabnet_auto.metrics import metric_by_name

if TYPE_CHECKING:
    from typing_extensions import Self

    from tabnet_auto.config import Preset, Search
    from tabnet_auto.result.fit import FitResult

MIN_ROWS = 4
"""Rows that two folds of two rows each need."""


class _TabNet(BaseEstimator):
    """What the classifier and the regressor share; the task is theirs."""

    result_: FitResult
    class_weight: Any = None

    def __init__(
        self,
        *,
        preset: str | Preset = "balanced",
        folds: Any = 5,
        metric: Any = "auto",
        time_limit: float | None = None,
        companions: Sequence[Any] | str | None = None,
        blend: str = "auto",
        search: bool | Search | None = None,
        roles: Mapping[Any, str] | None = None,
        audit: str = "off",
        random_state: Any = 0,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.folds = folds
        self.metric = metric
        self.time_limit = time_limit
        self.companions = companions
        self.blend = blend
        self.search = search
        self.roles = roles
        self.audit = audit
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None, time: Any = None
    ) -> Self:
        """Learn to predict ``y``.

        Parameters
        ----------
        X
            A pandas or polars data frame, or an array ``(n, n_features)`` of numbers, text or
            objects. Columns get roles as in :func:`auto_fit`, except that numeric columns without
            a name, those of arrays and of frames labelled by numbers, are all quantities. The
            columns of an array are called ``"x0"``, ``"x1"`` and so on. Missing values are
            welcome.
        y
            ``(n,)`` labels or values.
        sample_weight
            ``(n,)`` how much each row counts. Rows of weight 0 are left out before all else:
            folds and ``result_.oof`` do not count them.
        groups
            ``(n,)`` which rows belong together: folds never part them.
        time
            ``(n,)`` when each row came, numbers or dates: folds go forward in time.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data cannot be used as given.
        """
        frame, checked, roles = self._read_training(X, y)
        check_consistent_length(frame, checked, sample_weight, groups, time)
        wanted = [str(getattr(y, "name", None) or "y"), "sample_weight", "groups", "time"]
        target, weight, group, when = free_names(wanted, frame)
        frame[target] = checked
        if groups is not None:
            frame[group] = column_or_1d(groups)
        if time is not None:
            frame[when] = column_or_1d(time)
        if sample_weight is not None:
            frame[weight] = column_or_1d(sample_weight, dtype=np.float64)
            counts = (frame[weight] != 0).to_numpy()
            if counts.any():  # if not, auto_fit says what is wrong
                frame, checked = frame[counts], checked[counts]
        self.result_ = auto_fit(
            frame,
            target,
            task=self._learn_task(checked),
            metric=self.metric,
            folds=self._limit_folds(len(frame)),
            groups=None if groups is None else group,
            time=None if time is None else when,
            weight=None if sample_weight is None else weight,
            class_weight=self.class_weight,
            preset=self.preset,
            time_limit=self.time_limit,
            companions=self.companions,
            blend=self.blend,
            search=self.search,
            roles=roles,
            audit=self.audit,
            seed=self._seed(),
            device=self.device,
            verbose=self.verbose,
        )
        self.feature_importances_ = self._importances()
        return self

    def _learn_task(self, y: NDArray[Any]) -> str:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    # --- reading what users pass ----------------------------------------------------------------

    def _read_training(self, X: Any, y: Any) -> tuple[pd.DataFrame, NDArray[Any], dict[Any, str]]:
        """Return the columns, the target, and the roles to learn with."""
        roles, X = dict(self.roles or {}), _pandas(X)
        if isinstance(X, pd.DataFrame):
            _, y = validate_data(self, X, y, skip_check_array=True)
            frame = read_frame(X, what="X")
        else:
            array, y = validate_data(
                self, X, y, dtype=None, ensure_all_finite="allow-nan", ensure_min_samples=MIN_ROWS
            )
            frame = _name_columns(array, [f"x{i}" for i in range(array.shape[1])])
            roles = {f"x{key}" if isinstance(key, int) else key: r for key, r in roles.items()}
        if not hasattr(self, "feature_names_in_"):
            # A matrix is numbers on purpose: none of its columns is left out as a row number.
            numbers = frame.select_dtypes(["number", "bool"]).columns
            named = {str(key) for key in roles}
            roles |= {name: "numeric" for name in numbers if name not in named}
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        return frame, y, roles

    def _read_new(self, X: Any) -> pd.DataFrame:
        """Return rows to predict under the labels that were learned from."""
        check_is_fitted(self, "result_")
        columns, X = self._columns(), _pandas(X)
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=False, skip_check_array=True)
            return read_frame(X, what="X").set_axis(columns, axis=1)
        array = validate_data(self, X, reset=False, dtype=None, ensure_all_finite="allow-nan")
        return _name_columns(array, columns)

    def _columns(self) -> list[str]:
        """Labels of the columns of X, as text; weights and groups stand behind them."""
        return [column.name for column in self.result_.schema][: self.n_features_in_]

    def _limit_folds(self, n_rows: int) -> Any:
        """Take fewer folds where rows are few: at least two rows a fold."""
        if isinstance(self.folds, int | np.integer) and self.folds >= 2:
            return max(2, min(int(self.folds), n_rows // 2))
        return self.folds

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _importances(self) -> NDArray[np.float64]:
        """Mean attention over the folds for every column of X; sums to 1."""
        summary = self.result_.attention_summary
        mean = dict(zip(summary.features, summary.per_fold.mean(axis=0), strict=True))
        return np.array([mean.get(name, 0.0) for name in self._columns()])

    # --- pickles --------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the metric's function and the listeners, as a saved FitResult does."""
        state = dict(super().__getstate__())
        if "result_" in state:
            result = state["result_"]
            metric = replace(result.metric, function=cast("Any", None))
            state["result_"] = replace(
                result, metric=metric, trace=replace(result.trace, emit=None)
            )
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "result_" in state:
            result = state["result_"]
            known = metric_by_name(result.metric.name, result.task, result.metric.greater_is_better)
            self.result_ = replace(result, metric=known)


def _pandas(X: Any) -> Any:
    """Return polars frames as pandas frames, all else as it is."""
    is_polars = type(X).__module__.partition(".")[0] == "polars"
    return read_frame(X, what="X") if is_polars else X


def _name_columns(array: NDArray[Any], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(array, columns=columns).infer_objects()


class TabNetClassifier(ClassifierMixin, _TabNet):
    """Classify rows of a table with attention TabNets, cross-validated inside ``fit``.

    Parameters
    ----------
    preset
        ``"fast"``, ``"balanced"``, ``"best"``, ``"paper"``, or a :class:`Preset`.
    folds
        A number, a :class:`FoldPlan` or the name of its rule, a scikit-learn splitter, or pairs
        of training and validation row positions. Of a number at most half as many as there are
        rows are taken.
    metric
        What scores are measured in, and what labels are chosen for: ``"auto"``, a name, a scorer
        or a callable.
    class_weight
        ``"balanced"``, or weights by label, 1 where none is given: how much a class counts in
        what is learned. Scores count all classes alike.
    time_limit
        Seconds for ``fit``; training ends in time with the best so far.
    companions
        What else learns in the same folds and joins the blend: names and scikit-learn
        estimators, as in :func:`auto_fit`. None means the preset's own, ``()`` none.
    blend
        ``"auto"``, ``"uniform"``, ``"greedy"`` or ``"stack"``.
    search
        True or a :class:`Search`: try settings of the networks first, within every fold.
    roles
        Roles that win over the inferred ones, by column label; for arrays by position, too:
        ``{3: "categorical"}``.
    audit
        ``"off"``, ``"warn"`` or ``"act"``, as in :func:`auto_fit`: off, since an estimator is
        fitted many times over on parts of the same rows. ``result_.audit`` holds what was found,
        ``verbose`` shows it. Columns without a name are quantities on purpose, and stay.
    random_state
        An integer gives the same numbers again.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    verbose
        Whether to show progress.

    Attributes
    ----------
    classes_ : numpy.ndarray
        The labels, sorted: the order of the probability columns.
    feature_importances_ : numpy.ndarray
        ``(n_features_in_,)`` mean attention over the folds; 0 for columns that were not used.
    n_features_in_, feature_names_in_
        Number of columns, and their labels where all of them are text.
    result_ : FitResult
        All else: out-of-fold scores, attention, report, files. After unpickling, a metric that
        is not in the metric table is known by its name only.
    """

    classes_: NDArray[Any]

    def __init__(
        self,
        *,
        preset: str | Preset = "balanced",
        folds: Any = 5,
        metric: Any = "auto",
        class_weight: Mapping[Any, float] | str | None = None,
        time_limit: float | None = None,
        companions: Sequence[Any] | str | None = None,
        blend: str = "auto",
        search: bool | Search | None = None,
        roles: Mapping[Any, str] | None = None,
        audit: str = "off",
        random_state: Any = 0,
        device: str = "auto",
        verbose: bool = False,
    ) -> None:
        super().__init__(
            preset=preset, folds=folds, metric=metric, time_limit=time_limit,
            companions=companions, blend=blend, search=search, roles=roles,
            audit=audit, random_state=random_state, device=device, verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict labels by the rule ``result_.decision``; shape ``(n,)``."""
        proba = self.predict_proba(X)
        return self.classes_[self.result_.decision.labels(proba)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict class probabilities ``(n, n_classes)`` in the order of ``classes_``."""
        frame = self._read_new(X)
        return self.result_.predict_proba(frame)

    def _learn_task(self, y: NDArray[Any]) -> str:
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        if any(cell_text(label) is None for label in self.classes_):
            raise InputError(
                "Labels must not be blank, however: y holds a blank text. Replace it by a word."
            )
        return "binary" if len(self.classes_) == 2 else "multiclass"


class TabNetRegressor(RegressorMixin, _TabNet):
    """Predict values for rows of a table with attention TabNets, cross-validated inside ``fit``.

    Parameters
    ----------
    preset
        ``"fast"``, ``"balanced"``, ``"best"``, ``"paper"``, or a :class:`Preset`.
    folds
        A number, a :class:`FoldPlan` or the name of its rule, a scikit-learn splitter, or pairs
        of training and validation row positions. Of a number at most half as many as there are
        rows are taken.
    metric
        What scores are measured in, and what is minimised: ``"auto"``, a name, a scorer or a
        callable.
    time_limit
        Seconds for ``fit``; training ends in time with the best so far.
    companions
        What else learns in the same folds and joins the blend: names and scikit-learn
        estimators, as in :func:`auto_fit`. None means the preset's own, ``()`` none.
    blend
        ``"auto"``, ``"uniform"``, ``"greedy"`` or ``"stack"``.
    search
        True or a :class:`Search`: try settings of the networks first, within every fold.
    roles
        Roles that win over the inferred ones, by column label; for arrays by position, too:
        ``{3: "categorical"}``.
    audit
        ``"off"``, ``"warn"`` or ``"act"``, as in :func:`auto_fit`: off, since an estimator is
        fitted many times over on parts of the same rows. ``result_.audit`` holds what was found,
        ``verbose`` shows it. Columns without a name are quantities on purpose, and stay.
    random_state
        An integer gives the same numbers again.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    verbose
        Whether to show progress.

    Attributes
    ----------
    feature_importances_ : numpy.ndarray
        ``(n_features_in_,)`` mean attention over the folds; 0 for columns that were not used.
    n_features_in_, feature_names_in_
        Number of columns, and their labels where all of them are text.
    result_ : FitResult
        All else: out-of-fold scores, attention, report, files. After unpickling, a metric that
        is not in the metric table is known by its name only.
    """

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predict values; shape ``(n,)``."""
        frame = self._read_new(X)
        return self.result_.predict(frame)

    def _learn_task(self, y: NDArray[Any]) -> str:
        del y
        return "regression"
