"""Effective attention follows the values through the mask to the output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from attention_helpers import DEFAULT, PAPER, TASKS, make_frame

from tabnet_auto import InputError, auto_fit
from tabnet_auto.attention.effective import effective_attention
from tabnet_auto.attention.read import common_rows


def signal_and_noise(fit, effective):
    signal = fit.attention.features.index("signal")
    noise = [i for i, name in enumerate(fit.attention.features) if name.startswith("noise")]
    return effective[..., signal].mean(), effective[..., noise].mean(axis=(0, 1))


@pytest.mark.parametrize("task", TASKS)
def test_rows_sum_to_one_and_the_signal_leads(fit_of, task):
    fit, frame = fit_of(task), make_frame(task)[:90]
    effective = fit.attention.effective(frame)
    assert effective.shape == (3, 90, 6)
    assert effective.dtype == np.float32
    assert (effective >= 0).all()
    np.testing.assert_allclose(effective.sum(axis=2), 1.0, rtol=1e-5)
    signal, noise = signal_and_noise(fit, effective)
    assert signal > 3 * noise.max()
    weights = fit.attention.rows(frame).mean(axis=1)
    assert noise.sum() < signal_and_noise(fit, weights)[1].sum()


def rows_and_net(fit, frame):
    design, n = fit.encoder.encode(frame), fit.members.n_members
    rows, others = (common_rows(design, n, k, torch.device("cpu")) for k in (40, 128))
    return fit.net, rows, others


def test_it_is_the_change_of_the_output_when_values_are_exchanged(fit_of, monkeypatch):
    """A linear trunk and fixed weights: the shares are those of the output's true changes."""
    fit, frame = fit_of("regression"), make_frame("regression")[:40]
    net, rows, others = rows_and_net(fit, frame)
    monkeypatch.setattr(net.first, "forward", lambda state, _: state)
    for activation in net.activations:
        monkeypatch.setattr(activation, "forward", lambda state, _: state)
    shares = effective_attention(net, rows, others)

    def output(encoded, weights):
        tokens = net.tokens(encoded)
        state = net.bias
        for own, step in zip(weights, net.steps, strict=True):
            state = state + step.value.sum(tokens, own)
        for layer in net.layers:
            state = layer(state)
        return net.head(state)[..., 0]

    def spread(column):
        """Standard deviation of the output while one column takes every row's value."""
        (place,) = torch.nonzero(net.inputs.feature_to_column == column).flatten().tolist()
        outputs = []
        for b in range(rows.x_num.shape[1]):
            swapped = [block.clone() for block in seen[:3]]
            for block in swapped:
                block[:, :, place] = block[:, b : b + 1, place]
            outputs.append(output(type(seen)(*swapped, seen.level), weights))
        return torch.stack(outputs).std(0, correction=0).numpy()

    with torch.no_grad():
        seen = net.inputs(rows)
        weights = net(rows).masks.index_select(3, net.inputs.feature_to_column)
        weights = weights * net.inputs.n_columns
        signal = fit.attention.features.index("signal")
        for noise in range(4):
            np.testing.assert_allclose(
                shares[..., noise] / shares[..., signal], spread(noise) / spread(signal), rtol=2e-3
            )


def test_a_network_that_says_nothing_falls_back_on_its_weights(fit_of, monkeypatch):
    fit, frame = fit_of(), make_frame()[:40]
    net, rows, others = rows_and_net(fit, frame)
    monkeypatch.setattr(net.head.weight, "data", torch.zeros_like(net.head.weight))
    shares = effective_attention(net, rows, others)
    with torch.no_grad():
        np.testing.assert_allclose(shares, net(rows).masks.mean(0).numpy(), atol=1e-5)


def test_it_says_what_it_needs(fit_of):
    with pytest.raises(InputError, match="at least two rows"):
        fit_of().attention.effective(make_frame()[:1])
    with pytest.raises(InputError, match="default network"):
        fit_of("binary", PAPER).attention.effective(make_frame())


def test_columns_that_no_row_needs_close_as_the_network_learns():
    def fit(weight):
        preset = replace(DEFAULT, net=replace(DEFAULT.net, column_sparsity=weight))
        return auto_fit(make_frame("regression"), "y", preset=preset, folds=3, verbose=False)

    left_open, closing = fit(0.0), fit(1.0)  # a short training needs more than the default
    noise = [f"noise{i}" for i in range(4)]
    opened, closed = (one.attention.per_fold[noise].sum(axis=1) for one in (left_open, closing))
    assert closed.mean() < 0.5 * opened.mean()
    assert closing.oof_score < 1.1 * left_open.oof_score
