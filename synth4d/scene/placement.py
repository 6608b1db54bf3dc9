"""Axes, units and scale of an asset: from its own coordinates to metres with +z up.

x_scene = T_scene_asset · (scale · x_asset), with T_scene_asset rigid. Axes are named by where +x, +y and +z point,
a letter each: Right or Left, Up or Down, Forward or Back. The scene's own are RFU.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from synth4d.errors import SceneError
from synth4d.geometry import quat_from_axis_angle, rotmat
from synth4d.scene.spec import AssetSpec
from synth4d.splats.rigid import nearest_rotation
from synth4d.types import F64

METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "in": 0.0254}
NAMED = {"z-up": "RFU", "y-up": "RUB", "y-down": "RDF"}
"""y-up is glTF's and OpenGL's; y-down that of COLMAP, of cameras, and of most captured Gaussians."""
_LETTERS = {"R": (1, 0, 0), "L": (-1, 0, 0), "F": (0, 1, 0), "B": (0, -1, 0), "U": (0, 0, 1), "D": (0, 0, -1)}


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where an asset is, and how large."""

    axes: str
    """As asked for, or as the format fixes it; `own` where a whole transform is given."""
    upright: F64
    """(4,4) to the asset's upright frame, in which annotations are written: +z up, metres. Rigid, but for
    left-handed axes, which it mirrors."""
    place: F64
    """(4,4) rigid: from there to the scene."""
    scale: float
    """Metres a unit of the file."""


def placement(asset: AssetSpec, own: str | None, where: str) -> Placement:
    """What an asset's fields say about its place; `own` are the axes that its format fixes or its file tells, if any:
    else z-up is assumed. Raises SceneError for axes or a transform that are none."""
    scale = asset.scale * METRES[asset.units]
    if asset.T_world_asset is not None:
        if asset.axes or any(asset.position) or asset.yaw:
            raise SceneError(f"{where}: T_world_asset stands for axes, position and yaw; give it or them")
        return Placement("own", _rigid(asset.T_world_asset, where), np.eye(4), scale)
    axes = asset.axes or own or "z-up"
    upright, place = np.eye(4), np.eye(4)
    upright[:3, :3] = rotation(axes, where)
    place[:3, :3] = rotmat(quat_from_axis_angle([0, 0, 1], np.radians(asset.yaw)))
    place[:3, 3] = asset.position
    return Placement(axes, upright, place, scale)


def rotation(axes: str, where: str) -> F64:
    """(3,3) from axes named by NAMED or three letters to the scene's; of left-handed axes it mirrors, as it must."""
    code = NAMED.get(axes.lower(), axes.upper())
    if len(code) != 3 or set(code) - set(_LETTERS):
        choices = ", ".join(NAMED)
        raise SceneError(f"{where}: axes {axes!r}: {choices}, or where x, y, z point, as RDF (right, down, forward)")
    R = np.array([_LETTERS[letter] for letter in code], float).T
    if handed(R) == 0:
        raise SceneError(f"{where}: axes {axes!r}: two of them point along one line")
    return R


def handed(R: F64) -> float:
    """Determinant of (3,3): 1 = a rotation, −1 = it mirrors."""
    return float((R[:, 0] * np.cross(R[:, 1], R[:, 2])).sum())


def pose(T: ArrayLike) -> F64:
    """(4,4) rigid → (7,) xyz + wxyz."""
    T = np.asarray(T, float)
    return np.concatenate([T[:3, 3], nearest_rotation(T[:3, :3])])


def product(A: F64, B: F64) -> F64:
    """(4,4) A·B by plain sums."""
    out: F64 = (A[:, :, None] * B[None, :, :]).sum(1)
    return out


def _rigid(rows: ArrayLike, where: str) -> F64:
    T = np.eye(4)
    given = np.asarray(rows, float)
    T[: len(given)] = given
    R = T[:3, :3]
    off = np.abs((R[:, :, None] * R[:, None, :]).sum(0) - np.eye(3)).max()
    if off > 1e-4 or tuple(T[3]) != (0, 0, 0, 1):
        raise SceneError(f"{where}: T_world_asset must be a rotation and a shift in metres; give the size as `scale`")
    if handed(R) < 0:
        raise SceneError(f"{where}: T_world_asset mirrors; text in the picture would read backwards")
    return T
