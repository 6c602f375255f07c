"""The penalty that keeps attention even while nothing is learned."""

from __future__ import annotations

import math

import pytest
import torch

from tabnet_auto.net.tabnet import unevenness


def test_it_is_what_the_entropy_of_even_weights_has_more():
    even, half, one = [0.25] * 4, [0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]
    masks = torch.tensor([even, half, one]).view(1, 3, 1, 4)
    torch.testing.assert_close(unevenness(masks), torch.tensor([0.0, 0.5, 1.0]))
    three = torch.tensor([0.5, 0.3, 0.2]).view(1, 1, 1, 3)
    entropy = -(three * three.log()).sum().item()
    assert unevenness(three).item() == pytest.approx(1.0 - entropy / math.log(3), abs=1e-6)


def test_rows_and_steps_count_alike_and_members_do_not_mix():
    torch.manual_seed(0)
    masks = torch.rand(2, 3, 5, 4).softmax(3)
    together = unevenness(masks)
    for m in range(3):
        torch.testing.assert_close(together[m : m + 1], unevenness(masks[:, m : m + 1]))
    by_row = [unevenness(masks[:, :, b : b + 1]) for b in range(5)]
    torch.testing.assert_close(together, torch.stack(by_row).mean(0))


def test_one_column_is_even():
    assert unevenness(torch.ones(1, 2, 3, 1)).tolist() == [0.0, 0.0]


def test_its_slope_has_an_end_where_a_column_is_closed():
    masks = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2).requires_grad_()
    unevenness(masks).sum().backward()
    assert torch.isfinite(masks.grad).all()
