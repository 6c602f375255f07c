"""Where to compute: a device that really works, or the CPU and the reason in one sentence."""

from __future__ import annotations

import contextlib

import torch

from tabnet_auto.errors import InputError


def choose_device(name: str) -> tuple[torch.device, str | None]:
    """Return the device for ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    The second value is a sentence for the user where a device is present but not usable (a
    P100 under today's torch, which holds no kernels for it).

    Raises
    ------
    InputError
        If a device is asked for by name that is not there or not usable.
    """
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu"), None
        problem = _cuda_problem(0)
        return (torch.device("cpu"), problem) if problem else (torch.device("cuda"), None)
    device = _parse(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise InputError(f"No CUDA device is available, however: device={name!r}. Use 'auto'.")
        if problem := _cuda_problem(device.index or 0):
            raise InputError(f"{problem} However: device={name!r}. Use 'auto'.")
    return device, None


def _parse(name: str) -> torch.device:
    with contextlib.suppress(RuntimeError, TypeError):
        device = torch.device(name)
        if device.type in ("cpu", "cuda"):
            return device
    raise InputError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', however: {name!r}.")


def _cuda_problem(index: int) -> str | None:
    """Say why a CUDA device cannot run this build of torch, or return None."""
    major, minor = torch.cuda.get_device_capability(index)
    # Kernels run on devices of the same major version and an equal or higher minor version.
    built = [arch.removeprefix("sm_").rstrip("af") for arch in torch.cuda.get_arch_list()]
    usable = [int(a) for a in built if a.isdigit() and int(a) // 10 == major]
    if any(arch % 10 <= minor for arch in usable):
        return None
    return (
        f"The {torch.cuda.get_device_name(index)} has no kernels in this build of torch, "
        "so the CPU is used."
    )
