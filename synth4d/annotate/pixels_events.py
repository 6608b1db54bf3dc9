"""Events from tracks: where a joint, a place, a light or a level changes, and between which frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synth4d.annotate.identity import openness
from synth4d.annotate.pixels_scene import Rest, Track
from synth4d.records import EventFact

OPENED = {"hinge": 6.0, "slide": 2.5}
"""Smaller changes of openness (deg, cm) are no event."""
MOVED_M, LIFTED_M, DROPPED_M = 0.05, 0.03, 0.10
FILLED = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """An event before it has a number; frames of its start and end."""

    kind: str
    object: int
    first: int
    last: int
    source: int | None = None
    target: int | None = None
    inside: bool = False
    start_value: float | None = None
    end_value: float | None = None


def openings(track: Track) -> list[Change]:
    """A part opens or closes between two rests."""
    joint = track.thing.joint
    assert joint is not None
    out = []
    known = [r for r in track.rests if r.value is not None]
    stops = [r for i, r in enumerate(known) if r.run.resting or i in (0, len(known) - 1)]
    for a, b in zip(stops[:-1], stops[1:], strict=True):
        was, now = (float(openness(joint, np.array(r.value))) for r in (a, b))
        if abs(now - was) >= OPENED[joint.type]:
            kind = "open" if now > was else "close"
            out.append(Change(kind, track.thing.id, a.run.last, b.run.first, start_value=was, end_value=now))
    return out


def moves(track: Track, support: list[int | None], inside: list[int | None]) -> list[Change]:
    """A prop is somewhere else, or lies where it stood."""
    out = []
    known = [r for r in track.rests if r.box is not None]
    stops = [r for r in known if r.run.resting]
    for a, b in zip(stops[:-1], stops[1:], strict=True):
        between = [r for r in known if a.run.last < r.run.first < b.run.first]
        change = _moved(track, a, b, between, support, inside)
        if change is not None:
            out.append(change)
    return out


def _moved(
    track: Track, a: Rest, b: Rest, between: list[Rest], support: list[int | None], inside: list[int | None]
) -> Change | None:
    assert a.box is not None and b.box is not None
    first, last = a.run.last, b.run.first
    was, now = inside[first], inside[last]
    step = b.box[:3] - a.box[:3]
    if (was and was == now) or (float(np.linalg.norm(step)) < MOVED_M and a.fallen == b.fallen):
        return None
    peak = max((float(r.box[2]) for r in between if r.box is not None), default=-np.inf)
    lifted = peak > max(a.box[2], b.box[2]) + LIFTED_M
    if b.fallen and not a.fallen:
        kind = "knock_over"
    elif step[2] < -DROPPED_M and not lifted and not now:
        kind = "drop"
    else:
        kind = "push" if not lifted and abs(step[2]) < LIFTED_M and not now and not was else "move"
    source, target = (v or s for v, s in ((was, support[first]), (now, support[last])))
    held = kind in ("move", "drop")
    return Change(kind, track.thing.id, first, last, source if held else None, target if held else None, bool(now))


def switchings(id: int, on: list[bool | None]) -> list[Change]:
    """A burner or lamp goes on or off."""
    out = []
    known = [(t, v) for t, v in enumerate(on) if v is not None]
    for (s, was), (t, now) in zip(known[:-1], known[1:], strict=True):
        if was != now and t - s <= 3:
            out.append(Change("turn_on" if now else "turn_off", id, s, t))
    return out


def pourings(id: int, fill: list[float | None], pourers: list[Track]) -> list[Change]:
    """A vessel's level rises: the pouring vessel is the one that was off its place meanwhile."""
    known = [(t, v) for t, v in enumerate(fill) if v is not None]
    if len(known) < 2 or known[-1][1] - known[0][1] < FILLED:
        return []
    low, high = known[0][1], max(v for _, v in known)
    slack = 0.15 * (high - low)
    first = max(t for t, v in known if v <= low + slack and all(w <= low + slack for u, w in known if u <= t))
    last = min(t for t, v in known if v >= high - slack)
    by = [p.thing.id for p in pourers if p.thing.id != id and not p.still[first : last + 1].all()]
    if len(by) != 1 or last <= first:
        return []
    return [Change("pour", by[0], first, last, target=id, start_value=low, end_value=high)]


def settle(changes: list[Change]) -> list[Change]:
    """In order of time; what a pouring vessel does meanwhile is part of the pouring."""
    pours = [c for c in changes if c.kind == "pour"]
    kept = [
        c for c in changes
        if c.kind == "pour" or not any(p.object == c.object and c.first <= p.last and p.first <= c.last for p in pours)
    ]  # fmt: skip
    return sorted(kept, key=lambda c: (c.first, c.last, c.object, c.kind))


def record(i: int, change: Change, fps: float) -> EventFact:
    c = replace(change)
    return EventFact(
        id=i,
        kind=c.kind,  # type: ignore[arg-type]
        object=c.object,
        source=c.source,
        target=c.target,
        inside=c.inside,
        start_s=round(c.first / fps, 6),
        end_s=round(c.last / fps, 6),
        start_value=None if c.start_value is None else round(c.start_value, 4),
        end_value=None if c.end_value is None else round(c.end_value, 4),
    )
