"""What a run shows at posed cameras, and Gaussians made of it.

A field has no shapes that could be given a box and an id. What it shows from the cameras of its data has: pixels
with colour and depth, fused here into flat Gaussians on the surfaces that were seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SceneError
from synth4d.nerf.field import Field
from synth4d.nerf.march import Marcher
from synth4d.splats import CameraSet
from synth4d.types import F32, F64, Gaussians

MAX_VIEWS, MAX_SIDE = 48, 320
"""Views, and pixels on their longer side: 2 million rays in 16:9; 10 s of a small field, minutes of a large one."""
LEAST_COS = 0.15
"""Surfaces that turn away further than this are left to views that see them better; so are edges in depth."""
LEAST_SEEN = 2
"""Pixels that must have fallen into a voxel, unless they are larger than it: a floater is seen once."""
VOXEL = 1.5
"""Side of a voxel, in pixels on the median surface."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A pinhole picture: OpenCV axes, pixel centres at half-integers, world axes and units of the run's data."""

    K: F64
    T_world_cam: F64
    rgb: F32
    """(H,W,3) 0..1"""
    depth_z: F32
    """(H,W) along the optical axis, 0 = nothing"""


def before_applied(cameras: CameraSet) -> CameraSet:
    """The cameras in the axes and units that `read_run` leads to: those of the data before `applied_transform`, which
    nerfstudio's dataparser_transforms.json starts from."""
    if cameras.applied is None:
        return cameras
    scale = np.sqrt((cameras.applied[:3, 0] ** 2).sum())
    R, t = cameras.applied[:3, :3] / scale, cameras.applied[:3, 3]
    T = cameras.T_world_cam.copy()
    T[:, :3, :3] = np.einsum("ji,mjk->mik", R, T[:, :3, :3])
    T[:, :3, 3] = np.einsum("ji,mj->mi", R, T[:, :3, 3] - t) / scale
    return replace(cameras, T_world_cam=T, applied=None)


def chosen(cameras: CameraSet) -> CameraSet:
    """At most MAX_VIEWS of the cameras, evenly, MAX_SIDE pixels large, `before_applied`."""
    at = np.unique(np.linspace(0, len(cameras.K) - 1, MAX_VIEWS).round().astype(int))
    sizes = cameras.sizes[at]
    factor = np.minimum(1, MAX_SIDE / sizes.max(axis=1))
    small = np.maximum(1, np.round(sizes * factor[:, None])).astype(np.int64)
    K = cameras.K[at].copy()
    K[:, :2] *= (small / sizes)[:, :, None]
    T, pick = before_applied(cameras).T_world_cam[at], [int(i) for i in at]
    files, splits = tuple(cameras.files[i] for i in pick), tuple(cameras.splits[i] for i in pick)
    return replace(cameras, K=K, T_world_cam=T, sizes=small, times=None, files=files, splits=splits, applied=None)


def of_field(field: Field, cameras: CameraSet, threads: int = 1) -> Iterator[View]:
    """What a field shows at cameras of `chosen`."""
    marcher = Marcher(field, threads=threads)
    for K, T, (width, height) in zip(cameras.K, cameras.T_world_cam, cameras.sizes, strict=True):
        seen = marcher.view(K, T, int(width), int(height))
        yield View(K, T, seen.rgb, np.where(seen.alpha >= 0.5, seen.median_m, np.float32(0)))


def gaussians(views: Iterable[View], voxel: float | None = None) -> Gaussians:
    """Flat Gaussians, one in each voxel that views saw a surface in, and as wide as the pixels there at least.
    `voxel` is its side. SceneError where nothing is seen."""
    points = [_surface(view) for view in views]
    p, n, rgb, size, cos = (np.concatenate(columns) for columns in zip(*points, strict=True))
    if len(p) == 0:
        raise SceneError("the cameras see nothing of the run; are they those that it was trained on?")
    side = VOXEL * float(np.median(size)) if voxel is None else voxel
    cell = np.floor((p - p.min(axis=0)) / side).astype(np.int64)
    if cell.max() >= 1 << 21:
        raise SceneError(f"what the cameras see is {cell.max()} pixels wide; something of it is very far away")
    key = (cell[:, 0] << 42) | (cell[:, 1] << 21) | cell[:, 2]
    _, owner, count = np.unique(key, return_inverse=True, return_counts=True)
    weight = cos / size**2
    total = np.bincount(owner, weight)

    def mean(values: F64) -> F64:
        return np.stack([np.bincount(owner, weight * column) / total for column in values.T], axis=1)

    width = mean(size[:, None])
    kept = (count >= LEAST_SEEN) | (width[:, 0] > side)
    if not kept.any():
        raise SceneError("no surface is seen twice; more or larger views of the run are needed")
    normals = mean(n)[kept]
    length = np.sqrt((normals**2).sum(axis=1, keepdims=True))
    normals = np.where(length > 1e-6, normals / np.maximum(length, 1e-6), [0.0, 0.0, 1.0])
    return Gaussians(
        means=mean(p)[kept].astype(np.float32),
        quats_wxyz=_facing(normals),
        scales=(np.maximum(width[kept], side) * [0.6, 0.6, 0.1]).astype(np.float32),
        opacities=np.full(len(normals), 0.97, np.float32),
        colours=np.clip(mean(rgb)[kept], 0, 1).astype(np.float32),
        ids=np.zeros(len(normals), np.uint16),
    )


Points = tuple[F64, F64, F64, F64, F64]


def _surface(view: View) -> Points:
    """(N,3) points, (N,3) normals towards the camera, (N,3) colours, (N,) sizes of a pixel and (N,) cosines."""
    height, width = view.depth_z.shape
    v, u = np.mgrid[:height, :width] + 0.5
    K, z = view.K, view.depth_z.astype(np.float64)
    cam = np.stack([(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z], axis=-1)
    across, down = np.zeros_like(cam), np.zeros_like(cam)
    across[:, 1:-1], down[1:-1] = cam[:, 2:] - cam[:, :-2], cam[2:] - cam[:-2]
    n = np.cross(down, across)
    length, distance = np.sqrt((n**2).sum(axis=-1)), np.sqrt((cam**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        n = n / length[..., None]
        cos = -(n * cam).sum(axis=-1) / distance
    whole: NDArray[np.bool_] = z > 0
    near = whole.copy()
    for axis in (0, 1):
        near &= np.roll(whole, 1, axis) & np.roll(whole, -1, axis)
    good = near & (cos > LEAST_COS)
    good[[0, -1]] = good[:, [0, -1]] = False
    R, t = view.T_world_cam[:3, :3], view.T_world_cam[:3, 3]
    turned = [
        np.stack([sum(a[:, k] * R[i, k] for k in range(3)) for i in range(3)], axis=1) for a in (cam[good], n[good])
    ]
    rgb = view.rgb[good].astype(np.float64)
    return turned[0] + t, turned[1], rgb, z[good] / K[0, 0], cos[good]


def _facing(normals: F64) -> F32:
    """(N,4) wxyz of the shortest turns from +z to normals."""
    x, y, z = normals.T
    quats = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    quats[z < -0.999999] = [0, 1, 0, 0]
    out: F32 = (quats / np.sqrt((quats**2).sum(axis=1, keepdims=True))).astype(np.float32)
    return out
