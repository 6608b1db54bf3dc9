"""How a question points at a thing so that only one can be meant: the words, and the program for them."""

from __future__ import annotations

from dataclasses import dataclass

from synth4d.program import Value, View, coloured, parse, run, thing_text
from synth4d.program.wording import alone
from synth4d.records import JSON, Text

SIDES = {
    "left": ("leftmost", "最左边"),
    "right": ("rightmost", "最右边"),
}


@dataclass(frozen=True, slots=True)
class Ref:
    id: int
    text: Text
    program: JSON


def by_name(view: View, id: int) -> Ref | None:
    """By label, with the colour where needed; None when that fits another thing too."""
    thing = view.thing(id)
    found: JSON = {"op": "filter", "label": thing.label.en}
    if not alone(view.facts, thing):
        if not thing.unique or thing.colour is None:
            return None
        found["colour"] = thing.colour.key
    return Ref(id, thing_text(view.facts, id), {"op": "unique", "of": found})


def by_side(view: View, id: int) -> Ref | None:
    """By place in the first picture, among its like: `the red mug (the leftmost one in the first frame)`."""
    thing = view.thing(id)
    found: JSON = {"op": "filter", "label": thing.label.en}
    if thing.colour is not None:
        found["colour"] = thing.colour.key
    for side, (en, zh) in SIDES.items():
        program: JSON = {"op": "outermost", "side": side, "of": found, "at": {"op": "start"}}
        value = run(parse(program), view)
        if isinstance(value, Value) and value.value == id:
            name = coloured(thing)
            one = f"那{thing.label.measure}"
            text = Text(en=f"the {name.en} (the {en} one in the first frame)", zh=f"{name.zh}（第一帧里{zh}的{one}）")
            return Ref(id, text, program)
    return None
