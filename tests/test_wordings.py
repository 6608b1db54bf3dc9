"""Wordings are held against their programs: no good one is refused, and no other question passes for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ask import ABSENT, CLIPS, asked, clip

from synth4d.ask import KINDS, ask
from synth4d.program import View, parse
from synth4d.program.faults import fault
from synth4d.program.names import Names
from synth4d.program.numerals import numbers
from synth4d.program.said import taken_apart
from synth4d.records import Answer, Facts, Label, Text, Turn

# ---- Good ones -----------------------------------------------------------------------------------


def test_no_wording_of_a_template_is_refused() -> None:
    for seed in range(CLIPS):
        view, names = View(*clip(seed)[:2]), Names(clip(seed)[0], ABSENT)
        for q in asked(seed):
            for i, turn in enumerate(q.turns):
                found = fault(turn, parse(turn.program), view, names, free=False, before=q.turns[:i])
                assert found is None, (found, turn.question, turn.program)


# ---- One question, worded right and wrong --------------------------------------------------------


RED, GREEN = {"key": "red", "en": "red", "zh": "红色"}, {"key": "green", "en": "green", "zh": "绿色"}


def facts() -> Facts:
    """The first kitchen, in which the mugs are red and green, and the door is a plain `door`."""
    known = clip(0)[0]
    like = next(o for o in known.objects if o.role == "prop" and o.colour is not None)
    mug = Label(en="mug", zh="马克杯", measure="个", plural="mugs")
    others = [o for o in known.objects if o.role != "prop"]
    red, green = (
        like.model_copy(update={"id": id, "label": mug, "category": "mug", "unique": True,
                                "colour": like.colour and like.colour.model_copy(update=colour)})
        for id, colour in ((90, RED), (91, GREEN))
    )  # fmt: skip
    return known.model_copy(update={"objects": [*others, red, green]})


def one(label: str, colour: str | None = None) -> dict[str, Any]:
    found = {"op": "filter", "label": label} | ({"colour": colour} if colour else {})
    return {"op": "unique", "of": found}


def check(
    program: dict[str, Any], en: str, zh: str, free: bool = True, type: str = "bool", unit: Any = None
) -> str | None:
    value: Any = {"bool": True, "number": 1.0, "choice": "left", "int": 1, "object": 1}[type]
    answer = Answer.model_validate({"type": type, "value": value, "unit": unit, "text": {"en": "-", "zh": "-"}})
    turn = Turn(question=Text(en=en, zh=zh), answer=answer, program=program)
    return fault(turn, parse(program), View(facts(), clip(0)[1]), Names(facts()), free=free)


START, END = {"op": "start"}, {"op": "end"}
OPEN = {"op": "is", "object": one("microwave door"), "state": "open", "at": END}
EN, ZH = "Is the microwave door open at the end of the video?", "视频结尾，微波炉门是否开着？"
WRONG = {
    "wrong thing in zh": (EN, "视频结尾，最上层的抽屉是否开着？", "thing"),
    "wrong thing in en": ("Is the top drawer open at the end of the video?", ZH, "thing"),
    "another thing too": ("Are the microwave door and the top drawer open at the end?", ZH, "thing"),
    "wrong moment in zh": (EN, "视频开头，微波炉门是否开着？", "moment"),
    "wrong moment in both": ("Is the microwave door open at the start?", "视频开头，微波炉门是否开着？", "moment"),
    "no moment": ("Is the microwave door open?", "微波炉门是否开着？", "moment"),
    "wrong state in zh": (EN, "视频结尾，微波炉门是否关着？", "word"),
    "wrong state in both": ("Is the microwave door closed at the end?", "视频结尾，微波炉门是否关着？", "word"),
    "a number in zh": (EN, "视频结尾，微波炉门第3秒时是否开着？", "number"),
    "another form": (
        "Where is the microwave door that is open at the end?",
        "视频结尾，打开的微波炉门在哪里？",
        "form",
    ),
    "no name": ("Is it open at the end of the video?", ZH, "thing"),
}


@pytest.mark.parametrize("free", [True, False])
def test_a_right_wording_passes(free: bool) -> None:
    assert check(OPEN, EN, ZH, free) is None
    assert (
        check(OPEN, "When the video ends, does the microwave door stand open?", "结束时微波炉门是打开的吗？", free)
        is None
    )


@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_wording_is_found(case: str, free: bool) -> None:
    en, zh, wanted = WRONG[case]
    assert check(OPEN, en, zh, free) == wanted


AT = {"op": "time", "s": 2.5}
DISTANCE = {"op": "distance", "a": one("mug", "red"), "b": one("microwave"), "at": AT}


def test_names_seconds_and_units() -> None:
    en, zh = (
        "How many metres are there between the red mug and the microwave at 2.5 s?",
        "第2.5秒时，红色的马克杯离微波炉有多少米？",
    )
    number = {"type": "number", "unit": "m"}
    assert check(DISTANCE, en, zh, **number) is None and check(DISTANCE, en, zh, False, **number) is None
    wrong = {
        "ambiguous": [(en.replace("red ", ""), zh), (en, zh.replace("红色的", ""))],
        "thing": [(en, zh.replace("红", "绿")), (en.replace("microwave", "kettle"), zh)],
        "number": [
            (en, zh.replace("2.5", "3.5")),
            (en.replace("at 2.5 s", "at the end"), zh),
            (en, zh.replace("2.5", "二")),
        ],
        "form": [(en, zh.replace("米？", "厘米？"))],
        "word": [(en, zh.replace("离微波炉", "最远处离微波炉"))],
    }
    for wanted, texts in wrong.items():
        assert [check(DISTANCE, *t, **number) for t in texts] == [wanted] * len(texts)


def test_who_stands_where_is_held_of_templates() -> None:
    program = {"op": "side", "of": one("mug", "red"), "by": one("microwave"), "at": START}
    en = "At the start of the video, is {} to the left of, to the right of, in front of or behind {}?"
    zh = "视频开头，从镜头的视角看，{}在{}的左边、右边、前面还是后面？"
    a, b = ("the red mug", "红色的马克杯"), ("the microwave", "微波炉")
    assert check(program, en.format(a[0], b[0]), zh.format(a[1], b[1]), False, "choice") is None
    assert check(program, en.format(a[0], b[0]), zh.format(b[1], a[1]), False, "choice") == "role"
    assert check(program, en.format(b[0], a[0]), zh.format(b[1], a[1]), False, "choice") == "role"


def test_opposites_and_relations() -> None:
    things = {"op": "these", "of": [one("mug", "red"), one("mug", "green")]}
    program = {"op": "nearest", "to": one("microwave"), "of": things, "at": START}
    en = "At the start, which is {} to the microwave: the red mug or the green mug?"
    zh = "开头，离微波炉{}的是红色的马克杯还是绿色的马克杯？"
    assert check(program, en.format("closer"), zh.format("更近"), type="object") is None
    assert check(program, en.format("closer"), zh.format("更远"), type="object") == "word"
    assert check(program, en.format("farther"), zh.format("更近"), type="object") == "word"
    held = {"op": "count", "of": {"op": "on", "object": one("right worktop"), "at": END}}
    en, zh = "How many things are {} the right worktop at the end?", "结尾，右侧台面{}有几件东西？"
    assert check(held, en.format("on"), zh.format("上"), False, "int") is None
    assert check(held, en.format("in"), zh.format("上"), False, "int") == "role"
    assert check(held, en.format("on"), zh.format("里"), False, "int") == "role"


def test_what_if_and_viewpoints() -> None:
    event = {"op": "event", "kind": "open", "object": one("top drawer")}
    state = {"op": "is", "object": one("microwave door"), "state": "open", "at": END}
    program = {"op": "without", "event": event, "of": state}
    en = "If the {} had not been opened, would the {} be open at the end of the video?"
    zh = "如果{}没有被打开，视频结尾时{}会是打开的吗？"
    a, b = ("top drawer", "最上层的抽屉"), ("microwave door", "微波炉门")
    assert check(program, en.format(a[0], b[0]), zh.format(a[1], b[1]), False) is None
    assert check(program, en.format(b[0], a[0]), zh.format(a[1], b[1]), False) == "role"
    assert check(program, en.format(a[0], b[0]), zh.format(b[1], a[1]), False) == "role"
    plain = (f"Is the {b[0]} open at the end, and the {a[0]} opened?", f"结尾时{b[1]}是打开的吗，{a[1]}呢？")
    assert check(program, *plain, True) == "form"
    seen = {"op": "side_from", "of": one("mug", "red"), "by": one("microwave"), "at": START, "seen": END}
    en = "Seen from the camera's place at the end, is {} (as it stands at the start) to the left or to the right of {}?"
    zh = "以结尾的镜头视角为准，{}（按开头的位置）在{}的左边还是右边？"
    a, b = ("the red mug", "红色的马克杯"), ("the microwave", "微波炉")
    assert check(seen, en.format(a[0], b[0]), zh.format(a[1], b[1]), False, "choice") is None
    assert check(seen, en.format(b[0], a[0]), zh.format(a[1], b[1]), False, "choice") == "role"
    assert check(seen, en.format(a[0], b[0]), zh.format(b[1], a[1]), False, "choice") == "role"


def test_a_box_that_is_drawn_names_no_box() -> None:
    program = {"op": "in_box", "box": [1, 2, 30, 40], "at": END}
    label = Label(en="box", zh="盒子", measure="个", plural="boxes")
    known = facts()
    boxed = known.model_copy(update={"objects": [*known.objects[:-1], known.objects[-1].model_copy(
        update={"label": label})]})  # fmt: skip
    answer = Answer.model_validate({"type": "object", "value": 90, "text": {"en": "-", "zh": "-"}})
    text = Text(
        en="In the last frame, a box is drawn at [1, 2, 30, 40]. What is it?", zh="最后一帧，框[1, 2, 30, 40]里是什么？"
    )
    turn = Turn(question=text, answer=answer, program=program)
    assert fault(turn, parse(program), View(boxed, clip(0)[1]), Names(boxed), free=False) is None


def test_before_and_after() -> None:
    event = {"op": "event", "kind": "open", "object": one("top drawer")}
    program = {**OPEN, "at": {"op": "before", "event": event}}
    en, zh = "Just {} the top drawer opens, is the microwave door open?", "最上层的抽屉被打开之{}，微波炉门是否开着？"
    for free in (True, False):
        assert check(program, en.format("before"), zh.format("前"), free) is None
        assert check(program, en.format("before"), zh.format("后"), free) == "moment"
        assert check(program, en.format("after"), zh.format("后"), free) == "moment"
    swapped = "Just before the microwave door opens, is the top drawer open?"
    assert check(program, swapped, zh.format("前"), False) == "role"


def test_a_span_runs_forward() -> None:
    program = {"op": "moved", "object": one("mug", "red"), "since": START, "until": END}
    en, zh = "Is the red mug elsewhere at the end than at the start?", "和开头相比，结尾时红色的马克杯是否换了位置？"
    assert check(program, en, zh) is None
    assert check({**program, "since": END, "until": START}, en, zh) == "moment"
    assert check({**program, "until": START}, en, zh) == "moment"


def test_what_comes_later_may_point_back() -> None:
    first = Turn(
        question=Text(en=EN, zh=ZH), program=OPEN,
        answer=Answer(type="bool", value=True, text=Text(en="Yes", zh="是")),
    )  # fmt: skip
    later = first.model_copy(update={"question": Text(en="And is it open at the start?", zh="那么开头它开着吗？")})
    program = {**OPEN, "at": START}
    view, names = View(facts(), clip(0)[1]), Names(facts())
    assert fault(later, parse(program), view, names, free=False, before=[first]) is None
    assert fault(later, parse(program), view, names, free=False) == "thing"
    assert fault(later, parse(OPEN), view, names, free=False, before=[first]) == "moment"


def test_it_is_what_the_turn_before_was_about() -> None:
    first = Turn(
        question=Text(en=EN, zh=ZH), program=OPEN,
        answer=Answer(type="bool", value=True, text=Text(en="Yes", zh="是")),
    )  # fmt: skip
    later = first.model_copy(update={"question": Text(en="And is it open at the start?", zh="那么开头它开着吗？")})
    other = {**OPEN, "at": START, "object": one("top drawer")}
    view, names = View(facts(), clip(0)[1]), Names(facts())
    assert fault(later, parse(other), view, names, free=False, before=[first]) == "thing"


AT_BOX = {"op": "box2d", "object": one("microwave"), "at": {"op": "time", "s": 2.5}}
BOX_EN = "At 2.5 s, give the 2D box [x0, y0, x1, y1] of the microwave in the 384×288 picture."
BOX_ZH = "第2.5秒时，请给出微波炉的二维框[x0, y0, x1, y1]，画面大小为384×288。"


@pytest.mark.parametrize(
    ("was", "becomes", "wanted"),
    [
        ("2.5 s", "2.75 s", "number"), ("microwave", "top drawer", "thing"),
        ("At 2.5 s", "At the end of the video", "number"), ("y0", "y2", "word"),
    ],
)  # fmt: skip
def test_coordinates_are_asked_of_the_right_thing_at_the_right_time(was: str, becomes: str, wanted: str) -> None:
    answer = Answer(type="box2d", value=[1.0, 2.0, 3.0, 4.0], unit="px", text=Text(en="-", zh="-"))
    view, names = View(facts(), clip(0)[1]), Names(facts())

    def found(en: str) -> str | None:
        turn = Turn(question=Text(en=en, zh=BOX_ZH), answer=answer, program=AT_BOX)
        return fault(turn, parse(AT_BOX), view, names, free=False)

    assert found(BOX_EN) is None and found(BOX_EN.replace(was, becomes)) == wanted


def test_statements_are_those_that_the_program_checks() -> None:
    """In each language alone: another value, another thing, one statement more."""
    seen = 0
    for seed in range(8):
        facts, camera, _ = clip(seed)
        rng, quotas = np.random.default_rng(seed), dict.fromkeys(KINDS, 0) | {"caption.recaption": 1}
        for question in ask(facts, camera, rng=rng, quotas=quotas):
            view, names = View(facts, camera), Names(facts)
            first, last = question.turns[0], question.turns[-1]
            program = first.program
            for turn, other in [
                (first, {**program, "claims": program["claims"][1:]}),
                (first, {**program, "claims": [program["claims"][1], program["claims"][0], *program["claims"][2:]]}),
                (last, {**program["claims"][0], "op": "check"}),
                (last, {**program["claims"][1], "op": "check"}),
            ]:
                assert fault(turn, parse(turn.program), view, names, free=False) is None
                if other != turn.program:
                    assert fault(turn, parse(other), view, names, free=False) == "statement"
                    seen += 1
    assert seen > 20


PIECES = [
    "two",
    "half",
    "a",
    "3",
    "1.5",
    "０",
    "0:05",
    "三",
    "半",
    "两",
    "十五",
    "百分之",
    "点",
    "-",
    ",",
    "m",
    "ms",
    "s",
    "sec",
    "seconds",
    "min",
    "minutes",
    "mins",
    "cm",
    "秒",
    "秒钟",
    "毫秒",
    "分钟",
    "度",
    "米",
]


@given(st.lists(st.sampled_from(PIECES), max_size=6), st.sampled_from(["", " "]))
@settings(deadline=None, max_examples=500)
def test_a_text_that_tells_a_number_is_seen_to(pieces: list[str], between: str) -> None:
    """Numbers are read only in texts that look as if they told one: none may be passed over."""
    text, names = between.join(pieces), Names(clip(0)[0])
    told = {n.value for n in numbers(text) if n.unit == "s"}
    for language in ("en", "zh"):
        assert taken_apart(text, language, names).seconds >= told
