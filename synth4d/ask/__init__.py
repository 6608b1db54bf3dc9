"""The template author: asks what a clip's facts can answer, in English and Chinese.

    ask(facts, camera, rng=…, total=24)   questions, each with its program, answer, choices and evidence

Every answer is the program's, run on the world's facts; a draft whose program refuses is dropped.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from synth4d.ask import change, layout, space, state, time  # noqa: F401  (declare the kinds)
from synth4d.ask.choices import options
from synth4d.ask.kinds import KINDS, Draft, Kind
from synth4d.ask.stock import Stock
from synth4d.ask.template import load
from synth4d.program import Program, Refusal, Value, View, answer, parse, run, word
from synth4d.records import CameraRecord, Evidence, Facts, Label, Question, Turn, dump

CHANGE = ("state", "change", "time", "cause")
CHANGE_SHARE = {True: 0.85, False: 0.5}
"""Of a dynamic clip's questions (and of others), this share is about state, change, time or cause, where there
are enough; a viewer confirms fewer of these, and two thirds of what is kept should be."""
SPREAD = 6
"""A kind gets at most this part of a clip's questions."""
CHOICES_SHARE = 0.5
"""Of the questions that can have options, this share gets them."""

__all__ = ["CHANGE", "KINDS", "ask"]


def ask(
    facts: Facts,
    camera: CameraRecord,
    *,
    rng: np.random.Generator,
    total: int = 24,
    quotas: Mapping[str, int] | None = None,
    absent: Sequence[tuple[str, Label]] = (),
    prompts: Path | None = None,
) -> list[Question]:
    """Up to `total` questions about a clip, spread over the kinds.

    `quotas` caps kinds by name (a kind left out gets at most a sixth of the total); `absent` are categories
    of the scene that this clip may lack, for premises that are false.
    """
    stock = Stock(View(facts, camera), rng, load(prompts), absent)
    weight = {name: rng.random() * (0.4 if k.rare else 1.0) for name, k in KINDS.items()}
    supply = {name: _packs(KINDS[name], stock) for name in sorted(KINDS, key=lambda n: weight[n])}
    most = max(2, math.ceil(total / SPREAD))
    limits = {name: (quotas or {}).get(name, most) for name in KINDS}
    return _Pick(supply, total, limits, stock.moving).all()


# ---- Choosing among kinds ------------------------------------------------------------------------


@dataclass
class _Pick:
    """Takes from the kind asked least so far, keeping the share of change in a dynamic clip."""

    supply: dict[str, Iterator[list[Question]]]
    total: int
    limits: dict[str, int]
    moving: bool
    taken: list[Question] = field(default_factory=list)

    def all(self) -> list[Question]:
        while len(self.taken) < self.total and self.supply:
            if (name := self._next()) is None:
                break
            pack = next(self.supply[name], None)
            if pack is None or len(self.taken) + len(pack) > self.total:
                del self.supply[name]
            else:
                self.taken += pack
        return self.taken

    def _next(self) -> str | None:
        counts = {name: sum(q.kind == name for q in self.taken) for name in self.supply}
        open_ = [n for n in self.supply if counts[n] < self.limits[n]]
        of_change = sum(q.family in CHANGE for q in self.taken)
        of_space = len(self.taken) - of_change
        wants_change = of_change < CHANGE_SHARE[self.moving] * (len(self.taken) + 1)
        group = [n for n in open_ if (KINDS[n].family in CHANGE) == wants_change]
        # Where no more can be asked about change, space fills up no further than this.
        if not group and wants_change and of_space + 2 > of_change * (0.5 if self.moving else 1.5):
            return None
        open_ = group or open_
        return min(open_, key=lambda n: counts[n]) if open_ else None


# ---- Making questions ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answered:
    draft: Draft
    program: Program
    value: Value


def _packs(kind: Kind, stock: Stock) -> Iterator[list[Question]]:
    """Questions of a kind, no two alike; of a paired kind two at a time, with different answers."""
    done: set[str] = set()
    waiting: dict[str, list[_Answered]] = {}
    for answered in _answered(kind, stock):
        draft, value = answered.draft, answered.value
        # Two questions are alike when they are about the same things, and where states change, say the same.
        said = word(value, stock.facts).en if kind.paired or kind.family in CHANGE else ""
        alike = dump([sorted(draft.objects), said]).decode()
        same = dump(draft.program).decode()
        if same in done or (alike in done and draft.objects):
            continue
        done |= {same, alike}
        if not kind.paired:
            yield [_question(kind, stock, answered)]
            continue
        others = waiting.setdefault(draft.group, [])
        match = next((o for o in others if o.value.value != value.value), None)
        if match is None:
            others.append(answered)
        else:
            others.remove(match)
            yield [_question(kind, stock, a) for a in stock.shuffled([match, answered])]


def _answered(kind: Kind, stock: Stock) -> Iterator[_Answered]:
    """Drafts that the world's facts answer, of the first `tries`."""
    for _, draft in zip(range(kind.tries), kind.drafts(stock), strict=False):
        if not draft.unseen and not all(any(stock.clear(f, id) for f in draft.frames) for id in draft.objects):
            continue
        program = parse(draft.program)
        value = run(program, stock.view)
        if not isinstance(value, Refusal) and _worth_asking(value, draft, stock):
            yield _Answered(draft, program, value)


def _worth_asking(value: Value, draft: Draft, stock: Stock) -> bool:
    """No zero distances or counts, and every thing that the answer names has a name of its own."""
    if value.type in ("number", "int"):
        return bool(value.value > 0)
    if value.type == "object":
        return stock.ref(value.value) is not None
    if value.type == "objects":
        return len(value.value) <= 4 and len(stock.refs(value.value)) == len(value.value)
    if value.type == "choice" and ":" in value.value:
        return stock.ref(int(value.value.split(":")[1])) is not None
    return True


def _question(kind: Kind, stock: Stock, answered: _Answered) -> Question:
    draft, value = answered.draft, answered.value
    family, _, name = kind.name.partition(".")
    said = stock.prompts.say(family, name, draft.slots, stock.rng)
    found = None
    if draft.pool is not None and stock.chance(CHOICES_SHARE):
        found = options(value, draft.pool, stock.facts, stock.rng)
    digest = hashlib.sha256(dump([stock.facts.key, kind.name, draft.program])).hexdigest()
    turn = Turn(
        question=said,
        answer=answer(value, stock.facts),
        choices=found[0] if found else None,
        correct=found[1] if found else None,
        program=draft.program,
    )
    return Question(
        id=digest[:16],
        kind=kind.name,
        family=kind.family,
        author=f"template@{stock.prompts.hash}",
        turns=[turn],
        evidence=Evidence(frames=sorted(set(draft.frames)), objects=sorted(_named(value, draft))),
        difficulty=_difficulty(stock, answered),
    )


def _named(value: Value, draft: Draft) -> set[int]:
    """The things a question is about and those its answer names."""
    named = set(draft.objects)
    if value.type == "object":
        named.add(value.value)
    elif value.type == "objects":
        named |= set(value.value)
    elif value.type == "choice" and ":" in value.value:
        named.add(int(value.value.split(":")[1]))
    return named


def _difficulty(stock: Stock, answered: _Answered) -> float:
    """0..1: 0.1 + 0.02 a step of the program (≤ 0.3) + 0.1 an evidence frame beyond the first (≤ 0.2) +
    0.2 for memory + 0.2 · (1 − √(least visible thing's share of the frame / 2 %), never below 0)."""
    draft = answered.draft
    steps = min(0.3, 0.02 * answered.program.nodes)
    frames = min(0.2, 0.1 * (len(set(draft.frames)) - 1))
    area = stock.facts.width * stock.facts.height
    pixels = [max(stock.view.thing(id).pixels) / area for id in draft.objects] or [0.02]
    small = 0.2 * max(0.0, 1.0 - math.sqrt(min(pixels) / 0.02))
    return round(min(1.0, 0.1 + steps + frames + 0.2 * draft.unseen + small), 3)
