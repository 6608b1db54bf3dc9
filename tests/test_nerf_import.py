"""Runs of `ns-train` come back as they were, into world axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nerf_maker import (
    GOLDEN,
    SMALL,
    ckpt,
    edit,
    field_arrays,
    gaussians,
    looking,
    small_field,
    write_checkpoint,
    write_run,
)

from synth4d.nerf import checkpoint, settings
from synth4d.nerf.march import Marcher
from synth4d.nerf.nerfstudio import NerfRun, SplatRun, read_run


@pytest.fixture
def nerfacto(tmp_path: Path) -> Path:
    return edit(write_run(tmp_path / "run", "nerfacto", field_arrays(small_field())), **SMALL)


def test_a_nerfacto_run_is_the_field_it_was(nerfacto: Path) -> None:
    field, run = small_field(), read_run(nerfacto)
    assert isinstance(run, NerfRun) and (run.method, run.step) == ("nerfacto", 7)
    got = run.field
    assert got.samples == (256, 96, 12) and got.near == 0 and got.far == 20 and got.contracts and not got.uniform
    assert got.init_density == 0.5 and got.background is None and got.semantics is None
    nets = zip((*got.proposals, got.base), (*field.proposals, field.base), strict=True)
    for mine, theirs in nets:
        assert np.array_equal(mine.grid.table, theirs.grid.table)
        assert np.array_equal(mine.grid.resolutions, theirs.grid.resolutions)
        assert all(np.array_equal(a, b) for a, b in zip(mine.mlp.weights, theirs.mlp.weights, strict=True))
    assert np.abs(got.appearance - field.appearance).max() < 1e-6  # the mean over the training views
    edit(nerfacto, use_average_appearance_embedding="false", background_color="white")
    other = read_run(nerfacto)
    assert isinstance(other, NerfRun) and not other.field.appearance.any() and other.field.background == (1, 1, 1)


def test_world_axes_come_back(tmp_path: Path) -> None:
    """A point x of the data stood at s·(T·x) in training: a camera there sees what the model's own camera sees."""
    field, T, scale = small_field(), looking((0.3, -0.4, 0.5), (1.0, 0.5, 0.2)), 0.4
    run = read_run(edit(write_run(tmp_path / "run", "depth-nerfacto", field_arrays(field), T, scale), **SMALL))
    assert isinstance(run, NerfRun) and run.method == "depth-nerfacto"
    K, cam = np.array([[20.0, 0, 8], [0, 20, 6], [0, 0, 1]]), looking((0.5, 0.4, 0.3))
    model = cam.copy()
    model[:3, 3] *= scale  # the camera in model units, its axes T·cam
    world = np.linalg.inv(T) @ cam
    one = Marcher(field, pruned=False).view(K, model, 16, 12)
    two = Marcher(run.field, pruned=False).view(K, world, 16, 12)
    assert np.quantile(np.abs(one.rgb - two.rgb), 0.95) < 1e-2  # noise down to the last bit of a position
    assert np.quantile(np.abs(one.expected_m / scale - two.expected_m), 0.95) < 2e-2


@pytest.mark.parametrize("degree", [0, 1, 3])
def test_a_splatfacto_run_comes_back_to_world_axes(tmp_path: Path, degree: int) -> None:
    arrays, T, scale = gaussians(degree=degree), looking((0.3, -0.4, 0.5)), 0.25
    folder = write_run(tmp_path / "run", "splatfacto", arrays, T, scale)
    run = read_run(edit(folder, rasterize_mode="antialiased"))
    assert isinstance(run, SplatRun)
    g = run.splats.gaussians
    back = scale * (g.means @ T[:3, :3].T + T[:3, 3])
    assert np.abs(back - arrays["_model.gauss_params.means"]).max() < 1e-5
    assert np.allclose(g.scales * scale, np.exp(arrays["_model.gauss_params.scales"]), rtol=1e-5)
    assert np.allclose(g.opacities, 1 / (1 + np.exp(-arrays["_model.gauss_params.opacities"][:, 0])), atol=1e-6)
    assert g.antialiased and (g.sh is None) == (degree == 0)
    dc = arrays["_model.gauss_params.features_dc"]
    expected = 0.5 + 0.28209479177387814 * dc if degree else 1 / (1 + np.exp(-dc))
    assert np.allclose(g.colours, expected, atol=1e-5)


def test_the_newest_checkpoint_counts_and_ddp_names_are_known(nerfacto: Path) -> None:
    arrays = {k.replace("_model.", "_model.module."): v for k, v in field_arrays(small_field()).items()}
    write_checkpoint(nerfacto / "nerfstudio_models" / "step-000000100.ckpt", arrays)
    (nerfacto / "nerfstudio_models" / "step-000000099.ckpt").write_bytes(b"cut")
    assert read_run(nerfacto).step == 100


def test_names_of_nerfstudio_before_1_1_are_known(nerfacto: Path) -> None:
    older = {"base.model.0.": "base_grid.", "base.model.1.": "base_mlp.", "encoding.hash": "mlp_base.0.hash"}
    arrays = field_arrays(small_field())
    for new, old in older.items():
        arrays = {k.replace(new, old): v for k, v in arrays.items()}
    write_checkpoint(ckpt(nerfacto), arrays)
    run = read_run(nerfacto)
    assert isinstance(run, NerfRun)
    assert np.array_equal(run.field.base.grid.table, small_field().base.grid.table)
    assert np.array_equal(run.field.base.mlp.weights[1], small_field().base.mlp.weights[1])


def test_torchs_own_files_are_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    layer = torch.nn.Linear(3, 2)
    base = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4)
    state = torch.nn.ParameterDict({"w": torch.nn.Parameter(base[1].t())}).state_dict()
    state |= {"half": base[0].half(), "count": torch.tensor(5), "layer": layer.state_dict()["weight"]}
    rate = np.float64(0.25)  # a scheduler's learning rate
    path = tmp_path / "step-000000001.ckpt"
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    torch.save({"step": 1, "pipeline": state, "optimizers": {"a": optimizer.state_dict()}, "lr": rate}, path)
    got = checkpoint.arrays(path, checkpoint.state(path))
    assert np.array_equal(got["w"], base[1].numpy().T) and got["count"] == 5
    assert np.array_equal(got["half"], base[0].half().numpy()) and got["layer"].dtype == np.float32


def test_settings_of_every_method_are_plain_data() -> None:
    for method in ("nerfacto", "depth-nerfacto", "splatfacto"):
        config = settings.read(GOLDEN / f"ns_{method}.yml")
        assert config["data"] == "data/room" and config["output_dir"] == "outputs"
        assert config["pipeline"]["model"]["camera_optimizer"]["mode"] in ("SO3xR3", "off")
    assert config["optimizers"]["means"]["optimizer"]["_target"] == "torch.optim.adam.Adam"  # an alias
