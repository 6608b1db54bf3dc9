"""The blind probe: finds what can be guessed from text, drops it until it can't, and says what it found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from synth4d.filter import blind, blind_model, prune
from synth4d.filter.blind import Asked, Row
from synth4d.filter.guess import features, numeric_rank, words
from synth4d.llm import Answer, Call, Outcome, Rejected, hold

PLACES = ("on the counter", "in the drawer", "on the shelf", "in the sink")


def where(n: int, rng: np.random.Generator, usual: float, kind: str = "state.where") -> list[Asked]:
    """Questions of as many layouts, four each, of which a share is answered by the first place."""
    pool = []
    for i in range(n):
        order = rng.permutation(4)
        right = 0 if rng.random() < usual else int(rng.integers(1, 4))
        options = tuple(PLACES[k] for k in order)
        said = PLACES[right]
        pool.append(
            Asked(
                f"q{i:04d}", f"room/{i // 4}", kind, "options", "Where is the mug?", options, options.index(said), said
            )
        )
    return pool


def row(pool: list[Asked], seed: int = 3) -> Row:
    return blind.measure(pool, blind.by_words(seed))[0]


def fair(seed: int = 0, n: int = 400) -> list[Asked]:
    return where(n, np.random.default_rng(seed), 0.25)


# ---- Finding -------------------------------------------------------------------------------------


def test_a_usual_answer_is_guessed_as_often_as_it_is_usual() -> None:
    found = row(where(400, np.random.default_rng(0), 0.8))
    assert found.chance == 0.25 and found.guessed == pytest.approx(0.8, abs=0.06) and found.leaks


def test_what_says_nothing_is_guessed_by_chance() -> None:
    found = [row(fair(seed), seed) for seed in range(8)]
    assert sum(r.leaks for r in found) <= 1
    assert np.mean([r.guessed for r in found]) == pytest.approx(0.25, abs=0.03)


def test_ties_are_shared() -> None:
    """With nothing to learn from, a guess is worth the chance, not the luck of an order."""
    pool = []
    for i in range(40):
        name = chr(97 + i // 26) + chr(97 + i % 26)
        pool.append(Asked(f"q{i}", f"l{i}", "k", "options", "?", (f"x{name}", f"y{name}"), i % 2, ""))
    # Only the letter is common to all; the fold's own letters are the rarer ones among the others.
    assert row(pool).guessed < 0.6


@pytest.mark.parametrize("leak", ["letter", "rank", "words", "pair"])
def test_every_sort_of_leak_is_seen(leak: str) -> None:
    rng, pool = np.random.default_rng(1), []
    for i in range(240):
        values = sorted(rng.uniform(1, 9, 4).round(2))
        asked = "mug" if rng.random() < 0.5 else "bowl"
        order = rng.permutation(4)
        options = [f"{values[k]} m" for k in order] if leak == "rank" else [f"the {w}" for w in "abcd"]
        right = 2
        if leak == "rank":
            right = list(order).index(1)
        elif leak == "words":
            options = [options[k] for k in order]
            right = options.index("the b")
        elif leak == "pair":
            options = [options[k] for k in order]
            right = options.index("the a" if asked == "mug" else "the d")
        question = f"How far is the {asked}?"
        pool.append(Asked(f"q{i}", f"l{i // 3}", "k", "options", question, tuple(options), right, ""))
    assert row(pool).guessed > 0.9


def test_twins_stay_in_one_fold() -> None:
    """What is known of one layout only helps nobody who has not seen that layout."""
    rng, pool = np.random.default_rng(2), []
    for room in range(60):
        right = int(rng.integers(4))
        for i in range(4):
            text = f"Where is it in room {'abcdefghij'[room // 10] * 3}{'abcdefghij'[room % 10] * 3}?"
            pool.append(Asked(f"q{room}-{i}", f"room/{room}", "k", "options", text, PLACES, right, ""))
    assert not row(pool).leaks
    parted = [Asked(a.id, a.id, a.kind, a.form, a.question, a.options, a.right, a.said) for a in pool]
    assert row(parted).guessed > 0.5


def test_open_answers_are_guessed_among_the_usual_ones() -> None:
    rng = np.random.default_rng(3)
    said = ["2" if rng.random() < 0.6 else str(rng.integers(3, 6)) for _ in range(100)]
    pool = [Asked(f"q{i}", f"l{i // 3}", "space.count", "open", "How many?", (), -1, s) for i, s in enumerate(said)]
    found = row(pool)
    assert found.chance == 0.25 and found.guessed == pytest.approx(0.6, abs=0.07)
    left = [a for a in pool if a.id not in prune.prune(pool, seed=1, gap=0.03, folds=5, least=20)]
    assert row(left).guessed <= prune.OPEN_SHARE + 0.05


def test_a_linear_classifier_finds_no_more() -> None:
    """scikit-learn's logistic regression on the same features, as an independent guesser."""
    linear = pytest.importorskip("sklearn.linear_model")
    vectors = pytest.importorskip("sklearn.feature_extraction")
    for usual in (0.25, 0.5, 0.8):
        pool = where(400, np.random.default_rng(4), usual)
        items = blind.guessable(pool)
        folds = np.repeat([blind.deals({i.layout for i in items}, 5, 3)[0][i.layout] for i in items], 4)
        X = vectors.DictVectorizer().fit_transform([dict.fromkeys(f, 1) for i in items for f in features(i)])
        y = np.array([place == i.right for i in items for place in range(4)])
        score = np.zeros(len(y))
        for fold in range(5):
            model = linear.LogisticRegression(C=0.1, max_iter=400).fit(X[folds != fold], y[folds != fold])
            score[folds == fold] = model.decision_function(X[folds == fold])
        guessed = np.mean(score.reshape(-1, 4).argmax(1) == [i.right for i in items])
        assert row(pool).guessed >= guessed - 0.04


# ---- Dropping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("usual", [0.4, 0.6, 0.9])
def test_pruning_ends_within_the_gap(usual: float) -> None:
    pool = where(600, np.random.default_rng(5), usual)
    dropped = prune.prune(pool, seed=1, gap=0.03, folds=5, least=20)
    left = [a for a in pool if a.id not in dropped]
    assert dropped and set(dropped) < {a.id for a in pool}
    assert all(
        r.gap <= 0.03 + 0.3 / r.n**0.5 for r in blind.measure(left, blind.by_words(99))
    )  # half of a standard error
    assert all(reason.startswith("blind: ") for reason in dropped.values())
    # Most of what is dropped is the usual answer, as it should be.
    assert sum(a.said == PLACES[0] for a in pool if a.id in dropped) > 0.9 * len(dropped)


def test_without_evidence_nothing_is_dropped() -> None:
    assert sum(len(prune.prune(fair(s), seed=1, gap=0.03, folds=5, least=20)) for s in range(6)) < 0.01 * 6 * 400
    few = where(16, np.random.default_rng(0), 1.0)
    assert prune.prune(few, seed=1, gap=0.03, folds=5, least=20) == {}
    one = [Asked(a.id, "one", a.kind, a.form, a.question, a.options, a.right, a.said) for a in fair()]
    assert prune.prune(one, seed=1, gap=0.03, folds=5, least=20) == {}


def test_a_larger_gap_drops_fewer() -> None:
    pool = where(400, np.random.default_rng(6), 0.7)
    counts = [len(prune.prune(pool, seed=1, gap=gap, folds=5, least=20)) for gap in (0.03, 0.1, 0.3, 0.5)]
    assert counts == sorted(counts, reverse=True) and counts[-1] == 0


def test_order_and_hash_seed_change_nothing(tmp_path: Path) -> None:
    pool = where(200, np.random.default_rng(7), 0.8)
    shuffled = [pool[i] for i in np.random.default_rng(1).permutation(len(pool))]
    assert prune.prune(pool, seed=1, gap=0.03, folds=5, least=20) == prune.prune(
        shuffled, seed=1, gap=0.03, folds=5, least=20
    )
    script = (
        "import numpy as np, test_blind as t; from synth4d.filter import prune;"
        "print(sorted(prune.prune(t.where(200, np.random.default_rng(7), 0.8), seed=1, gap=.03, folds=5, least=20)))"
    )
    said = set()
    for seed in ("1", "2"):
        env = os.environ | {
            "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        }  # fmt: skip
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1


# ---- By a model ----------------------------------------------------------------------------------


def test_a_model_is_shown_words_only_and_scored_by_its_choices() -> None:
    pool = where(30, np.random.default_rng(8), 0.8)
    calls: list[Call[Any]] = []

    def ask(some: Sequence[Call[Any]]) -> list[Outcome[Any]]:
        calls.extend(some)
        replies = [blind_model.Guesses(options=_counter(call.messages[1]["content"])) for call in some]
        for call, reply in zip(some, replies, strict=True):
            assert call.check is not None
            call.check(reply)
        return [Answer(reply, "key") for reply in replies[:-1]] + [Rejected("it would not", (), ())]

    found = blind.measure(pool, lambda items: [[g] for g in hold([blind_model.guess(items)], ask)[0]])[0]
    sure, chance = 24, 6 / 4  # of the last six, whose reply was rejected, chance
    right = sum(a.options[a.right] == PLACES[0] for a in pool[:sure])
    assert found.guessed == pytest.approx((right + chance) / 30)
    assert "Where is the mug?" in calls[0].messages[1]["content"] and len(calls) == 2 * 3
    with pytest.raises(ValueError, match="questions"):
        calls[0].check and calls[0].check(blind_model.Guesses(options=[1]))


def _counter(said: str) -> list[int]:
    blocks = said.split("\n\n")
    return [int(next(ln for ln in b.splitlines() if PLACES[0] in ln).split(".")[0]) for b in blocks]


# ---- Words and numbers ---------------------------------------------------------------------------


def test_words_and_ranks() -> None:
    assert words("How far is the red mug at 2.5 s?") == ["how", "far", "is", "the", "red", "mug", "at", "#", "#", "s"]
    assert words("马克杯在哪里？") == list("马克杯在哪里")
    assert [numeric_rank(["0.9 m", "12 m", "3.1 m"], i) for i in range(3)] == [0, 2, 1]
    assert numeric_rank(["0.9 m", "the mug"], 0) is None and numeric_rank(["-3%", "2%"], 1) == 1


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 10), (250, 1000), (7, 7)])
def test_the_interval_is_wilson_s(k: int, n: int) -> None:
    theirs = binomtest(k, n).proportion_ci(method="wilson")
    assert blind.interval(k / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-4)
