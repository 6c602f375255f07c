"""What a system gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Answer:
    """Test predictions, and what is worth remembering of how they came about.

    ``predicted`` has shape (n, classes) or (n,); ``notes`` holds rounds, epochs and whether the
    budget cut the training short, as plain JSON; ``cpu_seconds`` is what processes of the
    system's own worked, which the cell's process does not see.
    """

    predicted: np.ndarray
    notes: dict[str, Any] = field(default_factory=dict)
    cpu_seconds: float = 0.0
