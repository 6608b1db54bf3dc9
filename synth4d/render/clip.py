"""From a world and its timeline to what a camera sees: author, light, then splat every frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from synth4d.geometry import rotmat
from synth4d.render import _light, emitter
from synth4d.render.author import author
from synth4d.render.border import Borders
from synth4d.render.captured import Captured
from synth4d.render.hidden import Horizon
from synth4d.render.light import Light, Lit, lit_mesh, still_scenes
from synth4d.render.liquid import Liquid
from synth4d.render.shade import Meter, Shade
from synth4d.render.splat import Picture, Rasteriser, Target
from synth4d.render.view import Sight
from synth4d.types import F32, CameraPath, Clip, Gaussians, Timeline, World

BACKGROUND = (0.16, 0.17, 0.19)
"""sRGB behind everything."""
COVERED = 0.95
"""Alpha from which on a pixel shows nothing of what lies behind. Authored lattices leave gaps, through which it would
show as a pattern and a dark background darken what is bright (test_mesh.py::test_colours_are_those_of_the_splats)."""


def render(world: World, timeline: Timeline, camera: CameraPath, *, rng: np.random.Generator, threads: int = 1) -> Clip:
    """The clip of a camera path; equal input gives equal bytes whatever the number of threads.

    The picture is determined by world, timeline and camera; `rng` is accepted for renderers that draw.
    """
    clip = blank(camera)
    stage = Stage(world, timeline, camera)
    one = Picture.empty(camera.width, camera.height, expected=False)
    for frame, p in enumerate(pictures(stage, Rasteriser(threads=threads), one)):
        take(p, clip, frame, stage.covered)
        stage.borders.settle(frame, clip.depth_z_m[frame], clip.ids[frame])
    return clip


def blank(camera: CameraPath) -> Clip:
    """Room for the frames of a camera path."""
    shape = (len(camera.T_world_cam), camera.height, camera.width)
    return Clip(np.empty((*shape, 3), np.uint8), np.empty(shape, np.float32), np.empty(shape, np.uint16), camera)


def take(p: Picture, clip: Clip, frame: int, covered: float) -> None:
    """Make a picture a frame of a clip, whose pixels show nothing of the background from an alpha of `covered` on."""
    out = clip.rgb[frame], clip.depth_z_m[frame], clip.ids[frame]
    _light.quantise(p.rgb, p.alpha, p.depth_z_m, p.ids, np.array(BACKGROUND, np.float32), covered, *out)


def pictures(stage: Stage, rasteriser: Rasteriser, out: Picture | None = None) -> Iterator[Picture]:
    """Every frame as the rasteriser gives it; all in `out`, where it is given."""
    camera = stage.camera
    rasteriser.load(stage.gaussians(0))
    for frame, T_world_cam in enumerate(camera.T_world_cam):
        if frame:
            stage.advance(rasteriser, frame)
        size = camera.width, camera.height
        yield rasteriser.render(camera.K, T_world_cam, *size, covered=stage.covered, out=out)


class Stage:
    """The Gaussians of a clip: where they are and what colour they have at each frame."""

    def __init__(self, world: World, timeline: Timeline, camera: CameraPath) -> None:
        self.world, self.timeline, self.camera = world, timeline, camera
        sight = Sight(timeline, camera)
        scene, drawn, hiding = still_scenes(world, timeline, sight.moves)
        self.captured = Captured(world, timeline, sight.moves)
        self.covered = 1.0 if self.captured.rows else COVERED
        """As in Rasteriser.render; captured Gaussians are drawn as they were fitted, by 3DGS's rule."""
        authored = author(world, sight, Horizon(camera, hiding), drawn)
        meter = Meter(world, timeline, sight.moves, scene)
        glows = emitter.glows(world, timeline, sight.moves, meter.exposure)
        emitters = emitter.shining(meter.lamps + glows, timeline)
        self.light = Light(world, timeline, authored.light, emitters, sight.moves, scene)
        self.authored = lit_mesh(authored, self.light, meter.power(emitters))
        self.liquid = Liquid(world, timeline, camera)
        self.shade = Shade(world, self.authored, emitters, meter, self.liquid.count)
        first = np.searchsorted([s.body for s in self.authored.skins], np.arange(len(world.bodies) + 1))
        ends = np.searchsorted(self.authored.skin, first.astype(np.int32))
        spans = zip(ends.tolist(), ends[1:].tolist(), strict=False)
        self.rows = {b: slice(begin, end) for b, (begin, end) in enumerate(spans) if end > begin}
        self.moving = [b for b in self.rows if sight.moves[b]]
        self.borders = Borders(world, timeline, camera, self.rows)
        self.lit: Lit | None = None
        self.painted: F32 | None = None

    def gaussians(self, frame: int) -> Gaussians:
        """All of them at a frame: authored ones, particles, captured ones."""
        a, liquid, drops = self.authored, self.liquid, self.liquid.count
        count, self.painted = len(a.skin), None
        means, quats = np.empty((count + drops, 3), np.float32), np.empty((count + drops, 4), np.float32)
        ids = np.empty(count + drops, np.uint16)
        for body, rows in self.rows.items():
            means[rows], quats[rows] = self._posed(frame, body)
            ids[rows] = self.world.bodies[body].id
        means[count:], quats[count:] = liquid.at(frame)
        ids[count:] = liquid.ids
        scales = np.concatenate([a.scales, liquid.scales])
        opacities = np.concatenate([a.opacities, liquid.opacities])
        authored = Gaussians(means, quats, scales, opacities, self._colours(frame), ids)
        return self.captured.beside(authored, frame) if self.captured.rows else authored

    def advance(self, rasteriser: Target, frame: int) -> None:
        """Move what moved since the frame before, and recolour if the light changed."""
        poses, levels = self.timeline.poses, self.timeline.levels
        moved = (poses[frame] != poses[frame - 1]).any(1)
        for body in self.moving:
            if moved[body]:
                rows = np.arange(self.rows[body].start, self.rows[body].stop)
                rasteriser.update(rows, *self._posed(frame, body))
        liquid = len(self.authored.skin) + np.arange(self.liquid.count)
        if self.liquid.count:  # it may flow, and what is not in sight waits behind the camera, which moves
            rasteriser.update(liquid, *self.liquid.at(frame))
        first = len(self.authored.skin) + self.liquid.count
        for own, g in self.captured.moved(frame):
            rasteriser.update(first + np.arange(own.start, own.stop), g.means, g.quats_wxyz, g.sh)
        if np.any(levels[frame] != levels[frame - 1]) or self.light.at(frame) is not self.lit:
            self.painted = None
        if self.painted is None:
            rasteriser.recolour(self.captured.colours(self._colours(frame), frame))
        elif self.liquid.count:
            rasteriser.recolour(self.liquid.colours(frame, self.shade.matt(levels[frame])), liquid)

    def _posed(self, frame: int, body: int) -> tuple[F32, F32]:
        """World means and quaternions of a body's Gaussians."""
        pose, rows = self.timeline.poses[frame, body].astype(np.float32), self.rows[body]
        motion = np.concatenate([rotmat(pose[3:]).astype(np.float32), pose[:3, None]], 1)
        return _light.posed(self.authored.means[rows], self.authored.quats[rows], motion, pose[3:])

    def _colours(self, frame: int) -> F32:
        levels = self.timeline.levels[frame]
        if self.painted is None:
            self.lit = self.light.at(frame)
            self.painted = self.shade.colours(self.lit, levels)
        if self.liquid.count:
            self.painted[len(self.authored.skin) :] = self.liquid.colours(frame, self.shade.matt(levels))
        return self.painted
