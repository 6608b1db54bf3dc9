"""From drafts to questions: answered by their programs, worded, given options, scored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from synth4d.ask.choices import OPTIONS, offered
from synth4d.ask.choose import CHANGE
from synth4d.ask.kinds import Draft, Kind, Pool, Talks
from synth4d.ask.stock import Stock
from synth4d.ask.training import difficulty, negatives, signs
from synth4d.program import Program, Refusal, Value, answer, parse, run, word
from synth4d.program.reward import reward_of
from synth4d.records import Evidence, Question, Text, Turn, dump

CHOICES_SHARE = 0.5
"""Of the questions that can have options, this share gets them."""


@dataclass(frozen=True, slots=True)
class Answered:
    draft: Draft
    program: Program
    value: Value


@dataclass(frozen=True, slots=True)
class Worded:
    """A question with all that chance decides. The rest takes longer, and some are never taken."""

    kind: Kind
    turns: tuple[Answered, ...]
    texts: list[Text]
    """What is asked, turn by turn,"""
    offered: list[tuple[list[Value], int] | None]
    """and the options, with the place of the right one."""


def packs(kind: Kind, stock: Stock) -> Iterator[list[Worded]]:
    """Questions of a kind, no two alike; of a paired or even kind several at a time, with different answers."""
    if kind.talks is not None:
        return _talks(kind, kind.talks, stock)
    drafts = _different(kind, stock)
    groups = _even(drafts, stock) if kind.even else _pairs(drafts, stock) if kind.paired else ([a] for a in drafts)
    return ([_worded(kind, stock, a) for a in group] for group in groups)


def _different(kind: Kind, stock: Stock) -> Iterator[Answered]:
    """What can be answered, without what was there already."""
    done = set[object]()
    for one in answered(kind, stock):
        draft, value = one.draft, one.value
        # Two questions are alike when they are about the same things, and where states change, say the same.
        said = word(value, stock.facts).en if kind.paired or kind.family in CHANGE else ""
        alike, same = (tuple(sorted(draft.objects)), said), dump(draft.program)
        if same in done or (alike in done and draft.objects):
            continue
        done |= {same, alike}
        yield one


def _pairs(drafts: Iterator[Answered], stock: Stock) -> Iterator[list[Answered]]:
    """Two of a group with different answers."""
    waiting: dict[str, list[Answered]] = {}
    for one in drafts:
        others = waiting.setdefault(one.draft.group, [])
        match = next((o for o in others if o.value.value != one.value.value), None)
        if match is None:
            others.append(one)
        else:
            others.remove(match)
            yield stock.shuffled([match, one])


def _even(drafts: Iterator[Answered], stock: Stock) -> Iterator[list[Answered]]:
    """One of each of two to four answers, which are the options of all of them."""
    by_answer: dict[str, list[Answered]] = {}
    for one in drafts:
        by_answer.setdefault(word(one.value, stock.facts).en, []).append(one)
    while len(left := [some for some in by_answer.values() if some]) > 1:
        group = [some.pop(0) for some in stock.shuffled(left)[:OPTIONS]]
        values = [a.value.value for a in group]
        keys = Pool(keys=tuple(values)) if group[0].value.type == "choice" else Pool(ids=tuple(values))
        pooled = group[0].value.type in ("choice", "object")
        yield [replace(a, draft=replace(a.draft, pool=keys)) if pooled else a for a in group]


def answered(kind: Kind, stock: Stock) -> Iterator[Answered]:
    """Drafts that the world's facts answer, of the first `tries`."""
    for _, draft in zip(range(kind.tries), kind.drafts(stock), strict=False):
        if not draft.unseen and not all(any(stock.clear(f, id) for f in draft.frames) for id in draft.objects):
            continue
        program = parse(draft.program)
        value = run(program, stock.view)
        if not isinstance(value, Refusal) and worth_asking(value, draft, stock):
            yield Answered(draft, program, value)


def worth_asking(value: Value, draft: Draft, stock: Stock) -> bool:
    """No zero distances or counts, and every thing that the answer names has a name of its own."""
    if value.type in ("number", "int"):
        return bool(value.value > 0)
    if value.type == "object":
        return stock.ref(value.value) is not None
    if value.type == "objects":
        return len(value.value) <= 4 and len(stock.refs(value.value)) == len(value.value)
    if value.type == "choice" and ":" in value.value:
        return stock.ref(int(value.value.split(":")[1])) is not None
    return True


def _talks(kind: Kind, talks: Talks, stock: Stock) -> Iterator[list[Worded]]:
    """Questions of several turns, of those whose every turn the world's facts answer."""
    for _, draft in zip(range(kind.tries), talks(stock), strict=False):
        parsed = [(d, parse(d.program)) for d in draft.turns]
        found = [(d, program, run(program, stock.view)) for d, program in parsed]
        turns = [Answered(d, program, value) for d, program, value in found if isinstance(value, Value)]
        if len(turns) == len(found):
            yield [_worded(kind, stock, *turns)]


def _worded(kind: Kind, stock: Stock, *turns: Answered) -> Worded:
    texts, options = list[Text](), list[tuple[list[Value], int] | None]()
    family, _, name = kind.name.partition(".")
    for draft, value in ((a.draft, a.value) for a in turns):
        texts.append(stock.prompts.say(family, draft.block or name, draft.slots, stock.rng))
        found = None
        if draft.pool is not None and stock.chance(CHOICES_SHARE):
            found = offered(value, draft.pool, stock.facts, stock.rng)
        options.append(found)
    return Worded(kind, turns, texts, options)


def finished(worded: Worded, stock: Stock) -> Question:
    """The question with answers, options, wrong answers and difficulty."""
    kind, turns = worded.kind, worded.turns
    programs = [a.draft.program for a in turns]
    digest = hashlib.sha256(dump([stock.facts.key, kind.name, *programs])).hexdigest()
    frames = {f for a in turns for f in a.draft.frames}
    objects = set[int]().union(*(named(a.value, a.draft) for a in turns))
    said = [_turn(stock, *turn) for turn in zip(turns, worded.texts, worded.offered, strict=True)]
    return Question(
        id=digest[:16],
        kind=kind.name,
        family=kind.family,
        author=f"template@{stock.prompts.hash}",
        turns=said,
        evidence=Evidence(frames=sorted(frames), objects=sorted(objects)),
        difficulty=max(
            difficulty_of(stock, a, None if turn.choices is None else len(turn.choices))
            for a, turn in zip(turns, said, strict=True)
        ),
    )


def _turn(stock: Stock, answered: Answered, said: Text, found: tuple[list[Value], int] | None) -> Turn:
    draft, value = answered.draft, answered.value
    return Turn(
        question=said,
        answer=answer(value, stock.facts),
        choices=[word(v, stock.facts) for v in found[0]] if found else None,
        correct=found[1] if found else None,
        program=draft.program,
        negatives=negatives(stock, draft, value, found[0] if found else None),
        reward=reward_of(value),
    )


def named(value: Value, draft: Draft) -> set[int]:
    """The things a question is about and those its answer names."""
    named = set(draft.objects)
    if value.type == "object":
        named.add(value.value)
    elif value.type == "objects":
        named |= set(value.value)
    elif value.type == "choice" and ":" in value.value:
        named.add(int(value.value.split(":")[1]))
    return named


def difficulty_of(stock: Stock, answered: Answered, options: int | None = None) -> float:
    """0..1; `options`: how many are shown."""
    return difficulty(signs(stock, answered.draft, answered.program, answered.value, options))
