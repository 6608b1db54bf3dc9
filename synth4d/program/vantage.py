"""Operations on the camera: how it moves and turns, what another of its viewpoints would show."""

from __future__ import annotations

import numpy as np

from synth4d import geometry
from synth4d.program import margins
from synth4d.program.objects import Span
from synth4d.program.operations import Sub, op
from synth4d.program.relate import where
from synth4d.program.view import Things, Value, View, number, refuse
from synth4d.types import F64

MOMENTS = {"since": Sub("moment"), "until": Sub("moment")}


def turned(view: View, since: Span, until: Span) -> float:
    """Degrees that the camera's line of sight turns to the left, seen from above; −180..180."""
    a, b = (view.T_world_cam(m[0])[:2, 2] for m in (since, until))
    if min(np.hypot(*a), np.hypot(*b)) < 0.2:
        refuse("undefined", "the camera looks straight down")
    return float(np.degrees(np.arctan2(a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1])))


@op("camera_turn", "choice", **MOMENTS)
def camera_turn(view: View, since: Span, until: Span) -> Value:
    """turns_left, turns_right or keeps_heading: how the camera's line of sight differs at the second moment"""
    degrees = turned(view, since, until)
    if abs(degrees) <= margins.TURNED_DEG[0]:
        return Value("choice", "keeps_heading")
    if abs(degrees) < margins.TURNED_DEG[1] or abs(degrees) > 165:
        refuse("ambiguous", f"it turns by {abs(degrees):.0f}°")
    return Value("choice", "turns_left" if degrees > 0 else "turns_right")


@op("camera_turned", "number", **MOMENTS)
def camera_turned(view: View, since: Span, until: Span) -> Value:
    """degrees that the camera's line of sight has turned to the left or right between two moments"""
    degrees = abs(turned(view, since, until))
    if degrees < margins.TURNED_DEG[1]:
        refuse("ambiguous", "it hardly turns")
    return number(degrees, "deg")


@op("camera_shift", "choice", **MOMENTS)
def camera_shift(view: View, since: Span, until: Span) -> Value:
    """goes_left, goes_right, goes_in, goes_out, goes_up, goes_down or stays: where the camera mainly is at the second
    moment, as seen by it at the first"""
    a, b = (view.T_world_cam(m[0]) for m in (since, until))
    shift = geometry.rotate(geometry.quat_inv(geometry.quat_from_rotmat(_level(a))), b[:3, 3] - a[:3, 3])
    length = float(np.sqrt((shift**2).sum()))
    if length <= margins.CAMERA_M[0]:
        return Value("choice", "stays")
    axis = int(np.argmax(np.abs(shift)))
    rest = np.delete(np.abs(shift), axis)
    if length < margins.CAMERA_M[1] or abs(shift[axis]) < margins.MAINLY * rest.max():
        refuse("ambiguous", f"it moves by {length:.2f} m, not mainly one way")
    ways = (("goes_right", "goes_left"), ("goes_down", "goes_up"), ("goes_in", "goes_out"))
    return Value("choice", ways[axis][int(shift[axis] < 0)])


def _level(T: F64) -> F64:
    """(3,3) axes right, down, ahead of a camera, with down as gravity has it."""
    ahead = np.array([T[0, 2], T[1, 2], 0.0])
    length = float(np.hypot(ahead[0], ahead[1]))
    if length < 0.2:
        refuse("undefined", "the camera looks straight down")
    ahead /= length
    return np.stack([[ahead[1], -ahead[0], 0.0], [0.0, 0.0, -1.0], ahead], axis=1)


@op("side_from", "choice", of=Sub("object"), by=Sub("object"), at=Sub("moment"), seen=Sub("moment"))
def side_from(view: View, of: int, by: int, at: Span, seen: Span) -> Value:
    """left or right: on which side of another a thing of one moment is for the camera's viewpoint of another"""
    if of == by:
        refuse("undefined", "a side needs two different things")
    T = view.T_world_cam(seen[0])
    boxes = [view.box(id, at[0]) for id in (of, by)]
    corners = [view.corners(id, at[0]) for id in (of, by)]
    places = [geometry.project(view.camera.K, T, np.vstack([b[:3], c])) for b, c in zip(boxes, corners, strict=True)]
    if min(float(z.min()) for _, z in places) < 0.1:
        refuse("undefined", "one is beside or behind that viewpoint")
    (x, _), (y, _) = places
    step = float(x[0, 0] - y[0, 0]) / view.facts.width
    if abs(step) < margins.APART_PX:
        refuse("ambiguous", "one is before the other")
    return Value("choice", "left" if step < 0 else "right")


@op("lost", "things", of=Sub("things"), **MOMENTS)
def lost(view: View, of: Things, since: Span, until: Span) -> Things:
    """those of a set that are clearly visible at the first moment and not seen at all at the second"""

    def holds(id: int) -> bool | None:
        before, after = (view.clear(id, since[0]), view.glimpsed(id, until[0]))
        if after:
            return False if view.clear(id, until[0]) or not before else None
        return True if before else None if view.glimpsed(id, since[0]) else False

    return where(of, holds)
