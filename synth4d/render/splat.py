"""3D Gaussians to pictures on the CPU: EWA splatting as in 3DGS and gsplat's classic mode.

The work is done by `_kernel` (C++). The same Gaussians, camera and size give the same bits for any number
of threads and on any processor: each build of the kernel runs the same IEEE operations per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synth4d.errors import RenderError
from synth4d.geometry import rigid_inverse
from synth4d.render import _kernel
from synth4d.types import F32, U16, Gaussians

BUILDS: tuple[str, ...] = tuple(_kernel.builds())
"""Builds of the kernel this processor can run (`avx512`, `avx2`, `generic`), best first."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One frame as the rasteriser sees it; linear in the Gaussians' colours, over black."""

    rgb: F32
    """(H,W,3) sum of weight × colour, not divided by alpha."""
    depth_z_m: F32
    """(H,W) median depth: z of the Gaussian at which transmittance falls to one half; 0 = none."""
    depth_expected_m: F32
    """(H,W) weighted mean of the centres' z; 0 where alpha is 0."""
    alpha: F32
    """(H,W) 0..1"""
    ids: U16
    """(H,W) id of the Gaussian of the median depth; 0 where alpha is below one half."""

    @classmethod
    def empty(cls, width: int, height: int) -> Picture:
        """Uninitialised memory to render into."""
        depth, expected, alpha = (np.empty((height, width), np.float32) for _ in range(3))
        rgb, ids = np.empty((height, width, 3), np.float32), np.empty((height, width), np.uint16)
        return cls(rgb, depth, expected, alpha, ids)


class Rasteriser:
    """Holds Gaussians and buffers between frames. Not for use by two threads at once.

    Frames in parallel (one Rasteriser a process) beat threads within a frame by 1.6×, so one thread is the
    default.
    """

    def __init__(self, *, threads: int = 1, isa: str = "auto") -> None:
        if isa != "auto" and isa not in BUILDS:
            choices = ", ".join(("auto", *BUILDS))
            raise RenderError(f"splat kernel: no build {isa!r} on this processor; choose one of {choices}")
        if not 1 <= threads <= 256:
            raise RenderError(f"splat kernel: threads must be 1..256, got {threads}")
        self._kernel = _kernel.Rasteriser(threads, isa)
        self._count = 0

    @property
    def isa(self) -> str:
        """The build in use."""
        return str(self._kernel.isa)

    @property
    def count(self) -> int:
        """Number of Gaussians loaded."""
        return self._count

    def load(self, gaussians: Gaussians) -> None:
        """Take a copy of all Gaussians and compute their covariances."""
        g, n = gaussians, len(gaussians.means)
        if n == 0:
            raise RenderError("gaussians: there are none to render")
        means = _floats("gaussians.means", g.means, (n, 3))
        quats = _quats("gaussians.quats_wxyz", g.quats_wxyz, n)
        scales = _floats("gaussians.scales", g.scales, (n, 3), low=0.0)
        opacities = _floats("gaussians.opacities", g.opacities, (n,), low=0.0, high=1.0)
        colours = _floats("gaussians.colours", g.colours, (n, 3))
        ids = np.asarray(g.ids)
        if ids.shape != (n,) or ids.dtype != np.uint16:
            raise RenderError(f"gaussians.ids: need shape ({n},) uint16, got {ids.shape} {ids.dtype}")
        self._kernel.load(means, quats, scales, opacities, colours, np.ascontiguousarray(ids))
        self._count = n

    def update(self, rows: NDArray[np.intp], means: F32, quats_wxyz: F32) -> None:
        """Move the Gaussians at `rows` (R,) to means (R,3) and quats_wxyz (R,4); scales stay."""
        which = np.ascontiguousarray(rows, np.int64)
        if which.ndim != 1 or (which.size and not 0 <= which.min() <= which.max() < self._count):
            raise RenderError(f"rows: need a list of indices below {self._count}, got shape {which.shape}")
        n = len(which)
        self._kernel.update(which, _floats("means", means, (n, 3)), _quats("quats_wxyz", quats_wxyz, n))

    def recolour(self, colours: F32) -> None:
        """Replace the colours (N,3) of all Gaussians."""
        self._kernel.recolour(_floats("colours", colours, (self._count, 3)))

    def render(
        self, K: ArrayLike, T_world_cam: ArrayLike, width: int, height: int, *, out: Picture | None = None
    ) -> Picture:
        """The picture of a pinhole camera K (3,3) at T_world_cam (4,4). `out` of an earlier frame of the same
        size is overwritten and returned: it spares the first touch of 7 MB of new memory at 512×512."""
        if self._count == 0:
            raise RenderError("splat kernel: no Gaussians loaded; call load() first")
        if not (1 <= width <= _kernel.MAX_SIDE and 1 <= height <= _kernel.MAX_SIDE):
            raise RenderError(f"picture: sides must be 1..{_kernel.MAX_SIDE} pixels, got {width}x{height}")
        fx, fy, cx, cy = pinhole(K)
        view = np.ascontiguousarray(rigid_inverse(pose(T_world_cam))[:3], np.float32)
        picture = out if out is not None else Picture.empty(width, height)
        if picture.rgb.shape != (height, width, 3):
            raise RenderError(f"out: need a picture of {width}x{height}, got {picture.rgb.shape[1::-1]}")
        p = picture
        self._kernel.render(view, fx, fy, cx, cy, p.rgb, p.depth_z_m, p.depth_expected_m, p.alpha, p.ids)
        return picture


def pinhole(K: ArrayLike) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy of a camera matrix without skew."""
    K = np.asarray(K, float)
    if K.shape != (3, 3) or not np.isfinite(K).all():
        raise RenderError(f"K: need a finite (3,3) matrix, got shape {K.shape}")
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[0, 1] != 0 or K[1, 0] != 0 or tuple(K[2]) != (0, 0, 1):
        raise RenderError(f"K: need [[fx,0,cx],[0,fy,cy],[0,0,1]] with fx, fy > 0, got {K.tolist()}")
    return float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])


def pose(T_world_cam: ArrayLike) -> NDArray[np.float64]:
    """A checked rigid transform (4,4)."""
    T = np.asarray(T_world_cam, float)
    if T.shape != (4, 4) or not np.isfinite(T).all():
        raise RenderError(f"T_world_cam: need a finite (4,4) matrix, got shape {T.shape}")
    R = T[:3, :3]
    if np.abs((R[:, :, None] * R[:, None, :]).sum(0) - np.eye(3)).max() > 1e-4 or np.linalg.det(R) < 0:
        raise RenderError("T_world_cam: the upper left 3x3 must be a rotation; remove scale and mirroring")
    return T


def _floats(name: str, value: ArrayLike, shape: tuple[int, ...], low: float = -np.inf, high: float = np.inf) -> F32:
    """A C-contiguous float32 copy or view of `value`, refused unless finite and within the bounds."""
    array = np.ascontiguousarray(value, np.float32)
    if array.shape != shape:
        raise RenderError(f"{name}: need shape {shape}, got {array.shape}")
    if array.size and not (np.isfinite(array).all() and array.min() >= low and array.max() <= high):
        good = np.isfinite(array) & (array >= low) & (array <= high)
        row = int(np.argmin(good.reshape(shape[0], -1).all(1)))
        raise RenderError(f"{name}: row {row} is {array[row].tolist()}; need finite values in {low}..{high}")
    return array


def _quats(name: str, value: ArrayLike, n: int) -> F32:
    array = _floats(name, value, (n, 4))
    nothing = np.abs(array).max(1) < 1e-12  # the squares of much less underflow in float32
    if nothing.any():
        raise RenderError(f"{name}: row {int(np.argmax(nothing))} is zero; need a direction")
    return array
