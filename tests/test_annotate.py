"""Facts from the world and from the pixels, against an analytic world whose facts are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import world_maker as wm
import world_stories as stories
from hypothesis import given, settings
from hypothesis import strategies as st
from world_stories import T

from synth4d.annotate import identity, pixels, pixels_hand, world
from synth4d.annotate.visible import visible
from synth4d.geometry import box_corners, project
from synth4d.records import Facts, ObjectFact, at, dump
from synth4d.types import Clip, Timeline

STAGE = wm.kitchenette()
Seen = tuple[Facts, Facts, Clip]


def witness(timeline: Timeline, **camera: float) -> Seen:
    """World facts, pixel facts and the clip of a timeline."""
    clip = wm.render(STAGE, timeline, wm.orbit(len(timeline.times_s), **camera))  # type: ignore[arg-type]
    known = world.facts(wm.shot(len(timeline.times_s)), STAGE.world, timeline, clip)
    return known, pixels.facts(identity.strip(known), clip), clip


@pytest.fixture(scope="module")
def still() -> Seen:
    return witness(wm.still(STAGE, T))


@pytest.fixture(scope="module")
def opened() -> Seen:
    return witness(stories.opened(STAGE))


@pytest.fixture(scope="module")
def stowed() -> Seen:
    return witness(stories.stowed(STAGE))


def thing(facts: Facts, name: str) -> ObjectFact:
    return next(o for o in facts.objects if o.name == name)


def errors(a: ObjectFact, b: ObjectFact) -> list[float]:
    """Distances between two witnesses' box centres, in the frames where both know."""
    boxes = [(at(a.box, f), at(b.box, f)) for f in range(T)]
    return [float(np.linalg.norm(np.subtract(x[:3], y[:3]))) for x, y in boxes if x and y]


# ---- The world -----------------------------------------------------------------------------------


def test_world_boxes_are_the_bodies_own(opened: Seen) -> None:
    facts, _, _ = opened
    timeline = stories.opened(STAGE)
    for body in STAGE.world.bodies:
        if body.role in ("structure", "liquid"):
            continue
        o = thing(facts, body.name)
        poses = timeline.poses[:, STAGE.index(body.name)]
        for f in (0, 9, T - 1):
            R = wm.rotmat(poses[f, 3:])
            assert np.allclose(at(o.box, f)[:3], poses[f, :3] + R @ np.asarray(body.box_center), atol=2e-6)


def test_constant_tracks_are_one_entry(still: Seen) -> None:
    mug = thing(still[0], "mug_1")
    assert len(mug.box) == len(mug.pose) == len(mug.support) == 1
    assert len(thing(still[0], "can_1").visible2d) == T


def test_openness_reads_from_shut(opened: Seen) -> None:
    facts, _, _ = opened
    drawer, door = thing(facts, "drawer"), thing(facts, "door")
    assert at(drawer.openness, 0) == at(door.openness, 0) == 0
    assert at(drawer.openness, T - 1) == pytest.approx(25.0, abs=1e-3)
    assert at(door.openness, T - 1) == pytest.approx(np.degrees(1.5), abs=1e-3)
    assert [round(e.end_value, 2) for e in facts.events] == [25.0, 85.94]


def test_drawings_are_of_the_shut_part() -> None:
    """closed_box must not depend on how far the part stands open in the first frame."""
    ajar = wm.move_joint(STAGE, wm.still(STAGE, 1), "door", np.array([-1.0]))
    ajar = wm.move_joint(STAGE, ajar, "drawer", np.array([0.2]))
    clip = wm.render(STAGE, ajar, wm.orbit(1))
    shut = world.facts(wm.shot(1), STAGE.world, wm.still(STAGE, 1), clip)
    open_ = world.facts(wm.shot(1), STAGE.world, ajar, clip)
    for name in ("door", "drawer"):
        a, b = thing(shut, name).joint, thing(open_, name).joint
        assert np.allclose(a.closed_box, b.closed_box, atol=1e-5)
        assert a.face == b.face
    assert thing(shut, "drawer").joint.face == pytest.approx(0.16, abs=1e-3)


@pytest.mark.parametrize("seen", ["still", "opened", "stowed"])
def test_amodal_boxes_contain_visible_ones(seen: str, request: pytest.FixtureRequest) -> None:
    facts, _, _ = request.getfixturevalue(seen)
    checked = 0
    for o in facts.objects:
        for f in range(T):
            whole, part = at(o.box2d, f), at(o.visible2d, f)
            if part is not None and o.role != "liquid":
                assert whole is not None
                assert np.all(np.subtract(part[:2], whole[:2]) > -1), (o.name, f)
                assert np.all(np.subtract(whole[2:], part[2:]) > -1), (o.name, f)
                checked += 1
    assert checked > 200


def test_amodal_box_is_the_projection(still: Seen) -> None:
    """A box's amodal box is that of its eight corners, clipped to the frame."""
    facts, _, clip = still
    book = thing(facts, "book_1")
    corners = box_corners(at(book.box, 0), book.size)
    uv, _ = project(clip.camera.K, clip.camera.T_world_cam[5], corners)
    want = [*np.clip(uv.min(0), 0, None), *np.minimum(uv.max(0), [192, 144])]
    assert at(book.box2d, 5) == pytest.approx(want, abs=0.01)


def test_silhouettes_behind_and_across_the_camera() -> None:
    """A body behind the camera has no box; one that reaches past the camera fills the frame's foot."""
    path = wm.orbit(1, centre=(0.0, -0.05, 0.8), radius=0.5, up=-0.02, sweep=(0.0, 0.0))
    timeline = wm.place(STAGE, wm.still(STAGE, 1), "can_1", np.array([0.0, -2.0, 0.8]))
    timeline = wm.place(STAGE, timeline, "book_1", np.array([0.0, -0.5, 0.75]))
    facts = world.facts(wm.shot(1), STAGE.world, timeline, wm.render(STAGE, timeline, path))
    assert at(thing(facts, "can_1").box2d, 0) is None
    assert at(thing(facts, "can_1").occluded, 0) is None
    across = at(thing(facts, "book_1").box2d, 0)
    assert across is not None
    assert across[3] == 144 and across[2] - across[0] == 192


@pytest.mark.parametrize("frame", [0, 12, T - 1])
def test_occlusion_against_rendering_alone(opened: Seen, frame: int) -> None:
    facts, _, clip = opened
    timeline = stories.opened(STAGE)
    for name in ("can_1", "cupboard", "unit", "drawer", "book_1", "mug_1", "burner"):
        alone = wm.render(STAGE, timeline, clip.camera, only={name})
        whole = int((alone.ids[frame] == STAGE.id(name)).sum())
        shown = int((clip.ids[frame] == STAGE.id(name)).sum())
        assert at(thing(facts, name).occluded, frame) == pytest.approx(1 - shown / whole, abs=0.05), name


def test_support_of_structure_is_the_background(still: Seen) -> None:
    assert {i for o in still[0].objects for i in o.support} <= {0, *(o.id for o in still[0].objects)}


def test_same_words_are_not_unique() -> None:
    from dataclasses import replace

    bodies = list(STAGE.world.bodies)
    mug = bodies[STAGE.index("mug_1")]
    bodies.append(replace(mug, name="mug_2", id=40, colour="red"))
    bodies.append(replace(mug, name="mug_3", id=41, colour="blue"))
    askable = [b for b in bodies if b.id]
    pose = np.array([0.0, 0, 0, 1, 0, 0, 0])
    said = {b.name: identity.unknown(b, askable, pose, 0.0).unique for b in askable}
    assert (said["mug_1"], said["mug_2"], said["mug_3"], said["can_1"]) == (False, False, True, True)


# ---- What the pixels witness may know ------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**31),
    st.sampled_from(["box", "pose", "support", "inside", "openness", "on", "fill", "pixels"]),
)
def test_strip_leaks_nothing(seed: int, track: str) -> None:
    """Whatever happened, what is left of two clips with the same things is the same, byte for byte."""
    facts = _strip_cache()
    rng = np.random.default_rng(seed)
    noise = {
        "pixels": [int(rng.integers(1000))],
        "support": [int(rng.integers(9))],
        "inside": [int(rng.integers(9))],
    }
    noise |= {"openness": [float(rng.random())], "on": [True], "fill": [float(rng.random())]}
    noise |= {k: [[*rng.random(7)]] for k in ("box", "pose")}
    other = facts.model_copy(update={"objects": [o.model_copy(update={track: noise[track]}) for o in facts.objects]})
    assert dump(identity.strip(other)) == dump(identity.strip(facts))


_CACHE: list[Facts] = []


def _strip_cache() -> Facts:
    if not _CACHE:
        timeline = stories.stowed(STAGE)
        clip = wm.render(STAGE, timeline, wm.orbit(T, 48, 36))
        _CACHE.append(world.facts(wm.shot(T), STAGE.world, timeline, clip))
    return _CACHE[0]


def test_strip_leaves_no_trace_of_the_end_of_the_clip() -> None:
    """Two clips that start alike give the pixels witness the same identity."""
    a = _strip_cache()
    timeline = wm.still(STAGE, T)
    clip = wm.render(STAGE, timeline, wm.orbit(T, 48, 36))
    b = world.facts(wm.shot(T), STAGE.world, timeline, clip)
    assert a.events and dump(identity.strip(a)) == dump(identity.strip(b))


def test_pixels_read_nothing_but_identity(opened: Seen) -> None:
    known, seen, clip = opened
    assert dump(pixels.facts(known, clip)) == dump(seen)


# ---- The pixels agree with the world -------------------------------------------------------------


@pytest.mark.parametrize("name", ["unit", "cupboard", "mug_1", "jug_1", "apple_1", "book_1", "plate_1", "can_1"])
def test_still_things_stand_where_they_are_seen(still: Seen, name: str) -> None:
    known, seen, _ = still
    found = errors(thing(known, name), thing(seen, name))
    assert len(found) == T
    assert max(found) < 0.03


def test_nothing_happens_in_a_still_clip(still: Seen) -> None:
    assert still[1].events == []


def test_joints(opened: Seen) -> None:
    known, seen, _ = opened
    for name, tolerance, least in (("drawer", 1.5, 20), ("door", 5.0, 20)):
        a, b = thing(known, name), thing(seen, name)
        pairs = [(at(a.openness, f), at(b.openness, f)) for f in range(T)]
        known_ = [(x, y) for x, y in pairs if y is not None]
        assert len(known_) >= least
        assert max(abs(x - y) for x, y in known_) < tolerance
        assert max(errors(a, b)) < 0.03


def test_openings_are_events(opened: Seen) -> None:
    known, seen, _ = opened
    assert [(e.kind, e.object) for e in seen.events] == [(e.kind, e.object) for e in known.events]
    for a, b in zip(known.events, seen.events, strict=True):
        assert abs(a.start_s - b.start_s) <= 0.5 and abs(a.end_s - b.end_s) <= 0.5


def test_a_thing_put_away_is_remembered(stowed: Seen) -> None:
    known, seen, _ = stowed
    a, b = thing(known, "apple_1"), thing(seen, "apple_1")
    assert b.pixels[-1] == 0 and at(b.inside, T - 1) == at(a.inside, T - 1) == STAGE.id("drawer")
    assert at(b.box, T - 1) is None
    told = [(e.kind, e.object, e.source, e.target, e.inside) for e in known.events]
    assert [(e.kind, e.object, e.source, e.target, e.inside) for e in seen.events] == told


@pytest.mark.parametrize("story", ["put_onto", "pushed", "toppled", "switched"])
def test_events_and_places(story: str) -> None:
    known, seen, _ = witness(getattr(stories, story)(STAGE))
    assert [(e.kind, e.object) for e in seen.events] == [(e.kind, e.object) for e in known.events]
    for a, b in zip(known.events, seen.events, strict=True):
        assert abs(a.start_s - b.start_s) <= 0.3 and abs(a.end_s - b.end_s) <= 0.5
    for a, b in zip(known.objects, seen.objects, strict=True):
        _never_wrong(a, b)
    if story == "put_onto":
        assert at(thing(seen, "can_1").support, T - 1) == STAGE.id("plate_1")
    if story == "switched":
        assert thing(seen, "burner").on == thing(known, "burner").on
        assert thing(seen, "lamp").on == thing(known, "lamp").on


def _never_wrong(a: ObjectFact, b: ObjectFact) -> None:
    """What the pixels witness claims of a prop is so, to the frame."""
    for track in ("support", "inside", "on"):
        x, y = getattr(a, track), getattr(b, track)
        for f in range(T if x is not None and a.role == "prop" else 0):
            allowed = {None, *(at(x, min(max(g, 0), T - 1)) for g in (f - 1, f, f + 1))}
            assert at(y, f) in allowed, (a.name, track, f)


def test_filling() -> None:
    known, seen, _ = witness(stories.filled(STAGE), up=1.2)
    a, b = thing(known, "mug_1"), thing(seen, "mug_1")
    levels = [(at(a.fill, f), at(b.fill, f)) for f in range(T) if at(b.fill, f) is not None]
    assert len(levels) >= T // 2
    assert max(abs(x - y) for x, y in levels) < 0.1
    pours = [(e.object, e.target) for e in seen.events if e.kind == "pour"]
    assert pours == [(STAGE.id("jug_1"), STAGE.id("mug_1"))]


def test_an_empty_vessel_is_seen_to_be_empty() -> None:
    _, seen, _ = witness(wm.still(STAGE, 6), up=0.55, radius=0.08)
    assert at(thing(seen, "mug_1").fill, 3) == 0.0


def test_the_knob_that_was_worked() -> None:
    """Of three bars seen by a swaying camera, the one that turns when the light changes; none when none does."""
    turned = bars({2: np.interp(np.arange(T), [8, 12], [0.2, 1.7])})
    parts = [SimpleNamespace(thing=SimpleNamespace(id=i)) for i in (1, 2, 3)]
    assert pixels_hand.worked(turned, parts, shown(turned), 10) == 2  # type: ignore[arg-type]
    assert pixels_hand.worked(turned, parts, shown(turned), 20) is None  # type: ignore[arg-type]
    assert pixels_hand.worked(bars({}), parts, shown(bars({})), 10) is None  # type: ignore[arg-type]
    both = bars({i: np.interp(np.arange(T), [8, 12], [0.2, 1.7]) for i in (1, 2)})
    assert pixels_hand.worked(both, parts, shown(both), 10) is None  # type: ignore[arg-type]


def shown(clip: Clip) -> dict[int, np.ndarray]:
    return {i: visible(clip.ids, [1, 2, 3])[1][:, i - 1] for i in (1, 2, 3)}


def bars(angles: dict[int, np.ndarray]) -> Clip:
    """Three bars of 24 by 8 pixels, at angles (T,) or 0.2, that sway by parts of a pixel."""
    y, x = np.mgrid[:60, :200]
    ids = np.zeros((T, 60, 200), np.uint16)
    for t in range(T):
        for i in (1, 2, 3):
            a = angles.get(i, np.full(T, 0.2))[t]
            u, v = x - 50 * i + 2.3 * np.sin(0.3 * t), y - 30 + 1.1 * np.cos(0.3 * t)
            bar = (abs(u * np.cos(a) + v * np.sin(a)) < 12) & (abs(v * np.cos(a) - u * np.sin(a)) < 4)
            ids[t][bar] = i
    empty = np.zeros((T, 60, 200), np.float32)
    return Clip(np.zeros((T, 60, 200, 3), np.uint8), empty, ids, wm.orbit(T, 200, 60))


# ---- Honesty -------------------------------------------------------------------------------------


def test_what_is_never_seen_is_unknown(still: Seen) -> None:
    water = thing(still[1], "water")
    assert water.box == water.support == water.inside == [None] and water.pixels == [0]


def test_a_thing_mostly_hidden_is_not_placed_wrongly() -> None:
    """A can that moves behind the drawer unit step by step: known to 5 cm, or not at all."""
    for x in (-0.5, -0.07):
        timeline = wm.place(STAGE, wm.still(STAGE, T), "can_1", np.array([x, 0.31, 0.785]))
        known, seen, _ = witness(timeline)
        assert all(e < 0.05 for e in errors(thing(known, "can_1"), thing(seen, "can_1"))), x
        _never_wrong(thing(known, "can_1"), thing(seen, "can_1"))


def test_empty_clip() -> None:
    """Nothing in sight: every claim is null."""
    away = wm.orbit(4, centre=(0, -5.0, 3.0), sweep=(3.0, 3.1))
    timeline = wm.still(STAGE, 4)
    clip = wm.render(STAGE, timeline, away)
    known = world.facts(wm.shot(4), STAGE.world, timeline, clip)
    seen = pixels.facts(identity.strip(known), clip)
    for o in seen.objects:
        if max(o.pixels) == 0:
            assert all(v is None for t in (o.box, o.visible2d, o.openness or [], o.on or []) for v in t)
    assert seen.events == []


def test_facts_are_deterministic(opened: Seen) -> None:
    known, seen, clip = opened
    again = world.facts(wm.shot(T), STAGE.world, stories.opened(STAGE), clip)
    assert dump(again) == dump(known) and dump(pixels.facts(known, clip)) == dump(seen)
