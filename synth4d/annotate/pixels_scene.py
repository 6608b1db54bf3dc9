"""Boxes of everything over time: a thing at rest has one box, however little each frame shows of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth4d.annotate import pixels_joint, pixels_pose
from synth4d.annotate.pixels_cloud import Points
from synth4d.annotate.pixels_rest import Run, runs
from synth4d.geometry import apply_pose, rotate
from synth4d.records import ObjectFact
from synth4d.types import F64, Clip

SAME_M = 0.03
"""Two rests whose boxes are this near are one place."""
SAME_JOINT = {"hinge": 0.035, "slide": 0.008}
"""Likewise for joint values (rad, m)."""
CLEAR = 0.05
"""Frames that hide so much more of the outline than the clearest are left out at first."""


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """What is known of a run of frames."""

    run: Run
    box: F64 | None
    """(7,)"""
    value: float | None
    """Joint value."""
    fallen: bool
    points: int


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One object over the clip, as far as the picture tells."""

    thing: ObjectFact
    points: Points
    rests: list[Rest]
    box: F64
    """(T,7) NaN = unknown"""
    pose: F64
    """(T,7) of the body frame, NaN = unknown"""
    value: F64
    """(T,) joint value, NaN = unknown or none"""
    drawn: bool
    """Its heading is known from a drawing; else a box looks the same after half a turn."""


def track(clip: Clip, thing: ObjectFact, points: Points, heading: float | None) -> Track:
    """`heading` = the yaw of a fixture whose parts' drawings tell it."""
    T = len(clip.ids)
    part = pixels_joint.drawing(thing)
    moves = thing.role == "prop" or part is not None
    rests = [_rest(clip, thing, part, points.within(r.first, r.last), r, heading) for r in runs(clip, points, moves)]
    rests = _joined(rests, part)
    box, value = np.full((T, 7), np.nan), np.full(T, np.nan)
    for rest in rests:
        span = slice(rest.run.first, rest.run.last + 1) if moves else slice(None)
        box[span] = np.nan if rest.box is None else rest.box
        value[span] = np.nan if rest.value is None else rest.value
    known = np.isfinite(box[:, 0])
    pose = box.copy()
    pose[known, :3] -= rotate(box[known, 3:], np.asarray(thing.box_offset))
    return Track(thing, points, rests, box, pose, value, part is not None or heading is not None)


def headings(things: list[ObjectFact]) -> dict[int, float]:
    """Yaw of each fixture that has a jointed part: the part's drawing is square with its furniture."""
    out: dict[int, float] = {}
    for thing in things:
        part = pixels_joint.drawing(thing)
        if part is not None and thing.part_of is not None:
            x = apply_pose(np.concatenate([np.zeros(3), part.box[3:]]), np.array([1.0, 0.0, 0.0]))
            if np.hypot(x[0], x[1]) > 0.99:
                out[thing.part_of] = float(np.arctan2(x[1], x[0]))
    return out


def _rest(
    clip: Clip,
    thing: ObjectFact,
    part: pixels_joint.Drawing | None,
    points: Points,
    run: Run,
    heading: float | None,
) -> Rest:
    box, value, fallen = None, None, False
    if part is not None:
        value = pixels_joint.joint_value(part, points)
        box = None if value is None else part.box_at(value)
    elif thing.role in ("prop", "fixture", "part"):
        clearest = _clearest(points)
        found = _fit(clip, thing, clearest, heading)
        if found is None and len(clearest) < len(points):
            found = _fit(clip, thing, points, heading)
        if found is not None:
            box, fallen = found.box, found.fallen
    return Rest(run, box, value, fallen, len(points))


def _fit(clip: Clip, thing: ObjectFact, points: Points, heading: float | None) -> pixels_pose.Fit | None:
    if not len(points):
        return None
    eye = clip.camera.T_world_cam[points.frames, :3, 3].mean(axis=0)
    return pixels_pose.fit(points, eye, np.asarray(thing.size), heading)


def _clearest(points: Points) -> Points:
    """The points of the frames that show most of the outline uncovered."""
    n = int(points.frame[-1]) + 1 if len(points) else 0
    outline = np.bincount(points.frame[points.border], minlength=n)
    cut = np.bincount(points.frame[points.cut], minlength=n)
    share = np.where(outline > 0, cut / np.maximum(outline, 1), np.inf)
    clear = (share <= share.min(initial=1.0) + CLEAR)[points.frame]
    return points if clear.all() else points.pick(np.flatnonzero(clear))


def _joined(rests: list[Rest], part: pixels_joint.Drawing | None) -> list[Rest]:
    """Neighbouring rests at one place become one; what was hidden between them is known by it."""
    out: list[Rest] = []
    for rest in rests:
        before = out[-1] if out else None
        if before is None or not (before.run.resting and rest.run.resting and _same(before, rest, part)):
            out.append(rest)
            continue
        best = before if before.points >= rest.points else rest
        run = Run(before.run.first, rest.run.last, True)
        out[-1] = Rest(run, best.box, best.value, best.fallen, before.points + rest.points)
    return out


def _same(a: Rest, b: Rest, part: pixels_joint.Drawing | None) -> bool:
    if a.box is None or b.box is None:
        return False
    if part is not None:
        assert a.value is not None and b.value is not None
        return abs(a.value - b.value) < SAME_JOINT[part.joint.type]
    return a.fallen == b.fallen and float(np.abs(a.box[:3] - b.box[:3]).max()) < SAME_M
