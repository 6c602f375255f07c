"""What the columns mean, and why: roles of the columns, the task, and the labels of the target.

Each column is read once into :class:`_Facts`; a table of detectors, tried in order, turns the
facts into a role with a reason in words and figures.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.frames import (
    MISSING_WORDS,
    cell_text,
    family,
    list_names,
    parse_datetime,
    parse_number_text,
    prefers_day_first,
    resolve_column,
    to_float,
    to_text,
)
from tabnet_auto.schema import TASKS, Column, Label, Role, Schema, Task

SAMPLE = 5000
"""Distinct values looked at where looking at all would be slow."""
NUMBER_SHARE = 0.90
"""Share of the cells of a text column that must be numbers for it to be numeric."""
DATE_SHARE = 0.95
"""The same for dates."""
MAX_DISCRETE = 32
"""Distinct whole numbers up to which a numeric column is also seen as a category."""
MAX_LEVELS = 30
"""Levels up to which text is categorical; beyond, high-cardinality."""
REPEATED = 0.5
"""Share of distinct values up to which values count as repeated."""
MOSTLY_UNIQUE = 0.95
"""Share of distinct values from which a column of tokens identifies its rows."""
TEXT_UNIQUE = 0.70
"""Share of distinct values from which text of two words and more is free text."""
MIN_ID_ROWS = 50
"""Rows from which a gapless run of whole numbers is taken for a row number."""
MAX_NUMBER_CLASSES = 15
"""Distinct whole numbers up to which a target may be classes."""
MAX_CLASSES = 1000
"""Classes the network is asked to tell apart at most."""

_ID_NAME = re.compile(
    r"(?:^|[\s_.-])(?:id|ids|uuid|guid)$|^(?:index|idx|rowid|row|rownum|key|pk)$|^unnamed: \d+$"
    r"|[a-z](?:ID|Id)$|^(?:row|record|serial)[\s_.-]?(?:id|no|num|number|index)$"
    r"|^(?:user|customer|client|passenger|patient|item|product|order|account|session)id$"
)
_CODE_NAME = re.compile(
    r"(?:^|[\s_.-])(?:zip|zipcode|zip_code|postal|postcode|postal_code|code|codes|cd|type|category"
    r"|cat|id|fips|plz)$|[a-z](?:ID|Id|Code|Type|Cd|Category)$|^(?:zip|postal|postcode)[\s_.-]"
)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(?:,\d+)?")
_LEADING_ZERO = re.compile(r"0\d+")
_NOTHING: Mapping[str, str] = MappingProxyType({})

Found = tuple[Role, str] | None
_Kind = Literal["number", "datetime", "text"]


@dataclass(frozen=True)
class _Facts:
    """One column, read once: its cells as numbers, dates or level codes, and how often they repeat.

    ``values`` are float64 (NaN missing), datetime64 (NaT missing) or int64 positions in
    ``levels`` (-1 missing). ``origin`` says what was done to read them. ``declared`` is True for
    a categorical dtype: the user has said what the numbers and dates in it are.
    """

    name: str
    dtype: str
    kind: _Kind
    values: NDArray[Any]
    n_unique: int
    n_missing: int
    levels: NDArray[np.object_]
    origin: str = ""
    declared: bool = False
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        return len(self.values)

    @property
    def present(self) -> NDArray[Any]:
        """The cells that are not missing."""
        there = self.values >= 0 if self.kind == "text" else ~np.isnan(self.values)
        return cast("NDArray[Any]", self.values[there])

    @property
    def n_present(self) -> int:
        return self.n_rows - self.n_missing

    @property
    def distinct_share(self) -> float:
        return self.n_unique / max(self.n_present, 1)

    @property
    def whole(self) -> bool:
        """Whether the column holds whole numbers only."""
        if self.kind != "number":
            return False
        present = self.present
        return bool((present == np.floor(present)).all())

    def named_like(self, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.search(self.name) or pattern.search(self.name.lower()))

    def digest(self) -> tuple[str, bytes]:
        """Equal for two columns exactly when their cells are equal after reading."""
        values = self.values
        if self.kind == "text":
            # Half a surrogate pair, from a file read in the wrong encoding, is not valid UTF-8.
            texts = [level.encode("utf-8", "surrogatepass") for level in self.levels]
            hashed = pd.util.hash_array(np.array(texts, dtype=object), categorize=False)
            values = np.append(hashed, np.uint64(0))[values]
        elif self.kind == "number":
            # One bit pattern for each of NaN and zero.
            values = np.where(np.isnan(values), np.nan, values + 0.0)
        return self.kind, hashlib.blake2b(np.ascontiguousarray(values).tobytes()).digest()


# ---------------------------------------------------------------------------------------------
# the schema
# ---------------------------------------------------------------------------------------------


def infer_schema(
    frame: pd.DataFrame,
    target: str,
    *,
    task: str = "auto",
    roles: Mapping[str, str] | None = None,
    ignore: Mapping[str, str] = _NOTHING,
) -> Schema:
    """Return the role of every column, the task, and the reason for each.

    Parameters
    ----------
    frame
        A frame that went through :func:`tabnet_auto.frames.read_frame`, target included, rows
        without a target removed (see :func:`split_target`).
    target
        The target's label.
    task
        ``"auto"``, or the task if the user has named it.
    roles
        Roles that the user has given; they win over everything else.
    ignore
        Columns that take no part as features (group, time, weight), and why.

    Raises
    ------
    InputError
        If a name or role is unknown, a given role or task does not fit the values, or no column
        is left to learn from.
    """
    target = resolve_column(target, frame, "target")
    given = _check_roles(roles or {}, frame, target)
    ignored = {resolve_column(name, frame, "ignore"): why for name, why in ignore.items()}
    chosen, why, classes, target_notes = _infer_task(frame[target], task)
    notes = list(target_notes)
    seen: dict[tuple[str, bytes], str] = {_target_digest(frame[target]): target}
    columns = []
    for name in (label for label in frame.columns if label != target):
        series = frame[name]
        if name in given:
            column, found = _given(name, series, given[name])
        elif name in ignored:
            column, found = _column(_read_plain(series), "drop", ignored[name]), []
        else:
            column, found = _inferred(name, series, seen, target)
        columns.append(column)
        notes += found
    columns = _keep_something(columns)
    return Schema(target, chosen, why, classes, tuple(columns), tuple(notes))


def _inferred(
    name: str, series: pd.Series[Any], seen: dict[tuple[str, bytes], str], target: str
) -> tuple[Column, list[str]]:
    facts = _read(series)
    notes = list(facts.notes)
    role, reason = _detect(facts)
    if role != "constant":
        first = seen.setdefault(facts.digest(), name)
        if first == target:
            notes.append(
                f"column {name!r} equals the target in every row; if it is not known before the "
                f"target is, leave it out: roles={{{name!r}: 'drop'}}"
            )
        elif first != name:
            role, reason = "duplicate", f"equals column {first!r} in every row"
    return _column(facts, role, reason), notes


def _column(facts: _Facts, role: Role, reason: str) -> Column:
    return Column(
        name=facts.name,
        role=role,
        reason=reason,
        dtype=facts.dtype,
        n_unique=facts.n_unique,
        missing=facts.n_missing / facts.n_rows,
    )


def _keep_something(columns: list[Column]) -> list[Column]:
    """Check that a column is left; a lone gapless run of numbers is then kept after all."""
    if any(column.used for column in columns):
        return columns
    kept = [
        replace(c, role="numeric", reason=f"{c.reason}; kept, since no other column is usable")
        if c.role == "identifier" and c.reason.startswith(_GAPLESS)
        else c
        for c in columns
    ]
    if any(column.used for column in kept):
        return kept
    listed = "; ".join(f"{c.name!r} is {c.role} ({c.reason})" for c in columns[:10])
    raise InputError(
        "There must be at least one column to learn from, however: "
        f"{listed or 'the target is the only column'}. "
        "Give a column a role with roles={'column': 'categorical'}, for example."
    )


# ---------------------------------------------------------------------------------------------
# reading a column
# ---------------------------------------------------------------------------------------------


def _read(series: pd.Series[Any]) -> _Facts:
    kind = family(series)
    if kind == "complex":
        raise InputError(
            f"Columns must hold real numbers, text or dates, however: column {series.name!r} is "
            f"complex ({series.dtype}). Split it into its real and imaginary parts."
        )
    if kind in ("number", "duration"):
        return _read_numbers(series, kind)
    if kind == "datetime":
        return _datetime_facts(series, parse_datetime(series), f"dates of dtype {series.dtype}")
    if kind == "text":
        return _read_text(series)
    return _read_plain(series)


def _read_plain(series: pd.Series[Any]) -> _Facts:
    """Read the column as levels, whatever its dtype."""
    codes, levels = pd.factorize(to_text(series))
    return _Facts(
        name=str(series.name),
        dtype=str(series.dtype),
        kind="text",
        values=codes,
        n_unique=len(levels),
        n_missing=int((codes < 0).sum()),
        levels=np.asarray(levels, dtype=object),
        declared=family(series) == "category",
    )


def _read_numbers(series: pd.Series[Any], kind: str) -> _Facts:
    values = to_float(series)
    n_infinite = int(np.isnan(values).sum()) - int(series.isna().sum())
    note = f"column {series.name!r}: {_count(n_infinite, 'infinite value')} read as missing"
    return _number_facts(
        series,
        values,
        origin="durations read as seconds" if kind == "duration" else "",
        notes=(note,) if n_infinite else (),
    )


def _number_facts(
    series: pd.Series[Any], values: NDArray[Any], origin: str, notes: tuple[str, ...] = ()
) -> _Facts:
    missing = np.isnan(values)
    return _Facts(
        name=str(series.name),
        dtype=str(series.dtype),
        kind="number",
        values=values,
        n_unique=len(pd.unique(values[~missing])),
        n_missing=int(missing.sum()),
        levels=np.empty(0, dtype=object),
        origin=origin,
        notes=notes,
    )


def _datetime_facts(series: pd.Series[Any], values: NDArray[Any], origin: str) -> _Facts:
    return replace(_number_facts(series, values, origin), kind="datetime")


def _read_text(series: pd.Series[Any]) -> _Facts:
    """Read text and objects: as numbers or dates if nearly all cells are, otherwise as levels."""
    if pd.api.types.infer_dtype(series, skipna=True) == "timedelta":
        return _number_facts(series, to_float(series), "durations read as seconds")
    plain = replace(_read_plain(series), origin=_odd_cells(series))
    if plain.n_unique < 2:
        return plain
    sample = _sample(plain.levels)
    if _looks_like_numbers(sample):
        return _numbers_of_text(series, plain) or plain
    if _looks_like_dates(sample):
        return _dates_of_text(series)
    return replace(plain, notes=_decimal_commas(plain.name, sample))


def _decimal_commas(name: str, levels: NDArray[Any]) -> tuple[str, ...]:
    """Give a hint and no reading: whether "1,234" is one or one thousand depends on its writer."""
    words = _worded(levels)
    commas = sum(bool(_DECIMAL_COMMA.fullmatch(word)) for word in words)
    if commas < NUMBER_SHARE * max(len(words), 1):
        return ()
    hint = (
        f"column {name!r} looks like numbers with a decimal comma, which are read as text; read "
        "the file with pandas.read_csv(..., decimal=',') and pass the DataFrame"
    )
    return (hint,)


def _odd_cells(series: pd.Series[Any]) -> str:
    """Say what an object column mixes, or an empty string if there is nothing to say."""
    if series.dtype.kind != "O" or isinstance(series.dtype, pd.StringDtype):
        return ""
    cells = _sample(series.dropna().to_numpy(dtype=object))
    kinds = sorted({type(cell).__name__ for cell in cells})
    if any(isinstance(cell, list | dict | set | tuple | np.ndarray) for cell in cells):
        return f"cells are {' and '.join(kinds)}, read as text"
    if len(kinds) > 1 and "str" in kinds:
        return f"mixed cells ({', '.join(kinds)}), read as text"
    return ""


def _sample(values: NDArray[Any]) -> NDArray[Any]:
    """At most SAMPLE values, evenly spaced: the same for the same column."""
    step = max(1, -(-len(values) // SAMPLE))
    return values[::step]


def _worded(levels: NDArray[Any]) -> list[str]:
    return [level for level in levels if level.lower() not in MISSING_WORDS]


def _looks_like_numbers(levels: NDArray[Any]) -> bool:
    words = _worded(levels)
    # A leading zero is part of a code, and no quantity is written with it.
    zeros = sum(bool(_LEADING_ZERO.fullmatch(word)) for word in words)
    if not words or zeros > 0.01 * len(words):
        return False
    parsed = parse_number_text(pd.Series(words, dtype=object))
    # Rough: levels, not cells, are counted here; the cells decide in _numbers_of_text.
    return bool(np.isfinite(parsed).mean() >= 0.5)


def _looks_like_dates(levels: NDArray[Any]) -> bool:
    words = _worded(levels)
    if not words or np.isnat(parse_datetime(pd.Series(words[:20], dtype=object))).all():
        return False  # most text is no date at all, and that is cheap to see
    parsed = parse_datetime(pd.Series(words, dtype=object))
    return bool((~np.isnat(parsed)).mean() >= DATE_SHARE)


def _numbers_of_text(series: pd.Series[Any], plain: _Facts) -> _Facts | None:
    values = to_float(series)
    is_word = np.array([level.lower() not in MISSING_WORDS for level in plain.levels] + [False])
    unread = is_word[plain.values] & np.isnan(values)
    n_read = int((~np.isnan(values)).sum())
    if n_read < NUMBER_SHARE * (n_read + int(unread.sum())):
        return None
    if unread.any() and plain.n_unique <= MAX_LEVELS:
        return None  # "0", "1", "2", "3+": few levels keep what reading as numbers would lose
    origin = f"numbers stored as {'text' if _is_text(series) else 'objects'}"
    wrong = _not_numbers(series, values)
    return _number_facts(series, values, f"{origin}; {wrong}" if wrong else origin)


def _not_numbers(series: pd.Series[Any], values: NDArray[Any]) -> str:
    """Say which cells are there, but were not read, or an empty string."""
    unread = series[np.isnan(values) & series.notna().to_numpy()]
    if len(unread) == 0:
        return ""
    examples = ", ".join(repr(cell) for cell in list(dict.fromkeys(map(str, unread)))[:3])
    were = "cell was not a number and is" if len(unread) == 1 else "cells were not numbers and are"
    return f"{len(unread)} {were} read as missing, e.g. {examples}"


def _dates_of_text(series: pd.Series[Any]) -> _Facts:
    day_first = prefers_day_first(series)
    values = parse_datetime(series, day_first=day_first)
    text = f"dates stored as {'text' if _is_text(series) else 'objects'}"
    order = ", the day before the month" if day_first else ""
    unread = int((np.isnat(values) & series.notna().to_numpy()).sum())
    wrong = f"; {_count(unread, 'cell')} no date and read as missing" if unread else ""
    return _datetime_facts(series, values, f"{text}{order}{wrong}")


def _is_text(series: pd.Series[Any]) -> bool:
    return pd.api.types.infer_dtype(series, skipna=True) == "string"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun} is" if n == 1 else f"{n} {noun}s are"


# ---------------------------------------------------------------------------------------------
# from facts to a role
# ---------------------------------------------------------------------------------------------


def _detect(facts: _Facts) -> tuple[Role, str]:
    for detector in _DETECTORS:
        found = detector(facts)
        if found is not None:
            role, reason = found
            return role, f"{facts.origin}; {reason}" if facts.origin else reason
    raise AssertionError("the last detector takes every column")  # pragma: no cover


def _constant(facts: _Facts) -> Found:
    if facts.n_unique == 0:
        return "constant", "all values are missing"
    if facts.n_unique == 1 and facts.n_missing == 0:
        return "constant", f"one value in all {facts.n_rows} rows"
    return None


def _boolean(facts: _Facts) -> Found:
    if facts.n_unique == 1:
        share = f"{facts.n_present / facts.n_rows:.1%}"
        return "boolean", f"one value in {share} of the rows, missing in the others"
    if facts.n_unique == 2:
        return "boolean", f"two values: {' and '.join(_examples(facts))}"
    return None


def _examples(facts: _Facts, n: int = 2) -> list[str]:
    if facts.kind == "text":
        return [repr(level) for level in sorted(facts.levels)[:n]]
    return [str(cell_text(value)) for value in np.unique(facts.present)[:n]]


def _datetime(facts: _Facts) -> Found:
    if facts.kind != "datetime":
        return None
    first, last = (
        np.datetime_as_string(t, "D") for t in (facts.present.min(), facts.present.max())
    )
    return "datetime", f"{facts.n_unique} distinct from {first} to {last}"


_GAPLESS = "whole numbers without gap or repetition"


def _number_identifier(facts: _Facts) -> Found:
    if not facts.whole or facts.distinct_share < MOSTLY_UNIQUE:
        return None
    if facts.named_like(_ID_NAME):
        share = _percent(facts)
        return "identifier", f"whole numbers, {share} distinct, and a name like an identifier's"
    present = facts.present
    gapless = facts.n_unique == len(present) == present.max() - present.min() + 1
    if gapless and facts.n_rows >= MIN_ID_ROWS:
        low, high = int(present.min()), int(present.max())
        return "identifier", f"{_GAPLESS}, {low} to {high}: a row number"
    return None


def _code(facts: _Facts) -> Found:
    if not facts.whole or facts.distinct_share >= MOSTLY_UNIQUE:
        return None
    if not facts.named_like(_CODE_NAME):
        return None
    role: Role = "categorical" if facts.n_unique <= MAX_LEVELS else "high_cardinality"
    return role, f"whole numbers with a name like a code's, {facts.n_unique} levels"


def _discrete(facts: _Facts) -> Found:
    few = facts.n_unique <= MAX_DISCRETE and facts.distinct_share <= REPEATED
    if facts.whole and few:
        return "discrete", f"{facts.n_unique} distinct whole numbers"
    return None


def _numeric(facts: _Facts) -> Found:
    if facts.kind != "number":
        return None
    what = "whole numbers" if facts.whole else "numbers"
    return "numeric", f"{what}, {facts.n_unique} distinct"


def _free_text(facts: _Facts) -> Found:
    if facts.declared or facts.distinct_share < TEXT_UNIQUE:
        return None
    words = float(np.mean([len(level.split()) for level in _sample(facts.levels)]))
    if words >= 2:
        return "text", f"{words:.1f} words a cell, {_percent(facts)} of the cells distinct"
    return None


def _token_identifier(facts: _Facts) -> Found:
    if facts.declared or facts.distinct_share < MOSTLY_UNIQUE:
        return None
    return "identifier", f"single words, {_percent(facts)} of the cells distinct"


def _few_levels(facts: _Facts) -> Found:
    if facts.n_unique > MAX_LEVELS:
        return None
    what = "categorical dtype, " if facts.declared else ""
    return "categorical", f"{what}{facts.n_unique} levels"


def _many_levels(facts: _Facts) -> Found:
    return "high_cardinality", f"{facts.n_unique} levels, more than {MAX_LEVELS}"


def _percent(facts: _Facts) -> str:
    share = facts.distinct_share
    return "all" if share == 1 else f"{share:.1%}"


_DETECTORS: tuple[Callable[[_Facts], Found], ...] = (
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

_GIVEN_KINDS: dict[str, _Kind] = {
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


def _check_roles(roles: Mapping[str, str], frame: pd.DataFrame, target: str) -> dict[str, Role]:
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


def _given(name: str, series: pd.Series[Any], role: Role) -> tuple[Column, list[str]]:
    kind = _GIVEN_KINDS[role]
    reason = "as given"
    if kind == "number":
        facts = _given_numbers(series, role)
        wrong = _not_numbers(series, facts.values) if family(series) == "text" else ""
        reason = f"{reason}; {wrong}" if wrong else reason
    elif kind == "datetime":
        values = parse_datetime(series, day_first=prefers_day_first(series))
        facts = _datetime_facts(series, values, "")
    else:
        facts = _read_plain(series)
    _check_given(name, series, role, facts)
    return _column(facts, role, reason), list(facts.notes)


def _given_numbers(series: pd.Series[Any], role: Role) -> _Facts:
    kind = family(series)
    if kind in ("datetime", "complex"):
        raise _impossible(str(series.name), series, role, "'datetime' or 'drop'")
    if kind in ("number", "duration"):
        return _read_numbers(series, kind)
    return _number_facts(series, to_float(series), "")


def _check_given(name: str, series: pd.Series[Any], role: Role, facts: _Facts) -> None:
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
        f"e.g. {_plain(series.dropna().iloc[0])!r}. Use the role {instead}, or convert the column."
    )


def _plain(cell: object) -> object:
    """Return a numpy scalar as Python shows it: 3, and not np.int64(3)."""
    return cell.item() if isinstance(cell, np.generic) else cell


# ---------------------------------------------------------------------------------------------
# the target
# ---------------------------------------------------------------------------------------------


def split_target(
    frame: pd.DataFrame, target: str
) -> tuple[pd.DataFrame, pd.Series[Any], NDArray[np.bool_], tuple[str, ...]]:
    """Set rows without a target aside.

    A target is missing where its cell is missing, infinite or blank.

    Parameters
    ----------
    frame
        A frame that went through :func:`tabnet_auto.frames.read_frame`.
    target
        The target's label.

    Returns
    -------
    features : pandas.DataFrame
        The other columns of the rows that have a target, index from 0.
    series : pandas.Series
        The target of these rows.
    keep : numpy.ndarray
        One truth value for each row of ``frame``: whether it has a target.
    notes : tuple of str
        What was set aside, in words.

    Raises
    ------
    InputError
        If there is no such column, or no row has a target.
    """
    target = resolve_column(target, frame, "target")
    series = frame[target]
    if family(series) in ("number", "duration"):
        keep = ~np.isnan(to_float(series))
    else:
        # to_text knows infinite and blank cells in columns of objects too.
        keep = np.array([text is not None for text in to_text(series)], dtype=bool)
    if not keep.any():
        raise InputError(
            f"The target must have a value in at least one row, however: {target!r} is missing, "
            f"blank or infinite in all {len(frame)} rows. Check target=."
        )
    n_gone = int((~keep).sum())
    rows = "1 row has" if n_gone == 1 else f"{n_gone} rows have"
    notes = (f"{rows} no value of the target {target!r} and were set aside",) if n_gone else ()
    kept = frame.loc[keep].reset_index(drop=True)
    return kept.drop(columns=target), kept[target], keep, notes


def encode_target(series: pd.Series[Any], schema: Schema) -> NDArray[Any]:
    """Return the target as the network learns it.

    Returns
    -------
    numpy.ndarray
        int64 positions in ``schema.classes``, or float64 values for regression.

    Raises
    ------
    InputError
        If a cell is missing, infinite, no number, or none of the classes.
    """
    if schema.task == "regression":
        values = to_float(series)
        if np.isnan(values).any():
            raise _bad_target(
                series, schema, int(np.flatnonzero(np.isnan(values))[0]), "a finite number"
            )
        return values
    labels = _labels(series)
    # Canonical text is the second try: an integer target read back as text, say.
    exact = {label: i for i, label in enumerate(schema.classes)}
    texts = {cell_text(label): i for i, label in enumerate(schema.classes)}
    codes, uniques = pd.factorize(labels)
    table = [exact.get(u, texts.get(cell_text(u), -1)) for u in uniques]
    positions = np.array([*table, -1], dtype=np.int64)[codes]
    if (positions < 0).any():
        classes = f"one of the {len(schema.classes)} classes {list_names(schema.classes, 5)}"
        raise _bad_target(series, schema, int(np.flatnonzero(positions < 0)[0]), classes)
    return positions


def decode_labels(positions: NDArray[np.integer], schema: Schema) -> NDArray[Any]:
    """Return the labels at positions in ``schema.classes`` as the user wrote them.

    Returns
    -------
    numpy.ndarray
        bool, int64, float64 or object (text), with the shape of ``positions``.

    Raises
    ------
    InputError
        If the task is regression, which has no labels.
    """
    if not schema.classes:
        raise InputError(
            f"Labels need a classification task, however: task={schema.task!r}. Use the predicted "
            "values as they are."
        )
    kind = type(schema.classes[0])
    dtype: Any = {bool: np.bool_, int: np.int64, float: np.float64}.get(kind, object)
    try:
        table = np.array(schema.classes, dtype=dtype)
    except OverflowError:  # whole numbers beyond 64 bits stay Python's
        table = np.array(schema.classes, dtype=object)
    return table[np.asarray(positions)]


def _bad_target(series: pd.Series[Any], schema: Schema, row: int, rule: str) -> InputError:
    return InputError(
        f"Every cell of the target {schema.target!r} must be {rule}, however: "
        f"{_plain(series.iloc[row])!r} in row {row}. Correct or remove the row."
    )


def _labels(series: pd.Series[Any]) -> NDArray[np.object_]:
    """Return the target's cells as plain bool, int, float or str, None where missing."""
    kind = family(series)
    if kind == "category":
        categories = _labels(pd.Series(series.cat.categories))
        return cast(
            "NDArray[np.object_]", _objects([*categories, None])[series.cat.codes.to_numpy()]
        )
    missing = series.isna().to_numpy()
    cells = series.astype(object).tolist()
    plain = [None if gone else _label(cell) for cell, gone in zip(cells, missing, strict=True)]
    types = {type(label) for label in plain if label is not None}
    if len(types) > 1 and types != {int, float}:
        return to_text(series)
    if types == {int, float}:
        plain = [None if label is None else float(cast("float", label)) for label in plain]
    return _objects(plain)


def _label(cell: object) -> Label | None:
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, str | bool | int | float):
        return cell
    return cell_text(cell)


def _objects(values: list[Any]) -> NDArray[np.object_]:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _target_digest(series: pd.Series[Any]) -> tuple[str, bytes]:
    return _read(series).digest()


# ---------------------------------------------------------------------------------------------
# the task
# ---------------------------------------------------------------------------------------------

_Answer = tuple[Task, str, tuple[Label, ...], tuple[str, ...]]


@dataclass(frozen=True)
class _Target:
    """The target's cells as labels and, where all of them are numbers, as values."""

    name: str
    series: pd.Series[Any]
    counts: Mapping[Label, int]
    values: NDArray[np.float64]

    @property
    def classes(self) -> tuple[Label, ...]:
        return tuple(sorted(self.counts, key=lambda label: cast("Any", label)))

    @property
    def is_text(self) -> bool:
        return isinstance(next(iter(self.counts)), str)

    @property
    def is_number(self) -> bool:
        return bool(np.isfinite(self.values).all())


def _infer_task(series: pd.Series[Any], task: str) -> _Answer:
    if task != "auto" and task not in TASKS:
        raise InputError(
            f"task must be 'auto' or one of {', '.join(TASKS)}, however: task={task!r}."
            f"{did_you_mean(task, TASKS)}"
        )
    target = _read_target(series)
    if task == "auto":
        chosen, reason = _guess_task(target)
    else:
        chosen, reason = cast("Task", task), "as given"
    if chosen == "regression":
        _check_values(target)
        return "regression", reason, (), ()
    _check_classes(target, chosen)
    if len(target.counts) == 2:
        reason = reason if chosen == "binary" else "given as multiclass; two classes are binary"
        chosen = "binary"
    return chosen, reason, target.classes, tuple(_class_notes(target))


def _read_target(series: pd.Series[Any]) -> _Target:
    name = str(series.name)
    if family(series) in ("complex", "datetime"):
        raise InputError(
            f"The target must be labels or real numbers, however: {name!r} has dtype "
            f"{series.dtype}. Convert it, dates to elapsed days for example."
        )
    labels = _labels(series)
    if any(label is None for label in labels):
        raise InputError(
            f"Every row must have a target, however: {name!r} is missing in "
            f"{sum(label is None for label in labels)} rows. Set them aside with split_target."
        )
    counts = pd.Series(labels, dtype=object).value_counts(sort=False)
    rows = dict(zip(counts.index, counts.tolist(), strict=True))
    return _Target(name, series, rows, to_float(series))


def _guess_task(target: _Target) -> tuple[Task, str]:
    n_classes = len(target.counts)
    kind = family(target.series)
    if n_classes == 2:
        first, second = target.classes
        return "binary", f"two distinct values, {first!r} and {second!r}"
    # Classes by dtype; text that is numbers is judged as numbers.
    if kind == "category" or (target.is_text and not _mostly_numbers(target)):
        return "multiclass", f"{n_classes} distinct labels, dtype {target.series.dtype}"
    if kind == "duration":
        return "regression", "durations, read as seconds"
    how = "text that is numbers: " if target.is_text else ""
    number_classes = target.is_number and _are_number_classes(target.values)
    if number_classes:
        return "multiclass", (
            f"{how}{n_classes} distinct whole numbers, taken for classes; if they are quantities, "
            "pass task='regression'"
        )
    return "regression", (
        f"{how}{n_classes} distinct numbers; if they are classes, pass task='multiclass'"
    )


def _mostly_numbers(target: _Target) -> bool:
    """Whether text labels are numbers; few labels such as "0", "1", "2", "3+" are not."""
    few = len(target.counts) <= MAX_LEVELS
    return target.is_number or (not few and bool(np.isfinite(target.values).mean() >= NUMBER_SHARE))


def _are_number_classes(values: NDArray[np.float64]) -> bool:
    """Few whole numbers: less than one in ten distinct, or counted up from 0 or 1 and repeated."""
    distinct = np.unique(values)
    if len(distinct) > MAX_NUMBER_CLASSES or not (distinct == np.floor(distinct)).all():
        return False
    counted = distinct[0] in (0, 1) and distinct[-1] - distinct[0] + 1 == len(distinct)
    return len(distinct) < 0.1 * len(values) or (counted and len(values) >= 3 * len(distinct))


def _check_values(target: _Target) -> None:
    if not target.is_number:
        row = int(np.flatnonzero(~np.isfinite(target.values))[0])
        raise InputError(
            f"Regression needs a target of finite numbers, however: {target.name!r} holds "
            f"{_plain(target.series.iloc[row])!r} in row {row}. Correct or remove such rows, or "
            "pass task='multiclass'."
        )
    if len(np.unique(target.values)) == 1:
        raise InputError(
            f"The target must have at least two distinct values, however: {target.name!r} is "
            f"{target.values[0]:g} in all {len(target.values)} rows. Check target=."
        )


def _check_classes(target: _Target, task: Task) -> None:
    n_classes, n_rows = len(target.counts), len(target.series)
    if n_classes == 1:
        raise InputError(
            f"The target must have at least two classes, however: {target.name!r} is "
            f"{target.classes[0]!r} in all {n_rows} rows. Check target=, or add rows of other "
            "classes."
        )
    if task == "binary" and n_classes != 2:
        raise InputError(
            f"A binary target must have exactly two classes, however: {target.name!r} has "
            f"{n_classes}: {list_names(target.classes, 5)}. Pass task='multiclass'."
        )
    limit = min(MAX_CLASSES, n_rows // 2)
    if n_classes > max(limit, 2):
        raise InputError(
            f"A class must have two rows on average, and there must be at most {MAX_CLASSES} "
            f"classes, however: {target.name!r} has {n_classes} distinct labels in {n_rows} rows, "
            f"e.g. {list_names(target.classes, 3)}. Check target=, merge rare labels, or pass "
            "task='regression' if they are quantities."
        )


def _class_notes(target: _Target) -> Iterator[str]:
    rare = [label for label in target.classes if target.counts[label] < 2]
    if rare:
        has = "class has" if len(rare) == 1 else "classes have"
        yield (
            f"{len(rare)} {has} a single row ({list_names(rare, 5)}): either learned from or "
            "validated on, never both"
        )
