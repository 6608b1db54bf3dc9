"""Light: laws of meshes, rays, tones and glows, and a converged reference that shares no code with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from render_world import Room, box, orbit, sphere

from synth4d import seeds
from synth4d.geometry import apply_pose
from synth4d.rays import RayScene
from synth4d.render import clip as clips
from synth4d.render import emitter, tone
from synth4d.render.bind import LightMesh
from synth4d.render.mover import groups
from synth4d.render.probe import HERE, REACH_M, Cast, Probe, chain, motion_of
from synth4d.render.refine import halve
from synth4d.scene import build, load
from synth4d.types import CameraPath, Clip, Lamp, Material, Surface, Timeline, World
from synth4d.vocabulary import COLOURS

WHITE = Material((0.8, 0.8, 0.8))


def table(lamps: list[Lamp]) -> Room:
    room = Room()
    room.add("table", "fixture", [(box((2, 2, 0.1), (0, 0, -0.05)), WHITE, False)])
    room.lamps = lamps
    return room


def draw(world: World, timeline: Timeline, camera: CameraPath) -> Clip:
    return clips.render(world, timeline, camera, rng=np.random.default_rng(0))


def over(frames: int, height: float = 1.2) -> CameraPath:
    return orbit(frames, eye=(0.0, -0.5, height), target=(0, 0, 0), sweep=0.0, width=128, height=96)


LAMP = Lamp("lamp", (0.5, -0.4, 1.6), 0.15, (3.0, 3.0, 3.0))


def test_light_agrees_with_a_converged_reference() -> None:
    """Points of the table beside a box: 400 ambient rays and 200 samples of the lamp, by plain sums."""
    room = table([LAMP])
    room.add("block", "fixture", [(box((0.2, 0.2, 0.3), (0, 0, 0.15)), WHITE, False)])
    world, timeline, camera = room.world(), room.timeline(1), over(1)
    stage = clips.Stage(world, timeline, camera)
    lit, a = stage.light.at(0), stage.authored
    faces = a.light.faces[a.triangle]
    where, normal = ((part[faces] * a.bary[..., None]).sum(1) for part in (a.light.points, a.light.normals))
    top = np.flatnonzero((np.abs(where[:, 2]) < 1e-3) & (normal[:, 2] > 0.99) & (np.abs(where).max(1) > 0.12))
    top = top[:: max(1, len(top) // 400)]
    points = apply_pose(timeline.poses[0][1], where[top]) + np.array([0, 0, 0.002])
    scene = RayScene(np.concatenate([s.vertices[s.faces] for b in world.bodies for s in b.surfaces]))
    ambient, lamp = np.empty(len(points)), np.empty(len(points))
    rng = np.random.default_rng(1)
    around = rng.normal(size=(200, 3))
    samples = np.array(LAMP.position) + LAMP.radius * around / np.linalg.norm(around, axis=1)[:, None]
    for i, p in enumerate(points):
        u, v = rng.random(400), 2 * np.pi * rng.random(400)
        up = np.stack([np.sqrt(u) * np.cos(v), np.sqrt(u) * np.sin(v), np.sqrt(1 - u)], 1)
        ambient[i] = scene.distances(np.tile(p, (400, 1)), up, np.full(400, REACH_M, np.float32)).mean() / REACH_M
        way = samples - p
        length = np.linalg.norm(way, axis=1)
        open_ = ~scene.blocked(np.tile(p, (200, 1)), way / length[:, None], (0.99 * length).astype(np.float32))
        to = np.array(LAMP.position) - p
        lamp[i] = open_.mean() * to[2] / np.linalg.norm(to) ** 3
    got = [(column[faces[top]] * a.bary[top]).sum(1) for column in (lit.ambient, lit.lamps[:, 0])]
    assert len(top) > 200 and lamp.min() < 0.05 < lamp.max()
    assert np.sqrt(np.mean((got[0] - ambient) ** 2)) < 0.05
    assert np.sqrt(np.mean((got[1] - lamp) ** 2)) < 0.03


@pytest.mark.parametrize("side", [0.4, 0.65])
def test_what_lies_close_behind_a_panel_leaves_no_dark_spot_beside_it(side: float) -> None:
    """Ambient light on a table, 2 mm to 4 cm beside a panel that hangs 1 cm before it: half of it is open there."""
    room = table([LAMP])
    room.add("panel", "fixture", [(box((side, side, 0.02), (0, 0, 0.02)), WHITE, False)])
    stage = clips.Stage(room.world(), room.timeline(1), over(1))
    a, ambient = stage.authored, stage.light.at(0).ambient
    at, seen = a.means.astype(float), (ambient[a.light.faces[a.triangle]] * a.bary).sum(1)
    away = np.abs(at[:, :2]).max(1) - side / 2
    beside = (np.abs(at[:, 2]) < 1e-3) & (away > 0.002) & (away < 0.04)
    assert beside.sum() > 150 and seen[beside].min() > 0.45


def test_points_that_a_mesh_grows_by_lie_in_the_shadows_that_were_there() -> None:
    """Light at a frame is the same if what moves casts its shadows anew, on all points at once."""
    room = table([LAMP])
    block = room.add("block", "prop", [(box((0.2, 0.2, 0.3), (0, 0, 0.15)), WHITE, False)])
    timeline = room.timeline(2)
    timeline.poses[1, block, 0] += 0.5
    light = clips.Stage(room.world(), timeline, over(2)).light
    grown = light.at(0)
    for m in light.movers:
        m.pose = np.full(7, np.nan)
    anew = light.at(0)
    assert anew is not grown and len(light.still.probe) > 300 and grown.lamps.min() == 0
    assert np.array_equal(anew.ambient, grown.ambient) and np.array_equal(anew.lamps, grown.lamps)


def test_halving_moves_no_gaussian() -> None:
    """Where a Gaussian lies among its corners stays the same point, whatever triangles are cut, twice over."""
    room = table([LAMP])
    stage = clips.Stage(room.world(), room.timeline(1), over(1))
    authored, rng = stage.authored, np.random.default_rng(0)
    for _ in range(2):
        finer = halve(authored, rng.random(len(authored.light.faces)) < 0.4)
        before, after = (
            (m.light.points[m.light.faces[m.triangle]] * m.bary[..., None]).sum(1) for m in (authored, finer)
        )
        assert np.abs(before - after).max() < 1e-6 and finer.bary.min() >= -1e-6
        assert np.array_equal(finer.light.points[: len(authored.light.points)], authored.light.points)
        authored = finer


def test_rays_that_are_left_out_would_have_met_nothing() -> None:
    """Against the same scene with bounds that leave out none."""
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.6, 0.6, (300, 3))
    normals = rng.normal(size=(300, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    mesh = LightMesh(points, normals, 0 * points, np.zeros(300, np.int32), np.zeros((0, 3), np.int64))
    probe = Probe(mesh, np.arange(300), np.array([[0.0, 0, 0, 1, 0, 0, 0]]))
    vertices, faces = sphere(0.15)
    scene, open_ = RayScene(vertices[faces]), RayScene(vertices[faces])
    open_.bounds = np.array([[-9, -9, -9], [9, 9, 9]], np.float32)
    pose = np.array([0.1, -0.2, 0.05, *np.array([0.9, 0.1, -0.3, 0.2]) / np.linalg.norm([0.9, 0.1, -0.3, 0.2])])
    motion, bulb = motion_of(pose), np.array([0.5, 0.4, 0.6])
    around = 0.1 * rng.normal(size=(emitter.SAMPLES, 3))
    bulbs = [(bulb + around).astype(np.float32), (around - bulb).astype(np.float32)]
    lamps = emitter.lights([emitter.Emitter(np.ones(3, np.float32), -1, p, None, 0.1) for p in bulbs])
    casts = []
    for s in (scene, open_):
        casts.append(Cast(probe, lamps))
        casts[-1].opening[:100] = 0.1
        casts[-1].blocked[100:] = 0
        taken = casts[-1].meet(s, lamps, motion)
        assert 0 < len(taken.dark) < 300 and (taken.opening <= casts[-1].opening[taken.near]).all()
        casts[-1].lose(taken)
    assert (casts[0].opening[:100] < 0.1).any() and (casts[0].opening[100:] < REACH_M).any()
    assert np.array_equal(casts[0].opening, casts[1].opening)
    assert np.array_equal(casts[0].blocked, casts[1].blocked)
    assert np.allclose(
        chain(motion, motion_of(pose)) @ [1, 2, 3, 1], apply_pose(pose, apply_pose(pose, [1, 2, 3])), atol=1e-5
    )
    assert np.array_equal(chain(HERE, motion), motion)


def test_illumination_keeps_order_hue_and_what_is_dim() -> None:
    level = np.linspace(0, 30, 4000, dtype=np.float32)
    hue = np.array([1.0, 0.8, 0.5], np.float32)
    shown = tone.exposed(level[:, None] * hue)
    assert (np.diff(shown[:, 0]) > 0).all() and shown.max() < tone.MOST
    assert np.allclose(shown[1:] / shown[1:, :1], hue, atol=1e-4)
    dim = level <= tone.FULL
    assert np.allclose(shown[dim], level[dim, None] * hue)


def test_a_wall_beside_a_lamp_keeps_its_colour() -> None:
    """Twenty times the light a patch has elsewhere, and it is still blue, not white."""
    room = table([replace(LAMP, position=(0.0, 0.0, 0.25), radius=0.03, rgb=(0.5, 0.5, 0.5))])
    body = room.bodies[0]
    blue = replace(WHITE, srgb=(0.5, 0.6, 0.75))
    room.bodies[0] = replace(body, surfaces=tuple(replace(s, material=blue) for s in body.surfaces))
    clip = draw(room.world(), room.timeline(1), over(1, 1.6))
    r, _, b = np.quantile(clip.rgb[0].reshape(-1, 3), 0.99, axis=0)
    assert b < 255 and b - r > 35


def glowing(room: Room, control: str | None, emission: tuple[float, float, float] = (4.0, 0.4, 0.1)) -> int:
    """A glowing plate that stands upright on the table."""
    return room.add(
        "plate",
        "prop",
        [(box((0.3, 0.02, 0.3), (0, 0, 0.15)), Material((0.1, 0.1, 0.1), emission=emission, glow=control), False)],
    )


def red_beside(clip: Clip, world: World, frame: int) -> float:
    """Mean red over blue of the table."""
    own = clip.rgb[frame][clip.ids[frame] == next(b.id for b in world.bodies if b.name == "table")].astype(float)
    return float((own[:, 0] - own[:, 2]).mean())


def test_what_glows_without_a_control_always_does_and_lights_what_is_near() -> None:
    shades = []
    for emission in ((0.0, 0.0, 0.0), (4.0, 0.4, 0.1)):
        room = table([LAMP])
        glowing(room, None, emission)
        world = room.world()
        shades.append(red_beside(draw(world, room.timeline(1), over(1)), world, 0))
    assert shades[1] > shades[0] + 3


def test_a_carried_glow_takes_its_light_along() -> None:
    room = table([LAMP])
    plate = glowing(room, None)
    world, timeline = room.world(), room.timeline(2)
    timeline.poses[1, plate, 0] += 0.5
    clip = draw(world, timeline, over(2))
    own = clip.ids == next(b.id for b in world.bodies if b.name == "table")
    redness = np.where(own, clip.rgb[..., 0].astype(float) - clip.rgb[..., 2], np.nan)
    left, right = (np.nanmean(redness[:, :, part], axis=(1, 2)) for part in (slice(None, 64), slice(64, None)))
    assert right[1] - left[1] > right[0] - left[0] + 2


def test_irradiance_of_a_glowing_square_is_its_form_factor() -> None:
    """On the axis of a square of side s at distance d: F = 4/π · X/√(1+X²) · atan(X/√(1+X²)), X = s/2d."""
    vertices = np.array([[-0.1, -0.1, 0], [0.1, -0.1, 0], [0.1, 0.1, 0], [-0.1, 0.1, 0]])
    square = Surface(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32), replace(WHITE, emission=(1.0, 1.0, 1.0)))
    room = table([])
    room.bodies[0] = replace(room.bodies[0], surfaces=(square,))
    world, timeline = room.world(), room.timeline(1)
    (glow,) = emitter.glows(world, timeline, np.zeros(len(world.bodies), bool), np.ones(3, np.float32))
    for d in (0.15, 0.4, 0.8):
        at, down = np.array([[0, 0, d]], np.float32), np.array([[0, 0, -1]], np.float32)
        got = emitter.lights([glow]).aim(at, down)[0][0, 0] * glow.rgb[0]
        x = 0.1 / d
        y = x / np.sqrt(1 + x * x)
        assert got == pytest.approx(4 / np.pi * y * np.arctan(y), rel=0.06)


def test_bodies_that_keep_their_places_are_lit_as_one() -> None:
    poses = np.tile(np.array([0.0, 0, 0, 1, 0, 0, 0]), (5, 4, 1))
    poses[:, 1, 0] = poses[:, 2, 0] = np.linspace(0, 0.3, 5)
    poses[:, 2, 1], poses[:, 3, 2] = 0.1, np.linspace(0, 0.3, 5)
    assert groups(poses, np.array([False, True, True, True])) == [[1, 2], [3]]


def lab(srgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of sRGB 0..1 (D65), lightness at half weight: light changes it, hue should stay."""
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    m = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = np.cbrt((light[..., None, :] * m).sum(-1) / np.array([0.9505, 1.0, 1.089]) + 1e-6)
    return np.stack([0.5 * (116 * t[..., 1] - 16), 500 * (t[..., 0] - t[..., 1]), 200 * (t[..., 1] - t[..., 2])], -1)


@pytest.mark.parametrize("seed", range(6))
def test_colours_keep_their_names_in_the_light_of_every_seed(seed: int) -> None:
    """A matt patch of each colour of the vocabulary, lit by the lamps that a layout of the kitchen draws."""
    rng, drawn = (seeds.rng(seed, "light", k) for k in (0, 1))
    lamps, ambient, _, _ = build._light(load.load("kitchen"), rng, drawn)
    room = table([replace(lamp, control=None) for lamp in lamps if lamp.control is None])
    for k, key in enumerate(COLOURS):
        room.prop(
            f"patch_{k}",
            box((0.12, 0.12, 0.02)),
            key,
            (0.16 * (k % 4) - 0.24, 0.16 * (k // 4) - 0.16, 0.01),
            smooth=False,
            gloss=0.0,
        )
    world = replace(room.world(), ambient_rgb=ambient)
    clip = draw(world, room.timeline(1), over(1, 1.0))
    names = lab(np.array([srgb for _, srgb in COLOURS.values()]))
    for k, key in enumerate(COLOURS):
        seen = clip.rgb[0][clip.ids[0] == k + 2] / 255
        distance = np.linalg.norm(names - lab(np.median(seen, 0)), axis=1)
        assert list(COLOURS)[int(distance.argmin())] == key


def test_layouts_differ_in_which_lamps_are_on_where_and_how_warm() -> None:
    scene = load.load("kitchen")
    drawn = [build._light(scene, seeds.rng(n, "a"), seeds.rng(n, "b"))[0] for n in range(30)]
    assert {len(lamps) for lamps in drawn} == {2, 3}
    assert all(any(lamp.control is None for lamp in lamps) for lamps in drawn)
    warmth = [lamps[0].rgb[0] / lamps[0].rgb[2] for lamps in drawn]
    places = {lamps[0].position for lamps in drawn}
    assert max(warmth) > 1.6 * min(warmth) and len(places) > 20
