"""Log-log pictures of the growth rows, as small SVG files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from engine_parts.report import Row

from tabnet_auto.view.svg import document, escape, number

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 420, 260, 62, 34, 20, 44
COLOURS = {"modern": "#0b6bcb", "paper": "#c2410c"}

Points = list[tuple[float, float]]


def draw_growth(rows: Sequence[Row], stem: Path) -> list[Path]:
    """One picture an axis and measure: ``STEM-rows-seconds.svg`` and so on."""
    measured = [r for r in rows if r.get("axis") and r.get("ours_s")]
    written = []
    for axis in dict.fromkeys(r["axis"] for r in measured):
        for title, key in (("seconds per epoch", "ours_s"), ("peak memory, MiB", "peak_mib")):
            lines: dict[str, Points] = {}
            for r in measured:
                if r["axis"] == axis:
                    lines.setdefault(r["kind"], []).append((r[axis], r[key]))
            path = stem.with_name(f"{stem.name}-{axis}-{title.split()[0].strip(',')}.svg")
            path.write_text(picture(f"{title} by {axis}", lines), encoding="utf-8")
            written.append(path)
    return written


def decades(values: Sequence[float]) -> list[float]:
    """Powers of ten around the values, or around half of them where that is enough."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**p for p in range(low, max(high, low + 1) + 1)]


def picture(title: str, lines: dict[str, Points]) -> str:
    """One log-log picture; a grey line shows what linear growth from the first point would be."""
    sizes = [x for points in lines.values() for x, _ in points]
    xs, ys = [min(sizes), max(sizes) * 1.0001], decades([y for p in lines.values() for _, y in p])

    def place(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / xs[0]) / math.log(xs[-1] / xs[0])
        up = math.log(y / ys[0]) / math.log(ys[-1] / ys[0])
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - min(max(up, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [words(LEFT, 20, title, size=13)]
    for y in ys:
        parts.append(path([place(xs[0], y), place(xs[-1], y)], "#8886", 1))
        parts.append(words(LEFT - 6, place(xs[0], y)[1] + 4, f"{y:g}", anchor="end"))
    parts += [
        words(place(x, ys[0])[0], HEIGHT - BOTTOM + 16, f"{x:,g}", anchor="middle")
        for x in sorted(set(sizes))
    ]
    for i, (kind, unsorted) in enumerate(lines.items()):
        points = sorted(unsorted)
        (x0, y0), end = points[0], points[-1][0]
        end = min(end, x0 * ys[-1] / y0)
        parts.append(path([place(x0, y0), place(end, y0 * end / x0)], "#888", 1, dash="3 4"))
        colour = COLOURS.get(kind, "#444")
        parts.append(path([place(*p) for p in points], colour, 2))
        parts.append(words(LEFT + 8 + 90 * i, HEIGHT - 8, f"— {kind}", fill=colour))
    parts.append(words(WIDTH - RIGHT, HEIGHT - 8, "dotted: linear", anchor="end"))
    return document(WIDTH, HEIGHT, parts)


def path(points: Sequence[tuple[float, float]], colour: str, width: int, dash: str = "") -> str:
    """A line through points."""
    d = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def words(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 11, fill: str = ""
) -> str:
    """A piece of text."""
    colour = f' style="fill:{fill}"' if fill else ""
    return (
        f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" '
        f'font-size="{size}"{colour}>{escape(text)}</text>'
    )
