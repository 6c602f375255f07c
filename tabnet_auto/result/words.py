"""A fit in a few lines of text."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from textwrap import indent
from typing import TYPE_CHECKING, Any

import numpy as np

from tabnet_auto.reporting import blend_words
from tabnet_auto.view.tables import DASH, format_cell

if TYPE_CHECKING:
    from tabnet_auto.result.fit import FitResult

N_COLUMNS = 5
"""Columns that are named, those most read."""
LETTERS = 92
"""Letters of a line of code that a page has room for."""
RECORDS = {
    "tabnet_auto": (
        "EncodeConfig", "FoldPlan", "NetConfig", "PaperConfig", "Preset", "Search", "TrainConfig",
    ),
    "tabnet_auto.config": ("Kind",),
}  # fmt: skip
"""Where what a call may be made of is imported from."""


def choice_words(fit: FitResult, leaderboard: list[dict[str, Any]]) -> dict[str, str]:
    """Say how labels are decided and models are blended, where there is something to say."""
    words = {}
    if fit.decision.values:
        plain = format_cell(fit.decision.argmax_score, "score")
        rule = fit.decision.describe(fit.schema.classes)
        words["Decision"] = f"{rule} (the most probable class scores {plain})"
    if fit.companions:
        words["Blend"] = blend_words(leaderboard, fit.n_seeds)
    return words


def in_words(fit: FitResult, leaderboard: list[dict[str, Any]]) -> str:
    """Say what was fitted, how good it is, how it decides, and what it looked at."""
    lines = [
        (
            f"FitResult: {fit.schema.target!r}, {fit.task}, {len(fit.target)} rows x "
            f"{len(fit.schema.used)} columns, {fit.folds.n_folds} folds x {fit.n_seeds} seeds"
        ),
        (
            f"{'' if fit.full is None else 'refitted on all rows; scores are of the folds: '}"
            f"out-of-fold {fit.metric.name} {format_cell(fit.oof_score, 'score')}"
        ),
        fit.leaderboard().to_string(
            index=False, float_format=lambda v: format_cell(v, "score"), na_rep=DASH
        ),
    ]
    if fit.networks is not None:
        kept = ", ".join(str(seed + 1) for seed in fit.networks)
        lines.append(f"slim: of the networks only those of seed {kept} are kept")
    lines += [f"{name.lower()}: {said}" for name, said in choice_words(fit, leaderboard).items()]
    mean = fit.attention_summary.per_fold.mean(axis=0)
    seen = [
        f"{fit.attention_summary.features[i]} {mean[i]:.0%}" for i in np.argsort(-mean)[:N_COLUMNS]
    ]
    lines.append(f"attention: {', '.join(seen)}")
    return "\n".join(lines)


def lines_of_python(target: str, about: Mapping[str, str]) -> str:
    """Return the call that repeats a run, with what it imports and the versions it ran on."""
    made = {home: [name for name in names if f"{name}(" in about["Call"]]
            for home, names in RECORDS.items()}  # fmt: skip
    made["tabnet_auto"].append("auto_fit")
    imports = [f"from {home} import {', '.join(names)}" for home, names in made.items() if names]
    call = one_a_line(f"auto_fit(train, {target!r}, {about['Call']})", LETTERS - len("fit = "))
    used = ", ".join(f"{name} {said}" for name, said in about.items() if name.islower())
    return "\n".join([*imports, f"\nfit = {call}", f"# {used}"])


def one_a_line(call: str, letters: int) -> str:
    """Return a call as it is where it is short, else with every argument on a line of its own.

    An argument that is a long call is broken up alike.

    >>> print(one_a_line("f(x, 'a, b', n=[1, 2])", 9))
    f(
        x,
        'a, b',
        n=[1, 2],
    )
    """
    if len(call) <= letters:
        return call
    try:
        made = ast.parse(call, mode="eval").body
    except SyntaxError:  # not everything that is passed can be written down
        return call
    assert isinstance(made, ast.Call)
    parts = [ast.unparse(made.func), "(\n"]
    for argument in (*made.args, *made.keywords):
        named = f"{argument.arg}=" if isinstance(argument, ast.keyword) else ""
        value = argument.value if isinstance(argument, ast.keyword) else argument
        text = ast.get_source_segment(call, value) or ""
        if isinstance(value, ast.Call):
            text = indent(one_a_line(text, letters - 5 - len(named)), "    ").lstrip()
        parts.append(f"    {named}{text},\n")
    return "".join([*parts, ")"])
