"""Other programs near a given one: each literal, thing, moment, operation, place and order changed in turn.

Made from the grammar alone: what an operation declares says what it could hold instead. So new operations are
covered by being declared, and nothing here knows how a filter might find the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

from synth4d.program import OPS, View
from synth4d.program.operations import Num, Sub, Word
from synth4d.program.wording import alone
from synth4d.records import JSON, ObjectFact


class Changed(NamedTuple):
    error: str
    """What is wrong with it: object, direction, state, time, order, number."""
    program: JSON


TURNS = {"side": "direction", "relation": "direction", "state": "state", "aspect": "state", "by": "number"}
PAIRS = {frozenset(p): e for p, e in {
    ("nearest", "farthest"): "direction", ("first", "last"): "order", ("on", "inside"): "direction",
    ("before", "after"): "time", ("start", "end"): "time",
}.items()}  # fmt: skip


def mutations(program: JSON, view: View) -> Iterator[Changed]:
    """Every program that differs in one place."""
    yield from _of(program, view)


def _of(node: JSON, view: View) -> Iterator[Changed]:
    op = OPS[node["op"]]
    if _is_thing(node):
        yield from (Changed("object", other) for other in _things(view) if other != node)
        if node["op"] == "unique":
            return
    if op.result == "moment":
        yield from (Changed("time", other) for other in _moments(node, view))
    for name, other in OPS.items():
        if name != op.name and other.result == op.result and other.fields == op.fields and op.fields:
            error = PAIRS.get(frozenset((name, op.name)), "direction")
            yield Changed(error, {**node, "op": name})
    yield from _swaps(node)
    for key, field in op.fields.items():
        value = node.get(key)
        if value is None:
            continue
        if isinstance(field, Word):
            yield from (Changed(TURNS.get(key, "object"), {**node, key: w}) for w in field.among if w != value)
        elif isinstance(field, Num) and op.result != "moment":
            yield from (
                Changed("number", {**node, key: v}) for v in (value * 2, value + 1) if field.low <= v <= field.high
            )
        elif isinstance(field, Sub) and isinstance(value, list):
            for i, sub in enumerate(value):
                yield from (Changed(e, {**node, key: [*value[:i], p, *value[i + 1 :]]}) for e, p in _of(sub, view))
        elif isinstance(field, Sub):
            yield from (Changed(e, {**node, key: p}) for e, p in _of(value, view))


def _swaps(node: JSON) -> Iterator[Changed]:
    """Two of an operation's things or moments in each other's place."""
    fields = {k: f for k, f in OPS[node["op"]].fields.items() if isinstance(f, Sub) and isinstance(node.get(k), dict)}
    for a, b in combinations(fields, 2):
        types = {OPS[node[k]["op"]].result for k in (a, b)}
        if len(types) == 1 and node[a] != node[b]:
            (kind,) = types
            error = {"moment": "time", "event": "order", "int": "number"}.get(kind, "direction")
            yield Changed(error, {**node, a: node[b], b: node[a]})


def _is_thing(node: JSON) -> bool:
    return node["op"] == "unique" and isinstance(node.get("of"), dict) and node["of"]["op"] == "filter"


def _things(view: View) -> list[JSON]:
    """Programs for the things of a clip that a name tells apart."""
    found = []
    for id in view.askable:
        thing = view.thing(id)
        if (one := named(thing, view)) is not None:
            found.append({"op": "unique", "of": one})
    return found


def named(thing: ObjectFact, view: View) -> JSON | None:
    """The set that holds a thing alone, by label and colour."""
    if alone(view.facts, thing):
        return {"op": "filter", "label": thing.label.en}
    if thing.unique and thing.colour is not None:
        return {"op": "filter", "label": thing.label.en, "colour": thing.colour.key}
    return None


def _moments(node: JSON, view: View) -> Iterator[JSON]:
    last_s = view.seconds(view.last)
    step = max(1.0, round(last_s / 4))
    at = node.get("s", 0.0 if node["op"] == "start" else last_s)
    times: list[Any] = [round(at + d * step, 2) for d in (-2, -1, 1, 2)]
    yield from ({"op": "time", "s": s} for s in times if 0 < s < last_s)
    yield from ({"op": name} for name in ("start", "end") if name != node["op"])
