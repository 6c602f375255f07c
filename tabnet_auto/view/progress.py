"""Which display shows training while it runs: a notebook's panel, a terminal's bar, or lines.

The displays only read :class:`~tabnet_auto.trace.Event` records.
"""

from __future__ import annotations

from tabnet_auto.trace import Emit, Event
from tabnet_auto.view.notebook import notebook_progress
from tabnet_auto.view.place import Mode, choose_place
from tabnet_auto.view.terminal import terminal_progress


def choose_progress(verbose: bool | Mode = "auto") -> Emit | None:  # noqa: FBT001
    """Return the listener that fits where the code runs.

    Parameters
    ----------
    verbose
        False shows nothing; True and ``"auto"`` show a panel in a notebook, and elsewhere a bar
        on a terminal or a few lines on a pipe. ``"live"``, ``"page"`` and ``"text"`` say which,
        as does the environment variable ``TABNET_AUTO_DISPLAY``.

    Returns
    -------
    Emit or None
        None where nothing is to be shown.

    Raises
    ------
    InputError
        If ``verbose`` is none of these.
    """
    if verbose is False:
        return None
    place = choose_place("auto" if verbose is True else verbose)
    return terminal_progress() if place == "text" else notebook_progress(watched=place == "live")


def choose_listeners(verbose: bool | Mode, emit: Emit | None) -> Emit | None:  # noqa: FBT001
    """Return the display of :func:`choose_progress` and a listener of the user's own in one."""
    shown = choose_progress(verbose)
    if shown is None or emit is None:
        return shown or emit

    def both(event: Event) -> None:
        shown(event)
        emit(event)

    return both
