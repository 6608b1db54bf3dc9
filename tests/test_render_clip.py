"""The picture against independent geometry: ray casts of the posed meshes, and laws of light and motion."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from render_world import Room, box, kitchen, orbit, sphere
from scipy import ndimage

from synth4d.geometry import apply_pose, quat_from_axis_angle, unproject
from synth4d.rays import RayScene
from synth4d.render import clip as clips
from synth4d.render.splat import Rasteriser
from synth4d.types import Body, CameraPath, Clip, Lamp, Material, Name, Timeline, World
from synth4d.vocabulary import COLOURS

FRAMES = 3


def draw(world: World, timeline: Timeline, camera: CameraPath, threads: int = 1) -> Clip:
    return clips.render(world, timeline, camera, rng=np.random.default_rng(0), threads=threads)


def at_frame(timeline: Timeline, camera: CameraPath, frame: int) -> tuple[Timeline, CameraPath]:
    """The rest of a clip from a frame on, cut to that one frame."""
    return timeline.take([frame]), replace(camera, T_world_cam=camera.T_world_cam[frame : frame + 1])


@cache
def story() -> tuple[World, Timeline, CameraPath, Clip]:
    """A door opens, a mug is carried and a burner begins to glow."""
    room = kitchen()
    timeline = room.timeline(FRAMES)
    names = [b.name for b in room.bodies]
    door, mug = names.index("cabinet_door"), names.index("mug_1")
    share = np.linspace(0, 1, FRAMES)
    timeline.poses[:, door, 3:] = quat_from_axis_angle([0, 0, 1], -1.7 * share)
    timeline.poses[:, mug, :3] += share[:, None] * np.array([-0.35, 0.15, 0]) + np.sin(np.pi * share)[:, None] * [
        0,
        0,
        0.2,
    ]
    timeline.levels[:, 1] = np.clip(2 * share - 1, 0, 1)
    world, camera = room.world(), orbit(FRAMES)
    return world, timeline, camera, draw(world, timeline, camera)


def cast(world: World, timeline: Timeline, camera: CameraPath, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth and ids of the posed meshes by one ray a pixel."""
    parts = [
        (apply_pose(timeline.poses[frame, i], s.vertices[s.faces]), np.full(len(s.faces), body.id))
        for i, body in enumerate(world.bodies)
        for s in body.surfaces
    ]
    owner = np.concatenate([ids for _, ids in parts])
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    pixels, T = np.stack([x.ravel(), y.ravel()], 1), camera.T_world_cam[frame]
    way = unproject(camera.K, T, pixels, np.ones(len(pixels))) - T[:3, 3]
    length = np.linalg.norm(way, axis=1)
    eyes = np.tile(T[:3, 3], (len(way), 1))
    triangle, distance = RayScene(np.concatenate([t for t, _ in parts])).first(eyes, way / length[:, None])
    depth = np.where(triangle >= 0, distance / length, 0)
    return depth.reshape(x.shape), np.where(triangle >= 0, owner[triangle], 0).reshape(x.shape)


def silhouettes(depth: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Pixels next to a change of id, a jump of depth or a crease."""
    edge, inverse = np.zeros(ids.shape, bool), 1 / np.maximum(depth, 1e-3)
    for axis in (0, 1):
        for step, change in ((1, np.diff(ids, axis=axis) != 0), (2, np.abs(np.diff(inverse, 2, axis=axis)) > 0.004)):
            for shift in range(step + 1):
                span = np.s_[shift : shift + change.shape[axis]]
                edge[(span, slice(None)) if axis == 0 else (slice(None), span)] |= change
    return ndimage.binary_dilation(edge)


@pytest.mark.parametrize("frame", range(FRAMES))
def test_depth_and_ids_agree_with_ray_casts(frame: int) -> None:
    world, timeline, camera, clip = story()
    depth, ids = cast(world, timeline, camera, frame)
    error = np.abs(clip.depth_z_m[frame] - depth)[~silhouettes(depth, ids)]
    assert np.median(error) < 0.005
    assert np.quantile(error, 0.99) < 0.03
    assert (clip.ids[frame] == ids).mean() > 0.9995


def test_background_keeps_its_depth_and_nothing_has_holes() -> None:
    world, timeline, camera, clip = story()
    assert (clip.depth_z_m > 0).all() and (clip.ids == 0).any()
    start, path = at_frame(timeline, camera, 0)
    alpha = next(clips.pictures(clips.Stage(world, start, path), Rasteriser())).alpha
    assert alpha.min() > 0.8 and (alpha > 0.95).mean() > 0.997


def test_equal_input_gives_equal_bytes_for_any_number_of_threads() -> None:
    room = table_room()
    ball = room.prop("ball_1", sphere(0.06), "blue", (0, 0, 0.06), texture="peel", size=0.1)
    timeline = room.timeline(3)
    timeline.poses[:, ball, 0] = (0, 0.1, 0.2)
    camera = orbit(3, eye=(0.3, -0.9, 0.6), target=(0.1, 0, 0.1), sweep=0.1, width=192, height=144)
    one, again, two = (draw(room.world(), timeline, camera, threads=n) for n in (1, 1, 2))
    for name in ("rgb", "depth_z_m", "ids"):
        assert getattr(one, name).tobytes() == getattr(again, name).tobytes() == getattr(two, name).tobytes()


def test_a_moved_body_leaves_no_ghost() -> None:
    world, timeline, camera, clip = story()
    alone = draw(world, *at_frame(timeline, camera, FRAMES - 1))
    change = np.abs(clip.rgb[-1].astype(int) - alone.rgb[0]).max(2)
    # Outlines of what moved are authored for other cameras, and the light mesh is fine elsewhere.
    assert change.mean() < 1.8 and (change > 12).mean() < 0.02
    assert (clip.ids[-1] == alone.ids[0]).mean() > 0.99


def test_a_carried_mug_takes_its_shadow_along() -> None:
    """The table where the mug stood is lighter once it is gone."""
    room = table_room()
    mug = room.prop("ball_1", sphere(0.06), "blue", (0, 0, 0.06))
    timeline = room.timeline(2)
    timeline.poses[1, mug, :3] += (-0.4, 0, 0)
    camera = orbit(2, eye=(0, -1.0, 0.9), target=(0, 0, 0), sweep=0.0, width=192, height=144)
    clip = draw(room.world(), timeline, camera)
    under = (clip.ids[0] == 1) & (clip.ids[1] == 1) & ndimage.binary_dilation(clip.ids[0] == 2, iterations=3)
    # Right beside where it stood, nearer the camera: below it in the picture.
    beside = under & (np.arange(144)[:, None] > 72)
    before, after = (clip.rgb[t][beside].astype(float).mean() for t in (0, 1))
    assert beside.sum() > 10 and after > before + 6


def test_a_lamp_switched_off_darkens_the_whole_picture() -> None:
    room = kitchen()
    timeline, camera = room.timeline(2), orbit(2, sweep=0.0, width=192, height=144)
    timeline.levels[1, 0] = 0.0
    clip = draw(room.world(), timeline, camera)
    on, off = clip.rgb.astype(float).mean((1, 2, 3))
    assert off < 0.75 * on
    assert (clip.rgb[1] <= clip.rgb[0] + 1).all()


def test_a_burner_glows_with_its_control() -> None:
    world, _, _, clip = story()
    burner = next(b.id for b in world.bodies if b.name == "burner")
    cold, hot = (clip.rgb[t][clip.ids[t] == burner].astype(float).mean(0) for t in (0, -1))
    assert hot[0] > cold[0] + 60 and hot[0] > hot[2] + 40


def table_room() -> Room:
    room = Room()
    room.add("table", "fixture", [(box((2, 2, 0.1), (0, 0, -0.05)), Material((0.7, 0.68, 0.64)), False)])
    room.lamps = [
        Lamp("lamp", (0.6, -0.8, 2.0), 0.1, (9.0, 8.6, 7.8)),
        Lamp("window", (-1.5, 1.0, 2.0), 0.3, (3.0, 3.4, 4.0)),
    ]
    return room


def lab(srgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of sRGB 0..1 (D65), lightness at half weight: shadows change it, hue should not."""
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    m = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = np.cbrt((light[..., None, :] * m).sum(-1) / np.array([0.9505, 1.0, 1.089]) + 1e-6)
    return np.stack([0.5 * (116 * t[..., 1] - 16), 500 * (t[..., 0] - t[..., 1]), 200 * (t[..., 1] - t[..., 2])], -1)


def test_a_coloured_prop_looks_like_its_colour() -> None:
    room = table_room()
    keys = list(COLOURS)
    for k, key in enumerate(keys):
        room.prop(
            f"ball_{k}",
            sphere(0.05),
            key,
            (0.16 * (k % 4) - 0.24, 0.16 * (k // 4) - 0.16, 0.05),
            texture="peel",
            size=0.1,
        )
    clip = draw(room.world(), room.timeline(1), orbit(1, eye=(0.2, -1.0, 0.9), target=(0, 0, 0), width=192, height=144))
    names = lab(np.array([srgb for _, srgb in COLOURS.values()]))
    for k, key in enumerate(keys):
        seen = clip.rgb[0][clip.ids[0] == k + 2] / 255
        assert len(seen) > 60
        distance = np.linalg.norm(names - lab(seen.mean(0)), axis=1)
        assert keys[int(distance.argmin())] == key


def test_liquid_is_drawn_where_and_while_it_is_there() -> None:
    room = table_room()
    room.bodies.append(Body("juice_1", 2, "juice", Name("juice", "果汁"), "liquid", (), (0, 0, 0), (0.1, 0.1, 0.1)))
    room.poses.append(np.array([0, 0, 0, 1, 0, 0, 0.0]))
    axis = np.arange(-6, 7) * 0.006
    grid = np.stack(np.meshgrid(axis, axis, axis + 0.05), -1).reshape(-1, 3)
    drops = np.stack([np.full_like(grid, np.nan), grid]).astype(np.float32)
    ids = np.full(len(grid), 2, np.uint16)
    timeline = replace(room.timeline(2), particles=drops, particle_id=ids)
    clip = draw(
        room.world(), timeline, orbit(2, eye=(0, -0.8, 0.5), target=(0, 0, 0), sweep=0.0, width=192, height=144)
    )
    assert not (clip.ids[0] == 2).any() and (clip.ids[1] == 2).sum() > 100
    red, _, blue = clip.rgb[1][clip.ids[1] == 2].astype(float).mean(0)
    assert red > 2 * blue
