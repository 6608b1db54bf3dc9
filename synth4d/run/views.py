"""Posed views of a layout with depth and ids, drawn by the splat renderer: what a radiance field is fitted to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from synth4d import seeds
from synth4d.config import Nerf
from synth4d.errors import CannotHappen, SynthError
from synth4d.geometry import intrinsics
from synth4d.types import F64, CameraPath, Clip, Shot, Timeline

ORBIT = 4
"""Views of one orbit."""
HELD_ORBITS = 4
HELD_VIEWS = 2
"""Views of each held-out orbit."""
ASPECT = 3 / 4
"""Orbits are drawn for pictures of 4:3, as shots are; the views are square, so they see more."""


def views(scene_path: str, settings: Nerf, seed: int) -> tuple[Clip, Clip]:
    """Views of a layout to learn from, and others to judge by: from orbits drawn as those of its shots are."""
    from synth4d.motion import camera, simulate
    from synth4d.render.clip import render
    from synth4d.scene import build, load

    scene = load.load(scene_path)
    shot = Shot(
        key="fit", index=0, scene=scene.name, kind="static", run_seed=seed, layout=settings.layout, split="",
        frames=ORBIT, fps=4.0, width=settings.size, height=int(settings.size * ASPECT),
    )  # fmt: skip
    world = build.build(scene, shot)
    timeline = simulate.simulate(world, shot)
    K = intrinsics(settings.size, settings.size, world.camera.fov_x[1])

    def clip(name: str, orbits: int, frames: int) -> Clip:
        paths: list[F64] = []
        for k in range(4 * orbits):
            try:
                own = replace(shot, view=f"{name} {k}", frames=frames)
                paths.append(camera.film(world, _repeated(timeline, frames), own).T_world_cam)
            except CannotHappen:
                continue
            if len(paths) == orbits:
                break
        if not paths:
            raise SynthError(f"{scene.name}: no camera finds a view of layout {settings.layout}; try another --layout")
        T = np.concatenate(paths)
        path = CameraPath(settings.size, settings.size, K, T, shot.fps)
        return render(world, _repeated(timeline, len(T)), path, rng=seeds.rng(seed, scene.name, "views", name))

    return clip("learned", -(-settings.views // ORBIT), ORBIT), clip("held out", HELD_ORBITS, HELD_VIEWS)


def _repeated(timeline: Timeline, frames: int) -> Timeline:
    """A timeline that stays at its first frame."""
    return replace(timeline.take([0] * frames), times_s=np.arange(frames) / 4.0)
