"""The filter keeps what both witnesses say, and rejects every wrong answer that is slipped in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from world_stories import camera_record, told

from synth4d.filter import judge, sift
from synth4d.program import Value, answer, execute
from synth4d.records import CameraRecord, Evidence, Facts, Question, Text, Turn

Seen = tuple[Facts, Facts, CameraRecord]


def seen(story: str) -> Seen:
    """World facts, pixel facts and the camera of a story."""
    known, shown, clip = told(story)
    return known, shown, camera_record(clip)


# ---- Programs ------------------------------------------------------------------------------------


def the(label: str) -> dict[str, Any]:
    return {"op": "unique", "of": {"op": "filter", "label": label}}


START, END = {"op": "start"}, {"op": "end"}
PROGRAMS: list[tuple[str, dict[str, Any]]] = [
    ("stowed", {"op": "where", "object": the("apple"), "at": END}),
    ("stowed", {"op": "where", "object": the("apple"), "at": START}),
    ("stowed", {"op": "count", "of": {"op": "inside", "object": the("drawer"), "at": END}}),
    ("stowed", {"op": "times", "of": {"op": "events", "object": the("drawer")}}),
    ("stowed", {"op": "interval", "event": {"op": "event", "kind": "motion", "object": the("apple")}}),
    ("stowed", {"op": "openness", "object": the("drawer"), "at": {"op": "time", "s": 1.5}}),
    ("opened", {"op": "openness", "object": the("drawer"), "at": END}),
    ("opened", {"op": "openness", "object": the("door"), "at": END}),
    ("opened", {"op": "opening", "object": the("door"), "since": START, "until": END}),
    ("opened", {"op": "distance", "a": the("apple"), "b": the("burner"), "at": START}),
    ("opened", {"op": "moved", "object": the("apple"), "since": START, "until": END}),
    ("opened", {"op": "is", "object": the("drawer"), "state": "open", "at": END}),
]


def question(story: str, number: int, program: dict[str, Any], value: Any = None) -> Question:
    """The question of a program, with the world's own answer or a false one."""
    known, _, camera = seen(story)
    found = execute(program, known, camera)
    assert isinstance(found, Value), (program, found)
    told = answer(found, known)
    if value is not None:
        told = told.model_copy(update={"value": value})
    turn = Turn(question=Text(en="?", zh="?"), answer=told, program=program)
    return ask(turn, id=f"{story}-{number}")


def ask(*turns: Turn, id: str = "q") -> Question:
    evidence = Evidence(frames=[0], objects=[])
    return Question(
        id=id, kind="test", family="state", author="test", turns=list(turns), evidence=evidence, difficulty=0.5
    )


def other(value: Any) -> Any:
    """A wrong answer of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return value + "0" if isinstance(value, str) else [v + 1 for v in value]


# ---- Good and bad answers ------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_good_answers_are_kept(number: int) -> None:
    story, program = PROGRAMS[number]
    verdict = judge(question(story, number, program), *seen(story))
    assert verdict.reason == "agree" and verdict.keep, verdict
    assert set(verdict.witnesses) == {"world", "pixels", "model"} and verdict.witnesses["model"] == []


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_wrong_answers_are_rejected(number: int) -> None:
    story, program = PROGRAMS[number]
    right = question(story, number, program)
    wrong = question(story, number, program, other(right.turns[0].answer.value))
    verdict = judge(wrong, *seen(story))
    assert not verdict.keep and verdict.reason == "world: another answer"
    assert verdict.witnesses["world"] == right.turns[0].answer.value


def test_a_wrong_world_is_caught_by_the_picture() -> None:
    """Facts that were changed after the fact: the program reproduces the answer, the pixels do not."""
    known, shown, camera = seen("opened")
    false = _with(known, "drawer", openness=[0.0] * 12 + [15.0] * 12)
    program = {"op": "openness", "object": the("drawer"), "at": END}
    told = answer(_value(program, false, camera), false)
    verdict = judge(ask(Turn(question=Text(en="?", zh="?"), answer=told, program=program)), false, shown, camera)
    assert verdict.reason == "disagree" and verdict.witnesses["world"] == 15.0
    assert verdict.witnesses["pixels"] == pytest.approx(25.0, abs=1.5)


def test_what_cannot_be_seen_is_rejected() -> None:
    program = {"op": "fill", "object": the("jug"), "at": START}
    verdict = judge(question("opened", 0, program), *seen("opened"))
    assert verdict.reason == "pixels: not visible" and not verdict.keep
    assert verdict.witnesses["pixels"] == {"refused": "not visible"}


def test_a_refusal_of_the_world_comes_first() -> None:
    good = question("opened", 0, PROGRAMS[6][1]).turns[0]
    bad = good.model_copy(update={"program": {"op": "openness", "object": the("mug"), "at": END}})
    assert judge(ask(bad), *seen("opened")).reason == "world: undefined"


def test_malformed() -> None:
    good = question("opened", 0, PROGRAMS[6][1]).turns[0]
    other_words = Text(en="no", zh="否")
    broken = [
        good.model_copy(update={"program": {"op": "rm -rf"}}),
        good.model_copy(update={"choices": [good.answer.text, other_words], "correct": 1}),
        good.model_copy(update={"choices": [good.answer.text, good.answer.text], "correct": 0}),
        good.model_copy(update={"choices": [other_words, good.answer.text], "correct": None}),
        good.model_copy(update={"correct": 0}),
    ]
    for turn in broken:
        assert judge(ask(turn), *seen("opened")).reason == "malformed", turn
    assert judge(ask(), *seen("opened")).reason == "malformed"
    right = good.model_copy(update={"choices": [other_words, good.answer.text], "correct": 1})
    assert judge(ask(right), *seen("opened")).keep


def test_every_turn_of_a_dialogue_must_hold() -> None:
    turns = [question("opened", n, PROGRAMS[n][1]).turns[0] for n in (6, 7)]
    verdict = judge(ask(*turns), *seen("opened"))
    assert verdict.keep and verdict.witnesses["world"] == [t.answer.value for t in turns]
    spoilt = turns[1].model_copy(update={"answer": turns[1].answer.model_copy(update={"value": 3.0})})
    assert judge(ask(turns[0], spoilt), *seen("opened")).reason == "world: another answer"


def test_counts_add_up() -> None:
    """Whatever is asked is kept or rejected once, in order, with a verdict; wrong ones are all rejected."""
    rng = np.random.default_rng(3)
    story = "opened"
    programs = [p for s, p in PROGRAMS if s == story]
    asked, wrong = [], set()
    for n in range(60):
        q = question(story, n, programs[int(rng.integers(len(programs)))])
        if rng.random() < 0.5:
            turn = q.turns[0]
            false = turn.answer.model_copy(update={"value": other(turn.answer.value)})
            q = q.model_copy(update={"turns": [turn.model_copy(update={"answer": false})]})
            wrong.add(q.id)
        asked.append(q)
    kept, rejected = sift(asked, *seen(story))
    assert Counter(q.id for q in kept + rejected) == Counter(q.id for q in asked)
    assert [q.id for q in asked if q.id not in wrong] == [q.id for q in kept]
    assert all(q.verdict and q.verdict.keep for q in kept)
    assert all(q.verdict and not q.verdict.keep and q.verdict.reason != "agree" for q in rejected)
    assert sift([], *seen(story)) == ([], [])


def _with(facts: Facts, name: str, **tracks: Any) -> Facts:
    objects = [o.model_copy(update=tracks) if o.name == name else o for o in facts.objects]
    return facts.model_copy(update={"objects": objects})


def _value(program: dict[str, Any], facts: Facts, camera: CameraRecord) -> Value:
    found = execute(program, facts, camera)
    assert isinstance(found, Value)
    return found
