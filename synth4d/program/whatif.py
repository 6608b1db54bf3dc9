"""Looking elsewhere: at the end as it would be without an event, and at the video run backwards.

The world's facts carry the end of a second simulation. A viewer has none and goes by what stays as it was: what the
event changed is as before it, the rest as it is. Where another event hangs on this one, a viewer can't tell.
"""

from __future__ import annotations

import weakref
from typing import Any

from synth4d.program.operations import Sub, op
from synth4d.program.times import MOTIONS, frame_before, kind_of
from synth4d.program.view import View, at_most, refuse
from synth4d.records import EventFact, ObjectFact
from synth4d.records import at as entry

END_ONLY = frozenset((
    "end", "filter", "unique", "these", "count", "minus", "exists", "on", "inside", "where", "holder", "state", "is",
    "openness", "fill", "opened_how", "distance", "nearest", "farthest", "biggest", "size", "camera", "in_sight",
    "remembered",
))  # fmt: skip
"""What can be asked of an end that was not filmed: no moments before it, no events, nothing of what is in the picture
but `in_sight`."""
Ends = dict[int, dict[str, Any]]
"""By id the tracks that would be otherwise, and their values at the end."""


PICTURE = ("box2d", "visible2d", "pixels", "occluded", "inner", "hidden_by")
"""Tracks of where a thing is in the picture."""


# ---- Without an event ----------------------------------------------------------------------------


@op("without", "answer", event=Sub("event"), of=Sub("answer"))
def without(view: View, event: EventFact) -> View:
    """the answer of `of` at the end of the video (`end`) as it would be had the event not happened, all else equal"""
    if event.id not in view.others:
        ends = _simulated(view, event) if view.facts.witness == "world" else _persisting(view, event)
        view.others[event.id] = still = _still(view, ends)
        still.filmed, still.unlike = weakref.ref(view), frozenset(ends)
    return view.others[event.id]


def _simulated(view: View, event: EventFact) -> Ends:
    found = next((w for w in view.facts.without if w.event == event.id), None)
    if found is None:
        refuse("undefined", f"what would be without {view.name(event)} was not simulated")
    return {o.id: o.model_dump(exclude={"id"}) for o in found.objects}


def _still(view: View, ends: Ends) -> View:
    """A view of the last frame alone, with some things otherwise."""
    objects = []
    for o in view.facts.objects:
        tracks = {name: [entry(track, view.last)] for name, track in _tracks(o).items() if track is not None}
        for name in ("support", "inside"):
            tracks[name] = [view.remembered(o.id, getattr(o, name), view.last)]
        changed = {k: [v] for k, v in ends.get(o.id, {}).items() if tracks.get(k) is not None}
        if changed:
            # Where it would be in the picture is for `in_sight` to say.
            changed |= {name: [None] for name in PICTURE} | {"pixels": [int(view.enough) + 1]}
        objects.append(o.model_copy(update={**tracks, **changed}))
    facts = view.facts.model_copy(update={"objects": objects, "events": [], "without": [], "frames": 1})
    poses = view.camera.T_world_cam[-1:]
    still = View(facts, view.camera.model_copy(update={"T_world_cam": poses}))
    still.knows = END_ONLY
    return still


def _tracks(o: ObjectFact) -> dict[str, list[Any] | None]:
    names = ("box", "pose", "openness", "on", "fill", "support", "inside", *PICTURE)
    return {name: getattr(o, name) for name in names}


# ---- What persists -------------------------------------------------------------------------------


def _persisting(view: View, event: EventFact) -> Ends:
    """What would be otherwise for a viewer, who has seen what was before the event."""
    later = [e for e in view.facts.events if e.id != event.id and e.end_s > event.start_s]
    before = frame_before(view, event)
    if before < 0:
        refuse("not visible", f"before {view.name(event)}")
    _independent(view, event, later)
    if any(e.object == event.object and _aspect(e) == _aspect(event) for e in later):
        return {}  # the later one brings it to the same end
    if event.kind == "pour":
        return {id: {"fill": at_most(view.thing(id).fill, before)} for id in _vessels(event)}
    if event.kind in ("turn_on", "turn_off"):
        return {event.object: {"on": at_most(view.thing(event.object).on, before)}}
    ends: Ends = {event.object: _as_it_was(view, event.object, before, later)}
    if event.kind in ("open", "close"):
        ends[event.object] = {
            "openness": at_most(view.thing(event.object).openness, before),
            "box": entry(view.thing(event.object).box, before),
        }
    moved = {e.object for e in view.facts.events}
    for id in _riders(view, event.object, before):
        if id not in moved:
            ends[id] = {"box": entry(view.thing(id).box, before)}
    return ends


def _as_it_was(view: View, id: int, frame: int, later: list[EventFact]) -> dict[str, Any]:
    """A prop's place before an event; where what holds it moves later, not to the centimetre."""
    thing = view.thing(id)
    places = {name: view.remembered(id, getattr(thing, name), frame) for name in ("support", "inside")}
    rides = any(e.object in places.values() for e in later)
    return {**places, "box": None if rides else entry(thing.box, frame)}


def _aspect(event: EventFact) -> str:
    """What an event changes of its object."""
    return {"open": "openness", "close": "openness", "turn_on": "on", "turn_off": "on"}.get(event.kind, kind_of(event))


def _vessels(event: EventFact) -> list[int]:
    return [id for id in (event.object, event.target) if id]


def _riders(view: View, id: int, frame: int) -> set[int]:
    """Props that stand on or are in a thing at a frame, and those on them."""
    found: set[int] = set()
    while True:
        held = {
            o.id for o in view.facts.objects
            if o.role == "prop" and o.id not in found
            and {view.remembered(o.id, t, frame) for t in (o.support, o.inside)} & {id, *found}
        }  # fmt: skip
        if not held:
            return found
        found |= held


def _independent(view: View, event: EventFact, later: list[EventFact]) -> None:
    """Refuses where another event could not go on as it did, or would end otherwise."""
    joint = view.thing(event.object)
    gated = {event.object, joint.part_of} - {None} if event.kind in ("open", "close") else {event.object}
    for e in later:
        parties = {e.object, e.target, e.source} - {None}
        if event.kind in ("turn_on", "turn_off") and e.kind not in ("turn_on", "turn_off"):
            continue
        same = e.object == event.object and _aspect(e) == _aspect(event)
        hangs = bool(parties & gated) if not same else event.kind == "pour"
        if event.kind in MOTIONS and e.kind in ("open", "close"):
            hangs = False
        if event.kind == "pour":
            hangs = bool(parties & set(_vessels(event)))
        if hangs:
            refuse("ambiguous", f"{view.name(e)} hangs on {view.name(event)}")


# ---- Backwards -----------------------------------------------------------------------------------

REVERSED = {"open": "close", "close": "open", "turn_on": "turn_off", "turn_off": "turn_on"}


@op("backwards", "answer", of=Sub("answer"))
def backwards(view: View) -> View:
    """the answer of `of` for the video played backwards: its start is the end, what opened closes"""
    if "backwards" not in view.others:
        poses = view.camera.T_world_cam[::-1]
        view.others["backwards"] = View(reversed_facts(view), view.camera.model_copy(update={"T_world_cam": poses}))
    return view.others["backwards"]


def reversed_facts(view: View) -> Any:
    """The facts of the clip run backwards. Refused where something is poured, which nothing undoes."""
    facts = view.facts
    if any(e.kind == "pour" for e in facts.events):
        refuse("undefined", "pouring has no reverse")
    objects = [
        o.model_copy(update={name: track[::-1] for name, track in _tracks(o).items() if track}) for o in facts.objects
    ]
    events = sorted((_undone(view, e) for e in facts.events), key=lambda e: (e.start_s, e.id))
    return facts.model_copy(update={"objects": objects, "events": events, "without": []})


def _undone(view: View, e: EventFact) -> EventFact:
    whole = view.seconds(view.last)
    changed: dict[str, Any] = {
        "start_s": round(whole - e.end_s, 6),
        "end_s": round(whole - e.start_s, 6),
        "start_value": e.end_value,
        "end_value": e.start_value,
    }
    if e.kind in REVERSED:
        return e.model_copy(update={**changed, "kind": REVERSED[e.kind]})
    held = view.remembered(e.object, view.thing(e.object).inside, max(frame_before(view, e), 0))
    kind = "push" if e.kind == "push" else "move"
    return e.model_copy(
        update={
            **changed,
            "kind": kind,
            "source": e.target,
            "target": e.source,
            "inside": bool(held and held == e.source),
        }
    )
