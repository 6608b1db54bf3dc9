"""Questions of state at a moment: open or closed and how far, on or off, how full, where."""

from __future__ import annotations

from collections.abc import Iterator

from synth4d.ask.kinds import Draft, Pool, kind
from synth4d.ask.refer import Ref
from synth4d.ask.stock import Moment, Stock
from synth4d.records import JSON


def _asked(stock: Stock, refs: list[Ref], spread: int = 3) -> Iterator[tuple[Moment, Ref]]:
    """Things in sight at a moment that is not named by an event of their own."""
    for moment in stock.moments(spread=spread):
        for a in stock.in_sight(refs, moment.frame):
            thing = stock.view.thing(a.id)
            if moment.about not in (a.id, thing.part_of) or not moment.about:
                yield moment, a


def _draft(op: JSON, moment: Moment, a: Ref, pool: Pool | None = None) -> Draft:
    program: JSON = {**op, "object": a.program, "at": moment.program}
    return Draft(program, {"a": a.text, "at": moment.text}, (moment.frame,), (a.id,), pool, group=moment.kind)


@kind("state", "open", paired=True, tries=40)
def is_open(stock: Stock) -> Iterator[Draft]:
    for moment, a in _asked(stock, stock.doors):
        yield _draft({"op": "is", "state": "open"}, moment, a)


@kind("state", "open_or_closed", paired=True, tries=40)
def open_or_closed(stock: Stock) -> Iterator[Draft]:
    for moment, a in _asked(stock, stock.doors):
        yield _draft({"op": "state", "aspect": "open"}, moment, a, Pool(keys=("open", "closed")))


@kind("state", "on", paired=True, tries=40)
def is_on(stock: Stock) -> Iterator[Draft]:
    for moment, a in _asked(stock, stock.lamps):
        yield _draft({"op": "is", "state": "on"}, moment, a)


@kind("state", "openness", tries=40)
def openness(stock: Stock) -> Iterator[Draft]:
    """How far a door (degrees) or a drawer (centimetres) is open."""
    for moment, a in _asked(stock, _ajar(stock)):
        joint = stock.view.thing(a.id).joint
        if joint is not None and _is_ajar(stock, a.id, moment.frame):
            hinge = joint.type == "hinge"
            draft = _draft({"op": "openness"}, moment, a, turned(hinge))
            yield Draft(
                draft.program,
                {**draft.slots, "hinge": "1" if hinge else ""},
                draft.frames,
                draft.objects,
                draft.pool,
            )


@kind("state", "open_share", tries=40)
def open_share(stock: Stock) -> Iterator[Draft]:
    """How far open in per cent of the whole range."""
    for moment, a in _asked(stock, _ajar(stock)):
        if _is_ajar(stock, a.id, moment.frame):
            yield _draft({"op": "openness", "share": "range"}, moment, a)


def turned(hinge: bool) -> Pool:
    """How far doors (degrees) and drawers (centimetres) can be open."""
    return Pool(least=15.0, most=120.0) if hinge else Pool(least=5.0, most=60.0)


def _ajar(stock: Stock) -> list[Ref]:
    return [r for r in stock.doors if any(stock.view.thing(r.id).openness or [])]


def _is_ajar(stock: Stock, id: int, frame: int) -> bool:
    track = stock.view.thing(id).openness or [None]
    return bool(track[0] if len(track) == 1 else track[frame])


@kind("state", "fill", rare=True)
def fill(stock: Stock) -> Iterator[Draft]:
    for moment, a in _asked(stock, _filled(stock)):
        yield _draft({"op": "fill"}, moment, a)


@kind("state", "full", paired=True, tries=40, rare=True)
def full(stock: Stock) -> Iterator[Draft]:
    """Full, partly full or empty."""
    for moment, a in _asked(stock, stock.vessels if _filled(stock) else []):
        yield _draft({"op": "state", "aspect": "full"}, moment, a, Pool(keys=("full", "partly", "empty")))


def _filled(stock: Stock) -> list[Ref]:
    """Vessels whose filling can be seen: what is poured into, or any while liquid is in sight; none that pour."""
    pours = [e for e in stock.facts.events if e.kind == "pour"]
    shown = any(max(o.pixels) >= 100 for o in stock.facts.objects if o.role == "liquid")
    targets = {e.target for e in pours}
    vessels = [
        r for r in stock.vessels if any(stock.view.thing(r.id).fill or []) and r.id not in {e.object for e in pours}
    ]
    return [r for r in vessels if r.id in targets or shown]


@kind("state", "where", tries=32, even=True)
def where(stock: Stock) -> Iterator[Draft]:
    for moment, a in _asked(stock, stock.props + stock.pointed):
        yield _draft({"op": "where"}, moment, a, Pool(keys=places(stock)))


def places(stock: Stock) -> tuple[str, ...]:
    """Where things are said to be in this clip, as choice keys (on the counter, in the drawer), each as often as
    things are there; and once what could hold them."""
    found = []
    for o in stock.facts.objects:
        if o.role == "prop":
            found += [f"on:{id}" for id in {*o.support} if id and stock.ref(id)]
            found += [f"in:{id}" for id in {*o.inside} if id and stock.ref(id)]
    found += [f"in:{r.id}" for r in stock.refs(stock.seen) if stock.view.thing(r.id).cavity is not None]
    return tuple(sorted(found))
