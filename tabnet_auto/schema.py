"""What the columns mean: the role of each, the task, and the reason each was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Role = Literal[
    "numeric",
    "discrete",
    "boolean",
    "categorical",
    "high_cardinality",
    "datetime",
    "text",
    "identifier",
    "constant",
    "duplicate",
    "drop",
]
"""What a column is to the model.

``numeric``
    a quantity; numbers stored as text are read as numbers.
``discrete``
    a number with few distinct values (ages in years, counts, integer codes): the network sees
    it both as a quantity and as a category.
``boolean``, ``categorical``
    levels with an embedding each.
``high_cardinality``
    many levels: cross-fitted target statistics and frequency, embeddings for frequent levels.
``datetime``
    expanded into elapsed time and cyclic calendar parts.
``text``
    short free text: components of its words and characters, and its length.
``identifier``, ``constant``, ``duplicate``, ``drop``
    not used.
"""
ROLES: tuple[str, ...] = get_args(Role)
UNUSED_ROLES: frozenset[str] = frozenset({"identifier", "constant", "duplicate", "drop"})

Task = Literal["binary", "multiclass", "regression"]
TASKS: tuple[str, ...] = get_args(Task)

Label = str | int | float | bool
"""A class label as the user wrote it."""


@dataclass(frozen=True)
class Column:
    """One column of the user's frame.

    ``name`` is the column's label as text, ``dtype`` the pandas dtype as text, ``missing`` the
    share of missing values, ``reason`` says in words why the role was chosen.
    """

    name: str
    role: Role
    reason: str
    dtype: str
    n_unique: int
    missing: float

    @property
    def used(self) -> bool:
        """Whether the column reaches the network."""
        return self.role not in UNUSED_ROLES


@dataclass(frozen=True)
class Schema:
    """The meaning of a frame: columns with roles, the target, and the task.

    ``classes`` holds the labels of a classification target in sorted order, as the user wrote
    them (empty for regression). ``notes`` says what was set aside or changed while reading.
    Printing a schema shows one line a column.
    """

    target: str
    task: Task
    task_reason: str
    classes: tuple[Label, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that reach the network, in the frame's order."""
        return tuple(column for column in self.columns if column.used)

    @property
    def n_outputs(self) -> int:
        """Width of the network's output: classes, or 1 for values."""
        return len(self.classes) if self.classes else 1

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def rows(self) -> list[dict[str, Any]]:
        """One plain record a column: what the printed table and the report show."""
        return [asdict(column) for column in self.columns]

    def __str__(self) -> str:
        head = f"target {self.target!r}: {self.task} ({self.task_reason})"
        cells = [("column", "role", "levels", "missing", "reason")]
        cells += [
            (c.name, c.role, str(c.n_unique), f"{c.missing:.1%}", c.reason) for c in self.columns
        ]
        widths = [max(len(row[i]) for row in cells) for i in range(4)]
        lines = ["  ".join([*(row[i].ljust(widths[i]) for i in range(4)), row[4]]) for row in cells]
        return "\n".join([head, *lines, *(f"note: {note}" for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Schema:
        """Read back what :meth:`to_json` wrote."""
        columns = tuple(Column(**column) for column in data["columns"])
        return cls(
            target=data["target"],
            task=data["task"],
            task_reason=data["task_reason"],
            classes=tuple(data["classes"]),
            columns=columns,
            notes=tuple(data["notes"]),
        )
