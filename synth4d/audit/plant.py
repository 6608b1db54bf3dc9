"""Known errors planted into copies of questions, so that it can be measured how many a filter lets through.

An error is of a kind, and stands in one place:
    answer   the stored answer is another one; its words, options and letter go along
    program  the program asks something else, and the answer is that program's: the two agree, the wording does not
    wording  both wordings ask something else
    zh       only the Chinese does, or only the Chinese answer is wrong
    choices  two options are right, or none, or the wrong letter is marked
What is planted is wrong for one who reads the question: another program is taken only where its answer is not one
that two witnesses would take for the same. Nothing in a planted question says that it is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from synth4d.audit.mutate import mutations
from synth4d.errors import SynthError
from synth4d.program import Value, View, answer, coloured, compare, parse, run, thing_text, word
from synth4d.program.view import DECIMALS
from synth4d.records import JSON, Answer, Question, Text, Turn

ERRORS = ("number", "direction", "state", "object", "order", "time", "box", "zh", "ambiguous", "choices")
SIDES = ("left", "right", "front", "behind")
WAYS = ("moved_left", "moved_right", "closer", "farther")
STATES = (("open", "closed"), ("on", "off"), ("full", "partly", "empty"))
TRIES = 40
"""Programs tried for one error."""


@dataclass(frozen=True, slots=True)
class Planted:
    question: Question
    error: str
    place: str


class Planter:
    """Plants errors into the questions of one clip."""

    def __init__(self, view: View, rng: np.random.Generator) -> None:
        self.view, self.facts, self.rng = view, view.facts, rng

    def plant(self, question: Question, error: str) -> Planted | None:
        """The question with such an error in one of its turns; None where it can have none."""
        for t in self.rng.permutation(len(question.turns)):
            turn = question.turns[t]
            makers = MAKERS.get(error, (("answer", _in_answer), ("program", _in_program), ("wording", _in_wording)))
            for m in self.rng.permutation(len(makers)):
                place, make = makers[m]
                wrong = make(self, turn, error)
                if wrong is not None and wrong != turn:
                    turns = [*question.turns[:t], wrong, *question.turns[t + 1 :]]
                    return Planted(question.model_copy(update={"turns": turns, "verdict": None}), error, place)
        return None

    def shuffled(self, items: Any) -> list[Any]:
        listed = list(items)
        return [listed[i] for i in self.rng.permutation(len(listed))]

    def pick(self, items: Any) -> Any:
        return self.shuffled(items)[0]

    def run(self, program: JSON) -> Value | None:
        try:
            value = run(parse(program), self.view)
        except (SynthError, KeyError):
            return None
        return value if isinstance(value, Value) else None

    def others(self, turn: Turn, error: str) -> Iterator[tuple[JSON, Value]]:
        """Programs with this error, and their answers, none of which would pass for the stored one."""
        stored = self.run(turn.program)
        for changed in self.shuffled(mutations(turn.program, self.view))[: 4 * TRIES] if stored else []:
            if changed.error != error:
                continue
            value = self.run(changed.program)
            if (
                value
                and stored
                and (value.type, value.unit) == (stored.type, stored.unit)
                and not compare(value, stored)
            ):
                yield changed.program, value


# ---- Answers and programs ------------------------------------------------------------------------


def _in_answer(p: Planter, turn: Turn, error: str) -> Turn | None:
    value = _wrong_value(p, turn, error)
    return None if value is None else _answered(p, turn, value)


def _in_program(p: Planter, turn: Turn, error: str) -> Turn | None:
    found = next(p.others(turn, error), None)
    if found is None:
        return None
    wrong = _answered(p, turn, found[1])
    return None if wrong is None else wrong.model_copy(update={"program": found[0]})


def _answered(p: Planter, turn: Turn, value: Value) -> Turn | None:
    """The turn with another answer, its options and letter in keeping."""
    said = answer(value, p.facts)
    if turn.choices is None or turn.correct is None:
        return turn.model_copy(update={"answer": said})
    choices = list(turn.choices)
    if said.text in choices:
        return turn.model_copy(update={"answer": said, "correct": choices.index(said.text)})
    choices[turn.correct] = said.text
    return turn.model_copy(update={"answer": said, "choices": choices})


def _wrong_value(p: Planter, turn: Turn, error: str) -> Value | None:
    """Another answer of the same type, as far off as two witnesses may not be."""
    a = turn.answer
    right = p.run(turn.program)
    value = _other(p, a, error)
    if value is None or right is None:
        return None
    wrong = Value(a.type, value, a.unit, ordered=right.ordered, measure=right.measure)
    return None if compare(wrong, right) else wrong


def _other(p: Planter, a: Answer, error: str) -> Any:
    v: Any = a.value
    if a.type == "number" and error == ("time" if a.unit == "s" else "number"):
        factor = float(p.rng.uniform(1.4, 2.5))
        return round(v * factor if p.rng.random() < 0.5 or not v else v / factor, DECIMALS[a.unit or "m"])
    if a.type == "int" and error == "number":
        return p.pick([n for n in (v - 2, v - 1, v + 1, v + 2) if n >= 0])
    if a.type == "interval" and error == "time":
        shift = float(p.rng.uniform(1.5, 4.0)) * (v[1] - v[0])
        return [round(x + shift, 2) for x in v]
    if a.type == "bool" and error == "state":
        return not v
    if a.type == "choice":
        return _other_choice(p, str(v), error)
    if a.type == "object" and error == "object":
        return p.pick([id for id in p.view.askable if id != v] or [None])
    if a.type == "objects":
        return _other_objects(p, list(v), error)
    if error == "box":
        return _other_box(p, a)
    return None


def _other_choice(p: Planter, key: str, error: str) -> str | None:
    groups: tuple[tuple[str, ...], ...] = {"direction": (SIDES, WAYS), "state": STATES}.get(error, ())
    for group in groups:
        if key in group:
            return str(p.pick([k for k in group if k != key]))
    if error == "object" and ":" in key:
        kind, id = key.split(":")
        holders = [o.id for o in p.facts.objects if o.cavity is not None] if kind == "in" else list(p.view.askable)
        others = [i for i in holders if i != int(id)]
        return f"{kind}:{p.pick(others)}" if others else None
    return None


def _other_objects(p: Planter, ids: list[int], error: str) -> list[int] | None:
    if error == "order" and len(ids) > 1:
        return p.pick([o for o in ([*ids[::-1]], [ids[1], ids[0], *ids[2:]], [*ids[1:], ids[0]]) if o != ids])
    if error == "object":
        rest = [id for id in p.view.askable if id not in ids and p.view.thing(id).role == "prop"]
        return sorted([*ids[1:], p.pick(rest)]) if rest else None
    return None


def _other_box(p: Planter, a: Answer) -> Any:
    v: Any = a.value
    if a.type == "box2d":
        w, h = v[2] - v[0], v[3] - v[1]
        shift = float(p.rng.uniform(0.6, 1.5)) * p.pick((-1, 1))
        return [
            round(v[0] + shift * w, 1),
            round(v[1] + shift * h, 1),
            round(v[2] + shift * w, 1),
            round(v[3] + shift * h, 1),
        ]
    if a.type == "point2d":
        return [round(x + float(p.rng.uniform(20, 60)) * p.pick((-1, 1)), 1) for x in v]
    if a.type == "box3d":
        centre = [round(c + s, 4) for c, s in zip(v["center"], v["size"], strict=True)]
        return {**v, "center": centre}
    if a.type == "pose":
        return [round(v[0] + 0.4, 4), round(v[1] - 0.3, 4), *v[2:]]
    return None


# ---- Wordings ------------------------------------------------------------------------------------


def _in_wording(p: Planter, turn: Turn, error: str) -> Turn | None:
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


def _called(p: Planter, id: int) -> tuple[str, str]:
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


def _differs(p: Planter, turn: Turn, id: int, other: int) -> bool:
    """Whether the question has another answer, or none, with another thing in it."""
    from synth4d.audit.mutate import _named  # the names that programs use

    a, b = (_named(p.view.thing(i), p.view) for i in (id, other))
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


def _zh_question(p: Planter, turn: Turn, error: str) -> Turn | None:
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


def _zh_answer(p: Planter, turn: Turn, error: str) -> Turn | None:
    """The Chinese of the answer, and of its option, is another answer's."""
    for kind in p.shuffled(ERRORS[:7]):
        value = _wrong_value(p, turn, kind)
        if value is not None:
            text = Text(en=turn.answer.text.en, zh=word(value, p.facts).zh)
            said = turn.answer.model_copy(update={"text": text})
            choices = turn.choices and [text if i == turn.correct else c for i, c in enumerate(turn.choices)]
            return turn.model_copy(update={"answer": said, "choices": choices})
    return None


def _zh_option(p: Planter, turn: Turn, error: str) -> Turn | None:
    """A wrong option says the right thing in Chinese."""
    if turn.choices is None or turn.correct is None:
        return None
    i = p.pick([i for i in range(len(turn.choices)) if i != turn.correct])
    text = Text(en=turn.choices[i].en, zh=turn.choices[turn.correct].zh)
    return turn.model_copy(update={"choices": [text if k == i else c for k, c in enumerate(turn.choices)]})


# ---- What fits two things ------------------------------------------------------------------------


def _no_colour(p: Planter, turn: Turn, error: str) -> Turn | None:
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


def _no_moment(p: Planter, turn: Turn, error: str) -> Turn | None:
    """A question about a moment that does not say which, where it matters."""
    if next(p.others(turn, "time"), None) is None:
        return None
    en = re.sub(rf"^(?:{WHEN_EN}), |,? (?:{WHEN_EN})", "", turn.question.en, count=1, flags=re.IGNORECASE)
    zh = re.sub(r"^[^，□]{0,12}(?:开头|开始时|结尾|结束时|最后一帧|秒时)，", "", turn.question.zh, count=1)
    if en == turn.question.en or zh == turn.question.zh:
        return None
    return turn.model_copy(update={"question": Text(en=en[:1].upper() + en[1:], zh=zh)})


# ---- Choices -------------------------------------------------------------------------------------


def _two_right(p: Planter, turn: Turn, error: str) -> Turn | None:
    if turn.choices is None or turn.correct is None:
        return None
    right = turn.choices[turn.correct]
    twin = Text(en=right.en[:1].lower() + right.en[1:], zh=right.zh)
    if turn.answer.type == "number":
        near = Value("number", turn.answer.value * float(p.rng.choice([0.97, 1.03])), turn.answer.unit)
        twin = word(near, p.facts)
    i = p.pick([i for i in range(len(turn.choices)) if i != turn.correct])
    return turn.model_copy(update={"choices": [twin if k == i else c for k, c in enumerate(turn.choices)]})


def _none_right(p: Planter, turn: Turn, error: str) -> Turn | None:
    if turn.choices is None or turn.correct is None:
        return None
    for kind in p.shuffled(ERRORS[:7]):
        value = _wrong_value(p, turn, kind)
        if value is not None and (text := word(value, p.facts)) not in turn.choices:
            return turn.model_copy(
                update={"choices": [text if k == turn.correct else c for k, c in enumerate(turn.choices)]}
            )
    return None


def _wrong_letter(p: Planter, turn: Turn, error: str) -> Turn | None:
    if turn.choices is None or turn.correct is None:
        return None
    others = [i for i in range(len(turn.choices)) if i != turn.correct]
    return turn.model_copy(update={"correct": p.pick(others)})


Maker = Callable[[Planter, Turn, str], Turn | None]
MAKERS: dict[str, tuple[tuple[str, Maker], ...]] = {
    "zh": (("zh", _zh_question), ("zh", _zh_question), ("zh", _zh_answer), ("zh", _zh_option)),
    "ambiguous": (("wording", _no_colour), ("wording", _no_moment)),
    "choices": (("choices", _two_right), ("choices", _none_right), ("choices", _wrong_letter)),
}
