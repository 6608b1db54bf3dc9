"""Which kinds are asked of a clip: the kind asked least so far, keeping the share of change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from synth4d.ask.kinds import KINDS

T = TypeVar("T")
CHANGE = ("state", "change", "time", "cause")
APART = ("dialogue", "caption")
"""Asked first, few a clip; the shares are of the others."""
CHANGE_SHARE = {True: 0.85, False: 0.5}
"""Of a dynamic clip's questions (and of others), this share is about state, change, time or cause, where there
are enough; a viewer confirms fewer of these, and two thirds of what is kept should be."""

FILL = {True: 0.5, False: 4.0}
"""Where no more can be asked about change, others fill up to so many for each that is: two thirds of change stay."""


@dataclass
class Pick(Generic[T]):
    """Takes from the kind asked least so far, keeping the share of change in a dynamic clip."""

    supply: dict[str, Iterator[list[T]]]
    total: int
    limits: dict[str, int]
    moving: bool
    once: dict[str, str] = field(default_factory=dict)
    """Kinds of which, together with all of the same word, one is taken at most."""
    taken: list[T] = field(default_factory=list)
    asked: dict[str, int] = field(init=False)
    """How many are taken of each kind."""

    def __post_init__(self) -> None:
        self.asked = dict.fromkeys(self.supply, 0)

    def all(self) -> list[T]:
        while len(self.taken) < self.total and self.supply:
            open_ = self._open()
            if (name := self._next(open_)) is None:
                break
            pack = next(self.supply[name], None)
            if pack is None or self._too_many(name, len(pack)) or self._fills_up(name, len(pack), open_):
                del self.supply[name]
            else:
                self.taken += pack
                self.asked[name] += len(pack)
        return self.taken

    def _too_many(self, name: str, more: int) -> bool:
        return len(self.taken) + more > self.total or self.asked[name] + more > self.limits[name]

    def _fills_up(self, name: str, more: int, open_: list[str]) -> bool:
        """Whether there would be too many others beside all that can be asked about change."""
        if KINDS[name].family in (*CHANGE, *APART) or any(KINDS[n].family in CHANGE for n in open_):
            return False
        of_change, of_space = self._shares()
        return of_space + more > FILL[self.moving] * of_change

    def _shares(self) -> tuple[int, int]:
        """How many of those taken are about change, and how many about anything else but APART."""
        taken = [(n, KINDS[name].family) for name, n in self.asked.items() if n]
        of_change = sum(n for n, family in taken if family in CHANGE)
        return of_change, sum(n for n, family in taken if family not in (*CHANGE, *APART))

    def _open(self) -> list[str]:
        spent = {word for n, word in self.once.items() if self.asked[n]}
        return [n for n in self.supply if self.asked[n] < self.limits[n] and self.once.get(n) not in spent]

    def _next(self, open_: list[str]) -> str | None:
        if apart := [n for n in open_ if KINDS[n].family in APART]:
            return min(apart, key=self.asked.__getitem__)
        of_change, of_space = self._shares()
        wants_change = of_change < CHANGE_SHARE[self.moving] * (of_change + of_space + 1)
        open_ = [n for n in open_ if (KINDS[n].family in CHANGE) == wants_change] or open_
        return min(open_, key=self.asked.__getitem__) if open_ else None
