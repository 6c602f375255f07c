"""The dashboard's widgets without a browser: what a control does to the state and the panels."""

import base64
import re
from dataclasses import replace

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from view.live_samples import fitted, passengers

from tabnet_auto import load
from tabnet_auto.decisions import Decision
from tabnet_auto.errors import InputError
from tabnet_auto.result.dashboard import attend, dashboard_source
from tabnet_auto.view.live.board import TABS
from tabnet_auto.view.live.dashboard import Dashboard


def dashboard(frame="train", target="survived"):
    rows = passengers() if isinstance(frame, str) else frame
    return fitted(target).dashboard(rows, mode="live")


def control(board, field):
    """The widget of a field; a row can be chosen in two tabs, the first is meant."""
    return next(b.widget for b in board.bindings if b.field == field)


def open_tab(board, title):
    board.tabs.selected_index = list(board.outputs).index(title)
    assert board.error.value == ""
    return board.outputs[title].value


def same_in_python(html, frame, target="survived"):
    """Execute the lines that a panel shows; the value of the last one."""
    code = re.search(r'<pre class="ta-code"[^>]*>(.*?)</pre>', html, re.DOTALL)[1]
    code = code.replace("&#x27;", "'").replace("&quot;", '"').replace("&gt;", ">")
    *before, last = code.replace("&amp;", "&").splitlines()
    names = {"fit": fitted(target), "frame": frame, "np": np, "pd": pd}
    exec("\n".join(before), names)
    return eval(last, names)


def shares(html, column):
    """The numbers of a table's column, as printed: percentages to a decimal."""
    table = re.search(r"<table.*?</table>", html, re.DOTALL)[0]
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table)
    place = next(i for i, head in enumerate(heads) if head.startswith(column))
    body = [
        re.findall(r"<t[hd](?![r])[^>]*?(?:data-v=\"([^\"]*)\")?>(.*?)</t[hd]>", row)
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table.split("<tbody>")[1])
    ]
    return {row[0][1]: float(row[place][0] or "nan") for row in body}


def test_every_tab_draws_and_describes_itself():
    board = dashboard().board
    for title in board.outputs:
        html = open_tab(board, title)
        assert 'src="data:image/svg+xml;base64,' in html
        assert re.search(r'alt="[^"]{20,}"', html)
        assert "http" not in re.sub(r'base64,[^"]*', "", html)
        assert "<svg" not in html, "inline SVG turns into words where a notebook is not trusted"


def test_fold_seed_and_step_choose_the_networks():
    fit, board = fitted(), dashboard().board
    summary = fit.attention_summary
    names = list(summary.features)
    for fold, seed, step, expected in (
        (None, None, None, summary.members.mean(axis=0)),
        (1, None, None, summary.members[2:].mean(axis=0)),
        (1, 0, None, summary.members[2]),
        (1, 0, 1, summary.member_steps[2, 1]),
        (None, 1, 0, summary.member_steps[1::2, 0].mean(axis=0)),
    ):
        for field, value in (("fold", fold), ("seed", seed), ("step", step)):
            control(board, field).value = -1 if value is None else value
        found = shares(board.outputs["Attention"].value, "Mean")
        for name, share in found.items():
            place = names.index(name.replace("&amp;", "&"))
            assert share == pytest.approx(expected[place], rel=1e-4)


@pytest.mark.parametrize("fold", [-1, 1])
@pytest.mark.parametrize("seed", [-1, 1])
@pytest.mark.parametrize("step", [-1, 0])
def test_the_line_gives_the_attention_panels_numbers(fold, seed, step):
    board = dashboard().board
    for field, value in (("fold", fold), ("seed", seed), ("step", step)):
        control(board, field).value = value
    html = board.outputs["Attention"].value
    found = np.asarray(same_in_python(html, passengers()))
    found = found.reshape(len(found), -1)
    features = list(fitted().attention.features)
    labels = re.findall(r'<th scope="col"[^>]*>(?:fold|step) (\d)</th>', html)
    assert found.shape[1] == len(labels)
    for i, label in enumerate(labels):
        kind = "fold" if fold == -1 else "step"
        for name, share in shares(html, f"{kind} {label}").items():
            place = features.index(name.replace("&amp;", "&"))
            assert share == pytest.approx(found[place, i], rel=1e-4)


def test_controls_that_do_nothing_on_a_tab_are_off_there():
    board = dashboard().board
    choosing = ("fold", "seed", "step", "n_columns", "words")
    for title in board.outputs:
        open_tab(board, title)
        for field in choosing:
            assert control(board, field).disabled == (title == "Threshold")
        assert not control(board, "threshold").disabled
    control(board, "threshold").value = 0.3
    open_tab(board, "Attention")
    assert not any(control(board, field).disabled for field in choosing)


def test_a_png_is_offered_beside_every_picture_where_it_can_be_made():
    board = dashboard().board
    for title in board.outputs:
        html = open_tab(board, title)
        offered = re.findall(r'<button type="button" hidden [^>]*\.png[^>]*>(.*?)</button>', html)
        assert len(offered) == html.count("<img") == html.count("onload=")
        assert len(offered) == html.count("(SVG)")


def test_columns_are_filtered_by_their_names():
    board = dashboard().board
    control(board, "words").value = "AGE, sex"
    assert set(shares(board.outputs["Attention"].value, "Mean")) == {"age", "sex"}
    control(board, "words").value = "nothing"
    html = board.outputs["Attention"].value
    assert "No column&#x27;s name holds these words" in html
    for title in board.outputs:
        open_tab(board, title)
    control(board, "words").value = ""
    control(board, "n_columns").value = 5
    open_tab(board, "Attention")
    assert len(shares(board.outputs["Attention"].value, "Mean")) == 4


def test_rows_are_ordered_by_their_out_of_fold_error():
    board, fit, frame = dashboard().board, fitted(), passengers()
    html = open_tab(board, "Rows")
    codes = (frame["survived"] == "yes").to_numpy().astype(int)
    error = 1 - fit.oof[np.arange(len(frame)), codes]
    expected = [str(i) for i in np.argsort(-error, kind="stable")[:15]]
    assert list(shares(html, "attention: age")) == expected
    assert "predictions are out-of-fold" in html
    control(board, "page").value = 2
    second = [str(i) for i in np.argsort(-error, kind="stable")[15:30]]
    assert list(shares(board.outputs["Rows"].value, "attention: age")) == second
    control(board, "order").value = "as they come"
    first = list(shares(board.outputs["Rows"].value, "attention: age"))
    assert first == [str(i) for i in range(15)], "and from the first screen again"


def test_rows_of_another_frame_have_predictions_of_all_folds():
    frame = passengers(40, seed=9).drop(columns=["survived"])
    board = dashboard(frame).board
    html = open_tab(board, "Rows")
    assert "out-of-fold" not in html
    assert ">truth<" not in html
    assert "largest error first" not in dict(control(board, "order").options)


def test_a_query_keeps_rows_and_a_wrong_one_says_so():
    board = dashboard().board
    open_tab(board, "Rows")
    control(board, "order").value = "as they come"
    control(board, "where").value = "age > 70 and sex == 'male'"
    frame = passengers()
    kept = frame.query("age > 70 and sex == 'male'").index
    shown = list(shares(board.outputs["Rows"].value, "attention: age"))
    assert shown == [str(i) for i in kept[:15]]
    control(board, "where").value = "ag > 70"
    assert "must be a pandas query" in board.error.value
    assert 'role="alert"' in board.error.value
    assert board.outputs["Rows"].value == "", "old rows below a new question would mislead"
    control(board, "where").value = "age > 700"
    assert "must keep at least one row" in board.error.value
    control(board, "where").value = ""
    assert board.error.value == ""
    assert board.outputs["Rows"].value != ""


def test_the_line_gives_the_rows_attention():
    board, frame = dashboard().board, passengers()
    open_tab(board, "Rows")
    control(board, "fold").value = 1
    control(board, "seed").value = 0
    html = board.outputs["Rows"].value
    found = same_in_python(html, frame)
    place = list(fitted().attention.features).index("sex")
    assert list(shares(html, "attention: sex").values()) == pytest.approx(found[:, place], rel=1e-4)
    assert np.allclose(found.sum(axis=1), 1.0, atol=1e-5)


def test_what_if_moves_prediction_and_attention():
    board, frame, fit = dashboard().board, passengers(), fitted()
    open_tab(board, "What if")
    control(board, "row").value = 3
    before = board.outputs["What if"].value
    assert "With the changes" not in before
    boxes = board.editors.boxes
    other = "male" if frame["sex"][3] == "female" else "female"
    assert boxes["sex"].options == ("female", "male")
    boxes["sex"].value = other
    html = board.outputs["What if"].value
    changed = frame.iloc[[3]].assign(sex=other)
    p = fit.predict_proba(changed)[0]
    assert f"{fit.classes_[p.argmax()]} ({p.max():.0%})" in html
    assert same_in_python(html, frame) == pytest.approx(fit.predict_proba(changed))
    weights = attend(fit, changed).pick()[0]
    place = list(fit.attention.features).index("sex")
    assert shares(html, "attention changed")["sex"] == pytest.approx(weights[place], rel=1e-4)
    board.editors.widget.children[0].children[1].click()
    assert board.outputs["What if"].value == before
    assert boxes["sex"].value == frame["sex"][3]


def test_what_if_reads_cells_as_their_column_does():
    board, frame = dashboard().board, passengers()
    open_tab(board, "What if")
    control(board, "row").value = 3
    boxes = board.editors.boxes
    boxes["age"].value = "old"
    assert "must be a number or blank" in board.error.value
    boxes["age"].value = ""
    html = board.outputs["What if"].value
    assert board.error.value == ""
    expected = fitted().predict_proba(frame.iloc[[3]].assign(age=np.nan))
    assert same_in_python(html, frame) == pytest.approx(expected)
    boxes["parents & children"].value = "1.5"
    assert board.error.value == ""
    assert board.view.edits == (("age", ""), ("parents & children", "1.5"))
    control(board, "row").value = 4
    assert board.view.edits == (), "another row starts as it is"


def test_two_rows_side_by_side():
    board, frame = dashboard().board, passengers()
    open_tab(board, "Compare")
    control(board, "row").value = 3
    control(board, "other").value = 8
    html = board.outputs["Compare"].value
    found = same_in_python(html, frame)
    place = list(fitted().attention.features).index("age")
    assert shares(html, "attention row 3")["age"] == pytest.approx(found[0, place], rel=1e-4)
    assert shares(html, "attention row 8")["age"] == pytest.approx(found[1, place], rel=1e-4)


def test_a_row_on_the_screen_opens_in_another_tab():
    board = dashboard().board
    open_tab(board, "Rows")
    menu, what_if, compare = board.open_row.widget.children
    menu.value = menu.options[4][1]
    what_if.click()
    assert board.title == "What if"
    assert board.view.row == menu.value
    assert control(board, "row").value == menu.value
    open_tab(board, "Rows")
    menu.value = menu.options[2][1]
    compare.click()
    assert board.title == "Compare"
    assert board.view.other == menu.value


def test_every_use_of_a_control_draws_once(monkeypatch):
    drawn = []

    def counted(title, panel):
        return lambda *asked: drawn.append(title) or panel(*asked)

    tabs = {title: counted(title, panel) for title, panel in TABS.items()}
    monkeypatch.setattr("tabnet_auto.view.live.board.TABS", tabs)
    board = dashboard().board
    open_tab(board, "Rows")
    control(board, "page").value = 2
    board.open_row.widget.children[1].click()
    control(board, "row").value = 5
    board.editors.boxes["sex"].value = "male" if passengers()["sex"][5] == "female" else "female"
    open_tab(board, "Threshold")
    control(board, "threshold").value = 0.3
    assert drawn == [
        "Attention", "Rows", "Rows", "What if", "What if", "What if", "Threshold", "Threshold",
    ]  # fmt: skip


class TestDecision:
    """A metric of labels may be greatest under another rule than the most probable class."""

    @pytest.fixture
    def frame(self):
        return passengers(40, seed=9).drop(columns=["survived"])

    @pytest.fixture
    def strict(self, frame):
        """The model with a threshold that half of the rows reach."""
        middle = float(np.median(fitted().predict_proba(frame)[:, 1]))
        return replace(fitted(), decision=Decision("threshold", (middle,)))

    def test_rows_are_labelled_as_predict_does(self, strict, frame):
        board = strict.dashboard(frame, mode="live").board
        labels = strict.predict(frame)
        assert (labels != fitted().predict(frame)).any()
        open_tab(board, "Compare")
        for row, label in enumerate(labels):
            control(board, "row").value = row
            assert f"<dt>Prediction, row {row}</dt><dd>{label} (" in board.outputs["Compare"].value

    def test_cohorts_are_of_predicted_labels(self, strict, frame):
        board = strict.dashboard(frame, mode="live").board
        html = open_tab(board, "Cohorts")
        for label, n in zip(*np.unique(strict.predict(frame), return_counts=True), strict=True):
            assert f"predicted {label} ({n} rows)" in html
        assert "fit.decision.labels(" in html

    def test_the_threshold_starts_where_predict_cuts(self, strict):
        board = strict.dashboard(passengers(), mode="live").board
        html = open_tab(board, "Threshold")
        cut = strict.decision.threshold
        assert control(board, "threshold").value == round(cut, 2)
        assert f"fit.predict cuts at {cut:.3g}." in html
        assert strict.dashboard(mode="live").board.view.threshold == round(cut, 2)


@pytest.mark.parametrize("target", ["survived", "fare"])
@pytest.mark.parametrize("n", [120, 60])
def test_the_lines_give_every_cohorts_attention(target, n):
    frame = passengers().head(n)
    board = dashboard(frame, target).board
    open_tab(board, "Cohorts")
    features = list(fitted(target).attention.features)
    for _, key in control(board, "cohort").options:
        control(board, "cohort").value = key
        assert board.error.value == "", key
        html = board.outputs["Cohorts"].value
        names = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', html)[1:]
        found = same_in_python(html, frame, target).to_numpy()
        order = [features.index(c.replace("&amp;", "&")) for c in shares(html, names[0])]
        # pandas leaves missing cells out, and gathers no rare values.
        own = [name for name in names if not name.startswith(("(missing)", "other values"))]
        assert own
        for name in own:
            shown = list(shares(html, name).values())
            near = np.isclose(found[order].T, shown, rtol=1e-4, atol=1e-6)
            assert near.all(axis=1).any(), (key, name)


def test_the_lines_count_rows_whatever_their_labels_are():
    shuffled = passengers().set_index(np.random.default_rng(0).permutation(120))
    board = dashboard(shuffled).board
    open_tab(board, "Cohorts")
    control(board, "cohort").value = "error"
    html = board.outputs["Cohorts"].value
    found = same_in_python(html, shuffled).to_numpy()
    names = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', html)[1:]
    features = list(fitted().attention.features)
    for name in names:
        shown = shares(html, name)
        own = found[[features.index(c.replace("&amp;", "&")) for c in shown]]
        near = np.isclose(own.T, list(shown.values()), rtol=1e-4, atol=1e-6)
        assert near.all(axis=1).any(), name


def test_two_cohorts_are_set_against_each_other():
    board = dashboard().board
    open_tab(board, "Cohorts")
    control(board, "cohort").value = "column: sex"
    first, second = control(board, "first"), control(board, "second")
    assert {name for name, _ in first.options} == {"female", "male"}
    assert board.outputs["Cohorts"].value.count("<img") == 2
    first.value = second.value
    assert board.outputs["Cohorts"].value.count("<img") == 1, "nothing to set against itself"


def test_the_picture_names_its_cohorts():
    board = dashboard().board
    open_tab(board, "Cohorts")
    control(board, "cohort").value = "column: age"
    picture = base64.b64decode(re.search('base64,([^"]+)', board.outputs["Cohorts"].value)[1])
    names = [name.removeprefix("age ") for name, _ in control(board, "first").options]
    assert len(names) == 5
    for name in names:
        assert f">{name}</text>".encode() in picture


def test_what_a_query_does_not_choose_says_so():
    board = dashboard().board
    for title in ("Attention", "Threshold"):
        open_tab(board, title)
        control(board, "where").value = ""
        assert "of all validation rows" not in board.outputs[title].value
        control(board, "where").value = "age > 40"
        assert "of all validation rows" in board.outputs[title].value


def test_the_ends_of_a_range_are_set_against_each_other_first():
    board = dashboard().board
    open_tab(board, "Cohorts")
    first, second = control(board, "first"), control(board, "second")
    control(board, "cohort").value = "column: age"
    names = [name for name, _ in second.options]
    assert names[-1] == "(missing)"
    assert (first.value, second.value) == (0, len(names) - 2), "the youngest and the oldest"
    assert f"Attention of {names[0]} against {names[-2]}" in board.outputs["Cohorts"].value
    second.value = 1
    control(board, "cohort").value = "column: sex"
    assert (first.value, second.value) == (0, 1), "of values the two most frequent"


def test_the_threshold_moves_the_confusion():
    board, fit = dashboard().board, fitted()
    open_tab(board, "Threshold")
    for threshold in (0.5, 0.31):
        control(board, "threshold").value = threshold
        html = board.outputs["Threshold"].value
        hit = fit.oof[:, 1] >= threshold
        truth = fit.target == 1
        found = shares(html, "Value")
        assert found["truly yes, predicted yes"] == (hit & truth).sum()
        assert found["truly no, predicted yes"] == (hit & ~truth).sum()
        assert found["accuracy"] == pytest.approx((hit == truth).mean(), rel=1e-4)
        expected = [[(~hit & ~truth).sum(), (hit & ~truth).sum()],
                    [(~hit & truth).sum(), (hit & truth).sum()]]  # fmt: skip
        assert same_in_python(html, passengers()).tolist() == expected
    assert f"{fit.oof_score:.4f}" in html


def test_number_and_slider_hold_the_same_threshold():
    board = dashboard().board
    open_tab(board, "Threshold")
    number, slider = (b.widget for b in board.bindings if b.field == "threshold")
    slider.value = 0.57
    assert (number.value, slider.value) == (0.57, 0.57)
    number.value = 0.123
    assert (board.view.threshold, number.value, slider.value) == (0.12, 0.12, 0.12)


def test_a_threshold_can_be_judged_on_new_rows():
    frame = passengers(50, seed=5)
    board = dashboard(frame).board
    open_tab(board, "Threshold")
    control(board, "judged_on").value = "this frame"
    html = board.outputs["Threshold"].value
    assert "they flatter it" in html
    found = shares(html, "Value")
    hit = fitted().predict_proba(frame)[:, 1] >= 0.5
    expected = (hit & (frame["survived"] == "yes")).sum()
    assert found["truly yes, predicted yes"] == expected
    assert same_in_python(html, frame)[1, 1] == expected
    frame.loc[3, "survived"] = None
    board = dashboard(frame).board
    open_tab(board, "Threshold")
    control(board, "judged_on").value = "this frame"
    control(board, "where").value = "age > 30"
    html = board.outputs["Threshold"].value
    kept = (frame["age"] > 30) & (frame["survived"] == "yes")
    assert same_in_python(html, frame)[1, 1] == (hit & kept).sum()
    assert shares(html, "Value")["truly yes, predicted yes"] == (hit & kept).sum()


def test_values_have_no_threshold():
    board = dashboard(target="fare").board
    assert "Threshold" not in board.outputs
    html = open_tab(board, "What if")
    assert re.search(r"<dt>Prediction</dt><dd>\d+\.\d+", html)


def test_a_loaded_model_says_how_to_see_rows(tmp_path):
    fitted().save(tmp_path / "model")
    board = load(tmp_path / "model").dashboard(mode="live").board
    assert "<img" in open_tab(board, "Attention")
    assert "<img" in open_tab(board, "Threshold"), "out-of-fold predictions are saved with it"
    for title in ("Rows", "What if", "Compare", "Cohorts"):
        assert "fit.dashboard(frame)" in open_tab(board, title)


def test_two_dashboards_share_nothing():
    one, two = dashboard(), dashboard()
    before = two.board.outputs["Attention"].value
    control(one.board, "fold").value = 1
    control(one.board, "words").value = "age"
    assert one.board.outputs["Attention"].value != before
    assert two.board.outputs["Attention"].value == before
    own = {id(b.widget) for b in one.board.bindings}
    assert not own & {id(b.widget) for b in two.board.bindings}


def test_an_unforeseen_error_is_shown_in_full(monkeypatch):
    board = dashboard().board

    def broken(*_):
        raise ZeroDivisionError("<b>oh</b>")

    monkeypatch.setattr("tabnet_auto.view.live.board.TABS", dict.fromkeys(board.outputs, broken))
    control(board, "fold").value = 1
    assert "ZeroDivisionError: &lt;b&gt;oh&lt;/b&gt;" in board.error.value
    assert "Traceback" in board.error.value


def test_names_cannot_become_markup():
    hostile = '<img src=x onerror="alert(1)">'
    frame = passengers().assign(sex=hostile)
    board = dashboard(frame).board
    for title in board.outputs:
        assert "<img src=x" not in open_tab(board, title)


def test_a_large_frame_is_thinned_and_says_so():
    frame = pd.concat([passengers()] * 40, ignore_index=True)
    board = dashboard(frame).board
    html = open_tab(board, "Rows")
    assert "2,000 of 4,800 rows, evenly spaced" in html
    control(board, "row").value = 4799
    assert "Row 4799" in open_tab(board, "What if")


def test_only_core_widgets_that_both_versions_have():
    board = dashboard().board
    seen, waiting = set(), [board.root]
    while waiting:
        widget = waiting.pop()
        seen.add(type(widget).__name__)
        waiting += getattr(widget, "children", ())
    assert seen <= {
        "VBox", "HBox", "HTML", "Tab", "Dropdown", "Text", "BoundedIntText", "BoundedFloatText",
        "FloatSlider", "Button", "Combobox",
    }  # fmt: skip
    assert isinstance(board.root, ipywidgets.VBox)


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match="at least one row"):
        fitted().dashboard(passengers().head(0))
    with pytest.raises(InputError, match="mode must be one of"):
        fitted().dashboard(passengers(), mode="lve")
    with pytest.raises(InputError, match="position from 0 to 119"):
        dashboard().rows.one(500)


class TestDisplay:
    @pytest.fixture
    def shown(self, monkeypatch):
        import IPython.display

        shown = []
        monkeypatch.setattr(IPython.display, "display", lambda obj, **_: shown.append(obj))
        return shown

    def test_live_is_a_page_and_a_widget_that_hides_it(self, shown):
        made = dashboard()
        made._ipython_display_()
        page, widget = shown
        mark = re.search(r"body:has\(\.(ta-live-\w+)\)", page["text/html"])[1]
        assert widget is made.widget
        assert mark in widget._dom_classes
        assert "fit.report" in page["text/plain"]

    @pytest.mark.parametrize(("mode", "kinds"), [("page", "text/html"), ("text", "text/plain")])
    def test_without_a_browser_there_is_no_widget(self, shown, mode, kinds):
        made = fitted().dashboard(passengers(), mode=mode)
        made._ipython_display_()
        assert len(shown) == 1
        assert kinds in shown[0]
        assert made._board is None, "its state would be stored for nothing"

    def test_the_page_quotes_rows_only_where_rows_were_given(self, shown):
        for frame, quotes in ((passengers(), True), (None, False)):
            fitted().dashboard(frame, mode="page")._ipython_display_()
            assert ("training rows, chosen because" in shown.pop()["text/html"]) == quotes

    def test_text_says_what_is_read(self):
        assert re.search(
            r"Dashboard of 'survived' with 120 rows; attention: \w+", repr(dashboard())
        )

    def test_it_needs_no_model(self, shown):
        source = dashboard_source(fitted())
        Dashboard(source, None, lambda: "<p>page</p>", "page")._ipython_display_()
        assert "<p>page</p>" in shown[0]["text/html"]


class TestRefitted:
    """A model refitted on all rows has no validation rows: what would need some is not there."""

    def test_its_tabs_are_of_the_refitted_networks(self):
        fit, frame = fitted().refit_full(), passengers()
        board = fit.dashboard(frame, mode="live").board
        assert list(board.outputs) == ["Rows", "What if", "Compare", "Cohorts", "Threshold"]
        for title in board.outputs:
            html = open_tab(board, title)
            assert "fold 1" not in html
            assert "Out-of-fold" not in html
        html = open_tab(board, "Rows")
        assert "refitted on all rows" in html
        assert "better than those of new rows" in html.replace("\n", " ")
        attention = attend(fit, frame)
        assert attention.masks.shape[:2] == (1, 2)
        np.testing.assert_allclose(
            board.rows.sample("").attention.pick(), attention.pick(), atol=1e-6
        )
        np.testing.assert_allclose(
            board.rows.one(3).prediction, fit.predict_proba(frame.iloc[[3]]), atol=1e-6
        )
        control(board, "seed").value = 1
        assert "seed 2" in open_tab(board, "Compare")

    def test_without_a_truth_there_is_no_threshold_and_values_work(self):
        fit = fitted("fare").refit_full()
        board = fit.dashboard(passengers().drop(columns="fare"), mode="live").board
        assert list(board.outputs) == ["Rows", "What if", "Compare", "Cohorts"]
        for title in board.outputs:
            open_tab(board, title)

    def test_rows_are_needed(self, tmp_path):
        fit = fitted().refit_full()
        with pytest.raises(InputError, match=r"Pass some: fit\.dashboard\(frame\)"):
            fit.dashboard(mode="live")
        fit.save(tmp_path / "model")
        again = load(tmp_path / "model").dashboard(passengers(), mode="live")
        assert "attention of the folds" in repr(again)
        open_tab(again.board, "Cohorts")
