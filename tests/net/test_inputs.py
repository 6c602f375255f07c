"""Every member reads raw rows by the tables of its own training rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tabnet_auto.config import NetConfig
from tabnet_auto.design import Feature, Layout, MemberTables
from tabnet_auto.net.build import build_net
from tabnet_auto.net.inputs import IndexedRows, MemberInputs, RawRows
from tabnet_auto.net.layers import MemberRandom

LAYOUT = Layout(
    columns=("a", "b", "c"),
    numeric=(Feature("a", "a", "numeric"),),
    category=(Feature("b", "b", "category"),),
    statistic=(Feature("c: mean", "c", "statistic"),),
    n_codes=(5,),
)
TABLES = MemberTables(
    quantiles=np.array([[np.linspace(0.0, 4.0, 5)], [np.linspace(10.0, 14.0, 5)]]),
    center=np.array([[2.0], [12.0]]),
    scale=np.array([[1.0], [2.0]]),
    # The second member has not learned the last level.
    lookup=np.array([[0, 1, 2, 3, 4], [0, 1, 3, 2, 0]], dtype=np.int32),
    n_levels=np.array([5]),
    y_center=np.zeros(2),
    y_scale=np.ones(2),
)


def rows(a, b, c):
    """The same rows for both members."""
    return RawRows(
        torch.tensor(a, dtype=torch.float64).view(1, -1, 1).expand(2, -1, -1),
        torch.tensor(b).view(1, -1, 1).expand(2, -1, -1),
        torch.tensor(c, dtype=torch.float32).view(1, -1, 1).expand(2, -1, -1),
    )


def test_values_are_scaled_by_each_members_own_tables():
    read = MemberInputs(LAYOUT, TABLES)(rows([2.0, 12.0], [1, 1], [0.0, 1.0]))
    z = np.array([[0.0, 10.0], [-5.0, 0.0]])
    expected = z / np.sqrt(1 + (z / 3) ** 2)
    np.testing.assert_allclose(read.value[:, :, 0], expected, atol=1e-6)
    assert read.value.abs().max() < 3.0
    np.testing.assert_allclose(read.position[:, :, 0], [[0.5, 1.0], [0.0, 0.5]])
    np.testing.assert_allclose(read.position[:, :, 1], [[0.5, 0.8413]] * 2, atol=1e-4)


def test_missing_values_are_marked_and_levels_looked_up():
    read = MemberInputs(LAYOUT, TABLES)(rows([np.nan, 3.0], [1, 4], [0.5, np.nan]))
    assert read.missing[0].tolist() == [[True, False], [False, True]]
    assert torch.isfinite(read.value).all()
    assert read.level[:, :, 0].tolist() == [[1, 4], [1, 0]]


def test_rows_read_from_their_tables_are_those_gathered():
    rng = np.random.default_rng(0)
    x_num = torch.from_numpy(rng.normal(size=(9, 1)) * 6.0)
    x_num[2], x_num[3], x_num[4] = torch.nan, 1e30, -1e30
    codes = torch.from_numpy(rng.integers(0, 5, (9, 1)).astype(np.int32))
    x_stat = torch.from_numpy(rng.normal(size=(2, 9, 1)).astype(np.float32))
    read = MemberInputs(LAYOUT, TABLES)
    indexed = IndexedRows(x_num, codes, x_stat, torch.tensor([[8, 2, 3, 0], [1, 1, 4, 7]]))
    gathered = indexed.gathered()
    assert indexed.shape == gathered.shape == (2, 4)
    assert torch.equal(gathered.x_stat[1, :, 0], x_stat[1, [1, 1, 4, 7], 0])
    for own, other in zip(read(indexed), read(gathered), strict=True):
        torch.testing.assert_close(own, other)
    # As far out as can be, values reach the bounds.
    assert read(indexed).value[0, 2, 0] == -read(indexed).value[1, 2, 0] == pytest.approx(3.0)


def test_features_know_their_column():
    inputs = MemberInputs(LAYOUT, TABLES)
    # Values first (numeric, then statistics), then categories.
    assert [LAYOUT.columns[i] for i in inputs.feature_to_column] == ["a", "c", "b"]


def test_large_offsets_keep_their_digits():
    """Unix times differ by seconds: float32 would merge them."""
    seconds = 1.7e9 + np.arange(5.0)
    tables = MemberTables(
        quantiles=np.stack([seconds, seconds])[:, None], center=np.full((2, 1), seconds[2]),
        scale=np.ones((2, 1)), lookup=TABLES.lookup, n_levels=TABLES.n_levels,
        y_center=np.zeros(2), y_scale=np.ones(2),
    )  # fmt: skip
    read = MemberInputs(LAYOUT, tables)(rows(seconds, [1] * 5, [0.0] * 5))
    z = np.arange(5.0) - 2
    np.testing.assert_allclose(read.value[0, :, 0], z / np.sqrt(1 + (z / 3) ** 2), atol=1e-6)


def test_quantile_scaling_is_normal_on_the_training_distribution():
    inputs = MemberInputs(LAYOUT, TABLES, scaling="quantile")
    read = inputs(rows([0.0, 1.0, 2.0, 3.0, 4.0], [1] * 5, [0.0] * 5))
    value = read.value[0, :, 0].numpy()
    np.testing.assert_allclose(value, -value[::-1], atol=1e-5)
    assert (np.diff(value) > 0).all()
    clipped = 0.67449 / np.sqrt(1 + (0.67449 / 3) ** 2)
    assert value[3] == pytest.approx(clipped, abs=1e-4)


def test_training_turns_columns_missing_and_levels_unknown_at_the_given_rates():
    inputs = MemberInputs(LAYOUT, TABLES, unknown_rate=0.25, column_dropout=0.125)
    n = 4000
    read = inputs(rows([3.0] * n, [3] * n, [0.0] * n), MemberRandom([1, 2]))
    assert read.missing.float().mean().item() == pytest.approx(0.125, abs=0.02)
    unknown = (read.level == 0).float().mean().item()
    missing = (read.level == 1).float().mean().item()
    assert unknown == pytest.approx(0.25, abs=0.02)
    assert missing == pytest.approx(0.125 * 0.75, abs=0.02)


def test_a_missing_value_has_a_token_of_its_own():
    net = build_net(NetConfig(n_hidden=8), LAYOUT, TABLES, 1, [1, 2]).eval()
    torch.nn.init.normal_(net.head.weight)
    median, missing = rows([2.0], [2], [0.0]), rows([np.nan], [2], [0.0])
    with torch.no_grad():
        assert not torch.equal(net(median).logits[0], net(missing).logits[0])


def test_rows_of_one_batch_do_not_depend_on_each_other():
    net = build_net(NetConfig(n_hidden=8), LAYOUT, TABLES, 2, [1, 2]).eval()
    torch.nn.init.normal_(net.head.weight)
    together = rows([1.0, 13.0, np.nan], [2, 3, 4], [0.3, -1.0, 2.0])
    with torch.no_grad():
        whole = net(together)
        first = net(RawRows(*(block[:, :1] for block in together)))
    torch.testing.assert_close(whole.logits[:, :1], first.logits)
    torch.testing.assert_close(whole.masks[:, :, :1], first.masks)
