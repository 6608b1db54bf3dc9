"""The facts of a clip, a little otherwise: an answer that changes with them is a close one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth4d import seeds
from synth4d.program import View
from synth4d.records import EventFact, ObjectFact


@dataclass(frozen=True, slots=True)
class Shake:
    """How much facts are changed."""

    metres: float
    share: float
    """Of how far things are open, how full they are, and of the pixels that show them."""
    seconds: float


SHAKES = (Shake(0.02, 0.04, 0.05), Shake(0.06, 0.12, 0.15))
"""About what a pixels witness is off by (boxes of kitchen clips: 1–3 cm), and three times that."""


def shaken(view: View) -> tuple[View, ...]:
    """The same clip seen by witnesses who are off by each of SHAKES."""
    return tuple(_shaken(view, shake, seeds.rng(view.facts.key, "shake", i)) for i, shake in enumerate(SHAKES))


def _shaken(view: View, shake: Shake, rng: np.random.Generator) -> View:
    facts = view.facts
    objects = [_thing(o, shake, rng) for o in facts.objects]
    events = [_event(e, shake, rng, facts.frames / facts.fps) for e in facts.events]
    return View(facts.model_copy(update={"objects": objects, "events": events}), view.camera)


def _thing(o: ObjectFact, shake: Shake, rng: np.random.Generator) -> ObjectFact:
    start, end = rng.normal(0, shake.metres, (2, 3))
    steps = np.linspace(0, 1, len(o.box)) if len(o.box) > 1 else np.zeros(1)
    centres = np.array([box[:3] if box else [np.nan] * 3 for box in o.box]) + start + (end - start) * steps[:, None]
    moved = [box and [*centre, *box[3:]] for box, centre in zip(o.box, centres.tolist(), strict=True)]
    more = 1 + (-1, 1)[rng.integers(2)] * shake.share
    changed = {
        "openness": o.openness and [v and v * more for v in o.openness],
        "fill": o.fill and [v and min(v * more, 1.0) for v in o.fill],
        "pixels": [int(p * (1 - shake.share)) for p in o.pixels],
    }
    return o.model_copy(update={"box": moved, **changed})


def _event(e: EventFact, shake: Shake, rng: np.random.Generator, length: float) -> EventFact:
    start, end = sorted(np.clip([e.start_s, e.end_s] + rng.uniform(-1, 1, 2) * shake.seconds, 0, length).tolist())
    return e.model_copy(update={"start_s": start, "end_s": end})
