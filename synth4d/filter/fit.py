"""What of a longer question both witnesses can confirm: it is kept without the rest where the rest can be missed.

A caption loses the claims on which the witnesses do not agree, and is worded anew from those that are left; nothing is
dropped by a program itself, which would hide a disagreement. A story that loses an event has no answer any more: it
must tell them all. A dialogue ends before its first turn that fails. Either must stay long enough; else it is judged,
and rejected, as it was asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from synth4d.program import ProgramError, Value, View, answer, compare, parse, run
from synth4d.records import JSON, Question, Turn

LEAST_CLAIMS = {"caption": 4, "narrate": 1}
LEAST_TURNS = 4


def fit(question: Question, world: View, pixels: View, agree: Sequence[bool]) -> Question:
    """The question, or the part of it that the witnesses agree on; `agree`: whether they do on each turn."""
    if question.family == "dialogue":
        return _cut(question, agree)
    if question.family == "caption" and len(question.turns) == 1:
        return _pruned(question, world, pixels, agree[0])
    return question


def _cut(question: Question, agree: Sequence[bool]) -> Question:
    fails = next((i for i, agrees in enumerate(agree) if not agrees), len(agree))
    if not LEAST_TURNS <= fails < len(agree):
        return question
    return question.model_copy(update={"turns": question.turns[:fails]})


def _pruned(question: Question, world: View, pixels: View, agrees: bool) -> Question:
    turn = question.turns[0]
    least = LEAST_CLAIMS.get(str(turn.program.get("op")))
    if least is None or agrees or not _stands(turn, world):
        return question
    claims: list[JSON] = turn.program["claims"]
    kept = [c for c in claims if _confirmed(c, world, pixels)]
    program = {**turn.program, "claims": kept}
    if not least <= len(kept) < len(claims):
        return question
    value = run(parse(program), world)
    if not isinstance(value, Value):
        return question
    shorter = turn.model_copy(update={"program": program, "answer": answer(value, world.facts)})
    return question.model_copy(update={"turns": [shorter]})


def _stands(turn: Turn, world: View) -> bool:
    """Whether the stored answer is the world's: a false one must be judged as it is."""
    try:
        value = run(parse(turn.program), world)
    except ProgramError:
        return False
    return isinstance(value, Value) and answer(value, world.facts) == turn.answer


def _confirmed(claim: JSON, world: View, pixels: View) -> bool:
    program = parse(claim)
    a, b = run(program, world), run(program, pixels)
    return isinstance(a, Value) and isinstance(b, Value) and compare(a, b)
