"""What a user asks of the folds, as one record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from tabnet_auto.errors import InputError, did_you_mean


@dataclass(frozen=True)
class FoldPlan:
    """How rows are split into folds.

    ``n_folds``
        Folds, at least 2.
    ``rule``
        A name of the table of rules, or ``"auto"``: by time where ``time=`` is given, by group
        where ``groups=`` is, by both where both are, else stratified. ``"stratified"`` spreads
        classes, or quantile bins of a numeric target, evenly; ``"shuffled"`` does not look at the
        target; ``"group"`` and ``"stratified_group"`` keep the rows of a group in one fold;
        ``"leave_one_group_out"`` makes every group a fold; ``"time"`` validates on rows later
        than those learned from; ``"time_group"`` does that and learns from no row of a group that
        it validates on.
    ``repeats``
        Shuffles: there are ``repeats`` times ``n_folds`` folds, every row is held out once a
        shuffle, and its out-of-fold prediction is the mean.
    ``gap``
        By time only: training rows closer than this to the first validation row are left out; in
        units of the time column, of dates a duration such as ``"7D"`` or ``timedelta(days=7)``.
    ``window``
        By time only: ``"expanding"`` learns from all earlier rows, ``"sliding"`` from as many of
        the latest as the first fold has.
    """

    n_folds: int = 5
    rule: str = "auto"
    repeats: int = 1
    gap: Any = 0
    window: Literal["expanding", "sliding"] = "expanding"

    def checked(self) -> FoldPlan:
        """Return the plan if its numbers and names can be used.

        Raises
        ------
        InputError
            If a number is too small or a name is unknown.
        """
        for name, least in (("n_folds", 2), ("repeats", 1)):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or value < least:
                what = "folds" if name == "n_folds" else name
                raise InputError(f"{what} must be at least {least}, however: {what}={value!r}.")
        for name, names in (("rule", RULE_NAMES), ("window", WINDOWS)):
            value = getattr(self, name)
            if value not in names:
                raise InputError(
                    f"{name} of the folds must be one of {', '.join(names)}, however: {value!r}."
                    f"{did_you_mean(value, names)}"
                )
        return self

    def resolved(self, rule: str) -> FoldPlan:
        """Return the plan with its rule, after checking that it uses all that the plan says.

        Raises
        ------
        InputError
            If it does not.
        """
        if rule not in FORWARD and (self.gap != 0 or self.window != "expanding"):
            raise InputError(
                f"gap and window are for folds by time, however: rule={rule!r} with "
                f"gap={self.gap!r}, window={self.window!r}. Leave them out, or pass time=."
            )
        if rule == "leave_one_group_out" and self.n_folds != FoldPlan.n_folds:
            raise InputError(
                f"Every group is a fold with rule={rule!r}, however: folds={self.n_folds}. Leave "
                "the number out, or pass rule='group'."
            )
        if self.repeats > 1 and rule in (*FORWARD, "leave_one_group_out"):
            raise InputError(
                f"Repeats need a rule that shuffles, however: repeats={self.repeats} with "
                f"rule={rule!r}, which splits alike each time. Leave repeats out."
            )
        return replace(self, rule=rule)


RULE_NAMES = (
    "auto", "stratified", "shuffled", "group", "stratified_group", "leave_one_group_out", "time",
    "time_group",
)  # fmt: skip
FORWARD = ("time", "time_group")
"""Rules that go forward in time."""
WINDOWS = ("expanding", "sliding")


def read_plan(folds: object) -> FoldPlan | None:
    """Return the plan that a number, a rule's name or a plan stands for; None for all else.

    Raises
    ------
    InputError
        If the plan cannot be used.
    """
    if isinstance(folds, FoldPlan):
        return folds.checked()
    if isinstance(folds, str) and folds in RULE_NAMES:
        return FoldPlan(rule=folds).checked()
    if isinstance(folds, int | np.integer):
        return FoldPlan(cast("int", folds)).checked()
    return None
