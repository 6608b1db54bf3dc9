"""Grounding, relations and viewpoints: they agree with each other, mirror and turn with the world, keep margins."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from facts_maker import H, Maker, T, W, kitchen, label, orbit
from hypothesis import given, settings
from hypothesis import strategies as st

from synth4d import geometry
from synth4d.ask.choices import options
from synth4d.ask.kinds import KINDS
from synth4d.ask.make import answered
from synth4d.ask.relation import relations
from synth4d.ask.stock import Stock
from synth4d.ask.template import load
from synth4d.program import ProgramError, Refusal, Value, View, answer, compare, execute, margins, parse
from synth4d.program.agree import box3d_iou
from synth4d.records import CameraRecord, Facts, JointFact

START, END = {"op": "start"}, {"op": "end"}


def named(text: str) -> dict[str, Any]:
    return {"op": "unique", "of": {"op": "filter", "label": text}}


def boxes(*places: tuple[float, float, float], size: tuple[float, float, float] = (0.2, 0.1, 0.1)) -> Maker:
    m = Maker()
    for name, place in zip("abcdef", places, strict=False):
        m.add(name, label(name, name), place, size)
    return m


def ask(m: Maker, op: str, camera: CameraRecord | None = None, **fields: Any) -> Value | Refusal:
    camera = camera or orbit(sweep=0.0)
    if not {"since", "seen"} & set(fields):
        fields.setdefault("at", START)
    program = {"op": op, **fields}
    if op in ("amid", "beside", "hidden_by"):
        program = {"op": "unique", "of": program}
    return execute(program, m.facts(camera), camera)


def value(result: Value | Refusal) -> Any:
    assert isinstance(result, Value), result
    return result.value


def reason(result: Value | Refusal) -> str:
    assert isinstance(result, Refusal), result
    return result.reason


@lru_cache(maxsize=8)
def clip(seed: int) -> tuple[Facts, CameraRecord, Facts]:
    return kitchen(seed)


def things(facts: Facts) -> list[int]:
    return [o.id for o in facts.objects if o.role in ("prop", "fixture", "part") and o.visible2d[0]]


def by_id(facts: Facts, id: int) -> dict[str, Any] | None:
    o = next(o for o in facts.objects if o.id == id)
    found = {"op": "filter", "label": o.label.en} | ({"colour": o.colour.key} if o.colour else {})
    return {"op": "unique", "of": found} if o.unique else None


# ---- Boxes, points and poses ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_what_is_pointed_out_is_found_again(seed: int) -> None:
    """thing → box, point, place → the same thing, or doubt; never another."""
    facts, camera, pixels = clip(seed)
    done: Counter[str] = Counter()
    for id in things(facts):
        if (program := by_id(facts, id)) is None:
            continue
        for witness in (facts, pixels):
            box = execute({"op": "box2d", "object": program, "at": START}, facts, camera)
            point = execute({"op": "point2d", "object": program, "at": START}, facts, camera)
            solid = execute({"op": "box3d", "object": program, "axes": "camera", "at": START}, facts, camera)
            backs: list[dict[str, Any]] = []
            if isinstance(box, Value):
                backs.append({"op": "in_box", "box": box.value, "at": START})
            if isinstance(point, Value):
                backs.append({"op": "at_point", "point": point.value, "at": START})
            if isinstance(solid, Value):
                place = solid.value["center"]
                backs.append({"op": "in_place", "place": place, "axes": "camera", "at": START})
            for back in backs:
                found = execute(back, witness, camera)
                done[back["op"]] += isinstance(found, Value)
                if isinstance(found, Value) and back["op"] != "at_point":
                    assert found.value == id
    assert min(done[op] for op in ("in_box", "at_point", "in_place")) >= 4


@pytest.mark.parametrize("seed", range(3))
def test_boxes_in_camera_axes_project_onto_the_picture_and_turn_into_the_world_s(seed: int) -> None:
    facts, camera, _ = clip(seed)
    checked = 0
    for id in things(facts):
        if (program := by_id(facts, id)) is None:
            continue
        both = [
            execute({"op": "box3d", "object": program, "axes": axes, "at": END}, facts, camera)
            for axes in ("camera", "world")
        ]
        if not isinstance(both[0], Value):
            assert isinstance(both[1], Refusal)
            continue
        seen, world = (value(b) for b in both)
        corners = geometry.box_corners([*seen["center"], *seen["quat_wxyz"]], seen["size"])
        pixels, _ = geometry.project(camera.K, np.eye(4), corners)
        flat = [*np.maximum(pixels.min(0), 0), *np.minimum(pixels.max(0), [W, H])]
        amodal = next(o for o in facts.objects if o.id == id).box2d[-1]
        assert amodal is not None and np.allclose(flat, amodal, atol=1.5)
        T_world_cam = np.array(camera.T_world_cam[-1])
        centre = T_world_cam[:3, :3] @ seen["center"] + T_world_cam[:3, 3]
        turned = T_world_cam[:3, :3] @ geometry.rotmat(seen["quat_wxyz"])
        moved = {"center": centre.tolist(), "size": seen["size"]}
        moved["quat_wxyz"] = geometry.quat_from_rotmat(turned).tolist()
        assert box3d_iou(moved, world) > 0.95  # kept to the millimetre, a door is 2 cm thick
        checked += 1
    assert checked >= 6


@given(st.floats(-180, 180), st.sampled_from([0, 1, 2, 3]))
@settings(max_examples=40, deadline=None)
def test_half_turns_are_one_pose_and_quarter_turns_are_not(yaw: float, turn: int) -> None:
    """The same box, its frame turned by half a turn about one of its axes, has one spelling but for rounding."""
    q = geometry.quat_from_axis_angle([0, 0, 1], np.radians(yaw))
    again = geometry.quat_mul(q, np.eye(4)[turn])
    found = []
    for quat in (q, again):
        m = boxes((0, 0, 0.9))
        m.get(1)["box"] = [[0, 0, 0.9, *quat]] * T
        for axes in ("camera", "world"):
            found.append(ask(m, "pose", object=named("a"), axes=axes))
    assert compare(found[0], found[2]) and compare(found[1], found[3])  # type: ignore[arg-type]
    quarter = Value("pose", [*value(found[1])[:3], *geometry.quat_mul(again, [0.5**0.5, 0, 0, 0.5**0.5])], "m")
    assert not compare(found[1], quarter)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "fits"), [((0.1, 0.079, 0.3), True), ((0.1, 0.081, 0.3), False)])
def test_what_is_as_wide_as_deep_has_no_heading(size: tuple[float, float, float], fits: bool) -> None:
    result = ask(boxes((0, 0, 0.9), size=size), "pose", object=named("a"), axes="world")
    assert isinstance(result, Value) if fits else reason(result) == "ambiguous"


def test_a_thing_that_the_border_cuts_off_has_no_3d_box() -> None:
    m = boxes((0, 0, 0.9), (-1.2, 0, 0.9))
    assert isinstance(ask(m, "box3d", object=named("a"), axes="camera"), Value)
    assert reason(ask(m, "box3d", object=named("b"), axes="camera")) == "not visible"
    assert isinstance(ask(m, "box2d", object=named("b")), Value)


def test_a_pixel_is_a_thing_s_only_within_what_is_surely_its_own() -> None:
    m = boxes((0, 0, 0.9))
    x, y, r = m.facts(orbit(sweep=0.0)).objects[0].inner[0]  # type: ignore[misc]
    assert value(ask(m, "at_point", point=[x + r, y - r])) == 1
    assert reason(ask(m, "at_point", point=[x + r + 1, y])) == "ambiguous"
    assert reason(ask(m, "at_point", point=[1, 1])) == "undefined"


@pytest.mark.parametrize(("share", "fits"), [(0.72, True), (0.68, False)])
def test_a_box_is_a_thing_s_from_an_iou_of_seven_tenths(share: float, fits: bool) -> None:
    m = boxes((0, 0, 0.9))
    x0, y0, x1, y1 = m.facts(orbit(sweep=0.0)).objects[0].visible2d[0]  # type: ignore[misc]
    given_ = [x0, y0, x1, y0 + share * (y1 - y0)]
    result = ask(m, "in_box", box=given_)
    assert (value(result) == 1) if fits else (reason(result) == "undefined")
    assert reason(ask(m, "in_box", box=[5, 5, 5, 9])) == "undefined"


@pytest.mark.parametrize("seed", range(3))
def test_worded_coordinates_read_back(seed: int) -> None:
    facts, camera, _ = clip(seed)
    for id in things(facts):
        if (program := by_id(facts, id)) is None:
            continue
        for op in ("box2d", "point2d", "box3d", "pose"):
            axes = {"axes": "camera"} if op in ("box3d", "pose") else {}
            result = execute({"op": op, "object": program, "at": START, **axes}, facts, camera)
            if not isinstance(result, Value):
                continue
            v = result.value
            flat = [*v["center"], *v["size"], *v["quat_wxyz"]] if op == "box3d" else v
            text = answer(result, facts).text
            for said in (text.en, text.zh):
                lists = re.findall(r"\[([^\]]*)\]", said)
                assert [float(n) for part in lists for n in part.split(", ")] == pytest.approx(flat, abs=1e-9)


@pytest.mark.parametrize(
    ("box", "says"),
    [([1, 2, 3], "a list of 4 numbers, got a list of 3"), ([1, 2, 3, "4"], "[3]: expected a number 0..16384"),
     ([1, 2, 3, float("nan")], "a number"), (7, "a list of 4"), ([1, 2, 3, -1], "a number 0..16384")],
)  # fmt: skip
def test_lists_of_numbers_are_checked(box: Any, says: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse({"op": "in_box", "box": box, "at": START})
    assert says in str(caught.value)


# ---- Relations -----------------------------------------------------------------------------------


def row(x: float, y: float = 0.0, z: float = 0.9) -> Maker:
    """a and b a metre apart, c somewhere."""
    return boxes((-0.5, 0, 0.9), (0.5, 0, 0.9), (x, y, z), size=(0.1, 0.1, 0.1))


@pytest.mark.parametrize(
    ("x", "y", "z", "says"),
    [(0.0, 0.0, 0.9, 3), (0.3, 0.03, 0.9, 3), (0.0, 0.045, 0.9, "ambiguous"), (0.0, -0.08, 0.9, "ambiguous"),
     (0.0, 0.11, 0.9, "undefined"), (0.0, -0.11, 0.9, "undefined"), (0.8, 0.0, 0.9, "undefined"),
     (0.44, 0.0, 0.9, "ambiguous"), (0.0, 0.0, 1.2, "ambiguous")],
)  # fmt: skip
def test_between_is_on_the_line_and_in_the_gap(x: float, y: float, z: float, says: Any) -> None:
    everything = {"op": "filter"}
    for a, b in (("a", "b"), ("b", "a")):
        result = ask(row(x, y, z), "amid", a=named(a), b=named(b), of=everything)
        assert (value(result) if isinstance(says, int) else reason(result)) == says


@pytest.mark.parametrize(("metres", "fits"), [(0.05, False), (0.07, True), (-0.05, False), (-0.07, True)])
def test_above_is_signed_and_has_a_margin(metres: float, fits: bool) -> None:
    m = boxes((0, 0, 0.9 + metres), (0.5, 0, 0.9))
    result = ask(m, "above", a=named("a"), b=named("b"))
    assert (value(result) == pytest.approx(100 * metres)) if fits else (reason(result) == "ambiguous")
    back = ask(m, "above", a=named("b"), b=named("a"))
    assert (value(back) == pytest.approx(-100 * metres)) if fits else (reason(back) == "ambiguous")
    these = {"op": "these", "of": [named("a"), named("b")]}
    top = ask(m, "highest", of=these)
    assert (value(top) == (1 if metres > 0 else 2)) if fits else (reason(top) == "ambiguous")


def test_across_leaves_height_out() -> None:
    assert value(ask(boxes((0, 0, 0.9), (0.3, 0.4, 1.4)), "across", a=named("a"), b=named("b"))) == 0.5
    assert reason(ask(boxes((0, 0, 0.9), (0.1, 0, 1.4)), "across", a=named("a"), b=named("b"))) == "ambiguous"


def cupboard(x: float, y: float, yaw: float = 0.0) -> Maker:
    """A cupboard at the centre whose door opens towards −y (the camera), turned by `yaw`; a mug beside it."""
    m = Maker()
    box = m.add("cupboard", label("cupboard", "橱柜"), (0, 0, 0.9), (0.4, 0.3, 0.3), "fixture", yaw=yaw)
    R = geometry.rotmat(geometry.quat_from_axis_angle([0, 0, 1], yaw))
    anchor, middle = R @ [-0.2, -0.15, 0.0], R @ [0.0, -0.15, 0.0]
    hinge = JointFact(
        type="hinge", axis=[0, 0, -1], anchor=[*anchor[:2], 0.9], closed=0.0, open=1.8,
        closed_box=[*middle[:2], 0.9, 1, 0, 0, 0],
    )  # fmt: skip
    m.add("door", label("door", "门"), [*middle[:2], 0.9], (0.4, 0.02, 0.3), "part",
          joint=hinge, openness=[0.0] * T, part_of=box)  # fmt: skip
    m.add("mug", label("mug", "马克杯"), [*(R @ [x, y, 0])[:2], 0.9], (0.1, 0.1, 0.1))
    return m


@pytest.mark.parametrize("yaw", [0.0, 0.7, 2.5])
@pytest.mark.parametrize(
    ("x", "y", "says"),
    [(0, -0.6, "front"), (0, 0.6, "behind"), (0.6, 0, "left"), (-0.6, 0, "right"),
     (0.05, -0.17, None), (0.5, -0.5, None)],
)  # fmt: skip
def test_a_cupboard_s_own_sides_turn_with_it(yaw: float, x: float, y: float, says: str | None) -> None:
    result = ask(cupboard(x, y, yaw), "own_side", of=named("mug"), by=named("cupboard"))
    assert (value(result) == says) if says else isinstance(result, Refusal)
    mirrored = ask(cupboard(-x, y, yaw), "own_side", of=named("mug"), by=named("cupboard"))
    if says:
        assert value(mirrored) == {"left": "right", "right": "left"}.get(says, says)
    assert reason(ask(cupboard(x, y), "own_side", of=named("cupboard"), by=named("mug"))) == "undefined"


@pytest.mark.parametrize("side", ["left", "right", "front", "behind"])
def test_beside_mirrors_with_the_room(side: str) -> None:
    places = {"left": (-0.5, 0.0), "right": (0.5, 0.0), "front": (0.0, -0.5), "behind": (0.0, 0.5)}
    mirrored = {"left": "right", "right": "left"}
    for flip, word in ((1, side), (-1, mirrored.get(side, side))):
        m = boxes((0, 0, 0.9), *[(flip * x, y, 0.9) for x, y in places.values()], size=(0.1, 0.1, 0.1))
        result = ask(m, "beside", of={"op": "filter"}, side=word, by=named("a"))
        assert value(result) == 2 + list(places).index(side)


def test_hidden_things_are_known_by_what_hides_them() -> None:
    m = boxes((0, 0.6, 0.9), (0.02, 0, 0.95), (0.6, 0, 0.9), size=(0.2, 0.1, 0.2))
    assert value(ask(m, "is_hidden", object=named("a"))) is True
    assert value(ask(m, "is_hidden", object=named("c"))) is False
    assert value(ask(m, "hidden_by", object=named("b"))) == 1
    assert reason(ask(m, "hidden_by", object=named("c"))) == "undefined"
    facts = m.facts(orbit(sweep=0.0))
    doubt = facts.objects[0].model_copy(update={"hidden_by": [None]})
    unsure = facts.model_copy(update={"objects": [doubt, *facts.objects[1:]]})
    held = {"op": "hidden_by", "object": named("b"), "at": START}
    assert reason(execute({"op": "unique", "of": held}, unsure, orbit(sweep=0.0))) == "ambiguous"
    far = {"op": "count", "of": {"op": "hidden_by", "object": named("c"), "at": START}}
    assert value(execute(far, unsure, orbit(sweep=0.0))) == 0


# ---- Viewpoints ----------------------------------------------------------------------------------


def filmed(yaws: tuple[float, float], eyes: Any = ((0, -2, 1.5), (0, -2, 1.5))) -> CameraRecord:
    """A camera that looks along two headings (degrees to the left of +y) from two places."""
    poses = []
    for yaw, eye in zip(yaws, eyes, strict=True):
        ahead = np.array([-np.sin(np.radians(yaw)), np.cos(np.radians(yaw)), -0.3])
        poses.append(geometry.look_at(eye, np.add(eye, ahead)).tolist())
    K = geometry.intrinsics(W, H, np.radians(58)).tolist()
    return CameraRecord(width=W, height=H, fps=4.0, K=K, T_world_cam=[poses[0]] * (T - 1) + [poses[1]])


@pytest.mark.parametrize(
    ("degrees", "says"),
    [(0, "keeps_heading"), (2.9, "keeps_heading"), (3.1, None), (11.9, None), (12.1, "turns_left"), (60, "turns_left"),
     (-2.9, "keeps_heading"), (-11.9, None), (-12.1, "turns_right"), (-170, None)],
)  # fmt: skip
def test_turns_have_margins_and_mirror(degrees: float, says: str | None) -> None:
    whole = {"since": START, "until": END}
    result = ask(boxes((0, 0, 1)), "camera_turn", filmed((10, 10 + degrees)), **whole)
    assert (value(result) == says) if says else (reason(result) == "ambiguous")
    amount = ask(boxes((0, 0, 1)), "camera_turned", filmed((10, 10 + degrees)), **whole)
    if abs(degrees) > margins.TURNED_DEG[1]:
        assert value(amount) == round(abs(degrees))
    else:
        assert reason(amount) == "ambiguous"


@pytest.mark.parametrize(
    ("shift", "says"),
    [((0, 0, 0), "stays"), ((0.04, 0, 0), "stays"), ((0.06, 0, 0), None), ((0.24, 0, 0), None),
     ((0.3, 0, 0), "goes_right"),
     ((-0.3, 0, 0), "goes_left"), ((0, 0.3, 0), "goes_in"), ((0, -0.3, 0), "goes_out"), ((0, 0, 0.3), "goes_up"),
     ((0, 0, -0.3), "goes_down"), ((0.3, 0.25, 0), None)],
)  # fmt: skip
@pytest.mark.parametrize("yaw", [0, 130])
def test_the_camera_goes_where_it_faced_at_first(
    shift: tuple[float, float, float], says: str | None, yaw: float
) -> None:
    turned = geometry.rotate(geometry.quat_from_axis_angle([0, 0, 1], np.radians(yaw)), shift)
    camera = filmed((yaw, yaw + 20), ((0, -2, 1.5), np.add((0, -2, 1.5), turned)))
    result = ask(boxes((0, 0, 1)), "camera_shift", camera, since=START, until=END)
    assert (value(result) == says) if says else (reason(result) == "ambiguous")


def test_sides_from_the_other_end_of_the_clip() -> None:
    """From behind, left is right; of things in one line of sight none is to a side."""
    behind = filmed((0, 180), ((0, -2, 1.5), (0, 2, 1.5)))
    m = boxes((-0.3, 0, 1), (0.3, 0, 1))
    both = {"of": named("a"), "by": named("b")}
    assert value(ask(m, "side_from", behind, **both, at=START, seen=START)) == "left"
    assert value(ask(m, "side_from", behind, **both, at=START, seen=END)) == "right"
    swapped = {"of": named("b"), "by": named("a")}
    assert value(ask(m, "side_from", behind, **swapped, at=START, seen=END)) == "left"
    line = boxes((0, -0.3, 1), (0, 0.3, 1))
    assert reason(ask(line, "side_from", behind, **both, at=START, seen=END)) == "ambiguous"


# ---- Expressions and options ---------------------------------------------------------------------


def test_expressions_mean_one_thing_only_and_need_what_they_say() -> None:
    ways: Counter[str] = Counter()
    for seed in range(8):
        facts, camera, _ = clip(seed)
        stock = Stock(View(facts, camera), np.random.default_rng(seed), load())
        for moment in (stock.start(), stock.end()):
            for id in stock.seen:
                if stock.view.thing(id).role != "prop":
                    continue
                for ref in relations(stock, id, moment):
                    assert value(execute(ref.program, facts, camera)) == id
                    thing = stock.view.thing(id)
                    like = [o for o in facts.objects if o.label.en == thing.label.en]
                    assert len(like) > 1 or ref.text.en.startswith("the object "), ref.text.en
                    op = ref.program["op"]
                    ways[ref.program["of"]["op"] if op == "unique" else op] += 1
    assert {"on", "beside", "befell", "nearest", "farthest"} <= set(ways), ways


def test_neither_place_nor_size_of_a_box_tells_which_is_right() -> None:
    places: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for seed in range(10):
        facts, camera, _ = clip(seed)
        rng = np.random.default_rng([seed, 3])
        stock = Stock(View(facts, camera), rng, load())
        for _ in range(6):
            for done in answered(KINDS["grounding.box2d"], stock):
                found = options(done.value, done.draft.pool, facts, rng)  # type: ignore[arg-type]
                if found is None or len(found[0]) < 4:
                    continue
                texts, place = found
                area = [_area(t.en) for t in texts]
                places[place] += 1
                sizes[sorted(area).index(area[place])] += 1
    assert places.total() > 400
    for counts in (places, sizes):
        assert all(0.18 <= counts[k] / counts.total() <= 0.32 for k in range(4)), counts


def _area(text: str) -> float:
    x0, y0, x1, y1 = (float(n) for n in text.strip("[]").split(", "))
    return (x1 - x0) * (y1 - y0)
