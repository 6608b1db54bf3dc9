"""What a program speaks of: the things it names, seconds, moments, and the words that go with its operations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from synth4d.program import wording, words
from synth4d.program.language import Program
from synth4d.program.names import Mention, Names
from synth4d.program.times import MOTIONS


@dataclass(frozen=True, slots=True)
class Named:
    """A thing, or a set of things, as a program names it."""

    labels: frozenset[str]
    ids: frozenset[int]
    colour: str | None
    side: str | None
    kind: bool = False
    """By its category, of which it may be any: `the closed door` names no other door."""
    unsaid: bool = False
    """It may go without saying: what is poured into, where only the order of events is asked."""

    def fits(self, said: Mention) -> bool:
        if said.side != self.side:
            return False
        if self.ids or said.ids:
            return said.ids == self.ids
        return bool(said.labels & self.labels) and said.colour == self.colour


@dataclass(slots=True)
class Expected:
    """What the wordings of a program must hold."""

    named: list[Named] = field(default_factory=list)
    seconds: set[float] = field(default_factory=set)
    allowed: set[float] = field(default_factory=set)
    moments: set[str] = field(default_factory=set)
    concepts: set[str] = field(default_factory=set)
    either: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    roles: list[tuple[str, str, Named, bool]] = field(default_factory=list)
    """Patterns in English and Chinese, the thing, and whether they matter where it is the only one."""
    spans: bool = False
    """It compares two moments."""
    ops: set[str] = field(default_factory=set)
    given: set[float] = field(default_factory=set)
    """Coordinates in the picture or the room."""
    unknown: bool = False
    """A category is named of which no word is known."""
    coordinates: bool = False
    """It is asked with a picture's size and such."""
    late: bool = False
    """A span that ends before it begins, or what is compared is of two moments itself."""


def expected(program: Program, names: Names) -> Expected:
    out = Expected()
    _walk(program, names, out)
    return out


def _walk(node: Program, names: Names, out: Expected, worded: bool = True, undone: bool = False) -> Named | None:
    """Gather what a program speaks of; the thing that it stands for, if it is a reference. `undone`: below a premise
    that something had not happened."""
    op, fields = node.op.name, node.fields
    out.ops.add(op)
    out.coordinates |= op in words.COORDINATES
    if (named := reference(node, names)) is not None:
        out.unknown |= not named.labels and _categories(node) != []
        if named.labels and named not in out.named:
            out.named.append(named)
        return named
    if op == "check" and isinstance(fields["said"], str):  # a place: `in:5`
        ids = {int(part) for part in fields["said"].split(":") if part.isdigit()}
        out.named += [Named(frozenset(), frozenset((id,)), None, None, unsaid=True) for id in sorted(ids)]
    if op == "time":
        out.seconds.add(fields["s"])
    elif op in words.MOMENTS:
        out.moments.add(op)
    elif op in words.CLAIMING and worded:
        out.kinds.add(fields["kind"])
    out.allowed |= {v for v in fields.values() if isinstance(v, float)}
    out.given |= {n for v in fields.values() if isinstance(v, tuple) for n in v}
    concepts = words.required(op, {k: v for k, v in fields.items() if isinstance(v, str)})
    of_one = op in ("first", "last") and fields["of"].fields.get("object") is not None
    (out.either if of_one else out.concepts).update(concepts)
    out.either |= set(words.EITHER.get(op, ()))
    out.spans |= op == "minus" or {"since", "until"} <= fields.keys()
    out.late |= _late(fields.get("since"), fields.get("until"))
    if op == "minus":
        out.late |= any(len(_moments(fields[side])) > 1 for side in ("a", "b"))
        if (grew := _grew(fields["a"], fields["b"])) is not None:
            out.concepts.add("more" if grew else "fewer")
    for key, value in fields.items():
        for sub in value if isinstance(value, list) else [value]:
            if not isinstance(sub, Program) or (op, key) in words.UNSAID:
                continue
            if op == "event" and key == "target" and (into := reference(sub, names)) is not None:
                into = replace(into, kind=True, unsaid=not worded or undone)
                out.named.append(into)
                found: Named | None = into
            else:
                found = _walk(sub, names, out, worded and op != "order", undone or op == "without")
            if found is not None and found.labels and worded:
                out.roles += _roles(node, key, found, undone)
    return None


def reference(node: Program, names: Names) -> Named | None:
    """The thing or things that a filter names, alone, as the one, or as the outermost."""
    op, fields = node.op.name, node.fields
    if op in ("unique", "outermost") and fields["of"].op.name == "filter":
        found = reference(fields["of"], names)
        side = fields["side"] if op == "outermost" else None
        return found and Named(found.labels, found.ids, found.colour, side, found.kind)
    if op != "filter" or (fields["of"] is not None and fields["of"].op.name != "filter"):
        return None
    outer = reference(fields["of"], names) if fields["of"] is not None else None
    labels: set[str] = set(outer.labels) if outer else set()
    if fields["label"] is not None:
        labels = {fields["label"].lower()}
    elif fields["category"] is not None:
        labels = names.of_category.get(fields["category"], set())
    colour = fields["colour"] or (outer.colour if outer else None)
    return Named(frozenset(labels), names.fitting(labels, colour), colour, None, bool(_categories(node)))


def _categories(node: Program) -> list[str]:
    subs = [s for s in node.fields.values() if isinstance(s, Program)]
    own = [node.fields["category"]] if node.op.name == "filter" and node.fields["category"] else []
    return own + [c for s in subs for c in _categories(s)]


def _roles(node: Program, key: str, named: Named, undone: bool) -> Iterator[tuple[str, str, Named, bool]]:
    if undone and node.op.name not in words.ALWAYS:
        if key == "object":
            yield (*(words.UNDONE if node.op.name == "event" else words.ASKED), named, False)
        return
    if (found := words.ROLES.get((node.op.name, key))) is not None:
        yield (*found, named, node.op.name in words.ALWAYS)
    if node.op.name in ("event", "story") and key == "object":
        kind = node.fields["kind"]
        clauses = [wording.CLAUSES[k] for k in (*MOTIONS, "motion") if kind in (k, "motion") and k in wording.CLAUSES]
        clauses = clauses or [wording.CLAUSES[kind]] if kind in wording.CLAUSES else clauses
        en = "|".join(_as_pattern(c) for clause in clauses for c in clause[:2])
        zh = [_as_pattern(clause[2]) for clause in clauses] + ["{x}被移到"] * (kind == "motion")
        yield en, "|".join(zh), named, False


def _as_pattern(clause: str) -> str:
    """`{a} pours into {b}` as a pattern in which {x} stands for a."""
    return (
        re.escape(clause)
        .replace(r"\{a\}", "{x}")
        .replace(r"\{b\}", ".{1,40}?")
        .replace(r"\{c\}", "")
        .replace("\\ ", " ")
    )


def _late(since: Any, until: Any) -> bool:
    if not (isinstance(since, Program) and isinstance(until, Program)):
        return False
    if since == until:
        return True
    a, b = since.op.name, until.op.name
    if a == b == "time":
        return bool(since.fields["s"] > until.fields["s"])
    return (a == "end" and b != "end") or (b == "start" and a != "start")


def _grew(a: Program, b: Program) -> bool | None:
    """Whether a difference is of the end less the start."""
    ends = [_moments(p) for p in (a, b)]
    if ends == [{"end"}, {"start"}]:
        return True
    return False if ends == [{"start"}, {"end"}] else None


def _moments(node: Program) -> set[str]:
    subs = [s for v in node.fields.values() for s in (v if isinstance(v, list) else [v]) if isinstance(s, Program)]
    own = {node.op.name} & set(words.MOMENTS)
    return own.union(*(_moments(s) for s in subs)) if subs else own
