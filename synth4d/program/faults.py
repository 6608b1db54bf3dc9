"""Whether a question asks, in both languages, what its program answers.

From the program it is derived what each wording must name (things with the colour or side that tells them apart,
seconds, moments) and how it asks (the words of words.py); what it names is read out of it (program/names.py,
numerals.py). FAULTS says what can be wrong.
A wording by a template must say all of it. A free one may say what it needs in words of its own: it fails where
things, numbers or moments are missing or wrong, or where the opposite is said, never for a word, a role or a form
that is only missing; whether it asks the right thing is left to a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synth4d.program import words
from synth4d.program.language import Program, parse
from synth4d.program.names import Mention, Names
from synth4d.program.quoted import quotes
from synth4d.program.said import LANGUAGES, Said, taken_apart
from synth4d.program.speaks import Expected, expected, reference
from synth4d.program.view import View
from synth4d.records import Turn

FAULTS = {
    "thing": "a thing of the program is not named, or another is",
    "ambiguous": "a name fits more things than the program means",
    "number": "a number is missing, or another is said",
    "moment": "start, end, before or after is missing, or the other of a pair is said",
    "word": "another word of a pair is said (open for closed, nearest for farthest), or a needed one is missing",
    "role": "the things are named in each other's places",
    "form": "it is asked in another form: no yes-or-no question, another unit, not `how many`",
    "statement": "what somebody is quoted as saying is not what the program checks",
    "languages": "the two wordings speak of different things, numbers or moments",
}
PAIRS = (("start", "end"), ("before", "after"))

# ---- Its faults ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A turn that is looked at."""

    want: Expected
    names: Names
    turn: Turn
    program: Program
    free: bool
    template: bool
    follows: bool
    """It has turns before it, to which it may point back."""
    known: list[Mention]
    """What those named."""
    topic: set[int]
    """The things that the turn right before it was about, or its answer chose."""


def fault(
    turn: Turn, program: Program, view: View, names: Names, *, free: bool, before: Sequence[Turn] = ()
) -> str | None:
    """What is wrong with a turn's wordings; None where nothing is. `before` are the turns that came earlier, whose
    things a later turn may call "it": it is read as a free wording."""
    want = expected(program, names)
    if want.late:
        return "moment"
    if "untold" in want.ops:  # "5 seconds after the video ends"
        end = view.seconds(view.facts.frames)
        want.seconds = {round(s - end, 2) if s > end else s for s in want.seconds}
    known = [m for t in before for text in (t.question.en, t.answer.text.en) for m in names.mentions(text)]
    topic = _topic(before[-1], names) if before else set()
    case = Case(want, names, turn, program, free or bool(before), not free, bool(before), known, topic)
    both = [taken_apart(getattr(turn.question, lang), lang, names) for lang in LANGUAGES]
    if not quotes(turn.question, program, view):
        return "statement"
    for said in both:
        for check in _checks(turn, program):
            if (found := check(case, said)) is not None:
                return found
    return _languages(*both) if program.op.name != "wrong" else None  # its statements were looked at word by word


def _checks(turn: Turn, program: Program) -> tuple[Callable[[Case, Said], str | None], ...]:
    """Of a request for a text or for mistakes in one, its statements were looked at."""
    if program.op.name == "check":
        return _things, _subject
    if turn.answer.type == "text" or program.op.name == "wrong":
        return ()
    return _things, _subject, _roles_of, _numbers, _when, _words, _form


def _topic(before: Turn, names: Names) -> set[int]:
    about = [m.ids for m in names.mentions(before.answer.text.en)]
    about += [n.ids for n in expected(parse(before.program), names).named]
    return set[int]().union(*about)


def _things(case: Case, said: Said) -> str | None:
    want = case.want
    for named in want.named:
        if any(named.fits(m) for m in (*said.mentions, *case.known)) or (case.follows and not said.mentions):
            continue
        if named.unsaid or (named.kind and want.ops & words.ANY_OF):
            continue  # "the closed door" needs no door's name
        wider = any(
            (m.labels & named.labels and m.ids > named.ids) or m.ids == named.ids != frozenset() for m in said.mentions
        )
        return "ambiguous" if wider else "thing"
    for mention in said.mentions if not want.unknown else []:
        if not any(named.fits(mention) or (named.kind and mention.ids <= named.ids) for named in want.named):
            return "thing"
    return None


def _subject(case: Case, said: Said) -> str | None:
    """What "it" is in a later turn: the thing that its program is about, or one of two."""
    if not case.follows:
        return None
    asked = case.program.fields["of"] if case.program.op.name in ("check", "untold") else case.program
    subs = [asked.fields.get(key) for key in ("object", "b", "of")]
    for named in [n for sub in subs if isinstance(sub, Program) and (n := reference(sub, case.names))]:
        other = re.search(words.OTHER[LANGUAGES.index(said.language)], said.masked)
        if named.ids and not any(named.fits(m) for m in said.mentions) and not other and not named.ids <= case.topic:
            return "thing"
    return None


def _roles_of(case: Case, said: Said) -> str | None:
    for en, zh, named, always in case.want.roles if case.template else []:
        pattern = en if said.language == "en" else zh
        own = [i for i, m in enumerate(said.mentions) if named.fits(m)]
        if not (always or len(case.want.named) > 1) or _stands(pattern, own, said):
            continue
        # In a later turn "it" may play the part, but no other thing.
        if own and not case.follows:
            return "role"
        if case.follows and not own and _stands(pattern, range(len(said.mentions)), said):
            return "role"
    return None


def _stands(pattern: str, which: Sequence[int], said: Said) -> bool:
    """Whether one of some names stands where a pattern has {x}."""
    x = rf"(?:the |an? )?⟦(?:{'|'.join(map(str, which))})⟧"
    return bool(which) and re.search(pattern.replace("{x}", x), said.masked) is not None


def _numbers(case: Case, said: Said) -> str | None:
    want = case.want
    other = (said.seconds if want.coordinates else said.numbers) - want.seconds - want.allowed - want.given
    if other or not all({n, round(n, 2), float(round(n))} & said.numbers for n in want.given):
        return "number"
    return None if want.seconds <= said.numbers or case.follows else "number"


def _when(case: Case, said: Said) -> str | None:
    want, free = case.want, case.free
    if case.follows and want.moments and not said.moments <= want.moments:
        return "moment"
    needed = set(words.SPANS.get(case.program.op.name, ())) & want.moments
    if not free and not needed <= said.moments:
        return "moment"
    for pair in PAIRS:
        meant = want.moments & set(pair)
        if len(meant) == 2 and not want.spans and not meant <= said.moments:
            return "moment"
        if len(meant) == 1:
            (other,) = set(pair) - meant
            implied = {m for m in pair if m in words.IMPLIED and words.IMPLIED[m].said(said.masked, said.language)}
            if other in said.moments and not (meant <= said.moments and free):
                return "moment"
            if not meant <= said.moments | implied and not (case.follows and pair[0] == "before"):
                return "moment"
    return None


def _words(case: Case, said: Said) -> str | None:
    i, want = LANGUAGES.index(said.language), case.want
    if want.coordinates and re.findall(r"[xy]\d", said.masked) not in words.CORNERS:
        return "word"
    axes = {"right"} if want.coordinates else set()  # x to the right
    meant = axes | want.concepts | want.either | {words.DONE.get(k, k) for k in want.kinds} & set(words.CONCEPTS)
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
    i, asked = LANGUAGES.index(said.language), case.program
    while asked.op.name in words.WHAT_IF:
        asked = asked.fields["of"]
    op, fields = asked.op.name, asked.fields
    event = fields.get("event")
    if isinstance(event, Program) and event.fields.get(words.SELF.get(op, "")) is not None:
        return "form"
    value = case.turn.answer.value
    if (op == "minus" and isinstance(value, int) and value < 0) or (
        op == "above" and isinstance(value, float) and value < 0
    ):
        return "form"  # nobody asks how many more there are where there are fewer, nor how much higher the lower is
    if any(not re.search(words.MUST[o][i], said.masked) for o in case.want.ops & set(words.MUST)):
        return "form"
    if any(re.search(words.NEVER[o][i], said.masked) for o in case.want.ops & set(words.NEVER)):
        return "form"
    yes_no = bool(re.search(words.BOOL[i], said.masked))
    if case.turn.answer.type == "bool" and not yes_no and not case.follows:
        return "form"
    if (found := _unit(case, said)) is not None:
        return found
    if case.free:
        return None
    if case.turn.answer.type != "bool" and i == 1 and yes_no and op not in words.PREMISED:
        return "form"
    if op == "exists" and fields["of"].op.name not in ("seen", "filter", "visible"):
        return None
    return None if op not in words.ASKS or re.search(words.ASKS[op][i], said.masked) else "form"


def _unit(case: Case, said: Said) -> str | None:
    """The unit asked for is the answer's: said by a template, not another one by anybody."""
    number = case.turn.answer.type == "number"
    unit = words.UNITS.get(case.turn.answer.unit or "") if number else None
    others = {words.UNITS[u] for u in ("m", "cm", "deg")} - {unit, *(("metres",) if case.want.coordinates else ())}
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
