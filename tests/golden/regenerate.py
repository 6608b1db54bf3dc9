"""Writes tests/golden/questions.json and dialogues.json anew: questions of fixed clips, to be read by a person; and
synth4d/ask/examples.json: clips in which every kind of question can be asked, for `synth4d ask --kinds`.

Run from the repository's root: `python tests/golden/regenerate.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from synth4d.records import Turn

HERE = Path(__file__).resolve().parent


LONG = ("dialogue", "caption")
"""Families whose questions are read as a whole: dialogues.json."""


def questions() -> str:
    """Two questions of each kind of one turn."""
    return _asked(lambda family: family not in LONG)


def dialogues() -> str:
    """Two dialogues of each plan, two captions of each kind."""
    return _asked(lambda family: family in LONG)


def _asked(wanted: Callable[[str], bool]) -> str:
    from facts_maker import kitchen

    from synth4d.ask import KINDS, ask

    rows = []
    for seed, kind in ((2, "dynamic"), (14, "dynamic"), (3, "control")):
        facts, camera, _ = kitchen(seed, kind)
        quotas = {name: 2 * wanted(k.family) for name, k in KINDS.items()}
        for q in ask(facts, camera, rng=np.random.default_rng(seed), total=40, quotas=quotas):
            turns = [_row(turn) for turn in q.turns]
            rows.append({"kind": q.kind} | (turns[0] if len(turns) == 1 else {"turns": turns}))
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _row(turn: Turn) -> dict[str, Any]:
    row = {"en": turn.question.en, "zh": turn.question.zh, "answer": turn.answer.value}
    if turn.answer.type == "text":
        del row["answer"]
    row |= {"answer_en": turn.answer.text.en, "answer_zh": turn.answer.text.zh}
    if turn.choices:
        row["choices"] = [f"{c.en} · {c.zh}" for c in turn.choices]
    return row


def examples(seeds: int = 40) -> str:
    """The fewest clips of the first seeds that have every kind, chosen greedily."""
    from facts_maker import kitchen

    from synth4d.ask import KINDS
    from synth4d.ask.catalogue import asked
    from synth4d.records import dump

    clips, kinds = {}, {}
    for seed in range(seeds):
        facts, camera, _ = kitchen(seed, ("dynamic", "dynamic", "control", "twin")[seed % 4])
        clips[seed], kinds[seed] = (facts, camera), {q.kind for q in asked(facts, camera)}
    chosen, missing = [], set(KINDS)
    while any(missing & found for found in kinds.values()):
        best = max(kinds, key=lambda s: (len(kinds[s] & missing), -s))
        chosen.append(best)
        missing -= kinds[best]
    rows = []
    for seed in chosen:
        facts, camera = (record.model_dump(mode="json") for record in clips[seed])
        facts["objects"] = [{k: _collapsed(v, facts["frames"]) for k, v in o.items()} for o in facts["objects"]]
        rows.append({"facts": facts, "camera": camera})
    return dump(rows).decode() + "\n"


def _collapsed(track: object, frames: int) -> object:
    """A track that is the same at every frame as one entry, and numbers without noise in the last digits."""
    track = json.loads(json.dumps(track), parse_float=lambda x: round(float(x), 4))
    constant = isinstance(track, list) and len(track) == frames and all(v == track[0] for v in track)
    return track[:1] if constant else track


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
    (HERE / "questions.json").write_text(questions())
    (HERE / "dialogues.json").write_text(dialogues())
    (HERE.parents[1] / "synth4d" / "ask" / "examples.json").write_text(examples())
