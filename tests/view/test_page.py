"""What the markup promises: safe, small, closed, and readable without seeing the pictures."""

import base64
import hashlib
import html
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from view import samples

from tabnet_auto.view import curve_panels, draw, panels, svg, tables
from tabnet_auto.view.figures import Confusion, Heat, Strip, Table, TableColumn
from tabnet_auto.view.page import (
    EMBEDDED,
    HONEST,
    render_fragment,
    render_framed,
    render_page,
)

HOSTILE = "<script>alert('x')</script>&\"\x00\ud800"
VOID = {"meta", "img", "input", "br", "wbr"}
XMLNS = "http://www.w3.org/2000/svg"
EMPTY = Table("", (), ())


class Tree(HTMLParser):
    """Checks that tags are balanced and keeps what was met."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def pictures(page):
    found = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    return [base64.b64decode(text).decode() for text in found]


def hostile(make=samples.binary):
    data = make()
    return make(
        title=HOSTILE,
        summary={HOSTILE: HOSTILE, "score": HOSTILE},
        leaderboard=[{**row, "name": HOSTILE} for row in data.leaderboard],
        metric_name=HOSTILE,
        columns=[HOSTILE] * len(data.columns),
        schema_rows=[{**row, "name": HOSTILE, "reason": HOSTILE} for row in data.schema_rows],
        notes=[HOSTILE],
        reproduce=HOSTILE,
        rows=replace(
            data.rows,
            names=[HOSTILE] * len(data.rows.names),
            cells=[[HOSTILE] * len(data.columns) for _ in data.rows.cells],
            truth=[HOSTILE] * len(data.rows.names),
            groups={HOSTILE: [0, 1, 2]},
        ),
        cohorts=replace(data.cohorts, label=[HOSTILE] * len(data.cohorts.label)),
        drift=replace(data.drift, columns=[HOSTILE] * len(data.drift.columns), of_class=HOSTILE),
    )


@pytest.mark.parametrize("make", [samples.binary, samples.regression, samples.multiclass])
@pytest.mark.parametrize("render", [render_page, render_fragment])
def test_markup_is_balanced_and_pictures_are_xml(make, render):
    page = render(make())
    Tree(page)
    drawn = pictures(page)
    assert drawn
    for picture in drawn:
        assert ET.fromstring(picture).tag == f"{{{XMLNS}}}svg"
        assert "nan" not in picture.lower().replace("finance", "")


@pytest.mark.parametrize("make", [samples.binary, samples.regression])
def test_nothing_a_user_wrote_becomes_markup(make):
    page = render_page(hostile(make))
    tree = Tree(page)
    page.encode("utf-8")
    assert tree.tags.count("script") == 1, "only the page's own"
    assert "<script>alert" not in page
    for picture in pictures(page):
        tags = {element.tag.split("}")[1] for element in ET.fromstring(picture).iter()}
        assert "script" not in tags
    assert Tree(render_fragment(hostile(make))).tags.count("script") == 0


@pytest.mark.parametrize("render", [render_page, render_fragment, render_framed])
@pytest.mark.parametrize("make", [samples.binary, samples.regression, samples.multiclass])
def test_nothing_points_outside(make, render):
    page = render(make())
    for text in (page, *pictures(page)):
        bare = text.replace(XMLNS, "")
        assert "http://" not in bare
        assert "https://" not in bare
        assert "@import" not in bare
        assert "url(" not in bare.replace("url(#c)", "")


def test_the_policy_admits_the_pages_script_and_no_other():
    page = render_page(samples.binary())
    assert "default-src 'none'" in page
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_a_frame_holds_the_page_and_may_run_its_script_alone():
    made = render_framed(hostile())
    assert Tree(made).tags.count("script") == 0
    (frame,) = re.findall(r"<iframe [^>]*>", made)
    assert 'sandbox="allow-scripts"' in frame
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1])
    assert page == render_page(hostile(), EMBEDDED)


def test_500_columns_stay_under_two_megabytes():
    page = render_page(samples.regression(n_columns=500, n_seeds=8))
    assert len(page.encode()) < 2_000_000
    assert len(render_fragment(samples.regression(n_columns=500)).encode()) < 200_000
    assert len(render_framed(samples.regression(n_columns=500, n_seeds=8)).encode()) < 1_600_000
    for i in range(500):
        assert f"sensor_<wbr>{i:03d}_" in page


@pytest.mark.parametrize("make", [samples.binary, samples.regression, samples.multiclass])
def test_every_picture_has_a_role_words_and_numbers(make):
    tree = Tree(render_page(make()))
    images = [a for tag, a in zip(tree.tags, tree.attributes, strict=True) if tag == "img"]
    for image in images:
        assert image["role"] == "img"
        assert image["alt"] == image["aria-label"] != ""
    assert tree.tags.count("figure") == len(images) == tree.tags.count("details")


def test_equal_data_gives_equal_bytes():
    assert render_page(samples.binary()) == render_page(samples.binary())


def test_the_page_says_what_attention_is_not():
    assert HONEST in render_page(samples.binary())
    assert HONEST in render_fragment(samples.binary())
    assert "no test of what is lost" in render_page(samples.binary(trust=False))
    assert "no test of what is lost" not in render_page(samples.binary())


def test_sections_without_data_are_left_out():
    data = samples.binary(
        columns=[], attention=np.empty((0, 0)), attention_steps=np.empty((0, 0, 0)), curves=[],
        trust=False, predictions=None, notes=[], reproduce="", rows=None, cohorts=None,
        drift=None, step_work=None,
    )  # fmt: skip
    page = render_page(data)
    Tree(page)
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    links = re.findall(r'class="ta-nav-link" href="#[a-z]+">([^<]*)<', page)
    assert headings == links == ["Overview", "Leaderboard", "Columns"]
    assert 'id="ta-data"' not in page


@pytest.mark.parametrize("n_folds", [1, 2, 30])
def test_any_number_of_folds_can_be_drawn(n_folds):
    steps = samples.attention(np.random.default_rng(0), n_folds, 2, 14, 1.0)
    data = samples.binary(attention=steps.mean(axis=1), attention_steps=steps)
    for picture in pictures(render_page(data)):
        ET.fromstring(picture)


def test_gaps_in_curves_break_the_line():
    chart = curve_panels.curve_charts(samples.binary())[1]
    series = chart.series[0]
    holes = tuple(float("nan") if i in (3, 4) else y for i, y in enumerate(series.y))
    frame = svg.Frame(0, 0, 100, 100, (1, 60), (0, 1))
    assert frame.path(series.x, holes).count("M") == 2


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.12345, "share", "12.3%"),
        (0.0001, "share", "<0.1%"),
        (0.0, "share", "0.0%"),
        (1234567, "count", "1,234,567"),
        (0.123456, "score", "0.1235"),
        (0.0001234, "score", "0.000123"),
        (31204.46, "score", "31,204.5"),
        (59.96, "seconds", "1 min 00 s"),
        (75.0, "seconds", "1 min 15 s"),
        (3599.9, "seconds", "1 h 00 min"),
        (7322.0, "seconds", "2 h 02 min"),
        (float("nan"), "score", "–"),
        (None, "count", "–"),
        ("<b>", "text", "<b>"),
    ],
)
def test_numbers_are_written_for_people(value, form, text):
    assert tables.format_cell(value, form) == text


def test_negative_numbers_have_a_minus_and_names_keep_their_hyphens():
    page = tables.table_html(
        Table("t", (TableColumn("a"), TableColumn("b", "score")), (("a-b", -0.25),))
    )
    assert "−0.2500" in page
    assert "a-b" in page
    assert [svg.tick_label(v) for v in (-100_000.0, -0.5)] == ["−100,000", "−0.5"]


def test_long_heads_go_on_after_an_underscore_and_sentences_after_a_space():
    columns = (TableColumn("weight_decay"), TableColumn("Inner roc_auc"))
    page = tables.table_html(Table("t", columns, (("hist_gradient_boosting", "a_b"),)))
    assert "weight_<wbr>decay" in page
    assert "hist_<wbr>gradient_<wbr>boosting" in page, "nor is a name broken inside a word"
    assert "a_b" in page
    assert "Inner roc_auc" in page


def test_no_dot_of_a_strip_hides_another():
    places = [100.0, 100.0, 300.0, 104.0, float("nan")]
    lifts = draw._lifts(places)
    assert lifts[2] == lifts[4] == 0.0, "a dot alone stays on its line"
    dots = [(x, y) for x, y in zip(places, lifts, strict=True) if x < 200]
    for i, (x, y) in enumerate(dots):
        for other_x, other_y in dots[:i]:
            assert np.hypot(x - other_x, y - other_y) >= 5


@pytest.mark.parametrize(("n_folds", "named"), [(2, 2), (7, 7), (8, 0)])
def test_a_strip_names_its_folds_while_their_colours_differ(n_folds, named):
    strip = Strip("t", "a", "score", ("blend",), (tuple(0.1 * i for i in range(n_folds)),), EMPTY)
    picture = draw.picture_svg(strip)[0]
    assert [f">fold {i + 1}<" in picture for i in range(8)] == [i < named for i in range(8)]


def test_a_large_confusion_is_as_tall_as_the_charts_beside_it():
    small = Confusion("t", "a", ("no", "yes"), ((3, 1), (1, 3)), EMPTY)
    large = replace(small, large=True)
    heights = [draw.picture_svg(figure)[2] for figure in (small, large)]
    assert heights[0] < 300 < heights[1] <= 420


def test_a_table_that_is_too_long_says_how_many_are_left_out_and_where_they_are():
    rows = tuple((f"<column {i}>", i) for i in range(500))
    columns = (TableColumn("a"), TableColumn("b", "count"))
    table = Table("What", columns, rows, source="fit.attention.per_fold")
    page = tables.table_html(table, room=10_000)
    n = page.count("<tr>") - 1
    assert 50 < n < 500
    assert len(page) < 11_000
    assert f"<caption>What (the first {n} of 500; all of them: fit.attention.per_fold)<" in page
    assert f"column {n - 1}&gt;" in page
    assert f"column {n}&gt;" not in page
    assert "<caption>What</caption>" in tables.table_html(table)


def test_labels_of_a_heat_map_do_not_overlap():
    names = [
        "a very long name of a category",
        "広い名前の分類広い名前",
        "10 (largest)",
        "b",
        "W" * 30,
    ]
    for n in (1, 2, 5, 12, 24):
        labels = tuple(f"{names[i % 5]} {i}" for i in range(n))
        groups = (("true class, by its long name", labels), ("error, by tenths", labels))
        values = (tuple(0.1 for _ in range(2 * n)),)
        heat = Heat("t", "a", ("column",), groups, values, EMPTY)
        picture, width, _ = draw.picture_svg(heat)
        _labels_are_apart(picture, width, n_labels=2 * n)


def _labels_are_apart(picture, width, n_labels):
    texts = list(ET.fromstring(picture).iter(f"{{{XMLNS}}}text"))
    slanted = [t for t in texts if t.get("transform")]
    assert 2 <= len(slanted) <= n_labels
    reach = [7 * sum(svg.letters(t.text)) * np.sqrt(0.5) for t in slanted]
    at = [float(t.get("x")) for t in slanted]
    # Lines at 45 degrees: letters are 11 high.
    assert all((b - a) * np.sqrt(0.5) >= 11 for a, b in pairwise(at))
    assert all(x + r <= width for x, r in zip(at, reach, strict=True)), "none is cut off"
    titles = [t for t in texts if t.get("y") == "16"]
    ends = [float(t.get("x")) + 7 * sum(svg.letters(t.text)) for t in titles]
    assert ends[0] <= float(titles[1].get("x"))
    low = [float(t.get("y")) - r - 11 * np.sqrt(0.5) for t, r in zip(slanted, reach, strict=True)]
    assert min(low) > 16, "below the titles"


@pytest.mark.parametrize("n", [2, 8, 9, 26])
def test_long_classes_of_a_confusion_rise_and_short_ones_stay_level(n):
    for name, rises in (("a class with a long name", True), ("a", False)):
        labels = tuple(f"{name} {i}" for i in range(n))
        counts = tuple(tuple(1 for _ in labels) for _ in labels)
        picture, width, _ = draw.picture_svg(Confusion("t", "a", labels, counts, EMPTY))
        texts = list(ET.fromstring(picture).iter(f"{{{XMLNS}}}text"))
        slanted = [t for t in texts if t.get("transform")]
        assert len(slanted) == n * rises
        ends = [float(t.get("x")) + 7 * len(t.text) * np.sqrt(0.5) for t in slanted]
        assert all(end <= width for end in ends), "none is cut off"


def test_short_labels_of_a_heat_map_stay_level():
    heat = panels.attention_heat(samples.binary())
    assert "rotate" not in draw.picture_svg(heat)[0]


def test_tables_carry_full_numbers_for_sorting():
    table = Table("t", (TableColumn("a"), TableColumn("b", "share")), (("x", 0.00012), ("y", None)))
    page = tables.table_html(table)
    assert 'data-v="0.00012"' in page
    assert page.count("data-v") == 1


@pytest.mark.parametrize("width", [5, 12, 24])
@pytest.mark.parametrize("name", ["short", "a" * 60, "列名" * 20, "", " x\n y ", "é" * 30])
def test_names_are_cut_to_fit(name, width):
    shown = svg.shorten(name, width)
    wide = sum(2 if ord(c) > 0x2E80 else 1 for c in shown)
    assert wide <= max(width, len("(blank)"))
    assert "\n" not in shown
    assert shown


def test_ramps_climb_in_lightness_and_their_text_is_readable():
    css = svg.ramp_css()
    for part in css.split("@media"):
        fills = re.findall(r"[}{]?\.r\d+\{fill:(#\w{6})\}text\.t\d+\{fill:(#\w{6})\}", part)
        assert len(fills) == svg.N_LEVELS
        steps = [svg.contrast(fill, "#000000") for fill, _ in fills]
        assert steps == sorted(steps) or steps == sorted(steps, reverse=True)
        assert min(svg.contrast(*pair) for pair in fills) >= 4.5


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.861, 0.8799), (-3, 1e6), (5, 5), (1e-9, 2e-9), (-1e12, 1e12)]
)
def test_ticks_are_few_and_inside(low, high):
    found = svg.ticks(low, high)
    assert 1 <= len(found) <= 10
    slack = 1e-9 * max(abs(low), abs(high))
    assert all(low - slack <= tick <= high + slack for tick in found)
