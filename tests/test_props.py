"""The catalogue of props: sound meshes, matching collision, stable rest, and what the YAML promises."""

import hashlib
from functools import cache
from pathlib import Path

import mujoco
import numpy as np
import pytest
import trimesh
import yaml

from synth4d.geometry import rotate
from synth4d.scene.props import SHAPES, PropShape
from synth4d.seeds import rng
from synth4d.vocabulary import COLOURS

SEEDS = range(5)
CATALOGUE = yaml.safe_load((Path(__file__).parents[1] / "scenes" / "props.yaml").read_text(encoding="utf-8"))
COLOUR_OF = {entry["shape"]: entry["colours"][0] for entry in CATALOGUE.values()}
each_shape = pytest.mark.parametrize("name", list(SHAPES))


@cache
def make(name: str, seed: int = 0) -> PropShape:
    return SHAPES[name](COLOURS[COLOUR_OF[name]][1], rng("test", name, seed))


def points(shape: PropShape) -> np.ndarray:
    return np.concatenate([s.vertices for s in shape.surfaces])


def whole(shape: PropShape) -> trimesh.Trimesh:
    """All surfaces as one mesh with equal vertices merged."""
    parts = [trimesh.Trimesh(s.vertices, s.faces, process=False) for s in shape.surfaces]
    mesh = trimesh.util.concatenate(parts)
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)


def signature(shape: PropShape) -> str:
    h = hashlib.sha256(repr((shape.collision, shape.mass_kg, shape.vessel, shape.cavity, shape.top)).encode())
    for s in shape.surfaces:
        h.update(s.vertices.tobytes() + s.faces.tobytes() + repr(s.material).encode())
    return h.hexdigest()


# ---- Meshes --------------------------------------------------------------------------------------


@each_shape
@pytest.mark.parametrize("seed", SEEDS)
def test_meshes_are_closed_and_face_outwards(name: str, seed: int) -> None:
    shape = make(name, seed)
    mesh = whole(shape)
    assert mesh.is_watertight and mesh.is_winding_consistent
    for part in mesh.split(only_watertight=False, repair=False):
        assert part.volume > 0
    assert all(np.isfinite(s.vertices).all() and len(s.faces) for s in shape.surfaces)
    assert 150 <= sum(len(s.faces) for s in shape.surfaces) <= 2200


@each_shape
@pytest.mark.parametrize("seed", SEEDS)
def test_stands_on_its_origin_at_a_household_size(name: str, seed: int) -> None:
    shape = make(name, seed)
    p = points(shape)
    assert abs(p[:, 2].min()) < 1e-3
    assert 0.015 < shape.height_m < 0.34 and 0.025 < shape.radius_m < 0.32
    assert shape.height_m == pytest.approx(p[:, 2].max(), abs=1e-9)
    assert shape.radius_m == pytest.approx(np.hypot(p[:, 0], p[:, 1]).max(), abs=1e-6)
    assert 0.01 < shape.mass_kg < 1.5


@each_shape
def test_a_seed_decides_everything(name: str) -> None:
    srgb = COLOURS[COLOUR_OF[name]][1]
    again = SHAPES[name](srgb, rng("test", name, 0))
    assert signature(again) == signature(make(name, 0))
    assert signature(make(name, 1)) != signature(make(name, 0))


@each_shape
def test_the_named_colour_dominates_what_is_seen(name: str) -> None:
    """Seen from four sides, 30 degrees above, more of it is nearest to the asked colour than to another."""
    keys = list(COLOURS)
    palette = np.array([COLOURS[k][1] for k in keys])
    for seed in SEEDS:
        seen = np.zeros(len(keys), int)
        for srgb in _picture(make(name, seed)):
            seen[((palette - srgb) ** 2).sum(-1).argmin()] += 1
        assert keys[seen.argmax()] == COLOUR_OF[name], dict(zip(keys, seen, strict=True))


def _picture(shape: PropShape) -> np.ndarray:
    """sRGB of the surface that each ray of four parallel views hits first, (hits,3)."""
    parts = [trimesh.Trimesh(s.vertices, s.faces, process=False) for s in shape.surfaces]
    paint = np.repeat([s.material.srgb for s in shape.surfaces], [len(s.faces) for s in shape.surfaces], axis=0)
    mesh = trimesh.util.concatenate(parts)
    side = 1.2 * max(shape.radius_m, shape.height_m)
    u, v = (g.ravel() for g in np.meshgrid(*[np.linspace(-side, side, 48)] * 2))
    hits = []
    for yaw in np.arange(4) * np.pi / 2 + 0.4:
        back = np.array([np.cos(yaw) * 0.866, np.sin(yaw) * 0.866, 0.5])
        right = np.array([-np.sin(yaw), np.cos(yaw), 0])
        start = back + u[:, None] * right + v[:, None] * np.cross(back, right) + (0, 0, shape.height_m / 2)
        face = mesh.ray.intersects_first(start, np.tile(-back, (len(u), 1)))
        hits.append(paint[face[face >= 0]])
    return np.concatenate(hits)


# ---- Collision and containers --------------------------------------------------------------------


def primitive_points(shape: PropShape) -> np.ndarray:
    """Points on the hull of every collision primitive."""
    rows = []
    ball = trimesh.creation.icosphere(subdivisions=3).vertices
    for p in shape.collision:
        s = p.size
        if p.type == "box":
            local = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * s
        elif p.type == "cylinder":
            a = np.linspace(0, 2 * np.pi, 64)
            local = np.array([[s[0] * np.cos(t), s[0] * np.sin(t), z] for t in a for z in (-s[1], s[1])])
        elif p.type == "capsule":
            local = np.concatenate([ball * s[0] + (0, 0, z) for z in (-s[1], s[1])])
        else:
            local = ball * (s if len(s) == 3 else s[0])
        rows.append(rotate(p.quat_wxyz, local) + p.pos)
    return np.concatenate(rows)


@each_shape
@pytest.mark.parametrize("seed", SEEDS)
def test_collision_fills_the_visual_box(name: str, seed: int) -> None:
    shape = make(name, seed)
    seen, felt = points(shape), primitive_points(shape)
    np.testing.assert_allclose(felt.min(0), seen.min(0), atol=0.01)
    np.testing.assert_allclose(felt.max(0), seen.max(0), atol=0.01)
    assert felt[:, 2].min() == pytest.approx(0, abs=1.5e-3)
    assert sum(shape.masses_kg) == pytest.approx(shape.mass_kg)


@each_shape
@pytest.mark.parametrize("seed", SEEDS)
def test_insides_are_hollow_and_inside(name: str, seed: int) -> None:
    shape = make(name, seed)
    low, high = points(shape).min(0), points(shape).max(0)
    if shape.vessel:
        v = shape.vessel
        assert 0 < v.bottom_z < v.top_z <= shape.height_m
        assert 0 < v.bottom_radius <= v.top_radius * 1.5
        rays = _clearance(shape, np.linspace(v.bottom_z + 0.002, v.top_z, 9))
        inside = np.interp(rays[0], *np.array(v.profile).T)
        assert (inside <= rays[1] + 0.0015).all()
        if v.pours:
            assert np.linalg.norm(points(shape) - v.spout, axis=1).min() < 0.02
    if shape.cavity:
        assert (np.array(shape.cavity.low) >= low).all() and (np.array(shape.cavity.high) <= high + 1e-6).all()
        assert (np.array(shape.cavity.low) < shape.cavity.high).all()
    if shape.top:
        assert shape.flat_top and shape.top.z <= shape.height_m + 1e-6


def _clearance(shape: PropShape, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the axis to the nearest wall at each height, over 12 directions."""
    mesh = whole(shape)
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False) + 0.05
    out = []
    for z in heights:
        d = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(12)])
        hit, _, _ = mesh.ray.intersects_location(np.tile([0, 0, z], (12, 1)), d, multiple_hits=False)
        out.append(np.hypot(hit[:, 0], hit[:, 1]).min())
    return heights, np.array(out)


# ---- Physics -------------------------------------------------------------------------------------


def geoms(shape: PropShape) -> str:
    condim = 6 if shape.rolls else 4
    rows = []
    for p, mass in zip(shape.collision, shape.masses_kg, strict=True):
        size, pos, quat = (" ".join(map(str, v)) for v in (p.size, p.pos, p.quat_wxyz))
        rows.append(
            f'<geom type="{p.type}" size="{size}" pos="{pos}" quat="{quat}" mass="{mass}" '
            f'condim="{condim}" friction="{shape.friction} 0.005 {shape.rolling_m}"/>'
        )
    return "".join(rows)


def simulation(*placed: tuple[PropShape, tuple[float, ...]]) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Props at poses (xyz + wxyz) above a plane."""
    bodies = []
    for shape, pose in placed:
        pos, quat = " ".join(map(str, pose[:3])), " ".join(map(str, pose[3:]))
        bodies.append(f'<body pos="{pos}" quat="{quat}"><freejoint/>{geoms(shape)}</body>')
    xml = (
        f'<mujoco><option timestep="0.002" cone="elliptic"/><worldbody><geom type="plane" size="2 2 .1" '
        f'friction="0.7 0.005 0.0001"/>{"".join(bodies)}</worldbody></mujoco>'
    )
    model = mujoco.MjModel.from_xml_string(xml)
    return model, mujoco.MjData(model)


def tilt_deg(quat: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(rotate(quat, [[0.0, 0.0, 1.0]])[0, 2], -1, 1))))


@each_shape
@pytest.mark.parametrize("seed", SEEDS)
def test_comes_to_rest_upright(name: str, seed: int) -> None:
    shape = make(name, seed)
    draw = rng("drop", name, seed)
    yaw, lean = 2 * np.pi * draw.random(), np.radians(1.0) * draw.random()
    quat = np.array([np.cos(yaw / 2), np.sin(lean / 2), 0, np.sin(yaw / 2)])
    model, data = simulation((shape, (0, 0, 0.01, *quat / np.linalg.norm(quat))))
    mujoco.mj_step(model, data, 500)
    assert tilt_deg(data.qpos[3:7]) < 5
    assert np.abs(data.qvel).max() < 0.05
    assert np.hypot(*data.qpos[:2]) < 0.01 and abs(data.qpos[2]) < 0.004


@pytest.mark.parametrize("name", [n for n in SHAPES if make(n).topples])
@pytest.mark.parametrize("direction", range(4))
def test_topples_when_pushed_at_the_top(name: str, direction: int) -> None:
    """A force between the one that tips and the one that slides, at the top, lays it down."""
    shape = make(name, direction)
    model, data = simulation((shape, (0, 0, 0.001, 1, 0, 0, 0)))
    mujoco.mj_step(model, data, 100)
    angle = 0.3 + direction * np.pi / 2
    force = 0.8 * shape.friction * shape.mass_kg * 9.81
    for _ in range(300):
        lean = tilt_deg(data.qpos[3:7])
        if lean > 60:
            return
        top = rotate(data.qpos[3:7], [[0, 0, shape.height_m]])[0] + data.qpos[:3]
        push = force * np.array([np.cos(angle), np.sin(angle), 0]) * (lean < 35)
        data.xfrc_applied[1] = np.concatenate([push, np.cross(top - data.xipos[1], push)])
        mujoco.mj_step(model, data, 2)
    pytest.fail(f"still standing at {lean:.0f} degrees")


@pytest.mark.parametrize("container", [n for n in SHAPES if make(n).cavity])
@pytest.mark.parametrize("content", ["apple", "toy_block", "lemon"])
def test_what_is_dropped_into_a_container_stays_inside(container: str, content: str) -> None:
    for seed in (0, 1):
        outer, inner = make(container, seed), make(content, seed)
        model, data = simulation(
            (outer, (0, 0, 0, 1, 0, 0, 0)), (inner, (0.006, -0.004, outer.height_m + 0.01, 1, 0, 0, 0))
        )
        mujoco.mj_step(model, data, 1000)
        centre = rotate(data.qpos[10:14], [[0, 0, inner.height_m / 2]])[0] + data.qpos[7:10] - data.qpos[:3]
        low, high = np.array(outer.cavity.low), np.array(outer.cavity.high)
        assert (centre > low).all() and (centre[:2] < high[:2]).all()
        assert data.qpos[9] < high[2]
        assert tilt_deg(data.qpos[3:7]) < 5 and np.abs(data.qvel).max() < 0.3


# ---- The catalogue text --------------------------------------------------------------------------


def test_every_shape_is_in_the_catalogue_and_back() -> None:
    assert {entry["shape"] for entry in CATALOGUE.values()} == set(SHAPES)
    for key, entry in CATALOGUE.items():
        assert set(entry) == {"shape", "name", "colours"}, key
        assert set(entry["name"]) == {"en", "zh", "measure", "plural"}
        assert entry["colours"] and set(entry["colours"]) <= set(COLOURS)
        assert len(set(entry["colours"])) == len(entry["colours"])
        assert all("一" <= c <= "鿿" for c in entry["name"]["zh"] + entry["name"]["measure"])


def test_names_are_distinct_in_both_languages() -> None:
    for language in ("en", "zh", "plural"):
        names = [entry["name"][language] for entry in CATALOGUE.values()]
        assert len(set(names)) == len(names)


def test_enough_kinds_and_colours() -> None:
    recolourable = [e for e in CATALOGUE.values() if len(e["colours"]) >= 6]
    assert len(CATALOGUE) >= 16 and len(recolourable) >= 10
    assert len({c for e in recolourable for c in e["colours"]}) >= 6
    assert sum(make(n).topples for n in SHAPES) >= 4
    assert sum(make(n).rolls for n in SHAPES) >= 2
    assert sum(bool(v and v.pours) for v in (make(n).vessel for n in SHAPES)) >= 2
