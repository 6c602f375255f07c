"""The live benchmark's own logic: the wide set, the clock around the panel, updates a second."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
if not BENCHMARKS.exists():
    pytest.skip("the benchmarks travel with the repository only", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))

import live  # noqa: E402

from tabnet_auto.trace import Trace  # noqa: E402


def test_most_updates_in_any_second():
    assert live.most_in_a_second([0.0]) == 1
    assert live.most_in_a_second([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]) == 5
    assert live.most_in_a_second([0.0, 3.0, 3.1, 3.2, 9.0]) == 3


def test_both_bars_must_hold():
    assert live.holds({"most": 5, "share": 0.019})
    assert not live.holds({"most": 6, "share": 0.001})
    assert not live.holds({"most": 1, "share": 0.02})


def test_all_that_the_panel_does_is_timed(monkeypatch):
    def panel(verbose, emit):
        time.sleep(0.01)
        return lambda event: time.sleep(0.02)

    monkeypatch.setattr(live, "choose_listeners", panel)
    watch = live.Stopwatch()
    trace = Trace(watch.choose("auto", None))
    for kind in ("note", "plan", "epoch", "stopped", "companion", "done"):
        trace.add(kind)
    assert len(watch.spent) == 7
    assert sum(watch.spent) >= 0.01 + 6 * 0.02
    plan, stopped = watch.seen[1][1], watch.seen[3][1]
    assert watch.training() == pytest.approx(stopped - plan)


def test_a_wide_set_has_shuffled_copies_beside_its_own_columns(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    lines = ["a,b,y", *(f"{i},{2 * i},{i % 2}" for i in range(40))]
    (folder / "small.csv").write_text("\n".join(lines))
    (tmp_path / "manifest.json").write_text(
        '[{"name": "small", "task": "binary", "target": "y", "train": "small.csv", "sep": ",",'
        ' "official_test": [], "na_values": null, "drop": []}]'
    )
    split = live.Case("small", columns=3).read(tmp_path)
    names = ["a", "b", "y", "copy 0 of a", "copy 1 of b", "copy 2 of a"]
    assert list(split.train.columns) == names
    assert sorted(split.train["copy 2 of a"]) == sorted(split.train["a"])
    assert list(split.train["copy 2 of a"]) != list(split.train["a"])
    assert list(live.Case("small").read(tmp_path).train.columns) == ["a", "b", "y"]
