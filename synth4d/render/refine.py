"""Finer light meshes where light is uneven: at the edges of shadows, in corners, beside lamps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synth4d.render import _light
from synth4d.render.bind import Authored, LightMesh
from synth4d.types import F32, I32

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]


def halve(authored: Authored, uneven: Bool) -> Authored:
    """With the triangles (F,) flagged cut in four by the middles of their edges; the Gaussians in them go along.

    The points that were there stay, in their places; the new ones follow.
    """
    mesh = authored.light
    cut = np.flatnonzero(uneven)
    corners = mesh.faces[cut]
    sides = np.sort(np.stack([corners[:, [1, 2]], corners[:, [2, 0]], corners[:, [0, 1]]], 1), 2)
    keys, middle = np.unique(sides[..., 0] * len(mesh.points) + sides[..., 1], return_inverse=True)
    middle = middle.reshape(-1, 3) + len(mesh.points)
    a, b = np.divmod(keys, len(mesh.points))
    # A triangle keeps its number for the part at its middle; those at its corners get new ones.
    faces = np.concatenate([mesh.faces, _corner_parts(corners, middle)])
    faces[cut] = middle
    triangle, bary = _rebound(authored, cut, len(mesh.faces))
    return replace(authored, light=_with_middles(mesh, a, b, faces), triangle=triangle, bary=bary)


def _corner_parts(corners: I64, middle: I64) -> I64:
    """(3C,3), the three of a triangle in a row: a corner at its own place, the middles of the sides beside it."""
    parts = np.repeat(middle[:, None], 3, 1)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        # The side opposite i joins k and j.
        parts[:, k, k], parts[:, k, i], parts[:, k, j] = corners[:, k], middle[:, j], middle[:, i]
    return parts.reshape(-1, 3)


def _with_middles(mesh: LightMesh, a: I64, b: I64, faces: I64) -> LightMesh:
    normals = mesh.normals[a] + mesh.normals[b]
    normals /= np.maximum(np.sqrt(np.sum(normals * normals, 1, keepdims=True)), 1e-12)
    return LightMesh(
        np.concatenate([mesh.points, (mesh.points[a] + mesh.points[b]) / 2]),
        np.concatenate([mesh.normals, normals]),
        np.concatenate([mesh.pull, (mesh.pull[a] + mesh.pull[b]) / 2]),
        np.concatenate([mesh.body, mesh.body[a]]),
        faces,
    )


def _rebound(authored: Authored, cut: I64, count: int) -> tuple[I32, F32]:
    """The triangles of the Gaussians, and where in them they lie."""
    place = np.full(count, -1, np.int64)
    place[cut] = np.arange(len(cut))
    triangle, bary = authored.triangle.copy(), authored.bary.copy()
    _light.rebind(place, triangle, bary)
    return triangle, bary
