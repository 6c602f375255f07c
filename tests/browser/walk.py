"""A walk through all controls of a dashboard, the same in every application."""

import csv

from browser.board import Board
from playwright.sync_api import expect
from view.live_samples import six_columns


def use_every_control(page):
    """Use all controls of the first dashboard, and what only the second has.

    The first is of the training rows, the second of their first sixty.
    """
    board, other = Board(page), Board(page, 1)
    assert page.locator(".ta-fragment:visible").count() == 0, "the live view hides the page"
    untouched = other.root.inner_html()
    for part in (networks, columns, rows, what_if, pairs, cohorts, threshold):
        part(board)
    assert other.root.inner_html() == untouched, "dashboards do not disturb each other"
    kept = settled(board)
    judged_on(other)
    assert board.root.inner_html() == kept, "nor the other way round"
    # A box for each column is one control.
    known = board.used | set(six_columns().columns)
    left = (board.unused() | other.unused()) - known
    assert not left, f"every control is used here, but: {sorted(left)}"


def settled(board):
    """Return the markup of a dashboard once nothing in it changes any more."""
    before = None
    while before != (now := board.root.inner_html()):
        before = now
        board.page.wait_for_timeout(500)
    return now


def networks(board):
    """Fold, seed and step."""
    board.choose("Fold", "fold 2")
    board.shows("What the networks look at: fold 2, all seeds, mean over steps")
    board.choose("Seed", "seed 1")
    board.choose("Step", "step 2")
    board.shows("What the networks look at: fold 2, seed 1, step 2")
    assert "member_steps[2, 1]" in board.python()
    for label, entry in (("Fold", "all folds"), ("Seed", "all seeds"), ("Step", "all steps")):
        board.choose(label, entry)
    board.shows("What the networks look at: all folds, all seeds, mean over steps")


def columns(board):
    """Columns by name, the most read of them, and what can be saved."""
    board.type("named", "age")
    board.shows("1 of 6 columns are shown")
    board.type("named", "")
    expect(board.root.get_by_text("columns are shown")).to_have_count(0, timeout=15_000)
    assert board.alts()[0].startswith("Attention to 6 columns")
    board.choose("Columns", "5 most read")
    board.shows("5 of 6 columns are shown, the most-read first.")
    assert board.alts()[0].startswith("Attention to 5 columns")
    path, name = board.save("Save Table (CSV)")
    assert name == "attention.csv"
    with path.open(encoding="utf-8-sig") as file:
        heads, *lines = csv.reader(file)
    assert heads == ["Column", "Mean", "fold 1", "fold 2"]
    assert len(lines) == 5
    board.choose("Columns", "10 most read")
    expect(board.root.get_by_text("columns are shown")).to_have_count(0, timeout=15_000)
    board.pictures_are_drawn()
    path, name = board.save("Save Picture (SVG)")
    assert name == "attention.svg"
    assert path.read_text("utf-8").startswith("<svg")
    assert board.save_png("Save Picture (PNG)") == "attention.png"


def rows(board):
    """Order, screen, query, and the way to another tab."""
    board.open("Rows")
    board.choose("Order", "as they come")
    board.shows("Rows as they come")
    board.type("Screen", "3")
    board.shows("Screen 3 of 8")
    assert "iloc[[30, 31," in board.python()
    board.type("Rows where", "age >> old")
    board.shows("must be a pandas query")
    board.type("Rows where", "age > 60")
    board.shows("Screen 1 of")
    expect(board.root.get_by_role("alert")).to_have_count(0)
    board.type("Rows where", "")
    board.shows("Screen 1 of 8")
    board.choose("Take row", "row 4")
    board.press("What if …")


def what_if(board):
    """Changed cells, a wrong one, and back; another row."""
    board.shows("Row 4: all folds")
    sex = six_columns()["sex"][4]
    changed = {"male": "female", "female": "male"}[sex]
    expect(board.control("sex")).to_have_value(sex)
    before = board.alts()
    board.type("sex", changed)
    board.shows("With the changes", "P(yes) moves by")
    assert board.alts() != before
    assert f".assign(**{{'sex': '{changed}'}})" in board.python()
    board.type("age", "old", key="Tab")
    board.shows("must be a number or blank")
    board.press("Put all back")
    board.shows("Row 4: all folds")
    expect(board.root.get_by_text("With the changes")).to_have_count(0)
    expect(board.control("age")).not_to_have_value("old")
    board.type("Row", "9")
    board.shows("Row 9: all folds")
    expect(board.control("age")).to_have_value(f"{six_columns()['age'][9]:.0f}")


def pairs(board):
    """Two rows."""
    board.open("Compare")
    board.type("with row", "7")
    board.shows("Rows 9 and 7: all folds", "Attention in common")
    board.type("Row", "5")
    board.shows("Rows 5 and 7: all folds", "Prediction, row 5")
    assert "iloc[[5, 7]]" in board.python()
    board.choose("Seed", "seed 2")
    board.shows("Rows 5 and 7: all folds, seed 2")
    board.choose("Seed", "all seeds")
    board.shows("Rows 5 and 7: all folds, all seeds")
    path, name = board.save("Save Table (CSV)")
    assert name == "compare.csv"
    heads = path.read_text("utf-8-sig").splitlines()[0]
    assert heads == "Column,value row 5,value row 7,attention row 5,attention row 7"
    board.open("What if")
    board.shows("Row 5: all folds")
    board.open("Rows")
    board.choose("Take row", "row 8")
    board.press("Compare with …")
    board.shows("Rows 5 and 8: all folds")


def cohorts(board):
    """Two groups of rows."""
    board.open("Cohorts")
    board.choose("Group by", "column sex")
    board.shows("Attention by column sex")  # and the menus below have their entries
    board.choose("Show", "female")
    board.choose("against", "male")
    board.shows("female against male")
    board.choose("Show", "male")
    expect(board.root.locator("img:visible")).to_have_count(1)
    board.choose("against", "female")
    board.shows("male against female")
    assert "groupby(rows['sex']" in board.python()
    board.pictures_are_drawn()


def threshold(board):
    """The slider by pointer, the number by keyboard."""
    board.open("Threshold")
    board.shows("Confusion at 0.50")
    for label in ("Fold", "Seed", "Step", "Columns", "named"):
        expect(board.control(label)).to_be_disabled()
    value = board.drag(0.5, 0.8)
    assert 0.7 < value < 0.9
    # Values on the way are answered before the last one, and the number before the picture.
    board.shows(f"Confusion at {value:.2f}")
    expect(board.control("Threshold")).to_have_value(f"{value:g}")
    board.type("Threshold", "0.544")
    board.shows("Confusion at 0.54")
    expect(board.control("Threshold")).to_have_value("0.54")
    board.page.keyboard.press("ArrowUp")
    board.shows("Confusion at 0.55")
    assert ">= 0.55)" in board.python()
    assert board.nameless() == []
    assert board.root.get_by_label("Judged on").count() == 0, "training rows are judged out of fold"
    board.unfold("Numbers")
    board.shows("Matthews correlation")
    board.pictures_are_drawn()
    assert board.save_png("Save Picture 2 (PNG)", 1) == "threshold-2.png"
    board.open("Attention")
    board.shows("What the networks look at: all folds")
    expect(board.control("Fold")).to_be_enabled()


def judged_on(board):
    """Rows of a frame with a target that is not the training frame."""
    board.open("Threshold")
    board.shows("Out-of-fold: no row is judged by a network that learned from it.", "120 rows")
    board.choose("Judged on", "this frame")
    board.shows("If the model learned from these rows, they flatter it.", "60 rows")
    assert "fit.predict_proba(rows)" in board.python()
