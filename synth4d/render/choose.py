"""The renderers by name. Each lives in a module of its own, imported when it is used."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Protocol

import numpy as np

from synth4d.errors import RenderError
from synth4d.types import CameraPath, Clip, Timeline, World


class Renderer(Protocol):
    """Draws a clip: equal input and an equal rng give equal bytes. Raises RenderError."""

    def __call__(
        self, world: World, timeline: Timeline, camera: CameraPath, *, rng: np.random.Generator, threads: int = 1
    ) -> Clip: ...


MODULES = {"splat": "clip", "splat-cuda": "cuda", "nerf": "nerf", "mesh": "mesh"}
"""Name of a renderer → module of this package whose `render` it is."""


def renderer(name: str, field: str = "") -> Renderer:
    """The renderer of a name in MODULES; `nerf` draws the radiance field of a file. Its clips are looked at."""
    draw = import_module(f"synth4d.render.{MODULES[name]}").render
    return partial(_sound, partial(draw, field=field) if field else draw, name)


def _sound(
    draw: Renderer,
    name: str,
    world: World,
    timeline: Timeline,
    camera: CameraPath,
    *,
    rng: np.random.Generator,
    threads: int = 1,
) -> Clip:
    """A clip as it was asked for that shows something; RenderError says what is wrong with it."""
    clip = draw(world, timeline, camera, rng=rng, threads=threads)
    asked = (len(camera.T_world_cam), camera.height, camera.width)
    if clip.ids.shape != asked:
        raise RenderError(f"{name} drew frames, height, width of {clip.ids.shape}, {asked} were asked for")
    if not np.isfinite(clip.depth_z_m).all():
        raise RenderError(f"{name} drew depths that are no numbers")
    rows = clip.rgb[:, ::8, ::4]
    blank = np.flatnonzero((rows.max((1, 2)) == rows.min((1, 2))).all(1) | ~clip.ids.any((1, 2)))
    if len(blank):
        raise RenderError(f"{name} drew frame {blank[0]} blank ({len(blank)} of {asked[0]})")
    return clip
