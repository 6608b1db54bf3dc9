"""Captured Gaussians of a world, posed with their bodies and put beside authored ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import pose_matrix
from synth4d.render.contact import Contact
from synth4d.splats import transform
from synth4d.types import F32, F64, Gaussians, Timeline, World


class Captured:
    """All captured Gaussians in world axes, body after body. Those that move are turned anew, colours and all."""

    def __init__(self, world: World, timeline: Timeline, moves: NDArray[np.bool_]) -> None:
        self._own = {i: b.captured for i, b in enumerate(world.bodies) if b.captured is not None}
        self._timeline = timeline
        ends = np.cumsum([0, *(len(g.means) for g in self._own.values())])
        self.rows = {i: slice(int(a), int(b)) for i, a, b in zip(self._own, ends[:-1], ends[1:], strict=True)}
        """Which rows are a body's."""
        self.moving = [i for i in self._own if moves[i]]
        self._still = {i: self.body(i, 0) for i in self._own if not moves[i]}
        self._contact = Contact(world, timeline)

    def body(self, i: int, frame: int) -> Gaussians:
        """The Gaussians of World.bodies[i] at a frame."""
        return transform(self._own[i], pose_matrix(self._timeline.poses[frame, i]))

    def beside(self, authored: Gaussians, frame: int) -> Gaussians:
        """The authored Gaussians, then all captured ones, at a frame."""
        own = join([self._still.get(i) or self.body(i, frame) for i in self._own])
        moving = [np.arange(self.rows[i].start, self.rows[i].stop) for i in self.moving]
        self._contact.take(own, np.concatenate([np.zeros(0, np.int64), *moving]))
        return join([authored, replace(own, colours=own.colours * self._contact.kept(frame)[:, None])])

    def colours(self, authored: F32, frame: int) -> F32:
        """(N,3) colours of the authored ones, then those of the captured."""
        if not self._own:
            return authored
        own = np.concatenate([g.colours for g in self._own.values()])
        return np.concatenate([authored, own * self._contact.kept(frame)[:, None]])

    def moved(self, frame: int) -> Iterator[tuple[slice, Gaussians]]:
        """Rows of the bodies that moved since the frame before, and their Gaussians."""
        poses: F64 = self._timeline.poses
        for i in self.moving:
            if np.any(poses[frame, i] != poses[frame - 1, i]):
                g = self.body(i, frame)
                self._contact.move(self.rows[i], g)
                yield self.rows[i], g


def join(parts: list[Gaussians]) -> Gaussians:
    """One after another; where some colours depend on the direction, those of the others don't change with it."""
    if len(parts) == 1:
        return parts[0]
    columns = ("means", "quats_wxyz", "scales", "opacities", "colours", "ids")
    merged = {name: np.concatenate([getattr(p, name) for p in parts]) for name in columns}
    terms = max(0 if p.sh is None else p.sh.shape[1] for p in parts)
    sh = np.zeros((len(merged["means"]), terms, 3), np.float32) if terms else None
    start = 0
    for p in parts:
        end = start + len(p.means)
        if sh is not None and p.sh is not None:
            sh[start:end, : p.sh.shape[1]] = p.sh
        start = end
    kinds = [np.broadcast_to(p.antialiased, len(p.means)) for p in parts]
    return replace(parts[0], **merged, sh=sh, antialiased=np.concatenate(kinds))
