"""Depth and ids of a clip's middle frame as small PNGs for the page."""

from __future__ import annotations

import colorsys
import io

import numpy as np
from PIL import Image

from synth4d import codec
from synth4d.types import F32, U8, U16

RAMP = np.array([[253, 231, 37], [94, 201, 98], [33, 145, 140], [59, 82, 139], [68, 1, 84]], float)
"""Near to far; five stops of viridis."""
WIDTH = 192
NOTHING = (24, 24, 28)


def middle(depth_npz: bytes, ids_npz: bytes) -> tuple[bytes, bytes, list[tuple[int, str]]]:
    """PNGs of depth and ids, and the id picture's (id, CSS colour), largest area first."""
    depth, ids = codec.decode_depth(depth_npz), codec.decode_ids(ids_npz)
    frame = len(ids) // 2
    found, area = np.unique(ids[frame], return_counts=True)
    order = [int(found[i]) for i in np.argsort(-area, kind="stable") if found[i]]
    return (
        _png(colour_depth(depth[frame])),
        _png(colour_ids(ids[frame])),
        [(id, "#" + bytes(id_colour(id)).hex()) for id in order],
    )


def colour_depth(depth_z_m: F32) -> U8:
    """(H,W) metres → (H,W,3): near bright, far dark, nothing almost black."""
    there = depth_z_m > 0
    if not there.any():
        return np.full((*depth_z_m.shape, 3), NOTHING, np.uint8)
    near, far = np.percentile(depth_z_m[there], [1, 99])
    x = np.clip((depth_z_m - near) / max(far - near, 1e-6), 0, 1) * (len(RAMP) - 1)
    low = np.minimum(x.astype(int), len(RAMP) - 2)
    t = (x - low)[..., None]
    out: U8 = (RAMP[low] * (1 - t) + RAMP[low + 1] * t + 0.5).astype(np.uint8)
    out[~there] = NOTHING
    return out


def colour_ids(ids: U16) -> U8:
    """(H,W) → (H,W,3): a colour of its own for each id, background almost black."""
    table = np.array([id_colour(i) for i in range(int(ids.max()) + 1)], np.uint8)
    out: U8 = table[ids]
    return out


def id_colour(id: int) -> tuple[int, int, int]:
    """Hues a golden angle apart: neighbours in number are far apart in colour."""
    if id == 0:
        return NOTHING
    r, g, b = colorsys.hsv_to_rgb(id * 0.61803398875 % 1, (0.5, 0.75, 0.62)[id % 3], (0.95, 0.85, 0.7)[id // 3 % 3])
    return round(255 * r), round(255 * g), round(255 * b)


def _png(rgb: U8) -> bytes:
    image = Image.fromarray(rgb)
    image = image.resize((WIDTH, round(WIDTH * image.height / image.width)), Image.Resampling.NEAREST)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
