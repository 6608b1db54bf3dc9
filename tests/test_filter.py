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
Asked = tuple[str, dict[str, Any], str, str]
PROGRAMS: list[Asked] = [
    ("stowed", {"op": "where", "object": the("apple"), "at": END},
     "Where is the apple at the end?", "结尾时物apple在哪里？"),
    ("stowed", {"op": "where", "object": the("apple"), "at": START},
     "Where is the apple at the start?", "开头物apple在哪里？"),
    ("stowed", {"op": "count", "of": {"op": "inside", "object": the("drawer"), "at": END}},
     "How many things are in the drawer at the end?", "结尾时物drawer里有几件东西？"),
    ("stowed", {"op": "times", "of": {"op": "events", "object": the("drawer")}},
     "How many times does something happen to the drawer?", "物drawer一共变化了几次？"),
    ("stowed", {"op": "interval", "event": {"op": "event", "kind": "motion", "object": the("apple")}},
     "When is the apple moved?", "物apple是什么时候被移动的？"),
    ("stowed", {"op": "openness", "object": the("drawer"), "at": {"op": "time", "s": 1.5}},
     "How many centimetres is the drawer open at 1.5 s?", "第1.5秒时物drawer拉开了多少厘米？"),
    ("opened", {"op": "openness", "object": the("drawer"), "at": END},
     "How many centimetres is the drawer open at the end?", "结尾时物drawer拉开了多少厘米？"),
    ("opened", {"op": "openness", "object": the("door"), "at": END},
     "How many degrees is the door open at the end?", "结尾时物door打开了多少度？"),
    ("opened", {"op": "distance", "a": the("apple"), "b": the("burner"), "at": START},
     "How many metres are there between the apple and the burner at the start?", "开头物apple和物burner相距多少米？"),
    ("opened", {"op": "moved", "object": the("apple"), "since": START, "until": END},
     "Is the apple elsewhere at the end than at the start?", "和开头相比，结尾时物apple是否换了位置？"),
    ("opened", {"op": "is", "object": the("drawer"), "state": "open", "at": END},
     "Is the drawer open at the end?", "结尾时物drawer是否开着？"),
    ("opened", {"op": "fill", "object": the("jug"), "at": START},
     "How full is the jug at the start, in percent?", "开头物jug装了百分之几？"),
]  # fmt: skip
UNSEEN = len(PROGRAMS) - 1


def question(number: int, value: Any = None, **changes: Any) -> Question:
    """The question of a program, with the world's own answer or a false one."""
    story, program, en, zh = PROGRAMS[number]
    known, _, camera = seen(story)
    found = execute(program, known, camera)
    assert isinstance(found, Value), (program, found)
    told = answer(found, known)
    if value is not None:
        told = told.model_copy(update={"value": value})
    turn = Turn(question=Text(en=en, zh=zh), answer=told, program=program)
    return ask(turn.model_copy(update=changes), id=f"{story}-{number}")


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


@pytest.mark.parametrize("number", range(UNSEEN))
def test_good_answers_are_kept(number: int) -> None:
    verdict = judge(question(number), *seen(PROGRAMS[number][0]))
    assert verdict.reason == "agree" and verdict.keep, verdict
    assert set(verdict.witnesses) == {"world", "pixels", "model"} and verdict.witnesses["model"] == []


@pytest.mark.parametrize("number", range(UNSEEN))
def test_wrong_answers_are_rejected(number: int) -> None:
    right = question(number)
    wrong = question(number, other(right.turns[0].answer.value))
    verdict = judge(wrong, *seen(PROGRAMS[number][0]))
    assert not verdict.keep and verdict.reason == "world: another answer"
    assert verdict.witnesses["world"] == right.turns[0].answer.value


def test_a_wrong_world_is_caught_by_the_picture() -> None:
    """Facts that were changed after the fact: the program reproduces the answer, the pixels do not."""
    known, shown, camera = seen("opened")
    false = _with(known, "drawer", openness=[0.0] * 12 + [15.0] * 12)
    right = question(6).turns[0]
    told = answer(_value(right.program, false, camera), false)
    verdict = judge(ask(right.model_copy(update={"answer": told})), false, shown, camera)
    assert verdict.reason == "disagree" and verdict.witnesses["world"] == 15.0
    assert verdict.witnesses["pixels"] == pytest.approx(25.0, abs=1.5)


def test_what_cannot_be_seen_is_rejected() -> None:
    verdict = judge(question(UNSEEN), *seen("opened"))
    assert verdict.reason == "pixels: not visible" and not verdict.keep
    assert verdict.witnesses["pixels"] == {"refused": "not visible"}


def test_a_refusal_of_the_world_comes_first() -> None:
    good = question(6).turns[0]
    bad = good.model_copy(update={"program": {"op": "openness", "object": the("mug"), "at": END}})
    assert judge(ask(bad), *seen("opened")).reason == "world: undefined"


def test_malformed() -> None:
    good = question(6).turns[0]
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
    turns = [question(n).turns[0] for n in (6, 7)]
    verdict = judge(ask(*turns), *seen("opened"))
    assert verdict.keep and verdict.witnesses["world"] == [t.answer.value for t in turns]
    spoilt = turns[1].model_copy(update={"answer": turns[1].answer.model_copy(update={"value": 3.0})})
    assert judge(ask(turns[0], spoilt), *seen("opened")).reason == "world: another answer"


def test_counts_add_up() -> None:
    """Whatever is asked is kept or rejected once, in order, with a verdict; wrong ones are all rejected."""
    rng = np.random.default_rng(3)
    story = "opened"
    numbers = [n for n in range(UNSEEN) if PROGRAMS[n][0] == story]
    asked, wrong = [], set()
    for n in range(60):
        q = question(numbers[int(rng.integers(len(numbers)))]).model_copy(update={"id": f"q{n}"})
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
