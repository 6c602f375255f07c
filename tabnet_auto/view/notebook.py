"""Progress in a notebook: one panel below the cell, kept up to date."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from tabnet_auto.trace import Emit, Event
from tabnet_auto.view.curve_panels import mean_words, with_means
from tabnet_auto.view.draw import picture_html
from tabnet_auto.view.figures import Cell, Chart, Heat, Series, Table, TableColumn
from tabnet_auto.view.guard import never_raise
from tabnet_auto.view.run_state import Clock, RunState, mean_of, sentence_of, time_left
from tabnet_auto.view.svg import asset, escape
from tabnet_auto.view.tables import table_html

Display = Callable[..., Any]

_FRAME_SECONDS = 1 / 3
"""With the two frames at the end no second has more than five."""
_FRAME_SHARE = 0.01
"""Share of the time that frames may take: where one is dear, fewer are drawn."""
_CURVE_POINTS = 150
_HEAT_ROWS = 8
_STOP = "To stop early press the notebook's ■ once: the best so far is kept."


def notebook_progress(
    *,
    display: Display | None = None,
    clock: Clock = time.monotonic,
    cost: Clock = time.perf_counter,
    watched: bool = True,
) -> Emit:
    """Return a listener that draws one panel in a notebook's output and keeps it up to date.

    It needs no widgets, so the last frame stays in the saved notebook. At most five frames a
    second are sent, and fewer where drawing them would take more than ``_FRAME_SHARE`` of the
    time; the last one always is.

    Parameters
    ----------
    display
        ``IPython.display.display`` or a stand-in for tests.
    clock, cost
        Seconds that only grow, for tests: when events come, and how long a frame takes.
    watched
        Whether somebody looks on; if not (a batch run), only the empty panel and the last state
        are drawn.
    """
    if display is None:
        from IPython.display import display as found

        display = found
    return never_raise(_Panel(display, clock, cost, _FRAME_SECONDS if watched else math.inf))


class _Panel:
    """One output of a notebook's cell, drawn again and again."""

    def __init__(self, display: Display, clock: Clock, cost: Clock, gap: float) -> None:
        self.clock, self.cost = clock, cost
        self.gap, self.least = gap, gap
        self.state = RunState()
        self.lines: list[str] = []
        self.ended = False
        self.last = clock()
        # Shown by the thread that made it: a training thread may not know the cell it works for.
        self.handle = display(self._bundle(), raw=True, display_id=True)

    def __call__(self, event: Event) -> None:
        self.state.read(event)
        sentence = sentence_of(event, self.state)
        if sentence:
            self.lines.append(sentence)
        self.ended = event.kind in ("stopped", "done") or (self.ended and event.kind != "round")
        now = self.clock()
        if event.kind in ("stopped", "done") or now - self.last >= self.gap:
            start = self.cost()
            self.handle.update(self._bundle(), raw=True)
            self.gap = max(self.least, (self.cost() - start) / _FRAME_SHARE)
            self.last = now

    def _bundle(self) -> dict[str, str]:
        status = self._status()
        plain = "\n".join([*self.lines, status])
        return {"text/html": self._html(status), "text/plain": plain}

    def _status(self) -> str:
        state = self.state
        if not state.epoch:
            begins = "networks begin" if state.plan else "preparing the data"
            return "finished" if self.ended else begins
        at = f"epoch {state.epoch} of {state.max_epochs}"
        if self.ended:
            return f"{at}, {state.scores()}"
        return f"{at}, {state.scores()}, {state.still()}, {time_left(state.eta)}"

    def _html(self, status: str) -> str:
        state = self.state
        notes = "".join(f"<li>{escape(line)}</li>" for line in self.lines)
        curve = f'<div class="ta-live-curve">{self._curve()}</div>' if state.epoch > 1 else ""
        return (
            f'<div class="ta-report ta-live"><style>{asset("page.css")}</style>'
            + (f'<ul class="ta-notes">{notes}</ul>' if notes else "")
            + '<div class="ta-live-body"><div class="ta-live-text">'
            + self._gauge(status)
            + (self._scores() if state.best else "")
            + f"</div>{curve}</div>{self._attention()}</div>"
        )

    def _gauge(self, status: str) -> str:
        state = self.state
        if not state.epoch:
            return f'<p class="ta-live-status" role="status">{status}</p>'
        # A run that stopped early is complete: a half-full bar would look like a failure.
        value = state.max_epochs if self.ended else state.epoch
        words = "finished" if self.ended else f"{state.still()}, {time_left(state.eta)}"
        return (
            f'<progress class="ta-live-bar" max="{state.max_epochs}" value="{value}" '
            f'aria-label="training">{escape(status)}</progress>'
            f'<p class="ta-live-status" role="status">epoch {state.epoch} of '
            f"{state.max_epochs}, {escape(words)}</p>"
            # A button would be dead while the cell is busy; the interrupt is not.
            + ("" if self.ended else f'<p class="ta-live-status">{_STOP}</p>')
        )

    def _scores(self) -> str:
        state = self.state
        rows: list[tuple[Cell, ...]] = [("mean", mean_of(state.folds), None, "")]
        for fold, score in enumerate(state.folds):
            epochs = state.best_epoch[fold * state.n_seeds : (fold + 1) * state.n_seeds]
            # With several seeds a fold has several best epochs; the latest says how far it came.
            latest = max(epochs, default=0) or None
            busy = "training" if fold in state.training and not self.ended else "finished"
            rows.append((f"fold {fold + 1}", score, latest, busy))
        columns = (
            TableColumn("best so far"),
            TableColumn(state.metric, "score"),
            TableColumn("epoch", "count"),
            TableColumn("state"),
        )
        return table_html(Table("", columns, tuple(rows), lead=0))

    def _attention(self) -> str:
        """Return what each fold looks at by now, on its validation rows."""
        found = self.state.fold_attention(_HEAT_ROWS)
        if not found:
            return ""
        folds = tuple(str(i + 1) for i in range(len(self.state.folds)))
        first = ", ".join(f"{name} {mean_of(weights):.0%}" for name, weights in found[:3])
        known = [[v for v in weights if math.isfinite(v)] for _, weights in found]
        heat = Heat(
            title="Attention", alt=f"Attention by fold at epoch {self.state.epoch}: {first}",
            rows=tuple(name for name, _ in found), groups=(("attention in %, by fold", folds),),
            values=tuple(tuple(weights) for _, weights in found), table=Table("", (), ()),
            mean=tuple(map(mean_of, known)), low=tuple(map(min, known)),
            high=tuple(map(max, known)),
        )  # fmt: skip
        return f'<div class="ta-live-attention">{picture_html(heat)}</div>'

    def _curve(self) -> str:
        state = self.state
        series = []
        for member, (xs, ys) in sorted(state.losses.items()):
            # A picture a few hundred pixels wide shows no more; a long run stays a small frame.
            step = max(1, math.ceil(len(xs) / _CURVE_POINTS))
            shown = sorted({*range(0, len(xs), step), len(xs) - 1})
            best = state.best_epoch[member] if member < len(state.best_epoch) else 0
            mark = next(((x, y) for x, y in zip(xs, ys, strict=True) if x == best), None)
            series.append(
                Series(
                    label=f"fold {member // state.n_seeds + 1}",
                    x=tuple(xs[i] for i in shown),
                    y=tuple(ys[i] for i in shown),
                    group=member // state.n_seeds,
                    mark=mark if mark is not None and math.isfinite(mark[1]) else None,
                )
            )
        alt = f"Validation loss of {len(series)} members up to epoch {state.epoch}"
        says = ", ".join(filter(None, ("validation loss", mean_words(series))))
        lines = tuple(with_means(series))
        return picture_html(Chart("Validation loss", alt, "epoch", says, lines, Table("", (), ())))
