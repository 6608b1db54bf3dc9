"""Liquid as Gaussians. What rests or sloshes in a vessel is a closed sheet of flat ones along its surface, and behind
walls that one sees through also along the wall; streams and drops are drawn out along their velocity, puddles are flat.

The number of Gaussians of a clip and their sizes stay, only where they are and which way they face changes: those not
needed in a frame wait behind the camera. Particles are smoothed and flattened after Yu and Turk ("Reconstructing
Surfaces of Particle-Based Fluids Using Anisotropic Kernels", 2013), with the surface in a vessel a height field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d import vessel as vessels
from synth4d.geometry import apply_pose, invert_pose, rotate
from synth4d.render import _light
from synth4d.render.tone import TABLE, TABLE_TOP, linear
from synth4d.types import F32, F64, U16, CameraPath, Timeline, Vessel, World

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

SRGB = {"water": (0.7, 0.8, 0.88), "milk": (0.95, 0.94, 0.9), "juice": (0.95, 0.58, 0.1), "coffee": (0.2, 0.11, 0.06)}
"""Colours of liquids that have no surface to say theirs; of all others, water's."""
OPACITY = {"water": 0.45}
"""Of one Gaussian; neighbours overlap so that a sheet of water lets a third through. Other liquids let nothing."""
SOLID = 0.97
LATTICE = (22.0, 0.0014, 0.0030)
"""Gaussians across a vessel's radius, and the bounds of their distance in metres."""
SPREAD = 0.66
"""Standard deviation of a flat Gaussian in distances to the next."""
SAMPLES = 2000
CALM_M_S, ROUGH_M_S = 0.03, 0.15
"""Below the one mean speed a surface is drawn level, above the other as rough as its particles are."""
RESTING_M_S = 0.25
"""What is slower than this in the open lies on something."""
STREAM, PUDDLE = (1.25, 0.42, 0.42), (0.8, 0.8, 0.16)
"""Standard deviations of a stream's and a puddle's Gaussians in spacings: along the velocity, and upwards last."""
GLOSS = 0.02, 0.75, 1.6, 90
"""Reflectance of water at normal incidence (Schlick's approximation, refractive index 1.33), albedo of what is
mirrored, and strength and exponent of the lamps' highlights (Blinn and Phong)."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The liquid of one vessel."""

    body: int
    vessel: Vessel
    step: float
    """Distance of its Gaussians, m."""
    rows: slice
    inside: F64
    """(SAMPLES,3) evenly spread points of the full vessel, lowest first, body frame."""
    wall: F64
    """(W,3) points of a wall one sees through, body frame; else none."""
    wall_rows: slice


Laid = tuple[slice, F64, F64, F32, float]
"""Rows of a part of a sheet, and their means, normals, quaternions and shade."""


class Liquid:
    """The Gaussians of a clip's liquid, `count` of them in a fixed order."""

    def __init__(self, world: World, timeline: Timeline, camera: CameraPath) -> None:
        self.world, self.timeline, self.camera = world, timeline, camera
        particles = timeline.particles.shape[1]
        vessel, velocity = timeline.particle_vessel, timeline.particle_velocity
        self.vessel = vessel if vessel is not None else np.zeros((len(timeline.times_s), particles), np.uint16)
        self.velocity = velocity if velocity is not None else np.zeros_like(timeline.particles)
        self.spacing = timeline.particle_radius_m * (4 * np.pi / 3) ** (1 / 3)
        self.sheets: list[Sheet] = []
        first = 0
        for i, body in enumerate(world.bodies):
            if body.vessel is not None and not body.vessel.lid and np.any(self.vessel == body.id):
                self.sheets.append(self._sheet(i, body.vessel, first))
                first = self.sheets[-1].wall_rows.stop
        open_air = (self.vessel == 0) & np.isfinite(timeline.particles[..., 0])
        self.loose = np.flatnonzero(open_air.any(0))
        self.stream = slice(first, first + len(self.loose))
        self.puddle = slice(self.stream.stop, self.stream.stop + len(self.loose))
        self.count = self.puddle.stop
        self.scales, self.opacities, self.ids = self._sizes()
        kinds, kind = np.unique(self.ids, return_inverse=True)
        albedo = _albedo(world)
        self.own = np.array([albedo[int(i)] for i in kinds], np.float32).reshape(-1, 3)[kind]
        """(count,3) linear"""
        self._lamps = np.array([lamp.position for lamp in world.lamps], np.float32).reshape(-1, 3)
        self._frame = -1
        self._laid: dict[int, list[Laid]] = {}
        """Of each sheet's body, as at the last frame."""

    def at(self, frame: int) -> tuple[F32, F32]:
        """Means (count,3) and quaternions (count,4), world."""
        self._place(frame)
        return self.means, self.quats

    def colours(self, frame: int, light: F32) -> F32:
        """(count,3) display values of each in even exposed light (3,): its own, what it mirrors, and lamps' glints."""
        self._place(frame)
        T = self.camera.T_world_cam[frame]
        eye = np.stack([T[:3, 3], T[:3, 2]]).astype(np.float32)
        return _light.glint(
            self.means, self.normals, self.own, self.shade, eye, self._lamps, GLOSS, light, TABLE, TABLE_TOP
        )

    # ---- Once a clip -------------------------------------------------------------------------

    def _sheet(self, i: int, v: Vessel, first: int) -> Sheet:
        radii = np.array(v.profile)[:, 1]
        share, least, most = LATTICE
        step = float(np.clip(radii.max() / share, least, most))
        # A tipped vessel's surface is longer than an upright one's, at most about as long as the vessel.
        across, along = 2 * radii.max(), np.hypot(2 * radii.max(), v.top_z - v.bottom_z)
        rows = slice(first, first + int(np.pi / 4 * (across + step) * (along + step) / step**2) + 64)
        wall = np.zeros((0, 3))
        if any(s.material.opacity < 0.99 for s in self.world.bodies[i].surfaces):
            wall = _lattice(v, step)
        return Sheet(i, v, step, rows, vessels.slots(v, SAMPLES, 0.0), wall, slice(rows.stop, rows.stop + len(wall)))

    def _sizes(self) -> tuple[F32, F32, U16]:
        scales = np.zeros((self.count, 3), np.float32)
        opacities, ids = np.zeros(self.count, np.float32), np.zeros(self.count, np.uint16)
        id = int(self.timeline.particle_id[0]) if self.count else 0
        kind = next((b.category for b in self.world.bodies if b.id == id), "")
        for s in self.sheets:
            scales[s.rows] = SPREAD * s.step, SPREAD * s.step, 0.12 * s.step
            scales[s.wall_rows] = SPREAD * s.step, SPREAD * s.step, 0.12 * s.step
        scales[self.stream] = np.array(STREAM) * self.spacing
        scales[self.puddle] = np.array(PUDDLE) * self.spacing
        opacities[:], ids[:] = OPACITY.get(kind, SOLID), id
        ids[self.stream], ids[self.puddle] = (self.timeline.particle_id[self.loose] for _ in range(2))
        return scales, opacities, ids

    # ---- Each frame --------------------------------------------------------------------------

    def _place(self, frame: int) -> None:
        if frame == self._frame:
            return
        T = self.camera.T_world_cam[frame]
        self.means = np.tile((T[:3, 3] - T[:3, 2]).astype(np.float32), (self.count, 1))
        self.normals = np.tile(np.array([0, 0, 1], np.float32), (self.count, 1))
        self.quats = np.tile(np.array([1, 0, 0, 0], np.float32), (self.count, 1))
        self.shade = np.ones(self.count, np.float32)
        changed = self._changed(frame, max(self._frame, 0))
        for s in self.sheets:
            if self._frame < 0 or not self._same(s, frame, self._frame, changed):
                self._laid[s.body] = self._lay(s, frame)
            for at, means, normals, quats, dim in self._laid[s.body]:
                self.means[at], self.normals[at], self.quats[at], self.shade[at] = means, normals, quats, dim
        self._scatter(frame)
        self._frame = frame

    def _changed(self, a: int, b: int) -> Bool:
        """(P,) particles that differ in anything between two frames."""
        out = self.vessel[a] != self.vessel[b]
        for c in (self.timeline.particles, self.velocity):
            for k in range(3):
                out |= c[a, :, k] != c[b, :, k]
        return out

    def _same(self, s: Sheet, a: int, b: int, changed: Bool) -> bool:
        """Whether a vessel and what is in it are at two frames where they were, and still."""
        id = self.world.bodies[s.body].id
        if np.any(self.timeline.poses[a, s.body] != self.timeline.poses[b, s.body]):
            return False
        return not np.any(changed & ((self.vessel[a] == id) | (self.vessel[b] == id)))

    def _lay(self, s: Sheet, frame: int) -> list[Laid]:
        """The surface in a vessel, and the wall below it where that is seen."""
        mine = np.flatnonzero(self.vessel[frame] == self.world.bodies[s.body].id)
        if not len(mine):
            return []
        v, pose = s.vessel, self.timeline.poses[frame, s.body]
        share = float(np.clip(self.timeline.fill[frame, s.body], 1e-3, 1.0))
        inside = apply_pose(pose, s.inside)
        level = float(np.quantile(inside[:, 2], share))
        low, high = inside[:, :2].min(0) - 2 * s.step, inside[:, :2].max(0) + 2 * s.step
        x, y = (np.arange(np.ceil(low[k] / s.step), np.floor(high[k] / s.step) + 1) * s.step for k in (0, 1))
        gx, gy = (g.ravel() for g in np.meshgrid(x, y, indexing="ij"))
        z, slope = self._heights(frame, mine, level, gx, gy)
        local = apply_pose(invert_pose(pose), np.stack([gx, gy, z], 1))
        reach, wide = np.hypot(local[:, 0], local[:, 1]), vessels.radius(v, local[:, 2])
        near = (reach < wide + 0.6 * s.step) & (local[:, 2] > v.bottom_z) & (local[:, 2] < v.top_z + 0.001)
        rows = np.flatnonzero(near)[: s.rows.stop - s.rows.start]
        # The outermost are drawn in to the wall, so that the sheet ends there and nowhere before.
        pull = np.minimum(1, (wide[rows] - 0.2 * s.step) / np.maximum(reach[rows], 1e-9))
        local[rows, :2] *= pull[:, None]
        normal = np.concatenate([-slope[rows], np.ones((len(rows), 1))], 1)
        normal /= np.sqrt((normal**2).sum(1, keepdims=True))
        # The deeper below the rim, the less light reaches it.
        rim = float(apply_pose(pose, np.array([0.0, 0.0, v.top_z]))[2])
        dim = 0.5 + 0.5 * float(np.exp(-max(rim - level, 0.0) / (2 * v.top_radius)))
        top = slice(s.rows.start, s.rows.start + len(rows)), apply_pose(pose, local[rows]), normal, _from_z(normal), dim
        wall = apply_pose(pose, s.wall)
        wet = np.flatnonzero(wall[:, 2] < level)
        out = s.wall[wet] * (1.0, 1.0, 0.0)
        out /= np.maximum(np.sqrt((out**2).sum(1, keepdims=True)), 1e-9)
        at = slice(s.wall_rows.start, s.wall_rows.start + len(wet))
        out = rotate(pose[3:], out)
        return [top, (at, wall[wet], out, _from_z(out), 0.9)]

    def _heights(self, frame: int, mine: I64, level: float, gx: F64, gy: F64) -> tuple[F64, F64]:
        """Height and slope (N,2) of the surface over points: level, and as far as the liquid moves, what its topmost
        particles stand above and below their mean, smoothed over two spacings."""
        flat, speed = np.zeros((len(gx), 2)), self.velocity[frame, mine].astype(float)
        rough = (float(np.sqrt((speed**2).sum(1)).mean()) - CALM_M_S) / (ROUGH_M_S - CALM_M_S)
        if rough <= 0:
            return np.full(len(gx), level), flat
        p, d = self.timeline.particles[frame, mine].astype(float), self.spacing
        p = p[p[:, 2] < level + 2.5 * d]
        if not len(p):
            return np.full(len(gx), level), flat
        column = np.floor(p[:, :2] / (1.2 * d)).astype(np.int64)
        _, owner = np.unique(column, axis=0, return_inverse=True)
        top = np.full(int(owner.max()) + 1, -np.inf)
        np.maximum.at(top, owner.ravel(), p[:, 2])
        highest = p[:, 2] >= top[owner.ravel()]
        crest, h = p[highest], 2.0 * d
        crest = crest[crest[:, 2] > level - 3 * d]
        if not len(crest):
            return np.full(len(gx), level), flat
        away_x, away_y = gx[:, None] - crest[:, 0], gy[:, None] - crest[:, 1]
        weight = np.exp(-(away_x**2 + away_y**2) / (2 * h * h)) + 1e-12
        rise = np.clip(crest[:, 2] - crest[:, 2].mean(), -1.5 * d, 1.5 * d) * min(rough, 1.0)
        total = weight.sum(1)
        height = (weight * rise).sum(1) / total
        slopes = [
            ((-weight * away / h**2 * rise).sum(1) - height * (-weight * away / h**2).sum(1)) / total
            for away in (away_x, away_y)
        ]
        return level + height, np.stack(slopes, 1)

    def _scatter(self, frame: int) -> None:
        """Streams, drops and puddles."""
        p, speed = self.timeline.particles[frame, self.loose], self.velocity[frame, self.loose]
        here = np.isfinite(p[:, 0]) & (self.vessel[frame, self.loose] == 0)
        fast = np.sqrt((speed**2).sum(1)) > RESTING_M_S
        rows = np.flatnonzero(here & fast)
        if len(rows):
            at = self.stream.start + rows
            self.means[at] = _gathered(p[rows].astype(float), 1.6 * self.spacing)
            way = speed[rows].astype(float)
            way /= np.sqrt((way**2).sum(1, keepdims=True))
            self.quats[at] = _from_x(way)
            to_eye = self.camera.T_world_cam[frame, :3, 3] - self.means[at]
            across = to_eye - way * (to_eye * way).sum(1, keepdims=True)
            self.normals[at] = across / np.maximum(np.sqrt((across**2).sum(1, keepdims=True)), 1e-9)
        rows = np.flatnonzero(here & ~fast)
        self.means[self.puddle.start + rows] = p[rows]


def _gathered(p: F64, reach: float) -> F64:
    """Particles drawn towards the middle of their neighbours, so that a stream is a smooth rope and no row of beads."""
    away = p[:, None] - p[None]
    weight = np.maximum(1 - np.sqrt((away**2).sum(2)) / reach, 0) ** 2
    mean = (weight[:, :, None] * p[None]).sum(1) / weight.sum(1, keepdims=True)
    return 0.35 * p + 0.65 * np.asarray(mean)


def _lattice(v: Vessel, step: float) -> F64:
    """(W,3) points all over the inside of a wall and the floor, body frame."""
    heights = np.arange(v.bottom_z + step / 2, v.top_z, step)
    out: list[F64] = []
    for z in heights:
        r = float(vessels.radius(v, np.array(z)))
        count = max(int(2 * np.pi * r / step), 3)
        angle = (np.arange(count) + 0.5 * (len(out) % 2)) * (2 * np.pi / count)
        out.append(np.stack([r * np.cos(angle), r * np.sin(angle), np.full(len(angle), z)], 1))
    return np.concatenate(out)


def _from_z(n: F64) -> F32:
    """(N,4) the shortest turn from +z to unit normals (N,3)."""
    q = np.stack([1 + n[:, 2], -n[:, 1], n[:, 0], np.zeros(len(n))], 1)
    q[1 + n[:, 2] < 1e-6] = 0.0, 1.0, 0.0, 0.0
    return np.asarray(q / np.sqrt((q**2).sum(1, keepdims=True)), np.float32)


def _from_x(n: F64) -> F32:
    """(N,4) the shortest turn from +x to unit directions (N,3)."""
    q = np.stack([1 + n[:, 0], np.zeros(len(n)), -n[:, 2], n[:, 1]], 1)
    q[1 + n[:, 0] < 1e-6] = 0.0, 0.0, 0.0, 1.0
    return np.asarray(q / np.sqrt((q**2).sum(1, keepdims=True)), np.float32)


def _albedo(world: World) -> dict[int, F64]:
    """Linear colour of each liquid by id."""
    out = {}
    for b in world.bodies:
        if b.role == "liquid":
            srgb = b.surfaces[0].material.srgb if b.surfaces else SRGB.get(b.category, SRGB["water"])
            out[b.id] = linear(np.array(srgb))
    return out
