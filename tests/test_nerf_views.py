"""Runs become Gaussians by what they show at posed cameras; nerfstudio itself draws only where it is trusted."""

from __future__ import annotations

import json
import math
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nerf_maker import edit, field_arrays, looking, solid_field, write_run

from synth4d.errors import SceneError
from synth4d.nerf import nerfstudio_views, trusted, views
from synth4d.nerf.march import Marcher
from synth4d.nerf.nerfstudio import read_splats
from synth4d.render.splat import Rasteriser
from synth4d.splats import CameraSet

T = looking((0.3, -0.4, 0.5), (1.0, 0.5, 0.2))
SCALE = 0.4
OPENGL = np.diag([1.0, -1, -1, 1])


def ring(n: int = 12, width: int = 120, height: int = 90) -> CameraSet:
    turns = [i * 2 * math.pi / n for i in range(n)]
    poses = [looking((0.9 * math.cos(a), 0.9 * math.sin(a), h)) for a in turns for h in (-0.2, 0.3, 0.8)]
    m = len(poses)
    K = np.array([[0.9 * width, 0, width / 2], [0, 0.9 * width, height / 2], [0, 0, 1]])
    sizes = np.broadcast_to([width, height], (m, 2)).astype(np.int64)
    return CameraSet(np.repeat(K[None], m, axis=0), np.stack(poses), sizes, None, ("",) * m, ("",) * m, None, ())


def test_gaussians_of_a_field_look_like_it_from_elsewhere() -> None:
    field = solid_field(samples=(96, 32))
    g = views.gaussians(views.of_field(field, views.chosen(ring())))
    off = np.minimum(np.abs(np.sqrt((g.means**2).sum(axis=1)) - 0.5), np.abs(g.means[:, 2] + 0.6))
    assert np.quantile(off, 0.8) < 0.03  # a voxel of the field is 0.06
    K, camera = np.array([[120.0, 0, 80], [0, 120, 60], [0, 0, 1]]), looking((0.7, -0.6, 0.5))
    rasteriser = Rasteriser()
    rasteriser.load(g)
    drawn, seen = rasteriser.render(K, camera, 160, 120), Marcher(field).view(K, camera, 160, 120)
    both = (drawn.alpha > 0.5) & (seen.alpha > 0.9)
    assert both.sum() > 0.85 * (seen.alpha > 0.9).sum()
    colours = drawn.rgb[both] / drawn.alpha[both][:, None]
    assert -10 * np.log10(((colours - seen.rgb[both]) ** 2).mean()) > 26
    assert np.median(np.abs(drawn.depth_z_m - seen.median_m)[both]) < 0.02


def test_cameras_are_few_small_and_before_the_applied_transform() -> None:
    cameras = ring(40, 1280, 720)
    applied = np.array([[0, 1, 0, 0.5], [1, 0, 0, 0], [0, 0, -1, 2], [0, 0, 0, 1]]) @ np.diag([2.0, 2, 2, 1])
    moved = applied @ cameras.T_world_cam
    moved[:, :3, :3] /= 2
    few = views.chosen(CameraSet(cameras.K, moved, cameras.sizes, None, cameras.files, cameras.splits, applied, ()))
    assert len(few.K) == views.MAX_VIEWS and (few.sizes == [320, 180]).all()
    assert np.allclose(few.K[0], np.diag([0.25, 0.25, 1]) @ cameras.K[0])
    assert np.allclose(few.T_world_cam[0], cameras.T_world_cam[0]) and np.allclose(
        few.T_world_cam[-1], cameras.T_world_cam[-1]
    )


def test_nothing_seen_is_an_error() -> None:
    cameras = views.chosen(ring(1))
    dark = [views.View(k, t, np.zeros((90, 120, 3), np.float32), np.zeros((90, 120), np.float32))
            for k, t in zip(cameras.K, cameras.T_world_cam, strict=True)]  # fmt: skip
    with pytest.raises(SceneError, match="see nothing"):
        views.gaussians(dark)


# ---- Runs ----------------------------------------------------------------------------------------


def write_cameras(folder: Path, cameras: CameraSet) -> Path:
    folder.mkdir()
    frames = [
        {"file_path": f"{i}.png", "transform_matrix": (t @ OPENGL).tolist()} for i, t in enumerate(cameras.T_world_cam)
    ]
    K, (w, h) = cameras.K[0], cameras.sizes[0]
    lens = {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "w": int(w), "h": int(h)}
    (folder / "transforms.json").write_text(json.dumps(lens | {"frames": frames}))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A nerfacto run of the solid field, trained in the axes and units of a data parser."""
    field = solid_field(samples=(64, 96, 32), proposals=(solid_field().proposals[0],) * 2)
    folder = write_run(tmp_path / "run", "nerfacto", field_arrays(field), T, SCALE)
    few = dict(
        average_init_density=1.0, num_levels=1, base_res=32, max_res=32, disable_scene_contraction="true", far_plane=5.0
    )
    edit(folder, **few, num_nerf_samples_per_ray=32, proposal_initial_sampler="uniform", background_color="black")
    path = folder / "config.yml"
    nets = path.read_text().replace(
        "max_res: 128\n      num_levels: 5", "max_res: 32\n      base_res: 32\n      num_levels: 1"
    )
    path.write_text(
        nets.replace("max_res: 256\n      num_levels: 5", "max_res: 32\n      base_res: 32\n      num_levels: 1")
    )
    return folder


def test_a_nerfacto_run_becomes_gaussians_in_world_axes(run: Path, tmp_path: Path) -> None:
    cameras = ring(8)
    poses = np.linalg.inv(T) @ cameras.T_world_cam  # where model units are metres' 0.4
    poses[:, :3, 3] = (cameras.T_world_cam[:, :3, 3] / SCALE - T[:3, 3]) @ T[:3, :3]
    moved = CameraSet(cameras.K, poses, cameras.sizes, None, cameras.files, cameras.splits, None, ())
    splats = read_splats(run, write_cameras(tmp_path / "data", moved))
    model = SCALE * (splats.gaussians.means @ T[:3, :3].T + T[:3, 3])
    off = np.minimum(np.abs(np.sqrt((model**2).sum(axis=1)) - 0.5), np.abs(model[:, 2] + 0.6))
    assert np.quantile(off, 0.8) < 0.03
    assert splats.notes.format == "nerfacto, step 7, 24 views"
    with pytest.raises(SceneError, match="give --cameras"):
        read_splats(run)


def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A Python that draws what `code` says in nerfstudio's stead."""
    script = tmp_path / "fake.py"
    script.write_text("import json, sys\nimport numpy as np\nrequest = json.load(open(sys.argv[1]))\n" + code)
    monkeypatch.setattr(trusted, "SCRIPT", script)


def test_a_trusted_run_is_drawn_by_another_process(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every view shows a wall two model units ahead; its points lie two of those before the cameras of the data."""
    fake(tmp_path, monkeypatch, """
out = {}
for k, (w, h) in enumerate(request["sizes"]):
    out |= {f"rgb{k}": np.full((h, w, 3), 0.5), f"depth{k}": np.full((h, w), 2.0)}
np.savez(sys.argv[2], **out)
""")  # fmt: skip
    cameras = ring(1)
    splats = read_splats(run, write_cameras(tmp_path / "data", cameras), trust=True)
    assert splats.notes.format == "nerfstudio, 3 views"
    means, poses = splats.gaussians.means, cameras.T_world_cam
    ahead = np.einsum("nmk,mk->nm", means[:, None] - poses[None, :, :3, 3], poses[:, :3, 2])
    assert np.abs(ahead - 2 / SCALE).min(axis=1).max() < 0.05


def test_the_script_runs_on_its_own(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real script in a process, with a torch and a nerfstudio that have just the names that it asks for."""
    packages = tmp_path / "packages"
    for name, content in {
        "torch": """
import contextlib
import numpy as np
load, float32, no_grad = None, "f4", contextlib.nullcontext
class Tensor:
    def __init__(self, values): self.values = np.asarray(values)
    def __getitem__(self, at): return Tensor(self.values[at])
    def cpu(self): return self
    def numpy(self): return self.values
def tensor(values, dtype): return Tensor(values)
""",
        "nerfstudio/__init__": "",
        "nerfstudio/cameras/__init__": "",
        "nerfstudio/cameras/cameras": """
class CameraType: PERSPECTIVE = 1
class Cameras:
    def __init__(self, pose, fx, fy, cx, cy, width, height, camera_type): self.size = (height, width)
    def to(self, device): return self
""",
        "nerfstudio/utils/__init__": "",
        "nerfstudio/utils/eval_utils": """
import types, numpy as np, torch
class Model:
    device = "cpu"
    gauss_params = None
    def get_outputs_for_camera(self, camera):
        rgb, depth = np.full((*camera.size, 3), 0.5), np.full((*camera.size, 1), 2.0)
        return {"rgb": torch.Tensor(rgb), "depth": torch.Tensor(depth), "name": "not a picture"}
def eval_setup(path, test_mode, update_config_callback):
    part = types.SimpleNamespace
    config = part(pipeline=part(datamanager=part(dataparser=part())))
    assert str(update_config_callback(config).relative_model_dir).endswith("run/nerfstudio_models")
    return config, part(model=Model()), None, 0
""",
    }.items():
        path = packages / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    cameras = ring(1)
    splats = read_splats(run, write_cameras(tmp_path / "data", cameras), trust=True)
    ahead = splats.gaussians.means[:, None] - cameras.T_world_cam[None, :, :3, 3]
    depths = np.einsum("nmk,mk->nm", ahead, cameras.T_world_cam[:, :3, 2])
    assert np.abs(depths - 2 / SCALE).min(axis=1).max() < 0.05


def test_what_nerfstudio_says_last_is_what_is_said(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_cameras(tmp_path / "data", ring(1))
    for code, reason in [
        ("sys.exit('no such method')", "could not draw it: no such method"),
        ("np.savez(sys.argv[2], rgb0=np.zeros((2, 2, 3)), depth0=np.zeros((2, 2)))", "drew"),
        ("open(sys.argv[2], 'w').write('no')", "can't be read"),
    ]:
        fake(tmp_path, monkeypatch, code)
        with pytest.raises(SceneError, match=reason):
            read_splats(run, data, trust=True)
    monkeypatch.setenv(trusted.PYTHON, str(tmp_path / "no-python"))
    with pytest.raises(SceneError, match="set SYNTH4D_NERFSTUDIO_PYTHON"):
        read_splats(run, data, trust=True)


def test_without_trust_no_process_is_started(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted.subprocess, "run", lambda *_, **__: pytest.fail("ran"))
    config = run / "config.yml"
    config.write_text(
        config.read_text().replace("nerfstudio.models.nerfacto.Nerfacto", "nerfstudio.models.tensorf.TensoRF")
    )
    with pytest.raises(SceneError, match="--trust"):
        read_splats(run, write_cameras(tmp_path / "data", ring(1)))


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(trusted.PYTHON, raising=False)
    assert trusted.command(Path("a"), Path("b")) == [sys.executable, str(trusted.SCRIPT), "a", "b"]
    assert trusted.SCRIPT.is_file()
    monkeypatch.setenv(trusted.PYTHON, "/opt/python")
    assert trusted.command(Path("a"), Path("b"))[0] == "/opt/python"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_nerfstudios_rays_are_the_cameras_that_were_asked_for(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of nerfstudio's that shows the plane z = −1 of model axes: its points come back onto that plane."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("nerfstudio.cameras.cameras", reason="nerfstudio is not installed")

    class Model:
        device = "cpu"

        def get_outputs_for_camera(self, camera: Any) -> dict[str, Any]:
            rays = camera.generate_rays(camera_indices=0)
            depth = (-1 - rays.origins[..., 2:]) / rays.directions[..., 2:]
            hit = (depth > 0).float()
            return {"rgb": torch.sigmoid(rays.directions), "depth": depth, "accumulation": hit}

    seen: dict[str, Any] = {}

    def eval_setup(path: Path, test_mode: str, update_config_callback: Any) -> Any:
        part = types.SimpleNamespace
        config = part(data=None, pipeline=part(datamanager=part(data=None, dataparser=part(data=None))))
        seen["config"] = update_config_callback(config)
        return config, part(model=Model()), None, 0

    module = types.ModuleType("nerfstudio.utils.eval_utils")
    module.eval_setup = eval_setup  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nerfstudio.utils.eval_utils", module)
    monkeypatch.setattr(torch, "load", torch.load)  # so that what the script changes is changed back
    cameras = views.chosen(ring(2))
    request = trusted._request(run, cameras, (T, SCALE), Path("data"))
    drawn = nerfstudio_views.draw(json.loads(json.dumps(request)))
    assert seen["config"].relative_model_dir == run / "nerfstudio_models"
    for k, (K, pose) in enumerate(zip(cameras.K, cameras.T_world_cam, strict=True)):
        z = drawn[f"depth{k}"] / SCALE
        v, u = np.mgrid[: z.shape[0], : z.shape[1]] + 0.5
        cam = np.stack([(u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z, z], axis=-1)[z > 0]
        world = cam @ pose[:3, :3].T + pose[:3, 3]
        model = SCALE * (world @ T[:3, :3].T + T[:3, 3])
        assert len(model) > 100 and np.abs(model[:, 2] + 1).max() < 1e-3
