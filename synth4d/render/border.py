"""Where one thing ends and another begins: decided by rays against the posed meshes, not by splats.

A splat is wider than the surface it covers, so the ids of splats come out about half a pixel fat, and what shows as a
sliver may be lost or doubled. Labels have to be exact: at borders a pixel's depth and id are those of what the ray
through its centre meets first. Colours stay the splats'.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from synth4d.geometry import invert_pose, pose_matrix
from synth4d.rays import Solid, settle
from synth4d.render.placed import placed
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
        self._solids: list[Solid] = []
        if any(b.captured is not None for b in world.bodies):
            return
        meshed = [i for i in seen if world.bodies[i].role != "liquid"]
        self._certain[[0, *(world.bodies[i].id for i in meshed)]] = True
        self._certain[[world.bodies[i].id for i in meshed if not _opaque(world.bodies[i])]] = False
        moves = moving(timeline)
        still, carried = ([i for i in meshed if moves[i] == moved] for moved in (False, True))
        self._solids = [_solid(world.bodies, still, timeline.poses[0]), *(_solid(world.bodies, [i]) for i in carried)]
        into = pose_matrix(invert_pose(timeline.poses[:, carried]))[..., :3, :]
        here = np.broadcast_to(np.eye(4)[:3], (len(into), 1, 3, 4))
        self._motions = np.concatenate([here, into], 1).astype(np.float32)
        """(T,M,3,4) that lead to the solids' frames"""

    def settle(self, frame: int, depth_z_m: F32, ids: U16) -> None:
        """Make a picture (H,W) of a frame exact at the borders between things, in place."""
        if self._solids:
            camera = self._camera
            settle(
                self._solids, self._motions[frame], camera.K, camera.T_world_cam[frame], self._certain, depth_z_m, ids
            )


def _opaque(body: Body) -> bool:
    return all(s.material.opacity >= OPAQUE for s in body.surfaces)


def _solid(bodies: Sequence[Body], which: list[int], poses: F64 | None = None) -> Solid:
    """What hides something of some bodies, in its own frame or where it stands."""
    shown = [
        (i, s) for i in which for s in bodies[i].surfaces if s.drawn and len(s.faces) and s.material.opacity >= OPAQUE
    ]
    counts = [len(s.faces) for _, s in shown]
    owner = np.repeat(np.array([bodies[i].id for i, _ in shown], np.uint16), counts)
    return Solid(placed(shown, poses), owner, np.repeat(np.array([s.two_sided for _, s in shown], bool), counts))
