"""Difficulty never falls as its signs grow; hard negatives are wrong, plausible, and proved so."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from functools import cache
from itertools import islice

import numpy as np
import pytest
from facts_maker import kitchen
from hypothesis import given
from hypothesis import strategies as st

from synth4d import proof
from synth4d.ask import KINDS, ask
from synth4d.ask.make import answered, finished, packs
from synth4d.ask.shake import SHAKES, shaken
from synth4d.ask.stock import Stock
from synth4d.ask.template import load
from synth4d.ask.training import WEIGHTS, Signs, difficulty, signs
from synth4d.filter import sift
from synth4d.program import Value, View, compare, execute
from synth4d.records import CameraRecord, Facts, Question

SHARES = st.floats(0, 1)
NONE = Signs(*[0.0] * len(fields(Signs)))


@cache
def clip(seed: int) -> tuple[Facts, CameraRecord, Facts]:
    return kitchen(seed, "dynamic")


@cache
def asked(seed: int) -> tuple[Question, ...]:
    facts, camera, _ = clip(seed)
    return tuple(ask(facts, camera, rng=np.random.default_rng(seed), total=40))


def everything() -> list[tuple[int, Question]]:
    return [(seed, q) for seed in range(8) for q in asked(seed)]


# ---- Difficulty ----------------------------------------------------------------------------------


@given(st.builds(Signs, *[SHARES] * len(WEIGHTS)), st.sampled_from(sorted(WEIGHTS)), SHARES)
def test_difficulty_never_falls_as_a_sign_grows(have: Signs, sign: str, more: float) -> None:
    grown = replace(have, **{sign: max(getattr(have, sign), more)})
    assert 0 <= difficulty(have) <= difficulty(grown) <= 1


def test_the_signs_share_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1) and set(WEIGHTS) == {f.name for f in fields(Signs)}
    assert difficulty(NONE) == 0 and difficulty(Signs(*[2.0] * len(WEIGHTS))) == 1


def test_difficulty_is_a_share_and_differs() -> None:
    scores = [q.difficulty for _, q in everything()]
    assert 0 < min(scores) < 0.2 and 0.4 < max(scores) <= 1


def _signs_of(facts: Facts, camera: CameraRecord, name: str, program: object = None) -> tuple[Signs, dict[str, object]]:
    stock = Stock(View(facts, camera), np.random.default_rng(1), load())
    for one in answered(KINDS[name], stock):
        if program is None or one.draft.program == program:
            return signs(stock, one.draft, one.program, one.value, None), one.draft.program
    raise AssertionError(name)


def test_smaller_more_hidden_and_more_alike_is_harder() -> None:
    facts, camera, _ = clip(0)
    have, program = _signs_of(facts, camera, "space.camera_distance")
    smaller = [o.model_copy(update={"pixels": [int(p * 0.8) for p in o.pixels]}) for o in facts.objects]
    less, _ = _signs_of(facts.model_copy(update={"objects": smaller}), camera, "space.camera_distance", program)
    assert less.small >= have.small and less.steps == have.steps
    hidden = [
        o.model_copy(update={"occluded": [None if v is None else min(v + 0.2, 1) for v in o.occluded]})
        for o in facts.objects
    ]
    veiled, _ = _signs_of(facts.model_copy(update={"objects": hidden}), camera, "space.camera_distance", program)
    assert veiled.hidden > have.hidden
    alike = [o.model_copy(update={"category": "mug"}) if o.role == "prop" else o for o in facts.objects]
    crowd, _ = _signs_of(facts.model_copy(update={"objects": alike}), camera, "space.camera_distance", program)
    assert crowd.crowd >= have.crowd


def test_shaken_facts_are_near_and_the_same_each_time() -> None:
    facts, camera, _ = clip(1)
    view = View(facts, camera)
    first, again = shaken(view), shaken(view)
    assert [v.facts for v in first] == [v.facts for v in again]
    for shake, other in zip(SHAKES, first, strict=True):
        for a, b in zip(facts.objects, other.facts.objects, strict=True):
            for p, q in zip(a.box, b.box, strict=True):
                assert (p is None) == (q is None)
                if p is not None and q is not None:
                    assert np.linalg.norm(np.subtract(p[:3], q[:3])) < 6 * shake.metres and p[3:] == q[3:]


def test_what_is_close_is_so_for_a_reason() -> None:
    """Some answers hold on facts that are a little otherwise, some don't; both are common."""
    found: Counter[bool] = Counter()
    for seed, q in everything():
        other = execute(q.turns[0].program, shaken(View(*clip(seed)[:2]))[1].facts, clip(seed)[1])
        found[isinstance(other, Value) and compare(other, _value(q))] += 1
    assert found[True] > found[False] > 0


def _value(q: Question) -> Value:
    answer = q.turns[0].answer
    return Value(answer.type, answer.value, answer.unit)


# ---- Negatives -----------------------------------------------------------------------------------


def test_every_question_with_a_short_answer_has_a_negative() -> None:
    missing = [(q.kind, q.turns[0].answer.text.en) for _, q in everything() if not q.turns[0].negatives]
    assert len(missing) <= 0.02 * len(everything()), missing


def test_negatives_are_wrong_and_of_the_answer_s_type() -> None:
    for turn in (turn for _, q in everything() for turn in q.turns):
        said = [turn.answer.text.en, *(n.answer.text.en for n in turn.negatives)]
        assert len(set(said)) == len(said) <= 3
        for negative in turn.negatives:
            a = negative.answer
            assert (a.type, a.unit) == (turn.answer.type, turn.answer.unit)
            right = turn.answer
            assert not compare(Value(a.type, a.value, a.unit), Value(right.type, right.value, right.unit))
            if turn.choices is not None:
                assert a.text in turn.choices
            if a.type == "number":
                assert a.value > 0 and (a.unit != "%" or a.value <= 100)


def test_many_negatives_are_true_of_another_moment_or_thing() -> None:
    """Distances that some other pair has, not multiples of the right one: a third of them at least."""
    found = []
    for seed in range(8):
        stock = Stock(View(*clip(seed)[:2]), np.random.default_rng(seed), load())
        packed = (islice(packs(KINDS[name], stock), 6) for name in ("space.distance", "space.camera_distance"))
        found += [finished(worded, stock).turns[0] for some in packed for pack in some for worded in pack]
    factors = [n.answer.value / t.answer.value for t in found if t.choices is None for n in t.negatives]
    fixed = sum(min(abs(f - x) for x in (1.25, 0.8, 1.5, 0.65, 2, 0.5, 3)) < 0.01 for f in factors)
    assert len(factors) > 40 and fixed < 2 / 3 * len(factors)


def test_the_filter_drops_negatives_that_a_viewer_would_take_for_right() -> None:
    for seed in range(4):
        facts, camera, viewed = clip(seed)
        kept, _ = sift(asked(seed), facts, viewed, camera)
        for q in kept:
            seen = execute(q.turns[0].program, viewed, camera)
            for n in q.turns[0].negatives:
                assert isinstance(seen, Value)
                assert not compare(Value(n.answer.type, n.answer.value, n.answer.unit), seen)


def test_the_proof_finds_a_negative_that_is_right_or_misworded() -> None:
    facts, camera, _ = clip(0)
    view = View(facts, camera)
    short = [q.turns[0] for q in asked(0) if len(q.turns) == 1 and q.turns[0].answer.type == "choice"]
    turn = next(t for t in short if len(t.negatives) == 2)
    assert list(proof._answer(turn, view)) == []
    right = turn.negatives[0].model_copy(update={"answer": turn.answer})
    assert "is right" in next(proof._answer(turn.model_copy(update={"negatives": [right]}), view))
    misworded = turn.negatives[0].model_copy(
        update={"answer": turn.negatives[0].answer.model_copy(update={"text": turn.answer.text})}
    )
    assert "worded" in next(proof._answer(turn.model_copy(update={"negatives": [misworded]}), view))
    other = turn.negatives[0].model_copy(
        update={"answer": turn.negatives[0].answer.model_copy(update={"type": "bool", "value": True})}
    )
    assert "is a bool" in next(proof._answer(turn.model_copy(update={"negatives": [other]}), view))
