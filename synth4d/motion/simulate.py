"""Carry a script out under physics, watch what really happens, and refuse what did not."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from synth4d import seeds
from synth4d.errors import CannotHappen
from synth4d.motion import check, endings, hands, led, liquid, script
from synth4d.motion.moves import Carry, Move, Servo
from synth4d.motion.script import Planned
from synth4d.motion.stage import Stage
from synth4d.physics import Sim
from synth4d.physics.mjcf import TIMESTEP_S
from synth4d.types import F64, Event, Place, Shot, Timeline, World

REST_SPEED = 0.03
IDLE_SPEED = 1e-4
"""m/s or rad/s below which nothing moves until a hand comes: what creeps through contacts does no more."""
TWIN_ATTEMPTS = 4
STILL = ("static", "control")
"""Kinds of shots in which nothing happens."""
Row = tuple[F64, F64, F64, F64, F64]
"""Poses, joints, levels, support, inside."""


def simulate(world: World, shot: Shot, *, attempt: int = 0, whatif: float = 0.0) -> Timeline:
    """The timeline of a shot; a share `whatif` of shots is played once more without one event, for its `endings`.
    Raises CannotHappen with the reason when the script can't be carried out."""
    rng, stage = seeds.rng(shot.run_seed, shot.scene, shot.key, "script", attempt), at_rest(world)
    duration = (shot.frames - 1) / shot.fps
    planned = write_script(stage, shot, duration, rng, attempt)
    instead = tuple(_planned_event(stage, p) for p in _siblings(stage, shot, duration, attempt))
    dice = seeds.rng(shot.run_seed, shot.scene, shot.key, "whatif", attempt)
    asked = bool(planned) and dice.random() < whatif
    run = Run(stage, planned, shot, attempt, forks=asked)
    timeline = run.timeline()
    return replace(timeline, endings=endings.draw(run, timeline, dice) if asked else (), instead=instead)


def at_rest(world: World) -> Stage:
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    return Stage(world, sim)


def write_script(stage: Stage, shot: Shot, duration: float, rng: np.random.Generator, attempt: int) -> list[Planned]:
    """The events to come: none for still shots; for a twin, one of its sibling's events with another outcome, or, after
    TWIN_ATTEMPTS of those, other events."""
    if shot.kind in STILL:
        return []
    sibling = _siblings(stage, shot, duration, attempt)
    for k in rng.permutation(len(sibling)) if sibling else ():
        other = script.variant(stage, sibling[int(k)], rng)
        timed = script.schedule([other], duration, rng) if other else None
        if timed:
            return timed
    return script.draft(stage, duration, rng)


def _siblings(stage: Stage, shot: Shot, duration: float, attempt: int) -> list[Planned]:
    """The first script of the shot that this one is a twin of; of the last attempts none."""
    if shot.kind != "twin" or not shot.twin_of or attempt >= TWIN_ATTEMPTS:
        return []
    return script.draft(stage, duration, seeds.rng(shot.run_seed, shot.scene, shot.twin_of, "script", 0))


def _planned_event(stage: Stage, p: Planned) -> Event:
    place = stage.places[p.place] if p.place else None
    source, target = (None, p.other) if p.kind == "pour" else (p.other, place.body if place else None)
    value = p.value if p.kind in ("open", "close") else None
    inside = bool(place and place.inside)
    return Event(p.kind, p.object, p.start_s, p.end_s, None, value, source, target, inside)


class Run:
    """One pass over the clip: drives the moves, records frames, then checks every event."""

    def __init__(self, stage: Stage, planned: list[Planned], shot: Shot, attempt: int, *, forks: bool = False) -> None:
        self.stage, self.sim, self.shot, self.attempt = stage, stage.sim, shot, attempt
        self.planned = planned
        self.moves: dict[int, Move] = {}
        self.courses: dict[int, tuple[int, list[Any]]] = {}
        """By event the step it began in and what its hand wants from then on."""
        self.steps = 0
        self.busy_s = -1.0
        """When the last of the events that began ends."""
        self.next_s = self._next_start()
        self.sources: dict[int, Place | None] = {}
        self.began: dict[int, F64] = {}
        self.still_since: dict[int, float] = {}
        self.levels = {c: v for c, v in zip(stage.world.controls, stage.world.start_levels, strict=True)}
        self.before, self.recorded = check.resting(stage), list[Row]()
        self.forking, self.forks = forks, dict[int, Run]()
        """By event this run without it, as it stood at the last frame before."""
        self.vessels = tuple(i for i, b in enumerate(stage.world.bodies) if b.vessel)
        self.vessel_rows = self.sim.rows([stage.world.bodies[i].name for i in self.vessels])
        self.follows = bool(self.vessels) and stage.world.liquid is not None
        self.ways: list[tuple[float, F64, F64]] = []
        """When the vessels were where and which way up."""
        for body in stage.world.bodies:
            if body.joint:
                self.sim.lock(body.joint.name, True)

    @property
    def times(self) -> F64:
        return np.arange(self.shot.frames) / self.shot.fps

    def rows(self) -> Row:
        """(T,…) poses, joints, levels, support, inside of the whole clip, checked."""
        times, rows = self.times, self.recorded
        for t in times[len(rows) :].tolist():
            for k, p in enumerate(self.planned if self.forking else ()):
                if k not in self.forks and p.start_s < t:
                    self.forks[k] = self._fork(k)
            rows.append(self._frame(t) if self._advance(t) or not rows else rows[-1])
            if len(rows) > 1:
                check.parts(self.stage, self.planned, (times[len(rows) - 2], t), rows[-2][1], rows[-1][1])
        check.bystanders(self.stage, self.planned, self.before)
        for k, p in enumerate(self.planned):
            check.event(self.stage, self.planned, p, self.moves.get(k), self.still_since.get(k))
        poses, joints, levels, support, inside = (np.array(c) for c in zip(*rows, strict=True))
        return poses, joints, levels, support, inside

    def timeline(self) -> Timeline:
        world, times = self.stage.world, self.times
        poses, joints, levels, support, inside = self.rows()
        kept = partial(check.kept, self.stage, self.planned)
        flow = liquid.flow(world, times, poses, self._track(), kept)
        pours = {k: check.poured(self.stage, p, flow) for k, p in enumerate(self.planned) if p.kind == "pour"}
        return Timeline(
            times_s=times, poses=poses, joints=joints, levels=levels, fill=flow.fill,
            support=support.astype(np.uint16), inside=inside.astype(np.uint16), particles=flow.particles,
            particle_id=np.full(flow.particles.shape[1], world.liquid or 0, np.uint16), particle_radius_m=flow.radius,
            particle_velocity=flow.velocities, particle_vessel=flow.vessel,
            events=(
                *(self._event(k, p, pours.get(k)) for k, p in enumerate(self.planned)),
                *led.events(self.stage, times, poses, support, inside),
            ),
        )  # fmt: skip

    def _fork(self, k: int) -> Run:
        """The same, up to now, without an event that has yet to begin, and blind to liquid."""
        fork = copy.copy(self)
        fork.planned = [p for i, p in enumerate(self.planned) if i != k]
        for name in ("sim", "stage", "moves", "courses", "sources", "began", "still_since", "levels", "recorded"):
            setattr(fork, name, copy.copy(getattr(self, name)))
        fork.stage.sim = fork.sim
        fork.forking = fork.follows = False
        fork.forks = {}  # its own: with this run's it would hold itself, and its state wait for the garbage collector
        fork.next_s = fork._next_start()
        return fork

    # ---- Moving ------------------------------------------------------------------------------

    def _advance(self, until: float) -> bool:
        """Let time go by; → whether anything moved in it."""
        sim, before = self.sim, self.steps
        leads = bool(self.stage.world.tracks) and self.shot.kind not in STILL
        while (t := sim.time) < until - TIMESTEP_S / 2:
            if t > self.busy_s and (idle := self._idle(t, until)) > 0:
                self._follow_vessels(t)
                sim.wait(idle)
                continue
            if t >= self.next_s:
                self._begin_due(t)
            for k, move in self.moves.items():
                move.drive(sim, self._wanted(k))
            if leads:
                led.lead(sim, self.stage.world, t + TIMESTEP_S)
            self._follow_vessels(t)
            sim.step()
            if int(t / TIMESTEP_S) % 10 == 0:
                self._watch(t)
            self.steps += 1
        return self.steps > before

    def _idle(self, t: float, until: float) -> int:
        """Steps until something is to happen, where nothing moves."""
        if self.stage.world.tracks or not self.sim.still(IDLE_SPEED):
            return 0
        return int((min(until, self.next_s) - t) / TIMESTEP_S)

    def _wanted(self, k: int) -> Any:
        """What the hand of an event wants in this step."""
        began, course = self.courses[k]
        step = self.steps - began
        return course[step] if step < len(course) else course[-1]

    def _follow_vessels(self, t: float) -> None:
        if self.follows:
            self.ways.append((t, *self.sim.places_at(self.vessel_rows)))

    def _track(self) -> liquid.Track:
        self._follow_vessels(self.sim.time)
        if not self.ways:
            return liquid.Track(self.vessels, np.array([0.0, 1.0]), np.zeros((2, len(self.vessels), 7)))
        times, *ways = zip(*self.ways, strict=True)
        places, quats = (np.concatenate(w).reshape(len(times), len(self.vessels), -1) for w in ways)
        return liquid.Track(self.vessels, np.array(times), np.concatenate([places, quats], 2))

    def _begin_due(self, t: float) -> None:
        for k, p in enumerate(self.planned):
            if k not in self.moves and t >= p.start_s:
                self._begin(k, p)
        self.next_s = self._next_start()

    def _next_start(self) -> float:
        """When the next event begins."""
        return min((p.start_s for k, p in enumerate(self.planned) if k not in self.moves), default=np.inf)

    def _begin(self, k: int, p: Planned) -> None:
        self.sources[k] = self.stage.place_of(p.object)
        self.began[k] = self._value(p)
        about = self.shot.run_seed, self.shot.scene, self.shot.key, "hand", self.attempt
        # Each event has dice of its own, so that the others go on as they would when one is left out.
        (move,) = hands.begin(self.stage, p, seeds.rng(*about, p.kind, p.object, round(p.start_s * 1000)))
        if isinstance(move, Servo):
            self.sim.lock(move.joint.name, False)
        self.moves[k] = move
        left = int((p.end_s - self.sim.time) / TIMESTEP_S) + 2
        self.courses[k] = self.steps, [*move.course(self.sim.times(left))]
        self.busy_s = max(self.busy_s, p.end_s)

    def _value(self, p: Planned) -> F64:
        joint = self.stage.bodies[p.object].joint
        return np.array(self.sim.joint(joint.name) if joint else 0.0)

    def _watch(self, t: float) -> None:
        """A hand that hits something else is a failed shot."""
        if not self.sim.finite():
            raise CannotHappen("the simulation became unstable")
        for k, p in enumerate(self.planned):
            move = self.moves.get(k)
            if isinstance(move, Carry) and move.away(self._wanted(k)) > hands.LEFT_M:
                hit = self.sim.touching(move.body)
                if hit:
                    raise CannotHappen(f"{move.body} hit {hit[0].removeprefix('raw:')} while it was carried")
            if move is None or isinstance(move, Servo) or p.kind not in ("knock_over", "drop", "push"):
                continue
            if k not in self.still_since or self.sim.speed(move.body) > REST_SPEED:
                self.still_since[k] = t

    # ---- Recording ---------------------------------------------------------------------------

    def _frame(self, t: float) -> Row:
        world, sim = self.stage.world, self.sim
        self._follow_switches()
        poses = sim.poses([b.name for b in world.bodies])
        joints = np.array([sim.joint(b.joint.name) if b.joint else np.nan for b in world.bodies])
        held = {p.object for k, p in enumerate(self.planned) if k in self.moves and self._held(k, t)}
        support, inside = np.zeros(len(world.bodies)), np.zeros(len(world.bodies))
        standing = self.stage.standing() | self.stage.places_under(self.stage.led)
        for i, body in enumerate(world.bodies):
            place = None if body.id in held else standing.get(body.id)
            if place is not None:
                (inside if place.inside else support)[i] = place.body
        return poses, joints, np.array([self.levels[c] for c in world.controls]), support, inside

    def _follow_switches(self) -> None:
        for part, switch in self.stage.switches.items():
            self.levels[switch.control] = float(self.stage.openness(part) > 0.5)

    def _held(self, k: int, t: float) -> bool:
        move = self.moves[k]
        return isinstance(move, Carry) and move.start_s <= t < move.end_s

    # ---- Telling -----------------------------------------------------------------------------

    def _event(self, k: int, p: Planned, pour: check.Poured | None) -> Event:
        kind, end = p.kind, round(self.still_since.get(k, p.end_s - 0.02) + 0.02, 3)
        if kind in ("open", "close"):
            return Event(kind, p.object, round(p.start_s, 3), end, float(self.began[k]), self._final(p))
        if kind in ("turn_on", "turn_off"):
            return Event(kind, p.object, round(p.start_s, 3), end, source=p.other)
        if pour is not None:
            start, end = round(pour.start_s, 3), round(pour.end_s, 3)
            return Event(kind, p.object, start, end, pour.before, pour.after, target=p.other)
        source, place = self.sources[k], self.stage.place_of(p.object)
        return Event(
            kind, p.object, round(p.start_s, 3), end, source=source.body if source else None,
            target=place.body if place else None, inside=bool(place and place.inside),
        )  # fmt: skip

    def _final(self, p: Planned) -> float:
        """Joint value when the event ended: where it was aimed, which `check.event` has confirmed."""
        return float(p.value if p.value is not None else 0.0)
