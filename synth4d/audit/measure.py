"""How much noise a filter lets through, and how much good it keeps, measured on errors that were planted.

Good are the questions that a dataset keeps (with `pool`, all that were asked). Of them a share is replaced by copies
with an error, the kinds as evenly as the questions allow; then all are judged as if nothing had happened.
    noise_before   planted / all
    noise_after    planted and kept / all kept; what the filter kept without the wrong part is neither
    good_kept      good and kept / good
Each is {value, low, high, k, n}: k of n, with Wilson's 95 % interval.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from synth4d import seeds
from synth4d.audit.again import Ends, held
from synth4d.audit.clip import Clip
from synth4d.audit.clips import Judged
from synth4d.audit.plant import ERRORS, Planted, plant
from synth4d.config import Votes
from synth4d.filter import witnessed
from synth4d.llm import Talk
from synth4d.llm.talk import Ask
from synth4d.program import View
from synth4d.records import Question

Z = 1.959963984540054
"""Of a two-sided interval of 95 %."""


@dataclass(slots=True)
class Counts:
    """What became of good and planted questions, by the kind of error and by its place."""

    good: int = 0
    good_kept: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    let_through: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    place_let_through: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    missed: list[Planted] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        whole = self._row(sum(self.planted.values()), sum(self.let_through.values()))
        by_error = {e: self._row(n, self.let_through[e]) for e, n in sorted(self.planted.items())}
        by_place = {p: self._row(n, self.place_let_through[p]) for p, n in sorted(self.places.items())}
        return {**whole, "errors": by_error, "places": by_place, "reasons": dict(sorted(self.reasons.items()))}

    def _row(self, planted: int, through: int) -> dict[str, Any]:
        return {
            "noise_before": share(planted, planted + self.good),
            "noise_after": share(through, through + self.good_kept),
            "good_kept": share(self.good_kept, self.good),
            "let_through": share(through, planted),
        }


def share(k: int, n: int) -> dict[str, float | int]:
    """k of n with Wilson's interval (E. B. Wilson, JASA 22, 1927); of nothing, all is possible."""
    if n == 0:
        return {"value": 0.0, "low": 0.0, "high": 1.0, "k": 0, "n": 0}
    p, z2 = k / n, Z * Z / n
    middle, half = (p + z2 / 2) / (1 + z2), Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n)) / (1 + z2)
    low, high = (0.0 if k == 0 else middle - half), (1.0 if k == n else middle + half)
    return {"value": round(p, 5), "low": round(low, 5), "high": round(high, 5), "k": k, "n": n}


def measure(
    found: Iterable[Judged], inject: float, seed: int, *,
    settings: Votes | None = None, ask: Ask | None = None, pool: bool = False,
) -> Counts:  # fmt: skip
    """Plant errors into the questions of clips, filter them, and count."""
    counts, talks, planted = Counts(), list[Talk[Ends]](), list[dict[str, Planted]]()
    used: Counter[str] = Counter()
    for clip in found:
        rng = seeds.rng("audit", seed, clip.key)
        questions = [*clip.kept, *(clip.rejected if pool else [])]
        mixed, wrong = inject_into(questions, View(clip.world, clip.camera), inject, rng, used)
        planted.append(wrong)
        rgb = clip.rgb if settings and settings.frames else None
        talks.append(
            witnessed(mixed, clip.world, clip.pixels, clip.camera, settings or Votes(), absent=clip.absent, rgb=rgb)
        )
    ends = held(talks, ask)
    for (kept, rejected), wrong in zip(ends, planted, strict=True):
        _count(counts, kept, rejected, wrong)
    return counts


def inject_into(
    questions: Sequence[Question], view: View, inject: float, rng: np.random.Generator, used: Counter[str]
) -> tuple[list[Question], dict[str, Planted]]:
    """The questions with a share of them planted, in their order, and what was planted by question id.

    `used` counts over clips: the kinds of error planted least so far come first, and the share is that of all that
    was asked so far. No verdict goes along.
    """
    bare = [q.model_copy(update={"verdict": None}) for q in questions]
    used["asked"] += len(bare)
    wanted = round(inject * used["asked"]) - sum(used[e] for e in ERRORS)
    clip, wrong = Clip(view, rng), dict[str, Planted]()
    for i in rng.permutation(len(bare)):
        if len(wrong) == wanted:
            break
        for error in sorted(clip.shuffled(ERRORS), key=lambda e: used[e]):
            if (made := plant(clip, bare[i], error)) is not None:
                wrong[made.question.id] = made
                used[error] += 1
                break
    return [wrong[q.id].question if q.id in wrong else q for q in bare], wrong


def _count(counts: Counts, kept: list[Question], rejected: list[Question], wrong: dict[str, Planted]) -> None:
    for question in (*kept, *rejected):
        passed = question.verdict is not None and question.verdict.keep
        counts.reasons[question.verdict.reason if question.verdict else "none"] += 1
        if (made := wrong.get(question.id)) is None:
            counts.good += 1
            counts.good_kept += passed
            continue
        counts.planted[made.error] += 1
        counts.places[made.place] += 1
        if passed and made.stands_in(question):
            counts.let_through[made.error] += 1
            counts.place_let_through[made.place] += 1
            counts.missed.append(made)
