"""What operations look at, one witness's facts and the camera, and the values that flow between them."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NoReturn, TypeVar

import numpy as np

from synth4d.errors import SynthError
from synth4d.geometry import box_corners
from synth4d.program import margins
from synth4d.records import AnswerType, CameraRecord, EventFact, Facts, ObjectFact, Text, at
from synth4d.types import F64

T = TypeVar("T")
Reason = Literal["ambiguous", "not visible", "undefined"]
Unit = Literal["m", "cm", "deg", "s", "%", "px"]
ASKABLE = ("prop", "fixture", "part")
CAMERA = -1
"""Stands for the camera where an operation takes a place."""

DECIMALS = {"m": 2, "cm": 1, "deg": 0, "s": 2, "%": 0, "px": 0}
"""Values are kept to these many decimals, so that the same facts give the same bytes on any machine."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a program has no answer on these facts."""

    reason: Reason
    detail: str


class Refused(Exception):
    """How an operation refuses; `execute` turns it into a Refusal."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.refusal = Refusal(reason, detail)


def refuse(reason: Reason, detail: str) -> NoReturn:
    raise Refused(reason, detail)


@dataclass(frozen=True, slots=True)
class Value:
    """A typed answer before it is worded. `value` is as in records.Answer."""

    type: AnswerType
    value: Any
    unit: Unit | None = None
    ordered: bool = False
    """For `objects`: the order is part of the answer (else ids are sorted)."""
    measure: str = "个"
    """For `int`: the Chinese measure word of what was counted; empty where none fits."""
    words: Text | None = None
    """For `text`: the text itself; `value` is what it claims."""


@dataclass(frozen=True, slots=True)
class Things:
    """A set of instances as a witness knows it: surely in, and those it cannot tell."""

    sure: tuple[int, ...]
    unsure: tuple[int, ...] = ()
    measure: str = "件"
    """The Chinese measure word for counting them: their category's where they share one."""


def at_most(track: list[T | None] | None, frame: int) -> T | None:
    """The entry of a track, if there is a track and it is known."""
    return at(track, frame) if track else None


def number(value: float, unit: Unit) -> Value:
    rounded = round(float(value), DECIMALS[unit]) + 0.0
    return Value("number", rounded, unit)


class View:
    """One witness's facts, indexed."""

    def __init__(self, facts: Facts, camera: CameraRecord) -> None:
        self.facts, self.camera = facts, camera
        self.by_id = {o.id: o for o in facts.objects}
        self.enough = max(margins.VISIBLE_PIXELS, margins.VISIBLE_SHARE * facts.width * facts.height)
        self._corners: dict[tuple[int, int], F64] = {}
        self.knows: frozenset[str] | None = None
        """Operations that may look at it; None = all. What was not filmed can't be asked everything."""
        self.others: dict[object, View] = {}
        """Views of what would be, once made."""
        self.filmed: weakref.ref[View] | None = None
        """What was filmed, where this is not it. It holds this one in its `others`: what holds itself would be left
        to the garbage collector;"""
        self.unlike: frozenset[int] = frozenset()
        """and the things that are otherwise here."""
        self.found: dict[object, Any] = {}
        """What programs give here, once evaluated; a Refusal where they give nothing."""
        self._distances: dict[tuple[int, int, int], float] = {}
        _check(facts, camera)

    @property
    def film(self) -> View:
        """What was filmed."""
        film = self if self.filmed is None else self.filmed()
        assert film is not None
        return film

    # ---- Objects ---------------------------------------------------------------------------------

    @cached_property
    def askable(self) -> tuple[int, ...]:
        return tuple(sorted(o.id for o in self.facts.objects if o.role in ASKABLE))

    def thing(self, id: int) -> ObjectFact:
        if id not in self.by_id:
            refuse("undefined", f"no object {id}")
        return self.by_id[id]

    def known(self, track: list[T | None] | None, frame: int, what: str) -> T:
        """The entry of a track; refuses where the witness does not know."""
        if track is None:
            refuse("undefined", f"no such state: {what}")
        value = at(track, frame)
        if value is None:
            refuse("not visible", f"{what} at frame {frame}")
        return value

    def box(self, id: int, frame: int) -> F64:
        """(7,) centre + wxyz in the world."""
        thing = self.thing(id)
        return np.array(self.known(thing.box, frame, f"box of {thing.name}"), float)

    def corners(self, id: int, frame: int) -> F64:
        """(8,3) corners of its box in the world."""
        if (id, frame) not in self._corners:
            self._corners[id, frame] = box_corners(self.box(id, frame), self.thing(id).size)
        return self._corners[id, frame]

    def remembered(self, id: int, track: list[int | None], frame: int) -> int | None:
        """A support or container; where it is unknown, the last known one, if the thing has not been seen
        elsewhere since and is now out of sight or seen unmoved."""
        if (value := at(track, frame)) is not None:
            return value
        box = self.thing(id).box
        if at(self.thing(id).pixels, frame) >= self.enough and at(box, frame) is None:
            return None
        for f in range(frame - 1, -1, -1):
            if (value := at(track, f)) is not None:
                return value if self._stays(box, f, frame) else None
        return None

    def _stays(self, box: list[list[float] | None], since: int, until: int) -> bool:
        """Whether a thing, wherever its box is known between two frames, is where it was at the first."""
        places = [p[:3] for p in (at(box, f) for f in range(since, until + 1)) if p is not None]
        return all(math.dist(places[0], p) <= margins.STILL_M for p in places)

    # ---- Visibility ------------------------------------------------------------------------------

    def glimpsed(self, id: int, frame: int) -> bool:
        return at(self.thing(id).pixels, frame) > 0

    def clear(self, id: int, frame: int) -> bool:
        """Clearly visible: enough pixels, and not mostly hidden where the witness can tell."""
        thing = self.thing(id)
        hidden = at(thing.occluded, frame)
        return at(thing.pixels, frame) >= self.enough and (hidden is None or hidden <= margins.OCCLUDED)

    def need_clear(self, ids: tuple[int, ...], frame: int) -> None:
        for id in ids:
            if not self.clear(id, frame):
                refuse("not visible", f"{self.thing(id).name} at frame {frame}")

    # ---- Time and camera -------------------------------------------------------------------------

    @property
    def last(self) -> int:
        return self.facts.frames - 1

    def seconds(self, frame: int) -> float:
        return frame / self.facts.fps

    def T_world_cam(self, frame: int) -> F64:
        poses = self.camera.T_world_cam
        return np.array(poses[0] if len(poses) == 1 else poses[frame], float)

    def name(self, event: EventFact) -> str:
        thing = self.by_id.get(event.object)
        return f"{event.kind} of {thing.name if thing else event.object}"


def _check(facts: Facts, camera: CameraRecord) -> None:
    """Every track has one entry or one a frame, so that no operation can run off its end."""
    for o in facts.objects:
        tracks: list[Any] = [o.box, o.pose, o.box2d, o.visible2d, o.pixels, o.occluded, o.support, o.inside]
        tracks += [o.inner, o.hidden_by]
        tracks += [t for t in (o.openness, o.on, o.fill) if t is not None]
        if not {1, facts.frames}.issuperset(map(len, tracks)):
            wrong = f"a track of {o.name} has neither 1 nor {facts.frames} entries"
            raise SynthError(f"facts of {facts.key}: {wrong}; read them again or make them anew")
    if len(camera.T_world_cam) not in (1, facts.frames) or any(len(T) != 4 for T in camera.T_world_cam):
        wrong = f"T_world_cam must be 1 or {facts.frames} matrices of 4 rows"
        raise SynthError(f"camera of {facts.key}: {wrong}; read it again or make it anew")
