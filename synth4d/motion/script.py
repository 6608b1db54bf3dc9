"""A script: which events happen in a shot, to what, and when. Drawn before anything moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from synth4d import vessel as vessels
from synth4d.errors import CannotHappen
from synth4d.motion.stage import Stage, footprint
from synth4d.types import F64, EventKind, Place

T = TypeVar("T")

LEAD_S, TAIL_S, GAP_S = 0.5, 0.4, 0.25
"""Nothing moves in the first and last moments, so that *before* and *after* can be seen."""
SECONDS: dict[str, tuple[float, float]] = {
    "open": (0.8, 1.3), "close": (0.7, 1.2), "turn_on": (0.5, 0.8), "turn_off": (0.5, 0.8), "move": (1.2, 1.8),
    "knock_over": (1.0, 1.2), "drop": (1.4, 1.7), "push": (0.8, 1.1), "pour": (4.6, 4.82),
}  # fmt: skip
NEAR_M = 0.95
"""Events of one shot happen within this distance of the first, so that one camera sees them."""
POUR_TO = (0.4, 0.8)
"""Filled share of a target that a pour aims at,"""
POUR_KEEPS, POUR_LEAST = 0.05, 0.25
"""while the source keeps this share of its own volume, and if the target gains at least that of its."""
POUR_REACH_M = 0.5
"""Further than this a full vessel can't be brought in the time without spilling."""
COUNTS = ((1, 0.2), (2, 0.32), (3, 0.3), (4, 0.18))


@dataclass(frozen=True, slots=True)
class Planned:
    """One event to come. Times are filled in by `schedule`."""

    kind: EventKind
    object: int
    start_s: float = 0.0
    end_s: float = 0.0
    value: float | None = None
    """open/close: the joint value aimed at. pour: the filled share of the target aimed at."""
    place: str | None = None
    """move/drop: where it goes."""
    other: int | None = None
    """turn_on/off: the part that is worked. pour: the vessel that is filled."""


Strand = list[Planned]
"""Events that follow one another; strands of one script run side by side."""


def draft(stage: Stage, duration_s: float, rng: np.random.Generator, *, first: Strand | None = None) -> list[Planned]:
    """One to four events with times. Raises CannotHappen where the layout offers nothing."""
    want = int(rng.choice([c for c, _ in COUNTS], p=[p for _, p in COUNTS]))
    strands: list[Strand] = []
    script: list[Planned] = []
    for _ in range(60):
        taken = {i for s in strands for p in s for i in _involved(stage, p)}
        count = sum(len(s) for s in strands)
        if count >= want:
            break
        strand = _strand(stage, rng, taken, _focus(stage, strands))
        if strand and count + len(strand) <= max(want, 1 if strands else len(strand)):
            trial = schedule([*strands, strand], duration_s, rng)
            if trial is not None:
                strands, script = [*strands, strand], trial
    if not script:
        raise CannotHappen("no event is possible in this layout")
    return script


def schedule(strands: list[Strand], duration_s: float, rng: np.random.Generator) -> list[Planned] | None:
    """Times for every event: strands overlap freely, events of a strand do not; None when a strand is too long."""
    out: list[Planned] = []
    room = duration_s - LEAD_S - TAIL_S
    for strand in strands:
        spans = [float(rng.uniform(*SECONDS[p.kind])) for p in strand]
        slack = room - sum(spans) - GAP_S * (len(strand) - 1)
        if slack < 0:
            return None
        # The slack is shared out at random before each event: starts differ from clip to clip.
        shares = rng.dirichlet(np.ones(len(strand) + 1)) * slack
        t = LEAD_S
        for planned, span, wait in zip(strand, spans, shares[:-1], strict=True):
            t += float(wait)
            out.append(replace(planned, start_s=t, end_s=t + span))
            t += span + GAP_S
    return sorted(out, key=lambda p: (p.start_s, p.object))


def variant(stage: Stage, strand: Planned, rng: np.random.Generator) -> Strand | None:
    """The same object with another outcome: what makes a twin. None where there is no other outcome."""
    if strand.kind in ("open", "close") and strand.value is not None:
        joint = stage.bodies[strand.object].joint
        assert joint is not None
        was = (strand.value - joint.closed) / (joint.open - joint.closed)
        share = float(rng.uniform(0.9, 1.0)) if was < 0.65 else float(rng.uniform(0.35, 0.5))
        return [replace(strand, kind="open", value=joint.closed + share * (joint.open - joint.closed))]
    if strand.kind in ("move", "drop"):
        options = [p for p in _targets(stage, strand.object, set()) if p.name != strand.place]
        if options:
            return [replace(strand, kind="move", place=options[int(rng.integers(len(options)))].name)]
    return None


def _involved(stage: Stage, p: Planned) -> set[int]:
    place = stage.places[p.place] if p.place else None
    ids = {
        p.object,
        p.other or 0,
        place.body if place and place.inside else 0,
        (place.gate or 0) if place else 0,
    }
    return ids - {0}


def _focus(stage: Stage, strands: list[Strand]) -> F64 | None:
    return stage.centre(strands[0][0].object) if strands else None


@dataclass(frozen=True, slots=True)
class _Draw:
    """One draw of a strand: what is free, near enough, and the dice."""

    stage: Stage
    rng: np.random.Generator
    taken: set[int]
    focus: F64 | None

    def near(self, ids: Iterable[int]) -> list[int]:
        free = [i for i in ids if i not in self.taken]
        return free if self.focus is None else self.stage.near(free, self.focus, NEAR_M)

    def pick(self, options: Sequence[T]) -> T | None:
        return options[int(self.rng.integers(len(options)))] if options else None

    def open_to(self, gate: int) -> Planned:
        """The gate opened far enough to reach through."""
        joint = self.stage.bodies[gate].joint
        assert joint is not None
        share = float(self.rng.uniform(0.88, 1.0))
        return Planned("open", gate, value=joint.closed + share * (joint.open - joint.closed))


def _strand(stage: Stage, rng: np.random.Generator, taken: set[int], focus: F64 | None) -> Strand | None:
    if not stage.world.event_weights:
        raise CannotHappen("the scene's events are empty; give at least one a weight")
    kinds, weights = zip(*stage.world.event_weights, strict=True)
    kind = str(rng.choice(kinds, p=np.array(weights) / sum(weights)))
    draw = _Draw(stage, rng, taken, focus)
    if kind in ("open", "close"):
        part = draw.pick(draw.near(b.id for b in stage.openable if (stage.openness(b.id) < 0.1) == (kind == "open")))
        return None if part is None else [_work(stage, part, kind, rng)]
    if kind == "switch":
        part = draw.pick([p for p in draw.near(stage.switches) if stage.switches[p].target not in taken])
        if part is None:
            return None
        lit = stage.openness(part) > 0.5
        return [Planned("turn_off" if lit else "turn_on", stage.switches[part].target, other=part)]
    if kind == "stow":
        return _stow(draw)
    if kind == "fetch":
        return _fetch(draw)
    return _handle(draw, kind)


def _handle(draw: _Draw, kind: str) -> Strand | None:
    """A hand on a prop that can be reached: move, drop, push, knock over, pour."""
    stage = draw.stage
    within = {i: p for i, p in stage.standing().items() if stage.reachable(p) and not stage.holding(i)}
    open_air = draw.near(i for i, p in within.items() if not p.inside)
    if kind == "pour":
        return _pour(draw, open_air)
    if kind in ("knock_over", "push"):
        still = [i for i in open_air if stage.bodies[i].name not in stage.world.rolls]
        upright = [i for i in still if stage.tilt(i) < 0.1 and not _holds_liquid(stage, i)]
        prop = draw.pick([i for i in upright if kind == "push" or stage.bodies[i].name in stage.world.topples])
        return None if prop is None else [Planned("push" if kind == "push" else "knock_over", prop)]
    prop = draw.pick(open_air if kind == "drop" else draw.near(within))
    if prop is None:
        return None
    place = draw.pick([p for p in _targets(stage, prop, draw.taken) if kind == "move" or not p.inside])
    return None if place is None else [Planned("move" if kind == "move" else "drop", prop, place=place.name)]


def _work(stage: Stage, part: int, kind: str, rng: np.random.Generator) -> Planned:
    joint = stage.bodies[part].joint
    assert joint is not None
    if kind == "close":
        return Planned("close", part, value=joint.closed)
    share = float(rng.choice([rng.uniform(0.35, 0.7), rng.uniform(0.85, 1.0)]))
    return Planned("open", part, value=joint.closed + share * (joint.open - joint.closed))


def _stow(draw: _Draw) -> Strand | None:
    """Open, put in, and mostly close again: what is inside must then be remembered."""
    stage = draw.stage
    place = draw.pick([p for p in stage.world.places if p.inside and p.gate and draw.near([p.gate])])
    if place is None or place.gate is None:
        return None
    props = draw.near(b.id for b in stage.free if _loose(stage, b.id) and _fits(stage, b.id, place))
    prop = draw.pick(props)
    return None if prop is None else _through(draw, place.gate, Planned("move", prop, place=place.name))


def _fetch(draw: _Draw) -> Strand | None:
    """Open, take something out, mostly close again."""
    stage = draw.stage
    inside = [(i, p) for i, p in stage.standing().items() if p.inside and p.gate and draw.near([i, p.gate])]
    found = draw.pick(inside)
    if found is None or found[1].gate is None:
        return None
    goal = draw.pick([q for q in _targets(stage, found[0], set()) if not q.inside])
    return None if goal is None else _through(draw, found[1].gate, Planned("move", found[0], place=goal.name))


def _through(draw: _Draw, gate: int, move: Planned) -> Strand:
    joint = draw.stage.bodies[gate].joint
    assert joint is not None
    strand = [] if draw.stage.openness(gate) > 0.8 else [draw.open_to(gate)]
    strand.append(move)
    if draw.rng.random() < 0.75:
        strand.append(Planned("close", gate, value=joint.closed))
    return strand


def _loose(stage: Stage, id: int) -> bool:
    place = stage.place_of(id)
    return place is not None and not place.inside and not stage.holding(id) and not _holds_liquid(stage, id)


def _holds_liquid(stage: Stage, id: int) -> bool:
    """A vessel with liquid in it is not thrown about (nor is one that pours)."""
    body = stage.bodies[id]
    fill = stage.world.start_fill[stage.world.bodies.index(body)]
    return body.vessel is not None and (body.vessel.pours or fill > 0)


def _pour(draw: _Draw, open_air: list[int]) -> Strand | None:
    stage = draw.stage
    fill = {b.id: f for b, f in zip(stage.world.bodies, stage.world.start_fill, strict=True)}
    source = draw.pick([i for i in open_air if (v := stage.bodies[i].vessel) and v.pours and fill[i] > 0.3])
    if source is None:
        return None
    here = stage.centre(source)
    cups = [i for i in stage.near(open_air, here, POUR_REACH_M) if (v := stage.bodies[i].vessel) and not v.pours]
    cup = draw.pick([i for i in cups if fill[i] < 0.35 and stage.tilt(i) < 0.1])
    if cup is None:
        return None
    full, room = (vessels.capacity(v) if (v := stage.bodies[i].vessel) else 0.0 for i in (source, cup))
    goal = min(float(draw.rng.uniform(*POUR_TO)), fill[cup] + (fill[source] - POUR_KEEPS) * full / room)
    return [Planned("pour", source, other=cup, value=goal)] if goal > fill[cup] + POUR_LEAST else None


def _targets(stage: Stage, prop: int, taken: set[int]) -> list[Place]:
    """Places a prop can be moved to now: another body than it is at, reachable, near enough, large enough."""
    now = stage.place_of(prop)
    here = stage.centre(prop)
    out = []
    for place in stage.world.places:
        body = stage.bodies[place.body]
        if place.body in (prop, now.body if now else 0) or place.body in taken or not stage.reachable(place):
            continue
        if body.role == "prop" and (stage.tilt(place.body) > 0.1 or stage.holding(place.body)):
            continue
        near = float(np.linalg.norm(stage.centre(place.body) - here)) < 1.1
        if near and _fits(stage, prop, place):
            out.append(place)
    return out


def _fits(stage: Stage, prop: int, place: Place) -> bool:
    radius, height = footprint(stage.bodies[prop])
    room = np.subtract(place.high, place.low)
    if not place.inside and stage.bodies[place.body].role == "prop":
        return bool((room[:2] >= 1.0 * radius).all())  # a mug on a book: its middle must be on it
    return bool((room[:2] >= 2 * radius + 0.01).all() and (room[2] >= height + 0.02 or place.enter[2] > 0.5))
