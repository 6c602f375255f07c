"""Compile the kernels once a machine, load them, call them on tensors.

Nothing depends on it: where there is no C compiler, or the kernels are switched off, every
operation has its form in plain torch, with the same results up to rounding.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SWITCH = "TABNET_AUTO_KERNELS"
"""Environment variable: ``off`` leaves the kernels alone, ``float32`` keeps them from bf16."""

_SOURCES = sorted(Path(__file__).parent.glob("*.c"))
_HEADERS = sorted(Path(__file__).parent.glob("*.h"))
_FLAGS = (
    "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", "-ffp-contract=fast",
    # What vectorising sums needs of -ffast-math. Infinities and NaN keep their meaning, and the
    # process its treatment of subnormal numbers, which -ffast-math itself would change.
    "-fassociative-math", "-fno-math-errno", "-fno-signed-zeros", "-fno-trapping-math",
    "-freciprocal-math",
)  # fmt: skip
_WIDE = "-mprefer-vector-width=512"
_COMPILE_SECONDS = 60


def is_usable(*tensors: Tensor | None) -> bool:
    """Tell whether the kernels are there and read these tensors: single precision, on the CPU."""
    return all(
        t is None or (t.dtype == torch.float32 and t.device.type == "cpu") for t in tensors
    ) and not (torch.compiler.is_compiling() or _library() is None)


def describe() -> str:
    """Say in words which kernels compute on a CPU."""
    return "plain torch" if _library() is None else "compiled for this CPU"


def call(name: str, *arguments: Tensor | NDArray[Any] | float | None) -> None:
    """Call a kernel: tensors and arrays as pointers (None as a null one), then factors, sizes."""
    library = _library()
    assert library is not None
    kernel = getattr(library, name)
    if kernel.argtypes is None:
        kernel.argtypes = [_type_of(value) for value in arguments]
    # The caller keeps the tensors alive, and has made them contiguous or passes their strides.
    kernel(*[_address(value) for value in arguments])


def _address(value: Tensor | NDArray[Any] | float | None) -> float | None:
    if isinstance(value, Tensor):
        return value.data_ptr()
    return value.ctypes.data if isinstance(value, np.ndarray) else value


def _type_of(
    value: Tensor | NDArray[Any] | float | None,
) -> type[ctypes._SimpleCData]:  # type: ignore[type-arg]
    if value is None or isinstance(value, Tensor | np.ndarray):
        return ctypes.c_void_p
    return ctypes.c_int64 if isinstance(value, int) else ctypes.c_float


@functools.cache
def _library() -> ctypes.CDLL | None:
    """Load the compiled kernels, compiling them first where no earlier run has; None without."""
    if os.environ.get(SWITCH, "").lower() == "off" or sys.platform == "win32":
        return None
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    for folder in _folders():
        try:
            return ctypes.CDLL(str(_compiled(compiler, folder)))
        except (OSError, subprocess.SubprocessError):
            continue
    return None


def _folders() -> Iterator[Path]:
    """Yield where compiled kernels may lie, the user's cache first."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    yield Path(cache).expanduser() / "tabnet_auto"
    yield Path(tempfile.gettempdir()) / f"tabnet_auto-{os.getuid()}"


def _compiled(compiler: str, folder: Path) -> Path:
    """Return the compiled kernels in a folder, compiled now if they are not there."""
    key = hashlib.sha256(b"".join(path.read_bytes() for path in (*_SOURCES, *_HEADERS)))
    key.update("\n".join([compiler, *_FLAGS, _cpu()]).encode())
    target = folder / f"kernels-{key.hexdigest()[:16]}.so"
    if target.exists() and target.stat().st_uid == os.getuid():
        return target
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / target.name
        command = [compiler, *_FLAGS, *map(str, _SOURCES), "-o", str(made), "-lm"]
        try:
            _run([*command[:-1], _WIDE, "-lm"])
        except subprocess.CalledProcessError:  # a compiler or a CPU without that option
            _run(command)
        made.replace(target)  # at once: another process may be doing the same
    return target


def _run(command: list[str]) -> None:
    subprocess.run(  # noqa: S603 - a compiler found on the path, and our own source
        command, check=True, capture_output=True, timeout=_COMPILE_SECONDS
    )


def _cpu() -> str:
    """Name the CPU and what it can do: a home folder may travel between machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
