"""Questions of layout: which way one thing lies from another, order in depth and appearance, what is on what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations

from synth4d.ask.kinds import Draft, Pool, Slots, kind, listed
from synth4d.ask.space import together
from synth4d.ask.stock import Stock
from synth4d.records import JSON, Text

SIDES = ("left", "right", "front", "behind")


@kind("space", "side", even=True, tries=24)
def side(stock: Stock) -> Iterator[Draft]:
    """In the viewer's frame of reference."""
    for moment, (a, b) in together(stock, stock.marks, 2):
        program: JSON = {"op": "side", "of": a.program, "by": b.program, "at": moment.program}
        slots: Slots = {"a": a.text, "b": b.text, "at": moment.text}
        yield Draft(program, slots, (moment.frame,), (a.id, b.id), Pool(keys=SIDES))


@kind("space", "direction")
def direction(stock: Stock) -> Iterator[Draft]:
    """In the frame of reference of one who stands at a thing and faces another."""
    for moment, (a, b, c) in together(stock, stock.marks, 3):
        program: JSON = {
            "op": "direction", "standing_at": a.program, "facing": b.program, "of": c.program, "at": moment.program,
        }  # fmt: skip
        slots: Slots = {"a": a.text, "b": b.text, "c": c.text, "at": moment.text}
        yield Draft(program, slots, (moment.frame,), (a.id, b.id, c.id), Pool(keys=SIDES))


@kind("space", "depth_order", rare=True, tries=40)
def depth_order(stock: Stock) -> Iterator[Draft]:
    """Three things, or two."""
    pairs, trios = (together(stock, stock.marks, size) for size in (2, 3))
    for moment, group in chain.from_iterable(zip(trios, pairs, strict=False)):
        program: JSON = {"op": "depth_order", "of": [r.program for r in group], "at": moment.program}
        ids = tuple(r.id for r in group)
        yield Draft(program, {"which": listed(group), "at": moment.text}, (moment.frame,), ids, Pool(ids))


@kind("space", "appearance_order", rare=True)
def appearance_order(stock: Stock) -> Iterator[Draft]:
    later = [r for r in stock.marks if not stock.view.glimpsed(r.id, 0)]
    first = [r for r in stock.marks if r not in later]
    trios = [(*pair, r) for pair in combinations(later, 2) for r in [*first[:3], *later] if r not in pair]
    for group in [*stock.shuffled(trios)[:8], *stock.shuffled((a, b) for a in later for b in first[:3])]:
        group = tuple(stock.shuffled(group))
        program: JSON = {"op": "appearance_order", "of": [r.program for r in group]}
        ids = tuple(r.id for r in group)
        frames = tuple(sorted({next(f for f in range(stock.facts.frames) if stock.clear(f, id)) for id in ids}))
        yield Draft(program, {"which": listed(group)}, frames, ids, Pool(ids))


# ---- Support -------------------------------------------------------------------------------------


@kind("space", "what_is_on")
def what_is_on(stock: Stock) -> Iterator[Draft]:
    """What stands on a thing, or lies in an open one."""
    for moment in stock.moments(spread=2):
        for holder in stock.in_sight(stock.holders, moment.frame):
            for relation in ("on", "inside"):
                if moment.about == holder.id or not stock.members(holder.id, relation, moment.frame):
                    continue
                held: JSON = {"op": relation, "object": holder.program, "at": moment.program}
                program: JSON = {"op": "all_visible", "of": held, "at": moment.program}
                word = Text(en="on", zh="上") if relation == "on" else Text(en="in", zh="里")
                slots: Slots = {"a": holder.text, "rel": word, "at": moment.text}
                ids = tuple(r.id for r in stock.in_sight(stock.props, moment.frame))
                yield Draft(program, slots, (moment.frame,), (holder.id,), Pool(ids))


@kind("space", "under", even=True, tries=24)
def under(stock: Stock) -> Iterator[Draft]:
    """What a thing stands on."""
    for moment in stock.moments(spread=2):
        for a in stock.in_sight(stock.props, moment.frame)[:4]:
            place = stock.view.remembered(a.id, stock.view.thing(a.id).support, moment.frame)
            if not place or place not in stock.view.by_id or moment.about == a.id:
                continue
            program: JSON = {"op": "holder", "object": a.program, "at": moment.program}
            ids = tuple(r.id for r in stock.holders)
            yield Draft(program, {"a": a.text, "at": moment.text}, (moment.frame,), (a.id,), Pool(ids))
