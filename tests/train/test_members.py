"""Members trained side by side equal members trained alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from train_helpers import PAPER, SMALL, make_members, make_table, make_trainer, one, some

from tabnet_auto.config import Kind, MemberSettings, TrainConfig
from tabnet_auto.net.build import PaperRows
from tabnet_auto.net.native import library
from tabnet_auto.trace import Trace
from tabnet_auto.train import optimizer
from tabnet_auto.train.halving import RUNGS, Halving
from tabnet_auto.train.members import with_kinds
from tabnet_auto.train.state import weights_of

CASES = [
    pytest.param("binary", SMALL, False, id="default"),
    pytest.param("regression", SMALL, True, id="default-regression-weighted"),
    pytest.param("binary", PAPER, True, id="paper-weighted"),
    pytest.param("regression", PAPER, False, id="paper-regression"),
]


def trained(design, members, task, net, dtype, epochs, settings=None, config=None):
    config = config or TrainConfig(max_epochs=epochs, batch_size=32, patience=3, lr=0.002)
    trainer = make_trainer(
        design, members, task=task, net=net, config=config, dtype=dtype, settings=settings
    )
    return trainer.run()


@pytest.mark.parametrize(("task", "net", "weighted"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_side_by_side_equals_alone(task, net, weighted, dtype, tolerance):
    design = make_table(task=task, weighted=weighted)
    members = make_members()
    # 5 steps an epoch for the largest member: 10 epochs are 50 steps.
    together = trained(design, members, task, net, dtype, epochs=10)
    for i in range(3):
        alone = trained(design, one(members, i), task, net, dtype, epochs=10)
        assert alone.best_epoch[0] == together.best_epoch[i]
        assert alone.best_loss[0] == pytest.approx(together.best_loss[i], abs=tolerance)
        for name, tensor in alone.best.items():
            torch.testing.assert_close(
                together.best[name][i], tensor[0], rtol=0, atol=tolerance, equal_nan=True
            )


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_network_that_is_told_its_goal_learns_the_same(task, weighted, monkeypatch):
    design, members = make_table(task=task, weighted=weighted), make_members()
    losses, best = [], []
    for told in (True, False):
        monkeypatch.setattr(PaperRows, "uses_goal", told and library.is_usable())
        trace = Trace()
        config = TrainConfig(max_epochs=3, batch_size=32, patience=3, lr=0.002)
        trainer = make_trainer(design, members, task=task, net=PAPER, config=config, trace=trace)
        best.append(trainer.run().best)
        losses.append([e.data["train_loss"] for e in trace.events if e.kind == "epoch"])
    np.testing.assert_allclose(*losses, atol=1e-5)
    for name, tensor in best[0].items():
        torch.testing.assert_close(tensor, best[1][name], rtol=0, atol=1e-4, msg=name)


OWN = MemberSettings(
    lr=(0.002, 0.01, 0.0005),
    weight_decay=(0.0, 0.3, 0.02),
    dropout=(0.4, 0.0, 0.1),
    column_dropout=(0.0, 0.3, 0.1),
    unknown_rate=(0.2, 0.01, 0.0),
)


@pytest.mark.parametrize(("task", "net", "weighted"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_members_with_settings_of_their_own_equal_networks_set_up_alone(
    task, net, weighted, dtype, tolerance
):
    design, members = make_table(task=task, weighted=weighted), make_members()
    together = trained(design, members, task, net, dtype, 8, settings=OWN)
    others = trained(design, members, task, net, dtype, 8)
    for i in range(3):
        own = {name: values[i] for name, values in vars(OWN).items()}
        config = TrainConfig(
            max_epochs=8, batch_size=32, patience=3, lr=own["lr"], weight_decay=own["weight_decay"]
        )
        drops = {k: own[k] for k in ("dropout", "column_dropout", "unknown_rate")}
        alone_net = net if net is PAPER else replace(net, **drops)
        one_only = None if net is not PAPER else MemberSettings(
            column_dropout=(own["column_dropout"],), unknown_rate=(own["unknown_rate"],)
        )  # fmt: skip
        alone = trained(
            design, one(members, i), task, alone_net, dtype, 8, settings=one_only, config=config
        )
        for name, tensor in alone.best.items():
            torch.testing.assert_close(
                together.best[name][i], tensor[0], rtol=0, atol=tolerance, equal_nan=True
            )
    # Negative control: the settings matter.
    assert not np.allclose(together.best_loss, others.best_loss)


def test_the_worse_half_leaves_at_every_rung_and_the_seeded_stay():
    loss = [0.5, 0.9, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7]
    halving = Halving(race=[0] * 8, seeded=[1])
    state = SimpleNamespace(best_loss=loss)
    assert halving.survivors(state, 0.05) == set(range(8))
    assert halving.survivors(state, 0.07) == {1, 2, 3, 4, 5}
    assert halving.survivors(state, 0.19) == {1, 2, 3, 4, 5}
    assert halving.survivors(state, 0.5) == {1, 2, 3}
    assert halving.survivors(state, 0.5) == {1, 2}
    assert halving.rung == [0, 3, 3, 2, 1, 1, 0, 0]


def test_races_are_run_apart():
    halving = Halving(race=[0, 0, 1, 1], seeded=[])
    state = SimpleNamespace(best_loss=[0.1, 0.2, 0.9, 0.8])
    assert halving.survivors(state, 0.1) == {0, 3}


def test_every_rung_gets_an_equal_share_of_the_time():
    assert [Halving.pace(share) for share in (0.25, 0.5, 0.75, 1.0)] == [*RUNGS, 1.0]


def test_who_leaves_at_a_rung_changes_nothing_for_who_stays():
    design, members = make_table(), make_members()
    config = TrainConfig(max_epochs=15, batch_size=32, patience=15, lr=0.002)
    plain = trained(design, members, "binary", SMALL, torch.float64, 15, config=config)
    trace = Trace()
    trainer = make_trainer(
        design, members, config=config, dtype=torch.float64, trace=trace, settings=None
    )
    halving = Halving(race=(0, 0, 0), seeded=())
    state = trainer.run(halving=halving)
    assert [len(event["members"]) for event in trace.of("epoch")] == [3] + [2] * 2 + [1] * 12
    assert len(halving.standing) == 1
    for member in halving.standing:
        assert state.best_loss[member] == pytest.approx(plain.best_loss[member], abs=1e-12)


def test_gaps_are_between_the_losses_of_as_many_learned_and_held_out_rows():
    design, members = make_table(), make_members()
    trace = Trace()
    config = TrainConfig(max_epochs=12, batch_size=32, patience=12)
    trainer = make_trainer(design, members, config=config, trace=trace)
    trainer.run()
    alive, last = trainer.state.alive, trace.of("epoch")[-1]
    gaps = trainer.gaps()
    assert list(gaps) == alive
    for member in alive:
        n, rows = len(members.valid[member]), members.train[member]
        some = rows[np.linspace(0, len(rows) - 1, n).astype(int)]
        held = last["valid_loss"][last["members"].index(member)]
        trainer.folds = replace(members, valid=tuple(some for _ in members.valid))
        trainer._validate(torch.zeros(len(alive)), 0.0)
        learned = trace.of("epoch")[-1]["valid_loss"][alive.index(member)]
        assert gaps[member] == pytest.approx(held - learned, abs=1e-6)
        assert gaps[member] > 0.0


def test_members_stop_at_different_epochs_and_leave_the_batch():
    design = make_table()
    members = make_members()
    trace = Trace()
    config = TrainConfig(max_epochs=40, batch_size=32, patience=3, lr=0.05)
    trainer = make_trainer(design, members, config=config, trace=trace)
    trainer.run()
    alive = [len(event["members"]) for event in trace.of("epoch")]
    assert alive[0] == 3
    assert alive[-1] < 3
    assert trainer.net.head.weight.shape[0] < 3
    assert trace.of("stopped")[0]["reason"] == "converged"


def test_adding_a_member_changes_no_other():
    design = make_table()
    three = make_members()
    two = some(three, 0, 2)
    a = trained(design, three, "binary", SMALL, torch.float64, epochs=3)
    b = trained(design, two, "binary", SMALL, torch.float64, epochs=3)
    for name, tensor in b.best.items():
        torch.testing.assert_close(a.best[name][:2], tensor, rtol=0, atol=1e-12)


def test_best_snapshot_is_of_the_best_epoch():
    trace = Trace()
    trainer = make_trainer(make_table(), make_members(), trace=trace)
    state = trainer.run()
    for member in range(3):
        losses = [
            event["valid_loss"][event["members"].index(member)]
            for event in trace.of("epoch")
            if member in event["members"]
        ]
        assert state.best_epoch[member] == int(np.argmin(losses)) + 1
        assert state.best_loss[member] == min(losses)


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("kernel", [True, False])
def test_the_average_is_that_of_the_formula(size, kernel, monkeypatch):
    """Polynomial decay: w_t' = w_(t-1)' + (w_t - w_(t-1)') (eta + 1) / (t + eta)."""
    if kernel and not library.is_usable():
        pytest.skip("the kernels cannot be compiled here")
    if not kernel:
        monkeypatch.setattr(library, "is_usable", lambda *tensors: False)
    if size == "large":  # gradients are read where they lie
        monkeypatch.setattr(optimizer, "SMALL", 1)
    config = TrainConfig(max_epochs=6, batch_size=32, averaging=0.25)
    trainer = make_trainer(make_table(), make_members(), config=config)
    adamw, eta = trainer.optimizer, 3.0
    expected = adamw.values.double()
    torch.manual_seed(0)
    for t in range(1, 8):
        for p in trainer.net.parameters():
            p.grad = torch.randn(p.shape)
        adamw.step(torch.from_numpy(adamw.factors(np.full(3, 0.1), [1])))
        expected += (adamw.values - expected) * (eta + 1.0) / (t + eta)
    torch.testing.assert_close(adamw.average, expected.float(), rtol=1e-5, atol=1e-6)
    assert torch.equal(adamw.average[1], adamw.values[1])  # it was paused from the start
    assert not torch.allclose(adamw.average[0], adamw.values[0])


def test_averaged_weights_are_validated_and_kept_and_the_newest_trained_on():
    design, members = make_table(), make_members()
    averaged, newest = (
        make_trainer(
            design,
            members,
            config=TrainConfig(max_epochs=1, batch_size=32, patience=3, averaging=averaging),
        )
        for averaging in (0.5, 0.0)
    )
    kept, plain = averaged.run(), newest.run()
    # The steps are the same; what is kept of them differs.
    assert torch.equal(averaged.optimizer.values, newest.optimizer.values)
    assert kept.best_loss != plain.best_loss
    with averaged.optimizer.averaged():
        expected = weights_of(averaged.net)
    for name, tensor in kept.best.items():
        assert torch.equal(tensor, expected[name])
    assert not all(torch.equal(plain.best[name], expected[name]) for name in expected)
    for name, tensor in plain.best.items():
        assert torch.equal(tensor, weights_of(newest.net)[name])


def test_a_kind_has_its_own_column_dropout_unless_a_search_has_set_it():
    net = replace(SMALL, other_kinds=(Kind(n_bins=2), Kind(column_dropout=0.4)))
    folds = replace(make_members(), kind=(0, 1, 2))
    searched = MemberSettings(column_dropout=(0.2,) * 3)
    plain = SMALL.column_dropout
    assert with_kinds(OWN, net, replace(folds, kind=())) is OWN
    assert with_kinds(MemberSettings(), net, folds).column_dropout == (plain, plain, 0.4)
    assert with_kinds(MemberSettings(lr=(0.1,) * 3), net, folds).lr == (0.1,) * 3
    assert with_kinds(searched, net, folds) is searched
    assert with_kinds(MemberSettings(), PAPER, folds) == MemberSettings()


def test_a_request_to_stop_leaves_a_usable_best():
    config = TrainConfig(max_epochs=8, batch_size=32, patience=3, lr=0.03)
    trainer = make_trainer(make_table(), make_members(), config=config)
    calls = iter(range(100))
    state = trainer.run(stop=lambda: next(calls) >= 3)
    assert state.epoch == 1
    assert all(epoch == 1 for epoch in state.best_epoch)
    assert all(loss < float("inf") for loss in state.best_loss)
