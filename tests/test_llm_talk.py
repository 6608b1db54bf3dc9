"""Talks: held together, round by round, each with its own outcomes; one that must wait is dropped as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llm_calls import Word, call

from synth4d.llm import Answer, Call, Outcome, Pending, Talk, hold


def talk(name: str, rounds: Sequence[int]) -> Talk[list[str]]:
    heard: list[str] = []
    for n in rounds:
        outcomes = yield [call(f"{name} {len(heard)} {i}") for i in range(n)]
        heard += [o.value.word for o in outcomes if isinstance(o, Answer)]
    return heard


def test_each_talk_hears_its_own_and_rounds_go_out_together() -> None:
    sent: list[int] = []

    def ask(calls: Sequence[Call[Any]]) -> list[Outcome[Any]]:
        sent.append(len(calls))
        return [Answer(Word(word=str(c.messages[0]["content"]), number=1), "k") for c in calls]

    ends = hold([talk("a", [2, 1]), talk("b", []), talk("c", [0, 0, 3]), talk("d", [1])], ask)
    assert ends == [["a 0 0", "a 0 1", "a 2 0"], [], ["c 0 0", "c 0 1", "c 0 2"], ["d 0 0"]]
    assert sent == [3, 1, 3]


def test_a_talk_with_a_call_that_waits_is_dropped_and_closed_and_the_others_go_on() -> None:
    closed: list[str] = []

    def watched(name: str) -> Talk[list[str]]:
        try:
            return (yield from talk(name, [2, 1]))
        finally:
            closed.append(name)

    def ask(calls: Sequence[Call[Any]]) -> list[Outcome[Any]]:
        said = [str(c.messages[0]["content"]) for c in calls]
        return [Pending("later") if s == "b 0 1" else Answer(Word(word=s, number=1), "k") for s in said]

    ends = hold([watched("a"), watched("b")], ask)
    assert ends == [["a 0 0", "a 0 1", "a 2 0"], Pending("later")] and sorted(closed) == ["a", "b"]
