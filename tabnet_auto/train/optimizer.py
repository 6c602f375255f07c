"""AdamW for stacked members: one flat row of numbers a member, stepped in a few kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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

    The parameters of the network become views of one ``(M, P)`` matrix: an optimiser step,
    clipping by member, and letting members leave are operations on its rows.
    """

    def __init__(self, net: nn.Module, config: TrainConfig) -> None:
        self.config = config
        self.parameters = list(net.parameters())
        n_members = self.parameters[0].shape[0]
        device = self.parameters[0].device
        self.values = torch.cat([p.detach().reshape(n_members, -1) for p in self.parameters], 1)
        self.moment1 = torch.zeros_like(self.values)
        self.moment2 = torch.zeros_like(self.values)
        self.n_steps = torch.zeros(n_members, 1, device=device)
        scales = [getattr(p, "scales", Scales()) for p in self.parameters]
        sizes = torch.tensor([p[0].numel() for p in self.parameters])
        self.lr_scale = torch.tensor([s.lr for s in scales]).repeat_interleave(sizes).to(device)
        decays = torch.tensor([s.lr * s.decay for s in scales]).repeat_interleave(sizes)
        self.decay_scale = decays.to(device)
        self._bind()

    def _bind(self) -> None:
        """Make the network's parameters views of the flat matrix."""
        start = 0
        for p in self.parameters:
            shape = (self.values.shape[0], *p.shape[1:])
            end = start + math.prod(shape[1:])
            p.data, p.grad = self.values[:, start:end].view(shape), None
            start = end

    def _column(self, shares: Shares) -> Tensor:
        return torch.from_numpy(shares).to(self.values).unsqueeze(1)

    def _take_gradients(self) -> Tensor:
        """Move the gradients into one matrix, each member's clipped to ``clip_norm``."""
        flat = []
        for p in self.parameters:
            grad = torch.zeros_like(p) if p.grad is None else p.grad
            flat.append(grad.reshape(grad.shape[0], -1))
            p.grad = None
        grads = torch.cat(flat, 1)
        norm = grads.norm(dim=1, keepdim=True)
        return grads.mul_((self.config.clip_norm / (norm + EPS)).clamp_max(1.0))

    @torch.no_grad()
    def step(self, progress: Shares, active: Tensor | None = None) -> None:
        """Take one step.

        ``progress (M,)`` is each member's share of the planned training; ``active (M, 1)`` says
        who steps, all if None.
        """
        config = self.config
        lr = self._column(config.lr * schedule_factor(config.schedule, progress))
        decay = self._column(config.weight_decay * flat_cosine(progress))
        kept = None
        if active is not None:
            kept = [t.clone() for t in (self.values, self.moment1, self.moment2, self.n_steps)]
        grads = self._take_gradients()
        self.n_steps += 1
        self.moment1.lerp_(grads, 1.0 - config.beta1)
        self.moment2.mul_(config.beta2).addcmul_(grads, grads, value=1.0 - config.beta2)
        correction1 = 1.0 - config.beta1**self.n_steps
        correction2 = (1.0 - config.beta2**self.n_steps).sqrt()
        self.values.mul_(1.0 - lr * decay * self.decay_scale)
        # A tiny offset: square roots of subnormal numbers are many times slower.
        spread = (self.moment2 + 1e-30).sqrt_().div_(correction2).add_(EPS)
        update = torch.div(self.moment1, spread, out=spread)
        self.values.addcmul_(update.mul_(self.lr_scale), lr / correction1, value=-1.0)
        if kept is not None and active is not None:
            for now, before in zip(
                (self.values, self.moment1, self.moment2, self.n_steps), kept, strict=True
            ):
                torch.where(active, now, before, out=now)

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
