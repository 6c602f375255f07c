"""The IPython magic: ``%load_ext tabnet_auto``, then ``fit = %auto_fit train survived``."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from tabnet_auto.automl import auto_fit
from tabnet_auto.result.fit import FitResult


@magics_class
class AutoFitMagics(Magics):
    """Line magics of the package."""

    @magic_arguments()
    @argument("train", help="a variable that holds a data frame, or the path of a file")
    @argument("target", help="the column to predict")
    @argument("--test", help="rows to predict later: a variable or a path")
    @argument("--preset", default="balanced", help="fast, balanced, best or paper")
    @argument("--metric", default="auto", help="a name of the metric table")
    @argument("--folds", type=int, default=5, help="number of folds")
    @argument("--time-limit", type=float, help="seconds for the fit")
    @argument("--seed", type=int, default=0, help="the same seed gives the same numbers")
    @line_magic
    def auto_fit(self, line: str) -> FitResult:
        """Learn to predict a column of a table; the result is the value of the line."""
        given = parse_argstring(self.auto_fit, line)
        return auto_fit(
            self._table(given.train), given.target, test=self._table(given.test),
            preset=given.preset, metric=given.metric, folds=given.folds,
            time_limit=given.time_limit, seed=given.seed,
        )  # fmt: skip

    def _table(self, name: str | None) -> Any:
        """Return the variable of that name, else the name itself: a path."""
        assert self.shell is not None
        return self.shell.user_ns.get(name, name)
