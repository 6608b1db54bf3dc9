"""Questions of viewpoint: how the camera moves and turns, what another of its viewpoints would show."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from synth4d.ask.kinds import Draft, Pool, either, kind, listed
from synth4d.ask.stock import Moment, Stock
from synth4d.records import JSON, Text

TURNS = ("turns_left", "turns_right", "keeps_heading")
WAYS = ("goes_left", "goes_right", "goes_in", "goes_out", "stays")


def _spans(stock: Stock) -> list[tuple[Moment, Moment]]:
    """The whole clip first, then from the start or to the end by a second of its middle third: no two of the same
    start and end nearly together."""
    last = stock.view.last
    middle = [stock.second(f) for f in stock.shuffled(range(max(last // 3, 1), 2 * last // 3 + 1))[:1]]
    start, end = stock.start(), stock.end()
    return [(start, end), *((start, m) for m in middle), *((m, end) for m in middle)]


def _moved(stock: Stock, op: str, pool: Pool) -> Iterator[Draft]:
    for a, b in _spans(stock):
        program: JSON = {"op": op, "since": a.program, "until": b.program}
        slots: dict[str, Text | str] = {"since": a.point or a.text, "until": b.point or b.text}
        yield Draft(program, slots, (a.frame, (a.frame + b.frame) // 2, b.frame), (), pool)


@kind("space", "camera_turn")
def camera_turn(stock: Stock) -> Iterator[Draft]:
    return _moved(stock, "camera_turn", Pool(keys=TURNS))


@kind("space", "camera_turned")
def camera_turned(stock: Stock) -> Iterator[Draft]:
    return _moved(stock, "camera_turned", Pool(least=12.0, most=170.0))


@kind("space", "camera_shift")
def camera_shift(stock: Stock) -> Iterator[Draft]:
    return _moved(stock, "camera_shift", Pool(keys=WAYS))


@kind("space", "side_from", paired=True, tries=40)
def side_from(stock: Stock) -> Iterator[Draft]:
    """Left or right of two things in sight at one end of the clip, for the viewpoint at the other."""
    for here, there in stock.shuffled(((stock.start(), stock.end()), (stock.end(), stock.start()))):
        for a, b in stock.shuffled(combinations(stock.in_sight(stock.marks, here.frame, True)[:6], 2)):
            program: JSON = {
                "op": "side_from", "of": a.program, "by": b.program, "at": here.program, "seen": there.program,
            }  # fmt: skip
            slots: dict[str, Text | str] = {
                "a": a.text, "b": b.text, "at": here.text, "seen": there.point or there.text,
            }  # fmt: skip
            yield Draft(program, slots, (here.frame, there.frame), (a.id, b.id), Pool(keys=("left", "right")))


@kind("space", "lost", rare=True)
def lost(stock: Stock) -> Iterator[Draft]:
    """Which of three things in sight at one moment is out of sight at another."""
    for a, b in _spans(stock):
        before = stock.in_sight(stock.marks, a.frame)
        gone = [r for r in before if not stock.view.glimpsed(r.id, b.frame)]
        stay = [r for r in before if stock.clear(b.frame, r.id)]
        for r in gone[:2]:
            if len(stay) >= 2:
                group = stock.shuffled([r, *stock.shuffled(stay)[:2]])
                these: JSON = {"op": "these", "of": [g.program for g in group]}
                of: JSON = {"op": "lost", "of": these, "since": a.program, "until": b.program}
                ids = tuple(g.id for g in group)
                slots: dict[str, Text | str] = {
                    "which": either(group),
                    "all": listed(group),
                    "since": a.text,
                    "at": b.text,
                }
                yield Draft({"op": "unique", "of": of}, slots, (a.frame, b.frame), ids, Pool(ids))
