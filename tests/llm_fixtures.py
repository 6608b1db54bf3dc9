"""A server and doors to it, for the test modules of `synth4d.llm` that name this as a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_calls import CANARY, Make
from llm_server import Server

from synth4d import seeds
from synth4d.llm import Budget, Door, Endpoint, pace


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST_WAIT_S", 0.002)
    monkeypatch.setattr(pace, "LAST_WAIT_S", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def make(quick: None, server: Server, tmp_path: Path) -> Iterator[Make]:
    doors: list[Door] = []

    def make(budget: Budget | None = None, offline: bool = False, **changes: Any) -> Door:
        changes = {"model": "m", "base_url": server.url, "timeout_s": 10.0} | changes
        path = tmp_path / "replies.sqlite"
        doors.append(Door(Endpoint(**changes), path, rng=seeds.rng("test"), budget=budget, offline=offline))
        return doors[-1]

    yield make
    for door in doors:
        door.store.close()
