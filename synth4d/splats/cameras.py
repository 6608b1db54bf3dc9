"""Posed cameras out of transforms.json: nerfstudio's, and D-NeRF's with its splits and times."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import SceneError
from synth4d.types import F64

MAX_BYTES = 16 << 20
"""40,000 frames; what JSON of brackets alone says takes twenty times its size in memory."""
MAX_SIDE = 65_535
_SPLITS = ("train", "val", "test")
_DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_PINHOLE = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV")

Distorted = Literal["refuse", "ignore"]


@dataclass(frozen=True, slots=True, eq=False)
class CameraSet:
    """M posed pinhole cameras: OpenCV axes, pixel centres at half-integers, world axes and units of the file."""

    K: F64
    """(M,3,3) pixels"""
    T_world_cam: F64
    """(M,4,4)"""
    sizes: NDArray[np.int64]
    """(M,2) width, height"""
    times: F64 | None
    """(M,) as the file counts them (D-NeRF: 0..1 over the scene)"""
    files: tuple[str, ...]
    """Image of each, relative to the folder of the file"""
    splits: tuple[str, ...]
    """Of each: train, val or test, or empty where the file doesn't say"""
    applied: F64 | None
    """(4,4) what the file says was already done to its world: `applied_transform` after `applied_scale`"""
    remarks: tuple[str, ...]


def read_cameras(path: Path | str, *, distorted: Distorted = "refuse") -> CameraSet:
    """Cameras of a transforms.json, or of a folder that has one or D-NeRF's transforms_{train,val,test}.json.

    Poses turn from OpenGL axes (x right, y up, z back) to OpenCV's. Intrinsics need no half pixel: nerfstudio casts
    the ray of pixel (0, 0) through (0.5, 0.5), as here. A lens that distorts is refused, or with "ignore" taken as a
    pinhole and named in remarks. SceneError names the file, the frame and the field.
    """
    path = Path(path)
    files = _files(path) if path.is_dir() else {"": path}
    views = [view for split, file in files.items() for view in _views(file, split, distorted)]
    timed = [view.time for view in views if view.time is not None]
    if timed and len(timed) < len(views):
        raise SceneError(f"{path}: only {len(timed)} of {len(views)} frames have a time: all or none must")
    return CameraSet(
        K=np.array([view.K for view in views]),
        T_world_cam=np.array([view.T_world_cam for view in views]),
        sizes=np.array([view.size for view in views], np.int64),
        times=np.array(timed) if timed else None,
        files=tuple(view.file for view in views),
        splits=tuple(view.split for view in views),
        applied=next((view.applied for view in views), None),
        remarks=tuple(dict.fromkeys(view.remark for view in views if view.remark)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    K: F64
    T_world_cam: F64
    size: tuple[int, int]
    time: float | None
    file: str
    split: str
    applied: F64 | None
    remark: str


def _files(folder: Path) -> dict[str, Path]:
    """The camera files of a folder, by split."""
    if (folder / "transforms.json").is_file():
        return {"": folder / "transforms.json"}
    found = {s: folder / f"transforms_{s}.json" for s in _SPLITS if (folder / f"transforms_{s}.json").is_file()}
    if not found:
        raise SceneError(f"{folder} has neither transforms.json nor transforms_train.json")
    return found


def _views(path: Path, split: str, distorted: Distorted) -> list[_View]:
    top = _object(path)
    frames = top.get("frames")
    if not isinstance(frames, list) or not frames:
        raise SceneError(f"{path}: frames must be a list of cameras, with one at least")
    applied, splits = _applied(top, path), _named_splits(top, path)
    views = []
    for number, frame in enumerate(frames):
        at = f"{path} frame {number}"
        if not isinstance(frame, dict):
            raise SceneError(f"{at} is no object")
        file = frame.get("file_path", "")
        if not isinstance(file, str):
            raise SceneError(f"{at}: file_path is no text")
        fields = top | frame
        size = _size(fields, path.parent, file, at)
        remark = _lens(fields, distorted, at)
        time = _number(frame, "time", at) if "time" in frame else None
        K, T = _intrinsics(fields, size, at), _pose(frame, at)
        views.append(_View(K, T, size, time, file, split or splits.get(file, ""), applied, remark))
    return views


def _object(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SceneError(f"{path} is larger than {MAX_BYTES} bytes: no camera file")
        value = json.loads(data)
    except OSError as error:
        raise SceneError(f"can't read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{path} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise SceneError(f"{path} is no JSON object")
    return value


def _number(fields: dict[str, Any], name: str, at: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e9:
        raise SceneError(f"{at}: {name} is {str(value)[:40]}, not a number")
    return float(value)


def _matrix(value: Any, rows: tuple[int, ...], what: str) -> F64:
    """A (4,4) of nested lists of 3 or 4 rows of 4 finite numbers."""
    try:
        T = np.array(value, float)
    except (ValueError, TypeError, OverflowError):
        raise SceneError(f"{what} is no matrix of numbers") from None
    if T.ndim != 2 or T.shape[0] not in rows or T.shape[1] != 4 or not np.isfinite(T).all():
        raise SceneError(f"{what} of shape {T.shape} must be {rows[-1]}×4 finite numbers")
    return np.concatenate([T[:3], [[0.0, 0.0, 0.0, 1.0]]])


def _pose(frame: dict[str, Any], at: str) -> F64:
    """T_world_cam in OpenCV axes."""
    T = _matrix(frame.get("transform_matrix"), (3, 4), f"{at}: transform_matrix")
    R = T[:3, :3]
    off = np.abs((R[:, :, None] * R[:, None, :]).sum(0) - np.eye(3)).max()
    if off > 1e-2 or np.linalg.det(R) < 0:
        raise SceneError(f"{at}: transform_matrix is no rigid pose: its axes are not orthonormal or mirror")
    T[:3, 1:3] *= -1
    return T


def _size(fields: dict[str, Any], folder: Path, file: str, at: str) -> tuple[int, int]:
    """(width, height): from w and h, or of the image itself, which lies within the folder."""
    if "w" in fields or "h" in fields:
        size = (int(_number(fields, "w", at)), int(_number(fields, "h", at)))
    else:
        size = _image_size(folder, file, at)
    if not all(0 < side <= MAX_SIDE for side in size):
        raise SceneError(f"{at}: a picture of {size[0]}×{size[1]}")
    return size


def _image_size(folder: Path, file: str, at: str) -> tuple[int, int]:
    from PIL import Image, UnidentifiedImageError

    paths = [folder / name for name in (file, f"{file}.png")]
    path = next((p for p in paths if file and p.is_file()), None)
    if path is None:
        raise SceneError(f"{at}: neither w and h, nor the image {file or '(none)'} to take them from")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SceneError(f"{at}: file_path {file} leads out of its folder")
    try:
        with Image.open(path) as image:  # reads the header only
            return image.size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise SceneError(f"{at}: {path} is no picture: {error}") from None


def _intrinsics(fields: dict[str, Any], size: tuple[int, int], at: str) -> F64:
    width, height = size
    if "fl_x" in fields:
        fx = _number(fields, "fl_x", at)
        fy = _number(fields, "fl_y", at) if "fl_y" in fields else fx
    else:
        angle = _number(fields, "camera_angle_x", at)
        if not 0 < angle < math.pi:
            raise SceneError(f"{at}: camera_angle_x is {angle:g}, not between 0 and π radians")
        fx = fy = 0.5 * width / math.tan(0.5 * angle)
    if fx <= 0 or fy <= 0:
        raise SceneError(f"{at}: focal lengths {fx:g} and {fy:g} must be positive")
    cx = _number(fields, "cx", at) if "cx" in fields else width / 2
    cy = _number(fields, "cy", at) if "cy" in fields else height / 2
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def _lens(fields: dict[str, Any], distorted: Distorted, at: str) -> str:
    """Empty, or what was ignored; SceneError where the lens is refused."""
    model = str(fields.get("camera_model", "OPENCV"))
    bent = [name for name in _DISTORTION if name in fields and _number(fields, name, at)]
    listed = fields.get("distortion_params") or []
    if not isinstance(listed, list) or any(listed):
        bent.append("distortion_params")
    if model in _PINHOLE and not bent:
        return ""
    if model not in _PINHOLE or distorted == "refuse":
        said = f"camera_model {model[:40]}" if model not in _PINHOLE else f"distortion {', '.join(bent)}"
        raise SceneError(f"{at}: {said}: only pinholes are read; undistort the images first")
    return f"distortion {', '.join(bent)} was ignored"


def _applied(top: dict[str, Any], path: Path) -> F64 | None:
    if "applied_transform" not in top and "applied_scale" not in top:
        return None
    T = np.eye(4)
    if "applied_transform" in top:
        T = _matrix(top["applied_transform"], (4, 3), f"{path}: applied_transform")
    if "applied_scale" in top:
        T[:3] *= _number(top, "applied_scale", str(path))
    return T


def _named_splits(top: dict[str, Any], path: Path) -> dict[str, str]:
    named: dict[str, str] = {}
    for split in _SPLITS:
        files = top.get(f"{split}_filenames", [])
        if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
            raise SceneError(f"{path}: {split}_filenames is no list of names")
        named |= dict.fromkeys(files, split)
    return named
