"""How long a server asks to wait, and how waits grow."""

from __future__ import annotations

import asyncio

import pytest

from synth4d import seeds
from synth4d.llm import Endpoint
from synth4d.llm.faults import retry_after
from synth4d.llm.pace import FIRST_WAIT_S, LAST_WAIT_S, Pace

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "30"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "30"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:45 GMT"}, 45.0),
        ({"retry-after": "Fri, 15 Jan 2027 09:00:45 +0100"}, 45.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT", "date": "Thu, 01 Jan 1970 00:00:20 GMT"}, 40.0),
        ({"retry-after": "a while"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Fri, 99 Jan 2027 25:00:00 GMT"}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after(headers, NOW) == wait


def test_waits_double_up_to_a_bound_and_differ() -> None:
    async def waits(name: str) -> list[float]:
        pace = Pace(Endpoint(model="m"), seeds.rng(name), met=True)
        return [pace.backoff(n) for n in range(40)]

    one, same, other = (asyncio.run(waits(name)) for name in ("a", "a", "b"))
    assert one == same != other
    for n, wait in enumerate(one):
        full = min(LAST_WAIT_S, FIRST_WAIT_S * 2**n)
        assert full / 2 <= wait <= full
