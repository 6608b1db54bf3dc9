"""nerfstudio's own field modules, built, made fast on a processor, and read out as a Field.

The only module that imports torch and nerfstudio, when it is imported itself. What it imports of nerfstudio 1.1.5
are the parts (fields, samplers, renderers): its whole nerfacto model would ask the network for LPIPS weights.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from synth4d.config import Nerf
from synth4d.errors import RenderError
from synth4d.nerf import _grid, field
from synth4d.types import F32, F64, U16, Vec3

# Threads that spin between parallel loops made a step 10 times slower on two cores that others use as well.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
try:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.cuda.amp.custom_fwd, of nerfstudio's activations
        from nerfstudio.cameras.rays import RayBundle
        from nerfstudio.field_components.activations import trunc_exp
        from nerfstudio.field_components.encodings import HashEncoding
        from nerfstudio.field_components.field_heads import FieldHeadNames
        from nerfstudio.fields.density_fields import HashMLPDensityField
        from nerfstudio.fields.nerfacto_field import NerfactoField
        from nerfstudio.model_components.ray_samplers import ProposalNetworkSampler, UniformSampler
        from nerfstudio.model_components.renderers import AccumulationRenderer, DepthRenderer, RGBRenderer
except ImportError as error:
    raise RenderError(
        f"fitting a NeRF needs torch and nerfstudio ({error}): run `make setup`, or install them as docs/nerf.md says, "
        "or draw static shots with --set static_renderer=splat"
    ) from None

__all__ = ["Loop", "Networks", "read_out", "restore", "settled", "torch", "trunc_exp"]
THREADS = 2
"""Of a fit, on any machine: sums in other orders give other weights."""
NEAR_M = 0.05
PROPOSALS = ({"max_res": 128, "log2_hashmap_size": 14}, {"max_res": 512, "log2_hashmap_size": 16})
"""The two proposal grids: where about, and where more precisely."""


class Encode(torch.autograd.Function):  # type: ignore[misc]
    """HashEncoding's values and their slope with respect to the table, by the compiled passes."""

    @staticmethod
    def forward(ctx: Any, points: Any, table: Any, resolutions: Any) -> Any:
        out = torch.empty(len(points), len(resolutions) * table.shape[1])
        _grid.forward(points.detach().numpy(), table.detach().numpy(), resolutions.numpy(), out.numpy(), THREADS)
        ctx.save_for_backward(points, resolutions)
        ctx.shape = table.shape
        return out

    @staticmethod
    def backward(ctx: Any, slope: Any) -> Any:
        points, resolutions = ctx.saved_tensors
        total = torch.zeros(ctx.shape)
        slope = slope.contiguous().numpy()
        _grid.backward(points.detach().numpy(), slope, resolutions.numpy(), total.numpy(), THREADS)
        return None, total, None


class Networks(torch.nn.Module):  # type: ignore[misc]
    """The NerfactoField of a fit and its proposal fields."""

    def __init__(self, settings: Nerf, aabb: F32, classes: int) -> None:
        super().__init__()
        box = torch.from_numpy(aabb)
        self.field = NerfactoField(
            box, num_images=1, num_levels=settings.levels, features_per_level=settings.features, base_res=16,
            max_res=settings.max_res, log2_hashmap_size=settings.log2_size, hidden_dim=settings.hidden,
            num_layers_color=2, hidden_dim_color=settings.hidden, appearance_embedding_dim=0, use_semantics=True,
            num_semantic_classes=classes, pass_semantic_gradients=True, implementation="torch",
        )  # fmt: skip
        self.proposals = torch.nn.ModuleList(
            HashMLPDensityField(box, hidden_dim=16, num_levels=5, base_res=16, implementation="torch", **grid)
            for grid in PROPOSALS
        )

    def fast(self) -> None:
        """Let every hash encoding run through the compiled passes; for processors."""
        for module in self.modules():
            if isinstance(module, HashEncoding):
                module.forward = _Fast(module)


class _Fast:
    def __init__(self, encoding: Any) -> None:
        self.encoding = encoding

    def __call__(self, points: Any) -> Any:
        return Encode.apply(points.contiguous(), self.encoding.hash_table, self.encoding.scalings)


@contextmanager
def settled(seed: int) -> Iterator[None]:
    """Own seed, fixed threads and deterministic algorithms within; the caller's state afterwards."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    with torch.random.fork_rng():
        torch.manual_seed(seed & (2**63 - 1))
        torch.set_num_threads(THREADS)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # it takes a tenth of a step
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)
            torch.utils.deterministic.fill_uninitialized_memory = filled


# ---- To a Field and back -------------------------------------------------------------------------


def read_out(networks: Networks, settings: Nerf, ids: U16, far: float, background: Vec3) -> field.Field:
    """The weights of a fit as they are kept; positions and distances are metres."""
    fitted = networks.field
    encoding, mlp = fitted.mlp_base.model
    semantics = _mlp([*fitted.mlp_semantics.layers[:-1], _joined(fitted.mlp_semantics, fitted.field_head_semantics)])
    return field.Field(
        base=field.Density(_grid_of(encoding), _mlp(mlp.layers)),
        colour=_mlp(fitted.mlp_head.layers),
        semantics=semantics,
        ids=ids,
        appearance=np.zeros(0, np.float32),
        proposals=tuple(field.Density(_grid_of(p.mlp_base[0]), _mlp(p.mlp_base[1].layers)) for p in networks.proposals),
        samples=tuple(settings.samples),
        uniform=True,
        near=NEAR_M,
        far=far,
        aabb=_array(fitted.aabb),
        contracts=False,
        init_density=1.0,
        background=background,
        T_world_model=np.eye(4),
        scale=1.0,
    )


def restore(made: field.Field) -> Networks:
    """The networks of a fit that was read out by `read_out`."""
    base, res = made.base, made.base.grid.resolutions
    settings = Nerf(
        levels=base.grid.levels, features=4 if base.grid.table.shape[1] == 4 else 2,
        log2_size=base.grid.size.bit_length() - 1, max_res=int(res[-1]), hidden=len(base.mlp.weights[0]),
    )  # fmt: skip
    networks = Networks(settings, made.aabb, len(made.ids))
    fitted = networks.field
    assert made.semantics is not None
    hidden = fitted.mlp_semantics.layers[-1]
    with torch.no_grad():
        _write(fitted.mlp_base.model[0], fitted.mlp_base.model[1].layers, base)
        for network, proposal in zip(networks.proposals, made.proposals, strict=True):
            _write(network.mlp_base[0], network.mlp_base[1].layers, proposal)
        _write_mlp(fitted.mlp_head.layers, made.colour)
        _write_mlp([*fitted.mlp_semantics.layers[:-1], fitted.field_head_semantics.net], made.semantics)
        hidden.weight.copy_(torch.eye(len(hidden.weight)))
        hidden.bias.zero_()
    return networks


def _write(encoding: Any, layers: Any, density: field.Density) -> None:
    encoding.hash_table.copy_(torch.from_numpy(density.grid.table))
    encoding.scalings = torch.from_numpy(density.grid.resolutions)
    _write_mlp(layers, density.mlp)


def _write_mlp(layers: Any, mlp: field.Mlp) -> None:
    for layer, weight, bias in zip(layers, mlp.weights, mlp.biases, strict=True):
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))


def _joined(mlp: Any, head: Any) -> Any:
    """nerfstudio's semantics end in two linear layers with nothing between: one."""
    last, joined = mlp.layers[-1], torch.nn.Linear(mlp.layers[-1].in_features, head.net.out_features)
    with torch.no_grad():
        joined.weight.copy_(head.net.weight.double() @ last.weight.double())
        joined.bias.copy_(head.net.weight.double() @ last.bias.double() + head.net.bias.double())
    return joined


def _grid_of(encoding: Any) -> field.HashGrid:
    return field.HashGrid(_array(encoding.hash_table), _array(encoding.scalings))


def _mlp(layers: Any) -> field.Mlp:
    return field.Mlp(tuple(_array(x.weight) for x in layers), tuple(_array(x.bias) for x in layers))


def _array(tensor: Any) -> F32:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)


class Loop:
    """The straightforward nerfstudio loop over a fit: its sampler, its fields and its renderers, as its nerfacto
    model calls them. The baseline of `bench nerf` and the oracle of its tests."""

    def __init__(self, networks: Networks, made: field.Field) -> None:
        self.networks, self.made = networks.eval(), made
        sampler = UniformSampler(train_stratified=False) if made.uniform else None
        self.sampler = ProposalNetworkSampler(
            num_proposal_samples_per_ray=made.samples[:-1], num_nerf_samples_per_ray=made.samples[-1],
            num_proposal_network_iterations=len(made.proposals), initial_sampler=sampler,
        ).eval()  # fmt: skip
        background = "last_sample" if made.background is None else torch.tensor(made.background)
        self.rgb, self.depth, self.alpha = RGBRenderer(background), DepthRenderer("median"), AccumulationRenderer()
        self.rgb.eval()

    def rays(self, origins: F64, directions: F64, chunk: int = 4096) -> tuple[F32, F32, F32, U16]:
        """Colour (N,3), median distance (N,), opacity (N,) and id (N,) of rays (N,3) of unit direction."""
        parts = [self._chunk(origins[i : i + chunk], directions[i : i + chunk]) for i in range(0, len(origins), chunk)]
        rgb, depth, alpha, ids = (np.concatenate(p) for p in zip(*parts, strict=True))
        return rgb, depth, alpha, ids

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _chunk(self, origins: F64, directions: F64) -> tuple[F32, F32, F32, U16]:
        n = len(origins)
        o, d = (torch.from_numpy(np.ascontiguousarray(x, np.float32)) for x in (origins, directions))
        bundle = RayBundle(
            o, d, torch.ones(n, 1), torch.zeros(n, 1, dtype=torch.long),
            torch.full((n, 1), self.made.near), torch.full((n, 1), self.made.far),
        )  # fmt: skip
        samples, _, _ = self.sampler(bundle, density_fns=[p.density_fn for p in self.networks.proposals])
        outputs = self.networks.field.forward(samples)
        weights = samples.get_weights(outputs[FieldHeadNames.DENSITY])
        logits = (weights * outputs[FieldHeadNames.SEMANTICS]).sum(1)
        alpha = _array(self.alpha(weights=weights))[:, 0]
        ids = np.where(alpha >= 0.5, self.made.ids[logits.argmax(1).numpy()], np.uint16(0))
        rgb = self.rgb(rgb=outputs[FieldHeadNames.RGB], weights=weights)
        return _array(rgb), _array(self.depth(weights=weights, ray_samples=samples))[:, 0], alpha, ids
