"""A sample's own proof: what its facts and questions say is derived again from its own members.

Written apart from the code that makes facts, so that one fault in both is unlikely: pixels are counted by
sorting, 3D boxes projected onto the ids and filled with the depth. Answers are the programs' own, run on the
stored facts.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d import codec, dataset, program
from synth4d.errors import ShardError, SynthError
from synth4d.geometry import box_corners, project, rotmat
from synth4d.records import CameraRecord, Facts, ObjectFact, Question, Turn, at, dump
from synth4d.types import U16, Clip

_NOWHERE = np.zeros(0, np.int64)
MEMBERS = tuple(sorted((*codec.MEMBERS, "facts.json", "qa.json")))
SLACK_PX, SURFACE_M = 3.0, 0.004
"""How far visible pixels may reach beyond the projected 3D box of their object, and how far what is drawn may
stand out of the surface (Gaussians do: over 20 kitchen clips the most was 2.6 px with the box grown)."""
DEPTH_M, OUTSIDE = 0.035, 0.02
"""A pixel put back into the room by its depth must lie in its object's box grown by so much and a pixel's width; the
share that may not (surfaces seen at a grazing angle stray most: 3.1 cm on the top of a cabinet, at 384 pixels)."""
NEAR_M = 0.01
"""A box with a corner nearer than this, or behind the camera, has no bounded projection and is not judged."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was checked in a sample, and what is wrong: `member: field: fault`."""

    counts: Counter[str]
    problems: list[str]


def sample(key: str, members: Mapping[str, bytes]) -> Found:
    """Check all of one sample."""
    counts: Counter[str] = Counter()
    if tuple(sorted(members)) != MEMBERS:
        return Found(counts, [f"members are {', '.join(sorted(members))}, they must be {', '.join(MEMBERS)}"])
    try:
        facts: Facts = _record(Facts, "facts.json", members)
        camera: CameraRecord = _record(CameraRecord, "camera.json", members)
        questions: list[Question] = _record(list[Question], "qa.json", members)
        clip = codec.decode(members)
    except ShardError as error:
        return Found(counts, [str(error)])
    try:
        view = program.View(facts, camera)
    except SynthError as error:
        return Found(counts, [f"facts.json: {error}"])
    counts.update(frames=len(clip.ids), questions=len(questions))
    problems = [*_picture(members["jpg"], camera), *_camera(camera), *_facts(key, facts, camera)]
    problems += _boxes(facts, camera, clip, counts)
    names = Counter(question.id for question in questions)
    problems += [f"qa.json: id {name} is there {n} times" for name, n in names.items() if n > 1]
    for question in questions:
        problems += [f"qa.json: {question.id}: {p}" for p in _question(question, view, counts)]
    return Found(counts, problems)


def _record(model: Any, member: str, members: Mapping[str, bytes]) -> Any:
    """A member by its schema, in the canonical bytes of what it says: no repeated or loose fields."""
    value = dataset.parse(model, members[member], member)
    if dump(value) != members[member]:
        raise ShardError(f"{member}: field (whole): bytes are not the canonical JSON of the record")
    return value


# ---- Picture, camera, facts ----------------------------------------------------------------------


def _picture(data: bytes, camera: CameraRecord) -> Iterator[str]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            if picture.size != (camera.width, camera.height):
                yield f"jpg: size {picture.size} is not the video's"
                return
            picture.load()
    except (OSError, ValueError, SyntaxError) as error:
        yield f"jpg: it is no picture: {error}"


def _camera(camera: CameraRecord) -> Iterator[str]:
    K, T = np.array(camera.K), np.array(camera.T_world_cam)
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[0, 1] or K[1, 0] or K[2].tolist() != [0, 0, 1]:
        yield "camera.json: field K is no pinhole matrix"
    R = T[:, :3, :3]
    unit = np.abs((R[:, :, :, None] * R[:, :, None, :]).sum(1) - np.eye(3)).max((1, 2))
    for t in np.flatnonzero((unit > 1e-5) | (np.linalg.det(R) < 0) | (T[:, 3] != [0, 0, 0, 1]).any(1)):
        yield f"camera.json: field T_world_cam of frame {t} is no rigid motion"


def _facts(key: str, facts: Facts, camera: CameraRecord) -> Iterator[str]:
    said = (facts.key, facts.witness, facts.frames, facts.fps, facts.width, facts.height)
    found = (key, "world", len(camera.T_world_cam), camera.fps, camera.width, camera.height)
    names = ("key", "witness", "frames", "fps", "width", "height")
    for name, a, b in zip(names, said, found, strict=True):
        if a != b:
            yield f"facts.json: field {name} is {a}, it must be {b}"
    ids = [thing.id for thing in facts.objects]
    if 0 in ids or len(set(ids)) != len(ids):
        yield "facts.json: field objects: ids must differ, and 0 is the background"
    known = {0, *ids}
    for thing in facts.objects:
        named = {thing.part_of or 0} | {id for id in (*thing.support, *thing.inside) if id is not None}
        named |= {id for ids in thing.hidden_by for id in ids or ()}
        for id in sorted(named - known):
            yield f"facts.json: object {thing.id}: part_of, support, inside or hidden_by is {id}, which is no object"
    for event in facts.events:
        if {event.object, event.source or 0, event.target or 0} - known or event.object == 0:
            yield f"facts.json: event {event.id}: object, source or target is none"
        if not 0 <= event.start_s <= event.end_s <= facts.frames / facts.fps:
            yield f"facts.json: event {event.id}: {event.start_s} to {event.end_s} s is not within the clip"


# ---- Boxes ---------------------------------------------------------------------------------------


def _boxes(facts: Facts, camera: CameraRecord, clip: Clip, counts: Counter[str]) -> Iterator[str]:
    """Boxes in 2D and 3D against ids and depth; of each object the first wrong frame is named."""
    wrong: set[int] = set()
    pixels: Counter[int] = Counter()
    outside: Counter[int] = Counter()
    for t, image in enumerate(clip.ids):
        seen = _seen(image)
        for id in sorted(set(seen) - {thing.id for thing in facts.objects} - wrong):
            wrong.add(id)
            yield f"ids.npz: frame {t} shows id {id}, which facts.json does not have"
        for thing in facts.objects:
            where = seen.get(thing.id, _NOWHERE)
            fault = _visible(thing, t, where, facts.width) or _inner(thing, t, image)
            fault = fault or _beyond(thing, camera, t, counts)
            if fault and thing.id not in wrong:
                wrong.add(thing.id)
                yield f"facts.json: object {thing.id}: {fault} at frame {t}"
            pixels[thing.id] += len(where)
            outside[thing.id] += _outside(thing, camera, clip, t, where)
            counts["boxes2d"] += len(where) > 0
    for id in sorted(outside):
        if outside[id] > OUTSIDE * pixels[id]:
            share = f"{outside[id]} of {pixels[id]} pixels, put back into the room by depth.npz,"
            yield f"facts.json: object {id}: field box: {share} lie outside it"


def _seen(ids: U16) -> dict[int, NDArray[np.int64]]:
    """(H,W) → id to the numbers of its pixels, row by row."""
    flat = ids.ravel()
    order = np.argsort(flat, kind="stable")
    labels, starts = np.unique(flat[order], return_index=True)
    return {int(id): where for id, where in zip(labels, np.split(order, starts[1:]), strict=True) if id}


def _visible(thing: ObjectFact, t: int, where: NDArray[np.int64], width: int) -> str:
    """What is wrong with an object's pixels or visible box; empty where nothing is."""
    y, x = np.divmod(where, width)
    box = [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1] if len(where) else None
    if (at(thing.pixels, t), at(thing.visible2d, t)) == (len(where), box):
        return ""
    said = f"{at(thing.pixels, t)} pixels in {at(thing.visible2d, t)}"
    return f"field visible2d is {said}, ids.npz has {len(where)} in {box},"


def _inner(thing: ObjectFact, t: int, ids: U16) -> str:
    """What is wrong where the square around an object's inner point is not all its own; empty elsewhere."""
    inner = at(thing.inner, t)
    if inner is None:
        return ""
    x, y, r = (int(v) for v in inner)
    square = ids[max(y - r, 0) : y + r + 1, max(x - r, 0) : x + r + 1]
    own = square.shape == (2 * r + 1, 2 * r + 1) and bool((square == thing.id).all())
    return "" if own else f"field inner is {inner}, but pixels of the square around it are not its own,"


def _beyond(thing: ObjectFact, camera: CameraRecord, t: int, counts: Counter[str]) -> str:
    """What is wrong where the visible box of an object sticks out of its projected 3D box; empty elsewhere."""
    box, seen = at(thing.box, t), at(thing.visible2d, t)
    if box is None or seen is None:
        return ""
    corners = box_corners(box, np.array(thing.size) + 2 * SURFACE_M)
    pixels, depth = project(camera.K, camera.T_world_cam[t], corners)
    if depth.min() < NEAR_M:
        return ""
    counts["boxes3d"] += 1
    far = float(max(*(pixels.min(0) - seen[:2]), *(seen[2:] - pixels.max(0))))
    return f"field box: visible pixels reach {far:.1f} px beyond its projection" if far > SLACK_PX else ""


def _outside(thing: ObjectFact, camera: CameraRecord, clip: Clip, t: int, where: NDArray[np.int64]) -> int:
    """How many of an object's pixels, put back into the room by their depth, miss its grown 3D box."""
    box = at(thing.box, t)
    if box is None or not len(where):
        return 0
    T, K = np.array(camera.T_world_cam[t]), camera.K
    turn = rotmat(box[3:]).T
    R_box_cam, eye = turn @ T[:3, :3], turn @ (T[:3, 3] - box[:3])
    y, x = np.divmod(where, camera.width)
    rays = (x + 0.5 - K[0][2]) / K[0][0], (y + 0.5 - K[1][2]) / K[1][1]
    z = clip.depth_z_m[t].ravel()[where]
    inside = np.ones(len(where), bool)
    slack = DEPTH_M + z / K[0][0]  # of a surface seen at a grazing angle a pixel holds all that its width covers
    for row, at_eye, half in zip(R_box_cam, eye, np.array(thing.size) / 2, strict=True):
        inside &= np.abs(z * (row[0] * rays[0] + row[1] * rays[1] + row[2]) + at_eye) <= half + slack
    return int((~inside).sum())


# ---- Questions -----------------------------------------------------------------------------------


def _question(question: Question, view: program.View, counts: Counter[str]) -> Iterator[str]:
    if question.verdict is None or not question.verdict.keep:
        yield "verdict: a stored question must be kept"
    if not question.turns:
        yield "turns: there is none"
    if any(not 0 <= t < view.facts.frames for t in question.evidence.frames):
        yield f"evidence: frames {question.evidence.frames} are not all of the clip"
    if set(question.evidence.objects) - set(view.by_id):
        yield f"evidence: objects {question.evidence.objects} are not all in the facts"
    for i, turn in enumerate(question.turns):
        counts["programs"] += 1
        yield from (f"turn {i}: {problem}" for problem in [*_answer(turn, view), *_choices(turn)])


def _answer(turn: Turn, view: program.View) -> Iterator[str]:
    """The program run anew must give the stored answer, wording included."""
    if not (turn.question.en.strip() and turn.question.zh.strip()):
        yield "question: a language is missing"
    try:
        value = program.run(program.parse(turn.program), view)
    except SynthError as error:
        yield f"program: {error}"
        return
    if isinstance(value, program.Refusal):
        yield f"program: it now refuses: {value.reason}, {value.detail}"
        return
    found = program.answer(value, view.facts)
    if dump(found) != dump(turn.answer):
        stored, ours = (f"{a.value!r} ({a.text.en} / {a.text.zh})" for a in (turn.answer, found))
        yield f"answer: stored is {stored}, the program gives {ours}"
    yield from _negatives(turn, value, view)


def _negatives(turn: Turn, value: program.Value, view: program.View) -> Iterator[str]:
    """Each must be another answer of the same type, said as such."""
    for i, negative in enumerate(n.answer for n in turn.negatives):
        if (negative.type, negative.unit) != (value.type, value.unit):
            yield f"negatives: {i} is a {negative.type}, the answer a {value.type}"
            continue
        try:
            wrong = replace(value, value=negative.value)
            if program.compare(wrong, value):
                yield f"negatives: {i} ({negative.text.en}) is right: the program gives {turn.answer.text.en}"
            elif value.type != "text" and dump(program.answer(wrong, view.facts)) != dump(negative):
                # The words of a caption are its claims', which a list of values does not tell.
                yield f"negatives: {i} is worded {negative.text.en!r}, not as its value is said"
        except (TypeError, ValueError, KeyError, IndexError, StopIteration):
            yield f"negatives: {i}: {str(negative.value)[:60]} is no value of type {negative.type}"


def _choices(turn: Turn) -> Iterator[str]:
    if turn.choices is None or turn.correct is None:
        if turn.choices is not None or turn.correct is not None:
            yield "choices: choices and correct must both be there or both null"
        return
    for texts in ([c.en for c in turn.choices], [c.zh for c in turn.choices]):
        if len(set(texts)) != len(texts):
            yield f"choices: two are the same: {texts}"
    if not 0 <= turn.correct < len(turn.choices):
        yield f"correct: {turn.correct} is not one of the {len(turn.choices)} choices"
    elif turn.choices[turn.correct] != turn.answer.text:
        choice, answer = turn.choices[turn.correct].en, turn.answer.text.en
        yield f"correct: choice {turn.correct} is {choice!r}, the answer {answer!r}"
