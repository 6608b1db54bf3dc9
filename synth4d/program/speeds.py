"""Operations that compare events: which takes longer, which is faster."""

from __future__ import annotations

import math
from collections.abc import Callable

from synth4d.program import margins
from synth4d.program.operations import Sub, op
from synth4d.program.times import duration, kind_of
from synth4d.program.view import View, refuse
from synth4d.records import EventFact


@op("longest", "event", of=Sub("event", many=(2, 4)))
def longest(view: View, of: list[EventFact]) -> EventFact:
    """which of the events listed takes longest: by half a second, and 1.3 times as long as the next"""
    first, second = _two(of, lambda e: float(duration(view, e).value))
    if first[0] < second[0] + margins.LONGER_S or first[0] < second[0] * margins.LONGER_SHARE:
        refuse("ambiguous", f"{first[0]:.1f} s against {second[0]:.1f} s")
    return first[1]


@op("fastest", "event", of=Sub("event", many=(2, 4)))
def fastest(view: View, of: list[EventFact]) -> EventFact:
    """in which of the events listed a thing moves fastest on the whole, 1.6 times as fast as in the next: the straight
    way of its middle by the time it takes"""
    first, second = _two(of, lambda e: _way(view, e) / float(duration(view, e).value))
    if first[0] < second[0] * margins.FASTER_SHARE:
        refuse("ambiguous", f"{first[0]:.2f} against {second[0]:.2f} m/s")
    return first[1]


def _two(of: list[EventFact], measure: Callable[[EventFact], float]) -> list[tuple[float, EventFact]]:
    """The two events that measure most."""
    if len({e.id for e in of}) < len(of):
        refuse("undefined", "the same event is listed twice")
    return sorted(((measure(e), e) for e in of), key=lambda m: (-m[0], m[1].id))[:2]


def _way(view: View, event: EventFact) -> float:
    """Metres between where a thing's middle is in the last frame before an event and in the first after it."""
    if kind_of(event) not in ("open", "close", "motion"):
        refuse("undefined", f"nothing moves in {view.name(event)}")
    fps, last, name = view.facts.fps, view.last, view.thing(event.object).name
    ends = max(math.floor(event.start_s * fps), 0), min(math.ceil(event.end_s * fps), last)
    a, b = (view.known(view.thing(event.object).box, f, f"the way of {name}") for f in ends)
    metres = math.dist(a[:3], b[:3])
    return metres if metres >= margins.SPEED_M else refuse("ambiguous", f"{name} moves only {metres:.2f} m")
