"""What a prop is: visible surfaces, convex collision primitives, and what may be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from synth4d.geometry import quat_from_axis_angle, quat_from_rotmat, quat_mul
from synth4d.types import Cavity, Material, Surface, Vec3, Vessel

Vec4 = tuple[float, float, float, float]
UPRIGHT: Vec4 = (1.0, 0.0, 0.0, 0.0)
CREAM: Vec3 = (0.93, 0.90, 0.83)
DARK: Vec3 = (0.13, 0.12, 0.12)
STEEL: Vec3 = (0.70, 0.71, 0.73)
BARK: Vec3 = (0.36, 0.23, 0.12)
FRICTION = 0.7
LEAF: Vec3 = (0.25, 0.48, 0.16)


@dataclass(frozen=True, slots=True)
class Primitive:
    """A convex collision shape with MuJoCo's sizes: box and ellipsoid half-extents (x, y, z); cylinder and
    capsule (radius, half-length) along local z; sphere (radius,)."""

    type: Literal["box", "cylinder", "sphere", "capsule", "ellipsoid"]
    size: tuple[float, ...]
    pos: Vec3
    quat_wxyz: Vec4 = UPRIGHT

    @property
    def volume(self) -> float:
        s = self.size
        if self.type == "box":
            return 8 * s[0] * s[1] * s[2]
        if self.type == "cylinder":
            return 2 * np.pi * s[0] ** 2 * s[1]
        if self.type == "capsule":
            return np.pi * s[0] ** 2 * (2 * s[1] + 4 / 3 * s[0])
        return 4 / 3 * np.pi * (s[0] ** 3 if self.type == "sphere" else s[0] * s[1] * s[2])


@dataclass(frozen=True, slots=True)
class Top:
    """The flat region of a prop that another thing can be put on, body frame."""

    z: float
    half: tuple[float, float]
    """Half-extents along x and y about `centre`."""
    centre: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class PropShape:
    """One prop: body frame with the origin at the centre of its base footprint, z up, standing on z = 0."""

    surfaces: tuple[Surface, ...]
    collision: tuple[Primitive, ...]
    mass_kg: float
    friction: float
    """Sliding friction coefficient."""
    rolling_m: float
    """Rolling friction, metres; it acts in contacts with condim 6."""
    vessel: Vessel | None
    cavity: Cavity | None
    top: Top | None
    topples: bool
    """Tall enough to be knocked over."""
    rolls: bool
    """Round: needs rolling friction (condim 6) to come to rest."""
    height_m: float
    radius_m: float
    """Largest horizontal distance of any of its points from the origin."""
    front: Vec3 | None = None

    @property
    def flat_top(self) -> bool:
        return self.top is not None

    @property
    def masses_kg(self) -> tuple[float, ...]:
        """The mass shared out over the collision primitives by volume."""
        total = sum(p.volume for p in self.collision)
        return tuple(self.mass_kg * p.volume / total for p in self.collision)


def prop(
    surfaces: Sequence[Surface],
    collision: Sequence[Primitive],
    mass_kg: float,
    *,
    vessel: Vessel | None = None,
    cavity: Cavity | None = None,
    top: Top | None = None,
    topples: bool = False,
    rolls: bool = False,
    front: Vec3 | None = None,
) -> PropShape:
    """A PropShape with its height, footprint and friction worked out."""
    points = np.concatenate([s.vertices for s in surfaces])
    rolling = 0.002 if rolls else 0.0001
    radius = float(np.round(np.hypot(points[:, 0], points[:, 1]).max(), 6))
    height = float(points[:, 2].max())
    return PropShape(
        tuple(surfaces),
        tuple(collision),
        round(mass_kg, 4),
        FRICTION,
        rolling,
        vessel,
        cavity,
        top,
        topples,
        rolls,
        height,
        radius,
        front,
    )


# ---- Variation and colour ------------------------------------------------------------------------


def vary(rng: np.random.Generator, value: float, by: float = 0.1) -> float:
    """The value times a factor within 1 ± by."""
    return float(value * (1 + by * (2 * rng.random() - 1)))


def chance(rng: np.random.Generator, probability: float) -> bool:
    return bool(rng.random() < probability)


def mix(a: Vec3, b: Vec3, share: float) -> Vec3:
    """a moved towards b."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def lighter(srgb: Vec3, share: float = 0.25) -> Vec3:
    return mix(srgb, (1.0, 1.0, 1.0), share)


def darker(srgb: Vec3, share: float = 0.25) -> Vec3:
    return mix(srgb, (0.0, 0.0, 0.0), share)


def contrast(srgb: Vec3) -> Vec3:
    """A neutral that stands out from the colour: cream on dark ones, charcoal on light ones."""
    return CREAM if 0.3 * srgb[0] + 0.59 * srgb[1] + 0.11 * srgb[2] < 0.62 else (0.24, 0.23, 0.23)


def accent(srgb: Vec3) -> Vec3:
    """A related tone for lids and soles: darker, or lighter where the colour is nearly black."""
    return lighter(srgb, 0.3) if max(srgb) < 0.2 else darker(srgb, 0.3)


# ---- Collision -----------------------------------------------------------------------------------


def _vec3(v: ArrayLike) -> Vec3:
    x, y, z = (float(c) for c in np.round(np.asarray(v, float), 6))
    return x, y, z


def _quat(q: ArrayLike) -> Vec4:
    w, x, y, z = (float(c) for c in np.round(np.asarray(q, float), 9))
    return w, x, y, z


def solid_box(size: Vec3, pos: ArrayLike, quat_wxyz: ArrayLike = UPRIGHT) -> Primitive:
    """A box of full sizes about pos."""
    return Primitive("box", _vec3(np.asarray(size) / 2), _vec3(pos), _quat(quat_wxyz))


def solid_cylinder(radius: float, z0: float, z1: float, x: float = 0.0, y: float = 0.0) -> Primitive:
    """An upright cylinder from z0 to z1."""
    return Primitive("cylinder", (round(radius, 6), round((z1 - z0) / 2, 6)), _vec3((x, y, (z0 + z1) / 2)))


def solid_ellipsoid(radii: ArrayLike, pos: ArrayLike) -> Primitive:
    return Primitive("ellipsoid", _vec3(radii), _vec3(pos))


def solid_capsule(a: ArrayLike, b: ArrayLike, radius: float) -> Primitive:
    """A capsule whose end spheres are centred on a and b."""
    p, q = np.asarray(a, float), np.asarray(b, float)
    z = (q - p) / np.linalg.norm(q - p)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0], z)
    x = x / np.linalg.norm(x)
    quat = quat_from_rotmat(np.column_stack([x, np.cross(z, x), z]))
    half = round(float(np.linalg.norm(q - p)) / 2, 6)
    return Primitive("capsule", (round(radius, 6), half), _vec3((p + q) / 2), _quat(quat))


def solid_wall(
    lower: tuple[float, float], upper: tuple[float, float], thickness: float, count: int = 14
) -> list[Primitive]:
    """A ring of thin boxes whose outer faces follow a cone from (radius, z) lower to upper."""
    (r0, z0), (r1, z1) = lower, upper
    slope = np.arctan2(r1 - r0, z1 - z0)
    centre = np.array([(r0 + r1) / 2, 0.0, (z0 + z1) / 2])
    centre -= thickness / 2 * np.array([np.cos(slope), 0.0, -np.sin(slope)])
    size = (thickness, 2 * max(r0, r1) * float(np.tan(np.pi / count)), float(np.hypot(r1 - r0, z1 - z0)))
    tilt = quat_from_axis_angle([0.0, 1.0, 0.0], slope)
    angle = 2 * np.pi * np.arange(count) / count
    pos = np.stack([centre[0] * np.cos(angle), centre[0] * np.sin(angle), np.full(count, centre[2])], 1)
    quats = quat_mul(quat_from_axis_angle([0.0, 0.0, 1.0], angle), tilt)
    return [solid_box(size, p, q) for p, q in zip(pos, quats, strict=True)]


def glazed(srgb: Vec3, rng: np.random.Generator, plain: float = 0.75) -> Material:
    """Ceramic of a colour: glossy, now and then speckled."""
    if chance(rng, plain):
        return Material(srgb, gloss=0.35)
    return Material(srgb, "speckle", texture_size_m=0.12, gloss=0.2)
