"""The JSON that enters and leaves: facts, questions, verdicts, cameras, manifests. Strict pydantic models.

`synth4d schema NAME` prints the JSON Schema of each. Every file is written by `dump` (canonical: sorted
keys, no NaN, ASCII), so equal records are equal bytes.

A *track* is a list over frames. A track of one entry is constant over the clip. `null` in a track (or in
place of one) means: this witness does not know at that frame. Read tracks with `at`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
Id = Annotated[int, Field(ge=0, le=65535)]
Vec2 = Annotated[list[Finite], Field(min_length=2, max_length=2)]
Vec3 = Annotated[list[Finite], Field(min_length=3, max_length=3)]
Vec4 = Annotated[list[Finite], Field(min_length=4, max_length=4)]
Vec7 = Annotated[list[Finite], Field(min_length=7, max_length=7)]
JSON = dict[str, Any]
T = TypeVar("T")


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def at(track: list[T], frame: int) -> T:
    """The entry of a track at a frame."""
    return track[0] if len(track) == 1 else track[frame]


def dump(value: Any) -> bytes:
    """Canonical JSON bytes of a record or of plain JSON data."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    elif isinstance(value, list):
        value = [v.model_dump(mode="json") if isinstance(v, BaseModel) else v for v in value]
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class Text(Record):
    """One wording in each language."""

    en: str
    zh: str


# ---- Facts ---------------------------------------------------------------------------------------


class Label(Record):
    en: str
    zh: str
    measure: str = "个"
    """Chinese measure word (量词)."""
    plural: str
    """English plural."""


class Colour(Record):
    key: str
    en: str
    zh: str


class JointFact(Record):
    """How a part moves; constant over the clip. Axis and anchor in world coordinates."""

    type: Literal["hinge", "slide"]
    axis: Vec3
    anchor: Vec3
    closed: Finite
    """Joint value when shut (rad or m)."""
    open: Finite
    """Joint value when fully open (rad or m)."""
    closed_box: Vec7 | None = None
    """The part's world 9-DoF box when shut: knowledge of the furniture, as a drawing would give it."""
    face: Finite | None = None
    """Slides: where the largest face that looks along the opening lies, from the box's centre that way, metres."""


class ConeFact(Record):
    """Inside of a vessel: a solid of revolution about body +z, body frame, metres."""

    bottom_z: Finite
    top_z: Finite
    bottom_radius: Finite
    top_radius: Finite
    belly: list[Vec2] = []
    """[z, radius] between bottom and top, from below; empty: a truncated cone."""


class BoxFact(Record):
    """Inside of a container: axis-aligned box in the body frame, metres."""

    low: Vec3
    high: Vec3


class ObjectFact(Record):
    """One instance. The first block says who it is; it is the same for every witness. The tracks say
    what a witness knows about it."""

    id: Id
    name: str
    category: str
    label: Label
    colour: Colour | None
    role: Literal["prop", "fixture", "part", "structure", "liquid"]
    part_of: Id | None
    size: Vec3
    """Extents of its own oriented box, metres."""
    box_offset: Vec3
    """Centre of that box in the body frame."""
    joint: JointFact | None
    vessel: ConeFact | None
    cavity: BoxFact | None
    switchable: bool
    """It can be on or off (a burner, a lamp)."""
    unique: bool
    """True when label+colour name no other object in this clip."""

    box: list[Vec7 | None]
    """World 9-DoF box with `size`: centre xyz + quaternion wxyz."""
    pose: list[Vec7 | None]
    """World pose of the body frame: xyz + wxyz."""
    box2d: list[Vec4 | None]
    """Amodal 2D box in pixels [x0,y0,x1,y1], clipped to the frame; null = wholly outside the frame.
    The pixels witness has none (a picture does not show what is hidden): all null."""
    visible2d: list[Vec4 | None]
    """Tight box of its visible pixels [x0,y0,x1,y1) (x1,y1 exclusive); null = no visible pixel."""
    pixels: list[int]
    """Visible pixels."""
    occluded: list[Finite | None]
    """Share of its silhouette inside the frame hidden by other things, 0..1; null = outside the frame."""
    openness: list[Finite | None] | None
    """How far open, in `deg` (hinge) or `cm` (slide) from shut; null where there is no joint."""
    on: list[bool | None] | None
    fill: list[Finite | None] | None
    """Filled share 0..1 of a vessel's volume."""
    support: list[Id | None]
    """Id of what it stands on; 0 = nothing, the background, held, or in the air."""
    inside: list[Id | None]
    """Id of the container it is in; 0 = none."""


class EventFact(Record):
    id: int
    kind: Literal["open", "close", "turn_on", "turn_off", "move", "knock_over", "drop", "push", "pour"]
    object: Id
    source: Id | None
    target: Id | None
    inside: bool
    start_s: Finite
    end_s: Finite
    start_value: Finite | None
    """open/close: deg or cm; pour: filled share of the target."""
    end_value: Finite | None


class Facts(Record):
    """Everything that can be asked about one clip, as one witness knows it."""

    version: Literal[1] = 1
    key: str
    scene: str
    witness: Literal["world", "pixels"]
    kind: Literal["dynamic", "static", "control", "twin"]
    twin_of: str | None
    frames: Annotated[int, Field(ge=1)]
    fps: Annotated[float, Field(gt=0)]
    width: int
    height: int
    objects: list[ObjectFact]
    events: list[EventFact]


class CameraRecord(Record):
    """camera.json: pinhole, OpenCV axes, metres, pixels."""

    version: Literal[1] = 1
    width: int
    height: int
    fps: Finite
    K: list[Vec3]
    T_world_cam: list[list[Vec4]]
    """Per frame, four rows."""


# ---- Questions -----------------------------------------------------------------------------------

AnswerType = Literal[
    "bool", "int", "number", "choice", "object", "objects", "interval", "box2d", "point2d", "box3d", "pose", "text"
]
Family = Literal["space", "grounding", "state", "change", "time", "cause", "dialogue", "caption"]


class Answer(Record):
    type: AnswerType
    value: Any
    """bool · int · float · choice: a key string · object: id · objects: ids in order · interval: [start_s,
    end_s] · box2d [x0,y0,x1,y1] · point2d [x,y] · box3d {center,size,quat_wxyz} · pose [7] · text: string"""
    unit: Literal["m", "cm", "deg", "s", "%", "px"] | None = None
    text: Text


class Turn(Record):
    question: Text
    answer: Answer
    choices: list[Text] | None = None
    correct: int | None = None
    program: JSON


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


# ---- The dataset ---------------------------------------------------------------------------------


class ShardRow(Record):
    """A row of manifest.jsonl."""

    name: str
    split: str
    bytes: int
    sha256: str
    samples: int
    keys: list[str]


class Quarantine(Record):
    """A row of quarantine.jsonl."""

    key: str
    scene: str
    reason: str
    attempts: int


class DatasetRecord(Record):
    """dataset.json, written last: without it there is no dataset."""

    version: Literal[1] = 1
    digest: str
    """sha256 over manifest.jsonl, rejects.jsonl and quarantine.jsonl."""
    plan: str
    """sha256 of the plan: same plan, same bytes."""
    config: JSON
    versions: dict[str, str]
    shots: int
    committed: int
    quarantined: int
    frames: int
    questions: int
    rejected: int
    splits: dict[str, list[str]]
    """Split name to its shard names."""


SCHEMAS: dict[str, Any] = {
    "qa": list[Question],
    "facts": Facts,
    "camera": CameraRecord,
    "manifest": ShardRow,
    "dataset": DatasetRecord,
}
