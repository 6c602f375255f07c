"""The engine benchmark's own logic: pairing, slopes, resuming, formula, the peers' columns."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
if not BENCHMARKS.exists():
    pytest.skip("the benchmarks travel with the repository only", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))

from command import command_line  # noqa: E402
from engine_parts import gpu, machine, ours, plot, report, step, tasks, train  # noqa: E402

from tabnet_auto.net.layers import MemberRandom  # noqa: E402
from tabnet_auto.net.native import library  # noqa: E402
from tabnet_auto.train import graph  # noqa: E402
from tabnet_auto.train.rows import RowStore  # noqa: E402


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {"a": rng.normal(size=n), "b": rng.choice(list("uvw"), n), "y": rng.choice(["n", "p"], n)}
    )
    return tasks.make_task(frame, "y", "binary", folds=3)


class TestReport:
    def test_a_slow_minute_of_both_does_not_move_the_ratio(self):
        assert report.median_ratio([1.0, 10.0, 1.0], [5.0, 50.0, 5.0]) == 5.0

    def test_slope_is_the_power(self):
        sizes = [10, 100, 1000]
        assert report.slope(sizes, [3.0 * s**1.5 for s in sizes]) == pytest.approx(1.5)

    def test_resume_skips_what_is_there_and_repeats_what_failed(self, tmp_path):
        path, asked = tmp_path / "rows.json", []

        def work(name):
            asked.append(name)
            if len(asked) == 2:
                raise RuntimeError("no memory")
            return [{"ours_s": 1.0}]

        first = report.Report({"threads": 1}, path)
        first.measure("one", lambda: work("one"))
        first.measure("two", lambda: work("two"))
        assert "no memory" in json.loads(path.read_text())[1]["error"]
        again = report.Report({"threads": 1}, path, resume=True)
        again.measure("one", lambda: work("one"))
        again.measure("two", lambda: work("two"))
        assert asked == ["one", "two", "two"]
        rows = json.loads(path.read_text())
        assert [row["case"] for row in rows] == ["one", "two"]
        assert {"case", "ours_s", "peer", "peer_s", "ratio", "threads", "load_before"} <= set(
            rows[1]
        )

    def test_slopes_are_made_anew(self):
        made = report.Report({})
        made.measure("slope rows", lambda: [{"slope_seconds": 2.0}])
        made.measure("slope rows", lambda: [{"slope_seconds": 1.0}])
        assert [row["slope_seconds"] for row in made.rows] == [1.0]

    def test_only_keeps_the_cases_that_hold_the_text(self):
        made = report.Report({}, only="n_d=8")
        assert made.wanted("train n_d=8")
        assert not made.wanted("train n_d=16")


class TestPeerColumns:
    def test_the_peer_gets_the_features_and_groups_of_the_package(self, task):
        told = tasks.peer_columns(task)
        matrix = tasks.peer_matrix(task, 0)
        assert matrix.shape == (400, len(task.layout.features))
        assert matrix.dtype == np.float32
        for index, size in zip(told["cat_idxs"], told["cat_dims"], strict=True):
            levels = matrix[:, index]
            assert (levels == np.round(levels)).all()
            assert 0 <= levels.min() <= levels.max() < size

    def test_the_matrix_is_what_our_network_reads(self, task):
        net = task.build(ours.paper(4, 64, 32).net, torch.device("cpu"))
        rows = task.design.n_rows
        index = torch.arange(rows).expand(3, rows)
        from tabnet_auto.train.rows import RowStore

        encoded = net.inputs(RowStore(task.design).at(index))
        whole = torch.cat([encoded.value, encoded.level], dim=2)
        for member in range(3):
            np.testing.assert_allclose(
                tasks.peer_matrix(task, member), whole[member].numpy(), atol=1e-5
            )

    def test_written_data_holds_every_fold(self, task, tmp_path):
        data = np.load(tasks.write_peer_data(task, tmp_path / "rows.npz", predict_rows=7))
        assert len(data["x_train2"]) == len(data["y_train2"]) == len(task.folds.train[2])
        assert len(data["x_test0"]) == 7


class TestOurs:
    def test_epochs_are_timed_after_the_warm_up_and_then_end(self, task):
        taken = ours.epoch_seconds(task, ours.paper(4, 64, 32), warmup=1, repeats=2)
        assert len(taken) == 2
        assert min(taken) > 0

    def test_what_runs_between_epochs_does_not_count(self, task, monkeypatch):
        now, seen = [0.0], []
        monkeypatch.setattr(ours.time, "perf_counter", lambda: now[0])

        def after(epoch, seconds):
            seen.append(seconds)
            now[0] += 100.0  # a peer's epoch
            return epoch == 3

        ours.run_epochs(task, ours.paper(4, 64, 32), after)
        assert seen == [0.0, 0.0, 0.0]


class TestStep:
    def test_the_formula_counts_the_products_of_plain_torch(self, monkeypatch):
        batch = 32
        task = step.step_task(3, batch, 1)
        net = task.build(ours.modern("balanced", batch).net, torch.device("cpu")).train()
        rows = RowStore(task.design).at(torch.arange(5 * batch).view(5, batch) % batch)
        monkeypatch.setattr(library, "_library", lambda: None)
        with FlopCounterMode(display=False) as counter:
            net(rows, MemberRandom(range(5))).logits.sum().backward()
        formula = step.weight_flops(net, batch)
        assert counter.get_total_flops() == pytest.approx(formula, rel=0.2)
        assert 0 < step.weight_flops(net, batch, "layers.") < formula

    @pytest.mark.skipif(not library.is_usable(), reason="no C compiler here: no kernels")
    def test_kernels_are_timed_one_by_one(self):
        task = step.step_task(3, 32, 2)
        with step.kernel_seconds() as taken:
            ours.run_epochs(task, ours.modern("fast", 32), lambda *_: True)
        assert min(taken["tabnet_forward"], taken["tabnet_backward"]) > 0
        assert library.call.__name__ == "call"


def test_quick_cases_are_the_two_widths_of_the_issue():
    assert [case.n_d for case in train.quick_cases(2)] == [8, 32]
    assert len({case.name for case in train.full_cases(3)}) == 16


def test_picture_is_small_and_valid(tmp_path):
    from xml.etree import ElementTree as ET

    rows = [
        {"axis": "rows", "kind": "paper", "rows": 10**p, "ours_s": 0.1 * 10**p, "peak_mib": 300.0}
        for p in (1, 2, 3)
    ]
    written = plot.draw_growth(rows, tmp_path / "engine")
    assert [path.name for path in written] == ["engine-rows-seconds.svg", "engine-rows-peak.svg"]
    for path in written:
        ET.fromstring(path.read_text())
        assert path.stat().st_size < 20_000


def test_memory_is_counted_in_mebibytes():
    before = machine.rss()
    held = np.ones(2**24)
    assert 100 < machine.rss() - before < 300
    assert machine.peak_rss() >= machine.rss() - 1
    del held


class TestGpu:
    """The part for a CUDA device, on a CPU."""

    def test_without_a_device_a_row_says_so(self, tmp_path, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        made = report.Report({})
        gpu.run(made, tmp_path, 1, 1)
        assert [row["note"] for row in made.rows] == ["no CUDA device was present"]

    def test_a_step_is_measured_replayed_and_launched(self, monkeypatch):
        monkeypatch.setattr(gpu, "STEPS", 2)
        seen = []
        monkeypatch.setattr(
            gpu, "epoch_seconds", lambda *_: seen.append(graph.WARM_UP) or 2.0 * len(seen)
        )
        (row,) = gpu.measure_step(gpu.PRESETS["paper n_d=8"](64), 64, torch.device("cpu"))
        assert (row["ours_s"], row["peer_s"], row["ratio"]) == (1.0, 2.0, 2.0)
        assert seen == [graph.WARM_UP, sys.maxsize]

    @pytest.mark.parametrize("preset", list(gpu.PRESETS))
    def test_losses_of_the_same_device_are_the_same(self, task, preset, monkeypatch):
        monkeypatch.setattr(gpu, "SCORE_EPOCHS", 2)
        (row,) = gpu.measure_loss(gpu.PRESETS[preset](64), task, torch.device("cpu"))
        assert row["loss_cpu"] == row["loss_gpu"] == row["loss_gpu_float32"] > 0.0
        assert gpu.epoch_seconds(task, gpu.PRESETS[preset](64), torch.device("cpu")) > 0.0


def test_a_command_names_no_folder_of_this_machine(monkeypatch):
    given = ["/here/benchmarks/engine.py", "--quick", "--json", "/here/out/found.json", "a/b.json"]
    monkeypatch.setattr(sys, "argv", given)
    expected = "python benchmarks/engine.py --quick --json found.json a/b.json"
    assert command_line() == expected
    for path in (BENCHMARKS / "results").glob("*.json"):
        text = path.read_text(encoding="utf-8")
        commands = re.findall(r'"command": "([^"]*)"', text)
        assert not [word for line in commands for word in line.split() if word.startswith("/")]
