"""The meshes through OpenGL and the open3d oracle: two pictures of the same world that share no code."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import cast
import numpy as np
import pytest
from render_world import kitchen, orbit

from synth4d import cli
from synth4d.bench import likeness
from synth4d.cli import doctor
from synth4d.errors import RenderError, SynthError
from synth4d.render import choose, clip, gpu, mesh
from synth4d.types import CameraPath, Clip, Gaussians, Timeline, World


@cache
def scene() -> tuple[World, Timeline, CameraPath]:
    room = kitchen()
    return room.world(), room.timeline(2), orbit(2)


@cache
def drawn() -> Clip:
    if find_spec("pyrender") is None:  # importing it here would bind OpenGL to a display
        pytest.skip("pyrender (extra `mesh`) is not installed")
    try:
        return choose.renderer("mesh")(*scene(), rng=np.random.default_rng(0))
    except RenderError as e:
        if "install OSMesa or EGL" in str(e):
            pytest.skip(f"no OpenGL on this machine: {e}")
        raise


def test_depth_and_ids_are_those_of_rays_through_the_pixels_centres() -> None:
    for f in range(2):
        depth, ids = cast.frame(*scene(), f)
        assert np.mean(drawn().ids[f] == ids) > 0.999
        same = (drawn().ids[f] == ids) & (depth > 0)
        assert np.quantile(np.abs(drawn().depth_z_m[f] - depth)[same], 0.995) < 2e-4


def test_colours_are_those_of_the_splats() -> None:
    splats = clip.render(*scene(), rng=np.random.default_rng(0))
    calm = ~np.array([likeness.edges(i) for i in splats.ids])
    off = np.abs(splats.rgb.astype(int) - drawn().rgb)[calm]
    assert np.median(off) <= 2
    assert likeness.ssim(splats.rgb[0], drawn().rgb[0]) > 0.85


def test_two_runs_give_the_same_bytes() -> None:
    again = mesh.render(*scene(), rng=np.random.default_rng(1)) if drawn() else None
    assert again is not None
    for name in ("rgb", "depth_z_m", "ids"):
        assert np.array_equal(getattr(again, name), getattr(drawn(), name))


def test_a_body_of_gaussians_alone_is_refused() -> None:
    world, timeline, camera = scene()
    one = np.ones((1, 3), np.float32)
    dots = Gaussians(one, np.eye(1, 4, dtype=np.float32), one, one[:, 0], one, np.array([7], np.uint16))
    bare = replace(world.bodies[-1], surfaces=(), captured=dots, name="statue")
    with pytest.raises(RenderError, match=r"'statue' is made of Gaussians alone"):
        mesh.render(replace(world, bodies=(*world.bodies[:-1], bare)), timeline, camera, rng=np.random.default_rng(0))


def test_missing_pyrender_and_missing_opengl_are_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(mesh.metadata, "version", gone)
    with pytest.raises(RenderError, match=r"pip install 'synth4d\[mesh\]'"):
        mesh._pyrender()
    assert "pip install" in str(mesh.why_not())
    monkeypatch.undo()
    monkeypatch.setattr(mesh, "find_library", lambda name: None)
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    with pytest.raises(RenderError, match="libosmesa6"):
        mesh._platform((3, 1, 10))


def test_a_demanded_renderer_that_is_not_there_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mesh, "find_library", lambda name: None)
    monkeypatch.setattr(mesh.metadata, "version", lambda name: "3.1.10")
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    monkeypatch.setattr(gpu, "why_not", lambda: "no NVIDIA GPU")
    for option, says in (("mesh", "apt install libosmesa6"), ("splat-cuda", "no NVIDIA GPU")):
        assert cli.run(["dataset", "toy", "--renderer", option, "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert f"renderer {option}: " in said and says in said and said.count("\n") == 1
        assert not (tmp_path / "out").exists()
    monkeypatch.setattr(doctor, "_no_nerf", lambda: None)
    line = doctor._renderers()
    assert line.startswith("splat, nerf; no mesh: neither EGL") and line.endswith("no splat-cuda: no NVIDIA GPU")


def test_the_way_to_draw_suits_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh, "find_library", lambda name: f"lib{name}.so")
    monkeypatch.setattr(mesh.Path, "exists", lambda self: False)
    assert mesh._platform((3, 1, 10)) == "osmesa"
    assert mesh._platform((3, 1, 0)) == "egl"  # OSMesaCreateContextAttribs came with 3.1.7
    monkeypatch.setattr(mesh.Path, "exists", lambda self: os.fspath(self) == "/dev/dri")
    assert mesh._platform((3, 1, 10)) == "egl"


# ---- The oracle and the measures -----------------------------------------------------------------


def test_open3d_and_embree_see_the_same() -> None:
    pytest.importorskip("open3d", reason="open3d (extra `mesh`) is not installed", exc_type=(ImportError, OSError))
    from synth4d.bench.oracle import Oracle

    oracle = Oracle(*scene(), 1)
    (depth, ids), (other, theirs) = oracle.picture(), cast.frame(*scene(), 1)
    assert np.mean(ids == theirs) > 0.9995
    assert np.quantile(np.abs(depth - other)[ids == theirs], 0.99) < 1e-4  # the rest graze a surface
    whole = np.array([0.0, 0, scene()[2].width, scene()[2].height])
    for id in np.unique(ids[ids > 0])[:5].tolist():
        columns, rows = oracle.amodal(id, whole)
        alone = np.zeros(ids.shape, bool)
        alone[rows, columns] = True
        assert alone[ids == id].all()


def test_without_open3d_the_truth_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from synth4d.bench import oracle

    monkeypatch.setitem(__import__("sys").modules, "open3d", None)
    with pytest.raises(SynthError, match=r"pip install 'synth4d\[mesh\]'"):
        oracle.Oracle(*scene(), 0)


def test_measures_of_likeness() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)
    noisy = np.clip(picture + rng.normal(0, 10, picture.shape), 0, 255).astype(np.uint8)
    assert likeness.psnr(picture, picture) > 90
    assert likeness.psnr(picture, noisy) == pytest.approx(28.1, abs=0.6)  # 20 log10(255 / 10)
    assert likeness.ssim(picture, picture) == pytest.approx(1)
    assert 0.9 < likeness.ssim(picture, noisy) < 0.999
    left = np.zeros((20, 40), np.uint16)
    right = left.copy()
    left[:, 15:], right[:, 18:] = 1, 1
    assert np.all(likeness.edge_error(left, right) == 3)
    assert len(likeness.edge_error(left, left * 0)) == 0
