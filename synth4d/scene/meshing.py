"""Model-file geoms as surfaces: primitives become triangles, materials become what the scene says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from synth4d.geometry import apply_pose
from synth4d.physics import Geom
from synth4d.scene import assets, unwrap
from synth4d.scene.spec import MaterialSpec
from synth4d.types import F64, I32, Material, Surface, Vec3

SEGMENTS = 32


def surface(geom: Geom, material: Material) -> Surface:
    """A geom in its body's frame. Round primitives are shaded smooth, boxes flat, meshes as they say."""
    v, f, uv = _placed(geom, material.image is not None)
    smooth = geom.smooth if geom.type == "mesh" else geom.type != "box"
    return Surface(v, f, material, smooth=smooth, uv=uv)


@lru_cache(maxsize=512)  # a scene's geoms are the same in every layout
def _placed(geom: Geom, pictured: bool) -> tuple[F64, I32, F64 | None]:
    """Vertices in the body's frame, faces, and texture coordinates where there is an image."""
    v, f = mesh(geom)
    return apply_pose(geom.pose, v), f, unwrap.uv(geom, v, f) if pictured else None


def mesh(geom: Geom) -> tuple[F64, I32]:
    if geom.type == "mesh":
        assert geom.vertices is not None and geom.faces is not None
        return geom.vertices, geom.faces
    return _primitive(geom.type, geom.size)


@lru_cache(maxsize=4096)  # a scene's primitives are the same in every layout
def _primitive(type: str, size: Vec3) -> tuple[F64, I32]:
    a, b, c = size
    if type == "box":
        return box(a, b, c)
    turn = np.linspace(0, np.pi / 2, 9)
    if type == "cylinder":
        return revolve(np.array([[0, -b], [a, -b], [a, b], [0, b]]))
    if type == "capsule":
        low = np.stack([a * np.sin(turn), -b - a * np.cos(turn)], 1)
        return revolve(np.concatenate([low, low[::-1] * [1, -1]]))
    around = np.linspace(0, np.pi, 17)
    v, f = revolve(np.stack([np.sin(around), -np.cos(around)], 1))
    return v * (a if type == "sphere" else np.array([a, b, c])), f


def box(a: float, b: float, c: float) -> tuple[F64, I32]:
    """Half-sizes → 8 vertices, 12 triangles, outward."""
    v = np.array([[x, y, z] for x in (-a, a) for y in (-b, b) for z in (-c, c)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return v, np.array([t for q in quads for t in ((q[0], q[1], q[2]), (q[0], q[2], q[3]))], np.int32)


def revolve(profile: F64) -> tuple[F64, I32]:
    """(N,2) radius and height from bottom to top, turned about z; poles (radius 0) close the ends."""
    angle = np.arange(SEGMENTS) * 2 * np.pi / SEGMENTS
    rings = [np.stack([r * np.cos(angle), r * np.sin(angle), np.full(SEGMENTS, z)], 1) for r, z in profile]
    v = np.concatenate(rings)
    faces = []
    for i in range(len(profile) - 1):
        for k in range(SEGMENTS):
            p, q = i * SEGMENTS + k, i * SEGMENTS + (k + 1) % SEGMENTS
            if profile[i][0] > 0:
                faces.append((p, q, q + SEGMENTS))
            if profile[i + 1][0] > 0:
                faces.append((p, q + SEGMENTS, p + SEGMENTS))
    return v, np.array(faces, np.int32)


def material(
    geom: Geom, specs: Mapping[str, MaterialSpec], chosen: Mapping[str, tuple[float, float, float]],
    folder: Path, glow: str | None, switched: frozenset[str] = frozenset(),
) -> Material:  # fmt: skip
    """The scene's material of that name, else the model file's own flat colour. `glow` is the control of the body,
    `switched` the materials that some switched body has: they are dark on bodies without a control."""
    spec = specs.get(geom.material)
    if spec is None:
        r, g, b, alpha = geom.rgba
        return Material((r, g, b), "plain", 0.5, 0.1, opacity=max(alpha, 0.15), image=geom.image)
    texture = spec.texture
    if "://" in texture or "." in texture:
        texture = f"file:{assets.resolve(texture, folder, geom.material)}"
    emission = spec.emission if glow is not None or geom.material not in switched else (0.0, 0.0, 0.0)
    return Material(
        chosen[geom.material],
        texture,
        spec.size,
        spec.gloss,
        spec.opacity,
        emission,
        glow if any(emission) else None,
    )
