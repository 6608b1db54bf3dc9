"""Dialogues: one thing through its life, two compared, a door and what is behind it, a pour, a story told again.

Every turn's program names its things in full; only the words lean on earlier turns, by the rules of `floor`. The user
also says things that are not so, and asks what nobody who saw the video can know.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from synth4d.ask.floor import Floor
from synth4d.ask.kinds import Pool, Talk, either, talk
from synth4d.ask.state import places
from synth4d.ask.stock import END, START, Happening, Moment, Stock
from synth4d.ask.turns import (
    CAMERA,
    claim_state,
    claim_where,
    contents,
    far,
    later,
    said_by_user,
    state,
    what_happens,
    when,
    where,
)
from synth4d.program import kind_of
from synth4d.records import JSON, Text

LEAST, MOST = 4, 6
"""Turns of a dialogue."""


def _talk(floor: Floor) -> Iterator[Talk]:
    if len(floor.turns) >= LEAST:
        yield Talk(tuple(floor.turns[:MOST]))


# ---- Plans ---------------------------------------------------------------------------------------


@talk("dialogue", "life", once="dialogue")
def life(stock: Stock) -> Iterator[Talk]:
    """A thing that is moved: where it was, what happened to it, where it is now."""
    last = stock.view.last
    for h in stock.shuffled(stock.happenings):
        a, before, after = stock.ref(h.event.object), stock.before(h), stock.after(h)
        if a is None or a not in stock.props or before is None or after is None or not stock.watched(h):
            continue
        if kind_of(h.event) != "motion":
            continue
        floor = Floor(stock)
        early = stock.chance(0.5)
        if early:
            where(floor, a, "where_start", START, 0)
        if what_happens(floor, a, h):
            if stock.chance(0.6):
                when(floor, h, a)
            where(floor, a, "where_after", after.program, after.frame, h)
            if not early or stock.chance(0.3):
                where(floor, a, "where_before", before.program, before.frame, h)
        claim_where(floor, a, "claim_where_start" if early else "claim_where_end", START if early else END, last)
        if stock.chance(0.5):
            program: JSON = {"op": "movement", "object": a.program, "since": START, "until": END}
            pool = Pool(keys=("moved_left", "moved_right", "closer", "farther", "still"))
            floor.ask("way", program, a, frames=(0, last), pool=pool)
        later(floor, a)
        yield from _talk(floor)


@talk("dialogue", "door", once="dialogue")
def door(stock: Stock) -> Iterator[Talk]:
    """A door or drawer: its state, its change, what is in it."""
    last = stock.view.last
    busy = {h.event.object: h for h in stock.happenings if h.event.kind in ("open", "close")}
    ends = [r for r in stock.doors if stock.clear(0, r.id) and stock.clear(last, r.id)]
    for a in sorted(stock.shuffled(ends), key=lambda r: r.id not in busy):
        floor, h = Floor(stock), busy.get(a.id)
        if h is None and stock.moving and stock.chance(0.7):
            continue
        frames = h.frames if h else (0, last)
        early = h is None or stock.chance(0.5)
        if early:
            state(floor, a, "state_start", "open", START, 0)
        if h is None or not what_happens(floor, a, h):
            happens: JSON = {"op": "happens", "of": {"op": "events", "object": a.program}}
            floor.ask("anything", happens, a, frames=frames)
        else:
            when(floor, h, a)
            hinge = (joint := stock.view.thing(a.id).joint) is not None and joint.type == "hinge"
            open_: JSON = {"op": "openness", "object": a.program, "at": END}
            floor.ask("how_open", open_, a, frames=(last,), hinge="1" if hinge else "")
        if not early:
            claim_state(floor, a, "claim_state_start", "open", START, 0)
        else:
            claim_state(floor, a, "claim_state_end", "open", END, last)
        thing = stock.view.thing(a.id)
        held = a if thing.cavity is not None else stock.ref(thing.part_of or 0)
        if held is not None and stock.view.thing(held.id).cavity is not None:
            contents(floor, held, frames)
        if len(floor.turns) < MOST and stock.chance(0.6 if len(floor.turns) >= LEAST else 1.0):
            far(floor, a, "far_end", END, last)
        yield from _talk(floor)


@talk("dialogue", "pour", once="dialogue")
def pour(stock: Stock) -> Iterator[Talk]:
    """A vessel that is filled: how full it was and is, out of what, when."""
    last = stock.view.last
    for h in stock.shuffled(stock.happenings):
        bowl, jug, before = stock.ref(h.event.target or 0), stock.ref(h.event.object), stock.before(h)
        if h.event.kind != "pour" or bowl is None or jug is None:
            continue
        floor = Floor(stock)
        if stock.chance(0.5):
            state(floor, bowl, "fill_start", "full", START, 0)
        ids = tuple(r.id for r in stock.props if r.id != bowl.id)
        event: JSON = {"op": "event", "kind": "pour", "target": bowl.program}
        source: JSON = {"op": "object_of", "event": event}
        floor.ask("filled_from", source, bowl, frames=h.frames, pool=Pool(ids), event=h)
        when(floor, h, bowl)
        full: JSON = {"op": "fill", "object": bowl.program, "at": END}
        floor.ask("how_full", full, bowl, frames=(last,))
        if before is not None:
            claim_state(floor, bowl, "claim_fill_start", "full", START, 0)
        where(floor, bowl, "where_end", END, last)
        claim_where(floor, jug, "claim_where_end", END, last)
        later(floor, jug)
        yield from _talk(floor)


@talk("dialogue", "compare", once="dialogue", rare=False)
def compare(stock: Stock) -> Iterator[Talk]:
    """Two things side by side: the nearer, the taller, and what of the other one."""
    last = stock.view.last
    shown = [r for r in stock.in_sight(stock.props, 0) if stock.shows(r.id, last)]
    busy = {e.object for e in stock.facts.events}
    pairs = stock.shuffled(combinations(shown, 2))
    for a, b in sorted(pairs, key=lambda pair: not busy & {r.id for r in pair})[:12]:
        floor, pair = Floor(stock), (a, b)
        of: JSON = {"op": "these", "of": [a.program, b.program]}
        ids, which = Pool((a.id, b.id)), either(stock.shuffled(pair))
        near: JSON = {"op": "nearest", "to": CAMERA, "of": of, "at": START}
        tall: JSON = {"op": "biggest", "by": "height", "of": of, "at": START}
        nearer = floor.ask("nearer", near, None, pool=ids, pair=pair, which=which)
        if nearer is None:
            continue
        taller = floor.ask("taller_of_two", tall, None, pool=ids, pair=pair)
        one, other = (a, b) if (taller or nearer).value == a.id else (b, a)
        where(floor, other, "where_start", START, 0)
        far(floor, other, "far_start", START, 0)
        claim_where(floor, other, "claim_where_end", END, last)
        moved: JSON = {"op": "moved", "object": one.program, "since": START, "until": END}
        floor.ask("moved", moved, one, frames=(0, last))
        yield from _talk(floor)


@talk("dialogue", "recap", once="dialogue")
def recap(stock: Stock) -> Iterator[Talk]:
    """The story again: what came first, what then, in which order, and how things were before."""
    told = sorted(stock.happenings, key=lambda h: h.event.start_s)
    if not 2 <= len(told) <= 4 or len(told) != len(stock.facts.events) or not all(map(stock.watched, told)):
        return
    for order in stock.shuffled((True, False)):
        one, two = told[0], told[1]
        floor = Floor(stock)
        rest: JSON = {"op": "earliest", "of": [h.program for h in told[1:]]}
        rest = rest if len(told) > 2 else {"op": "last", "of": {"op": "events"}}
        pool = Pool(keys=tuple(dict.fromkeys(h.key for h in told)))
        if floor.ask("first", {"op": "first", "of": {"op": "events"}}, None, frames=one.frames, pool=pool, event=one):
            when(floor, one, None)
            if floor.knows(one):
                floor.ask("next", rest, None, frames=(*one.frames, *two.frames), pool=pool, event=two)
            if not order:
                when(floor, two, None)
        pair: JSON = {"op": "earliest", "of": [one.program, two.program]}
        said = said_by_user(stock, pair)
        if said is not None:
            first, then = (one, two) if said.value == one.key else (two, one)
            check: JSON = {"op": "check", "of": pair, "said": said.value}
            frames = tuple(sorted({*one.frames, *two.frames}))
            floor.ask("claim_order", check, None, frames=frames, one=first.what, two=then.what)
        _remember(floor, one, stock.before(one))
        if stock.chance(0.5):
            what: JSON = {"op": "object_of", "event": {"op": "last", "of": {"op": "events"}}}
            floor.ask("last_thing", what, None, frames=told[-1].frames)
        a = stock.ref(floor.topic)
        if a is not None:
            later(floor, a)
        yield from _talk(floor)


def _remember(floor: Floor, h: Happening, before: Moment | None) -> None:
    """How the thing that something happened to was before it."""
    a, stock = floor.stock.ref(h.event.object), floor.stock
    if a is None or before is None:
        return
    if a in stock.props:
        program: JSON = {"op": "where", "object": a.program, "at": before.program}
        floor.ask("where_before_first", program, a, frames=(before.frame,), pool=Pool(keys=places(stock)))
    elif a in stock.doors or a in stock.lamps:
        aspect = "open" if a in stock.doors else "on"
        condition: JSON = {"op": "state", "object": a.program, "aspect": aspect, "at": before.program}
        floor.ask("state_before_first", condition, a, frames=(before.frame,), kind=aspect)


@talk("dialogue", "still", once="dialogue", rare=False)
def still(stock: Stock) -> Iterator[Talk]:
    """A place, what is on it, and one of those things, in a room in which little happens."""
    last = stock.view.last
    for holder in stock.shuffled(r for r in stock.holders if stock.clear(0, r.id)):
        ids = stock.members(holder.id, "on", 0)
        props = [r for r in stock.props if r.id in ids and stock.shows(r.id, 0) and stock.shows(r.id, last)]
        if len(props) < 2:
            continue
        floor, (a, b) = Floor(stock), stock.shuffled(props)[:2]
        held: JSON = {"op": "all_visible", "of": {"op": "on", "object": holder.program, "at": START}, "at": START}
        on = Text(en=f"on {holder.text.en}", zh=f"{holder.text.zh}上")
        if len(ids) > 4 or floor.ask("what_is_on", held, None, place=on) is None:
            where(floor, a, "where_start", START, 0)
        beside: JSON = {"op": "side", "of": a.program, "by": b.program, "at": START}
        floor.ask("side", beside, a, pool=Pool(keys=("left", "right", "front", "behind")), beside=b)
        happens: JSON = {"op": "happens", "of": {"op": "events", "object": a.program}}
        floor.ask("anything", happens, a, frames=(0, last))
        claim_where(floor, a, "claim_where_end", END, last)
        far(floor, a, "far_end", END, last)
        later(floor, a)
        yield from _talk(floor)
