"""Broken choices: two right ones, none, or the wrong letter."""

from __future__ import annotations

from synth4d.audit.clip import Clip
from synth4d.audit.wrong_answers import KINDS, wrong_value
from synth4d.program import Value, word
from synth4d.records import Text, Turn


def two_right(p: Clip, turn: Turn, error: str) -> Turn | None:
    if turn.choices is None or turn.correct is None:
        return None
    right = turn.choices[turn.correct]
    twin = Text(en=right.en[:1].lower() + right.en[1:], zh=right.zh)
    if turn.answer.type == "number":
        near = Value("number", turn.answer.value * float(p.rng.choice([0.97, 1.03])), turn.answer.unit)
        twin = word(near, p.facts)
    i = p.pick([i for i in range(len(turn.choices)) if i != turn.correct])
    return turn.model_copy(update={"choices": [twin if k == i else c for k, c in enumerate(turn.choices)]})


def none_right(p: Clip, turn: Turn, error: str) -> Turn | None:
    if turn.choices is None or turn.correct is None:
        return None
    for kind in p.shuffled(KINDS):
        value = wrong_value(p, turn, kind)
        if value is not None and (text := word(value, p.facts)) not in turn.choices:
            return turn.model_copy(
                update={"choices": [text if k == turn.correct else c for k, c in enumerate(turn.choices)]}
            )
    return None


def wrong_letter(p: Clip, turn: Turn, error: str) -> Turn | None:
    if turn.choices is None or turn.correct is None:
        return None
    others = [i for i in range(len(turn.choices)) if i != turn.correct]
    return turn.model_copy(update={"correct": p.pick(others)})
