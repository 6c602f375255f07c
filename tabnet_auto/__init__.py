"""One-line AutoML with attention TabNets: ``fit = auto_fit(df, "target")``.

Names are imported when first used, so that importing the package costs little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabnet_auto.auditing.run import audit
    from tabnet_auto.automl import auto_fit
    from tabnet_auto.config import (
        PRESETS,
        EncodeConfig,
        NetConfig,
        PaperConfig,
        Preset,
        Search,
        TrainConfig,
    )
    from tabnet_auto.errors import ArtifactError, InputError, TabNetAutoError
    from tabnet_auto.estimator import TabNetClassifier, TabNetRegressor
    from tabnet_auto.folds.plan import FoldPlan
    from tabnet_auto.result.fit import FitResult
    from tabnet_auto.result.saving import load

__version__ = "0.1.0"

_HOME = {
    "ArtifactError": "errors",
    "EncodeConfig": "config",
    "FitResult": "result.fit",
    "FoldPlan": "folds.plan",
    "InputError": "errors",
    "NetConfig": "config",
    "PRESETS": "config",
    "PaperConfig": "config",
    "Preset": "config",
    "Search": "config",
    "TabNetAutoError": "errors",
    "TabNetClassifier": "estimator",
    "TabNetRegressor": "estimator",
    "TrainConfig": "config",
    "audit": "auditing.run",
    "auto_fit": "automl",
    "load": "result.saving",
}

__all__ = [
    "PRESETS",
    "ArtifactError",
    "EncodeConfig",
    "FitResult",
    "FoldPlan",
    "InputError",
    "NetConfig",
    "PaperConfig",
    "Preset",
    "Search",
    "TabNetAutoError",
    "TabNetClassifier",
    "TabNetRegressor",
    "TrainConfig",
    "audit",
    "auto_fit",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def load_ipython_extension(shell: Any) -> None:
    """Make ``%auto_fit`` known: what ``%load_ext tabnet_auto`` calls."""
    from tabnet_auto.magic import AutoFitMagics

    shell.register_magics(AutoFitMagics)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
