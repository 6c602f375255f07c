"""Which companions there are by name, and what a user's list of them must look like."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from tabnet_auto.companions.boosters import train_catboost, train_lightgbm, train_xgboost
from tabnet_auto.companions.estimators import fit_estimator, takes_weight
from tabnet_auto.companions.hist import train_hist
from tabnet_auto.companions.lesson import Fitted, Lesson, Train
from tabnet_auto.errors import InputError, NotInstalledError, did_you_mean


@dataclass(frozen=True)
class Recipe:
    """How a companion is trained in one fold.

    ``view`` names how it sees the rows; ``package`` what must be installed, ``module`` where it
    is imported from; a recipe with a ``clock`` keeps to a lesson's seconds by itself;
    ``weighted`` says whether sample weights reach it.
    """

    name: str
    train: Train
    view: str
    package: str = "scikit-learn"
    module: str = "sklearn"
    clock: bool = False
    weighted: bool = True

    @property
    def is_installed(self) -> bool:
        """Whether its package is there; it is not imported yet."""
        return find_spec(self.module.partition(".")[0]) is not None


def _extra_trees(lesson: Lesson) -> Fitted:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    kind = ExtraTreesClassifier if lesson.n_classes else ExtraTreesRegressor
    leaf = 1 + len(lesson.train.y) // MAX_LEAVES
    # Noisy labels of two classes are learned better by trees that differ more.
    columns = "sqrt" if lesson.n_classes == 2 else 1.0
    return fit_estimator(kind(100, min_samples_leaf=leaf, max_features=columns), lesson)


def _random_forest(lesson: Lesson) -> Fitted:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestClassifier if lesson.n_classes else RandomForestRegressor
    return fit_estimator(kind(200, min_samples_leaf=3), lesson)


def _linear(lesson: Lesson) -> Fitted:
    from sklearn.linear_model import LogisticRegression, Ridge

    model = LogisticRegression(max_iter=500) if lesson.n_classes else Ridge()
    return fit_estimator(model, lesson)


COMPANIONS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "hist_gradient_boosting", train_hist, "trees", module="sklearn.ensemble", clock=True
        ),
        Recipe("lightgbm", train_lightgbm, "trees", "lightgbm", "lightgbm", clock=True),
        Recipe("xgboost", train_xgboost, "trees", "xgboost", "xgboost", clock=True),
        Recipe("catboost", train_catboost, "trees", "catboost", "catboost", clock=True),
        Recipe("extra_trees", _extra_trees, "trees", module="sklearn.ensemble"),
        Recipe("random_forest", _random_forest, "trees", module="sklearn.ensemble"),
        Recipe("linear", _linear, "dense", module="sklearn.linear_model"),
    )
}
"""Companions by name. ``linear`` is a logistic or a ridge regression."""

MAX_LEAVES = 10_000
"""Leaves of an extra tree, about: grown to the end on many rows it would fill the memory."""
INSTALLED = "installed"
"""A word for the histogram boosting and each booster whose package is installed."""
BOOSTERS = ("hist_gradient_boosting", "lightgbm", "xgboost", "catboost")


def check_companions(companions: object, task: str) -> tuple[Recipe, ...]:
    """Return how each companion is trained, named apart, before anything is trained.

    Parameters
    ----------
    companions
        Names of the table, and scikit-learn estimators (not fitted; they are cloned);
        ``"installed"`` stands for each installed one of ``BOOSTERS``.
    task
        ``"binary"``, ``"multiclass"`` or ``"regression"``.

    Raises
    ------
    InputError
        If it is no list, or an entry is neither a known name nor an estimator that fits the task.
    NotInstalledError
        If a companion's package is not installed.
    """
    if companions == INSTALLED:
        companions = [INSTALLED]
    if isinstance(companions, str) or not isinstance(companions, Collection):
        raise InputError(
            "companions must be a list of names and estimators, however: "
            f"companions={companions!r}. Put it into a list: companions=[...], or say "
            "companions='installed' for all boosters that are."
        )
    recipes: list[Recipe] = []
    for entry in _spelled_out(companions):
        recipe = _by_name(entry) if isinstance(entry, str) else _of_estimator(entry, task)
        same = sum(other.name.partition(" ")[0] == recipe.name for other in recipes)
        recipes.append(_renamed(recipe, f"{recipe.name} {same + 1}") if same else recipe)
    return tuple(recipes)


def _spelled_out(companions: Iterable[object]) -> Iterator[object]:
    """Yield the entries, and in place of ``INSTALLED`` what it stands for."""
    for entry in companions:
        if isinstance(entry, str) and entry == INSTALLED:
            yield from (name for name in BOOSTERS if COMPANIONS[name].is_installed)
        else:
            yield entry


def _renamed(recipe: Recipe, name: str) -> Recipe:
    return Recipe(**(vars(recipe) | {"name": name}))


def _by_name(name: str) -> Recipe:
    if name not in COMPANIONS:
        raise InputError(
            f"A companion must be one of {', '.join([*COMPANIONS, INSTALLED])} or a scikit-learn "
            f"estimator, however: {name!r}.{did_you_mean(name, [*COMPANIONS, INSTALLED])}"
        )
    recipe = COMPANIONS[name]
    if not recipe.is_installed:
        raise NotInstalledError(
            f"Companion {name!r} needs the package {recipe.package}, however: it is not "
            f"installed. Run: pip install {recipe.package}"
        )
    return recipe


def _of_estimator(estimator: Any, task: str) -> Recipe:
    from sklearn.base import is_classifier, is_regressor

    if isinstance(estimator, type):
        raise InputError(
            f"A companion must be an estimator, however: {estimator.__name__} is a class. Pass "
            f"{estimator.__name__}()."
        )
    name = type(estimator).__name__
    lacking = [verb for verb in ("fit", "predict", "get_params") if not hasattr(estimator, verb)]
    if lacking:
        raise InputError(
            "A companion must be a name or a scikit-learn estimator, however: "
            f"{estimator!r:.80} has no {lacking[0]}()."
        )
    wanted: Callable[[Any], bool] = is_regressor if task == "regression" else is_classifier
    if not wanted(estimator):
        raise InputError(
            f"A companion must learn what the networks learn, however: {name} is not for "
            f"{task} targets. Pass a {'regressor' if task == 'regression' else 'classifier'}."
        )
    if task != "regression" and not hasattr(estimator, "predict_proba"):
        raise InputError(
            "A companion of a classification must have predict_proba, however: "
            f"{name} has none. Wrap it: CalibratedClassifierCV({name}())."
        )
    view = "trees" if _takes_missing(estimator) else "dense"
    train = partial(fit_estimator, estimator)
    return Recipe(name, train, view, weighted=takes_weight(estimator))


def _takes_missing(estimator: Any) -> bool:
    """Whether an estimator reads NaN: it then sees raw numbers and codes, as trees like them."""
    from sklearn.utils import get_tags

    if type(estimator).__module__.partition(".")[0] in ("lightgbm", "xgboost", "catboost"):
        return True
    return bool(get_tags(estimator).input_tags.allow_nan)
