"""Wrong wordings: in both languages, in Chinese alone, or such that fit two things."""

from __future__ import annotations

import re
from typing import Any

from synth4d.audit.clip import Clip
from synth4d.audit.mutate import named
from synth4d.audit.wrong_answers import KINDS, wrong_value
from synth4d.program import coloured, compare, thing_text, word
from synth4d.records import JSON, Text, Turn


def in_wording(p: Clip, turn: Turn, error: str) -> Turn | None:
    """Another thing, or another second, in both wordings."""
    for id in p.shuffled(p.view.askable) if error == "object" else []:
        own = _called(p, id)
        if not all(_once(n, q) for n, q in zip(own, _both(turn.question), strict=True)):
            continue
        for other in p.shuffled(p.view.askable)[:8]:
            if other != id and _differs(p, turn, id, other):
                said = _called(p, other)
                texts = [_exchange(q, n, s) for q, n, s in zip(_both(turn.question), own, said, strict=True)]
                return turn.model_copy(update={"question": Text(en=texts[0], zh=texts[1])})
    if error == "time":
        for program, _ in p.others(turn, error):
            swap = _second(turn.program, program)
            if swap is not None and all(_once(swap[0], q) for q in _both(turn.question)):
                texts = [_exchange(q, *swap) for q in _both(turn.question)]
                return turn.model_copy(update={"question": Text(en=texts[0], zh=texts[1])})
    return None


def _called(p: Clip, id: int) -> tuple[str, str]:
    said = thing_text(p.facts, id)
    return re.sub(r"^(?:the|an?) ", "", said.en), re.sub(r"^一.(?=.*的)", "", said.zh)


def _both(text: Text) -> tuple[str, str]:
    return text.en, text.zh


def _once(what: str, text: str) -> bool:
    return len(re.findall(_bounded(what), text, re.IGNORECASE)) == 1


def _bounded(what: str) -> str:
    return (
        rf"(?<![\w.]){re.escape(what)}(?![\w.]\w)"
        if what.isascii() and len(what) > 3
        else rf"(?<![\d.]){re.escape(what)}(?![\d.])"
    )


def _exchange(text: str, what: str, by: str) -> str:
    out = re.sub(_bounded(what), lambda _: by, text, count=1, flags=re.IGNORECASE)
    return out[:1].upper() + out[1:]


def _differs(p: Clip, turn: Turn, id: int, other: int) -> bool:
    """Whether the question has another answer, or none, with another thing in it."""
    a, b = (named(p.view.thing(i), p.view) for i in (id, other))
    if a is None or b is None:
        return False
    changed = _replaced(turn.program, a, b)
    stored, value = p.run(turn.program), p.run(changed)
    return (
        changed != turn.program
        and stored is not None
        and (value is None or value.type != stored.type or not compare(value, stored))
    )


def _replaced(node: Any, what: JSON, by: JSON) -> Any:
    if node == what:
        return by
    if isinstance(node, dict):
        return {k: _replaced(v, what, by) for k, v in node.items()}
    return [_replaced(v, what, by) for v in node] if isinstance(node, list) else node


def _second(a: Any, b: Any) -> tuple[str, str] | None:
    """The second that one program has in place of another's, as both are written."""
    if isinstance(a, dict) and isinstance(b, dict):
        if a.get("op") == b.get("op") == "time" and a["s"] != b["s"]:
            return f"{a['s']:g}", f"{b['s']:g}"
        return next((f for k in a if k in b and (f := _second(a[k], b[k]))), None)
    return None


ZH_PAIRS = (
    ("左", "右"), ("开头", "结尾"), ("刚开始", "结束"), ("之前", "之后"), ("最近", "最远"), ("更近", "更远"),
    ("被打开", "被关上"), ("打开", "关上"), ("开着", "关着"), ("□里", "□上"), ("多了", "少了"), ("最高", "最长"),
    ("高度", "长度"),    ("米", "厘米"), ("度", "厘米"), ("最先", "最后"),
    ("开始", "结束"), ("增加", "减少"), ("由近到远", "由远到近"),
)  # fmt: skip
"""Words that a bad translation puts in each other's place."""


def zh_question(p: Clip, turn: Turn, error: str) -> Turn | None:
    zh = turn.question.zh
    found = []
    for id in p.view.askable:
        own = _called(p, id)[1]
        if zh.count(own) == 1:
            found += [
                zh.replace(own, said) for o in p.shuffled(p.view.askable)[:3] if own not in (said := _called(p, o)[1])
            ]
    for number in re.findall(r"\d+(?:\.\d+)?", zh):
        if number != "100":
            found.append(zh.replace(number, f"{float(number) + p.pick((0.5, 1, 2)):g}", 1))
    names = [thing_text(p.facts, id).zh for id in p.view.askable]
    for pair in ZH_PAIRS:
        for a, b in (pair, pair[::-1]):
            bare = zh
            for name in sorted(names, key=len, reverse=True):
                bare = bare.replace(name, "□" * len(name))
            if (
                bare.count(a) == 1
                and b not in bare.replace(a, "")
                and not (a in _WORDS_OF_ITS_OWN and _inside_word(bare))
            ):
                at = bare.index(a)
                found.append(zh[:at] + b.replace("□", zh[at]) + zh[at + len(a) :])
    return turn.model_copy(update={"question": Text(en=turn.question.en, zh=p.pick(found))}) if found else None


_WORDS_OF_ITS_OWN = ("米", "度")


def _inside_word(text: str) -> bool:
    """Whether a unit is part of a word that means something else: 厘米, 高度."""
    return bool(re.search(r"厘米|[高长角程幅]度", text))


def zh_answer(p: Clip, turn: Turn, error: str) -> Turn | None:
    """The Chinese of the answer, and of its option, is another answer's."""
    for kind in p.shuffled(KINDS):
        value = wrong_value(p, turn, kind)
        if value is not None:
            text = Text(en=turn.answer.text.en, zh=word(value, p.facts).zh)
            said = turn.answer.model_copy(update={"text": text})
            choices = turn.choices and [text if i == turn.correct else c for i, c in enumerate(turn.choices)]
            return turn.model_copy(update={"answer": said, "choices": choices})
    return None


def zh_option(p: Clip, turn: Turn, error: str) -> Turn | None:
    """A wrong option says the right thing in Chinese."""
    if turn.choices is None or turn.correct is None:
        return None
    i = p.pick([i for i in range(len(turn.choices)) if i != turn.correct])
    text = Text(en=turn.choices[i].en, zh=turn.choices[turn.correct].zh)
    return turn.model_copy(update={"choices": [text if k == i else c for k, c in enumerate(turn.choices)]})


# ---- What fits two things ------------------------------------------------------------------------


def no_colour(p: Clip, turn: Turn, error: str) -> Turn | None:
    """The red mug, called the mug where there are two; or a thing without its place in the picture."""
    for id in p.shuffled(p.view.askable):
        thing = p.view.thing(id)
        name = coloured(thing)
        alike = [o for o in p.view.askable if p.view.thing(o).label == thing.label]
        if thing.colour is None or len(alike) < 2 or not _refers(turn.program, thing.label.en):
            continue
        en = re.sub(rf"(?i)\b{re.escape(name.en)}\b( \(the \w+ one[^)]*\))?", thing.label.en, turn.question.en)
        zh = re.sub(rf"{re.escape(name.zh)}(（[^）]*）)?", thing.label.zh, turn.question.zh)
        if en != turn.question.en and zh != turn.question.zh:
            return turn.model_copy(update={"question": Text(en=en, zh=zh)})
    return None


def _refers(node: Any, label: str) -> bool:
    """Whether a program means one thing of a label."""
    if isinstance(node, dict):
        own = node.get("op") in ("unique", "outermost") and node["of"].get("label") == label
        return own or any(_refers(v, label) for v in node.values())
    return isinstance(node, list) and any(_refers(v, label) for v in node)


WHEN_EN = (
    r"(?:at|from) the (?:start|beginning|end) of the video|when the video (?:begins|ends)|in the last frame"
    r"|at [\d.]+ s\b|[\d.]+ s into the video|at the [\d.]+-second mark"
)


def no_moment(p: Clip, turn: Turn, error: str) -> Turn | None:
    """A question about a moment that does not say which, where it matters."""
    if next(p.others(turn, "time"), None) is None:
        return None
    en = re.sub(rf"^(?:{WHEN_EN}), |,? (?:{WHEN_EN})", "", turn.question.en, count=1, flags=re.IGNORECASE)
    zh = re.sub(r"^[^，□]{0,12}(?:开头|开始时|结尾|结束时|最后一帧|秒时)，", "", turn.question.zh, count=1)
    if en == turn.question.en or zh == turn.question.zh:
        return None
    return turn.model_copy(update={"question": Text(en=en[:1].upper() + en[1:], zh=zh)})
