"""A mesh file as bodies: one for the file, standing on the middle of its box's lower face, and one for each mesh."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth4d.geometry import compose
from synth4d.physics import Geom, RawBody
from synth4d.scene import hulls, meshfile
from synth4d.scene.placement import Placement, handed, pose
from synth4d.types import F64, I32

IDENTITY = np.array([0.0, 0, 0, 1, 0, 0, 0])
FEATURE = float(np.cos(np.radians(40)))
"""Faces that meet at less than 40 degrees are one smooth surface."""
DENSITY, MASS_KG = 300.0, (0.05, 4.0)
"""kg/m³ of the box around a household thing, mostly air."""
_SMOOTH_FACES = 400_000
"""Meshes of more faces are shaded flat: their faces are small enough."""


def read(path: Path, root: Path, at: Placement, named: Collection[str], where: str) -> tuple[list[RawBody], list[Path]]:
    """The file's body, named as the file, and those of its meshes as its parts; what one bumps into belongs to the
    file's body but for the meshes that the scene has `named`. Raises SceneError."""
    parts, files = meshfile.read(path, root, where)
    placed = [upright(p.vertices, at) for p in parts]
    points = np.concatenate(placed)
    low, high = points.min(0), points.max(0)
    foot = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2], 1.0, 0, 0, 0])
    mirrored = handed(at.upright[:3, :3]) < 0
    bodies: list[RawBody] = []
    shapes: list[Geom] = []
    names: dict[str, int] = {path.stem: 1}
    for part, v in zip(parts, placed, strict=True):
        names[part.name] = names.get(part.name, 0) + 1
        name = part.name if names[part.name] == 1 else f"{part.name}#{names[part.name]}"
        looks, own = visual(part, v - foot[:3], mirrored), contact(v - foot[:3], part.faces)
        if name not in named:
            shapes, own = [*shapes, *own], ()
        bodies.append(RawBody(name, path.stem, IDENTITY, None, (looks,), own))
    mass = float(np.clip(DENSITY * np.prod(high - low), *MASS_KG))
    whole = RawBody(path.stem, "", compose(pose(at.place), foot), None, (), tuple(shapes), mass)
    return [whole, *bodies], files


def upright(vertices: F64, at: Placement) -> F64:
    """File coordinates → the upright frame, metres."""
    R, v = at.upright, vertices * at.scale
    return np.asarray(v[:, 0:1] * R[:3, 0] + v[:, 1:2] * R[:3, 1] + v[:, 2:3] * R[:3, 2] + R[:3, 3])


def visual(part: meshfile.Part, vertices: F64, mirrored: bool = False) -> Geom:
    """What one sees of a part."""
    faces, uv = part.faces, part.uv
    if mirrored:
        faces, uv = faces[:, ::-1].copy(), None if uv is None else uv[:, ::-1].copy()
    smooth = len(faces) <= _SMOOTH_FACES
    if smooth:
        vertices, faces = creased(vertices, faces)
    return Geom(
        "mesh", (0, 0, 0), IDENTITY, part.material, part.rgba,
        vertices=vertices, faces=faces, uv=uv, image=part.image, smooth=smooth,
    )  # fmt: skip


def contact(vertices: F64, faces: I32) -> tuple[Geom, ...]:
    """Convex shapes that one bumps into."""
    return tuple(
        Geom("mesh", (0, 0, 0), IDENTITY, vertices=piece, faces=None) for piece in hulls.pieces(vertices, faces)
    )


def creased(vertices: F64, faces: I32) -> tuple[F64, I32]:
    """Vertices shared just where the surface is smooth, so that vertex normals leave edges sharp."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, first, place = np.unique(np.round(vertices, 6), axis=0, return_index=True, return_inverse=True)
    at = place.ravel()[faces].astype(np.int64)
    c = vertices[faces]
    cross = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0])
    normal = cross / np.maximum(np.sqrt((cross * cross).sum(1, keepdims=True)), 1e-30)
    a, b = _neighbours(at)
    flat = (normal[a] * normal[b]).sum(1) > FEATURE
    link = coo_matrix((np.ones(int(flat.sum()), bool), (a[flat], b[flat])), shape=(len(faces), len(faces)))
    _, patch = connected_components(link, directed=False)
    key = at * (int(patch.max(initial=0)) + 1) + patch[:, None]
    _, corner, index = np.unique(key, return_index=True, return_inverse=True)
    return vertices[first][at.ravel()[corner]], index.reshape(-1, 3).astype(np.int32)


def _neighbours(at: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of faces that share an edge."""
    edge = np.sort(np.stack([at, np.roll(at, -1, 1)], 2).reshape(-1, 2), 1)
    face = np.repeat(np.arange(len(at)), 3)
    order = np.lexsort((face, edge[:, 1], edge[:, 0]))
    edge, face = edge[order], face[order]
    same = (edge[1:] == edge[:-1]).all(1)
    return face[:-1][same], face[1:][same]
