"""Contributions are complete, signed, and nothing for columns that do nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from attention_helpers import DEFAULT, PAPER, TASKS, make_frame
from torch import nn

from tabnet_auto import InputError
from tabnet_auto.attention.contributions import TOLERANCE, Explainer
from tabnet_auto.design import Design, Feature, Layout, MemberTables
from tabnet_auto.net.output import Output
from tabnet_auto.train.predict import predict_members


@pytest.mark.parametrize("preset", [DEFAULT, PAPER], ids=["default", "published"])
@pytest.mark.parametrize("task", TASKS)
def test_baseline_and_contributions_add_up_to_the_output(fit_of, task, preset):
    fit, frame = fit_of(task, preset), make_frame(task)[:40]
    found = fit.attention.contributions(frame, n_orders=2)
    n_outputs = 3 if task == "multiclass" else 1
    assert found.values.shape == (3, 40, 6, n_outputs)
    assert found.baseline.shape == (3, n_outputs)
    assert found.residual() <= TOLERANCE * np.abs(found.prediction).max()
    # The output is the prediction itself, on the scale on which contributions add up.
    design = fit.encoder.encode(frame)
    (members,) = predict_members(fit.net, design, fit.encoder.tables, is_class=task != "regression")
    if task == "regression":
        expected = members[..., None]
    elif task == "binary":
        expected = np.log(members[..., 1:] / members[..., :1])
    else:
        logs = np.log(members)
        expected = logs - logs.mean(axis=2, keepdims=True)
    n_seeds = fit.folds.n_members // 3
    expected = expected.reshape(3, n_seeds, *expected.shape[1:]).mean(axis=1)
    np.testing.assert_allclose(found.prediction, expected, rtol=1e-3, atol=1e-3)


def test_contributions_have_the_sign_and_the_place_of_the_signal(fit_of):
    frame = make_frame()
    found = fit_of().attention.contributions(frame[:120])
    assert found.outputs == ("log-odds of yes",)
    signal, kind = found.features.index("signal"), found.features.index("kind")
    values = found.values[..., 0]
    for fold in range(3):
        own = np.corrcoef(values[fold, :, signal], frame["signal"][:120])[0, 1]
        assert own > 0.8
        is_a = (frame["kind"][:120] == "a").to_numpy()
        assert values[fold, is_a, kind].mean() > values[fold, ~is_a, kind].mean() + 0.3
    size = np.abs(values).mean(axis=(0, 1))
    assert size[signal] > 3 * size[:4].max()


class Known(nn.Module):
    """One member: x0 + 2 x1 + 3 x0 x1, where a missing cell counts as 0; x2 does nothing."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, 1))

    def forward(self, rows):
        x = torch.nan_to_num(rows.x_num)
        y = x[..., :1] + 2 * x[..., 1:2] + 3 * x[..., :1] * x[..., 1:2]
        masks = torch.full((1, *x.shape), 1 / 3)
        return Output(y, masks, torch.ones(1, *x.shape[:2]), torch.zeros(1))


@pytest.mark.parametrize("n_orders", [2, 6])
def test_known_contributions(n_orders):
    names = ("a", "b", "c")
    layout = Layout(names, tuple(Feature(n, n, "numeric") for n in names), (), (), ())
    zeros = np.zeros((1, 3))
    tables = MemberTables(
        np.zeros((1, 3, 5)), zeros, zeros + 1, np.zeros((1, 0), int), np.zeros(0, int),
        np.array([10.0]), np.array([2.0]),
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(30, 3))
    design = Design(x, np.zeros((30, 0), np.int32), np.zeros((1, 30, 0), np.float32))
    explainer = Explainer(Known(), layout, tables, (), "y", (0,), n_orders)
    found = explainer.explain(design, pd.RangeIndex(30))
    assert found.outputs == ("y",)
    np.testing.assert_allclose(found.baseline, [[10.0]])
    # Antithetic orders halve an interaction of two columns exactly: Shapley's value.
    half = 1.5 * x[:, 0] * x[:, 1]
    expected = 2.0 * np.stack([x[:, 0] + half, 2 * x[:, 1] + half, 0 * half], axis=1)
    np.testing.assert_allclose(found.values[0, :, :, 0], expected, atol=1e-5)


def test_long_form_and_chunks(fit_of, monkeypatch):
    fit, frame = fit_of(), make_frame()[:20].set_index(np.arange(100, 120))
    found = fit.attention.contributions(frame, n_orders=2)
    long = found.to_frame()
    assert list(long) == ["fold", "row", "column", "output", "contribution"]
    assert len(long) == found.values.size
    one = long[(long["fold"] == 1) & (long["row"] == 105) & (long["column"] == "signal")]
    expected = found.values[1, 5, found.features.index("signal"), 0]
    assert one["contribution"].item() == pytest.approx(expected)
    monkeypatch.setattr("tabnet_auto.attention.contributions.chunk_rows", lambda net, n: 7)
    parts = fit.attention.contributions(frame, n_orders=2)
    np.testing.assert_allclose(parts.values, found.values, atol=1e-4)
    empty = fit.attention.contributions(frame[:0])
    assert empty.values.shape == (3, 0, 6, 1)
    assert empty.residual() == 0.0
    assert len(empty.to_frame()) == 0


@pytest.mark.parametrize("n_orders", [0, 3, -2])
def test_orders_come_in_pairs(fit_of, n_orders):
    with pytest.raises(InputError, match="even number of at least 2, however"):
        fit_of().attention.contributions(make_frame()[:5], n_orders=n_orders)
