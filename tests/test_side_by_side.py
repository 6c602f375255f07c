"""joblib's ``parallel_config`` decides how many folds, and how many fits, run at a time."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from tabnet_auto import NetConfig, Preset, TabNetRegressor, TrainConfig

NET = NetConfig(n_steps=1, n_hidden=8, n_layers=1, n_bins=4, n_context=4, dropout=0.0)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=2, batch_size=32))


class Meeting(RegressorMixin, BaseEstimator):
    """Learns the mean; two fits must run at the same time to get past the barrier."""

    barrier = threading.Barrier(2, timeout=60)

    def fit(self, X, y):
        self.barrier.wait()
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    return X, X[:, 0] + 0.1 * rng.normal(size=80)


def model(**options):
    return TabNetRegressor(preset=TINY, folds=2, device="cpu", **options)


def test_folds_of_a_companion_run_at_the_same_time(numbers):
    with parallel_config(backend="threading", n_jobs=2):
        fitted = model(companions=[Meeting()]).fit(*numbers)
    assert [one.name for one in fitted.result_.companions] == ["Meeting"]


def test_and_one_after_another_where_nothing_is_set(numbers):
    class Alone(Meeting):
        barrier = threading.Barrier(2, timeout=0.2)

    fitted = model(companions=[Alone()]).fit(*numbers)
    assert fitted.result_.companions == ()


def test_folds_of_a_companion_run_in_other_processes(numbers):
    # In here, so that it travels whole: IPython 7 brings a package "tests" of its own along.
    class WhereFitted(RegressorMixin, BaseEstimator):
        """Predicts the process that it was fitted in."""

        def fit(self, X, y):
            self.process_ = float(os.getpid())
            return self

        def predict(self, X):
            return np.full(len(X), self.process_)

    with parallel_config(backend="loky", n_jobs=2):
        fitted = model(companions=[WhereFitted()], blend="uniform").fit(*numbers)
    assert fitted.result_.companions, fitted.result_.trace.of("note")
    (companion,) = fitted.result_.companions
    assert os.getpid() not in {int(one.model.process_) for one in companion.members}


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_whole_fits_side_by_side_give_the_same_numbers(backend, numbers):
    own = model(companions=["linear"])
    alone = cross_val_score(clone(own), *numbers, cv=2)
    with parallel_config(backend=backend, n_jobs=2):
        together = cross_val_score(clone(own), *numbers, cv=2)
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_a_grid_side_by_side(numbers):
    with parallel_config(backend="loky", n_jobs=2):
        search = GridSearchCV(model(), {"preset": [TINY, "fast"]}, cv=2, error_score="raise")
        search.fit(*numbers)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
