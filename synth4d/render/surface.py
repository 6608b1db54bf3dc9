"""Triangles ready to be covered with Gaussians: cleaned, with shading normals and hard edges.

All arrays are in the bodies' own frames. A *hard line* is a convex crease or open border of the flat patch
a triangle belongs to: Gaussians keep a distance from it so that edges come out clean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import RenderError
from synth4d.render import _author
from synth4d.types import F64, I32, Body, Material, Surface

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Triangles:
    corners: F64
    """(F,3,3)"""
    normals: F64
    """(F,3,3) shading normals at the corners"""
    flat: F64
    """(F,3) geometric normal"""
    body: I32
    """(F,) index in World.bodies"""
    skin: I32
    """(F,) index in the list of skins"""
    source: I32
    """(F,) row in Outlines"""
    share: F64
    """(F,3,3) corners as barycentric coordinates of the source"""

    def take(self, rows: NDArray[np.integer[Any]] | Bool) -> Triangles:
        return Triangles(*(getattr(self, f.name)[rows] for f in fields(self)))

    def __len__(self) -> int:
        return len(self.corners)


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """What surrounds each triangle as it was in its mesh, before any cutting (S rows, H hard lines)."""

    begin: I64
    """(S+1,) where the hard lines of each triangle begin, at most `_author.LINES` of them"""
    lines: F64
    """(H,4) hard lines: distance of a point p inward is lines[:3]·p − lines[3]"""
    widths: F64
    """(H,) width of the strip between a hard line and the one opposite; inf = no opposite"""
    beyond: F64
    """(H,) width of the strip on the other side of a hard line; inf = wide"""
    across: F64
    """(H,3) normal of the face on the other side of a hard line; NaN = an open border"""
    strip: F64
    """(S,) least of the widths"""
    bend: F64
    """(S,) least radius of convex curvature; inf = flat or hollow"""
    slack: F64
    """(S,) sine by which a triangle may be turned away from a camera and yet be part of what it sees"""
    face: I32
    """(S,) row in the faces of its surface"""


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """A surface's look and its bounds in the body's frame, which patterns are fitted to."""

    body: int
    """Index in World.bodies"""
    material: Material
    low: F64
    high: F64
    uv: F64 | None
    """As in Surface"""


def gather(bodies: tuple[Body, ...], wanted: Sequence[bool] | None = None) -> tuple[Triangles, Outlines, list[Skin]]:
    """Every visible triangle of the bodies that are wanted (None: all; liquids are particles, not surfaces), and a
    skin a surface."""
    drawn = [
        (index, surface)
        for index, body in enumerate(bodies)
        if body.role != "liquid" and (wanted is None or wanted[index])
        for surface in body.surfaces
        if len(surface.faces) and surface.drawn
    ]
    for index, surface in drawn:
        if not np.isfinite(surface.vertices).all():
            raise RenderError(f"{bodies[index].name}: a vertex of its mesh is not finite: mend the model")
    corners, normals, flat, begin, lines, widths, beyond, across, strip, bend, skin, face, bounds = _author.ready(
        [(surface.vertices, surface.faces, surface.smooth) for _, surface in drawn]
    )
    skins = [Skin(i, s.material, low, high, s.uv) for (i, s), (low, high) in zip(drawn, bounds, strict=True)]
    body = np.array([s.body for s in skins], np.int32)[skin]
    slack = np.array([_slack(surface) for _, surface in drawn], float)[skin]
    share = np.broadcast_to(np.eye(3), corners.shape)
    triangles = Triangles(corners, normals, flat, body, skin, np.arange(len(skin), dtype=np.int32), share)
    return triangles, Outlines(begin, lines, widths, beyond, across, strip, bend, slack, face), skins


def _slack(surface: Surface) -> float:
    """Shading normals lean away from flat ones: a smooth silhouette is carried by triangles just behind it."""
    return 1.0 if surface.two_sided else 0.2 if surface.smooth else 1e-3


def mix(bary: F64, values: F64) -> F64:
    """Weigh corner values (M,3,C) with barycentric coordinates (M,K,3) → (M,K,C), without BLAS."""
    mixed: F64 = bary[:, :, 0:1] * values[:, None, 0]
    for k in (1, 2):
        mixed = mixed + bary[:, :, k : k + 1] * values[:, None, k]
    return mixed


def ranges(counts: I64) -> tuple[I64, I64]:
    """For counts (N,): the owner of every item (sum,) and the item's number within its owner."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def dot(a: F64, b: F64) -> F64:
    """Over a last axis of three, which numpy's own sum takes three times as long for."""
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2])


def middle(corners: F64) -> F64:
    """(F,3) of triangles (F,3,3), in a third of the time of numpy's mean."""
    return np.asarray((corners[:, 0] + corners[:, 1] + corners[:, 2]) / 3)


def unit(v: F64) -> F64:
    return v / np.maximum(np.sqrt(dot(v, v)), 1e-12)[..., None]
