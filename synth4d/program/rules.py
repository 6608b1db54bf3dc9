"""Which margins a program's operations keep, read off their code, and what margins.py says of each."""

from __future__ import annotations

import ast
import dis
import inspect
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from synth4d.program import margins
from synth4d.program.language import Program
from synth4d.program.view import View

VISIBLE = ("VISIBLE_SHARE", "VISIBLE_PIXELS")
"""Behind whatever asks a View whether a thing can be seen."""


def margins_of(program: Program) -> dict[str, Any]:
    """Name → value of every margin that decides whether the program answers, in the order of margins.py."""
    names = {name for op in _operations(program) for name in _consulted(op)}
    return {name: value for name, value in vars(margins).items() if name in names}


def _operations(program: Program) -> Iterator[Callable[..., Any]]:
    yield program.op.run
    for field in program.fields.values():
        for sub in field if isinstance(field, list) else [field]:
            if isinstance(sub, Program):
                yield from _operations(sub)


@lru_cache(maxsize=512)
def _consulted(function: Callable[..., Any]) -> frozenset[str]:
    found, todo, done = set[str](), [function], set[Callable[..., Any]]()
    while todo:
        one = todo.pop()
        if one in done or not isinstance(one, FunctionType):
            continue
        done.add(one)
        for load, name in _loads(one.__code__):
            if load == "LOAD_GLOBAL":
                other = one.__globals__.get(name)
            else:
                other = getattr(View, name, None)
                found |= {name} if name.isupper() and hasattr(margins, name) else set()
                found |= {*VISIBLE} if name == "enough" else set()
            if getattr(other, "__module__", "").startswith("synth4d.program"):
                todo.append(other)  # type: ignore[arg-type]
    return frozenset(found)


def _loads(code: CodeType) -> Iterator[tuple[str, str]]:
    """Global names and attributes that code loads, its inner functions' too."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD"):
            yield step.opname, str(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _loads(constant)


@lru_cache(maxsize=1)
def said() -> dict[str, str]:
    """Name → what margins.py says under it."""
    found, names = dict[str, str](), list[str]()
    for node in ast.parse(inspect.getsource(margins)).body:
        if isinstance(node, ast.Assign):
            names += [n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found |= dict.fromkeys(names, " ".join(str(node.value.value).split()))
            names = []
    return found
