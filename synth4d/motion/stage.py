"""The world as a script sees it: what there is by id, where props stand, what is open, on, filled."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from synth4d.geometry import apply_pose, quat_inv, rotate, rotmat
from synth4d.physics import Sim
from synth4d.types import F64, Body, Place, World

UP = np.array([0.0, 0.0, 1.0])
FLOOR_SLACK_M = 0.04
"""A prop whose foot is within this height of a place's floor stands there."""
SLACK_BELOW_M, SLACK_ABOVE_M = np.array([0.01, 0.01, 0.03]), np.array([0.01, 0.01, 0.0])


class Stage:
    """Read-only questions about a world and the present state of its simulation."""

    def __init__(self, world: World, sim: Sim) -> None:
        self.world, self.sim = world, sim
        self.bodies: dict[int, Body] = {b.id: b for b in world.bodies if b.id}
        self.by_name = {b.name: b for b in world.bodies}
        self._standing: tuple[float, dict[int, Place]] | None = None
        places = world.places
        self._owners = np.array([p.body for p in places])
        self._frames = sim.rows(self.bodies[p.body].name for p in places)
        self._low = (np.array([p.low for p in places]).reshape(-1, 3) - SLACK_BELOW_M).T[..., None]
        high = np.array([[*p.high[:2], p.high[2] if p.inside else p.low[2] + FLOOR_SLACK_M] for p in places])
        self._high = (high.reshape(-1, 3) + SLACK_ABOVE_M).T[..., None]
        self._area = np.prod(np.array([np.subtract(p.high[:2], p.low[:2]) for p in places]).reshape(-1, 2), axis=1)
        self.places = {p.name: p for p in world.places}
        self.free = [self.by_name[n] for n in world.free]
        self.led = [self.by_name[t.body] for t in world.tracks]
        self.switches = {s.part: s for s in world.switches}
        self.travel = np.array([abs(b.joint.open - b.joint.closed) if b.joint else np.nan for b in world.bodies])
        """(B,) how far the joint of each body goes."""
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
            self._standing = (now, self.places_under(self.free))
        return self._standing[1]

    def place_of(self, id: int) -> Place | None:
        return self.standing().get(id)

    def places_under(self, bodies: list[Body]) -> dict[int, Place]:
        """By id the smallest place whose floor is under a body's foot; what stands nowhere is left out."""
        if not bodies or not self.world.places:
            return {}
        feet, _ = self.sim.places_at(self.sim.rows(b.name for b in bodies))
        others = self._owners[:, None] != np.array([b.id for b in bodies])
        at, quats = self.sim.places_at(self._frames)
        turn = rotmat(quat_inv(quats)).T[..., None]  # (3,3,places,1), as what follows is (3,places,props)
        (a, b, c), (x, y, z) = at.T[..., None], feet.T[:, None]
        local = turn[0] * x + turn[1] * y + turn[2] * z - (turn[0] * a + turn[1] * b + turn[2] * c)
        over = ((local >= self._low) & (local <= self._high)).all(0) & others
        area = np.where(over, self._area[:, None], np.inf)
        best = np.argmin(area, axis=0)
        return {b.id: self.world.places[best[k]] for k, b in enumerate(bodies) if over[best[k], k]}

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
