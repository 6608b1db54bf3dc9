"""The JSON that enters and leaves: facts, questions, verdicts, cameras, manifests. Strict pydantic models.

`synth4d schema NAME` prints the JSON Schema of each. Every file is written by `dump` (canonical: sorted
keys, no NaN, ASCII), so equal records are equal bytes.

A *track* is a list over frames. A track of one entry is constant over the clip. `null` in a track (or in
place of one) means: this witness does not know at that frame. Read tracks with `at`.
"""

from typing import Any

from synth4d.records.base import JSON, Record, Text, at, dump
from synth4d.records.dataset import DatasetRecord, Quarantine, ShardRow
from synth4d.records.facts import (
    BoxFact,
    CameraRecord,
    Colour,
    ConeFact,
    EndFact,
    EventFact,
    Facts,
    JointFact,
    Label,
    ObjectFact,
    Without,
)
from synth4d.records.questions import (
    Answer,
    AnswerType,
    Evidence,
    Family,
    Negative,
    Question,
    Reject,
    Reward,
    Turn,
    Verdict,
)

SCHEMAS: dict[str, Any] = {
    "qa": list[Question],
    "facts": Facts,
    "camera": CameraRecord,
    "manifest": ShardRow,
    "dataset": DatasetRecord,
}

__all__ = [
    "JSON", "SCHEMAS", "Answer", "AnswerType", "BoxFact", "CameraRecord", "Colour", "ConeFact", "DatasetRecord",
    "EndFact", "EventFact", "Evidence", "Facts", "Family", "JointFact", "Label", "Negative", "ObjectFact", "Quarantine",
    "Question", "Record", "Reject", "Reward", "ShardRow", "Text", "Turn", "Verdict", "Without", "at",
    "dump",
]  # fmt: skip
