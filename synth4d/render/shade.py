"""Display colours of Gaussians from the light on their surroundings, at one exposure for the whole clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.rays import RayScene
from synth4d.render import _light, emitter
from synth4d.render.bind import Authored, LightMesh
from synth4d.render.emitter import Emitter
from synth4d.render.light import Lit
from synth4d.render.probe import HERE, Cast, Probe
from synth4d.render.tone import FULL, MOST, TABLE, TABLE_TOP, exposed
from synth4d.types import F32, F64, Timeline, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

MIDDLE = 0.7
"""Exposed irradiance of an average surface with every lamp on: 1 would show it in its own sRGB."""
BOUNCE = 0.5
"""Indirect light as a share of the mean direct light: ρ/(1−ρ) of a closed room of mean albedo 1/3."""
_WHITE_BALANCE = 0.8
_SHEEN_GAIN = 0.35
_METER_POINTS = 400
_STIRRED = 5e-4
"""Change of exposed light that recolours: half a level of 255 in the shadows, nothing elsewhere."""


class Meter:
    """Mean light on the structure of a world, over points that depend on no camera."""

    def __init__(self, world: World, timeline: Timeline, moves: Bool, scene: RayScene) -> None:
        self.lamps = emitter.lamps(world)
        probe = Probe(*_meter_points(world, timeline, moves), timeline.poses[0])
        cast = Cast(probe, emitter.lights(self.lamps))
        cast.lose(cast.meet(scene, cast.lights, HERE))
        columns, count = cast.columns(), max(len(probe), 1)
        means = [float((columns[:, 1 + k] * cast.diffuse[:, k]).sum() / count) for k in range(len(self.lamps))]
        self.mean = np.array(means, np.float32)
        open_share = columns[:, 0].mean() if len(probe) else 1.0
        self.ambient = np.array(world.ambient_rgb, np.float32)
        direct = self._direct(np.ones(len(self.lamps), np.float32))
        full = direct + open_share * (self.ambient + BOUNCE * direct)
        level = np.float32(max(float(full.mean()), 1e-6))
        balance = (level / np.maximum(full, 1e-6)) ** np.float32(_WHITE_BALANCE)
        self.exposure: F32 = (np.float32(MIDDLE) / level * balance).astype(np.float32)

    def surroundings(self, controls: F64) -> tuple[F32, F32]:
        """(3,) exposed ambient and indirect light where nothing is near, and (3,) mean direct light of lamps."""
        direct = self.exposure * self._direct(levels(self.lamps, controls))
        return self.exposure * self.ambient + np.float32(BOUNCE) * direct, direct

    def _direct(self, level: F32) -> F32:
        total = np.zeros(3, np.float32)
        for e, mean, share in zip(self.lamps, self.mean, level, strict=True):
            total += mean * share * e.rgb
        return total

    def power(self, emitters: tuple[Emitter, ...]) -> F32:
        """(1+L,) brightest exposed light of the ambient and of each emitter of unit irradiance."""
        ambient, _ = self.surroundings(np.ones(1 + max((e.control for e in self.lamps), default=0)))
        return np.array([ambient.max(), *((e.rgb * self.exposure).max() for e in emitters)], np.float32)


class Shade:
    """Colours of authored Gaussians, levels of emitters apart from light."""

    def __init__(
        self, world: World, authored: Authored, emitters: tuple[Emitter, ...], meter: Meter, others: int = 0
    ) -> None:
        """`others`: Gaussians that follow the authored ones, whose colours are not known here."""
        self.world, self.authored, self.emitters, self.meter = world, authored, emitters, meter
        materials = [s.material for s in authored.skins]
        self._gloss = _SHEEN_GAIN * np.array([m.gloss for m in materials], np.float32)
        self._emission = np.array([m.emission for m in materials], np.float32).reshape(-1, 3)
        self._control = [-1 if m.glow is None else world.controls.index(m.glow) for m in materials]
        self._colours = np.zeros((len(authored.skin) + others, 3), np.float32)
        self._light = np.full((len(authored.light.points), 6), np.nan, np.float32)
        self._glow = np.full((len(materials), 3), np.nan, np.float32)

    def colours(self, lit: Lit, controls: F64) -> F32:
        """(N+others,3) display values, those of the others as they were left; the array is reused by the next call."""
        a, exposure = self.authored, self.meter.exposure
        around, _ = self.meter.surroundings(controls)
        power = np.array([e.rgb * exposure for e in self.emitters], np.float32).reshape(-1, 3)
        power = power * levels(self.emitters, controls)[:, None]
        stirred = _light.expose(lit.ambient, lit.lamps, lit.sheen, around, power, FULL, MOST, _STIRRED, self._light)
        glow = self._emission * _levels(self._control, controls)[:, None]
        rekindled = ~(glow == self._glow).all(1)
        self._glow = glow
        _light.shade(
            stirred, rekindled, a.triangle, a.bary, a.light.faces, self._light, a.skin, a.albedo, self._gloss, glow,
            TABLE, TABLE_TOP, self._colours[: len(a.skin)],
        )  # fmt: skip
        return self._colours

    def matt(self, controls: F64) -> F32:
        """(3,) exposed light on a matt thing in the open: for particles, which are lit without rays."""
        around, direct = self.meter.surroundings(controls)
        return exposed(around + np.float32(1.2) * direct)


def levels(emitters: tuple[Emitter, ...], controls: F64) -> F32:
    """(L,) level of each emitter from the levels of all controls."""
    return _levels([e.control for e in emitters], controls)


def _levels(columns: list[int], controls: F64) -> F32:
    return np.array([1.0 if c < 0 else controls[c] for c in columns], np.float32)


def _meter_points(world: World, timeline: Timeline, moves: Bool) -> tuple[LightMesh, I64]:
    """Points spread evenly over what stands still and encloses the room, and all their rows."""
    corners, body = [np.zeros((0, 3, 3))], [np.zeros(0, np.int32)]
    for i, b in enumerate(world.bodies):
        if b.role in ("structure", "fixture") and not moves[i]:
            for s in b.surfaces:
                corners.append(np.asarray(s.vertices, float)[s.faces])
                body.append(np.full(len(s.faces), i, np.int32))
    c, owner = np.concatenate(corners), np.concatenate(body)
    cross = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0])
    area = np.linalg.norm(cross, axis=1)
    faces = np.zeros((0, 3), np.int64)
    if not area.sum() > 0:
        empty = np.zeros((0, 3))
        return LightMesh(empty, empty, empty, owner[:0], faces), np.arange(0)
    row, points = emitter.on_triangles(c, area, _METER_POINTS)
    mesh = LightMesh(points, cross[row] / area[row, None], np.zeros_like(points), owner[row], faces)
    return mesh, np.arange(_METER_POINTS)
