"""Rewards: a reply in the answer's own words earns all of it, a refusal nothing, and each measure is its definition."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_reply import clip, turns

from synth4d.program import Value
from synth4d.program.reward import MRA, f1, mra, reward, reward_of, rounding, score
from synth4d.records import Answer, Text, Turn


def turn(value: Value) -> Turn:
    text = Text(en="-", zh="-")
    answer = Answer(type=value.type, value=value.value, unit=value.unit, text=text)
    return Turn(question=text, answer=answer, program={}, reward=reward_of(value))


def test_an_answer_s_own_words_earn_all_of_it_in_both_languages() -> None:
    for facts, _, t in turns():
        value = Value(t.answer.type, t.answer.value, t.answer.unit)
        for stored in (t, t.model_copy(update={"reward": reward_of(value)})):
            if t.program["op"] == "order" or "order" in t.program["op"]:
                stored = t  # the program says that the order counts
            for text in (t.answer.text.en, t.answer.text.zh):
                assert reward(stored, text, facts) == pytest.approx(1.0), (text, t.answer)
        assert reward(t, "", facts) == 0.0
        for text in ("I can't tell", "无法判断"):
            # To say so is right where the video does not show it.
            assert reward(t, text, facts) == (1.0 if t.answer.value == "untold" else 0.0)


def test_wrong_choices_earn_nothing() -> None:
    for facts, _, t in turns():
        for i, choice in enumerate(t.choices or []):
            if i != t.correct and t.answer.type != "objects" and t.answer.type != "number":
                assert reward(t, choice.en, facts) == reward(t, choice.zh, facts) == 0.0


# ---- Numbers -------------------------------------------------------------------------------------


def test_the_thresholds_are_those_of_vsi_bench() -> None:
    assert tuple(round(0.5 + 0.05 * i, 2) for i in range(10)) == MRA


@given(right=st.floats(0.05, 100), factor=st.floats(0, 3))
def test_mra_is_the_share_of_thresholds_met(right: float, factor: float) -> None:
    """By counting: ten thresholds, each met or not; borders are left out, where rounding decides."""
    error = abs(factor - 1)
    if all(abs(error - (1 - theta)) > 1e-6 for theta in MRA):
        met = np.floor((1 - error - 0.5) / 0.05 + 1e-12) + 1
        assert mra(right * factor, right) == pytest.approx(np.clip(met, 0, 10) / 10)


def test_mra_at_zero_and_within_what_rounding_loses() -> None:
    assert mra(0.0, 0.0) == 1.0 and mra(0.1, 0.0) == 0.0 and mra(0.04, 0.0, 0.05) == 1.0
    facts = clip(0)[0]
    for value, unit, text in (
        (0.846, "m", "0.85 m"),
        (4.4, "deg", "4 degrees"),
        (0.54, "s", "0.5秒"),
        (8.24, "cm", "8.2厘米"),
    ):
        t = turn(Value("number", value, unit))  # type: ignore[arg-type]
        assert reward(t, text, facts) == 1.0
    t = turn(Value("number", 2.0, "m"))
    assert reward(t, "2.4 m", facts) == pytest.approx(0.7) and reward(t, "4 m", facts) == 0.0
    assert reward(t, "200 cm", facts) == 1.0 and reward(t, "2 s", facts) == 0.0
    assert rounding(0.5, "m") == pytest.approx(0.005) and rounding(1.5, "m") == pytest.approx(0.05)
    assert rounding(37.0, "deg") == 0.5


# ---- Sets and orders -----------------------------------------------------------------------------


def test_sets_by_f1_and_orders_by_pairs() -> None:
    assert f1([1, 2], [2, 3]) == pytest.approx(0.5) and f1([], []) == 1.0 and f1([], [1]) == 0.0
    how = reward_of(Value("objects", [1, 2, 3], ordered=True))
    right = Value("objects", [1, 2, 3], ordered=True)
    for said in permutations([1, 2, 3]):
        kept = sum(said.index(a) < said.index(b) for a, b in ((1, 2), (1, 3), (2, 3)))
        assert score(Value("objects", list(said), ordered=True), right, how) == pytest.approx(kept / 3)
    assert score(Value("objects", [1, 2], ordered=True), right, how) == pytest.approx(0.5)


# ---- Where and when ------------------------------------------------------------------------------


@given(a=st.tuples(st.floats(0, 10), st.floats(0.1, 5)), b=st.tuples(st.floats(0, 10), st.floats(0.1, 5)))
def test_intervals_by_iou_on_a_grid(a: tuple[float, float], b: tuple[float, float]) -> None:
    x, y = [a[0], a[0] + a[1]], [b[0], b[0] + b[1]]
    grid = np.linspace(0, 16, 16001)
    both = ((grid >= x[0]) & (grid <= x[1]), (grid >= y[0]) & (grid <= y[1]))
    counted = (both[0] & both[1]).sum() / (both[0] | both[1]).sum()
    value = Value("interval", y, "s")
    found = score(Value("interval", x, "s"), value, reward_of(value))
    assert found == pytest.approx(counted, abs=0.03) or (found == 1.0 and max(map(abs, np.subtract(x, y))) < 0.051)


def test_boxes_points_and_poses() -> None:
    facts = clip(0)[0]
    box = turn(Value("box2d", [0.0, 0.0, 10.0, 10.0], "px"))
    assert reward(box, "[0, 0, 10, 10]", facts) == 1.0 and reward(box, "[5, 0, 15, 10]", facts) == pytest.approx(1 / 3)
    assert reward(box, "[10, 10, 0, 0]", facts) == reward(box, "[0, 0]", facts) == 0.0
    point = turn(Value("point2d", [100.0, 50.0], "px"))
    assert reward(point, "(105, 44)", facts) == 1.0 and reward(point, "(110, 50)", facts) == 0.0
    value: dict[str, Any] = {"center": [0.0, 0.0, 0.0], "size": [1.0, 1.0, 1.0], "quat_wxyz": [1.0, 0.0, 0.0, 0.0]}
    box3d = turn(Value("box3d", value))
    shifted = '{"center": [0.5, 0, 0], "size": [1, 1, 1], "quat_wxyz": [1, 0, 0, 0]}'
    assert reward(box3d, shifted, facts) == pytest.approx(1 / 3, abs=1e-6)
    assert reward(box3d, shifted.replace("1, 1, 1", "0, 1, 1"), facts) == 0.0
    pose = turn(Value("pose", [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]))
    assert reward(pose, "[0.05, 0, 1, 2, 0, 0, 0]", facts) == 1.0, "a quaternion of any length"
    assert reward(pose, "[0.2, 0, 1, 1, 0, 0, 0]", facts) == reward(pose, "[0, 0, 1, 0, 0, 0, 0]", facts) == 0.0
    assert reward(pose, "[0, 0, 1, 0.9, 0.436, 0, 0]", facts) == 0.0, "turned by 52 degrees"


@given(text=st.text(max_size=40))
def test_every_reward_lies_between_0_and_1(text: str) -> None:
    facts, _, asked = clip(0)
    assert all(0.0 <= reward(q.turns[0], text, facts) <= 1.0 for q in asked[:8])
