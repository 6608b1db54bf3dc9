"""Liquid as particles of equal volume that flow among the vessels of a world (position-based fluid, motion/fluid).

The vessels move as the physics moved them; liquid does not push back. Every particle is in one vessel or in the open,
and changes between them only through a mouth or a spout, so a fill level is a count. Nothing is computed while nothing
that holds liquid moves and what is in the open lies still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d import vessel as vessels
from synth4d.geometry import apply_pose
from synth4d.motion._fluid import MAX_VESSELS, Fluid
from synth4d.rays import RayScene
from synth4d.types import F32, F64, U16, World

I32 = NDArray[np.int32]
Bool = NDArray[np.bool_]

PARTICLES = 1500
"""Of the liquid that may move; what stands still all the time is cut into pieces of the same size."""
SPACING_M = (0.0045, 0.012)
STEP_S = 0.005
SETTLE_STEPS = 60
CHECK_STEPS = 10
"""Steps between two looks at who is where."""
CALM_M_S = 0.05
"""Liquid of which 99 % is slower than this, in vessels that stand, has settled."""
STILL = (3e-4, 2e-3)
"""Metres and quaternion difference up to which a vessel counts as standing where it stood."""
NEAR_M = 0.35
"""Vessels this near to the way of one that moves with liquid in it may catch some."""
CELL_M = 0.005
VISCOSITY: dict[str, float] = {"water": 0.02, "coffee": 0.02, "tea": 0.02, "milk": 0.05, "orange_juice": 0.1}
"""Share of a velocity difference that is levelled out in one step (XSPH). Water's own viscosity is below what particles
of this size resolve; milk (2 mPa·s) and juice (up to 10 mPa·s) are thicker by about these ratios."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Where the vessels were: what the physics hands over."""

    bodies: tuple[int, ...]
    """Indices in World.bodies."""
    times: F64
    """(S,) seconds, rising"""
    poses: F64
    """(S,V,7)"""

    def at(self, times: F64) -> F64:
        """(N,V,7) poses at given times, between the recorded ones along straight lines."""
        k = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, len(self.times) - 2)
        share = np.clip((times - self.times[k]) / (self.times[k + 1] - self.times[k]), 0, 1)[:, None, None]
        a, b = self.poses[k], self.poses[k + 1].copy()
        b[..., 3:] *= np.where((a[..., 3:] * b[..., 3:]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
        mixed = a * (1 - share) + b * share
        mixed[..., 3:] /= np.sqrt((mixed[..., 3:] ** 2).sum(-1, keepdims=True))
        return mixed


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """All liquid of a clip."""

    particles: F32
    """(T,P,3) world"""
    velocities: F32
    """(T,P,3) m/s"""
    vessel: U16
    """(T,P) id of the body each particle is in; 0 = in the open."""
    radius: float
    """Of a ball of one particle's volume, m."""
    fill: F64
    """(T,B) filled share of every vessel, NaN for other bodies."""
    times: F64
    """(L,) seconds at which it was counted who is where."""
    counts: NDArray[np.int64]
    """(L,B) particles in each body."""
    full: NDArray[np.int64]
    """(B,) particles that fill a body, 0 where it is no vessel."""


Look = Callable[[NDArray[np.int64], NDArray[np.int64]], None]
"""Sees how many particles were in each body (B,) at the start and are now; may raise."""


def flow(world: World, times: F64, poses: F64, track: Track, look: Look = lambda before, now: None) -> Flow:
    """Carry the liquid of a world along. `times` (T,) and `poses` (T,B,7) are the frames', `track` the vessels'."""
    return _Run(world, times, poses, track, look).flow()


class _Run:
    def __init__(self, world: World, times: F64, poses: F64, track: Track, look: Look) -> None:
        self.world, self.times, self.poses, self.track, self.look = world, times, poses, track, look
        self.vessels = {i: b.vessel for i, b in enumerate(world.bodies) if b.vessel}
        self.holding = [i for i in self.vessels if world.start_fill[i] > 0 and world.liquid is not None]
        self.live = self._live()
        self.spacing = self._spacing()
        volume = self.spacing**3
        self.full = np.array([round(vessels.capacity(b.vessel) / volume) if b.vessel else 0 for b in world.bodies])
        self.full = np.maximum(self.full, [1 if b.vessel else 0 for b in world.bodies])

    def flow(self) -> Flow:
        points, owner = self._seats()
        T, P = len(self.times), len(points)
        self.position = np.tile(points.astype(np.float32), (T, 1, 1))
        self.velocity, self.owner = np.zeros((T, P, 3), np.float32), np.tile(owner, (T, 1))
        self.clock, self.tally = [float(self.times[0])], [self._count(owner)]
        moving = np.flatnonzero(np.isin(owner, self.live))
        if len(moving):
            self._simulate(moving, points[moving], owner[moving])
        fill = np.full((T, len(self.world.bodies)), np.nan)
        for i in self.vessels:
            fill[:, i] = np.minimum((self.owner == i).sum(1) / self.full[i], 1.0)
        ids = np.array([*(b.id for b in self.world.bodies), 0], np.uint16)  # -1 is in the open
        radius = float(self.spacing * (3 / (4 * np.pi)) ** (1 / 3)) if P else 0.0
        return Flow(
            self.position, self.velocity, ids[self.owner], radius, fill, np.array(self.clock), np.array(self.tally),
            self.full,
        )  # fmt: skip

    # ---- Beginning ---------------------------------------------------------------------------

    def _live(self) -> list[int]:
        """Vessels whose liquid must be computed, and those that may catch some of it."""
        track = self.track
        column = {i: k for k, i in enumerate(track.bodies)}
        moved = [i for i in self.holding if not _standing(track.poses[:, column[i]])]
        near = set(moved)
        for i in moved:
            way = track.poses[::10, column[i], :2]
            for j in self.vessels:
                other = track.poses[::10, column[j], :2]
                if np.sqrt(((way - other) ** 2).sum(1)).min() < NEAR_M:
                    near.add(j)
        return sorted(near)[:MAX_VESSELS]

    def _spacing(self) -> float:
        amount = {i: vessels.capacity(self.vessels[i]) * self.world.start_fill[i] for i in self.holding}
        live, total = sum(amount[i] for i in self.holding if i in self.live), sum(amount.values())
        ideal = max((live / PARTICLES) ** (1 / 3), (total / (3 * PARTICLES)) ** (1 / 3))
        return float(np.clip(ideal, *SPACING_M))

    def _seats(self) -> tuple[F64, I32]:
        """World places and owners of all particles at the start."""
        points, owner = [np.zeros((0, 3))], [np.zeros(0, np.int32)]
        for i in self.holding:
            count = max(1, round(self.world.start_fill[i] * int(self.full[i])))
            seats = vessels.slots(self.vessels[i], int(self.full[i]), 0.4 * self.spacing)[:count]
            points.append(apply_pose(self.poses[0, i], seats))
            owner.append(np.full(count, i, np.int32))
        return np.concatenate(points), np.concatenate(owner)

    def _count(self, owner: I32) -> NDArray[np.int64]:
        return np.bincount(owner[owner >= 0], minlength=len(self.world.bodies))

    # ---- Running -----------------------------------------------------------------------------

    def _simulate(self, moving: NDArray[np.intp], points: F64, owner: I32) -> None:
        self.origin = np.array([*self.track.poses[0, self.track.bodies.index(self.live[0]), :3]])
        columns = [self.track.bodies.index(i) for i in self.live]
        fluid = self._fluid(columns)
        local = {i: k for k, i in enumerate(self.live)}
        fluid.put(points - self.origin, np.array([local[i] for i in owner.tolist()], np.int32))
        fluid.run(self._way(np.full(SETTLE_STEPS + 1, self.times[0]), columns), STEP_S, 0.1)
        x, v = (np.zeros((len(moving), 3), np.float32) for _ in range(2))
        own = np.zeros(len(moving), np.int32)
        fluid.state(x, v, own)
        names = np.array([*self.live, -1], np.int32)
        asleep = True
        for f in range(len(self.times)):
            if f:
                asleep = self._frame(fluid, f, columns, (x, v, own), asleep, moving)
            self.position[f, moving] = x + self.origin.astype(np.float32)
            self.velocity[f, moving], self.owner[f, moving] = (0.0 if asleep else v), names[own]

    def _frame(
        self, fluid: Fluid, f: int, columns: list[int], state: tuple[F32, F32, I32], asleep: bool,
        moving: NDArray[np.intp],
    ) -> bool:  # fmt: skip
        """From one frame to the next; → whether the liquid is at rest."""
        start, end = float(self.times[f - 1]), float(self.times[f])
        count = max(1, int(np.ceil((end - start) / STEP_S - 1e-6)))
        dt = (end - start) / count
        x, v, own = state
        for first in range(0, count, CHECK_STEPS):
            ticks = start + dt * np.arange(first, min(first + CHECK_STEPS, count) + 1)
            way = self._way(ticks, columns)
            standing = all(_standing(way[:, k]) for k in range(way.shape[1]))
            if asleep and standing:
                continue
            fluid.run(way, dt, 0.0)
            fluid.state(x, v, own)
            speed = np.sqrt(v[:, 0] ** 2 + v[:, 1] ** 2 + v[:, 2] ** 2)
            asleep = standing and float(np.quantile(speed, 0.99)) < CALM_M_S
            everyone = self.owner[f].copy()
            everyone[moving] = np.array([*self.live, -1], np.int32)[own]
            self.clock.append(float(ticks[-1]))
            self.tally.append(self._count(everyone))
            self.look(self.tally[0], self.tally[-1])
        return asleep

    def _way(self, times: F64, columns: list[int]) -> F64:
        poses = self.track.at(times)[:, columns]
        poses[..., :3] -= self.origin
        return np.ascontiguousarray(poses)

    def _fluid(self, columns: list[int]) -> Fluid:
        world, d = self.world, self.spacing
        kind = next(b.category for b in world.bodies if b.id == world.liquid)
        fluid = Fluid(d, VISCOSITY.get(kind, VISCOSITY["water"]))
        for i in self.live:
            v = self.vessels[i]
            b = vessels.bore(v, 1.3 * d)
            axis = np.zeros((0, 3)) if b is None else np.stack([b.throat, b.tip])
            fluid.add_vessel(np.array(v.profile), v.wall, v.lid, axis, 0.0 if b is None else b.radius)
        low, heights = self._ground(columns)
        fluid.set_ground(low[0] - self.origin[0], low[1] - self.origin[1], CELL_M, float(heights.min()), heights)
        return fluid

    def _ground(self, columns: list[int]) -> tuple[F64, F64]:
        """What lies below the ways of the vessels: lower corner (2,) and heights (nx,ny) from the origin, cast from a
        little above the highest vessel onto everything that stands still and is no vessel among these."""
        ways = self.track.poses[:, columns, :3]
        low, high = ways.min((0, 1)) - NEAR_M, ways.max((0, 1)) + NEAR_M
        nx, ny = (np.ceil((high[:2] - low[:2]) / CELL_M)).astype(int)
        x, y = (low[k] + (np.arange(n) + 0.5) * CELL_M for k, n in ((0, nx), (1, ny)))
        gx, gy = np.meshgrid(x, y, indexing="ij")
        tall = max(max(v.top_z, v.spout[2]) for i, v in self.vessels.items() if i in self.live)
        top = high[2] - NEAR_M + tall + 0.02
        eye = np.stack([gx.ravel(), gy.ravel(), np.full(nx * ny, top)], 1)
        scene = RayScene(self._still_triangles(low, high))
        deep = np.full(len(eye), top + 1.0, np.float32)
        down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), eye.shape)
        fall = scene.distances(eye, down, deep, alike=True).astype(float)
        return low[:2], (top - self.origin[2] - fall).reshape(nx, ny)

    def _still_triangles(self, low: F64, high: F64) -> F32:
        out = [np.zeros((0, 3, 3), np.float32)]
        for i, body in enumerate(self.world.bodies):
            if i in self.live or body.role == "liquid" or not _standing(self.poses[:, i]):
                continue
            for s in body.surfaces:
                points = apply_pose(self.poses[0, i], s.vertices)
                if not ((points.max(0)[:2] > low[:2]) & (points.min(0)[:2] < high[:2])).all():
                    continue
                corners = points[s.faces]
                near = (corners.max(1)[:, :2] > low[:2]).all(1) & (corners.min(1)[:, :2] < high[:2]).all(1)
                out.append(corners[near].astype(np.float32))
        return np.concatenate(out)


def _standing(way: F64) -> bool:
    """Whether poses (S,7) stay where the first is."""
    change = np.abs(way - way[0])
    return bool(change[:, :3].max() <= STILL[0] and change[:, 3:].max() <= STILL[1])
