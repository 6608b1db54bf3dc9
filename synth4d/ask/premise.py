"""Questions whose premise may be false, and questions that the video may not answer.

The true answer to them is often enough `that does not happen` or `the video does not show it`, and these are always
among the options, so that neither saying so nor never saying so pays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from synth4d.ask.kinds import Draft, Pool, kind
from synth4d.ask.refer import Ref
from synth4d.ask.stock import END, Stock
from synth4d.program import Value, kind_of, parse, run
from synth4d.program.states import gates
from synth4d.program.wording import CLAUSES
from synth4d.records import JSON, Text

FALSE_SHARE = 1 / 3
TOLD_SHARE = 0.7
IN_MOVING = 0.7
"""The rest of the false premises are asked of clips in which nothing happens."""
THIRDS = ("early", "middle", "late", "did_not")


@dataclass(frozen=True, slots=True)
class Premise:
    """That something of a kind happens to a thing, true or not."""

    kind: str
    a: Ref
    frames: tuple[int, ...]


Asked = Callable[[Premise], JSON]


def premises(
    stock: Stock, kinds: Sequence[str], false: float, asked: Asked, *, often: float = 1.0
) -> Iterator[tuple[Premise, JSON]]:
    """What happens and what does not, with the programs `asked` of them that have an answer: of the latter as many as
    make a share `false` of all. `often` is less for what happens in few clips, so that the others do not outweigh."""
    true = [
        Premise(kind_of(h.event), r, h.frames)
        for h in stock.shuffled(stock.happenings)
        if kind_of(h.event) in kinds and (r := stock.ref(h.event.object)) is not None
    ]
    happens = list(_answered(stock, true, asked))
    rest = _answered(stock, never(stock, kinds), asked)
    for one in happens:
        if stock.chance(IN_MOVING * false / (1 - false)):
            yield from islice(rest, 1)
        yield one
    if not happens and stock.chance(often * (false if not stock.moving else false / 4)):
        yield from islice(rest, 1)


def _answered(stock: Stock, of: list[Premise], asked: Asked) -> Iterator[tuple[Premise, JSON]]:
    for premise in of:
        program = asked(premise)
        if isinstance(run(parse(program), stock.view), Value):
            yield premise, program


def never(stock: Stock, kinds: Sequence[str]) -> list[Premise]:
    """What could have happened, from how things are at first, and did not."""
    frames = (0, stock.view.last // 2, stock.view.last)
    found = []
    for a in stock.doors:
        track = stock.view.thing(a.id).openness or [None]
        found.append(("close" if (track[0] or 0) > 1 else "open", a))
    for a in stock.lamps:
        found.append(("turn_off" if (stock.view.thing(a.id).on or [None])[0] else "turn_on", a))
    found += [("motion", a) for a in stock.props]
    busy = {(kind_of(e), e.object) for e in stock.facts.events}
    moved = {e.object for e in stock.facts.events if e.kind == "pour"}
    return stock.shuffled(
        Premise(what, a, frames) for what, a in found
        if what in kinds and (what, a.id) not in busy and a.id not in moved and stock.clear(0, a.id)
    )  # fmt: skip


@kind("time", "third")
def third(stock: Stock) -> Iterator[Draft]:
    """In which third of the video something happens, if it does."""

    def asked(premise: Premise) -> JSON:
        return {"op": "happens_in", "kind": premise.kind, "object": premise.a.program}

    for premise, program in premises(stock, ("open", "close", "turn_on", "turn_off", "motion"), 1 / 4, asked):
        yield Draft(program, {"what": happening(premise)}, premise.frames, (premise.a.id,), Pool(keys=THIRDS))


def happening(premise: Premise) -> Text:
    """the drawer opens · 抽屉被打开"""
    simple, _, zh = CLAUSES["move" if premise.kind == "motion" else premise.kind]
    return Text(en=simple.format(a=premise.a.text.en), zh=zh.format(a=premise.a.text.zh))


# ---- What the video does not tell ----------------------------------------------------------------


@kind("state", "contents", rare=True)
def contents(stock: Stock) -> Iterator[Draft]:
    """What is in something: seen going in or lying in it; or nobody can tell, for it is never opened."""
    containers = [r for r in stock.refs(stock.seen) if stock.view.thing(r.id).cavity is not None]
    containers = [r for r in stock.shuffled(containers) if gates(stock.view, r.id)]
    opened = [r for r in containers if any(any(stock.view.thing(g).openness or []) for g in gates(stock.view, r.id))]
    shut = [r for r in containers if r not in opened]
    full = [r for r in opened if len(stock.members(r.id, "inside", stock.view.last)) == 1]
    things = tuple(f"it:{r.id}" for r in stock.props)
    pool = Pool(keys=(*things, "untold"), always=("untold",))
    chosen = [*full, *shut[:1]] if stock.chance(FALSE_SHARE if full else 0.15) else full
    for a in stock.shuffled(chosen):
        program: JSON = {"op": "held", "object": a.program}
        yield Draft(program, {"a": a.text}, _shown(stock, a.id), (a.id,), pool, unseen=True)


def _shown(stock: Stock, holder: int) -> tuple[int, ...]:
    """The end, and the last frame that shows each thing that is then inside."""
    found = {stock.view.last} | {f for f in (0,) if stock.clear(f, holder)}
    for id in stock.members(holder, "inside", stock.view.last):
        found |= {max((f for f in range(stock.facts.frames) if stock.clear(f, id)), default=stock.view.last)}
    return tuple(sorted(found))


@kind("state", "told", rare=True)
def told(stock: Stock) -> Iterator[Draft]:
    """Open or closed, on or off; or the video never shows the thing."""
    for aspect, answers in (("open", ("open", "closed", "untold")), ("on", ("on", "off", "untold"))):
        shown = stock.shuffled(stock.doors if aspect == "open" else stock.lamps)
        could = [
            o.id
            for o in stock.facts.objects
            if (gates(stock.view, o.id)[:1] == [o.id] if aspect == "open" else o.switchable)
        ]
        away = [r for r in stock.shuffled(stock.refs(could)) if not any(stock.view.thing(r.id).pixels)]
        shown = [r for r in shown if stock.shows(r.id, stock.view.last)]
        # One of three answers each: of what is shown, both states where there are both.
        by_state: dict[object, Ref] = {}
        for r in shown:
            thing = stock.view.thing(r.id)
            lit = (thing.on or [None])[-1] if aspect == "on" else (thing.openness or [None])[-1]
            by_state.setdefault(bool(lit), r)
        if not away or not by_state:
            continue
        hidden = away[:1] if stock.chance(TOLD_SHARE) else []
        for a in stock.shuffled([*hidden, *by_state.values()]):
            program: JSON = {"op": "told", "object": a.program, "aspect": aspect, "at": END}
            slots = {"a": a.text, "on": "1" if aspect == "on" else ""}
            yield Draft(program, slots, (stock.view.last,), (a.id,), Pool(keys=answers), unseen=True)
