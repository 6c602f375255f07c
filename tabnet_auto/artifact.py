"""A saved model: a directory of JSON and safetensors with checksums; nothing in it can run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.errors import ArtifactError

FORMAT = 8
"""Raised when a change makes older readers wrong; no other format is read."""
VERSION = "written_by"
"""Key, beside a model's data, of the version that wrote it: who cannot read it can say who can."""
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
    written = {VERSION: _own_version(), **data}
    (folder / DATA).write_text(json.dumps(written, indent=1), encoding="utf-8")
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
        If the directory is missing, incomplete, changed, foreign, or of another format.
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
    data.pop(VERSION, None)
    return data, load_file(folder / ARRAYS)


def _manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a model that this version can read."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(
            f"{folder} holds no saved model: {MANIFEST} is missing. Pass the directory that "
            "fit.save() wrote."
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        ours = manifest["package"] == "tabnet_auto"
        if ours and manifest.get("format") != FORMAT:  # what else it holds is that format's to say
            raise _other_format(folder, manifest.get("format"))
        whole = ours and set(manifest["sha256"]) == {DATA, ARRAYS}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged: {error!r}. Save the model again.") from error
    if not whole:
        raise ArtifactError(f"{path} was not written by tabnet_auto's fit.save().")
    return dict(manifest)


def _other_format(folder: Path, found: object) -> ArtifactError:
    """Say what was found, what can be read, who wrote it, and what to do."""
    said = "no format" if found is None else f"format {found!r}"
    wrote = _written_by(folder)
    writer = (
        f"tabnet_auto {wrote}" if wrote else "the version that wrote it (it does not say which)"
    )
    is_newer = isinstance(found, int) and found > FORMAT
    own = _own_version()
    return ArtifactError(
        f"tabnet_auto{f' {own}' if own else ''} reads models of format {FORMAT}, however: {folder} "
        f"has {said}. {'Update to' if is_newer else 'Load it with'} {writer}, or fit again."
    )


def _written_by(folder: Path) -> str | None:
    """Return the version that wrote a model of any format, if it can be found out."""
    try:
        wrote = json.loads((folder / DATA).read_text(encoding="utf-8"))[VERSION]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return wrote if isinstance(wrote, str) else None


def _own_version() -> str | None:
    """Return this package's version; None where it lies on the path without being installed."""
    try:
        return version("tabnet-auto")
    except PackageNotFoundError:
        return None


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
