"""Where a thing of known size stands, from the points that are seen of it.

Along each axis of the box the seen extent is weighed against the known one: both ends seen, the middle;
one end seen (the near face, or an outline that nothing covers), half the known size from it; else unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth4d.annotate import _masks
from synth4d.annotate.pixels_cloud import Points
from synth4d.geometry import quat_from_axis_angle, quat_from_rotmat, quat_mul
from synth4d.types import F64

FEW = 25
"""Fewer points than this tell nothing about where a thing is."""
TRIM = 1.5
"""Percent of the points left out at each end of an extent."""
FACE_M = 0.012
"""A face that looks along an axis is seen within so much of the end."""
AMBIGUOUS_M = 0.025
TURNING = 0.15
"""An end with so little outline in it is where the surface turns away."""
FREE, COVERED = 0.2, 0.5
"""An end is the thing's own when at most this share of its outline is hidden; a face, when at most that."""
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A box that explains the points."""

    box: F64
    """(7,) world centre + wxyz"""
    fallen: bool
    """It lies: its own z axis is level."""


def fit(points: Points, eye: F64, size: F64, yaw: float | None = None) -> Fit | None:
    """The box of `size` (3,) that explains the points; `eye` (3,) is where they were seen from, on average.

    `yaw` fixes the heading where it is known. None where the points do not tell.
    """
    points = points.thinned(900)
    if len(points) < FEW:
        return None
    low, high = _ends(points.world[:, 2])
    for axes in _standings(size, high - low, yaw is not None):
        found = _stand(points, eye, size[list(axes)], yaw)
        if found is not None:
            centre, heading = found
            return Fit(np.concatenate([centre, _turned(axes, heading)]), axes[2] != 2)
    return None


def _standings(size: F64, tall: float, known: bool) -> list[tuple[int, int, int]]:
    """Which body axes may be (along, across, up), as the seen height allows: upright, then lying if tall."""
    upright, lying = (0, 1, 2), ((2, 0, 1) if size[1] <= size[0] else (1, 2, 0))
    may_lie = not known and size[2] > 1.25 * size[lying[2]]
    tries = [upright, lying] if may_lie else [upright]
    return [axes for axes in tries if tall <= 1.1 * size[axes[2]] + 0.02]


def _turned(axes: tuple[int, int, int], heading: float) -> F64:
    """Quaternion of a body whose axes (along, across, up) are the world's turned by `heading` about +z."""
    R = np.zeros((3, 3))
    R[[0, 1, 2], list(axes)] = 1.0
    base = np.array([1.0, 0, 0, 0]) if axes == (0, 1, 2) else quat_from_rotmat(R)
    return quat_mul(quat_from_axis_angle(_UP, np.array(heading)), base)


def _stand(points: Points, eye: F64, size: F64, yaw: float | None) -> tuple[F64, float] | None:
    """Centre and heading of an upright box with extents `size` (along, across, up)."""
    if yaw is not None:
        centre = _centre(points, eye, size, yaw)
        return None if centre is None else (centre, yaw)
    heading = _heading(points.world[:, :2], size)
    centre = _centre(points, eye, size, heading)
    if centre is None:
        return None
    across = _shares(points.world[:, :2], size, np.array([heading + np.pi / 2]))
    if abs(size[0] - size[1]) > AMBIGUOUS_M and across.max() < 1.1:
        # What is seen of it fits as well when it is turned by a right angle.
        turned = _centre(points, eye, size, heading + np.pi / 2)
        if turned is None or float(np.abs(turned - centre).max()) > AMBIGUOUS_M:
            return None
    return centre, heading


def _centre(points: Points, eye: F64, size: F64, heading: float) -> F64 | None:
    """Centre of the box with this heading; None where an axis is unknown or points stick out."""
    c, s = np.cos(heading), np.sin(heading)
    axes = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
    toward = eye - points.world.mean(axis=0)
    toward = toward / np.linalg.norm(toward)
    centre = np.zeros(3)
    for axis, known in zip(axes, size, strict=True):
        along = points.world[:, 0] * axis[0] + points.world[:, 1] * axis[1] + points.world[:, 2] * axis[2]
        middle = _middle(along, points, float(known), float((toward * axis).sum()))
        if middle is None:
            return None
        inside = np.abs(along - middle) <= known / 2 + 0.015 + 0.05 * known
        if np.count_nonzero(inside) / len(inside) < 0.95:
            return None
        centre += middle * axis
    return centre


def _middle(along: F64, points: Points, known: float, facing: float) -> float | None:
    """Where the middle of an extent of `known` length is. `facing` = cosine between this axis and the way
    to the camera: its sign says which end is the near one."""
    low, high = _ends(along)
    unseen = known - (high - low)
    if unseen <= max(0.004, 0.03 * known):
        return (low + high) / 2
    low_hidden, high_hidden = _hidden(along, points, low, known), _hidden(-along, points, -high, known)
    near, sign, end = (high_hidden, 1.0, high) if facing > 0 else (low_hidden, -1.0, low)
    if abs(facing) > 0.3 and (
        near <= FREE or (near <= COVERED and _is_face(sign * along, points, *sorted((sign * low, sign * high))))
    ):
        return end - sign * known / 2
    if unseen <= max(0.012, 0.08 * known):
        return (low + high) / 2
    if unseen > 0.4 * known or min(low_hidden, high_hidden) > FREE or (abs(facing) > 0.3 and near > FREE):
        return None  # the far end alone says little: what lies behind it cannot be seen
    if max(low_hidden, high_hidden) <= FREE:
        return (low + high) / 2
    return low + known / 2 if low_hidden <= FREE else high - known / 2


def _hidden(along: F64, points: Points, low: float, known: float) -> float:
    """How doubtful the low end of `along` is: the share of its outline that something covers, or may."""
    end = along <= low + max(0.006, 0.03 * known)
    band = points.border & end
    whole = np.count_nonzero(band)
    if whole <= TURNING * np.count_nonzero(end):
        return 0.0
    cut, met = (np.count_nonzero(doubtful & band) / whole for doubtful in (points.cut, points.met))
    return max(cut, (cut + met) / 2)


def _is_face(along: F64, points: Points, low: float, high: float) -> bool:
    """Whether the high end is a face seen from before: far more of what is seen lies in it than elsewhere."""
    inner = along[~points.border]
    even = FACE_M / max(high - low, FACE_M)
    return bool(np.count_nonzero(inner >= high - FACE_M) >= max(FEW, 0.2 * len(inner), 2 * even * len(inner)))


def _ends(along: F64) -> tuple[float, float]:
    """Percentiles TRIM and 100 − TRIM; numpy's own takes three times as long."""
    last = len(along) - 1
    i, part = _rank(len(along))
    j = min(i + 1, last)
    p = np.partition(along, sorted({i, j, last - j, last - i}))
    low, high = p[i] * (1 - part) + p[j] * part, p[last - i] * (1 - part) + p[last - j] * part
    return float(low), float(high)


def _rank(count: int) -> tuple[int, float]:
    """Which of so many numbers is at the percentile TRIM, and how far the percentile is beyond it."""
    first, part = divmod((count - 1) * TRIM / 100, 1)
    return int(first), part


def _heading(plan: F64, size: F64) -> float:
    """Heading in [0, π) at which the points' extents fit the known ones best with the least area."""
    plan = plan[:: max(1, len(plan) // 300)]
    coarse = np.arange(0, np.pi, np.pi / 60)
    best = float(coarse[np.argmin(_misfit(plan, size, coarse))])
    fine = best + np.radians(np.arange(-3, 3.1, 0.5))
    return float(fine[np.argmin(_misfit(plan, size, fine))]) % np.pi


def _misfit(plan: F64, size: F64, headings: F64) -> F64:
    share = _shares(plan, size, headings)
    return np.asarray((10 * np.maximum(share - 1, 0) + 0.1 * np.abs(share - 1)).sum(axis=0) + share[0] * share[1])


def _shares(plan: F64, size: F64, headings: F64) -> F64:
    """(2,N) seen extents along and across each heading, as shares of the known ones."""
    out = np.empty((2, len(headings)))
    ways = np.stack([np.cos(headings), np.sin(headings)], -1)
    _masks.extents(np.ascontiguousarray(plan), ways, *_rank(len(plan)), out)
    return out / size[:2, None]
