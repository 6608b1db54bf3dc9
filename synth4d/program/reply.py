"""What a free reply says, in English or Chinese, as a typed value: the one reader for witnesses, filter and rewards.

    read(text, turn, facts)   the Value that a reply to a turn gives, or Unread: refused, no answer

A reply may be a letter of the choices, an option's words, or words of its own. Where it says two things at once
(two numbers, left and right) it is no answer. A refusal ("I can't tell", 无法判断) is none either, and is told apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from synth4d.errors import SynthError
from synth4d.program import wording
from synth4d.program.language import parse
from synth4d.program.names import Names, plain
from synth4d.program.numerals import numbers
from synth4d.program.times import MOTIONS, kind_of
from synth4d.program.view import Value
from synth4d.records import Answer, Facts, Text, Turn
from synth4d.vocabulary import COLOURS


@dataclass(frozen=True, slots=True)
class Unread:
    """A reply that gives no value."""

    reason: Literal["refused", "no answer"]


NOTHING = Unread("no answer")
REFUSAL = re.compile(
    r"\b(?:can(?:'t|not| not)|could(?:n't| not)|(?:is|am|are)(?:n't| not) able to|unable to|impossible to|hard to) "
    r"(?:\w+ )?(?:tell|say|determine|judge|answer|know|infer|identify|be (?:determined|inferred|answered|judged))"
    r"|\b(?:do(?:n't| not) know|no idea|not sure|unsure|uncertain|unknown|unclear|not enough|insufficient|i'm sorry)\b"
    r"|无法|不知道|不清楚|不确定|看不出|说不准|难以(?:判断|确定)|不能(?:判断|确定)|没法|信息不足|抱歉|未知"
)
_LEAD = re.compile(
    r"^(?:(?:so|therefore|thus|okay|ok|所以|因此)[, ]*)?"
    r"(?:(?:the |my )?(?:final |correct |right )?(?:answer|choice|option)"
    r"(?: is| would be)?|(?:最终|正确)?(?:的)?(?:答案|选项)(?:是|为)?|我?(?:选择|选))\s*[:：]?\s*"
)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_LETTER = re.compile(r"^[(\[]?([a-z])(?:[)\].:、,，。]|选项|项|$)\s*")


def read(text: str, turn: Turn, facts: Facts, names: Names | None = None) -> Value | Unread:
    """What a reply to a turn says; of the same type and unit as the turn's answer."""
    said = _bare(text)
    if not said:
        return NOTHING
    free = reader(turn, facts, names)
    if turn.choices:
        place = _chosen(said, turn.choices, free)
        if place is not None:
            return _option(place, turn, free) if place >= 0 else NOTHING
    return free.read(said)


def reader(turn: Turn, facts: Facts, names: Names | None = None) -> Reader:
    """Reads replies to a turn in words of their own. `names` saves finding them again for each turn of a clip."""
    try:
        program = parse(turn.program)
    except SynthError:
        return Reader(turn.answer, facts, names or Names(facts))
    asked = program.fields["of"] if program.op.elsewhere else program
    like = OF_ASPECT.get((asked.op.name, str(asked.fields.get("aspect"))))
    return Reader(turn.answer, facts, names or Names(facts), program.op.result == "list", like)


def _bare(text: str) -> str:
    """Lower case, plain forms, without mark-up, lead ("The answer is") and closing stop."""
    said = plain(text.replace("**", "").replace("`", "").replace("’", "'")).lower()
    said = (_BOXED.findall(said) or [said])[-1].strip()
    said = _LEAD.sub("", said, count=1)
    return said.strip(" .。!！\"'“”")


def _same(text: str) -> str:
    """A phrase for comparison: no articles, no punctuation, no blanks around Chinese."""
    return " ".join(re.sub(r"\b(?:the|a|an|it is|it's)\b|[^\w\s%°.⟦⟧-]", " ", _bare(text)).split())


@cache
def _worded() -> dict[str, tuple[str, str]]:
    """How the keys of choices are worded, for comparison."""
    said = {k: (_same(t.en), _same(t.zh)) for k, t in wording.CHOICES.items()}
    return said | {k: (_same(c.en), _same(c.zh)) for k, (c, *_) in COLOURS.items()}


# ---- Choices -------------------------------------------------------------------------------------


def _chosen(said: str, choices: Sequence[Text], free: Reader) -> int | None:
    """The option that a reply picks by its letter or its words; None where it does neither, -1 where the letter is
    none of theirs or another option's."""
    exact = {i for i, c in enumerate(choices) if _same(said) in (_same(c.en), _same(c.zh))}
    letter = _LETTER.match(said)
    if letter and not (len(exact) == 1 and letter.end() < len(said)):
        place, rest = ord(letter[1]) - ord("a"), said[letter.end() :]
        named = {i for i, c in enumerate(choices) if rest and _same(rest) in (_same(c.en), _same(c.zh))}
        return place if place < len(choices) and named <= {place} else -1
    if len(exact) == 1:
        return exact.pop()
    if REFUSAL.search(said):
        return None
    value = free.read(said)
    if isinstance(value, Unread):
        return None  # e.g. two things at once
    same = [i for i, c in enumerate(choices) if _equal(free.option(c.en), value)]
    return same[0] if len(same) == 1 else None


def _option(place: int, turn: Turn, free: Reader) -> Value | Unread:
    if place == turn.correct:
        return free.value(turn.answer.value)
    assert turn.choices is not None
    return free.option(turn.choices[place].en)


def _equal(a: Value | Unread, b: Value) -> bool:
    return isinstance(a, Value) and (a.type, a.unit, a.value) == (b.type, b.unit, b.value)


# ---- Words of its own ----------------------------------------------------------------------------

YES = re.compile(r"^(?:yes|yeah|yep|true|correct|right|是的|是|对的|对|没错|正确|有|能|会|可以)(?![a-z])(?!不是|不|否)")
NO = re.compile(r"^(?:no|nope|false|incorrect|wrong|not|否|不是|不对|不能|不会|不|没有|没|错)(?![a-z])(?!错)")
NONE = re.compile(
    r"^(?:nothing|none|no(?:ne)? of them|no (?:object|thing)s?|没有任何东西|什么(?:也|都)没有?|没有|无)\b"
)
_BOTH = re.compile(r"^(?:yes and no|yes or no|是和否|是或否|是否|是不是)")
_DENIED = re.compile(r"\b(?:is|are|does|did|has|have|was|were)(?: not|n't)\b|没有|并未|并不")
SPOKEN: dict[str, str] = {
    "open": r"\bopen(?:ed)?\b|开着|打开|开的|敞开",
    "closed": r"\b(?:closed|shut)\b|关着|关上|关闭|关的|合上",
    "on": r"\bon\b|开着|打开|开启|亮着",
    "off": r"\boff\b|关着|关掉|关闭|关的|熄灭",
    "full": r"(?<!partly )(?<!partially )(?<!half )\bfull\b|(?<!没)满",
    "partly": r"\bpart(?:ly|ially)(?: full| filled)?\b|\bhalf full\b|一部分|半满|没满",
    "empty": r"\bempty\b|空",
    "left": r"\bleft\b|左", "right": r"\bright\b|右",
    "front": r"\bfront\b|\bnearer\b|前", "behind": r"\b(?:behind|back)\b|后",
    "moved_left": r"\bleft\b|左", "moved_right": r"\bright\b|右",
    "closer": r"\b(?:closer|nearer|towards?)\b|靠近|朝镜头|更近",
    "farther": r"\b(?:farther|further|away)\b|远",
    "still": r"\b(?:not|n't|never|no) (?:move|chang)|\bstill\b|\bstays?\b|没有?(?:移动|动)|不动|静止",
}  # fmt: skip
"""How the keys of choices are said; a reply that says exactly one of the keys that could be meant gives it."""
SPOKEN |= {
    "opens": r"\bopen(?:s|ed|ing)?\b|打开", "closes": r"\b(?:clos(?:es|ed|ing)|shut)\b|关上",
    "turns_on": r"\bon\b|打开|开启", "turns_off": r"\boff\b|关掉|熄灭",
    "turns_left": r"\bleft\b|左", "turns_right": r"\bright\b|右",
    "goes_left": r"\bleft\b|左", "goes_right": r"\bright\b|右", "goes_in": r"\bforwards?\b|前",
    "goes_out": r"\bbackwards?\b|后", "goes_up": r"\bup(?:wards?)?\b|上", "goes_down": r"\bdown(?:wards?)?\b|下",
    "wide": r"\ball the way\b|\bfully\b|\bwide\b|完全", "partway": r"\bpart(?:way|ly|ially)\b|一部分",
    "early": r"\bfirst\b|\bearly\b|前三分", "middle": r"\bmiddle\b|中间", "late": r"\blast\b|\blate\b|后三分",
}  # fmt: skip
NEITHER: dict[str, str] = {
    "still": SPOKEN["still"],
    "keeps_heading": r"\b(?:not|n't|never) turn|\bsame (?:way|heading)\b|没有?(?:转|变)|不转",
    "stays": r"\bstays?\b|\b(?:not|n't|never) move|没有?(?:移动|动)|不动|原处",
    "unchanged": r"\bneither\b|\bunchanged\b|\bas it (?:is|was)\b|没有?变|不变|都没有",
    "did_not": r"\b(?:not|n't|never) happen|\bnever\b|没有?发生",
}
"""How it is said that nothing happens; it goes before what else is said."""
SPOKEN |= NEITHER
KINDRED = (
    ("open", "closed"), ("on", "off"), ("full", "partly", "empty"), ("left", "right", "front", "behind"),
    ("moved_left", "moved_right", "closer", "farther", "still"), ("opens", "closes", "unchanged"),
    ("turns_on", "turns_off", "unchanged"),
    ("turns_left", "turns_right", "keeps_heading"),
    ("goes_left", "goes_right", "goes_in", "goes_out", "goes_up", "goes_down", "stays"),
    ("wide", "partway"), ("early", "middle", "late", "did_not"),
)  # fmt: skip
OF_ASPECT = {("told", "open"): "open", ("told", "on"): "on", ("way", "open"): "opens", ("way", "on"): "turns_on"}
"""Which keys could be meant where the answer is that nothing changes, or that it can't be told: 开着 says two."""
VERBS = {
    "open": r"\bopen|开", "close": r"\bclos|\bshut|关", "turn_on": r"\bon\b|开|亮", "turn_off": r"\boff\b|关|熄",
    "motion": r"\b(?:mov|push|drop|fall|fell|knock|carr|slid|put)|动|推|掉|碰|放|拿", "pour": r"\bpour|倒",
}  # fmt: skip
_IN = re.compile(r"\b(?:in|inside|into|within)(?: of)? (?:the |an? )?⟦(\d+)⟧|⟦(\d+)⟧(?:的)?(?:里|内|中)")
_ON = re.compile(r"\b(?:on|onto|upon|atop|on top of) (?:the |an? )?⟦(\d+)⟧|⟦(\d+)⟧(?:的)?上")


class Reader:
    """Reads words of its own as a value like a given answer."""

    def __init__(self, like: Answer, facts: Facts, names: Names, ordered: bool = False, key: str | None = None) -> None:
        self.like, self.facts, self.names, self.ordered = like, facts, names, ordered
        key = key or str(like.value)
        self.keys = next((group for group in KINDRED if key in group), ())

    def value(self, value: Any) -> Value:
        return Value(self.like.type, value, self.like.unit, ordered=self.ordered)

    def option(self, text: str) -> Value | Unread:
        """The value of an option's words, by the rules alone; that nothing can be told is one like the others."""
        said = _bare(text)
        if self.like.type == "choice" and _same(said) in _worded()["untold"]:
            return self.value("untold")
        return self.read(said, known=False)

    def read(self, said: str, known: bool = True) -> Value | Unread:
        """The value of a reply (as _bare gives it); `known`: the words of the answer itself are always read."""
        kind = self.like.type
        if kind == "text":
            return self.value(said)
        if kind == "bool" and (value := self._bool(said)) is not None:
            return self.value(value)
        if known and self._is_answer(said):
            return self.value(self.like.value)
        if REFUSAL.search(said):
            # Where nothing can be told, to say so is the answer.
            return self.value("untold") if self.like.value == "untold" else Unread("refused")
        if kind == "bool":
            return NOTHING
        found = getattr(self, f"_{kind}")(said)
        return NOTHING if found is None else self.value(found)

    def _is_answer(self, said: str) -> bool:
        """Whether it is the answer's own words, where words are all of it: numbers are read."""
        words = self.like.type in ("choice", "object", "objects")
        return words and _same(said) in (_same(self.like.text.en), _same(self.like.text.zh))

    # ---- One thing said --------------------------------------------------------------------------

    def _bool(self, said: str) -> bool | None:
        if _BOTH.match(said):
            return None
        if YES.match(said) or NO.match(said):
            return not NO.match(said)
        return False if _DENIED.search(said) and not REFUSAL.search(said) else None

    def _int(self, said: str) -> int | None:
        if NONE.match(said):
            return 0
        whole = {n.value for n in numbers(said) if n.unit is None}
        value = whole.pop() if len(whole) == 1 else None
        return int(value) if value is not None and value == int(value) else None

    def _number(self, said: str) -> float | None:
        fit = [(n, v) for n in numbers(said) if (v := n.to(self.like.unit)) is not None]
        with_unit = {v for n, v in fit if n.unit is not None}
        values = with_unit or {v for _, v in fit}
        return round(values.pop(), 6) if len(values) == 1 else None

    def _choice(self, said: str) -> str | None:
        stored = str(self.like.value)
        if ":" in stored:
            return self._event(said) if stored.split(":")[0] in wording.CLAUSES else self._place(said)
        bare = _same(said)
        worded = {k for k, forms in _worded().items() if bare in forms}
        if stored == "untold":  # of doors and of lamps, which are 开着 both: all that counts is that it is told
            for told, same in (("open", {"open", "on"}), ("closed", {"closed", "off", "closes"})):
                if worded and worded <= same:
                    return told
        if len(found := worded & {*self.keys, stored, "untold"} if self.keys else worded) == 1:
            return found.pop()
        if stored == "none" or stored.replace("+", "").isdigit():
            return "+".join(str(n) for n in sorted({int(n.value) for n in numbers(said)})) or None
        rest = _without_not(said)
        for key in self.keys:
            if key in NEITHER and re.search(NEITHER[key], said):
                return key
        spoken = {k for k in self.keys if re.search(SPOKEN[k], rest)}
        return spoken.pop() if len(spoken) == 1 else None

    def _place(self, said: str) -> str | None:
        """in:ID, on:ID; a thing alone in the answer's own relation."""
        masked, found = self.names.masked(said)
        for relation, pattern in (("in", _IN), ("on", _ON)):
            if match := pattern.search(masked):
                ids = found[int(match[1] or match[2])].ids
                return f"{relation}:{min(ids)}" if len(ids) == 1 else None
        id = self._object(said)
        return None if id is None else f"{str(self.like.value).split(':')[0]}:{id}"

    def _event(self, said: str) -> str | None:
        """Which event: by the thing it happens to, and by the verb where more happens to that."""
        masked, found = self.names.masked(said)
        if not found or len(found[0].ids) != 1:
            return None
        (id,) = found[0].ids
        kinds = {kind_of(e) for e in self.facts.events if e.object == id} or set(VERBS)
        said_kinds = {k for k in kinds if re.search(VERBS[k], masked)} if len(kinds) > 1 else kinds
        stored = str(self.like.value).split(":")[0]
        if len(said_kinds) != 1:
            return None
        kind = said_kinds.pop()
        key = f"{stored if kind == 'motion' and stored in MOTIONS else kind}:{id}"
        if str(self.like.value).count(":") == 1:
            return key
        place = next((f"{r}:{m[1] or m[2]}" for r, p in (("in", _IN), ("on", _ON)) if (m := p.search(masked))), None)
        if place is None or len(ids := found[int(place[3:])].ids) != 1:
            return None
        return f"{key}:{place[:2]}:{min(ids)}"

    def _object(self, said: str) -> int | None:
        found = {m.ids for m in self.names.mentions(said)}
        (ids,) = found if len(found) == 1 else (frozenset[int](),)
        return min(ids) if len(ids) == 1 else None

    # ---- Several things said ---------------------------------------------------------------------

    def _objects(self, said: str) -> list[int] | None:
        found = [m.ids for m in self.names.mentions(said)]
        if not found:
            return [] if NONE.match(said) or said in ("没有任何东西", "什么都没有", "没有") else None
        if any(len(ids) != 1 for ids in found):
            return None
        ids = list(dict.fromkeys(min(ids) for ids in found))
        return ids if self.ordered else sorted(ids)

    def _interval(self, said: str) -> list[float] | None:
        return self._row([v for n in numbers(said) if (v := n.to("s")) is not None], 2)

    def _box2d(self, said: str) -> list[float] | None:
        return self._row(_listed(said, ("x0", "y0", "x1", "y1")), 4)

    def _point2d(self, said: str) -> list[float] | None:
        return self._row(_listed(said, ("x", "y")), 2)

    def _pose(self, said: str) -> list[float] | None:
        return self._row(_listed(said, ("x", "y", "z", "qw", "qx", "qy", "qz")), 7)

    def _box3d(self, said: str) -> dict[str, list[float]] | None:
        row = self._row(_listed(said, ("center", "size", "quat_wxyz")), 10)
        return {"center": row[:3], "size": row[3:6], "quat_wxyz": row[6:]} if row else None

    def _row(self, row: list[float], length: int) -> list[float] | None:
        return row if len(row) == length else None


def _without_not(said: str) -> str:
    """`not open` says nothing of open."""
    return re.sub(
        r"(?:\bnot|n't|\bno longer|不是|没有?|不)\s*(?:fully |completely )?(?!有|mov|chang|移动|动)[a-z]*[开关满空着]*",
        "",
        said,
    )


def _listed(said: str, keys: tuple[str, ...]) -> list[float]:
    """All numbers, of a JSON object in the order of its keys' names, else as they stand."""
    start, end = said.find("{"), said.rfind("}")
    if 0 <= start < end:
        try:
            data = json.loads(said[start : end + 1])
            return _flat([data[k] for k in keys] if all(k in data for k in keys) else list(data.values()))
        except (ValueError, TypeError, RecursionError):
            pass
    inner = re.search(r"[\[(].*[\])]", said)
    return [n.value for n in numbers(inner.group() if inner else said)]


def _flat(value: Any) -> list[float]:
    if isinstance(value, list):
        return [x for v in value for x in _flat(v)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [float(value)]
    raise ValueError("no number")
