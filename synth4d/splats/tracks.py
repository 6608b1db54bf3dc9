"""Rigid tracks: how each object of a capture moves, and their fit to Gaussians that move one by one."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synth4d.disk import write_atomic
from synth4d.errors import SceneError
from synth4d.geometry import apply_pose, rotate
from synth4d.splats.npz import read_npz
from synth4d.splats.rigid import nearest_rotation, similarity
from synth4d.types import F64

MAX_POSES = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """K rigid objects over T frames, in the axes and units of the Gaussians they belong to ("asset axes").

    A pose maps where a point of the object is in the canonical Gaussians to where it is in that frame, so the
    identity leaves the object as the file shows it: x_frame = apply_pose(poses[k, t], x_canonical).
    """

    object_id: NDArray[np.uint32]
    """(K,) distinct, as in Splats.object_id; what has no track stays where it is"""
    times_s: F64
    """(T,) increasing"""
    poses: F64
    """(K,T,7) xyz + unit quaternion wxyz"""


def fit(means: ArrayLike, object_id: ArrayLike, times_s: ArrayLike) -> tuple[Tracks, F64]:
    """Tracks of means (T,N,3) for every id but 0 of object_id (N,), and what they leave: (K,T) metres or asset units.

    The canonical place is that of frame 0. Least squares over an object's Gaussians (Horn); the residual is the
    root mean square distance between tracked and actual means: it says whether the object is rigid at all. A turn
    that the Gaussians don't show, of one alone or of a straight row about itself, is left out.
    """
    means, owner, times = np.asarray(means, np.float32), np.asarray(object_id), np.asarray(times_s, float)
    if means.ndim != 3 or means.shape[1:] != (len(owner), 3) or len(times) != len(means):
        raise SceneError(f"means {means.shape} must be (T,N,3) for {len(owner)} object ids and {len(times)} times")
    ids = np.unique(owner[owner != 0]).astype(np.uint32)
    poses, residual = np.empty((len(ids), len(means), 7)), np.empty((len(ids), len(means)))
    for k, one in enumerate(ids):
        of_one = np.flatnonzero(owner == one)
        start = means[0, of_one].astype(float)
        for t in range(len(means)):
            now = means[t, of_one].astype(float)
            poses[k, t] = _pose(start, now)
            if t and (poses[k, t, 3:] * poses[k, t - 1, 3:]).sum() < 0:
                poses[k, t, 3:] *= -1  # the same rotation, on the near side for whoever interpolates
            residual[k, t] = np.sqrt(((apply_pose(poses[k, t], start) - now) ** 2).sum(1).mean())
    return checked(Tracks(ids, times, poses), "tracks"), residual


def _pose(start: F64, now: F64) -> F64:
    """The rigid move (7,) that brings points (M,3) closest to others, one by one."""
    a, b = start.mean(0), now.mean(0)
    spread = ((now - b)[:, :, None] * (start - a)[:, None, :]).sum(0)
    # Points on a line leave the turn about it open; a billionth of "don't turn" decides, far above rounding.
    q = nearest_rotation(spread + 1e-9 * np.abs(spread).sum() * np.eye(3))
    return np.concatenate([b - rotate(q, a), q])


def transform(tracks: Tracks, T: ArrayLike, scale: float = 1.0) -> Tracks:
    """The same motion in the axes that splats.transform takes its Gaussians to: x → R (scale · x) + t."""
    move = similarity(T, scale)
    # The axis turns along; in a mirror the same turn about it goes the other way.
    quats = np.concatenate([tracks.poses[..., 3:4], move.hand * move.directions(tracks.poses[..., 4:])], -1)
    places = move.points(tracks.poses[..., :3]) - rotate(quats, move.t)
    return Tracks(tracks.object_id, tracks.times_s, np.concatenate([places, quats], -1))


def checked(tracks: Tracks, where: str) -> Tracks:
    """The same, or a SceneError that says what is not as Tracks describes it."""
    ids, times, poses = tracks.object_id, tracks.times_s, tracks.poses
    if poses.shape != (len(ids), len(times), 7) or ids.ndim != 1 or times.ndim != 1 or not len(times):
        raise SceneError(
            f"{where}: poses {poses.shape} must be (K,T,7) for {len(ids)} object_id and {len(times)} times"
        )
    if len(np.unique(ids)) != len(ids) or (ids == 0).any():
        raise SceneError(f"{where}: object_id must be distinct and not 0, which means no object")
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise SceneError(f"{where}: times_s must be finite and increase")
    bad = ~np.isfinite(poses).all(2) | (np.abs((poses[..., 3:] ** 2).sum(2) - 1) > 1e-3)
    if bad.any():
        k, t = (int(i) for i in np.argwhere(bad)[0])
        raise SceneError(f"{where}: poses[{k}, {t}] must be finite, with a unit quaternion wxyz at its end")
    return tracks


def load(path: Path) -> Tracks:
    """The tracks in a `tracks.npz`: object_id (K,), times_s (T,), poses (K,T,7)."""
    arrays = read_npz(path, ("object_id", "times_s", "poses"), max_values=7 * MAX_POSES)
    ids = arrays["object_id"]
    if ids.dtype.kind not in "iu" or (ids < 0).any() or (ids > np.iinfo(np.uint32).max).any():
        raise SceneError(f"{path}: object_id must be whole numbers from 1")
    return checked(
        Tracks(ids.astype(np.uint32), arrays["times_s"].astype(float), arrays["poses"].astype(float)), str(path)
    )


def save(tracks: Tracks, path: Path) -> None:
    """Write a `tracks.npz`."""
    out = BytesIO()
    np.savez(out, object_id=tracks.object_id, times_s=tracks.times_s, poses=tracks.poses)
    write_atomic(path, out.getvalue())
