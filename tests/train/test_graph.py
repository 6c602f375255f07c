"""Recorded steps equal steps that Python runs; what is said here of a GPU is tested on a CPU."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from graph_helpers import NoWaiting, TapeRecorder, recorded
from train_helpers import PAPER, SMALL, make_members, make_table, make_trainer, one

from tabnet_auto.config import MemberSettings, TrainConfig
from tabnet_auto.net import sparse
from tabnet_auto.net.device_random import DeviceRandom
from tabnet_auto.net.native import library
from tabnet_auto.train.graph import AHEAD, WARM_UP, CudaRecorder, fast_products
from tabnet_auto.train.optimizer import MemberAdamW
from tabnet_auto.train.rows import epoch_batches

EVEN = ((128, 60), (128, 40), (128, 70))
NETS = [
    pytest.param(SMALL, id="default"),
    pytest.param(replace(SMALL, column_sparsity=0.1, mask="sparsemax"), id="default-sparse"),
    pytest.param(PAPER, id="paper"),
]
CONFIG = TrainConfig(max_epochs=6, batch_size=32, patience=6, lr=0.01)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Compute on the CPU what a GPU computes: no kernels, sorted thresholds, the device's AdamW."""
    monkeypatch.setattr(library, "_library", lambda: None)
    monkeypatch.setattr(sparse, "_is_eager_cpu", lambda _: False)
    monkeypatch.setattr(MemberAdamW, "_step_on_host", MemberAdamW._step_on_device)


def assert_same(state, expected, **tolerance):
    tolerance = tolerance or {"rtol": 0, "atol": 0}
    assert state.best_epoch == expected.best_epoch
    for name, tensor in expected.best.items():
        torch.testing.assert_close(state.best[name], tensor, equal_nan=True, msg=name, **tolerance)


def never(trainer):
    """The same steps, none of them recorded."""
    trainer = recorded(trainer, TapeRecorder())
    trainer.steps.can_record = False
    return trainer


@pytest.mark.usefixtures("as_on_a_gpu")
class TestReplay:
    @pytest.mark.parametrize("net", NETS)
    @pytest.mark.parametrize("task", ["binary", "regression"])
    @pytest.mark.parametrize("sizes", [EVEN, ((160, 60), (130, 40), (101, 70))])
    def test_replayed_steps_are_the_steps(self, net, task, sizes):
        design, members = make_table(task=task, weighted=True), make_members(sizes=sizes)
        settings = MemberSettings(dropout=(0.1, 0.0, 0.3), lr=(0.01, 0.02, 0.005))
        given = {"task": task, "net": net, "config": CONFIG, "settings": settings}
        expected = never(make_trainer(design, members, **given)).run()
        recorder = TapeRecorder()
        trainer = recorded(make_trainer(design, members, **given), recorder)
        assert_same(trainer.run(), expected)
        # Members with 5, 4 and 3 steps an epoch: none pauses, then one, then two.
        kinds = 1 if sizes is EVEN else 3
        assert recorder.n_records == kinds
        assert recorder.n_replays == expected.n_steps - kinds * WARM_UP

    @pytest.mark.parametrize("net", [SMALL, PAPER])
    def test_a_member_that_leaves_has_the_step_recorded_anew(self, net):
        design, members = make_table(), make_members(sizes=EVEN)
        config = TrainConfig(max_epochs=30, batch_size=32, patience=2, lr=0.05)
        expected = never(make_trainer(design, members, net=net, config=config)).run()
        assert len(set(expected.best_epoch)) > 1
        recorder = TapeRecorder()
        trainer = recorded(make_trainer(design, members, net=net, config=config), recorder)
        assert_same(trainer.run(), expected)
        assert recorder.n_records >= 2

    @pytest.mark.parametrize("net", [SMALL, PAPER])
    def test_side_by_side_equals_alone(self, net):
        design, members = make_table(), make_members()
        together = recorded(make_trainer(design, members, net=net), TapeRecorder()).run()
        for i in range(3):
            trainer = make_trainer(design, one(members, i), net=net)
            alone = recorded(trainer, TapeRecorder()).run()
            for name, tensor in alone.best.items():
                torch.testing.assert_close(
                    together.best[name][i], tensor[0], rtol=0, atol=1e-4, equal_nan=True
                )

    @pytest.mark.parametrize("net", [SMALL, PAPER])
    def test_members_in_pieces_are_recorded_too(self, net):
        design, members = make_table(), make_members(sizes=EVEN)
        expected = never(make_trainer(design, members, net=net, config=CONFIG)).run()
        trainer = make_trainer(design, members, net=net, config=CONFIG)
        recorder = TapeRecorder()
        recorded(trainer, recorder)

        def scarce(_, inputs):
            if inputs[0].shape[0] > 2 and trainer.net.training:
                raise torch.OutOfMemoryError

        trainer.net.register_forward_pre_hook(scarce)
        assert_same(trainer.run(), expected, rtol=1e-5, atol=1e-6)
        assert trainer.members_at_once == 2
        assert recorder.n_replays > 0

    def test_what_cannot_be_recorded_runs_as_before_and_is_said_once(self):
        design, members = make_table(), make_members(sizes=EVEN)
        expected = never(make_trainer(design, members, config=CONFIG)).run()
        recorder = TapeRecorder(refuses=1)
        trainer = recorded(make_trainer(design, members, config=CONFIG), recorder)
        assert_same(trainer.run(), expected)
        assert recorder.n_records == 1
        (note,) = trainer.trace.of("note")
        assert note["text"].endswith("(operation not permitted when stream is capturing)")


class TestNothingWaits:
    """A step on torch's device without memory: not the CPU, and without a number to look at."""

    @pytest.mark.parametrize("net", NETS)
    @pytest.mark.parametrize("task", ["binary", "regression"])
    @pytest.mark.parametrize(("at_once", "paused"), [(3, ()), (2, ()), (3, (0, 2))])
    def test_a_step_neither_waits_for_the_device_nor_copies_to_it(
        self, net, task, at_once, paused, monkeypatch
    ):
        design, members = make_table(task=task, weighted=True), make_members()
        trainer = make_trainer(design, members, task=task, net=net, device="meta")
        trainer.members_at_once = at_once
        trainer.net.train()
        batch = next(epoch_batches(members.train, 32, trainer.random))
        factors = trainer.optimizer.factors(np.full(3, 0.1), paused)
        inputs = trainer.steps.inputs(batch, factors, 0.7)
        trainer._step(inputs, paused)  # brings to the device what stays there
        for maker in ("tensor", "as_tensor", "from_numpy"):
            monkeypatch.delattr(torch, maker)
        with NoWaiting("meta"):
            losses = trainer._step(inputs, paused)
        assert losses.shape == (3,)
        assert losses.device.type == "meta"
        assert all(p.grad is None for p in trainer.net.parameters())

    @pytest.mark.parametrize("net", NETS)
    def test_validation_stays_on_the_device_until_it_is_read(self, net):
        trainer = make_trainer(make_table(), make_members(), net=net, device="meta")
        trainer.net.eval()
        index = torch.zeros(3, 20, dtype=torch.long, device="meta")
        with NoWaiting("meta"), torch.no_grad():
            assert trainer.net(trainer.store.at(index)).logits.shape == (3, 20, 2)

    def test_the_guard_bites(self):
        x = torch.ones(3, device="meta")
        with NoWaiting("meta"):
            with pytest.raises(RuntimeError, match="mixes devices"):
                torch.ones(3).to("meta")
            with pytest.raises(RuntimeError, match="mixes devices"):
                x[torch.tensor([0, 1])]
            with pytest.raises(RuntimeError, match="nonzero"):
                x[x > 0]
            with pytest.raises(RuntimeError, match="waits"):
                bool(x.any())


class TestCudaRecorder:
    """The order of its calls, of a torch.cuda that only writes them down."""

    @pytest.fixture
    def calls(self, monkeypatch):
        calls = []

        def said(name):
            return lambda *_, **__: calls.append(name)

        def stream(name):
            return SimpleNamespace(
                name=name, wait_stream=lambda o: calls.append(f"{name}>{o.name}")
            )

        @contextlib.contextmanager
        def around(name):
            calls.append(name)
            yield
            calls.append(f"end {name}")

        own, outer = stream("own"), stream("outer")
        fake = SimpleNamespace(
            Stream=lambda _: own,
            current_stream=lambda _: outer,
            stream=lambda s: around(f"on {s.name}"),
            graph=lambda _, pool, stream: around(f"capture on {stream.name} in {pool}"),
            CUDAGraph=lambda: SimpleNamespace(replay=said("replay"), pool=lambda: "pool"),
            Event=lambda: SimpleNamespace(record=said("record"), synchronize=said("wait")),
        )
        monkeypatch.setattr(torch, "cuda", fake)
        return calls

    def test_steps_run_and_are_captured_on_a_stream_of_their_own(self, calls):
        recorder = CudaRecorder(torch.device("cuda"))
        losses = torch.ones(2)
        with recorder.running():
            assert torch.get_float32_matmul_precision() == "high"
            first = recorder.record(lambda: calls.append("work") or losses, None)
            first.replay()
            recorder.record(lambda: losses, first)
        assert first.losses is losses
        assert calls == [
            "own>outer", "on own", "capture on own in None", "work",
            "end capture on own in None", "replay", "capture on own in pool",
            "end capture on own in pool", "end on own", "outer>own",
        ]  # fmt: skip

    def test_the_host_waits_when_it_is_too_far_ahead(self, calls):
        recorder = CudaRecorder(torch.device("cuda"))
        for _ in range(AHEAD):
            recorder.keep_pace()
        assert calls == ["record"] * AHEAD
        recorder.keep_pace()
        assert calls[AHEAD:] == ["record", "wait"]


def states(random):
    """Where every member's generators stand: the host's, and the device's word."""
    of_host = [str(generator.bit_generator.state) for generator in random.generators]
    return list(zip(of_host, random.words.flatten().tolist(), strict=True))


class TestDeviceRandom:
    def test_bytes_are_those_of_splitmix64(self):
        random = DeviceRandom([3, 4])
        begin = [word & (2**64 - 1) for word in random.words.flatten().tolist()]
        drawn = random.bytes(random.rates("dropout", 0.5), 3, 7)
        drawn = np.stack([drawn.numpy(), random.bytes(random.rates("dropout", 0.5), 3, 7).numpy()])
        for member, state in enumerate(begin):
            words = np.array([splitmix64(state, n) for n in range(1, 7)], dtype=np.uint64)
            expected = words.view(np.uint8).reshape(2, 24)[:, :21].reshape(2, 3, 7)
            np.testing.assert_array_equal(drawn[:, member], expected)

    def test_a_member_draws_the_same_in_any_company(self):
        settings = MemberSettings(dropout=(0.2, 0.0, 0.4))
        together = DeviceRandom([1, 2, 3], settings)
        drawn = [together.happens(together.rates("dropout", 0.1), 50) for _ in range(3)]
        state = states(together)
        for i in range(3):
            alone = DeviceRandom([i + 1], settings.select([i]))
            own = [alone.happens(alone.rates("dropout", 0.1), 50) for _ in range(3)]
            assert all(torch.equal(a[i], b[0]) for a, b in zip(drawn, own, strict=True))
            assert states(alone) == [state[i]]
        together.select([2, 0])
        assert states(together) == [state[2], state[0]]

    def test_a_part_draws_for_the_whole(self):
        whole, parts = DeviceRandom([1, 2, 3]), DeviceRandom([1, 2, 3])
        expected = whole.bytes(whole.rates("dropout", 0.1), 40)
        drawn = [
            part.bytes(part.rates("dropout", 0.1), 40)
            for part in (parts.part(slice(0, 2)), parts.part(slice(2, 3)))
        ]
        assert torch.equal(torch.cat(drawn), expected)
        assert states(parts) == states(whole)

    def test_held_members_stand_still(self):
        random = DeviceRandom([1, 2])
        before = states(random)
        with random.held([1]):
            random.bytes(random.rates("dropout", 0.1), 40)
        assert states(random)[1] == before[1]
        assert states(random)[0] != before[0]

    def test_rates_follow_the_schedule(self):
        random = DeviceRandom([1], MemberSettings(dropout=(0.25,)))
        rates = random.rates("dropout", 0.0) * torch.tensor(0.5, dtype=torch.float64)
        assert random.below(rates).tolist() == [32]
        assert random.keep(rates).tolist() == pytest.approx([1.0 / 0.875])
        happened = random.happens(rates, 100_000).double().mean().item()
        assert happened == pytest.approx(0.125, abs=0.004)


def splitmix64(state, n):
    """The n-th word of a stream, after Vigna's reference in C."""
    z = (state + n * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


class TestDeviceAdamW:
    @pytest.mark.parametrize("size", [0.01, 100.0])
    def test_equals_the_hosts(self, size, monkeypatch):
        made = [make_trainer(make_table(), make_members(), config=CONFIG) for _ in range(2)]
        for trainer in made:
            torch.manual_seed(0)
            for step in range(5):
                for p in trainer.net.parameters():
                    p.grad = size * torch.randn(p.shape)
                factors = trainer.optimizer.factors(np.full(3, 0.1 * step), [1] if step > 2 else [])
                trainer.optimizer.step(torch.from_numpy(factors))
            monkeypatch.setattr(MemberAdamW, "_step_on_host", MemberAdamW._step_on_device)
        host, device = (trainer.optimizer for trainer in made)
        torch.testing.assert_close(device.values, host.values, rtol=1e-5, atol=1e-6)
        for name in ("moment1", "moment2", "average", "n_steps"):
            own, expected = getattr(device, name), getattr(host, name)
            torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-6)
        assert host.n_steps.tolist() == [5.0, 3.0, 5.0]

    def test_a_paused_member_keeps_every_bit(self, as_on_a_gpu):
        trainer = make_trainer(make_table(), make_members(), config=CONFIG)
        before = trainer.optimizer.values.clone()
        for p in trainer.net.parameters():
            p.grad = torch.ones_like(p)
        trainer.optimizer.step(torch.from_numpy(trainer.optimizer.factors(np.full(3, 0.1), [0, 2])))
        assert torch.equal(trainer.optimizer.values[[0, 2]], before[[0, 2]])
        assert not torch.equal(trainer.optimizer.values[1], before[1])
        assert not trainer.optimizer.moment1[[0, 2]].any()


def test_fast_products_end_where_they_began():
    before = torch.get_float32_matmul_precision()

    def interrupted():
        with fast_products():
            assert torch.get_float32_matmul_precision() == "high"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert torch.get_float32_matmul_precision() == before
