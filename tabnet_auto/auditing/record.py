"""What an audit found, as plain records: printed, as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from tabnet_auto.trace import Trace
from tabnet_auto.view.panels import audit_table
from tabnet_auto.view.report_data import AuditTable
from tabnet_auto.view.tables import table_html

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["leak", "order", "missingness", "duplicates", "overlap", "drift"]
Level = Literal["warning", "remark"]
Action = Literal["drop", "group", "forward", "set aside", ""]

TITLES: dict[str, str] = {
    "leak": "nearly the target",
    "order": "order of the rows",
    "missingness": "missing or not",
    "duplicates": "identical rows",
    "overlap": "test rows in train",
    "drift": "test unlike train",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    ``kind``
        ``"leak"``, ``"order"``, ``"missingness"``, ``"duplicates"``, ``"overlap"``, ``"drift"``.
    ``level``
        ``"warning"``: scores may promise too much. ``"remark"``: worth knowing.
    ``columns``
        The columns concerned, the most telling first; none where whole rows are.
    ``figures``
        The numbers behind the words, by name.
    ``words``, ``offer``
        What was found, and what can be done about it, each a clause without a full stop.
    ``action``
        What ``audit="act"`` does: ``"drop"`` the columns, ``"group"`` identical rows into the
        same folds, folds that go ``"forward"`` in time by the last of the columns, ``"set aside"``
        the training rows that test rows equal, or nothing.
    """

    kind: Kind
    level: Level
    columns: tuple[str, ...]
    figures: Mapping[str, float]
    words: str
    offer: str
    action: Action = ""


@dataclass(frozen=True)
class Audit:
    """What was found, how many rows were looked at, and what was left out.

    ``n_rows`` of ``of_rows`` training rows were compared; ``skipped`` says in words what was
    not looked at, and why.
    """

    findings: tuple[Finding, ...]
    n_rows: int
    of_rows: int
    skipped: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings by which scores may promise too much."""
        return tuple(one for one in self.findings if one.level == "warning")

    @property
    def scope(self) -> str:
        """How many rows were looked at, in words."""
        if self.n_rows == self.of_rows:
            return f"all {self.n_rows:,} training rows"
        return f"a sample of {self.n_rows:,} of {self.of_rows:,} training rows"

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: ``kind, level, columns, words, offer, action``, and its figures."""
        import pandas as pd

        names = ["kind", "level", "columns", "words", "offer", "action", "figures"]
        return pd.DataFrame([asdict(one) for one in self.findings], columns=names)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        findings = [
            {**asdict(one), "columns": list(one.columns), "figures": dict(one.figures)}
            for one in self.findings
        ]
        return {**vars(self), "findings": findings, "skipped": list(self.skipped)}

    @classmethod
    def from_trace(cls, trace: Trace) -> Audit | None:
        """Return the audit of a run; None where it did not look."""
        found = trace.of("audit")
        return cls.from_json(found[-1]) if found else None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Audit:
        """Read back what :meth:`to_json` wrote."""
        findings = (
            Finding(**{**one, "columns": tuple(one["columns"])}) for one in data["findings"]
        )
        return cls(tuple(findings), data["n_rows"], data["of_rows"], tuple(data["skipped"]))

    def __repr__(self) -> str:
        lines = [f"Audit of {self.scope}: {len(self.findings) or 'no'} findings"]
        lines += [f"{one.level}: {one.words}; {one.offer}" for one in self.findings]
        return "\n".join([*lines, *(f"not looked at: {text}" for text in self.skipped)])

    def shown(self) -> AuditTable:
        """Return what the report shows."""
        rows = tuple((TITLES[o.kind], o.level, o.words, o.offer) for o in self.findings)
        return AuditTable(rows, "; ".join([self.scope, *(f"not {text}" for text in self.skipped)]))

    def _repr_html_(self) -> str:
        return table_html(audit_table(self.shown()))
