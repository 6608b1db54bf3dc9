"""GLB, OBJ and STL in: the one door to trimesh, imported when used. A file is read from bytes, and what it names is
read only where it lies within the asset's root."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
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
    raw = path.read_bytes()
    try:
        if kind == "glb":
            _check_pictures(_check_glb(raw), raw, beside)
        scene = trimesh.load_scene(BytesIO(raw), file_type=kind, resolver=beside, process=False, maintain_order=True)
    except SceneError:
        raise
    except Exception as problem:  # a parser of other people's bytes: whatever it trips over, the file is at fault
        said = " ".join(str(problem).split())[:160]
        raise SceneError(f"{where}: {path.name}: not a {kind.upper()} that can be read: {said}") from None
    if beside.refused is not None:
        raise beside.refused
    nodes = [(str(node), *scene.graph[node]) for node in scene.graph.nodes_geometry]
    shown = [(n, T, mesh) for n, T, g in nodes if isinstance(mesh := scene.geometry[g], trimesh.Trimesh)]
    count = sum(len(mesh.faces) for _, _, mesh in shown)
    if not 0 < count <= MAX_FACES:
        raise SceneError(f"{where}: {path.name} has {count} triangles; 1 to {MAX_FACES} are read: decimate it")
    parts = [
        part for n, T, mesh in shown if len(mesh.faces)
        for part in _parts(n, mesh, np.asarray(T, float), kind, f"{where}: {path.name}: {n}")
    ]  # fmt: skip
    return parts, [path, *dict.fromkeys(beside.files)]


def _check_glb(raw: bytes) -> dict[str, Any]:
    """Its tree, without what a reader would believe: accessors larger than the file, nodes that contain themselves.
    ValueError."""
    if len(raw) < 20 or raw[:4] != b"glTF" or struct.unpack_from("<I", raw, 4)[0] != 2:
        raise ValueError("it is no glTF 2 in one file")
    length, size, kind = struct.unpack_from("<I I 4s", raw, 8)
    if kind != b"JSON" or not size <= length - 20 <= len(raw) - 20:
        raise ValueError(f"it is cut: {len(raw)} bytes of {length}")
    tree: dict[str, Any] = json.loads(raw[20 : 20 + size])
    for k, accessor in enumerate(tree.get("accessors", ())):
        if not 0 <= int(accessor["count"]) <= len(raw):
            raise ValueError(f"accessor {k} has {accessor['count']} elements, more than the file has bytes")
    children = [child for node in tree.get("nodes", ()) for child in node.get("children", ())]
    if len(set(children)) < len(children):
        raise ValueError("a node hangs on two others")
    roots = set(range(len(tree.get("nodes", ())))) - set(children)
    seen = 0
    queue = list(roots)
    while queue:
        queue += tree["nodes"][queue.pop()].get("children", ())
        seen += 1
    if seen < len(tree.get("nodes", ())):
        raise ValueError("a node contains itself")
    return tree


def _check_pictures(tree: dict[str, Any], raw: bytes, beside: Beside) -> None:
    """The textures that are used are pictures, of a size that is read; trimesh goes on without those it can't open.
    ValueError."""
    from PIL import Image as Picture

    shown = [m.get("pbrMetallicRoughness", {}).get("baseColorTexture") for m in tree.get("materials", ())]
    for k in {tree["textures"][t["index"]]["source"] for t in shown if t}:
        image, start = tree["images"][k], 28 + struct.unpack_from("<I", raw, 12)[0]
        if "uri" in image:
            head, comma, data = image["uri"].partition(",")
            blob = b64decode(data) if comma and head.startswith("data:") else beside[image["uri"]]
        else:
            view = tree["bufferViews"][image["bufferView"]]
            start += view.get("byteOffset", 0)
            blob = raw[start : start + view["byteLength"]]
        try:
            with Picture.open(BytesIO(blob)) as picture:
                width, height = picture.size
        except (OSError, ValueError, SyntaxError, Picture.DecompressionBombError) as problem:
            raise ValueError(f"image {k} is no picture that can be read: {problem}") from None
        if max(width, height) > MAX_SIDE:
            raise ValueError(f"image {k} is of {width}x{height}; {MAX_SIDE} a side at most")


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
