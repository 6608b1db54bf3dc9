"""Which kinds are asked of a clip: the kind asked least so far, keeping the share of change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from synth4d.ask.kinds import KINDS
from synth4d.records import Question

CHANGE = ("state", "change", "time", "cause")
APART = ("dialogue", "caption")
"""Asked first, few a clip; the shares are of the others."""
CHANGE_SHARE = {True: 0.85, False: 0.5}
"""Of a dynamic clip's questions (and of others), this share is about state, change, time or cause, where there
are enough; a viewer confirms fewer of these, and two thirds of what is kept should be."""


@dataclass
class Pick:
    """Takes from the kind asked least so far, keeping the share of change in a dynamic clip."""

    supply: dict[str, Iterator[list[Question]]]
    total: int
    limits: dict[str, int]
    moving: bool
    once: dict[str, str] = field(default_factory=dict)
    """Kinds of which, together with all of the same word, one is taken at most."""
    taken: list[Question] = field(default_factory=list)

    def all(self) -> list[Question]:
        while len(self.taken) < self.total and self.supply:
            if (name := self._next()) is None:
                break
            pack = next(self.supply[name], None)
            if pack is None or self._too_many(name, len(pack)):
                del self.supply[name]
            else:
                self.taken += pack
        return self.taken

    def _too_many(self, name: str, more: int) -> bool:
        asked = sum(q.kind == name for q in self.taken)
        return len(self.taken) + more > self.total or asked + more > self.limits[name]

    def _next(self) -> str | None:
        counts = {name: sum(q.kind == name for q in self.taken) for name in self.supply}
        spent = {self.once[q.kind] for q in self.taken if q.kind in self.once}
        open_ = [n for n in self.supply if counts[n] < self.limits[n] and self.once.get(n) not in spent]
        if apart := [n for n in open_ if KINDS[n].family in APART]:
            return min(apart, key=lambda n: counts[n])
        of_change = sum(q.family in CHANGE for q in self.taken)
        of_space = sum(q.family not in (*CHANGE, *APART) for q in self.taken)
        wants_change = of_change < CHANGE_SHARE[self.moving] * (of_change + of_space + 1)
        group = [n for n in open_ if (KINDS[n].family in CHANGE) == wants_change]
        # Where no more can be asked about change, space fills up no further than this.
        if not group and wants_change and of_space + 2 > of_change * (0.5 if self.moving else 4):
            return None
        open_ = group or open_
        return min(open_, key=lambda n: counts[n]) if open_ else None
