"""What the figures depend on: processor, threads, load, versions, memory of this process."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from command import command_line

PACKAGES = ("tabnet-auto", "torch", "numpy", "pandas", "scikit-learn", "pytorch-tabnet")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """The processor as the system names it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load() -> float:
    """Mean number of processes that wanted a core in the last minute."""
    return round(os.getloadavg()[0], 2)


def versions() -> dict[str, str]:
    """Versions of the packages that matter."""
    known = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            known[name] = version(name)
    return known


def about(threads: int) -> dict[str, object]:
    """What every row carries beside its figures."""
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "cpu": cpu_name(), "cores": cores(), "threads": threads, "gpu": device,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "command": command_line(), "versions": versions(),
    }  # fmt: skip


def rss() -> float:
    """Memory that this process holds now, MiB; on other systems than Linux, its peak."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return peak_rss()


def peak_rss() -> float:
    """The most memory that this process has held (since :func:`reset_peak`, on Linux), MiB."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def reset_peak() -> None:
    """Let the peak start from what is held now (Linux; elsewhere the peak is since the start)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
