"""The 3D points that a clip shows of each object: a sample of its pixels, lifted by depth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from synth4d.annotate import _masks
from synth4d.annotate.visible import outline, ranks
from synth4d.types import F64, Clip

I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]
INNER, OUTLINE = 140, 100
"""At most so many points of an object's inside and of its outline a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Points of one object, ordered by frame. All arrays (M,)."""

    frame: I64
    x: I64
    y: I64
    depth: F64
    world: F64
    """(M,3)"""
    slope: F64
    """Largest step in depth to a neighbouring pixel of the same object, metres."""
    border: Bools
    """It has a neighbour that is something else, or the frame's edge."""
    cut: Bools
    """That neighbour stands before it, or is the frame's edge: the object goes on unseen."""
    met: Bools
    """Above it in the picture is something that may stand on it, or that it ends at: it may go on unseen."""
    by: I64
    """Id of the neighbour that stands before it; -1 where it is not cut by a thing."""

    def __len__(self) -> int:
        return len(self.frame)

    def pick(self, which: NDArray[np.int64] | slice) -> Points:
        return Points(*(getattr(self, name)[which] for name in self.__slots__))

    def within(self, first: int, last: int) -> Points:
        """The points of frames first..last."""
        a, b = np.searchsorted(self.frame, [first, last + 1])
        return self.pick(slice(a, b))

    def thinned(self, most: int) -> Points:
        return self if len(self) <= most else self.pick(np.linspace(0, len(self) - 1, most).astype(np.int64))


def clouds(clip: Clip, table: list[int]) -> list[Points]:
    """One Points for each id of `table`."""
    frame, obj, flat = _sample(clip, table)
    y, x = np.divmod(flat, clip.ids.shape[2])
    depth = clip.depth_z_m[frame, y, x].astype(float)
    slope, border, cut, met, smooth, by = _edges(clip, frame, x, y, depth)
    keep = smooth & (depth > 0)
    frame, obj, x, y, depth = frame[keep], obj[keep], x[keep], y[keep], depth[keep]
    world = lift(clip, frame, x, y, depth)
    whole = Points(frame, x, y, depth, world, slope[keep], border[keep], cut[keep], met[keep], by[keep])
    order = np.argsort(obj, kind="stable")
    ends = np.searchsorted(obj[order], np.arange(len(table) + 1))
    ordered = whole.pick(order)
    return [ordered.pick(slice(a, b)) for a, b in pairwise(ends)]


def lift(clip: Clip, frame: I64, x: I64, y: I64, depth: F64) -> F64:
    """World points (M,3) of pixels with z-depth."""
    K, T = clip.camera.K, clip.camera.T_world_cam
    u, v = (x + 0.5 - K[0, 2]) / K[0, 0] * depth, (y + 0.5 - K[1, 2]) / K[1, 1] * depth
    out = np.empty((len(frame), 3))
    for i in range(3):  # an axis after the other: numpy is slow over a last axis of three
        a, b, c, d = T[:, i].T[:, frame]
        out[:, i] = u * a + v * b + depth * c + d
    return out


def pixel_m(clip: Clip, depth: F64) -> F64:
    """What one pixel spans at a depth, metres."""
    return np.asarray(depth / clip.camera.K[0, 0])


def _sample(clip: Clip, table: list[int]) -> tuple[I64, I64, I64]:
    """Frame, position in `table` and flat pixel of the sampled pixels, ordered by frame and object."""
    ids = np.ascontiguousarray(clip.ids)
    rows = _masks.sample(ids, outline(ids), ranks(table), len(table), INNER, OUTLINE)
    frame, obj, flat = np.ascontiguousarray(rows.T)
    return frame, obj, flat


def _edges(clip: Clip, frame: I64, x: I64, y: I64, depth: F64) -> tuple[F64, Bools, Bools, Bools, Bools, I64]:
    """slope, border, cut, met, by as in Points, the fifth whether the depth agrees with an own neighbour's."""
    H, W = clip.ids.shape[1:]
    here = (frame * H + y) * W + x
    ids, depths = clip.ids.ravel(), clip.depth_z_m.ravel()
    own = ids[here]
    before = np.maximum(0.02, 4 * pixel_m(clip, depth))
    slope, border, cut, met = np.zeros(len(x)), *np.zeros((3, len(x)), bool)
    nearest, tilt, by = np.full(len(x), np.inf), np.zeros(len(x)), np.full(len(x), -1)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        along, end = (x, W) if dx else (y, H)
        outside = along == (end - 1 if dx + dy > 0 else 0)
        beside = np.where(outside, here, here + dx + dy * W)
        other = ids[beside] != own
        z = depths[beside].astype(float)
        step = np.abs(z - depth)
        border |= other | outside
        before_it = other & (z > 0) & (z < depth - before)
        cut |= outside | before_it
        by = np.where(before_it, ids[beside], by)
        if dy == 1:
            tilt = np.where(other | outside, 0.0, depth - z)
        elif dy == -1:
            # Nearer than the object would be there if it went on.
            met = other & (z > 0) & (tilt > 0.006) & (z < depth + 0.5 * tilt)
        slope = np.where(other | outside, slope, np.maximum(slope, step))
        nearest = np.where(other | outside, nearest, np.minimum(nearest, step))
    return slope, border, cut, met & ~cut, nearest < np.maximum(0.015, 3 * pixel_m(clip, depth)), by
