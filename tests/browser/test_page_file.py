"""The report as a reader meets it: a file opened in a browser."""

from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import expect
from view import samples

from tabnet_auto.view.page import render_fragment, render_framed, render_page

pytestmark = pytest.mark.browser

HOSTILE = '<script>document.title="owned"</script><img src="http://example.org/x.png">'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    twenty = samples.leaderboard(np.random.default_rng(0), 20, 0.88, 1.0)
    pages = {
        "binary": render_page(samples.binary()),
        "wide": render_page(samples.regression()),
        "full": render_page(samples.binary(search=samples.search(), audit=samples.audit())),
        "classes": render_page(samples.multiclass(n_classes=30)),
        "hostile": render_page(_renamed(HOSTILE)),
        "folds": render_page(samples.binary(leaderboard=twenty)),
        "framed": "<!doctype html><body>" + render_framed(samples.binary()),
        "fragment": "<!doctype html><body>" + render_fragment(_renamed(HOSTILE)),
    }
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


def _renamed(name):
    data = samples.binary()
    columns = [name, *data.columns[1:]]
    rows = [{**data.schema_rows[0], "name": name}, *data.schema_rows[1:]]
    return samples.binary(title=name, columns=columns, schema_rows=rows, notes=[name])


def _open(context, folder, name, **viewport):
    page = context.new_page()
    if viewport:
        page.set_viewport_size(viewport)
    page.goto((folder / f"{name}.html").as_uri())
    return page


def _column(page, table, position):
    return page.locator(f"table.{table} tbody tr > :nth-child({position})").all_inner_texts()


def test_opens_with_all_sections_and_pictures(offline, folder):
    page = _open(offline, folder, "binary")
    headings = page.locator("h2").all_inner_texts()
    assert headings == [
        "Overview", "Leaderboard", "Learning curves", "Attention per fold", "Attention per step",
        "Rows", "Groups of rows", "Trust", "Drift", "Predictions", "Columns", "Reproduce",
    ]  # fmt: skip
    widths = page.locator("img").evaluate_all("all => all.map(x => x.naturalWidth)")
    assert len(widths) == 17
    assert all(width > 300 for width in widths), "every picture is valid SVG"
    assert page.get_by_role("img").count() == 14, "three are hidden behind their explorers"


def test_nothing_in_a_name_becomes_markup(offline, folder):
    page = _open(offline, folder, "hostile")
    assert page.title() == HOSTILE
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.locator("main script").count() == 0
    page = _open(offline, folder, "fragment")
    assert page.title() != "owned"
    widths = page.locator("img").evaluate_all("all => all.map(x => x.naturalWidth)")
    assert len(widths) == 1
    assert widths[0] > 300


def test_the_page_in_a_notebooks_frame_explores_and_finds_its_sections(offline, folder):
    page = _open(offline, folder, "framed")
    page.get_by_text("The whole report").click()
    frame = page.frame_locator("iframe")
    expect(frame.locator(".ta-drawn")).to_have_count(4)
    section = frame.locator("#attention")
    section.get_by_label("Find columns").fill("ticket")
    expect(section.get_by_role("status")).to_contain_text("2 of 14 columns")
    link = frame.get_by_role("link", name="Groups")
    link.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    link.click()
    expect(link).to_have_attribute("aria-current", "true")
    assert frame.locator("body").evaluate("() => scrollY") > 1000
    assert page.evaluate("scrollY") == before, "the notebook stays"


def test_a_click_sorts_and_a_second_click_turns_round(offline, folder):
    page = _open(offline, folder, "binary")
    button = page.locator("table.ta-schema").get_by_role("button", name="Attention")
    button.click()
    shares = [float(text.rstrip("%\n ")) for text in _column(page, "ta-schema", 7)[:-1]]
    assert shares == sorted(shares, reverse=True)
    assert _column(page, "ta-schema", 7)[-1].strip() == "–", "blanks stay at the end"
    button.click()
    shares = [float(text.rstrip("%\n ")) for text in _column(page, "ta-schema", 7)[:-1]]
    assert shares == sorted(shares)
    assert _column(page, "ta-schema", 7)[-1].strip() == "–"
    head = page.locator("table.ta-schema th[aria-sort]")
    assert head.count() == 1
    assert head.get_attribute("aria-sort") == "ascending"


def test_the_keyboard_sorts(offline, folder):
    page = _open(offline, folder, "binary")
    page.locator("table.ta-schema").get_by_role("button", name="Column").focus()
    page.keyboard.press("Enter")
    names = _column(page, "ta-schema", 1)
    assert names == sorted(names)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    roles = _column(page, "ta-schema", 2)
    assert roles == sorted(roles)


def test_the_filter_keeps_rows_that_hold_all_words(offline, folder):
    page = _open(offline, folder, "wide")
    box = page.get_by_label("Filter columns")
    box.fill("sensor_12 numeric")
    shown = page.locator("table.ta-schema tbody tr:visible")
    assert shown.count() == 3
    assert page.locator("#columns").get_by_role("status").inner_text() == "3 of 301 columns"
    page.emulate_media(media="print")
    assert shown.count() == 301, "paper does not show what was searched for"
    page.emulate_media(media="screen")
    box.fill("")
    assert shown.count() == 301


def test_numbers_below_pictures_are_sorted_and_searched(offline, folder):
    page = _open(offline, folder, "wide")
    figure = page.locator("#drift figure").first
    figure.locator("summary").click()
    rows = figure.locator("tbody tr:visible")
    assert rows.count() == 300
    figure.get_by_role("button", name="Shift").click()
    assert rows.first.locator("th").inner_text() == "sensor_001_b", "the one that moved"
    figure.get_by_role("button", name="Column").click()
    assert rows.first.locator("th").inner_text() == "sensor_000_a"
    figure.get_by_label("Filter rows").fill("sensor_29 no")
    assert rows.count() == 10
    assert figure.get_by_role("status").inner_text() == "10 of 300 rows"
    steps = page.locator("#steps > .ta-wide figure")
    steps.locator("summary").click()
    steps.get_by_role("button", name="Loss rises by").click()
    assert steps.locator("tbody th").all_inner_texts() == ["step 1", "step 2", "step 3"]
    steps.get_by_role("button", name="Loss rises by").click()
    assert steps.locator("tbody th").all_inner_texts() == ["step 3", "step 2", "step 1"]
    assert steps.get_by_label("Filter rows").count() == 0, "three rows need no search"
    trust = _open(offline, folder, "full").locator("#trust")
    trust.locator("summary").first.click()
    trust.get_by_role("button", name="Lost without it").click()
    lost = (
        trust.locator("figure")
        .first.locator("tbody tr > :nth-child(3)")
        .evaluate_all("all => all.map(x => Number(x.dataset.v))")
    )
    assert lost == sorted(lost, reverse=True)
    assert len(lost) == 14


def test_search_and_findings(offline, folder):
    page = _open(offline, folder, "full")
    table = page.locator("#search table")
    heads = table.locator("thead th").all_inner_texts()
    assert heads[:5] == ["Configuration", "Fold", "Used", "Rung", "Inner roc_auc"]
    table.get_by_role("button", name="Used").click()
    used = table.locator("tbody tr > :nth-child(3)").all_inner_texts()
    assert used == ["1"] * 5 + ["–"] * 35
    right = table.bounding_box()["x"] + table.bounding_box()["width"]
    assert right <= page.locator("#search .ta-card").bounding_box()["x"] + 1032, "all is seen"
    findings = page.locator("#audit tbody tr")
    assert findings.count() == 2
    assert "roles={'boat': 'drop'}" in findings.first.inner_text()


def test_the_first_tab_skips_to_the_content(offline, folder):
    page = _open(offline, folder, "binary")
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to content")
    assert link.evaluate("x => x === document.activeElement")
    assert link.bounding_box()["x"] >= 0, "it shows when it has the focus"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#overview"


def test_every_control_and_picture_has_a_name(offline, folder):
    page = _open(offline, folder, "full")
    page.wait_for_selector("html.ta-ready")
    page.locator("#rows tbody [data-at]").first.click()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('a, button, input, select, summary, img')]
            .filter(x => x.checkVisibility())
            .filter(x => !(x.getAttribute('aria-label') || x.alt || x.innerText || '').trim()
              && !x.closest('label'))
            .map(x => x.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    levels = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(x => +x.tagName[1])")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels)), "none is left out"
    assert page.evaluate("document.documentElement.lang") == "en"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(x => x.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("table th:not([scope])").count() == 0


@pytest.mark.parametrize("width", [1100, 420])
def test_what_scrolls_can_be_scrolled_with_the_keyboard(offline, folder, width):
    page = _open(offline, folder, "full", width=width, height=900)
    page.wait_for_selector("html.ta-ready")
    boxes = page.locator(".ta-scroll")
    scrolling = boxes.evaluate_all(
        "all => all.filter(x => x.checkVisibility() && x.scrollWidth > x.clientWidth)"
        ".map(x => x.tabIndex === 0 || x.querySelector('button, [tabindex=\"0\"]') !== null)"
    )
    assert len(scrolling) > (3 if width == 420 else -1)
    assert all(scrolling)
    stops = page.locator(".ta-figure > .ta-scroll[tabindex]").count()
    assert (stops > 0) == (width == 420), "no needless stops"


def test_on_paper_all_is_black_on_white_and_fits(offline, folder):
    page = _open(offline, folder, "full", width=720, height=1000)
    page.emulate_media(media="print", color_scheme="dark")
    grounds = page.locator(".ta-report, .ta-card, .ta-table tr:not(.ta-lead) td").evaluate_all(
        "all => [...new Set(all.filter(x => x.checkVisibility())"
        ".map(x => getComputedStyle(x).backgroundColor))]"
    )
    assert grounds == ["rgb(255, 255, 255)"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    cut = page.locator(".ta-scroll").evaluate_all(
        "all => all.filter(x => x.checkVisibility() && x.scrollHeight > x.clientHeight + 2).length"
    )
    assert cut == 0, "no table is cut off where nobody can scroll"
    faded = page.locator(".ta-tall").evaluate_all(
        "all => all.filter(x => getComputedStyle(x).maskImage !== 'none').length"
    )
    assert faded == 0
    # Chromium repeats a table's head on every sheet, but none that holds a button.
    buttons = page.locator("thead .ta-sort")
    assert buttons.count() > 20
    assert set(buttons.evaluate_all("all => all.map(x => getComputedStyle(x).display)")) == {
        "contents"
    }


def test_on_paper_a_leaderboard_of_many_folds_shows_their_ends(offline, folder):
    page = _open(offline, folder, "folds", width=720, height=1000)
    heads = page.locator("table.ta-models thead th:visible")
    assert heads.count() == 7 + 20
    page.emulate_media(media="print")
    assert heads.all_inner_texts() == [
        "Model", "Mean", "± folds", "Lowest fold", "Highest fold", "Time", "Blend weight",
    ]  # fmt: skip
    assert page.evaluate("document.documentElement.scrollWidth") <= 720


def test_on_paper_short_tables_are_shown_and_long_ones_are_not_promised(offline, folder):
    page = _open(offline, folder, "wide", width=720, height=1000)
    short = page.locator("#steps > .ta-wide figure .ta-table")
    long = page.locator("#drift figure").first.locator(".ta-table")
    assert not short.is_visible()
    page.emulate_media(media="print")
    assert short.is_visible()
    assert short.bounding_box()["height"] > 60
    assert not long.is_visible()
    assert page.get_by_text("Numbers", exact=True).filter(visible=True).count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    said = page.locator('[data-view="cohorts"] .ta-note:not([role])').inner_text()
    assert "3 more groups are in this page's explorer: it needs scripts." in said


@pytest.mark.parametrize("width", [1100, 420])
@pytest.mark.parametrize("name", ["full", "wide", "classes", "hostile", "fragment", "framed"])
def test_no_sideways_scrolling(offline, folder, name, width):
    page = _open(offline, folder, name, width=width, height=900)
    page.locator("details").evaluate_all("all => all.forEach(x => x.open = true)")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width


def test_without_scripts_everything_remains(scriptless, folder):
    page = _open(scriptless, folder, "binary")
    assert page.locator("table.ta-schema tbody tr:visible").count() == 15
    assert page.locator("h2:visible").count() == 12
    assert page.locator("input").count() == 0, "no control that does nothing"
    said = page.locator('[data-view="rows"]').inner_text()
    assert "Rows with the largest errors out of fold: 12 of 30" in said
    assert "The others are in this page's explorer: it needs scripts." in said
    page.locator("summary").first.click()
    assert page.locator("details table").first.is_visible()
    page.set_viewport_size({"width": 420, "height": 900})
    assert page.locator("html").bounding_box()["width"] == 420


def test_the_navigation_leads_to_its_section(offline, folder):
    page = _open(offline, folder, "binary")
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("link", name="Predictions").click()
    page.wait_for_function("scrollY > 500")
    top = page.locator("#predictions-title").bounding_box()["y"]
    bar = page.locator("nav").bounding_box()["height"]
    assert bar <= top < 300, "the heading is not hidden below the standing bar"
    current = page.locator("nav a[aria-current]")
    current.wait_for()
    assert current.all_inner_texts() == ["Predictions"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(offline, folder, scheme):
    page = _open(offline, folder, "binary")
    page.emulate_media(color_scheme=scheme)
    worst = page.evaluate(
        """() => {
          const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
              .map(x => x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
            return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
          const ground = e => { for (; e; e = e.parentElement) {
            const c = getComputedStyle(e).backgroundColor;
            if (!c.endsWith(', 0)')) return c; } return 'rgb(255,255,255)'; };
          const all = [...document.querySelectorAll('p,dt,dd,th,td,a,li,figcaption,summary,pre')];
          return Math.min(...all.filter(e => e.offsetParent && e.innerText.trim()).map(e => {
            const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort();
            return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }));
        }"""
    )
    assert worst >= 4.5
