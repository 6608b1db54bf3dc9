"""nerfacto and depth-nerfacto checkpoints (nerfstudio 1.0 to 1.1.5, torch implementation) → Field."""

from __future__ import annotations

from typing import Any

import numpy as np

from synth4d.errors import SceneError
from synth4d.nerf.checkpoint import Weights
from synth4d.nerf.field import Density, Field, HashGrid, Mlp
from synth4d.nerf.settings import Values
from synth4d.types import F32, F64, Vec3

BACKGROUNDS: dict[str, Vec3 | None] = {
    "last_sample": None,
    "random": (0.0, 0.0, 0.0),  # random only while training
    "black": (0.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
}


def field(weights: Weights, model: Values, T_world_model: F64, scale: float) -> Field:
    """The field of a checkpoint; `model` are the settings of its model. SceneError where they don't fit together."""
    table = weights.array("field.mlp_base.model.0.hash_table", "field.mlp_base_grid.hash_table")
    before_1_1 = "field.mlp_base_grid.hash_table" in weights.tensors
    layers = "field.mlp_base_mlp.layers." if before_1_1 else "field.mlp_base.model.1.layers."
    rounds = min(model.whole("num_proposal_iterations", 2), 8)
    counts = model.wholes("num_proposal_samples_per_ray", (256, 96))[:rounds]
    background = model.text("background_color", "last_sample")
    if background not in BACKGROUNDS:
        raise SceneError(f"{model.file}: background_color {background[:40]!r}; known: {', '.join(BACKGROUNDS)}")
    return _checked(
        weights,
        base=Density(_grid(table, model, levels=16, most=2048), _layers(weights, layers)),
        colour=_layers(weights, "field.mlp_head.layers."),
        semantics=None,
        ids=np.zeros(0, np.uint16),
        appearance=_appearance(weights, model),
        proposals=tuple(_proposal(weights, model, i) for i in range(rounds)),
        samples=(*counts, model.whole("num_nerf_samples_per_ray", 48)),
        uniform=model.text("proposal_initial_sampler", "piecewise") == "uniform",
        near=0.0,  # NearFarCollider drops the near plane once training is over
        far=model.number("far_plane", 1000.0),
        aabb=weights.array("field.aabb"),
        contracts=not model.flag("disable_scene_contraction", False),
        init_density=model.number("average_init_density", 1.0),
        background=BACKGROUNDS[background],
        T_world_model=T_world_model,
        scale=scale,
    )


def _checked(weights: Weights, **members: Any) -> Field:
    try:
        return Field(**members)
    except SceneError as problem:
        raise SceneError(f"{weights.path}: {problem}; config.yml and checkpoint may be of two runs") from None


def resolutions(levels: int, least: float, most: float) -> F32:
    """(L,) of nerfstudio's HashEncoding, computed as it does: growth in 64 bits, its powers in 32."""
    growth = np.exp((np.log(most) - np.log(least)) / (levels - 1)) if levels > 1 else 1.0
    powers = np.float32(growth) ** np.arange(levels, dtype=np.float32)
    return np.floor(np.float32(least) * powers).astype(np.float32)


def _grid(table: F32, settings: Values, levels: int, most: int) -> HashGrid:
    levels = settings.whole("num_levels", levels)
    least, most = settings.whole("base_res", 16), settings.whole("max_res", most)
    if levels > 64 or least > most:
        raise SceneError(f"{settings.file}: a hash grid of {levels} levels from {least} to {most} cells can't be")
    return HashGrid(table, resolutions(levels, least, most))


def _layers(weights: Weights, prefix: str) -> Mlp:
    ws: list[F32] = []
    bs: list[F32] = []
    while f"{prefix}{len(ws)}.weight" in weights.tensors or not ws:
        ws.append(weights.array(f"{prefix}{len(ws)}.weight"))
        bs.append(weights.array(f"{prefix}{len(bs)}.bias", sides=1))
    return Mlp(tuple(ws), tuple(bs))


def _appearance(weights: Weights, model: Values) -> F32:
    """What nerfstudio gives the colour network for a camera that it has not trained on."""
    name = "field.embedding_appearance.embedding.weight"
    if name not in weights.tensors:
        return np.zeros(0, np.float32)
    mean = weights.array(name).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean if model.flag("use_average_appearance_embedding", True) else np.zeros_like(mean)


def _proposal(weights: Weights, model: Values, index: int) -> Density:
    listed = model.values.get("proposal_net_args_list")
    if not isinstance(listed, list) or not listed or not all(isinstance(a, dict) for a in listed):
        raise SceneError(f"{model.file}: proposal_net_args_list must be a list of settings")
    index = 0 if model.flag("use_same_proposal_network", False) else index
    settings, prefix = Values(model.file, listed[min(index, len(listed) - 1)]), f"proposal_networks.{index}."
    table = weights.array(f"{prefix}encoding.hash_table", f"{prefix}mlp_base.0.hash_table")
    grid = _grid(table, settings, levels=8, most=1024)
    if f"{prefix}linear.weight" not in weights.tensors:
        return Density(grid, _layers(weights, f"{prefix}mlp_base.1.layers."))
    return Density(
        grid, Mlp((weights.array(f"{prefix}linear.weight"),), (weights.array(f"{prefix}linear.bias", sides=1),))
    )
