"""Operations on change between two moments: what moved, which way and how far, what is otherwise now."""

from __future__ import annotations

import numpy as np

from synth4d.program import margins
from synth4d.program.language import Sub, op
from synth4d.program.objects import Span
from synth4d.program.space import sector
from synth4d.program.states import filled, opened, state_through
from synth4d.program.view import Refused, Things, Value, View, number, refuse
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
    length = float(np.sqrt((_shift(view, id, since, until) ** 2).sum()))
    return _amount(length, margins.MOVED_M, margins.STILL_M, view.thing(id).name)


def has_changed(view: View, id: int, since: Span, until: Span) -> bool:
    """Whether a thing moved, opened or shut, went on or off, or its level changed."""
    thing = view.thing(id)
    if thing.role == "prop" and has_moved(view, id, since, until):
        return True
    if thing.joint is not None and thing.role != "prop":
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
    return tuple(o.id for o in things if o.role == "prop" or o.joint is not None or o.switchable)


@op("changed", "things", of=Sub("things", optional=True), since=Sub("moment"), until=Sub("moment"))
def changed(view: View, of: Things | None, since: Span, until: Span) -> Things:
    """things whose place, openness, on/off or level is otherwise at the second moment; a thing not seen at one
    of the two is left out, one that changed a little, or had an event all the same, is in doubt"""
    kept, unsure = [], list(of.unsure) if of else []
    busy = {e.object for e in view.facts.events if _touches(view, e.start_s, e.end_s, since, until)}
    for id in of.sure if of else _changeable(view):
        try:
            if has_changed(view, id, since, until):
                kept.append(id)
                continue
        except Refused as r:
            if r.refusal.reason == "ambiguous":
                unsure.append(id)
                continue
        if id in busy and id not in kept:
            unsure.append(id)
    return Things(tuple(kept), tuple(unsure))


def _touches(view: View, start_s: float, end_s: float, since: Span, until: Span) -> bool:
    return end_s > view.seconds(since[0]) and start_s < view.seconds(until[0])


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
    metres = float(np.sqrt((_shift(view, object, since, until) ** 2).sum()))
    if metres < margins.DISTANCE_M:
        refuse("ambiguous", f"it moved only {metres:.2f} m")
    return number(metres, "m")


@op("opening", "number", object=Sub("object"), **MOMENTS)
def opening(view: View, object: int, since: Span, until: Span) -> Value:
    """degrees (hinge) or centimetres (slide) that a part is wider open at the second moment; < 0: less"""
    (a, full), (b, _) = opened(view, object, since[0]), opened(view, object, until[0])
    if not _amount(
        abs(b - a) / full, margins.OPENED_SHARE, margins.OPENED_SHARE / 3, view.thing(object).name
    ):
        refuse("undefined", "its openness does not change")
    joint = view.thing(object).joint
    return number(b - a, "deg" if joint and joint.type == "hinge" else "cm")


@op("restored", "bool", object=Sub("object"), **MOMENTS)
def restored(view: View, object: int, since: Span, until: Span) -> Value:
    """whether a part (or lamp) that changed in between is back in the state it had at the first moment"""
    thing = view.thing(object)
    aspect = "open" if thing.joint is not None else "on"
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
