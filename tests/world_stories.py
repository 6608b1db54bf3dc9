"""Things that happen in the analytic world, each a timeline whose facts are known in closed form."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import world_maker as wm
from world_maker import Stage

from synth4d.annotate import identity, pixels, world
from synth4d.geometry import quat_from_axis_angle
from synth4d.records import CameraRecord, Facts, ObjectFact
from synth4d.types import F64, Clip, Event, Timeline

T = 24
STAGE = wm.kitchenette()
Seen = tuple[Facts, Facts, Clip]


def witness(timeline: Timeline, **camera: float) -> Seen:
    """World facts, pixel facts and the clip of a timeline."""
    clip = wm.render(STAGE, timeline, wm.orbit(len(timeline.times_s), **camera))  # type: ignore[arg-type]
    known = world.facts(wm.shot(len(timeline.times_s)), STAGE.world, timeline, clip)
    return known, pixels.facts(identity.strip(known), clip), clip


@cache
def told(story: str) -> Seen:
    """What the witnesses say of a story of this module."""
    return witness(globals()[story](STAGE))


def camera_record(clip: Clip) -> CameraRecord:
    c = clip.camera
    return CameraRecord(width=c.width, height=c.height, fps=c.fps, K=c.K.tolist(), T_world_cam=c.T_world_cam.tolist())


def thing(facts: Facts, name: str) -> ObjectFact:
    return next(o for o in facts.objects if o.name == name)


def smooth(start: int, end: int) -> F64:
    """(T,) minimum-jerk progress 0..1 between two frames."""
    s = np.clip((np.arange(T) - start) / (end - start), 0, 1)
    return s**3 * (10 - 15 * s + 6 * s * s)


def carried(stage: Stage, timeline: Timeline, name: str, span: tuple[int, int], end: F64, lift: float) -> Timeline:
    """A thing goes from where it rests to `end` (3,), `lift` metres up on the way."""
    s = smooth(*span)
    a = np.asarray(stage.rest[name])
    path = a + s[:, None] * (np.asarray(end) - a)
    path[:, 2] += lift * 4 * s * (1 - s)
    return wm.place(stage, timeline, name, path)


def relate(stage: Stage, timeline: Timeline, name: str, track: str, values: F64) -> Timeline:
    """The timeline with `support` or `inside` of one body at ids `values` (T,)."""
    changed = getattr(timeline, track).copy()
    changed[:, stage.index(name)] = values
    return replace(timeline, **{track: changed})


def event(timeline: Timeline, *events: Event) -> Timeline:
    return replace(timeline, events=(*timeline.events, *events))


def seconds(frame: int) -> float:
    return frame / wm.FPS


# ---- Stories -------------------------------------------------------------------------------------


def still(stage: Stage) -> Timeline:
    """Nothing happens."""
    return wm.still(stage, T)


def opened(stage: Stage) -> Timeline:
    """The drawer opens by 25 cm, the door by 86 degrees."""
    out = wm.move_joint(stage, wm.still(stage, T), "drawer", 0.25 * smooth(4, 12))
    out = wm.move_joint(stage, out, "door", -1.5 * smooth(8, 16))
    a = Event("open", stage.id("drawer"), seconds(4), seconds(12), 0.0, 0.25)
    return event(out, a, Event("open", stage.id("door"), seconds(8), seconds(16), 0.0, -1.5))


def stowed(stage: Stage) -> Timeline:
    """The drawer opens, the apple goes in, the drawer shuts over it."""
    drawer = 0.25 * (smooth(2, 7) - smooth(16, 21))
    out = wm.move_joint(stage, wm.still(stage, T), "drawer", drawer)
    x, y, z = stage.rest["drawer"]
    out = carried(stage, out, "apple_1", (8, 14), np.array([x, y - 0.27, z - 0.065 + 0.035]), 0.25)
    poses = out.poses.copy()
    poses[15:, stage.index("apple_1"), 1] += 0.25 - drawer[15:]
    inside = np.where(np.arange(T) < 14, 0, stage.id("drawer"))
    out = relate(stage, replace(out, poses=poses), "apple_1", "inside", inside)
    table = np.where(np.arange(T) <= 8, stage.id("table"), 0)
    out = relate(stage, out, "apple_1", "support", table)
    apple, box = stage.id("apple_1"), stage.id("drawer")
    return event(
        out,
        Event("open", box, seconds(2), seconds(7), 0.0, 0.25),
        Event("move", apple, seconds(8), seconds(14), source=stage.id("table"), target=box, inside=True),
        Event("close", box, seconds(16), seconds(21), 0.25, 0.0),
    )


def put_onto(stage: Stage) -> Timeline:
    """The can is put on the plate."""
    x, y, z = stage.rest["plate_1"]
    out = carried(stage, wm.still(stage, T), "can_1", (5, 14), np.array([x, y, z + 0.0075 + 0.06]), 0.2)
    t = np.arange(T)
    holder = np.where(t <= 5, stage.id("table"), np.where(t < 14, 0, stage.id("plate_1")))
    out = relate(stage, out, "can_1", "support", holder)
    move = Event(
        "move",
        stage.id("can_1"),
        seconds(5),
        seconds(14),
        source=stage.id("table"),
        target=stage.id("plate_1"),
    )
    return event(out, move)


def pushed(stage: Stage) -> Timeline:
    """The book slides 15 cm over the table."""
    end = np.add(stage.rest["book_1"], (0.15, 0, 0))
    out = carried(stage, wm.still(stage, T), "book_1", (6, 12), end, 0.0)
    table = stage.id("table")
    return event(out, Event("push", stage.id("book_1"), seconds(6), seconds(12), source=table, target=table))


def toppled(stage: Stage) -> Timeline:
    """The can falls over."""
    angle = np.pi / 2 * smooth(8, 12)
    q = quat_from_axis_angle(np.tile([0.0, 1.0, 0.0], (T, 1)), angle)
    path = np.tile(stage.rest["can_1"], (T, 1))
    path[:, 0] += 0.06 * np.sin(angle)
    path[:, 2] = 0.725 + 0.06 * np.cos(angle) + 0.033 * np.sin(angle)
    out = wm.place(stage, wm.still(stage, T), "can_1", path, q)
    return event(out, Event("knock_over", stage.id("can_1"), seconds(8), seconds(12)))


def switched(stage: Stage) -> Timeline:
    """The burner goes on at frame 5, the lamp off at frame 10."""
    out = wm.still(stage, T)
    levels = out.levels.copy()
    levels[10:, 0], levels[5:, 1] = 0, 1
    on = Event("turn_on", stage.id("burner"), seconds(5), seconds(5))
    return event(replace(out, levels=levels), on, Event("turn_off", stage.id("lamp"), seconds(10), seconds(10)))


def filled(stage: Stage, stream: bool = True) -> Timeline:
    """The jug is held over the mug, which fills to 70 %; the stream may be hidden."""
    level = np.interp(np.arange(T), [6, 14], [0, 0.7])
    water = np.tile(stage.rest["mug_1"], (T, 1))
    water[:, 2] += -0.048 + 0.098 * level - 0.001
    water[level <= 0, 2] = -5.0
    out = wm.place(stage, wm.still(stage, T), "water", water)
    if stream:
        falls = np.tile(np.add(stage.rest["mug_1"], (0, 0, 0.08)), (T, 1))
        falls[(np.arange(T) < 7) | (np.arange(T) > 13), 2] = -5.0
        out = wm.place(stage, out, "stream", falls)
    fill = out.fill.copy()
    fill[:, stage.index("mug_1")] = level
    held = smooth(2, 5) - smooth(16, 20)
    jug = np.asarray(stage.rest["jug_1"]) + held[:, None] * np.array([0.05, 0.0, 0.25])
    out = wm.place(stage, replace(out, fill=fill), "jug_1", jug)
    mug = stage.id("mug_1")
    return event(out, Event("pour", stage.id("jug_1"), seconds(6), seconds(14), 0.0, 0.7, target=mug))
