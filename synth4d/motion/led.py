"""Things that move as they were captured: where they are at a time, and what that looks like as events."""

from __future__ import annotations

import numpy as np

from synth4d.geometry import compose, invert_pose
from synth4d.motion.stage import Stage
from synth4d.physics import Sim
from synth4d.types import F64, Event, Track, World

STILL_M, STILL_RAD = 0.004, 0.03
"""Between two frames a thing that moves and turns less is at rest: captures tremble."""
MOVED_M = 0.05
"""A thing that rests so near where it was has not been moved."""


def pose_at(track: Track, t: float) -> F64:
    """(7,) between the frames of a track: straight, and the shorter turn; at rest before and after it."""
    times = track.times_s
    k = int(np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 1))
    if k == len(times) - 1 or t <= times[0]:
        return np.array(track.poses[k])
    s = (t - times[k]) / (times[k + 1] - times[k])
    mixed = (1 - s) * track.poses[k] + s * track.poses[k + 1]
    return np.concatenate([mixed[:3], mixed[3:] / np.sqrt((mixed[3:] ** 2).sum())])


def lead(sim: Sim, world: World, t: float) -> None:
    """Put everything that moves as captured where it is at a time."""
    for track in world.tracks:
        sim.lead(track.body, pose_at(track, t))


def events(stage: Stage, times: F64, poses: F64, support: F64, inside: F64) -> list[Event]:
    """A `move` from each rest to the next, where they are MOVED_M apart; `poses` (T,B,7), support and inside (T,B)."""
    out = []
    index = {b.name: i for i, b in enumerate(stage.world.bodies)}
    for track in stage.world.tracks:
        i = index[track.body]
        for start, end in _moves(poses[:, i]):
            if np.sqrt(((poses[end, i, :3] - poses[start, i, :3]) ** 2).sum()) < MOVED_M:
                continue
            before, after = (int(inside[f, i] or support[f, i]) or None for f in (start, end))
            now = bool(inside[end, i])
            span = float(times[start]), float(times[end])
            out.append(Event("move", stage.by_name[track.body].id, *span, source=before, target=after, inside=now))
    return out


def _moves(poses: F64) -> list[tuple[int, int]]:
    """Frames between which a thing moves without a rest."""
    apart = compose(invert_pose(poses[:-1]), poses[1:])
    far = np.sqrt((apart[:, :3] ** 2).sum(1)) > STILL_M
    far |= 2 * np.arccos(np.clip(np.abs(apart[:, 3]), 0, 1)) > STILL_RAD
    edges = np.flatnonzero(np.diff(np.concatenate([[False], far, [False]]).astype(int)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
