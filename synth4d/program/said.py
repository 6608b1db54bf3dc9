"""One wording, taken apart: what it names, its numbers and moments, and what is left."""

from __future__ import annotations

import re
from dataclasses import dataclass

from synth4d.program import words
from synth4d.program.names import Mention, Names, plain
from synth4d.program.numerals import numbers
from synth4d.records import Text

LANGUAGES = ("en", "zh")
_MARK = re.compile(r"⟦(\d+)⟧")
_TOLD = re.compile(r"\d|sec|min|(?<![a-z])m?s\b|秒|分钟")
"""What a text has at least that tells a number in digits, or a time: to read all its numbers takes far longer
(test_wordings.py::test_a_text_that_tells_a_number_is_seen_to)."""


@dataclass(frozen=True, slots=True)
class Said:
    """One wording, taken apart."""

    language: str
    masked: str
    """With marks for names."""
    rest: str
    """…and without the phrases for start and end."""
    mentions: list[Mention]
    numbers: frozenset[float]
    seconds: frozenset[float]
    """Of the numbers, those of this unit."""
    moments: frozenset[str]

    def text(self, concept: str) -> str:
        """Where a concept is looked for: `first` is not that of "the first frame", but for what is first of all."""
        return self.masked if concept in ("first", "last") else self.rest


def taken_apart(text: str, language: str, names: Names) -> Said:
    masked, mentions = names.masked(words.DRAWN.sub(" ", text))
    masked = words.WHOLE.sub(" ", words.DIMENSIONS.sub(" ", masked))
    unmarked = _MARK.sub("⟦⟧", masked)
    found = [
        n for n in (numbers(unmarked) if _TOLD.search(unmarked) else ())
        if (n.unit == "s" or any(c.isdigit() for c in unmarked[n.start : n.end])) and (n.value, n.unit) != (100.0, "%")
    ]  # fmt: skip
    values, seconds = frozenset(n.value for n in found), frozenset(n.value for n in found if n.unit == "s")
    moments = {m for m, concept in words.MOMENTS.items() if concept.said(unmarked, language)}
    rest = masked
    for moment in ("start", "end") if moments & {"start", "end"} else ():
        concept = words.MOMENTS[moment]
        rest = (concept.en if language == "en" else concept.zh).sub(" ", rest)
    return Said(language, masked, rest, mentions, values, seconds, frozenset(moments))


def denial(text: Text) -> str | None:
    """The language of a wording with a negation that no kind of question needs."""
    for language in LANGUAGES:
        said = plain(getattr(text, language)).lower()
        rest = (words.DENIALS.en if language == "en" else words.DENIALS.zh).sub(" ", said)
        if words.NOT.said(rest, language):
            return language
    return None
