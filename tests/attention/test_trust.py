"""Deletion, insertion, controls and the verdict: each tells signal from noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from attention_helpers import PAPER, make_frame

from tabnet_auto import InputError, load
from tabnet_auto.attention.controls import Controls, evenness, with_decoys
from tabnet_auto.attention.curves import ORDERS, Curves
from tabnet_auto.attention.read import blanked, held_out_sample, read_sample
from tabnet_auto.attention.stability import measure_stability
from tabnet_auto.attention.summary import MIN_CURVE_ROWS, MIN_HARM_ROWS, summarize_attention
from tabnet_auto.attention.trust import Trust
from tabnet_auto.reporting import trust_curves
from tabnet_auto.result.trial import held_out_task


@pytest.fixture(scope="module")
def frame():
    return make_frame()


def test_deleting_by_attention_does_more_damage_than_at_random(fit_of, frame):
    trust = fit_of().attention.trust(frame)
    curves = trust.curves
    assert curves.orders == ORDERS
    assert curves.removed.tolist() == list(range(7))
    assert curves.deletion.shape == curves.insertion.shape == (4, 3, 7)
    for fold in range(3):
        assert curves.damage("attention")[fold] > 1.2 * curves.damage("random")[fold] > 0
        assert curves.remainder("attention")[fold] < curves.remainder("random")[fold]
        # The column that matters most goes first: one step does most of the damage.
        loss = curves.deletion[ORDERS.index("mean attention"), fold]
        assert loss[1] - loss[0] > 0.4 * (loss.max() - loss[0])
    # Nothing or everything missing does not depend on the order, nor on the direction.
    for curve in (curves.deletion, curves.insertion):
        for end in (0, -1):
            both = np.concatenate([curve[:, :, end], curves.deletion[:, :, end]])
            np.testing.assert_allclose(both, both[:1].repeat(8, axis=0), rtol=1e-4)
    assert trust.agreement > 0.3
    assert "times as much as at random" in trust.verdict


def test_attention_that_points_at_noise_is_found_out(fit_of, frame, monkeypatch):
    """Negative control: the same network with its weights told in the wrong order."""
    import tabnet_auto.attention.curves as module

    fit, read = fit_of(), module.read_sample

    def wrong(net, sample):
        found = read(net, sample)
        return found._replace(weights=found.weights.max() - found.weights)

    monkeypatch.setattr(module, "read_sample", wrong)
    trust = fit.attention.trust(frame)
    assert (trust.curves.damage("attention") < trust.curves.damage("random")).all()
    assert "not in deletion" in trust.verdict


def test_the_training_frame_is_recognised_and_read_out_of_fold(fit_of, frame):
    fit = fit_of()
    task = held_out_task(fit, frame)
    assert task.folds is fit.folds or task.folds.valid == fit.folds.valid
    assert task.design.n_rows == 599, "one row has no target"
    other = held_out_task(fit, frame[:100])
    assert all(rows.tolist() == list(range(99)) for rows in other.folds.valid)


def test_blank_cells_are_what_a_user_leaves_out(fit_of, frame):
    fit = fit_of()
    task = held_out_task(fit, frame)
    sample = held_out_sample(task, 50, torch.device("cpu"))
    gone = torch.tensor([c in ("signal", "kind") for c in task.layout.columns])
    rows = blanked(sample.rows, gone, task.layout)
    bare = frame.assign(signal=np.nan, kind=pd.Series([None] * len(frame), dtype=object))
    columns = fit.encoder.encode(pd.concat([frame, bare])).codes
    assert rows.codes.unique().tolist() == [int(columns[-1, 0])]
    x = rows.x_num[:, :, list(task.layout.columns).index("signal")]
    assert torch.isnan(x).all()
    assert not torch.isnan(rows.x_num[:, :, 0]).any()
    same = blanked(sample.rows, torch.zeros(6, dtype=torch.bool), task.layout)
    np.testing.assert_array_equal(
        read_sample(fit.net, sample).losses,
        read_sample(fit.net, replace(sample, rows=same)).losses,
    )


def test_checks_made_with_a_fit_are_bounded_by_its_training(fit_of, frame, monkeypatch):
    fit, n_rows = fit_of(), []
    task = held_out_task(fit, frame)
    import tabnet_auto.attention.summary as module

    real = module.shuffle_harm
    monkeypatch.setattr(
        module,
        "shuffle_harm",
        lambda net, sample, *rest: n_rows.append(sample.n_rows) or real(net, sample, *rest),
    )
    short = summarize_attention(fit.net, task, row_steps=1)
    assert (n_rows, short.curves.n_rows) == ([MIN_HARM_ROWS], MIN_CURVE_ROWS)
    assert len(short.curves.removed) == 6
    long = summarize_attention(fit.net, task)
    smallest = min(len(rows) for rows in fit.folds.valid)
    assert (n_rows[-1], long.curves.n_rows) == (smallest, smallest)
    np.testing.assert_allclose(long.members, short.members)


def test_trust_made_with_the_fit_is_saved_and_loaded(fit_of, tmp_path):
    fit = fit_of()
    again = load(fit.save(tmp_path / "model"))
    kept, own = again.attention.trust(), fit.attention.trust()
    assert kept.verdict == own.verdict
    np.testing.assert_array_equal(kept.curves.deletion, own.curves.deletion)
    np.testing.assert_array_equal(kept.curves.insertion, own.curves.insertion)
    assert again.attention.stability() == fit.attention.stability()
    assert own.verdict in repr(fit.attention)


def test_the_published_network_is_checked_as_well(fit_of, frame):
    trust = fit_of(preset=PAPER).attention.trust(frame)
    assert np.isfinite(trust.curves.deletion).all()
    assert np.isnan(trust.stability.seed_rank)


def test_decoys_carry_nothing_and_look_like_their_originals(fit_of, frame):
    task = held_out_task(fit_of(), frame)
    made = with_decoys(task, 6, seed=1)
    names = task.layout.columns
    assert made.layout.columns == (*names, *(f"decoy of {name}" for name in names))
    assert made.layout.feature_to_column.max() == 11
    n = len(task.layout.numeric)
    np.testing.assert_array_equal(
        np.sort(made.design.x_num[:, n:], axis=0), np.sort(task.design.x_num, axis=0)
    )
    assert abs(np.corrcoef(made.design.x_num[:, n - 1], made.design.x_num[:, -1])[0, 1]) < 0.15
    np.testing.assert_array_equal(made.tables.quantiles[:, n:], task.tables.quantiles)
    for bad in (0, 7):
        with pytest.raises(InputError, match="decoys must be from 1 to the number of columns"):
            with_decoys(task, bad, seed=0)


def test_decoys_get_less_than_their_share_and_a_shuffled_target_evens_attention(fit_of, frame):
    fit = fit_of()
    trust = fit.attention.trust(frame, decoys=3, shuffled_target=True)
    controls = trust.controls
    assert len(controls.decoys) == 3
    assert controls.decoy_mass.shape == controls.null_evenness.shape == (3,)
    assert controls.decoy_mass.mean() < 3 / 9
    weights = fit.attention.per_fold.to_numpy()
    assert controls.null_evenness.mean() > max(0.9, evenness(weights).mean())
    assert "3 decoys get" in trust.verdict
    assert "with a shuffled target" in trust.verdict


def test_controls_need_the_training_frame(fit_of, frame):
    attention = fit_of().attention
    with pytest.raises(InputError, match="need the training frame, however: no frame"):
        attention.trust(decoys=2)
    with pytest.raises(InputError, match="is not the one learned from"):
        attention.trust(frame[:100], shuffled_target=True)
    with pytest.raises(InputError, match="target"):
        attention.trust(frame.drop(columns="y"))


ALONE = measure_stability(np.ones((1, 4, 1)), (0,))
"""One fold: nothing to compare."""


def make_trust(own=2.0, agreement=0.8, decoy=None, even=None):
    deletion = np.zeros((4, 2, 3))
    deletion[:, :, 1:] = np.array([own, own, own, 1.0])[:, None, None]
    harm = np.array([0.3, 0.2, 0.1])
    controls = Controls(
        ("decoy of a",), None if decoy is None else np.array([decoy]),
        None if even is None else np.array([even]),
    )  # fmt: skip
    curves = Curves(np.array([0, 1, 3]), deletion, deletion, 10)
    return Trust(("a", "b", "c"), harm, harm, agreement, ALONE, curves, controls)


def test_the_verdict_says_what_holds_and_what_does_not():
    good = make_trust(decoy=0.01, even=0.97).verdict
    assert good.startswith("Attention holds in every check: taking columns away by attention")
    assert "2.00 times as much as at random" in good
    assert "1 decoys get 1.0% of the attention (uniform: 25.0%)" in good
    assert "97% even" in good
    mixed = make_trust(own=1.0, decoy=0.2).verdict
    assert mixed.startswith("Attention holds in 1 of 3 checks, not in deletion and decoys: ")
    bad = make_trust(own=1.0, agreement=0.1).verdict
    assert bad.startswith("Attention holds in no check: do not rely on it: ")
    nothing = Trust(("a",), np.ones(1), np.full(1, np.nan), np.nan, ALONE, None, Controls())
    assert "was not checked" in nothing.verdict
    assert repr(nothing) == f"Trust: {nothing.verdict}"


def test_area_of_a_curve():
    curves = make_trust(own=3.0).curves
    # 0 -> 3 over a third of the columns, 3 for the rest.
    np.testing.assert_allclose(curves.damage("attention"), 3 * (0.5 / 3 + 2 / 3))
    np.testing.assert_allclose(curves.remainder("random"), 0.5 / 3 + 2 / 3)


def test_rows_lazily_and_in_long_form(fit_of, frame, monkeypatch):
    attention = fit_of().attention
    rows = attention.rows(frame[:30])
    monkeypatch.setattr("tabnet_auto.train.predict.chunk_rows", lambda net, n: 8)
    chunks = list(attention.chunks(frame[:30]))
    assert [chunk.shape[2] for chunk in chunks] == [8, 8, 8, 6]
    np.testing.assert_allclose(np.concatenate(chunks, axis=2), rows, atol=1e-6)
    shuffled = frame[:30].sample(frac=1.0, random_state=0)
    long = attention.to_frame(shuffled)
    assert list(long) == ["fold", "step", "row", "column", "weight"]
    one = long.query("fold == 2 and step == 1 and row == 7 and column == 'kind'")
    assert one["weight"].item() == pytest.approx(float(rows[2, 1, 7, 5]), abs=1e-5)
    sums = long.groupby(["fold", "step", "row"])["weight"].sum()
    assert len(sums) == 3 * 2 * 30
    np.testing.assert_allclose(sums, 1.0, atol=1e-5)


def test_stability_on_rows_of_ones_choice(fit_of, frame):
    attention = fit_of().attention
    found = attention.stability(frame[:50])
    assert found.n_rows == 50
    assert -1 <= found.fold_rank <= 1
    assert 0 < found.fold_rows <= 1
    assert np.isfinite([found.seed_rank, found.seed_top, found.seed_rows]).all()
    assert attention.stability().n_rows == 256
    with pytest.raises(InputError, match="at least one row"):
        attention.stability(frame[:0])


def test_evenness():
    assert evenness(np.full((2, 8), 1 / 8)).tolist() == pytest.approx([1.0, 1.0])
    assert evenness(np.eye(4)).tolist() == [0.0] * 4
    assert evenness(np.ones((3, 1))).tolist() == [1.0] * 3


def test_the_report_draws_both_curves_between_the_same_ends(fit_of):
    deletion, insertion = trust_curves(fit_of().attention_summary)
    assert deletion.share[0] == insertion.share[0] == 0.0
    assert deletion.share[-1] == insertion.share[-1] == 1.0
    for order, losses in deletion.losses.items():
        assert losses[0] == pytest.approx(insertion.losses[order][-1]), "no column is missing"
        assert losses[-1] == pytest.approx(insertion.losses[order][0]), "all are missing"
    assert deletion.verdict == insertion.verdict != ""
