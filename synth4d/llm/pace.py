"""When a request may go out: how many at once, not before the server said, slowly while it is down."""

from __future__ import annotations

import asyncio

import numpy as np

from synth4d.errors import TryLater
from synth4d.llm.faults import GO_ON, Again
from synth4d.llm.settings import Endpoint

FIRST_WAIT_S, LAST_WAIT_S = 0.25, 30.0
DOWN = 16
"""Failures in a row that mean the server is down, not unlucky: at 22 % failures, 3 in 10¹¹."""
ENDED = "the run ended while a request waited to be sent"


class Pace:
    """Of one run of an event loop. Until the server has replied once, one request is out at a time, so a wrong key
    costs one request and not as many as there are workers."""

    def __init__(self, endpoint: Endpoint, rng: np.random.Generator, *, met: bool) -> None:
        self._endpoint, self._rng = endpoint, rng
        self.met = met
        self._slots = asyncio.Semaphore(endpoint.in_flight if met else 1)
        self._not_before = 0.0
        self._failures = self._level = 0
        """Failures in a row; pauses in a row."""
        self._failing_since = 0.0
        self._ended = asyncio.Event()

    @property
    def down(self) -> bool:
        return self._failures >= DOWN

    async def enter(self) -> None:
        """Take a slot, at a time when requests may be sent."""
        while True:
            await self._slots.acquire()
            if self._ended.is_set():
                self._slots.release()
                raise TryLater(ENDED)
            left = self._not_before - _now()
            if left <= 0:
                return
            self._slots.release()
            await self.sleep(left)

    def leave(self) -> None:
        self._slots.release()

    async def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the run: TryLater then."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return
        raise TryLater(ENDED)

    def end(self) -> None:
        """Nothing more is sent, and nobody waits any longer."""
        self._ended.set()

    def succeeded(self) -> None:
        self._failures = self._level = 0
        if not self.met:
            self.met = True
            for _ in range(self._endpoint.in_flight - 1):
                self._slots.release()

    def failed(self, again: Again) -> None:
        """Note a failure; TryLater once nothing has come but failures for longer than the endpoint's patience."""
        now = _now()
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        if again.wait_s is not None:
            self._not_before = max(self._not_before, now + again.wait_s)
        elif self.down and now >= self._not_before:
            self._not_before = now + self.backoff(self._level)
            self._level += 1
        if self.down and now - self._failing_since > self._endpoint.patience_s:
            lasted = f"{now - self._failing_since:.0f} s (last: {again.fault})"
            raise TryLater(f"{self._endpoint.base_url} has only failed for {lasted}; {GO_ON}")

    def backoff(self, n: int) -> float:
        """Seconds before try n + 1: doubling, a random half of it, so that those who failed together come apart."""
        full = min(LAST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(n, 20))
        return full * (0.5 + 0.5 * float(self._rng.random()))


def _now() -> float:
    return asyncio.get_running_loop().time()
