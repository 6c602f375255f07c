"""The Python that gives a panel's numbers: what the user sees can be had without the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.view.live.cohorts import is_cut
from tabnet_auto.view.live.rows import Sample
from tabnet_auto.view.live.source import Source
from tabnet_auto.view.live.state import View

if TYPE_CHECKING:
    import pandas as pd

ATTEND = "from tabnet_auto.result.dashboard import attend\n"
IMPORTS = "import numpy as np\nimport pandas as pd\n"


def summary_line(source: Source, view: View) -> str:
    """Return the line for mean attention over validation rows; columns are the rows of it."""
    if view.seed is not None:
        return _seed_line(source, view)
    if view.step is None:
        by_fold = "fit.attention.per_fold.T"
        return by_fold if view.fold is None else f"fit.attention.per_step.loc[{view.fold}].T"
    if view.fold is None:
        return f'fit.attention.per_step.xs({view.step}, level="step").T'
    return f"fit.attention.per_step.loc[({view.fold}, {view.step})]"


def _seed_line(source: Source, view: View) -> str:
    """Networks are numbered fold by fold, the seeds of a fold one after the other."""
    if view.fold is None:
        networks = f"{view.seed}::{source.n_seeds}"
        if view.step is None:
            return f"fit.attention_summary.members[{networks}].T"
        return f"fit.attention_summary.member_steps[{networks}, {view.step}].T"
    network = view.fold * source.n_seeds + (view.seed or 0)
    if view.step is None:
        return f"fit.attention_summary.member_steps[{network}].T"
    return f"fit.attention_summary.member_steps[{network}, {view.step}]"


def _pick(view: View) -> str:
    chosen = {"fold": view.fold, "seed": view.seed, "step": view.step}
    said = ", ".join(f"{name}={value}" for name, value in chosen.items() if value is not None)
    return f".pick({said})"


def rows_line(view: View, positions: NDArray[np.int64]) -> str:
    """Return the line for the attention of some rows, ``(row, column)``."""
    rows = [int(p) for p in positions]
    return f"{ATTEND}attend(fit, frame.iloc[{rows}]){_pick(view)}"


def what_if_line(source: Source, view: View, changed: pd.DataFrame) -> str:
    """Return the lines for attention and prediction of the changed row."""
    predict = "fit.predict_proba" if source.classes else "fit.predict"
    row = f"frame.iloc[[{view.row}]]"
    if view.edits:
        cells = {name: _plain(changed[name].iloc[0]) for name, _ in view.edits}
        row += f".assign(**{cells!r})"
    return f"{ATTEND}row = {row}\nattention = attend(fit, row){_pick(view)}\n{predict}(row)"


def _plain(cell: Any) -> Any:
    """Return a cell whose repr is Python; missing is None, a date its text."""
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN
        return None
    if isinstance(cell, np.generic):
        return cell.item()
    return cell if isinstance(cell, str | int | float | bool) else str(cell)


def cohort_line(source: Source, view: View, sample: Sample) -> str:
    """Return the lines for the mean attention of the cohorts, ``(column, cohort)``."""
    return (
        f"{IMPORTS}{ATTEND}rows = {_sampled(view, sample)}\n"
        f"weights = pd.DataFrame(attend(fit, rows){_pick(view)}, columns=fit.attention.features)\n"
        f"weights.groupby({_group(source, view, sample)}, observed=True).mean().T"
    )


def _sampled(view: View, sample: Sample) -> str:
    """Return the expression of a sample's rows, numbered as out-of-fold predictions are."""
    frame = "frame.reset_index(drop=True)"
    if view.where.strip():
        frame += f".query({view.where!r}, engine='python')"
    if len(sample.position) < sample.n_all:
        rows = f"np.linspace(0, {sample.n_all - 1}, {len(sample.position)}).astype(int)"
        frame += f".iloc[{rows}]"
    return frame


def _group(source: Source, view: View, sample: Sample) -> str:
    """Return the expression that gives each row its cohort."""
    new = "fit.predict_proba(rows)" if source.classes else "fit.predict(rows)"
    predicted = new if sample.known is None else "fit.oof[rows.index]"
    truth = f"rows[{source.target!r}].to_numpy()"
    if view.cohort.startswith("column: "):
        name = view.cohort.removeprefix("column: ")
        cells = f"rows[{name!r}].to_numpy()"
        return f"pd.qcut({cells}, 4, duplicates='drop')" if is_cut(sample.frame[name]) else cells
    if view.cohort == "error":
        codes = f"pd.Categorical({truth}, fit.classes_).codes"
        right = f"{predicted}[np.arange(len(rows)), {codes}]"
        error = f"1 - {right}" if source.classes else f"abs({predicted} - {truth})"
        return f"pd.qcut({error}, 10, duplicates='drop')"
    if view.cohort == "truth":
        return truth if source.classes else f"pd.qcut({truth}, 4, duplicates='drop')"
    if source.classes:
        return f"fit.decision.labels({predicted})"
    return f"pd.qcut({predicted}, 4, duplicates='drop')"


def threshold_line(view: View, sample: Sample | None) -> str:
    """Return the lines for the confusion matrix at the threshold.

    It is judged on the rows of ``sample`` whose truth is known; without, out of fold.
    """
    rows, truth, score = "", "fit.target", "fit.oof[fit.has_target][:, 1]"
    if sample is not None:
        rows = f"{IMPORTS}rows = {_sampled(view, sample)}.dropna(subset=[fit.schema.target])\n"
        truth = "rows[fit.schema.target].map(list(fit.classes_).index)"
        score = "fit.predict_proba(rows)[:, 1]"
    return (
        f"from sklearn.metrics import confusion_matrix\n{rows}"
        f"confusion_matrix({truth}, {score} >= {view.threshold:g})"
    )
