"""Saved models: whole or refused, the same after loading, and nothing that could run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from tabnet_auto import ArtifactError, InputError, Preset, auto_fit, load
from tabnet_auto.artifact import ARRAYS, DATA, FORMAT, MANIFEST, read_artifact, write_artifact
from tabnet_auto.config import NetConfig, PaperConfig, TrainConfig

NET = NetConfig(n_steps=2, n_hidden=16, n_layers=1, n_bins=4, n_context=8)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=3, batch_size=16))


def make_frame(n=150):
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "rooms": rng.integers(1, 9, n),
            "kind": rng.choice(["flat", "house", "böat"], n),
            "city": rng.choice([f"city {i}" for i in range(60)], n),
            "new": rng.random(n) < 0.3,
            "sold": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "text": [" ".join(rng.choice(["red", "sea", "old", "sun", "tree"], 5)) for _ in size],
            "empty": None,
            "value": size * 1e5,
        }
    )
    frame["y"] = np.where(size + rng.normal(size=n) > 0, "yes", "no")
    frame.loc[3, "y"] = None
    return frame


def fit(frame, target="y", **options):
    return auto_fit(frame, target, **{"preset": TINY, "folds": 2, "verbose": False, **options})


@pytest.fixture(scope="module")
def frame():
    return make_frame()


@pytest.fixture(scope="module")
def learned(frame):
    learned = fit(frame)
    assert np.nanstd(learned.oof[:, 0]) > 0.03, "predictions must vary to be compared"
    return learned


@pytest.fixture
def saved(learned, tmp_path):
    return learned.save(tmp_path / "model")


CASES = {
    "binary": ("y", {}),
    "multiclass": ("kind", {"folds": 3}),
    "regression": ("value", {"preset": replace(TINY, n_seeds=2)}),
    "published": ("y", {"preset": replace(TINY, net=PaperConfig(n_d=4, n_a=4))}),
    "truth": ("new", {"metric": "f1"}),
    "integers": ("rooms", {"task": "multiclass", "metric": "accuracy"}),
}


@pytest.mark.parametrize(("target", "options"), CASES.values(), ids=CASES)
def test_loaded_equals_saved(frame, target, options, tmp_path):
    learned = fit(frame, target, **options)
    again = load(learned.save(tmp_path / "new" / "model"))
    assert repr(again) == repr(learned)
    pd.testing.assert_frame_equal(again.leaderboard(), learned.leaderboard())
    np.testing.assert_array_equal(again._predict(frame), learned._predict(frame))
    predicted = again.predict(frame)
    assert predicted.dtype == learned.predict(frame).dtype
    assert predicted.tolist() == learned.predict(frame).tolist()
    for name in ("oof", "target", "has_target", "member_scores", "fold_scores"):
        np.testing.assert_array_equal(getattr(again, name), getattr(learned, name))
    assert again.schema == learned.schema
    assert again.preset == learned.preset
    assert again.blend == learned.blend
    assert again.metric.name == learned.metric.name
    assert again.folds.rule == learned.folds.rule
    assert repr(again.attention) == repr(learned.attention)
    np.testing.assert_array_equal(again.attention.rows(frame), learned.attention.rows(frame))
    assert again.trace.to_json() == learned.trace.to_json()
    pages = [fit.report(tmp_path / "report.html").read_bytes() for fit in (learned, again)]
    assert pages[0] == pages[1]
    # Saved again, it is the same to the byte.
    twice = again.save(tmp_path / "twice")
    for name in (DATA, ARRAYS, MANIFEST):
        assert (twice / name).read_bytes() == (tmp_path / "new" / "model" / name).read_bytes()


PROGRAM = """
import sys
import numpy as np
import pandas as pd
from tabnet_auto import load
folder = sys.argv[1]
fit = load(folder + "/model")
np.save(folder + "/proba.npy", fit.predict_proba(pd.read_parquet(folder + "/test.parquet")))
fit.report(folder + "/report.html")
print(fit)
"""


def test_a_new_process_predicts_the_same(frame, learned, saved, tmp_path):
    frame.to_parquet(tmp_path / "test.parquet")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path)],
        capture_output=True, text=True, check=False, encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip("\n") == repr(learned)
    np.testing.assert_array_equal(np.load(tmp_path / "proba.npy"), learned.predict_proba(frame))
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_only_json_and_tensors(saved):
    assert {path.name for path in saved.iterdir()} == {MANIFEST, DATA, ARRAYS}
    assert {path.suffix for path in saved.iterdir()} == {".json", ".safetensors"}
    json.loads((saved / DATA).read_text(encoding="utf-8"))
    json.loads((saved / MANIFEST).read_text(encoding="utf-8"))
    assert all(array.dtype.kind in "fiub" for array in load_file(saved / ARRAYS).values())


def test_saving_again_and_beside_other_files(frame, learned, saved):
    other = fit(frame, seed=1)
    other.save(saved)
    np.testing.assert_array_equal(load(saved).oof, other.oof)
    (saved / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"holds 'notes.txt'\. Choose a new or an empty"):
        learned.save(saved)
    np.testing.assert_array_equal(load(saved).oof, other.oof)
    with pytest.raises(ArtifactError, match="is a file"):
        learned.save(saved / "notes.txt")


def test_an_interrupted_save_is_no_model(learned, saved, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.numpy.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        learned.save(saved)
    with pytest.raises(ArtifactError, match="holds no saved model"):
        load(saved)


@pytest.mark.parametrize("name", [MANIFEST, DATA, ARRAYS])
def test_missing_files(saved, name):
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}'? is missing"):
        load(saved)


@pytest.mark.parametrize("name", [MANIFEST, DATA, ARRAYS])
def test_a_flipped_bit_anywhere(saved, name):
    rng = np.random.default_rng(0)
    whole = (saved / name).read_bytes()
    for position in rng.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        (saved / name).write_bytes(damaged)
        with pytest.raises(ArtifactError):
            load(saved)
    (saved / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError):
        load(saved)
    (saved / name).write_bytes(whole)
    load(saved)


def change_manifest(folder, **values):
    path = folder / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, **values}), encoding="utf-8")


OLD = (
    rf"reads models of format {FORMAT}, however: .*model has format 2\. Load it with {{}}, "
    r"or fit again\."
)


def test_another_format_says_which_and_who_can_read_it(saved):
    writer = re.escape(f"tabnet_auto {version('tabnet-auto')}")
    change_manifest(saved, format=2)
    with pytest.raises(ArtifactError, match=OLD.format(writer)):
        load(saved)
    change_manifest(saved, format=99, sha256={"weights.bin": "0"})
    with pytest.raises(ArtifactError, match=f"has format 99. Update to {writer}, or fit again"):
        load(saved)
    change_manifest(saved, format="three")
    with pytest.raises(ArtifactError, match=r"has format 'three'\. Load it with"):
        load(saved)
    change_manifest(saved, format=None)
    with pytest.raises(ArtifactError, match=r"has no format\. Load it with"):
        load(saved)


@pytest.mark.parametrize("text", [None, "{}", "[1]", "no JSON", '{"written_by": 3}'])
def test_another_format_that_does_not_say_who_wrote_it(saved, text):
    (saved / DATA).unlink()
    if text is not None:
        (saved / DATA).write_text(text, encoding="utf-8")
    change_manifest(saved, format=2)
    unknown = re.escape("the version that wrote it (it does not say which)")
    with pytest.raises(ArtifactError, match=OLD.format(unknown)):
        load(saved)


def test_a_package_that_is_not_installed_saves_and_loads(frame, learned, tmp_path, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("tabnet_auto.artifact.version", missing)
    saved = learned.save(tmp_path / "model")
    np.testing.assert_array_equal(load(saved).predict_proba(frame), learned.predict_proba(frame))
    change_manifest(saved, format=2)
    with pytest.raises(
        ArtifactError, match=f"tabnet_auto reads models of format {FORMAT}, however"
    ):
        load(saved)


def test_damaged_and_foreign_directories(saved, tmp_path):
    change_manifest(saved, format=1, package="another")
    with pytest.raises(ArtifactError, match="not written by tabnet_auto"):
        load(saved)
    change_manifest(saved, format=FORMAT, package="tabnet_auto", sha256={"../x": "0"})
    with pytest.raises(ArtifactError, match="not written by tabnet_auto"):
        load(saved)
    change_manifest(saved, sha256=7)
    with pytest.raises(ArtifactError, match="damaged"):
        load(saved)
    (saved / MANIFEST).write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(ArtifactError, match="damaged"):
        load(saved)
    for foreign in (tmp_path, tmp_path / "nowhere", saved / DATA):
        with pytest.raises(ArtifactError, match="holds no saved model"):
            load(foreign)


def test_whole_files_of_wrong_content(saved):
    (saved / DATA).write_text('{"schema": {}}', encoding="utf-8")
    sums = {n: hashlib.sha256((saved / n).read_bytes()).hexdigest() for n in (DATA, ARRAYS)}
    change_manifest(saved, sha256=sums)
    with pytest.raises(ArtifactError, match="does not hold what a model needs"):
        load(saved)


def test_arrays_of_any_layout(tmp_path):
    arrays = {
        "columns": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "every second": np.arange(10)[::2],
        "empty": np.zeros((2, 0, 3), dtype=np.float32),
        "number": np.array(3),
        "truth": np.array([True, False]),
    }
    data = {"text": "naïve ✓", "nan": float("nan"), "none": None, "list": [1, [2.5, "x"]]}
    read, found = read_artifact(write_artifact(tmp_path / "a", data, arrays))
    assert np.isnan(read.pop("nan"))
    assert read == {k: v for k, v in data.items() if k != "nan"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def spread(y, predicted):
    return -float(np.abs(y - predicted).max())


def test_a_metric_of_ones_own_is_known_by_name(frame, tmp_path):
    learned = fit(frame, "value", metric=spread)
    again = load(learned.save(tmp_path / "model"))
    assert repr(again) == repr(learned)
    assert again.metric.name == "spread"
    with pytest.raises(InputError, match="a function that is not saved with it"):
        again.metric.score(np.zeros(3), np.zeros(3))
