"""splatfacto checkpoints (nerfstudio 1.0 to 1.1.5) → Splats."""

from __future__ import annotations

from typing import Any

import numpy as np

from synth4d.errors import SceneError
from synth4d.nerf.checkpoint import Weights
from synth4d.splats import MAX_GAUSSIANS, Notes, Splats, transform
from synth4d.splats.splats import SH_C0, SH_DEGREE, Raw, finish
from synth4d.types import F64

WIDTHS = {"means": 3, "scales": 3, "quats": 4, "opacities": 1, "features_dc": 3}


def splats(weights: Weights, model: dict[str, Any], T_world_model: F64, scale: float) -> Splats:
    """Gaussians in world axes; x_world = T_world_model · (x_model / scale). SceneError where they are not sound."""
    found = {k: weights.array(f"gauss_params.{k}", k) for k in WIDTHS}
    count = len(found["means"])
    for name, width in WIDTHS.items():
        if found[name].shape != (count, width) or count > MAX_GAUSSIANS:
            raise SceneError(
                f"{weights.path}: {name} is of shape {found[name].shape}; ({count}, {width}) and at most "
                f"{MAX_GAUSSIANS} Gaussians are expected"
            )
    rest = weights.tensors.get("gauss_params.features_rest") or weights.tensors.get("features_rest")
    shape = rest.shape if rest else ()
    if len(shape) != 3 or shape[::2] != (count, 3) or shape[1] not in SH_DEGREE:
        raise SceneError(f"{weights.path}: features_rest is of shape {shape}; ({count}, 0 3 8 or 15, 3) is expected")
    sh = weights.array("gauss_params.features_rest", "features_rest", sides=3) if shape[1] else None
    dc = found["features_dc"]
    if sh is None:  # colours of degree 0 are a sigmoid in splatfacto; here the constant term of a harmonic
        dc = ((_sigmoid(dc) - 0.5) / SH_C0).astype(np.float32)
    with np.errstate(over="ignore"):
        scales = np.exp(found["scales"])
    raw = Raw(found["means"], found["quats"], scales, _sigmoid(found["opacities"][:, 0]).astype(np.float32), dc, sh)
    raw.antialiased = model.get("rasterize_mode") == "antialiased"
    model_splats = finish(raw, Notes(str(weights.path), "splatfacto"), "refuse")
    world = transform(model_splats.gaussians, T_world_model, 1 / scale)
    return Splats(world, model_splats.notes)


def _sigmoid(x: Any) -> F64:
    with np.errstate(over="ignore"):
        y: F64 = 1 / (1 + np.exp(-x.astype(np.float64)))
    return y
