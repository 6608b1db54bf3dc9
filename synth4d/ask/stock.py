"""What a clip offers to ask about: things that can be named, moments, events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from synth4d.ask.refer import Ref, by_name, by_side
from synth4d.ask.shake import shaken
from synth4d.ask.template import Prompts
from synth4d.program import View, clause, frame_after, frame_before, kind_of, opens
from synth4d.records import JSON, EventFact, Facts, Label, Text, at

T = TypeVar("T")
START: JSON = {"op": "start"}
END: JSON = {"op": "end"}
HIDDEN = 0.5
"""What is hidden beyond this share is not asked about: a viewer could not place it."""
COVERED = 0.2
"""Of what is placed in the room to the centimetre no more is hidden: how far it goes on can't be seen."""


@dataclass(frozen=True, slots=True)
class Moment:
    program: JSON
    text: Text
    """at 2.5 s"""
    frame: int
    kind: str
    point: Text | None = None
    """2.5 s; None for those beside an event."""
    about: int = 0
    """The thing that the event it is named by happens to; 0 = none."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event that can be named without mistake."""

    event: EventFact
    program: JSON
    what: Text
    """the drawer opens"""
    going_on: Text
    """the drawer is opening"""
    frames: tuple[int, ...]
    """A frame before, one amid and one after it."""

    @property
    def key(self) -> str:
        return f"{kind_of(self.event)}:{self.event.object}"


@dataclass(frozen=True, eq=False)
class Stock:
    view: View
    rng: np.random.Generator
    prompts: Prompts
    absent: Sequence[tuple[str, Label]] = ()
    """Categories of the scene that this clip may lack."""
    _refs: dict[int, Ref | None] = field(default_factory=dict)

    @property
    def facts(self) -> Facts:
        return self.view.facts

    @property
    def moving(self) -> bool:
        return self.facts.kind in ("dynamic", "twin")

    @cached_property
    def shaken(self) -> tuple[View, ...]:
        """The same clip with facts changed a little, and a little more."""
        return shaken(self.view)

    # ---- Chance ----------------------------------------------------------------------------------

    def shuffled(self, items: Iterable[T]) -> list[T]:
        listed = list(items)
        return [listed[i] for i in self.rng.permutation(len(listed))]

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.rng.integers(len(items)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    # ---- Things ----------------------------------------------------------------------------------

    def ref(self, id: int) -> Ref | None:
        if id not in self._refs:
            known = id in self.view.by_id and id in self.view.askable
            self._refs[id] = by_name(self.view, id) if known else None
        return self._refs[id]

    def refs(self, ids: Iterable[int]) -> list[Ref]:
        return [r for r in map(self.ref, ids) if r is not None]

    @cached_property
    def pointed(self) -> list[Ref]:
        """Props without a name of their own, by their place in the first picture; not for answers."""
        nameless = (id for id in self.seen if self.view.thing(id).role == "prop" and self.ref(id) is None)
        return [r for r in (by_side(self.view, id) for id in nameless) if r is not None]

    @cached_property
    def seen(self) -> tuple[int, ...]:
        """Things clearly visible at some frame."""
        frames = range(self.facts.frames)
        return tuple(id for id in self.view.askable if any(self.view.clear(id, f) for f in frames))

    @cached_property
    def props(self) -> list[Ref]:
        return self.refs(id for id in self.seen if self.view.thing(id).role == "prop")

    @cached_property
    def marks(self) -> list[Ref]:
        """Things with a place of their own to measure from: props and furniture, no handles or worktops."""
        small = [id for id in self.seen if max(self.view.thing(id).size) < 0.6]
        return self.refs(id for id in small if self.view.thing(id).role in ("prop", "fixture"))

    @cached_property
    def doors(self) -> list[Ref]:
        return self.refs(id for id in self.seen if opens(self.view.thing(id)))

    @cached_property
    def lamps(self) -> list[Ref]:
        return self.refs(id for id in self.seen if self.view.thing(id).switchable)

    @cached_property
    def vessels(self) -> list[Ref]:
        things = ((id, self.view.thing(id)) for id in self.seen)
        return self.refs(id for id, o in things if o.vessel is not None and o.fill is not None)

    @cached_property
    def holders(self) -> list[Ref]:
        """Things that something stands on or is in at some time."""
        tracks = (t for o in self.facts.objects for t in (o.support, o.inside))
        return self.refs(sorted({id for track in tracks for id in track if id}))

    def members(self, holder: int, relation: str, frame: int) -> set[int]:
        """Props that are on, or inside, a thing at a frame, seen or not."""
        tracks = {o.id: o.support if relation == "on" else o.inside for o in self.facts.objects if o.role == "prop"}
        return {id for id, track in tracks.items() if at(track, frame) == holder}

    def clear(self, frame: int, *ids: int) -> bool:
        return all(self.view.clear(id, frame) for id in ids)

    def in_sight(self, refs: Sequence[Ref], frame: int, whole: bool = False) -> list[Ref]:
        """Those that show well at a frame, in random order."""
        return self.shuffled(r for r in refs if self.shows(r.id, frame, whole))

    def shows(self, id: int, frame: int, whole: bool = False) -> bool:
        """Clearly visible, at least half of it, and furniture not cut off by the picture's border; `whole`: nothing
        cut off and next to nothing covered, so that its place in the room can be told to the centimetre."""
        thing = self.view.thing(id)
        box, hidden = at(thing.box2d, frame), at(thing.occluded, frame)
        if not self.view.clear(id, frame) or (hidden or 0) > (COVERED if whole else HIDDEN):
            return False
        return (thing.role == "prop" and not whole) or box is None or not self._cut_off(box)

    def _cut_off(self, box: Sequence[float]) -> bool:
        low, right, bottom = min(box[0], box[1]), self.facts.width - box[2], self.facts.height - box[3]
        return min(low, right, bottom) < 1.0

    # ---- Time ------------------------------------------------------------------------------------

    @cached_property
    def happenings(self) -> list[Happening]:
        found = []
        for e in self.facts.events:
            twins = [o for o in self.facts.events if o.object == e.object and kind_of(o) == kind_of(e)]
            object, target = self.ref(e.object), self.ref(e.target or 0)
            if len(twins) > 1 or object is None or (e.kind == "pour" and target is None):
                continue
            program: JSON = {"op": "event", "kind": kind_of(e), "object": object.program}
            if e.kind == "pour" and target is not None:
                program["target"] = target.program
            frames = self._around(e)
            if any(self.view.clear(e.object, f) for f in frames):
                going = clause(self.facts, e, going_on=True)
                found.append(Happening(e, program, clause(self.facts, e), going, frames))
        return found

    def watched(self, h: Happening) -> bool:
        """Whether an event is seen from before to after: a thing that moves up to its middle, the rest throughout."""
        frames = h.frames[: len(h.frames) - 1] if kind_of(h.event) == "motion" else h.frames
        return self.clear(frames[0], h.event.object) and all(self.clear(f, h.event.object) for f in frames)

    def _around(self, e: EventFact) -> tuple[int, ...]:
        fps, last = self.facts.fps, self.view.last
        seconds = (e.start_s - 0.5 / fps, (e.start_s + e.end_s) / 2, e.end_s + 0.5 / fps)
        return tuple(sorted({min(max(round(s * fps), 0), last) for s in seconds}))

    def moments(self, *avoid: int, spread: int = 3) -> list[Moment]:
        """Start, end, some seconds, before and after events of things not to `avoid`, in random order."""
        found = [self.start(), self.end()]
        frames = self.shuffled(range(1, self.view.last))[:spread]
        found += [self.second(f) for f in frames]
        for h in self.happenings:
            if h.event.object in avoid or (h.event.target or -1) in avoid or (h.event.source or -1) in avoid:
                continue
            found += [m for m in (self.before(h), self.after(h)) if m is not None]
        return self.shuffled(found)

    def start(self) -> Moment:
        return Moment(START, self.when("start"), 0, "start", self.when("start_point"))

    def end(self) -> Moment:
        return Moment(END, self.when("end"), self.view.last, "end", self.when("end_point"))

    def second(self, frame: int) -> Moment:
        exact = frame / self.facts.fps
        s = next((r for r in (round(exact, d) for d in (1, 2)) if abs(r - exact) < 1e-6), round(exact, 2))
        said, point = self.when("second", s=f"{s:g}"), self.when("second_point", s=f"{s:g}")
        return Moment({"op": "time", "s": s}, said, frame, "second", point)

    def before(self, h: Happening) -> Moment | None:
        return self._beside(h, "before", frame_before(self.view, h.event))

    def after(self, h: Happening) -> Moment | None:
        return self._beside(h, "after", frame_after(self.view, h.event))

    def _beside(self, h: Happening, op: str, frame: int) -> Moment | None:
        if not 0 <= frame <= self.view.last:
            return None
        program: JSON = {"op": op, "event": h.program}
        return Moment(program, self.when(op, what=h.what), frame, op, about=h.event.object)

    def when(self, kind: str, **slots: Text | str) -> Text:
        """A phrase for a moment: at the start, at 2.5 s, just before the drawer opens."""
        return self.prompts.say("when", kind, slots, self.rng)
