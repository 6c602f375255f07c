"""The page stays small however much there is to show, and says what it had no room for."""

import re
from dataclasses import replace

import numpy as np
import pytest
from view import samples
from view.samples import unpack

from tabnet_auto.view.packed import pack
from tabnet_auto.view.page import render_page
from tabnet_auto.view.report_data import MulticlassPredictions, Trust
from tabnet_auto.view.room import PAGE, fit_explorers

N_COLUMNS, N_FOLDS, N_STEPS, N_CLASSES, N_ROWS = 1000, 20, 3, 100, 40


@pytest.fixture(scope="module")
def hard():
    """20 folds of 1,000 columns, 100 classes, 24 groupings, and long names of everything."""
    rng = np.random.default_rng(0)
    columns = [f"measurement_{i:04d}_of_a_station_with_a_long_name" for i in range(N_COLUMNS)]
    classes = [f"class {i} with a name that is rather long, as names can be" for i in range(100)]
    steps = rng.dirichlet(np.full(N_COLUMNS, 0.5), (N_FOLDS, N_STEPS))
    share = rng.dirichlet(np.ones(N_CLASSES), 500)
    truth = rng.integers(0, N_CLASSES, 500)
    counts = rng.integers(0, 50, (N_CLASSES, N_CLASSES))
    rows = samples.rows(rng, steps, N_ROWS, classes)
    cells = [
        [f"level {k} of a long category" for k in row]
        for row in rng.integers(0, 1000, (N_ROWS, N_COLUMNS))
    ]
    by = ["true class"] * 9 + [columns[i // 9] for i in range(24 * 9)]
    mean = rng.dirichlet(np.ones(N_COLUMNS), len(by))
    label = [f"{i} of a long category" for i in range(len(by))]
    members = [[i % N_ROWS] for i in range(len(by))]
    groups = replace(
        samples.binary().cohorts, by=by, label=label, n_rows=[50] * len(by), mean=mean,
        error=mean / 3, members=members,
    )  # fmt: skip
    read = steps.mean(axis=(0, 1)).tolist()
    data = samples.binary(
        columns=columns, attention=steps.mean(axis=1), attention_steps=steps,
        curves=samples.curves(rng, N_FOLDS, 500, rising=True),
        leaderboard=samples.leaderboard(rng, N_FOLDS, 0.6, 1.0),
        schema_rows=samples.schema_rows(rng, columns), step_work=samples.step_work(20, N_STEPS),
        predictions=MulticlassPredictions(classes, counts, share, share.argmax(1), truth, 9000),
        rows=replace(rows, cells=cells),
        cohorts=groups, drift=samples.drift(rng, columns, of_class=""),
    )  # fmt: skip
    return replace(data, trust=Trust(columns, read, read, 1.0))


@pytest.fixture(scope="module")
def page(hard):
    return render_page(hard)


def held(page):
    return unpack(re.search(r'id="ta-data" hidden>([^<]+)<', page)[1])


def test_many_folds_columns_and_classes_stay_under_two_megabytes(hard, page):
    assert len(pack(hard, effort=6)) > PAGE, "the explorers alone would be above"
    assert len(page.encode()) < PAGE
    found, levels = held(page)
    np.testing.assert_allclose(found["fold"], hard.attention, atol=1e-5)
    rows, kept = found["rows"], found["rows"]["columns"]
    assert 20 < len(kept) < N_COLUMNS
    np.testing.assert_array_equal(levels.reshape(rows["shape"]), hard.rows.levels[..., kept])
    assert rows["cells"] == [[row[c] for c in kept] for row in hard.rows.cells]
    peaks = hard.rows.levels.max(axis=(0, 1, 2, 3))
    assert peaks[kept].min() >= np.delete(peaks, kept).max(), "those that a row reads most"
    titles = list(dict.fromkeys(hard.cohorts.by))
    shown = list(dict.fromkeys(found["cohorts"]["by"]))
    assert 1 < len(shown) < len(titles)
    assert shown == titles[: len(shown)]
    n = len(found["cohorts"]["by"])
    np.testing.assert_allclose(found["cohorts"]["mean"], hard.cohorts.mean[:n], atol=1e-5)
    assert found["cohorts"]["members"] == hard.cohorts.members[:n]


def test_what_had_no_room_is_said(hard, page):
    found, _ = held(page)
    kept = len(found["rows"]["columns"])
    assert f"Of 1,000 columns, the explorer of rows holds the {kept} that" in page
    titles = list(dict.fromkeys(hard.cohorts.by))
    n = len(dict.fromkeys(found["cohorts"]["by"]))
    assert f"no room: groups by {titles[n]}, " in page
    assert re.search(r"\(the first \d+ of 1,000; all of them: fit\.attention\.per_fold\)", page)


def test_what_fits_is_whole_and_nothing_is_said():
    data = samples.binary(n_seeds=3)
    packed, said = fit_explorers(data, 1_000_000)
    assert packed == pack(data)
    assert said == {}


@pytest.mark.parametrize("room", [0, 3_000, 9_000, 12_000, 15_000, 20_000, 25_000, 40_000])
def test_any_room_is_kept_and_what_is_missing_is_named(room):
    data = samples.binary(n_seeds=3)
    packed, said = fit_explorers(data, room)
    assert len(packed) <= room
    if not packed:
        assert set(said) == {"attention"}
        return
    found, _ = unpack(packed)
    rows, groups = found["rows"], found["cohorts"]
    assert ("attention" in said) == ("foldSeeds" not in found)
    assert ("rows" in said) == (rows is None or len(rows["columns"]) < len(data.columns))
    assert ("cohorts" in said) == (groups is None or len(groups["by"]) < len(data.cohorts.by))


def test_a_page_without_its_explorers_keeps_pictures_and_says_so():
    data = samples.binary()
    packed, said = fit_explorers(data, 10)
    assert packed == ""
    assert "5 folds of 14 columns have no room for explorers" in said["attention"]
