"""The surfaces themselves through OpenGL (pyrender): the reference that splats are held against, and a renderer.

Every surface takes the lit colour of the Gaussians that lie nearest, so what differs from a splatted picture is
how a surface becomes pixels and not how it is lit. Depth and ids come from a pass without multisampling, at
the pixels' centres. The bytes are those of one OpenGL implementation: another may round differently.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from ctypes.util import find_library
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from synth4d.errors import RenderError
from synth4d.geometry import apply_pose, pose_matrix
from synth4d.render.bind import Authored
from synth4d.render.border import OPAQUE
from synth4d.render.clip import BACKGROUND, Stage
from synth4d.types import F32, F64, U8, U16, Body, CameraPath, Clip, Gaussians, Timeline, World

I64 = NDArray[np.int64]

EDGE_PX = 3.0
"""Longest edge of a triangle that is drawn, where the camera comes nearest: colours are given at vertices."""
SAMPLES = 3
"""Samples a pixel, each way; odd, so that the middle one is at the pixel's centre. OSMesa has no multisampling."""
_NEAR_M, _FAR_M = 0.05, 100.0
"""24 bits of depth between these resolve 0.02 mm at 4 m."""
_DROP_RINGS = 1
_GL_FROM_CV = np.diag([1.0, -1.0, -1.0, 1.0])


def render(world: World, timeline: Timeline, camera: CameraPath, *, rng: np.random.Generator, threads: int = 1) -> Clip:
    """The clip of a camera path. Raises RenderError without pyrender or OpenGL, and for bodies without a surface.

    Nothing is drawn by chance and OpenGL chooses its own threads: `rng` and `threads` are for other renderers.
    """
    if captured := [b.name for b in world.bodies if b.captured is not None]:
        raise RenderError(f"renderer mesh: body {captured[0]!r} is made of Gaussians alone; use --renderer splat")
    pyrender = _pyrender()
    drawer = _Drawer(pyrender, world, timeline, camera)
    try:
        rgb, depth, ids = (np.stack(part) for part in zip(*drawer.frames(), strict=True))
    finally:
        drawer.target.delete()
    return Clip(rgb, depth, ids, camera)


class _Drawer:
    """The scene as OpenGL holds it, and what changes from frame to frame."""

    def __init__(self, pyrender: Any, world: World, timeline: Timeline, camera: CameraPath) -> None:
        self.pr, self.timeline, self.camera = pyrender, timeline, camera
        self.stage = Stage(world, timeline, camera)
        first = self.stage.gaussians(0)
        eyes, edge = camera.T_world_cam[:, :3, 3], EDGE_PX / float(camera.K[0, 0])
        self.skins: list[_Skin] = []
        for i, body in enumerate(world.bodies):
            self.skins += _skins(i, body, timeline.poses[0, i], self.stage.authored, first.means, eyes, edge)
        self.scene = _ordered(pyrender)(bg_color=[*BACKGROUND, 1.0])
        fx, fy, cx, cy = (SAMPLES * float(v) for v in camera.K[[0, 1, 0, 1], [0, 1, 2, 2]])
        lens = pyrender.IntrinsicsCamera(fx, fy, cx, cy, znear=_NEAR_M, zfar=_FAR_M)
        self.eye = self.scene.add(lens)
        self.fluid: Any = None
        try:
            self.target = pyrender.OffscreenRenderer(SAMPLES * camera.width, SAMPLES * camera.height)
        except Exception as e:  # pyrender's platforms raise whatever OpenGL, EGL or OSMesa gives them
            raise RenderError(f"renderer mesh: no OpenGL context ({_short(e)}); {_PACKAGES}") from None

    def frames(self) -> Iterator[tuple[U8, F32, U16]]:
        """Colour, depth and ids of every frame."""
        flags, middle = self.pr.RenderFlags, slice(SAMPLES // 2, None, SAMPLES)
        for frame, T_world_cam in enumerate(self.camera.T_world_cam):
            self.scene.set_pose(self.eye, (T_world_cam[:, :, None] * _GL_FROM_CV[None]).sum(1))
            code = {node: (id & 255, id >> 8, 1) for node, id in self._set(frame).items()}
            fine, _ = self.target.render(self.scene, flags.FLAT)
            # What is not in the map is not drawn: glass hides nothing.
            seg, depth = (a[middle, middle] for a in self.target.render(self.scene, flags.SEG, code))
            hit = (seg[..., 2] == 1) & (depth > 0)
            ids = seg[..., 0].astype(np.uint16) | seg[..., 1].astype(np.uint16) << 8
            h, w = hit.shape
            rgb = fine.reshape(h, SAMPLES, w, SAMPLES, 3).astype(np.uint16).sum((1, 3), dtype=np.uint16)
            mean = ((rgb + SAMPLES**2 // 2) // SAMPLES**2).astype(np.uint8)
            yield mean, np.where(hit, depth, 0).astype(np.float32), np.where(hit, ids, 0).astype(np.uint16)

    def _set(self, frame: int) -> dict[Any, int]:
        """Bring every node to a frame; gives the opaque ones and their ids."""
        g, solid = self.stage.gaussians(frame), dict[Any, int]()
        for number, skin in enumerate(self.skins):
            skin.colour(self.pr, self.scene, g.colours, f"{number:05d}")
            self.scene.set_pose(skin.node, pose_matrix(self.timeline.poses[frame, skin.body]))
            if skin.opacity >= OPAQUE:
                solid[skin.node] = skin.id
        if self.fluid is not None:
            self.scene.remove_node(self.fluid)
        drops = self._drops(g, frame)
        self.fluid = None if drops is None else self.scene.add(drops, name="liquid")
        if self.fluid is not None:
            solid[self.fluid] = int(self.timeline.particle_id[0])
        return solid

    def _drops(self, g: Gaussians, frame: int) -> Any:
        """Every particle of liquid as a small ball."""
        at = self.timeline.particles[frame]
        at = at[np.isfinite(at[:, 0])]
        if not len(at):
            return None
        liquid = np.flatnonzero(g.ids == self.timeline.particle_id[0])
        ball = self._ball(self.timeline.particle_radius_m)
        poses = np.tile(np.eye(4), (len(at), 1, 1))
        poses[:, :3, 3] = at
        colour = np.tile([*g.colours[liquid].mean(0), 1.0], (len(ball[0]), 1))
        part = self.pr.Primitive(
            positions=ball[0], indices=ball[1], color_0=colour, poses=poses, material=_plain(self.pr)
        )
        return self.pr.Mesh([part])

    def _ball(self, radius: float) -> tuple[F64, I64]:
        import trimesh

        ball = trimesh.creation.icosphere(subdivisions=_DROP_RINGS, radius=radius)
        return np.asarray(ball.vertices), np.asarray(ball.faces)


class _Skin:
    """A surface of a body, cut into triangles small enough to be coloured at their corners."""

    def __init__(self, body: int, id: int, opacity: float, vertices: F64, faces: I64, gaussian: I64) -> None:
        self.body, self.id, self.opacity = body, id, opacity
        self._vertices, self._faces, self._gaussian = vertices, faces, gaussian
        self._colours: F32 | None = None
        self.node: Any = None

    def colour(self, pyrender: Any, scene: Any, colours: F32, name: str) -> None:
        """Put the mesh into a scene with these colours of all Gaussians, unless it is there with them."""
        mine = colours[self._gaussian]
        if self._colours is not None and np.array_equal(mine, self._colours):
            return
        if self.node is not None:
            scene.remove_node(self.node)
        self._colours = mine
        rgba = np.concatenate([mine, np.full((len(mine), 1), np.float32(self.opacity))], 1)
        material = _plain(pyrender, clear=self.opacity < 1)
        part = pyrender.Primitive(positions=self._vertices, indices=self._faces, color_0=rgba, material=material)
        self.node = scene.add(pyrender.Mesh([part]), name=name)


def _skins(index: int, body: Body, pose: F64, authored: Authored, means: F32, eyes: F64, edge: float) -> list[_Skin]:
    """The surfaces of a body; `edge` is their longest edge a metre of distance."""
    import trimesh

    skins = []
    for surface in (s for s in body.surfaces if len(s.faces)):
        same = [k for k, s in enumerate(authored.skins) if s.body == index and s.material == surface.material]
        mine = np.flatnonzero(np.isin(authored.skin, same))
        if not len(mine):
            continue  # no camera of the path sees it
        corners = apply_pose(pose, np.asarray(surface.vertices, float))
        low, high = corners.min(0), corners.max(0)
        away = np.sqrt(np.sum(np.maximum(np.maximum(low - eyes, eyes - high), 0) ** 2, 1)).min()
        size = edge * max(float(away), 0.3)
        vertices, faces = trimesh.remesh.subdivide_to_size(surface.vertices, surface.faces, size, max_iter=12)  # type: ignore[no-untyped-call]
        if surface.two_sided:
            faces = np.concatenate([faces, faces[:, ::-1]])
        # Where there is no Gaussian so near, nothing is seen and any colour will do.
        _, near = cKDTree(means[mine]).query(apply_pose(pose, vertices), distance_upper_bound=4 * size)
        skins.append(_Skin(index, body.id, surface.material.opacity, vertices, faces, mine[near % len(mine)]))
    return skins


def _ordered(pyrender: Any) -> Any:
    """A scene with its nodes in order: pyrender's own keeps a set, and the first of two surfaces in one plane wins."""

    class Scene(pyrender.Scene):  # type: ignore[misc]
        @property
        def mesh_nodes(self) -> list[Any]:
            return sorted(super().mesh_nodes, key=lambda node: str(node.name))

    return Scene


def _plain(pyrender: Any, *, clear: bool = False) -> Any:
    # One-sided all: pyrender's pass for ids does not look at the flag, it culls as the pass before it did.
    return pyrender.MetallicRoughnessMaterial(
        baseColorFactor=[1.0] * 4, doubleSided=False, alphaMode="BLEND" if clear else "OPAQUE"
    )


# ---- OpenGL --------------------------------------------------------------------------------------

_PACKAGES = "install OSMesa or EGL (Debian, Ubuntu: apt install libosmesa6 libegl1 libgl1)"


def why_not() -> str | None:
    """Why `--renderer mesh` can't be used here; None where it can."""
    try:
        _pyrender()
    except RenderError as problem:
        return str(problem).removeprefix("renderer mesh: ")
    return None


def _pyrender() -> Any:
    """The package, bound to a way to draw without a window: PYOPENGL_PLATFORM, else the first that is there."""
    try:
        version = tuple(int(n) for n in metadata.version("PyOpenGL").split(".")[:3])
        if "PYOPENGL_PLATFORM" not in os.environ:
            os.environ["PYOPENGL_PLATFORM"] = _platform(version)
        import pyrender
    except (ImportError, metadata.PackageNotFoundError) as e:
        raise RenderError(
            f"renderer mesh: pyrender can't be imported ({_short(e)}); pip install 'synth4d[mesh]', and {_PACKAGES}"
        ) from None
    return pyrender


def _platform(version: tuple[int, ...]) -> str:
    """EGL where there is a GPU; else OSMesa, 1.7× as fast as EGL in software, for which PyOpenGL 3.1.7 is needed."""
    gpu = any(Path(p).exists() for p in ("/dev/dri", "/dev/nvidia0"))
    found = {"egl": find_library("EGL"), "osmesa": find_library("OSMesa") if version >= (3, 1, 7) else None}
    for name in ("egl", "osmesa") if gpu else ("osmesa", "egl"):
        if found[name]:
            return name
    raise RenderError(f"renderer mesh: neither EGL nor OSMesa was found; {_PACKAGES}")


def _short(e: BaseException) -> str:
    return " ".join(str(e).split())[:160] or type(e).__name__
