"""Drafts of questions, and the kinds that make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from synth4d.ask.refer import Ref
from synth4d.ask.stock import Stock
from synth4d.program import Value
from synth4d.records import JSON, Family, Text

Slots = Mapping[str, Text | str]
"""What a template fills in; a Text differs by language."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What wrong choices may be drawn from: best what is right elsewhere, as often as it is there."""

    ids: tuple[int, ...] = ()
    """For `object` answers; for `objects` in order, the things to permute."""
    keys: tuple[str, ...] = ()
    """For `choice` answers."""
    always: tuple[str, ...] = ()
    """Keys that are among the options whatever else is drawn, right or wrong."""
    least: float = 0.0
    most: float | None = None
    """For `number` answers: between which a right answer could lie; None = no options."""
    values: tuple[Value, ...] = ()
    """For boxes and points: those of other things."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before its answer is known."""

    program: JSON
    slots: Slots
    frames: tuple[int, ...]
    objects: tuple[int, ...]
    pool: Pool | None = None
    group: str = ""
    """Paired kinds pair a yes with a no of the same group, so that the group tells nothing."""
    unseen: bool = False
    """Objects may be out of sight at the evidence frames (questions of memory)."""
    block: str = ""
    """The template's block; empty = the kind's name."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A draft of several turns, in order. The program of each stands alone; its words may lean on earlier turns."""

    turns: tuple[Draft, ...]


# ---- Kinds ---------------------------------------------------------------------------------------

Drafts = Callable[[Stock], Iterator[Draft]]
Talks = Callable[[Stock], Iterator[Talk]]


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    family: Family
    drafts: Drafts
    paired: bool
    """Each answer is asked as often as the other: a yes and a no go together."""
    tries: int
    """Drafts tried in a clip."""
    rare: bool
    """It needs an event that few clips have, and goes first where it can be asked."""
    even: bool = False
    """Each answer is asked as often as any other of the clip, and the options are these answers: so none can be
    told from being the usual one."""
    talks: Talks | None = None
    """In place of `drafts`: for questions of several turns."""
    once: str = ""
    """Of all kinds with the same word here, at most one is asked of a clip (unless its quota says otherwise)."""


KINDS: dict[str, Kind] = {}


def kind(
    family: Family, name: str, *, paired: bool = False, tries: int = 16, rare: bool = False, even: bool = False
) -> Callable[[Drafts], Drafts]:
    """Declare a kind of question by the generator of its drafts."""

    def declare(drafts: Drafts) -> Drafts:
        KINDS[f"{family}.{name}"] = Kind(f"{family}.{name}", family, drafts, paired, tries, rare, even)
        return drafts

    return declare


def talk(family: Family, name: str, *, once: str, tries: int = 3, rare: bool = True) -> Callable[[Talks], Talks]:
    """Declare a kind of question of several turns by the generator of its drafts."""

    def declare(talks: Talks) -> Talks:
        KINDS[f"{family}.{name}"] = Kind(f"{family}.{name}", family, _none, False, tries, rare, talks=talks, once=once)
        return talks

    return declare


def _none(stock: Stock) -> Iterator[Draft]:
    return iter(())


def filter_json(**fields: str) -> JSON:
    return {"op": "filter", **fields}


def either(refs: Sequence[Ref]) -> Text:
    """the mug or the bowl · 马克杯还是碗"""
    en, zh = [r.text.en for r in refs], [r.text.zh for r in refs]
    return Text(en=", ".join(en[:-1]) + " or " + en[-1], zh="、".join(zh[:-1]) + "还是" + zh[-1])


def listed(refs: Sequence[Ref]) -> Text:
    """the mug, the bowl and the plate · 马克杯、碗和盘子"""
    en, zh = [r.text.en for r in refs], [r.text.zh for r in refs]
    return Text(en=", ".join(en[:-1]) + " and " + en[-1], zh="、".join(zh[:-1]) + "和" + zh[-1])
