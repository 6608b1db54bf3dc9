"""Where the right answer stands: its letter, and its rank among numeric options. Chance is a quarter each."""

from __future__ import annotations

import re
from collections import Counter

from synth4d import codec, seeds
from synth4d.annotate import world as annotate
from synth4d.ask import ask
from synth4d.bench import cast, shots
from synth4d.records import CameraRecord, Turn

QUESTIONS = 2000
PER_CLIP = 60
ASKS = 8
"""Times each clip is asked, with other dice."""


def run() -> dict[str, dict[str, object]]:
    """Over at least 2,000 questions with four options, asked of clips of the small room."""
    letters: Counter[int] = Counter()
    ranks: Counter[int] = Counter()
    for shot, world, timeline, camera, _ in shots.filmed("toy", 200, width=192, height=144):
        clip = cast.clip(world, timeline, camera)
        record = CameraRecord.model_validate_json(codec.encode_camera(camera))
        facts = annotate.facts(shot, world, timeline, clip)
        dice = [seeds.rng(shot.key, "ranks", k) for k in range(ASKS)]
        for question in (q for rng in dice for q in ask(facts, record, rng=rng, total=PER_CLIP)):
            for turn in question.turns:
                if turn.choices is not None and len(turn.choices) == 4 and turn.correct is not None:
                    letters[turn.correct] += 1
                    rank = numeric_rank(turn)
                    if rank is not None:
                        ranks[rank] += 1
        if letters.total() >= QUESTIONS:
            break
    out: dict[str, dict[str, object]] = {}
    for name, counts in (("letter", letters), ("rank", ranks)):
        worst = max(abs(counts[k] / max(counts.total(), 1) - 0.25) for k in range(4))
        out[f"{name}_off_a_quarter"] = {
            "value": round(100 * worst, 2), "unit": "points", "against": f"{counts.total()} questions", "ratio": None,
        }  # fmt: skip
    return out


def numeric_rank(turn: Turn) -> int | None:
    """Rank of the right option among four numbers; None where the options are not numbers."""
    assert turn.choices is not None and turn.correct is not None
    found = [re.fullmatch(r"(-?[\d.]+)[^\d]*", choice.en) for choice in turn.choices]
    if not all(found):
        return None
    values = [float(m.group(1)) for m in found if m]
    return sorted(values).index(values[turn.correct])
