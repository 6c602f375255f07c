"""A broken display must not end a training run: it says so once and goes quiet."""

from __future__ import annotations

import contextlib
import sys
import warnings

from tabnet_auto.trace import Emit, Event


def never_raise(listener: Emit) -> Emit:
    """Return the listener with its first failure turned into a warning and its last word."""
    broken = False

    def emit(event: Event) -> None:
        nonlocal broken
        if broken:
            return
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - whatever a display does, training goes on
            broken = True
            _warn(f"The progress display failed and is off: {type(error).__name__}: {error}")

    return emit


def _warn(message: str) -> None:
    try:
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    except RuntimeWarning:  # warnings are errors here, and would end the training after all
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{message}\n")
