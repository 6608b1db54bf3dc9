"""Questions of place: between, above, hidden by, on a thing's own side, how many on it, and comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from synth4d.ask.kinds import Draft, Pool, Slots, either, filter_json, kind
from synth4d.ask.layout import SIDES
from synth4d.ask.refer import Ref
from synth4d.ask.space import _best, _categories, _label, together
from synth4d.ask.stock import Moment, Stock
from synth4d.program import Value, parse, run
from synth4d.records import JSON, Text, at

# ---- Between, on, hidden -------------------------------------------------------------------------


def _amid(stock: Stock) -> Iterator[tuple[Draft, int]]:
    """Things asked to be between two others, and how many are."""
    for moment, (a, b) in together(stock, stock.marks, 2, most=15, whole=True):
        seen: JSON = {"op": "visible", "of": filter_json(role="prop"), "at": moment.program}
        amid: JSON = {"op": "amid", "a": a.program, "b": b.program, "at": moment.program, "of": seen}
        found = run(parse(amid), stock.view)
        if isinstance(found, Value):
            slots: Slots = {"a": a.text, "b": b.text, "at": moment.text}
            yield Draft(amid, slots, (moment.frame,), (a.id, b.id)), len(found.value)


@kind("space", "between", paired=True, tries=24)
def between(stock: Stock) -> Iterator[Draft]:
    """Whether anything stands between two things, seen from above."""
    for draft, _ in _amid(stock):
        yield Draft({"op": "exists", "of": draft.program}, draft.slots, draft.frames, draft.objects)


@kind("space", "what_is_between", rare=True)
def what_is_between(stock: Stock) -> Iterator[Draft]:
    for draft, n in _amid(stock):
        if n == 1:
            ids = tuple(r.id for r in stock.in_sight(stock.props, draft.frames[0]) if r.id not in draft.objects)
            program: JSON = {"op": "unique", "of": draft.program}
            yield Draft(program, draft.slots, draft.frames, draft.objects, Pool(ids))


@kind("space", "is_on", paired=True, tries=40)
def is_on(stock: Stock) -> Iterator[Draft]:
    """Whether a thing is on or in another, asked of what is and of what is on or in something else."""
    for moment in stock.moments(spread=2):
        for a in stock.in_sight(stock.props, moment.frame)[:3]:
            tracks = (("on", stock.view.thing(a.id).support), ("inside", stock.view.thing(a.id).inside))
            for relation, track in tracks:
                own = at(track, moment.frame)
                others = [h for h in stock.in_sight(stock.holders, moment.frame) if h.id not in (own, a.id)]
                right = stock.refs([own]) if own else []
                for h in [*right, *others[:1]]:
                    if moment.about not in (a.id, h.id):
                        yield _held(relation, a.text, a.program, h.text, h.program, moment, (a.id, h.id))


def _held(
    relation: str, a: Text, a_program: JSON, b: Text, b_program: JSON, moment: Moment, ids: tuple[int, ...]
) -> Draft:
    these: JSON = {"op": "these", "of": [a_program]}
    held: JSON = {"op": relation, "object": b_program, "at": moment.program, "of": these}
    word = Text(en="on", zh="上") if relation == "on" else Text(en="in", zh="里")
    slots: Slots = {"a": a, "b": b, "rel": word, "at": moment.text}
    return Draft({"op": "exists", "of": held}, slots, (moment.frame,), ids, group=relation)


@kind("space", "hidden", paired=True, tries=40)
def hidden(stock: Stock) -> Iterator[Draft]:
    """Whether a part of a thing is hidden by another."""
    for moment in stock.moments(spread=3):
        for a in [r for r in stock.shuffled(stock.props) if stock.clear(moment.frame, r.id)][:5]:
            if moment.about != a.id:
                program: JSON = {"op": "is_hidden", "object": a.program, "at": moment.program}
                yield Draft(program, {"a": a.text, "at": moment.text}, (moment.frame,), (a.id,))


@kind("space", "hidden_by", tries=24, rare=True)
def hidden_by(stock: Stock) -> Iterator[Draft]:
    """Which thing is partly hidden by another, where it is one."""
    for moment in stock.moments(spread=3):
        hiders = {id for o in stock.facts.objects for id in at(o.hidden_by, moment.frame) or [] if o.role == "prop"}
        for a in stock.in_sight(stock.refs(sorted(hiders)), moment.frame):
            found: JSON = {"op": "hidden_by", "object": a.program, "at": moment.program}
            ids = tuple(r.id for r in stock.props if r.id != a.id and stock.clear(moment.frame, r.id))
            slots: Slots = {"a": a.text, "at": moment.text}
            yield Draft({"op": "unique", "of": found}, slots, (moment.frame,), (a.id,), Pool(ids))


# ---- A thing's own sides, heights, gaps seen from above ------------------------------------------


@kind("space", "own_side", tries=24)
def own_side(stock: Stock) -> Iterator[Draft]:
    """In the frame of reference of furniture, or of a door or drawer, that opens to one side."""
    parted = {o.part_of for o in stock.facts.objects if o.part_of and o.joint is not None}
    for moment in stock.moments(spread=2):
        for b in stock.in_sight(stock.refs(sorted(parted)) + _shut(stock, moment.frame), moment.frame, True):
            for a in [r for r in stock.in_sight(stock.marks, moment.frame, True) if r.id != b.id][:3]:
                program: JSON = {"op": "own_side", "of": a.program, "by": b.program, "at": moment.program}
                slots: Slots = {"a": a.text, "b": b.text, "at": moment.text}
                yield Draft(program, slots, (moment.frame,), (a.id, b.id), Pool(keys=SIDES))


def _shut(stock: Stock, frame: int) -> list[Ref]:
    """Doors and drawers that are closed at a frame: where they are is where their front is."""
    tracks = ((r, stock.view.thing(r.id).openness) for r in stock.doors)
    return [r for r, track in tracks if track is not None and at(track, frame) == 0]


@kind("space", "higher")
def higher(stock: Stock) -> Iterator[Draft]:
    """By how much the top of one thing is above that of another."""
    for moment, (a, b) in together(stock, stock.marks, 2, whole=True):
        for one, two in ((a, b), (b, a)):
            program: JSON = {"op": "above", "a": one.program, "b": two.program, "at": moment.program}
            slots: Slots = {"a": one.text, "b": two.text, "at": moment.text}
            yield Draft(program, slots, (moment.frame,), (a.id, b.id), Pool(least=6.0, most=200.0))


@kind("space", "highest")
def highest(stock: Stock) -> Iterator[Draft]:
    for moment, group in together(stock, stock.marks, 3, whole=True):
        these: JSON = {"op": "these", "of": [r.program for r in group]}
        program: JSON = {"op": "highest", "of": these, "at": moment.program}
        ids = tuple(r.id for r in group)
        yield Draft(program, {"which": either(group), "at": moment.text}, (moment.frame,), ids, Pool(ids))


@kind("space", "across")
def across(stock: Stock) -> Iterator[Draft]:
    for moment, (a, b) in together(stock, stock.marks, 2, whole=True):
        program: JSON = {"op": "across", "a": a.program, "b": b.program, "at": moment.program}
        slots: Slots = {"a": a.text, "b": b.text, "at": moment.text}
        yield Draft(program, slots, (moment.frame,), (a.id, b.id), Pool(least=0.2, most=6.0))


@kind("space", "farther")
def farther(stock: Stock) -> Iterator[Draft]:
    """Which of two or three things is farther from a fourth, or from the camera."""
    for moment, (to, *rest) in together(stock, stock.marks, 4, whole=True):
        among = rest[: 2 + int(stock.chance(0.5))]
        these: JSON = {"op": "these", "of": [r.program for r in among]}
        ids = tuple(r.id for r in among)
        place, text, named = to.program, to.text, (*ids, to.id)
        if stock.chance(0.3):
            place, text, named = {"op": "camera"}, Text(en="the camera", zh="镜头"), ids
        program: JSON = {"op": "farthest", "to": place, "of": these, "at": moment.program}
        slots: Slots = {"which": either(among), "at": moment.text, "n": str(len(among)), "to": text}
        yield Draft(program, slots, (moment.frame,), named, Pool(ids))


# ---- Counts by relation, and compared ------------------------------------------------------------


@kind("space", "count_on", rare=True)
def count_on(stock: Stock) -> Iterator[Draft]:
    """How many things are on, or in, a thing."""
    for moment in stock.moments(spread=2):
        for holder in stock.in_sight(stock.holders, moment.frame):
            for relation, en, zh in (("on", "on", "上"), ("inside", "in", "里")):
                if moment.about != holder.id and stock.members(holder.id, relation, moment.frame):
                    held: JSON = {"op": relation, "object": holder.program, "at": moment.program}
                    program: JSON = {"op": "count", "of": {"op": "all_visible", "of": held, "at": moment.program}}
                    slots: Slots = {"a": holder.text, "rel": Text(en=en, zh=zh), "at": moment.text}
                    yield Draft(program, slots, (moment.frame,), (holder.id,))


@kind("space", "more_than")
def more_than(stock: Stock) -> Iterator[Draft]:
    """How many more of one sort than of another come into view."""
    seen = {c: [id for id in ids if id in stock.seen] for c, ids in _categories(stock).items()}
    pairs = [(a, b) for a, b in combinations(seen, 2) if seen[a] and seen[b]]
    for pair in stock.shuffled(pairs):
        a, b = sorted(pair, key=lambda c: -len(seen[c]))
        if len(seen[a]) > len(seen[b]):
            counts = [{"op": "count", "of": {"op": "seen", "of": filter_json(category=c)}} for c in (a, b)]
            labels = [_label(stock, seen[c][0]) for c in (a, b)]
            slots: Slots = {n: Text(en=x.plural, zh=x.zh) for n, x in zip("ab", labels, strict=True)}
            slots = {**slots, "m": labels[0].measure}
            ids = (*seen[a], *seen[b])
            frames = tuple(sorted({_best(stock, id) for id in ids}))
            yield Draft({"op": "minus", "a": counts[0], "b": counts[1]}, slots, frames, ids)
