"""Tables and plots from the cache: ``accuracy.md``, ``accuracy.json``, one SVG a table."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.cells import Cell, read_cells
from benchmarks.accuracy.measures import ERRORS
from benchmarks.accuracy.plot import draw_time
from benchmarks.accuracy.sets import HALVES, SIZES, half_of
from benchmarks.accuracy.systems import BASELINE, SYSTEMS
from benchmarks.accuracy.tally import Standing, stand, wins_of
from benchmarks.synthetic import BAYES_AUC

COMMAND = "python -m benchmarks.accuracy --report"
PAPER_ACCURACY = {"poker_paper": 0.992, "covertype_paper": 0.9699}
"""TabNet's, as published (arXiv 1908.07442, tables 2 and 3)."""
BUSY = 1.2
"""CPU seconds a cell needs per second, at least, for its time to say something on two threads."""


@dataclass(frozen=True)
class Table:
    """The cells of one half, budget and cap on rows; ``cells[set][system]`` one a seed.

    ``ranked`` are the systems with a cell on every set: the others stand in the table of errors
    and in no aggregate.
    """

    half: str
    budget: int
    rows: int
    cells: dict[str, dict[str, list[Cell]]]
    systems: tuple[str, ...]
    ranked: tuple[str, ...]

    @property
    def name(self) -> str:
        """The table's name in headings and file names."""
        return f"{self.half}_{self.budget}s_{self.rows}"


def make_tables(cells: list[Cell]) -> list[Table]:
    """Group cells into tables, halves in their order, budgets and rows rising."""
    groups: dict[tuple[int, int, int], list[Cell]] = defaultdict(list)
    order = list(HALVES)
    for cell in cells:
        half = order.index(half_of(cell.key.set))
        # Sizes of the paper's sets differ from set to set, and stand with each set.
        groups[half, cell.key.budget, 0 if cell.key.set in SIZES else cell.key.rows].append(cell)
    return [
        _make_table(order[half], budget, rows, groups[half, budget, rows])
        for half, budget, rows in sorted(groups)
    ]


def _make_table(half: str, budget: int, rows: int, group: list[Cell]) -> Table:
    by_set: dict[str, dict[str, list[Cell]]] = {}
    for name in HALVES[half]:
        own = [cell for cell in group if cell.key.set == name]
        if own:
            by_set[name] = {
                system: sorted((c for c in own if c.key.system == system), key=lambda c: c.key.seed)
                for system in SYSTEMS
                if any(c.key.system == system for c in own)
            }
    systems = tuple(s for s in SYSTEMS if any(s in row for row in by_set.values()))
    full = tuple(s for s in systems if s != BASELINE and all(s in row for row in by_set.values()))
    return Table(half, budget, rows, by_set, systems, full)


def error_in(row: dict[str, list[Cell]], system: str) -> float:
    """Mean error over seeds; a failed seed counts as the constant prediction of that seed."""
    constant = {cell.key.seed: cell.error for cell in row.get(BASELINE, [])}
    errors = []
    for cell in row[system]:
        error = cell.error if cell.error is not None else constant.get(cell.key.seed)
        if error is None:
            key = cell.key
            raise SystemExit(
                f"{key.set}, {key.system}, seed {key.seed} failed and is scored as "
                f"{BASELINE!r}, which has no cell. Run --systems {BASELINE} first."
            )
        errors.append(error)
    return float(np.mean(errors))


def matrix_of(table: Table) -> np.ndarray:
    """Errors of the ranked systems, shape (sets, systems)."""
    rows = [[error_in(row, s) for s in table.ranked] for row in table.cells.values()]
    return np.array(rows)


def seconds_of(table: Table, system: str) -> float:
    """Geometric mean over sets of a system's mean seconds."""
    means = [
        np.mean([max(cell.seconds, 0.01) for cell in row[system]]) for row in table.cells.values()
    ]
    return float(np.exp(np.mean(np.log(means))))


def write_report(cache: Path) -> list[Path]:
    """Write all tables of the cache beside it; returns the files."""
    tables = make_tables(list(read_cells(cache).values()))
    stem = cache.with_suffix("")
    text, data, written = [HEADER], {}, []
    for table in tables:
        ranked = len(table.ranked) > 1
        standings = stand(table.ranked, matrix_of(table)) if ranked else []
        text.append(_section(table, standings))
        data[table.name] = _numbers(table, standings)
        if standings:
            picture = stem.with_name(f"{stem.name}_{table.name}.svg")
            points = {row.system: (seconds_of(table, row.system), row.ratio) for row in standings}
            picture.write_text(draw_time(points, table.name), encoding="utf-8")
            text.append(f"![Error against time]({picture.name})\n")
            written.append(picture)
    page, numbers = stem.with_suffix(".md"), stem.with_suffix(".json")
    page.write_text("\n".join(text), encoding="utf-8")
    said = {"command": COMMAND, "tables": data}
    numbers.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    return [page, numbers, *written]


HEADER = f"""# Accuracy

Written by `{COMMAND}` from `accuracy.jsonl`, which holds every cell with its versions, commit,
seconds and load. Protocol: [benchmarks/README.md](../README.md). Lower errors are better; seconds
are fit and prediction.
"""


def _section(table: Table, standings: list[Standing]) -> str:
    n = len(table.cells)
    rows = f", at most {table.rows:,} training rows" if table.rows else ", published sizes"
    parts = [f"## {table.half.capitalize()} sets, {table.budget} s a set{rows}\n"]
    unfinished = [
        f"{s} {sum(s in row for row in table.cells.values())}/{n}"
        for s in table.systems if s not in (*table.ranked, BASELINE)
    ]  # fmt: skip
    absent = [name for name in HALVES[table.half] if name not in table.cells]
    if absent:
        parts.append(f"Not measured: {', '.join(absent)}.\n")
    if unfinished:
        parts.append(f"Without a cell on every set, so not ranked: {', '.join(unfinished)}.\n")
    if standings:
        parts += [_standing_table(table, standings), _duel_table(table, standings)]
    parts += [_error_table(table), _second_table(table), _remarks(table)]
    return "\n".join(part for part in parts if part)


def _standing_table(table: Table, standings: list[Standing]) -> str:
    head = ["system", "mean rank", "wins", "error / best", "Elo (95 %)", "seconds"]
    rows = [
        [
            row.system, f"{row.mean_rank:.2f}", f"{row.win_rate:.0%}", f"{row.ratio:.3f}",
            f"{row.elo:.0f} ({row.elo_low:.0f} to {row.elo_high:.0f})",
            f"{seconds_of(table, row.system):.1f}",
        ]
        for row in standings
    ]  # fmt: skip
    return _markdown(head, rows)


def _duel_table(table: Table, standings: list[Standing]) -> str:
    """Share of sets on which the row's system beats the column's."""
    names = [row.system for row in standings]
    place = [table.ranked.index(name) for name in names]
    share = wins_of(matrix_of(table)).mean(axis=0)[np.ix_(place, place)]
    rows = [
        [name, *("" if i == j else f"{share[i, j]:.0%}" for j in range(len(names)))]
        for i, name in enumerate(names)
    ]
    return _markdown(["wins against", *names], rows)


def _error_table(table: Table) -> str:
    rows = []
    for name, row in table.cells.items():
        errors = {s: error_in(row, s) for s in row}
        rivals = [e for s, e in errors.items() if s != BASELINE]
        best = min(rivals) if len(rivals) > 1 else np.nan
        shown = [_error_cell(row.get(s, []), errors.get(s), best) for s in table.systems]
        some = next(cells[0] for cells in row.values())
        rows.append([name, f"{some.n_train:,}", _task_of(some), *shown])
    return _markdown(["error", "rows", "kind", *table.systems], rows)


def _error_cell(cells: list[Cell], error: float | None, best: float) -> str:
    if error is None:
        return ""
    shown = f"{error:.4f}"
    if len(cells) > 1:
        shown += f" ± {np.std([c.error for c in cells if c.error is not None]):.4f}"
    if any(cell.failure for cell in cells):
        shown += " failed"
    return f"**{shown}**" if error <= best else shown


def _task_of(cell: Cell) -> str:
    if "accuracy" not in cell.scores:
        return ERRORS["regression"]
    same = cell.error is not None and abs(cell.error - cell.scores["log_loss"]) < 1e-12
    return ERRORS["multiclass" if same else "binary"]


def _second_table(table: Table) -> str:
    rows = [
        [name, *(_seconds_cell(row.get(s, [])) for s in table.systems)]
        for name, row in table.cells.items()
    ]
    return _markdown(["seconds", *table.systems], rows)


def _seconds_cell(cells: list[Cell]) -> str:
    return f"{np.mean([c.seconds for c in cells]):.1f}" if cells else ""


def _remarks(table: Table) -> str:
    """Say what a reader of the tables must know: failures, cut training, a busy machine."""
    cells = [c for row in table.cells.values() for own in row.values() for c in own]
    failed = [f"{c.key.set}/{c.key.system}: {c.failure}" for c in cells if c.failure]
    cut = [c for c in cells if c.notes.get("cut")]
    busy = [c for c in cells if is_busy(c)]
    late = [c for c in cells if c.seconds > 1.1 * c.key.budget]
    said = [
        _named("the budget cut the training of", cut), _named("more than 1.1 budgets took", late),
        _named("measured on a busy machine", busy),
        f"failed, scored as `{BASELINE}`: {'; '.join(failed)}" if failed else "",
    ]  # fmt: skip
    bayes = [f"{name} {1.0 - BAYES_AUC[name]:.4f}" for name in table.cells if name in BAYES_AUC]
    if bayes:
        said.append(f"best possible errors: {', '.join(bayes)}")
    said += [
        f"accuracy on {name}, {published:.4f} in the paper: "
        + ", ".join(f"{s} {np.mean([c.scores['accuracy'] for c in own]):.4f}" for s, own in row)
        for name, published in PAPER_ACCURACY.items()
        if (row := _scored(table.cells.get(name, {})))
    ]
    said += [
        f"learning curve of {system} on {name} (seconds: mean best {ERRORS['multiclass']} of the "
        f"networks in training on their validation rows): {_curve_of(cell)}"
        for name in PAPER_ACCURACY
        for system, own in table.cells.get(name, {}).items()
        for cell in own
        if "curve" in cell.notes
    ]
    return "\n".join(f"- {line}" for line in said if line) + "\n"


def _curve_of(cell: Cell) -> str:
    return ", ".join(f"{seconds:.0f}: {score:.4f}" for seconds, score in cell.notes["curve"])


def _scored(row: dict[str, list[Cell]]) -> list[tuple[str, list[Cell]]]:
    """Systems of a set whose cells all have scores."""
    return [(s, own) for s, own in row.items() if s != BASELINE and not any(c.failure for c in own)]


def is_busy(cell: Cell) -> bool:
    """Whether other programs took the cores: the load before, and less CPU time than wall time."""
    return cell.load > 1.5 and cell.cpu_seconds < BUSY * cell.seconds


def _named(what: str, cells: list[Cell]) -> str:
    by_system: dict[str, list[str]] = defaultdict(list)
    for cell in cells:
        by_system[cell.key.system].append(cell.key.set)
    listed = "; ".join(f"{s}: {', '.join(dict.fromkeys(n))}" for s, n in by_system.items())
    return f"{what} {listed}" if listed else ""


def _numbers(table: Table, standings: list[Standing]) -> dict[str, object]:
    return {
        "standings": [asdict(row) for row in standings],
        "errors": {n: {s: error_in(row, s) for s in row} for n, row in table.cells.items()},
        "seconds": {
            n: {s: float(np.mean([c.seconds for c in cells])) for s, cells in row.items()}
            for n, row in table.cells.items()
        },
        "scores": {
            n: {s: [c.scores for c in cells] for s, cells in row.items()}
            for n, row in table.cells.items()
        },
        "versions": {
            s: sorted({json.dumps(c.about) for row in table.cells.values() for c in row.get(s, [])})
            for s in table.systems
        },
    }


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
