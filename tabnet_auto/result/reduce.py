"""A model without some of its companions, or without all that its blend does not need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.train import Companion
from tabnet_auto.design import Design
from tabnet_auto.ensemble.blend import Blend, Stack
from tabnet_auto.errors import InputError, did_you_mean
from tabnet_auto.models.scores import score_models
from tabnet_auto.net.build import net_with_weights
from tabnet_auto.train.members import Task

if TYPE_CHECKING:
    from tabnet_auto.result.fit import FitResult


def without(fit: FitResult, names: Sequence[str]) -> FitResult:
    """Return the model without the named companions.

    The others keep the proportions of their weights; where none of them has any, and in place of
    a stacker, all weigh alike.
    """
    known = [one.name for one in fit.companions]
    names = [names] if isinstance(names, str) else names
    for name in names:
        if name not in known:
            raise InputError(
                f"without() takes companions of the model, however: {name!r} is none of "
                f"{', '.join(known) or 'none'}.{did_you_mean(name, known)}"
            )
    if fit.held_out is None or fit.table is None:
        raise InputError(
            "Scores without a companion need the run that trained it, however: the model was "
            "loaded, unpickled or made slim. Call without() before slim(), or pass companions= to "
            "auto_fit."
        )
    keep = [i for i in range(fit.n_seeds + len(known))
            if i < fit.n_seeds or known[i - fit.n_seeds] not in names]  # fmt: skip
    blend = _share(fit, keep)
    held = replace(fit.held_out, own=tuple(fit.held_out.own[i] for i in keep))
    oof = held.combine([blend] * len(held.rows))
    scores = score_models(_scoring(fit), held, oof)
    return replace(
        fit, blend=blend, held_out=held, oof=fit.table.spread(oof),
        oof_score=scores.total, fold_scores=scores.folds, decision=scores.decision,
        member_scores=scores.members,
        companions=scores.scored(fit.companions[i - fit.n_seeds] for i in keep[fit.n_seeds :]),
    )  # fmt: skip


def slim(fit: FitResult) -> FitResult:
    """Return the model without networks and companions that have no weight in the blend.

    Attention is read from networks: where the blend has none of them, all stay.
    """
    held = tuple(range(fit.n_seeds)) if fit.networks is None else fit.networks
    kept = [i for i, seed in enumerate(held) if fit.blend.weights[seed]] or range(len(held))
    members = list(fit.members.of_seeds(kept))
    encoder = fit.encoder.select(np.array(members))
    net = net_with_weights(
        fit.preset.net, encoder.layout, encoder.tables, fit.schema.n_outputs,
        {name: tensor[members] for name, tensor in fit.net.state_dict().items()},
    )  # fmt: skip
    looked_at = fit.attention_summary.select(fit.folds.only_seeds(fit.networks).of_seeds(kept))
    return replace(
        fit, encoder=encoder, net=net, attention_summary=looked_at, held_out=None,
        companions=weighty_companions(fit), networks=tuple(held[i] for i in kept),
    )  # fmt: skip


def present_models(fit: FitResult) -> NDArray[np.bool_]:
    """Which of the blend's models the fit holds: seeds, then companions; ``(K,)``."""
    networks = range(fit.n_seeds) if fit.networks is None else fit.networks
    present = [number in networks for number in range(fit.n_seeds)]
    return np.array([*present, *(bool(one.members) for one in fit.companions)])


def weighty_companions(fit: FitResult) -> tuple[Companion, ...]:
    """Return the companions, those that have no weight in the blend without their members."""
    weights = fit.blend.weights[fit.n_seeds :]
    return tuple(
        one if weight else replace(one, members=())
        for one, weight in zip(fit.companions, weights, strict=True)
    )


def _share(fit: FitResult, keep: Sequence[int]) -> Blend:
    """Blend models by the proportions that they had; those that the model lacks stay out."""
    weights, temperature = np.array(fit.blend.weights)[list(keep)], 1.0
    if isinstance(fit.blend, Stack) or weights.sum() == 0.0:
        weights = present_models(fit)[list(keep)].astype(float)
    else:
        temperature = fit.blend.temperature
    return Blend(tuple((weights / weights.sum()).tolist()), temperature)


def _scoring(fit: FitResult) -> Task:
    """Return the task as far as scores need it: targets and weights, without the rows' numbers."""
    assert fit.table is not None
    n, none = len(fit.target), np.zeros((len(fit.target), 0))
    design = Design(none, none.astype(np.int32), np.zeros((0, n, 0)), fit.target, fit.table.weight)
    classes = np.array(fit.schema.classes) if fit.schema.classes else None
    return Task(
        design,
        fit.encoder.layout,
        fit.encoder.tables,
        fit.folds,
        fit.metric,
        classes,
        fit.objective,
    )
