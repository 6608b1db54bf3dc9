"""The answer-program language: it is total, its operations keep their laws, its margins refuse."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from facts_maker import FPS, Maker, T, cone, kitchen, label, orbit
from hypothesis import given, settings
from hypothesis import strategies as st

from synth4d import geometry
from synth4d.errors import SynthError
from synth4d.program import OPS, ProgramError, Refusal, Value, answer, compare, execute, grammar, margins, parse, word
from synth4d.program.agree import box2d_iou, box3d_iou, interval_iou
from synth4d.program.language import DEPTH, NODES
from synth4d.program.operations import ANSWERS, CLAIMS, WIDER, Key, Num, Nums, Said, Sub, Word
from synth4d.program.view import number
from synth4d.records import CameraRecord, Facts, JointFact, ObjectFact

START, END = {"op": "start"}, {"op": "end"}


def named(text: str, colour: str | None = None) -> dict[str, Any]:
    found = {"op": "filter", "label": text} | ({"colour": colour} if colour else {})
    return {"op": "unique", "of": found}


def reason(result: Value | Refusal) -> str:
    assert isinstance(result, Refusal), result
    return result.reason


def value(result: Value | Refusal) -> Any:
    assert isinstance(result, Value), result
    return result.value


def boxes(*places: tuple[float, float, float], size: tuple[float, float, float] = (0.2, 0.2, 0.2)) -> Maker:
    """Things named a, b, c … at places."""
    m = Maker()
    for name, place in zip("abcdef", places, strict=False):
        m.add(name, label(name, name), place, size)
    return m


def ask(m: Maker, program: dict[str, Any], camera: CameraRecord | None = None) -> Value | Refusal:
    camera = camera or orbit()
    return execute(program, m.facts(camera), camera)


@lru_cache(maxsize=4)
def clip(seed: int) -> tuple[Facts, CameraRecord, Facts]:
    return kitchen(seed)


# ---- The language is total -----------------------------------------------------------------------

ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(sorted(OPS))
KEYS = st.sampled_from(["op", "of", "at", "object", "a", "b", "event", "kind", "s", "since", "until", "x"])
JUNK = st.recursive(ATOMS, lambda s: st.lists(s, max_size=4) | st.dictionaries(KEYS, s, max_size=5), max_leaves=24)


@given(JUNK)
@settings(max_examples=250, deadline=None)
def test_any_json_gives_a_value_a_refusal_or_the_one_error(junk: Any) -> None:
    facts, camera, _ = clip(1)
    try:
        result = execute(junk, facts, camera)
    except ProgramError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(result, Value | Refusal)


def build(rng: np.random.Generator, type: str, facts: Facts, depth: int) -> dict[str, Any]:
    """A random well-typed program."""
    fits = [
        o for o in OPS.values()
        if type in (o.result, WIDER.get(o.result)) or (o.elsewhere and type in ANSWERS)
        or (type == "claim" and o.name in CLAIMS)
    ]  # fmt: skip
    if depth <= 0:
        leaf = [o for o in fits if not any(isinstance(f, Sub) and not f.optional for f in o.fields.values())]
        fits = leaf or fits
    chosen = fits[int(rng.integers(len(fits)))]
    node: dict[str, Any] = {"op": chosen.name}
    for key, field in chosen.fields.items():
        if field.optional and (depth <= 0 or rng.random() < 0.5):
            continue
        if isinstance(field, Sub) and field.many:
            node[key] = [build(rng, field.type, facts, depth - 1) for _ in range(field.many[0])]
        elif isinstance(field, Sub):
            node[key] = build(rng, type if field.type == "answer" else field.type, facts, depth - 1)
        elif isinstance(field, Word):
            node[key] = str(rng.choice(field.among))
        elif isinstance(field, Num):
            node[key] = float(np.round(rng.uniform(field.low, 8), 2))
        elif isinstance(field, Nums):
            node[key] = _somewhere(rng, facts, field.count, int(rng.integers(T)))
        elif isinstance(field, Said):
            node[key] = [True, 2, 2.5, "open", "on:3", [1.5, 2.5], [3, 4]][int(rng.integers(7))]
        else:
            assert isinstance(field, Key)
            thing = facts.objects[int(rng.integers(len(facts.objects)))]
            colour = thing.colour.key if thing.colour else "red"
            node[key] = {"label": thing.label.en, "category": thing.category, "colour": colour}[key]
    return node


def _somewhere(rng: np.random.Generator, facts: Facts, count: int, frame: int) -> list[float]:
    """A box, pixel or place of a thing, or of none."""
    seen = [o for o in facts.objects if o.visible2d[frame] and o.role != "liquid"]
    thing = seen[int(rng.integers(len(seen)))]
    if rng.random() < 0.3:
        return rng.uniform(0, 200, count).round(1).tolist()
    return {2: thing.inner[frame][:2], 3: thing.box[frame][:3], 4: thing.visible2d[frame]}[count]


@pytest.mark.parametrize("seed", range(8))
def test_every_well_typed_program_answers_or_refuses_and_answers_are_worded(seed: int) -> None:
    facts, camera, pixels = clip(seed % 4)
    rng = np.random.default_rng(seed)
    done = 0
    for _ in range(400):  # the more operations there are, the fewer programs drawn blindly have an answer
        program = build(rng, str(rng.choice(ANSWERS)), facts, int(rng.integers(2, 5)))
        try:
            checked = parse(program)
        except ProgramError as error:
            assert "too large" in str(error)
            continue
        for witness in (facts, pixels):
            result = execute(checked, witness, camera)
            if isinstance(result, Value):
                done += 1
                record = answer(result, witness)
                assert record.text.en and record.text.zh
                json.dumps(record.model_dump(), allow_nan=False)
                assert result == execute(program, witness, camera)
                assert compare(result, result)
            else:
                assert result.reason in ("ambiguous", "not visible", "undefined") and result.detail
    assert done >= 5


def nest(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"op": "filter"}
    for _ in range(levels):
        node = {"op": "filter", "of": node}
    return {"op": "count", "of": node}


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ({"op": "uniqe", "of": {"op": "filter"}}, "did you mean unique"),
        ([], "expected {'op'"),
        ({"op": ["count"]}, "no operation"),
        ({"op": "count"}, "needs the field 'of'"),
        ({"op": "count", "of": {"op": "start"}}, "expected things, but start gives moment"),
        ({"op": "count", "of": {"op": "filter"}, "at": 1}, "has no field 'at'"),
        ({"op": "filter", "category": 5}, "expected a word"),
        ({"op": "filter", "category": "m" * 500}, "at most 80"),
        ({"op": "is", "object": named("a"), "state": "ajar", "at": START}, "not one of: open, closed"),
        ({"op": "visible", "of": {"op": "filter"}, "at": {"op": "time", "s": float("nan")}}, "expected a number"),
        ({"op": "visible", "of": {"op": "filter"}, "at": {"op": "time", "s": 10**400}}, "a huge number"),
        ({"op": "start"}, "no answer"),
        ({"op": "these", "of": [named("a")] * 9}, "a list of 1 to 6"),
        ({"op": "order", "of": named("a")}, "a list of 2 to 4"),
        (nest(DEPTH), f"at most {DEPTH} levels and {NODES} operations"),
        (nest(5000), "too large"),
    ],
)
def test_a_wrong_program_is_told_what_and_where(program: Any, says: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse(program)
    assert says in str(caught.value) and str(caught.value).startswith("program")
    assert isinstance(caught.value, SynthError)


def test_a_wide_program_is_capped() -> None:
    wide = {"op": "these", "of": [named("a")] * 6}
    for _ in range(3):
        wide = {"op": "these", "of": [{"op": "nearest", "to": named("a"), "of": wide, "at": START}] * 6}
    with pytest.raises(ProgramError, match="too large"):
        parse(wide)


def test_the_grammar_names_every_operation() -> None:
    lines = grammar().splitlines()
    assert len(lines) == len(OPS)
    assert all(line.split("(")[0] in OPS and line.split(": ")[-1] for line in lines)


def test_facts_with_a_short_track_are_refused() -> None:
    facts, camera, _ = clip(1)
    bad = facts.objects[0].model_copy(update={"pixels": [1, 2, 3]})
    with pytest.raises(SynthError, match="neither 1 nor 24"):
        execute({"op": "count", "of": {"op": "filter"}}, facts.model_copy(update={"objects": [bad]}), camera)


# ---- Sets and counts -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_brute_force(seed: int) -> None:
    facts, camera, _ = clip(seed)
    for category in {o.category for o in facts.objects if o.role == "prop"}:
        counted = execute({"op": "count", "of": {"op": "filter", "category": category}}, facts, camera)
        assert value(counted) == sum(o.category == category for o in facts.objects)
    top = next(o for o in facts.objects if o.name.startswith("worktop_2"))
    held = execute({"op": "count", "of": {"op": "on", "object": named("right worktop"), "at": END}}, facts, camera)
    assert value(held) == sum(o.support[-1] == top.id for o in facts.objects)


def test_the_barely_visible_make_a_count_ambiguous() -> None:
    m = boxes((0, 0, 1), (0.4, 0, 1))
    facts = m.facts(orbit())
    things = {"op": "seen", "of": {"op": "filter"}}
    assert value(execute({"op": "count", "of": things}, facts, orbit())) == 2
    for pixels, expected in ((20, "ambiguous"), (0, 1)):
        dim = facts.objects[1].model_copy(update={"pixels": [pixels] * T})
        few = facts.model_copy(update={"objects": [facts.objects[0], dim]})
        result = execute({"op": "count", "of": things}, few, orbit())
        assert (reason(result) if expected == "ambiguous" else value(result)) == expected
    hidden = facts.objects[1].model_copy(update={"occluded": [0.9] * T})
    few = facts.model_copy(update={"objects": [facts.objects[0], hidden]})
    assert reason(execute({"op": "count", "of": things}, few, orbit())) == "ambiguous"


def test_a_thing_without_a_named_colour_leaves_existence_open() -> None:
    m = Maker()
    m.add("mug", label("mug", "马克杯"), (0, 0, 1), (0.2, 0.2, 0.2), colour="red")
    program = {"op": "exists", "of": {"op": "seen", "of": {"op": "filter", "category": "mug", "colour": "blue"}}}
    assert value(ask(m, program)) is False
    m.add("mug", label("mug", "马克杯"), (0.5, 0, 1), (0.2, 0.2, 0.2))
    assert reason(ask(m, program)) == "ambiguous"


def test_unique_refuses_none_and_many() -> None:
    m = boxes((0, 0, 1), (0.4, 0, 1))
    assert value(ask(m, named("a"))) == 1
    assert reason(ask(m, named("z"))) == "undefined"
    assert reason(ask(m, {"op": "unique", "of": {"op": "filter"}})) == "ambiguous"


def test_what_is_shut_away_is_remembered() -> None:
    m = Maker()
    drawer = m.add("drawer", label("drawer", "抽屉"), (0, 0, 1), (0.4, 0.4, 0.2), "part")
    mug = m.add("mug", label("mug", "马克杯"), (0, 0, 1), (0.1, 0.1, 0.1), inside=[drawer] * T)
    facts = m.facts(orbit())
    known = [drawer if f < 6 else None for f in range(T)]
    pixels = [200 if f < 6 else 0 for f in range(T)]
    thing = facts.objects[mug - 1].model_copy(update={"inside": known, "pixels": pixels})
    seen = facts.model_copy(update={"objects": [facts.objects[0], thing]})
    inside = {"op": "inside", "object": named("drawer"), "at": END}
    assert value(execute({"op": "remembered", "of": inside, "until": END}, seen, orbit())) == [mug]
    assert value(execute({"op": "where", "object": named("mug"), "at": END}, seen, orbit())) == f"in:{drawer}"
    never = thing.model_copy(update={"pixels": [0] * T, "inside": [None] * T})
    blind = facts.model_copy(update={"objects": [facts.objects[0], never]})
    assert reason(execute({"op": "where", "object": named("mug"), "at": END}, blind, orbit())) == "not visible"
    aside = [0.5, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    where = {"op": "where", "object": named("mug"), "at": END}
    for box, says in (
        (thing.box, f"in:{drawer}"),
        ([*thing.box[:9], *[aside] * 15], None),
        ([*thing.box[:9], *[None] * 15], None),
    ):
        in_sight = thing.model_copy(update={"pixels": [200] * T, "box": box})
        result = execute(where, facts.model_copy(update={"objects": [facts.objects[0], in_sight]}), orbit())
        assert (reason(result) == "not visible") if says is None else (value(result) == says)


def test_what_is_seen_apart_is_not_on_it_though_its_support_is_unknown() -> None:
    m = boxes((0, 0, 1), (0, 0, 1.2), (1.0, 0, 1))
    facts = m.facts(orbit())
    program = {"op": "count", "of": {"op": "on", "object": named("a"), "at": START}}
    for dim, says in ((2, "ambiguous"), (3, 0)):
        objects = [o.model_copy(update={"support": [None]}) if o.id == dim else o for o in facts.objects]
        result = execute(program, facts.model_copy(update={"objects": objects}), orbit())
        assert (reason(result) if says == "ambiguous" else value(result)) == says


# ---- Space ---------------------------------------------------------------------------------------


def test_distance_is_symmetric_exact_and_zero_inside() -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        m = Maker()
        a, b = rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 3)
        m.add("a", label("a", "a"), a, (0.3, 0.2, 0.1), yaw=rng.uniform(0, 3))
        m.add("b", label("b", "b"), b, (0.1, 0.4, 0.2), yaw=rng.uniform(0, 3))
        there = ask(m, {"op": "distance", "a": named("a"), "b": named("b"), "at": START})
        back = ask(m, {"op": "distance", "a": named("b"), "b": named("a"), "at": START})
        assert there == back
        grid = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 9)] * 3), -1).reshape(-1, 3)
        clouds = [geometry.apply_pose(m.get(i)["box"][0], grid * m.get(i)["size"]) for i in (1, 2)]
        sampled = np.sqrt(((clouds[0][:, None] - clouds[1][None]) ** 2).sum(-1)).min()
        if isinstance(there, Value):
            assert sampled - 0.06 <= there.value <= sampled + 0.005
        else:
            assert sampled <= margins.DISTANCE_M + 0.06
    inner = boxes((0, 0, 1), (0.05, 0, 1))
    assert value(ask(inner, {"op": "distance", "a": named("a"), "b": named("b"), "at": START})) == 0


def test_distance_to_the_camera_is_to_the_nearest_point() -> None:
    m = boxes((0, 0, 1.75))
    camera = orbit(sweep=0.0, distance=2.0)
    level = camera.model_copy(update={"T_world_cam": [geometry.look_at([0, -2, 1.75], [0, 0, 1.75]).tolist()] * T})
    program = {"op": "distance", "a": {"op": "camera"}, "b": named("a"), "at": START}
    assert value(ask(m, program, level)) == pytest.approx(1.9)


@pytest.mark.parametrize(("second", "fits"), [(0.9, True), (0.62, False), (1.1, True)])
def test_nearest_needs_both_margins(second: float, fits: bool) -> None:
    m = boxes((0, 0, 1), (0.7, 0, 1), (0, 0.2 + second, 1))  # a to b: 0.5 m, a to c: `second`
    these = {"op": "these", "of": [named("b"), named("c")]}
    result = ask(m, {"op": "nearest", "to": named("a"), "of": these, "at": START})
    assert (value(result) == 2) if fits else (reason(result) == "ambiguous")
    far = ask(m, {"op": "farthest", "to": named("a"), "of": these, "at": START})
    assert (value(far) == 3) if fits else (reason(far) == "ambiguous")


def around(angle_deg: float) -> Maker:
    """a at the centre, b to the +x of it, c at an angle counter-clockwise from b."""
    c = np.radians(angle_deg)
    return boxes((0, 0, 1), (1.2, 0, 1), (2.0 * np.cos(c), 2.0 * np.sin(c), 1), size=(0.1, 0.1, 0.1))


@given(st.floats(0, 360))
@settings(max_examples=60, deadline=None)
def test_direction_turns_with_the_world_and_keeps_a_two_sided_margin(angle: float) -> None:
    program = {"op": "direction", "of": named("c"), "standing_at": named("a"), "facing": named("b"), "at": START}
    result = ask(around(angle), program)
    from_border = abs((angle + 45) % 90 - 45) - 45
    if abs(from_border) < margins.SECTOR_DEG - 0.01:
        assert reason(result) == "ambiguous"
    elif abs(from_border) > margins.SECTOR_DEG + 0.01:
        found = ["front", "left", "behind", "right"][int((angle + 45) // 90 % 4)]
        if isinstance(result, Value):
            assert result.value == found
        else:
            assert angle % 360 < 40 or angle % 360 > 320  # c too near to b to be told apart
        turned = ask(around((angle + 180) % 360), program)
        if isinstance(result, Value) and isinstance(turned, Value):
            opposite = {"front": "behind", "behind": "front", "left": "right", "right": "left"}
            assert turned.value == opposite[result.value]


def test_side_is_the_viewer_s_and_swaps() -> None:
    m = boxes((-0.5, 0, 0.9), (0.5, 0, 0.9), (-0.5, 0.8, 0.9))  # the camera looks along +y
    sides = {
        (a, b): value(ask(m, {"op": "side", "of": named(a), "by": named(b), "at": START}, orbit(sweep=0.0)))
        for a, b in ("ab", "ba", "ca", "ac")
    }
    assert sides == {("a", "b"): "left", ("b", "a"): "right", ("c", "a"): "behind", ("a", "c"): "front"}


def test_depth_order_needs_whole_boxes_apart() -> None:
    order = {"op": "depth_order", "of": [named("a"), named("b")], "at": START}
    assert value(ask(boxes((0, 0.6, 0.9), (0.3, -0.2, 0.9)), order, orbit(sweep=0.0))) == [2, 1]
    assert reason(ask(boxes((0, 0.2, 0.9), (0.3, -0.1, 0.9)), order, orbit(sweep=0.0))) == "ambiguous"


@pytest.mark.parametrize(("height", "fits"), [(0.25, True), (0.22, False)])
def test_the_taller_is_taller_by_a_fifth(height: float, fits: bool) -> None:
    m = Maker()
    m.add("a", label("a", "a"), (0, 0, 1), (0.4, 0.4, 0.2))
    m.add("b", label("b", "b"), (1, 0, 1), (0.1, 0.1, height))
    these = {"op": "these", "of": [named("a"), named("b")]}
    result = ask(m, {"op": "biggest", "by": "height", "of": these, "at": START})
    assert (value(result) == 2) if fits else (reason(result) == "ambiguous")
    assert value(ask(m, {"op": "size", "object": named("b"), "by": "height", "at": START})) == 100 * height
    assert value(ask(m, {"op": "size", "object": named("a"), "by": "length", "at": START})) == 40


def test_a_tilted_thing_has_no_height() -> None:
    m = boxes((0, 0, 1))
    m.get(1)["box"] = [[0, 0, 1, *geometry.quat_from_axis_angle([1, 0, 0], 0.5)]] * T
    assert reason(ask(m, {"op": "size", "object": named("a"), "by": "height", "at": START})) == "ambiguous"


def seen_from(pixels: dict[str, list[int]]) -> Facts:
    facts = boxes(*[(0.3 * i, 0, 1) for i in range(len(pixels))]).facts(orbit())
    objects = [o.model_copy(update={"pixels": pixels[o.label.en]}) for o in facts.objects]
    return facts.model_copy(update={"objects": objects})


def test_appearances_half_a_second_apart_are_ordered() -> None:
    order = {"op": "appearance_order", "of": [named("a"), named("b")]}
    late = [0] * 3 + [300] * (T - 3)
    assert value(execute(order, seen_from({"a": late, "b": [300] * T}), orbit())) == [2, 1]
    close = [0] + [300] * (T - 1)
    assert reason(execute(order, seen_from({"a": close, "b": [300] * T}), orbit())) == "ambiguous"
    # Glimpsed at once but clear only later: which came first is not for a viewer to say.
    dim = [0] + [10] * 5 + [300] * (T - 6)
    assert reason(execute(order, seen_from({"a": dim, "b": [0] * 3 + [300] * (T - 3)}), orbit())) == "ambiguous"
    assert reason(execute(order, seen_from({"a": [10] * T, "b": late}), orbit())) == "not visible"


# ---- States --------------------------------------------------------------------------------------


def door(openness: list[float]) -> Maker:
    m = Maker()
    joint = JointFact(type="slide", axis=[0, -1, 0], anchor=[0, 0, 0], closed=0.0, open=0.4)
    m.add(
        "drawer",
        label("drawer", "抽屉"),
        (0, 0, 1),
        (0.4, 0.4, 0.2),
        "part",
        joint=joint,
        openness=openness,
        y_shut=0.0,
    )
    return m


@pytest.mark.parametrize(
    ("cm", "says"), [(0.0, False), (1.2, False), (1.3, None), (9.9, None), (10.0, True), (40.0, True)]
)
def test_open_from_a_quarter_closed_to_three_per_cent(cm: float, says: bool | None) -> None:
    program = {"op": "is", "object": named("drawer"), "state": "open", "at": START}
    result = ask(door([cm] * T), program)
    assert (reason(result) == "ambiguous") if says is None else (value(result) is says)
    closed = ask(door([cm] * T), {**program, "state": "closed"})
    assert isinstance(closed, Refusal) or value(closed) is not says


def test_a_state_through_a_span_must_hold_all_the_while() -> None:
    m = door([0.0] * 10 + [30.0] * 14)
    span = {"op": "between", "since": START, "until": {"op": "time", "s": 2.0}}
    program = {"op": "state", "object": named("drawer"), "aspect": "open", "at": span}
    assert value(ask(m, program)) == "closed"
    assert reason(ask(m, {**program, "at": {"op": "between", "since": START, "until": END}})) == "ambiguous"


def test_openness_has_its_joint_s_unit() -> None:
    program = {"op": "openness", "object": named("drawer"), "at": END}
    result = ask(door([12.34] * T), program)
    assert (value(result), result.unit) == (12.3, "cm")  # type: ignore[union-attr]
    assert value(ask(door([12.34] * T), {**program, "share": "range"})) == 31
    assert reason(ask(door([3.0] * T), program)) == "ambiguous"
    assert reason(ask(boxes((0, 0, 1)), {**program, "object": named("a")})) == "undefined"


def test_unknown_states_are_not_visible() -> None:
    m = door([None] * T)  # type: ignore[list-item]
    assert reason(ask(m, {"op": "is", "object": named("drawer"), "state": "open", "at": START})) == "not visible"


# ---- Change --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("metres", "says"), [(0.04, False), (0.08, None), (0.13, True)])
def test_moved_has_a_margin(metres: float, says: bool | None) -> None:
    m = boxes((0, 0, 1))
    m.get(1)["box"] = [[metres * (f == T - 1), 0, 1, 1, 0, 0, 0] for f in range(T)]
    result = ask(m, {"op": "moved", "object": named("a"), "since": START, "until": END})
    assert (reason(result) == "ambiguous") if says is None else (value(result) is says)


@pytest.mark.parametrize(
    ("shift", "way"),
    [
        ((-0.5, 0), "moved_left"),
        ((0.5, 0), "moved_right"),
        ((0, -0.5), "closer"),
        ((0, 0.5), "farther"),
        ((0, 0), "still"),
    ],
)
def test_movement_is_seen_from_the_first_camera(shift: tuple[float, float], way: str) -> None:
    m = boxes((0, 0, 1))
    m.get(1)["box"] = [[shift[0] * (f > 9), shift[1] * (f > 9), 1, 1, 0, 0, 0] for f in range(T)]
    program = {"op": "movement", "object": named("a"), "since": START, "until": END}
    assert value(ask(m, program, orbit(sweep=0.0))) == way


def test_what_rides_in_a_drawer_has_not_changed_but_the_drawer_has() -> None:
    m = door([0.0] * T)
    m.add("mug", label("mug", "马克杯"), (0, 0, 1), (0.1, 0.1, 0.1), inside=[1] * T)
    m.swing(1, 30.0, 1.0, 2.0)
    m.get(2)["box"] = [[*m.get(1)["box"][f][:3], 1.0, 0.0, 0.0, 0.0] for f in range(T)]
    assert value(ask(m, {"op": "changed", "since": START, "until": END})) == [1]
    assert reason(ask(m, {"op": "moved", "object": named("mug"), "since": START, "until": END})) == "ambiguous"


def test_no_change_is_nothing_and_an_unseen_event_is_doubt() -> None:
    facts, camera, _ = kitchen(7, "control")
    program = {"op": "changed", "since": START, "until": END}
    nothing = execute(program, facts, camera)
    assert value(nothing) == [] and word(nothing, facts).en == "Nothing"  # type: ignore[arg-type]
    m = door([0.0] * T)
    m.swing(1, 30.0, 1.0, 2.0)
    facts = m.facts(orbit())
    blind = facts.objects[0].model_copy(update={"openness": [None] * T})
    assert reason(execute(program, facts.model_copy(update={"objects": [blind]}), orbit())) == "ambiguous"


def test_restored_needs_a_change_in_between() -> None:
    program = {"op": "restored", "object": named("drawer"), "since": START, "until": END}
    assert value(ask(door([0.0] * 8 + [30.0] * 8 + [0.0] * 8), program)) is True
    assert value(ask(door([0.0] * 12 + [30.0] * 12), program)) is False
    assert reason(ask(door([0.0] * T), program)) == "undefined"


def test_lifted_and_put_back_is_not_still() -> None:
    m = boxes((0, 0, 1))
    m.event("pour", 1, 1.0, 2.0, target=1)
    assert reason(ask(m, {"op": "moved", "object": named("a"), "since": START, "until": END})) == "ambiguous"


# ---- Time ----------------------------------------------------------------------------------------


def busy(*spans: tuple[float, float]) -> Maker:
    m = boxes(*[(0.3 * i, 0, 1) for i in range(len(spans))])
    for i, (start, end) in enumerate(spans):
        m.event("push", i + 1, start, end)
    return m


def pushed(name: str) -> dict[str, Any]:
    return {"op": "event", "kind": "motion", "object": named(name)}


@given(st.floats(0.5, 4.0), st.floats(0.5, 1.5))
@settings(max_examples=40, deadline=None)
def test_before_and_after_stand_clear_of_the_event(start: float, length: float) -> None:
    from synth4d.program import View, frame_after, frame_before

    facts = busy((start, start + length)).facts(orbit())
    event, view = facts.events[0], View(facts, orbit())
    before, after = frame_before(view, event) / FPS, frame_after(view, event) / FPS
    assert event.start_s - margins.GUARD_S - 1 / FPS <= before <= event.start_s - margins.GUARD_S + 1e-6
    assert event.end_s + margins.GUARD_S - 1e-6 <= after <= event.end_s + margins.GUARD_S + 1 / FPS


def test_order_needs_half_a_second() -> None:
    program = {"op": "order", "of": [pushed("a"), pushed("b")]}
    assert value(ask(busy((1.5, 2.0), (1.0, 3.0)), program)) == [2, 1]
    assert reason(ask(busy((1.4, 2.0), (1.0, 3.0)), program)) == "ambiguous"
    assert value(ask(busy((1.5, 2.0), (1.0, 3.0)), {"op": "earliest", "of": program["of"]})) == "motion:2"
    twice = busy((1.5, 2.0), (1.0, 1.4))
    twice.event("push", 2, 3.0, 4.0)
    assert reason(ask(twice, program)) == "ambiguous"


def test_first_and_last_of_all_events() -> None:
    m = busy((1.5, 2.0), (0.5, 3.0), (3.0, 3.5))
    assert value(ask(m, {"op": "first", "of": {"op": "events"}})) == "motion:2"
    assert value(ask(m, {"op": "object_of", "event": {"op": "last", "of": {"op": "events"}}})) == 3
    assert reason(ask(m, {"op": "first", "of": {"op": "events", "kind": "open"}})) == "undefined"


@pytest.mark.parametrize(
    ("second", "says"), [((1.0, 2.0), True), ((2.0, 3.0), None), ((1.7, 3.0), None), ((2.5, 3.0), False)]
)
def test_overlap_and_gap_need_half_a_second(second: tuple[float, float], says: bool | None) -> None:
    result = ask(busy((0.5, 2.0), second), {"op": "overlap", "a": pushed("a"), "b": pushed("b")})
    assert (reason(result) == "ambiguous") if says is None else (value(result) is says)


def test_intervals_and_durations() -> None:
    m = busy((1.0, 2.25), (3.0, 3.2), (5.0, 7.0))
    assert value(ask(m, {"op": "interval", "event": pushed("a")})) == [1.0, 2.25]
    assert value(ask(m, {"op": "duration", "event": pushed("a")})) == 1.25
    assert reason(ask(m, {"op": "duration", "event": pushed("b")})) == "ambiguous"
    assert reason(ask(m, {"op": "interval", "event": pushed("c")})) == "not visible"


@pytest.mark.parametrize(("span", "says"), [((0.0, 2.0), True), ((2.5, 5.0), False), ((1.9, 3.0), None)])
def test_within_a_span_or_out_of_it(span: tuple[float, float], says: bool | None) -> None:
    within = {"op": "between", **{k: {"op": "time", "s": s} for k, s in zip(("since", "until"), span, strict=True)}}
    result = ask(busy((1.0, 2.0)), {"op": "happens", "of": {"op": "events", "within": within}})
    assert (reason(result) == "ambiguous") if says is None else (value(result) is says)


def test_a_moment_outside_the_video_is_undefined() -> None:
    late = {"op": "count", "of": {"op": "visible", "of": {"op": "filter"}, "at": {"op": "time", "s": 6.5}}}
    assert reason(ask(boxes((0, 0, 1)), late)) == "undefined"
    first = {"op": "is", "object": named("a"), "state": "open", "at": {"op": "before", "event": pushed("a")}}
    assert reason(ask(busy((0.0, 1.0)), first)) == "undefined"


def test_causes_are_the_event_s_parties() -> None:
    m = boxes((0, 0, 1), (0.4, 0, 1))
    m.event("turn_on", 1, 1.0, 1.5, source=2)
    event = {"op": "event", "kind": "turn_on", "object": named("a")}
    assert value(ask(m, {"op": "source_of", "event": event})) == 2
    assert reason(ask(m, {"op": "target_of", "event": event})) == "undefined"


# ---- Agreement -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "agree"),
    [
        (number(1.0, "m"), number(1.15, "m"), True),
        (number(1.0, "m"), number(1.25, "m"), False),
        (number(0.3, "m"), number(0.4, "m"), True),
        (number(4, "cm"), number(9, "cm"), True),
        (number(40, "deg"), number(51, "deg"), False),
        (number(1.0, "m"), number(1.0, "cm"), False),
        (number(60, "%"), number(75, "%"), True),
        (Value("int", 3), Value("int", 4), False),
        (Value("bool", True), Value("int", 1), False),
        (Value("choice", "left"), Value("choice", "left"), True),
        (Value("objects", [1, 2], ordered=True), Value("objects", [2, 1], ordered=True), False),
        (Value("interval", [1.0, 2.0], "s"), Value("interval", [1.7, 2.7], "s"), True),
        (Value("interval", [1.0, 2.0], "s"), Value("interval", [1.8, 2.1], "s"), False),
        (Value("interval", [0.0, 5.0], "s"), Value("interval", [1.0, 5.0], "s"), True),
        (Value("point2d", [10.0, 10.0]), Value("point2d", [17.0, 4.0]), True),
        (Value("pose", [0, 0, 0, 1, 0, 0, 0]), Value("pose", [0.05, 0, 0, -1, 0, 0, 0]), True),
        (Value("pose", [0, 0, 0, 1, 0, 0, 0]), Value("pose", [0, 0, 0, 0, 0, 0, 1]), True),
        (Value("pose", [0, 0, 0, 1, 0, 0, 0]), Value("pose", [0, 0, 0, 0.7071, 0, 0, 0.7071]), False),
    ],
)
def test_agreement(a: Value, b: Value, agree: bool) -> None:
    assert compare(a, b) is agree and compare(b, a) is agree


def test_box_overlaps_match_hand_counts_and_sampling() -> None:
    assert box2d_iou([0, 0, 2, 2], [1, 0, 3, 2]) == pytest.approx(1 / 3)
    assert interval_iou([0, 2], [1, 3]) == pytest.approx(1 / 3)
    box = {"center": [0.0, 0.0, 0.0], "size": [2.0, 2.0, 2.0], "quat_wxyz": [1.0, 0.0, 0.0, 0.0]}
    assert box3d_iou(box, box) == pytest.approx(1)
    assert box3d_iou(box, {**box, "center": [1.0, 0.0, 0.0]}) == pytest.approx(1 / 3)
    assert box3d_iou(box, {**box, "center": [5.0, 0.0, 0.0]}) == 0
    turned = {**box, "quat_wxyz": list(geometry.quat_from_axis_angle([0, 0, 1], np.pi / 4))}
    octagon = 8 * (np.sqrt(2) - 1)
    assert box3d_iou(box, turned) == pytest.approx(octagon / (8 - octagon))


# ---- Wording -------------------------------------------------------------------------------------


def test_answers_are_worded_naturally() -> None:
    m = Maker()
    m.add("mug", label("mug", "马克杯"), (0, 0, 1), (0.1, 0.1, 0.1), colour="red")
    m.add("mug", label("mug", "马克杯"), (0.5, 0, 1), (0.1, 0.1, 0.1), colour="blue")
    m.add("orange", label("orange", "橙子"), (1, 0, 1), (0.1, 0.1, 0.1), colour="orange")
    for x in (1.2, 1.5):
        m.add("book", label("book", "书", "本"), (x, 0, 1), (0.1, 0.1, 0.1), colour="orange")
    m.add("drawer", label("top drawer", "最上层的抽屉"), (0, 0, 0), (1, 1, 0.2), "part")
    m.event("pour", 1, 1, 2, target=2)
    m.event("open", 6, 1, 2)
    facts = m.facts(orbit())
    said = {
        Value("object", 1): ("The red mug", "红色的马克杯"),
        Value("object", 3): ("The orange", "橙子"),
        Value("object", 4): ("An orange book", "一本橙色的书"),
        Value("int", 2): ("2", "两个"),
        Value("int", 2, measure="本"): ("2", "两本"),
        Value("int", 12, measure="本"): ("12", "12本"),
        Value("bool", False): ("No", "否"),
        number(1.27, "m"): ("1.3 m", "1.3米"),
        number(0.354, "m"): ("0.35 m", "0.35米"),
        number(37.2, "deg"): ("37 degrees", "37度"),
        number(8.24, "cm"): ("8.2 cm", "8.2厘米"),
        number(23.6, "cm"): ("24 cm", "24厘米"),
        number(81.7, "%"): ("82%", "82%"),
        Value("choice", "in:6"): ("In the top drawer", "在最上层的抽屉里"),
        Value("choice", "open:6"): ("The top drawer opens", "最上层的抽屉被打开"),
        Value("choice", "pour:1"): ("The red mug pours into the blue mug", "红色的马克杯往蓝色的马克杯里倒液体"),
        Value("choice", "moved_left"): ("To the left", "向左"),
    }
    for v, (en, zh) in said.items():
        assert (word(v, facts).en, word(v, facts).zh) == (en, zh)
    pair = Value("objects", [1, 6])
    assert word(pair, facts).zh == "红色的马克杯和最上层的抽屉"
    order = Value("objects", [6, 1, 3], ordered=True)
    assert word(order, facts).en == "The top drawer, then the red mug, then the orange"
    assert word(order, facts).zh == "先是最上层的抽屉\uff0c然后是红色的马克杯\uff0c最后是橙子"
    span = Value("interval", [1.0, 2.25], "s")
    assert word(span, facts).zh == "从1.0秒到2.2秒"


def test_the_kitchen_of_the_tests_is_busy() -> None:
    """The synthetic facts really have what the laws above are about."""
    kinds = {e.kind for seed in range(12) for e in clip(seed)[0].events}
    assert {"open", "close", "move", "push", "pour", "turn_on"} <= kinds
    facts: Facts = clip(1)[0]
    assert isinstance(facts.objects[0], ObjectFact) and cone().top_z > 0
    assert all(a.start_s <= b.start_s for a, b in pairwise(facts.events))


# ---- Boxes ---------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from(["any", "upright", "aligned"]))
@settings(deadline=None, max_examples=60)
def test_the_distance_of_two_boxes_is_that_of_their_nearest_points(seed: int, turned: str) -> None:
    """The oracle is the bounded least-squares problem min |A u − B v + t| over −1 ≤ u, v ≤ 1."""
    from scipy.optimize import lsq_linear

    rng = np.random.default_rng(seed)

    def box() -> tuple[np.ndarray, np.ndarray]:
        q = {"any": rng.normal(size=4), "upright": [*rng.normal(size=1), 0, 0, 1], "aligned": [1.0, 0, 0, 0]}[turned]
        return np.concatenate([rng.uniform(-0.6, 0.6, 3), q / np.linalg.norm(q)]), rng.uniform(0.01, 0.6, 3)

    (a, size_a), (b, size_b) = box(), box()
    A, B = geometry.rotmat(a[3:]) * size_a / 2, geometry.rotmat(b[3:]) * size_b / 2
    best = lsq_linear(np.hstack([A, -B]), b[:3] - a[:3], bounds=(-1, 1), method="bvls", tol=1e-12)
    assert geometry.box_distance(a, size_a, b, size_b) == pytest.approx(np.sqrt(2 * best.cost), abs=1e-6)
