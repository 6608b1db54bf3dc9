"""synth4d import and doctor: files of others become scenes that load; what is odd about them is said in one line."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import capture_maker
import numpy as np
import pytest
import trimesh
import yaml
from hostile import models
from PIL import Image

from synth4d.cli import run
from synth4d.errors import SynthError
from synth4d.geometry import apply_pose, quat_from_axis_angle, quat_inv, quat_mul
from synth4d.motion.simulate import simulate
from synth4d.physics import Sim
from synth4d.render.clip import render
from synth4d.scene import guess, hulls, propose
from synth4d.scene.build import build
from synth4d.scene.load import load
from synth4d.scene.meshbody import creased
from synth4d.scene.placement import rotation
from synth4d.splats import Notes, Splats, tracks, transform, write_ply
from synth4d.splats import read as read_splats
from synth4d.types import Gaussians, Shot


def shot(name: str, kind: str = "dynamic", layout: int = 0, frames: int = 24) -> Shot:
    return Shot(f"{name}-{layout}", layout, name, kind, 7, layout, "train", frames, 4.0, 128, 96)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _room(tmp_path_factory.mktemp("room"))


@lru_cache(maxsize=1)
def _room(folder: Path) -> Path:
    return capture_maker.make(folder / "taken", width=256).scene.parent / "room.ply"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    out = capsys.readouterr()
    return out.out + out.err


# ---- Captures ------------------------------------------------------------------------------------


def test_a_capture_becomes_a_scene_with_a_floor_to_stand_on(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", str(room), "--out", str(tmp_path / "mine"), "--axes", "RDF", "--units", "cm"]) == 0
    assert re.search(r"2\.5. x (1\.9|2\.0). x 1\.5. m", said(capsys))
    scene = load(tmp_path / "mine" / "scene.yaml")
    assert scene.spec.assets[0].sha256 and "on_floor" in scene.spec.places
    world = build(scene, shot("mine", "static"))
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    feet = [sim.pose(n)[2] for n in world.free]
    assert len(feet) >= 2 and np.abs(feet).max() < 0.01  # the toy's floor is at 0
    assert run(["doctor", str(tmp_path / "mine" / "scene.yaml")]) == 0
    assert "axes RDF, units cm" in said(capsys)


def test_the_same_file_gives_the_same_scene(room: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(["import", str(room), "--out", str(tmp_path / name), "--axes", "RDF", "--units", "cm", "--name", "x"])
    for file in ("scene.yaml", "things.yaml"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


ODD = [
    (["--axes", "RDF", "--units", "m"], "m high: are its units centimetres"),
    (["--axes", "RUB", "--units", "cm"], "upside down"),
    (["--axes", "RDF", "--units", "mm"], "cm across"),
]


def test_fat_gaussians_are_boxed_and_what_fails_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("open3d", reason="open3d (extra `import`) is not installed", exc_type=(ImportError, OSError))
    rng = np.random.default_rng(3)
    floor = np.c_[rng.uniform(-1.5, 1.5, (9000, 2)), np.zeros(9000)]
    chest = np.r_[
        np.c_[rng.uniform(0, 0.8, (6000, 2)), np.full(6000, 0.7)], rng.uniform(0, 0.8, (6000, 3)) * [1, 0, 0.87]
    ]
    means = np.r_[floor, chest].astype(np.float32)
    n = len(means)
    fat = Gaussians(
        means, np.tile(np.eye(1, 4, dtype=np.float32), (n, 1)), np.full((n, 3), 0.02, np.float32),
        np.full(n, 0.98, np.float32), np.full((n, 3), 0.5, np.float32), np.zeros(n, np.uint16),
    )  # fmt: skip
    write_ply(Splats(fat, Notes("fat.ply", "3DGS PLY")), tmp_path / "fat.ply")
    assert run(["import", str(tmp_path / "fat.ply"), "--out", str(tmp_path / "fat"), "--propose"]) == 0
    assert "floor" in (tmp_path / "fat" / "things.yaml").read_text()
    cut = (tmp_path / "fat.ply").read_bytes()[:-100]
    (tmp_path / "cut.ply").write_bytes(cut)
    assert run(["import", str(tmp_path / "cut.ply"), "--out", str(tmp_path / "cut")]) == 2
    assert not (tmp_path / "cut").exists()


@pytest.mark.parametrize(("options", "line"), ODD)
def test_wrong_units_and_axes_are_suspected_aloud(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], line: str
) -> None:
    assert run(["import", str(room), "--out", str(tmp_path / "odd"), *options]) == 0
    assert f"warning: {line}" in (text := said(capsys)) or line in text
    assert run(["doctor", str(tmp_path / "odd" / "scene.yaml")]) == 1
    assert line in said(capsys)


def test_a_room_in_feet_is_recognised() -> None:
    for height in (7.9, 30.0):  # an ordinary ceiling, and a hall's
        e = guess.Extent(np.zeros(3), np.array([40.0, 30, height]), 0.0, 0.1)
        assert any("feet" in doubt for doubt in guess.doubts(e))
    assert not list(guess.doubts(guess.Extent(np.zeros(3), np.array([5.0, 4, 2.7]), 0.0, 0.1)))


def test_cameras_in_walls_and_empty_views_are_warned_of(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["import", str(room), "--out", str(tmp_path / "mine"), "--axes", "RDF", "--units", "cm"])
    path = tmp_path / "mine" / "scene.yaml"
    spec = yaml.safe_load(path.read_text())
    spec["camera"] |= {"room_low": [-3.0, 0.75, 0.1], "room_high": [3.0, 0.85, 1.5]}  # within the back wall
    path.write_text(yaml.safe_dump(spec, allow_unicode=True))
    said(capsys)
    assert run(["doctor", str(path)]) == 1
    assert "places for the camera lie in something" in said(capsys)
    clear = cloud(200)
    write_ply(
        Splats(replace(clear, opacities=clear.opacities * np.float32(1e-6)), Notes("maker", "3DGS PLY")),
        tmp_path / "clear.ply",
    )
    assert run(["import", str(tmp_path / "clear.ply"), "--out", str(tmp_path / "clear")]) == 0
    assert run(["doctor", str(tmp_path / "clear" / "scene.yaml")]) == 1
    assert "views show nothing" in said(capsys)


def test_proposals_find_floor_walls_and_things(room: Path, tmp_path: Path) -> None:
    pytest.importorskip("open3d", reason="open3d is not installed, or its system libraries are missing")
    options = ["--out", str(tmp_path / "a"), "--axes", "RDF", "--units", "cm", "--propose", "--name", "x"]
    assert run(["import", str(room), *options]) == 0
    things = yaml.safe_load((tmp_path / "a" / "things.yaml").read_bytes())["things"]
    assert abs(things["floor"]["center"][2] + things["floor"]["size"][2] / 2) < 0.02
    assert sum(name.startswith("wall") for name in things) == 3
    cupboard = min(things.values(), key=lambda t: np.abs(np.subtract(t["center"], [0.75, 0.5, 0.45])).sum())
    assert np.allclose(cupboard["center"], [0.75, 0.49, 0.46], atol=0.06)
    assert np.allclose(cupboard["size"], [0.55, 0.6, 0.9], atol=0.09)


def test_proposals_are_the_same_each_time() -> None:
    pytest.importorskip("open3d", reason="open3d is not installed, or its system libraries are missing")
    a, b = (propose.propose(cloud()) for _ in range(2))
    assert [p.kind for p in a] == ["floor", "thing"]
    assert np.allclose(a[1].center, [0.5, 0.2, 0.15], atol=0.02) and np.allclose(a[1].size, 0.3, atol=0.04)
    for p, q in zip(a, b, strict=True):
        assert p.center.tobytes() == q.center.tobytes() and p.size.tobytes() == q.size.tobytes() and p.yaw == q.yaw


def test_without_open3d_one_line_says_what_to_install(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    assert run(["import", str(room), "--out", str(tmp_path / "x"), "--axes", "RDF", "--units", "cm", "--propose"]) == 2
    text = said(capsys)
    assert "pip install synth4d[import]" in text and "libgomp1" in text and text.count("\n") == 1


def cloud(n: int = 4000, seed: int = 0) -> Gaussians:
    """A floor of 4 m and a box of 30 cm that stands on it, ids in the rows' order."""
    rng = np.random.default_rng(seed)
    floor = np.stack([rng.uniform(-2, 2, n), rng.uniform(-2, 2, n), np.zeros(n)], 1)
    side = rng.integers(0, 5, n)
    box = rng.uniform(-0.15, 0.15, (n, 3)) + np.array([0.5, 0.2, 0.15])
    for k, (axis, value) in enumerate([(0, 0.35), (0, 0.65), (1, 0.05), (1, 0.35), (2, 0.3)]):
        box[side == k, axis] = value
    means = np.concatenate([floor, box]).astype(np.float32)
    flat = np.tile(np.array([[0.02, 0.02, 0.002]], np.float32), (2 * n, 1))
    flat[n:] = 0.006
    quats = np.tile(np.array([[1, 0, 0, 0]], np.float32), (2 * n, 1))
    colours = np.repeat(np.array([[0.6, 0.6, 0.6], [0.8, 0.2, 0.2]], np.float32), n, 0)
    return Gaussians(means, quats, flat, np.full(2 * n, 0.95, np.float32), colours, np.zeros(2 * n, np.uint16))


def moving(folder: Path, axes: str = "RFU", metres: float = 1.0) -> Path:
    """Frames of that cloud, 4 a second: the box rests, is carried 60 cm along y while it turns, and rests."""
    g = cloud()
    n = len(g.means) // 2
    owner = np.repeat(np.array([0, 5], np.uint32), n)
    folder.mkdir()
    for t in range(25):
        s = float(np.clip((t - 6) / 10, 0, 1))
        turn = np.array([0.5, 0.2, 0, *quat_from_axis_angle([0, 0, 1], 1.2 * s)])
        lift = np.array([0.0, 0.6 * s, 0.5 * s * (1 - s)])
        means = g.means.copy()
        means[n:] = apply_pose(turn, means[n:] - np.array([0.5, 0.2, 0])) + lift
        frame = Gaussians(means, g.quats_wxyz, g.scales, g.opacities, g.colours, g.ids)
        away = np.eye(4)
        away[:3, :3] = rotation(axes, "").T
        theirs = transform(frame, away, 1 / metres)
        write_ply(Splats(theirs, Notes("maker", "3DGS PLY"), owner), folder / f"frame_{t:03d}.ply")
    return folder


@pytest.mark.parametrize(("axes", "units", "metres"), [("RFU", "m", 1.0), ("RDF", "cm", 0.01), ("RUF", "ft", 0.3048)])
def test_a_moving_capture_is_tracks_and_its_moves_are_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], axes: str, units: str, metres: float
) -> None:
    frames = moving(tmp_path / "frames", axes, metres)
    options = ["--fps", "4", "--axes", axes, "--units", units]
    assert run(["import", str(frames), "--out", str(tmp_path / "mine"), *options]) == 0
    assert "1 rigid tracks of 25 frames" in said(capsys)
    assert len(tracks.load(tmp_path / "mine" / "tracks.npz").times_s) == 25
    world = build(load(tmp_path / "mine" / "scene.yaml"), shot("mine"))
    assert [t.body for t in world.tracks] == ["mover_5"] and "mover_5" not in world.free
    for layout in range(8):
        try:
            timeline = simulate(world, shot("mine", layout=layout))
            break
        except SynthError:
            continue
    i = next(k for k, b in enumerate(world.bodies) if b.name == "mover_5")
    assert np.allclose(timeline.poses[-1, i, :3] - timeline.poses[0, i, :3], [0, 0.6, 0], atol=0.01)
    turn = quat_mul(timeline.poses[-1, i, 3:], quat_inv(timeline.poses[0, i, 3:]))
    assert np.allclose(np.abs(turn), np.abs(quat_from_axis_angle([0, 0, 1], 1.2)), atol=0.01)
    (event,) = [e for e in timeline.events if e.object == world.bodies[i].id]
    floor = next(b.id for b in world.bodies if b.name == "floor")
    assert event.kind == "move" and (event.source, event.target) == (floor, floor)
    assert abs(event.start_s - 1.5) <= 0.26 and abs(event.end_s - 4.0) <= 0.26
    still = simulate(world, shot("mine", "static"))
    assert np.allclose(still.poses[0, i], still.poses[-1, i]) and not still.events


# ---- Models --------------------------------------------------------------------------------------


def textured(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Left half red, right half blue, along x."""
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, :4, 0], picture[:, 4:, 2] = 220, 220
    x = mesh.vertices[:, 0]
    uv = np.stack([(x - x.min()) / np.ptp(x), np.full(len(x), 0.5)], 1)
    look = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(picture), baseColorFactor=[255] * 4)
    mesh.visual = trimesh.visual.TextureVisuals(uv=uv, material=look)
    return mesh


def crate(folder: Path, kind: str) -> Path:
    """A crate of 0.6 m along x, 0.2 along y-up, 0.4 along z, in the file's own axes."""
    mesh = trimesh.creation.box((0.6, 0.2, 0.4)).subdivide().subdivide()
    path = folder / f"crate.{kind}"
    (mesh if kind == "stl" else textured(mesh)).export(path)
    return path


@pytest.mark.parametrize("kind", ["glb", "obj", "stl"])
def test_a_mesh_becomes_one_thing_that_props_stand_on(kind: str, tmp_path: Path) -> None:
    options = [] if kind == "glb" else ["--axes", "y-up"]
    (tmp_path / "in").mkdir()
    assert run(["import", str(crate(tmp_path / "in", kind)), "--out", str(tmp_path / "mine"), *options]) == 0
    scene = load(tmp_path / "mine" / "scene.yaml")
    world = build(scene, shot("mine", "static"))
    body = next(b for b in world.bodies if b.name == "crate")
    assert np.allclose(body.box_size, (0.6, 0.4, 0.2), atol=1e-3)
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    assert abs(sim.pose("crate")[2] + 0.1) < 1e-6  # it stands on the middle of its lower face
    assert all(abs(sim.pose(n)[2] - 0.1) < 0.01 for n in world.free) and world.free
    if kind != "stl":
        (surface,) = body.surfaces
        assert surface.material.image is not None and surface.uv is not None
        corner = surface.vertices[surface.faces]
        assert np.allclose(surface.uv[..., 0], (corner[..., 0] + 0.3) / 0.6, atol=1e-4)


def test_a_room_is_stood_in_and_a_table_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = Path(__file__).resolve().parents[1] / "scenes" / "toy" / "room.xml"
    assert run(["import", str(toy), "--out", str(tmp_path / "mine")]) == 0
    places = load(tmp_path / "mine" / "scene.yaml").spec.places
    assert places["on_room"].low and abs(places["on_room"].low[2]) < 1e-6
    assert places["on_table"].low and abs(places["on_table"].low[2] - 0.6) < 1e-6
    assert run(["doctor", str(tmp_path / "mine" / "scene.yaml")]) == 0, said(capsys)


def test_units_and_scale_of_a_mesh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    path = crate(tmp_path / "in", "stl")
    assert run(["import", str(path), "--out", str(tmp_path / "ft"), "--units", "ft", "--scale", "2"]) == 0
    assert "0.37 x 0.12 x 0.24 m" in said(capsys)


def test_contact_pieces_leave_a_bowl_hollow_and_a_room_empty() -> None:
    profile = np.array([[0, 0], [0.1, 0], [0.2, 0.12], [0.19, 0.12], [0.095, 0.01], [0, 0.01]])
    bowl = trimesh.creation.revolve(profile, sections=32)
    room = trimesh.creation.box((4, 5, 3))
    room.invert()
    ball = trimesh.creation.icosphere(2, 0.1)
    assert len(hulls.pieces(ball.vertices, ball.faces)) == 1
    for mesh, inner in ((bowl, [0, 0, 0.08]), (room, [0.2, 0.3, 0.1])):
        pieces = hulls.pieces(np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int32))
        assert len(pieces) > 8
        for piece in pieces:
            hull = trimesh.convex.convex_hull(piece)
            assert not hull.contains([inner])[0]
        surface = mesh.triangles_center
        low = np.min([np.max([(p.min(0) - surface).max(1), (surface - p.max(0)).max(1)], 0) for p in pieces], 0)
        assert low.max() < 0.003  # every triangle lies within some piece's bounds


def test_creases_stay_sharp_and_round_things_smooth() -> None:
    box, ball = trimesh.creation.box((1, 1, 1)), trimesh.creation.icosphere(3)
    v, f = creased(np.asarray(box.vertices), np.asarray(box.faces, np.int32))
    assert len(v) == 24 and np.allclose(v[f], box.vertices[box.faces])
    v, f = creased(np.asarray(ball.vertices), np.asarray(ball.faces, np.int32))
    assert len(v) == len(ball.vertices)


@pytest.fixture
def cabinet(tmp_path: Path) -> Path:
    return models.cabinet(tmp_path)


def test_a_partnet_object_is_read_with_its_joints_and_names(cabinet: Path, tmp_path: Path) -> None:
    assert run(["import", str(cabinet), "--out", str(tmp_path / "mine")]) == 0
    scene = load(tmp_path / "mine" / "scene.yaml")
    bodies = {b.name: b for b in scene.bodies}
    assert set(bodies) == {"raw:base", "cabinet_body", "drawer", "handle", "link_3"}
    drawer, handle = bodies["drawer"].joint, bodies["handle"].joint
    assert drawer is not None and (drawer.type, drawer.low, drawer.high) == ("slide", 0.0, 0.3)
    assert np.allclose(drawer.axis, (-1, 0, 0), atol=1e-6)  # file's link axes turned: its z looks along -x
    assert handle is not None and handle.type == "hinge" and np.allclose(handle.axis, (0, 0, 1), atol=1e-6)
    assert all(b.collision for b in scene.bodies if b.visual), "what is seen is solid"
    world = build(scene, shot("mine", "static"))
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    sim.set_joint("drawer", 0.2)
    sim.set_joint("handle", -0.5)
    sim.forward()
    assert np.allclose(sim.pose("drawer")[:3] - sim.pose("cabinet_body")[:3], [-0.2 - 0.2, 0, 0.1], atol=1e-4)
    turn = 2 * np.arccos(abs(sim.pose("link_3")[3]))
    assert abs(turn - abs(0.1 + 2 * -0.5)) < 1e-3  # the knob follows the handle


# ---- Bad input -----------------------------------------------------------------------------------


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files that are refused, and what is said of each."""
    good = cloud(200)
    nan = good.means.copy()
    nan[7, 1] = np.nan
    paths = {
        name: folder / name for name in ("nan.ply", "cut.glb", "no.stl", "far.obj", "what.txt", "cut.ply", "empty.ply")
    }
    write_ply(Splats(good, Notes("maker", "3DGS PLY")), paths["cut.ply"])
    paths["cut.ply"].write_bytes(paths["cut.ply"].read_bytes()[:-9])
    broken = Gaussians(nan, good.quats_wxyz, good.scales, good.opacities, good.colours, good.ids)
    write_ply(Splats(broken, Notes("maker", "3DGS PLY"), extra={"confidence": nan[:, 0]}), paths["nan.ply"])
    paths["cut.glb"].write_bytes(crate(folder, "glb").read_bytes()[:900])
    paths["no.stl"].write_text("solid nothing\nendsolid nothing\n")
    paths["far.obj"].write_text("mtllib ../../../far.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl a\nf 1 2 3\n")
    paths["what.txt"].write_text("hello")
    paths["empty.ply"].write_text("")
    says = {"nan.ply": "--on-bad drop", "far.obj": "far.mtl", "empty.ply": "is empty"}
    return {name: (path, says.get(name, name)) for name, path in paths.items()}


@pytest.mark.parametrize("name", ["nan.ply", "cut.glb", "no.stl", "far.obj", "what.txt", "cut.ply", "empty.ply"])
def test_a_bad_file_is_refused_in_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    path, line = bad_files(tmp_path / "in")[name]
    assert run(["import", str(path), "--out", str(tmp_path / "mine")]) == 2
    text = said(capsys)
    assert line in text and text.count("\n") == 1
    assert not (tmp_path / "mine" / "scene.yaml").exists()


def test_bad_gaussians_are_left_out_where_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    path, _ = bad_files(tmp_path / "in")["nan.ply"]
    assert run(["import", str(path), "--out", str(tmp_path / "mine"), "--on-bad", "drop"]) == 0
    text = said(capsys)
    assert "1 bad Gaussians are left out" in text and "kept and not used: confidence" in text
    assert load(tmp_path / "mine" / "scene.yaml").captures["structure_0"].gaussians is not None
    assert len(read_splats(tmp_path / "mine" / "nan.ply", on_bad="drop").gaussians.means) == 399


WRONG = [
    (["--axes", "up"], "axes 'up'"),
    (["--scale", "0"], "scale"),
    (["--name", "My Scene"], "--name"),
    (["--units", "yd"], "yd"),
]


@pytest.mark.parametrize(("options", "line"), WRONG)
def test_wrong_options_are_one_line(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], line: str
) -> None:
    assert run(["import", str(room), "--out", str(tmp_path / "mine"), *options]) == 2
    text = said(capsys)
    assert line in text and text.count("\n") == 1


def test_an_import_never_writes_over_a_scene(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scene.yaml").write_text("mine")
    assert run(["import", str(room), "--out", str(tmp_path), "--axes", "RDF", "--units", "cm"]) == 2
    assert "is there already" in said(capsys) and (tmp_path / "scene.yaml").read_text() == "mine"


def test_cameras_alone_are_no_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "views").mkdir()
    (tmp_path / "views" / "transforms.json").write_text("{}")
    assert run(["import", str(tmp_path / "views"), "--out", str(tmp_path / "mine")]) == 2
    assert "cameras alone" in said(capsys)


def test_an_imported_model_can_be_looked_at(cabinet: Path, tmp_path: Path) -> None:
    from synth4d.motion.camera import film

    run(["import", str(cabinet), "--out", str(tmp_path / "mine")])
    world = build(load(tmp_path / "mine" / "scene.yaml"), shot("mine", "static"))
    timeline = simulate(world, shot("mine", "static", frames=2))
    path = film(world, timeline, shot("mine", "static", frames=2))
    clip = render(world, timeline, path, rng=np.random.default_rng(0))
    cabinet_id = next(b.id for b in world.bodies if b.name == "cabinet_body")
    assert (clip.ids == cabinet_id).any()
