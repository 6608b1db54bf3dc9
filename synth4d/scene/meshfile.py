"""GLB, OBJ and STL in: the one door to trimesh, imported when used. A file is read from bytes, and what it names is
read only where it lies within the asset's root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from synth4d.errors import SceneError
from synth4d.scene import assets
from synth4d.types import F64, I32, Image

MAX_FACES = 4_000_000
MAX_SIDE = 8192
"""Pixels on a texture's side."""
SHADES = 32
"""Colours that a mesh coloured by its vertices may keep; of more, the mean."""

Rgba = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One mesh of a file, in the file's axes and units."""

    name: str
    material: str
    vertices: F64
    faces: I32
    rgba: Rgba
    """sRGB and opacity"""
    uv: F64 | None = None
    """(F,3,2), lower left = (0, 0)"""
    image: Image | None = None


class Beside(Mapping[str, bytes]):
    """The files beside a mesh file, by the names it uses; remembers which were read."""

    def __init__(self, folder: Path, root: Path, where: str) -> None:
        self.folder, self.root, self.where = folder, root, where
        self.files: list[Path] = []
        self.refused: SceneError | None = None

    def __getitem__(self, name: str) -> bytes:
        path = self.folder / name.strip().replace("\\", "/")
        try:
            if not path.is_file():
                raise SceneError(f"{self.where}: {name!r} is named in {self.folder.name}/ but does not exist")
            assets.plain(path, self.root, self.where)
        except SceneError as problem:
            self.refused = self.refused or problem  # trimesh goes on without what it can't have
            raise
        self.files.append(path.resolve())
        return path.read_bytes()

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def read(path: Path, root: Path, where: str) -> tuple[list[Part], list[Path]]:
    """The meshes of a file, and the files they came from. Raises SceneError."""
    import trimesh

    beside = Beside(path.parent, root, where)
    kind = path.suffix.lower()[1:]
    try:
        scene = trimesh.load_scene(
            BytesIO(path.read_bytes()), file_type=kind, resolver=beside, process=False, maintain_order=True
        )
    except SceneError:
        raise
    except Exception as problem:  # a parser of other people's bytes: whatever it trips over, the file is at fault
        said = " ".join(str(problem).split())[:160]
        raise SceneError(f"{where}: {path.name}: not a {kind.upper()} that can be read: {said}") from None
    if beside.refused is not None:
        raise beside.refused
    parts = []
    for node in scene.graph.nodes_geometry:
        T, geometry = scene.graph[node]
        mesh = scene.geometry[geometry]
        if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces):
            parts += _parts(str(node), mesh, np.asarray(T, float), kind, f"{where}: {path.name}: {node}")
    if not parts:
        raise SceneError(f"{where}: {path.name} has no triangles")
    count = sum(len(p.faces) for p in parts)
    if count > MAX_FACES:
        raise SceneError(f"{where}: {path.name} has {count} triangles; {MAX_FACES} are the most: decimate it")
    return parts, [path, *dict.fromkeys(beside.files)]


def _parts(name: str, mesh: Any, T: F64, kind: str, where: str) -> list[Part]:
    v, f = np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int32)
    v = v[:, 0:1] * T[:3, 0] + v[:, 1:2] * T[:3, 1] + v[:, 2:3] * T[:3, 2] + T[:3, 3]
    if not np.isfinite(v).all() or f.min() < 0 or f.max() >= len(v):
        raise SceneError(f"{where}: has vertices that are no numbers, or faces of vertices that are not there")
    if np.linalg.det(T[:3, :3]) < 0:
        f = f[:, ::-1].copy()
    material, rgba, image, uv = _look(mesh, kind, where)
    if image is None and mesh.visual.kind in ("vertex", "face"):
        return [
            Part(name, f"{name}:{k}", v, f[rows], shade)
            for k, (rows, shade) in enumerate(_shades(np.asarray(mesh.visual.face_colors, float) / 255))
        ]
    if uv is not None:
        uv = np.asarray(uv, float)[np.asarray(mesh.faces)]
        uv = uv[:, ::-1].copy() if np.linalg.det(T[:3, :3]) < 0 else uv
    return [Part(name, material, v, f, rgba, uv, image)]


def _look(mesh: Any, kind: str, where: str) -> tuple[str, Rgba, Image | None, F64 | None]:
    """Material name, colour, image and per-vertex UV of a mesh."""
    material = getattr(mesh.visual, "material", None)
    if material is None:
        return "", (0.6, 0.6, 0.6, 1.0), None, None
    physical = hasattr(material, "baseColorFactor")
    colour = material.baseColorFactor if physical else material.diffuse
    picture = material.baseColorTexture if physical else material.image
    rgba = np.ones(4) if colour is None else np.asarray(colour, float) / 255
    if physical:  # glTF's factors are linear, section 3.9.2 of its specification
        light = rgba[:3]
        rgba[:3] = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    if physical and material.alphaMode in (None, "OPAQUE"):
        rgba[3] = 1.0
    uv = getattr(mesh.visual, "uv", None)
    if picture is not None and not physical:
        rgba[:3] = 1.0
    image = None if picture is None or uv is None else _image(picture, where)
    r, g, b, a = (float(x) for x in rgba)
    return str(material.name or ""), (r, g, b, a), image, uv if image is not None else None


def _image(picture: Any, where: str) -> Image:
    if max(picture.size) > MAX_SIDE:
        raise SceneError(f"{where}: a texture of {picture.size[0]}x{picture.size[1]}; {MAX_SIDE} a side at most")
    try:
        return Image(np.asarray(picture.convert("RGB"), np.uint8))
    except (OSError, ValueError, SyntaxError) as problem:
        raise SceneError(f"{where}: its texture is no picture: {problem}") from None


def _shades(rgba: F64) -> list[tuple[Any, Rgba]]:
    """Faces grouped by their colour in steps of 1/32."""
    key, group = np.unique(np.round(rgba * 32), axis=0, return_inverse=True)
    if len(key) > SHADES:
        key, group = np.zeros((1, 4)), np.zeros(len(rgba), int)
    out = []
    for k in range(len(key)):
        r, g, b, a = (float(x) for x in rgba[group.ravel() == k].mean(0))
        out.append((group.ravel() == k, (r, g, b, a)))
    return out
