"""The controls: one core widget for one field of the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tabnet_auto.view.live.cohorts import cohort_keys, cohort_words, cohorts_of
from tabnet_auto.view.live.rows import Rows, n_pages, orders_for, page_of
from tabnet_auto.view.live.source import Source
from tabnet_auto.view.live.state import OUT_OF_FOLD, View
from tabnet_auto.view.live.threshold import judgements
from tabnet_auto.view.svg import shorten

ALL = -1
"""What a menu says for the mean over all: to ipywidgets None is no choice."""

DIGITS = 2
"""Of a threshold, as it is drawn and said."""

IDLE: dict[str, frozenset[str]] = {
    "Threshold": frozenset({"fold", "seed", "step", "n_columns", "words"}),
}
"""Fields that mean nothing to a tab: it is of predictions, not of what the networks look at."""

Options = Callable[[Rows, View], tuple[list[tuple[str, Any]], Any]]
Bound = Callable[[Rows, View], int]


@dataclass(frozen=True, eq=False)
class Binding:
    """A widget whose value is a field of the state.

    ``options`` gives a menu's entries and the chosen one where they depend on the state, ``most``
    a number's largest value.
    """

    field: str
    widget: Any
    options: Options | None = None
    most: Bound | None = None

    def meant(self, value: Any) -> Any:
        """Return what the state holds for a value of the widget."""
        if self.field == "threshold":
            return round(value, DIGITS)
        return None if self.field in ("fold", "seed", "step") and value == ALL else value

    def show(self, rows: Rows | None, view: View, title: str) -> None:
        """Let the widget say what the state says, and whether the open tab looks at it."""
        self.widget.disabled = self.field in IDLE.get(title, ())
        if rows is not None and self.options is not None:
            entries, value = self.options(rows, view)
            if list(self.widget.options) != entries:
                self.widget.options = entries
        else:
            value = getattr(view, self.field)
            value = ALL if value is None else value
        if rows is not None and self.most is not None:
            self.widget.max = self.most(rows, view)
            value = min(value, self.widget.max)
        if self.widget.value != value:
            self.widget.value = value


def line(widgets: Sequence[Any]) -> Any:
    """Return controls side by side; they go on in a second line where there is no room."""
    import ipywidgets

    layout = {"flex_flow": "row wrap", "align_items": "center"}
    return ipywidgets.HBox(list(widgets), layout=layout)


def first_view(source: Source, rows: Rows | None) -> View:
    """Return the state that a dashboard opens with: the threshold is the one of ``predict``."""
    threshold = round(source.threshold, DIGITS)
    if rows is None:
        return View(threshold=threshold)
    orders = orders_for(rows)
    worst = "largest error first"
    return View(
        order=worst if worst in orders else orders[0],
        cohort=cohort_keys(rows)[0],
        other=min(1, len(rows) - 1),
        threshold=threshold,
        judged_on=(judgements(rows.source, rows) or [OUT_OF_FOLD])[0],
    )


def shared(source: Source, rows: Rows | None) -> list[Binding]:
    """Return the controls above all tabs: networks, steps, columns, and which rows."""
    every = [
        ("fold", "Fold", source.n_folds, "all folds"),
        ("seed", "Seed", source.n_seeds, "all seeds"),
        ("step", "Step", source.n_steps, "all steps"),
    ]
    found = [
        _menu(
            field,
            label,
            [(whole, ALL), *((f"{field} {i + 1}", i) for i in range(n))],
            "145px",
            "40px",
        )
        for field, label, n, whole in every
        if n > 1
    ]
    most = [(f"{n} most read", n) for n in (5, 10, 20, 40, 60)]
    found += [
        _menu("n_columns", "Columns", most, "205px", "65px"),
        _text("words", "named", "age, fare", "200px"),
    ]
    if rows is not None:
        found.append(_text("where", "Rows where", "age > 40", "300px"))
    return found


def of_tab(title: str, source: Source, rows: Rows | None) -> list[Binding]:
    """Return the controls of one tab."""
    if title == "Threshold":
        return _threshold(source, rows)
    return _OF_ROWS[title](rows) if rows is not None and title in _OF_ROWS else []


def _of_rows_tab(rows: Rows) -> list[Binding]:
    orders = [(name, name) for name in orders_for(rows)]
    return [_menu("order", "Order", orders, "290px"), _page()]


def _page() -> Binding:
    import ipywidgets

    widget = ipywidgets.BoundedIntText(description="Screen", min=1, max=1, **_look("150px", "50px"))
    return Binding("page", widget, most=lambda rows, view: n_pages(rows.sample(view.where)))


def _cohorts_tab(rows: Rows) -> list[Binding]:
    keys = [(cohort_words(rows.source, key), key) for key in cohort_keys(rows)]

    def names(rows: Rows, view: View, place: int) -> tuple[list[tuple[str, Any]], int]:
        found = cohorts_of(rows.sample(view.where), view.cohort)
        entries = [(shorten(name, 40), i) for i, name in enumerate(found.names)]
        return entries, found.pair(view)[place]

    return [
        _menu("cohort", "Group by", keys, "260px", "70px"),
        _menu("first", "Show", [("-", 0)], "290px", options=partial(names, place=0)),
        _menu("second", "against", [("-", 1)], "290px", options=partial(names, place=1)),
    ]


def _threshold(source: Source, rows: Rows | None) -> list[Binding]:
    import ipywidgets

    span: dict[str, Any] = {"value": 0.5, "min": 0.0, "max": 1.0, "step": 0.01}
    number = ipywidgets.BoundedFloatText(description="Threshold", **span, **_look("170px", "75px"))
    # A slider's handle has no name that a screen reader could say, so it is for the pointer only.
    slider = ipywidgets.FloatSlider(**span, readout=False, layout={"width": "320px"})
    slider.add_class("ta-slider")
    found = [Binding("threshold", number), Binding("threshold", slider)]
    names = judgements(source, rows)
    if len(names) > 1:
        found.append(_menu("judged_on", "Judged on", [(n, n) for n in names], "230px", "80px"))
    return found


_OF_ROWS: dict[str, Callable[[Rows], list[Binding]]] = {
    "Rows": _of_rows_tab,
    "What if": lambda rows: [_row("row", "Row", rows)],
    "Compare": lambda rows: [_row("row", "Row", rows), _row("other", "with row", rows)],
    "Cohorts": _cohorts_tab,
}


def _look(width: str, label: str) -> dict[str, Any]:
    return {"layout": {"width": width}, "style": {"description_width": label}}


def _menu(
    field: str,
    label: str,
    entries: list[tuple[str, Any]],
    width: str,
    label_width: str = "60px",
    options: Options | None = None,
) -> Binding:
    import ipywidgets

    widget = ipywidgets.Dropdown(description=label, options=entries, **_look(width, label_width))
    return Binding(field, widget, options)


def _text(field: str, label: str, example: str, width: str) -> Binding:
    import ipywidgets

    widget = ipywidgets.Text(
        description=label, placeholder=example, continuous_update=False,
        **_look(width, "90px" if len(label) > 6 else "50px"),
    )  # fmt: skip
    return Binding(field, widget)


def _row(field: str, label: str, rows: Rows) -> Binding:
    import ipywidgets

    widget = ipywidgets.BoundedIntText(
        description=label, min=0, max=max(len(rows) - 1, 0), **_look("170px", "60px")
    )
    return Binding(field, widget)


class RowOpener:
    """A menu of the rows on the screen, and buttons that open one in another tab."""

    def __init__(self, opened: Callable[[str, int], None]) -> None:
        import ipywidgets

        self.menu = ipywidgets.Dropdown(
            description="Take row", options=[("-", -1)], **_look("290px", "60px")
        )
        buttons = []
        for text, field in (("What if …", "row"), ("Compare with …", "other")):
            button = ipywidgets.Button(description=text, layout={"width": "auto"})
            button.on_click(lambda _, field=field: opened(field, int(self.menu.value)))
            buttons.append(button)
        self.widget = line([self.menu, *buttons])

    def show(self, rows: Rows, view: View) -> None:
        """Offer the rows on the screen."""
        sample = rows.sample(view.where)
        found = [int(sample.position[r]) for r in page_of(sample, view)]
        entries = [(f"row {position}", position) for position in found]
        if list(self.menu.options) != entries:
            self.menu.options = entries
