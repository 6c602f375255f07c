"""Which blend a run keeps: the one whose cross-fitted score is better than the plain mean's."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

import numpy as np

from tabnet_auto.ensemble.blend import AnyBlend, Blend, Floats, HeldOut, held_out_rows, uniform
from tabnet_auto.ensemble.greedy import greedy_blend
from tabnet_auto.ensemble.stacker import fit_stack
from tabnet_auto.ensemble.temperature import learn_temperature
from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.folds import Rows
from tabnet_auto.train.members import Task
from tabnet_auto.train.weights import loss_weights


@dataclass(frozen=True, eq=False)
class Chosen:
    """The blend for new rows, out-of-fold predictions of the training rows, and a note: why.

    The note is empty where there was nothing to choose.
    ``oof (n_rows, ...)`` are cross-fitted: each fold's rows are blended as ``by_fold`` says, which
    was chosen on other rows.
    """

    blend: AnyBlend
    by_fold: tuple[AnyBlend, ...]
    oof: Floats
    reason: str


@dataclass(frozen=True)
class Sample:
    """What weights are chosen on: predictions ``(K, n, ...)`` of ``rows (n,)``.

    ``families (F, K)`` are means of models that differ by chance alone.
    """

    cube: Floats
    rows: Rows
    families: Floats


Learner = Callable[[Sample, Task, int, float | None], AnyBlend]
"""``learn(sample, task, seed, until)``."""


def _learn_greedy(sample: Sample, task: Task, seed: int, until: float | None) -> AnyBlend:
    sign = 1.0 if task.metric.greater_is_better else -1.0

    def score(predicted: Floats, rows: Rows) -> float:
        return sign * task.score(predicted, rows)

    means = np.tensordot(sample.families, sample.cube, axes=1)
    chosen = greedy_blend(means, sample.rows, score, seed=seed, until=until)
    return Blend(tuple((np.array(chosen.weights) @ sample.families).tolist()))


def _learn_stack(sample: Sample, task: Task, seed: int, until: float | None) -> AnyBlend:
    del seed, until
    y, rows = task.design.y, sample.rows
    assert y is not None
    weight = loss_weights(y, task.design.weight, [rows], task.objective)
    own = None if weight is None else weight[0][rows].astype(np.float64)
    return fit_stack(sample.cube, y[rows], own)


LEARNERS: dict[str, Learner] = {"greedy": _learn_greedy, "stack": _learn_stack}
BLENDS = ("auto", "uniform", *LEARNERS)
"""How models may be blended; ``"auto"`` is greedy where they are of several recipes."""


def check_blend(blend: object) -> str:
    """Return the name of a way to blend.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if not isinstance(blend, str) or blend not in BLENDS:
        raise InputError(
            f"blend must be one of {', '.join(BLENDS)}, however: {blend!r}."
            f"{did_you_mean(blend, BLENDS)}"
        )
    return blend


def family_means(recipes: Sequence[Hashable]) -> Floats:
    """Return weights ``(F, K)`` of the means of models that have the same recipe.

    They differ by chance alone: to weigh them one by one would fit that chance.
    """
    shares = np.zeros((len(set(recipes)), len(recipes)))
    for family, recipe in enumerate(dict.fromkeys(recipes)):
        members = [model for model, own in enumerate(recipes) if own == recipe]
        shares[family, members] = 1.0 / len(members)
    return shares


def choose_blend(
    held: HeldOut,
    task: Task,
    rule: str,
    *,
    recipes: Sequence[Hashable],
    until: float | None = None,
) -> Chosen:
    """Blend by ``rule`` where that is honestly better than the plain mean.

    The weights for a fold's rows are chosen on the rows that this fold did not hold out; the
    score of these cross-fitted predictions is compared with the plain mean's. If it is better,
    the final weights are chosen on all rows; if it is not, if there is one fold only, or time
    is up (``until``, a ``time.monotonic()`` instant), the mean stays. The folds and the final
    choice share the time. Where the metric scores probabilities row by row (log-loss, Brier), a
    temperature joins the weights where that is better, judged in the same way.

    Parameters
    ----------
    held
        Every model's predictions of held-out rows.
    task
        Targets, weights and metric.
    rule
        One of ``BLENDS``.
    recipes
        How each model was made, but for its seed: greedy selection weighs those alike that are
        equal in it.
    """
    chosen = _weighed(held, task, rule, recipes, until)
    is_mean = isinstance(chosen.blend, Blend)
    return _tempered(chosen, held, task, until) if task.metric.row_by_row and is_mean else chosen


def _weighed(
    held: HeldOut, task: Task, rule: str, recipes: Sequence[Hashable], until: float | None
) -> Chosen:
    """Choose weights, or a stacker, or say why the mean stays."""
    mean = (uniform(held.n_models),) * len(held.rows)
    plain = held.combine(mean)
    stay = partial(Chosen, mean[0], mean, plain)
    if rule == "auto":
        rule = "greedy" if len(set(recipes)) > 1 else "uniform"
    if rule == "uniform" or held.n_models == 1:
        return stay("")
    if len(held.rows) == 1:
        return stay("blend: uniform mean, one fold leaves no rows to judge weights on")
    cube, families, seed = held.cube(), family_means(recipes), task.folds.seed[0]
    known = np.flatnonzero(~np.isnan(cube[0].reshape(held.n_rows, -1)[:, 0]))
    blends = []
    for number, rows in enumerate(held.rows):
        if until is not None and monotonic() >= until:
            return stay("blend: uniform mean, no time was left to choose weights")
        other = np.setdiff1d(known, rows)
        if len(other) == 0:
            return stay("blend: uniform mean, every fold holds out all rows")
        part = _part_of(until, 1 + len(held.rows) - number)
        blends.append(LEARNERS[rule](Sample(cube[:, other], other, families), task, seed, part))
    oof = held.combine(blends)
    score, floor = (task.score(p, np.arange(held.n_rows)) for p in (oof, plain))
    compared = f"cross-fitted {task.metric.name} {score:.4f}, of the uniform mean {floor:.4f}"
    if not task.metric.better(score, floor):
        return stay(f"blend: uniform mean ({rule}: {compared})")
    final = LEARNERS[rule](Sample(cube[:, known], known, families), task, seed, until)
    return Chosen(final, tuple(blends), oof, f"blend: {rule} ({compared})")


def _tempered(chosen: Chosen, held: HeldOut, task: Task, until: float | None) -> Chosen:
    """Give a mean of probabilities the temperature that pays, if one does, and there is time."""
    y, weight, cube = task.design.y, task.design.weight, held.cube()
    assert y is not None
    known, blends = np.flatnonzero(~np.isnan(chosen.oof[:, 0])), []

    def learned_on(rows: Rows, blend: AnyBlend) -> Blend:
        assert isinstance(blend, Blend)
        own = None if weight is None else weight[rows]
        found = learn_temperature(blend.apply(cube[:, rows]), y[rows].astype(np.int64), own)
        return replace(blend, temperature=found)

    for rows, blend in zip(held.rows, chosen.by_fold, strict=True):
        other = np.setdiff1d(known, rows)
        if len(other) == 0 or (until is not None and monotonic() >= until):
            return chosen
        blends.append(learned_on(other, blend))
    oof = held.combine(blends)
    score, before = (task.score(p, np.arange(held.n_rows)) for p in (oof, chosen.oof))
    if not task.metric.better(score, before):
        return chosen
    final = learned_on(known, chosen.blend)
    reason = (
        f"{chosen.reason or 'blend: uniform mean'}, temperature {final.temperature:.2f} "
        f"(cross-fitted {task.metric.name} {score:.4f}, without it {before:.4f})"
    )
    return Chosen(final, tuple(blends), oof, reason)


def _part_of(until: float | None, n_parts: int) -> float | None:
    """Return when the first of equal parts of the time that is left ends."""
    now = monotonic()
    return None if until is None else now + (until - now) / n_parts


def fold_scores(task: Task, oof: Floats) -> Floats:
    """Score out-of-fold predictions ``(n_rows, ...)`` on each fold's validation rows."""
    return np.array([task.score(oof[own], own) for own in held_out_rows(task.folds)])
