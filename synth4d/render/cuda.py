"""Gaussians on an NVIDIA GPU by gsplat 1.4: the same pictures as splat.py, many cameras a call.

gsplat's stages are called one by one, as its `rasterization` does, because two things must be as on the CPU:
- how far a splat reaches: to an alpha of 1/255, where `rasterization` cuts at 3 standard deviations;
- depth and id, those of the Gaussian at which transmittance falls to one half. gsplat can list the Gaussians of each
  pixel, front to back, until transmittance falls to 1e-4; begun with a transmittance of 2e-4, the list ends just
  before that Gaussian, so the length of the short list is its place in the long one.

docs/rasteriser.md says what parity is asked for and how to measure it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import RenderError
from synth4d.geometry import rigid_inverse
from synth4d.render import gpu
from synth4d.render.clip import BACKGROUND, Stage
from synth4d.render.splat import checked, harmonics, pinhole, pose
from synth4d.types import F32, F64, CameraPath, Clip, Gaussians, Timeline, World

NEAR_PLANE, LOW_PASS, SLOPE_PASS, DEPTH_SPAN, MIN_ALPHA = 0.01, 0.3, 0.0002, 4.0, 1 / 255
TILE = 16
_CONSTANT = 0.28209479177387814
"""The harmonic of degree 0: gsplat wants the constant colour as its weight."""
_DEGREE = {0: 0, 3: 1, 8: 2, 15: 3}
_WHOLE, _HALF = 0.25, 2e-4
"""Transmittances to begin lists with: 1e-4 is reached after a fall to 4e-4 (an alpha is at most 0.999, so one half is
passed before) and to one half."""
VIEWS, PIXELS = 8, 2**23
"""Cameras and pixels a call at most: from there on a call's overhead is small beside its work, and gsplat counts the
Gaussians listed for all pixels, a hundred or so each, in 32 bits."""

Tensor = Any


def render(world: World, timeline: Timeline, camera: CameraPath, *, rng: np.random.Generator, threads: int = 1) -> Clip:
    """The clip of a camera path. Raises RenderError where there is no GPU, or not enough memory on it."""
    reason = gpu.why_not()
    if reason:
        raise RenderError(f"renderer splat-cuda: {reason}; --renderer splat needs no GPU")
    return clip(world, timeline, camera, Device(camera, kernels(), "cuda"))


def clip(world: World, timeline: Timeline, camera: CameraPath, device: Device) -> Clip:
    """Frames stay on the device until the whole clip is drawn."""
    stage = Stage(world, timeline, camera)
    device.load(stage.gaussians(0))
    for frame, T_world_cam in enumerate(camera.T_world_cam):
        if frame:
            stage.advance(device, frame)
        device.look(T_world_cam)
    frames = [quantise(p, stage.covered) for p in device.pictures()]
    rgb, depth, ids = (torch().cat(part).cpu().numpy() for part in zip(*frames, strict=True))
    ids = ids.astype(np.uint16)
    for frame in range(len(ids)):
        stage.borders.settle(frame, depth[frame], ids[frame])
    return Clip(rgb, depth, ids, camera)


def torch() -> ModuleType:
    """The only import of torch for drawing."""
    import torch

    return torch


def kernels() -> ModuleType:
    """gsplat with its kernels built, or a RenderError that says what is missing."""
    if not torch().cuda.is_available():
        raise RenderError("renderer splat-cuda: this torch finds no CUDA device; install a torch built for CUDA")
    import gsplat
    from gsplat.cuda import _backend

    if _backend._C is None:
        raise RenderError("renderer splat-cuda: gsplat has no CUDA kernels; it builds them with nvcc (CUDA toolkit)")
    return gsplat


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """C pictures on the device; what they hold is said by splat.Picture."""

    rgb: Tensor
    depth_z_m: Tensor
    depth_expected_m: Tensor
    alpha: Tensor
    ids: Tensor


class Device:
    """Gaussians on a device, with the face of splat.Rasteriser. Views wait until the scene changes, and are then
    drawn together."""

    def __init__(self, camera: CameraPath, gsplat: ModuleType | Any, device: str) -> None:
        fx, fy, cx, cy = pinhole(camera.K)
        self.K, self.width, self.height = (fx, fy, cx, cy), camera.width, camera.height
        self.gsplat, self.device = gsplat, device
        self._batch = max(1, min(VIEWS, PIXELS // (camera.width * camera.height)))
        self._views: list[F64] = []
        self._drawn: list[Pictures] = []

    def load(self, gaussians: Gaussians) -> None:
        """Take a copy of all Gaussians."""
        g = checked(gaussians)
        to = self._to
        self.means, self.quats, self.scales, self.opacities = (
            to(g.means),
            to(g.quats_wxyz),
            to(g.scales),
            to(g.opacities),
        )
        self.colours, self.sh, self.ids = to(g.colours), to(harmonics(g)), to(g.ids.astype(np.int32))
        self.antialiased = to(np.asarray(g.antialiased))

    def update(self, rows: NDArray[np.intp], means: F32, quats_wxyz: F32, sh: F32 | None = None) -> None:
        """Move Gaussians, as Rasteriser.update does."""
        self._draw()
        at = self._to(np.asarray(rows, np.int64))
        self.means[at], self.quats[at] = self._to(means), self._to(quats_wxyz)
        if sh is not None:
            self.sh[at] = 0
            self.sh[at, : sh.shape[1]] = self._to(sh)

    def recolour(self, colours: F32, rows: NDArray[np.intp] | None = None) -> None:
        """Replace colours, as Rasteriser.recolour does."""
        self._draw()
        at = slice(None) if rows is None else self._to(np.asarray(rows, np.int64))
        self.colours[at] = self._to(colours)

    def look(self, T_world_cam: F64) -> None:
        """Another view of the scene as it is now."""
        self._views.append(rigid_inverse(pose(T_world_cam)))
        if len(self._views) == VIEWS:
            self._draw()

    def pictures(self) -> list[Pictures]:
        """All views since the last call, in order."""
        self._draw()
        drawn, self._drawn = self._drawn, []
        return drawn

    def _to(self, array: NDArray[Any]) -> Tensor:
        return torch().from_numpy(np.array(array)).to(self.device)  # a copy: the caller's may be read-only or reused

    def _draw(self) -> None:
        views, self._views = self._views, []
        while views:
            batch = views[: self._batch]
            try:
                self._drawn.append(self._pictures(self._to(np.stack(batch).astype(np.float32))))
                views = views[len(batch) :]
            except torch().cuda.OutOfMemoryError:
                if len(batch) == 1:
                    size = f"{len(self.means)} Gaussians at {self.width}x{self.height}"
                    message = (
                        f"renderer splat-cuda: out of GPU memory with {size}; draw smaller frames or fewer Gaussians"
                    )
                    raise RenderError(message) from None
                self._batch = len(batch) // 2  # and stay there: the next views need as much
                torch().cuda.empty_cache()

    def _pictures(self, viewmats: Tensor) -> Pictures:
        """Views (C,4,4), world to camera."""
        t, g, C = torch(), self.gsplat, len(viewmats)
        fx, fy, cx, cy = self.K
        K = t.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], device=self.device, dtype=t.float32).expand(C, 3, 3)
        size = self.width, self.height
        projected = g.fully_fused_projection(
            self.means, None, self.quats, self.scales, viewmats, K, *size, eps2d=LOW_PASS, near_plane=NEAR_PLANE,
            packed=False, calc_compensations=True,
        )  # fmt: skip
        radii, centres, depths, conics, compensations = projected
        opacities = self.opacities * t.where(self.antialiased, compensations, t.ones_like(compensations))
        # gsplat's radius is 3 standard deviations; the outline at which alpha is 1/255 lies here:
        reach = t.sqrt(t.clamp(2 * t.log(opacities / MIN_ALPHA), min=0)) / 3
        radii = t.where((radii > 0) & (opacities >= MIN_ALPHA), t.ceil(radii * reach).int() + 1, 0).int()
        features = t.cat([self._colours(viewmats, radii > 0), depths[..., None]], -1)
        tiles = -(-size[0] // TILE), -(-size[1] // TILE)
        _, keys, flat = g.isect_tiles(centres, radii, depths, TILE, *tiles, packed=False, n_cameras=C)
        offsets = g.isect_offset_encode(keys, C, *tiles)
        drawn, alpha = g.rasterize_to_pixels(
            centres, conics, features, opacities, *size, TILE, offsets, flat, packed=False
        )
        alpha = alpha[..., 0]
        expected = t.where(alpha > 0, drawn[..., 3] / t.clamp(alpha, min=1e-10), t.zeros_like(alpha))
        lists = [
            self._listed(begin, C, centres, conics, opacities, *size, TILE, offsets, flat) for begin in (_WHOLE, _HALF)
        ]
        median = _at(*lists[0], *lists[1]).view(C, size[1], size[0])
        return Pictures(drawn[..., :3], *self._median(median, viewmats, centres, depths, expected, alpha))

    def _colours(self, viewmats: Tensor, seen: Tensor) -> Tensor:
        """(C,N,3) as seen from each view."""
        t = torch()
        if not self.sh.shape[1]:
            return self.colours.expand(len(viewmats), -1, -1)
        terms = t.cat([self.colours[:, None] / _CONSTANT, self.sh], 1)
        degree, shown = _DEGREE[self.sh.shape[1]], []
        for view, mask in zip(viewmats, seen, strict=True):
            eye = -(view[:3, :3] * view[:3, 3:]).sum(0)
            shown.append(self.gsplat.spherical_harmonics(degree, self.means - eye, terms, masks=mask))
        return t.clamp(t.stack(shown), min=0)

    def _listed(self, begin: float, C: int, *splats: Any) -> tuple[Tensor, Tensor]:
        """Rows of Gaussians, pixel after pixel and front to back, and how many each pixel (of C·H·W) has."""
        t, pixels = torch(), self.width * self.height
        light = t.full((C, self.height, self.width), begin, device=self.device)
        rows, pixel, view = self.gsplat.rasterize_to_indices_in_range(0, 2**31 - 1, light, *splats)
        return rows, t.bincount(view.long() * pixels + pixel.long(), minlength=C * pixels)

    def _median(
        self, row: Tensor, viewmats: Tensor, centres: Tensor, depths: Tensor, expected: Tensor, alpha: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Depth where each pixel's ray meets the middle of its median Gaussian, and its id; rows (C,H,W), −1 = none."""
        t = torch()
        view, y, x = t.nonzero(row >= 0, as_tuple=True)
        g = row[view, y, x]
        fx, fy, cx, cy = self.K
        R, mean = viewmats[view, :3, :3], self.means[g]
        tx, ty, z = ((R * mean[:, None]).sum(-1) + viewmats[view, :3, 3]).unbind(-1)
        # Directions beyond the frame by 30 % of its half-width are linearised at that limit, as in splat.py.
        slack_x, slack_y = 0.15 * self.width / fx, 0.15 * self.height / fy
        tx = t.clamp(tx / z, -cx / fx - slack_x, (self.width - cx) / fx + slack_x)
        ty = t.clamp(ty / z, -cy / fy - slack_y, (self.height - cy) / fy + slack_y)
        axes = _rotations(self.quats[g]) * self.scales[g][:, None]
        ax, ay, az = (R[..., None] * axes[:, None]).sum(2).unbind(1)  # rows of the camera's axes: x, y, z
        u, v = (fx / z)[:, None] * (ax - tx[:, None] * az), (fy / z)[:, None] * (ay - ty[:, None] * az)
        suu, svv, suv = (u * u).sum(-1) + SLOPE_PASS, (v * v).sum(-1) + SLOPE_PASS, (u * v).sum(-1)
        czu, czv, span = (az * u).sum(-1), (az * v).sum(-1), DEPTH_SPAN * (az * az).sum(-1).sqrt()
        dx, dy = (x + 0.5) - centres[view, g, 0], (y + 0.5) - centres[view, g, 1]
        slope = ((czu * svv - czv * suv) * dx + (czv * suu - czu * suv) * dy) / (suu * svv - suv * suv)
        depth, ids = t.zeros_like(alpha), t.zeros_like(row, dtype=t.int32)
        depth[view, y, x] = t.clamp(depths[view, g] + t.minimum(t.maximum(slope, -span), span), min=NEAR_PLANE)
        ids[view, y, x] = self.ids[g]
        return depth, expected, alpha, ids


def _at(rows: Tensor, counts: Tensor, _: Tensor, places: Tensor) -> Tensor:
    """Of each pixel's list the row at its place, −1 where the list is shorter."""
    t = torch()
    if not len(rows):
        return t.full_like(counts, -1)
    first = t.cumsum(counts, 0) - counts
    return t.where(places < counts, rows[t.clamp(first + places, max=len(rows) - 1)].long(), -1)


def _rotations(quats_wxyz: Tensor) -> Tensor:
    """(P,4) of any length → (P,3,3)."""
    t = torch()
    w, x, y, z = (quats_wxyz / quats_wxyz.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return t.stack([t.stack(row, -1) for row in rows], -2)


def quantise(p: Pictures, covered: float) -> tuple[Tensor, Tensor, Tensor]:
    """8-bit colour over the background, as `clip.take`; depth and id where a picture is at least half opaque."""
    t = torch()
    solid, behind = p.alpha >= 0.5, t.tensor(BACKGROUND, dtype=t.float32, device=p.rgb.device)
    gain = 1 / t.clamp(p.alpha, min=covered)[..., None]
    rgb = t.clamp(p.rgb * gain + (1 - p.alpha[..., None] * gain) * behind, 0, 1)
    zero = t.zeros_like(p.depth_z_m)
    return t.floor(rgb * 255 + 0.5).to(t.uint8), t.where(solid, p.depth_z_m, zero), t.where(solid, p.ids, 0)
