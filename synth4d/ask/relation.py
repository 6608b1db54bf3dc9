"""Expressions that point at a thing by what holds of it: where it is, what it is beside, what happened to it.

    relations(stock, id, moment)   Refs, each tried on the facts: only that thing is meant at that moment

The noun is the thing's own label where others in sight share it, so that the relation is needed; else it is
left open (`the object on the plate`), so that the label alone tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from synth4d.ask.refer import Ref
from synth4d.ask.stock import Moment, Stock
from synth4d.program import Value, opens, parse, run
from synth4d.program.space import side
from synth4d.program.view import Refused
from synth4d.records import JSON, Text, at

SIDES = {
    "left": Text(en="to the left of", zh="左边"),
    "right": Text(en="to the right of", zh="右边"),
    "front": Text(en="in front of", zh="前面"),
    "behind": Text(en="behind", zh="后面"),
}
GATES = {"drawer": Text(en="drawer", zh="抽屉"), "door": Text(en="door", zh="门")}
"""What parts that open are called where their state says which is meant."""
LANDMARKS = 3


@dataclass(frozen=True, slots=True)
class Noun:
    """What the thing is called within the expression, and the set of all that are called so."""

    one: Text
    set: JSON
    like: tuple[int, ...]
    """Its like in sight, itself included; empty where the noun is open."""
    measure: str = "个"


def relations(stock: Stock, id: int, moment: Moment) -> Iterator[Ref]:
    """Expressions for a thing, the kinds of them in random order."""
    noun = _noun(stock, id, moment)
    makers: Sequence[Callable[[Stock, int, Noun, Moment], Iterator[Ref]]] = (_held, _beside, _befallen, _most)
    for ref in chain.from_iterable(make(stock, id, noun, moment) for make in stock.shuffled(makers)):
        if points_at(stock, ref):
            yield ref


def points_at(stock: Stock, ref: Ref) -> bool:
    value = run(parse(ref.program), stock.view)
    return isinstance(value, Value) and value.value == ref.id


def by_state(stock: Stock, id: int, moment: Moment) -> Iterator[Ref]:
    """`the open drawer`: a part that is the only one of its sort in that state."""
    thing = stock.view.thing(id)
    if thing.category in GATES and opens(thing) and thing.openness:
        state = "open" if (at(thing.openness, moment.frame) or 0) > 0 else "closed"
        gates: JSON = {"op": "filter", "category": thing.category}
        program = _unique({"op": "in_state", "of": gates, "state": state, "at": moment.program})
        word = GATES[thing.category]
        zh = f"{'开着' if state == 'open' else '关着'}的{word.zh}"
        ref = Ref(id, Text(en=f"the {state} {word.en}", zh=zh), program)
        if points_at(stock, ref):
            yield ref


def _noun(stock: Stock, id: int, moment: Moment) -> Noun:
    thing = stock.view.thing(id)
    label = thing.label
    in_sight = [i for i in stock.view.askable if stock.view.glimpsed(i, moment.frame)]
    like = tuple(i for i in in_sight if stock.view.thing(i).label.en == label.en)
    named: JSON = {"op": "filter", "label": label.en} if len(like) > 1 else {"op": "filter", "role": "prop"}
    seen: JSON = {"op": "visible", "of": named, "at": moment.program}
    if len(like) < 2:
        return Noun(Text(en="object", zh="物体"), seen, ())
    return Noun(Text(en=label.en, zh=label.zh), seen, like, label.measure)


def _unique(of: JSON) -> JSON:
    return {"op": "unique", "of": of}


def _held(stock: Stock, id: int, noun: Noun, moment: Moment) -> Iterator[Ref]:
    """`the mug on the plate`, `the object in the open drawer`."""
    thing = stock.view.thing(id)
    for relation, track, en, zh in (("on", thing.support, "on", "上"), ("inside", thing.inside, "in", "里")):
        holder = at(track, moment.frame)
        for h in _landmark(stock, holder, moment) if holder else ():
            held: JSON = {"op": relation, "object": h.program, "at": moment.program, "of": noun.set}
            text = Text(en=f"the {noun.one.en} {en} {h.text.en}", zh=f"{h.text.zh}{zh}的{noun.one.zh}")
            yield Ref(id, text, _unique(held))


def _landmark(stock: Stock, id: int, moment: Moment) -> list[Ref]:
    """What a thing is called when another is found by it: by its state where that tells, else by name."""
    by_name = stock.ref(id)
    stated = list(by_state(stock, id, moment)) if id in stock.view.by_id else []
    return stated or ([by_name] if by_name is not None else [])


def _beside(stock: Stock, id: int, noun: Noun, moment: Moment) -> Iterator[Ref]:
    """`the mug to the left of the kettle, as the camera sees it`."""
    marks = [r for r in stock.marks + stock.doors if r.id != id and stock.shows(r.id, moment.frame, True)]
    for mark in stock.shuffled(marks)[:LANDMARKS]:
        if (lies := _side(stock, id, mark.id, moment)) is None:
            continue
        for r in _landmark(stock, mark.id, moment):
            beside: JSON = {"op": "beside", "of": noun.set, "side": lies, "by": r.program, "at": moment.program}
            en = f"the {noun.one.en} {SIDES[lies].en} {r.text.en} as the camera sees it"
            zh = f"从镜头看在{r.text.zh}{SIDES[lies].zh}的{noun.one.zh}"
            yield Ref(id, Text(en=en, zh=zh), _unique(beside))


def _side(stock: Stock, a: int, b: int, moment: Moment) -> str | None:
    try:
        return str(side(stock.view, a, b, (moment.frame, moment.frame)).value)
    except Refused:
        return None


def _befallen(stock: Stock, id: int, noun: Noun, moment: Moment) -> Iterator[Ref]:
    """`the bowl that is moved in the video`."""
    if any(e.object == id and e.kind != "pour" for e in stock.facts.events) and stock.view.thing(id).role == "prop":
        of = noun.set["of"]
        program = _unique({"op": "befell", "of": of, "kind": "motion"})
        text = Text(en=f"the {noun.one.en} that gets moved in the video", zh=f"视频中被移动的{noun.one.zh}")
        yield Ref(id, text, program)


def _most(stock: Stock, id: int, noun: Noun, moment: Moment) -> Iterator[Ref]:
    """`the bowl nearer to the camera`, `the tallest bottle`: among its like."""
    camera: JSON = {"op": "camera"}
    rest: JSON = {"of": noun.set, "at": moment.program}
    ways: tuple[tuple[JSON, tuple[str, str], str, str, str], ...] = (
        ({"op": "nearest", "to": camera}, ("nearer", "nearest"), " to the camera", "离镜头", "近"),
        ({"op": "farthest", "to": camera}, ("farther", "farthest"), " from the camera", "离镜头", "远"),
        ({"op": "biggest", "by": "height"}, ("taller", "tallest"), "", "", "高"),
    )
    for op, words, tail, from_, far in stock.shuffled(ways) if noun.like else ():
        two = len(noun.like) == 2
        word = words[0] if two else words[1]
        en = f"the {noun.one.en} {word}{tail}" if tail else f"the {word} {noun.one.en}"
        zh = f"{from_}{'较' if two else '最'}{far}的那{noun.measure}{noun.one.zh}"
        yield Ref(id, Text(en=en, zh=zh), {**op, **rest})
