"""The world as a script sees it: what there is by id, where props stand, what is open, on, filled."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from synth4d.geometry import apply_pose, invert_pose, rotate
from synth4d.physics import Sim
from synth4d.types import F64, Body, Place, World

UP = np.array([0.0, 0.0, 1.0])
FLOOR_SLACK_M = 0.04
"""A prop whose foot is within this height of a place's floor stands there."""


class Stage:
    """Read-only questions about a world and the present state of its simulation."""

    def __init__(self, world: World, sim: Sim) -> None:
        self.world, self.sim = world, sim
        self.bodies: dict[int, Body] = {b.id: b for b in world.bodies if b.id}
        self.by_name = {b.name: b for b in world.bodies}
        self._standing: tuple[float, dict[int, Place]] | None = None
        self.places = {p.name: p for p in world.places}
        self.free = [self.by_name[n] for n in world.free]
        self.switches = {s.part: s for s in world.switches}
        self.openable = [b for b in self.bodies.values() if b.joint and b.id not in self.switches]

    def pose(self, id: int) -> F64:
        return self.sim.pose(self.bodies[id].name)

    def centre(self, id: int) -> F64:
        return apply_pose(self.pose(id), np.array(self.bodies[id].box_center))

    def tilt(self, id: int) -> float:
        """Angle between the body's up and the world's, radians; 0 for round things, which have no up."""
        if self.bodies[id].name in self.world.rolls:
            return 0.0
        return float(np.arccos(np.clip(rotate(self.pose(id)[3:], UP)[2], -1, 1)))

    def openness(self, id: int) -> float:
        """0 shut .. 1 fully open, from the joint."""
        joint = self.bodies[id].joint
        assert joint is not None
        return float((self.sim.joint(joint.name) - joint.closed) / (joint.open - joint.closed))

    def standing(self) -> dict[int, Place]:
        """The place each prop stands in: the smallest whose floor is under its foot. Kept until time moves on."""
        now = self.sim.time
        if self._standing is None or self._standing[0] != now:
            self._standing = (now, self._find_places())
        return self._standing[1]

    def place_of(self, id: int) -> Place | None:
        return self.standing().get(id)

    def _find_places(self) -> dict[int, Place]:
        feet = self.sim.poses([b.name for b in self.free])[:, :3]
        best: dict[int, tuple[float, Place]] = {}
        for place in self.world.places:
            local = apply_pose(invert_pose(self.pose(place.body)), feet)
            low, high = np.array(place.low), np.array(place.high)
            top = high[2] if place.inside else low[2] + FLOOR_SLACK_M
            level = (local[:, 2] >= low[2] - 0.03) & (local[:, 2] <= top)
            over = level & ((local[:, :2] >= low[:2] - 0.01) & (local[:, :2] <= high[:2] + 0.01)).all(1)
            area = float(np.prod(high[:2] - low[:2]))
            for k in np.flatnonzero(over):
                id = self.free[k].id
                if id != place.body and (id not in best or area < best[id][0]):
                    best[id] = (area, place)
        return {id: place for id, (_, place) in best.items()}

    def reachable(self, place: Place) -> bool:
        """Its gate is open; a place on or in a prop must itself stand in the open."""
        if self.bodies[place.body].role == "prop":
            under = self.place_of(place.body)
            return under is not None and not under.inside and self.tilt(place.body) < 0.1
        return place.gate is None or self.openness(place.gate) > 0.55

    def holding(self, id: int) -> list[int]:
        """Props that stand on or in this body."""
        return [prop for prop, place in self.standing().items() if place.body == id]

    def near(self, ids: Iterable[int], point: F64, within: float) -> list[int]:
        return [i for i in ids if float(np.linalg.norm(self.centre(i) - point)) <= within]


def footprint(body: Body) -> tuple[float, float]:
    """Radius and height of the upright cylinder around a prop."""
    half, centre = np.array(body.box_size) / 2, np.array(body.box_center)
    reach = np.abs(centre[:2]) + half[:2]
    return float(np.hypot(*reach)) if max(reach) > 1.4 * min(reach) else float(max(reach) * 1.05), float(
        centre[2] + half[2]
    )
