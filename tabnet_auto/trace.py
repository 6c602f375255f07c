"""What happened while training, as plain records. Progress bars and pages only listen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

Emit = Callable[["Event"], None]
"""A listener: anything that takes an :class:`Event`. Listeners must not raise."""


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    ``kind`` is one of

    ``"note"``
        ``text``: something done to the data or the plan that the user should know.
    ``"audit"``
        ``findings, n_rows, of_rows, skipped``: what was found in the data before training.
    ``"plan"``
        ``n_members, n_folds, n_seeds, n_rows, n_columns, columns, max_epochs, batch_size,
        device, metric, greater_is_better, time_limit``: what is about to be trained.
    ``"epoch"``
        ``epoch`` (from 1), ``max_epochs``, ``members`` (ids still training), ``train_loss``,
        ``valid_loss`` and ``score`` (lists over ``members``; the metric on each member's
        validation rows), ``best_score`` and ``best_epoch`` (lists over all members),
        ``eta`` (seconds, an estimate), ``attention`` (lists over ``members`` of the mean
        weights of the columns at the positions ``attention_columns``, those most read).
    ``"race"``
        ``fold, epochs``; ``kinds``, their ``names``, best validation ``losses`` and ``gaps``
        (by how much the loss on learned rows is lower, None of kinds that left), lists in the
        order in which the kinds are to be trained; ``anew``: another kind than the first is
        ahead, so training begins again, and the epoch before counts for nothing.
    ``"round"``
        ``number`` (from 2), ``n_seeds, of_kind, max_epochs, seconds``: a time limit leaves this
        long, and further networks are trained, so many a fold; the epochs that follow number them
        from 0.
    ``"companion"``
        ``name`` and ``state``: ``"started"`` (with ``n_folds``), ``"finished"`` (with
        ``scores``, one a fold, and ``seconds``) or ``"left out"`` (a note says why).
    ``"stopped"``
        ``reason``: ``"converged"``, ``"max_epochs"``, ``"time_limit"`` or ``"requested"``.
    ``"done"``
        ``oof_score``, ``seconds``.

    ``seconds`` is the time since the trace began; ``data`` holds plain JSON values only.
    """

    kind: str
    seconds: float
    data: dict[str, Any]


@dataclass
class Trace:
    """The events of one run, in order; it is itself a listener's source.

    >>> trace = Trace(emit=lambda event: None)
    >>> trace.add("note", text="12 rows without a target were set aside")
    >>> [event.kind for event in trace]
    ['note']
    """

    emit: Emit | None = None
    events: list[Event] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)

    def add(self, kind: str, **data: Any) -> None:
        """Record an event and pass it to the listener."""
        event = Event(kind, time.monotonic() - self._start, data)
        self.events.append(event)
        if self.emit is not None:
            self.emit(event)

    def note(self, *texts: str | None) -> None:
        """Record what was done to the data or the plan; what is None or empty says nothing."""
        for text in texts:
            if text:
                self.add("note", text=text)

    def aside(self) -> Trace:
        """Return an empty trace on the same clock, to which nobody listens."""
        return Trace(_start=self._start)

    def put_back(self, since: int, events: list[Event]) -> None:
        """Record other events in place of those from position ``since`` on."""
        self.events[since:] = events

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of all events of one kind."""
        return [event.data for event in self.events if event.kind == kind]

    def rounds(self) -> list[list[dict[str, Any]]]:
        """Return the epochs of each round of networks; an interrupted one joined nothing.

        Nor did the first epoch of a kind of network that lost a race.
        """
        found: list[list[dict[str, Any]]] = [[]]
        for event in self.events:
            if event.kind == "round":
                found.append([])
            elif event.kind == "race" and event.data["anew"]:
                found[-1].clear()
            elif event.kind == "epoch":
                found[-1].append(event.data)
            elif event.kind == "stopped" and event.data["reason"] == "requested" and found[1:]:
                found.pop()
        return found

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def to_json(self) -> str:
        """Return the events as JSON text."""
        return json.dumps([asdict(event) for event in self.events])

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """Read back what :meth:`to_json` wrote."""
        return cls(events=[Event(**record) for record in json.loads(text)])
