"""From the facts of a column to its role, with a reason in words and figures.

A table of detectors is tried in order; a role that the user has given wins over them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

from tabnet_auto.cells import cell_text, family, plain_cell, to_float
from tabnet_auto.dates import parse_datetime, prefers_day_first
from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.facts import (
    MAX_LEVELS,
    Facts,
    Kind,
    datetime_facts,
    not_numbers,
    number_facts,
    read_levels,
    read_numbers,
    sample_of,
)
from tabnet_auto.frames import resolve_column
from tabnet_auto.schema import Column, Role

MAX_DISCRETE = 32
"""Distinct whole numbers up to which a numeric column is also seen as a category."""
REPEATED = 0.5
"""Share of distinct values up to which values count as repeated."""
MOSTLY_UNIQUE = 0.95
"""Share of distinct values from which a column of tokens identifies its rows."""
TEXT_UNIQUE = 0.70
"""Share of distinct values from which text of two words and more is free text."""
MIN_ID_ROWS = 50
"""Rows from which a gapless run of whole numbers is taken for a row number."""
GAPLESS = "whole numbers without gap or repetition"
"""How the reason of a row number begins."""

_ID_NAME = re.compile(
    r"(?:^|[\s_.-])(?:id|ids|uuid|guid)$|^(?:index|idx|rowid|row|rownum|key|pk)$|^unnamed: \d+$"
    r"|[a-z](?:ID|Id)$|^(?:row|record|serial)[\s_.-]?(?:id|no|num|number|index)$"
    r"|^(?:user|customer|client|passenger|patient|item|product|order|account|session)id$"
)
_CODE_NAME = re.compile(
    r"(?:^|[\s_.-])(?:zip|zipcode|zip_code|postal|postcode|postal_code|code|codes|cd|type|category"
    r"|cat|id|fips|plz)$|[a-z](?:ID|Id|Code|Type|Cd|Category)$|^(?:zip|postal|postcode)[\s_.-]"
)

Found = tuple[Role, str] | None


# ---------------------------------------------------------------------------------------------
# from facts to a role
# ---------------------------------------------------------------------------------------------


def detect_role(facts: Facts) -> tuple[Role, str]:
    """Return the role that the first fitting detector finds, and its reason."""
    for detector in _DETECTORS:
        found = detector(facts)
        if found is not None:
            role, reason = found
            return role, f"{facts.origin}; {reason}" if facts.origin else reason
    raise AssertionError("the last detector takes every column")  # pragma: no cover


def _constant(facts: Facts) -> Found:
    if facts.n_unique == 0:
        return "constant", "all values are missing"
    if facts.n_unique == 1 and facts.n_missing == 0:
        return "constant", f"one value in all {facts.n_rows} rows"
    return None


def _boolean(facts: Facts) -> Found:
    if facts.n_unique == 1:
        share = f"{facts.n_present / facts.n_rows:.1%}"
        return "boolean", f"one value in {share} of the rows, missing in the others"
    if facts.n_unique == 2:
        return "boolean", f"two values: {' and '.join(_examples(facts))}"
    return None


def _examples(facts: Facts, n: int = 2) -> list[str]:
    if facts.kind == "text":
        return [repr(level) for level in sorted(facts.levels)[:n]]
    return [str(cell_text(value)) for value in np.unique(facts.present)[:n]]


def _datetime(facts: Facts) -> Found:
    if facts.kind != "datetime":
        return None
    first, last = (
        np.datetime_as_string(t, "D") for t in (facts.present.min(), facts.present.max())
    )
    return "datetime", f"{facts.n_unique:,} distinct from {first} to {last}"


def _number_identifier(facts: Facts) -> Found:
    if not facts.whole or facts.distinct_share < MOSTLY_UNIQUE:
        return None
    if facts.named_like(_ID_NAME):
        share = _percent(facts)
        return "identifier", f"whole numbers, {share} distinct, and a name like an identifier's"
    present = facts.present
    gapless = facts.n_unique == len(present) == present.max() - present.min() + 1
    if gapless and facts.n_rows >= MIN_ID_ROWS:
        low, high = int(present.min()), int(present.max())
        return "identifier", f"{GAPLESS}, {low:,} to {high:,}: a row number"
    return None


def _code(facts: Facts) -> Found:
    if not facts.whole or facts.distinct_share >= MOSTLY_UNIQUE:
        return None
    if not facts.named_like(_CODE_NAME):
        return None
    role: Role = "categorical" if facts.n_unique <= MAX_LEVELS else "high_cardinality"
    return role, f"whole numbers with a name like a code's, {facts.n_unique:,} levels"


def _discrete(facts: Facts) -> Found:
    few = facts.n_unique <= MAX_DISCRETE and facts.distinct_share <= REPEATED
    if facts.whole and few:
        return "discrete", f"{facts.n_unique:,} distinct whole numbers"
    return None


def _numeric(facts: Facts) -> Found:
    if facts.kind != "number":
        return None
    what = "whole numbers" if facts.whole else "numbers"
    return "numeric", f"{what}, {facts.n_unique:,} distinct"


def _free_text(facts: Facts) -> Found:
    if facts.declared or facts.distinct_share < TEXT_UNIQUE:
        return None
    words = float(np.mean([len(level.split()) for level in sample_of(facts.levels)]))
    if words >= 2:
        return "text", f"{words:.1f} words a cell, {_percent(facts)} of the cells distinct"
    return None


def _token_identifier(facts: Facts) -> Found:
    if facts.declared or facts.distinct_share < MOSTLY_UNIQUE:
        return None
    return "identifier", f"single words, {_percent(facts)} of the cells distinct"


def _few_levels(facts: Facts) -> Found:
    if facts.n_unique > MAX_LEVELS:
        return None
    what = "categorical dtype, " if facts.declared else ""
    return "categorical", f"{what}{facts.n_unique:,} levels"


def _many_levels(facts: Facts) -> Found:
    return "high_cardinality", f"{facts.n_unique:,} levels, more than {MAX_LEVELS}"


def _percent(facts: Facts) -> str:
    share = facts.distinct_share
    return "all" if share == 1 else f"{share:.1%}"


_DETECTORS: tuple[Callable[[Facts], Found], ...] = (
    _constant,
    _boolean,
    _datetime,
    _number_identifier,
    _code,
    _discrete,
    _numeric,
    _free_text,
    _token_identifier,
    _few_levels,
    _many_levels,
)


# ---------------------------------------------------------------------------------------------
# roles as given
# ---------------------------------------------------------------------------------------------

_GIVEN_KINDS: dict[str, Kind] = {
    "numeric": "number",
    "discrete": "number",
    "datetime": "datetime",
    "boolean": "text",
    "categorical": "text",
    "high_cardinality": "text",
    "text": "text",
    "identifier": "text",
    "drop": "text",
}
"""The roles a user may give, and how the column is then read."""


def check_roles(roles: Mapping[str, str], frame: pd.DataFrame, target: str) -> dict[str, Role]:
    """Return the user's roles by the columns' text labels.

    Raises
    ------
    InputError
        If a column or role is unknown, or the column is the target.
    """
    given: dict[str, Role] = {}
    for label, role in roles.items():
        name = resolve_column(label, frame, "roles")
        if role not in _GIVEN_KINDS:
            raise InputError(
                f"A role must be one of {', '.join(_GIVEN_KINDS)}, however: roles={{{name!r}: "
                f"{role!r}}}.{did_you_mean(role, _GIVEN_KINDS)}"
            )
        if name == target:
            raise InputError(
                f"roles must name columns to learn from, however: {name!r} is the target. Leave "
                "it out of roles, and choose with task= how it is read."
            )
        given[name] = cast("Role", role)
    return given


def given_role(name: str, series: pd.Series[Any], role: Role) -> tuple[Column, list[str]]:
    """Read the column as the user's role asks; return its line of the schema, and notes.

    Raises
    ------
    InputError
        If the role does not fit the values.
    """
    kind = _GIVEN_KINDS[role]
    reason = "as given"
    if kind == "number":
        facts = _given_numbers(series, role)
        wrong = not_numbers(series, facts.values) if family(series) == "text" else ""
        reason = f"{reason}; {wrong}" if wrong else reason
    elif kind == "datetime":
        values = parse_datetime(series, day_first=prefers_day_first(series))
        facts = datetime_facts(series, values, "")
    else:
        facts = read_levels(series)
    _check_given(name, series, role, facts)
    return facts.as_column(role, reason), list(facts.notes)


def _given_numbers(series: pd.Series[Any], role: Role) -> Facts:
    kind = family(series)
    if kind in ("datetime", "complex"):
        raise _impossible(str(series.name), series, role, "'datetime' or 'drop'")
    if kind in ("number", "duration"):
        return read_numbers(series, kind)
    return number_facts(series, to_float(series), "")


def _check_given(name: str, series: pd.Series[Any], role: Role, facts: Facts) -> None:
    unreadable = facts.n_unique == 0 and series.notna().any()
    if unreadable and role in ("numeric", "discrete", "datetime"):
        raise _impossible(name, series, role, "'categorical' or 'text'")
    if role == "boolean" and facts.n_unique > 2:
        raise InputError(
            f"A boolean column must have at most two values, however: column {name!r} has "
            f"{facts.n_unique}, e.g. {', '.join(_examples(facts, 3))}. Use the role 'categorical'."
        )


def _impossible(name: str, series: pd.Series[Any], role: Role, instead: str) -> InputError:
    what = "dates" if role == "datetime" else "numbers"
    return InputError(
        f"The role {role!r} needs {what}, however: no value of column {name!r} can be read as one, "
        f"e.g. {plain_cell(series.dropna().iloc[0])!r}. Use the role {instead}, or convert the "
        "column."
    )
