"""The published TabNet as one kernel each way, against the same network in plain torch."""

from __future__ import annotations

import copy
import itertools
import os
import pickle
import subprocess
import sys

import pytest
import torch

from tabnet_auto.config import PaperConfig
from tabnet_auto.net.ghost_norm import VirtualBatches, virtual_starts
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.native import library, pairs
from tabnet_auto.net.output import Goal
from tabnet_auto.net.paper import PaperTabNet

pytestmark = pytest.mark.skipif(
    not library.is_usable(), reason="no C compiler here: everything runs in plain torch"
)
M, O = 3, 4
PLAIN = list(range(21))
SMALL = PaperConfig(n_d=5, n_a=3, virtual_batch_size=16, lambda_sparse=0.01)


@pytest.fixture
def plain(monkeypatch):
    """Call a function with the kernels switched off."""

    def run(function):
        with monkeypatch.context() as patch:
            patch.setattr(library, "_library", lambda: None)
            return function()

    return run


@pytest.fixture
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def in_pairs(monkeypatch):
    """Call a function while bf16 counts as faster, whatever this CPU does."""

    def run(function):
        with monkeypatch.context() as patch:
            patch.setattr(pairs, "are_faster", lambda: True)
            return function()

    return run


@pytest.fixture
def _single_precision(monkeypatch):
    monkeypatch.setattr(pairs, "are_faster", lambda: False)


def build(config, groups, dtype=torch.float32, members=M, outputs=O):
    """Build a network whose norms are away from their defaults; the same for every precision."""
    net = PaperTabNet(config, len(groups), groups, outputs, MemberRandom(range(members)))
    generator = torch.Generator().manual_seed(0)
    tensors = [(n, t) for n, t in [*net.named_parameters(), *net.named_buffers()] if t.ndim == 3]
    for name, tensor in tensors:
        if tensor.shape[1] == 1 and name != "head":
            tensor.data += 0.3 * torch.rand(tensor.shape, generator=generator)
    return net.to(dtype)


def rows(n_rows, groups, members=M):
    generator = torch.Generator().manual_seed(1)
    return 2.0 * torch.randn(members, n_rows, len(groups), generator=generator) + 1.0


def named(output):
    """Return what an output holds, by name."""
    return {name: t for name, t in output._asdict().items() if t is not None}


def in_training(config, groups, n_rows, dtype=torch.float32, *, parts=("logits", "penalty")):
    """Outputs, gradients of all parameters and of the input, running statistics; by name."""
    net, x = build(config, groups, dtype), rows(n_rows, groups).to(dtype).requires_grad_()
    out = net(x)
    generator = torch.Generator().manual_seed(2)
    loss = sum(
        (t * torch.randn(t.shape, generator=generator).to(dtype)).sum()
        for name, t in named(out).items()
        if name in parts
    )
    loss.backward()
    found = {name: t.detach() for name, t in named(out).items()}
    found |= {f"gradient of {n}": p.grad for n, p in net.named_parameters()}
    found |= {n: b for n, b in net.named_buffers() if "running" in n}
    return found | {"gradient of x": x.grad}


def in_evaluation(config, groups, n_rows, dtype=torch.float32):
    net = build(config, groups, dtype).eval()
    with torch.no_grad():
        return named(net(rows(n_rows, groups).to(dtype)))


def assert_close(fused, exact, tolerance=5e-3):
    """Compare with double precision, relative to each tensor's largest number.

    A rounding that lets a column into a mask or out of it moves gradients by a thousandth.
    """
    assert fused.keys() == exact.keys()
    for name, own in fused.items():
        size = exact[name].abs().max().item() + 1e-30
        error = (own.double() - exact[name]).abs().max().item()
        assert error <= tolerance * max(size, 1e-2), (name, error, size)


CASES = {
    "widths": (PaperConfig(n_d=24, n_a=17, virtual_batch_size=32), PLAIN, 64),
    "a vector wide": (PaperConfig(n_d=8, n_a=8, virtual_batch_size=16), PLAIN, 64),
    "one step": (PaperConfig(n_d=4, n_a=1, n_steps=1, virtual_batch_size=64), PLAIN, 64),
    "five steps": (PaperConfig(n_d=4, n_a=4, n_steps=5, virtual_batch_size=32), PLAIN, 96),
    "ragged": (SMALL, PLAIN, 50),
    "a row left over": (SMALL, PLAIN, 33),
    "fewer rows than a virtual batch": (SMALL, PLAIN, 7),
    "two rows": (SMALL, PLAIN, 2),
    "one column": (SMALL, [0], 32),
    "groups": (SMALL, [0, 1, 1, 2, 2, 2, 2, 3], 48),
    "groups apart": (SMALL, [2, 0, 1, 0, 2, 1, 2, 3, 3, 2], 48),
    "many columns": (SMALL, list(range(260)), 32),
}


@pytest.mark.parametrize("case", CASES)
def test_training_equals_plain_torch(case, plain):
    config, groups, n_rows = CASES[case]
    fused = in_training(config, groups, n_rows)
    # Where a norm divides by next to nothing, rounding grows: as much in plain torch.
    tolerance = 3e-2 if n_rows == 2 else 5e-3
    assert_close(fused, in_training(config, groups, n_rows, torch.float64), tolerance)
    plainly = plain(lambda: in_training(config, groups, n_rows))
    assert_close(fused, {k: v.double() for k, v in plainly.items()}, tolerance)


@pytest.mark.parametrize("mask", ["sparsemax", "entmax15", "softmax"])
@pytest.mark.parametrize(("n_shared", "n_independent"), [(0, 1), (0, 3), (1, 0), (3, 0), (1, 2)])
def test_masks_and_layers(mask, n_shared, n_independent):
    layers = {"n_shared": n_shared, "n_independent": n_independent}
    config = PaperConfig(n_d=5, n_a=6, virtual_batch_size=24, mask=mask, **layers)
    every = ("logits", "masks", "step_size", "penalty")
    given = (config, PLAIN, 60)
    fused = in_training(*given, parts=every)
    assert_close(fused, in_training(*given, torch.float64, parts=every))


@pytest.mark.parametrize("parts", [("logits",), ("penalty",), ("masks",), ("step_size",)])
def test_gradients_of_one_output_alone(parts):
    config = PaperConfig(n_d=6, n_a=4, virtual_batch_size=16, lambda_sparse=0.5)
    fused = in_training(config, PLAIN, 32, parts=parts)
    exact = in_training(config, PLAIN, 32, torch.float64, parts=parts)
    unused = {k: torch.zeros_like(fused[k]).double() for k, v in exact.items() if v is None}
    assert_close(fused, exact | unused)


@pytest.mark.parametrize("mask", ["sparsemax", "entmax15", "softmax"])
@pytest.mark.parametrize("groups", [PLAIN, [0, 1, 1, 2, 2, 2, 2, 3]])
@pytest.mark.parametrize("n_rows", [1, 5, 128, 300])
def test_evaluation_equals_plain_torch(mask, groups, n_rows):
    config = PaperConfig(n_d=5, n_a=3, mask=mask)
    fused = in_evaluation(config, groups, n_rows)
    assert_close(fused, in_evaluation(config, groups, n_rows, torch.float64))


def test_a_row_is_predicted_alike_in_any_company():
    net, x = build(SMALL, PLAIN).eval(), rows(300, PLAIN)
    with torch.no_grad():
        together, alone = net(x), net(x[:, 131:132].contiguous())
    assert torch.equal(together.logits[:, 131:132], alone.logits)
    assert torch.equal(together.masks[:, :, 131:132], alone.masks)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("n_rows", [96, 150])
def test_results_do_not_depend_on_the_number_of_threads(n_rows):
    results = []
    for n_threads in (1, 2, 3):
        torch.set_num_threads(n_threads)
        results.append(in_training(SMALL, PLAIN, n_rows) | in_evaluation(SMALL, PLAIN, n_rows))
    for other in results[1:]:
        assert all(torch.equal(results[0][name], other[name]) for name in other)


def test_a_member_computes_alike_in_any_company():
    def losses(net, x):
        out = net(x)
        (out.logits.sin().sum() + out.penalty.sum()).backward()
        return out

    together, alone = build(SMALL, PLAIN), build(SMALL, PLAIN)
    x = rows(48, PLAIN)
    for tensor in [*alone.parameters(), *alone.buffers()]:
        if tensor.ndim == 3 and len(tensor) == M:
            tensor.data = tensor.data[1:2].clone()
    spoilt = x.clone()
    spoilt[0], spoilt[2] = torch.nan, 1e30
    out, own = losses(together, spoilt), losses(alone, x[1:2].contiguous())
    assert torch.equal(out.logits[1:2], own.logits)
    for a, b in zip(together.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a.grad[1:2], b.grad)


def test_running_statistics_differ_where_a_virtual_batch_does():
    even, odd = (in_training(SMALL, PLAIN, n) for n in (48, 50))
    name = "splitter.norms.0.running_mean"
    assert not torch.equal(even[name], odd[name])


def test_two_passes_before_one_way_back():
    net, x = build(SMALL, PLAIN), rows(32, PLAIN)
    for _ in range(2):  # the second time buffers are used again
        first, second = net(x), net(x + 1.0)
        first.logits.sum().backward()
        taken = [p.grad.clone() for p in net.parameters()]
        net.zero_grad()
        net(x).logits.sum().backward()
        assert all(torch.equal(a, p.grad) for a, p in zip(taken, net.parameters(), strict=True))
        second.logits.sum().backward()
        net.zero_grad()


def test_a_second_way_back_after_another_step_is_an_error():
    net, x = build(SMALL, PLAIN), rows(32, PLAIN)
    out = net(x)
    out.logits.sum().backward(retain_graph=True)
    net(x)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.logits.sum().backward()


def test_gradients_in_evaluation_take_the_plain_way():
    net, x = build(SMALL, PLAIN).eval(), rows(8, PLAIN).requires_grad_()
    net(x).logits.sum().backward()
    assert x.grad.abs().sum() > 0


def test_buffers_stay_at_home():
    net, x = build(SMALL, PLAIN), rows(32, PLAIN)
    net(x).logits.sum().backward()
    assert net.records.free
    assert net.scratch.free
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert not other.records.free
        assert not other.scratch.free
    net.eval()
    with torch.no_grad():
        net(x)
    assert not net.records.free  # the memory of training


def test_predictions_in_inference_mode_and_out_of_it():
    net, x = build(SMALL, PLAIN).eval(), rows(40, PLAIN)
    with torch.inference_mode():
        first = net(x).logits
    with torch.no_grad():
        assert torch.equal(first, net(x).logits)


@pytest.mark.parametrize("n_rows", [2, 3, 16, 17, 31, 32, 33, 48, 50, 65, 128])
def test_virtual_batches_start_where_their_rows_do(n_rows):
    split = VirtualBatches.split(torch.zeros(1, n_rows, 1), 16)
    sizes = [int(n) for n in split.rows.flatten() if n > 0]
    starts = virtual_starts(n_rows, 16)
    assert [b - a for a, b in itertools.pairwise(starts)] == sizes


WIDE = {
    "a vector wide": (PaperConfig(n_d=32, n_a=32, virtual_batch_size=32), PLAIN, 64),
    "odd widths": (PaperConfig(n_d=40, n_a=25, virtual_batch_size=32), PLAIN, 96),
    "odd rows": (PaperConfig(n_d=33, n_a=31, virtual_batch_size=31), PLAIN, 97),
    "layers of one kind": (
        PaperConfig(n_d=32, n_a=32, n_shared=0, n_independent=1, virtual_batch_size=16), PLAIN, 50,
    ),
    "groups": (
        PaperConfig(n_d=36, n_a=28, n_steps=2, virtual_batch_size=16),
        [0, 1, 1, 2, 2, 2, 2, 3], 48,
    ),
    "softmax": (PaperConfig(n_d=64, n_a=64, mask="softmax", virtual_batch_size=64), PLAIN, 128),
}  # fmt: skip


@pytest.mark.usefixtures("_single_precision")
@pytest.mark.parametrize("case", WIDE)
def test_bf16_pairs_change_gradients_by_a_percent_or_two_and_hardly_anything_else(case, in_pairs):
    config, groups, n_rows = WIDE[case]
    rounded = in_pairs(lambda: in_training(config, groups, n_rows))
    single = in_training(config, groups, n_rows)
    assert_close(single, in_training(config, groups, n_rows, torch.float64))
    for name, own in rounded.items():
        error = (own - single[name]).norm() / single[name].norm().clamp(min=1e-6)
        assert error < (0.025 if "gradient" in name else 0.001), (name, error)
    first = "gradient of splitter.own.0"
    assert not torch.equal(rounded[first], single[first])


def test_bf16_pairs_are_for_wide_networks_in_training(in_pairs):
    narrow, wide = build(SMALL, PLAIN), build(WIDE["groups"][0], PLAIN)
    x = rows(32, PLAIN)

    def used(net, *, training):
        return in_pairs(lambda: net._network().shape(x, 1, training=training).pairs)

    assert [used(narrow, training=True), used(wide, training=True)] == [0, 1]
    assert used(wide, training=False) == 0


@pytest.mark.usefixtures("_threads")
def test_bf16_pairs_do_not_depend_on_threads_or_company(in_pairs):
    config, results = WIDE["odd rows"][0], []
    for n_threads in (1, 3):
        torch.set_num_threads(n_threads)
        results.append(in_pairs(lambda: in_training(config, PLAIN, 97)))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])

    def gradients(net, x):
        net(x).logits.sin().sum().backward()
        return [p.grad for p in net.parameters()]

    spoilt = rows(64, PLAIN)
    spoilt[0] = torch.nan
    found = in_pairs(lambda: gradients(build(config, PLAIN), spoilt))
    assert all(g[1:].isfinite().all() for g in found)
    assert any(g[0].isnan().any() for g in found)


@pytest.mark.usefixtures("_single_precision")
def test_training_in_bf16_pairs_gets_as_far(in_pairs):
    x = rows(256, PLAIN, members=2)
    target = (x[..., 0] * x[..., 1] > 1.0).long() + 2 * (x[..., 2] > 1.0).long()

    def last_loss():
        net = build(WIDE["a vector wide"][0], PLAIN, members=2)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        for _ in range(40):
            out = net(x)
            loss = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), target.flatten())
            optimizer.zero_grad()
            (loss + out.penalty.sum()).backward()
            optimizer.step()
        return loss.item()

    single, rounded = last_loss(), in_pairs(last_loss)
    assert max(single, rounded) < 0.3
    assert abs(single - rounded) < 0.1


def test_how_fast_and_exact_bf16_pairs_are():
    gain, error = pairs.measure()
    assert gain > 0.0
    assert 2.0**-14 < error <= 2.0**-8


def test_bf16_can_be_switched_off():
    code = (
        "from tabnet_auto.net.native import library, pairs\n"
        "pairs.measure = lambda: (2.0, 0.0)\n"
        "print(library.is_usable(), pairs.are_faster())"
    )
    for value, expected in (("float32", "True False"), ("", "True True")):
        env = {**os.environ, library.SWITCH: value}
        found = subprocess.run(
            [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True
        )
        assert found.stdout.strip() == expected


def towards(goal, config, groups, *, told):
    """Losses, gradients and running statistics of members that are told their goal, or not."""
    y, counts = goal
    net = build(config, groups, outputs=1 if y.is_floating_point() else O)
    x = rows(y.shape[1], groups).requires_grad_()
    out = net(x, goal=goal) if told else net(x)
    if told:
        objective = out.objective
    elif y.is_floating_point():
        objective = (0.5 * (out.logits[..., 0] - y).square() * counts).sum(1) + out.penalty
    else:
        of_row = torch.nn.functional.cross_entropy(out.logits.mT, y, reduction="none")
        objective = (of_row * counts).sum(1) + out.penalty
    (objective * torch.arange(1.0, M + 1.0)).sum().backward()
    found = {"objective": objective.detach(), "logits": out.logits.detach(), "x": x.grad}
    assert len(out.masks) == len(out.step_size) == (0 if told else config.n_steps)
    found |= {"penalty": out.penalty.detach()}
    found |= {f"gradient of {n}": p.grad for n, p in net.named_parameters()}
    return found | {n: b for n, b in net.named_buffers() if "running" in n}


@pytest.fixture
def goal():
    """Make a goal: classes, or values of the network's first and only output."""

    def make(n_rows, *, values=False):
        generator = torch.Generator().manual_seed(3)
        y = torch.randint(0, O, (M, n_rows), generator=generator)
        counts = torch.rand(M, n_rows, generator=generator) / n_rows
        counts[:, -1] = 0.0
        return Goal(y.float() if values else y, counts)

    return make


@pytest.mark.usefixtures("_single_precision")
@pytest.mark.parametrize("values", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_a_goal_that_is_told_changes_nothing_but_rounding(case, values, goal):
    config, groups, n_rows = CASES[case]
    told, untold = (
        towards(goal(n_rows, values=values), config, groups, told=told) for told in (True, False)
    )
    tolerance = 1e-3 if n_rows == 2 else 1e-4  # a norm of two rows divides by next to nothing
    assert told.keys() == untold.keys()
    for name, own in told.items():
        size = untold[name].abs().max().clamp_min(1e-2)
        assert (own - untold[name]).abs().max() <= tolerance * size, name


@pytest.mark.usefixtures("_threads")
def test_a_goal_that_is_told_does_not_depend_on_threads_or_company(goal):
    results, net = [], build(SMALL, PLAIN)
    for n_threads in (1, 3):
        torch.set_num_threads(n_threads)
        results.append(towards(goal(150), SMALL, PLAIN, told=True))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    spoilt = rows(150, PLAIN)
    spoilt[0] = torch.nan
    net(spoilt, goal=goal(150)).objective.sum().backward()
    own = net.head.grad[1:] * torch.tensor([2.0, 3.0]).view(-1, 1, 1)
    torch.testing.assert_close(own, results[0]["gradient of head"][1:])


def test_only_the_objective_of_a_goal_leads_back(goal):
    out = build(SMALL, PLAIN)(rows(32, PLAIN), goal=goal(32))
    required = {name for name, t in named(out).items() if t.requires_grad}
    assert required == {"objective"}
