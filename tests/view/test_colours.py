"""Lines of a chart are told apart by every eye, and stand out from their ground."""

import itertools
import re

import numpy as np
import pytest

from tabnet_auto.view import svg

# What colours look like without one kind of cone, in linear RGB (Machado, Oliveira and Fernandes,
# 2009, severity 1).
EYES = {
    "all cones": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour):
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(light):
    """CIE L*a*b*, in which equal distances look about equally far apart."""
    xyz = TO_XYZ @ np.clip(light, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def series(scheme):
    css = svg.asset("picture.css").split("@media")[scheme == "dark"]
    ground = re.search(r"\.panel \{ fill: (#\w{6})", css)[1]
    return ground, re.findall(r"\.s\d \{ stroke: (#\w{6})", css)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_two_lines_look_alike(scheme, eye):
    _, colours = series(scheme)
    assert len(colours) == svg.N_COLOURS
    seen = [lab(np.asarray(EYES[eye]) @ linear(colour)) for colour in colours]
    near = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert near > 12, "a difference of 2 is just seen side by side"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_and_fills_stand_out_from_their_ground(scheme):
    ground, colours = series(scheme)
    assert min(svg.contrast(colour, ground) for colour in colours) >= 3
    css = svg.asset("picture.css").split("@media")[scheme == "dark"]
    fills = re.findall(r"\.f\d \{ fill: (#\w{6})", css)
    assert fills == colours
