"""Liquid: walls hold it, its volume stays, it stands where its volume says, and a pour is what flowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from render_world import Room, box, orbit
from scipy import ndimage

from synth4d import vessel as vessels
from synth4d.bench import liquid as bench
from synth4d.errors import CannotHappen, SceneError
from synth4d.geometry import apply_pose, invert_pose, quat_from_axis_angle
from synth4d.motion import check, liquid, script
from synth4d.motion.liquid import Flow, Track
from synth4d.render.clip import render
from synth4d.scene.load import load
from synth4d.types import Body, Material, Name, Surface, Timeline, Vessel, World

MUG = Vessel(0.006, 0.092, 0.033, 0.037, wall=0.0036)
BOWL = Vessel(0.009, 0.064, 0.036, 0.072, belly=((0.028, 0.059),))
JUG = Vessel(0.007, 0.15, 0.045, 0.046, (0.07, 0.0, 0.155), True, bore=0.014)
POT = Vessel(0.006, 0.1, 0.05, 0.045, (0.1, 0.0, 0.1), True, lid=True, bore=0.012)
TABLE_M = 0.3
FPS = 12.0


class Kitchen:
    """A table of half a metre with vessels on it, and juice."""

    def __init__(self) -> None:
        self.room, self.fill = Room(), list[float]()
        self._add("table", ((0.5, 0.5, 0.02), (0, 0, TABLE_M - 0.01)), None, (0, 0, 0), np.nan)
        self._add("floor", ((3, 3, 0.02), (0, 0, -0.01)), None, (0, 0, 0), np.nan)

    def _add(self, name: str, mesh: tuple | None, vessel: Vessel | None, xyz: tuple, fill: float) -> int:
        parts = [(box(*mesh), Material((0.3, 0.3, 0.32)), False)] if mesh else []
        i = self.room.add(name, "fixture" if mesh else "prop", parts, xyz)
        self.room.bodies[i] = replace(self.room.bodies[i], vessel=vessel)
        self.fill.append(fill)
        return i

    def vessel(self, vessel: Vessel, xyz: tuple, fill: float) -> int:
        return self._add(f"vessel_{len(self.fill)}", None, vessel, xyz, fill)

    def world(self) -> World:
        speck = Surface(np.zeros((3, 3)), np.zeros((0, 3), np.int32), Material((0.95, 0.58, 0.1)))
        juice = Body("juice", 99, "orange_juice", Name("juice", "果汁"), "liquid", (speck,), (0, 0, 0), (0.01,) * 3)
        self.room.bodies.append(juice)
        self.room.poses.append(np.array([0, 0, 0, 1, 0, 0, 0.0]))
        return replace(self.room.world(), start_fill=(*self.fill, np.nan), liquid=99)

    def flow(self, ways: dict[int, np.ndarray], seconds: float) -> tuple[World, np.ndarray, Flow]:
        """The world, the frames' poses and what flows while bodies go along ways (S,7), evenly timed."""
        world = self.world()
        times = np.arange(int(seconds * FPS) + 1) / FPS
        held = tuple(i for i, b in enumerate(world.bodies) if b.vessel)
        clock = np.linspace(0, seconds, 500)
        tracks = np.broadcast_to(np.array(self.room.poses)[list(held)], (500, len(held), 7)).copy()
        for i, way in ways.items():
            rows = np.linspace(0, len(way) - 1, 500)
            tracks[:, held.index(i)] = np.stack([np.interp(rows, np.arange(len(way)), c) for c in way.T], 1)
        track = Track(held, clock, tracks)
        poses = np.broadcast_to(np.array(self.room.poses), (len(times), len(world.bodies), 7)).copy()
        poses[:, list(held)] = track.at(times)
        return world, poses, liquid.flow(world, times, poses, track)


def tip(vessel: Vessel, lip: np.ndarray, leans: np.ndarray) -> np.ndarray:
    """Poses (S,7) of a vessel that leans about its lip, which stays where it is, towards +x."""
    edge = np.array(vessels.lip(vessel))
    quats = np.array([quat_from_axis_angle([0, 1, 0], a) for a in leans])
    turned = np.array([apply_pose(np.concatenate([np.zeros(3), q]), edge) for q in quats])
    return np.concatenate([lip - turned, quats], 1)


def poured(source: Vessel, target: Vessel, fill: float, goal: float, given: float = 0.0) -> tuple:
    """A source leans over a target until `goal` of the target's volume should have left it. → (…, source, target)"""
    k = Kitchen()
    lip = np.array([-0.03, 0.0, TABLE_M + target.top_z + 0.03])
    volume = (goal - given) * vessels.capacity(target)
    last, head = fill - volume / vessels.capacity(source), vessels.head(source, volume / 1.6)
    run = [vessels.lean(source, fill + (last - fill) * u, head * min(1, 5 * u)) for u in np.linspace(0, 1, 20)]
    start = vessels.lean(source, fill) - 0.35
    leans = np.concatenate([np.linspace(start, run[0], 8), run, np.linspace(run[-1], start, 16)])
    way = tip(source, lip, np.concatenate([leans, np.full(8, start)]))
    a = k.vessel(source, tuple(way[0, :3]), fill)
    k.room.poses[a] = way[0]
    b = k.vessel(target, (0, 0, TABLE_M), given)
    return (*k.flow({a: way}, 4.5), a, b)


@pytest.fixture(scope="module")
def pour() -> tuple:
    return poured(JUG, MUG, 0.6, 0.6)


# ---- Vessels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("v", [MUG, BOWL, JUG])
def test_level_and_volume_agree(v: Vessel) -> None:
    z, r = np.array(v.profile).T
    fine = np.linspace(z[0], z[-1], 200_001)
    area = np.pi * np.interp(fine, z, r) ** 2
    volume = np.cumsum((area[1:] + area[:-1]) / 2 * np.diff(fine))
    assert vessels.capacity(v) == pytest.approx(volume[-1], rel=1e-6)
    for share in (0.1, 0.5, 0.9):
        assert vessels.level(v, share) == pytest.approx(np.interp(share * volume[-1], volume, fine[1:]), abs=1e-4)


def test_a_cylinder_that_leans_to_its_diagonal_holds_half() -> None:
    v = Vessel(0.0, 0.12, 0.04, 0.04, (0.04, 0, 0.12), True)
    assert vessels.lean(v, 0.5) == pytest.approx(np.arctan2(0.12, 0.08), abs=0.02)
    assert vessels.lean(v, 0.8) < vessels.lean(v, 0.5) < vessels.lean(v, 0.2)
    assert vessels.lean(v, 0.5, 0.01) > vessels.lean(v, 0.5)


# ---- Walls and volume ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_nothing_passes_a_wall(seed: int) -> None:
    assert bench.trial(seed) == 0


@pytest.mark.parametrize("v", bench.SHAPES)
@pytest.mark.parametrize("share", [0.35, 0.8])
def test_settled_liquid_stands_as_high_as_its_volume(v: Vessel, share: float) -> None:
    assert abs(bench.level_error(v, share, 900)) < 0.05
    x, _ = bench.settled(v, share, 400)
    assert (np.hypot(x[:, 0], x[:, 1]) < vessels.radius(v, x[:, 2])).all() and x[:, 2].min() > v.bottom_z


def test_still_liquid_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liquid, "Fluid", None)  # whoever steps anything fails
    k = Kitchen()
    mug = k.vessel(MUG, (0, 0, TABLE_M), 0.4)
    _, _, flow = k.flow({}, 1.0)
    assert np.allclose(flow.fill[:, mug], 0.4, atol=0.002) and (flow.particles == flow.particles[0]).all()


def test_a_full_cup_that_is_carried_takes_its_liquid_along() -> None:
    k = Kitchen()
    mug = k.vessel(MUG, (-0.1, 0, TABLE_M), 0.5)
    s = np.linspace(0, 1, 80)
    ease = s**3 * (10 - 15 * s + 6 * s * s)
    way = np.tile([-0.1, 0, TABLE_M, 1, 0, 0, 0], (120, 1))
    way[:80, 0], way[80:, 0] = -0.1 + 0.2 * ease, 0.1
    world, poses, flow = k.flow({mug: way}, 2.5)
    assert (flow.vessel == world.bodies[mug].id).all() and np.allclose(flow.fill[:, mug], 0.5, atol=0.003)
    local = apply_pose(invert_pose(poses[:, mug])[:, None], flow.particles.astype(float))
    slosh = np.ptp([np.polyfit(p[:, 0], p[:, 2], 1)[0] for p in local])
    assert slosh > 0.02, "liquid that is carried sloshes"
    assert np.abs(flow.velocities[-1]).max() < 0.2


# ---- Pouring -------------------------------------------------------------------------------------


def test_a_pour_moves_what_flows_and_no_more(pour: tuple) -> None:
    world, _, flow, a, b = pour
    total = flow.particles.shape[1]
    assert np.isfinite(flow.particles).all()
    in_either = (flow.vessel == world.bodies[a].id).sum(1) + (flow.vessel == world.bodies[b].id).sum(1)
    assert (in_either + (flow.vessel == 0).sum(1) == total).all()
    assert flow.fill[0, a] == pytest.approx(0.6, abs=0.01) and flow.fill[0, b] == 0
    assert 0.35 < flow.fill[-1, b] < 0.75
    gone = (flow.fill[0, a] - flow.fill[-1, a]) * flow.full[a]
    assert flow.fill[-1, b] * flow.full[b] > 0.85 * gone


@pytest.mark.parametrize("which", [0, 1])
def test_a_fill_is_what_is_between_the_walls(pour: tuple, which: int) -> None:
    world, poses, flow, *ends = pour
    body, v = ends[which], world.bodies[ends[which]].vessel
    for f in (0, len(poses) // 2, -1):
        p = apply_pose(invert_pose(poses[f, body]), flow.particles[f].astype(float))
        inside = (
            (np.hypot(p[:, 0], p[:, 1]) < vessels.radius(v, p[:, 2])) & (p[:, 2] > v.bottom_z) & (p[:, 2] < v.top_z)
        )
        assert flow.fill[f, body] * flow.full[body] == pytest.approx(inside.sum(), abs=0.03 * flow.particles.shape[1])


def test_equal_input_equal_bytes(pour: tuple) -> None:
    again = poured(JUG, MUG, 0.6, 0.6)[2]
    assert again.particles.tobytes() == pour[2].particles.tobytes() and np.array_equal(again.counts, pour[2].counts)


def test_a_tube_under_a_lid_pours_too() -> None:
    _, _, flow, a, b = poured(POT, MUG, 0.6, 0.6)
    assert flow.fill[-1, b] > 0.25 and flow.fill[-1, a] > 0.2


def test_what_is_too_much_runs_over_and_lies_on_the_table_or_the_floor() -> None:
    _, _, flow, _, b = poured(JUG, replace(MUG, top_z=0.05), 0.7, 1.8, given=0.3)
    assert flow.fill[:, b].max() > 0.9 and flow.fill[-1, b] <= 1.0
    spilled = flow.particles[-1][flow.vessel[-1] == 0]
    assert len(spilled) > 0.1 * flow.particles.shape[1]
    on_table = (np.abs(spilled[:, :2]) < 0.25).all(1)
    assert (spilled[on_table, 2] > TABLE_M - 1e-4).all() and (spilled[:, 2] > -1e-4).all()
    assert (spilled[on_table, 2] < TABLE_M + 0.03).mean() > 0.8


def test_a_pour_that_misses_or_gives_too_little_is_refused(pour: tuple) -> None:
    world, _, flow, a, b = pour
    stage = type("Stage", (), {"world": world, "bodies": {x.id: x for x in world.bodies}})()
    planned = script.Planned("pour", world.bodies[a].id, value=0.6, other=world.bodies[b].id)
    seen = check.poured(stage, planned, flow)
    assert 0 < seen.start_s < seen.end_s <= flow.times[-1] and seen.after == flow.fill[-1, b]
    counts = flow.counts.copy()
    counts[:, b] //= 2
    with pytest.raises(CannotHappen, match="spilled"):
        check.poured(stage, planned, replace(flow, counts=counts))
    with pytest.raises(CannotHappen, match="too little"):
        check.poured(stage, planned, replace(flow, counts=np.repeat(flow.counts[:1], len(flow.counts), 0)))


# ---- Pictures ------------------------------------------------------------------------------------


def test_a_surface_at_rest_has_no_holes_and_is_level() -> None:
    k = Kitchen()
    mug = k.vessel(MUG, (0, 0, TABLE_M), 0.6)
    world, poses, flow = k.flow({}, 0.1)
    clip = render(
        world, _timeline(k, poses, flow), orbit(len(poses), eye=(0.01, -0.05, 0.75), target=(0, 0, 0.35), sweep=0.0),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    wet = clip.ids[0] == 99
    assert wet.sum() > 300 and (ndimage.binary_fill_holes(wet) == wet).all()
    T, K = clip.camera.T_world_cam[0], clip.camera.K
    row, column = np.nonzero(ndimage.binary_erosion(wet, iterations=2))
    z = clip.depth_z_m[0][row, column]
    ray = np.stack([(column + 0.5 - K[0, 2]) / K[0, 0], (row + 0.5 - K[1, 2]) / K[1, 1], np.ones(len(row))], 1)
    heights = (ray * z[:, None]) @ T[:3, :3].T[:, 2] + T[2, 3]
    level = TABLE_M + vessels.level(MUG, flow.fill[0, mug])
    assert np.abs(heights - level).max() < 0.002


def _timeline(k: Kitchen, poses: np.ndarray, flow: Flow) -> Timeline:
    still = k.room.timeline(len(poses), FPS)
    ids = np.full(flow.particles.shape[1], 99, np.uint16)
    return replace(
        still, poses=poses, fill=flow.fill, particles=flow.particles, particle_id=ids, particle_radius_m=flow.radius,
        particle_velocity=flow.velocities, particle_vessel=flow.vessel,
    )  # fmt: skip


# ---- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vessel", "what"),
    [
        ("bottom_z: 0.06, top_z: 0.01, bottom_radius: 0.03, top_radius: 0.03", "heights must rise"),
        ("bottom_z: 0.01, top_z: 0.06, bottom_radius: 0, top_radius: 0.03", "greater than 0"),
        ("bottom_z: 0.01, top_z: 0.06, bottom_radius: .nan, top_radius: 0.03", "finite"),
        (
            "bottom_z: 0.01, top_z: 0.06, bottom_radius: 0.03, top_radius: 0.03, fill: [0.5, 1.2]",
            "less than or equal to 1",
        ),
        (
            "bottom_z: 0.01, top_z: 0.06, bottom_radius: 0.03, top_radius: 0.03, belly: [[0.07, 0.02]]",
            "heights must rise",
        ),
        ("bottom_z: 0.01, top_z: 0.06, bottom_radius: 0.03, top_radius: 0.03, pours: true", "spout"),
        ("bottom_z: 0.01, top_z: 0.06, bottom_radius: 0.03, top_radius: 0.03, wall: 0", "greater than 0"),
    ],
)
def test_a_vessel_that_can_be_none_is_refused_with_its_line(tmp_path: Path, vessel: str, what: str) -> None:
    toy = Path(__file__).parents[1] / "scenes" / "toy"
    for file in toy.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    scene = tmp_path / "scene.yaml"
    lines = scene.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  table: {from:"))
    lines[at] = lines[at].replace("{from:", f"{{vessel: {{{vessel}}}, from:", 1)
    scene.write_text("\n".join(lines))
    with pytest.raises(SceneError, match=what) as problem:
        load(str(scene))
    assert f"scene.yaml:{at + 1}" in str(problem.value) and "\n" not in str(problem.value)
