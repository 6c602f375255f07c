"""Which display shows training while it runs: a notebook's panel, a terminal's bar, or lines.

The displays only read :class:`~tabnet_auto.trace.Event` records.
"""

from __future__ import annotations

import sys
from typing import Literal

from tabnet_auto.trace import Emit
from tabnet_auto.view.notebook import notebook_progress
from tabnet_auto.view.terminal import terminal_progress


def choose_progress(verbose: bool | Literal["auto"] = "auto") -> Emit | None:  # noqa: FBT001
    """Return the listener that fits where the code runs.

    Parameters
    ----------
    verbose
        False shows nothing; True and ``"auto"`` show a panel in a notebook, and elsewhere a bar
        on a terminal or a few lines on a pipe.

    Returns
    -------
    Emit or None
        None where nothing is to be shown.
    """
    if verbose is False:
        return None
    return notebook_progress() if _in_notebook() else terminal_progress()


def _in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this code (Colab's shell is a subclass)."""
    # A process that has not imported IPython cannot be a kernel: no need to pay for the import.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(base.__name__ == "ZMQInteractiveShell" for base in type(shell).__mro__)
