"""Whether products of numbers rounded to bf16 are faster on this CPU than single precision.

Measured rather than looked up. Of the CPUs met so far AMD's with AVX512_BF16 are twice as fast, and
Intel's with a matrix unit (AMX) eight times, rounding included three to four times.
"""

from __future__ import annotations

import functools
import os

import torch

from tabnet_auto.net.native import library

FLOAT32 = "float32"
"""Value of :data:`~tabnet_auto.net.native.library.SWITCH` that keeps single precision."""
_LEAST_GAIN = 1.3
"""Less would not pay for the rounding."""
_LARGEST_ERROR = 2.0**-8
"""Of a sum of products, relative to the sum of their sizes: two roundings of up to ``2^-9``."""


@functools.cache
def are_faster() -> bool:
    """Tell it once a process; never where the user wants single precision or sums are wrong."""
    if os.environ.get(library.SWITCH, "").lower() == FLOAT32 or not library.is_usable():
        return False
    gain, error = measure()
    return gain >= _LEAST_GAIN and error <= _LARGEST_ERROR


def measure() -> tuple[float, float]:
    """Return how many times faster pairs are (about a millisecond), and the largest error."""
    found = torch.zeros(2, dtype=torch.float64)
    library.call("measure_pairs", found)
    gain, error = found.tolist()
    return gain, error
