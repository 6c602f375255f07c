"""The memory guard: what is needed, what is there, what gives way, and in which order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tabnet_auto import InputError, Preset, auto_fit, automl
from tabnet_auto.config import PRESETS, NetConfig, TrainConfig
from tabnet_auto.folds import make_folds
from tabnet_auto.infer import infer_schema
from tabnet_auto.trace import Trace
from tabnet_auto.train import memory
from tabnet_auto.train.memory import Sizes, adapt, available_bytes, needed_bytes, sizes_of

GIB = 2**30
CPU = torch.device("cpu")
SIZES = Sizes(
    n_rows=100_000, n_test=0, n_folds=5, n_seeds=4, n_values=40, n_levels=10, n_statistics=0,
    n_outputs=1, batch_size=2048, width=256, n_steps=2, n_layers=3, n_parameters=1_200_000,
    token_width=0,
)  # fmt: skip

# --- the estimate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"n_rows": 10_000_000}, {"n_test": 10_000_000}, {"n_seeds": 9}, {"n_values": 4000},
        {"n_levels": 4000}, {"n_statistics": 40}, {"n_outputs": 1000}, {"batch_size": 20_000},
        {"width": 2048}, {"n_steps": 9}, {"n_layers": 20}, {"n_parameters": 50_000_000},
        {"token_width": 10_000}, {"companion_width": 10_000}, {"n_labelled": 10_000_000},
    ],
    ids=lambda more: next(iter(more)),
)  # fmt: skip
def test_more_of_anything_needs_more(more):
    assert needed_bytes(replace(SIZES, **more)) > 1.05 * needed_bytes(SIZES)


def test_what_gives_way_needs_less():
    less = [{"members_at_once": 1}, {"n_seeds": 1}]
    assert all(needed_bytes(replace(SIZES, **one)) < needed_bytes(SIZES) for one in less)
    predicting = replace(SIZES, batch_size=16)
    assert needed_bytes(replace(predicting, piece_rows=64)) < needed_bytes(predicting)


def test_a_recorded_step_keeps_its_memory_while_rows_are_predicted():
    stays = replace(SIZES, step_stays=True)
    assert needed_bytes(stays) > needed_bytes(SIZES)
    # A companion needs its memory when no rows are predicted.
    assert needed_bytes(replace(stays, companion_width=1)) == needed_bytes(stays)
    split = make_folds("binary", np.arange(400) % 2, folds=2)
    schema = infer_schema(table(), "y")
    for device, expected in (("cuda", True), ("cpu", False)):
        found = sizes_of(split, schema, PRESETS["fast"], 0, (), torch.device(device))
        assert found.step_stays is expected


def table(n=400):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 6)), columns=list("abcdef"))
    frame["kind"] = rng.choice(["flat", "house", "boat"], n)
    frame["rooms"] = rng.integers(1, 9, n)
    frame["y"] = np.where(frame.a + rng.normal(size=n) > 0, "yes", "no")
    return frame


@pytest.mark.parametrize("preset", ["fast", "balanced", "paper"])
def test_the_parameters_are_counted_about_right(preset):
    settings = replace(PRESETS[preset], n_seeds=1, train=TrainConfig(max_epochs=1, batch_size=64))
    fit = auto_fit(table(), "y", preset=settings, folds=2, verbose=False)
    sizes = sizes_of(fit.folds, fit.schema, settings, 0, (), CPU)
    real = sum(p.numel() for p in fit.net.parameters()) / fit.folds.n_members
    assert 0.7 < sizes.n_parameters / real < 1.5
    assert sizes.n_values == len(fit.encoder.layout.numeric)
    assert sizes.n_levels == len(fit.encoder.layout.category)


# --- what gives way -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gib", "pieces", "at_once", "seeds"),
    [
        (64, 4096, 0, 4),
        (1.6, 2048, 0, 4),
        (1.2, 1024, 10, 4),
        (1.0, 256, 3, 4),
        (0.9, 64, 1, 3),
        (0.5, 64, 1, 1),
    ],
)
def test_things_give_way_in_order(gib, pieces, at_once, seeds):
    sizes, notes = adapt(replace(SIZES, n_test=4096, batch_size=512), gib * GIB)
    found = (sizes.piece_rows, sizes.members_at_once, sizes.n_seeds)
    assert found == (pieces, at_once, seeds)
    assert needed_bytes(sizes) <= memory.USABLE * gib * GIB
    assert bool(notes) == (gib < 60)


def test_notes_say_what_gave_way():
    _, [note] = adapt(SIZES, 0.8 * GIB)
    for word in ("would be needed", "0.8 GiB are available", "smaller pieces", "at once",
                 "instead of 4 networks a fold"):  # fmt: skip
        assert word in note


def test_what_cannot_fit_is_an_error_with_figures():
    with pytest.raises(InputError, match=r"needs about .*GiB.*available.*fewer rows"):
        adapt(replace(SIZES, n_rows=50_000_000), GIB)


# --- what there is --------------------------------------------------------------------------------


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


MEMINFO = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    5000 kB\n"}


def test_the_system_alone(tmp_path):
    write(tmp_path, MEMINFO)
    assert available_bytes(CPU, tmp_path) == 5000 * 1024


def test_nothing_is_known_elsewhere(tmp_path):
    assert available_bytes(CPU, tmp_path) is None


V2 = {
    "proc/self/cgroup": "0::/jobs/one\n",
    "sys/fs/cgroup/jobs/memory.max": "3000000\n",
    "sys/fs/cgroup/jobs/memory.current": "2500000\n",
    "sys/fs/cgroup/jobs/memory.stat": "anon 2000000\ninactive_file 400000\n",
    "sys/fs/cgroup/jobs/one/memory.max": "max\n",
    "sys/fs/cgroup/jobs/one/memory.current": "2500000\n",
}


def test_version_2_of_control_groups_and_the_groups_above(tmp_path):
    write(tmp_path, MEMINFO | V2)
    assert available_bytes(CPU, tmp_path) == 900_000


def test_a_container_of_its_own_name_space(tmp_path):
    inside = {
        "proc/self/cgroup": "0::/not/there\n",
        "sys/fs/cgroup/memory.max": "3000000\n",
        "sys/fs/cgroup/memory.current": "2500000\n",
    }
    write(tmp_path, MEMINFO | inside)
    assert available_bytes(CPU, tmp_path) == 500_000


def test_version_1_of_control_groups(tmp_path):
    inside = {
        "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/box\n",
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "3000000\n",
        "sys/fs/cgroup/memory/box/memory.usage_in_bytes": "2500000\n",
        "sys/fs/cgroup/memory/box/memory.stat": "total_inactive_file 100000\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "2500000\n",
    }
    write(tmp_path, MEMINFO | inside)
    assert available_bytes(CPU, tmp_path) == 600_000


# --- a whole run ----------------------------------------------------------------------------------

TINY = Preset(
    n_seeds=3, net=NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=4, n_context=8),
    train=TrainConfig(max_epochs=3, batch_size=32),
)  # fmt: skip


def fit():
    return auto_fit(table(), "y", preset=TINY, folds=2, verbose=False)


def notes_of(found):
    return [event["text"] for event in found.trace.of("note") if "memory" in event["text"]]


def need(n_seeds, members_at_once, pieces=64):
    frame = table()
    schema = infer_schema(frame, "y")
    y = (frame.y == "yes").to_numpy().astype(np.int64)
    split = make_folds("binary", y, folds=2, n_seeds=n_seeds)
    sizes = sizes_of(split, schema, TINY, 0, (), CPU)
    fitted = replace(sizes, members_at_once=members_at_once, piece_rows=pieces)
    return needed_bytes(fitted) / memory.USABLE + 1


def test_a_pretended_limit_bends_the_run_and_not_the_numbers(monkeypatch):
    free = fit()
    assert notes_of(free) == []
    monkeypatch.setattr(memory, "available_bytes", lambda device: need(3, 3))
    tight = fit()
    assert tight.preset.train.members_at_once == 3
    assert tight.n_seeds == 3
    assert "3 of 6 networks in a step at once" in notes_of(tight)[0]
    np.testing.assert_allclose(tight.oof, free.oof, atol=1e-5)


def test_networks_are_given_up_last(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device: need(2, 1))
    tight = fit()
    assert tight.n_seeds == 2
    assert tight.folds.n_folds == 2
    assert "2 instead of 3 networks a fold" in notes_of(tight)[0]
    assert not np.isnan(tight.oof).any()


def test_what_cannot_fit_stops_before_training(monkeypatch):
    events = []
    monkeypatch.setattr(memory, "available_bytes", lambda device: 1000)
    with pytest.raises(InputError, match="must fit into memory"):
        auto_fit(table(), "y", preset=TINY, folds=2, verbose=False, emit=events.append)
    assert not any(event.kind == "plan" for event in events)


def test_predictions_take_smaller_pieces_where_memory_is_short(monkeypatch):
    free = fit()
    before = free.predict_proba(table(3000))
    monkeypatch.setattr(memory, "available_bytes", lambda device: 500_000)
    assert memory.piece_rows(free.net, 6, 8192) < 1000
    np.testing.assert_allclose(free.predict_proba(table(3000)), before, atol=1e-6)


def test_folds_keep_their_first_networks():
    y = np.arange(100) % 2
    split = make_folds("binary", y, folds=2, n_seeds=3)
    fewer = memory._with_seeds(split, 2)
    assert fewer.fold == (0, 0, 1, 1)
    assert fewer.seed == tuple(split.seed[i] for i in (0, 1, 3, 4))
    assert memory._with_seeds(split, 3) is split


def test_labelled_test_rows_are_counted_once_a_fold(monkeypatch):
    schema, split = infer_schema(table(), "y"), make_folds("binary", np.tile([0, 1], 200), folds=4)
    test = range(50_000)
    plain = sizes_of(split, schema, TINY, len(test), {"trees"}, CPU)
    features = plain.n_values + plain.n_levels
    more = needed_bytes(replace(plain, n_labelled=4 * len(test))) - needed_bytes(plain)
    assert more > 4 * len(test) * memory.ROW_COPIES * 8 * features
    enough = needed_bytes(plain) / memory.USABLE + 1
    monkeypatch.setattr(memory, "available_bytes", lambda device: enough)
    given = (split, schema, TINY, test, {"trees"}, CPU, Trace())
    memory.fit_into_memory(*given)
    with pytest.raises(InputError, match="pseudo_labels=False"):
        memory.fit_into_memory(*given, labels=True)


def test_pseudo_labels_are_in_the_estimate(monkeypatch):
    asked = []

    def fitted(*given, labels):
        asked.append(labels)
        return given[0], given[2]

    monkeypatch.setattr(automl, "fit_into_memory", fitted)
    options = {"test": table(50), "preset": TINY, "folds": 2, "verbose": False}
    for pseudo_labels in (True, False):
        auto_fit(table(), "y", pseudo_labels=pseudo_labels, **options)
    assert asked == [True, False]


def test_memory_bounds_the_seeds_that_time_is_left_for(monkeypatch):
    schema = infer_schema(table(), "y")
    split = make_folds("binary", np.tile([0, 1], 200), folds=2, n_seeds=1)
    settings = replace(TINY, n_seeds=1, max_seeds=8)
    for seeds in (1, 3, 8):
        at_once = replace(sizes_of(split, schema, settings, 0, (), CPU), members_at_once=2)
        enough = needed_bytes(replace(at_once, n_seeds=seeds)) / memory.USABLE + 1
        monkeypatch.setattr(memory, "available_bytes", lambda device, enough=enough: enough)
        _, found = memory.fit_into_memory(split, schema, settings, None, (), CPU, Trace())
        assert found.max_seeds == seeds
