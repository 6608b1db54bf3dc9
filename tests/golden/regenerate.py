"""Writes tests/golden/questions.json anew: questions and answers of two fixed clips, to be read by a person.

Run from the repository's root: `python tests/golden/regenerate.py`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def questions() -> str:
    from facts_maker import kitchen

    from synth4d.ask import KINDS, ask

    rows = []
    for seed, kind in ((2, "dynamic"), (14, "dynamic"), (3, "control")):
        facts, camera, _ = kitchen(seed, kind)
        for q in ask(facts, camera, rng=np.random.default_rng(seed), total=40, quotas=dict.fromkeys(KINDS, 2)):
            turn = q.turns[0]
            row = {"kind": q.kind, "en": turn.question.en, "zh": turn.question.zh, "answer": turn.answer.value}
            row |= {"answer_en": turn.answer.text.en, "answer_zh": turn.answer.text.zh}
            if turn.choices:
                row["choices"] = [f"{c.en} · {c.zh}" for c in turn.choices]
            rows.append(row)
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
    (HERE / "questions.json").write_text(questions())
