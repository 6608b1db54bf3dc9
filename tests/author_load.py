"""A thousand questions by a scripted author over HTTP, half of whose replies are malformed, hostile or wrong.

`python author_load.py N` prints as JSON what became of N of them.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from facts_maker import kitchen
from llm_author import Author
from llm_server import Server

from synth4d import seeds
from synth4d.ask import ask
from synth4d.ask.author import By, Clip, talk
from synth4d.ask.template import load
from synth4d.filter import sift
from synth4d.llm import Door, Endpoint, Talk, hold
from synth4d.program import Value, execute
from synth4d.records import CameraRecord, Facts, Question, Reject

BY = By("m", "en", 2048)
Ended = tuple[list[tuple[Question, Facts, CameraRecord]], list[Reject], list[Question]]


def one(seed: int) -> tuple[int, Talk[Ended]]:
    """How many questions are asked of a clip, and the talk about it."""
    facts, camera, viewed = kitchen(seed, "control" if seed % 6 == 5 else "dynamic")
    clip = Clip(facts, camera, load(), seeds.rng("load", seed))
    patterns = ask(facts, camera, rng=np.random.default_rng(seed), total=26)

    def held() -> Talk[Ended]:
        questions, failed = yield from talk(clip, patterns, BY, seed)
        kept, out = sift(questions, facts, viewed, camera)
        return [(q, facts, camera) for q in kept], failed, out

    return len([p for p in patterns if len(p.turns) == 1 and p.family != "grounding"]), held()


def load_of(count: int) -> dict[str, Any]:
    author, asked, talks, seed = Author(), 0, list[Talk[Ended]](), 0
    while asked < count:
        number, held = one(seed)
        asked, seed = asked + number, seed + 1
        talks.append(held)
    endpoint = Endpoint(model="m", base_url="http://localhost:1/v1")
    with Server(author) as server, tempfile.TemporaryDirectory() as folder:
        server.keep = False
        endpoint = endpoint.model_copy(update={"base_url": server.url})
        with Door(endpoint, Path(folder) / "replies.sqlite", rng=seeds.rng("load")) as door:
            start = perf_counter()
            ends = [e for e in hold(talks, door.ask) if isinstance(e, tuple)]
            seconds = perf_counter() - start
    kept = [k for e in ends for k in e[0]]
    rejects = Counter(r.question.verdict.reason for e in ends for r in e[1] if r.question.verdict)
    rejects += Counter(q.verdict.reason for e in ends for q in e[2] if q.verdict)
    lies = [q for q, _, _ in kept if key(q) in author.wrong]
    false = [q for q, facts, camera in kept if not true(q, facts, camera)]
    return {
        "asked": asked, "kept": len(kept), "rejected": rejects.total(), "reasons": dict(rejects.most_common()),
        "lies_told": len(author.wrong), "lies_kept": len(lies), "false_kept": len(false), "replies": server.hits,
        "bad_replies": server.hits - author.well, "seconds": round(seconds, 2), "clips": len(ends),
        "mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def key(question: Question) -> tuple[str, str, str]:
    turn = question.turns[0]
    return turn.question.en, turn.question.zh, json.dumps(turn.program, sort_keys=True)


def true(question: Question, facts: Facts, camera: CameraRecord) -> bool:
    turn = question.turns[0]
    value = execute(turn.program, facts, camera)
    right = [i for i, c in enumerate(turn.choices or []) if c == turn.answer.text]
    return (
        isinstance(value, Value) and value.value == turn.answer.value and (not turn.choices or right == [turn.correct])
    )


if __name__ == "__main__":
    print(json.dumps(load_of(int(sys.argv[1])), ensure_ascii=False))
