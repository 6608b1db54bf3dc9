"""How things, events and answers are said in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence

from synth4d.program.times import kind_of
from synth4d.program.view import ASKABLE, Value
from synth4d.records import Answer, EventFact, Facts, ObjectFact, Text
from synth4d.vocabulary import COLOURS

UNITS = {
    "m": Text(en=" m", zh="米"),
    "cm": Text(en=" cm", zh="厘米"),
    "deg": Text(en=" degrees", zh="度"),
    "s": Text(en=" s", zh="秒"),
    "%": Text(en="%", zh="%"),
    "px": Text(en=" px", zh="像素"),
}
CHOICES = {
    "open": Text(en="Open", zh="开着"),
    "closed": Text(en="Closed", zh="关着"),
    "on": Text(en="On", zh="开着"),
    "off": Text(en="Off", zh="关着"),
    "full": Text(en="Full", zh="满的"),
    "partly": Text(en="Partly full", zh="装了一部分"),
    "empty": Text(en="Empty", zh="空的"),
    "left": Text(en="To the left", zh="左边"),
    "right": Text(en="To the right", zh="右边"),
    "front": Text(en="In front", zh="前面"),
    "behind": Text(en="Behind", zh="后面"),
    "moved_left": Text(en="To the left", zh="向左"),
    "moved_right": Text(en="To the right", zh="向右"),
    "closer": Text(en="Towards the camera", zh="朝镜头这边"),
    "farther": Text(en="Away from the camera", zh="往远离镜头的方向"),
    "still": Text(en="It did not move", zh="它没有移动"),
    "turns_left": Text(en="To the left", zh="向左"),
    "turns_right": Text(en="To the right", zh="向右"),
    "keeps_heading": Text(en="It does not turn", zh="没有转动"),
    "goes_left": Text(en="To the left", zh="向左"),
    "goes_right": Text(en="To the right", zh="向右"),
    "goes_in": Text(en="Forwards", zh="向前"),
    "goes_out": Text(en="Backwards", zh="向后"),
    "goes_up": Text(en="Upwards", zh="向上"),
    "goes_down": Text(en="Downwards", zh="向下"),
    "stays": Text(en="It stays where it is", zh="停在原处"),
    "opens": Text(en="It is opened", zh="被打开"),
    "closes": Text(en="It is closed", zh="被关上"),
    "turns_on": Text(en="It is turned on", zh="被打开"),
    "turns_off": Text(en="It is turned off", zh="被关掉"),
    "unchanged": Text(en="Neither: it stays as it is", zh="都没有，它保持不变"),
    "wide": Text(en="All the way open", zh="完全打开"),
    "partway": Text(en="Only partway open", zh="只打开了一部分"),
    "early": Text(en="In the first third", zh="前三分之一"),
    "middle": Text(en="In the middle third", zh="中间三分之一"),
    "late": Text(en="In the last third", zh="后三分之一"),
    "did_not": Text(en="That does not happen in the video", zh="视频里没有发生这件事"),
    "untold": Text(en="The video does not show it", zh="视频里看不出来"),
    "none": Text(en="None of them", zh="都没有错"),
}
"""Keys of `choice` answers; besides them `in:ID`, `on:ID` (a place), `it:ID` (a thing), `KIND:ID` (an event),
`motion:ID:in|on:PLACE` (a move to a place), a colour's key, and numbers of statements (`2+5`)."""
NUMERALS = "零一两三四五六七八九十"


# ---- Things --------------------------------------------------------------------------------------


def alone(facts: Facts, thing: ObjectFact) -> bool:
    """Whether the label alone, without a colour, names no other object, in either language."""
    en, zh = thing.label.en, thing.label.zh
    named = (o for o in facts.objects if o.role in ASKABLE and (o.label.en == en or o.label.zh == zh))
    return all(o.id == thing.id for o in named)


def coloured(thing: ObjectFact) -> Text:
    """The label with its colour: red mug, 红色的马克杯."""
    if thing.colour is None:
        return Text(en=thing.label.en, zh=thing.label.zh)
    return Text(en=f"{thing.colour.en} {thing.label.en}", zh=f"{thing.colour.zh}的{thing.label.zh}")


def thing_text(facts: Facts, id: int) -> Text:
    """How a thing is called in this clip: the mug, the red mug, or a red mug where there are more."""
    called = _called(facts)
    if id not in called:
        called[id] = _name(facts, next(o for o in facts.objects if o.id == id))
    return called[id]


_CALLED: dict[int, tuple[Facts, dict[int, Text]]] = {}
"""How things are called, by the identity of their facts, which are kept beside so that it stays theirs."""
_CLIPS = 4


def _called(facts: Facts) -> dict[int, Text]:
    if len(_CALLED) > _CLIPS:
        _CALLED.clear()
    return _CALLED.setdefault(id(facts), (facts, {}))[1]


def _name(facts: Facts, thing: ObjectFact) -> Text:
    if alone(facts, thing):
        return Text(en=f"the {thing.label.en}", zh=thing.label.zh)
    name = coloured(thing)
    if thing.unique:
        return Text(en=f"the {name.en}", zh=name.zh)
    article = "an" if name.en[:1].lower() in "aeiou" else "a"
    return Text(en=f"{article} {name.en}", zh=f"一{thing.label.measure}{name.zh}")


def joined(texts: Sequence[Text], ordered: bool) -> Text:
    """the mug and the bowl · 马克杯和碗; ordered: the mug, then the bowl · 先是马克杯，然后是碗."""
    en, zh = [t.en for t in texts], [t.zh for t in texts]
    if not texts:
        return Text(en="nothing", zh="没有任何东西")
    if len(texts) == 1:
        return texts[0]
    if not ordered:
        en_text = f"{', '.join(en[:-1])} and {en[-1]}"
        return Text(en=en_text, zh="、".join(zh[:-1]) + "和" + zh[-1])
    middle = "，".join("然后是" + z for z in zh[1:-1])
    last = ("最后是" if len(zh) > 2 else "然后是") + zh[-1]
    return Text(en=", then ".join(en), zh="，".join(p for p in ("先是" + zh[0], middle, last) if p))


# ---- Events --------------------------------------------------------------------------------------

CLAUSES = {
    "open": ("{a} opens", "{a} is opening", "{a}被打开"),
    "close": ("{a} closes", "{a} is closing", "{a}被关上"),
    "turn_on": ("{a} is turned on", "{a} is being turned on", "{a}被打开"),
    "turn_off": ("{a} is turned off", "{a} is being turned off", "{a}被关掉"),
    "move": ("{a} is moved", "{a} is being moved", "{a}被移动"),
    "knock_over": ("{a} is knocked over", "{a} is being knocked over", "{a}被碰倒"),
    "drop": ("{a} drops", "{a} is dropping", "{a}掉落"),
    "push": ("{a} is pushed", "{a} is being pushed", "{a}被推动"),
    "motion": ("{a} moves", "{a} is moving", "{a}移动"),
    "pour": ("{a} pours into {b}", "{a} is pouring into {b}", "{a}往{b}里倒{c}"),
}


def clause(facts: Facts, event: EventFact, going_on: bool = False) -> Text:
    """What happens, as a clause: `the drawer opens` (going on: `is opening`) · 抽屉被打开."""
    simple, continuous, zh = CLAUSES[event.kind]
    a = thing_text(facts, event.object)
    b = thing_text(facts, event.target) if event.target else Text(en="something", zh="别的东西")
    liquids = {o.label.zh for o in facts.objects if o.role == "liquid"}
    c = liquids.pop() if len(liquids) == 1 else "液体"
    en = (continuous if going_on else simple).format(a=a.en, b=b.en)
    return Text(en=en, zh=zh.format(a=a.zh, b=b.zh, c=c))


def _event_text(facts: Facts, kind: str, id: int) -> Text:
    for event in facts.events:
        if event.object == id and kind in (event.kind, kind_of(event)):
            return clause(facts, event)
    simple, _, zh = CLAUSES[kind]
    a = thing_text(facts, id)
    return Text(en=simple.format(a=a.en, b="something"), zh=zh.format(a=a.zh, b="别的东西", c="液体"))


def _taken(facts: Facts, id: int, relation: str, place: int) -> Text:
    """the mug is moved into the drawer · 马克杯被移到抽屉里"""
    a, b = thing_text(facts, id), thing_text(facts, place)
    into = relation == "in"
    en = f"{a.en} is moved {'into' if into else 'onto'} {b.en}"
    return Text(en=en, zh=f"{a.zh}被移到{b.zh}{'里' if into else '上'}")


# ---- Answers -------------------------------------------------------------------------------------


def digits(value: float, unit: str) -> str:
    """A number as people say it: 0.85 m, 1.3 m, 8.2 cm, 37 degrees, 2.5 s."""
    if unit in ("deg", "%", "px"):
        return f"{round(value)}"
    if unit == "s" or (unit == "m" and abs(value) >= 1) or (unit == "cm" and abs(value) < 10):
        return f"{value:.1f}"
    return f"{value:.2f}" if unit == "m" else f"{round(value)}"


def number_text(value: float, unit: str) -> Text:
    said = digits(value, unit)
    return Text(en=said + UNITS[unit].en, zh=said + UNITS[unit].zh)


def count_text(value: int, measure: str) -> Text:
    """3 · 三个; two is 两 before a measure word."""
    if not measure or not 0 <= value <= 10:
        return Text(en=str(value), zh=f"{value}{measure}")
    return Text(en=str(value), zh=NUMERALS[value] + measure)


def numbers(values: Sequence[float], decimals: int = 0) -> str:
    """[12, 34, 56, 78]: how coordinates are written in both languages; rounded as they are kept."""
    return "[" + ", ".join(f"{v:.{decimals}f}" for v in values) + "]"


def _coordinates(value: Value) -> Text:
    """Pixels as they are; metres and quaternions named, each as it is kept, so that they can be read back."""
    v = value.value
    if value.type in ("box2d", "point2d"):
        return Text(en=numbers(v), zh=numbers(v))
    centre, turn = (v["center"], v["quat_wxyz"]) if value.type == "box3d" else (v[:3], v[3:])
    place, turned = numbers(centre, 3), numbers(turn, 4)
    if value.type == "pose":
        return Text(en=f"Position {place} m, rotation {turned}", zh=f"位置{place}米，旋转{turned}")
    size = numbers(v["size"], 3)
    return Text(
        en=f"Centre {place} m, size {size} m, rotation {turned}", zh=f"中心{place}米，尺寸{size}米，旋转{turned}"
    )


def _capital(text: Text) -> Text:
    return Text(en=text.en[:1].upper() + text.en[1:], zh=text.zh)


def _choice(facts: Facts, key: str) -> Text:
    if key in CHOICES:
        return CHOICES[key]
    if key in COLOURS:
        return Text(en=COLOURS[key][0].en, zh=COLOURS[key][0].zh)
    if key.replace("+", "").isdigit():
        return _statements(key.split("+"))
    kind, id, *goal = key.split(":")
    if goal:
        return _taken(facts, int(id), goal[0], int(goal[1]))
    if kind in CLAUSES:
        return _event_text(facts, kind, int(id))
    place = thing_text(facts, int(id))
    if kind == "it":
        return place
    if kind == "in":
        return Text(en=f"in {place.en}", zh=f"在{place.zh}里")
    return Text(en=f"on {place.en}", zh=f"在{place.zh}上")


def _statements(numbers: list[str]) -> Text:
    """2+5 → statements 2 and 5 · 第2句和第5句"""
    listed = joined([Text(en=n, zh=f"第{n}句") for n in numbers], ordered=False)
    return Text(en=f"statement{'s' if len(numbers) > 1 else ''} {listed.en}", zh=listed.zh)


def word(value: Value, facts: Facts) -> Text:
    """An answer as a short phrase in both languages."""
    v = value.value
    if value.words is not None:
        return value.words
    if value.type == "bool":
        return Text(en="Yes", zh="是") if v else Text(en="No", zh="否")
    if value.type == "int":
        return count_text(v, value.measure)
    if value.type == "number":
        return number_text(v, value.unit or "m")
    if value.type == "choice":
        return _capital(_choice(facts, v))
    if value.type == "object":
        return _capital(thing_text(facts, v))
    if value.type == "objects":
        return _capital(joined([thing_text(facts, id) for id in v], value.ordered))
    if value.type == "interval":
        a, b = (digits(x, "s") for x in v)
        return Text(en=f"From {a} s to {b} s", zh=f"从{a}秒到{b}秒")
    if value.type in ("box2d", "point2d", "box3d", "pose"):
        return _coordinates(value)
    raise ValueError(f"no wording for answers of type {value.type}")


def answer(value: Value, facts: Facts) -> Answer:
    """The record of an answer, worded."""
    return Answer(type=value.type, value=value.value, unit=value.unit, text=word(value, facts))
