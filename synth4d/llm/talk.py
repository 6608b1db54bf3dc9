"""A stage's exchange with a model: it gives out calls, is sent their outcomes, and returns what it makes of them.

A talk knows no door. So one logic serves the live run, the replay and the batch, and the calls of many shots go out
together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from synth4d.llm.call import Call, Outcome

T = TypeVar("T")
Talk = Generator[Sequence[Call[Any]], Sequence[Outcome[Any]], T]
Ask = Callable[[Sequence[Call[Any]]], Sequence[Outcome[Any]]]
"""As Door.ask: the outcome of each call, in order."""


def hold(talks: Sequence[Talk[T]], ask: Ask) -> list[T]:
    """Hold many talks at once, round by round: the calls of all that have any go to `ask` together."""
    ends: dict[int, T] = {}
    sent: dict[int, Sequence[Outcome[Any]] | None] = dict.fromkeys(range(len(talks)))
    while sent:
        calls: dict[int, Sequence[Call[Any]]] = {}
        for i, outcomes in sent.items():
            try:
                calls[i] = next(talks[i]) if outcomes is None else talks[i].send(outcomes)
            except StopIteration as end:
                ends[i] = end.value
        replies = iter(ask([call for some in calls.values() for call in some]) if calls else ())
        sent = {i: [next(replies) for _ in some] for i, some in calls.items()}
    return [ends[i] for i in range(len(talks))]
