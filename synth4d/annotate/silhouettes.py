"""What a body would show if nothing stood before it: its amodal 2D box, and the hidden share of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import pose_matrix, rigid_inverse, rotmat
from synth4d.rays import RayScene
from synth4d.types import F64, Body, CameraPath, Clip, Gaussians

Hiders = list[dict[int, float]]
NEAR_M = 0.02
RAYS = 240
"""About so many rays an object and frame."""
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
    start = np.cumsum([0] + [len(s.vertices) for s in body.surfaces[:-1]])
    return Mesh(
        np.concatenate([s.vertices for s in body.surfaces]),
        np.concatenate([s.faces.astype(np.int64) + k for s, k in zip(body.surfaces, start, strict=True)]),
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
    """(T,7) poses of a body → (T,4,4)."""
    a, b = rigid_inverse(camera.T_world_cam), pose_matrix(poses)
    return np.asarray((a[..., :, :, None] * b[..., None, :, :]).sum(axis=-2))


def in_camera(T: F64, points: F64) -> F64:
    """(T,4,4), points (V,3) → (T,V,3)."""
    x, y, z = np.ascontiguousarray(points.T)
    R = T[:, :3, :, None]
    out = np.empty((3, len(T), len(points)))  # an axis after the other is read three times as fast
    for i in range(3):
        out[i] = R[:, i, 0] * x + R[:, i, 1] * y + R[:, i, 2] * z + R[:, i, 3]
    return np.moveaxis(out, 0, -1)


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


def hidden_shares(body_id: int, mesh: Mesh, clip: Clip, T: F64, boxes: F64) -> tuple[F64, Hiders]:
    """(T,) share of the silhouette inside the frame that other things hide, NaN where it has none there; and the
    share that each of them hides."""
    frame, x, y = _samples(boxes)
    out: F64 = np.full(len(T), np.nan)
    hiders: Hiders = [{} for _ in T]
    if not len(frame):
        return out, hiders
    K = clip.camera.K
    depth = cast(mesh, T, frame, (x + 0.5 - K[0, 2]) / K[0, 0], (y + 0.5 - K[1, 2]) / K[1, 1])
    hit = np.isfinite(depth)
    frame, x, y, depth = frame[hit], x[hit], y[hit], depth[hit]
    own = clip.ids[frame, y, x] == body_id
    shown = clip.depth_z_m[frame, y, x]
    edge = ~own & ((shown == 0) | (shown > depth + BEHIND_M))
    seen = np.bincount(frame[own], minlength=len(T))
    counted = np.bincount(frame[~edge], minlength=len(T))
    out[counted > 0] = 1.0 - seen[counted > 0] / counted[counted > 0]
    before = ~own & ~edge
    found, times = np.unique(frame[before] * 65536 + clip.ids[frame, y, x][before].astype(np.int64), return_counts=True)
    for code, n in zip(found.tolist(), times.tolist(), strict=True):
        hiders[code // 65536][code % 65536] = n / float(counted[code // 65536])
    return out, hiders


def _samples(boxes: F64) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Frame, column and row of the pixels to test: a regular grid over each box, about RAYS a frame."""
    frames = np.flatnonzero(np.isfinite(boxes[:, 0]))
    low = np.floor(boxes[frames, :2]).astype(np.int64)
    size = np.ceil(boxes[frames, 2:]).astype(np.int64) - low
    step = np.maximum(np.ceil(np.sqrt(size[:, 0] * size[:, 1] / RAYS)).astype(np.int64), 1)
    first = np.minimum((step - 1)[:, None] // 2, size - 1)
    counts = -(-(size - first) // step[:, None])
    which = np.repeat(np.arange(len(frames)), counts[:, 0] * counts[:, 1])
    start = np.concatenate([[0], np.cumsum(counts[:, 0] * counts[:, 1])])[:-1]
    row, column = np.divmod(np.arange(len(which)) - start[which], counts[which, 0])
    x, y = (low[which, k] + first[which, k] + n * step[which] for k, n in ((0, column), (1, row)))
    return frames[which], x, y


def cast(mesh: Mesh, T: F64, frame: NDArray[np.int64], x: F64, y: F64) -> F64:
    """z-depth (N,) at which the camera rays (x, y, 1) of frames `frame` meet the mesh placed by T_cam_body
    (T,4,4); inf = miss."""
    R, t = T[:, :3, :3], T[:, :3, 3]
    eyes = -(R * t[:, :, None]).sum(axis=1)
    directions = np.empty((len(x), 3), np.float32)
    for k in range(3):
        directions[:, k] = R[frame, 0, k] * x + R[frame, 1, k] * y + R[frame, 2, k]
    reach = np.full(len(x), np.inf, np.float32)
    scene = RayScene(mesh.vertices.astype(np.float32)[mesh.faces])
    return scene.distances(eyes[frame], directions, reach, alike=True).astype(float)
