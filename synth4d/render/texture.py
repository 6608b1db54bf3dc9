"""Procedural surface colour: deterministic patterns of a point in the body's frame, projected along its axes.

Patterns scale the base colour about a mean of one, so a textured thing keeps the colour it is named by.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import RenderError
from synth4d.render.tone import linear
from synth4d.types import F32, F64, Material, Vec3

U32 = NDArray[np.uint32]

_TILE = 256
_PLANES = np.array([[1, 2], [0, 2], [0, 1]])
"""Lattice axes seen along x, y, z: the second is up wherever there is an up."""


def albedo(material: Material, points: F64, normals: F64, low: F64, high: F64) -> F32:
    """Linear colour (N,3) at points (N,3) with normals (N,3) of a surface with bounds low, high (3,)."""
    base = np.array(material.srgb)
    if material.texture.startswith("file:"):
        srgb = _image_colour(material, base, points, normals)
    elif material.texture in _PATTERNS:
        place = Place(points, normals, low, high, material.texture_size_m)
        srgb = _PATTERNS[material.texture](base, place)
    else:
        known = ", ".join(sorted(_PATTERNS))
        raise RenderError(f"unknown texture {material.texture!r}: use one of {known}, or file:/path.png")
    return linear(np.clip(srgb, 0.0, 1.0)).astype(np.float32)


class Place:
    """Where the points of a surface are, in repeats of the texture."""

    def __init__(self, points: F64, normals: F64, low: F64, high: F64, size: float) -> None:
        self.points, self.normals, self.low, self.high, self.size = points, normals, low, high, size
        self.axis = np.argmax(np.abs(normals), axis=1)
        plane = np.take_along_axis(points, _PLANES[self.axis], 1) / size
        self.u, self.v = plane[:, 0], plane[:, 1]

    def within(self) -> F64:
        """(N,3) position in the surface's bounds, 0..1."""
        inside: F64 = (self.points - self.low) / np.maximum(self.high - self.low, 1e-9)
        return inside

    def noise(self, across: float = 1.0, along: float = 1.0, shift: float = 0.0) -> F64:
        """Fractal noise of mean 0 and deviation 1, with `across` and `along` periods a repeat."""
        u = np.floor((self.u * across + shift + 0.37 * self.axis) * _TILE).astype(np.int64) % _TILE
        v = np.floor((self.v * along + shift) * _TILE).astype(np.int64) % _TILE
        drawn: F64 = _fractal()[u, v]
        return drawn


# ---- Patterns: (base colour, place) → sRGB (N,3) ---------------------------------------------------


def _plain(base: F64, at: Place) -> F64:
    return _scaled(base, 1 + 0.012 * at.noise())


def _wood(base: F64, at: Place) -> F64:
    across = at.u * 4
    plank = np.floor(across)
    tone = _hash(plank.astype(np.int64) + 31 * at.axis) - 0.5
    grain = at.noise(6.0, 0.5) * 0.045 + at.noise(1.5, 0.25, 0.3) * 0.04
    seam = np.abs(across - plank - 0.5) > 0.485
    return _scaled(base, 1.005 + 0.14 * tone + grain - 0.18 * seam)


def _marble(base: F64, at: Place) -> F64:
    vein = np.exp(-8 * np.abs(at.noise(0.5, 0.5) + 0.3 * at.noise(2, 2, 0.6)))
    return _scaled(base, 1.035 - 0.22 * vein + 0.015 * at.noise(1, 1, 0.2))


def _tile(base: F64, at: Place) -> F64:
    u, v = at.u - np.floor(at.u), at.v - np.floor(at.v)
    grout = np.maximum(np.abs(u - 0.5), np.abs(v - 0.5)) > 0.48
    cell = np.floor(at.u).astype(np.int64) * 73 + np.floor(at.v).astype(np.int64) * 179
    tone = 0.05 * (_hash(cell) - 0.5) + 0.008 * at.noise()
    step = -0.22 if base.mean() > 0.45 else 0.35
    return _scaled(base, 1 - 0.078 * step + tone + step * grout)


def _metal(base: F64, at: Place) -> F64:
    return _scaled(base, 1 + 0.03 * at.noise(0.4, 8.0) + 0.015 * at.noise())


def _weave(base: F64, at: Place) -> F64:
    warp = np.sin(2 * np.pi * 12 * at.u) * np.sin(2 * np.pi * 12 * at.v)
    return _scaled(base, 1 + 0.09 * warp + 0.02 * at.noise())


def _stripes(base: F64, at: Place) -> F64:
    return _scaled(base, np.where((at.u + 0.25) % 1.0 < 0.5, 1.16, 0.84))


def _speckle(base: F64, at: Place) -> F64:
    fleck = _cells(at.points, at.size / 40) < 0.12
    return _scaled(base, np.where(fleck, 0.65, 1.048))


def _peel(base: F64, at: Place) -> F64:
    return _scaled(base, 1 + 0.06 * _solid(at.points, at.size / 4) + 0.05 * _solid(at.points, at.size / 24))


def _checker(base: F64, at: Place) -> F64:
    parity = np.floor(at.points / at.size * 2 + 1e-4).astype(np.int64).sum(1) % 2
    return _scaled(base, np.where(parity == 0, 1.14, 0.86))


def _label(base: F64, at: Place) -> F64:
    """A light band round the middle with rules and rows of writing."""
    z = at.within()[:, 2]
    out = _scaled(base, 0.97 + 0.012 * at.noise())
    band = np.abs(z - 0.5) < 0.16
    out[band] = 0.55 * base + 0.45
    rule = np.abs(np.abs(z - 0.5) - 0.16) < 0.02
    row = np.floor(z * 28).astype(np.int64)
    word = _hash(row * 7919 + np.floor(at.u * at.size / 0.008).astype(np.int64)) < 0.6
    out[(band & (row % 2 == 0) & word & (np.abs(z - 0.5) < 0.11)) | rule] = 0.6 * base
    return out


def _book(base: F64, at: Place) -> F64:
    """Covers with a frame and a title on the two largest sides, pages on three edges, a spine on one."""
    thin = int(np.argmin(at.high - at.low))
    wide, tall = (k for k in range(3) if k != thin)
    p = at.within()
    cover = at.axis == thin
    spine = (at.axis == wide) & (p[:, wide] < 0.5)
    a, b = p[:, wide], p[:, tall]
    edge = np.minimum(np.minimum(a, 1 - a), np.minimum(b, 1 - b))
    frame = cover & (np.abs(edge - 0.09) < 0.018)
    title = cover & (np.abs(a - 0.5) < 0.22) & (np.abs(b - 0.68) < 0.06)
    out = _scaled(base, 0.98 + 0.01 * at.noise())
    out[frame | title | (spine & (np.abs(b - 0.5) < 0.25))] = 0.5 * base + 0.5 * np.array([0.95, 0.85, 0.55])
    pages = ~cover & ~spine & (np.abs(p[:, thin] - 0.5) < 0.4)
    sheets = 0.94 + 0.06 * np.sin(2 * np.pi * 9 * p[pages, thin])
    out[pages] = np.array([0.93, 0.90, 0.80]) * sheets[:, None]
    return out


_PATTERNS: dict[str, Callable[[F64, Place], F64]] = {
    "plain": _plain,
    "wood": _wood,
    "marble": _marble,
    "tile": _tile,
    "metal": _metal,
    "weave": _weave,
    "stripes": _stripes,
    "speckle": _speckle,
    "peel": _peel,
    "checker": _checker,
    "label": _label,
    "book": _book,
}
NAMES = tuple(sorted(_PATTERNS))


def _scaled(base: F64, factor: F64) -> F64:
    return base * factor[:, None]


# ---- Images -----------------------------------------------------------------------------------------


def _image_colour(material: Material, base: F64, points: F64, normals: F64) -> F64:
    """The image's own variation about its mean, added to the base colour."""
    image, mean = _image(material.texture.removeprefix("file:"))
    at = Place(points, normals, points[:0], points[:0], material.texture_size_m)
    column = np.floor((at.u - np.floor(at.u)) * image.shape[1]).astype(np.int64) % image.shape[1]
    row = np.floor((np.ceil(at.v) - at.v) * image.shape[0]).astype(np.int64) % image.shape[0]
    return base + (image[row, column] - mean)


@lru_cache(maxsize=32)
def _image(path: str) -> tuple[F64, Vec3]:
    """An image as sRGB 0..1, at most 256 a side (the finest a texture is seen at), and its mean."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError) as e:
        raise RenderError(f"texture {path} can't be read as an image ({e}): check the scene's material") from e
    picture = picture.reduce(max(1, max(picture.size) // 256))
    image = np.asarray(picture, float) / 255
    r, g, b = image.mean((0, 1))
    return image, (float(r), float(g), float(b))


# ---- Noise ------------------------------------------------------------------------------------------


def _hash(cell: NDArray[np.int64]) -> F64:
    """Uniform 0..1 from an integer."""
    x = (cell.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    uniform: F64 = (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def _key(cell: NDArray[np.int64]) -> NDArray[np.int64]:
    key: NDArray[np.int64] = cell[:, 0] * 73856093 + cell[:, 1] * 19349663 + cell[:, 2] * 83492791
    return key


def _cells(points: F64, size: float) -> F64:
    """One uniform value for each cube of a grid."""
    return _hash(_key(np.floor(points / size).astype(np.int64)))


def _solid(points: F64, size: float) -> F64:
    """Value noise in space, −1..1, with features of `size` metres."""
    p = points / size
    cell = np.floor(p).astype(np.int64)
    f = p - cell
    f = f * f * (3 - 2 * f)
    out = np.zeros(len(points))
    for corner in np.ndindex(2, 2, 2):
        c = np.array(corner)
        weight = np.prod(np.where(c == 1, f, 1 - f), axis=1)
        out += weight * (2 * _hash(_key(cell + c)) - 1)
    return out


@lru_cache(maxsize=1)
def _fractal() -> F64:
    """A periodic tile of fractal value noise, mean 0, deviation 1."""
    out = np.zeros((_TILE, _TILE))
    for octave, period in enumerate((4, 8, 16, 32, 64, 128)):
        out += 0.55**octave * _octave(period, octave)
    out -= out.mean()
    tile: F64 = np.clip(out / out.std(), -2.5, 2.5)
    return tile


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
