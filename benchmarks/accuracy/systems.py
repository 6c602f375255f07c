"""The table of systems: a name, where its function is, and what its versions are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.environment import AUTOGLUON, Environment


@dataclass(frozen=True)
class System:
    """``function`` of ``module`` takes a problem and a clock; ``packages`` go on record.

    A system with an ``environment`` of its own is a process there: its function takes nothing,
    starts the process, and returns what takes a problem and a clock. ``only_named`` ones belong
    to no group: they need a GPU, or gigabytes of their own.
    """

    module: str
    function: str
    packages: tuple[str, ...]
    environment: Environment | None = None
    only_named: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether a change of the package makes its cells old."""
        return self.module == "ours"

    def load(self) -> Callable[[Any, Any], Answer]:
        """Import the system, here or in its own process: imports are no part of its time."""
        found = getattr(import_module(f"benchmarks.accuracy.{self.module}"), self.function)
        return found() if self.environment else found


SKLEARN = ("scikit-learn", "numpy", "pandas")
TORCH = ("torch", *SKLEARN)
PORTFOLIO = ("autogluon.tabular", "lightgbm", "xgboost-cpu", "catboost", "fastai", *TORCH)
"""What AutoGluon's preset trains with, as its own environment has it."""

SYSTEMS = {
    "ours": System("ours", "run_balanced", ("tabnet-auto", *TORCH)),
    "ours-fast": System("ours", "run_fast", ("tabnet-auto", *TORCH)),
    "ours-best": System("ours", "run_best", ("tabnet-auto", *TORCH)),
    "ours-paper": System("ours", "run_paper", ("tabnet-auto", *TORCH)),
    "ours-cuda": System("ours", "run_cuda", ("tabnet-auto", *TORCH), only_named=True),
    "constant": System("peers.linear", "run_constant", SKLEARN),
    "linear": System("peers.linear", "run_linear", SKLEARN),
    "hist": System("peers.boosters", "run_hist", SKLEARN),
    "lightgbm": System("peers.boosters", "run_lightgbm", ("lightgbm", *SKLEARN)),
    "lightgbm-tuned": System("peers.boosters", "run_lightgbm_tuned", ("lightgbm", *SKLEARN)),
    "xgboost": System("peers.boosters", "run_xgboost", ("xgboost", *SKLEARN)),
    "xgboost-tuned": System("peers.boosters", "run_xgboost_tuned", ("xgboost", *SKLEARN)),
    "catboost": System("peers.boosters", "run_catboost", ("catboost", *SKLEARN)),
    "catboost-tuned": System("peers.boosters", "run_catboost_tuned", ("catboost", *SKLEARN)),
    "realmlp": System("peers.pytabkit", "run_realmlp", ("pytabkit", *TORCH)),
    "tabm": System("peers.pytabkit", "run_tabm", ("pytabkit", *TORCH)),
    "autogluon": System(
        "peers.autogluon", "start_autogluon", PORTFOLIO, AUTOGLUON, only_named=True
    ),
    "pytorch-tabnet": System("peers.tabnet", "run_tabnet", ("pytorch-tabnet", *TORCH)),
}
BASELINE = "constant"
"""What a system that fails is scored as; it takes no rank of its own."""

_GROUPED = {name: system for name, system in SYSTEMS.items() if not system.only_named}
GROUPS = {
    "ours": tuple(name for name, system in _GROUPED.items() if system.is_ours),
    "peers": tuple(name for name, system in _GROUPED.items() if not system.is_ours),
    "cheap": (
        "constant", "linear", "hist", "lightgbm", "lightgbm-tuned", "xgboost", "xgboost-tuned",
        "catboost", "catboost-tuned",
    ),
}  # fmt: skip


def choose(words: list[str]) -> tuple[str, ...]:
    """Return the systems that names and groups mean, in the order of the table.

    ``ours`` is both: alone it is the system; ``all-ours`` is the group.
    """
    wanted: set[str] = set()
    for word in words:
        if word in SYSTEMS:
            wanted.add(word)
        elif word.removeprefix("all-") in GROUPS:
            wanted.update(GROUPS[word.removeprefix("all-")])
        else:
            known = ", ".join([*SYSTEMS, *(f"all-{group}" for group in GROUPS)])
            raise SystemExit(f"a system must be one of {known}, however: {word!r}")
    return tuple(name for name in SYSTEMS if name in wanted)
