"""The straight way of one shot: scene → simulate → render → annotate → ask → filter.

All of it runs in a worker, unless a model takes part: then the worker leaves the templates' questions, and the rest is
a talk that the driver holds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from synth4d import seeds
from synth4d.config import RunConfig
from synth4d.llm import Talk
from synth4d.records import CameraRecord, Facts, Label, Question, Reject, dump
from synth4d.run.plan import SceneRef
from synth4d.run.work import Clock, Judged, Made
from synth4d.types import Shot

if TYPE_CHECKING:
    from synth4d.scene.load import Scene


def scenes(names: list[str]) -> tuple[SceneRef, ...]:
    """Load every scene once, here, so that what is wrong with one is said before any work begins."""
    from synth4d.scene.load import find, load

    loaded = [(load(name), find(name)) for name in names]
    return tuple(SceneRef(scene.name, scene.digest, str(path)) for scene, path in loaded)


def make(shot: Shot, config: RunConfig, scene_path: str, attempt: int, clock: Clock) -> Made:
    """All stages of a shot; raises CannotHappen where its events can't be carried out.

    The witnesses and the facts see the clip as it comes back from its own bytes: what is committed is what
    was judged.
    """
    from synth4d import codec
    from synth4d.annotate import identity, pixels
    from synth4d.annotate import world as simulated
    from synth4d.ask import ask
    from synth4d.filter import sift
    from synth4d.motion import camera, simulate
    from synth4d.render.choose import renderer
    from synth4d.scene import build, load

    def rng(purpose: str) -> np.random.Generator:
        return seeds.rng(shot.run_seed, shot.scene, shot.key, purpose, attempt)

    with clock.stage("simulate"):
        scene = load.load(scene_path)
        world = build.build(scene, shot)
        timeline = simulate.simulate(world, shot, attempt=attempt, whatif=config.whatif)
        path = camera.film(world, timeline, shot, attempt=attempt)
    with clock.stage("render"):
        draw = renderer(shot.renderer, shot.field)
        members = codec.encode(draw(world, timeline, path, rng=rng("render"), threads=1))
        clip = codec.decode(members)
    with clock.stage("annotate"):
        seen = CameraRecord.model_validate_json(members["camera.json"])
        facts = simulated.facts(shot, world, timeline, clip)
        viewed = pixels.facts(identity.strip(facts), clip)
    with clock.stage("ask"):
        absent = _labels(scene)
        questions = ask(facts, seen, rng=rng("ask"), total=config.questions, absent=absent)
    members["facts.json"] = dump(facts)
    if config.asks_a_model:
        words = [[category, label.model_dump(mode="json")] for category, label in absent]
        return Made(
            members, [], shot.frames, 0, {"asked": dump(questions), "absent": dump(words), "pixels": dump(viewed)}
        )
    with clock.stage("filter"):
        kept, rejected = sift(questions, facts, viewed, seen, absent=absent)
    members["qa.json"] = dump(kept)
    return Made(members, rejected, shot.frames, len(kept))


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
    absent = [(category, Label.model_validate(label)) for category, label in json.loads(parts["absent"])]
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


def _labels(scene: Scene) -> list[tuple[str, Label]]:
    """The prop categories of a scene with their words; a clip may lack some of them."""
    return [
        (key, Label(en=c.name.en, zh=c.name.zh, measure=c.name.measure, plural=c.name.plural or f"{c.name.en}s"))
        for key, c in sorted(scene.props.items())
    ]
