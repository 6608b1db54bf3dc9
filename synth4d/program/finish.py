"""What an operation gives becomes a typed answer."""

from __future__ import annotations

from synth4d.program.times import kind_of
from synth4d.program.view import Things, Value, View, refuse
from synth4d.records import EventFact


def finish(result: object, view: View) -> Value:
    """The answer that a program's result stands for; raises Refused."""
    if isinstance(result, Value):
        return result
    if isinstance(result, Things):
        if result.unsure:
            refuse("ambiguous", f"in doubt about {view.thing(result.unsure[0]).name}")
        return Value("objects", sorted(result.sure))
    if isinstance(result, EventFact):
        return Value("choice", f"{kind_of(result)}:{view.thing(result.object).id}")
    if isinstance(result, list):
        return Value("objects", list(result), ordered=True)
    assert isinstance(result, int)
    return Value("object", result)
