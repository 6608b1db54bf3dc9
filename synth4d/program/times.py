"""Operations on time: moments, spans, events, their order and length, and what brought them about."""

from __future__ import annotations

import math
from itertools import pairwise

from synth4d.program import margins
from synth4d.program.objects import Span
from synth4d.program.operations import Num, Sub, Word, op
from synth4d.program.view import Value, View, number, refuse
from synth4d.records import EventFact

MOTIONS = ("move", "knock_over", "drop", "push")
KINDS = ("open", "close", "turn_on", "turn_off", "pour", *MOTIONS, "motion")
"""What may be asked for; `motion` is any of MOTIONS, which a viewer can't always tell apart."""


def kind_of(event: EventFact) -> str:
    """The event's kind as a viewer names it: all motions are one."""
    return "motion" if event.kind in MOTIONS else event.kind


# ---- Moments and spans ---------------------------------------------------------------------------


def _moment(view: View, frame: int, what: str) -> Span:
    if not 0 <= frame <= view.last:
        refuse("undefined", f"{what} is outside the video")
    return frame, frame


def frame_before(view: View, event: EventFact) -> int:
    """The last frame before an event (it may lie before the video)."""
    return math.floor((event.start_s - margins.GUARD_S) * view.facts.fps + 1e-6)


def frame_after(view: View, event: EventFact) -> int:
    """The first frame after an event (it may lie after the video)."""
    return math.ceil((event.end_s + margins.GUARD_S) * view.facts.fps - 1e-6)


@op("time", "moment", s=Num(0, 3600))
def time(view: View, s: float) -> Span:
    """the moment at so many seconds, the first frame being at 0"""
    return _moment(view, math.floor(s * view.facts.fps + 0.5), f"{s:g} s")


@op("start", "moment")
def start(view: View) -> Span:
    """the first moment of the video"""
    return 0, 0


@op("end", "moment")
def end(view: View) -> Span:
    """the last moment of the video"""
    return view.last, view.last


@op("before", "moment", event=Sub("event"))
def before(view: View, event: EventFact) -> Span:
    """the last moment at least 0.15 s before an event begins"""
    return _moment(view, frame_before(view, event), "before the event")


@op("after", "moment", event=Sub("event"))
def after(view: View, event: EventFact) -> Span:
    """the first moment at least 0.15 s after an event has ended"""
    return _moment(view, frame_after(view, event), "after the event")


@op("while", "span", event=Sub("event"))
def while_(view: View, event: EventFact) -> Span:
    """all the time that an event takes"""
    first = math.ceil(event.start_s * view.facts.fps - 1e-6)
    last = min(math.floor(event.end_s * view.facts.fps + 1e-6), view.last)
    if first > last:
        refuse("undefined", "the event falls between two frames")
    return first, last


@op("between", "span", since=Sub("moment"), until=Sub("moment"))
def between(view: View, since: Span, until: Span) -> Span:
    """all the time from one moment to another"""
    if since[0] > until[0]:
        refuse("undefined", "the span ends before it begins")
    return since[0], until[0]


# ---- Events --------------------------------------------------------------------------------------


@op(
    "events",
    "events",
    kind=Word(KINDS, optional=True),
    object=Sub("object", optional=True),
    target=Sub("object", optional=True),
    within=Sub("span", optional=True),
)
def events(
    view: View, kind: str | None, object: int | None, target: int | None, within: Span | None
) -> list[EventFact]:
    """events of a kind, to a thing, into or onto a target, or that touch a span"""
    found = []
    for e in view.facts.events:
        if kind not in (None, e.kind, kind_of(e)) or object not in (None, e.object):
            continue
        if target not in (None, e.target):
            continue
        if within and not _within(view, e, within):
            continue
        found.append(e)
    return found


PARTIES = {"object": Sub("object", optional=True), "target": Sub("object", optional=True)}


def _within(view: View, e: EventFact, span: Span) -> bool:
    """Whether an event falls into a span, by half a second of it or wholly; refused where it only touches."""
    low, high = view.seconds(span[0]), view.seconds(span[1])
    common = min(e.end_s, high) - max(e.start_s, low)
    if common >= min(margins.ORDER_S, e.end_s - e.start_s) - 1e-9 and common >= 0:
        return True
    if common > -margins.ORDER_S / 2:
        refuse("ambiguous", f"{view.name(e)} is at the border of the span")
    return False


@op("event", "event", kind=Word(KINDS), **PARTIES)
def event(view: View, kind: str, object: int | None, target: int | None) -> EventFact:
    """the one event of a kind, to a thing or into a target; ambiguous when it happens more than once"""
    found = events(view, kind, object, target, None)
    if not found:
        refuse("undefined", f"no {kind} event")
    if len(found) > 1:
        refuse("ambiguous", f"{len(found)} {kind} events")
    return found[0]


@op("happens", "bool", of=Sub("events"))
def happens(view: View, of: list[EventFact]) -> Value:
    """whether there is any such event"""
    return Value("bool", bool(of))


@op("times", "int", of=Sub("events"))
def times(view: View, of: list[EventFact]) -> Value:
    """how many such events there are"""
    return Value("int", len(of), measure="次")


@op("first", "event", of=Sub("events"))
def first(view: View, of: list[EventFact]) -> EventFact:
    """the event that begins first, by at least 0.5 s"""
    return _extreme(sorted(of, key=lambda e: (e.start_s, e.id)), +1)


@op("last", "event", of=Sub("events"))
def last(view: View, of: list[EventFact]) -> EventFact:
    """the event that begins last, by at least 0.5 s"""
    return _extreme(sorted(of, key=lambda e: (-e.start_s, e.id)), -1)


def _extreme(ranked: list[EventFact], sign: int) -> EventFact:
    if not ranked:
        refuse("undefined", "no such event")
    if len(ranked) > 1 and sign * (ranked[1].start_s - ranked[0].start_s) < margins.ORDER_S - 1e-9:
        refuse("ambiguous", "two events begin at about the same time")
    return ranked[0]


@op("earliest", "event", of=Sub("event", many=(2, 4)))
def earliest(view: View, of: list[EventFact]) -> EventFact:
    """which of the events listed begins first, by at least 0.5 s"""
    return first(view, of)


@op("order", "list", of=Sub("event", many=(2, 4)))
def order(view: View, of: list[EventFact]) -> list[int]:
    """the things that the events happen to, in the order in which the events begin; nothing else may happen to them"""
    ranked = sorted(of, key=lambda e: (e.start_s, e.id))
    if any(b.start_s - a.start_s < margins.ORDER_S - 1e-9 for a, b in pairwise(ranked)):
        refuse("ambiguous", "two events begin at about the same time")
    for e in ranked:
        others = [o for o in view.facts.events if o.id != e.id]
        if any(o.object == e.object or (o.kind == "pour" and o.target == e.object) for o in others):
            refuse("ambiguous", f"more than one thing happens to {view.thing(e.object).name}")
    return [e.object for e in ranked]


@op("interval", "interval", event=Sub("event"))
def interval(view: View, event: EventFact) -> Value:
    """when an event begins and ends, in seconds"""
    _timed(view, event)
    return Value("interval", [round(event.start_s, 2), round(event.end_s, 2)], "s")


@op("duration", "number", event=Sub("event"))
def duration(view: View, event: EventFact) -> Value:
    """how long an event takes, in seconds"""
    _timed(view, event)
    return number(event.end_s - event.start_s, "s")


def _timed(view: View, event: EventFact) -> None:
    if event.end_s - event.start_s < margins.DURATION_S - 1e-9:
        refuse("ambiguous", "too short to time")
    if event.end_s > view.seconds(view.last) + 1e-6:
        refuse("not visible", "it goes on after the video ends")


@op("overlap", "bool", a=Sub("event"), b=Sub("event"))
def overlap(view: View, a: EventFact, b: EventFact) -> Value:
    """whether two events happen at the same time for at least 0.5 s; false when 0.5 s lie between them"""
    common = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
    if abs(common) < margins.ORDER_S - 1e-9:
        refuse("ambiguous", f"they overlap by {common:.2f} s")
    return Value("bool", common > 0)


@op("object_of", "object", event=Sub("event"))
def object_of(view: View, event: EventFact) -> int:
    """the thing that an event happens to"""
    return view.thing(event.object).id


@op("source_of", "object", event=Sub("event"))
def source_of(view: View, event: EventFact) -> int:
    """what brought an event about: the knob or switch worked; for a move, what the thing stood on or in"""
    return _party(view, event.source, event)


@op("target_of", "object", event=Sub("event"))
def target_of(view: View, event: EventFact) -> int:
    """the vessel poured into; for a move, what the thing stands on or in afterwards"""
    return _party(view, event.target, event)


def _party(view: View, id: int | None, event: EventFact) -> int:
    if not id:
        refuse("undefined", f"no party to {view.name(event)}")
    return view.thing(id).id
