"""What somebody might wrongly say in place of a claim's value: a mistake in number, place, state, way or time."""

from __future__ import annotations

from typing import Any

from synth4d.ask.state import places
from synth4d.ask.stock import Stock
from synth4d.program import kind_of
from synth4d.program.caption import holds
from synth4d.program.claims import Claim
from synth4d.program.language import evaluate
from synth4d.program.view import Refused
from synth4d.vocabulary import COLOURS

OPPOSITE = {
    "open": "closed", "closed": "open", "on": "off", "off": "on", "full": "empty", "empty": "full", "partly": "empty",
    "left": "right", "right": "left", "front": "behind", "behind": "front",
    "moved_left": "moved_right", "moved_right": "moved_left", "closer": "farther", "farther": "closer",
}  # fmt: skip


def mistake(stock: Stock, claim: Claim | None) -> Any:
    """A wrong value that is surely wrong, by a margin; None where none is at hand."""
    if claim is None:
        return None
    for said in stock.shuffled(_wrong(stock, claim)):
        try:
            if not holds(claim, said):
                return said
        except Refused:
            continue
    return None


def _wrong(stock: Stock, claim: Claim) -> list[Any]:
    value = claim.value.value
    if claim.op == "count":
        return [n for n in (value - 1, value + 1, value + 2) if n > 0]
    if claim.op == "where":
        own = claim.id("object", stock.view)
        return [key for key in places(stock) if key != value and int(key.split(":")[1]) != own]
    if claim.op == "colour":
        return [key for key in sorted(COLOURS) if key != value]
    if claim.op == "earliest":
        events = [evaluate(p, stock.view) for p in claim.program.fields["of"]]
        return [key for e in events if (key := f"{kind_of(e)}:{e.object}") != value]
    if claim.op in ("nearest", "biggest"):
        return [id for id in evaluate(claim.program.fields["of"], stock.view).sure if id != value]
    if claim.value.type == "bool":
        return [not value]
    if claim.value.type == "choice":
        return [OPPOSITE[value]] if value in OPPOSITE else []
    return _misjudged(stock, claim)


def _misjudged(stock: Stock, claim: Claim) -> list[Any]:
    """Numbers and times that are well off."""
    value, unit = claim.value.value, claim.value.unit
    last = stock.view.seconds(stock.view.last)
    if claim.op == "interval":
        moved = [[round(a + d, 2) for a in value] for d in (-3.0, -2.4, -1.8, 1.8, 2.4, 3.0)]
        return [m for m in moved if m[0] >= 0 and m[1] <= last]
    if claim.op == "begins":
        return [round(value + d, 2) for d in (-3.0, -2.0, 2.0, 3.0) if 0 <= value + d <= last]
    most = {"%": 100.0, "deg": 120.0, "cm": 60.0}.get(unit or "", 10.0)
    return [float(round(value * k)) for k in (0.4, 0.5, 1.8, 2.2) if 0 < value * k <= most]
