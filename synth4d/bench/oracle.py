"""The posed meshes ray cast by open3d: an implementation that shares nothing with the renderers.

A surface is seen from its front alone, unless it is two-sided: rays go on through the back of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SynthError
from synth4d.geometry import apply_pose
from synth4d.types import F32, F64, U16, Body, CameraPath, Timeline, World

OPAQUE = 0.5
"""Surfaces less opaque than this are seen through, by the splats' median depth too."""
_STEP_M = 1e-4
"""How far behind a back that was met a ray goes on."""
I64 = NDArray[np.int64]


class Oracle:
    """The world at one frame, seen by that frame's camera. Liquids have no mesh and are not cast."""

    def __init__(self, world: World, timeline: Timeline, camera: CameraPath, frame: int) -> None:
        self._o3d = _open3d()
        self.camera, self._T = camera, camera.T_world_cam[frame]
        self._meshes = [
            (body.id, mesh)
            for body, pose in zip(world.bodies, timeline.poses[frame], strict=True)
            if (mesh := _mesh(body, pose)) is not None
        ]

    def picture(self) -> tuple[F32, U16]:
        """(H,W) z-depth in metres (0 = nothing) and ids at the pixel centres."""
        scene = self._scene([mesh for _, mesh in self._meshes])
        ids = np.array([*(id for id, _ in self._meshes), 0], np.uint16)
        rows, columns = np.mgrid[0 : self.camera.height, 0 : self.camera.width]
        depth, body = self._cast(scene, columns.ravel(), rows.ravel())
        shape = rows.shape
        return depth.reshape(shape), ids[np.minimum(body, len(self._meshes))].reshape(shape)

    def amodal(self, id: int, box: F64) -> tuple[I64, I64]:
        """Columns and rows of the pixels, inside a 2D box, that a body would cover if it stood alone."""
        low, high = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
        rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
        mine = [mesh for owner, mesh in self._meshes if owner == id]
        if not mine or not rows.size:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        depth, _ = self._cast(self._scene(mine), columns.ravel(), rows.ravel())
        return columns.ravel()[depth > 0], rows.ravel()[depth > 0]

    def _scene(self, meshes: list[tuple[F32, NDArray[np.uint32]]]) -> Any:
        scene = self._o3d.t.geometry.RaycastingScene(nthreads=0)
        for vertices, faces in meshes:
            scene.add_triangles(self._o3d.core.Tensor(vertices), self._o3d.core.Tensor(faces))
        return scene

    def _cast(self, scene: Any, columns: I64, rows: I64) -> tuple[F32, I64]:
        """Depth (0 = miss) and the number of the mesh met, along rays of depth 1."""
        K, T = self.camera.K, self._T
        x, y = (columns + 0.5 - K[0, 2]) / K[0, 0], (rows + 0.5 - K[1, 2]) / K[1, 1]
        ways = x[:, None] * T[:3, 0] + y[:, None] * T[:3, 1] + T[:3, 2]
        rays = np.concatenate([np.broadcast_to(T[:3, 3], ways.shape), ways], 1).astype(np.float32)
        depth, body = np.zeros(len(rays), np.float32), np.full(len(rays), 1 << 30, np.int64)
        left, start = np.arange(len(rays)), np.zeros(len(rays), np.float32)
        while len(left):
            found = scene.cast_rays(self._o3d.core.Tensor(rays[left]))
            t = start[left] + found["t_hit"].numpy()
            normals, ids = found["primitive_normals"].numpy(), found["geometry_ids"].numpy()
            hit = np.isfinite(t)
            behind = hit & ((normals * rays[left, 3:]).sum(1) > 0)
            done = hit & ~behind
            depth[left[done]], body[left[done]] = t[done], ids[done]
            left, t = left[behind], t[behind] + np.float32(_STEP_M)
            start[left] = t
            rays[left, :3] = self._T[:3, 3] + ways[left] * t[:, None]
        return depth, body


def _mesh(body: Body, pose: F64) -> tuple[F32, NDArray[np.uint32]] | None:
    solid = [s for s in body.surfaces if len(s.faces) and s.material.opacity >= OPAQUE]
    if not solid or body.role == "liquid":
        return None
    start = np.cumsum([0] + [len(s.vertices) for s in solid[:-1]])
    vertices = apply_pose(pose, np.concatenate([np.asarray(s.vertices, float) for s in solid]))
    sides = [np.concatenate([s.faces, s.faces[:, ::-1]]) if s.two_sided else s.faces for s in solid]
    faces = np.concatenate([f.astype(np.int64) + k for f, k in zip(sides, start, strict=True)])
    return vertices.astype(np.float32), faces.astype(np.uint32)


def _open3d() -> Any:
    try:
        import open3d
    except (ImportError, OSError) as e:
        raise SynthError(
            f"the truth is cast by open3d, which can't be imported ({' '.join(str(e).split())[:160]}); "
            "pip install 'synth4d[mesh]' (Debian, Ubuntu: apt install libgl1 libgomp1 libusb-1.0-0)"
        ) from None
    return open3d
