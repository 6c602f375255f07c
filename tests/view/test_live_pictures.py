"""The drawings of the dashboard's own: what is written in them, and that it has room."""

import re

from tabnet_auto.view.live.pictures import (
    Diverging,
    RowGrid,
    Twin,
    draw_diverging,
    draw_grid,
    draw_twin,
)


def words(picture):
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.svg)


def grid(columns, cells):
    return RowGrid(
        heads=("row", "prediction"),
        words=tuple((str(i), "<=50K (100%)") for i in range(len(cells))),
        columns=columns,
        cells=cells,
        weights=tuple((0.5,) * len(columns) for _ in cells),
    )


def test_names_and_cells_of_usual_length_are_written_whole():
    columns = ("age", "housing_median_age", "marital-status", "hours-per-week")
    cells = (("17", "52", "Never-married", ""), ("42", "7", "Not-in-family", "40"))
    found = words(draw_grid(grid(columns, cells), "t", "a", "n"))
    assert {"housing_", "median_age", "marital-", "status", "hours-", "per-week"} <= set(found)
    assert {"Never-married", "Not-in-family", "missing", "&lt;=50K (100%)"} <= set(found)
    assert not any("…" in word for word in found)


def test_columns_are_as_wide_as_what_they_hold_but_no_wider_than_is_sensible():
    narrow = draw_grid(grid(("a",) * 9, (("1",) * 9,)), "t", "a", "n")
    broad = draw_grid(grid(("x" * 90,) * 9, (("y" * 90,) * 9,)), "t", "a", "n")
    assert narrow.width < broad.width < 1500
    assert any("…" in word for word in words(broad))


def test_differences_have_true_signs_and_nothing_has_none():
    bars = Diverging("b", "a", ("x", "y", "z"), (0.031, -0.017, -0.0001))
    assert words(draw_diverging(bars, "t", "a", "n"))[-5::2] == ["+3.1", "−1.7", "0.0"]


def test_two_rows_fill_the_page_and_their_cells_are_written_whole():
    for labels, cells in ((("row 0",), ("HS-grad",)), (("a", "b"), ("Married-civ-spouse", ""))):
        picture = draw_twin(
            Twin(labels, ("c",), (cells,), ((0.2, 0.1)[: len(labels)],)), "t", "", ""
        )
        assert picture.width == 980
        assert {cell or "missing" for cell in cells} <= set(words(picture))
