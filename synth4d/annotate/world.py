"""Facts from the world: what the simulator knows, and what of it the clip shows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from synth4d.annotate import endings, identity, silhouettes, tracks
from synth4d.annotate.visible import Seen, look
from synth4d.geometry import rigid_inverse
from synth4d.records import EventFact, Facts, ObjectFact
from synth4d.types import F64, U16, Body, Clip, Event, Shot, Timeline, World

HIDES = (0.02, 0.10)
"""Hiding up to the first share of a silhouette goes unnoticed, from the second up it is noticed; else doubt."""


def facts(shot: Shot, world: World, timeline: Timeline, clip: Clip, seen: Seen | None = None) -> Facts:
    """Everything that can be asked about the clip, from the simulator's state. `seen` is its `look` at `ids_of(world)`,
    where there has been one."""
    places = identity.askable(world.bodies)
    bodies, poses = [world.bodies[i] for i in places], timeline.poses[:, places]
    poses[:, [b.role == "liquid" for b in bodies]] = np.nan
    counts, boxes, inner = seen or look(clip.ids, ids_of(world))
    motions = silhouettes.T_cam_body(clip.camera, np.moveaxis(poses, 1, 0))
    outlines = [_silhouette(b, timeline, clip, T) for b, T in zip(bodies, motions, strict=True)]
    tracked: dict[str, list[Any]] = {
        "box": tracks.poses(identity.boxes(bodies, poses)),
        "pose": tracks.poses(poses),
        "box2d": tracks.vectors(tracks.joined([o.boxes for o in outlines], len(poses), 4), 3),
        "visible2d": tracks.vectors(boxes),
        "pixels": [tracks.collapse(n) for n in counts.T.astype(int).tolist()],
        "inner": tracks.vectors(inner),
    }
    objects = [
        _object(world, timeline, i, bodies, outlines[k], {name: all_[k] for name, all_ in tracked.items()})
        for k, i in enumerate(places)
    ]
    return Facts(
        key=shot.key,
        scene=shot.scene,
        witness="world",
        kind=shot.kind,
        twin_of=shot.twin_of,
        frames=len(timeline.times_s),
        fps=clip.camera.fps,
        width=clip.camera.width,
        height=clip.camera.height,
        objects=objects,
        events=[_event(i, e, world) for i, e in enumerate(timeline.events)],
        without=[endings.without(world, timeline, e) for e in timeline.endings],
        instead=[_event(i, e, world) for i, e in enumerate(timeline.instead)],
    )


def ids_of(world: World) -> list[int]:
    """Of what has facts, in their order."""
    return [world.bodies[i].id for i in identity.askable(world.bodies)]


class _Outline(NamedTuple):
    """What is known of a body's silhouette."""

    boxes: F64
    """(T,4) amodal"""
    hidden: F64
    """(T,) share"""
    hiders: list[silhouettes.Hider]


def _object(
    world: World, timeline: Timeline, i: int, bodies: list[Body], outline: _Outline, tracked: dict[str, Any]
) -> ObjectFact:
    body = world.bodies[i]
    known = identity.unknown(body, bodies, timeline.poses[0, i], float(timeline.joints[0, i]))
    return known.model_copy(
        update=tracked
        | {
            "occluded": tracks.numbers(outline.hidden, 4),
            "hidden_by": _hidden_by(outline, bodies),
            "openness": _openness(body, timeline.joints[:, i]),
            "on": _on(body, world, timeline),
            "fill": None if body.vessel is None else tracks.numbers(timeline.fill[:, i], 4),
            "support": _ids(timeline.support[:, i], bodies),
            "inside": _ids(timeline.inside[:, i], bodies),
        }
    )


def _silhouette(body: Body, timeline: Timeline, clip: Clip, T_cam_body: F64) -> _Outline:
    unknown = np.full(len(T_cam_body), np.nan)
    if body.role == "liquid":
        return _Outline(_liquid_boxes(body, timeline, clip), unknown, [])
    mesh = silhouettes.mesh_of(body)
    if mesh is None:
        return _Outline(np.full((len(T_cam_body), 4), np.nan), unknown, [])
    boxes = silhouettes.amodal_boxes(mesh, clip.camera, T_cam_body)
    return _Outline(boxes, *silhouettes.hidden_shares(body.id, mesh, clip, T_cam_body, boxes))


def _hidden_by(outline: _Outline, bodies: list[Body]) -> list[list[int] | None]:
    """Per frame what hides a noticeable share of the silhouette, no liquids (a vessel's own filling hides its
    inside); null outside the frame, and in doubt."""
    known, liquids = {b.id for b in bodies}, {b.id for b in bodies if b.role == "liquid"}
    by: list[set[int] | None] = [set() if seen else None for seen in np.isfinite(outline.hidden).tolist()]
    for t, id, share in outline.hiders:
        ids = by[t]
        if ids is None or share <= HIDES[0] or id in liquids:
            continue
        if share < HIDES[1]:
            by[t] = None
        else:
            ids.add(id if id in known else 0)
    return tracks.collapse([None if ids is None else sorted(ids) for ids in by])


def _liquid_boxes(body: Body, timeline: Timeline, clip: Clip) -> F64:
    """The box of a liquid's particles in each frame, grown by their radius."""
    K, T_cam_world = clip.camera.K, rigid_inverse(clip.camera.T_world_cam)
    own = timeline.particles.take(np.flatnonzero(timeline.particle_id == body.id), axis=1)
    x, y, z = silhouettes.in_camera(T_cam_world, own)
    z = np.where(z > silhouettes.NEAR_M, z, np.nan)  # NaN too where none is there
    r = K[0, 0] * timeline.particle_radius_m / z
    u, v = K[0, 0] * x / z + K[0, 2], K[1, 1] * y / z + K[1, 2]
    low = [np.fmin.reduce(a - r, axis=1, initial=np.nan) for a in (u, v)]
    high = [np.fmax.reduce(a + r, axis=1, initial=np.nan) for a in (u, v)]
    return silhouettes.clip_to_frame(np.stack([*low, *high], axis=1), clip.camera)


def _openness(body: Body, values: F64) -> list[float | None] | None:
    return None if body.joint is None else tracks.numbers(identity.openness(body.joint, values), 4)


def _on(body: Body, world: World, timeline: Timeline) -> list[bool | None] | None:
    if body.control is None:
        return None
    return tracks.collapse([bool(v >= 0.5) for v in timeline.levels[:, world.controls.index(body.control)]])


def _ids(values: U16, bodies: list[Body]) -> list[int | None]:
    """A track of ids; what has no facts is the background, 0."""
    known = {b.id for b in bodies}
    return tracks.collapse([v if v in known else 0 for v in values.tolist()])


def _event(i: int, event: Event, world: World) -> EventFact:
    body = next(b for b in world.bodies if b.id == event.object)
    start, end = event.start_value, event.end_value
    if event.kind in ("open", "close") and body.joint is not None:
        start, end = (None if v is None else float(identity.openness(body.joint, np.array(v))) for v in (start, end))
    return EventFact(
        id=i,
        kind=event.kind,
        object=event.object,
        source=event.source,
        target=event.target,
        inside=event.inside,
        start_s=round(event.start_s, 6),
        end_s=round(event.end_s, 6),
        start_value=None if start is None else round(start, 4),
        end_value=None if end is None else round(end, 4),
    )
