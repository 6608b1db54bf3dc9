"""Other people's Gaussians, and ours: files in, checked Splats out (docs/formats.md).

read(path)              one file: 3DGS PLY, compressed PLY, SPZ, .splat      → Splats
read_motion(path, fps)  a folder of PLYs a frame, or Dynamic3DGaussians      → Motion
read_cameras(path)      transforms.json of nerfstudio or D-NeRF              → CameraSet
transform(gaussians, T) the same Gaussians in other axes, units or places    → Gaussians
tracks                  fit, transform, load, save: each object's rigid motion → Tracks
write_ply, write_spz    Splats → a file
"""

from __future__ import annotations

from synth4d.splats import tracks
from synth4d.splats.cameras import CameraSet, read_cameras
from synth4d.splats.motion import Motion, read_motion
from synth4d.splats.ply import write_ply
from synth4d.splats.read import read
from synth4d.splats.rigid import transform
from synth4d.splats.splats import MAX_GAUSSIANS, Notes, OnBad, Splats
from synth4d.splats.spz import write_spz
from synth4d.splats.tracks import Tracks

__all__ = [
    "MAX_GAUSSIANS",
    "CameraSet",
    "Motion",
    "Notes",
    "OnBad",
    "Splats",
    "Tracks",
    "read",
    "read_cameras",
    "read_motion",
    "tracks",
    "transform",
    "write_ply",
    "write_spz",
]
