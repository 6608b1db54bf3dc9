"""Facts from the pixels alone agree with the world's where they claim anything, on an analytic world."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import world_maker as wm
import world_stories as stories
from world_stories import STAGE, T, thing, told, witness

from synth4d.annotate import identity, pixels, pixels_hand, pixels_pose, world
from synth4d.annotate.pixels_cloud import Points
from synth4d.annotate.visible import visible
from synth4d.records import ObjectFact, at, dump
from synth4d.types import Clip


def errors(a: ObjectFact, b: ObjectFact) -> list[float]:
    """Distances between two witnesses' box centres, in the frames where both know."""
    boxes = [(at(a.box, f), at(b.box, f)) for f in range(max(len(a.box), len(b.box)))]
    return [float(np.linalg.norm(np.subtract(x[:3], y[:3]))) for x, y in boxes if x and y]


def test_pixels_read_nothing_but_identity() -> None:
    opened = told("opened")
    known, seen, clip = opened
    assert dump(pixels.facts(known, clip)) == dump(seen)


# ---- The pixels agree with the world -------------------------------------------------------------


@pytest.mark.parametrize("name", ["unit", "cupboard", "mug_1", "jug_1", "apple_1", "book_1", "plate_1", "can_1"])
def test_still_things_stand_where_they_are_seen(name: str) -> None:
    still = told("still")
    known, seen, _ = still
    found = errors(thing(known, name), thing(seen, name))
    assert found and None not in thing(seen, name).box
    assert max(found) < 0.03


def test_nothing_happens_in_a_still_clip() -> None:
    still = told("still")
    assert still[1].events == []


def test_joints() -> None:
    opened = told("opened")
    known, seen, _ = opened
    for name, tolerance, least in (("drawer", 1.5, 20), ("door", 5.0, 20)):
        a, b = thing(known, name), thing(seen, name)
        pairs = [(at(a.openness, f), at(b.openness, f)) for f in range(T)]
        known_ = [(x, y) for x, y in pairs if y is not None]
        assert len(known_) >= least
        assert max(abs(x - y) for x, y in known_) < tolerance
        assert max(errors(a, b)) < 0.03


def test_openings_are_events() -> None:
    opened = told("opened")
    known, seen, _ = opened
    assert [(e.kind, e.object) for e in seen.events] == [(e.kind, e.object) for e in known.events]
    for a, b in zip(known.events, seen.events, strict=True):
        assert abs(a.start_s - b.start_s) <= 0.5 and abs(a.end_s - b.end_s) <= 0.5


def test_a_thing_put_away_is_remembered() -> None:
    stowed = told("stowed")
    known, seen, _ = stowed
    a, b = thing(known, "apple_1"), thing(seen, "apple_1")
    assert b.pixels[-1] == 0 and at(b.inside, T - 1) == at(a.inside, T - 1) == STAGE.id("drawer")
    assert at(b.box, T - 1) is None
    right = [(e.kind, e.object, e.source, e.target, e.inside) for e in known.events]
    assert [(e.kind, e.object, e.source, e.target, e.inside) for e in seen.events] == right


@pytest.mark.parametrize("story", ["put_onto", "pushed", "toppled", "switched"])
def test_events_and_places(story: str) -> None:
    known, seen, _ = told(story)
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


@pytest.mark.parametrize("stream", [True, False])
def test_filling(stream: bool) -> None:
    """The pouring is known by its stream, or by the level that rises."""
    known, seen, _ = witness(stories.filled(STAGE, stream), up=1.2)
    a, b = thing(known, "mug_1"), thing(seen, "mug_1")
    levels = [(at(a.fill, f), at(b.fill, f)) for f in range(T) if at(b.fill, f) is not None]
    assert len(levels) >= T // 3
    assert max(abs(x - y) for x, y in levels) < 0.1
    assert [(e.kind, e.object, e.target) for e in seen.events] == [("pour", STAGE.id("jug_1"), STAGE.id("mug_1"))]
    poured, found = known.events[0], seen.events[0]
    assert abs(poured.start_s - found.start_s) <= 0.75 and abs(poured.end_s - found.end_s) <= 0.3
    assert found.end_value == pytest.approx(0.7, abs=0.1)


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


def test_what_is_never_seen_is_unknown() -> None:
    still = told("still")
    water = thing(still[1], "water")
    assert water.box == water.support == water.inside == [None] and water.pixels == [0]


def test_a_thing_mostly_hidden_is_not_placed_wrongly() -> None:
    """A can that moves behind the drawer unit step by step: known to 5 cm, or not at all."""
    for x in (-0.5, -0.07):
        timeline = wm.place(STAGE, wm.still(STAGE, T), "can_1", np.array([x, 0.31, 0.785]))
        known, seen, _ = witness(timeline)
        assert all(e < 0.05 for e in errors(thing(known, "can_1"), thing(seen, "can_1"))), x
        _never_wrong(thing(known, "can_1"), thing(seen, "can_1"))


@pytest.mark.parametrize("centre", [(-0.55, -0.1, 0.8), (0.1, -0.4, 0.75), (0.5, 0.0, 1.1)])
def test_a_thing_cut_by_the_frame_is_not_placed_wrongly(centre: tuple[float, float, float]) -> None:
    """From near by, much of what is seen goes on outside the frame: known to 5 cm, or not at all."""
    known, seen, _ = witness(wm.still(STAGE, 8), centre=centre, radius=0.45, up=0.35)  # type: ignore[arg-type]
    cut = 0
    for a, b in zip(known.objects, seen.objects, strict=True):
        assert all(e < 0.05 for e in errors(a, b)), a.name
        cut += max(b.pixels) > 0 and b.box == [None]
    assert cut > 0


def test_no_guess_between_two_headings() -> None:
    """The near corner of a board: it may lie along or across, unless it is square."""
    x, y = (g.ravel() for g in np.meshgrid(np.linspace(0, 0.31, 40), np.linspace(0, 0.21, 30)))
    far = (x > 0.305) | (y > 0.205)
    outline = far | (x < 0.005) | (y < 0.005)
    n, no = np.arange(len(x)), np.zeros(len(x))
    world = np.stack([x, y, no], 1)
    corner = Points(n * 0, n, n, no + 1, world, no, outline, far, no > 0, n * 0 - 1)
    eye = np.array([-1.0, -1.0, 1.0])
    assert pixels_pose.fit(corner, eye, np.array([0.35, 0.7, 0.03])) is None
    square = pixels_pose.fit(corner, eye, np.array([0.35, 0.35, 0.03]))
    assert square is not None and np.allclose(square.box[:2], 0.175, atol=0.02)


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


def test_facts_are_deterministic() -> None:
    opened = told("opened")
    known, seen, clip = opened
    again = world.facts(wm.shot(T), STAGE.world, stories.opened(STAGE), clip)
    assert dump(again) == dump(known) and dump(pixels.facts(known, clip)) == dump(seen)


def test_what_hides_what_is_told_by_the_steps_of_depth() -> None:
    """Where both witnesses say what hides a prop they agree in nine of ten frames (the rest are covers at
    the border of what one would notice), and often something does."""
    same, hidden, both = 0, 0, 0
    for story in ("still", "put_onto", "pushed"):
        known, seen, _ = told(story)
        for a, b in zip(known.objects, seen.objects, strict=True):
            for f in range(T if a.role == "prop" else 0):
                x, y = at(a.hidden_by, f), at(b.hidden_by, f)
                if x is not None and y is not None:
                    both, same, hidden = both + 1, same + (x == y), hidden + bool(x)
    assert both >= 100 and hidden >= 10 and same >= 0.9 * both, (both, hidden, same)
