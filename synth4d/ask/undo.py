"""Questions that turn on which way the video runs, on which of two like videos it is, and on how fast things go."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from synth4d.ask.kinds import Draft, Pool, kind
from synth4d.ask.premise import Premise, never, premises
from synth4d.ask.refer import Ref
from synth4d.ask.state import places
from synth4d.ask.stock import END, START, Happening, Stock
from synth4d.program import Value, clause, kind_of, word
from synth4d.program.states import gates
from synth4d.program.whatif import REVERSED
from synth4d.records import JSON, EventFact, Text

ASPECTS = {"open": "open", "close": "open", "turn_on": "on", "turn_off": "on"}
WAYS = {"open": ("opens", "closes", "unchanged"), "on": ("turns_on", "turns_off", "unchanged")}
UNCHANGED_SHARE = 1 / 3
SUDDEN = ("turn_on", "turn_off", "knock_over", "drop")


# ---- Which way it runs ---------------------------------------------------------------------------


@kind("change", "way")
def way(stock: Stock) -> Iterator[Draft]:
    """Opened, closed or neither: another answer when the video is run backwards."""
    for premise, program in premises(stock, tuple(ASPECTS), UNCHANGED_SHARE, _way):
        yield _said(stock, premise, program)


@kind("change", "backwards")
def backwards(stock: Stock) -> Iterator[Draft]:
    """What would be seen to happen to a thing if the video ran backwards."""

    def asked(premise: Premise) -> JSON:
        return {"op": "backwards", "of": _way(premise)}

    for premise, program in premises(stock, tuple(ASPECTS), UNCHANGED_SHARE, asked):
        yield _said(stock, premise, program)


def _way(premise: Premise) -> JSON:
    return {"op": "way", "object": premise.a.program, "aspect": ASPECTS[premise.kind]}


def _said(stock: Stock, premise: Premise, program: JSON) -> Draft:
    aspect, frames = ASPECTS[premise.kind], (0, stock.view.last // 2, stock.view.last)
    slots = {"a": premise.a.text, "on": "1" if aspect == "on" else ""}
    return Draft(program, slots, frames, (premise.a.id,), Pool(keys=WAYS[aspect]))


@kind("time", "backwards_first", rare=True)
def backwards_first(stock: Stock) -> Iterator[Draft]:
    """Which of two events would come first in the video run backwards: the one that ends last."""
    for group in stock.shuffled(combinations(stock.happenings, 2)):
        # That a shut drawer opens before it shuts goes without looking, either way round.
        if any(h.event.kind == "pour" for h in group) or group[0].event.object == group[1].event.object:
            continue
        turned = [_undone(stock, h) for h in stock.shuffled(group)]
        program: JSON = {"op": "backwards", "of": {"op": "earliest", "of": [p for _, p, _ in turned]}}
        keys, said = tuple(k for k, _, _ in turned), [t for _, _, t in turned]
        which = Text(en=f"{said[0].en}, or {said[1].en}", zh=f"{said[0].zh}，还是{said[1].zh}")
        frames = tuple(sorted({f for h in group for f in h.frames}))
        ids = tuple(h.event.object for h in group)
        yield Draft(program, {"which": which}, frames, ids, Pool(keys=keys))


def _undone(stock: Stock, h: Happening) -> tuple[str, JSON, Text]:
    """Key, program and words of an event as it looks backwards."""
    back = REVERSED.get(h.event.kind, "motion")
    said = word(Value("choice", f"{back}:{h.event.object}"), stock.facts)
    if back == "motion":
        said = clause(stock.facts, h.event.model_copy(update={"kind": "move"}))
    return (
        f"{back}:{h.event.object}",
        {**h.program, "kind": back},
        Text(en=said.en[:1].lower() + said.en[1:], zh=said.zh),
    )


# ---- Which of two videos -------------------------------------------------------------------------


@kind("change", "which_video")
def which_video(stock: Stock) -> Iterator[Draft]:
    """Two videos of one scene differ in what happens: which is this? The other could be this one's twin."""
    for h in stock.shuffled(stock.happenings):
        if h.event.kind == "pour" or (a := stock.ref(h.event.object)) is None:
            continue
        told = _told(stock, h.event, a)
        others = _siblings(stock, h) or (
            _elsewhere(stock, h, a) if kind_of(h.event) == "motion" else _otherwise(stock, h)
        )
        if told is not None and others:
            pair = stock.shuffled([told, others[0]])
            said = [word(Value("choice", k), stock.facts) for k, _ in pair]
            low = [Text(en=t.en[:1].lower() + t.en[1:], zh=t.zh) for t in said]
            program: JSON = {"op": "which", "of": [p for _, p in pair]}
            slots = {"one": low[0], "other": low[1]}
            yield Draft(program, slots, h.frames, (a.id,), Pool(keys=tuple(k for k, _ in pair)))


Told = tuple[str, JSON]


def _told(stock: Stock, event: EventFact, a: Ref) -> Told | None:
    """The key and claim of an event; None for a motion that ends at nothing with a name, or where it began."""
    if kind_of(event) != "motion":
        return f"{event.kind}:{a.id}", _claim(event.kind, a)
    if stock.ref(event.target or 0) is None or event.target == event.source:
        return None
    return _taken(stock, a, f"{'in' if event.inside else 'on'}:{event.target}")


def _siblings(stock: Stock, h: Happening) -> list[Told]:
    """What this twin's sibling shows and this clip does not: first of the same thing."""
    shown = {(kind_of(e), e.object) for e in stock.facts.events}
    found = []
    for e in sorted(stock.facts.instead, key=lambda e: (e.object != h.event.object, e.id)):
        same = (kind_of(e), e.object) == (kind_of(h.event), h.event.object) == ("motion", e.object)
        a = stock.ref(e.object)
        if a is None or e.kind == "pour" or ((kind_of(e), e.object) in shown and not same):
            continue
        other, mine = _told(stock, e, a), _told(stock, h.event, a)
        if other is not None and (not same or mine is None or other[0] != mine[0]):
            found.append(other)
    return found


def _elsewhere(stock: Stock, h: Happening, a: Ref) -> list[Told]:
    """The same thing moved to another place of the scene."""
    source = stock.view.remembered(a.id, stock.view.thing(a.id).support, 0)
    known = [k for k in stock.shuffled(places(stock)) if _reachable(stock, k)]
    taken = (str(h.event.target), str(source), str(a.id))
    return [_taken(stock, a, k) for k in known if k.split(":")[1] not in taken]


def _reachable(stock: Stock, key: str) -> bool:
    """Whether a thing could be put there: into nothing that is shut all the while."""
    relation, id = key.split(":")
    doors = gates(stock.view, int(id)) if relation == "in" else []
    return all(any(stock.view.thing(door).openness or []) for door in doors)


def _taken(stock: Stock, a: Ref, key: str) -> Told:
    relation, id = key.split(":")
    place = stock.refs([int(id)])[0]
    where = {"into" if relation == "in" else "onto": place.program}
    return f"motion:{a.id}:{key}", {"op": "story", "kind": "motion", "object": a.program, **where}


def _otherwise(stock: Stock, h: Happening) -> list[Told]:
    """The same done to another thing of its kind, or another thing done."""
    kinds = ("open", "close") if h.event.kind in ("open", "close") else ("turn_on", "turn_off")
    others = [p for p in _absent(stock, kinds) if p.a.id != h.event.object]
    others.sort(key=lambda p: p.kind != h.event.kind)
    return [(f"{p.kind}:{p.a.id}", _claim(p.kind, p.a)) for p in others]


def _absent(stock: Stock, kinds: tuple[str, ...]) -> list[Premise]:
    return [p for p in never(stock, kinds) if all(stock.clear(f, p.a.id) for f in p.frames)]


def _claim(what: str, a: Ref) -> JSON:
    return {"op": "story", "kind": what, "object": a.program}


@kind("change", "how_wide")
def how_wide(stock: Stock) -> Iterator[Draft]:
    """All the way, partway or not at all: in what twins of opened doors differ."""
    for a in stock.shuffled(stock.doors):
        busy = any(e.object == a.id for e in stock.facts.events)
        ajar = (stock.view.thing(a.id).openness or [None])[-1]
        if stock.shows(a.id, stock.view.last) and (ajar or (busy and stock.chance(0.5))):
            program: JSON = {"op": "opened_how", "object": a.program, "at": END}
            yield Draft(program, {"a": a.text}, (stock.view.last,), (a.id,), Pool(keys=("wide", "partway", "closed")))


@kind("change", "how_many", rare=True)
def how_many(stock: Stock) -> Iterator[Draft]:
    """How many things are otherwise at the end, where each of them shows at both ends."""
    changed: JSON = {"op": "changed", "since": START, "until": END}
    for moment in (START, END):
        changed = {"op": "all_visible", "of": changed, "at": moment}
    program: JSON = {"op": "count", "of": changed}
    frames = tuple(sorted({f for h in stock.happenings for f in h.frames} | {0, stock.view.last}))
    yield Draft(program, {}, frames, ())


# ---- How fast ------------------------------------------------------------------------------------


@kind("time", "longer", rare=True)
def longer(stock: Stock) -> Iterator[Draft]:
    """Which of two takes longer."""
    return _compared(stock, "longest", lambda h: h.event.kind not in SUDDEN)


@kind("time", "faster", rare=True)
def faster(stock: Stock) -> Iterator[Draft]:
    """In which of two events something moves faster on the whole."""
    return _compared(stock, "fastest", lambda h: h.event.kind in ("open", "close", "move", "push"))


def _compared(stock: Stock, op: str, fits) -> Iterator[Draft]:  # type: ignore[no-untyped-def]
    for group in stock.shuffled(combinations([h for h in stock.happenings if fits(h)], 2)):
        a, b = stock.shuffled(group)
        program: JSON = {"op": op, "of": [a.program, b.program]}
        which = Text(en=f"{a.what.en}, or {b.what.en}", zh=f"{a.what.zh}，还是{b.what.zh}")
        frames = tuple(sorted({*a.frames, *b.frames}))
        yield Draft(program, {"which": which}, frames, (a.event.object, b.event.object), Pool(keys=(a.key, b.key)))
