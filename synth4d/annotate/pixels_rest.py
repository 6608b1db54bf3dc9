"""When a thing rests and when it moves: what was seen there is seen there again, or is gone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from synth4d.annotate.pixels_cloud import Points
from synth4d.geometry import rigid_inverse
from synth4d.types import F64, Clip

GONE = 0.12
"""It moved when this share of its points, or more, is gone."""
LAGS = (1, 3)
PROBES = 50
TOLERANCE_M = 0.01


@dataclass(frozen=True, slots=True)
class Run:
    """Frames first..last in which a thing rests; one frame while it moves."""

    first: int
    last: int
    resting: bool


def runs(clip: Clip, points: Points, moves: bool = True) -> list[Run]:
    """The frames in which the object is seen, cut where it moves; `moves` False: it never does."""
    seen = np.unique(points.frame)
    if not len(seen):
        return []
    if not moves:
        return [Run(int(seen[0]), int(seen[-1]), True)]
    moving = _moving(clip, points)
    out: list[Run] = []
    start = int(seen[0])
    for t, after in pairwise(seen):
        if after != t + 1 or moving[t]:
            out.append(Run(start, int(t), True))
            start = int(after)
    out.append(Run(start, int(seen[-1]), True))
    return [Run(r.first, r.last, not _inside_motion(r, moving)) for r in out]


def _inside_motion(run: Run, moving: F64) -> bool:
    """A single frame with motion before and after it."""
    if run.first != run.last:
        return False
    before = run.first > 0 and bool(moving[run.first - 1])
    after = run.last < len(moving) and bool(moving[run.last])
    return before and after


def _moving(clip: Clip, points: Points) -> F64:
    """(T-1,) whether it moved from frame t to t+1; False where that cannot be seen."""
    T = len(clip.ids)
    probes = _probes(points)
    moving = np.zeros(max(T - 1, 0), bool)
    for lag in LAGS:
        if lag >= T:
            continue
        gone = np.maximum(_gone(clip, probes, lag), _gone(clip, probes, -lag))
        for t in np.flatnonzero(gone >= GONE):
            if lag == 1 or not moving[t : t + lag].any():
                moving[t : t + lag] = True
    return moving


def _probes(points: Points) -> Points:
    """A few points a frame that are inside its outline."""
    inner = points.pick(np.flatnonzero(~points.border))
    starts = np.searchsorted(inner.frame, inner.frame)
    counts = np.searchsorted(inner.frame, inner.frame, side="right") - starts
    rank = np.arange(len(inner)) - starts
    step = np.maximum(counts // PROBES, 1)
    return inner.pick(np.flatnonzero(rank % step == 0))


def _gone(clip: Clip, probes: Points, lag: int) -> F64:
    """(T-|lag|,) share of an object's points that are gone when looked for `lag` frames later (or earlier);
    index = the earlier frame. 0 where too few can be looked for."""
    T, H, W = clip.ids.shape
    n = T - abs(lag)
    target = probes.frame + lag
    ok = (target >= 0) & (target < T)
    p, target = probes.pick(np.flatnonzero(ok)), target[ok]
    M = rigid_inverse(clip.camera.T_world_cam)[:, :3].transpose(1, 2, 0)[:, :, target]
    a, b, away = (m[0] * p.world[:, 0] + m[1] * p.world[:, 1] + m[2] * p.world[:, 2] + m[3] for m in M)
    z = np.maximum(away, 1e-6)
    K = clip.camera.K
    x = np.floor(K[0, 0] * a / z + K[0, 2]).astype(int)
    y = np.floor(K[1, 1] * b / z + K[1, 2]).astype(int)
    inside = (away > 0.05) & (x >= 0) & (x < W) & (y >= 0) & (y < H)
    x, y = np.clip(x, 0, W - 1), np.clip(y, 0, H - 1)
    shown = clip.depth_z_m[target, y, x]
    own = clip.ids[p.frame, p.y, p.x]
    tolerance = TOLERANCE_M + p.slope
    gone = inside & ((shown == 0) | (shown > z + tolerance))
    stays = inside & ~gone & (np.abs(shown - z) <= tolerance) & (clip.ids[target, y, x] == own)
    index = np.minimum(p.frame, target)
    lost, kept = np.bincount(index[gone], minlength=n)[:n], np.bincount(index[stays], minlength=n)[:n]
    return np.where((lost + kept >= 6) & (lost >= 3), lost / np.maximum(lost + kept, 1), 0.0)
