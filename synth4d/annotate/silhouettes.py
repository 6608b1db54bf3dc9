"""What a body would show if nothing stood before it: its amodal 2D box, and the hidden share of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import pose_matrix, rigid_inverse
from synth4d.types import F64, Body, CameraPath, Clip

NEAR_M = 0.02
RAYS = 300
"""At most so many rays an object and frame."""
BEHIND_M = 0.015
"""A silhouette pixel where the picture shows something this much farther is an edge pixel: not counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """All visible triangles of a body, body frame."""

    vertices: F64
    faces: NDArray[np.int64]


def mesh_of(body: Body) -> Mesh | None:
    if not body.surfaces:
        return None
    start = np.cumsum([0] + [len(s.vertices) for s in body.surfaces[:-1]])
    return Mesh(
        np.concatenate([s.vertices for s in body.surfaces]),
        np.concatenate([s.faces.astype(np.int64) + k for s, k in zip(body.surfaces, start, strict=True)]),
    )


def T_cam_body(camera: CameraPath, poses: F64) -> F64:
    """(T,7) poses of a body → (T,4,4)."""
    a, b = rigid_inverse(camera.T_world_cam), pose_matrix(poses)
    return np.asarray((a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2))


def in_camera(T: F64, points: F64) -> F64:
    """(T,4,4), points (V,3) → (T,V,3)."""
    x, y, z = points.T
    R = T[:, :3, :, None]
    return np.stack([R[:, i, 0] * x + R[:, i, 1] * y + R[:, i, 2] * z + R[:, i, 3] for i in range(3)], -1)


def amodal_boxes(mesh: Mesh, camera: CameraPath, T: F64) -> F64:
    """(T,4) box of the whole silhouette clipped to the frame; NaN where it is wholly outside."""
    seen = in_camera(T, mesh.vertices)
    out = np.full((len(T), 4), np.nan)
    whole = (seen[..., 2] >= NEAR_M).all(axis=1)
    if whole.any():
        out[whole] = _extent(seen[whole], camera)
    for t in np.flatnonzero(~whole & (seen[..., 2] >= NEAR_M).any(axis=1)):
        out[t] = _extent(_cut(seen[t], mesh.faces)[None], camera)[0]
    return clip_to_frame(out, camera)


def clip_to_frame(boxes: F64, camera: CameraPath) -> F64:
    """(T,4) boxes cut at the frame; NaN where nothing is left."""
    w, h = camera.width, camera.height
    out = np.clip(boxes, 0.0, [w, h, w, h])
    out[~((out[:, 2] > out[:, 0]) & (out[:, 3] > out[:, 1]))] = np.nan
    return out


def _extent(points: F64, camera: CameraPath) -> F64:
    """Camera points (T,V,3) before the near plane → (T,4)."""
    u = camera.K[0, 0] * points[..., 0] / points[..., 2] + camera.K[0, 2]
    v = camera.K[1, 1] * points[..., 1] / points[..., 2] + camera.K[1, 2]
    return np.stack([u.min(1), v.min(1), u.max(1), v.max(1)], -1)


def _cut(points: F64, faces: NDArray[np.int64]) -> F64:
    """The points before the near plane, and where edges cross it."""
    a, b = points[faces].reshape(-1, 3), points[np.roll(faces, -1, axis=1)].reshape(-1, 3)
    crosses = (a[:, 2] < NEAR_M) != (b[:, 2] < NEAR_M)
    a, b = a[crosses], b[crosses]
    s = (NEAR_M - a[:, 2:]) / (b[:, 2:] - a[:, 2:])
    on_plane = a + s * (b - a)
    on_plane[:, 2] = NEAR_M
    return np.concatenate([points[points[:, 2] >= NEAR_M], on_plane])


def hidden_shares(body_id: int, mesh: Mesh, clip: Clip, T: F64, boxes: F64) -> F64:
    """(T,) share of the silhouette inside the frame that other things hide; NaN where it has none there."""
    frame, x, y = _samples(boxes)
    out = np.full(len(T), np.nan)
    if not len(frame):
        return out
    K = clip.camera.K
    rays = np.stack([(x + 0.5 - K[0, 2]) / K[0, 0], (y + 0.5 - K[1, 2]) / K[1, 1], np.ones(len(x))], -1)
    depth = cast(mesh, T[frame], rays)
    hit = np.isfinite(depth)
    frame, x, y, depth = frame[hit], x[hit], y[hit], depth[hit]
    own = clip.ids[frame, y, x] == body_id
    shown = clip.depth_z_m[frame, y, x]
    edge = ~own & ((shown == 0) | (shown > depth + BEHIND_M))
    seen = np.bincount(frame[own], minlength=len(T))
    counted = np.bincount(frame[~edge], minlength=len(T))
    out[counted > 0] = 1.0 - seen[counted > 0] / counted[counted > 0]
    return out


def _samples(boxes: F64) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Frame, column and row of the pixels to test: a regular grid over each box, at most RAYS a frame."""
    parts = []
    for t in np.flatnonzero(np.isfinite(boxes[:, 0])):
        x0, y0 = np.floor(boxes[t, :2]).astype(int)
        x1, y1 = np.ceil(boxes[t, 2:]).astype(int)
        step = int(np.ceil(np.sqrt((x1 - x0) * (y1 - y0) / RAYS)))
        first = (step - 1) // 2
        xs, ys = np.arange(min(x0 + first, x1 - 1), x1, step), np.arange(min(y0 + first, y1 - 1), y1, step)
        gx, gy = np.meshgrid(xs, ys)
        parts.append((np.full(gx.size, t), gx.ravel(), gy.ravel()))
    if not parts:
        none = np.zeros(0, np.int64)
        return none, none, none
    frames, xs, ys = (np.concatenate(p) for p in zip(*parts, strict=True))
    return frames, xs, ys


def cast(mesh: Mesh, T: F64, rays: F64) -> F64:
    """z-depth (N,) where camera rays (N,3), z = 1, meet the mesh placed by T_cam_body (N,4,4); inf: miss"""
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    R, t = T[:, :3, :3], T[:, :3, 3]
    origins = -(R * t[:, :, None]).sum(axis=1)
    directions = (R * rays[:, :, None]).sum(axis=1)
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(mesh.vertices[mesh.faces], np.float32))
    far = scene.run(origins.astype(np.float32), directions.astype(np.float32), query="DISTANCE")
    return np.where(far < 1e30, far, np.inf).astype(float)
