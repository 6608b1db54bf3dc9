"""The answer-program language: programs parsed and checked against the declared operations before they run.

A program is a JSON tree of operations, `{"op": NAME, FIELD: …}`. A field is another program, a list of
programs, or a literal. `parse` checks names, fields, literals and types; `run` cannot fail after it, only
refuse.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from synth4d.errors import SynthError
from synth4d.program.operations import ANSWERS, CLAIMS, OPS, WIDER, Field, Num, Nums, Op, Said, Sub, Type, Word
from synth4d.program.view import Refusal, Refused, View, refuse

DEPTH, NODES, TEXT = 12, 192, 80
"""Caps on a program, against hostile ones: depth of the tree, operations in it, characters of a literal."""


class ProgramError(SynthError):
    """A program that is not of the language."""


# ---- Parsing -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A checked program. A like one parses to the same, so that a View answers each only once."""

    op: Op
    fields: dict[str, Any]
    """Program, list of Programs, literal, or None for a field left out."""
    result: Type = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "result", self.fields["of"].result if self.op.elsewhere else self.op.result)

    def walk(self) -> Iterator[Program]:
        """It and all programs within it, from the outside in."""
        yield self
        for value in self.fields.values():
            for sub in value if isinstance(value, list) else [value]:
                if isinstance(sub, Program):
                    yield from sub.walk()

    @property
    def nodes(self) -> int:
        """How many operations it takes."""
        return sum(1 for _ in self.walk())


Where = str | tuple["Where", str | int]
"""Where in a program: `program`, or a field, or a place in a list, of what lies outside of it."""
_PARSED: dict[tuple[object, ...], Program] = {}
"""Programs by what they are made of."""
_MOST = 20000


def _made_of(field: Any) -> object:
    if isinstance(field, Program):
        return field
    if isinstance(field, list) and isinstance(field[0], Program):
        return tuple(field)
    return repr(field)  # True, 1 and 1.0 are not alike


def parse(program: object) -> Program:
    """Check a JSON program; raises ProgramError that says what, where and what would be right."""
    budget = [NODES]
    parsed = _parse(program, "program", 1, budget)
    if parsed.result not in ANSWERS:
        wanted = ", ".join(ANSWERS)
        raise ProgramError(f"program: ends in {parsed.result}, no answer; end in one of: {wanted}")
    return parsed


def _parse(node: object, where: Where, depth: int, budget: list[int]) -> Program:
    if not isinstance(node, dict):
        raise _wrong(where, f"expected {{'op': …}}, got {_short(node)}")
    budget[0] -= 1
    if depth > DEPTH or budget[0] < 0:
        raise _wrong(where, f"too large; at most {DEPTH} levels and {NODES} operations")
    name = node.get("op")
    if not isinstance(name, str) or name not in OPS:
        near = difflib.get_close_matches(name[:TEXT], OPS, 3) if isinstance(name, str) else []
        hint = f"did you mean {', '.join(near)}" if near else "synth4d.program.grammar() lists them"
        raise _wrong((where, "op"), f"no operation {_short(name)}; {hint}")
    declared = OPS[name]
    for key in node:
        if key != "op" and key not in declared.fields:
            known = ", ".join(declared.fields) or "none"
            raise _wrong(where, f"{name} has no field {_short(key)}; its fields: {known}")
    fields: dict[str, Any] = dict.fromkeys(declared.fields)
    made: list[object] = [name]
    for key, field in declared.fields.items():
        if (value := node.get(key)) is not None:
            fields[key] = checked = _field(field, value, (where, key), depth, budget)
            made += key, _made_of(checked)
        elif not field.optional:
            raise _wrong(where, f"{name} needs the field {key!r}")
    if len(_PARSED) > _MOST:
        _PARSED.clear()
    like = tuple(made)
    return _PARSED.get(like) or _PARSED.setdefault(like, Program(declared, fields))


def _field(field: Field, value: object, where: Where, depth: int, budget: list[int]) -> Any:
    if isinstance(field, Sub):
        if field.many is None:
            return _typed(field.type, value, where, depth, budget)
        low, high = field.many
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise _wrong(where, f"expected a list of {low} to {high} programs, got {_short(value)}")
        return [_typed(field.type, v, (where, i), depth, budget) for i, v in enumerate(value)]
    if isinstance(field, Num):
        return _number(value, field, where)
    if isinstance(field, Nums):
        if not isinstance(value, list) or len(value) != field.count:
            raise _wrong(where, f"expected a list of {field.count} numbers, got {_short(value)}")
        return tuple(_number(v, field, (where, i)) for i, v in enumerate(value))
    if isinstance(field, Said):
        parts = value if isinstance(value, list) else [value]
        if not 0 < len(parts) <= 8 or not all(map(_plain, parts)):
            raise _wrong(where, f"expected a truth, a number, a word, or up to 8 of them, got {_short(value)}")
        return value
    if not isinstance(value, str) or not 0 < len(value) <= TEXT:
        raise _wrong(where, f"expected a word of at most {TEXT} characters, got {_short(value)}")
    if isinstance(field, Word) and value not in field.among:
        raise _wrong(where, f"{value!r} is not one of: {', '.join(field.among)}")
    return value


def _wrong(where: Where, what: str) -> ProgramError:
    path = ""
    while isinstance(where, tuple):  # written out only here: nearly all programs are right
        where, step = where
        path = (f".{step}" if isinstance(step, str) else f"[{step}]") + path
    return ProgramError(f"{where}{path}: {what}")


def _number(value: object, field: Num | Nums, where: Where) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not field.low <= value <= field.high:  # type: ignore[operator]
        wanted = f"a number {field.low:g}..{field.high:g}"
        raise _wrong(where, f"expected {wanted}, got {_short(value)}")
    return float(value)  # type: ignore[arg-type]


def _plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= TEXT
    return isinstance(value, int | float) and abs(value) < 1e6


def _typed(type: Type, value: object, where: Where, depth: int, budget: list[int]) -> Program:
    sub = _parse(value, where, depth + 1, budget)
    if type == "claim":
        if sub.op.name not in CLAIMS:
            wanted = ", ".join(sorted(CLAIMS))
            raise _wrong(where, f"{sub.op.name} can't be said as a claim; one of: {wanted}")
        return sub
    given = sub.result
    if type != given and type != WIDER.get(given) and not (type == "answer" and given in ANSWERS):
        raise _wrong(where, f"expected {type}, but {sub.op.name} gives {given}")
    return sub


def _short(value: object) -> str:
    if isinstance(value, dict | list):
        return f"a {'list' if isinstance(value, list) else 'program'} of {len(value)}"
    if isinstance(value, int) and abs(value) > 10**15:
        return "a huge number"
    text = repr(value[:TEXT] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "…"


# ---- Running -------------------------------------------------------------------------------------


def evaluate(program: Program, view: View) -> Any:
    """The value of a checked program; raises Refused."""
    if program in view.found:
        found = view.found[program]
    else:
        try:
            found = _evaluated(program, view)
        except Refused as refused:
            found = refused.refusal
        view.found[program] = found
    if isinstance(found, Refusal):
        refuse(found.reason, found.detail)
    return found


def _evaluated(program: Program, view: View) -> Any:
    op = program.op
    if view.knows is not None and op.name not in view.knows:
        refuse("undefined", f"{op.name} says nothing of a video that was not made")
    fields = dict(program.fields)
    later = fields.pop("of") if op.elsewhere else None
    for key in op.first:
        field = fields[key]
        if field is not None:
            fields[key] = [evaluate(f, view) for f in field] if isinstance(field, list) else evaluate(field, view)
    found = op.run(view, **fields)
    return found if later is None else evaluate(later, found)
