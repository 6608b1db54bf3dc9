"""What one witness knows about a clip, and the camera that saw it: facts.json and camera.json."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from synth4d.records.base import Finite, Id, Record, Vec2, Vec3, Vec4, Vec7


def _unknown() -> list[Any]:
    """The track of what a witness never knows."""
    return [None]


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
    belly: list[Vec2] = Field(default_factory=list)
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
    inner: list[Vec3 | None] = Field(default_factory=_unknown)
    """[x, y, r]: the pixel deepest inside what is seen of it, in px; every pixel at most r columns and r rows from
    it is its own too. null = none, or what is seen is too thin."""
    hidden_by: list[list[Id] | None] = Field(default_factory=_unknown)
    """Ids, ascending, of what hides a part of it that one would notice (0 = the background), but for liquids;
    null = in doubt."""
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


class EndFact(Record):
    """How one instance would be at the end; fields as in ObjectFact, without frames."""

    id: Id
    box: Vec7 | None
    openness: Finite | None = None
    on: bool | None = None
    fill: Finite | None = None
    support: Id
    inside: Id


class Without(Record):
    """How the clip would end without an event, as simulated once more; of the instances that would be otherwise."""

    event: int
    objects: list[EndFact]


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
    without: list[Without] = Field(default_factory=list)
    """What would have been, for some events; only the world knows."""
    instead: list[EventFact] = Field(default_factory=list)
    """A twin's: what its sibling was to show, as planned, so that it can be asked which of the two this is."""


class CameraRecord(Record):
    """camera.json: pinhole, OpenCV axes, metres, pixels."""

    version: Literal[1] = 1
    width: int
    height: int
    fps: Finite
    K: list[Vec3]
    T_world_cam: list[list[Vec4]]
    """Per frame, four rows."""
