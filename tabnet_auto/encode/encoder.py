"""From a frame to a Design: learn every member's tables once, apply them to any later frame."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabnet_auto.config import EncodeConfig
from tabnet_auto.design import (
    FIRST_LEVEL_CODE,
    MISSING_CODE,
    Design,
    Feature,
    FeatureKind,
    FloatArray,
    IntArray,
    Layout,
    MemberTables,
)
from tabnet_auto.encode import tables
from tabnet_auto.encode.columns import (
    Cells,
    ColumnPlan,
    Texts,
    encode_levels,
    learn_vocabulary,
    plan_columns,
    read_cells,
)
from tabnet_auto.encode.levels import (
    LevelStatistics,
    StatisticPlan,
    fit_column,
    plan_statistics,
    statistic_names,
)
from tabnet_auto.encode.rows import distinct_training_rows, sample_rows
from tabnet_auto.encode.text import TextComponents, fit_text
from tabnet_auto.errors import ArtifactError
from tabnet_auto.folds import Folds
from tabnet_auto.schema import Schema

StatisticBlock = LevelStatistics | TextComponents
_BLOCKS: dict[str, type[StatisticBlock]] = {
    "high_cardinality": LevelStatistics,
    "text": TextComponents,
}


@dataclass(frozen=True, eq=False)
class Encoder:
    """How frames become numbers, for all members.

    ``layout``
        The encoded features, and the way back to the user's columns.
    ``tables``
        What each member learned from its own training rows.
    ``columns``
        How each used column is read, in the layout's order.
    ``vocabulary``
        For each category feature its levels; position p has shared code p + 2.
    ``blocks``
        The statistics of high-cardinality and text columns, in the layout's order, learned
        once from each distinct training set.
    ``source``
        ``(n_members,)`` which of those training sets each member learned from.
    """

    layout: Layout
    tables: MemberTables
    columns: tuple[ColumnPlan, ...]
    vocabulary: tuple[Texts, ...]
    blocks: tuple[StatisticBlock, ...]
    source: IntArray

    @property
    def n_members(self) -> int:
        """Number of members."""
        return self.tables.n_members

    def encode(self, frame: pd.DataFrame) -> Design:
        """Return a frame's rows as every member sees new rows, without a target.

        The order of the columns, surplus columns and the frame's index do not matter; unseen
        levels become unknown. The frame is not changed.

        Parameters
        ----------
        frame
            The columns that were learned from, of any dtype that holds the same values;
            n rows, also none.

        Returns
        -------
        Design
            ``x_num (n, n_numeric)``, ``codes (n, n_category)``,
            ``x_stat (n_members, n, n_statistic)``.

        Raises
        ------
        SchemaMismatchError
            If a column is missing or none of its values can be read.
        """
        cells = read_cells(frame, self.columns)
        codes = _shared_codes(cells, self.vocabulary)
        inputs = _block_inputs(self.columns, cells, codes)
        parts = [block.encode(x) for block, x in zip(self.blocks, inputs, strict=True)]
        x_stat = _join(parts, int(self.source.max(initial=-1)) + 1, len(frame))
        return Design(cells.x_num, codes, _by_member(x_stat, self.source))

    def select(self, members: IntArray | slice) -> Encoder:
        """Return the encoder of some members only, in the given order."""
        used, source = np.unique(self.source[members], return_inverse=True)
        return replace(
            self,
            tables=self.tables.select(members),
            blocks=tuple(block.select(used) for block in self.blocks),
            source=source,
        )

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return plain JSON data and named arrays from which :meth:`from_state` rebuilds."""
        described = {
            "layout": asdict(self.layout),
            "columns": [asdict(plan) for plan in self.columns],
            "vocabulary": [list(levels) for levels in self.vocabulary],
        }
        arrays: dict[str, NDArray[Any]] = {"source": self.source}
        arrays |= {f"tables.{name}": array for name, array in vars(self.tables).items()}
        for i, block in enumerate(self.blocks):
            arrays |= {f"blocks.{i}.{name}": array for name, array in block.arrays().items()}
        return described, {name: np.ascontiguousarray(a) for name, a in arrays.items()}

    @classmethod
    def from_state(cls, described: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Encoder:
        """Rebuild an encoder from what :meth:`to_state` returned.

        Raises
        ------
        ArtifactError
            If a part of the state is missing.
        """
        try:
            columns = tuple(
                ColumnPlan(**{**plan, "parts": tuple(plan["parts"])})
                for plan in described["columns"]
            )
            kinds = [_BLOCKS[plan.role] for plan in columns if plan.role in _BLOCKS]
            return cls(
                layout=_layout_from_json(described["layout"]),
                tables=MemberTables(**_with_prefix(arrays, "tables.")),
                columns=columns,
                vocabulary=tuple(np.array(v, dtype=object) for v in described["vocabulary"]),
                blocks=tuple(
                    kind(**_with_prefix(arrays, f"blocks.{i}.")) for i, kind in enumerate(kinds)
                ),
                source=arrays["source"],
            )
        except (KeyError, TypeError) as error:
            raise ArtifactError(
                "A saved encoder must hold its layout, columns, vocabulary and tables, however: "
                f"{error!r}. Save the model again with this version."
            ) from error


def fit_encoder(
    frame: pd.DataFrame,
    schema: Schema,
    folds: Folds,
    y: NDArray[np.generic],
    config: EncodeConfig,
) -> tuple[Encoder, Design]:
    """Learn how the frame becomes numbers, each member from its own training rows only.

    The list of a category feature's levels is taken from all rows: it only numbers them.
    Whether a level means anything to a member is learned from the member's rows.

    Parameters
    ----------
    frame
        The training rows, n of them, with all columns of the schema.
    schema
        What the columns mean.
    folds
        Training rows of each member; members with equal rows share the work.
    y
        ``(n,)`` float64 values, or int64 class positions.
    config
        Sizes and thresholds.

    Returns
    -------
    encoder
        For later frames.
    design
        The training rows, without a target. On a member's training rows its target statistics
        are cross-fitted, elsewhere they equal ``encoder.encode(frame)``.

    Raises
    ------
    SchemaMismatchError
        If a column of the schema is missing or none of its values can be read.
    """
    plans = plan_columns(frame, schema)
    cells = read_cells(frame, plans)
    vocabulary = tuple(learn_vocabulary(levels) for levels in cells.levels)
    codes = _shared_codes(cells, vocabulary)
    layout = _make_layout(plans, vocabulary, statistic_names(schema, config), config)
    sources, source = distinct_training_rows(folds)

    learned = [
        tables.fit_tables(
            cells.x_num[sample_rows(rows)],
            codes[rows],
            layout.n_codes,
            _minimum_counts(plans, len(rows), config),
            config,
        )
        for rows in sources
    ]
    scales = [tables.target_scale(y[rows], schema.task) for rows in sources]
    by_source = tables.stack_tables(learned, scales)
    plan = plan_statistics(schema, sources, y, min(folds.seed), config, folds.groups)
    blocks, x_stat = _fit_blocks(plans, cells, codes, plan, config)
    encoder = Encoder(layout, by_source.select(source), plans, vocabulary, blocks, source)
    return encoder, Design(cells.x_num, codes, _by_member(x_stat, source))


def _fit_blocks(
    plans: tuple[ColumnPlan, ...],
    cells: Cells,
    codes: IntArray,
    plan: StatisticPlan,
    config: EncodeConfig,
) -> tuple[tuple[StatisticBlock, ...], FloatArray]:
    """Statistics of high-cardinality and text columns, and ``(n_sources, n, n_statistic)``."""
    blocks: list[StatisticBlock] = []
    parts: list[FloatArray] = []
    inputs = iter(_block_inputs(plans, cells, codes))
    for column in plans:
        if column.role == "text":
            texts = fit_text(next(inputs), plan.rows, config.n_text_components)
            blocks.append(texts)
            parts.append(texts.encode(cells.texts[column.name]))
        elif column.role == "high_cardinality":
            own = next(inputs)
            n_codes = int(own.max(initial=MISSING_CODE)) + 1  # each level occurs in some row
            levels, values = fit_column(own, n_codes, plan)
            part = levels.encode(own)
            for s, rows in enumerate(plan.rows):
                part[s, rows] = values[s]
            blocks.append(levels)
            parts.append(part)
    return tuple(blocks), _join(parts, len(plan.rows), cells.x_num.shape[0])


def _block_inputs(
    plans: tuple[ColumnPlan, ...], cells: Cells, codes: IntArray
) -> list[NDArray[Any]]:
    """Return what each statistic block reads: ``(n,)`` shared codes, or ``(n,)`` texts."""
    inputs: list[NDArray[Any]] = []
    category = 0
    for plan in plans:
        if plan.role == "text":
            inputs.append(cells.texts[plan.name])
        elif plan.role == "high_cardinality":
            inputs.append(codes[:, category])
        category += len(plan.category_names)
    return inputs


def _shared_codes(cells: Cells, vocabulary: tuple[Texts, ...]) -> NDArray[np.int32]:
    """Shared codes of all category features; ``(n, n_category)``."""
    codes = np.zeros((cells.x_num.shape[0], len(vocabulary)), dtype=np.int32)
    for i, (levels, known) in enumerate(zip(cells.levels, vocabulary, strict=True)):
        codes[:, i] = encode_levels(levels, known)
    return codes


def _minimum_counts(
    plans: tuple[ColumnPlan, ...], n_rows: int, config: EncodeConfig
) -> tuple[int, ...]:
    """Rows a level needs for an embedding, for each category feature."""
    return tuple(
        tables.minimum_count(plan.role, n_rows, config)
        for plan in plans
        for _ in plan.category_names
    )


def _join(parts: list[FloatArray], n_sources: int, n_rows: int) -> FloatArray:
    empty = np.zeros((n_sources, n_rows, 0), dtype=np.float32)
    return np.concatenate([empty, *parts], axis=2)


def _by_member(x_stat: FloatArray, source: IntArray) -> FloatArray:
    """From distinct training sets to members; the same array where each member has its own."""
    if np.array_equal(source, np.arange(len(x_stat))):
        return x_stat
    return x_stat[source]


# ---------------------------------------------------------------------------------------------
# the layout
# ---------------------------------------------------------------------------------------------


def _make_layout(
    plans: tuple[ColumnPlan, ...],
    vocabulary: tuple[Texts, ...],
    level_statistics: tuple[str, ...],
    config: EncodeConfig,
) -> Layout:
    components = tuple(f"component {i + 1}" for i in range(config.n_text_components))
    statistic = {"high_cardinality": level_statistics, "text": components}

    def features(kind: FeatureKind, names: dict[str, tuple[str, ...]]) -> tuple[Feature, ...]:
        return tuple(Feature(name, column, kind) for column in names for name in names[column])

    return Layout(
        columns=tuple(plan.name for plan in plans),
        numeric=features("numeric", {p.name: p.numeric_names for p in plans}),
        category=features("category", {p.name: p.category_names for p in plans}),
        statistic=features(
            "statistic",
            {p.name: tuple(f"{p.name}:{s}" for s in statistic.get(p.role, ())) for p in plans},
        ),
        n_codes=tuple(len(levels) + FIRST_LEVEL_CODE for levels in vocabulary),
    )


def _layout_from_json(data: dict[str, Any]) -> Layout:
    kinds = {
        kind: tuple(Feature(**f) for f in data[kind])
        for kind in ("numeric", "category", "statistic")
    }
    return Layout(columns=tuple(data["columns"]), n_codes=tuple(data["n_codes"]), **kinds)


def _with_prefix(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
