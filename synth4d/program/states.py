"""Operations on states: open or closed and how far, on or off, how full."""

from __future__ import annotations

import math
from typing import TypeVar

from synth4d.program import margins
from synth4d.program.objects import Span
from synth4d.program.operations import Sub, Word, op
from synth4d.program.view import Value, View, at_most, number, refuse
from synth4d.records import ObjectFact

T = TypeVar("T")
STATES = ("open", "closed", "on", "off", "full", "empty")
ASPECTS = ("open", "on", "full")


CONTROLS = ("knob", "switch", "button", "dial", "lever", "tap")
"""Categories whose joints work something else: they are turned or pressed, not opened."""


def opens(thing: ObjectFact) -> bool:
    """Whether a thing is a door, drawer or lid, which can be open or closed."""
    return thing.joint is not None and thing.role != "prop" and thing.category not in CONTROLS


def opened(view: View, id: int, frame: int) -> tuple[float, float]:
    """How far a part is open, and its whole range, in degrees (hinge) or centimetres (slide)."""
    thing = view.thing(id)
    if thing.joint is None or not opens(thing):
        refuse("undefined", f"{thing.name} does not open")
    scale = math.degrees(1.0) if thing.joint.type == "hinge" else 100.0
    full = abs(thing.joint.open - thing.joint.closed) * scale
    if full < 1e-6:
        refuse("undefined", f"{thing.name} does not open")
    return view.known(thing.openness, frame, f"openness of {thing.name}"), full


def filled(view: View, id: int, frame: int) -> float:
    thing = view.thing(id)
    if thing.vessel is None:
        refuse("undefined", f"{thing.name} holds no liquid")
    return view.known(thing.fill, frame, f"fill of {thing.name}")


def _state(view: View, id: int, aspect: str, frame: int) -> str:
    """One of STATES (or `partly`), refused between them."""
    if aspect == "open":
        value, full = opened(view, id, frame)
        if value >= margins.OPEN_SHARE * full:
            return "open"
        return "closed" if value <= margins.CLOSED_SHARE * full else _between(view, id)
    if aspect == "on":
        thing = view.thing(id)
        if not thing.switchable:
            refuse("undefined", f"{thing.name} can't be on or off")
        return "on" if view.known(thing.on, frame, f"state of {thing.name}") else "off"
    level = filled(view, id, frame)
    if level >= margins.FULL_SHARE:
        return "full"
    if level <= margins.EMPTY_SHARE:
        return "empty"
    low, high = margins.PARTLY_SHARE
    return "partly" if low <= level <= high else _between(view, id)


def _between(view: View, id: int) -> str:
    refuse("ambiguous", f"{view.thing(id).name} is between two states")


def state_through(view: View, id: int, aspect: str, at: Span) -> str:
    """The state that holds at every frame of a span."""
    found = {_state(view, id, aspect, f) for f in range(at[0], at[1] + 1)}
    if len(found) > 1:
        refuse("ambiguous", f"{view.thing(id).name} changes meanwhile")
    return found.pop()


@op("state", "choice", object=Sub("object"), aspect=Word(ASPECTS), at=Sub("span"))
def state(view: View, object: int, aspect: str, at: Span) -> Value:
    """open|closed, on|off or full|partly|empty: a thing's state at a moment or all through a span"""
    return Value("choice", state_through(view, object, aspect, at))


@op("is", "bool", object=Sub("object"), state=Word(STATES), at=Sub("span"))
def is_(view: View, object: int, state: str, at: Span) -> Value:
    """whether a thing is open, closed, on, off, full or empty at a moment or all through a span"""
    aspect = {"closed": "open", "off": "on", "empty": "full"}.get(state, state)
    return Value("bool", state_through(view, object, aspect, at) == state)


@op("openness", "number", object=Sub("object"), at=Sub("moment"), share=Word(("range",), optional=True))
def openness(view: View, object: int, at: Span, share: str | None) -> Value:
    """how far a part is open at a moment: degrees (hinge) or centimetres (slide), or % of its range"""
    value, full = opened(view, object, at[0])
    if margins.CLOSED_SHARE * full < value < margins.OPENED_SHARE * full:
        refuse("ambiguous", f"{view.thing(object).name} is barely open")
    if share:
        return number(100 * value / full, "%")
    joint = view.thing(object).joint
    return number(value, "deg" if joint and joint.type == "hinge" else "cm")


@op("fill", "number", object=Sub("object"), at=Sub("moment"))
def fill(view: View, object: int, at: Span) -> Value:
    """how full a vessel is at a moment, in % of its volume"""
    return number(100 * filled(view, object, at[0]), "%")


# ---- Doors ---------------------------------------------------------------------------------------


def gates(view: View, holder: int) -> list[int]:
    """The doors and drawers that shut a container: itself, or parts of it."""
    return [o.id for o in view.facts.objects if opens(o) and holder in (o.id, o.part_of)]


def is_shut(view: View, door: int, frame: int) -> bool | None:
    """Whether a door is shut at a frame; None: unknown, or neither open nor shut."""
    value = at_most(view.thing(door).openness, frame)
    if value is None:
        return None
    _, full = opened(view, door, frame)
    if value <= margins.CLOSED_SHARE * full:
        return True
    return False if value >= margins.OPEN_SHARE * full else None
