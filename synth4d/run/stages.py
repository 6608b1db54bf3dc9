"""The straight way of one shot: scene → simulate → render → annotate (film.py, kept) → ask → filter.

All of it runs in a worker, unless a model takes part: then the worker leaves the templates' questions, and the rest is
a talk that the driver holds.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

from synth4d import seeds
from synth4d.config import RunConfig
from synth4d.errors import SceneError
from synth4d.llm import Talk
from synth4d.records import CameraRecord, Facts, Label, Question, Reject, dump
from synth4d.run import kept
from synth4d.run.plan import SceneRef
from synth4d.run.work import Clock, Judged, Made
from synth4d.types import Shot


def scenes(names: list[str]) -> tuple[SceneRef, ...]:
    """Load every scene once, here, so that what is wrong with one is known before any work begins.

    Of several scenes some may be broken, as files of many sources are; SceneError where none can be loaded.
    """
    from synth4d.scene.load import find, load

    def ref(path: Path) -> SceneRef:
        try:
            scene = load(path)
        except SceneError as error:
            if len(names) == 1:
                raise
            reason = str(error).replace(f"{path.parent}{os.sep}", "")  # no path of this machine is in a dataset
            return SceneRef(path.parent.name, sha256(reason.encode()).hexdigest(), str(path), broken=reason)
        return SceneRef(scene.name, scene.digest, str(path))

    found = tuple(ref(find(name)) for name in names)
    if found and all(scene.broken for scene in found):
        raise SceneError(f"no scene can be loaded; the first: {found[0].broken}")
    return found


def make(shot: Shot, config: RunConfig, scene: SceneRef, attempt: int, clock: Clock) -> Made:
    """All stages of a shot; raises CannotHappen where its events can't be carried out."""
    from synth4d.ask import ask
    from synth4d.filter import sift

    made = kept.filmed(shot, config, scene, attempt, clock)
    with clock.stage("ask"):
        facts = Facts.model_validate_json(made.members["facts.json"])
        seen, absent = CameraRecord.model_validate_json(made.members["camera.json"]), _labels(made.absent)
        dice = seeds.rng(shot.run_seed, shot.scene, shot.key, "ask", attempt)
        questions = ask(facts, seen, rng=dice, total=config.questions, absent=absent)
    if config.asks_a_model:
        asked = {"asked": dump(questions), "absent": made.absent, "pixels": made.viewed}
        return Made(made.members, [], shot.frames, 0, asked)
    with clock.stage("filter"):
        viewed = Facts.model_validate_json(made.viewed)
        keep, rejected = sift(questions, facts, viewed, seen, absent=absent)
    return Made(made.members | {"qa.json": dump(keep)}, rejected, shot.frames, len(keep))


def finish(shot: Shot, config: RunConfig, parts: dict[str, bytes]) -> Talk[Judged]:
    """The end of a shot's way where a model takes part: ask → filter."""
    from synth4d import codec
    from synth4d.ask.author import By, Clip, talk
    from synth4d.ask.author_reword import reword
    from synth4d.ask.template import load
    from synth4d.filter import witnessed

    facts = Facts.model_validate_json(parts["facts.json"])
    viewed = Facts.model_validate_json(parts["pixels"])
    seen = CameraRecord.model_validate_json(parts["camera.json"])
    questions = [Question.model_validate(q) for q in json.loads(parts["asked"])]
    absent = _labels(parts["absent"])
    clip = Clip(facts, seen, load(), seeds.rng(shot.run_seed, shot.scene, shot.key, "author"), absent)
    by = By(config.llm.model, config.llm.prompts, config.llm.max_tokens)
    seed = seeds.seed(shot.run_seed, shot.scene, shot.key, config.author)
    rejects = list[Reject]()
    if config.author == "openai":
        questions, rejects = yield from talk(clip, questions, by, seed)
    elif config.author == "template+openai":
        questions = yield from reword(clip, questions, by, seed)
    rgb = codec.decode_video(parts["mp4"]) if config.votes.frames else None
    kept, rejected = yield from witnessed(questions, facts, viewed, seen, config.votes, absent=absent, rgb=rgb)
    return Judged(kept, rejects + [Reject(key=shot.key, question=q) for q in rejected])


def _labels(raw: bytes) -> list[tuple[str, Label]]:
    """The prop categories of a scene with their words; a clip may lack some of them."""
    return [(category, Label.model_validate(label)) for category, label in json.loads(raw)]
