"""Dialogues: every turn proved by its own program, every pronoun with one antecedent, wrong claims put right."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from talks import CLIPS, asked, clip, events, named, nodes, things

from synth4d.ask import KINDS, ask
from synth4d.ask.dialogue import LEAST, MOST
from synth4d.ask.template import LANGUAGES, load
from synth4d.filter import sift
from synth4d.program import Refusal, Value, View, answer, compare, execute, parse
from synth4d.records import Question, Turn, dump

PLANS = [name for name in KINDS if name.startswith("dialogue.")]


def dialogues() -> tuple[tuple[int, Question], ...]:
    return asked("dialogue")


# ---- Turns ---------------------------------------------------------------------------------------


def test_every_turn_is_its_program_s() -> None:
    for seed, q in dialogues():
        facts, camera, _ = clip(seed)
        assert LEAST <= len(q.turns) <= MOST and q.family == "dialogue"
        for turn in q.turns:
            value = execute(parse(turn.program), facts, camera)
            assert isinstance(value, Value) and answer(value, facts) == turn.answer
            assert (turn.choices is None) == (turn.correct is None)
            assert turn.choices is None or turn.choices[turn.correct or 0] == turn.answer.text
        assert Question.model_validate_json(dump(q)) == q
        assert len({dump(t.program) for t in q.turns}) == len(q.turns)


def test_all_plans_are_drawn() -> None:
    assert len(PLANS) >= 6 and {q.kind for _, q in dialogues()} == set(PLANS)


def test_a_viewer_mostly_agrees() -> None:
    """The pixels of these facts are nearly the world's."""
    questions = dialogues()
    kept = 0
    for seed, q in questions:
        facts, camera, viewed = clip(seed)
        kept += len(sift([q], facts, viewed, camera)[0])
    assert kept > 0.9 * len(questions)


# ---- Words that lean on earlier turns ------------------------------------------------------------

IT, OTHER, TWO = r"\bit\b", r"\bthe other one\b", r"\b(?:the|these) two\b"


def _spoken_of(turn: Turn, view: View) -> set[int]:
    """What `it` may mean after a turn: the one thing it was about, or which its answer chose."""
    about = things(turn.program, view)
    return {turn.answer.value} if turn.answer.type == "object" and len(about) != 1 else about


def _told_of(turn: Turn, view: View) -> set[int]:
    """The events that a turn names: in its program, or by its answer."""
    found = events(turn.program, view)
    if turn.answer.type == "choice" and turn.answer.value.split(":")[0] in (
        "open",
        "close",
        "motion",
        "pour",
        "turn_on",
        "turn_off",
    ):
        kind, _, id = turn.answer.value.partition(":")
        alike = ("move", "push", "drop", "knock_over") if kind == "motion" else (kind,)
        found = {e.id for e in view.facts.events if e.object == int(id) and e.kind in alike}
    return found


def test_every_pronoun_has_exactly_one_antecedent() -> None:
    """What a program points at and the words do not name is carried by one pronoun; it stands for what the turn before
    was about, or for the other of two, or for the one event that was named; and that was named before."""
    used: Counter[str] = Counter()
    for seed, q in dialogues():
        facts, camera, _ = clip(seed)
        view = View(facts, camera)
        heard: set[int] = set()
        pair: set[int] = set()
        topic: set[int] = set()
        for k, turn in enumerate(q.turns):
            text = turn.question.en
            about, said = things(turn.program, view), named(text, facts, "en")
            carried = about - said
            it, other, two = (len(re.findall(p, text, re.I)) for p in (IT, OTHER, TWO))
            assert it + other + two == (1 if carried else 0), (text, carried)
            assert carried <= heard, (text, carried, heard)
            before = q.turns[k - 1]
            if it:
                assert carried == topic and len(carried) == 1, text
            if other:
                assert len(pair) == 2 and carried == pair - topic and len(carried) == 1, text
            if two:
                assert carried == pair and len(pair) == 2, text
            if re.search(r"\bthat\b", text, re.I):
                assert k > 0 and len(_told_of(before, view)) == 1, text
                own = events(turn.program, view)
                assert not own or own == _told_of(before, view) or q.kind == "dialogue.recap", text
                used["that"] += 1
            used.update(it=it, other=other, two=two)
            assert (turn.question.zh.count("它"), turn.question.zh.count("另一个")) == (it, other), turn.question.zh
            if about or said:
                topic = _spoken_of(turn, view)
            if len(about) == 2 and turn.answer.type == "object":
                pair = about
            heard |= said | named(turn.answer.text.en, facts, "en") | about
    assert min(used[w] for w in ("it", "other", "two", "that")) >= 5, used


def test_first_turns_lean_on_nothing() -> None:
    for _, q in dialogues():
        assert not re.search(f"{IT}|{OTHER}|{TWO}", q.turns[0].question.en, re.I), q.turns[0].question.en
        assert not re.search("它|另一个", q.turns[0].question.zh)


# ---- Correction, memory, refusal -----------------------------------------------------------------


def test_what_the_user_says_is_confirmed_or_put_right() -> None:
    told: Counter[bool] = Counter()
    for seed, q in dialogues():
        facts, camera, _ = clip(seed)
        for turn in q.turns:
            if turn.program["op"] != "check":
                continue
            truth = execute(turn.program["of"], facts, camera)
            assert isinstance(truth, Value)
            right, claim = turn.answer.value
            assert claim == {"type": truth.type, "value": truth.value, "unit": truth.unit}
            assert right["value"] is (turn.program["said"] == truth.value)
            assert turn.answer.text.en.startswith("Yes. " if right["value"] else "No. ")
            assert turn.answer.text.zh.startswith("对，" if right["value"] else "不对，")
            said = turn.program["said"]
            if truth.type == "choice" and ":" in truth.value and truth.value.startswith(("in", "on")):
                place = named(turn.answer.text.en, facts, "en")
                assert int(truth.value.split(":")[1]) in place
                assert (
                    right["value"]
                    or int(said.split(":")[1]) not in place
                    or said.split(":")[1] == truth.value.split(":")[1]
                )
            told[right["value"]] += 1
    assert 0.2 < told[True] / sum(told.values()) < 0.5, told


def test_every_dialogue_corrects_and_most_remember_or_refuse() -> None:
    refuse = remember = 0
    for _, q in dialogues():
        ops = [t.program["op"] for t in q.turns]
        assert "check" in ops or q.kind == "dialogue.compare", (q.kind, ops)
        refuse += "untold" in ops
        ends = [any(nodes(t.program, "end")) or any(nodes(t.program, "after")) for t in q.turns]
        early = [any(nodes(t.program, "start")) or any(nodes(t.program, "before")) for t in q.turns]
        remember += any(e and any(ends[:i]) for i, e in enumerate(early)) or any(ends[1:])
    assert refuse > 0.3 * len(dialogues()) and remember > 0.8 * len(dialogues())


def test_what_cannot_be_told_is_refused_by_both_witnesses() -> None:
    found: Counter[str] = Counter()
    for seed, q in dialogues():
        facts, camera, viewed = clip(seed)
        for turn in q.turns:
            if turn.program["op"] == "untold":
                for witness in (facts, viewed):
                    inner = execute(turn.program["of"], witness, camera)
                    assert isinstance(inner, Refusal) and inner.reason != "ambiguous"
                found[turn.program["of"]["op"]] += 1
    assert min(found["contents"], found["where"]) > 5, found


def test_untold_refuses_what_can_be_told() -> None:
    facts, camera, _ = clip(0)
    prop = next(o for o in facts.objects if o.role == "prop" and o.unique and o.colour)
    the = {"op": "unique", "of": {"op": "filter", "label": prop.label.en, "colour": prop.colour and prop.colour.key}}
    told = {"op": "where", "object": the, "at": {"op": "start"}}
    assert isinstance(execute(told, facts, camera), Value)
    assert isinstance(execute({"op": "untold", "of": told}, facts, camera), Refusal)


# ---- The filter ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fails", "left"), [(5, 5), (4, 4), (3, None), (0, None)])
def test_a_dialogue_ends_before_its_first_turn_that_fails(fails: int, left: int | None) -> None:
    seed, q = next((s, q) for s, q in dialogues() if len(q.turns) == 6 and _holds(s, q))
    facts, camera, viewed = clip(seed)
    false = q.turns[fails].answer.model_copy(update={"value": "nonsense"})
    turns = [
        t.model_copy(update={"answer": false, "choices": None, "correct": None}) if i == fails else t
        for i, t in enumerate(q.turns)
    ]
    kept, rejected = sift([q.model_copy(update={"turns": turns})], facts, viewed, camera)
    assert [len(k.turns) for k in kept] == ([left] if left else [])
    assert [len(r.turns) for r in rejected] == ([] if left else [6])


def _holds(seed: int, q: Question) -> bool:
    facts, camera, viewed = clip(seed)
    pairs = [[execute(t.program, f, camera) for f in (facts, viewed)] for t in q.turns]
    return all(isinstance(a, Value) and isinstance(b, Value) and compare(a, b) for a, b in pairs)


# ---- Share and words -----------------------------------------------------------------------------


def test_at_most_one_dialogue_one_caption_and_one_to_correct_a_clip() -> None:
    plans: Counter[str] = Counter()
    for seed in range(CLIPS):
        facts, camera, _ = clip(seed)
        questions = ask(facts, camera, rng=np.random.default_rng(seed))
        once = [KINDS[q.kind].once for q in questions if KINDS[q.kind].once]
        assert len(set(once)) == len(once) and len(questions) <= 24
        plans.update(q.kind for q in questions if KINDS[q.kind].once)
    assert set(plans) == {name for name in KINDS if KINDS[name].once}, plans


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("family", ["dialogue", "caption"])
def test_every_block_has_three_wordings_or_more(family: str, language: str) -> None:
    prompts, other = load(), {"en": "zh", "zh": "en"}[language]
    blocks = prompts.env.get_template(f"{family}.{language}.j2").blocks
    assert set(blocks) == set(prompts.env.get_template(f"{family}.{other}.j2").blocks)
    slots = dict.fromkeys(("a", "b", "place", "which", "state", "n", "one", "two", "hinge", "kind", "text"), "x")
    for block in blocks:
        lines = prompts.wordings(family, language, block, slots)
        assert 3 <= len(set(lines)) == len(lines) <= 6, (block, lines)


def test_sentences_are_whole_in_both_languages() -> None:
    for family in ("dialogue", "caption"):
        for _, q in asked(family):
            for turn in q.turns:
                for text in (turn.question, turn.answer.text):
                    assert re.fullmatch(r"[A-Z0-9].*", text.en) and "  " not in text.en, text.en
                    assert not re.search(r"\b(a [aeiou]|an [^aeiou])|\bthe the\b|\s[,.?]|\.\.|,,", text.en), text.en
                    assert not re.search(r"[a-zA-Z,?:;]|\s|的的|时时|二[个只本把]|，，|。。|，。", text.zh), text.zh
                assert turn.question.en[-1] in ".?" and turn.question.zh[-1] in "？。", turn.question


def test_the_wordings_are_those_last_read() -> None:
    """Compares with tests/golden/dialogues.json; after a change that is meant, run tests/golden/regenerate.py."""
    from golden import regenerate

    assert regenerate.dialogues() == (Path(__file__).parent / "golden" / "dialogues.json").read_text()
