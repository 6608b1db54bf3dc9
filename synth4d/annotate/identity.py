"""Who is in the clip: the part of the facts that is the same for every witness."""

from __future__ import annotations

from typing import Any

import numpy as np

from synth4d import vocabulary
from synth4d.geometry import apply_pose, compose, invert_pose, quat_from_axis_angle, rotate
from synth4d.records import (
    BoxFact,
    Colour,
    ConeFact,
    Facts,
    JointFact,
    Label,
    ObjectFact,
)
from synth4d.types import F64, Body, Joint

_UNKNOWN: dict[str, Any] = {
    "box": [None],
    "pose": [None],
    "box2d": [None],
    "visible2d": [None],
    "pixels": [0],
    "occluded": [None],
    "inner": [None],
    "hidden_by": [None],
    "openness": None,
    "on": None,
    "fill": None,
    "support": [None],
    "inside": [None],
}


def askable(bodies: tuple[Body, ...]) -> list[int]:
    """Positions in World.bodies of what has facts: everything with an id that is no structure."""
    return [i for i, b in enumerate(bodies) if b.id > 0 and b.role != "structure"]


def boxes(bodies: list[Body], poses: F64) -> F64:
    """(...,N,7) world boxes of bodies at their poses (...,N,7)."""
    centres = apply_pose(poses, np.array([b.box_center for b in bodies], float).reshape(-1, 3))
    return np.concatenate([centres, poses[..., 3:]], -1)


def unknown(body: Body, others: list[Body], pose: F64, joint_value: float) -> ObjectFact:
    """The identity block of a body, all tracks unknown. `pose` and `joint_value` are of one same moment."""
    return ObjectFact(
        id=body.id,
        name=body.name,
        category=body.category,
        label=label(body),
        colour=colour(body),
        role=body.role,
        part_of=body.part_of,
        size=_vec(body.box_size),
        box_offset=_vec(body.box_center),
        joint=None if body.joint is None else joint_fact(body, body.joint, pose, joint_value),
        vessel=_cone(body),
        cavity=None if body.cavity is None else BoxFact(low=_vec(body.cavity.low), high=_vec(body.cavity.high)),
        switchable=body.control is not None,
        unique=not any(same_words(body, o) for o in others if o is not body),
        **_UNKNOWN,
    )


def strip(facts: Facts) -> Facts:
    """The facts without what happened: every track null, no events. All that a pixels witness may know."""
    bare = [o.model_copy(update=_UNKNOWN) for o in facts.objects]
    return facts.model_copy(update={"objects": bare, "events": [], "without": [], "instead": []})


def label(body: Body) -> Label:
    n = body.label
    return Label(en=n.en, zh=n.zh, measure=n.measure, plural=n.plural or n.en + "s")


def colour(body: Body) -> Colour | None:
    if body.colour is None:
        return None
    name = vocabulary.COLOURS[body.colour][0]
    return Colour(key=body.colour, en=name.en, zh=name.zh)


def same_words(a: Body, b: Body) -> bool:
    """Whether label + colour of one could be said of the other, in either language."""
    same_label = a.label.en == b.label.en or a.label.zh == b.label.zh
    return same_label and (a.colour == b.colour or a.colour is None or b.colour is None)


def joint_motion(axis: F64, anchor: F64, hinge: bool, delta: F64) -> F64:
    """World motion (...,7) of a part whose joint value grows by `delta` (...)."""
    if not hinge:
        shift = np.asarray(delta, float)[..., None] * axis
        return np.concatenate([shift, np.broadcast_to([1.0, 0.0, 0.0, 0.0], (*shift.shape[:-1], 4))], -1)
    q = quat_from_axis_angle(np.broadcast_to(axis, (*np.shape(delta), 3)), delta)
    return np.concatenate([anchor - rotate(q, anchor), q], -1)


def joint_fact(body: Body, joint: Joint, pose: F64, value: float) -> JointFact:
    axis, anchor = np.asarray(joint.axis, float), np.asarray(joint.anchor, float)
    back = joint_motion(axis, anchor, joint.type == "hinge", np.array(joint.closed - value))
    shut = compose(back, np.concatenate([apply_pose(pose, body.box_center), pose[3:]]))
    return JointFact(
        type=joint.type,
        axis=_vec(joint.axis),
        anchor=_vec(joint.anchor),
        closed=_num(joint.closed),
        open=_num(joint.open),
        closed_box=_vec(tuple(shut if shut[3] >= 0 else np.concatenate([shut[:3], -shut[3:]]))),
        face=_face(body, joint, pose, value),
    )


def openness(joint: Joint | JointFact, value: F64) -> F64:
    """Joint values (rad or m) → how far open from shut, degrees or centimetres, never negative."""
    sign = 1.0 if joint.open >= joint.closed else -1.0
    scale = 180 / np.pi if joint.type == "hinge" else 100.0
    return np.maximum((np.asarray(value, float) - joint.closed) * (sign * scale), 0.0)


def joint_value(joint: JointFact, openness_: F64) -> F64:
    """The inverse of `openness`."""
    sign = 1.0 if joint.open >= joint.closed else -1.0
    scale = np.pi / 180 if joint.type == "hinge" else 0.01
    return joint.closed + np.asarray(openness_, float) * (sign * scale)


def _face(body: Body, joint: Joint, pose: F64, value: float) -> float | None:
    """Where a sliding part's largest face that looks along the opening lies, from the box centre, metres."""
    if joint.type != "slide" or not body.surfaces:
        return None
    opening = np.asarray(joint.axis, float) * (1.0 if joint.open >= joint.closed else -1.0)
    local = rotate(invert_pose(pose)[3:], opening)
    corners = np.concatenate([s.vertices[s.faces] for s in body.surfaces])
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    along = cross[:, 0] * local[0] + cross[:, 1] * local[1] + cross[:, 2] * local[2]
    looks = along > 0.95 * np.linalg.norm(cross, axis=1)
    if not looks.any():
        return None
    middle = corners[looks].mean(axis=1) - np.asarray(body.box_center)
    offset = middle[:, 0] * local[0] + middle[:, 1] * local[1] + middle[:, 2] * local[2]
    bins = np.round(offset / 0.005).astype(int)
    bins -= bins.min()
    best = int(np.argmax(np.bincount(bins, along[looks])))
    return _num(float(np.average(offset[bins == best], weights=along[looks][bins == best])))


def _cone(body: Body) -> ConeFact | None:
    v = body.vessel
    if v is None:
        return None
    return ConeFact(
        bottom_z=_num(v.bottom_z),
        top_z=_num(v.top_z),
        bottom_radius=_num(v.bottom_radius),
        top_radius=_num(v.top_radius),
        belly=[[_num(z), _num(r)] for z, r in v.belly],
    )


def _num(value: float) -> float:
    return round(float(value), 6) + 0.0


def _vec(values: tuple[float, ...]) -> list[float]:
    return [_num(v) for v in values]
