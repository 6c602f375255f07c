"""One selection of the published TabNet: weights, what may be used later, and the entropy.

Shapes: M members, B rows of a minibatch, D columns of the user.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from tabnet_auto.config import PaperConfig
from tabnet_auto.net.sparse import SPARSE_MAPS


class Selection(NamedTuple):
    """``weights`` and ``prior (M, B, D)``, the next prior scales; ``entropy (M, B)``."""

    weights: Tensor
    prior: Tensor
    entropy: Tensor


def select(logits: Tensor, prior: Tensor | None, config: PaperConfig) -> Selection:
    """Choose columns: ``M = map(P * logits)``, next ``P * (gamma - M)``, entropy of each row.

    Equations of section 3.2 of the paper (arXiv 1908.07442); entropy
    ``-sum_j M_j log(M_j + epsilon)``. ``logits (M, B, D)``; no ``prior`` in the first step.
    """
    weights = SPARSE_MAPS[config.mask](logits if prior is None else logits * prior)
    used = config.gamma - weights
    entropy = -(weights * (weights + config.epsilon).log()).sum(-1)
    return Selection(weights, used if prior is None else prior * used, entropy)
