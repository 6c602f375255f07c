"""Saving an answer into a directory, and reading it back; nothing in it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from tabnet_auto.artifact import read_artifact, write_artifact
from tabnet_auto.attention.summary import AttentionSummary
from tabnet_auto.companions.saving import companions_from_state, companions_to_state
from tabnet_auto.config import preset_from_json
from tabnet_auto.decisions import Decision
from tabnet_auto.encode.encoder import Encoder
from tabnet_auto.ensemble.blend import blend_from_json
from tabnet_auto.errors import ArtifactError
from tabnet_auto.evidence.record import Evidence
from tabnet_auto.folds import Folds
from tabnet_auto.metrics import Objective, metric_by_name
from tabnet_auto.net.build import net_with_weights
from tabnet_auto.result.fit import FitResult
from tabnet_auto.result.reduce import weighty_companions
from tabnet_auto.schema import Schema
from tabnet_auto.search.record import search_from_json
from tabnet_auto.trace import Trace


def save(fit: FitResult, directory: str | Path, *, rows: bool = True) -> Path:
    """Write what :func:`load` reads, with or without the sample of training rows."""
    encoder, arrays = fit.encoder.to_state()
    companions, own = companions_to_state(weighty_companions(fit))
    attention, looked_at = fit.attention_summary.to_state()
    kept = fit.evidence if rows else fit.evidence.without_rows()
    evidence, measured = kept.to_state()
    data = {
        "schema": fit.schema.to_json(),
        "folds": _folds_to_json(fit.folds),
        "full": None if fit.full is None else _folds_to_json(fit.full),
        "companions": companions,
        "metric": fit.metric.name,
        "greater_is_better": fit.metric.greater_is_better,
        "net": type(fit.preset.net).__name__,
        "preset": asdict(fit.preset),
        "encoder": encoder,
        "blend": fit.blend.to_json(),
        "oof_score": fit.oof_score,
        "attention": attention,
        "trace": fit.trace.to_json(),
        "about": dict(fit.about),
        "decision": asdict(fit.decision),
        "objective": asdict(fit.objective),
        "evidence": evidence,
        "search": fit.search and fit.search.to_json(),
        "networks": fit.networks,
    }
    stored = {f"encoder.{name}": array for name, array in arrays.items()}
    stored |= {f"evidence.{name}": array for name, array in measured.items()}
    for name, tensor in fit.net.state_dict().items():
        stored[f"net.{name}"] = tensor.cpu().numpy()
    stored |= {f"companions.{name}": array for name, array in own.items()}
    for name, folds in (("folds", fit.folds), ("full", fit.full)):
        for side in ("train", "valid") if folds is not None else ():
            members = enumerate(getattr(folds, side))
            stored |= {f"{name}.{side}.{i}": positions for i, positions in members}
    stored |= {
        "oof": fit.oof, "target": fit.target, "has_target": fit.has_target,
        "member_scores": fit.member_scores, "fold_scores": fit.fold_scores,
    }  # fmt: skip
    stored |= {f"attention.{name}": array for name, array in looked_at.items()}
    return write_artifact(directory, data, stored)


def load(directory: str | Path) -> FitResult:
    """Load what :meth:`FitResult.save` wrote. Nothing in the directory is executed.

    Raises
    ------
    ArtifactError
        If the directory is missing, damaged, foreign, or of another format.
    """
    data, arrays = read_artifact(directory)
    try:
        return _rebuild(data, arrays)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{directory} does not hold what a model needs, however its files are whole: "
            f"{error!r}. Save the model again with this version."
        ) from error


def _rebuild(data: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> FitResult:
    schema = Schema.from_json(data["schema"])
    folds = _folds_from_json(data["folds"], _under("folds.", arrays))
    full = data["full"] and _folds_from_json(data["full"], _under("full.", arrays))
    encoder = Encoder.from_state(data["encoder"], _under("encoder.", arrays))
    preset = preset_from_json(data["net"], data["preset"])
    weights = {name: torch.from_numpy(a) for name, a in _under("net.", arrays).items()}
    net = net_with_weights(preset.net, encoder.layout, encoder.tables, schema.n_outputs, weights)
    networks = data.get("networks")
    summary = AttentionSummary.from_state(
        data["attention"], _under("attention.", arrays), folds.only_seeds(networks).fold
    )
    return FitResult(
        schema=schema, folds=folds, preset=preset, encoder=encoder, net=net,
        metric=metric_by_name(data["metric"], schema.task, data["greater_is_better"]),
        blend=blend_from_json(data["blend"]), oof=arrays["oof"], oof_score=data["oof_score"],
        target=arrays["target"], has_target=arrays["has_target"],
        member_scores=arrays["member_scores"], fold_scores=arrays["fold_scores"],
        attention_summary=summary, trace=Trace.from_json(data["trace"]), about=data["about"],
        companions=companions_from_state(data["companions"], _under("companions.", arrays)),
        full=full,
        decision=Decision(**_with_tuples(data["decision"])),
        objective=Objective(**_with_tuples(data["objective"])),
        evidence=Evidence.from_state(data["evidence"], _under("evidence.", arrays)),
        search=search_from_json(data["search"]) if data["search"] else None,
        networks=networks and tuple(networks),
    )  # fmt: skip


def _with_tuples(data: dict[str, Any]) -> dict[str, Any]:
    """Return a record's fields as they were: JSON knows no tuples."""
    return {name: _tuples(value) for name, value in data.items()}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _folds_to_json(folds: Folds) -> dict[str, Any]:
    return {"fold": folds.fold, "seed": folds.seed, "rule": folds.rule, "kind": folds.kind}


def _folds_from_json(data: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Folds:
    members = range(len(data["fold"]))
    return Folds(
        train=tuple(arrays[f"train.{i}"] for i in members),
        valid=tuple(arrays[f"valid.{i}"] for i in members),
        fold=tuple(data["fold"]),
        seed=tuple(data["seed"]),
        rule=data["rule"],
        kind=tuple(data["kind"]),
    )


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}
