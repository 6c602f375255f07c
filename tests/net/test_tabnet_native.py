"""The default network as one kernel each way, against the same network in plain torch."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from tabnet_auto.config import Kind, NetConfig
from tabnet_auto.design import Feature, Layout, MemberTables
from tabnet_auto.net.inputs import Encoded, MemberInputs
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.native import library, pairs
from tabnet_auto.net.tabnet import AttentionTabNet

pytestmark = pytest.mark.skipif(
    not library.is_usable(), reason="no C compiler here: everything runs in plain torch"
)
M, B, O = 3, 70, 2
SMALL = NetConfig(
    n_hidden=16, n_context=8, n_bins=4, d_key=4, level_width=3, levels_of_numbers=True
)
LEVELS = (6, 9)


@pytest.fixture(autouse=True)
def _single_precision(monkeypatch):
    monkeypatch.setattr(pairs, "are_faster", lambda: False)


@pytest.fixture
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def build(config, n_values=5, levels=LEVELS, members=M, outputs=O, bins=None):
    """Build a network all of whose parameters are away from their starts."""
    # The first numbers have the names of their columns: categories of these are their levels.
    features = [Feature(f"x{i}", f"x{i % 3}", "numeric") for i in range(n_values)]
    features += [Feature(f"c{i}", f"x{1 + i}", "category") for i in range(len(levels))]
    layout = Layout(
        columns=tuple(f"x{i}" for i in range(max(3, 1 + len(levels)))),
        numeric=tuple(features[:n_values]), category=tuple(features[n_values:]), statistic=(),
        n_codes=tuple(levels),
    )  # fmt: skip
    tables = MemberTables(
        quantiles=np.zeros((members, n_values, 3)), center=np.zeros((members, n_values)),
        scale=np.ones((members, n_values)),
        lookup=np.zeros((members, sum(levels)), np.int32), n_levels=np.array(levels),
        y_center=np.zeros(members), y_scale=np.ones(members),
    )  # fmt: skip
    others = tuple(
        Kind(n_bins=own, asks_by_row=own > 1, levels_of_numbers=own > 3) for own in bins or ()
    )
    config = replace(config, other_kinds=others)
    kinds = range(1, 1 + members) if bins else [0] * members
    net = AttentionTabNet(
        config, MemberInputs(layout, tables), outputs, MemberRandom(range(members)), kinds
    )
    generator = torch.Generator().manual_seed(0)
    for p in net.parameters():
        p.data += 0.3 * torch.randn(p.shape, generator=generator)
    return net


def encoded(net, n_rows=B, seed=1):
    generator = torch.Generator().manual_seed(seed)
    members, n_values = net.tokens.value_scale.shape[:2]
    shape = members, n_rows, n_values
    missing = torch.rand(shape, generator=generator) < 0.2
    position = torch.rand(shape, generator=generator)
    position[:, :1], position[:, 1:2] = 0.0, 1.0
    value = torch.randn(shape, generator=generator).masked_fill(missing, 0.0)
    top = torch.tensor(net.inputs.n_levels)
    drawn = torch.rand(members, n_rows, len(top), generator=generator)
    return Encoded(value, position.masked_fill(missing, 0.5), missing, (drawn * top).long())


def plainly(net, rows, dropout):
    """Compute in double precision, in plain torch."""
    exact = copy.deepcopy(net).double()
    wide = rows._replace(value=rows.value.double(), position=rows.position.double())
    return exact, exact._plain(wide, dropout)


def loss_of(logits, masks):
    generator = torch.Generator().manual_seed(4)
    out = torch.randn(logits.shape, generator=generator, dtype=torch.float64)
    seen = torch.randn(masks.shape, generator=generator, dtype=torch.float64)
    return (logits.double() * out).sum() + (masks.double() * seen).sum()


def draw(net, n_rows, rate):
    # Rates differ between members; one of them drops nothing.
    rates = rate * np.linspace(0.0, 1.0, len(net.bias))
    shape = net.config.n_layers, n_rows, net.config.n_hidden
    return MemberRandom(range(9, 9 + len(net.bias))).dropout(rates, *shape)


def compare(net, rows, rate=0.3):
    """Compare outputs and gradients with those of the network as written."""
    net.train()
    dropout = draw(net, rows.value.shape[1], rate)
    fused = net._fused(rows, dropout)
    exact, written = plainly(net, rows, dropout)
    for ours, theirs in zip(fused, written, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=2e-5)
    loss_of(*fused[:2]).backward()
    loss_of(*written[:2]).backward()
    for (name, p), q in zip(net.named_parameters(), exact.parameters(), strict=True):
        given = torch.zeros_like(q) if q.grad is None else q.grad
        if p.grad is None:
            assert p.numel() == 0 or not given.any(), name
            continue
        scale = given.abs().max().item() if given.numel() else 0.0
        torch.testing.assert_close(
            p.grad.double(), given, rtol=1e-3, atol=2e-5 * scale + 1e-7, msg=lambda m, n=name: n + m
        )


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"mask": "softmax"}, {"mask": "sparsemax"}, {"activation": "relu"},
        {"activation": "mish"}, {"n_steps": 1}, {"n_steps": 3}, {"n_layers": 1}, {"n_bins": 0},
        {"n_bins": 1}, {"n_hidden": 70, "n_context": 20, "d_key": 16}, {"n_hidden": 256},
        {"d_key": 17, "n_context": 33}, {"level_width": 8},
    ],
    ids=str,
)  # fmt: skip
def test_the_kernel_equals_the_network_as_written(changes):
    net = build(replace(SMALL, **changes))
    compare(net, encoded(net))


def test_members_may_differ_in_what_they_read():
    net = build(SMALL, bins=[4, 1, 3])
    assert net.tokens.reads_level.flatten(1).tolist() == [[1, 1], [0, 0], [0, 0]]
    rows = encoded(net)
    compare(net, rows)
    alone = build(SMALL, bins=[1, 4, 4])
    one, other = alone.train()._fused(rows, None), net._fused(rows, None)
    assert not torch.equal(one[0][0], other[0][0])


@pytest.mark.parametrize("n_values", [0, 1, 16, 40])
@pytest.mark.parametrize("levels", [(), (3,), (2, 30, 4)])
@pytest.mark.parametrize("n_rows", [1, 64, 200])
def test_any_number_of_features_and_rows(n_values, levels, n_rows):
    if n_values + len(levels) == 0:
        pytest.skip("a network reads one feature at least")
    net = build(SMALL, n_values, levels)
    compare(net, encoded(net, n_rows), rate=0.0)


@pytest.mark.parametrize("outputs", [1, 26])
def test_any_number_of_outputs(outputs):
    net = build(SMALL, outputs=outputs)
    compare(net, encoded(net))


def test_evaluation_equals_training_without_dropout():
    net = build(SMALL)
    rows = encoded(net, 200)
    net.train()
    trained = net._fused(rows, None)
    net.eval()
    with torch.no_grad():
        evaluated = net._fused(rows, None)
    for a, b in zip(trained, evaluated, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def gradients(net, rows):
    net.train()
    net.zero_grad()
    loss_of(*net._fused(rows, draw(net, rows.value.shape[1], 0.2))[:2]).backward()
    return [p.grad for p in net.parameters()]


@pytest.mark.usefixtures("_threads")
def test_the_number_of_threads_changes_no_bit():
    net = build(SMALL)
    rows = encoded(net, 300)
    torch.set_num_threads(1)
    alone = gradients(net, rows)
    torch.set_num_threads(2)
    for a, b in zip(alone, gradients(net, rows), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_member_does_not_see_the_others():
    net = build(SMALL)
    rows = encoded(net)
    before = gradients(net, rows)
    other = rows._replace(value=rows.value.clone())
    other.value[1:] += 1.0
    for a, b in zip(before, gradients(net, other), strict=True):
        torch.testing.assert_close(a[0], b[0], rtol=0, atol=0)


def test_a_second_way_back_is_an_error():
    net = build(SMALL)
    logits, masks, _ = net.train()._fused(encoded(net), None)
    loss = loss_of(logits, masks)
    loss.backward(retain_graph=True)
    net._fused(encoded(net), None)  # takes the buffers
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("n_rows", [64, 75])
def test_pairs_of_bf16_round_only_the_factors_of_hidden_layers(monkeypatch, n_rows):
    # A smooth activation: the slope of SELU jumps at 0, so that rounding there is no small change.
    net = build(replace(SMALL, n_hidden=64, activation="mish")).train()
    rows = encoded(net, n_rows)
    exact, written = plainly(net, rows, None)
    monkeypatch.setattr(pairs, "are_faster", lambda: True)
    fused = net._fused(rows, None)
    # Eight bits of each factor are kept: two roundings of up to 2**-9 a layer.
    torch.testing.assert_close(fused[0].double(), written[0], rtol=0.02, atol=0.02)
    for ours, theirs in zip(fused[1:], written[1:], strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=2e-5)
    loss_of(*fused[:2]).backward()
    loss_of(*written[:2]).backward()
    for p, q in zip(net.parameters(), exact.parameters(), strict=True):
        apart = (p.grad.double() - q.grad).norm() / q.grad.norm().clamp_min(1e-12)
        assert apart < 0.01


def test_kinds_differ_in_what_they_say():
    others = Kind(n_bins=8), Kind(2, asks_by_row=False), Kind(column_dropout=0.3)
    config = NetConfig(n_bins=6, other_kinds=others)
    assert [config.of(kind).n_bins for kind in range(4)] == [6, 6, 2, 6], (
        "never more than the token has"
    )
    assert [config.of(kind).column_dropout for kind in range(4)] == [0.1, 0.1, 0.1, 0.3]
    assert [config.of(kind).asks_by_row for kind in range(4)] == [True, True, False, True]


def test_a_kind_that_reads_less_is_the_network_that_has_no_more():
    """Two of four bins, and no levels: what is not read does not make the rest smaller."""
    wide = build(SMALL, members=1, bins=[2])
    narrow = build(replace(SMALL, n_bins=2, levels_of_numbers=False), members=1)
    own = wide.state_dict()
    kept = (torch.arange(5)[:, None] * 6 + torch.tensor([0, 1, 2, 5])).flatten()
    for name, tensor in narrow.state_dict().items():
        values = own[name]
        if name.endswith("of_values"):
            values = values[:, kept]
        elif name.endswith("value_scale"):
            values = values[:, :, [0, 1, 2, 5]]
        tensor.copy_(values)
    assert narrow.tokens.bins.tolist() == [2]
    rows = encoded(wide)
    for less, alone in zip(
        plainly(wide, rows, None)[1], plainly(narrow, rows, None)[1], strict=True
    ):
        torch.testing.assert_close(less, alone)
