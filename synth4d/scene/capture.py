"""Captured Gaussians of one body, and what they add to a world."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from synth4d.physics import Geom, RawBody
from synth4d.scene import meshing
from synth4d.types import Body, Gaussians, Material, Name, Surface, Track, Vec3

WATCHED_S = 6.0
"""So much of a moving capture should be left when a clip of it begins."""


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """What a body has of a capture, in the body's frame."""

    gaussians: Gaussians | None
    size: Vec3
    """Of its box, which stands on the body's origin."""
    proxies: tuple[Geom, ...]
    """Shapes that stand for it in light and shadow; they are not drawn."""

    def owned(self, id: int) -> Gaussians | None:
        """Its Gaussians with a body's id."""
        g = self.gaussians
        return None if g is None else replace(g, ids=np.full(len(g.means), id, np.uint16))

    def surfaces(self) -> tuple[Surface, ...]:
        grey = Material((0.5, 0.5, 0.5))
        return tuple(replace(meshing.surface(g, grey), drawn=False) for g in self.proxies)


def walls(captures: Mapping[str, Capture], things: Collection[str]) -> list[Body]:
    """A body for what belongs to no thing of a capture."""
    room, rest = Name("room", "房间"), {n: c for n, c in captures.items() if n not in things}
    return [
        Body(n, 0, "structure", room, "structure", c.surfaces(), (0, 0, 0), (1, 1, 1), captured=c.owned(0))
        for n, c in rest.items()
    ]


def started(
    bodies: Collection[RawBody], moved: Mapping[str, Track], rng: np.random.Generator
) -> tuple[tuple[Track, ...], list[RawBody]]:
    """Tracks from some moment of the capture on, one for all, and the bodies as they are then."""
    if not moved:
        return (), list(bodies)
    start = float(rng.uniform(0, max(0.0, max(t.times_s[-1] for t in moved.values()) - WATCHED_S)))
    first = {n: max(0, int(np.searchsorted(t.times_s, start, side="right")) - 1) for n, t in moved.items()}
    tracks = tuple(
        replace(t, times_s=t.times_s[first[n] :] - t.times_s[first[n]], poses=t.poses[first[n] :])
        for n, t in moved.items()
    )
    begin = {t.body: t.poses[0] for t in tracks}
    return tracks, [replace(b, pose=begin.get(b.name, b.pose)) for b in bodies]
