"""Saving an answer into a directory, and reading it back; nothing in it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from tabnet_auto.artifact import read_artifact, write_artifact
from tabnet_auto.attention import AttentionSummary
from tabnet_auto.config import preset_from_json
from tabnet_auto.encode.encoder import Encoder
from tabnet_auto.ensemble import Blend
from tabnet_auto.errors import ArtifactError
from tabnet_auto.evidence.record import Evidence
from tabnet_auto.folds import Folds
from tabnet_auto.metrics import metric_by_name
from tabnet_auto.net.build import build_net
from tabnet_auto.result.fit import FitResult
from tabnet_auto.schema import Schema
from tabnet_auto.trace import Trace


def save(fit: FitResult, directory: str | Path, *, rows: bool = True) -> Path:
    """Write what :func:`load` reads, with or without the sample of training rows."""
    encoder, arrays = fit.encoder.to_state()
    kept = fit.evidence if rows else replace(fit.evidence, rows=None)
    evidence, measured = kept.to_state()
    data = {
        "schema": fit.schema.to_json(),
        "folds": {"fold": fit.folds.fold, "seed": fit.folds.seed, "rule": fit.folds.rule},
        "metric": fit.metric.name,
        "greater_is_better": fit.metric.greater_is_better,
        "net": type(fit.preset.net).__name__,
        "preset": asdict(fit.preset),
        "encoder": encoder,
        "blend": fit.blend.weights,
        "oof_score": fit.oof_score,
        "features": fit.attention_summary.features,
        "trace": fit.trace.to_json(),
        "about": dict(fit.about),
        "evidence": evidence,
    }
    stored = {f"encoder.{name}": array for name, array in arrays.items()}
    stored |= {f"evidence.{name}": array for name, array in measured.items()}
    for name, tensor in fit.net.state_dict().items():
        stored[f"net.{name}"] = tensor.cpu().numpy()
    for side, positions in (("train", fit.folds.train), ("valid", fit.folds.valid)):
        stored |= {f"folds.{side}.{i}": own for i, own in enumerate(positions)}
    stored |= {
        "oof": fit.oof, "target": fit.target, "has_target": fit.has_target,
        "member_scores": fit.member_scores, "fold_scores": fit.fold_scores,
        "attention.members": fit.attention_summary.members,
        "attention.member_steps": fit.attention_summary.member_steps,
        "attention.harm": fit.attention_summary.harm,
    }  # fmt: skip
    return write_artifact(directory, data, stored)


def load(directory: str | Path) -> FitResult:
    """Load what :meth:`FitResult.save` wrote. Nothing in the directory is executed.

    Raises
    ------
    ArtifactError
        If the directory is missing, damaged, foreign, or from a newer version.
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
    n_members = len(data["folds"]["fold"])
    folds = Folds(
        train=tuple(arrays[f"folds.train.{i}"] for i in range(n_members)),
        valid=tuple(arrays[f"folds.valid.{i}"] for i in range(n_members)),
        fold=tuple(data["folds"]["fold"]),
        seed=tuple(data["folds"]["seed"]),
        rule=data["folds"]["rule"],
    )
    encoder = Encoder.from_state(data["encoder"], _under("encoder.", arrays))
    preset = preset_from_json(data["net"], data["preset"])
    net = build_net(preset.net, encoder.layout, encoder.tables, schema.n_outputs, folds.seed)
    weights = {name: torch.from_numpy(a) for name, a in _under("net.", arrays).items()}
    net.load_state_dict(weights)
    net.eval()
    summary = AttentionSummary(
        features=tuple(data["features"]),
        members=arrays["attention.members"],
        member_steps=arrays["attention.member_steps"],
        harm=arrays["attention.harm"],
        fold=folds.fold,
    )
    return FitResult(
        schema=schema, folds=folds, preset=preset, encoder=encoder, net=net,
        metric=metric_by_name(data["metric"], schema.task, data["greater_is_better"]),
        blend=Blend(tuple(data["blend"])), oof=arrays["oof"], oof_score=data["oof_score"],
        target=arrays["target"], has_target=arrays["has_target"],
        member_scores=arrays["member_scores"], fold_scores=arrays["fold_scores"],
        attention_summary=summary, trace=Trace.from_json(data["trace"]), about=data["about"],
        evidence=Evidence.from_state(data.get("evidence", {}), _under("evidence.", arrays)),
    )  # fmt: skip


def _under(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}
