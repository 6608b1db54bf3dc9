"""Users' own `ns-train` runs, read without nerfstudio and without running anything of theirs.

A run is a folder with `config.yml`, `dataparser_transforms.json` and `nerfstudio_models/step-*.ckpt`. nerfacto and
depth-nerfacto become a Field, splatfacto becomes Splats, both in the axes and units of the data that they were
trained on: nerfstudio turns, centres and scales a scene before training, and that is undone here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from synth4d.errors import SceneError
from synth4d.nerf import checkpoint, nerfacto, settings, splatfacto, trusted, views
from synth4d.nerf.checkpoint import Tensor, Weights
from synth4d.nerf.field import Field
from synth4d.nerf.settings import Values
from synth4d.splats import Notes, Splats, read_cameras
from synth4d.types import F64

NERFS = {"nerfstudio.models.nerfacto.NerfactoModelConfig", "nerfstudio.models.depth_nerfacto.DepthNerfactoModelConfig"}
SPLATS = {"nerfstudio.models.splatfacto.SplatfactoModelConfig"}
MAX_JSON = 1 << 16


@dataclass(frozen=True, slots=True)
class NerfRun:
    """A fitted field; `field.T_world_model` and `field.scale` lead to the axes and units of the training data."""

    field: Field
    method: str
    step: int


@dataclass(frozen=True, slots=True)
class SplatRun:
    """Gaussians in the axes and units of the training data."""

    splats: Splats
    method: str
    step: int


def read_run(folder: Path) -> NerfRun | SplatRun:
    """Read the newest checkpoint of a run. SceneError with file and reason where it is not one of the methods that
    are read, not whole, or would have to run code."""
    config = settings.read(_plain_file(folder, "config.yml"))
    model = _dict(folder, config, "pipeline", "model")
    kind, method = str(model.get(settings.CLASS)), str(config.get("method_name"))
    if kind not in NERFS | SPLATS:
        raise SceneError(
            f"{folder}/config.yml: method {method[:40]!r} ({kind[:80]}) is not read; nerfacto, depth-nerfacto and "
            "splatfacto are. nerfstudio itself can render it with --trust (docs/nerfstudio.md)"
        )
    T, scale = _parser_transform(_plain_file(folder, "dataparser_transforms.json"))
    path, step = newest_checkpoint(folder)
    tensors = _model_state(checkpoint.state(path))
    if packed := sorted(name for name in tensors if name.endswith(".params")):
        raise SceneError(
            f"{path}: {packed[0]} is packed by tiny-cuda-nn, whose layout only it can read; train with "
            "--pipeline.model.implementation torch"
        )
    weights = Weights(path, tensors)
    if kind in NERFS:
        return NerfRun(nerfacto.field(weights, Values(folder / "config.yml", model), _inverse(T), scale), method, step)
    return SplatRun(splatfacto.splats(weights, model, _inverse(T), scale), method, step)


def read_splats(folder: Path, cameras: Path | None = None, *, trust: bool = False, threads: int = 1) -> Splats:
    """Gaussians of any run, in the axes and units of its data; `notes.format` says what they were.

    splatfacto's are its own. A field has none: they are made of what it shows at `cameras`, the transforms.json of
    its data or the folder of that. With `trust`, nerfstudio itself draws the views, whatever the method, and so runs
    the code that the run names. SceneError as of `read_run`.
    """
    run = None if trust else read_run(folder)
    if isinstance(run, SplatRun):
        return replace(run.splats, notes=replace(run.splats.notes, format=f"{run.method}, step {run.step}"))
    if cameras is None:
        raise SceneError(
            f"{folder}: a field has no shapes of its own; give --cameras with the transforms.json that it was trained "
            "on, and what it shows there becomes Gaussians"
        )
    posed = views.chosen(read_cameras(cameras, distorted="ignore"))
    if run is None:
        parser = _parser_transform(_plain_file(folder, "dataparser_transforms.json"))
        seen, said = trusted.views(folder, posed, parser, cameras if cameras.is_dir() else cameras.parent), "nerfstudio"
    else:
        seen, said = views.of_field(run.field, posed, threads), f"{run.method}, step {run.step}"
    return Splats(views.gaussians(seen), Notes(str(folder), f"{said}, {len(posed.K)} views"))


def newest_checkpoint(folder: Path) -> tuple[Path, int]:
    """The file of the latest step, and the step."""
    models = folder / "nerfstudio_models"
    if models.is_symlink() or not models.is_dir():
        raise SceneError(f"{folder}: has no folder nerfstudio_models; give the folder that holds config.yml")
    steps = {int(m[1]): p for p in models.iterdir() if (m := re.fullmatch(r"step-(\d{1,12})\.ckpt", p.name))}
    if not steps:
        raise SceneError(f"{models}: has no step-*.ckpt")
    step = max(steps)
    return _plain_file(models, steps[step].name), step


def _plain_file(folder: Path, name: str) -> Path:
    path = folder / name
    if path.is_symlink():
        raise SceneError(f"{path}: is a link; copy the file itself there")
    if not path.is_file():
        raise SceneError(f"{path}: is missing; the folder that ns-train wrote is expected")
    return path


def _dict(folder: Path, config: dict[str, Any], *keys: str) -> dict[str, Any]:
    value: Any = config
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise SceneError(f"{folder}/config.yml: has no {'.'.join(keys)}; the file that ns-train wrote is expected")
    return value


def _parser_transform(path: Path) -> tuple[F64, float]:
    """(4,4) and s of x_model = s · (T · x_data)."""
    if path.stat().st_size > MAX_JSON:
        raise SceneError(f"{path}: {path.stat().st_size} bytes; a 3×4 matrix and a scale are expected")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        T = np.vstack([np.array(content["transform"], float).reshape(3, 4), [0, 0, 0, 1]])
        scale = float(content["scale"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise SceneError(f"{path}: no 3×4 'transform' and 'scale' can be read: {problem}"[:300]) from None
    R = T[:3, :3]
    turned = np.abs((R[:, :, None] * R[:, None, :]).sum(axis=0) - np.eye(3)).max() < 1e-4
    if not (np.isfinite(T).all() and turned and np.isfinite(scale) and scale > 0 and _handedness(R) > 0):
        raise SceneError(f"{path}: 'transform' must be a rotation and a shift, 'scale' positive")
    return T, scale


def _handedness(R: F64) -> float:
    return float((R[0] * np.cross(R[1], R[2])).sum())


def _inverse(T: F64) -> F64:
    """Of a rigid (4,4)."""
    out = np.eye(4)
    out[:3, :3] = T[:3, :3].T
    out[:3, 3] = -(T[:3, :3] * T[:3, 3:4]).sum(axis=0)
    return out


def _model_state(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the model by their names in it: without `_model.`, and `module.` of training on several GPUs."""
    model = {name.removeprefix("_model."): t for name, t in tensors.items() if name.startswith("_model.")}
    if model and all(name.startswith("module.") for name in model):
        model = {name.removeprefix("module."): t for name, t in model.items()}
    return model
