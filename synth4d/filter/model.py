"""A model as witness: it answers each question k times, in English and Chinese by turns, without being told the answer.

It reads what a viewer could know as text (facts_text.py), or looks at pictures. Each answer is a *vote*: a value
read by program/reply.py, or none. A vote agrees when `compare` says so of it and the stored answer: there is no
grouping of votes among themselves, which a tolerance would leave undefined. A question is kept when at least
⌈agree · k⌉ of its k votes agree, and at least one in each language that was asked; so a tie is no matter of luck.
Refusals and replies that are no answer count as votes that do not agree. Else the verdict is
    model: refused      as many votes as are needed refused
    model: no answer    …or were no answer
    model: languages    enough agree, but none of one language: one of the wordings asks something else
    model: disagree     otherwise
Votes are made, and counted, in the order of their number; the seed of vote i is a hash of clip, question and i.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from synth4d import seeds
from synth4d.config import Votes
from synth4d.errors import ConfigError, TryLater
from synth4d.filter import facts_text
from synth4d.llm import Answer, Call, Outcome, Pending, Talk
from synth4d.program import Value, compare
from synth4d.program.names import Names
from synth4d.program.reply import Unread, read
from synth4d.records import CameraRecord, Facts, Question, Turn

LANGUAGES = ("en", "zh")
KIND = "witness"
MAX_TOKENS = 1500
JPEG_QUALITY = 85


class Said(BaseModel):
    """The reply of a witness."""

    model_config = ConfigDict(extra="forbid")
    thoughts: str = Field(description="How the answer follows, in a few short sentences.")
    can_tell: bool = Field(description="False where what is given does not tell.")
    answer: str = Field(description="The answer alone; empty where can_tell is false.")


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer to every turn of a question."""

    language: str
    said: tuple[Value | Unread | None, ...]
    """None for a turn that is answered by a text, which nobody votes on."""

    def agrees(self, turns: Sequence[Turn]) -> bool:
        return all(s is None or agrees(s, turn) for s, turn in zip(self.said, turns, strict=True))


def agrees(said: Value | Unread, turn: Turn) -> bool:
    """Whether what is said agrees with the stored answer; of choices, only the right one does."""
    if isinstance(said, Unread):
        return False
    if turn.choices is not None:
        return bool(said.value == turn.answer.value)
    stored = Value(turn.answer.type, turn.answer.value, turn.answer.unit)
    try:
        return compare(said, stored)
    except (ArithmeticError, ValueError):
        return False  # a box or pose of the model's that is none


def tally(votes: Sequence[Vote], turns: Sequence[Turn], agree: float) -> str:
    """`agree`, or the verdict's reason."""
    need = math.ceil(agree * len(votes) - 1e-9)
    right = [v.language for v in votes if v.agrees(turns)]
    if len(right) >= need:
        return "agree" if {v.language for v in votes} == set(right) else "model: languages"
    silent = [next((s.reason for s in v.said if isinstance(s, Unread)), "") for v in votes]
    for reason in ("refused", "no answer"):
        if silent.count(reason) >= need:
            return f"model: {reason}"
    return "model: disagree"


# ---- Asking --------------------------------------------------------------------------------------


def votes(
    questions: Sequence[Question],
    facts: Facts,
    camera: CameraRecord,
    settings: Votes,
    *,
    rgb: NDArray[Any] | None = None,
) -> Talk[list[list[Vote]]]:
    """The votes on each question about one clip.

    `facts` are the pixels witness's: what the world alone knows (the inside of a closed drawer) no viewer could
    tell, and a model that is told would confirm it. They name things, tracks and events, and no program or answer.
    With `settings.frames` a model looks at (T,H,W,3) `rgb` instead: so many frames spread evenly, and the evidence.
    Raises TryLater where the server did not reply to all: what it did say is stored.
    """
    told = _told(questions, facts, camera, settings, rgb)
    calls, places = list[Call[Said]](), list[tuple[int, int, int]]()
    for n, question in enumerate(questions):
        for i in range(settings.samples):
            for t, turn in enumerate(question.turns):
                if turn.answer.type == "text":
                    continue
                places.append((n, i, t))
                calls.append(_call(question, t, i, facts, told[n], settings))
    outcomes: Sequence[Outcome[Said]] = (yield calls) if calls else ()
    if pending := sum(isinstance(o, Pending) for o in outcomes):
        raise TryLater(f"the model's server left {pending} of {len(calls)} votes on {facts.key} unanswered; run again")
    names = Names(facts)
    said = {
        place: _said(outcome, questions[place[0]].turns[place[2]], facts, names)
        for place, outcome in zip(places, outcomes, strict=True)
    }
    return [
        [
            Vote(LANGUAGES[i % 2], tuple(said.get((n, i, t)) for t in range(len(question.turns))))
            for i in range(settings.samples)
        ]
        for n, question in enumerate(questions)
    ]


def _said(outcome: Outcome[Said], turn: Turn, facts: Facts, names: Names) -> Value | Unread:
    if not isinstance(outcome, Answer):
        # A reply that never fitted the schema, or that the model declined to give.
        return Unread("refused" if "refusal" in getattr(outcome, "faults", ()) else "no answer")
    if not outcome.value.can_tell:
        return Unread("refused")
    return read(outcome.value.answer, turn, facts, names)


def _call(
    question: Question, t: int, i: int, facts: Facts, told: Mapping[str, list[dict[str, Any]]], settings: Votes
) -> Call[Said]:
    language = LANGUAGES[i % 2]
    turn, system = question.turns[t], _render(language, "system")
    asked = _render(
        language, "question",
        before=[(_quoted(getattr(b.question, language)), _quoted(getattr(b.answer.text, language)))
                for b in question.turns[:t]],
        question=_quoted(getattr(turn.question, language)),
        choices=[(chr(ord("A") + n), _quoted(getattr(c, language))) for n, c in enumerate(turn.choices or [])],
        type=turn.answer.type, unit=turn.answer.unit,
    )  # fmt: skip
    seed = seeds.seed("witness", facts.key, question.id, t, i) % 2**31
    content = [*told[language], {"type": "text", "text": asked}]
    if all(part["type"] == "text" for part in content):
        text: Any = "\n".join(part["text"] for part in content)
    else:
        text = content
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return Call(KIND, messages, Said, seed, temperature=settings.temperature, max_tokens=MAX_TOKENS)


def _told(
    questions: Sequence[Question], facts: Facts, camera: CameraRecord, settings: Votes, rgb: NDArray[Any] | None
) -> list[dict[str, list[dict[str, Any]]]]:
    """What comes before each question, by language: the clip's facts, the same for all, or pictures."""
    if settings.frames == 0:
        frames = sorted({f for q in questions for f in q.evidence.frames})
        text = facts_text.told(facts, camera, frames)
        parts = {lang: [{"type": "text", "text": _render(lang, "facts", facts=text)}] for lang in LANGUAGES}
        return [parts] * len(questions)
    if rgb is None:
        raise ConfigError("votes.frames needs the clip's pictures; ask with votes.frames=0 where there are none")
    urls: dict[int, str] = {}
    out = []
    for q in questions:
        shown = chosen(facts.frames, settings.frames, q.evidence.frames)
        urls |= {f: data_url(rgb[f]) for f in shown if f not in urls}
        out.append({lang: _pictures(lang, shown, urls, facts) for lang in LANGUAGES})
    return out


def _pictures(language: str, shown: Sequence[int], urls: Mapping[int, str], facts: Facts) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": _render(language, "pictures", facts=facts)}]
    for f in shown:
        parts.append({"type": "text", "text": f"{f / facts.fps:.2f} s:"})
        parts.append({"type": "image_url", "image_url": {"url": urls[f]}})
    return parts


def chosen(frames: int, count: int, evidence: Sequence[int]) -> list[int]:
    """`count` frames spread evenly from the first to the last, and those of the evidence."""
    even = {round(i * (frames - 1) / max(1, count - 1)) for i in range(count)}
    return sorted(even | {f for f in evidence if 0 <= f < frames})


def data_url(picture: NDArray[Any]) -> str:
    """(H,W,3) as a JPEG in a data URL."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


# ---- Prompts -------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    """Text as data: one line, in quotes, with nothing in it that could end its place in the prompt."""
    return facts_text.safe(json.dumps(text, ensure_ascii=False))


def _render(language: str, block: str, **slots: Any) -> str:
    template = _environment().get_template(f"witness.{language}.j2")
    return "".join(template.blocks[block](template.new_context(slots))).strip()


@cache
def _environment() -> jinja2.Environment:
    package = Path(__file__).resolve().parents[1]
    folders = [str(f) for f in (package / "_data" / "prompts", package.parent / "prompts") if f.is_dir()]
    loader = jinja2.FileSystemLoader(folders)
    return jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
