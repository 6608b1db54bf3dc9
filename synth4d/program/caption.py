"""Operations on claims: whether what is said is so, which of some claims are wrong, captions made of them.

A claim is an answer program that can be said as a sentence. Each claim of a caption is answered by itself, so that
every one can be run again, compared and scored; the words are derived from the claims.
"""

from __future__ import annotations

from typing import Any

from synth4d.program import margins
from synth4d.program.agree import compare
from synth4d.program.claims import TIMED, Claim
from synth4d.program.finish import finish
from synth4d.program.language import Program, evaluate
from synth4d.program.operations import Num, Said, Sub, op
from synth4d.program.paragraph import Paragraph
from synth4d.program.sentences import sentence
from synth4d.program.view import Value, View, refuse
from synth4d.records import Text

FAR = 2.0
"""What is said is wrong only when it misses by this many times what two witnesses may differ by; ours."""


def claimed(of: Program, view: View) -> Claim:
    """A claim as this witness makes it; raises Refused."""
    return Claim(of, finish(evaluate(of, view), view))


def said_so(claim: Claim, said: Any) -> Claim:
    """The same claim with another value; refuses one that is not of its type."""
    value, truth = said, claim.value
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "choice": isinstance(value, str),
        "object": isinstance(value, int) and not isinstance(value, bool),
        "objects": isinstance(value, list) and all(isinstance(v, int) and not isinstance(v, bool) for v in value),
        "interval": isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value),
    }
    if not fits.get(truth.type, False):
        refuse("undefined", f"{claim.op} can't be {str(value)[:40]}")
    return Claim(claim.program, Value(truth.type, value, truth.unit, truth.ordered, truth.measure))


def holds(claim: Claim, said: Any) -> bool:
    """Whether what is said is what the claim's program gives; refused where it is nearly so."""
    x, y = claim.value, said_so(claim, said).value
    if x.type == "number":
        off = abs(x.value - y.value)
        allowed = max(margins.AGREE[x.unit or "m"], margins.AGREE_SHARE * max(abs(x.value), abs(y.value)))
    elif x.type == "interval":
        off = max(abs(p - q) for p, q in zip(x.value, y.value, strict=True))
        allowed = margins.AGREE_S
    else:
        return compare(x, y)
    if allowed < off < FAR * allowed:
        refuse("ambiguous", f"{claim.op} is nearly what is said")
    return bool(off <= allowed)


@op("agrees", "bool", of=Sub("claim"), said=Said())
def agrees(view: View, of: Program, said: Any) -> Value:
    """whether a claim's program gives what is said; ambiguous where it nearly does"""
    return Value("bool", holds(claimed(of, view), said))


@op("check", "text", of=Sub("claim"), said=Said())
def check(view: View, of: Program, said: Any) -> Value:
    """yes or no to what is said, and what is so: `No. At the end, the mug is in the drawer.`"""
    claim = claimed(of, view)
    right = holds(claim, said)
    so = sentence(view, claim)
    words = Text(en=("Yes. " if right else "No. ") + so.en, zh=("对，" if right else "不对，") + so.zh)
    return Value("text", [_row(Value("bool", right)), _row(claim.value)], words=words)


@op("wrong", "choice", claims=Sub("bool", many=(2, 24)))
def wrong(view: View, claims: list[Value]) -> Value:
    """the numbers, from 1, of the claims that do not hold: `2+5`, or `none`"""
    return Value("choice", "+".join(str(i) for i, c in enumerate(claims, 1) if not c.value) or "none")


@op("caption", "text", claims=Sub("claim", many=(1, 24)), style=Num(0, 9999, optional=True))
def caption(view: View, claims: list[Program], style: float | None) -> Value:
    """a paragraph that says the claims, in their order; `style` chooses between ways of saying it"""
    return _told(view, [claimed(c, view) for c in claims], style)


@op("narrate", "text", claims=Sub("claim", many=(1, 24)), style=Num(0, 9999, optional=True))
def narrate(view: View, claims: list[Program], style: float | None) -> Value:
    """a caption that tells everything that happens: each event once (`interval` or `begins`), in order of time"""
    made = [claimed(c, view) for c in claims]
    told = [c.event(view) for c in made if c.op in TIMED]
    if sorted(e.id for e in told) != sorted(e.id for e in view.facts.events):
        refuse("undefined", f"tells {len(told)} events of {len(view.facts.events)}, each must be told once")
    if [e.start_s for e in told] != sorted(e.start_s for e in told):
        refuse("undefined", "the events are not in order of time")
    return _told(view, made, style)


def _told(view: View, claims: list[Claim], style: float | None) -> Value:
    words = Paragraph(view, int(style or 0)).write(claims)
    return Value("text", [_row(c.value) for c in claims], words=words)


def _row(value: Value) -> dict[str, Any]:
    return {"type": value.type, "value": value.value, "unit": value.unit}
