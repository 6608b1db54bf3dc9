"""Operations that may answer that something did not happen, or that the video does not tell.

`did_not` and `still` are said only where the thing was never long out of sight and nothing of it changed; `untold`
only of what no frame shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synth4d.program import margins
from synth4d.program.changes import has_changed
from synth4d.program.objects import Span
from synth4d.program.operations import Sub, Word, op
from synth4d.program.states import gates, is_shut, opened, opens, state_through
from synth4d.program.times import KINDS, events
from synth4d.program.view import ASKABLE, Value, View, refuse
from synth4d.records import EventFact
from synth4d.records import at as entry

# ---- Whether it happened -------------------------------------------------------------------------


def event_or_none(view: View, kind: str, object: int, target: int | None = None) -> EventFact | None:
    """The one event of a kind to a thing; None where it surely did not happen."""
    found = events(view, kind, object, target, None)
    if len(found) > 1:
        refuse("ambiguous", f"{len(found)} {kind} events")
    if found:
        return found[0]
    _never(view, kind, object)
    return None


def _never(view: View, kind: str, id: int) -> None:
    """Refuses where something might have happened to a thing unseen, or could not have happened at all."""
    thing = view.thing(id)
    able = {"open": opens(thing), "close": opens(thing), "turn_on": thing.switchable, "turn_off": thing.switchable}
    if not able.get(kind, thing.role == "prop"):
        refuse("undefined", f"{kind} can't happen to {thing.name}")
    watched(view, id)
    busy = any(id in (e.object, e.target) for e in view.facts.events)
    if not busy and has_changed(view, id, *_known_ends(view, id)):
        refuse("ambiguous", f"{thing.name} changes, it is not known how")


def _known_ends(view: View, id: int) -> tuple[Span, Span]:
    """The first and last frames at which its state is known, at most WATCHED_S from the video's ends."""
    thing, slack = view.thing(id), margins.WATCHED_S * view.facts.fps
    tracks: list[list[Any] | None] = [thing.box if thing.role == "prop" else None, thing.openness, thing.on, thing.fill]
    known = [f for f in range(view.facts.frames) if all(entry(t, f) is not None for t in tracks if t)]
    if not known or known[0] > slack or known[-1] < view.last - slack:
        refuse("not visible", f"{thing.name} at first and at last")
    return (known[0], known[0]), (known[-1], known[-1])


def watched(view: View, id: int) -> None:
    """Refuses where a thing is out of sight for longer than WATCHED_S at a stretch."""
    most, hidden = margins.WATCHED_S * view.facts.fps, 0
    for f in range(view.facts.frames):
        hidden = 0 if view.clear(id, f) else hidden + 1
        if hidden > most + 1e-9 or (hidden and f in (0, view.last)):
            refuse("not visible", f"{view.thing(id).name} all the while")


@op("happens_in", "choice", kind=Word(KINDS), object=Sub("object"))
def happens_in(view: View, kind: str, object: int) -> Value:
    """early|middle|late: the third of the video in which the middle of the one such event lies; did_not: none"""
    event = event_or_none(view, kind, object)
    if event is None:
        return Value("choice", "did_not")
    third = view.seconds(view.facts.frames) / 3
    middle = (event.start_s + event.end_s) / 2
    if min(abs(middle - third), abs(middle - 2 * third)) < margins.THIRD_S:
        refuse("ambiguous", "it is at the border of two thirds")
    return Value("choice", ("early", "middle", "late")[min(int(middle / third), 2)])


@op("cause_of", "choice", kind=Word(("turn_on", "turn_off")), object=Sub("object"))
def cause_of(view: View, kind: str, object: int) -> Value:
    """`it:ID`: the knob or switch that turned a thing on or off; did_not: nothing did"""
    event = event_or_none(view, kind, object)
    if event is None:
        return Value("choice", "did_not")
    if not event.source:
        refuse("not visible", f"what made {view.name(event)}")
    return Value("choice", f"it:{view.thing(event.source).id}")


@op("moved_where", "choice", object=Sub("object"))
def moved_where(view: View, object: int) -> Value:
    """`in:ID` or `on:ID`: where the one move of a thing takes it; still: it is not moved"""
    event = event_or_none(view, "motion", object)
    return Value("choice", "still") if event is None else Value("choice", f"{_relation(event)}:{_target(view, event)}")


def _relation(event: EventFact) -> str:
    return "in" if event.inside else "on"


def _target(view: View, event: EventFact) -> int:
    if not event.target or event.target not in view.by_id or view.thing(event.target).role not in ASKABLE:
        refuse("undefined", f"{view.name(event)} ends at nothing that has a name")
    return event.target


# ---- Which of several things happened ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    key: str
    true: bool


@op("story", "story", kind=Word(("open", "close", "turn_on", "turn_off", "motion")), object=Sub("object"),
    onto=Sub("object", optional=True), into=Sub("object", optional=True))  # fmt: skip
def story(view: View, kind: str, object: int, onto: int | None, into: int | None) -> Claim:
    """that something happened to a thing; of a motion, that it took the thing onto or into another"""
    event, place, relation = event_or_none(view, kind, object), into or onto, "in" if into else "on"
    if place is None:
        return Claim(f"{kind}:{object}", event is not None)
    if kind != "motion" or object == place:
        refuse("undefined", f"{kind} takes nothing anywhere")
    there = event is not None and (_target(view, event), _relation(event)) == (place, relation)
    return Claim(f"motion:{object}:{relation}:{place}", there)


@op("which", "choice", of=Sub("story", many=(2, 4)))
def which(view: View, of: list[Claim]) -> Value:
    """the one of several claims that is true, `KIND:ID` or `motion:ID:in|on:PLACE`; ambiguous when more are"""
    true = [c.key for c in of if c.true]
    if len({c.key for c in of}) < len(of):
        refuse("undefined", "the same is claimed twice")
    if len(true) != 1:
        refuse("ambiguous" if true else "undefined", f"{len(true)} of the claims are true")
    return Value("choice", true[0])


# ---- Which way, how wide -------------------------------------------------------------------------

WAYS = {
    "open": {("closed", "open"): "opens", ("open", "closed"): "closes"},
    "on": {("off", "on"): "turns_on", ("on", "off"): "turns_off"},
}


@op("way", "choice", object=Sub("object"), aspect=Word(("open", "on")))
def way(view: View, object: int, aspect: str) -> Value:
    """opens|closes or turns_on|turns_off: how a thing's state at the end differs from that at the start; unchanged:
    nothing happens to it"""
    ends = [state_through(view, object, aspect, (f, f)) for f in (0, view.last)]
    if ends[0] != ends[1]:
        return Value("choice", WAYS[aspect][ends[0], ends[1]])
    if any(e.object == object for e in view.facts.events):
        refuse("ambiguous", f"{view.thing(object).name} changes and goes back")
    _never(view, {"open": "open", "on": "turn_on"}[aspect], object)
    return Value("choice", "unchanged")


@op("opened_how", "choice", object=Sub("object"), at=Sub("moment"))
def opened_how(view: View, object: int, at: Span) -> Value:
    """wide|partway|closed: whether a part is open as far as it goes, about half, or not at all"""
    value, full = opened(view, object, at[0])
    low, high = margins.PARTWAY_SHARE
    if value >= margins.WIDE_SHARE * full:
        return Value("choice", "wide")
    if value <= margins.CLOSED_SHARE * full:
        return Value("choice", "closed")
    if not low * full <= value <= high * full:
        refuse("ambiguous", f"{view.thing(object).name} is between half and fully open")
    return Value("choice", "partway")


# ---- What the video does not tell ----------------------------------------------------------------


@op("held", "choice", object=Sub("object"))
def held(view: View, object: int) -> Value:
    """`it:ID`: the one thing inside a container at the end, seen or remembered; untold: it is shut all the while, and
    nobody sees into it"""
    thing, doors = view.thing(object), gates(view, object)
    if thing.cavity is None or not doors:
        refuse("undefined", f"{thing.name} can't be shut")
    within = [o.id for o in view.facts.objects if view.remembered(o.id, o.inside, view.last) == object]
    frames = range(view.facts.frames)
    states = {is_shut(view, door, f) for door in doors for f in frames}
    if states <= {True, None} and all(any(is_shut(view, door, f) for f in frames) for door in doors):
        if any(entry(view.thing(door).pixels, f) and is_shut(view, door, f) is None for door in doors for f in frames):
            refuse("ambiguous", f"{thing.name} may be open")
        if any(view.glimpsed(id, f) for id in within for f in frames):
            refuse("ambiguous", f"what is in {thing.name} shows though it is shut")
        if any(e.inside and e.target == object for e in view.facts.events):
            refuse("ambiguous", f"something is put into {thing.name}")
        watched(view, object if view.thing(object).joint else doors[0])
        return Value("choice", "untold")
    if len(within) == 1:
        within = [id for id in within if any(view.clear(id, f) for f in frames)]
    if len(within) != 1 or not any(shut is False for shut in states):
        refuse("ambiguous", f"not one thing is seen in {thing.name}")
    return Value("choice", f"it:{within[0]}")


@op("told", "choice", object=Sub("object"), aspect=Word(("open", "on")), at=Sub("moment"))
def told(view: View, object: int, aspect: str, at: Span) -> Value:
    """open|closed or on|off: a thing's state at a moment; untold: no frame of the video shows the thing"""
    if not any(view.glimpsed(object, f) for f in range(view.facts.frames)):
        thing = view.thing(object)
        if not (opens(thing) if aspect == "open" else thing.switchable):
            refuse("undefined", f"{thing.name} can't be {aspect}")
        return Value("choice", "untold")
    view.need_clear((object,), at[0])
    return Value("choice", state_through(view, object, aspect, at))
