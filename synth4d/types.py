"""The nouns that pass between stages. Frozen; arrays are never written after construction.

Frames and units, everywhere: metres, seconds, radians inside (degrees only in what people read);
world axes right-handed with +z up; cameras OpenCV (+x right, +y down, +z forward), pixel centres at
half-integers; `T_a_b` maps b-coordinates to a-coordinates; quaternions wxyz; poses are `xyz + wxyz`.
Colours are sRGB in 0..1 where named `srgb`, linear light where named `rgb`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]
U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
Vec3 = tuple[float, float, float]


# ---- What there is -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """What people call a category, in both languages, with the Chinese measure word (量词)."""

    en: str
    zh: str
    measure: str = "个"
    plural: str = ""
    """English plural; empty means en + "s"."""


@dataclass(frozen=True, slots=True)
class Material:
    """How a surface looks. A texture is projected along the body's axes (triplanar), so no UVs are needed."""

    srgb: Vec3
    texture: str = "plain"
    """A procedural pattern (see render/texture.py: plain, wood, marble, tile, metal, weave, stripes,
    speckle, peel, label …) or `file:/absolute/path.png` of a checked image."""
    texture_size_m: float = 0.5
    """Length of one repeat of the texture."""
    gloss: float = 0.0
    """0 = matt, 1 = mirror-like: strength of the view-independent sheen added from lamps."""
    opacity: float = 1.0
    emission: Vec3 = (0.0, 0.0, 0.0)
    """Linear rgb added at level 1 of `glow`."""
    glow: str | None = None
    """Name of the control (World.controls) that scales `emission`; None = never emits."""


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
    """The inside of something that holds liquid: a truncated cone about the body's +z axis."""

    bottom_z: float
    top_z: float
    bottom_radius: float
    top_radius: float
    spout: Vec3 = (0.0, 0.0, 0.0)
    """Where liquid leaves when poured, body frame; used by pouring vessels only."""
    pours: bool = False


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
    rolls: tuple[str, ...] = ()
    """Names of the free bodies that are round: they have no upright."""


# ---- What happens --------------------------------------------------------------------------------

EventKind = Literal["open", "close", "turn_on", "turn_off", "move", "knock_over", "drop", "push", "pour"]


@dataclass(frozen=True, slots=True)
class Event:
    kind: EventKind
    object: int
    """Id of what it happens to: the door, the knob's burner, the lamp, the prop, the vessel poured from."""
    start_s: float
    end_s: float
    start_value: float | None = None
    """open/close: joint value before (rad or m). pour: fill of the target before, 0..1."""
    end_value: float | None = None
    source: int | None = None
    """move: what it stood on or in. turn_on/off: the knob or switch that was worked."""
    target: int | None = None
    """move: what it stands on or in afterwards. pour: the vessel that is filled."""
    inside: bool = False
    """move: True when it ends inside the target, False when on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The world's state at every frame, and what happened between."""

    times_s: F64
    """(T,)"""
    poses: F64
    """(T,B,7) xyz + wxyz of every body in World.bodies order: T_world_body."""
    joints: F64
    """(T,B) joint value of the bodies that have a joint, NaN otherwise."""
    levels: F64
    """(T,C) 0..1 of every control: lamp on/off, glow of a burner."""
    fill: F64
    """(T,B) filled fraction 0..1 of the bodies that are vessels, measured from particles; NaN otherwise."""
    support: U16
    """(T,B) id of the body it stands on; 0 = nothing, the background, or in the air."""
    inside: U16
    """(T,B) id of the container it is in; 0 = none."""
    particles: F32
    """(T,P,3) world position of every liquid particle; NaN = not in the world at that time."""
    particle_id: U16
    """(P,) id of the liquid body each particle belongs to."""
    particle_radius_m: float
    events: tuple[Event, ...]


# ---- What is seen --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class CameraPath:
    """One pinhole camera along T frames."""

    width: int
    height: int
    K: F64
    """(3,3) pixels"""
    T_world_cam: F64
    """(T,4,4) OpenCV axes, metres"""
    fps: float


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """Flattened 3D Gaussians in world coordinates (what every splat renderer takes)."""

    means: F32
    """(N,3) metres"""
    quats_wxyz: F32
    """(N,4) unit"""
    scales: F32
    """(N,3) standard deviations, metres"""
    opacities: F32
    """(N,) 0..1"""
    colours: F32
    """(N,3) display values 0..1 (already lit and tone-mapped)"""
    ids: U16
    """(N,) instance id"""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What a camera saw."""

    rgb: U8
    """(T,H,W,3)"""
    depth_z_m: F32
    """(T,H,W) distance along the optical axis; 0 = nothing there"""
    ids: U16
    """(T,H,W)"""
    camera: CameraPath


# ---- The unit of work ----------------------------------------------------------------------------

ShotKind = Literal["dynamic", "static", "control", "twin"]


@dataclass(frozen=True, slots=True)
class Shot:
    """The unit of work, retry and resume. All of it follows from the plan; nothing is drawn later
    except from seeds derived by hash of (run seed, scene, shot, purpose)."""

    key: str
    """`[a-z0-9_-]+`, generated from plan position and seed, never from a name."""
    index: int
    scene: str
    kind: ShotKind
    run_seed: int
    layout: int
    """Number of the layout seed; a twin shares it with its sibling."""
    split: str
    frames: int
    fps: float
    width: int
    height: int
    renderer: str = "splat"
    twin_of: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One shot's row in a tar: member suffix (e.g. `facts.json`) to bytes."""

    key: str
    members: dict[str, bytes] = field(default_factory=dict)
