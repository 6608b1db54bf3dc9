"""Pictures and cube maps on surfaces: model files in, rendered colours out, against ray casts that look the colours
up themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cast
import numpy as np
import pytest
from PIL import Image as Pictures
from render_world import Room, box

from synth4d.errors import RenderError, SceneError
from synth4d.geometry import apply_pose, intrinsics, look_at
from synth4d.physics import read_model
from synth4d.rays import RayScene
from synth4d.render import clip, image, texture
from synth4d.render.tone import encode, linear
from synth4d.scene import assets, furnish, meshing, patterns
from synth4d.types import Body, CameraPath, Image, Material, Surface
from synth4d.vocabulary import COLOURS

SIZE = (192, 144)
FLAG = np.array([[220, 40, 30], [40, 160, 60], [50, 70, 200], [230, 200, 60], [240, 240, 235], [30, 30, 34]], np.uint8)


def picture(side: int = 48) -> np.ndarray:
    """Six blocks of colour, no two alike, so that every turn and mirror image is another picture."""
    y, x = np.mgrid[:side, :side] * 6 // side // (2, 3)[0]
    return FLAG[(y * 2 + x) % 6]


def quad_obj(folder: Path) -> None:
    """A square with texture coordinates that show the picture's lower left quarter."""
    corners = "v -.1 0 -.1\nv .1 0 -.1\nv .1 0 .1\nv -.1 0 .1\nv 0 .1 0\n"
    where = "vt 0 0\nvt .5 0\nvt .5 .5\nvt 0 .5\nvt .25 .25\n"
    faces = "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\nf 2/2 1/1 5/5\nf 3/3 2/2 5/5\nf 4/4 3/3 5/5\nf 1/1 4/4 5/5\n"
    (folder / "quad.obj").write_text(corners + where + faces)


def surface_of(folder: Path, geom: str, texture: str, material: str = "") -> Surface:
    """A geom of an MJCF that has a texture, as a scene without `materials:` shows it."""
    quad_obj(folder)
    (folder / "model.xml").write_text(
        f'<mujoco><asset>{texture}<mesh name="quad" file="quad.obj"/>'
        f'<material name="m" texture="t" {material}/></asset>'
        f'<worldbody><body name="thing"><geom {geom} material="m"/></body></worldbody></mujoco>'
    )
    (body,) = (b for b in read_model(folder / "model.xml") if b.name == "thing")
    (geom_,) = body.visual
    return meshing.surface(geom_, meshing.material(geom_, {}, {}, folder, None))


def looked_up(s: Surface, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Linear colours of points on faces, by the nearest texel: an oracle without filtering."""
    assert s.uv is not None and s.material.image is not None
    c = s.vertices[s.faces[rows]]
    e, f, w = c[:, 1] - c[:, 0], c[:, 2] - c[:, 0], points - c[:, 0]
    gram = np.stack([np.stack([(e * e).sum(1), (e * f).sum(1)], 1), np.stack([(e * f).sum(1), (f * f).sum(1)], 1)], 1)
    b = np.linalg.solve(gram, np.stack([(e * w).sum(1), (f * w).sum(1)], 1)[..., None])[..., 0]
    at = np.einsum("nk,nkc->nc", np.column_stack([1 - b.sum(1), b]), s.uv[rows])
    pixels = s.material.image.pixels
    if pixels.ndim == 3:
        column, row = np.floor(at[:, 0] % 1 * pixels.shape[1]), np.floor((1 - at[:, 1]) % 1 * pixels.shape[0])
        return linear(pixels[row.astype(int), column.astype(int)] / 255) * linear(np.array(s.material.srgb))
    # The faces of a cube one by one: its own axis, and what runs right and down in it.
    out = np.zeros((len(at), 3))
    x, y, z = at.T
    ways = ((x, -z, -y), (-x, z, -y), (y, x, z), (-y, x, -z), (z, x, -y), (-z, -x, -y))
    side = pixels.shape[1]
    for k, (major, right, down) in enumerate(ways):
        mine = major >= np.abs(at).max(1) - 1e-12
        spot = [np.clip(((v[mine] / major[mine] + 1) / 2 * side).astype(int), 0, side - 1) for v in (down, right)]
        out[mine] = linear(pixels[k, spot[0], spot[1]] / 255)
    return out


def compare(s: Surface, eye: tuple[float, float, float]) -> tuple[float, float]:
    """Mean difference of linear colour between a render and ray casts, away from edges of shape and of picture, after
    one gain for the light; and the share of pixels compared."""
    room = Room()
    room.add("floor", "structure", [(box((4, 4, 0.02), (0, 0, -1.0)), Material((0.7, 0.7, 0.7)), False)], tagged=False)
    room.add("thing", "prop", [], (0, 0, 0))
    room.bodies[1] = wearing(room.bodies[1], s)
    room.lamps, room.ambient = [], (0.6, 0.6, 0.6)
    world, timeline = room.world(), room.timeline(1)
    camera = CameraPath(*SIZE, intrinsics(*SIZE, 0.6), look_at(eye, (0, 0, 0))[None], 8.0)
    rgb = clip.render(world, timeline, camera, rng=np.random.default_rng(0)).rgb[0] / 255
    T, ways = camera.T_world_cam[0], cast.directions(camera)
    ways = ways[:, 0:1] * T[:3, 0] + ways[:, 1:2] * T[:3, 1] + ways[:, 2:3] * T[:3, 2]
    posed = apply_pose(timeline.poses[0, 1], s.vertices)[s.faces]
    hit, distance = RayScene(posed).first(np.broadcast_to(T[:3, 3], ways.shape), ways)
    seen = np.flatnonzero(hit >= 0)
    points = T[:3, 3] + ways[seen] * distance[seen, None]
    wanted = np.zeros((*rgb.shape,))
    wanted.reshape(-1, 3)[seen] = looked_up(s, hit[seen], points)
    group = np.where(hit >= 0, hit, -1).reshape(rgb.shape[:2])
    normal = np.cross(posed[:, 1] - posed[:, 0], posed[:, 2] - posed[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    facing = np.where(group >= 0, np.abs((normal[hit] * ways).sum(1)).reshape(group.shape), 0)
    smooth = facing > 0.35
    for dy in range(-3, 4):
        for dx in range(-3, 4):
            near = np.roll(wanted, (dy, dx), (0, 1))
            smooth &= (np.roll(group, (dy, dx), (0, 1)) >= 0) & (np.abs(near - wanted).max(2) < 0.06)
    got, want = linear(rgb[smooth]), wanted[smooth]
    gain = (got * want).sum() / (want * want).sum()
    return float(np.abs(got / gain - want).mean()), float(smooth.mean())


def wearing(body: Body, s: Surface) -> Body:
    low, high = s.vertices.min(0), s.vertices.max(0)
    return replace(body, surfaces=(s,), box_center=tuple((low + high) / 2), box_size=tuple(high - low))


TEXTURE = {
    "2d": '<texture name="t" type="2d" file="flag.png"/>',
    "cube": '<texture name="t" type="cube" file="cube.png" gridsize="3 4" gridlayout=".U..LFRB.D.."/>',
    "gradient": '<texture name="t" type="cube" builtin="gradient" rgb1=".9 .2 .1" rgb2=".1 .2 .9" width="64"/>',
    "checker": '<texture name="t" type="2d" builtin="checker" rgb1=".9 .2 .1" rgb2=".1 .2 .9" width="32" height="32"/>',
    "flat": '<texture name="t" type="cube" builtin="flat" rgb1=".2 .6 .3" rgb2=".7 .6 .3" width="32"/>',
}


@pytest.mark.parametrize(
    ("geom", "kind", "material"),
    [
        ('type="box" size=".1 .08 .09"', "2d", ""),
        ('type="box" size=".1 .08 .09"', "2d", 'texrepeat="2 1" rgba=".5 .9 1 1"'),
        ('type="mesh" mesh="quad"', "2d", ""),
        ('type="box" size=".1 .08 .09"', "cube", ""),
        ('type="mesh" mesh="quad"', "cube", ""),
        ('type="sphere" size=".1"', "gradient", ""),
        ('type="cylinder" size=".07 .1"', "2d", ""),
        ('type="ellipsoid" size=".1 .07 .1"', "checker", 'texrepeat="30 20" texuniform="true"'),
        ('type="capsule" size=".06 .06"', "flat", ""),
    ],
)
def test_a_model_shows_its_textures(tmp_path: Path, geom: str, kind: str, material: str) -> None:
    Pictures.fromarray(picture()).save(tmp_path / "flag.png")
    cross = np.kron(np.arange(12).reshape(3, 4) % 6, np.ones((24, 24), int))
    Pictures.fromarray(FLAG[cross]).save(tmp_path / "cube.png")
    s = surface_of(tmp_path, geom, TEXTURE[kind], material)
    for eye in ((0.35, -0.6, 0.3), (-0.5, -0.3, -0.4)):
        error, share = compare(s, eye)
        assert share > 0.02 and error < 0.02


def test_light_textures_are_averaged_over_what_a_gaussian_covers() -> None:
    """A checker far finer than the grain shows its mean in linear light, on pictures and on cube maps."""
    checker = np.indices((64, 64)).sum(0) % 2 * 255
    fine = Image(np.repeat(checker[..., None], 3, 2).astype(np.uint8))
    corners = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], float)
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.ones(3), 500).astype(np.float32)
    for grain, spread in ((1e-4, 0.1), (0.1, 0.02)):
        lengths = np.full(500, grain, np.float32)
        seen = image.albedo(
            Material((1, 1, 1), image=fine), corners[..., :2], corners, np.zeros(500, int), share, lengths
        )
        assert abs(seen.mean() - 0.5) < 0.05 and (seen.std() > spread) == (grain < 1e-3)


def test_an_image_repeats_and_its_first_row_is_up() -> None:
    rows = np.zeros((4, 2, 3), np.uint8)
    rows[0] = 255
    uv = np.array([[[0.0, 0.875], [7.0, 0.875], [-3.0, 0.875]], [[0.3, 0.375]] * 3, [[0.3, 2.875]] * 3])
    share = np.full((3, 3), 1 / 3, np.float32)
    one = np.tile(np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], float), (3, 1, 1))
    seen = image.albedo(Material((1, 1, 1), image=Image(rows)), uv, one, np.arange(3), share, np.zeros(3, np.float32))
    assert np.allclose(seen[:, 0], [1, 0, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("pixels", "uv_columns", "said"),
    [
        (np.zeros((4, 4), np.uint8), 2, "need"),
        (np.zeros((4, 4, 3), np.float32), 2, "uint8"),
        (np.zeros((0, 4, 3), np.uint8), 2, "need"),
        (np.zeros((5, 4, 4, 3), np.uint8), 3, "six square"),
        (np.zeros((6, 4, 4, 3), np.uint8), 2, "directions"),
        (np.zeros((4, 4, 3), np.uint8), 3, "directions"),
    ],
)
def test_an_image_of_another_shape_is_refused(pixels: np.ndarray, uv_columns: int, said: str) -> None:
    with pytest.raises(RenderError, match=said):
        image.albedo(
            Material((1, 1, 1), image=Image(pixels)), np.zeros((1, 3, uv_columns)), np.zeros((1, 3, 3)),
            np.zeros(1, int), np.ones((1, 3), np.float32), np.ones(1, np.float32),
        )  # fmt: skip


def test_a_picture_too_large_to_unpack_is_refused_by_its_header(tmp_path: Path) -> None:
    Pictures.new("1", (assets.MAX_SIDE + 1, 1)).save(tmp_path / "wide.png")
    cut = tmp_path / "cut.png"
    Pictures.fromarray(picture()).save(cut)
    cut.write_bytes(cut.read_bytes()[:20])
    for name, said in (("wide.png", f"{assets.MAX_SIDE + 1}x1"), ("cut.png", "cut.png")):
        model = tmp_path / "model.xml"
        model.write_text(f'<mujoco><asset><texture type="2d" name="t" file="{name}"/></asset></mujoco>')
        with pytest.raises(SceneError, match=said):
            assets.check_model(model, tmp_path, "assets")


def test_seeds_vary_patterns_and_keep_every_colour_s_name() -> None:
    """Over seeds a body of each colour is painted by patterns in colours whose mean has that name."""
    lengths = np.full(4000, 0.003, np.float32)
    points = np.random.default_rng(1).uniform(-0.1, 0.1, (4000, 3)).astype(np.float32)
    looks = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        for name, (_, srgb) in COLOURS.items():
            room = Room()
            pattern = ("wood", "marble", "speckle", "weave")[seed % 4]
            room.prop("thing_1", box((0.2, 0.2, 0.2)), name, (0, 0, 0), texture=pattern, size=0.1)
            (surface,) = patterns.varied(room.bodies[0], rng).surfaces
            m = surface.material
            at = texture.Place(
                points, np.zeros(4000, int), points.min(0), points.max(0), m.texture_size_m, lengths, m.texture_phase
            )
            shown = encode(texture.albedo(replace(m, srgb=furnish.jitter(srgb, rng)), at).astype(float).mean(0))
            nearest = min(COLOURS, key=lambda k: float(np.abs(np.array(COLOURS[k][1]) - shown).max()))
            assert nearest == name
            looks.add((m.texture_size_m, m.texture_phase))
    assert len(looks) == 12 * len(COLOURS)
