"""Estimators as arrays predict what scikit-learn predicts, saved and loaded, to the last digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import ensemble, linear_model, tree
from sklearn.neighbors import KNeighborsRegressor

from tabnet_auto.companions.estimators import Estimator, as_arrays
from tabnet_auto.companions.linear import Linear, linear_from_arrays
from tabnet_auto.companions.trees import Boosted, Forest, boosted_from_arrays, forest_from_arrays
from tabnet_auto.net.native import library

READERS = {Boosted: boosted_from_arrays, Forest: forest_from_arrays, Linear: linear_from_arrays}
CODES = [2, 5]


def make_rows(n=300):
    """Numbers with gaps, and two columns of category codes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 6))
    x[rng.random(x.shape) < 0.15] = np.nan
    x[:, CODES] = rng.integers(0, 30, (n, 2))
    y = np.nan_to_num(x[:, 0]) + 2 * (x[:, 2] % 3 == 1) + 0.3 * rng.normal(size=n)
    return x, y


def new_rows(x):
    """Rows in other combinations, with levels never seen, and missing everywhere."""
    rng = np.random.default_rng(1)
    new = np.concatenate([x, rng.permuted(x, axis=0)])
    new[:50, 2] = rng.integers(25, 90, 50)
    new[50:80] = np.nan
    new[80:90] *= 1e6
    new[:, CODES] = np.abs(new[:, CODES])
    return new


@pytest.fixture(params=["kernel", "numpy"], autouse=True)
def way(request, monkeypatch):
    """Both ways down the trees."""
    if request.param == "numpy":
        monkeypatch.setattr(library, "is_usable", lambda: False)
    elif not library.is_usable():
        pytest.skip("no C compiler here: trees are walked by numpy")


def check(model, target, n_classes, x, new, exact=1e-12):
    model.fit(x, target)
    learned = as_arrays(model, np.arange(n_classes), n_classes)
    assert type(learned) in READERS
    read = READERS[type(learned)](
        {name: np.ascontiguousarray(array) for name, array in learned.to_arrays().items()}
    )
    expected = model.predict_proba(new) if n_classes else model.predict(new)
    for own in (learned, read):
        np.testing.assert_allclose(own.predict(new), expected, rtol=exact, atol=exact)
    assert read.predict(new[:0]).shape == expected[:0].shape
    return learned


def classes_of(y, n_classes):
    return np.digitize(y, np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1]))


@pytest.mark.parametrize("codes", [None, CODES], ids=["numbers", "categories"])
@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_histogram_boosting(n_classes, codes):
    x, y = make_rows()
    kind = "Classifier" if n_classes else "Regressor"
    model = getattr(ensemble, f"HistGradientBoosting{kind}")(
        max_iter=40, categorical_features=codes, random_state=0
    )
    learned = check(model, classes_of(y, n_classes) if n_classes else y, n_classes, x, new_rows(x))
    assert learned.rounds == model.n_iter_
    assert (len(learned.nodes.goes_left) > 0) == (codes is not None), "splits by category"


@pytest.mark.parametrize("loss", ["poisson", "gamma", "absolute_error", "quantile"])
def test_other_losses(loss):
    x, y = make_rows()
    quantile = 0.3 if loss == "quantile" else None
    model = ensemble.HistGradientBoostingRegressor(loss=loss, quantile=quantile, max_iter=20)
    check(model, np.exp(y), 0, x, new_rows(x))


@pytest.mark.parametrize("n_classes", [0, 2, 3])
@pytest.mark.parametrize("name", ["ExtraTrees", "RandomForest", "DecisionTree"])
def test_forests(name, n_classes):
    x, y = make_rows()
    room = tree if name == "DecisionTree" else ensemble
    options = {} if name == "DecisionTree" else {"n_estimators": 20}
    model = getattr(room, name + ("Classifier" if n_classes else "Regressor"))(
        random_state=0, **options
    )
    check(model, classes_of(y, n_classes) if n_classes else y, n_classes, x, new_rows(x))


@pytest.mark.parametrize(
    ("model", "n_classes"),
    [
        (linear_model.Ridge(), 0),
        (linear_model.RidgeCV(), 0),
        (linear_model.LassoCV(cv=3), 0),
        (linear_model.LinearRegression(), 0),
        (linear_model.LogisticRegression(max_iter=2000), 2),
        (linear_model.LogisticRegression(solver="liblinear"), 2),
        (linear_model.LogisticRegression(max_iter=2000), 3),
    ],
    ids=lambda value: f"{value}",
)
def test_linear_models(model, n_classes):
    x, y = make_rows()
    x = np.nan_to_num(x)
    target = classes_of(y, n_classes) if n_classes else y
    check(model, target, n_classes, x, x[::-1], exact=1e-10)


def test_classes_that_a_fold_lacks_get_no_probability():
    x, y = make_rows()
    model = ensemble.HistGradientBoostingClassifier(max_iter=5).fit(x, classes_of(y, 2))
    p = as_arrays(model, np.array([0, 3]), 4).predict(x)
    np.testing.assert_array_equal(p[:, [1, 2]], 0.0)
    np.testing.assert_allclose(p[:, [0, 3]], model.predict_proba(x), rtol=1e-12)


def test_others_stay_estimators():
    x, y = make_rows()
    model = KNeighborsRegressor().fit(np.nan_to_num(x), y)
    learned = as_arrays(model, np.zeros(0, int), 0)
    assert isinstance(learned, Estimator)
    np.testing.assert_array_equal(
        learned.predict(np.nan_to_num(x)), model.predict(np.nan_to_num(x))
    )
    with pytest.raises(TypeError, match="no form without pickle"):
        learned.to_arrays()


class Mine(linear_model.Ridge):
    """A subclass may predict what it likes."""

    def predict(self, X):
        return super().predict(X) ** 2


def test_subclasses_are_not_taken_for_their_bases():
    x, y = make_rows()
    model = Mine().fit(np.nan_to_num(x), y)
    assert isinstance(as_arrays(model, np.zeros(0, int), 0), Estimator)
