"""What a wording says, as far as words can tell: which things, which numbers, which turns of sense.

So a paraphrase can be held against the wording it came from, and a wording against its program (`sense_program`). It
finds what contradicts; whether a wording is right in all else is for a witness that reads it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from synth4d.program import clause
from synth4d.records import Facts, Label, Text

LANGUAGES = ("en", "zh")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
HAN = re.compile(r"[\u4e00-\u9fff]")
LONGEST = 400
SENSES: dict[str, tuple[str, str]] = {
    "open": (r"\b(re)?open(s|ed|ing|ness)?\b|\bajar\b", "[开敞]"),
    "closed": (r"\b(clos(e|es|ed|ing)|shut(s|ting)?)\b(?! to\b)", "[关闭]|合上"),
    "left": (r"\bleft(most|wards?)?\b", "左"),
    "right": (r"\bright(most|wards?)?\b", "右"),
    "before": (r"\b(before|prior to|until)\b", "之?前(?!面|方)|以前"),
    "after": (r"\b(after(wards)?|once)\b", "之?后(?!面|方)|以后"),
    "nearest": (r"\b(near(est|er)|clos(est|er)|short(est|er) (way|distance))\b", "[最更]近|近一些|较近|由近"),
    "farthest": (r"\b(f[au]rthe(st|r)|most distant|long(est|er) (way|distance))\b", "[最更]远|远一些|较远"),
    "first": (r"\b(first|earli(est|er))\b", "第一|最先|[最更]早|首先|先(?!后)|在前"),
    "last": (r"\b(last|latest)\b", "最后|最晚"),
    "full": (r"\bfull\b", "满"),
    "empty": (r"\bempty\b", "空"),
    "height": (r"\b(tall(er|est)?|height|high(er|est)?)\b", "高"),
    "length": (r"\b(long(er|est)? side|length|long(er|est)?)\b", "长"),
    "more": (r"\b(more|grown?|grew|up|increase[sd]?)\b", "多|增"),
    "fewer": (r"\b(fewer|less|shrunk|shrinks?|down|decrease[sd]?)\b", "少|减"),
    "not": (r"\b(not|never|cannot|without|except|other than|no longer|un\w+ed)\b|n['’]t\b", "[不没未非别]|除"),
}
"""Turns of sense that change an answer, as patterns of each language."""
PAIRS = (
    ("open", "closed"), ("left", "right"), ("before", "after"), ("nearest", "farthest"), ("first", "last"),
    ("full", "empty"), ("height", "length"), ("more", "fewer"),
)  # fmt: skip
OPPOSITE = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
HARMLESS = {
    "en": re.compile(r"\bwhether or not\b|\b(first|last|final) (frame|moment|picture|image)\b"),
    "zh": re.compile(
        r"(.)[不没]\1|第一[帧刻]|最[后末]一?[帧刻]|最后时?刻?(?=的时候|，|,|时)|不同|分别|前面|后面|特别|别的"
        r"|开[始头]|离开|开关|多少|多[久长大远高]"
    ),
}
"""Taken out before senses are looked for: 是不是, the first frame."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one wording says."""

    names: frozenset[str]
    numbers: Counter[str]
    senses: frozenset[str]
    events: tuple[int, ...] = ()
    """Events that are told as such."""
    order: tuple[str, ...] = ()
    """Names in their order, those of events left out."""


class Reader:
    """Reads wordings about one clip, whose names it knows."""

    def __init__(
        self, facts: Facts, absent: Iterable[tuple[str, Label]] = (), refs: Mapping[bytes, Text] | None = None
    ) -> None:
        """`refs`: how things and events are called, by the canonical bytes of the programs that mean them."""
        self.refs = dict(refs or {})
        self.clauses = [(e.id, [clause(facts, e), clause(facts, e, going_on=True)]) for e in facts.events]
        things = [o for o in facts.objects if o.role not in ("liquid", "structure")]
        self.labels: dict[str, Label] = {o.label.en: o.label for o in things}
        self.category: dict[str, set[str]] = {}
        for category, label in [(o.category, o.label) for o in things] + list(absent):
            self.labels.setdefault(label.en, label)
            self.category.setdefault(category, set()).add(label.en)
        self.colours = {o.colour.key: Text(en=o.colour.en, zh=o.colour.zh) for o in things if o.colour is not None}

    @cached_property
    def _names(self) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
        """Per language the names' patterns, longest first: `drawer handle` is no drawer."""
        en = [(key, w) for key, label in self.labels.items() for w in {label.en, label.plural}]
        en += [(f"#{key}", c.en) for key, c in self.colours.items()]
        zh = [(key, label.zh) for key, label in self.labels.items()]
        zh += [(f"#{key}", c.zh.removesuffix("的")) for key, c in self.colours.items()]
        rank = {"en": en, "zh": zh}
        return {
            language: [
                (key, re.compile(rf"(?<!\w){re.escape(w)}(?!\w)" if language == "en" else re.escape(w), re.IGNORECASE))
                for key, w in sorted({p for p in pairs if p[1]}, key=lambda p: (-len(p[1]), p))
            ]
            for language, pairs in rank.items()
        }

    def read(self, text: str, language: str) -> Said:
        names, rest = self._found(text, language)
        numbers = Counter(f"{float(n):g}" for n in NUMBER.findall(rest))
        plain = HARMLESS[language].sub(" ", rest.lower())
        at = LANGUAGES.index(language)
        senses = frozenset(name for name, patterns in SENSES.items() if re.search(patterns[at], plain))
        bare, events = text, list[int]()
        for id, ways in self.clauses:
            for way in ways:
                if (said := getattr(way, language)).lower() in bare.lower():
                    bare = re.sub(re.escape(said), " ", bare, flags=re.IGNORECASE)
                    events.append(id)
        order = tuple(name for _, name in sorted(self._found(bare, language)[0]))
        return Said(frozenset(n for _, n in names), numbers, senses, tuple(sorted(set(events))), order)

    def _found(self, text: str, language: str) -> tuple[list[tuple[int, str]], str]:
        """Names with their places in a text, and the text without them."""
        found, rest = list[tuple[int, str]](), text
        for key, pattern in self._names[language]:
            for match in pattern.finditer(rest):
                found.append((match.start(), key))
                rest = rest[: match.start()] + "\x00" * len(match[0]) + rest[match.end() :]
        return found, rest

    # ---- A paraphrase and its original -----------------------------------------------------------

    def drift(self, was: Text, now: Text) -> str | None:
        """What a paraphrase says otherwise than its original."""
        for language in LANGUAGES:
            a, b = (self.read(getattr(t, language), language) for t in (was, now))
            if a.names != b.names:
                odd = sorted(a.names ^ b.names)[0].lstrip("#")
                return f"{language}: {odd!r} is {'left out' if odd in a.names or '#' + odd in a.names else 'added'}"
            if a.numbers != b.numbers:
                return f"{language}: its numbers are not those of the question ({', '.join(a.numbers) or 'none'})"
            if a.senses != b.senses:
                odd = sorted(a.senses ^ b.senses)[0]
                return f"{language}: {odd!r} is {'left out' if odd in a.senses else 'added'}"
            if a.events != b.events:
                return f"{language}: what happens must be said in the question's own words"
            if a.order != b.order:
                return f"{language}: the things are named in another order"
        return None


def malformed(text: Text) -> str | None:
    """Why a wording is no single question in each of the two languages."""
    for language, mark in (("en", "?"), ("zh", "？")):
        said = getattr(text, language)
        if not said.isprintable() or not 4 <= len(said) <= LONGEST:
            return f"{language} must be one line of 4 to {LONGEST} characters"
        if said.count(mark) != 1 or not said.endswith(mark):
            return f"{language} must be one question that ends in {mark}"
        if bool(HAN.search(said)) != (language == "zh"):
            return f"{language} is in another language"
    return None


def tidy(en: str, zh: str) -> Text:
    """Wordings as they are kept: single spaces, and the marks of their language."""
    return Text(en=" ".join(en.replace("？", "?").split()), zh=" ".join(zh.replace("?", "？").split()))
