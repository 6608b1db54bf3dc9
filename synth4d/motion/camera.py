"""Where the camera stands: orbits that stay in free space and keep what happens in view."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from synth4d import seeds
from synth4d.errors import CannotHappen
from synth4d.geometry import apply_pose, compose, intrinsics, look_at, project
from synth4d.motion.moves import smooth
from synth4d.physics import Sim
from synth4d.types import F64, Body, CameraPath, Shot, Timeline, World

CANDIDATES = 48
BODY_M = 0.13
"""Free space around the eye."""
MIN_SEEN = 0.55
"""Least share of an event's samples that must be visible; below it no question about it would be fair."""
CROWD = 12
"""So many solid Gaussians within a cell of BODY_M are a wall, fewer may float."""
SIGHT_M = 0.05
"""Side of the cells that hide what is behind them."""
BESIDE_M = 0.3
"""The last stretch of a line of sight, where there is what the point lies on."""
NEAR_ENOUGH_M = 0.05
"""A ray that ends this close in front of a point saw it: burners lie a little under the contact shape of a stove."""
FILL = 0.80
"""Share of the frame's half-height that the focus may fill."""


@dataclass(frozen=True, slots=True, eq=False)
class Focus:
    """What to look at: points with the frame in which each matters."""

    frames: tuple[int, ...]
    points: F64
    """(N,3) world"""
    bodies: tuple[str, ...]
    """The body each point lies on."""
    radii: F64
    """(N,) how far a hit may be in front of the point and still count as seen."""


@dataclass(frozen=True, slots=True)
class Orbit:
    azimuth: float
    sweep: float
    elevation: float
    distance: float
    fov_x: float


def film(world: World, timeline: Timeline, shot: Shot, *, attempt: int = 0) -> CameraPath:
    """The camera path of a shot; a twin shares its sibling's draws at the same attempt.

    Raises CannotHappen when no orbit sees the events."""
    own = f"camera {shot.view}" if shot.view else "camera"
    rng = seeds.rng(shot.run_seed, shot.scene, shot.layout, own, attempt)
    focus = _focus(world, timeline, rng)
    centre = (focus.points.min(0) + focus.points.max(0)) / 2
    radius = float(np.linalg.norm(focus.points - centre, axis=1).max())
    sim = Sim(world.model)
    orbits = [_draw(world, radius, shot, rng) for _ in range(CANDIDATES)]
    solid, eyes = solid_cells(world, timeline), _eyes(orbits, centre, shot.frames)
    kept = [k for k in _roomy(world, orbits, centre) if not inside(solid, eyes[k])]
    views, eyes = [orbits[k] for k in kept], eyes[kept]
    if not views:
        raise CannotHappen("no room for a camera")
    unboxed = solid_cells(world, timeline, named=False, side=SIGHT_M)
    scores = _scores(world, timeline, shot, sim, views, eyes, centre, focus, unboxed)
    best = int(np.argmax(scores))
    if scores[best] < MIN_SEEN:
        raise CannotHappen(f"no camera sees the events (best {scores[best]:.0%})")
    K, path = intrinsics(shot.width, shot.height, views[best].fov_x), look_at(eyes[best], centre)
    return CameraPath(shot.width, shot.height, K, path, shot.fps)


# ---- What to look at -----------------------------------------------------------------------------


def _focus(world: World, timeline: Timeline, rng: np.random.Generator) -> Focus:
    by_id = {b.id: (i, b) for i, b in enumerate(world.bodies)}
    wanted: list[tuple[int, int]] = []
    for event in timeline.events:
        first, last = (int(np.argmin(np.abs(timeline.times_s - t))) for t in (event.start_s, event.end_s))
        for id in (event.object, event.target if event.kind in ("pour", "move") else None):
            if id:
                wanted += [(id, f) for f in sorted({first, (first + last) // 2, last})]
    if not wanted:
        wanted = [(b.id, 0) for b in _cluster(world, timeline, rng)]
    if not wanted:
        raise CannotHappen("there is nothing to look at: no body has a name and no prop a place")
    frames, points, bodies, radii = [], [], [], []
    for id, frame in wanted:
        index, body = by_id[id]
        box = compose(timeline.poses[frame, index], np.array([*body.box_center, 1, 0, 0, 0]))
        frames.append(frame)
        points.append(box[:3])
        bodies.append(body.name)
        radii.append(float(np.linalg.norm(body.box_size)) / 2 + 0.02)
    return Focus(tuple(frames), np.array(points), tuple(bodies), np.array(radii))


def _cluster(world: World, timeline: Timeline, rng: np.random.Generator) -> list[Body]:
    """For a still shot: a prop that stands in the open and its nearest few neighbours that fit into one view."""
    index = {b.name: i for i, b in enumerate(world.bodies)}
    props = [b for b in world.bodies if b.name in world.free and not timeline.inside[0, index[b.name]]]
    if not props:
        return [b for b in world.bodies if b.role == "fixture"][:2]
    place = {b.name: timeline.poses[0, index[b.name], :3] for b in props}
    seed = place[props[int(rng.integers(len(props)))].name]
    reach = world.camera.distance[1] * np.tan(world.camera.fov_x[1] / 2)
    away = {b.id: float(np.linalg.norm(place[b.name] - seed)) for b in props}
    return sorted((b for b in props if away[b.id] <= reach), key=lambda b: (away[b.id], b.id))[:5]


# ---- Orbits --------------------------------------------------------------------------------------


def _draw(world: World, radius: float, shot: Shot, rng: np.random.Generator) -> Orbit:
    c = world.camera
    fov = rng.uniform(*c.fov_x)
    fov_y = 2 * np.arctan(np.tan(fov / 2) * shot.height / shot.width)
    fit = (radius + 0.12) / np.tan(fov_y / 2 * FILL)
    distance = float(np.clip(fit * rng.uniform(0.95, 1.35), *c.distance))
    sweep = rng.uniform(*c.sweep) * (1 if rng.random() < 0.5 else -1)
    low, high = c.azimuth[0] + max(0.0, -sweep), c.azimuth[1] - max(0.0, sweep)
    return Orbit(
        float(rng.uniform(low, max(low, high))),
        float(sweep),
        float(rng.uniform(*c.elevation)),
        distance,
        float(fov),
    )


def _eyes(orbits: list[Orbit], centre: F64, count: int) -> F64:
    """(orbits,count,3) eye positions: eased in and out."""
    azimuth, sweep, elevation, distance = np.array([(o.azimuth, o.sweep, o.elevation, o.distance) for o in orbits]).T
    a = azimuth[:, None] + sweep[:, None] * _eased(count)
    flat, up = ((distance * f(elevation))[:, None] for f in (np.cos, np.sin))
    return centre + np.stack([flat * np.cos(a), flat * np.sin(a), np.broadcast_to(up, a.shape)], 2)


@lru_cache(maxsize=8)
def _eased(count: int) -> F64:
    return np.array([smooth(x) for x in np.linspace(0, 1, count)]) if count > 1 else np.zeros(1)


def _roomy(world: World, orbits: list[Orbit], centre: F64) -> NDArray[np.intp]:
    """Which orbits stay in the room."""
    eyes, (low, high) = _eyes(orbits, centre, 5), (world.camera.room_low, world.camera.room_high)
    return np.flatnonzero(((eyes > low) & (eyes < high)).all((1, 2)))


# ---- Seeing --------------------------------------------------------------------------------------


def pose_world(sim: Sim, world: World, timeline: Timeline, frame: int) -> None:
    """Put a simulation into the state of a frame."""
    led = {track.body for track in world.tracks}
    for i, body in enumerate(world.bodies):
        if body.joint:
            sim.set_joint(body.joint.name, float(timeline.joints[frame, i]))
        elif body.name in world.free:
            sim.place(body.name, timeline.poses[frame, i])
        elif body.name in led:
            sim.lead(body.name, timeline.poses[frame, i])
    sim.forward()


def _scores(
    world: World, timeline: Timeline, shot: Shot, sim: Sim, views: list[Orbit], eyes: F64, centre: F64, focus: Focus,
    unboxed: NDArray[np.int64],
) -> F64:  # fmt: skip
    """Share of the focus each orbit sees, plus a little for coming close; -1 where the eye is in a wall."""
    scores = np.zeros(len(views))
    K = np.stack([intrinsics(shot.width, shot.height, o.fov_x) for o in views])
    for frame in sorted(set(focus.frames)):
        pose_world(sim, world, timeline, frame)
        picked = [k for k, f in enumerate(focus.frames) if f == frame]
        T = look_at(eyes[:, frame], centre)
        framed = _framed(*project(K[:, None], T[:, None], focus.points[picked]), shot).tolist()
        for v, eye in enumerate(eyes[:, frame]):
            if scores[v] < 0 or not free(sim, eye):
                scores[v] = -1e3
                continue
            seen = (_seen(sim, eye, focus, k, unboxed) if f else 0.0 for k, f in zip(picked, framed[v], strict=True))
            scores[v] += sum(seen) / len(focus.frames)
    return scores + np.array([0.02 / o.distance for o in views]) * (scores > 0)


def solid_cells(world: World, timeline: Timeline, *, named: bool = True, side: float = BODY_M) -> NDArray[np.int64]:
    """Sorted keys of the cells that captured Gaussians fill, of things with a name as well or without: what nobody
    boxed is not in the physics."""
    keys = [np.zeros(0, np.int64)]
    for i, body in enumerate(world.bodies):
        if body.captured is not None and (named or not body.id):
            means = body.captured.means[body.captured.opacities > 0.5]
            keys.append(_cell(apply_pose(timeline.poses[0, i], means), side))
    cells, count = np.unique(np.concatenate(keys), return_counts=True)
    return np.asarray(cells[count >= CROWD * (side / BODY_M) ** 2])


def _cell(points: F64, side: float) -> NDArray[np.int64]:
    k = np.floor(points / side).astype(np.int64) + (1 << 19)
    return np.asarray((k[:, 0] << 40) | (k[:, 1] << 20) | k[:, 2])


def inside(solid: NDArray[np.int64], eyes: F64) -> bool:
    """Whether any eye is in or right beside a cell that is full."""
    if not len(solid):
        return False
    about = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]) * (BODY_M / 2)
    return bool(np.isin(_cell((eyes[:, None] + about).reshape(-1, 3), BODY_M), solid).any())


def hidden(solid: NDArray[np.int64], eye: F64, way: F64, length: float) -> bool:
    """Whether the way from the eye to a point, but for its last stretch, leads through a full cell."""
    if not len(solid):
        return False
    steps = np.arange(BODY_M, length - BESIDE_M, SIGHT_M / 2)
    return bool(len(steps) and np.isin(_cell(eye + way * steps[:, None], SIGHT_M), solid).any())


def free(sim: Sim, eye: F64) -> bool:
    """Whether an eye has free space around it."""
    return not sim.within(eye, _AROUND, BODY_M)


_AROUND = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z], float)[::2]
_AROUND /= np.sqrt(np.sum(_AROUND**2, 1, keepdims=True))


def _framed(pixels: F64, depth: F64, shot: Shot) -> NDArray[np.bool_]:
    """Which of pixels (...,2) lie well within the frame, before the camera."""
    margin = 0.04 * shot.width
    size = np.array([shot.width, shot.height]) - margin
    return (depth >= 0.2) & (pixels > margin).all(-1) & (pixels < size).all(-1)


def _seen(sim: Sim, eye: F64, focus: Focus, k: int, unboxed: NDArray[np.int64]) -> float:
    """1 where a ray to the point ends on its body; 0 behind something."""
    way = focus.points[k] - eye
    length = float(np.sqrt(way.dot(way)))
    if hidden(unboxed, eye, way / length, length):
        return 0.0
    distance, body = sim.first_hit(eye, way / length)
    if body == focus.bodies[k]:
        return 1.0
    return 0.8 if distance > length - min(NEAR_ENOUGH_M, float(focus.radii[k])) else 0.0
