"""The template author: true, answerable, balanced, worded in two languages, the same on every machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from facts_maker import T, kitchen

from synth4d.ask import CHANGE, KINDS, ask
from synth4d.ask.choices import APART, options
from synth4d.ask.kinds import Pool
from synth4d.ask.make import answered
from synth4d.ask.stock import Stock
from synth4d.ask.template import LANGUAGES, Prompts, load, prompts_folder
from synth4d.errors import ConfigError
from synth4d.program import Value, View, answer, execute, parse
from synth4d.program.view import number
from synth4d.records import CameraRecord, Facts, Label, Question, dump

GOLDEN = Path(__file__).parent / "golden" / "questions.json"
SORTS = ("dynamic", "dynamic", "twin", "static", "dynamic", "control")
CLIPS = 24
ABSENT = [
    ("teapot", Label(en="teapot", zh="茶壶", measure="把", plural="teapots")),
    ("mug", Label(en="mug", zh="马克杯", measure="个", plural="mugs")),
    ("spoon", Label(en="spoon", zh="勺子", measure="把", plural="spoons")),
]


@cache
def clip(seed: int) -> tuple[Facts, CameraRecord, Facts]:
    return kitchen(seed, SORTS[seed % len(SORTS)])


SINGLE = {name: kind for name, kind in KINDS.items() if kind.talks is None}
"""Kinds of one turn; those of several are tested in test_dialogue.py and test_caption.py."""


@cache
def asked(seed: int) -> tuple[Question, ...]:
    facts, camera, _ = clip(seed)
    questions = ask(facts, camera, rng=np.random.default_rng(seed), total=40, absent=ABSENT)
    return tuple(q for q in questions if q.kind in SINGLE)


def everything(clips: int = CLIPS) -> list[tuple[int, Question]]:
    return [(seed, q) for seed in range(clips) for q in asked(seed)]


# ---- True and answerable -------------------------------------------------------------------------


def test_every_answer_is_its_program_s() -> None:
    for seed, q in everything():
        facts, camera, _ = clip(seed)
        (turn,) = q.turns
        value = execute(parse(turn.program), facts, camera)
        assert isinstance(value, Value) and answer(value, facts) == turn.answer
        assert Question.model_validate_json(dump(q)) == q
        assert q.family == KINDS[q.kind].family and q.kind.startswith(q.family)


def test_evidence_shows_what_is_asked_about() -> None:
    for seed, q in everything():
        facts, camera, _ = clip(seed)
        view = View(facts, camera)
        frames = q.evidence.frames
        assert frames and sorted(set(frames)) == frames and frames[0] >= 0 and frames[-1] < T
        assert set(q.evidence.objects) <= set(view.askable)
        untold = q.turns[0].answer.value == "untold"
        if q.kind not in ("change.inside_now", "change.hidden_where") and not untold:
            about = [id for id in q.evidence.objects if any(view.clear(id, f) for f in frames)]
            assert about or not q.evidence.objects, (q.kind, q.turns[0].question.en)


def test_a_viewer_mostly_agrees() -> None:
    """The pixels of these facts are nearly the world's, so few questions may be lost on them."""
    lost = Counter(
        q.kind for seed, q in everything()
        if not isinstance(execute(q.turns[0].program, clip(seed)[2], clip(seed)[1]), Value)
    )  # fmt: skip
    assert sum(lost.values()) < 0.05 * len(everything())


def test_the_drawer_s_contents_are_asked_for_after_it_closed() -> None:
    hidden = [(seed, q) for seed, q in everything() if q.kind == "change.inside_now"]
    assert hidden
    for seed, q in hidden:
        facts, _, _ = clip(seed)
        for id in q.turns[0].answer.value:
            thing = next(o for o in facts.objects if o.id == id)
            assert thing.pixels[-1] == 0 and max(thing.pixels) > 0


# ---- Spread and balance --------------------------------------------------------------------------


def test_dynamic_clips_ask_of_change_and_all_kinds_appear() -> None:
    assert len(KINDS) >= 40
    for seed in range(CLIPS):
        facts, questions = clip(seed)[0], asked(seed)
        if facts.kind in ("dynamic", "twin"):
            assert sum(q.family in CHANGE for q in questions) * 3 >= 2 * len(questions)
        kinds = Counter(q.kind for q in questions)
        assert max(kinds.values()) <= 7 and len(kinds) >= 7
    # The rarest kinds fit few clips, and forty questions are of half the kinds: some are asked of each kind until all
    # are seen.
    missing = set(SINGLE) - {q.kind for _, q in everything()}
    quotas = dict.fromkeys(KINDS, 0) | dict.fromkeys(SINGLE, 2)
    for again, seed in product(range(1, 4), range(CLIPS)):
        if missing:
            facts, camera, _ = clip(seed)
            rng = np.random.default_rng([seed, again])
            missing -= {q.kind for q in ask(facts, camera, rng=rng, total=400, quotas=quotas)}
    assert not missing


def test_control_clips_say_that_nothing_changed() -> None:
    """A false premise comes up in every fourth of these clips, so each is asked four times."""
    still = [(s, again) for s in range(CLIPS) if clip(s)[0].kind in ("static", "control") for again in range(4)]
    said = set()
    for seed, again in still:
        facts, camera, _ = clip(seed)
        for q in ask(facts, camera, rng=np.random.default_rng([seed, again]), total=40, absent=ABSENT):
            if q.kind == "change.what":
                assert q.turns[0].answer.text.en == "Nothing"
            if q.kind == "change.which_way":
                assert q.turns[0].answer.value == "still"
            if q.family in ("time", "cause"):
                assert q.turns[0].answer.value == "did_not"
            said.add(q.kind)
    assert {"change.what", "change.anything", "time.third", "change.moved_to"} <= said


def test_yes_and_no_are_even() -> None:
    for seed in range(CLIPS):
        for kind, questions in _by_kind(asked(seed)).items():
            if KINDS[kind].paired:
                answers = Counter(str(q.turns[0].answer.value) for q in questions)
                assert len(questions) % 2 == 0 and max(answers.values()) <= len(questions) / 2
    answers = Counter(q.turns[0].answer.value for _, q in everything() if q.turns[0].answer.type == "bool")
    assert sum(answers.values()) > 140
    assert 0.45 <= answers[True] / sum(answers.values()) <= 0.55


def _by_kind(questions: tuple[Question, ...]) -> dict[str, list[Question]]:
    found: dict[str, list[Question]] = {}
    for q in questions:
        found.setdefault(q.kind, []).append(q)
    return found


def test_no_two_questions_of_a_clip_are_alike() -> None:
    for seed in range(CLIPS):
        ids = [q.id for q in asked(seed)]
        assert len(set(ids)) == len(ids) and all(re.fullmatch("[0-9a-f]{16}", i) for i in ids)
        for kind, questions in _by_kind(asked(seed)).items():
            if kind in ("space.exists", "change.anything"):
                continue
            about = [(sorted(q.evidence.objects), q.turns[0].answer.text.en, q.turns[0].question.en) for q in questions]
            assert len({str(a) for a in about}) == len(about)


def test_nothing_is_asked_twice_of_the_same_things_however_many_are_wanted() -> None:
    for seed in range(3):
        facts, camera, _ = clip(seed)
        questions = ask(facts, camera, rng=np.random.default_rng(seed), total=300, quotas=dict.fromkeys(SINGLE, 30))
        assert len({(q.kind, str(q.turns[0].program)) for q in questions}) == len(questions)
        single = [
            (q.kind, tuple(q.evidence.objects), q.turns[0].answer.text.en if q.family in CHANGE else "")
            for q in questions
            if not KINDS[q.kind].paired and q.evidence.objects  # others are about moments, and differ by their programs
        ]
        assert [k for k, n in Counter(single).items() if n > 1] == []


def test_total_and_quotas_are_caps() -> None:
    facts, camera, _ = clip(0)
    quotas = dict.fromkeys(KINDS, 0) | {"space.distance": 3, "state.where": 1}
    questions = ask(facts, camera, rng=np.random.default_rng(0), total=30, quotas=quotas)
    assert Counter(q.kind for q in questions) <= Counter(quotas)
    assert ask(facts, camera, rng=np.random.default_rng(0), total=0) == []
    for total in (1, 7, 24):
        assert len(ask(facts, camera, rng=np.random.default_rng(0), total=total)) <= total


def test_difficulty_is_a_share_and_differs() -> None:
    scores = [q.difficulty for _, q in everything()]
    assert 0 <= min(scores) < 0.3 and 0.5 < max(scores) <= 1


# ---- Choices -------------------------------------------------------------------------------------


def test_letters_and_ranks_are_even_over_2000_choice_questions() -> None:
    """All kinds' answered drafts of twelve clips, given options again and again."""
    letters: Counter[int] = Counter()
    ranks: Counter[int] = Counter()
    for seed in range(12):
        facts, camera, _ = clip(seed)
        rng = np.random.default_rng([seed, 1])
        stock = Stock(View(facts, camera), rng, load())
        for kind in KINDS.values():
            for done in [d for d in answered(kind, stock) if d.draft.pool is not None][:6]:
                for _ in range(10):
                    found = options(done.value, done.draft.pool, facts, rng)  # type: ignore[arg-type]
                    if found is None:
                        continue
                    choices, place = found
                    assert choices[place] == answer(done.value, facts).text and 2 <= len(choices) <= 5
                    for language in LANGUAGES:
                        assert len({getattr(c, language) for c in choices}) == len(choices)
                    if len(choices) == 4:
                        letters[place] += 1
                        if done.value.type == "number":
                            said = [_first_number(c.en) for c in choices]
                            ranks[sorted(said).index(said[place])] += 1
    assert sum(letters.values()) >= 2000 and sum(ranks.values()) >= 500
    assert all(0.22 <= letters[i] / sum(letters.values()) <= 0.28 for i in range(4)), letters
    assert all(0.2 <= ranks[i] / sum(ranks.values()) <= 0.3 for i in range(4)), ranks


def _first_number(text: str) -> float:
    found = re.match(r"[\d.]+", text)
    assert found
    return float(found.group())


def test_options_go_with_half_of_the_questions_that_can_have_them() -> None:
    with_options = 0
    for _, q in everything():
        (turn,) = q.turns
        assert (turn.choices is None) == (turn.correct is None)
        if turn.choices is not None and turn.correct is not None:
            assert turn.choices[turn.correct] == turn.answer.text
            with_options += 1
    assert 0.15 < with_options / len(everything()) < 0.5


@pytest.mark.parametrize(
    ("unit", "low", "high", "most"),
    [("m", 0.2, 4.0, 8.0), ("cm", 4.0, 60.0, 150.0), ("deg", 15.0, 90.0, 120.0), ("s", 0.5, 4.0, 6.0)],
)
def test_ranks_of_numbers_are_even_and_wrong_ones_stand_apart(unit: str, low: float, high: float, most: float) -> None:
    facts, rng = clip(0)[0], np.random.default_rng(5)
    ranks: Counter[int] = Counter()
    letters: Counter[int] = Counter()
    for _ in range(4000):
        value = number(float(rng.uniform(low, high)), unit)  # type: ignore[arg-type]
        found = options(value, Pool(most=most), facts, rng)
        if found is None:
            continue
        texts, place = found
        said = [_first_number(t.en) for t in texts]
        ranks[sorted(said).index(said[place])] += 1
        letters[place] += 1
        ordered = sorted(said)
        assert len(texts) == 4 and ordered[0] > 0 and ordered[-1] <= most * 1.01
        assert all(b >= APART * a - 1e-6 for a, b in pairwise(ordered))
        assert [t.en for t in texts].count(texts[place].en) == 1
    total = sum(ranks.values())
    assert total > 1000
    assert all(0.22 <= count / total <= 0.28 for counts in (ranks, letters) for count in counts.values()), (
        ranks,
        letters,
    )


def test_numbers_that_could_not_have_every_rank_get_no_options() -> None:
    facts, rng = clip(0)[0], np.random.default_rng(5)
    assert all(options(number(0.3, "m"), Pool(least=0.2, most=8.0), facts, rng) is None for _ in range(50))
    assert all(options(number(7.9, "m"), Pool(most=8.0), facts, rng) is None for _ in range(50))
    assert options(number(50, "%"), Pool(), facts, rng) is None


# ---- Words ---------------------------------------------------------------------------------------


def test_sentences_are_whole_in_both_languages() -> None:
    full = "\uff0c\uff1f\uff1a\u3002"
    for _, q in everything():
        for turn in q.turns:
            en, zh = turn.question.en, _plain(turn.question.zh)
            assert re.fullmatch(r"[A-Z0-9].*[.?]", en) and "  " not in en, en
            assert not re.search(r"\b(a [aeiou]|an [^aeiou])", en), en
            assert not re.search(r"\bthe the\b|\bat at\b|\s[,.?]", en), en
            assert zh[-1] in full and not re.search(r"[a-zA-Z,?:;]|\s|的的|时时|二[个只本把]", zh), zh
            for text in (turn.answer.text, *(turn.choices or [])):
                assert text.en and text.zh and not re.search(r"[a-zA-Z,?:;\s]", _plain(text.zh)), text


def _plain(zh: str) -> str:
    """A Chinese sentence without its coordinates, [12, 34], and without the names of axes."""
    zh = re.sub(r"\[[^\]]*\]", "", zh)
    return re.sub(r"OpenCV|wxyz|x0, y0, x1, y1|x, y|[xyz](?=[向轴])", "", zh)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_four_wordings_or_more(language: str) -> None:
    prompts = load()
    seen: dict[str, set[str]] = {}
    for name, kind in SINGLE.items():
        family, _, block = name.partition(".")
        template = prompts.env.get_template(f"{family}.{language}.j2")
        assert block in template.blocks, name
        for seed in range(60):
            if name in seen:
                break
            facts, camera, _ = clip(seed % CLIPS)
            stock = Stock(View(facts, camera), np.random.default_rng(seed), prompts, ABSENT)
            for draft in kind.drafts(stock):
                slots = {k: v if isinstance(v, str) else getattr(v, language) for k, v in draft.slots.items()}
                seen[name] = set(prompts.wordings(family, language, block, slots))
                break
    assert {name: len(lines) for name, lines in seen.items() if not 4 <= len(lines) <= 8} == {}
    assert set(seen) == set(SINGLE)


def test_labels_are_data(tmp_path: Path) -> None:
    facts, camera, _ = clip(0)
    evil = Label(en="mug {{ 7 * 7 }}\n{% raw %}", zh="杯子{{ a }}\n第二行", measure="个", plural="x")
    objects = [o.model_copy(update={"label": evil}) if o.category == "kettle" else o for o in facts.objects]
    hostile = facts.model_copy(update={"objects": objects})
    questions = ask(hostile, camera, rng=np.random.default_rng(0), total=40)
    text = [t for q in questions for t in (q.turns[0].question.en, q.turns[0].question.zh)]
    assert any("{{ 7 * 7 }}" in t for t in text) and not any("49" in t or "\n" in t for t in text)


def test_a_missing_template_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no question templates"):
        Prompts(tmp_path)
    for name in ("when", "space"):
        for language in LANGUAGES:
            source = (prompts_folder() / f"{name}.{language}.j2").read_text()
            (tmp_path / f"{name}.{language}.j2").write_text(source.replace("{% block size %}", "{% block sise %}"))
    with pytest.raises(ConfigError, match="no block size"):
        Prompts(tmp_path).wordings("space", "en", "size", {})


def test_the_author_is_the_prompts_hash(tmp_path: Path) -> None:
    for file in prompts_folder().glob("*.j2"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert Prompts(tmp_path).hash == load().hash == asked(0)[0].author.partition("@")[2]
    (tmp_path / "space.en.j2").write_text((tmp_path / "space.en.j2").read_text() + "\n")
    assert Prompts(tmp_path).hash != load().hash


# ---- The same everywhere -------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    script = (
        "import numpy as np, hashlib, facts_maker as m; from synth4d.ask import ask; from synth4d.records import dump;"
        "f, c, _ = m.kitchen(3); print(hashlib.sha256(dump(ask(f, c, rng=np.random.default_rng(3)))).hexdigest())"
    )
    digests = set()
    for seed in ("1", "2"):
        env = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        }
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1


def test_the_wordings_are_those_last_read() -> None:
    """Compares with tests/golden/questions.json; after a change that is meant, run tests/golden/regenerate.py."""
    from golden import regenerate

    assert regenerate.questions() == GOLDEN.read_text()
