"""A small dataset in which everything is true: a drawer opens in the analytic kitchen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import clips
import world_maker

from synth4d import codec, disk, program
from synth4d.annotate import world as world_facts
from synth4d.records import (
    CameraRecord,
    Evidence,
    Facts,
    Quarantine,
    Question,
    Reject,
    ShardRow,
    Text,
    Turn,
    Verdict,
    dump,
)
from synth4d.types import Event, Sample

KEEP = Verdict(keep=True, reason="agree", witnesses={"world": True, "pixels": True, "model": []})
SAID = Text(en="?", zh="？")


def _programs(stage: world_maker.Stage) -> dict[str, dict[str, Any]]:
    def unique(name: str) -> dict[str, Any]:
        return {"op": "unique", "of": {"op": "filter", "category": name}}

    end, start = {"op": "end"}, {"op": "start"}
    opened = {"op": "event", "kind": "open"}
    return {
        "open": {"op": "openness", "object": unique("drawer"), "at": end},
        "changed": {"op": "opening", "object": unique("drawer"), "since": start, "until": end},
        "shut": {"op": "is", "object": unique("door"), "state": "closed", "at": end},
        "when": {"op": "interval", "event": opened},
        "what": {"op": "object_of", "event": opened},
        "far": {"op": "distance", "a": {"op": "camera"}, "b": unique("mug"), "at": start},
        "seen": {"op": "is_visible", "object": unique("jug"), "at": start},
    }


def make_sample(key: str) -> Sample:
    """A drawer opens in the analytic kitchen."""
    stage, frames = world_maker.kitchenette(), 8
    timeline = world_maker.move_joint(
        stage, world_maker.still(stage, frames), "drawer", world_maker.ramp(frames, 1, 6, 0.0, 0.2)
    )
    event = Event("open", stage.id("drawer"), 1 / 8, 6 / 8, 0.0, 0.2)
    timeline = replace(timeline, events=(event,))
    members = codec.encode(world_maker.render(stage, timeline, world_maker.orbit(frames)))
    shot = replace(world_maker.shot(frames), key=key)
    facts = world_facts.facts(shot, stage.world, timeline, codec.decode(members))
    view = program.View(facts, CameraRecord.model_validate_json(members["camera.json"]))
    questions = [_question(name, code, view) for name, code in _programs(stage).items()]
    return Sample(key, members | {"facts.json": dump(facts), "qa.json": dump(questions)})


def _question(name: str, code: dict[str, Any], view: program.View) -> Question:
    value = program.run(program.parse(code), view)
    assert isinstance(value, program.Value), (name, value)
    answer = program.answer(value, view.facts)
    other = Text(en="no", zh="不")
    turn = Turn(question=SAID, answer=answer, choices=[other, answer.text], correct=1, program=code)
    return Question(
        id=name, kind=name, family="state", author="template@1", turns=[turn],
        evidence=Evidence(frames=[0], objects=[]), difficulty=0.5, verdict=KEEP,
    )  # fmt: skip


SAMPLE = make_sample("toy-0000")


def make_dataset(folder: Path, members: dict[str, bytes] | None = None) -> list[ShardRow]:
    """Two train samples and one for tests; `members` replaces those of the first."""
    first = Sample(SAMPLE.key, members or SAMPLE.members)
    rows = clips.dataset(
        folder, {"train-000000.tar": [first, _renamed("toy-0001")], "test-000000.tar": [_renamed("toy-0002")]}
    )
    facts = Facts.model_validate_json(SAMPLE.members["facts.json"])
    question = json.loads(SAMPLE.members["qa.json"])[0] | {"verdict": {"keep": False, "reason": "x", "witnesses": {}}}
    disk.write_atomic(folder / disk.REJECTS, dump(Reject(key="toy-0001", question=question)) + b"\n")
    disk.write_atomic(
        folder / disk.QUARANTINE, dump(Quarantine(key="toy-0009", scene="toy", reason="x", attempts=3)) + b"\n"
    )
    count = {"shots": 4, "committed": 3, "quarantined": 1, "rejected": 1}
    clips.seal(folder, rows, **count, frames=3 * facts.frames, questions=3 * len(json.loads(SAMPLE.members["qa.json"])))
    return rows


def _renamed(key: str) -> Sample:
    facts = Facts.model_validate_json(SAMPLE.members["facts.json"]).model_copy(update={"key": key})
    return Sample(key, SAMPLE.members | {"facts.json": dump(facts)})
