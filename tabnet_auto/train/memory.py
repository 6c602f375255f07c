"""Memory: what a run will need, what there is, and what gives way before it breaks.

The factors below were fitted to measured peaks (resident memory on Linux, CPU); the estimates
were 0.9 to 1.5 times those. What still does not fit is halved while it runs
(:mod:`tabnet_auto.train.pieces`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sized
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from tabnet_auto.config import PaperConfig, Preset, resolve
from tabnet_auto.design import MAX_ONE_HOT
from tabnet_auto.errors import InputError
from tabnet_auto.folds import Folds
from tabnet_auto.net.native import library
from tabnet_auto.schema import Column, Schema
from tabnet_auto.trace import Trace

USABLE = 0.85
"""Share of the available memory that is planned with: the rest is for what is not estimated."""
SMALLEST_PIECE = 64
"""Rows of a prediction piece, at least."""
PIECE_ROWS = 4096
"""Rows that are predicted at once, about."""
FLOAT = 4
COPIES = 7
"""Copies of all parameters: two moments, gradients, values, their average, the best, a network."""
ROW_COPIES = 3
"""Copies of the encoded rows: as encoded, on the device, and on the way there."""
COMPANION_COPIES = 4
"""Copies of what a companion reads: all rows, those it learns and is stopped by, its own form."""
_GIB = 2.0**30


@dataclass(frozen=True)
class Sizes:
    """What the need follows from.

    ``n_values``, ``n_levels`` and ``n_statistics`` count encoded features: numbers and
    statistics, categories, and the statistics alone, which every member has its own of;
    ``width`` is the widest layer, ``n_layers`` how many there are, ``n_parameters`` those of
    one member; ``token_width`` the elements of a row's tokens if no kernel spares them, else 0;
    ``companion_width`` the columns that the widest companion reads, 0 if there is none.
    ``step_stays``: a recorded step (:mod:`tabnet_auto.train.graph`) keeps its memory while the
    rows are predicted. ``n_labelled`` test rows are learned from with pseudo-labels: every fold has
    its own.
    """

    n_rows: int
    n_test: int
    n_folds: int
    n_seeds: int
    n_values: int
    n_levels: int
    n_statistics: int
    n_outputs: int
    batch_size: int
    width: int
    n_steps: int
    n_layers: int
    n_parameters: int
    token_width: int
    companion_width: int = 0
    members_at_once: int = 0
    piece_rows: int = PIECE_ROWS
    step_stays: bool = False
    n_labelled: int = 0

    @property
    def n_learned(self) -> int:
        """Rows that some member learns from or validates on."""
        return self.n_rows + self.n_labelled

    @property
    def n_members(self) -> int:
        """Folds times seeds."""
        return self.n_folds * self.n_seeds

    @property
    def n_predicted(self) -> int:
        """Rows that a member predicts in one go: its validation rows, or the test rows."""
        return max(self.n_rows // self.n_folds, self.n_test)


def needed_bytes(sizes: Sizes) -> int:
    """Estimate the peak of encoding, training and prediction, in bytes above what is in use."""
    *held, step, prediction, companion = (size for size, _ in _parts(sizes))
    later = max(prediction, companion)
    return sum(held) + (step + later if sizes.step_stays else max(step, later))


def _parts(s: Sizes) -> list[tuple[int, str]]:
    """Return what is held all along, and then what is held in turn, each with its name."""
    features, members = s.n_values + s.n_levels, s.n_members
    encoded = (s.n_learned + s.n_test) * (8 * features + FLOAT * members * s.n_statistics)
    outputs = s.n_rows * (3 * members + 3 * s.n_seeds * s.n_outputs)
    labels = s.n_labelled * (3 * s.n_seeds + s.n_outputs)
    return [
        (ROW_COPIES * encoded, "encoded rows"),
        (8 * (outputs + labels), "folds and outputs"),
        (COPIES * FLOAT * members * s.n_parameters, "parameters"),
        ((s.members_at_once or members) * s.batch_size * FLOAT * _step_floats(s), "a step"),
        (members * min(s.piece_rows, s.n_predicted) * FLOAT * _piece_floats(s), "a prediction"),
        (COMPANION_COPIES * 8 * max(s.n_learned, s.n_test) * s.companion_width, "a companion"),
    ]


def _step_floats(s: Sizes) -> int:
    """Floats that a row keeps for the backward pass, and their gradients."""
    features = s.n_values + s.n_levels
    kept = s.width * (3 * s.n_steps + 4 * s.n_layers) + 60 * features
    return kept + s.token_width * (1 + 3 * s.n_steps)


def _piece_floats(s: Sizes) -> int:
    """Floats of a row in a forward pass that keeps nothing."""
    return 6 * s.width + 20 * (s.n_values + s.n_levels) + 3 * s.token_width


def adapt(sizes: Sizes, available: float) -> tuple[Sizes, list[str]]:
    """Return sizes that fit into ``available`` bytes, and what gave way, in words.

    Again and again the first of these that helps: smaller prediction pieces, fewer members in a
    step (both give the same numbers, more slowly), fewer networks a fold.

    Raises
    ------
    InputError
        If one network a fold, trained one by one, does not fit.
    """
    room = USABLE * available
    wanted = sizes
    while (need := needed_bytes(sizes)) > room:
        tried = [way(sizes) for way in (_smaller_pieces, _fewer_at_once, _fewer_seeds)]
        helping = [one for one in tried if needed_bytes(one) < need]
        if not helping:
            break
        sizes = helping[0]
    if need > room:
        part = max(_parts(sizes))[1]
        raise InputError(
            f"The run must fit into memory, however: it needs about {_gib(need)}, "
            f"most of it for {part}, and {_gib(available)} are available. Pass fewer rows or "
            "columns (roles={'column': 'drop'}), fewer folds, companions=(), "
            f"{'pseudo_labels=False, ' if sizes.n_labelled else ''}or preset='fast'."
        )
    return sizes, _gave_way(wanted, sizes, available)


def _smaller_pieces(sizes: Sizes) -> Sizes:
    now = min(sizes.piece_rows, sizes.n_predicted)
    return replace(sizes, piece_rows=max(now // 2, SMALLEST_PIECE))


def _fewer_at_once(sizes: Sizes) -> Sizes:
    return replace(sizes, members_at_once=-(-(sizes.members_at_once or sizes.n_members) // 2))


def _fewer_seeds(sizes: Sizes) -> Sizes:
    return replace(sizes, n_seeds=max(sizes.n_seeds - 1, 1))


def _gave_way(wanted: Sizes, sizes: Sizes, available: float) -> list[str]:
    if sizes == wanted:
        return []
    done = []
    if sizes.piece_rows < wanted.piece_rows:
        done.append("predictions in smaller pieces")
    if sizes.members_at_once:
        done.append(f"{sizes.members_at_once} of {sizes.n_members} networks in a step at once")
    if sizes.n_seeds < wanted.n_seeds:
        done.append(f"{sizes.n_seeds} instead of {wanted.n_seeds} networks a fold")
    need, there = _gib(needed_bytes(wanted)), _gib(available)
    said = f"memory: about {need} would be needed, {there} are available ({USABLE:.0%} to be used)"
    return [f"{said}; therefore {', '.join(done)}"]


def _gib(size: float) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= 0.1 * _GIB else f"{size / 2**20:.0f} MiB"


# --- what a run is --------------------------------------------------------------------------------


def fit_into_memory(
    split: Folds,
    schema: Schema,
    settings: Preset,
    test: Sized | None,
    views: Collection[str],
    device: torch.device,
    trace: Trace,
    *,
    labels: bool = False,
) -> tuple[Folds, Preset]:
    """Return folds and settings that fit into memory; a note says what gave way.

    ``test`` are the rows that are encoded beside those of the folds, if any; ``views`` say how
    companions see the rows, ``"trees"`` or ``"dense"``; with ``labels`` every fold learns from the
    test rows, too.

    Raises
    ------
    InputError
        If nothing fits.
    """
    available = available_bytes(device)
    if available is None:
        return split, settings
    n_test = 0 if test is None else len(test)
    wanted = sizes_of(split, schema, settings, n_test, views, device)
    if labels:
        wanted = replace(wanted, n_labelled=split.n_folds * n_test)
    sizes, notes = adapt(wanted, available)
    for text in notes:
        trace.note(text)
    train = replace(settings.train, members_at_once=sizes.members_at_once)
    # Networks that a time limit leaves room for join one another: memory bounds their number, too.
    most = _fitting_seeds(sizes, settings.timed_seeds(), available)
    return _with_seeds(split, sizes.n_seeds), replace(settings, train=train, max_seeds=most)


def sizes_of(
    split: Folds,
    schema: Schema,
    settings: Preset,
    n_test: int,
    views: Collection[str],
    device: torch.device,
) -> Sizes:
    """Work out the sizes from what is known before the columns are encoded."""
    counts = [_features(column, schema.n_outputs, settings) for column in schema.used]
    values, levels, statistics, table = (sum(part) for part in zip(*counts, strict=True))
    n_train = min(len(rows) for rows in split.train)
    kernels = device.type == "cpu" and library.is_usable()
    net = settings.net
    plain = values + levels  # what the published network reads
    if isinstance(net, PaperConfig):
        width, n_layers = 2 * (net.n_d + net.n_a), net.n_steps * (net.n_shared + net.n_independent)
        parameters = width * (plain + n_layers * width // 2 + net.n_steps * len(counts))
        tokens = 0
    else:
        tokens, width, n_layers = values * (2 + net.n_bins), net.n_hidden, net.n_layers
        elements = tokens + levels * net.level_width
        parameters = elements * (net.n_context + net.n_steps * (width + net.d_key))
        parameters += (n_layers - 1) * width**2 + table * net.level_width
    one_hot = sum(one[3] for one in counts if one[3] <= MAX_ONE_HOT)
    widths = {"trees": plain, "dense": 2 * values + one_hot}
    return Sizes(
        n_rows=sum(len(rows) for rows in (split.train[0], split.valid[0])), n_test=n_test,
        n_folds=split.n_folds, n_seeds=split.n_seeds, n_values=values,
        n_levels=levels, n_statistics=statistics, n_outputs=schema.n_outputs,
        batch_size=resolve(settings, task=schema.task, n_train=n_train).train.batch_size,
        width=width, n_steps=net.n_steps, n_layers=n_layers, n_parameters=parameters,
        token_width=0 if kernels else tokens,
        companion_width=max((widths[view] for view in views), default=0),
        members_at_once=settings.train.members_at_once,
        step_stays=device.type == "cuda",
    )  # fmt: skip


def _features(column: Column, n_outputs: int, settings: Preset) -> tuple[int, int, int, int]:
    """Values, categories, statistics among the values, and rows of the embedding tables."""
    known = min(column.n_unique, settings.encode.max_levels) + 2
    if column.role == "text":
        n = settings.encode.n_text_components
        return n + 2, 0, n, 0
    if column.role == "high_cardinality":
        n = 1 + (n_outputs if n_outputs > 2 else 1)
        return n, 1, n, known
    return {"numeric": (1, 0, 0, 0), "discrete": (1, 1, 0, known), "datetime": (7, 2, 0, 23)}.get(
        column.role, (0, 1, 0, known)
    )


def _with_seeds(split: Folds, n_seeds: int) -> Folds:
    """Keep the first networks of every fold."""
    if n_seeds == split.n_seeds:
        return split
    return split.select([i for f in range(split.n_folds) for i in split.of_fold(f)[:n_seeds]])


def _fitting_seeds(sizes: Sizes, at_most: int, available: float) -> int:
    """Networks a fold for which there is memory if no more than now take a step at once."""
    sizes = replace(sizes, members_at_once=sizes.members_at_once or sizes.n_members)
    fits = (
        n for n in range(at_most, sizes.n_seeds, -1)
        if needed_bytes(replace(sizes, n_seeds=n)) <= USABLE * available
    )  # fmt: skip
    return next(fits, sizes.n_seeds)


def piece_rows(net: nn.Module, n_members: int, at_most: int) -> int:
    """Rows of a forward pass that fit into half of what is available now, as members see them."""
    available = available_bytes(next(net.parameters()).device)
    if available is None:
        return at_most
    shapes = [p.shape[1:] for p in net.parameters() if p.ndim == 3]
    floats = sum(shape[1] for shape in shapes) + 4 * max((shape[0] for shape in shapes), default=1)
    fitting = int(0.5 * available / (FLOAT * n_members * max(floats, 1)))
    return max(1, min(at_most, max(fitting, SMALLEST_PIECE)))


# --- what there is --------------------------------------------------------------------------------


def available_bytes(device: torch.device, root: Path = Path("/")) -> int | None:
    """Return what can still be allocated on a device; None where the system does not say.

    On a GPU what the driver and torch's cache have free; on a CPU the least of the system's
    available memory and what the control groups of the process (version 1 or 2) leave.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    found = [*_of_system(root), *_of_groups(root)]
    return min(found) if found else None


def _of_system(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _of_groups(root: Path) -> Iterator[int]:
    """Yield what each control group leaves; file cache that can go does not count as used."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        limit, usage, cache = _FILES["memory" if controllers else ""]
        # In a container of its own name space the group is the root, whatever the path says.
        own = base / path.strip().lstrip("/")
        groups = [own, *own.parents]
        for group in groups[: groups.index(base) + 1] if base in groups else [base]:
            with contextlib.suppress(ValueError, IndexError):  # "max": no limit
                most, used = (int(_lines(group / name)[0]) for name in (limit, usage))
                stat = dict(entry.split() for entry in _lines(group / "memory.stat"))
                yield max(0, most - used + int(stat.get(cache, 0)))


_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _lines(path: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8").splitlines()
    return []
