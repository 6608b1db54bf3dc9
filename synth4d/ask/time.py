"""Questions of time: in which order, when, how long, what meanwhile; and of cause: what made it so."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from synth4d.ask.kinds import Draft, Pool, kind, listed
from synth4d.ask.premise import Premise, premises
from synth4d.ask.stock import Happening, Stock
from synth4d.program import opens
from synth4d.records import JSON, Text


def _frames(*happenings: Happening) -> tuple[int, ...]:
    return tuple(sorted({f for h in happenings for f in h.frames}))


def _either(happenings: tuple[Happening, ...]) -> Text:
    """the drawer opens or the mug is moved · 抽屉被打开还是马克杯被移动"""
    en, zh = [h.what.en for h in happenings], [h.what.zh for h in happenings]
    return Text(en=", ".join(en[:-1]) + ", or " + en[-1], zh="、".join(zh[:-1]) + "，还是" + zh[-1])


def _groups(stock: Stock, size: int) -> list[tuple[Happening, ...]]:
    return [tuple(stock.shuffled(g)) for g in stock.shuffled(combinations(stock.happenings, size))]


@kind("time", "order", rare=True)
def order(stock: Stock) -> Iterator[Draft]:
    """Three or four events, or two, put in order by the things they happen to."""
    for size in (4, 3):
        for group in _groups(stock, size):
            refs = stock.refs(h.event.object for h in group)
            if len({r.id for r in refs}) == size:
                program: JSON = {"op": "order", "of": [h.program for h in group]}
                ids = tuple(r.id for r in refs)
                yield Draft(program, {"which": listed(refs)}, _frames(*group), ids, Pool(ids))


@kind("time", "which_first", rare=True)
def which_first(stock: Stock) -> Iterator[Draft]:
    for group in _groups(stock, 2):
        if group[0].event.object == group[1].event.object:
            continue  # that a shut drawer opens before it shuts goes without looking
        program: JSON = {"op": "earliest", "of": [h.program for h in group]}
        ids = tuple(h.event.object for h in group)
        keys = tuple(h.key for h in group)
        yield Draft(program, {"which": _either(group)}, _frames(*group), ids, Pool(keys=keys))


@kind("time", "first_of_all", rare=True)
def first_of_all(stock: Stock) -> Iterator[Draft]:
    """What happens first, or last, of all."""
    if len(stock.facts.events) < 2 or len(stock.happenings) < len(stock.facts.events):
        return
    for end in stock.shuffled(("first", "last")):
        program: JSON = {"op": end, "of": {"op": "events"}}
        word = Text(en=end, zh="最先" if end == "first" else "最后")
        keys = tuple(h.key for h in stock.happenings)
        ids = tuple({h.event.object: None for h in stock.happenings})
        yield Draft(program, {"end": word}, _frames(*stock.happenings), ids, Pool(keys=keys))


@kind("time", "when")
def when(stock: Stock) -> Iterator[Draft]:
    for h in stock.shuffled(stock.happenings):
        yield Draft({"op": "interval", "event": h.program}, {"what": h.what}, h.frames, (h.event.object,))


@kind("time", "how_long")
def how_long(stock: Stock) -> Iterator[Draft]:
    for h in stock.shuffled(stock.happenings):
        if h.event.kind not in ("turn_on", "turn_off", "knock_over", "drop"):
            most = stock.view.seconds(stock.view.last)
            program: JSON = {"op": "duration", "event": h.program}
            yield Draft(
                program, {"going": h.going_on, "what": h.what}, h.frames, (h.event.object,), Pool(least=0.5, most=most)
            )


@kind("time", "meanwhile", paired=True, tries=40)
def meanwhile(stock: Stock) -> Iterator[Draft]:
    """The state of one thing all the while that another changes."""
    for h in stock.shuffled(stock.happenings):
        if h.event.kind in ("turn_on", "turn_off", "knock_over", "drop"):
            continue
        amid = h.frames[len(h.frames) // 2]
        for state, refs in (("open", stock.doors), ("on", stock.lamps)):
            for a in stock.in_sight(refs, amid):
                if a.id in (h.event.object, h.event.target, h.event.source):
                    continue
                span: JSON = {"op": "while", "event": h.program}
                program: JSON = {"op": "is", "object": a.program, "state": state, "at": span}
                word = Text(en=state, zh="开着的" if state == "on" else "打开的")
                slots = {"a": a.text, "state": word, "going": h.going_on, "what": h.what}
                yield Draft(program, slots, h.frames, (a.id,), group=state)


@kind("time", "overlap", rare=True)
def overlap(stock: Stock) -> Iterator[Draft]:
    """Whether two events happen at the same time."""
    want = stock.chance(0.5)
    for a, b in _groups(stock, 2):
        if a.event.object == b.event.object:
            continue
        common = min(a.event.end_s, b.event.end_s) - max(a.event.start_s, b.event.start_s)
        if (common > 0) == want:
            program: JSON = {"op": "overlap", "a": a.program, "b": b.program}
            slots = {"a": a.what, "b": b.what, "a_going": a.going_on, "b_going": b.going_on}
            yield Draft(program, slots, _frames(a, b), (a.event.object, b.event.object))


# ---- Cause ---------------------------------------------------------------------------------------


@kind("cause", "switched_by", rare=True)
def switched_by(stock: Stock) -> Iterator[Draft]:
    """Which knob or switch turned a lamp or burner on or off; or that none did."""
    controls = stock.refs(o.id for o in stock.facts.objects if o.joint is not None and o.role != "prop")
    ids = [r.id for r in controls if not opens(stock.view.thing(r.id))]
    ids += [r.id for r in controls if opens(stock.view.thing(r.id))] if len(ids) < 4 else []
    pool = Pool(keys=(*(f"it:{id}" for id in ids), "did_not"), always=("did_not",))

    def asked(premise: Premise) -> JSON:
        return {"op": "cause_of", "kind": premise.kind, "object": premise.a.program}

    for premise, program in premises(stock, ("turn_on", "turn_off"), 1 / 4, asked, often=0.3):
        on = "1" if premise.kind == "turn_on" else ""
        glows = "1" if stock.view.thing(premise.a.id).category == "burner" else ""
        yield Draft(program, {"a": premise.a.text, "on": on, "glows": glows}, premise.frames, (premise.a.id,), pool)


@kind("cause", "filled_from", rare=True)
def filled_from(stock: Stock) -> Iterator[Draft]:
    """What a vessel was filled from."""
    for h in stock.shuffled(stock.happenings):
        target = stock.ref(h.event.target or 0)
        if h.event.kind == "pour" and target is not None:
            event: JSON = {"op": "event", "kind": "pour", "target": target.program}
            program: JSON = {"op": "object_of", "event": event}
            ids = tuple(r.id for r in stock.props if r.id != target.id)
            yield Draft(program, {"a": target.text}, h.frames, (target.id, h.event.object), Pool(ids))
