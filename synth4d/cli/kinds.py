"""`synth4d ask --kinds`: every kind of question, as the language itself has it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from synth4d.ask import KINDS, catalogue
from synth4d.program import margins, parse, rules
from synth4d.records import Answer, Question


def show() -> int:
    """Print each kind: how it is answered and scored, an example in both languages, and the margins it keeps."""
    console, found = Console(highlight=False, soft_wrap=True), catalogue.examples()
    for name in sorted(KINDS):
        console.print(f"[bold]{name}[/]" + ("" if name in found else "  (no example)"))
        for line in _lines(found[name]) if name in found else ():
            console.print("  " + escape(line))
    print(f"{len(KINDS)} kinds; margins are those of synth4d/program/margins.py that the example's operations consult")
    return 0


def _lines(question: Question) -> Iterator[str]:
    answer = question.turns[0].answer
    scored = f", reward {question.turns[0].reward.kind}" if question.turns[0].reward else ""
    yield f"{answer.type}{f' in {answer.unit}' if answer.unit else ''}: right {agreement(answer)}{scored}"
    for turn in question.turns:
        yield f"en  {turn.question.en} → {turn.answer.text.en}"
        yield f"zh  {turn.question.zh} → {turn.answer.text.zh}"
    kept = rules.margins_of(parse(question.turns[0].program))
    for name, value in kept.items():
        if name not in AGREEING:
            yield f"{name} {value}: {rules.said().get(name, '')}"


AGREEING = ("AGREE_SHARE", "AGREE", "AGREE_S", "AGREE_IOU")


def agreement(answer: Answer) -> str:
    """When two answers of a type agree, from the margins of `program.compare`."""
    if answer.type == "number":
        unit = answer.unit or "m"
        return f"within {margins.AGREE_SHARE:.0%} or {margins.AGREE[unit]:g} {unit}"
    if answer.type == "interval":
        return f"from IoU {margins.AGREE_IOU} up, or with both ends within {margins.AGREE_S} s"
    if answer.type in ("box2d", "box3d"):
        return f"from IoU {margins.AGREE_IOU} up"
    if answer.type == "point2d":
        return f"within {margins.AGREE['px']:g} px"
    if answer.type == "pose":
        return f"within {margins.AGREE['m']} m and {margins.AGREE['deg']:g} deg"
    return "when equal"
