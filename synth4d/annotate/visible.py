"""What an id image shows of each object: how many pixels, and in which box."""

from __future__ import annotations

import numpy as np

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
