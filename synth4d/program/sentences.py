"""Claims as sentences in English and Chinese: what each kind of answer says, of what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from synth4d.program.claims import TIMED, Claim, lasts_until
from synth4d.program.language import Program, evaluate
from synth4d.program.view import View, refuse
from synth4d.program.wording import NUMERALS, clause, count_text, joined, number_text, thing_text
from synth4d.records import EventFact, Label, Text
from synth4d.vocabulary import COLOURS


@dataclass(frozen=True, slots=True)
class Part:
    """A claim taken apart: when (may be empty), of what, and what is said of it.

    en: `the mug` + `is` + `on the table`; zh: 马克杯 + 在桌子上. Those of one `run` may share a sentence.
    """

    run: str
    when: Text
    subject: Text
    says: Text
    place: Text | None = None
    """For places: the words to begin with instead (`on the table`, 桌子上)."""


NEVER = Text(en="", zh="")
STATES = {
    "open": ("open", "开着"), "closed": ("closed", "关着"), "on": ("on", "开着"), "off": ("off", "关着"),
    "full": ("full", "是满的"), "partly": ("partly full", "装了一部分"), "empty": ("empty", "是空的"),
}  # fmt: skip
SIDES = {
    "left": ("to the left of {b}", "在{b}的左边"),
    "right": ("to the right of {b}", "在{b}的右边"),
    "front": ("in front of {b}", "在{b}的前面"),
    "behind": ("behind {b}", "在{b}的后面"),
}
WAYS = {
    "moved_left": ("moved to the left", "向左移动了"),
    "moved_right": ("moved to the right", "向右移动了"),
    "closer": ("moved towards the camera", "朝镜头这边移动了"),
    "farther": ("moved away from the camera", "往远离镜头的方向移动了"),
    "still": ("not moved", "没有移动"),
}


def part(view: View, claim: Claim) -> Part:
    """Take a claim apart; refuses what there are no words for."""
    if claim.op == "count":
        return _count(view, claim)
    if claim.op in TIMED:
        return _event(view, claim)
    if claim.op == "happens":
        if claim.program.fields["of"].fields != dict.fromkeys(claim.program.fields["of"].fields):
            refuse("undefined", "no words for some events only")
        still = Text(en="nothing in the scene moves or changes", zh="场景里没有任何东西移动或发生变化")
        busy = Text(en="something in the scene moves or changes", zh="场景里有东西移动或发生变化")
        return Part("happens", NEVER, NEVER, busy if claim.value.value else still)
    if claim.op == "earliest":
        return _earliest(view, claim)
    if claim.op in ("biggest", "nearest"):
        return _compared(view, claim)
    if claim.op == "contents":
        held = joined([thing_text(view.facts, id) for id in claim.value.value], ordered=False)
        name, when = thing_text(view.facts, claim.id("object", view)), _when(view, claim.program.fields["until"])
        return Part("contents", when, held, Text(en=f"in {name.en}", zh=f"在{name.zh}里"))
    if claim.op == "side":
        a, b = (thing_text(view.facts, claim.id(f, view)) for f in ("of", "by"))
        en, zh = SIDES[claim.value.value]
        seen = joined_when(_when(view, claim.program.fields["at"]), Text(en="seen from the camera", zh="从镜头看"))
        return Part("side", seen, a, Text(en=en.format(b=b.en), zh=zh.format(b=b.zh)))
    thing = claim.id("object", view)
    subject = thing_text(view.facts, thing)
    if claim.op == "colour":
        bare = view.thing(thing).label
        colour = COLOURS[claim.value.value][0]
        return Part("colour", NEVER, Text(en=f"the {bare.en}", zh=bare.zh), Text(en=colour.en, zh=f"是{colour.zh}的"))
    if claim.op in ("movement", "moved"):
        return _moved(view, claim, subject)
    when = _when(view, claim.program.fields["at"])
    if claim.op == "where":
        relation, _, id = claim.value.value.partition(":")
        holder = thing_text(view.facts, view.thing(int(id)).id)
        inside = relation == "in"
        place = Text(en=f"{'in' if inside else 'on'} {holder.en}", zh=holder.zh + ("里" if inside else "上"))
        return Part("where", when, subject, Text(en=place.en, zh="在" + place.zh), place)
    return Part("state", when, subject, _condition(view, claim))


def _condition(view: View, claim: Claim) -> Text:
    value = claim.value.value
    if claim.op == "state":
        return Text(en=STATES[value][0], zh=STATES[value][1])
    said = number_text(value, claim.value.unit or "%")
    if claim.op == "fill":
        return Text(en=f"{said.en} full", zh=f"里装了{said.zh}")
    if value <= 0:
        return Text(en="shut", zh="完全关着")
    return Text(en=f"{said.en} open", zh=f"打开了{said.zh}")


def _count(view: View, claim: Claim) -> Part:
    """Only of things by category or label that are seen in the video, or visible at a moment."""
    of = claim.program.fields["of"]
    what = of.fields.get("of")
    if of.op.name not in ("seen", "visible") or what is None or what.op.name != "filter":
        refuse("undefined", "no words for what is counted")
    wanted = what.fields
    if wanted["colour"] or wanted["role"] or wanted["of"] or of.fields.get("until"):
        refuse("undefined", "no words for what is counted")
    label = next((o.label for o in view.facts.objects if _is(o.category, o.label, wanted)), None)
    if label is None:
        refuse("undefined", "none of that name")
    when = _when(view, of.fields["at"]) if of.op.name == "visible" else NEVER
    return Part("count", when, NEVER, counted(claim.value.value, label))


def _is(category: str, label: Label, wanted: dict[str, str | None]) -> bool:
    return wanted["category"] in (None, category) and wanted["label"] in (None, label.en)


WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def counted(n: int, label: Label) -> Text:
    """two mugs · 两个马克杯; a bowl · 一个碗"""
    if n == 1:
        en = f"{'an' if label.en[:1] in 'aeiou' else 'a'} {label.en}"
    else:
        en = f"{WORDS[n] if 0 <= n < len(WORDS) else n} {label.plural}"
    zh = count_text(n, label.measure).zh if 0 < n < len(NUMERALS) else f"{n}{label.measure}"
    return Text(en=en, zh=zh + label.zh)


def _event(view: View, claim: Claim) -> Part:
    event = claim.event(view)
    what = clause(view.facts, event)
    if claim.op == "interval":
        a, b = (number_text(s, "s") for s in claim.value.value)
        when = Text(en=f"from {a.en} to {b.en}", zh=f"从{a.zh}到{b.zh}")
    else:
        at = number_text(claim.value.value, "s")
        when = Text(en=f"at about {at.en}", zh=f"大约在第{at.zh}")
    return Part("event", when, NEVER, what)


def _earliest(view: View, claim: Claim) -> Part:
    events = [evaluate(p, view) for p in claim.program.fields["of"]]
    kind, _, id = claim.value.value.partition(":")
    if len(events) != 2:
        refuse("undefined", "no words for more than two events")
    ahead = [e for e in events if e.object == int(id) and _key(e) == kind]
    if len(ahead) != 1:
        refuse("undefined", f"not one of the events: {claim.value.value}")
    first, then = (clause(view.facts, e) for e in (ahead[0], next(e for e in events if e is not ahead[0])))
    says = Text(en=f"{first.en} before {then.en}", zh=f"先是{first.zh}，然后才是{then.zh}")
    return Part("earliest", NEVER, NEVER, says)


def _key(event: EventFact) -> str:
    return "motion" if event.kind in ("move", "knock_over", "drop", "push") else event.kind


def _compared(view: View, claim: Claim) -> Part:
    """Two things by size or by their way to a third or the camera."""
    things = evaluate(claim.program.fields["of"], view).sure
    other = [id for id in things if id != claim.value.value]
    if len(things) != 2 or len(other) != 1:
        refuse("undefined", "no words for a comparison of more than two")
    a, b = (thing_text(view.facts, id) for id in (claim.value.value, other[0]))
    when = _when(view, claim.program.fields["at"])
    if claim.op == "biggest":
        tall = claim.program.fields["by"] == "height"
        says = Text(en=f"{'taller' if tall else 'longer'} than {b.en}", zh=f"比{b.zh}{'高' if tall else '长'}")
        return Part("biggest", NEVER, a, says)
    to = claim.program.fields["to"]
    goal = Text(en="the camera", zh="镜头") if to.op.name == "camera" else thing_text(view.facts, evaluate(to, view))
    return Part("nearest", when, a, Text(en=f"nearer to {goal.en} than {b.en}", zh=f"比{b.zh}离{goal.zh}更近"))


def _moved(view: View, claim: Claim, subject: Text) -> Part:
    since, until = (_when(view, claim.program.fields[f]) for f in ("since", "until"))
    whole = [claim.program.fields[f].op.name for f in ("since", "until")] == ["start", "end"]
    if whole:
        when = Text(en="by the end", zh="到最后")
    else:
        when = Text(en=f"comparing the moment {since.en} with that {until.en}", zh=f"{since.zh}和{until.zh}相比")
    if claim.op == "moved":
        says = ("moved", "换了位置") if claim.value.value else ("not moved", "没有换位置")
        return Part("moved", when, subject, Text(en=says[0], zh=says[1]))
    en, zh = WAYS[claim.value.value]
    if claim.value.value != "still":
        when = joined_when(when, Text(en="seen from where the camera was first", zh="以最初的镜头视角看"))
    return Part("movement", when, subject, Text(en=en, zh=zh))


def joined_when(a: Text, b: Text) -> Text:
    return Text(en=", ".join(t for t in (a.en, b.en) if t), zh="，".join(t for t in (a.zh, b.zh) if t))


def _when(view: View, moment: Program) -> Text:
    """at the start · 一开始"""
    name = moment.op.name
    if name in ("start", "end"):
        return Text(en=f"at the {name}", zh="一开始" if name == "start" else "最后")
    if name == "time":
        said = number_text(moment.fields["s"], "s")
        return Text(en=f"at {said.en}", zh=f"第{said.zh}时")
    if name not in ("before", "after"):
        refuse("undefined", "no words for that moment")
    what = clause(view.facts, evaluate(moment.fields["event"], view))
    return Text(en=f"{name} {what.en}", zh=f"{what.zh}{'之前' if name == 'before' else '之后'}")


# ---- Single sentences ----------------------------------------------------------------------------


def sentence(view: View, claim: Claim) -> Text:
    """A claim as a sentence of its own: `At the start, the mug is on the table.` · 一开始，马克杯在桌子上。"""
    p = part(view, claim)
    event = lasts_until(view, claim)
    if event is not None and p.subject == thing_text(view.facts, event.object):
        p = replace(p, subject=Text(en="it", zh="它"))
    return closed(joined_when(p.when, predicated([p])))


def predicated(parts: Sequence[Part]) -> Text:
    """Parts that say the same of their subjects: the mug and the bowl are on the table · 马克杯和碗都在桌子上"""
    p, many = parts[0], len(parts) > 1
    if p.run == "count":
        listed = joined([q.says for q in parts], ordered=False)
        article, _, rest = listed.en.partition(" ")
        if article in ("a", "an") and not many:
            listed = Text(en=f"one {rest}", zh=listed.zh)
        return Text(en=f"the video shows {listed.en}", zh=f"视频里能看到{listed.zh}")
    if p.subject == NEVER:
        return p.says
    subject = joined([q.subject for q in parts], ordered=False)
    if p.run in ("moved", "movement"):
        verb = "have" if many else "has"
    else:
        verb = "are" if many or (p.run == "contents" and " and " in subject.en) else "is"
    if p.run == "contents":
        return Text(en=f"{subject.en} {verb} {p.says.en}", zh=p.says.zh + _holds(subject))
    return Text(en=f"{subject.en} {verb} {p.says.en}", zh=subject.zh + ("都" if many else "") + p.says.zh)


def _holds(subject: Text) -> str:
    return subject.zh if subject.en == "nothing" else f"有{subject.zh}"


def closed(text: Text) -> Text:
    """Capital letter and full stop."""
    return Text(en=text.en[:1].upper() + text.en[1:] + ".", zh=text.zh + "。")
