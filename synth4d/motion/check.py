"""What really happened, against what the script said. A shot that differs is refused, never relabelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth4d.errors import CannotHappen
from synth4d.geometry import apply_pose, invert_pose
from synth4d.motion.liquid import Flow
from synth4d.motion.moves import Move, Servo
from synth4d.motion.script import Planned
from synth4d.motion.stage import Stage
from synth4d.types import F64

I64 = NDArray[np.int64]

BUMP_M = 0.03
"""A bystander that moved more than this was hit: the shot would show an event that has no label."""
BUMP_TILT = 0.3
"""rad; the same for one that was tilted."""
FALLEN = 1.0
"""rad; knocked over lies at least this far from upright."""
SHORT = 0.04
"""A part that stopped this share of its range before its goal is blocked."""
CALM_S = 0.25
"""Everything rests at least this long before the clip ends."""


POURED, SPILLED = 0.15, 0.2
"""A pour fills at least this share of its target, and of what leaves the source at most that goes elsewhere."""
LOST = 0.04
"""A vessel from which nobody pours loses no more than this share of what it held: else it was spilled."""


@dataclass(frozen=True, slots=True, eq=False)
class Poured:
    """What a pour came to: when liquid ran, and the filled share of the target before and after."""

    start_s: float
    end_s: float
    before: float
    after: float


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """How a prop stands: its foot seen from what it stands in (things in a drawer move with it), and its tilt."""

    foot: F64
    tilt: float


def resting(stage: Stage) -> dict[int, Rest]:
    out = {}
    for body in stage.free:
        place, foot = stage.place_of(body.id), stage.pose(body.id)[:3]
        if place is not None:
            foot = apply_pose(invert_pose(stage.pose(place.body)), foot)
        out[body.id] = Rest(foot, stage.tilt(body.id))
    return out


def bystanders(stage: Stage, planned: list[Planned], before: dict[int, Rest]) -> None:
    """Raises CannotHappen when something moved that no event names."""
    named = {i for p in planned for i in (p.object, p.other)}
    worked = {p.object for p in planned}
    after = resting(stage)
    for body in stage.free:
        if body.id in named:
            continue
        place = stage.place_of(body.id)
        if place is not None and place.inside and place.body in worked:
            continue  # it slid about in a drawer that was worked: the facts say where it is
        moved = float(np.linalg.norm(after[body.id].foot - before[body.id].foot)) > BUMP_M
        if moved or place is None or abs(after[body.id].tilt - before[body.id].tilt) > BUMP_TILT:
            raise CannotHappen(f"{body.name} was bumped")


def parts(stage: Stage, planned: list[Planned], span: tuple[float, float], before: F64, now: F64) -> None:
    """Raises CannotHappen when a door or drawer moved while nobody worked it. `before` and `now` are joints (B,) at two
    frames, at the ends of `span`."""
    for i in np.flatnonzero(np.abs(now - before) / stage.travel > SHORT / 2):
        body = stage.world.bodies[i]
        mine = [p for p in planned if body.id in (p.object, p.other)]
        if not any(p.start_s < span[1] and span[0] < p.end_s for p in mine):
            raise CannotHappen(f"{body.name} was bumped")


def event(stage: Stage, planned: list[Planned], p: Planned, move: Move | None, still_since: float | None) -> None:
    """Raises CannotHappen when an event did not end as planned."""
    body = stage.bodies[p.object]
    place = stage.place_of(p.object)
    if move is None:
        raise CannotHappen(f"{p.kind} {body.name} did not begin")
    if isinstance(move, Servo):
        _worked(stage, planned, p, move)
    elif p.kind in ("move", "drop"):
        if place is None or place.name != p.place or stage.tilt(p.object) > 0.5:
            raise CannotHappen(f"{body.name} did not stay at {p.place}")
    elif p.kind == "knock_over":
        if stage.tilt(p.object) < FALLEN or place is None:
            raise CannotHappen(f"{body.name} did not fall over")
    elif place is None or stage.tilt(p.object) > BUMP_TILT:
        raise CannotHappen(f"{body.name} did not end where it should")
    if still_since is not None and still_since > stage.sim.time - CALM_S:
        raise CannotHappen(f"{body.name} was still moving at the end")


def _worked(stage: Stage, planned: list[Planned], p: Planned, move: Servo) -> None:
    part = stage.bodies[p.other or p.object]
    assert part.joint is not None
    again = any(q.object == p.object and q.start_s > p.start_s for q in planned)
    short = abs(stage.sim.joint(part.joint.name) - move.end) / abs(part.joint.open - part.joint.closed)
    if not again and short > SHORT:
        raise CannotHappen(f"{part.name} is blocked: {short:.0%} short")


def kept(stage: Stage, planned: list[Planned], before: I64, now: I64) -> None:
    """Raises CannotHappen when liquid was spilled from a vessel that is not poured from. Given are the particles in
    each body (B,) at the start and at some time since."""
    pouring = {p.object for p in planned if p.kind == "pour"}
    for i, body in enumerate(stage.world.bodies):
        lost = before[i] - now[i]
        if body.vessel is not None and body.id not in pouring and lost > max(LOST * before[i], 2):
            raise CannotHappen(f"{body.name} spilled what was in it")


def poured(stage: Stage, p: Planned, flow: Flow) -> Poured:
    """What flowed from one vessel into another. Raises CannotHappen when too little did, or too much went elsewhere."""
    order = [b.id for b in stage.world.bodies]
    source, target = order.index(p.object), order.index(int(p.other or 0))
    name, cup = stage.bodies[p.object].name, stage.bodies[int(p.other or 0)].name
    left, came = flow.counts[0, source] - flow.counts[:, source], flow.counts[:, target] - flow.counts[0, target]
    gained = came[-1] / flow.full[target]
    if gained < POURED:
        raise CannotHappen(f"{name} poured too little: {cup} gained {gained:.0%} of its volume")
    if left[-1] - came[-1] > SPILLED * left[-1]:
        raise CannotHappen(f"{name} spilled {1 - came[-1] / left[-1]:.0%} of what it poured into {cup}")
    ran = np.flatnonzero(left > 0.02 * left[-1])[0]
    landed = np.flatnonzero(came >= 0.98 * came[-1])[0]
    before, after = (float(flow.fill[f, target]) for f in (0, -1))
    return Poured(float(flow.times[max(ran - 1, 0)]), float(flow.times[landed]), before, after)
