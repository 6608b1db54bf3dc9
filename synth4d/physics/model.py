"""MJCF and URDF files read into plain bodies: triangle meshes for the eye, convex primitives for contact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth4d.errors import SceneError
from synth4d.types import F64, I32, Image

_PRIMITIVES = {2: "sphere", 3: "capsule", 4: "ellipsoid", 5: "cylinder", 6: "box"}
_DEFAULT_RGBA = np.array([0.5, 0.5, 0.5, 1.0], np.float32)
MASS_KG = (0.3, 4.0)
"""Model files seldom give real masses (a default density makes a cupboard door weigh 30 kg)."""


@dataclass(frozen=True, slots=True, eq=False)
class Geom:
    """A shape in its body's frame: a convex primitive (MuJoCo half-sizes) or a mesh (`vertices`, `faces`)."""

    type: str
    size: tuple[float, float, float]
    pose: F64
    material: str = ""
    rgba: tuple[float, float, float, float] = (0.5, 0.5, 0.5, 1.0)
    texture: str = ""
    vertices: F64 | None = None
    faces: I32 | None = None
    uv: F64 | None = None
    """As in types.Surface, of a mesh that has an `image`."""
    image: Image | None = None
    tiling: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of a primitive with an `image`: how often it repeats across and down each side; for a cube map, what turns a
    point into the direction it is looked up by."""
    smooth: bool = False
    """A mesh that is shaded with vertex normals."""


@dataclass(frozen=True, slots=True)
class Hinge:
    """A joint of a body, in the body's frame. `type` is hinge, slide, free, or mocap: led along, come what may."""

    name: str
    type: str
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    anchor: tuple[float, float, float] = (0.0, 0.0, 0.0)
    low: float = 0.0
    high: float = 0.0
    follows: tuple[str, float, float] | None = None
    """A joint that moves this one: its name, and ratio and offset of this one's value to its."""


@dataclass(frozen=True, slots=True, eq=False)
class RawBody:
    """A rigid body as a model file describes it, or as the project composes it."""

    name: str
    parent: str
    """Empty: the world."""
    pose: F64
    """In the parent's frame, xyz + wxyz."""
    joint: Hinge | None
    visual: tuple[Geom, ...]
    collision: tuple[Geom, ...]
    mass: float = 0.3
    friction: float = 0.8
    rolling: float = 0.0005


def read_model(path: Path, *, scale: float = 1.0, keep: Iterable[str] = ()) -> list[RawBody]:
    """Bodies of an MJCF or URDF file, parents first, all lengths times `scale`; `keep` names the top-level
    bodies (with all below them) that are wanted, empty = all. Geoms of groups 0–2 are visual, others contact."""
    import mujoco

    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, RuntimeError) as error:  # RuntimeError: what C++ throws
        raise SceneError(f"{path.name}: not a model MuJoCo can read: {_line(error)}") from None
    roots = [model.body(b).name for b in range(1, model.nbody) if model.body_parentid[b] == 0]
    for name in keep:
        if name not in roots:
            raise SceneError(
                f"{path.name}: keep: no top-level body {name!r}; there are {', '.join(filter(None, roots))}"
            )
    wanted = set(keep) or set(roots)
    bodies, images = [], _images(model)
    for b in range(0, model.nbody):
        top = b
        while top and model.body_parentid[top]:
            top = model.body_parentid[top]
        if b and model.body(top).name not in wanted:
            continue
        bodies.append(_raw_body(model, b, scale, images))
    return bodies


def _raw_body(m: Any, b: int, scale: float, images: dict[int, Image]) -> RawBody:
    visual, collision = [], []
    for g in range(m.body_geomadr[b], m.body_geomadr[b] + m.body_geomnum[b]):
        geom = _geom(m, g, scale, images)
        if geom is None:
            continue
        if m.geom_group[g] <= 2:
            visual.append(geom)
        if m.geom_contype[g] or m.geom_conaffinity[g]:
            collision.append(geom)
    joint = None
    if m.body_jntnum[b]:
        j = m.body_jntadr[b]
        kind = {0: "free", 2: "slide", 3: "hinge"}.get(int(m.jnt_type[j]), "ball")
        factor = scale if kind == "slide" else 1.0
        joint = Hinge(
            m.joint(j).name, kind, _t3(m.jnt_axis[j]), _t3(m.jnt_pos[j] * scale),
            float(m.jnt_range[j][0] * factor), float(m.jnt_range[j][1] * factor),
        )  # fmt: skip
    pose = np.concatenate([m.body_pos[b] * scale, m.body_quat[b]])
    parent = int(m.body_parentid[b])
    return RawBody(
        m.body(b).name or f"body{b}" if b else "world", (m.body(parent).name or f"body{parent}") if parent else "",
        pose, joint, tuple(visual), tuple(collision), mass=float(np.clip(m.body_mass[b] * scale**3, *MASS_KG)),
    )  # fmt: skip


def _geom(m: Any, g: int, scale: float, images: dict[int, Image]) -> Geom | None:
    kind = int(m.geom_type[g])
    pose = np.concatenate([m.geom_pos[g] * scale, m.geom_quat[g]])
    mat = int(m.geom_matid[g])
    # A geom's own colour goes before its material's; the default says that it has none (visualizer, XML reference).
    rgba = m.mat_rgba[mat] if mat >= 0 and np.array_equal(m.geom_rgba[g], _DEFAULT_RGBA) else m.geom_rgba[g]
    texid = max(int(t) for t in m.mat_texid[mat]) if mat >= 0 else -1
    image = images.get(texid)
    common = {
        "material": m.mat(mat).name if mat >= 0 else "",
        "rgba": tuple(float(x) for x in rgba),
        "texture": m.tex(texid).name if texid >= 0 else "",
        "image": image,
    }
    if kind == 7:
        k = int(m.geom_dataid[g])
        v = m.mesh_vert[m.mesh_vertadr[k] : m.mesh_vertadr[k] + m.mesh_vertnum[k]].astype(float) * scale
        rows = slice(m.mesh_faceadr[k], m.mesh_faceadr[k] + m.mesh_facenum[k])
        f = m.mesh_face[rows].astype(np.int32)
        uv = None if image is None else _uv(m, g, k, v[f] / scale, rows, image)
        return Geom("mesh", (0, 0, 0), pose, vertices=v, faces=f, uv=uv, **common)  # type: ignore[arg-type]
    if kind not in _PRIMITIVES:
        return None  # planes and height fields: a scene brings its own floor as a box
    size = np.array(_t3(m.geom_size[g]))
    half = size[{"sphere": [0, 0, 0], "capsule": [0, 0, 1], "cylinder": [0, 0, 1]}.get(_PRIMITIVES[kind], [0, 1, 2])]
    tiling = (1.0, 1.0, 1.0)
    if image is not None and image.pixels.ndim == 4:
        tiling = _t3((1 if m.mat_texuniform[mat] else 1 / half) / np.full(3, scale))
    elif image is not None:
        tiling = _t3([*(m.mat_texrepeat[mat] * (half[:2] if m.mat_texuniform[mat] else 1)), 1])
    return Geom(_PRIMITIVES[kind], _t3(size * scale), pose, tiling=tiling, **common)  # type: ignore[arg-type]


def _uv(m: Any, g: int, mesh: int, corners: F64, rows: slice, image: Image) -> F64:
    """Texture coordinates of a mesh (F,3,2 or 3) as MuJoCo has them: its own, repeated; else the picture lies in its
    x and y, once from side to side or once a length of 1. A cube map is looked up by the direction from the middle."""
    mat, half = int(m.geom_matid[g]), m.geom_size[g]
    uniform, repeat = bool(m.mat_texuniform[mat]), m.mat_texrepeat[mat]
    if image.pixels.ndim == 4:
        return np.asarray(corners * half if uniform else corners)
    if m.mesh_texcoordadr[mesh] >= 0:
        across, down = np.moveaxis(m.mesh_texcoord[m.mesh_texcoordadr[mesh] + m.mesh_facetexcoord[rows]], 2, 0)
        tiled = repeat * (half[:2] if uniform else 1)
        return np.stack([across * tiled[0], 1 - down * tiled[1]], 2).astype(float)
    rate = repeat / (1 if uniform else np.maximum(half[:2], 1e-9))
    return np.asarray(0.5 + 0.5 * rate * corners[..., :2])


def _images(m: Any) -> dict[int, Image]:
    """The textures of a model by number; a cube map of one picture shows it on all sides."""
    out = {}
    for t in range(m.ntex):
        h, w, channels = int(m.tex_height[t]), int(m.tex_width[t]), int(m.tex_nchannel[t])
        data = m.tex_data[m.tex_adr[t] : m.tex_adr[t] + h * w * channels].reshape(h, w, channels)
        pixels = np.ascontiguousarray(data[..., :3] if channels >= 3 else np.repeat(data[..., :1], 3, 2))
        if int(m.tex_type[t]) == 1:
            pixels = pixels.reshape(6, w, w, 3) if h == 6 * w else np.stack([pixels] * 6)
        if int(m.tex_type[t]) < 2:
            out[t] = Image(pixels)
    return out


def _t3(v: Any) -> tuple[float, float, float]:
    return (float(v[0]), float(v[1]), float(v[2]))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
