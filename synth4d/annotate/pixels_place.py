"""What things stand on and what they are in, from the picture: the surface that is seen around a foot, and
the cavity of a container whose box is known. What was put away and is no longer seen is still there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.annotate.pixels_cloud import Bools, lift
from synth4d.annotate.pixels_scene import Track
from synth4d.geometry import apply_pose, invert_pose, quat_mul, rotmat
from synth4d.records import ObjectFact
from synth4d.types import F64, U16, Clip

Ids = list[int | None]
RINGS = ((0.012, 0.02), (0.025, 0.05))
"""A surface holds a thing when it is seen within (height, distance) metres of its foot; tried in turn."""
VOTES, MAJORITY = 6, 0.65
SLACK_M = 0.015
SEEN = 8
"""A thing is seen in a frame that shows this many of its points."""
SHUT = 0.05
"""A gate is shut below this share of its range."""
_HALF_TURN = np.array([0.0, 0.0, 0.0, 1.0])


# ---- Standing on ---------------------------------------------------------------------------------


def support(clip: Clip, track: Track, holds: dict[int, int], inside: Ids, boxes: F64) -> Ids:
    """(T,) id of what a prop stands on at rest, 0 where it is in something. `holds` = the id of what
    holds it, for what may be seen under it (a burner is part of the stove); `boxes` = visible (T,4)."""
    out: Ids = [0 if c else None for c in inside]
    held_by = np.full(65536, -1)
    held_by[list(holds)] = list(holds.values())
    for rest in track.rests:
        if rest.box is None or not rest.run.resting:
            continue
        frames = track.points.within(rest.run.first, rest.run.last).frames
        picks = sorted({int(frames[0]), int(frames[len(frames) // 2]), int(frames[-1])})
        around = [_around(clip, t, boxes[t], track.thing.id, rest.box) for t in picks]
        points, ids = (np.concatenate(a) for a in zip(*around, strict=True))
        named = held_by[ids]
        firm = named >= 0
        found = _holder(points[firm], named[firm], track, rest.box)
        for t in range(rest.run.first, rest.run.last + 1):
            if not inside[t]:
                out[t] = found
    return out


def holder(thing: ObjectFact) -> int:
    """What a thing on top of this one is said to stand on: the whole, for a part that is not hollow."""
    whole = thing.part_of if thing.cavity is None else None
    return thing.id if whole is None else whole


def _around(clip: Clip, t: int, seen: F64, own: int, box: F64) -> tuple[F64, U16]:
    """World points (M,3) and ids (M,) of what is seen around a thing."""
    _, H, W = clip.ids.shape
    depth = float(((box[:3] - clip.camera.T_world_cam[t, :3, 3]) * clip.camera.T_world_cam[t, :3, 2]).sum())
    grow = int(np.ceil(0.05 * clip.camera.K[0, 0] / max(depth, 0.1))) + 2
    x0, y0 = np.maximum(seen[:2].astype(int) - grow, 0)
    x1, y1 = min(int(seen[2]) + grow, W), min(int(seen[3]) + grow, H)
    step = max(1, int(np.sqrt((x1 - x0) * (y1 - y0) / 2000)))
    patch = t, slice(y0, y1, step), slice(x0, x1, step)
    ids, z = clip.ids[patch], clip.depth_z_m[patch]
    y, x = np.nonzero((ids != own) & (z > 0))
    return lift(clip, t, x0 + step * x, y0 + step * y, z[y, x].astype(float)), ids[y, x]


def _holder(points: F64, ids: NDArray[np.int64], track: Track, box: F64) -> int | None:
    half = np.asarray(track.thing.size) / 2
    R = np.abs(rotmat(box[3:]))
    foot = box[2] - float((R[2] * half).sum())
    local = np.abs(apply_pose(invert_pose(box), points)) - half
    upright = int(np.argmax(R[2]))
    sides = [k for k in range(3) if k != upright]
    away = np.hypot(np.maximum(local[:, sides[0]], 0), np.maximum(local[:, sides[1]], 0))
    for height, distance in RINGS:
        near = (np.abs(points[:, 2] - foot) <= height) & (away <= distance)
        if near.sum() >= VOTES:
            votes = np.bincount(ids[near])
            best = int(np.argmax(votes))
            rises = (ids == best) & (away <= distance) & (points[:, 2] > foot + height)
            rises &= points[:, 2] <= foot + 4 * height
            wall = rises.sum() > 0.7 * votes[best]
            return None if wall or votes[best] < MAJORITY * votes.sum() else best
    return None


# ---- Being in ------------------------------------------------------------------------------------


def inside(track: Track, containers: list[Track], shuts: dict[int, Bools], boxes: dict[int, F64]) -> Ids:
    """(T,) id of the container a prop is in, 0 = none; `shuts` = what `shut` says of each, `boxes` = visible boxes
    (T,4) of everything by id. What is seen is in no container whose gates are all shut."""
    T = len(track.box)
    out: Ids = [None] * T
    counts = np.bincount(track.points.frame, minlength=T)
    others = [c for c in containers if c.thing.id != track.thing.id]
    seen = boxes[track.thing.id]
    touch = {c.thing.id: _touch(seen, boxes[c.thing.id]) & ~shuts[c.thing.id] for c in others}
    for t in range(T):
        if counts[t] >= SEEN:
            out[t] = _container(track, others, touch, t)
        elif t and out[t - 1]:
            out[t] = out[t - 1]
    return out


def cleared(support: Ids, inside: Ids, containers: list[Track]) -> tuple[Ids, Ids]:
    """(support, inside), the doubts of one cleared by the other: what stands on a thing that is no container
    is in none; what may be in a container does not surely stand on it."""
    hollow = {c.thing.id for c in containers}
    pairs = [
        (None if i is None and s in hollow else s, 0 if i is None and s is not None and s not in hollow else i)
        for s, i in zip(support, inside, strict=True)
    ]
    return [s for s, _ in pairs], [i for _, i in pairs]


def _container(track: Track, containers: list[Track], touch: dict[int, Bools], t: int) -> int | None:
    near = [c for c in containers if touch[c.thing.id][t]]
    points = track.points.at(t) if near else np.zeros((0, 3))
    found, doubt = [], False
    for c in near:
        verdict = _holds(c, points, track.box[t, :3], t)
        if verdict:
            found.append(c)
        doubt |= verdict is None
    if found:
        return min(found, key=lambda c: float(np.prod(c.thing.size))).thing.id
    return None if doubt else 0


def _touch(a: F64, b: F64, slack: float = 3.0) -> Bools:
    """(T,) whether two things' visible boxes (T,4) meet; an unseen one meets nothing."""
    return np.asarray((a[:, :2] <= b[:, 2:] + slack).all(axis=1) & (b[:, :2] <= a[:, 2:] + slack).all(axis=1))


def shut(id: int, gates: list[Track], frames: int) -> Bools:
    """(T,) whether a container has gates and all are known to be shut."""
    own = [g for g in gates if g.thing.part_of == id and g.thing.joint is not None]
    out = np.full(frames, bool(own))
    for g in own:
        joint = g.thing.joint
        assert joint is not None
        out &= np.abs(g.value - joint.closed) < SHUT * abs(joint.open - joint.closed)
    return out


def _holds(container: Track, points: F64, centre: F64, t: int) -> bool | None:
    """Whether the points, and the centre where it is known, are in the container's cavity. A box says which
    way a thing stands but for half a turn: both must agree, unless a drawing tells the heading."""
    pose, cavity = container.pose[t], container.thing.cavity
    assert cavity is not None
    if np.isnan(pose[0]):
        return None
    poses = [pose]
    if not container.drawn:
        R = rotmat(pose[3:])
        offset = np.asarray(container.thing.box_offset)
        turned = (R * (offset * [-1, -1, 1])).sum(axis=1)
        poses.append(np.concatenate([container.box[t, :3] - turned, quat_mul(pose[3:], _HALF_TURN)]))
    verdicts = {_in_cavity(p, np.asarray(cavity.low), np.asarray(cavity.high), points, centre) for p in poses}
    return verdicts.pop() if len(verdicts) == 1 else None


def _in_cavity(pose: F64, low: F64, high: F64, points: F64, centre: F64) -> bool:
    """The middle of what is in a bowl may stand a little above its rim."""
    ceiling = np.array([SLACK_M, SLACK_M, 0.03])
    local = apply_pose(invert_pose(pose), points)
    held = ((local >= low - SLACK_M) & (local <= high + ceiling)).all(axis=1)
    share = np.count_nonzero(held) / len(held)
    if np.isnan(centre[0]):
        return bool(share >= 0.8)
    middle = apply_pose(invert_pose(pose), centre)
    return bool((middle >= low - SLACK_M).all() and (middle <= high + ceiling).all() and share >= 0.3)
