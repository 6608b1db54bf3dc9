"""The compiled marcher against plain numpy, nerfstudio's own modules, and itself on other builds and threads."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from nerf_maker import grid, looking, mlp, random_field, solid_field

from synth4d.errors import RenderError
from synth4d.nerf import _march, march, reference
from synth4d.nerf.field import Density
from synth4d.nerf.march import Marcher, Seen

K = np.array([[60.0, 0, 40], [0, 60, 30], [0, 0, 1]])
NAMES = [f.name for f in fields(Seen)]


def rays(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    d = rng.normal(size=(n, 3))
    return rng.normal(size=(n, 3)) * 0.3, d / np.linalg.norm(d, axis=1, keepdims=True)


VARIANTS: dict[str, dict[str, Any]] = {
    "nerfacto": {},
    "box": {"contracts": False, "background": (1.0, 0.5, 0.0), "classes": 0},
    "one feature, no proposals": {"features": 1, "samples": (40,), "appearance": 0},
    "four features, uniform": {"features": 4, "uniform": True, "near": 0.1, "far": 3.0},
    "three proposals": {"samples": (20, 17, 33, 9)},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_rays_are_those_of_the_plain_field(name: str) -> None:
    rng = np.random.default_rng(1)
    field = random_field(rng, **VARIANTS[name])
    o, d = rays(rng, 150)
    plain = reference.march(field, o.astype(np.float32), d.astype(np.float32))
    seen = Marcher(field, pruned=False).rays(o, d)
    # Half of a float's last digit may send a position to the next cell of the finest level; noise has no smoothness.
    assert np.abs(seen.rgb - plain["rgb"]).max() < 5e-4
    assert np.abs(seen.alpha - plain["alpha"]).max() < 5e-4
    assert np.quantile(np.abs(seen.expected_m - plain["expected"]), 0.98) < 1e-3
    opaque = plain["alpha"] > 0.51
    assert np.quantile(np.abs(seen.median_m - plain["median"])[opaque], 0.98) < 2e-3
    if field.semantics is not None:
        logits = np.sort(plain["logits"], axis=1)
        clear = opaque & (logits[:, -1] - logits[:, -2] > 1e-2)
        assert (seen.ids[clear] == field.ids[plain["logits"].argmax(axis=1)][clear]).all()
        assert (seen.ids[plain["alpha"] < 0.49] == 0).all()
    else:
        assert not seen.ids.any()


def test_each_sample_is_within_1e_4() -> None:
    rng = np.random.default_rng(2)
    field = random_field(rng)
    marcher = Marcher(field, pruned=False)
    p = rng.uniform(0.01, 0.99, (999, 3)).astype(np.float32)
    for k, net in enumerate((*field.proposals, field.base)):
        density, geometry = reference.density(field, net, p)
        ours = marcher.densities(k, p)
        assert np.abs(ours[:, 0] / density - 1).max() < 1e-4
        if k == len(field.proposals):
            assert np.abs(ours[:, 1:] - geometry).max() < 1e-4
    directions = rays(rng, len(p))[1].astype(np.float32)
    rgb, logits = marcher.heads(geometry.astype(np.float32), directions)
    assert np.abs(rgb - reference.colour(field, geometry, directions)).max() < 1e-4
    assert np.abs(logits - reference.through(field.semantics, geometry)).max() < 1e-4  # type: ignore[arg-type]


def test_builds_threads_and_order_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(march, "CELLS", 16)  # the plain build takes 5 s for all cells
    rng = np.random.default_rng(3)
    field = random_field(rng)
    o, d = rays(rng, 500)
    for pruned in (False, True):
        first = Marcher(field, pruned=pruned).rays(o, d)
        others = [Marcher(field, pruned=pruned, isa=isa).rays(o, d) for isa in _march.builds()]
        others += [Marcher(field, pruned=pruned, threads=n).rays(o, d) for n in (2, 5)]
        for other in others:
            assert all(np.array_equal(getattr(first, n), getattr(other, n)) for n in NAMES)
        order = rng.permutation(len(o))
        mixed = Marcher(field, pruned=pruned).rays(o[order], d[order])
        assert all(np.array_equal(getattr(first, n)[order], getattr(mixed, n)) for n in NAMES)


def test_pruning_keeps_the_picture() -> None:
    field = solid_field()
    cameras = [looking((0.8, -0.7, 0.5)), looking((-0.2, 0.9, 0.8)), looking((0.9, 0.1, -0.3))]
    errors, depths = [], []
    for T in cameras:
        full = Marcher(field, pruned=False).view(K, T, 80, 60)
        fast = Marcher(field).view(K, T, 80, 60)
        assert 0.2 < (full.alpha > 0.9).mean() < 0.98
        errors.append(((full.rgb - fast.rgb) ** 2).mean())
        depths.append(np.abs(full.median_m - fast.median_m))
        assert (full.ids != fast.ids).mean() < 1e-3
    assert -10 * np.log10(np.mean(errors)) > 45
    assert np.median(depths) < 1e-3 and np.quantile(depths, 0.99) < 1e-3


def test_a_solid_is_seen_where_it_is() -> None:
    seen = Marcher(solid_field(samples=(256, 128))).view(K, looking((0.0, -0.95, 0.0)), 80, 60)
    assert abs(seen.median_m[30, 40] - 0.45) < 0.04 and abs(seen.expected_m[30, 40] - 0.45) < 0.04
    v = 59  # the floor, half a pixel below the row's top: z-depth is along the axis, not along the ray
    z = 0.6 / ((v + 0.5 - 30) / 60)
    assert abs(seen.median_m[v, 2] - z) < 0.04
    assert set(np.unique(seen.ids)) <= {0, 3, 7} and seen.ids[30, 40] in (3, 7)
    sky = np.array([0.2, 0.3, 0.4], np.float32)
    assert np.abs(seen.rgb[0, 0] - sky).max() < 1e-3 and seen.median_m[0, 0] == 0 and seen.ids[0, 0] == 0


def test_world_axes_and_metres() -> None:
    """A field whose model stands elsewhere, turned and at another scale, shows the same from the camera moved along."""
    field = solid_field()
    T = looking((3.0, -1.0, 2.0), (0.5, 0.2, 0.0))
    moved = replace(field, T_world_model=T, scale=0.25)
    here, there = looking((0.8, -0.7, 0.5)), looking((0.8, -0.7, 0.5))
    there[:3, 3] *= 4
    one = Marcher(field, pruned=False).view(K, here, 80, 60)
    two = Marcher(moved, pruned=False).view(K, T @ there, 80, 60)
    assert np.quantile(np.abs(one.rgb - two.rgb), 0.99) < 2e-3
    assert np.quantile(np.abs(4 * one.median_m - two.median_m), 0.99) < 2e-3


def test_what_does_not_fit_is_refused() -> None:
    rng = np.random.default_rng(4)
    field = random_field(rng)
    wide = replace(field, colour=mlp(rng, 35, 300, 3))
    with pytest.raises(RenderError, match="wider than 256"):
        Marcher(wide)
    deep = replace(field, proposals=(Density(grid(rng, 5, 64, 8), mlp(rng, 10, *[8] * 9, 1)), field.proposals[1]))
    with pytest.raises(RenderError, match="more layers than 8"):
        Marcher(deep)
    for o, d in [(np.full((1, 3), np.nan), np.ones((1, 3))), (np.zeros((1, 3)), np.zeros((1, 3)))]:
        with pytest.raises(RenderError, match="finite"):
            Marcher(field).rays(o, d)
    with pytest.raises(RenderError, match="no such build"):
        Marcher(field, isa="mmx")
    with pytest.raises(RenderError, match="threads"):
        Marcher(field, threads=0)


def test_nerfstudios_own_modules_agree() -> None:
    """Samples, weights, colours and depths of nerfstudio's torch implementation, built from the same numbers."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("nerfstudio.fields.nerfacto_field", reason="nerfstudio is not installed")
    from nerfstudio.cameras.rays import RayBundle
    from nerfstudio.field_components.field_heads import FieldHeadNames
    from nerfstudio.field_components.spatial_distortions import SceneContraction
    from nerfstudio.fields.density_fields import HashMLPDensityField
    from nerfstudio.fields.nerfacto_field import NerfactoField
    from nerfstudio.model_components.ray_samplers import ProposalNetworkSampler
    from nerfstudio.model_components.renderers import DepthRenderer, RGBRenderer

    rng = np.random.default_rng(5)
    field = random_field(rng, classes=0, init_density=0.5)
    grids = [(n.grid.levels, int(n.grid.resolutions[-1])) for n in (*field.proposals, field.base)]
    common = {"spatial_distortion": SceneContraction(order=float("inf")), "implementation": "torch"}
    aabb = torch.tensor(field.aabb)
    full = NerfactoField(
        aabb, 3, hidden_dim=32, num_levels=grids[-1][0], max_res=grids[-1][1], log2_hashmap_size=10,
        appearance_embedding_dim=4, use_average_appearance_embedding=True, average_init_density=0.5, **common,
    )  # fmt: skip
    full.mlp_head.layers = torch.nn.ModuleList([torch.nn.Linear(w.shape[1], w.shape[0]) for w in field.colour.weights])
    nets = [
        HashMLPDensityField(
            aabb,
            hidden_dim=16,
            num_levels=levels,
            max_res=most,
            log2_hashmap_size=9,
            average_init_density=0.5,
            **common,
        )
        for levels, most in grids[:-1]
    ]

    def fill(grid: Any, layers: Any, net: Density) -> None:
        grid.hash_table.data, grid.scalings = torch.tensor(net.grid.table), torch.tensor(net.grid.resolutions)
        pour(layers, net.mlp)

    def pour(layers: Any, network: Any) -> None:
        for layer, w, b in zip(layers, network.weights, network.biases, strict=True):
            layer.weight.data, layer.bias.data = torch.tensor(w), torch.tensor(b)

    for net, mine in zip(nets, field.proposals, strict=True):
        fill(net.encoding, net.mlp_base[1].layers, mine)
    fill(full.mlp_base.model[0], full.mlp_base.model[1].layers, field.base)
    pour(full.mlp_head.layers, field.colour)
    full.embedding_appearance.embedding.weight.data = torch.tensor(field.appearance).repeat(3, 1)

    o, d = (a.astype(np.float32) for a in rays(rng, 200))
    ones = torch.ones(len(o), 1)
    bundle = RayBundle(torch.tensor(o), torch.tensor(d), ones, (0 * ones).long(), nears=0 * ones, fars=field.far * ones)
    sampler = ProposalNetworkSampler(field.samples[:-1], field.samples[-1], len(nets))
    for module in (full, sampler, *nets):
        module.eval()
    with torch.no_grad():
        samples, _, _ = sampler(bundle, density_fns=[net.density_fn for net in nets])
        out = full(samples)
        weights = samples.get_weights(out[FieldHeadNames.DENSITY])
        renderer = RGBRenderer(background_color="last_sample").eval()
        rgb = renderer(out[FieldHeadNames.RGB], weights).numpy()
        expected = DepthRenderer("expected")(weights, samples).numpy()[:, 0]
    seen = Marcher(field, pruned=False).rays(o.astype(float), d.astype(float))
    assert np.abs(seen.rgb - rgb).max() < 5e-4
    assert np.abs(seen.alpha - weights.sum(dim=1).numpy()[:, 0]).max() < 5e-4
    assert np.quantile(np.abs(seen.expected_m - expected), 0.98) < 1e-3
