"""Where the code runs, and so what can be shown: live views, a page, or text."""

from __future__ import annotations

import os
import sys
from typing import Any, Literal, cast

from tabnet_auto.errors import InputError, did_you_mean

Place = Literal["live", "page", "text"]
"""``"live"``: a browser listens to a kernel. ``"page"``: a notebook that nobody watches (Kaggle's
saved versions, papermill, nbconvert). ``"text"``: no notebook."""
Mode = Literal["auto", "live", "page", "text"]

VARIABLE = "TABNET_AUTO_DISPLAY"
"""Environment variable that says the place where the guess is wrong."""
_MODES = ("auto", "live", "page", "text")


def choose_place(mode: str = "auto") -> Place:
    """Return the place: ``mode`` if it names one, else the environment's word, else a guess.

    Raises
    ------
    InputError
        If the mode, or the environment variable ``TABNET_AUTO_DISPLAY``, is none of these.
    """
    wanted = _checked(mode, "mode")
    if wanted == "auto":
        wanted = _checked(os.environ.get(VARIABLE) or "auto", VARIABLE)
    if wanted != "auto":
        return cast("Place", wanted)
    if not in_notebook():
        return "text"
    return "page" if _nobody_watches() else "live"


def _checked(mode: str, what: str) -> str:
    if mode not in _MODES:
        raise InputError(
            f"{what} must be one of {', '.join(_MODES)}, however: {mode!r}."
            f"{did_you_mean(str(mode), _MODES)}"
        )
    return mode


def in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this code (Colab's shell is a subclass)."""
    return any(base.__name__ == "ZMQInteractiveShell" for base in type(_shell()).__mro__)


def _shell() -> Any:
    # A process that has not imported IPython cannot be a kernel: no need to pay for the import.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _nobody_watches() -> bool:
    """Return whether the notebook runs from first to last cell without a browser."""
    env = os.environ
    if "KAGGLE_KERNEL_RUN_TYPE" in env:
        return env["KAGGLE_KERNEL_RUN_TYPE"] == "Batch"
    if env.get("SERVER_SOFTWARE", "").startswith("voila"):
        return False
    if "google.colab" in sys.modules or {"VSCODE_PID", "VSCODE_CWD"} & env.keys():
        return False
    # Jupyter's server names the session of every notebook that it opens; nbclient has none. The
    # classic notebook names none either, but its requests come from one who can answer input().
    if "JPY_SESSION_NAME" in env:
        return False
    request = _shell().get_parent()
    return not request.get("content", {}).get("allow_stdin", False)
