"""Operations on change between two moments: what moved, which way and how far, what is otherwise now."""

from __future__ import annotations

import numpy as np

from synth4d.program import margins
from synth4d.program.objects import Span
from synth4d.program.operations import Sub, op
from synth4d.program.space import sector
from synth4d.program.states import filled, opened, opens, state_through
from synth4d.program.view import Refused, Things, Value, View, number, refuse
from synth4d.records import EventFact
from synth4d.records import at as entry
from synth4d.types import F64

MOMENTS = {"since": Sub("moment"), "until": Sub("moment")}


def _amount(change: float, least: float, most_still: float, what: str) -> bool:
    """Whether a change is one: surely from `least` up, surely not up to `most_still`."""
    if most_still < change < least:
        refuse("ambiguous", f"{what} changes a little")
    return change >= least


def _shift(view: View, id: int, since: Span, until: Span) -> F64:
    thing = view.thing(id)
    if thing.role != "prop":
        refuse("undefined", f"{thing.name} does not move about")
    return view.box(id, until[0])[:3] - view.box(id, since[0])[:3]


def has_moved(view: View, id: int, since: Span, until: Span) -> bool:
    name, shift = view.thing(id).name, _shift(view, id, since, until)
    moved = _amount(_length(shift), margins.MOVED_M, margins.STILL_M, name)
    if moved and carried(view, id, shift, since, until):
        refuse("ambiguous", f"{name} is carried along")
    if not moved and any(e.object == id and _touches(view, e, since, until) for e in view.facts.events):
        refuse("ambiguous", f"{name} moves and comes back")
    return moved


def _length(v: F64) -> float:
    return float(np.sqrt((v**2).sum()))


def carried(view: View, id: int, shift: F64, since: Span, until: Span) -> bool:
    """Whether a thing only went along with what it stays in or on (an apple in a drawer that opens)."""
    thing = view.thing(id)
    for track in (thing.inside, thing.support):
        a, b = (view.remembered(id, track, m[0]) for m in (since, until))
        if a and a == b and a in view.by_id:
            holder = view.thing(a)
            places = [entry(holder.box, m[0]) for m in (since, until)]
            if places[0] is not None and places[1] is not None:
                along = np.subtract(places[1][:3], places[0][:3])
                if _length(along) > margins.STILL_M and _length(shift - along) <= margins.STILL_M:
                    return True
    return False


def has_changed(view: View, id: int, since: Span, until: Span) -> bool:
    """Whether a thing moved of itself, opened or shut, went on or off, or its level changed."""
    thing = view.thing(id)
    if thing.role == "prop":
        shift = _shift(view, id, since, until)
        moved = _amount(_length(shift), margins.MOVED_M, margins.STILL_M, thing.name)
        if moved and not carried(view, id, shift, since, until):
            return True
    if opens(thing):
        (a, full), (b, _) = opened(view, id, since[0]), opened(view, id, until[0])
        if _amount(abs(a - b) / full, margins.OPENED_SHARE, margins.OPENED_SHARE / 3, thing.name):
            return True
    if thing.switchable:
        a_on, b_on = (view.known(thing.on, f, thing.name) for f in (since[0], until[0]))
        if a_on != b_on:
            return True
    if thing.vessel is not None and thing.fill is not None:
        change = abs(filled(view, id, since[0]) - filled(view, id, until[0]))
        if _amount(change, margins.FILLED_SHARE, margins.FILLED_SHARE / 3, thing.name):
            return True
    return False


def _changeable(view: View) -> tuple[int, ...]:
    things = (view.thing(id) for id in view.askable)
    return tuple(o.id for o in things if o.role == "prop" or opens(o) or o.switchable)


@op("changed", "things", of=Sub("things", optional=True), since=Sub("moment"), until=Sub("moment"))
def changed(view: View, of: Things | None, since: Span, until: Span) -> Things:
    """things whose place, openness, on/off or level is otherwise at the second moment; left out are things only
    carried along, or not seen at one of the two; in doubt are small changes and events unseen"""
    kept, unsure = [], list(of.unsure) if of else []
    busy = {e.object for e in view.facts.events if _touches(view, e, since, until)}
    for id in of.sure if of else _changeable(view):
        try:
            if has_changed(view, id, since, until):
                kept.append(id)
        except Refused as r:
            if r.refusal.reason == "ambiguous" or id in busy:
                unsure.append(id)
    return Things(tuple(kept), tuple(unsure))


def _touches(view: View, e: EventFact, since: Span, until: Span) -> bool:
    return e.end_s > view.seconds(since[0]) and e.start_s < view.seconds(until[0])


@op("moved", "bool", object=Sub("object"), **MOMENTS)
def moved(view: View, object: int, since: Span, until: Span) -> Value:
    """whether a thing is elsewhere at the second moment than at the first"""
    return Value("bool", has_moved(view, object, since, until))


@op("movement", "choice", object=Sub("object"), **MOMENTS)
def movement(view: View, object: int, since: Span, until: Span) -> Value:
    """moved_left, moved_right, closer or farther as the camera sees it at first; `still` if it did not"""
    if not has_moved(view, object, since, until):
        return Value("choice", "still")
    shift = _shift(view, object, since, until)
    if np.hypot(shift[0], shift[1]) < max(margins.MOVED_M, abs(shift[2])):
        refuse("ambiguous", "it moved mostly up or down")
    ahead = view.T_world_cam(since[0])[:2, 2]
    length = float(np.hypot(ahead[0], ahead[1]))
    if length < 0.05:
        refuse("undefined", "the camera looks straight down")
    ways = {"left": "moved_left", "right": "moved_right", "front": "farther", "behind": "closer"}
    return Value("choice", ways[sector(shift[None, :2], ahead / length)])


@op("displacement", "number", object=Sub("object"), **MOMENTS)
def displacement(view: View, object: int, since: Span, until: Span) -> Value:
    """metres in a straight line between a thing's places at two moments; 0 when it did not move"""
    if not has_moved(view, object, since, until):
        return number(0.0, "m")
    metres = _length(_shift(view, object, since, until))
    if metres < margins.DISTANCE_M:
        refuse("ambiguous", f"it moved only {metres:.2f} m")
    return number(metres, "m")


@op("opening", "number", object=Sub("object"), **MOMENTS)
def opening(view: View, object: int, since: Span, until: Span) -> Value:
    """degrees (hinge) or centimetres (slide) that a part is wider open at the second moment; < 0: less"""
    (a, full), (b, _) = opened(view, object, since[0]), opened(view, object, until[0])
    if not _amount(abs(b - a) / full, margins.OPENED_SHARE, margins.OPENED_SHARE / 3, view.thing(object).name):
        refuse("undefined", "its openness does not change")
    joint = view.thing(object).joint
    return number(b - a, "deg" if joint and joint.type == "hinge" else "cm")


@op("restored", "bool", object=Sub("object"), **MOMENTS)
def restored(view: View, object: int, since: Span, until: Span) -> Value:
    """whether a part (or lamp) that changed in between is back in the state it had at the first moment"""
    thing = view.thing(object)
    aspect = "open" if opens(thing) else "on"
    a, b = (state_through(view, object, aspect, m) for m in (since, until))
    if a != b:
        return Value("bool", False)
    if not any(_differs(view, object, aspect, a, f) for f in range(since[0], until[0] + 1)):
        refuse("undefined", f"{thing.name} never changes")
    return Value("bool", True)


def _differs(view: View, id: int, aspect: str, state: str, frame: int) -> bool:
    try:
        return state_through(view, id, aspect, (frame, frame)) != state
    except Refused:
        return False
