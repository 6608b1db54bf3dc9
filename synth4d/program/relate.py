"""Operations that relate things: those beside, between, hidden by others, in a state, that something happened to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from synth4d.program import margins
from synth4d.program.objects import Span
from synth4d.program.operations import Sub, Word, op
from synth4d.program.space import SECTORS, _flat, _unit, gap, sector, side
from synth4d.program.states import STATES, is_, opens
from synth4d.program.times import KINDS, kind_of
from synth4d.program.view import Refused, Things, Value, View, number, refuse
from synth4d.records import JointFact
from synth4d.records import at as entry
from synth4d.types import F64

Reach = tuple[float, float]

# ---- Sets by what holds of their members -----------------------------------------------------------


def where(of: Things, holds: Callable[[int], bool | None]) -> Things:
    """Those of a set that something holds of; None or a refusal of doubt: in doubt, an undefined one: not."""
    kept, unsure = [], []
    for id in (*of.sure, *of.unsure):
        try:
            found = holds(id)
        except Refused as r:
            found = False if r.refusal.reason == "undefined" else None
        if found is None or (found and id in of.unsure):
            unsure.append(id)
        elif found:
            kept.append(id)
    return Things(tuple(kept), tuple(unsure), of.measure)


@op("beside", "things", of=Sub("things"), side=Word(SECTORS), by=Sub("object"), at=Sub("moment"))
def beside(view: View, of: Things, side: str, by: int, at: Span) -> Things:
    """those of a set that lie to a side of a thing as the camera sees it: left, right, front (nearer), behind"""
    view.need_clear((by,), at[0])
    return where(of, lambda id: _beside(view, id, side, by, at))


def _beside(view: View, id: int, wanted: str, by: int, at: Span) -> bool:
    if id == by or not view.glimpsed(id, at[0]):
        return False
    if wanted in ("left", "right"):
        # What the picture shows on the other side is not there, wherever it stands in the room.
        a, b = (view.known(view.thing(i).visible2d, at[0], view.thing(i).name) for i in (id, by))
        if ((a[0] + a[2]) < (b[0] + b[2])) != (wanted == "left"):
            return False
    return bool(side(view, id, by, at).value == wanted)


@op("in_state", "things", of=Sub("things"), state=Word(STATES), at=Sub("span"))
def in_state(view: View, of: Things, state: str, at: Span) -> Things:
    """those of a set that are open, closed, on, off, full or empty"""
    return where(of, lambda id: bool(is_(view, id, state, at).value))


@op("befell", "things", of=Sub("things"), kind=Word(KINDS))
def befell(view: View, of: Things, kind: str) -> Things:
    """those of a set that an event of a kind happens to in the video"""
    busy = {e.object for e in view.facts.events if kind in (e.kind, kind_of(e))}
    return where(of, lambda id: id in busy)


@op("hidden_by", "things", object=Sub("object"), at=Sub("moment"), of=Sub("things", optional=True))
def hidden_by(view: View, object: int, at: Span, of: Things | None) -> Things:
    """things clearly visible at a moment of which a part is hidden by a thing, as the camera sees them"""
    base = of or Things(tuple(id for id in view.askable if view.thing(id).role == "prop" and id != object))
    view.need_clear((object,), at[0])

    def holds(id: int) -> bool | None:
        if not view.clear(id, at[0]):
            return None if view.glimpsed(id, at[0]) and _meet(view, id, object, at[0]) else False
        hiders = entry(view.thing(id).hidden_by, at[0])
        return (object in hiders) if hiders is not None else None if _meet(view, id, object, at[0]) else False

    return where(base, holds)


def _meet(view: View, a: int, b: int, frame: int) -> bool:
    """Whether the visible boxes of two things come within two pixels of each other."""
    x, y = (entry(view.thing(id).visible2d, frame) for id in (a, b))
    if x is None or y is None:
        return False
    return bool(max(x[0], y[0]) <= min(x[2], y[2]) + 2 and max(x[1], y[1]) <= min(x[3], y[3]) + 2)


@op("is_hidden", "bool", object=Sub("object"), at=Sub("moment"))
def is_hidden(view: View, object: int, at: Span) -> Value:
    """whether a part of a thing that is in sight is hidden by another, as the camera sees it"""
    view.need_clear((object,), at[0])
    return Value("bool", bool(view.known(view.thing(object).hidden_by, at[0], "what hides it")))


# ---- Between -------------------------------------------------------------------------------------


@op("amid", "things", a=Sub("object"), b=Sub("object"), at=Sub("moment"), of=Sub("things"))
def amid(view: View, a: int, b: int, at: Span, of: Things) -> Things:
    """those of a set, seen at a moment, that stand between two others: the straight line from the middle of the one
    to that of the other, seen from above, crosses them in the gap"""
    if a == b:
        refuse("undefined", "between needs two different things")
    first, second = (_flat(view, end, at[0]) for end in (a, b))
    ahead = _unit(second[0] - first[0], "the line between them")
    low, high = float(((first - first[0]) @ ahead).max()), float(((second - first[0]) @ ahead).min())
    if not margins.GAP_M[0] <= high - low <= margins.GAP_M[1]:
        refuse("ambiguous", "the two are too near or too far apart")
    levels = _levels(view, a, at[0]), _levels(view, b, at[0])
    return where(
        of, lambda id: id not in (a, b) and _amid(view, id, at[0], (a, b), first[0], ahead, (low, high), levels)
    )


def _amid(
    view: View,
    id: int,
    frame: int,
    ends: tuple[int, int],
    origin: F64,
    ahead: F64,
    gap: Reach,
    levels: Sequence[Reach],
) -> bool | None:
    """Whether a thing is in the `gap` along the way `ahead` from `origin`, no higher or lower than its ends."""
    if not view.glimpsed(id, frame):
        return False
    if entry(view.thing(id).box, frame) is None and not _amid_picture(view, id, ends, frame):
        return False
    low, high = gap
    here = _flat(view, id, frame) - origin
    along, off = here @ ahead, here @ np.array([-ahead[1], ahead[0]])
    start, end = low + margins.BETWEEN[0] * (high - low), low + margins.BETWEEN[1] * (high - low)
    inside, aside = margins.ASIDE_M
    if along.max() < low or along.min() > high or off.min() >= aside or off.max() <= -aside:
        return False
    own = _levels(view, id, frame)
    if not all(own[0] < z[1] and z[0] < own[1] for z in levels):
        return None  # above or below the line: some would say so, some would not
    crossed = off.min() <= -inside and off.max() >= inside
    return True if crossed and start <= along[0] <= end else None


def _amid_picture(view: View, id: int, ends: tuple[int, int], frame: int) -> bool:
    """Whether what is seen of a thing meets the smallest box around what is seen of two others."""
    own, a, b = (entry(view.thing(i).visible2d, frame) for i in (id, *ends))
    if own is None or a is None or b is None:
        return True
    low, high = np.minimum(a, b)[:2], np.maximum(a, b)[2:]
    return bool((own[:2] < high).all() and (low < own[2:]).all())


def _levels(view: View, id: int, frame: int) -> Reach:
    """Heights of the lowest and highest point of a thing's box."""
    z = view.corners(id, frame)[:, 2]
    return float(z.min()), float(z.max())


# ---- Heights, gaps in plan, a thing's own sides --------------------------------------------------


@op("above", "number", a=Sub("object"), b=Sub("object"), at=Sub("moment"))
def above(view: View, a: int, b: int, at: Span) -> Value:
    """centimetres by which the top of the first is higher than that of the second; < 0: lower"""
    tops = [_levels(view, id, at[0])[1] for id in (a, b)]
    if abs(tops[0] - tops[1]) < margins.HIGHER_M:
        refuse("ambiguous", "their tops are about level")
    return number(100 * (tops[0] - tops[1]), "cm")


@op("highest", "object", of=Sub("things"), at=Sub("moment"))
def highest(view: View, of: Things, at: Span) -> int:
    """which of a set reaches highest above the floor at a moment"""
    if of.unsure or len(of.sure) < 2:
        refuse("undefined", "highest needs two or more to compare")
    ranked = sorted((-_levels(view, id, at[0])[1], id) for id in of.sure)
    if ranked[1][0] - ranked[0][0] < margins.HIGHER_M:
        refuse("ambiguous", "their tops are about level")
    return ranked[0][1]


@op("across", "number", a=Sub("object"), b=Sub("object"), at=Sub("moment"))
def across(view: View, a: int, b: int, at: Span) -> Value:
    """metres between the middles of two things, seen from above: height doesn't count"""
    x, y = (_flat(view, id, at[0])[0] for id in (a, b))
    metres = float(np.hypot(*(x - y)))
    if metres < margins.DISTANCE_M:
        refuse("ambiguous", f"only {metres:.2f} m apart")
    return number(metres, "m")


def front(view: View, id: int) -> F64:
    """(2,) the way the doors and drawers of a thing open, seen from above; refuses where it has none, or several."""
    ways = []
    for part in view.facts.objects:
        if id in (part.id, part.part_of) and part.joint is not None and part.joint.closed_box and opens(part):
            way = _opening(part.joint, part.joint.closed_box)
            if np.hypot(way[0], way[1]) > 0.7 * float(np.sqrt((way**2).sum())) > 0:
                ways.append(way[:2] / np.hypot(way[0], way[1]))
    if not ways:
        refuse("undefined", f"{view.thing(id).name} has no front of its own")
    if min(float(w @ ways[0]) for w in ways) < np.cos(np.radians(margins.FRONT_DEG)):
        refuse("ambiguous", f"{view.thing(id).name} opens to more than one side")
    return np.asarray(ways[0])


def _opening(joint: JointFact, shut: list[float]) -> F64:
    """(3,) the way a part begins to open: a slide along its axis, a door's middle across its axis and its arm."""
    axis = [v if joint.open >= joint.closed else -v for v in joint.axis]
    if joint.type == "slide":
        return np.array(axis, float)
    arm = [a - b for a, b in zip(shut[:3], joint.anchor, strict=True)]
    turns = ((1, 2), (2, 0), (0, 1))
    return np.array([axis[i] * arm[j] - axis[j] * arm[i] for i, j in turns], float)


@op("own_side", "choice", of=Sub("object"), by=Sub("object"), at=Sub("moment"))
def own_side(view: View, of: int, by: int, at: Span) -> Value:
    """front, left, behind or right of a thing with doors or drawers, in its own frame: its front is the side they
    open to, its left the left hand of one who stands with the back to it"""
    facing = front(view, by)
    if of == by or view.thing(of).part_of == by or gap(view, of, by, at[0]) == 0:
        refuse("undefined", "it is in or part of it")
    own = _flat(view, by, at[0])
    offsets, own = _flat(view, of, at[0]) - own[0], own - own[0]
    found = sector(offsets, facing)
    way = facing if found in ("front", "behind") else np.array([-facing[1], facing[0]])
    way = way if found in ("front", "left") else -way
    if (offsets @ way).min() < (own @ way).max() - 0.01:
        refuse("ambiguous", "it is over or under it")
    return Value("choice", found)
