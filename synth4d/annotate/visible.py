"""What an id image shows of each object: how many pixels, and in which box."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from synth4d.types import F64, U16


def visible(ids: U16, table: list[int]) -> tuple[F64, F64]:
    """ids (T,H,W) → pixel counts (T,N) and tight boxes (T,N,4) [x0,y0,x1,y1) of the ids in `table`.

    Boxes of objects without a pixel are NaN.
    """
    T, n = len(ids), len(table)
    rank = np.zeros(65536, np.uint16)
    rank[table] = np.arange(1, n + 1)
    counts, boxes = np.zeros((T, n)), np.full((T, n, 4), np.nan)
    for t in range(T):
        ranks = rank[ids[t]]
        counts[t] = np.bincount(ranks.ravel(), minlength=n + 1)[1 : n + 1]
        for i, found in enumerate(ndimage.find_objects(ranks, max_label=n)):
            if found is not None:
                ys, xs = found
                boxes[t, i] = xs.start, ys.start, xs.stop, ys.stop
    return counts, boxes
