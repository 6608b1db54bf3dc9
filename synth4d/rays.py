"""Ray casting against triangles: the one module that uses Embree."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from synth4d.types import F32, F64, U8, U16

Bool = NDArray[np.bool_]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


class RayScene:
    """Triangles (M,3,3) in world coordinates, ready for batches of rays. Rays in a row that are `alike`, as those of
    a camera, take half the time if one says so."""

    def __init__(self, triangles: F64 | F32) -> None:
        from synth4d._tracer import Tracer, bounds

        flat = _f32(triangles).reshape(-1, 3)
        self.empty = len(flat) == 0
        self.bounds = bounds(flat)
        """(2,3) lowest and highest corner of what it holds; no ray meets it where it is empty."""
        self._tracer = None if self.empty else Tracer(_linked_to_embree(), flat)

    def distances(self, origins: F64 | F32, directions: F64 | F32, reach: F32, *, alike: bool = False) -> F32:
        """(N,) distance to the first hit, or reach (N,) where there is none before."""
        far = np.array(reach, np.float32)
        if self._tracer is not None:
            self._tracer.first(_f32(origins), _f32(directions), far, np.zeros(0, np.int32), alike)
        return far

    def depths(self, T_world_cam: F64, ways: F64, most: float) -> F32:
        """(h,w) z-depth of what the rays of a camera, whose directions are the unit `ways` (3,h,w) in its axes, meet
        first, or `most` along their way."""
        depth = (most * ways[2]).astype(np.float32)
        if self._tracer is not None:
            self._tracer.depths(np.ascontiguousarray(T_world_cam), ways, most, depth)
        return depth

    def blocked(self, origins: F64 | F32, directions: F64 | F32, reach: F32, *, alike: bool = False) -> Bool:
        """(N,) whether anything is hit within reach (N,)."""
        hit = np.zeros(len(origins), bool)
        if self._tracer is not None:
            self._tracer.blocked(_f32(origins), _f32(directions), _f32(reach), hit, alike)
        return hit

    def openings(
        self, points: F32, normals: F32, pattern: U8, patterns: F32, motion: F32, known: F32, reach: float
    ) -> tuple[I64, F32]:
        """Points (V,3) with normals (V,3) send the rays about +z of one of the patterns (256,K,3) each; `known` (V,K)
        are the distances, at most `reach`, at which those met something. Rows (R,) of the points some of whose rays
        meet something nearer, and the distances (R,K) of all of theirs. `motion` (3,4) leads to the scene's frame."""
        if self._tracer is None:
            return np.zeros(0, np.int64), np.zeros((0, known.shape[1]), np.float32)
        return self._tracer.openings(points, normals, pattern, patterns, motion, self.bounds, known, reach)

    def shadows(self, points: F32, targets: F32, motion: F32, known: U16, first: int) -> tuple[I64, U16]:
        """A bit for each of the targets (L,S,3) of L lights, in the scene's frame, whose way from a point (V,3) is
        blocked; `known` (V,L) are so already, and where that is all of them none is asked. Rows (R,) of the points
        with something more, and all their bits (R,L). Where the `first` few targets of a light agree, the rest is
        taken to."""
        if self._tracer is None:
            return np.zeros(0, np.int64), np.zeros((0, known.shape[1]), np.uint16)
        return self._tracer.shadows(points, targets, motion, self.bounds, known, first)

    def shown(
        self, eyes: F32, T_cam_scene: F64, lens: F64, boxes: F64, ids: U16, depth_z_m: F32, own: int,
        behind: float, most: int,
    ) -> I64:  # fmt: skip
        """(M,3) frame, id and count of the pixels at which pictures (T,H,W) show something where the scene would be
        if nothing stood before it. They are on a grid of about `most` over each of the boxes (T,4) (NaN = none); what
        is not `own` and more than `behind` farther than the scene, or nothing, is not counted. `lens`: fx, fy, cx, cy;
        `eyes` (T,3) in the scene's frame."""
        if self._tracer is None:
            return np.zeros((0, 3), np.int64)
        body, pictures = (self.bounds, _f32(eyes)), (np.ascontiguousarray(ids), _f32(depth_z_m))
        return self._tracer.shown(*body, T_cam_scene, lens, boxes, *pictures, own, behind, float(most))

    def first(self, origins: F64 | F32, directions: F64 | F32, *, alike: bool = False) -> tuple[I32, F32]:
        """(N,) index of the first triangle hit (−1 = none) and its distance (inf)."""
        far, triangle = np.full(len(origins), np.inf, np.float32), np.full(len(origins), -1, np.int32)
        if self._tracer is not None:
            self._tracer.first(_f32(origins), _f32(directions), far, triangle, alike)
        return triangle, far


class Solid:
    """Triangles (M,3,3), each of the thing with id `owner` (M,), seen from their fronts alone but where `both` (M,)."""

    def __init__(self, triangles: F32, owner: U16, both: Bool) -> None:
        from synth4d._tracer import Solid

        scene, own = RayScene(triangles), (np.ascontiguousarray(owner), np.ascontiguousarray(both))
        self.part = None if scene._tracer is None else Solid(scene._tracer, _f32(triangles), *own, scene.bounds)


def settle(
    solids: list[Solid], motions: F32, K: F64, T_world_cam: F64, certain: Bool, depth_z_m: F32, ids: U16
) -> None:
    """Make a picture (H,W) exact at the borders between things whose flag in `certain` (65536,), by id, is set: each
    pixel there takes depth and id (0, 0 = nothing) of the first front that the ray through its centre meets.
    `motions` (M,3,4) lead to the frames of the M solids. In place."""
    from synth4d._tracer import settle

    there = [m for m, s in enumerate(solids) if s.part is not None]
    parts = [s.part for s in solids if s.part is not None]
    lens = np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]])
    settle(parts, motions[there], lens, np.ascontiguousarray(T_world_cam), certain, depth_z_m, ids)


@cache
def _linked_to_embree() -> str:
    """A library by which Embree's own is found."""
    from embreex import rtcore_scene

    return str(rtcore_scene.__file__)


def _f32(a: F64 | F32) -> F32:
    return np.ascontiguousarray(a, np.float32)
