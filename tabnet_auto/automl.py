"""auto_fit(): the whole story in order, nothing else."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tabnet_auto.attention.summary import summarize_attention
from tabnet_auto.auditing.run import examine
from tabnet_auto.companions.table import Recipe, check_companions
from tabnet_auto.config import Preset, Search, get_preset, in_python, preset_in_python, resolve
from tabnet_auto.encode.encoder import Encoder
from tabnet_auto.ensemble.choose import check_blend
from tabnet_auto.evidence.collect import collect_evidence
from tabnet_auto.evidence.drift import measure_drift, sample_positions
from tabnet_auto.folds import FoldPlan, Folds
from tabnet_auto.models.budget import (
    Deadlines,
    affordable_rows,
    budget_words,
    fit_into_time,
    read_time_limit,
)
from tabnet_auto.models.pseudo import check_pseudo_labels, train_twice
from tabnet_auto.models.train import Models, Plan, companion_share, train_models
from tabnet_auto.net.native import library
from tabnet_auto.prepare import Given, check_test, encode, fold_notes, read_given, split_rows
from tabnet_auto.result.fit import FitResult
from tabnet_auto.search import Rows, SearchRecord, Terms, check_search, search_settings
from tabnet_auto.table import read_table
from tabnet_auto.trace import Emit, Trace
from tabnet_auto.train.device import choose_device
from tabnet_auto.train.interrupt import stop_on_interrupt
from tabnet_auto.train.members import Task
from tabnet_auto.train.memory import fit_into_memory
from tabnet_auto.view.place import Mode
from tabnet_auto.view.progress import choose_listeners

if TYPE_CHECKING:
    import pandas as pd


def auto_fit(
    train: pd.DataFrame | str | Path,
    target: str,
    *,
    test: pd.DataFrame | str | Path | None = None,
    task: str = "auto",
    metric: Any = "auto",
    folds: Any = 5,
    groups: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    class_weight: Mapping[Any, float] | str | None = None,
    preset: str | Preset = "balanced",
    time_limit: float | None = None,
    companions: Sequence[Any] | str | None = None,
    blend: str = "auto",
    search: bool | Search | None = None,
    pseudo_labels: bool | float = False,
    roles: Mapping[str, str] | None = None,
    audit: str = "warn",
    seed: int = 0,
    device: str = "auto",
    verbose: bool | Mode = "auto",
    emit: Emit | None = None,
) -> FitResult:
    """Learn to predict a column of a table with attention TabNets.

    Columns get roles, every fold its own leak-safe encoding, and all folds are trained side by
    side in one batched network with early stopping at each fold's best epoch.

    Parameters
    ----------
    train
        A pandas or polars data frame, or the path of a CSV or Parquet file. It is not changed.
    target
        The column to predict. Rows without a value in it are set aside.
    test
        Rows to predict later, in the same forms: checked before the training starts, so that
        a missing column shows now and not after it. Learned from with ``pseudo_labels`` only.
    task
        ``"auto"``, ``"binary"``, ``"multiclass"`` or ``"regression"``.
    metric
        ``"auto"`` (ROC AUC, log-loss or RMSE), a name of the metric table, a scikit-learn
        function or scorer, or a callable ``(y_true, y_pred)`` where greater is better. It decides
        what is minimised (MAE the absolute error, RMSLE squared errors of logarithms) and how
        probabilities become labels (F1 a threshold tuned out of fold).
    folds
        A number, a :class:`FoldPlan` or the name of its rule, a scikit-learn splitter, or pairs
        of training and validation row positions among the rows that have a target.
    groups, time, weight
        Columns that say which rows belong together, in which order rows came (folds then go
        forward in time), and how much each row counts. They are not learned from. Rows without a
        group are kept together. With groups and time both, folds go forward and learn from no
        group that they validate on.
    class_weight
        ``"balanced"``, or weights by label, 1 where none is given: how much a class counts in
        what is learned. Scores count all classes alike.
    preset
        ``"fast"``, ``"balanced"``, ``"best"``, ``"paper"``, or a :class:`Preset`.
    time_limit
        Seconds for the fit, and for predicting the rows of ``test``; training ends in time with
        the best so far. The networks come first, for an epoch or a tenth of the time: from then
        on an interrupt finds a usable model. Companions follow, in a fifth of the time for each,
        half of it for all; what they leave is the networks': time that early stopping spares
        trains further seeds of every fold, round by round. A note says the plan. A ``search``
        comes before all this and takes its share first. Where time is short, fewer rows are
        learned from and predicted out of fold.
    companions
        What else learns in the same folds and joins the blend: names
        (``"hist_gradient_boosting"``, ``"lightgbm"``, ``"xgboost"``, ``"catboost"``,
        ``"extra_trees"``, ``"random_forest"``, ``"linear"``) and scikit-learn estimators. None
        means the preset's own (``fast`` and ``best`` have ``"hist_gradient_boosting"``, ``best``
        ``"extra_trees"`` as well), ``()`` none, ``"installed"`` the histogram boosting and each
        booster that is installed. Boosters by name minimise what the networks do (CatBoost in
        place of the gamma deviance a Tweedie deviance close to it), and stop where that loss on
        the fold's validation rows is best; estimators are fitted as they are set up, on the scale
        and with the weights that the metric asks for. Folds run side by side under
        ``joblib.parallel_config(n_jobs=...)``.
    blend
        ``"uniform"`` mean of the models, ``"greedy"`` selection (Caruana et al. 2004),
        ``"stack"`` for a ridge or logistic stacker; ``"auto"`` is greedy where models differ by
        more than their seed, else uniform. Greedy selection weighs those alike that do not.
        Weights are cross-fitted over the folds for the out-of-fold score, and where that is not
        better than the uniform mean's, the mean stays. For log-loss and Brier a temperature joins
        them where it pays.
    search
        True or a :class:`Search`: try settings of the networks first, every fold within its own
        training rows, so that out-of-fold scores stay honest. ``fit.search`` holds what came out.
    pseudo_labels
        True trains twice: each fold's own members label ``test``, and the same fold learns again
        with the rows whose class has a probability of 0.95 (another one: ``pseudo_labels=0.9``);
        of values, with all rows. The training with the better out-of-fold score is kept, the
        first one where both are equal; a note says both scores.
    roles
        Roles that win over the inferred ones: ``{"zip": "categorical", "note": "drop"}``.
    audit
        ``"warn"`` says before training what makes scores promise too much (:func:`audit`),
        ``"act"`` also follows what it offers where that is safe: columns are left out, identical
        rows kept together, folds go forward along dates in whose order rows stand, training rows
        leave that a test with the target holds. ``"off"`` does not look.
    seed
        The same seed gives the same numbers on the same machine and number of threads.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    verbose
        Whether to show progress; ``"auto"`` fits the place: ``"live"`` in a notebook, its last
        state as a ``"page"`` in a batch run, ``"text"`` elsewhere. Naming one of these, here or
        in the environment variable ``TABNET_AUTO_DISPLAY``, wins over the guess.
    emit
        A listener of one's own for the events of the run.

    Returns
    -------
    FitResult

    Raises
    ------
    InputError
        If the data or an argument cannot be used as given; the message states the rule, the
        value, and the way out.
    NotInstalledError
        If a companion's package is not installed.
    """
    trace, times = Trace(emit=choose_listeners(verbose, emit)), read_time_limit(time_limit)
    settings, (computed_on, problem) = get_preset(preset), choose_device(device)
    table = read_table(train, target, groups=groups, time=time, weight=weight)
    table = affordable_rows(table, times, folds)
    given = read_given(table, test, task, roles, metric, class_weight)
    named, kind = settings.companions if companions is None else companions, given.schema.task
    recipes, rule = check_companions(named, kind), check_blend(blend)
    pseudo = check_pseudo_labels(pseudo_labels, kind, has_test=test is not None)
    sought = check_search(search)
    given = given.after(examine(audit, *given[:4], folds, trace, time_limit))
    split = split_rows(given, folds, settings, times, computed_on, seed)
    trace.note(problem, *given.schema.notes, *fold_notes(given, split, folds))
    split, settings = _fit_into_memory(split, settings, given, recipes, pseudo, computed_on, trace)
    encoder, learned = encode(given, split, settings.encode)
    check_test(encoder, given.test, trace)
    resolved = _plan(trace, learned, settings, computed_on, time_limit)
    found = _search(Terms(sought, settings, computed_on, times.train), learned, given, trace)
    learned, times = _budget(trace, learned, resolved, computed_on, times, given.test, recipes)
    plan = Plan(resolved, recipes, rule, computed_on, times, settings.train.max_epochs, found)
    models, learned, encoder = _train(learned, encoder, plan, trace, given.test, pseudo)
    fit = _answer(learned, plan, models, given, encoder, trace)
    fit = replace(fit, about=_about(preset, folds, seed, computed_on, companions, sought))
    fit = _with_evidence(fit, learned, given, models.times.report)
    trace.add("done", oof_score=fit.oof_score, seconds=monotonic() - times.start)
    return fit


@stop_on_interrupt()  # it takes seconds: nothing that was trained is lost
def _answer(
    task: Task,
    plan: Plan,
    models: Models,
    given: Given,
    encoder: Encoder,
    trace: Trace,
) -> FitResult:
    """Bring together what was learned, on the processor, and without listeners."""
    assert task.design.y is not None
    scores, chosen = models.scores, models.chosen
    read = models.state.n_steps * plan.settings.train.batch_size
    return FitResult(
        schema=given.schema, folds=task.folds, metric=task.metric, preset=plan.settings,
        encoder=encoder, table=given.table, search=plan.search,
        attention_summary=summarize_attention(models.net, task, models.times.report, read),
        net=models.net.to("cpu"), blend=chosen.blend, oof=given.table.spread(chosen.oof),
        oof_score=scores.total, decision=scores.decision, target=task.design.y,
        has_target=given.table.has_target, member_scores=scores.members, fold_scores=scores.folds,
        objective=task.objective, trace=replace(trace, emit=None), about={},
        companions=models.companions, held_out=models.held_out,
    )  # fmt: skip


@stop_on_interrupt()
def _with_evidence(fit: FitResult, task: Task, given: Given, end: float | None) -> FitResult:
    """Add what the report shows of single rows, groups of rows and the test rows, if in time."""
    if end is not None and monotonic() >= end:
        return fit
    table, test, drift = given.table, given.test, None
    if test is not None:
        some = test.iloc[sample_positions(len(test))]
        predicted = fit.predict_proba(some) if fit.schema.classes else fit.predict(some)
        drift = measure_drift(fit.schema, table.frame, test, predicted)
    oof, threshold = fit.oof[table.has_target], fit.decision.threshold
    evidence = collect_evidence(fit.net, task, oof, table, fit.schema, drift, threshold)
    return replace(fit, evidence=evidence)


def _fit_into_memory(
    split: Folds,
    settings: Preset,
    given: Given,
    recipes: Sequence[Recipe],
    threshold: float | None,
    device: torch.device,
    trace: Trace,
) -> tuple[Folds, Preset]:
    """Let settings and seeds give way to the memory there is.

    Companions need some, and so do test rows that are to be labelled, from a ``threshold``.
    """
    views, labels = {recipe.view for recipe in recipes}, threshold is not None
    return fit_into_memory(
        split, given.schema, settings, given.test, views, device, trace, labels=labels
    )


def _plan(
    trace: Trace, task: Task, settings: Preset, device: torch.device, time_limit: float | None
) -> Preset:
    """Fill in what depends on the size of the data, and announce what is to come."""
    n_train = min(len(rows) for rows in task.folds.train)
    filled = resolve(settings, task=task.kind, n_train=n_train)
    trace.add(
        "plan", n_members=task.folds.n_members, n_folds=task.folds.n_folds,
        n_seeds=task.folds.n_seeds, n_rows=task.design.n_rows,
        n_columns=len(task.layout.columns), columns=list(task.layout.columns),
        max_epochs=filled.train.max_epochs, batch_size=filled.train.batch_size,
        device=str(device), metric=task.metric.name,
        greater_is_better=task.metric.greater_is_better, time_limit=time_limit,
        split=task.folds.rule,
    )  # fmt: skip
    return filled


def _budget(
    trace: Trace,
    task: Task,
    settings: Preset,
    device: torch.device,
    times: Deadlines,
    test: pd.DataFrame | None,
    recipes: Sequence[Recipe],
) -> tuple[Task, Deadlines]:
    """Fit what follows the training into the time, and say what may take how long."""
    n_test = 0 if test is None else len(test)
    task, times, thinned = fit_into_time(times, task, settings, device, n_test)
    names = [recipe.name for recipe in recipes]
    trace.note(thinned, budget_words(times, names, companion_share(len(recipes))))
    return task, times


def _search(terms: Terms, task: Task, given: Given, trace: Trace) -> SearchRecord | None:
    """Look for settings within each fold's training rows, by tables learned from part of them."""
    return search_settings(
        terms, task.folds, Rows.of(given.schema.task, given.y, given.table),
        lambda inner: encode(given, inner, terms.preset.encode)[1], trace,
    )  # fmt: skip


def _train(
    task: Task,
    encoder: Encoder,
    plan: Plan,
    trace: Trace,
    test: pd.DataFrame | None,
    threshold: float | None,
) -> tuple[Models, Task, Encoder]:
    """Train once, or twice where test rows are to be labelled.

    Also returns task and encoder of the networks of all rounds; seeds share their fold's tables.
    """
    if test is None or threshold is None:
        models = train_models(task, plan, task.design.n_rows, trace)
    else:
        models = train_twice(task, plan, trace, encoder.encode(test), threshold)
    folds, source = task.folds.with_seeds(models.task.folds.kinds)
    return models, task.of_members(folds, source), encoder.select(source)


def _about(
    preset: str | Preset,
    folds: object,
    seed: int,
    device: torch.device,
    companions: Sequence[Any] | str | None,
    search: Search | None,
) -> dict[str, str]:
    """Return what a reader needs to reproduce the run."""
    split = in_python(folds) if hasattr(folds, "split") or isinstance(folds, FoldPlan) else "..."
    split = str(folds) if isinstance(folds, int | np.integer) else split
    # What has no short name the reader fills in; estimators say how they are set up.
    listed = companions if companions is None or isinstance(companions, str) else list(companions)
    joined = "" if listed is None else f", companions={listed!r}"
    joined += "" if search is None else f", search={in_python(search)}"
    versions = {name: version(name) for name in ("torch", "pandas", "scikit-learn", "numpy")}
    n_threads = torch.get_num_threads()
    return {
        "Call": f"preset={preset_in_python(preset)}, folds={split}, seed={seed}{joined}",
        "Device": f"{device}, {n_threads} thread{'s' * (n_threads != 1)}",
        **({"Kernels": library.describe()} if device.type == "cpu" else {}),
        "python": platform.python_version(),
        **versions,
    }
