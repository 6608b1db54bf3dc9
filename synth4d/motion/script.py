"""A script: which events happen in a shot, to what, and when. Drawn before anything moves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from synth4d.errors import CannotHappen
from synth4d.motion.stage import Stage, footprint
from synth4d.types import EventKind, Place

LEAD_S, TAIL_S, GAP_S = 0.5, 0.4, 0.25
"""Nothing moves in the first and last moments, so that *before* and *after* can be seen."""
SECONDS: dict[str, tuple[float, float]] = {
    "open": (0.8, 1.3), "close": (0.7, 1.2), "turn_on": (0.5, 0.8), "turn_off": (0.5, 0.8), "move": (1.2, 1.8),
    "knock_over": (1.0, 1.2), "drop": (1.4, 1.7), "push": (0.8, 1.1), "pour": (3.0, 3.6),
}  # fmt: skip
NEAR_M = 0.95
"""Events of one shot happen within this distance of the first, so that one camera sees them."""
COUNTS = ((1, 0.2), (2, 0.32), (3, 0.3), (4, 0.18))


@dataclass(frozen=True, slots=True)
class Planned:
    """One event to come. Times are filled in by `schedule`."""

    kind: EventKind
    object: int
    start_s: float = 0.0
    end_s: float = 0.0
    value: float | None = None
    """open/close: the joint value aimed at."""
    place: str | None = None
    """move/drop: where it goes."""
    other: int | None = None
    """turn_on/off: the part that is worked. pour: the vessel that is filled."""


Strand = list[Planned]
"""Events that follow one another; strands of one script run side by side."""


def draft(stage: Stage, duration_s: float, rng: np.random.Generator, *, first: Strand | None = None) -> list[Planned]:
    """One to four events with times. Raises CannotHappen where the layout offers nothing."""
    want = int(rng.choice([c for c, _ in COUNTS], p=[p for _, p in COUNTS]))
    strands: list[Strand] = [first] if first else []
    for _ in range(60):
        taken = {i for s in strands for p in s for i in _involved(stage, p)}
        count = sum(len(s) for s in strands)
        if count >= want:
            break
        strand = _strand(stage, rng, taken, _focus(stage, strands))
        if strand and count + len(strand) <= max(want, 1 if strands else len(strand)):
            trial = schedule([*strands, strand], duration_s, rng)
            if trial is not None:
                strands.append(strand)
    script = schedule(strands, duration_s, rng) if strands else None
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
    ids = {p.object, p.other or 0, place.body if place and place.inside else 0, (place.gate or 0) if place else 0}
    return ids - {0}


def _focus(stage: Stage, strands: list[Strand]) -> np.ndarray | None:
    return stage.centre(strands[0][0].object) if strands else None


def _strand(stage: Stage, rng: np.random.Generator, taken: set[int], focus: np.ndarray | None) -> Strand | None:
    kinds, weights = zip(*stage.world.event_weights, strict=True)
    kind = str(rng.choice(kinds, p=np.array(weights) / sum(weights)))
    near = lambda ids: [i for i in ids if i not in taken and (focus is None or stage.near([i], focus, NEAR_M))]  # noqa: E731
    pick = lambda ids: ids[int(rng.integers(len(ids)))] if ids else None  # noqa: E731
    if kind in ("open", "close"):
        shut = kind == "open"
        part = pick(near([b.id for b in stage.openable if (stage.openness(b.id) < 0.1) == shut]))
        return None if part is None else [_work(stage, part, kind, rng)]
    if kind == "switch":
        part = pick([p for p in near(stage.switches) if stage.switches[p].target not in taken])
        if part is None:
            return None
        switch = stage.switches[part]
        return [Planned("turn_off" if stage.openness(part) > 0.5 else "turn_on", switch.target, other=part)]
    if kind in ("stow", "fetch"):
        return _through_gate(stage, rng, near, pick, kind)
    props = [b.id for b in stage.free if stage.place_of(b.id) is not None and not stage.holding(b.id)]
    open_air = near([i for i in props if (p := stage.place_of(i)) is not None and stage.reachable(p) and not p.inside])
    if kind == "pour":
        return _pour(stage, open_air, near, pick)
    if kind in ("knock_over", "push"):
        fit = [i for i in open_air if kind == "push" or stage.bodies[i].name in stage.world.topples]
        chosen = pick([i for i in fit if stage.tilt(i) < 0.1 and not _holds_liquid(stage, i)])
        return None if chosen is None else [Planned(kind, chosen)]  # type: ignore[arg-type]
    prop = pick(open_air if kind == "drop" else near([i for i in props if (p := stage.place_of(i)) is not None and stage.reachable(p)]))
    if prop is None:
        return None
    place = pick([p for p in _targets(stage, prop, taken) if kind == "move" or not p.inside])
    return None if place is None else [Planned(kind, prop, place=place.name)]  # type: ignore[arg-type]


def _work(stage: Stage, part: int, kind: str, rng: np.random.Generator) -> Planned:
    joint = stage.bodies[part].joint
    assert joint is not None
    share = float(rng.choice([rng.uniform(0.35, 0.7), rng.uniform(0.85, 1.0)])) if kind == "open" else 0.0
    return Planned("open" if kind == "open" else "close", part, value=joint.closed + share * (joint.open - joint.closed))


def _through_gate(stage, rng, near, pick, kind) -> Strand | None:  # type: ignore[no-untyped-def]
    """Open, put in or take out, and mostly close again: what is inside must then be remembered."""
    gated = [p for p in stage.world.places if p.inside and p.gate]
    if kind == "fetch":
        full = [p for p in gated if any(stage.place_of(i) == p for i in stage.holding(p.body))]
        place = next((p for p in full if near([p.gate])), None)
        prop = None if place is None else pick([i for i in near(stage.holding(place.body)) if stage.place_of(i) == place])
        goals = [] if prop is None else [q for q in _targets(stage, prop, set()) if not q.inside]
    else:
        place = pick([p for p in gated if near([p.gate])])
        fits = lambda i: place is not None and _fits(stage, i, place)  # noqa: E731
        prop = pick([b.id for b in stage.free if near([b.id]) and fits(b.id) and _loose(stage, b.id)])
        goals = [] if place is None else [place]
    goal = pick(goals)
    if place is None or prop is None or goal is None:
        return None
    joint = stage.bodies[place.gate].joint
    opened = Planned("open", place.gate, value=joint.closed + float(rng.uniform(0.88, 1.0)) * (joint.open - joint.closed))
    strand = [] if stage.openness(place.gate) > 0.8 else [opened]
    strand.append(Planned("move", prop, place=goal.name))
    if rng.random() < 0.75:
        strand.append(Planned("close", place.gate, value=joint.closed))
    return strand


def _loose(stage: Stage, id: int) -> bool:
    place = stage.place_of(id)
    return place is not None and not place.inside and not stage.holding(id) and not _holds_liquid(stage, id)


def _holds_liquid(stage: Stage, id: int) -> bool:
    """A vessel with liquid in it is not thrown about (nor is one that pours)."""
    body = stage.bodies[id]
    fill = stage.world.start_fill[stage.world.bodies.index(body)]
    return body.vessel is not None and (body.vessel.pours or fill > 0)


def _pour(stage, open_air, near, pick) -> Strand | None:  # type: ignore[no-untyped-def]
    fill = {b.id: f for b, f in zip(stage.world.bodies, stage.world.start_fill, strict=True)}
    sources = [i for i in open_air if (v := stage.bodies[i].vessel) and v.pours and fill[i] > 0.3]
    cups = [i for i in open_air if (v := stage.bodies[i].vessel) and not v.pours and fill[i] < 0.35 and stage.tilt(i) < 0.1]
    source = pick(sources)
    cup = pick([c for c in cups if source is not None and np.linalg.norm(stage.centre(c) - stage.centre(source)) < 0.8])
    return None if source is None or cup is None else [Planned("pour", source, other=cup)]


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
