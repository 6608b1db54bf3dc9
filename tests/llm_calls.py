"""Calls and scripts for the tests of `synth4d.llm`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llm_server import JSON, Say
from pydantic import BaseModel, ConfigDict

from synth4d.llm import Call, Door

CANARY = "sk-CANARY-0123456789abcdef"


class Word(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: str
    number: int


class Reason(Word):
    why: str


Make = Callable[..., Door]


def call(text: str = "Is it?", kind: str = "state", **changes: Any) -> Call[Word]:
    return Call(kind, [{"role": "user", "content": text}], Word, **({"seed": 1} | changes))


def calls(n: int, **changes: Any) -> list[Call[Word]]:
    return [call(f"question {i}", seed=i, **changes) for i in range(n)]


def in_turn(*says: Say) -> Callable[[JSON, int], Say]:
    """The n-th hit of all gets the n-th say; the last one for ever."""
    left = list(says)
    return lambda request, hit: left.pop(0) if len(left) > 1 else left[0]
