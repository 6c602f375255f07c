"""The accuracy benchmark, one command, resumable: cells that are in the cache are not run again.

python -m benchmarks.accuracy                        # development half, 60 s a set
python -m benchmarks.accuracy --again all-ours       # our cells older than the source
python -m benchmarks.accuracy --again busy           # cells measured beside other programs
python -m benchmarks.accuracy --only adult,catboost  # this cell, computed anew
python -m benchmarks.accuracy --half check           # only for the final table
python -m benchmarks.accuracy --report               # tables and plots from the cache
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.accuracy.cells import CACHE, Cell, Key, read_cells, store
from benchmarks.accuracy.compute import compute, source
from benchmarks.accuracy.report import is_busy, write_report
from benchmarks.accuracy.sets import HALVES, half_of, rows_of
from benchmarks.accuracy.systems import SYSTEMS, choose
from benchmarks.data import DEFAULT


def main() -> None:
    """Compute what is asked for and missing, or write the report."""
    options = _parse()
    if options.report:
        for path in write_report(options.cache):
            print(path)
        return
    wanted, cached = _wanted(options), read_cells(options.cache)
    due = _due_rule(options)
    todo = [key for key in wanted if key not in cached or due(cached[key])]
    print(f"{len(wanted)} cells, {len(wanted) - len(todo)} of them in {options.cache.name}")
    for i, key in enumerate(todo):
        cell = compute(key, options.data)
        store(cell, options.cache)
        print(f"{i + 1}/{len(todo)}  {_line(cell)}", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--half", choices=tuple(HALVES), default="development")
    parser.add_argument("--sets", help="sets, comma-separated (of the half)")
    parser.add_argument("--systems", default="all-ours,all-peers", help="systems or groups")
    parser.add_argument("--budget", type=int, default=60, help="seconds a cell")
    parser.add_argument("--rows", type=int, default=8_000, help="training rows at most")
    parser.add_argument("--seeds", default="0", help="seeds, comma-separated")
    parser.add_argument(
        "--again", help="systems to compute anew (our own only if the source changed), or busy"
    )
    parser.add_argument("--only", metavar="SET,SYSTEM", help="one cell, computed anew")
    parser.add_argument("--report", action="store_true", help="write the tables and plots")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--cache", type=Path, default=CACHE)
    return parser.parse_args()


def _wanted(options: argparse.Namespace) -> list[Key]:
    half = HALVES[options.half]
    if options.only:
        name, _, system = options.only.partition(",")
        sets, systems = [name], choose([system])
    else:
        sets = options.sets.split(",") if options.sets else list(half)
        systems = choose(options.systems.split(","))
    strange = sorted(set(sets) - set(half))
    if strange:
        known = {name: half_of(name) for names in HALVES.values() for name in names}
        hints = ", ".join(f"{name} ({known.get(name, 'unknown')})" for name in strange)
        raise SystemExit(f"sets must be of the {options.half} half, however: {hints}. Pass --half.")
    return [
        Key(name, system, options.budget, rows_of(name, options.rows), int(seed))
        for seed in options.seeds.split(",") for system in systems for name in sets
    ]  # fmt: skip


def _due_rule(options: argparse.Namespace) -> Callable[[Cell], bool]:
    """Return whether a cell of the cache is to be computed anew."""
    if options.only:
        return lambda _cell: True
    if not options.again:
        return lambda _cell: False
    if options.again == "busy":
        return is_busy
    systems, now = choose(options.again.split(",")), source()

    def is_due(cell: Cell) -> bool:
        ours = SYSTEMS[cell.key.system].is_ours
        return cell.key.system in systems and (not ours or cell.about.get("source") != now)

    return is_due


def _line(cell: Cell) -> str:
    key = cell.key
    shown = f"{cell.error:.4f}" if cell.error is not None else f"FAILED ({cell.failure})"
    return (
        f"{key.set:24}{key.system:16}{shown:>8}{cell.seconds:>8.1f} s"
        f"   budget {key.budget}, {cell.n_train} rows, seed {key.seed}, load {cell.load:.1f}"
    )


if __name__ == "__main__":
    main()
