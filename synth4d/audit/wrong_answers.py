"""Wrong answers: another value in the turn, with its words and options, or that of another program."""

from __future__ import annotations

from typing import Any

from synth4d.audit.clip import Clip
from synth4d.program import Value, answer, compare
from synth4d.program.view import DECIMALS
from synth4d.records import Answer, Turn

KINDS = ("number", "direction", "state", "object", "order", "time", "box")
"""Of wrong answers."""
SIDES = ("left", "right", "front", "behind")
WAYS = ("moved_left", "moved_right", "closer", "farther")
STATES = (("open", "closed"), ("on", "off"), ("full", "partly", "empty"))


def in_answer(p: Clip, turn: Turn, error: str) -> Turn | None:
    value = wrong_value(p, turn, error)
    return None if value is None else _answered(p, turn, value)


def in_program(p: Clip, turn: Turn, error: str) -> Turn | None:
    if turn.answer.type == "text":
        return None  # another true caption is right too
    found = next(p.others(turn, error), None)
    if found is None:
        return None
    wrong = _answered(p, turn, found[1])
    return None if wrong is None else wrong.model_copy(update={"program": found[0]})


def _answered(p: Clip, turn: Turn, value: Value) -> Turn | None:
    """The turn with another answer, its options and letter in keeping."""
    said = answer(value, p.facts)
    if turn.choices is None or turn.correct is None:
        return turn.model_copy(update={"answer": said})
    choices = list(turn.choices)
    if said.text in choices:
        return turn.model_copy(update={"answer": said, "correct": choices.index(said.text)})
    choices[turn.correct] = said.text
    return turn.model_copy(update={"answer": said, "choices": choices})


def wrong_value(p: Clip, turn: Turn, error: str) -> Value | None:
    """Another answer of the same type, as far off as two witnesses may not be."""
    a = turn.answer
    right = p.run(turn.program)
    value = _other(p, a, error)
    if value is None or right is None:
        return None
    wrong = Value(a.type, value, a.unit, ordered=right.ordered, measure=right.measure)
    return None if compare(wrong, right) else wrong


def _other(p: Clip, a: Answer, error: str) -> Any:
    v: Any = a.value
    if a.type == "number" and error == ("time" if a.unit == "s" else "number"):
        factor = float(p.rng.uniform(1.4, 2.5))
        return round(v * factor if p.rng.random() < 0.5 or not v else v / factor, DECIMALS[a.unit or "m"])
    if a.type == "int" and error == "number":
        return p.pick([n for n in (v - 2, v - 1, v + 1, v + 2) if n >= 0])
    if a.type == "interval" and error == "time":
        shift = float(p.rng.uniform(1.5, 4.0)) * (v[1] - v[0])
        return [round(x + shift, 2) for x in v]
    if a.type == "bool" and error == "state":
        return not v
    if a.type == "choice":
        return _other_choice(p, str(v), error)
    if a.type == "object" and error == "object":
        return p.pick([id for id in p.view.askable if id != v] or [None])
    if a.type == "objects":
        return _other_objects(p, list(v), error)
    if error == "box":
        return _other_box(p, a)
    return None


def _other_choice(p: Clip, key: str, error: str) -> str | None:
    groups: tuple[tuple[str, ...], ...] = {"direction": (SIDES, WAYS), "state": STATES}.get(error, ())
    for group in groups:
        if key in group:
            return str(p.pick([k for k in group if k != key]))
    if error == "object" and key.count(":") == 1:
        kind, id = key.split(":")
        holders = [o.id for o in p.facts.objects if o.cavity is not None] if kind == "in" else list(p.view.askable)
        others = [i for i in holders if i != int(id)]
        return f"{kind}:{p.pick(others)}" if others else None
    return None


def _other_objects(p: Clip, ids: list[int], error: str) -> list[int] | None:
    if error == "order" and len(ids) > 1:
        return p.pick([o for o in ([*ids[::-1]], [ids[1], ids[0], *ids[2:]], [*ids[1:], ids[0]]) if o != ids])
    if error == "object":
        rest = [id for id in p.view.askable if id not in ids and p.view.thing(id).role == "prop"]
        return sorted([*ids[1:], p.pick(rest)]) if rest else None
    return None


def _other_box(p: Clip, a: Answer) -> Any:
    v: Any = a.value
    if a.type == "box2d":
        w, h = v[2] - v[0], v[3] - v[1]
        shift = float(p.rng.uniform(0.6, 1.5)) * p.pick((-1, 1))
        return [
            round(v[0] + shift * w, 1),
            round(v[1] + shift * h, 1),
            round(v[2] + shift * w, 1),
            round(v[3] + shift * h, 1),
        ]
    if a.type == "point2d":
        return [round(x + float(p.rng.uniform(20, 60)) * p.pick((-1, 1)), 1) for x in v]
    if a.type == "box3d":
        centre = [round(c + s, 4) for c, s in zip(v["center"], v["size"], strict=True)]
        return {**v, "center": centre}
    if a.type == "pose":
        return [round(v[0] + 0.4, 4), round(v[1] - 0.3, 4), *v[2:]]
    return None
