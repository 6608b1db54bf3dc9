"""The answer-program language: operations declared with types, programs parsed and checked before they run.

A program is a JSON tree of operations, `{"op": NAME, FIELD: …}`. A field is another program, a list of
programs, or a literal. `parse` checks names, fields, literals and types; `run` cannot fail after it, only
refuse.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from synth4d.errors import SynthError
from synth4d.program.view import Refusal, Refused, View, refuse

Run = TypeVar("Run", bound=Callable[..., Any])
Type = Literal[
    "bool", "int", "number", "choice", "interval", "object", "place", "things", "list",
    "event", "events", "moment", "span", "box2d", "point2d", "box3d", "pose", "text", "claim", "story", "answer",
]  # fmt: skip
WIDER: dict[str, str] = {"object": "place", "moment": "span"}
"""An object is also a place, a moment also a span of time. `answer` stands for any type that a program may end in."""
ANSWERS = (
    "bool", "int", "number", "choice", "interval", "object", "things", "list", "event",
    "box2d", "point2d", "box3d", "pose", "text",
)  # fmt: skip
"""Types that a whole program may have: `things` and `list` answer as objects, `event` as a choice."""

CLAIMS: set[str] = set()
"""Operations whose answers can be said as a sentence; `claim` is a program that ends in one, kept unrun."""

DEPTH, NODES, TEXT = 12, 192, 80
"""Caps on a program, against hostile ones: depth of the tree, operations in it, characters of a literal."""


class ProgramError(SynthError):
    """A program that is not of the language."""


# ---- Declaring operations ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sub:
    """A field that holds a program of a type, or between `many` programs of it."""

    type: Type
    optional: bool = False
    many: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A field that holds one of some words."""

    among: tuple[str, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A field that holds a name from the facts: a category, label or colour."""

    optional: bool = False


@dataclass(frozen=True, slots=True)
class Num:
    """A field that holds a finite number in a range."""

    low: float
    high: float
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Nums:
    """A field that holds a list of `count` finite numbers in a range: a pixel, a box, a place."""

    count: int
    low: float
    high: float
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A field that holds a value as somebody said it: a truth, number or word, or a list of up to 8 of them."""

    optional: bool = False


Field = Sub | Word | Key | Num | Nums | Said


@dataclass(frozen=True, slots=True)
class Op:
    name: str
    result: Type
    fields: dict[str, Field]
    run: Callable[..., Any]
    doc: str

    @property
    def elsewhere(self) -> bool:
        """It gives another View, in which its field `of` is then answered: what would be, the video backwards."""
        return self.result == "answer"


OPS: dict[str, Op] = {}


def op(name: str, result: Type, **fields: Field) -> Callable[[Run], Run]:
    """Declare an operation: its function takes the View and the fields' values."""

    def declare(function: Run) -> Run:
        assert name not in OPS
        doc = " ".join((function.__doc__ or "").split())
        OPS[name] = Op(name, result, fields, function, doc)
        return function

    return declare


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
"""Programs by what they are made of; some 700 a clip."""
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
    return _PARSED.setdefault((name, *map(_made_of, fields.values())), Program(declared, fields))


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
    """The value of a checked program; raises Refused. Four in five that a clip's questions bring were met before."""
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


def grammar(only: Collection[str] | None = None) -> str:
    """The language on one page: every operation (or `only` these), its fields, its result and what it says."""
    ops = (o for o in OPS.values() if only is None or o.name in only)
    return "\n".join(f"{o.name}({_fields(o)}) -> {o.result}: {o.doc}" for o in ops)


def _fields(declared: Op) -> str:
    return ", ".join(f"{k}{'?' if f.optional else ''}: {_kind(f)}" for k, f in declared.fields.items())


def _kind(field: Field) -> str:
    if isinstance(field, Sub):
        return field.type if field.many is None else f"[{field.type} × {field.many[0]}–{field.many[1]}]"
    if isinstance(field, Word):
        return "|".join(field.among)
    if isinstance(field, Nums):
        return f"[{field.count} numbers {field.low:g}..{field.high:g}]"
    if isinstance(field, Said):
        return "value"
    return "name" if isinstance(field, Key) else f"number {field.low:g}..{field.high:g}"
