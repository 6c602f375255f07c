"""Random numbers that are made where they are used: a device never waits for the host's.

SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"): the
n-th word of a stream is a hash of ``seed + n * GOLDEN``, so a tensor of words is a dozen passes
over whole numbers, on any device and with the same result, and a stream's state is one number.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabnet_auto.config import MemberSettings
from tabnet_auto.net.layers import MemberRandom


def _signed(word: int) -> int:
    """Return the 64 bits as torch's whole numbers hold them."""
    return word - (1 << 64) if word >> 63 else word


GOLDEN = _signed(0x9E3779B97F4A7C15)
_FIRST, _SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


@dataclass(frozen=True)
class DeviceRates:
    """Probabilities, one a member, that the host need not know.

    ``values (M,)`` lie on the device and may change from step to step; ``stride (M, 1)`` is by
    how much a word moves a member's stream: not at all where nothing ever happens to it.
    """

    values: Tensor
    stride: Tensor
    possible: bool

    def any(self) -> bool:
        """Tell whether anything may ever happen."""
        return self.possible

    def __mul__(self, factor: float | Tensor) -> DeviceRates:
        return DeviceRates(self.values * factor, self.stride, self.possible)


class DeviceRandom(MemberRandom):
    """Dropout's random numbers on a device; weights and shuffles stay with numpy, on the host.

    As with :class:`~tabnet_auto.net.layers.MemberRandom`, a member draws the same numbers in any
    company. All that changes is a tensor, changed in place: a recorded step draws new numbers
    whenever it is replayed.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        settings: MemberSettings | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(seeds, settings)
        begin = [np.random.SeedSequence(int(s)).generate_state(1, np.uint64) for s in seeds]
        words = np.array(begin, dtype=np.uint64).view(np.int64).reshape(-1, 1)
        self.words = torch.from_numpy(words).to(device)
        self._known: dict[tuple[float, ...], DeviceRates] = {}

    def rates(self, name: str, default: float) -> DeviceRates:  # type: ignore[override]
        """How often something happens to each member; only this class reads its rates."""
        rates = super().rates(name, default)
        key = tuple(rates.tolist())
        # Kept, as a step that is being recorded can bring nothing to the device.
        if key not in self._known:
            self._known[key] = self._on_device(rates)
        return self._known[key]

    def _on_device(self, rates: NDArray[np.float64]) -> DeviceRates:
        device = self.words.device
        stride = torch.from_numpy(np.where(rates > 0.0, GOLDEN, 0))
        values = torch.from_numpy(rates)
        return DeviceRates(
            values.to(device), stride.unsqueeze(1).to(device), possible=bool(rates.any())
        )

    def bytes(self, rates: DeviceRates, *shape: int) -> Tensor:  # type: ignore[override]
        """Uniform whole numbers from 0 to 255; uint8 ``(M, *shape)``."""
        size = math.prod(shape)
        n_words = -(-size // 8)
        place = torch.arange(1, n_words + 1, device=self.words.device).mul_(GOLDEN)
        drawn = _hash(self.words + place).view(torch.uint8)
        self.words.add_(rates.stride, alpha=n_words)
        return drawn[:, :size].contiguous().view(-1, *shape)

    def below(self, rates: DeviceRates) -> Tensor:  # type: ignore[override]
        """Return the byte below which an event of a rate happens; whole numbers ``(M,)``."""
        return (256.0 * rates.values).round_().long()

    def happens(self, rates: DeviceRates, *shape: int) -> Tensor:  # type: ignore[override]
        """Independent events of a rate a member (to the nearest 1/256); bool ``(M, *shape)``."""
        return self.bytes(rates, *shape) < self.below(rates).view(-1, *[1] * len(shape))

    def keep(self, rates: DeviceRates) -> Tensor:  # type: ignore[override]
        """Return the factor that makes up for what is dropped at a rate; ``(M,)``."""
        return (1.0 / (1.0 - rates.values)).float()

    def select(self, members: Sequence[int]) -> None:
        """Keep only some members."""
        super().select(members)
        self.words = self.words[list(members)]

    def part(self, members: slice) -> DeviceRandom:
        """Return the generators of some members, the very same."""
        own = copy.copy(self)
        own.generators, own.words = self.generators[members], self.words[members]
        own.settings = self.settings.select(range(self.n_members)[members])
        return own

    @contextlib.contextmanager
    def held(self, members: Sequence[int]) -> Iterator[None]:
        """Let some members' generators stand still: what is drawn inside does not count."""
        kept = [(self.words[m], self.words[m].clone()) for m in members]
        with super().held(members):
            try:
                yield
            finally:
                for word, before in kept:
                    word.copy_(before)


def _hash(z: Tensor) -> Tensor:
    """Mix the bits of every word, in place."""
    z ^= _shifted(z, 30)
    z *= _FIRST
    z ^= _shifted(z, 27)
    z *= _SECOND
    z ^= _shifted(z, 31)
    return z


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Shift to the right without the sign."""
    return (z >> bits).bitwise_and_((1 << (64 - bits)) - 1)
