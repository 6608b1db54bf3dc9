"""Operations on instances: which are meant, how many there are, which can be seen."""

from __future__ import annotations

from synth4d.geometry import box_distance
from synth4d.program import margins
from synth4d.program.operations import Key, Sub, Word, op
from synth4d.program.view import ASKABLE, Things, Value, View, refuse
from synth4d.records import at

Span = tuple[int, int]


def only(view: View, things: Things, what: str) -> int:
    """The single member of a set; refuses when there is none, several, or doubt."""
    if len(things.sure) == 1 and not things.unsure:
        return things.sure[0]
    if not things.sure and not things.unsure:
        refuse("undefined", f"{what}: there is none")
    names = [view.thing(id).name for id in (*things.sure, *things.unsure)]
    refuse("ambiguous", f"{what}: {', '.join(names[:4])}")


def sure(view: View, things: Things) -> tuple[int, ...]:
    """The members of a set; refuses when the witness is in doubt about any."""
    if things.unsure:
        refuse("ambiguous", f"in doubt about {view.thing(things.unsure[0]).name}")
    return things.sure


@op(
    "filter",
    "things",
    of=Sub("things", optional=True),
    category=Key(optional=True),
    label=Key(optional=True),
    colour=Key(optional=True),
    role=Word(ASKABLE, optional=True),
)
def filter_(
    view: View,
    of: Things | None,
    category: str | None,
    label: str | None,
    colour: str | None,
    role: str | None,
) -> Things:
    """instances of a category, English label, colour or role; a thing without a named colour is in doubt"""
    base = of or Things(view.askable)
    kept: list[int] = []
    unsure: list[int] = []
    called = None if label is None else label.lower()
    for id in (*base.sure, *base.unsure):
        o = view.thing(id)
        if (category is not None and category != o.category) or (role is not None and role != o.role):
            continue
        if called is not None and called != o.label.en.lower():
            continue
        if colour is not None and o.colour is not None and colour != o.colour.key:
            continue
        doubt = id in base.unsure or (colour is not None and o.colour is None)
        (unsure if doubt else kept).append(id)
    measures = {view.thing(id).label.measure for id in (*kept, *unsure)} if category or label else set()
    measure = measures.pop() if len(measures) == 1 else base.measure if not (category or label) else "个"
    return Things(tuple(kept), tuple(unsure), measure)


@op("unique", "object", of=Sub("things"))
def unique(view: View, of: Things) -> int:
    """the one thing of a set; ambiguous when there are more (one whose colour has no name is not meant)"""
    if len(of.sure) == 1 and all(view.thing(id).colour is None for id in of.unsure):
        return of.sure[0]
    return only(view, of, "unique")


@op("these", "things", of=Sub("object", many=(1, 6)))
def these(view: View, of: list[int]) -> Things:
    """the set of the things listed"""
    if len(set(of)) < len(of):
        refuse("undefined", "the same thing is listed twice")
    return Things(tuple(sorted(of)))


@op("count", "int", of=Sub("things"))
def count(view: View, of: Things) -> Value:
    """how many things are in a set; ambiguous while any is in doubt"""
    return Value("int", len(sure(view, of)), measure=of.measure)


@op("minus", "int", a=Sub("int"), b=Sub("int"))
def minus(view: View, a: Value, b: Value) -> Value:
    """a − b"""
    return Value("int", a.value - b.value, measure=a.measure)


@op("exists", "bool", of=Sub("things"))
def exists(view: View, of: Things) -> Value:
    """whether a set has any member"""
    if of.sure:
        return Value("bool", True)
    sure(view, of)
    return Value("bool", False)


# ---- Visibility ----------------------------------------------------------------------------------


@op("visible", "things", of=Sub("things"), at=Sub("moment"))
def visible(view: View, of: Things, at: Span) -> Things:
    """those clearly visible at a moment; the barely visible are in doubt"""
    return _split(view, of, range(at[0], at[0] + 1))


@op("seen", "things", of=Sub("things"), until=Sub("moment", optional=True))
def seen(view: View, of: Things, until: Span | None) -> Things:
    """those clearly visible at some moment of the video (up to `until`)"""
    return _split(view, of, range((until[0] if until else view.last) + 1))


def _split(view: View, of: Things, frames: range) -> Things:
    clear = {id for id in (*of.sure, *of.unsure) if any(view.clear(id, f) for f in frames)}
    glimpsed = {id for id in (*of.sure, *of.unsure) if any(view.glimpsed(id, f) for f in frames)}
    kept = tuple(id for id in of.sure if id in clear)
    doubt = (id for id in (*of.sure, *of.unsure) if id in glimpsed and id not in kept)
    return Things(kept, tuple(doubt), of.measure)


@op("all_visible", "things", of=Sub("things"), at=Sub("moment"))
def all_visible(view: View, of: Things, at: Span) -> Things:
    """the same set, if each of it is clearly visible at a moment; else not visible"""
    view.need_clear(of.sure, at[0])
    return of


@op("remembered", "things", of=Sub("things"), until=Sub("moment"))
def remembered(view: View, of: Things, until: Span) -> Things:
    """the same set, if each of it was clearly visible at some moment up to `until`; else not visible"""
    last = until[0] if view.film is view else view.film.last
    for id in of.sure:
        if not any(view.film.clear(id, f) for f in range(last + 1)):
            refuse("not visible", f"{view.thing(id).name} up to frame {until[0]}")
    return of


@op("is_visible", "bool", object=Sub("object"), at=Sub("span"))
def is_visible(view: View, object: int, at: Span) -> Value:
    """whether a thing is clearly visible through a span; ambiguous while it is barely visible"""
    frames = range(at[0], at[1] + 1)
    if all(view.clear(object, f) for f in frames):
        return Value("bool", True)
    if any(view.glimpsed(object, f) for f in frames):
        refuse("ambiguous", f"{view.thing(object).name} is barely visible")
    return Value("bool", False)


# ---- Support and containment ---------------------------------------------------------------------


@op("on", "things", object=Sub("object"), at=Sub("moment"), of=Sub("things", optional=True))
def on(view: View, object: int, at: Span, of: Things | None) -> Things:
    """things that stand on a thing at a moment"""
    return _held(view, "support", object, at[0], of)


@op("inside", "things", object=Sub("object"), at=Sub("moment"), of=Sub("things", optional=True))
def inside(view: View, object: int, at: Span, of: Things | None) -> Things:
    """things that are inside a thing at a moment, seen or remembered"""
    return _held(view, "inside", object, at[0], of)


def _held(view: View, relation: str, holder: int, frame: int, of: Things | None) -> Things:
    """Things that stand on or are in `holder`; in doubt are those in sight that the witness can't place."""
    base = of or Things(tuple(id for id in view.askable if view.thing(id).role == "prop"))
    kept, unsure = [], list(base.unsure)
    for id in base.sure:
        if id == holder:
            continue
        track = getattr(view.thing(id), relation)
        where = view.remembered(id, track, frame)
        if where == holder:
            kept.append(id)
        elif where is None and at(view.thing(id).pixels, frame) > 0 and not _apart(view, id, holder, frame):
            unsure.append(id)
    return Things(tuple(kept), tuple(unsure), base.measure)


def _apart(view: View, a: int, b: int, frame: int) -> bool:
    """Whether two things are seen apart: their boxes in the room, or what is seen of them in the picture."""
    (x, y), sizes = (at(view.thing(i).box, frame) for i in (a, b)), [view.thing(i).size for i in (a, b)]
    if x is not None and y is not None:
        return box_distance(x, sizes[0], y, sizes[1]) > margins.MOVED_M
    x, y = (at(view.thing(i).visible2d, frame) for i in (a, b))
    if x is None or y is None:
        return False
    slack = margins.PICTURE_SHARE * view.facts.width
    return max(x[0], y[0]) > min(x[2], y[2]) + slack or max(x[1], y[1]) > min(x[3], y[3]) + slack


@op("where", "choice", object=Sub("object"), at=Sub("moment"))
def where(view: View, object: int, at: Span) -> Value:
    """what a thing is in or on at a moment, seen or remembered: `in:ID` or `on:ID`"""
    thing = view.thing(object)
    place = view.remembered(object, thing.inside, at[0])
    relation = "in"
    if place == 0:
        place, relation = view.remembered(object, thing.support, at[0]), "on"
    if place is None:
        refuse("not visible", f"where {thing.name} is at frame {at[0]}")
    if place == 0 or place not in view.by_id or view.thing(place).role not in ASKABLE:
        refuse("undefined", f"{thing.name} is on nothing that has a name")
    return Value("choice", f"{relation}:{place}")


@op("holder", "object", object=Sub("object"), at=Sub("moment"))
def holder(view: View, object: int, at: Span) -> int:
    """the thing that a thing is in or on at a moment"""
    value: str = where(view, object, at).value
    return int(value.split(":")[1])
