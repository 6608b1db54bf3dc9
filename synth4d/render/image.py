"""Colours that surfaces look up in images by their UVs, averaged over what each Gaussian covers.

A pyramid of halved images, averaged in linear light, is read between two levels and four texels (trilinear
filtering: Williams 1983, Pyramidal Parametrics).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import RenderError
from synth4d.render.tone import encode, linear
from synth4d.types import F32, F64, U8, Image, Material

I64 = NDArray[np.int64]

_LINEAR = linear(np.arange(256) / 255).astype(np.float32)
_SIDES = np.array([[2, 1], [2, 1], [0, 2], [0, 2], [0, 1], [0, 1]])
_SIGNS = np.array([[-1, -1], [1, -1], [1, 1], [1, -1], [1, -1], [-1, -1]])
"""Axes that run right and down in each face of a cube map, and which way (OpenGL 4.6, table 8.19)."""


def albedo(material: Material, uv: F64, corners: F64, triangle: I64, share: F32, grain: F32) -> F32:
    """Linear colour (N,3) of points in triangles that have UVs (T,3,2 or 3) and corners (T,3,3). Given are the
    triangle of each point (N,), where in it (N,3) barycentric, and how far apart points are (N,) metres."""
    assert material.image is not None
    levels = _pyramid(material.image)
    at = sum(share[:, k, None] * uv[triangle, k] for k in range(3))
    edge = np.sqrt(np.sum((corners - np.roll(corners, -1, 1)) ** 2, 2))
    faces, height, width, _ = levels[0].shape
    if uv.shape[2] != (3 if faces == 6 else 2):
        raise RenderError("a cube map is looked up by directions (F,3,3), a picture by UVs (F,3,2): mend the model")
    if faces == 6:
        side, place, scale = _cube(at)
        rate = np.sqrt(np.sum((uv - np.roll(uv, -1, 1)) ** 2, 2)) / np.maximum(edge, 1e-9)
        texels = rate.max(1)[triangle] * scale * (width / 2)
    else:
        side, place = np.zeros(len(at), np.int64), np.stack([at[:, 0], 1 - at[:, 1]], 1)
        step = (uv - np.roll(uv, -1, 1)) * (width, height)
        texels = (np.sqrt(np.sum(step * step, 2)) / np.maximum(edge, 1e-9)).max(1)[triangle]
    fraction, exponent = np.frexp(np.maximum(texels * grain, 1.0))
    # Between powers of two the logarithm is taken as straight: exact operations only.
    level = np.minimum(exponent - 2 + 2 * fraction, len(levels) - 1)
    out = np.zeros((len(at), 3), np.float32)
    for k, texture in enumerate(levels):
        weight = np.maximum(1 - np.abs(level - k), 0)
        rows = np.flatnonzero(weight)
        if len(rows):
            out[rows] += weight[rows, None].astype(np.float32) * _bilinear(texture, side[rows], place[rows])
    return out * linear(np.array(material.srgb)).astype(np.float32)


def _bilinear(texture: U8, side: I64, place: F64) -> F32:
    """(N,3) linear colour at places (N,2), 0..1 right and down; pictures repeat, the sides of a cube end."""
    faces, height, width, _ = texture.shape
    out = np.zeros((len(side), 3), np.float32)
    corner, share = [], []
    for p, size in zip(place.T, (width, height), strict=True):
        x = (p - np.floor(p) if faces == 1 else p) * size - 0.5
        low = np.floor(x).astype(np.int64)
        both = low, low + 1
        corner.append([c % size if faces == 1 else np.clip(c, 0, size - 1) for c in both])
        share.append([(1 - (x - low)).astype(np.float32), (x - low).astype(np.float32)])
    for i in (0, 1):
        for j in (0, 1):
            out += (share[0][i] * share[1][j])[:, None] * _LINEAR[texture[side, corner[1][j], corner[0][i]]]
    return out


def _cube(way: F64) -> tuple[I64, F64, F64]:
    """Face of a cube map, place in it (N,2) and 1 / length along its axis, for directions (N,3)."""
    row = np.arange(len(way))
    axis = np.argmax(np.abs(way), 1)
    major = way[row, axis]
    side = 2 * axis + (major < 0)
    scale = 1 / np.maximum(np.abs(major), 1e-12)
    place = np.stack([way[row, _SIDES[side, k]] * _SIGNS[side, k] * scale for k in (0, 1)], 1)
    return side, (place + 1) / 2, scale


@lru_cache(maxsize=64)
def _pyramid(image: Image) -> tuple[U8, ...]:
    """(1 or 6, h, w, 3) sRGB of an image and its halves, down to a texel."""
    pixels = image.pixels
    cube = pixels.ndim == 4
    if pixels.dtype != np.uint8 or pixels.shape[-1:] != (3,) or pixels.ndim != 3 + cube or 0 in pixels.shape:
        raise RenderError(f"image: need (H,W,3) or (6,S,S,3) uint8, got {pixels.shape} {pixels.dtype}")
    if cube and (pixels.shape[0] != 6 or pixels.shape[1] != pixels.shape[2]):
        raise RenderError(f"image: a cube map has six square sides (6,S,S,3), got {pixels.shape}")
    levels = [pixels if cube else pixels[None]]
    while max(levels[-1].shape[1:3]) > 1:
        levels.append(_halved(levels[-1]))
    return tuple(levels)


def _halved(texture: U8) -> U8:
    """Twice as wide texels; an odd last row or column is counted twice."""
    _, height, width, _ = texture.shape
    rows, columns = (np.minimum(np.arange(2 * ((n + 1) // 2)), n - 1) for n in (height, width))
    light = _LINEAR[texture[:, rows][:, :, columns]]
    mean = (light[:, ::2, ::2] + light[:, 1::2, ::2] + light[:, ::2, 1::2] + light[:, 1::2, 1::2]) / 4
    halved: U8 = np.floor(encode(mean.astype(np.float64)) * 255 + 0.5).astype(np.uint8)
    return halved
