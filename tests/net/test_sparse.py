"""Softmax, sparsemax and 1.5-entmax against a slow solver, the entmax package and gradcheck."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from tabnet_auto.net import sparse
from tabnet_auto.net.sparse import SPARSE_MAPS, entmax15, softmax, sparsemax

POWERS = {"sparsemax": 1, "entmax15": 2}
WIDTHS = [1, 2, 3, 5, 14, 15, 16, 40, 200, 1000]


@pytest.fixture(autouse=True)
def _one_thread():
    """Let small tensors not wait for a second thread, which another process may hold up."""
    torch.set_num_threads(1)


@pytest.fixture(params=["newton", "sorted"])
def route(request, monkeypatch):
    """Run a test on both ways to the threshold."""
    if request.param == "sorted":
        monkeypatch.setattr(sparse, "_is_eager_cpu", lambda _: False)
    return request.param


def slow_solution(logits, power):
    """Bisect each row's threshold in long double, then solve its support exactly."""
    z = logits.astype(np.longdouble) / power
    z = z - z.max(-1, keepdims=True)
    low, high = np.full((*z.shape[:-1], 1), -1.0, z.dtype), np.zeros((*z.shape[:-1], 1), z.dtype)
    for _ in range(80):
        middle = (low + high) / 2
        enough = (np.maximum(z - middle, 0) ** power).sum(-1, keepdims=True) >= 1
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return np.maximum(z - low, 0) ** power


def draw(*shape, scale=1.0, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype) * scale


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scale", [1e-4, 0.1, 1.0, 5.0, 1e4])
@pytest.mark.parametrize("name", POWERS)
def test_equals_a_slow_exact_solver(name, scale, width, route):
    logits = draw(3, 7, width, scale=scale)
    weights = SPARSE_MAPS[name](logits)
    np.testing.assert_allclose(weights, slow_solution(logits.numpy(), POWERS[name]), atol=1e-13)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 7, dtype=torch.float64))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("name", POWERS)
def test_float32_is_exact_to_rounding(name, scale, width, route):
    logits = draw(60, width, scale=scale, dtype=torch.float32)
    weights = SPARSE_MAPS[name](logits)
    exact = slow_solution(logits.numpy(), POWERS[name])
    np.testing.assert_allclose(weights, exact, atol=5e-7)
    assert (weights.sum(-1) - 1).abs().max() < 2e-6


@pytest.mark.parametrize("width", [1, 2, 14, 200])
@pytest.mark.parametrize("name", POWERS)
def test_equals_the_entmax_package(name, width, route):
    entmax = pytest.importorskip("entmax")
    logits = draw(50, width).requires_grad_()
    theirs = logits.detach().clone().requires_grad_()
    weights, expected = SPARSE_MAPS[name](logits), getattr(entmax, name)(theirs, dim=-1)
    torch.testing.assert_close(weights, expected, rtol=0, atol=1e-12)
    grad = draw(50, width, seed=1)
    weights.backward(grad)
    expected.backward(grad)
    torch.testing.assert_close(logits.grad, theirs.grad, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", SPARSE_MAPS)
@pytest.mark.parametrize("shape", [(6, 1), (6, 2), (2, 3, 5), (2, 14), (1, 1, 3, 40)])
def test_gradcheck(name, shape, route):
    logits = draw(*shape, scale=0.7).requires_grad_()
    assert gradcheck(SPARSE_MAPS[name], logits)


@pytest.mark.parametrize("name", SPARSE_MAPS)
@pytest.mark.parametrize("width", [1, 2, 3, 7, 16, 1000])
def test_equal_logits_share_equally(name, width, route):
    for value in (0.0, 1e4, -3.0):
        weights = SPARSE_MAPS[name](torch.full((4, width), value))
        torch.testing.assert_close(weights, torch.full((4, width), 1.0 / width))


@pytest.mark.parametrize("name", SPARSE_MAPS)
def test_ties_at_the_edge_of_the_support(name, route):
    logits = torch.tensor([[1.0, 1.0, 0.0, 0.0, -5.0], [2.0, 1.0, 1.0, 1.0, 1.0]])
    weights = SPARSE_MAPS[name](logits)
    assert weights[0, 0] == weights[0, 1]
    assert weights[0, 2] == weights[0, 3]
    assert (weights[1, 1:] == weights[1, 1]).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2))


def test_supports_known_by_hand(route):
    torch.testing.assert_close(
        sparsemax(torch.tensor([0.1, 1.1, 0.2, 0.3])), torch.tensor([0.0, 0.9, 0.0, 0.1])
    )
    assert sparsemax(torch.tensor([1.0, 0.0, -1.0])).tolist() == [1.0, 0.0, 0.0]
    assert entmax15(torch.tensor([3.0, 1.0, 0.9])).tolist() == [1.0, 0.0, 0.0]
    # the support of 1.5-entmax is never smaller than that of sparsemax, softmax has all
    logits = draw(100, 14)
    sizes = [(f(logits) > 0).sum(-1) for f in (sparsemax, entmax15, softmax)]
    assert (sizes[0] <= sizes[1]).all()
    assert (sizes[2] == 14).all()


def test_a_support_that_shrinks_one_column_a_pass(route):
    # the worst case of the fixed point: every pass removes few columns
    logits = -(0.5 ** torch.arange(40, 0, -1, dtype=torch.float64)).flip(0).cumsum(0)
    for name, power in POWERS.items():
        exact = slow_solution(logits.numpy(), power)
        np.testing.assert_allclose(SPARSE_MAPS[name](logits), exact, atol=1e-13)


@pytest.mark.parametrize("name", SPARSE_MAPS)
@pytest.mark.parametrize("width", [3, 14, 40])
def test_masked_columns_get_exactly_zero_and_no_gradient(name, width, route):
    logits = draw(20, width)
    hidden = torch.arange(width) % 3 == 1
    masked = logits.masked_fill(hidden, -torch.inf).requires_grad_()
    weights = SPARSE_MAPS[name](masked)
    assert (weights[:, hidden] == 0).all()
    torch.testing.assert_close(weights[:, ~hidden], SPARSE_MAPS[name](logits[:, ~hidden]))
    weights.backward(draw(20, width, seed=1))
    assert (masked.grad[:, hidden] == 0).all()
    assert masked.grad.isfinite().all()


@pytest.mark.parametrize("name", SPARSE_MAPS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("width", [5, 200])
def test_half_precision_is_mapped_in_float32(name, dtype, width, route):
    logits = draw(30, width).to(dtype).requires_grad_()
    weights = SPARSE_MAPS[name](logits)
    assert weights.dtype == dtype
    torch.testing.assert_close(weights, SPARSE_MAPS[name](logits.detach().float()).to(dtype))
    weights.sum().backward()
    assert logits.grad.dtype == dtype
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("name", SPARSE_MAPS)
def test_a_constant_moves_no_weight_and_gradients_sum_to_zero(name, route):
    logits = draw(9, 14).requires_grad_()
    weights = SPARSE_MAPS[name](logits)
    torch.testing.assert_close(SPARSE_MAPS[name](logits + 7.0), weights)
    weights.backward(draw(9, 14, seed=1))
    torch.testing.assert_close(logits.grad.sum(-1), torch.zeros(9, dtype=torch.float64))


@pytest.mark.parametrize("name", SPARSE_MAPS)
def test_leaves_its_input_alone_and_takes_any_layout(name, route):
    logits = draw(4, 6, 5).transpose(0, 2)
    before = logits.clone()
    torch.testing.assert_close(SPARSE_MAPS[name](logits), SPARSE_MAPS[name](before.contiguous()))
    assert torch.equal(logits, before)
    assert SPARSE_MAPS[name](torch.zeros(0, 4)).shape == (0, 4)
    assert SPARSE_MAPS[name](draw(7)).shape == (7,)


@pytest.mark.parametrize("name", SPARSE_MAPS)
def test_nan_ends_and_stays_in_its_row(name, route):
    logits = draw(3, 14)
    logits[1, 4] = torch.nan
    weights = SPARSE_MAPS[name](logits)
    assert weights[1].isnan().any()
    torch.testing.assert_close(weights[::2], SPARSE_MAPS[name](logits[::2]))
