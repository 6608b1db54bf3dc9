"""Surfaces of bodies as the triangles that rays are sent at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import rotmat
from synth4d.render import _author
from synth4d.types import F32, F64, Surface

I64 = NDArray[np.int64]


def placed(surfaces: Sequence[tuple[int, Surface]], poses: F64 | None) -> F32:
    """Corners (F,3,3) of surfaces, each with the index of its body in poses (B,7), which lead to the world; None: in
    the bodies' own frames. All vertices are moved in one go: a kitchen has 150 surfaces of a hundred each."""
    if not surfaces:
        return np.zeros((0, 3, 3), np.float32)
    counts = [len(s.vertices) for _, s in surfaces]
    vertices = np.concatenate([np.asarray(s.vertices, float) for _, s in surfaces])
    if poses is not None:
        body = np.repeat(np.array([i for i, _ in surfaces], np.int32), counts)
        vertices = _author.turned(vertices, body, rotmat(poses[:, 3:]), np.ascontiguousarray(poses[:, :3]))
    first = np.cumsum(counts) - counts
    faces = np.concatenate([s.faces + k for (_, s), k in zip(surfaces, first, strict=True)])
    return vertices.astype(np.float32).take(faces, axis=0)
