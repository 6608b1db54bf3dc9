"""Operations on what could be seen, and on the event that put a thing out of sight or brought it into it."""

from __future__ import annotations

import numpy as np

from synth4d import geometry
from synth4d.program import margins
from synth4d.program.objects import Span
from synth4d.program.operations import Sub, op
from synth4d.program.states import gates, is_shut
from synth4d.program.times import kind_of
from synth4d.program.view import Value, View, refuse
from synth4d.records import EventFact
from synth4d.records import at as entry

# ---- In sight ------------------------------------------------------------------------------------


@op("in_sight", "bool", object=Sub("object"), at=Sub("moment"))
def in_sight(view: View, object: int, at: Span) -> Value:
    """whether a thing could be seen at a moment: not while what it is in is shut; also where that was not filmed"""
    holder = view.remembered(object, view.thing(object).inside, at[0])
    doors = gates(view, holder) if holder and holder in view.by_id else []
    if doors and all(is_shut(view, door, at[0]) for door in doors):
        if _shines_through(view.film, object, holder or 0, doors):
            refuse("ambiguous", f"{view.thing(object).name} shows though what it is in is shut")
        return Value("bool", False)
    if object in view.unlike or any(door in view.unlike for door in doors):
        refuse("ambiguous", f"how {view.thing(object).name} would look is not known")
    if not view.clear(object, at[0]):
        refuse("ambiguous", f"{view.thing(object).name} is barely visible, if at all")
    seen = entry(view.thing(object).visible2d, at[0])
    if seen is None or any(_covers(view, id, at[0], seen) for id in view.unlike):
        refuse("ambiguous", f"{view.thing(object).name} might be hidden")
    return Value("bool", True)


def _shines_through(film: View, id: int, holder: int, doors: list[int]) -> bool:
    """Whether a thing is ever seen in a container that is shut."""
    inside = film.thing(id).inside
    return any(
        film.glimpsed(id, f) and entry(inside, f) == holder and all(is_shut(film, door, f) for door in doors)
        for f in range(film.facts.frames)
    )


def _covers(view: View, id: int, frame: int, seen: list[float]) -> bool:
    """Whether the box of a thing, as the camera would see it, reaches into a place in the picture."""
    thing = view.thing(id)
    if thing.role == "liquid":
        return True
    box = entry(thing.box, frame)
    if box is None:
        return True
    corners = geometry.box_corners(np.array(box, float), np.array(thing.size))
    uv, depth = geometry.project(np.array(view.camera.K), view.T_world_cam(frame), corners)
    if (depth < 0.05).any():
        return True
    (x0, y0), (x1, y1) = uv.min(0), uv.max(0)
    slack = margins.AGREE["px"]
    return bool(x0 < seen[2] + slack and x1 > seen[0] - slack and y0 < seen[3] + slack and y1 > seen[1] - slack)


# ---- What hid or showed a thing ------------------------------------------------------------------


@op("vanished_by", "event", object=Sub("object"))
def vanished_by(view: View, object: int) -> EventFact:
    """the event that put a thing out of sight for good: its move into a container, or the shutting of that"""
    if view.glimpsed(object, view.last):
        refuse("undefined", f"{view.thing(object).name} is in sight at the end")
    holder = view.remembered(object, view.thing(object).inside, view.last)
    if not holder:
        refuse("not visible", f"where {view.thing(object).name} is")
    frames = [f for f in range(view.facts.frames) if view.glimpsed(object, f)]
    if not frames:
        refuse("not visible", view.thing(object).name)
    return _about(view, frames[-1] + 0.5, [object], gates(view, holder), "close")


@op("revealed_by", "event", object=Sub("object"))
def revealed_by(view: View, object: int) -> EventFact:
    """the event that brought a thing into sight: the opening of the container it is in"""
    frames = [f for f in range(view.facts.frames) if view.glimpsed(object, f)]
    if not frames or frames[0] == 0:
        refuse("undefined", f"{view.thing(object).name} does not come into sight")
    holder = next((p for f in frames if (p := entry(view.thing(object).inside, f)) is not None), None)
    if not holder:
        refuse("not visible", f"what {view.thing(object).name} is in at first")
    return _about(view, frames[0] - 0.5, [], gates(view, holder), "open")


def _about(view: View, frame: float, movers: list[int], doors: list[int], kind: str) -> EventFact:
    """The one event in whose course, give or take half a second, something went out of or came into sight."""
    t, slack = frame / view.facts.fps, margins.ORDER_S
    near = [e for e in view.facts.events if e.start_s - slack <= t <= e.end_s + slack]
    fits = [
        e for e in near if (e.object in doors and e.kind == kind) or (e.object in movers and kind_of(e) == "motion")
    ]
    if len(fits) != 1:
        refuse("ambiguous" if fits else "undefined", "no one event did it")
    return fits[0]
