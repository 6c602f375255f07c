"""Small frames with every role, and a way to encode them without the rest of the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tabnet_auto.config import EncodeConfig
from tabnet_auto.folds import Folds, make_folds
from tabnet_auto.schema import Column, Schema

ROLES = {
    "size": "numeric",
    "rooms": "discrete",
    "new": "boolean",
    "kind": "categorical",
    "city": "high_cardinality",
    "sold": "datetime",
    "title": "text",
    "id": "identifier",
}


def make_schema(roles: dict[str, str], classes: tuple[Any, ...] = ("no", "yes")) -> Schema:
    """A schema as the package's first step would hand it over."""
    task = {0: "regression", 2: "binary"}.get(len(classes), "multiclass")
    columns = tuple(Column(name, role, "test", "", 1, 0.0) for name, role in roles.items())
    return Schema("y", task, "test", classes, columns)


def make_frame(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """One column a role, each with missing values."""
    rng = np.random.default_rng(seed)
    words = np.array(["red", "green", "old", "house", "garden", "sea", "view"])
    frame = pd.DataFrame(
        {
            "size": rng.normal(100, 20, n),
            "rooms": rng.integers(1, 6, n).astype(float),
            "new": rng.integers(0, 2, n).astype(bool).astype(object),
            "kind": rng.choice(["flat", "hut", "villa"], n).astype(object),
            "city": np.array([f"c{v}" for v in rng.integers(0, 60, n)], dtype=object),
            "sold": pd.Timestamp("2021-03-04") + pd.to_timedelta(rng.integers(0, 9000, n), "h"),
            "title": np.array([" ".join(rng.choice(words, 3)) for _ in range(n)], dtype=object),
            "id": np.arange(n),
        }
    )
    for name in ROLES:
        if name != "id":
            frame.loc[rng.random(n) < 0.05, name] = pd.NaT if name == "sold" else None
    return frame


@pytest.fixture
def frame() -> pd.DataFrame:
    return make_frame()


@pytest.fixture
def roles() -> dict[str, str]:
    return ROLES


@pytest.fixture
def schema() -> Schema:
    return make_schema(ROLES)


@pytest.fixture
def y() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, 300)


@pytest.fixture
def folds(y: np.ndarray) -> Folds:
    return make_folds("binary", y, folds=3)


@pytest.fixture
def config() -> EncodeConfig:
    return EncodeConfig(n_quantiles=9, min_level_count_high=3, n_text_components=3)


@pytest.fixture
def schema_of() -> Callable[..., Schema]:
    return make_schema
