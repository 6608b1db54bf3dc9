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
FINE = 3
"""A pixel of a held-out view is the mean of so many each way; odd, so that the middle one is at the pixel's centre."""
ASPECT = 3 / 4
"""Orbits are drawn for pictures of 4:3, as shots are; the views are square, so they see more."""


def views(scene_path: str, settings: Nerf, seed: int) -> tuple[Clip, Clip]:
    """Views of a layout to learn from, and others of half the size to judge by: from orbits drawn as those of its
    shots are.

    A splat reaches over its pixel's border, so a picture of splats is as blurred as its pixels are large. What a field
    learns from is as fine as a shot; what it is judged by is averaged from finer pictures."""
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

    def clip(name: str, orbits: int, frames: int, side: int) -> Clip:
        paths: list[F64] = []
        why = ""
        for k in range(4 * orbits):
            try:
                own = replace(shot, view=f"{name} {k}", frames=frames)
                paths.append(camera.film(world, _repeated(timeline, frames), own).T_world_cam)
            except CannotHappen as problem:
                why = str(problem)
                continue
            if len(paths) == orbits:
                break
        if not paths:
            raise SynthError(
                f"{scene.name}: no camera finds a view of layout {settings.layout} for a NeRF ({why}); mend its camera "
                "rules (synth4d doctor), give another nerf.layout, or draw still shots with --set static_renderer=splat"
            )
        T = np.concatenate(paths)
        path = CameraPath(side, side, intrinsics(side, side, world.camera.fov_x[1]), T, shot.fps)
        return render(world, _repeated(timeline, len(T)), path, rng=seeds.rng(seed, scene.name, "views", name))

    learned = clip("learned", -(-settings.views // ORBIT), ORBIT, settings.size)
    return learned, _averaged(clip("held out", HELD_ORBITS, HELD_VIEWS, FINE * settings.size // 2))


def _averaged(clip: Clip) -> Clip:
    """Colours as means of FINE × FINE pixels, depth and ids of the middle ones."""
    frames, height, width = clip.ids.shape
    side, K = (height // FINE, width // FINE), clip.camera.K.copy()
    K[:2] /= FINE
    rgb = clip.rgb.reshape(frames, side[0], FINE, side[1], FINE, 3).mean((2, 4))
    middle = (slice(None), *[slice(FINE // 2, None, FINE)] * 2)
    camera = CameraPath(side[1], side[0], K, clip.camera.T_world_cam, clip.camera.fps)
    return Clip(np.rint(rgb).astype(np.uint8), clip.depth_z_m[middle], clip.ids[middle], camera)


def _repeated(timeline: Timeline, frames: int) -> Timeline:
    """A timeline that stays at its first frame."""
    return replace(timeline.take([0] * frames), times_s=np.arange(frames) / 4.0)
