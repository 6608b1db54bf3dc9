"""What a body would show if nothing stood before it: its amodal 2D box, and the hidden share of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import pose_matrix, rigid_inverse, rotmat
from synth4d.rays import RayScene
from synth4d.types import F32, F64, Body, CameraPath, Clip, Gaussians

Hider = tuple[int, int, float]
"""Frame, id, and the share that it hides."""
NEAR_M = 0.02
RAYS = 240
"""About so many rays an object and frame."""
MOST_KEPT = 5000
"""Triangles of a body up to which its scene is kept for the clips to come."""
BEHIND_M = 0.015
"""A silhouette pixel where the picture shows something this much farther is an edge pixel: not counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """All visible triangles of a body, body frame."""

    vertices: F64
    faces: NDArray[np.int64]


def mesh_of(body: Body) -> Mesh | None:
    """Its triangles; of a captured body the convex hull of its Gaussians out to one standard deviation."""
    if body.captured is not None:
        return _hull(body.captured)
    if not body.surfaces:
        return None
    starts = accumulate((len(s.vertices) for s in body.surfaces[:-1]), initial=0)
    return Mesh(
        np.concatenate([s.vertices for s in body.surfaces]),
        np.concatenate([np.add(s.faces, k, dtype=np.int64) for s, k in zip(body.surfaces, starts, strict=True)]),
    )


def _hull(g: Gaussians) -> Mesh:
    """What one sees past a hollow of the body lies behind the hull, so the hull hides nothing that is seen."""
    from scipy.spatial import ConvexHull

    axes = rotmat(g.quats_wxyz.astype(float)) * np.maximum(g.scales, 1e-4)[:, None, :].astype(float)
    points = np.concatenate([g.means + s * axes[:, :, k] for k in range(3) for s in (-1, 1)])
    hull = ConvexHull(points)
    place = np.cumsum(np.bincount(hull.vertices, minlength=len(points)) > 0) - 1
    return Mesh(points[np.sort(hull.vertices)], place[hull.simplices].astype(np.int64))


def T_cam_body(camera: CameraPath, poses: F64) -> F64:
    """(...,T,7) poses of bodies → (...,T,4,4)."""
    a, b = rigid_inverse(camera.T_world_cam), pose_matrix(poses)
    return np.asarray((a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2))


def in_camera(T: F64, points: F64 | F32) -> F64:
    """(T,4,4), points (T,V,3) → (3,T,V)."""
    x, y, z = np.ascontiguousarray(np.moveaxis(points, -1, 0), float)
    R = T[:, :3, :, None]
    out = np.empty((3, *x.shape))  # an axis after the other is read three times as fast
    for i in range(3):
        out[i] = R[:, i, 0] * x + R[:, i, 1] * y + R[:, i, 2] * z + R[:, i, 3]
    return out


def amodal_boxes(mesh: Mesh, camera: CameraPath, T: F64) -> F64:
    """(T,4) box of the whole silhouette clipped to the frame; NaN where it is wholly outside."""
    from synth4d._tracer import extents

    out = np.full((len(T), 4), np.nan)
    vertices, faces = np.ascontiguousarray(mesh.vertices, float), np.ascontiguousarray(mesh.faces)
    extents(vertices, faces, np.ascontiguousarray(T), _lens(camera), NEAR_M, out)
    return clip_to_frame(out, camera)


def _lens(camera: CameraPath) -> F64:
    return np.array([camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]])


def clip_to_frame(boxes: F64, camera: CameraPath) -> F64:
    """(T,4) boxes cut at the frame; NaN where nothing is left."""
    w, h = camera.width, camera.height
    out = np.clip(boxes, 0.0, [w, h, w, h])
    out[~((out[:, 2] > out[:, 0]) & (out[:, 3] > out[:, 1]))] = np.nan
    return out


def hidden_shares(body_id: int, mesh: Mesh, clip: Clip, T: F64, boxes: F64) -> tuple[F64, list[Hider]]:
    """(T,) share of the silhouette inside the frame that other things hide, NaN where it has none there; and the
    share that each of them hides."""
    out: F64 = np.full(len(T), np.nan)
    if not np.isfinite(boxes[:, 0]).any():
        return out, []
    triangles = mesh.vertices.astype(np.float32)[mesh.faces]
    scene = _kept(triangles.tobytes()) if len(triangles) <= MOST_KEPT else RayScene(triangles)
    eyes = -(T[:, :3, :3] * T[:, :3, 3, None]).sum(axis=1)
    rows = scene.shown(eyes, T, _lens(clip.camera), boxes, clip.ids, clip.depth_z_m, body_id, BEHIND_M, RAYS)
    frames, ids, pixels = rows.T
    counted = np.bincount(frames, pixels, minlength=len(T))
    out[counted > 0] = 1.0
    shares, own = pixels / counted[frames], ids == body_id
    out[frames[own]] = 1.0 - shares[own]
    return out, list(zip(*(a[~own].tolist() for a in (frames, ids, shares)), strict=True))


@lru_cache(maxsize=64)  # a scene's own bodies are the same in every layout
def _kept(triangles: bytes) -> RayScene:
    return RayScene(np.frombuffer(triangles, np.float32).reshape(-1, 3, 3))
