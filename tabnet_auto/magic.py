"""The IPython magic: ``%load_ext tabnet_auto``, then ``fit = %auto_fit train survived``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.utils.process import arg_split  # type: ignore[attr-defined]  # made to be imported

from tabnet_auto.automl import auto_fit
from tabnet_auto.cli_options import class_weight, learning_options, with_fold_plan
from tabnet_auto.errors import InputError
from tabnet_auto.frames import read_frame
from tabnet_auto.result.fit import FitResult

NAME = "%auto_fit"


@click.command(NAME)
@click.argument("train")
@click.argument("target")
@click.option("--test", help="Rows to predict later: a variable or a file.")
@learning_options
@click.option("--quiet", is_flag=True, help="Show no progress.")
def _line(**_given: Any) -> None:
    """Learn to predict the column TARGET of TRAIN, a variable or a CSV or Parquet file.

    The result is the value of the line. All options but --test and --quiet are those of
    `tabnet-auto fit`.
    """


def _words(line: str) -> list[str]:
    """Split a line as a shell does: quotes hold words together."""
    try:
        return arg_split(line, posix=True)
    except ValueError as error:
        raise click.UsageError(f"Quotes must be closed, however: {error}.") from error


def _with_help(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``%auto_fit?`` show the options."""
    method.__doc__ = f"{method.__doc__}\n\n{_line.get_help(click.Context(_line, info_name=NAME))}"
    return method


@magics_class
class AutoFitMagics(Magics):
    """Line magics of the package."""

    @line_magic
    @_with_help
    def auto_fit(self, line: str) -> FitResult | None:
        """Learn to predict a column of a table; the result is the value of the line."""
        try:
            given = _line.make_context(NAME, _words(line)).params
            return self._fit(**with_fold_plan(given))
        except click.exceptions.Exit:  # --help has been shown
            return None
        except click.ClickException as error:
            raise InputError(f"{error.format_message()} See {NAME} --help.") from error

    def _fit(self, train: str, target: str, *, quiet: bool, **options: Any) -> FitResult:
        """Fit the table that the words name."""
        frame = read_frame(self._table(train))
        options["class_weight"] = class_weight(options["class_weight"], frame, target)
        options["test"] = self._table(options["test"])
        return auto_fit(frame, target, verbose=False if quiet else "auto", **options)

    def _table(self, name: str | None) -> Any:
        """Return the variable of that name, else the name itself: a path."""
        assert self.shell is not None
        return self.shell.user_ns.get(name, name)
