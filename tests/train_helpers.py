"""A small table as records, without pandas: what the trainer's tests train on."""

from __future__ import annotations

import numpy as np
import torch

from tabnet_auto.config import NetConfig, PaperConfig, TrainConfig
from tabnet_auto.design import Design, Feature, Layout, MemberTables
from tabnet_auto.folds import Folds
from tabnet_auto.net.build import build_net
from tabnet_auto.trace import Trace
from tabnet_auto.train.loop import Trainer
from tabnet_auto.train.rows import RowStore, Targets

SMALL = NetConfig(n_hidden=16, n_context=8, n_bins=4, d_key=4, level_width=3)
PAPER = PaperConfig(n_d=4, n_a=4, virtual_batch_size=16)


def make_table(n=240, task="binary", seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    x[rng.random(x.shape) < 0.05] = np.nan
    codes = rng.integers(1, 6, size=(n, 2)).astype(np.int32)
    signal = np.nan_to_num(x[:, 0]) + (codes[:, 0] == 2) - np.nan_to_num(x[:, 1]) ** 2
    y = signal if task == "regression" else (signal > np.median(signal)).astype(np.int64)
    weight = rng.uniform(0.2, 3.0, n).astype(np.float32) if weighted else None
    return Design(x, codes, np.zeros((0, n, 0), np.float32)).with_target(y, weight)


def make_members(n=240, sizes=((160, 60), (130, 40), (101, 70))):
    """Members with unequal numbers of training and validation rows."""
    train, valid = [], []
    for i, (n_train, n_valid) in enumerate(sizes):
        order = np.random.default_rng(10 + i).permutation(n)
        train.append(np.sort(order[:n_train]))
        valid.append(np.sort(order[n_train : n_train + n_valid]))
    n_members = len(sizes)
    seeds = tuple(range(7, 7 + n_members))
    return Folds(tuple(train), tuple(valid), tuple(range(n_members)), seeds, "made for tests")


def make_tables(design, members, task="binary"):
    n = len(members.train)
    quantiles = np.stack(
        [np.nanquantile(design.x_num[rows], np.linspace(0, 1, 9), axis=0).T
         for rows in members.train]
    )  # fmt: skip
    regression = task == "regression"
    y = [design.y[rows] for rows in members.train]
    return MemberTables(
        quantiles=quantiles,
        center=quantiles[:, :, 4],
        scale=quantiles[:, :, 6] - quantiles[:, :, 2],
        lookup=np.tile(np.arange(12, dtype=np.int32) % 6, (n, 1)),
        n_levels=np.array([6, 6]),
        y_center=np.array([float(own.mean()) if regression else 0.0 for own in y]),
        y_scale=np.array([float(own.std()) if regression else 1.0 for own in y]),
    )


LAYOUT = Layout(
    columns=("a", "b", "c", "d"),
    numeric=tuple(Feature(name, name, "numeric") for name in "abc"),
    category=(Feature("c", "c", "category"), Feature("d", "d", "category")),
    statistic=(),
    n_codes=(6, 6),
)


def make_trainer(
    design,
    members,
    *,
    task="binary",
    net=SMALL,
    config=None,
    dtype=torch.float32,
    trace=None,
    settings=None,
    device="cpu",
):
    config = config or TrainConfig(max_epochs=6, batch_size=32, patience=3)
    tables = make_tables(design, members, task)
    n = len(members.train)
    full = Design(
        design.x_num, design.codes, np.zeros((n, design.n_rows, 0), np.float32),
        design.y, design.weight,
    )  # fmt: skip
    network = build_net(net, LAYOUT, tables, 1 if task == "regression" else 2, members.seed)
    network = network.to(device)
    store, targets = RowStore(full, device), Targets(full, tables, members.train, device)
    if dtype == torch.float64:
        network = network.double()
        store.x_stat = store.x_stat.double()
    return Trainer(
        network, store, targets, members, config, lambda member, rows, outputs: 0.0,
        trace=trace or Trace(), settings=settings,
    )  # fmt: skip


def one(members, i):
    """Member i on its own."""
    return some(members, i, i + 1)


def some(members, start, stop):
    """Members from start to before stop."""
    own = slice(start, stop)
    return Folds(
        members.train[own], members.valid[own], members.fold[own], members.seed[own], members.rule
    )
