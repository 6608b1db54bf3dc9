"""Texture coordinates of primitives, as MuJoCo 4 lays pictures on them.

A box shows the picture on each side, upright on the four that stand. Round shapes wrap it once about their z axis,
from +x by way of +y; its rows run from the upper pole to the lower, on a cylinder or a capsule from rim to rim, with
each cap of a capsule taking a picture of its own, and the flat ends of a cylinder are seen from below. Measured
against MuJoCo's own renderer.
"""

from __future__ import annotations

import numpy as np

from synth4d.physics import Geom
from synth4d.types import F64, I32


def uv(geom: Geom, vertices: F64, faces: I32) -> F64 | None:
    """(F,3,2 or 3) as in types.Surface, of a geom's triangles in its own frame; None without an image."""
    if geom.image is None or geom.type == "mesh":
        return geom.uv
    corners = vertices[faces]
    if geom.image.pixels.ndim == 4:
        return corners * np.array(geom.tiling)
    across, down = _box(corners, geom.size) if geom.type == "box" else _round(corners, geom)
    # Rounded: the last bits of arctan2 and arccos differ between processors.
    return np.round(np.stack([across * geom.tiling[0], 1 - down * geom.tiling[1]], 2), 9)


def _box(corners: F64, half: tuple[float, float, float]) -> tuple[F64, F64]:
    p = corners / np.array(half)
    axis = np.argmax(np.abs(_normals(corners)), 1)
    sides = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    across, up = (np.take_along_axis(p, sides[:, None, k, None], 2)[..., 0] for k in (0, 1))
    return (1 + across) / 2, (1 - up) / 2


def _round(corners: F64, geom: Geom) -> tuple[F64, F64]:
    radius, half, _ = geom.size
    if geom.type in ("sphere", "ellipsoid"):
        corners = corners / (np.array(geom.size) if geom.type == "ellipsoid" else radius)
    x, y, z = np.moveaxis(corners, 2, 0)
    turn = np.arctan2(y, x) / (2 * np.pi)
    middle = corners.mean(1)
    about = np.arctan2(middle[:, 1], middle[:, 0])[:, None] / (2 * np.pi)
    # A corner's turn is the one nearest to its triangle's; at a pole there is none but the triangle's.
    turn = turn - np.round(turn - about)
    turn = np.where(np.hypot(x, y) < 1e-9, about, turn)
    turn = turn + (about < 0)
    if geom.type in ("sphere", "ellipsoid"):
        return turn, np.arccos(np.clip(z, -1, 1)) / np.pi
    if geom.type == "cylinder":
        flat = (np.abs(_normals(corners)[:, 2]) > 0.5)[:, None]
        return np.where(flat, (1 + x / radius) / 2, turn), np.where(flat, (1 + y / radius) / 2, (1 - z / half) / 2)
    cap = np.clip((np.abs(z) - half) / radius, 0, 1)
    polar = np.arccos(cap) / (np.pi / 2)
    beyond = np.abs(middle[:, 2:]) > half
    return turn, np.where(beyond, np.where(z > 0, polar, 1 - polar), (1 - z / half) / 2)


def _normals(corners: F64) -> F64:
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return cross / np.maximum(np.sqrt(np.sum(cross * cross, 1, keepdims=True)), 1e-18)
