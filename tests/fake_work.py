"""A stand-in for the stages: tiny samples that follow from the shot, and every way to fail on demand."""

from __future__ import annotations

import ctypes
import os
import time

from synth4d import seeds
from synth4d.config import RunConfig
from synth4d.errors import CannotHappen
from synth4d.records import Answer, Evidence, Question, Text, Turn, Verdict, dump
from synth4d.run.plan import SceneRef
from synth4d.run.work import Clock, Made
from synth4d.types import Shot

SCENES = (SceneRef("toy", "0" * 64, "toy"),)


def versions() -> dict[str, str]:
    return {"code": "fake"}


def question(n: int) -> Question:
    text = Text(en=f"Question {n}?", zh=f"问题{n}？")
    answer = Answer(type="int", value=n, text=Text(en=str(n), zh=str(n)))
    turn = Turn(question=text, answer=answer, program={"op": "count"})
    return Question(
        id=f"q{n}", kind="space.count", family="space", author="template@test", turns=[turn],
        evidence=Evidence(frames=[0], objects=[]), difficulty=0.5,
        verdict=Verdict(keep=False, reason="pixels: not visible", witnesses={}),
    )  # fmt: skip


def guessable(shot: Shot) -> list[Question]:
    """Two of a kind whose answer is mostly `the counter`, and one of a kind that says nothing."""
    rng = seeds.rng(shot.key, "fake")
    return [
        _choice(f"{shot.index}a", "state.where", 0 if rng.random() < 0.9 else int(rng.integers(1, 4))),
        _choice(f"{shot.index}b", "state.where", 0 if rng.random() < 0.9 else int(rng.integers(1, 4))),
        _choice(f"{shot.index}c", "space.side", int(rng.integers(4))),
    ]


def _choice(id: str, kind: str, right: int) -> Question:
    names = ("counter", "shelf", "table", "sink") if kind == "state.where" else ("left", "right", "front", "back")
    places = [Text(en=f"on the {p}", zh=f"在{p}上") for p in names]
    turn = Turn(
        question=Text(en="Where is it?", zh="它在哪里？"), choices=places, correct=right, program={"op": "where"},
        answer=Answer(type="choice", value=f"on:{right}", text=places[right]),
    )  # fmt: skip
    return question(0).model_copy(
        update={"id": id, "kind": kind, "turns": [turn], "verdict": Verdict(keep=True, reason="agree", witnesses={})}
    )


def make(shot: Shot, config: RunConfig, scene: SceneRef, attempt: int, clock: Clock) -> Made:
    """Reads FAKE: `seconds=0.2` of sleep a shot, and `index:fault` for the shots that go wrong."""
    faults = dict(f.split(":") for f in os.environ.get("FAKE", "").split(",") if ":" in f)
    with clock.stage("simulate"):
        if seconds := float(os.environ.get("FAKE_SECONDS", "0")):
            time.sleep(seconds)
        fault = faults.get(str(shot.index))
        if fault == "never" or (fault == "once" and attempt == 0):
            raise CannotHappen(f"the door is blocked at attempt {attempt}")
        if fault == "raise":
            raise ValueError("a fault\nof a stage")
        if fault == "segfault":
            ctypes.string_at(0)
        if fault == "hang":
            time.sleep(1e9)
        if fault == "memory":
            bytearray(1 << 40)
    for stage in ("render", "annotate", "ask", "filter"):
        with clock.stage(stage):
            pass
    members = {name: f"{name} of {shot.key} {attempt}".encode() * 50 for name in ("mp4", "facts.json", "qa.json")}
    kept = guessable(shot)
    if config.blind.probe != "none":
        members["qa.json"] = dump(kept)
    return Made(members, [question(shot.index)], shot.frames, len(kept))
