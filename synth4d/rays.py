"""Ray casting against triangles: the one module that imports embree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.types import F32, F64

Bool = NDArray[np.bool_]


class RayScene:
    """Triangles (M,3,3) in world coordinates, ready for batches of rays."""

    def __init__(self, triangles: F64 | F32) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.empty = len(triangles) == 0
        self._scene = EmbreeScene()
        flat = np.asarray(triangles, np.float32).reshape(-1, 3)
        self.bounds: F32 = np.stack([flat.min(0, initial=1e30), flat.max(0, initial=-1e30)])
        """(2,3) lowest and highest corner of what it holds; no ray meets it where it is empty."""
        if not self.empty:
            TriangleMesh(self._scene, np.ascontiguousarray(triangles, np.float32))

    def distances(self, origins: F64 | F32, directions: F64 | F32, reach: F32) -> F32:
        """(N,) distance to the first hit, or reach (N,) where there is none before."""
        if self.empty or not len(origins):
            return reach.copy()
        found: F32 = self._scene.run(_f32(origins), _f32(directions), dists=reach.copy(), query="DISTANCE")
        return np.minimum(found, reach)

    def blocked(self, origins: F64 | F32, directions: F64 | F32, reach: F32) -> Bool:
        """(N,) whether anything is hit within reach (N,)."""
        if self.empty or not len(origins):
            return np.zeros(len(origins), bool)
        found = self._scene.run(_f32(origins), _f32(directions), dists=reach.copy(), query="OCCLUDED")
        return np.asarray(found == 0)

    def first(self, origins: F64 | F32, directions: F64 | F32) -> tuple[NDArray[np.int32], F32]:
        """(N,) index of the first triangle hit (−1 = none) and its distance."""
        if self.empty:
            return np.full(len(origins), -1, np.int32), np.full(len(origins), np.inf, np.float32)
        hit = self._scene.run(_f32(origins), _f32(directions), output=1)
        return hit["primID"], hit["tfar"]


def _f32(a: F64 | F32) -> F32:
    return np.ascontiguousarray(a, np.float32)
