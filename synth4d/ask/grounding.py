"""Questions that ground: where a thing is in the picture or the room, which thing is there, which one is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from synth4d.ask.kinds import Draft, Pool, kind
from synth4d.ask.refer import Ref
from synth4d.ask.relation import by_state, relations
from synth4d.ask.stock import Moment, Stock
from synth4d.geometry import quat_from_rotmat
from synth4d.program import Value, margins, opens
from synth4d.program.agree import box2d_iou
from synth4d.program.ground import placed
from synth4d.program.wording import numbers
from synth4d.records import JSON, Text, at

Slots = dict[str, Text | str]
FAR_IOU = 0.3
"""Boxes that overlap the right one by more are no wrong options."""


def _scene(stock: Stock, moment: Moment) -> Slots:
    """What a reader of coordinates must know: the moment, the picture's size, the focal length."""
    f = round(stock.view.camera.K[0][0])
    return {"at": moment.text, "w": str(stock.facts.width), "h": str(stock.facts.height), "f": str(f)}


def _shown(stock: Stock, whole: bool = False) -> Iterator[tuple[Moment, Ref]]:
    """Things of any role that have a name and show well at a moment, a few of each moment; `whole`: nearly
    uncovered, and no knobs and handles, too small for their place in the room to be told."""
    for moment in stock.moments(spread=2):
        shown = [id for id in stock.seen if stock.shows(id, moment.frame, whole)]
        shown = [id for id in shown if not whole or _big(stock, id)]
        for a in stock.shuffled(stock.refs(shown))[:4]:
            if moment.about not in (a.id, stock.view.thing(a.id).part_of) or not moment.about:
                yield moment, a


def _big(stock: Stock, id: int) -> bool:
    thing = stock.view.thing(id)
    return thing.role != "part" or opens(thing)


def _boxes(stock: Stock, id: int, frame: int) -> Pool:
    """The boxes of other things that show at a frame."""
    own = at(stock.view.thing(id).visible2d, frame)
    others = [at(stock.view.thing(i).visible2d, frame) for i in stock.seen if stock.shows(i, frame) and i != id]
    far = [b for b in others if b is not None and own is not None and box2d_iou(own, b) <= FAR_IOU]
    return Pool(values=tuple(Value("box2d", [int(v) for v in b], "px") for b in far))


def _points(stock: Stock, id: int, frame: int) -> Pool:
    """A point on each of the other things that show at a frame."""
    inner = [at(stock.view.thing(i).inner, frame) for i in stock.seen if stock.shows(i, frame) and i != id]
    firm = [p for p in inner if p is not None and p[2] >= margins.THIN_PX]
    return Pool(values=tuple(Value("point2d", [int(p[0]), int(p[1])], "px") for p in firm))


# ---- From a name to the picture ------------------------------------------------------------------


@kind("grounding", "box2d")
def box2d(stock: Stock) -> Iterator[Draft]:
    for moment, a in _shown(stock):
        program: JSON = {"op": "box2d", "object": a.program, "at": moment.program}
        yield Draft(
            program, {**_scene(stock, moment), "a": a.text}, (moment.frame,), (a.id,), _boxes(stock, a.id, moment.frame)
        )


@kind("grounding", "point")
def point(stock: Stock) -> Iterator[Draft]:
    for moment, a in _shown(stock):
        program: JSON = {"op": "point2d", "object": a.program, "at": moment.program}
        yield Draft(
            program,
            {**_scene(stock, moment), "a": a.text},
            (moment.frame,),
            (a.id,),
            _points(stock, a.id, moment.frame),
        )


# ---- From a name to the room ---------------------------------------------------------------------


def _solid(stock: Stock, op: str, axes: str) -> Iterator[Draft]:
    """3D boxes or poses of what has a box that is all in the picture."""
    for moment, a in _shown(stock, whole=True):
        program: JSON = {"op": op, "object": a.program, "axes": axes, "at": moment.program}
        slots = {**_scene(stock, moment), "a": a.text, "camera": _camera(stock, moment.frame)}
        yield Draft(program, slots, (moment.frame,), (a.id,))


def _camera(stock: Stock, frame: int) -> str:
    """The camera's pose in the world as a question gives it: place and rotation wxyz."""
    T = stock.view.T_world_cam(frame)
    q = np.round(quat_from_rotmat(T[:3, :3]), 4) + 0.0
    return numbers([*T[:3, 3], *q], 3)


@kind("grounding", "box3d", tries=24)
def box3d(stock: Stock) -> Iterator[Draft]:
    return _solid(stock, "box3d", "camera")


@kind("grounding", "box3d_world", tries=24)
def box3d_world(stock: Stock) -> Iterator[Draft]:
    return _solid(stock, "box3d", "world")


@kind("grounding", "pose", tries=40)
def pose(stock: Stock) -> Iterator[Draft]:
    return _solid(stock, "pose", "camera")


@kind("grounding", "pose_world", tries=40)
def pose_world(stock: Stock) -> Iterator[Draft]:
    return _solid(stock, "pose", "world")


# ---- From an expression --------------------------------------------------------------------------


def _meant(stock: Stock) -> Iterator[tuple[Moment, Ref]]:
    """Things in sight with an expression that points at them by a relation: one for each."""
    for moment in stock.moments(spread=2):
        props = [id for id in stock.seen if stock.view.thing(id).role in ("prop", "part")]
        for id in stock.shuffled(id for id in props if stock.shows(id, moment.frame))[:5]:
            if moment.about == id:
                continue
            ways = relations if stock.view.thing(id).role == "prop" else by_state
            ref = next(iter(ways(stock, id, moment)), None)
            if ref is not None:
                yield moment, ref


def _referred(stock: Stock, op: str, pool: Callable[[Stock, int, int], Pool]) -> Iterator[Draft]:
    for moment, a in _meant(stock):
        program: JSON = {"op": op, "object": a.program, "at": moment.program}
        frame = moment.frame
        yield Draft(program, {**_scene(stock, moment), "a": a.text}, (frame,), (a.id,), pool(stock, a.id, frame))


@kind("grounding", "refer_box")
def refer_box(stock: Stock) -> Iterator[Draft]:
    return _referred(stock, "box2d", _boxes)


@kind("grounding", "refer_point")
def refer_point(stock: Stock) -> Iterator[Draft]:
    return _referred(stock, "point2d", _points)


@kind("grounding", "refer")
def refer(stock: Stock) -> Iterator[Draft]:
    """Which thing an expression means, where its noun is left open: `the object on the plate`."""
    for moment, a in _meant(stock):
        if "object" not in a.text.en.split()[:2] or stock.ref(a.id) is None or a.program["of"]["op"] == "befell":
            continue  # what is moved "in the video" is so at any moment
        # What the expression names is not what it means.
        ids = tuple(r.id for r in stock.in_sight(stock.props, moment.frame) if r.text.en not in a.text.en)
        yield Draft(a.program, {"a": a.text, "at": moment.text}, (moment.frame,), (a.id,), Pool(ids))


# ---- Back: from the picture or the room to a name ------------------------------------------------


def _named(stock: Stock, op: str, given: JSON, said: str, moment: Moment, a: Ref) -> Draft:
    program: JSON = {"op": op, **given, "at": moment.program}
    ids = tuple(r.id for r in stock.refs(i for i in stock.seen if stock.view.glimpsed(i, moment.frame)))
    return Draft(program, {**_scene(stock, moment), "p": said}, (moment.frame,), (a.id,), Pool(ids))


@kind("grounding", "box_name")
def box_name(stock: Stock) -> Iterator[Draft]:
    for moment, a in _shown(stock):
        box = at(stock.view.thing(a.id).visible2d, moment.frame)
        if box is not None:
            yield _named(stock, "in_box", {"box": box}, numbers(box), moment, a)


@kind("grounding", "point_name")
def point_name(stock: Stock) -> Iterator[Draft]:
    """A pixel anywhere in the square that is the thing's without doubt, not its middle."""
    for moment, a in _shown(stock):
        inner = at(stock.view.thing(a.id).inner, moment.frame)
        if inner is not None and inner[2] >= margins.THIN_PX:
            r = int(inner[2])
            x, y = (int(v) + int(stock.rng.integers(-r, r + 1)) for v in inner[:2])
            yield _named(stock, "at_point", {"point": [x, y]}, numbers([x, y]), moment, a)


@kind("grounding", "place_name", tries=24)
def place_name(stock: Stock) -> Iterator[Draft]:
    for moment, a in _shown(stock, whole=True):
        if at(stock.view.thing(a.id).box, moment.frame) is not None:
            place = [round(v, 2) + 0.0 for v in placed(stock.view, a.id, "camera", moment.frame)[:3].tolist()]
            given: JSON = {"place": place, "axes": "camera"}
            yield _named(stock, "in_place", given, numbers(place, 2), moment, a)
