"""The renderers by name. Each lives in a module of its own, imported when it is used."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Protocol

import numpy as np

from synth4d.types import CameraPath, Clip, Timeline, World


class Renderer(Protocol):
    """Draws a clip: equal input and an equal rng give equal bytes. Raises RenderError."""

    def __call__(
        self, world: World, timeline: Timeline, camera: CameraPath, *, rng: np.random.Generator, threads: int = 1
    ) -> Clip: ...


MODULES = {"splat": "clip", "splat-cuda": "cuda", "nerf": "nerf", "mesh": "mesh"}
"""Name of a renderer → module of this package whose `render` it is."""


def renderer(name: str, field: str = "") -> Renderer:
    """The renderer of a name in MODULES; `nerf` draws the radiance field of a file."""
    draw = import_module(f"synth4d.render.{MODULES[name]}").render
    chosen: Renderer = partial(draw, field=field) if field else draw
    return chosen
