"""Which questions to drop, so that who sees no video guesses no better than by chance.

prune(asked, seed=…)             ids of questions to drop, with why
prune_known(asked, guesses)      the same by what somebody else guessed of each of `blind.items(asked)`
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from synth4d.filter.blind import Asked, Form, Row, deals, groups, guessable, scored
from synth4d.filter.guess import UNITS, Guess, Guesser, Item

OPEN_SHARE = 0.4
"""Open questions are dropped only while more than this share is guessed: in a room most counts are small."""
ROUNDS = 60


def prune(pool: Iterable[Asked], *, seed: int, gap: float, folds: int, least: int) -> dict[str, str]:
    """Id of each question to drop, and why: `blind: …`.

    Kinds of fewer than `least` questions, or whose guesses may be luck, are left alone. Of the others, those guessed
    most surely go first, until no more than `gap` above chance are guessed or half of `least` are left.
    """

    def learning(left: list[Item]) -> Guesses | None:
        dealt = deals((i.layout for i in left), folds, seed)
        return Guesser(left, dealt) if len(dealt[0]) >= folds else None

    return _prune(pool, learning, gap, least)


def prune_known(
    pool: Iterable[Asked], guesses: Mapping[tuple[str, str], Guess], *, gap: float, least: int
) -> dict[str, str]:
    """Likewise where what is guessed does not change as questions go. `guesses`: by an item's id and question."""
    return _prune(pool, lambda left: _Known(left, guesses), gap, least)


def _prune(pool: Iterable[Asked], by: Callable[[list[Item]], Guesses | None], gap: float, least: int) -> dict[str, str]:
    dropped: dict[str, str] = {}
    for kind, form, group in groups(pool):
        left = [i for i in guessable([a for a in group if a.id not in dropped]) if len(i.options) > 1]
        if len(left) >= least and (guesser := by(left)) is not None:
            out = _Pruning(guesser, form, gap, least).run()
            dropped |= {id: f"blind: {form} of {kind} guessed" for id in out}
    return dropped


class Guesses(Protocol):
    """What is guessed of some items, by place; once or several times."""

    items: list[Item]

    def guess(self, i: int) -> list[Guess]: ...

    def take_out(self, i: int) -> None: ...


class _Known:
    """Guesses that were made beforehand."""

    def __init__(self, items: list[Item], guesses: Mapping[tuple[str, str], Guess]) -> None:
        self.items, self._guesses = items, guesses

    def guess(self, i: int) -> list[Guess]:
        return [self._guesses[self.items[i].id, self.items[i].question]]

    def take_out(self, i: int) -> None:
        """It learns nothing from the others."""


class _Pruning:
    """Takes questions out of one pool."""

    def __init__(self, guesser: Guesses, form: Form, gap: float, least: int) -> None:
        self.guesser, self.form, self.gap, self.least = guesser, form, gap, least
        self.left = list(range(len(guesser.items)))

    def run(self) -> list[str]:
        out: list[str] = []
        for turn in range(ROUNDS):
            guesses = {i: self.guesser.guess(i) for i in self.left}
            row = scored("", self.form, [self.guesser.items[i] for i in self.left], list(guesses.values()))
            if turn == 0 and not row.leaks:
                break
            chosen = self._next(row, guesses)
            if not chosen:
                break
            for i in chosen:
                self.guesser.take_out(i)
            gone = set(chosen)
            self.left = [i for i in self.left if i not in gone]
            out += [self.guesser.items[i].id for i in chosen]
        return out

    def _next(self, row: Row, guesses: dict[int, list[Guess]]) -> list[int]:
        """Half of those that must go for the luckiest dealing, so that the guesser learns anew in between."""
        most = max(row.chance + self.gap, OPEN_SHARE if self.form == "open" else 0.0)
        guessed = max(sum(deal) for deal in zip(*([g.credit for g in some] for some in guesses.values()), strict=True))
        excess = math.ceil((guessed / UNITS - most * row.n) / (1 - most) - 1e-9)
        count = min(math.ceil(excess / 2), row.n - self.least // 2)
        sure = {
            i: sum(g.margin for g in some if g.credit) for i, some in guesses.items() if any(g.credit for g in some)
        }
        ranked = sorted(sure, key=lambda i: (-sure[i], self.guesser.items[i].id))
        return ranked[: max(count, 0)]
