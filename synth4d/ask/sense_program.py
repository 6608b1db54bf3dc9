"""Whether a wording says what its program computes: its things, numbers, turns of sense, and who plays which part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from synth4d.ask.sense import LANGUAGES, OPPOSITE, Reader
from synth4d.program import Program
from synth4d.records import JSON, Text, dump

OF_OP = {"before": "before", "after": "after", "nearest": "nearest", "farthest": "farthest", "first": "first"}
OF_OP |= {"earliest": "first", "last": "last"}
OF_WORD = {
    ("side", "left"): "left", ("side", "right"): "right", ("state", "open"): "open", ("state", "closed"): "closed",
    ("by", "height"): "height", ("by", "length"): "length",
    ("state", "full"): "full", ("state", "empty"): "empty", ("kind", "open"): "open", ("kind", "close"): "closed",
}  # fmt: skip
EITHER = {
    "state": ("open", "closed", "full", "empty"), "side": ("left", "right"), "movement": ("left", "right"),
    "direction": ("left", "right"), "order": ("first", "last", "open", "closed"), "openness": ("open", "closed"),
    "depth_order": ("nearest", "farthest", "first", "last"), "appearance_order": ("first", "last"),
    "changed": ("open", "closed", "full"), "restored": ("open", "closed"), "remembered": ("open", "closed"),
    "inside": ("open", "closed"), "fill": ("full", "empty"), "turn_on": ("open",), "turn_off": ("closed",),
    "on": ("open",), "off": ("closed",), "before": ("first",), "after": ("first",),
}  # fmt: skip
"""Operations and words whose wording may have these senses too; in Chinese a lamp is 开着 as a door is."""
SILENT = {("size", "at"), ("biggest", "at")}
"""What a wording may keep silent about."""
ROLES = {
    ("side", "by"): (r"\b(of|behind|to|from|than|beside|with) {}", "[在于]{}(的|在)"),
    ("side_from", "by"): (r"\b(of|behind|to|from|than|beside|with) {}", "[在于]{}(的|在)"),
    ("own_side", "by"): (r"\b(of|behind|to|from|than|beside|with) {}", "[在于]{}(的|在)"),
    ("above", "b"): (r"\b(than|above|over) ((that|the top) of )?{}", "[比于]{}"),
    ("direction", "standing_at"): (r"(?<!looking )\b(at|where|by|beside|next to) {}", "在{}"),
    ("direction", "facing"): (r"\b(fac(e|es|ed|ing)|towards?|looking at) {}", "[朝向对着]{}"),
    ("nearest", "to"): (r"\b(to|from) {}", "[离距到]{}"), ("farthest", "to"): (r"\b(to|from) {}", "[离距到]{}"),
}  # fmt: skip
"""How a wording tells apart two things whose parts in a program can't be exchanged: what stands by a name."""
PERCENT = {"0", "100"}
READ = {
    "filter", "unique", "these", "seen", "visible", "all_visible", "remembered", "in_state", "befell", "beside", "on",
    "inside", "lost", "count", "minus", "exists", "is_visible", "where", "holder", "camera", "camera_turned",
    "distance", "across", "nearest", "farthest", "size", "biggest", "above", "highest", "direction", "side",
    "side_from", "own_side", "outermost", "amid", "depth_order", "appearance_order", "hidden_by", "is_hidden", "time",
    "start", "end", "before", "after", "while", "between", "event", "events", "happens", "times", "first", "last",
    "earliest", "interval", "duration", "overlap", "object_of", "source_of", "target_of", "state", "is", "openness",
    "fill", "moved", "movement", "displacement", "opening", "restored",
}  # fmt: skip
"""Operations whose wordings can be held against them. Pixels, boxes and poses are worded with conventions and sizes
that must be said to the digit; what would be, what the video does not tell, what has stayed as it was needs a negation;
captions and the claims to choose among are wordings themselves; `order` and `changed` don't say what kind of event."""


def unread(program: Program) -> str | None:
    """An operation of a program that wordings can't be held against."""
    return next((n.op.name for n in nodes(program) if n.op.name not in READ), None)


def contradiction(reader: Reader, text: Text, program: Program) -> str | None:
    """What a wording says that its program doesn't compute, or the other way round; None where nothing is found."""
    all_, loud = list(nodes(program)), list(nodes(program, silent=False))
    if unknown := sorted(n for n in _named(reader, all_) if not _known(reader, n)):
        return f"nothing here is called {unknown[0].lstrip('#')!r}"
    for language in LANGUAGES:
        said = reader.read(getattr(text, language), language)
        words = _same_word(reader, said.names, language)
        if missing := sorted(_same_word(reader, _named(reader, loud), language) - words):
            return f"{language} does not name {missing[0].lstrip('#')!r}, which the program is about"
        if added := sorted(words - _same_word(reader, _named(reader, all_), language)):
            return f"{language} names {added[0].lstrip('#')!r}, which the program is not about"
        numbers = set(said.numbers)
        if odd := sorted(_numbers(loud) - numbers) or sorted(numbers - _numbers(all_) - PERCENT):
            return f"the number {odd[0]} is in one of {language} and the program only (write digits)"
        if problem := _turned(said.senses, language, all_, loud) or _exchanged(reader, text, language, loud):
            return problem
    return None


def _turned(said: frozenset[str], language: str, all_: list[Program], loud: list[Program]) -> str | None:
    """A turn of sense that is missing, or the opposite of the program's."""
    if "not" in said:
        return f"{language} has a negation; ask in the affirmative"
    may = _senses(all_) | {s for n in all_ for word in (n.op.name, *_words(n)) for s in EITHER.get(word, ())}
    for sense in sorted(_senses(loud)):
        if sense not in said:
            return f"the program says {sense!r}, {language} does not"
        if OPPOSITE[sense] in said and OPPOSITE[sense] not in may:
            return f"{language} says {OPPOSITE[sense]!r}, the program {sense!r}"
    return None


def _exchanged(reader: Reader, text: Text, language: str, nodes: list[Program]) -> str | None:
    """A thing that may stand in the wording where another stands in the program."""
    said = getattr(text, language).lower()
    for node in nodes:
        subs = {k: dump(as_json(v)) for k, v in node.fields.items() if isinstance(v, Program)}
        called = {k: getattr(reader.refs[key], language) for k, key in subs.items() if key in reader.refs}
        for (op, role), patterns in ROLES.items():
            if op == node.op.name and role in called:
                by_it = patterns[LANGUAGES.index(language)]
                fits = [k for k, name in called.items() if re.search(by_it.format(re.escape(name.lower())), said)]
                if fits != [role]:
                    return f"{language} must make plain that {called[role]!r} is {role!r}"
        beside = node.op.name in ("before", "after") and "event" in called and not _own(nodes, node)
        if beside and called["event"].lower() not in said:
            return f"{language} must say {node.op.name!r} of {called['event']!r}"
    return None


def _own(nodes: list[Program], moment: Program) -> bool:
    """Whether a moment beside an event belongs to the thing that the event happens to: "after it is moved"."""
    thing = moment.fields["event"].fields.get("object")
    return any(n.fields.get("at") is moment and n.fields.get("object") == thing for n in nodes)


def _named(reader: Reader, nodes: list[Program]) -> set[str]:
    """Labels and #colours that programs are about, known here or not."""
    found = set[str]()
    for fields in (n.fields for n in nodes if n.op.name == "filter"):
        if fields["label"]:
            found.add(fields["label"])
        if fields["category"]:
            found |= reader.category.get(fields["category"], {fields["category"]})
        if fields["colour"]:
            found.add(f"#{fields['colour']}")
    return found


def _known(reader: Reader, name: str) -> bool:
    return name[1:] in reader.colours if name.startswith("#") else name in reader.labels


def _same_word(reader: Reader, names: Iterable[str], language: str) -> set[str]:
    """Names as their words in a language: in Chinese two labels may be one word."""
    return {n if n.startswith("#") else getattr(reader.labels[n], language) for n in names}


def nodes(program: Program, *, silent: bool = True) -> Iterator[Program]:
    """A program and all within it, from the outside in; without those that a wording may keep silent about."""
    yield program
    for key, value in program.fields.items():
        if not silent and (program.op.name, key) in SILENT:
            continue
        for sub in value if isinstance(value, list) else [value]:
            if isinstance(sub, Program):
                yield from nodes(sub, silent=silent)


def as_json(program: Program) -> JSON:
    """A checked program as it was written, without fields left out."""
    return {"op": program.op.name} | {k: _plain(v) for k, v in program.fields.items() if v is not None}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return as_json(value) if isinstance(value, Program) else value


def _words(node: Program) -> list[str]:
    return [v for k, v in node.fields.items() if isinstance(v, str) and node.op.name != "filter"]


def _numbers(nodes: list[Program]) -> set[str]:
    return {f"{v:g}" for n in nodes for v in n.fields.values() if isinstance(v, float)}


def _senses(nodes: list[Program]) -> set[str]:
    ops = {OF_OP[n.op.name] for n in nodes if n.op.name in OF_OP}
    return ops | {OF_WORD[k, v] for n in nodes for k, v in n.fields.items() if isinstance(v, str) and (k, v) in OF_WORD}
