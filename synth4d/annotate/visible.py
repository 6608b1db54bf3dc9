"""What an id image shows of each object: how many pixels, in which box, and which lies deepest inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.types import F64, U16


def visible(ids: U16, table: list[int]) -> tuple[F64, F64]:
    """ids (T,H,W) → pixel counts (T,N) and tight boxes (T,N,4) [x0,y0,x1,y1) of the ids in `table`.

    Boxes of objects without a pixel are NaN.
    """
    (T, _, W), n = ids.shape, len(table)
    rank = np.zeros(65536, np.int64)
    rank[table] = np.arange(1, n + 1)
    # Runs of one id along a row are a few in a hundred of the pixels.
    flat = ids.ravel()
    ends = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=ends[:-1])
    ends[W - 1 :: W] = True
    stop = np.flatnonzero(ends) + 1
    start = np.concatenate([[0], stop[:-1]])
    what = rank[flat[start]]
    start, stop, what = start[what > 0], stop[what > 0], what[what > 0] - 1
    frame, y = np.divmod(start // W, ids.shape[1])
    cell = frame * n + what
    counts: F64 = np.bincount(cell, stop - start, minlength=T * n).reshape(T, n).astype(float)
    boxes = np.tile([np.inf, np.inf, -np.inf, -np.inf], (T * n, 1))
    left = start % W
    np.minimum.at(boxes[:, 0], cell, left)
    np.minimum.at(boxes[:, 1], cell, y)
    np.maximum.at(boxes[:, 2], cell, left + stop - start)
    np.maximum.at(boxes[:, 3], cell, y + 1)
    boxes[~np.isfinite(boxes)] = np.nan
    return counts, boxes.reshape(T, n, 4)


BLOCKS = 192
"""Depths inside masks are measured in blocks of pixels, at least so many across the picture."""


def deepest(ids: U16, table: list[int]) -> F64:
    """ids (T,H,W) → (T,N,3) [x, y, r]: the pixel deepest inside each object's mask; all pixels no more than r
    columns and rows from it are the object's too. NaN where what is seen is thinner than two blocks."""
    from scipy.ndimage import distance_transform_cdt

    (T, H, W), n = ids.shape, len(table)
    size = max(1, W // BLOCKS)
    rank = np.zeros(65536, np.int64)
    rank[table] = np.arange(1, n + 1)
    out = np.full((T, n + 1, 3), np.nan)
    h, w = H // size, W // size
    for t, image in enumerate(ids):
        edge = outline(image)[: h * size, : w * size].reshape(h, size, w, size)
        away = distance_transform_cdt(~edge.any(axis=(1, 3)), "chessboard").ravel().astype(np.int64)
        deep = np.flatnonzero(away)
        y, x = np.divmod(deep, w)
        whose = rank[image[y * size, x * size]]
        # Of equally deep ones the first in reading order.
        best = np.full(n + 1, -1, np.int64)
        np.maximum.at(best, whose, away[deep] * away.size + (away.size - 1 - deep))
        have = np.flatnonzero(best >= 0)
        r, place = np.divmod(best[have], away.size)
        y, x = np.divmod(away.size - 1 - place, w)
        out[t, have] = np.stack([x * size, y * size, (r - 1) * size], -1)
    return out[:, 1:]


def outline(ids: U16) -> NDArray[np.bool_]:
    """(H,W) pixels with a neighbour of another id, and those at the frame's edge."""
    out = np.ones(ids.shape, bool)
    mid = ids[1:-1, 1:-1]
    out[1:-1, 1:-1] = (
        (ids[:-2, 1:-1] != mid) | (ids[2:, 1:-1] != mid) | (ids[1:-1, :-2] != mid) | (ids[1:-1, 2:] != mid)
    )
    return out
