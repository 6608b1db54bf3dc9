"""How far a part is open, from the points that are seen of it and the drawing of its furniture.

A hinged panel: the angle of the plane through its points. A drawer: how far its front face has come. A
sliding panel: where its edges are. The box that follows must hold the points, else nothing is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.annotate.identity import joint_motion
from synth4d.annotate.pixels_cloud import Points
from synth4d.geometry import apply_pose, compose, invert_pose, rotmat
from synth4d.records import JointFact, ObjectFact
from synth4d.types import F64

FEW = 25
SLACK_M = 0.02
HELD = 0.85
"""Share of the points that must lie in the box at the found joint value."""
WINDOW_M = 0.012
IN_PLANE, RIVAL = 0.25, 0.85
"""Share of a hinged panel's points that must lie in one plane; planes at other angles hold this much fewer."""
THIN, WIDE_M = 1.8, 0.12
"""A hinged panel is so many times wider than thick (its handle counts), so wide, and hangs on its edge; the
angle of a knob cannot be seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """What is known of a part before anything is seen."""

    joint: JointFact
    box: F64
    """(7,) when shut"""
    size: F64
    axis: F64
    anchor: F64

    @property
    def sign(self) -> float:
        return 1.0 if self.joint.open >= self.joint.closed else -1.0

    @property
    def travel(self) -> float:
        return abs(self.joint.open - self.joint.closed)

    def box_at(self, value: float) -> F64:
        """(7,) the part's world box at a joint value."""
        turned = np.array(value - self.joint.closed)
        motion = joint_motion(self.axis, self.anchor, self.joint.type == "hinge", turned)
        return compose(motion, self.box)


def drawing(thing: ObjectFact) -> Drawing | None:
    joint = thing.joint
    if joint is None or joint.closed_box is None:
        return None
    arrays = (np.array(v, float) for v in (joint.closed_box, thing.size, joint.axis, joint.anchor))
    return Drawing(joint, *arrays)


def joint_value(part: Drawing, points: Points) -> float | None:
    """The joint value (rad or m) that explains the points; None where they do not tell."""
    if len(points) < FEW:
        return None
    points = points.thinned(500)
    opened = _hinge(part, points) if part.joint.type == "hinge" else _slide(part, points)
    if opened is None:
        return None
    value = part.joint.closed + part.sign * min(max(opened, 0.0), part.travel)
    local = apply_pose(invert_pose(part.box_at(value)), points.world)
    held = (np.abs(local) <= part.size / 2 + SLACK_M).all(axis=1)
    return value if np.count_nonzero(held) / len(held) >= HELD else None


# ---- Slides --------------------------------------------------------------------------------------


def _slide(part: Drawing, points: Points) -> float | None:
    """How far it has come out, metres."""
    way = part.axis * part.sign
    along = (points.world - part.box[:3]) @ way
    by_face = _by_face(part, along)
    return by_face if by_face is not None else _by_edges(part, along, points, way)


def _by_face(part: Drawing, along: F64) -> float | None:
    if part.joint.face is None:
        return None
    out = np.sort(along - part.joint.face)
    out = out[(out >= -SLACK_M) & (out <= part.travel + SLACK_M)]
    if len(out) < FEW // 2:
        return None
    first = np.arange(len(out))
    counts = np.searchsorted(out, out + WINDOW_M, side="right") - first
    best = int(np.argmax(counts))
    if counts[best] < max(FEW // 2, 0.2 * len(along)):
        return None
    return float(np.median(out[best : best + counts[best]]))


def _by_edges(part: Drawing, along: F64, points: Points, way: F64) -> float | None:
    """From its leading and trailing edges, where nothing covers them."""
    half = float((np.abs(rotmat(part.box[3:]).T @ way) * part.size).sum() / 2)
    low, high = np.percentile(along, [1, 99])
    ends = []
    for sign, end in ((1.0, high), (-1.0, -low)):
        band = points.border & (sign * along >= end - max(0.006, 0.04 * half))
        if points.cut[band].sum() <= 0.5 * band.sum():
            ends.append(sign * (end - half))
    if not ends or max(ends) - min(ends) > 0.03:
        return None
    return float(np.mean(ends))


# ---- Hinges --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """A hinged panel when shut, in the plane across its axis: `wide` leads from the axis along the panel."""

    wide: F64
    thick: F64
    reach: tuple[float, float]
    """Where the panel begins and ends along `wide`, from the axis."""
    depth: tuple[float, float]
    """Likewise along `thick`."""

    def reaches(self, along: F64) -> NDArray[np.bool_]:
        return np.asarray((along > self.reach[0] - SLACK_M) & (along < self.reach[1] + SLACK_M))


def _panel(part: Drawing) -> _Panel | None:
    axes = rotmat(part.box[3:]).T
    upright = int(np.argmax(np.abs(axes @ part.axis)))
    w, n = sorted({0, 1, 2} - {upright}, key=lambda i: -part.size[i])
    centre = part.box[:3] - part.anchor
    if part.size[w] < max(THIN * part.size[n], WIDE_M) or abs(axes[w] @ centre) < 0.3 * part.size[w]:
        return None
    wide = axes[w] * (1.0 if axes[w] @ centre >= 0 else -1.0)
    thick = np.cross(part.axis, wide)
    r, d = float(centre @ wide), float(centre @ thick)
    half_w, half_n = part.size[w] / 2, part.size[n] / 2
    return _Panel(wide, thick, (r - half_w, r + half_w), (d - half_n, d + half_n))


def _hinge(part: Drawing, points: Points) -> float | None:
    """How far it has turned, radians: the angle at which most points lie in one plane of the panel."""
    panel = _panel(part)
    if panel is None:
        return None
    flat = points.world - part.anchor
    a, b = flat @ panel.wide, flat @ panel.thick
    angles = part.sign * np.arange(-0.07, part.travel + 0.07, 0.035)
    found = [_in_plane(a, b, float(t), panel) for t in angles]
    best = int(np.argmax([len(f) for f in found]))
    most = len(found[best])
    rival = max((len(f) for f, t in zip(found, angles, strict=True) if abs(t - angles[best]) > 0.2), default=0)
    if most < max(FEW // 2, IN_PLANE * len(points)) or rival > RIVAL * most:
        return None
    angle = _refined(a, b, found[best], float(angles[best]), panel)
    return None if angle is None else part.sign * angle


def _in_plane(a: F64, b: F64, angle: float, panel: _Panel) -> NDArray[np.int64]:
    """Positions of the points in the fullest plane of the panel turned by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    along, off = a * c + b * s, b * c - a * s
    ok = panel.reaches(along)
    ok &= (off > panel.depth[0] - 0.01) & (off < panel.depth[1] + 0.01)
    chosen = ok.nonzero()[0]
    if not len(chosen):
        return chosen
    off = off[chosen]
    order = off.argsort(kind="stable")
    chosen, off = chosen[order], off[order]
    counts = off.searchsorted(off + WINDOW_M, side="right") - np.arange(len(off))
    best = int(counts.argmax())
    return chosen[best : best + counts[best]]


def _refined(a: F64, b: F64, inliers: NDArray[np.int64], angle: float, panel: _Panel) -> float | None:
    """The angle of the line through the inliers; None where they span too little of the panel."""
    width = panel.reach[1] - panel.reach[0]
    for _ in range(3):
        along = a * np.cos(angle) + b * np.sin(angle)
        off = b * np.cos(angle) - a * np.sin(angle)
        x, y = along[inliers], off[inliers]
        spread = float(((x - x.mean()) ** 2).mean())
        if spread < (0.1 * width) ** 2:
            return None
        slope = float(((x - x.mean()) * (y - y.mean())).mean()) / spread
        angle += float(np.arctan(slope))
        line = y.mean() + slope * (along - x.mean())
        near = (np.abs(off - line) < 0.008) & panel.reaches(along)
        if near.sum() < FEW // 2:
            return None
        inliers = np.flatnonzero(near)
    return angle
