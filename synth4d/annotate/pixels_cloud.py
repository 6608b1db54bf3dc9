"""The 3D points that a clip shows of each object: a sample of its pixels, lifted by depth."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from synth4d.annotate import _masks
from synth4d.annotate.visible import ranks
from synth4d.types import F64, U16, Clip

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

    @property
    def frames(self) -> I64:
        """The frames that show some, in order; numpy's `unique` takes five times as long."""
        return np.flatnonzero(np.bincount(self.frame))

    def pick(self, which: NDArray[np.int64] | slice) -> Points:
        return Points(*[column[which] for column in _columns(self)])

    def rows(self, first: int, last: int) -> slice:
        """Where the points of frames first..last are."""
        return slice(*self.frame.searchsorted((first, last + 1)).tolist())

    def within(self, first: int, last: int) -> Points:
        """The points of frames first..last."""
        return self.pick(self.rows(first, last))

    def at(self, frame: int) -> F64:
        """World points (M,3) of a frame."""
        return self.world[self.rows(frame, frame)]

    def thinned(self, most: int) -> Points:
        return self if len(self) <= most else self.pick(np.linspace(0, len(self) - 1, most).astype(np.int64))


_columns = attrgetter(*Points.__slots__)


def clouds(clip: Clip, table: list[int]) -> list[Points]:
    """One Points for each id of `table`."""
    ids, depth = np.ascontiguousarray(clip.ids), np.ascontiguousarray(clip.depth_z_m)
    K, T = clip.camera.K, np.ascontiguousarray(clip.camera.T_world_cam)
    lens = np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]])
    rows = _sample(ids, table)
    frame, x, y, z, world, slope, border, cut, met, by, filled = _masks.points(ids, depth, rows, len(table), lens, T)
    whole = Points(frame, x, y, z, world, slope, border.view(bool), cut.view(bool), met.view(bool), by)
    return [whole.pick(slice(a, b)) for a, b in filled.tolist()]


def lift(clip: Clip, frame: int, x: I64, y: I64, depth: F64) -> F64:
    """World points (M,3) of pixels of a frame with z-depth."""
    K, T = clip.camera.K, clip.camera.T_world_cam[frame]
    u, v = (x + 0.5 - K[0, 2]) / K[0, 0] * depth, (y + 0.5 - K[1, 2]) / K[1, 1] * depth
    out = np.empty((len(x), 3))
    for i, (a, b, c, d) in enumerate(T[:3].tolist()):  # numpy is slow over a last axis of three
        out[:, i] = u * a + v * b + depth * c + d
    return out


def _sample(ids: U16, table: list[int]) -> I64:
    """Frame, position in `table` and flat pixel (M,3) of the sampled pixels, ordered by frame and object."""
    return _masks.sample(ids, ranks(table), len(table), INNER, OUTLINE)
