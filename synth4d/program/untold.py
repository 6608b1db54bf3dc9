"""Operations for dialogues and captions: what a viewer can't tell, what was seen inside, colours, beginnings."""

from __future__ import annotations

from synth4d.program import margins
from synth4d.program.finish import finish
from synth4d.program.language import Program, evaluate
from synth4d.program.objects import Span, inside
from synth4d.program.operations import Sub, op
from synth4d.program.states import opens
from synth4d.program.view import Refused, Things, Value, View, number, refuse
from synth4d.records import EventFact, at
from synth4d.vocabulary import COLOURS


@op("contents", "things", object=Sub("object"), until=Sub("moment"))
def contents(view: View, object: int, until: Span) -> Things:
    """what is inside a thing at a moment, for one who has looked into it: not visible while it was never open in
    sight, or where something in it was never seen"""
    gates = [o for o in view.facts.objects if opens(o) and object in (o.id, o.part_of)]
    frames = range(until[0] + 1)
    if gates and not any(_ajar(view, gate.id, f) for gate in gates for f in frames):
        refuse("not visible", f"{view.thing(object).name} was never seen open")
    held = inside(view, object, until, None)
    for id in held.sure:
        if not any(view.clear(id, f) for f in frames):
            refuse("not visible", f"{view.thing(id).name} was never seen")
    return held


def _ajar(view: View, id: int, frame: int) -> bool:
    """Whether a part is more than shut at a frame, and in sight."""
    thing = view.thing(id)
    joint, track = thing.joint, thing.openness
    if joint is None or track is None or not view.clear(id, frame):
        return False
    scale = 57.29578 if joint.type == "hinge" else 100.0
    wide = at(track, frame)
    return wide is not None and wide > margins.CLOSED_SHARE * abs(joint.open - joint.closed) * scale


@op("untold", "choice", of=Sub("claim"))
def untold(view: View, of: Program) -> Value:
    """`untold`, where the claim has no answer because it is out of sight or undefined; refused where it has one"""
    try:
        finish(evaluate(of, view), view)
    except Refused as refused:
        if refused.refusal.reason == "ambiguous":
            raise
        return Value("choice", "untold")
    refuse("undefined", "it can be told")


@op("colour", "choice", object=Sub("object"))
def colour(view: View, object: int) -> Value:
    """the key of a thing's colour"""
    thing = view.thing(object)
    if thing.colour is None or thing.colour.key not in COLOURS:
        refuse("undefined", f"the colour of {thing.name} has no name")
    return Value("choice", thing.colour.key)


@op("begins", "number", event=Sub("event"))
def begins(view: View, event: EventFact) -> Value:
    """the second at which an event begins"""
    return number(event.start_s, "s")
