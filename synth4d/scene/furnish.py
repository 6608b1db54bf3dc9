"""Props of one layout: which, what colour, where. Places are boxes of free volume in a body's frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth4d.geometry import apply_pose, compose, invert_pose, quat_from_axis_angle
from synth4d.physics import Geom, Hinge, RawBody, Sim, write_model
from synth4d.scene.load import Scene
from synth4d.scene.props import SHAPES, PropShape
from synth4d.types import F32, F64, Body, Material, Name, Place, Surface, Vec3
from synth4d.vocabulary import COLOURS, JITTER

DROP_M = 0.012
GAP_M = 0.03
"""Free distance kept between the footprints of two props at the start."""
TRIES = 60
FOOT_M, FEW = 0.02, 4
"""Loose points lower than the first above a place are its own surface; fewer than the second may float."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    body: Body
    shape: PropShape


def choose(scene: Scene, rng: np.random.Generator, first_id: int) -> list[Chosen]:
    """Categories without favourites; a few come in twos and threes so that there is something to count.
    No two props share category and colour, so that each can be named."""
    low, high = scene.spec.props.count
    count = int(rng.integers(low, high + 1))
    keys = list(scene.props)
    order = [keys[i] for i in rng.permutation(len(keys))]
    bag = [key for i, key in enumerate(order) for _ in range(1 + (i < 3) + (i < 1))]
    out: list[Chosen] = []
    used: set[tuple[str, str]] = set()
    for key in bag[: count * 2]:
        category = scene.props[key]
        free = [c for c in category.colours if (key, c) not in used]
        if not free or len(out) == count:
            continue
        colour = free[int(rng.integers(len(free)))]
        used.add((key, colour))
        shape = SHAPES[category.shape](jitter(COLOURS[colour][1], rng), rng)
        number = 1 + sum(c.body.category == key for c in out)
        out.append(Chosen(_body(f"{key}_{number}", first_id + len(out), key, colour, scene, shape), shape))
    return out


def jitter(srgb: Vec3, rng: np.random.Generator) -> Vec3:
    """The colour, moved by at most JITTER per channel: it keeps its name."""
    r, g, b = (float(min(1, max(0, c + rng.uniform(-JITTER, JITTER)))) for c in srgb)
    return (r, g, b)


def _body(name: str, id: int, key: str, colour: str, scene: Scene, shape: PropShape) -> Body:
    points = np.concatenate([s.vertices for s in shape.surfaces])
    low, high = points.min(0), points.max(0)
    centre, size = (low + high) / 2, high - low
    return Body(
        name, id, key, scene.props[key].name, "prop", shape.surfaces,
        (float(centre[0]), float(centre[1]), float(centre[2])), (float(size[0]), float(size[1]), float(size[2])),
        colour=colour, vessel=shape.vessel, cavity=shape.cavity, front=shape.front,
    )  # fmt: skip


def raw_body(chosen: Chosen, pose: F64) -> RawBody:
    """The prop for the physics: contact primitives, a free joint of its own name."""
    shape = chosen.shape
    geoms = tuple(Geom(p.type, _three(p.size), np.array([*p.pos, *p.quat_wxyz])) for p in shape.collision)
    hinge = Hinge(chosen.body.name, "free")
    return RawBody(chosen.body.name, "", pose, hinge, (), geoms, shape.mass_kg, shape.friction, shape.rolling_m)


def _three(size: tuple[float, ...]) -> Vec3:
    a, b, c = (*size, 0.0, 0.0)[:3]
    return (float(a), float(b), float(c))


def spots(
    scene: Scene, chosen: list[Chosen], places: tuple[Place, ...], fixtures: list[Body], sim: Sim, loose: F32,
    rng: np.random.Generator,
) -> dict[str, F64]:  # fmt: skip
    """A starting pose for each prop that finds room: 12 mm above its place in the `sim` of the furniture alone,
    footprints apart, and clear of `loose` (N,3), world points of what is there but not in the physics."""
    names = {b.id: b.name for b in fixtures}
    allowed = {n for n, p in scene.spec.places.items() if p.initial}
    cavities = [p for p in places if p.inside]
    open_air, hiding = (
        (options, _areas(options)) for options in ([p for p in places if not p.inside and p.name in allowed], cavities)
    )
    taken: list[tuple[list[float], float, float]] = []
    out: dict[str, F64] = {}
    for prop in chosen:
        hide = bool(cavities) and rng.random() < scene.spec.props.hidden
        options, areas = hiding if hide else open_air
        for _ in range(TRIES if options else 0):
            place = options[int(areas.searchsorted(rng.random(), side="right"))]
            pose = spot(prop.body, prop.shape.radius_m, prop.shape.height_m, place, sim.pose(names[place.body]), rng)
            if pose is None or _crowded(pose, prop, taken) or (len(loose) and _filled(pose, prop, loose)):
                continue
            if not _free_above(sim, pose, prop):
                continue
            taken.append((pose[:3].tolist(), prop.shape.radius_m, prop.shape.height_m))
            out[prop.body.name] = pose
            break
    return out


def _areas(places: list[Place]) -> F64:
    """(P,) running sum of their areas, as shares of the whole."""
    area = np.array([(p.high[0] - p.low[0]) * (p.high[1] - p.low[1]) for p in places])
    total = np.cumsum(area / area.sum())
    return total / total[-1:]


def furniture(scene: Scene, joints: dict[str, float]) -> Sim:
    """What is there before any prop, its joints where they begin."""
    sim = Sim(write_model(list(scene.bodies)))
    for name, value in joints.items():
        sim.set_joint(name, value)
    sim.forward()
    return sim


def spot(body: Body, radius: float, height: float, place: Place, frame: F64, rng: np.random.Generator) -> F64 | None:
    """A random upright pose in a place, or None where the prop does not fit."""
    (x, y, z), high = place.low, place.high
    across, along = high[0] - x - 2 * radius, high[1] - y - 2 * radius
    if across < 0 or along < 0 or high[2] - z < height + DROP_M:
        return None
    u, v = rng.random(2).tolist()
    turn = quat_from_axis_angle([0, 0, 1], rng.uniform(0, 2 * np.pi))
    return compose(frame, np.array([x + radius + u * across, y + radius + v * along, z + DROP_M, *turn.tolist()]))


def _crowded(pose: F64, prop: Chosen, taken: list[tuple[list[float], float, float]]) -> bool:
    x, y, z = pose[:3].tolist()
    for at, radius, height in taken:
        reach, dx, dy = radius + prop.shape.radius_m + GAP_M, x - at[0], y - at[1]
        apart = z - at[2] > height + 0.02 or at[2] - z > prop.shape.height_m + 0.02
        if not apart and abs(dx) < reach and abs(dy) < reach and np.hypot(dx, dy) < reach:
            return True
    return False


def _filled(pose: F64, prop: Chosen, loose: F32) -> bool:
    """Whether loose points stand in the prop's upright cylinder, a little above what it stands on."""
    above = loose[:, 2] - pose[2]
    near = loose[(above > FOOT_M) & (above < prop.shape.height_m)]
    return int(np.count_nonzero(np.hypot(*(near[:, :2] - pose[:2]).T) < prop.shape.radius_m)) >= FEW


_AROUND = np.arange(8) * 2 * np.pi / 8
_RING = np.stack([np.cos(_AROUND), np.sin(_AROUND), np.zeros(8)], 1)
_UP = np.array([0.0, 0.0, 1.0])


def _free_above(sim: Sim, pose: F64, prop: Chosen) -> bool:
    """No furniture in the prop's upright cylinder: rays up from a ring at its foot and one down to its place."""
    r, h, middle = prop.shape.radius_m, prop.shape.height_m, pose[:3]
    waist = middle + _UP * min(0.03, h / 2)
    for foot in (*(middle + _RING * r), middle):
        if sim.ray(foot, _UP) < h + 0.01 or sim.ray(foot + _UP * 0.005, -_UP) > 0.06:
            return False
    return not any(sim.ray(waist, side) < r + 0.005 for side in _RING)


def places_of(body: Body, shape: PropShape) -> tuple[Place, ...]:
    """Where other props may be put on or into this one."""
    if shape.cavity is not None:
        return (Place(f"in_{body.name}", body.id, True, shape.cavity.low, shape.cavity.high, (0.0, 0.0, 1.0)),)
    if shape.top is not None:
        (hx, hy), (cx, cy), z = shape.top.half, shape.top.centre, shape.top.z
        return (
            Place(
                f"on_{body.name}",
                body.id,
                False,
                (cx - hx, cy - hy, z),
                (cx + hx, cy + hy, z + 0.4),
                (0.0, 0.0, 1.0),
            ),
        )
    return ()


def stands(point: F64, places: tuple[Place, ...], sim: Sim, bodies: list[Body]) -> bool:
    """Whether a point is in a place of one of the bodies: within 4 cm of its floor, inside its walls."""
    names = {b.id: b.name for b in bodies}
    for place in places:
        if place.body not in names:
            continue
        x, y, z = apply_pose(invert_pose(sim.pose(names[place.body])), point).tolist()
        low, high = place.low, place.high
        if low[0] <= x <= high[0] and low[1] <= y <= high[1] and low[2] - 0.02 <= z <= low[2] + 0.04:
            return True
    return False


def fill(body: Body, given: tuple[float, float] | None, rng: np.random.Generator) -> float:
    """Filled share at the start, as the scene gives it: else pouring vessels hold something, others mostly not."""
    assert body.vessel is not None
    if given is not None:
        return float(rng.uniform(*given))
    if body.vessel.pours:
        return float(rng.uniform(0.45, 0.7))
    return float(rng.uniform(0.25, 0.5)) if rng.random() < 0.2 else 0.0


LIQUIDS: dict[str, tuple[Name, Vec3]] = {
    "water": (Name("water", "水", "份", "water"), (0.70, 0.80, 0.88)),
    "milk": (Name("milk", "牛奶", "份", "milk"), (0.95, 0.94, 0.90)),
    "orange_juice": (Name("orange juice", "橙汁", "份", "orange juice"), (0.95, 0.58, 0.10)),
    "coffee": (Name("coffee", "咖啡", "份", "coffee"), (0.20, 0.11, 0.06)),
    "tea": (Name("tea", "茶", "份", "tea"), (0.52, 0.25, 0.08)),
}


def liquid(id: int, rng: np.random.Generator) -> Body:
    """The one liquid of a world: it has no shape of its own, only particles."""
    key = list(LIQUIDS)[int(rng.integers(len(LIQUIDS)))]
    name, srgb = LIQUIDS[key]
    speck = Surface(np.zeros((3, 3)), np.zeros((0, 3), np.int32), Material(srgb, gloss=0.4))
    return Body("liquid", id, key, name, "liquid", (speck,), (0.0, 0.0, 0.0), (0.01, 0.01, 0.01))
