"""The compiled kernels against the same operations in plain torch, forwards and backwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from tabnet_auto.design import Feature, Layout, MemberTables
from tabnet_auto.net.inputs import MemberInputs, RawRows
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.levels import join_levels
from tabnet_auto.net.native import library
from tabnet_auto.net.sparse import entmax15, sparsemax

M, B = 3, 24
needs_kernels = pytest.mark.skipif(
    not library.is_usable(), reason="no C compiler here: everything runs in plain torch"
)


@pytest.fixture
def plain(monkeypatch):
    """Call a function with the kernels switched off."""

    def run(function):
        with monkeypatch.context() as patch:
            patch.setattr(library, "_library", lambda: None)
            return function()

    return run


def both_ways(function, inputs, plain, *, atol=1e-5):
    """Compare outputs, and gradients of a random scalar of them, with and without kernels."""

    def run():
        leaves = [t.clone().requires_grad_() for t in inputs]
        outputs = function(*leaves)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        torch.manual_seed(5)
        loss = sum((out * torch.randn(out.shape)).sum() for out in outputs)
        return outputs, torch.autograd.grad(loss, leaves)

    fused, plainly = run(), plain(run)
    for side, other in zip(fused, plainly, strict=True):
        for a, b in zip(side, other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=atol)


@needs_kernels
@pytest.mark.parametrize("width", [1, 3, 16, 54])
@pytest.mark.parametrize("sparse_map", [sparsemax, entmax15])
@pytest.mark.parametrize("size", [1e-3, 1.0, 50.0])
def test_sparse_maps(width, sparse_map, size, plain):
    torch.manual_seed(1)
    both_ways(sparse_map, [size * torch.randn(40, width)], plain)


@pytest.mark.skipif(
    sys.platform == "win32" or os.environ.get(library.SWITCH, "").lower() == "off"
    or not any(map(shutil.which, ("cc", "gcc", "clang"))),
    reason="no C compiler here, or the kernels are switched off",
)  # fmt: skip
def test_the_kernels_compile():
    """What does not compile is not used, and every test of the kernels would be skipped."""
    assert library.is_usable()


def test_other_precisions_and_devices_go_the_plain_way():
    assert not library.is_usable(torch.zeros(1, dtype=torch.float64))
    assert not library.is_usable(torch.zeros(1, device="meta"))


def test_kernels_can_be_switched_off():
    code = (
        "from tabnet_auto.net.native import library\n"
        "assert not library.is_usable() and library.describe() == 'plain torch'"
    )
    env = {"TABNET_AUTO_KERNELS": "off", "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_without_a_compiler_plain_torch_computes(monkeypatch):
    library._library.cache_clear()
    monkeypatch.setenv("PATH", "")
    try:
        assert not library.is_usable()
        logits = torch.tensor([1.0, 0.5, -1.0])
        torch.testing.assert_close(sparsemax(logits), torch.tensor([0.75, 0.25, 0.0]))
    finally:
        library._library.cache_clear()


@needs_kernels
def test_a_failing_compiler_is_no_error(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(library.tempfile, "gettempdir", lambda: str(tmp_path))
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    library._library.cache_clear()
    try:
        assert not library.is_usable()
    finally:
        library._library.cache_clear()


@needs_kernels
def test_kernels_are_compiled_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library._library.cache_clear()
    assert library.is_usable()
    compiled = list((tmp_path / "tabnet_auto").iterdir())
    assert [path.suffix for path in compiled] == [".so"]
    library._library.cache_clear()
    monkeypatch.setattr(library, "_run", lambda command: pytest.fail("compiled again"))
    assert library.is_usable()


@needs_kernels
def test_place_among_quantiles(plain):
    rng = np.random.default_rng(0)
    n_values, n_quantiles = 4, 9
    quantiles = np.sort(rng.normal(size=(M, n_values, n_quantiles)))
    quantiles[:, 1, 3:6] = quantiles[:, 1, 3:4]  # a repeated value
    quantiles[:, 2] = 0.0  # a constant
    layout = Layout(tuple("abcd"), tuple(Feature(c, c, "numeric") for c in "abcd"), (), (), ())
    shape = (M, n_values)
    tables = MemberTables(
        quantiles, np.zeros(shape), np.ones(shape), np.zeros((M, 0), np.int32), np.zeros(0, int),
        np.zeros(M), np.ones(M),
    )  # fmt: skip
    inputs = MemberInputs(layout, tables)
    x = torch.from_numpy(rng.normal(size=(M, B, n_values)) * 2.0)
    x[:, :n_quantiles] = torch.from_numpy(quantiles).transpose(1, 2)
    x[:, -1], x[:, -2, 0], x[:, -2, 1] = torch.nan, 1e30, -1e30
    rows = RawRows(x, torch.zeros(M, B, 0).int(), torch.zeros(M, B, 0))
    fused, plainly = inputs(rows), plain(lambda: inputs(rows))
    torch.testing.assert_close(fused.position, plainly.position)
    torch.testing.assert_close(fused.value, plainly.value)


@needs_kernels
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("n_statistics", [0, 2])
def test_encoded_values(dropout, n_statistics, plain):
    rng = np.random.default_rng(1)
    features = tuple(Feature(c, c, "numeric") for c in "abc")
    statistics = tuple(Feature(f"d{i}", "d", "statistic") for i in range(n_statistics))
    layout = Layout(tuple("abcd"), features, (), statistics, ())
    tables = MemberTables(
        np.sort(rng.normal(size=(M, 3, 5))), rng.normal(size=(M, 3)), 1.0 + rng.random((M, 3)),
        np.zeros((M, 0), np.int32), np.zeros(0, int), np.zeros(M), np.ones(M),
    )  # fmt: skip
    inputs = MemberInputs(layout, tables, column_dropout=dropout)
    x = torch.from_numpy(rng.normal(size=(M, B, 3)) * 5.0)
    x[:, 3, 1], x[:, 4, 0], x[:, 5, 0] = torch.nan, 1e12, -1e30
    x_stat = torch.randn(M, B, n_statistics)
    x_stat[:, 6] = torch.nan
    rows = RawRows(x, torch.zeros(M, B, 0).int(), x_stat)
    fused = inputs(rows, MemberRandom(range(M)))
    plainly = plain(lambda: inputs(rows, MemberRandom(range(M))))
    for own, other in zip(fused, plainly, strict=True):
        torch.testing.assert_close(own, other)
    assert fused.missing.float().mean() >= 0.5 * dropout


@needs_kernels
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_levels_of_codes(dropout, plain):
    rng = np.random.default_rng(2)
    features = tuple(Feature(c, c, "category") for c in "abc")
    layout = Layout(tuple("abc"), (), features, (), (4, 7, 3))
    shape = (M, 0)
    tables = MemberTables(
        np.zeros((M, 0, 5)), np.zeros(shape), np.ones(shape),
        rng.integers(0, 4, (M, 14)).astype(np.int32), np.array([4, 4, 4]), np.zeros(M), np.ones(M),
    )  # fmt: skip
    inputs = MemberInputs(layout, tables, column_dropout=dropout, unknown_rate=0.2)
    codes = torch.from_numpy(rng.integers(0, [4, 7, 3], (M, B, 3)).astype(np.int32))
    rows = RawRows(torch.zeros(M, B, 0).double(), codes, torch.zeros(M, B, 0))
    for random in (lambda: None, lambda: MemberRandom(range(M))):
        fused, plainly = inputs(rows, random()), plain(lambda r=random: inputs(rows, r()))
        assert torch.equal(fused.level, plainly.level)


@needs_kernels
def test_numbers_of_levels_beside_values(plain):
    torch.manual_seed(3)
    value, offset = torch.randn(M, B, 2), torch.tensor([0, 3, 8])
    level = torch.stack([torch.randint(0, n, (M, B)) for n in (3, 5, 1)], dim=2)
    both_ways(lambda table: join_levels(value, table, level, offset), [torch.randn(M, 9)], plain)


@needs_kernels
def test_numbers_of_levels_of_a_part_of_the_members():
    """A member's table may lie among those of others."""
    table, level = torch.randn(M, 4), torch.randint(0, 4, (M, B, 1))
    own = table[:, ::2][1:], level[1:] // 2
    joined = join_levels(torch.zeros(M - 1, B, 0), *own, torch.tensor([0]))
    assert torch.equal(joined, table[1:, ::2].gather(1, own[1][..., 0])[..., None])
