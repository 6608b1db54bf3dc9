"""Events from tracks: where a joint, a place, a light or a level changes, and between which frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from synth4d.annotate.identity import openness
from synth4d.annotate.pixels_pose import FEW
from synth4d.annotate.pixels_scene import SAME_JOINT, Rest, Track
from synth4d.records import EventFact

OPENED = {"hinge": 6.0, "slide": 2.5}
"""Smaller changes of openness (deg, cm) are no event."""
MOVED_M, LIFTED_M, DROPPED_M = 0.05, 0.03, 0.10
HELD_FRAMES = 3
"""A thing that stands still in the air for no longer is being held."""
AROUND_S = 1.5
"""A vessel is taken and put back within so much of its pouring."""


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
    for a, b in pairwise(stops):
        was, now = (float(openness(joint, np.array(r.value))) for r in (a, b))
        if abs(now - was) >= OPENED[joint.type]:
            kind = "open" if now > was else "close"
            first, last = _span(track, a, b)
            out.append(Change(kind, track.thing.id, first, last, start_value=was, end_value=now))
    return out


def _span(track: Track, a: Rest, b: Rest) -> tuple[int, int]:
    """Between two rests, the last frame at the first value and the first frame at the second."""
    assert track.thing.joint is not None and a.value is not None and b.value is not None
    near = SAME_JOINT[track.thing.joint.type]
    first, last = a.run.last, b.run.first
    values = track.value[first : last + 1]
    at_a, at_b = np.abs(values - a.value) <= near, np.abs(values - b.value) <= near
    away = np.flatnonzero(~at_a & np.isfinite(values))
    start = first + max(int(away[0]) - 1, 0) if len(away) else first
    there = np.flatnonzero(~at_b & np.isfinite(values))
    return start, min(first + int(there[-1]) + 1, last) if len(there) else last


def moves(track: Track, support: list[int | None], inside: list[int | None]) -> list[Change]:
    """A prop is somewhere else, or lies where it stood."""
    known = [r for r in track.rests if r.box is not None or inside[r.run.first] is not None]
    stops = [r for i, r in enumerate(known) if _stops(r, i in (0, len(known) - 1), support, inside)]
    changes = [
        _moved(track, a, b, [r for r in known if a.run.last < r.run.first < b.run.first], support, inside)
        for a, b in pairwise(stops)
    ]
    return [c for c in changes if c is not None]


def _stops(rest: Rest, at_end: bool, support: list[int | None], inside: list[int | None]) -> bool:
    """Whether a prop has come to rest: on or in something, or for long; or it vanished into a container."""
    t, long = rest.run.first, rest.run.last - rest.run.first >= HELD_FRAMES
    if at_end and inside[t]:
        return True
    known = at_end or long or bool(support[t] or inside[t])
    return rest.run.resting and known and (rest.box is not None or rest.points >= FEW)


def _moved(
    track: Track, a: Rest, b: Rest, between: list[Rest], support: list[int | None], inside: list[int | None]
) -> Change | None:
    first, last = a.run.last, b.run.first
    was, now = inside[first], inside[last]
    if was and was == now:
        return None
    kind = _motion(a, b, between)
    if kind is None:
        # Where it is, is not known to the centimetre; that it went in or came out, or is far from where it was, is.
        other = was is not None and now is not None and was != now
        kind = "move" if other or _elsewhere(track, a, b) else None
    if kind is None:
        return None
    if was or now:
        kind = "move"
    source, target = (v or s for v, s in ((was, support[first]), (now, support[last])))
    return Change(kind, track.thing.id, first, last, source or None, target or None, bool(now))


def _elsewhere(track: Track, a: Rest, b: Rest) -> bool:
    """Whether what is seen of a prop at two rests, one of them without a box, lies farther apart than it is long."""
    if a.box is not None and b.box is not None:
        return False
    (ax, ay, az), (bx, by, bz) = (
        track.points.world[track.points.rows(r.run.first, r.run.last)].mean(axis=0) for r in (a, b)
    )
    apart = float(np.hypot(np.hypot(ax - bx, ay - by), az - bz))
    return min(a.points, b.points) >= FEW and apart > float(np.hypot.reduce(np.asarray(track.thing.size))) + MOVED_M


def _motion(a: Rest, b: Rest, between: list[Rest]) -> str | None:
    """What happened to a prop between two rests, by how high it was lifted; None: nothing, or unknown."""
    if a.box is None or b.box is None:
        return None
    step = b.box[:3] - a.box[:3]
    if float(np.sqrt((step**2).sum())) < MOVED_M and a.fallen == b.fallen:
        return None
    if b.fallen and not a.fallen:
        return "knock_over"
    peak = max((float(r.box[2]) for r in between if r.box is not None), default=-np.inf)
    if peak > max(a.box[2], b.box[2]) + LIFTED_M:
        return "move"
    if step[2] < -DROPPED_M:
        return "drop"
    return "push" if abs(step[2]) < LIFTED_M else "move"


def switchings(id: int, on: list[bool | None], worked: Callable[[int], int | None]) -> list[Change]:
    """A burner or lamp goes on or off; `worked` tells which knob was turned about a frame."""
    out = []
    known = [(t, v) for t, v in enumerate(on) if v is not None]
    for (s, was), (t, now) in pairwise(known):
        if was != now and t - s <= 3:
            out.append(Change("turn_on" if now else "turn_off", id, s, t, worked(t)))
    return out


def settle(changes: list[Change], fps: float) -> list[Change]:
    """In order of time; that a pouring vessel is lifted and put back is part of the pouring."""
    slack = int(AROUND_S * fps)
    pours = [c for c in changes if c.kind == "pour"]
    kept = [
        c for c in changes
        if c in pours or not any(p.object == c.object and _meet(p, c, slack) for p in pours)
    ]  # fmt: skip
    return sorted(kept, key=lambda c: (c.first, c.last, c.object, c.kind))


def _meet(a: Change, b: Change, slack: int) -> bool:
    return a.first - slack <= b.last and b.first <= a.last + slack


def record(i: int, change: Change, fps: float) -> EventFact:
    c = change
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
