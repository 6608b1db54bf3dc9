"""The door: asks a model through the store, and never again for what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

import numpy as np
from pydantic import BaseModel

from synth4d.errors import ModelError, TryLater
from synth4d.llm.call import Call, Outcome, Pending, Request, Steps, go_on, walk
from synth4d.llm.client import Client, Exhausted
from synth4d.llm.ledger import Ledger
from synth4d.llm.pace import Pace
from synth4d.llm.reply import Reply
from synth4d.llm.settings import Budget, Endpoint
from synth4d.llm.store import Store

M = TypeVar("M", bound=BaseModel)
AHEAD = 4
"""Calls at work for each request that may be in flight: those that wait to be sent again hold no one up."""


Open = tuple[int, Steps[M], Request]
"""A call by its number, its walk, and the request at which it stands."""


class Door:
    """One way to one model. `ask` may be called any number of times; counts and budget go on.

    Offline, and wherever the store has every reply, no client is made, no key read and no socket opened.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        store: Path,
        *,
        rng: np.random.Generator,
        budget: Budget | None = None,
        offline: bool = False,
    ) -> None:
        """`rng` spreads the waits between tries and nothing else: it is in no reply and no key."""
        self.endpoint, self.offline = endpoint, offline
        self.ledger = Ledger(budget or Budget(), endpoint.model)
        self.store = Store(store, offline=offline)
        self._rng = rng
        self._met = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()

    def __repr__(self) -> str:
        return f"Door({self.endpoint.model!r} at {self.endpoint.base_url}, {self.store.path})"

    # ---- Asking ----------------------------------------------------------------------------------

    def ask(self, calls: Sequence[Call[M]]) -> list[Outcome[M]]:
        """The outcome of each call, in order.

        Raises TryLater when the budget is spent or the server is away, ModelError when no request can succeed (a
        wrong key, an unknown model), or, offline, at the first request that is not in the store. What came before
        is stored: the same calls go on from there. A call that the server failed `tries` times is Pending.
        """
        outcomes, open_ = self._look_up(calls, only_good=not self.offline)
        if open_ and self.offline:
            damaged = f" ({self.store.damaged} damaged rows)" if self.store.damaged else ""
            raise ModelError(f"offline: {open_[0][2]} is not in {self.store.path}{damaged}; run it online once")
        if open_:
            asyncio.run(self._gather(open_, outcomes))
        return cast("list[Outcome[M]]", outcomes)

    def known(self, calls: Sequence[Call[M]]) -> list[Outcome[M]]:
        """The outcome of each call, in order, as far as the store has it; Pending for the rest. Asks nothing."""
        outcomes, open_ = self._look_up(calls, only_good=False)
        for i, _, request in open_:
            outcomes[i] = self._closed(request.kind, Pending("it waits to be asked"))
        return cast("list[Outcome[M]]", outcomes)

    def _look_up(self, calls: Sequence[Call[M]], only_good: bool) -> tuple[list[Outcome[M] | None], list[Open[M]]]:
        """What the store says to each call, and the calls that stand at a request that is not in it."""
        outcomes: list[Outcome[M] | None] = [None] * len(calls)
        open_: list[Open[M]] = []
        for i, call in enumerate(calls):
            self.ledger.kinds[call.kind].asked += 1
            steps = walk(call, self.endpoint)
            found = go_on(steps, None, lambda request: self._known(request, only_good))
            if isinstance(found, Request):
                open_.append((i, steps, found))
            else:
                outcomes[i] = self._closed(call.kind, found)
        return outcomes, open_

    def _known(self, request: Request, only_good: bool = True) -> Reply | None:
        reply = self.store.get(request.key, only_good=only_good)
        if reply is not None:
            self.ledger.kinds[request.kind].replayed += 1
            self.ledger.used(request.kind, reply)
        return reply

    def _closed(self, kind: str, outcome: Outcome[M]) -> Outcome[M]:
        self.ledger.close(kind, outcome)
        return outcome

    # ---- Online ----------------------------------------------------------------------------------

    async def _gather(self, open_: list[Open[M]], outcomes: list[Outcome[M] | None]) -> None:
        """Many workers over one list. The first error ends the run: a TryLater lets what is in flight come home
        (it is paid for), any other breaks it off."""
        pace = Pace(self.endpoint, self._rng, met=self._met)
        todo = iter(open_)
        later: list[TryLater] = []

        async def work(client: Client) -> None:
            for i, steps, request in todo:
                try:
                    outcomes[i] = self._closed(request.kind, await self._finish(client, steps, request))
                except TryLater as error:
                    later.append(error)
                if later:
                    return

        try:
            async with Client(self.endpoint, pace, self.ledger, self.store) as client, asyncio.TaskGroup() as group:
                for _ in range(min(len(open_), AHEAD * self.endpoint.in_flight)):
                    group.create_task(work(client))
        except ExceptionGroup as group_of:
            raise group_of.exceptions[0] from None
        finally:
            self._met = pace.met
            await self.store.flushed()
        if later:
            raise later[0]

    async def _finish(self, client: Client, steps: Steps[M], request: Request) -> Outcome[M]:
        found: Request | Outcome[M] = request
        while isinstance(found, Request):
            try:
                reply = await client.reply(found)
            except Exhausted as error:
                return Pending(str(error))
            self.ledger.used(found.kind, reply)
            found = go_on(steps, reply, self._known)
        return found
