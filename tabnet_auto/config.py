"""Settings as frozen records, presets as one table, data-dependent defaults in one function."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import InputError, did_you_mean

SparseMap = Literal["softmax", "sparsemax", "entmax15"]


@dataclass(frozen=True)
class Kind:
    """What a further kind of network has of its own; None: what :class:`NetConfig` says."""

    n_bins: int | None = None
    column_dropout: float | None = None
    asks_by_row: bool | None = None
    levels_of_numbers: bool | None = None


@dataclass(frozen=True)
class NetConfig:
    """The default network's shape.

    ``n_steps`` attention steps with ``mask`` as their sparse map and keys of ``d_key`` numbers;
    a context of ``n_context`` units asks the first question; ``n_layers`` hidden layers of
    ``n_hidden`` units. A value's token has ``n_bins`` piecewise-linear elements, a level's
    ``level_width``. ``scaling`` is ``"robust"`` or ``"quantile"``. ``column_dropout`` turns
    whole columns missing in training, ``unknown_rate`` category levels unknown.
    ``early_evenness`` weighs a penalty that keeps attention even while a member has learned next
    to nothing (:func:`tabnet_auto.net.tabnet.unevenness`, :func:`tabnet_auto.train.loss.early`).
    ``column_sparsity`` weighs one that takes the attention from columns that no row needs
    (:func:`tabnet_auto.net.tabnet.mass_penalty`), by what a member has learned and what is left
    (:func:`tabnet_auto.train.loss.earned`).
    ``asks_by_row`` makes a step's query from what the step before saw of the row; without, it is
    a learned constant, and rows differ in their attention by their keys alone.
    ``levels_of_numbers`` reads a discrete column's levels beside its value.

    How many bins, how much column dropout, which query, and whether levels of numbers say more
    than they let a network learn by heart depends on the data, so the networks of a fold take
    turns: the first is as above, the next are the ``other_kinds`` (one bin leaves a value as it
    is), further ones are of the kind that did best, and the blend weighs them. Where a fold has
    one network to begin with, and no time for all kinds, a race decides on the order
    (:mod:`tabnet_auto.models.race`).
    """

    n_steps: int = 2
    mask: SparseMap = "entmax15"
    d_key: int = 16
    n_context: int = 32
    n_hidden: int = 256
    n_layers: int = 3
    activation: Literal["relu", "selu", "mish"] = "selu"
    dropout: float = 0.15
    n_bins: int = 32
    level_width: int = 8
    scaling: Literal["robust", "quantile"] = "robust"
    unknown_rate: float = 0.01
    column_dropout: float = 0.1
    early_evenness: float = 5.0
    column_sparsity: float = 0.12
    asks_by_row: bool = True
    levels_of_numbers: bool = False
    other_kinds: tuple[Kind, ...] = (
        Kind(n_bins=4, asks_by_row=False),
        Kind(column_dropout=0.25, levels_of_numbers=True),
        Kind(n_bins=1),
        Kind(n_bins=4, levels_of_numbers=True),
    )

    @property
    def n_kinds(self) -> int:
        """Kinds of networks that take turns."""
        return 1 + len(self.other_kinds)

    def of(self, kind: int) -> NetConfig:
        """Return what networks of a kind have; bins are at most as many as the shape's."""
        if kind == 0:
            return self
        own = {k: v for k, v in vars(self.other_kinds[kind - 1]).items() if v is not None}
        return replace(self, **{**own, "n_bins": min(own.get("n_bins", self.n_bins), self.n_bins)})


@dataclass(frozen=True)
class PaperConfig:
    """The published TabNet, with the defaults of its best-known implementation.

    ``n_d``, ``n_a``
        Widths of the decision and of the attention part of each step.
    ``n_steps``
        Decision steps, each with a mask of its own.
    ``gamma``
        How often a column may be used again in later steps: 1 means once.
    ``n_independent``, ``n_shared``
        Gated layers of each step's own, and gated layers whose weights all steps share.
    ``virtual_batch_size``
        Most rows that batch norm in training takes its statistics from.
    ``momentum``
        Share of each virtual batch in the running statistics.
    ``mask``
        Map from logits to attention weights.
    ``lambda_sparse``, ``epsilon``
        Weight of the masks' entropy in the training loss, and what keeps its logarithm finite.
    """

    n_d: int = 8
    n_a: int = 8
    n_steps: int = 3
    gamma: float = 1.3
    n_independent: int = 2
    n_shared: int = 2
    virtual_batch_size: int = 128
    momentum: float = 0.02
    mask: SparseMap = "sparsemax"
    lambda_sparse: float = 1e-3
    epsilon: float = 1e-15

    @property
    def n_kinds(self) -> int:
        """Kinds of networks that take turns: all are alike."""
        return 1


@dataclass(frozen=True)
class TrainConfig:
    """How members are trained.

    ``batch_size`` rows a step from each member's own shuffled training rows (a remainder
    smaller than a batch waits for another epoch's shuffle); at most ``max_epochs``; a member
    stops after ``patience`` epochs without a better validation loss. Zero means: chosen by the
    number of rows (:func:`resolve`). AdamW with learning rate ``lr`` on a ``schedule``
    over the planned epochs, ``weight_decay`` and dropout falling along a flat cosine.
    Gradients of each member are clipped to ``clip_norm``. Validated, kept and predicted with are
    weights averaged over about the last ``averaging`` of a member's steps, a share of those so far
    (:func:`tabnet_auto.train.optimizer.newest_share`); 0: the newest. At most
    ``members_at_once`` networks take a step together, 0 means all: fewer need less memory, and
    give the same numbers.
    """

    max_epochs: int = 0
    batch_size: int = 0
    patience: int = 0
    lr: float = 0.03
    beta1: float = 0.9
    beta2: float = 0.95
    weight_decay: float = 0.02
    schedule: Literal["coslog4", "cosine", "constant"] = "coslog4"
    clip_norm: float = 10.0
    averaging: float = 0.1
    members_at_once: int = 0


@dataclass(frozen=True)
class MemberSettings:
    """What may differ between members of one network: numbers of the training, never a shape.

    One entry a member, in their order; None: as the run's own configuration says for all.
    """

    lr: tuple[float, ...] | None = None
    weight_decay: tuple[float, ...] | None = None
    dropout: tuple[float, ...] | None = None
    column_dropout: tuple[float, ...] | None = None
    unknown_rate: tuple[float, ...] | None = None

    def of(self, name: str, n_members: int, default: float) -> NDArray[np.float64]:
        """One setting of all members; ``(M,)``."""
        own = getattr(self, name)
        return np.full(n_members, default) if own is None else np.array(own, dtype=np.float64)

    def select(self, members: Sequence[int]) -> MemberSettings:
        """Return the settings of some members, in the given order."""
        kept = {name: own and tuple(own[m] for m in members) for name, own in vars(self).items()}
        return MemberSettings(**kept)


@dataclass(frozen=True)
class EncodeConfig:
    """How columns become numbers.

    ``n_quantiles``
        Points of each numeric feature's quantile table (per member).
    ``min_level_count``
        Training rows a level needs for an embedding of its own; rarer levels share the trained
        unknown level. ``min_level_count_high`` is the same for high-cardinality columns.
    ``max_levels``
        Embeddings per category feature at most; the most frequent levels get them.
    ``n_statistic_folds``
        Inner folds of the cross-fitted target statistics.
    ``statistic_smoothing``
        Rows at which a level's own target mean weighs as much as the overall mean.
    ``max_statistic_classes``
        Multiclass targets with more classes get no target statistics, only frequencies.
    ``n_text_components``
        Components kept of each text column's words and characters.
    """

    n_quantiles: int = 65
    min_level_count: int = 2
    min_level_count_high: int = 20
    max_levels: int = 1024
    n_statistic_folds: int = 5
    statistic_smoothing: float = 10.0
    max_statistic_classes: int = 10
    n_text_components: int = 8


@dataclass(frozen=True)
class Preset:
    """All settings of a run: one row of the preset table.

    ``n_seeds`` networks a fold, 0 means: chosen by the size of the data; ``max_seeds`` networks
    a fold at most where a time limit leaves time for more, 0 means: ``n_seeds``, or
    ``TIMED_SEEDS`` where that is open; ``effort`` scales the number of training steps that the
    number of rows suggests; ``companions`` name what joins the networks' folds and blend.
    """

    net: NetConfig | PaperConfig = NetConfig()
    train: TrainConfig = TrainConfig()
    encode: EncodeConfig = EncodeConfig()
    n_seeds: int = 0
    max_seeds: int = 0
    effort: float = 1.0
    companions: tuple[str, ...] = ()

    def seeds(self, n_rows: int, n_columns: int) -> int:
        """Networks a fold for a size of data: small data gain most from averaging."""
        return self.n_seeds or (SMALL_DATA_SEEDS if is_small(n_rows, n_columns) else 1)

    def timed_seeds(self) -> int:
        """Networks a fold at most with a time limit."""
        return self.max_seeds or self.n_seeds or TIMED_SEEDS


@dataclass(frozen=True)
class Search:
    """How settings are searched, on rows that no reported score is of.

    ``n_configurations``
        Tried for every fold, the preset's own among them.
    ``engine``
        Who proposes them: ``"halving"`` spreads them evenly, ``"optuna"`` asks Optuna, which
        must be installed, in two rounds. Either way those of a round train side by side as
        members of one network, and the worse half leaves at every rung.
    ``space``
        Ranges ``{"lr": (low, high), ...}`` of ``lr``, ``weight_decay``, ``dropout`` and
        ``column_dropout``; None: by the size of the data, around the preset's own values.
    ``share``
        Share of the training time that a search may take where there is a time limit.
    ``max_rows``
        Rows that the search looks at, at most, a random sample of more.
    """

    n_configurations: int = 16
    engine: Literal["halving", "optuna"] = "halving"
    space: Mapping[str, tuple[float, float]] | None = None
    share: float = 0.4
    max_rows: int = 20_000


SMALL_DATA = 150_000
"""Up to so many cells several networks a fold cost seconds."""
SMALL_DATA_SEEDS = 6
"""One of each kind and one more."""
TIMED_SEEDS = 16
"""Networks a fold at most where a time limit has room for them: more change little."""


def is_small(n_rows: int, n_columns: int) -> bool:
    """Whether several networks a fold are trained in seconds."""
    return n_rows * n_columns <= SMALL_DATA


PRESETS: dict[str, Preset] = {
    "fast": Preset(
        n_seeds=1, max_seeds=TIMED_SEEDS, effort=0.5, companions=("hist_gradient_boosting",)
    ),
    "balanced": Preset(),
    "best": Preset(
        n_seeds=6, max_seeds=TIMED_SEEDS, companions=("hist_gradient_boosting", "extra_trees")
    ),
    "paper": Preset(
        n_seeds=1,
        net=PaperConfig(),
        train=TrainConfig(
            lr=0.02,
            beta2=0.999,
            weight_decay=0.0,
            schedule="cosine",
            clip_norm=1.0,
            averaging=0.0,  # batch norm's running statistics are of the newest weights
        ),
    ),
}
"""``fast``, ``balanced`` and ``best`` train the default network; ``paper`` the published one.

``balanced`` has networks only; ``fast`` is what is best in about half a minute, for 10,000 rows.
"""


def get_preset(preset: object) -> Preset:
    """Return a preset by name, or the one given.

    Raises
    ------
    InputError
        If no preset has that name.
    """
    if isinstance(preset, Preset):
        return preset
    if not isinstance(preset, str) or preset not in PRESETS:
        raise InputError(
            f"preset must be one of {', '.join(PRESETS)} or a Preset, however: {preset!r}."
            f"{did_you_mean(preset, PRESETS)}"
        )
    return PRESETS[preset]


def preset_from_json(net: str, data: dict[str, Any]) -> Preset:
    """Read back ``dataclasses.asdict(preset)``; ``net`` is the class name of its network."""
    return Preset(
        net=_net_from_json(net, data["net"]),
        train=TrainConfig(**data["train"]),
        encode=EncodeConfig(**data["encode"]),
        n_seeds=data["n_seeds"],
        max_seeds=data.get("max_seeds", 0),
        effort=data["effort"],
        companions=tuple(data["companions"]),
    )


def _net_from_json(net: str, data: dict[str, Any]) -> NetConfig | PaperConfig:
    if net == PaperConfig.__name__:
        return PaperConfig(**data)
    kinds = tuple(Kind(**kind) for kind in data["other_kinds"])
    return NetConfig(**{**data, "other_kinds": kinds})


def in_python(value: object) -> str:
    """Return code that makes an equal setting: of a record, what differs from its defaults.

    >>> in_python(Preset(net=NetConfig(other_kinds=(Kind(n_bins=4),)), effort=0.5))
    'Preset(net=NetConfig(other_kinds=(Kind(n_bins=4),)), effort=0.5)'
    """
    if isinstance(value, tuple):
        return f"({', '.join(map(in_python, value))}{',' * (len(value) == 1)})"
    if not is_dataclass(value):
        return repr(value.item() if isinstance(value, np.generic) else value)
    own = {field.name: getattr(value, field.name) for field in fields(value)
           if getattr(value, field.name) != field.default}  # fmt: skip
    arguments = ", ".join(f"{name}={in_python(own[name])}" for name in own)
    return f"{type(value).__name__}({arguments})"


def preset_in_python(preset: str | Preset) -> str:
    """Return a preset's name, or the code that makes it where it has none."""
    names = [name for name, own in PRESETS.items() if preset in (name, own)]
    return in_python(names[0] if names else preset)


def resolve(preset: Preset, *, task: str, n_train: int) -> Preset:
    """Fill in what depends on the data; whatever the preset says explicitly wins.

    ``n_train`` is the number of training rows of the smallest member. Small data get small
    batches and many epochs; the number of steps grows with about the square root of the rows,
    and is smaller for two classes, where noisy labels end the learning early.
    """
    train = preset.train
    batch = train.batch_size
    if not batch:
        wanted = next(size for rows, size in BATCH_SIZES if n_train <= rows)
        # Equal batches that leave almost no remainder.
        batch = n_train // max(1, round(n_train / wanted))
    epochs = train.max_epochs
    if not epochs:
        steps = preset.effort * BASE_STEPS[task] * max(1.0, math.sqrt(n_train / 6400))
        epochs = round(min(max(steps * batch / n_train, 4), MAX_EPOCHS * preset.effort))
    patience = train.patience or max(4, round(0.3 * epochs))
    filled = replace(train, batch_size=batch, max_epochs=epochs, patience=patience)
    return replace(preset, train=filled)


BATCH_SIZES = ((1_500, 128), (25_000, 256), (60_000, 512), (200_000, 1024), (math.inf, 2048))
"""Batch size up to a number of training rows."""
BASE_STEPS = {"binary": 1000, "multiclass": 3000, "regression": 2000}
"""Steps of preset effort 1 up to 6,400 training rows."""
MAX_EPOCHS = 128
"""Epochs of preset effort 1 at most: small data stop being worth more."""
