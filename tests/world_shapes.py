"""Boxes, cylinders, cups and spheres as formulas that rays meet, and as triangles for the package to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synth4d.types import F64, Body, Material, Name, Surface


@dataclass(frozen=True)
class Shape:
    """A primitive in a body's frame. box: size xyz; cyl (solid) and cup (open at the top): radius, height"""

    kind: str
    centre: tuple[float, float, float]
    size: tuple[float, ...]


# ---- Rays and formulas ---------------------------------------------------------------------------


def hit(shape: Shape, o: F64, d: F64) -> F64:
    """(N,3) origins and directions → (N,) smallest t > 0 at which the ray meets the shape; inf = never."""
    o = o - np.asarray(shape.centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _FORMULAS[shape.kind](o, d, shape.size)


def _first(*ts: F64) -> F64:
    return np.min([np.where(np.isfinite(t) & (t > 1e-9), t, np.inf) for t in ts], axis=0)


def _box(o: F64, d: F64, size: tuple[float, ...]) -> F64:
    h = np.asarray(size) / 2
    a, b = (-h - o) / d, (h - o) / d
    near, far = np.nanmax(np.minimum(a, b), 1), np.nanmin(np.maximum(a, b), 1)
    return np.where((near <= far) & (near > 1e-9), near, np.inf)


def _sphere(o: F64, d: F64, size: tuple[float, ...]) -> F64:
    a, b, c = (d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - size[0] ** 2
    root = np.sqrt(b * b - a * c)
    return _first((-b - root) / a, (-b + root) / a)


def _wall(o: F64, d: F64, r: float, h: float) -> F64:
    a, b = (d[:, :2] ** 2).sum(1), (o[:, :2] * d[:, :2]).sum(1)
    root = np.sqrt(b * b - a * ((o[:, :2] ** 2).sum(1) - r * r))
    return _first(
        *[np.where(abs(o[:, 2] + t * d[:, 2]) <= h / 2, t, np.inf) for t in ((-b - root) / a, (-b + root) / a)]
    )


def _disc(o: F64, d: F64, r: float, z: float) -> F64:
    t = (z - o[:, 2]) / d[:, 2]
    return np.where(((o[:, :2] + t[:, None] * d[:, :2]) ** 2).sum(1) <= r * r, t, np.inf)


def _cylinder(o: F64, d: F64, size: tuple[float, ...]) -> F64:
    r, h = size
    return _first(_wall(o, d, r, h), _disc(o, d, r, h / 2), _disc(o, d, r, -h / 2))


def _cup(o: F64, d: F64, size: tuple[float, ...]) -> F64:
    r, h = size
    return _first(_wall(o, d, r, h), _disc(o, d, r, -h / 2))


_FORMULAS: dict[str, Callable[..., F64]] = {"box": _box, "sphere": _sphere, "cyl": _cylinder, "cup": _cup}


# ---- Bodies --------------------------------------------------------------------------------------


def surface(shape: Shape, colour: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> Surface:
    """The same shape as triangles (96 sides), for the package's own silhouettes."""
    import trimesh

    if shape.kind == "box":
        mesh = trimesh.creation.box(shape.size)
    elif shape.kind == "sphere":
        mesh = trimesh.creation.icosphere(subdivisions=3, radius=shape.size[0])
    else:
        mesh = trimesh.creation.cylinder(radius=shape.size[0], height=shape.size[1], sections=96)
        if shape.kind == "cup":
            top = (mesh.triangles[:, :, 2] > shape.size[1] / 2 - 1e-6).all(axis=1)
            mesh.update_faces(~top)
    vertices = np.asarray(mesh.vertices) + np.asarray(shape.centre)
    return Surface(vertices, np.asarray(mesh.faces, np.int32), Material(srgb=colour))


def extent(shapes: list[Shape]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for s in shapes:
        half = (
            np.asarray(s.size) / 2
            if s.kind == "box"
            else np.array([s.size[0], s.size[0], s.size[0] if s.kind == "sphere" else s.size[1] / 2])
        )
        low, high = (
            np.minimum(low, np.asarray(s.centre) - half),
            np.maximum(high, np.asarray(s.centre) + half),
        )
    return tuple((low + high) / 2), tuple(high - low)  # type: ignore[return-value]


def body(name: str, id: int, shapes: list[Shape], role: str = "prop", **more: object) -> Body:
    category = name.rstrip("_0123456789")
    centre, size = extent(shapes)
    return Body(
        name=name,
        id=id,
        category=category,
        label=Name(category.replace("_", " "), "物" + category),
        role=role,  # type: ignore[arg-type]
        surfaces=tuple(surface(s) for s in shapes),
        box_center=centre,
        box_size=size,
        **more,  # type: ignore[arg-type]
    )


def tray(w: float, d: float, h: float, t: float = 0.015) -> list[Shape]:
    """Five slabs, open at the top, the front (−y) with a handle; body frame in the middle."""
    return [
        Shape("box", (0, 0, -h / 2 + t / 2), (w, d, t)),
        Shape("box", (0, -d / 2 + t / 2, 0), (w, t, h)),
        Shape("box", (0, d / 2 - t / 2, -h * 0.1), (w, t, h * 0.8)),
        Shape("box", (-w / 2 + t / 2, 0, -h * 0.1), (t, d, h * 0.8)),
        Shape("box", (w / 2 - t / 2, 0, -h * 0.1), (t, d, h * 0.8)),
        Shape("box", (0, -d / 2 - 0.02, 0), (0.12, 0.04, 0.02)),
    ]


def shell(w: float, d: float, h: float, t: float = 0.02) -> list[Shape]:
    """A cabinet open to the front (−y)."""
    return [
        Shape("box", (0, d / 2 - t / 2, 0), (w, t, h)),
        Shape("box", (0, 0, -h / 2 + t / 2), (w, d, t)),
        Shape("box", (0, 0, h / 2 - t / 2), (w, d, t)),
        Shape("box", (-w / 2 + t / 2, 0, 0), (t, d, h)),
        Shape("box", (w / 2 - t / 2, 0, 0), (t, d, h)),
    ]
