"""A list of claims as one flowing paragraph: like things share a sentence, events are told one after another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TypeVar

import numpy as np

from synth4d.program import margins
from synth4d.program.claims import TIMED, Claim, lasts_until
from synth4d.program.sentences import NEVER, Part, closed, joined_when, part, predicated
from synth4d.program.view import View
from synth4d.program.wording import joined, number_text, thing_text
from synth4d.records import EventFact, Text

T = TypeVar("T")
STARTS = (("at the start", "一开始"), ("as the video begins", "视频开头"), ("in the first frame", "第一帧里"))
ENDS = (("at the end", "最后"), ("when the video ends", "视频结束时"), ("in the last frame", "最后一帧里"))
NEXT = (("then", "然后"), ("after that", "随后"), ("next", "接着"))


class Paragraph:
    """Writes claims, in their order; `style` decides between ways of saying the same."""

    def __init__(self, view: View, style: int) -> None:
        self.view = view
        self.rng = np.random.default_rng(style)
        self.said: list[Text] = []
        self.now = NEVER
        """The moment that has been named and still holds."""

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.rng.integers(len(options)))]

    def write(self, claims: Sequence[Claim]) -> Text:
        """Claims of one kind and moment that follow each other are one run."""
        parts = [(part(self.view, c), c) for c in claims]
        own = [(p, c) for p, c in parts if not _told(self.view, c, parts)]
        for run, when, group in _runs(own):
            if run == "event":
                events = [c.event(self.view) for _, c in group]
                tails = [_tail(self.view, e, parts) for e in events]
                self.events(list(zip((p for p, _ in group), events, tails, strict=True)))
            else:
                self.run(run, when, [p for p, _ in group])
        return Text(en=" ".join(s.en for s in self.said), zh="".join(s.zh for s in self.said))

    # ---- What is there -------------------------------------------------------------------------

    def run(self, run: str, when: Text, parts: list[Part]) -> None:
        if run == "count":
            self.counts(parts)
            return
        groups: dict[str, list[Part]] = {}
        for p in parts:
            groups.setdefault(p.says.en, []).append(p)
        said = [self.places(g) if run == "where" else predicated(g) for g in groups.values()]
        self.said.append(closed(joined_when(self.moment(when), self.chain(said))))

    def counts(self, parts: list[Part]) -> None:
        listed = joined([p.says for p in parts], ordered=False)
        come = "comes" if len(parts) == 1 and listed.en.split()[0] in ("a", "an") else "come"
        en = self.pick((f"the video shows {listed.en}", f"{listed.en} {come} into view", f"we see {listed.en}"))
        zh = self.pick((f"视频里能看到{listed.zh}", f"画面中先后出现了{listed.zh}", f"视频里有{listed.zh}"))
        self.said.append(closed(Text(en=en, zh=zh)))

    def places(self, parts: list[Part]) -> Text:
        """the mug and the bowl are on the table · 桌子上放着马克杯和碗"""
        place, many = parts[0].place, len(parts) > 1
        assert place is not None
        things = joined([p.subject for p in parts], ordered=False)
        verb = self.pick(("are" if many else "is", "sit" if many else "sits", "rest" if many else "rests"))
        zh = self.pick((f"{place.zh}放着{things.zh}", f"{things.zh}{'都' if many else ''}在{place.zh}"))
        return Text(en=f"{things.en} {verb} {place.en}", zh=zh)

    def chain(self, said: list[Text]) -> Text:
        """Clauses in one sentence."""
        if len(said) == 1:
            return said[0]
        link = self.pick((", and ", ", while "))
        en = "; ".join([*(s.en for s in said[:-2]), said[-2].en + link + said[-1].en])
        return Text(en=en, zh="，".join(s.zh for s in said))

    def moment(self, when: Text) -> Text:
        """When, in one of several ways; empty where it has just been said."""
        at, _, view = when.en.partition(", ")
        zh_at, _, zh_view = when.zh.partition("，")
        if at == self.now.en:
            return Text(en=view, zh=zh_view)
        self.now = Text(en=at, zh=zh_at)
        for ways in (STARTS, ENDS):
            if at == ways[0][0]:
                said = Text(en=self.pick(ways)[0], zh=self.pick(ways)[1])
                return joined_when(said, Text(en=view, zh=zh_view))
        return when

    # ---- What happens --------------------------------------------------------------------------

    def events(self, told: list[tuple[Part, EventFact, Text]]) -> None:
        self.now = NEVER
        clauses = [self.event(p, e, tail, self.again(told, i)) for i, (p, e, tail) in enumerate(told)]
        links = [NEVER]
        for i, ((_, a, _), (_, b, _)) in enumerate(pairwise(told)):
            if b.start_s < a.end_s - margins.GUARD_S:
                links.append(Text(en="meanwhile", zh="与此同时"))
            elif i + 2 == len(told) > 2:
                links.append(Text(en="finally", zh="最后"))
            else:
                links.append(Text(en=self.pick(NEXT)[0], zh=self.pick(NEXT)[1]))
        whole = [joined_when(n, c) for n, c in zip(links, clauses, strict=True)]
        if len(whole) == 2 and links[1].en in ("then", "after that") and self.rng.random() < 0.5:
            en = f"{whole[0].en}, and {links[1].en}, {clauses[1].en}"
            self.said.append(closed(Text(en=en, zh=f"{whole[0].zh}；{whole[1].zh}")))
        else:
            self.said += [closed(w) for w in whole]

    def again(self, told: list[tuple[Part, EventFact, Text]], i: int) -> bool:
        """Whether the event before this one befell the same thing, and nothing else was named since."""
        return (
            i > 0 and told[i - 1][1].object == told[i][1].object and not told[i - 1][2].en and not told[i - 1][1].target
        )

    def event(self, p: Part, e: EventFact, tail: Text, again: bool) -> Text:
        en, zh, name = p.says.en, p.says.zh, thing_text(self.view.facts, e.object)
        if again and en.startswith(name.en) and zh.startswith(name.zh):
            en, zh = "it" + en[len(name.en) :], "它又" + zh[len(name.zh) :]
        en_when, zh_when = p.when.en, p.when.zh
        if en_when.startswith("from ") and self.rng.random() < 0.4:
            en_when, zh_when = (
                en_when.replace("from ", "between ", 1).replace(" to ", " and ", 1),
                f"在{zh_when[1:]}之间",
            )
        old, arrow, new = tail.zh.partition("→")
        zh = zh.replace(old, new) if arrow else zh + tail.zh
        return Text(en=f"{en_when}, {en}{tail.en}", zh=f"{zh_when}，{zh}")


# ---- What an event brings about ------------------------------------------------------------------

Parts = Sequence[tuple[Part, Claim]]


def _runs(parts: Parts) -> list[tuple[str, Text, list[tuple[Part, Claim]]]]:
    """Neighbours of one kind and moment; events of any times."""
    groups = groupby(parts, key=lambda pc: (pc[0].run, NEVER if pc[0].run == "event" else pc[0].when))
    return [(run, when, list(group)) for (run, when), group in groups]


def _told(view: View, claim: Claim, all_parts: Parts) -> bool:
    """Whether a claim has been said together with the event that it follows."""
    event = lasts_until(view, claim)
    told = (c.event(view).id for _, c in all_parts if c.op in TIMED)
    return event is not None and event.id in told and _follows(view, claim, event)


def _follows(view: View, claim: Claim, event: EventFact) -> bool:
    if claim.op not in ("where", "openness", "fill") or (claim.op == "where" and event.kind not in ("move", "motion")):
        return False
    return claim.id("object", view) == (event.target if claim.op == "fill" else event.object)


def _tail(view: View, event: EventFact, all_parts: Parts) -> Text:
    """What to add to the event: ` into the drawer` · 移动→移到了抽屉里 (in place of 移动)."""
    for p, claim in all_parts:
        after = lasts_until(view, claim)
        if after is None or after.id != event.id or not _follows(view, claim, event):
            continue
        if claim.op == "where" and p.place is not None:
            to = {"in": "into", "on": "onto"}[p.place.en[:2]] + p.place.en[2:]
            return Text(en=f" {to}", zh=f"被移动→被移到了{p.place.zh}")
        if claim.op == "openness":
            said = number_text(claim.value.value, claim.value.unit or "cm")
            if claim.value.value <= 0:
                return Text(en=" completely", zh="被关上→被完全关上")
            if event.kind == "close":
                return Text(en=f" until it is only {said.en} open", zh=f"被关上→被关到只剩{said.zh}")
            return Text(en=f" until it is {said.en} open", zh=f"被打开→被打开到{said.zh}")
        name = thing_text(view.facts, claim.id("object", view))
        return Text(en=f" until {name.en} is {p.says.en}", zh=f"，直到{name.zh}{p.says.zh}")
    return NEVER
