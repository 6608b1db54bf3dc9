"""The blind probe by a language model: it has the questions and options, no facts and no picture."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from synth4d.filter.guess import UNITS, Guess, Item
from synth4d.llm import Answer, Call, Talk

PER_CALL = 12
"""Questions a request: more are cheaper, and counted through less reliably."""
TASK = (
    "Each question below is about a short video of a room that you can't see. Guess: for every question choose the "
    "option that is most likely right, from the words and from what such rooms are like. Reply with the number of one "
    "option for each question, in order."
)


class Guesses(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    options: list[int]


def guess(items: Sequence[Item]) -> Talk[list[Guess]]:
    """What a model guesses of each item; what it would not answer counts as chance."""
    batches = [items[i : i + PER_CALL] for i in range(0, len(items), PER_CALL)]
    outcomes = yield [_call(batch) for batch in batches]
    found: list[Guess] = []
    for batch, outcome in zip(batches, outcomes, strict=True):
        chosen = [n - 1 for n in outcome.value.options] if isinstance(outcome, Answer) else [None] * len(batch)
        found += [
            Guess(UNITS // len(item.options) if place is None else UNITS * (place == item.right), 0)
            for item, place in zip(batch, chosen, strict=True)
        ]
    return found


def _call(batch: Sequence[Item]) -> Call[Guesses]:
    def check(reply: Guesses) -> None:
        if len(reply.options) != len(batch):
            raise ValueError(f"there are {len(batch)} questions, options has {len(reply.options)} numbers")
        for i, (n, item) in enumerate(zip(reply.options, batch, strict=True), 1):
            if not 1 <= n <= len(item.options):
                raise ValueError(f"question {i} has options 1 to {len(item.options)}, not {n}")

    said = "\n\n".join(_said(i, item) for i, item in enumerate(batch, 1))
    messages = [{"role": "system", "content": TASK}, {"role": "user", "content": said}]
    return Call(kind="blind", messages=messages, reply=Guesses, seed=None, temperature=0.0, check=check)


def _said(number: int, item: Item) -> str:
    options = "\n".join(f"  {i}. {option}" for i, option in enumerate(item.options, 1))
    return f"Question {number}. {item.question}\n{options}"
