"""What there is: bodies and what they are made of, lamps, places, and the world they make up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synth4d.types.arrays import F64, I32, U8, Vec3
from synth4d.types.picture import Gaussians


@dataclass(frozen=True, slots=True)
class Name:
    """What people call a category, in both languages, with the Chinese measure word (量词)."""

    en: str
    zh: str
    measure: str = "个"
    plural: str = ""
    """English plural; empty means en + "s"."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture that a surface's `uv` looks up; it repeats beyond its borders."""

    pixels: U8
    """sRGB: (H,W,3), top row first; or (6,S,S,3), a cube map with its faces in OpenGL's order (+x −x +y −y +z −z)
    and orientation."""


@dataclass(frozen=True, slots=True)
class Material:
    """How a surface looks. A pattern or file named by `texture` is projected along the body's axes (triplanar), so
    it needs no UVs; an `image` is looked up by the surface's `uv`."""

    srgb: Vec3
    """The colour itself; a factor of the image's colours, in linear light, where there is an `image`."""
    texture: str = "plain"
    """A procedural pattern (see render/texture.py: plain, wood, marble, tile, metal, weave, stripes,
    speckle, peel, label …) or `file:/absolute/path.png` of a checked image."""
    texture_size_m: float = 0.5
    """Length of one repeat of the texture."""
    gloss: float = 0.0
    """0 = matt, 1 = mirror-like: strength of the view-independent sheen added from lamps."""
    opacity: float = 1.0
    emission: Vec3 = (0.0, 0.0, 0.0)
    """Linear rgb, as exposed white shows it, added at level 1 of `glow`; it lights what is near as well."""
    glow: str | None = None
    """Name of the control (World.controls) that scales `emission`; None = always emits."""
    image: Image | None = None
    """Colours of a surface that has a `uv`; `texture` is then left aside."""
    texture_phase: float = 0.0
    """Repeats by which a pattern is shifted along each axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A visible triangle mesh in its body's frame. Winding is counter-clockwise seen from outside."""

    vertices: F64
    """(V,3) metres, body frame."""
    faces: I32
    """(F,3)"""
    material: Material
    smooth: bool = False
    """True: shade with vertex normals (mugs, fruit); False: with face normals (boxes)."""
    two_sided: bool = False
    uv: F64 | None = None
    """Where each corner of a face lies in the material's image: (F,3,2) with (0, 0) its lower left and (1, 1) its
    upper right corner, or (F,3,3) directions into a cube map, in its axes and of any length."""
    drawn: bool = True
    """False: a shape that stands for a captured body in light and shadow, and is not to be seen itself."""


@dataclass(frozen=True, slots=True)
class Joint:
    """One degree of freedom of a part. `closed` and `open` are joint values (rad or m); what lies
    between is how far open it is."""

    name: str
    type: Literal["hinge", "slide"]
    closed: float
    open: float
    axis: Vec3
    """World frame, unit length (the bodies that carry joints do not move otherwise)."""
    anchor: Vec3
    """World frame, a point on the axis."""


@dataclass(frozen=True, slots=True)
class Vessel:
    """The inside of something that holds liquid: a solid of revolution about the body's +z axis. Body frame."""

    bottom_z: float
    top_z: float
    bottom_radius: float
    top_radius: float
    spout: Vec3 = (0.0, 0.0, 0.0)
    """Where liquid leaves when poured; used by pouring vessels only."""
    pours: bool = False
    belly: tuple[tuple[float, float], ...] = ()
    """(z, radius) of the wall between bottom and top, z rising; none = a truncated cone."""
    wall: float = 0.004
    """Thickness."""
    lid: bool = False
    """The top is shut: what leaves, leaves through the spout."""
    bore: float = 0.0
    """Inner radius of the spout, a tube under a lid and an open trough otherwise; 0 = a lip in the rim."""

    @property
    def profile(self) -> tuple[tuple[float, float], ...]:
        """(z, radius) of the inside from the bottom up."""
        return ((self.bottom_z, self.bottom_radius), *self.belly, (self.top_z, self.top_radius))


@dataclass(frozen=True, slots=True)
class Cavity:
    """The inside of a container that holds props: an axis-aligned box in the body's frame."""

    low: Vec3
    high: Vec3


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One rigid thing, and one instance id. Everything in the picture belongs to exactly one body."""

    name: str
    """Unique slug, e.g. `mug_1`, `microwave_door`; also the body's name in the physics model."""
    id: int
    """Instance id in the id image, 1..65535; 0 = background (structure that nobody asks about)."""
    category: str
    """Key of the category, e.g. `mug`."""
    label: Name
    role: Literal["prop", "fixture", "part", "structure", "liquid"]
    surfaces: tuple[Surface, ...]
    box_center: Vec3
    """Centre of the body's own oriented box, body frame."""
    box_size: Vec3
    """Extents of that box along the body's axes, metres."""
    colour: str | None = None
    """Key in vocabulary.COLOURS where the colour may be asked."""
    part_of: int | None = None
    joint: Joint | None = None
    vessel: Vessel | None = None
    cavity: Cavity | None = None
    control: str | None = None
    """The control that says whether this thing is on: a burner's, a lamp's."""
    front: Vec3 | None = None
    """Body-frame direction of its front where it has one."""
    captured: Gaussians | None = None
    """Gaussians of a captured body, body frame, all with its id: drawn as they are, never lit anew. Its surfaces,
    where it has any, are not drawn."""


@dataclass(frozen=True, slots=True)
class Lamp:
    """A spherical light. Irradiance at distance d is rgb / d² (linear, rgb in W/sr-like units)."""

    name: str
    position: Vec3
    radius: float
    rgb: Vec3
    control: str | None = None
    """The control that switches it; None = always on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where props may stand: a box of free volume in a body's frame, standing on its lower face."""

    name: str
    body: int
    """Id of the body it belongs to: the table it is on, the drawer it is in."""
    inside: bool
    """True: a prop here is *in* the body; False: *on* it."""
    low: Vec3
    high: Vec3
    enter: Vec3
    """Body-frame direction a prop comes from: (0,0,1) = from above, a cabinet's front otherwise."""
    gate: int | None = None
    """Id of the part (door, drawer) that must be open to reach it."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A part that is worked by hand and turns a control on (joint at `open`) and off (at `closed`)."""

    part: int
    control: str
    target: int
    """Id of the body that lights up or glows."""


@dataclass(frozen=True, slots=True)
class CameraRules:
    """Where a camera may stand and what an orbit looks like. Angles in radians."""

    room_low: Vec3
    room_high: Vec3
    azimuth: tuple[float, float]
    """Range of the eye's direction around +z, 0 = +x; an orbit stays inside."""
    elevation: tuple[float, float]
    distance: tuple[float, float]
    fov_x: tuple[float, float]
    sweep: tuple[float, float]
    """How far one orbit turns, radians."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """How a captured thing moved: it goes its way whatever it meets."""

    body: str
    times_s: F64
    """(T,) increasing, seconds of the clip; before and after it rests"""
    poses: F64
    """(T,7) T_world_body, neighbouring quaternions on the same side"""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A scene made concrete by a seed: what there is before anything happens."""

    scene: str
    bodies: tuple[Body, ...]
    lamps: tuple[Lamp, ...]
    ambient_rgb: Vec3
    controls: tuple[str, ...]
    """Names of everything that can be on or off, in the order of Timeline.levels."""
    model: bytes
    """The compiled physics model; physics.Sim opens it. Bodies and joints are found there by name."""
    rest_qpos: F64
    """The settled state everything starts from."""
    start_levels: tuple[float, ...]
    """Level of each control at the start."""
    start_fill: tuple[float, ...]
    """Filled share of each body that is a vessel at the start, NaN otherwise."""
    places: tuple[Place, ...]
    switches: tuple[Switch, ...]
    event_weights: tuple[tuple[str, float], ...]
    """How often each kind of event is chosen; kinds that are absent never happen."""
    camera: CameraRules
    liquid: int | None = None
    """Id of the one liquid in this world, if any."""
    free: tuple[str, ...] = ()
    """Names of the bodies that can be carried (they have a free joint of their own name)."""
    topples: tuple[str, ...] = ()
    """Names of the free bodies that can be knocked over."""
    tracks: tuple[Track, ...] = ()
    """Of the bodies that move by themselves, as they were captured."""
    rolls: tuple[str, ...] = ()
    """Names of the free bodies that are round: they have no upright."""
