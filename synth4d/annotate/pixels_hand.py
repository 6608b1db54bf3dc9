"""Which knob or switch was worked when a light or burner changed: the one whose outline turned meanwhile.

The angle of so small a part cannot be read from its points, but its outline, laid over that of half a second
later, differs only by noise unless it turned.
"""

from __future__ import annotations

import numpy as np

from synth4d.annotate.pixels_cloud import Bools
from synth4d.annotate.pixels_scene import Track
from synth4d.types import F64, U16, Clip

SMALL_M = 0.15
"""A part worked by fingers is no larger than this."""
LAG_S = 0.5
FEWEST = 40
"""An outline of fewer pixels shows nothing."""
TURNED, OVER_OTHERS = 0.06, 2.0
"""How much more of a knob's outline changes while it is turned than in the rest of the clip; and how many
times as much as any other's."""


def levers(tracks: list[Track]) -> list[Track]:
    """Small parts with a joint that are no container and whose joint value is not seen."""
    return [
        t
        for t in tracks
        if t.thing.joint is not None
        and t.thing.cavity is None
        and max(t.thing.size) <= SMALL_M
        and np.isnan(t.value).all()
    ]


def worked(clip: Clip, parts: list[Track], boxes: dict[int, F64], last: int) -> int | None:
    """Id of the one part that turned in the second around frame `last`; None where that cannot be told.
    `boxes` = visible boxes (T,4) by id."""
    lag = max(1, round(LAG_S * clip.camera.fps))
    span = slice(max(last - 2 * lag, 0), last + 1)
    excess = []
    for part in parts:
        change = _change(clip.ids, part.thing.id, boxes[part.thing.id], lag)
        rest = np.concatenate([change[: span.start], change[span.stop :]])
        if np.isfinite(change[span]).any() and np.isfinite(rest).any():
            excess.append((_plateau(change[span], lag) - float(np.nanmedian(rest)), part.thing.id))
    excess.sort(reverse=True)
    if not excess or excess[0][0] < TURNED:
        return None
    return excess[0][1] if len(excess) == 1 or excess[0][0] >= OVER_OTHERS * excess[1][0] else None


def _plateau(change: F64, width: int) -> float:
    """The largest mean of `width` neighbouring values; a turn lasts, a flicker does not."""
    values = np.nan_to_num(change)
    width = min(width, len(values))
    return max(float(values[k : k + width].mean()) for k in range(len(values) - width + 1))


def _change(ids: U16, id: int, boxes: F64, lag: int) -> F64:
    """(T,) share of a part's outline that differs `lag` frames later, after it is laid over it; NaN = unseen."""
    masks = [_outline(frame, id, box) for frame, box in zip(ids, boxes, strict=True)]
    out = np.full(len(ids), np.nan)
    for t, (a, b) in enumerate(zip(masks[:-lag], masks[lag:], strict=True)):
        if a is not None and b is not None:
            out[t] = 1 - _overlap(a, b)
    return out


def _outline(ids: U16, id: int, box: F64, half: int = 40) -> Bools | None:
    """(2·half, 2·half) mask about its centre; None for few pixels, or where it does not fit."""
    if np.isnan(box[0]):
        return None
    x0, y0, x1, y1 = box.astype(int)
    ys, xs = np.nonzero(ids[y0:y1, x0:x1] == id)
    if len(ys) < FEWEST:
        return None
    y, x = ys - round(float(ys.mean())) + half, xs - round(float(xs.mean())) + half
    if min(y.min(), x.min()) < 1 or max(y.max(), x.max()) > 2 * half - 2:
        return None
    out = np.zeros((2 * half, 2 * half), bool)
    out[y, x] = True
    return out


def _overlap(a: Bools, b: Bools) -> float:
    """Largest intersection over union of two masks, one moved by a pixel or none; neither reaches its frame's edge."""
    inner, n = a[1:-1, 1:-1], len(b) - 2
    common = max(np.count_nonzero(inner & b[y : y + n, x : x + n]) for y in range(3) for x in range(3))
    return common / (np.count_nonzero(a) + np.count_nonzero(b) - common)
