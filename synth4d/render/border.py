"""Where one thing ends and another begins: decided by rays against the posed meshes, not by splats.

A splat is wider than the surface it covers, so the ids of splats come out about half a pixel fat, and what shows as a
sliver may be lost or doubled. Labels have to be exact: at borders a pixel's depth and id are those of what the ray
through its centre meets first. Colours stay the splats'.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose, invert_pose, pose_matrix
from synth4d.rays import Solid, settle
from synth4d.render.view import moving
from synth4d.types import F32, F64, U16, Body, CameraPath, Timeline, World

OPAQUE = 0.5
"""Surfaces less opaque than this are seen through."""


class Borders:
    """The posed meshes of a clip. Liquids, things with a surface that is seen through, and worlds with captured bodies
    keep the splats' decision: what the splats show of them no mesh knows."""

    def __init__(self, world: World, timeline: Timeline, camera: CameraPath, seen: Collection[int]) -> None:
        """`seen`: indices of the bodies that some frame may show."""
        self._timeline, self._camera = timeline, camera
        self._certain = np.zeros(65536, bool)
        self._solids: list[tuple[Solid, int | None]] = []
        if any(b.captured is not None for b in world.bodies):
            return
        meshed = [i for i in seen if world.bodies[i].role != "liquid"]
        self._certain[[0, *(world.bodies[i].id for i in meshed)]] = True
        self._certain[[world.bodies[i].id for i in meshed if not _opaque(world.bodies[i])]] = False
        moves = moving(timeline)
        still = [_triangles(world.bodies[i], timeline.poses[0, i]) for i in meshed if not moves[i]]
        self._solids.append((_solid(still), None))
        self._solids += [(_solid([_triangles(world.bodies[i])]), i) for i in meshed if moves[i]]

    def settle(self, frame: int, depth_z_m: F32, ids: U16) -> None:
        """Make a picture (H,W) of a frame exact at the borders between things, in place."""
        if not self._solids:
            return
        into = pose_matrix(invert_pose(self._timeline.poses[frame]))[:, :3]
        placed = [(solid, np.eye(4)[:3] if i is None else into[i]) for solid, i in self._solids]
        camera = self._camera
        settle(placed, camera.K, camera.T_world_cam[frame], self._certain, depth_z_m, ids)


def _opaque(body: Body) -> bool:
    return all(s.material.opacity >= OPAQUE for s in body.surfaces)


Part = tuple[F32, U16, NDArray[np.bool_]]


def _triangles(body: Body, pose: F64 | None = None) -> Part:
    """Corners (F,3,3) of what hides something of a body, in its own frame or where it stands; its id, and whether both
    sides are seen."""
    shown = [s for s in body.surfaces if s.drawn and len(s.faces) and s.material.opacity >= OPAQUE]
    vertices = [np.asarray(s.vertices, float) if pose is None else apply_pose(pose, s.vertices) for s in shown]
    corners = [v.astype(np.float32)[s.faces] for v, s in zip(vertices, shown, strict=True)]
    both = [np.full(len(s.faces), s.two_sided) for s in shown]
    count = sum(len(c) for c in corners)
    return (
        np.concatenate([np.zeros((0, 3, 3), np.float32), *corners]),
        np.full(count, body.id, np.uint16),
        np.concatenate([np.zeros(0, bool), *both]),
    )


def _solid(parts: list[Part]) -> Solid:
    nothing = np.zeros((0, 3, 3), np.float32), np.zeros(0, np.uint16), np.zeros(0, bool)
    corners, owner, both = (np.concatenate(column) for column in zip(nothing, *parts, strict=True))
    return Solid(corners, owner, both)
