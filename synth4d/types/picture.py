"""What is seen: cameras, Gaussians and clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.types.arrays import F32, F64, U8, U16


@dataclass(frozen=True, slots=True, eq=False)
class CameraPath:
    """One pinhole camera along T frames."""

    width: int
    height: int
    K: F64
    """(3,3) pixels"""
    T_world_cam: F64
    """(T,4,4) OpenCV axes, metres"""
    fps: float


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """Flattened 3D Gaussians in world coordinates (what every splat renderer takes)."""

    means: F32
    """(N,3) metres"""
    quats_wxyz: F32
    """(N,4) unit"""
    scales: F32
    """(N,3) standard deviations, metres"""
    opacities: F32
    """(N,) 0..1"""
    colours: F32
    """(N,3) display values 0..1 (already lit and tone-mapped); the constant term where there is `sh`"""
    ids: U16
    """(N,) instance id"""
    sh: F32 | None = None
    """(N,K,3) spherical harmonics of degree 1, 2 or 3 (K = 3, 8, 15) added to `colours`, in the order and with
    the signs of 3DGS, in the axes that `means` are in; None = the colour is the same from everywhere."""
    antialiased: bool | NDArray[np.bool_] = False
    """Opacity is lowered by what the pixel filter adds to a splat's area, as the Gaussians were trained
    (Mip-Splatting; `rasterize_mode="antialiased"` in gsplat). (N,) where Gaussians of both kinds are joined."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What a camera saw."""

    rgb: U8
    """(T,H,W,3)"""
    depth_z_m: F32
    """(T,H,W) distance along the optical axis; 0 = nothing there"""
    ids: U16
    """(T,H,W)"""
    camera: CameraPath
