"""A clip as an author is told of it: JSON lines within delimiters that no name in them can close.

Names come from scenes, which are other people's. They stand in JSON strings, cut at a length, without characters that
don't print, and with `<`, `>` and `&` escaped: whatever a name says, it stays a string between the delimiters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from synth4d.ask.stock import Stock
from synth4d.program import kind_of
from synth4d.records import JSON, Label, ObjectFact, at

NAME_CHARS = 80
"""As long as a program's literal may be."""
ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def quoted(value: Any, longest: int = NAME_CHARS) -> str:
    """Data as one line of JSON that can't leave its delimiters; strings are cut at `longest` characters."""
    return json.dumps(_capped(value, longest), ensure_ascii=False, separators=(",", ":")).translate(ESCAPES)


def _capped(value: Any, longest: int) -> Any:
    if isinstance(value, dict):
        # A program is read from its operation on, whatever order its record has.
        return {k: _capped(value[k], longest) for k in sorted(value, key=lambda k: k != "op")}
    if isinstance(value, list | tuple):
        return [_capped(v, longest) for v in value]
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in value)[:longest]
    return value


def described(stock: Stock, absent: Sequence[tuple[str, Label]]) -> str:
    """The clip's things and events, one a line."""
    rows = [_clip(stock), *_things(stock), *_events(stock), *_lacking(stock, absent)]
    return "\n".join(map(quoted, rows))


def _clip(stock: Stock) -> JSON:
    facts = stock.facts
    return {"clip": {"first_s": 0, "last_s": _seconds(stock, stock.view.last), "fps": facts.fps}}


def _things(stock: Stock) -> Iterator[JSON]:
    """What can be named by itself, with what its state is and when it changes; then how many there are of the rest."""
    nameless: dict[str, int] = {}
    for id in stock.seen:
        ref, thing = stock.ref(id), stock.view.thing(id)
        if ref is None:
            nameless[thing.category] = nameless.get(thing.category, 0) + 1
            continue
        row: JSON = {"thing": id, "en": ref.text.en, "zh": ref.text.zh, "ref": ref.program, "category": thing.category}
        row["in_sight_s"] = _spans(stock, id)
        yield row | _state(stock, thing)
    for category, count in sorted(nameless.items()):
        yield {"more_of_category": category, "count": count, "note": "alike; can be counted, not named one by one"}


def _state(stock: Stock, thing: ObjectFact) -> JSON:
    row: JSON = {}
    if thing.part_of:
        row["part_of"] = thing.part_of
    if thing.role == "prop":
        places = [_place(at(thing.inside, f), at(thing.support, f)) for f in range(stock.facts.frames)]
        row["place"] = _changes(stock, places)
    if thing.openness is not None and thing.joint is not None:
        unit = "deg" if thing.joint.type == "hinge" else "cm"
        row[f"open_{unit}"] = _changes(stock, _ends(stock, thing.openness))
    if thing.on is not None and thing.switchable:
        row["switched_on"] = _changes(stock, [at(thing.on, f) for f in range(stock.facts.frames)])
    if thing.fill is not None and thing.vessel is not None:
        row["filled_percent"] = _changes(stock, _ends(stock, [None if v is None else 100 * v for v in thing.fill]))
    return row


def _place(inside: int | None, support: int | None) -> str | None:
    return f"in:{inside}" if inside else f"on:{support}" if support else None


def _ends(stock: Stock, track: list[float | None]) -> list[float | None]:
    """A track that tells its values where it rests, not on the way."""
    values = [at(track, f) for f in range(stock.facts.frames)]
    rests = [
        i for i in range(len(values)) if i in (0, len(values) - 1) or values[i] == values[i - 1] or values[i] is None
    ]
    kept: list[float | None] = []
    for i, v in enumerate(values):
        kept.append(None if v is None else round(v) if i in rests or not kept else kept[-1])
    return kept


def _changes(stock: Stock, values: Sequence[object]) -> list[list[object]]:
    """[[from this second on, value], …], at most eight."""
    changes = [f for f in range(len(values)) if f == 0 or values[f] != values[f - 1]]
    return [[_seconds(stock, f), values[f]] for f in changes[:8]]


def _spans(stock: Stock, id: int) -> list[list[float]]:
    """[[from, to], …] in which a thing is clearly in sight."""
    clear = [stock.view.clear(id, f) for f in range(stock.facts.frames)]
    starts = [f for f in range(len(clear)) if clear[f] and not (f and clear[f - 1])]
    ends = [f for f in range(len(clear)) if clear[f] and not (f + 1 < len(clear) and clear[f + 1])]
    return [[_seconds(stock, a), _seconds(stock, b)] for a, b in zip(starts, ends, strict=True)][:6]


def _events(stock: Stock) -> Iterator[JSON]:
    for h in stock.happenings:
        e = h.event
        row: JSON = {"event": kind_of(e), "en": h.what.en, "zh": h.what.zh, "ref": h.program}
        yield row | {"from_s": round(e.start_s, 2), "to_s": round(e.end_s, 2)}


def _lacking(stock: Stock, absent: Sequence[tuple[str, Label]]) -> Iterator[JSON]:
    there = {o.category for o in stock.facts.objects}
    names = [{"category": c, "en": label.en, "zh": label.zh} for c, label in absent if c not in there]
    if names:
        yield {"not_in_this_clip": names[:6]}


def _seconds(stock: Stock, frame: int) -> float:
    return round(stock.view.seconds(frame), 2)
