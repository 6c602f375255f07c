"""A stop request from the keyboard, or from a notebook's stop square."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_asked: list[threading.Event] = []
"""Of the contexts that are open, the outer ones first."""


@contextlib.contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt into a stop request; yields a function that says whether it came.

    Training then ends after the current step with the best so far. A second interrupt is raised
    as usual. Outside the main thread, where Python allows no handlers, nothing changes.

    Contexts may lie within each other: each takes its own first interrupt, and the inner ones also
    tell of a request that came between them.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    before = signal.signal(signal.SIGINT, note)
    _asked.append(asked)
    try:
        yield lambda: asked.is_set() or any(outer.is_set() for outer in _asked)
    finally:
        _asked.remove(asked)
        signal.signal(signal.SIGINT, before)
