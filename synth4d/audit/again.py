"""A dataset's questions judged anew: what the filter says now of what it kept and rejected then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from synth4d.audit.clips import clips
from synth4d.config import Votes
from synth4d.dataset import Where
from synth4d.errors import TryLater
from synth4d.filter import witnessed
from synth4d.llm import Pending, Talk, hold
from synth4d.llm.talk import Ask
from synth4d.records import Question


def judged(folder: Where, settings: Votes, ask: Ask | None) -> dict[str, Any]:
    """{asked, kept, reasons, kinds: {kind: [kept, asked]}, changed: [[key, id, reason then, reason now]]}"""
    then: dict[tuple[str, str], str] = {}
    keys, talks = list[str](), list[Talk[Ends]]()
    for clip in clips(folder):
        questions = [*clip.kept, *clip.rejected]
        then |= {(clip.key, q.id): q.verdict.reason if q.verdict else "" for q in questions}
        bare = [q.model_copy(update={"verdict": None}) for q in questions]
        keys.append(clip.key)
        rgb = clip.rgb if settings.frames else None
        talks.append(witnessed(bare, clip.world, clip.pixels, clip.camera, settings, absent=clip.absent, rgb=rgb))
    ends = held(talks, ask)
    reasons: Counter[str] = Counter()
    kinds: dict[str, list[int]] = {}
    changed = []
    for key, (kept, rejected) in zip(keys, ends, strict=True):
        for q in (*kept, *rejected):
            reason = _reason(q)
            reasons[reason] += 1
            row = kinds.setdefault(q.kind, [0, 0])
            row[0] += reason == "agree"
            row[1] += 1
            if reason != then[key, q.id]:
                changed.append([key, q.id, then[key, q.id], reason])
    return {
        "asked": sum(reasons.values()), "kept": reasons["agree"], "reasons": dict(reasons), "kinds": kinds,
        "changed": changed,
    }  # fmt: skip


Ends = tuple[list[Question], list[Question]]


def held(talks: Sequence[Talk[Ends]], ask: Ask | None) -> list[Ends]:
    """What every talk returned; TryLater where the server left one waiting."""
    ends: list[Any] = list(hold(talks, ask or (lambda calls: [])))
    if late := sum(isinstance(end, Pending) for end in ends):
        raise TryLater(f"the model's server left the questions of {late} clips unanswered; the same command goes on")
    return ends


def _reason(question: Question) -> str:
    return question.verdict.reason if question.verdict else "none"
