"""The answer-program language: programs parsed and checked against the declared operations before they run.

A program is a JSON tree of operations, `{"op": NAME, FIELD: …}`. A field is another program, a list of
programs, or a literal. `parse` checks names, fields, literals and types; `run` cannot fail after it, only
refuse.
"""

from __future__ import annotations

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

    @property
    def result(self) -> Type:
        return self.fields["of"].result if self.op.elsewhere else self.op.result

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


_PARSED: dict[tuple[object, ...], Program] = {}
"""Programs by what they are made of."""
_MOST = 20000


def _made_of(field: Any) -> object:
    if isinstance(field, list):
        return tuple(map(_made_of, field))
    return field if isinstance(field, Program) else repr(field)  # True, 1 and 1.0 are not alike


def parse(program: object) -> Program:
    """Check a JSON program; raises ProgramError that says what, where and what would be right."""
    budget = [NODES]
    parsed = _parse(program, "program", 1, budget)
    if parsed.result not in ANSWERS:
        wanted = ", ".join(ANSWERS)
        raise ProgramError(f"program: ends in {parsed.result}, no answer; end in one of: {wanted}")
    return parsed


def _parse(node: object, where: str, depth: int, budget: list[int]) -> Program:
    if not isinstance(node, dict):
        raise ProgramError(f"{where}: expected {{'op': …}}, got {_short(node)}")
    budget[0] -= 1
    if depth > DEPTH or budget[0] < 0:
        raise ProgramError(f"{where}: too large; at most {DEPTH} levels and {NODES} operations")
    name = node.get("op")
    if not isinstance(name, str) or name not in OPS:
        near = difflib.get_close_matches(name[:TEXT], OPS, 3) if isinstance(name, str) else []
        hint = f"did you mean {', '.join(near)}" if near else "synth4d.program.grammar() lists them"
        raise ProgramError(f"{where}.op: no operation {_short(name)}; {hint}")
    declared = OPS[name]
    for key in node:
        if key != "op" and key not in declared.fields:
            known = ", ".join(declared.fields) or "none"
            raise ProgramError(f"{where}: {name} has no field {_short(key)}; its fields: {known}")
    fields: dict[str, Any] = {}
    for key, field in declared.fields.items():
        if node.get(key) is None:
            if not field.optional:
                raise ProgramError(f"{where}: {name} needs the field {key!r}")
            fields[key] = None
        else:
            fields[key] = _field(field, node[key], f"{where}.{key}", depth, budget)
    if len(_PARSED) > _MOST:
        _PARSED.clear()
    made = (name, *map(_made_of, fields.values()))
    return _PARSED.get(made) or _PARSED.setdefault(made, Program(declared, fields))


def _field(field: Field, value: object, where: str, depth: int, budget: list[int]) -> Any:
    if isinstance(field, Sub):
        if field.many is None:
            return _typed(field.type, value, where, depth, budget)
        low, high = field.many
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise ProgramError(f"{where}: expected a list of {low} to {high} programs, got {_short(value)}")
        return [_typed(field.type, v, f"{where}[{i}]", depth, budget) for i, v in enumerate(value)]
    if isinstance(field, Num):
        return _number(value, field, where)
    if isinstance(field, Nums):
        if not isinstance(value, list) or len(value) != field.count:
            raise ProgramError(f"{where}: expected a list of {field.count} numbers, got {_short(value)}")
        return tuple(_number(v, field, f"{where}[{i}]") for i, v in enumerate(value))
    if isinstance(field, Said):
        parts = value if isinstance(value, list) else [value]
        if not 0 < len(parts) <= 8 or not all(map(_plain, parts)):
            raise ProgramError(f"{where}: expected a truth, a number, a word, or up to 8 of them, got {_short(value)}")
        return value
    if not isinstance(value, str) or not 0 < len(value) <= TEXT:
        raise ProgramError(f"{where}: expected a word of at most {TEXT} characters, got {_short(value)}")
    if isinstance(field, Word) and value not in field.among:
        raise ProgramError(f"{where}: {value!r} is not one of: {', '.join(field.among)}")
    return value


def _number(value: object, field: Num | Nums, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not field.low <= value <= field.high:  # type: ignore[operator]
        wanted = f"a number {field.low:g}..{field.high:g}"
        raise ProgramError(f"{where}: expected {wanted}, got {_short(value)}")
    return float(value)  # type: ignore[arg-type]


def _plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= TEXT
    return isinstance(value, int | float) and abs(value) < 1e6


def _typed(type: Type, value: object, where: str, depth: int, budget: list[int]) -> Program:
    sub = _parse(value, where, depth + 1, budget)
    if type == "claim":
        if sub.op.name not in CLAIMS:
            wanted = ", ".join(sorted(CLAIMS))
            raise ProgramError(f"{where}: {sub.op.name} can't be said as a claim; one of: {wanted}")
        return sub
    fits = sub.result in ANSWERS if type == "answer" else type in (sub.result, WIDER.get(sub.result))
    if not fits:
        raise ProgramError(f"{where}: expected {type}, but {sub.op.name} gives {sub.result}")
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
    if program not in view.found:
        try:
            view.found[program] = _evaluated(program, view)
        except Refused as refused:
            view.found[program] = refused.refusal
    found = view.found[program]
    if isinstance(found, Refusal):
        refuse(found.reason, found.detail)
    return found


def _evaluated(program: Program, view: View) -> Any:
    if view.knows is not None and program.op.name not in view.knows:
        refuse("undefined", f"{program.op.name} says nothing of a video that was not made")
    declared = program.op.fields
    later = {"of"} if program.op.elsewhere else set()
    now = {k: _value(declared[k], v, view) for k, v in program.fields.items() if k not in later}
    found = program.op.run(view, **now)
    return evaluate(program.fields["of"], found) if later else found


def _value(declared: Field, field: Any, view: View) -> Any:
    if not isinstance(declared, Sub) or declared.type == "claim":
        return field
    if isinstance(field, Program):
        return evaluate(field, view)
    if isinstance(field, list):
        return [evaluate(f, view) for f in field]
    return field
