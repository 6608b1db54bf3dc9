"""Other people's files into a scene folder: recognised, copied beside a scene.yaml that loads, for a person to name."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synth4d import splats
from synth4d.errors import ConfigError, SceneError, SynthError
from synth4d.nerf import nerfstudio, views
from synth4d.scene import assets, captured, draft, guess, meshbody, propose, urdf
from synth4d.scene.annotation import BoxSpec
from synth4d.scene.bring import AXES, MESHES, MJCF
from synth4d.scene.draft import Draft
from synth4d.scene.placement import placement
from synth4d.scene.spec import AssetSpec
from synth4d.splats import Splats, tracks
from synth4d.types import F64

CAPTURED_ROOM_M, MODEL_ROOM_M = 1.2, 2.0
"""What is wider is looked at from within: captures are mostly of rooms, models mostly of things."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person says of the files."""

    name: str
    axes: str = ""
    units: str = "m"
    scale: float = 1.0
    propose: bool = False
    trust: bool = False
    fps: float = 8.0
    on_bad: splats.OnBad = "refuse"
    cameras: Path | None = None


def adopt(path: Path, out: Path, options: Options) -> tuple[Path, list[str]]:
    """Write `out`/scene.yaml and what it needs; → its path, and what a person should know, a line each."""
    if not path.exists():
        raise ConfigError(f"{path}: no such file or folder")
    if (out / "scene.yaml").exists():
        raise ConfigError(f"{out}/scene.yaml is there already; give another --out, or remove it")
    fresh = not out.exists()
    try:
        if path.suffix.lower() in (*MESHES, *MJCF, ".urdf") or (path / "mobility.urdf").is_file():
            return _model(path / "mobility.urdf" if path.is_dir() else path, out, options)
        return _capture(path, out, *_splats(path, options), options)
    except SynthError:
        if fresh:  # nothing half-written stays
            shutil.rmtree(out, ignore_errors=True)
        raise


# ---- Captures ------------------------------------------------------------------------------------


def _splats(path: Path, options: Options) -> tuple[Splats, splats.Motion | None]:
    """The Gaussians of a file or folder, moving or not."""
    if path.is_dir():
        if (path / "config.yml").is_file():
            return nerfstudio.read_splats(path, options.cameras, trust=options.trust), None
        if (path / "params.npz").is_file():
            path = path / "params.npz"
        elif any(path.glob("transforms*.json")):
            raise SceneError(
                f"{path}: cameras alone show no shapes: train a NeRF or splats on them, and import those with --cameras"
            )
        elif not any(p.suffix.lower() == ".ply" for p in path.iterdir()):
            raise SceneError(
                f"{path}: not known as a scene: no config.yml of nerfstudio, params.npz, mobility.urdf or .ply in it"
            )
    if path.is_dir() or path.suffix.lower() == ".npz":
        motion = splats.read_motion(path, options.fps)
        return motion.splats, motion
    return splats.read(path, on_bad=options.on_bad), None


def _capture(
    path: Path, out: Path, found: Splats, motion: splats.Motion | None, options: Options
) -> tuple[Path, list[str]]:
    n = found.notes
    asset = AssetSpec.model_validate(
        {"splats": "capture", "axes": options.axes, "units": options.units, "scale": options.scale}
    )
    own = n.axes or {"y": "y-up", "z": "z-up"}.get((n.vertical_axis or "").strip().lower())
    at = placement(asset, own, "--axes")
    g = splats.transform(found.gaussians, at.upright, at.scale)
    said = [f"{n.format}: {len(g.means):,} Gaussians, SH degree {n.sh_degree}", *n.remarks]
    if n.dropped:
        said.append(f"{n.dropped} bad Gaussians are left out")
    if found.extra:
        said.append(f"columns that are kept and not used: {', '.join(sorted(found.extra))}")
    e = guess.extent(g)
    size = e.high - e.low
    said.append(f"axes {at.axes}, {at.scale:g} m a unit: {size[0]:.2f} x {size[1]:.2f} x {size[2]:.2f} m")
    said += [f"warning: {doubt}" for doubt in guess.doubts(e)]
    out.mkdir(parents=True, exist_ok=True)
    copied = path.is_file() and motion is None
    name = _copied([path], path.parent, out)[path] if copied else "capture.ply"
    if not copied:
        splats.write_ply(found, out / name)
    fields = draft.asset("splats", name, options, at.axes, assets.digest([out / name])) | {"annotation": "things.yaml"}
    if options.on_bad != "refuse":
        fields["on_bad"] = options.on_bad
    things = draft.proposed(propose.propose(g)) if options.propose else {}
    if "floor" not in things:
        slab = draft.floor(e)
        if captured.holds(g.means.astype(float), BoxSpec(center=slab["center"], size=slab["size"])):
            things = {"floor": slab} | things
        else:
            said.append("warning: no floor was found; add one to things.yaml, with place: true")
    moving = _tracks(motion, out, said)
    if moving is not None:
        fields["tracks"] = "tracks.npz"
        things |= draft.moving(moving, found, g)
    (out / "things.yaml").write_text(draft.things(things), encoding="utf-8")
    eyes = None if options.cameras is None else _eyes(path, options.cameras, at.upright, at.scale)
    said.append(f"{len(things)} things in things.yaml, for a person to name")
    stand = any(thing.get("place") for thing in things.values())
    wide = float(min(size[:2])) >= CAPTURED_ROOM_M
    rules, lamp = draft.camera(e.low, e.high, e.floor, eyes, room=wide)
    return _written(out, Draft(options.name, [fields], {}, {}, rules, lamp, stand), said)


def _tracks(motion: splats.Motion | None, out: Path, said: list[str]) -> tracks.Tracks | None:
    """Rigid tracks of what moves, written beside the scene."""
    if motion is None:
        return None
    if motion.splats.object_id is None:
        said.append("warning: the frames have no object_id, so nothing moves: frame 0 is the scene")
        return None
    fitted, residual = tracks.fit(motion.means, motion.splats.object_id, motion.times_s)
    tracks.save(fitted, out / "tracks.npz")
    worst = ", ".join(f"{i}: {r:.2g}" for i, r in zip(fitted.object_id, residual.max(1), strict=True))
    said.append(f"{len(fitted.object_id)} rigid tracks of {len(fitted.times_s)} frames; off by (file units) {worst}")
    return fitted


def _eyes(path: Path, file: Path, upright: F64, scale: float) -> F64:
    """(M,3) where a camera set's cameras stood, in the upright frame."""
    cameras = splats.read_cameras(file, distorted="ignore")
    if (path / "config.yml").is_file():  # a run of nerfstudio comes back to the axes before its applied_transform
        cameras = views.before_applied(cameras)
    eyes = cameras.T_world_cam[:, :3, 3] * scale
    return np.asarray((upright[None, :3, :3] * eyes[:, None, :]).sum(2) + upright[:3, 3])


# ---- Models --------------------------------------------------------------------------------------


def _model(path: Path, out: Path, options: Options) -> tuple[Path, list[str]]:
    from synth4d.physics import read_model

    suffix, root = path.suffix.lower(), path.parent
    asset = AssetSpec.model_validate(
        {"model": path.name, "axes": options.axes, "units": options.units, "scale": options.scale}
    )
    at = placement(asset, AXES.get(suffix), "--axes")
    if suffix in MESHES:
        bodies, files = meshbody.read(path, root, at, (), str(path))
    elif suffix == ".urdf":
        bodies, files = urdf.read(path, root, at, str(path))
    else:
        files = assets.check_model(path, root, str(path))
        bodies = read_model(path, scale=at.scale)
    low, high = draft.bounds(bodies)
    size = high - low
    said = [f"{path.name}: {len(bodies)} bodies, {sum(len(b.visual) for b in bodies)} shapes, {len(files)} files"]
    said.append(f"axes {at.axes}, {at.scale:g} m a unit: {size[0]:.2f} x {size[1]:.2f} x {size[2]:.2f} m")
    said += [f"warning: {d}" for d in guess.doubts(guess.Extent(low, high, float(low[2]), 0.0))]
    out.mkdir(parents=True, exist_ok=True)
    name = _copied(files, root, out)[path]
    fields = draft.asset("model", name, options, at.axes, assets.digest(files))
    named, places = draft.bodies(bodies, draft.semantics(root))
    rules, lamp = draft.camera(low, high, float(low[2]), None, room=float(min(size[:2])) >= MODEL_ROOM_M)
    return _written(out, Draft(options.name, [fields], named, places, rules, lamp, bool(places)), said)


def _copied(files: list[Path], root: Path, out: Path) -> dict[Path, str]:
    """Files into the scene's folder, as they lie to each other; those already in it stay. → their names there."""
    names = {}
    for file in files:
        if file.resolve().is_relative_to(out.resolve()):
            names[file] = str(file.resolve().relative_to(out.resolve()))
            continue
        if file.is_symlink():
            raise SceneError(f"{file} is a link; assets are plain files")
        inside = file.resolve().relative_to(root.resolve())
        names[file] = str(inside)
        (out / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, out / inside)
    return names


def _written(out: Path, written: Draft, said: list[str]) -> tuple[Path, list[str]]:
    """scene.yaml, which must load."""
    from synth4d.scene.load import load

    path = out / "scene.yaml"
    path.write_text(draft.scene(written), encoding="utf-8")
    load(path)
    return path, said
