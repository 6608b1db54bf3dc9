"""What happens: every event of a timeline did happen as it says, judged from the recorded state alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth4d import seeds
from synth4d.errors import CannotHappen
from synth4d.geometry import apply_pose, invert_pose, project
from synth4d.motion import moves, script
from synth4d.motion.camera import BODY_M, film, pose_world
from synth4d.motion.simulate import simulate
from synth4d.motion.stage import Stage
from synth4d.physics import Sim
from synth4d.scene.build import build
from synth4d.scene.load import load
from synth4d.types import Shot, Timeline, World

ATTEMPTS = 6
LAYOUTS = range(14)


def shot(layout: int, kind: str = "dynamic", **more: object) -> Shot:
    key = f"toy-{layout:06d}-{kind}"
    return Shot(key, layout, "toy", kind, 11, layout, "train", 24, 4.0, 192, 144, **more)  # type: ignore[arg-type]


def play(world: World, it: Shot) -> Timeline | None:
    for attempt in range(ATTEMPTS):
        try:
            return simulate(world, it, attempt=attempt)
        except CannotHappen as reason:
            assert str(reason) and "\n" not in str(reason)
    return None


@pytest.fixture(scope="module")
def played() -> list[tuple[World, Shot, Timeline]]:
    out = []
    for k in LAYOUTS:
        world = build(load("toy"), shot(k))
        timeline = play(world, shot(k))
        if timeline is not None:
            out.append((world, shot(k), timeline))
    assert len(out) >= len(LAYOUTS) - 3, "too many layouts in which nothing can happen"
    return out


def index(world: World, id: int) -> int:
    return next(i for i, b in enumerate(world.bodies) if b.id == id)


def frames_at(timeline: Timeline, start: float, end: float) -> tuple[int, int]:
    """Last frame before an event and first after it."""
    t = timeline.times_s
    return int(np.flatnonzero(t <= start + 1e-9)[-1]), int(np.flatnonzero(t >= end - 1e-9)[0])


# ---- Events are true -----------------------------------------------------------------------------


def test_many_kinds_of_events_happen(played: list[tuple[World, Shot, Timeline]]) -> None:
    kinds = {e.kind for _, _, t in played for e in t.events}
    assert len(kinds) >= 6, kinds
    assert all(1 <= len(t.events) <= 4 for _, _, t in played)
    assert any(a.end_s > b.start_s and b.end_s > a.start_s
               for _, _, t in played for a in t.events for b in t.events if a is not b), "no two overlap"  # fmt: skip


def test_parts_move_during_their_events_and_at_no_other_time(played: list[tuple[World, Shot, Timeline]]) -> None:
    for world, _, timeline in played:
        for i, body in enumerate(world.bodies):
            if body.joint is None:
                continue
            q, span = timeline.joints[:, i], abs(body.joint.open - body.joint.closed)
            mine = [e for e in timeline.events if body.id in (e.object, e.source) and e.kind not in ("move", "drop")]
            for a, b in zip(range(len(q) - 1), range(1, len(q)), strict=True):
                busy = any(e.start_s < timeline.times_s[b] and e.end_s > timeline.times_s[a] for e in mine)
                assert busy or abs(q[b] - q[a]) < 0.03 * span, (body.name, a)
            for e in mine:
                if e.kind in ("open", "close"):
                    _, after = frames_at(timeline, e.start_s, e.end_s)
                    assert e.end_value is not None and abs(q[after] - e.end_value) < 0.05 * span


def test_lamps_follow_their_switches(played: list[tuple[World, Shot, Timeline]]) -> None:
    for world, _, timeline in played:
        for e in timeline.events:
            if e.kind in ("turn_on", "turn_off"):
                c = world.controls.index(str(world.bodies[index(world, e.object)].control))
                before, after = frames_at(timeline, e.start_s, e.end_s)
                want = float(e.kind == "turn_on")
                assert timeline.levels[before, c] == 1 - want and timeline.levels[after, c] == want


def test_what_was_moved_stands_where_the_event_says(played: list[tuple[World, Shot, Timeline]]) -> None:
    """Oracle: the foot of the prop against the boxes of the world's places, worked out anew here."""
    seen = 0
    for world, _, timeline in played:
        for e in timeline.events:
            if e.kind not in ("move", "drop"):
                continue
            seen += 1
            foot = timeline.poses[-1, index(world, e.object), :3]
            fits = []
            for place in world.places:
                frame = timeline.poses[-1, index(world, place.body)]
                local = apply_pose(invert_pose(frame), foot)
                low, high = np.array(place.low) - 0.02, np.array(place.high) + 0.02
                if place.body != e.object and (local >= low - [0, 0, 0.02]).all() and (local <= high).all():
                    fits.append((place.body, place.inside))
            assert (e.target, e.inside) in fits
            row = timeline.inside if e.inside else timeline.support
            assert row[-1, index(world, e.object)] == e.target
    assert seen >= 3


def test_nothing_else_moves(played: list[tuple[World, Shot, Timeline]]) -> None:
    for world, _, timeline in played:
        named = {i for e in timeline.events for i in (e.object, e.target)}
        for i, body in enumerate(world.bodies):
            if body.name in world.free and body.id not in named and not timeline.inside[:, i].any():
                path = timeline.poses[:, i, :3]
                assert np.linalg.norm(path - path[0], axis=1).max() < 0.035, body.name


@pytest.mark.parametrize("scene", ["toy", "kitchen"])
def test_still_shots_have_no_event_and_no_motion(scene: str) -> None:
    """The kitchen's file leaves its kettle 4 mm in the air: it has fallen before the shot begins."""
    for kind in ("static", "control"):
        it = replace(shot(1, kind), scene=scene)
        timeline = simulate(build(load(scene), it), it)
        assert timeline.events == ()
        assert np.abs(timeline.poses - timeline.poses[0]).max() < 3e-4


def test_a_twin_shows_the_same_room_with_another_outcome() -> None:
    for k in (1, 3, 5):
        world = build(load("toy"), shot(k))
        twin = shot(k, "twin", twin_of=shot(k).key)
        one, other = play(world, shot(k)), play(world, twin)
        if one is None or other is None:
            continue
        assert np.allclose(one.poses[0], other.poses[0])
        told = [{(e.kind, e.object, e.target, e.end_value) for e in t.events} for t in (one, other)]
        assert told[0] != told[1]


def test_the_same_shot_is_the_same_timeline(played: list[tuple[World, Shot, Timeline]]) -> None:
    world, it, timeline = played[0]
    again = play(world, it)
    assert again is not None and np.array_equal(again.poses, timeline.poses) and again.events == timeline.events


# ---- Refusals ------------------------------------------------------------------------------------


def test_a_blocked_part_is_seen_by_the_simulation() -> None:
    """A drawer whose way is barred by a wall of props heavier than a hand can push stays shut: no event."""
    it = shot(2)
    world = build(load("toy"), it)
    sim = Sim(world.model)
    sim.reset(world.rest_qpos)
    drawer = next(b for b in world.bodies if b.name == "drawer")
    assert drawer.joint is not None
    servo = moves.Servo(drawer.joint, 0.0, 0.3, 0.0, 1.0, 1e-3)  # a hand without strength
    for step in servo.course(np.arange(0, 1.2, 0.002)):
        sim.lock("drawer", True)
        servo.drive(sim, step)
        sim.step()
    assert abs(sim.joint("drawer")) < 0.05
    planned = script.Planned("open", drawer.id, 0.0, 1.0, value=0.3)
    from synth4d.motion import check

    with pytest.raises(CannotHappen, match="blocked"):
        check.event(Stage(world, sim), [planned], planned, servo, None)


# ---- Camera --------------------------------------------------------------------------------------


def test_cameras_stand_free_and_see_what_happens(played: list[tuple[World, Shot, Timeline]]) -> None:
    filmed = 0
    for world, it, timeline in played:
        try:
            path = film(world, timeline, it)
        except CannotHappen:
            continue
        filmed += 1
        sim = Sim(world.model)
        for f in (0, 12, 23):
            pose_world(sim, world, timeline, f)
            eye = path.T_world_cam[f, :3, 3]
            assert (eye > world.camera.room_low).all() and (eye < world.camera.room_high).all()
            rng = seeds.rng("directions", f)
            ways = rng.normal(size=(60, 3))
            ways /= np.linalg.norm(ways, axis=1, keepdims=True)
            assert np.mean([sim.ray(eye, w) > 0.5 * BODY_M for w in ways]) == 1.0
        for e in timeline.events:
            f = int(np.argmin(np.abs(timeline.times_s - e.end_s)))
            body = world.bodies[index(world, e.object)]
            point = apply_pose(timeline.poses[f, index(world, e.object)], np.array(body.box_center))
            pixel, depth = project(path.K, path.T_world_cam[f], point)
            size = np.array([it.width, it.height])
            assert depth > 0 and (pixel > -0.15 * size).all() and (pixel < 1.15 * size).all()
        T = path.T_world_cam
        assert np.allclose(T[:, :3, :3] @ T[:, :3, :3].transpose(0, 2, 1), np.eye(3), atol=1e-9)
        assert (T[:, 2, 1] < 0).all(), "upside down: camera y must point down"
    assert filmed >= len(played) - 2
