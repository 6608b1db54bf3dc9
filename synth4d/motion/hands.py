"""From a planned event to the moves that carry it out, given the state in which it starts."""

from __future__ import annotations

import numpy as np

from synth4d import vessel as vessels
from synth4d.errors import CannotHappen
from synth4d.geometry import apply_pose, invert_pose, quat_from_axis_angle, quat_mul, rotate
from synth4d.motion.moves import Carry, Move, Servo, Shove, Topple, polyline, smooth
from synth4d.motion.script import Planned
from synth4d.motion.stage import UP, Stage, footprint
from synth4d.types import F64, Body, Place

CLEAR_M = 0.06
"""How far a carried prop passes over what lies between."""
RELEASE_M = 0.004
DROP_FROM_M = 0.16
TOPPLE_RATE = 3.0
"""rad/s while tipping."""
LEFT_M = 0.035
"""A carried prop this far from both ends of its way touches nothing."""
ROUTES = 8
SPOT_TRIES = 40


def begin(stage: Stage, planned: Planned, rng: np.random.Generator) -> list[Move]:
    """The moves of an event. Raises CannotHappen where there is no room for it."""
    if planned.kind in ("open", "close", "turn_on", "turn_off"):
        return [_work(stage, planned)]
    if planned.kind == "push":
        return [_push(stage, planned, rng)]
    if planned.kind == "knock_over":
        return [_knock(stage, planned, rng)]
    if planned.kind == "pour":
        return [_tip(stage, planned)]
    return [_carry(stage, planned, rng)]


def _work(stage: Stage, planned: Planned) -> Servo:
    part = planned.other if planned.other is not None else planned.object
    joint = stage.bodies[part].joint
    assert joint is not None
    goal = planned.value if planned.value is not None else (joint.open if planned.kind == "turn_on" else joint.closed)
    sim = stage.sim
    return Servo(joint, sim.joint(joint.name), goal, planned.start_s, planned.end_s, sim.joint_inertia(joint.name))


def _push(stage: Stage, planned: Planned, rng: np.random.Generator) -> Shove:
    body = stage.bodies[planned.object]
    here, pose = stage.place_of(planned.object), stage.pose(planned.object)
    radius, height = footprint(body)
    for _ in range(SPOT_TRIES):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.22)
        way = np.array([np.cos(angle), np.sin(angle)])
        goal = pose[:3] + np.array([*(way * reach), 0.0])
        ends = goal + np.array([*(way * (radius + 0.02)), 0.0])
        if here is None or not _within(stage, here, goal, radius * 0.5) or not _within(stage, here, ends, 0.0):
            continue
        if _clear(stage, body, pose, goal, radius, height):
            return Shove(body.name, way * reach, planned.start_s, planned.end_s - 0.15)
    raise CannotHappen(f"no room to push {body.name}")


def _knock(stage: Stage, planned: Planned, rng: np.random.Generator) -> Topple:
    body = stage.bodies[planned.object]
    here, pose = stage.place_of(planned.object), stage.pose(planned.object)
    radius, height = footprint(body)
    for _ in range(SPOT_TRIES):
        angle = rng.uniform(0, 2 * np.pi)
        way = np.array([np.cos(angle), np.sin(angle), 0.0])
        goal = pose[:3] + way * height
        if here is not None and _within(stage, here, goal, 0.01) and _clear(stage, body, pose, goal, radius, 0.05):
            balance = float(np.arctan2(radius, body.box_center[2]))
            rate, pivot = np.cross(UP, way) * TOPPLE_RATE, pose[:3] + way * radius
            return Topple(body.name, rate, pivot, balance + 0.12, planned.start_s)
    raise CannotHappen(f"no room for {body.name} to fall")


def _carry(stage: Stage, planned: Planned, rng: np.random.Generator) -> Carry:
    body = stage.bodies[planned.object]
    pose, place = stage.pose(planned.object), stage.places[str(planned.place)]
    source = stage.place_of(planned.object)
    if not stage.reachable(place) or (source is not None and not stage.reachable(source)):
        raise CannotHappen(f"{body.name}: {place.name} is shut")
    done = planned.end_s - (0.15 if planned.kind == "move" else 0.55)
    hit = ""
    for k in range(ROUTES):
        goal = _spot(stage, body, place, rng)
        clear, turn = CLEAR_M * (1 + 1.2 * (k % 4)), float(rng.uniform(-0.5, 0.5))
        path = _route(stage, planned, pose, source, place, goal, clear, turn)
        far = np.minimum(*(np.linalg.norm(path[:, :3] - path[e, :3], axis=1) for e in (0, -1))) > LEFT_M
        hit = stage.sim.first_collision(body.name, path[far][::4])
        if not hit:
            return Carry(body.name, path, planned.start_s, done)
    raise CannotHappen(f"no way for {body.name} to {place.name}: {hit.removeprefix('raw:')} is in between")


def _route(
    stage: Stage,
    planned: Planned,
    pose: F64,
    source: Place | None,
    place: Place,
    goal: F64,
    clear: float,
    turn: float,
) -> F64:
    """Poses out of the source, over what lies between, and into the goal."""
    out, into = _way_out(stage, source, pose), _way_out(stage, place, np.concatenate([goal, pose[3:]]))
    top = max(out[-1][2], into[-1][2], pose[2] + clear, goal[2] + clear)
    over = [np.array([*out[-1][:2], top]), np.array([*into[-1][:2], top])]
    if planned.kind == "move":
        return polyline([pose[:3], *out, *over, *reversed(into), goal + UP * RELEASE_M], turn, pose[3:])
    return polyline([pose[:3], *out, *over, goal + UP * DROP_FROM_M], turn, pose[3:])


def _way_out(stage: Stage, place: Place | None, pose: F64) -> list[F64]:
    """From a spot to where a prop can travel freely: up, or a little up and then out through the front."""
    if place is None or place.enter[2] > 0.5:
        depth = (place.high[2] - place.low[2]) if place is not None and place.inside else 0.0
        return [pose[:3] + UP * (CLEAR_M + depth)]
    frame = stage.pose(place.body)
    out = rotate(frame[3:], np.array(place.enter))
    half = np.abs(np.subtract(place.high, place.low)) / 2
    centre = apply_pose(frame, (np.array(place.low) + np.array(place.high)) / 2)
    reach = float(np.dot(half, np.abs(np.array(place.enter)))) + float(np.dot(centre - pose[:3], out)) + 0.16
    lifted = pose[:3] + UP * 0.012
    return [lifted, lifted + out * reach]


def _spot(stage: Stage, body: Body, place: Place, rng: np.random.Generator) -> F64:
    """A free spot in a place for the foot of a prop, world."""
    radius, height = footprint(body)
    low, high, frame = np.array(place.low), np.array(place.high), stage.pose(place.body)
    on_prop = stage.bodies[place.body].role == "prop"
    margin = np.minimum(0.0 if on_prop and not place.inside else radius, (high[:2] - low[:2]) / 2 - 1e-6)
    others = [b for b in stage.free if b.name != body.name and b.id != place.body]
    x, y, z = stage.sim.poses([b.name for b in others])[:, :3].T
    reach, tall = np.array([footprint(b) for b in others]).reshape(-1, 2).T
    for _ in range(1 if on_prop else SPOT_TRIES):  # on or in a prop it is always the middle
        share = np.array([0.5, 0.5]) if on_prop else rng.random(2)
        xy = low[:2] + margin + share * (high[:2] - low[:2] - 2 * margin)
        foot = apply_pose(frame, np.array([*xy, low[2]]))
        beside = np.hypot(x - foot[0], y - foot[1]) > radius + reach + 0.015
        apart = (beside | (z > foot[2] + height + 0.03) | (z + tall < foot[2] - 0.005)).all()
        if apart and (on_prop or _open_above(stage, foot, radius, height, body.name)):
            return foot
    raise CannotHappen(f"no room for {body.name} at {place.name}")


def _open_above(stage: Stage, foot: F64, radius: float, height: float, name: str) -> bool:
    """No furniture in the upright cylinder over a foot: rays up and outwards from a ring."""
    base = foot + UP * 0.012
    for angle in np.arange(8) * np.pi / 4:
        side = np.array([np.cos(angle), np.sin(angle), 0.0])
        if stage.sim.ray(base + side * radius, UP, ignore=name) < height:
            return False
        if stage.sim.ray(base, side, ignore=name) < radius + 0.004:
            return False
    return True


def _within(stage: Stage, place: Place, point: F64, margin: float) -> bool:
    local = apply_pose(invert_pose(stage.pose(place.body)), point)[:2]
    return bool(
        (local >= np.array(place.low[:2]) + margin).all() and (local <= np.array(place.high[:2]) - margin).all()
    )


def _clear(stage: Stage, body: Body, pose: F64, goal: F64, radius: float, height: float) -> bool:
    """Nothing stands along a straight way over a surface."""
    way = goal - pose[:3]
    length = float(np.linalg.norm(way))
    side = np.cross(UP, way / length) * radius
    starts = [pose[:3] + UP * h + side * k for h in (0.012, height * 0.6) for k in (-1, 0, 1)]
    return all(stage.sim.ray(s, way / length, ignore=body.name) > length + radius + 0.01 for s in starts)


def _tip(stage: Stage, planned: Planned) -> Carry:
    """Lift a pouring vessel, bring its lip over the target, tip it until what shall go has gone, and put it back. On
    its way it leans back, so that nothing is spilled."""
    body, cup = stage.bodies[planned.object], stage.bodies[int(planned.other or 0)]
    assert body.vessel is not None and cup.vessel is not None
    start, mouth = stage.pose(body.id), apply_pose(stage.pose(cup.id), np.array([0, 0, cup.vessel.top_z]))
    lip, away = np.array(vessels.lip(body.vessel)), start[:2] - mouth[:2]
    away = np.array([*(away / np.linalg.norm(away)), 0.0])
    heading = np.arctan2(-away[1], -away[0]) - np.arctan2(lip[1], lip[0])
    turned = quat_from_axis_angle(UP, float(heading))
    axis = np.cross(UP, -away)
    shares, tilts = _tilts(stage, body, cup, planned)
    over = mouth + UP * LIP_ABOVE_M + away * _throw(LIP_ABOVE_M)
    apart = float(np.hypot(lip[0], lip[1])) - body.vessel.bottom_radius + _throw(LIP_ABOVE_M)
    beside = apart > cup.vessel.top_radius + 0.02  # its foot comes down past the target's rim
    table = float(stage.pose(cup.id)[2] if beside else mouth[2]) + 0.02
    high = max(over[2] + 0.04, start[2] + LIFT_M + lip[2], table + _below_lip(body, lip, LEAN_BACK))
    first, last = apply_pose(start, lip), apply_pose(np.array([*(start[:3] + UP * 0.003), *start[3:]]), lip)
    above, lifted = np.array([*(over[:2] + away[:2] * 0.05), high]), np.array([*first[:2], high])
    places = [first, lifted, above, over, over, above, lifted, last]
    poses = []
    for s in np.linspace(0, 1, TIP_POSES):
        at = _eased(s, [0.0, *TIP[:3], TIP[4], *TIP[5:], 1.0], places)
        lean = float(np.interp(s, shares, tilts))
        yaw = _eased(
            s, [0, TIP[0], TIP[1], TIP[5], TIP[6], 1], [start[3:], start[3:], turned, turned, start[3:], start[3:]]
        )
        quat = quat_mul(quat_from_axis_angle(axis, lean), yaw / np.linalg.norm(yaw))
        if (
            TIP[1] <= s <= TIP[5]
        ):  # a tall vessel that leans but a little is held higher: its foot stays above the table
            at[2] = max(at[2], table + _below_lip(body, lip, lean))
            near = max(1 - abs(at[2] - over[2]) / 0.2, 0.0) if s < TIP[2] or s > TIP[4] else 1.0
            at = at + away * near * (_throw(float(at[2] - mouth[2])) - _throw(LIP_ABOVE_M))
        poses.append(np.concatenate([at - rotate(quat, lip), quat]))
    return Carry(body.name, np.array(poses), planned.start_s, planned.end_s - 0.1, linear=True)


TIP = (0.07, 0.25, 0.35, 0.62, 0.70, 0.82, 0.96)
"""Shares of a pour's path: lifted, above the target, its lip over it, enough has run, upright again, above, back."""
LIP_ABOVE_M = 0.025
LIP_SPEED = 0.3
"""m/s at which liquid leaves a lip, as measured: the lip stays short of the mouth's middle by what it is thrown."""
LIFT_M = 0.07
LEAN_BACK = -0.35
"""rad"""
TIP_POSES = 320


def _throw(fall: float) -> float:
    """How far liquid gets from the lip while it falls so far and 2 cm into the mouth, m."""
    return LIP_SPEED * float(np.sqrt(2 * (fall + 0.02) / 9.81))


def _below_lip(body: Body, lip: F64, lean: float) -> float:
    """How far the foot of a vessel reaches below its lip when it leans towards it (rad)."""
    assert body.vessel is not None
    reach, foot = float(np.hypot(lip[0], lip[1])), body.vessel.bottom_radius + body.vessel.wall
    side = reach - foot if lean > 0 else reach + foot
    return float(lip[2] * np.cos(lean) - side * np.sin(lean))


def _tilts(stage: Stage, body: Body, cup: Body, planned: Planned) -> tuple[list[float], list[float]]:
    """Shares of the path and the lean at each (rad). While it pours, its contents shrink evenly: at each moment it
    leans so far that what is left stands over the lip by the head which that flow needs."""
    assert body.vessel is not None and cup.vessel is not None and planned.value is not None
    fill = {b.id: f for b, f in zip(stage.world.bodies, stage.world.start_fill, strict=True)}
    given = (planned.value - fill[cup.id]) * vessels.capacity(cup.vessel)
    begin, end = TIP[2], TIP[3]
    head = vessels.head(body.vessel, given / ((end - begin) * (planned.end_s - planned.start_s)))
    steps = np.linspace(0, 1, 24)
    left = fill[body.id] - steps * given / vessels.capacity(body.vessel)
    run = [vessels.lean(body.vessel, max(v, 0.0), head * smooth(u / 0.2)) for u, v in zip(steps, left, strict=True)]
    gently = np.array([smooth(u) for u in np.linspace(0, 1, 24)])
    tip, right = LEAN_BACK + (run[0] - LEAN_BACK) * gently, run[-1] + (LEAN_BACK - run[-1]) * gently
    times = [np.linspace(TIP[1] - 0.03, begin, 24), begin + (end - begin) * steps, np.linspace(end, TIP[5], 24)]
    shares = [0.0, TIP[0] / 2, TIP[0] * 1.1, *np.concatenate(times).tolist(), TIP[6], 1.0]
    return shares, [0.0, 0.0, LEAN_BACK, *tip, *run, *right, LEAN_BACK, 0.0]


def _eased(s: float, times: list[float], values: list[F64]) -> F64:
    """The value at a share of the way, at rest at each of the given ones."""
    i = max(k for k in range(len(times) - 1) if times[k] <= s + 1e-12)
    w = smooth((s - times[i]) / (times[i + 1] - times[i]))
    a, b = values[i], values[i + 1]
    if len(a) == 4 and float((a * b).sum()) < 0:
        b = -b
    return a * (1 - w) + b * w
