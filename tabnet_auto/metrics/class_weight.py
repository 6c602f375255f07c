"""Class weights, as the user gives them, in the order of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from tabnet_auto.errors import InputError
from tabnet_auto.schema import Schema


def read_class_weight(
    class_weight: Mapping[Any, float] | str | None, schema: Schema
) -> tuple[float, ...] | Literal["balanced"] | None:
    """Return ``"balanced"``, one weight a class (1 where none is given), or None.

    Raises
    ------
    InputError
        If the target has no classes, a label is none of them, or a weight is not above 0.
    """
    if class_weight is None:
        return None
    if not schema.classes:
        raise InputError(
            f"class_weight needs a classification target, however: {schema.target!r} is read as "
            "regression. Leave it out, or pass task=."
        )
    if isinstance(class_weight, str) and class_weight == "balanced":
        return "balanced"
    if not isinstance(class_weight, Mapping):
        raise InputError(
            "class_weight must be 'balanced', weights by label, or None, however: "
            f"class_weight={class_weight!r}."
        )
    foreign = [label for label in class_weight if label not in schema.classes]
    if foreign:
        raise InputError(
            f"class_weight must name classes of {schema.target!r}, however: {foreign[0]!r} is none "
            f"of {', '.join(map(repr, schema.classes[:10]))}. Write labels as in the target."
        )
    for label, weight in class_weight.items():
        number: Any = weight  # whatever the user wrote
        if not isinstance(number, int | float | np.number) or not 0 < number < np.inf:
            raise InputError(
                f"A class's weight must be a number above 0, however: {label!r} has {weight!r}. "
                "Drop the rows of a class that must not count."
            )
    return tuple(float(class_weight.get(label, 1.0)) for label in schema.classes)
