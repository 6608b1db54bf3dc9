"""The whole filter of a clip as a talk: the witnesses that cost nothing first, a model on what they kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from synth4d.config import Votes
from synth4d.filter.model import votes
from synth4d.filter.witness import Absent, sift
from synth4d.llm import Talk
from synth4d.records import CameraRecord, Facts, Question


def witnessed(
    questions: Sequence[Question], world: Facts, pixels: Facts, camera: CameraRecord, settings: Votes, *,
    absent: Absent = (), rgb: NDArray[Any] | None = None,
) -> Talk[tuple[list[Question], list[Question]]]:  # fmt: skip
    """(kept, rejected), as `sift` gives them. Without a model as witness no call is made."""
    kept, rejected = sift(questions, world, pixels, camera, absent=absent)
    if settings.witness == "none" or not kept:
        return kept, rejected
    cast = yield from votes(kept, pixels, camera, settings, rgb=rgb)
    by_id = {q.id: v for q, v in zip(kept, cast, strict=True)}
    return sift(questions, world, pixels, camera, absent=absent, votes=by_id, agree=settings.agree)
