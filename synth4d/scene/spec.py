"""scene.yaml as typed fields. Lengths in metres, angles in degrees, colours sRGB 0..1; frames are said per field."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
F = Annotated[float, Field(allow_inf_nan=False, ge=-1e4, le=1e4)]
Vec3 = tuple[F, F, F]
Share = Annotated[float, Field(ge=0, le=1)]
Unit3 = tuple[Share, Share, Share]
Range = tuple[F, F]


class Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NameSpec(Spec):
    en: Annotated[str, Field(min_length=1, max_length=64)]
    zh: Annotated[str, Field(min_length=1, max_length=64)]
    measure: Annotated[str, Field(min_length=1, max_length=4)] = "个"
    plural: Annotated[str, Field(max_length=64)] = ""


Row = tuple[F, F, F, F]


class AssetSpec(Spec):
    """One file of the scene: `pkg://package/path` inside an installed package, or a path beside scene.yaml."""

    model: str | None = None
    """Bodies: MJCF (.xml), URDF, GLB, OBJ or STL."""
    splats: str | None = None
    """Captured Gaussians: PLY, compressed PLY, SPZ or .splat."""
    annotation: str | None = None
    """Which of the Gaussians are which thing: a YAML file (`synth4d schema annotation`)."""
    tracks: str | None = None
    """How annotated things move: a .npz with object_id (K,), times_s (T,) and poses (K,T,7), asset axes and units."""
    axes: str = ""
    """z-up, y-up, y-down, or where +x, +y, +z point, e.g. RDF. Default: the format's own, else z-up."""
    units: Literal["m", "cm", "mm", "ft", "in"] = "m"
    scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Times the units."""
    position: Vec3 = (0.0, 0.0, 0.0)
    yaw: F = 0.0
    """Degrees about +z."""
    T_world_asset: tuple[Row, Row, Row] | tuple[Row, Row, Row, Row] | None = None
    """Rigid, metres: instead of axes, position and yaw; units and scale come before it."""
    on_bad: Literal["refuse", "drop"] = "refuse"
    """What to do with Gaussians that are not finite or absurd."""
    root: str = ""
    """Folder that all files of the asset must lie in; default: the scene's folder, or the package."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Pins the file and every file it names: the digest that a wrong pin's error prints."""
    keep: list[str] = []
    """Top-level bodies of a model that are wanted; default all."""

    @property
    def file(self) -> str:
        return self.model or self.splats or ""

    @model_validator(mode="after")
    def _one_file(self) -> AssetSpec:
        if (self.model is None) == (self.splats is None):
            raise ValueError("give `model` or `splats`, one of them")
        if self.model is not None and (self.annotation or self.tracks):
            raise ValueError("annotation and tracks belong to `splats`")
        if self.splats is not None and self.keep:
            raise ValueError("keep belongs to `model`")
        if self.tracks and not self.annotation:
            raise ValueError("tracks need an annotation that names what moves")
        return self


class MaterialSpec(Spec):
    """Replaces a material of a model file by its name there. A seed picks one of `colours`."""

    colours: Annotated[list[Unit3], Field(min_length=1)]
    texture: str = "plain"
    """A procedural pattern or `pkg://package/image.png`."""
    size: Annotated[float, Field(gt=0, le=100)] = 0.5
    gloss: Share = 0.1
    opacity: Annotated[float, Field(gt=0, le=1)] = 1.0
    emission: tuple[F, F, F] = (0.0, 0.0, 0.0)
    """Linear rgb that it shows and gives to what is near: on switched bodies while they are on. A material that no
    switched body has shines always; one that some has, on those alone."""


class JointSpec(Spec):
    """What open means: joint values (degrees, or metres for a slide) when shut and when fully open."""

    closed: F
    open: F


class CavitySpec(Spec):
    """Free volume inside, body frame."""

    low: Vec3
    high: Vec3
    enter: Vec3 = (0.0, 0.0, 1.0)
    gate: Slug | None = None

    @model_validator(mode="after")
    def _ordered(self) -> CavitySpec:
        if any(a >= b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError("low must be below high on every axis")
        return self


Metres = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]


class VesselSpec(Spec):
    """Where liquid is: a solid of revolution about body +z."""

    bottom_z: F
    top_z: F
    bottom_radius: Metres
    top_radius: Metres
    belly: Annotated[list[tuple[F, Metres]], Field(max_length=30)] = []
    """[z, radius] of the wall between bottom and top, from below; empty = a truncated cone."""
    wall: Annotated[float, Field(gt=0, le=0.1)] = 0.004
    """Thickness."""
    spout: Vec3 = (0.0, 0.0, 0.0)
    """Its tip: where liquid leaves when poured."""
    bore: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Inner radius of the spout; 0 = a lip in the rim."""
    lid: bool = False
    """The top is shut: liquid leaves through the spout alone."""
    pours: bool = False
    fill: tuple[Share, Share] | None = None
    """Filled share at the start, drawn between these; default: a pouring vessel is well filled, others mostly empty."""

    @model_validator(mode="after")
    def _shaped(self) -> VesselSpec:
        heights = [self.bottom_z, *(z for z, _ in self.belly), self.top_z]
        if any(b - a < 1e-4 for a, b in pairwise(heights)):
            raise ValueError(f"heights must rise from bottom_z over belly to top_z; got {heights}")
        if self.pours and not any(self.spout[:2]):
            raise ValueError("a vessel that pours needs a spout off its axis: [x, y, z] of the tip")
        if self.lid and self.pours and not self.bore:
            raise ValueError("under a lid liquid can only leave through a bore; give its radius")
        if self.pours and self.spout[2] < self.bottom_z + 0.25 * (self.top_z - self.bottom_z):
            raise ValueError("the spout's tip is so low that the vessel runs out; raise it")
        if self.fill and self.fill[0] > self.fill[1]:
            raise ValueError(f"fill {list(self.fill)}: the first must not be above the second")
        return self


class BodySpec(Spec):
    """A thing with a name. `from` is the body of a model file; `geoms` picks some of its visible shapes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: str = Field(alias="from")
    name: NameSpec
    category: Slug | None = None
    geoms: list[int] | None = None
    role: Literal["fixture", "part", "prop", "structure"] = "fixture"
    part_of: Slug | None = None
    colour: str | None = None
    joint: JointSpec | None = None
    cavity: CavitySpec | None = None
    vessel: VesselSpec | None = None
    switched: bool = False
    """It glows or shines and can be on or off."""


class SwitchSpec(Spec):
    part: Slug
    turns: Slug


class LampSpec(Spec):
    name: Slug
    position: Vec3
    radius: Annotated[float, Field(gt=0, le=5)] = 0.1
    rgb: tuple[F, F, F]
    body: Slug | None = None
    """The switched body this is the light of; absent = always on."""


class PlaceSpec(Spec):
    """A region where props may rest: on a body, a box of free volume in its frame (default: over its top face)."""

    on: Slug
    low: Vec3 | None = None
    high: Vec3 | None = None
    initial: bool = True
    """Props may stand here at the start."""


class PropsSpec(Spec):
    categories: Annotated[list[str], Field(min_length=1)]
    count: tuple[Annotated[int, Field(ge=0, le=60)], Annotated[int, Field(ge=0, le=60)]]
    hidden: Share = 0.2
    """Share that starts inside drawers and cabinets."""


class CameraSpec(Spec):
    room_low: Vec3
    room_high: Vec3
    azimuth: Range = (0.0, 360.0)
    elevation: Range = (15.0, 40.0)
    distance: Range = (0.9, 2.5)
    fov: Range = (45.0, 60.0)
    sweep: Range = (15.0, 40.0)


class StartSpec(Spec):
    open: Share = 0.2
    on: Share = 0.25


class LightSpec(Spec):
    ambient: tuple[F, F, F] = (0.35, 0.35, 0.36)
    vary: Share = 0.15
    """How much light differs from layout to layout: the share by which each lamp and the ambient are stronger or
    weaker, the metres by which lamps that are always on stand elsewhere, twice the chance of each that it is off (one
    stays on), and at 0.15 a colour temperature of 2900 … 6300 K."""


EVENTS = ("open", "close", "switch", "move", "stow", "fetch", "knock_over", "drop", "push", "pour")


class SceneSpec(Spec):
    scene: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    name: NameSpec
    assets: Annotated[list[AssetSpec], Field(min_length=1)]
    materials: dict[str, MaterialSpec] = {}
    bodies: dict[Slug, BodySpec]
    switches: list[SwitchSpec] = []
    lamps: list[LampSpec] = []
    light: LightSpec = LightSpec()
    places: dict[Slug, PlaceSpec]
    props: PropsSpec
    start: StartSpec = StartSpec()
    events: dict[Literal[EVENTS], Annotated[float, Field(ge=0)]]  # type: ignore[valid-type]
    """Weights. stow = open, put in, close; fetch = take out."""
    camera: CameraSpec
