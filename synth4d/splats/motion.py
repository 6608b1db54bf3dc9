"""Gaussians that move one by one: a PLY a frame, or the params.npz of Dynamic3DGaussians."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synth4d.errors import SceneError
from synth4d.splats.npz import read_npz
from synth4d.splats.read import read
from synth4d.splats.splats import SH_C0, Notes, Raw, Splats, finish
from synth4d.types import F32, F64

MAX_VALUES = 1_000_000_000
"""Of one array: 100 frames of 1 M Gaussians have 300 M coordinates."""
MAX_FRAMES = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """One set of N Gaussians over T frames; tracks.fit makes rigid tracks of it."""

    splats: Splats
    """As they are in frame 0: the canonical ones"""
    means: F32
    """(T,N,3) asset axes and units"""
    quats_wxyz: F32
    """(T,N,4) unit"""
    times_s: F64
    """(T,)"""


def read_motion(path: Path | str, fps: float) -> Motion:
    """A folder of PLYs, ordered by the last number in their names, or a params.npz; `fps` frames a second.

    Row i of every frame must be the same Gaussian: files of different counts are refused, and so is any bad value,
    since leaving it out of one frame would shift the others.
    """
    path = Path(path)
    if not (np.isfinite(fps) and fps > 0):
        raise SceneError(f"{path}: {fps} frames a second must be positive")
    return _frames(path, fps) if path.is_dir() else _dynamic(path, fps)


def frame_files(folder: Path) -> list[Path]:
    """The PLYs of a folder in the order of the last number in their names; SceneError where two share it."""
    numbered: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != ".ply":
            continue
        digits = re.findall("[0-9]{1,18}", path.stem)
        if not digits:
            raise SceneError(f"{path}: its name has no number, so its place among the frames is unknown")
        if (other := numbered.setdefault(int(digits[-1]), path)) != path:
            raise SceneError(f"{path} and {other.name} are both frame {digits[-1]}")
    if not 0 < len(numbered) <= MAX_FRAMES:
        raise SceneError(f"{folder}: {len(numbered)} PLY files, 1 to {MAX_FRAMES} make frames")
    return [numbered[number] for number in sorted(numbered)]


def _frames(folder: Path, fps: float) -> Motion:
    files = frame_files(folder)
    first = read(files[0])
    n, t = len(first.gaussians.means), len(files)
    if 4 * n * t > MAX_VALUES:
        raise SceneError(f"{folder}: {t} frames of {n} Gaussians are more than {MAX_VALUES // 4} rows")
    means, quats = np.empty((t, n, 3), np.float32), np.empty((t, n, 4), np.float32)
    for i, file in enumerate(files):
        frame = (first if i == 0 else read(file)).gaussians
        if len(frame.means) != n:
            raise SceneError(f"{file} has {len(frame.means)} Gaussians, {files[0].name} has {n}: rows must correspond")
        means[i], quats[i] = frame.means, frame.quats_wxyz
    return Motion(first, means, quats, np.arange(t) / fps)


def _dynamic(path: Path, fps: float) -> Motion:
    """Dynamic3DGaussians: arrays as its train.py saves them; seg_colors says foreground in its first channel."""
    names = ("means3D", "unnorm_rotations", "rgb_colors", "logit_opacities", "log_scales")
    arrays = read_npz(path, names, max_values=MAX_VALUES, optional=("seg_colors", "object_id"))
    means, quats = arrays["means3D"], arrays["unnorm_rotations"]
    if means.ndim != 3 or 0 in means.shape or len(means) > MAX_FRAMES:
        raise SceneError(f"{path}: means3D is {means.shape}, not (T,N,3)")
    t, n = means.shape[:2]
    rgb = arrays["rgb_colors"]
    first_rgb = rgb[0] if rgb.ndim == 3 else rgb
    logits, scales = arrays["logit_opacities"].reshape(-1), arrays["log_scales"]
    shapes = {"means3D": (means, (t, n, 3)), "unnorm_rotations": (quats, (t, n, 4)), "rgb_colors": (first_rgb, (n, 3))}
    shapes |= {"logit_opacities": (logits, (n,)), "log_scales": (scales, (n, 3))}
    if "seg_colors" in arrays:
        shapes["seg_colors"] = (arrays["seg_colors"], (n, 3))
    for name, (array, shape) in shapes.items():
        if array.shape != shape:
            raise SceneError(f"{path}: {name} is {array.shape}, {t} frames of {n} Gaussians need {shape}")
    owner = arrays.get("object_id")
    if owner is None and "seg_colors" in arrays:
        owner = arrays["seg_colors"][:, 0] > 0.5
    if owner is not None and owner.shape != (n,):
        raise SceneError(f"{path}: object_id is {owner.shape}, not ({n},)")
    with np.errstate(over="ignore"):
        opacities = 1 / (1 + np.exp(-logits.astype(np.float32)))
        sizes = np.exp(scales.astype(np.float32))
    f_dc = (first_rgb.astype(np.float32) - np.float32(0.5)) / np.float32(SH_C0)
    all_quats = np.empty((t, n, 4), np.float32)
    frames: list[Splats] = []
    for i in range(t):  # each frame is checked as a file would be
        raw = Raw(means[i].astype(np.float32), quats[i].astype(np.float32), sizes, opacities, f_dc, object_id=owner)
        frame = finish(raw, Notes(f"{path} frame {i}", "Dynamic3DGaussians"), "refuse")
        frames = frames or [frame]
        all_quats[i] = frame.gaussians.quats_wxyz
    return Motion(frames[0], means.astype(np.float32), all_quats, np.arange(t) / fps)
