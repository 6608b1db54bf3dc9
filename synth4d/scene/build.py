"""Scene + seed → World: colours and lamps drawn, props chosen, dropped in place and settled by physics."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from synth4d import seeds
from synth4d.errors import CannotHappen
from synth4d.geometry import apply_pose, rotate
from synth4d.physics import RawBody, Sim, write_model
from synth4d.scene import capture, furnish, meshing, patterns
from synth4d.scene.load import Scene, Template
from synth4d.scene.spec import VesselSpec
from synth4d.types import (
    F64,
    Body,
    CameraRules,
    Cavity,
    Joint,
    Lamp,
    Name,
    Place,
    Shot,
    Surface,
    Switch,
    Vec3,
    Vessel,
    World,
)  # fmt: skip

MAX_TILT = np.radians(12.0)
SETTLE_STEPS, LOOK_STEPS = 500, 50
"""Physics steps within which all must have come to rest, and between two looks whether it has."""
CALM = 1e-4
"""m/s or rad/s below which it has."""
ROUNDS = 4
HEADROOM_M = 0.45
"""Free height assumed above a region whose box the scene does not give."""
OFF = 2.0
"""Chance that an always-on lamp is off in a layout, per unit of `light.vary`."""
MIREDS = 600.0
"""Shift of the lamps' colour temperature in 10⁶/K a unit of `light.vary`: 90 at 0.15, 4000 K to 2940 or 6250 K."""
WIEN = 1e-6 * 1.4388e-2 * (1 / 550e-9 - 1 / np.array([610e-9, 550e-9, 465e-9]))
"""What a mired more does to red, green and blue beside green, as an exponent: Wien's law, c₂ = 1.4388 cm K."""


def build(scene: Scene, shot: Shot) -> World:
    """The world of a shot's layout: equal for a shot and its twin. Raises CannotHappen if nothing comes to rest."""
    world = _build(scene, shot.run_seed, shot.layout)
    if world is None:
        raise CannotHappen(f"layout {shot.layout}: fewer than {scene.spec.props.count[0]} props came to rest")
    return world


@lru_cache(maxsize=2)  # a shot that is planned anew, and its twin, need the same world again, or find none again
def _build(scene: Scene, run_seed: int, layout: int) -> World | None:
    rng = seeds.rng(run_seed, scene.name, layout, "layout")
    paint = {
        name: furnish.jitter(m.colours[int(rng.integers(len(m.colours)))], rng)
        for name, m in scene.spec.materials.items()
    }
    fixtures = [_fixture(scene, t, i + 1, paint) for i, t in enumerate(scene.templates)]
    ids = {b.name: b.id for b in fixtures}
    places = _places(scene, fixtures)
    joints = {b.name: _start_joint(scene, b, rng) for b in fixtures if b.joint}
    drawn = seeds.rng(run_seed, scene.name, layout, "light")
    lamps, ambient, controls, levels = _light(scene, rng, drawn)
    joints |= _switch_joints(scene, fixtures, dict(zip(controls, levels, strict=True)))
    tracks, furniture = capture.started(scene.bodies, scene.tracks, seeds.rng(run_seed, scene.name, layout, "tracks"))
    walls = capture.walls(scene.captures, {t.name for t in scene.templates})
    none = [np.zeros((0, 3), np.float32)]
    loose = np.concatenate([b.captured.means for b in walls if b.captured is not None] or none)
    chosen = furnish.choose(scene, rng, len(fixtures) + 1)
    empty = furnish.furniture(scene, joints)
    for _ in range(ROUNDS):
        spots = furnish.spots(scene, chosen, places, fixtures, empty, loose, rng)
        placed = [p for p in chosen if p.body.name in spots]
        if len(placed) >= scene.spec.props.count[0]:
            raws = [*furniture, *(furnish.raw_body(p, spots[p.body.name]) for p in placed)]
            sim, settled = _settle(raws, fixtures, joints, placed, places)
            if len(settled) >= scene.spec.props.count[0]:
                break
        chosen = furnish.choose(scene, rng, len(fixtures) + 1)
    else:
        return None
    props = [p for p in chosen if p.body.name in settled]
    # What the scene itself leaves lying free falls the millimetres that its file leaves it in the air.
    furniture = [replace(r, pose=sim.pose(r.name)) if r.joint and r.joint.type == "free" else r for r in furniture]
    structure = Body(
        "structure",
        0,
        "structure",
        Name("room", "房间"),
        "structure",
        _structure(scene, paint),
        (0, 0, 0),
        (1, 1, 1),
    )
    raws = [
        *(shapeless(b.name) for b in (structure, *walls)),
        *furniture,
        *(furnish.raw_body(p, settled[p.body.name]) for p in props),
    ]
    grain = seeds.rng(run_seed, scene.name, layout, "patterns")
    bodies = tuple(patterns.varied(b, grain) for b in (structure, *walls, *fixtures, *(p.body for p in props)))
    given = {n: b.vessel.fill for n, b in scene.spec.bodies.items() if b.vessel}
    levels_of = tuple(furnish.fill(b, given.get(b.name), rng) if b.vessel else float("nan") for b in bodies)
    liquid = furnish.liquid(1 + max(b.id for b in bodies), rng) if any(f > 0 for f in levels_of) else None
    if liquid is not None:
        bodies, levels_of = (*bodies, liquid), (*levels_of, float("nan"))
        raws.append(shapeless(liquid.name))
    model = write_model(raws)
    sim = Sim(model)
    for name, value in joints.items():
        sim.set_joint(name, value)
    sim.forward()
    places = (*places, *(q for p in props for q in furnish.places_of(p.body, p.shape)))
    return World(
        scene=scene.name, bodies=bodies, lamps=lamps, ambient_rgb=ambient, controls=controls,
        model=model, rest_qpos=sim.qpos, start_levels=levels,
        start_fill=levels_of, liquid=liquid.id if liquid else None,
        places=places, switches=tuple(Switch(ids[s.part], s.turns, ids[s.turns]) for s in scene.spec.switches),
        event_weights=tuple(sorted((str(k), v) for k, v in scene.spec.events.items() if v > 0)),
        camera=_camera(scene), tracks=tracks,
        free=tuple(b.name for b in bodies if b.role == "prop" and b.name not in scene.tracks),
        topples=tuple(p.body.name for p in props if p.shape.topples),
        rolls=tuple(p.body.name for p in props if p.shape.rolls),
    )  # fmt: skip


def shapeless(name: str) -> RawBody:
    """A body that only has a name and stays at the world's origin."""
    return RawBody(name, "", np.array([0.0, 0, 0, 1, 0, 0, 0]), None, (), ())


def _fixture(scene: Scene, t: Template, id: int, paint: dict[str, Vec3]) -> Body:
    spec = t.spec
    glow = t.name if spec.switched else None
    specs, switched = scene.spec.materials, _switched(scene)
    surfaces = tuple(
        meshing.surface(g, meshing.material(g, specs, paint, scene.folder, glow, switched)) for g in t.geoms
    )
    low, high = _bounds(surfaces)
    taken = scene.captures.get(t.name)
    if taken is not None:
        x, y, z = taken.size
        low, high, surfaces = np.array([-x / 2, -y / 2, 0.0]), np.array([x / 2, y / 2, z]), taken.surfaces()
    joint = None
    if spec.joint:
        raw = next(r for r in scene.bodies if r.name == t.name)
        assert raw.joint is not None
        unit = np.pi / 180 if raw.joint.type == "hinge" else 1.0
        axis = rotate(t.pose[3:], raw.joint.axis)
        joint = Joint(
            t.name, "hinge" if raw.joint.type == "hinge" else "slide", spec.joint.closed * unit, spec.joint.open * unit,
            vec3(axis), vec3(apply_pose(t.pose, np.array(raw.joint.anchor))),
        )  # fmt: skip
    ids = {name: i + 1 for i, name in enumerate(scene.spec.bodies)}
    n = spec.name
    vessel = _vessel(spec.vessel) if spec.vessel else None
    cavity = Cavity(spec.cavity.low, spec.cavity.high) if spec.cavity else None
    return Body(
        t.name, id, spec.category or t.name, Name(n.en, n.zh, n.measure, n.plural), spec.role, surfaces,
        vec3((low + high) / 2), vec3(np.maximum(high - low, 1e-3)), colour=spec.colour,
        part_of=ids[spec.part_of] if spec.part_of else None, joint=joint, vessel=vessel, cavity=cavity, control=glow,
        captured=taken.owned(id) if taken else None,
    )  # fmt: skip


def _vessel(spec: VesselSpec) -> Vessel:
    fields = spec.model_dump(exclude={"fill", "belly"})
    return Vessel(**fields, belly=tuple(spec.belly))


def _structure(scene: Scene, paint: dict[str, Vec3]) -> tuple[Surface, ...]:
    specs, switched = scene.spec.materials, _switched(scene)
    return tuple(
        meshing.surface(g, meshing.material(g, specs, paint, scene.folder, None, switched)) for g in scene.structure
    )


def _switched(scene: Scene) -> frozenset[str]:
    """Materials that some switched body has."""
    return frozenset(g.material for t in scene.templates if t.spec.switched for g in t.geoms)


def _bounds(surfaces: tuple[Surface, ...]) -> tuple[F64, F64]:
    if not surfaces:
        return np.zeros(3), np.zeros(3)
    points = np.concatenate([s.vertices for s in surfaces])
    return points.min(0), points.max(0)


def vec3(v: F64) -> Vec3:
    return (float(v[0]), float(v[1]), float(v[2]))


def _places(scene: Scene, fixtures: list[Body]) -> tuple[Place, ...]:
    by_name = {b.name: b for b in fixtures}
    out = []
    for name, spec in scene.spec.places.items():
        body = by_name[spec.on]
        half, centre = np.array(body.box_size) / 2, np.array(body.box_center)
        top = centre[2] + half[2]
        low = spec.low or vec3(np.array([*(centre - half)[:2], top]))
        high = spec.high or vec3(np.array([*(centre + half)[:2], top + HEADROOM_M]))
        out.append(Place(name, body.id, False, low, high, (0.0, 0.0, 1.0)))
    for name, b in scene.spec.bodies.items():
        if b.cavity:
            gate = by_name[b.cavity.gate].id if b.cavity.gate else None
            out.append(Place(f"in_{name}", by_name[name].id, True, b.cavity.low, b.cavity.high, b.cavity.enter, gate))
    return tuple(out)


def _start_joint(scene: Scene, body: Body, rng: np.random.Generator) -> float:
    assert body.joint is not None
    share = rng.uniform(0.6, 1.0) if rng.random() < scene.spec.start.open else 0.0
    return float(body.joint.closed + share * (body.joint.open - body.joint.closed))


def _switch_joints(scene: Scene, fixtures: list[Body], levels: dict[str, float]) -> dict[str, float]:
    """A switch stands where what it turns says."""
    joints = {b.name: b.joint for b in fixtures if b.joint}
    return {s.part: joints[s.part].open if levels[s.turns] else joints[s.part].closed for s in scene.spec.switches}


def _light(
    scene: Scene, rng: np.random.Generator, drawn: np.random.Generator
) -> tuple[tuple[Lamp, ...], Vec3, tuple[str, ...], tuple[float, ...]]:
    """Lamps, ambient, controls and their levels. `drawn` is for which lamps are on and where they are."""
    spec, vary = scene.spec, scene.spec.light.vary
    warm = rng.uniform(-1, 1) * vary

    def tinted(rgb: Vec3) -> Vec3:
        return vec3(np.array(rgb) * rng.uniform(1 - vary, 1 + vary) * np.exp(WIEN * warm * MIREDS))

    always = [s.name for s in spec.lamps if s.body is None]
    off = {name for name in always if drawn.random() < OFF * vary}
    if len(off) == len(always) > 0:
        off.discard(always[int(drawn.integers(len(always)))])
    shift = {s.name: np.array([*drawn.uniform(-vary, vary, 2), 0.0]) * (s.body is None) for s in spec.lamps}
    lamps = [Lamp(s.name, vec3(np.add(s.position, shift[s.name])), s.radius, tinted(s.rgb), s.body) for s in spec.lamps]
    controls = tuple(n for n, b in spec.bodies.items() if b.switched)
    ambient = tinted(spec.light.ambient)
    levels = tuple(float(rng.random() < spec.start.on) for _ in controls)
    return tuple(lamp for lamp in lamps if lamp.name not in off), ambient, controls, levels


def _camera(scene: Scene) -> CameraRules:
    c, rad = scene.spec.camera, np.pi / 180

    def pair(degrees: tuple[float, float]) -> tuple[float, float]:
        return (degrees[0] * rad, degrees[1] * rad)

    return CameraRules(
        c.room_low, c.room_high, pair(c.azimuth), pair(c.elevation), c.distance, pair(c.fov), pair(c.sweep)
    )


def _settle(
    raws: list[RawBody],
    fixtures: list[Body],
    joints: dict[str, float],
    props: list[furnish.Chosen],
    places: tuple[Place, ...],
) -> tuple[Sim, dict[str, F64]]:
    """Let everything fall; → the pose of each prop that lies still, upright and where it was put."""
    sim = Sim(write_model(raws))
    for name, value in joints.items():
        sim.set_joint(name, value)
    keep_shut = sim.holding(joints)
    for _ in range(SETTLE_STEPS // LOOK_STEPS):
        sim.step(LOOK_STEPS, keep_shut)
        keep_shut()
        if sim.still(CALM):
            break
    if not sim.finite():
        return sim, {}
    settled = {}
    for prop in props:
        name = prop.body.name
        pose = sim.pose(name)
        up = rotate(pose[3:], np.array([0.0, 0, 1]))
        fallen = float(np.arccos(np.clip(up[2], -1, 1))) > MAX_TILT and not prop.shape.rolls
        if not fallen and sim.speed(name) < 0.03 and furnish.stands(pose[:3], places, sim, fixtures):
            settled[name] = pose
    return sim, settled
