"""What an author proposes, and whether it is a question: its program parsed, run, and held against its wording.

`Problem` says what is wrong in one line, fit to be fed back; it begins with a short key for the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from synth4d.ask.choices import OPTIONS
from synth4d.ask.kinds import Draft
from synth4d.ask.make import Answered, worth_asking
from synth4d.ask.sense import malformed, tidy
from synth4d.ask.stock import Stock
from synth4d.llm.schema import strict
from synth4d.program import OPS, Program, ProgramError, Refusal, Value, View, answer, parse, run, word, words
from synth4d.program.faults import FAULTS, fault
from synth4d.program.language import evaluate
from synth4d.program.names import Names
from synth4d.program.said import denial
from synth4d.program.view import Things
from synth4d.program.wording import CHOICES, CLAUSES
from synth4d.records import JSON, EventFact, Text, Turn

FEW = 4
"""As many things are evidence one by one."""
TOGETHER = (
    {"open", "closed"}, {"on", "off"}, {"full", "partly", "empty"}, {"left", "right", "front", "behind"},
    {"moved_left", "moved_right", "closer", "farther", "still"},
)  # fmt: skip
"""Choice keys that may be options of one question."""


OFFERED = frozenset(OPS) - words.COORDINATES - {
    "agrees", "caption", "check", "contents", "narrate", "untold", "wrong",
}  # fmt: skip
"""Operations that a model may ask with. Pixels, boxes and poses are worded with conventions and sizes that must be said
to the digit; captions and dialogues are more than one question."""


class Problem(ValueError):
    """Why a proposal is no question."""

    def __init__(self, key: str, said: str) -> None:
        super().__init__(f"{key}: {said}"[:500])


class Proposal(BaseModel):
    """A question as a model proposes it. A program is a tree, which no server's schema can hold: it travels as text."""

    model_config = ConfigDict(extra="forbid")
    en: Annotated[str, Field(max_length=800)]
    zh: Annotated[str, Field(max_length=800)]
    program: Annotated[str, Field(max_length=8000)]
    wrong: Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=8)]


@dataclass(frozen=True, slots=True)
class Checked:
    """A proposal that is a question."""

    said: Text
    answered: Answered
    wrong: list[Value]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a question of a kind must be."""

    shape: str
    memory: bool
    """About something that is out of sight at the time."""
    wrong: int
    """How many wrong answers it has."""


def checked(proposal: Proposal, wanted: Wanted, stock: Stock, names: Names) -> Checked:
    """Raises Problem."""
    said = tidy(proposal.en, proposal.zh)
    if problem := malformed(said):
        raise Problem("wording", problem)
    try:
        program_json = strict(proposal.program)
        program = parse(program_json)
    except (ValueError, ProgramError) as error:
        raise Problem("program", str(error)) from None
    if name := unread(program):
        raise Problem("program", f"{name} is no operation to ask with; use those of the language above")
    if shape_of(program) != wanted.shape:
        raise Problem("kind", f"the outermost operation is {shape_of(program)}; this kind needs {wanted.shape}")
    value = run(program, stock.view)
    if isinstance(value, Refusal):
        raise Problem(value.reason, f"the program has no answer in this clip: {value.detail}")
    if language := denial(said):
        raise Problem("wording", f"{language} has a negation; ask in the affirmative")
    turn = Turn(question=said, answer=answer(value, stock.facts), program=program_json)
    if found := fault(turn, program, stock.view, names, free=False):
        raise Problem("wording", f"{found}: {FAULTS[found]}")
    draft = drafted(program_json, program, stock.view)
    if draft.unseen != wanted.memory:
        raise Problem("kind", f"what it is about is {'in' if wanted.memory else 'out of'} sight at that time")
    if not worth_asking(value, draft, stock):
        raise Problem("trivial", "the answer is nothing, zero, or a thing that has no name of its own")
    return Checked(said, Answered(draft, program, value), _wrong(proposal.wrong, wanted.wrong, value, stock))


def unread(program: Program) -> str | None:
    """An operation of a program that is not asked with."""
    return next((n.op.name for n in program.walk() if n.op.name not in OFFERED), None)


def shape_of(program: Program) -> str:
    """What tells a program's kind from the outside: its operation with the words in it, and that on which it works.

    state(aspect=open), count(of=seen), where(at=after an event of the same thing)
    """
    fields = [f"{k}={v}" for k, v in program.fields.items() if isinstance(v, str)]
    of, at, object = (program.fields.get(k) for k in ("of", "at", "object"))
    fields += [f"of={of.op.name}"] if isinstance(of, Program) and of.op.result in ("things", "events") else []
    if isinstance(at, Program) and "event" in at.fields and at.fields["event"].fields.get("object") == object:
        fields.append(f"at={at.op.name} an event of the same thing")
    return f"{program.op.name}({', '.join(fields)})"


# ---- Evidence ------------------------------------------------------------------------------------


def drafted(program_json: JSON, program: Program, view: View) -> Draft:
    """A program that has an answer, with the evidence for it."""
    frames, objects = _evidence(program, view)
    unseen = not all(any(view.clear(id, f) for f in frames) for id in objects)
    return Draft(program_json, {}, frames, objects, unseen=unseen)


def _evidence(program: Program, view: View) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Frames and things that the program's run looks at: its moments, its events from before to after, its things,
    and those that are counted or listed where they are few. What it answers is not among them."""
    frames, objects = set[int](), set[int]()
    for node in _filmed(program):
        found = evaluate(node, view)
        if node.op.result in ("moment", "span"):
            frames |= set(found)
        elif node.op.result == "object" and node is not program:
            objects.add(int(found))
        elif isinstance(found, EventFact):
            frames |= _around(found, view)
            objects.add(found.object)
    ends = [evaluate(p, view) for p in (program, *_subs(program))] if not program.op.elsewhere else []
    for found in ends:
        if isinstance(found, Things) and len(found.sure) <= FEW:
            objects |= set(found.sure)
        elif isinstance(found, list) and len(found) <= FEW:
            frames |= {f for e in found if isinstance(e, EventFact) for f in _around(e, view)}
            objects |= {e.object if isinstance(e, EventFact) else e for e in found if isinstance(e, EventFact | int)}
    if program.op.elsewhere:  # what the video's end, or all of it, is held against
        frames |= {0, view.last}
    if not frames:
        frames = {_best(view, id) for id in objects} or {0, view.last}
    return tuple(sorted(frames)), tuple(sorted(objects & view.by_id.keys()))


def _filmed(program: Program) -> Iterator[Program]:
    """A program and all within it that looks at the video; of what looks elsewhere, the things by their names."""
    if program.op.elsewhere:
        yield from (n for n in program.fields["of"].walk() if n.op.name == "unique" and _by_name(n))
        yield from (n for key, sub in program.fields.items() if key != "of" for n in sub.walk())
    else:
        yield program
        for sub in _subs(program, lists=True):
            yield from _filmed(sub)


def _by_name(node: Program) -> bool:
    return all(n.op.name in ("unique", "filter") for n in node.walk())


def _subs(program: Program, lists: bool = False) -> list[Program]:
    fields = program.fields.values()
    found = [s for v in fields for s in (v if lists and isinstance(v, list) else [v])]
    return [s for s in found if isinstance(s, Program)]


def _around(e: EventFact, view: View) -> set[int]:
    fps = view.facts.fps
    seconds = (e.start_s - 0.5 / fps, (e.start_s + e.end_s) / 2, e.end_s + 0.5 / fps)
    return {min(max(round(s * fps), 0), view.last) for s in seconds}


def _best(view: View, id: int) -> int:
    pixels = view.thing(id).pixels
    return max(range(view.facts.frames), key=lambda f: pixels[0] if len(pixels) == 1 else pixels[f])


# ---- Wrong answers -------------------------------------------------------------------------------


def most_wrong(value: Value, stock: Stock) -> int:
    """How many wrong answers a question may have. Numbers none: whose guesses stand around the right one is told by
    its rank among them."""
    names = len(stock.refs(stock.seen)) - 1
    if value.type == "object":
        return min(OPTIONS - 1, names)
    if value.type == "objects" and value.ordered and len(value.value) > 1:
        return OPTIONS - 1 if len(value.value) > 2 else 1
    if value.type == "choice" and (group := _group(str(value.value))) is not None:
        sizes = {min(g): len(g) for g in TOGETHER}
        return min(sizes.get(group, OPTIONS), OPTIONS) - 1 if group in sizes else min(OPTIONS - 1, names)
    return 0


def _wrong(given: Sequence[str], wanted: int, value: Value, stock: Stock) -> list[Value]:
    """Wrong answers; those that are the answer, or each other, or not of its sort, are refused."""
    if wanted == 0:
        return []
    if most_wrong(value, stock) == 0:
        raise Problem("choices", "options are wanted, but the answer is no thing, choice or order; ask otherwise")
    if not given:
        raise Problem("choices", f"{wanted} wrong answers are wanted")
    found = [value]
    for text in given[:wanted]:
        other = _value(text.strip(), value, stock)
        if other.value == value.value:
            raise Problem("choices", f"{text!r} is no wrong answer: it is what the program returns")
        found.append(other)
    texts = [word(v, stock.facts) for v in found]
    if len({t.en.casefold() for t in texts}) < len(texts) or len({t.zh for t in texts}) < len(texts):
        raise Problem("choices", "two of the answers are the same, or called the same")
    return found[1:]


def _value(text: str, value: Value, stock: Stock) -> Value:
    if value.type == "choice":
        _, colon, id = text.partition(":")
        same = _group(text) is not None and _group(text) == _group(str(value.value))
        if same and (not colon or _named(id, stock)):
            return Value("choice", text)
        raise Problem("choices", f"{text[:40]!r} is no key like {value.value!r}")
    ids = [i.strip() for i in text.split(",")]
    if not all(_named(i, stock) for i in ids):
        raise Problem("choices", f"{text[:40]!r} must be the number of a thing that has a name")
    if value.type == "object" and len(ids) == 1:
        return Value("object", int(ids[0]))
    if value.type == "objects" and sorted(map(int, ids)) == sorted(value.value):
        return Value("objects", [int(i) for i in ids], ordered=True)
    raise Problem("choices", f"{text[:40]!r} must be {'one thing' if value.type == 'object' else 'the same things'}")


def _named(id: str, stock: Stock) -> bool:
    return id.isascii() and id.isdigit() and len(id) < 6 and stock.ref(int(id)) is not None


def _group(key: str) -> str | None:
    """Of which sort a choice key is; None: of none that can have options."""
    kind, colon, _ = key.partition(":")
    if colon:
        return "place" if kind in ("in", "on") else "event" if kind in CLAUSES else None
    return next((min(group) for group in TOGETHER if key in group and key in CHOICES), None)


def trigrams(text: str) -> frozenset[str]:
    text = f"  {text.casefold()} "
    return frozenset(_windows(text))


def _windows(text: str) -> Iterator[str]:
    return (text[i : i + 3] for i in range(len(text) - 2))
