"""The state of a dialogue: what has been said, and so what `it`, `the other one`, `that` can stand for.

Rules of reference, the same in both languages:
    it              what the last turn was about, or the one thing that its answer chose; a turn that speaks of no
                    thing (`When does that begin?`) leaves it as it was
    the other one   of two things that were compared, the one that the last turn did not end on
    that            the one event that the last turn named
A name is said in full wherever its rule does not single it out.
"""

from __future__ import annotations

from synth4d.ask.kinds import Draft, Pool
from synth4d.ask.make import worth_asking
from synth4d.ask.refer import Ref
from synth4d.ask.stock import Happening, Stock
from synth4d.program import Refusal, Value, parse, run
from synth4d.records import JSON, Text

IT = Text(en="it", zh="它")
OTHER = Text(en="the other one", zh="另一个")


class Floor:
    """Takes turns that the facts answer, and leaves out those they don't."""

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self.turns: list[Draft] = []
        self.topic = 0
        self.pair: tuple[int, ...] = ()
        self.event = 0

    def name(self, a: Ref) -> Text:
        """How a thing is called in the next turn."""
        if a.id == self.topic:
            return IT
        if len(self.pair) == 2 and a.id in self.pair and self.topic in self.pair:
            return OTHER
        return a.text

    def knows(self, h: Happening) -> bool:
        """Whether `that` would be this event."""
        return self.event == h.event.id

    def ask(
        self,
        block: str,
        program: JSON,
        about: Ref | None,
        *,
        frames: tuple[int, ...] = (0,),
        pool: Pool | None = None,
        pair: tuple[Ref, ...] = (),
        beside: Ref | None = None,
        event: Happening | None = None,
        **slots: Text | str,
    ) -> Value | None:
        """Take a turn about a thing (slot `a`); its value, or None where the facts have no answer. After a turn that
        compares it with `beside`, `it` could be either."""
        objects = tuple(r.id for r in ((about,) if about else pair))
        words = {"a": self.name(about), **slots} if about else dict(slots)
        if beside is not None:
            words["b"], objects = beside.text, (*objects, beside.id)
        draft = Draft(program, words, frames, objects, pool, unseen=True, block=block)
        value = run(parse(program), self.stock.view)
        if isinstance(value, Refusal) or not worth_asking(value, draft, self.stock):
            return None
        self.turns.append(draft)
        self.topic = about.id if about and beside is None else 0
        if value.type == "object" and not about:
            self.topic = value.value
        self.pair = tuple(r.id for r in pair) or self.pair
        self.event = event.event.id if event else 0
        return value
