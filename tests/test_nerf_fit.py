"""Fitting a radiance field: the compiled passes, equal fits, the cache, and what a fit shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from synth4d.config import Nerf
from synth4d.errors import RenderError, SceneError, SynthError
from synth4d.nerf import _grid, field
from synth4d.types import CameraPath, Clip

TINY = Nerf(views=16, size=64, steps=400, rays=512, levels=4, log2_size=14, max_res=128, floor_db=5)


@pytest.fixture(scope="module")
def torch() -> object:
    pytest.importorskip("nerfstudio", reason="nerfstudio is not installed")
    return pytest.importorskip("torch", reason="torch is not installed")


# ---- The hash encoding's passes ------------------------------------------------------------------


@pytest.mark.parametrize(("levels", "features"), [(1, 2), (5, 2), (3, 4)])
def test_passes_are_those_of_nerfstudio(torch, levels: int, features: int) -> None:  # type: ignore[no-untyped-def]
    from nerfstudio.field_components.encodings import HashEncoding

    torch.manual_seed(levels)
    theirs = HashEncoding(levels, 4, 100, 8, features, hash_init_scale=1.0, implementation="torch")
    points = torch.cat([torch.rand(200, 3), torch.tensor([[0.0, 0.5, 1.0]])])  # whole numbers: floor is ceil
    value = theirs(points)
    slope = torch.randn_like(value)
    value.backward(slope)
    for threads in (1, 2, 7):
        out = np.zeros(value.shape, np.float32)
        total = np.zeros(theirs.hash_table.shape, np.float32)
        table, resolutions = theirs.hash_table.detach().numpy(), theirs.scalings.numpy()
        _grid.forward(points.numpy(), table, resolutions, out, threads)
        _grid.backward(points.numpy(), slope.numpy(), resolutions, total, threads)
        np.testing.assert_allclose(out, value.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(total, theirs.hash_table.grad.numpy(), atol=2e-5)


def test_slopes_do_not_depend_on_the_number_of_threads() -> None:
    dice = np.random.default_rng(0)
    points, slope = dice.random((999, 3), np.float32), dice.standard_normal((999, 10)).astype(np.float32)
    resolutions = np.array([4, 7, 12, 21, 40], np.float32)
    totals = []
    for threads in (1, 2, 3, 5, 16):
        totals.append(np.zeros((5 * 64, 2), np.float32))
        _grid.backward(points, slope, resolutions, totals[-1], threads)
    assert totals[0].any() and all((t == totals[0]).all() for t in totals)


# ---- A field in a file ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted(torch) -> field.Field:  # type: ignore[no-untyped-def]
    learned, held = box_views(12), box_views(4, turn=0.4)
    from synth4d.nerf import train

    return train.train(learned, held, TINY, (0.1, 0.2, 0.3), 3, "cpu", lambda step, psnr: None)


def box_views(count: int, turn: float = 0.0, side: int = 64) -> Clip:
    """A sphere of id 7, red above and blue below, within a white box room of id 0, in closed form; an orbit."""
    from synth4d.geometry import intrinsics, look_at

    K = intrinsics(side, side, np.radians(70))
    angles = turn + 2 * np.pi * np.arange(count) / count
    T = np.stack([look_at(np.array([1.6 * np.cos(a), 1.6 * np.sin(a), 0.5]), np.zeros(3)) for a in angles])
    v, u = np.mgrid[:side, :side] + 0.5
    cam = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1)
    way = np.einsum("nij,hwj->nhwi", T[:, :3, :3], cam)  # length to depth 1
    eye = T[:, None, None, :3, 3]
    wall = np.where(way > 0, 2 - eye, -2 - eye) / way
    b, c = (way * eye).sum(-1), (eye**2).sum(-1) - 0.5**2
    root = b * b - (way**2).sum(-1) * c
    ball = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / (way**2).sum(-1), np.inf)
    depth = np.minimum(wall.min(-1), ball)
    top = (eye + way * depth[..., None])[..., 2] > 0
    hit = ball < wall.min(-1)
    rgb = np.where(hit[..., None], np.where(top[..., None], [220, 30, 30], [30, 30, 220]), 230).astype(np.uint8)
    return Clip(rgb, depth.astype(np.float32), np.where(hit, 7, 0).astype(np.uint16), CameraPath(side, side, K, T, 4.0))


def test_a_fit_shows_what_it_was_shown(fitted: field.Field) -> None:
    from synth4d.nerf.march import Marcher
    from synth4d.render.nerf import draw

    held = box_views(4, turn=0.4)
    seen = draw(Marcher(fitted), held.camera)
    error = np.mean((seen.rgb / 255.0 - held.rgb / 255.0) ** 2)
    assert -10 * np.log10(error) > 18
    assert np.median(np.abs(seen.depth_z_m - held.depth_z_m)) < 0.02
    assert np.mean(seen.ids == held.ids) > 0.97


def test_our_pictures_are_those_of_the_nerfstudio_loop(fitted: field.Field) -> None:
    from synth4d.nerf import studio
    from synth4d.nerf.march import Marcher
    from synth4d.nerf.train import pixel_rays

    held = box_views(2, turn=0.4, side=24)
    way = np.einsum("nij,hwj->nhwi", held.camera.T_world_cam[:, :3, :3], pixel_rays(held.camera)[0])
    eyes = np.broadcast_to(held.camera.T_world_cam[:, None, None, :3, 3], way.shape).reshape(-1, 3)
    rgb, depth, alpha, ids = studio.Loop(studio.restore(fitted), fitted).rays(eyes, way.reshape(-1, 3))
    ours = Marcher(fitted, pruned=False).rays(eyes, way.reshape(-1, 3).astype(np.float64))
    assert np.quantile(np.abs(ours.rgb - rgb), 0.99) < 2e-3
    assert np.quantile(np.abs(ours.alpha - alpha), 0.99) < 2e-3
    assert np.mean(ours.ids == ids) > 0.99
    assert np.median(np.abs(ours.median_m - depth)[alpha > 0.5]) < 0.02  # theirs is the middle of a sample


def test_two_fits_are_equal_and_files_round_trip(torch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from synth4d.nerf import train

    short, views = TINY.model_copy(update={"steps": 30}), (box_views(6), box_views(2, turn=0.4))
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        torch.manual_seed(ord(name))  # the caller's dice are neither used nor changed
        torch.set_num_threads(1 if name == "a" else 2)
        made = train.train(*views, short, (0.1, 0.2, 0.3), seed, "cpu", lambda step, psnr: None)
        field.save(made, tmp_path / name, note=1)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
    back, about = field.read(tmp_path / "c")
    assert about == {"note": 1} and (back.samples, back.near, back.far) == (made.samples, made.near, made.far)
    np.testing.assert_array_equal(back.base.grid.table, made.base.grid.table)


def test_a_fit_that_is_not_finite_is_an_error(torch, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from synth4d.nerf import train

    monkeypatch.setattr(train, "RATE", 1e30)
    with pytest.raises((RenderError, SceneError), match="finite"):
        two = TINY.model_copy(update={"steps": 3})
        train.train(box_views(4), box_views(4), two, (0, 0, 0), 3, "cpu", lambda step, psnr: None)


def test_a_gpu_without_memory_gets_fewer_rays_at_once_and_then_an_error(torch, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from synth4d.nerf import train

    most, sizes, loss = 256, [], train._Fit._loss

    def small(self, *rays, half):  # type: ignore[no-untyped-def]
        if len(rays[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(rays[0]))
        return loss(self, *rays, half=half)

    monkeypatch.setattr(train._Fit, "_loss", small)
    views, short = (box_views(4), box_views(2, turn=0.4)), TINY.model_copy(update={"steps": 2, "rays": 600})
    train.train(*views, short, (0, 0, 0), 3, "cpu", lambda step, psnr: None)
    assert sizes == [150] * 8  # 600 rays, halved until they fit, of two steps
    most = 0
    with pytest.raises(RenderError, match=r"memory does not hold .* or --device cpu"):
        train.train(*views, short, (0, 0, 0), 3, "cpu", lambda step, psnr: None)


def test_rays_in_parts_have_the_slope_of_all_at_once(torch, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from synth4d.nerf import studio, train

    with studio.settled(3):
        fit = train._Fit(box_views(4), box_views(2), TINY, 3, "cpu")
        monkeypatch.setattr(fit, "_random", lambda *shape: torch.full(shape, 0.5))  # the same dice for each part
        picked = fit.rays.pick(fit._draw(len(fit.rays.ends), 400))
        slopes = []
        for fit.at_once in (400, 150):
            fit._slopes(picked, 0.05, proposals=False)
            slopes.append(fit.networks.field.mlp_base.model[0].hash_table.grad.clone())
    assert slopes[0].abs().max() > 0 and torch.allclose(*slopes, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("hurt", ["cut", "text", "pickle", "nan", "shape"])
def test_a_file_that_is_no_field_is_refused(fitted: field.Field, tmp_path: Path, hurt: str) -> None:
    path = tmp_path / "field.npz"
    field.save(fitted, path)
    arrays = dict(np.load(path))
    if hurt == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif hurt == "text":
        path.write_text("no field")
    else:
        table = arrays["base/table"]
        arrays["base/table"] = {
            "pickle": np.array([object()]), "nan": table * np.float32(np.nan), "shape": table[:-1],
        }[hurt]  # fmt: skip
        np.savez(path, **arrays)
    with pytest.raises(SceneError, match=r"field\.npz"):
        field.load(path)


# ---- The fit of a scene --------------------------------------------------------------------------


def test_fit_command_keeps_checks_and_mends(torch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    from synth4d import cli

    settings = ["nerf.rays=256", "nerf.levels=4", "nerf.log2_size=12", "nerf.max_res=128", "nerf.floor_db=5"]
    command = ["fit", "toy", "--nerf", "--steps", "40", "--views", "8", "--size", "48", "--cache", str(tmp_path)]
    command += ["--set", *settings]
    assert cli.run(command) == 0
    (path,) = tmp_path.glob("*.npz")
    first, record = path.read_bytes(), json.loads(path.with_suffix(".json").read_bytes())
    assert record["steps"] == 40 and record["psnr_db"] > 5 and record["depth_m"] < 1
    assert "fitted before" not in capsys.readouterr().err
    assert cli.run(command) == 0
    assert "fitted before" in capsys.readouterr().err
    path.write_bytes(first[:-1] + bytes([first[-1] ^ 1]))  # a flipped bit is found, and the fit is made anew, equal
    assert cli.run(command) == 0
    assert "fitted before" not in capsys.readouterr().err and path.read_bytes() == first
    assert cli.run([*command, "nerf.floor_db=59"]) == 1
    assert "did not converge" in (said := capsys.readouterr().err) and f"{record['psnr_db']:.1f} dB" in said
    assert "--set nerf.floor_db=0" in said and cli.run([*command, "nerf.floor_db=0"]) == 0
    assert cli.run([*command[:3], "--force", *command[3:], "nerf.floor_db=59"]) == 0


def test_wrong_use_of_fit(capsys: pytest.CaptureFixture[str]) -> None:
    from synth4d import cli

    assert cli.run(["fit", "toy"]) == 2 and "--nerf" in capsys.readouterr().err
    assert cli.run(["fit", "toy", "--nerf", "--steps", "0"]) == 2 and "nerf.steps" in capsys.readouterr().err


def test_where_no_camera_finds_a_view_one_line_says_why(
    torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    from synth4d import cli
    from synth4d.errors import CannotHappen
    from synth4d.motion import camera

    def nowhere(*_: object) -> None:
        raise CannotHappen("no room for a camera")

    monkeypatch.setattr(camera, "film", nowhere)
    assert cli.run(["fit", "toy", "--nerf", "--cache", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "no room for a camera" in said and "static_renderer=splat" in said and said.count("\n") == 1


def test_held_out_pixels_are_means_with_the_depth_and_ids_of_their_middles() -> None:
    from synth4d.run.views import FINE, _averaged

    fine = box_views(2, side=24 * FINE)
    seen, own = _averaged(fine), box_views(2, side=24)
    np.testing.assert_allclose(seen.camera.K, own.camera.K)
    np.testing.assert_allclose(seen.depth_z_m, own.depth_z_m, rtol=1e-5)  # rays through the same pixels' centres
    assert (seen.ids == own.ids).all()
    mean = fine.rgb[1, 3:6, 6:9].reshape(-1, 3).mean(0)
    assert np.abs(seen.rgb[1, 1, 2] - mean).max() <= 0.5


def test_without_torch_one_line_says_what_to_do(tmp_path: Path) -> None:
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, Absent())
from synth4d import cli
sys.exit(cli.run(["dataset", "toy", "--renderer", "nerf", "--out", sys.argv[1]]))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    end = subprocess.run(command, capture_output=True, text=True, check=False)
    error = end.stderr.strip().splitlines()[-1]
    assert end.returncode == 1 and "torch" in error and "static_renderer=splat" in error
    assert not (tmp_path / "out").exists()


def test_a_room_without_field_or_with_events_is_refused(fitted: field.Field) -> None:
    from synth4d.render import nerf

    with pytest.raises(SynthError, match="synth4d fit"):
        nerf.render(None, None, box_views(1).camera, rng=np.random.default_rng(0))  # type: ignore[arg-type]


@pytest.mark.gpu
def test_a_fit_on_cuda_shows_the_same(torch) -> None:  # type: ignore[no-untyped-def]
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    from synth4d.nerf import train
    from synth4d.nerf.march import Marcher
    from synth4d.render.nerf import draw

    held = box_views(4, turn=0.4)
    made = train.train(box_views(12), held, TINY, (0.1, 0.2, 0.3), 3, "cuda", lambda step, psnr: None)
    seen = draw(Marcher(made), held.camera)
    assert np.median(np.abs(seen.depth_z_m - held.depth_z_m)) < 0.02 and np.mean(seen.ids == held.ids) > 0.97


# ---- In a dataset --------------------------------------------------------------------------------


def test_static_shots_are_of_the_fields_layout_with_cameras_of_their_own() -> None:
    from synth4d.config import RunConfig
    from synth4d.run import plan

    config = RunConfig(shots=48, static_renderer="nerf")
    plain = plan.SceneRef("toy", "d", "p")
    shots = list(plan.make(config, (plan.SceneRef("toy", "d", "p", "f.npz", "1"),), {}))
    still = [s for s in shots if s.kind == "static"]
    assert still and all((s.renderer, s.layout, s.field) == ("nerf", 0, "f.npz") for s in still)
    assert len({s.view for s in still}) == len(still) and len({s.split for s in still}) == 1
    others = [s for s in shots if s.kind != "static"]
    splat = [s for s in plan.make(RunConfig(shots=48), (plain,), {}) if s.kind != "static"]
    assert others == splat  # they are what they would be without a field
    fields = [plan.SceneRef("toy", "d", path, f"{path}.npz", digest) for path in "pq" for digest in "12"]
    digests = {plan.make(config, (scene,), {}).digest for scene in fields}
    assert len(digests) == 2  # the field's sha256 counts, paths do not


def test_a_run_of_nerf_alone_is_of_still_shots_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    from synth4d.config import RunConfig
    from synth4d.run import fit, plan

    mix = fit.settled(RunConfig(renderer="nerf"), quiet=False).mix
    assert (mix.dynamic, mix.twin) == (0, 0) and mix.static > 0
    assert "still" in capsys.readouterr().err
    scenes = (plan.SceneRef("toy", "d", "nowhere"),)
    none_yet = RunConfig(static_renderer="nerf", shots=2)  # its first static shot comes later: nothing is fitted
    assert fit.fitted(none_yet, scenes, quiet=False) == scenes
    plain = RunConfig(renderer="splat")
    assert fit.settled(plain, quiet=False) == plain and not capsys.readouterr().err


def test_auto_draws_on_a_gpu_where_one_can_be_used_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from synth4d.config import RunConfig
    from synth4d.render import gpu
    from synth4d.run import fit

    for devices, why, renderer, said in (
        (0, "no driver", "splat", ""),
        (1, "gsplat is not installed", "splat", "renderer: splat (gsplat is not installed)"),
        (1, None, "splat-cuda", "renderer: splat-cuda (a GPU is there)"),
    ):
        monkeypatch.setattr(gpu, "devices", lambda n=devices: n)
        monkeypatch.setattr(gpu, "why_not", lambda w=why: w)
        assert fit.settled(RunConfig(), quiet=False).renderer == renderer
        assert capsys.readouterr().err.strip() == said


def test_a_dataset_with_nerf_shots_is_proved(
    torch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    from synth4d import cli

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    small = "nerf.rays=512 nerf.levels=6 nerf.log2_size=14 nerf.max_res=256 nerf.steps=250 nerf.views=24 nerf.size=96"
    command = ["dataset", "toy", "--renderer", "nerf", "--shots", "1", "--workers", "0", "--config"]
    command += [str(Path(__file__).parents[1] / "pipelines" / "smoke.yaml"), "--set", *small.split(), "frames=3"]
    command += ["questions=8", "nerf.floor_db=10", "width=96", "height=72"]
    digests = []
    for name in "ab":
        assert cli.run([*command, "--out", str(tmp_path / name)]) == 0, capsys.readouterr().err
        said = capsys.readouterr()
        digests.append(next(line for line in said.out.splitlines() if line.startswith("digest")))
        assert ("fitted before" in said.err) == (name == "b")
    assert digests[0] == digests[1]
    assert cli.run(["verify", str(tmp_path / "a")]) == 0, capsys.readouterr()


def test_ids_stay_within_the_boxes_of_their_bodies() -> None:
    from synth4d.render.nerf import _inside
    from synth4d.types import Body, Name

    body = Body("b", 1, "b", Name("b", "b"), "prop", (), (0.1, 0, 0), (0.2, 0.4, 0.6))
    half = np.sqrt(0.5)
    pose = np.array([1.0, 2.0, 3.0, half, 0, 0, half])  # a quarter turn about z: its x is the world's y
    points = pose[:3] + np.array([[0, 0.1, 0], [0.19, 0.1, 0.29], [0.22, 0.1, 0], [0, -0.02, 0], [0, 0.1, 0.32]])
    assert _inside(body, pose, points).tolist() == [True, True, False, False, False]
