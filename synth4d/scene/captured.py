"""A capture as bodies: its Gaussians shared out to the things of an annotation, their boxes for contact."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth4d import splats
from synth4d.errors import SceneError
from synth4d.geometry import (
    apply_pose,
    box_corners,
    compose,
    invert_pose,
    pose_matrix,
    quat_inv,
    quat_mul,
    rotate,
    rotmat,
)
from synth4d.physics import Geom, Hinge, RawBody
from synth4d.scene.annotation import BoxSpec, ThingSpec
from synth4d.scene.annotation import load as load_annotation
from synth4d.scene.capture import Capture
from synth4d.scene.placement import Placement, pose, product
from synth4d.scene.spec import BodySpec, JointSpec, PlaceSpec
from synth4d.types import F64, Gaussians, Track, Vec3
from synth4d.yamlfile import Document

Bool = NDArray[np.bool_]
I64 = NDArray[np.int64]

REACH = 1.5
"""A Gaussian of 0.97 is half opaque out to 1.2 standard deviations; two on top of each other, to 1.5."""
OUT_M = 0.006
"""How far a thing's Gaussians may reach out of its box. What reaches further is nobody's: facts say that what is
seen of a thing lies in its box."""
FOOT_M, LEVEL = 0.015, 0.8
"""What lies flat (cosine of its normal with the box's z) so near the lower face of a box is what the thing stands
on: the floor between the legs of a table."""
ASTRAY = 0.3
"""Share of the Gaussians with a thing's object_id that may lie outside its box before the box is called wrong."""
DENSITY = 300.0
"""kg/m³ of a box around household things, mostly air."""


@dataclass(slots=True)
class Captured:
    """What an asset of Gaussians adds to a scene."""

    upright: Gaussians
    """All of them, in the asset's upright frame, without harmonics."""
    bodies: list[RawBody] = field(default_factory=list)
    named: dict[str, BodySpec] = field(default_factory=dict)
    places: dict[str, PlaceSpec] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    captures: dict[str, Capture] = field(default_factory=dict)
    """By body; under `rest` what belongs to no named thing, in the scene's frame."""


def share_out(
    found: splats.Splats, annotation: Path | None, moved: splats.Tracks | None, at: Placement, rest: str
) -> Captured:
    """A capture in its place; `rest` names the body of what belongs to no named thing. Raises SceneError."""
    raw = found.gaussians
    upright = splats.transform(replace(raw, sh=None), at.upright, at.scale)
    moved = None if moved is None else splats.tracks.transform(moved, at.upright, at.scale)
    out, place = Captured(upright), pose(at.place)
    things: dict[str, ThingSpec] = {}
    owner = np.full(len(upright.means), -1)
    if annotation is not None:
        spec, document = load_annotation(annotation)
        things = spec.things
        owner = share(upright, found.object_id, things, document)
        _check_moved(moved, things, document)
    order = list(things)
    for name in _parents_first(things):
        thing = things[name]
        led = _track(thing, moved, place)
        if led is not None:
            out.tracks[name] = led
        out.bodies.append(_body(name, thing, things, place, led is not None))
        if thing.name is not None:
            rows = np.flatnonzero(owner == order.index(name))
            to_body = product(pose_matrix(invert_pose(thing.foot)), at.upright)
            mine = splats.transform(take(raw, rows), to_body, at.scale) if len(rows) else None
            out.captures[name] = Capture(mine, thing.size, out.bodies[-1].collision)
            out.named[name] = _named(name, thing)
            if thing.place:
                out.places[f"on_{name}"] = PlaceSpec(on=name)
    nobody = np.flatnonzero(np.isin(owner, [-1, *(k for k, n in enumerate(order) if things[n].name is None)]))
    to_scene = product(at.place, at.upright)
    walls = splats.transform(take(raw, nobody), to_scene, at.scale) if len(nobody) else None
    solid = tuple(
        replace(g, pose=compose(b.pose, g.pose)) for b in out.bodies if things[b.name].name is None for g in b.collision
    )
    out.captures[rest] = Capture(walls, (0.0, 0.0, 0.0), solid)
    return out


def take(g: Gaussians, rows: I64) -> Gaussians:
    """Some of the Gaussians."""
    return Gaussians(
        g.means[rows], g.quats_wxyz[rows], g.scales[rows], g.opacities[rows], g.colours[rows], g.ids[rows],
        None if g.sh is None else g.sh[rows],
        g.antialiased if isinstance(g.antialiased, bool) else g.antialiased[rows],
    )  # fmt: skip


# ---- Whose is which ------------------------------------------------------------------------------


def share(g: Gaussians, ids: NDArray[np.uint32] | None, things: dict[str, ThingSpec], doc: Document) -> I64:
    """(N,) position of the thing each Gaussian belongs to, −1 = none. Of boxes in each other the smallest has it."""
    owner, size = np.full(len(g.means), -1), np.full(len(g.means), np.inf)
    means = g.means.astype(float)
    for k, (name, thing) in enumerate(things.items()):
        where = doc.where(("things", name))
        if thing.object_id is not None:
            mine = _with_id(thing.object_id, ids, where)
            rows = mine[_inside(g, means, mine, thing)[0]]
            if len(rows) < (1 - ASTRAY) * len(mine):
                lost = 1 - len(rows) / len(mine)
                raise SceneError(
                    f"{where}: {name}: {lost:.0%} of the Gaussians with object_id {thing.object_id} reach out of "
                    "its box; mend center, size or the asset's axes, units and scale"
                )
            owner[rows], size[rows] = k, 0.0
            continue
        rows = inside(g, thing)
        if not len(rows) and not (solid_only(thing) and holds(means, thing)):
            raise SceneError(f"{where}: {name}: {_why_empty(means, thing)}")
        volume = float(np.prod(thing.size))
        rows = rows[volume < size[rows]]
        owner[rows], size[rows] = k, volume
    for k, (name, thing) in enumerate(things.items()):
        if not solid_only(thing) and not (owner == k).any():
            where = doc.where(("things", name))
            raise SceneError(f"{where}: {name}: all Gaussians in its box belong to smaller things")
    return owner


def _with_id(object_id: int, ids: NDArray[np.uint32] | None, where: str) -> I64:
    if ids is None:
        raise SceneError(f"{where}: object_id {object_id}: the Gaussians have no property object_id; give boxes alone")
    mine = np.flatnonzero(ids == object_id)
    if not len(mine):
        known = ", ".join(str(i) for i in np.unique(ids)[:12])
        raise SceneError(f"{where}: no Gaussian has object_id {object_id}; there are {known}")
    return mine


def solid_only(thing: ThingSpec) -> bool:
    """Whether it may do without Gaussians: nobody asks about it, or it is what others stand on."""
    return thing.object_id is None and (thing.name is None or thing.place)


def holds(means: F64, box: BoxSpec) -> bool:
    """Whether any Gaussian has its centre in a box, however far it reaches out."""
    local = apply_pose(invert_pose(box.pose), means)
    return bool((np.abs(local) <= np.array(box.size) / 2 + OUT_M).all(1).any())


def inside(g: Gaussians, box: BoxSpec) -> I64:
    """Rows of the Gaussians that a thing with this box has."""
    means = g.means.astype(float)
    near = np.flatnonzero((np.abs(means - box.center) <= np.linalg.norm(box.size) / 2 + OUT_M).all(1))
    fits, under = _inside(g, means, near, box)
    return near[fits & ~under]


def _inside(g: Gaussians, means: F64, rows: I64, box: BoxSpec) -> tuple[Bool, Bool]:
    """(R,) which Gaussians reach no further than OUT_M out of the box, and which of those lie flat at its foot."""
    local = apply_pose(invert_pose(box.pose), means[rows])
    half = np.array(box.size) / 2
    within = np.asarray((np.abs(local) <= half + OUT_M).all(1))
    local, kept = local[within], rows[within]
    axes = rotmat(quat_mul(quat_inv(box.pose[3:]), g.quats_wxyz[kept]))
    along = axes * g.scales[kept, None, :]
    reach = REACH * np.sqrt((along * along).sum(2))
    fits = (np.abs(local) + reach <= half + OUT_M).all(1)
    normal = np.take_along_axis(axes[:, 2], np.argmin(g.scales[kept], 1)[:, None], 1)[:, 0]
    flat = (local[:, 2] < min(FOOT_M, box.size[2] / 3) - half[2]) & (np.abs(normal) > LEVEL)
    under = np.zeros(len(rows), bool)
    under[within], within[within] = fits & flat, fits
    return within, under


def _why_empty(means: F64, thing: ThingSpec) -> str:
    low, high = means.min(0), means.max(0)
    corners = box_corners(thing.pose, thing.size)
    if (corners.max(0) < low).any() or (corners.min(0) > high).any():
        return f"its box lies off the capture, which spans {_nums(low)} to {_nums(high)} m; mend center, axes or units"
    return "no Gaussian lies in its box; mend center and size"


def _nums(v: F64) -> str:
    return "[" + ", ".join(f"{x:.2f}" for x in v) + "]"


# ---- Bodies --------------------------------------------------------------------------------------


def _parents_first(things: dict[str, ThingSpec]) -> list[str]:
    out: list[str] = []

    def add(name: str, above: tuple[str, ...]) -> None:
        parent = things[name].part_of
        if parent is not None and parent not in (*above, name):
            add(parent, (*above, name))
        if name not in out:
            out.append(name)

    for name in things:
        add(name, ())
    return out


def _check_moved(moved: splats.Tracks | None, things: dict[str, ThingSpec], doc: Document) -> None:
    """Whatever has a track is a prop of the annotation."""
    of = {thing.object_id: name for name, thing in things.items()}
    for k in () if moved is None else moved.object_id.tolist():
        if k not in of:
            raise SceneError(f"{doc.path}: the tracks move object_id {k}, which no thing has")
        if things[of[k]].role != "prop" or things[of[k]].part_of:
            where = doc.where(("things", of[k]))
            raise SceneError(f"{where}: {of[k]} moves by its track: give it `role: prop`, and no part_of")


def _track(thing: ThingSpec, moved: splats.Tracks | None, place: F64) -> Track | None:
    """How a thing's body moves in the scene; `moved` is in the upright frame."""
    if moved is None or thing.object_id is None:
        return None
    rows = np.flatnonzero(moved.object_id == thing.object_id)
    if not len(rows):
        return None
    poses = compose(compose(place, moved.poses[rows[0]]), thing.foot)
    for t in range(1, len(poses)):
        if (poses[t, 3:] * poses[t - 1, 3:]).sum() < 0:
            poses[t, 3:] *= -1
    return Track("", moved.times_s - moved.times_s[0], poses)


def _body(name: str, thing: ThingSpec, things: dict[str, ThingSpec], place: F64, led: bool) -> RawBody:
    """The thing for the physics: its boxes, under the thing it is part of."""
    back = invert_pose(thing.foot)
    solids = [thing] if thing.solids is None else thing.solids
    shapes = tuple(Geom("box", (b.size[0] / 2, b.size[1] / 2, b.size[2] / 2), compose(back, b.pose)) for b in solids)
    parent = thing.part_of or ""
    above = things[parent].foot if parent else invert_pose(place)
    mass = float(np.clip(DENSITY * np.prod(thing.size), 0.05, 4.0))
    joint = Hinge(name, "mocap") if led else _joint(name, thing, back)
    return RawBody(name, parent, compose(invert_pose(above), thing.foot), joint, (), shapes, mass)


def _joint(name: str, thing: ThingSpec, back: F64) -> Hinge | None:
    if thing.role == "prop":
        return Hinge(name, "free")
    j = thing.joint
    if j is None:
        return None
    axis = rotate(back[3:], np.array(j.axis) / np.linalg.norm(j.axis))
    anchor = apply_pose(back, np.array(j.anchor)) if j.anchor else np.zeros(3)
    unit = np.pi / 180 if j.type == "hinge" else 1.0
    low, high = (unit * v for v in sorted((j.closed, j.open)))
    return Hinge(name, j.type, _vec3(axis), _vec3(anchor), min(low, 0.0), max(high, 0.0))


def _named(name: str, thing: ThingSpec) -> BodySpec:
    assert thing.name is not None
    joint = JointSpec(closed=thing.joint.closed, open=thing.joint.open) if thing.joint else None
    shared = thing.model_dump(include={"name", "category", "role", "part_of", "colour", "cavity"})
    return BodySpec.model_validate({"from": name, "joint": joint, **shared})


def _vec3(v: F64) -> Vec3:
    return (float(v[0]), float(v[1]), float(v[2]))
