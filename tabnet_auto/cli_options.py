"""The options of ``tabnet-auto fit`` and ``%auto_fit``: from texts to what a fit takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    import pandas as pd

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
OUT_FILE = click.Path(dir_okay=False, path_type=Path)


def _parse_roles(
    _context: click.Context, _option: click.Parameter, pairs: Sequence[str]
) -> dict[str, str] | None:
    """``("zip=categorical",)`` as ``{"zip": "categorical"}``."""
    roles = {}
    for pair in pairs:
        column, equals, role = pair.rpartition("=")
        if not equals or not column:
            raise click.BadParameter(f"must be COLUMN=ROLE, however: {pair!r}.")
        roles[column] = role
    return roles or None


def _parse_names(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> list[str] | None:
    """``"linear,lightgbm"`` as a list; ``"none"`` as an empty one."""
    if text is None:
        return None
    return [] if text == "none" else [name.strip() for name in text.split(",") if name.strip()]


def _parse_probability(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> bool | float:
    """No option as False, the option alone as True, ``"0.9"`` as 0.9."""
    if text is None:
        return False
    number = _number(text)
    if text != "yes" and isinstance(number, str):
        raise click.BadParameter(f"must be a probability, however: {text!r}.")
    return True if isinstance(number, str) else float(number)


def _number(text: str) -> float | str:
    """Return the number that a text is, the text if it is none."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def with_fold_plan(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with one for the folds, as ``auto_fit`` has it, in place of four.

    Raises
    ------
    click.UsageError
        If the folds cannot be read.
    """
    names = ("folds", "repeats", "gap", "window")
    others = {name: value for name, value in options.items() if name not in names}
    return {**others, "folds": _fold_plan(*(options[name] for name in names))}


def _fold_plan(folds: str, repeats: int, gap: str, window: str) -> Any:
    """``"5"``, ``"group"`` or ``"group:5"``, and what the other options say.

    A number where nothing else is said, else a plan.
    """
    from tabnet_auto.folds.plan import FoldPlan

    rule, _, number = ("auto", "", folds) if folds.lstrip("-").isdigit() else folds.partition(":")
    if number and not number.lstrip("-").isdigit():
        raise click.UsageError(f"--folds must be NUMBER, RULE or RULE:NUMBER, however: {folds!r}.")
    plan = FoldPlan(
        n_folds=int(number) if number else FoldPlan.n_folds, rule=rule, repeats=repeats,
        gap=_number(gap), window=cast("Any", window),
    )  # fmt: skip
    return plan.n_folds if plan == FoldPlan(plan.n_folds) else plan


def class_weight(
    pairs: Sequence[str], frame: pd.DataFrame, target: str
) -> dict[Any, float] | str | None:
    """``("yes=3",)`` as ``{"yes": 3.0}``, labels as the target has them.

    Raises
    ------
    click.UsageError
        If a weight cannot be read.
    """
    if not pairs or tuple(pairs) == ("balanced",):
        return pairs[0] if pairs else None
    known = {str(label): label for label in frame[target].unique()} if target in frame else {}
    weights = {}
    for pair in pairs:
        label, equals, text = pair.rpartition("=")
        weight = _number(text)
        if not equals or isinstance(weight, str):
            raise click.UsageError(
                f"--class-weight must be balanced, or LABEL=NUMBER, however: {pair!r}."
            )
        weights[known.get(label, label)] = float(weight)
    return weights


_Options = tuple[Callable[[Any], Any], ...]

VALUES_OPTION = click.option(
    "--values",
    type=click.Choice(("auto", "labels", "probabilities")),
    default="auto",
    show_default=True,
    help="What the submission holds; auto: what the values of the sample look like.",
)

_FILES: _Options = (
    click.option("--target", required=True, metavar="COLUMN", help="The column to predict."),
    click.option("--test", type=FILE, help="Rows to predict; writes OUT/submission.csv."),
    click.option("--sample", type=FILE, help="Sample submission that the submission must fit."),
    VALUES_OPTION,
    click.option(
        "--out", type=FOLDER, default="tabnet-auto-run", show_default=True, help="Output folder."
    ),
)

_LEARNING: _Options = (
    click.option(
        "--time-limit",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="Seconds for the fit; the best so far counts.",
    ),
    click.option(
        "--preset",
        default="balanced",
        show_default=True,
        help="How much effort: fast, balanced, best, or paper.",
    ),
    click.option(
        "--search", is_flag=True, help="Try settings of the networks first, within every fold."
    ),
    click.option(
        "--folds",
        default="5",
        show_default=True,
        metavar="NUMBER|RULE|RULE:NUMBER",
        help="Folds and their rule: 10, shuffled:5, group:5, leave_one_group_out, time:4, ...",
    ),
    click.option(
        "--repeats", type=int, default=1, show_default=True, help="Shuffles of the folds."
    ),
    click.option(
        "--gap",
        default="0",
        metavar="NUMBER|DURATION",
        help="With --time: what lies closer before validation rows is left out, such as 7D.",
    ),
    click.option(
        "--window",
        default="expanding",
        show_default=True,
        help="With --time: learn from all that came before (expanding), or the latest (sliding).",
    ),
    click.option(
        "--metric",
        default="auto",
        show_default=True,
        help="The score, such as roc_auc, log_loss, f1, qwk, map@3, rmse, rmsle or pinball@0.9.",
    ),
    click.option(
        "--task",
        type=click.Choice(["auto", "binary", "multiclass", "regression"]),
        default="auto",
        show_default=True,
        help="What the target is, if it is not what it looks like.",
    ),
    click.option("--groups", metavar="COLUMN", help="Keep rows with equal values in one fold."),
    click.option("--time", metavar="COLUMN", help="Validate on rows later than those learned."),
    click.option("--weight", metavar="COLUMN", help="Sample weights."),
    click.option(
        "--class-weight",
        multiple=True,
        metavar="balanced|LABEL=NUMBER",
        help="How much classes count in what is learned: all alike, or yes=3; repeatable.",
    ),
    click.option(
        "--companions",
        metavar="NAME,NAME",
        callback=_parse_names,
        help="Models beside the networks, such as hist_gradient_boosting,lightgbm; installed for "
        "all boosters that are; or none.",
    ),
    click.option(
        "--blend",
        default="auto",
        show_default=True,
        help="How models are blended: auto, uniform, greedy or stack.",
    ),
    click.option(
        "--role",
        "roles",
        multiple=True,
        metavar="COLUMN=ROLE",
        callback=_parse_roles,
        help="What a column means, such as zip=categorical; repeatable.",
    ),
    click.option(
        "--audit",
        default="warn",
        show_default=True,
        help="Before training: warn of leaks, identical rows and drift, act on it, or off.",
    ),
    click.option(
        "--pseudo-labels",
        is_flag=False,
        flag_value="yes",
        metavar="[PROBABILITY]",
        callback=_parse_probability,
        help="Learn from the test rows too, labelled by each fold's own models.",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything."),
    click.option(
        "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ..."
    ),
)

_QUIET = click.option("--quiet", is_flag=True, help="Print the score and the files only.")


def fit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``tabnet-auto fit``."""
    for option in reversed((*_FILES, *_LEARNING, _QUIET)):
        command = option(command)
    return command


def learning_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command those of them that say how to learn, and none that is about files."""
    for option in reversed(_LEARNING):
        command = option(command)
    return command
