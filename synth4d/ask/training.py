"""What training wants to know of a question: how hard it is, and which wrong answers are plausible."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from synth4d import seeds
from synth4d.ask.kinds import Draft
from synth4d.ask.stock import Stock
from synth4d.program import Program, Refusal, Value, answer, compare, opens, parse, run
from synth4d.records import JSON, Negative, at, dump

# ---- Difficulty ----------------------------------------------------------------------------------

WEIGHTS = {
    "steps": 0.20, "memory": 0.15, "small": 0.15, "crowd": 0.10, "hidden": 0.10, "spread": 0.10, "close": 0.10,
    "free": 0.10,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signs:
    """What makes a question hard, each 0..1."""

    steps: float
    """Operations of the program beyond the first, of 15."""
    memory: float
    """1: what is asked about is out of sight."""
    small: float
    """1 − √(share of the frame that shows the least visible thing at its best / 2 %), never below 0."""
    crowd: float
    """Other things of the category of one asked about, of 4: the most over the things."""
    hidden: float
    """Share of the most hidden thing that is occluded at the evidence frame that shows it best."""
    spread: float
    """Evidence frames beyond the first, of 3."""
    close: float
    """1: the answer changes with facts changed by as much as a witness may err (`shake.SHAKES`); 0.5: with three
    times that; 0: with neither."""
    free: float
    """1 less the chance of a blind guess: an even guess of the options, or of yes and no; 1 where there are none."""


def difficulty(signs: Signs) -> float:
    """0..1: the signs weighted by WEIGHTS; it never falls as a sign grows."""
    return round(sum(weight * min(max(getattr(signs, sign), 0.0), 1.0) for sign, weight in WEIGHTS.items()), 3)


def signs(stock: Stock, draft: Draft, program: Program, value: Value, options: int | None) -> Signs:
    """The signs of a draft whose program gives a value; `options`: how many are shown."""
    area = stock.facts.width * stock.facts.height
    things = [stock.view.thing(id) for id in draft.objects]
    pixels = [max(o.pixels) / area for o in things] or [0.02]
    alike = [sum(stock.view.thing(id).category == o.category for id in stock.seen if id != o.id) for o in things]
    hidden = [min((at(o.occluded, f) or 0.0) for f in draft.frames) for o in things if draft.frames]
    ways = options or (2 if value.type == "bool" else None)
    return Signs(
        steps=(program.nodes - 1) / 15,
        memory=float(draft.unseen),
        small=1 - math.sqrt(min(pixels) / 0.02),
        crowd=max(alike, default=0) / 4,
        hidden=max(hidden, default=0.0),
        spread=(len(set(draft.frames)) - 1) / 3,
        close=_closeness(stock, program, value),
        free=1 - 1 / ways if ways else 1.0,
    )


def _closeness(stock: Stock, program: Program, value: Value) -> float:
    for view, closeness in zip(stock.shaken, (1.0, 0.5), strict=True):
        other = run(program, view)
        if isinstance(other, Refusal) or not compare(value, other):
            return closeness
    return 0.0


# ---- Hard negatives ------------------------------------------------------------------------------

NEGATIVES = 2
TRIES = 8
"""Neighbouring questions that are answered in search of a plausible wrong answer."""
OPPOSITE = {"nearest": "farthest", "farthest": "nearest", "first": "last", "last": "first", "before": "after",
            "after": "before"}  # fmt: skip
MOMENTS = ("time", "start", "end", "before", "after")


def negatives(stock: Stock, draft: Draft, value: Value, offered: Sequence[Value] | None) -> list[Negative]:
    """Up to two wrong answers: what the same question says of another moment or another thing, where it has an
    answer; of the options, where there are any; else what lies just beyond the tolerance."""
    chosen: list[Value] = []
    for v in _wrong(stock, draft, value, offered):
        if not compare(v, value) and not any(compare(v, c) for c in chosen):
            chosen.append(v)
        if len(chosen) == NEGATIVES:
            break
    return [Negative(answer=answer(v, stock.facts), wrong_by="world") for v in chosen]


def _wrong(stock: Stock, draft: Draft, value: Value, offered: Sequence[Value] | None) -> Iterator[Value]:
    """What may be wrong, the most plausible first."""
    if offered is not None:
        near = list(_neighbours(stock, draft, value))
        yield from sorted(offered, key=lambda v: (not any(compare(v, n) for n in near), _apart(v, value)))
        return
    if value.type != "bool":  # there is one other answer, whatever neighbours say
        yield from _neighbours(stock, draft, value)
    yield from _beyond(stock, value, draft)


def _apart(v: Value, value: Value) -> float:
    return abs(math.log(v.value / value.value)) if v.type == "number" and v.value * value.value > 0 else 0.0


def _neighbours(stock: Stock, draft: Draft, value: Value) -> Iterator[Value]:
    """Right answers to questions that are easily taken for this one."""
    seen = [draft.program]
    for program in _programs(stock, draft):
        if program in seen:
            continue
        if len(seen) > TRIES:
            return
        seen.append(program)
        other = run(parse(program), stock.view)
        if not isinstance(other, Refusal) and _fits(stock, other, value):
            yield other


def _fits(stock: Stock, other: Value, value: Value) -> bool:
    """Whether an answer could be one to the same question."""
    if (other.type, other.unit) != (value.type, value.unit) or (other.type in ("int", "number") and other.value <= 0):
        return False
    if value.ordered and sorted(other.value) != sorted(value.value):
        return False
    return _named(stock, other)


def _named(stock: Stock, value: Value) -> bool:
    ids = [value.value] if value.type == "object" else value.value if value.type == "objects" else []
    if value.type == "choice" and ":" in value.value:
        ids = [int(value.value.split(":")[1])]
    return len(stock.refs(ids)) == len(ids)


def _programs(stock: Stock, draft: Draft) -> Iterator[JSON]:
    """The program at another moment, with the opposite operation, and of another thing."""
    for moment in ({"op": "start"}, {"op": "end"}):
        yield _replaced(draft.program, lambda n, m=moment: m if n["op"] in MOMENTS else None)
    yield _replaced(draft.program, lambda n: {**n, "op": OPPOSITE[n["op"]]} if n["op"] in OPPOSITE else None)
    rng = seeds.rng(stock.facts.key, "negatives", dump(draft.program).decode())
    beside = [r for r in stock.refs(stock.seen) if r.id not in draft.objects]
    for id in draft.objects:
        ref, others = stock.ref(id), [r for r in beside if _alike(stock, id, r.id)]
        for i in rng.permutation(len(others))[:2]:
            if ref is not None:
                yield _replaced(draft.program, lambda n, a=ref.program, b=others[i].program: b if n == a else None)


def _alike(stock: Stock, a: int, b: int) -> bool:
    x, y = stock.view.thing(a), stock.view.thing(b)
    return (x.role, opens(x), x.switchable) == (y.role, opens(y), y.switchable)


def _replaced(node: Any, change: Any) -> Any:
    """A program with some of its operations replaced, outermost first."""
    if isinstance(node, list):
        return [_replaced(n, change) for n in node]
    if not isinstance(node, dict):
        return node
    changed = change(node)
    return changed if changed is not None else {k: _replaced(v, change) for k, v in node.items()}


def _beyond(stock: Stock, value: Value, draft: Draft) -> Iterator[Value]:
    """What lies just outside of what would be accepted."""
    v, pool = value.value, draft.pool
    if value.type == "bool":
        yield Value("bool", not v)
    elif value.type == "int":
        yield from (Value("int", n, measure=value.measure) for n in (v + 1, v - 1) if n >= 0)
    elif value.type == "number":
        found = [round(v * factor, 2) + 0.0 for factor in (1.25, 0.8, 1.5, 0.65, 2.0, 0.5, 3.0)]
        yield from (Value("number", x, value.unit) for x in found if value.unit != "%" or x <= 100)
    elif value.type == "interval":
        a, b = v
        yield from (Value("interval", [round(a + s, 2), round(b + s, 2)], "s") for s in (b - a, a - b, 2) if a + s >= 0)
    elif value.type == "objects":
        swapped = ([*v[:i], v[i + 1], v[i], *v[i + 2 :]] for i in range(len(v) - 1))
        fewer = ([o for o in v if o != id] for id in v if len(v) > 1)
        added = (sorted([*v, id]) for id in (pool.ids if pool else [r.id for r in stock.props]) if id not in v)
        yield from (
            Value("objects", ids, ordered=value.ordered) for ids in (swapped if value.ordered else (*added, *fewer))
        )
    elif draft.program["op"] == "wrong":
        yield from (Value("choice", str(n)) for n in range(1, len(draft.program["claims"]) + 1))
    elif value.type == "choice" and pool is not None:
        yield from (Value("choice", key) for key in pool.keys)
    elif value.type == "object" and pool is not None:
        yield from (Value("object", id) for id in pool.ids)
    elif value.type == "box2d":
        w, h = v[2] - v[0], v[3] - v[1]
        moves = [(w, 0), (-w, 0), (0, h), (0, -h)]
        boxes = ([v[0] + x, v[1] + y, v[2] + x, v[3] + y] for x, y in moves)
        yield from (Value("box2d", box, value.unit) for box in boxes if min(box) >= 0)
