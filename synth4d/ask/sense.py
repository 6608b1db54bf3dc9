"""What a wording says, as far as words can tell: which things, which numbers, which turns of sense.

So a question's wording can be held against its program, and a paraphrase against the wording it came from. It finds
what contradicts; whether a wording is right in all else is for a witness that reads it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from synth4d.program import Program
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
    "farthest": (r"\b(f[au]rthe(st|r)|most distant)\b", "[最更]远|远一些|较远"),
    "first": (r"\b(first|earli(est|er))\b", "第一|最先|[最更]早|首先|先(?!后)|在前"),
    "last": (r"\b(last|latest)\b", "最后|最晚"),
    "full": (r"\bfull\b", "满"),
    "empty": (r"\bempty\b", "空"),
    "not": (r"\b(not|never|cannot|without|except|other than|no longer|un\w+ed)\b|n['’]t\b", "[不没未非别]|除"),
}
"""Turns of sense that change an answer, as patterns of each language."""
PAIRS = (
    ("open", "closed"), ("left", "right"), ("before", "after"), ("nearest", "farthest"), ("first", "last"),
    ("full", "empty"),
)  # fmt: skip
OPPOSITE = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
HARMLESS = {
    "en": re.compile(r"\bwhether or not\b|\b(first|last|final) (frame|moment|picture|image)\b"),
    "zh": re.compile(
        r"(.)[不没]\1|第一[帧刻]|最[后末]一?[帧刻]|最后时?刻?(?=的时候|，|,|时)|不同|分别|前面|后面|特别|别的"
        r"|开[始头]|离开|开关"
    ),
}
"""Taken out before senses are looked for: 是不是, the first frame."""
OF_OP = {"before": "before", "after": "after", "nearest": "nearest", "farthest": "farthest", "first": "first"}
OF_OP |= {"earliest": "first", "last": "last"}
OF_WORD = {
    ("side", "left"): "left", ("side", "right"): "right", ("state", "open"): "open", ("state", "closed"): "closed",
    ("state", "full"): "full", ("state", "empty"): "empty", ("kind", "open"): "open", ("kind", "close"): "closed",
}  # fmt: skip
EITHER = {
    "state": ("open", "closed", "full", "empty"), "side": ("left", "right"), "movement": ("left", "right"),
    "direction": ("left", "right"), "order": ("first", "last", "open", "closed"), "openness": ("open", "closed"),
    "depth_order": ("nearest", "farthest", "first", "last"), "appearance_order": ("first", "last"),
    "changed": ("open", "closed", "full"), "restored": ("open", "closed"), "remembered": ("open", "closed"),
    "inside": ("open", "closed"), "fill": ("full", "empty"), "turn_on": ("open",), "turn_off": ("closed",),
    "on": ("open",), "off": ("closed",), "before": ("first",), "after": ("first",),
}  # fmt: skip
"""Operations and words whose wording may have these senses too; in Chinese a lamp is 开着 as a door is."""
SILENT = {("size", "at"), ("biggest", "at")}
"""What a wording may keep silent about."""
PERCENT = {"0", "100"}


@dataclass(frozen=True, slots=True)
class Said:
    """What one wording says."""

    names: frozenset[str]
    numbers: Counter[str]
    senses: frozenset[str]


class Reader:
    """Reads wordings about one clip, whose names it knows."""

    def __init__(self, facts: Facts, absent: Iterable[tuple[str, Label]] = ()) -> None:
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
        names, rest = set[str](), text
        for key, pattern in self._names[language]:
            rest, found = pattern.subn("\x00", rest)
            if found:
                names.add(key)
        numbers = Counter(f"{float(n):g}" for n in NUMBER.findall(rest))
        plain = HARMLESS[language].sub(" ", rest.lower())
        at = LANGUAGES.index(language)
        senses = frozenset(name for name, patterns in SENSES.items() if re.search(patterns[at], plain))
        return Said(frozenset(names), numbers, senses)

    # ---- A wording and its program ---------------------------------------------------------------

    def contradiction(self, text: Text, program: Program) -> str | None:
        """What the wording says that the program doesn't compute, or the other way round."""
        all_, loud = list(nodes(program)), list(nodes(program, silent=False))
        names, must_name = self._named(all_), self._named(loud)
        if unknown := sorted(n for n in names if not self._known(n)):
            return f"nothing here is called {unknown[0].lstrip('#')!r}"
        numbers, must_number = _numbers(all_), _numbers(loud)
        may, must = _senses(all_), _senses(loud)
        either = {s for n in all_ for word in (n.op.name, *_words(n)) for s in EITHER.get(word, ())}
        for language in LANGUAGES:
            said = self.read(getattr(text, language), language)
            words = self._same_word(said.names, language)
            if missing := sorted(self._same_word(must_name, language) - words):
                return f"{language} does not name {missing[0].lstrip('#')!r}, which the program is about"
            if added := sorted(words - self._same_word(names, language)):
                return f"{language} names {added[0].lstrip('#')!r}, which the program is not about"
            if odd := sorted(must_number - set(said.numbers)) or sorted(set(said.numbers) - numbers - PERCENT):
                return f"the number {odd[0]} is in one of {language} and the program only (write digits)"
            if "not" in said.senses:
                return f"{language} has a negation; ask in the affirmative"
            for sense in sorted(must):
                if sense not in said.senses:
                    return f"the program says {sense!r}, {language} does not"
                opposite = OPPOSITE[sense]
                if opposite in said.senses and opposite not in may | either:
                    return f"{language} says {opposite!r}, the program {sense!r}"
        return None

    def _named(self, nodes: list[Program]) -> set[str]:
        """Labels and #colours that programs are about, known here or not."""
        found = set[str]()
        for fields in (n.fields for n in nodes if n.op.name == "filter"):
            if fields["label"]:
                found.add(fields["label"])
            if fields["category"]:
                found |= self.category.get(fields["category"], {fields["category"]})
            if fields["colour"]:
                found.add(f"#{fields['colour']}")
        return found

    def _known(self, name: str) -> bool:
        return name[1:] in self.colours if name.startswith("#") else name in self.labels

    def _same_word(self, names: Iterable[str], language: str) -> set[str]:
        """Names as their words in a language: in Chinese two labels may be one word."""
        return {n if n.startswith("#") else getattr(self.labels[n], language) for n in names}

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
        return None


def nodes(program: Program, *, silent: bool = True) -> Iterator[Program]:
    """A program and all within it, from the outside in; without those that a wording may keep silent about."""
    yield program
    for key, value in program.fields.items():
        if not silent and (program.op.name, key) in SILENT:
            continue
        for sub in value if isinstance(value, list) else [value]:
            if isinstance(sub, Program):
                yield from nodes(sub, silent=silent)


def _words(node: Program) -> list[str]:
    return [v for k, v in node.fields.items() if isinstance(v, str) and node.op.name != "filter"]


def _numbers(nodes: list[Program]) -> set[str]:
    return {f"{v:g}" for n in nodes for v in n.fields.values() if isinstance(v, float)}


def _senses(nodes: list[Program]) -> set[str]:
    ops = {OF_OP[n.op.name] for n in nodes if n.op.name in OF_OP}
    return ops | {OF_WORD[k, v] for n in nodes for k, v in n.fields.items() if isinstance(v, str) and (k, v) in OF_WORD}


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
