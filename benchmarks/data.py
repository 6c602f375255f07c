"""The data sets beside the repository, read as their manifest says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Split:
    """Training and test rows of one set; ``target`` is a column of both."""

    name: str
    task: str
    target: str
    train: pd.DataFrame
    test: pd.DataFrame


@dataclass(frozen=True)
class DataSet:
    """One set as it came: ``test`` are its official test rows, if it has any."""

    name: str
    task: str
    target: str
    train: pd.DataFrame
    test: pd.DataFrame | None


def read_set(name: str, folder: Path = DEFAULT) -> DataSet:
    """Read a set, its official test rows beside it; rows without a target are left out."""
    entries = {entry["name"]: entry for entry in json.loads((folder / "manifest.json").read_text())}
    if name not in entries:
        raise SystemExit(f"a set must be one of {', '.join(sorted(entries))}, however: {name!r}")
    entry = entries[name]
    frames = [
        _read(folder / name / file, entry).dropna(subset=[entry["target"]])
        for file in (entry["train"], *entry["official_test"][:1])
    ]
    test = frames[1] if len(frames) > 1 else None
    return DataSet(name, entry["task"], entry["target"], frames[0], test)


def read_split(name: str, folder: Path = DEFAULT, *, rows: int | None = None) -> Split:
    """Read a set: its official test rows, or 30 % held out by a shuffle with seed 0.

    ``rows`` caps the whole table before the split, by the same shuffle.
    """
    entries = json.loads((folder / "manifest.json").read_text())
    entry = next(e for e in entries if e["name"] == name)
    train = _read(folder / name / entry["train"], entry)
    if entry["official_test"]:
        test = _read(folder / name / entry["official_test"][0], entry)
    else:
        train = train.dropna(subset=[entry["target"]])
        train = train.iloc[np.random.default_rng(0).permutation(len(train))[:rows]]
        cut = int(0.7 * len(train))
        train, test = train.iloc[:cut], train.iloc[cut:]
    return Split(
        name, entry["task"], entry["target"],
        train.reset_index(drop=True), test.reset_index(drop=True),
    )  # fmt: skip


def _read(path: Path, entry: dict[str, object]) -> pd.DataFrame:
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    else:
        frame = pd.read_csv(path, sep=entry["sep"], na_values=entry["na_values"])
    return frame.drop(columns=entry["drop"])
