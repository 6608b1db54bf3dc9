"""Every lie in a sample is found, with its member and field, though its bytes are sound."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import clips
import numpy as np
import pytest
from sound import SAMPLE

from synth4d import codec, proof
from synth4d.records import (
    dump,
)


def facts_with(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, bytes]], None]:
    return _json("facts.json", change)


def qa_with(change: Callable[[dict[str, Any]], object], at: int = 0) -> Callable[[dict[str, bytes]], None]:
    return _json("qa.json", lambda questions: change(questions[at]))


def _json(member: str, change: Callable[[Any], object]) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        value = json.loads(members[member])
        change(value)
        members[member] = dump(value)

    return apply


def thing(facts: dict[str, Any], category: str) -> dict[str, Any]:
    return next(o for o in facts["objects"] if o["category"] == category)


def clip_with(**change: Callable[[np.ndarray], np.ndarray]) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        clip = codec.decode(members)
        fields = {name: f(getattr(clip, name).copy()) for name, f in change.items()}
        made = codec.encode(replace(clip, **fields))
        members.update({k: made[k] for k in ("depth.npz", "ids.npz")})

    return apply


def one_pixel(ids: np.ndarray) -> np.ndarray:
    y, x = np.argwhere(ids[3] > 0)[0]
    ids[3, y, x] = 0
    return ids


def stranger(ids: np.ndarray) -> np.ndarray:
    ids[2, 0, 0] = 777
    return ids


def deeper(depth: np.ndarray) -> np.ndarray:
    return depth + np.float32(0.1)


def shifted(facts: dict[str, Any]) -> None:
    mug = thing(facts, "mug")
    mug["box"] = [[x + 0.05, *rest] for x, *rest in mug["box"]]


def turn(question: dict[str, Any]) -> dict[str, Any]:
    return question["turns"][0]


LIES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "a pixel of the ids": (clip_with(ids=one_pixel), r"facts\.json: object \d+: field visible2d .* at frame 3"),
    "an unknown id": (clip_with(ids=stranger), r"ids\.npz: frame 2 shows id 777"),
    "a count of pixels": (
        facts_with(lambda f: thing(f, "mug").update(pixels=[5])), r"field visible2d is 5 pixels .* at frame 0"),
    "a visible box": (
        facts_with(lambda f: thing(f, "mug").update(visible2d=[[0.0, 0.0, 9.0, 9.0]])), "field visible2d .* frame 0"),
    "a thing that is not there": (
        facts_with(lambda f: thing(f, "mug").update(visible2d=[None], pixels=[0])), "field visible2d .* at frame 0"),
    "a point on it": (
        facts_with(lambda f: thing(f, "mug").update(inner=[[3.0, 3.0, 2.0]])), "field inner is .* at frame 0"),
    "what hides it": (facts_with(lambda f: thing(f, "mug").update(hidden_by=[[99]])), "99, which is no object"),
    "a 3D box": (facts_with(shifted), r"object \d+: field box: visible pixels reach"),
    "a smaller size": (
        facts_with(lambda f: thing(f, "plate").update(size=[0.1, 0.1, 0.015])), "field box: visible pixels reach"),
    "all depth": (clip_with(depth_z_m=deeper), r"field box: \d+ of \d+ pixels"),
    "a turned box": (
        facts_with(lambda f: thing(f, "book")["box"][0].__setitem__(slice(3, 7), [0.8, 0.0, 0.6, 0.0])), "field box"),
    "a track's length": (facts_with(lambda f: thing(f, "mug").update(pixels=[5, 6])), "track of mug_1"),
    "the key": (facts_with(lambda f: f.update(key="toy-0007")), "field key is toy-0007"),
    "the witness": (facts_with(lambda f: f.update(witness="pixels")), "field witness"),
    "the rate": (facts_with(lambda f: f.update(fps=9.0)), r"field fps is 9\.0"),
    "the frames": (facts_with(lambda f: f.update(frames=7)), r"facts\.json: .*7 entries"),
    "an event's time": (facts_with(lambda f: f["events"][0].update(end_s=99.0)), "event 0"),
    "an event's object": (facts_with(lambda f: f["events"][0].update(target=99)), "event 0"),
    "a holder": (facts_with(lambda f: thing(f, "mug").update(support=[99])), "99, which is no object"),
    "two of an id": (facts_with(lambda f: thing(f, "mug").update(id=thing(f, "jug")["id"])), "ids must differ"),
    "a state": (
        facts_with(lambda f: thing(f, "drawer")["openness"].__setitem__(-1, 15.0)), r"qa\.json: open: turn 0: answer"),
    "a field too many": (facts_with(lambda f: f.update(extra=1)), r"facts\.json: field extra"),
    "a field too few": (facts_with(lambda f: f.pop("kind")), r"facts\.json: field kind"),
    "a loose type": (facts_with(lambda f: f.update(width="192")), "canonical"),
    "a field twice": (
        lambda m: m.update({"facts.json": b'{"version":1,' + m["facts.json"][1:]}), "canonical"),
    "no JSON": (lambda m: m.update({"qa.json": b"[}"}), r"qa\.json"),
    "an answer": (qa_with(lambda q: turn(q)["answer"].update(value=3.0)), "open: turn 0: answer: stored is 3.0"),
    "an answer's words": (
        qa_with(lambda q: turn(q)["answer"]["text"].update(zh="三")), "open: turn 0: answer"),
    "an answer's unit": (qa_with(lambda q: turn(q)["answer"].update(unit="m")), "open: turn 0: answer"),
    "the letter": (qa_with(lambda q: turn(q).update(correct=0)), "correct: choice 0 is 'no'"),
    "a letter beyond": (qa_with(lambda q: turn(q).update(correct=2)), "correct: 2 is not one"),
    "no letter": (qa_with(lambda q: turn(q).update(correct=None)), "both"),
    "equal choices": (
        qa_with(lambda q: turn(q).update(choices=[turn(q)["choices"][1]] * 2)), "two are the same"),
    "a program": (qa_with(lambda q: turn(q)["program"].update(at={"op": "start"})), "open: turn 0: answer"),
    "a program that is none": (qa_with(lambda q: turn(q).update(program={"op": "evil"})), "program:"),
    "a program that refuses": (
        qa_with(lambda q: turn(q)["program"]["object"]["of"].update(category="dragon")), "program: it now refuses"),
    "a rejected question": (qa_with(lambda q: q["verdict"].update(keep=False)), "verdict"),
    "no verdict": (qa_with(lambda q: q.update(verdict=None)), "verdict"),
    "no turn": (qa_with(lambda q: q.update(turns=[])), "turns"),
    "evidence frames": (qa_with(lambda q: q["evidence"].update(frames=[8])), "evidence: frames"),
    "evidence objects": (qa_with(lambda q: q["evidence"].update(objects=[99])), "evidence: objects"),
    "an id twice": (qa_with(lambda q: q.update(id="far")), "id far is there 2 times"),
    "no Chinese": (qa_with(lambda q: turn(q)["question"].update(zh=" ")), "a language is missing"),
    "the camera's axes": (
        _json("camera.json", lambda c: c["T_world_cam"][4].__setitem__(0, [2.0, 0.0, 0.0, 0.0])), "of frame 4"),
    "the camera's place": (
        _json("camera.json", lambda c: c["T_world_cam"][4][0].__setitem__(3, 0.7)), "field box"),
    "the camera's lens": (_json("camera.json", lambda c: c["K"][0].__setitem__(0, -50.0)), "field K"),
    "a poster": (lambda m: m.update(jpg=b"no picture"), "jpg"),
    "half a poster": (lambda m: m.update(jpg=m["jpg"][:700]), "jpg"),
    "another's poster": (lambda m: m.update(jpg=codec.encode(clips.clip())["jpg"]), "jpg: size"),
    "another's video": (lambda m: m.update(mp4=codec.encode(clips.clip())["mp4"]), "disagree"),
    "a cut video": (lambda m: m.update(mp4=m["mp4"][:900]), "mp4"),
    "a short depth": (
        lambda m: m.update({"depth.npz": codec.encode(clips.clip())["depth.npz"]}), "disagree"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found_in_a_sample_that_is_sound_as_bytes(lie: str) -> None:
    change, message = LIES[lie]
    members = dict(SAMPLE.members)
    change(members)
    found = proof.sample(SAMPLE.key, members).problems
    assert found and not any("\n" in line for line in found)
    assert any(re.search(message, line) for line in found), found


def test_the_sound_sample_has_no_problem() -> None:
    assert proof.sample(SAMPLE.key, SAMPLE.members).problems == []


def test_other_members_are_named() -> None:
    less = {k: v for k, v in SAMPLE.members.items() if k != "jpg"}
    assert "members are" in proof.sample("k", less).problems[0]
    assert "members are" in proof.sample("k", SAMPLE.members | {"exe": b""}).problems[0]
