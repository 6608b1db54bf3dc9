"""A still room as its radiance field shows it. Nothing moves in a field: it has one state of one layout."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from synth4d.errors import RenderError
from synth4d.nerf.field import load
from synth4d.nerf.march import Marcher
from synth4d.types import CameraPath, Clip, Timeline, World


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

    Depth is where half of the light is gone, 0 where that never happens; ids are of bodies of the world."""
    if not field:
        raise RenderError("the nerf renderer has no field to draw; make one with synth4d fit SCENE --nerf")
    if timeline.events:
        raise RenderError("the nerf renderer draws still rooms only; use --renderer splat for events")
    clip = draw(_marcher(field, threads), camera)
    foreign = np.setdiff1d(clip.ids, [0, *(b.id for b in world.bodies)])
    if len(foreign):
        raise RenderError(f"{field}: shows id {foreign[0]}, which this layout does not have; fit it anew")
    return clip


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
