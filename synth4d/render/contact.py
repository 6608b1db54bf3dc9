"""Where props stand among captured Gaussians, which are not lit anew, the light that they take away from below.

A prop is a few spheres; a sphere of radius r at distance D, seen at an angle θ to the normal, hides cos θ · (r/D)² of
the sky (Howell, A Catalog of Radiation Heat Transfer Configuration Factors, B-41). Lamps' own shadows are left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose, rotmat
from synth4d.types import F32, F64, Body, Gaussians, Timeline, World

SKY = 0.6
"""Share of the captured light taken to come from all around."""
REACH = 7.0
"""Radii at which a sphere hides less than 2 %."""
LINED = 4
"""Spheres along a side at most."""


class Contact:
    """How much of its light each captured Gaussian keeps at a frame."""

    def __init__(self, world: World, timeline: Timeline) -> None:
        self._timeline = timeline
        props = [i for i, b in enumerate(world.bodies) if b.role == "prop" and b.captured is None and b.surfaces]
        self._spheres = {i: spheres(world.bodies[i]) for i in props}
        self._near: dict[int, NDArray[np.int64]] = {}
        self._means: F64 = np.zeros((0, 3))
        self._normals: F64 = np.zeros((0, 3))
        self._hidden: dict[int, tuple[F64, F32]] = {}

    def take(self, g: Gaussians, moving: NDArray[np.int64]) -> None:
        """The captured Gaussians at the first frame; the rows `moving` may be anywhere later."""
        self._means = g.means.astype(float)
        thin = np.argmin(g.scales, 1)[:, None, None]
        self._normals = np.take_along_axis(rotmat(g.quats_wxyz.astype(float)), thin, 2)[:, :, 0]
        for i, (_, radii) in self._spheres.items():
            way = self._timeline.poses[:, i, :3]
            reach = REACH * radii[0] + float(np.abs(self._spheres[i][0]).max(initial=0))
            near = ((self._means > way.min(0) - reach) & (self._means < way.max(0) + reach)).all(1)
            near[moving] = True
            self._near[i] = np.flatnonzero(near)

    def move(self, rows: slice, g: Gaussians) -> None:
        """Gaussians that were moved."""
        self._means[rows] = g.means
        thin = np.argmin(g.scales, 1)[:, None, None]
        self._normals[rows] = np.take_along_axis(rotmat(g.quats_wxyz.astype(float)), thin, 2)[:, :, 0]
        self._hidden.clear()

    def kept(self, frame: int) -> F32:
        """(N,) share of its light that each keeps."""
        hidden = np.zeros(len(self._means), np.float32)
        for i, rows in self._near.items():
            pose = self._timeline.poses[frame, i]
            known = self._hidden.get(i)
            if known is None or (known[0] != pose).any():
                known = self._hidden[i] = pose, self._hide(i, pose, rows)
            hidden[rows] += known[1]
        return np.float32(1) - np.float32(SKY) * np.minimum(hidden, np.float32(1))

    def _hide(self, i: int, pose: F64, rows: NDArray[np.int64]) -> F32:
        points, normals = self._means[rows], self._normals[rows]
        out = np.zeros(len(rows))
        centres, radii = self._spheres[i]
        for centre, r in zip(apply_pose(pose, centres), radii, strict=True):
            way = centre - points
            square = np.maximum(way[:, 0] ** 2 + way[:, 1] ** 2 + way[:, 2] ** 2, r * r)
            # A Gaussian has no front: whichever side is lit, it is the one towards the prop that is darkened.
            along = np.abs(way[:, 0] * normals[:, 0] + way[:, 1] * normals[:, 1] + way[:, 2] * normals[:, 2])
            out += along * r * r / (square * np.sqrt(square))
        return np.minimum(out, 1).astype(np.float32)


def spheres(body: Body) -> tuple[F64, F64]:
    """(K,3) centres in the body's frame and (K,) radii that fill its box."""
    size = np.array(body.box_size)
    count = np.clip(np.round(size / size.min()), 1, LINED).astype(int)
    steps = [(np.arange(n) + 0.5) / n - 0.5 for n in count]
    grid = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
    radius = float(np.prod(size / count) ** (1 / 3)) / 2
    return grid * size + np.array(body.box_center), np.full(len(grid), radius)
