"""Whether a question quotes the statements that its program checks: those of a caption, or of one who speaks in it."""

from __future__ import annotations

from synth4d.program.caption import claimed, said_so
from synth4d.program.claims import Claim
from synth4d.program.language import Program, evaluate
from synth4d.program.sentences import part, sentence
from synth4d.program.view import Refused, View
from synth4d.program.wording import clause
from synth4d.records import Text


def quotes(question: Text, program: Program, view: View) -> bool:
    """True also where the program checks nothing that is said."""
    try:
        if program.op.name == "wrong":
            return _numbered(question, [_said(p, view) for p in program.fields["claims"]], view)
        return program.op.name != "check" or _spoken(question, _said(program, view), view)
    except Refused:
        return False


def _said(program: Program, view: View) -> Claim:
    """The claim of `agrees` or `check`, with the value that is said."""
    return said_so(claimed(program.fields["of"], view), program.fields["said"])


def _numbered(question: Text, claims: list[Claim], view: View) -> bool:
    """Every statement stands behind its number, and there are no more of them."""
    said = [sentence(view, c) for c in claims]
    en = " ".join(f"({i}) {s.en}" for i, s in enumerate(said, 1))
    zh = "".join(f"（{i}）{s.zh}" for i, s in enumerate(said, 1))
    more = f"({len(said) + 1})", f"（{len(said) + 1}）"
    return en in question.en and zh in question.zh and more[0] not in question.en and more[1] not in question.zh


def _spoken(question: Text, claim: Claim, view: View) -> bool:
    """As a sentence, or the words for the value alone: `So the mug is in the drawer at the end, right?`"""
    whole = sentence(view, claim)
    if whole.en in question.en and whole.zh in question.zh:
        return True
    if claim.op == "earliest":
        return _in_order(question, claim, view)
    says = part(view, claim).says
    return says.en in question.en and says.zh in question.zh


def _in_order(question: Text, claim: Claim, view: View) -> bool:
    """The event that is said to be the first is told first."""
    events = [evaluate(p, view) for p in claim.program.fields["of"]]
    first = part(view, claim).says
    told = sorted((clause(view.facts, e) for e in events), key=lambda c: not first.en.startswith(c.en))
    places = [(question.en.find(c.en), question.zh.find(c.zh)) for c in told]
    return all(-1 < a < b for a, b in zip(*places, strict=True))
