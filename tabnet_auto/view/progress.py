"""Listeners that show training while it runs: in a terminal, on a pipe, in a notebook.

They only read :class:`~tabnet_auto.trace.Event` records. A listener that fails says so once and
goes quiet: a broken display must not end a training run.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

from tabnet_auto.trace import Emit, Event
from tabnet_auto.view.draw import format_cell, picture_html, table_html
from tabnet_auto.view.figures import Cell, Chart, Series, Table, TableColumn
from tabnet_auto.view.svg import asset, escape

Clock = Callable[[], float]
Display = Callable[..., Any]

_LINE_SECONDS = 10.0
_FRAME_SECONDS = 0.2
_CURVE_POINTS = 150
_REASONS = {
    "converged": "every fold has stopped improving",
    "max_epochs": "all epochs are done",
    "time_limit": "the time limit is reached",
    "requested": "stopped on request",
}


def choose_progress(verbose: bool | Literal["auto"] = "auto") -> Emit | None:  # noqa: FBT001
    """Return the listener that fits where the code runs.

    Parameters
    ----------
    verbose
        False shows nothing; True and ``"auto"`` show a panel in a notebook, and elsewhere a bar
        on a terminal or a few lines on a pipe.

    Returns
    -------
    Emit or None
        None where nothing is to be shown.
    """
    if verbose is False:
        return None
    return notebook_progress() if _in_notebook() else terminal_progress()


def terminal_progress(stream: TextIO | None = None, *, clock: Clock = time.monotonic) -> Emit:
    """Return a listener that writes to a stream: a bar on a terminal, few lines on a pipe.

    Parameters
    ----------
    stream
        Where to write; standard error by default.
    clock
        Seconds that only grow, for tests.
    """
    out = sys.stderr if stream is None else stream
    return _never_raise(_Bar(out) if out.isatty() else _Lines(out, clock))


def notebook_progress(*, display: Display | None = None, clock: Clock = time.monotonic) -> Emit:
    """Return a listener that draws one panel in a notebook's output and keeps it up to date.

    It needs no widgets, so the last frame stays in the saved notebook. At most five frames a
    second are sent; the last one always is.

    Parameters
    ----------
    display
        ``IPython.display.display`` or a stand-in for tests.
    clock
        Seconds that only grow, for tests.
    """
    if display is None:
        from IPython.display import display as found

        display = found
    return _never_raise(_Panel(display, clock))


def _in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this code (Colab's shell is a subclass)."""
    # A process that has not imported IPython cannot be a kernel: no need to pay for the import.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(base.__name__ == "ZMQInteractiveShell" for base in type(shell).__mro__)


def _never_raise(listener: Emit) -> Emit:
    """Return the listener with its first failure turned into a warning and its last word."""
    broken = False

    def emit(event: Event) -> None:
        nonlocal broken
        if broken:
            return
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - whatever a display does, training goes on
            broken = True
            _warn(f"The progress display failed and is off: {type(error).__name__}: {error}")

    return emit


def _warn(message: str) -> None:
    try:
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    except RuntimeWarning:  # warnings are errors here, and would end the training after all
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{message}\n")


# --- what is known so far ---------------------------------------------------------------------


@dataclass
class _State:
    """The run as the events told it; every display reads this and keeps no second account."""

    plan: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    max_epochs: int = 0
    eta: float = math.nan
    training: set[int] = field(default_factory=set)
    best: list[float] = field(default_factory=list)
    best_epoch: list[int] = field(default_factory=list)
    losses: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict)

    def read(self, event: Event) -> None:
        """Take in a plan or an epoch."""
        if event.kind == "plan":
            self.plan = event.data
            self.max_epochs = int(event.data.get("max_epochs") or 0)
        elif event.kind == "epoch":
            self._epoch(event.data)

    def _epoch(self, data: dict[str, Any]) -> None:
        self.epoch = int(data["epoch"])
        self.max_epochs = int(data["max_epochs"])
        self.eta = _float(data.get("eta"))
        members = data["members"]
        self.training = {self._fold(m) for m in members}
        self.best = [_float(v) for v in data["best_score"]]
        self.best_epoch = [int(v) if v is not None else 0 for v in data["best_epoch"]]
        for member, loss in zip(members, data["valid_loss"], strict=True):
            xs, ys = self.losses.setdefault(int(member), ([], []))
            xs.append(float(self.epoch))
            ys.append(_float(loss))

    @property
    def n_seeds(self) -> int:
        """Members a fold; they are numbered fold by fold."""
        return max(int(self.plan.get("n_seeds") or 1), 1)

    def _fold(self, member: int) -> int:
        return member // self.n_seeds

    @property
    def folds(self) -> list[float]:
        """The best score of each fold so far, a mean over its seeds."""
        n = self.n_seeds
        return [_mean(self.best[i : i + n]) for i in range(0, len(self.best), n)]

    @property
    def metric(self) -> str:
        """The metric's name."""
        return str(self.plan.get("metric") or "score")

    def scores(self) -> str:
        """Return the mean and each fold's best score in words."""
        each = " ".join(_score(score) for score in self.folds)
        return f"best {self.metric} {_score(_mean(self.folds))} ({each})"

    def still(self) -> str:
        """Return how many folds are still training."""
        return f"{len(self.training)} of {len(self.folds)} folds training"


def _float(value: object) -> float:
    """Return a number; JSON has no NaN, so it may come as None."""
    return float(value) if isinstance(value, int | float) else math.nan


def _mean(values: Sequence[float]) -> float:
    found = [value for value in values if math.isfinite(value)]
    return sum(found) / len(found) if found else math.nan


def _score(value: float) -> str:
    return format_cell(value, "score")


def _left(seconds: float) -> str:
    """Return the time left in words, to the second."""
    if not math.isfinite(seconds):
        return "time left unknown"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s left"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s left"
    return f"{minutes // 60} h {minutes % 60:02d} min left"


def _count(n: object, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}" if isinstance(n, int) else f"? {noun}s"


def _sentence(event: Event, state: _State) -> str:
    """Return the line for an event that is shown as one line; empty for the others."""
    data = event.data
    if event.kind == "note":
        return f"note: {data.get('text', '')}"
    if event.kind == "plan":
        members = _count(data.get("n_folds"), "fold")
        if state.n_seeds > 1:
            members += f" x {state.n_seeds} seeds"
        limit = data.get("time_limit")
        return (
            f"training {members} on {_count(data.get('n_rows'), 'row')}, "
            f"{_count(data.get('n_columns'), 'column')}: at most {state.max_epochs} epochs of "
            f"batches of {data.get('batch_size', '?')} on {data.get('device', '?')}, by "
            f"{state.metric}" + (f", within {limit:g} s" if limit else "")
        )
    if event.kind == "stopped":
        reason = str(data.get("reason", ""))
        return f"stopped after epoch {state.epoch}: {_REASONS.get(reason, reason)}"
    if event.kind == "done":
        score = _score(_float(data.get("oof_score")))
        seconds = format_cell(_float(data.get("seconds")), "seconds")
        return f"done: out-of-fold {state.metric} {score} in {seconds}"
    return ""


# --- a stream ---------------------------------------------------------------------------------


class _Bar:
    """A bar on a terminal; lines appear above it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.state = _State()
        self.bar: Any = None

    def __call__(self, event: Event) -> None:
        self.state.read(event)
        if event.kind == "epoch":
            self._advance()
        elif event.kind in ("stopped", "done"):
            self._close()
        sentence = _sentence(event, self.state)
        if sentence:
            self._write(sentence)

    def _advance(self) -> None:
        from tqdm import tqdm

        state = self.state
        if self.bar is None:
            self.bar = tqdm(
                total=state.max_epochs,
                file=self.stream,
                unit="epoch",
                dynamic_ncols=True,
                bar_format="epoch {n_fmt}/{total_fmt} |{bar:20}| {desc}",
            )
        self.bar.total = state.max_epochs
        self.bar.set_description_str(
            f"{state.scores()}, {state.still()}, {_left(state.eta)}", refresh=False
        )
        self.bar.update(state.epoch - self.bar.n)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.refresh()  # tqdm may have held the last epoch back
            self.bar.close()
            self.bar = None

    def _write(self, sentence: str) -> None:
        if self.bar is None:
            self.stream.write(f"{sentence}\n")
            self.stream.flush()
        else:
            self.bar.write(sentence, file=self.stream)


class _Lines:
    """Plain lines for logs: what happened, and how far it is every ten seconds."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self.stream, self.clock = stream, clock
        self.state = _State()
        self.last = clock()

    def __call__(self, event: Event) -> None:
        self.state.read(event)
        sentence = _sentence(event, self.state)
        if event.kind == "epoch" and self.clock() - self.last >= _LINE_SECONDS:
            self.last = self.clock()
            state = self.state
            sentence = (
                f"epoch {state.epoch}/{state.max_epochs}: {state.scores()}, {state.still()}, "
                f"{_left(state.eta)}"
            )
        elif event.kind == "stopped" and self.state.best:
            sentence += f"; {self.state.scores()}"
        if sentence:
            self.stream.write(f"{sentence}\n")
            self.stream.flush()


# --- a notebook -------------------------------------------------------------------------------


class _Panel:
    """One output of a notebook's cell, drawn again and again."""

    def __init__(self, display: Display, clock: Clock) -> None:
        self.clock = clock
        self.state = _State()
        self.lines: list[str] = []
        self.ended = False
        self.last = -math.inf
        # Shown by the thread that made it: a training thread may not know the cell it works for.
        self.handle = display(self._bundle(), raw=True, display_id=True)

    def __call__(self, event: Event) -> None:
        self.state.read(event)
        sentence = _sentence(event, self.state)
        if sentence:
            self.lines.append(sentence)
        self.ended = self.ended or event.kind in ("stopped", "done")
        last_epoch = event.kind == "epoch" and self.state.epoch >= self.state.max_epochs
        now = self.clock()
        if self.ended or last_epoch or now - self.last >= _FRAME_SECONDS:
            self.last = now
            self.handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        status = self._status()
        plain = "\n".join([*self.lines, status])
        return {"text/html": self._html(status), "text/plain": plain}

    def _status(self) -> str:
        state = self.state
        if not state.epoch:
            return "finished" if self.ended else "preparing the data"
        at = f"epoch {state.epoch} of {state.max_epochs}"
        if self.ended:
            return f"{at}, {state.scores()}"
        return f"{at}, {state.scores()}, {state.still()}, {_left(state.eta)}"

    def _html(self, status: str) -> str:
        state = self.state
        notes = "".join(f"<li>{escape(line)}</li>" for line in self.lines)
        right = f'<div class="ta-live-curve">{self._curve()}</div>' if state.epoch > 1 else ""
        return (
            f'<div class="ta-report ta-live"><style>{asset("page.css")}</style>'
            + (f'<ul class="ta-notes">{notes}</ul>' if notes else "")
            + '<div class="ta-live-body"><div class="ta-live-text">'
            + self._gauge(status)
            + (self._scores() if state.best else "")
            + f"</div>{right}</div></div>"
        )

    def _gauge(self, status: str) -> str:
        state = self.state
        if not state.epoch:
            return f'<p class="ta-live-status" role="status">{status}</p>'
        # A run that stopped early is complete: a half-full bar would look like a failure.
        value = state.max_epochs if self.ended else state.epoch
        words = "finished" if self.ended else f"{state.still()}, {_left(state.eta)}"
        return (
            f'<progress class="ta-live-bar" max="{state.max_epochs}" value="{value}" '
            f'aria-label="training">{escape(status)}</progress>'
            f'<p class="ta-live-status" role="status">epoch {state.epoch} of '
            f"{state.max_epochs}, {escape(words)}</p>"
        )

    def _scores(self) -> str:
        state = self.state
        rows: list[tuple[Cell, ...]] = [("mean", _mean(state.folds), None, "")]
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
            TableColumn(""),
        )
        return table_html(Table("", columns, tuple(rows), lead=0))

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
        chart = Chart(
            "Validation loss", alt, "epoch", "validation loss", tuple(series), Table("", (), ())
        )
        return picture_html(chart)
