"""Assets of a scene as bodies, placed: the file is found, checked, and read by what it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from synth4d import splats
from synth4d.errors import SceneError
from synth4d.geometry import compose
from synth4d.physics import RawBody, read_model
from synth4d.scene import assets, captured, meshbody, urdf
from synth4d.scene.capture import Capture
from synth4d.scene.placement import Placement, handed, placement, pose, product
from synth4d.scene.spec import AssetSpec, BodySpec, PlaceSpec, SceneSpec
from synth4d.types import Gaussians, Track
from synth4d.yamlfile import Document

IDENTITY = np.array([0.0, 0, 0, 1, 0, 0, 0])
MESHES = (".glb", ".obj", ".stl")
MJCF = (".xml", ".mjcf")
MODELS = (*MJCF, ".urdf", *MESHES)
AXES = {".glb": "y-up"}
"""Axes that a format itself fixes (glTF 2.0, section 3.4)."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What an asset adds to a scene."""

    at: Placement
    bodies: list[RawBody]
    files: list[Path]
    named: dict[str, BodySpec] = field(default_factory=dict)
    places: dict[str, PlaceSpec] = field(default_factory=dict)
    captures: dict[str, Capture] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    upright: Gaussians | None = None
    """All of a capture, in the asset's upright frame, without harmonics."""


def bring(spec: SceneSpec, index: int, document: Document) -> Brought:
    """Read one asset of a scene file. Raises SceneError with file, line and what is wrong."""
    asset = spec.assets[index]
    where = document.where(("assets", index))
    path, root = locate(asset.file, asset.root, document.path.parent, where)
    if asset.splats is not None:
        return _splats(asset, path, root, document.path.parent, where, f"structure_{index}")
    suffix = path.suffix.lower()
    if suffix not in MODELS:
        raise SceneError(f"{where}: {path.name}: a model is {', '.join(MODELS)}; Gaussians go under `splats`")
    at = placement(asset, AXES.get(suffix), where)
    mirrored = handed(at.upright[:3, :3]) < 0
    if mirrored and suffix not in MESHES:
        raise SceneError(f"{where}: axes {at.axes!r} are left-handed, {suffix} files are not; export it again")
    if asset.keep and suffix not in MJCF:
        raise SceneError(f"{where}: keep is for MJCF; name what is wanted of {path.name} with `from`")
    if suffix in MESHES:
        assets.plain(path, root, where)
        bodies, files = meshbody.read(path, root, at, {b.source for b in spec.bodies.values()}, where)
    elif suffix == ".urdf":
        bodies, files = urdf.read(path, root, at, where)
    else:
        files = assets.check_model(path, root, where)
        bodies = _placed(read_model(path, scale=at.scale, keep=asset.keep), asset, at, index)
    _pinned(asset, path, files, where)
    return Brought(at, bodies, files)


def locate(file: str, root: str, folder: Path, where: str) -> tuple[Path, Path]:
    """An asset's file, and the folder that it and all its files must lie in."""
    path = assets.resolve(file, folder, where)
    if root:
        return path, assets.resolve(root, folder, where)
    package = file[6:].partition("/")[0] if file.startswith("pkg://") else None
    return path, assets.package_root(package, where) if package else folder


def _pinned(asset: AssetSpec, path: Path, files: list[Path], where: str) -> None:
    found = assets.digest(files)
    if asset.sha256 not in (None, found):
        raise SceneError(f"{where}: the files of {path.name} have digest {found}, the scene pins {asset.sha256}")


def _splats(asset: AssetSpec, path: Path, root: Path, folder: Path, where: str, rest: str) -> Brought:
    files = [assets.plain(path, root, where, assets.MAX_SPLATS)]
    annotation = None
    if asset.annotation:
        annotation = assets.resolve(asset.annotation, folder, where)
        files.append(assets.plain(annotation, root, where))
    _pinned(asset, path, files[:1], where)
    read = splats.read(path, on_bad=asset.on_bad)
    said = read.notes.axes or {"y": "y-up", "z": "z-up"}.get((read.notes.vertical_axis or "").strip().lower())
    at = placement(asset, said, where)
    moved = None
    if asset.tracks:
        files.append(assets.plain(assets.resolve(asset.tracks, folder, where), root, where))
        moved = splats.tracks.load(files[-1])
    found = captured.share_out(read, annotation, moved, at, rest)
    return Brought(at, found.bodies, files, found.named, found.places, found.captures, found.tracks, found.upright)


def _placed(bodies: list[RawBody], asset: AssetSpec, at: Placement, index: int) -> list[RawBody]:
    move = pose(product(at.place, at.upright))
    out = []
    for body in bodies:
        if body.name == "world":
            body = replace(body, name=f"world_{index}", pose=IDENTITY)
            if (not body.visual and not body.collision) or asset.keep:
                continue
        if body.parent == "":
            body = replace(body, pose=compose(move, body.pose))
        out.append(body)
    return out
