"""The world and the picture as witnesses: each runs every answer program by itself, and both must agree.

A verdict's reason is `agree`, or why the question was rejected:
    malformed              the program is not of the language, or the right choice is not the answer
    world: REFUSAL         the program has no answer on the simulator's facts
    world: another answer  it has one, but not the one that is stored
    pixels: REFUSAL        a viewer of the clip could not tell
    disagree               a viewer would say something else
REFUSAL is one of: ambiguous, not visible, undefined.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from synth4d.filter.fit import fit
from synth4d.filter.negatives import surely_wrong
from synth4d.program import ProgramError, Refusal, Value, View, compare, parse, run
from synth4d.records import CameraRecord, Facts, Question, Turn, Verdict


def judge(question: Question, world: Facts, pixels: Facts, camera: CameraRecord) -> Verdict:
    """The verdict of both witnesses on one question."""
    return _judge(question, View(world, camera), View(pixels, camera))


def sift(
    questions: Iterable[Question], world: Facts, pixels: Facts, camera: CameraRecord
) -> tuple[list[Question], list[Question]]:
    """(kept, rejected), each with its verdict and in the order asked; every question is in exactly one. Captions
    and dialogues are judged by what of them can be confirmed, where that is long enough (`fit`)."""
    views = View(world, camera), View(pixels, camera)

    def agrees(turn: Turn) -> bool:
        return _reason(turn, *_answers(turn, *views)) == "agree"

    fitted = [fit(q, *views, agrees) for q in questions]
    judged = [q.model_copy(update={"verdict": _judge(q, *views)}) for q in fitted]
    return [surely_wrong(q, views[1]) for q in judged if q.verdict and q.verdict.keep], [
        q for q in judged if not (q.verdict and q.verdict.keep)
    ]


def _judge(question: Question, world: View, pixels: View) -> Verdict:
    """The first turn that fails decides; every turn's answers are on record."""
    said = [_answers(turn, world, pixels) for turn in question.turns]
    reasons = [_reason(turn, *answers) for turn, answers in zip(question.turns, said, strict=True)]
    reason = next((r for r in reasons if r != "agree"), "agree") if reasons else "malformed"
    witnesses = {
        "world": _on_record([w for w, _ in said]),
        "pixels": _on_record([p for _, p in said]),
        "model": [],
    }
    return Verdict(keep=reason == "agree", reason=reason, witnesses=witnesses)


Said = Value | Refusal | None
"""What a witness says; None: the program is malformed."""


def _answers(turn: Turn, world: View, pixels: View) -> tuple[Said, Said]:
    try:
        program = parse(turn.program)
    except ProgramError:
        return None, None
    return run(program, world), run(program, pixels)


def _reason(turn: Turn, world: Said, pixels: Said) -> str:
    if world is None or pixels is None or not _choices_hold(turn):
        return "malformed"
    if isinstance(world, Refusal):
        return f"world: {world.reason}"
    stored = turn.answer
    if (world.type, world.unit, world.value) != (stored.type, stored.unit, stored.value):
        return "world: another answer"
    if isinstance(pixels, Refusal):
        return f"pixels: {pixels.reason}"
    return "agree" if compare(world, pixels) else "disagree"


def _choices_hold(turn: Turn) -> bool:
    """Where there are choices, exactly the one marked correct is the answer."""
    if turn.choices is None:
        return turn.correct is None
    right = [i for i, c in enumerate(turn.choices) if c == turn.answer.text]
    return turn.correct is not None and right == [turn.correct]


def _on_record(said: list[Said]) -> Any:
    """One turn: its value; a dialogue: the list of them."""
    values = [_value(s) for s in said]
    return values[0] if len(values) == 1 else values


def _value(said: Said) -> Any:
    if said is None:
        return {"refused": "malformed"}
    return {"refused": said.reason} if isinstance(said, Refusal) else said.value
