"""Every kind of question with an example, asked of clips that ship with the package.

`examples.json` holds facts and cameras of a few made-up clips in which everything can be asked
(tests/golden/regenerate.py chooses and writes them).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources

from synth4d import seeds
from synth4d.ask import KINDS, ask
from synth4d.records import CameraRecord, Facts, Label, Question

CLIPS = "examples.json"
ABSENT = [("teapot", Label(en="teapot", zh="茶壶", measure="把", plural="teapots"))]


def clips() -> Iterator[tuple[Facts, CameraRecord]]:
    for row in json.loads((resources.files("synth4d.ask") / CLIPS).read_bytes()):
        yield Facts.model_validate(row["facts"]), CameraRecord.model_validate(row["camera"])


def examples() -> dict[str, Question]:
    """Kind → a question, where the clips have one; in the order of the kinds' names."""
    found: dict[str, Question] = {}
    for facts, camera in clips():
        # Without options an answer is said as such.
        for question in sorted(asked(facts, camera), key=lambda q: q.turns[0].choices is not None):
            found.setdefault(question.kind, question)
    return dict(sorted(found.items()))


def asked(facts: Facts, camera: CameraRecord) -> list[Question]:
    """All that a clip has to show, some questions of each kind."""
    rng, quotas = seeds.rng("examples", facts.key), dict.fromkeys(KINDS, 4)
    return ask(facts, camera, rng=rng, total=400, quotas=quotas, absent=ABSENT)
