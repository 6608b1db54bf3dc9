"""Questions, their answers and verdicts: qa.json and rejects.jsonl."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from synth4d.records.base import JSON, Finite, Id, Record, Text

AnswerType = Literal[
    "bool", "int", "number", "choice", "object", "objects", "interval", "box2d", "point2d", "box3d", "pose", "text"
]
Family = Literal["space", "grounding", "state", "change", "time", "cause", "dialogue", "caption"]


class Answer(Record):
    type: AnswerType
    value: Any
    """bool · int · float · choice: a key string · object: id · objects: ids in order · interval: [start_s,
    end_s] · box2d [x0,y0,x1,y1] · point2d [x,y] · box3d {center,size,quat_wxyz} · pose [7] · text: what it
    claims, a list of {type, value, unit} in the order of the program's claims; the words are in `text`"""
    unit: Literal["m", "cm", "deg", "s", "%", "px"] | None = None
    text: Text


class Negative(Record):
    """A plausible wrong answer to a turn, for preference training."""

    answer: Answer
    wrong_by: Literal["world", "pixels", "twin"]
    """Whose answer makes it wrong: a witness of this clip, or of the clip's twin, where it would be right."""


class Reward(Record):
    """How a free answer to a turn is scored, 0..1, when a model is trained by rewards."""

    kind: Literal["exact", "mra", "order", "set", "interval", "iou2d", "iou3d", "point", "pose", "claims"]
    tolerance: Finite | None = None
    """Within which an answer counts in full; in the answer's unit."""


class Turn(Record):
    question: Text
    answer: Answer
    choices: list[Text] | None = None
    correct: int | None = None
    program: JSON
    negatives: list[Negative] = Field(default_factory=list)
    reward: Reward | None = None


class Evidence(Record):
    frames: list[int]
    objects: list[Id]


class Verdict(Record):
    keep: bool
    reason: str
    """`agree`, or why it was rejected (a short key, e.g. `pixels: not visible`)."""
    witnesses: JSON
    """Each witness's answer value, or {"refused": reason}: world, pixels, model (a list of votes)."""


class Question(Record):
    id: str
    kind: str
    family: Family
    author: str
    turns: list[Turn]
    evidence: Evidence
    difficulty: Finite
    verdict: Verdict | None = None


class Reject(Record):
    """A row of rejects.jsonl."""

    key: str
    question: Question
    """Without turns where a model gave nothing that could be made a question."""
    raw: list[str] = Field(default_factory=list)
    """What the model said then, each reply cut at a length."""
