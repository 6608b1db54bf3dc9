"""Whether a question asks, in both languages, what its program answers.

From the program it is derived what each wording must name (things with the colour or side that tells them apart,
seconds, moments) and how it asks (the words of words.py); what it names is read out of it (program/names.py,
numerals.py). A fault is one of
    thing      a thing of the program is not named, or another is
    ambiguous  a name fits more things than the program means
    number     a number is missing, or another is said
    moment     start, end, before or after is missing, or the other of a pair is said
    word       another word of a pair is said (open for closed, nearest for farthest), or a needed one is missing
    role       the things are named in each other's places
    form       it is asked in another form: no yes-or-no question, another unit, not "how many"
    languages  the two wordings speak of different things, numbers or moments
A wording by a template must say all of it. A free one may say what it needs in words of its own: it fails where
things, numbers or moments are missing or wrong, or where the opposite is said, never for a word, a role or a form
that is only missing; whether it asks the right thing is left to a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from synth4d.filter import words
from synth4d.program import Program, wording
from synth4d.program.names import Mention, Names
from synth4d.program.numerals import numbers
from synth4d.program.times import MOTIONS
from synth4d.records import Turn

LANGUAGES = ("en", "zh")
_MARK = re.compile(r"⟦(\d+)⟧")
PAIRS = (("start", "end"), ("before", "after"))


@dataclass(frozen=True, slots=True)
class Named:
    """A thing, or a set of things, as a program names it."""

    labels: frozenset[str]
    ids: frozenset[int]
    colour: str | None
    side: str | None
    kind: bool = False
    """By its category."""

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
    unknown: bool = False
    """A category is named of which no word is known, or an operation that words.py does not have."""
    loose: bool = False
    """An operation is used that words.py does not have: its wording is held to no words, as a free one."""
    late: bool = False
    """A span that ends before it begins, or what is compared is of two moments itself."""


# ---- What a program speaks of --------------------------------------------------------------------


def expected(program: Program, names: Names) -> Expected:
    out = Expected()
    _walk(program, names, out)
    return out


def _walk(node: Program, names: Names, out: Expected, worded: bool = True) -> Named | None:
    """Gather what a program speaks of; the thing that it stands for, if it is a reference."""
    op, fields = node.op.name, node.fields
    out.loose |= op not in words.KNOWN
    if (named := reference(node, names)) is not None:
        out.unknown |= not named.labels and _categories(node) != []
        if named.labels and named not in out.named:
            out.named.append(named)
        return named
    if op == "time":
        out.seconds.add(fields["s"])
    elif op in words.MOMENTS:
        out.moments.add(op)
    elif op == "event" and worded:
        out.kinds.add(fields["kind"])
    out.allowed |= {v for v in fields.values() if isinstance(v, float)}
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
            found = _walk(sub, names, out, worded and op != "order")
            if found is not None and found.labels and worded:
                out.roles += _roles(node, key, found)
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


def _roles(node: Program, key: str, named: Named) -> Iterator[tuple[str, str, Named, bool]]:
    if (found := words.ROLES.get((node.op.name, key))) is not None:
        yield (*found, named, node.op.name in words.ALWAYS)
    if node.op.name == "event" and key == "object":
        kind = node.fields["kind"]
        clauses = [wording.CLAUSES[k] for k in (*MOTIONS, "motion") if kind in (k, "motion") and k in wording.CLAUSES]
        clauses = clauses or [wording.CLAUSES[kind]] if kind in wording.CLAUSES else clauses
        en = "|".join(_as_pattern(c) for clause in clauses for c in clause[:2])
        yield en, "|".join(_as_pattern(clause[2]) for clause in clauses), named, False


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


# ---- What a wording says -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """One wording, taken apart."""

    language: str
    masked: str
    """With marks for names."""
    rest: str
    """…and without the phrases for start and end."""
    mentions: list[Mention]
    numbers: frozenset[float]
    moments: frozenset[str]

    def text(self, concept: str) -> str:
        """Where a concept is looked for: `first` is not that of "the first frame", but for what is first of all."""
        return self.masked if concept in ("first", "last") else self.rest


def taken_apart(text: str, language: str, names: Names) -> Said:
    masked, mentions = names.masked(text)
    masked = words.WHOLE.sub(" ", words.DIMENSIONS.sub(" ", masked))
    unmarked = _MARK.sub("⟦⟧", masked)
    found = {
        n.value for n in numbers(unmarked)
        if (n.unit == "s" or any(c.isdigit() for c in unmarked[n.start : n.end])) and (n.value, n.unit) != (100.0, "%")
    }  # fmt: skip
    rest = masked
    for moment in ("start", "end"):
        concept = words.MOMENTS[moment]
        rest = (concept.en if language == "en" else concept.zh).sub(" ", rest)
    moments = {m for m, concept in words.MOMENTS.items() if concept.said(unmarked, language)}
    return Said(language, masked, rest, mentions, frozenset(found), frozenset(moments))


@dataclass(frozen=True, slots=True)
class Case:
    """A turn that is looked at."""

    want: Expected
    turn: Turn
    program: Program
    free: bool
    follows: bool
    """It has turns before it, to which it may point back."""
    known: list[Mention]
    """What those named."""


def fault(turn: Turn, program: Program, names: Names, *, free: bool, before: Sequence[Turn] = ()) -> str | None:
    """What is wrong with a turn's wordings; None where nothing is. `before` are the turns that came earlier, whose
    things a later turn may call "it": it is read as a free wording."""
    want = expected(program, names)
    if want.late:
        return "moment"
    known = [m for t in before for text in (t.question.en, t.answer.text.en) for m in names.mentions(text)]
    case = Case(want, turn, program, free or want.loose or bool(before), bool(before), known)
    both = [taken_apart(getattr(turn.question, lang), lang, names) for lang in LANGUAGES]
    for said in both if turn.answer.type != "text" else []:
        for check in (_things, _roles_of, _numbers, _when, _words, _form):
            if (found := check(case, said)) is not None:
                return found
    return _languages(*both)


def _things(case: Case, said: Said) -> str | None:
    want = case.want
    for named in want.named:
        if any(named.fits(m) for m in (*said.mentions, *case.known)) or (case.follows and not said.mentions):
            continue
        if want.loose and named.kind:
            continue  # "the closed door" needs no door's name
        wider = any(
            (m.labels & named.labels and m.ids > named.ids) or m.ids == named.ids != frozenset() for m in said.mentions
        )
        return "ambiguous" if wider else "thing"
    for mention in said.mentions if not (want.unknown or want.loose) else []:
        if not any(named.fits(mention) for named in want.named):
            return "thing"
    return None


def _roles_of(case: Case, said: Said) -> str | None:
    for en, zh, named, always in case.want.roles if not case.free else []:
        marks = "|".join(str(i) for i, m in enumerate(said.mentions) if named.fits(m))
        if marks and (always or len(case.want.named) > 1):
            x = rf"(?:the |an? )?⟦(?:{marks})⟧"
            if not re.search((en if said.language == "en" else zh).replace("{x}", x), said.masked):
                return "role"
    return None


def _numbers(case: Case, said: Said) -> str | None:
    want = case.want
    if want.loose:
        return None
    other = said.numbers - want.seconds - want.allowed
    return "number" if other or not (want.seconds <= said.numbers or case.follows) else None


def _when(case: Case, said: Said) -> str | None:
    want, free = case.want, case.free
    needed = set(words.SPANS.get(case.program.op.name, ())) & want.moments
    if not free and not needed <= said.moments:
        return "moment"
    for pair in PAIRS:
        meant = want.moments & set(pair)
        if len(meant) == 2 and not (want.spans or want.loose) and not meant <= said.moments:
            return "moment"
        if len(meant) == 1:
            (other,) = set(pair) - meant
            implied = {m for m in pair if m in words.IMPLIED and words.IMPLIED[m].said(said.masked, said.language)}
            if other in said.moments and not (meant <= said.moments and free):
                return "moment"
            if not meant <= said.moments | implied and not (want.loose or case.follows):
                return "moment"
    return None


def _words(case: Case, said: Said) -> str | None:
    i, want = LANGUAGES.index(said.language), case.want
    meant = want.concepts | want.either | {words.DONE.get(k, k) for k in want.kinds} & set(words.CONCEPTS)
    if i == 1:
        meant |= {other for one, other in words.ALIKE_ZH if one in meant}
    for pair in words.OPPOSITES:
        if len(own := meant & set(pair)) == 1:
            (other,) = set(pair) - own
            if words.CONCEPTS[other].said(said.text(other), said.language):
                return "word"
    if case.free:
        return None
    if not all(words.CONCEPTS[c].said(said.text(c), said.language) for c in want.concepts):
        return "word"
    if not all(re.search(words.VERBS[kind][i], said.rest) for kind in want.kinds & set(words.VERBS)):
        return "word"
    return None


def _form(case: Case, said: Said) -> str | None:
    i, op, fields = LANGUAGES.index(said.language), case.program.op.name, case.program.fields
    event = fields.get("event")
    if isinstance(event, Program) and event.fields.get(words.SELF.get(op, "")) is not None:
        return "form"
    yes_no = bool(re.search(words.BOOL[i], said.masked))
    if case.turn.answer.type == "bool" and not yes_no and not case.follows:
        return "form"
    if case.turn.answer.type == "number" and (found := _unit(case, said)) is not None:
        return found
    if case.free:
        return None
    if case.turn.answer.type != "bool" and i == 1 and yes_no:
        return "form"
    if op == "exists" and fields["of"].op.name not in ("seen", "filter", "visible"):
        return None
    return None if op not in words.ASKS or re.search(words.ASKS[op][i], said.masked) else "form"


def _unit(case: Case, said: Said) -> str | None:
    """The unit asked for is the answer's: said by a template, not another one by anybody."""
    unit = words.UNITS.get(case.turn.answer.unit or "")
    others = {words.UNITS[u] for u in ("m", "cm", "deg")} - {unit}
    asked = unit is None or words.CONCEPTS[unit].said(said.rest, said.language)
    other = any(words.CONCEPTS[o].said(said.rest, said.language) for o in others)
    if case.free:
        return "form" if other and not asked else None
    return "form" if other or not asked else None


def _languages(en: Said, zh: Said) -> str | None:
    """What both wordings say must be the same, whatever the program is."""
    if {(m.ids, m.side) for m in en.mentions} != {(m.ids, m.side) for m in zh.mentions}:
        return "languages"
    if en.numbers != zh.numbers:
        return "languages"
    for a, b in PAIRS:
        one, other = ({a, b} & en.moments), ({a, b} & zh.moments)
        if len(one) == len(other) == 1 and one != other:
            return "languages"
    return None
