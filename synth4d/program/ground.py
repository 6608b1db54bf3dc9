"""Operations that ground: where a thing is in the picture and in the room, and which thing is there.

Conventions, stated once. Pixels: [x, y] from the top left corner of the native picture, a box [x0, y0, x1, y1] with
x1, y1 exclusive. 3D: metres; `camera` axes are OpenCV's of the moment's camera (x right, y down, z forward), `world`
axes have z up. Rotations are unit quaternions wxyz from the box's own axes to those axes. A box looks the same after
half a turn about any of its axes: of the four spellings the one with the largest w is given, and they agree.
"""

from __future__ import annotations

import numpy as np

from synth4d import geometry
from synth4d.program import margins
from synth4d.program.agree import box2d_iou, half_turns
from synth4d.program.objects import Span
from synth4d.program.operations import Nums, Sub, Word, op
from synth4d.program.view import Value, View, refuse
from synth4d.records import at as entry
from synth4d.types import F64

AXES = Word(("camera", "world"))
PIXEL = (0.0, 16384.0)
PLACE = (-1000.0, 1000.0)

# ---- In the picture ------------------------------------------------------------------------------


@op("box2d", "box2d", object=Sub("object"), at=Sub("moment"))
def box2d(view: View, object: int, at: Span) -> Value:
    """the tight 2D box of what is seen of a thing at a moment: [x0, y0, x1, y1] in pixels, x1 and y1 exclusive"""
    return Value("box2d", [int(v) for v in _seen(view, object, at[0])], "px")


def _seen(view: View, id: int, frame: int) -> list[float]:
    view.need_clear((id,), frame)
    return view.known(view.thing(id).visible2d, frame, f"what is seen of {view.thing(id).name}")


@op("point2d", "point2d", object=Sub("object"), at=Sub("moment"))
def point2d(view: View, object: int, at: Span) -> Value:
    """the pixel [x, y] deepest inside what is seen of a thing at a moment"""
    view.need_clear((object,), at[0])
    x, y, r = view.known(view.thing(object).inner, at[0], f"a point on {view.thing(object).name}")
    if r < margins.THIN_PX:
        refuse("ambiguous", f"{view.thing(object).name} is too thin to be pointed at")
    return Value("point2d", [int(x), int(y)], "px")


@op("at_point", "object", point=Nums(2, *PIXEL), at=Sub("moment"))
def at_point(view: View, point: tuple[float, ...], at: Span) -> int:
    """the thing that a pixel [x, y] shows at a moment; refuses where that is not beyond doubt"""
    x, y = point
    shown = [id for id in view.askable if (b := entry(view.thing(id).visible2d, at[0])) and _within(x, y, b)]
    if not shown:
        refuse("undefined", f"nothing that has a name is at {x:g}, {y:g}")
    for id in shown:
        inner = entry(view.thing(id).inner, at[0])
        if inner and max(abs(x - inner[0]), abs(y - inner[1])) <= inner[2]:
            view.need_clear((id,), at[0])
            return id
    refuse("ambiguous", f"{x:g}, {y:g} may show {view.thing(shown[0]).name}, or what is before or behind it")


def _within(x: float, y: float, box: list[float]) -> bool:
    return box[0] <= x < box[2] and box[1] <= y < box[3]


@op("in_box", "object", box=Nums(4, *PIXEL), at=Sub("moment"))
def in_box(view: View, box: tuple[float, ...], at: Span) -> int:
    """the thing whose visible part has this 2D box at a moment: IoU ≥ 0.7, and below 0.45 for all others"""
    if box[0] >= box[2] or box[1] >= box[3]:
        refuse("undefined", "the box is empty")
    seen = ((id, entry(view.thing(id).visible2d, at[0])) for id in view.askable)
    ranked = sorted(((box2d_iou(box, b), id) for id, b in seen if b is not None), reverse=True)
    if not ranked or ranked[0][0] < margins.IN_PICTURE[0]:
        refuse("undefined", "no thing has this box")
    if len(ranked) > 1 and ranked[1][0] >= margins.IN_PICTURE[1]:
        refuse("ambiguous", "two things have about this box")
    view.need_clear((ranked[0][1],), at[0])
    return ranked[0][1]


# ---- In the room ---------------------------------------------------------------------------------


def placed(view: View, id: int, axes: str, frame: int) -> F64:
    """(7,) centre + wxyz of a thing's box, in the camera's axes or the world's, in its first spelling."""
    box = view.box(id, frame)
    if axes == "camera":
        box = geometry.compose(_pose(geometry.rigid_inverse(view.T_world_cam(frame))), box)
    # Rounded first, so that two spellings with one w are told apart by their digits alone.
    spelled = [tuple((np.round(q, 4) + 0.0).tolist()) for q in half_turns(box[3:])]
    return np.array([*np.round(box[:3], 3) + 0.0, *max(spelled)])


def _pose(T: F64) -> F64:
    return np.concatenate([T[:3, 3], geometry.quat_from_rotmat(T[:3, :3])])


def _whole(view: View, id: int, frame: int) -> None:
    """Refuses a thing that the picture's border cuts off: how far it goes on can't be seen."""
    x0, y0, x1, y1 = _seen(view, id, frame)
    if min(x0, y0, view.facts.width - x1, view.facts.height - y1) < margins.CUT_OFF_PX:
        refuse("not visible", f"{view.thing(id).name} is cut off by the picture's border")


@op("box3d", "box3d", object=Sub("object"), axes=AXES, at=Sub("moment"))
def box3d(view: View, object: int, axes: str, at: Span) -> Value:
    """a thing's 9-DoF box at a moment: centre and size in metres, rotation wxyz, in camera axes (OpenCV: x right,
    y down, z forward) or world axes (z up)"""
    _whole(view, object, at[0])
    box = placed(view, object, axes, at[0]).tolist()
    size = [round(s, 3) for s in view.thing(object).size]
    return Value("box3d", {"center": box[:3], "size": size, "quat_wxyz": box[3:]}, "m")


@op("pose", "pose", object=Sub("object"), axes=AXES, at=Sub("moment"))
def pose(view: View, object: int, axes: str, at: Span) -> Value:
    """the 6-DoF pose of a thing's box at a moment: [x, y, z, qw, qx, qy, qz], metres and wxyz, in camera (OpenCV) or
    world axes, but for half turns about the box's own axes; refused where round or square: it has no heading"""
    _whole(view, object, at[0])
    upright = int(np.argmax(np.abs(geometry.rotmat(view.box(object, at[0])[3:])[2])))
    across = [s for k, s in enumerate(view.thing(object).size) if k != upright]
    if min(across) > (1 - margins.SQUARE) * max(across):
        refuse("ambiguous", f"{view.thing(object).name} is as wide as it is deep: it has no heading")
    return Value("pose", placed(view, object, axes, at[0]).tolist(), "m")


@op("in_place", "object", place=Nums(3, *PLACE), axes=AXES, at=Sub("moment"))
def in_place(view: View, place: tuple[float, ...], axes: str, at: Span) -> int:
    """the one thing seen at a moment whose 3D box holds a place [x, y, z], in metres, in camera or world axes"""
    T, point = view.T_world_cam(at[0]), np.array(place)
    if axes == "camera":
        point = (T[:3, :3] * point).sum(axis=1) + T[:3, 3]
    found = []
    for id in view.askable:
        box = entry(view.thing(id).box, at[0])
        if box is None or not view.glimpsed(id, at[0]):
            continue
        half = np.maximum(np.array(view.thing(id).size) / 2, 1e-3)
        off = np.abs(geometry.apply_pose(geometry.invert_pose(box), point))
        if (off <= margins.IN_BOX * half).all():
            found.append(id)
        elif (off < half + margins.OUT_OF_BOX_M).all():
            refuse("ambiguous", f"the place is at the border of {view.thing(id).name}")
    if not found:
        refuse("undefined", "no thing that is seen is there")
    if len(found) > 1:
        refuse("ambiguous", f"{view.thing(found[0]).name} and {view.thing(found[1]).name} are both there")
    view.need_clear((found[0],), at[0])
    return found[0]
