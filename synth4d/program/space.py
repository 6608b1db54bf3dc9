"""Operations on space: distance, size, direction in a named frame of reference, order in depth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from synth4d import geometry
from synth4d.program import margins
from synth4d.program.objects import Span, sure
from synth4d.program.operations import Num, Sub, Word, op
from synth4d.program.view import CAMERA, Things, Value, View, number, refuse
from synth4d.records import at as entry
from synth4d.types import F64

# ---- Distance ------------------------------------------------------------------------------------


@op("camera", "place")
def camera(view: View) -> int:
    """the camera, as a place"""
    return CAMERA


def gap(view: View, a: int, b: int, frame: int) -> float:
    """Metres between the nearest points of two oriented boxes, or of one and the camera's centre."""
    key = (min(a, b), max(a, b), frame)
    if key not in view._distances:
        view._distances[key] = _gap(view, *key)
    return view._distances[key]


def _gap(view: View, a: int, b: int, frame: int) -> float:
    if a == b:
        return 0.0
    box, size = view.box(b, frame), np.array(view.thing(b).size)
    if a == CAMERA:
        local = geometry.apply_pose(geometry.invert_pose(box), view.T_world_cam(frame)[:3, 3])
        return float(np.sqrt((np.maximum(np.abs(local) - size / 2, 0.0) ** 2).sum()))
    return geometry.box_distance(view.box(a, frame), view.thing(a).size, box, size)


@op("distance", "number", a=Sub("place"), b=Sub("place"), at=Sub("moment"))
def distance(view: View, a: int, b: int, at: Span) -> Value:
    """metres between the nearest points of two things, or of one and the camera; 0 when inside"""
    metres = gap(view, a, b, at[0])
    if 0 < metres < margins.DISTANCE_M:
        refuse("ambiguous", f"only {metres:.2f} m apart")
    return number(metres, "m")


@op("nearest", "object", to=Sub("place"), of=Sub("things"), at=Sub("moment"))
def nearest(view: View, to: int, of: Things, at: Span) -> int:
    """which of a set is nearest to a place at a moment"""
    members = [id for id in sure(view, of) if id != to]
    if len(members) < 2:
        refuse("undefined", "nearest needs two or more to compare")
    ranked = sorted((gap(view, to, id, at[0]), id) for id in members)
    first, second = ranked[0][0], ranked[1][0]
    if second - first < max(margins.NEARER_M, margins.NEARER_SHARE * second):
        refuse("ambiguous", f"nearest at {first:.2f} m, next at {second:.2f} m")
    return ranked[0][1]


@op("farthest", "object", to=Sub("place"), of=Sub("things"), at=Sub("moment"))
def farthest(view: View, to: int, of: Things, at: Span) -> int:
    """which of a set is farthest from a place at a moment"""
    members = [id for id in sure(view, of) if id != to]
    if len(members) < 2:
        refuse("undefined", "farthest needs two or more to compare")
    ranked = sorted((-gap(view, to, id, at[0]), id) for id in members)
    first, second = -ranked[0][0], -ranked[1][0]
    if first - second < max(margins.NEARER_M, margins.NEARER_SHARE * first):
        refuse("ambiguous", f"farthest at {first:.2f} m, next at {second:.2f} m")
    return ranked[0][1]


# ---- Size ----------------------------------------------------------------------------------------


@op("size", "number", object=Sub("object"), by=Word(("height", "length")), at=Sub("moment"))
def size(view: View, object: int, by: str, at: Span) -> Value:
    """centimetres: a thing's height as it stands, or the longest side of its own box"""
    return number(100 * _extent(view, object, by, at[0]), "cm")


def _extent(view: View, id: int, by: str, frame: int) -> float:
    sides = np.array(view.thing(id).size)
    if by == "length":
        return float(sides.max())
    up = np.abs(geometry.rotmat(view.box(id, frame)[3:])[2])
    axis = int(np.argmax(up))
    if up[axis] < np.cos(np.radians(margins.UPRIGHT_DEG)):
        refuse("ambiguous", f"{view.thing(id).name} is tilted")
    return float(sides[axis])


@op("biggest", "object", by=Word(("height", "length")), of=Sub("things"), at=Sub("moment"))
def biggest(view: View, by: str, of: Things, at: Span) -> int:
    """which of a set is the tallest (height) or the longest (length) at a moment"""
    ranked = sorted((-_extent(view, id, by, at[0]), id) for id in sure(view, of))
    if len(ranked) < 2:
        refuse("undefined", "biggest needs two or more to compare")
    first, second = -ranked[0][0], -ranked[1][0]
    if first < second * (1 + margins.SIZE_SHARE):
        refuse("ambiguous", f"{first:.2f} m against {second:.2f} m")
    return ranked[0][1]


# ---- Direction -----------------------------------------------------------------------------------

SECTORS = ("front", "left", "behind", "right")
"""Counter-clockwise seen from above, from the way one faces."""


def sector(offsets: F64, facing: F64) -> str:
    """The quarter that horizontal offsets (N,2) lie in for one who faces (2,): the first row decides, with a
    two-sided margin at the borders; of the rest, at most STRAY_CORNERS may lie in another quarter."""
    along = offsets @ facing
    left = offsets[:, 1] * facing[0] - offsets[:, 0] * facing[1]
    degrees = np.degrees(np.arctan2(left, along)) % 360
    quarter = (degrees + 45) // 90 % 4
    if abs((degrees[0] + 45) % 90 - 45) > 45 - margins.SECTOR_DEG:
        refuse("ambiguous", f"{degrees[0]:.0f}° is near the border of two directions")
    if int((quarter[1:] != quarter[0]).sum()) > margins.STRAY_CORNERS:
        refuse("ambiguous", "it reaches into another direction")
    return SECTORS[int(quarter[0])]


def _flat(view: View, id: int, frame: int) -> F64:
    """Horizontal centre and corners of a box, (9,2)."""
    corners = view.corners(id, frame)
    return np.vstack([corners.mean(axis=0), corners])[:, :2]


def _unit(v: F64, what: str) -> F64:
    length = float(np.hypot(v[0], v[1]))
    if length < 0.05:
        refuse("undefined", f"{what} has no horizontal direction")
    return v / length


@op("direction", "choice", of=Sub("object"), standing_at=Sub("object"), facing=Sub("object"), at=Sub("moment"))
def direction(view: View, of: int, standing_at: int, facing: int, at: Span) -> Value:
    """front, left, behind or right: where a thing is for one who stands at the second and faces the third"""
    if len({of, standing_at, facing}) < 3:
        refuse("undefined", "direction needs three different things")
    near, far = margins.PAIR_GAP_M
    for a, b in ((of, standing_at), (of, facing), (standing_at, facing)):
        if not near <= gap(view, a, b, at[0]) <= far:
            refuse("ambiguous", f"{view.thing(a).name} and {view.thing(b).name} are too near or too far apart")
    stand = _flat(view, standing_at, at[0])[0]
    ahead = _unit(_flat(view, facing, at[0])[0] - stand, "facing")
    return Value("choice", sector(_flat(view, of, at[0]) - stand, ahead))


@op("side", "choice", of=Sub("object"), by=Sub("object"), at=Sub("moment"))
def side(view: View, of: int, by: int, at: Span) -> Value:
    """left, right, front (nearer) or behind: where a thing is beside another as the camera sees it"""
    if of == by:
        refuse("undefined", "side needs two different things")
    view.need_clear((of, by), at[0])
    ahead = _unit(view.T_world_cam(at[0])[:2, 2], "the camera's view")
    found = sector(_flat(view, of, at[0]) - _flat(view, by, at[0])[0], ahead)
    if found in ("left", "right"):
        a, b = (entry(view.thing(id).visible2d, at[0]) for id in (of, by))
        if a is None or b is None or ((a[0] + a[2] < b[0] + b[2]) != (found == "left")):
            refuse("ambiguous", "the picture's sides differ from the room's")
    return Value("choice", {"front": "behind", "behind": "front"}.get(found, found))


@op("outermost", "object", side=Word(("left", "right", "top", "bottom")), of=Sub("things"), at=Sub("moment"))
def outermost(view: View, side: str, of: Things, at: Span) -> int:
    """which of a set is farthest to a side of the picture at a moment"""
    members = sure(view, of)
    view.need_clear(members, at[0])
    axis, sign = (0 if side in ("left", "right") else 1), (1 if side in ("left", "top") else -1)
    ranked = []
    for id in members:
        box = view.known(view.thing(id).visible2d, at[0], view.thing(id).name)
        ranked.append((sign * (box[axis] + box[axis + 2]) / 2, id))
    ranked.sort()
    extent = view.facts.height if axis else view.facts.width
    if not ranked or (len(ranked) > 1 and ranked[1][0] - ranked[0][0] < margins.PICTURE_SHARE * extent):
        refuse("ambiguous", f"no one thing is farthest to the {side}")
    return ranked[0][1]


@op("depth_order", "list", of=Sub("object", many=(2, 4)), at=Sub("moment"))
def depth_order(view: View, of: list[int], at: Span) -> list[int]:
    """things in order from the nearest to the camera to the farthest, along its line of sight"""
    view.need_clear(tuple(of), at[0])
    T = view.T_world_cam(at[0])
    spans = []
    for id in of:
        z = (view.corners(id, at[0]) - T[:3, 3]) @ T[:3, 2]
        spans.append((float(z.min()), float(z.max()), id))
    spans.sort()
    if any(b[0] - a[1] < margins.DEPTH_GAP_M for a, b in pairwise(spans)):
        refuse("ambiguous", "they overlap in depth")
    return [id for _, _, id in spans]


@op("appearance_order", "list", of=Sub("object", many=(2, 4)), apart=Num(0.5, 60, optional=True))
def appearance_order(view: View, of: list[int], apart: float | None) -> list[int]:
    """things in the order in which they first come into view, at least 0.5 s (or `apart`) from each other"""
    first = []
    for id in of:
        seen = [f for f in range(view.facts.frames) if view.glimpsed(id, f)]
        clear = [f for f in seen if view.clear(id, f)]
        if not clear:
            refuse("not visible", view.thing(id).name)
        first.append((view.seconds(seen[0]), view.seconds(clear[0]), id))
    first.sort()
    need = max(apart or 0.0, margins.ORDER_S) - 1e-9
    if any(b[0] - a[1] < need for a, b in pairwise(first)):
        refuse("ambiguous", "they appear at about the same time")
    return [id for _, _, id in first]
