"""Questions of cause: what hid or showed a thing, and what would be at the end had an event not happened.

The world answers by a second simulation without the event, the picture by what stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from synth4d.ask.kinds import Draft, Pool, kind
from synth4d.ask.refer import Ref
from synth4d.ask.state import places
from synth4d.ask.stock import END, Happening, Stock
from synth4d.program import thing_text
from synth4d.records import JSON, Text, at

UNDONE = {
    "open": ("{a} had not been opened", "{a}没有被打开"),
    "close": ("{a} had not been closed", "{a}没有被关上"),
    "turn_on": ("{a} had not been turned on", "{a}没有被打开"),
    "turn_off": ("{a} had not been turned off", "{a}没有被关掉"),
    "move": ("{a} had not been moved", "{a}没有被移动"),
    "knock_over": ("{a} had not been knocked over", "{a}没有被碰倒"),
    "drop": ("{a} had not been dropped", "{a}没有掉落"),
    "push": ("{a} had not been pushed", "{a}没有被推动"),
    "pour": ("nothing had been poured from {a}", "没有从{a}里倒出液体"),
}


def _left_out(stock: Stock) -> list[tuple[Happening, Text]]:
    """Events without which the end is known, and their absence in words: the drawer had not been opened."""
    known = {w.event for w in stock.facts.without}
    found = []
    for h in stock.happenings:
        if h.event.id in known:
            a, (en, zh) = thing_text(stock.facts, h.event.object), UNDONE[h.event.kind]
            found.append((h, Text(en=en.format(a=a.en), zh=zh.format(a=a.zh))))
    return stock.shuffled(found)


def _draft(
    stock: Stock, h: Happening, without: Text, op: JSON, a: Ref, pool: Pool | None = None, **slots: Text | str
) -> Draft:
    program: JSON = {"op": "without", "event": h.program, "of": op}
    frames = tuple(sorted({0, *h.frames, stock.view.last}))
    return Draft(program, {"without": without, "a": a.text, **slots}, frames, (a.id,), pool, unseen=True)


def _others(stock: Stock, h: Happening, refs: list[Ref]) -> list[Ref]:
    """Things that the event left out does not happen to; those that something happens to first."""
    busy = {i for e in stock.facts.events for i in (e.object, e.target)}
    found = [r for r in stock.shuffled(refs) if r.id not in (h.event.object, h.event.source)]
    return sorted(found, key=lambda r: r.id not in busy)


@kind("cause", "without_where", rare=True)
def without_where(stock: Stock) -> Iterator[Draft]:
    """Where a thing would be: back where it came from, or where it is all the same."""
    for h, without in _left_out(stock):
        own = [r for r in stock.props if r.id == h.event.object]
        shown = [r for r in _others(stock, h, stock.props) if stock.shows(r.id, stock.view.last)]
        for a in [*own, *shown[:2]]:
            program: JSON = {"op": "where", "object": a.program, "at": END}
            yield _draft(stock, h, without, program, a, Pool(keys=places(stock)))


@kind("cause", "without_count", rare=True)
def without_count(stock: Stock) -> Iterator[Draft]:
    """How many things would be on or in a holder."""
    for h, without in _left_out(stock):
        stirred = [h.event.source, h.event.target]
        for a in sorted(stock.shuffled(stock.holders), key=lambda r: r.id not in stirred):
            for relation in stock.shuffled(("on", "inside")):
                held: JSON = {"op": relation, "object": a.program, "at": END}
                still = stock.members(a.id, relation, stock.view.last) - {h.event.object}
                if (still or a.id in stirred) and stock.clear(stock.view.last, *still):
                    rel = Text(en="on", zh="上") if relation == "on" else Text(en="in", zh="里")
                    count: JSON = {"op": "count", "of": {"op": "remembered", "of": held, "until": END}}
                    yield _draft(stock, h, without, count, a, rel=rel)


@kind("cause", "without_state", rare=True, paired=True, tries=24)
def without_state(stock: Stock) -> Iterator[Draft]:
    """Whether something else would be open or on; of the thing itself the words would tell."""
    for h, without in _left_out(stock):
        for state, refs in (("open", stock.doors), ("on", stock.lamps)):
            for a in _others(stock, h, [r for r in refs if stock.clear(stock.view.last, r.id)]):
                program: JSON = {"op": "is", "object": a.program, "state": state, "at": END}
                word = Text(en=state, zh="开着的" if state == "on" else "打开的")
                draft = _draft(stock, h, without, program, a, state=word)
                yield Draft(draft.program, draft.slots, draft.frames, draft.objects, None, group=state)


@kind("cause", "without_sight", rare=True, paired=True, tries=24)
def without_sight(stock: Stock) -> Iterator[Draft]:
    """Whether a thing could be seen at the end: not in a drawer that was never opened."""
    for h, without in _left_out(stock):
        things = [r for r in _others(stock, h, stock.props) if stock.view.clear(r.id, stock.view.last)]
        # Both those in something and those in the open, in turn.
        inside = [r for r in things if at(stock.view.thing(r.id).inside, stock.view.last)]
        for a in [*inside, *[r for r in things if r not in inside][: max(2, len(inside))]]:
            yield _draft(stock, h, without, {"op": "in_sight", "object": a.program, "at": END}, a)


# ---- In and out of sight -------------------------------------------------------------------------


@kind("cause", "sight", rare=True)
def sight(stock: Stock) -> Iterator[Draft]:
    """What put a thing out of sight, or brought it into sight."""
    keys = tuple(h.key for h in stock.happenings)
    if len(keys) < 2:
        return
    for a in stock.shuffled(stock.props):
        first, last = (stock.view.glimpsed(a.id, f) for f in (0, stock.view.last))
        if first == last:
            continue
        program: JSON = {"op": "vanished_by" if first else "revealed_by", "object": a.program}
        frames = [f for f in range(stock.facts.frames) if stock.clear(f, a.id)]
        edge = frames[-1] if first else frames[0]
        shown = tuple(sorted({max(edge - 1, 0), edge, min(edge + 1, stock.view.last)}))
        yield Draft(program, {"a": a.text, "gone": "1" if first else ""}, shown, (a.id,), Pool(keys=keys))
