"""Every error the package raises on purpose: each states the rule, the value, and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TabNetAutoError(Exception):
    """Base of all errors raised by tabnet_auto; catch this to catch them all."""


class InputError(TabNetAutoError, ValueError):
    """The caller's data or arguments cannot be used as given."""


class SchemaMismatchError(InputError):
    """A frame given to ``predict`` does not fit the frame that was learned from."""


class ArtifactError(TabNetAutoError):
    """A saved model directory is missing, damaged, foreign, or of another format."""


class NotInstalledError(TabNetAutoError, ImportError):
    """An optional package is needed for what was asked; the message ends with the command."""


def did_you_mean(name: object, options: Iterable[object]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest option, or an empty string.

    >>> did_you_mean("taget", ["target", "age"])
    " Did you mean 'target'?"
    >>> did_you_mean("zzz", ["target", "age"])
    ''
    """
    known = {str(option).lower(): str(option) for option in options}
    near = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.6)
    return f" Did you mean {known[near[0]]!r}?" if near else ""
