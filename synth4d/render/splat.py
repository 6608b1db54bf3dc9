"""3D Gaussians to pictures on the CPU: EWA splatting as in 3DGS and gsplat, in its classic and antialiased modes.

The work is done by `_kernel` (C++). The same Gaussians, camera and size give the same bits for any number
of threads and on any processor: each build of the kernel runs the same IEEE operations per pixel.
docs/rasteriser.md tells how it works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synth4d.errors import RenderError
from synth4d.geometry import rigid_inverse
from synth4d.render import _kernel
from synth4d.types import F32, U16, Gaussians

FARTHEST_M = 1e6
"""A mean lies within this of the origin: beyond, float32 is coarser than 6 cm."""
LARGEST_M = 1e4
"""A standard deviation is at most this."""
STRONGEST = 1e4
"""Colours and harmonics are at most this, either way."""
MAX_FOCAL = 1e6
"""A focal length is at most this, in pixels, and at least its inverse."""
_COEFFICIENTS = (0, 3, 8, 15)

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
    """(H,W) weighted mean of the centres' z; 0 where alpha is 0. (0,0): not asked for."""
    alpha: F32
    """(H,W) 0..1"""
    ids: U16
    """(H,W) id of the Gaussian of the median depth; 0 where alpha is below one half."""

    @classmethod
    def empty(cls, width: int, height: int, *, expected: bool = True) -> Picture:
        """Uninitialised memory to render into. A frame without the expected depth takes less time."""
        depth, alpha = (np.empty((height, width), np.float32) for _ in range(2))
        rgb, ids = np.empty((height, width, 3), np.float32), np.empty((height, width), np.uint16)
        return cls(rgb, depth, np.empty((height, width) if expected else (0, 0), np.float32), alpha, ids)


class Target(Protocol):
    """What holds Gaussians between frames: a Rasteriser, or cuda.Device."""

    def update(self, rows: NDArray[np.intp], means: F32, quats_wxyz: F32, sh: F32 | None = None) -> None: ...
    def recolour(self, colours: F32, rows: NDArray[np.intp] | None = None) -> None: ...


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
        self._count = self._terms = 0

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
        g = checked(gaussians)
        filtered = np.asarray(g.antialiased).view(np.uint8)
        self._kernel.load(g.means, g.quats_wxyz, g.scales, g.opacities, g.colours, g.ids, filtered, harmonics(g))
        self._count, self._terms = len(g.means), harmonics(g).shape[1]

    def update(self, rows: NDArray[np.intp], means: F32, quats_wxyz: F32, sh: F32 | None = None) -> None:
        """Move the Gaussians at `rows` (R,) to means (R,3) and quats_wxyz (R,4); scales stay.

        `sh` (R,K,3) replaces their harmonics, as turning a body does: those not given are 0. None: they stay.
        """
        which, n = self._rows(rows), len(rows)
        terms = np.zeros((n, 0 if sh is None else self._terms, 3), np.float32)
        if sh is not None:
            if np.ndim(sh) != 3 or np.shape(sh)[1] > self._terms:
                raise RenderError(f"sh: need shape ({n},K,3) with K up to {self._terms}, as loaded, got {np.shape(sh)}")
            terms[:, : sh.shape[1]] = _floats("sh", sh, (n, sh.shape[1], 3), -STRONGEST, STRONGEST)
        self._kernel.update(which, _means("means", means, n), _quats("quats_wxyz", quats_wxyz, n), terms)

    def recolour(self, colours: F32, rows: NDArray[np.intp] | None = None) -> None:
        """Replace the colours (N,3) of all Gaussians, or (R,3) of those at `rows` (R,)."""
        which = np.zeros(0, np.int64) if rows is None else self._rows(rows)
        n = self._count if rows is None else len(which)
        self._kernel.recolour(which, _floats("colours", colours, (n, 3), -STRONGEST, STRONGEST))

    def _rows(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        which = np.ascontiguousarray(rows, np.int64)
        if which.ndim != 1 or (which.size and not 0 <= which.min() <= which.max() < self._count):
            raise RenderError(f"rows: need a list of indices below {self._count}, got shape {which.shape}")
        return which

    def render(
        self,
        K: ArrayLike,
        T_world_cam: ArrayLike,
        width: int,
        height: int,
        *,
        covered: float = 1.0,
        out: Picture | None = None,
    ) -> Picture:
        """The picture of a pinhole camera K (3,3) at T_world_cam (4,4). `covered`, above one half, is the alpha from
        which a pixel sees nothing farther: the Gaussian that takes it there is its last. 1: 3DGS's rule, by which the
        last is the one before alpha would come to 0.9999. `out` of an earlier frame of the same size is overwritten
        and returned: it spares the first touch of 7 MB of new memory at 512×512."""
        if self._count == 0:
            raise RenderError("splat kernel: no Gaussians loaded; call load() first")
        if not (1 <= width <= _kernel.MAX_SIDE and 1 <= height <= _kernel.MAX_SIDE):
            raise RenderError(f"picture: sides must be 1..{_kernel.MAX_SIDE} pixels, got {width}x{height}")
        if not 0.5 < covered <= 1:
            raise RenderError(f"covered: need an alpha above 0.5, at most 1, got {covered}")
        fx, fy, cx, cy = pinhole(K)
        T = pose(T_world_cam)
        view, eye = np.ascontiguousarray(rigid_inverse(T)[:3], np.float32), np.ascontiguousarray(T[:3, 3], np.float32)
        picture = out if out is not None else Picture.empty(width, height)
        if picture.rgb.shape != (height, width, 3):
            raise RenderError(f"out: need a picture of {width}x{height}, got {picture.rgb.shape[1::-1]}")
        p = picture
        lens, done = (fx, fy, cx, cy), 1.0 - covered
        self._kernel.render(view, eye, *lens, done, p.rgb, p.depth_z_m, p.depth_expected_m, p.alpha, p.ids)
        return picture


def checked(g: Gaussians) -> Gaussians:
    """The same Gaussians in contiguous arrays, `antialiased` for each; refused where one is absurd, with its row."""
    n = len(g.means)
    if n == 0:
        raise RenderError("gaussians: there are none to render")
    ids, kinds = np.asarray(g.ids), np.asarray(g.antialiased)
    if ids.shape != (n,) or ids.dtype != np.uint16:
        raise RenderError(f"gaussians.ids: need shape ({n},) uint16, got {ids.shape} {ids.dtype}")
    if kinds.dtype != bool or kinds.shape not in ((), (n,)):
        raise RenderError(f"gaussians.antialiased: need a bool or ({n},) bool, got {kinds.shape} {kinds.dtype}")
    terms = np.shape(harmonics(g))
    if len(terms) != 3 or terms[1] not in _COEFFICIENTS:
        raise RenderError(f"gaussians.sh: need shape ({n},K,3) with K of {_COEFFICIENTS}, got {terms}")
    return Gaussians(
        means=_means("gaussians.means", g.means, n),
        quats_wxyz=_quats("gaussians.quats_wxyz", g.quats_wxyz, n),
        scales=_floats("gaussians.scales", g.scales, (n, 3), 0.0, LARGEST_M),
        opacities=_floats("gaussians.opacities", g.opacities, (n,), 0.0, 1.0),
        colours=_floats("gaussians.colours", g.colours, (n, 3), -STRONGEST, STRONGEST),
        ids=np.ascontiguousarray(ids),
        sh=_floats("gaussians.sh", harmonics(g), (n, terms[1], 3), -STRONGEST, STRONGEST),
        antialiased=np.ascontiguousarray(np.broadcast_to(kinds, n)),
    )


def harmonics(g: Gaussians) -> F32:
    """(N,K,3); K is 0 where the colours are the same from everywhere."""
    return np.zeros((len(g.means), 0, 3), np.float32) if g.sh is None else g.sh


def pinhole(K: ArrayLike) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy of a camera matrix without skew."""
    K = np.asarray(K, float)
    if K.shape != (3, 3) or not np.isfinite(K).all():
        raise RenderError(f"K: need a finite (3,3) matrix, got shape {K.shape}")
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[0, 1] != 0 or K[1, 0] != 0 or tuple(K[2]) != (0, 0, 1):
        raise RenderError(f"K: need [[fx,0,cx],[0,fy,cy],[0,0,1]] with fx, fy > 0, got {K.tolist()}")
    if max(K[0, 0], K[1, 1]) > MAX_FOCAL or min(K[0, 0], K[1, 1]) < 1 / MAX_FOCAL or np.abs(K).max() > MAX_FOCAL:
        raise RenderError(f"K: need focal lengths and centre of at most {MAX_FOCAL:g} pixels, got {K.tolist()}")
    return float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])


def pose(T_world_cam: ArrayLike) -> NDArray[np.float64]:
    """A checked rigid transform (4,4)."""
    T = np.asarray(T_world_cam, float)
    if T.shape != (4, 4) or not np.isfinite(T).all():
        raise RenderError(f"T_world_cam: need a finite (4,4) matrix, got shape {T.shape}")
    if np.abs(T[:3, 3]).max() > FARTHEST_M:
        raise RenderError(f"T_world_cam: the camera is at {T[:3, 3].tolist()}; need metres within {FARTHEST_M:g}")
    R = T[:3, :3]
    if np.abs((R[:, :, None] * R[:, None, :]).sum(0) - np.eye(3)).max() > 1e-4 or np.linalg.det(R) < 0:
        raise RenderError("T_world_cam: the upper left 3x3 must be a rotation; remove scale and mirroring")
    return T


def _floats(name: str, value: ArrayLike, shape: tuple[int, ...], low: float, high: float) -> F32:
    """A C-contiguous float32 copy or view of `value`, refused unless within the bounds (NaN is not)."""
    array = np.ascontiguousarray(value, np.float32)
    if array.shape != shape:
        raise RenderError(f"{name}: need shape {shape}, got {array.shape}")
    if array.size and not (array.min() >= low and array.max() <= high):
        row = int(np.argmin(((array >= low) & (array <= high)).reshape(shape[0], -1).all(1)))
        wrong = array[row].reshape(-1)
        shown = wrong.tolist() if wrong.size <= 4 else f"{wrong.min()}..{wrong.max()}"
        raise RenderError(f"{name}: row {row} is {shown}; need finite values in {low:g}..{high:g}")
    return array


def _means(name: str, value: ArrayLike, n: int) -> F32:
    return _floats(name, value, (n, 3), -FARTHEST_M, FARTHEST_M)


def _quats(name: str, value: ArrayLike, n: int) -> F32:
    array = _floats(name, value, (n, 4), -1e6, 1e6)
    w, x, y, z = np.abs(array).T  # numpy's maximum over a short last axis takes five times as long
    nothing = np.maximum(np.maximum(w, x), np.maximum(y, z)) < 1e-12  # the squares of much less underflow in float32
    if nothing.any():
        raise RenderError(f"{name}: row {int(np.argmax(nothing))} is zero; need a direction")
    return array
