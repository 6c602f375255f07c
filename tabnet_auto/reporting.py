"""From a run's records to the plain numbers of leaderboard and report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.attention.controls import Controls
from tabnet_auto.attention.stability import Stability
from tabnet_auto.attention.summary import AttentionSummary
from tabnet_auto.attention.trust import trust_of
from tabnet_auto.auditing.record import Audit
from tabnet_auto.companions.train import Companion
from tabnet_auto.ensemble.blend import AnyBlend
from tabnet_auto.evidence.record import Evidence
from tabnet_auto.evidence.shown import (
    Decide,
    shown_cohorts,
    shown_drift,
    shown_rows,
    shown_steps,
)
from tabnet_auto.folds import Folds
from tabnet_auto.metrics import Metric
from tabnet_auto.schema import Schema
from tabnet_auto.search.record import SearchRecord
from tabnet_auto.trace import Trace
from tabnet_auto.view.report_data import (
    FOLD_MEAN,
    BinaryPredictions,
    Curve,
    MulticlassPredictions,
    Predictions,
    RegressionPredictions,
    ReportData,
    SearchTrials,
    Trust,
    TrustCurves,
)
from tabnet_auto.view.run_state import STOP_REASONS
from tabnet_auto.view.tables import format_cell

Floats = NDArray[np.float64]
SAMPLE = 5000
"""Out-of-fold rows that a report draws, at most."""


def leaderboard_rows(
    folds: Folds,
    blend: AnyBlend,
    member_scores: Floats,
    blend_scores: Floats,
    seconds: float,
    companions: Sequence[Companion],
) -> list[dict[str, Any]]:
    """One record a model: the blend first, then every seed's network, then the companions.

    ``member_scores (M,)`` and ``blend_scores (n_folds,)`` are scores on validation rows;
    ``seconds`` are the whole run's.
    """
    fold = np.asarray(folds.fold)
    weights = blend.weights
    rows = [_record("blend", blend_scores, seconds, 1.0)]
    n_seeds = folds.n_seeds
    networks = max(0.0, seconds - sum(companion.seconds for companion in companions))
    for number in range(n_seeds):
        own = np.arange(folds.n_members) % n_seeds == number
        scores = np.array(
            [mean_score(member_scores[own & (fold == i)]) for i in range(folds.n_folds)]
        )
        name = "attention TabNet" if n_seeds == 1 else f"attention TabNet, seed {number + 1}"
        rows.append(_record(name, scores, networks / n_seeds, weights[number]))
    for companion, weight in zip(companions, weights[n_seeds:], strict=True):
        rows.append(_record(companion.name, np.array(companion.scores), companion.seconds, weight))
    return rows


def blend_words(leaderboard: Sequence[Mapping[str, Any]], n_networks: int) -> str:
    """Say what share of the blend the networks hold, and what each companion."""
    parts = leaderboard[1:]
    share = sum(row["weight"] for row in parts[:n_networks])
    named = [f"{row['name']} {row['weight']:.0%}" for row in parts[n_networks:]]
    return ", ".join([f"attention TabNets {share:.0%}", *named])


def mean_score(folds: Floats) -> float:
    """Mean of the folds in which the metric is defined, NaN where it is in none."""
    known = folds[~np.isnan(folds)]
    return float(known.mean()) if len(known) else float("nan")


def _record(name: str, folds: Floats, seconds: float, weight: float) -> dict[str, Any]:
    return {
        "name": name,
        "folds": [float(score) for score in folds],
        "mean": mean_score(folds),
        "seconds": seconds,
        "weight": weight,
    }


def member_curves(trace: Trace) -> list[Curve]:
    """Return every member's learning curves from the epoch events, fold by fold."""
    n_folds = trace.of("plan")[-1]["n_folds"]
    curves: list[list[Curve]] = [[] for _ in range(n_folds)]
    rounds = trace.rounds()
    seeds = [len(epochs[-1]["best_epoch"]) // n_folds for epochs in rounds]
    for epochs, n_seeds in zip(rounds, seeds, strict=True):
        for member, best_epoch in enumerate(epochs[-1]["best_epoch"]):
            fold = member // n_seeds
            seed = "" if sum(seeds) == 1 else f", seed {len(curves[fold]) + 1}"
            label = f"fold {fold + 1}{seed}"
            curves[fold].append(_curve(epochs, member, label, fold, best_epoch))
    return [curve for own in curves for curve in own]


def _curve(
    epochs: Sequence[Mapping[str, Any]], member: int, label: str, fold: int, best_epoch: int
) -> Curve:
    """Return the curves of one member of a round."""
    own = [(event, event["members"].index(member)) for event in epochs
           if member in event["members"]]  # fmt: skip
    return Curve(
        label=label,
        epochs=[event["epoch"] for event, _ in own],
        train_loss=[event["train_loss"][i] for event, i in own],
        valid_loss=[event["valid_loss"][i] for event, i in own],
        score=[event["score"][i] for event, i in own],
        best_epoch=best_epoch,
        fold=fold,
    )


def out_of_fold_sample(
    schema: Schema, y: NDArray[Any], oof: Floats, decided: Floats, threshold: float = 0.5
) -> Predictions | None:
    """Return the out-of-fold predictions in the form that the report draws.

    ``decided`` are greatest at the labels, where a rule of their own decides them; the second of
    two classes is predicted from the ``threshold``.
    """
    rows = np.flatnonzero(~np.isnan(oof.reshape(len(oof), -1)[:, 0]))
    if len(rows) == 0:
        return None
    n_rows = len(rows)
    labels = [str(label) for label in schema.classes]
    counts = np.zeros((len(labels),) * 2, dtype=np.int64)
    if schema.task == "multiclass":
        np.add.at(counts, (y[rows], decided[rows].argmax(axis=1)), 1)
    rows = rows[np.linspace(0, n_rows - 1, min(n_rows, SAMPLE)).astype(np.int64)]
    if schema.task == "multiclass":
        named = decided[rows].argmax(axis=1)
        return MulticlassPredictions(labels, counts, oof[rows], named, y[rows], n_rows)
    if schema.task == "regression":
        return RegressionPredictions(oof[rows], y[rows].astype(np.float64), n_rows)
    negative, positive = labels
    return BinaryPredictions(positive, negative, oof[rows, 1], y[rows], n_rows, threshold)


def trust_panel(attention: AttentionSummary) -> Trust:
    """Set attention beside permutation importance, the columns with the most attention first."""
    mean = attention.per_fold.mean(axis=0)
    order = [int(i) for i in np.argsort(-mean) if not np.isnan(attention.harm[i])]
    return Trust(
        columns=[attention.features[i] for i in order],
        attention=[float(mean[i]) for i in order],
        harm=[float(attention.harm[i]) for i in order],
        agreement=attention.agreement(),
        method="rise of the validation loss with one column shuffled at a time",
    )


def agreements(own: Stability) -> tuple[tuple[str, float], ...]:
    """Say how far folds, seeds and rows agree on one common set of rows; what is known of it."""
    said = (
        ("folds: rank correlation of their mean attention", own.fold_rank),
        (f"folds: shared among their {own.top} most-read columns (Jaccard)", own.fold_top),
        ("folds: cosine of the weights of the same row", own.fold_rows),
        ("folds: cosine of the weights of different rows (chance)", own.chance_rows),
        ("seeds: rank correlation of their mean attention", own.seed_rank),
        (f"seeds: shared among their {own.top} most-read columns (Jaccard)", own.seed_top),
        ("seeds: cosine of the weights of the same row", own.seed_rows),
        ("rows: divergence from the mean row, in bits (0: all are read alike)", own.spread),
    )
    return tuple((words, value) for words, value in said if math.isfinite(value))


SHORT_ORDERS = {"mean attention": FOLD_MEAN, "permutation importance": "permutation"}
"""Names of orders that a legend has room for."""


def trust_curves(attention: AttentionSummary) -> tuple[TrustCurves, ...]:
    """Deletion and insertion, the mean over folds, with what all checks say in words."""
    curves = attention.curves
    if curves is None:
        return ()
    verdict = trust_of(attention, Controls()).verdict
    share = curves.removed / curves.removed[-1]
    names = [SHORT_ORDERS.get(order, order) for order in curves.orders]

    def drawn(kind: str, at: Floats, losses: Floats) -> TrustCurves:
        means = losses.mean(axis=1).tolist()
        return TrustCurves(kind, at.tolist(), dict(zip(names, means, strict=True)), verdict)

    # Insertion is kept by columns that are missing: from the right, columns are given back.
    given = drawn("insertion", 1.0 - share[::-1], curves.insertion[:, :, ::-1])
    return drawn("deletion", share, curves.deletion), given


def plan_facts(trace: Trace) -> dict[str, str]:
    """Say what was to be trained, and how it ended."""
    plan, rounds = trace.of("plan")[-1], trace.rounds()
    n_members = sum(len(epochs[-1]["best_epoch"]) for epochs in rounds)
    n_seeds = n_members // plan["n_folds"]
    seeds = f" x {n_seeds} seeds" if n_seeds > 1 else ""
    seeds += f", in {len(rounds)} rounds" if len(rounds) > 1 else ""
    facts = {
        "Time": format_cell(float(trace.of("done")[-1]["seconds"]), "seconds"),
        "Networks": f"{n_members} ({plan['n_folds']} folds{seeds})",
        "Epochs at most": f"{plan['max_epochs']:,}",
        "Rows of a batch": f"{plan['batch_size']:,}",
    }
    for race in trace.of("race"):
        others = len(race["names"]) - 1
        facts["First networks"] = f"{race['names'][0]}: ahead of {others} kinds in a race"
    if plan["time_limit"] is not None:
        facts["Time limit"] = format_cell(float(plan["time_limit"]), "seconds")
    stopped = trace.of("stopped")
    if stopped:
        reason = stopped[0]["reason"]
        facts["Stopped"] = (
            f"after epoch {stopped[0]['epoch']:,}: {STOP_REASONS.get(reason, reason)}"
        )
    return facts


def report_data(
    schema: Schema,
    metric: Metric,
    trace: Trace,
    attention: AttentionSummary,
    leaderboard: list[dict[str, Any]],
    predictions: Predictions | None,
    summary: Mapping[str, str],
    reproduce: str,
) -> ReportData:
    """Gather everything a report shows."""
    notes = [event["text"] for event in trace.of("note")]
    return ReportData(
        title=f"{schema.target}: {schema.task} with attention TabNets",
        # Versions, in lower case, stand with the lines that reproduce the run.
        summary={key: value for key, value in summary.items() if not key.islower()},
        leaderboard=leaderboard,
        metric_name=metric.name,
        greater_is_better=metric.greater_is_better,
        curves=member_curves(trace),
        columns=list(attention.features),
        attention=attention.per_fold,
        attention_steps=attention.per_step,
        seed_attention=attention.per_seed,
        seed_steps=attention.per_seed_step,
        stability=attention.stability(),
        schema_rows=schema.rows(),
        notes=notes,
        predictions=predictions,
        reproduce=reproduce,
        trust=trust_panel(attention),
        trust_curves=trust_curves(attention),
        agreements=agreements(attention.common),
    )


def with_evidence(
    data: ReportData, schema: Schema, trace: Trace, evidence: Evidence, decide: Decide
) -> ReportData:
    """Add what was seen on real rows, labelled as ``decide`` says, and the plan."""
    n_rows = trace.of("plan")[-1]["n_rows"]
    audit = Audit.from_trace(trace)
    return replace(
        data,
        audit=None if audit is None else audit.shown(),
        plan=plan_facts(trace),
        step_work=shown_steps(evidence, schema),
        rows=shown_rows(evidence, schema, n_rows, decide),
        cohorts=shown_cohorts(evidence),
        drift=shown_drift(evidence, data.predictions),
    )


def shown_search(search: SearchRecord, oof_score: float) -> SearchTrials:
    """Return what a search tried and chose, with the honest score beside the one that chose."""
    names = list(search.trials[0].settings)
    trials = [
        {**asdict(trial), "values": [trial.settings[name] for name in names]}
        for trial in search.trials
    ]
    words = search.outcome(oof_score)
    return SearchTrials(names, trials, f"{words[0].upper()}{words[1:]}.")


def without_rows(data: ReportData) -> ReportData:
    """Return the report without single rows of the training frame."""
    return replace(data, rows=None)
