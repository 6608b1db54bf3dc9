"""What Gaussians are authored from: textures, lattices, hard lines, subdivision."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import cast
import numpy as np
import pytest
import trimesh
from PIL import Image
from render_world import Room, box, lathe, mug, sphere

from synth4d.errors import RenderError
from synth4d.geometry import intrinsics, look_at, rotmat
from synth4d.rays import RayScene
from synth4d.render import _author, _light, author, surface, texture
from synth4d.render.bind import FLATNESS, SIGMA, WELD_M, _light_mesh, dominant
from synth4d.render.clip import Stage, pictures
from synth4d.render.hidden import Horizon
from synth4d.render.splat import Rasteriser
from synth4d.render.tone import TABLE, TABLE_TOP, encode, linear
from synth4d.types import Body, CameraPath, Material, Name, Surface

BASE = (0.55, 0.35, 0.25)
ROD = [(0.0, -0.15), (0.02, -0.15), (0.02, 0.15), (0.0, 0.15)]


def faces_of(mesh: tuple[np.ndarray, np.ndarray], smooth: bool = False) -> surface.Triangles:
    triangles, _, _ = surface.gather((body_of(mesh, smooth),))
    return triangles


def body_of(mesh: tuple[np.ndarray, np.ndarray], smooth: bool = False) -> Body:
    s = Surface(np.asarray(mesh[0], float), np.asarray(mesh[1], np.int32), Material(BASE), smooth)
    return Body("thing_1", 1, "thing", Name("thing", "物"), "prop", (s,), (0, 0, 0), (1, 1, 1))


def painted(name: str, size: float = 0.3) -> np.ndarray:
    """sRGB of a pattern at points spread over a box with the proportions of a book."""
    points, face = trimesh.sample.sample_surface(trimesh.creation.box((0.9, 1.2, 0.16)), 40_000, seed=1)
    normals = trimesh.creation.box((0.9, 1.2, 0.16)).face_normals[face]
    axis = np.argmax(np.abs(normals), 1)
    at = texture.Place(
        points.astype(np.float32), axis, points.min(0), points.max(0), size, np.full(len(points), 0.004, np.float32)
    )
    return encode(texture.albedo(Material(BASE, name, size), at))


@pytest.mark.parametrize("name", texture.NAMES)
def test_a_texture_keeps_the_colour_it_is_named_by(name: str) -> None:
    srgb = painted(name)
    allowed = 0.13 if name in ("label", "book") else 0.02
    assert np.abs(srgb.mean(0) - BASE).max() < allowed
    assert name == "plain" or srgb.std(0).max() > 0.01


def test_a_texture_finer_than_the_grain_fades_instead_of_breaking_up() -> None:
    points = np.zeros((400, 3), np.float32)
    points[:, 0] = np.linspace(0, 1, 400)
    stripes = []
    for grain in (0.001, 0.2):
        at = texture.Place(points, np.full(400, 2), np.zeros(3), np.ones(3), 0.1, np.full(400, grain, np.float32))
        stripes.append(texture.albedo(Material(BASE, "stripes", 0.1), at).std(0).max())
    assert stripes[1] < 0.3 * stripes[0]


def test_an_image_is_laid_on_without_changing_the_mean(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:] = (120, 60, 20)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    srgb = painted(f"file:{tmp_path}/image.png", 0.1)
    assert np.abs(srgb.mean(0) - BASE).max() < 0.03
    assert srgb[:, 0].std() > 0.15


@pytest.mark.parametrize("name", ["velvet", "file:/nowhere/at/all.png"])
def test_an_unknown_texture_is_refused_by_name(name: str) -> None:
    with pytest.raises(RenderError, match=name.removeprefix("file:")):
        painted(name)


def covered(mesh: tuple[np.ndarray, np.ndarray], spacing: float) -> tuple[surface.Triangles, tuple[np.ndarray, ...]]:
    """Points of one body at a spacing, as if seen from straight above each of its faces at 1 m."""
    t, outlines, _ = surface.gather((body_of(mesh),))
    none = np.zeros((len(t), _author.LINES), np.uint8)
    begin = np.zeros(len(t) + 1, np.int64)
    points = _author.cover(
        t.corners, t.flat, t.body, t.source, none, np.zeros(len(t)), begin, outlines.lines, outlines.widths,
        outlines.beyond, outlines.across, outlines.strip, outlines.bend, eyes_at(np.array([[0.3, 0.2, 2.0]])), far(),
        np.ones(1, np.uint8), np.eye(3)[None], np.zeros((1, 3)), [1.0], author.CHUNK, author.CELLS,
        (spacing, spacing), 1.0, 0.0,
    )  # fmt: skip
    return t, points


def far() -> _author.Depths:
    """Nothing hides anything."""
    camera = np.eye(4)[None].copy()
    camera[0, 2, 3] = -50.0
    K = np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 1]])
    return _author.Depths(camera, np.full((1, 2, 2), np.inf, np.float32), K, [1, 2], 0.0, 0.02)


def eyes_at(places: np.ndarray, spread: float = 50.0) -> _author.Eyes:
    """Cameras of one body that look down, each a group of its own."""
    axes = np.tile(np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]), (len(places), 1, 1))
    zero = np.zeros(len(places))
    return _author.Eyes(places, axes, zero, zero, np.array([0, len(places)]), (spread, spread), 400.0)


@pytest.mark.parametrize("mesh", [box((0.5, 0.3, 0.2)), sphere(0.2), mug()], ids=["box", "sphere", "mug"])
@pytest.mark.parametrize("cells", [16, 54])
def test_a_lattice_covers_every_triangle_once_and_evenly(mesh: tuple[np.ndarray, np.ndarray], cells: int) -> None:
    step = author.CHUNK / cells
    t, (triangle, share, means, grain, _) = covered(mesh, step)
    assert share.min() >= 0 and np.allclose(share.sum(1), 1, atol=1e-5) and np.allclose(grain, step)
    # Projected along the dominant axis, each point stands for one cell of the grid.
    area = np.linalg.norm(np.cross(t.corners[:, 1] - t.corners[:, 0], t.corners[:, 2] - t.corners[:, 0]), axis=1) / 2
    shadow = (area * np.abs(t.flat).max(1)).sum()
    assert len(triangle) == pytest.approx(shadow / step**2, rel=0.06)
    where = surface.mix(share[:, None].astype(float), t.corners[triangle])[:, 0]
    assert np.allclose(where, means, atol=1e-6)
    axis = dominant(t.flat)[triangle]
    side = np.sign(t.flat[triangle, axis])
    nearest = np.array([np.delete(w, a) for w, a in zip(where, axis, strict=True)])
    key = np.round(nearest / step * 4).astype(int)
    if cells == 16 and len(t) == 12:
        assert len(np.unique(np.column_stack([key, axis, side]), axis=0)) == len(key)


def test_what_may_be_in_the_frame_is_never_left_out() -> None:
    rng = np.random.default_rng(5)
    places = rng.normal(size=(4, 3)) * 0.3 + (0, 0, 2)
    points, radius = rng.normal(size=(4000, 3)) * (2, 2, 1.5), 0.15
    nearest = eyes_at(places, 0.5).reach(0, points, radius)
    inside = np.zeros(len(points), bool)
    for _ in range(30):
        way = rng.normal(size=points.shape)
        p = points + radius * way / np.linalg.norm(way, axis=1, keepdims=True)
        r = p[:, None] - places
        inside |= ((r[..., 2] < 0) & (np.abs(r[..., :2]).max(-1) < -0.5 * r[..., 2])).any(1)
    assert inside.sum() > 400 and np.isfinite(nearest[inside]).all()
    assert np.isinf(nearest).mean() > 0.3


def test_what_some_frame_sees_is_kept_and_what_a_wall_hides_is_not() -> None:
    rng = np.random.default_rng(7)
    wall = trimesh.creation.box((1.6, 0.1, 1.2)).triangles
    eyes = [np.array([0.4 * a, -2.0, 0.3]) for a in np.linspace(-1, 1, 9)]
    camera = CameraPath(150, 100, intrinsics(150, 100, 1.1), np.stack([look_at(e, np.zeros(3)) for e in eyes]), 8)
    scene = RayScene(wall)
    points = rng.uniform((-2.5, 0.2, -2), (2.5, 2, 2), (6000, 3))
    kept = Horizon(camera, scene).depths.sees(points, np.full(len(points), 0.02)).astype(bool)
    seen, near = np.zeros((2, len(points)), bool)  # within the frame and not hidden; likewise, or nearly so
    for T in camera.T_world_cam:
        for aside in itertools.product((0.0, 9.0, -9.0), repeat=2):  # pixels
            way = points - T[:3, 3]
            way += np.outer(way @ T[:3, 2], T[:3, :2] @ aside) / camera.K[0, 0]
            local = way @ T[:3, :3]
            at = local[:, :2] / local[:, 2:] * camera.K[0, 0]
            free = ~scene.blocked(np.broadcast_to(T[:3, 3], way.shape), way, np.ones(len(way), np.float32))
            near |= free & (np.abs(at) < (90, 65)).all(1)
            if aside == (0, 0):
                seen |= free & (np.abs(at) < (75, 50)).all(1)
    assert seen.sum() > 1000 and kept[seen].all()
    assert (~near).sum() > 1000 and not kept[~near].any()


def test_refining_keeps_area_and_bounds_edges() -> None:
    t, outlines, _ = surface.gather((body_of(box((1.0, 0.02, 0.3))),))
    place = np.array([[0.0, 0.0, 3.0]])
    above = np.flatnonzero(t.flat[:, 2] > 0.5)
    depths = far()
    still, no = np.ones(1, np.uint8), np.zeros(1, np.uint8)
    none = np.zeros(0, np.int64)
    limits = (0.4, 9.0, 0.07, 0.07, 0.1, 0.05, 0.03)
    source, small, _, share, pixel = _author.refine(
        t.corners, t.normals, t.flat, outlines.slack, t.body, eyes_at(place), depths, still, no, np.eye(3)[None],
        np.zeros((1, 3)), none, none, limits,
    )  # fmt: skip
    assert np.allclose(small, surface.mix(share, t.corners[source]))

    def area(c: np.ndarray) -> float:
        return float(np.linalg.norm(np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]), axis=1).sum() / 2)

    # Only the top is turned towards the camera.
    assert set(source.tolist()) == set(above.tolist())
    assert area(small) == pytest.approx(area(t.corners[above]))
    assert np.linalg.norm(small - np.roll(small, -1, 1), axis=2).max() <= 0.07
    assert np.allclose(pixel, 3 / 400, rtol=0.2)


def test_hard_lines_lie_along_the_edges_of_a_box_and_nowhere_on_a_sphere() -> None:
    size = np.array([0.5, 0.3, 0.2])
    triangles, outlines, _ = surface.gather((body_of(box(tuple(size))),))
    middle = triangles.corners.mean(1)
    for row in range(len(triangles)):
        own = slice(*outlines.begin[row : row + 2])
        lines = outlines.lines[own]
        assert len(lines) == 4
        axis = dominant(triangles.flat)[row]
        expected = sorted((size / 2)[np.arange(3) != axis].tolist() * 2)
        spans = np.sort(-lines[:, 3])
        assert np.allclose(spans, expected) and (lines[:, :3] @ middle[row] > lines[:, 3]).all()
        widths = outlines.widths[own][np.isfinite(outlines.widths[own])]
        assert np.allclose(np.sort(widths), sorted(size[np.arange(3) != axis].tolist() * 2))
    _, smooth, _ = surface.gather((body_of(sphere(0.1), smooth=True),))
    assert not len(smooth.lines)


def test_smooth_normals_of_a_sphere_point_outward() -> None:
    t = faces_of(sphere(0.1), smooth=True)
    assert (np.sum(t.normals * t.corners, 2) / 0.1).min() > 0.999


def test_frames_are_rotations_that_fit_the_projected_cell() -> None:
    rng = np.random.default_rng(3)
    flat = rng.normal(size=(200, 3))
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    grain = np.linspace(0.01, 0.02, 200, dtype=np.float32)
    quats, scales = _light.lay(flat, np.arange(200, dtype=np.int32)[::-1].copy(), grain, SIGMA, FLATNESS)
    axes, flat = rotmat(quats), flat[::-1]
    assert np.allclose(axes[:, :, 2], flat, atol=1e-6)
    # A unit cell seen along the dominant axis covers stretch₁·stretch₂ of the plane, further along the slope.
    stretch = scales / (SIGMA * grain[:, None])
    assert np.allclose(stretch[:, 0], 1 / np.abs(flat).max(1), rtol=1e-5)
    assert np.allclose(stretch[:, 1:], [1, FLATNESS], rtol=1e-5)
    dominant_of = np.eye(3)[np.abs(flat).argmax(1)]
    assert np.allclose((axes[:, :, 1] * dominant_of).sum(1), 0, atol=1e-6)


def test_corners_are_lit_where_they_are_and_with_their_own_surface() -> None:
    """Thousands of small triangles of many surfaces in a row of cells: none is welded to another's corner."""
    rng, count = np.random.default_rng(0), 4000
    skin, cells = rng.integers(0, 16, count).astype(np.int32), rng.integers(-220, 220, (count, 1, 3)) * [1, 0, 0]
    corners = (cells + rng.random((count, 3, 3))) * WELD_M
    flat = np.eye(3)[rng.integers(0, 3, count)] * rng.choice([-1, 1], (count, 1))
    source, share = np.zeros(count, np.int32), np.zeros((count, 3, 3))
    mesh = _light_mesh(surface.Triangles(corners, np.repeat(flat[:, None], 3, 1), flat, skin, skin, source, share))
    assert len(mesh.points) < 3 * count and np.array_equal(mesh.body[mesh.faces], np.repeat(skin[:, None], 3, 1))
    assert np.abs(mesh.points[mesh.faces] - corners).max() <= WELD_M
    assert np.array_equal(mesh.normals[mesh.faces], np.repeat(flat[:, None], 3, 1))


def display(light: np.ndarray) -> np.ndarray:
    return TABLE[np.round(np.sqrt(light / TABLE_TOP) * (len(TABLE) - 1)).astype(int)]


def test_tone_keeps_matt_colours_and_never_clips_hard() -> None:
    srgb = np.linspace(0, 1, 256)
    light = linear(srgb)
    assert np.allclose(encode(light), srgb, atol=1e-6)
    shown = display(light[light < 0.6])
    assert np.allclose(shown, srgb[light < 0.6], atol=0.004)
    bright = display(np.array([0.5, 1.0, 2.0, 4.0]))
    assert (np.diff(bright) > 0).all() and bright[-1] < 1


@pytest.mark.parametrize("opacity", [0.3, 0.6, 0.8])
def test_a_pane_of_glass_lets_through_what_it_says(opacity: float) -> None:
    room = Room()
    pane = Material((0.4, 0.6, 0.7), opacity=opacity)
    room.add("pane", "prop", [(box((0.5, 0.004, 0.5)), pane, False)], (0, 0, 0))
    camera = CameraPath(96, 96, intrinsics(96, 96, 0.4), look_at((0, -1, 0), (0, 0, 0))[None], 8.0)
    for scale in (1.0, 3.0):
        path = replace(camera, T_world_cam=look_at((0, -scale, 0), (0, 0, 0))[None])
        picture = next(pictures(Stage(room.world(), room.timeline(1), path), Rasteriser()))
        assert picture.alpha[40:56, 40:56].mean() == pytest.approx(opacity, abs=0.05)


@pytest.mark.parametrize("opacity", [0.6, 0.9])
def test_what_stands_behind_tinted_glass_is_drawn(opacity: float) -> None:
    room = Room()
    room.add("wall", "structure", [(box((4, 0.02, 3)), Material((0.8, 0.8, 0.8)), False)], (0, 1.2, 0), tagged=False)
    pane = Material((0.4, 0.6, 0.7), opacity=opacity)
    room.add("pane", "prop", [(box((1, 0.004, 1)), pane, False)], (0, 0, 0))
    camera = CameraPath(96, 96, intrinsics(96, 96, 0.9), look_at((0, -0.5, 0), (0, 0, 0))[None], 8.0)
    picture = next(pictures(Stage(room.world(), room.timeline(1), camera), Rasteriser()))
    assert picture.alpha.min() > 0.95


@pytest.mark.parametrize(("size", "turn"), [((0.6, 0.3, 0.004), 0.785), ((0.5, 0.5, 0.004), 0.4)])
def test_a_slanted_board_ends_where_it_ends(size: tuple[float, float, float], turn: float) -> None:
    """Seen 14° from its plane, its splats stray less than a third of a pixel from its outline, on average."""
    room = Room()
    room.add("wall", "structure", [(box((4, 0.02, 3)), Material((0.8, 0.8, 0.8)), False)], (0, 1.2, 0), tagged=False)
    room.add("board", "prop", [(box(size), Material((0.8, 0.2, 0.1)), False)], (0, 0, 0), turn=turn)
    world, timeline = room.world(), room.timeline(1)
    eye = look_at((0, -1, 0.25), (0, 0, 0))[None]
    camera = CameraPath(192, 144, intrinsics(192, 144, 0.7), eye, 8.0)
    seen = next(pictures(Stage(world, timeline, camera), Rasteriser())).ids == 2
    wanted = cast.frame(world, timeline, camera, 0)[1] == 2
    outline = (wanted[1:] != wanted[:-1]).sum() + (wanted[:, 1:] != wanted[:, :-1]).sum()
    assert (seen != wanted).sum() < 0.33 * outline


@pytest.mark.parametrize(
    ("mesh", "smooth"),
    [
        (box((0.3, 0.2, 0.16)), False),
        (sphere(0.12), True),
        (lathe([(0, -0.15), (0.02, -0.15), (0.02, 0.15), (0, 0.15)]), True),
    ],
    ids=["box", "sphere", "rod"],
)
@pytest.mark.parametrize("distance", [0.8, 1.6])
def test_silhouettes_stay_where_they_are(mesh: tuple[np.ndarray, np.ndarray], smooth: bool, distance: float) -> None:
    """The area of a thing's ids is that of ray casts to half a pixel along its outline."""
    room = Room()
    room.add("wall", "structure", [(box((4, 0.02, 3)), Material((0.8, 0.8, 0.8)), False)], (0, 1.2, 0), tagged=False)
    room.add("thing", "prop", [(mesh, Material((0.8, 0.2, 0.1)), smooth)], (0, 0, 0), turn=0.3)
    eyes = [look_at((distance * np.sin(a), -distance * np.cos(a), 0.3), (0, 0, 0)) for a in (-0.03, 0.0, 0.03)]
    camera = CameraPath(192, 144, intrinsics(192, 144, 0.7), np.stack(eyes), 8.0)
    world, timeline = room.world(), room.timeline(3)
    for frame, picture in enumerate(pictures(Stage(world, timeline, camera), Rasteriser())):
        wanted = cast.frame(world, timeline, camera, frame)[1] == 2
        seen = picture.ids == 2
        outline = (wanted[1:] != wanted[:-1]).sum() + (wanted[:, 1:] != wanted[:, :-1]).sum()
        assert abs(int(seen.sum()) - int(wanted.sum())) < 0.5 * outline
        assert (seen != wanted).sum() < 0.55 * outline
        assert picture.alpha.min() > 0.9
