"""Building blocks with a leading member axis: M networks side by side that never mix.

Shapes: M members, B rows of a minibatch, F encoded features, D columns of the user, S steps.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tabnet_auto.config import MemberSettings

Rates = NDArray[np.float64]
"""Probabilities, one a member; ``(M,)``."""


class Dropout(NamedTuple):
    """What is dropped of each member's units.

    ``drawn``
        uint8 ``(M, ..., n)``: a unit is dropped where its random byte is below ``below (M,)``.
    ``keep``
        ``(M,)``: what the other units are multiplied with.
    """

    drawn: Tensor
    keep: Tensor
    below: Tensor

    def of_layer(self, layer: int) -> Dropout:
        """One layer's part of what is ``(M, layers, ..., n)``."""
        return self._replace(drawn=self.drawn[:, layer])

    def apply(self, x: Tensor) -> Tensor:
        """Drop units of ``x (M, B, n)``, and scale the others up."""
        keep, below = (part.to(x.device).view(-1, 1, 1) for part in (self.keep, self.below))
        return x * (self.drawn.to(x.device) >= below).to(x.dtype).mul_(keep)


class MemberRandom:
    """One random generator a member, so that a member draws the same numbers in any company.

    numpy's SFC64 generators: a dropout mask needs one random byte an element, and those come
    an order of magnitude faster than torch's Bernoulli draws on a CPU. ``settings`` say how often
    things happen to a member where that differs between members.
    """

    def __init__(self, seeds: Sequence[int], settings: MemberSettings | None = None) -> None:
        self.generators = [np.random.Generator(np.random.SFC64(int(seed))) for seed in seeds]
        self.settings = settings or MemberSettings()

    @property
    def n_members(self) -> int:
        """Number of members."""
        return len(self.generators)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers; ``(M, *shape)``."""
        drawn = [g.standard_normal(shape, dtype=np.float32) for g in self.generators]
        return torch.from_numpy(np.stack(drawn))

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1); ``(M, *shape)``."""
        return torch.from_numpy(np.stack([g.random(shape, np.float32) for g in self.generators]))

    def rates(self, name: str, default: float) -> Rates:
        """How often something happens to each member: its own rate, or the default; ``(M,)``."""
        return self.settings.of(name, self.n_members, default)

    def bytes(self, rates: Rates, *shape: int) -> Tensor:
        """Uniform whole numbers from 0 to 255; uint8 ``(M, *shape)``.

        A member to whom nothing happens (rate 0) draws nothing, as it would alone.
        """
        size = math.prod(shape)
        drawn = np.zeros((self.n_members, -(-size // 8)), np.uint64)
        for own, generator, rate in zip(drawn, self.generators, rates, strict=True):
            if rate > 0.0:
                own[:] = generator.bit_generator.random_raw(len(own))
        numbers = np.ascontiguousarray(drawn.view(np.uint8)[:, :size])
        return torch.from_numpy(numbers.reshape(-1, *shape))

    def below(self, rates: Rates) -> Tensor:
        """Return the byte below which an event of a rate happens; whole numbers ``(M,)``."""
        return torch.from_numpy(np.rint(256.0 * rates).astype(np.int64))

    def keep(self, rates: Rates) -> Tensor:
        """Return the factor that makes up for what is dropped at a rate; ``(M,)``."""
        return torch.from_numpy((1.0 / (1.0 - rates)).astype(np.float32))

    def happens(self, rates: Rates, *shape: int) -> Tensor:
        """Independent events of a rate a member (to the nearest 1/256); bool ``(M, *shape)``."""
        drawn = self.bytes(rates, *shape).numpy()
        happened = np.zeros(drawn.shape, np.bool_)
        for own, numbers, below in zip(happened, drawn, np.rint(256.0 * rates), strict=True):
            if below > 0:  # as bytes: numbers of other types would be copied first
                np.less_equal(numbers, np.uint8(below - 1), out=own)
        return torch.from_numpy(happened)

    def dropout(self, rates: Rates, *shape: int) -> Dropout | None:
        """Draw what is dropped, each member's units at its own rate; None where nothing is."""
        if not rates.any():
            return None
        return Dropout(self.bytes(rates, *shape), self.keep(rates), self.below(rates))

    def permutation(self, member: int, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Shuffle one member's values with its own generator."""
        return self.generators[member].permutation(values)

    def select(self, members: Sequence[int]) -> None:
        """Keep only some members."""
        self.generators = [self.generators[m] for m in members]
        self.settings = self.settings.select(members)

    def part(self, members: slice) -> MemberRandom:
        """Return the generators of some members, the very same."""
        own = MemberRandom([], self.settings.select(range(self.n_members)[members]))
        own.generators = self.generators[members]
        return own

    @contextlib.contextmanager
    def held(self, members: Sequence[int]) -> Iterator[None]:
        """Let some members' generators stand still: what is drawn inside does not count."""
        kept = [(m, self.generators[m].bit_generator.state) for m in members]
        try:
            yield
        finally:
            for member, state in kept:
                self.generators[member].bit_generator.state = state


class Scales(NamedTuple):
    """How the optimiser treats a parameter: factors of its learning rate and weight decay."""

    lr: float = 1.0
    decay: float = 1.0


def parameter(values: Tensor, *, lr: float = 1.0, decay: float = 1.0) -> nn.Parameter:
    """Make a parameter that tells the optimiser its :class:`Scales`."""
    made = nn.Parameter(values)
    made.scales = Scales(lr, decay)  # type: ignore[attr-defined]
    return made


class MemberLinear(nn.Module):
    """M linear layers in the neural-tangent parametrisation, applied to M inputs.

    ``y[m] = x[m] @ weight[m] / sqrt(n_in) + bias[m]`` with standard normal weights, so that one
    learning rate serves layers of every width (RealMLP, arXiv 2407.04491, section 3).

    **Shape**: input ``(M, B, n_in)``, output ``(M, B, n_out)``; weight ``(M, n_in, n_out)``.
    """

    def __init__(self, n_in: int, n_out: int, random: MemberRandom, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = parameter(gain * random.normal(n_in, n_out))
        self.bias = parameter(gain * random.normal(1, n_out), lr=0.1, decay=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Apply each member's layer to its own rows."""
        return torch.baddbmm(self.bias, x, self.weight, alpha=self.weight.shape[1] ** -0.5)


class ParametricActivation(nn.Module):
    """An activation with a learned share a unit, ``(1 - a) x + a f(x)`` with a starting at 1.

    In training elements are then dropped, if told.

    **Shape**: any ``(M, B, n)``.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], n_members: int, n: int) -> None:
        super().__init__()
        self.function = function
        self.share = parameter(torch.ones(n_members, 1, n), lr=0.1, decay=0.0)

    def forward(self, x: Tensor, dropout: Dropout | None = None) -> Tensor:
        """Apply the activation, then dropout."""
        active = torch.lerp(x, self.function(x), self.share)
        return active if dropout is None else dropout.apply(active)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "selu": functional.selu,
    "mish": functional.mish,
}
