"""Boxes for a person to name: planes of the room removed, the rest clustered. The one door to open3d."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from synth4d.errors import SceneError
from synth4d.scene.guess import SOLID
from synth4d.types import F64, Gaussians

VOXEL_M = 0.025
PLANES = 12
NEAR_M = 0.02
"""How far from a plane its points may be."""
EDGE_M = 0.25
"""A plane this near the end of the room is floor, ceiling or wall; others are tabletops and doors, and stay."""
APART_M, FEW = 0.07, 12
"""Points closer than that are one cluster, if so many are."""
LEAST_M, LEAST_POINTS = 0.06, 30
WALL_M = 0.06


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """An upright box."""

    kind: str
    """floor, wall, ceiling or thing"""
    center: F64
    size: F64
    yaw: float
    """Degrees"""


def propose(g: Gaussians) -> list[Proposal]:
    """Floor, walls, then things, the largest first; the same for the same Gaussians. SceneError without open3d."""
    o3d = _open3d()
    points = _thinned(g)
    if len(points) < 10 * FEW:
        raise SceneError(
            f"only {len(points)} spots {VOXEL_M * 100:g} cm apart are solid: is the scale right? nothing to box"
        )
    low, high = np.percentile(points, 0.5, axis=0), np.percentile(points, 99.5, axis=0)
    out: list[Proposal] = []
    rest, kept = points, [np.zeros((0, 3))]
    for _ in range(PLANES):
        if len(rest) < 0.05 * len(points):
            break
        o3d.utility.random.seed(7)
        plane, rows = _cloud(o3d, rest).segment_plane(NEAR_M, 3, 800)
        if len(rows) < 0.03 * len(points):
            break
        mine = np.zeros(len(rest), bool)
        mine[rows] = True
        found = _structure(np.array(plane[:3]), rest[mine], low, high)
        if found is None:
            kept.append(rest[mine])
        else:
            out.append(found)
        rest = rest[~mine]
    left = np.concatenate([rest, *kept])
    left = left[((left >= low - 0.05) & (left <= high + 0.05)).all(1)]
    for p in out:  # what is left of floor and walls beside their planes
        left = left[~_within(left, p)]
    if len(left):
        label = np.array(_cloud(o3d, left).cluster_dbscan(APART_M, FEW))
        clusters = [left[label == k] for k in range(label.max(initial=-1) + 1)]
        boxes = [_upright("thing", c) for c in clusters if len(c) >= LEAST_POINTS]
        things = [b for b in boxes if b.size.max() >= LEAST_M]
        out += sorted(things, key=lambda b: (-float(np.prod(b.size)), *b.center.tolist()))
    return out


def _open3d() -> Any:
    try:
        import open3d
    except (ImportError, OSError) as problem:
        said = " ".join(str(problem).split())[:120]
        raise SceneError(
            f"--propose needs open3d ({said}): pip install synth4d[import]; apt install libgl1 libgomp1 libusb-1.0-0"
        ) from None
    return open3d


def _cloud(o3d: Any, points: F64) -> Any:
    return o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))


def _thinned(g: Gaussians) -> F64:
    """(P,3) one solid point in each voxel, in the order of the voxels."""
    means = g.means[g.opacities >= SOLID].astype(float)
    cells = np.floor(means / VOXEL_M).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    return means[first]


def _structure(normal: F64, points: F64, low: F64, high: F64) -> Proposal | None:
    """Floor, ceiling or wall, where the plane is one."""
    size = np.ptp(points, axis=0)
    if abs(normal[2]) > 0.97:
        z = float(np.median(points[:, 2]))
        kind = "floor" if z < low[2] + EDGE_M else "ceiling" if z > high[2] - EDGE_M else ""
        if not kind or size[:2].min() < 0.4 * (high - low)[:2].min():
            return None
        at, thick = (z - WALL_M / 2 if kind == "floor" else z + WALL_M / 2), WALL_M
        box = _upright(kind, points)
        return Proposal(kind, np.array([*box.center[:2], at]), np.array([*box.size[:2], thick]), box.yaw)
    if abs(normal[2]) > 0.1 or size[2] < 0.5 * (high - low)[2]:
        return None
    flat = normal[:2] / np.sqrt((normal[:2] ** 2).sum())
    along = (points[:, :2] * flat).sum(1)
    corners = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    ends = np.sort((corners * flat).sum(1))
    middle = float(np.median(along))
    if min(middle - ends[0], ends[-1] - middle) > EDGE_M:
        return None
    out = 1.0 if middle > ends.mean() else -1.0
    yaw = np.degrees(np.arctan2(flat[1], flat[0]))
    across = np.array([-flat[1], flat[0]])
    side = (points[:, :2] * across).sum(1)
    half, mid = np.ptp(side) / 2, (side.max() + side.min()) / 2
    xy = flat * (middle + out * WALL_M / 2) + across * mid
    z0, z1 = points[:, 2].min(), points[:, 2].max()
    center, shape = np.array([*xy, (z0 + z1) / 2]), np.array([WALL_M, 2 * half, z1 - z0])
    return Proposal("wall", center, shape, float(yaw))


def _upright(kind: str, points: F64) -> Proposal:
    """The upright box with the least footprint around points (P,3), grown by what thinning took."""
    best: tuple[float, float, F64, F64] | None = None
    for angle in np.arange(0, 90, 1.0):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        turned = np.stack([points[:, 0] * c + points[:, 1] * s, points[:, 1] * c - points[:, 0] * s], 1)
        low, high = turned.min(0), turned.max(0)
        area = float(np.prod(high - low))
        if best is None or area < best[0] - 1e-9:
            best = (area, float(angle), low, high)
    assert best is not None
    _, angle, low, high = best
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = (low + high) / 2
    z0, z1 = points[:, 2].min(), points[:, 2].max()
    size = np.array([*(high - low), z1 - z0]) + 0.01
    return Proposal(kind, np.array([x * c - y * s, x * s + y * c, (z0 + z1) / 2]), size, angle)


def _within(points: F64, p: Proposal) -> Any:
    c, s = np.cos(np.radians(p.yaw)), np.sin(np.radians(p.yaw))
    d = points - p.center
    local = np.stack([d[:, 0] * c + d[:, 1] * s, d[:, 1] * c - d[:, 0] * s, d[:, 2]], 1)
    return (np.abs(local) <= p.size / 2 + NEAR_M).all(1)
