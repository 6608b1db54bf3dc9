"""Facts from the world, against an analytic world whose facts are known; and what a pixels witness may know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import world_maker as wm
import world_stories as stories
from hypothesis import given, settings
from hypothesis import strategies as st
from world_stories import STAGE, T, thing, told

from synth4d.annotate import identity, world
from synth4d.geometry import box_corners, project
from synth4d.records import Facts, at, dump

# ---- The world -----------------------------------------------------------------------------------


def test_world_boxes_are_the_bodies_own() -> None:
    opened = told("opened")
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


def test_constant_tracks_are_one_entry() -> None:
    still = told("still")
    mug = thing(still[0], "mug_1")
    assert len(mug.box) == len(mug.pose) == len(mug.support) == 1
    assert len(thing(still[0], "can_1").visible2d) == T


def test_openness_reads_from_shut() -> None:
    opened = told("opened")
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
def test_amodal_boxes_contain_visible_ones(seen: str) -> None:
    facts, _, _ = told(seen)
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


def test_amodal_box_is_the_projection() -> None:
    """A box's amodal box is that of its eight corners, clipped to the frame."""
    still = told("still")
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
def test_occlusion_against_rendering_alone(frame: int) -> None:
    opened = told("opened")
    facts, _, clip = opened
    timeline = stories.opened(STAGE)
    for name in ("can_1", "cupboard", "unit", "drawer", "book_1", "mug_1", "burner"):
        alone = wm.render(STAGE, timeline, clip.camera, only={name})
        whole = int((alone.ids[frame] == STAGE.id(name)).sum())
        shown = int((clip.ids[frame] == STAGE.id(name)).sum())
        assert at(thing(facts, name).occluded, frame) == pytest.approx(1 - shown / whole, abs=0.05), name


def test_support_of_structure_is_the_background() -> None:
    still = told("still")
    assert {i for o in still[0].objects for i in o.support} <= {0, *(o.id for o in still[0].objects)}


def test_same_words_are_not_unique() -> None:
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


def test_strip_leaves_every_track_unknown() -> None:
    bare = identity.strip(told("stowed")[0])
    assert bare.events == []
    for o in bare.objects:
        assert o.box == o.pose == o.box2d == o.visible2d == o.occluded == o.support == o.inside == [None]
        assert o.openness is o.on is o.fill is None and o.pixels == [0]


def test_strip_leaves_no_trace_of_the_end_of_the_clip() -> None:
    """Two clips that start alike give the pixels witness the same identity."""
    a = _strip_cache()
    timeline = wm.still(STAGE, T)
    clip = wm.render(STAGE, timeline, wm.orbit(T, 48, 36))
    b = world.facts(wm.shot(T), STAGE.world, timeline, clip)
    assert a.events and dump(identity.strip(a)) == dump(identity.strip(b))
