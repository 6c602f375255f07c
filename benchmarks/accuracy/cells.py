"""Cells and their cache: one JSON line a cell, in one sorted file."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"
CACHE = RESULTS / "accuracy.jsonl"


@dataclass(frozen=True, order=True)
class Key:
    """What a cell is the answer to; ``budget`` in seconds, ``rows`` the cap on training rows."""

    set: str
    system: str
    budget: int
    rows: int
    seed: int


@dataclass(frozen=True)
class Cell:
    """A measured cell. ``error`` is None where the system failed, and ``failure`` says why.

    ``seconds`` are fit and prediction, ``cpu_seconds`` what its threads worked; ``load`` is the
    machine's one-minute load average before; ``about`` holds versions, commit and, where the cell
    is ours, ``source``, a hash of our package's files.
    """

    key: Key
    error: float | None
    seconds: float
    load: float
    cpu_seconds: float = 0.0
    n_train: int = 0
    n_test: int = 0
    n_columns: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    about: dict[str, str] = field(default_factory=dict)


def to_line(cell: Cell) -> str:
    """Write a cell as one line of JSON, the key first."""
    flat = asdict(cell)
    return json.dumps({**flat.pop("key"), **flat})


def from_line(line: str) -> Cell:
    """Read a cell back."""
    flat = json.loads(line)
    key = Key(**{name: flat.pop(name) for name in Key.__dataclass_fields__})
    return Cell(key=key, **flat)


def read_cells(path: Path = CACHE) -> dict[Key, Cell]:
    """Read the cache; an absent file is an empty cache."""
    if not path.exists():
        return {}
    cells = [from_line(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return {cell.key: cell for cell in cells}


def store(cell: Cell, path: Path = CACHE) -> None:
    """Put one cell into the cache, in place of an older one of the same key.

    The file is replaced as a whole, under a lock: an interrupted run leaves it intact, and two
    runs at a time lose nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        cells = {**read_cells(path), cell.key: cell}
        lines = [to_line(cells[key]) for key in sorted(cells)]
        written = path.with_suffix(".part")
        written.write_text("\n".join(lines) + "\n", encoding="utf-8")
        written.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
