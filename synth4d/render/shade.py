"""Display colours of Gaussians from the light on their surroundings, at one exposure for the whole clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose
from synth4d.rays import RayScene
from synth4d.render.bind import Authored, LightMesh
from synth4d.render.light import Light, Lit
from synth4d.render.tone import display
from synth4d.types import F32, F64, Lamp, Timeline, World

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


class Shade:
    """Colours of authored Gaussians, lamp levels apart from light."""

    def __init__(self, world: World, timeline: Timeline, authored: Authored, moves: Bool, scene: RayScene) -> None:
        from scipy.sparse import csr_matrix

        self.world, self.authored = world, authored
        self.meter = Meter(world, timeline, moves, scene)
        self.lamps = shining(world.lamps, world, timeline)
        self.lamps += shining(glow_lamps(world, timeline, self.meter.exposure), world, timeline)
        self.rgb = np.array([lamp.rgb for lamp in self.lamps], np.float32).reshape(-1, 3)
        self.column = [world.controls.index(lamp.control) if lamp.control else -1 for lamp in self.lamps]
        count = len(authored.skin)
        starts = np.arange(0, 3 * count + 1, 3)
        self._lit_by = authored.light.faces[authored.triangle]
        self._between = csr_matrix(
            (authored.bary.ravel(), self._lit_by.ravel(), starts), shape=(count, len(authored.light.points))
        )
        self._gloss = _SHEEN_GAIN * np.array([s.material.gloss for s in authored.skins], np.float32)
        self._slices = authored.slices()
        self._colours = np.empty((count, 3), np.float32)
        self._light = np.full((len(authored.light.points), 6), np.nan, np.float32)
        self._glow = np.full((len(authored.skins), 3), np.nan, np.float32)

    def colours(self, lit: Lit, controls: F64) -> F32:
        """(N,3) display values; the array is reused by the next call."""
        light, glow = self._points(lit, controls), self._emission(controls)
        lit_by = self._lit_by
        stirred = ~(np.abs(light - self._light).max(1, initial=0) < _STIRRED)
        flag = stirred[lit_by[:, 0]] | stirred[lit_by[:, 1]] | stirred[lit_by[:, 2]]
        for k in np.flatnonzero(~(glow == self._glow).all(1)):
            flag[self._slices[k][1]] = True
        changed = np.flatnonzero(flag)
        self._light[stirred], self._glow = light[stirred], glow
        skin = self.authored.skin[changed]
        mixed: F32 = self._between[changed] @ light
        shown = self.authored.albedo[changed] * mixed[:, :3] + self._gloss[skin, None] * mixed[:, 3:]
        self._colours[changed] = display(shown + glow[skin])
        return self._colours

    def _emission(self, controls: F64) -> F32:
        """(S,3) display-linear light each skin gives off."""
        out = np.zeros((len(self.authored.skins), 3), np.float32)
        for k, skin in enumerate(self.authored.skins):
            if skin.material.glow is not None:
                out[k] = np.array(skin.material.emission) * controls[self.world.controls.index(skin.material.glow)]
        return out

    def _points(self, lit: Lit, controls: F64) -> F32:
        """(V,6) exposed diffuse and sheen at the light points."""
        power = self.rgb * self.levels(controls)[:, None] * self.meter.exposure
        ambient = self.meter.exposure * np.array(self.world.ambient_rgb, np.float32)
        diffuse = lit.ambient[:, None] * (ambient + self.meter.indirect(self.lamps, power))
        sheen = np.zeros_like(diffuse)
        for k in range(len(self.lamps)):
            diffuse += lit.lamps[:, k, None] * power[k]
            sheen += lit.sheen[:, k, None] * power[k]
        return np.concatenate([diffuse, sheen], 1)

    def levels(self, controls: F64) -> F32:
        """(L,) level of each lamp from the levels of all controls."""
        return np.array([1.0 if c < 0 else controls[c] for c in self.column], np.float32)

    def simple(self, albedo: F64, controls: F64) -> F32:
        """(…,3) display value of a matt thing in the open: for particles, which are lit without rays."""
        power = self.rgb * self.levels(controls)[:, None] * self.meter.exposure
        ambient = self.meter.exposure * np.array(self.world.ambient_rgb, np.float32)
        indirect = self.meter.indirect(self.lamps, power)
        direct = self.meter.direct(self.lamps, power)
        return display((albedo * (ambient + indirect + 1.2 * direct)).astype(np.float32))


class Meter:
    """Mean light on the structure of a world, over points that depend on no camera."""

    def __init__(self, world: World, timeline: Timeline, moves: Bool, scene: RayScene) -> None:
        mesh = _meter_points(world, timeline, moves)
        self.lamps = world.lamps
        lit = Light(world, timeline, mesh, world.lamps, np.zeros_like(moves), scene).at(0)
        self.mean = lit.lamps.mean(0).astype(np.float32) if len(mesh.points) else np.zeros(len(world.lamps), np.float32)
        open_share = lit.ambient.mean() if len(mesh.points) else 1.0
        power = np.array([lamp.rgb for lamp in world.lamps], np.float32).reshape(-1, 3)
        direct = (power * self.mean[:, None]).sum(0)
        full = direct + open_share * (np.array(world.ambient_rgb, np.float32) + BOUNCE * direct)
        level = np.float32(max(float(full.mean()), 1e-6))
        balance = (level / np.maximum(full, 1e-6)) ** np.float32(_WHITE_BALANCE)
        self.exposure: F32 = (np.float32(MIDDLE) / level * balance).astype(np.float32)

    def direct(self, lamps: tuple[Lamp, ...], power: F32) -> F32:
        """(3,) mean direct light of lamps with exposed power (L,3); lamps unknown to the meter give none."""
        total = np.zeros(3, np.float32)
        for lamp, rgb in zip(lamps, power, strict=True):
            if lamp in self.lamps:
                total += self.mean[self.lamps.index(lamp)] * rgb
        return total

    def indirect(self, lamps: tuple[Lamp, ...], power: F32) -> F32:
        return np.float32(BOUNCE) * self.direct(lamps, power)


def _meter_points(world: World, timeline: Timeline, moves: Bool) -> LightMesh:
    corners, body = [np.zeros((0, 3, 3))], [np.zeros(0, np.int32)]
    for i, b in enumerate(world.bodies):
        if b.role in ("structure", "fixture") and not moves[i]:
            for s in b.surfaces:
                corners.append(np.asarray(s.vertices, float)[s.faces])
                body.append(np.full(len(s.faces), i, np.int32))
    c, owner = np.concatenate(corners), np.concatenate(body)
    cross = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0])
    area = np.linalg.norm(cross, axis=1)
    total = np.cumsum(area)
    if not len(total) or total[-1] <= 0:
        empty = np.zeros((0, 3))
        return LightMesh(empty, empty, empty, owner[:0], np.zeros((0, 3), np.int64))
    k = np.arange(_METER_POINTS)
    row = np.minimum(np.searchsorted(total, (k + 0.5) / _METER_POINTS * total[-1]), len(total) - 1)
    # The R2 low-discrepancy sequence (Roberts 2018), folded onto the triangle.
    r, t = np.sqrt((k * 0.7548776662 + 0.5) % 1), (k * 0.5698402910 + 0.5) % 1
    w = np.stack([1 - r, r * (1 - t), r * t], 1)
    points = w[:, :1] * c[row, 0] + w[:, 1:2] * c[row, 1] + w[:, 2:] * c[row, 2]
    normals = cross[row] / area[row, None]
    return LightMesh(points, normals, np.zeros_like(points), owner[row], np.zeros((0, 3), np.int64))


def glow_lamps(world: World, timeline: Timeline, exposure: F32) -> tuple[Lamp, ...]:
    """What glowing surfaces throw on their surroundings, as lamps a hand's breadth off the surface."""
    named = {lamp.control for lamp in world.lamps}
    out = []
    for i, body in enumerate(world.bodies):
        for k, s in enumerate(body.surfaces):
            glow = s.material.glow
            if glow is None or glow in named or not len(s.faces):
                continue
            c = apply_pose(timeline.poses[0, i], np.asarray(s.vertices, float)[s.faces])
            cross = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]) / 2
            area = np.linalg.norm(cross, axis=1)
            center = (c.mean(1) * area[:, None]).sum(0) / max(area.sum(), 1e-9)
            up = cross.sum(0) / max(float(np.linalg.norm(cross.sum(0))), 1e-9)
            x, y, z = center + 0.04 * up
            r, g, b = np.array(s.material.emission) / exposure * area.sum() / np.pi / 2
            place, rgb = (float(x), float(y), float(z)), (float(r), float(g), float(b))
            out.append(Lamp(f"{body.name}:{k}", place, 0.03, rgb, glow))
    return tuple(out)


def shining(lamps: tuple[Lamp, ...], world: World, timeline: Timeline) -> tuple[Lamp, ...]:
    """Lamps that are on at some time of the clip."""
    level = dict(zip(world.controls, timeline.levels.max(0), strict=True))
    return tuple(lamp for lamp in lamps if lamp.control is None or level[lamp.control] > 0)
