"""Which things of a clip a text names, in either language: by label, with the colour and the side it says.

`Names(facts).masked(text)` puts a mark `⟦k⟧` in place of the k-th name, so that what is left of a sentence is free
of words that belong to names ("left worktop", "最下层的抽屉").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from synth4d import vocabulary
from synth4d.program.view import ASKABLE
from synth4d.records import Facts, Label, ObjectFact

SIDES = {
    "left": (r"leftmost|furthest left|farthest left", "最左"),
    "right": (r"rightmost|furthest right|farthest right", "最右"),
    "top": (r"topmost|uppermost|highest", "最上|最高"),
    "bottom": (r"bottommost|lowest", "最下|最低"),
}
_SAYS = {
    side: (re.compile(f"{en}|{zh}"), re.compile(rf"(?:(?:{en}) |(?:{zh})[边侧面]?的?)$"))
    for side, (en, zh) in SIDES.items()
}
"""A side in brackets behind a name, and right before it."""
BESIDE = re.compile(r"\s*[(（][^()（）⟦⟧]{0,60}[)）]")
"""What stands in brackets behind a name and may say its side."""

MODAL = ("can", "will", "may", "tap")
"""Verbs that are no names (a can) but behind an article."""
_DETERMINER = re.compile(r"\b(?:the|an?|this|that|each|every|no|one|other|same) $")


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in a text, and what it may mean."""

    labels: frozenset[str]
    """English labels of the things that are called so, in lower case."""
    ids: frozenset[int]
    """The clip's things that the label and the colour fit; empty: there is none in this clip."""
    colour: str | None
    side: str | None
    """Where it says which of them: left, right, top, bottom (the outermost in the first frame)."""


def plain(text: str) -> str:
    """Compatibility forms (full-width letters and digits) as plain ones, white space as single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


class Names:
    """The names of a clip's things; `absent` are labels of things that the clip lacks."""

    def __init__(self, facts: Facts, absent: Iterable[tuple[str, Label]] = ()) -> None:
        things = [o for o in facts.objects if o.role in ASKABLE]
        self._called: dict[str, list[ObjectFact]] = {}
        for o in things:
            self._called.setdefault(key(o.label), []).append(o)
        labels = [o.label for o in things] + [label for _, label in absent]
        self.of_category: dict[str, set[str]] = {}
        for category, label in [*((o.category, o.label) for o in things), *absent]:
            self.of_category.setdefault(category, set()).add(key(label))
        self._forms: dict[str, set[str]] = {}
        for label in labels:
            for form in (label.en, label.plural, label.zh):
                self._forms.setdefault(plain(form).lower(), set()).add(key(label))
        self._colours = _colours()
        self._read: dict[str, tuple[str, list[Mention]]] = {}
        self._pattern = self._compiled()

    def _compiled(self) -> re.Pattern[str] | None:
        if not self._forms:
            return None
        colour, name = _either(self._colours), _either(self._forms)
        return re.compile(rf"(?:(?P<colour>{colour})(?:-coloured|-colored)?(?: |的)?)?(?P<name>{name})")

    def fitting(self, labels: Iterable[str], colour: str | None) -> frozenset[int]:
        """Ids of the things with one of some labels and, where it is given, a colour."""
        fit = [o for label in set(labels) for o in self._called.get(label, ())]
        return frozenset(o.id for o in fit if colour is None or (o.colour is not None and o.colour.key == colour))

    def masked(self, text: str) -> tuple[str, list[Mention]]:
        """The text in lower case with a mark for each name, and the mentions in order."""
        if text not in self._read:  # options and earlier turns are read again and again
            self._read[text] = self._masked(text)
        return self._read[text]

    def _masked(self, text: str) -> tuple[str, list[Mention]]:
        rest, out, found = plain(text).lower(), "", list[Mention]()
        while self._pattern is not None and (match := self._pattern.search(rest)):
            before, rest = rest[: match.start()], rest[match.end() :]
            out += before
            if match.group() in MODAL and not _DETERMINER.search(out):
                out += match.group()
                continue
            side, out, rest = _side(out, rest)
            colour = self._colours[match["colour"]] if match["colour"] else None
            labels = self._forms[match["name"]]
            found.append(Mention(frozenset(labels), self.fitting(labels, colour), colour, side))
            out += f"⟦{len(found) - 1}⟧"
        return out + rest, found

    def mentions(self, text: str) -> list[Mention]:
        return self.masked(text)[1]


def key(label: Label) -> str:
    """What a label is known by: its English form."""
    return plain(label.en).lower()


def _either(forms: Iterable[str]) -> str:
    """A pattern of any of some forms, the longest first; Latin letters are not cut out of longer words, Chinese around
    them is no word. What goes before is looked at once for all of them."""
    first, others = list[str](), list[str]()
    for form in sorted(forms, key=lambda f: (-len(f), f)):
        begins, ends = (f.isascii() and f.isalnum() for f in (form[:1], form[-1:]))
        (first if begins else others).append(re.escape(form) + ("(?![a-z0-9])" if ends else ""))
    latin = [f"(?<![a-z0-9])(?:{'|'.join(first)})"] if first else []
    return "|".join([*latin, *others])


def _colours() -> dict[str, str]:
    """Forms of the colours to their keys: red, 红色, 红."""
    found: dict[str, str] = {}
    for colour, (name, _) in vocabulary.COLOURS.items():
        found |= {form: colour for form in (name.en, name.zh, name.zh.removesuffix("色"))}
    return found | {"gray": "grey"}


def _side(before: str, after: str) -> tuple[str | None, str, str]:
    """The side said right before or in brackets behind a name; it is taken out of both."""
    bracket = BESIDE.match(after)
    for side, (behind, ahead) in _SAYS.items():
        if bracket and behind.search(bracket.group()):
            return side, before, after[bracket.end() :]
        if said := ahead.search(before):
            return side, before[: said.start()], after
    return None, before, after
