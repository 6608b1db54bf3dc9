"""What a run asked, got and paid, by kind; and the budget that ends it."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from synth4d.errors import ConfigError, TryLater
from synth4d.llm.call import Answer, Outcome, Rejected, Request
from synth4d.llm.faults import GO_ON
from synth4d.llm.reply import Reply
from synth4d.llm.settings import Budget, Price


@dataclass(slots=True)
class Tally:
    """The counts of one kind. asked = answered + rejected + pending, once a run has ended."""

    asked: int = 0
    answered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """By the fault of the last reply."""
    pending: int = 0
    replayed: int = 0
    """Replies that were in the store."""
    hits: int = 0
    """Requests sent."""
    faults: Counter[str] = field(default_factory=Counter)
    """What was wrong with replies, and why requests failed."""
    prompt: int = 0
    """Tokens of all replies used, replayed ones too."""
    cached: int = 0
    completion: int = 0
    usd: float = 0.0
    """Paid in this run."""
    usd_lost: float = 0.0
    """At most paid for replies that never came whole."""


class Ledger:
    """Counts by kind, under a budget. Money is reserved at its worst before a request is sent, so that
    `max_usd` is not exceeded however many are in flight."""

    def __init__(self, budget: Budget, model: str) -> None:
        self.kinds: defaultdict[str, Tally] = defaultdict(Tally)
        self._budget = budget
        self._price: Price | None = budget.prices.get(model)
        if budget.max_usd is not None and self._price is None:
            raise ConfigError(f"max_usd needs the price of {model!r}; priced are {', '.join(sorted(budget.prices))}")
        self._reserved, self._in_flight = 0.0, 0
        self._settled: asyncio.Event | None = None
        """Set and dropped when something in flight has ended."""

    # ---- Money -----------------------------------------------------------------------------------

    @property
    def hits(self) -> int:
        return sum(t.hits for t in self.kinds.values())

    @property
    def usd(self) -> float:
        return sum(t.usd + t.usd_lost for t in self.kinds.values())

    async def reserve(self, request: Request) -> float:
        """Take a request's worst cost out of the budget; waits while others in flight may still give some back."""
        most, limit = self._budget.max_requests, self._budget.max_usd
        worst = self._price.usd(request.prompt_tokens, request.completion_tokens) if self._price else 0.0
        while True:
            if most is not None and self.hits >= most:
                raise TryLater(f"the budget of {most} requests is spent; {GO_ON}")
            if limit is None or self.usd + self._reserved + worst <= limit:
                break
            if self._in_flight == 0:
                said = f"${self.usd:.4f} are gone and the next request may cost ${worst:.4f}"
                raise TryLater(f"the budget of ${limit:g} is spent: {said}; {GO_ON}")
            if self._settled is None:
                self._settled = asyncio.Event()
            await self._settled.wait()
        self._reserved += worst
        self._in_flight += 1
        self.kinds[request.kind].hits += 1
        return worst

    def settle(self, request: Request, worst: float, reply: Reply | None, *, lost: bool = False) -> None:
        """Give back what was reserved, less what the reply cost; `lost`: it may have been paid for all the same."""
        self._in_flight -= 1
        self._reserved = self._reserved - worst if self._in_flight else 0.0
        tally = self.kinds[request.kind]
        if reply is not None and reply.status == 200 and self._price:
            counted = reply.prompt is not None and reply.completion is not None
            tally.usd += self._price.usd(reply.prompt or 0, reply.completion or 0, reply.cached) if counted else worst
        elif lost:
            tally.usd_lost += worst
        if self._settled is not None:
            self._settled.set()
            self._settled = None

    # ---- Counts ----------------------------------------------------------------------------------

    def used(self, kind: str, reply: Reply) -> None:
        tally = self.kinds[kind]
        tally.prompt += reply.prompt or 0
        tally.cached += reply.cached
        tally.completion += reply.completion or 0

    def close(self, kind: str, outcome: Outcome[Any]) -> None:
        tally = self.kinds[kind]
        if isinstance(outcome, Answer):
            tally.answered += 1
            tally.faults.update(outcome.faults)
        elif isinstance(outcome, Rejected):
            tally.rejected[outcome.faults[-1]] += 1
            tally.faults.update(outcome.faults)
        else:
            tally.pending += 1

    def rows(self) -> dict[str, dict[str, Any]]:
        """Plain data for a report: kind to its counts."""
        return {kind: _plain(tally) for kind, tally in sorted(self.kinds.items())}


def _plain(tally: Tally) -> dict[str, Any]:
    values = {name: getattr(tally, name) for name in Tally.__slots__}
    return {
        name: dict(sorted(v.items())) if isinstance(v, Counter) else round(v, 6) if isinstance(v, float) else v
        for name, v in values.items()
    }
