"""Questions of change: what is otherwise now, what moved where, what is hidden; and false premises."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from synth4d.ask.kinds import Draft, Pool, kind
from synth4d.ask.premise import Premise, premises
from synth4d.ask.refer import Ref
from synth4d.ask.state import places, turned
from synth4d.ask.stock import END, START, Happening, Moment, Stock
from synth4d.program import Value, opens, parse, run
from synth4d.records import JSON, Text, at

WHOLE: JSON = {"since": START, "until": END}
WAYS = ("moved_left", "moved_right", "closer", "farther")
STILL = 0.5
"""Share of the clips without events that are asked which way something went."""
ONCE = 0.15
"""Share of the clips that are asked whether what changed once is as it was: some one clip in eight has more."""
CROWDED, USUAL = 0.5, 0.25
"""Where a thing was is mostly not asked if over half of the things are there: it is the usual answer."""


def _ends(stock: Stock) -> tuple[int, ...]:
    return (0, stock.view.last)


def _in_both(stock: Stock, refs: list[Ref]) -> list[Ref]:
    """Things clearly visible in the first and the last frame, those that something happens to first."""
    both = [r for r in refs if all(stock.clear(f, r.id) for f in _ends(stock))]
    busy = {e.object for e in stock.facts.events}
    return sorted(stock.shuffled(both), key=lambda r: r.id not in busy)


def _since_start(stock: Stock, op: JSON, a: Ref, pool: Pool | None = None, **slots: Text | str) -> Draft:
    return Draft({**op, "object": a.program, **WHOLE}, {"a": a.text, **slots}, _ends(stock), (a.id,), pool)


# ---- What changed --------------------------------------------------------------------------------


@kind("change", "what")
def what(stock: Stock) -> Iterator[Draft]:
    """All that is otherwise at the end; `nothing` where nothing happens."""
    ids = tuple(
        r.id for r in stock.refs(stock.seen) if not stock.view.thing(r.id).part_of or opens(stock.view.thing(r.id))
    )
    frames = tuple(sorted({f for h in stock.happenings for f in h.frames} | {0, stock.view.last}))
    if stock.moving or stock.chance(0.8):
        yield Draft({"op": "changed", **WHOLE}, {}, frames, (), Pool(ids))


@kind("change", "anything")
def anything(stock: Stock) -> Iterator[Draft]:
    """Whether anything changes: in a while in which something does, and in one in which nothing does."""
    if not stock.moving:
        if stock.chance(0.3):
            yield _between(stock.start(), stock.end())
        return
    drafts = stock.shuffled(_between(a, b) for a, b in _spans(stock))
    answers = [(run(parse(d.program), stock.view), d) for d in drafts]
    for said in stock.shuffled((True, False)):
        yield from [d for v, d in answers if isinstance(v, Value) and v.value is said][:1]


def _between(since: Moment, until: Moment) -> Draft:
    within: JSON = {"op": "between", "since": since.program, "until": until.program}
    slots = {"since": since.point or since.text, "until": until.point or until.text}
    frames = tuple(sorted({since.frame, (since.frame + until.frame) // 2, until.frame}))
    return Draft({"op": "happens", "of": {"op": "events", "within": within}}, slots, frames, ())


def _spans(stock: Stock) -> list[tuple[Moment, Moment]]:
    """Spans of a second and more between the start, the end and every half second."""
    fps, last = stock.facts.fps, stock.view.last
    step = max(1, round(fps / 2))
    marks = [stock.start(), *(stock.second(f) for f in range(step, last, step)), stock.end()]
    return [(a, b) for a in marks for b in marks if b.frame - a.frame >= fps]


@kind("change", "did_move", paired=True, tries=24)
def did_move(stock: Stock) -> Iterator[Draft]:
    for a in _in_both(stock, stock.props):
        yield _since_start(stock, {"op": "moved"}, a)


@kind("change", "which_way")
def which_way(stock: Stock) -> Iterator[Draft]:
    """Also of things that never moved: a false premise."""

    def asked(premise: Premise) -> JSON:
        return {"op": "movement", "object": premise.a.program, **WHOLE}

    for premise, program in premises(stock, ("motion",), 1 / 5, asked):
        frames, pool = _ends(stock), Pool(keys=(*WAYS, "still"))
        if all(stock.clear(f, premise.a.id) for f in frames):
            yield Draft(program, {"a": premise.a.text}, frames, (premise.a.id,), pool)


@kind("change", "how_far_moved", rare=True)
def how_far_moved(stock: Stock) -> Iterator[Draft]:
    for a in _in_both(stock, stock.props):
        yield _since_start(stock, {"op": "displacement"}, a, Pool(least=0.2, most=4.0))


@kind("change", "opening", rare=True)
def opening(stock: Stock) -> Iterator[Draft]:
    """By how much a part is wider open at the end than at the start."""
    for a in _in_both(stock, stock.doors):
        joint, track = stock.view.thing(a.id).joint, stock.view.thing(a.id).openness
        if joint is None or not track or (track[-1] or 0) <= (track[0] or 0):
            continue
        hinge = joint.type == "hinge"
        yield _since_start(stock, {"op": "opening"}, a, turned(hinge), hinge="1" if hinge else "")


@kind("change", "restored", rare=True)
def restored(stock: Stock) -> Iterator[Draft]:
    """Whether what was changed is back as it was; seldom of what changed once, which most things do."""
    once = stock.chance(ONCE)
    for a in _in_both(stock, stock.doors + stock.lamps):
        times = [e for e in stock.facts.events if e.object == a.id]
        if len(times) > 1 or (times and once):
            frames = tuple(sorted({0, *(f for h in stock.happenings if h.event.object == a.id for f in h.frames)}))
            draft = _since_start(stock, {"op": "restored"}, a)
            yield Draft(draft.program, draft.slots, (*frames, stock.view.last), (a.id,))


# ---- Where things went ---------------------------------------------------------------------------


@kind("change", "moved_to", rare=True)
def moved_to(stock: Stock) -> Iterator[Draft]:
    """Also of things that are not moved: a false premise."""

    def asked(premise: Premise) -> JSON:
        return {"op": "moved_where", "object": premise.a.program}

    for premise, program in premises(stock, ("motion",), 1 / 4, asked):
        pool = Pool(keys=(*places(stock), "still"), always=("still",))
        yield Draft(program, {"a": premise.a.text}, premise.frames, (premise.a.id,), pool)


@kind("change", "moved_from", rare=True)
def moved_from(stock: Stock) -> Iterator[Draft]:
    return _whereabouts(stock, stock.before)


def _whereabouts(stock: Stock, moment: Callable[[Happening], Moment | None]) -> Iterator[Draft]:
    """Where each thing that was moved is at a moment of its move."""
    for h in stock.happenings:
        a, when = stock.ref(h.event.object), moment(h)
        if h.event.kind == "move" and a is not None and when is not None:
            if _crowded(stock, a.id, when.frame) and not stock.chance(USUAL):
                continue
            program: JSON = {"op": "where", "object": a.program, "at": when.program}
            yield Draft(program, {"a": a.text}, h.frames, (a.id,), Pool(keys=places(stock)))


@kind("change", "count", rare=True)
def count(stock: Stock) -> Iterator[Draft]:
    """How many things are on or in a holder before or after something happens."""
    for holder, relation in _stirred(stock):
        for h in stock.shuffled(stock.happenings):
            for moment in stock.shuffled(m for m in (stock.before(h), stock.after(h)) if m is not None):
                program: JSON = {"op": "count", "of": _held(relation, holder, moment)}
                frames = (moment.frame,)
                yield Draft(program, {**_on(holder, relation), "at": moment.text}, frames, (holder.id,))


@kind("change", "more", rare=True)
def more(stock: Stock) -> Iterator[Draft]:
    """How many more, or fewer, things are on or in a holder at the end."""
    for holder, relation in _stirred(stock):
        a = {"op": "count", "of": _held(relation, holder, stock.start())}
        b = {"op": "count", "of": _held(relation, holder, stock.end())}
        sets = [stock.members(holder.id, relation, f) for f in _ends(stock)]
        grew = len(sets[1]) > len(sets[0])
        program: JSON = {"op": "minus", "a": b if grew else a, "b": a if grew else b}
        slots = {**_on(holder, relation), "grew": "1" if grew else ""}
        yield Draft(program, slots, _ends(stock), (holder.id,))


def _crowded(stock: Stock, id: int, frame: int) -> bool:
    """Whether more than half of the things are where one is."""
    props = [o for o in stock.facts.objects if o.role == "prop"]
    places = {o.id: (at(o.support, frame), at(o.inside, frame)) for o in props}
    return sum(p == places[id] for p in places.values()) > CROWDED * len(places)


def _held(relation: str, holder: Ref, moment: Moment) -> JSON:
    held = {"op": relation, "object": holder.program, "at": moment.program}
    return {"op": "all_visible", "of": held, "at": moment.program}


def _on(holder: Ref, relation: str) -> dict[str, Text | str]:
    word = Text(en="on", zh="上") if relation == "on" else Text(en="in", zh="里")
    return {"a": holder.text, "rel": word}


def _stirred(stock: Stock) -> list[tuple[Ref, str]]:
    """Holders whose contents are not the same at the end."""
    pairs = [(r, relation) for r in stock.holders for relation in ("on", "inside")]
    ends = _ends(stock)
    return stock.shuffled(
        (r, s) for r, s in pairs if stock.members(r.id, s, ends[0]) != stock.members(r.id, s, ends[1])
    )


# ---- Out of sight --------------------------------------------------------------------------------


@kind("change", "inside_now", rare=True)
def inside_now(stock: Stock) -> Iterator[Draft]:
    """What is in something that is closed now, for one who saw it go in."""
    for holder in stock.shuffled(stock.holders):
        gates = [o for o in stock.facts.objects if opens(o) and holder.id in (o.id, o.part_of)]
        if not gates or any(g.openness and (g.openness[-1] or 0) > 1 for g in gates):
            continue
        held: JSON = {"op": "inside", "object": holder.program, "at": END}
        program: JSON = {"op": "remembered", "of": held, "until": END}
        inside = stock.members(holder.id, "inside", stock.view.last)
        frames = _last_seen(stock, inside)
        ids = tuple(r.id for r in stock.props)
        if inside and frames:
            yield Draft(program, {"a": holder.text}, frames, (holder.id,), Pool(ids), unseen=True)


@kind("change", "hidden_where", rare=True)
def hidden_where(stock: Stock) -> Iterator[Draft]:
    """Where a thing is that is out of sight at the end, for one who saw where it went."""
    for a in stock.shuffled(stock.props):
        frames = _last_seen(stock, {a.id})
        if stock.view.glimpsed(a.id, stock.view.last) or not frames or frames[0] < 1:
            continue
        if not any(e.object == a.id or e.target == a.id for e in stock.facts.events):
            continue
        program: JSON = {"op": "where", "object": a.program, "at": END}
        yield Draft(program, {"a": a.text}, frames, (a.id,), Pool(keys=places(stock)), unseen=True)


def _last_seen(stock: Stock, ids: set[int]) -> tuple[int, ...]:
    """The last frames that show each of some things, and the end; empty when one is never seen."""
    found = {stock.view.last}
    for id in ids:
        frames = [f for f in range(stock.facts.frames) if stock.view.clear(id, f)]
        if not frames:
            return ()
        found.add(frames[-1])
    return tuple(sorted(found))
