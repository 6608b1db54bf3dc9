"""Known errors planted into copies of questions, so that it can be measured how many a filter lets through.

An error is of a kind, and stands in one place:
    answer   the stored answer is another one; its words, options and letter go along
    program  the program asks something else, and the answer is that program's: the two agree, the wording does not
    wording  both wordings ask something else
    zh       only the Chinese does, or only the Chinese answer is wrong
    choices  two options are right, or none, or the wrong letter is marked
What is planted is wrong for one who reads the question: another program is taken only where its answer is not one
that two witnesses would take for the same. Nothing in a planted question says that it is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from synth4d.audit.clip import Clip
from synth4d.audit.wrong_answers import KINDS, in_answer, in_program
from synth4d.audit.wrong_choices import none_right, two_right, wrong_letter
from synth4d.audit.wrong_words import in_wording, no_colour, no_moment, zh_answer, zh_option, zh_question
from synth4d.records import Question, Turn

ERRORS = (*KINDS, "zh", "ambiguous", "choices")


@dataclass(frozen=True, slots=True)
class Planted:
    question: Question
    error: str
    place: str
    turn: int

    def stands_in(self, question: Question) -> bool:
        """Whether the wrong turn is still there: a dialogue may have been cut before it, a claim left out."""
        wrong, turns = self.question.turns[self.turn], question.turns[self.turn : self.turn + 1]
        return any(
            (t.question, t.program, t.answer, t.choices) == (wrong.question, wrong.program, wrong.answer, wrong.choices)
            for t in turns
        )


def plant(clip: Clip, question: Question, error: str) -> Planted | None:
    """The question with such an error in one of its turns; None where it can have none."""
    for t in clip.rng.permutation(len(question.turns)):
        turn = question.turns[t]
        for place, make in clip.shuffled(MAKERS.get(error, ANSWERED)):
            wrong = make(clip, turn, error)
            if wrong is not None and wrong != turn:
                turns = [*question.turns[:t], wrong, *question.turns[t + 1 :]]
                return Planted(question.model_copy(update={"turns": turns, "verdict": None}), error, place, int(t))
    return None


Maker = Callable[[Clip, Turn, str], Turn | None]
ANSWERED: tuple[tuple[str, Maker], ...] = (("answer", in_answer), ("program", in_program), ("wording", in_wording))
MAKERS: dict[str, tuple[tuple[str, Maker], ...]] = {
    "zh": (("zh", zh_question), ("zh", zh_question), ("zh", zh_answer), ("zh", zh_option)),
    "ambiguous": (("wording", no_colour), ("wording", no_moment)),
    "choices": (("choices", two_right), ("choices", none_right), ("choices", wrong_letter)),
}
