"""Rendered depth and ids against ray casts of the posed meshes, over shots of the kitchen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from synth4d.bench import cast, shots
from synth4d.render.clip import render
from synth4d.types import F32, U16

SHOTS = 6
FRAMES = (0, 6, 12, 18, 23)
EDGE_PX = 2
"""Pixels this close to a change of id or a jump in depth are silhouettes: there half a pixel decides."""
JUMP = 0.03
"""Relative jump in depth that is a silhouette."""


def run() -> dict[str, dict[str, object]]:
    errors, agree = [], []
    for shot, world, timeline, camera, rng in shots.filmed("kitchen", SHOTS):
        clip = render(world, timeline, camera, rng=rng)
        for f in (f for f in FRAMES if f < shot.frames):
            depth, ids = cast.frame(world, timeline, camera, f)
            inside = ~silhouette(depth, ids) & (depth > 0)
            errors.append(np.abs(clip.depth_z_m[f] - depth)[inside])
            agree.append(float(np.mean(clip.ids[f] == ids)))
    error = np.concatenate(errors)
    against = f"embree ray casts, {len(agree)} frames"
    return {
        "depth_median": row(1000 * float(np.median(error)), "mm", against),
        "depth_99": row(1000 * float(np.quantile(error, 0.99)), "mm", against),
        "ids_agree": row(100 * float(np.mean(agree)), "%", against + ", all pixels"),
        "ids_agree_worst_frame": row(100 * min(agree), "%", against + ", all pixels"),
    }


def row(value: float, unit: str, against: str) -> dict[str, object]:
    return {"value": round(value, 3), "unit": unit, "against": against, "ratio": None}


def silhouette(depth: F32, ids: U16) -> NDArray[np.bool_]:
    """(H,W) bool"""
    edge = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        a, b = (np.take(depth, np.arange(depth.shape[axis])[s], axis) for s in (slice(None, -1), slice(1, None)))
        i, j = (np.take(ids, np.arange(depth.shape[axis])[s], axis) for s in (slice(None, -1), slice(1, None)))
        step = (i != j) | (np.abs(a - b) > JUMP * np.minimum(a, b))
        pad = [(0, 0), (0, 0)]
        pad[axis] = (0, 1)
        edge |= np.pad(step, pad)
        pad[axis] = (1, 0)
        edge |= np.pad(step, pad)
    return binary_dilation(edge, iterations=EDGE_PX - 1)
