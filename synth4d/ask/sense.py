"""Wordings by a model: whether they are a question at all, and whether a paraphrase says what its original does.

Whether a wording asks what its program computes is `program.faults`' to say.
"""

from __future__ import annotations

import re

from synth4d.program import View, clause, words
from synth4d.program.faults import PAIRS
from synth4d.program.names import Names
from synth4d.program.said import LANGUAGES, Said, taken_apart
from synth4d.records import Text

HAN = re.compile(r"[\u4e00-\u9fff]")
LONGEST = 400
SENSES = sorted({concept for pair in words.OPPOSITES for concept in pair})
"""Concepts that change an answer."""


def drift(was: Text, now: Text, view: View, names: Names) -> str | None:
    """What a paraphrase says otherwise than its original."""
    for language in LANGUAGES:
        a, b = (taken_apart(getattr(t, language), language, names) for t in (was, now))
        (own, events), (other, told) = (_bare(getattr(t, language), language, view) for t in (was, now))
        if odd := {m.labels for m in a.mentions} ^ {m.labels for m in b.mentions}:
            return f"{language}: {min(map(min, odd))!r} is left out or added"
        if {_as(m) for m in a.mentions} != {_as(m) for m in b.mentions}:
            return f"{language}: a colour or a side is left out or added"
        if a.numbers != b.numbers:
            return f"{language}: its numbers are not those of the question ({', '.join(map(str, a.numbers)) or 'none'})"
        if odd_senses := sorted(_senses(a) ^ _senses(b)):
            return f"{language}: {odd_senses[0]!r} is left out or added"
        if events != told:
            return f"{language}: what happens must be said in the question's own words"
        if [_as(m) for m in names.mentions(own)] != [_as(m) for m in names.mentions(other)]:
            return f"{language}: the things are named in another order"
    return None


def _as(mention: object) -> tuple[object, ...]:
    return tuple(getattr(mention, name) for name in ("labels", "colour", "side"))


def _senses(said: Said) -> set[str]:
    found = {c for c in SENSES if words.CONCEPTS[c].said(said.text(c), said.language)}
    found |= {"not"} if words.NOT.said(said.masked, said.language) else set()
    return found | (said.moments & {m for pair in PAIRS for m in pair})


def _bare(text: str, language: str, view: View) -> tuple[str, list[int]]:
    """A wording without what happens in it, which may stand anywhere, and what that is."""
    found = list[int]()
    for event in view.facts.events:
        for going_on in (False, True):
            said = getattr(clause(view.facts, event, going_on), language)
            if said.lower() in text.lower():
                text = re.sub(re.escape(said), " ", text, flags=re.IGNORECASE)
                found.append(event.id)
    return text, sorted(set(found))


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
