"""The small parts of pictures: safe text, scales and ticks, colours, the axes' frame."""

from __future__ import annotations

import base64
import html
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

Drawing = tuple[float, float, list[str]]
"""Width, height and parts of a picture."""
FULL, HALF = 980.0, 464.0
"""Widths of a picture across the page, and of two side by side."""
NAME_WIDTH = 24
"""Letters of a column name that fit beside a picture's rows."""

N_COLOURS = 7
N_LEVELS = 24
# Even steps of lightness (the "mako" family, like viridis safe for colour-blind readers): from
# the panel's own background to the far end, so that "nothing" recedes in light and in dark.
_LIGHT = ("#f1f5f4", "#cde8da", "#93d2bd", "#55b3ad", "#378fa3", "#386a99", "#3f4479", "#2b1c38")
_DARK = ("#1e2630", "#2b3050", "#3a4680", "#38659a", "#3689a4", "#46adad", "#86cfb9", "#dff5e3")
# Differences: orange below zero, blue above, told apart by most colour-blind readers.
_BELOW_LIGHT = ("#f1f5f4", "#fbdcbd", "#f2a867", "#cf6a14", "#8a3d05")
_ABOVE_LIGHT = ("#f1f5f4", "#cfe2f3", "#86b8e0", "#3580bb", "#0d4c88")
_BELOW = ("#1e2630", "#4a3423", "#86501f", "#c9762a", "#ffb870")
_ABOVE = ("#1e2630", "#213d5a", "#2b6599", "#4d99d3", "#a3d2f8")
_INKS = ("#ffffff", "#000000")

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(value: object) -> str:
    """Return text that is safe between tags and inside quoted attributes, in HTML and XML."""
    return html.escape(_NOT_XML.sub("\ufffd", str(value)), quote=True)


def letters(text: str) -> list[int]:
    """Return the width of every letter: 2 of a wide one, 1 of a Latin one."""
    return [2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text]


def shorten(value: object, width: int) -> str:
    """Return the text cut in its middle to ``width`` Latin letters; wide letters count double."""
    text = " ".join(str(value).split()) or "(blank)"
    sizes = letters(text)
    if sum(sizes) <= width:
        return text
    # Column names differ at their ends as often as at their starts, so both are kept.
    head, tail, room, left = "", "", width - 1, True
    i, j = 0, len(text) - 1
    while i <= j and room >= (sizes[i] if left else sizes[j]):
        if left:
            head, room, i = head + text[i], room - sizes[i], i + 1
        else:
            tail, room, j = text[j] + tail, room - sizes[j], j - 1
        left = not left
    return f"{head}…{tail}"


def number(value: float) -> str:
    """Return a coordinate with one decimal at most: small files, the same on every machine."""
    short = f"{value:.1f}".removesuffix(".0")
    return "0" if short == "-0" else short


def minus(number: str) -> str:
    """Return a number with a true minus sign, as wide as a plus.

    >>> minus("-0.25")
    '−0.25'
    """
    return number.replace("-", "−")


def bare_percent(share: float) -> str:
    """Return a share as a bare percentage of at most two digits and a point.

    >>> [bare_percent(v) for v in (0.0744, 0.314, float("nan"))]
    ['7.4', '31', '–']
    """
    if not math.isfinite(share):
        return "–"
    return f"{share * 100:.1f}" if share < 0.0995 else f"{share * 100:.0f}"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers between ``low`` and ``high``.

    >>> ticks(0.0, 1.0, 4)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low]
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= rough * 0.75)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def tick_label(value: float) -> str:
    """Return a tick's number, short.

    >>> [tick_label(v) for v in (-0.25, 1500.0, 2e6, 0.0)]
    ['−0.25', '1,500', '2M', '0']
    """
    if value == 0:
        return "0"
    if 1000 <= abs(value) < 1e6 and value == int(value):
        return minus(f"{int(value):,}")
    if 1e6 <= abs(value) < 1e9:
        return minus(f"{value / 1e6:.4g}M")
    return minus(f"{value:.6g}" if abs(value) < 1e6 else f"{value:.3g}")


def _mix(stops: Sequence[str], at: float) -> str:
    place = min(max(at, 0.0), 1.0) * (len(stops) - 1)
    i = min(int(place), len(stops) - 2)
    a, b = (tuple(int(stops[k][c : c + 2], 16) for c in (1, 3, 5)) for k in (i, i + 1))
    mixed = (round(x + (y - x) * (place - i)) for x, y in zip(a, b, strict=True))
    return "#" + "".join(f"{v:02x}" for v in mixed)


@cache
def ramp_css() -> str:
    """Return the fill of each colour level, for light and for dark surroundings."""
    last = N_LEVELS - 1
    schemes = []
    for stops in (_LIGHT, _DARK):
        fills = [_mix(stops, i / last) for i in range(N_LEVELS)]
        schemes.append(
            "".join(
                f".r{i}{{fill:{fill}}}text.t{i}{{fill:{_ink(fill)}}}"
                for i, fill in enumerate(fills)
            )
        )
    return f"{schemes[0]}@media(prefers-color-scheme:dark){{{schemes[1]}}}"


@cache
def cell_css() -> str:
    """Return the looks of shaded table cells: shares, and differences below and above zero."""
    schemes = []
    for ramp, below, above in ((_LIGHT, _BELOW_LIGHT, _ABOVE_LIGHT), (_DARK, _BELOW, _ABOVE)):
        fills = {f"h{i}": _mix(ramp, i / (N_LEVELS - 1)) for i in range(N_LEVELS)}
        for letter, stops in (("m", below), ("p", above)):
            fills |= {f"{letter}{i}": _mix(stops, i / 8) for i in range(1, 9)}
        schemes.append(
            "".join(
                # Stronger than the looks of a pointed-out or hovered row of a table.
                f".ta-report .ta-table .ta-heat.{name},.ta-report .ta-scale .{name}"
                f"{{background:{fill};color:{_ink(fill)}}}"
                for name, fill in fills.items()
            )
        )
    return f"{schemes[0]}@media screen and (prefers-color-scheme:dark){{{schemes[1]}}}"


def contrast(a: str, b: str) -> float:
    """Return the WCAG contrast ratio of two colours, from 1 to 21."""
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _ink(fill: str) -> str:
    """Return the colour of text that is read best on a cell."""
    return max(_INKS, key=lambda ink: contrast(fill, ink))


def level(share: float) -> int:
    """Return the colour level of a value between 0 and 1."""
    return round(min(max(share, 0.0), 1.0) * (N_LEVELS - 1)) if math.isfinite(share) else 0


@cache
def asset(name: str) -> str:
    """Return the text of a file in ``view/assets``."""
    return (files("tabnet_auto.view") / "assets" / name).read_text("utf-8")


@cache
def _picture_css() -> str:
    plain = re.sub(r"/\*.*?\*/", "", asset("picture.css"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", plain).strip()


def document(width: float, height: float, parts: Sequence[str], *, ramp: bool = False) -> str:
    """Return a complete SVG document on a panel of its own."""
    css = _picture_css() + (ramp_css() if ramp else "")
    w, h = number(width), number(height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}">'
        f"<style>{css}</style>"
        f'<rect class="panel" width="{w}" height="{h}" rx="6"/>{"".join(parts)}</svg>'
    )


def data_uri(svg: str) -> str:
    """Return the picture as an address that needs no file and survives HTML sanitising."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def text(x: float, y: float, value: object, css: str = "", *, slanted: bool = False) -> str:
    """Return one line of text, level or slanted, rising to the right."""
    look = f' class="{css}"' if css else ""
    look += f' transform="rotate(-45 {number(x)} {number(y)})"' if slanted else ""
    return f'<text x="{number(x)}" y="{number(y)}"{look}>{escape(value)}</text>'


def line(x: float, y: float, to: tuple[float, float], css: str) -> str:
    """Return one straight line from ``(x, y)`` to ``to``."""
    return f'<path class="{css}" d="M{number(x)} {number(y)}L{number(to[0])} {number(to[1])}"/>'


def rect(x: float, y: float, size: tuple[float, float], css: str, title: str = "") -> str:
    """Return a rectangle of ``size`` (width, height)."""
    w, h = number(max(size[0], 0.0)), number(max(size[1], 0.0))
    shape = f'class="{css}" x="{number(x)}" y="{number(y)}" width="{w}" height="{h}"'
    return f"<rect {shape}><title>{escape(title)}</title></rect>" if title else f"<rect {shape}/>"


def scale(left: float, top: float, peak: float, unit: str = "") -> list[str]:
    """Return the colours from nothing to ``peak``, and in words what they are shares of."""
    step, start = 5, left + 22
    end = start + N_LEVELS * step + 8
    return [
        text(left, top + 9.5, "0%", "quiet small"),
        *(rect(start + i * step, top, (step + 0.5, 10), f"r{i}") for i in range(N_LEVELS)),
        text(end, top + 9.5, f"{bare_percent(peak)}%{unit}", "quiet small"),
    ]


@dataclass(frozen=True)
class Frame:
    """A plotting area in pixels, and the ranges of its two axes."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def px(self, value: float) -> float:
        """Return the horizontal place of a value."""
        low, high = self.x
        return self.left + self.width * (value - low) / ((high - low) or 1.0)

    def py(self, value: float) -> float:
        """Return the vertical place of a value."""
        low, high = self.y
        return self.top + self.height * (1 - (value - low) / ((high - low) or 1.0))

    def axes(self, x_label: str, y_label: str, *, percent: tuple[bool, bool]) -> list[str]:
        """Return grid, ticks and labels; ``percent`` says for each axis whether it is a share."""
        bottom = self.top + self.height
        out = []
        for value in ticks(*self.y, 5 if self.height > 260 else 4):
            at = self.py(value)
            out.append(line(self.left, at, (self.left + self.width, at), "grid"))
            out.append(text(self.left - 8, at + 4, _label(value, percent[1]), "end quiet small"))
        for value in ticks(*self.x, 5):
            at = self.px(value)
            out.append(line(at, bottom, (at, bottom + 4), "axis"))
            out.append(text(at, bottom + 18, _label(value, percent[0]), "mid quiet small"))
        out.append(line(self.left, bottom, (self.left + self.width, bottom), "axis"))
        out.append(text(self.left + self.width / 2, bottom + 36, shorten(x_label, 58), "mid"))
        # Above the axis and level: sideways text is hard to read.
        out.append(text(2, self.top - 12, shorten(y_label, 40)))
        return out

    def path(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        """Return the path through the points; a value that is not finite breaks the line."""
        out, pen = "", "M"
        for x, y in zip(xs, ys, strict=False):
            if not (math.isfinite(x) and math.isfinite(y)):
                pen = "M"
                continue
            out += f"{pen}{number(self.px(x))} {number(self.py(y))}"
            pen = "L"
        return out


def _label(value: float, percent: bool) -> str:  # noqa: FBT001 - private, read at one place
    return f"{value * 100:.3g}%" if percent else tick_label(value)


def span(values: Sequence[float], pad: float = 0.05) -> tuple[float, float]:
    """Return the range of the finite values with some air; (0, 1) where there are none."""
    found = [v for v in values if math.isfinite(v)]
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    air = (high - low) * pad or abs(high) * 0.05 or 0.5
    return low - air, high + air
