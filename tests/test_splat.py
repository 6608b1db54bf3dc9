"""The splat kernel against the plain reference, the closed form, and its own laws."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from synth4d.bench.room import orbit, room
from synth4d.errors import RenderError
from synth4d.geometry import intrinsics, look_at, quat_from_rotmat, rotmat
from synth4d.render import reference
from synth4d.render.splat import BUILDS, Picture, Rasteriser
from synth4d.types import Gaussians

COLUMNS = ("means", "quats_wxyz", "scales", "opacities", "colours", "ids")
FRONT = np.eye(4)
"""A camera at the origin that looks along +z."""


def random_scene(rng: np.random.Generator, n: int, size: tuple[float, float] = (0.01, 0.3)) -> Gaussians:
    """Gaussians of all shapes and opacities in front of, beside and behind the FRONT camera."""
    means = rng.uniform((-2, -2, -1), (2, 2, 5), (n, 3))
    scales = np.exp(rng.uniform(np.log(size[0]), np.log(size[1]), (n, 3)))
    parts = (means, rng.normal(size=(n, 4)), scales, rng.uniform(0, 1, n), rng.uniform(0, 1, (n, 3)))
    return Gaussians(*(a.astype(np.float32) for a in parts), rng.integers(1, 65536, n).astype(np.uint16))


def one(z=2.0, scale=0.1, opacity=0.8, x=0.0, y=0.0) -> Gaussians:
    parts = ([[x, y, z]], [[1, 0, 0, 0]], [[scale] * 3], [opacity], [[1.0, 0.5, 0.25]])
    return Gaussians(*(np.array(a, np.float32) for a in parts), np.array([7], np.uint16))


def joined(a: Gaussians, b: Gaussians) -> Gaussians:
    return replace(a, **{name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in COLUMNS})


def rows(g: Gaussians, which) -> Gaussians:
    sh = None if g.sh is None else g.sh[which]
    return replace(g, **{name: getattr(g, name)[which] for name in COLUMNS}, sh=sh)


def picture(g: Gaussians, K=None, T=FRONT, width=80, height=60, threads=1, isa="auto", **how) -> Picture:
    r = Rasteriser(threads=threads, isa=isa)
    r.load(g)
    return r.render(intrinsics(width, height, 1.0) if K is None else K, T, width, height, **how)


def equal(a: Picture, b: Picture) -> bool:
    return all(getattr(a, f.name).tobytes() == getattr(b, f.name).tobytes() for f in fields(Picture))


def agrees(a: Picture, b: Picture, outliers: float = 0.0) -> None:
    """Kernel against reference; a share of pixels may flip at the 1/255, 1e-4 and one-half cut-offs."""
    allowed = outliers * a.alpha.size
    assert np.abs(a.rgb - b.rgb).max() < 1e-3 + 4e-3 * (outliers > 0)
    assert np.abs(a.alpha - b.alpha).max() < 1e-3 + 4e-3 * (outliers > 0)
    assert (np.abs(a.alpha - b.alpha) > 1e-3).sum() <= allowed
    assert (np.abs(a.depth_z_m - b.depth_z_m) > 1e-3).sum() <= allowed
    assert (np.abs(a.depth_expected_m - b.depth_expected_m) > 1e-3).sum() <= allowed
    assert (a.ids != b.ids).sum() <= allowed


# ---- Against the reference -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_random_scenes_agree_with_the_reference(seed):
    rng = np.random.Generator(np.random.Philox(seed))
    g, K = random_scene(rng, 300), intrinsics(83, 61, 1.0)
    agrees(picture(g, K, width=83, height=61), reference.render(g, K, FRONT, 83, 61), outliers=2e-3)


def test_the_room_agrees_with_the_reference():
    g = room(4000, np.random.Generator(np.random.Philox(1)))
    g = replace(g, scales=g.scales * np.float32(6))  # so few must be larger to close the walls
    K, poses = orbit(96, 96)
    a, b = picture(g, K, poses[3], 96, 96), reference.render(g, K, poses[3], 96, 96)
    agrees(a, b, outliers=1e-3)
    assert (a.alpha > 0.5).mean() > 0.9
    assert len(np.unique(a.ids)) >= 5


@pytest.mark.parametrize("covered", [0.6, 0.95])
def test_what_is_covered_agrees_with_the_reference_and_labels_and_the_rest_stay(covered):
    g = room(3000, np.random.Generator(np.random.Philox(0)))
    K, poses = orbit(96, 96)
    plain, p = picture(g, K, poses[3], 96, 96), picture(g, K, poses[3], 96, 96, covered=covered)
    agrees(p, reference.render(g, K, poses[3], 96, 96, covered), outliers=2e-3)
    assert (p.depth_z_m == plain.depth_z_m).all() and (p.ids == plain.ids).all()
    clear = plain.alpha < covered
    assert 0.02 < clear.mean() < 0.98
    assert (p.rgb[clear] == plain.rgb[clear]).all() and (p.alpha[clear] == plain.alpha[clear]).all()
    assert (p.alpha >= np.minimum(plain.alpha, covered)).all()
    assert np.abs(p.rgb - plain.rgb).max() <= (1 - covered) * g.colours.max() + 1e-5


def test_an_off_centre_camera_with_two_focal_lengths_agrees_with_the_reference():
    g = random_scene(np.random.Generator(np.random.Philox(9)), 200)
    K = np.array([[70.0, 0, 11.5], [0, 95.0, 40.25], [0, 0, 1]])
    T = look_at([0.3, -1.5, 0.4], [0, 1, 2.0])
    agrees(picture(g, K, T, 70, 50), reference.render(g, K, T, 70, 50), outliers=2e-3)


@pytest.mark.parametrize("size", [(1e-5, 1e-3), (0.5, 40.0)])
def test_tiny_and_huge_gaussians_agree_with_the_reference(size):
    g = random_scene(np.random.Generator(np.random.Philox(4)), 150, size)
    keep = g.means[:, 2] > 0.3  # a huge one at the lens has a covariance beyond float32, see the next test
    g = rows(g, keep)
    K = intrinsics(64, 48, 1.0)
    agrees(picture(g, K, width=64, height=48), reference.render(g, K, FRONT, 64, 48), outliers=5e-3)


def test_extreme_gaussians_give_a_finite_picture():
    rng = np.random.Generator(np.random.Philox(5))
    g = random_scene(rng, 200)
    wild = np.exp(rng.uniform(-80, 9, g.scales.shape)).astype(np.float32)
    far = (g.means * np.exp(rng.uniform(-30, 12, (200, 1)))).astype(np.float32)
    p = picture(replace(g, scales=wild, means=far))
    assert all(np.isfinite(getattr(p, f.name)).all() for f in fields(Picture))
    assert p.alpha.min() >= 0
    assert p.alpha.max() <= 1


def coloured(g: Gaussians, rng: np.random.Generator, terms: int) -> Gaussians:
    return replace(g, sh=rng.normal(0, 0.3, (len(g.means), terms, 3)).astype(np.float32))


@pytest.mark.parametrize("terms", [3, 8, 15])
def test_colours_by_direction_agree_with_the_reference(terms):
    rng = np.random.Generator(np.random.Philox(terms))
    g, T = coloured(random_scene(rng, 200), rng, terms), look_at([0.3, -1.5, 0.4], [0, 1, 2.0])
    g = rows(g, np.linalg.norm(g.means - T[:3, 3], axis=1) > 0.2)
    agrees(picture(g, T=T), reference.render(g, intrinsics(80, 60, 1.0), T, 80, 60), outliers=2e-3)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_antialiased_gaussians_agree_with_the_reference(share):
    rng = np.random.Generator(np.random.Philox(12))
    g = replace(random_scene(rng, 400, (0.001, 0.1)), antialiased=rng.random(400) < share)
    p = picture(g)
    agrees(p, reference.render(g, intrinsics(80, 60, 1.0), FRONT, 80, 60), outliers=2e-3)
    assert p.alpha.mean() < 0.95 * picture(replace(g, antialiased=False)).alpha.mean()


def test_many_blocks_and_regions_agree_with_the_reference():
    g = random_scene(np.random.Generator(np.random.Philox(13)), 1500, (0.005, 0.1))
    K = intrinsics(530, 290, 1.2)
    agrees(picture(g, K, width=530, height=290), reference.render(g, K, FRONT, 530, 290), outliers=1e-3)


# ---- Against the closed form ---------------------------------------------------------------------


def test_one_gaussian_has_its_closed_form():
    K, sigma2 = intrinsics(80, 60, 1.0), (0.1 * intrinsics(80, 60, 1.0)[0, 0] / 2) ** 2 + 0.3
    p = picture(one(), K)
    y, x = np.mgrid[:60, :80] + 0.5
    alpha = 0.8 * np.exp(-((x - 40) ** 2 + (y - 30) ** 2) / (2 * sigma2))
    alpha[alpha < 1 / 255] = 0
    assert np.abs(p.alpha - alpha).max() < 1e-5
    assert np.abs(p.rgb - alpha[..., None] * [1, 0.5, 0.25]).max() < 1e-5
    assert set(np.unique(p.depth_z_m)) == {0, 2}
    assert np.array_equal(p.depth_z_m > 0, alpha >= 0.5)
    assert np.array_equal(p.ids, np.where(alpha >= 0.5, 7, 0))
    assert np.allclose(p.depth_expected_m, np.where(alpha > 0, 2, 0), atol=1e-4)


def test_harmonics_of_degree_one_point_where_they_should():
    """y, z and x of the direction, with the signs of 3DGS, times half the root of 3/π; never below black."""
    rgb = []
    for mean in ([2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0], [-2.0, 0, 0]):
        g = replace(one(), means=np.array([mean], np.float32), colours=np.full((1, 3), 0.5, np.float32))
        g = replace(g, sh=np.diag([1.0, 1.0, 1.0]).astype(np.float32)[None])
        T = FRONT if mean[2] else look_at([0, 0, 0], mean)
        p = picture(g, width=81, height=61, T=T)
        rgb.append(p.rgb[30, 40] / p.alpha[30, 40])
    c = 0.5 * np.sqrt(3 / np.pi)
    half = 0.5
    expect = [[half, half, half - c], [half - c, half, half], [half, half + c, half], [half, half, half + c]]
    assert np.abs(np.array(rgb) - np.maximum(expect, 0)).max() < 1e-4


@pytest.mark.parametrize("scale", [0.01, 0.03, 0.5])
def test_an_antialiased_gaussian_fades_as_it_shrinks(scale):
    """By what the filter adds to its area, so that it keeps its light."""
    sigma2 = (scale * intrinsics(81, 61, 1.0)[0, 0] / 2) ** 2
    p = picture(replace(one(scale=scale), antialiased=True), width=81, height=61)
    assert p.alpha[30, 40] == pytest.approx(0.8 * sigma2 / (sigma2 + 0.3), rel=1e-5)


def test_an_opaque_gaussian_stops_at_its_largest_alpha():
    p = picture(one(opacity=1.0), width=81, height=61)
    assert p.alpha[30, 40] == p.alpha.max() == pytest.approx(0.999, abs=1e-6)


def test_the_nearer_gaussian_hides_the_farther():
    near, far = one(z=1.0, opacity=0.9), one(z=3.0, opacity=0.9)
    both = joined(far, near)
    both.ids[:] = [1, 2]
    p = picture(both)
    assert p.ids[30, 40] == 2 and p.depth_z_m[30, 40] == 1
    assert 1 < p.depth_expected_m[30, 40] < 1.4
    assert p.alpha[30, 40] > 0.97


@pytest.mark.parametrize(
    "where",
    [{"z": -2}, {"z": 0}, {"z": 0.009}, {"x": 30}, {"y": -30}, {"opacity": 0}, {"opacity": 0.0039}],
)
def test_what_cannot_be_seen_leaves_nothing(where):
    p = picture(one(**where))
    assert not any(getattr(p, f.name).any() for f in fields(Picture))


@pytest.mark.parametrize("width,height", [(1, 1), (15, 17), (16, 16), (33, 5), (16384, 3)])
def test_any_size(width, height):
    g, K = one(scale=0.3), intrinsics(width, height, 1.0)
    agrees(picture(g, K, width=width, height=height), reference.render(g, K, FRONT, width, height))


# ---- Same bits -----------------------------------------------------------------------------------

SCENE = room(6000, np.random.Generator(np.random.Philox(2)))
ROOM_K, ROOM_POSES = orbit(150, 100)


@pytest.mark.parametrize("isa", BUILDS)
@pytest.mark.parametrize("threads", [1, 3, 16])
def test_builds_and_threads_agree(isa, threads):
    """More threads cut the picture into smaller regions, so what each leaves out differs: no bit may."""
    rng = np.random.Generator(np.random.Philox(3))
    scattered = replace(coloured(random_scene(rng, 500), rng, 15), antialiased=rng.random(500) < 0.5)
    for g, T in ((SCENE, ROOM_POSES[0]), (scattered, FRONT)):
        plain = picture(g, ROOM_K, T, 150, 100, isa="generic")
        assert equal(picture(g, ROOM_K, T, 150, 100, threads, isa), plain)
        solid = picture(g, ROOM_K, T, 150, 100, isa="generic", covered=0.9)
        assert equal(picture(g, ROOM_K, T, 150, 100, threads, isa, covered=0.9), solid)


@pytest.mark.parametrize("covered", [0.9, 1.0])
def test_without_the_expected_depth_all_else_is_the_same(covered):
    whole = picture(SCENE, ROOM_K, ROOM_POSES[0], 150, 100, covered=covered)
    bare = Picture.empty(150, 100, expected=False)
    picture(SCENE, ROOM_K, ROOM_POSES[0], 150, 100, covered=covered, out=bare)
    assert bare.depth_expected_m.size == 0
    assert equal(replace(bare, depth_expected_m=whole.depth_expected_m), whole)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_out_changes_no_bit(seed):
    """Wild cameras and sizes: large and small regions and the widest and narrowest registers give one picture."""
    rng = np.random.Generator(np.random.Philox(100 + seed))
    least = np.exp(rng.uniform(-9, -3))
    g = random_scene(rng, 1500, (least, least * np.exp(rng.uniform(0, 9))))
    if seed % 2:
        g = replace(g, means=(g.means * np.exp(rng.uniform(-8, 10, (1500, 1)))).astype(np.float32))
    else:  # in tight bunches, so that what holds a bunch is small
        g = replace(g, means=g.means[np.arange(1500) // 50] + 0.02 * g.means)
    width, height = (int(side) for side in rng.integers(1, (500, 200)))
    K = np.diag([*rng.uniform(20, 900, 2), 1.0])
    K[:2, 2] = rng.uniform(-0.5, 1.5, 2) * (width, height)
    T = look_at(rng.uniform(-2, 2, 3), rng.uniform(-2, 2, 3) + np.array([0, 0, 2.0]))
    whole = picture(g, K, T, width, height)
    assert all(equal(picture(g, K, T, width, height, 16, isa), whole) for isa in BUILDS if isa != "generic")


def test_more_threads_than_gaussians():
    assert equal(picture(one(), threads=7), picture(one()))


def test_order_of_rows_does_not_matter():
    order = np.random.Generator(np.random.Philox(0)).permutation(len(SCENE.means))
    assert len(np.unique(SCENE.means, axis=0)) == len(order)
    view = (ROOM_K, ROOM_POSES[1], 150, 100)
    assert equal(picture(rows(SCENE, order), *view), picture(SCENE, *view))


def test_ties_in_depth_go_by_row():
    g = joined(one(opacity=0.9), one(opacity=0.9))
    g.ids[:] = [5, 4]
    assert picture(g).ids[30, 40] == 5


# ---- Between frames ------------------------------------------------------------------------------


def test_a_frame_leaves_nothing_behind():
    r = Rasteriser()
    r.load(SCENE)
    first = r.render(ROOM_K, ROOM_POSES[0], 150, 100)
    out = r.render(ROOM_K, ROOM_POSES[4], 150, 100)
    r.render(intrinsics(31, 200, 1.0), ROOM_POSES[2], 31, 200)
    again = r.render(ROOM_K, ROOM_POSES[0], 150, 100, out=out)
    assert again is out and equal(first, again)


def test_update_and_recolour_equal_a_fresh_load():
    rng = np.random.Generator(np.random.Philox(6))
    some = rng.choice(len(SCENE.means), 500, replace=False)
    means, quats = SCENE.means.copy(), SCENE.quats_wxyz.copy()
    means[some] += np.float32(0.2)
    quats[some] = rng.normal(size=(500, 4)).astype(np.float32)
    colours = rng.uniform(0, 1, SCENE.colours.shape).astype(np.float32)
    r = Rasteriser()
    r.load(SCENE)
    r.update(some, means[some], quats[some])
    r.recolour(colours)
    moved = replace(SCENE, means=means, quats_wxyz=quats, colours=colours)
    assert equal(r.render(ROOM_K, ROOM_POSES[0], 150, 100), picture(moved, ROOM_K, ROOM_POSES[0], 150, 100))


def test_update_of_harmonics_and_recolour_of_rows_equal_a_fresh_load():
    rng = np.random.Generator(np.random.Philox(7))
    g = coloured(random_scene(rng, 300), rng, 8)
    some = rng.choice(300, 40, replace=False)
    sh, colours = g.sh.copy(), g.colours.copy()
    sh[some], colours[some] = 0, rng.uniform(0, 1, (40, 3))
    sh[some, :3] = rng.normal(0, 0.3, (40, 3, 3))
    r = Rasteriser()
    r.load(g)
    r.update(some, g.means[some], g.quats_wxyz[some], sh[some, :3])
    r.recolour(colours[some], some)
    p = r.render(ROOM_K, FRONT, 150, 100)
    assert equal(p, picture(replace(g, sh=sh, colours=colours), ROOM_K, FRONT, 150, 100))
    assert not equal(p, picture(g, ROOM_K, FRONT, 150, 100))


def test_what_moves_far_is_still_seen():
    r = Rasteriser()
    r.load(SCENE)
    moved = SCENE.means.copy()
    moved[::7] += np.float32([0.5, -0.7, 0.3])
    r.update(np.arange(len(moved))[::7], moved[::7], SCENE.quats_wxyz[::7])
    fresh = picture(replace(SCENE, means=moved), ROOM_K, ROOM_POSES[0], 150, 100)
    assert equal(r.render(ROOM_K, ROOM_POSES[0], 150, 100), fresh)


def test_what_was_behind_the_camera_comes_before_it():
    g = random_scene(np.random.Generator(np.random.Philox(14)), 200)
    behind = replace(g, means=g.means * np.float32(0.1) - np.array([0, 0, 3], np.float32))
    r = Rasteriser()
    r.load(behind)
    assert not r.render(ROOM_K, FRONT, 150, 100).alpha.any()
    r.update(np.arange(200), g.means, g.quats_wxyz)
    assert equal(r.render(ROOM_K, FRONT, 150, 100), picture(g, ROOM_K, FRONT, 150, 100))


def test_a_turned_world_seen_by_a_turned_camera_is_the_same_picture():
    g = random_scene(np.random.Generator(np.random.Philox(8)), 200)
    T = look_at([1, 2, 3], [0, 0.5, 0])
    q = quat_from_rotmat(T[:3, :3])
    turned = rotmat(q) @ rotmat(g.quats_wxyz)
    means = g.means @ T[:3, :3].T + T[:3, 3]
    quats = np.array([quat_from_rotmat(R) for R in turned])
    moved = replace(g, means=means.astype(np.float32), quats_wxyz=quats.astype(np.float32))
    agrees(picture(g), picture(moved, T=T), outliers=2e-3)


# ---- Bad input -----------------------------------------------------------------------------------

NAN = np.float32("nan")


@pytest.mark.parametrize(
    "change,says",
    [
        ({"means": np.full((1, 3), NAN)}, "means: row 0"),
        ({"scales": np.full((1, 3), -1.0)}, "scales: row 0"),
        ({"scales": np.ones((1, 2))}, "scales: need shape"),
        ({"opacities": np.array([1.5])}, "opacities: row 0"),
        ({"colours": np.full((1, 3), np.inf)}, "colours: row 0"),
        ({"quats_wxyz": np.zeros((1, 4))}, "quats_wxyz: row 0 is zero"),
        ({"ids": np.array([1])}, "ids: need shape"),
        ({"means": np.zeros((0, 3))}, "none to render"),
        ({"means": np.full((1, 3), 2e6)}, "means: row 0"),
        ({"scales": np.full((1, 3), 2e4)}, "scales: row 0"),
        ({"sh": np.zeros((1, 4, 3))}, "sh: need shape"),
        ({"sh": np.full((1, 3, 3), NAN)}, "sh: row 0"),
        ({"antialiased": np.ones(2, bool)}, "antialiased: need"),
    ],
)
def test_bad_gaussians_are_refused(change, says):
    with pytest.raises(RenderError, match=says) as refused:
        Rasteriser().load(replace(one(), **change))
    assert "\n" not in str(refused.value)


K = intrinsics(8, 8, 1.0)
AFAR = np.array([[1.0, 0, 0, 2e6], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    "args,says",
    [
        ((K[:2], FRONT, 8, 8), "K: need"),
        ((K * NAN, FRONT, 8, 8), "K: need"),
        ((-K, FRONT, 8, 8), "K: need"),
        ((np.diag([1e7, 1e7, 1]), FRONT, 8, 8), "K: need focal lengths"),
        ((K, AFAR, 8, 8), "the camera is at"),
        ((K, FRONT[:3], 8, 8), "T_world_cam: need"),
        ((K, FRONT * 2, 8, 8), "rotation"),
        ((K, np.diag([1.0, 1, -1, 1]), 8, 8), "rotation"),
        ((K, FRONT, 0, 8), "sides must be"),
        ((K, FRONT, 8, 99999), "sides must be"),
    ],
)
def test_bad_cameras_are_refused(args, says):
    r = Rasteriser()
    r.load(one())
    with pytest.raises(RenderError, match=says):
        r.render(*args)


def test_wrong_use_is_refused():
    with pytest.raises(RenderError, match="no build"):
        Rasteriser(isa="mmx")
    with pytest.raises(RenderError, match="threads"):
        Rasteriser(threads=0)
    r = Rasteriser()
    with pytest.raises(RenderError, match="load"):
        r.render(K, FRONT, 8, 8)
    r.load(one())
    with pytest.raises(RenderError, match="rows"):
        r.update(np.array([1]), np.zeros((1, 3), np.float32), np.ones((1, 4), np.float32))
    with pytest.raises(RenderError, match="colours"):
        r.recolour(np.zeros((2, 3), np.float32))
    with pytest.raises(RenderError, match="sh: need"):
        r.update(
            np.array([0]), np.zeros((1, 3), np.float32), np.ones((1, 4), np.float32), np.zeros((1, 3, 3), np.float32)
        )
    with pytest.raises(RenderError, match="out"):
        r.render(K, FRONT, 8, 8, out=Picture.empty(9, 8))
    for covered in (0.5, 1.5, float("nan")):
        with pytest.raises(RenderError, match="covered"):
            r.render(K, FRONT, 8, 8, covered=covered)
