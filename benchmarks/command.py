"""The command that a result came from, as anyone may type it."""

from __future__ import annotations

import sys
from pathlib import Path


def command_line() -> str:
    """Return this process's command; of absolute paths the name alone, for they are a machine's."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
