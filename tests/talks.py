"""What dialogues and captions are read with: their programs taken apart, the things that their words name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from facts_maker import kitchen

from synth4d.ask import KINDS, ask
from synth4d.program import View, parse, thing_text
from synth4d.program.language import evaluate
from synth4d.program.view import Refused
from synth4d.records import CameraRecord, Facts, Question

SORTS = ("dynamic", "dynamic", "twin", "static", "dynamic", "control")
CLIPS = 24


@cache
def clip(seed: int) -> tuple[Facts, CameraRecord, Facts]:
    return kitchen(seed, SORTS[seed % len(SORTS)])


@cache
def asked(family: str) -> tuple[tuple[int, Question], ...]:
    """Two questions of every kind of a family where they can be asked, of many clips."""
    quotas = dict.fromkeys(KINDS, 0) | {name: 2 for name in KINDS if KINDS[name].family == family}
    found = []
    for seed in range(CLIPS):
        facts, camera, _ = clip(seed)
        found += [(seed, q) for q in ask(facts, camera, rng=np.random.default_rng(seed), total=60, quotas=quotas)]
    return tuple(found)


def nodes(program: Any, op: str, within_events: bool = True) -> Iterator[dict[str, Any]]:
    """The sub-programs of an operation, perhaps not those that only tell which event is meant, by what it befalls."""
    for node in program if isinstance(program, list) else [program]:
        if not isinstance(node, dict) or (not within_events and node.get("op") == "event" and "object" in node):
            continue
        if node.get("op") == op:
            yield node
        for value in node.values():
            yield from nodes(value, op, within_events)


def things(program: dict[str, Any], view: View) -> set[int]:
    """The things that a program points at, those of its events apart."""
    found = {"op": "these", "of": list(nodes(program, "unique", within_events=False))}
    if not found["of"]:
        return set()
    return {int(evaluate(parse(node), view)) for node in found["of"]}


def events(program: dict[str, Any], view: View) -> set[int]:
    """The events that a program points at."""
    found = set()
    for node in nodes(program, "event"):
        try:
            found.add(evaluate(parse(node), view).id)
        except Refused:
            continue
    return found


def named(text: str, facts: Facts, language: str) -> set[int]:
    """The things with names of their own that stand in a text; the longest counts (microwave door, no microwave)."""
    texts = {o.id: thing_text(facts, o.id) for o in facts.objects if o.role != "liquid"}
    names = {id: getattr(text, language) for id, text in texts.items() if text.en.startswith("the ")}
    found = set()
    text = text.lower()
    for id in sorted(names, key=lambda i: -len(names[i])):
        name = names[id].lower()
        pattern = rf"\b{re.escape(name)}\b" if language == "en" else re.escape(name)
        if re.search(pattern, text):
            found.add(id)
            text = re.sub(pattern, "#", text)
    return found
