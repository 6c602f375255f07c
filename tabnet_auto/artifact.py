"""A saved model: a directory of JSON and safetensors with checksums; nothing in it can run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import ArtifactError

FORMAT = 3
"""Raised when a change makes older readers wrong."""
MANIFEST, DATA, ARRAYS = "manifest.json", "model.json", "arrays.safetensors"

Arrays = dict[str, NDArray[Any]]


def write_artifact(directory: str | Path, data: Mapping[str, Any], arrays: Arrays) -> Path:
    """Write plain data and named arrays; the manifest, written last, seals them.

    Raises
    ------
    ArtifactError
        If the directory is a file, or holds files that no earlier save has written.
    """
    from safetensors.numpy import save_file

    folder = Path(directory)
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"A model is saved into a directory, however: {folder} is a file.")
    folder.mkdir(parents=True, exist_ok=True)
    foreign = {path.name for path in folder.iterdir()} - {MANIFEST, DATA, ARRAYS}
    if foreign:
        raise ArtifactError(
            f"A model is saved into a directory of its own, however: {folder} holds "
            f"{min(foreign)!r}. Choose a new or an empty directory."
        )
    (folder / MANIFEST).unlink(missing_ok=True)
    (folder / DATA).write_text(json.dumps(data, indent=1), encoding="utf-8")
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / ARRAYS)
    sums = {name: _checksum(folder / name) for name in (DATA, ARRAYS)}
    manifest = {"format": FORMAT, "package": "tabnet_auto", "sha256": sums}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return folder


def read_artifact(directory: str | Path) -> tuple[dict[str, Any], Arrays]:
    """Read what :func:`write_artifact` wrote, after checking that it is whole.

    Raises
    ------
    ArtifactError
        If the directory is missing, incomplete, changed, foreign, or from a newer version.
    """
    from safetensors.numpy import load_file

    folder = Path(directory)
    manifest = _manifest(folder)
    for name, expected in manifest["sha256"].items():
        if name not in (DATA, ARRAYS) or not (folder / name).is_file():
            raise ArtifactError(f"{folder} is incomplete: {name!r} is missing. Save it again.")
        if _checksum(folder / name) != expected:
            raise ArtifactError(
                f"{folder / name} differs from what was saved (checksum). Copy it again."
            )
    data = json.loads((folder / DATA).read_text(encoding="utf-8"))
    return data, load_file(folder / ARRAYS)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(
            f"{folder} holds no saved model: {MANIFEST} is missing. Pass the directory that "
            "fit.save() wrote."
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        known = manifest["package"] == "tabnet_auto" and set(manifest["sha256"]) == {DATA, ARRAYS}
        version = int(manifest["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged: {error!r}. Save the model again.") from error
    if not known:
        raise ArtifactError(f"{path} was not written by tabnet_auto's fit.save().")
    if version < 1:
        raise ArtifactError(f"{path} is damaged: format {version}. Save the model again.")
    if version > FORMAT:
        raise ArtifactError(
            f"{folder} has format {version}, however: this version of tabnet_auto reads up to "
            f"{FORMAT}. Update tabnet_auto."
        )
    return dict(manifest)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
