"""A sample's own proof: what its facts and questions say is derived again from its own members.

Written apart from the code that makes facts, so that one fault in both is unlikely: pixels are counted by
sorting, boxes projected from their corners. Answers are the programs' own, run on the stored facts.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth4d import codec, dataset, program
from synth4d.errors import ShardError, SynthError
from synth4d.geometry import box_corners, project
from synth4d.records import CameraRecord, Facts, ObjectFact, Question, Turn, at, dump
from synth4d.types import U16

MEMBERS = tuple(sorted((*codec.MEMBERS, "facts.json", "qa.json")))
SLACK_PX = 2.0
"""How far visible pixels may reach beyond the projected 3D box of their object."""
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
    problems += _visible(facts, clip.ids, counts)
    problems += _boxes(facts, camera, counts)
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
        for id in sorted(named - known):
            yield f"facts.json: object {thing.id}: part_of, support or inside is {id}, which is no object"
    for event in facts.events:
        if {event.object, event.source or 0, event.target or 0} - known or event.object == 0:
            yield f"facts.json: event {event.id}: object, source or target is none"
        if not 0 <= event.start_s <= event.end_s <= facts.frames / facts.fps:
            yield f"facts.json: event {event.id}: {event.start_s} to {event.end_s} s is not within the clip"


# ---- Boxes ---------------------------------------------------------------------------------------


def _seen(ids: U16) -> dict[int, tuple[int, list[int]]]:
    """(H,W) → id to its number of pixels and their tight box [x0,y0,x1,y1)."""
    flat = ids.ravel()
    order = np.argsort(flat, kind="stable")
    labels, starts, counts = np.unique(flat[order], return_index=True, return_counts=True)
    y, x = np.divmod(order, ids.shape[1])
    edges = (
        np.minimum.reduceat(x, starts),
        np.minimum.reduceat(y, starts),
        np.maximum.reduceat(x, starts) + 1,
        np.maximum.reduceat(y, starts) + 1,
    )
    boxes = np.stack(edges, 1).tolist()
    return {id: (n, box) for id, n, box in zip(labels.tolist(), counts.tolist(), boxes, strict=True) if id}


def _visible(facts: Facts, ids: U16, counts: Counter[str]) -> Iterator[str]:
    """Pixels and visible boxes against the id image; the first wrong frame of each object is named."""
    known, wrong = {thing.id for thing in facts.objects}, set[int]()
    for t, image in enumerate(ids):
        seen = _seen(image)
        for id in sorted(set(seen) - known - wrong):
            wrong.add(id)
            yield f"ids.npz: frame {t} shows id {id}, which facts.json does not have"
        for thing in facts.objects:
            pixels, box = seen.get(thing.id, (0, None))
            counts["boxes2d"] += box is not None
            if thing.id not in wrong and (at(thing.pixels, t), at(thing.visible2d, t)) != (pixels, box):
                wrong.add(thing.id)
                said, shown = (
                    f"{at(thing.pixels, t)} pixels in {at(thing.visible2d, t)}",
                    f"{pixels} in {box}",
                )
                yield f"facts.json: object {thing.id}: visible2d at frame {t} is {said}, ids.npz has {shown}"


def _boxes(facts: Facts, camera: CameraRecord, counts: Counter[str]) -> Iterator[str]:
    """Projected 3D boxes must hold the visible pixels; liquids have no shape of their own."""
    for thing in facts.objects:
        if thing.role != "liquid":
            beyond = [_beyond(thing, camera, t, counts) for t in range(facts.frames)]
            worst = int(np.argmax(beyond))
            if beyond[worst] > SLACK_PX:
                far = f"{beyond[worst]:.1f} px beyond its projection at frame {worst}"
                yield f"facts.json: object {thing.id}: field box: visible pixels reach {far}"


def _beyond(thing: ObjectFact, camera: CameraRecord, t: int, counts: Counter[str]) -> float:
    """Pixels by which the visible box of an object sticks out of its projected 3D box; 0 where unknown."""
    box, seen = at(thing.box, t), at(thing.visible2d, t)
    if box is None or seen is None:
        return 0.0
    pixels, depth = project(camera.K, camera.T_world_cam[t], box_corners(box, thing.size))
    if depth.min() < NEAR_M:
        return 0.0
    counts["boxes3d"] += 1
    low, high = pixels.min(0), pixels.max(0)
    out: NDArray[np.float64] = np.concatenate([low - seen[:2], seen[2:] - high])
    return float(out.max())


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
        stored, ours = (f"{a.value!r} ({a.text.en})" for a in (turn.answer, found))
        yield f"answer: stored is {stored}, the program gives {ours}"


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
