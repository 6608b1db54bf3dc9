"""Captions: what is there, what happens, and a caption with mistakes to find and to mend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from synth4d.ask.kinds import Draft, Pool, Talk, talk
from synth4d.ask.mistake import mistake
from synth4d.ask.stock import END, START, Happening, Stock
from synth4d.program import Refusal, parse, run
from synth4d.program.caption import said_so
from synth4d.program.claims import TIMED, Claim
from synth4d.program.language import evaluate
from synth4d.program.sentences import sentence
from synth4d.records import JSON, Text

LEAST, MOST = 4, 14
"""Claims of a caption."""
SUDDEN = ("turn_on", "turn_off", "knock_over", "drop")
"""Events of a moment: they are told by when they begin."""
GROWN = ("apple", "banana", "lemon", "orange", "pear", "tomato")
"""Categories whose colour is known without looking."""


# ---- Claims that a clip allows -------------------------------------------------------------------


def counts(stock: Stock, most: int) -> list[JSON]:
    """How many of some sorts of props come into view."""
    labels = sorted({stock.view.thing(id).label.en for id in stock.seen if stock.view.thing(id).role == "prop"})
    found: list[JSON] = [
        {"op": "count", "of": {"op": "seen", "of": {"op": "filter", "label": label}}}
        for label in stock.shuffled(labels)
    ]
    return answered(stock, found)[:most]


def places(stock: Stock, most: int, frame: int = 0) -> list[JSON]:
    """Where props are that show well."""
    at = START if frame == 0 else END
    found = [{"op": "where", "object": r.program, "at": at} for r in stock.in_sight(stock.props, frame)]
    return answered(stock, found)[:most]


def states(stock: Stock, most: int, frame: int = 0) -> list[JSON]:
    """Doors and drawers open or closed, lamps on or off."""
    at = START if frame == 0 else END
    doors, lamps = (stock.in_sight(refs, frame) for refs in (stock.doors, stock.lamps))
    pairs = stock.shuffled([*(("open", r) for r in doors), *(("on", r) for r in lamps)])
    found: list[JSON] = [{"op": "state", "object": r.program, "aspect": aspect, "at": at} for aspect, r in pairs]
    return answered(stock, found)[:most]


def sides(stock: Stock, most: int) -> list[JSON]:
    """Which way one prop lies from another."""
    refs = stock.in_sight(stock.props, 0)
    pairs = stock.shuffled((a, b) for a in refs for b in refs if a.id < b.id)[:8]
    return answered(stock, [{"op": "side", "of": a.program, "by": b.program, "at": START} for a, b in pairs])[:most]


def events(stock: Stock) -> list[JSON]:
    """When each event happens, and what it brings about, in order of time; empty where one has no name or is not
    well seen."""
    if len(stock.happenings) < len(stock.facts.events) or not all(map(stock.watched, stock.happenings)):
        return []
    found: list[JSON] = []
    for h in sorted(stock.happenings, key=lambda h: (h.event.start_s, h.event.id)):
        timed: list[JSON] = [] if h.event.kind in SUDDEN else [{"op": "interval", "event": h.program}]
        told = answered(stock, [*timed, {"op": "begins", "event": h.program}])
        found += told[:1] + answered(stock, _outcome(stock, h))
    return found


def _outcome(stock: Stock, h: Happening) -> list[JSON]:
    after, thing = stock.after(h), stock.ref(h.event.object)
    if after is None or thing is None:
        return []
    if h.event.kind in ("open", "close") and stock.clear(after.frame, thing.id):
        return [{"op": "openness", "object": thing.program, "at": after.program}]
    if h.event.kind == "move":
        return [{"op": "where", "object": thing.program, "at": after.program}]
    filled = stock.ref(h.event.target or 0)
    if h.event.kind == "pour" and filled is not None and stock.clear(after.frame, filled.id):
        return [{"op": "fill", "object": filled.program, "at": after.program}]
    return []


def before_events(stock: Stock) -> list[JSON]:
    """The places and states at the start of what something happens to."""
    ids = list(dict.fromkeys(e.object for e in stock.facts.events))
    refs = [r for r in stock.refs(ids) if stock.shows(r.id, 0)]
    at = START
    props = [r for r in refs if r in stock.props]
    doors, lamps = ([r for r in refs if r in some] for some in (stock.doors, stock.lamps))
    found: list[JSON] = [{"op": "where", "object": r.program, "at": at} for r in props]
    found += [{"op": "state", "object": r.program, "aspect": "open", "at": at} for r in doors]
    found += [{"op": "state", "object": r.program, "aspect": "on", "at": at} for r in lamps]
    return answered(stock, found)


def quiet(stock: Stock) -> list[JSON]:
    """That nothing happens, where nothing does."""
    return [] if stock.facts.events else [{"op": "happens", "of": {"op": "events"}}]


def answered(stock: Stock, programs: list[JSON]) -> list[JSON]:
    """Those which the world's facts answer, and with names of their own."""
    return [p for p in programs if claim(stock, p) is not None]


def claim(stock: Stock, program: JSON) -> Claim | None:
    checked = parse(program)
    value = run(checked, stock.view)
    if isinstance(value, Refusal):
        return None
    named = int(value.value.split(":")[1]) if value.type == "choice" and ":" in value.value else 0
    return None if named and stock.ref(named) is None else Claim(checked, value)


# ---- Kinds ---------------------------------------------------------------------------------------


def _draft(stock: Stock, block: str, program: JSON, **slots: Text | str) -> Draft:
    frames = {0, stock.view.last} | {f for h in stock.happenings for f in h.frames}
    return Draft(program, slots, tuple(sorted(frames)), (), unseen=True, block=block)


def _style(stock: Stock) -> int:
    return int(stock.rng.integers(10000))


@talk("caption", "describe", once="caption")
def describe(stock: Stock) -> Iterator[Talk]:
    """What is there at the start, where, and in which state."""
    claims = [*counts(stock, 4), *places(stock, 7), *states(stock, 3), *sides(stock, 1)]
    if len(claims) >= LEAST:
        program: JSON = {"op": "caption", "claims": claims[:MOST], "style": _style(stock)}
        yield Talk((_draft(stock, "describe", program),))


@talk("caption", "narrate", once="caption")
def narrate(stock: Stock) -> Iterator[Talk]:
    """Everything that happens, with times and outcomes; that nothing does, where nothing does."""
    told = events(stock) if stock.moving else quiet(stock)
    start = before_events(stock) if stock.moving else [*places(stock, 3), *states(stock, 2)]
    if told:
        program: JSON = {"op": "narrate", "claims": [*start, *told][:MOST], "style": _style(stock)}
        yield Talk((_draft(stock, "narrate", program),))


@talk("caption", "recaption", once="recaption", tries=1)
def recaption(stock: Stock) -> Iterator[Talk]:
    """A caption in numbered statements, some of them wrong: find those, write it anew, look again at one."""
    programs = _statements(stock)
    said = {i: s for i, p in enumerate(programs) if (s := _mistaken(stock, programs, i)) is not None}
    wrong = stock.shuffled(said)[: len(_some(stock, len(programs)))]
    if len(programs) < LEAST or not wrong:
        return
    shown: list[Any] = []
    sentences: list[Text] = []
    for i, p in enumerate(programs):
        made = claim(stock, p)
        assert made is not None
        shown.append(said[i] if i in wrong else made.value.value)
        sentences.append(sentence(stock.view, said_so(made, shown[i])))
    keys = tuple("+".join(map(str, sorted(n + 1 for n in _some(stock, len(programs))))) for _ in range(8))
    agrees: list[JSON] = [{"op": "agrees", "of": p, "said": s} for p, s in zip(programs, shown, strict=True)]
    again = stock.pick(wrong) if stock.chance(0.5) else stock.pick([i for i in range(len(programs)) if i not in wrong])
    once_more: JSON = {"op": "check", "of": programs[again], "said": shown[again]}
    mended: JSON = {"op": "caption", "claims": programs, "style": _style(stock)}
    first = _draft(stock, "recaption", {"op": "wrong", "claims": agrees}, text=_numbered(sentences))
    yield Talk((
        replace(first, pool=Pool(keys=tuple(dict.fromkeys(keys)))),
        _draft(stock, "rewrite", mended),
        _draft(stock, "look_again", once_more, n=str(again + 1), text=sentences[again]),
    ))  # fmt: skip


def _mistaken(stock: Stock, programs: list[JSON], i: int) -> Any:
    """A wrong value for a statement; of an event, one that leaves it in its place among the others: they are told in
    order of time, and one that is not would stand out unseen."""
    starts = [_begins(claim(stock, p)) for p in programs]
    before = [s for s in starts[:i] if s is not None]
    after = [s for s in starts[i + 1 :] if s is not None]
    for _ in range(4):
        said = mistake(stock, claim(stock, programs[i]))
        start = (said[0] if isinstance(said, list) else said) if starts[i] is not None else None
        if said is None or start is None or max(before, default=0.0) <= start <= min(after, default=start):
            return said
    return None


def _begins(made: Claim | None) -> float | None:
    if made is None or made.op not in TIMED:
        return None
    value = made.value.value
    return float(value[0] if isinstance(value, list) else value)


def _some(stock: Stock, n: int) -> list[int]:
    """One to three of n statements, fewer than half of them."""
    most = max(1, min(3, (n - 1) // 2))
    return stock.shuffled(range(n))[: 1 + int(stock.rng.integers(most))]


def _statements(stock: Stock) -> list[JSON]:
    """Four to seven claims: what is there, what happens. No two of them bear on the same fact, so that a mistake can be
    found by looking at the video only: not the number of what is named by its colour, not a state before its change,
    not the order of events besides their times."""
    told = _events_told(stock)
    befallen = {e.object for e in stock.facts.events}
    still = [p for p in states(stock, 9) if _object(stock, p) not in befallen][:1]
    there = [*colours(stock, 1), *places(stock, 2), *still, *sides(stock, 1)]
    named = str([*there, *told])
    number = [p for p in counts(stock, 9) if f"'{p['of']['of']['label']}'" not in named][:1]
    return [*number, *there[: max(2, 6 - len(told))], *told]


def _events_told(stock: Stock) -> list[JSON]:
    """Some events, by their times or two by their order."""
    told = events(stock)[:4] if stock.moving else []
    timed = [p["event"] for p in told if "event" in p]
    if len(timed) >= 2 and stock.chance(0.4):
        order = answered(stock, [{"op": "earliest", "of": stock.shuffled(timed[:2])}])
        return [*order, *stock.shuffled(p for p in told if "event" not in p)] if order else told
    return told


def _object(stock: Stock, program: JSON) -> int:
    found: int = evaluate(parse({"op": "these", "of": [program["object"]]}), stock.view).sure[0]
    return found


def colours(stock: Stock, most: int) -> list[JSON]:
    """The colours of props that are named without it (but not that lemons are yellow)."""
    named = [(r, stock.view.thing(r.id)) for r in stock.shuffled(stock.props) if "colour" not in r.program["of"]]
    refs = [r for r, thing in named if thing.category not in GROWN]
    return answered(stock, [{"op": "colour", "object": r.program} for r in refs])[:most]


def _numbered(sentences: list[Text]) -> Text:
    return Text(
        en=" ".join(f"({i}) {s.en}" for i, s in enumerate(sentences, 1)),
        zh="".join(f"（{i}）{s.zh}" for i, s in enumerate(sentences, 1)),
    )
