"""When two witnesses' answers to one program agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from synth4d import geometry
from synth4d.program import margins
from synth4d.program.view import Value
from synth4d.types import F64


def compare(a: Value, b: Value) -> bool:
    """Whether two answers agree.

    number: within max(15 % of the larger, 0.10 m · 5 cm · 10 deg · 0.75 s · 15 points of %), same unit
    interval: IoU ≥ 0.5, or both ends within 0.75 s
    box2d, box3d: IoU ≥ 0.5 · point2d: within 8 px
    pose: within 0.10 m and 10 deg, but for half turns about the box's own axes
    text: claim by claim
    everything else: equal
    """
    if a.type != b.type or a.unit != b.unit:
        return False
    x, y = a.value, b.value
    if a.type == "number":
        return within(x, y, a.unit or "m")
    if a.type == "interval":
        ends = max(abs(x[0] - y[0]), abs(x[1] - y[1])) <= margins.AGREE_S + 1e-9
        return bool(ends) or interval_iou(x, y) >= margins.AGREE_IOU
    if a.type == "box2d":
        return box2d_iou(x, y) >= margins.AGREE_IOU
    if a.type == "point2d":
        return bool(max(abs(p - q) for p, q in zip(x, y, strict=True)) <= margins.AGREE["px"])
    if a.type == "box3d":
        return box3d_iou(x, y) >= margins.AGREE_IOU
    if a.type == "pose":
        cosine = max(abs(float((np.array(x[3:]) * q).sum())) for q in half_turns(y[3:]))
        turn = float(np.degrees(2 * np.arccos(min(1.0, cosine))))
        apart = float(np.hypot.reduce(np.subtract(x[:3], y[:3])))
        return apart <= margins.AGREE["m"] and turn <= margins.AGREE["deg"]
    if a.type == "text":
        return len(x) == len(y) and all(compare(_claimed(p), _claimed(q)) for p, q in zip(x, y, strict=True))
    return bool(x == y)


def half_turns(q: Sequence[float] | F64) -> F64:
    """(4,4): a rotation wxyz and those half a turn about the box's own x, y, z further, each with w ≥ 0."""
    turned = geometry.quat_mul(np.asarray(q, float), np.eye(4))
    return np.where(turned[:, :1] < 0, -turned, turned)


def _claimed(claim: dict[str, Any]) -> Value:
    return Value(claim["type"], claim["value"], claim["unit"])


def within(x: float, y: float, unit: str) -> bool:
    return bool(abs(x - y) <= max(margins.AGREE[unit], margins.AGREE_SHARE * max(abs(x), abs(y))) + 1e-9)


def interval_iou(x: Sequence[float], y: Sequence[float]) -> float:
    common = min(x[1], y[1]) - max(x[0], y[0])
    whole = max(x[1], y[1]) - min(x[0], y[0])
    return max(0.0, common) / whole if whole > 0 else float(x == y)


def box2d_iou(x: Sequence[float], y: Sequence[float]) -> float:
    w = min(x[2], y[2]) - max(x[0], y[0])
    h = min(x[3], y[3]) - max(x[1], y[1])
    common = max(0.0, w) * max(0.0, h)
    whole = (x[2] - x[0]) * (x[3] - x[1]) + (y[2] - y[0]) * (y[3] - y[1]) - common
    return common / whole if whole > 0 else 0.0


def box3d_iou(x: dict[str, list[float]], y: dict[str, list[float]]) -> float:
    """Exact IoU of two oriented boxes: the volume of the intersection of their twelve half-spaces."""
    from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

    inner = _inside_both(x, y, spaces := np.vstack([_half_spaces(x), _half_spaces(y)]))
    if inner is None:
        return 0.0
    try:
        common = float(ConvexHull(HalfspaceIntersection(spaces, inner).intersections).volume)
    except QhullError:
        return 0.0
    return common / (float(np.prod(x["size"])) + float(np.prod(y["size"])) - common)


def _inside_both(x: dict[str, list[float]], y: dict[str, list[float]], spaces: F64) -> F64 | None:
    """(3,) a point inside two boxes, None where there is none: midway between their centres, or the centre of the
    largest ball, which takes a hundred times as long to find."""
    centres, sizes = np.array([x["center"], y["center"]]), np.array([x["size"], y["size"]])
    if np.linalg.norm(centres[0] - centres[1]) > np.linalg.norm(sizes, axis=1).sum() / 2:
        return None
    middle = centres.mean(axis=0)
    if (spaces[:, :3] @ middle + spaces[:, 3]).max() < -1e-6:
        return np.asarray(middle)
    from scipy.optimize import linprog

    ball = np.hstack([spaces[:, :3], np.ones((12, 1))])
    found = linprog([0, 0, 0, -1], ball, -spaces[:, 3], bounds=[(None, None)] * 4)
    return np.asarray(found.x[:3]) if found.success and found.x[3] > 1e-6 else None


def _half_spaces(box: dict[str, list[float]]) -> F64:
    """(6,4): n·p + d ≤ 0."""
    R, centre, half = geometry.rotmat(box["quat_wxyz"]).T, np.array(box["center"]), np.array(box["size"]) / 2
    normals = np.vstack([R, -R])
    return np.hstack([normals, -(normals @ centre)[:, None] - np.tile(half, 2)[:, None]])
