"""A frame by ray casting the posed meshes: an independent picture of depth and ids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import apply_pose
from synth4d.rays import RayScene
from synth4d.types import F32, F64, U16, CameraPath, Timeline, World

OPAQUE = 0.5
"""Surfaces less opaque than this are seen through, by the splats' median depth too."""


def frame(world: World, timeline: Timeline, camera: CameraPath, f: int) -> tuple[F32, U16]:
    """(H,W) z-depth in metres (0 = nothing) and ids of one frame."""
    corners, owner = _triangles(world, timeline.poses[f])
    T, (h, w) = camera.T_world_cam[f], (camera.height, camera.width)
    ways = directions(camera)
    world_ways = ways[:, 0:1] * T[:3, 0] + ways[:, 1:2] * T[:3, 1] + ways[:, 2:3] * T[:3, 2]
    origins = np.broadcast_to(T[:3, 3], world_ways.shape)
    hit, distance = RayScene(corners).first(origins, world_ways)
    depth = np.where(hit >= 0, distance * ways[:, 2], 0).astype(np.float32)
    ids = np.where(hit >= 0, owner[np.maximum(hit, 0)], 0).astype(np.uint16)
    return depth.reshape(h, w), ids.reshape(h, w)


def directions(camera: CameraPath) -> F64:
    """(H·W,3) unit directions through the pixel centres, camera axes."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width] + 0.5
    ways = np.stack([(u - camera.K[0, 2]) / camera.K[0, 0], (v - camera.K[1, 2]) / camera.K[1, 1], np.ones_like(u)], 2)
    ways = ways.reshape(-1, 3)
    return ways / np.sqrt(np.sum(ways * ways, 1, keepdims=True))


def _triangles(world: World, poses: F64) -> tuple[F32, NDArray[np.int32]]:
    parts, owner = [], []
    for body, pose in zip(world.bodies, poses, strict=True):
        for s in body.surfaces:
            if len(s.faces) and s.material.opacity >= OPAQUE:
                parts.append(apply_pose(pose, np.asarray(s.vertices))[s.faces].astype(np.float32))
                owner.append(np.full(len(s.faces), body.id, np.int32))
    return np.concatenate(parts), np.concatenate(owner)
