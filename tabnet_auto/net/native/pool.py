"""Memory that the kernels use again and again."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from tabnet_auto.net.native import library


class Pool:
    """Buffers that steps take and give back: fresh memory costs a page fault every 4 KiB."""

    def __init__(self) -> None:
        self.free: list[Tensor] = []

    def __reduce__(self) -> tuple[type[Pool], tuple[()]]:
        return Pool, ()  # copies and pickles of a network hold no buffers

    def take(self, size: int) -> Tensor:
        """Return a buffer of at least ``size`` numbers, whatever they are."""
        # Another thread may be predicting with the same network: look and take at once.
        with contextlib.suppress(IndexError):
            while (buffer := self.free.pop()).numel() < size:
                pass
            # Tells autograd that the numbers change: a second way back would be an error.
            buffer[:1].zero_()
            return buffer
        with torch.inference_mode(mode=False):  # it may serve outside of that mode, too
            buffer = torch.empty(size)
        library.call("in_large_pages", buffer, size)
        return buffer

    def give(self, buffer: Tensor) -> None:
        """Let a later step have a buffer."""
        self.free.append(buffer)
