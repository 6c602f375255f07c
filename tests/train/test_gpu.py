"""What only a GPU can tell: that steps can be captured, and that the answers stay the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from train_helpers import PAPER, SMALL, make_members, make_table, make_trainer

from tabnet_auto import auto_fit
from tabnet_auto.config import TrainConfig
from tabnet_auto.train import graph
from tabnet_auto.train.rows import epoch_batches

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
CONFIG = TrainConfig(max_epochs=6, batch_size=32, patience=6, lr=0.01)
N_CAPTURES = 3
"""Of members with 5, 4 and 3 steps an epoch: all move, two of them, one of them."""
NETS = pytest.mark.parametrize(
    "net", [pytest.param(SMALL, id="default"), pytest.param(PAPER, id="paper")]
)


@pytest.fixture
def captures(monkeypatch):
    """How often a step was captured."""
    made = []
    record = graph.CudaRecorder.record

    def counted(self, work, beside):
        made.append(beside)
        return record(self, work, beside)

    monkeypatch.setattr(graph.CudaRecorder, "record", counted)
    return made


def trained(net, config=CONFIG, n=240, **sizes):
    trainer = make_trainer(
        make_table(n=n, weighted=True), make_members(n=n, **sizes), net=net, config=config,
        device="cuda",
    )  # fmt: skip
    state = trainer.run()
    assert trainer.trace.of("note") == []
    return trainer, state


@NETS
def test_a_captured_step_gives_the_eager_steps_weights(net, captures, monkeypatch):
    _, captured = trained(net)
    assert len(captures) == N_CAPTURES
    monkeypatch.setattr(graph, "WARM_UP", 10**9)
    _, eager = trained(net)
    assert len(captures) == N_CAPTURES
    for name, tensor in eager.best.items():
        # Sums of scattered gradients come in any order on a GPU.
        torch.testing.assert_close(
            captured.best[name], tensor, rtol=1e-3, atol=1e-3, equal_nan=True, msg=name
        )


@NETS
def test_many_levels_are_captured_too(net, captures):
    """Gradients of embeddings take another path from 3,072 looked-up levels on."""
    config = TrainConfig(max_epochs=6, batch_size=1024, patience=6)
    trained(net, config, n=4000, sizes=((2048, 100), (2048, 100)))
    assert len(captures) == 1


@NETS
def test_members_leave_and_the_rest_are_captured_anew(net, captures):
    config = TrainConfig(max_epochs=30, batch_size=32, patience=2, lr=0.05)
    _, state = trained(net, config)
    assert len(set(state.best_epoch)) > 1
    assert captures.count(None) > 1, "no other recording was there: all had been let go"


@NETS
def test_a_replayed_step_never_waits_for_the_device(net, captures):
    trainer, _ = trained(net)
    trainer.net.train()
    batch = next(epoch_batches(trainer._train(), CONFIG.batch_size, trainer.random))
    factors = trainer.optimizer.factors(np.full(len(batch.rows), 0.5))
    with trainer.steps.running():
        for _ in range(graph.WARM_UP + 1):
            trainer.steps.take(batch, factors, 0.5)
        assert len(captures) == N_CAPTURES + 1
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(3):
                trainer.steps.take(batch, factors, 0.5)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@NETS
def test_members_take_turns_where_memory_is_short(net):
    """Half of what a step of all members takes is enough, and changes nothing."""
    config = TrainConfig(max_epochs=4, batch_size=16_384, patience=4, lr=0.01)
    sizes = {"n": 20_000, "sizes": ((16_384, 500),) * 4}
    trained(net, config, n=400, sizes=((200, 100),) * 4)
    torch.cuda.empty_cache()
    before, whole = torch.cuda.memory_reserved(), torch.cuda.get_device_properties(0).total_memory
    torch.cuda.reset_peak_memory_stats()
    _, together = trained(net, config, **sizes)
    step = torch.cuda.max_memory_reserved() - before
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((before + 0.6 * step) / whole)
    try:
        trainer, in_turn = trained(net, config, **sizes)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert trainer.members_at_once < 4
    np.testing.assert_allclose(in_turn.best_loss, together.best_loss, rtol=1e-3)


@pytest.mark.parametrize("preset", ["fast", "balanced", "paper"])
def test_a_gpu_scores_as_a_cpu_does(preset):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(4000, 6)), columns=list("abcdef"))
    frame["kind"] = rng.choice(["flat", "house", "boat"], 4000)
    signal = frame.a + frame.b * frame.c + (frame.kind == "boat") + rng.normal(size=4000)
    frame["y"] = np.where(signal > 0.3, "yes", "no")
    scores = [
        auto_fit(frame, "y", preset=preset, folds=3, device=device, verbose=False).oof_score
        for device in ("cpu", "cuda")
    ]
    # Other random numbers and TF32 products: about what another seed changes.
    assert scores[1] == pytest.approx(scores[0], abs=0.01)


def test_products_are_exact_again_after_training():
    before = torch.get_float32_matmul_precision()
    trained(SMALL)
    assert torch.get_float32_matmul_precision() == before == "highest"
