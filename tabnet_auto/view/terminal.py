"""Progress on a stream: a bar on a terminal, few lines on a pipe."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from tabnet_auto.trace import Emit, Event
from tabnet_auto.view.guard import never_raise
from tabnet_auto.view.run_state import Clock, RunState, sentence_of, time_left

_LINE_SECONDS = 10.0


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
    return never_raise(_Bar(out) if out.isatty() else _Lines(out, clock))


class _Bar:
    """A bar on a terminal; lines appear above it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.state = RunState()
        self.bar: Any = None

    def __call__(self, event: Event) -> None:
        self.state.read(event)
        if event.kind == "epoch":
            self._advance()
        elif event.kind in ("stopped", "done"):
            self._close()
        sentence = sentence_of(event, self.state)
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
            f"{state.scores()}, {state.still()}, {time_left(state.eta)}", refresh=False
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
        self.state = RunState()
        self.last = clock()

    def __call__(self, event: Event) -> None:
        self.state.read(event)
        sentence = sentence_of(event, self.state)
        if event.kind == "epoch" and self.clock() - self.last >= _LINE_SECONDS:
            self.last = self.clock()
            state = self.state
            sentence = (
                f"epoch {state.epoch}/{state.max_epochs}: {state.scores()}, {state.still()}, "
                f"{time_left(state.eta)}"
            )
        elif event.kind == "stopped" and self.state.best:
            sentence += f"; {self.state.scores()}"
        if sentence:
            self.stream.write(f"{sentence}\n")
            self.stream.flush()
