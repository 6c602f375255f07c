"""LightGBM, XGBoost and CatBoost: native categories, early stopping, and their own file formats."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.lesson import Arrays, Fitted, Floats, Lesson, align, class_probabilities
from tabnet_auto.companions.matrix import Matrix
from tabnet_auto.metrics.objective import LOG_LINK, Loss

MAX_ROUNDS = 2000
PATIENCE = 100
"""Rounds without a better validation loss after which the training ends."""


@dataclass(frozen=True, eq=False)
class Booster:
    """A trained booster in its library's own format: text, UBJSON or CatBoost's binary.

    ``classes`` are the positions, among ``n_classes``, of the classes that the library knows.
    ``n_levels (d,)`` are the matrix's columns as in :class:`Matrix`; values were learned
    from a ``center`` in a ``unit``.
    """

    library: str
    blob: NDArray[np.uint8]
    n_rounds: int
    n_levels: tuple[int, ...]
    classes: NDArray[np.int64]
    n_classes: int
    center: float = 0.0
    unit: float = 1.0

    kind: ClassVar[str] = "booster"

    @property
    def rounds(self) -> int:
        """Boosting rounds up to the best."""
        return self.n_rounds

    @property
    def chosen(self) -> dict[str, Any]:
        """Settings that CatBoost chose by how many rows and rounds it was given."""
        params = self._model.get_all_params()
        return {name: params[name] for name in CATBOOST_CHOOSES if name in params}

    @cached_property
    def _model(self) -> Any:
        return _READERS[self.library](self.blob.tobytes())

    def predict(self, x: Floats) -> Floats:
        """Class probabilities ``(n, n_classes)``, or values ``(n,)``."""
        if len(x) == 0:
            return np.zeros((0, self.n_classes) if self.n_classes else 0)
        matrix = Matrix(x, self.n_levels)
        raw = _PREDICTORS[self.library](self._model, matrix, bool(self.n_classes))
        predicted = np.asarray(raw, dtype=np.float64)
        if not self.n_classes:
            return predicted * self.unit + self.center
        return align(class_probabilities(predicted), self.classes, self.n_classes)

    def to_arrays(self) -> Arrays:
        """Return named arrays from which it is rebuilt."""
        return {
            "library": np.frombuffer(self.library.encode(), dtype=np.uint8),
            "blob": self.blob,
            "n_rounds": np.array(self.n_rounds),
            "n_levels": np.array(self.n_levels),
            "classes": self.classes,
            "n_classes": np.array(self.n_classes),
            "scale": np.array([self.center, self.unit]),
        }


def booster_from_arrays(arrays: Arrays) -> Booster:
    """Read back what :meth:`Booster.to_arrays` returned."""
    center, unit = arrays["scale"].tolist()
    return Booster(
        library=arrays["library"].tobytes().decode(),
        blob=arrays["blob"],
        n_rounds=arrays["n_rounds"].item(),
        n_levels=tuple(arrays["n_levels"].tolist()),
        classes=arrays["classes"],
        n_classes=arrays["n_classes"].item(),
        center=center,
        unit=unit,
    )


def _booster(library: str, blob: bytes | bytearray, rounds: int, lesson: Lesson) -> Fitted:
    classes = np.arange(lesson.n_classes)
    data = np.frombuffer(bytes(blob), dtype=np.uint8)
    levels = lesson.train.matrix.n_levels
    return Booster(
        library, data, max(rounds, 1), levels, classes, lesson.n_classes, lesson.center, lesson.unit
    )


# What the libraries call the losses of values, and how XGBoost measures them. CatBoost has no gamma
# deviance: Tweedie's comes as near to it as its power comes to 2.
LIGHTGBM_LOSSES: dict[Loss, str] = {
    "squared": "regression", "absolute": "regression_l1", "pinball": "quantile",
    "poisson": "poisson", "gamma": "gamma",
}  # fmt: skip
XGBOOST_LOSSES: dict[Loss, tuple[str, str]] = {
    "squared": ("reg:squarederror", "rmse"), "absolute": ("reg:absoluteerror", "mae"),
    "pinball": ("reg:quantileerror", "quantile"), "poisson": ("count:poisson", "poisson-nloglik"),
    "gamma": ("reg:gamma", "gamma-nloglik"),
}  # fmt: skip
CATBOOST_LOSSES: dict[Loss, str] = {
    "squared": "RMSE", "absolute": "MAE", "pinball": "Quantile:alpha={}", "poisson": "Poisson",
    "gamma": "Tweedie:variance_power=1.99",
}  # fmt: skip
CATBOOST_CHOOSES = ("learning_rate", "leaf_estimation_iterations")
"""Fewer rounds and no validation rows would mean other ones, for which so many are too many."""
_CATBOOST_LOG_LINK = frozenset(CATBOOST_LOSSES[loss].partition(":")[0] for loss in LOG_LINK)
"""A saved model names its loss: these add up the logarithm of what they predict."""


# --- LightGBM -------------------------------------------------------------------------------------


def train_lightgbm(lesson: Lesson) -> Fitted:
    """Learn one fold with LightGBM."""
    import lightgbm as lgb

    lesson = lesson.standardized()
    values = LIGHTGBM_LOSSES[lesson.objective.loss]
    objective = {0: values, 2: "binary"}.get(lesson.n_classes, "multiclass")
    params = {
        "objective": objective, "alpha": lesson.objective.quantile,
        "learning_rate": 0.05, "feature_fraction": 0.8,
        "bagging_fraction": 0.8, "bagging_freq": 1, "seed": lesson.seed % (2**31),
        "num_threads": lesson.n_threads, "verbosity": -1, "deterministic": True,
        "force_col_wise": True,
    }  # fmt: skip
    if lesson.n_classes > 2:
        params["num_class"] = lesson.n_classes
    codes = [i for i, n in enumerate(lesson.train.matrix.n_levels) if n]
    train = lgb.Dataset(
        lesson.train.matrix.x, lesson.train.y, weight=lesson.train.weight,
        categorical_feature=codes, params={"verbosity": -1},
    )  # fmt: skip
    if lesson.valid is None:
        model = lgb.train(params, train, num_boost_round=lesson.n_rounds or MAX_ROUNDS)
        return _lightgbm(model, model.current_iteration(), lesson)
    valid = lgb.Dataset(
        lesson.valid.matrix.x, lesson.valid.y, weight=lesson.valid.weight, reference=train
    )
    stop: list[Callable[..., Any]] = [lgb.early_stopping(PATIENCE, verbose=False)]
    if lesson.seconds is not None:
        stop.append(_lightgbm_clock(lesson.seconds))
    model = lgb.train(params, train, MAX_ROUNDS, valid_sets=[valid], callbacks=stop)
    return _lightgbm(model, model.best_iteration or model.current_iteration(), lesson)


def _lightgbm_clock(seconds: float) -> Callable[[Any], None]:
    from lightgbm.callback import EarlyStopException

    end = monotonic() + seconds
    best_round, best_score = 0, np.inf

    def check(env: Any) -> None:
        nonlocal best_round, best_score
        score = env.evaluation_result_list[0][2]
        if score < best_score:
            best_round, best_score = env.iteration, score
        if monotonic() >= end:
            raise EarlyStopException(best_round, env.evaluation_result_list)

    return check


def _lightgbm(model: Any, rounds: int, lesson: Lesson) -> Fitted:
    return _booster(
        "lightgbm", model.model_to_string(num_iteration=rounds).encode(), rounds, lesson
    )


def _read_lightgbm(blob: bytes) -> Any:
    import lightgbm as lgb

    return lgb.Booster(model_str=blob.decode())


def _predict_lightgbm(model: Any, matrix: Matrix, is_class: bool) -> Any:  # noqa: FBT001
    del is_class
    return model.predict(matrix.x)


# --- XGBoost --------------------------------------------------------------------------------------


def train_xgboost(lesson: Lesson) -> Fitted:
    """Learn one fold with XGBoost."""
    import xgboost as xgb

    lesson = lesson.standardized()
    values, measured = XGBOOST_LOSSES[lesson.objective.loss]
    objective, loss = {0: values, 2: "binary:logistic"}, {0: measured, 2: "logloss"}
    params = {
        "objective": objective.get(lesson.n_classes, "multi:softprob"),
        "eval_metric": loss.get(lesson.n_classes, "mlogloss"),
        "eta": 0.05, "max_depth": 6, "subsample": 0.8, "colsample_bytree": 0.8,
        "tree_method": "hist", "seed": lesson.seed % (2**31), "nthread": lesson.n_threads,
        "verbosity": 0,
    }  # fmt: skip
    if lesson.n_classes > 2:
        params["num_class"] = lesson.n_classes
    if values == "reg:quantileerror":
        params["quantile_alpha"] = lesson.objective.quantile
    train = _dmatrix(lesson.train.matrix, lesson.train.y, lesson.train.weight)
    if lesson.valid is None:
        rounds = lesson.n_rounds or MAX_ROUNDS
        model = xgb.train(params, train, rounds)
        return _booster("xgboost", model.save_raw("ubj"), rounds, lesson)
    valid = _dmatrix(lesson.valid.matrix, lesson.valid.y, lesson.valid.weight)
    stop = [xgb.callback.EarlyStopping(rounds=PATIENCE)]
    if lesson.seconds is not None:
        stop.append(_xgboost_clock(lesson.seconds))
    model = xgb.train(
        params, train, MAX_ROUNDS, evals=[(valid, "valid")], callbacks=stop, verbose_eval=False
    )
    rounds = int(model.best_iteration) + 1
    return _booster("xgboost", model[:rounds].save_raw("ubj"), rounds, lesson)


def _xgboost_clock(seconds: float) -> Any:
    from xgboost.callback import TrainingCallback

    end = monotonic() + seconds

    class Stop(TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            del model, epoch, evals_log
            return monotonic() >= end

    return Stop()


def _dmatrix(matrix: Matrix, y: Any = None, weight: Any = None) -> Any:
    """Codes beyond those of training are missing to XGBoost, not an error."""
    import xgboost as xgb

    kinds = ["c" if n else "q" for n in matrix.n_levels]
    return xgb.DMatrix(matrix.x, y, weight=weight, feature_types=kinds, enable_categorical=True)


def _read_xgboost(blob: bytes) -> Any:
    import xgboost as xgb

    return xgb.Booster(model_file=bytearray(blob))


def _predict_xgboost(model: Any, matrix: Matrix, is_class: bool) -> Any:  # noqa: FBT001
    del is_class
    return model.predict(_dmatrix(matrix))


# --- CatBoost -------------------------------------------------------------------------------------


def train_catboost(lesson: Lesson) -> Fitted:
    """Learn one fold with CatBoost."""
    import catboost

    lesson = lesson.standardized()
    values = CATBOOST_LOSSES[lesson.objective.loss].format(lesson.objective.quantile)
    loss = {0: values, 2: "Logloss"}.get(lesson.n_classes, "MultiClass")
    params = {
        "loss_function": loss, "iterations": MAX_ROUNDS, "random_seed": lesson.seed % (2**31),
        "thread_count": lesson.n_threads, "allow_writing_files": False, "verbose": False,
    }  # fmt: skip
    if lesson.n_classes > 2:
        params["classes_count"] = lesson.n_classes
    train = _pool(lesson.train.matrix, lesson.train.y, lesson.train.weight)
    if lesson.valid is None:
        kept = lesson.like.chosen if isinstance(lesson.like, Booster) else {}
        rounds = {"iterations": lesson.n_rounds or MAX_ROUNDS}
        model = catboost.CatBoost(params | kept | rounds)
        model.fit(train, log_cerr=StringIO())
        return _catboost(model, lesson)
    valid = _pool(lesson.valid.matrix, lesson.valid.y, lesson.valid.weight)
    stop = [_CatBoostClock(lesson.seconds)] if lesson.seconds is not None else None
    # Which classes a fold lacks has been said: CatBoost would say it to the terminal.
    model = catboost.CatBoost(params | {"od_type": "Iter", "od_wait": PATIENCE})
    model.fit(train, eval_set=valid, use_best_model=True, callbacks=stop, log_cerr=StringIO())
    return _catboost(model, lesson)


class _CatBoostClock:
    """Ends the training after some seconds; CatBoost keeps the best round."""

    def __init__(self, seconds: float) -> None:
        self.end = monotonic() + seconds

    def after_iteration(self, info: Any) -> bool:
        """Return whether to go on."""
        del info
        return monotonic() < self.end


def _pool(matrix: Matrix, y: Any = None, weight: Any = None) -> Any:
    """Rows as CatBoost wants them: codes as whole numbers, which only a frame can hold."""
    import catboost
    import pandas as pd

    codes = [i for i, n in enumerate(matrix.n_levels) if n]
    frame = pd.DataFrame(matrix.x).astype(dict.fromkeys(codes, np.int64))
    return catboost.Pool(frame, y, weight=weight, cat_features=codes)


def _catboost(model: Any, lesson: Lesson) -> Fitted:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path))
        return _booster("catboost", path.read_bytes(), int(model.tree_count_), lesson)


def _read_catboost(blob: bytes) -> Any:
    import catboost

    return catboost.CatBoost().load_model(blob=blob)


def _predict_catboost(model: Any, matrix: Matrix, is_class: bool) -> Any:  # noqa: FBT001
    loss = model.get_all_params()["loss_function"].partition(":")[0]
    kind = "Exponent" if loss in _CATBOOST_LOG_LINK else "RawFormulaVal"
    return model.predict(_pool(matrix), prediction_type="Probability" if is_class else kind)


_READERS: dict[str, Callable[[bytes], Any]] = {
    "lightgbm": _read_lightgbm, "xgboost": _read_xgboost, "catboost": _read_catboost,
}  # fmt: skip
_PREDICTORS: dict[str, Callable[[Any, Matrix, bool], Any]] = {
    "lightgbm": _predict_lightgbm, "xgboost": _predict_xgboost, "catboost": _predict_catboost,
}  # fmt: skip
