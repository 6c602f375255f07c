"""One fit of each kind for all tests of this folder."""

from __future__ import annotations

import pytest
from attention_helpers import DEFAULT, make_frame

from tabnet_auto import auto_fit


@pytest.fixture(scope="session")
def fit_of():
    """Fit a task with a preset once a session."""
    made = {}

    def fit(task="binary", preset=DEFAULT):
        key = (task, type(preset.net).__name__)
        if key not in made:
            made[key] = auto_fit(make_frame(task), "y", preset=preset, folds=3, verbose=False)
        return made[key]

    return fit
