"""Error against time, as SVG without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 130, 40, 55
OURS, PEER = "#b0413e", "#33658a"
LETTER = 7.0
"""Width of a letter, about."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def draw_time(points: dict[str, tuple[float, float]], title: str) -> str:
    """Draw systems at (seconds, error over the best), both geometric means; seconds on a log axis.

    ``points`` must not be empty.
    """
    times = [seconds for seconds, _ in points.values()]
    low = math.floor(math.log10(min(times)))
    high = max(math.ceil(math.log10(max(times))), low + 1)
    worst = max(ratio for _, ratio in points.values())
    ceiling = 1.0 + 1.1 * max(worst - 1.0, 0.01)

    def across(seconds: float) -> float:
        return LEFT + (math.log10(seconds) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def up(ratio: float) -> float:
        return HEIGHT - BOTTOM - (ratio - 1.0) / (ceiling - 1.0) * (HEIGHT - TOP - BOTTOM)

    marks = [_vertical(across(10.0**power), f"{10.0**power:g}") for power in range(low, high + 1)]
    steps = [1.0 + i * (ceiling - 1.0) / 5 for i in range(6)]
    marks += [_horizontal(up(ratio), f"{ratio:.2f}") for ratio in steps]
    placed = sorted(points.items(), key=lambda item: up(item[1][1]))
    marks += _dots([(name, across(seconds), up(ratio)) for name, (seconds, ratio) in placed])
    words = [
        _text(LEFT, 22, f"Error against time: {title}", size=15),
        _text(LEFT, HEIGHT - 14, "seconds a set (geometric mean, log axis)"),
        _text(LEFT, 36, "error / best error (geometric mean); lower left is better", size=11),
    ]
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif"><title>{escape(title)}</title>'
    )
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    return "\n".join([opening, ground, *marks, *words, "</svg>\n"])


def _dots(placed: list[tuple[str, float, float]]) -> list[str]:
    """Draw dots with their names, each where it covers no dot, no other name and no axis."""
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for _, x, y in placed]
    marks = []
    for name, x, y in placed:
        boxes = list(_places(x, y, LETTER * len(name)))
        box = next(
            (own for own in boxes if not any(_cross(own, other) for other in taken)), boxes[0]
        )
        taken.append(box)
        colour = OURS if name.startswith("ours") else PEER
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
        marks.append(_text(box[0], box[3] - 3, name, colour=colour))
    return marks


def _places(x: float, y: float, width: float) -> Iterator[Box]:
    """Yield boxes for the name of a dot, the best first: beside it, then further up and down."""
    for shift in (0, -10, 10, -20, 20, -32, 32, -44):
        if y + shift + 7 <= HEIGHT - BOTTOM:
            for left in (x + 9, x - 9 - width):
                yield left, y + shift - 7, left + width, y + shift + 7


def _cross(one: Box, other: Box) -> bool:
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart


def _vertical(x: float, label: str) -> str:
    line = f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
    return line + _text(x - 8, HEIGHT - BOTTOM + 18, label)


def _horizontal(y: float, label: str) -> str:
    line = f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
    return line + _text(LEFT - 42, y + 4, label)


def _text(x: float, y: float, words: str, *, size: int = 12, colour: str = "#222") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}">{escape(words)}</text>'
    )
