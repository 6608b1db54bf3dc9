"""Free replies are read as the values they say, in both languages; what says nothing, or two things, is none."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from facts_maker import kitchen
from hypothesis import given, settings
from hypothesis import strategies as st

from synth4d.ask import ask
from synth4d.program import Value
from synth4d.program.names import Names, plain
from synth4d.program.numerals import numbers
from synth4d.program.reply import Unread, read
from synth4d.records import Answer, Facts, Question, Text, Turn

CLIPS = 8


@cache
def clip(seed: int) -> tuple[Facts, Names, tuple[Question, ...]]:
    facts, camera, _ = kitchen(seed)
    return facts, Names(facts), tuple(ask(facts, camera, rng=np.random.default_rng(seed), total=40))


def turns() -> list[tuple[Facts, Names, Turn]]:
    return [(facts, names, q.turns[0]) for facts, names, asked in map(clip, range(CLIPS)) for q in asked]


def turn(type: str, value: Any, unit: Any = None, choices: list[Text] | None = None) -> Turn:
    """A turn with an answer whose own words are never what is read."""
    answer = Answer.model_validate({"type": type, "value": value, "unit": unit, "text": {"en": "-", "zh": "-"}})
    return Turn(question=Text(en="?", zh="?"), answer=answer, choices=choices, correct=choices and 1, program={})


def said(text: str, of: Turn, facts: Facts | None = None) -> Any:
    found = read(text, of, facts or clip(0)[0])
    return found.value if isinstance(found, Value) else found.reason


# ---- What is worded is read back -----------------------------------------------------------------


def test_worded_answers_are_read_back_in_both_languages() -> None:
    """Numbers within what rounding loses; with the words of choices, objects and lists changed a little."""
    for facts, names, t in turns():
        free = t.model_copy(update={"choices": None, "correct": None})
        for text in (t.answer.text.en, t.answer.text.zh):
            for worded in (text, f" {text}。", f"**{text}**", f"The answer is: {text}.", f"答案是：{text}"):
                value = read(worded, free, facts, names)
                assert isinstance(value, Value), (worded, t.answer)
                assert (value.type, value.unit) == (t.answer.type, t.answer.unit)
                if t.answer.type == "text":
                    assert value.value and value.value in plain(text).lower()  # words stay words
                else:
                    assert _close(value.value, t.answer.value), (worded, value.value, t.answer.value)


def _close(a: Any, b: Any) -> bool:
    if isinstance(b, float):
        return abs(a - b) <= max(0.51 if b > 5 else 0.051, 0.006)
    if isinstance(b, list) and b and isinstance(b[0], float):
        return all(abs(x - y) <= 0.051 for x, y in zip(a, b, strict=True))
    return bool(a == b)


def test_choices_are_picked_by_letter_and_by_words() -> None:
    seen = 0
    for facts, names, t in turns():
        if t.choices is None:
            continue
        seen += 1
        for i, choice in enumerate(t.choices):
            letter = chr(ord("A") + i)
            by_letter = read(f"({letter})", t, facts, names)
            ways = (
                f"{letter}.",
                f"{letter}",
                f"Answer: {letter}",
                f"（{letter}）",
                f"选{letter}",
                f"{letter}. {choice.en}",
                f"\\boxed{{{letter}}}",
                f"The answer is ({letter}).",
                choice.en,
                choice.zh,
            )
            assert all(read(way, t, facts, names) == by_letter for way in ways), (choice, by_letter)
            right = isinstance(by_letter, Value) and by_letter.value == t.answer.value
            assert right == (i == t.correct)
        assert said("Z", t, facts) == "no answer"
        other = t.choices[(t.correct or 0) - 1]
        assert said(f"{'ABCDE'[t.correct or 0]}. {other.en}", t, facts) == "no answer"
    assert seen > 50


# ---- Numbers -------------------------------------------------------------------------------------

TEENS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
WORDS = TEENS.split()
TENS = ["", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def english(n: int) -> str:
    if n < 20:
        return WORDS[n]
    if n < 100:
        return TENS[n // 10 - 1] + (f"-{WORDS[n % 10]}" if n % 10 else "")
    rest = f" and {english(n % 100)}" if n % 100 else ""
    return f"{english(n // 100)} hundred{rest}" if n < 1000 else f"{english(n // 1000)} thousand {english(n % 1000)}"


def chinese(n: int) -> str:
    """As numbers are written: 十二, 一百零五, 两千零三十."""
    out, zero = "", False
    for power, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = n // power % 10
        if digit:
            out += ("零" if zero and out else "") + "零一二三四五六七八九"[digit] + name
        zero = not digit
    out = out or "零"
    return out[1:] if out.startswith("一十") else out


@given(n=st.integers(0, 9999), unit=st.sampled_from(["m", "cm", "s", "deg", "%"]))
@settings(deadline=None)
def test_number_words_are_read_as_numbers(n: int, unit: str) -> None:
    en = {"m": "metres", "cm": "centimetres", "s": "seconds", "deg": "degrees", "%": "percent"}[unit]
    zh = {"m": "米", "cm": "厘米", "s": "秒", "deg": "度", "%": "%"}[unit]
    texts = [f"{n} {en}", f"{n}{zh}", f"{n:,}{zh}", f"{chinese(n)}{zh}"]
    texts += [f"about {english(n)} {en}"] if n % 1000 or n < 1000 else []
    for text in texts:
        (found,) = numbers(text)
        value = found.to(unit)
        assert value is not None and abs(value - n) < 1e-6, (text, found)


@given(
    x=st.decimals(min_value=-999, max_value=999, places=2, allow_nan=False), text=st.sampled_from(["{} m", "约{}米"])
)
def test_decimals_are_read_with_their_sign(x: Any, text: str) -> None:
    (found,) = numbers(text.format(x))
    assert abs(found.value - float(x)) < 1e-9


NUMBERS: list[tuple[str, str | None, Any]] = [
    ("0.85 m", "m", 0.85),
    ("85 cm", "m", 0.85),
    ("85厘米", "m", 0.85),
    ("0.85", "m", 0.85),
    ("约0.85米", "m", 0.85),
    ("1 m 20 cm", "m", 1.2),
    ("1米20厘米", "m", 1.2),
    ("一米半", "m", 1.5),
    ("半米", "m", 0.5),
    ("half a metre", "m", 0.5),
    ("1.2 metres", "cm", 120.0),
    ("12 mm", "cm", 1.2),
    ("37°", "deg", 37.0),
    ("37度", "deg", 37.0),
    ("thirty-seven degrees", "deg", 37.0),
    ("三十七度", "deg", 37.0),
    ("1.5 rad", "deg", 85.943669),
    ("35%", "%", 35.0),
    ("百分之三十五", "%", 35.0),
    ("35 percent", "%", 35.0),
    ("half", "%", 50.0),
    ("一半", "%", 50.0),
    ("百分之三点五", "%", 3.5),
    ("三点十分", "s", "no answer"),
    ("三分之一", "%", 33.333333),
    ("three quarters", "%", 75.0),
    ("2.5秒", "s", 2.5),
    ("两秒", "s", 2.0),
    ("0:02.5", "s", 2.5),
    ("1 minute", "s", 60.0),
    ("-5 cm", "cm", -5.0),
    ("minus five cm", "cm", -5.0),
    ("负五厘米", "cm", -5.0),
    ("The 2 mugs are 0.5 m apart", "m", 0.5),
    ("５０％", "%", 50.0),
    ("2 m or 3 m", "m", "no answer"),
    ("40 degrees", "m", "no answer"),
    ("far", "m", "no answer"),
    ("", "m", "no answer"),
    ("I can't tell", "m", "refused"),
    ("无法判断", "m", "refused"),
    ("不知道", "m", "refused"),
    ("It cannot be determined from the video.", "m", "refused"),
    ("I'm not sure, 3 m?", "m", "refused"),
]


@pytest.mark.parametrize(("text", "unit", "value"), NUMBERS, ids=[t for t, *_ in NUMBERS])
def test_numbers(text: str, unit: str | None, value: Any) -> None:
    found = said(text, turn("number", 1.0, unit))
    assert found == pytest.approx(value) if isinstance(value, float) else found == value


COUNTS = [
    ("three", 3),
    ("三个", 3),
    ("3", 3),
    ("There are three.", 3),
    ("两", 2),
    ("十二个", 12),
    ("a dozen", 12),
    ("12.", 12),
    ("none", 0),
    ("没有", 0),
    ("no objects", 0),
    ("3 or 4", "no answer"),
    ("2.5", "no answer"),
    ("a few", "no answer"),
]


@pytest.mark.parametrize(("text", "value"), COUNTS, ids=[t for t, _ in COUNTS])
def test_counts(text: str, value: Any) -> None:
    assert said(text, turn("int", 1)) == value


# ---- Words ---------------------------------------------------------------------------------------

TRUTHS = [
    ("yes", True),
    ("Yes, it is.", True),
    ("true", True),
    ("是", True),
    ("是的。", True),
    ("对", True),
    ("没错", True),
    ("有", True),
    ("no", False),
    ("No, it isn't.", False),
    ("false", False),
    ("否", False),
    ("不是", False),
    ("没有", False),
    ("不对", False),
    ("No, I can't see it.", False),
    ("It is not open.", False),
    ("yes and no", "no answer"),
    ("是不是", "no answer"),
    ("maybe", "no answer"),
    ("I don't know", "refused"),
]


@pytest.mark.parametrize(("text", "value"), TRUTHS, ids=[t for t, _ in TRUTHS])
def test_truths(text: str, value: Any) -> None:
    assert said(text, turn("bool", True)) == value


KEYS = [
    ("left", "right", "left"),
    ("左边", "right", "left"),
    ("左侧", "right", "left"),
    ("It is to the left.", "right", "left"),
    ("in front", "left", "front"),
    ("后面", "left", "behind"),
    ("left or right", "left", "no answer"),
    ("up", "left", "no answer"),
    ("open", "closed", "open"),
    ("打开的", "closed", "open"),
    ("It's shut", "open", "closed"),
    ("关着的", "open", "closed"),
    ("not open, closed", "open", "closed"),
    ("亮着", "off", "on"),
    ("It is off.", "on", "off"),
    ("half full", "full", "partly"),
    ("装了一部分", "full", "partly"),
    ("空的", "full", "empty"),
    ("towards the camera", "moved_left", "closer"),
    ("向左", "closer", "moved_left"),
    ("It did not move", "closer", "still"),
    ("没有移动", "closer", "still"),
    ("看不出来", "left", "refused"),
]


@pytest.mark.parametrize(("text", "stored", "value"), KEYS, ids=[t for t, *_ in KEYS])
def test_keys_of_choices(text: str, stored: str, value: str) -> None:
    assert said(text, turn("choice", stored)) == value


def test_things_places_and_orders() -> None:
    facts = clip(0)[0]
    ids = {o.label.en: o.id for o in facts.objects}
    drawer, door, lamp = ids["bottom drawer"], ids["microwave door"], ids["hood light"]
    for text in ("the bottom drawer", "Bottom drawer.", "最下层的抽屉", "It is the bottom drawer!"):
        assert said(text, turn("object", lamp), facts) == drawer
    assert said("the drawer or so", turn("object", lamp), facts) == "no answer"
    assert said("the bottom drawer or the hood light", turn("object", lamp), facts) == "no answer"
    for text in ("in the bottom drawer", "在最下层的抽屉里", "It lies inside the bottom drawer."):
        assert said(text, turn("choice", f"on:{lamp}"), facts) == f"in:{drawer}"
    assert said("最下层的抽屉上", turn("choice", f"in:{lamp}"), facts) == f"on:{drawer}"
    assert said("the bottom drawer", turn("choice", f"in:{lamp}"), facts) == f"in:{drawer}"
    of = turn("objects", [lamp, door])
    assert said("the hood light, then the bottom drawer", of, facts) == sorted([lamp, drawer])
    ordered = of.model_copy(update={"program": {"op": "order", "of": [{"op": "event", "kind": "open"}] * 2}})
    assert said("the hood light, then the bottom drawer", ordered, facts) == [lamp, drawer]
    assert said("先是最下层的抽屉，然后是油烟机灯", ordered, facts) == [drawer, lamp]
    assert said("nothing", of, facts) == [] and said("没有任何东西", of, facts) == []


SPANS = [
    ("from 1.2 to 3 s", [1.2, 3.0]),
    ("1.2–3秒", [1.2, 3.0]),
    ("1.2s - 3s", [1.2, 3.0]),
    ("第1.2秒到第3秒", [1.2, 3.0]),
    ("between 1 and 3 seconds", [1.0, 3.0]),
    ("[1.2, 3]", [1.2, 3.0]),
    ("从一秒到三秒", [1.0, 3.0]),
    ("00:01.5 - 00:03", [1.5, 3.0]),
    ("at 2 s", "no answer"),
]


@pytest.mark.parametrize(("text", "value"), SPANS, ids=[t for t, _ in SPANS])
def test_intervals(text: str, value: Any) -> None:
    assert said(text, turn("interval", [0.0, 1.0], "s")) == value


def test_boxes_points_and_poses() -> None:
    box = turn("box2d", [0.0, 0.0, 1.0, 1.0], "px")
    for text in (
        "[10, 20.5, 30, 40]",
        "(10, 20.5, 30, 40)",
        '{"x0": 10, "y0": 20.5, "x1": 30, "y1": 40}',
        "10 20.5 30 40",
        '{"bbox": [10, 20.5, 30, 40]}',
        "```json\n[10, 20.5, 30, 40]\n```",
    ):
        assert said(text, box) == [10.0, 20.5, 30.0, 40.0], text
    assert said("[10, 20]", box) == "no answer"
    assert said('{"y": 2, "x": 1}', turn("point2d", [0.0, 0.0], "px")) == [1.0, 2.0]
    pose = [0.1, -0.2, 0.3, 1.0, 0.0, 0.0, 0.0]
    assert said(str(pose), turn("pose", [0.0] * 7)) == pose
    box3d = {"center": [0.1, 0.2, 0.3], "size": [1.0, 2.0, 3.0], "quat_wxyz": [1.0, 0.0, 0.0, 0.0]}
    stored = turn("box3d", box3d)
    assert said(str(box3d).replace("'", '"'), stored) == box3d
    assert said('{"size": [1,2,3], "quat_wxyz": [1,0,0,0], "center": [0.1,0.2,0.3]}', stored) == box3d


@given(text=st.text(max_size=60) | st.text("零两三十百万点半分之负度米秒 3.", max_size=9))
@settings(deadline=None, max_examples=300)
def test_no_text_breaks_the_reader(text: str) -> None:
    facts, names, asked = clip(0)
    for q in asked[:12]:
        assert isinstance(read(text, q.turns[0], facts, names), Value | Unread)
