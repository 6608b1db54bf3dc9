"""Answer programs: small typed JSON trees over facts, the one place where an answer is computed.

    parse(json)                      a checked Program, or ProgramError (one line: what, where, what is right)
    execute(program, facts, camera)  a typed Value, or a Refusal: ambiguous, not visible, undefined
    answer(value, facts)             the Answer record, worded in English and Chinese
    compare(a, b)                    whether two witnesses' values agree
    grammar()                        the language on one page

Many programs on the same facts: make one View and `run` each.
"""

from synth4d.program import (  # noqa: F401  (declare the operations)
    caption,
    changes,
    ground,
    objects,
    relate,
    sight,
    space,
    speeds,
    states,
    telling,
    times,
    untold,
    vantage,
    whatif,
)
from synth4d.program.agree import compare
from synth4d.program.finish import finish
from synth4d.program.language import Program, ProgramError, evaluate, parse
from synth4d.program.operations import OPS, grammar
from synth4d.program.states import opens
from synth4d.program.times import frame_after, frame_before, kind_of
from synth4d.program.view import Reason, Refusal, Refused, Value, View
from synth4d.program.wording import answer, clause, coloured, thing_text, word
from synth4d.records import CameraRecord, Facts

__all__ = [
    "OPS", "Program", "ProgramError", "Reason", "Refusal", "Value", "View",
    "answer", "clause", "coloured", "compare", "execute", "frame_after", "frame_before", "grammar", "kind_of", "opens",
    "parse", "run", "thing_text", "word",
]  # fmt: skip


def execute(program: Program | object, facts: Facts, camera: CameraRecord) -> Value | Refusal:
    """Run a program (checked, or JSON to be checked) on one witness's facts."""
    checked = program if isinstance(program, Program) else parse(program)
    return run(checked, View(facts, camera))


def run(program: Program, view: View) -> Value | Refusal:
    """Run a checked program on a view of facts."""
    try:
        return finish(evaluate(program, view), view)
    except Refused as refused:
        return refused.refusal
