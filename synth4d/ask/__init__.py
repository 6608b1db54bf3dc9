"""The template author: asks what a clip's facts can answer, in English and Chinese.

    ask(facts, camera, rng=…, total=24)   questions, each with its program, answer, choices and evidence

Every answer is the program's, run on the world's facts; a draft whose program refuses is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from synth4d.ask import (  # noqa: F401  (declare the kinds)
    caption,
    change,
    dialogue,
    grounding,
    layout,
    place,
    premise,
    space,
    state,
    time,
    undo,
    vantage,
    whatif,
)
from synth4d.ask.choose import CHANGE, Pick
from synth4d.ask.kinds import KINDS
from synth4d.ask.make import finished, packs
from synth4d.ask.stock import Stock
from synth4d.ask.template import load
from synth4d.program import View
from synth4d.records import CameraRecord, Facts, Label, Question

SPREAD = 6
"""A kind gets at most this part of a clip's questions."""
__all__ = ["CHANGE", "KINDS", "ask"]


def ask(
    facts: Facts,
    camera: CameraRecord,
    *,
    rng: np.random.Generator,
    total: int = 24,
    quotas: Mapping[str, int] | None = None,
    absent: Sequence[tuple[str, Label]] = (),
    prompts: Path | None = None,
) -> list[Question]:
    """Up to `total` questions about a clip, spread over the kinds.

    `quotas` caps kinds by name (a kind left out gets at most a sixth of the total); `absent` are categories
    of the scene that this clip may lack, for premises that are false. At most one dialogue, one caption and one
    caption to correct are asked of a clip, of kinds drawn by the seed, unless `quotas` name those kinds.
    """
    stock = Stock(View(facts, camera), rng, load(prompts), absent)
    weight = {name: rng.random() * (0.4 if k.rare else 1.0) for name, k in KINDS.items()}
    supply = {name: packs(KINDS[name], stock) for name in sorted(KINDS, key=lambda n: weight[n])}
    most = max(2, math.ceil(total / SPREAD))
    limits = {name: (quotas or {}).get(name, most) for name in KINDS}
    once = {name: k.once for name, k in KINDS.items() if k.once and name not in (quotas or {})}
    return [finished(worded, stock) for worded in Pick(supply, total, limits, stock.moving, once).all()]
