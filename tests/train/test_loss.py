"""Losses against scikit-learn, and how much rows count in them."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from sklearn.utils.class_weight import compute_class_weight
from train_helpers import make_members, make_table, make_tables

from tabnet_auto.metrics import METRICS, Objective
from tabnet_auto.net.output import ByShare
from tabnet_auto.train.loss import (
    VALUE_LOSSES,
    counted,
    early,
    earned,
    explained_share,
    member_losses,
    row_losses,
)
from tabnet_auto.train.rows import Targets
from tabnet_auto.train.weights import SMALL_VALUES, loss_weights

RNG = np.random.default_rng(0)
Y = RNG.gamma(1.0, 2.0, 300) + 0.01
OUTPUT = RNG.normal(size=300)

EXPECTED = {
    "squared": 0.5 * sk.mean_squared_error(Y, OUTPUT),
    "absolute": sk.mean_absolute_error(Y, OUTPUT),
    "pinball": sk.mean_pinball_loss(Y, OUTPUT, alpha=0.8),
    "poisson": 0.5 * sk.mean_poisson_deviance(Y, np.exp(OUTPUT)),
    "gamma": 0.5 * sk.mean_gamma_deviance(Y, np.exp(OUTPUT)),
}


def test_every_loss_is_checked():
    assert set(EXPECTED) == set(VALUE_LOSSES)


@pytest.mark.parametrize("loss", EXPECTED)
def test_losses_of_values(loss):
    logits, y = torch.tensor(OUTPUT)[None, :, None], torch.tensor(Y)[None]
    losses = row_losses(logits, y, Objective(loss, 0.8))
    assert losses.shape == (1, 300)
    assert losses.mean().item() == pytest.approx(EXPECTED[loss])


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_far_outputs_stay_finite(loss):
    logits = torch.tensor([-200.0, 200.0], requires_grad=True)
    losses = row_losses(logits[None, :, None], torch.tensor([[2.0, 3.0]]), Objective(loss))
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert logits.grad[0] < 0 < logits.grad[1] or torch.isfinite(logits.grad).all()


# --- objectives: to the learned scale and back ----------------------------------------------------


@pytest.mark.parametrize("objective", [Objective(), Objective(transform="log1p")])
def test_learned_values_come_back(objective):
    learned = objective.learned(Y)
    center, scale = learned.mean(), learned.std()
    back = objective.values((learned - center) / scale, np.array(center), np.array(scale))
    np.testing.assert_allclose(back, Y)


def test_log_links_predict_shares_of_the_mean():
    design, members = make_table(task="regression"), make_members()
    design = design.with_target(Y[:240])
    tables = make_tables(design, members, "regression")
    targets = Targets(design, tables, members.train, objective=Objective("gamma"))
    y, _ = targets.gather(torch.arange(240).repeat(3, 1))
    mean = np.array([Y[rows].mean() for rows in members.train])
    np.testing.assert_allclose(y.numpy(), Y[:240] / mean[:, None], rtol=1e-5)
    outputs = np.log(y.double().numpy())
    back = Objective("gamma").values(outputs, tables.y_center[:, None], tables.y_scale[:, None])
    np.testing.assert_allclose(back, np.tile(Y[:240], (3, 1)), rtol=1e-5)
    assert np.isfinite(Objective("poisson").values(np.array([900.0]), np.ones(1), np.ones(1)))


def test_predictions_of_the_log_scale_are_never_negative():
    objective = METRICS["rmsle"].objective
    values = objective.values(np.array([-50.0, 0.0, 1e6]), np.zeros(1), np.ones(1))
    assert (values >= 0).all()
    assert np.isfinite(values).all()


# --- weights --------------------------------------------------------------------------------------

ROWS = (np.arange(0, 60), np.arange(30, 90))


def test_no_weights_where_all_rows_count_alike():
    assert loss_weights(Y, None, ROWS, Objective()) is None


def test_weights_have_mean_one_over_training_rows():
    y = RNG.integers(0, 3, 90)
    given = RNG.uniform(0.1, 2.0, 90)
    for objective in (Objective(), Objective(class_weight="balanced")):
        weights = loss_weights(y, given, ROWS, objective)
        assert weights.shape == (2, 90)
        for own, rows in zip(weights, ROWS, strict=True):
            assert own[rows].mean() == pytest.approx(1.0, abs=1e-5)
    weights = loss_weights(y, given, ROWS, Objective(class_weight=(1.0, 5.0, 0.5)))
    ratio = weights[1] / (given * np.array([1.0, 5.0, 0.5])[y])
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


def test_balanced_weights_are_scikit_learns_of_the_members_own_rows():
    y = (RNG.random(90) < 0.2).astype(np.int64)
    weights = loss_weights(y, None, ROWS, Objective(class_weight="balanced"))
    for own, rows in zip(weights, ROWS, strict=True):
        expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=y[rows])
        np.testing.assert_allclose(own, expected[y], rtol=1e-5)
    # Labels outside the training rows change nothing that the member is weighed by.
    other = y.copy()
    other[60:] = 1 - y[60:]
    again = loss_weights(other, None, ROWS, Objective(class_weight="balanced"))
    np.testing.assert_array_equal(again[0][:60], weights[0][:60])
    assert not np.allclose(again[1][30:60], weights[1][30:60])


def test_a_class_that_a_member_has_no_row_of():
    y = np.r_[np.zeros(60, dtype=np.int64), np.ones(30, dtype=np.int64)]
    weights = loss_weights(y, None, ROWS, Objective(class_weight="balanced"))
    assert np.isfinite(weights).all()


@pytest.mark.parametrize("power", [1, 2])
def test_relative_errors_weigh_rows_by_the_inverse(power):
    y = np.r_[0.0, -0.5, RNG.uniform(1, 9, 88)]
    weights = loss_weights(y, None, ROWS, Objective(relative=power))[0]
    floor = np.quantile(np.abs(y[ROWS[0]]), SMALL_VALUES)
    expected = np.maximum(np.abs(y), floor) ** -power
    np.testing.assert_allclose(weights, expected / expected[ROWS[0]].mean(), rtol=1e-5)
    assert np.isfinite(loss_weights(np.zeros(90), None, ROWS, Objective(relative=power))).all()


def test_the_explained_share_is_that_of_the_variance_for_squared_errors():
    random = np.random.default_rng(0)
    y = torch.from_numpy(random.normal(size=(2, 4000)))
    logits = torch.stack([0.6 * y[0], torch.zeros_like(y[1])]).unsqueeze(2).requires_grad_()
    active = torch.ones(2, 4000, dtype=torch.bool)

    def loss_of(values):
        return member_losses(row_losses(values, y), None, active)

    share = explained_share(logits, loss_of(logits), loss_of)
    assert not share.requires_grad
    torch.testing.assert_close(share, torch.tensor([1 - 0.4**2, 0.0]).double(), atol=0.02, rtol=0)


def test_nothing_is_explained_by_class_shares_alone_however_rare_a_class():
    y = (torch.arange(1000) % 100 == 0).long().unsqueeze(0)
    shares = torch.tensor([0.99, 0.01]).log().expand(1, 1000, 2)
    right = torch.nn.functional.one_hot(y, 2) * 20.0
    active = torch.ones(1, 1000, dtype=torch.bool)

    def loss_of(values):
        return member_losses(row_losses(values, y), None, active)

    assert explained_share(shares, loss_of(shares), loss_of).item() == pytest.approx(0.0, abs=1e-5)
    assert explained_share(right, loss_of(right), loss_of).item() == pytest.approx(1.0, abs=1e-3)
    wrong = right.flip(2)
    assert explained_share(wrong, loss_of(wrong), loss_of).item() == 0.0


def test_penalties_are_earned_neither_before_the_signal_is_found_nor_when_all_is_said():
    shares = torch.tensor([0.0, 0.1, 0.5, 0.75, 0.99, 1.0])
    torch.testing.assert_close(
        earned(shares), torch.tensor([0.0, 0.0009, 0.0625, 0.10546875, 0.00970299, 0.0])
    )


def test_an_early_penalty_ends_where_a_little_is_learned():
    shares = torch.tensor([0.0, 0.01, 0.05, 0.2, 1.0])
    torch.testing.assert_close(
        early(shares), torch.tensor([1.0, 0.3660, 0.00592, 0.0, 0.0]), atol=1e-5, rtol=1e-3
    )
    shares = torch.tensor([0.0, 0.75])
    penalties = ByShare(early=torch.tensor([2.0, 3.0]), earned=torch.tensor([5.0, 7.0]))
    torch.testing.assert_close(counted(penalties, shares), torch.tensor([2.0, 7.0 * 0.10546875]))
