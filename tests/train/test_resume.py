"""A run that is captured, written, read back and continued equals a run that never stopped."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from train_helpers import PAPER, SMALL, make_members, make_table, make_trainer

from tabnet_auto.config import TrainConfig
from tabnet_auto.trace import Trace
from tabnet_auto.train.state import TrainState

CONFIG = TrainConfig(max_epochs=8, batch_size=32, patience=3, lr=0.03)


@pytest.mark.parametrize("net", [SMALL, PAPER], ids=["default", "paper"])
@pytest.mark.parametrize("at", [1, 4, 6])
def test_resume_equals_straight_run(net, at, tmp_path):
    design, members = make_table(), make_members()
    straight = make_trainer(design, members, net=net, config=CONFIG).run()

    kept = []

    def keep(event):
        if event.kind == "epoch" and event.data["epoch"] == at:
            kept.append(first.capture())

    first = make_trainer(design, members, net=net, config=CONFIG, trace=Trace(emit=keep))
    first.run()
    torch.save(asdict(kept[0]), tmp_path / "state.pt")
    captured = TrainState(**torch.load(tmp_path / "state.pt", weights_only=True))
    second = make_trainer(design, members, net=net, config=CONFIG)
    second.restore(captured)
    resumed = second.run()

    assert resumed.best_epoch == straight.best_epoch
    assert resumed.best_loss == straight.best_loss
    for name, tensor in straight.best.items():
        torch.testing.assert_close(resumed.best[name], tensor, rtol=0, atol=0, equal_nan=True)


def test_stop_request_leaves_a_usable_best():
    trainer = make_trainer(make_table(), make_members(), config=CONFIG)
    calls = iter(range(100))
    state = trainer.run(stop=lambda: next(calls) >= 3)
    assert state.epoch == 1
    assert all(epoch == 1 for epoch in state.best_epoch)
    assert all(loss < float("inf") for loss in state.best_loss)
