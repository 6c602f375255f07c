"""The penalty on the columns' shares of the attention."""

from __future__ import annotations

import torch

from tabnet_auto.net.tabnet import mass_penalty


def test_columns_that_all_rows_leave_cost_less_than_columns_that_rows_share_out():
    sizes = torch.ones(1, 1, 2)
    left = torch.tensor([[[[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]]])
    shared = torch.tensor([[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]])
    even = torch.full((1, 1, 2, 3), 1 / 3)
    torch.testing.assert_close(mass_penalty(left, sizes), mass_penalty(shared, sizes))
    assert mass_penalty(left, sizes) < mass_penalty(even, sizes)


def test_members_do_not_mix_and_steps_count_by_their_size():
    torch.manual_seed(0)
    masks, sizes = torch.rand(2, 3, 5, 4).softmax(3), torch.rand(2, 3, 5)
    together = mass_penalty(masks, sizes)
    for m in range(3):
        alone = mass_penalty(masks[:, m : m + 1], sizes[:, m : m + 1])
        torch.testing.assert_close(together[m : m + 1], alone)
    sizes[1] = 0.0
    torch.testing.assert_close(mass_penalty(masks, sizes), mass_penalty(masks[:1], sizes[:1]))


def test_even_weights_are_a_stationary_point():
    logits = torch.zeros(1, 1, 6, 4, requires_grad=True)
    mass_penalty(logits.softmax(3), torch.ones(1, 1, 6)).sum().backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits))
