"""What Gaussians are authored from: textures, lattices, hard lines, subdivision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from render_world import box, mug, sphere

from synth4d.errors import RenderError
from synth4d.geometry import rotmat
from synth4d.render import lattice, surface, texture
from synth4d.render.bind import quaternions
from synth4d.render.tone import display, encode, linear
from synth4d.types import Body, Material, Name, Surface

BASE = (0.55, 0.35, 0.25)


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


@pytest.mark.parametrize("mesh", [box((0.5, 0.3, 0.2)), sphere(0.2), mug()], ids=["box", "sphere", "mug"])
@pytest.mark.parametrize("cells", [16, 54])
def test_a_lattice_covers_every_triangle_once_and_evenly(mesh: tuple[np.ndarray, np.ndarray], cells: int) -> None:
    t = faces_of(mesh)
    pieces = lattice.cut(t.corners, t.flat)
    points = lattice.fill(t.corners, t.flat, pieces, np.full(len(pieces.triangle), cells))
    assert points.bary.min() >= 0 and np.allclose(points.bary.sum(1), 1, atol=1e-5)
    # Projected along the dominant axis, each point stands for one cell of the grid.
    area = np.linalg.norm(np.cross(t.corners[:, 1] - t.corners[:, 0], t.corners[:, 2] - t.corners[:, 0]), axis=1) / 2
    shadow = (area * np.abs(t.flat).max(1)).sum()
    assert len(points.piece) == pytest.approx(shadow / (lattice.CHUNK / cells) ** 2, rel=0.06)
    where = surface.mix(points.bary[:, None].astype(float), t.corners[pieces.triangle[points.piece]])[:, 0]
    axis = lattice.dominant(t.flat)[pieces.triangle[points.piece]]
    side = np.sign(t.flat[pieces.triangle[points.piece], axis])
    nearest = np.array([np.delete(w, a) for w, a in zip(where, axis, strict=True)])
    key = np.round(nearest / (lattice.CHUNK / cells) * 4).astype(int)
    if cells == 16 and len(t) == 12:
        assert len(np.unique(np.column_stack([key, axis, side]), axis=0)) == len(key)


def test_bisection_keeps_area_and_bounds_edges() -> None:
    t = faces_of(box((1.0, 0.02, 0.3)))
    source, bary = surface.bisect(t.corners, np.full(len(t), 0.07))
    small = surface.mix(bary, t.corners[source])

    def area(c: np.ndarray) -> float:
        return float(np.linalg.norm(np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]), axis=1).sum() / 2)

    assert area(small) == pytest.approx(area(t.corners))
    assert np.linalg.norm(small - np.roll(small, -1, 1), axis=2).max() <= 0.07


def test_hard_lines_lie_along_the_edges_of_a_box_and_nowhere_on_a_sphere() -> None:
    size = np.array([0.5, 0.3, 0.2])
    triangles, outlines, _ = surface.gather((body_of(box(tuple(size))),))
    middle = triangles.corners.mean(1)
    for row in range(len(triangles)):
        lines = outlines.lines[row][~np.isnan(outlines.lines[row, :, 3])]
        assert len(lines) == 4
        axis = lattice.dominant(triangles.flat)[row]
        expected = sorted((size / 2)[np.arange(3) != axis].tolist() * 2)
        spans = np.sort(-lines[:, 3])
        assert np.allclose(spans, expected) and (lines[:, :3] @ middle[row] > lines[:, 3]).all()
        widths = outlines.widths[row][np.isfinite(outlines.widths[row])]
        assert np.allclose(np.sort(widths), sorted(size[np.arange(3) != axis].tolist() * 2))
    _, smooth, _ = surface.gather((body_of(sphere(0.1), smooth=True),))
    assert np.isnan(smooth.lines).all()


def test_smooth_normals_of_a_sphere_point_outward() -> None:
    t = faces_of(sphere(0.1), smooth=True)
    assert (np.sum(t.normals * t.corners, 2) / 0.1).min() > 0.999


def test_frames_are_rotations_that_fit_the_projected_cell() -> None:
    rng = np.random.default_rng(3)
    flat = rng.normal(size=(200, 3))
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    axes, stretch = lattice.frames(flat)
    assert np.allclose(np.linalg.det(axes), 1)
    assert np.allclose(rotmat(quaternions(axes)), axes, atol=1e-9)
    # A unit cell seen along the dominant axis covers stretch₁·stretch₂ of the plane.
    assert np.allclose(stretch.prod(1), 1 / np.abs(flat).max(1))


def test_tone_keeps_matt_colours_and_never_clips_hard() -> None:
    srgb = np.linspace(0, 1, 256)
    light = linear(srgb)
    assert np.allclose(encode(light), srgb, atol=1e-6)
    shown = display(light[light < 0.6].astype(np.float32))
    assert np.allclose(shown, srgb[light < 0.6], atol=0.004)
    bright = display(np.array([0.5, 1.0, 2.0, 4.0], np.float32))
    assert (np.diff(bright) > 0).all() and bright[-1] < 1
