"""A still room as its radiance field shows it. Nothing moves in a field: it has one state of one layout."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import RenderError
from synth4d.geometry import rotmat
from synth4d.nerf.field import load
from synth4d.nerf.march import Marcher
from synth4d.types import F64, U16, Body, CameraPath, Clip, Timeline, World

STRAY_M = 0.008
"""A point seen this far outside the box of its body is another's: logits are smooth, and stray at silhouettes."""


def render(
    world: World,
    timeline: Timeline,
    camera: CameraPath,
    *,
    rng: np.random.Generator,
    threads: int = 1,
    field: str = "",
) -> Clip:
    """The clip of a camera path through the field of a file; equal input gives equal bytes on any number of threads.

    Depth is where half of the light is gone, 0 where that never happens; ids are of bodies of the world, each where its
    body can be."""
    if not field:
        raise RenderError("the nerf renderer has no field to draw; make one with synth4d fit SCENE --nerf")
    if timeline.events:
        raise RenderError("the nerf renderer draws still rooms only; use --renderer splat for events")
    clip = draw(_marcher(field, threads), camera)
    foreign = np.setdiff1d(clip.ids, [0, *(b.id for b in world.bodies)])
    if len(foreign):
        raise RenderError(f"{field}: shows id {foreign[0]}, which this layout does not have; fit it anew")
    return Clip(clip.rgb, clip.depth_z_m, _at_home(clip, world, timeline), camera)


def _at_home(clip: Clip, world: World, timeline: Timeline) -> U16:
    """(T,H,W) ids without those of points that lie outside the box of their body: these become background."""
    ids = clip.ids.copy()
    index = {body.id: i for i, body in enumerate(world.bodies)}
    for t, image in enumerate(ids):
        for id in np.unique(image)[np.unique(image) > 0]:
            body = world.bodies[index[int(id)]]
            if body.role == "liquid":
                continue  # its surface is its particles', not a box
            y, x = np.nonzero(image == id)
            stray = ~_inside(body, timeline.poses[t, index[body.id]], _points(clip, t, y, x))
            image[y[stray], x[stray]] = 0
    return ids


def _points(clip: Clip, t: int, y: NDArray[np.int64], x: NDArray[np.int64]) -> F64:
    """(N,3) world points of some pixels of a frame."""
    K, T, z = clip.camera.K, clip.camera.T_world_cam[t], clip.depth_z_m[t, y, x].astype(np.float64)
    cam = z * (x + 0.5 - K[0, 2]) / K[0, 0], z * (y + 0.5 - K[1, 2]) / K[1, 1], z
    return np.stack([cam[0] * r[0] + cam[1] * r[1] + cam[2] * r[2] + r[3] for r in T[:3]], axis=1)


def _inside(body: Body, pose: F64, points: F64) -> NDArray[np.bool_]:
    """(N,) whether points lie in a body's box, grown by STRAY_M."""
    R, away = rotmat(pose[3:]), points - pose[:3]
    inside = np.ones(len(points), bool)
    for axis, centre, size in zip(R.T, body.box_center, body.box_size, strict=True):
        along = away[:, 0] * axis[0] + away[:, 1] * axis[1] + away[:, 2] * axis[2]
        inside &= np.abs(along - centre) <= size / 2 + STRAY_M
    return inside


def draw(marcher: Marcher, camera: CameraPath) -> Clip:
    """The clip of a camera path through any field.

    Colours are divided by opacity where there is a surface: a ray that slips between samples is no darker for it."""
    frames = [marcher.view(camera.K, T, camera.width, camera.height) for T in camera.T_world_cam]
    alpha = np.stack([f.alpha for f in frames])
    behind = np.array(marcher.field.background or (0, 0, 0), np.float32)
    rgb = np.stack([f.rgb for f in frames]) - (1 - alpha)[..., None] * behind
    solid = alpha >= 0.5
    rgb = np.where(solid[..., None], rgb / np.maximum(alpha, 0.5)[..., None], rgb + (1 - alpha)[..., None] * behind)
    depth = np.where(solid, np.stack([f.median_m for f in frames]), np.float32(0)).astype(np.float32)
    u8 = np.floor(np.clip(rgb, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8)
    return Clip(u8, depth, np.stack([f.ids for f in frames]), camera)


@lru_cache(maxsize=2)
def _marcher(field: str, threads: int) -> Marcher:
    """A worker draws many shots of one field."""
    return Marcher(load(Path(field)), threads=threads)
