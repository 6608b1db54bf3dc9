"""Procedural surface colour: deterministic patterns of a point in the body's frame, projected along its axes.

Patterns scale the base colour about a mean of one, so a textured thing keeps the colour it is named by.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synth4d.errors import RenderError
from synth4d.render import _light
from synth4d.render.tone import linear_fast
from synth4d.types import F32, F64, Material

I64 = NDArray[np.int64]

_TILE = 256


def albedo(material: Material, at: Place) -> F32:
    """Linear colour (N,3) of a surface at a place."""
    base = np.array(material.srgb, np.float32)
    if material.texture.startswith("file:"):
        srgb = _image_colour(material.texture.removeprefix("file:"), base, at)
    elif material.texture in _PATTERNS:
        srgb = _PATTERNS[material.texture](base, at)
    else:
        known = ", ".join(NAMES)
        raise RenderError(f"unknown texture {material.texture!r}: use one of {known}, or file:/path.png")
    return linear_fast(srgb)


class Place:
    """Where the points of a surface are: N points in the body's frame, the axis each is projected along, the
    surface's bounds, the length of a repeat, the grain (N,): how far apart points are, and the pattern's shift in
    repeats."""

    def __init__(
        self, points: F32, axis: I64, low: F64, high: F64, size: float, grain: F32, phase: float = 0.0
    ) -> None:
        self.shifted = points + np.float32(phase * size)
        self.points, self.axis, self.low, self.high, self.size, self.grain = points, axis, low, high, size, grain
        x, y, z = (self.shifted[:, k] / np.float32(size) for k in range(3))
        # Seen along x, y, z: the second axis of the pattern is up wherever there is an up.
        self.u: F32 = np.where(axis == 0, y, x)
        self.v: F32 = np.where(axis == 2, y, z)

    def within(self) -> F32:
        """(N,3) position in the surface's bounds, 0..1."""
        inside: F32 = (self.points - _f32(self.low)) / _f32(np.maximum(self.high - self.low, 1e-9))
        return inside

    def noise(self, across: float = 1.0, along: float = 1.0, shift: float = 0.0) -> F32:
        """Fractal noise of mean 0 and deviation 1, with `across` and `along` periods a repeat."""
        return _light.noise(self.u, self.v, self.axis, across, along, shift, _fractal())

    def line(self, distance: F32, half_width: float) -> F32:
        """Share of a line of half_width metres that a point at a distance sees, blurred over its grain: lines
        thinner than the grain fade instead of breaking up."""
        g = self.grain
        overlap = np.minimum(distance + g / 2, half_width) - np.maximum(distance - g / 2, -half_width)
        share: F32 = np.clip(overlap / g, 0, 1)
        return share

    def wave(self, phase: F32, period: float) -> F32:
        """−1 or 1 by halves of the period, blurred over the grain."""
        edge = (np.abs((phase % 1) - np.float32(0.5)) - np.float32(0.25)) * np.float32(period)
        blurred: F32 = np.clip(edge / self.grain, -0.5, 0.5) * 2
        return blurred


# ---- Patterns: (base colour, place) → sRGB (N,3) ---------------------------------------------------


def _plain(base: F32, at: Place) -> F32:
    return _scaled(base, 1 + np.float32(0.007) * at.noise())


def _wood(base: F32, at: Place) -> F32:
    across = at.u * 4
    plank = np.floor(across)
    tone = _hash(plank.astype(np.int64) + 31 * at.axis) - np.float32(0.5)
    grain = at.noise(6.0, 0.5) * np.float32(0.045) + at.noise(1.5, 0.25, 0.3) * np.float32(0.04)
    seam = at.line((np.float32(0.5) - np.abs(across - plank - np.float32(0.5))) * np.float32(at.size / 4), 0.0015)
    return _scaled(base, 1 + np.float32(0.14) * tone + grain - np.float32(0.22) * seam)


def _marble(base: F32, at: Place) -> F32:
    vein = np.exp(-8 * np.abs(at.noise(0.5, 0.5) + np.float32(0.3) * at.noise(2, 2, 0.6)))
    return _scaled(base, np.float32(1.035) - np.float32(0.22) * vein + np.float32(0.015) * at.noise(1, 1, 0.2))


def _tile(base: F32, at: Place) -> F32:
    cu, cv = np.floor(at.u), np.floor(at.v)
    to_edge = np.float32(0.5) - np.maximum(np.abs(at.u - cu - np.float32(0.5)), np.abs(at.v - cv - np.float32(0.5)))
    grout = at.line(to_edge * np.float32(at.size), 0.012 * at.size)
    tone = np.float32(0.05) * (_hash(cu.astype(np.int64) * 73 + cv.astype(np.int64) * 179) - np.float32(0.5))
    step = np.float32(-0.25 if base.mean() > 0.45 else 0.35)
    return _scaled(base, 1 - np.float32(0.047) * step + tone + step * grout)


def _metal(base: F32, at: Place) -> F32:
    return _scaled(base, 1 + np.float32(0.022) * at.noise(0.4, 8.0))


def _weave(base: F32, at: Place) -> F32:
    warp = at.wave(12 * at.u, at.size / 12) * at.wave(12 * at.v, at.size / 12)
    return _scaled(base, 1 + np.float32(0.07) * warp + np.float32(0.02) * at.noise())


def _stripes(base: F32, at: Place) -> F32:
    return _scaled(base, 1 + np.float32(0.16) * at.wave(at.u, at.size))


def _checker(base: F32, at: Place) -> F32:
    """Cells in space, so that they meet at edges."""
    x, y, z = (at.wave(at.shifted[:, k] / np.float32(at.size) + np.float32(0.25), at.size) for k in range(3))
    product: F32 = x * y * z
    return _scaled(base, 1 + np.float32(0.14) * product)


def _speckle(base: F32, at: Place) -> F32:
    fleck = (_cells(at.shifted, at.size / 40) < 0.12).astype(np.float32)
    return _scaled(base, np.float32(1.048) - np.float32(0.398) * fleck)


def _peel(base: F32, at: Place) -> F32:
    mottle: F32 = np.float32(0.06) * _solid(at.shifted, at.size / 4)
    mottle += np.float32(0.05) * _solid(at.shifted, at.size / 24)
    return _scaled(base, 1 + mottle)


def _label(base: F32, at: Place) -> F32:
    """A light band round the middle with rules and rows of writing."""
    height = np.float32(at.high[2] - at.low[2])
    z = (at.within()[:, 2] - np.float32(0.5)) * height
    half = 0.16 * float(height)
    band = at.line(np.abs(z), half)[:, None]
    rule = at.line(np.abs(np.abs(z) - np.float32(half)), 0.012 * float(height))
    row = np.floor(z / np.float32(0.011)).astype(np.int64)
    word = _hash(row * 7919 + np.floor(at.u * np.float32(at.size / 0.007)).astype(np.int64)) < 0.55
    ink = (row % 2 == 0) & word & (np.abs(z) < 0.7 * half)
    ink_or_rule = np.maximum(rule, ink.astype(np.float32))[:, None]
    ground = base + band * (np.float32(0.5) - np.float32(0.5) * base)
    return ground + ink_or_rule * (np.float32(0.6) * base - ground)


def _book(base: F32, at: Place) -> F32:
    """Covers with a frame and a title on the two largest sides, pages on three edges, a spine on one."""
    size = at.high - at.low
    thin = int(np.argmin(size))
    wide, tall = (k for k in range(3) if k != thin)
    p = at.within() - np.float32(0.5)
    cover = at.axis == thin
    spine = (at.axis == wide) & (p[:, wide] < 0)
    a, b = np.abs(p[:, wide]) * np.float32(size[wide]), np.abs(p[:, tall]) * np.float32(size[tall])
    edge = np.minimum(np.float32(size[wide] / 2) - a, np.float32(size[tall] / 2) - b)
    frame = at.line(np.abs(edge - np.float32(0.014)), 0.002)
    title = (np.abs(p[:, wide]) < 0.2) & (np.abs(p[:, tall] - np.float32(0.2)) < 0.06)
    gilt = np.where(cover, np.maximum(frame, title), spine & (np.abs(p[:, tall]) < 0.25)).astype(np.float32)
    ground = _scaled(base, 1 + np.float32(0.01) * at.noise())
    out = ground + gilt[:, None] * np.float32(0.5) * (_f32([0.95, 0.85, 0.55]) - base)
    pages = np.flatnonzero(~cover & ~spine & (np.abs(p[:, thin]) < 0.4))
    sheets = np.float32(0.94) + np.float32(0.05) * _hash(np.floor(p[pages, thin] * 12).astype(np.int64))
    out[pages] = _f32([0.93, 0.90, 0.80]) * sheets[:, None]
    return out


_PATTERNS: dict[str, Callable[[F32, Place], F32]] = {
    "plain": _plain,
    "wood": _wood,
    "marble": _marble,
    "tile": _tile,
    "metal": _metal,
    "weave": _weave,
    "stripes": _stripes,
    "checker": _checker,
    "speckle": _speckle,
    "peel": _peel,
    "label": _label,
    "book": _book,
}
NAMES = tuple(sorted(_PATTERNS))


def _scaled(base: F32, factor: F32) -> F32:
    scaled: F32 = base * factor[:, None]
    return scaled


def _f32(values: ArrayLike) -> F32:
    return np.asarray(values, np.float32)


# ---- Images -----------------------------------------------------------------------------------------


def _image_colour(path: str, base: F32, at: Place) -> F32:
    """The image's own variation about its mean, added to the base colour."""
    image = _image(path)
    rows, columns = image.shape[:2]
    column = np.floor((at.u - np.floor(at.u)) * np.float32(columns)).astype(np.int64) % columns
    row = np.floor((np.ceil(at.v) - at.v) * np.float32(rows)).astype(np.int64) % rows
    return base + image[row, column]


@lru_cache(maxsize=32)
def _image(path: str) -> F32:
    """An image as sRGB less its mean, at most about 256 a side: nothing finer is ever seen."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError) as e:
        raise RenderError(f"texture {path} can't be read as an image ({e}): check the scene's material") from e
    picture = picture.reduce(max(1, max(picture.size) // 256))
    image = np.asarray(picture, np.float64) / 255
    return _f32(image - image.mean((0, 1)))


# ---- Noise ------------------------------------------------------------------------------------------


def _hash(cell: I64) -> F32:
    """Uniform 0..1 from an integer."""
    x = (cell.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    uniform: F32 = (x >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
    return uniform


def _key(cell: I64) -> I64:
    key: I64 = cell[:, 0] * 73856093 + cell[:, 1] * 19349663 + cell[:, 2] * 83492791
    return key


def _cells(points: F32, size: float) -> F32:
    """One uniform value for each cube of a grid."""
    return _hash(_key(np.floor(points / np.float32(size)).astype(np.int64)))


def _solid(points: F32, size: float) -> F32:
    """Value noise in space, −1..1, with features of `size` metres."""
    p = points / np.float32(size)
    cell = np.floor(p).astype(np.int64)
    f = p - cell.astype(np.float32)
    f = f * f * (3 - 2 * f)
    out = np.zeros(len(points), np.float32)
    for corner in np.ndindex(2, 2, 2):
        x, y, z = (f[:, k] if c else 1 - f[:, k] for k, c in enumerate(corner))
        out += x * y * z * (2 * _hash(_key(cell + np.array(corner))) - 1)
    return out


@lru_cache(maxsize=1)
def _fractal() -> F32:
    """A periodic tile of fractal value noise, mean 0, deviation 1."""
    out = np.zeros((_TILE, _TILE))
    for octave, period in enumerate((4, 8, 16, 32, 64, 128)):
        out += 0.55**octave * _octave(period, octave)
    out -= out.mean()
    return _f32(np.clip(out / out.std(), -2.5, 2.5))


def _octave(period: int, number: int) -> F64:
    grid = _hash(np.arange(period * period) + 1_000_003 * (number + 1)).reshape(period, period)
    x = np.arange(_TILE) * period / _TILE
    i = np.floor(x).astype(np.int64)
    f = x - i
    f = f * f * (3 - 2 * f)
    j = (i + 1) % period
    rows = grid[i] * (1 - f)[:, None] + grid[j] * f[:, None]
    smooth: F64 = rows[:, i] * (1 - f) + rows[:, j] * f
    return smooth
