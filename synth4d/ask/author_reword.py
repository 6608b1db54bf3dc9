"""The templates' questions in a model's words: program, answer, options and all else stay as they are.

A paraphrase must name the same things, hold the same numbers and the same turns of sense, ask one question and
give away nothing. One that doesn't is told so once; then the question keeps the wording it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from synth4d import seeds
from synth4d.ask.author import By, Clip, single
from synth4d.ask.author_clip import quoted
from synth4d.ask.sense import LONGEST, drift, malformed, tidy
from synth4d.llm import Answer, Call, Talk
from synth4d.records import Question, Text, Turn


class Paraphrase(BaseModel):
    """A question in other words."""

    model_config = ConfigDict(extra="forbid")
    en: Annotated[str, Field(max_length=800)]
    zh: Annotated[str, Field(max_length=800)]


def reword(clip: Clip, questions: Sequence[Question], by: By, seed: int) -> Talk[list[Question]]:
    """All questions, in their order; single ones in other words where the model found fitting ones."""
    asked = [i for i, q in enumerate(questions) if single(q)]
    heard = yield [_call(clip, questions[i], by, seeds.seed("reword", seed, i) % 2**31) for i in asked]
    said = {i: o.value for i, o in zip(asked, heard, strict=True) if isinstance(o, Answer)}
    return [_worded(q, tidy(said[i].en, said[i].zh), by) if i in said else q for i, q in enumerate(questions)]


def _worded(question: Question, text: Text, by: By) -> Question:
    turn = question.turns[0].model_copy(update={"question": text})
    way, _, prompts = question.author.partition("@")
    return question.model_copy(update={"turns": [turn], "author": f"{way}+openai:{by.model}@{prompts}"})


def _call(clip: Clip, question: Question, by: By, seed: int) -> Call[Paraphrase]:
    turn = question.turns[0]

    def check(said: Paraphrase) -> None:
        now = tidy(said.en, said.zh)
        if problem := malformed(now) or drift(turn.question, now, clip.stock.view, clip.names) or leak(turn, now):
            raise ValueError(f"wording: {problem}")

    system = clip.prompts.block("author", by.language, "reword_system")
    told = quoted({"en": turn.question.en, "zh": turn.question.zh}, LONGEST)
    asked = clip.prompts.block("author", by.language, "reword", question=told)
    messages = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
    return Call(f"reword {question.kind}", messages, Paraphrase, seed, max_tokens=by.max_tokens, check=check)


def leak(turn: Turn, now: Text) -> str | None:
    """Words of the answer that a paraphrase has and its original has not. (Names and numbers are held by `drift`.)"""
    if turn.answer.type != "choice":
        return None
    for language in ("en", "zh"):
        told = getattr(turn.answer.text, language).casefold()
        was, new = (getattr(t, language).casefold() for t in (turn.question, now))
        if told in new and told not in was:
            return f"{language} gives the answer away"
    return None
