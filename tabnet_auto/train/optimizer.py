"""AdamW for stacked members: one flat row of numbers a member, stepped in a few kernels."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.adamw import adamw

from tabnet_auto.config import MemberSettings, TrainConfig
from tabnet_auto.net.layers import Scales
from tabnet_auto.net.native import library

EPS = 1e-8
SMALL = 1 << 18
"""Gradients of fewer numbers are copied together: a call costs more than the copy."""


Shares = NDArray[np.float64]
Number = TypeVar("Number", float, Shares, Tensor)


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


def newest_share(averaging: float, n_steps: Number) -> Number:
    """Return the weight of the newest values in their average after ``n_steps``.

    The average reaches back over about a share ``averaging`` of the steps: polynomial-decay
    averaging (arXiv 1212.1824), where ``averaging`` is 1 / (eta + 1); 0: the newest are all of it.
    """
    return 1.0 / (1.0 + averaging * (n_steps - 1.0))


class MemberAdamW:
    """AdamW (arXiv 1711.05101) in which every member has its own step count and may pause.

    The parameters of the network become views of one ``(M, P)`` matrix, those with equal
    :class:`Scales` side by side: letting members leave is an operation on its rows. Each member's
    gradients are clipped to ``clip_norm``. ``settings`` hold learning rates and weight decays
    where those differ between members. ``average`` is the polynomial-decay average of the values
    (arXiv 1212.1824), for :meth:`averaged`; without one it is the values themselves.
    """

    def __init__(
        self, net: nn.Module, config: TrainConfig, settings: MemberSettings | None = None
    ) -> None:
        self.config, self.settings = config, settings or MemberSettings()
        self.scales = {p: getattr(p, "scales", Scales()) for p in net.parameters()}
        self.parameters = sorted(self.scales, key=lambda p: self.scales[p])
        n_members = self.parameters[0].shape[0]
        self.values = torch.cat([p.detach().reshape(n_members, -1) for p in self.parameters], 1)
        self.moment1 = torch.zeros_like(self.values)
        self.moment2 = torch.zeros_like(self.values)
        self.average = self.values.clone() if config.averaging else self.values
        self.n_steps = torch.zeros(n_members, device=self.values.device)
        self.stretches: list[tuple[Scales, slice]] = []
        end = 0
        for own, group in itertools.groupby(self.parameters, key=lambda p: self.scales[p]):
            start, end = end, end + sum(p[0].numel() for p in group)
            self.stretches.append((own, slice(start, end)))
        # Element by element, for a device that would take a kernel for every stretch.
        lr, decay = self._element_scales().to(self.values)
        self.lr_scale, self.decay_scale = lr, decay
        self._bind(self.values)

    def _element_scales(self) -> Tensor:
        """Return the factors of learning rate and weight decay of every column; ``(2, P)``."""
        widths = torch.tensor([stretch.stop - stretch.start for _, stretch in self.stretches])
        scales = torch.tensor([tuple(own) for own, _ in self.stretches])
        return scales.T.repeat_interleave(widths, dim=1)

    def _bind(self, values: Tensor) -> None:
        """Make the network's parameters views of a flat matrix."""
        start = 0
        for p in self.parameters:
            shape = (values.shape[0], *p.shape[1:])
            end = start + math.prod(shape[1:])
            p.data, p.grad = values[:, start:end].view(shape), None
            start = end

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the network have its averaged parameters for a while."""
        self._bind(self.average)
        try:
            yield
        finally:
            self._bind(self.values)

    def factors(self, progress: Shares, paused: Sequence[int] = ()) -> Shares:
        """Return what a step changes from one to the next; ``(3, M)``.

        ``progress (M,)`` is each member's share of the planned training. Rows: learning rates,
        weight decays, and 1 for members that move, 0 for those ``paused``.
        """
        config, n_members = self.config, len(self.values)
        lr = self.settings.of("lr", n_members, config.lr)
        lr *= schedule_factor(config.schedule, progress)
        decay = self.settings.of("weight_decay", n_members, config.weight_decay)
        decay *= flat_cosine(progress)
        moves = np.ones(n_members)
        moves[list(paused)] = 0.0
        return np.stack([lr, decay, moves])

    @torch.no_grad()
    def step(self, factors: Tensor) -> None:
        """Take one step with the gradients that lie there; ``factors (3, M)`` as above."""
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        for p in self.parameters:
            p.grad = None
        if self.values.device.type == "cpu":
            self._step_on_host(grads, factors)
        else:
            self._step_on_device(grads, factors)

    def _step_on_host(self, grads: list[Tensor], factors: Tensor) -> None:
        lr, decay, moves = factors.numpy()
        if library.is_usable(self.values):
            self._step_fused(grads, lr, decay, moves > 0.0)
        else:
            self._step_plain(grads, lr, decay, moves > 0.0)

    def _step_fused(
        self, grads: list[Tensor], lr: Shares, decay: Shares, moves: NDArray[np.bool_]
    ) -> None:
        """Take one step in a kernel that reads large gradients where they lie."""
        config = self.config
        n_members, stride = self.values.shape
        pieces = list(self._pieces(grads))
        squares = torch.zeros(n_members, dtype=torch.float64)
        for _, _, grad in pieces:
            library.call("add_squares", grad, squares, n_members, grad[0].numel())
        clip = (config.clip_norm / (squares.sqrt().numpy() + EPS)).clip(max=1.0)
        self.n_steps += torch.from_numpy(moves)
        n_steps = self.n_steps.double().numpy().clip(min=1.0)
        correction1, correction2 = 1.0 - config.beta1**n_steps, 1.0 - config.beta2**n_steps
        newest = newest_share(config.averaging, n_steps) * bool(config.averaging)
        constants = (config.beta1, config.beta2, EPS, stride, n_members)
        for scales, start, grad in pieces:
            rate = np.where(moves, scales.lr * lr / correction1, -1.0)
            keep = 1.0 - scales.lr * lr * scales.decay * decay
            settings = np.stack([clip, rate, keep, np.sqrt(correction2), newest], axis=1)
            flat = (self.values, self.moment1, self.moment2, self.average)
            places = (own[:, start:] for own in flat)
            packed = torch.from_numpy(settings.astype(np.float32))
            library.call("adamw_step", grad, *places, packed, *constants, grad[0].numel())

    def _pieces(self, grads: list[Tensor]) -> Iterator[tuple[Scales, int, Tensor]]:
        """Yield scales, start and gradients ``(M, n)``: small parameters of a stretch in one."""
        rest, n_members = iter(grads), len(self.values)
        for scales, stretch in self.stretches:
            start = end = stretch.start
            small: list[Tensor] = []
            while end < stretch.stop:
                grad = next(rest)
                if grad.numel() < SMALL:
                    small.append(grad.reshape(n_members, -1))
                else:
                    if small:
                        yield scales, start, torch.cat(small, 1)
                    yield scales, end, grad.contiguous()
                    start, small = end + grad.numel() // n_members, []
                end += grad.numel() // n_members
            if small:
                yield scales, start, torch.cat(small, 1)

    def _step_plain(
        self, grads: list[Tensor], lr: Shares, decay: Shares, moves: NDArray[np.bool_]
    ) -> None:
        """Take one step a member and stretch of equal scales, in torch's own kernel."""
        config = self.config
        flat = torch.cat([grad.reshape(grad.shape[0], -1) for grad in grads], 1)
        norm = flat.norm(dim=1, keepdim=True)
        if (norm > config.clip_norm).any():
            flat.mul_((config.clip_norm / (norm + EPS)).clamp_max(1.0))
        for member in range(self.values.shape[0]):
            if not moves[member]:
                continue
            step = self.n_steps[member]
            before = step.clone()
            for scales, stretch in self.stretches:
                step.copy_(before)
                adamw(
                    [self.values[member, stretch]],
                    [flat[member, stretch]],
                    [self.moment1[member, stretch]],
                    [self.moment2[member, stretch]],
                    [],
                    [step],
                    fused=True,
                    amsgrad=False,
                    beta1=config.beta1,
                    beta2=config.beta2,
                    lr=float(lr[member]) * scales.lr,
                    weight_decay=float(decay[member]) * scales.decay,
                    eps=EPS,
                    maximize=False,
                )
            if config.averaging:
                newest = newest_share(config.averaging, float(step))
                self.average[member].lerp_(self.values[member], newest)

    def _step_on_device(self, grads: list[Tensor], factors: Tensor) -> None:
        """Take one step in few kernels, none of which needs a number on the host."""
        config = self.config
        lr, decay, moves = factors.to(self.values.dtype).unsqueeze(2)
        flat = torch.cat([grad.reshape(grad.shape[0], -1) for grad in grads], 1)
        norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        flat *= (config.clip_norm / (norm + EPS)).clamp_max_(1.0)
        self.n_steps += moves.squeeze(1)
        # A weight of 0 leaves the moments of a paused member as they are.
        self.moment1.lerp_(flat, (1.0 - config.beta1) * moves)
        self.moment2.lerp_(flat.square(), (1.0 - config.beta2) * moves)
        n_steps = self.n_steps.clamp_min(1.0).unsqueeze(1)
        correction1, correction2 = (1.0 - beta**n_steps for beta in (config.beta1, config.beta2))
        rate = moves * lr * self.lr_scale
        self.values *= 1.0 - rate * (decay * self.decay_scale)
        size = self.moment2.sqrt().mul_(correction2.rsqrt()).add_(EPS)
        self.values -= self.moment1.div(size).mul_(rate / correction1)
        if config.averaging:
            self.average.lerp_(self.values, moves * newest_share(config.averaging, n_steps))

    def select(self, members: Sequence[int]) -> None:
        """Keep only some members."""
        rows = list(members)
        for name in ("values", "moment1", "moment2", "n_steps"):
            setattr(self, name, getattr(self, name)[rows])
        self.average = self.average[rows] if self.config.averaging else self.values
        self.settings = self.settings.select(rows)
        self._bind(self.values)
