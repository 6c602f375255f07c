"""Small data that travels with the package, for the demo and the examples."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from tabnet_auto.errors import InputError, did_you_mean

_TITANIC = ("sample_submission", "solution", "test", "train")


def titanic_path(name: str) -> Path:
    """Return the path of one of the Titanic files.

    ``name`` is ``"train"`` (891 passengers), ``"test"`` (418, without ``survived``),
    ``"sample_submission"`` or ``"solution"``; the ending ``.csv`` may be written too.

    >>> titanic_path("train").name
    'train.csv'

    Raises
    ------
    InputError
        If there is no such file.
    """
    stem = name.removesuffix(".csv")
    if stem not in _TITANIC:
        raise InputError(
            f"name must be one of {', '.join(_TITANIC)}, however: {name!r}."
            f"{did_you_mean(stem, _TITANIC)}"
        )
    return Path(str(files(__name__) / "titanic" / f"{stem}.csv"))
