"""Scenes: what loads, what is refused and how it is said, and what a seed makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from synth4d.errors import SynthError
from synth4d.geometry import rotate
from synth4d.physics import Sim
from synth4d.scene.build import build
from synth4d.scene.load import load
from synth4d.types import Shot, World

ROOT = Path(__file__).resolve().parents[1]


def shot(scene: str, layout: int, kind: str = "dynamic", **more: object) -> Shot:
    key = f"{scene}-{layout:06d}-{kind}"
    return Shot(key, layout, scene, kind, 7, layout, "train", 24, 4.0, 384, 288, **more)  # type: ignore[arg-type]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the toy scene to spoil, in a folder with a name people use."""
    folder = tmp_path / "我的 scene.v2 🏠"
    shutil.copytree(ROOT / "scenes" / "toy", folder)
    shutil.copy(ROOT / "scenes" / "props.yaml", tmp_path / "props.yaml")
    return folder / "scene.yaml"


def spoil(path: Path, old: str, new: str) -> int:
    """Replace text; → the line it stands in."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


# ---- Loading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["toy", "kitchen"])
def test_a_scene_of_the_project_loads_with_names_in_both_languages(name: str) -> None:
    scene = load(name)
    for template in scene.templates:
        assert template.spec.name.en and template.spec.name.zh
        assert template.geoms, f"{template.name} has no visible shape"
    labels = [t.spec.name.en for t in scene.templates]
    assert len(set(labels)) == len(labels)


def test_the_kitchen_offers_enough_to_ask_about() -> None:
    scene = load("kitchen")
    assert len(scene.props) >= 10
    assert len({c for p in scene.props.values() for c in p.colours}) >= 6
    assert not any("panda" in b.name for b in scene.bodies)


def test_a_scene_in_a_folder_with_any_name_loads(own: Path) -> None:
    assert load(own).name == "toy"


UNKNOWN = [
    ("{from: table,", "{from: tabel,", "tabel", "table"),
    ("gate: cupboard_door", "gate: door_2", "door_2", "cupboard_door"),
    ("part_of: table", "part_of: tablet", "tablet", "table"),
    ("{part: button, turns: lamp}", "{part: knob, turns: lamp}", "knob", "button"),
    ("{part: button, turns: lamp}", "{part: button, turns: sun}", "sun", "lamp"),
    ("on_table: {on: table}", "on_table: {on: desk}", "desk", "table"),
    ("categories: [mug,", "categories: [mugg,", "mugg", "mug"),
    ("events: {open: 2,", "events: {explode: 2,", "explode", "open"),
    ("rgb: [0.9, 0.75, 0.5], body: lamp", "rgb: [0.9, 0.75, 0.5], body: lam", "lam", "lamp"),
]


@pytest.mark.parametrize(("old", "new", "value", "choice"), UNKNOWN)
def test_an_unknown_name_is_one_line_with_file_line_value_and_choices(
    own: Path, old: str, new: str, value: str, choice: str
) -> None:
    line = spoil(own, old, new)
    with pytest.raises(SynthError) as caught:
        load(own)
    text = str(caught.value)
    assert "\n" not in text
    assert f"scene.yaml:{line}" in text and value in text and choice in text, text
    assert caught.value.exit_code == 2


WRONG = [
    ("joint: {closed: 0, open: 0.30}", "joint: {closed: 0, open: wide}", "open"),
    ("joint: {closed: 0, open: 0.30}", "joint: {closed: 0, open: 0}", "same value"),
    ("count: [5, 8]", "count: [8, 5]", "must not be above"),
    ("room_low: [-1.05, -1.6, 0.6]", "room_low: [-1.05, .nan, 0.6]", "room_low"),
    ("scene: toy", "scene: '../toy'", "scene"),
    ("start: {open: 0.2", "start: {opened: 0.2", "opened"),
    ("table: {from: table,", "table: {from: table, joint: {closed: 0, open: 1},", "no hinge"),
    ("lamp: {from: lamp,", "lamp: {from: lamp, geoms: [7],", "no visible geom 7"),
    ("low: [-0.175, -0.29, -0.068]", "low: [0.9, -0.29, -0.068]", "low must be below high"),
]


@pytest.mark.parametrize(("old", "new", "says"), WRONG)
def test_a_wrong_value_is_one_line_that_says_where(own: Path, old: str, new: str, says: str) -> None:
    spoil(own, old, new)
    with pytest.raises(SynthError, match=r"scene\.yaml:\d+") as caught:
        load(own)
    assert says in str(caught.value) and "\n" not in str(caught.value)


ASSETS = [
    ("model: room.xml", "model: pkg://no_such_package/x.xml", "pip install no-such-package"),
    ("model: room.xml", "model: ../../outside.xml", "outside"),
    ("model: room.xml", "model: /etc/passwd", "pkg://"),
    ("model: room.xml", "model: https://example.org/x.xml", "pkg://"),
    ("model: room.xml", "model: gone.xml", "no such file"),
    ("model: room.xml", f"model: room.xml\n    sha256: {'ab' * 32}", "pins"),
    ("model: room.xml", "model: room.xml\n    keep: [attic]", "attic"),
]


@pytest.mark.parametrize(("old", "new", "says"), ASSETS)
def test_an_asset_that_is_not_there_or_not_inside_is_refused(own: Path, old: str, new: str, says: str) -> None:
    spoil(own, old, new)
    with pytest.raises(SynthError, match=r"^[^\n]*$") as caught:
        load(own)
    assert says in str(caught.value), caught.value


# ---- Building ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [build(load("toy"), shot("toy", k)) for k in range(4)]


def test_the_same_seed_builds_the_same_world_and_another_one_another(worlds: list[World]) -> None:
    again = build(load("toy"), shot("toy", 0, kind="twin"))
    assert again.model == worlds[0].model and np.array_equal(again.rest_qpos, worlds[0].rest_qpos)
    assert [b.colour for b in again.bodies] == [b.colour for b in worlds[0].bodies]
    assert len({w.model for w in worlds}) == len(worlds)


def test_ids_are_unique_and_every_name_is_in_the_physics(worlds: list[World]) -> None:
    for world in worlds:
        ids = [b.id for b in world.bodies]
        assert len(set(ids)) == len(ids)
        sim = Sim(world.model)
        assert sim.poses([b.name for b in world.bodies]).shape == (len(ids), 7)


def test_props_rest_upright_and_stay_where_they_are(worlds: list[World]) -> None:
    """The independent oracle is another second of physics: nothing may move by 5 mm or turn by 3 degrees."""
    for world in worlds:
        sim = Sim(world.model)
        sim.reset(world.rest_qpos)
        names = list(world.free)
        before = sim.poses(names)
        for body in world.bodies:
            if body.joint:
                sim.lock(body.joint.name, True)
        sim.step(500)
        after = sim.poses(names)
        assert np.linalg.norm(after[:, :3] - before[:, :3], axis=1).max() < 5e-3
        up = [rotate(p[3:], [0.0, 0, 1])[2] for p, n in zip(after, names, strict=True) if n not in world.rolls]
        assert min(up) > np.cos(np.radians(14))


def test_switches_stand_where_their_lamps_say(worlds: list[World]) -> None:
    for world in worlds:
        sim = Sim(world.model)
        sim.reset(world.rest_qpos)
        by_id = {b.id: b for b in world.bodies}
        for switch in world.switches:
            joint = by_id[switch.part].joint
            assert joint is not None
            level = world.start_levels[world.controls.index(switch.control)]
            assert np.isclose(sim.joint(joint.name), joint.open if level else joint.closed, atol=2e-3)
