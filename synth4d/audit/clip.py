"""A clip that errors are planted into: its facts, chance, and programs run on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from synth4d.audit.mutate import mutations
from synth4d.errors import SynthError
from synth4d.program import Value, View, compare, parse, run
from synth4d.records import JSON, Turn

TRIES = 160
"""Programs looked at for one error."""


class Clip:
    """What errors are made from."""

    def __init__(self, view: View, rng: np.random.Generator) -> None:
        self.view, self.facts, self.rng = view, view.facts, rng

    def shuffled(self, items: Any) -> list[Any]:
        listed = list(items)
        return [listed[i] for i in self.rng.permutation(len(listed))]

    def pick(self, items: Any) -> Any:
        return self.shuffled(items)[0]

    def run(self, program: JSON) -> Value | None:
        try:
            value = run(parse(program), self.view)
        except (SynthError, KeyError):
            return None
        return value if isinstance(value, Value) else None

    def others(self, turn: Turn, error: str) -> Iterator[tuple[JSON, Value]]:
        """Programs with this error, and their answers, none of which would pass for the stored one."""
        stored = self.run(turn.program)
        for changed in self.shuffled(mutations(turn.program, self.view))[:TRIES] if stored else []:
            if changed.error != error:
                continue
            value = self.run(changed.program)
            if (
                value
                and stored
                and (value.type, value.unit) == (stored.type, stored.unit)
                and not compare(value, stored)
            ):
                yield changed.program, value
