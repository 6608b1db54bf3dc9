"""Turns that several plans of dialogues take: where, in which state, when, what nobody can know."""

from __future__ import annotations

from synth4d.ask.caption import SUDDEN
from synth4d.ask.floor import Floor
from synth4d.ask.kinds import Pool
from synth4d.ask.mistake import mistake
from synth4d.ask.refer import Ref
from synth4d.ask.state import places
from synth4d.ask.stock import END, Happening, Stock
from synth4d.program import Refusal, parse, run, word
from synth4d.program.claims import Claim
from synth4d.program.sentences import STATES
from synth4d.program.view import Value
from synth4d.records import JSON, Text

TRUE_SHARE = 0.35
"""Of what the user claims, this share is so: a claim does not tell that it is wrong."""
CAMERA: JSON = {"op": "camera"}


def _told(stock: Stock, program: JSON) -> Claim | None:
    checked = parse(program)
    value = run(checked, stock.view)
    return None if isinstance(value, Refusal) else Claim(checked, value)


def said_by_user(stock: Stock, program: JSON) -> Value | None:
    """What the user takes to be the answer: something wrong, or sometimes the truth."""
    claim = _told(stock, program)
    wrong = mistake(stock, claim)
    if claim is None or wrong is None:
        return None
    said = claim.value.value if stock.chance(TRUE_SHARE) else wrong
    return Value(claim.value.type, said, claim.value.unit)


# ---- Turns that several plans take ---------------------------------------------------------------


def where(floor: Floor, a: Ref, block: str, at: JSON, frame: int, h: Happening | None = None) -> Value | None:
    program: JSON = {"op": "where", "object": a.program, "at": at}
    return floor.ask(block, program, a, frames=(frame,), pool=Pool(keys=places(floor.stock)), event=h)


def claim_where(floor: Floor, a: Ref, block: str, at: JSON, frame: int) -> None:
    """The user says where a thing is; the answer agrees, or says where it is."""
    program: JSON = {"op": "where", "object": a.program, "at": at}
    said = said_by_user(floor.stock, program)
    if said is not None and floor.stock.ref(int(said.value.split(":")[1])) is not None:
        place = word(said, floor.stock.facts)
        lower = Text(en=place.en[:1].lower() + place.en[1:], zh=place.zh)
        floor.ask(block, {"op": "check", "of": program, "said": said.value}, a, frames=(frame,), place=lower)


def claim_state(floor: Floor, a: Ref, block: str, aspect: str, at: JSON, frame: int) -> None:
    program: JSON = {"op": "state", "object": a.program, "aspect": aspect, "at": at}
    said = said_by_user(floor.stock, program)
    if said is not None:
        en, zh = STATES[said.value]
        check: JSON = {"op": "check", "of": program, "said": said.value}
        floor.ask(block, check, a, frames=(frame,), state=Text(en=en, zh=zh))


def state(floor: Floor, a: Ref, block: str, aspect: str, at: JSON, frame: int) -> Value | None:
    program: JSON = {"op": "state", "object": a.program, "aspect": aspect, "at": at}
    keys = {"open": ("open", "closed"), "on": ("on", "off"), "full": ("full", "partly", "empty")}[aspect]
    return floor.ask(block, program, a, frames=(frame,), pool=Pool(keys=keys), kind=aspect)


def what_happens(floor: Floor, a: Ref, h: Happening) -> bool:
    """What happens to a thing; whether that is the event."""
    program: JSON = {"op": "first", "of": {"op": "events", "object": a.program}}
    only = sum(e.object == a.id for e in floor.stock.facts.events) == 1
    return only and floor.ask("what_happens", program, a, frames=h.frames, event=h) is not None


def when(floor: Floor, h: Happening, about: Ref | None) -> None:
    """When `that` happens; only right after it was named."""
    if floor.knows(h):
        sudden = h.event.kind in SUDDEN
        op = "begins" if sudden else "interval"
        floor.ask(
            "begins_that" if sudden else "when_that", {"op": op, "event": h.program}, about, frames=h.frames, event=h
        )


def later(floor: Floor, a: Ref) -> None:
    """What nobody can know: where a thing is after the video has ended."""
    seconds = int(floor.stock.rng.integers(3, 9))
    end = floor.stock.view.seconds(floor.stock.facts.frames)
    where: JSON = {"op": "where", "object": a.program, "at": {"op": "time", "s": round(end + seconds, 2)}}
    last = floor.stock.view.last
    floor.ask("later", {"op": "untold", "of": where}, a, frames=(last,), n=Text(en=str(seconds), zh=str(seconds)))


def contents(floor: Floor, a: Ref, frames: tuple[int, ...]) -> None:
    """What is inside: or that it cannot be told, for one who never looked in."""
    program: JSON = {"op": "contents", "object": a.program, "until": END}
    if floor.ask("contents", program, a, frames=frames) is None:
        floor.ask("contents", {"op": "untold", "of": program}, a, frames=frames)


def far(floor: Floor, a: Ref, block: str, at: JSON, frame: int) -> None:
    program: JSON = {"op": "distance", "a": CAMERA, "b": a.program, "at": at}
    floor.ask(block, program, a, frames=(frame,), pool=Pool(least=0.2, most=8.0))
