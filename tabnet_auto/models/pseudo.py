"""Pseudo-labels: each fold's own members label the test rows, and the fold learns from them too.

Lee, "Pseudo-Label" (ICML workshop 2013), inside the folds: what labels a test row for a fold has
learned from that fold's training rows only, so the rows that the fold holds out stay unseen. They
only say, all together, which of two trainings is kept.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.matrix import VIEWS
from tabnet_auto.design import Design
from tabnet_auto.errors import InputError
from tabnet_auto.metrics import Metric
from tabnet_auto.models.train import Models, Plan, train_models
from tabnet_auto.trace import Trace
from tabnet_auto.train.members import Task
from tabnet_auto.train.predict import predict_members

Floats = NDArray[np.float64]

CONFIDENT = 0.95
"""Probability from which a test row's likeliest class is taken for its label, by default."""
KEPT = {
    True: "which is better: they are kept",
    False: "which is no better: the models from before are kept",
}
"""What is said of the training that stays, by whether labels made the score better."""


def check_pseudo_labels(pseudo_labels: object, task: str, *, has_test: bool) -> float | None:
    """Return the probability from which a row gets a label; None for no pseudo-labels.

    Values have no probabilities: all rows get labels, the answer is 0.

    Raises
    ------
    InputError
        If it is no truth value or probability, or there are no test rows.
    """
    if pseudo_labels is False:
        return None
    is_number = isinstance(pseudo_labels, float) and 0.0 < pseudo_labels < 1.0
    if pseudo_labels is not True and not is_number:
        raise InputError(
            "pseudo_labels must be True, False or a probability between 0 and 1, however: "
            f"pseudo_labels={pseudo_labels!r}."
        )
    if task == "regression" and is_number:
        raise InputError(
            "Values have no probabilities to choose labels by, however: "
            f"pseudo_labels={pseudo_labels!r} for a regression. Pass pseudo_labels=True: all "
            "test rows are labelled."
        )
    if not has_test:
        raise InputError("pseudo_labels need rows to label, however: test=None. Pass test=.")
    if task == "regression":
        return 0.0
    return float(pseudo_labels) if isinstance(pseudo_labels, float) else CONFIDENT


def train_twice(task: Task, plan: Plan, trace: Trace, test: Design, threshold: float) -> Models:
    """Train, let every fold's members label ``test``, and train again with these rows.

    The first training takes half of the time, and its events are not shown. Scores before and
    after are out of fold, on the same rows: where labels make the score no better, the first
    training's models and events stay. A note says both scores, and what was kept.
    """
    n_rows = task.design.n_rows
    trace.note("pseudo-labels: a first training, not shown, labels the test rows")
    apart, since = trace.aside(), len(trace.events)
    first = train_models(task, _first_half(plan), n_rows, apart)
    _, source = task.folds.with_seeds(first.task.folds.kinds)
    labels = fold_labels(first, replace(test, x_stat=test.x_stat[source]))
    chosen = [_confident(own, threshold) for own in labels]
    rows = f"{_counted(chosen)} of {test.n_rows} test rows a fold"
    if first.ended or not any(map(len, chosen)):
        trace.put_back(since, apart.events)
        why = "the training was stopped" if first.ended else "none is sure enough"
        trace.note(f"pseudo-labels for {rows}: {why}, the first training stays")
        return first
    # The first training was the first usable model: nothing hurries the second one's first epoch.
    rest = replace(plan, times=replace(plan.times, first=plan.times.train))
    again = train_models(_with_labels(task, test, labels, chosen), rest, n_rows, trace)
    gains = is_gain(task.metric, first, again)
    if not gains:
        trace.put_back(since, apart.events)
    limited = "" if plan.times.train is None else " (in half of the time)"
    trace.note(
        f"pseudo-labels for {rows}: out-of-fold {task.metric.name} {first.scores.total:.4f} "
        f"before{limited}, {again.scores.total:.4f} with them, {KEPT[gains]}"
    )
    return again if gains else first


def is_gain(metric: Metric, first: Models, again: Models) -> bool:
    """Whether the second training's out-of-fold score is better than the first one's."""
    return metric.better(again.scores.total, first.scores.total)


def _counted(chosen: list[NDArray[np.int64]]) -> str:
    """Say how many rows each fold chose."""
    counts = sorted({len(rows) for rows in chosen})
    return f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"


def _first_half(plan: Plan) -> Plan:
    if plan.times.train is None:
        return plan
    now = monotonic()
    left = max(0.0, plan.times.train - now)
    # Both blends get the little time that choosing weights takes: their scores are compared.
    times = replace(plan.times, train=now + 0.5 * left, blend=now + 0.55 * left)
    return replace(plan, times=times)


def fold_labels(models: Models, test: Design) -> list[Floats]:
    """Predictions of the test rows by each fold's own members, the mean of all models.

    The plain mean and not the blend: the blend's weights have seen every fold's targets.
    """
    task = models.task
    folds, tables = task.folds, task.tables
    chunks = predict_members(
        models.net, test, tables, is_class=task.classes is not None, objective=task.objective
    )
    members = np.concatenate(list(chunks), axis=1)
    labels = []
    for fold in range(folds.n_folds):
        own = folds.of_fold(fold)
        parts = [members[m] for m in own]
        for one in models.companions:
            matrix = VIEWS[one.view](test, task.layout, tables, own[0])
            parts.append(task.objective.restored(one.members[fold].predict(matrix.x)))
        labels.append(np.mean(parts, axis=0))
    return labels


def _confident(predicted: Floats, threshold: float) -> NDArray[np.int64]:
    """Rows whose likeliest class has at least the threshold's probability; all rows of values."""
    if predicted.ndim == 1:
        return np.arange(len(predicted))
    return np.flatnonzero(predicted.max(axis=1) >= threshold)


def _with_labels(
    task: Task, test: Design, labels: list[Floats], chosen: list[NDArray[np.int64]]
) -> Task:
    """Append each fold's labelled rows to the design, and to that fold's training rows alone."""
    design, folds = task.design, task.folds
    assert design.y is not None
    rows = np.concatenate(chosen)
    y = [own[r].argmax(axis=1) if own.ndim == 2 else own[r]
         for own, r in zip(labels, chosen, strict=True)]  # fmt: skip
    weight = design.weight
    if weight is not None:
        weight = np.concatenate([weight, np.full(len(rows), weight.mean())])
    longer = Design(
        x_num=np.concatenate([design.x_num, test.x_num[rows]]),
        codes=np.concatenate([design.codes, test.codes[rows]]),
        x_stat=np.concatenate([design.x_stat, test.x_stat[:, rows]], axis=1),
        y=np.concatenate([design.y, *y]).astype(design.y.dtype),
        weight=weight,
    )
    ends = design.n_rows + np.cumsum([len(r) for r in chosen])
    added = [np.arange(end - len(r), end) for end, r in zip(ends, chosen, strict=True)]
    train = tuple(
        np.concatenate([own, added[fold]])
        for own, fold in zip(folds.train, folds.fold, strict=True)
    )
    more = replace(folds, train=train, groups=None)
    return replace(task, design=longer, folds=more)
