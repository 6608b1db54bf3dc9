"""On or off, from the pixels alone: a glow, a lamp that shines, a room that grows dark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth4d.annotate.pixels_cloud import Points
from synth4d.records import ObjectFact
from synth4d.types import F64, Clip

GLOW, DARK = 0.2, 0.08
"""A burner glows when its redness, (R − (G+B)/2) / 255, exceeds the one, and does not below the other."""
SHINES, DULL = 0.9, 0.6
"""A lamp whose own luma (0..1) is above the one is on, below the other it is off."""
STEP = 0.012
"""A switched light changes the blue (0..1) of most fixtures by more than this between two frames."""
DRIFT = 3.0
"""…and by more than this many times what the camera's motion does to it."""
LUMINAIRES = ("lamp", "light")
"""What has one of these words in its category lights the room; other switchable things glow."""


def is_on(thing: ObjectFact, clip: Clip, points: Points, room: list[bool | None]) -> list[bool | None]:
    """(T,) of a switchable thing; `room` is what `lit` says of the clip."""
    if not is_luminaire(thing):
        return _glows(clip, points)
    if room[0] is not None:
        return room
    luma = _medians(_luma(clip.rgb[points.frame, points.y, points.x]), points, len(clip.ids))
    return [True if v > SHINES else False if v < DULL else None for v in luma]


def is_luminaire(thing: ObjectFact) -> bool:
    return thing.switchable and any(word in thing.category for word in LUMINAIRES)


def lit(clip: Clip, walls: list[Points]) -> list[bool | None]:
    """(T,) whether the room's light is on: known where it is seen to be switched in the clip, else all null.

    Judged by the blue of the fixtures (`walls`), which a glowing burner does not change: between two frames
    nearly half of them, and five at least, must change alike, and hardly any the other way. A door that opens
    shades a few, and gradually.
    """
    T = len(clip.ids)
    steps = np.array([s for p in walls if (s := np.diff(_blue(clip, p))).size and np.isfinite(s).any()])
    if not len(steps):
        return [None] * T
    known = np.isfinite(steps).sum(axis=0)
    least = np.maximum(STEP, DRIFT * np.nanmedian(np.abs(steps), axis=1))[:, None]
    up, down = (steps > least).sum(axis=0), (steps < -least).sum(axis=0)
    more = np.maximum(up, down)
    switched = np.flatnonzero((more >= np.maximum(5, 0.45 * known)) & (np.minimum(up, down) <= 0.15 * known))
    ways = up[switched] > down[switched]
    if not len(switched) or (ways[1:] == ways[:-1]).any():
        return [None] * T
    out: list[bool | None] = [bool(~ways[0])] * T
    for t, way in zip(switched.tolist(), ways.tolist(), strict=True):
        out[t + 1 :] = [way] * (T - t - 1)
    return out


def _blue(clip: Clip, points: Points) -> F64:
    """(T,) mean blue of a thing, 0..1; NaN where few points show it."""
    values = clip.rgb[points.frame, points.y, points.x, 2] / 255
    count = np.bincount(points.frame, minlength=len(clip.ids))
    return np.where(count >= 20, np.bincount(points.frame, values, len(clip.ids)) / np.maximum(count, 1), np.nan)


def _glows(clip: Clip, points: Points) -> list[bool | None]:
    redness = _medians(_redness(clip, points), points, len(clip.ids))
    return [True if v > GLOW else False if v < DARK else None for v in redness]


def _luma(rgb: NDArray[np.uint8]) -> F64:
    """(...,3) → (...) in 0..1, Rec. 709 weights on display values."""
    return np.asarray((rgb[..., 0] * 0.2126 + rgb[..., 1] * 0.7152 + rgb[..., 2] * 0.0722) / 255)


def _redness(clip: Clip, points: Points) -> F64:
    rgb = clip.rgb[points.frame, points.y, points.x].astype(float) / 255
    return np.asarray(rgb[:, 0] - (rgb[:, 1] + rgb[:, 2]) / 2)


def _medians(values: F64, points: Points, frames: int) -> F64:
    """(T,) median over the points inside an object's outline (its edge mixes with what is behind); NaN = few."""
    out = np.full(frames, np.nan)
    for t in points.frames.tolist():
        rows = points.rows(t, t)
        own = values[rows][~points.border[rows]]
        if len(own) >= 8:
            out[t] = np.median(own)
    return out
