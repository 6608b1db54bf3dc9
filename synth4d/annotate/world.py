"""Facts from the world: what the simulator knows, and what of it the clip shows."""

from __future__ import annotations

import numpy as np

from synth4d.annotate import endings, identity, silhouettes, tracks
from synth4d.annotate.visible import Seen, look
from synth4d.geometry import apply_pose, rigid_inverse
from synth4d.records import EventFact, Facts, ObjectFact
from synth4d.types import F64, Body, Clip, Event, Shot, Timeline, World

HIDES = (0.02, 0.10)
"""Hiding up to the first share of a silhouette goes unnoticed, from the second up it is noticed; else doubt."""


def facts(shot: Shot, world: World, timeline: Timeline, clip: Clip, seen: Seen | None = None) -> Facts:
    """Everything that can be asked about the clip, from the simulator's state. `seen` is its `look` at `ids_of(world)`,
    where there has been one."""
    bodies = [world.bodies[i] for i in identity.askable(world.bodies)]
    counts, boxes, inner = seen or look(clip.ids, ids_of(world))
    objects = [
        _object(world, timeline, clip, i, bodies, counts[:, k], boxes[:, k], inner[:, k])
        for k, i in enumerate(identity.askable(world.bodies))
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


def _object(
    world: World, timeline: Timeline, clip: Clip, i: int, bodies: list[Body], counts: F64, boxes: F64, inner: F64
) -> ObjectFact:
    body, poses = world.bodies[i], timeline.poses[:, i]
    known = identity.unknown(body, bodies, poses[0], float(timeline.joints[0, i]))
    amodal, hidden, hiders = _silhouette(body, timeline, clip, poses)
    rigid = body.role != "liquid"
    centres = apply_pose(poses, np.asarray(body.box_center, float))
    return known.model_copy(
        update={
            "box": tracks.poses(np.concatenate([centres, poses[:, 3:]], 1)) if rigid else [None],
            "pose": tracks.poses(poses) if rigid else [None],
            "box2d": tracks.vectors(amodal, 3),
            "visible2d": tracks.vectors(boxes),
            "pixels": tracks.collapse([int(n) for n in counts]),
            "occluded": tracks.numbers(hidden, 4),
            "inner": tracks.vectors(inner),
            "hidden_by": _hidden_by(hiders, hidden, bodies),
            "openness": _openness(body, timeline.joints[:, i]),
            "on": _on(body, world, timeline),
            "fill": None if body.vessel is None else tracks.numbers(timeline.fill[:, i], 4),
            "support": _ids(timeline.support[:, i], bodies),
            "inside": _ids(timeline.inside[:, i], bodies),
        }
    )


def _silhouette(body: Body, timeline: Timeline, clip: Clip, poses: F64) -> tuple[F64, F64, silhouettes.Hiders]:
    """Amodal boxes (T,4), hidden shares (T,) and what hides them."""
    unknown = np.full(len(poses), np.nan)
    if body.role == "liquid":
        return _liquid_boxes(body, timeline, clip), unknown, []
    mesh = silhouettes.mesh_of(body)
    if mesh is None:
        return np.full((len(poses), 4), np.nan), unknown, []
    T = silhouettes.T_cam_body(clip.camera, poses)
    boxes = silhouettes.amodal_boxes(mesh, clip.camera, T)
    return boxes, *silhouettes.hidden_shares(body.id, mesh, clip, T, boxes)


def _hidden_by(hiders: silhouettes.Hiders, hidden: F64, bodies: list[Body]) -> list[list[int] | None]:
    """Per frame what hides a noticeable share of the silhouette, no liquids (a vessel's own filling hides its
    inside); null outside the frame, and in doubt."""
    known, liquids = {b.id for b in bodies}, {b.id for b in bodies if b.role == "liquid"}
    out: list[list[int] | None] = []
    for all_, whole in zip(hiders, hidden, strict=True) if hiders else ():
        shares = {id: share for id, share in all_.items() if id not in liquids}
        doubt = np.isnan(whole) or any(HIDES[0] < s < HIDES[1] for s in shares.values())
        ids = {id if id in known else 0 for id, s in shares.items() if s >= HIDES[1]}
        out.append(None if doubt else sorted(ids))
    return tracks.collapse(out) if out else [None]


def _liquid_boxes(body: Body, timeline: Timeline, clip: Clip) -> F64:
    """The box of a liquid's particles in each frame, grown by their radius."""
    out = np.full((len(timeline.times_s), 4), np.nan)
    K, T_cam_world = clip.camera.K, rigid_inverse(clip.camera.T_world_cam)
    own = timeline.particles.take(np.flatnonzero(timeline.particle_id == body.id), axis=1)
    for t, particles in enumerate(own):
        seen = silhouettes.in_camera(T_cam_world[t : t + 1], particles.astype(float))[0].T
        x, y, z = seen.compress(seen[2] > silhouettes.NEAR_M, 1)  # none that is not there, NaN
        if len(z):
            r = K[0, 0] * timeline.particle_radius_m / z
            u, v = K[0, 0] * x / z + K[0, 2], K[1, 1] * y / z + K[1, 2]
            out[t] = (u - r).min(), (v - r).min(), (u + r).max(), (v + r).max()
    return silhouettes.clip_to_frame(out, clip.camera)


def _openness(body: Body, values: F64) -> list[float | None] | None:
    return None if body.joint is None else tracks.numbers(identity.openness(body.joint, values), 4)


def _on(body: Body, world: World, timeline: Timeline) -> list[bool | None] | None:
    if body.control is None:
        return None
    return tracks.collapse([bool(v >= 0.5) for v in timeline.levels[:, world.controls.index(body.control)]])


def _ids(values: object, bodies: list[Body]) -> list[int | None]:
    """A track of ids; what has no facts is the background, 0."""
    known = {b.id for b in bodies}
    return tracks.collapse([int(v) if int(v) in known else 0 for v in np.asarray(values)])


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
