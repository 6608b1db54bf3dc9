"""Captions: claims that can each be run again, whole where they tell a story, wrong just where it was planted."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from talks import asked, clip, named, nodes, things

from synth4d.ask.caption import LEAST
from synth4d.filter import sift
from synth4d.filter.fit import LEAST_CLAIMS
from synth4d.program import ProgramError, Refusal, Value, View, answer, compare, execute, parse
from synth4d.program.caption import claimed, holds
from synth4d.program.claims import TIMED
from synth4d.program.operations import CLAIMS, OPS
from synth4d.program.sentences import sentence
from synth4d.records import Facts, Question, dump

CLAIM = {"op": "times", "of": {"op": "events"}}


def captions(kind: str) -> list[tuple[int, Question]]:
    found = [(seed, q) for seed, q in asked("caption") if q.kind == f"caption.{kind}"]
    assert len(found) >= 10
    return found


def row(value: Value | Refusal) -> dict[str, Any]:
    assert isinstance(value, Value), value
    return {"type": value.type, "value": value.value, "unit": value.unit}


def without(facts: Facts, id: int) -> Facts:
    """A witness to whom a thing is out of sight."""
    gone = {"box": [None], "support": [None], "inside": [None], "pixels": [0], "visible2d": [None]}
    objects = [o.model_copy(update=gone) if o.id == id else o for o in facts.objects]
    return facts.model_copy(update={"objects": objects})


def subject(claims: list[dict[str, Any]], seed: int) -> int:
    """The first thing whose place is told; 0 where none is."""
    facts, camera, _ = clip(seed)
    found = [c["object"] for c in claims if c["op"] == "where"]
    return min(things(found[0], View(facts, camera))) if found else 0


# ---- Claims --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["describe", "narrate", "recaption"])
def test_every_claim_runs_again_to_its_value(kind: str) -> None:
    for seed, q in captions(kind):
        facts, camera, _ = clip(seed)
        for turn in q.turns:
            value = execute(parse(turn.program), facts, camera)
            assert isinstance(value, Value) and answer(value, facts) == turn.answer
            if turn.program["op"] in ("caption", "narrate"):
                assert turn.answer.type == "text"
                assert [row(execute(c, facts, camera)) for c in turn.program["claims"]] == turn.answer.value
        assert Question.model_validate_json(dump(q)) == q


def test_two_captions_agree_where_every_claim_does() -> None:
    same = Counter()
    for seed, q in captions("describe"):
        facts, camera, viewed = clip(seed)
        claims = q.turns[0].program["claims"]
        for other in (viewed, without(viewed, subject(claims, seed))):
            pairs = [(execute(c, facts, camera), execute(c, other, camera)) for c in claims]
            if all(isinstance(b, Value) for _, b in pairs):
                whole = execute(q.turns[0].program, other, camera)
                first = execute(q.turns[0].program, facts, camera)
                assert isinstance(whole, Value) and isinstance(first, Value)
                each = all(isinstance(a, Value) and isinstance(b, Value) and compare(a, b) for a, b in pairs)
                assert compare(first, whole) is each
                same[each] += 1
            else:
                assert isinstance(execute(q.turns[0].program, other, camera), Refusal)
                same["refused"] += 1
        first = execute(q.turns[0].program, facts, camera)
        assert isinstance(first, Value)
        for i in range(len(claims)):
            rows = [{**r, "value": "other"} if i == j else r for j, r in enumerate(first.value)]
            assert claims[i]["op"] == "count" or not compare(first, replace(first, value=rows))
    assert same[True] and same["refused"]


def test_only_what_can_be_said_is_a_claim() -> None:
    assert set(OPS) >= CLAIMS
    with pytest.raises(ProgramError, match="can't be said as a claim"):
        parse({"op": "caption", "claims": [CLAIM]})
    with pytest.raises(ProgramError, match="list of 1 to 24"):
        parse({"op": "caption", "claims": []})
    with pytest.raises(ProgramError, match="a truth, a number"):
        parse(
            {"op": "agrees", "of": {"op": "begins", "event": {"op": "first", "of": {"op": "events"}}}, "said": {"x": 1}}
        )


@pytest.mark.parametrize("kind", ["describe", "narrate", "recaption"])
def test_both_languages_say_the_same_claims(kind: str) -> None:
    """The same things and the same figures; counts as words are the same claims' already."""
    for seed, q in captions(kind):
        facts, _, _ = clip(seed)
        for turn in q.turns:
            for text in (turn.answer.text, turn.question):
                en, zh = named(text.en, facts, "en"), named(text.zh, facts, "zh")
                assert en <= zh and {_label(facts, id) for id in zh - en} <= counted_labels(turn.program), text
                figures = [sorted(re.findall(r"\d+(?:\.\d+)?", t)) for t in (text.en, text.zh)]
                assert figures[0] == figures[1], text


def _label(facts: Facts, id: int) -> str:
    return next(o.label.en for o in facts.objects if o.id == id)


def counted_labels(program: dict[str, Any]) -> set[str]:
    """What is counted, which in Chinese is said by the bare name (一个碗)."""
    return {str(n["of"]["of"]["label"]) for n in nodes(program, "count")}


# ---- What happens --------------------------------------------------------------------------------


def test_a_story_tells_each_event_once_and_in_order() -> None:
    told = 0
    for seed, q in captions("narrate"):
        facts, camera, _ = clip(seed)
        view = View(facts, camera)
        claims = [c for c in q.turns[0].program["claims"] if c["op"] in TIMED]
        events = [claimed(parse(c), view).event(view) for c in claims]
        assert sorted(e.id for e in events) == sorted(e.id for e in facts.events)
        assert [e.start_s for e in events] == sorted(e.start_s for e in facts.events)
        text = q.turns[0].answer.text
        if not events:
            assert "nothing in the scene moves" in text.en.lower() and "没有任何东西移动" in text.zh
        for c in claims:
            said = sentence(view, claimed(parse(c), view))
            for time in re.findall(r"\d+\.\d s|\d+\.\d秒", said.en + said.zh):
                assert time in text.en + text.zh
        told += len(events)
    assert told > 15


def test_a_story_that_leaves_out_repeats_or_shuffles_events_is_refused() -> None:
    for seed, q in captions("narrate"):
        facts, camera, _ = clip(seed)
        program = q.turns[0].program
        timed = [c for c in program["claims"] if c["op"] in TIMED]
        rest = [c for c in program["claims"] if c["op"] not in TIMED]
        for c in timed:
            missing = [d for d in program["claims"] if d != c] or rest or [{"op": "happens", "of": {"op": "events"}}]
            assert isinstance(execute({**program, "claims": missing}, facts, camera), Refusal)
            assert isinstance(execute({**program, "claims": [*program["claims"], c]}, facts, camera), Refusal)
        if len(timed) > 1:
            assert isinstance(execute({**program, "claims": [*rest, *timed[::-1]]}, facts, camera), Refusal)


# ---- Mistakes ------------------------------------------------------------------------------------


def test_planted_mistakes_are_just_the_claims_that_do_not_hold() -> None:
    planted: Counter[str] = Counter()
    for seed, q in captions("recaption"):
        facts, camera, _ = clip(seed)
        find, mend, again = q.turns
        shown = find.program["claims"]
        truth = [row(execute(c["of"], facts, camera))["value"] for c in shown]
        wrong = [i for i, c in enumerate(shown) if c["said"] != truth[i]]
        assert find.answer.value == "+".join(str(i + 1) for i in wrong)
        assert 1 <= len(wrong) <= 3 and 2 * len(wrong) < len(shown) and len(shown) >= LEAST
        planted.update(shown[i]["of"]["op"] for i in wrong)
        # The rewritten caption makes the same claims, and none of them is wrong.
        assert mend.program["claims"] == [c["of"] for c in shown]
        assert [r["value"] for r in mend.answer.value] == truth
        mended = [{"op": "agrees", "of": c["of"], "said": t} for c, t in zip(shown, truth, strict=True)]
        assert row(execute({"op": "wrong", "claims": mended}, facts, camera))["value"] == "none"
        number = next(
            i for i, c in enumerate(shown) if c["of"] == again.program["of"] and c["said"] == again.program["said"]
        )
        assert again.answer.value[0]["value"] is (number not in wrong)
    assert set(planted) >= {"count", "where", "state", "colour", "side", "interval"}, planted


def test_the_statements_shown_say_what_is_claimed() -> None:
    for seed, q in captions("recaption"):
        facts, camera, _ = clip(seed)
        for language, mark in (("en", r"\((\d)\) "), ("zh", r"（(\d)）")):
            text = getattr(q.turns[0].question, language)
            pieces = re.split(mark, text)[2::2]
            assert len(pieces) == len(q.turns[0].program["claims"])
            for piece, claim in zip(pieces, q.turns[0].program["claims"], strict=True):
                true = getattr(
                    sentence(View(facts, camera), claimed(parse(claim["of"]), View(facts, camera))), language
                )
                agrees = row(execute(claim, facts, camera))["value"]
                assert piece.strip().startswith(true.strip()) is agrees, (piece, true)


def test_a_mistake_is_not_seen_without_looking() -> None:
    """Times stay in order, what is counted is not named by colour besides, no state is told of what changes."""
    for _, q in captions("recaption"):
        shown = q.turns[0].program["claims"]
        times = [c["said"] for c in shown if c["of"]["op"] in TIMED]
        starts = [t[0] if isinstance(t, list) else t for t in times]
        assert starts == sorted(starts)
        assert not (times and any(c["of"]["op"] == "earliest" for c in shown))
        for c in shown:
            others = str([d["of"] for d in shown if d is not c])
            if c["of"]["op"] == "count":
                assert f"'{c['of']['of']['of']['label']}'" not in others
            if c["of"]["op"] == "state":
                assert str(c["of"]["object"]) not in str([d["of"] for d in shown if d["of"]["op"] in TIMED])


def test_what_is_nearly_so_is_neither_right_nor_wrong() -> None:
    told = [(seed, c) for seed, q in captions("narrate") for c in q.turns[0].program["claims"]]
    seed, timed = next((seed, c) for seed, c in told if c["op"] == "interval")
    facts, camera, _ = clip(seed)
    start, end = row(execute(timed, facts, camera))["value"]
    for shift, verdict in ((0.0, True), (0.7, True), (1.0, None), (1.4, None), (1.6, False), (-2.0, False)):
        found = execute({"op": "agrees", "of": timed, "said": [start + shift, end + shift]}, facts, camera)
        assert (found.value if isinstance(found, Value) else None) is verdict, shift


@pytest.mark.parametrize("said", [True, "left", [1, 2, 3], "on:x", 10**9, ["a", "b"]])
def test_what_is_said_may_be_anything(said: Any) -> None:
    for seed, q in captions("recaption")[:6]:
        facts, camera, _ = clip(seed)
        for c in q.turns[0].program["claims"]:
            for op in ("agrees", "check"):
                try:
                    found = execute({"op": op, "of": c["of"], "said": said}, facts, camera)
                except ProgramError:
                    continue
                assert isinstance(found, Refusal) or answer(found, facts).text.en
                assert op != "agrees" or not isinstance(found, Value) or isinstance(found.value, bool)


# ---- The filter ----------------------------------------------------------------------------------


def test_a_caption_loses_just_the_claims_that_a_viewer_cannot_confirm() -> None:
    shorter = 0
    for seed, q in captions("describe"):
        facts, camera, viewed = clip(seed)
        claims = q.turns[0].program["claims"]
        blind = without(viewed, subject(claims, seed))
        confirmed = [c for c in claims if _agree(c, facts, blind, camera)]
        kept, rejected = sift([q], facts, blind, camera)
        if len(confirmed) < LEAST_CLAIMS["caption"]:
            assert rejected == [rejected[0]] and rejected[0].turns == q.turns
            continue
        assert kept[0].turns[0].program["claims"] == confirmed
        value = execute(kept[0].turns[0].program, facts, camera)
        assert isinstance(value, Value) and answer(value, facts) == kept[0].turns[0].answer
        shorter += len(confirmed) < len(claims)
    assert shorter >= 3


def _agree(claim: dict[str, Any], a: Facts, b: Facts, camera: Any) -> bool:
    x, y = execute(claim, a, camera), execute(claim, b, camera)
    return isinstance(x, Value) and isinstance(y, Value) and compare(x, y)


def test_a_story_with_an_event_that_a_viewer_missed_is_rejected() -> None:
    seed, q = next((s, q) for s, q in captions("narrate") if len(clip(s)[0].events) > 1)
    facts, camera, viewed = clip(seed)
    missed = viewed.model_copy(update={"events": viewed.events[1:]})
    kept, rejected = sift([q], facts, missed, camera)
    assert not kept and rejected[0].verdict and rejected[0].verdict.reason.startswith("pixels")


def test_a_caption_with_a_false_answer_is_not_mended() -> None:
    """The filter shortens what is true; it does not put right what is wrong."""
    seed, q = captions("describe")[0]
    facts, camera, viewed = clip(seed)
    rows = [dict(r) for r in q.turns[0].answer.value]
    rows[0]["value"] = 9
    false = q.turns[0].model_copy(update={"answer": q.turns[0].answer.model_copy(update={"value": rows})})
    blind = without(viewed, subject(q.turns[0].program["claims"], seed))
    assert sift([q], facts, blind, camera)[0][0].turns != q.turns
    _, rejected = sift([q.model_copy(update={"turns": [false]})], facts, blind, camera)
    assert rejected[0].verdict and rejected[0].verdict.reason == "world: another answer"


def test_style_changes_words_and_nothing_else() -> None:
    seed, q = captions("describe")[0]
    facts, camera, _ = clip(seed)
    made = [execute({**q.turns[0].program, "style": s}, facts, camera) for s in range(12)]
    values = [v for v in made if isinstance(v, Value)]
    assert len({str(v.value) for v in values}) == 1 and len({answer(v, facts).text.en for v in values}) > 4
    assert len({answer(v, facts).text.zh for v in values}) > 3 and len(values) == 12


def test_mistakes_are_wrong_by_a_margin() -> None:
    from synth4d.ask.caption import claim
    from synth4d.ask.mistake import mistake
    from synth4d.ask.stock import Stock
    from synth4d.ask.template import load

    for seed, q in captions("recaption"):
        facts, camera, _ = clip(seed)
        stock = Stock(View(facts, camera), np.random.default_rng(seed), load())
        for c in q.turns[1].program["claims"]:
            made = claim(stock, c)
            said = mistake(stock, made)
            assert made is not None and (said is None or not holds(made, said))
