"""The witnesses: the world, the picture, the wording, and where it is asked a model. All must agree.

A verdict's reason is `agree`, or why the question was rejected; the first that applies of
    malformed              the program is not of the language, or not exactly one choice is right
    world: REFUSAL         the program has no answer on the simulator's facts
    world: another answer  it has one, but not the one that is stored
    wording: FAULT         the English or Chinese text asks something else (program/faults.py lists the faults)
    pixels: REFUSAL        a viewer of the clip could not tell
    disagree               a viewer would say something else
    model: refused, no answer, disagree, languages     too few votes agree (model.py says when)
REFUSAL is one of: ambiguous, not visible, undefined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synth4d.filter.fit import fit
from synth4d.filter.model import LANGUAGES, Vote, tally
from synth4d.filter.negatives import surely_wrong
from synth4d.program import Program, ProgramError, Refusal, Value, View, answer, compare, parse, run
from synth4d.program.faults import fault
from synth4d.program.names import Names, plain
from synth4d.program.reply import Unread, reader
from synth4d.program.reward import rounding
from synth4d.records import CameraRecord, Facts, Label, Question, Turn, Verdict

Absent = Sequence[tuple[str, Label]]
"""Categories of the scene with their words, which the clip may lack."""


def judge(
    question: Question, world: Facts, pixels: Facts, camera: CameraRecord, *,
    absent: Absent = (), votes: Sequence[Vote] = (), agree: float = 0.6,
) -> Verdict:  # fmt: skip
    """The verdict of all witnesses on one question."""
    return Bench(world, pixels, camera, absent).verdict(question, votes, agree)


def sift(
    questions: Iterable[Question], world: Facts, pixels: Facts, camera: CameraRecord, *,
    absent: Absent = (), votes: Mapping[str, Sequence[Vote]] | None = None, agree: float = 0.6,
) -> tuple[list[Question], list[Question]]:  # fmt: skip
    """(kept, rejected), each with its verdict and in the order asked; every question is in exactly one. Captions
    and dialogues are judged by what of them can be confirmed, where that is long enough (`fit`).

    `votes` are a model's, by the question's id; a question without any is judged by the other witnesses.
    """
    bench = Bench(world, pixels, camera, absent)
    judged = [bench.judged(q, (votes or {}).get(q.id, ()), agree) for q in questions]
    return [surely_wrong(q, bench.pixels) for q in judged if q.verdict and q.verdict.keep], [
        q for q in judged if not (q.verdict and q.verdict.keep)
    ]


Said = Value | Refusal | None
"""What a witness says; None: the program is malformed."""


NOT_ASKED = Refusal("undefined", "not asked")
"""In the place of a vote on a turn that nobody votes on."""


class Bench:
    """The witnesses of one clip."""

    def __init__(self, world: Facts, pixels: Facts, camera: CameraRecord, absent: Absent = ()) -> None:
        self.world, self.pixels = View(world, camera), View(pixels, camera)
        self.names = Names(world, absent)

    def judged(self, question: Question, votes: Sequence[Vote], agree: float) -> Question:
        """What is left of a question where only a part is confirmed, with its verdict."""
        said = self._said(question)
        fitted = fit(question, self.world, self.pixels, [reason == "agree" for *_, reason in said])
        if fitted.turns != question.turns[: len(fitted.turns)]:
            said = self._said(fitted)
        verdict = self._verdict(fitted, said[: len(fitted.turns)], votes, agree)
        return fitted.model_copy(update={"verdict": verdict})

    def verdict(self, question: Question, votes: Sequence[Vote] = (), agree: float = 0.6) -> Verdict:
        """The first turn that fails decides; every turn's answers are on record."""
        return self._verdict(question, self._said(question), votes, agree)

    def _said(self, question: Question) -> list[tuple[Said, Said, str]]:
        return [self._judge(question, turn, i) for i, turn in enumerate(question.turns)]

    def _verdict(
        self, question: Question, said: Sequence[tuple[Said, Said, str]], votes: Sequence[Vote], agree: float
    ) -> Verdict:
        reason = next((r for *_, r in said if r != "agree"), "agree") if said else "malformed"
        if reason == "agree" and votes:
            reason = tally(votes, question.turns, agree)
        witnesses = {
            "world": _on_record([w for w, *_ in said]),
            "pixels": _on_record([p for _, p, _ in said]),
            "model": [_on_record([NOT_ASKED if s is None else s for s in vote.said]) for vote in votes],
        }
        return Verdict(keep=reason == "agree", reason=reason, witnesses=witnesses)

    def _judge(self, question: Question, turn: Turn, place: int) -> tuple[Said, Said, str]:
        """What world and pixels say to the turn at a place, and the verdict's reason."""
        program, free = _program(turn), not question.author.startswith("template@")
        world, pixels = (run(program, self.world), run(program, self.pixels)) if program else (None, None)
        return world, pixels, self._reason(turn, program, world, pixels, free=free, before=question.turns[:place])

    def _reason(
        self, turn: Turn, program: Program | None, world: Said, pixels: Said, *, free: bool, before: Sequence[Turn]
    ) -> str:
        if program is None or world is None or pixels is None or not self._choices_hold(turn):
            return "malformed"
        if isinstance(world, Refusal):
            return f"world: {world.reason}"
        if answer(world, self.world.facts) != turn.answer:
            return "world: another answer"
        if (found := fault(turn, program, self.world, self.names, free=free, before=before)) is not None:
            return f"wording: {found}"
        if isinstance(pixels, Refusal):
            return f"pixels: {pixels.reason}"
        return "agree" if compare(world, pixels) else "disagree"

    def _choices_hold(self, turn: Turn) -> bool:
        """Where there are choices, exactly the one marked correct is the answer, and each says the same in both
        languages."""
        if turn.choices is None:
            return turn.correct is None
        right = [i for i, c in enumerate(turn.choices) if c == turn.answer.text]
        if turn.correct is None or right != [turn.correct]:
            return False
        if any(len({plain(getattr(c, lang)).lower() for c in turn.choices}) < len(turn.choices) for lang in LANGUAGES):
            return False
        free = reader(turn, self.world.facts, self.names)
        read = [(free.option(c.en), free.option(c.zh)) for c in turn.choices]
        return all(_same(en, zh) for en, zh in read) and not any(
            _right(en, turn) for i, (en, _) in enumerate(read) if i != turn.correct
        )


def _same(en: Value | Unread, zh: Value | Unread) -> bool:
    """Whether an option says the same in both languages; one that no rule reads may be worded anyhow."""
    if isinstance(en, Unread) or isinstance(zh, Unread):
        return isinstance(en, Unread) and isinstance(zh, Unread)
    return bool(en.value == zh.value)


NEAR = 0.1
"""An option that is within a tenth of the right number is right too."""


def _right(option: Value | Unread, turn: Turn) -> bool:
    if isinstance(option, Unread):
        return False
    x, y = option.value, turn.answer.value
    if turn.answer.type == "number":
        return bool(abs(x - y) <= max(rounding(y, turn.answer.unit or "m"), NEAR * abs(y)))
    return bool(x == y)


def _program(turn: Turn) -> Program | None:
    try:
        return parse(turn.program)
    except ProgramError:
        return None


def _on_record(said: Sequence[Said | Unread]) -> Any:
    """One turn: its value; a dialogue: the list of them."""
    values = [_value(s) for s in said]
    return values[0] if len(values) == 1 else values


def _value(said: Said | Unread) -> Any:
    if said is None:
        return {"refused": "malformed"}
    return {"refused": said.reason} if isinstance(said, Refusal | Unread) else said.value
