"""Captured Gaussians as scenes: a capture whose truth is known, in somebody else's axes, units and order."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import capture_maker
import numpy as np
import pytest
import yaml

from synth4d import seeds
from synth4d.errors import RenderError, SynthError
from synth4d.geometry import intrinsics, look_at, pose_matrix, quat_from_axis_angle, rotate
from synth4d.motion import camera
from synth4d.motion.camera import film
from synth4d.motion.simulate import simulate
from synth4d.physics import Sim
from synth4d.render.clip import render
from synth4d.render.contact import SKY, Contact
from synth4d.scene.build import build
from synth4d.scene.captured import take
from synth4d.scene.load import load
from synth4d.types import CameraPath, Clip, Gaussians, Shot, Timeline, World

RNG = np.random.default_rng(0)
EYE = look_at((0.4, -1.3, 1.3), (0, 0.4, 0.55))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


@lru_cache(maxsize=4)
def capture(folder: Path, axes: str, units: str, ids: bool) -> capture_maker.Capture:
    return capture_maker.make(folder / f"{axes}_{units}_{ids}", axes=axes, units=units, ids=ids, width=256)


def shot(kind: str = "dynamic", layout: int = 0, frames: int = 24) -> Shot:
    return Shot(f"captured-{layout:06d}", layout, "captured", kind, 7, layout, "train", frames, 4.0, 256, 192)  # type: ignore[arg-type]


def still(world: World) -> Timeline:
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    n = len(world.bodies)
    nothing, none = np.full((1, n), np.nan), np.zeros((1, n), np.uint16)
    return Timeline(
        np.zeros(1), sim.poses([b.name for b in world.bodies])[None], nothing, np.ones((1, len(world.controls))),
        nothing, none, none, np.zeros((1, 0, 3), np.float32), np.zeros(0, np.uint16), 0.004, (),
    )  # fmt: skip


def seen(world: World, timeline: Timeline) -> tuple[Clip, np.ndarray]:
    """A picture from EYE, and its ids as positions in NAMES (0 = none of them)."""
    path = CameraPath(256, 192, intrinsics(256, 192, np.radians(60)), EYE[None], 4.0)
    clip = render(world, timeline, path, rng=RNG)
    rank = np.zeros(65536, int)
    for body in world.bodies:
        if body.name in capture_maker.NAMES:
            rank[body.id] = list(capture_maker.NAMES).index(body.name) + 1
    return clip, rank[clip.ids[0]]


# ---- Truth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axes", "units", "ids"), [("RDF", "cm", False), ("LUF", "ft", True), ("y-up", "m", False)])
def test_a_capture_shows_what_it_was_taken_of(home: Path, axes: str, units: str, ids: bool) -> None:
    made = capture(home, axes, units, ids)
    world = build(load(made.scene), shot("static"))
    bare = replace(world, bodies=tuple(b for b in world.bodies if b.role != "prop"))
    ours, ranks = seen(bare, still(bare))
    truth, true_ranks = seen(made.world, made.timeline)
    far = np.abs(ours.depth_z_m - truth.depth_z_m)
    assert (ours.depth_z_m > 0).mean() > 0.999
    assert np.median(far) < 0.001 and np.percentile(far, 95) < 0.01  # edges are as coarse as the capture
    assert (ranks == true_ranks).mean() > 0.985
    assert np.abs(ours.rgb.astype(int) - truth.rgb).mean() < 6  # the noise and harmonics that were put in


def test_boxes_and_joints_are_those_of_the_annotation(home: Path) -> None:
    made = capture(home, "RDF", "cm", False)
    world = build(load(made.scene), shot("static"))
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    for i, truth in enumerate(made.world.bodies):
        if truth.name not in capture_maker.NAMES:
            continue
        ours = next(b for b in world.bodies if b.name == truth.name)
        assert np.allclose(ours.box_size, truth.box_size, atol=1e-3)
        middle = sim.pose(ours.name)[:3] + ours.box_center - made.timeline.poses[0, i, :3]
        assert np.allclose(middle, truth.box_center, atol=1e-3)
    drawer = next(b for b in world.bodies if b.name == "drawer")
    assert drawer.joint and drawer.joint.type == "slide" and np.allclose(drawer.joint.axis, (0, -1, 0), atol=1e-6)


def test_what_is_seen_of_a_thing_lies_in_its_box(home: Path) -> None:
    world = build(load(capture(home, "RDF", "cm", False).scene), shot("static"))
    for body in world.bodies:
        if body.captured is not None and body.id:
            local = np.abs(body.captured.means - np.array(body.box_center))
            assert (local <= np.array(body.box_size) / 2 + 0.0061).all()
            assert (body.captured.ids == body.id).all()


def test_the_floor_under_a_table_is_not_the_table(home: Path) -> None:
    world = build(load(capture(home, "RDF", "cm", False).scene), shot("static"))
    table = next(b for b in world.bodies if b.name == "table")
    assert table.captured is not None
    inner = np.abs(table.captured.means[:, :2]).max(1) < 0.25
    assert not (table.captured.means[inner, 2] < 0.01).any()


def test_where_a_capture_is_put_it_is_seen(home: Path, tmp_path: Path) -> None:
    """Turned and shifted with its things, seen by a camera that is turned and shifted as well: the same picture."""
    made = capture(home, "RDF", "cm", False)
    world = build(load(made.scene), shot("static"))
    folder = spoiled(made, tmp_path)
    text = (folder / "scene.yaml").read_text()
    (folder / "scene.yaml").write_text(text.replace("units: cm", "units: cm, yaw: 50, position: [1, -2, 0.5]"))
    put = build(load(folder / "scene.yaml"), shot("static"))
    away = np.concatenate([[1, -2, 0.5], quat_from_axis_angle([0, 0, 1], np.radians(50))])
    pictures = []
    for w, move in ((world, [0, 0, 0, 1, 0, 0, 0]), (put, away)):
        bare = replace(w, bodies=tuple(b for b in w.bodies if b.role != "prop"))
        T = pose_matrix(move) @ EYE
        path = CameraPath(256, 192, intrinsics(256, 192, np.radians(60)), T[None], 4.0)
        pictures.append(render(bare, still(bare), path, rng=RNG))
    a, b = pictures
    assert (a.ids == b.ids).mean() > 0.995
    assert np.percentile(np.abs(a.depth_z_m - b.depth_z_m), 98) < 1e-3
    assert np.abs(a.rgb.astype(int) - b.rgb).mean() < 1
    drawer = next(x for x in put.bodies if x.name == "drawer")
    assert drawer.joint and np.allclose(drawer.joint.axis, rotate(away[3:], np.array([0.0, -1, 0])), atol=1e-6)


# ---- Moving --------------------------------------------------------------------------------------


def test_props_stand_on_captured_things_and_captured_parts_move(home: Path) -> None:
    scene = load(capture(home, "RDF", "cm", False).scene)
    opened = moved = 0
    for layout in range(6):
        world = build(scene, shot(layout=layout))
        try:
            timeline = simulate(world, shot(layout=layout))
        except SynthError:
            continue
        names = [b.name for b in world.bodies]
        on = {world.bodies[i].name for i in np.flatnonzero(timeline.support[0] > 0)}
        assert on and all(world.bodies[names.index(n)].role == "prop" for n in on)
        opened += any(e.kind == "open" for e in timeline.events)
        moved += any(e.kind != "open" for e in timeline.events)
    assert opened and moved


def test_a_moving_drawer_takes_its_gaussians_along_frame_by_frame(home: Path) -> None:
    """Moved rows and Gaussians loaded anew give the same picture."""
    world = build(load(capture(home, "RDF", "cm", False).scene), shot("static"))
    one = still(world)
    drawer = [b.name for b in world.bodies].index("drawer")
    poses = np.repeat(one.poses, 3, 0)
    poses[:, drawer, 1] -= [0.0, 0.1, 0.25]
    grown = {f: np.repeat(getattr(one, f), 3, 0) for f in ("joints", "levels", "fill", "support", "inside")}
    many = replace(one, times_s=np.arange(3) / 4, poses=poses, particles=np.zeros((3, 0, 3), np.float32), **grown)
    path = CameraPath(128, 96, intrinsics(128, 96, np.radians(60)), np.repeat(EYE[None], 3, 0), 4.0)
    clip = render(world, many, path, rng=RNG)
    id = world.bodies[drawer].id
    assert (clip.ids[0] == id).sum() > 50 and (clip.ids[2] != clip.ids[0]).any()
    last = replace(many, poses=np.repeat(poses[2:], 3, 0))
    alone = render(world, last, path, rng=RNG)
    assert (alone.ids[0] == clip.ids[2]).mean() > 0.99
    assert np.abs(alone.rgb[0].astype(int) - clip.rgb[2]).mean() < 1.5


def test_the_same_bytes_with_more_threads(home: Path) -> None:
    world = build(load(capture(home, "RDF", "cm", False).scene), shot("static"))
    path = CameraPath(128, 96, intrinsics(128, 96, np.radians(60)), EYE[None], 4.0)
    a, b = (render(world, still(world), path, rng=RNG, threads=n) for n in (1, 3))
    assert a.rgb.tobytes() == b.rgb.tobytes() and a.ids.tobytes() == b.ids.tobytes()


def test_no_camera_stands_in_a_wall_that_nobody_boxed(home: Path, tmp_path: Path) -> None:
    folder = spoiled(capture(home, "RDF", "cm", False), tmp_path)
    path = folder / "room.yaml"
    said = yaml.safe_load(path.read_text())
    said["things"] = {k: v for k, v in said["things"].items() if not k.startswith("wall_") or k == "wall_0"}
    path.write_text(yaml.safe_dump(said))
    world = build(load(folder / "scene.yaml"), shot("static"))
    timeline = simulate(world, shot("static", frames=4))
    wall = next(b.captured for b in world.bodies if b.captured is not None and not b.id)
    assert wall is not None
    for attempt in range(3):
        eyes = film(world, timeline, shot("static", frames=4), attempt=attempt).T_world_cam[:, :3, 3]
        near = np.linalg.norm(wall.means[None] - eyes[:, None], axis=2) < 0.05
        assert near.sum(1).max() < 12


def test_what_nobody_boxed_hides_what_is_behind_it(home: Path) -> None:
    world = build(load(capture(home, "RDF", "cm", False).scene), shot("static"))
    rng = np.random.default_rng(1)
    wall = np.stack([np.full(4000, 0.5), *rng.uniform(-0.5, 0.5, (2, 4000))], 1).astype(np.float32)
    own = next(b for b in world.bodies if b.captured is not None and not b.id)
    assert own.captured is not None
    g = take(own.captured, np.arange(4000))
    room = replace(own, captured=replace(g, means=wall, opacities=np.ones(4000, np.float32)))
    alone = replace(world, bodies=tuple(room if b is own else b for b in world.bodies))
    solid = camera.solid_cells(alone, still(alone), named=False, side=camera.SIGHT_M)
    ahead, eye = np.array([1.0, 0, 0]), np.zeros(3)
    assert camera.hidden(solid, eye, ahead, 1.5) and not camera.hidden(solid, eye, -ahead, 1.5)
    assert not camera.hidden(solid, eye, ahead, 0.6)  # the point lies on the wall, or just before it


def test_the_mesh_renderer_says_that_it_cannot_draw_a_capture(home: Path) -> None:
    from synth4d.render import mesh

    world = build(load(capture(home, "RDF", "cm", False).scene), shot("static"))
    path = CameraPath(64, 48, intrinsics(64, 48, 1.0), EYE[None], 4.0)
    with pytest.raises(RenderError, match="Gaussians"):
        mesh.render(world, still(world), path, rng=seeds.rng(1, "a"))


# ---- Bad input -----------------------------------------------------------------------------------


def spoiled(made: capture_maker.Capture, to: Path) -> Path:
    """A copy of the capture to spoil; its Gaussians are not copied."""
    folder = to / "mine"
    folder.mkdir()
    for name in ("room.yaml", "scene.yaml"):
        (folder / name).write_text((made.scene.parent / name).read_text())
    (folder / "room.ply").hardlink_to(made.scene.parent / "room.ply")
    return folder


LAMP = "  lamp:\n"
ANNOTATION = [
    ("    - -0.95\n", "    - 95.0\n", "off the capture"),
    ("  lamp:\n    center:\n", "  lamp:\n    object_id: 7\n    center:\n", "no property object_id"),
    (LAMP, "  lamp:\n    part_of: lamp\n", "no named thing 'lamp'"),
    (LAMP, "  lamp:\n    colour: mauve\n", "mauve"),
    (LAMP, "  Lamp!:\n", "Lamp!"),
    (LAMP, "  table:\n", "given twice"),
    (LAMP, "  lamp:\n    glows: true\n", "known fields"),
    (LAMP, "  lamp:\n    quat: [0, 0, 0, 0]\n", "not zero"),
    (LAMP, "  lamp:\n    quat: [1, 0.5, 0, 0]\n    place: true\n", "upright"),
    (LAMP, "  lamp:\n    joint: {type: hinge, axis: [0, 0, 1], closed: 0, open: 90}\n", "anchor"),
    ("      type: slide\n", "      type: slid\n", "type"),
    ("  wall_0:\n", "  wall_0:\n    place: true\n", "without a name"),
]


@pytest.mark.parametrize(("old", "new", "says"), ANNOTATION)
def test_a_wrong_annotation_is_one_line_that_says_where(
    home: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    folder = spoiled(capture(home, "RDF", "cm", False), tmp_path)
    text = (folder / "room.yaml").read_text()
    assert old in text
    (folder / "room.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(SynthError, match=r"\.yaml:\d+") as caught:
        load(folder / "scene.yaml")
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_object_id_that_is_not_there_is_named_with_those_that_are(home: Path, tmp_path: Path) -> None:
    folder = spoiled(capture(home, "LUF", "ft", True), tmp_path)
    text = (folder / "room.yaml").read_text()
    ids = [line for line in text.splitlines() if "object_id" in line]
    (folder / "room.yaml").write_text(text.replace(ids[0], "    object_id: 4000", 1))
    with pytest.raises(SynthError, match=r"no Gaussian has object_id 4000; there are 0, "):
        load(folder / "scene.yaml")
    (folder / "room.yaml").write_text(text.replace(ids[0], ids[1], 1))
    with pytest.raises(SynthError, match="two things have the object_id"):
        load(folder / "scene.yaml")


SCENES = [
    ("axes: RDF", "axes: RDX", "RDX"),
    ("axes: RDF", "axes: RLF", "one line"),
    ("axes: RDF", "axes: RUB", "no Gaussian lies in its box|off the capture|belong"),
    ("units: cm", "units: miles", "units"),
    ("units: cm", "units: ft", "off the capture|no Gaussian"),
    ("axes: RDF", "axes: RDF, T_world_asset: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]", "stands for axes"),
    ("axes: RDF", "T_world_asset: [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]", "scale"),
    ("axes: RDF", "T_world_asset: [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]", "mirrors"),
    ("splats: room.ply", "splats: ../room.ply", "outside"),
    ("splats: room.ply", "splats: roam.ply", "no such file"),
    ("splats: room.ply", "splats: room.yaml", "room.yaml"),
    ("splats: room.ply", "model: room.ply, splats: room.ply", "one of them"),
    ("annotation: room.yaml", "annotation: /etc/passwd", "use pkg://"),
    ("splats: room.ply", f"sha256: {'a' * 64}, splats: room.ply", "pins"),
    ("bodies: {}", "bodies: {lamp: {from: lamp, name: {en: lamp, zh: 灯}}}", "is taken"),
]


@pytest.mark.parametrize(("old", "new", "says"), SCENES)
def test_a_wrong_asset_is_one_line_that_says_where(home: Path, tmp_path: Path, old: str, new: str, says: str) -> None:
    folder = spoiled(capture(home, "RDF", "cm", False), tmp_path)
    text = (folder / "scene.yaml").read_text()
    assert old in text
    (folder / "scene.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(SynthError, match=says) as caught:
        load(folder / "scene.yaml")
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


def test_a_link_out_of_the_folder_is_refused(home: Path, tmp_path: Path) -> None:
    folder = spoiled(capture(home, "RDF", "cm", False), tmp_path)
    (folder / "room.ply").rename(tmp_path / "elsewhere.ply")
    (folder / "room.ply").symlink_to(tmp_path / "elsewhere.ply")
    with pytest.raises(SynthError, match="outside"):
        load(folder / "scene.yaml")


# ---- Contact -------------------------------------------------------------------------------------


def test_a_prop_takes_light_from_what_is_captured_beneath_it(home: Path) -> None:
    """A sphere of radius r that stands on a plane hides r² h / D³ of the sky at a point of it; far off, nothing."""
    world = build(load(capture(home, "RDF", "cm", False).scene), shot("static"))
    prop = next(b for b in world.bodies if b.name in world.free)
    ball = replace(prop, box_center=(0.0, 0.0, 0.05), box_size=(0.1, 0.1, 0.1))
    index = [b.name for b in world.bodies].index(prop.name)
    one = still(world)
    poses = one.poses.copy()
    poses[0, index] = (5.0, 5.0, 2.0, 1, 0, 0, 0)
    bodies = tuple(ball if b is prop else b for b in world.bodies if b.name not in world.free or b is prop)
    kept = [i for i, b in enumerate(world.bodies) if b.name not in world.free or b is prop]
    contact = Contact(replace(world, bodies=bodies), replace(one, poses=poses[:, kept]))
    at = np.array([[5.08, 5, 2], [5.15, 5, 2], [5.5, 5, 2], [0, 0, 0]], np.float32)
    flat = np.tile(np.array([[0.01, 0.01, 0.001]], np.float32), (4, 1))
    quats = np.tile(np.array([[1, 0, 0, 0]], np.float32), (4, 1))
    colours, ids = np.full((4, 3), 0.5, np.float32), np.zeros(4, np.uint16)
    contact.take(Gaussians(at, quats, flat, np.ones(4, np.float32), colours, ids), np.zeros(0, np.int64))
    far = np.sqrt(np.array([0.08, 0.15]) ** 2 + 0.05**2)
    hidden = 0.05**2 * 0.05 / far**3
    assert np.allclose(contact.kept(0)[:2], 1 - SKY * hidden, atol=1e-5)
    assert contact.kept(0)[2] > 0.99 and contact.kept(0)[3] == 1
