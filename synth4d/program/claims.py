"""Claims: answer programs that can be said as a sentence, with the value that is claimed."""

from __future__ import annotations

from dataclasses import dataclass

from synth4d.program.language import Program, evaluate
from synth4d.program.operations import CLAIMS
from synth4d.program.times import frame_after
from synth4d.program.view import Value, View
from synth4d.records import EventFact

CLAIMS |= {
    "where", "state", "openness", "fill", "colour", "side", "movement", "moved", "count", "interval", "begins",
    "earliest", "biggest", "nearest", "contents", "happens",
}  # fmt: skip
TIMED = ("interval", "begins")
"""Claims that tell of an event and when it happens."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer program with the value that is claimed."""

    program: Program
    value: Value

    @property
    def op(self) -> str:
        return self.program.op.name

    def id(self, field: str, view: View) -> int:
        found: int = evaluate(self.program.fields[field], view)
        return found

    def event(self, view: View, field: str = "event") -> EventFact:
        found: EventFact = evaluate(self.program.fields[field], view)
        return found


def lasts_until(view: View, claim: Claim) -> EventFact | None:
    """The event right after which a claim holds, if it is said of such a moment."""
    moment = claim.program.fields.get("at")
    if moment is None or moment.op.name != "after":
        return None
    event: EventFact = evaluate(moment.fields["event"], view)
    return event if frame_after(view, event) <= view.last else None
