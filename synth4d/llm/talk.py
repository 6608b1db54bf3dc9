"""A stage's exchange with a model: it gives out calls, is sent their outcomes, and returns what it makes of them.

A talk knows no door. So one logic serves the live run, the replay and the batch, and the calls of many shots go out
together. It never sees a Pending: without all its outcomes it is dropped, and held anew from its start another time,
when the store has what it was told before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from synth4d.llm.call import Answer, Call, Outcome, Pending, Rejected

T = TypeVar("T")
Heard = Answer[Any] | Rejected
Talk = Generator[Sequence[Call[Any]], Sequence[Heard], T]
Ask = Callable[[Sequence[Call[Any]]], Sequence[Outcome[Any]]]
"""As Door.ask: the outcome of each call, in order."""


def hold(talks: Sequence[Talk[T]], ask: Ask) -> list[T | Pending]:
    """Hold many talks at once, round by round: the calls of all that have any go to `ask` together.

    What each talk returned; Pending for one that was dropped.
    """
    ends: dict[int, T | Pending] = {}
    heard: dict[int, Sequence[Heard] | None] = dict.fromkeys(range(len(talks)))
    while heard:
        calls: dict[int, Sequence[Call[Any]]] = {}
        for i, outcomes in heard.items():
            try:
                calls[i] = next(talks[i]) if outcomes is None else talks[i].send(outcomes)
            except StopIteration as end:
                ends[i] = end.value
        replies = iter(ask([call for some in calls.values() for call in some]) if calls else ())
        heard = {}
        for i, some in calls.items():
            got = [next(replies) for _ in some]
            whole = [o for o in got if not isinstance(o, Pending)]
            if len(whole) == len(got):
                heard[i] = whole
            else:
                talks[i].close()
                ends[i] = next(o for o in got if isinstance(o, Pending))
    return [ends[i] for i in range(len(talks))]
