"""The operations of the answer-program language, declared with types, and their page of grammar."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

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

    elsewhere: bool = field(init=False)
    """It gives another View, in which its field `of` is then answered: what would be, the video backwards."""
    first: tuple[str, ...] = field(init=False)
    """Fields whose programs are run before it: all but claims, and but `of` where that is answered elsewhere."""

    def __post_init__(self) -> None:
        elsewhere = self.result == "answer"
        subs = [key for key, field in self.fields.items() if isinstance(field, Sub) and field.type != "claim"]
        object.__setattr__(self, "elsewhere", elsewhere)
        object.__setattr__(self, "first", tuple(key for key in subs if not (elsewhere and key == "of")))


OPS: dict[str, Op] = {}


def op(name: str, result: Type, **fields: Field) -> Callable[[Run], Run]:
    """Declare an operation: its function takes the View and the fields' values."""

    def declare(function: Run) -> Run:
        assert name not in OPS
        doc = " ".join((function.__doc__ or "").split())
        OPS[name] = Op(name, result, fields, function, doc)
        return function

    return declare


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
