"""Hard negatives against the picture: a wrong answer that a viewer would give is no negative."""

from __future__ import annotations

from synth4d.program import Value, View, compare, parse, run
from synth4d.records import Question, Turn


def surely_wrong(question: Question, pixels: View) -> Question:
    """A kept question without the negatives that the pixels witness agrees with."""
    return question.model_copy(update={"turns": [_turn(turn, pixels) for turn in question.turns]})


def _turn(turn: Turn, pixels: View) -> Turn:
    seen = run(parse(turn.program), pixels) if turn.negatives else None
    if not isinstance(seen, Value):
        return turn
    said = ((n, Value(n.answer.type, n.answer.value, n.answer.unit)) for n in turn.negatives)
    return turn.model_copy(update={"negatives": [n for n, value in said if not compare(value, seen)]})
