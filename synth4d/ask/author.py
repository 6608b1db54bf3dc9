"""Questions by a model.

    talk(clip, patterns, …)      a question for each pattern, of its kind, with a program of the model's own

It is a talk (`synth4d.llm.Talk`); `author_reword` has the other. The model never says what is true: a question's
answer is its program's, run on the world's facts; of its options the right one is that answer, and the wrong ones are
values worded like it. What fails is told to the model once, then it is kept as a reject.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from synth4d import seeds
from synth4d.ask.author_clip import described, quoted
from synth4d.ask.author_reply import (
    OFFERED,
    Checked,
    Proposal,
    Wanted,
    checked,
    drafted,
    most_wrong,
    shape_of,
    trigrams,
    unread,
)
from synth4d.ask.make import difficulty_of, named
from synth4d.ask.sense import LONGEST
from synth4d.ask.stock import Stock
from synth4d.ask.template import Prompts
from synth4d.ask.training import negatives
from synth4d.llm import Call, Rejected, Talk
from synth4d.program import Value, View, answer, grammar, parse, run, word
from synth4d.program.names import Names
from synth4d.program.reward import reward_of
from synth4d.records import CameraRecord, Evidence, Facts, Label, Question, Reject, Turn, Verdict, dump

ALIKE = 0.85
"""Of all groups of three characters that two wordings have, those in both: beyond, they say the same."""
CHOICES_SHARE = 0.5
"""Of the questions that can have options, this share gets them."""
RAW_CHARS = 2000
"""Of a reply that is kept with a reject."""


@dataclass(frozen=True, slots=True)
class By:
    """Who is asked, and how."""

    model: str
    language: str
    """Of the instructions."""
    max_tokens: int


@dataclass(frozen=True)
class Clip:
    """A clip that questions are asked about, and what its scene may hold that it lacks."""

    facts: Facts
    camera: CameraRecord
    prompts: Prompts
    rng: np.random.Generator
    absent: Sequence[tuple[str, Label]] = ()

    @cached_property
    def stock(self) -> Stock:
        return Stock(View(self.facts, self.camera), self.rng, self.prompts, self.absent)

    @cached_property
    def names(self) -> Names:
        return Names(self.facts, self.absent)


@dataclass(frozen=True, slots=True)
class Task:
    """One question to be asked."""

    pattern: Question
    wanted: Wanted
    n: int
    of: int


def talk(clip: Clip, patterns: Sequence[Question], by: By, seed: int) -> Talk[tuple[list[Question], list[Reject]]]:
    """A question for each pattern that can be one, of its kind: those that hold, and the rest as rejects."""
    tasks = _tasks(clip, [p for p in patterns if checkable(p)], seed)
    told = clip.prompts.block("author", by.language, "clip", clip=described(clip.stock, clip.absent))
    heard = yield [_call(clip, task, told, by, seeds.seed("author", seed, i) % 2**31) for i, task in enumerate(tasks)]
    questions, rejects = list[Question](), list[Reject]()
    programs, wordings = set[bytes](), list[frozenset[str]]()
    for i, (task, outcome) in enumerate(zip(tasks, heard, strict=True)):
        if isinstance(outcome, Rejected):
            rejects.append(_reject(clip, task, outcome, by, i))
            continue
        found = checked(outcome.value, task.wanted, clip.stock, clip.names)
        question = _question(clip, task, found, by, seeds.rng("options", seed, i))
        program, wording = dump(found.answered.draft.program), trigrams(found.said.en)
        if program in programs or any(_overlap(wording, w) > ALIKE for w in wordings):
            verdict = Verdict(keep=False, reason="author: alike", witnesses={})
            rejects.append(Reject(key=clip.facts.key, question=question.model_copy(update={"verdict": verdict})))
            continue
        programs.add(program)
        wordings.append(wording)
        questions.append(question)
    return questions, rejects


def single(question: Question) -> bool:
    """One question with one answer: no dialogue, no caption."""
    return len(question.turns) == 1 and question.turns[0].answer.type != "text"


def checkable(question: Question) -> bool:
    """One question, in a part of the language whose wordings can be held against it."""
    return single(question) and unread(parse(question.turns[0].program)) is None


def _tasks(clip: Clip, patterns: Sequence[Question], seed: int) -> list[Task]:
    """The kinds' quotas are those of the patterns: as many of each, counted out."""
    quota, used, rng = Counter(p.kind for p in patterns), Counter[str](), seeds.rng("tasks", seed)
    tasks = []
    for pattern in patterns:
        program_json = pattern.turns[0].program
        program = parse(program_json)
        value = run(program, clip.stock.view)
        assert isinstance(value, Value), "a pattern has an answer"
        used[pattern.kind] += 1
        wrong = most_wrong(value, clip.stock) if rng.random() < CHOICES_SHARE else 0
        wanted = Wanted(shape_of(program), drafted(program_json, program, clip.stock.view).unseen, wrong)
        tasks.append(Task(pattern, wanted, used[pattern.kind], quota[pattern.kind]))
    return tasks


def _call(clip: Clip, task: Task, told: str, by: By, seed: int) -> Call[Proposal]:
    def check(proposal: Proposal) -> None:
        checked(proposal, task.wanted, clip.stock, clip.names)

    said = task.pattern.turns[0]
    pattern = {"en": said.question.en, "zh": said.question.zh, "program": said.program}
    asked = clip.prompts.block(
        "author", by.language, "task", n=task.n, of=task.of, kind=task.pattern.kind, wanted=task.wanted,
        pattern=quoted(pattern, LONGEST),
    )  # fmt: skip
    system = clip.prompts.block("author", by.language, "system", grammar=grammar(OFFERED))
    # The longest part that calls have in common comes first: servers keep what they have read of it.
    messages = [{"role": "system", "content": system}, {"role": "user", "content": f"{told}\n\n{asked}"}]
    return Call(f"author {task.pattern.kind}", messages, Proposal, seed, max_tokens=by.max_tokens, check=check)


def _question(clip: Clip, task: Task, found: Checked, by: By, rng: np.random.Generator) -> Question:
    done = found.answered
    right = answer(done.value, clip.facts)
    options, place = None, None
    if found.wrong:
        shuffled = [found.wrong[i] for i in rng.permutation(len(found.wrong))]
        place = int(rng.integers(len(shuffled) + 1))
        options = [*shuffled[:place], done.value, *shuffled[place:]]
    turn = Turn(
        question=found.said,
        answer=right,
        choices=[word(v, clip.facts) for v in options] if options else None,
        correct=place,
        program=done.draft.program,
        negatives=negatives(clip.stock, done.draft, done.value, options),
        reward=reward_of(done.value),
    )
    return Question(
        id=_id(clip, task.pattern.kind, done.draft.program, by),
        kind=task.pattern.kind,
        family=task.pattern.family,
        author=_author(clip, by),
        turns=[turn],
        evidence=Evidence(frames=list(done.draft.frames), objects=sorted(named(done.value, done.draft))),
        difficulty=difficulty_of(clip.stock, done, len(options) if options else None),
    )


def _reject(clip: Clip, task: Task, outcome: Rejected, by: By, i: int) -> Reject:
    """Keeps what the model said. The reason is the fault of the last reply: `author: refusal`, `author: program`."""
    fault, _, why = outcome.reason.partition(": ")
    key = why.partition(":")[0] if fault == "check" else fault
    question = Question(
        id=_id(clip, task.pattern.kind, {"rejected": i}, by),
        kind=task.pattern.kind,
        family=task.pattern.family,
        author=_author(clip, by),
        turns=[],
        evidence=Evidence(frames=[], objects=[]),
        difficulty=0.0,
        verdict=Verdict(keep=False, reason=f"author: {key}", witnesses={"model": why[:300]}),
    )
    return Reject(key=clip.facts.key, question=question, raw=[text[:RAW_CHARS] for text in outcome.raw])


def _id(clip: Clip, kind: str, program: Any, by: By) -> str:
    return hashlib.sha256(dump([clip.facts.key, kind, by.model, program])).hexdigest()[:16]


def _author(clip: Clip, by: By) -> str:
    return f"openai:{by.model}@{clip.prompts.hash}"


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / max(1, len(a | b))
