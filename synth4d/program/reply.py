"""What a free reply says, in English or Chinese, as a typed value: the one reader for witnesses, filter and rewards.

    read(text, turn, facts)   the Value that a reply to a turn gives, or Unread: refused, no answer

A reply may be a letter of the choices, an option's words, or words of its own. Where it says two things at once
(two numbers, left and right) it is no answer. A refusal ("I can't tell", 无法判断) is none either, and is told apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from synth4d.errors import SynthError
from synth4d.program import spoken, wording
from synth4d.program.language import parse
from synth4d.program.names import Names
from synth4d.program.numerals import numbers
from synth4d.program.states import opens
from synth4d.program.times import MOTIONS, kind_of
from synth4d.program.view import Value
from synth4d.records import Answer, Facts, Text, Turn
from synth4d.vocabulary import COLOURS


@dataclass(frozen=True, slots=True)
class Unread:
    """A reply that gives no value."""

    reason: Literal["refused", "no answer"]


NOTHING = Unread("no answer")
_LETTER = re.compile(r"^[(\[]?([a-z])(?:[)\].:、,，。]|选项|项|$)\s*")


def read(text: str, turn: Turn, facts: Facts, names: Names | None = None) -> Value | Unread:
    """What a reply to a turn says; of the same type and unit as the turn's answer."""
    said = spoken.bare(text)
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
    like = spoken.OF_ASPECT.get((asked.op.name, str(asked.fields.get("aspect"))))
    return Reader(turn.answer, facts, names or Names(facts), program.op.result == "list", like)


# ---- Choices -------------------------------------------------------------------------------------


def _chosen(said: str, choices: Sequence[Text], free: Reader) -> int | None:
    """The option that a reply picks by its letter or its words; None where it does neither, -1 where the letter is
    none of theirs or another option's."""
    exact = {i for i, c in enumerate(choices) if spoken.same(said) in (spoken.same(c.en), spoken.same(c.zh))}
    letter = _LETTER.match(said)
    if letter and not (len(exact) == 1 and letter.end() < len(said)):
        place, rest = ord(letter[1]) - ord("a"), said[letter.end() :]
        named = {
            i for i, c in enumerate(choices) if rest and spoken.same(rest) in (spoken.same(c.en), spoken.same(c.zh))
        }
        return place if place < len(choices) and named <= {place} else -1
    if len(exact) == 1:
        return exact.pop()
    if spoken.REFUSAL.search(said):
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


class Reader:
    """Reads words of its own as a value like a given answer."""

    def __init__(self, like: Answer, facts: Facts, names: Names, ordered: bool = False, key: str | None = None) -> None:
        self.like, self.facts, self.names, self.ordered = like, facts, names, ordered
        key = key or str(like.value)
        self.keys = next((group for group in spoken.KINDRED if key in group), ())

    def value(self, value: Any) -> Value:
        return Value(self.like.type, value, self.like.unit, ordered=self.ordered)

    def option(self, text: str) -> Value | Unread:
        """The value of an option's words, by the rules alone; that nothing can be told is one like the others."""
        said = spoken.bare(text)
        if self.like.type == "choice" and spoken.same(said) in spoken.worded()["untold"]:
            return self.value("untold")
        return self.read(said, known=False)

    def read(self, said: str, known: bool = True) -> Value | Unread:
        """The value of a reply (as spoken.bare gives it); `known`: the words of the answer itself are always read."""
        kind = self.like.type
        if kind == "text":
            return self.value(said)
        if kind == "bool" and (value := self._bool(said)) is not None:
            return self.value(value)
        if known and self._is_answer(said):
            return self.value(self.like.value)
        if spoken.REFUSAL.search(said):
            # Where nothing can be told, to say so is the answer.
            return self.value("untold") if self.like.value == "untold" else Unread("refused")
        if kind == "bool":
            return NOTHING
        found = getattr(self, f"_{kind}")(said)
        return NOTHING if found is None else self.value(found)

    def _is_answer(self, said: str) -> bool:
        """Whether it is the answer's own words, where words are all of it: numbers are read."""
        words = self.like.type in ("choice", "object", "objects")
        return words and spoken.same(said) in (spoken.same(self.like.text.en), spoken.same(self.like.text.zh))

    # ---- One thing said --------------------------------------------------------------------------

    def _bool(self, said: str) -> bool | None:
        if spoken.BOTH.match(said):
            return None
        if spoken.YES.match(said) or spoken.NO.match(said):
            return not spoken.NO.match(said)
        return False if spoken.DENIED.search(said) and not spoken.REFUSAL.search(said) else None

    def _int(self, said: str) -> int | None:
        if spoken.NONE.match(said):
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
        bare = spoken.same(said)
        worded = {k for k, forms in spoken.worded().items() if bare in forms}
        if stored not in COLOURS:  # an orange is no colour
            worded -= COLOURS.keys()
        if stored == "untold":  # of doors and of lamps, which are 开着 both: all that counts is that it is told
            for told, same in (("open", {"open", "on"}), ("closed", {"closed", "off", "closes"})):
                if worded and worded <= same:
                    return told
        if len(found := worded & {*self.keys, stored, "untold"} if self.keys else worded) == 1:
            return found.pop()
        if stored == "none" or stored.replace("+", "").isdigit():
            return "+".join(str(n) for n in sorted({int(n.value) for n in numbers(said)})) or None
        rest = spoken.without_not(said)
        for key in self.keys:
            if key in spoken.NEITHER and re.search(spoken.NEITHER[key], said):
                return key
        keys = {k for k in self.keys if re.search(spoken.SPOKEN[k], rest)}
        return keys.pop() if len(keys) == 1 else None

    def _place(self, said: str) -> str | None:
        """in:ID, on:ID; a thing alone in the answer's own relation."""
        masked, found = self.names.masked(said)
        for relation, pattern in (("in", spoken.IN), ("on", spoken.ON)):
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
        # 打开 of a door and of a lamp; where no verb tells, what does happen to it.
        said_kinds = {k for k in _able(self.facts, id) if re.search(spoken.VERBS[k], masked)}
        said_kinds = said_kinds or {kind_of(e) for e in self.facts.events if e.object == id}
        stored = str(self.like.value).split(":")[0]
        if len(said_kinds) != 1:
            return None
        kind = said_kinds.pop()
        key = f"{stored if kind == 'motion' and stored in MOTIONS else kind}:{id}"
        if str(self.like.value).count(":") == 1:
            return key
        place = next(
            (f"{r}:{m[1] or m[2]}" for r, p in (("in", spoken.IN), ("on", spoken.ON)) if (m := p.search(masked))), None
        )
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
            return [] if spoken.NONE.match(said) or said in ("没有任何东西", "什么都没有", "没有") else None
        if any(len(ids) != 1 for ids in found):
            return None
        ids = list(dict.fromkeys(min(ids) for ids in found))
        return ids if self.ordered else sorted(ids)

    def _interval(self, said: str) -> list[float] | None:
        return self._row([v for n in numbers(said) if (v := n.to("s")) is not None], 2)

    def _box2d(self, said: str) -> list[float] | None:
        return self._row(spoken.listed(said, ("x0", "y0", "x1", "y1")), 4)

    def _point2d(self, said: str) -> list[float] | None:
        return self._row(spoken.listed(said, ("x", "y")), 2)

    def _pose(self, said: str) -> list[float] | None:
        return self._row(spoken.listed(said, ("x", "y", "z", "qw", "qx", "qy", "qz")), 7)

    def _box3d(self, said: str) -> dict[str, list[float]] | None:
        row = self._row(spoken.listed(said, ("center", "size", "quat_wxyz")), 10)
        return {"center": row[:3], "size": row[3:6], "quat_wxyz": row[6:]} if row else None

    def _row(self, row: list[float], length: int) -> list[float] | None:
        return row if len(row) == length else None


def _able(facts: Facts, id: int) -> set[str]:
    """The kinds of events that can happen to a thing."""
    thing = next(o for o in facts.objects if o.id == id)
    found = {"motion", "pour"} if thing.role == "prop" else set()
    found |= {"open", "close"} if opens(thing) else set()
    return found | ({"turn_on", "turn_off"} if thing.switchable else set())
