"""Facts from the pixels alone: what a careful viewer of the clip could know. Unknown is null, never a guess.

A viewer is given who is in the clip (the id table, sizes, drawings of furniture), the camera, and the id,
depth and colour images. Nothing of what happened.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synth4d.annotate import pixels_events, pixels_hand, pixels_place, pixels_pour, pixels_scene, pixels_state, tracks
from synth4d.annotate.identity import openness, strip
from synth4d.annotate.pixels_cloud import Points, clouds
from synth4d.annotate.pixels_scene import Track
from synth4d.annotate.visible import Seen, look
from synth4d.records import Facts, ObjectFact
from synth4d.types import F64, Clip

Ids = list[int | None]
Covers = list[list[int] | None]
CUTS, FEW = (0.03, 0.10), 20
"""A cover of up to the first share of an outline goes unnoticed, from the second up it is noticed; else doubt, and
where fewer outline points are seen."""


def facts(identity: Facts, clip: Clip, shown: Seen | None = None) -> Facts:
    """The facts that the clip shows; of `identity` only what `strip` leaves is read. `shown` is the clip's `look` at
    its ids, where there has been one."""
    things = strip(identity).objects
    table = [o.id for o in things]
    counts, seen, inner = shown or look(clip.ids, table)
    boxes = {id: seen[:, k] for k, id in enumerate(table)}
    yaw = pixels_scene.headings(things)
    seen_tracks = [
        pixels_scene.track(clip, o, p, yaw.get(o.id)) for o, p in zip(things, clouds(clip, table), strict=True)
    ]
    places = _places(clip, seen_tracks, boxes)
    states = _states(clip, seen_tracks, places)
    liquids = [o.id for o in things if o.role == "liquid"]
    covers = [hidden_by(t.points, counts[:, k], liquids) for k, t in enumerate(seen_tracks)]
    tracked: dict[str, list[Any]] = {
        "box": tracks.poses(np.round(tracks.joined([t.box for t in seen_tracks], len(clip.ids), 7), 4)),
        "pose": tracks.poses(tracks.joined([t.pose for t in seen_tracks], len(clip.ids), 7)),
        "visible2d": tracks.vectors(seen),
        "pixels": [tracks.collapse(n) for n in counts.T.astype(int).tolist()],
        "inner": tracks.vectors(inner),
        "hidden_by": [tracks.collapse(c) for c in covers],
    }
    objects = [
        _object(t, places[t.thing.id], states[t.thing.id], {name: all_[k] for name, all_ in tracked.items()})
        for k, t in enumerate(seen_tracks)
    ]
    changes = pixels_events.settle(_changes(clip, seen_tracks, boxes, places, states), clip.camera.fps)
    return identity.model_copy(
        update={
            "witness": "pixels",
            "objects": objects,
            "events": [pixels_events.record(i, c, clip.camera.fps) for i, c in enumerate(changes)],
        }
    )


def _places(clip: Clip, all_tracks: list[Track], boxes: dict[int, F64]) -> dict[int, tuple[Ids, Ids]]:
    """(support, inside) by id; both unknown for what is no prop."""
    holds = {t.thing.id: pixels_place.holder(t.thing) for t in all_tracks if t.thing.role != "liquid"}
    holds[0] = 0
    containers = [t for t in all_tracks if t.thing.cavity is not None]
    gates = [t for t in all_tracks if t.thing.joint is not None]
    shut = {c.thing.id: pixels_place.shut(c.thing.id, gates, len(clip.ids)) for c in containers}
    out: dict[int, tuple[Ids, Ids]] = {t.thing.id: ([None], [None]) for t in all_tracks}
    for t in all_tracks:
        if t.thing.role == "prop":
            inside = pixels_place.inside(t, containers, shut, boxes)
            support = pixels_place.support(clip, t, holds, inside, boxes[t.thing.id])
            out[t.thing.id] = pixels_place.cleared(support, inside, containers)
    return out


class State(NamedTuple):
    """What may be on, and how full: None where there is no such state."""

    on: list[bool | None] | None
    fill: list[float | None] | None
    pour: pixels_pour.Filling | None


def _states(clip: Clip, all_tracks: list[Track], places: dict[int, tuple[Ids, Ids]]) -> dict[int, State]:
    walls = [t.points for t in all_tracks if t.thing.role in ("fixture", "part") and not t.thing.switchable]
    room = pixels_state.lit(clip, walls)
    if sum(pixels_state.is_luminaire(t.thing) for t in all_tracks) > 1:
        room = [None] * len(clip.ids)  # which of them was switched cannot be told
    liquid = [t.points for t in all_tracks if t.thing.role == "liquid"]
    out: dict[int, State] = {}
    for t in all_tracks:
        on = pixels_state.is_on(t.thing, clip, t.points, room) if t.thing.switchable else None
        filling = None if t.thing.vessel is None else pixels_pour.filling(clip, t, liquid, *places[t.thing.id])
        out[t.thing.id] = State(on, None if filling is None else filling.level, filling)
    return out


def _changes(
    clip: Clip,
    all_tracks: list[Track],
    boxes: dict[int, F64],
    places: dict[int, tuple[Ids, Ids]],
    states: dict[int, State],
) -> list[pixels_events.Change]:
    out: list[pixels_events.Change] = []
    levers = pixels_hand.levers(all_tracks)
    vessels = [t for t in all_tracks if t.thing.vessel is not None]
    for t in all_tracks:
        on, _, filling = states[t.thing.id]
        if t.thing.joint is not None:
            out += pixels_events.openings(t)
        elif t.thing.role == "prop":
            out += pixels_events.moves(t, *places[t.thing.id])
        if on is not None:
            out += pixels_events.switchings(t.thing.id, on, lambda last: pixels_hand.worked(clip, levers, boxes, last))
        if filling is not None:
            out += pixels_pour.pourings(t, filling, vessels)
    return out


def _object(track: Track, places: tuple[Ids, Ids], state: State, tracked: dict[str, Any]) -> ObjectFact:
    thing = track.thing
    on, fill, _ = state
    return thing.model_copy(
        update=tracked
        | {
            "pose": [None] if thing.joint is None else tracked["pose"],
            "openness": None if thing.joint is None else tracks.numbers(openness(thing.joint, track.value), 2),
            "on": None if on is None else tracks.collapse(on),
            "fill": None if fill is None else tracks.collapse([None if v is None else round(v, 3) for v in fill]),
            "support": tracks.collapse(places[0]),
            "inside": tracks.collapse(places[1]),
        }
    )


def hidden_by(points: Points, counts: F64, liquids: list[int]) -> Covers:
    """Per frame the things, no liquids, that stand before a noticeable share of an outline: the farther of two
    surfaces that meet in a step of depth goes on behind the nearer one."""
    before = points.border & (points.by >= 0)
    for liquid in liquids:
        before &= points.by != liquid
    border = np.bincount(points.frame[points.border], minlength=len(counts)).tolist()
    out: Covers = [None if pixels == 0 or n < FEW else [] for pixels, n in zip(counts.tolist(), border, strict=True)]
    found, times = np.unique(points.frame[before] * 65536 + points.by[before], return_counts=True)
    for code, n in zip(found.tolist(), times.tolist(), strict=True):
        t, id = divmod(code, 65536)
        share, known = n / border[t], out[t]
        if known is not None and share >= CUTS[1]:
            known.append(id)
        elif share > CUTS[0]:
            out[t] = None
    return out
