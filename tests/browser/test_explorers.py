"""The explorers of the page: every control is used, and what it does is looked at."""

import re
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect
from view import samples

from tabnet_auto.view.page import render_page

pytestmark = pytest.mark.browser

DATA = samples.binary()
WIDE = samples.regression()
SEEDS = samples.binary(n_seeds=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorers")
    for name, data in (("binary", DATA), ("wide", WIDE), ("seeds", SEEDS)):
        (folder / f"{name}.html").write_text(render_page(data), encoding="utf-8")
    return folder


def opened(context, folder, name="binary"):
    page = context.new_page()
    page.emulate_media(reduced_motion="reduce")
    page.goto((folder / f"{name}.html").as_uri())
    page.wait_for_selector("html.ta-ready")
    return page


def names(section, table=".ta-grid-table"):
    return section.locator(f"{table} tbody th").all_inner_texts()


def column(section, position, table=".ta-grid-table"):
    cells = section.locator(f"{table} tbody tr > :nth-child({position})")
    return [float(re.sub(r"[^0-9.-]", "", t.replace("−", "-"))) for t in cells.all_inner_texts()]


def own_share(data, i, c, step=None, seed=None):
    """Attention of row i's own fold to column c; steps of this sample weigh alike."""
    rows = data.rows
    weights = rows.peak * (rows.levels[rows.held_out[i], :, :, i, c] / 255.0) ** 2
    chosen = weights if seed is None else weights[[seed]]
    return float(chosen.mean() if step is None else chosen[:, step].mean())


def test_explorers_take_the_place_of_pictures(offline, folder):
    page = opened(offline, folder)
    for name in ("folds", "steps", "rows", "cohorts"):
        place = page.locator(f'[data-view="{name}"]')
        assert place.locator(".ta-explore").is_visible()
        assert not place.locator(".ta-static").is_visible()


def test_folds_show_every_value_sort_and_search(offline, folder):
    page = opened(offline, folder)
    section = page.locator("#attention")
    mean = DATA.attention.mean(axis=0)
    order = np.argsort(-mean)
    assert names(section) == [DATA.columns[i] for i in order]
    first = column(section, 2)
    np.testing.assert_allclose(first, 100 * DATA.attention[0, order], atol=0.51)
    section.get_by_role("button", name="fold 3").click()
    assert names(section) == [DATA.columns[i] for i in np.argsort(-DATA.attention[2])]
    section.get_by_role("button", name="fold 3").click()
    shown = column(section, 4)
    assert shown == sorted(shown)
    section.get_by_role("button", name="Column").click()
    assert names(section) == sorted(DATA.columns)
    section.get_by_role("button", name="Spread").click()
    shown = column(section, 8)
    assert shown == sorted(shown, reverse=True)
    section.get_by_role("button", name="Ranks").click()
    place = (-DATA.attention).argsort(axis=1).argsort(axis=1).mean(axis=0)
    shown = [place[DATA.columns.index(name)] for name in names(section)]
    assert shown == sorted(shown, reverse=True), "by the mean rank, worst first"
    section.get_by_role("button", name="Mean").click()
    assert names(section) == [DATA.columns[i] for i in order]
    section.get_by_label("Find columns").fill("ticket")
    assert sorted(names(section)) == ["ticket_class", "ticket_prefix"]
    assert section.get_by_role("status").inner_text().startswith("2 of 14 columns")
    section.get_by_label("Find columns").fill("nothing like it")
    assert section.get_by_text("No column matches.").is_visible()


def test_a_wide_table_shows_more_when_asked(offline, folder):
    page = opened(offline, folder, "wide")
    section = page.locator("#attention")
    assert len(names(section)) == 60
    box = section.locator(".ta-tall")
    goes_on = re.compile("ta-goes-on")
    expect(box).to_have_class(goes_on)
    box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(box).not_to_have_class(goes_on)
    box.evaluate("box => box.scrollTo(0, 0)")
    expect(box).to_have_class(goes_on)
    said = section.get_by_role("status")
    expect(said).to_have_text(re.compile("^60 of 300 columns;"))
    section.get_by_label("Find columns").fill("_a")
    expect(said).to_have_text(re.compile(r"^60 of 300 columns \(100 match\);"))
    section.get_by_label("Find columns").fill("")
    section.get_by_role("button", name="Show 240 more").click()
    assert len(names(section)) == 300
    expect(said).to_have_text(re.compile("^300 of 300 columns;"))
    section.get_by_label("Find columns").fill("sensor_299")
    assert names(section) == ["sensor_299_c"]
    expect(said).to_have_text(re.compile("^1 of 300 columns;"))


def test_a_cell_opens_the_rows_that_give_it_most_attention(offline, folder):
    page = opened(offline, folder)
    cell = page.locator('#attention [data-at="4,1"]')
    cell.click()
    rows = page.locator("#rows")
    assert rows.get_by_label("Read by").input_value() == "1"
    assert rows.get_by_label("Order").input_value() == "c4"
    assert rows.locator(".ta-rows-table thead th").nth(4).inner_text() == DATA.columns[4]
    sample = DATA.rows
    share = (sample.peak * (sample.levels[1, :, :, :, 4] / 255.0) ** 2).mean(axis=(0, 1))
    expected = [sample.names[i] for i in np.argsort(-share, kind="stable")[:15]]
    assert names(rows, ".ta-rows-table") == expected
    assert page.evaluate("document.activeElement.closest('#rows') !== null"), "focus follows"
    top = rows.bounding_box()["y"]
    assert -5 <= top < 400, "and the reader is taken there"


def test_arrow_keys_walk_the_heat_map_and_enter_opens(offline, folder):
    page = opened(offline, folder)
    section = page.locator("#attention")
    assert section.locator('[data-at][tabindex="0"]').count() == 1, "one stop for Tab"
    section.locator('[data-at][tabindex="0"]').focus()
    at = "document.activeElement.dataset.at"
    order = [int(i) for i in np.argsort(-DATA.attention.mean(axis=0))]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(at) == f"{order[0]},1"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(at) == f"{order[1]},1"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(at) == f"{order[0]},0", "the edge holds"
    page.keyboard.press("Enter")
    assert page.locator("#rows").get_by_label("Order").input_value() == f"c{order[0]}"


def test_steps_by_fold(offline, folder):
    page = opened(offline, folder)
    section = page.locator("#steps .ta-explore")
    mean = DATA.attention_steps.mean(axis=0)
    first = DATA.columns[int(mean[0].argmax())]
    assert section.locator("li").first.inner_text().startswith(f"Step 1 looks most at {first} (")
    section.get_by_label("Read by").select_option("fold 4")
    own = DATA.attention_steps[3]
    first = DATA.columns[int(own[1].argmax())]
    assert section.locator("li").nth(1).inner_text().startswith(f"Step 2 looks most at {first} (")
    order = np.argsort(-own.mean(axis=0))
    assert names(section) == [DATA.columns[i] for i in order]
    np.testing.assert_allclose(column(section, 3), 100 * own[1, order], atol=0.51)
    section.get_by_role("button", name="Step 2").click()
    assert names(section) == [DATA.columns[i] for i in np.argsort(-own[1])]
    section.get_by_label("Find columns").fill("fare")
    assert sorted(names(section)) == ["fare", "fare_per_person"]
    assert "A cell opens its rows." in section.get_by_role("status").inner_text()
    column_of = DATA.columns.index("fare")
    section.locator(f'[data-at="{column_of},1"]').click()
    rows = page.locator("#rows")
    assert rows.get_by_label("Step").input_value() == "1"
    assert rows.get_by_label("Read by").input_value() == "3"


def test_rows_by_group_order_and_words(offline, folder):
    page = opened(offline, folder)
    section = page.locator("#rows")
    table, sample = ".ta-rows-table", DATA.rows
    assert names(section, table) == sample.names[:15]
    section.get_by_label("Rows", exact=True).select_option("random")
    assert names(section, table) == [sample.names[i] for i in range(0, 45, 3)]
    section.get_by_label("Order").select_option("exact")
    assert names(section, table)[0] == sample.names[57], "the smallest error of the group"
    section.get_by_label("Order").select_option("error")
    assert names(section, table)[0] == sample.names[0]
    section.get_by_label("Order").select_option(label="fare")
    c = DATA.columns.index("fare")
    group = sample.groups["random"]
    best = max(group, key=lambda i: own_share(DATA, i, c))
    assert names(section, table)[0] == sample.names[best]
    section.get_by_label("Step").select_option("step 2")
    best = max(group, key=lambda i: own_share(DATA, i, c, 1))
    assert names(section, table)[0] == sample.names[best]
    section.get_by_label("Read by").select_option("fold 3")
    fold = sample.levels[2, 0, 1, :, c]
    assert names(section, table)[0] == sample.names[max(group, key=lambda i: fold[i])]
    section.get_by_label("Rows", exact=True).select_option("all of these (60)")
    assert names(section, table)[0] == sample.names[int(fold.argmax())]
    section.get_by_label("Find rows").fill(f"fare={sample.cells[6][c]}")
    assert names(section, table) == [sample.names[6]]
    section.get_by_label("Find rows").fill("no such row")
    assert section.locator(":scope .ta-explore > [role=status]").inner_text() == "No row matches."


def test_rows_and_columns_turn_over(offline, folder):
    page = opened(offline, folder)
    section = page.locator("#rows")
    table = ".ta-rows-table"
    section.get_by_role("button", name="next rows").press("Enter")
    assert names(section, table) == DATA.rows.names[15:30]
    assert page.evaluate("document.activeElement.closest('.ta-rows-table') !== null")
    assert section.get_by_role("button", name="next rows").is_disabled()
    section.get_by_role("button", name="previous rows").click()
    assert names(section, table) == DATA.rows.names[:15]
    seen = set()
    for _ in range(3):
        seen |= set(section.locator(f"{table} thead th").all_inner_texts()[4:])
        button = section.get_by_role("button", name="next columns")
        if not button.is_disabled():
            button.click()
    assert seen == set(DATA.columns), "every column can be reached"
    assert button.is_disabled()
    last = section.locator(f"{table} thead th").all_inner_texts()[4:]
    section.get_by_role("button", name="previous columns").click()
    assert not set(last) & set(section.locator(f"{table} thead th").all_inner_texts()[4:])
    section.get_by_label("Find columns").fill("age")
    assert section.locator(f"{table} thead th").all_inner_texts()[4:] == ["age"]
    cell = section.locator(f"{table} tbody td.ta-heat").first
    assert cell.inner_text() == DATA.rows.cells[0][1]
    share = own_share(DATA, 0, 1)
    assert float(re.search(r"attention ([0-9.]+)%", cell.get_attribute("aria-label"))[1]) == (
        pytest.approx(100 * share, abs=0.51)
    )


def test_as_many_columns_as_have_room_stand_beside_a_row(offline, folder):
    page = opened(offline, folder)
    table = page.locator("#rows .ta-rows-table")
    assert table.locator("thead th").count() > 4 + 5
    box = page.locator("#rows .ta-scroll:has(.ta-rows-table)")
    assert box.evaluate("x => x.scrollWidth <= x.clientWidth")


def test_one_row_under_two_folds(offline, folder):
    page = opened(offline, folder)
    section = page.locator("#rows")
    section.locator(".ta-rows-table tbody th").nth(2).click()
    detail = section.locator(".ta-detail")
    sample = DATA.rows
    title = f"{sample.names[2].capitalize()}: truth {sample.truth[2]}, predicted out of fold"
    assert title in detail.locator("h3").inner_text()
    predicted = detail.locator("li").all_inner_texts()
    assert predicted == [
        f"fold {f + 1}{' (held it out)' if f == 2 else ''}: {sample.by_fold[f][2]}"
        for f in range(5)
    ]
    assert detail.get_by_label("Compare").input_value() == "2"
    detail.get_by_label("with").select_option("4")
    heads = detail.locator("thead th").all_inner_texts()
    assert heads[2:4] == ["Fold 3", "Fold 5"]
    assert page.evaluate("document.activeElement.ariaLabel") == "with"
    weights = (sample.peak * (sample.levels[:, :, :, 2] / 255.0) ** 2).mean(axis=(1, 2))
    order = np.argsort(-weights[2])
    assert names(detail) == [DATA.columns[i] for i in order[:12]]
    gap = 100 * (weights[2] - weights[4])[order[:12]]
    np.testing.assert_allclose(column(detail, 5), gap, atol=0.51)
    says = "In percent (mean of the steps). Blue: more in fold 3, orange: more in fold 5."
    assert detail.get_by_text(says).is_visible()
    section.get_by_label("Step").select_option("step 2")
    second = (sample.peak * (sample.levels[2, :, 1, 2] / 255.0) ** 2).mean(axis=0)
    np.testing.assert_allclose(column(detail, 3), 100 * np.sort(second)[::-1][:12], atol=0.51)
    assert detail.get_by_text("In percent (step 2)").is_visible()
    section.get_by_label("Step").select_option("mean")
    detail.get_by_label("Compare").select_option("0")
    assert detail.locator("thead th").nth(2).inner_text() == "Fold 1"
    detail.get_by_role("button", name="Show 2 more").click()
    assert len(names(detail)) == 14
    detail.get_by_role("button", name="Column").click()
    assert names(detail) == sorted(DATA.columns)
    detail.get_by_role("button", name="Close").click()
    assert detail.inner_text() == ""


def test_rows_of_one_seed(offline, folder):
    page = opened(offline, folder, "seeds")
    section, table = page.locator("#rows"), ".ta-rows-table"
    sample, c = SEEDS.rows, SEEDS.columns.index("fare")
    section.get_by_label("Order").select_option(label="fare")
    group = sample.groups["largest errors"]
    by_seed = [sorted(group, key=lambda i, k=k: -own_share(SEEDS, i, c, seed=k)) for k in range(3)]
    assert len({tuple(order[:5]) for order in by_seed}) == 3, "seeds differ in this sample"
    for k, order in enumerate(by_seed):
        section.get_by_label("Seed").select_option(f"seed {k + 1}")
        assert names(section, table)[:5] == [sample.names[i] for i in order[:5]]
        assert f"seed {k + 1}" in section.get_by_text("Cells show values").inner_text()
    # A row that is open follows the seed.
    section.locator(f"{table} tbody th").first.click()
    shown = column(section.locator(".ta-detail"), 3)
    section.get_by_label("Seed").select_option("mean")
    assert section.get_by_text("mean of the seeds").count() == 2, "of the table and of the row"
    assert column(section.locator(".ta-detail"), 3) != shown
    weights = (sample.peak * (sample.levels[sample.held_out[0], :, :, 0] / 255.0) ** 2).mean(
        axis=(0, 1)
    )
    section.get_by_label("Order").select_option("group")
    section.locator(f'{table} [data-at="0,-1"]').click()
    found = column(section.locator(".ta-detail"), 3)
    np.testing.assert_allclose(found, 100 * np.sort(weights)[::-1][:12], atol=0.51)


def test_folds_of_one_seed(offline, folder):
    page = opened(offline, folder, "seeds")
    section = page.locator("#attention")
    by_seed = [SEEDS.seed_attention[:, k] for k in range(3)]
    orders = [np.argsort(-own.mean(axis=0)) for own in by_seed]
    assert len({tuple(order) for order in orders}) == 3, "seeds differ in this sample"
    assert "mean of the seeds" in section.get_by_role("status").inner_text()
    for k, (own, order) in enumerate(zip(by_seed, orders, strict=True)):
        section.get_by_label("Seed").select_option(f"seed {k + 1}")
        assert names(section) == [SEEDS.columns[i] for i in order]
        np.testing.assert_allclose(column(section, 3), 100 * own[1, order], atol=0.51)
        spread = 100 * (own.max(axis=0) - own.min(axis=0))
        np.testing.assert_allclose(column(section, 8), spread[order], atol=0.51)
        places = (-own).argsort(axis=1).argsort(axis=1) + 1
        best, worst = places[:, order[3]].min(), places[:, order[3]].max()
        found = section.locator(".ta-grid-table tbody tr").nth(3).locator("td").last.inner_text()
        assert found == (f"{best}" if best == worst else f"{best}–{worst}")
        assert f"seed {k + 1}" in section.get_by_role("status").inner_text()
    # A cell opens its rows as the chosen seed reads them.
    section.locator('[data-at="4,1"]').click()
    rows = page.locator("#rows")
    assert [rows.get_by_label(x).input_value() for x in ("Read by", "Seed")] == ["1", "2"]
    # What was searched for and sorted by stays.
    section.get_by_role("button", name="fold 4").click()
    section.get_by_label("Find columns").fill("fare")
    section.get_by_label("Seed").select_option("mean")
    kept = [SEEDS.columns[i] for i in np.argsort(-SEEDS.attention[3])]
    assert names(section) == [name for name in kept if "fare" in name]


def test_steps_of_one_seed(offline, folder):
    page = opened(offline, folder, "seeds")
    section = page.locator("#steps .ta-explore")
    section.get_by_label("Seed").select_option("seed 2")
    for fold, own in (("fold 4", SEEDS.seed_steps[3, 1]), ("-1", SEEDS.seed_steps[:, 1].mean(0))):
        section.get_by_label("Read by").select_option(fold)
        order = np.argsort(-own.mean(axis=0))
        assert names(section) == [SEEDS.columns[i] for i in order]
        np.testing.assert_allclose(column(section, 3), 100 * own[1, order], atol=0.51)
        top = SEEDS.columns[int(own[0].argmax())]
        assert section.locator("li").first.inner_text().startswith(f"Step 1 looks most at {top} (")
    assert "mean of the folds, seed 2;" in section.get_by_role("status").inner_text()
    section.locator('[data-at="3,1"]').click()
    rows = page.locator("#rows")
    found = [rows.get_by_label(name).input_value() for name in ("Read by", "Seed", "Step")]
    assert found == ["-1", "1", "1"]


def test_no_seed_is_offered_where_there_is_one_or_rows_keep_the_mean(offline, folder, tmp_path):
    page = opened(offline, folder)
    for section in ("attention", "steps", "rows"):
        assert page.locator(f"#{section}").get_by_label("Seed").count() == 0
    data = samples.regression(n_columns=20, n_seeds=2)
    (tmp_path / "mean.html").write_text(render_page(data), encoding="utf-8")
    page = opened(offline, tmp_path, "mean")
    assert page.locator("#rows").get_by_label("Seed").count() == 0
    folds = page.locator("#attention")
    folds.get_by_label("Seed").select_option("seed 2")
    folds.locator('[data-at="4,1"]').click()
    share = (data.rows.peak * (data.rows.levels[1, 0, :, :, 4] / 255.0) ** 2).mean(axis=0)
    assert names(page.locator("#rows"), ".ta-rows-table")[0] == data.rows.names[share.argmax()]


def test_500_columns_stay_usable(offline, tmp_path):
    data = samples.regression(n_columns=500, n_seeds=8)
    (tmp_path / "wide.html").write_text(render_page(data), encoding="utf-8")
    assert (tmp_path / "wide.html").stat().st_size < 2_000_000
    page = opened(offline, tmp_path, "wide")
    folds, rows = page.locator("#attention"), page.locator("#rows")
    folds.get_by_role("button", name="fold 4").click()
    own, first = data.attention[3], data.columns.index(names(folds)[0])
    assert own[first] == pytest.approx(own.max(), abs=1e-5), "the page rounds to five decimals"
    folds.get_by_label("Find columns").fill("sensor_49")
    assert sorted(names(folds)) == [f"sensor_{i}_{'abc'[i % 3]}" for i in range(490, 500)]
    folds.locator('[data-at="499,3"]').click()
    assert rows.locator(".ta-rows-table thead th").nth(4).inner_text() == data.columns[499]
    rows.get_by_label("Find rows").fill(f"{data.columns[499]}={data.rows.cells[7][499]}")
    found = names(rows, ".ta-rows-table")
    assert data.rows.names[7] in found
    assert len(found) < 5
    steps = page.locator("#steps .ta-explore")
    steps.get_by_label("Find columns").fill("_a")
    assert steps.get_by_role("status").inner_text().startswith("60 of 500 columns (167 match)")
    table = page.locator("table.ta-schema")
    page.get_by_label("Filter columns").fill("sensor_3")
    assert table.locator("tbody tr:visible").count() == 100
    slowest = page.evaluate(
        """() => Math.max(...['Column', 'Fold 2', 'Spread'].map(name => {
          const head = [...document.querySelectorAll('#attention .ta-sort')]
            .find(x => x.textContent === name);
          const start = performance.now(); head.click(); return performance.now() - start; }))"""
    )
    assert slowest < 1000, "milliseconds, on a busy machine"


def test_groups_and_their_difference(offline, folder):
    page = opened(offline, folder)
    section = page.locator("#cohorts .ta-explore")
    mean, error = DATA.cohorts.mean, DATA.cohorts.error
    gap = mean[0] - mean[1]
    order = np.argsort(-np.abs(gap))
    assert names(section) == [DATA.columns[i] for i in order]
    np.testing.assert_allclose(column(section, 2), 100 * gap[order], atol=0.51)
    stars = [text.endswith("*") for text in
             section.locator("tbody tr > :nth-child(2)").all_inner_texts()]  # fmt: skip
    noise = 2 * np.hypot(error[0], error[1])
    assert stars == [bool(abs(gap[i]) > noise[i]) for i in order]
    section.get_by_label("Group rows by").select_option("age")
    assert section.locator("thead th").all_inner_texts()[3:] == ["0 to 20", "21 to 40", "41 to 80"]
    assert section.get_by_label("A", exact=True).input_value() == "12"
    assert section.locator('[data-at][tabindex="0"]').count() == 1, "one press of Tab reaches it"
    quiet = section.locator("tbody tr > :nth-child(2):not(.h0)").all_inner_texts()
    assert all(text.endswith("*") for text in quiet), "what may be chance has no colour"
    section.get_by_label("B", exact=True).select_option("0")
    gap = mean[12] - mean[0]
    order = np.argsort(-np.abs(gap))
    assert names(section) == [DATA.columns[i] for i in order]
    section.get_by_label("A", exact=True).select_option("13")
    order = np.argsort(-np.abs(mean[13] - mean[0]))
    assert names(section) == [DATA.columns[i] for i in order]
    section.get_by_role("button", name="21 to 40").click()
    assert names(section) == [DATA.columns[i] for i in np.argsort(-mean[13])]
    section.get_by_label("Find columns").fill("ticket")
    assert len(names(section)) == 2


def test_a_cell_of_a_group_opens_its_rows(offline, folder):
    page = opened(offline, folder)
    section, rows = page.locator("#cohorts .ta-explore"), page.locator("#rows")
    section.get_by_label("Group rows by").select_option("age")
    place = [i for i, by in enumerate(DATA.cohorts.by) if by == "age"]
    section.locator('[data-at="4,3"]').click()  # the second of the groups, after two other cells
    own = DATA.cohorts.members[place[1]]
    assert own == list(range(1, 60, 2))
    chosen = rows.get_by_label("Rows", exact=True)
    assert chosen.locator("option:checked").inner_text() == "21 to 40 (30)"
    assert rows.get_by_label("Read by").input_value() == "-1", "as its group's mean was read"
    expected = sorted(own, key=lambda i: -own_share(DATA, i, 4))[:15]
    assert names(rows, ".ta-rows-table") == [DATA.rows.names[i] for i in expected]
    section.locator('[data-at="4,4"]').click()
    assert rows.get_by_text("None of the sampled rows is in this group.").is_visible()
    chosen.select_option(label="largest errors (30)")
    assert len(names(rows, ".ta-rows-table")) == 15
    chosen.select_option(label="yes (30)")
    truths = rows.locator(".ta-rows-table tbody tr > :nth-child(2)").all_inner_texts()
    assert set(truths) == {"yes"}, "groups can be chosen in the menu, too"
    section.locator("tbody td").nth(1).click()
    assert chosen.locator("option:checked").inner_text() == "yes (30)", "no cell of a difference"


def test_groups_of_an_older_model_open_nothing(offline, tmp_path):
    old = replace(DATA.cohorts, members=[])
    (tmp_path / "old.html").write_text(render_page(replace(DATA, cohorts=old)), encoding="utf-8")
    page = opened(offline, tmp_path, "old")
    assert page.locator("#cohorts [data-at]").count() == 0
    assert "opens its rows" not in page.locator("#cohorts").get_by_role("status").inner_text()
    assert page.locator("#rows").get_by_label("Rows", exact=True).locator("optgroup").count() == 0


def test_a_difference_that_counts_is_never_said_to_be_zero(offline, tmp_path):
    mean = DATA.cohorts.mean.copy()
    mean[1] = mean[0] - np.array([0.0004, -0.00003, 1e-9, 0.0, 0.02, *[0.1] * 9])
    groups = replace(DATA.cohorts, mean=mean, error=np.zeros_like(mean))
    (tmp_path / "near.html").write_text(render_page(replace(DATA, cohorts=groups)), "utf-8")
    section = opened(offline, tmp_path, "near").locator("#cohorts .ta-explore")
    cells = section.locator("tbody tr > :nth-child(2)").all_inner_texts()
    found = dict(zip(names(section), cells, strict=True))
    said = [found[name] for name in DATA.columns[:6]]
    assert said == ["+0.04 *", "−0.003 *", "0", "0", "+2.0 *", "+10 *"]


def test_a_search_of_groups_keeps_their_order(offline, folder):
    page = opened(offline, folder)
    section = page.locator("#cohorts .ta-explore")
    section.get_by_role("button", name="Column").click()
    assert names(section) == sorted(DATA.columns)
    section.get_by_label("Find columns").fill("a")
    assert names(section) == sorted(name for name in DATA.columns if "a" in name)
    section.get_by_label("Group rows by").select_option("age")
    assert names(section) != sorted(names(section)), "other groups begin with their differences"


def test_columns_that_rows_have_no_room_for_do_not_open(offline, tmp_path):
    data = replace(WIDE, cohorts=None)
    text = render_page(data, 700_000)
    assert len(text.encode()) < 700_000
    (tmp_path / "cut.html").write_text(text, encoding="utf-8")
    page = opened(offline, tmp_path, "cut")
    said = re.search(r"explorer of rows holds the (\d+) that", page.locator("#rows").inner_text())
    kept = int(said[1])
    assert 5 < kept < 300
    folds = page.locator("#attention .ta-explore")
    folds.get_by_role("button", name="Show 240 more").click()
    assert folds.locator("tbody tr").count() == 300
    assert folds.locator("tbody tr:has([data-at])").count() == kept
    assert "if they hold its column" in folds.get_by_role("status").inner_text()
    # Arrow keys pass over what does not open; a cell that does, opens the rows of its column.
    opens = folds.locator("tbody tr").evaluate_all(
        "x => x.map(r => !!r.querySelector('[data-at]'))"
    )
    at = next(i for i in range(300) if opens[i] and not opens[i + 1])
    first, second = (folds.locator("tbody tr").nth(i) for i in (at, opens.index(True, at + 1)))
    first.locator("[data-at]").first.click()
    opened_column = page.locator("#rows .ta-rows-table thead th").nth(4).inner_text()
    assert opened_column == first.locator("th").inner_text()
    first.locator("[data-at]").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('tr').firstChild.textContent") == (
        second.locator("th").inner_text()
    )
    c = data.columns.index(opened_column)
    cell = page.locator("#rows .ta-rows-table tbody td.ta-heat").first
    row = data.rows.names.index(page.locator("#rows .ta-rows-table tbody th").first.inner_text())
    assert cell.inner_text() == data.rows.cells[row][c]


def test_without_a_way_to_unpack_the_pictures_stay(offline, folder):
    page = offline.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto((folder / "binary.html").as_uri())
    for name in ("folds", "steps", "rows", "cohorts"):
        assert page.locator(f'[data-view="{name}"] .ta-static').is_visible()
    assert page.locator(".ta-explore").count() == 0


def test_without_scripts_pictures_and_tables_remain(scriptless, folder):
    page = scriptless.new_page()
    page.goto((folder / "binary.html").as_uri())
    assert page.locator('[data-view="folds"] img').is_visible()
    assert page.locator('[data-view="rows"] tbody tr').count() == 12
    page.goto((folder / "seeds.html").as_uri())
    assert page.get_by_label("Seed").count() == 0
    page.locator('[data-view="folds"] summary').click()
    mean = SEEDS.attention.mean(axis=0)
    table = page.locator('[data-view="folds"] table').inner_text()
    assert f"{mean.max():.1%}" in table, "the mean of the seeds remains"
    assert not page.locator("#ta-data").is_visible()


def test_on_paper_pictures_take_the_place_of_explorers(offline, folder):
    page = opened(offline, folder)
    page.emulate_media(media="print")
    assert page.locator('[data-view="folds"] img').is_visible()
    assert not page.locator(".ta-explore").first.is_visible()
    page.set_viewport_size({"width": 720, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 720, "nothing is cut off"


@pytest.mark.parametrize("width", [1100, 420])
@pytest.mark.parametrize("name", ["binary", "wide"])
def test_explorers_do_not_widen_the_page(offline, folder, name, width):
    page = opened(offline, folder, name)
    page.set_viewport_size({"width": width, "height": 900})
    page.locator("#rows .ta-rows-table tbody th").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_cell(offline, folder, scheme):
    page = offline.new_page()
    page.emulate_media(color_scheme=scheme)
    page.goto((folder / "binary.html").as_uri())
    page.wait_for_selector("html.ta-ready")
    worst = page.evaluate(
        """() => {
          const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
              .map(x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
            return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
          return Math.min(...[...document.querySelectorAll('td.ta-heat')].map(e => {
            const style = getComputedStyle(e);
            const [a, b] = [light(style.color), light(style.backgroundColor)];
            return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }));
        }"""
    )
    assert worst >= 4.5
    fills = page.locator("#attention td.ta-heat").evaluate_all(
        "all => new Set(all.map(e => getComputedStyle(e).backgroundColor)).size"
    )
    assert fills > 5, "cells are shaded"


def test_a_screen_reader_hears_grids_controls_and_values(offline, folder):
    page = opened(offline, folder)
    heard = page.locator("#attention").aria_snapshot()
    for part in ('searchbox "Find columns"', 'grid "Attention by column and fold"', "columnheader",
                 'rowheader "sex"'):  # fmt: skip
        assert part in heard
    heard = page.locator("#rows").aria_snapshot()
    for part in ('combobox "Rows', 'combobox "Read by', "attention", 'button "next rows"'):
        assert part in heard
