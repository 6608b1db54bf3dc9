"""Questions of space: how many, whether any, how far, which is nearer, how large, which is taller."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from synth4d.ask.kinds import Draft, Pool, Slots, either, filter_json, kind
from synth4d.ask.refer import Ref
from synth4d.ask.stock import Moment, Stock
from synth4d.program import coloured
from synth4d.records import JSON, Label, Text

ONE_COLOUR = ("apple", "orange", "banana", "lemon", "tomato", "potato", "pear", "carrot", "egg")
"""Things that grow in their own colours: a blue banana is known to be absent without looking."""


def _best(stock: Stock, id: int) -> int:
    """The frame that shows most of a thing."""
    pixels = stock.view.thing(id).pixels
    return max(range(stock.facts.frames), key=lambda f: pixels[0] if len(pixels) == 1 else pixels[f])


def _categories(stock: Stock) -> dict[str, list[int]]:
    """Props by category, where a category has one name that no other has."""
    found: dict[str, list[int]] = {}
    for id in stock.view.askable:
        if stock.view.thing(id).role == "prop":
            found.setdefault(stock.view.thing(id).category, []).append(id)
    names = {
        c: {(stock.view.thing(id).label.en, stock.view.thing(id).label.zh) for id in ids} for c, ids in found.items()
    }
    said = [zh for group in names.values() for _, zh in group]
    return {c: ids for c, ids in found.items() if len(names[c]) == 1 and all(said.count(zh) == 1 for _, zh in names[c])}


def _label(stock: Stock, id: int) -> Label:
    return stock.view.thing(id).label


@kind("space", "count", even=True)
def count(stock: Stock) -> Iterator[Draft]:
    for category, ids in stock.shuffled(_categories(stock).items()):
        label = _label(stock, ids[0])
        seen = [id for id in ids if id in stock.seen]
        if not seen or (len(seen) == 1 and stock.chance(0.7)):
            continue
        things: JSON = {"op": "seen", "of": filter_json(category=category)}
        slots: Slots = {"n": Text(en=label.plural, zh=label.zh), "m": label.measure}
        frames = tuple(sorted({_best(stock, id) for id in seen}))
        yield Draft({"op": "count", "of": things}, slots, frames, tuple(seen))


@kind("space", "exists", paired=True, tries=24)
def exists(stock: Stock) -> Iterator[Draft]:
    """Half the premises are false: a colour or a category that the clip lacks."""
    categories = stock.shuffled(_categories(stock).items())
    colours = sorted({o.colour.key for o in stock.facts.objects if o.colour is not None})
    for category, ids in categories:
        thing = stock.view.thing(ids[0])
        if category in ONE_COLOUR:
            continue
        for id in ids:
            named = stock.view.thing(id)
            if named.colour is not None and id in stock.seen:
                yield _premise(
                    filter_json(category=category, colour=named.colour.key),
                    coloured(named),
                    thing.label,
                    (id,),
                    _best(stock, id),
                )
        present = {stock.view.thing(id).colour for id in ids}
        for key in stock.shuffled(colours)[:2]:
            like = next((o.colour for o in stock.facts.objects if o.colour is not None and o.colour.key == key), None)
            if like is not None and like not in present and None not in present:
                painted = coloured(thing.model_copy(update={"colour": like}))
                yield _premise(filter_json(category=category, colour=key), painted, thing.label, (), 0)
    for category, ids in categories:
        thing = stock.view.thing(ids[0])
        plain = Text(en=thing.label.en, zh=thing.label.zh)
        shown = [id for id in ids if id in stock.seen][:1]
        if stock.absent:
            yield _premise(
                filter_json(category=category),
                plain,
                thing.label,
                tuple(shown),
                _best(stock, ids[0]),
                "plain",
            )
    for category, label in stock.shuffled(stock.absent):
        if category not in _categories(stock):
            yield _premise(filter_json(category=category), Text(en=label.en, zh=label.zh), label, (), 0, "plain")


def _premise(found: JSON, name: Text, label: Label, ids: tuple[int, ...], frame: int, group: str = "colour") -> Draft:
    article = "an" if name.en[:1].lower() in "aeiou" else "a"
    slots: Slots = {"n": Text(en=f"{article} {name.en}", zh=name.zh), "m": label.measure}
    return Draft({"op": "exists", "of": {"op": "seen", "of": found}}, slots, (frame,), ids, group=group)


# ---- Distance and size ---------------------------------------------------------------------------


def together(
    stock: Stock, refs: list[Ref], size: int, most: int = 6, whole: bool = False
) -> Iterator[tuple[Moment, tuple[Ref, ...]]]:
    """Groups of things that are in sight together at a moment, `whole`: all of each."""
    for moment in stock.moments(spread=2):
        in_sight = stock.in_sight(refs, moment.frame, whole)[:6]
        groups = stock.shuffled(combinations(in_sight, size))[:most]
        for group in groups:
            if moment.about not in [r.id for r in group]:
                yield moment, group


@kind("space", "distance")
def distance(stock: Stock) -> Iterator[Draft]:
    for moment, (a, b) in together(stock, stock.marks + stock.pointed, 2):
        program: JSON = {"op": "distance", "a": a.program, "b": b.program, "at": moment.program}
        slots: Slots = {"a": a.text, "b": b.text, "at": moment.text}
        yield Draft(program, slots, (moment.frame,), (a.id, b.id), Pool(least=0.2, most=6.0))


@kind("space", "camera_distance")
def camera_distance(stock: Stock) -> Iterator[Draft]:
    for moment, (a,) in together(stock, stock.marks + stock.pointed, 1):
        program: JSON = {"op": "distance", "a": {"op": "camera"}, "b": a.program, "at": moment.program}
        yield Draft(program, {"a": a.text, "at": moment.text}, (moment.frame,), (a.id,), Pool(least=0.3, most=8.0))


@kind("space", "nearer")
def nearer(stock: Stock) -> Iterator[Draft]:
    """Which of two or three things is nearer to a fourth, or to the camera."""
    for moment, (to, *rest) in together(stock, stock.marks, 4):
        among = rest[: 2 + int(stock.chance(0.5))]
        these: JSON = {"op": "these", "of": [r.program for r in among]}
        ids = tuple(r.id for r in among)
        slots: Slots = {"which": either(among), "at": moment.text, "n": str(len(among))}
        if stock.chance(0.3):
            program: JSON = {"op": "nearest", "to": {"op": "camera"}, "of": these, "at": moment.program}
            camera = Text(en="the camera", zh="镜头")
            yield Draft(program, {**slots, "to": camera}, (moment.frame,), ids, Pool(ids))
        else:
            program = {"op": "nearest", "to": to.program, "of": these, "at": moment.program}
            yield Draft(program, {**slots, "to": to.text}, (moment.frame,), (*ids, to.id), Pool(ids))


@kind("space", "size")
def size(stock: Stock) -> Iterator[Draft]:
    for a in stock.shuffled(stock.marks):
        by = "length" if stock.chance(0.4) else "height"
        frame = _best(stock, a.id)
        program: JSON = {"op": "size", "object": a.program, "by": by, "at": stock.second(frame).program}
        name = Text(en="longest side", zh="最长边") if by == "length" else Text(en="height", zh="高度")
        yield Draft(program, {"a": a.text, "by": name}, (frame,), (a.id,), Pool(least=2.0, most=150.0))


@kind("space", "taller")
def taller(stock: Stock) -> Iterator[Draft]:
    for moment, group in together(stock, stock.marks, 3):
        among = group[: 2 + int(stock.chance(0.5))]
        these: JSON = {"op": "these", "of": [r.program for r in among]}
        program: JSON = {"op": "biggest", "by": "height", "of": these, "at": moment.program}
        ids = tuple(r.id for r in among)
        slots: Slots = {"which": either(among), "n": str(len(among))}
        yield Draft(program, slots, (moment.frame,), ids, Pool(ids))
