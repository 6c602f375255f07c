"""The attention unit against the specification's formula, written out."""

from __future__ import annotations

import math

import pytest
import torch

from tabnet_auto.net.attention import ColumnAttention
from tabnet_auto.net.inputs import Encoded
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.tokens import RowTokens, value_elements

M, B, V, R, C, L, H, D_KEY = 2, 5, 3, 4, 2, 3, 6, 4


def made(
    sparse_map: str,
    n_context: int,
    feature_to_column: list[int],
    asks_by_row: tuple[bool, ...] | None = None,
) -> ColumnAttention:
    torch.manual_seed(0)
    unit = ColumnAttention(
        torch.tensor(feature_to_column),
        max(feature_to_column) + 1,
        (V * R, C * L),
        H,
        MemberRandom([1, 2]),
        n_context=n_context,
        d_key=D_KEY,
        sparse_map=sparse_map,
    ).double()
    if asks_by_row:
        unit.asks_by_row.copy_(torch.tensor(asks_by_row).view(-1, 1, 1))
    for p in unit.parameters():
        torch.nn.init.normal_(p)
    torch.nn.init.constant_(unit.strength, math.inf)
    return unit.requires_grad_(requires_grad=False)


def tokens() -> RowTokens:
    torch.manual_seed(1)
    drawn = torch.randn(M, B, V), torch.rand(M, B, V), torch.rand(M, B, V) < 0.3
    encoded = Encoded(drawn[0].double(), drawn[1].double(), drawn[2], torch.zeros(M, B, C))
    scale, levels = torch.randn(M, V, R).double(), torch.randn(M, B, C, L).double()
    return RowTokens(value_elements(encoded, R - 2, torch.full((M,), R - 2)), scale, levels)


def flat(row: RowTokens) -> torch.Tensor:
    """Row vectors: the scaled elements of all value tokens, then the level tokens."""
    values = row.elements * row.scale.unsqueeze(1)
    return torch.cat([values.flatten(2), row.levels.flatten(2)], dim=2)


def pieces(unit: ColumnAttention, features: list[list[slice]], rows: torch.Tensor, m: int, b: int):
    """Keys k_i = K_i e_i / sqrt(d_key) and values x_i = D V_i e_i of one row, one by one."""
    n_columns = unit.n_columns
    key = torch.cat([unit.key.of_values, unit.key.of_levels], dim=1)
    value = torch.cat([unit.value.of_values, unit.value.of_levels], dim=1)
    keys = unit.column_key[m].T / math.sqrt(D_KEY)
    values = torch.zeros(n_columns, H).double()
    for column, own in enumerate(features):
        for part in own:
            e = rows[m, b, part]
            keys[column] += e @ key[m, part] / math.sqrt(D_KEY)
            values[column] += n_columns * (e @ value[m, part]) / math.sqrt(rows.shape[2])
    return keys, values


SLICES = [slice(0, 4), slice(4, 8), slice(8, 12), slice(12, 15), slice(15, 18)]


@pytest.mark.parametrize("asks_by_row", [None, (True, True), (True, False)])
@pytest.mark.parametrize(
    ("feature_to_column", "features"),
    [
        ([0, 1, 2, 3, 4], [[s] for s in SLICES]),
        ([0, 1, 0, 2, 2], [[SLICES[0], SLICES[2]], [SLICES[1]], [SLICES[3], SLICES[4]]]),
    ],
)
def test_softmax_unit_is_the_formula(asks_by_row, feature_to_column, features):
    unit = made("softmax", 7 if asks_by_row else 0, feature_to_column, asks_by_row)
    context = torch.randn(M, B, 7).double()
    row = tokens()
    attended = unit(row, context)
    rows = flat(row)
    for m in range(M):
        for b in range(B):
            q = unit.query[m, 0]
            if asks_by_row and asks_by_row[m]:
                q = q + context[m, b] @ unit.condition[m] / math.sqrt(7)
            keys, values = pieces(unit, features, rows, m, b)
            # w_i = exp(q . k_i) / sum_j exp(q . k_j);   y = sum_i w_i x_i
            terms = [math.exp(float(q @ k)) for k in keys]
            w = [term / sum(terms) for term in terms]
            y = sum(w_i * x_i for w_i, x_i in zip(w, values, strict=True))
            torch.testing.assert_close(
                attended.weights[m, b], torch.tensor(w, dtype=torch.float64), rtol=0, atol=1e-12
            )
            torch.testing.assert_close(attended.output[m, b], y, rtol=0, atol=1e-12)


def test_formula_on_numbers_worked_by_hand():
    unit = ColumnAttention(
        torch.tensor([0, 1]), 2, (4, 0), 1, MemberRandom([0]),
        n_context=0, d_key=1, sparse_map="softmax",
    ).double()  # fmt: skip
    # Elements of each of the two features: its value, and that it is not missing.
    elements = torch.tensor([[[[math.log(3.0), 0.0], [0.0, 0.0]]]], dtype=torch.float64)
    ones, none = torch.ones(1, 2, 2).double(), torch.zeros(1, 1, 0, 1).double()
    row = RowTokens(elements, ones, none)
    with torch.no_grad():
        unit.strength.fill_(math.inf)
        unit.key.of_values.fill_(1.0)
        unit.column_key.zero_()
        unit.query.fill_(1.0)
        unit.value.of_values.fill_(1.0)
        attended = unit(row, torch.zeros(1, 1, 0).double())
    # Logits log 3 and 0: weights 3/4 and 1/4. Values 2 e_i / sqrt 4, so y = 3/4 * log 3.
    torch.testing.assert_close(
        attended.weights[0, 0], torch.tensor([0.75, 0.25], dtype=torch.float64)
    )
    assert attended.output.item() == pytest.approx(0.75 * math.log(3.0))


@pytest.mark.parametrize("sparse_map", ["softmax", "sparsemax", "entmax15"])
def test_weights_are_a_distribution_over_columns(sparse_map):
    unit = made(sparse_map, 7, [0, 1, 0, 2, 2])
    torch.nn.init.constant_(unit.strength, 0.3)
    weights = unit(tokens(), torch.randn(M, B, 7).double()).weights
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(2), torch.ones(M, B).double())


def test_fresh_unit_looks_at_all_columns_alike():
    unit = ColumnAttention(
        torch.tensor([0, 1, 2, 3, 4]), 5, (V * R, C * L), H, MemberRandom([1, 2]),
        n_context=7, d_key=D_KEY, sparse_map="entmax15",
    ).double()  # fmt: skip
    row = tokens()
    attended = unit(row, torch.randn(M, B, 7).double())
    torch.testing.assert_close(attended.weights, torch.full((M, B, 5), 0.2).double())
    value = torch.cat([unit.value.of_values, unit.value.of_levels], dim=1)
    plain = torch.bmm(flat(row), value) / math.sqrt(V * R + C * L)
    torch.testing.assert_close(attended.output, plain)
