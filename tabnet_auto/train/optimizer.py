"""AdamW for stacked members: one flat row of numbers a member, stepped in a few kernels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.adamw import adamw

from tabnet_auto.config import TrainConfig
from tabnet_auto.net.layers import Scales

EPS = 1e-8


Shares = NDArray[np.float64]


def schedule_factor(schedule: str, progress: Shares) -> Shares:
    """Learning-rate factor at shares of the planned training (RealMLP's coslog4 by default)."""
    if schedule == "constant":
        return np.ones_like(progress)
    if schedule == "cosine":
        return 0.5 * (1.0 + np.cos(np.pi * progress))
    return 0.5 * (1.0 - np.cos(2.0 * np.pi * np.log2(1.0 + 15.0 * progress)))


def flat_cosine(progress: Shares) -> Shares:
    """1 for the first half, then half a cosine wave down to 0."""
    return 0.5 * (1.0 + np.cos(np.pi * np.maximum(0.0, 2.0 * progress - 1.0)))


class MemberAdamW:
    """AdamW (arXiv 1711.05101) in which every member has its own step count and may pause.

    The parameters of the network become views of one ``(M, P)`` matrix, those with equal
    :class:`Scales` side by side: clipping by member and letting members leave are operations on
    its rows, and a step is torch's fused kernel on one stretch a member and scale.
    """

    def __init__(self, net: nn.Module, config: TrainConfig) -> None:
        self.config = config
        scales = {p: getattr(p, "scales", Scales()) for p in net.parameters()}
        self.parameters = sorted(scales, key=lambda p: scales[p])
        n_members = self.parameters[0].shape[0]
        self.values = torch.cat([p.detach().reshape(n_members, -1) for p in self.parameters], 1)
        self.moment1 = torch.zeros_like(self.values)
        self.moment2 = torch.zeros_like(self.values)
        self.n_steps = torch.zeros(n_members, device=self.values.device)
        self.stretches: list[tuple[Scales, slice]] = []
        end = 0
        for own, group in itertools.groupby(self.parameters, key=lambda p: scales[p]):
            start, end = end, end + sum(p[0].numel() for p in group)
            self.stretches.append((own, slice(start, end)))
        self._bind()

    def _bind(self) -> None:
        """Make the network's parameters views of the flat matrix."""
        start = 0
        for p in self.parameters:
            shape = (self.values.shape[0], *p.shape[1:])
            end = start + math.prod(shape[1:])
            p.data, p.grad = self.values[:, start:end].view(shape), None
            start = end

    def _take_gradients(self) -> Tensor:
        """Move the gradients into one matrix, each member's clipped to ``clip_norm``."""
        flat = []
        for p in self.parameters:
            grad = torch.zeros_like(p) if p.grad is None else p.grad
            flat.append(grad.reshape(grad.shape[0], -1))
            p.grad = None
        grads = torch.cat(flat, 1)
        norm = grads.norm(dim=1, keepdim=True)
        if (norm > self.config.clip_norm).any():
            grads.mul_((self.config.clip_norm / (norm + EPS)).clamp_max(1.0))
        return grads

    @torch.no_grad()
    def step(self, progress: Shares, paused: Sequence[int] = ()) -> None:
        """Take one step; ``progress (M,)`` is each member's share of the planned training."""
        config = self.config
        lr = config.lr * schedule_factor(config.schedule, progress)
        decay = config.weight_decay * flat_cosine(progress)
        grads = self._take_gradients()
        for member in range(self.values.shape[0]):
            if member in paused:
                continue
            step = self.n_steps[member]
            before = step.clone()
            for scales, stretch in self.stretches:
                step.copy_(before)
                adamw(
                    [self.values[member, stretch]],
                    [grads[member, stretch]],
                    [self.moment1[member, stretch]],
                    [self.moment2[member, stretch]],
                    [],
                    [step],
                    fused=self.values.device.type in ("cpu", "cuda"),
                    amsgrad=False,
                    beta1=config.beta1,
                    beta2=config.beta2,
                    lr=float(lr[member]) * scales.lr,
                    weight_decay=float(decay[member]) * scales.decay,
                    eps=EPS,
                    maximize=False,
                )

    def select(self, members: Sequence[int]) -> None:
        """Keep only some members."""
        rows = list(members)
        for name in ("values", "moment1", "moment2", "n_steps"):
            setattr(self, name, getattr(self, name)[rows])
        self._bind()

    def state(self) -> dict[str, Tensor]:
        """Return what must be restored, beside the parameters, to continue."""
        return {
            "moment1": self.moment1.clone(),
            "moment2": self.moment2.clone(),
            "n_steps": self.n_steps.clone(),
        }

    def set_state(self, state: dict[str, Tensor]) -> None:
        """Continue from what :meth:`state` returned."""
        self.moment1.copy_(state["moment1"])
        self.moment2.copy_(state["moment2"])
        self.n_steps.copy_(state["n_steps"])
